//! Where the chain of a file begins: at event 1, or, if old months were archived, behind the last archived event. And what the log itself
//! records about its archives.
//!
//! Knows the table `beginning` and the body of the event `archived`; `archive.sql` explains both. Whether they hold is verified in
//! `carried.rs`.

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::link::{Link, ORIGIN};

/// The kind of the event that records which events are in archives.
pub(super) const ARCHIVED: &str = "archived";

/// Which events a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of them.
    Whole,
    /// Those of its range: it is an archive.
    Archive,
    /// Those behind the archived ones, and of the archived ones those of the station.
    Shortened,
}

/// The place at which a file's chain begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    /// The first event of the chain.
    pub(super) first: i64,
    /// The hash of the event before it.
    pub(super) prev: Link,
    pub(super) part: Part,
}

/// The beginning of this file's chain. Of several rows the first one counts; the events then do not hold. A log without the table is of an
/// older format, and has all its events.
pub(super) fn of(log: &Connection) -> rusqlite::Result<Beginning> {
    let whole = Beginning { first: 1, prev: ORIGIN, part: Part::Whole };
    if !log.table_exists(Some("main"), "beginning")? {
        return Ok(whole);
    }
    let mut query = log.prepare_cached("SELECT first, prev, why FROM beginning LIMIT 1")?;
    let row = query.query_row([], |row| {
        let part = if row.get_ref(2)?.as_str()? == "archive" { Part::Archive } else { Part::Shortened };
        Ok(Beginning { first: row.get(0)?, prev: row.get(1)?, part })
    });
    Ok(row.optional()?.unwrap_or(whole))
}

/// Records the beginning in a new file.
pub(super) fn put(file: &Connection, first: i64, prev: &Link, part: Part) -> rusqlite::Result<()> {
    let why = match part {
        Part::Whole => return Ok(()),
        Part::Archive => "archive",
        Part::Shortened => "shortened",
    };
    file.execute("INSERT INTO main.beginning (first, prev, why) VALUES (?1, ?2, ?3)", (first, prev, why)).map(drop)
}

/// Hexadecimal, as in every body.
pub(super) fn hex(link: &Link) -> String {
    blake3::Hash::from_bytes(*link).to_hex().to_string()
}

/// The body of the event `archived`, as `archive.sql` explains it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Archived {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) last_hash: String,
    pub(super) last_at: i64,
    pub(super) attempts: u64,
    pub(super) folder: String,
    pub(super) files: Vec<ArchivedFile>,
    pub(super) kept: Bound,
    pub(super) cards: Bound,
    pub(super) boxes: Vec<ArchivedBox>,
}

/// One archive, as the log records it. Times are UTC, in microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArchivedFile {
    /// The name of the file.
    pub(crate) name: String,
    /// Its length in bytes.
    pub(crate) bytes: u64,
    /// Its digest, hexadecimal.
    pub(crate) blake3: String,
    /// The month, YYYY-MM.
    pub(crate) month: String,
    /// The end of that month in the time zone of the PC.
    pub(crate) month_end: i64,
    /// Its first event.
    pub(crate) first: i64,
    /// Its last event.
    pub(crate) last: i64,
    /// The hash of its last event, hexadecimal.
    pub(crate) last_hash: String,
    /// The oldest time of its events.
    pub(crate) since: i64,
    /// The newest time of its events.
    pub(crate) until: i64,
    /// The lowest number of an attempt in it.
    pub(crate) first_attempt: Option<u64>,
    /// The highest number of an attempt in it.
    pub(crate) last_attempt: Option<u64>,
}

/// How many of something there are, and a digest over all of them, hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bound {
    pub(super) count: u64,
    pub(super) blake3: String,
}

/// A box of an archived order with cards that are still in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ArchivedBox {
    pub(super) order: u64,
    #[serde(rename = "box")]
    pub(super) number: u32,
    /// The event of the last card in it.
    pub(super) until: u64,
}

/// The newest record of archives, with the number of its event. A body of another form counts as none.
pub(super) fn record(log: &Connection) -> rusqlite::Result<Option<(i64, Archived)>> {
    Ok(records(log)?.pop())
}

/// Every record of archives, oldest first.
pub(super) fn records(log: &Connection) -> rusqlite::Result<Vec<(i64, Archived)>> {
    let mut query = log.prepare_cached("SELECT seq, body FROM event WHERE kind = ?1 AND attempt IS NULL ORDER BY seq")?;
    let mut rows = query.query([ARCHIVED])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        if let Ok(record) = serde_json::from_str(row.get_ref(1)?.as_str()?) {
            records.push((row.get(0)?, record));
        }
    }
    Ok(records)
}

/// The newest record, if events are missing here because they are archived.
pub(super) fn missing(log: &Connection) -> rusqlite::Result<Option<Archived>> {
    if of(log)?.part != Part::Shortened {
        return Ok(None);
    }
    Ok(record(log)?.map(|(_, record)| record))
}
