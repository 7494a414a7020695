//! Identifies a file and its version. A changed file differs in at least one of these facts, above all in `ctime`, which no program can
//! set.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use nix::libc;
use serde::{Deserialize, Serialize};

/// A file at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileVersion {
    device: u64,
    inode: u64,
    length: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl FileVersion {
    /// Identifies the file that is at `path` now.
    ///
    /// # Errors
    /// The error of the kernel.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
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
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// Waits until this version has at least this age.
    pub(crate) fn rest(&self, least: Duration) {
        let (seconds, nanoseconds) = self.ctime;
        let changed = Duration::from_secs(seconds.unsigned_abs()) + Duration::from_nanos(nanoseconds.unsigned_abs());
        let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + changed).unwrap_or_default();
        thread::sleep(least.saturating_sub(age));
    }
}

/// Both exist, and are the same file.
#[must_use]
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((FileVersion::of(one), FileVersion::of(other)), (Ok(one), Ok(other)) if one.is_same_file(&other))
}

/// Opens a regular file for reading. Nothing else is opened: opening a pipe would wait for a writer, and a device may have no end.
///
/// # Errors
/// The error of the kernel; and [`is_no_file`] if there is something else.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // A device is not even opened, because opening alone may have an effect. If it is replaced in between, the opening does not wait.
    let is_file = |metadata: fs::Metadata| if metadata.is_file() { Ok(()) } else { Err(io::Error::other(NoFile)) };
    is_file(fs::metadata(path)?)?;
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    is_file(file.metadata()?)?;
    Ok(file)
}

/// The error says that there is something else than a regular file.
#[must_use]
pub(crate) fn is_no_file(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<NoFile>())
}

/// A directory, a pipe, a socket or a device.
#[derive(Debug, thiserror::Error)]
#[error("not a regular file")]
struct NoFile;

/// The directory of the file at `path`, as it is named.
#[must_use]
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn a_pipe_a_device_and_a_directory_are_no_files_and_nobody_waits_for_them() {
        let directory = tempfile::tempdir().expect("a directory");
        let pipe = directory.path().join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU).expect("made");
        for path in [&pipe, Path::new("/dev/zero"), directory.path()] {
            let error = open(path).expect_err("no file");
            assert!(is_no_file(&error), "{}: {error}", path.display());
        }
        let missing = open(&directory.path().join("missing")).expect_err("not there");
        assert!(missing.kind() == io::ErrorKind::NotFound && !is_no_file(&missing));
        let (path, mut text) = (directory.path().join("file"), String::new());
        fs::write(&path, "text").expect("written");
        open(&path).and_then(|mut file| file.read_to_string(&mut text)).expect("read");
        assert_eq!(text, "text");
    }
}
