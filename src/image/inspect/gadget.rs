//! Reads `meta/gadget.yaml`: the places at which the image tool put the gadget's files.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use snap_assertions::definition::well_known_id;

use super::read_error::ReadError;
use super::readers::squashfs::{Inode, Squashfs};
use super::readers::yaml;
use crate::station::units::{KIB, MIB};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Gadget {
    #[serde(default)]
    volumes: BTreeMap<String, Volume>,
    kernel_cmdline: Option<KernelArguments>,
    /// By the id of a snap, or `system`.
    defaults: Option<BTreeMap<String, Setting>>,
}

/// The part of `gadget.yaml` under `kernel-cmdline`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct KernelArguments {
    append: Option<Vec<String>>,
    remove: Option<Vec<String>>,
}

impl KernelArguments {
    pub(super) fn is_empty(&self) -> bool {
        self.append().is_empty() && self.remove().is_empty()
    }

    pub(super) fn append(&self) -> &[String] {
        self.append.as_deref().unwrap_or_default()
    }

    pub(super) fn remove(&self) -> &[String] {
        self.remove.as_deref().unwrap_or_default()
    }
}

/// A value among the default settings of snaps.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Setting {
    Text(String),
    Several(BTreeMap<String, Setting>),
    Other(IgnoredAny),
}

#[derive(Debug, Deserialize)]
struct Volume {
    #[serde(default)]
    bootloader: Option<String>,
    #[serde(default)]
    structure: Vec<Structure>,
}

/// A partition, or a place outside every partition.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Structure {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) role: String,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    /// `vfat`, `ext4`, `none`; empty if it is not given.
    #[serde(default)]
    pub(super) filesystem: String,
    #[serde(default)]
    pub(super) filesystem_label: String,
    #[serde(default)]
    offset: Option<Size>,
    #[serde(default)]
    size: Option<Size>,
    /// The place to which the image tool writes the number of this structure's first block.
    #[serde(default)]
    offset_write: Option<Size>,
    #[serde(default)]
    pub(super) content: Vec<Content>,
    /// Its first byte in the image, if its own offset or the structures in front of it determine it.
    #[serde(skip)]
    start: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Content {
    /// A file or directory of the gadget, in a structure with a file system.
    #[serde(default)]
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) target: Option<String>,
    /// A file of the gadget, in a structure without a file system.
    #[serde(default)]
    pub(super) image: Option<String>,
    #[serde(default)]
    offset: Option<Size>,
    #[serde(default)]
    size: Option<Size>,
    /// The place to which the image tool writes the number of this file's first block.
    #[serde(default)]
    offset_write: Option<Size>,
}

/// A byte of the image to which the number of a block is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NumberPlace<'a> {
    /// The structure from which it is counted; `None` for the image itself.
    pub(super) from: Option<&'a str>,
    pub(super) offset: u64,
}

/// A size in `gadget.yaml`: `440`, `1M`, `2G`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Size {
    Number(u64),
    Text(String),
}

impl Size {
    fn bytes(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => {
                let (digits, unit) = match text.strip_suffix('M') {
                    Some(digits) => (digits, MIB),
                    None => text.strip_suffix('G').map_or((text.as_str(), 1), |digits| (digits, KIB * MIB)),
                };
                digits.parse::<u64>().ok()?.checked_mul(unit)
            }
        }
    }

    /// Read as the place of a block's number: `mbr+92`, or a bare number.
    fn number_place(&self) -> Option<NumberPlace<'_>> {
        match self {
            Self::Text(text) if text.contains('+') => {
                let (from, offset) = text.split_once('+')?;
                Some(NumberPlace { from: Some(from), offset: Self::Text(offset.to_owned()).bytes()? })
            }
            bare => Some(NumberPlace { from: None, offset: bare.bytes()? }),
        }
    }
}

impl Gadget {
    pub(super) fn of(snap: &mut Squashfs<'_>) -> Result<Self, ReadError> {
        match snap.find("meta/gadget.yaml")? {
            Some(Inode::File(file)) => {
                let text = snap.read(&file, yaml::LONGEST)?;
                Self::read(&text)
            }
            _ => Err(ReadError::broken("it has no meta/gadget.yaml")),
        }
    }

    pub(super) fn read(text: &[u8]) -> Result<Self, ReadError> {
        let mut gadget: Self = yaml::parse("its meta/gadget.yaml", text)?;
        gadget.volumes.values_mut().for_each(Volume::place);
        Ok(gadget)
    }

    /// One volume of all names it, which need not be the one that boots.
    pub(super) fn bootloader(&self) -> &str {
        self.volumes.values().find_map(|volume| volume.bootloader.as_deref()).unwrap_or_default()
    }

    /// Does U-Boot keep its environment in a separate partition, in two copies, and in no file? (snapd 2.77: bootloader/ubootpart.go)
    pub(super) fn has_boot_state_partition(&self) -> bool {
        self.bootloader() == "u-boot" && self.structures().any(|structure| structure.role == "system-boot-state")
    }

    /// These replace the files `cmdline.extra` and `cmdline.full`.
    pub(super) fn kernel_arguments(&self) -> Option<&KernelArguments> {
        self.kernel_cmdline.as_ref()
    }

    /// A default setting of the system, by its path with dots; in the file, its parts may be nested keys (snapd: gadget/gadget.go,
    /// `SystemDefaults`).
    pub(super) fn system_default(&self, path: &str) -> Option<&str> {
        let defaults = self.defaults.as_ref()?;
        defaults.get("system").or_else(|| defaults.get(well_known_id("core")?))?.at(path)
    }

    pub(super) fn structures(&self) -> impl Iterator<Item = &Structure> {
        self.volume().into_iter().flat_map(|volume| &volume.structure)
    }

    /// The volume that is the image. Each volume is a separate image; of several, the right one is that with the partition the device boots
    /// from, and the others are for other disks. A gadget that names no such partition has one volume.
    fn volume(&self) -> Option<&Volume> {
        let signs: [fn(&Volume) -> bool; 4] = [
            |volume| volume.structure.iter().any(|structure| structure.role == "system-seed"),
            |volume| volume.structure.iter().any(Structure::is_system_boot),
            |volume| volume.bootloader.is_some(),
            |_any| true,
        ];
        signs.into_iter().find_map(|sign| self.volumes.values().find(|volume| sign(volume)))
    }
}

impl Setting {
    fn at(&self, path: &str) -> Option<&str> {
        match self {
            Self::Text(text) => path.is_empty().then_some(text),
            Self::Several(settings) => settings.iter().find_map(|(key, setting)| {
                let rest = path.strip_prefix(key.as_str())?;
                setting.at(if rest.is_empty() { rest } else { rest.strip_prefix('.')? })
            }),
            Self::Other(IgnoredAny) => None,
        }
    }
}

impl Volume {
    /// A structure without an offset begins where the one in front of it ends; only the MBR may begin before 1 MiB (snapd:
    /// gadget/gadget.go, `NonMBRStartOffset`).
    fn place(&mut self) {
        let mut end = Some(0);
        for structure in &mut self.structure {
            if structure.is_mbr() {
                structure.start = Some(0);
                continue;
            }
            let own = structure.offset.as_ref().map(Size::bytes);
            structure.start = own.unwrap_or(end.map(|end: u64| end.max(MIB)));
            let size = structure.size.as_ref().and_then(Size::bytes);
            end = structure.start.zip(size).and_then(|(start, size)| start.checked_add(size));
        }
    }
}

impl Content {
    /// The first byte of its file, counted from its structure's first byte, if the one in front of it ends at `end`.
    pub(super) fn begin(&self, end: Option<u64>) -> Option<u64> {
        self.offset.as_ref().map_or(end, Size::bytes)
    }

    /// The space that it takes, if its file has this length.
    pub(super) fn room(&self, length: u64) -> u64 {
        self.size.as_ref().and_then(Size::bytes).unwrap_or(length).max(length)
    }

    pub(super) fn number_place(&self) -> Option<NumberPlace<'_>> {
        self.offset_write.as_ref().and_then(Size::number_place)
    }
}

impl Structure {
    pub(super) fn is_mbr(&self) -> bool {
        self.kind == "mbr" || self.role == "mbr"
    }

    /// The types of its partition: for an MBR, for a GPT, or both.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kind.split(',').map(str::trim)
    }

    /// Does the firmware begin here, if there is no seed partition? Gadgets of Ubuntu Core 16 may show this by the label alone.
    fn is_system_boot(&self) -> bool {
        self.role == "system-boot" || self.filesystem_label == "system-boot"
    }

    /// Its first byte in the image, by the gadget.
    pub(super) fn start(&self) -> Option<u64> {
        self.start
    }

    /// Is it without a file system?
    pub(super) fn is_bare(&self) -> bool {
        self.filesystem.is_empty() || self.filesystem == "none"
    }

    pub(super) fn number_place(&self) -> Option<NumberPlace<'_>> {
        self.offset_write.as_ref().and_then(Size::number_place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structure_begins_where_the_one_before_it_ends_and_none_before_the_first_mebibyte() {
        let structure = |kind: &str, offset: Option<u64>, size: Option<&str>| Structure {
            kind: kind.to_owned(),
            offset: offset.map(Size::Number),
            size: size.map(|size| Size::Text(size.to_owned())),
            ..Structure::default()
        };
        let mut volume = Volume {
            bootloader: None,
            structure: vec![
                structure("mbr", None, Some("440")),
                structure("bare", None, Some("1M")),
                structure("0C", None, Some("2M")),
                structure("83", Some(16 * MIB), None),
                structure("83", None, Some("1M")),
            ],
        };
        volume.place();
        let starts: Vec<Option<u64>> = volume.structure.iter().map(Structure::start).collect();
        assert_eq!(starts, [Some(0), Some(MIB), Some(2 * MIB), Some(16 * MIB), None]);
    }

    #[test]
    fn an_mbr_takes_no_room_wherever_the_gadget_speaks_of_it() {
        let yaml = "volumes:\n  pc:\n    structure:\n      - {type: DA, offset: 1M, size: 1M}\n      - {type: mbr, size: 440}\n      - {type: bare, size: 1M}\n";
        let gadget = Gadget::read(yaml.as_bytes()).expect("it is one");
        assert_eq!(gadget.structures().map(Structure::start).collect::<Vec<_>>(), [Some(MIB), Some(0), Some(2 * MIB)]);
    }

    #[test]
    fn of_several_volumes_the_one_that_boots_is_in_the_image() {
        let other = "  a-flash:\n    structure:\n      - {name: other, type: bare, size: 1M}\n";
        for boots in ["role: system-seed", "role: system-boot", "filesystem-label: system-boot"] {
            // A boot loader may be on another disk than the system that it boots.
            let yaml =
                format!("volumes:\n{other}    bootloader: u-boot\n  pc:\n    structure:\n      - {{name: own, {boots}, size: 1M}}\n");
            let gadget = Gadget::read(yaml.as_bytes()).expect("it is one");
            assert_eq!(gadget.structures().map(|structure| structure.name.as_str()).collect::<Vec<_>>(), ["own"], "{boots}");
            assert_eq!(gadget.bootloader(), "u-boot");
        }
        let yaml = format!("volumes:\n{other}  pc:\n    bootloader: grub\n    structure:\n      - {{name: own, size: 1M}}\n");
        let gadget = Gadget::read(yaml.as_bytes()).expect("it is one");
        assert_eq!(gadget.structures().map(|structure| structure.name.as_str()).collect::<Vec<_>>(), ["own"], "by its boot loader");
    }

    #[test]
    fn the_place_of_a_number_is_counted_from_the_image_or_from_a_structure() {
        let text = |text: &str| Size::Text(text.to_owned());
        assert_eq!(text("mbr+92").number_place(), Some(NumberPlace { from: Some("mbr"), offset: 92 }));
        assert_eq!(text("1M").number_place(), Some(NumberPlace { from: None, offset: MIB }));
        assert_eq!(Size::Number(92).number_place(), Some(NumberPlace { from: None, offset: 92 }));
        assert_eq!(text("mbr+x").number_place(), None);
    }
}
