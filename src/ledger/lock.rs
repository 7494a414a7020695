//! The lock that lets one process at a time write the log.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::error::{Doing, LogError, LogProblem};
use crate::file::beside;

/// One writer at a time. A separate lock file: closing any descriptor of the database would drop SQLite's own locks on it (`fcntl(2)`), and
/// SQLite's exclusive mode would exclude the readers.
pub(super) fn lock(path: &Path) -> Result<Flock<File>, LogError> {
    let opening = |error| LogError::io(Doing::Opening, path, error);
    is_a_file(path, Doing::Opening)?;
    let name = beside(path, ".lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o640).open(name).map_err(opening)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => LogError::new(Doing::Opening, path, LogProblem::InUse),
        errno => opening(errno.into()),
    })
}

/// Refuses an entry that is not a file. A device has a length of zero, so SQLite would treat it as a new file and write over a disk.
pub(super) fn is_a_file(path: &Path, doing: Doing) -> Result<(), LogError> {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(LogError::new(doing, path, LogProblem::Directory)),
        Ok(there) if !there.is_file() => Err(LogError::new(doing, path, LogProblem::NotAFile)),
        // The caller that opens it reports all other errors.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Keeps every station from writing this log as long as the result lives. `None` if no station ever wrote it.
///
/// # Errors
/// If a station writes it ([`LogProblem::InUse`]), or that cannot be determined.
pub(crate) fn hold(path: &Path) -> Result<Option<LockedLog>, LogError> {
    if !path.exists() {
        return Ok(None);
    }
    lock(path).map(|lock| Some(LockedLog { _lock: lock }))
}

/// A log that no station can write while this value lives. Made by [`hold`].
#[derive(Debug)]
pub(crate) struct LockedLog {
    _lock: Flock<File>,
}
