//! USB sticks and hubs, plugged and pulled while the PC runs.
//!
//! Owns the devices in the ports. [`Medium`] owns their bytes.

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Error, OrPanic, Result};
use crate::machine::Machine;
use crate::medium::{Medium, Plan, medium_options};
use crate::qemu::Inner;
use crate::sync::lock;

/// How long the guest may take to notice that a stick is gone.
const SEEN: Duration = Duration::from_secs(60);

/// A stick that takes longer than this to answer is switched off before it is pulled; otherwise QEMU waits for it.
const SLOW: Duration = Duration::from_secs(1);

/// The kind of device that a stick claims to be.
#[derive(Clone, Debug)]
struct Shape {
    serial: String,
    removable: bool,
    /// Vendor and product of its SCSI inquiry.
    identity: Option<(String, String)>,
    logical_block: u32,
    uas: bool,
}

/// A stick to be plugged.
#[derive(Debug)]
#[must_use = "a stick does nothing until it is plugged"]
pub struct UsbBuilder {
    pc: Arc<Inner>,
    controller: u8,
    port: String,
    shape: Shape,
    plan: Plan,
}

impl UsbBuilder {
    pub(crate) fn new(pc: &Arc<Inner>, port: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        Self {
            pc: Arc::clone(pc),
            controller: 0,
            port: port.to_owned(),
            shape: Shape {
                serial: format!("STICK{:04}", NEXT.fetch_add(1, Ordering::Relaxed)),
                removable: true,
                identity: None,
                logical_block: 512,
                uas: false,
            },
            plan: Plan::default(),
        }
    }

    medium_options!();

    /// Its USB serial; the default is a unique one. Two sticks may share one.
    pub fn serial(mut self, serial: &str) -> Self {
        serial.clone_into(&mut self.shape.serial);
        self
    }

    /// On a controller other than the first.
    pub fn controller(mut self, controller: u8) -> Self {
        self.controller = controller;
        self
    }

    /// Its write protection is on.
    pub fn read_only(mut self) -> Self {
        self.plan.read_only = true;
        self
    }

    /// It claims to be a fixed disk, as many large sticks do.
    pub fn fixed(mut self) -> Self {
        self.shape.removable = false;
        self
    }

    /// Vendor (8 characters) and product (16 characters), instead of QEMU's.
    pub fn identity(mut self, vendor: &str, product: &str) -> Self {
        self.shape.identity = Some((vendor.to_owned(), product.to_owned()));
        self
    }

    /// Logical blocks of this size instead of 512 bytes.
    pub fn logical_block(mut self, bytes: u32) -> Self {
        self.shape.logical_block = bytes;
        self
    }

    /// It speaks UAS instead of bulk-only transport.
    pub fn uas(mut self) -> Self {
        self.shape.uas = true;
        self
    }

    /// Plugs it in. The guest sees it some 1.5 s later; see [`UsbStick::node`].
    ///
    /// # Panics
    /// If there is no such port, or it is taken.
    #[track_caller]
    pub fn plug(self) -> UsbStick {
        self.try_plug().or_panic()
    }

    fn try_plug(self) -> Result<UsbStick> {
        let stick = UsbStick {
            medium: self.plan.make()?,
            pc: self.pc,
            shape: self.shape,
            socket: Mutex::new(Socket { controller: self.controller, port: self.port, plugged: None }),
        };
        stick.try_plug()?;
        Ok(stick)
    }
}

#[derive(Debug)]
struct Plugged {
    device: String,
    node: String,
}

#[derive(Debug)]
struct Socket {
    controller: u8,
    port: String,
    plugged: Option<Plugged>,
}

impl Socket {
    fn place(&self) -> String {
        place(self.controller, &self.port)
    }
}

/// A port of a PC, distinguished from those of other controllers.
fn place(controller: u8, port: &str) -> String {
    format!("xhci{controller} {port}")
}

/// A USB stick. It stays plugged in when this is dropped.
#[derive(Debug)]
pub struct UsbStick {
    pc: Arc<Inner>,
    shape: Shape,
    medium: Arc<Medium>,
    socket: Mutex<Socket>,
}

impl Deref for UsbStick {
    type Target = Medium;

    fn deref(&self) -> &Medium {
        &self.medium
    }
}

impl UsbStick {
    /// Its memory, to plug it into another port or PC.
    #[must_use]
    pub fn medium(&self) -> &Arc<Medium> {
        &self.medium
    }

    /// The USB serial number of the stick.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.shape.serial
    }

    /// Pulls it out, even if it is busy. Returns when it is out; the guest notices within half a second.
    ///
    /// # Panics
    /// If it is not plugged in.
    #[track_caller]
    pub fn pull(&self) {
        self.try_pull().or_panic();
    }

    fn try_pull(&self) -> Result<()> {
        let (plugged, place) = {
            let mut socket = lock(&self.socket);
            (socket.plugged.take(), socket.place())
        };
        let Some(Plugged { device, node }) = plugged else {
            return Err(Error::Impossible(format!("{} is not plugged in", self.shape.serial)));
        };
        // QEMU cancels the requests under way and waits for them with its global lock held: a silent card would freeze the PC.
        let silent = self.medium.faults(|faults| faults.hang || faults.flushes_hang || faults.delay > SLOW)
            || self.medium.export().stopped().is_some();
        if silent {
            self.medium.export().power_off();
        }
        if self.shape.scsi() {
            // A UAS device that is removed under load breaks an assertion of QEMU; one that was detached first does not.
            let path = format!("/machine/peripheral/{device}");
            match self.pc.qmp.execute("qom-set", json!({ "path": path, "property": "attached", "value": false })) {
                // It was removed with its hub.
                Err(Error::Refused { answer, .. }) if answer.contains("not found") => {}
                other => drop(other?),
            }
        }
        self.pc.remove_device(&device)?;
        self.pc.hand.pulls(&place);
        self.pc.remove_node(&node)
    }

    /// Plugs it into the same port again, at the earliest four seconds after the last device was pulled: no hand is faster.
    ///
    /// # Panics
    /// If it is plugged in, or the port is taken.
    #[track_caller]
    pub fn plug(&self) {
        self.try_plug().or_panic();
    }

    /// Plugs it into another port of the same controller.
    ///
    /// # Panics
    /// If it is plugged in, or there is no such port, or it is taken.
    #[track_caller]
    pub fn plug_into(&self, port: &str) {
        port.clone_into(&mut lock(&self.socket).port);
        self.try_plug().or_panic();
    }

    /// The same as fast as two hands: one pulls the device in the port, the other one has this stick ready.
    ///
    /// # Panics
    /// If it is plugged in, or there is no such port, or it is taken.
    #[track_caller]
    pub fn plug_at_once_into(&self, port: &str) {
        port.clone_into(&mut lock(&self.socket).port);
        self.pc.hand.gives_way(&lock(&self.socket).place());
        self.try_plug().or_panic();
    }

    fn try_plug(&self) -> Result<()> {
        let mut socket = lock(&self.socket);
        self.pc.hand.plugs(&socket.place());
        if socket.plugged.is_some() {
            return Err(Error::Impossible(format!("{} is plugged in already", self.shape.serial)));
        }
        let node = self.pc.add_served_node(&self.medium)?;
        let device = self.pc.name("usb");
        if let Err(error) = self.shape.add(&self.pc, &device, &node, &socket) {
            self.pc.remove_node(&node)?;
            return Err(error);
        }
        socket.plugged = Some(Plugged { device, node });
        Ok(())
    }

    /// Waits until the guest has seen the stick and udev is done with it, and returns its node, such as /dev/sda.
    ///
    /// # Panics
    /// If that does not happen.
    #[track_caller]
    #[must_use]
    pub fn node(&self) -> String {
        let link = self.by_path();
        let plug = lock(&self.socket).plugged.as_ref().map(|plugged| plugged.device.clone());
        let Some(plug) = plug else {
            return Err(Error::Impossible(format!("{} is not plugged in", self.shape.serial))).or_panic();
        };
        self.pc.wait_disk(&link, &plug, &format!("readlink -e {link}")).or_panic()
    }

    /// Waits until the guest has no disk at its port any more.
    ///
    /// # Panics
    /// If that does not happen.
    #[track_caller]
    pub fn wait_gone(&self) {
        let link = self.by_path();
        self.pc.wait_in_guest(&format!("no disk at {link}"), &format!("[ ! -e {link} ]"), SEEN).or_panic();
    }

    /// The name of the stick in udev, by its port.
    #[must_use]
    pub fn by_path(&self) -> String {
        let socket = lock(&self.socket);
        let controller = Machine::usb_address(socket.controller);
        format!("/dev/disk/by-path/pci-{controller}-usb-0:{}:1.0-scsi-0:0:0:0", socket.port)
    }
}

impl Shape {
    /// Does it need a USB-to-SCSI bridge with a disk behind it? QEMU's simple stick cannot vary these.
    fn scsi(&self) -> bool {
        self.uas || self.identity.is_some() || self.logical_block != 512
    }

    fn add(&self, pc: &Inner, device: &str, node: &str, socket: &Socket) -> Result<()> {
        let bus = format!("xhci{}.0", socket.controller);
        if !self.scsi() {
            // Errors are reported to the guest. QEMU's default would stop the PC if space is missing.
            let arguments = json!({
                "driver": "usb-storage", "id": device, "drive": node, "bus": bus, "port": socket.port,
                "serial": self.serial, "removable": self.removable, "werror": "report", "rerror": "report",
            });
            return pc.qmp.execute("device_add", arguments).map(drop);
        }
        let driver = if self.uas { "usb-uas" } else { "usb-bot" };
        pc.qmp.execute("device_add", json!({ "driver": driver, "id": device, "bus": bus, "port": socket.port, "serial": self.serial }))?;
        let mut disk = json!({
            "driver": "scsi-hd", "id": format!("{device}-disk"), "drive": node, "bus": format!("{device}.0"), "lun": 0,
            "removable": self.removable, "serial": self.serial, "werror": "report", "rerror": "report",
            "logical_block_size": self.logical_block, "physical_block_size": self.logical_block,
        });
        if let Some((vendor, product)) = &self.identity {
            disk["vendor"] = Value::from(vendor.as_str());
            disk["product"] = Value::from(product.as_str());
        }
        pc.qmp.execute("device_add", disk)?;
        // Only now does the bridge appear on the bus.
        let path = format!("/machine/peripheral/{device}");
        pc.qmp.execute("qom-set", json!({ "path": path, "property": "attached", "value": true })).map(drop)
    }
}

/// A hub of eight ports: in port "3", its ports are "3.1" to "3.8".
#[derive(Debug)]
pub struct Hub {
    pc: Arc<Inner>,
    device: String,
    serial: String,
}

impl Hub {
    pub(crate) fn plug(pc: &Arc<Inner>, port: &str) -> Result<Self> {
        let serial = pc.name("HUB");
        Self::plug_as(pc, port, serial)
    }

    fn plug_as(pc: &Arc<Inner>, port: &str, serial: String) -> Result<Self> {
        let device = pc.name("hub");
        // Without a serial, QEMU makes one from the port, and the same hub in another port would be a different hub.
        let arguments = json!({ "driver": "usb-hub", "id": device, "bus": "xhci0.0", "port": port, "ports": 8, "serial": serial });
        pc.qmp.execute("device_add", arguments)?;
        pc.hand.plugs_hub(&place(0, port));
        Ok(Self { pc: Arc::clone(pc), device, serial })
    }

    /// The USB serial number of the hub.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Pulls the hub with all that is plugged into it, as [`pull`](Self::pull) does, and plugs it into another port, empty.
    ///
    /// # Panics
    /// If there is no such port, or it is taken.
    #[track_caller]
    #[must_use]
    pub fn move_to(self, port: &str) -> Self {
        let (pc, serial) = (Arc::clone(&self.pc), self.serial.clone());
        self.pull();
        Self::plug_as(&pc, port, serial).or_panic()
    }

    /// Pulls the hub, and all that is plugged into it. Each of its sticks must still be pulled before it is used again.
    ///
    /// # Panics
    /// If QEMU cannot.
    #[track_caller]
    pub fn pull(self) {
        self.pc.remove_device(&self.device).or_panic();
    }
}
