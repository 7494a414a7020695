//! Errors of reading something inside an image.

use std::io;

/// Why something inside the image could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The image is damaged, by accident or on purpose.
    #[error("{0}")]
    Broken(String),
    /// It is valid, but not supported here.
    #[error("{0}")]
    Unreadable(String),
    /// The system could not read it, or the image ends before.
    #[error("reading it")]
    Read(#[from] io::Error),
}

impl ReadError {
    /// A damage, in these words.
    pub(super) fn broken(what: &str) -> Self {
        Self::Broken(what.to_owned())
    }

    /// The problem and its cause in one sentence.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Broken(why) | Self::Unreadable(why) => why.clone(),
            Self::Read(error) => error.to_string(),
        }
    }

    /// Adds its subject in front.
    pub(super) fn about(self, what: &str) -> Self {
        match self {
            Self::Broken(why) => Self::Broken(format!("{what}: {why}")),
            Self::Unreadable(why) => Self::Unreadable(format!("{what}: {why}")),
            Self::Read(error) => Self::Broken(format!("{what}: {error}")),
        }
    }
}
