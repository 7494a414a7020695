//! Makes the log that goes on without the archived events, as a new file beside it, and puts it in the place of the old one.
//!
//! The new file has the event `archived` and lacks the archived events: one renaming makes both true. Until then the log is as it was.
//! [`super::super::renew`] tells what else uses the files of a log, and why their locks are held.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::super::archived_cards;
use super::super::beginning::{self, ARCHIVED, Archived, ArchivedFile, Part, hex};
use super::super::body;
use super::super::card_history::archived_end;
use super::super::carried;
use super::super::chain::{self, Head, chained, insert};
use super::super::clock::Stamp;
use super::super::error::{Doing, LogError, LogProblem};
use super::super::format::{PAGE, configure, connect};
use super::super::new_file::NewFile;
use super::super::on_disk;
use super::super::reader::LogReader;
use super::super::renew::{self, Forsaken};
use super::error::ArchiveError;
use super::plan::orders_up_to;
use crate::file::{beside, remove};
use crate::station::request::Who;

/// What the log records of an archiving.
pub(super) struct Record<'a> {
    pub(super) files: &'a [ArchivedFile],
    pub(super) folder: &'a Path,
    pub(super) by: &'a Who,
    pub(super) stamp: Stamp,
    pub(super) station_name: &'a str,
}

/// Makes the new file, and proves it. Returns its head.
pub(super) fn make(log: &LogReader, record: &Record<'_>) -> Result<Head, ArchiveError> {
    let path = log.path();
    let copy = renew::new_name(path);
    let failed = |error| LogError::io(Doing::Renewing, path, error);
    let file = begin(path, &copy).map_err(failed)?;
    let head = fill(log, record, &copy)?;
    set_wal_mode(&copy).map_err(|error| LogError::sqlite(Doing::Renewing, path, error))?;
    match LogReader::open(&copy)?.verify()? {
        Ok(found) if found == head => {}
        Ok(found) => return Err(ArchiveError::NewFile { path: copy, words: format!("it ends with event {}", found.count) }),
        Err(flaw) => return Err(ArchiveError::NewFile { path: copy, words: flaw.to_string() }),
    }
    on_disk::prove(&file, &copy, "the shortened flash log").map_err(failed)?;
    Ok(head)
}

/// An empty file that may take the place of the log, with no file of an interrupted call beside it.
fn begin(path: &Path, copy: &Path) -> io::Result<File> {
    for suffix in ["-wal", "-shm"] {
        remove(&beside(copy, suffix))?;
    }
    renew::begin_like(&fs::metadata(path)?, copy)
}

/// Sets the journal mode before the file has the log's name: with a `-wal` beside it, SQLite would take the mode for set, and not write it.
fn set_wal_mode(copy: &Path) -> rusqlite::Result<()> {
    // Its own -wal is removed when the connection is closed.
    let mode: String = Connection::open(copy)?.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode == "wal" { Ok(()) } else { Err(rusqlite::Error::InvalidQuery) }
}

fn fill(log: &LogReader, record: &Record<'_>, copy: &Path) -> Result<Head, LogError> {
    let copying = |error| LogError::sqlite(Doing::Renewing, log.path(), error);
    let (Some(first), Some(last)) = (record.files.first(), record.files.last()) else {
        return Err(LogError::new(Doing::Renewing, log.path(), LogProblem::Other));
    };
    let new = NewFile::begin(copy, PAGE).map_err(copying)?;
    new.copy_events(log.path(), &format!("attempt IS NULL OR seq > {}", last.last)).map_err(copying)?;
    new.with_log(log.path(), "INSERT INTO main.archived_card SELECT * FROM log.archived_card").map_err(copying)?;
    new.within(|new| copy_cards(log.connection(), new, first.first, last.last)).map_err(copying)?;
    let boxes = log.boxes()?;
    let head = new.within(|new| {
        let orders = orders_up_to(log.connection(), last.last)?;
        let newest = chain::newest(log.connection())?;
        let prev = chain::at(log.connection(), last.last)?.map(|event| event.hash);
        let (Some(newest), Some(prev)) = (newest, prev) else { return Err(rusqlite::Error::QueryReturnedNoRows) };
        // The log was verified: what was copied has the hash of its contents.
        let Ok(kept) = carried::kept(new, last.last + 1)? else { return Err(rusqlite::Error::InvalidQuery) };
        let attempts = record.files.iter().filter_map(|file| file.last_attempt).max().unwrap_or(0);
        let before = beginning::record(log.connection())?;
        let archived = Archived {
            first: first.first,
            last: last.last,
            last_hash: hex(&prev),
            last_at: record.files.iter().map(|file| file.until).chain(before.as_ref().map(|(_, before)| before.last_at)).max().unwrap_or(0),
            attempts: attempts.max(before.map_or(0, |(_, before)| before.attempts)),
            folder: record.folder.to_string_lossy().into_owned(),
            files: record.files.to_vec(),
            kept,
            cards: archived_cards::bound(new)?,
            boxes: boxes.behind(u64::try_from(last.last).unwrap_or(0), &orders),
        };
        let facts = serde_json::to_value(&archived).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let body = body::of_archive(facts, record.by, &record.stamp, record.station_name);
        let event = chained(&newest.station, Some(&newest), ARCHIVED, record.stamp.at, body);
        insert(new, &event)?;
        beginning::put(new, last.last + 1, &prev, Part::Shortened)?;
        Ok(Head { count: u64::try_from(event.seq).unwrap_or(0), hash: event.hash })
    });
    let head = head.map_err(copying)?;
    new.finish().map_err(copying)?;
    Ok(head)
}

/// Puts the cards of a range of events into the table of archived cards.
fn copy_cards(log: &Connection, new: &Connection, first: i64, last: i64) -> rusqlite::Result<()> {
    let mut query = log.prepare("SELECT seq, body FROM event WHERE kind = 'attempt-closed' AND seq >= ?1 AND seq <= ?2 ORDER BY seq")?;
    let mut rows = query.query((first, last))?;
    while let Some(row) = rows.next()? {
        let Some((keys, end)) = archived_end(log, row.get(0)?, row.get_ref(1)?.as_str()?)? else { continue };
        for key in keys {
            archived_cards::put(new, &key, &end)?;
        }
    }
    Ok(())
}

/// Puts the new file in the place of the log, whose lock this process holds. No connection of this process may be open. Afterwards no event
/// is added to the old file: the result keeps every process from reading it that has opened it already.
pub(super) fn put_in_place(path: &Path) -> Result<Forsaken, LogError> {
    empty_the_wal(path)?;
    let forsaken = renew::replace_by_copy(path)?;
    // Makes the -shm, without which a reader that may not write to the directory cannot open the log of a stopped station.
    let connection = connect(path, OpenFlags::empty())?;
    configure(&connection, path)?;
    chain::newest(&connection).map_err(|error| LogError::sqlite(Doing::Opening, path, error))?;
    Ok(forsaken)
}

/// Moves everything from the `-wal` to the log's file. Frames that are left in it would be taken for frames of the new file after a power
/// cut, so the empty `-wal` is flushed.
fn empty_the_wal(path: &Path) -> Result<(), LogError> {
    let failed = |error| LogError::sqlite(Doing::Renewing, path, error);
    let connection = connect(path, OpenFlags::empty())?;
    configure(&connection, path)?;
    let is_busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(failed)?;
    drop(connection);
    let wal = File::open(beside(path, "-wal")).and_then(|wal| wal.sync_all().and_then(|()| wal.metadata()));
    let is_empty = wal.map_err(|error| LogError::io(Doing::Renewing, path, error))?.len() == 0;
    if is_busy || !is_empty {
        return Err(LogError::new(Doing::Renewing, path, LogProblem::Locked));
    }
    Ok(())
}
