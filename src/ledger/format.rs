//! The format of the log's file: its marks and migrations, and the settings of every connection that writes it.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, FileControl, OpenFlags, TransactionBehavior};

use super::body;
use super::chain::{chained, insert};
use super::clock::Stamp;
use super::error::{Doing, LogError, LogProblem};
use crate::file::{directory_of, flush_directory};

/// "Flsh": by it, `file` and this program distinguish a flash log from any other database.
pub(super) const APPLICATION_ID: i32 = 0x466c_7368;

/// The step from each format to the next, the first from an empty file. They make and drop indexes, views, triggers, virtual columns and
/// other tables; no step changes hashed data.
pub(super) const MIGRATIONS: [&str; 8] = [
    include_str!("schema.sql"),
    include_str!("lookups.sql"),
    include_str!("orders.sql"),
    include_str!("changed.sql"),
    include_str!("history.sql"),
    include_str!("foreign.sql"),
    include_str!("archive.sql"),
    include_str!("moved.sql"),
];

/// The format this program writes.
pub(crate) const FORMAT: i32 = 8;
const _: () = assert!(MIGRATIONS.len() == 8, "FORMAT counts the migrations");

/// Longer than any of our readers holds a lock, shorter than an operator's patience.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Bytes of a page of the file. With half of it, events of one and of two kilobytes leave an eighth of a page empty, and reading through an
/// index visits twice as many places of the disk; with twice as much, one event would write a quarter of a megabyte.
pub(super) const PAGE: i64 = 16_384;

/// The length to which a longer `-wal` file is cut: some dozens of events between two checkpoints.
pub(super) const WAL_KEPT: i64 = 4 << 20;

/// Memory for the writer's pages, in KiB. One event needs a dozen; a large batch needs more, and would otherwise be written to the `-wal`
/// several times.
const CACHE_KIB: i64 = 64 << 10;

/// The kind of the first event of a log, which binds it to a station and a PC.
pub(super) const CREATED: &str = "log-created";

pub(super) fn connect(path: &Path, more: OpenFlags) -> Result<Connection, LogError> {
    let opening = |error| LogError::sqlite(Doing::Opening, path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags).map_err(opening)?;
    connection.busy_timeout(BUSY).map_err(opening)?;
    // A log that is refused is left as it is, and `confirm` decides when and how pages are moved to the file of one that is not.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(opening)?;
    Ok(connection)
}

/// Every setting here applies to one connection only, except the journal mode.
pub(super) fn configure(connection: &Connection, path: &Path) -> Result<(), LogError> {
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
    connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(())).map_err(opening)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(opening)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(opening)?;
    // Without -wal and -shm, a reader that may not write to the directory cannot open the log of a stopped station.
    let mut persist = 1;
    connection.file_control(Some("main"), FileControl::PersistWal(&mut persist)).map_err(opening)
}

/// The data that undoes an event which a trigger refuses is at most a dozen pages. SQLite would put it into a separate file for every event
/// if pages are large. This does not apply to making an index anew: sorting one needs as much space as the index itself.
pub(super) fn keep_statements_in_memory(connection: &Connection, path: &Path) -> Result<(), LogError> {
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(|error| LogError::sqlite(Doing::Opening, path, error))
}

/// An empty file becomes a log; an older log is converted to this format; any other file is not changed.
pub(super) fn bring_up_to_date(connection: &mut Connection, path: &Path, station_name: &str, machine: &str) -> Result<(), LogError> {
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
    flush_directory(directory_of(path)).map_err(|error| LogError::io(Doing::Opening, path, error))
}

/// The format of a log, 0 for an empty file; an error for a file that is not a log, or not one that this program can use.
pub(super) fn format_of(connection: &Connection, path: &Path, doing: Doing) -> Result<i32, LogError> {
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
