//! The facts of a card, read once from sysfs. Nothing here can access the device.

use std::fmt;

use super::port::{Chain, Port};
use super::units::Bytes;

/// A block device's number. The kernel reuses it as soon as a device is gone, so it is never an identity by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DevNum {
    /// The number of the driver.
    pub major: u32,
    /// The device's number under its driver.
    pub minor: u32,
}

impl fmt::Display for DevNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// One card in one place from insertion to removal. The kernel never gives a `DISKSEQ` twice in one boot
/// (`Documentation/ABI/testing/sysfs-block`, `diskseq`), so two cards never share a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Visit {
    /// The disk's number during this visit.
    pub devnum: DevNum,
    /// The kernel's sequence number of media, assigned at insertion.
    pub diskseq: u64,
}

/// How a card is attached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Bus {
    /// A USB device, or one LUN of it.
    Usb,
    /// A card in an MMC host, with the kernel's word for its kind: `SD`, `MMC`, `SDIO`.
    Mmc(String),
    /// A loop device: named by `flashline flash` and by benchmarks, never in a slot.
    Loop,
    /// Anything else, with the kernel's subsystem: `nvme`, `virtio`, `ata` …
    Other(String),
}

impl fmt::Display for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usb => f.write_str("usb"),
            Self::Mmc(kind) => write!(f, "mmc-{}", kind.to_lowercase()),
            Self::Loop => f.write_str("loop"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// An SD card's identification register, as sysfs gives it, and its parts (SD Physical Layer Simplified Specification, 5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cid {
    /// The whole register, 32 hexadecimal digits.
    pub raw: String,
    /// Manufacturer id of the card, `MID`.
    pub manfid: Option<String>,
    /// OEM/application id of the card, `OID`.
    pub oemid: Option<String>,
    /// Product name of the card, `PNM`.
    pub name: Option<String>,
    /// Product serial number, `PSN`.
    pub serial: Option<String>,
    /// Manufacturing date of the card, `MDT`.
    pub date: Option<String>,
    /// Hardware revision, the upper half of `PRV`.
    pub hwrev: Option<String>,
    /// Firmware revision, the lower half of `PRV`.
    pub fwrev: Option<String>,
}

/// How far the serial in a row identifies a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// By the card's own register.
    Cid,
    /// By the USB device's serial: the stick is the card.
    UsbSerial,
    /// The serial belongs to the reader; all cards that are put into it share it.
    ReaderOnly,
    /// The card cannot be distinguished from others.
    None,
}

impl Identity {
    /// The word the log uses.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Cid => "cid",
            Self::UsbSerial => "usb",
            Self::ReaderOnly => "reader-only",
            Self::None => "none",
        }
    }

    /// The meaning of a log's word; `None` for an unknown word of another program.
    #[must_use]
    pub(crate) fn of(word: &str) -> Option<Self> {
        [Self::Cid, Self::UsbSerial, Self::ReaderOnly, Self::None].into_iter().find(|identified| identified.word() == word)
    }

    /// A text that all looks at one card share, and no other card has; `None` if the card cannot be distinguished from others.
    #[must_use]
    pub(crate) fn key(self, given: &GivenNames<'_>) -> Option<String> {
        match self {
            Self::Cid => given.cid.map(|cid| format!("cid {cid}")),
            // Each maker numbers its sticks from the beginning.
            Self::UsbSerial => given.serial.map(|serial| {
                let [wwn, vendor, product] = [given.wwn, given.vendor, given.product].map(Option::unwrap_or_default);
                format!("usb {wwn}\u{0}{vendor}\u{0}{product}\u{0}{serial}")
            }),
            Self::ReaderOnly | Self::None => None,
        }
    }
}

/// The names that a card and its device give, from a [`Card`] or from a row about it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GivenNames<'g> {
    /// The whole register of a card in an MMC host.
    pub(crate) cid: Option<&'g str>,
    /// World wide name, if the device has one.
    pub(crate) wwn: Option<&'g str>,
    /// Maker as the device says.
    pub(crate) vendor: Option<&'g str>,
    /// Product as the device says.
    pub(crate) product: Option<&'g str>,
    /// The USB serial or the CID's serial.
    pub(crate) serial: Option<&'g str>,
}

/// A disk with a medium in it, as sysfs described it at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Card {
    /// The port that it is in.
    pub port: Port,
    /// The insertion that it belongs to.
    pub visit: Visit,
    /// The kernel's name now, `sdb`: for the log and for naming the node under `/dev`, never an identity.
    pub kernel_name: String,
    /// The devices on which it hangs, with itself if it is a USB device. Empty if the card was only seen.
    pub hangs_on: Chain,
    /// How it is attached.
    pub bus: Bus,
    /// A whole disk, not a partition of one.
    pub whole_disk: bool,
    /// Maker as the device says.
    pub vendor: Option<String>,
    /// Product as the device says.
    pub product: Option<String>,
    /// The USB serial or the CID's serial.
    pub serial: Option<String>,
    /// World wide name, if the device has one.
    pub wwn: Option<String>,
    /// The identification register of a card in an MMC host.
    pub cid: Option<Cid>,
    /// How far `serial` and `cid` identify this card.
    pub identified: Identity,
    /// The capacity that it claims.
    pub capacity: Bytes,
    /// The smallest unit of a read or write, 512 or 4096.
    pub logical_block: u32,
    /// The kernel's `ro` attribute: the write-protect switch of the card, or a failed medium.
    pub write_protected: bool,
    /// The disk has a partition table with entries.
    pub partitioned: bool,
}

impl Card {
    /// Is this the same card as `other`, as far as that can be known? Cards without an identity are never the same.
    #[must_use]
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.key().is_some_and(|key| other.key() == Some(key))
    }

    /// What distinguishes this card from all others, as [`Identity::key`].
    #[must_use]
    pub(crate) fn key(&self) -> Option<String> {
        self.identified.key(&GivenNames {
            cid: self.cid.as_ref().map(|cid| cid.raw.as_str()),
            wwn: self.wwn.as_deref(),
            vendor: self.vendor.as_deref(),
            product: self.product.as_deref(),
            serial: self.serial.as_deref(),
        })
    }

    /// The card in a few words, for the console: product and label size.
    #[must_use]
    pub(crate) fn label(&self) -> String {
        let name = self.cid.as_ref().and_then(|cid| cid.name.as_deref()).or(self.product.as_deref()).unwrap_or("card");
        format!("{name} {}", self.capacity)
    }
}

/// A use of a disk, directly or through a partition of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Use {
    /// Mounted at this path.
    Mounted(String),
    /// In use as swap, under this name.
    Swap(String),
    /// Another block device is built on it: device mapper (LVM, crypt), RAID, bcache, loop …
    Holder {
        /// The kernel's name of it, or its kind.
        name: String,
        /// The cure, if it uses only this card: shell commands that release the card, one after the other.
        cure: Option<String>,
    },
    /// This part of the station itself is on it: its root, its state, its image store.
    Station(String),
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mounted(at) => write!(f, "mounted at {at}"),
            Self::Swap(device) => write!(f, "swap space of this PC ({device})"),
            Self::Holder { name, cure: None } => write!(f, "held by {name}"),
            Self::Holder { name, cure: Some(cure) } => write!(f, "held by {name}, in which nothing else is: `{cure}` lets go of it"),
            Self::Station(part) => write!(f, "the station's own {part}"),
        }
    }
}
