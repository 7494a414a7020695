//! Finds the port for a place that is named in the way of another program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::sysfs::Sysfs;
use super::tables::block_number;
use super::udev_database::known_to_udev;
use crate::station::port::Port;

/// A reader has a few slots, and one name.
const FEW: usize = 8;

/// The ports of every disk with this name now: a node under `/dev`, a disk's or a USB device's name in sysfs, udev's `ID_PATH`.
#[must_use]
pub(crate) fn ports_of(sysfs: &Sysfs, text: &str) -> Vec<Port> {
    let by_node = text.starts_with('/').then(|| block_number(Path::new(text))).flatten().and_then(|number| sysfs.disk_of(number));
    let bare = text.trim_start_matches("/dev/");
    let is_called = |name: &str| {
        if by_node.as_ref().is_some_and(|(disk, _)| disk == name) || name == bare {
            return true;
        }
        let path = fs::canonicalize(sysfs.root.join("block").join(name)).unwrap_or_default();
        let passes = path.iter().any(|part| part.to_str().is_some_and(|part| part == bare));
        let by_udev = || sysfs.devnum(name).and_then(known_to_udev)?.property_value("ID_PATH").map(|value| value == text);
        passes || by_udev() == Some(true)
    };
    let ports: BTreeSet<Port> =
        sysfs.disk_names().unwrap_or_default().iter().filter(|name| is_called(name)).filter_map(|name| sysfs.port(name)).collect();
    // A name that fits half of the PC is not the name of a place.
    if ports.len() > FEW { Vec::new() } else { ports.into_iter().collect() }
}

impl Sysfs {
    /// Does this PC have the controller that a port names? Without it, no card is ever seen there.
    #[must_use]
    pub(crate) fn has_controller(&self, port: &Port) -> bool {
        port.controller().split_once('-').is_some_and(|(bus, name)| self.root.join("bus").join(bus).join("devices").join(name).exists())
    }
}

#[cfg(test)]
mod cases {
    use super::super::testing::FakeSysfs;
    use super::*;

    #[test]
    fn a_disk_is_found_by_its_name_and_by_the_name_of_its_usb_device() {
        let fake = FakeSysfs::new();
        fake.stick("sdb", "3.1", 7);
        fake.stick("sdc", "4", 8);
        let ports = |text: &str| ports_of(&fake.sysfs(), text).into_iter().map(|port| port.0).collect::<Vec<_>>();
        for text in ["sdb", "/dev/sdb", "2-3.1"] {
            assert_eq!(ports(text), ["pci-0000:00:1c.0/usb3-3.1/lun-0"], "{text}");
        }
        assert_eq!(ports("sdx"), [""; 0]);
        assert_eq!(ports("3.1"), [""; 0]);
    }

    #[test]
    fn a_port_of_a_controller_that_this_pc_does_not_have_is_known() {
        let fake = FakeSysfs::new();
        let sysfs = fake.sysfs();
        fs::create_dir_all(sysfs.root.join("bus/pci/devices/0000:00:1c.0")).expect("made");
        let has = |port: &str| sysfs.has_controller(&Port(port.to_owned()));
        assert!(has("pci-0000:00:1c.0/usb3-9/lun-0"), "whether anything is in that port or not");
        assert!(!has("pci-0000:00:1d.0/usb3-9/lun-0"));
    }
}
