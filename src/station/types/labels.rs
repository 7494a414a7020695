//! Facts about a card that people know and the station cannot see: its work order, the operator, its lot.

use std::fmt;

/// The longest text that fits a line of a report; numbers of an ERP system are shorter.
const LONGEST: usize = 120;

/// The facts about the making of one card. Kept in its row; no decision uses them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels {
    /// The work order, as the factory's own system names it.
    pub work_order: Option<String>,
    /// The operator, as they say.
    pub operator: Option<String>,
    /// The lot or delivery of the blank card.
    pub card_lot: Option<String>,
}

/// A text that a row, a table or a terminal cannot show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPlain;

impl fmt::Display for NotPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "words for people are one line of 1 to {LONGEST} characters, all of them visible")
    }
}

impl std::error::Error for NotPlain {}

/// A control character, or one that is invisible or reverses the writing direction (U+202E and similar): a text with such a character is
/// not what it looks like, and would affect the terminal.
#[must_use]
pub(crate) fn is_unseen(sign: char) -> bool {
    sign.is_control()
        || matches!(sign, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// The text without the spaces around it.
///
/// # Errors
/// If nothing is left, it is too long, or it contains an unreadable character ([`is_unseen`]).
pub(crate) fn plain(words: &str) -> Result<String, NotPlain> {
    let words = words.trim();
    let length = words.chars().count();
    if length == 0 || length > LONGEST || words.chars().any(is_unseen) { Err(NotPlain) } else { Ok(words.to_owned()) }
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn words_of_people_are_one_visible_line_that_fits_a_row() {
        assert_eq!(plain("  WO-4711 / Müller \u{5de5}\u{5355} "), Ok("WO-4711 / Müller \u{5de5}\u{5355}".to_owned()));
        assert_eq!(plain(&"x".repeat(LONGEST)).map(|words| words.len()), Ok(LONGEST));
        for wrong in ["", "   ", "a\nb", "a\tb", "\u{1b}[2J", "a\u{202e}b", "a\u{200b}b", "\u{feff}", &"x".repeat(LONGEST + 1)] {
            assert_eq!(plain(wrong), Err(NotPlain), "{wrong:?}");
        }
    }
}
