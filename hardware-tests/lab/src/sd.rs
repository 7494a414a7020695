//! SD cards in the PC's own SD slots.
//!
//! Owns the cards in the slots. [`Medium`] owns their bytes. Every card has the same CID, because QEMU's cannot be varied.

use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::error::{Error, OrPanic, Result};
use crate::machine::Machine;
use crate::medium::{Medium, Plan, medium_options};
use crate::qemu::Inner;
use crate::sync::lock;

/// How long the guest may take to notice that a card is gone.
const SEEN: Duration = Duration::from_secs(60);

/// A slot must be empty this long: the guest's kernel does not notice a faster swap at all.
const EMPTY: Duration = Duration::from_millis(150);

/// An SD card to be inserted.
#[derive(Debug)]
#[must_use = "a card does nothing until it is inserted"]
pub struct SdBuilder {
    pc: Arc<Inner>,
    slot: u8,
    served: bool,
    plan: Plan,
}

impl SdBuilder {
    pub(crate) fn new(pc: &Arc<Inner>, slot: u8) -> Self {
        Self { pc: Arc::clone(pc), slot, served: false, plan: Plan::default() }
    }

    medium_options!();

    /// On the fault server, at half the speed: its requests are counted, and bits can be flipped and writes lost. QEMU's SD card does not
    /// report I/O errors to the guest, and one that hangs freezes the PC.
    pub fn faulty(mut self) -> Self {
        self.served = true;
        self
    }

    /// Inserts it. The guest sees it some 0.4 s later; see [`SdCard::node`].
    ///
    /// # Panics
    /// If there is no such slot, or it is taken, or the size is no power of two.
    #[track_caller]
    pub fn insert(self) -> SdCard {
        self.try_insert().or_panic()
    }

    fn try_insert(self) -> Result<SdCard> {
        let medium = self.plan.make()?;
        if !medium.size().is_power_of_two() {
            return Err(Error::Impossible(format!("an SD card of {} bytes: no power of two", medium.size())));
        }
        let card = SdCard { pc: self.pc, slot: self.slot, served: self.served, medium, node: Mutex::default() };
        card.try_insert()?;
        Ok(card)
    }
}

/// An SD card. It stays where it is when this is dropped.
#[derive(Debug)]
pub struct SdCard {
    pc: Arc<Inner>,
    slot: u8,
    served: bool,
    medium: Arc<Medium>,
    node: Mutex<Option<String>>,
}

impl Deref for SdCard {
    type Target = Medium;

    fn deref(&self) -> &Medium {
        &self.medium
    }
}

impl SdCard {
    /// Its memory, to put it into another slot or PC.
    #[must_use]
    pub fn medium(&self) -> &Arc<Medium> {
        &self.medium
    }

    /// Takes it out, even if it is busy.
    ///
    /// # Panics
    /// If it is not inserted.
    #[track_caller]
    pub fn eject(&self) {
        self.try_eject().or_panic();
    }

    fn try_eject(&self) -> Result<()> {
        let Some(node) = lock(&self.node).take() else {
            return Err(Error::Impossible(format!("the card of SD slot {} is not inserted", self.slot)));
        };
        self.pc.qmp.execute("blockdev-remove-medium", json!({ "id": self.device() }))?;
        if let Some(slot) = self.pc.sd_slots.get(usize::from(self.slot)) {
            *lock(slot) = Some(Instant::now());
        }
        self.pc.remove_node(&node)
    }

    /// Inserts it into the same slot again.
    ///
    /// # Panics
    /// If it is inserted, or the slot is taken.
    #[track_caller]
    pub fn insert(&self) {
        self.try_insert().or_panic();
    }

    fn try_insert(&self) -> Result<()> {
        let mut held = lock(&self.node);
        let Some(slot) = self.pc.sd_slots.get(usize::from(self.slot)) else {
            return Err(Error::Impossible(format!("this PC has no SD slot {}", self.slot)));
        };
        if held.is_some() {
            return Err(Error::Impossible(format!("the card of SD slot {} is inserted already", self.slot)));
        }
        if let Some(left) = lock(slot).and_then(|since| EMPTY.checked_sub(since.elapsed())) {
            thread::sleep(left);
        }
        let node = if self.served { self.pc.add_served_node(&self.medium)? } else { self.pc.add_file_node(&self.medium)? };
        let arguments = json!({ "id": self.device(), "node-name": node });
        if let Err(error) = self.pc.qmp.execute("blockdev-insert-medium", arguments) {
            self.pc.remove_node(&node)?;
            return Err(error);
        }
        *held = Some(node);
        Ok(())
    }

    fn device(&self) -> String {
        format!("sdcard{}", self.slot)
    }

    fn pattern(&self) -> String {
        format!("/sys/bus/pci/devices/{}/mmc_host/mmc*/mmc*:*/block/mmcblk*", Machine::sd_address(self.slot))
    }

    /// Waits until the guest has seen the card and udev is done with it, and returns its node, such as /dev/mmcblk0.
    ///
    /// # Panics
    /// If that does not happen.
    #[track_caller]
    #[must_use]
    pub fn node(&self) -> String {
        let Some(plug) = lock(&self.node).clone() else {
            return Err(Error::Impossible(format!("the card of SD slot {} is not inserted", self.slot))).or_panic();
        };
        let find = format!("set -- {}; echo \"/dev/${{1##*/}}\"", self.pattern());
        self.pc.wait_disk(&format!("SD slot {}", self.slot), &plug, &find).or_panic()
    }

    /// Waits until the guest has no disk in its slot any more.
    ///
    /// # Panics
    /// If that does not happen.
    #[track_caller]
    pub fn wait_gone(&self) {
        let test = format!("(set -- {}; [ ! -e $1 ])", self.pattern());
        self.pc.wait_in_guest(&format!("no disk in SD slot {}", self.slot), &test, SEEN).or_panic();
    }
}
