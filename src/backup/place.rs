//! Puts a configuration in its place: whole or not at all, with a copy of the file that was there.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::error::BackupError;
use super::make::sync;
use crate::file::directory_of;

/// Every user may read a configuration, unless the one that is there says otherwise.
const MODE: u32 = 0o644;

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
    let directory = directory_of(&place);
    fs::create_dir_all(directory).map_err(failed)?;
    let copy = before.map(|before| {
        let mut copy = place.clone().into_os_string();
        copy.push(jiff::Timestamp::now().strftime(".%Y%m%dT%H%M%SZ.bak").to_string());
        let copy = PathBuf::from(copy);
        replace(&place, &copy, &before).map(|()| copy)
    });
    let copy = copy.transpose().map_err(failed)?;
    replace(&place, &place, bytes).map_err(failed)?;
    Ok(copy)
}

/// A file whole or not at all, with owner and mode of `like`, on disk when this returns.
fn replace(like: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = directory_of(path);
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    if let Ok(like) = fs::metadata(like) {
        chown(file.path(), Some(like.uid()), Some(like.gid()))?;
        file.as_file().set_permissions(like.permissions())?;
    } else {
        file.as_file().set_permissions(Permissions::from_mode(MODE))?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync(directory)
}
