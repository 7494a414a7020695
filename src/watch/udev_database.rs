//! Reads udev's record of a disk, and whether udev runs at all.

use crate::station::card::DevNum;

/// As long as this socket exists, udev runs.
pub(super) const UDEV_CONTROL: &str = "/run/udev/control";

/// udev's record of a disk or partition, once it has examined it.
pub(super) fn known_to_udev(number: DevNum) -> Option<udev::Device> {
    let raw = nix::sys::stat::makedev(u64::from(number.major), u64::from(number.minor));
    udev::Device::from_devnum(udev::DeviceType::Block, raw).ok().filter(udev::Device::is_initialized)
}
