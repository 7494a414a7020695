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

/// The effort of an attempt, measured by its thread. Zero for steps that it did not reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Effort {
    /// Bytes sent to the card, with tombstone and head.
    pub written: Bytes,
    /// Bytes read from the card, with the tombstone.
    pub read: Bytes,
    /// Time spent writing and flushing.
    pub writing: Duration,
    /// Time spent reading back.
    pub reading: Duration,
    /// Time from claim to end.
    pub total: Duration,
    /// The slowest single call.
    pub slowest_call: Duration,
    /// The operation of that call, and the place where it began.
    pub slowest_was: Option<(Act, Bytes)>,
    /// Reads and writes that were repeated after an error.
    pub retries: u64,
    /// The speed of the card along the image.
    pub curve: Curve,
    /// The tombstone that this attempt wrote; `None` if nothing was written.
    pub tombstone: Option<Nonce>,
    /// The tombstone of an earlier attempt that was in the head, if it was looked for.
    pub found_tombstone: Option<Nonce>,
    /// The contents of the card's head.
    pub head: CardHead,
    /// The result of telling the card's device to empty its cache; `None` if it did not get that far.
    pub flush: Option<CacheFlush>,
    /// The kernel's count of sectors written to the card when it was proven; `None` if it was not proven, or the kernel does not count.
    pub writes_at_proof: Option<u64>,
}

/// The number in a tombstone by which it belongs to one attempt and no other: random, so that two stations do not share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(pub u128);

impl Nonce {
    /// The number in this text, 32 hexadecimal digits; `None` for another form.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        u128::from_str_radix(text, 16).ok().filter(|_| is_digits).map(Self)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// How it is known that no data is left in a card's volatile cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheFlush {
    /// A SCSI device that empties its cache on request, and was told so at every flush.
    Asked,
    /// A SCSI device that does not know the command: it has no cache.
    Refused,
    /// A SCSI device that does not answer the command, or leaves the bus: only the kernel's own flushes reach it.
    Unanswered,
    /// Not a SCSI device: the kernel knows how to flush it.
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

/// The contents of the place from which a firmware boots, as far as the attempt knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CardHead {
    /// The old contents: nothing was written.
    #[default]
    Untouched,
    /// The tombstone, flushed and read back: the card cannot boot.
    Tombstone,
    /// The image's, read back.
    Image,
    /// Unknown. The head was being written when the attempt ended, and the tombstone could not be put back: the card may boot.
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

/// Bytes a second along the image, in parts of equal length, from its first byte to its last; `None` for a part in which nothing was moved.
/// It shows a card that becomes slow towards its end, or in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Curve {
    /// Bytes per second while it was written, for each part of the image.
    pub writing: Vec<Option<Bytes>>,
    /// Bytes per second while it was read back, for each part of the image.
    pub reading: Vec<Option<Bytes>>,
}

impl Curve {
    /// The most parts: enough to see where a card is slow, and few enough that a row stays small.
    pub(crate) const PARTS: usize = 32;
}

/// Why a card left while it was busy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pull {
    /// By itself: it was taken out.
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
    /// The image's data is proven; its zeroes were skipped by policy.
    PassedMapped(MappedProof),
    /// It already held the image, and the log has no good row of it: nothing was written, every byte is proven, and it counts once.
    Found(Proof),
    /// The same if the image's zeroes are skipped.
    FoundMapped(MappedProof),
    /// It already held the image: nothing was written, and every byte is proven anew. Not counted again.
    Rechecked(Proof),
    /// The same if the image's zeroes are skipped.
    RecheckedMapped(MappedProof),
    /// Contents undefined, cannot boot.
    Failed(Failure),
    /// The card was refused and not touched.
    Refused(Refusal),
    /// The card left while it was busy.
    Pulled(Pull),
    /// The station stopped before the card was done.
    Interrupted,
    /// Proven, but another program wrote to it before it was taken out: its contents are not those that were proven.
    Changed {
        /// The number of sectors of 512 bytes that were written or discarded since.
        sectors: u64,
    },
    /// The station itself failed; the card did not cause it. It was not proven: its contents are undefined unless its head is untouched.
    StationFault(StationFault),
}

impl Outcome {
    /// Every byte that counts was read back right: the card is green until another program writes to it.
    #[must_use]
    pub(crate) fn is_proven(&self) -> bool {
        self.word().holds_image()
    }

    /// Is this one more good card: written, proven, and not counted before?
    #[must_use]
    pub(crate) fn is_good(&self) -> bool {
        self.word().is_good()
    }

    /// Its word in the log, which determines what it counts as.
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

    /// The stable word of the reason, for filters.
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

    /// The proven part: the whole span, or only the image's data; `None` without a proof.
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

    /// The place on the card at which it failed.
    #[must_use]
    pub(crate) fn at(&self) -> Option<Bytes> {
        match self {
            Self::Failed(failure) => failure.at(),
            Self::StationFault(fault) => fault.at(),
            _ => None,
        }
    }
}
