//! Fixed disks of the PC: virtio, plugged while it runs. The state of the station is on one.
//!
//! Owns the disks on the PCI bus. [`Medium`] owns their bytes.

use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::error::{Error, OrPanic, Result};
use crate::host;
use crate::medium::{Medium, Plan, medium_options};
use crate::qemu::Inner;
use crate::sync::lock;

/// How long the guest may take to see or to release a disk.
const SEEN: Duration = Duration::from_secs(60);

/// A disk to be plugged.
#[derive(Debug)]
#[must_use = "a disk does nothing until it is plugged"]
pub struct DiskBuilder {
    pc: Arc<Inner>,
    name: String,
    plan: Plan,
}

impl DiskBuilder {
    pub(crate) fn new(pc: &Arc<Inner>, name: &str) -> Self {
        Self { pc: Arc::clone(pc), name: name.to_owned(), plan: Plan::default() }
    }

    medium_options!();

    /// It refuses writes.
    pub fn read_only(mut self) -> Self {
        self.plan.read_only = true;
        self
    }

    /// Plugs it in and waits until the guest has it.
    ///
    /// # Panics
    /// If that does not happen.
    #[track_caller]
    pub fn plug(self) -> Disk {
        self.try_plug().or_panic()
    }

    pub(crate) fn try_plug(self) -> Result<Disk> {
        let (pc, link) = (Arc::clone(&self.pc), format!("/dev/disk/by-id/virtio-{}", self.name));
        let (medium, plugged) = self.try_insert()?;
        let test = format!("[ -b {link} ] && readlink -f {link}");
        let node = pc.wait_in_guest(&format!("the disk {link}"), &test, SEEN)?;
        Ok(Disk { pc, medium, node, plugged: Mutex::new(Some(plugged)) })
    }

    /// Plugs it in and waits for nothing: the PC may be off. Returns the names of the device and of its node.
    fn try_insert(self) -> Result<(Arc<Medium>, (String, String))> {
        let medium = self.plan.make()?;
        let block = self.pc.add_served_node(&medium)?;
        let device = self.pc.name("disk");
        // The serial is the name in the guest; the limit is twenty characters.
        let arguments = json!({
            "driver": "virtio-blk-pci", "id": device, "drive": block, "serial": self.name,
            "werror": "report", "rerror": "report",
        });
        if let Err(error) = self.pc.qmp.execute("device_add", arguments) {
            self.pc.remove_node(&block)?;
            return Err(error);
        }
        Ok((medium, (device, block)))
    }

    /// Makes it an empty ext4 and plugs it into a PC that is off. It stays there.
    pub(crate) fn try_insert_formatted(mut self) -> Result<Arc<Medium>> {
        let medium = std::mem::take(&mut self.plan).make()?;
        host::make_ext4(medium.path())?;
        self.plan.set_existing(&medium);
        self.try_insert().map(|(medium, _)| medium)
    }
}

/// A fixed disk. It stays plugged in when this is dropped.
#[derive(Debug)]
pub struct Disk {
    pc: Arc<Inner>,
    medium: Arc<Medium>,
    node: String,
    plugged: Mutex<Option<(String, String)>>,
}

impl Deref for Disk {
    type Target = Medium;

    fn deref(&self) -> &Medium {
        &self.medium
    }
}

impl Disk {
    /// Its memory, to plug it into another PC.
    #[must_use]
    pub fn medium(&self) -> &Arc<Medium> {
        &self.medium
    }

    /// Its node in the guest, such as /dev/vdb.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Unplugs it. The guest takes part in this, so it must not be frozen.
    ///
    /// # Panics
    /// If it is not plugged in.
    #[track_caller]
    pub fn pull(&self) {
        self.try_pull().or_panic();
    }

    pub(crate) fn try_pull(&self) -> Result<()> {
        let Some((device, block)) = lock(&self.plugged).take() else {
            return Err(Error::Impossible(format!("{} is not plugged in", self.node)));
        };
        self.pc.remove_device(&device)?;
        self.pc.remove_node(&block)
    }
}
