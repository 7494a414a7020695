//! The backups that are in a folder, and the removal of old ones.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::BackupError;
use super::manifest::{Backup, MANIFEST};
use crate::file;
use crate::ledger::{ArchiveFlaw, ArchiveFolder, LogReader};

/// The finished backups of a station in `folder`, oldest first. Several stations may share a folder.
///
/// # Errors
/// If the folder cannot be read. A folder in it without a manifest of this program is not a backup.
pub(crate) fn of_station(folder: &Path, station_id: &str) -> Result<Vec<Backup>, BackupError> {
    let listing = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => BackupError::NoFolder { folder: folder.to_owned() },
        _ => BackupError::io("reading", folder, source),
    };
    let mut backups = Vec::new();
    for entry in fs::read_dir(folder).map_err(listing)? {
        let entry = entry.map_err(listing)?;
        // Unfinished ones are hidden.
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        backups.extend(Backup::read(&entry.path()).ok().filter(|backup| backup.manifest.station_id == station_id));
    }
    backups.sort_by(|one, other| (one.at, &one.path).cmp(&(other.at, &other.path)));
    Ok(backups)
}

/// What became of the old backups of a station.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Thinned {
    /// The folders that were removed.
    pub removed: Vec<PathBuf>,
    /// The folders whose log has events that the newest backup lacks: the log was restored from an older backup, or forked.
    pub with_lost_events: Vec<PathBuf>,
    /// The folders that are old enough to be removed, and were not compared with the log, because of an archive of it.
    pub not_compared: Vec<(PathBuf, ArchiveFlaw)>,
}

/// Removes the oldest backups of the station of `new`, so that `keep` are left with it. A backup by which a log moved away is never removed:
/// it may be the only place where the log goes on. Nor is one with events that the log of `new` lacks, or may lack: no other place may have
/// them.
///
/// # Errors
/// If the folder or the log of `new` cannot be read, or one of them cannot be removed.
pub(crate) fn remove_beyond(folder: &Path, new: &Backup, keep: usize) -> Result<Thinned, BackupError> {
    let log = LogReader::open(&new.log())?;
    let archives = ArchiveFolder::new(Path::new(&log.archived_in()?.unwrap_or_default()));
    let (mut thinned, mut others) = (Thinned::default(), Vec::new());
    for backup in of_station(folder, &new.manifest.station_id)? {
        if backup.manifest.moved || backup.path == new.path {
            continue;
        }
        match log.has_passed(&backup.anchor, &archives)? {
            Ok(false) => thinned.with_lost_events.push(backup.path),
            compared => others.push((backup, compared.err())),
        }
    }
    let beyond = (others.len() + 1).saturating_sub(keep);
    others.truncate(beyond);
    for (backup, flaw) in others {
        if let Some(flaw) = flaw {
            thinned.not_compared.push((backup.path, flaw));
            continue;
        }
        remove(&backup).map_err(|source| BackupError::io("removing the old backup", &backup.path, source))?;
        thinned.removed.push(backup.path);
    }
    Ok(thinned)
}

/// The manifest first: what is interrupted here does not look like a backup. Files that other people put there stay, and their folder.
fn remove(backup: &Backup) -> io::Result<()> {
    fs::remove_file(backup.path.join(MANIFEST))?;
    file::flush_directory(&backup.path)?;
    for of in &backup.manifest.files {
        file::remove(&backup.path.join(&of.name))?;
    }
    match fs::remove_dir(&backup.path) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error),
        _ => Ok(()),
    }
}
