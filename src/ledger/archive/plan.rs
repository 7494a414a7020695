//! Decides which events go into which archive, and whether the station can do without them.
//!
//! A clock may be wrong or be set back, and the order of events is their number. So an archive has a range of events, and a month ends with
//! the event before the first one of a later time. No attempt is split: a month ends at the last moment at which no card was being written.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use super::super::beginning;
use super::super::reader::LogReader;
use super::error::ArchiveError;
use crate::station::order::Order;

/// A month in the time zone of the PC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Month {
    /// Its name: YYYY-MM.
    pub(crate) name: String,
    /// The first moment behind it: UTC, microseconds since 1970.
    pub(crate) end: i64,
}

/// The month of a moment.
pub(crate) type MonthOf<'a> = &'a dyn Fn(i64) -> Month;

/// The events of one archive, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedFile {
    pub(super) month: Month,
    pub(super) first: i64,
    pub(super) last: i64,
}

/// The archives to make, oldest first; at least one. All of them end before `before`, a first moment of a month.
pub(super) fn plan(log: &LogReader, before: i64, month_of: MonthOf<'_>) -> Result<Vec<PlannedFile>, ArchiveError> {
    let (files, oldest) = log.within(|log| {
        let begins = beginning::of(log)?;
        let archived = beginning::missing(log)?.and_then(|record| record.files.last().map(|file| file.month_end));
        let oldest = time_of(log, begins.first)?;
        Ok((months(log, begins.first, archived, before, month_of)?, oldest))
    })?;
    let Some(last) = files.last().map(|file| file.last) else {
        let oldest = oldest.map_or_else(|| "it has no event".to_owned(), |at| format!("its oldest event is of {}", month_of(at).name));
        let why = format!(
            "no event of the log is in a month before the named one, or cards were written without a pause until its end; {oldest}"
        );
        return Err(ArchiveError::Nothing { why });
    };
    nothing_open(log, last, month_of)?;
    Ok(files)
}

fn months(log: &Connection, first: i64, archived: Option<i64>, before: i64, month_of: MonthOf<'_>) -> rusqlite::Result<Vec<PlannedFile>> {
    let newest: i64 = log.query_row("SELECT coalesce(max(seq), 0) FROM event", [], |row| row.get(0))?;
    let mut files = Vec::new();
    // A month that has an archive gets no second one: what is left of it goes with the next month.
    let mut earliest = archived.unwrap_or(i64::MIN);
    let mut next = first;
    while let Some(at) = time_of(log, next)? {
        let month = month_of(at.max(earliest));
        if month.end > before {
            break;
        }
        let later = "SELECT seq FROM event WHERE seq >= ?1 AND +at >= ?2 ORDER BY seq LIMIT 1";
        let later: Option<i64> = log.query_row(later, (next, month.end), |row| row.get(0)).optional()?;
        let last = quiet(log, next, later.map_or(newest, |later| later - 1))?;
        earliest = month.end;
        if last >= next {
            files.push(PlannedFile { month, first: next, last });
            next = last + 1;
        }
    }
    Ok(files)
}

fn time_of(log: &Connection, seq: i64) -> rusqlite::Result<Option<i64>> {
    log.prepare_cached("SELECT at FROM event WHERE seq = ?1")?.query_row([seq], |row| row.get(0)).optional()
}

/// The last event, from `first - 1` to `last`, behind which no attempt was open. None was before `first`, and a station that starts has
/// closed all that were.
fn quiet(log: &Connection, first: i64, last: i64) -> rusqlite::Result<i64> {
    let started =
        "SELECT seq FROM event WHERE kind = 'station-started' AND attempt IS NULL AND seq >= ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1";
    let started: Option<i64> = log.query_row(started, (first, last), |row| row.get(0)).optional()?;
    let mut quiet = started.unwrap_or(first - 1);
    let mut query = log.prepare("SELECT seq, kind, attempt FROM event WHERE seq > ?1 AND seq <= ?2 ORDER BY seq")?;
    let mut rows = query.query((quiet, last))?;
    let mut open: BTreeSet<i64> = BTreeSet::new();
    while let Some(row) = rows.next()? {
        if let Some(attempt) = row.get::<_, Option<i64>>(2)? {
            match row.get_ref(1)?.as_str()? {
                "attempt-started" => drop(open.insert(attempt)),
                "attempt-closed" => drop(open.remove(&attempt)),
                _ => {}
            }
        }
        if open.is_empty() {
            quiet = row.get(0)?;
        }
    }
    Ok(quiet)
}

/// Refuses to archive what the station still counts from its events.
fn nothing_open(log: &LogReader, last: i64, month_of: MonthOf<'_>) -> Result<(), ArchiveError> {
    let standing = log.standing()?;
    for Order { number, model, .. } in &standing.orders {
        let began =
            "SELECT at FROM event WHERE kind = 'order-started' AND attempt IS NULL AND seq <= ?1 AND json_extract(body, '$.order') = ?2";
        let number_there = i64::try_from(*number).unwrap_or(i64::MAX);
        let began: Option<i64> = log.within(|log| log.query_row(began, (last, number_there), |row| row.get(0)).optional())?;
        if let Some(at) = began {
            return Err(ArchiveError::OpenOrder { number: *number, model: model.clone(), month: month_of(at).name });
        }
    }
    for waits in &standing.first_offs {
        let Some(card) = waits.waiting() else { continue };
        let made = log.events(card.attempt)?.into_iter().find(|event| event.kind == "attempt-closed");
        if let Some(made) = made.filter(|event| i64::try_from(event.seq).is_ok_and(|seq| seq <= last)) {
            let (model, month) = (waits.model.clone(), month_of(made.at).name);
            return Err(ArchiveError::FirstCard { model, attempt: card.attempt, month });
        }
    }
    Ok(())
}

/// The orders that began up to this event.
pub(super) fn orders_up_to(log: &Connection, last: i64) -> rusqlite::Result<BTreeSet<u64>> {
    let mut query =
        log.prepare("SELECT json_extract(body, '$.order') FROM event WHERE kind = 'order-started' AND attempt IS NULL AND seq <= ?1")?;
    let orders = query.query_map([last], |row| row.get::<_, Option<i64>>(0))?;
    orders.filter_map(|order| order.map(|order| order.and_then(|order| u64::try_from(order).ok())).transpose()).collect()
}

/// What the log records about the contents of an archive.
pub(super) struct Facts {
    pub(super) since: i64,
    pub(super) until: i64,
    pub(super) first_attempt: Option<u64>,
    pub(super) last_attempt: Option<u64>,
}

/// The facts of a range of events.
pub(super) fn facts(log: &Connection, first: i64, last: i64) -> rusqlite::Result<Facts> {
    let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    let facts = "SELECT min(at), max(at), min(attempt), max(attempt) FROM event NOT INDEXED WHERE seq >= ?1 AND seq <= ?2";
    log.query_row(facts, (first, last), |row| {
        Ok(Facts { since: row.get(0)?, until: row.get(1)?, first_attempt: number(row.get(2)?), last_attempt: number(row.get(3)?) })
    })
}
