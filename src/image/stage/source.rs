//! The file that an image is made from: opened once, and counted only if it stayed the same file until its last byte was read.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::file::FileVersion;
use crate::image::intake::{Keep, StagingProgress, TakenIn, take_in};
use crate::image::packing::Opened;
use crate::image::{ImageError, Staged};

/// A source file that was opened once, with its kind and its version.
#[derive(Debug)]
pub struct SourceImage {
    pub(super) path: PathBuf,
    /// Identified before it was opened, so that a replacement in between is noticed.
    pub(super) version: FileVersion,
    opened: Opened,
}

impl SourceImage {
    /// Opens it.
    ///
    /// # Errors
    /// If it cannot be opened, or is not a file that can contain an image.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        Self::open_as(path, settled(path)?)
    }

    pub(super) fn open_as(path: &Path, version: FileVersion) -> Result<Self, ImageError> {
        Ok(Self { path: path.to_owned(), version, opened: Opened::open(path)? })
    }

    /// Refuses a file whose first bytes show that it is not a disk image.
    ///
    /// # Errors
    /// If it cannot be read, or is not a disk image.
    pub(crate) fn refuse_at_sight(&mut self) -> Result<(), ImageError> {
        self.opened.refuse_at_sight(&self.path)
    }

    /// Are the file's bytes those of the image?
    #[must_use]
    pub(crate) fn is_raw(&self) -> bool {
        self.opened.packing.is_raw()
    }

    /// Uses a raw image in its place: hashed, not copied. For `flashline flash`, which writes it now. If the file changes later, the
    /// read-back detects it, because the card is compared with the map made here.
    ///
    /// # Errors
    /// If it cannot be read, or is packed.
    pub fn in_place(mut self, progress: &mut dyn StagingProgress) -> Result<Staged, ImageError> {
        let path = self.path.clone();
        let read = self.read(Keep::Nothing, &path, progress)?;
        let packed = || ImageError::Open { path: path.clone(), source: io::Error::new(io::ErrorKind::InvalidInput, "it is packed") };
        let file = self.opened.into_raw().ok_or_else(packed)?;
        Staged::new(file, path.clone(), &path, read.map, read.extents, read.layout, read.zeroes)
    }

    /// Unpacks into a file without a name in `directory`, which disappears with the value or the process.
    ///
    /// # Errors
    /// If it cannot be read completely, or the copy cannot be written.
    pub fn for_now(mut self, directory: &Path, progress: &mut dyn StagingProgress) -> Result<Staged, ImageError> {
        let stored = |error| ImageError::Store { path: directory.to_owned(), source: error };
        let file = tempfile::tempfile_in(directory).map_err(stored)?;
        let read = self.read(Keep::Copy(&file), directory, progress)?;
        file.set_len(read.map.span().0).map_err(stored)?;
        let staged = Staged::new(file, self.path.clone(), &self.path, read.map, read.extents, read.layout, read.zeroes)?;
        staged.compare()?;
        Ok(staged)
    }

    pub(super) fn read(&mut self, keep: Keep<'_>, place: &Path, progress: &mut dyn StagingProgress) -> Result<TakenIn, ImageError> {
        let read = take_in(&self.path, &mut self.opened, keep, place, progress);
        unchanged(&self.path, &self.version, read)
    }
}

/// The result counts only if the file behind the path is still the same: not written to, and not replaced by another. A decoder's error
/// about a file that changed meanwhile is irrelevant.
fn unchanged(source: &Path, identity: &FileVersion, read: Result<TakenIn, ImageError>) -> Result<TakenIn, ImageError> {
    match read {
        Err(error @ (ImageError::Store { .. } | ImageError::NoRoom { .. } | ImageError::NoScratch { .. } | ImageError::Thread { .. })) => {
            Err(error)
        }
        _ if version(source).ok().as_ref() != Some(identity) => Err(ImageError::Changed { path: source.to_owned() }),
        read => read,
    }
}

/// A file system's clock may stand still for a tick of the kernel, at most 10 ms: two writes within one have the same times.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// Waits until a later write cannot have the same times as the one before.
pub(super) fn settled(path: &Path) -> Result<FileVersion, ImageError> {
    version(path)?.rest(CLOCK_TICK);
    version(path)
}

fn version(path: &Path) -> Result<FileVersion, ImageError> {
    FileVersion::of(path).map_err(|source| ImageError::Open { path: path.to_owned(), source })
}
