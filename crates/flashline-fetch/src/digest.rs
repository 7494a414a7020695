//! Digests of files: SHA-256 as `sha256sum` prints it, or BLAKE3 as `b3sum` does.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The function that made a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// As `sha256sum` prints it.
    Sha256,
    /// As `b3sum` prints it.
    Blake3,
}

/// The digest of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) algorithm: Algorithm,
    pub(crate) bytes: [u8; 32],
}

/// A text that is no digest.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no digest: write sha256: or blake3: and the 64 digits that `sha256sum` or `b3sum` prints")]
pub(crate) struct NotADigest(String);

/// The bytes that 64 hexadecimal digits stand for.
pub(crate) fn bytes_of(hex: &str) -> Option<[u8; 32]> {
    blake3::Hash::from_hex(hex).ok().map(|hash| *hash.as_bytes())
}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let read = || {
            let (algorithm, hex) = text.split_once(':')?;
            let algorithm = match algorithm {
                "sha256" => Algorithm::Sha256,
                "blake3" => Algorithm::Blake3,
                _ => return None,
            };
            Some(Self { algorithm, bytes: bytes_of(hex)? })
        };
        read().ok_or_else(|| NotADigest(text.to_owned()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithm = match self.algorithm {
            Algorithm::Sha256 => "sha256",
            Algorithm::Blake3 => "blake3",
        };
        write!(f, "{algorithm}:{}", blake3::Hash::from_bytes(self.bytes).to_hex())
    }
}

/// A digest that is being made.
pub(crate) enum Hasher {
    Sha256(Sha256),
    /// It has nearly two kilobytes.
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Blake3 => Self::Blake3(Box::default()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    /// The digest of what came so far.
    pub(crate) fn digest(&self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest { algorithm: Algorithm::Sha256, bytes: hasher.clone().finalize().into() },
            Self::Blake3(hasher) => Digest { algorithm: Algorithm::Blake3, bytes: *hasher.finalize().as_bytes() },
        }
    }
}

/// The digest of bytes in memory.
pub(crate) fn digest_of(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_usual_programs() {
        // FIPS 180-2, appendix B.1, and the BLAKE3 reference's test vector of no input.
        let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest_of(Algorithm::Sha256, b"abc").to_string(), abc);
        let nothing = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(digest_of(Algorithm::Blake3, b"").to_string(), nothing);
        for text in [abc, nothing] {
            assert_eq!(text.parse::<Digest>().expect("it is one").to_string(), text);
        }
        for text in ["", "ba7816bf", "sha256:", "sha256:ba78", "md5:d41d8cd98f00b204e9800998ecf8427e", &format!("{abc}0")] {
            let error = text.parse::<Digest>().expect_err(text);
            assert!(error.to_string().contains("sha256sum"), "{error}");
        }
    }
}
