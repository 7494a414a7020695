//! A file that is not whole yet. It stays when the program ends, and the next run goes on from its end.
//!
//! ```text
//! DIRECTORY/.NAME.part         what came so far, locked while a process fetches it
//! DIRECTORY/.NAME.part.json    which version of which source it is from, and for which digest
//! ```

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
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

impl Part {
    /// Opens it, or begins it.
    ///
    /// # Errors
    /// If another process has it, or it cannot be written.
    pub(crate) fn open(directory: &Path, name: &str) -> Result<Self, FetchError> {
        let path = path(directory, name);
        let failed = |source| FetchError::Here { doing: "opening", path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(PRIVATE).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FetchError::Busy { path: directory.join(name) }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let length = file.metadata().map_err(failed)?.len();
        Ok(Self { file, path, length })
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
    /// If the disk fails, or another file has the name by now: that one stays as it is.
    pub(crate) fn finish(self, image: &Path) -> Result<(), FetchError> {
        let here = |doing, source| FetchError::Here { doing, path: image.to_owned(), source };
        self.file.set_permissions(Permissions::from_mode(READ_ONLY)).map_err(|source| here("making read-only", source))?;
        self.file.sync_all().map_err(|source| here("flushing", source))?;
        if let Err(source) = give_name(&self.path, image) {
            // Or the next run could not open it.
            self.file.set_permissions(Permissions::from_mode(PRIVATE)).map_err(|source| here("making writable", source))?;
            return Err(match source.kind() {
                io::ErrorKind::AlreadyExists => FetchError::Appeared { path: image.to_owned() },
                _ => here("naming", source),
            });
        }
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
        let mut path = self.path.clone().into_os_string();
        path.push(".json");
        PathBuf::from(path)
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
    use super::*;

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
        let mode = fs::metadata(directory.path().join(".pi3.img.part")).expect("it stays").permissions().mode();
        assert_eq!(mode & 0o777, PRIVATE, "the next run can go on with what came");

        fs::remove_file(&image).expect("removed");
        part().finish(&image).expect("named");
        assert_eq!(fs::read(&image).expect("it is there"), b"this week's");
        assert!(!directory.path().join(".pi3.img.part").exists());
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
