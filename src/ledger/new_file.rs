//! Makes a new file of events: all that a log consists of, with its indexes, from the tables of other logs alone.
//!
//! For its only writer, with no file beside it. An unfinished one is removed. Events are judged by their hashes only.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::format::{APPLICATION_ID, FORMAT};
use super::index_check::Part;
use super::reader;

/// A new file that has its tables, and no index yet.
#[derive(Debug)]
pub(super) struct NewFile {
    connection: Connection,
    others: Vec<Part>,
}

impl NewFile {
    /// Begins in the empty file `file`, whose pages will have so many bytes.
    pub(super) fn begin(file: &Path, page: i64) -> rusqlite::Result<Self> {
        let connection = alone(file)?;
        connection.pragma_update(None, "page_size", page)?;
        let (tables, others): (Vec<Part>, Vec<Part>) = Part::all_of_this_program()?.into_iter().partition(|part| part.kind == "table");
        for part in tables {
            connection.execute_batch(&part.made_by)?;
        }
        Ok(Self { connection, others })
    }

    /// Copies the events of another log for which a condition holds, in their order.
    pub(super) fn copy_events(&self, log: &Path, condition: &str) -> rusqlite::Result<()> {
        const COLUMNS: &str = "station, seq, kind, at, body, prev, hash";
        self.with_log(
            log,
            &format!("INSERT INTO main.event ({COLUMNS}) SELECT {COLUMNS} FROM log.event NOT INDEXED WHERE {condition} ORDER BY seq"),
        )
    }

    /// Runs statements that read from another log, by the name `log`.
    pub(super) fn with_log(&self, log: &Path, statements: &str) -> rusqlite::Result<()> {
        self.connection.execute("ATTACH ?1 AS log", [reader::uri(log, reader::is_whole_copy(log))])?;
        self.within(|new| new.execute_batch(statements))?;
        self.connection.execute_batch("DETACH log")
    }

    /// Writes to the file in one transaction.
    pub(super) fn within<T>(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let transaction = self.connection.unchecked_transaction()?;
        let written = write(&transaction)?;
        transaction.commit()?;
        Ok(written)
    }

    /// Makes indexes, triggers and views, and marks the file as a flash log.
    pub(super) fn finish(self) -> rusqlite::Result<()> {
        self.within(|new| {
            // Sorting an index once is faster than inserting each event, and triggers accept events one by one.
            for part in &self.others {
                new.execute_batch(&part.made_by)?;
            }
            new.pragma_update(None, "application_id", APPLICATION_ID)?;
            new.pragma_update(None, "user_version", FORMAT)
        })
    }
}

fn alone(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(file, flags)?;
    // Of this file only: others that it reads from are shared with their writers.
    connection.query_row("PRAGMA main.locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
    connection.query_row("PRAGMA main.journal_mode = OFF", [], |_| Ok(()))?;
    connection.pragma_update(None, "ignore_check_constraints", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}
