//! The chain: every event's hash covers the event before it, so nothing can be changed, removed, inserted or reordered
//! without breaking a link. Only the newest events can be cut off unseen; who keeps an older [`Head`] sees that too.

use std::fmt;

use rusqlite::{Connection, Result, Row};

use crate::station::units::to_u64;

/// A link: BLAKE3 of one event.
pub(super) type Link = [u8; 32];

/// What stands before the first event.
pub(super) const ORIGIN: Link = [0; 32];

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

    /// Its hash, if it stood at `seq` behind `prev`. The layout is part of the format, and told in `schema.sql`.
    pub(super) fn link(&self, seq: i64, prev: &Link) -> Link {
        let mut hasher = blake3::Hasher::new();
        for field in [
            prev.as_slice(),
            self.station.as_bytes(),
            &seq.to_le_bytes(),
            self.kind.as_bytes(),
            &self.at.to_le_bytes(),
            self.body.as_bytes(),
        ] {
            // Framed by its length: no two events run together into the same bytes.
            hasher.update(&to_u64(field.len()).to_le_bytes());
            hasher.update(field);
        }
        *hasher.finalize().as_bytes()
    }
}

/// How many events there are and the hash of the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The count of events.
    pub count: u64,
    /// The newest one's hash, or zeroes.
    pub hash: [u8; 32],
}

impl fmt::Display for Head {
    /// `COUNT:HASH`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.count)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What happened to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// It is not what it was.
    Changed,
    /// It is gone.
    Removed,
    /// It was not there.
    Inserted,
    /// It stands where another stood.
    Reordered,
}

/// The first event that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Break {
    /// Its place.
    pub seq: u64,
    /// What happened there.
    pub what: Tampering,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            Tampering::Changed => "was changed",
            Tampering::Removed => "was removed",
            Tampering::Inserted => "was inserted",
            Tampering::Reordered => "was reordered",
        };
        write!(f, "event {} {what}", self.seq)
    }
}

/// The newest event.
pub(super) fn newest(connection: &Connection) -> Result<Option<Stored>> {
    let mut query = connection.prepare_cached(&format!("{COLUMNS} ORDER BY seq DESC LIMIT 1"))?;
    let mut rows = query.query([])?;
    rows.next()?.map(Stored::read).transpose()
}

/// The event at this place.
pub(super) fn at(connection: &Connection, seq: i64) -> Result<Option<Stored>> {
    let mut query = connection.prepare_cached(&format!("{COLUMNS} WHERE seq = ?1"))?;
    let mut rows = query.query([seq])?;
    rows.next()?.map(Stored::read).transpose()
}

/// Walks the events from `first` to the newest. Their outer link, where `first` is not 1, is the event before it as it is
/// stored.
pub(super) fn walk(connection: &Connection, first: i64) -> Result<std::result::Result<Head, Break>> {
    let before = if first > 1 { at(connection, first - 1)?.map(|event| event.hash) } else { Some(ORIGIN) };
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

/// What happened where `event` stands and does not fit behind `before`: found out by asking which event would fit here, and
/// where this one would. Seldom needed, so it may walk the whole log twice.
fn explain(connection: &Connection, event: &Stored, before: &Link) -> Result<Break> {
    let here = event.seq;
    let last = newest(connection)?.map_or(here, |newest| newest.seq);
    // Renumbered by those who inserted, removed or swapped, a genuine event still has the hash of its old place.
    let origin = (1..=last + 1024).filter(|seq| *seq != here).find(|seq| event.link(*seq, &event.prev) == event.hash);
    let mut query = connection.prepare(&format!("{COLUMNS} WHERE seq > ?1 ORDER BY seq"))?;
    let mut rows = query.query([here])?;
    while let Some(row) = rows.next()? {
        let later = Stored::read(row)?;
        if later.prev == *before && later.hash == later.link(here, before) {
            let what = if origin.is_some() { Tampering::Reordered } else { Tampering::Inserted };
            return Ok(broken(here, what));
        }
    }
    Ok(match origin {
        Some(origin) if origin > here => broken(here, Tampering::Removed),
        Some(origin) => broken(origin, Tampering::Inserted),
        // Whole in itself, but its link is to another event than the one before it: that one was given a new hash.
        None if here > 1 && event.hash == event.link(here, &event.prev) => broken(here - 1, Tampering::Changed),
        None => broken(here, Tampering::Changed),
    })
}

fn broken(seq: i64, what: Tampering) -> Break {
    Break { seq: u64::try_from(seq).unwrap_or(0), what }
}
