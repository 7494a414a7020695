//! Finds out which kind of reader, stick or SD host a port is on, and what the kernel lets be done with it. Reads no serial, so that none of
//! this waits for a device that is being reset.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::sysfs::{DevicePlace, Directory, Sysfs, above, file_name};
use crate::station::port::Port;
use crate::station::units::{Bytes, KIB};

/// The kind of a reader: all readers of one make and firmware are equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReaderKind {
    /// `usb`, or for an SD host of the PC the bus of its controller: `pci`, `platform`, `amba`.
    pub bus: String,
    /// The number of the maker, as four hexadecimal digits; for a host without numbers the name of its driver.
    pub vendor: String,
    /// The number of the product; empty if it has none.
    pub product: String,
    /// `bcdDevice` of a USB device, which is its own revision; the revision of a PCI device.
    pub revision: String,
    /// Vendor, product and revision of the SCSI inquiry, where one is made. Readers give each of their slots another.
    pub inquiry: Option<String>,
}

impl fmt::Display for ReaderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers =
            [self.vendor.as_str(), self.product.as_str()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(":");
        write!(f, "{} {numbers}", self.bus)?;
        if !self.revision.is_empty() {
            write!(f, " revision {}", self.revision)?;
        }
        self.inquiry.as_ref().map_or(Ok(()), |inquiry| write!(f, " ({inquiry})"))
    }
}

/// The longest requests that the kernel sends to a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestLimits {
    /// What it sends now (`max_sectors_kb`).
    pub now: Option<Bytes>,
    /// What the driver allows (`max_hw_sectors_kb`).
    pub allowed: Option<Bytes>,
}

/// What the kernel shows of the place of a slot at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Glimpse {
    /// There is a disk, with a medium or without.
    pub disk: bool,
    /// Its size is not 0.
    pub medium: bool,
    /// The `DISKSEQ` of the disk.
    pub diskseq: Option<u64>,
}

/// The means to cut the power of a USB device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PortSwitch {
    /// Files to which 1 is written to switch the socket off. A USB 3 socket has two: switched off at one, its device comes back at the other.
    pub files: Vec<PathBuf>,
    /// Every disk of that device, by the kernel's names.
    pub disks: Vec<String>,
}

impl Sysfs {
    /// The kind of reader at this port; `None` if nothing is there, which is usual for a port of sticks.
    #[must_use]
    pub(crate) fn reader_kind(&self, port: &Port) -> Option<ReaderKind> {
        if let Some(name) = self.disks_in(std::slice::from_ref(port)).first() {
            let path = fs::canonicalize(self.root.join("block").join(name)).ok()?;
            let place = DevicePlace::of(&path, &self.root)?;
            return match (&place.usb_device, &place.mmc_host) {
                (Some(device), _) => of_usb(device, inquiry(&path.join("device"))),
                (None, Some(host)) => self.of_host(host),
                (None, None) => None,
            };
        }
        let (_, host) = self.mmc_hosts().ok()?.into_iter().find(|(there, _)| there == port)?;
        self.of_host(&host)
    }

    fn of_host(&self, host: &Path) -> Option<ReaderKind> {
        let root = fs::canonicalize(&self.root).ok()?;
        if let Some(device) = above(host, &root).find(|path| path.join("idVendor").exists()) {
            return of_usb(device, None);
        }
        let (controller, bus) = above(host, &root).find_map(|path| {
            let bus = file_name(&fs::read_link(path.join("subsystem")).ok()?)?.to_owned();
            matches!(bus.as_str(), "pci" | "platform" | "amba").then_some((path, bus))
        })?;
        let attributes = Directory(controller.to_owned());
        let number = |attribute: &str| attributes.text(attribute).map(|text| text.trim_start_matches("0x").to_owned());
        let driver = || fs::read_link(controller.join("driver")).ok().and_then(|link| file_name(&link).map(str::to_owned));
        let vendor = number("vendor").or_else(driver)?;
        let numbered = |attribute: &str| number(attribute).unwrap_or_default();
        Some(ReaderKind { bus, vendor, product: numbered("device"), revision: numbered("revision"), inquiry: None })
    }

    /// The longest requests that the kernel sends to this disk (kernel, `Documentation/ABI/stable/sysfs-block`).
    #[must_use]
    pub(crate) fn request_limits(&self, name: &str) -> RequestLimits {
        let queue = Directory(self.root.join("block").join(name).join("queue"));
        let bytes = |attribute: &str| queue.number(attribute)?.checked_mul(KIB).map(Bytes);
        RequestLimits { now: bytes("max_sectors_kb"), allowed: bytes("max_hw_sectors_kb") }
    }

    /// What is in one of these ports now.
    #[must_use]
    pub(crate) fn glimpse(&self, ports: &[Port]) -> Glimpse {
        let Some(name) = self.disk_in(ports) else { return Glimpse::default() };
        let diskseq = Directory(self.root.join("block").join(&name)).number("diskseq");
        Glimpse { disk: true, medium: self.holds_medium(&name), diskseq }
    }

    /// How the power of the USB device with this disk can be cut, where the kernel offers that for its port: since Linux 6.0, by a file
    /// `disable` (kernel, `Documentation/ABI/testing/sysfs-bus-usb`). The kernel does not tell whether the hub can.
    #[must_use]
    pub(crate) fn port_switch(&self, name: &str) -> Option<PortSwitch> {
        let path = fs::canonicalize(self.root.join("block").join(name)).ok()?;
        let device = DevicePlace::of(&path, &self.root)?.usb_device?;
        let port = fs::canonicalize(device.join("port")).ok()?;
        let own = Some(port.join("disable")).filter(|file| file.exists())?;
        // A device on the other half of what the kernel takes for one socket is in another socket.
        let peer = fs::canonicalize(port.join("peer")).ok().filter(|peer| !peer.join("device").exists());
        let files = [Some(own), peer.map(|peer| peer.join("disable")).filter(|file| file.exists())].into_iter().flatten().collect();
        let is_below = |name: &String| fs::canonicalize(self.root.join("block").join(name)).is_ok_and(|path| path.starts_with(&device));
        let disks = self.disk_names().ok()?.into_iter().filter(is_below).collect();
        Some(PortSwitch { files, disks })
    }
}

fn of_usb(device: &Path, inquiry: Option<String>) -> Option<ReaderKind> {
    let attributes = Directory(device.to_owned());
    let text = |attribute: &str| attributes.text(attribute);
    Some(ReaderKind {
        bus: "usb".to_owned(),
        vendor: text("idVendor")?,
        product: text("idProduct")?,
        revision: text("bcdDevice").unwrap_or_default(),
        inquiry,
    })
}

/// The texts that a SCSI device gives of itself.
fn inquiry(device: &Path) -> Option<String> {
    let attributes = Directory(device.to_owned());
    let parts: Vec<String> = ["vendor", "model", "rev"].iter().filter_map(|attribute| attributes.text(attribute)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

#[cfg(test)]
mod cases {
    use super::super::testing::FakeSysfs;
    use super::*;

    fn port(place: &str) -> Port {
        Port(format!("pci-0000:00:1c.0/usb3-{place}"))
    }

    #[test]
    fn a_reader_is_known_by_its_numbers_and_revision_whether_a_card_is_in_it_or_not() {
        let fake = FakeSysfs::new();
        fake.lun("sdb", "1", 0, 7);
        fake.lun("sdc", "1", 3, 8);
        let device = "pci0000:00/0000:00:1c.0/usb2/2-1";
        fake.device(device, "usb", &[("bcdDevice", "0200")]);
        let kind = fake.sysfs().reader_kind(&port("1/lun-0")).expect("it is there");
        assert_eq!(kind.to_string(), "usb 0781:5581 revision 0200 (SanDisk Ultra)");
        fake.set("sdb", "size", "0");
        assert_eq!(fake.sysfs().reader_kind(&port("1/lun-0")).as_ref(), Some(&kind));
        fake.device(device, "usb", &[("bcdDevice", "0201")]);
        assert_ne!(fake.sysfs().reader_kind(&port("1/lun-0")), Some(kind), "another firmware is another kind");
        assert_eq!(fake.sysfs().reader_kind(&port("2/lun-0")), None);
    }

    #[test]
    fn an_sd_host_is_known_by_its_controller_with_a_card_and_without() {
        let fake = FakeSysfs::new();
        fake.mmc_host(5);
        fake.device("pci0000:00/0000:00:07.0", "pci", &[("vendor", "0x1b36"), ("device", "0x0007"), ("revision", "0x00")]);
        let here = Port("pci-0000:00:07.0/mmc-0".to_owned());
        let empty = fake.sysfs().reader_kind(&here).expect("it is there");
        assert_eq!(empty.to_string(), "pci 1b36:0007 revision 00");
        fake.mmc("mmcblk5", 5, "SD", 7);
        assert_eq!(fake.sysfs().reader_kind(&here), Some(empty));
    }

    #[test]
    fn a_socket_is_switched_at_both_of_its_ports_and_every_disk_behind_it_is_named() {
        let fake = FakeSysfs::new();
        fake.lun("sdb", "1", 0, 7);
        fake.lun("sdc", "1", 3, 8);
        fake.stick("sdd", "2", 9);
        assert_eq!(fake.sysfs().port_switch("sdb"), None, "this kernel offers none");
        fake.peers("1", "0x01");
        let hub = |root: &str, port: &str| fake.device(&format!("pci0000:00/0000:00:1c.0/{root}/{port}"), "", &[("disable", "0")]);
        let files = [hub("usb2", "2-0:1.0/usb2-port1"), hub("usb1", "1-0:1.0/usb1-port1")];
        let files = files.iter().map(|port| fs::canonicalize(port).expect("made").join("disable")).collect();
        let disks = ["sdb", "sdc"].map(str::to_owned).to_vec();
        assert_eq!(fake.sysfs().port_switch("sdb"), Some(PortSwitch { files, disks }));
    }

    #[test]
    fn a_reader_without_a_card_is_a_disk_without_a_medium_and_a_pulled_stick_is_nothing() {
        let fake = FakeSysfs::new();
        fake.lun("sdb", "1", 0, 7);
        let here = [port("1/lun-0"), port("9/lun-0")];
        let look = || fake.sysfs().glimpse(&here);
        assert_eq!(look(), Glimpse { disk: true, medium: true, diskseq: Some(7) });
        fake.set("sdb", "size", "0");
        assert_eq!(look(), Glimpse { disk: true, medium: false, diskseq: Some(7) });
        fake.remove("sdb");
        assert_eq!(look(), Glimpse::default());
    }
}
