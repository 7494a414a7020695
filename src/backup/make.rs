//! Makes a backup: under another name until it is whole and proven.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use super::error::BackupError;
use super::manifest::{Backup, CONFIGURATION, FORMAT, FileOf, LOG, MANIFEST, Manifest};
use crate::file::{beside, digest, flush_directory};
use crate::ledger::{LogReader, is_on_disk, medium};

/// How the names of unfinished backups begin.
const UNFINISHED: &str = ".flashline-unfinished-";
/// As the log itself: its owner may write, its group may read.
const MODE: u32 = 0o640;
/// The same for a folder.
const FOLDER_MODE: u32 = 0o750;
/// A copy has the size of the log; configuration, manifest and what the log grows by meanwhile are less than this.
const REST: u64 = 16_000_000;
/// Bytes of a decimal megabyte.
const MB: u64 = 1_000_000;

/// What goes into a backup.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contents<'c> {
    /// The flash log, which a station may be writing.
    pub log: &'c Path,
    /// The path of the configuration.
    pub config: &'c Path,
    /// The configuration as it was read.
    pub config_bytes: &'c [u8],
    /// The configured name of the station.
    pub station: &'c str,
    /// The time: UTC, microseconds since 1970.
    pub taken_at: i64,
}

/// Makes a backup in a new folder of `folder`. When this returns, it is whole, on the disk, and was read back from there.
///
/// # Errors
/// If it cannot be made: then nothing is left that looks like one.
pub(crate) fn make(folder: &Path, contents: &Contents<'_>) -> Result<Backup, BackupError> {
    usable(folder)?;
    let _alone = alone(folder)?;
    let log = LogReader::open(contents.log)?;
    let writing = |source| BackupError::io("making a backup in", folder, source);
    let unfinished = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(folder).map_err(writing)?;
    let copy = unfinished.path().join(LOG);
    if let Err(flaw) = log.export(&copy)? {
        return Err(BackupError::Flawed { log: contents.log.to_owned(), flaw });
    }
    let path = unfinished.path().join(CONFIGURATION);
    write(&path, contents.config_bytes).map_err(|source| BackupError::io("writing", &path, source))?;
    let manifest = describe(unfinished.path(), &copy, contents)?;
    let text = serde_json::to_vec_pretty(&manifest).map_err(io::Error::from).map_err(writing)?;
    write(&unfinished.path().join(MANIFEST), &text).map_err(writing)?;
    // A stick with FAT has one mode for everything.
    let _one_mode = fs::set_permissions(unfinished.path(), Permissions::from_mode(FOLDER_MODE));
    flush_directory(unfinished.path()).map_err(writing)?;
    let place = free_name(folder, contents);
    fs::rename(unfinished.path(), &place).map_err(writing)?;
    // It has another name now: nothing is to be removed.
    let _renamed = unfinished.keep();
    flush_directory(folder).map_err(writing)?;
    Backup::read(&place)
}

/// Checks that `folder` can hold a copy of this log, before anything is recorded about it.
///
/// # Errors
/// If it is missing, cannot be written, or has too little room.
pub(crate) fn check_room(folder: &Path, log: &Path) -> Result<(), BackupError> {
    usable(folder)?;
    let failed = |source| BackupError::io("making a backup in", folder, source);
    tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(folder).and_then(tempfile::TempDir::close).map_err(failed)?;
    let disk = statvfs(folder).map_err(|errno| failed(errno.into()))?;
    let free = u64::saturating_mul(disk.blocks_available(), disk.fragment_size());
    // Events that are not in the file yet are in the `-wal`.
    let size = |path: &Path| fs::metadata(path).map_or(0, |there| there.len());
    let needed = size(log).saturating_add(size(&beside(log, "-wal"))).saturating_add(REST);
    if free < needed {
        return Err(BackupError::NoRoom { folder: folder.to_owned(), free: free / MB, needed: needed.div_ceil(MB) });
    }
    Ok(())
}

/// The folder itself is never made: a missing one may be a disk that is not mounted.
fn usable(folder: &Path) -> Result<(), BackupError> {
    let failed = |source| BackupError::io("looking at", folder, source);
    if let Some(point) = medium::not_mounted(folder).map_err(failed)? {
        return Err(BackupError::NotMounted { folder: folder.to_owned(), point });
    }
    match fs::metadata(folder) {
        Ok(there) if there.is_dir() => Ok(()),
        Ok(_) => Err(failed(io::ErrorKind::NotADirectory.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(BackupError::NoFolder { folder: folder.to_owned() }),
        Err(error) => Err(failed(error)),
    }
}

/// One backup at a time in a folder: then every unfinished one is left of a process that ended, and is removed. `None` if the file system
/// has no locks, as some on servers: then nothing is removed.
fn alone(folder: &Path) -> Result<Option<File>, BackupError> {
    let lock = File::open(folder).map_err(|source| BackupError::io("opening", folder, source))?;
    match lock.try_lock() {
        Ok(()) => {
            for left in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
                if left.file_name().to_string_lossy().starts_with(UNFINISHED) {
                    // What cannot be removed takes room, and is never taken for a backup.
                    let _stays = fs::remove_dir_all(left.path());
                }
            }
            Ok(Some(lock))
        }
        Err(TryLockError::WouldBlock) => Err(BackupError::Busy { folder: folder.to_owned() }),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Everything about the log is read from the copy: the log itself may have grown. Every file is read back from its disk.
fn describe(folder: &Path, copy: &Path, contents: &Contents<'_>) -> Result<Manifest, BackupError> {
    let log = LogReader::open(copy)?;
    let newest = log.armings(None)?.pop().and_then(|event| serde_json::from_str::<serde_json::Value>(&event.body).ok());
    let armed_by = newest.and_then(|body| body.get("by")?.get("config_blake3")?.as_str().map(str::to_owned));
    let file = |name: &str| {
        let path = folder.join(name);
        let (blake3, bytes) = digest(&path).map_err(|source| BackupError::io("reading", &path, source))?;
        if !is_on_disk(&path, &blake3).map_err(|source| BackupError::io("reading back", &path, source))? {
            return Err(BackupError::NotKept { path });
        }
        Ok(FileOf { name: name.to_owned(), bytes, blake3: blake3.to_hex().to_string() })
    };
    Ok(Manifest {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        station: contents.station.to_owned(),
        station_id: log.station_id()?,
        taken_at: moment(contents.taken_at).to_string(),
        anchor: log.head()?.to_string(),
        moved: log.away()?.is_some(),
        configuration: contents.config.to_owned(),
        armed_by_blake3: armed_by,
        files: vec![file(LOG)?, file(CONFIGURATION)?],
    })
}

fn moment(micros: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(micros).unwrap_or_default()
}

/// A name that sorts by time and that every file system takes, which nothing in the folder has yet.
fn free_name(folder: &Path, contents: &Contents<'_>) -> PathBuf {
    let station: String = contents.station.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '-' }).collect();
    let name = format!("{station}-{}", moment(contents.taken_at).strftime("%Y%m%dT%H%M%SZ"));
    let names = std::iter::once(name.clone()).chain((2..).map(|number| format!("{name}-{number}")));
    let mut places = names.map(|name| folder.join(name));
    places.find(|place| place.symlink_metadata().is_err()).unwrap_or_else(|| folder.join(name))
}

/// A new file, on its disk when this returns.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
