//! Reads a log, in any process, while its station writes and after it has stopped.

use std::path::{Path, PathBuf};

use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction};

use crate::file::beside;
use crate::station::record::AttemptNumber;

use super::beginning;
use super::chain::{self, Head};
use super::error::{Doing, LogError, LogProblem};
use super::format::{BUSY, FORMAT, format_of};
use super::link::ORIGIN;
use super::lock::is_a_file;
use super::row::Row;

/// SQLite has signed integers only; a negative count was not written by this program.
pub(super) fn to_count(stored: i64) -> rusqlite::Result<u64> {
    u64::try_from(stored).map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, Box::new(error)))
}

/// One event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogEvent {
    /// The id of the station.
    pub station: String,
    /// Its place in the log.
    pub seq: u64,
    /// The kind of the event.
    pub kind: String,
    /// Its time: UTC, microseconds since 1970.
    pub at: i64,
    /// Its contents: canonical JSON, whose keys the file's own schema explains.
    pub body: String,
}

/// A log, open for reading.
#[derive(Debug)]
pub struct LogReader {
    connection: Connection,
    path: PathBuf,
}

impl LogReader {
    /// Opens the log at `path`. A reader never changes it.
    ///
    /// # Errors
    /// If it does not exist, may not be read, is not a log, or has another format than this program's.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let reading = |error| LogError::sqlite(Doing::Reading, path, error);
        match path.try_exists() {
            Ok(true) => is_a_file(path, Doing::Reading)?,
            Ok(false) => return Err(LogError::new(Doing::Reading, path, LogProblem::NoFile)),
            Err(error) => return Err(LogError::io(Doing::Reading, path, error)),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // With the promise that no process writes it, SQLite makes no files beside it, and can read it in a directory without write
        // permission.
        let connection = if is_whole_copy(path) {
            Connection::open_with_flags(uri(path, true), flags | OpenFlags::SQLITE_OPEN_URI)
        } else {
            Connection::open_with_flags(path, flags)
        }
        .map_err(reading)?;
        connection.busy_timeout(BUSY).map_err(reading)?;
        connection.pragma_update(None, "trusted_schema", false).map_err(reading)?;
        match format_of(&connection, path, Doing::Reading)? {
            FORMAT => Ok(Self { connection, path: path.to_owned() }),
            0 => Err(LogError::new(Doing::Reading, path, LogProblem::Nothing)),
            _ => Err(LogError::new(Doing::Reading, path, LogProblem::Older)),
        }
    }

    /// The path of the log's file.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The row of this attempt.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn row(&self, attempt: AttemptNumber) -> Result<Option<Row>, LogError> {
        let mut events = self.events(attempt)?;
        events.retain(|event| matches!(event.kind.as_str(), "attempt-started" | "attempt-closed" | "attempt-changed"));
        let Some(newest) = events.pop() else { return Ok(None) };
        let broken = || LogError::new(Doing::Reading, &self.path, LogProblem::Broken { seq: newest.seq });
        let seq = i64::try_from(newest.seq).unwrap_or(i64::MAX);
        Row::of(seq, newest.station.clone(), &newest.kind, newest.at, &newest.body).map(Some).ok_or_else(broken)
    }

    /// The events of this attempt, oldest first: its start, its end, and others about it.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn events(&self, attempt: AttemptNumber) -> Result<Vec<LogEvent>, LogError> {
        // A number beyond SQLite's integers is not the number of an attempt.
        let Ok(attempt) = i64::try_from(attempt) else { return Ok(Vec::new()) };
        self.select("attempt = ?1", [attempt])
    }

    /// The events of arming, of one model or of all, oldest first.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn armings(&self, model: Option<&str>) -> Result<Vec<LogEvent>, LogError> {
        self.select("kind = 'model-armed' AND attempt IS NULL AND (?1 IS NULL OR json_extract(body, '$.image.model') = ?1)", [model])
    }

    /// The approvals of first cards, of one model or of all, oldest first.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn approvals(&self, model: Option<&str>) -> Result<Vec<LogEvent>, LogError> {
        self.select("kind = 'approval' AND attempt IS NULL AND (?1 IS NULL OR json_extract(body, '$.image.model') = ?1)", [model])
    }

    /// The proofs of the prover, and the starts of the station, of which each needs a new one; oldest first.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn prover_events(&self) -> Result<Vec<LogEvent>, LogError> {
        self.select("kind IN ('station-started', 'prover-proven', 'prover-failed', 'prover-unproven') AND attempt IS NULL", [])
    }

    /// Why the log would be lost when the power fails, as the station found at its last start; `None` if it is on a disk.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn volatile(&self) -> Result<Option<String>, LogError> {
        let started = self.select("kind = 'station-started' AND attempt IS NULL", [])?;
        let said = started.last().and_then(|event| serde_json::from_str::<serde_json::Value>(&event.body).ok());
        Ok(said.and_then(|body| body.get("volatile")?.as_str().map(str::to_owned)))
    }

    /// The name of the station, as its newest event has it; empty in a log without any.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(super) fn station_name(&self) -> Result<String, LogError> {
        let newest = "SELECT json_extract(body, '$.station_name') FROM event ORDER BY seq DESC LIMIT 1";
        let name = self.within(|log| log.query_row(newest, [], |row| row.get::<_, Option<String>>(0)).optional())?;
        Ok(name.flatten().unwrap_or_default())
    }

    /// The number of events, and the newest one's hash. This verifies nothing.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn head(&self) -> Result<Head, LogError> {
        let newest = chain::newest(&self.connection).map_err(|error| self.failed(error))?;
        Ok(newest
            .map_or(Head { count: 0, hash: ORIGIN }, |newest| Head { count: u64::try_from(newest.seq).unwrap_or(0), hash: newest.hash }))
    }

    /// The head of the log as it was after the last event before this time: UTC, microseconds since 1970. `None` if there is no such event.
    /// Searches back from the newest event, so it is quick for a recent time.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn head_before(&self, at: i64) -> Result<Option<Head>, LogError> {
        let newest = self.within(|log| {
            let begins = beginning::of(log)?;
            let Some(newest) = chain::newest_before(log, at)? else { return Ok(None) };
            if newest.seq >= begins.first {
                return Ok(Some((newest.seq, newest.hash)));
            }
            // Not every archived event is here. The last one is known.
            let is_before = beginning::missing(log)?.is_some_and(|record| record.last_at < at);
            Ok(is_before.then_some((begins.first - 1, begins.prev)))
        })?;
        Ok(newest.map(|(seq, hash)| Head { count: u64::try_from(seq).unwrap_or(0), hash }))
    }

    /// The time of the newest event, in microseconds since 1970.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn newest_at(&self) -> Result<Option<i64>, LogError> {
        Ok(chain::newest(&self.connection).map_err(|error| self.failed(error))?.map(|newest| newest.at))
    }

    pub(super) fn select(&self, condition: &str, parameters: impl rusqlite::Params) -> Result<Vec<LogEvent>, LogError> {
        let select = || {
            let mut query = self
                .connection
                .prepare_cached(&format!("SELECT station, seq, kind, at, body FROM event WHERE {condition} ORDER BY seq"))?;
            let events = query.query_map(parameters, |row| {
                Ok(LogEvent { station: row.get(0)?, seq: to_count(row.get(1)?)?, kind: row.get(2)?, at: row.get(3)?, body: row.get(4)? })
            })?;
            events.collect::<rusqlite::Result<Vec<_>>>()
        };
        select().map_err(|error| self.failed(error))
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A view of the log that does not change until it is dropped; keep it as short as possible.
    pub(super) fn begin(&self) -> rusqlite::Result<Transaction<'_>> {
        self.connection.unchecked_transaction()
    }

    pub(super) fn failed(&self, error: rusqlite::Error) -> LogError {
        LogError::sqlite(Doing::Reading, &self.path, error)
    }

    /// The newest event's place; 0 in a log without any.
    pub(super) fn newest(&self) -> Result<i64, LogError> {
        self.within(|log| Ok(chain::newest(log)?.map_or(0, |newest| newest.seq)))
    }

    /// Runs queries in one view.
    pub(super) fn within<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, LogError> {
        let transaction = self.begin().map_err(|error| self.failed(error))?;
        ask(&transaction).map_err(|error| self.failed(error))
    }
}

/// The file as a URI (`sqlite.org/uri.html`), read-only; `immutable` promises that no process writes it.
pub(super) fn uri(path: &Path, is_immutable: bool) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    uri.push_str(if is_immutable { "?immutable=1" } else { "?mode=ro" });
    uri
}

/// A station's log always has its `-wal` beside it. A copy without one is complete, and no process writes it.
pub(super) fn is_whole_copy(path: &Path) -> bool {
    !beside(path, "-wal").exists()
}
