//! The topology of devices: USB devices from the controller down, MMC hosts, and every port that can hold a card.
//!
//! A USB socket is two ports of its controller, one for USB 2 and one for USB 3. The kernel links the two as peers by the firmware's
//! description of sockets, otherwise by their numbers alone, which is a guess (kernel, `drivers/usb/core/port.c`).

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use super::devices::DeviceId;
use super::sysfs::{self, DevicePlace, Directory, Sysfs, above, file_name, is_hardware_partition, mmc_port, names_a_reader, usb_chain};
use crate::station::card::{Bus, Card};
use crate::station::port::{Cabling, Chain, Port};

/// Devices in the ports of a hub are found within this time after the hub: it takes a moment for each port, and seconds for one whose
/// device does not answer.
const FOUND_WITH_HUB: Duration = Duration::from_secs(10);

/// A USB device that is not a root hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsbDevice {
    /// Its place: `pci-0000:00:14.0/usb3-2.4`.
    pub place: String,
    /// `vendor:product`, with `:serial` if it has one.
    pub id: String,
    /// Its own name.
    pub product: Option<String>,
    /// It is a hub.
    pub hub: bool,
    /// Megabits a second, as the kernel says: `480`, `5000`, `1.5`.
    pub speed: Option<String>,
}

impl UsbDevice {
    /// In a few words: its own name, and its numbers.
    #[must_use]
    pub(crate) fn words(&self) -> String {
        let kind = if self.hub { "hub" } else { "reader" };
        self.product.as_ref().map_or_else(|| format!("{kind} {}", self.id), |product| format!("{kind} {product} {}", self.id))
    }

    fn read(directory: &Path, root: &Path) -> Option<Self> {
        let ancestors: Vec<&Path> = above(directory, root).collect();
        let attributes = Directory(directory.to_owned());
        Some(Self {
            place: usb_chain(&ancestors)?,
            id: id(&attributes)?,
            product: attributes.text("product"),
            hub: attributes.text("bDeviceClass").as_deref() == Some("09"),
            speed: attributes.text("speed"),
        })
    }
}

/// The port of the same socket for the other USB generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Companion {
    /// The port that a card in that socket has then.
    pub port: Port,
    /// The devices on which that port hangs, as far as they exist now.
    pub chain: Chain,
    /// The firmware, or the two halves of a hub, state it; otherwise it is the kernel's guess by numbers.
    pub known: bool,
}

/// A place from which a card can come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    /// The port of the socket.
    pub port: Port,
    /// The disk, if there is one: an empty SD host has none.
    pub kernel_name: Option<String>,
    /// The card in it.
    pub card: Option<Card>,
    /// How it is attached; for an empty SD host this is unknown until a card is in it.
    pub bus: Bus,
    /// The USB devices on which it hangs, from the controller down, with the card's own.
    pub devices: Vec<UsbDevice>,
    /// The same as text, or the driver of its MMC host.
    pub chain: Chain,
    /// It stays when its card is taken out: a slot of a reader, or an SD host.
    pub stays: bool,
    /// Its cards report their CID.
    pub gives_cid: bool,
    /// The port of the same socket for the other USB generation.
    pub companion: Option<Companion>,
}

impl Socket {
    /// The USB generation its own device runs at, `2` or `3`.
    #[must_use]
    pub(crate) fn generation(&self) -> Option<char> {
        self.port.parts()?.usb?.generation.chars().next()
    }

    /// The USB device of which it is a slot.
    #[must_use]
    pub(crate) fn reader(&self) -> Option<&UsbDevice> {
        self.devices.last()
    }
}

impl DevicePlace {
    /// The devices on which the disk in this place hangs.
    pub(super) fn chain(&self, sysfs: &Sysfs) -> Chain {
        let Some(from) = self.usb_device.as_deref().or(self.mmc_host.as_deref()) else { return Chain::default() };
        chain(from, sysfs)
    }
}

/// The USB devices from the controller down to `from`, which is included; for a host of the PC itself its driver.
fn chain(from: &Path, sysfs: &Sysfs) -> Chain {
    let directories = usb_directories(from, sysfs);
    if directories.is_empty() {
        return Chain(driver(from).into_iter().collect());
    }
    Chain(directories.iter().map(|directory| id(&Directory(directory.clone())).unwrap_or_else(|| "unknown".to_owned())).collect())
}

fn usb_directories(from: &Path, sysfs: &Sysfs) -> Vec<PathBuf> {
    let root = sysfs.real_root();
    let mut directories: Vec<PathBuf> =
        above(from, &root).filter(|path| path.join("idVendor").exists() && !is_root_hub(path)).map(Path::to_owned).collect();
    directories.reverse();
    directories
}

fn is_root_hub(directory: &Path) -> bool {
    file_name(directory).is_some_and(|name| name.starts_with("usb"))
}

/// The driver of an MMC host's controller, with the number of its hosts if it has several: a host's port is its place among those that
/// started, so if one is missing, the next one has its place.
fn driver(host: &Path) -> Option<String> {
    let hosts = host.parent()?;
    let link = fs::read_link(hosts.parent()?.join("driver")).ok()?;
    let driver = file_name(&link)?;
    match names_if_any(hosts).iter().filter(|name| name.starts_with("mmc")).count() {
        0 | 1 => Some(driver.to_owned()),
        several => Some(format!("{driver} ({several} hosts)")),
    }
}

fn id(device: &Directory) -> Option<String> {
    let id = format!("{}:{}", device.text("idVendor")?, device.text("idProduct")?);
    // A `>` separates the devices of a chain.
    Some(device.text("serial").map_or_else(|| id.clone(), |serial| format!("{id}:{}", serial.replace('>', "?"))))
}

impl Sysfs {
    fn real_root(&self) -> PathBuf {
        fs::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone())
    }

    /// Every USB device except the root hubs. Reads the serial of each, which waits while the kernel resets it.
    #[must_use]
    pub(crate) fn usb_devices(&self) -> Vec<UsbDevice> {
        let root = self.real_root();
        self.usb_names().iter().filter_map(|name| UsbDevice::read(&fs::canonicalize(self.root.join(USB).join(name)).ok()?, &root)).collect()
    }

    fn usb_names(&self) -> Vec<String> {
        let is_device = |name: &String| !name.contains(':') && !name.starts_with("usb");
        let mut names = names_if_any(&self.root.join(USB));
        names.retain(is_device);
        names.sort();
        names
    }

    /// Every MMC host, with a card or without, by the kernel's name, with its real path.
    pub(super) fn mmc_hosts(&self) -> io::Result<Vec<(Port, PathBuf)>> {
        let root = self.real_root();
        let mut hosts: Vec<(Port, PathBuf)> = sysfs::names_in(&self.root.join(MMC_HOSTS))?
            .iter()
            .filter_map(|name| {
                let host = fs::canonicalize(self.root.join(MMC_HOSTS).join(name)).ok()?;
                let ancestors: Vec<&Path> = above(&host, &root).collect();
                Some((mmc_port(&host, &ancestors)?, host.clone()))
            })
            .collect();
        hosts.sort();
        Ok(hosts)
    }

    /// The MMC hosts that are there, with a card or without.
    ///
    /// # Errors
    /// If this process cannot look.
    pub(super) fn mmc_host_ids(&self) -> io::Result<Vec<(DeviceId, Port)>> {
        let number = |(port, host): (Port, PathBuf)| Some((DeviceId(fs::metadata(host).ok()?.ino()), port));
        Ok(self.mmc_hosts()?.into_iter().filter_map(number).collect())
    }

    /// How long the USB device of a disk has been on its bus; if it was found together with its hub, as long as the hub. `None` if it hangs
    /// on none; 0, as for one that came this moment, if the kernel does not tell. Never waits.
    ///
    /// The kernel counts 32 bits of milliseconds (`power/connected_duration`, `drivers/usb/core/sysfs.c`) and starts again after 49 days.
    pub(super) fn connected(&self, name: &str) -> Option<Duration> {
        let path = fs::canonicalize(self.root.join("block").join(name)).ok()?;
        let mut above: Option<(Duration, Duration)> = None;
        for directory in usb_directories(&path, self) {
            let own = Duration::from_millis(Directory(directory).number("power/connected_duration").unwrap_or(0));
            let with_hub = match above {
                Some((hub, with_hub)) if hub.saturating_sub(own) <= FOUND_WITH_HUB => with_hub.max(own),
                _ => own,
            };
            above = Some((own, with_hub));
        }
        above.map(|(_, with_hub)| with_hub)
    }

    /// The device at every place on which a port can hang. Waits as [`usb_devices`](Self::usb_devices) does.
    #[must_use]
    pub(crate) fn cabling(&self) -> Cabling {
        let usb = self.usb_devices().into_iter().map(|device| (device.place, device.id));
        let mmc = self.mmc_hosts().unwrap_or_default().into_iter().filter(|(port, _)| port.upstream().is_empty());
        let mmc = mmc.filter_map(|(port, host)| Some((port.0, driver(&host)?)));
        Cabling(usb.chain(mmc).collect())
    }

    /// Changes whenever [`cabling`](Self::cabling) may have changed, and never waits: a device that comes back has another number.
    #[must_use]
    pub(crate) fn cabling_marks(&self) -> Vec<String> {
        let number = |name: &String| Directory(self.root.join(USB).join(name)).text("devnum").unwrap_or_default();
        let usb = self.usb_names().into_iter().map(|name| format!("{name} {}", number(&name)));
        usb.chain(names_if_any(&self.root.join(MMC_HOSTS))).collect()
    }

    /// Every port from which a card could come, with empty slots of readers and empty SD hosts, by port. An empty USB socket has nothing to
    /// list.
    #[must_use]
    pub(crate) fn sockets(&self) -> Vec<Socket> {
        let names = self.disk_names().unwrap_or_default().into_iter().filter(|name| !is_hardware_partition(name));
        let mut sockets: Vec<Socket> = names.filter_map(|name| self.socket(&name)).collect();
        for (port, host) in self.mmc_hosts().unwrap_or_default() {
            let occupied = names_if_any(&host).iter().any(|name| name.starts_with("mmc") && name.contains(':'));
            // A host with a device in it that is not a disk, most often a radio, does not take cards.
            if occupied || sockets.iter().any(|socket| socket.port == port) {
                continue;
            }
            let chain = chain(&host, self);
            let devices = self.devices_above(&host);
            let bus = Bus::Mmc("empty".to_owned());
            sockets.push(Socket {
                port,
                kernel_name: None,
                card: None,
                bus,
                devices,
                chain,
                stays: true,
                gives_cid: true,
                companion: None,
            });
        }
        sockets.sort_by_key(|socket| in_order(&socket.port));
        sockets
    }

    fn socket(&self, name: &str) -> Option<Socket> {
        let path = fs::canonicalize(self.root.join("block").join(name)).ok()?;
        let place = DevicePlace::of(&path, &self.real_root())?;
        let is_mmc = match &place.bus {
            Bus::Usb => false,
            Bus::Mmc(_) => true,
            Bus::Loop | Bus::Other(_) => return None,
        };
        let card = self.card(name);
        let from = place.usb_device.clone().or_else(|| place.mmc_host.clone())?;
        let devices = self.devices_above(&from);
        let product = devices.last().and_then(|device| device.product.as_deref());
        let stays = is_mmc || place.luns > 1 || card.is_none() || names_a_reader(product);
        let companion = place.usb_device.as_deref().and_then(|device| self.companion(device, &place.port));
        let chain = place.chain(self);
        Some(Socket {
            kernel_name: Some(name.to_owned()),
            card,
            bus: place.bus,
            devices,
            chain,
            stays,
            gives_cid: is_mmc,
            companion,
            port: place.port,
        })
    }

    fn devices_above(&self, from: &Path) -> Vec<UsbDevice> {
        let root = self.real_root();
        usb_directories(from, self).iter().filter_map(|directory| UsbDevice::read(directory, &root)).collect()
    }

    /// Follows the kernel's link between the two ports of a socket.
    fn companion(&self, device: &Path, port: &Port) -> Option<Companion> {
        let own = fs::canonicalize(device.join("port")).ok()?;
        let peer = fs::canonicalize(own.join("peer")).ok()?;
        // A device in one socket is on one of its two ports; if both have one, they are two sockets, or a hub.
        if peer.join("device").exists() {
            return None;
        }
        let (hub, other_hub) = (own.parent()?.parent()?, peer.parent()?.parent()?);
        let (_hub, number) = file_name(&peer)?.rsplit_once("-port")?;
        let root = self.real_root();
        let place = if is_root_hub(other_hub) {
            let ancestors: Vec<&Path> = above(other_hub, &root).collect();
            format!("{}-{number}", usb_root(&ancestors)?)
        } else {
            let ancestors: Vec<&Path> = above(other_hub, &root).collect();
            format!("{}.{number}", usb_chain(&ancestors)?)
        };
        let (_device, unit) = port.0.rsplit_once('/')?;
        let vendor = |hub: &Path| Directory(hub.to_owned()).text("idVendor");
        let told = |port: &Path| {
            let location = Directory(port.to_owned()).text("location");
            location.is_some_and(|location| location.trim_start_matches("0x").contains(|digit| digit != '0'))
        };
        // The halves of a USB 3 hub number their ports equally (USB 3.2, 10.3.3); root hubs need not.
        let known = if is_root_hub(other_hub) { told(&own) && told(&peer) } else { vendor(hub) == vendor(other_hub) };
        let chain = if is_root_hub(other_hub) { Chain::default() } else { chain(other_hub, self) };
        Some(Companion { port: Port(format!("{place}/{unit}")), chain, known })
    }
}

/// Controller and generation of a root hub: `pci-0000:00:14.0/usb2`.
fn usb_root(ancestors: &[&Path]) -> Option<String> {
    let root_hub = ancestors.first()?;
    let controller = super::sysfs::controller(root_hub.parent()?)?;
    let generation = Directory((*root_hub).to_owned()).text("version")?.chars().next()?;
    Some(format!("{controller}/usb{generation}"))
}

const USB: &str = "bus/usb/devices";
const MMC_HOSTS: &str = "class/mmc_host";

/// The names in a directory; none if it does not exist or cannot be read.
fn names_if_any(directory: &Path) -> Vec<String> {
    sysfs::names_in(directory).unwrap_or_default()
}

/// Numbers by their value: port 10 comes after port 9.
fn in_order(port: &Port) -> Vec<(String, u64)> {
    let (controller, mut rest) = port.0.split_once('/').unwrap_or((&port.0, ""));
    let mut parts = vec![(controller.to_owned(), 0)];
    while !rest.is_empty() {
        let word = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest[word..].find(|letter: char| !letter.is_ascii_digit()).map_or(rest.len(), |end| word + end);
        parts.push((rest[..word].to_owned(), rest[word..digits].parse().unwrap_or(0)));
        rest = &rest[digits..];
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::super::testing::FakeSysfs;
    use super::*;

    fn ports(sockets: &[Socket]) -> Vec<&str> {
        sockets.iter().map(|socket| socket.port.0.as_str()).collect()
    }

    #[test]
    fn empty_slots_of_readers_and_empty_sd_hosts_are_listed_and_a_radio_on_sdio_is_not() {
        let fake = FakeSysfs::new();
        fake.lun("sdb", "10", 0, 7);
        fake.lun("sdc", "10", 1, 8);
        fake.set("sdc", "size", "0");
        fake.stick("sdd", "9", 9);
        fake.mmc_host(3);
        fake.mmc("mmcblk4", 4, "SD", 10);
        fake.mmc_host(5);
        fake.device("pci0000:00/0000:00:07.0/mmc_host/mmc5/mmc5:0001", "mmc", &[("type", "SDIO")]);
        let sockets = fake.sysfs().sockets();
        assert_eq!(
            ports(&sockets),
            [
                "pci-0000:00:07.0/mmc-0",
                "pci-0000:00:07.0/mmc-1",
                "pci-0000:00:1c.0/usb3-9/lun-0",
                "pci-0000:00:1c.0/usb3-10/lun-0",
                "pci-0000:00:1c.0/usb3-10/lun-1"
            ]
        );
        assert_eq!(sockets.iter().map(|socket| socket.gives_cid).collect::<Vec<_>>(), [true, true, false, false, false]);
        assert_eq!(sockets.iter().map(|socket| socket.card.is_some()).collect::<Vec<_>>(), [false, true, true, true, false]);
        assert_eq!(sockets.iter().map(|socket| socket.stays).collect::<Vec<_>>(), [true, true, false, true, true], "a stick does not");
    }

    #[test]
    fn what_a_card_hangs_on_is_told_from_the_controller_down_and_never_at_a_glance() {
        let fake = FakeSysfs::new();
        fake.hub("3", "05e3", "0610");
        fake.stick("sdb", "3.1", 7);
        fake.mmc("mmcblk4", 4, "SD", 10);
        fake.driver("pci0000:00/0000:00:07.0", "sdhci-pci");
        let sysfs = fake.sysfs();
        assert_eq!(sysfs.card("sdb").expect("it is there").hangs_on.to_string(), "05e3:0610 > 0781:5581:4C53");
        assert_eq!(sysfs.card("mmcblk4").expect("it is there").hangs_on.to_string(), "sdhci-pci");
        assert_eq!(sysfs.glance("sdb").expect("it is there").hangs_on, Chain::default(), "a serial may have to be waited for");
        let cabling = sysfs.cabling().0;
        assert_eq!(cabling.get("pci-0000:00:1c.0/usb3-3").map(String::as_str), Some("05e3:0610"));
        assert_eq!(cabling.get("pci-0000:00:1c.0/usb3-3.1").map(String::as_str), Some("0781:5581:4C53"));
        assert_eq!(cabling.get("pci-0000:00:07.0/mmc-0").map(String::as_str), Some("sdhci-pci"));
    }

    #[test]
    fn where_one_of_two_sd_hosts_does_not_come_up_the_other_ones_chain_says_so() {
        let fake = FakeSysfs::new();
        fake.mmc_host(3);
        fake.mmc_host(4);
        fake.driver("pci0000:00/0000:00:07.0", "sdhci-pci");
        let chain = |fake: &FakeSysfs| fake.sysfs().cabling().0.get("pci-0000:00:07.0/mmc-0").cloned();
        assert_eq!(chain(&fake).as_deref(), Some("sdhci-pci (2 hosts)"));
        let one = FakeSysfs::new();
        one.mmc_host(4);
        one.driver("pci0000:00/0000:00:07.0", "sdhci-pci");
        let port = Port("pci-0000:00:07.0/mmc-0".to_owned());
        let compared = |taught: &str, is: &str| crate::station::cabling::compare(&port, &Chain::parse(taught), &Chain::parse(is)).is_ok();
        let (both, alone) = (chain(&fake).expect("it is there"), chain(&one).expect("it is there"));
        assert!(compared(&both, &both) && !compared(&both, &alone), "the place may be its neighbour's");
        assert!(compared("sdhci-pci", &both), "taught before hosts were counted");
    }

    #[test]
    fn a_device_that_was_plugged_anew_is_noticed_without_asking_it() {
        let fake = FakeSysfs::new();
        fake.hub("3", "05e3", "0610");
        let before = fake.sysfs().cabling_marks();
        assert_eq!(fake.sysfs().cabling_marks(), before);
        fake.device("pci0000:00/0000:00:1c.0/usb2/2-3", "usb", &[("devnum", "9")]);
        assert_ne!(fake.sysfs().cabling_marks(), before);
    }

    #[test]
    fn the_two_ports_of_a_socket_are_known_where_the_firmware_says_so_and_else_guessed() {
        let fake = FakeSysfs::new();
        fake.stick("sdb", "2", 7);
        fake.peers("2", "0x00000000");
        let companion = || fake.sysfs().sockets().remove(0).companion;
        let guessed = companion().expect("the kernel links them");
        assert_eq!((guessed.port.0.as_str(), guessed.known), ("pci-0000:00:1c.0/usb2-2/lun-0", false));
        fake.peers("2", "0x80000013");
        assert!(companion().expect("the kernel links them").known);
        fake.device("pci0000:00/0000:00:1c.0/usb1/1-0:1.0/usb1-port2/device", "", &[]);
        assert_eq!(companion(), None, "another device is on the other port: they are two sockets");
    }
}
