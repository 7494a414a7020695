//! Errors of a log: what was being done, to which file, the problem and its cure. The cause is the source.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::away::Away;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Opening a log for writing.
    Opening,
    /// Appending an event to the log.
    Writing,
    /// Reading events or rows.
    Reading,
    /// Making a copy; the file is that of the copy.
    Copying,
    /// Putting copies of a log's files in their places.
    Renewing,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opening => "opening",
            Self::Writing => "writing to",
            Self::Reading => "reading",
            Self::Copying => "copying the flash log to",
            Self::Renewing => "making new files for",
        })
    }
}

/// The problem, distinguished by its cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogProblem {
    /// The directory it should be in does not exist.
    NoDirectory,
    /// There is no such file.
    NoFile,
    /// It is a directory.
    Directory,
    /// It is a device, a pipe or a socket.
    NotAFile,
    /// The user may not read it.
    NotReadable,
    /// The user may not write to it.
    NotWritable,
    /// A copy would replace an existing file.
    Exists,
    /// The disk is full.
    DiskFull,
    /// The file is damaged.
    Corrupt,
    /// The file is not a flash log.
    NotALog,
    /// The file is a database of SQLite without contents: the contents of a new log may all be in the file beside it.
    Nothing,
    /// A newer program made it.
    Newer {
        /// The format of the file.
        found: i32,
        /// The newest format that this program knows.
        known: i32,
    },
    /// An older program made it, and a reader may not convert it.
    Older,
    /// Another process writes it.
    InUse,
    /// Another process kept it locked for longer than the limit.
    Locked,
    /// It is an archive of old months, and no station continues it.
    Archive,
    /// It belongs to another PC.
    OtherMachine,
    /// It has moved to another PC.
    MovedAway(Away),
    /// A move is to be taken back, and there was none.
    NotMoved,
    /// This PC has no machine-id.
    NoMachineId,
    /// The chain of its last events does not hold.
    Broken {
        /// The first event that does not hold.
        seq: u64,
    },
    /// It was moved, deleted or replaced while in use.
    Moved,
    /// Its contents forbid this entry: the attempt is already there.
    Contradicts,
    /// The disk answered with an error.
    Disk,
    /// None of the above: `source` has the error.
    Other,
}

impl fmt::Display for LogProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDirectory => f.write_str("no such directory; create it, or name another file"),
            Self::NoFile => f.write_str("no such file; the station makes it at its first start"),
            Self::Directory => f.write_str("is a directory; name the file in it, as flash-log.db"),
            Self::NotAFile => f.write_str("a device, a pipe or a socket, and no file; name a file"),
            Self::NotReadable => f.write_str("may not be read; do it as root or as a member of the group flashline"),
            Self::NotWritable => f.write_str("may not be written; check its owner, its mode and that its disk is not mounted read-only"),
            Self::Exists => f.write_str("that file is there already; name a new one"),
            Self::DiskFull => f.write_str("the disk is full; make room on it"),
            Self::Corrupt => f.write_str("the file is damaged; keep it, put a backup in its place or move it away to begin a new log"),
            Self::NotALog => f.write_str("not a flash log; name another file"),
            Self::Nothing => {
                f.write_str("no flash log, or one that was copied without the -wal file beside it: make a copy with `flashline log export`")
            }
            Self::Newer { found, known } => {
                write!(f, "made by a newer version (format {found}, this one knows {known}); install that version")
            }
            Self::Older => f.write_str("made by an older version; start the station once to bring it up to date"),
            Self::InUse => f.write_str("another process writes it; stop that one first"),
            Self::Locked => f.write_str("another process keeps it locked; close programs that have it open"),
            Self::Archive => f.write_str("an archive of old months, which is never written again; name the station's own log"),
            Self::OtherMachine => f.write_str(
                "it belongs to another PC (/etc/machine-id differs); move it away, and this PC begins a log of its own. \
                      To go on with it here, restore a backup of it with `flashline restore`",
            ),
            Self::MovedAway(away) => write!(
                f,
                "this log has moved to {away}; switch on the new PC, and leave this one off. If no PC has restored it, take the move back \
                 with `flashline move --undo`"
            ),
            Self::NotMoved => f.write_str("it has not moved away; there is nothing to take back"),
            Self::NoMachineId => f.write_str("this PC has no /etc/machine-id; run systemd-machine-id-setup"),
            Self::Broken { seq } => {
                write!(f, "event {seq} was tampered with; keep the file as evidence and move it away to begin a new log")
            }
            Self::Moved => f.write_str("it was moved, deleted or replaced while in use; put it back, or restart the station"),
            Self::Contradicts => f.write_str("the attempt is already recorded; this is a fault of the station"),
            Self::Disk => f.write_str("the disk answered with an error; check the disk"),
            Self::Other => f.write_str("it could not be done"),
        }
    }
}

/// An error of a log.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}{}: {problem}", if *doing == Doing::Copying { "" } else { "the flash log " }, path.display())]
pub struct LogError {
    /// What was being done.
    pub doing: Doing,
    /// The file concerned.
    pub path: PathBuf,
    /// The problem, and the cure.
    pub problem: LogProblem,
    /// The cause, in the words of SQLite or of the system.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl LogError {
    pub(super) fn new(doing: Doing, path: &Path, problem: LogProblem) -> Self {
        Self { doing, path: path.to_owned(), problem, source: None }
    }

    pub(super) fn io(doing: Doing, path: &Path, error: io::Error) -> Self {
        let problem = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => LogProblem::NoDirectory,
            io::ErrorKind::IsADirectory => LogProblem::Directory,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => denied(doing),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => LogProblem::DiskFull,
            _ => LogProblem::Disk,
        };
        Self { doing, path: path.to_owned(), problem, source: Some(Box::new(error)) }
    }

    pub(super) fn sqlite(doing: Doing, path: &Path, error: rusqlite::Error) -> Self {
        let problem = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => LogProblem::DiskFull,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => denied(doing),
            Some(ErrorCode::DatabaseCorrupt) => LogProblem::Corrupt,
            Some(ErrorCode::NotADatabase) => LogProblem::NotALog,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LogProblem::Locked,
            Some(ErrorCode::SystemIoFailure) => LogProblem::Disk,
            Some(ErrorCode::ConstraintViolation) => LogProblem::Contradicts,
            _ => LogProblem::Other,
        };
        Self { doing, path: path.to_owned(), problem, source: Some(Box::new(error)) }
    }

    /// The same, if new files could have helped but could not be made.
    #[must_use]
    pub(super) fn and_no_new_files(mut self, why: Option<&str>) -> Self {
        if let Some(why) = why {
            let cause = self.source.take().map(|source| format!("{source}; ")).unwrap_or_default();
            self.source = Some(format!("{cause}{why}").into());
        }
        self
    }

    /// The whole chain of causes in one line, for people.
    #[must_use]
    pub fn in_full(&self) -> String {
        let mut words = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            words.push_str(": ");
            words.push_str(&error.to_string());
            cause = error.source();
        }
        words
    }
}

fn denied(doing: Doing) -> LogProblem {
    match doing {
        Doing::Reading => LogProblem::NotReadable,
        Doing::Opening | Doing::Writing | Doing::Copying | Doing::Renewing => LogProblem::NotWritable,
    }
}

/// It was flushed successfully, but it is not on the disk.
pub(super) fn not_there(what: &str) -> io::Error {
    io::Error::other(format!("{what} is not on the disk, although the disk confirmed the flush"))
}
