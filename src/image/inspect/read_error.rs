//! Why something inside an image could not be read.

use std::io;

/// Why something inside the image could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The image is damaged, or was made to be.
    #[error("{0}")]
    Broken(String),
    /// It is as it should be, and not read here.
    #[error("{0}")]
    Unreadable(String),
    /// The system could not, or the image ends before.
    #[error("reading it")]
    Read(#[from] io::Error),
}

impl ReadError {
    /// Damaged in this way.
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

    /// What it is about, in front.
    pub(super) fn about(self, what: &str) -> Self {
        match self {
            Self::Broken(why) => Self::Broken(format!("{what}: {why}")),
            Self::Unreadable(why) => Self::Unreadable(format!("{what}: {why}")),
            Self::Read(error) => Self::Broken(format!("{what}: {error}")),
        }
    }
}
