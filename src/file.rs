//! Where a file is, and which version of it: a changed one differs in at least one of these, `ctime` above all, which nobody can set.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// A file as it was at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileVersion {
    device: u64,
    inode: u64,
    length: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl FileVersion {
    /// The file that is at `path` now.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Both are versions of one file.
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// Waits until this version is at least so old.
    pub fn rest(&self, least: Duration) {
        let (seconds, nanoseconds) = self.ctime;
        let changed = Duration::from_secs(seconds.unsigned_abs()) + Duration::from_nanos(nanoseconds.unsigned_abs());
        let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + changed).unwrap_or_default();
        thread::sleep(least.saturating_sub(age));
    }
}

/// Both are there, and one file.
#[must_use]
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((FileVersion::of(one), FileVersion::of(other)), (Ok(one), Ok(other)) if one.is_same_file(&other))
}

/// The directory that the file at `path` is in, as it is named.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
