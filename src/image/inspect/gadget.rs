//! `meta/gadget.yaml`: what the image tool put where.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Trouble;
use super::squashfs::{Inode, Squashfs};
use super::yaml;
use crate::station::units::{KIB, MIB};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Gadget {
    #[serde(default)]
    volumes: BTreeMap<String, Volume>,
    #[serde(default)]
    kernel_cmdline: KernelArguments,
}

/// What the gadget gives the kernel, beside what snapd does.
#[derive(Debug, Default, Deserialize)]
pub(super) struct KernelArguments {
    #[serde(default)]
    pub(super) append: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

impl KernelArguments {
    pub(super) fn is_empty(&self) -> bool {
        self.append.is_empty() && self.remove.is_empty()
    }

    pub(super) fn takes_away(&self) -> bool {
        !self.remove.is_empty()
    }
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
    /// `vfat`, `ext4`, `none`; empty where there is none.
    #[serde(default)]
    pub(super) filesystem: String,
    #[serde(default)]
    pub(super) filesystem_label: String,
    #[serde(default)]
    offset: Option<Size>,
    /// Where the image tool writes the number of this structure's first block.
    #[serde(default)]
    offset_write: Option<Size>,
    #[serde(default)]
    pub(super) content: Vec<Content>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Content {
    /// A file or directory of the gadget, in a structure with a file system.
    #[serde(default)]
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) target: Option<String>,
    /// A file of the gadget, in a structure without.
    #[serde(default)]
    pub(super) image: Option<String>,
    #[serde(default)]
    offset: Option<Size>,
}

/// `440`, `1M`, `2G`.
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
}

/// A file to be found on the card as it is, outside of every file system.
pub(super) struct Raw<'a> {
    pub(super) structure: &'a Structure,
    pub(super) image: &'a str,
    /// Counted from the structure's first byte; `None` where what lies before it has no known length.
    pub(super) offset: Option<u64>,
}

impl Gadget {
    pub(super) fn of(snap: &mut Squashfs<'_>) -> Result<Self, Trouble> {
        match snap.find("meta/gadget.yaml")? {
            Some(Inode::File(file)) => {
                let text = snap.read(&file, yaml::LONGEST)?;
                yaml::parse("its meta/gadget.yaml", &text)
            }
            _ => Err(Trouble::broken("it has no meta/gadget.yaml")),
        }
    }

    pub(super) fn bootloader(&self) -> &str {
        self.volumes.values().find_map(|volume| volume.bootloader.as_deref()).unwrap_or_default()
    }

    /// They take the place of the files `cmdline.extra` and `cmdline.full`.
    pub(super) fn kernel_arguments(&self) -> &KernelArguments {
        &self.kernel_cmdline
    }

    pub(super) fn structures(&self) -> impl Iterator<Item = &Structure> {
        self.volumes.values().flat_map(|volume| &volume.structure)
    }
}

impl Structure {
    pub(super) fn is_mbr(&self) -> bool {
        self.kind == "mbr" || self.role == "mbr"
    }

    /// The types of its partition: of an MBR, of a GPT, or both.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kind.split(',').map(str::trim)
    }

    pub(super) fn offset(&self) -> Option<u64> {
        self.offset.as_ref().and_then(Size::bytes)
    }

    /// The byte of the card where the number of its first block is written: `mbr+92`, or a bare number.
    pub(super) fn offset_write(&self) -> Option<u64> {
        match self.offset_write.as_ref()? {
            Size::Text(text) => match text.split_once('+') {
                Some(("mbr", rest)) => Size::Text(rest.to_owned()).bytes(),
                Some(_) => None,
                None => Size::Text(text.clone()).bytes(),
            },
            number @ Size::Number(_) => number.bytes(),
        }
    }

    /// Its files without a file system. Only the first one without an offset of its own has a known place: the ones behind it
    /// begin where another ends.
    pub(super) fn raw(&self) -> impl Iterator<Item = Raw<'_>> {
        self.content.iter().enumerate().filter_map(|(index, content)| {
            let own = content.offset.as_ref().map(Size::bytes);
            let offset = own.unwrap_or(if index == 0 { Some(0) } else { None });
            content.image.as_deref().map(|image| Raw { structure: self, image, offset })
        })
    }
}
