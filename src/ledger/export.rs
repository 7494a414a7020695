//! A consistent copy of a log, made while its station writes, and proved before it gets its name.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::chain::{self, Break, Head};
use super::error::{Doing, LogError, LogProblem};
use super::reader::LogReader;

/// As the log itself: its owner writes it, its group reads it.
const MODE: u32 = 0o640;

impl LogReader {
    /// Copies the log as it stands now to the new file `to`, proves the copy's chain, and puts it on disk. The copy is one file that
    /// needs no other beside it. Nothing stays of one that could not be finished; one whose chain does not hold is kept, as
    /// evidence, and the break is told.
    ///
    /// # Errors
    /// Where the log cannot be read, or the copy not be made; a file that is there already is not touched.
    pub fn export(&self, to: &Path) -> Result<Result<Head, Break>, LogError> {
        let failed = |error| LogError::io(Doing::Copying, to, error);
        if to.symlink_metadata().is_ok() {
            return Err(LogError::new(Doing::Copying, to, LogProblem::Exists));
        }
        let to = std::path::absolute(to).map_err(failed)?;
        let directory = to.parent().ok_or_else(|| LogError::new(Doing::Copying, &to, LogProblem::Exists))?;
        // Beside its place, under a name of its own: whoever finds the copy finds all of it.
        let copy = tempfile::Builder::new()
            .prefix(".flash-log-")
            .permissions(std::fs::Permissions::from_mode(MODE))
            .tempfile_in(directory)
            .map_err(failed)?;
        let name = copy.path().to_str().ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
        self.copy_into(name).map_err(|error| LogError::sqlite(Doing::Copying, &to, error))?;
        let copied = Self::open(copy.path())?;
        let verdict = copied.verify()?;
        if let Ok(head) = verdict {
            // The copy stands alone and holds; it must be a copy of this log, too.
            let at = i64::try_from(head.count).unwrap_or(i64::MAX);
            let original = self.within(|log| chain::at(log, at))?.map(|event| event.hash);
            if original != Some(head.hash) {
                return Err(LogError::new(Doing::Copying, &to, LogProblem::Corrupt));
            }
        }
        drop(copied);
        copy.as_file().sync_all().map_err(failed)?;
        copy.persist_noclobber(&to).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => LogError::new(Doing::Copying, &to, LogProblem::Exists),
            _ => LogError::io(Doing::Copying, &to, error.error),
        })?;
        // Its name must survive a power cut as its contents do.
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| LogError::io(Doing::Copying, &to, error))?;
        Ok(verdict)
    }

    /// One view of the log from its beginning to its end: as long as the copying takes, the station's `-wal` only grows.
    fn copy_into(&self, name: &str) -> rusqlite::Result<()> {
        self.connection().execute("VACUUM INTO ?1", [name]).map(drop)
    }
}
