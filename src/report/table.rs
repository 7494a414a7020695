//! Rows as a table for people: local times, numbers to the right, never wider than a terminal of 132 columns.

use console::truncate_str;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::ledger::Row;

use super::row_facts;
use super::text::{Head, Layout, harmless, seconds};

/// No line is wider.
pub(crate) const WIDTH: usize = 100;

/// The column of a row's reason, in a separate line below it.
const REASON: &str = "           ";

static HEADS: [Head; 7] = [
    Head { name: "ATTEMPT", right: true, least: None },
    Head { name: "TIME", right: false, least: None },
    Head { name: "SLOT", right: false, least: Some(4) },
    Head { name: "MODEL", right: false, least: Some(8) },
    Head { name: "SERIAL", right: false, least: Some(8) },
    Head { name: "SECONDS", right: true, least: None },
    Head { name: "OUTCOME", right: false, least: None },
];

/// A table of rows, drawn line by line.
pub struct Table {
    layout: Layout<7>,
    zone: TimeZone,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("zone", &self.zone).finish_non_exhaustive()
    }
}

impl Table {
    /// The widths for these rows; later values that are wider are cut. Times are shown in `zone`.
    #[must_use]
    pub fn new(first: &[Row], zone: TimeZone) -> Self {
        let lines: Vec<_> = first.iter().map(|row| cells(row, &zone)).collect();
        Self { layout: Layout::new(&HEADS, &lines, WIDTH), zone }
    }

    /// For rows that are still to come: usual values have room.
    #[must_use]
    pub(crate) fn to_come(first: &[Row], zone: TimeZone) -> Self {
        let mut lines: Vec<_> = first.iter().map(|row| cells(row, &zone)).collect();
        let room = [7, 19, 4, 20, 20, 7, 11].map(|width| " ".repeat(width));
        lines.push(room);
        Self { layout: Layout::new(&HEADS, &lines, WIDTH), zone }
    }

    /// The names of the columns.
    #[must_use]
    pub fn head(&self) -> String {
        self.layout.head()
    }

    /// The row's line. The reason of a card that did not pass is in another line below it.
    #[must_use]
    pub fn row(&self, row: &Row) -> String {
        let mut text = self.layout.line(&cells(row, &self.zone));
        if let Some(reason) = &row.reason {
            text.push_str(&truncate_str(&format!("{REASON}{}", harmless(reason)), WIDTH, "…"));
            text.push('\n');
        }
        text
    }
}

/// A time for people, to the second.
pub(super) fn local(micros: Option<i64>, zone: &TimeZone) -> Option<String> {
    let time = micros.and_then(|micros| Timestamp::from_microsecond(micros).ok())?;
    Some(time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// A time in microseconds since 1970 for people; empty for one outside the calendar.
#[must_use]
pub(crate) fn local_time(micros: i64, zone: &TimeZone) -> Option<String> {
    local(Some(micros), zone)
}

fn cells(row: &Row, zone: &TimeZone) -> [String; 7] {
    let shown = |text: &Option<String>| text.as_deref().map(harmless).unwrap_or_default();
    [
        row.attempt.to_string(),
        local(row.ended.or(row.started), zone).unwrap_or_default(),
        shown(&row.slot),
        shown(&row.model),
        row_facts::serial(row).map(harmless).unwrap_or_default(),
        row.total_us.map(|micros| seconds(micros / 1000)).unwrap_or_default(),
        harmless(row.outcome.as_str()),
    ]
}

#[cfg(test)]
mod tests {
    use console::measure_text_width;

    use super::*;
    use crate::report::testing;

    fn table(rows: &[Row], zone: &TimeZone) -> String {
        let table = Table::new(rows, zone.clone());
        rows.iter().fold(table.head(), |text, row| text + &table.row(row))
    }

    #[test]
    fn no_line_is_wider_than_the_table_may_be_and_no_card_can_write_to_the_terminal() {
        let text = table(&testing::rows(), &TimeZone::UTC);
        let later = Table::to_come(&[], TimeZone::UTC);
        let text = testing::rows().iter().fold(text, |text, row| text + &later.row(row));
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
}
