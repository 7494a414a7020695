//! What the benchmark measures. Every query opens the log with its own reader, as the command does.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use flashline::ledger::{Filter, Ledger, LogReader};
use flashline::report::Table;
use flashline::report::summary::{Scope, Summary};
use flashline::report::tally::By;
use flashline::report::times::Shifts;
use jiff::tz::TimeZone;

use crate::figures::{Bar, Figure, median};
use crate::work::{BEGIN, DAY, DAYS, attempt, model, serial};
use crate::{Made, Result};

/// Repetitions of a measure that takes milliseconds.
const RUNS: u64 = 21;

/// How many events and how many plain appends are timed.
const APPENDS: u64 = 300;

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// The numbers of a benchmark are far below the limit up to which an `f64` is exact.
#[allow(clippy::cast_precision_loss, reason = "counts of events and bytes of a file")]
fn float(count: u64) -> f64 {
    count as f64
}

fn time(day: u64) -> i64 {
    BEGIN + i64::try_from(day * DAY).unwrap_or(0)
}

pub(crate) fn all(path: &Path, made: &Made) -> Result<Vec<Figure>> {
    let figures = vec![
        Figure {
            name: "make_events_per_s",
            value: float(made.attempts * 2) / made.seconds,
            unit: "1/s",
            bar: None,
            of: "events appended".to_owned(),
        },
        serial_lookup(path, made)?,
        day_table(path, made)?,
        month_summary(path, made)?,
        chain(path, made)?,
        verify(path, made)?,
        bytes_per_event(path, made)?,
        append(path, made)?,
    ];
    Ok(figures)
}

fn serial_lookup(path: &Path, made: &Made) -> Result<Figure> {
    let mut times = Vec::new();
    for run in 0..RUNS {
        let number = run * (made.attempts / RUNS) + run;
        let began = Instant::now();
        let filter = Filter { serial: Some(serial(number)), ..Filter::default() };
        let rows = LogReader::open(path)?.attempts(&filter).collect::<std::result::Result<Vec<_>, _>>()?;
        times.push(milliseconds(began));
        if rows.len() != 1 || rows[0].attempt != number + 1 {
            return Err(format!("the card {} is in {} rows", serial(number), rows.len()).into());
        }
    }
    let of = format!("one serial, exact: median of {RUNS} cards");
    Ok(Figure { name: "serial_lookup_ms", value: median(times), unit: "ms", bar: Some(Bar::AtMost(20.0)), of })
}

fn day_table(path: &Path, made: &Made) -> Result<Figure> {
    let mut times = Vec::new();
    let mut count = 0;
    for run in 0..RUNS {
        let day = 3 + run * (DAYS - 6) / RUNS;
        let began = Instant::now();
        let filter = Filter { since: Some(time(day)), until: Some(time(day + 1)), ..Filter::default() };
        let rows = LogReader::open(path)?.attempts(&filter).collect::<std::result::Result<Vec<_>, _>>()?;
        let table = Table::new(&rows, TimeZone::UTC);
        let table = rows.iter().fold(table.head(), |text, row| text + &table.row(row));
        times.push(milliseconds(began));
        count = u64::try_from(rows.len())?;
        if count.abs_diff(made.attempts / DAYS) > 10 || table.lines().count() <= rows.len() {
            return Err(format!("day {day} has {count} rows").into());
        }
    }
    let of = format!("one day's table of {count} rows: median of {RUNS} days");
    Ok(Figure { name: "day_table_ms", value: median(times), unit: "ms", bar: Some(Bar::AtMost(100.0)), of })
}

fn month_summary(path: &Path, made: &Made) -> Result<Figure> {
    let mut times = Vec::new();
    for run in 0..5 {
        let day = 10 + run * 90;
        let began = Instant::now();
        let filter = Filter { since: Some(time(day)), until: Some(time(day + 30)), ..Filter::default() };
        let mut summary = Summary::new(By::Model, &TimeZone::UTC, &Shifts::default());
        LogReader::open(path)?.briefs(&filter, |brief| {
            summary.add(brief);
            ControlFlow::Continue(())
        })?;
        let (json, text) = (summary.json(&Scope::default()), summary.text(false));
        times.push(milliseconds(began));
        let attempts = json["total"]["attempts"].as_u64().unwrap_or_default();
        if attempts.abs_diff(made.attempts * 30 / DAYS) > 10 || !text.contains(model(0)) {
            return Err(format!("a month has {attempts} attempts").into());
        }
    }
    let of = "a month by model, slot and kind of card, with median seconds and who stands out: median of 5 months".to_owned();
    Ok(Figure { name: "month_summary_ms", value: median(times), unit: "ms", bar: Some(Bar::AtMost(1000.0)), of })
}

fn chain(path: &Path, made: &Made) -> Result<Figure> {
    let began = Instant::now();
    let head = LogReader::open(path)?.verify_chain()?.map_err(|broken| broken.to_string())?;
    let seconds = began.elapsed().as_secs_f64();
    if head.count != made.attempts * 2 + 1 {
        return Err(format!("the chain has {} events", head.count).into());
    }
    let of = format!("the whole chain, {} events in {seconds:.1} s", head.count);
    Ok(Figure { name: "chain_events_per_s", value: float(head.count) / seconds, unit: "1/s", bar: Some(Bar::AtLeast(500_000.0)), of })
}

fn verify(path: &Path, made: &Made) -> Result<Figure> {
    let began = Instant::now();
    LogReader::open(path)?.verify()?.map_err(|flaw| flaw.to_string())?;
    let seconds = began.elapsed().as_secs_f64();
    let events = made.attempts * 2 + 1;
    let of = format!("the same, and every index compared with every event: {events} events in {seconds:.1} s");
    Ok(Figure { name: "verify_events_per_s", value: float(events) / seconds, unit: "1/s", bar: None, of })
}

fn bytes_per_event(path: &Path, made: &Made) -> Result<Figure> {
    let value = float(fs::metadata(path)?.len()) / float(made.attempts * 2 + 1);
    Ok(Figure { name: "bytes_per_event", value, unit: "bytes", bar: None, of: "the file's size, indexes included".to_owned() })
}

/// One by one in turn, so that other load of the disk affects both.
fn append(path: &Path, made: &Made) -> Result<Figure> {
    let mut ledger = Ledger::open(path, "bench")?;
    let mut plain = OpenOptions::new().append(true).create_new(true).open(path.with_file_name("plain"))?;
    let (mut events, mut appends) = (Vec::new(), Vec::new());
    for number in 0..APPENDS {
        let entries = attempt(made.attempts + number, made.attempts);
        let (_, entry) = &entries[0];
        let began = Instant::now();
        ledger.append(entry)?;
        events.push(milliseconds(began));
        let began = Instant::now();
        plain.write_all(&[7; 512])?;
        plain.sync_data()?;
        appends.push(milliseconds(began));
    }
    let (event, raw) = (median(events), median(appends));
    let of = format!("one event durable in {event:.3} ms; 512 bytes appended and fdatasync in {raw:.3} ms: medians of {APPENDS}");
    Ok(Figure { name: "append_fsync_vs_raw", value: event / raw, unit: "ratio", bar: Some(Bar::AtMost(4.0)), of })
}
