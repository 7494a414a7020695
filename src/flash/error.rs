//! Why the attempt of a card ended early, with its cause, and the outcome for the station.

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
        /// The operation that failed.
        act: Act,
        /// First byte of the failed call.
        at: Bytes,
        /// Length of the image in bytes.
        span: Bytes,
        /// The error of the kernel.
        source: io::Error,
    },
    /// The card moved nothing, without an error.
    #[error("{act} at byte {} stopped short without an error", .at.0)]
    Short {
        /// The operation that ended early.
        act: Act,
        /// Where the call ended early, in bytes.
        at: Bytes,
    },
    /// The tombstone did not read back.
    #[error("write ignored: byte {} did not change", .at.0)]
    WriteIgnored {
        /// The first wrong byte.
        at: Bytes,
    },
    /// The read-back contents are not those of the image.
    #[error("byte {} read back as {found:#04x} instead of {expected:#04x} ({damage})", .at.0)]
    Mismatch {
        /// The first wrong byte.
        at: Bytes,
        /// The byte in the image.
        expected: u8,
        /// What the card returned.
        found: u8,
        /// The kind of damage.
        damage: Damage,
    },
    /// Data that was written at one place was read at another, or not at all.
    #[error("lies about its capacity, at byte {}", .at.0)]
    FalseCapacity {
        /// The byte at which the false capacity was found.
        at: Bytes,
        /// The place to which the contents belong.
        holds: Option<Bytes>,
    },
    /// A part of the card was read back wrong, and right when it was read once more.
    #[error("byte {} does not always read the same", .at.0)]
    Unsteady {
        /// The offset of the part.
        at: Bytes,
    },
    /// Another medium than the admitted one answers, or none.
    #[error("the card is not the one that was admitted")]
    Changed,
    /// The staged image could not be read, or is not what was staged.
    #[error("reading the station's image at byte {}", .at.0)]
    StationImage {
        /// The byte of the image at which it was found.
        at: Bytes,
        /// The error of the system; `None` if the bytes were read but are not those that were staged.
        source: Option<io::Error>,
    },
    /// A fault of the station: no thread, no memory, a bug. The card did not cause it.
    #[error("a fault of the station: {message}")]
    Internal {
        /// The error of the system, or the panic's message.
        message: String,
    },
    /// A stop was requested.
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

    /// Could a card that left cause this error? Then sysfs is read before the card is called bad: a card that left does not cause one
    /// particular errno.
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

    /// The kernel had no memory for the call: this would happen to any card.
    pub(super) fn is_want_of_memory(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.raw_os_error() == Some(nix::libc::ENOMEM))
    }

    /// The outcome for the station, for a card that is still there.
    pub(super) fn into_end(self) -> End {
        let is_want_of_memory = self.is_want_of_memory();
        let failure = match self {
            Self::Io { act, at, source, .. } if is_want_of_memory => {
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
                // An error without a number means the end of a file that became shorter.
                let errno = source.map(|source| source.raw_os_error().unwrap_or(nix::libc::EIO));
                return End::StationFault(StationFault::Image { at, errno });
            }
            Self::Internal { message } => return End::StationFault(StationFault::Internal { message }),
            Self::Cancelled => return End::Cancelled,
        };
        End::Failed(failure)
    }
}
