//! Reads files of assertions, with a limit, and regular files only. Opening a pipe would wait for a writer.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::assertion::Assertion;
use super::text::TextError;
use super::trust::{Trust, TrustError};

/// An image of a thousand snaps has some 3 MB of assertions.
pub const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Why a file of assertions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("reading {path}: check the path and who may read it")]
    Read {
        /// The file that could not be read.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// It is not a regular file.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// The path that was given.
        path: PathBuf,
    },
    /// It is too large.
    #[error("{path} is longer than {MAX_FILE} bytes: this is no file of assertions; is it an image?")]
    Long {
        /// The file that is too long.
        path: PathBuf,
    },
    /// Its contents are not usable.
    #[error("{path} cannot be used")]
    Contents {
        /// The file whose contents were rejected.
        path: PathBuf,
        /// Why the contents were rejected.
        source: TrustError,
    },
}

/// The bytes of a file of assertions.
///
/// # Errors
/// If the file cannot be read, is not a regular file, or is too large.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let reading = |source| FileError::Read { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(reading)?.is_file() {
        return Err(FileError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes)).map_err(reading)?;
    if bytes.len() as u64 > MAX_FILE { Err(FileError::Long { path: path.to_owned() }) } else { Ok(bytes) }
}

/// Why a file is not the single signed model that is required.
#[derive(Debug, thiserror::Error)]
pub enum NotOneModel {
    /// It cannot be read.
    #[error("the model assertion")]
    File(#[from] FileError),
    /// It contains no assertion.
    #[error("{path} is no signed model assertion: sign it first, and give what the signing tool printed")]
    Text {
        /// The file that holds no assertion.
        path: PathBuf,
        /// What is wrong with it.
        source: TextError,
    },
    /// An assertion is missing, or the file contains others as well.
    #[error("{path} must hold one signed model and nothing else: `flashline model check` says what is in it")]
    Else {
        /// The file that contains other assertions as well.
        path: PathBuf,
    },
}

/// Reads the model that an image must have. It must be alone in its file, so that there is no doubt which one counts.
///
/// # Errors
/// If the file does not contain exactly one model.
pub fn one_model(path: &Path) -> Result<Assertion, NotOneModel> {
    let bytes = read(path)?;
    let assertions = Assertion::read_all(&bytes).map_err(|source| NotOneModel::Text { path: path.to_owned(), source })?;
    match <[Assertion; 1]>::try_from(assertions) {
        Ok([model]) if model.as_model().is_some() => Ok(model),
        _ => Err(NotOneModel::Else { path: path.to_owned() }),
    }
}

/// Trusts Canonical's root and the roots in the first files, and knows the assertions in the second ones.
///
/// # Errors
/// The first file that cannot be used.
pub fn trust(roots: &[PathBuf], with: &[PathBuf]) -> Result<Trust, FileError> {
    let mut trust = Trust::canonical();
    for path in roots {
        trust.add_roots(&read(path)?).map_err(|source| FileError::Contents { path: path.clone(), source })?;
    }
    for path in with {
        trust.add_known(&read(path)?).map_err(|source| FileError::Contents { path: path.clone(), source })?;
    }
    Ok(trust)
}
