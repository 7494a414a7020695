//! One image to be fetched, as the configuration or the command line asks for it.

use std::path::PathBuf;
use std::time::Duration;

use crate::digest::{Digest, NotADigest};
use crate::error::Bytes;
use crate::source::{SUMS, Source};

/// One decimal gigabyte.
pub(crate) const GB: u64 = 1_000_000_000;
/// The directory of a packaged `flashline-fetch`.
pub(crate) const DIRECTORY: &str = "/var/lib/flashline-fetch";
/// The longest file that is taken, in GB: longer than an image of any card that is flashed in numbers.
pub(crate) const LIMIT_GB: u64 = 64;
/// What stays free on the disk, in GB: the flash log may lie on the same one.
pub(crate) const KEEP_FREE_GB: u64 = 1;
/// How long nothing may come, in seconds: longer than a share takes to be found again by its server.
pub(crate) const STALL_S: u64 = 60;
/// How often in a row a transfer that brought nothing is begun again.
pub(crate) const TRIES: u32 = 5;

/// Who says which digest the image must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The user, who is trusted, and the source is not.
    Digest(Digest),
    /// `SHA256SUMS` beside the image. With a digest of that file, the user; without, anybody who can write where it lies.
    Sums(Option<Digest>),
}

/// Why a choice of `digest` and `sums` cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    #[error(
        "anybody on the network can change what http:// brings, SHA256SUMS too: give the digest of the image, or that of SHA256SUMS as `sums`, or \
         use https://"
    )]
    Open,
    #[error("it is the digest of SHA256SUMS, which is not read if `digest` is that of the image: leave one out")]
    Both,
    #[error(transparent)]
    Digest(#[from] NotADigest),
}

impl TrustError {
    /// The key or option that it is about.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Open | Self::Digest(_) => "digest",
            Self::Both => "sums",
        }
    }
}

impl Trust {
    /// The choice of a `digest` or the word `SHA256SUMS`, and of the digest of that list.
    ///
    /// # Errors
    /// If the text is neither, one of both would not be looked at, or everybody on the network could choose the image.
    pub(crate) fn of(digest: &str, sums: Option<Digest>, is_open_to_the_network: bool) -> Result<Self, TrustError> {
        match (digest, sums) {
            (SUMS, None) if is_open_to_the_network => Err(TrustError::Open),
            (SUMS, sums) => Ok(Self::Sums(sums)),
            (_, Some(_)) => Err(TrustError::Both),
            (digest, None) => Ok(Self::Digest(digest.parse()?)),
        }
    }
}

/// The limits of a transfer.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The longest file.
    pub(crate) largest: Bytes,
    /// What stays free on the disk.
    pub(crate) keep_free: Bytes,
    /// How long nothing may come.
    pub(crate) stall: Duration,
    /// How often in a row a transfer that brought nothing is begun again, the first time included.
    pub(crate) tries: u32,
    /// How long is waited before that.
    pub(crate) pause: Duration,
    /// The proxy of the environment.
    pub(crate) proxy: Option<ureq::Proxy>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            largest: Bytes(LIMIT_GB * GB),
            keep_free: Bytes(KEEP_FREE_GB * GB),
            stall: Duration::from_secs(STALL_S),
            tries: TRIES,
            pause: Duration::from_secs(5),
            proxy: ureq::Proxy::try_from_env(),
        }
    }
}

/// An image to be fetched.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// What it is to be called here; `None` for its name at the source.
    pub(crate) name: Option<String>,
    /// The file, or its release directory.
    pub(crate) source: Source,
    /// Which file of a release directory.
    pub(crate) file: Option<String>,
    /// Its expected digest.
    pub(crate) trust: Trust,
    /// Where it is laid down.
    pub(crate) directory: PathBuf,
    pub(crate) limits: Limits,
}

/// Can this be the name of a file in the directory of images? Names that begin with a dot are those of files that are not whole.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && !name.contains('/') && !name.chars().any(char::is_control)
}
