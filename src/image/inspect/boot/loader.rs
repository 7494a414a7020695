//! Which boot loader starts the kernel.

use crate::image::inspect::gadget::Gadget;
use crate::image::inspect::read_error::ReadError;
use crate::image::inspect::readers::squashfs::Squashfs;

/// The program that starts the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loader {
    Grub,
    Uboot,
    /// Only the firmware of the Raspberry Pi.
    Piboot,
}

impl Loader {
    /// Found as by snapd: by the first file in the gadget that marks one. `None` for loaders that are not known here.
    pub(super) fn of(snap: &mut Squashfs<'_>, gadget: &Gadget) -> Result<Option<Self>, ReadError> {
        const MARKERS: [(&str, Option<Loader>); 5] = [
            ("uboot.conf", Some(Loader::Uboot)),
            ("grub.conf", Some(Loader::Grub)),
            ("androidboot.conf", None),
            ("lk.conf", None),
            ("piboot.conf", Some(Loader::Piboot)),
        ];
        for (marker, loader) in MARKERS {
            if snap.find(marker)?.is_some() {
                return Ok(loader);
            }
        }
        Ok(match gadget.bootloader() {
            "grub" => Some(Self::Grub),
            "u-boot" => Some(Self::Uboot),
            "piboot" => Some(Self::Piboot),
            _ => None,
        })
    }

    /// The name for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Grub => "GRUB",
            Self::Uboot => "U-Boot",
            Self::Piboot => "snapd for the Raspberry Pi's firmware",
        }
    }
}
