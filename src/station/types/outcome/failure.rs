//! How and where a card failed.

use std::time::Duration;
use std::{fmt, io};

use super::super::units::Bytes;

/// The operation during which a card failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Writing image or tombstone.
    Writing,
    /// Reading back the written data.
    Reading,
    /// Waiting for the card's own cache to reach its medium.
    Flushing,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Writing => "writing",
            Self::Reading => "reading back",
            Self::Flushing => "flushing",
        })
    }
}

/// The kind of wrong contents, as seen around the first wrong byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Damage {
    /// Zeroes came back.
    Zeroes,
    /// All bits set, as erased flash memory reads.
    Ones,
    /// The image's own data, shifted by this many sectors of 512 bytes (negative if too early).
    Shifted {
        /// The shift in sectors of 512 bytes; negative if too early.
        sectors: i64,
    },
    /// This many bits of the block differ.
    BitsFlipped {
        /// The number of different bits.
        bits: u32,
    },
    /// Something else: most likely the old contents, because the write was ignored.
    Other,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zeroes => f.write_str("zeroes"),
            Self::Ones => f.write_str("ones"),
            Self::Shifted { sectors } => write!(f, "shifted by {sectors} sectors"),
            Self::BitsFlipped { bits: 1 } => f.write_str("1 bit flipped"),
            Self::BitsFlipped { bits } => write!(f, "{bits} bits flipped"),
            Self::Other => f.write_str("other contents: the write was ignored"),
        }
    }
}

/// Why a card's contents are undefined. It cannot boot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The card answered with an error.
    Io {
        /// The operation that failed.
        act: Act,
        /// The place on the card.
        at: Bytes,
        /// Length of the image.
        span: Bytes,
        /// The errno, if there was one.
        errno: Option<i32>,
    },
    /// The card took fewer bytes than it was given, without an error.
    Short {
        /// The operation that ended early.
        act: Act,
        /// The place on the card.
        at: Bytes,
    },
    /// The tombstone did not read back: the card ignores writes, or writes to another place.
    WriteIgnored {
        /// The first wrong byte.
        at: Bytes,
    },
    /// The read-back contents are not those of the image.
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
    /// A card with a false capacity: data that was written at one place was read at another, or not at all.
    FalseCapacity {
        /// The byte at which the false capacity was found.
        at: Bytes,
        /// The place to which the contents belong.
        holds: Option<Bytes>,
    },
    /// The device made no progress, and did not answer with an error either.
    Stalled {
        /// The bytes moved before, as the step counts them.
        at: Bytes,
        /// The time without progress.
        waited: Duration,
    },
    /// A part was read back wrong, and right when it was read once more: such a card is not trustworthy.
    Unsteady {
        /// The beginning of the part.
        at: Bytes,
    },
    /// The card shrank, or its identity changed, with no sign of a removal.
    Changed,
}

impl Failure {
    /// The stable word for tables and filters.
    #[must_use]
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Io { act: Act::Writing, .. } | Self::Short { act: Act::Writing, .. } => "write-error",
            Self::Io { act: Act::Reading, .. } | Self::Short { act: Act::Reading, .. } => "read-error",
            Self::Io { act: Act::Flushing, .. } | Self::Short { act: Act::Flushing, .. } => "flush-error",
            Self::WriteIgnored { .. } => "write-ignored",
            Self::Mismatch { .. } => "mismatch",
            Self::FalseCapacity { .. } => "false-capacity",
            Self::Stalled { .. } => "stalled",
            Self::Unsteady { .. } => "unsteady",
            Self::Changed => "changed",
        }
    }

    /// The place on the card, if the failure has one.
    #[must_use]
    pub(crate) fn at(&self) -> Option<Bytes> {
        match self {
            Self::Io { at, .. }
            | Self::Short { at, .. }
            | Self::WriteIgnored { at }
            | Self::Mismatch { at, .. }
            | Self::FalseCapacity { at, .. }
            | Self::Unsteady { at }
            | Self::Stalled { at, .. } => Some(*at),
            Self::Changed => None,
        }
    }
}

/// The system's text for an errno, or that there was none.
fn errno_words(errno: Option<i32>) -> String {
    errno.map_or_else(|| "no error number".to_owned(), |errno| io::Error::from_raw_os_error(errno).to_string())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { act, at, span, errno } => {
                write!(f, "{act} at byte {} of {}: {}", at.0, span.0, errno_words(*errno))
            }
            Self::Short { act, at } => write!(f, "{act} at byte {} stopped short without an error", at.0),
            Self::WriteIgnored { at } => write!(f, "write ignored: byte {} did not change", at.0),
            Self::Mismatch { at, expected, found, damage } => {
                write!(f, "byte {} read back as {found:#04x} instead of {expected:#04x} ({damage})", at.0)
            }
            Self::FalseCapacity { at, holds: Some(holds) } => {
                write!(f, "lies about its capacity: byte {} holds what was written at byte {}", at.0, holds.0)
            }
            Self::FalseCapacity { at, holds: None } => write!(f, "lies about its capacity: nothing stays at byte {}", at.0),
            Self::Stalled { at, waited } => write!(f, "stalled: nothing moved for {} s behind byte {}", waited.as_secs(), at.0),
            Self::Unsteady { at } => write!(f, "the part behind byte {} does not always read the same", at.0),
            Self::Changed => f.write_str("the card changed while it was written"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_was_done_where_and_what_the_system_said() {
        let failure = Failure::Io { act: Act::Writing, at: Bytes(4_194_304), span: Bytes(8_589_934_592), errno: Some(5) };
        assert_eq!(failure.to_string(), "writing at byte 4194304 of 8589934592: Input/output error (os error 5)");
    }
}
