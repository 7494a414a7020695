//! Verifies what a shortened log carries on from its archived events: the events that stayed, and the table of their cards. The newest event
//! `archived`, which stands in the chain, has a digest over each of them.

use std::fmt;

use rusqlite::Connection;

use super::archived_cards;
use super::beginning::{self, Archived, ArchivedFile, Beginning, Bound, Part, hex};
use super::chain::{self, Break, Tampering};
use super::error::LogError;
use super::reader::LogReader;

/// What does not hold of the part that was carried on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// One of the archived events that stayed.
    Event(Break),
    /// The set of the events that stayed: one was removed, inserted or written anew.
    Kept {
        /// The last archived event.
        last: u64,
    },
    /// The table of archived cards.
    Cards,
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(broken) => broken.fmt(f),
            Self::Kept { last } => {
                write!(
                    f,
                    "of the events 1 to {last}, which are archived, other ones are here than were kept: one was removed, inserted or written anew"
                )
            }
            Self::Cards => f.write_str("the table archived_card, what is known of archived cards, was changed"),
        }
    }
}

/// Verifies the carried part of this file. The chain behind it is verified elsewhere.
pub(super) fn check(log: &Connection) -> rusqlite::Result<Result<(), Carried>> {
    let begins = beginning::of(log)?;
    if begins.part != Part::Shortened {
        return Ok(Ok(()));
    }
    let lost = || Carried::Event(Break { seq: 1, what: Tampering::Removed });
    let Some((seq, record)) = beginning::record(log)? else { return Ok(Err(lost())) };
    if seq < begins.first || !fits(&record, &begins) {
        return Ok(Err(lost()));
    }
    let kept = match kept(log, begins.first)? {
        Ok(kept) => kept,
        Err(broken) => return Ok(Err(Carried::Event(broken))),
    };
    if kept != record.kept {
        return Ok(Err(Carried::Kept { last: u64::try_from(record.last).unwrap_or(0) }));
    }
    Ok(if archived_cards::bound(log)? == record.cards { Ok(()) } else { Err(Carried::Cards) })
}

fn fits(record: &Archived, begins: &Beginning) -> bool {
    record.last + 1 == begins.first && record.last_hash == hex(&begins.prev)
}

/// The digest over the events before this one, each of which has the hash of its contents; or the first that has another one.
pub(super) fn kept(log: &Connection, before: i64) -> rusqlite::Result<Result<Bound, Break>> {
    let mut hasher = blake3::Hasher::new();
    let mut count = 0;
    let mut broken = None;
    chain::each_before(log, before, |event| {
        if event.hash != event.link(event.seq, &event.prev) {
            broken.get_or_insert(event.seq);
        }
        hasher.update(&event.hash);
        count += 1;
    })?;
    Ok(match broken {
        Some(seq) => Err(Break { seq: u64::try_from(seq).unwrap_or(0), what: Tampering::Changed }),
        None => Ok(Bound { count, blake3: hasher.finalize().to_hex().to_string() }),
    })
}

impl LogReader {
    /// The archives of events that are not in this file, oldest first; none for a log that has all its events.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn archives(&self) -> Result<Vec<ArchivedFile>, LogError> {
        self.within(|log| {
            let is_shortened = beginning::of(log)?.part == Part::Shortened;
            let records = if is_shortened { beginning::records(log)? } else { Vec::new() };
            Ok(records.into_iter().flat_map(|(_, record)| record.files).collect())
        })
    }

    /// The directory in which the newest archives were put; `None` for a log that has all its events.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn archived_in(&self) -> Result<Option<String>, LogError> {
        Ok(self.within(beginning::missing)?.map(|record| record.folder))
    }

    /// The range of events of this file, if it is an archive.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn as_archive(&self) -> Result<Option<(u64, u64)>, LogError> {
        let newest = self.newest()?;
        let begins = self.within(beginning::of)?;
        let count = |seq| u64::try_from(seq).unwrap_or(0);
        Ok((begins.part == Part::Archive).then(|| (count(begins.first), count(newest))))
    }
}
