//! The flash log: one table of events that only grows. Each event is bound to the one before it by a hash.
//!
//! Owns the file, its format and its durability: when [`Ledger::append`] returns, the event is on disk, and after any error of the disk it
//! was read back from there (`confirm.rs`). Knows nothing of slots or of the threads of cards; it receives
//! [`Entry`](crate::station::record::Entry)s. `schema.sql` gives the meaning and unit of everything stored.
//!
//! ```text
//! Writer (thread "ledger") ── owns ──▶ Ledger ── appends ──▶ flash-log.db, -wal, -shm ◀── reads ── LogReader (any process)
//!                                         └── holds ──▶ flash-log.db.lock: one writer at a time
//! ```
//! `archive/` takes old months out of the log of a stopped station: the log and its archives stay one chain.

mod append;
mod archive;
mod archived_cards;
mod armed_before;
mod away;
mod beginning;
mod beside;
mod body;
mod boxes;
mod card_history;
#[cfg(test)]
mod card_history_cases;
mod carried;
mod chain;
#[cfg(test)]
mod changed_cases;
mod clock;
mod compare;
mod confirm;
#[cfg(test)]
mod confirm_cases;
#[cfg(test)]
mod copy_tests;
mod draft;
mod error;
mod export;
mod findings;
mod first_off;
#[cfg(test)]
mod foreign_cases;
mod format;
mod index_check;
mod link;
mod lock;
mod machine;
pub(crate) mod medium;
mod moved;
#[cfg(test)]
mod moved_cases;
mod new_file;
#[cfg(test)]
mod new_log_cases;
mod on_disk;
mod opening;
mod process;
#[cfg(test)]
mod process_cases;
mod process_main;
mod proof;
mod query;
#[cfg(test)]
mod query_tests;
mod reader;
mod renew;
#[cfg(test)]
mod renew_cases;
mod row;
mod standing;
#[cfg(test)]
mod tests;
mod version;
mod writer;
mod written;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::Flock;
use rusqlite::Connection;

use crate::station::record::AttemptNumber;

use beside::Beside;
use link::Link;
use renew::Forsaken;

pub use clock::Stamp;
pub use query::Filter;
pub use reader::LogReader;

#[cfg(test)]
pub(crate) use archive::archive_on;
pub(crate) use archive::{ArchiveError, ArchiveFlaw, ArchiveFolder, Month, Wanted, WholeLog, archive};
pub(crate) use armed_before::EarlierImage;
pub(crate) use beginning::ArchivedFile;
pub(crate) use boxes::PackedBoxes;
pub(crate) use card_history::{Named, line_of_past, past_of_line};
pub(crate) use chain::Head;
#[cfg(test)]
pub(crate) use chain::{Break, Tampering};
pub(crate) use clock::believed;
pub(crate) use compare::Relation;
pub(crate) use error::{Doing, LogError, LogProblem};
pub(crate) use format::FORMAT;
pub(crate) use lock::hold;
pub(crate) use on_disk::is_on_disk;
pub(crate) use process_main::{outlive, serve};
pub(crate) use proof::Flaw;
pub(crate) use query::{Brief, Direction};
pub(crate) use reader::LogEvent;
pub(crate) use row::Row;
pub(crate) use standing::Distrusted;
pub(crate) use writer::{NotTaken, Unwritten, Writer, WriterAnswer};

/// Attempts that are archived count as well.
const NEXT_ATTEMPT: &str = "SELECT 1 + max(
    coalesce((SELECT max(attempt) FROM event WHERE attempt IS NOT NULL), 0),
    coalesce((SELECT max(json_extract(body, '$.attempts')) FROM event WHERE kind = 'archived' AND attempt IS NULL), 0))";

/// The log, open for writing. There is only one at a time.
#[derive(Debug)]
pub struct Ledger {
    // Dropped before the lock that protects it.
    connection: Connection,
    path: PathBuf,
    station_name: String,
    station: String,
    /// The last event known to be on disk: a file that is opened again must contain it.
    newest: (i64, Link),
    /// Device and inode of the file.
    inode: (u64, u64),
    /// The files beside it that the connection uses.
    beside: Beside,
    interrupted: Vec<AttemptNumber>,
    /// The contents of the newest events in memory are not trusted: see [`confirm`].
    doubt: bool,
    /// The pages that were moved from the `-wal` to the log's file were not read back yet.
    unproven: bool,
    files: confirm::Files,
    /// The connection is unusable: another one must be opened.
    closed: bool,
    /// How often writing has failed because of its disk since it last succeeded.
    vain: u32,
    /// The log's file lost the data, not the `-wal`.
    file_fails: bool,
    /// Why it cannot continue in new files.
    no_new_files: Option<String>,
    /// The file it was in before.
    forsaken: Option<Forsaken>,
    /// There is no time to leave one complete file behind: the next opening reads the `-wal`.
    hurried: Arc<AtomicBool>,
    #[cfg(test)]
    page_limit: Option<std::sync::Arc<std::sync::atomic::AtomicU32>>,
    _lock: Flock<File>,
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if self.hurried.load(Ordering::SeqCst) {
            return;
        }
        if let Err(error) = self.leave_whole() {
            tracing::warn!("{}", error.in_full());
        }
    }
}

impl Ledger {
    /// The newest event that is known to be on disk.
    fn known(&self) -> Head {
        Head { count: u64::try_from(self.newest.0).unwrap_or(0), hash: self.newest.1 }
    }

    /// The id of this station: a UUID that was made with the log.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn station(&self) -> &str {
        &self.station
    }

    /// The path of the log's file.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The attempts that were open when the log was opened, and were closed then.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn interrupted(&self) -> &[AttemptNumber] {
        &self.interrupted
    }

    /// The time of the newest event, in microseconds since 1970.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn newest_at(&self) -> Result<Option<i64>, LogError> {
        let newest = chain::newest(&self.connection).map_err(|error| LogError::sqlite(Doing::Reading, &self.path, error))?;
        Ok(newest.map(|event| event.at))
    }

    /// The number of the newest attempt plus one; 1 in a new log.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn next_attempt(&self) -> Result<AttemptNumber, LogError> {
        self.connection
            .query_row(NEXT_ATTEMPT, [], |row| reader::to_count(row.get(0)?))
            .map_err(|error| LogError::sqlite(Doing::Reading, &self.path, error))
    }
}
