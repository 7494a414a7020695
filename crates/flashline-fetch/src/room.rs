//! Is there room on the disk, and does enough of it stay free for others?

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::error::{Bytes, FetchError};

/// Checks that `more` bytes fit into this directory.
///
/// # Errors
/// If less than `kept` would stay free.
pub(crate) fn check(directory: &Path, more: u64, kept: Bytes) -> Result<(), FetchError> {
    let disk = statvfs(directory).map_err(|errno| FetchError::Here {
        doing: "asking for the free space of",
        path: directory.to_owned(),
        source: errno.into(),
    })?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    let needs = more.saturating_add(kept.0);
    if free >= needs {
        return Ok(());
    }
    Err(FetchError::NoRoom { directory: directory.to_owned(), free: Bytes(free), needs: Bytes(needs), kept })
}
