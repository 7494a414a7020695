//! Takes old months out of the log: each becomes one file, and the log goes on without them, as one chain with them.
//!
//! The station must be stopped. Every step leaves a log that a station can start with, and the next call finishes what an interrupted one
//! began:
//!
//! ```text
//! log verified ─▶ archives written, verified, ─▶ new log written beside the old one, ─▶ one renaming ─▶ names on the disk
//!                 read back from their disk      with the event `archived`, verified,
//!                                                read back
//! └──────────── the log is as it was: archives that are there already are proven again ─┘ └─ archived ─────────────────┘
//! ```
//! What the station derives from old events stays in the log: every event of the station itself, and a table of the cards. The event `archived`
//! has a digest over each (`carried.rs`). A month with a card that an open order counts, or whose approval is awaited, is not archived.

mod archive_file;
#[cfg(test)]
mod cases;
mod error;
mod plan;
mod shorten;
mod whole;

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::Ledger;
use super::beginning::ArchivedFile;
use super::chain::Head;
use super::clock::Stamp;
use super::error::{Doing, LogError};
use super::lock::lock;
use super::reader::LogReader;
use super::renew::{self, Forsaken};
use crate::station::request::Who;
use shorten::Record;

pub(crate) use error::{ArchiveError, ArchiveFlaw};
pub(crate) use plan::{Month, MonthOf};
pub(crate) use whole::{ArchiveFolder, WholeLog};

/// What is to be archived.
pub(crate) struct Wanted<'a> {
    /// The station's log.
    pub(crate) log: &'a Path,
    /// The directory for the archives.
    pub(crate) folder: &'a Path,
    /// Months that end by this time: UTC, microseconds since 1970.
    pub(crate) before: i64,
    /// The months of the PC's time zone.
    pub(crate) month_of: MonthOf<'a>,
    /// The user who wants it.
    pub(crate) by: &'a Who,
}

/// What was archived.
#[derive(Debug)]
pub(crate) struct Done {
    /// The archives, oldest first.
    pub(crate) files: Vec<ArchivedFile>,
    /// The head of the log, the event `archived`.
    pub(crate) head: Head,
    forsaken: Forsaken,
}

impl Done {
    /// How long this value must be kept: it keeps programs that had opened the old file of the log from reading it.
    pub(crate) fn keep_for(&self) -> Duration {
        self.forsaken.left()
    }
}

/// The steps, each of which an interruption may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// This many archives are on their disk.
    Archived(usize),
    /// The new log is on the disk, beside the old one.
    Shortened,
    /// It is in its place.
    InPlace,
}

/// Archives the wanted months.
///
/// # Errors
/// If the station runs, if a month cannot be archived, or the disk fails. The log is then as it was, or archived.
pub(crate) fn archive(wanted: &Wanted<'_>) -> Result<Done, ArchiveError> {
    carry_out(wanted, |name| Ledger::open(wanted.log, name), |_step| Ok(()))
}

/// The same on the PC with this machine-id.
#[cfg(test)]
pub(crate) fn archive_on(wanted: &Wanted<'_>, machine_id: &str) -> Result<Done, ArchiveError> {
    carry_out(wanted, |name| Ledger::open_on(wanted.log, name, machine_id), |_step| Ok(()))
}

fn carry_out(
    wanted: &Wanted<'_>,
    open: impl FnOnce(&str) -> Result<Ledger, LogError>,
    mut did: impl FnMut(Step) -> io::Result<()>,
) -> Result<Done, ArchiveError> {
    let path = wanted.log;
    let folder = std::path::absolute(wanted.folder).ok().filter(|folder| folder.is_dir());
    let Some(folder) = folder else { return Err(ArchiveError::NoFolder { path: wanted.folder.to_owned() }) };
    let station_name = LogReader::open(path)?.station_name()?;
    // As a start of the station does: what is in the log is on its disk, and no attempt is open.
    drop(open(&station_name)?);
    let _lock = lock(path)?;
    renew::clear(path);
    let log = LogReader::open(path)?;
    if let Err(flaw) = log.verify()? {
        return Err(ArchiveError::LogFlaw { path: path.to_owned(), flaw });
    }
    let planned = plan::plan(&log, wanted.before, wanted.month_of)?;
    let stopped = |error| LogError::io(Doing::Renewing, path, error);
    let mut files = Vec::new();
    for planned in &planned {
        files.push(archive_file::make(&log, planned, &folder)?);
        did(Step::Archived(files.len())).map_err(stopped)?;
    }
    let record = Record { files: &files, folder: &folder, by: wanted.by, stamp: Stamp::now(), station_name: &station_name };
    let shortened =
        shorten::make(&log, &record).and_then(|head| did(Step::Shortened).map(|()| head).map_err(|error| stopped(error).into()));
    let placed = shortened.and_then(|head| {
        drop(log);
        Ok((head, shorten::put_in_place(path)?))
    });
    if placed.is_err() {
        let _not_there = fs::remove_file(renew::new_name(path));
    }
    let (head, forsaken) = placed?;
    did(Step::InPlace).map_err(stopped)?;
    Ok(Done { files, head, forsaken })
}
