//! Card readers with several slots behind one USB plug, as factories use them.
//!
//! Owns the reader, which is a USB gadget of the guest's own kernel plugged into a virtual host controller: media can come and go in it, it
//! can hang, and it can have the identity of a real reader.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::disk::{Disk, DiskBuilder};
use crate::error::{Error, OrPanic, Result};
use crate::medium::{Medium, Plan, medium_options};
use crate::qemu::Inner;

/// How long the guest may take to see a slot, or a card in it.
const SEEN: Duration = Duration::from_secs(60);

/// A reader to be plugged.
#[derive(Debug)]
#[must_use = "a reader does nothing until it is plugged"]
pub struct ReaderBuilder {
    pc: Arc<Inner>,
    serial: String,
    slots: u8,
    ids: (u16, u16),
}

/// Virtual ports for readers in a guest.
const PORTS: u8 = 4;

impl ReaderBuilder {
    pub(crate) fn new(pc: &Arc<Inner>, serial: &str) -> Self {
        // A chip found in most readers.
        Self { pc: Arc::clone(pc), serial: serial.to_owned(), slots: 4, ids: (0x05e3, 0x0749) }
    }

    /// Slots, at most 8; the default is 4.
    pub fn slots(mut self, slots: u8) -> Self {
        self.slots = slots;
        self
    }

    /// USB vendor and product.
    pub fn ids(mut self, vendor: u16, product: u16) -> Self {
        self.ids = (vendor, product);
        self
    }

    /// Plugs it in, with all slots empty, and waits until the guest has a disk for each.
    ///
    /// # Panics
    /// If that does not happen: there are four ports for readers, and none may be plugged twice.
    #[track_caller]
    pub fn plug(self) -> Reader {
        self.try_plug().or_panic()
    }

    fn try_plug(self) -> Result<Reader> {
        let gadget = self.pc.name("reader");
        let (vendor, product) = self.ids;
        let script = format!(
            "set -e
modprobe dummy_hcd num={PORTS} is_super_speed=1
modprobe -a libcomposite usb_f_mass_storage
for port in /sys/class/udc/dummy_udc.*; do
	[ -n \"$(cat $port/function)\" ] || break
done
port=${{port##*/}}
cd /sys/kernel/config/usb_gadget
mkdir {gadget}
cd {gadget}
echo {vendor:#06x} >idVendor
echo {product:#06x} >idProduct
echo 0x0200 >bcdUSB
mkdir strings/0x409 configs/c.1 functions/mass_storage.0
echo '{serial}' >strings/0x409/serialnumber
echo Generic >strings/0x409/manufacturer
echo 'USB3.0 Card Reader' >strings/0x409/product
for slot in $(seq 0 {last_slot}); do
	[ $slot = 0 ] || mkdir functions/mass_storage.0/lun.$slot
	echo 1 >functions/mass_storage.0/lun.$slot/removable
	printf '%-8s%-16s%04d' Generic 'STORAGE DEVICE' $slot >functions/mass_storage.0/lun.$slot/inquiry_string
done
ln -s functions/mass_storage.0 configs/c.1/
echo $port >UDC
echo $port",
            serial = self.serial,
            last_slot = self.slots.saturating_sub(1),
        );
        let port = self.pc.run(&script, SEEN)?.stdout.trim_end().to_owned();
        let reader = Reader { pc: self.pc, gadget, port, slots: self.slots };
        reader.wait_plugged()?;
        Ok(reader)
    }
}

/// A reader with several slots. It stays plugged in when this is dropped.
#[derive(Debug)]
pub struct Reader {
    pc: Arc<Inner>,
    gadget: String,
    port: String,
    slots: u8,
}

impl Reader {
    /// A card to be put into a slot, counted from 0.
    pub fn card(&self, slot: u8) -> ReaderCardBuilder<'_> {
        ReaderCardBuilder { reader: self, slot, write_protected: false, plan: Plan::default() }
    }

    /// The disk of a slot, such as /dev/sdc, with a card in it or without.
    ///
    /// # Panics
    /// If the reader is not plugged in.
    #[track_caller]
    #[must_use]
    pub fn node(&self, slot: u8) -> String {
        self.try_node(slot).or_panic()
    }

    /// The name of a slot in udev, by its place.
    #[must_use]
    pub fn by_path(&self, slot: u8) -> String {
        format!("/dev/disk/by-path/platform-{hcd}-usb-0:1:1.0-scsi-0:0:0:{slot}", hcd = self.hcd())
    }

    /// The virtual controller that it is plugged into.
    fn hcd(&self) -> String {
        self.port.replace("dummy_udc", "dummy_hcd")
    }

    fn try_node(&self, slot: u8) -> Result<String> {
        let link = self.by_path(slot);
        let test = format!("[ -b {link} ] && readlink -f {link}");
        self.pc.wait_in_guest(&format!("the slot {link}"), &test, SEEN)
    }

    fn wait_plugged(&self) -> Result<()> {
        (0..self.slots).try_for_each(|slot| self.try_node(slot).map(drop))
    }

    fn gadget(&self) -> String {
        format!("/sys/kernel/config/usb_gadget/{}", self.gadget)
    }

    fn lun(&self, slot: u8) -> String {
        format!("{}/functions/mass_storage.0/lun.{slot}", self.gadget())
    }

    /// Pulls the reader, with the cards in it.
    ///
    /// # Panics
    /// If it is not plugged in.
    #[track_caller]
    pub fn pull(&self) {
        // The guest's port is unbound first, as if the reader were gone: requests to a reader that is being unbound would be freed while
        // the virtual controller holds them, and then the guest's kernel crashes in its list of requests.
        let unplug = format!(
            "set -e
port=$(readlink -f /sys/devices/platform/{hcd}/usb*/*-1/port)
echo 1 >$port/disable
echo >{gadget}/UDC
echo 0 >$port/disable",
            hcd = self.hcd(),
            gadget = self.gadget(),
        );
        self.pc.run(&unplug, SEEN).or_panic();
        self.pc.hand.pulls(&self.port);
    }

    /// Plugs it in again, at the earliest four seconds after it was pulled, with the cards in it, and waits until the guest has a disk for
    /// each slot.
    ///
    /// # Panics
    /// If that does not happen.
    #[track_caller]
    pub fn plug(&self) {
        self.pc.hand.plugs(&self.port);
        self.pc.run(&format!("echo {} >{}/UDC", self.port, self.gadget()), SEEN).and_then(|_| self.wait_plugged()).or_panic();
    }
}

/// A card to be put into a slot of a reader.
#[derive(Debug)]
#[must_use = "a card does nothing until it is inserted"]
pub struct ReaderCardBuilder<'a> {
    reader: &'a Reader,
    slot: u8,
    write_protected: bool,
    plan: Plan,
}

impl ReaderCardBuilder<'_> {
    medium_options!();

    /// Its write-protect switch is at LOCK.
    pub fn write_protected(mut self) -> Self {
        self.write_protected = true;
        self
    }

    /// Puts it in. The guest notices within two seconds, when it next polls.
    ///
    /// # Panics
    /// If there is no such slot, or it is taken.
    #[track_caller]
    pub fn insert(self) -> ReaderCard {
        self.try_insert().or_panic()
    }

    fn try_insert(self) -> Result<ReaderCard> {
        let reader = self.reader;
        if self.slot >= reader.slots {
            return Err(Error::Impossible(format!("this reader has no slot {}", self.slot)));
        }
        let medium = self.plan.make()?;
        // The card's memory is a disk of the PC, so that the host owns its bytes and its faults.
        let name = reader.pc.name("inreader");
        let disk = DiskBuilder::new(&reader.pc, &name).medium(&medium).try_plug()?;
        let card = ReaderCard { pc: Arc::clone(&reader.pc), lun: reader.lun(self.slot), write_protected: self.write_protected, disk };
        card.try_insert()?;
        Ok(card)
    }
}

/// A card in a reader. It stays there when this is dropped.
#[derive(Debug)]
pub struct ReaderCard {
    pc: Arc<Inner>,
    lun: String,
    write_protected: bool,
    disk: Disk,
}

impl Deref for ReaderCard {
    type Target = Medium;

    fn deref(&self) -> &Medium {
        &self.disk
    }
}

impl ReaderCard {
    /// Takes it out, even if it is busy.
    ///
    /// # Panics
    /// If it is not inserted.
    #[track_caller]
    pub fn eject(&self) {
        self.pc.run(&format!("echo 1 >{}/forced_eject", self.lun), SEEN).or_panic();
    }

    /// Puts it into the same slot again.
    ///
    /// # Panics
    /// If the slot is taken.
    #[track_caller]
    pub fn insert(&self) {
        self.try_insert().or_panic();
    }

    fn try_insert(&self) -> Result<()> {
        let protected = u8::from(self.write_protected);
        let script = format!(
            "[ -z \"$(cat {lun}/file)\" ] && echo {protected} >{lun}/ro && echo {node} >{lun}/file",
            lun = self.lun,
            node = self.disk.node(),
        );
        self.pc.run(&script, SEEN).map(drop)
    }

    /// Brings the guest's writes to the host: the reader keeps them in the guest's memory and sends them late.
    ///
    /// # Panics
    /// If the guest does not answer.
    #[track_caller]
    pub fn settle(&self) {
        self.pc.run(&format!("sync; blockdev --flushbufs {}", self.disk.node()), SEEN).or_panic();
    }
}
