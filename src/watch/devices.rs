//! USB devices and MMC hosts: since when they exist, and whether a card came together with its device.
//!
//! The number of its directory in sysfs distinguishes a device from the next: the kernel gives each number once in a boot (kernel,
//! `fs/kernfs/dir.c`, `__kernfs_new_node`). The `devnum` of a USB device is not suitable: a device that loses its driver and gets it back
//! keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::station::port::Port;

/// A reader may report "no medium" for a moment before it has found the card that was in it all the time.
const MEDIUM_SHOWS_WITHIN: Duration = Duration::from_secs(3);

/// A USB device that has been on its bus for less time may have become a disk only a moment ago: its driver waits before it looks
/// (kernel, `usb-storage.delay_use`), and the disk asks its medium again and again while that starts.
const DISK_SHOWS_WITHIN: Duration = Duration::from_secs(60);

/// A PC that has been up for less time may still be starting its SD hosts, for which the kernel gives no time of appearance.
const BOOTS_WITHIN: Duration = Duration::from_secs(20);

/// The number of a directory in sysfs: that of a USB device or of an MMC host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DeviceId(pub(super) u64);

/// A disk of the PC, with a medium or without.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub(super) id: DeviceId,
    pub(super) port: Port,
    /// The device of its medium: itself, or the MMC host.
    pub(super) device: DeviceId,
    /// It is one of several slots of a reader: without a medium it is likely to be empty, and not slow.
    pub(super) has_siblings: bool,
}

#[derive(Clone, Copy, Debug)]
struct There {
    /// When it was seen first; `None` if it was there at the first look.
    appeared: Option<Instant>,
    /// Its place was empty before.
    is_first: bool,
}

/// Every device on a bus, and since when it exists.
#[derive(Debug)]
pub(super) struct Devices {
    /// The time from which devices count as new: the first look may come later, on a busy PC.
    began: Instant,
    /// The time of the first look.
    first_look: Option<Instant>,
    /// The uptime of the PC at that time.
    uptime: Duration,
    there: BTreeMap<DeviceId, There>,
    places: BTreeSet<Port>,
}

/// A card that came together with its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// How long the device has been on its bus.
    pub(super) connected: Duration,
    /// It was on the bus before the station watched, although it is seen only now.
    pub(super) was_there_before: bool,
}

impl Devices {
    /// `uptime`: the uptime of the PC when the station `began` to watch.
    pub(super) fn new(uptime: Duration, began: Instant) -> Self {
        Self { began, first_look: None, uptime, there: BTreeMap::new(), places: BTreeSet::new() }
    }

    /// Updates the present devices and their places.
    pub(super) fn note(&mut self, now: Instant, there: &BTreeMap<DeviceId, Port>) {
        let appeared = self.first_look.map(|_| now);
        self.first_look.get_or_insert(now);
        self.there.retain(|id, _| there.contains_key(id));
        for (id, port) in there {
            let is_first = self.places.insert(port.clone());
            self.there.entry(*id).or_insert(There { appeared, is_first });
        }
    }

    /// Does this same device still exist?
    pub(super) fn is_there(&self, id: DeviceId) -> bool {
        self.there.contains_key(&id)
    }

    /// A card is seen for the first time, in this disk, whose device has been `connected` to USB for this time. `None` if the device was there
    /// without it: then a hand put it in.
    pub(super) fn arrival(&self, now: Instant, disk: &Disk, connected: Option<Duration>) -> Option<Arrival> {
        let there = self.there.get(&disk.device)?;
        let looking = now.saturating_duration_since(self.began);
        let since_first_look = self.first_look.map_or(Duration::ZERO, |first| now.saturating_duration_since(first));
        // How long the device could have shown a medium.
        let known_for = match (there.appeared, connected) {
            (Some(appeared), _) => now.saturating_duration_since(appeared),
            // It has been a disk for a shorter time than this, but since the first look at least.
            (None, Some(connected)) if connected < DISK_SHOWS_WITHIN && !disk.has_siblings => since_first_look,
            (None, Some(connected)) => connected,
            (None, None) if self.uptime < BOOTS_WITHIN => since_first_look,
            (None, None) => return None,
        };
        if known_for > MEDIUM_SHOWS_WITHIN {
            return None;
        }
        // A host of the PC itself was built in before, however late it starts.
        let was_there_before = there.is_first && connected.is_none_or(|connected| connected >= looking);
        Some(Arrival { connected: connected.unwrap_or(known_for), was_there_before })
    }
}
