//! Staging: unpacks and hashes an image once and keeps the raw copy under its digest, where it never changes again.
//!
//! ```text
//! STORE/<blake3>.img    raw, sparse by content, read-only, renamed into place after fsync; locked while in use, its mtime the last use
//! STORE/<blake3>.json   its map and extents, and the source files it was made from
//! ```
//! A source file that is unchanged (device, inode, length, mtime, ctime) since it was staged is not unpacked again.

mod sidecar;
mod source;
#[cfg(test)]
pub(super) mod tests;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::intake::Keep;
pub use super::intake::StagingProgress;
use super::layout::{FIRST_BYTES, Layout};
use super::map::ZeroValues;
use super::{ImageError, Staged, store};
use crate::file::{FileVersion, flush_directory};
use crate::station::outcome::Digest;
use crate::station::units::{Bytes, to_usize};
use sidecar::Sidecar;
pub use source::SourceImage;
use source::settled;

/// Beginnings of the names of incomplete files: images, sidecars.
const UNFINISHED: [&str; 2] = [".staging-", ".sidecar-"];
/// Every user may read a staged image, and none may write to it.
const READ_ONLY: u32 = 0o444;

/// Unpacks `source` into the directory `store`, or finds it there.
///
/// # Errors
/// If the source cannot be read completely, or the copy cannot be written. No incomplete file stays in the store.
pub fn stage(source: &Path, store: &Path, progress: &mut dyn StagingProgress) -> Result<Staged, ImageError> {
    stage_after(|_source| Ok(()), source, store, progress)
}

/// The same, but fails at once if its first bytes show that it is not a disk image: that saves the minutes that unpacking would take.
///
/// # Errors
/// As for [`stage`], and the kind of file that it is instead.
pub(crate) fn stage_disk_image(source: &Path, store: &Path, progress: &mut dyn StagingProgress) -> Result<Staged, ImageError> {
    stage_after(SourceImage::refuse_at_sight, source, store, progress)
}

fn stage_after(
    look: impl FnOnce(&mut SourceImage) -> Result<(), ImageError>,
    source: &Path,
    store: &Path,
    progress: &mut dyn StagingProgress,
) -> Result<Staged, ImageError> {
    fs::create_dir_all(store).map_err(|error| ImageError::Store { path: store.to_owned(), source: error })?;
    let identity = settled(source)?;
    if let Some(found) = find(store, source, &identity) {
        found.note_use();
        return Ok(found);
    }
    let mut source = SourceImage::open_as(source, identity)?;
    look(&mut source)?;
    store::make_room(store, least_needed(&source.path)?)?;
    let stored = |error| ImageError::Store { path: store.to_owned(), source: error };
    let copy = tempfile::Builder::new().prefix(UNFINISHED[0]).tempfile_in(store).map_err(stored)?;
    let read = source.read(Keep::Durably(copy.as_file()), store, progress)?;
    let digest = read.map.root();
    let path = store.join(format!("{digest}.img"));
    copy.as_file().set_len(read.map.span().0).map_err(stored)?;
    copy.as_file().set_permissions(Permissions::from_mode(READ_ONLY)).map_err(stored)?;
    copy.as_file().sync_all().map_err(stored)?;
    // Locked before it gets its name, so that no process treats it as unused.
    copy.as_file().lock_shared().map_err(stored)?;
    let written = copy.persist(&path).map_err(|error| ImageError::Store { path: path.clone(), source: error.error })?;
    let sidecar = store.join(format!("{digest}.json"));
    Sidecar::new(&read.map, &read.extents, source.version, Sidecar::read(&sidecar)).write(&sidecar).map_err(stored)?;
    flush_directory(store).map_err(stored)?;
    let file = store::open(&path).ok_or_else(|| ImageError::Store { path: path.clone(), source: io::ErrorKind::NotFound.into() })?;
    drop(written);
    store::note_use(&file, store);
    let staged = Staged::new(file, path, &source.path, read.map, read.extents, read.layout, read.zeroes)?;
    if let Err(error) = staged.compare() {
        // Otherwise the next start would find and arm it without reading its bytes.
        store::discard(&staged.path);
        return Err(error);
    }
    Ok(staged)
}

/// The staged copy of `source`, if the store already has it.
#[must_use]
pub(crate) fn find_staged(source: &Path, store: &Path) -> Option<Staged> {
    let found = find(store, source, &settled(source).ok()?)?;
    found.note_use();
    Some(found)
}

/// The staged copy with this digest, if the store has it, whatever `source` holds now.
#[must_use]
pub(crate) fn find_digest(digest: Digest, source: &Path, store: &Path) -> Option<Staged> {
    let found = staged_of(&store.join(format!("{digest}.json")), source, |_| true)?;
    found.note_use();
    Some(found)
}

/// The least space for a copy of `source`: a packed file is hardly ever longer than its contents, and a raw one may have holes.
fn least_needed(source: &Path) -> Result<Bytes, ImageError> {
    let metadata = fs::metadata(source).map_err(|error| ImageError::Open { path: source.to_owned(), source: error })?;
    Ok(Bytes((metadata.blocks() * 512).min(metadata.len())))
}

/// Removes the files that a killed staging left in `store`. Call it only if no other program stages there.
pub(crate) fn sweep(store: &Path) {
    let Ok(entries) = fs::read_dir(store) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let unfinished = UNFINISHED.iter().any(|prefix| name.to_str().is_some_and(|name| name.starts_with(prefix)));
        if unfinished && let Err(error) = fs::remove_file(entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "an unfinished staged image stays");
        }
    }
}

/// A staged copy that was made from exactly this source file.
fn find(store: &Path, source: &Path, identity: &FileVersion) -> Option<Staged> {
    let sidecars = fs::read_dir(store).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    sidecars
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .find_map(|path| staged_of(&path, source, |sidecar| sidecar.sources.contains(identity)))
}

/// The staged copy beside this sidecar, if the sidecar is the wanted one, and its map leads to the digest in its name.
fn staged_of(sidecar_path: &Path, source: &Path, is_wanted: impl FnOnce(&Sidecar) -> bool) -> Option<Staged> {
    let sidecar = Sidecar::read(sidecar_path).filter(is_wanted)?;
    let (map, extents) = (sidecar.map()?, sidecar.extents()?);
    let path: PathBuf = sidecar_path.with_extension("img");
    let file = store::open(&path)?;
    let intact = sidecar_path.file_stem()?.to_str()? == map.root().to_string() && file.metadata().ok()?.len() == map.span().0;
    let mut first = vec![0; to_usize(map.span().0.min(FIRST_BYTES))];
    file.read_exact_at(&mut first, 0).ok()?;
    let layout = Layout::of(&first, map.span());
    let zeroes = ZeroValues::new(map.len());
    intact.then(|| Staged::new(file, path, source, map, extents, layout, zeroes).ok()).flatten()
}
