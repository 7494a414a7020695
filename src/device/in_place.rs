//! Sets how a file system stores a file: written in place.

use std::fs::File;
use std::io;
use std::path::Path;

use super::ioctl;

/// Files that are made in this directory from now on are written in place, even if the file system otherwise gives each write new blocks.
///
/// # Errors
/// The error of the kernel.
pub(crate) fn write_in_place(directory: &Path) -> io::Result<()> {
    ioctl::write_in_place(&File::open(directory)?)
}
