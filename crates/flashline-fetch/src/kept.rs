//! A fetched image with its proof beside it: the digest that all of it had, and the version of the file that had it.
//!
//! ```text
//! DIRECTORY/NAME          the image, read-only
//! DIRECTORY/.NAME.json    its digest, and which file that was; without it, or for another file, the image is read again
//! ```

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::{Algorithm, Digest, Hasher};
use crate::progress::Progress;

/// How much is read at once.
const CHUNK: usize = 1 << 20;

/// A file at one moment: a change shows in at least one of these, above all in `ctime`, which no program can set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    device: u64,
    inode: u64,
    length: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl Version {
    /// The version that a path names now.
    ///
    /// # Errors
    /// The error of the system.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        fs::symlink_metadata(path).map(|metadata| Self::from(&metadata))
    }
}

impl From<&Metadata> for Version {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Proof {
    digest: String,
    version: Version,
}

fn proof_path(image: &Path) -> PathBuf {
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    image.with_file_name(format!(".{name}.json"))
}

/// The digest by this function that the file was found to have, if it has not changed since.
pub(crate) fn known(image: &Path, algorithm: Algorithm) -> Option<Digest> {
    let proof: Proof = serde_json::from_slice(&fs::read(proof_path(image)).ok()?).ok()?;
    let digest: Digest = proof.digest.parse().ok()?;
    (digest.algorithm == algorithm && Version::of(image).ok()? == proof.version).then_some(digest)
}

/// Notes that this version of the file has this digest. If that fails, the file is read again the next time.
pub(crate) fn note(image: &Path, digest: Digest, version: Version) {
    let proof = Proof { digest: digest.to_string(), version };
    // Nothing is lost, and what is on the disk is whole.
    let _unnoted = serde_json::to_vec(&proof).map_err(io::Error::from).and_then(|text| fs::write(proof_path(image), text));
}

/// Reads all of a file. Returns its digest and its version from before it was read: what is changed while it is read has another one.
///
/// # Errors
/// The error of the system.
pub(crate) fn read(image: &Path, algorithm: Algorithm, progress: &mut dyn Progress) -> io::Result<(Digest, Version)> {
    let mut file = File::open(image)?;
    let version = Version::from(&file.metadata()?);
    progress.began("checking", 0, Some(version.length));
    let mut hasher = Hasher::new(algorithm);
    hash(&mut file, &mut hasher, progress)?;
    Ok((hasher.digest(), version))
}

/// Reads a file from its place to its end. Returns the number of bytes.
///
/// # Errors
/// The error of the system.
pub(crate) fn hash(file: &mut File, hasher: &mut Hasher, progress: &mut dyn Progress) -> io::Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut count = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(count),
            Ok(length) => {
                hasher.update(&buffer[..length]);
                count += to_u64(length);
                progress.is_at(count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A length in memory; `usize` has at most 64 bits on every machine that Rust knows.
pub(crate) fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::*;

    /// Somebody who changes the file while it is read: its first byte, and its length.
    struct Meddler(PathBuf);

    impl Progress for Meddler {
        fn began(&mut self, _step: &'static str, _at: u64, _of: Option<u64>) {}

        fn is_at(&mut self, _byte: u64) {
            let mut file = OpenOptions::new().write(true).open(&self.0).expect("it is there");
            file.write_all(b"X").expect("written");
            file.set_len(5).expect("it is longer");
        }

        fn remark(&mut self, _words: &str) {}
    }

    #[test]
    fn a_file_that_is_changed_while_it_is_read_is_not_taken_for_the_one_that_was_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let image = directory.path().join("pi3.img");
        fs::write(&image, b"abcd").expect("written");
        let (digest, version) = read(&image, Algorithm::Sha256, &mut Meddler(image.clone())).expect("it is read");
        note(&image, digest, version);
        assert_eq!(known(&image, Algorithm::Sha256), None, "the file of that digest is gone");

        let version = Version::of(&image).expect("it is there");
        note(&image, digest, version);
        assert_eq!(known(&image, Algorithm::Sha256), Some(digest), "what is not changed is known");
    }
}
