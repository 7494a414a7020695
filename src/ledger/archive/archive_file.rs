//! Writes one archive and proves it: its chain, its indexes, and its bytes as they are on the disk.
//!
//! The archive gets its name when it is complete. If the name exists already, an earlier call was interrupted after it had written the same
//! archive, which is proven again; or it is another file, which is not touched.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::unistd::{Gid, fchown};

use super::super::beginning::{self, ArchivedFile, Beginning, Part, hex};
use super::super::chain;
use super::super::error::{Doing, LogError, LogProblem};
use super::super::format::PAGE;
use super::super::link::{Link, ORIGIN};
use super::super::new_file::NewFile;
use super::super::on_disk;
use super::super::reader::LogReader;
use super::error::ArchiveError;
use super::plan::{Facts, PlannedFile, facts};
use crate::file::{beside, directory_of, flush_directory, remove};

/// Nobody writes to an archive again; as the log, its group may read it.
const MODE: u32 = 0o440;

/// Makes the archive of these events in `folder`, or proves the one that is there.
pub(super) fn make(log: &LogReader, planned: &PlannedFile, folder: &Path) -> Result<ArchivedFile, ArchiveError> {
    let path = folder.join(format!("flash-log-{}.db", planned.month.name));
    let begins = begins(log, planned)?;
    if fs::symlink_metadata(&path).is_err() {
        write(log, planned, &begins, &path)?;
    }
    let last = log.within(|log| chain::at(log, planned.last))?.map_or(ORIGIN, |event| event.hash);
    holds(&path, planned, &begins, &last)?;
    let (blake3, bytes) = prove(&path).map_err(|error| LogError::io(Doing::Copying, &path, error))?;
    let Facts { since, until, first_attempt, last_attempt } = log.within(|log| facts(log, planned.first, planned.last))?;
    Ok(ArchivedFile {
        name: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        bytes,
        blake3: blake3.to_hex().to_string(),
        month: planned.month.name.clone(),
        month_end: planned.month.end,
        first: planned.first,
        last: planned.last,
        last_hash: hex(&last),
        since,
        until,
        first_attempt,
        last_attempt,
    })
}

fn begins(log: &LogReader, planned: &PlannedFile) -> Result<Beginning, LogError> {
    let prev = log.within(|log| chain::at(log, planned.first))?.map_or(ORIGIN, |event| event.prev);
    Ok(Beginning { first: planned.first, prev, part: Part::Archive })
}

fn write(log: &LogReader, planned: &PlannedFile, begins: &Beginning, path: &Path) -> Result<(), ArchiveError> {
    let failed = |error| LogError::io(Doing::Copying, path, error);
    let folder = directory_of(path);
    let unfinished = beside(path, ".unfinished");
    // One that an interrupted call left.
    remove(&unfinished).map_err(failed)?;
    let name = unfinished.file_name().unwrap_or_default();
    let file = tempfile::Builder::new()
        .prefix(name)
        .rand_bytes(0)
        .permissions(fs::Permissions::from_mode(0o640))
        .tempfile_in(folder)
        .map_err(failed)?;
    let copying = |error| LogError::sqlite(Doing::Copying, path, error);
    let fill = || {
        let new = NewFile::begin(&unfinished, PAGE)?;
        new.copy_events(log.path(), &format!("seq >= {} AND seq <= {}", planned.first, planned.last))?;
        new.within(|new| beginning::put(new, begins.first, &begins.prev, Part::Archive))?;
        new.finish()
    };
    fill().map_err(copying)?;
    let words = LogReader::open(&unfinished)?.verify()?.err().map(|flaw| flaw.to_string());
    if let Some(words) = words {
        return Err(ArchiveError::NewFile { path: path.to_owned(), words });
    }
    // Whoever may read the log may read its archive, if this user may give it to that group.
    let group = fs::metadata(log.path()).map(|log| Gid::from_raw(log.gid())).map_err(failed)?;
    if let Err(errno) = fchown(file.as_file(), None, Some(group)) {
        tracing::debug!(%errno, archive = %path.display(), "it is not given to the group of the log");
    }
    file.as_file().set_permissions(fs::Permissions::from_mode(MODE)).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => LogError::new(Doing::Copying, path, LogProblem::Exists),
        _ => failed(error.error),
    })?;
    Ok(())
}

/// The archive has these events and no others, and they hold.
fn holds(path: &Path, planned: &PlannedFile, begins: &Beginning, last: &Link) -> Result<(), ArchiveError> {
    let other = |words: String| ArchiveError::Other { path: path.to_owned(), words };
    let archive = LogReader::open(path).map_err(|error| other(error.in_full()))?;
    if archive.within(beginning::of)? != *begins {
        let there = archive.as_archive()?;
        return Err(other(there.map_or_else(|| "it is no archive".to_owned(), |(first, last)| format!("events {first} to {last}"))));
    }
    match archive.verify()? {
        Err(flaw) => Err(other(flaw.to_string())),
        Ok(head) if i64::try_from(head.count) == Ok(planned.last) && head.hash == *last => Ok(()),
        Ok(head) => Err(other(format!("it ends with event {}", head.count))),
    }
}

/// Flushes the name of the archive, and proves the file: returns its digest and its length.
fn prove(path: &Path) -> io::Result<(blake3::Hash, u64)> {
    flush_directory(directory_of(path))?;
    on_disk::prove(&File::open(path)?, path, "the archive")
}
