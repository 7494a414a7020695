//! Reads the facts of a disk only from sysfs: udev's names of a bus or a path differ between its versions, and udev gives none for MMC
//! (udev 252 gives such disks no `ID_PATH`).

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use nix::libc;

use super::devices::{DeviceId, Disk};
use crate::station::card::{Bus, Card, Cid, DevNum, Identity, Visit};
use crate::station::labels::is_unseen;
use crate::station::port::{Chain, Port};
use crate::station::units::Bytes;

/// How often the kernel asks a reader whether its card was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaPolling {
    /// The device says so by itself, or its medium cannot be changed.
    Unneeded,
    /// At this interval.
    Every(Duration),
    /// A card that is put in is not seen.
    Never,
}

/// The mount point of sysfs.
#[derive(Clone, Debug)]
pub(crate) struct Sysfs {
    pub(super) root: PathBuf,
}

impl Default for Sysfs {
    fn default() -> Self {
        Self::at(Path::new("/sys"))
    }
}

impl Sysfs {
    /// A sysfs that is mounted at `root`.
    #[must_use]
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Every disk with a medium, by its visit. Kernels before 5.15 give no `diskseq`; their disks are not listed.
    ///
    /// # Errors
    /// If this process cannot look: then media that it does not see may all be there.
    pub(crate) fn visits(&self) -> io::Result<BTreeMap<Visit, String>> {
        let mut visits = BTreeMap::new();
        for name in self.disk_names()? {
            if let Some(visit) = self.try_visit(&name)? {
                visits.insert(visit, name);
            }
        }
        Ok(visits)
    }

    /// Can this kernel distinguish one medium from the next? Before 5.15 it cannot, and no card is ever admitted.
    #[must_use]
    pub(crate) fn has_diskseq(&self) -> bool {
        let names = self.disk_names().unwrap_or_default();
        names.is_empty() || names.iter().any(|name| self.root.join("block").join(name).join("diskseq").exists())
    }

    /// Every disk the kernel has, also empty readers, by name.
    ///
    /// # Errors
    /// If the kernel gives no answer, for example because no descriptors are left.
    pub(crate) fn disk_names(&self) -> io::Result<Vec<String>> {
        names_in(&self.root.join("block"))
    }

    fn visit(&self, name: &str) -> Option<Visit> {
        self.try_visit(name).ok().flatten()
    }

    /// `None` for a disk without a medium, or one that is vanishing; an error if this process cannot look.
    fn try_visit(&self, name: &str) -> io::Result<Option<Visit>> {
        let disk = Directory(self.root.join("block").join(name));
        let number = |attribute| Ok::<_, io::Error>(disk.try_text(attribute)?.and_then(|text| text.parse::<u64>().ok()));
        let holds_something = number("size")?.is_some_and(|size| size > 0);
        if !holds_something || is_hardware_partition(name) {
            return Ok(None);
        }
        let (devnum, diskseq) = (disk.try_text("dev")?, number("diskseq")?);
        let devnum = devnum.and_then(|text| devnum_of(&text));
        Ok(devnum.zip(diskseq).map(|(devnum, diskseq)| Visit { devnum, diskseq }))
    }

    /// The name of the disk with this number, or of the disk this partition is on; and whether it is the whole disk.
    #[must_use]
    pub(crate) fn disk_of(&self, devnum: DevNum) -> Option<(String, bool)> {
        let path = fs::canonicalize(self.root.join("dev/block").join(devnum.to_string())).ok()?;
        let whole = !path.join("partition").exists();
        let disk = if whole { path.as_path() } else { path.parent()? };
        Some((disk.file_name()?.to_str()?.to_owned(), whole))
    }

    /// All facts about a disk with a medium. Reads the strings of the USB device, which waits while the kernel resets it: do not call it in
    /// a thread that others wait for.
    #[must_use]
    pub(crate) fn card(&self, name: &str) -> Option<Card> {
        self.read(name, true)
    }

    /// The same without a USB device's strings, and with 0 for its logical block, so it never waits. The kernel returns those under locks
    /// that it holds while it resets the device, or waits for requests on the disk (`usb_lock_device_interruptible` in
    /// `drivers/usb/core/sysfs.c`, `queue_attr_show` in `block/blk-sysfs.c` before 6.16).
    #[must_use]
    pub(crate) fn glance(&self, name: &str) -> Option<Card> {
        self.read(name, false)
    }

    fn read(&self, name: &str, strings: bool) -> Option<Card> {
        let visit = self.visit(name)?;
        let path = fs::canonicalize(self.root.join("block").join(name)).ok()?;
        let disk = Directory(path.clone());
        let place = DevicePlace::of(&path, &self.root)?;
        let device = Directory(path.join("device"));
        let hangs_on = if strings { place.chain(self) } else { Chain::default() };
        let usb = place.usb_device.map(Directory);
        let cid = matches!(place.bus, Bus::Mmc(_)).then(|| cid(&device)).flatten();
        let usb_text = |name: &str| usb.as_ref().filter(|_| strings).and_then(|usb| usb.text(name));
        let serial = cid.as_ref().and_then(|cid| cid.serial.clone()).or_else(|| usb_text("serial"));
        let product = usb_text("product").or_else(|| device.text("model"));
        let identified = match (&place.bus, &serial) {
            (_, _) if cid.is_some() => Identity::Cid,
            (_, None) => Identity::None,
            (Bus::Usb, Some(_)) if place.luns > 1 || names_a_reader(product.as_deref()) => Identity::ReaderOnly,
            (_, Some(_)) => Identity::UsbSerial,
        };
        let card = Card {
            port: place.port,
            hangs_on,
            visit,
            kernel_name: name.replace('!', "/"),
            bus: place.bus,
            whole_disk: true,
            vendor: usb_text("manufacturer").or_else(|| device.text("vendor")),
            product,
            serial,
            wwn: device.text("wwid").or_else(|| disk.text("wwid")).filter(|wwid| !wwid.starts_with("t10.")),
            cid,
            identified,
            capacity: Bytes::from_sysfs_sectors(disk.number("size")?)?,
            logical_block: if strings { u32::try_from(disk.number("queue/logical_block_size")?).ok()? } else { 0 },
            write_protected: disk.number("ro")? != 0,
            partitioned: !self.partition_directories(name).ok()?.is_empty(),
        };
        // Mixed facts of two media belong to neither: the visit must be the same before and after they are read.
        (self.visit(name) == Some(visit)).then_some(card)
    }

    /// The port of a disk, whether it holds a medium or not.
    #[must_use]
    pub(crate) fn port(&self, name: &str) -> Option<Port> {
        let path = fs::canonicalize(self.root.join("block").join(name)).ok()?;
        DevicePlace::of(&path, &self.root).map(|place| place.port)
    }

    /// The disks in these ports, with a medium or without, by the kernel's names and in the order of the ports. Reads the place of each disk
    /// once and nothing else, so it never waits for a device.
    #[must_use]
    pub(crate) fn disks_in(&self, ports: &[Port]) -> Vec<String> {
        let mut found: Vec<Option<String>> = vec![None; ports.len()];
        for name in self.disk_names().unwrap_or_default() {
            if found.iter().all(Option::is_some) {
                break;
            }
            let Some(port) = self.port(&name) else { continue };
            if let Some(place) = ports.iter().position(|other| *other == port) {
                found[place].get_or_insert(name);
            }
        }
        found.into_iter().flatten().collect()
    }

    /// The disk in one of these ports, by the kernel's name: the one with a medium, if there is one.
    #[must_use]
    pub(crate) fn disk_in(&self, ports: &[Port]) -> Option<String> {
        let disks = self.disks_in(ports);
        disks.iter().find(|name| self.holds_medium(name)).or(disks.last()).cloned()
    }

    /// The number of a disk's own directory. The kernel assigns a new one to each disk, also to one with the name of another.
    pub(super) fn disk_id(&self, name: &str) -> Option<DeviceId> {
        fs::metadata(self.root.join("block").join(name)).ok().map(|metadata| DeviceId(metadata.ino()))
    }

    /// A disk in a known place, with a medium or without.
    pub(super) fn disk(&self, name: &str) -> Option<Disk> {
        let path = fs::canonicalize(self.root.join("block").join(name)).ok()?;
        let id = self.disk_id(name)?;
        let place = DevicePlace::of(&path, &self.root)?;
        let device = match &place.mmc_host {
            Some(host) => DeviceId(fs::metadata(host).ok()?.ino()),
            None => id,
        };
        Some(Disk { id, port: place.port, device, has_siblings: place.luns > 1 })
    }

    /// The number of a disk, whether it holds a medium or not.
    #[must_use]
    pub(crate) fn devnum(&self, name: &str) -> Option<DevNum> {
        Directory(self.root.join("block").join(name)).devnum()
    }

    /// Is there a medium in it?
    #[must_use]
    pub(crate) fn holds_medium(&self, name: &str) -> bool {
        Directory(self.root.join("block").join(name)).number("size").is_some_and(|size| size > 0)
    }

    /// The numbers of a disk's partitions.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn partitions(&self, name: &str) -> Vec<DevNum> {
        self.partition_directories(name).unwrap_or_default().iter().filter_map(Directory::devnum).collect()
    }

    /// A disk and its partitions, by number.
    ///
    /// # Errors
    /// If one of them cannot be read: it may be vanishing.
    pub(crate) fn numbers(&self, name: &str) -> io::Result<BTreeSet<DevNum>> {
        let number = |directory: &Directory| directory.devnum().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound));
        self.disk_and_partitions(name)?.iter().map(number).collect()
    }

    /// The devices that are built on a disk or on a partition of it, by the kernel's names.
    ///
    /// # Errors
    /// If the kernel does not answer for one of them.
    pub(crate) fn holders(&self, name: &str) -> io::Result<Vec<String>> {
        let mut holders = Vec::new();
        for directory in self.disk_and_partitions(name)? {
            for entry in fs::read_dir(directory.0.join("holders"))? {
                holders.push(entry?.file_name().to_string_lossy().into_owned());
            }
        }
        holders.sort();
        holders.dedup();
        Ok(holders)
    }

    pub(super) fn disk_and_partitions(&self, name: &str) -> io::Result<Vec<Directory>> {
        let disk = self.root.join("block").join(name);
        let mut directories = Vec::new();
        for entry in fs::read_dir(&disk)? {
            let path = entry?.path();
            if path.join("partition").exists() {
                directories.push(Directory(path));
            }
        }
        directories.push(Directory(disk));
        Ok(directories)
    }

    /// The kernel's attribute for a disk with a removable medium.
    #[must_use]
    pub(crate) fn is_removable(&self, name: &str) -> bool {
        Directory(self.root.join("block").join(name)).number("removable") == Some(1)
    }

    /// Makes the kernel poll this disk for a change of media every `interval`, if it needs polling and is not polled as often already.
    /// Waits as long as the reader does not answer.
    ///
    /// # Errors
    /// If the attribute cannot be written.
    pub(crate) fn poll_media(&self, name: &str, interval: Duration) -> io::Result<()> {
        let disk = Directory(self.root.join("block").join(name));
        let wanted = interval.as_millis().to_string();
        if !self.can_be_asked(name) || disk.text("events_poll_msecs").as_deref() == Some(&wanted) {
            return Ok(());
        }
        fs::write(disk.0.join("events_poll_msecs"), wanted)
    }

    /// Whether the medium of this disk can be changed, and the disk can be asked for it.
    fn can_be_asked(&self, name: &str) -> bool {
        let events = Directory(self.root.join("block").join(name)).text("events");
        self.is_removable(name) && events.is_some_and(|events| events.contains("media_change"))
    }

    /// How often the kernel asks this disk for a change of media (kernel, `Documentation/ABI/stable/sysfs-block`, `events_poll_msecs`).
    #[must_use]
    pub(crate) fn media_polling(&self, name: &str) -> MediaPolling {
        let disk = Directory(self.root.join("block").join(name));
        let announces = disk.text("events_async").is_some_and(|events| events.contains("media_change"));
        if !self.can_be_asked(name) || announces {
            return MediaPolling::Unneeded;
        }
        let own = disk.text("events_poll_msecs").and_then(|text| text.parse::<i64>().ok()).unwrap_or(-1);
        // -1 stands for the default of the kernel's module, and 0 for never.
        let every = if own >= 0 {
            u64::try_from(own).ok()
        } else {
            Directory(self.root.join("module/block/parameters")).number("events_dfl_poll_msecs")
        };
        every.filter(|every| *every > 0).map_or(MediaPolling::Never, |every| MediaPolling::Every(Duration::from_millis(every)))
    }

    /// Sectors that a disk has completed since it appeared, read and written: they advance during one blocked call (kernel,
    /// `Documentation/block/stat.rst`). `None` if it is gone.
    #[must_use]
    pub(crate) fn sectors_moved(&self, devnum: DevNum) -> Option<u64> {
        let stat = fs::read_to_string(self.root.join("dev/block").join(devnum.to_string()).join("stat")).ok()?;
        let field = |index: usize| stat.split_whitespace().nth(index)?.parse::<u64>().ok();
        field(2)?.checked_add(field(6)?)
    }

    fn partition_directories(&self, name: &str) -> io::Result<Vec<Directory>> {
        let disk = self.root.join("block").join(name);
        let entries = names_in(&disk)?.into_iter().map(|entry| disk.join(entry));
        Ok(entries.filter(|path| path.join("partition").exists()).map(Directory).collect())
    }
}

/// The node of a disk or partition. A slash in its name is written as `!` in sysfs.
#[must_use]
pub(crate) fn node_of(name: &str) -> PathBuf {
    Path::new("/dev").join(name.replace('!', "/"))
}

/// The contents of a directory, in order. A missing directory counts as empty: a kernel without MMC has no hosts.
pub(super) fn names_in(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// Does the error mean that this process, or the whole PC, has no more descriptors or memory? Any other error is an answer about the
/// device.
fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM))
}

fn devnum_of(text: &str) -> Option<DevNum> {
    let (major, minor) = text.split_once(':')?;
    Some(DevNum { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

/// The boot, general-purpose and replay-protected areas of an eMMC are disks of their own in the same host.
pub(super) fn is_hardware_partition(name: &str) -> bool {
    name.starts_with("mmcblk") && name.trim_start_matches("mmcblk").contains(|letter: char| !letter.is_ascii_digit())
}

/// A reader with one slot looks like a stick; many give their kind in their name.
pub(super) fn names_a_reader(product: Option<&str>) -> bool {
    product.is_some_and(|product| {
        let product = product.to_ascii_lowercase();
        ["reader", "sd/mmc", "cardreader", "storage device", "multi-card", "multicard"].iter().any(|word| product.contains(word))
    })
}

fn cid(card: &Directory) -> Option<Cid> {
    Some(Cid {
        raw: card.text("cid")?,
        manfid: card.text("manfid"),
        oemid: card.text("oemid"),
        name: card.text("name"),
        serial: card.text("serial"),
        date: card.text("date"),
        hwrev: card.text("hwrev"),
        fwrev: card.text("fwrev"),
    })
}

/// A directory of attributes.
pub(super) struct Directory(pub(super) PathBuf);

impl Directory {
    pub(super) fn text(&self, attribute: &str) -> Option<String> {
        self.try_text(attribute).ok().flatten()
    }

    /// `None` if there is no such attribute, or it is empty; an error if this process cannot look.
    fn try_text(&self, attribute: &str) -> io::Result<Option<String>> {
        let text = match fs::read(self.0.join(attribute)) {
            Ok(text) => text,
            Err(error) if is_shortage(&error) => return Err(error),
            Err(_) => return Ok(None),
        };
        let text = String::from_utf8_lossy(&text);
        let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0');
        // A device's own texts are shown on consoles and in tables.
        let text: String = text.chars().map(|letter| if is_unseen(letter) { '?' } else { letter }).collect();
        Ok((!text.is_empty()).then_some(text))
    }

    pub(super) fn number(&self, attribute: &str) -> Option<u64> {
        self.text(attribute)?.parse().ok()
    }

    pub(super) fn devnum(&self) -> Option<DevNum> {
        devnum_of(&self.text("dev")?)
    }
}

/// The place of a disk in the device tree.
pub(super) struct DevicePlace {
    pub(super) port: Port,
    pub(super) bus: Bus,
    pub(super) usb_device: Option<PathBuf>,
    /// Logical units of the same USB device.
    pub(super) luns: usize,
    /// The MMC host, if it is in one.
    pub(super) mmc_host: Option<PathBuf>,
}

impl DevicePlace {
    /// Reads a disk's real path under `devices`, for example
    /// `pci0000:00/0000:00:14.0/usb2/2-3/2-3.1/2-3.1:1.0/host4/target4:0:0/4:0:0:0/block/sdb`.
    pub(super) fn of(disk: &Path, root: &Path) -> Option<Self> {
        let root = fs::canonicalize(root).ok()?;
        let ancestors: Vec<&Path> = above(disk, &root).skip(1).collect();
        if let Some(place) = Self::in_mmc_host(&ancestors) {
            return Some(place);
        }
        if let Some(place) = Self::on_usb(&ancestors) {
            return Some(place);
        }
        let name = file_name(disk)?;
        if name.starts_with("loop") {
            return Some(Self { port: Port(name.to_owned()), bus: Bus::Loop, usb_device: None, luns: 1, mmc_host: None });
        }
        // Any other bus can be configured as a slot; its cards are then refused with the name of the bus.
        let bus = ancestors.iter().find_map(|path| subsystem(path)).filter(|bus| bus != "block").unwrap_or_else(|| "virtual".to_owned());
        let controller = ancestors.iter().find_map(|path| controller(path)).unwrap_or_else(|| name.to_owned());
        Some(Self { port: Port(format!("{controller}/{bus}")), bus: Bus::Other(bus), usb_device: None, luns: 1, mmc_host: None })
    }

    fn in_mmc_host(ancestors: &[&Path]) -> Option<Self> {
        let hosts = ancestors.iter().find(|path| file_name(path) == Some("mmc_host"))?;
        let host = ancestors.iter().find(|path| path.parent() == Some(hosts))?;
        let card = ancestors.iter().find(|path| path.parent() == Some(host))?;
        let kind = Directory((*card).to_owned()).text("type").unwrap_or_else(|| "unknown".to_owned());
        Some(Self { port: mmc_port(host, ancestors)?, bus: Bus::Mmc(kind), usb_device: None, luns: 1, mmc_host: Some((*host).to_owned()) })
    }

    fn on_usb(ancestors: &[&Path]) -> Option<Self> {
        let chain = usb_chain(ancestors)?;
        let device = usb_device(ancestors)?;
        let unit = ancestors.iter().find(|path| subsystem(path).as_deref() == Some("scsi") && is_scsi_address(file_name(path)))?;
        let lun = file_name(unit)?.rsplit(':').next()?;
        let units = fs::read_dir(unit.parent()?).ok()?;
        let luns = units.filter(|entry| entry.as_ref().is_ok_and(|entry| is_scsi_address(entry.file_name().to_str()))).count();
        Some(Self { port: Port::of_lun(&chain, lun), bus: Bus::Usb, usb_device: Some(device.to_owned()), luns, mmc_host: None })
    }
}

/// A path and the devices on which it hangs, nearest first, as far as sysfs goes.
pub(super) fn above<'a>(path: &'a Path, root: &'a Path) -> impl Iterator<Item = &'a Path> {
    path.ancestors().take_while(move |path| path.starts_with(root) && *path != root)
}

/// The port of an MMC host, with a card in it or without.
pub(super) fn mmc_port(host: &Path, ancestors: &[&Path]) -> Option<Port> {
    let hosts = host.parent()?;
    // A host on a USB reader is found by the reader's own port: the name of its platform device changes at every boot.
    let above: Vec<&Path> = ancestors.iter().copied().filter(|path| hosts.starts_with(path)).collect();
    let controller = usb_chain(&above).or_else(|| above.iter().find_map(|path| controller(path)))?;
    // mmcN is counted over the whole PC in the order in which drivers started: only the place among the controller's own hosts stays the
    // same.
    let mut siblings: Vec<u32> =
        fs::read_dir(hosts).ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("mmc")?.parse().ok()).collect();
    siblings.sort_unstable();
    let number: u32 = file_name(host)?.strip_prefix("mmc")?.parse().ok()?;
    let index = siblings.iter().position(|sibling| *sibling == number)?;
    Some(Port::of_host(&controller, index))
}

/// The nearest USB device, hubs and root hubs included.
fn usb_device<'a>(ancestors: &[&'a Path]) -> Option<&'a Path> {
    ancestors.iter().copied().find(|path| path.join("idVendor").exists())
}

/// Controller, USB generation and chain of ports of the nearest USB device: `pci-0000:00:14.0/usb3-2.4`.
pub(super) fn usb_chain(ancestors: &[&Path]) -> Option<String> {
    let device = usb_device(ancestors)?;
    let is_root_hub = |path: &&&Path| file_name(path).is_some_and(|name| name.starts_with("usb")) && path.join("idVendor").exists();
    let root_hub = ancestors.iter().find(is_root_hub)?;
    let controller = controller(root_hub.parent()?)?;
    // A controller's USB 2 and USB 3 ports are counted separately, and the same number need not be the same socket.
    let generation = Directory((*root_hub).to_owned()).text("version")?.chars().next()?;
    let (_, chain) = file_name(device)?.split_once('-')?;
    Some(format!("{controller}/usb{generation}-{chain}"))
}

/// Is this the address of a SCSI device, `host:channel:target:lun`?
fn is_scsi_address(name: Option<&str>) -> bool {
    name.is_some_and(|name| name.split(':').count() == 4 && name.split(':').all(|part| part.parse::<u32>().is_ok()))
}

pub(super) fn file_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

fn subsystem(path: &Path) -> Option<String> {
    let target = fs::read_link(path.join("subsystem")).ok()?;
    Some(file_name(&target)?.to_owned())
}

/// A device that a board or a slot fixes in place: its name stays the same from boot to boot.
pub(super) fn controller(path: &Path) -> Option<String> {
    let subsystem = subsystem(path).filter(|subsystem| matches!(subsystem.as_str(), "pci" | "platform" | "amba"))?;
    // Names with these endings are counted in the order in which drivers started.
    if file_name(path)?.ends_with(".auto") {
        return None;
    }
    Some(format!("{subsystem}-{}", file_name(path)?))
}

#[cfg(test)]
mod tests {
    use super::super::testing::FakeSysfs;
    use super::*;

    #[test]
    fn a_stick_behind_a_hub_is_found_at_its_chain_of_ports() {
        let fake = FakeSysfs::new();
        fake.stick("sdb", "3.1", 7);
        let card = fake.sysfs().card("sdb").expect("it is there");
        assert_eq!(card.port.0, "pci-0000:00:1c.0/usb3-3.1/lun-0");
        assert_eq!((card.bus, card.identified), (Bus::Usb, Identity::UsbSerial));
        assert_eq!(card.serial.as_deref(), Some("4C53"));
        assert_eq!((card.capacity, card.logical_block, card.visit.diskseq), (Bytes(131_072 * 512), 512, 7));
        assert!(!card.write_protected && !card.partitioned);
    }

    #[test]
    fn the_luns_of_a_reader_are_ports_of_their_own_and_its_serial_identifies_no_card() {
        let fake = FakeSysfs::new();
        fake.lun("sdb", "1", 0, 7);
        fake.lun("sdc", "1", 3, 8);
        let card = fake.sysfs().card("sdc").expect("it is there");
        assert_eq!(card.port.0, "pci-0000:00:1c.0/usb3-1/lun-3");
        assert_eq!(card.identified, Identity::ReaderOnly);
    }

    #[test]
    fn an_sd_card_is_known_by_its_register_and_an_emmc_by_its_kind() {
        let fake = FakeSysfs::new();
        fake.mmc("mmcblk5", 5, "SD", 7);
        fake.mmc("mmcblk6", 6, "MMC", 8);
        let card = fake.sysfs().card("mmcblk5").expect("it is there");
        assert_eq!(card.port.0, "pci-0000:00:07.0/mmc-0", "the first host of its controller, whatever its number");
        assert_eq!(card.identified, Identity::Cid);
        let cid = card.cid.expect("it gives one");
        assert_eq!((cid.raw.as_str(), cid.name.as_deref()), ("035344534c31364780a1b2c3d4015b00", Some("SL16G")));
        assert_eq!(fake.sysfs().card("mmcblk6").expect("it is there").bus, Bus::Mmc("MMC".to_owned()));
    }

    #[test]
    fn an_sd_host_on_a_usb_reader_is_found_by_the_readers_port() {
        let fake = FakeSysfs::new();
        fake.stick("sdb", "4", 6);
        let host = "pci0000:00/0000:00:1c.0/usb2/2-4/2-4:1.0/rtsx_usb_sdmmc.3.auto";
        fake.device(host, "platform", &[]);
        fake.device(&format!("{host}/mmc_host/mmc2"), "mmc_host", &[]);
        fake.device(&format!("{host}/mmc_host/mmc2/mmc2:0001"), "mmc", &[("type", "SD")]);
        fake.disk(&format!("{host}/mmc_host/mmc2/mmc2:0001"), "mmcblk2", "179:16", 7);
        assert_eq!(fake.sysfs().card("mmcblk2").expect("it is there").port.0, "pci-0000:00:1c.0/usb3-4/mmc-0");
    }

    #[test]
    fn the_pcs_disks_have_a_port_and_a_bus_that_is_refused() {
        let fake = FakeSysfs::new();
        fake.device("pci0000:00/0000:00:05.0", "pci", &[]);
        fake.device("pci0000:00/0000:00:05.0/virtio2", "virtio", &[]);
        fake.disk("pci0000:00/0000:00:05.0/virtio2", "vda", "254:0", 1);
        let card = fake.sysfs().card("vda").expect("it is there");
        assert_eq!((card.port.0.as_str(), card.bus), ("pci-0000:00:05.0/virtio", Bus::Other("virtio".to_owned())));
    }

    #[test]
    fn the_boot_areas_of_an_emmc_are_no_cards() {
        let fake = FakeSysfs::new();
        fake.mmc("mmcblk6", 6, "MMC", 8);
        fake.disk("pci0000:00/0000:00:07.0/mmc_host/mmc6/mmc6:4567", "mmcblk6boot0", "179:99", 9);
        assert_eq!(fake.sysfs().visits().expect("it can be read").len(), 1);
    }

    #[test]
    fn the_disks_of_ports_are_found_in_the_order_of_the_ports_with_a_medium_and_without() {
        let fake = FakeSysfs::new();
        fake.lun("sdb", "1", 0, 7);
        fake.lun("sdc", "1", 3, 8);
        fake.stick("sdd", "2", 9);
        fake.set("sdc", "size", "0");
        let port = |place: &str| Port(format!("pci-0000:00:1c.0/usb3-{place}"));
        let ports = [port("9/lun-0"), port("2/lun-0"), port("1/lun-3")];
        assert_eq!(fake.sysfs().disks_in(&ports), ["sdd", "sdc"]);
        assert!(fake.sysfs().disks_in(&[]).is_empty());
        fake.mmc("mmcblk6", 6, "MMC", 8);
        fake.disk("pci0000:00/0000:00:07.0/mmc_host/mmc6/mmc6:4567", "mmcblk6boot0", "179:99", 9);
        let host = fake.sysfs().port("mmcblk6").expect("it is there");
        assert_eq!(fake.sysfs().disks_in(&[host]), ["mmcblk6"], "not one of its boot areas");
    }

    #[test]
    fn partitions_and_holders_of_disk_and_partitions_are_found() {
        let fake = FakeSysfs::new();
        fake.stick("sdb", "1", 7);
        fake.partition("sdb", "8:17");
        fake.hold("sdb", "md0");
        fake.hold("sdb/sdb1", "dm-0");
        let sysfs = fake.sysfs();
        assert!(sysfs.card("sdb").expect("it is there").partitioned);
        assert_eq!(sysfs.partitions("sdb"), [DevNum { major: 8, minor: 17 }]);
        assert_eq!(sysfs.holders("sdb").expect("they are told"), ["dm-0", "md0"]);
    }
}
