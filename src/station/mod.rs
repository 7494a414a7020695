//! The pure core: what happens in each slot, decided.
//!
//! Owns every decision and every word. Knows no device, file, clock, thread or channel: [`Station::apply`] takes an event with
//! its time and answers with effects, which `daemon` carries out. An event that does not fit changes nothing.

pub mod admit;
pub mod card;
pub mod outcome;
pub mod record;
pub mod slot;
#[cfg(test)]
pub(crate) mod testing;
pub mod units;
pub mod view;

use std::time::Duration;

use admit::admit;
use card::{Card, Port, Survey, Visit};
use outcome::{Effort, Failure, Outcome, Proof, Refusal};
use record::{Armed, Attempt, AttemptNumber, Entry, Receipt};
use slot::{Phase, Slot, SlotSettings, Step, Work};
use units::{Bytes, Moment};
use view::View;

/// How a card's thread ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Every byte was read back and is the image's.
    Verified(Proof),
    /// The claim was refused; nothing was written.
    Refused(Refusal),
    /// The card, or the station, failed; contents undefined.
    Failed(Failure),
    /// The card left.
    Gone,
    /// It stopped because it was asked to.
    Cancelled,
}

/// What the station is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A card is in its port. Told again with the same visit when the kernel announces it again.
    Seen {
        /// The card.
        card: Box<Card>,
        /// It was there when the daemon began to look.
        since_start: bool,
    },
    /// That visit is over.
    Gone(Visit),
    /// The answer to [`Effect::Survey`]; nothing where the card could not be found any more.
    Surveyed {
        /// The visit asked about.
        visit: Visit,
        /// What was found.
        survey: Option<Box<Survey>>,
    },
    /// A thread has come this far.
    Advanced {
        /// Its attempt.
        attempt: AttemptNumber,
        /// The step it is in.
        step: Step,
        /// Bytes done in this step.
        done: Bytes,
        /// Bytes of this step.
        of: Bytes,
    },
    /// A thread ended.
    Ended {
        /// Its attempt.
        attempt: AttemptNumber,
        /// How.
        end: End,
        /// What it did.
        effort: Effort,
    },
    /// The log has it on disk.
    Recorded(Receipt),
    /// The log cannot write, for this reason; or it can again.
    LogHealth(Option<String>),
    /// This image may be written for its model from now on. Running cards finish with what they started with.
    Arm(Armed),
    /// The station is to stop: nothing new begins, what runs is cancelled.
    Stop,
    /// Time passed.
    Tick,
}

/// What the station wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask who uses this card.
    Survey(Box<Card>),
    /// Make this durable, then say so with [`Event::Recorded`].
    Record(Box<Entry>),
    /// Claim, write and prove this card.
    Start(Box<Attempt>),
    /// Tell this attempt's thread to stop.
    Cancel(AttemptNumber),
}

/// What holds for the whole station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StationSettings {
    /// The station's name.
    pub name: String,
    /// How long a card must sit still before an attempt begins: contact bounce makes no rows.
    pub settle: Duration,
    /// Flash cards that were in their slots when the station started.
    pub flash_present: bool,
}

/// The station, as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    settings: StationSettings,
    slots: Vec<Slot>,
    next_attempt: AttemptNumber,
    log_fault: Option<String>,
    stopping: bool,
}

impl Station {
    /// A station with empty, disarmed slots. `next_attempt` is one more than the newest attempt in the log.
    #[must_use]
    pub fn new(settings: StationSettings, slots: Vec<SlotSettings>, next_attempt: AttemptNumber) -> Self {
        Self { settings, slots: slots.into_iter().map(Slot::new).collect(), next_attempt, log_fault: None, stopping: false }
    }

    /// Is this port one of a slot's? A disk anywhere else does not exist for the station.
    #[must_use]
    pub fn knows(&self, port: &Port) -> bool {
        self.slots.iter().any(|slot| slot.settings.ports.contains(port))
    }

    /// Nothing is being written or recorded.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.slots.iter().all(Slot::is_idle)
    }

    /// What an operator is shown.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            station: self.settings.name.clone(),
            fault: self.log_fault.as_ref().map(|reason| format!("the flash log cannot be written: {reason}")),
            slots: self.slots.iter().map(Slot::view).collect(),
        }
    }

    /// Takes one event at its time and says what is to be done about it.
    pub fn apply(&mut self, now: Moment, event: Event) -> Vec<Effect> {
        match event {
            Event::Seen { card, since_start } => self.seen(now, *card, since_start),
            Event::Gone(visit) => self.gone(visit),
            Event::Surveyed { visit, survey } => self.surveyed(now, visit, survey.map(|survey| *survey)),
            Event::Advanced { attempt, step, done, of } => {
                self.advanced(now, attempt, step, done, of);
                Vec::new()
            }
            Event::Ended { attempt, end, effort } => self.ended(attempt, end, effort),
            Event::Recorded(Receipt::Started(attempt)) => self.start_recorded(now, attempt),
            Event::Recorded(Receipt::Closed(attempt)) => {
                self.outcome_recorded(now, attempt);
                Vec::new()
            }
            Event::LogHealth(fault) => {
                self.log_fault = fault;
                Vec::new()
            }
            Event::Arm(armed) => self.arm(&armed),
            Event::Stop => self.stop(),
            Event::Tick => self.tick(now),
        }
    }

    fn seen(&mut self, now: Moment, card: Card, since_start: bool) -> Vec<Effect> {
        let flash_present = self.settings.flash_present;
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.settings.ports.contains(&card.port)) else { return Vec::new() };
        let visit = card.visit;
        slot.present = Some(card);
        match &mut slot.phase {
            Phase::Empty if since_start && !flash_present => slot.phase = Phase::Held,
            Phase::Empty => slot.turn_to_present(now),
            // Another card than the one looked at begins anew; the same one announced again is only an echo.
            Phase::Settling { visit: before, .. } | Phase::Surveying { visit: before } if *before != visit => slot.turn_to_present(now),
            Phase::Finished { attempt, .. } if attempt.card.visit != visit => slot.turn_to_present(now),
            Phase::Busy { attempt, work } if attempt.card.visit != visit && !work.gone => {
                work.gone = true;
                return vec![Effect::Cancel(attempt.number)];
            }
            _ => {}
        }
        Vec::new()
    }

    fn gone(&mut self, visit: Visit) -> Vec<Effect> {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.holds(visit)) else { return Vec::new() };
        slot.present = None;
        match &mut slot.phase {
            Phase::Held | Phase::Settling { .. } | Phase::Surveying { .. } => slot.phase = Phase::Empty,
            // PULLED stays until the next card: nobody may have looked yet.
            Phase::Finished { outcome, .. } if *outcome != Outcome::Pulled => slot.phase = Phase::Empty,
            Phase::Busy { attempt, work } if !work.gone => {
                work.gone = true;
                return vec![Effect::Cancel(attempt.number)];
            }
            _ => {}
        }
        Vec::new()
    }

    fn tick(&mut self, now: Moment) -> Vec<Effect> {
        if self.stopping || self.log_fault.is_some() {
            return Vec::new();
        }
        let settle = self.settings.settle;
        let mut effects = Vec::new();
        for slot in &mut self.slots {
            let Phase::Settling { visit, since } = slot.phase else { continue };
            if now.since(since) < settle {
                continue;
            }
            if let Some(card) = slot.present.clone().filter(|card| card.visit == visit) {
                slot.phase = Phase::Surveying { visit };
                effects.push(Effect::Survey(Box::new(card)));
            }
        }
        effects
    }

    fn surveyed(&mut self, now: Moment, visit: Visit, survey: Option<Survey>) -> Vec<Effect> {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.phase == Phase::Surveying { visit }) else { return Vec::new() };
        // A card that could not be found any more, or was found to be another, settles again, until it is seen to be gone.
        let Some(survey) = survey.filter(|survey| survey.card.visit == visit && !self.stopping) else {
            slot.phase = Phase::Settling { visit, since: now };
            return Vec::new();
        };
        let admitted = admit(&survey, slot.armed.as_ref(), &slot.settings.policy);
        let attempt = Box::new(Attempt {
            number: self.next_attempt,
            slot: slot.settings.name.clone(),
            model: slot.settings.model.clone(),
            image: slot.armed.clone(),
            card: survey.card,
        });
        self.next_attempt += 1;
        let entry = match admitted {
            Ok(()) => {
                slot.phase = Phase::Opening { attempt: attempt.clone() };
                Entry::AttemptStarted(attempt)
            }
            Err(refusal) => return slot.close(attempt, Outcome::Refused(refusal), Effort::default()),
        };
        vec![Effect::Record(Box::new(entry))]
    }

    fn start_recorded(&mut self, now: Moment, number: AttemptNumber) -> Vec<Effect> {
        let stopping = self.stopping;
        let Some(slot) = self.slots.iter_mut().find(|slot| matches!(&slot.phase, Phase::Opening { attempt } if attempt.number == number))
        else {
            return Vec::new();
        };
        let Phase::Opening { attempt } = &slot.phase else { return Vec::new() };
        let attempt = attempt.clone();
        if !slot.holds(attempt.card.visit) {
            return slot.close(attempt, Outcome::Pulled, Effort::default());
        }
        if stopping {
            return slot.close(attempt, Outcome::Interrupted, Effort::default());
        }
        let of = attempt.image.as_ref().map_or(Bytes(0), |image| image.span);
        let work = Work { step: Step::Writing, done: Bytes(0), of, step_began: now, last_heard: now, gone: false };
        slot.phase = Phase::Busy { attempt: attempt.clone(), work };
        vec![Effect::Start(attempt)]
    }

    fn advanced(&mut self, now: Moment, number: AttemptNumber, step: Step, done: Bytes, of: Bytes) {
        for slot in &mut self.slots {
            let Phase::Busy { attempt, work } = &mut slot.phase else { continue };
            if attempt.number != number {
                continue;
            }
            if work.step != step {
                work.step_began = now;
            }
            (work.step, work.done, work.of, work.last_heard) = (step, done, of, now);
        }
    }

    fn ended(&mut self, number: AttemptNumber, end: End, effort: Effort) -> Vec<Effect> {
        let Some(slot) = self.slots.iter_mut().find(|slot| matches!(&slot.phase, Phase::Busy { attempt, .. } if attempt.number == number))
        else {
            return Vec::new();
        };
        let Phase::Busy { attempt, work } = &slot.phase else { return Vec::new() };
        let outcome = outcome_of(end, work.gone);
        let attempt = attempt.clone();
        slot.close(attempt, outcome, effort)
    }

    fn outcome_recorded(&mut self, now: Moment, number: AttemptNumber) {
        let Some(slot) =
            self.slots.iter_mut().find(|slot| matches!(&slot.phase, Phase::Recording { attempt, .. } if attempt.number == number))
        else {
            return;
        };
        let Phase::Recording { attempt, outcome } = &slot.phase else { return };
        let (attempt, outcome) = (attempt.clone(), outcome.clone());
        let in_slot = slot.present.as_ref().map(|card| card.visit);
        if in_slot == Some(attempt.card.visit) || (in_slot.is_none() && outcome == Outcome::Pulled) {
            slot.phase = Phase::Finished { attempt, outcome };
        } else {
            slot.turn_to_present(now);
        }
    }

    fn arm(&mut self, armed: &Armed) -> Vec<Effect> {
        for slot in self.slots.iter_mut().filter(|slot| slot.settings.model == armed.model) {
            slot.armed = Some(armed.clone());
        }
        vec![Effect::Record(Box::new(Entry::ModelArmed(armed.clone())))]
    }

    fn stop(&mut self) -> Vec<Effect> {
        self.stopping = true;
        let busy = self.slots.iter().filter_map(|slot| match &slot.phase {
            Phase::Busy { attempt, work } if !work.gone => Some(Effect::Cancel(attempt.number)),
            _ => None,
        });
        busy.collect()
    }
}

impl Slot {
    fn close(&mut self, attempt: Box<Attempt>, outcome: Outcome, effort: Effort) -> Vec<Effect> {
        self.phase = Phase::Recording { attempt: attempt.clone(), outcome: outcome.clone() };
        vec![Effect::Record(Box::new(Entry::AttemptClosed { attempt, outcome, effort }))]
    }
}

/// One outcome for an end. A card that left while its lamp said busy is pulled whatever its thread found, because nobody
/// saw it turn green; only a refusal stays one, because then nothing was written.
#[must_use]
pub fn outcome_of(end: End, gone: bool) -> Outcome {
    match end {
        End::Refused(refusal) => Outcome::Refused(refusal),
        _ if gone => Outcome::Pulled,
        End::Gone => Outcome::Pulled,
        End::Verified(proof) => Outcome::Passed(proof),
        End::Failed(failure) => Outcome::Failed(failure),
        End::Cancelled => Outcome::Interrupted,
    }
}

#[cfg(test)]
mod tests;
