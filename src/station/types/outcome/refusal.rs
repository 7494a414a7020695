//! Why a card was refused. A refused card was not touched.

use std::{fmt, io};

use super::super::card::Use;
use super::super::sizes::{apart, window};
use super::super::units::Bytes;

/// Why a card was not touched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The slot's model has no image that may be written.
    NoArmedImage,
    /// The port hangs on another device than when the slot was taught: it may be another place.
    Recabled {
        /// The device that differs, with its place: `reader usb3-1.2`.
        at: String,
        /// The taught device.
        was: String,
        /// The present device, if any.
        is: Option<String>,
        /// The present place of the taught device, if it was found.
        now_on: Option<String>,
    },
    /// A partition, or something else that is not a whole disk.
    NotWholeDisk,
    /// Neither USB nor an MMC host.
    NotACard {
        /// The kernel's name for its kind.
        bus: String,
    },
    /// An MMC device that is not an SD card: the PC's own eMMC.
    NotSd {
        /// The kernel's name for its kind.
        kind: String,
    },
    /// A program or device of this PC uses the disk.
    InUse(Use),
    /// It has the mark of an array, volume or pool that other programs start by themselves, and that does not run here: it is not in use.
    Marked {
        /// The kind of mark: `a RAID`, `LVM`.
        of: String,
    },
    /// One of the PC's own disks, listed when the station was installed.
    OwnDisk,
    /// The write protection of the card or reader is on.
    WriteProtected,
    /// It cannot hold the image.
    TooSmall {
        /// The capacity of the card.
        capacity: Bytes,
        /// The length of the image.
        needs: Bytes,
    },
    /// Its size is not one that this slot accepts.
    CapacityOutside {
        /// The capacity of the card.
        capacity: Bytes,
        /// The least size that this slot accepts.
        at_least: Bytes,
        /// The largest size that this slot accepts.
        at_most: Bytes,
    },
    /// The image was made for another logical block.
    SectorSize {
        /// The card's logical block.
        card: u32,
        /// The logical block for which the image's partition table was made.
        image: u32,
    },
    /// The policy requires blank cards, and this one has partitions.
    Partitioned,
    /// The kernel gives no `DISKSEQ`, so a card cannot be distinguished from the next.
    NoDiskSequence,
    /// Another card was in the slot when it was opened.
    AnotherCard,
    /// The PC could not determine which programs use it: an unknown use is refused.
    Unknown,
    /// Another program holds it, or kept it locked.
    Busy,
    /// It could not be opened.
    CannotOpen {
        /// The errno of the open call.
        errno: i32,
    },
    /// Its device does not empty its cache on request, and the policy requires that.
    Unflushed {
        /// Vendor, product and revision of the device.
        make: String,
    },
    /// The order of its model is complete: no further card is made.
    OrderComplete {
        /// The number of ordered cards.
        count: u32,
    },
    /// The policy requires slots that are protected from the PC's other programs, and this one is not.
    Uncovered,
}

impl Refusal {
    /// The stable word for tables and filters.
    #[must_use]
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoArmedImage => "no-armed-image",
            Self::Recabled { .. } => "recabled",
            Self::NotWholeDisk => "not-whole-disk",
            Self::NotACard { .. } => "not-a-card",
            Self::NotSd { .. } => "not-sd",
            Self::InUse(Use::Mounted(_)) => "mounted",
            Self::InUse(Use::Swap(_)) => "swap",
            Self::InUse(Use::Holder { .. }) => "in-use",
            Self::Marked { .. } => "marked",
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
            Self::Busy => "locked",
            Self::CannotOpen { .. } => "cannot-open",
            Self::Unflushed { .. } => "unflushed",
            Self::OrderComplete { .. } => "order-complete",
            Self::Uncovered => "uncovered",
        }
    }
}

/// The present code for an old row: until 0.1.0, `held` and `busy` were also the codes of a sign and of an answer of the control socket.
#[must_use]
pub(crate) fn code_today(written: &str) -> &str {
    match written {
        "held" => "in-use",
        "busy" => "locked",
        same => same,
    }
}

/// Error numbers of Linux (`asm-generic/errno-base.h`): the sandbox forbids it; there is no such node; it belongs to somebody else; it is none
/// of a block device.
const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const EACCES: i32 = 13;
const ENOTBLK: i32 = 15;

/// The cure for a card's node in `/dev`, if the node is wrong.
fn cure_of(errno: i32) -> &'static str {
    match errno {
        EACCES => " (the udev rules that give this slot to the station are missing or old: run `flashline slots rules --write` as root)",
        EPERM => " (the service may not open such a disk: see `DeviceAllow=` of flashline.service and its drop-ins)",
        ENOENT => " (its node in /dev was removed: unplug the card with its reader, and plug it in again)",
        ENOTBLK => " (another program put something else in the place of its node in /dev: remove that, and put the card in again)",
        _ => "",
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
            Self::Marked { of } => write!(
                f,
                "bears the mark of {of}, which does not run here (to erase it: `wipefs -a` on a bench, `marks = \"erase\"` in [policy], \
                 or `flashline flash --marks erase`)"
            ),
            Self::OwnDisk => f.write_str("one of this PC's own disks"),
            Self::WriteProtected => f.write_str("write-protected"),
            Self::TooSmall { capacity, needs } => {
                let (holds, wanted) = apart(*capacity, *needs);
                write!(f, "too small: {holds}, needs {wanted}")?;
                // If the two look alike, the missing device says more than either.
                if capacity.to_string() == needs.to_string() {
                    write!(f, ", {} more", Bytes(needs.0.saturating_sub(capacity.0)))?;
                }
                Ok(())
            }
            Self::CapacityOutside { capacity, at_least, at_most } => {
                write!(f, "wrong size: {capacity}, this slot takes cards of {}", window(*at_least, *at_most))
            }
            Self::SectorSize { card, image } => write!(f, "blocks of {card} bytes, the image was made for {image}"),
            Self::Partitioned => f.write_str("already partitioned, and only blank cards are taken"),
            Self::NoDiskSequence => f.write_str("this kernel cannot tell one card from the next"),
            Self::AnotherCard => f.write_str("another card was in the slot when it was opened"),
            Self::Unknown => f.write_str("this PC could not tell who uses it"),
            Self::Busy => f.write_str("another program holds it"),
            Self::CannotOpen { errno } => {
                write!(f, "cannot be opened: {}", io::Error::from_raw_os_error(*errno))?;
                f.write_str(cure_of(*errno))
            }
            Self::Unflushed { make } => write!(
                f,
                "its device ({make}) does not answer when it is told to empty its cache, and `[policy] flush` is \"required\": use another \
                 reader or stick, or set it to \"ask\""
            ),
            Self::OrderComplete { count } => write!(f, "the order is complete: {count} of {count}"),
            Self::Uncovered => f.write_str("not kept from this PC's other programs: run `flashline slots rules --write` as root"),
        }
    }
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn a_card_that_is_a_little_too_small_is_told_by_how_much() {
        let words = |capacity, needs| Refusal::TooSmall { capacity: Bytes(capacity), needs: Bytes(needs) }.to_string();
        assert_eq!(words(15_931_539_456, 15_931_540_480), "too small: 15.93153 GB, needs 15.93154 GB, 1.0 kB more");
        assert_eq!(words(15_931_539_456, 15_986_589_696), "too small: 15.93 GB, needs 15.98 GB, 55.0 MB more");
        assert_eq!(words(33_554_432, 33_554_944), "too small: 33.5544 MB, needs 33.5549 MB, 512 B more");
        assert_eq!(words(7_400_000_000, 8_000_000_000), "too small: 7.4 GB, needs 8.0 GB");
    }

    #[test]
    fn a_card_of_another_size_is_told_which_sizes_are_taken_and_no_number_twice() {
        let gb = |size: u64| Bytes(size * 1_000_000_000);
        let words = |capacity, at_least, at_most| Refusal::CapacityOutside { capacity, at_least, at_most }.to_string();
        assert_eq!(words(Bytes(31_914_983_424), gb(16), gb(16)), "wrong size: 31.9 GB, this slot takes cards of 16 GB");
        assert_eq!(words(Bytes(31_914_983_424), gb(8), gb(16)), "wrong size: 31.9 GB, this slot takes cards of 8 GB to 16 GB");
    }
}
