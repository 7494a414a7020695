//! Reads udev's record of a disk, and whether udev runs at all.

use std::path::Path;

use crate::station::card::DevNum;

/// As long as this socket exists, udev runs.
const UDEV_CONTROL: &str = "/run/udev/control";

/// Whether udev runs on this PC.
#[must_use]
pub(crate) fn udev_runs() -> bool {
    Path::new(UDEV_CONTROL).exists()
}

/// udev's record of a disk or partition, once it has examined it.
pub(super) fn known_to_udev(number: DevNum) -> Option<udev::Device> {
    let raw = nix::sys::stat::makedev(u64::from(number.major), u64::from(number.minor));
    udev::Device::from_devnum(udev::DeviceType::Block, raw).ok().filter(udev::Device::is_initialized)
}
