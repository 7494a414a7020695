//! Why old months cannot be archived, or archives do not hold.

use std::fmt;
use std::path::PathBuf;

use super::super::error::LogError;
use super::super::proof::Flaw;

/// Why nothing was archived. The log is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// The log, an archive or the new log cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log does not hold.
    #[error("{}: {flaw}; nothing was archived: `flashline log verify` tells the same", path.display())]
    LogFlaw {
        /// The log that does not hold.
        path: PathBuf,
        /// What does not hold.
        flaw: Flaw,
    },
    /// A new file, which was just written, does not hold.
    #[error("{}: {words}; nothing was taken out of the log: check this disk", path.display())]
    NewFile {
        /// The new file of the log.
        path: PathBuf,
        /// What does not hold.
        words: String,
    },
    /// There is another file where an archive would be.
    #[error("{} is there already and has other events: {words}; name another directory", path.display())]
    Other {
        /// The file that is in its place.
        path: PathBuf,
        /// What is in it.
        words: String,
    },
    /// The directory is missing, or is none.
    #[error("{} is no directory: create it, or mount its disk", path.display())]
    NoFolder {
        /// The folder that was named.
        path: PathBuf,
    },
    /// Nothing is old enough.
    #[error("nothing to archive: {why}")]
    Nothing {
        /// The reason, in words.
        why: String,
    },
    /// An order began in these months, and is not stopped.
    #[error(
        "order {number} of {model} began in {month} and is not stopped: its cards must stay in the log. Archive the months before {month}, or \
         end the order: flashline order stop --model {model}"
    )]
    OpenOrder {
        /// The number of the order.
        number: u64,
        /// Its model, as BRAND/MODEL.
        model: String,
        /// The month in which it began.
        month: String,
    },
    /// A first card of these months waits for its approval.
    #[error(
        "the first card of {model} (attempt {attempt}, in {month}) waits for its approval: it must stay in the log. Archive the months before \
         {month}, or approve the card: flashline model approve"
    )]
    FirstCard {
        /// The model, as BRAND/MODEL.
        model: String,
        /// The attempt that made the card.
        attempt: u64,
        /// The month in which it was made.
        month: String,
    },
    /// The archives do not hold.
    #[error(transparent)]
    Flaw(#[from] ArchiveFlaw),
}

/// What does not hold of an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct ArchiveFlaw {
    /// The archive, with its directory.
    pub(crate) path: PathBuf,
    /// What is wrong with it.
    pub(crate) what: ArchiveProblem,
}

/// The problem of an archive, distinguished by its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArchiveProblem {
    /// There is no such file.
    Missing,
    /// It has the contents of another archive.
    Swapped {
        /// The name of that one.
        with: String,
    },
    /// Its events do not hold.
    Flaw(Flaw),
    /// It is no flash log, or cannot be read.
    Unreadable(String),
    /// Its events hold, but the file is not the one that was made.
    NotTheFile,
    /// Its events hold, but are not those that were archived.
    OtherEvents,
    /// An event that stayed in the log is another one in the archive.
    NotAsKept {
        /// The event that differs.
        seq: u64,
    },
}

impl fmt::Display for ArchiveFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match &self.what {
            ArchiveProblem::Missing => f.write_str("the archive is missing; name the directory that has it"),
            ArchiveProblem::Swapped { with } => write!(f, "the archive has the contents of {with}; give both their names back"),
            ArchiveProblem::Flaw(flaw) => {
                write!(f, "the archive was changed: {flaw}; take another copy of it, and keep this one as evidence")
            }
            ArchiveProblem::Unreadable(why) => write!(f, "the archive is damaged: {why}; take another copy of it"),
            ArchiveProblem::NotTheFile => {
                f.write_str("every event of the archive holds, but its bytes are not those that were written; take another copy of it")
            }
            ArchiveProblem::OtherEvents => {
                f.write_str("the file has other events than those that were archived; take another copy of the archive")
            }
            ArchiveProblem::NotAsKept { seq } => {
                write!(f, "event {seq}, which stayed in the log, is another one in the archive; keep both as evidence")
            }
        }
    }
}
