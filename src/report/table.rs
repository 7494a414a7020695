//! Rows as a table for people: times local, numbers to the right, never wider than a terminal that has been there for forty
//! years and a bit.

use console::{measure_text_width, truncate_str};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::ledger::Row;

/// No line is wider.
pub const WIDTH: usize = 100;

const GAP: &str = "  ";

/// Where the reason of a row stands, in a line of its own below it.
const REASON: &str = "           ";

struct Head {
    name: &'static str,
    right: bool,
    /// May be cut to this width when the table is too wide.
    least: Option<usize>,
}

const HEADS: [Head; 7] = [
    Head { name: "ATTEMPT", right: true, least: None },
    Head { name: "TIME", right: false, least: None },
    Head { name: "SLOT", right: false, least: Some(4) },
    Head { name: "MODEL", right: false, least: Some(8) },
    Head { name: "SERIAL", right: false, least: Some(8) },
    Head { name: "SECONDS", right: true, least: None },
    Head { name: "OUTCOME", right: false, least: None },
];

/// The table, newest last as the rows are; times in `zone`. The reason of a card that did not pass stands below its row. No rows
/// are a sentence that says so.
#[must_use]
pub fn table(rows: &[Row], zone: &TimeZone) -> String {
    if rows.is_empty() {
        return "No attempts.\n".to_owned();
    }
    let lines: Vec<[String; 7]> = rows.iter().map(|row| cells(row, zone)).collect();
    let mut widths = HEADS.map(|head| head.name.len());
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(measure_text_width(cell));
        }
    }
    shrink(&mut widths);
    let mut text = line(&HEADS.map(|head| head.name.to_owned()), &widths);
    for (row, cells) in rows.iter().zip(&lines) {
        text.push_str(&line(cells, &widths));
        if let Some(reason) = &row.reason {
            let reason = format!("{REASON}{}", harmless(reason));
            text.push_str(&truncate_str(&reason, WIDTH, "…"));
            text.push('\n');
        }
    }
    text
}

fn cells(row: &Row, zone: &TimeZone) -> [String; 7] {
    let shown = |text: &Option<String>| text.as_deref().map(harmless).unwrap_or_default();
    let time = row.ended.or(row.started).and_then(|micros| Timestamp::from_microsecond(micros).ok());
    let time = time.map(|time| time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string());
    // Of two names a card may have, the one that identifies it.
    let serial = row.cid_serial.as_ref().or(row.serial.as_ref()).or(row.cid.as_ref());
    [
        row.attempt.to_string(),
        time.unwrap_or_default(),
        shown(&row.slot),
        shown(&row.model),
        serial.map(|serial| harmless(serial)).unwrap_or_default(),
        row.total_us.map(|micros| format!("{}.{}", micros / 1_000_000, micros % 1_000_000 / 100_000)).unwrap_or_default(),
        harmless(&row.outcome),
    ]
}

/// Cuts the widest of the columns that may be cut, again and again, until a line fits.
fn shrink(widths: &mut [usize; 7]) {
    while widths.iter().sum::<usize>() + GAP.len() * (HEADS.len() - 1) > WIDTH {
        let cuttable = (0..HEADS.len()).filter(|column| HEADS[*column].least.is_some_and(|least| widths[*column] > least));
        let Some(widest) = cuttable.max_by_key(|column| widths[*column]) else { return };
        widths[widest] -= 1;
    }
}

fn line(cells: &[String; 7], widths: &[usize; 7]) -> String {
    let mut text = String::new();
    for ((cell, width), head) in cells.iter().zip(widths).zip(&HEADS) {
        let cell = truncate_str(cell, *width, "…");
        let padding = " ".repeat(width.saturating_sub(measure_text_width(&cell)));
        if !text.is_empty() {
            text.push_str(GAP);
        }
        if head.right {
            text.push_str(&padding);
            text.push_str(&cell);
        } else {
            text.push_str(&cell);
            text.push_str(&padding);
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// A card's own words cannot move the cursor, change colours or turn the writing direction of the line they stand in.
#[must_use]
pub fn harmless(text: &str) -> String {
    let unseen =
        |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    text.chars().map(|c| if unseen(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn no_line_is_wider_than_the_table_may_be_and_no_card_can_write_to_the_terminal() {
        let text = table(&testing::rows(), &TimeZone::UTC);
        for line in text.lines() {
            assert!(measure_text_width(line) <= WIDTH, "{} columns: {line}", measure_text_width(line));
            assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
        }
        assert!(text.contains("writing at byte 4194304 of 8589934592"), "the reason is told: {text}");
    }

    #[test]
    fn columns_stand_below_each_other_and_numbers_end_together() {
        let text = table(&testing::rows()[..1], &TimeZone::UTC);
        assert_eq!(
            text,
            "ATTEMPT  TIME                 SLOT  MODEL     SERIAL  SECONDS  OUTCOME\n      1  2023-11-14 22:13:32  A1    acme/box  S-1        12.3  passed\n"
        );
    }

    #[test]
    fn times_are_local() {
        let zone = TimeZone::fixed(jiff::tz::offset(9));
        assert!(table(&testing::rows()[..1], &zone).contains("2023-11-15 07:13:32"));
    }

    #[test]
    fn no_rows_are_a_sentence() {
        assert_eq!(table(&[], &TimeZone::UTC), "No attempts.\n");
    }
}
