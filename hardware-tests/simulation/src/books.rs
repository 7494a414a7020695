//! The oracle's own books: what the station was told, what it has recorded, and what follows from that for the next card. They decide by
//! rules of their own, and never ask the station.

use std::collections::BTreeMap;

use crate::floor::{Draft, IMAGES, MODELS};
use crate::log::Log;
use crate::random::Random;
use crate::station::outcome::OutcomeWord;
use crate::station::request::Target;

/// What is known of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) visit: usize,
    pub(crate) slot: String,
    pub(crate) model: usize,
    pub(crate) device: Option<u8>,
    pub(crate) image: Option<u8>,
    pub(crate) order: Option<u64>,
    pub(crate) is_start_durable: bool,
    pub(crate) is_start_told: bool,
    pub(crate) is_started: bool,
    /// Its card has left: it cannot become good.
    pub(crate) is_lost: bool,
    pub(crate) closed: Option<OutcomeWord>,
    pub(crate) is_close_durable: bool,
    pub(crate) is_close_told: bool,
    /// A write by another program was noticed, and reported to the station.
    pub(crate) is_noticed: bool,
    pub(crate) is_change_told: bool,
}

impl Attempt {
    /// An attempt of which nothing is known but where it begins.
    pub(crate) fn new(visit: usize, slot: String, model: usize, image: Option<u8>) -> Self {
        Self {
            visit,
            slot,
            model,
            device: None,
            image,
            order: None,
            is_start_durable: false,
            is_start_told: false,
            is_started: false,
            is_lost: false,
            closed: None,
            is_close_durable: false,
            is_close_told: false,
            is_noticed: false,
            is_change_told: false,
        }
    }

    /// It may still become good.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_lost && !self.is_change_told && !self.is_close_durable && self.closed.as_ref().is_none_or(OutcomeWord::is_good)
    }
}

/// An order that was started and not stopped.
#[derive(Clone, Debug)]
pub(crate) struct Ordered {
    pub(crate) number: u64,
    pub(crate) model: String,
    pub(crate) count: u32,
}

/// The approval of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct First {
    pub(crate) model: usize,
    pub(crate) image: u8,
    pub(crate) device: Option<u8>,
    pub(crate) config: u8,
    pub(crate) armed_by: Vec<u32>,
    pub(crate) from: u64,
    pub(crate) card: Option<u64>,
    pub(crate) is_approved: bool,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Asked,
    Recorded,
    Durable,
    Answered,
}

/// What the oracle knows of a station, from its log and what was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    pub(crate) attempts: BTreeMap<u64, Attempt>,
    pub(crate) disarmed: Vec<Target>,
    /// Slots that the station closed, because too many cards fail in them.
    pub(crate) quarantined: Vec<String>,
    pub(crate) orders: Vec<Ordered>,
    pub(crate) firsts: Vec<First>,
    pub(crate) is_maintained: bool,
    pub(crate) is_restarting: bool,
    pub(crate) has_log_fault: bool,
    pub(crate) is_restricted: bool,
    pub(crate) suspect: [bool; IMAGES as usize],
    /// Confirmations of the log that are on their way to the station.
    pub(crate) receipts_due: u64,
    requests: BTreeMap<u64, Request>,
    /// Since when the card in each place could have been begun.
    pub(crate) eligible_since: BTreeMap<usize, u64>,
}

impl Books {
    /// The daemon has started with this log.
    pub(crate) fn begin(&mut self, log: &Log) {
        let standing = log.standing();
        self.disarmed = standing.disarmings.into_iter().map(|disarming| disarming.target).collect();
        self.quarantined = standing.quarantines.iter().map(|finding| finding.suspect.name().to_owned()).collect();
        let ordered = |order: crate::station::order::Order| Ordered { number: order.number, model: order.model, count: order.count };
        self.orders = standing.orders.into_iter().map(ordered).collect();
        self.is_maintained = standing.maintenance.is_some();
        let first = |first: crate::station::first_off::FirstOff| First {
            model: MODELS.iter().position(|model| *model == first.model).unwrap_or(0),
            image: crate::floor::image_of(first.binding.image),
            device: first.binding.assertion.as_ref().and_then(|text| text.parse().ok()),
            config: first.binding.config.0[0],
            armed_by: first.armed_by.iter().map(|who| who.uid).collect(),
            from: 0,
            card: first.card.map(|card| card.attempt),
            is_approved: first.approved_by.is_some(),
        };
        self.firsts = standing.first_offs.into_iter().map(first).collect();
        (self.is_restarting, self.has_log_fault, self.is_restricted) = (false, false, false);
        self.suspect = [false; IMAGES as usize];
    }

    /// The daemon has ended: what is not durable never was.
    pub(crate) fn end(&mut self) {
        self.attempts.retain(|_, attempt| attempt.is_start_durable || attempt.is_close_durable);
        for attempt in self.attempts.values_mut().filter(|attempt| !attempt.is_close_durable) {
            attempt.closed = None;
        }
        self.requests.clear();
        self.eligible_since.clear();
        self.receipts_due = 0;
    }

    /// A configuration takes effect.
    pub(crate) fn configure(&mut self, draft: &Draft, asked_by: u32, next_attempt: u64) {
        let before = std::mem::take(&mut self.firsts);
        if !draft.station.first_off {
            return;
        }
        for (model, armed) in draft.models.iter().enumerate().filter(|(_, model)| model.is_armed) {
            let is_same =
                |first: &&First| (first.model, first.image, first.device, first.config) == (model, armed.image, armed.device, draft.number);
            let owner = if draft.owner == 0 { 0 } else { 1000 + draft.owner };
            let fresh = || First {
                model,
                image: armed.image,
                device: armed.device,
                config: draft.number,
                armed_by: vec![owner, asked_by],
                from: next_attempt,
                card: None,
                is_approved: false,
            };
            self.firsts.push(before.iter().find(is_same).cloned().unwrap_or_else(fresh));
        }
    }

    /// Is a slot of this name with this model out of work?
    pub(crate) fn is_disarmed(&self, slot: &str, model: usize) -> bool {
        let is_of_it = |target: &Target| match target {
            Target::Slot(name) => name == slot,
            Target::Model(name) => name == MODELS[model],
        };
        self.disarmed.iter().any(is_of_it) || self.quarantined.iter().any(|name| name == slot)
    }

    /// What has to be armed so that every slot works again.
    pub(crate) fn to_be_armed(&self) -> Vec<Target> {
        self.disarmed.iter().cloned().chain(self.quarantined.iter().cloned().map(Target::Slot)).collect()
    }

    /// No card is begun, whatever it is.
    pub(crate) fn rests(&self) -> bool {
        self.is_maintained || self.is_restarting
    }

    pub(crate) fn order_of(&self, model: &str) -> Option<&Ordered> {
        self.orders.iter().find(|order| order.model == model)
    }

    /// An attempt whose end the station has shown, for events that come too late.
    pub(crate) fn closed_before(&self, random: &mut Random) -> Option<u64> {
        let closed: Vec<u64> =
            self.attempts.iter().filter(|(_, attempt)| attempt.is_close_told && attempt.is_over()).map(|(number, _)| *number).collect();
        (!closed.is_empty()).then(|| closed[random.index(closed.len())])
    }

    pub(crate) fn asked(&mut self, request: u64) {
        self.requests.insert(request, Request::Asked);
    }

    /// The answer to a request is being recorded.
    pub(crate) fn answered(&mut self, request: u64, is_recorded: bool) {
        self.requests.insert(request, if is_recorded { Request::Recorded } else { Request::Answered });
    }

    pub(crate) fn is_durable(&mut self, request: u64) {
        self.requests.insert(request, Request::Durable);
    }

    /// An answer is given; true if it must not be.
    pub(crate) fn answer_is_wrong(&mut self, request: u64) -> bool {
        let before = self.requests.insert(request, Request::Answered);
        !matches!(before, Some(Request::Asked | Request::Durable))
    }

    /// A request that has no answer.
    pub(crate) fn unanswered(&self) -> Option<u64> {
        self.requests.iter().find(|(_, state)| **state != Request::Answered).map(|(request, _)| *request)
    }

    /// A write to a proven card is noticed: true for the first time.
    pub(crate) fn notice(&mut self, attempt: u64) -> bool {
        self.attempts.get_mut(&attempt).is_some_and(|attempt| !std::mem::replace(&mut attempt.is_noticed, true))
    }
}

impl Attempt {
    /// It is not good, so that nothing that happens to its card is of interest any more.
    fn is_over(&self) -> bool {
        self.is_close_durable && !self.closed.as_ref().is_some_and(OutcomeWord::holds_image)
    }
}
