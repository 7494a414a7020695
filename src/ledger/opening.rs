//! Opening the log: at the start of the station, after another process had it, and again after an error.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::Flock;
use rusqlite::{Connection, OpenFlags};

use super::beginning::{self, Part};
use super::beside::Beside;
use super::body::{self, Start};
use super::chain::{self, Head, Stored};
use super::clock::Stamp;
use super::draft::Draft;
use super::error::{Doing, LogError, LogProblem};
use super::format::{APPLICATION_ID, CREATED, FORMAT, bring_up_to_date, configure, connect, format_of, keep_statements_in_memory};
use super::link::Link;
use super::lock::lock;
use super::machine::{machine_key, this_machine};
use super::renew::{self, Which, renew_files};
use super::{Ledger, confirm, medium, moved, reader, version};
use crate::file::directory_of;
use crate::station::record::AttemptNumber;

/// How many of the newest events are verified at every start: those that a torn write or a quick manipulation could have changed.
const TAIL: i64 = 64;

impl Ledger {
    /// Opens the log at `path`, or makes it, for the station of this name on this PC; then closes, as `interrupted`, every attempt that was
    /// started and has no closing event. Verifies the newest events' chain.
    ///
    /// # Errors
    /// If it cannot be written, is not a log of this PC, was tampered with, or is written by another process.
    pub fn open(path: &Path, station_name: &str) -> Result<Self, LogError> {
        let machine = this_machine(path)?;
        let error = match Self::open_on(path, station_name, &machine) {
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
            match Self::open_on(path, station_name, &machine) {
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
        let mut ledger = Self::open_if(path, station_name, machine_id, moved::may_write)?;
        ledger.interrupted = ledger.close_interrupted()?;
        Ok(ledger)
    }

    /// The same if `admit` accepts an existing log, given its connection, path, format and the key of this PC, before anything is written.
    /// No attempt is closed.
    pub(super) fn open_if(
        path: &Path,
        station_name: &str,
        machine_id: &str,
        admit: impl FnOnce(&Connection, &Path, i32, &str) -> Result<(), LogError>,
    ) -> Result<Self, LogError> {
        version::learn();
        medium::prepare(directory_of(path));
        let lock = lock(path)?;
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
        let machine = machine_key(machine_id);
        let opening = |error| LogError::sqlite(Doing::Opening, path, error);
        let found = format_of(&connection, path, Doing::Opening)?;
        // Before anything is set, which would change the bytes of an archive.
        if beginning::of(&connection).map_err(opening)?.part == Part::Archive {
            return Err(LogError::new(Doing::Opening, path, LogProblem::Archive));
        }
        if found > 0 {
            prove_tail(&connection, path)?;
            admit(&connection, path, found, &machine)?;
        }
        bring_up_to_date(&mut connection, path, station_name, &machine)?;
        keep_statements_in_memory(&connection, path)?;
        let newest = prove_tail(&connection, path)?;
        let created = chain::at(&connection, 1).map_err(opening)?.filter(|event| event.kind == CREATED);
        let created = created.ok_or_else(|| LogError::new(Doing::Opening, path, LogProblem::Broken { seq: 1 }))?;
        Self::settled(connection, lock, path, station_name, created.station, (newest.seq, newest.hash))
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

    /// Opens the file again after an error. It must be the same file without any loss.
    ///
    /// # Errors
    /// If it is missing, or is not the log that was open before.
    pub(super) fn reopen(&mut self) -> Result<(), LogError> {
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

    pub(super) fn is_where_it_was(&self) -> Result<(), LogError> {
        // Another file with this name would be read through our `-wal`, and look like this log.
        if inode(&self.path)? != self.inode {
            return Err(LogError::new(Doing::Opening, &self.path, LogProblem::Moved));
        }
        Ok(())
    }

    pub(super) fn connect_again(&mut self) -> Result<(), LogError> {
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
}

fn inode(path: &Path) -> Result<(u64, u64), LogError> {
    let metadata = fs::metadata(path).map_err(|error| LogError::io(Doing::Opening, path, error))?;
    Ok((metadata.dev(), metadata.ino()))
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
