//! Rows for programs: a JSON object a line, and CSV (RFC 4180).

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::Value;

use crate::ledger::Row;

use super::columns::{COLUMNS, Cell};

/// One JSON object a line. What a row does not have is `null`.
///
/// # Errors
/// Where `out` cannot be written.
pub fn json(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    for row in rows {
        let members: Vec<_> = COLUMNS.iter().map(|(name, cell)| format!("{}:{}", Value::from(*name), json_value(&cell(row)))).collect();
        writeln!(out, "{{{}}}", members.join(","))?;
    }
    Ok(())
}

fn json_value(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Empty => Value::Null.to_string(),
        Cell::Text(text) => Value::from(*text).to_string(),
        Cell::Time(text) => Value::from(text.as_str()).to_string(),
        Cell::Number(number) => number.to_string(),
        // Decimal digits as they are: a JSON number without a detour over binary fractions.
        Cell::Seconds(digits) => digits.clone(),
        Cell::Truth(truth) => truth.to_string(),
        // A log that somebody tampered with must not spoil the line.
        Cell::List(text) => serde_json::from_str::<Vec<Option<u64>>>(text).map_or(Value::Null, |list| serde_json::json!(list)).to_string(),
    }
}

/// A header row, then a record a row, each ended by CR LF. What a row does not have is empty.
///
/// # Errors
/// Where `out` cannot be written.
pub fn csv(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    writer.write_record(COLUMNS.iter().map(|(name, _)| name)).map_err(io_error)?;
    for row in rows {
        writer.write_record(COLUMNS.iter().map(|(_, cell)| csv_field(&cell(row)).into_owned())).map_err(io_error)?;
    }
    writer.flush()
}

/// As the system gave it: the crate's own conversion makes every error an unnamed one, a closed pipe too.
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

/// A card chooses its own serial and name, and a spreadsheet runs a text that begins like a formula. Behind an apostrophe it is
/// text.
fn no_formula(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    fn text(write: impl Fn(&[Row], &mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&testing::rows(), &mut out).expect("memory can be written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn no_field_of_a_csv_begins_like_a_formula() {
        let text = text(csv);
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
        let text = text(csv);
        assert!(text.starts_with("attempt,started,ended,"));
        assert_eq!(text.matches("\r\n").count(), 3, "a header and two records");
    }

    #[test]
    fn json_is_an_object_a_line_with_numbers_as_numbers() {
        let text = text(json);
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
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
