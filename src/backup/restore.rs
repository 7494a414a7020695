//! The way back: proves a backup, and puts its log in the place of a station's log, bound to this PC.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::Path;

use super::error::BackupError;
use super::manifest::{Backup, CONFIGURATION, FileOf, LOG};
use crate::file::{beside, directory_of, flush_directory, remove};
use crate::ledger::{Head, Ledger, LogProblem, LogReader, medium};
use crate::station::request::Who;

/// Bytes that are copied at once.
const CHUNK: usize = 1 << 20;

/// How the names of unfinished restorings begin.
const UNFINISHED: &str = ".flashline-restore-";

/// Reads a backup and compares its files with the manifest. The chain of its log is verified by [`place_log`].
///
/// # Errors
/// If it is not finished, not one of this program, or damaged.
pub(crate) fn open(folder: &Path) -> Result<Backup, BackupError> {
    let backup = Backup::read(folder)?;
    for file in &backup.manifest.files {
        copy_proven(&backup, file, &mut io::sink()).map_err(|error| error.or_damage(&backup, file))?;
    }
    Ok(backup)
}

/// The configuration of a backup.
///
/// # Errors
/// If it is not that of the manifest.
pub(crate) fn configuration(backup: &Backup) -> Result<Vec<u8>, BackupError> {
    let mut bytes = Vec::new();
    for file in backup.manifest.files.iter().filter(|file| file.name == CONFIGURATION) {
        copy_proven(backup, file, &mut bytes).map_err(|error| error.or_damage(backup, file))?;
    }
    Ok(bytes)
}

/// Puts the log of a backup to `to`, bound to this PC by an event of its own, with the owner of that directory. The log there is whole or
/// not there at all. Done again after an interruption, it finds what is done.
///
/// # Errors
/// If a log is there, the backup is damaged, or it cannot be written.
pub(crate) fn place_log(backup: &Backup, to: &Path, by: &Who) -> Result<Head, BackupError> {
    if let Some(head) = is_there(backup, to)? {
        return Ok(head);
    }
    let state = directory_of(to);
    let writing = |source| BackupError::io("restoring the flash log to", to, source);
    clear(state);
    medium::prepare(state);
    let unfinished = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(state).map_err(writing)?;
    let copy = unfinished.path().join(LOG);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&copy).map_err(writing)?;
    for of in backup.manifest.files.iter().filter(|file| file.name == LOG) {
        copy_proven(backup, of, &mut file).map_err(|error| match error {
            Copying::Reading(_) | Copying::Differs => error.or_damage(backup, of),
            Copying::Writing(source) => writing(source),
        })?;
    }
    file.sync_all().map_err(writing)?;
    drop(file);
    // An older format becomes this program's with it.
    let head = Ledger::take_over(&copy, &backup.manifest.station, backup.anchor, backup.at, by).map_err(|error| match error.problem {
        // It ends with another event than the manifest says.
        LogProblem::Moved => BackupError::Damaged { folder: backup.path.clone(), file: LOG.to_owned() },
        _ => error.into(),
    })?;
    if let Err(flaw) = LogReader::open(&copy)?.verify_through(&backup.anchor)? {
        return Err(BackupError::FlawedBackup { folder: backup.path.clone(), flaw });
    }
    // Only the file is put in its place: nothing may be left beside it.
    if !is_empty(&beside(&copy, "-wal")) {
        return Err(writing(io::Error::other("the copy is not whole in one file")));
    }
    give_to_owner_of(state, &copy).map_err(writing)?;
    // Left of another log, empty, and older than the file that it would belong to.
    for left in ["-wal", "-shm"].map(|suffix| beside(to, suffix)) {
        remove(&left).map_err(|source| BackupError::io("removing", &left, source))?;
    }
    // Unlike a renaming, this never replaces a file.
    fs::hard_link(&copy, to).map_err(writing)?;
    flush_directory(state).map_err(writing)?;
    Ok(head)
}

/// Removes what an interrupted restoring left. The caller keeps other processes from restoring here.
fn clear(state: &Path) {
    for left in fs::read_dir(state).into_iter().flatten().filter_map(Result::ok) {
        if left.file_name().to_string_lossy().starts_with(UNFINISHED) {
            // What cannot be removed takes room, and is never taken for a log.
            let _stays = fs::remove_dir_all(left.path());
        }
    }
}

/// The head of the log that is there, if an earlier call put it there from this backup and nothing was recorded since.
fn is_there(backup: &Backup, to: &Path) -> Result<Option<Head>, BackupError> {
    if to.symlink_metadata().is_err() {
        let left = beside(to, "-wal");
        return if is_empty(&left) { Ok(None) } else { Err(BackupError::Rest { path: left }) };
    }
    // Whatever is there, it is not touched.
    let there = LogReader::open(to);
    if let Ok(log) = &there {
        let head = log.head()?;
        let from = log.restored()?.pop();
        if from.is_some_and(|from| from.anchor == backup.anchor) && head.count == backup.anchor.count + 1 && log.is_of_this_pc()? {
            return Ok(Some(head));
        }
    }
    let relation = there.and_then(|log| log.relation_to(&LogReader::open(&backup.log())?)).ok();
    Err(BackupError::LogThere { path: to.to_owned(), relation })
}

/// Root restores for the station, which may not be root.
fn give_to_owner_of(directory: &Path, path: &Path) -> io::Result<()> {
    let owner = fs::metadata(directory)?;
    if nix::unistd::geteuid().is_root() { chown(path, Some(owner.uid()), Some(owner.gid())) } else { Ok(()) }
}

fn is_empty(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |there| there.len() == 0)
}

/// Why a file was not copied.
enum Copying {
    Reading(io::Error),
    Writing(io::Error),
    Differs,
}

impl Copying {
    fn or_damage(self, backup: &Backup, file: &FileOf) -> BackupError {
        let (folder, path) = (backup.path.clone(), backup.path.join(&file.name));
        match self {
            Self::Reading(source) if source.kind() == io::ErrorKind::NotFound => BackupError::Missing { folder, file: file.name.clone() },
            Self::Reading(source) => BackupError::io("reading", &path, source),
            Self::Writing(source) => BackupError::io("copying", &path, source),
            Self::Differs => BackupError::Damaged { folder, file: file.name.clone() },
        }
    }
}

/// Copies a file of the backup, and compares its bytes with the manifest.
fn copy_proven(backup: &Backup, of: &FileOf, to: &mut impl Write) -> Result<(), Copying> {
    let mut from = File::open(backup.path.join(&of.name)).map_err(Copying::Reading)?;
    let (mut chunk, mut hasher, mut bytes) = (vec![0; CHUNK], blake3::Hasher::new(), 0_u64);
    loop {
        let count = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Copying::Reading(error)),
        };
        hasher.update(&chunk[..count]);
        to.write_all(&chunk[..count]).map_err(Copying::Writing)?;
        bytes = bytes.saturating_add(crate::station::units::to_u64(count));
    }
    let is_it = bytes == of.bytes && hasher.finalize().to_hex().as_str() == of.blake3;
    if is_it { Ok(()) } else { Err(Copying::Differs) }
}
