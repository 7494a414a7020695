//! Which bin a card goes to, and how many more until a box is full.

use ratatui::style::{Color, Modifier, Style};

use super::board::{BoardBox, BoardSlot};
use super::language::Language;
use crate::station::bins::{Bin, BinColour, Bins};

/// The word of a bin, as the factory calls it or else in the panel's language.
fn word<'a>(bin: Bin, bins: &'a Bins, language: &'a Language) -> &'a str {
    let usual = match bin {
        Bin::Good => "bin-good",
        Bin::NotBad => "bin-not-bad",
        Bin::Bad => "bin-bad",
    };
    bins.of(bin).word.as_deref().unwrap_or_else(|| language.phrase(usual))
}

/// As a word on its own ground: black on a light one, white on a dark one, as every other word of a panel.
fn ground(colour: BinColour) -> Style {
    let (letters, ground) = match colour {
        BinColour::Green => (Color::Black, Color::Green),
        BinColour::Yellow => (Color::Black, Color::Yellow),
        BinColour::Cyan => (Color::Black, Color::Cyan),
        BinColour::White => (Color::Black, Color::Gray),
        BinColour::Red => (Color::White, Color::Red),
        BinColour::Blue => (Color::White, Color::Blue),
        BinColour::Violet => (Color::White, Color::Magenta),
    };
    // Bold black is grey on a kernel console.
    let style = Style::new().fg(letters).bg(ground);
    if letters == Color::White { style.add_modifier(Modifier::BOLD) } else { style }
}

/// What stands before the word of a bin.
pub(super) const ARROW: &str = "→";

/// Where the card of a slot goes: ` → TRAY ` on the colour of the bin. Nothing where no card is to be taken out.
pub(super) fn bin_line(slot: &BoardSlot, bins: &Bins, language: &Language) -> Option<(String, Style)> {
    let bin = slot.call.bin()?;
    Some((format!(" {ARROW} {} ", word(bin, bins, language)), ground(bins.of(bin).colour)))
}

/// Does what the operator is told say no more than the bin does?
pub(super) fn says_the_same(todo: &str) -> bool {
    matches!(todo, "take-good" | "take-aside" | "take-bad" | "that-one-bad")
}

/// Where the card of a slot goes, in words behind others: ` → TRAY`, where the factory has named the bin.
#[must_use]
pub(crate) fn named_bin(slot: &BoardSlot, bins: &Bins) -> Option<String> {
    let word = bins.of(slot.call.bin()?).word.as_deref()?;
    Some(format!(" {ARROW} {word}"))
}

/// `box 3: 38 more`, or that one was closed and the next is to be taken.
pub(super) fn box_line(open: &BoardBox, language: &Language) -> String {
    match open.number.checked_sub(1).filter(|closed| *closed > 0 && open.cards == 0) {
        Some(closed) => language.phrase("box-closed").replace("{box}", &closed.to_string()),
        None => language.phrase("box").replace("{box}", &open.number.to_string()).replace("{left}", &open.left.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::wire::Status;
    use crate::panel::console::board::Board;
    use crate::station::bins::BinLabel;
    use crate::station::outcome::{Failure, Refusal};
    use crate::station::sign::Sign;
    use crate::station::view::{SlotView, View};

    fn slot(sign: Sign) -> BoardSlot {
        let view = View { slots: vec![SlotView::of(sign)], ..View::default() };
        Board::of(&Status::of(&view), "", &Bins::default()).slots.remove(0)
    }

    #[test]
    fn a_card_that_is_to_be_taken_out_goes_to_its_bin_and_no_other_card_goes_to_one() {
        let english = Language::english();
        let bins = Bins { bad: BinLabel { word: Some("SCRAP".to_owned()), colour: BinColour::Violet }, ..Bins::default() };
        let line = |sign| bin_line(&slot(sign), &bins, &english).map(|(text, style)| (text, style.bg));
        assert_eq!(line(Sign::Passed), Some((" → GOOD ".to_owned(), Some(Color::Green))));
        assert_eq!(line(Sign::Done), Some((" → GOOD ".to_owned(), Some(Color::Green))));
        assert_eq!(line(Sign::Refused(Refusal::Busy)), Some((" → NOT BAD ".to_owned(), Some(Color::Yellow))));
        assert_eq!(line(Sign::Failed(Failure::Changed)), Some((" → SCRAP ".to_owned(), Some(Color::Magenta))));
        for sign in [Sign::Empty, Sign::Preparing, Sign::Writing, Sign::Recording, Sign::OutOfService, Sign::OrderComplete { count: 5 }] {
            assert_eq!(line(sign.clone()), None, "{sign:?}");
        }
        assert_eq!(named_bin(&slot(Sign::Failed(Failure::Changed)), &bins).as_deref(), Some(" → SCRAP"));
        assert_eq!(named_bin(&slot(Sign::Passed), &bins), None, "the factory has no name for it");
    }

    #[test]
    fn every_language_has_three_words_for_bins_that_are_told_apart() {
        for code in Language::codes() {
            let language = Language::of(code).expect("it can be read");
            let words: std::collections::BTreeSet<&str> = Bin::ALL.iter().map(|bin| word(*bin, &BINS, &language)).collect();
            assert!(words.len() == 3 && !words.contains(""), "{code}: {words:?}");
        }
    }

    static BINS: std::sync::LazyLock<Bins> = std::sync::LazyLock::new(Bins::default);

    #[test]
    fn a_box_says_how_many_more_and_that_it_was_closed_until_the_next_has_a_card() {
        let english = Language::english();
        let says = |number, cards, left| box_line(&BoardBox { number, cards, left }, &english);
        assert_eq!(says(1, 0, 50), "box 1: 50 more");
        assert_eq!(says(1, 49, 1), "box 1: 1 more");
        assert_eq!(says(2, 0, 50), "box 1 is closed");
        assert_eq!(says(2, 1, 49), "box 2: 49 more");
    }
}
