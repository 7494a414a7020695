//! The state of one slot: the card in it, and the progress of the work on it.
//!
//! ```text
//!                     Seen                settle over              no
//!        ┌─▶ Empty ─────────▶ Settling ──────────────▶ Surveying ──────────────┐
//!        │     ▲ Gone            │  ▲ another card          │ admitted          │
//!        │     └─────────────────┘  └───────────────┐       ▼                   │
//!        │                                          │   Opening  start recorded │
//!        │ Gone (Pulled: the next card)             │       ▼                   ▼
//!        └───────────── Finished ◀── Recorded ── Recording ◀──── Busy      (refused)
//!               thread has not returned │           ▲  Ended     │ gone
//!                                       ▼           └─ Leaving ◀─┘
//!                                 OutOfService         a second: alone, or with its whole reader?
//! ```
//!
//! A card that came back by itself ([`Returned`]) settles and is surveyed like any other, and is then `Held`, or `Finished` as it was.
//!
//! The card in the slot ([`Slot::present`]) and the card being worked on ([`Phase`]) are separate: a card may be gone, or replaced, long
//! before its thread notices. A phase never refers to a card other than its own.

use super::first_off_place::FirstOffPlace;
use super::loss::{Left, Loss, NumbersAsked, Returned};
use super::order_place::OrderPlace;
use crate::station::status::sign::{Hold, OperatorAction, Sign};
use crate::station::status::view::{Progress, SlotView};
use crate::station::types::armed::Armed;
use crate::station::types::card::{Card, Visit};
use crate::station::types::outcome::{Effort, Outcome, Refusal, StationFault};
use crate::station::types::record::{Attempt, AttemptNumber, Step};
use crate::station::types::settings::SlotSettings;
use crate::station::types::suspect::Finding;
use crate::station::types::units::{Bytes, Moment};

/// The progress of the work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// No card is in the slot.
    Empty,
    /// The card was not put in to be erased.
    Held(Hold),
    /// Waiting for the card to sit still.
    Settling { visit: Visit, since: Moment, asked: u32 },
    /// Finding out which programs use it, and what the log says of it, for the `asked`th time.
    Surveying { visit: Visit, since: Moment, asked: u32 },
    /// The start is on its way to the disk. Nothing has been opened yet.
    Opening { attempt: Box<Attempt> },
    /// A thread works on the card.
    Busy { attempt: Box<Attempt>, work: Work },
    /// The card left and its thread has ended; others may be leaving with it.
    Leaving { attempt: Box<Attempt>, effort: Effort, since: Moment },
    /// The outcome is on its way to the disk.
    Recording { attempt: Box<Attempt>, outcome: Outcome },
    /// The outcome is on disk and shown.
    Finished { attempt: Box<Attempt>, outcome: Outcome },
    /// The thread of a stalled attempt is still in the kernel.
    OutOfService,
}

impl Phase {
    /// The attempt of the phase.
    pub(super) fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Opening { attempt }
            | Self::Busy { attempt, .. }
            | Self::Leaving { attempt, .. }
            | Self::Recording { attempt, .. }
            | Self::Finished { attempt, .. } => Some(attempt),
            Self::Empty | Self::Held(_) | Self::Settling { .. } | Self::Surveying { .. } | Self::OutOfService => None,
        }
    }

    /// The error of the station for the card of the phase.
    pub(super) fn station_fault(&self) -> Option<&StationFault> {
        match self {
            Self::Recording { outcome: Outcome::StationFault(fault), .. }
            | Self::Finished { outcome: Outcome::StationFault(fault), .. } => Some(fault),
            _ => None,
        }
    }
}

/// The progress of a thread.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Work {
    pub(super) step: Step,
    pub(super) done: Bytes,
    pub(super) of: Bytes,
    pub(super) step_began: Moment,
    pub(super) last_heard: Moment,
    /// The card left, or was swapped, while busy.
    pub(super) gone: bool,
}

/// A slot and its state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slot {
    pub(super) settings: SlotSettings,
    pub(super) armed: Option<Armed>,
    /// Why nothing is armed, if that is known.
    pub(super) unarmed: Option<String>,
    /// The staged copy of its image is damaged, or the verifier is not to be trusted: no card is begun, and the engineer is called.
    pub(super) distrusted: Option<String>,
    /// Its ports hang on other devices than the taught ones: nothing is written here until that is corrected.
    pub(super) recabled: Option<Refusal>,
    /// A user took the slot or its model out of work: who, and why.
    pub(super) disarmed: Option<String>,
    /// Too many cards failed here: none is begun until a user arms the slot.
    pub(super) quarantine: Option<Finding>,
    /// A user is searching for the slot until then.
    pub(super) identify_until: Option<Moment>,
    /// The card in the slot by the kernel's last report.
    pub(super) present: Option<Card>,
    pub(super) phase: Phase,
    pub(super) loss: Option<Loss>,
    /// The earlier state of the card in the slot before it came back by itself.
    pub(super) returned: Option<Returned>,
    /// The progress of asking the held card for its identity.
    pub(super) numbers_asked: Option<NumbersAsked>,
    /// How often a card came back by itself since one was put in by hand.
    pub(super) returns: u32,
    /// The visit whose device left the bus when the station asked it to flush, before anything was written: neither a hand nor a blink.
    pub(super) sent_away: Option<Visit>,
    /// This visit is not to be begun when it is its turn, because it was put in while no card was begun.
    pub(super) held_later: Option<(Visit, Hold)>,
    /// The visit that a reload gave to another slot while its start or its proof was on its way to the disk, and nobody claimed it.
    pub(super) given_up: Option<Visit>,
    /// The attempt whose thread has not returned although its outcome is recorded.
    pub(super) stuck: Option<AttemptNumber>,
    /// One of its ports is not protected from the PC's other programs.
    pub(super) exposed: bool,
    /// No longer configured; removed as soon as its work is done.
    pub(super) retired: bool,
}

impl Slot {
    pub(super) fn new(settings: SlotSettings) -> Self {
        Self {
            settings,
            armed: None,
            unarmed: None,
            distrusted: None,
            recabled: None,
            disarmed: None,
            quarantine: None,
            identify_until: None,
            present: None,
            phase: Phase::Empty,
            loss: None,
            returned: None,
            numbers_asked: None,
            returns: 0,
            sent_away: None,
            held_later: None,
            given_up: None,
            stuck: None,
            exposed: false,
            retired: false,
        }
    }

    /// The image that may be written here now.
    pub(super) fn usable(&self) -> Option<&Armed> {
        self.armed.as_ref().filter(|_| self.disarmed.is_none() && self.distrusted.is_none())
    }

    /// Is the slot in quarantine, and nothing else stands against a card here? Then its card waits, untouched, until a user arms the slot.
    pub(super) fn is_closed(&self) -> bool {
        self.quarantine.is_some() && self.usable().is_some() && self.recabled.is_none()
    }

    /// Is this visit the card that is in the slot now?
    pub(super) fn holds(&self, visit: Visit) -> bool {
        self.present.as_ref().is_some_and(|card| card.visit == visit)
    }

    /// Is the card of this visit in the slot, and has been since? After a sleep one is there under the same name, and may be another one; and
    /// while nobody claimed it, another program may have written to it.
    pub(super) fn still_holds(&self, visit: Visit) -> bool {
        self.holds(visit) && self.loss.as_ref().is_none_or(|loss| loss.visit != visit) && self.given_up != Some(visit)
    }

    /// Was the card in the slot that of another one meanwhile? A slot that was not configured, and still had work, gets its port back: of what
    /// lies there, only the card of its own attempt was its own all the time.
    pub(super) fn was_another_slots(&self) -> bool {
        let own = self.phase.attempt().map(|attempt| attempt.card.visit);
        self.retired && self.present.as_ref().is_some_and(|card| Some(card.visit) != own)
    }

    /// The card whose start is on its way to the disk.
    pub(super) fn opening(&self) -> Option<Visit> {
        if let Phase::Opening { attempt } = &self.phase { Some(attempt.card.visit) } else { None }
    }

    /// Nothing is being recorded or written for this slot.
    pub(super) fn is_idle(&self) -> bool {
        !matches!(self.phase, Phase::Opening { .. } | Phase::Busy { .. } | Phase::Leaving { .. } | Phase::Recording { .. })
    }

    /// The kernel reports that the card has left the slot, and whether its device left with it.
    pub(super) fn lose(&mut self, now: Moment, with_device: bool) {
        if let Some(card) = self.present.take() {
            let returned = self.returned.take();
            // The survey knows more facts about the card than the watch sees.
            let surveyed = self.phase.attempt().map(|attempt| &attempt.card).filter(|own| own.visit == card.visit).cloned();
            let (left, known) = match returned {
                Some(Returned { left, card }) => (left, card),
                None => (self.left_by(&card), surveyed.unwrap_or_else(|| card.clone())),
            };
            let held_later = self.hold_of(card.visit);
            self.held_later = None;
            self.loss = Some(Loss { at: now, visit: card.visit, port: card.port, with_device, card: known, left, held_later });
        }
    }

    /// The state of the slot for the card that leaves it.
    fn left_by(&self, card: &Card) -> Left {
        if self.sent_away == Some(card.visit) {
            return Left::Waiting;
        }
        if let Some(hold) = self.hold_of(card.visit) {
            return Left::Held(hold);
        }
        let own = self.phase.attempt().is_some_and(|attempt| attempt.card.visit == card.visit);
        match &self.phase {
            Phase::Held(hold) => Left::Held(*hold),
            Phase::Opening { .. } | Phase::Busy { .. } | Phase::Leaving { .. } if own => Left::Begun,
            Phase::Recording { attempt, outcome } | Phase::Finished { attempt, outcome } if own => match outcome {
                Outcome::Pulled(_) | Outcome::Interrupted => Left::Begun,
                _ => Left::Finished { attempt: attempt.clone(), outcome: outcome.clone() },
            },
            _ => Left::Waiting,
        }
    }

    /// Starts the phases again with the card in the slot. Called when the last phase has ended.
    pub(super) fn restart_phase(&mut self, now: Moment) {
        self.phase = match &self.present {
            _ if self.stuck.is_some() => Phase::OutOfService,
            Some(card) => match self.hold_of(card.visit).filter(|_| self.returned.is_none()) {
                Some(hold) => Phase::Held(hold),
                None => Phase::Settling { visit: card.visit, since: now, asked: 0 },
            },
            None => Phase::Empty,
        };
    }

    pub(super) fn view(&self, now: Moment, station_fault: bool, place: OrderPlace, first_off: &FirstOffPlace) -> SlotView {
        let sign = self.sign(place, first_off);
        let progress = match &self.phase {
            Phase::Busy { work, .. } => Some(Progress::new(work.done, work.of, work.last_heard.since(work.step_began))),
            _ => None,
        };
        // While an attempt is shown, the named card is the attempt's own, never the one that replaced it.
        let attempt = self.phase.attempt();
        let card = attempt.map(|attempt| &attempt.card).or(self.present.as_ref()).map(Card::label);
        SlotView {
            slot: self.settings.name.clone(),
            // A reload may have given the slot another port since.
            model: attempt.and_then(|attempt| attempt.image.as_ref()).map_or(&self.settings.model, |image| &image.model).clone(),
            call: if station_fault || (self.distrusted.is_some() && sign.call() == OperatorAction::Nothing) {
                OperatorAction::StationFault
            } else {
                sign.call()
            },
            sign,
            card,
            attempt: attempt.map(|attempt| attempt.number),
            diskseq: attempt.map(|attempt| &attempt.card).or(self.present.as_ref()).map(|card| card.visit.diskseq),
            identify: self.identify_until.is_some_and(|until| now < until),
            progress,
            returns: self.returns,
        }
    }

    fn sign(&self, place: OrderPlace, first_off: &FirstOffPlace) -> Sign {
        // Before the order: whatever that needs, no card is begun.
        let waits_in_slot = matches!(self.phase, Phase::Settling { .. }) && self.returned.is_none();
        if let Some(finding) = self.quarantine.as_ref().filter(|_| self.is_closed() && (waits_in_slot || self.phase == Phase::Empty)) {
            return Sign::Quarantined(finding.clone());
        }
        match first_off {
            FirstOffPlace::Waits(card) if waits_in_slot || (self.phase == Phase::Empty && self.recabled.is_none()) => {
                return Sign::NotApproved { card: card.name() };
            }
            FirstOffPlace::UnderWay if waits_in_slot => return Sign::FirstCardUnderWay,
            FirstOffPlace::Free | FirstOffPlace::UnderWay | FirstOffPlace::Waits(_) => {}
        }
        match (&self.phase, place) {
            (Phase::Empty, _) if self.recabled.is_some() => {
                Sign::Disarmed(self.recabled.as_ref().map(ToString::to_string).unwrap_or_default())
            }
            (Phase::Empty, _) if self.usable().is_none() => {
                let why = self.distrusted.as_ref().or(self.disarmed.as_ref()).or(self.unarmed.as_ref());
                Sign::Disarmed(why.cloned().unwrap_or_else(|| "no image is armed".to_owned()))
            }
            (Phase::Empty, OrderPlace::Complete { count }) => Sign::OrderComplete { count },
            (Phase::Settling { .. }, OrderPlace::UnderWay { count }) if self.returned.is_none() => Sign::OrderUnderWay { count },
            (phase, _) => Self::sign_of(phase),
        }
    }

    fn sign_of(phase: &Phase) -> Sign {
        match phase {
            Phase::Empty => Sign::Empty,
            Phase::Held(hold) => Sign::Held(*hold),
            Phase::Settling { .. } | Phase::Surveying { .. } | Phase::Opening { .. } => Sign::Preparing,
            Phase::Busy { work, .. } => Sign::of_step(work.step),
            Phase::Leaving { .. } | Phase::Recording { .. } => Sign::Recording,
            Phase::Finished { outcome, .. } => Sign::of_outcome(outcome),
            Phase::OutOfService => Sign::OutOfService,
        }
    }
}
