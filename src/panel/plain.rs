//! Prints a line for every sign that changed: to a journal, a file or a pipe.

use std::io::Write;

use super::Screen;
use super::lines::{anchor, line, note, title};
use crate::station::sign::Sign;
use crate::station::standing::LogNote;
use crate::station::view::{Anchor, View};

/// Prints to anything that can be written to.
#[derive(Debug)]
pub(crate) struct Plain<W> {
    out: W,
    title: String,
    anchor: Option<Anchor>,
    log: Vec<LogNote>,
    /// Every slot's name and sign.
    shown: Vec<(String, Sign)>,
}

impl<W: Write> Plain<W> {
    /// A screen that prints lines to `out`.
    #[must_use]
    pub(crate) fn new(out: W) -> Self {
        Self { out, title: String::new(), anchor: None, log: Vec::new(), shown: Vec::new() }
    }
}

impl<W: Write + Send> Screen for Plain<W> {
    fn draw(&mut self, view: &View) {
        let mut text = String::new();
        let title = title(view);
        if title != self.title {
            text.push_str(&title);
            text.push('\n');
            self.title = title;
        }
        if self.anchor != view.anchor {
            if let Some(shown) = &view.anchor {
                text.push_str(&format!("{}\n", anchor(shown.at, &shown.text)));
            }
            self.anchor.clone_from(&view.anchor);
        }
        for new in view.log.iter().filter(|note| !self.log.contains(note)) {
            text.push_str(&format!("{}\n", note(*new)));
        }
        self.log.clone_from(&view.log);
        for slot in &view.slots {
            if !self.shown.iter().any(|(name, sign)| *name == slot.slot && *sign == slot.sign) {
                text.push_str(&line(slot));
                text.push('\n');
            }
        }
        self.shown = view.slots.iter().map(|slot| (slot.slot.clone(), slot.sign.clone())).collect();
        // The reader is gone: the cards continue.
        let _gone = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }

    fn end(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::view::SlotView;

    fn view(sign: Sign) -> View {
        let slot = SlotView { slot: "A1".into(), model: "acme/box".into(), card: Some("Ultra 15.9 GB".into()), ..SlotView::of(sign) };
        View { station: "line 3".into(), slots: vec![slot], ..View::default() }
    }

    #[test]
    fn a_slot_in_the_place_of_another_is_printed_though_its_sign_is_the_same() {
        let mut out = Vec::new();
        let mut plain = Plain::new(&mut out);
        plain.draw(&view(Sign::Empty));
        let mut after = view(Sign::Empty);
        after.slots[0].slot = "B1".into();
        plain.draw(&after);
        let text = String::from_utf8(out).expect("it is text");
        assert!(text.ends_with("B1  EMPTY  put a card in  [Ultra 15.9 GB]\n"), "{text}");
    }

    #[test]
    fn the_end_of_a_shift_is_printed_once_with_what_to_write_down() {
        let mut out = Vec::new();
        let mut plain = Plain::new(&mut out);
        plain.draw(&view(Sign::Empty));
        let ended = |text: &str| View { anchor: Some(Anchor { at: 1_700_000_000_000_000, text: text.into() }), ..view(Sign::Empty) };
        for shown in [ended("7:00ff"), ended("7:00ff"), ended("9:00aa")] {
            plain.draw(&shown);
        }
        let text = String::from_utf8(out).expect("it is text");
        assert_eq!(text.matches(": write this on the shift sheet: 7:00ff\n").count(), 1, "{text}");
        assert!(text.ends_with(": write this on the shift sheet: 9:00aa\n"), "{text}");
    }

    #[test]
    fn a_sign_is_printed_once_when_it_comes() {
        let mut out = Vec::new();
        let mut plain = Plain::new(&mut out);
        for sign in [Sign::Preparing, Sign::Preparing, Sign::Writing, Sign::Passed, Sign::Passed] {
            plain.draw(&view(sign));
        }
        let text = String::from_utf8(out).expect("it is text");
        let expected = "FLASHLINE  line 3\nA1  WAIT  wait  [Ultra 15.9 GB]\nA1  WRITING  wait  [Ultra 15.9 GB]\nA1  PASS  take it out, good  [Ultra 15.9 GB]\n";
        assert_eq!(text, expected);
    }
}
