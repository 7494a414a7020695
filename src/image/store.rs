//! The store of staged images: knows which are in use, deletes unused ones above the limit, and checks whether there is room for one more.
//!
//! A process that has a staged image open holds a shared lock on it: an image that is armed, or being written to a card, is locked as long
//! as it is in use. Only an image without a lock may be deleted, least recently used first. An image's modification time is the time of its
//! last use; its bytes never change.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::statvfs::{fstatvfs, statvfs};

use super::ImageError;
use crate::station::units::{Bytes, MIB};

/// The unit of `st_blocks`, on every file system (POSIX leaves it open, Linux does not: stat(2)).
const ALLOCATED: u64 = 512;
/// The step by which a later use is marked as later, if the clock is too coarse.
const APART: Duration = Duration::from_millis(1);
/// The space that staging leaves free: the log on the same disk must not run out of it, and more than ten thousand attempts fit into this.
pub(super) const LEFT_FREE: Bytes = Bytes(16 * MIB);

/// Opens a staged image for use: it is not removed until it is closed again. `None` if it has just been removed.
pub(super) fn open(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    file.lock_shared().ok()?;
    // A process that removed it between the two lines had the lock before.
    (file.metadata().ok()?.nlink() > 0).then_some(file)
}

/// Records that this image is used now. A wrong clock does not reverse the order: no image is recorded before another.
pub(super) fn note_use(file: &File, store: &Path) {
    let newest = images(store).iter().map(|image| image.used).max();
    let now = newest.map_or_else(SystemTime::now, |newest| SystemTime::now().max(newest + APART));
    if let Err(error) = file.set_modified(now) {
        tracing::warn!(%error, store = %store.display(), "when a staged image was used could not be noted");
    }
}

/// Removes an image whose contents do not fit its name, with its sidecar. A process that has it open keeps it.
pub(super) fn discard(image: &Path) {
    for path in [image.with_extension("json"), image.to_owned()] {
        if let Err(error) = fs::remove_file(&path) {
            tracing::error!(path = %path.display(), %error, "a staged copy that is not the image stays in the store");
        }
    }
}

/// One image in the store.
struct Kept {
    path: PathBuf,
    size: Bytes,
    used: SystemTime,
}

/// Every image in the store, the least recently used first.
fn images(store: &Path) -> Vec<Kept> {
    let Ok(entries) = fs::read_dir(store) else { return Vec::new() };
    let image = |entry: fs::DirEntry| {
        let path = entry.path();
        let metadata =
            entry.metadata().ok().filter(|metadata| metadata.is_file() && path.extension().is_some_and(|ending| ending == "img"))?;
        Some(Kept { size: Bytes(metadata.blocks() * ALLOCATED), used: metadata.modified().ok()?, path })
    };
    let mut images: Vec<Kept> = entries.filter_map(Result::ok).filter_map(image).collect();
    images.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
    images
}

/// Removes unused images, least recently used first, until all together take no more than `limit` on the disk. Images in use stay, even if
/// they alone exceed it. Returns the remaining size.
pub(crate) fn trim(store: &Path, limit: Bytes) -> Bytes {
    let images = images(store);
    let mut left = images.iter().map(|image| image.size.0).sum::<u64>();
    for image in images {
        if left <= limit.0 {
            break;
        }
        if remove(&image) {
            left -= image.size.0;
        }
    }
    if left > limit.0 {
        tracing::warn!(store = %store.display(), kept = %Bytes(left), limit = %limit, "the images in use take more than the store's limit");
    }
    Bytes(left)
}

/// Makes sure that `needs` bytes can be written into the store, if need be by removing unused images.
///
/// # Errors
/// If there is still not enough room: the missing bytes.
pub(super) fn make_room(store: &Path, needs: Bytes) -> Result<(), ImageError> {
    let free = || statvfs(store).map(|fs| Bytes(fs.blocks_available() * fs.fragment_size()));
    make_room_in(store, needs, || free().map_err(|errno| ImageError::Store { path: store.to_owned(), source: errno.into() }))
}

fn make_room_in(store: &Path, needs: Bytes, free: impl Fn() -> Result<Bytes, ImageError>) -> Result<(), ImageError> {
    let wanted = needs.0.saturating_add(LEFT_FREE.0);
    let mut unused = images(store).into_iter();
    loop {
        let free = free()?;
        if free.0 >= wanted {
            return Ok(());
        }
        // The free space is read again: the file system decides how much a removed image frees.
        if !unused.by_ref().any(|image| remove(&image)) {
            return Err(ImageError::NoRoom { path: store.to_owned(), missing: Bytes(wanted - free.0), free });
        }
    }
}

/// Called while an image is unpacked, whose length is not known before: other files on the disk must not run out of room.
///
/// # Errors
/// `ENOSPC` as soon as less than the reserve is free.
pub(super) fn leave_room(file: &File) -> io::Result<()> {
    if free(file)? < LEFT_FREE.0 { Err(nix::errno::Errno::ENOSPC.into()) } else { Ok(()) }
}

/// The free space on the disk of the file.
pub(super) fn free(file: &File) -> io::Result<u64> {
    let disk = fstatvfs(file)?;
    Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
}

/// Removes an image and its sidecar; false if it stays, because it is in use.
fn remove(image: &Kept) -> bool {
    let removed = || -> io::Result<bool> {
        let file = File::open(&image.path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // The sidecar first: an image without one is staged again, but a sidecar without its image would be a false statement.
        crate::file::remove(&image.path.with_extension("json"))?;
        fs::remove_file(&image.path)?;
        Ok(true)
    };
    match removed() {
        Ok(true) => tracing::info!(image = %image.path.display(), size = %image.size, "an unused image was deleted from the store"),
        Ok(false) => {}
        Err(error) => tracing::warn!(image = %image.path.display(), %error, "an unused image could not be deleted from the store"),
    }
    !image.path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::stage::tests::write;
    use crate::image::stage::{find_staged, stage};
    use crate::image::{ImageError, Staged};

    const IMAGE: u64 = 1 << 20;

    /// Stages images of 1 MiB of data each, one after another.
    fn stocked(directory: &Path, names: &[&str]) -> Vec<Staged> {
        let store = directory.join("images");
        let staged = |name: &&str| {
            let contents = vec![name.as_bytes()[0]; usize::try_from(IMAGE).expect("it is small")];
            stage(&write(directory, name, &contents), &store, &mut |_: Bytes, _: Bytes| {}).expect("a good image")
        };
        names.iter().map(staged).collect()
    }

    fn names(staged: &[Staged]) -> Vec<PathBuf> {
        staged.iter().map(|staged| staged.path().to_owned()).collect()
    }

    fn there(paths: &[PathBuf]) -> Vec<bool> {
        paths.iter().map(|path| path.exists() && path.with_extension("json").exists()).collect()
    }

    #[test]
    fn the_oldest_unused_image_goes_first_and_only_as_many_as_must() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = directory.path().join("images");
        let staged = stocked(directory.path(), &["a", "b", "c", "d"]);
        let paths = names(&staged);
        drop(staged);
        let left = trim(&store, Bytes(2 * IMAGE + IMAGE / 2));
        assert_eq!(there(&paths), [false, false, true, true]);
        assert!(left.0 <= 2 * IMAGE + IMAGE / 2, "{left:?}");
        assert_eq!(fs::read_dir(&store).expect("it is there").count(), 4, "an image goes with what lies beside it");
        trim(&store, Bytes(1 << 40));
        assert_eq!(there(&paths), [false, false, true, true], "below the limit nothing goes");
    }

    #[test]
    fn an_image_in_use_never_goes_however_old_it_is_and_whatever_the_limit() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = directory.path().join("images");
        let mut staged = stocked(directory.path(), &["a", "b", "c"]);
        let paths = names(&staged);
        staged.truncate(1);
        trim(&store, Bytes(0));
        assert_eq!(there(&paths), [true, false, false]);
        drop(staged);
        trim(&store, Bytes(0));
        assert_eq!(there(&paths), [false, false, false]);
    }

    #[test]
    fn the_order_is_by_last_use_also_with_a_clock_that_was_wrong() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = directory.path().join("images");
        let staged = stocked(directory.path(), &["a", "b", "c"]);
        let paths = names(&staged);
        let far = SystemTime::now() + Duration::from_secs(1 << 30);
        staged[2].file.set_modified(far).expect("it is ours");
        drop(staged);
        drop(find_staged(&directory.path().join("a"), &store).expect("it is staged"));
        trim(&store, Bytes(IMAGE + IMAGE / 2));
        assert_eq!(there(&paths), [true, false, false], "a was used last, though c's time lies ahead");
    }

    #[test]
    fn room_is_made_at_the_cost_of_unused_images_and_what_is_missing_is_said() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = directory.path().join("images");
        let mut staged = stocked(directory.path(), &["a", "b", "c"]);
        let paths = names(&staged);
        let kept = staged.pop();
        drop(staged);
        let disk = LEFT_FREE.0 + 3 * IMAGE;
        let free = || Ok(Bytes(disk - IMAGE * there(&paths).into_iter().map(u64::from).sum::<u64>()));
        make_room_in(&store, Bytes(IMAGE), free).expect("one image makes room");
        assert_eq!(there(&paths), [false, true, true]);
        let error = make_room_in(&store, Bytes(4 * IMAGE), free).expect_err("there is no room for four");
        assert_eq!(there(&paths), [false, false, true], "{:?} is in use", kept.map(|kept| kept.path));
        let ImageError::NoRoom { missing, free, .. } = &error else { panic!("{error:?}") };
        assert_eq!((missing.0, free.0), (2 * IMAGE, LEFT_FREE.0 + 2 * IMAGE));
        assert!(error.to_string().contains("2.0 MB more"), "{error}");
    }

    #[test]
    fn an_image_that_cannot_fit_the_disk_is_refused_before_anything_is_written() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let error = make_room(directory.path(), Bytes(1 << 60)).expect_err("no disk has so much");
        assert!(matches!(error, ImageError::NoRoom { .. }), "{error:?}");
    }
}
