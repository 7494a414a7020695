//! Why a backup was not made, or cannot be restored: what was being done, to what, and the cure.

use std::io;
use std::path::{Path, PathBuf};

use crate::ledger::{Flaw, LogError, Relation};

/// An error of a backup.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    /// The folder does not exist.
    #[error("the folder {} is not there: mount its disk, or create it", folder.display())]
    NoFolder {
        /// The folder that was named.
        folder: PathBuf,
    },
    /// Its disk is missing.
    #[error(
        "the folder {}: nothing is mounted on {}, where its disk belongs: check that disk, then run: mount {}",
        folder.display(), point.display(), point.display()
    )]
    NotMounted {
        /// The folder that was named.
        folder: PathBuf,
        /// The place where its disk belongs.
        point: PathBuf,
    },
    /// Another process makes a backup there.
    #[error("another backup is being made in {}: wait until it is done", folder.display())]
    Busy {
        /// The folder that was named.
        folder: PathBuf,
    },
    /// The disk has too little room.
    #[error("{} has room for {free} MB, and the flash log needs {needed} MB: make room, or name another disk", folder.display())]
    NoRoom {
        /// The folder that was named.
        folder: PathBuf,
        /// Megabytes that are free, rounded down.
        free: u64,
        /// Megabytes that are needed, rounded up.
        needed: u64,
    },
    /// The system refused something.
    #[error("{doing} {}: {cure}", path.display())]
    Io {
        /// What was being done, as "writing".
        doing: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// What to do about it.
        cure: &'static str,
        /// The error of the system.
        source: io::Error,
    },
    /// The log cannot be read or copied.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log was tampered with, or is damaged.
    #[error("the flash log {} does not hold, and no backup is made of it: {flaw}; keep the file as evidence, and the earlier backups", log.display())]
    Flawed {
        /// The log that was to be copied.
        log: PathBuf,
        /// The first thing that is wrong with it.
        flaw: Flaw,
    },
    /// The disk does not hold what was written.
    #[error("{} does not read back from its disk as it was written: do not trust that disk, and use another one", path.display())]
    NotKept {
        /// The file that reads differently.
        path: PathBuf,
    },
    /// There is no manifest.
    #[error("{} is no finished backup, as it has no backup.json: name a folder that `flashline backup` or `flashline move` made", folder.display())]
    NoManifest {
        /// The folder that was named.
        folder: PathBuf,
    },
    /// The manifest has another form.
    #[error("the backup {} is damaged: its backup.json cannot be understood; use another backup", folder.display())]
    BadManifest {
        /// The folder that was named.
        folder: PathBuf,
        /// What is wrong with it, if JSON says so.
        source: Option<serde_json::Error>,
    },
    /// A newer program made it.
    #[error("the backup {} was made by a newer version (format {found}): install that version", folder.display())]
    Newer {
        /// The folder that was named.
        folder: PathBuf,
        /// The format of its manifest.
        found: u32,
    },
    /// A file is not the one of the manifest.
    #[error("the backup {} is damaged: {file} is not the file that was written to it; use another backup", folder.display())]
    Damaged {
        /// The folder that was named.
        folder: PathBuf,
        /// The file that differs.
        file: String,
    },
    /// A file of the manifest is missing.
    #[error(
        "the backup {} is damaged: {file} is missing in it; put the file back from where the folder was copied, or use another backup",
        folder.display()
    )]
    Missing {
        /// The folder that was named.
        folder: PathBuf,
        /// The file that is missing.
        file: String,
    },
    /// The chain of its log does not hold.
    #[error("the flash log in the backup {} does not hold: {flaw}; keep the folder as evidence, and use another backup", folder.display())]
    FlawedBackup {
        /// The folder that was named.
        folder: PathBuf,
        /// The first thing that is wrong with the log.
        flaw: Flaw,
    },
    /// There is a log in its place.
    #[error(
        "a flash log is already at {}{}: nothing is changed. If it is to be replaced, stop the station and move flash-log.db, flash-log.db-wal \
         and flash-log.db-shm together to another place first",
        path.display(), related(relation.as_ref())
    )]
    LogThere {
        /// The log that is there.
        path: PathBuf,
        /// How it relates to that of the backup, if that is known.
        relation: Option<Relation>,
    },
    /// A part of another log is in its place.
    #[error("{} is left of another flash log, and holds events of it: move it to where the rest of that log is", path.display())]
    Rest {
        /// The file that is left.
        path: PathBuf,
    },
}

impl BackupError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), cure: cure(&source), source }
    }
}

fn cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full; make room on it",
        io::ErrorKind::ReadOnlyFilesystem => {
            "it may only be read; mount its disk for writing. The service writes below /srv, /mnt and /media: for other places allow it with \
             ReadWritePaths="
        }
        io::ErrorKind::PermissionDenied => "do it as root, or give the folder to the user flashline",
        io::ErrorKind::FileTooLarge => "its file system takes no file of this size, as FAT takes none over 4 GB; use another one",
        io::ErrorKind::NotFound => "it is not there; check that its disk is mounted",
        io::ErrorKind::NotADirectory => "it is no folder; name one",
        _ => "check that disk",
    }
}

/// How the log that is there relates to that of the backup.
fn related(relation: Option<&Relation>) -> String {
    match relation {
        None => String::new(),
        Some(Relation::Same { events }) => format!(", the same history as in the backup ({events} events)"),
        Some(Relation::OtherIsBeginning { lacks }) => format!(", the same history as in the backup with {lacks} events more"),
        Some(Relation::OtherGoesOn { more }) => format!(", the same history as in the backup without its newest {more} events"),
        Some(Relation::Forked { after, here, there }) => {
            format!(", which forked from that of the backup after event {after} (it has {here} events behind it, the backup {there})")
        }
        Some(Relation::InArchives { until }) => format!(", a log whose events up to {until} are archived, which were not compared"),
        Some(Relation::Strangers { .. }) => ", a log with another history than that of the backup".to_owned(),
    }
}
