//! Which cards are where: sysfs read and compared, udev as the hint to look again.
//!
//! ```text
//!  udev monitor ─ hint ─┐
//!                       ├─▶ scan of /sys/block ─▶ difference by (devnum, DISKSEQ) ─▶ Event::Gone, Event::Seen
//!  every second ────────┘
//! ```
//! Uevents get lost (a full socket, a disk that udevd found locked for three minutes), so none is ever believed: each only
//! makes the thread look. libudev stays in this one thread; owned [`Card`]s leave it.

pub mod sysfs;
#[cfg(test)]
pub(crate) mod testing;
pub mod uses;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::station::Event;
use crate::station::card::{Port, Visit};
use sysfs::Sysfs;

/// How long a lost uevent goes unnoticed at most.
const RECONCILE: Duration = Duration::from_secs(1);

/// The thread that looks.
#[derive(Debug)]
pub struct Watch {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
}

impl Watch {
    /// Looks at the ports for which `wanted` says yes, and tells of what is in them now and of every change. `tell` returns
    /// false when nobody listens any more, which ends the thread.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn spawn(
        sysfs: Sysfs,
        wanted: impl Fn(&Port) -> bool + Send + 'static,
        tell: impl Fn(Event) -> bool + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(move || {
            // The monitor first, then the first look: what changes in between is seen twice rather than not at all.
            let monitor = monitor().inspect_err(|error| {
                tracing::warn!(error = error as &dyn std::error::Error, "no udev monitor: cards are looked for every second only");
            });
            let mut seen = Seen::default();
            while !stopped.load(Ordering::Relaxed) {
                for event in seen.look(&sysfs, &wanted) {
                    if !tell(event) {
                        return;
                    }
                }
                match &monitor {
                    Ok(monitor) => wait(monitor),
                    Err(_) => thread::sleep(RECONCILE),
                }
            }
        })?;
        Ok(Self { thread, stop })
    }

    /// Ends the thread; returns when it has ended, within a second.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            tracing::error!("the watch thread panicked");
        }
    }
}

fn monitor() -> io::Result<udev::MonitorSocket> {
    udev::MonitorBuilder::new()?.match_subsystem("block")?.listen()
}

/// Returns when udev has something to say, all of which is read and forgotten, or when it is time to look anyway.
fn wait(monitor: &udev::MonitorSocket) {
    let timeout = PollTimeout::try_from(RECONCILE).expect("a second is a timeout");
    let mut ready = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
    match poll(&mut ready, timeout) {
        Ok(count) if count > 0 => monitor.iter().for_each(drop),
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%error, "waiting for udev");
            thread::sleep(RECONCILE);
        }
    }
}

/// What the station has been told of.
#[derive(Debug, Default)]
struct Seen {
    visits: BTreeMap<Visit, Port>,
    looked_before: bool,
}

impl Seen {
    /// Compares with what is there now. What left is told before what came.
    fn look(&mut self, sysfs: &Sysfs, wanted: &impl Fn(&Port) -> bool) -> Vec<Event> {
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
            if self.visits.contains_key(visit) {
                continue;
            }
            // A disk that is vanishing while it is read is none.
            let Some(card) = sysfs.card(name).filter(|card| card.visit == *visit && wanted(&card.port)) else { continue };
            tracing::debug!(port = %card.port, name, diskseq = visit.diskseq, "card seen");
            self.visits.insert(*visit, card.port.clone());
            events.push(Event::Seen { card: Box::new(card), since_start: !self.looked_before });
        }
        self.looked_before = true;
        events
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

    #[test]
    fn what_was_there_at_the_start_is_told_apart_from_what_came_later() {
        let fake = FakeSysfs::new();
        let mut seen = Seen::default();
        fake.stick("sda", "1", 11);
        assert_eq!(names(&seen.look(&fake.sysfs(), &|_| true)), ["seen sda 11 true"]);
        assert_eq!(names(&seen.look(&fake.sysfs(), &|_| true)), [""; 0], "nothing changed");
        fake.stick("sdb", "2", 12);
        assert_eq!(names(&seen.look(&fake.sysfs(), &|_| true)), ["seen sdb 12 false"]);
        fake.remove("sda");
        assert_eq!(names(&seen.look(&fake.sysfs(), &|_| true)), ["gone 11"]);
    }

    #[test]
    fn a_card_swapped_between_two_looks_is_gone_and_seen_although_its_name_stayed() {
        let fake = FakeSysfs::new();
        let mut seen = Seen::default();
        fake.stick("sda", "1", 11);
        seen.look(&fake.sysfs(), &|_| true);
        fake.set("sda", "diskseq", "12");
        assert_eq!(names(&seen.look(&fake.sysfs(), &|_| true)), ["gone 11", "seen sda 12 false"]);
    }

    #[test]
    fn an_empty_reader_is_no_card_and_a_port_nobody_asked_for_is_never_told() {
        let fake = FakeSysfs::new();
        let mut seen = Seen::default();
        fake.stick("sda", "1", 11);
        fake.set("sda", "size", "0");
        fake.stick("sdb", "2", 12);
        assert_eq!(names(&seen.look(&fake.sysfs(), &|port| !port.0.contains("-2/"))), [""; 0]);
        fake.set("sda", "size", "131072");
        assert_eq!(names(&seen.look(&fake.sysfs(), &|port| !port.0.contains("-2/"))), ["seen sda 11 false"]);
    }
}
