//! The chain: every event's hash covers the event before it, so nothing can be changed, removed, inserted or reordered without breaking a
//! link. Only the newest events can be cut off unnoticed; an older [`Head`] that was kept detects that, too.

use std::fmt;
use std::str::FromStr;

use rusqlite::{Connection, Result, Row, params};

use super::beginning;
use super::link::{Batch, Hashed, Link, ORIGIN};
use crate::station::outcome::Digest;

const COLUMNS: &str = "SELECT station, seq, kind, at, body, prev, hash FROM event";

/// One event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) station: String,
    pub(super) seq: i64,
    pub(super) kind: String,
    pub(super) at: i64,
    pub(super) body: String,
    pub(super) prev: Link,
    pub(super) hash: Link,
}

impl Stored {
    fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            station: row.get(0)?,
            seq: row.get(1)?,
            kind: row.get(2)?,
            at: row.get(3)?,
            body: row.get(4)?,
            prev: row.get(5)?,
            hash: row.get(6)?,
        })
    }

    /// Its hash, if it were at `seq` behind `prev`.
    pub(super) fn link(&self, seq: i64, prev: &Link) -> Link {
        Hashed { prev, station: self.station.as_bytes(), seq, kind: self.kind.as_bytes(), at: self.at, body: self.body.as_bytes() }.link()
    }
}

/// The number of events and the hash of the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The count of events.
    pub count: u64,
    /// The hash of the newest event, or zeroes.
    pub hash: [u8; 32],
}

impl fmt::Display for Head {
    /// Writes the head as `COUNT:HASH`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.count)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A malformed anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an anchor is COUNT:HASH, the hash 64 hexadecimal digits, as `flashline log anchor` prints it")]
pub struct NoAnchor;

impl FromStr for Head {
    type Err = NoAnchor;

    fn from_str(text: &str) -> std::result::Result<Self, NoAnchor> {
        let (count, digits) = text.trim().split_once(':').ok_or(NoAnchor)?;
        if !count.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(NoAnchor);
        }
        let Digest(hash) = Digest::parse(digits).ok_or(NoAnchor)?;
        Ok(Self { count: count.parse().ok().ok_or(NoAnchor)?, hash })
    }
}

/// The kind of tampering with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// It was changed.
    Changed,
    /// It was removed.
    Removed,
    /// It was inserted.
    Inserted,
    /// It was moved to another event's place.
    Reordered,
    /// It is not the event of the anchor, although the chain holds: the log was written anew up to there.
    Rewritten,
}

/// The first event that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Break {
    /// The number of the event.
    pub seq: u64,
    /// The kind of tampering.
    pub what: Tampering,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            Tampering::Changed => "was changed",
            Tampering::Removed => "was removed",
            Tampering::Inserted => "was inserted",
            Tampering::Reordered => "was reordered",
            Tampering::Rewritten => "is not the one the anchor was taken of: the log up to there was written anew",
        };
        write!(f, "event {} {what}", self.seq)
    }
}

/// The event that follows `newest`.
pub(super) fn chained(station: &str, newest: Option<&Stored>, kind: &str, at: i64, body: String) -> Stored {
    let (seq, prev) = newest.map_or((1, ORIGIN), |newest| (newest.seq + 1, newest.hash));
    let mut event = Stored { station: station.to_owned(), seq, kind: kind.to_owned(), at, body, prev, hash: ORIGIN };
    event.hash = event.link(seq, &prev);
    event
}

pub(super) fn insert(connection: &Connection, event: &Stored) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO event (station, seq, kind, at, body, prev, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![event.station, event.seq, event.kind, event.at, event.body, event.prev, event.hash])
        .map(drop)
}

/// The newest event of the log; `None` if the log is empty.
pub(super) fn newest(connection: &Connection) -> Result<Option<Stored>> {
    let mut query = connection.prepare_cached(&format!("{COLUMNS} ORDER BY seq DESC LIMIT 1"))?;
    let mut rows = query.query([])?;
    rows.next()?.map(Stored::read).transpose()
}

/// The newest event before this time. Walks back from the newest event, and not along the index of times, which would have to be compared
/// with the log's order for all events.
pub(super) fn newest_before(connection: &Connection, at: i64) -> Result<Option<Stored>> {
    let mut query = connection.prepare_cached(&format!("{COLUMNS} WHERE +at < ?1 ORDER BY seq DESC LIMIT 1"))?;
    let mut rows = query.query([at])?;
    rows.next()?.map(Stored::read).transpose()
}

/// An event before the first one, which is `first`. If its number is none of ours, 0 represents it.
pub(super) fn before_the_first(connection: &Connection, first: i64) -> Result<Option<u64>> {
    let least: Option<i64> = connection.query_row("SELECT min(seq) FROM event", [], |row| row.get(0))?;
    Ok(least.filter(|least| *least < first).map(|least| u64::try_from(least).unwrap_or(0)))
}

/// The event at this place.
pub(super) fn at(connection: &Connection, seq: i64) -> Result<Option<Stored>> {
    let mut query = connection.prepare_cached(&format!("{COLUMNS} WHERE seq = ?1"))?;
    let mut rows = query.query([seq])?;
    rows.next()?.map(Stored::read).transpose()
}

/// Calls `each` for the stored events before this one, in the log's order.
pub(super) fn each_before(connection: &Connection, seq: i64, mut each: impl FnMut(&Stored)) -> Result<()> {
    let mut query = connection.prepare(&format!("{COLUMNS} WHERE seq < ?1 ORDER BY seq"))?;
    let mut rows = query.query([seq])?;
    while let Some(row) = rows.next()? {
        each(&Stored::read(row)?);
    }
    Ok(())
}

/// Walks the events from `first`, or from the beginning of this file's chain, to the newest. The link before that is the one of the stored
/// event before it, or the one behind which the chain begins.
pub(super) fn walk(connection: &Connection, first: i64) -> Result<std::result::Result<Head, Break>> {
    let begins = beginning::of(connection)?;
    let first = first.max(begins.first);
    let before = if first > begins.first { at(connection, first - 1)?.map(|event| event.hash) } else { Some(begins.prev) };
    let Some(mut hash) = before else { return Ok(Err(broken(first - 1, Tampering::Removed))) };
    let mut next = first;
    let mut query = connection.prepare(&format!("{COLUMNS} WHERE seq >= ?1 ORDER BY seq"))?;
    let mut rows = query.query([first])?;
    while let Some(row) = rows.next()? {
        let event = Stored::read(row)?;
        if event.seq != next {
            return Ok(Err(broken(next, Tampering::Removed)));
        }
        if event.prev != hash || event.hash != event.link(next, &hash) {
            return explain(connection, &event, &hash).map(Err);
        }
        hash = event.hash;
        next += 1;
    }
    Ok(Ok(Head { count: u64::try_from(next - 1).unwrap_or(0), hash }))
}

/// Verifies the events from `first` to `last`, both included, against each other. Returns the link behind which the first one stands, and
/// the last one's own. `None` if they do not hold; [`walk`] finds the place and the kind.
pub(super) fn prove(connection: &Connection, first: i64, last: i64) -> Result<Option<(Link, Link)>> {
    let mut query = connection.prepare_cached(&format!("{COLUMNS} WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq"))?;
    let mut rows = query.query((first, last))?;
    let mut ends: Option<(Link, Link)> = None;
    let mut next = first;
    let (mut batch, mut stored) = (Batch::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let bytes = |column| row.get_ref(column).map(|value| value.as_bytes().unwrap_or_default());
        let (prev, hash) = (bytes(5)?, bytes(6)?);
        let at = row.get_ref(3)?.as_i64().unwrap_or(i64::MIN);
        batch.add(&Hashed { prev, station: bytes(0)?, seq: next, kind: bytes(2)?, at, body: bytes(4)? });
        let follows = ends.is_none_or(|(_, before)| before == prev);
        let (Ok(prev), Ok(hash), true, true) = (Link::try_from(prev), Link::try_from(hash), follows, row.get::<_, i64>(1)? == next) else {
            return Ok(None);
        };
        stored.push(hash);
        if batch.is_full() {
            if batch.links() != stored {
                return Ok(None);
            }
            stored.clear();
        }
        ends = Some((ends.map_or(prev, |(outer, _)| outer), hash));
        next += 1;
    }
    Ok(ends.filter(|_| next == last + 1 && batch.links() == stored))
}

/// Determines what happened if `event` does not fit behind `before`: searches which event would fit here, and where this one would. Rarely
/// needed, so it may walk the whole log twice.
fn explain(connection: &Connection, event: &Stored, before: &Link) -> Result<Break> {
    let here = event.seq;
    let last = newest(connection)?.map_or(here, |newest| newest.seq);
    // If events were inserted, removed or swapped and renumbered, a genuine event still has the hash of its old place.
    let origin = (1..=last + 1024).filter(|seq| *seq != here).find(|seq| event.link(*seq, &event.prev) == event.hash);
    let mut query = connection.prepare(&format!("{COLUMNS} WHERE seq > ?1 ORDER BY seq"))?;
    let mut rows = query.query([here])?;
    while let Some(row) = rows.next()? {
        let later = Stored::read(row)?;
        if later.prev == *before && later.hash == later.link(here, before) {
            // If the original is still there as well, nothing was moved.
            let what = if origin.is_some() && !is_elsewhere(connection, event)? { Tampering::Reordered } else { Tampering::Inserted };
            return Ok(broken(here, what));
        }
    }
    Ok(match origin {
        Some(origin) if origin > here => broken(here, Tampering::Removed),
        Some(origin) => broken(origin, Tampering::Inserted),
        // The event itself is consistent, but its link is to another event than the one before it: that one was given a new hash.
        None if here > 1 && event.hash == event.link(here, &event.prev) => broken(here - 1, Tampering::Changed),
        None => broken(here, Tampering::Changed),
    })
}

/// Does another event have the hash of this one?
fn is_elsewhere(connection: &Connection, event: &Stored) -> Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM event WHERE hash = ?1 AND seq <> ?2)", (event.hash, event.seq), |row| row.get(0))
}

fn broken(seq: i64, what: Tampering) -> Break {
    Break { seq: u64::try_from(seq).unwrap_or(0), what }
}
