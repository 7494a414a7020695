//! The threads that carry out effects for a slot: one for a card, named after its slot, and short ones that find out which programs use a
//! disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc;

use super::arming::Armory;
use super::claim_keeper::Keeper;
use super::log_process::ask_past;
use crate::flash::flash;
use crate::flash::gauge::Gauge;
use crate::flash::rules::Rules;
use crate::flash::stall::StallWatch;
use crate::ledger::Named;
use crate::station::card::{Card, DevNum};
use crate::station::outcome::{Effort, Refusal, StationFault};
use crate::station::past::Past;
use crate::station::record::{Attempt, AttemptNumber};
use crate::station::settings::Policy;
use crate::station::{End, Event};
use crate::watch::sysfs::Sysfs;
use crate::watch::tables::Tables;
use crate::watch::uses::{OwnPart, still_unused, survey};

/// The threads that work for the station, and their shared state.
pub(super) struct Workers {
    tell: mpsc::Sender<Event>,
    pub(super) armory: Armory,
    own: Arc<[OwnPart]>,
    /// The rules for cards from now on.
    pub(super) rules: Rules,
    running: BTreeMap<AttemptNumber, Running>,
    keeper: Keeper,
}

struct Running {
    slot: String,
    devnum: DevNum,
    gauge: Arc<Gauge>,
    thread: JoinHandle<()>,
    stall: StallWatch,
}

/// The history of this card in the log, asked in a separate process, because a log whose disk hangs would delay more than this slot. If the
/// log cannot be read, the card is begun all the same; if it is then found done, it counts, so that an order never makes too many.
fn past(log: &Path, card: &Card, slot: &str) -> Past {
    ask_past(log, &Named::of(card, slot)).unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, slot, "the history of the card cannot be read from the flash log");
        Past::Unknown
    })
}

impl Workers {
    pub(super) fn new(tell: mpsc::Sender<Event>, armory: Armory, own: Arc<[OwnPart]>, rules: Rules, keeper: Keeper) -> Self {
        Self { tell, armory, own, rules, running: BTreeMap::new(), keeper }
    }

    /// Asks which programs use this card, in a separate thread, so that a `/proc` or a udev database that hangs delays no other slot. Also
    /// asks the flash log for the history of the card in this slot.
    pub(super) fn survey(&self, card: Card, slot: Option<String>, log: &Path) {
        let (tell, own, log) = (self.tell.clone(), Arc::clone(&self.own), log.to_owned());
        let visit = card.visit;
        let ask = move || {
            let mut survey = match Tables::now() {
                Ok(tables) => survey(&Sysfs::default(), &tables, &own, &card.kernel_name),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the mounts of this PC cannot be read: nothing is admitted");
                    None
                }
            };
            if let Some(survey) = &mut survey {
                survey.past = past(&log, &survey.card, slot.as_deref().unwrap_or_default());
            }
            let _stopped = tell.blocking_send(Event::Surveyed { visit, survey: survey.map(Box::new) });
        };
        if let Err(error) = thread::Builder::new().name("survey".to_owned()).spawn(ask) {
            // The card settles again, and the question is repeated.
            tracing::error!(%error, "no thread to survey a card");
            let _full = self.tell.try_send(Event::Surveyed { visit, survey: None });
        }
    }

    /// Asks a card that is not to be begun for its identity, in a separate thread: a device that is being reset answers late.
    pub(super) fn identify(&self, card: Card) {
        let tell = self.tell.clone();
        let visit = card.visit;
        let ask = move || {
            let known = Sysfs::default().card(&card.kernel_name).filter(|known| known.visit == visit);
            let _stopped = tell.blocking_send(Event::Identified { visit, card: known.map(Box::new) });
        };
        if let Err(error) = thread::Builder::new().name("identify".to_owned()).spawn(ask) {
            tracing::warn!(%error, "no thread to ask a card for its numbers");
            let _full = self.tell.try_send(Event::Identified { visit, card: None });
        }
    }

    /// Starts a thread that writes and proves the attempt's card. `policy` is that of its slot.
    pub(super) fn start(&mut self, attempt: Attempt, policy: Policy) {
        let (number, slot, devnum) = (attempt.number, attempt.slot.clone(), attempt.card.visit.devnum);
        let image = attempt.image.as_ref().and_then(|armed| self.armory.image(armed.digest));
        let Some(image) = image else {
            // An attempt names an armed image, and the armory keeps those.
            return self.report(number, End::Refused(Refusal::NoArmedImage), Effort::default());
        };
        let gauge = Arc::new(Gauge::default());
        let (tell, shared, rules) = (self.tell.clone(), Arc::clone(&gauge), self.rules.clone());
        let keep = self.keeper.way_in();
        let body = move || {
            let (end, kept) = flash(&attempt, image, Arc::clone(&shared), rules, |card| still_unused(card, &policy));
            tracing::debug!(slot = attempt.slot, attempt = number, ?end, "ended");
            let _stopped = tell.blocking_send(Event::Ended { attempt: number, end, effort: shared.effort() });
            // After the end was sent, so that a later write is reported for a card that is known to be proven.
            if let Some(kept) = kept {
                keep.keep(number, attempt.slot, kept);
            }
        };
        match thread::Builder::new().name(format!("flash/{slot}")).spawn(body) {
            Ok(thread) => {
                self.running.insert(number, Running { slot, devnum, gauge, thread, stall: StallWatch::default() });
            }
            Err(error) => {
                let message = format!("no thread for the card: {error}");
                self.report(number, End::StationFault(StationFault::Internal { message }), Effort::default());
            }
        }
    }

    /// For an attempt that ends before it has a thread: sent from a task of the runtime, because this task must not wait for itself.
    fn report(&self, attempt: AttemptNumber, end: End, effort: Effort) {
        let tell = self.tell.clone();
        tokio::spawn(async move {
            let _stopped = tell.send(Event::Ended { attempt, end, effort }).await;
        });
    }

    pub(super) fn cancel(&self, attempt: AttemptNumber) {
        if let Some(running) = self.running.get(&attempt) {
            running.gauge.cancel();
        }
    }

    /// Releases the claim of every proven card that `kept` does not name.
    pub(super) fn let_go(&self, kept: impl Fn(AttemptNumber) -> bool) {
        self.keeper.let_go(kept);
    }

    /// The last writes to proven cards that are noticed.
    pub(super) fn changed_at_last(&self) -> Vec<Event> {
        self.keeper.look_at_last()
    }

    /// The progress of every thread. Ended threads are joined here.
    pub(super) fn progress(&mut self) -> Vec<Event> {
        let ended: Vec<_> = self.running.iter().filter(|(_, running)| running.thread.is_finished()).map(|(number, _)| *number).collect();
        for running in ended.iter().filter_map(|number| self.running.remove(number)) {
            // Panics are caught inside the thread, so the result says nothing more.
            let _ended = running.thread.join();
        }
        let advanced = self.running.iter().map(|(attempt, running)| {
            let (step, done, of) = running.gauge.progress();
            Event::Advanced { attempt: *attempt, step, done, of }
        });
        advanced.collect()
    }

    /// Threads without progress for longer than the rules allow. Each is reported once.
    pub(super) fn stalled(&mut self) -> Vec<Event> {
        let (sysfs, rules) = (Sysfs::default(), &self.rules);
        let look = |(attempt, running): (&AttemptNumber, &mut Running)| {
            let stalled = running.stall.look(&running.gauge, sysfs.sectors_moved(running.devnum), rules)?;
            Some(Event::Stalled { attempt: *attempt, waited: stalled.waited, on_image: stalled.on_image, effort: stalled.effort })
        };
        self.running.iter_mut().filter_map(look).collect()
    }

    /// The slots whose threads have not ended.
    pub(super) fn stuck(&self) -> impl Iterator<Item = &str> {
        self.running.values().filter(|running| !running.thread.is_finished()).map(|running| running.slot.as_str())
    }
}
