//! Reads what udev knows of a disk, and whether udev runs at all.

use crate::station::card::DevNum;

/// While this socket is there, udev runs.
pub(super) const UDEV_CONTROL: &str = "/run/udev/control";

/// What udev has in its database of a disk or partition, once it has looked at it.
pub(super) fn known_to_udev(number: DevNum) -> Option<udev::Device> {
    let raw = nix::sys::stat::makedev(u64::from(number.major), u64::from(number.minor));
    udev::Device::from_devnum(udev::DeviceType::Block, raw).ok().filter(udev::Device::is_initialized)
}
