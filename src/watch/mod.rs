//! Finds which cards are where: sysfs is read and compared, and udev is the hint to look again.
//!
//! ```text
//!  udev is done ─ hint ─┐
//!                       ├─▶ scan of /sys/block ─▶ difference by (devnum, DISKSEQ) ─▶ Event::Gone, Event::Seen
//!  every second ────────┘
//! ```
//! Hints get lost (a disk that udevd found locked for three minutes), so none is ever believed: each only makes the thread look.
//! libudev stays in this one thread; owned [`Card`](crate::station::card::Card)s leave it.

pub(crate) mod apply_rules;
pub(crate) mod cabling;
pub(crate) mod cover;
mod devices;
mod given;
mod hints;
mod holders;
mod loops;
pub(crate) mod places;
pub(crate) mod polls;
pub(crate) mod reader_kind;
pub(crate) mod restrictions;
pub(crate) mod rules;
mod seen;
pub(crate) mod sysfs;
pub(crate) mod tables;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod topology;
pub(crate) mod udev_database;
pub(crate) mod uses;

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::PollTimeout;
use nix::time::{ClockId, clock_gettime};

use crate::station::Event;
use crate::station::port::Port;
use hints::UdevHints;
use seen::Seen;
use sysfs::Sysfs;

/// How long a lost hint goes unnoticed at most.
const RECONCILE: Duration = Duration::from_secs(1);

/// Interval at which the thread checks whether to end: a stopping station waits no longer than this.
const LISTEN: Duration = Duration::from_millis(100);

/// A shorter difference is not sleep: the clocks are read one after the other.
const SLEEP: Duration = Duration::from_millis(500);

/// The thread that watches.
#[derive(Debug)]
pub(crate) struct Watch {
    thread: JoinHandle<()>,
    orders: Arc<Orders>,
}

/// Messages to the thread.
#[derive(Debug, Default)]
struct Orders {
    stop: AtomicBool,
    ports: Mutex<Option<BTreeSet<Port>>>,
}

impl Watch {
    /// Watches these ports, and reports the cards in them now and every change. `tell` returns false when the receiver is gone, which ends
    /// the thread.
    ///
    /// # Errors
    /// If the thread cannot be made.
    pub(crate) fn spawn(sysfs: Sysfs, ports: BTreeSet<Port>, tell: impl Fn(Event) -> bool + Send + 'static) -> io::Result<Self> {
        let orders = Arc::new(Orders { stop: AtomicBool::new(false), ports: Mutex::new(Some(ports)) });
        let ours = Arc::clone(&orders);
        // A card that is put in from now on was not there before, however late the first look of the thread is.
        let (uptime, began) = (clock(ClockId::CLOCK_BOOTTIME), Instant::now());
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(move || {
            // The hints first, then the first look: what changes in between is seen twice rather than not at all.
            let mut hints = UdevHints::new();
            let moment = PollTimeout::try_from(LISTEN).expect("a moment is a timeout");
            let mut seen = Seen::new(uptime, began);
            let mut slept = time_slept();
            while !ours.stop.load(Ordering::Relaxed) {
                if let Some(ports) = ours.ports.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    seen.set_ports(ports);
                }
                let by_now = time_slept();
                if by_now.saturating_sub(slept) > SLEEP {
                    tracing::warn!(seconds = by_now.saturating_sub(slept).as_secs(), "the PC slept: every card counts as another one");
                    seen.woke(Instant::now());
                }
                slept = by_now;
                for event in seen.look(&sysfs, Instant::now) {
                    if !tell(event) {
                        return;
                    }
                }
                let began = Instant::now();
                let mut hint = false;
                while !hint && began.elapsed() < RECONCILE && !ours.stop.load(Ordering::Relaxed) {
                    hint = hints.wait(moment);
                }
            }
        })?;
        Ok(Self { thread, orders })
    }

    /// Watches these ports from now on, and reports their cards anew.
    pub(crate) fn set_ports(&self, ports: BTreeSet<Port>) {
        *self.orders.ports.lock().unwrap_or_else(PoisonError::into_inner) = Some(ports);
    }

    /// Has the thread ended without a request? Then no card is seen any more.
    #[must_use]
    pub(crate) fn is_dead(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends the thread; returns when it has ended, in a moment.
    pub(crate) fn stop(self) {
        self.orders.stop.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            tracing::error!("the watch thread panicked");
        }
    }
}

fn clock(clock: ClockId) -> Duration {
    // This clock exists on every kernel that can run this, and starts at boot.
    clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}

/// How long the PC has slept since it was started: one of the clocks continues during sleep (clock_gettime(2)).
fn time_slept() -> Duration {
    let awake = clock(ClockId::CLOCK_MONOTONIC);
    clock(ClockId::CLOCK_BOOTTIME).saturating_sub(awake)
}
