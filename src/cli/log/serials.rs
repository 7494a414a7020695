//! `flashline log serials`: prints the packing list.

use std::io::Write;

use super::{GOOD, LogCommandError, LogContext, NOT_GOOD, ScopeArgs, filter, none};
use crate::ledger::{Filter, LogError, LogReader, PackedBoxes, Row};
use crate::report::harmless_json;
use crate::report::serials::{self, ListPlace, OneCard, SerialCsv, SerialTable, Serials, Time};

/// Number of lines that determine the width of a table.
const SAMPLE: usize = 1000;

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// Only cards whose serial or CID begins with this, in upper or lower case
    #[arg(long, value_name = "SERIAL")]
    serial: Option<String>,
    /// Compare the number of good cards with N; exit code 1 if there are fewer
    #[arg(long, value_name = "N")]
    expect: Option<u64>,
    /// Print one JSON object per line
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV with a header row
    #[arg(long)]
    csv: bool,
}

pub(super) fn run(args: &Args, log: &LogReader, context: &LogContext, out: &mut impl Write) -> Result<u8, LogCommandError> {
    let scope = args.scope.scope(context)?;
    let filter = Filter { serial: args.serial.clone(), ..filter(&scope) };
    let mut one = OneCard::default();
    let counted = count(log, &filter, |row| {
        if args.serial.is_some() {
            one.count(row);
        }
    })?;
    let boxes = log.boxes()?;
    if args.json {
        each(log, &filter, counted.clone(), |row, time| {
            writeln!(out, "{}", harmless_json(serials::serial_json(row, time, &boxes).to_string())).map_err(LogCommandError::Output)
        })?;
    } else if args.csv {
        let mut csv = SerialCsv::new(&mut *out, boxes).map_err(LogCommandError::Output)?;
        each(log, &filter, counted.clone(), |row, time| csv.line(row, time).map_err(LogCommandError::Output))?;
        csv.finish().map_err(LogCommandError::Output)?;
    } else {
        table(log, &filter, &counted, &boxes, context, out)?;
        let answer = one.says(context.now.time_zone()).unwrap_or_default();
        write!(out, "{}{answer}", counted.sums(args.expect)).map_err(LogCommandError::Output)?;
    }
    Ok(if args.expect.is_some_and(|expected| counted.good_cards() < expected) { NOT_GOOD } else { GOOD })
}

fn table(
    log: &LogReader,
    filter: &Filter,
    counted: &Serials,
    boxes: &PackedBoxes,
    context: &LogContext,
    out: &mut impl Write,
) -> Result<(), LogCommandError> {
    let zone = context.now.time_zone();
    let mut first: Vec<(Row, Time)> = Vec::new();
    let mut table: Option<SerialTable> = None;
    let mut write = |text: &str| out.write_all(text.as_bytes()).map_err(LogCommandError::Output);
    each(log, filter, counted.clone(), |row, time| match &table {
        Some(table) => write(&table.line(row, time)),
        None => {
            first.push((row.clone(), time));
            if first.len() < SAMPLE {
                return Ok(());
            }
            let known = SerialTable::new(&first, zone.clone(), boxes.clone());
            write(&known.head())?;
            for (row, time) in first.drain(..) {
                write(&known.line(&row, time))?;
            }
            table = Some(known);
            Ok(())
        }
    })?;
    if table.is_none() && first.is_empty() {
        return write(&none("cards", log, filter)?);
    }
    if !first.is_empty() {
        let known = SerialTable::new(&first, zone.clone(), boxes.clone());
        write(&known.head())?;
        for (row, time) in &first {
            write(&known.line(row, *time))?;
        }
    }
    write("\n")
}

/// Reads all rows before the first is listed.
pub(super) fn count(log: &LogReader, filter: &Filter, mut also: impl FnMut(&Row)) -> Result<Serials, LogError> {
    let mut serials = Serials::default();
    for row in log.attempts(filter) {
        let row = row?;
        serials.count(&row);
        also(&row);
    }
    Ok(serials)
}

/// Lists the rows that were counted, and none that came later.
pub(super) fn each(
    log: &LogReader,
    filter: &Filter,
    mut serials: Serials,
    mut line: impl FnMut(&Row, Time) -> Result<(), LogCommandError>,
) -> Result<(), LogCommandError> {
    for row in log.attempts(filter) {
        let row = row?;
        match serials.place(&row) {
            ListPlace::Listed(time) => line(&row, time)?,
            ListPlace::NotListed => {}
            ListPlace::Later => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{context, log_of};
    use super::*;

    #[test]
    fn a_lot_is_complete_or_the_exit_code_says_that_it_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 6);
        let log = LogReader::open(&path).expect("a log");
        let listed = |args: Args| {
            let mut out = Vec::new();
            let code = run(&args, &log, &context(), &mut out).expect("it can be read");
            (code, String::from_utf8(out).expect("text"))
        };
        let (code, text) = listed(Args { expect: Some(4), ..Args::default() });
        assert_eq!(code, GOOD);
        assert!(text.contains("COMPLETE: 4 of 4\n") && text.lines().count() > 10, "{text}");
        let (code, text) = listed(Args { expect: Some(6), ..Args::default() });
        assert_eq!(code, NOT_GOOD);
        assert!(text.contains("NOT COMPLETE: 4 of 6, 2 are missing"), "{text}");
        let (_, text) = listed(Args { serial: Some("S-2".to_owned()), json: true, ..Args::default() });
        let line: serde_json::Value = serde_json::from_str(&text).expect("one object");
        assert_eq!((&line["serial"], &line["image_blake3"]), (&"S-2".into(), &"07".repeat(32).into()));
        let (_, text) = listed(Args { serial: Some("S-2".to_owned()), ..Args::default() });
        let answer = text.lines().last().expect("lines");
        assert!(
            answer.starts_with("on S-2 is image 070707070707, acme/box, box.img: proven "),
            "which image is on it is said last: {text}"
        );
        let (_, text) = listed(Args { csv: true, ..Args::default() });
        assert_eq!(text.lines().count(), 7);
        let (_, text) = listed(Args { serial: Some("nobody".to_owned()), ..Args::default() });
        assert!(text.starts_with("No cards. No card's serial or CID begins with nobody.\n"), "{text}");
    }

    #[test]
    fn a_list_longer_than_the_sample_is_listed_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 30);
        let log = LogReader::open(&path).expect("a log");
        let mut out = Vec::new();
        run(&Args::default(), &log, &context(), &mut out).expect("it can be read");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text.lines().filter(|line| line.contains("  S-")).count(), 30, "{text}");
    }
}
