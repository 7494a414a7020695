//! Every outcome of an attempt that an operator, a row or a lamp can show, and the effort it took.

mod failure;
mod fault;
mod proof;
mod refusal;
mod word;

use std::fmt;
use std::time::Duration;

use super::units::Bytes;
pub use failure::{Act, Damage, Failure};
pub use fault::StationFault;
pub use proof::{Digest, MappedProof, Proof, ReadBack};
pub use refusal::Refusal;
pub(crate) use refusal::code_today;
pub use word::{Counted, OutcomeWord};

/// What an attempt did, measured by its thread. Zero where it did not come so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Effort {
    /// Bytes handed to the card, tombstone and head included.
    pub written: Bytes,
    /// Bytes the card returned, the tombstone's included.
    pub read: Bytes,
    /// Time spent writing and flushing.
    pub writing: Duration,
    /// Time spent reading back.
    pub reading: Duration,
    /// Time from claim to end.
    pub total: Duration,
    /// The slowest single call.
    pub slowest_call: Duration,
    /// What that call was, and where it began.
    pub slowest_was: Option<(Act, Bytes)>,
    /// How fast the card was along the image.
    pub curve: Curve,
    /// What stands in the card's head.
    pub head: CardHead,
    /// What came of telling the card's device to empty its cache; nothing where it did not come so far.
    pub flush: Option<CacheFlush>,
    /// The kernel's count of sectors written to the card when it was proven; nothing where it was not, or is not counted.
    pub writes_at_proof: Option<u64>,
}

/// How it is known that nothing is left in a card's volatile cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheFlush {
    /// A SCSI device that empties its cache when it is told to, and was told at every flush.
    Asked,
    /// A SCSI device that does not know the command: it has no cache.
    Refused,
    /// A SCSI device that does not answer the command, or leaves on it: only what the kernel flushes by itself is flushed.
    Unanswered,
    /// No SCSI device: the kernel knows how to flush it.
    None,
}

impl CacheFlush {
    /// The word in the log; stable.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::None => "none",
        }
    }
}

/// What stands where a firmware looks for something to boot, as far as the attempt knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CardHead {
    /// What stood there before: nothing was written.
    #[default]
    Untouched,
    /// The tombstone, flushed and read back: the card cannot boot.
    Tombstone,
    /// The image's, read back.
    Image,
    /// Not known. The head was being written when the attempt ended, and the tombstone could not be put back: the card may boot.
    Unknown,
}

impl CardHead {
    /// The word in the log; stable.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::Tombstone => "tombstone",
            Self::Image => "image",
            Self::Unknown => "unknown",
        }
    }
}

/// Bytes a second over the image's length, in parts of equal length, from its first byte to its last; nothing in a part where nothing
/// was moved. A card that slows down towards its end, or in one place, shows here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Curve {
    /// Bytes per second while it was written, for each part of the image.
    pub writing: Vec<Option<Bytes>>,
    /// Bytes per second while it was read back, for each part of the image.
    pub reading: Vec<Option<Bytes>>,
}

impl Curve {
    /// How many parts at most: enough to see where a card is slow, and so few that a row stays small.
    pub(crate) const PARTS: usize = 32;
}

/// Why a card left while it was busy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pull {
    /// By itself: somebody took it out.
    Taken,
    /// With every other card of a reader or hub: one cause, and not the operator's hand.
    ReaderLost {
        /// The USB device that was lost, as its slots' ports name it.
        device: String,
        /// The slots that lost their cards with it.
        slots: Vec<String>,
    },
}

impl fmt::Display for Pull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("taken out while busy"),
            Self::ReaderLost { device, slots } => write!(f, "reader lost: {device} with {}", slots.join(" ")),
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Every byte was read back and proven.
    Passed(Proof),
    /// The image's data is proven; its zeroes were skipped, as the policy says.
    PassedMapped(MappedProof),
    /// It held the image already, and the log has no good row of it: nothing was written, every byte is proven, and it counts once.
    Found(Proof),
    /// The same where the image's zeroes are skipped.
    FoundMapped(MappedProof),
    /// It held the image already: nothing was written, and every byte is proven anew. Not counted again.
    Rechecked(Proof),
    /// The same where the image's zeroes are skipped.
    RecheckedMapped(MappedProof),
    /// Contents undefined, cannot boot.
    Failed(Failure),
    /// The card was refused and not touched.
    Refused(Refusal),
    /// The card left while it was busy.
    Pulled(Pull),
    /// The station stopped before the card was done.
    Interrupted,
    /// Proven, and written to by somebody else before it was taken out: its contents are not what was proven.
    Changed {
        /// How many sectors of 512 bytes were written or discarded since.
        sectors: u64,
    },
    /// The station itself failed, and the card has no part in it. It was not proven: its contents are undefined unless its head is untouched.
    StationFault(StationFault),
}

impl Outcome {
    /// Every byte that counts came back right: the card is green until somebody writes to it.
    #[must_use]
    pub(crate) fn is_proven(&self) -> bool {
        self.word().holds_image()
    }

    /// One more card that is good: written, proven, and not counted before.
    #[must_use]
    pub(crate) fn is_good(&self) -> bool {
        self.word().is_good()
    }

    /// Its word in the log, which says what it counts as.
    #[must_use]
    pub(crate) fn word(&self) -> OutcomeWord {
        match self {
            Self::Passed(_) => OutcomeWord::Passed,
            Self::PassedMapped(_) => OutcomeWord::PassedMapped,
            Self::Found(_) => OutcomeWord::Found,
            Self::FoundMapped(_) => OutcomeWord::FoundMapped,
            Self::Rechecked(_) => OutcomeWord::Rechecked,
            Self::RecheckedMapped(_) => OutcomeWord::RecheckedMapped,
            Self::Failed(_) => OutcomeWord::Failed,
            Self::Refused(_) => OutcomeWord::Refused,
            Self::Pulled(_) => OutcomeWord::Pulled,
            Self::Interrupted => OutcomeWord::Interrupted,
            Self::Changed { .. } => OutcomeWord::Changed,
            Self::StationFault(_) => OutcomeWord::StationFault,
        }
    }

    /// A word for the reason, for filters; stable.
    #[must_use]
    pub(crate) fn code(&self) -> Option<&'static str> {
        match self {
            Self::Failed(failure) => Some(failure.code()),
            Self::Refused(refusal) => Some(refusal.code()),
            Self::Pulled(Pull::ReaderLost { .. }) => Some("reader-lost"),
            Self::Changed { .. } => Some("written-after-proof"),
            Self::StationFault(fault) => Some(fault.code()),
            Self::Passed(_)
            | Self::PassedMapped(_)
            | Self::Found(_)
            | Self::FoundMapped(_)
            | Self::Rechecked(_)
            | Self::RecheckedMapped(_)
            | Self::Pulled(Pull::Taken)
            | Self::Interrupted => None,
        }
    }

    /// What was read back for it, where that proves something: the whole span, or only what the image has data in.
    #[must_use]
    pub(crate) fn readback_class(&self) -> Option<&'static str> {
        match self {
            Self::Passed(_) | Self::Found(_) | Self::Rechecked(_) => Some("whole"),
            Self::PassedMapped(_) | Self::FoundMapped(_) | Self::RecheckedMapped(_) => Some("mapped-only"),
            Self::Failed(_) | Self::Refused(_) | Self::Pulled(_) | Self::Interrupted | Self::Changed { .. } | Self::StationFault(_) => None,
        }
    }

    /// The reason in words.
    #[must_use]
    pub(crate) fn reason(&self) -> Option<String> {
        match self {
            Self::Failed(failure) => Some(failure.to_string()),
            Self::Refused(refusal) => Some(refusal.to_string()),
            Self::Pulled(pull @ Pull::ReaderLost { .. }) => Some(pull.to_string()),
            Self::Changed { sectors } => Some(format!("written to after it was proven: {sectors} sectors by another program")),
            Self::StationFault(fault) => Some(fault.to_string()),
            Self::Passed(_)
            | Self::PassedMapped(_)
            | Self::Found(_)
            | Self::FoundMapped(_)
            | Self::Rechecked(_)
            | Self::RecheckedMapped(_)
            | Self::Pulled(Pull::Taken)
            | Self::Interrupted => None,
        }
    }

    /// Where on the card it failed.
    #[must_use]
    pub(crate) fn at(&self) -> Option<Bytes> {
        match self {
            Self::Failed(failure) => failure.at(),
            Self::StationFault(fault) => fault.at(),
            _ => None,
        }
    }
}
