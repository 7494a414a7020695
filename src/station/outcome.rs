//! Every outcome, refusal and failure an operator, a row or a lamp can meet, and the one place that decides a pass.

use std::fmt;
use std::io;
use std::time::Duration;

use super::card::Use;
use super::said::Todo;
use super::units::Bytes;

/// The BLAKE3 of an image's raw bytes: what `b3sum` prints for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Why a card was not touched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The slot's model has no image that may be written.
    NoArmedImage,
    /// The port hangs on something else than when the slot was taught: it may be another place.
    Recabled {
        /// The device that is another one, with its place: `reader usb3-1.2`.
        at: String,
        /// What was taught.
        was: String,
        /// What is there, where there is something.
        is: Option<String>,
        /// Where the taught device is now, where it was found.
        now_on: Option<String>,
    },
    /// A partition, or something else that is not a whole disk.
    NotWholeDisk,
    /// Neither USB nor an MMC host.
    NotACard {
        /// The kernel's word for what it is.
        bus: String,
    },
    /// An MMC device that is no SD card: the PC's own eMMC.
    NotSd {
        /// The kernel's word for what it is.
        kind: String,
    },
    /// Somebody uses it.
    InUse(Use),
    /// One of the PC's own disks, listed when the station was installed.
    OwnDisk,
    /// The write protection of the card or reader is on.
    WriteProtected,
    /// It cannot hold the image.
    TooSmall {
        /// What the card holds.
        capacity: Bytes,
        /// What the image needs.
        needs: Bytes,
    },
    /// Outside what this slot takes.
    CapacityOutside {
        /// What the card holds.
        capacity: Bytes,
        /// The least this slot takes.
        at_least: Bytes,
        /// The most this slot takes.
        at_most: Bytes,
    },
    /// The image was made for another logical block.
    SectorSize {
        /// The card's logical block.
        card: u32,
        /// What the image's partition table was made for.
        image: u32,
    },
    /// The policy asks for blank cards, and this one has partitions.
    Partitioned,
    /// The kernel gives no `DISKSEQ`, so one card cannot be told from the next.
    NoDiskSequence,
    /// Another card was in the slot by the time it was opened.
    AnotherCard,
    /// The PC could not tell who uses it: what is unknown is refused.
    Unknown,
    /// Another program holds it, or kept it locked.
    Busy,
    /// It could not be opened.
    CannotOpen {
        /// The system's error number.
        errno: i32,
    },
    /// The order of its model is complete: no card more is made.
    OrderComplete {
        /// How many were ordered.
        count: u32,
    },
}

impl Refusal {
    /// A word for tables and filters; stable.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoArmedImage => "no-armed-image",
            Self::Recabled { .. } => "recabled",
            Self::NotWholeDisk => "not-whole-disk",
            Self::NotACard { .. } => "not-a-card",
            Self::NotSd { .. } => "not-sd",
            Self::InUse(Use::Mounted(_)) => "mounted",
            Self::InUse(Use::Swap(_)) => "swap",
            Self::InUse(Use::Holder(_)) => "held",
            Self::InUse(Use::Member(_)) => "member",
            Self::InUse(Use::Station(_)) => "station-disk",
            Self::OwnDisk => "own-disk",
            Self::WriteProtected => "write-protected",
            Self::TooSmall { .. } => "too-small",
            Self::CapacityOutside { .. } => "capacity-outside",
            Self::SectorSize { .. } => "sector-size",
            Self::Partitioned => "partitioned",
            Self::NoDiskSequence => "no-diskseq",
            Self::AnotherCard => "another-card",
            Self::Unknown => "unknown-use",
            Self::Busy => "busy",
            Self::CannotOpen { .. } => "cannot-open",
            Self::OrderComplete { .. } => "order-complete",
        }
    }

    /// What the operator does about it.
    #[must_use]
    pub fn cure(&self) -> Todo {
        match self {
            Self::NoArmedImage | Self::CannotOpen { .. } | Self::Recabled { .. } => Todo::CallEngineer,
            Self::WriteProtected => Todo::SlideLock,
            Self::TooSmall { .. } | Self::CapacityOutside { .. } | Self::SectorSize { .. } => Todo::UseAnother,
            Self::Partitioned => Todo::UseBlank,
            Self::AnotherCard | Self::Busy | Self::Unknown => Todo::PutInAgain,
            Self::NoDiskSequence => Todo::NewerKernel,
            Self::NotWholeDisk | Self::NotACard { .. } | Self::NotSd { .. } | Self::InUse(_) | Self::OwnDisk => Todo::NotForThisSlot,
            Self::OrderComplete { .. } => Todo::KeepForNextOrder,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoArmedImage => f.write_str("no image is armed for this slot"),
            Self::Recabled { at, was, is, now_on } => {
                write!(f, "{at} was {was}")?;
                if let Some(place) = now_on {
                    write!(f, ", which is on {place} now")?;
                }
                if let Some(is) = is {
                    write!(f, ", is {is} now")?;
                }
                f.write_str(" (teach the slot again, or correct `hangs_on`)")
            }
            Self::NotWholeDisk => f.write_str("not a whole disk"),
            Self::NotACard { bus } => write!(f, "not a card: a disk on {bus}"),
            Self::NotSd { kind } => write!(f, "not an SD card: {kind}"),
            Self::InUse(by) => write!(f, "in use: {by}"),
            Self::OwnDisk => f.write_str("one of this PC's own disks"),
            Self::WriteProtected => f.write_str("write-protected"),
            Self::TooSmall { capacity, needs } => write!(f, "too small: {capacity}, needs {needs}"),
            Self::CapacityOutside { capacity, at_least, at_most } => {
                write!(f, "wrong size: {capacity}, this slot takes {at_least} to {at_most}")
            }
            Self::SectorSize { card, image } => write!(f, "blocks of {card} bytes, the image was made for {image}"),
            Self::Partitioned => f.write_str("already partitioned, and only blank cards are taken"),
            Self::NoDiskSequence => f.write_str("this kernel cannot tell one card from the next"),
            Self::AnotherCard => f.write_str("another card was in the slot when it was opened"),
            Self::Unknown => f.write_str("this PC could not tell who uses it"),
            Self::Busy => f.write_str("another program holds it"),
            Self::CannotOpen { errno } => write!(f, "cannot be opened: {}", io::Error::from_raw_os_error(*errno)),
            Self::OrderComplete { count } => write!(f, "the order is complete: {count} of {count}"),
        }
    }
}

/// What was being done when a card failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Writing image or tombstone.
    Writing,
    /// Reading back.
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

/// What kind of wrong contents came back, as seen around the first wrong byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Damage {
    /// Zeroes.
    Zeroes,
    /// All bits set, as erased flash memory reads.
    Ones,
    /// The image's own data, so many sectors of 512 bytes too late (or, below zero, too early).
    Shifted {
        /// By how many.
        sectors: i64,
    },
    /// So many bits of the block differ.
    BitsFlipped {
        /// How many.
        bits: u32,
    },
    /// Something else: most likely what was there before, and the write was ignored.
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
        /// What was asked of it.
        act: Act,
        /// Where on the card.
        at: Bytes,
        /// The image's length.
        span: Bytes,
        /// The system's error number, where there was one.
        errno: Option<i32>,
    },
    /// The card took fewer bytes than it was given and no error told why.
    Short {
        /// What was asked of it.
        act: Act,
        /// Where on the card.
        at: Bytes,
    },
    /// The tombstone did not read back: the card ignores writes, or writes elsewhere.
    WriteIgnored {
        /// The first byte that is not ours.
        at: Bytes,
    },
    /// What came back is not the image.
    Mismatch {
        /// The first wrong byte.
        at: Bytes,
        /// What the image has there.
        expected: u8,
        /// What the card returned.
        found: u8,
        /// Of what kind.
        damage: Damage,
    },
    /// A card that claims to hold more than it does: what was written at one place came back at another, or not at all.
    FalseCapacity {
        /// Where it showed.
        at: Bytes,
        /// What stands there belongs to this place.
        holds: Option<Bytes>,
    },
    /// The device moved nothing any more, and did not answer with an error either.
    Stalled {
        /// What had been moved before, as the step counts it.
        at: Bytes,
        /// For how long it stood still.
        waited: Duration,
    },
    /// A part read back wrong, and right when it was read once more: such a card is not to be trusted.
    Unsteady {
        /// Where the part begins.
        at: Bytes,
    },
    /// The card shrank, or its identity changed, with no sign of a removal.
    Changed,
    /// The station could not read its own staged image. Not the card's fault.
    StationImage {
        /// Where in the image.
        at: Bytes,
        /// The system's error number, where there was one.
        errno: Option<i32>,
    },
    /// The card's thread ended on a fault of ours.
    Internal {
        /// The panic's message.
        message: String,
    },
}

impl Failure {
    /// A word for tables and filters; stable.
    #[must_use]
    pub fn code(&self) -> &'static str {
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
            Self::StationImage { .. } => "station-image",
            Self::Internal { .. } => "station-internal",
        }
    }

    /// Where on the card, where the failure has a place.
    #[must_use]
    pub fn at(&self) -> Option<Bytes> {
        match self {
            Self::Io { at, .. }
            | Self::Short { at, .. }
            | Self::WriteIgnored { at }
            | Self::Mismatch { at, .. }
            | Self::FalseCapacity { at, .. }
            | Self::Unsteady { at }
            | Self::Stalled { at, .. }
            | Self::StationImage { at, .. } => Some(*at),
            Self::Changed | Self::Internal { .. } => None,
        }
    }
}

/// The system's words for an error number, or that there was none.
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
                write!(f, "byte {} read back as {found:#04x}, the image has {expected:#04x} ({damage})", at.0)
            }
            Self::FalseCapacity { at, holds: Some(holds) } => {
                write!(f, "lies about its capacity: byte {} holds what was written at byte {}", at.0, holds.0)
            }
            Self::FalseCapacity { at, holds: None } => write!(f, "lies about its capacity: nothing stays at byte {}", at.0),
            Self::Stalled { at, waited } => write!(f, "stalled: nothing moved for {} s behind byte {}", waited.as_secs(), at.0),
            Self::Unsteady { at } => write!(f, "the part behind byte {} does not always read the same", at.0),
            Self::Changed => f.write_str("the card changed while it was written"),
            Self::StationImage { at, errno: Some(errno) } => {
                write!(f, "the station could not read its image at byte {}: {}", at.0, errno_words(Some(*errno)))
            }
            Self::StationImage { at, errno: None } => {
                write!(f, "the station's image is not what was staged, at byte {}: remove it and restart the station", at.0)
            }
            Self::Internal { message } => write!(f, "a fault of the station: {message}"),
        }
    }
}

/// What a read-back found: measured, not yet judged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReadBack {
    /// BLAKE3 over what the card returned, in the image's order.
    pub digest: Digest,
    /// How many bytes of the span the card returned.
    pub bytes: Bytes,
}

/// Evidence that a card holds the image. Only [`Proof::conclude`] makes one, so a pass that was not read back cannot be
/// recorded: it would not compile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proof {
    read_back: ReadBack,
}

impl Proof {
    /// The one decision behind every PASS: every byte of the span came back from the card, and together they are the image.
    #[must_use]
    pub fn conclude(read_back: ReadBack, image: Digest, span: Bytes) -> Option<Self> {
        (read_back.digest == image && read_back.bytes == span).then_some(Self { read_back })
    }

    /// The digest computed from what the card returned.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.read_back.digest
    }
}

/// Evidence that a card holds the image's data, and of nothing else: what stands where the image has zeroes was not looked at. It has
/// no digest, because that of the image would speak of bytes that were never read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MappedProof {
    bytes: Bytes,
}

impl MappedProof {
    /// `read_back` holds the digest of the data that came back from the card with zeroes in place of all that was not read, and the
    /// count of the bytes of data; `mapped` is how many the image has.
    #[must_use]
    pub fn conclude(read_back: &ReadBack, image: Digest, mapped: Bytes) -> Option<Self> {
        (read_back.digest == image && read_back.bytes == mapped).then_some(Self { bytes: mapped })
    }

    /// How many bytes of the span were proven.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.bytes
    }
}

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
    /// Claim to end.
    pub total: Duration,
    /// The slowest single call.
    pub slowest_call: Duration,
    /// What that call was, and where it began.
    pub slowest_was: Option<(Act, Bytes)>,
    /// How fast the card was along the image.
    pub curve: Curve,
}

/// Bytes a second over the image's length, in parts of equal length, from its first byte to its last; nothing in a part where nothing
/// was moved. A card that slows down towards its end, or in one place, shows here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Curve {
    /// Written.
    pub writing: Vec<Option<Bytes>>,
    /// Read back.
    pub reading: Vec<Option<Bytes>>,
}

impl Curve {
    /// How many parts at most: enough to see where a card is slow, and so few that a row stays small.
    pub const PARTS: usize = 32;
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
    /// Proven, every byte.
    Passed(Proof),
    /// The image's data is proven; its zeroes were skipped, as the policy says.
    PassedMapped(MappedProof),
    /// It held the image already: nothing was written, and every byte is proven anew. Not counted again.
    Rechecked(Proof),
    /// The same where the image's zeroes are skipped.
    RecheckedMapped(MappedProof),
    /// Contents undefined, cannot boot.
    Failed(Failure),
    /// Not touched.
    Refused(Refusal),
    /// Gone while busy.
    Pulled(Pull),
    /// The station stopped.
    Interrupted,
}

impl Outcome {
    /// One more card that is good: written, proven, and not counted before.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Passed(_) | Self::PassedMapped(_))
    }

    /// The word in the log; stable.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed(_) => "passed",
            Self::PassedMapped(_) => "passed-mapped-only",
            Self::Rechecked(_) => "recheck",
            Self::RecheckedMapped(_) => "recheck-mapped-only",
            Self::Failed(_) => "failed",
            Self::Refused(_) => "refused",
            Self::Pulled(_) => "pulled",
            Self::Interrupted => "interrupted",
        }
    }

    /// A word for the reason, for filters; stable.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Failed(failure) => Some(failure.code()),
            Self::Refused(refusal) => Some(refusal.code()),
            Self::Pulled(Pull::ReaderLost { .. }) => Some("reader-lost"),
            Self::Passed(_)
            | Self::PassedMapped(_)
            | Self::Rechecked(_)
            | Self::RecheckedMapped(_)
            | Self::Pulled(Pull::Taken)
            | Self::Interrupted => None,
        }
    }

    /// What was read back for it, where that proves something: the whole span, or only what the image has data in.
    #[must_use]
    pub fn readback_class(&self) -> Option<&'static str> {
        match self {
            Self::Passed(_) | Self::Rechecked(_) => Some("whole"),
            Self::PassedMapped(_) | Self::RecheckedMapped(_) => Some("mapped-only"),
            Self::Failed(_) | Self::Refused(_) | Self::Pulled(_) | Self::Interrupted => None,
        }
    }

    /// The reason in words.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Failed(failure) => Some(failure.to_string()),
            Self::Refused(refusal) => Some(refusal.to_string()),
            Self::Pulled(pull @ Pull::ReaderLost { .. }) => Some(pull.to_string()),
            Self::Passed(_)
            | Self::PassedMapped(_)
            | Self::Rechecked(_)
            | Self::RecheckedMapped(_)
            | Self::Pulled(Pull::Taken)
            | Self::Interrupted => None,
        }
    }

    /// Where on the card it failed.
    #[must_use]
    pub fn at(&self) -> Option<Bytes> {
        match self {
            Self::Failed(failure) => failure.at(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_needs_every_byte_and_the_right_digest() {
        let right = Digest([7; 32]);
        let back = |digest, bytes| ReadBack { digest, bytes: Bytes(bytes) };
        assert!(Proof::conclude(back(right, 10), right, Bytes(10)).is_some());
        assert!(Proof::conclude(back(right, 9), right, Bytes(10)).is_none(), "one byte was not read back");
        assert!(Proof::conclude(back(Digest([8; 32]), 10), right, Bytes(10)).is_none(), "other bytes were read back");
    }

    #[test]
    fn a_proof_of_the_data_alone_needs_all_of_it_and_claims_no_digest_and_no_pass() {
        let right = Digest([7; 32]);
        let conclude = |digest, bytes| MappedProof::conclude(&ReadBack { digest, bytes: Bytes(bytes) }, right, Bytes(10));
        assert!(conclude(right, 9).is_none(), "one byte of data was not read back");
        assert!(conclude(Digest([8; 32]), 10).is_none(), "other bytes were read back");
        let outcome = Outcome::PassedMapped(conclude(right, 10).expect("all of the data"));
        assert_eq!((outcome.word(), outcome.readback_class()), ("passed-mapped-only", Some("mapped-only")));
        assert_eq!(crate::station::view::Sign::of_outcome(&outcome).word(), "PASS (MAPPED ONLY)");
    }

    #[test]
    fn a_failure_says_what_was_done_where_and_what_the_system_said() {
        let failure = Failure::Io { act: Act::Writing, at: Bytes(4_194_304), span: Bytes(8_589_934_592), errno: Some(5) };
        assert_eq!(failure.to_string(), "writing at byte 4194304 of 8589934592: Input/output error (os error 5)");
    }
}
