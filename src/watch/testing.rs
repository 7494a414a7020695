//! A fake sysfs for tests, with the structure of the kernel's.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::sysfs::Sysfs;

/// A directory that looks like `/sys`.
pub(crate) struct FakeSysfs {
    root: tempfile::TempDir,
}

/// A directory of a [`FakeSysfs`] that cannot be listed until it is given back; see [`FakeSysfs::hide`].
pub(crate) struct Hidden {
    there: PathBuf,
    away: PathBuf,
}

impl Hidden {
    pub(crate) fn give_back(self) {
        fs::remove_file(&self.there).expect("it is there");
        fs::rename(&self.away, &self.there).expect("it can be renamed");
    }
}

impl FakeSysfs {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(root.path().join("block")).expect("it can be written");
        Self { root }
    }

    pub(crate) fn sysfs(&self) -> Sysfs {
        Sysfs::at(self.root.path())
    }

    /// Replaces a directory by something that cannot be listed, as for a process without descriptors.
    pub(crate) fn hide(&self, directory: &str) -> Hidden {
        let there = self.root.path().join(directory);
        let away = there.with_extension("away");
        fs::rename(&there, &away).expect("it can be renamed");
        fs::write(&there, "").expect("it can be written");
        Hidden { there, away }
    }

    /// Makes a directory of attributes under `devices`, which belongs to `subsystem` if one is named.
    pub(crate) fn device(&self, path: &str, subsystem: &str, attributes: &[(&str, &str)]) -> PathBuf {
        let directory = self.root.path().join("devices").join(path);
        fs::create_dir_all(&directory).expect("it can be written");
        if !subsystem.is_empty() && !directory.join("subsystem").exists() {
            let target = self.root.path().join("bus").join(subsystem);
            fs::create_dir_all(&target).expect("it can be written");
            symlink(target, directory.join("subsystem")).expect("it can be written");
            let listed = self.root.path().join("bus").join(subsystem).join("devices");
            fs::create_dir_all(&listed).expect("it can be written");
            // Names are those of the kernel, and unique in a subsystem; if a test repeats one, the first counts.
            let _listed = symlink(&directory, listed.join(directory.file_name().expect("it has a name")));
        }
        for (name, value) in attributes {
            write(&directory, name, value);
        }
        directory
    }

    /// A disk under a device that [`device`](Self::device) made.
    pub(crate) fn disk(&self, parent: &str, name: &str, devnum: &str, diskseq: u64) {
        let attributes = [("dev", devnum), ("diskseq", &diskseq.to_string()), ("size", "131072"), ("ro", "0")];
        let directory = self.device(&format!("{parent}/block/{name}"), "block", &attributes);
        fs::create_dir_all(directory.join("queue")).expect("it can be written");
        fs::create_dir_all(directory.join("holders")).expect("it can be written");
        write(&directory, "queue/logical_block_size", "512");
        symlink(self.root.path().join("devices").join(parent), directory.join("device")).expect("it can be written");
        symlink(&directory, self.root.path().join("block").join(name)).expect("it can be written");
    }

    /// A USB stick in a chain of ports under a USB 3 root hub, as LUN 0.
    pub(crate) fn stick(&self, name: &str, chain: &str, diskseq: u64) {
        self.lun(name, chain, 0, diskseq);
    }

    /// One LUN of a USB reader.
    pub(crate) fn lun(&self, name: &str, chain: &str, lun: u32, diskseq: u64) {
        self.device("pci0000:00/0000:00:1c.0", "pci", &[]);
        self.device("pci0000:00/0000:00:1c.0/usb2", "usb", &[("version", " 3.00"), ("idVendor", "1d6b"), ("product", "xHCI")]);
        let usb = usb_path(chain);
        let strings = [
            ("idVendor", "0781"),
            ("idProduct", "5581"),
            ("speed", "5000"),
            ("manufacturer", "SanDisk"),
            ("product", "Ultra"),
            ("serial", "4C53"),
        ];
        self.device(&usb, "usb", &strings);
        let target = format!("{usb}/2-{chain}:1.0/host4/target4:0:0");
        let scsi = format!("{target}/4:0:0:{lun}");
        self.device(&scsi, "scsi", &[("vendor", "SanDisk "), ("model", "Ultra           ")]);
        let minor = 16 * name.bytes().map(u32::from).sum::<u32>();
        self.disk(&scsi, name, &format!("8:{minor}"), diskseq);
    }

    /// A hub in a chain of ports under the same root hub.
    pub(crate) fn hub(&self, chain: &str, vendor: &str, product: &str) {
        self.device("pci0000:00/0000:00:1c.0", "pci", &[]);
        self.device("pci0000:00/0000:00:1c.0/usb2", "usb", &[("version", " 3.00"), ("idVendor", "1d6b"), ("product", "xHCI")]);
        let attributes = [("idVendor", vendor), ("idProduct", product), ("bDeviceClass", "09"), ("devnum", "2"), ("speed", "5000")];
        self.device(&usb_path(chain), "usb", &attributes);
    }

    /// The kernel's link from a device's port under the USB 3 root hub to the same port under the USB 2 root hub, and the firmware's
    /// location of both.
    pub(crate) fn peers(&self, port: &str, location: &str) {
        let controller = "pci0000:00/0000:00:1c.0";
        self.device(&format!("{controller}/usb1"), "usb", &[("version", " 2.00"), ("idVendor", "1d6b")]);
        let own = self.device(&format!("{controller}/usb2/2-0:1.0/usb2-port{port}"), "", &[("location", location)]);
        let peer = self.device(&format!("{controller}/usb1/1-0:1.0/usb1-port{port}"), "", &[("location", location)]);
        let device = self.root.path().join("devices").join(format!("{controller}/usb2/2-{port}"));
        if !own.join("peer").exists() {
            symlink(peer, own.join("peer")).expect("it can be written");
            symlink(own, device.join("port")).expect("it can be written");
        }
    }

    /// The driver of a device.
    pub(crate) fn driver(&self, path: &str, driver: &str) {
        let target = self.root.path().join("bus/drivers").join(driver);
        fs::create_dir_all(&target).expect("it can be written");
        symlink(target, self.root.path().join("devices").join(path).join("driver")).expect("it can be written");
    }

    /// An MMC host without a card.
    pub(crate) fn mmc_host(&self, host: u32) {
        let controller = "pci0000:00/0000:00:07.0";
        self.device(controller, "pci", &[]);
        let directory = self.device(&format!("{controller}/mmc_host/mmc{host}"), "mmc_host", &[]);
        let class = self.root.path().join("class/mmc_host");
        fs::create_dir_all(&class).expect("it can be written");
        let link = class.join(format!("mmc{host}"));
        if !link.exists() {
            symlink(directory, link).expect("it can be written");
        }
    }

    /// A card of this kind (`SD`, `MMC`) in an MMC host.
    pub(crate) fn mmc(&self, name: &str, host: u32, kind: &str, diskseq: u64) {
        let controller = "pci0000:00/0000:00:07.0";
        self.device(controller, "pci", &[]);
        self.mmc_host(host);
        let card = format!("{controller}/mmc_host/mmc{host}/mmc{host}:4567");
        let attributes = [
            ("type", kind),
            ("cid", "035344534c31364780a1b2c3d4015b00"),
            ("name", "SL16G"),
            ("manfid", "0x000003"),
            ("oemid", "0x5344"),
            ("serial", "0xa1b2c3d4"),
            ("date", "11/2021"),
            ("hwrev", "0x8"),
            ("fwrev", "0x0"),
        ];
        self.device(&card, "mmc", &attributes);
        self.disk(&card, name, &format!("179:{}", host * 8), diskseq);
    }

    pub(crate) fn set(&self, name: &str, attribute: &str, value: &str) {
        write(&self.root.path().join("block").join(name), attribute, value);
    }

    pub(crate) fn get(&self, name: &str, attribute: &str) -> String {
        let path = self.root.path().join("block").join(name).join(attribute);
        fs::read_to_string(path).expect("it is there").trim().to_owned()
    }

    /// Adds partition 1 of a disk.
    pub(crate) fn partition(&self, name: &str, devnum: &str) {
        let directory = self.root.path().join("block").join(name).join(format!("{name}1"));
        fs::create_dir_all(directory.join("holders")).expect("it can be written");
        write(&directory, "partition", "1");
        write(&directory, "dev", devnum);
    }

    /// A virtual block device of the kernel, built on these disks.
    pub(crate) fn built(&self, name: &str, devnum: &str, on: &[&str]) {
        let directory = self.device(&format!("virtual/block/{name}"), "block", &[("dev", devnum)]);
        for inside in ["holders", "slaves"] {
            fs::create_dir_all(directory.join(inside)).expect("it can be written");
        }
        for disk in on {
            symlink(self.root.path().join("block").join(disk), directory.join("slaves").join(disk)).expect("it can be written");
            self.hold(disk, name);
        }
        symlink(&directory, self.root.path().join("block").join(name)).expect("it can be written");
    }

    /// An attribute in a directory below a disk's.
    pub(crate) fn file(&self, name: &str, attribute: &str, value: &str) {
        let directory = self.root.path().join("block").join(name);
        let path = directory.join(attribute);
        fs::create_dir_all(path.parent().expect("it is below the disk")).expect("it can be written");
        write(&directory, attribute, value);
    }

    /// Builds `holder` on a disk.
    pub(crate) fn hold(&self, name: &str, holder: &str) {
        fs::create_dir_all(self.root.path().join("block").join(name).join("holders").join(holder)).expect("it can be written");
    }

    pub(crate) fn remove(&self, name: &str) {
        let link = self.root.path().join("block").join(name);
        // Moved to another place: the number of its directory must not be reused, as in the kernel.
        let gone = self.root.path().join("gone");
        fs::create_dir_all(&gone).expect("it can be written");
        let count = fs::read_dir(&gone).expect("it is there").count();
        fs::rename(fs::canonicalize(&link).expect("it is there"), gone.join(count.to_string())).expect("it is there");
        fs::remove_file(link).expect("it is there");
    }

    /// How long a USB device in a chain of ports has been on its bus, in milliseconds.
    pub(crate) fn connected(&self, chain: &str, millis: u64) {
        let power = self.root.path().join("devices").join(usb_path(chain)).join("power");
        fs::create_dir_all(&power).expect("it can be written");
        write(&power, "connected_duration", &millis.to_string());
    }
}

/// A device lies below the hubs on which it hangs.
fn usb_path(chain: &str) -> String {
    let dots = chain.match_indices('.').map(|(place, _)| place).chain([chain.len()]);
    dots.fold("pci0000:00/0000:00:1c.0/usb2".to_owned(), |path, end| format!("{path}/2-{}", &chain[..end]))
}

fn write(directory: &Path, name: &str, value: &str) {
    fs::write(directory.join(name), format!("{value}\n")).expect("it can be written");
}
