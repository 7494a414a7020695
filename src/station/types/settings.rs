//! The settings of the engineer, validated and complete. The configuration knows where they are written down.

use std::time::Duration;

use super::armed::{Armed, ArmedBy, UnarmedModel};
use super::outcome::Digest;
use super::port::{Chain, Port};
use super::survey::Survey;
use super::units::Bytes;

/// All that an engineer decides.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Configuration {
    /// For the whole station.
    pub station: StationSettings,
    /// Every slot, in the order of the configuration.
    pub slots: Vec<SlotSettings>,
    /// Every model whose image may be written.
    pub armed: Vec<Armed>,
    /// Every model whose image may not, and why.
    pub unarmed: Vec<UnarmedModel>,
    /// Images that the station does not trust, and whose staged copy is the same as before.
    pub distrusted: Vec<Digest>,
    /// Who arms the images, and from which configuration.
    pub by: ArmedBy,
}

/// What holds for the whole station.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StationSettings {
    /// The name of the station.
    pub name: String,
    /// How long a card must sit still before an attempt begins: contact bounce makes no rows.
    pub settle: Duration,
    /// Flash cards that were in their slots when the station started.
    pub flash_present: bool,
    /// Read a card that holds its image already back and prove it, instead of writing it again.
    pub recheck_done: bool,
    /// How many good cards fill a box, for orders that begin from now on; nothing where boxes are not counted.
    pub box_size: Option<u32>,
}

/// A slot as configured.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotSettings {
    /// As on its sticker.
    pub name: String,
    /// Every port that is this place; one socket may show under a USB 2 and a USB 3 path.
    pub ports: Vec<Port>,
    /// The model it is for, as `BRAND/MODEL`.
    pub model: String,
    /// Which cards the slot accepts.
    pub policy: Policy,
}

/// What a slot takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Policy {
    /// Take a card that carries partitions already. Factory-new cards come formatted, so the default is yes.
    pub reuse: bool,
    /// The least and the most size a card may be sold as, both included.
    pub capacity: Option<(Bytes, Bytes)>,
    /// Take a card that bears the mark of a RAID, LVM or ZFS which does not run on this PC.
    pub erase_marks: bool,
    /// Take a loop device: for devices named on a command line, never for a slot.
    pub loop_devices: bool,
    /// The PC's own disks, listed once at installation.
    pub own_disks: Vec<OwnDisk>,
    /// What the slot's ports hung on when it was taught. A port that is not listed may hang on anything.
    pub hung_on: Vec<(Port, Chain)>,
    /// Take no card that the PC's other programs are not kept from.
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

/// A disk that belongs to the PC. Matches by its world wide name, or by everything else together: one of them alone is
/// shared by too many disks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OwnDisk {
    /// By world wide name, its digits alone; made by [`OwnDisk::wwn`].
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
    /// By world wide name, as sysfs (`naa.5002…`), udev (`0x5002…`) or a label (`5002…`) gives it; nothing where it is none.
    #[must_use]
    pub(crate) fn wwn(text: &str) -> Option<Self> {
        let wwn = bare_wwn(text);
        // NVMe and SCSI give longer names to disks that have no number.
        let is_name = ["nvme.", "t10."].iter().any(|prefix| wwn.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()));
        let digits = wwn.strip_prefix("uuid.").unwrap_or(&wwn);
        let is_number = digits.len() >= 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        (is_name || is_number).then_some(Self::Wwn(wwn))
    }

    /// Is this the disk that was surveyed?
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
