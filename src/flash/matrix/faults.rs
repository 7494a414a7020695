//! The faults of a card, of its device and of the station, and how each is made on a card in memory.

use std::fs::File;
use std::os::unix::fs::FileExt;

use nix::libc;

use super::moments::Call;
use crate::device::FlushAnswer;
use crate::device::ram::{Fault, RamDevice};
use crate::flash::gauge::Gauge;
use crate::station::units::{MIB, to_u64};

/// A fault of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    PulledEnodev,
    PulledEioEnospc,
    PulledEnomedium,
    Swapped,
    Cancelled,
    ShortCounts,
    Interrupted,
    NeverReady,
    WriteErrorOnce,
    WriteErrorForEver,
    ReadOnlyErofs,
    ReadOnlyEperm,
    ReadOnlyEio,
    ReadErrorOnce,
    ReadErrorForEver,
    ReadNoData,
    FlipOnWrite,
    FlipOnReadOnce,
    FlipOnReadForEver,
    WritesIgnored,
    LostAtFlush,
    KeptInCache,
    Misplaced,
    Shifted,
    Disturbing,
    Wraps,
    WrapsOddly,
    Drops,
    ZeroingIgnored,
    ZeroingRefused,
    FlushErrorOnce,
    FlushSilent,
    FlushRefused,
    FlushStalled,
    FlushLost,
    FlushUnclear,
    FlushDisconnects,
    LastSectorAlone,
    ImageCut,
    ImageRotten,
    NoMemory,
    AnotherWrites,
}

/// Everything that a fault may act on when it strikes.
pub(super) struct Target<'a> {
    pub(super) device: &'a mut RamDevice,
    pub(super) gauge: &'a Gauge,
    /// The staged copy of the image, if the fault spoils it.
    pub(super) image: Option<&'a File>,
    /// The number of calls before the one that is struck.
    pub(super) calls: u64,
    /// A byte of the call in which the image has data.
    pub(super) place: u64,
    /// A byte of data in the body's first part, if there is a body.
    pub(super) victim: Option<u64>,
    /// The logical block of the card.
    pub(super) block: u64,
}

/// The bits that are flipped where bits flip.
const BITS: u8 = 0x24;
/// The sectors that another program writes.
pub(super) const FOREIGN: u64 = 8;
/// Rot: one byte in each part of this length is changed, at this place of it.
const ROT: (u64, u64) = (64 * 1024, 100);

impl Kind {
    /// Every fault, those of one kind beside each other.
    pub(super) const ALL: [Self; 42] = [
        Self::PulledEnodev,
        Self::PulledEioEnospc,
        Self::PulledEnomedium,
        Self::Swapped,
        Self::Cancelled,
        Self::ShortCounts,
        Self::Interrupted,
        Self::NeverReady,
        Self::WriteErrorOnce,
        Self::WriteErrorForEver,
        Self::ReadOnlyErofs,
        Self::ReadOnlyEperm,
        Self::ReadOnlyEio,
        Self::ReadErrorOnce,
        Self::ReadErrorForEver,
        Self::ReadNoData,
        Self::FlipOnWrite,
        Self::FlipOnReadOnce,
        Self::FlipOnReadForEver,
        Self::WritesIgnored,
        Self::LostAtFlush,
        Self::KeptInCache,
        Self::Misplaced,
        Self::Shifted,
        Self::Disturbing,
        Self::Wraps,
        Self::WrapsOddly,
        Self::Drops,
        Self::ZeroingIgnored,
        Self::ZeroingRefused,
        Self::FlushErrorOnce,
        Self::FlushSilent,
        Self::FlushRefused,
        Self::FlushStalled,
        Self::FlushLost,
        Self::FlushUnclear,
        Self::FlushDisconnects,
        Self::LastSectorAlone,
        Self::ImageCut,
        Self::ImageRotten,
        Self::NoMemory,
        Self::AnotherWrites,
    ];

    /// The name in cells and in the document, and a sentence.
    pub(super) fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::PulledEnodev => ("pulled-enodev", "the card leaves; its calls answer ENODEV"),
            Self::PulledEioEnospc => {
                ("pulled-eio-enospc", "the card leaves; one call answers EIO, later ones ENOSPC, because its size became 0")
            }
            Self::PulledEnomedium => ("pulled-enomedium", "the card leaves a reader that stays; calls answer ENOMEDIUM"),
            Self::Swapped => ("swapped", "another card takes its place: DISKSEQ changes, calls succeed on the other card"),
            Self::Cancelled => ("cancelled", "the station stops the attempt, or gives it up because it stalled"),
            Self::ShortCounts => ("short-counts", "calls move fewer bytes than asked"),
            Self::Interrupted => ("interrupted", "every other call answers EINTR or EAGAIN"),
            Self::NeverReady => ("never-ready", "all calls answer EAGAIN for ever"),
            Self::WriteErrorOnce => ("write-error-once", "one write answers EIO, as when the device is reset; then it works"),
            Self::WriteErrorForEver => ("write-error-place", "one place of the card answers EIO to writes for ever"),
            Self::ReadOnlyErofs => ("read-only-erofs", "the card becomes read-only: all writes answer EROFS"),
            Self::ReadOnlyEperm => ("read-only-eperm", "the card becomes read-only: all writes answer EPERM"),
            Self::ReadOnlyEio => ("read-only-eio", "the card becomes read-only: all writes answer EIO"),
            Self::ReadErrorOnce => ("read-error-once", "one read answers EIO, as when the device is reset; then it works"),
            Self::ReadErrorForEver => ("read-error-place", "one place of the card answers EIO to reads for ever"),
            Self::ReadNoData => ("read-no-data", "one place of the card answers ENODATA to reads for ever: a medium error"),
            Self::FlipOnWrite => ("flip-on-write", "two bits of one byte are stored wrong, once"),
            Self::FlipOnReadOnce => ("flip-on-read-once", "two bits of one byte are read wrong, once"),
            Self::FlipOnReadForEver => ("flip-on-read", "two bits of one byte are read wrong, for ever"),
            Self::WritesIgnored => ("writes-ignored", "all writes are acknowledged and ignored from then on"),
            Self::LostAtFlush => ("lost-at-flush", "from then on each flush is acknowledged and loses the writes since the one before"),
            Self::KeptInCache => {
                ("kept-in-cache", "from then on writes stay in the card's RAM, are read from there, and never reach the medium")
            }
            Self::Misplaced => ("misplaced", "one write lands in another place of the card"),
            Self::Shifted => ("shifted", "one write lands one block late"),
            Self::Disturbing => ("disturbing", "one write also spoils a byte of the body that was written before"),
            Self::Wraps => ("wraps", "the card holds an eighth of what it claims, and addresses wrap"),
            Self::WrapsOddly => ("wraps-oddly", "the same, and the length is no power of two and no whole piece"),
            Self::Drops => ("drops", "the card holds an eighth of what it claims, and discards what is beyond"),
            Self::ZeroingIgnored => ("zeroing-ignored", "zeroing by the kernel is acknowledged and ignored"),
            Self::ZeroingRefused => ("zeroing-refused", "zeroing by the kernel answers EOPNOTSUPP"),
            Self::FlushErrorOnce => ("flush-error-once", "one flush answers EIO"),
            Self::FlushSilent => ("flush-silent", "the device is silent at each flush, which ends as ETIMEDOUT"),
            Self::FlushRefused => ("flush-refused", "the device does not know the flush command"),
            Self::FlushStalled => ("flush-stalled", "the device does not answer the flush command in time"),
            Self::FlushLost => ("flush-lost", "the device is reset by the flush command"),
            Self::FlushUnclear => ("flush-unclear", "the device reports a failure of the flush command"),
            Self::FlushDisconnects => ("flush-disconnects", "the device leaves the bus at the flush command"),
            Self::LastSectorAlone => ("last-sector-alone", "the reader cannot return the last sector in a longer request"),
            Self::ImageCut => ("image-cut", "the staged copy of the image becomes unreadable: the file is empty"),
            Self::ImageRotten => ("image-rotten", "the staged copy of the image changes everywhere"),
            Self::NoMemory => ("no-memory", "one call answers ENOMEM: the kernel has no memory"),
            Self::AnotherWrites => ("another-writes", "another program changes a byte of the body; the kernel counts it"),
        }
    }

    /// Why this fault cannot strike at a call of this kind; `None` if it can.
    pub(super) fn misses(self, call: Call) -> Option<&'static str> {
        let anywhere = self.is_of_the_whole_card();
        let strikes = match self {
            Self::PulledEnodev | Self::PulledEioEnospc | Self::PulledEnomedium | Self::Swapped | Self::Cancelled | Self::AnotherWrites => {
                return None;
            }
            Self::ImageCut | Self::ImageRotten => {
                return (call == Call::None).then_some("the image is not needed any more");
            }
            Self::ShortCounts | Self::Interrupted => matches!(call, Call::First | Call::Write | Call::Read),
            Self::NeverReady => matches!(call, Call::Write | Call::Read),
            Self::WriteErrorOnce | Self::WriteErrorForEver | Self::FlipOnWrite | Self::Misplaced | Self::Shifted | Self::Disturbing => {
                call == Call::Write
            }
            Self::ReadErrorOnce | Self::ReadErrorForEver | Self::ReadNoData | Self::FlipOnReadOnce | Self::FlipOnReadForEver => {
                call == Call::Read
            }
            Self::ReadOnlyErofs | Self::ReadOnlyEperm | Self::ReadOnlyEio => matches!(call, Call::First | Call::Write | Call::Zero),
            Self::WritesIgnored | Self::KeptInCache => matches!(call, Call::First | Call::Write),
            Self::LostAtFlush => matches!(call, Call::First | Call::Flush),
            Self::FlushErrorOnce | Self::FlushSilent => call == Call::Flush,
            Self::ZeroingIgnored | Self::ZeroingRefused => call == Call::Zero,
            Self::FlushRefused | Self::FlushStalled | Self::FlushLost | Self::FlushUnclear | Self::FlushDisconnects => call == Call::Ask,
            Self::NoMemory => matches!(call, Call::Write | Call::Read | Call::Zero | Call::Flush),
            Self::Wraps | Self::WrapsOddly | Self::Drops | Self::LastSectorAlone => call == Call::First,
        };
        if strikes {
            return None;
        }
        Some(match call {
            _ if anywhere => "it is a property of the card or reader, there from the first call on",
            Call::None => "no call is made any more",
            Call::First => "the same as at the first call of its kind",
            Call::Ask => "the question is no read, write or flush of data",
            Call::Write => "the call is a write, which this fault does not touch",
            Call::Read => "the call is a read, which this fault does not touch",
            Call::Zero => "the call zeroes a range, which this fault does not touch",
            Call::Flush => "the call is a flush, which this fault does not touch",
        })
    }

    /// It does not begin at a moment.
    fn is_of_the_whole_card(self) -> bool {
        matches!(self, Self::Wraps | Self::WrapsOddly | Self::Drops | Self::LastSectorAlone)
    }

    /// The answer to the question whether the device flushes.
    pub(super) fn answer(self) -> Option<FlushAnswer> {
        match self {
            Self::FlushRefused => Some(FlushAnswer::Refused),
            Self::FlushStalled => Some(FlushAnswer::Stalled),
            Self::FlushLost => Some(FlushAnswer::Lost),
            Self::FlushUnclear => Some(FlushAnswer::Unclear),
            Self::FlushDisconnects => Some(FlushAnswer::Gone),
            _ => None,
        }
    }

    /// The length that a card of `length` bytes really holds, in whole blocks.
    pub(super) fn holds(self, length: u64, block: u64) -> Option<u64> {
        let eighth = (length / 8).next_multiple_of(block);
        match self {
            Self::Wraps | Self::Drops => Some(eighth),
            Self::WrapsOddly => Some(eighth + 3 * block),
            _ => None,
        }
    }

    /// The card must remember what it wrote since the last flush.
    pub(super) fn needs_memory(self) -> bool {
        self == Self::LostAtFlush
    }

    /// It spoils the staged copy, which must be its own then.
    pub(super) fn spoils_image(self) -> bool {
        matches!(self, Self::ImageCut | Self::ImageRotten)
    }

    /// The attempt ends by it at the first call, whatever that is.
    pub(super) fn ends_at_once(self) -> bool {
        matches!(self, Self::PulledEnodev | Self::PulledEioEnospc | Self::PulledEnomedium | Self::Swapped | Self::Cancelled)
    }

    /// It changes the body, so there must be one.
    pub(super) fn needs_body(self) -> bool {
        matches!(self, Self::Disturbing | Self::AnotherWrites)
    }

    /// The error number of the calls that it lets fail.
    pub(super) fn errno(self) -> Option<i32> {
        match self {
            Self::NeverReady => Some(libc::EAGAIN),
            Self::WriteErrorOnce
            | Self::WriteErrorForEver
            | Self::ReadOnlyEio
            | Self::ReadErrorOnce
            | Self::ReadErrorForEver
            | Self::FlushErrorOnce => Some(libc::EIO),
            Self::ReadOnlyErofs => Some(libc::EROFS),
            Self::ReadOnlyEperm => Some(libc::EPERM),
            Self::ReadNoData => Some(libc::ENODATA),
            Self::FlushSilent => Some(libc::ETIMEDOUT),
            Self::ZeroingRefused => Some(libc::EOPNOTSUPP),
            _ => None,
        }
    }

    /// Strikes the target.
    pub(super) fn strike(self, target: &mut Target<'_>) {
        let Target { place, block, .. } = *target;
        let length = to_u64(target.device.contents().len());
        match self {
            Self::Cancelled => {
                target.gauge.cancel();
            }
            Self::ImageCut => target.image.expect("its own copy").set_len(0).expect("a file can be cut"),
            Self::ImageRotten => rot(target.image.expect("its own copy")),
            Self::AnotherWrites => {
                target.device.flip(target.victim.expect("the plan has a body"), BITS);
                target.device.written_by_another(FOREIGN);
            }
            Self::Misplaced | Self::Shifted => {
                target.device.inject(once(Fault::Misplace(if self == Self::Shifted { block } else { MIB })));
            }
            Self::Disturbing => {
                let at = target.victim.expect("the plan has a body");
                target.device.inject(once(Fault::Disturb { at, bits: BITS }));
            }
            Self::Wraps | Self::WrapsOddly => {
                target.device.inject(Fault::Wrap(self.holds(length, block).expect("it lies")));
            }
            Self::Drops => target.device.inject(Fault::DropBehind(self.holds(length, block).expect("it lies"))),
            _ => {
                for fault in self.simple(place, target.calls) {
                    target.device.inject(fault);
                }
            }
        }
    }

    /// The faults of the card in memory that need no more than a place and the number of calls so far.
    fn simple(self, at: u64, calls: u64) -> Vec<Fault> {
        let one = match self {
            Self::PulledEnodev => Fault::LeaveAfter { calls, errno: libc::ENODEV },
            Self::PulledEioEnospc => {
                return vec![once(Fault::CallError(libc::EIO)), Fault::LeaveAfter { calls, errno: libc::ENOSPC }];
            }
            Self::PulledEnomedium => Fault::LeaveAfter { calls, errno: libc::ENOMEDIUM },
            Self::Swapped => Fault::SwapAfter(calls),
            Self::ShortCounts => Fault::ShortCounts,
            Self::Interrupted => Fault::Interruptions,
            Self::NeverReady => Fault::CallError(libc::EAGAIN),
            Self::WriteErrorOnce => once(Fault::WriteError { at, errno: libc::EIO }),
            Self::WriteErrorForEver => Fault::WriteError { at, errno: libc::EIO },
            Self::ReadOnlyErofs => Fault::WritesRefused(libc::EROFS),
            Self::ReadOnlyEperm => Fault::WritesRefused(libc::EPERM),
            Self::ReadOnlyEio => Fault::WritesRefused(libc::EIO),
            Self::ReadErrorOnce => once(Fault::ReadError { at, errno: libc::EIO }),
            Self::ReadErrorForEver => Fault::ReadError { at, errno: libc::EIO },
            Self::ReadNoData => Fault::ReadError { at, errno: libc::ENODATA },
            Self::FlipOnWrite => once(Fault::FlipOnWrite { at, bits: BITS }),
            Self::FlipOnReadOnce => once(Fault::FlipOnRead { at, bits: BITS }),
            Self::FlipOnReadForEver => Fault::FlipOnRead { at, bits: BITS },
            Self::WritesIgnored => Fault::IgnoreWrites,
            Self::LostAtFlush => Fault::LoseAtFlush,
            Self::KeptInCache => Fault::KeepInCache,
            Self::ZeroingIgnored => Fault::IgnoreZeroing,
            Self::ZeroingRefused => Fault::ZeroingError(libc::EOPNOTSUPP),
            Self::FlushErrorOnce => once(Fault::FlushError(libc::EIO)),
            Self::FlushSilent => Fault::FlushError(libc::ETIMEDOUT),
            Self::LastSectorAlone => Fault::LastBlockInLongerRead(libc::EIO),
            Self::NoMemory => once(Fault::CallError(libc::ENOMEM)),
            // The answer is part of the device from the beginning.
            _ => return Vec::new(),
        };
        vec![one]
    }
}

fn once(fault: Fault) -> Fault {
    Fault::Once(Box::new(fault))
}

/// Changes one byte in every part of a file.
fn rot(file: &File) {
    let length = file.metadata().expect("a file has a length").len();
    let (part, place) = ROT;
    for at in (place..length).step_by(usize::try_from(part).expect("a small number")) {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).expect("a file can be read");
        file.write_all_at(&[byte[0] ^ BITS], at).expect("a file can be written");
    }
}
