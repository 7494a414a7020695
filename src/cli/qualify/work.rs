//! The threads that try the cards, and the watch over them: a device that hangs is given up, and the others go on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::named::Engaged;
use crate::cli::sentence;
use crate::device::direct::{CachedReader, DirectDevice};
use crate::device::{BlockDevice, FlushAnswer};
use crate::flash::claim;
use crate::flash::gauge::{Gauge, Waits};
use crate::flash::rules::Rules;
use crate::flash::stall::StallWatch;
use crate::flash::tombstone::Tombstone;
use crate::qualify::facts::TroubleKind;
use crate::qualify::pattern::Pattern;
use crate::qualify::reopen::{Place, reopened};
use crate::qualify::side_by_side::Meeting;
use crate::qualify::trial::{Trial, TrialError, ask_to_flush};
use crate::station::End;
use crate::watch::sysfs::{Sysfs, node_of};
use crate::watch::uses::still_unused;

/// Interval at which the threads are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long a device may take to show its caching page: the kernel has asked it the same when it was plugged in.
const SHOWS_WITHIN: Duration = Duration::from_secs(10);

/// A slot whose card is claimed.
pub(super) struct Claimed {
    slot: Engaged,
    device: DirectDevice,
}

/// The card of a slot, for the thread that tries it.
struct Opening<'o> {
    slot: &'o Engaged,
    gauge: &'o Gauge,
}

impl Place for Opening<'_> {
    type Device = DirectDevice;
    type Cached = CachedReader;

    fn port(&self) -> &str {
        &self.slot.card.port.0
    }

    fn claim(&self) -> Result<DirectDevice, TrialError> {
        let card = &self.slot.card;
        let device = claim::open(card, self.gauge).map_err(|end| match end {
            End::Refused(refusal) => TrialError::Refused(refusal.to_string()),
            End::Gone => TrialError::Left { doing: "opening it" },
            End::Cancelled => TrialError::Stopped,
            other => TrialError::Own(io::Error::other(format!("{other:?}"))),
        })?;
        // What came onto it until the lock was ours is found behind the lock.
        match still_unused(card, &self.slot.policy) {
            Ok(()) => Ok(device),
            Err(_) if device.departed() => Err(TrialError::Left { doing: "opening it" }),
            Err(refusal) => Err(TrialError::Refused(refusal.to_string())),
        }
    }

    fn open_cached(&self) -> io::Result<CachedReader> {
        CachedReader::open(&node_of(&self.slot.card.kernel_name), self.slot.card.visit).map_err(io::Error::other)
    }
}

impl Opening<'_> {
    fn begin(&self, doing: &'static str) {
        self.slot.shared().doing = doing;
    }
}

/// Tries the card of one slot while no other is busy. `None` if that ended early, which is among the facts.
pub(super) fn alone(slot: &Engaged, rules: &Rules, interrupted: &AtomicBool) -> Option<Claimed> {
    let rules = rules.clone();
    let watched = rules.clone();
    let try_alone = move |slot: &Engaged, gauge: &Gauge| try_card(slot, gauge, &rules);
    let thread = Watched::spawn(slot.clone(), try_alone);
    wait(vec![thread], &watched, interrupted).pop()
}

/// Measures the speeds of all cards at once.
pub(super) fn together(claimed: Vec<Claimed>, rules: &Rules, interrupted: &AtomicBool) -> Vec<Claimed> {
    let meetings = Arc::new([Meeting::of(claimed.len()), Meeting::of(claimed.len())]);
    let threads = claimed.into_iter().map(|Claimed { slot, mut device }| {
        let (meetings, rules) = (Arc::clone(&meetings), rules.clone());
        Watched::spawn(slot, move |slot, gauge| {
            slot.shared().doing = "speed beside its neighbours";
            let (tombstone, mut pattern) = slot.shared().left.clone().ok_or(TrialError::Stopped)?;
            let mut trial = Trial::new(&mut device, gauge, &rules, &mut pattern)?;
            let speeds = trial.speeds(Some(&meetings))?;
            trial.leave()?;
            let mut shared = slot.shared();
            shared.facts.together = Some(speeds);
            shared.left = Some((tombstone, pattern));
            drop(shared);
            Ok(device)
        })
    });
    let threads = threads.collect();
    wait(threads, rules, interrupted)
}

/// The steps of a card alone, in their order.
fn try_card(slot: &Engaged, gauge: &Gauge, rules: &Rules) -> Result<DirectDevice, TrialError> {
    let place = Opening { slot, gauge };
    place.begin("claiming the card");
    let mut device = place.claim()?;
    let own = |error: getrandom::Error| TrialError::Own(io::Error::other(error.to_string()));
    let (tombstone, mut pattern) = (Tombstone::fresh(0).map_err(own)?, Pattern::fresh().map_err(own)?);
    place.begin("caching page");
    let caching = gauge.waiting(Waits::Answer, || device.caching_page(SHOWS_WITHIN));
    slot.shared().facts.caching = Some(caching);
    place.begin("answer to a flush");
    let flush = ask_to_flush(&mut device, place.port(), gauge, rules);
    slot.shared().facts.flush = Some(flush);
    if flush.answer == FlushAnswer::Gone {
        return Err(TrialError::Left { doing: "it was told to empty its cache" });
    }
    place.begin("head");
    let mut trial = Trial::new(&mut device, gauge, rules, &mut pattern)?;
    trial.entomb(&tombstone)?;
    place.begin("requests of growing length");
    let requests = trial.requests()?;
    slot.shared().facts.requests = Some(requests);
    place.begin("speed alone");
    let speeds = trial.speeds(None)?;
    slot.shared().facts.alone = Some(speeds);
    place.begin("opening it again");
    let (found, device) = reopened(&place, device, flush.answer, gauge, rules, &mut pattern)?;
    let mut shared = slot.shared();
    shared.facts.reopened = Some(found);
    shared.left = Some((tombstone, pattern));
    drop(shared);
    Ok(device)
}

/// A thread that tries a card.
struct Watched {
    slot: Engaged,
    gauge: Arc<Gauge>,
    stall: StallWatch,
    told: &'static str,
    thread: Option<JoinHandle<Result<DirectDevice, TrialError>>>,
}

impl Watched {
    fn spawn(slot: Engaged, work: impl FnOnce(&Engaged, &Gauge) -> Result<DirectDevice, TrialError> + Send + 'static) -> Self {
        let (gauge, handle) = (Arc::new(Gauge::default()), slot.clone());
        let shared = Arc::clone(&gauge);
        let thread = thread::Builder::new().name(format!("qualify/{}", slot.name)).spawn(move || work(&handle, &shared));
        let thread = thread.map_err(|error| slot.set_trouble(TroubleKind::Own, format!("no thread for the card: {error}"))).ok();
        Self { slot, gauge, stall: StallWatch::default(), told: "", thread }
    }

    /// Looks after it; returns whether it goes on.
    fn look(&mut self, rules: &Rules, sysfs: &Sysfs) -> bool {
        let Some(thread) = &self.thread else { return false };
        let doing = self.slot.shared().doing;
        if doing != self.told {
            self.told = doing;
            eprintln!("{}: {doing}", self.slot.name);
        }
        if thread.is_finished() {
            return false;
        }
        let sectors = sysfs.sectors_moved(self.slot.card.visit.devnum);
        if let Some(stalled) = self.stall.look(&self.gauge, sectors, rules) {
            let what = format!("the device did not answer for {} s ({doing}); the kernel still holds it", stalled.waited.as_secs());
            self.slot.set_trouble(TroubleKind::Silent, what);
            // It is left to the kernel.
            self.thread = None;
            return false;
        }
        true
    }

    fn end(self) -> Option<Claimed> {
        let doing = self.slot.shared().doing;
        match self.thread?.join() {
            Ok(Ok(device)) => return Some(Claimed { slot: self.slot, device }),
            Ok(Err(error)) => self.slot.set_trouble(error.kind(), format!("{doing}: {}", sentence(&error))),
            Err(_panic) => self.slot.set_trouble(TroubleKind::Own, "a panic, which is a bug of this program".to_owned()),
        }
        None
    }
}

/// Waits for these threads. Those that ended well keep their cards claimed.
fn wait(mut threads: Vec<Watched>, rules: &Rules, interrupted: &AtomicBool) -> Vec<Claimed> {
    let sysfs = Sysfs::default();
    loop {
        if interrupted.load(Ordering::Relaxed) {
            for thread in &threads {
                let _running = thread.gauge.cancel();
            }
        }
        let busy = threads.iter_mut().map(|thread| thread.look(rules, &sysfs)).filter(|busy| *busy).count();
        if busy == 0 {
            return threads.into_iter().filter_map(Watched::end).collect();
        }
        thread::sleep(LOOK);
    }
}
