//! A fetched image with its proof beside it: the digest that all of it had, and the version of the file that had it.
//!
//! ```text
//! DIRECTORY/NAME          the image, read-only
//! DIRECTORY/.NAME.json    its digest, and which file that was; without it, or for another file, the image is read again
//! ```

use std::fs::{self, File};
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
struct Version {
    device: u64,
    inode: u64,
    length: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl Version {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
        })
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

/// Notes that the file has this digest. If that fails, the file is read again the next time.
pub(crate) fn note(image: &Path, digest: Digest) {
    let noted = || -> io::Result<()> {
        let proof = Proof { digest: digest.to_string(), version: Version::of(image)? };
        fs::write(proof_path(image), serde_json::to_vec(&proof)?)
    };
    // Nothing is lost, and what is on the disk is whole.
    let _unnoted = noted();
}

/// Reads all of a file.
///
/// # Errors
/// The error of the system.
pub(crate) fn read(image: &Path, algorithm: Algorithm, progress: &mut dyn Progress) -> io::Result<Digest> {
    let mut file = File::open(image)?;
    progress.began("checking", 0, Some(file.metadata()?.len()));
    let mut hasher = Hasher::new(algorithm);
    hash(&mut file, &mut hasher, progress)?;
    Ok(hasher.digest())
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
