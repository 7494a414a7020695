//! The flash log: one table of events that only grows. Each event is bound to the one before it by a hash.
//!
//! Owns the file, its format and its durability: when [`Ledger::append`] returns, the event is on disk, and after any error of the disk it
//! was read back from there (`confirm.rs`). Knows nothing of slots or of the threads of cards; it receives [`Entry`]s. `schema.sql` gives
//! the meaning and unit of everything stored.
//!
//! ```text
//! Writer (thread "ledger") ── owns ──▶ Ledger ── appends ──▶ flash-log.db, -wal, -shm ◀── reads ── LogReader (any process)
//!                                         └── holds ──▶ flash-log.db.lock: one writer at a time
//! ```

mod beside;
mod body;
mod boxes;
mod card_history;
#[cfg(test)]
mod card_history_cases;
mod chain;
#[cfg(test)]
mod changed_cases;
mod clock;
mod confirm;
#[cfg(test)]
mod confirm_cases;
#[cfg(test)]
mod copy_tests;
mod error;
mod export;
#[cfg(test)]
mod foreign_cases;
mod index_check;
mod link;
pub(crate) mod medium;
#[cfg(test)]
mod new_log_cases;
mod on_disk;
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

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::statvfs::{FsFlags, statvfs};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, FileControl, OpenFlags, OptionalExtension, TransactionBehavior, params};

use crate::file::directory_of;
use crate::station::record::{AttemptNumber, Entry, Receipt};

use beside::Beside;
use body::{Closed, Start};
use chain::Stored;
use link::{Link, ORIGIN};
use renew::{Forsaken, Renewal, Which};

pub use clock::Stamp;
pub use query::Filter;
pub use reader::LogReader;

pub(crate) use boxes::PackedBoxes;
pub(crate) use card_history::{Named, line_of_past, past_of_line};
pub(crate) use chain::Head;
#[cfg(test)]
pub(crate) use chain::{Break, Tampering};
pub(crate) use clock::believed;
pub(crate) use error::{Doing, LogError, LogProblem};
pub(crate) use process_main::{outlive, serve};
pub(crate) use proof::Flaw;
pub(crate) use query::{Brief, Direction};
pub(crate) use reader::LogEvent;
pub(crate) use row::Row;
pub(crate) use writer::{NotTaken, Unwritten, Writer, WriterAnswer};

/// "Flsh": by it, `file` and this program distinguish a flash log from any other database.
const APPLICATION_ID: i32 = 0x466c_7368;

/// The step from each format to the next, the first from an empty file. They make and drop indexes, views, triggers and virtual columns; no
/// step changes hashed data.
const MIGRATIONS: [&str; 6] = [
    include_str!("schema.sql"),
    include_str!("lookups.sql"),
    include_str!("orders.sql"),
    include_str!("changed.sql"),
    include_str!("history.sql"),
    include_str!("foreign.sql"),
];

/// The format this program writes.
pub(crate) const FORMAT: i32 = 6;
const _: () = assert!(MIGRATIONS.len() == 6, "FORMAT counts the migrations");

/// Longer than any of our readers holds a lock, shorter than an operator's patience.
const BUSY: Duration = Duration::from_secs(5);

/// Bytes of a page of the file. With half of it, events of one and of two kilobytes leave an eighth of a page empty, and reading through an
/// index visits twice as many places of the disk; with twice as much, one event would write a quarter of a megabyte.
const PAGE: i64 = 16_384;

/// The length to which a longer `-wal` file is cut: some dozens of events between two checkpoints.
const WAL_KEPT: i64 = 4 << 20;

/// Memory for the writer's pages, in KiB. One event needs a dozen; a large batch needs more, and would otherwise be written to the `-wal`
/// several times.
const CACHE_KIB: i64 = 64 << 10;

/// How many of the newest events are verified at every start: those that a torn write or a quick manipulation could have changed.
const TAIL: i64 = 64;

/// The kind of the event that records a change after the proof: it names the place of its attempt's end.
const CHANGED: &str = "attempt-changed";

/// The kind of the first event of a log, which binds it to a station and a PC.
const CREATED: &str = "log-created";

/// `machine-id(5)` asks programs not to show the id itself.
const MACHINE_CONTEXT: &str = "flashline 2026-01-01 station bound to machine-id";

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
    /// Opens the log at `path`, or makes it, for the station of this name on this PC; then closes, as `interrupted`, every attempt that was
    /// started and has no closing event. Verifies the newest events' chain.
    ///
    /// # Errors
    /// If it cannot be written, is not a log of this PC, was tampered with, or is written by another process.
    pub fn open(path: &Path, station_name: &str) -> Result<Self, LogError> {
        let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let machine = machine.trim();
        if machine.len() != 32 || !machine.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(LogError::new(Doing::Opening, path, LogProblem::NoMachineId));
        }
        let error = match Self::open_on(path, station_name, machine) {
            Err(error) if error.problem == LogProblem::Disk => error,
            opened => return opened,
        };
        // The old file stays locked until the log is open again, and then as long as the log needs it.
        let mut forsaken = None;
        for which in [Which::Wal, Which::Both] {
            tracing::warn!("{}; trying new files", error.in_full());
            match renew_files(path, which) {
                Ok(old) => forsaken = old.or(forsaken),
                Err(why) => return Err(error.and_no_new_files(Some(&why.in_full()))),
            }
            match Self::open_on(path, station_name, machine) {
                Err(error) if error.problem == LogProblem::Disk => {}
                Ok(mut ledger) => {
                    ledger.forsaken = forsaken;
                    return Ok(ledger);
                }
                Err(other) => return Err(other),
            }
        }
        Err(error)
    }

    pub(crate) fn open_on(path: &Path, station_name: &str, machine_id: &str) -> Result<Self, LogError> {
        version::learn();
        medium::prepare(directory_of(path));
        let lock = lock(path)?;
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
        let mut machine = String::new();
        for byte in blake3::derive_key(MACHINE_CONTEXT, machine_id.as_bytes()) {
            machine.push_str(&format!("{byte:02x}"));
        }
        let opening = |error| LogError::sqlite(Doing::Opening, path, error);
        bring_up_to_date(&mut connection, path, station_name, &machine)?;
        keep_statements_in_memory(&connection, path)?;
        let newest = prove_tail(&connection, path)?;
        let created = chain::at(&connection, 1).map_err(opening)?.filter(|event| event.kind == CREATED);
        let created = created.ok_or_else(|| LogError::new(Doing::Opening, path, LogProblem::Broken { seq: 1 }))?;
        let bound = serde_json::from_str::<serde_json::Value>(&created.body).ok();
        if bound.as_ref().and_then(|body| body.get("machine")).and_then(|bound| bound.as_str()) != Some(machine.as_str()) {
            return Err(LogError::new(Doing::Opening, path, LogProblem::OtherMachine));
        }
        let mut ledger = Self::settled(connection, lock, path, station_name, created.station, (newest.seq, newest.hash))?;
        ledger.interrupted = ledger.close_interrupted()?;
        Ok(ledger)
    }

    /// Continues with a log that another process of this station released, or had open when it died. No attempt is closed and no format
    /// converted, because the station runs. Events behind `newest`, the last event that is known to be on disk, may be unconfirmed ones.
    ///
    /// # Errors
    /// If it is in use, or is not the log that was open before.
    pub(crate) fn resume(path: &Path, station_name: &str, newest: Head) -> Result<Self, LogError> {
        let lock = lock(path)?;
        let connection = connect(path, OpenFlags::empty())?;
        let opening = |error| LogError::sqlite(Doing::Opening, path, error);
        let moved = || LogError::new(Doing::Opening, path, LogProblem::Moved);
        let seq = i64::try_from(newest.count).unwrap_or(i64::MAX);
        if format_of(&connection, path, Doing::Opening)? != FORMAT {
            return Err(moved());
        }
        let event = chain::at(&connection, seq).map_err(opening)?.filter(|event| event.hash == newest.hash).ok_or_else(moved)?;
        configure(&connection, path)?;
        keep_statements_in_memory(&connection, path)?;
        Self::settled(connection, lock, path, station_name, event.station, (seq, newest.hash))
    }

    /// The log of this connection, once its contents were read from its disk.
    fn settled(
        connection: Connection,
        lock: Flock<File>,
        path: &Path,
        station_name: &str,
        station: String,
        newest: (i64, Link),
    ) -> Result<Self, LogError> {
        renew::clear(path);
        let mut ledger = Self {
            connection,
            path: path.to_owned(),
            station_name: station_name.to_owned(),
            station,
            newest,
            inode: inode(path)?,
            beside: Beside::of(path),
            interrupted: Vec::new(),
            doubt: true,
            unproven: true,
            files: confirm::Files::open(path)?,
            closed: false,
            vain: 0,
            file_fails: false,
            no_new_files: None,
            forsaken: None,
            hurried: Arc::default(),
            #[cfg(test)]
            page_limit: None,
            _lock: lock,
        };
        ledger.settle(&[])?;
        ledger.prove_checkpoint()?;
        Ok(ledger)
    }

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
            .query_row("SELECT coalesce(max(attempt), 0) + 1 FROM event WHERE attempt IS NOT NULL", [], |row| reader::to_count(row.get(0)?))
            .map_err(|error| LogError::sqlite(Doing::Reading, &self.path, error))
    }

    /// Makes an entry durable, with the present time. When this returns, the entry survives a power cut.
    ///
    /// # Errors
    /// If it is not known to be on disk. Trying again never records it twice.
    pub fn append(&mut self, entry: &Entry) -> Result<Option<Receipt>, LogError> {
        self.append_at(&Stamp::now(), entry)
    }

    /// The same for an entry of the time `stamp`.
    ///
    /// # Errors
    /// As [`Ledger::append`]; the same entry tried again with the same stamp is not recorded twice.
    pub fn append_at(&mut self, stamp: &Stamp, entry: &Entry) -> Result<Option<Receipt>, LogError> {
        self.append_all(&[(stamp, entry)])?;
        Ok(entry.receipt())
    }

    /// The same for several, in this order: either all of them are on disk, or none.
    ///
    /// # Errors
    /// As [`Ledger::append`]. After an error they may be tried again together or one by one, and none is recorded twice.
    pub fn append_all(&mut self, entries: &[(&Stamp, &Entry)]) -> Result<(), LogError> {
        let drafts: Vec<_> = entries.iter().map(|(stamp, entry)| Draft::of(entry, stamp, &self.station_name)).collect();
        self.write(&drafts)
    }

    /// Opens the file again after an error. It must be the same file without any loss.
    ///
    /// # Errors
    /// If it is missing, or is not the log that was open before.
    fn reopen(&mut self) -> Result<(), LogError> {
        self.is_where_it_was()?;
        if !self.closed && self.has_its_files().is_err() {
            self.save_nameless()?;
        }
        if let Some(which) = Which::after(self.vain) {
            let which = if self.file_fails { Which::Both } else { which };
            self.no_new_files = self.renew(which).err().map(|error| error.in_full());
            if let Some(why) = &self.no_new_files {
                tracing::debug!("{why}");
            } else {
                tracing::warn!(?which, "the flash log goes on in new files: the disk does not keep what is written to the old ones");
            }
        }
        self.connect_again()
    }

    fn is_where_it_was(&self) -> Result<(), LogError> {
        // Another file with this name would be read through our `-wal`, and look like this log.
        if inode(&self.path)? != self.inode {
            return Err(LogError::new(Doing::Opening, &self.path, LogProblem::Moved));
        }
        Ok(())
    }

    fn connect_again(&mut self) -> Result<(), LogError> {
        if self.closed {
            self.files.open_again(&self.path)?;
        }
        let connection = connect(&self.path, OpenFlags::empty())?;
        let opening = |error| LogError::sqlite(Doing::Opening, &self.path, error);
        let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(opening)?;
        let ours = application == APPLICATION_ID
            && chain::at(&connection, self.newest.0)
                .map_err(opening)?
                .is_some_and(|event| event.hash == self.newest.1 && event.station == self.station);
        if !ours {
            return Err(LogError::new(Doing::Opening, &self.path, LogProblem::Moved));
        }
        configure(&connection, &self.path)?;
        keep_statements_in_memory(&connection, &self.path)?;
        self.connection = connection;
        self.beside = Beside::of(&self.path);
        self.closed = false;
        Ok(())
    }

    /// Attempts can be open only since the last `station-started`: every opening closes them before anything else is appended.
    fn close_interrupted(&mut self) -> Result<Vec<AttemptNumber>, LogError> {
        let open: Vec<(AttemptNumber, Start, String)> = {
            let opening = |error| LogError::sqlite(Doing::Opening, &self.path, error);
            let mut query = self
                .connection
                .prepare(
                    "SELECT attempt, seq, at, body FROM event
                     WHERE kind = 'attempt-started'
                       AND seq > coalesce((SELECT seq FROM event WHERE kind = 'station-started' ORDER BY seq DESC LIMIT 1), 0)
                       AND NOT EXISTS (SELECT 1 FROM event AS closing
                                       WHERE closing.attempt = event.attempt AND closing.kind = 'attempt-closed')
                     ORDER BY seq",
                )
                .map_err(opening)?;
            let rows = query
                .query_map([], |row| Ok((reader::to_count(row.get(0)?)?, Start { seq: row.get(1)?, at: row.get(2)? }, row.get(3)?)))
                .map_err(opening)?;
            rows.collect::<Result<_, _>>().map_err(opening)?
        };
        let mut closed = Vec::new();
        for (attempt, start, started) in open {
            let stamp = Stamp::now();
            let broken = LogError::new(Doing::Opening, &self.path, LogProblem::Broken { seq: u64::try_from(start.seq).unwrap_or(0) });
            let body = body::of_interruption(&started, &stamp, &self.station_name, start).ok_or(broken)?;
            self.write(&[Draft { kind: "attempt-closed".to_owned(), at: stamp.at, body, ends: None }])?;
            closed.push(attempt);
        }
        Ok(closed)
    }

    /// Appends events in one transaction, which is on disk when this returns.
    ///
    /// If the log is in doubt, its present contents are confirmed before, and the new events are read back.
    fn write(&mut self, drafts: &[Draft]) -> Result<(), LogError> {
        match self.try_to_write(drafts) {
            Ok(()) => {
                (self.vain, self.no_new_files) = (0, None);
                self.forsaken.take_if(|forsaken| forsaken.is_past());
                Ok(())
            }
            Err(error) if error.problem == LogProblem::Disk => {
                self.vain = self.vain.saturating_add(1);
                Err(error.and_no_new_files(self.no_new_files.as_deref()))
            }
            Err(error) => Err(error),
        }
    }

    fn try_to_write(&mut self, drafts: &[Draft]) -> Result<(), LogError> {
        if !self.closed && self.has_its_files().is_err() && self.is_where_it_was().is_ok() {
            // At once: data that is only in a file without a name is lost with this process.
            self.save_nameless()?;
        }
        if self.closed {
            self.is_where_it_was()?;
            self.connect_again()?;
        }
        let doubt = std::mem::replace(&mut self.doubt, true);
        if doubt {
            self.settle(&[])?;
        }
        if self.unproven {
            self.prove_checkpoint()?;
        }
        let (newest, events) = self.commit(drafts)?;
        if doubt {
            self.settle(&events)?;
        }
        self.newest = newest;
        self.doubt = false;
        // The events are durable as they are. If moving them fails, the next write notices.
        if let Err(error) = self.checkpoint_when_due() {
            tracing::warn!("{}", error.in_full());
        }
        Ok(())
    }

    /// Returns the newest of these events, and the hashes of all of them.
    fn commit(&mut self, drafts: &[Draft]) -> Result<((i64, Link), Vec<Link>), LogError> {
        let path = &self.path;
        let writing = |error| LogError::sqlite(Doing::Writing, path, error);
        #[cfg(test)]
        if let Some(pages) = &self.page_limit {
            let pages = pages.load(std::sync::atomic::Ordering::SeqCst);
            self.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).map_err(writing)?;
        }
        // SQLite would continue to write into a file without a name, and report no error.
        let mut moved = 0;
        self.connection.file_control(Some("main"), FileControl::HasMoved(&mut moved)).map_err(writing)?;
        if moved != 0 {
            return Err(LogError::new(Doing::Writing, path, LogProblem::Moved));
        }
        self.has_its_files()?;
        may_be_written(path)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(writing)?;
        let Some(mut newest) = chain::newest(&transaction).map_err(writing)? else {
            return Err(LogError::new(Doing::Writing, path, LogProblem::Broken { seq: 1 }));
        };
        // After an error the last attempt may have reached the disk all the same: an event that is found there is not written again.
        let mut known = self.newest;
        let mut unknown = newest.seq > known.0;
        let mut written = false;
        let mut events = Vec::new();
        for draft in drafts {
            let body = draft.body(&transaction).map_err(writing)?;
            if unknown {
                let there = chain::at(&transaction, known.0 + 1).map_err(writing)?;
                if let Some(there) = there.filter(|there| there.kind == draft.kind && there.at == draft.at && there.body == body) {
                    known = (there.seq, there.hash);
                    events.push(there.hash);
                    unknown = newest.seq > known.0;
                    continue;
                }
                unknown = false;
            }
            newest = chained(&self.station, Some(&newest), &draft.kind, draft.at, body);
            insert(&transaction, &newest).map_err(writing)?;
            known = (newest.seq, newest.hash);
            events.push(newest.hash);
            written = true;
        }
        if written {
            transaction.commit().map_err(writing)?;
            may_be_written(path)?;
            self.has_its_files()?;
        }
        Ok((known, events))
    }
}

/// An event that is not in the log yet.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Draft {
    kind: String,
    /// Its time: UTC, microseconds since 1970.
    at: i64,
    /// Its body; for an attempt's end without the place of its start, and for a change also without that of its end.
    body: String,
    /// The attempt that it closes, or whose change it records.
    ends: Option<AttemptNumber>,
}

impl Draft {
    fn of(entry: &Entry, stamp: &Stamp, station_name: &str) -> Self {
        let ends = match entry {
            Entry::AttemptClosed { attempt, .. } | Entry::AttemptChanged { attempt, .. } => Some(attempt.number),
            Entry::StationStarted { .. }
            | Entry::StationStopped
            | Entry::ModelArmed { .. }
            | Entry::CardReturned { .. }
            | Entry::Disarmed { .. }
            | Entry::Rearmed { .. }
            | Entry::OrderStarted { .. }
            | Entry::OrderStopped { .. }
            | Entry::BoxClosed { .. }
            | Entry::LogConfirmed { .. }
            | Entry::RestartAsked { .. }
            | Entry::AttemptStarted(_)
            | Entry::ModelDistrusted { .. } => None,
        };
        Self { kind: entry.kind().to_owned(), at: stamp.at, body: body::of_entry(entry, stamp, station_name), ends }
    }

    fn body(&self, connection: &Connection) -> rusqlite::Result<String> {
        let Some(attempt) = self.ends else { return Ok(self.body.clone()) };
        let start = start_of(connection, attempt)?;
        let closed = if self.kind == CHANGED { Some(closed_of(connection, attempt)?) } else { None };
        Ok(body::with_places(&self.body, start, closed))
    }
}

/// If a file system becomes read-only under an open file, it still accepts writes into memory, and answers `fsync` with success without
/// writing anything (ext4): SQLite does not notice.
fn may_be_written(path: &Path) -> Result<(), LogError> {
    let writing = |errno: Errno| LogError::io(Doing::Writing, path, errno.into());
    if statvfs(path).map_err(writing)?.flags().contains(FsFlags::ST_RDONLY) { Err(writing(Errno::EROFS)) } else { Ok(()) }
}

/// One writer at a time. A separate lock file: closing any descriptor of the database would drop SQLite's own locks on it (`fcntl(2)`), and
/// SQLite's exclusive mode would exclude the readers.
fn lock(path: &Path) -> Result<Flock<File>, LogError> {
    let opening = |error| LogError::io(Doing::Opening, path, error);
    is_a_file(path, Doing::Opening)?;
    let name = beside::name(path, ".lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o640).open(name).map_err(opening)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => LogError::new(Doing::Opening, path, LogProblem::InUse),
        errno => opening(errno.into()),
    })
}

/// Refuses an entry that is not a file. A device has a length of zero, so SQLite would treat it as a new file and write over a disk.
fn is_a_file(path: &Path, doing: Doing) -> Result<(), LogError> {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(LogError::new(doing, path, LogProblem::Directory)),
        Ok(there) if !there.is_file() => Err(LogError::new(doing, path, LogProblem::NotAFile)),
        // The caller that opens it reports all other errors.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Makes new files for a log that no process has open for writing. Returns the old one, if it was given up.
///
/// # Errors
/// As [`Renewal::carry_out`], and if a process has it open.
fn renew_files(path: &Path, which: Which) -> Result<Option<Forsaken>, LogError> {
    let _lock = lock(path)?;
    let mut renewal = Renewal::of(path, which);
    renewal.carry_out()?;
    Ok(renewal.forsaken)
}

/// Keeps every station from writing this log as long as the result lives. `None` if no station ever wrote it.
///
/// # Errors
/// If a station writes it ([`LogProblem::InUse`]), or that cannot be determined.
pub(crate) fn hold(path: &Path) -> Result<Option<LockedLog>, LogError> {
    if !path.exists() {
        return Ok(None);
    }
    lock(path).map(|lock| Some(LockedLog { _lock: lock }))
}

/// A log that no station can write while this value lives. Made by [`hold`].
#[derive(Debug)]
pub struct LockedLog {
    _lock: Flock<File>,
}

fn inode(path: &Path) -> Result<(u64, u64), LogError> {
    let metadata = fs::metadata(path).map_err(|error| LogError::io(Doing::Opening, path, error))?;
    Ok((metadata.dev(), metadata.ino()))
}

fn connect(path: &Path, more: OpenFlags) -> Result<Connection, LogError> {
    let opening = |error| LogError::sqlite(Doing::Opening, path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags).map_err(opening)?;
    connection.busy_timeout(BUSY).map_err(opening)?;
    Ok(connection)
}

/// Every setting here applies to one connection only, except the journal mode.
fn configure(connection: &Connection, path: &Path) -> Result<(), LogError> {
    let opening = |error| LogError::sqlite(Doing::Opening, path, error);
    // The first one has no effect on a file that already has pages.
    connection.pragma_update(None, "page_size", PAGE).map_err(opening)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(opening)?;
    if mode != "wal" {
        return Err(LogError::new(Doing::Opening, path, LogProblem::NotWritable));
    }
    connection.pragma_update(None, "synchronous", "FULL").map_err(opening)?;
    connection.query_row(&format!("PRAGMA journal_size_limit = {WAL_KEPT}"), [], |_| Ok(())).map_err(opening)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(opening)?;
    // `confirm` decides when and how pages are moved to the log's file.
    connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(())).map_err(opening)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(opening)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(opening)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(opening)?;
    // Without -wal and -shm, a reader that may not write to the directory cannot open the log of a stopped station.
    let mut persist = 1;
    connection.file_control(Some("main"), FileControl::PersistWal(&mut persist)).map_err(opening)
}

/// The data that undoes an event which a trigger refuses is at most a dozen pages. SQLite would put it into a separate file for every event
/// if pages are large. This does not apply to making an index anew: sorting one needs as much space as the index itself.
fn keep_statements_in_memory(connection: &Connection, path: &Path) -> Result<(), LogError> {
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(|error| LogError::sqlite(Doing::Opening, path, error))
}

/// An empty file becomes a log; an older log is converted to this format; any other file is not changed.
fn bring_up_to_date(connection: &mut Connection, path: &Path, station_name: &str, machine: &str) -> Result<(), LogError> {
    let opening = |error| LogError::sqlite(Doing::Opening, path, error);
    let found = format_of(connection, path, Doing::Opening)?;
    configure(connection, path)?;
    if found == FORMAT {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(opening)?;
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step).map_err(opening)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(opening)?;
    transaction.pragma_update(None, "user_version", FORMAT).map_err(opening)?;
    if found == 0 {
        let stamp = Stamp::now();
        let station = uuid::Uuid::new_v4().to_string();
        let body = body::of_creation(machine, &stamp, station_name);
        insert(&transaction, &chained(&station, None, CREATED, stamp.at, body)).map_err(opening)?;
    }
    transaction.commit().map_err(opening)?;
    // The log's own name must survive a power cut, like its contents.
    File::open(directory_of(path)).and_then(|directory| directory.sync_all()).map_err(|error| LogError::io(Doing::Opening, path, error))
}

/// The format of a log, 0 for an empty file; an error for a file that is not a log, or not one that this program can use.
fn format_of(connection: &Connection, path: &Path, doing: Doing) -> Result<i32, LogError> {
    let failed = |error| LogError::sqlite(doing, path, error);
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i32>(0)).map_err(failed);
    let found = number("SELECT user_version FROM pragma_user_version")?;
    let problem = match number("SELECT application_id FROM pragma_application_id")? {
        APPLICATION_ID if found > FORMAT => LogProblem::Newer { found, known: FORMAT },
        APPLICATION_ID if found > 0 => return Ok(found),
        0 if found == 0 && number("SELECT count(*) FROM sqlite_schema")? == 0 => return Ok(0),
        _ => LogProblem::NotALog,
    };
    Err(LogError::new(doing, path, problem))
}

fn prove_tail(connection: &Connection, path: &Path) -> Result<Stored, LogError> {
    let opening = |error| LogError::sqlite(Doing::Opening, path, error);
    let broken = |seq| LogError::new(Doing::Opening, path, LogProblem::Broken { seq });
    let newest = chain::newest(connection).map_err(opening)?.ok_or_else(|| broken(1))?;
    match chain::walk(connection, (newest.seq - TAIL + 1).max(1)).map_err(opening)? {
        Ok(_) => Ok(newest),
        Err(found) => Err(broken(found.seq)),
    }
}

fn start_of(connection: &Connection, attempt: AttemptNumber) -> rusqlite::Result<Option<Start>> {
    // A number beyond SQLite's integers is not the number of an attempt.
    let Ok(attempt) = i64::try_from(attempt) else { return Ok(None) };
    connection
        .prepare_cached("SELECT seq, at FROM event WHERE attempt = ?1 AND kind = 'attempt-started'")?
        .query_row([attempt], |row| Ok(Start { seq: row.get(0)?, at: row.get(1)? }))
        .optional()
}

fn closed_of(connection: &Connection, attempt: AttemptNumber) -> rusqlite::Result<Option<Closed>> {
    let Ok(attempt) = i64::try_from(attempt) else { return Ok(None) };
    connection
        .prepare_cached("SELECT seq, at, json_extract(body, '$.outcome.word') FROM event WHERE attempt = ?1 AND kind = 'attempt-closed'")?
        .query_row([attempt], |row| Ok(Closed { seq: row.get(0)?, at: row.get(1)?, word: row.get(2)? }))
        .optional()
}

/// The event that follows `newest`.
fn chained(station: &str, newest: Option<&Stored>, kind: &str, at: i64, body: String) -> Stored {
    let (seq, prev) = newest.map_or((1, ORIGIN), |newest| (newest.seq + 1, newest.hash));
    let mut event = Stored { station: station.to_owned(), seq, kind: kind.to_owned(), at, body, prev, hash: ORIGIN };
    event.hash = event.link(seq, &prev);
    event
}

fn insert(connection: &Connection, event: &Stored) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO event (station, seq, kind, at, body, prev, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![event.station, event.seq, event.kind, event.at, event.body, event.prev, event.hash])
        .map(drop)
}
