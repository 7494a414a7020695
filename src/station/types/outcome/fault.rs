//! Faults of the station itself. The card did not cause them and is not called bad.

use std::{fmt, io};

use super::super::units::Bytes;

/// Why an attempt ended by a fault of the station. [`CardHead`](super::CardHead) describes the contents of the card.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StationFault {
    /// The staged copy of the image cannot be read, or is not what was staged.
    Image {
        /// The place in the image.
        at: Bytes,
        /// The errno. `None` if the bytes were read, but are not those that were staged.
        errno: Option<i32>,
    },
    /// No thread, memory, descriptor, mapping or random numbers, or a bug of the program.
    Internal {
        /// The error of the system, or the panic's message.
        message: String,
    },
}

impl StationFault {
    /// The stable word for tables and filters.
    #[must_use]
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Image { .. } => "station-image",
            Self::Internal { .. } => "station-internal",
        }
    }

    /// The place in the image.
    #[must_use]
    pub(crate) fn at(&self) -> Option<Bytes> {
        match self {
            Self::Image { at, .. } => Some(*at),
            Self::Internal { .. } => None,
        }
    }
}

impl fmt::Display for StationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { at, errno: Some(errno) } => {
                write!(f, "the station could not read its image at byte {}: {}", at.0, io::Error::from_raw_os_error(*errno))
            }
            Self::Image { at, errno: None } => write!(f, "the station's copy of the image is damaged at byte {}", at.0),
            Self::Internal { message } => write!(f, "a fault of the station: {message}"),
        }
    }
}
