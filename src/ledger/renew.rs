//! Replaces the files of a log by new ones, if what is written to them cannot be confirmed.
//!
//! A file system may never get over a write that failed, although its disk works again. On ext4 (seen with Linux 6.12, not with 6.1) the
//! extent stays unwritten while its page stays mapped: the same bytes are written again, `fsync` answers success, and the disk reads as
//! zeroes there. Only new blocks, of a new inode, end that. So after some tries in vain the `-wal` is copied as memory has it: written to a
//! new file beside it, flushed, read back from the disk, and only then renamed over the old one. Where the log's own file does not keep what
//! is written, it is copied as well.
//!
//! # Who else has the log open
//! A connection to a log in WAL mode holds SQLite's shared lock on the log's file for as long as it lives (`sqlite3PagerSharedLock`,
//! `pager_unlock`). Here that lock is taken alone: no process reads while files change their places, so none goes on with an old `-wal`
//! beside the new one, and a new reader waits. A connection that opened the old file and has not read from it yet must not do so any more,
//! because nothing is added to that file: its lock is kept until such a connection has given up ([`Forsaken`]).
//!
//! # A power cut
//! Each file is a copy of the one whose name it takes, byte by byte: whichever of the names was changed, the log is the same. What was
//! confirmed is on the disk in both. What was not is recorded anew.

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
use super::on_disk::{self, CHUNK, DirectFile};
use super::{BUSY, beside};
use crate::file::directory_of;
use crate::station::units::to_u64;

/// How long readers are waited for: none of ours reads longer, and whoever does is found in the error.
const PATIENCE: Duration = Duration::from_secs(2);

/// So often in vain the log is settled where it is.
const TRIES: u32 = 3;

/// What must be left on the disk beside the copies: the next events, and what others write there meanwhile.
const LEFT: u64 = 16 << 20;

/// Where SQLite's locks are in the log's file: the byte that keeps new readers out, and all the bytes from it on that readers and
/// writers hold (sqlite.org/src, `os.h`, `PENDING_BYTE`).
const PENDING: i64 = 0x4000_0000;
const LOCK_BYTES: i64 = 512;

/// Which files are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// What was not moved to the log's file yet.
    Wal,
    /// That and the log's file.
    Both,
}

impl Which {
    /// What is renewed after so many tries in vain: nothing most of the time, because a copy is a burden to a disk that fails.
    pub(super) fn after(vain: u32) -> Option<Self> {
        match vain % (2 * TRIES) {
            0 if vain > 0 => Some(Self::Both),
            TRIES => Some(Self::Wal),
            _ => None,
        }
    }
}

/// What was done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The copies are there, under names of their own.
    Written,
    /// They were flushed and read back.
    Proven,
    /// The log's file is the copy.
    FileRenamed,
    /// The `-wal` is the copy.
    WalRenamed,
    /// The names are on the disk.
    NamesFlushed,
    /// What readers shared is gone.
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
    /// Every process that had opened the old file has given up.
    pub(super) fn is_past(&self) -> bool {
        self.since.elapsed() > 4 * BUSY
    }
}

/// The files of one log, of which this process has no connection.
#[derive(Debug)]
pub(super) struct Renewal<'a> {
    path: &'a Path,
    which: Which,
    /// What became of the log's file, also where the renewal did not come to its end.
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

    /// Copies the files and puts the copies in their places.
    ///
    /// # Errors
    /// Where there is no room, somebody reads, or the disk does not do it. The log is what it was, under old names or new ones.
    pub(super) fn carry_out(&mut self) -> Result<(), LogError> {
        let failed = |error| LogError::io(Doing::Renewing, self.path, error);
        let old = OpenOptions::new().read(true).write(true).open(self.path).map_err(failed)?;
        alone(&old, self.path)?;
        let wal = beside::name(self.path, "-wal");
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
        // Nobody reads the new file either before all is done.
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
        // Nobody has it mapped. The next connection makes it anew from the `-wal`.
        remove(&beside::name(self.path, "-shm"))?;
        self.did(Step::Unshared)
    }

    /// It is on the disk, as it was read from memory.
    fn prove(&self, copy: &Copy<'_>) -> io::Result<()> {
        copy.file.sync_all()?;
        let there = self.on_disk(copy);
        if on_disk::hash_of(&mut DirectFile::open(&there, CHUNK)?, u64::MAX)? == copy.hash && fs::metadata(&there)?.len() == copy.length {
            return Ok(());
        }
        Err(not_there("a copy of it"))
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

/// A copy that is not in its place yet.
#[derive(Debug)]
struct Copy<'a> {
    of: &'a Path,
    new: PathBuf,
    file: File,
    hash: blake3::Hash,
    length: u64,
}

impl<'a> Copy<'a> {
    fn write(of: &'a Path) -> io::Result<Self> {
        let new = new_name(of);
        let original = File::open(of)?;
        let metadata = original.metadata()?;
        // One that an earlier process did not come to the end of.
        remove(&new)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&new)?;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (metadata.uid(), metadata.gid()) {
            fchown(&file, Some(Uid::from_raw(metadata.uid())), Some(Gid::from_raw(metadata.gid())))?;
        }
        file.set_permissions(fs::Permissions::from_mode(metadata.permissions().mode() & 0o777))?;
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
        Ok(Self { of, new, file, hash: hasher.finalize(), length })
    }
}

/// Writes the names of the log's files to the disk.
///
/// After an error the block they stand in may be the old one there and count as clean: a name that comes and goes makes it be written.
///
/// # Errors
/// What the kernel answered.
pub(super) fn flush_names(path: &Path) -> io::Result<()> {
    let passing = beside::name(path, ".new");
    // On a full disk there may be no room for it. Then nothing was written there that could have failed.
    if File::create(&passing).is_ok() {
        remove(&passing)?;
    }
    File::open(directory_of(path))?.sync_all()
}

/// Removes what a process that was killed left of a renewal. The log must be nobody else's.
pub(super) fn clear(path: &Path) {
    for name in [path.to_owned(), beside::name(path, "-wal")] {
        let _not_there = fs::remove_file(new_name(&name));
    }
}

/// A name that is not there is as good.
fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn new_name(name: &Path) -> PathBuf {
    beside::name(name, ".copy")
}

/// Takes all of SQLite's locks on the log's file.
fn alone(file: &File, path: &Path) -> Result<(), LogError> {
    let failed = |error| LogError::io(Doing::Renewing, path, error);
    let until = Instant::now() + PATIENCE;
    // As SQLite does: the first byte keeps new readers out while the last ones end.
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

/// False where another process holds one of these bytes. The lock is the descriptor's: no other one of this process ends it.
fn try_lock(file: &File, from: i64, bytes: i64) -> io::Result<bool> {
    let short = |word: libc::c_int| libc::c_short::try_from(word).map_err(io::Error::other);
    let range = libc::flock { l_type: short(libc::F_WRLCK)?, l_whence: short(libc::SEEK_SET)?, l_start: from, l_len: bytes, l_pid: 0 };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&range)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}
