//! Which cards are where: sysfs read and compared, udev as the hint to look again.
//!
//! ```text
//!  udev monitor ─ hint ─┐
//!                       ├─▶ scan of /sys/block ─▶ difference by (devnum, DISKSEQ) ─▶ Event::Gone, Event::Seen
//!  every second ────────┘
//! ```
//! Uevents get lost (a full socket, a disk that udevd found locked for three minutes), so none is ever believed: each only
//! makes the thread look. libudev stays in this one thread; owned [`Card`]s leave it.

pub mod cabling;
pub mod rules;
pub mod sysfs;
#[cfg(test)]
pub(crate) mod testing;
pub mod topology;
pub mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::station::Event;
use crate::station::card::{Port, Visit};
use sysfs::Sysfs;

/// How often a reader of ours is asked for its media: soon enough for an operator, seldom enough for the reader.
const MEDIA_POLL: Duration = Duration::from_millis(500);

/// How long a lost uevent goes unnoticed at most.
const RECONCILE: Duration = Duration::from_secs(1);

/// How often it is asked meanwhile whether to go on: a station that stops waits for no more than this.
const LISTEN: Duration = Duration::from_millis(100);

/// The thread that looks.
#[derive(Debug)]
pub struct Watch {
    thread: JoinHandle<()>,
    orders: Arc<Orders>,
}

/// What the thread is told.
#[derive(Debug, Default)]
struct Orders {
    stop: AtomicBool,
    ports: Mutex<Option<BTreeSet<Port>>>,
}

impl Watch {
    /// Looks at these ports, and tells of what is in them now and of every change. `tell` returns false when nobody listens any
    /// more, which ends the thread.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn spawn(sysfs: Sysfs, ports: BTreeSet<Port>, tell: impl Fn(Event) -> bool + Send + 'static) -> io::Result<Self> {
        let orders = Arc::new(Orders { stop: AtomicBool::new(false), ports: Mutex::new(Some(ports)) });
        let ours = Arc::clone(&orders);
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(move || {
            // The monitor first, then the first look: what changes in between is seen twice rather than not at all.
            let monitor = monitor().inspect_err(|error| {
                tracing::warn!(error = error as &dyn std::error::Error, "no udev monitor: cards are looked for every second only");
            });
            let mut seen = Seen::default();
            while !ours.stop.load(Ordering::Relaxed) {
                if let Some(ports) = ours.ports.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    seen.turn_to(ports);
                }
                for event in seen.look(&sysfs) {
                    if !tell(event) {
                        return;
                    }
                }
                let began = Instant::now();
                let mut hint = false;
                while !hint && began.elapsed() < RECONCILE && !ours.stop.load(Ordering::Relaxed) {
                    hint = monitor.as_ref().is_ok_and(wait);
                    if monitor.is_err() {
                        thread::sleep(LISTEN);
                    }
                }
            }
        })?;
        Ok(Self { thread, orders })
    }

    /// Looks at these ports from now on, and tells anew of what is in them.
    pub fn turn_to(&self, ports: BTreeSet<Port>) {
        *self.orders.ports.lock().unwrap_or_else(PoisonError::into_inner) = Some(ports);
    }

    /// Has the thread ended although nobody asked it to? Then no card is seen any more.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends the thread; returns when it has ended, in a moment.
    pub fn stop(self) {
        self.orders.stop.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            tracing::error!("the watch thread panicked");
        }
    }
}

fn monitor() -> io::Result<udev::MonitorSocket> {
    udev::MonitorBuilder::new()?.match_subsystem("block")?.listen()
}

/// Whether udev had something to say, all of which is read and forgotten.
fn wait(monitor: &udev::MonitorSocket) -> bool {
    let timeout = PollTimeout::try_from(LISTEN).expect("a moment is a timeout");
    let mut ready = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
    match poll(&mut ready, timeout) {
        Ok(count) => {
            monitor.iter().for_each(drop);
            count > 0
        }
        Err(error) => {
            tracing::warn!(%error, "waiting for udev");
            thread::sleep(LISTEN);
            false
        }
    }
}

/// What the station has been told of.
#[derive(Debug, Default)]
struct Seen {
    ports: BTreeSet<Port>,
    /// Ports that were not looked at before: what is in them now was there before anybody looked.
    new_ports: BTreeSet<Port>,
    visits: BTreeMap<Visit, Port>,
    tell_all: bool,
    polled: BTreeSet<String>,
}

impl Seen {
    fn turn_to(&mut self, ports: BTreeSet<Port>) {
        self.new_ports = ports.difference(&self.ports).cloned().collect();
        self.ports = ports;
        self.tell_all = true;
    }

    /// Compares with what is there now. What left is told before what came.
    fn look(&mut self, sysfs: &Sysfs) -> Vec<Event> {
        self.poll_readers(sysfs);
        let present = sysfs.visits();
        let mut events: Vec<Event> = Vec::new();
        self.visits.retain(|visit, _| {
            let stays = present.contains_key(visit);
            if !stays {
                events.push(Event::Gone(*visit));
            }
            stays
        });
        for (visit, name) in &present {
            let known = self.visits.contains_key(visit);
            if known && !self.tell_all {
                continue;
            }
            // Only its place is read of a disk that is no concern of ours. One that is vanishing while it is read is none.
            if !sysfs.port(name).is_some_and(|port| self.ports.contains(&port)) {
                continue;
            }
            let Some(card) = sysfs.glance(name).filter(|card| card.visit == *visit) else { continue };
            tracing::debug!(port = %card.port, name, diskseq = visit.diskseq, "card seen");
            let since_start = known || self.new_ports.contains(&card.port);
            self.visits.insert(*visit, card.port.clone());
            events.push(Event::Seen { card: Box::new(card), since_start });
        }
        self.tell_all = false;
        self.new_ports.clear();
        events
    }

    /// A card put into a fixed reader raises no event of its own: the kernel asks the reader, every two seconds by default. For
    /// our readers it asks more often.
    fn poll_readers(&mut self, sysfs: &Sysfs) {
        let names = sysfs.disk_names();
        self.polled.retain(|name| names.contains(name));
        for name in names {
            if !self.polled.contains(&name) && sysfs.port(&name).is_some_and(|port| self.ports.contains(&port)) {
                if let Err(error) = sysfs.poll_media(&name, MEDIA_POLL) {
                    tracing::debug!(name, %error, "its media cannot be polled more often");
                }
                self.polled.insert(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::FakeSysfs;
    use super::*;

    fn names(events: &[Event]) -> Vec<String> {
        events
            .iter()
            .map(|event| match event {
                Event::Seen { card, since_start } => format!("seen {} {} {since_start}", card.kernel_name, card.visit.diskseq),
                Event::Gone(visit) => format!("gone {}", visit.diskseq),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    /// Looks at the first two ports of the controller.
    fn seen() -> Seen {
        let mut seen = Seen::default();
        seen.turn_to(["1", "2"].map(port).into());
        seen
    }

    fn port(chain: &str) -> Port {
        Port(format!("pci-0000:00:1c.0/usb3-{chain}/lun-0"))
    }

    #[test]
    fn what_was_there_at_the_start_is_told_apart_from_what_came_later() {
        let fake = FakeSysfs::new();
        let mut seen = seen();
        fake.stick("sda", "1", 11);
        assert_eq!(names(&seen.look(&fake.sysfs())), ["seen sda 11 true"]);
        assert_eq!(names(&seen.look(&fake.sysfs())), [""; 0], "nothing changed");
        fake.stick("sdb", "2", 12);
        assert_eq!(names(&seen.look(&fake.sysfs())), ["seen sdb 12 false"]);
        fake.remove("sda");
        assert_eq!(names(&seen.look(&fake.sysfs())), ["gone 11"]);
    }

    #[test]
    fn a_card_swapped_between_two_looks_is_gone_and_seen_although_its_name_stayed() {
        let fake = FakeSysfs::new();
        let mut seen = seen();
        fake.stick("sda", "1", 11);
        seen.look(&fake.sysfs());
        fake.set("sda", "diskseq", "12");
        assert_eq!(names(&seen.look(&fake.sysfs())), ["gone 11", "seen sda 12 false"]);
    }

    #[test]
    fn an_empty_reader_is_no_card_and_a_port_nobody_asked_for_is_never_told() {
        let fake = FakeSysfs::new();
        let mut seen = seen();
        fake.stick("sda", "1", 11);
        fake.set("sda", "size", "0");
        fake.stick("sdb", "3", 12);
        assert_eq!(names(&seen.look(&fake.sysfs())), [""; 0]);
        fake.set("sda", "size", "131072");
        assert_eq!(names(&seen.look(&fake.sysfs())), ["seen sda 11 false"]);
    }

    #[test]
    fn a_port_added_later_tells_its_card_as_one_that_was_there_before() {
        let fake = FakeSysfs::new();
        let mut seen = seen();
        seen.look(&fake.sysfs());
        fake.stick("sdc", "3", 13);
        assert_eq!(names(&seen.look(&fake.sysfs())), [""; 0]);
        seen.turn_to(["1", "2", "3"].map(port).into());
        fake.stick("sda", "1", 14);
        assert_eq!(names(&seen.look(&fake.sysfs())), ["seen sda 14 false", "seen sdc 13 true"]);
    }

    #[test]
    fn the_same_ports_told_again_make_no_card_one_that_was_there_before() {
        let fake = FakeSysfs::new();
        let mut seen = seen();
        seen.look(&fake.sysfs());
        fake.stick("sda", "1", 11);
        seen.turn_to(["1", "2"].map(port).into());
        assert_eq!(names(&seen.look(&fake.sysfs())), ["seen sda 11 false"]);
    }

    #[test]
    fn our_readers_are_asked_for_their_media_more_often_and_no_others() {
        let fake = FakeSysfs::new();
        fake.lun("sda", "1", 0, 11);
        fake.lun("sdb", "3", 0, 12);
        for name in ["sda", "sdb"] {
            fake.set(name, "size", "0");
            fake.set(name, "removable", "1");
            fake.set(name, "events", "media_change");
            fake.set(name, "events_poll_msecs", "-1");
        }
        seen().look(&fake.sysfs());
        assert_eq!((fake.get("sda", "events_poll_msecs"), fake.get("sdb", "events_poll_msecs")), ("500".to_owned(), "-1".to_owned()));
    }
}
