//! Rows for programs: one JSON object a line, and CSV (RFC 4180). Also CSV for spreadsheets, which must not change the card's own texts.

use std::borrow::Cow;
use std::io::{self, Write};

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::ledger::Row;

use super::columns::{COLUMNS, Cell};
use super::table::local;
use super::text::harmless_json;

/// A row as one JSON object in one line, without its end. A missing value is `null`.
#[must_use]
pub(crate) fn json(row: &Row) -> String {
    let members: Vec<_> = COLUMNS.iter().map(|(name, cell)| format!("{}:{}", Value::from(*name), json_value(&cell(row)))).collect();
    harmless_json(format!("{{{}}}", members.join(",")))
}

impl RowCsv<Vec<u8>> {
    /// The bytes written since the last flush.
    pub(super) fn bytes(&self) -> &[u8] {
        self.csv.0.get_ref()
    }
}

fn json_value(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Empty => Value::Null.to_string(),
        Cell::Text(text) => Value::from(*text).to_string(),
        Cell::Time(text) => Value::from(text.as_str()).to_string(),
        Cell::Number(number) => number.to_string(),
        // Decimal digits without change: a JSON number that was never a binary fraction.
        Cell::Seconds(digits) => digits.clone(),
        Cell::Truth(truth) => truth.to_string(),
        // Changed data in a log must not break the line.
        Cell::List(text) => serde_json::from_str::<Vec<Option<u64>>>(text).map_or(Value::Null, |list| serde_json::json!(list)).to_string(),
    }
}

/// Records, each ended by CR LF.
#[derive(Debug)]
pub(super) struct Csv<W: Write>(csv::Writer<W>);

impl<W: Write> Csv<W> {
    pub(super) fn with_header(out: W, names: impl IntoIterator<Item = impl AsRef<[u8]>>) -> io::Result<Self> {
        let mut csv = Self::without_header(out);
        csv.record(names)?;
        Ok(csv)
    }

    pub(super) fn without_header(out: W) -> Self {
        Self(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out))
    }

    pub(super) fn record(&mut self, fields: impl IntoIterator<Item = impl AsRef<[u8]>>) -> io::Result<()> {
        self.0.write_record(fields).map_err(io_error)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Columns at the end of the output for people: the times by the PC's clock.
const LOCAL: [&str; 2] = ["started_local", "ended_local"];

/// Rows as CSV (RFC 4180): a header row, then one record per row. A missing value is empty.
#[derive(Debug)]
pub(crate) struct RowCsv<W: Write> {
    csv: Csv<W>,
    /// The zone for people: then texts that a spreadsheet would change into numbers or dates are protected.
    people: Option<TimeZone>,
}

impl<W: Write> RowCsv<W> {
    /// Writes the header row.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub(crate) fn new(out: W) -> io::Result<Self> {
        Csv::with_header(out, COLUMNS.iter().map(|(name, _)| name)).map(|csv| Self { csv, people: None })
    }

    /// The same for people, with times of this zone beside those in UTC.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub(crate) fn for_people(out: W, zone: TimeZone) -> io::Result<Self> {
        let names = COLUMNS.iter().map(|(name, _)| *name).chain(LOCAL);
        Csv::with_header(out, names).map(|csv| Self { csv, people: Some(zone) })
    }

    /// Continues, for people, a file that has its header row already.
    #[must_use]
    pub(crate) fn more_for_people(out: W, zone: TimeZone) -> Self {
        Self { csv: Csv::without_header(out), people: Some(zone) }
    }

    /// Writes a record.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn row(&mut self, row: &Row) -> io::Result<()> {
        let fields = COLUMNS.iter().map(|(_, cell)| cell(row));
        match &self.people {
            None => self.csv.record(fields.map(|cell| csv_field(&cell).into_owned())),
            Some(zone) => {
                let times = [row.started, row.ended].map(|at| local(at, zone).unwrap_or_default());
                self.csv.record(fields.map(|cell| for_people(&cell).into_owned()).chain(times))
            }
        }
    }

    /// The column with the event of a row.
    pub(super) fn seq_column() -> usize {
        COLUMNS.iter().position(|(name, _)| *name == "seq").expect("it is a column")
    }

    /// The header row of the output for people.
    pub(super) fn header_for_people() -> csv::ByteRecord {
        COLUMNS.iter().map(|(name, _)| *name).chain(LOCAL).collect()
    }

    /// Writes the buffered records.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.csv.0.flush()
    }
}

/// The error of the system: the crate's own conversion loses the kind of every error, even that of a closed pipe.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn csv_field<'c>(cell: &Cell<'c>) -> Cow<'c, str> {
    match cell {
        Cell::Empty => Cow::Borrowed(""),
        Cell::Text(text) | Cell::List(text) => no_formula(text),
        Cell::Time(text) | Cell::Seconds(text) => Cow::Owned(text.clone()),
        Cell::Number(number) => Cow::Owned(number.to_string()),
        Cell::Truth(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
    }
}

/// The text after a spreadsheet opened the file by a double click.
fn for_people<'c>(cell: &Cell<'c>) -> Cow<'c, str> {
    match cell {
        Cell::Text(text) if is_changed_by_spreadsheets(text) => Cow::Owned(format!("'{text}")),
        cell => csv_field(cell),
    }
}

/// Digits of a number that a spreadsheet keeps; longer ones are rounded (15 significant digits of a binary64).
const EXACT: usize = 15;

/// Months as spreadsheets know them in English, German, Spanish, French, Polish and Italian: `MAR1` becomes a date.
const MONTHS: [&str; 27] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mai", "okt", "dez", "ene", "abr", "ago", "set",
    "dic", "maj", "cze", "lip", "sie", "wrz", "gru", "gen",
];

const MONTHS_IN_FULL: [&str; 17] = [
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "januar",
    "februar",
    "juni",
    "juli",
    "oktober",
    "dezember",
];

/// Would a spreadsheet change this text into a number, a date or a truth value that reads differently?
fn is_changed_by_spreadsheets(text: &str) -> bool {
    let plain = text.trim();
    if plain.is_empty() || !plain.is_ascii() {
        return false;
    }
    if plain.bytes().all(|sign| sign.is_ascii_digit()) {
        return plain != text || plain.len() > EXACT || (plain.len() > 1 && plain.starts_with('0'));
    }
    // 5E10, 1.50, 3/4, 12-11, 1:30, 1,000, 50%, $5.
    let numeric = plain.bytes().all(|sign| sign.is_ascii_digit() || b".,:/eE+-% $".contains(&sign));
    let is_month = |letters: &str| (letters.len() == 3 && MONTHS.contains(&letters)) || MONTHS_IN_FULL.contains(&letters);
    let month = || {
        let letters: String = plain.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
        let rest = plain.bytes().all(|sign| sign.is_ascii_alphanumeric() || b" -/.".contains(&sign));
        rest && plain.bytes().any(|sign| sign.is_ascii_digit()) && is_month(&letters)
    };
    let truth = || ["true", "false", "wahr", "falsch"].contains(&plain.to_ascii_lowercase().as_str());
    (numeric && plain.bytes().any(|sign| sign.is_ascii_digit())) || month() || truth()
}

/// A card chooses its own serial and name, and a spreadsheet runs a text that begins like a formula. With an apostrophe in front it is
/// text.
pub(super) fn no_formula(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod cases {
    use super::*;
    use crate::ledger::Row;

    #[test]
    fn what_a_spreadsheet_would_change_stands_behind_an_apostrophe_for_people_and_as_it_is_for_programs() {
        let row = |serial: &str| Row { serial: Some(serial.to_owned()), started: Some(1_700_000_000_000_000), ..Row::default() };
        let field = |csv: &[u8], name: &str| {
            let mut reader = csv::Reader::from_reader(csv);
            let column = reader.headers().expect("a header").iter().position(|header| header == name);
            let record = reader.records().next().expect("a record").expect("a record");
            column.map(|column| record[column].to_owned())
        };
        let zone = || TimeZone::get("Europe/Berlin").expect("a zone");
        let serials = [
            ("00012345", true),
            ("8939010102358478435", true),
            ("5E10", true),
            ("1e5", true),
            ("12-11", true),
            ("3/4", true),
            ("1.50", true),
            ("MAR1", true),
            ("1-Dez", true),
            ("TRUE", true),
            ("4C531001", false),
            ("12345678", false),
            ("123456789012345", false),
            ("S-1", false),
            ("0", false),
            ("MARVELL1", false),
            ("Ultra", false),
        ];
        for (serial, guarded) in serials {
            let (mut people, mut programs) = (Vec::new(), Vec::new());
            let mut csv = RowCsv::for_people(&mut people, zone()).expect("a header");
            csv.row(&row(serial)).and_then(|()| csv.flush()).expect("memory can be written");
            drop(csv);
            let mut csv = RowCsv::new(&mut programs).expect("a header");
            csv.row(&row(serial)).and_then(|()| csv.flush()).expect("memory can be written");
            drop(csv);
            let expected = if guarded { format!("'{serial}") } else { serial.to_owned() };
            assert_eq!(field(&people, "serial"), Some(expected), "{serial}");
            assert_eq!(field(&programs, "serial"), Some(serial.to_owned()));
            assert_eq!(field(&people, "started_local").as_deref(), Some("2023-11-14 23:13:20"));
            assert_eq!(field(&people, "started").as_deref(), Some("2023-11-14T22:13:20.000Z"));
            assert_eq!(field(&programs, "started_local"), None, "programs have a time zone of their own");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    fn as_csv() -> String {
        let mut out = Vec::new();
        let mut csv = RowCsv::new(&mut out).expect("memory can be written");
        testing::rows().iter().for_each(|row| csv.row(row).expect("memory can be written"));
        csv.flush().expect("memory can be written");
        drop(csv);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn no_field_of_a_csv_begins_like_a_formula() {
        let text = as_csv();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let headers = reader.headers().expect("a header row").clone();
        let failed = reader.records().nth(1).expect("two records").expect("a record");
        let field = |name| &failed[headers.iter().position(|header| header == name).expect("the column")];
        assert_eq!(field("serial"), "'=HYPERLINK(\"http://x\"),\u{1b}[31m\u{301}e");
        assert_eq!((field("product"), field("vendor")), ("'\tTab", "'-1+1"));
        assert!(failed.iter().all(|field| !field.starts_with(['=', '+', '-', '@', '\t', '\r'])));
        for start in ["=", "+", "-", "@", "\t", "\r"] {
            assert_eq!(no_formula(&format!("{start}x")), format!("'{start}x"));
        }
        assert_eq!(no_formula("a=b"), "a=b");
    }

    #[test]
    fn a_csv_has_a_header_and_a_record_a_row_ended_by_cr_lf() {
        let text = as_csv();
        assert!(text.starts_with("attempt,started,ended,"));
        assert_eq!(text.matches("\r\n").count(), 3, "a header and two records");
    }

    #[test]
    fn json_is_an_object_a_line_with_numbers_as_numbers() {
        let lines = testing::rows().map(|row| json(&row));
        assert!(lines.iter().all(|line| !line.contains('\n')));
        let lines = lines.map(|line| serde_json::from_str::<Value>(&line).expect("an object a line"));
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["started"], "2023-11-14T22:13:20.000Z");
        assert_eq!(lines[0]["total_seconds"].to_string(), "12.345678");
        assert_eq!(lines[0]["writing_seconds"].to_string(), "7.000001");
        assert_eq!(lines[0]["clock_synced"], true);
        assert_eq!(lines[0]["writing_kib_per_second_along"], serde_json::json!([20480, null]));
        assert_eq!(lines[0]["reading_kib_per_second_along"], Value::Null, "what is no list of numbers is none");
        assert_eq!(lines[1]["failed_at_byte"], 4_194_304);
        assert_eq!(lines[1]["started"], Value::Null);
        assert_eq!(lines[1]["vendor"], "-1+1", "JSON says what the card said");
    }
}
