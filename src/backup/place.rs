//! Puts a configuration in its place: whole or not at all, with a copy of the file that was there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::BackupError;
use crate::file::{Access, beside, directory_of, replace};

/// Writes a configuration, byte by byte as it was. A file that is there keeps its owner and mode, and is kept as a copy beside it. Returns
/// the copy; `None` if there was no file, or one with the same contents.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn place_configuration(path: &Path, bytes: &[u8]) -> Result<Option<PathBuf>, BackupError> {
    let failed = |source| BackupError::io("writing the configuration", path, source);
    // A link stays a link.
    let place = fs::canonicalize(path).unwrap_or_else(|_absent| path.to_owned());
    let before = match fs::read(&place) {
        Ok(before) => Some(before),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    if before.as_deref() == Some(bytes) {
        return Ok(None);
    }
    fs::create_dir_all(directory_of(&place)).map_err(failed)?;
    let copy = before.map(|before| {
        let copy = beside(&place, &jiff::Timestamp::now().strftime(".%Y%m%dT%H%M%SZ.bak").to_string());
        replace(&copy, Access::Like(&place), &before).map(|()| copy)
    });
    let copy = copy.transpose().map_err(failed)?;
    replace(&place, Access::Like(&place), bytes).map_err(failed)?;
    Ok(copy)
}
