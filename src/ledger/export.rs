//! Makes a consistent copy of a log while its station writes, and verifies it before it gets its name.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::chain::{self, Head};
use super::error::{Doing, LogError, LogProblem};
use super::new_file::NewFile;
use super::proof::Flaw;
use super::reader::LogReader;
use crate::file::flush_directory;

/// As the log itself: its owner may write to it, its group may read it.
const MODE: u32 = 0o640;

impl LogReader {
    /// Copies the log as it is now to the new file `to`, verifies the copy, and flushes it. The copy is one file that needs no other beside
    /// it. If the log's indexes do not agree with its events, the copy gets new ones. An unfinished copy is removed; one whose chain does
    /// not hold is kept as evidence, and the break is reported.
    ///
    /// # Errors
    /// If the log cannot be read, or the copy cannot be made. An existing file is not touched.
    pub(crate) fn export(&self, to: &Path) -> Result<Result<Head, Flaw>, LogError> {
        let failed = |error| LogError::io(Doing::Copying, to, error);
        if to.symlink_metadata().is_ok() {
            return Err(LogError::new(Doing::Copying, to, LogProblem::Exists));
        }
        let to = std::path::absolute(to).map_err(failed)?;
        let directory = to.parent().ok_or_else(|| LogError::new(Doing::Copying, &to, LogProblem::Exists))?;
        // Made beside its place under another name: a file with the copy's name is always complete.
        let copy = tempfile::Builder::new()
            .prefix(".flash-log-")
            .permissions(std::fs::Permissions::from_mode(MODE))
            .tempfile_in(directory)
            .map_err(failed)?;
        let name = copy.path().to_str().ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
        let copying = |error| LogError::sqlite(Doing::Copying, &to, error);
        let mut verdict = match self.copy_into(name).map_err(copying) {
            Ok(()) => Some(Self::open(copy.path())?.verify()?),
            Err(error) if error.problem == LogProblem::Corrupt => None,
            Err(error) => return Err(error),
        };
        // Pages of indexes are copied unchanged. The events can be read without them.
        if matches!(verdict, None | Some(Err(Flaw::File(_)))) {
            copy.as_file().set_len(0).map_err(failed)?;
            self.copy_events_into(copy.path()).map_err(copying)?;
            verdict = None;
        }
        let verdict = verdict.map_or_else(|| Self::open(copy.path())?.verify(), Ok)?;
        if let Ok(head) = &verdict {
            // The copy alone is valid; it must also be a copy of this log.
            let at = i64::try_from(head.count).unwrap_or(i64::MAX);
            let original = self.within(|log| chain::at(log, at))?.map(|event| event.hash);
            if original != Some(head.hash) {
                return Err(LogError::new(Doing::Copying, &to, LogProblem::Corrupt));
            }
        }
        copy.as_file().sync_all().map_err(failed)?;
        copy.persist_noclobber(&to).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => LogError::new(Doing::Copying, &to, LogProblem::Exists),
            _ => LogError::io(Doing::Copying, &to, error.error),
        })?;
        // Its name must survive a power cut, like its contents.
        flush_directory(directory).map_err(|error| LogError::io(Doing::Copying, &to, error))?;
        Ok(verdict)
    }

    /// One view of the log from its beginning to its end: during the copying, the station's `-wal` only grows.
    fn copy_into(&self, name: &str) -> rusqlite::Result<()> {
        self.connection().execute("VACUUM INTO ?1", [name]).map(drop)
    }

    /// The same into an empty file, from the tables alone: no other part of the log's file is read.
    fn copy_events_into(&self, copy: &Path) -> rusqlite::Result<()> {
        let page: i64 = self.connection().pragma_query_value(None, "page_size", |row| row.get(0))?;
        let new = NewFile::begin(copy, page)?;
        new.copy_events(self.path(), "true")?;
        new.with_log(
            self.path(),
            "INSERT INTO main.beginning SELECT * FROM log.beginning;
             INSERT INTO main.archived_card SELECT * FROM log.archived_card",
        )?;
        new.finish()
    }
}
