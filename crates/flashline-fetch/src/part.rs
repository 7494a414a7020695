//! A file that is not whole yet. It stays when the program ends, and the next run goes on from its end.
//!
//! ```text
//! DIRECTORY/.NAME.part         what came so far, locked while a process fetches it
//! DIRECTORY/.NAME.part.json    which version of which source it is from, and for which digest
//! ```

use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::libc;
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Hasher};
use crate::error::FetchError;
use crate::kept::{hash, to_u64};
use crate::progress::Progress;

/// Every user who may enter the directory may read an image, and nobody may write to it.
const READ_ONLY: u32 = 0o444;
/// What is not whole is for the user alone who fetches it.
const PRIVATE: u32 = 0o600;
/// How often a part is opened until it can be written: once more after a run that ended in [`Part::finish`], and once more for each process
/// that names or removes it between the opening and the lock.
const OPENINGS: usize = 4;

/// From which version of which source a part is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) source: String,
    /// What the source calls this version: an entity tag, a date, or the version of a file.
    pub(crate) validator: String,
    /// The digest for which it is fetched.
    pub(crate) digest: String,
}

/// The beginning of a file, locked.
#[derive(Debug)]
pub(crate) struct Part {
    file: File,
    path: PathBuf,
    length: u64,
}

/// Where what came so far of the image of this name lies.
pub(crate) fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!(".{name}.part"))
}

/// Removes the part that an earlier run left beside an image that is here now. Returns whether there was one.
///
/// # Errors
/// If another process has it, or it cannot be removed.
pub(crate) fn clear(directory: &Path, name: &str) -> Result<bool, FetchError> {
    let part = path(directory, name);
    if metadata_at(&part)?.is_none() {
        // A run that was killed after it named the image leaves the note alone.
        let note = origin_path(&part);
        remove(&note).map_err(|source| FetchError::Here { doing: "removing", path: note, source })?;
        return Ok(false);
    }
    Part::open(directory, name)?.discard().map(|()| true)
}

/// What is at this path, itself and not what a link names; `None` if nothing is.
///
/// # Errors
/// If it cannot be known.
pub(crate) fn metadata_at(path: &Path) -> Result<Option<Metadata>, FetchError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FetchError::Here { doing: "looking at", path: path.to_owned(), source }),
    }
}

impl Part {
    /// Opens it, or begins it.
    ///
    /// # Errors
    /// If another process has it, or it cannot be written.
    pub(crate) fn open(directory: &Path, name: &str) -> Result<Self, FetchError> {
        let path = path(directory, name);
        let opened = (0..OPENINGS).find_map(|_opening| open_once(&path).transpose());
        let opened = opened.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()));
        match opened.and_then(|file| Ok((file.metadata()?.len(), file))) {
            Ok((length, file)) => Ok(Self { file, path, length }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(FetchError::Busy { path: directory.join(name) }),
            Err(source) => Err(FetchError::Here { doing: "opening", path, source }),
        }
    }

    /// How many bytes it has.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Where it is from, if that is known.
    pub(crate) fn origin(&self) -> Option<Origin> {
        serde_json::from_slice(&fs::read(self.origin_path()).ok()?).ok()
    }

    /// Notes where it is from; `None` if the source cannot name its version, so that nothing can go on from here.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn note_origin(&self, origin: Option<&Origin>) -> Result<(), FetchError> {
        let path = self.origin_path();
        let noted = match origin {
            Some(origin) => serde_json::to_vec(origin).map_err(io::Error::from).and_then(|text| fs::write(&path, text)),
            None => remove(&path),
        };
        noted.map_err(|source| FetchError::Here { doing: "writing", path, source })
    }

    /// Begins it anew.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn begin_anew(&mut self) -> Result<(), FetchError> {
        // The note goes first: it must never speak of other bytes.
        self.note_origin(None)?;
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(|source| self.failed("emptying", source))?;
        self.length = 0;
        Ok(())
    }

    /// Reads what is there, and stands at its end afterwards.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn hash(&mut self, hasher: &mut Hasher, progress: &mut dyn Progress) -> Result<(), FetchError> {
        progress.began("checking", 0, Some(self.length));
        let read = self.file.seek(SeekFrom::Start(0)).and_then(|_start| hash(&mut self.file, hasher, progress));
        self.length = read.map_err(|source| self.failed("reading", source))?;
        Ok(())
    }

    /// Adds bytes at its end.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.file.write_all(bytes).map_err(|source| self.failed("writing", source))?;
        self.length += to_u64(bytes.len());
        Ok(())
    }

    /// All of it is there and proven: it gets its name, when it is on the disk.
    ///
    /// # Errors
    /// If the disk fails, or another file has the name by now: that one stays as it is. [`Part::open`] makes the part writable again.
    pub(crate) fn finish(self, image: &Path) -> Result<(), FetchError> {
        let here = |doing, source| FetchError::Here { doing, path: image.to_owned(), source };
        // The bytes go first: that takes minutes, in which the program may be killed. The mode is flushed in a moment.
        self.file.sync_all().map_err(|source| here("flushing", source))?;
        self.file.set_permissions(Permissions::from_mode(READ_ONLY)).map_err(|source| here("making read-only", source))?;
        self.file.sync_all().map_err(|source| here("flushing", source))?;
        // If this fails, the mode stays: where names are given in two steps, the file may have both, and be the image.
        give_name(&self.path, image).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => FetchError::Appeared { path: image.to_owned() },
            _ => here("naming", source),
        })?;
        let directory = image.parent().unwrap_or(Path::new("/"));
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(|source| here("flushing the directory of", source))?;
        self.note_origin(None)
    }

    /// None of it is of use.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub(crate) fn discard(self) -> Result<(), FetchError> {
        self.note_origin(None)?;
        remove(&self.path).map_err(|source| self.failed("removing", source))
    }

    fn origin_path(&self) -> PathBuf {
        origin_path(&self.path)
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> FetchError {
        FetchError::Here { doing, path: self.path.clone(), source }
    }
}

impl Origin {
    pub(crate) fn new(source: String, validator: String, digest: Digest) -> Self {
        Self { source, validator, digest: digest.to_string() }
    }
}

/// Where the origin of this part is noted.
fn origin_path(part: &Path) -> PathBuf {
    let mut path = part.as_os_str().to_owned();
    path.push(".json");
    PathBuf::from(path)
}

/// Opens a part and locks it, or begins it. `None` if it must be opened again: [`Part::finish`] left it, or another process named it.
fn open_once(path: &Path) -> io::Result<Option<File>> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() && is_left_by_finish(&metadata)) {
        return undo_finish(path).map(|()| None);
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(PRIVATE).custom_flags(libc::O_NOFOLLOW);
    let file = options.open(path)?;
    locked(file.try_lock())?;
    // Before the lock, another process may have made an image of it, to which nobody may write.
    let metadata = file.metadata()?;
    Ok((is_at(path, &metadata) && !is_left_by_finish(&metadata)).then_some(file))
}

/// Is it as a run leaves it that ends in [`Part::finish`]: read-only, or with the name of the image, too?
fn is_left_by_finish(metadata: &Metadata) -> bool {
    metadata.permissions().readonly() || metadata.nlink() > 1
}

/// Makes a part writable that a run left read-only. If the file has another name, too, it is the image, and only the part's name goes.
fn undo_finish(path: &Path) -> io::Result<()> {
    // Its user, too, can open it only for reading.
    let file = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    // NFS gives no exclusive lock for a file that is open for reading. A shared one shows as well that no process is finishing it now.
    locked(file.try_lock_shared())?;
    let metadata = file.metadata()?;
    if !is_at(path, &metadata) {
        return Ok(());
    }
    if metadata.nlink() > 1 { remove(path) } else { file.set_permissions(Permissions::from_mode(PRIVATE)) }
}

/// Does the path name this file still?
fn is_at(path: &Path, metadata: &Metadata) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (metadata.dev(), metadata.ino()))
}

/// A lock that another process has is an error of the kind `WouldBlock`.
fn locked(lock: Result<(), TryLockError>) -> io::Result<()> {
    lock.map_err(|error| match error {
        TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
        TryLockError::Error(error) => error,
    })
}

/// Names a file anew, if nothing has that name.
fn give_name(part: &Path, image: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, part, AT_FDCWD, image, RenameFlags::RENAME_NOREPLACE) {
        // The file system cannot do that in one step, as NFS.
        Err(Errno::EINVAL | Errno::ENOSYS) => give_second_name(part, image),
        done => Ok(done?),
    }
}

/// The same in two steps: of an end between them, both names stay, of one file.
fn give_second_name(part: &Path, image: &Path) -> io::Result<()> {
    fs::hard_link(part, image)?;
    fs::remove_file(part)
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::Mode;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    fn make_read_only(path: &Path) {
        fs::set_permissions(path, Permissions::from_mode(READ_ONLY)).expect("it is ours");
    }

    #[test]
    fn a_file_that_has_the_name_of_the_image_by_now_is_not_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let image = directory.path().join("pi3.img");
        let part = || {
            let mut part = Part::open(directory.path(), "pi3.img").expect("opened");
            part.begin_anew().and_then(|()| part.append(b"this week's")).expect("written");
            part
        };
        fs::write(&image, b"last week's").expect("written");
        let error = part().finish(&image).expect_err("there is one");
        assert!(matches!(error, FetchError::Appeared { .. }) && error.to_string().contains("is not replaced"), "{error}");
        assert_eq!(fs::read(&image).expect("it is there"), b"last week's");
        let left = Part::open(directory.path(), "pi3.img").expect("the next run can go on with what came");
        assert_eq!((left.length(), mode(&left.path)), (11, PRIVATE));
        drop(left);

        fs::remove_file(&image).expect("removed");
        part().finish(&image).expect("named");
        assert_eq!(fs::read(&image).expect("it is there"), b"this week's");
        assert!(!directory.path().join(".pi3.img.part").exists());
    }

    #[test]
    fn a_note_that_a_killed_run_left_beside_a_named_image_goes_with_the_next_run() {
        let directory = tempfile::tempdir().expect("a directory");
        let part = Part::open(directory.path(), "pi3.img").expect("opened");
        let origin = Origin { source: "a".to_owned(), validator: "b".to_owned(), digest: "c".to_owned() };
        part.note_origin(Some(&origin)).expect("written");
        fs::rename(&part.path, directory.path().join("pi3.img")).expect("named");
        drop(part);
        assert!(!clear(directory.path(), "pi3.img").expect("cleared"), "there is no part");
        let left: Vec<_> = fs::read_dir(directory.path()).expect("a directory").map(|file| file.expect("there").file_name()).collect();
        assert_eq!(left, ["pi3.img"]);
    }

    #[test]
    fn a_part_that_cannot_be_flushed_stays_writable_for_the_next_run() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = path(directory.path(), "pi3.img");
        // A pipe cannot be flushed, by no user.
        nix::unistd::mkfifo(&at, Mode::S_IRUSR | Mode::S_IWUSR).expect("made");
        let part = Part::open(directory.path(), "pi3.img").expect("opened");
        let image = directory.path().join("pi3.img");
        let error = part.finish(&image).expect_err("it is not on the disk");
        assert!(matches!(error, FetchError::Here { doing: "flushing", .. }), "{error}");
        assert_eq!((mode(&at), image.exists()), (PRIVATE, false));
    }

    #[test]
    fn a_part_that_a_killed_run_left_read_only_is_opened_with_all_that_it_has() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = path(directory.path(), "pi3.img");
        fs::write(&at, b"this week's").expect("written");
        make_read_only(&at);
        let part = Part::open(directory.path(), "pi3.img").expect("opened");
        assert_eq!((part.length(), mode(&at)), (11, PRIVATE));

        // One that a process is finishing now is left to it.
        make_read_only(&at);
        let error = Part::open(directory.path(), "pi3.img").expect_err("it is locked");
        assert!(matches!(error, FetchError::Busy { .. }), "{error}");
        assert_eq!(mode(&at), READ_ONLY);
    }

    #[test]
    fn a_part_that_is_an_image_by_another_name_loses_its_name_and_the_image_no_byte() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = path(directory.path(), "pi3.img");
        let renamed = directory.path().join("last-week.img");
        fs::write(&renamed, b"last week's").expect("written");
        make_read_only(&renamed);
        fs::hard_link(&renamed, &at).expect("a second name");
        let mut part = Part::open(directory.path(), "pi3.img").expect("opened");
        assert_eq!(part.length(), 0, "it is another file");
        part.begin_anew().and_then(|()| part.append(b"this week's")).expect("written");
        assert_eq!((fs::read(&renamed).expect("it is there"), mode(&renamed)), (b"last week's".to_vec(), READ_ONLY));
    }

    #[test]
    fn a_part_that_became_the_image_is_told_from_what_has_its_name_by_now() {
        let directory = tempfile::tempdir().expect("a directory");
        let [at, image] = [path(directory.path(), "pi3.img"), directory.path().join("pi3.img")];
        fs::write(&at, b"this week's").expect("written");
        let metadata = fs::metadata(&at).expect("it is there");
        assert!(is_at(&at, &metadata) && !is_left_by_finish(&metadata));
        fs::rename(&at, &image).expect("renamed");
        assert!(!is_at(&at, &metadata), "nothing has its name");
        fs::write(&at, b"next week's").expect("written");
        assert!(!is_at(&at, &metadata), "another file has its name");
    }

    #[test]
    fn where_no_name_is_given_in_one_step_nothing_is_replaced_either() {
        let directory = tempfile::tempdir().expect("a directory");
        let [part, image] = ["part", "image"].map(|name| directory.path().join(name));
        fs::write(&part, b"this week's").expect("written");
        fs::write(&image, b"last week's").expect("written");
        let error = give_second_name(&part, &image).expect_err("there is one");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&image).expect("it is there"), b"last week's");
        fs::remove_file(&image).expect("removed");
        give_second_name(&part, &image).expect("named");
        assert_eq!((fs::read(&image).expect("it is there"), part.exists()), (b"this week's".to_vec(), false));
    }
}
