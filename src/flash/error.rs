//! Why the attempt of a card ended early, with its cause, and what the station is told of it.

use std::io;

use crate::device::Shortfall;
use crate::station::End;
use crate::station::outcome::{Act, Damage, Failure, StationFault};
use crate::station::units::Bytes;

/// Why an attempt stopped. Except before the first write, the card's contents are undefined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FlashError {
    /// The card answered with an error.
    #[error("{act} at byte {} of {}", .at.0, .span.0)]
    Io {
        /// What was asked of it.
        act: Act,
        /// First byte of the failed call.
        at: Bytes,
        /// Length of the image in bytes.
        span: Bytes,
        /// What the kernel said.
        source: io::Error,
    },
    /// The card moved nothing and no error told why.
    #[error("{act} at byte {} stopped short without an error", .at.0)]
    Short {
        /// What was asked of it.
        act: Act,
        /// Where the call ended early, in bytes.
        at: Bytes,
    },
    /// The tombstone did not read back.
    #[error("write ignored: byte {} did not change", .at.0)]
    WriteIgnored {
        /// The first byte that is not ours.
        at: Bytes,
    },
    /// What came back is not the image.
    #[error("byte {} read back as {found:#04x}, the image has {expected:#04x} ({damage})", .at.0)]
    Mismatch {
        /// The first wrong byte.
        at: Bytes,
        /// What the image has there.
        expected: u8,
        /// What the card returned.
        found: u8,
        /// The kind of damage.
        damage: Damage,
    },
    /// What was written at one place came back at another, or not at all.
    #[error("lies about its capacity, at byte {}", .at.0)]
    FalseCapacity {
        /// The byte at which the false capacity showed.
        at: Bytes,
        /// What stands there belongs to this place.
        holds: Option<Bytes>,
    },
    /// A part of the card read back wrong, and right when it was read once more.
    #[error("byte {} does not always read the same", .at.0)]
    Unsteady {
        /// Where the part begins.
        at: Bytes,
    },
    /// Another medium than the admitted one answers, or none.
    #[error("the card is not the one that was admitted")]
    Changed,
    /// The staged image could not be read, or is not what was staged.
    #[error("reading the station's image at byte {}", .at.0)]
    StationImage {
        /// The byte of the image at which it showed.
        at: Bytes,
        /// What the system said; absent where the bytes were read but are not those that were staged.
        source: Option<io::Error>,
    },
    /// A fault of the station: no thread, no memory, a broken promise of ours. The card has no part in it.
    #[error("a fault of the station: {message}")]
    Internal {
        /// What the system said, or the panic's message.
        message: String,
    },
    /// It was asked to stop.
    #[error("stopped as asked")]
    Cancelled,
}

impl FlashError {
    pub(super) fn of_call(act: Act, span: Bytes, (at, shortfall): (Bytes, Shortfall)) -> Self {
        match shortfall {
            Shortfall::Error(source) => Self::Io { act, at, span, source },
            Shortfall::Source(source) => Self::StationImage { at, source: Some(source) },
            Shortfall::Stopped => Self::Short { act, at },
        }
    }

    /// Would a card that left look like this? Then sysfs is asked before the card is called bad: a card that left is not one
    /// errno.
    pub(super) fn may_be_departure(&self) -> bool {
        match self {
            Self::Io { .. }
            | Self::Short { .. }
            | Self::WriteIgnored { .. }
            | Self::Mismatch { .. }
            | Self::FalseCapacity { .. }
            | Self::Unsteady { .. }
            | Self::Changed => true,
            Self::StationImage { .. } | Self::Internal { .. } | Self::Cancelled => false,
        }
    }

    /// What the station is told, for a card that is still there.
    pub(super) fn into_end(self) -> End {
        let failure = match self {
            // Any card would be met like this.
            Self::Io { act, at, source, .. } if source.raw_os_error() == Some(nix::libc::ENOMEM) => {
                let message = format!("{act} at byte {} of the card: {source}", at.0);
                return End::StationFault(StationFault::Internal { message });
            }
            Self::Io { act, at, span, source } => Failure::Io { act, at, span, errno: source.raw_os_error() },
            Self::Short { act, at } => Failure::Short { act, at },
            Self::WriteIgnored { at } => Failure::WriteIgnored { at },
            Self::Mismatch { at, expected, found, damage } => Failure::Mismatch { at, expected, found, damage },
            Self::FalseCapacity { at, holds } => Failure::FalseCapacity { at, holds },
            Self::Unsteady { at } => Failure::Unsteady { at },
            Self::Changed => Failure::Changed,
            Self::StationImage { at, source } => {
                // An error without a number is the end of a file that became shorter.
                let errno = source.map(|source| source.raw_os_error().unwrap_or(nix::libc::EIO));
                return End::StationFault(StationFault::Image { at, errno });
            }
            Self::Internal { message } => return End::StationFault(StationFault::Internal { message }),
            Self::Cancelled => return End::Cancelled,
        };
        End::Failed(failure)
    }
}
