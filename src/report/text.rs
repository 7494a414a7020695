//! Text for one line of a terminal: cut to width, padded, and without control characters.

use console::{measure_text_width, truncate_str};

use crate::station::labels::is_unseen;

/// A card's own words cannot move the cursor, change colours or reverse the writing direction of their line.
#[must_use]
pub(crate) fn harmless(text: &str) -> String {
    harmless_but(text, |_| false)
}

/// The same for texts of several lines: paths, names and causes in messages come from outside, too.
#[must_use]
pub(crate) fn harmless_lines(text: &str) -> String {
    harmless_but(text, |c| c == '\n')
}

fn harmless_but(text: &str, stays: impl Fn(char) -> bool) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    text.chars().map(|c| if is_unseen(c) && !stays(c) { '\u{fffd}' } else { c }).collect()
}

/// JSON that can also be shown on a terminal: each character that [`harmless`] removes is written as its number, which means the same.
#[must_use]
pub(crate) fn harmless_json(json: String) -> String {
    if is_plain(&json) {
        return json;
    }
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        // All of them are within 16 bits, and JSON has none of them outside of strings.
        if is_unseen(c) { text.push_str(&format!("\\u{:04x}", u32::from(c))) } else { text.push(c) }
    }
    text
}

/// A column of a table.
pub(super) struct Head {
    pub(super) name: &'static str,
    pub(super) right: bool,
    /// May be cut to this width when the table is too wide.
    pub(super) least: Option<usize>,
}

/// The separator between two columns.
pub(super) const GAP: &str = "  ";

/// The number of terminal cells that a text takes.
fn width(text: &str) -> usize {
    if is_plain(text) { text.len() } else { measure_text_width(text) }
}

/// Nearly every cell of a log is plain ASCII, and examining each `char` is most of the work of a long table.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

/// A table: the widths of its columns.
pub(super) struct Layout<const N: usize> {
    heads: &'static [Head; N],
    widths: [usize; N],
}

impl<const N: usize> Layout<N> {
    /// The widths for these lines. A whole line is not wider than `most`: the widest of the columns that may be cut is reduced until it
    /// fits.
    pub(super) fn new(heads: &'static [Head; N], lines: &[[String; N]], most: usize) -> Self {
        let mut widths: [usize; N] = std::array::from_fn(|column| heads[column].name.len());
        for line in lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(self::width(cell));
            }
        }
        while widths.iter().sum::<usize>() + GAP.len() * (N - 1) > most {
            let cuttable = (0..N).filter(|column| heads[*column].least.is_some_and(|least| widths[*column] > least));
            let Some(widest) = cuttable.max_by_key(|column| widths[*column]) else { break };
            widths[widest] -= 1;
        }
        Self { heads, widths }
    }

    /// The names of the columns.
    pub(super) fn head(&self) -> String {
        self.line(&std::array::from_fn(|column| self.heads[column].name.to_owned()))
    }

    /// A line, with its end.
    pub(super) fn line(&self, cells: &[String; N]) -> String {
        let mut text = String::new();
        for (column, ((cell, most), head)) in cells.iter().zip(self.widths).zip(self.heads).enumerate() {
            let cell = if width(cell) > most { truncate_str(cell, most, "…") } else { cell.as_str().into() };
            let padding = most.saturating_sub(width(&cell));
            if column > 0 {
                text.push_str(GAP);
            }
            if head.right {
                text.extend(std::iter::repeat_n(' ', padding));
                text.push_str(&cell);
            } else {
                text.push_str(&cell);
                text.extend(std::iter::repeat_n(' ', padding));
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }
}

/// `part` of `whole` as a bar of `width` cells; a part above zero shows at least a sliver.
pub(super) fn bar(part: u64, whole: u64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let cells = u128::from(crate::station::units::to_u64(width)) * 8;
    let eighths = (u128::from(part.min(whole)) * cells).checked_div(u128::from(whole)).unwrap_or(0).max(u128::from(part > 0));
    let eighths = usize::try_from(eighths).unwrap_or(0);
    let mut bar = "█".repeat(eighths / 8);
    bar.push_str(EIGHTHS[eighths % 8]);
    bar
}

/// A part as a percentage, rounded down, so that 100 % always means all. `None` if the whole is zero.
pub(super) fn percent(part: u64, whole: u64) -> Option<String> {
    let thousandths = (u128::from(part) * 1000).checked_div(u128::from(whole))?;
    Some(format!("{}.{} %", thousandths / 10, thousandths % 10))
}

/// Tenths of seconds, rounded down.
pub(super) fn seconds(millis: u64) -> String {
    format!("{}.{}", millis / 1000, millis % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_part_and_never_too_short_to_be_seen() {
        assert_eq!(bar(1, 2, 4), "██");
        assert_eq!(bar(5, 16, 4), "█▎");
        assert_eq!(bar(1, 1_000_000, 4), "▏");
        assert_eq!(bar(0, 10, 4), "");
        assert_eq!(bar(0, 0, 4), "");
        assert_eq!(bar(9, 3, 4), "████");
    }

    #[test]
    fn json_says_the_same_and_does_nothing_to_a_terminal() {
        let text = "plain ü \u{9b}31m \u{202e}x \u{7f}\n\"";
        let json = serde_json::Value::from(text).to_string();
        let shown = harmless_json(json);
        assert!(!shown.chars().any(is_unseen) && shown.contains("\\u009b") && shown.contains('ü'), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).expect("JSON"), text);
    }

    #[test]
    fn what_turns_the_direction_of_a_line_or_hides_in_it_is_shown_as_a_sign_of_its_own() {
        for hidden in ['\u{202e}', '\u{2066}', '\u{61c}', '\u{ad}', '\u{200b}', '\u{fff9}', '\u{1b}', '\u{7f}', '\u{85}'] {
            let text = format!("kart\nü{hidden}gmi.txt");
            assert_eq!(harmless_lines(&text), "kart\nü\u{fffd}gmi.txt", "{hidden:?}");
            assert_eq!(harmless(&text), "kart\u{fffd}ü\u{fffd}gmi.txt", "{hidden:?}");
        }
    }

    #[test]
    fn a_lot_with_one_bad_card_is_never_at_a_hundred_percent() {
        assert_eq!(percent(9_999, 10_000).as_deref(), Some("99.9 %"));
        assert_eq!(percent(7, 7).as_deref(), Some("100.0 %"));
        assert_eq!(percent(57, 200).as_deref(), Some("28.5 %"));
        assert_eq!(percent(0, 0), None);
    }
}
