//! Why an image was not fetched: each error names the place, the reason and the cure.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::digest::Digest;
use crate::sums::SumsError;

/// A text from elsewhere, without signs that would move a terminal's cursor or break a line.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter }).collect()
}

/// An error with all its causes, in one line.
pub(crate) fn sentence(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A number of bytes, as people read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", indicatif::DecimalBytes(self.0))
    }
}

/// Why a source did not deliver all of a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the server answers {0}: {cure}", cure = cure_of(*.0))]
    Status(u16),
    #[error(
        "the server redirects to {to}, which is not encrypted: name an https:// URL that stays one, or the http:// URL itself, with a digest"
    )]
    Insecure { to: String },
    #[error("the server redirects again and again: name the URL at which it ends")]
    Redirects,
    #[error("nothing came for {0:?}: look at the network, the server or the share; `stall_s` is how long is waited")]
    Stalled(Duration),
    #[error("it ends at byte {at} of {of}: run this again, which goes on from there; if it ends there again, have it put there anew")]
    Cut { at: u64, of: u64 },
    #[error("the connection ended before the file did, at byte {at}: run this again")]
    Disconnected { at: u64 },
    #[error("more comes than the {of} bytes that were promised: the server is at fault")]
    Longer { of: u64 },
    #[error("it has more than {0}, the most that `limit_gb` takes: raise that if the image is really so long")]
    TooLarge(Bytes),
    /// What the server answers does not go on where the file here ends: it must come from its beginning.
    #[error("the server sends another part of the file than was asked for: run this again")]
    OtherPart,
    #[error(
        "the network or the server fails: look at the host's name, the network, `https_proxy`, and who signed the certificate (`ca-certificates`)"
    )]
    Network(#[source] Box<ureq::Error>),
    #[error("it cannot be read: look whether the share is mounted, and who may read it")]
    Read(#[source] io::Error),
    #[error("it is no file: name the image, or its release directory with a / at its end")]
    NotAFile,
    #[error("it was changed while it was read: run this again when it is copied whole")]
    Changed,
    #[error("no thread could be started to read it")]
    Thread(#[source] io::Error),
    #[error("the thread that read it has died: this is a mistake of the program")]
    Died,
}

impl Broken {
    /// May it succeed soon, without anybody doing anything?
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Status(status) => matches!(*status, 408 | 429 | 500..),
            Self::Stalled(_) | Self::Cut { .. } | Self::Disconnected { .. } | Self::Network(_) => true,
            _ => false,
        }
    }
}

fn cure_of(status: u16) -> &'static str {
    match status {
        401 | 403 | 407 => "it wants a user who may have the file, and none is sent: use a server that needs none, or a share",
        404 | 410 => "there is no such file: correct `source`",
        408 | 429 | 500.. => "it has trouble itself: try again later, or ask whoever runs it",
        300..=399 => "it redirects without saying where: name the URL at which it ends",
        _ => "which is no answer to a download: name the URL of the file itself",
    }
}

/// Why an image was not fetched. Nothing has its final name then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("fetching {from}")]
    Broken { from: String, source: Broken },
    #[error("reading {from}")]
    Sums { from: String, source: SumsError },
    #[error(
        "the digest of {from} is {found}, and not {wanted}, the expected one: compare it with that of whoever released the image, and correct \
         `digest`, or have the file put there anew. Nothing of it is kept"
    )]
    WrongDigest { from: String, found: Digest, wanted: Digest },
    #[error(
        "{from} is a release directory, whose files are named by its SHA256SUMS: write digest = \"SHA256SUMS\", with `sums` or without, or name the file"
    )]
    NoSums { from: String },
    #[error("{from} gives no name for the file: say by `name` what it is to be called")]
    NoName { from: String },
    #[error("{name:?} of {from} cannot be the name of a file here: say by `name` what it is to be called, without a / and no . first")]
    BadName { name: String, from: String },
    #[error(
        "{path} is there already, and is another file: its digest is {found}, and not {wanted}. A fetched image never changes: give the new one \
         another `name`, or remove this one if no station has it armed"
    )]
    Other { path: PathBuf, found: Digest, wanted: Digest },
    #[error("{path} appeared while the image came, is not replaced, and is gone again: look who put it there, and run this again")]
    Appeared { path: PathBuf },
    #[error("{path} is being fetched by another process: wait for it")]
    Busy { path: PathBuf },
    #[error(
        "{directory} has {free} free, and {needs} are needed, {kept} of which stay free (`keep_free_gb`): remove images there that no station \
         uses, or name another directory"
    )]
    NoRoom { directory: PathBuf, free: Bytes, needs: Bytes, kept: Bytes },
    #[error("{doing} {path}: look who owns it, and whether the disk is full or read-only")]
    Here { doing: &'static str, path: PathBuf, source: io::Error },
}
