//! Compares the last report to the station with the present state.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::RECONCILE;
use super::devices::{DeviceId, Devices, Disk};
use super::polls::MediaPolls;
use super::sysfs::Sysfs;
use crate::station::card::{Card, Visit};
use crate::station::port::Port;
use crate::station::{Before, Event, RETURNS_WITHIN};

/// Devices that were in the PC while it slept are all back within this time, or never: readers start anew.
const WAKES_WITHIN: Duration = Duration::from_secs(10);

/// A stick or reader that leaves the bus may show no medium before it stops being a disk: for as long as it may be away and still have come
/// back by itself, and until the next look. A hand that took a card out a moment before its reader reset itself looks the same: then the
/// next card is held, because holding one costs a hand's work, and erasing one costs its contents.
const LEAVES_WITHIN: Duration = RETURNS_WITHIN.saturating_add(RECONCILE);

/// A card that was reported.
#[derive(Debug)]
struct Reported {
    card: Card,
    device: DeviceId,
}

/// The last report to the station.
#[derive(Debug)]
pub(super) struct Seen {
    ports: BTreeSet<Port>,
    /// Ports that were not watched before: cards that are in them now were there before the station watched them.
    new_ports: BTreeSet<Port>,
    visits: BTreeMap<Visit, Reported>,
    /// Visits that ended while their devices were still there, with the time: these may be leaving.
    ending: BTreeMap<Visit, (DeviceId, Instant)>,
    tell_all: bool,
    /// Every disk, by name.
    disks: BTreeMap<String, Disk>,
    devices: Devices,
    polls: MediaPolls,
    /// When the PC last woke up.
    woke: Option<Instant>,
    /// It woke up since the last look.
    just_woke: bool,
    /// The last look failed, and that was reported.
    is_blind: bool,
}

impl Seen {
    /// `uptime`: the uptime of the PC when the station `began` to watch.
    pub(super) fn new(uptime: Duration, began: Instant) -> Self {
        Self {
            ports: BTreeSet::new(),
            new_ports: BTreeSet::new(),
            visits: BTreeMap::new(),
            ending: BTreeMap::new(),
            tell_all: false,
            disks: BTreeMap::new(),
            devices: Devices::new(uptime, began),
            polls: MediaPolls::default(),
            woke: None,
            just_woke: false,
            is_blind: false,
        }
    }

    pub(super) fn set_ports(&mut self, ports: BTreeSet<Port>) {
        // Those that were not read yet stay new.
        let added = ports.difference(&self.ports).cloned();
        self.new_ports = self.new_ports.intersection(&ports).cloned().chain(added).collect();
        self.ports = ports;
        self.tell_all = true;
    }

    /// The PC slept. A card that was changed in a reader meanwhile may show no sign of it: every card counts as another one.
    pub(super) fn woke(&mut self, now: Instant) {
        (self.woke, self.just_woke) = (Some(now), true);
    }

    /// Compares with the present state. Removals are reported before arrivals. Reads nothing that waits for a device.
    pub(super) fn look(&mut self, sysfs: &Sysfs, clock: impl Fn() -> Instant) -> Vec<Event> {
        let now = clock();
        let looked = sysfs.visits().and_then(|visits| Ok((visits, sysfs.disk_names()?, sysfs.mmc_host_ids()?)));
        let (present, names, hosts) = match looked {
            Ok(there) => there,
            Err(error) => {
                // A card has not left only because this process cannot look.
                if !self.is_blind {
                    tracing::error!(%error, "the disks of this PC cannot be read: the cards in the slots count as unchanged");
                }
                self.is_blind = true;
                return Vec::new();
            }
        };
        self.is_blind = false;
        self.note_devices(sysfs, names, hosts, now);
        let mut events: Vec<Event> = Vec::new();
        let just_woke = std::mem::take(&mut self.just_woke);
        let is_waking = self.woke.is_some_and(|woke| now.saturating_duration_since(woke) < WAKES_WITHIN);
        self.ending.retain(|visit, (device, since)| {
            let left = !self.devices.is_there(*device);
            if left {
                tracing::debug!(diskseq = visit.diskseq, "the device of a card that left has left, too");
                events.push(Event::Gone { visit: *visit, with_device: true });
            }
            !left && now.saturating_duration_since(*since) < LEAVES_WITHIN
        });
        self.visits.retain(|visit, Reported { card, device }| {
            let stays = present.contains_key(visit) && !just_woke;
            if !stays {
                let device_left = !self.devices.is_there(*device);
                tracing::debug!(diskseq = visit.diskseq, device_left, "card gone");
                // The slot that has its port now has to know what left: it may come back by itself.
                if self.tell_all && self.ports.contains(&card.port) {
                    events.push(Event::Seen { card: Box::new(card.clone()), before: Some(Before::Start), with_device: None });
                }
                events.push(Event::Gone { visit: *visit, with_device: !just_woke && device_left });
                if !just_woke && !device_left {
                    self.ending.insert(*visit, (*device, now));
                }
            }
            stays
        });
        let mut unread = BTreeSet::new();
        for (visit, name) in &present {
            let known = self.visits.contains_key(visit);
            if known && !self.tell_all {
                continue;
            }
            // For a disk in no slot, only its place is read. A disk that vanishes while it is read counts as gone.
            let Some(disk) = self.disks.get(name).filter(|disk| self.ports.contains(&disk.port)) else { continue };
            let Some(card) = sysfs.glance(name) else {
                unread.insert(disk.port.clone());
                continue;
            };
            if card.visit != *visit || card.port != disk.port {
                unread.insert(disk.port.clone());
                continue;
            }
            let arrival = if known {
                None
            } else {
                let (at, connected) = at_once(&clock, || sysfs.connected(name));
                self.devices.arrival(at, disk, connected)
            };
            let is_from_before = known || self.new_ports.contains(&card.port) || arrival.is_some_and(|arrival| arrival.was_there_before);
            let before = match (is_waking && !known, is_from_before) {
                (true, _) => Some(Before::Sleep),
                (false, true) => Some(Before::Start),
                (false, false) => None,
            };
            tracing::debug!(port = %card.port, name, diskseq = visit.diskseq, ?before, ?arrival, "card seen");
            self.visits.insert(*visit, Reported { card: card.clone(), device: disk.device });
            events.push(Event::Seen { card: Box::new(card), before, with_device: arrival.map(|arrival| arrival.connected) });
        }
        // A card that could not be read now is treated at the next look as if that were this one: it was there before.
        self.tell_all &= !unread.is_empty();
        self.new_ports.retain(|port| unread.contains(port));
        events
    }

    /// Updates all disks and hosts, and sets the polling of the slots' readers. A disk is distinguished from the next one with its name by
    /// its directory.
    fn note_devices(&mut self, sysfs: &Sysfs, names: Vec<String>, hosts: Vec<(DeviceId, Port)>, now: Instant) {
        let mut disks = BTreeMap::new();
        for name in names {
            let Some(id) = sysfs.disk_id(&name) else { continue };
            let known = self.disks.remove(&name).filter(|disk| disk.id == id);
            if let Some(disk) = known.or_else(|| sysfs.disk(&name)) {
                disks.insert(name, disk);
            }
        }
        self.disks = disks;
        let of_disks = self.disks.values().map(|disk| (disk.device, disk.port.clone()));
        let there: BTreeMap<DeviceId, Port> = of_disks.chain(hosts).collect();
        self.devices.note(now, &there);
        let ours = self.disks.iter().filter(|(_, disk)| self.ports.contains(&disk.port));
        self.polls.ask(sysfs, ours.map(|(name, disk)| (name.as_str(), disk.id)));
    }
}

/// Reads a time relative to some moment, and when that was; again if the PC was busy in between.
fn at_once<T>(clock: impl Fn() -> Instant, read: impl Fn() -> T) -> (Instant, T) {
    const A_MOMENT: Duration = Duration::from_millis(20);
    let once = || {
        let at = clock();
        let value = read();
        (at, value, clock().saturating_duration_since(at))
    };
    let quick = (0..10).map(|_| once()).find(|(_, _, took)| *took <= A_MOMENT);
    let (at, value, _) = quick.unwrap_or_else(once);
    (at, value)
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;
