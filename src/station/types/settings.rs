//! The settings of the engineer, validated and complete. The room `config` knows how they are written.

use std::time::Duration;

use super::armed::{Armed, ArmedBy, UnarmedModel};
use super::outcome::Digest;
use super::port::{Chain, Port};
use super::survey::Survey;
use super::units::Bytes;

/// Seconds without progress after which a card has stalled, if the engineer does not say. Three times the kernel's own timeout of a SCSI
/// command, so that the kernel can recover from everything it can.
pub(crate) const STALL_S: u64 = 90;
/// The maximum: a card that does not move for an hour hangs.
pub(crate) const MOST_STALL_S: u64 = 3600;

/// All decisions of an engineer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Configuration {
    /// The settings of the whole station.
    pub station: StationSettings,
    /// Every slot, in the order of the configuration.
    pub slots: Vec<SlotSettings>,
    /// Every model whose image may be written.
    pub armed: Vec<Armed>,
    /// Every model whose image may not be written, with the reason.
    pub unarmed: Vec<UnarmedModel>,
    /// Images that the station does not trust, and whose staged copy is the same as before.
    pub distrusted: Vec<Digest>,
    /// Who arms the images, and from which configuration.
    pub by: ArmedBy,
}

/// The settings of the whole station.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StationSettings {
    /// The name of the station.
    pub name: String,
    /// How long a card must sit still before an attempt begins, so that contact bounce makes no rows.
    pub settle: Duration,
    /// Flash cards that were in their slots when the station started.
    pub flash_present: bool,
    /// If a card already holds its image, read it back and prove it instead of writing it again.
    pub recheck_done: bool,
    /// After an image was armed, make one card and wait until a second person has approved it.
    pub first_off: bool,
    /// The number of good cards that fill a box, for orders that begin from now on; `None` if boxes are not counted.
    pub box_size: Option<u32>,
}

/// A slot as configured.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotSettings {
    /// Its name, as on its sticker.
    pub name: String,
    /// Every port of this place; one socket may appear under a USB 2 and a USB 3 path.
    pub ports: Vec<Port>,
    /// The model it is for, as `BRAND/MODEL`.
    pub model: String,
    /// Which cards the slot accepts.
    pub policy: Policy,
}

/// The cards that a slot accepts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Policy {
    /// Accept a card that already has partitions. Factory-new cards come formatted, so the default is yes.
    pub reuse: bool,
    /// The least and the largest nominal size of a card, both included.
    pub capacity: Option<(Bytes, Bytes)>,
    /// Accept a card with the mark of a RAID, LVM or ZFS that does not run on this PC.
    pub erase_marks: bool,
    /// Accept a loop device: for devices named on a command line, never for a slot.
    pub loop_devices: bool,
    /// The PC's own disks, listed once at installation.
    pub own_disks: Vec<OwnDisk>,
    /// The devices on which the slot's ports hung when it was taught. A port that is not listed may hang on any device.
    pub hung_on: Vec<(Port, Chain)>,
    /// Refuse cards that are not protected from the PC's other programs.
    pub covered_only: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            reuse: true,
            capacity: None,
            erase_marks: false,
            loop_devices: false,
            own_disks: Vec::new(),
            hung_on: Vec::new(),
            covered_only: false,
        }
    }
}

/// A disk that belongs to the PC. It is identified by its world wide name, or by all the other facts together: each of them alone is shared
/// by too many disks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OwnDisk {
    /// By world wide name, only its digits; made by [`OwnDisk::wwn`].
    Wwn(String),
    /// By vendor, product, serial and size together.
    Description {
        /// The maker, as the disk says.
        vendor: Option<String>,
        /// The product, as the disk says.
        product: Option<String>,
        /// The serial, as the disk says.
        serial: Option<String>,
        /// The size of the disk.
        capacity: Bytes,
    },
}

impl OwnDisk {
    /// By world wide name, in the form of sysfs (`naa.5002…`), udev (`0x5002…`) or a label (`5002…`); `None` if it is not one.
    #[must_use]
    pub(crate) fn wwn(text: &str) -> Option<Self> {
        let wwn = bare_wwn(text);
        // NVMe and SCSI give longer names to disks without a number.
        let is_name = ["nvme.", "t10."].iter().any(|prefix| wwn.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()));
        let digits = wwn.strip_prefix("uuid.").unwrap_or(&wwn);
        let is_number = digits.len() >= 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        (is_name || is_number).then_some(Self::Wwn(wwn))
    }

    /// Is this the surveyed disk?
    pub(in crate::station) fn is(&self, survey: &Survey) -> bool {
        let card = &survey.card;
        match self {
            Self::Wwn(wwn) => card.wwn.as_deref().is_some_and(|own| bare_wwn(own) == *wwn),
            Self::Description { vendor, product, serial, capacity } => {
                *vendor == card.vendor && *product == card.product && *serial == card.serial && *capacity == card.capacity
            }
        }
    }
}

/// The digits of a world wide name, without its prefix.
fn bare_wwn(text: &str) -> String {
    let text = text.trim().to_ascii_lowercase();
    ["naa.", "eui.", "0x"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(&text).to_owned()
}
