//! Identifies a file and its version; opens, digests, replaces and removes files, and names the files beside them.
//!
//! A changed file differs in at least one of the facts of its version, above all in `ctime`, which no program can set.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use nix::libc;
use serde::{Deserialize, Serialize};

/// The mode of a file that has no predecessor: every user may read it.
const MODE: u32 = 0o644;

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

/// The path of a file beside the one at `path`: the same name with `suffix` behind it.
#[must_use]
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// BLAKE3 of a regular file, and its length in bytes.
///
/// # Errors
/// As [`open`], and if it cannot be read.
pub(crate) fn digest(path: &Path) -> io::Result<(blake3::Hash, u64)> {
    let mut hasher = blake3::Hasher::new();
    let bytes = io::copy(&mut open(path)?, &mut hasher)?;
    Ok((hasher.finalize(), bytes))
}

/// The owner and the mode of a file that is put in its place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access<'f> {
    /// Those of this file; if it does not exist, the user of this process, and every user may read it.
    Like(&'f Path),
    /// The user of this process, and this mode.
    Mode(u32),
}

/// Puts a file with these contents at `path`, whole or not at all. Contents and name are on the disk when this returns. Until then it is
/// beside its place, under a name that begins with a dot and has no ending.
///
/// # Errors
/// The error of the kernel. What was at `path` is then unchanged, unless only its directory could not be flushed.
pub(crate) fn replace(path: &Path, access: Access<'_>, bytes: &[u8]) -> io::Result<()> {
    let directory = directory_of(path);
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    let permissions = match access {
        Access::Mode(mode) => Permissions::from_mode(mode),
        Access::Like(like) => match fs::metadata(like) {
            Ok(like) => {
                chown(file.path(), Some(like.uid()), Some(like.gid()))?;
                like.permissions()
            }
            Err(_no_predecessor) => Permissions::from_mode(MODE),
        },
    };
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    flush_directory(directory)
}

/// Removes a file. A name that does not exist is as good as removed.
///
/// # Errors
/// The error of the kernel.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Writes the names in a directory to its disk: they must survive a power cut, like the contents of their files.
///
/// # Errors
/// The error of the kernel.
pub(crate) fn flush_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
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
        assert_eq!(digest(&path).expect("read"), (blake3::hash(b"text"), 4));
    }

    #[test]
    fn a_replaced_file_keeps_its_mode_and_a_removed_one_may_be_missing() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        replace(&path, Access::Like(&path), b"one").expect("written");
        assert_eq!((fs::read(&path).expect("read"), mode(&path)), (b"one".to_vec(), MODE));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("ours");
        let copy = beside(&path, ".bak");
        replace(&copy, Access::Like(&path), b"one").expect("written");
        replace(&path, Access::Like(&path), b"two").expect("written");
        assert_eq!((fs::read(&path).expect("read"), mode(&path)), (b"two".to_vec(), 0o640));
        assert_eq!((copy.file_name().and_then(|name| name.to_str()), mode(&copy)), (Some("file.bak"), 0o640));
        replace(&copy, Access::Mode(0o600), b"three").expect("written");
        assert_eq!((fs::read(&copy).expect("read"), mode(&copy)), (b"three".to_vec(), 0o600), "whatever it had");
        for _ in 0..2 {
            remove(&copy).expect("removed");
        }
        let left: Vec<_> = fs::read_dir(directory.path()).expect("listed").map(|entry| entry.expect("an entry").path()).collect();
        assert_eq!(left, [path]);
    }
}
