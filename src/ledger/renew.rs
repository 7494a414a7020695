//! Replaces the files of a log by new ones, if what is written to them cannot be confirmed.
//!
//! A file system may never recover from a failed write, although its disk works again. On ext4 (seen with Linux 6.12, not with 6.1) the
//! extent stays unwritten while its page stays mapped: the same bytes are written again, `fsync` returns success, and the disk reads as
//! zeroes there. Only new blocks of a new inode end this state. So after some failed attempts the `-wal` is copied from memory: written to
//! a new file beside it, flushed, read back from the disk, and only then renamed over the old one. If the log's own file does not keep the
//! written data, it is copied as well.
//!
//! # Who else has the log open
//! A connection to a log in WAL mode holds SQLite's shared lock on the log's file for as long as it lives (`sqlite3PagerSharedLock`,
//! `pager_unlock`). Here that lock is taken exclusively: no process reads while files are replaced, so none continues with an old `-wal`
//! beside the new one, and a new reader waits. A connection that opened the old file and has not read from it yet must not read it any
//! more, because no event is added to that file: its lock is kept until such a connection has given up ([`Forsaken`]).
//!
//! # A power cut
//! Each file is an exact copy of the one whose name it takes: whichever of the names was changed, the log is the same. Confirmed events are
//! on the disk in both. Unconfirmed ones are recorded anew.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::statvfs::statvfs;
use nix::unistd::{Gid, Uid, fchown};

use super::error::{Doing, LogError, LogProblem, not_there};
use super::format::BUSY;
use super::lock::lock;
use super::on_disk::{CHUNK, is_on_disk};
use crate::file::{beside, directory_of, flush_directory, remove};
use crate::station::units::to_u64;

/// How long readers are waited for: none of ours reads longer, and the error names a process that does.
const PATIENCE: Duration = Duration::from_secs(2);

/// The number of failed attempts in the old files before they are renewed.
const TRIES: u32 = 3;

/// The space that must be left on the disk beside the copies: for the next events, and for writes of other programs meanwhile.
const LEFT: u64 = 16 << 20;

/// The place of SQLite's locks in the log's file: the byte that excludes new readers, and from it on all bytes that readers and writers
/// hold (sqlite.org/src, `os.h`, `PENDING_BYTE`).
pub(super) const PENDING: i64 = 0x4000_0000;
const LOCK_BYTES: i64 = 512;

/// The files that are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The `-wal`: the events that were not moved to the log's file yet.
    Wal,
    /// The `-wal` and the log's file.
    Both,
}

impl Which {
    /// The files to renew after this many failed attempts: none most of the time, because a copy is a load for a failing disk.
    pub(super) fn after(vain: u32) -> Option<Self> {
        match vain % (2 * TRIES) {
            0 if vain > 0 => Some(Self::Both),
            TRIES => Some(Self::Wal),
            _ => None,
        }
    }
}

/// The steps of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The copies exist under temporary names.
    Written,
    /// They were flushed and read back.
    Proven,
    /// The copy has replaced the log's file.
    FileRenamed,
    /// The copy has replaced the `-wal`.
    WalRenamed,
    /// The names are on the disk.
    NamesFlushed,
    /// The file that readers shared is removed.
    Unshared,
}

/// The log's old file: as long as this value lives, no process begins to read it.
#[derive(Debug)]
pub(super) struct Forsaken {
    _locked: File,
    /// Device and inode of the new one.
    pub(super) followed_by: (u64, u64),
    since: Instant,
}

impl Forsaken {
    /// Waits until every process that had opened the old file has given up.
    pub(super) fn is_past(&self) -> bool {
        self.left().is_zero()
    }

    /// How long it must be kept.
    pub(super) fn left(&self) -> Duration {
        (4 * BUSY).saturating_sub(self.since.elapsed())
    }
}

/// Makes new files for a log that no process has open for writing. Returns the old one, if it was given up.
///
/// # Errors
/// As [`Renewal::carry_out`], and if a process has it open.
pub(super) fn renew_files(path: &Path, which: Which) -> Result<Option<Forsaken>, LogError> {
    let _lock = lock(path)?;
    let mut renewal = Renewal::of(path, which);
    renewal.carry_out()?;
    Ok(renewal.forsaken)
}

/// Replaces the log's file by the proven file beside it that has the name of its copy; its `-wal` is empty. The log's lock is held, and this
/// process has no connection to it. Returns the old file.
///
/// # Errors
/// If a process reads the log, or the disk fails. Then either file has the name.
pub(super) fn replace_by_copy(path: &Path) -> Result<Forsaken, LogError> {
    let failed = |error| LogError::io(Doing::Renewing, path, error);
    let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
    let old = open(path).map_err(failed)?;
    alone(&old, path)?;
    let copy = new_name(path);
    let new = open(&copy).map_err(failed)?;
    // No process may read the new file before its name is on the disk.
    alone(&new, path)?;
    let made = new.metadata().map_err(failed)?;
    fs::rename(&copy, path).map_err(failed)?;
    let forsaken = Forsaken { _locked: old, followed_by: (made.dev(), made.ino()), since: Instant::now() };
    flush_names(path).map_err(failed)?;
    remove(&beside(path, "-shm")).map_err(failed)?;
    Ok(forsaken)
}

/// The files of one log to which this process has no connection.
#[derive(Debug)]
pub(super) struct Renewal<'a> {
    path: &'a Path,
    which: Which,
    /// The old file of the log if it was replaced, even if the renewal was not completed.
    pub(super) forsaken: Option<Forsaken>,
    #[cfg(test)]
    pub(super) shadow: Option<super::confirm_cases::Shadow>,
}

impl<'a> Renewal<'a> {
    pub(super) fn of(path: &'a Path, which: Which) -> Self {
        Self {
            path,
            which,
            forsaken: None,
            #[cfg(test)]
            shadow: None,
        }
    }

    /// Copies the files and replaces them by the copies.
    ///
    /// # Errors
    /// If there is no room, a process reads, or the disk fails. The log is unchanged, in the old files or in new ones.
    pub(super) fn carry_out(&mut self) -> Result<(), LogError> {
        let failed = |error| LogError::io(Doing::Renewing, self.path, error);
        let old = OpenOptions::new().read(true).write(true).open(self.path).map_err(failed)?;
        alone(&old, self.path)?;
        let wal = beside(self.path, "-wal");
        let names = match self.which {
            Which::Wal => vec![wal.as_path()],
            Which::Both => vec![self.path, wal.as_path()],
        };
        let done = self.room(&names).and_then(|()| self.replace(&names, old));
        if done.is_err() {
            for name in &names {
                let _not_there = fs::remove_file(new_name(name));
            }
        }
        done.map_err(|error| LogError::io(Doing::Renewing, self.path, error))
    }

    fn room(&self, names: &[&Path]) -> io::Result<()> {
        let needed = names.iter().map(|name| fs::metadata(name).map(|file| file.len())).sum::<io::Result<u64>>()?.saturating_add(LEFT);
        let disk = statvfs(self.path)?;
        let free = disk.blocks_available().saturating_mul(disk.fragment_size());
        if free < needed {
            let words = format!("{} MiB more are needed for new files", (needed - free).div_ceil(1 << 20));
            return Err(io::Error::new(io::ErrorKind::StorageFull, words));
        }
        Ok(())
    }

    fn replace(&mut self, names: &[&Path], old: File) -> io::Result<()> {
        let mut copies = names.iter().map(|name| Copy::write(name)).collect::<io::Result<Vec<_>>>()?;
        self.did(Step::Written)?;
        for copy in &copies {
            self.prove(copy)?;
        }
        self.did(Step::Proven)?;
        // No process may read the new file either before everything is done.
        let locked = copies.iter().find(|copy| copy.of == self.path).map(|copy| copy.file.try_clone()).transpose()?;
        if locked.as_ref().is_some_and(|file| !matches!(try_lock(file, PENDING, LOCK_BYTES), Ok(true))) {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        let mut old = Some(old);
        for copy in copies.drain(..) {
            fs::rename(&copy.new, copy.of)?;
            self.renamed(&copy);
            if copy.of == self.path
                && let Some(old) = old.take()
            {
                let made = copy.file.metadata()?;
                self.forsaken = Some(Forsaken { _locked: old, followed_by: (made.dev(), made.ino()), since: Instant::now() });
                self.did(Step::FileRenamed)?;
            } else {
                self.did(Step::WalRenamed)?;
            }
        }
        flush_names(self.path)?;
        self.did(Step::NamesFlushed)?;
        // No process has it mapped. The next connection makes it anew from the `-wal`.
        remove(&beside(self.path, "-shm"))?;
        self.did(Step::Unshared)
    }

    /// Checks that it is on the disk as it was read from memory.
    fn prove(&self, copy: &Copy<'_>) -> io::Result<()> {
        copy.file.sync_all()?;
        let there = self.on_disk(copy);
        if is_on_disk(&there, &copy.hash)? { Ok(()) } else { Err(not_there("a copy of it")) }
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, reason = "a test's disk is another file")]
    fn on_disk(&self, copy: &Copy<'_>) -> PathBuf {
        copy.new.clone()
    }

    #[cfg(test)]
    fn on_disk(&self, copy: &Copy<'_>) -> PathBuf {
        let Some(shadow) = &self.shadow else { return copy.new.clone() };
        let there = shadow.there(&copy.new);
        shadow.flushed(&copy.new, &there);
        there
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, reason = "a test's disk has names of its own")]
    fn renamed(&self, _copy: &Copy<'_>) {}

    #[cfg(test)]
    fn renamed(&self, copy: &Copy<'_>) {
        if let Some(shadow) = &self.shadow {
            shadow.renamed(&copy.new, copy.of);
        }
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "a test ends it between two steps")]
    fn did(&self, _step: Step) -> io::Result<()> {
        Ok(())
    }

    #[cfg(test)]
    fn did(&self, step: Step) -> io::Result<()> {
        self.shadow.as_ref().map_or(Ok(()), |shadow| shadow.renewing(step))
    }
}

/// A copy that has not replaced its original yet.
#[derive(Debug)]
struct Copy<'a> {
    of: &'a Path,
    new: PathBuf,
    file: File,
    hash: blake3::Hash,
}

impl<'a> Copy<'a> {
    fn write(of: &'a Path) -> io::Result<Self> {
        let new = new_name(of);
        let original = File::open(of)?;
        let file = begin_like(&original.metadata()?, &new)?;
        let mut chunk = vec![0; CHUNK];
        let mut hasher = blake3::Hasher::new();
        let mut length = 0;
        loop {
            let count = match original.read_at(&mut chunk, length) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            file.write_all_at(&chunk[..count], length)?;
            hasher.update(&chunk[..count]);
            length += to_u64(count);
        }
        Ok(Self { of, new, file, hash: hasher.finalize() })
    }
}

/// Makes the empty file `new` with the owner, the group and the mode of another one. What an interrupted process left there is removed.
///
/// # Errors
/// The error of the kernel.
pub(super) fn begin_like(like: &fs::Metadata, new: &Path) -> io::Result<File> {
    remove(new)?;
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(new)?;
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (like.uid(), like.gid()) {
        let (uid, gid) = (Uid::from_raw(like.uid()), Gid::from_raw(like.gid()));
        given(fchown(&file, Some(uid), Some(gid)), made.uid() == like.uid())?;
    }
    file.set_permissions(fs::Permissions::from_mode(like.permissions().mode() & 0o777))?;
    Ok(file)
}

/// Whether a copy that was given the owner and the group of its original may take its place.
///
/// A log that goes on is worth more than its group: a station without a capability may not give a file to a group that it is not in, and a
/// unit may forbid to change any owner (`SystemCallFilter=~@chown`).
pub(super) fn given(chown: nix::Result<()>, same_owner: bool) -> io::Result<()> {
    match chown {
        Err(Errno::EPERM) if same_owner => {
            tracing::warn!("the flash log goes on in new files of another group, whose readers may not be the same: chgrp");
            Ok(())
        }
        chown => Ok(chown?),
    }
}

/// Writes the names of the log's files to the disk.
///
/// After an error, the block of the directory may still be the old one on the disk and count as clean: a name that is made and removed
/// causes it to be written.
///
/// # Errors
/// The error of the kernel.
pub(super) fn flush_names(path: &Path) -> io::Result<()> {
    let passing = beside(path, ".new");
    // On a full disk there may be no room for it. Then no write could have failed there.
    if File::create(&passing).is_ok() {
        remove(&passing)?;
    }
    flush_directory(directory_of(path))
}

/// Removes the files of a renewal whose process was killed. No other process may use the log.
pub(super) fn clear(path: &Path) {
    for name in [path.to_owned(), beside(path, "-wal")] {
        let _not_there = fs::remove_file(new_name(&name));
    }
}

/// The name of the copy that replaces this file: [`clear`] removes one that was left.
pub(super) fn new_name(name: &Path) -> PathBuf {
    beside(name, ".copy")
}

/// Takes all of SQLite's locks on the log's file.
fn alone(file: &File, path: &Path) -> Result<(), LogError> {
    let failed = |error| LogError::io(Doing::Renewing, path, error);
    let until = Instant::now() + PATIENCE;
    // In SQLite's order: the first byte excludes new readers while the last ones end.
    for (from, bytes) in [(PENDING, 1), (PENDING, LOCK_BYTES)] {
        while !try_lock(file, from, bytes).map_err(failed)? {
            if Instant::now() >= until {
                return Err(LogError::new(Doing::Renewing, path, LogProblem::Locked));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// False if another process holds one of these bytes. The lock belongs to the descriptor: closing another one of this process does not
/// release it.
pub(super) fn try_lock(file: &File, from: i64, bytes: i64) -> io::Result<bool> {
    let short = |word: libc::c_int| libc::c_short::try_from(word).map_err(io::Error::other);
    let range = libc::flock { l_type: short(libc::F_WRLCK)?, l_whence: short(libc::SEEK_SET)?, l_start: from, l_len: bytes, l_pid: 0 };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&range)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}
