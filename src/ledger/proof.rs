//! Verifies the whole log: the chain of its events holds, and the rest of the file agrees with them ([`super::index_check`]).
//!
//! The chain is verified as fast as the PC can read it: parts of the log are verified in parallel, each by its own reader and a page at a
//! time. Then it is checked that each part begins where the one before it ends.

use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use super::beginning::{self, Part};
use super::carried::{self, Carried};
use super::chain::{self, Break, Head, Tampering};
use super::error::LogError;
use super::index_check::Disagreement;
use super::link::{Link, ORIGIN};
use super::reader::LogReader;

/// Events of one page: some megabytes, verified in hundredths of a second.
const PAGE: i64 = 8192;

/// Two per core: while one waits for the disk, another one verifies its page.
const READERS_PER_CORE: usize = 2;
/// More readers than this would only wait for the same disk.
const READERS: usize = 16;

/// Interval between two interrupts of a query: one that comes before the query has begun has no effect.
const BRIEFLY: Duration = Duration::from_millis(1);

/// The links at both ends of a page.
type Ends = Option<(Link, Link)>;

/// Why a log is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// An event was changed: the first one.
    Event(Break),
    /// Every event is valid, but the file's indexes give something else.
    File(Disagreement),
    /// Every event of the chain is valid, but not what the log carries on from its archived events.
    Carried(Carried),
    /// Everything is valid, but the event of the anchor is in an archive.
    InArchive {
        /// The event of the anchor.
        seq: u64,
        /// The name of the archive.
        file: String,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(broken) => broken.fmt(f),
            Self::File(disagreement) => disagreement.fmt(f),
            Self::Carried(carried) => carried.fmt(f),
            Self::InArchive { seq, file } => {
                write!(f, "the log holds, but event {seq} of the anchor is in the archive {file}: verify with --with FOLDER")
            }
        }
    }
}

impl LogReader {
    /// Verifies the log: every event, and that the file's indexes agree with them. Returns its head, or what is wrong with it; for events,
    /// the first one that was changed, removed, inserted or reordered.
    ///
    /// Meanwhile the station's `-wal` only grows.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn verify(&self) -> Result<Result<Head, Flaw>, LogError> {
        let beside = Self::open(self.path())?;
        let stop = beside.connection().get_interrupt_handle();
        thread::scope(|scope| {
            let agrees = scope.spawn(move || beside.agrees());
            let chain = self.verify_chain();
            // If the events do not hold, the rest is not checked.
            while !matches!(chain, Ok(Ok(_))) && !agrees.is_finished() {
                stop.interrupt();
                thread::sleep(BRIEFLY);
            }
            // A panic is not a proof.
            let agrees = agrees.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            match chain? {
                Err(broken) => Ok(Err(Flaw::Event(broken))),
                Ok(head) => match agrees? {
                    Err(disagreement) => Ok(Err(Flaw::File(disagreement))),
                    Ok(()) => Ok(self.within(carried::check)?.map(|()| head).map_err(Flaw::Carried)),
                },
            }
        })
    }

    /// Verifies only the events. Returns the log's head, or the first event that was changed, removed, inserted or reordered.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn verify_chain(&self) -> Result<Result<Head, Break>, LogError> {
        let newest = self.newest()?;
        let begins = self.within(beginning::of)?;
        let pages = ((newest - begins.first + PAGE) / PAGE).max(0);
        let path = self.path();
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let readers = (READERS_PER_CORE * cores).min(READERS).min(usize::try_from(pages).unwrap_or(1));
        let (next, broken) = (AtomicI64::new(0), AtomicBool::new(false));
        let proved: Result<Vec<Vec<(i64, Ends)>>, LogError> = thread::scope(|scope| {
            let prove = || {
                let reader = Self::open(path)?;
                let mut proved = Vec::new();
                while !broken.load(Ordering::Relaxed) {
                    let page = next.fetch_add(1, Ordering::Relaxed);
                    if page >= pages {
                        break;
                    }
                    let first = begins.first + page * PAGE;
                    let ends = reader.within(|log| chain::prove(log, first, newest.min(first + PAGE - 1)))?;
                    if ends.is_none() {
                        broken.store(true, Ordering::Relaxed);
                    }
                    proved.push((page, ends));
                }
                Ok(proved)
            };
            let readers: Vec<_> = (0..readers).map(|_| scope.spawn(prove)).collect();
            // A panic is not a proof.
            readers.into_iter().map(|reader| reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        let mut proved: Vec<_> = proved?.into_iter().flatten().collect();
        proved.sort_unstable_by_key(|(page, _)| *page);
        let mut hash = begins.prev;
        for (page, ends) in proved {
            match ends {
                Some((prev, last)) if prev == hash => hash = last,
                // All pages before this one hold, and each was begun before it, so this is the first that does not.
                _ => return self.name_the_break(begins.first + page * PAGE),
            }
        }
        let head = Head { count: u64::try_from(newest).unwrap_or(0), hash };
        // Nothing may precede the first event. Of a shortened log, what is there is verified elsewhere.
        let first = if begins.part == Part::Shortened { 1 } else { begins.first };
        if let Some(before) = self.within(|log| chain::before_the_first(log, first))? {
            return Ok(Err(Break { seq: before, what: Tampering::Inserted }));
        }
        Ok(Ok(head))
    }

    /// The same, and that the log still contains `anchor`, a head that was kept: this also detects newest events that were cut off, and a
    /// log that was written anew.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn verify_through(&self, anchor: &Head) -> Result<Result<Head, Flaw>, LogError> {
        match self.verify()? {
            Ok(head) => self.pass_through(anchor, head),
            Err(flaw) => Ok(Err(flaw)),
        }
    }

    fn name_the_break(&self, first: i64) -> Result<Result<Head, Break>, LogError> {
        self.within(|log| chain::walk(log, first))
    }

    /// Returns `head`, that of this log, which holds, if the log has the event of `anchor`. An archived event is compared with nothing here.
    pub(super) fn pass_through(&self, anchor: &Head, head: Head) -> Result<Result<Head, Flaw>, LogError> {
        let broken = |seq, what| Ok(Err(Flaw::Event(Break { seq, what })));
        if anchor.count > head.count {
            return broken(head.count + 1, Tampering::Removed);
        }
        let at = i64::try_from(anchor.count).unwrap_or(i64::MAX);
        let begins = self.within(beginning::of)?;
        let hash = match at {
            0 => Some(ORIGIN),
            _ if at + 1 == begins.first => Some(begins.prev),
            _ => self.within(|log| chain::at(log, at))?.map(|event| event.hash),
        };
        if hash == Some(anchor.hash) {
            return Ok(Ok(head));
        }
        let archive = self.archives()?.into_iter().find(|file| hash.is_none() && (file.first..=file.last).contains(&at));
        match archive {
            Some(archive) => Ok(Err(Flaw::InArchive { seq: anchor.count, file: archive.name })),
            None => broken(anchor.count, Tampering::Rewritten),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use rusqlite::Connection;

    use super::super::Stamp;
    use super::super::tests::{closed, open, place, started, tamper, verdict};
    use super::*;
    use crate::station::outcome::{Outcome, Pull};
    use crate::station::record::Entry;

    /// A log of several pages.
    fn long(path: &Path) -> i64 {
        let attempts = u64::try_from(PAGE + PAGE / 4).expect("fits");
        let entries: Vec<(Stamp, Entry)> = (1..=attempts)
            .flat_map(|number| [started(number), closed(number, Outcome::Pulled(Pull::Taken))])
            .map(|entry| (Stamp { at: 7, boot: String::new(), since_boot_ms: None, synced: None }, entry))
            .collect();
        open(path).append_all(&entries.iter().map(|(stamp, entry)| (stamp, entry)).collect::<Vec<_>>()).expect("appended");
        let newest = 2 * (PAGE + PAGE / 4) + 1;
        assert_eq!(verdict(path).expect("whole").count, u64::try_from(newest).expect("fits"));
        newest
    }

    /// The kind of tampering and the event, wherever the parts meet that are verified in parallel.
    #[test]
    fn in_a_long_log_the_first_event_that_does_not_hold_is_named() {
        let (dir, path) = place();
        let newest = long(&path);
        drop(Connection::open(&path).expect("the file opens").query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
        let tampered = |sql: &str| {
            let copy = dir.path().join("tampered.db");
            for name in ["tampered.db-wal", "tampered.db-shm"] {
                drop(fs::remove_file(dir.path().join(name)));
            }
            fs::copy(&path, &copy).expect("copied");
            tamper(&copy, sql);
            let broken = verdict(&copy).expect_err(sql);
            (i64::try_from(broken.seq).expect("fits"), broken.what)
        };
        for seq in [2, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 1, newest] {
            let at = |sql: &str| tampered(&sql.replace("SEQ", &seq.to_string()));
            assert_eq!(at("UPDATE event SET at = at + 1 WHERE seq = SEQ"), (seq, Tampering::Changed));
            assert_eq!(at("UPDATE event SET at = at + 1 WHERE seq >= SEQ"), (seq, Tampering::Changed), "the first of many");
            let columns = "station, seq, kind, at, body, prev, hash";
            let replace = format!(
                "INSERT OR REPLACE INTO event ({columns}) SELECT station, seq, kind, at, '{{}}', prev, hash FROM event WHERE seq = SEQ"
            );
            assert_eq!(at(&replace), (seq, Tampering::Changed), "replaced");
            if seq < newest {
                assert_eq!(at("DELETE FROM event WHERE seq = SEQ"), (seq, Tampering::Removed));
            }
            if seq + 5 < newest {
                let swap = "UPDATE event SET seq = -1 WHERE seq = SEQ; UPDATE event SET seq = SEQ WHERE seq = SEQ + 5; UPDATE event SET seq = SEQ + 5 WHERE seq = -1";
                assert_eq!(at(swap), (seq, Tampering::Reordered));
            }
            let moved = "UPDATE event SET seq = -seq WHERE seq >= SEQ; UPDATE event SET seq = 1 - seq WHERE seq < 0";
            let insert =
                format!("INSERT INTO event ({columns}) SELECT station, SEQ, kind, at, '{{}}', prev, hash FROM event WHERE seq = SEQ - 1");
            assert_eq!(at(&format!("{moved}; {insert}")), (seq, Tampering::Inserted));
        }
        let before = "INSERT INTO event (station, seq, kind, at, body, prev, hash) SELECT station, -4, kind, at, body, prev, hash FROM event WHERE seq = 2";
        assert_eq!(tampered(before), (0, Tampering::Inserted), "before the first one");
    }
}
