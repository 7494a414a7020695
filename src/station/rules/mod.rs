//! Decides what happens in each slot: a [`Station`] takes events and returns effects.

pub(crate) mod admit;
mod boxes;
pub(crate) mod cabling;
mod distrust;
mod event;
mod loss;
mod order_place;
mod orders;
mod proven;
mod requests;
mod restart;
mod returned;
mod slot;

use std::collections::BTreeSet;
use std::time::Duration;

use super::status::sign::Hold;
use super::status::view::{Anchor, DayCount, ModelView, SlotView, View};
use super::types::armed::{Armed, ArmedBy};
use super::types::card::{Card, Identity, Visit};
use super::types::labels::Labels;
use super::types::order::OrderNumber;
use super::types::outcome::{CacheFlush, CardHead, Digest, Effort, Failure, Outcome, Pull, Refusal, StationFault};
use super::types::port::{Cabling, Port};
use super::types::record::{Attempt, AttemptNumber, Entry, Plan, Receipt, Step};
use super::types::settings::{Configuration, StationSettings};
use super::types::standing::Standing;
use super::types::survey::Survey;
use super::types::units::{Bytes, Moment};
use admit::admit;
use cabling::pairs;
use distrust::Distrusted;
pub(crate) use event::{Before, Effect, End, Event};
use loss::{Returned, can_be, is_identified};
use order_place::OrderPlace;
use proven::Proven;
use restart::RestartAsked;
use slot::{Phase, Slot, Work};

/// How often a PC that cannot determine the users of a card is asked again before the card is refused. An unknown use is refused, but udev
/// may take seconds to examine many cards at once.
const SURVEYS: u32 = 20;

/// The errno for a missing answer (`asm-generic/errno.h`).
const ETIMEDOUT: i32 = 110;

/// Cards of one reader or hub that leave within this time have one cause.
const LOST_TOGETHER: Duration = Duration::from_secs(1);

/// The path of the udev rules for slots, for sentences that name the cure.
pub(crate) const RULES_FILE: &str = "/etc/udev/rules.d/61-flashline.rules";

/// The user that the station runs as under its service: the udev rules give it the disks in the slots. Not the group of that name, whose
/// members may only look.
pub(crate) const USER: &str = "flashline";

/// The station, as a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Station {
    settings: StationSettings,
    slots: Vec<Slot>,
    armed: Vec<Armed>,
    standing: Standing,
    cabling: Cabling,
    next_attempt: AttemptNumber,
    today: DayCount,
    anchor: Option<Anchor>,
    log_fault: Option<String>,
    stopping: bool,
    /// Somebody wants it to restart when the last card is out.
    restart: Option<RestartAsked>,
    proven: Proven,
    /// Who wrote the configuration that holds.
    by: Option<ArmedBy>,
    distrusted: Vec<Distrusted>,
    /// Every image that was staged anew since the configuration was read, once for each time.
    restages: Vec<Digest>,
}

impl Station {
    /// A station without slots, until [`Event::Configure`] sets them. `next_attempt` is one more than the newest attempt in the log, and
    /// `standing` has the requests in the log that still hold.
    #[must_use]
    pub(crate) fn new(settings: StationSettings, next_attempt: AttemptNumber, standing: Standing) -> Self {
        Self {
            settings,
            slots: Vec::new(),
            armed: Vec::new(),
            standing,
            cabling: Cabling::default(),
            next_attempt,
            today: DayCount::default(),
            anchor: None,
            log_fault: None,
            stopping: false,
            restart: None,
            proven: Proven::default(),
            by: None,
            distrusted: Vec::new(),
            restages: Vec::new(),
        }
    }

    /// Every port of a slot: a disk in any other port does not exist for the station.
    #[must_use]
    pub(crate) fn ports(&self) -> BTreeSet<Port> {
        self.slots.iter().filter(|slot| !slot.retired).flat_map(|slot| slot.settings.ports.iter().cloned()).collect()
    }

    /// May this image still be written, or is it being written?
    #[must_use]
    pub(crate) fn needs_image(&self, digest: Digest) -> bool {
        let at_work = self.slots.iter().filter(|slot| !slot.is_idle()).filter_map(|slot| slot.phase.attempt()?.image.as_ref());
        self.armed.iter().chain(at_work).any(|image| image.digest == digest)
    }

    /// Nothing is being written or recorded.
    #[must_use]
    pub(crate) fn is_idle(&self) -> bool {
        self.slots.iter().all(Slot::is_idle)
    }

    /// The view for the operator at this time.
    #[must_use]
    pub(crate) fn view(&self, now: Moment) -> View {
        let mut models: Vec<ModelView> = self.models().into_iter().map(|model| self.model_view(model)).collect();
        models.extend(self.orders_without_a_model(&models));
        View {
            station: self.settings.name.clone(),
            fault: self.log_fault.as_ref().map(|reason| format!("the flash log cannot be written: {reason}")),
            slots: self.slots.iter().map(|slot| self.slot_view(now, slot)).collect(),
            models,
            today: self.today,
            anchor: self.anchor.clone(),
            faults: self.faults(),
            log: self.standing.log.clone(),
            restart: self.restart_view(),
            exposed: self.slots.iter().filter(|slot| slot.exposed).map(|slot| slot.settings.name.clone()).collect(),
        }
    }

    fn slot_view(&self, now: Moment, slot: &Slot) -> SlotView {
        let view = slot.view(now, self.log_fault.is_some(), self.order_says(slot));
        if self.restart.is_some() { view.of_a_restarting_station() } else { view }
    }

    /// The decision of the order of a slot's model about the next card; `None` for a slot that accepts none.
    fn order_says(&self, slot: &Slot) -> OrderPlace {
        slot.usable().map_or(OrderPlace::NoOrder, |armed| self.place_in_order(&armed.logged_model()))
    }

    fn model_view(&self, name: String) -> ModelView {
        let armed = self.armed.iter().find(|armed| armed.model == name).cloned();
        let device = armed.as_ref().map_or_else(|| name.clone(), Armed::logged_model);
        ModelView { order: self.order_view(&device), name, device, armed }
    }

    /// Takes one event with its time and returns the actions.
    pub(crate) fn apply(&mut self, now: Moment, event: Event) -> Vec<Effect> {
        match event {
            Event::Seen { card, before, with_device } => self.seen(now, *card, before, with_device),
            Event::Gone { visit, with_device } => self.gone(now, visit, with_device),
            Event::Surveyed { visit, survey } => self.surveyed(now, visit, survey.map(|survey| *survey)),
            Event::Identified { visit, card } => {
                self.identified(now, visit, card.map(|card| *card));
                Vec::new()
            }
            Event::Advanced { attempt, step, done, of } => {
                self.advanced(now, attempt, step, done, of);
                Vec::new()
            }
            Event::Ended { attempt, end, effort } => self.ended(now, attempt, end, effort),
            Event::Stalled { attempt, waited, on_image, effort } => self.stalled(attempt, waited, on_image, effort),
            Event::Cabling(cabling) => {
                self.cabling = cabling;
                self.compare_cabling();
                Vec::new()
            }
            Event::Recorded(Receipt::Started(attempt)) => self.start_recorded(now, attempt),
            Event::Recorded(Receipt::Closed(attempt)) => self.outcome_recorded(now, attempt),
            Event::Recorded(Receipt::Asked(request)) => vec![Effect::Answer { request, answer: Ok(()) }],
            Event::LogHealth(fault) => {
                self.log_fault = fault;
                Vec::new()
            }
            Event::Covered(ports) => {
                for slot in &mut self.slots {
                    slot.exposed = slot.settings.ports.iter().any(|port| ports.get(port) == Some(&false));
                }
                Vec::new()
            }
            Event::Changed { attempt, sectors } => self.changed(attempt, sectors),
            Event::ImageFault { digest, fault } => self.distrust(digest, &fault),
            Event::Restaged { digest, result } => self.restaged(digest, result),
            Event::Configure(configuration) => self.configure(*configuration),
            Event::Asked { request, by, command } => self.asked(now, request, by, command),
            Event::Today(tally) => {
                self.today = tally;
                Vec::new()
            }
            Event::ShiftEnded(anchor) => {
                self.anchor = Some(anchor);
                Vec::new()
            }
            Event::Stop => self.stop(),
            Event::Tick => self.tick(now),
        }
    }

    fn seen(&mut self, now: Moment, card: Card, before: Option<Before>, with_device: Option<Duration>) -> Vec<Effect> {
        let lay_there = before == Some(Before::Start);
        // If cards that were there before are flashed, they are treated like any other.
        let before = before.filter(|before| *before != Before::Start || !self.settings.flash_present);
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.settings.ports.contains(&card.port)) else { return Vec::new() };
        let visit = card.visit;
        if !slot.holds(visit) {
            // A card that switched to the other USB generation of its socket may be seen there before it is missed here.
            let moved = slot.present.as_ref().is_some_and(|before| before.port != card.port);
            slot.lose(now, moved);
            slot.note_arrival(now, &card, before, with_device);
        }
        // A repeated report of a card contains only the facts that are seen, and no more.
        (slot.present, slot.numbers_asked) = (Some(card), None);
        match &mut slot.phase {
            Phase::Empty if before == Some(Before::Start) => slot.phase = Phase::Held(Hold::SinceStart),
            // A held card must not be touched, whatever it is. The next card is distinguished from a known one as soon as it is surveyed.
            Phase::Empty if before == Some(Before::Sleep) && slot.returned.is_some() => return slot.take_up(false),
            Phase::Empty if slot.returned.as_ref().is_some_and(Returned::was_held_unknown) => return slot.take_up(false),
            Phase::Empty => slot.restart_phase(now),
            // If it is another card than the surveyed one, everything begins anew; if it is the same one, the report is only a repetition.
            Phase::Settling { visit: before, .. } | Phase::Surveying { visit: before, .. } if *before != visit => slot.restart_phase(now),
            Phase::Finished { attempt, .. } if attempt.card.visit != visit => slot.restart_phase(now),
            // A reload may have given the slot another port meanwhile, in which another card lies. Its own card is still in the old port.
            Phase::Busy { attempt, work }
                if attempt.card.visit != visit && !work.gone && !lay_there && slot.settings.ports.contains(&attempt.card.port) =>
            {
                work.gone = true;
                return vec![Effect::Cancel(attempt.number)];
            }
            _ => {}
        }
        Vec::new()
    }

    fn gone(&mut self, now: Moment, visit: Visit, with_device: bool) -> Vec<Effect> {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.holds(visit)) else {
            // Its device has left after it.
            let losses = self.slots.iter_mut().filter_map(|slot| slot.loss.as_mut());
            losses.filter(|loss| loss.visit == visit).for_each(|loss| loss.with_device |= with_device);
            return Vec::new();
        };
        slot.lose(now, with_device);
        match &mut slot.phase {
            Phase::Held(_) | Phase::Settling { .. } | Phase::Surveying { .. } => slot.phase = Phase::Empty,
            // PULLED stays until the next card, because it may not have been read yet.
            Phase::Finished { outcome, .. } if !matches!(outcome, Outcome::Pulled(_)) => slot.restart_phase(now),
            Phase::Busy { attempt, work } if !work.gone => {
                work.gone = true;
                return vec![Effect::Cancel(attempt.number)];
            }
            _ => {}
        }
        Vec::new()
    }

    fn tick(&mut self, now: Moment) -> Vec<Effect> {
        let mut effects = self.close_those_who_left(now);
        self.tick_restart(now);
        if !self.stopping {
            effects.extend(self.ask_for_numbers(now));
        }
        if self.stopping || self.log_fault.is_some() {
            return effects;
        }
        let settle = self.settings.settle;
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            let Phase::Settling { visit, since, asked } = slot.phase else { continue };
            // A card that is not to be begun does not wait for an order.
            let waits = slot.returned.is_none() && matches!(self.order_says(slot), OrderPlace::UnderWay { .. });
            if slot.retired || now.since(since) < settle || waits {
                continue;
            }
            // The log's history of the card is read now, so entries that are on their way are waited for.
            if slot.present.as_ref().is_some_and(|card| self.is_being_recorded(card)) {
                continue;
            }
            let slot = &mut self.slots[index];
            if let Some(card) = slot.present.clone().filter(|card| card.visit == visit) {
                slot.phase = Phase::Surveying { visit, asked: asked + 1 };
                effects.push(Effect::Survey(Box::new(card)));
            }
        }
        effects
    }

    /// Is a card with the same identity in another slot now? Then the identity distinguishes neither: makers copy registers, too.
    fn has_twin(&self, card: &Card) -> bool {
        self.slots.iter().filter_map(|slot| slot.present.as_ref()).any(|other| other.visit != card.visit && other.is_same_as(card))
    }

    /// A row of this card is on its way to the disk, from a slot that it has left.
    fn is_being_recorded(&self, card: &Card) -> bool {
        let is_of = |slot: &Slot, attempt: &Attempt| {
            !slot.holds(attempt.card.visit) && attempt.card.visit != card.visit && attempt.card.is_same_as(card)
        };
        self.slots.iter().any(|slot| match &slot.phase {
            Phase::Leaving { attempt, .. } | Phase::Recording { attempt, .. } => is_of(slot, attempt),
            // Its thread may take long to return. Two sticks may share a serial, and one of them must not wait for the other.
            Phase::Opening { attempt } | Phase::Busy { attempt, .. } => card.identified == Identity::Cid && is_of(slot, attempt),
            _ => false,
        })
    }

    /// Attempts whose card left are closed once it is known which cards left with it.
    fn close_those_who_left(&mut self, now: Moment) -> Vec<Effect> {
        let waited = |slot: &Slot| matches!(slot.phase, Phase::Leaving { since, .. } if self.stopping || now.since(since) >= LOST_TOGETHER);
        let closing: Vec<(usize, Pull)> =
            (0..self.slots.len()).filter(|index| waited(&self.slots[*index])).map(|index| (index, self.why_it_left(index))).collect();
        let mut effects = Vec::new();
        for (index, pull) in closing {
            let slot = &mut self.slots[index];
            if let Phase::Leaving { attempt, effort, .. } = &slot.phase {
                let (attempt, effort) = (attempt.clone(), effort.clone());
                effects.extend(slot.close(attempt, Outcome::Pulled(pull), effort));
            }
        }
        effects
    }

    /// Alone, or with every other card of the largest device on which it hung?
    fn why_it_left(&self, index: usize) -> Pull {
        let Some(loss) = self.slots[index].loss.as_ref() else { return Pull::Taken };
        let upstream = loss.port.upstream();
        let together = upstream.iter().rev().find_map(|device| {
            let left = |slot: &Slot| {
                slot.loss.clone().filter(|other| {
                    let apart = other.at.since(loss.at).max(loss.at.since(other.at));
                    other.port.hangs_on(device) && apart <= LOST_TOGETHER
                })
            };
            // A card that is there again has left all the same. A card that is gone may have shown no medium a moment before its reader
            // left.
            let left_too = |slot: &Slot| left(slot).is_some_and(|other| other.with_device || slot.present.is_none());
            let on_it = |slot: &Slot| slot.present.as_ref().is_some_and(|card| card.port.hangs_on(device));
            let still_there = self.slots.iter().any(|slot| on_it(slot) && !left_too(slot));
            let slots: Vec<String> = self.slots.iter().filter(|slot| left_too(slot)).map(|slot| slot.settings.name.clone()).collect();
            let device_left = self.slots.iter().filter_map(left).any(|other| other.with_device);
            (device_left && !still_there && slots.len() > 1).then(|| Pull::ReaderLost { device: device.clone(), slots })
        });
        together.unwrap_or(Pull::Taken)
    }

    fn surveyed(&mut self, now: Moment, visit: Visit, survey: Option<Survey>) -> Vec<Effect> {
        if let Some(survey) = &survey {
            // Newer than the report about devices, which a reader that hangs may delay.
            self.cabling.learn(&survey.card.port, &survey.card.hangs_on);
            self.compare_cabling();
        }
        let asking = |slot: &Slot| matches!(slot.phase, Phase::Surveying { visit: asked, .. } if asked == visit);
        let Some(index) = self.slots.iter().position(asking) else { return Vec::new() };
        let slot = &self.slots[index];
        let Phase::Surveying { asked, .. } = slot.phase else { return Vec::new() };
        let Some(present) = slot.present.clone() else { return Vec::new() };
        let found = survey.filter(|survey| survey.card.visit == visit);
        if let Some(returned) = slot.returned.clone() {
            let same = found.as_ref().map(|survey| can_be(&survey.card, &returned.card));
            let is_sure = found.as_ref().is_some_and(|survey| self.stays_sure(&survey.card, &returned.card));
            let slot = &mut self.slots[index];
            match same {
                _ if self.stopping => return Vec::new(),
                None if asked < SURVEYS => {
                    slot.phase = Phase::Settling { visit, since: now, asked };
                    return Vec::new();
                }
                Some(false) => slot.was_a_hand(),
                None | Some(true) => return slot.take_up(is_sure),
            }
        }
        if self.restart.is_some() {
            self.slots[index].hold_back();
            return Vec::new();
        }
        let slot = &self.slots[index];
        let place = self.order_says(slot);
        // Asked again after the card has settled once more, until its users are known, or it has gone; and until it is known whether its
        // order needs it.
        let waits = (found.is_none() && asked < SURVEYS) || matches!(place, OrderPlace::UnderWay { .. });
        let has_twin = found.as_ref().is_some_and(|survey| self.has_twin(&survey.card));
        let work_order = if let OrderPlace::Free(order) = place { self.work_order_of(order) } else { None };
        let slot = &mut self.slots[index];
        if self.stopping || waits {
            let asked = if found.is_none() { asked } else { 0 };
            slot.phase = Phase::Settling { visit, since: now, asked };
            return Vec::new();
        }
        let admitted = match &found {
            Some(survey) => plan(survey, slot, place, self.settings.recheck_done),
            None => Err(Refusal::Unknown),
        };
        let image = slot.usable().cloned();
        let mut attempt = Box::new(Attempt {
            number: self.next_attempt,
            slot: slot.settings.name.clone(),
            model: image.as_ref().map_or_else(|| slot.settings.model.clone(), Armed::logged_model),
            image,
            past: found
                .as_ref()
                .map(|survey| survey.past.clone())
                .map(|past| if has_twin { past.of_a_twin() } else { past })
                .unwrap_or_default(),
            card: found.map_or(present, |survey| survey.card),
            plan: Plan::default(),
            order: None,
            labels: Labels::default(),
        });
        self.next_attempt += 1;
        match admitted {
            Ok((plan, order)) => {
                (attempt.plan, attempt.order, attempt.labels.work_order) = (plan, order, work_order);
                slot.phase = Phase::Opening { attempt: attempt.clone() };
                vec![Effect::Record(Box::new(Entry::AttemptStarted(attempt)))]
            }
            Err(refusal) => slot.close(attempt, Outcome::Refused(refusal), Effort::default()),
        }
    }

    /// Can only the card that left have come back? Its own identity proves it; or it is in a reader with several slots, which no hand takes
    /// off the bus to change a card.
    fn stays_sure(&self, card: &Card, left: &Card) -> bool {
        let shares_reader = |slot: &&Slot| {
            let here = |port: &Port| port.upstream().first().is_some_and(|reader| card.port.upstream().first() == Some(reader));
            slot.settings.ports.iter().any(here)
        };
        let in_reader = card.identified == Identity::ReaderOnly && self.slots.iter().filter(shares_reader).count() > 1;
        is_identified(card, left) || (in_reader && can_be(card, left))
    }

    fn start_recorded(&mut self, now: Moment, number: AttemptNumber) -> Vec<Effect> {
        let stopping = self.stopping;
        let Some(index) = self.slots.iter().position(|slot| matches!(&slot.phase, Phase::Opening { attempt } if attempt.number == number))
        else {
            return Vec::new();
        };
        let Phase::Opening { attempt } = &self.slots[index].phase else { return Vec::new() };
        let attempt = attempt.clone();
        let distrust = attempt.image.as_ref().and_then(|image| self.distrust_of(image.digest)).cloned();
        let slot = &mut self.slots[index];
        let is_taught_away = !slot.settings.ports.contains(&attempt.card.port);
        if !slot.holds(attempt.card.visit) && !is_taught_away {
            slot.phase = Phase::Leaving { attempt, effort: Effort::default(), since: now };
            return Vec::new();
        }
        if stopping || slot.retired || is_taught_away {
            return slot.close(attempt, Outcome::Interrupted, Effort::default());
        }
        if let Some(fault) = distrust {
            return slot.close(attempt, Outcome::StationFault(fault), Effort::default());
        }
        let of = attempt.image.as_ref().map_or(Bytes(0), |image| image.span);
        let step = if attempt.plan == Plan::Write { Step::Writing } else { Step::Rechecking };
        let work = Work { step, done: Bytes(0), of, step_began: now, last_heard: now, gone: false };
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

    fn ended(&mut self, now: Moment, number: AttemptNumber, end: End, effort: Effort) -> Vec<Effect> {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.stuck == Some(number)) {
            slot.stuck = None;
            if slot.phase == Phase::OutOfService {
                slot.restart_phase(now);
            }
            return Vec::new();
        }
        let Some(slot) = self.busy_with(number) else { return Vec::new() };
        let Phase::Busy { attempt, work } = &slot.phase else { return Vec::new() };
        let attempt = attempt.clone();
        // Findings about the image hold, whatever happened to the card.
        let fault = if let End::StationFault(fault) = &end { Some(fault.clone()) } else { None };
        let digest = attempt.image.as_ref().map(|image| image.digest);
        let mut effects = match outcome_of(end, work.gone) {
            Outcome::Pulled(_) => {
                if effort.flush == Some(CacheFlush::Unanswered) && effort.head == CardHead::Untouched {
                    slot.send_away(attempt.card.visit);
                }
                slot.phase = Phase::Leaving { attempt, effort, since: now };
                Vec::new()
            }
            outcome => {
                let outcome = once(&attempt, outcome);
                let effects = slot.close(attempt.clone(), outcome.clone(), effort);
                self.proven.remember(attempt, outcome);
                effects
            }
        };
        if let Some((digest, fault)) = digest.zip(fault) {
            effects.extend(self.distrust(digest, &fault));
        }
        effects
    }

    /// Its thread is given up: the attempt is closed now, and the slot accepts no card before the thread has returned.
    fn stalled(&mut self, number: AttemptNumber, waited: Duration, on_image: bool, effort: Effort) -> Vec<Effect> {
        let Some(slot) = self.busy_with(number) else { return Vec::new() };
        let Phase::Busy { attempt, work } = &slot.phase else { return Vec::new() };
        let (attempt, at) = (attempt.clone(), work.done);
        slot.stuck = Some(number);
        let (digest, outcome) = (attempt.image.as_ref().map(|image| image.digest), outcome_of_stall(at, waited, on_image));
        let mut effects = slot.close(attempt, outcome.clone(), effort);
        if let (Some(digest), Outcome::StationFault(fault)) = (digest, &outcome) {
            effects.extend(self.distrust(digest, fault));
        }
        effects
    }

    fn busy_with(&mut self, number: AttemptNumber) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| matches!(&slot.phase, Phase::Busy { attempt, .. } if attempt.number == number))
    }

    fn outcome_recorded(&mut self, now: Moment, number: AttemptNumber) -> Vec<Effect> {
        let Some(slot) =
            self.slots.iter_mut().find(|slot| matches!(&slot.phase, Phase::Recording { attempt, .. } if attempt.number == number))
        else {
            return Vec::new();
        };
        let Phase::Recording { attempt, outcome } = &slot.phase else { return Vec::new() };
        let (attempt, outcome) = (attempt.clone(), outcome.clone());
        let counted = (attempt.order, attempt.leaves(&outcome.word()), outcome.clone());
        let in_slot = slot.present.as_ref().map(|card| card.visit);
        if in_slot == Some(attempt.card.visit) || (in_slot.is_none() && matches!(outcome, Outcome::Pulled(_))) {
            slot.phase = Phase::Finished { attempt, outcome };
        } else {
            slot.restart_phase(now);
        }
        self.slots.retain(|slot| !slot.retired || !slot.is_idle());
        let (order, leaves, outcome) = counted;
        self.today.add(&outcome.word());
        self.count_in_order(order, leaves, &outcome);
        self.close_box_with(order, number)
    }

    /// Slots keep their state by name. A slot that is no longer configured is removed, a busy one when its card is done.
    fn configure(&mut self, configuration: Configuration) -> Vec<Effect> {
        let Configuration { station, slots, armed, unarmed, distrusted, by } = configuration;
        let mut before = std::mem::take(&mut self.slots);
        for settings in slots {
            let known = before.iter().position(|slot| slot.settings.name == settings.name);
            let mut slot = known.map_or_else(|| Slot::new(settings.clone()), |index| before.remove(index));
            if slot.present.as_ref().is_some_and(|card| !settings.ports.contains(&card.port)) {
                // The card's port now belongs to another slot, or to none; the watch reports it anew.
                (slot.present, slot.returned) = (None, None);
                if slot.is_idle() {
                    slot.phase = Phase::Empty;
                }
            }
            slot.armed = armed.iter().find(|armed| armed.model == settings.model).cloned();
            slot.unarmed = unarmed.iter().find(|unarmed| unarmed.model == settings.model).map(|unarmed| unarmed.reason.clone());
            (slot.settings, slot.retired) = (settings, false);
            self.slots.push(slot);
        }
        before.retain(|slot| !slot.is_idle());
        before.iter_mut().for_each(|slot| slot.retired = true);
        self.slots.append(&mut before);
        self.compare_cabling();
        self.settings = station;
        self.note_disarmings();
        let is_trusted_again = |digest| self.distrust_of(digest).is_some() && !distrusted.contains(&digest);
        let newly_armed = armed
            .iter()
            .filter(|armed| !self.armed.contains(armed) || is_trusted_again(armed.digest))
            .map(|armed| Effect::Record(Box::new(Entry::ModelArmed { armed: armed.clone(), by: by.clone() })));
        let mut effects: Vec<Effect> = newly_armed.collect();
        effects.extend(self.close_boxes_left_over());
        self.armed = armed;
        self.by = Some(by);
        self.trust_all_but(&distrusted);
        self.distrust_slots();
        effects
    }

    /// Which slots hang on other devices than those they were taught with?
    fn compare_cabling(&mut self) {
        let taught = |slot: &Slot| slot.settings.policy.hung_on.clone();
        let all = self.slots.iter().flat_map(taught).flat_map(|(port, chain)| pairs(&port, &chain).collect::<Vec<_>>()).collect();
        for slot in &mut self.slots {
            slot.recabled = taught(slot).iter().find_map(|(port, chain)| self.cabling.recabled(port, chain, &all));
        }
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

/// The plan for a card, and the order in which it is counted if it is good.
///
/// If done cards are recognised, a card that would be refused only by policy or by a complete order is read all the same: if it already
/// holds the image it is DONE, otherwise it is refused for that reason.
fn plan(survey: &Survey, slot: &Slot, place: OrderPlace, recheck: bool) -> Result<(Plan, Option<OrderNumber>), Refusal> {
    // Another port of the slot, in which the card is not, may now be another place.
    let cabled = slot.recabled.clone().map_or(Ok(()), Err);
    let admitted = admit(survey, slot.usable(), &slot.settings.policy).and(cabled).and(match place {
        OrderPlace::Complete { count } => Err(Refusal::OrderComplete { count }),
        OrderPlace::NoOrder | OrderPlace::Free(_) | OrderPlace::UnderWay { .. } => Ok(()),
    });
    let order = if let OrderPlace::Free(order) = place { Some(order) } else { None };
    match (admitted, place) {
        (Ok(()), _) if recheck => Ok((Plan::WriteUnlessDone, order)),
        (Ok(()), _) => Ok((Plan::Write, order)),
        // No place is left for it if it is good and was never counted.
        (Err(Refusal::Partitioned), OrderPlace::Complete { count }) if recheck => {
            Ok((Plan::RecheckOnly(Refusal::OrderComplete { count }), None))
        }
        (Err(why @ (Refusal::Partitioned | Refusal::OrderComplete { .. })), _) if recheck => Ok((Plan::RecheckOnly(why), order)),
        (Err(why), _) => Err(why),
    }
}

/// A card that already held its image counts once: when it was made, or else now. One that counts now takes its place in the order; if the
/// order has none left, it is refused like any other card.
fn once(attempt: &Attempt, outcome: Outcome) -> Outcome {
    let counted = attempt.image.as_ref().is_some_and(|image| attempt.past.has_counted(image.digest));
    match (outcome, &attempt.plan) {
        (Outcome::Rechecked(_) | Outcome::RecheckedMapped(_), Plan::RecheckOnly(why @ Refusal::OrderComplete { .. })) if !counted => {
            Outcome::Refused(why.clone())
        }
        (Outcome::Rechecked(proof), _) if !counted => Outcome::Found(proof),
        (Outcome::RecheckedMapped(proof), _) if !counted => Outcome::FoundMapped(proof),
        (outcome, _) => outcome,
    }
}

/// The outcome of an attempt that stopped at `at` and was given up. If it waited for the station's image, the card did not cause it.
#[must_use]
pub(crate) fn outcome_of_stall(at: Bytes, waited: Duration, on_image: bool) -> Outcome {
    if on_image {
        Outcome::StationFault(StationFault::Image { at, errno: Some(ETIMEDOUT) })
    } else {
        Outcome::Failed(Failure::Stalled { at, waited })
    }
}

/// The outcome for an end. A card that left while its lamp showed busy is pulled whatever its thread returned, because it was never shown
/// as green; only a refusal stays one, because then nothing was written.
#[must_use]
pub(crate) fn outcome_of(end: End, gone: bool) -> Outcome {
    match end {
        End::Refused(refusal) => Outcome::Refused(refusal),
        _ if gone => Outcome::Pulled(Pull::Taken),
        End::Gone => Outcome::Pulled(Pull::Taken),
        End::Verified(proof) => Outcome::Passed(proof),
        End::VerifiedMapped(proof) => Outcome::PassedMapped(proof),
        End::Rechecked(proof) => Outcome::Rechecked(proof),
        End::RecheckedMapped(proof) => Outcome::RecheckedMapped(proof),
        End::Failed(failure) => Outcome::Failed(failure),
        End::StationFault(fault) => Outcome::StationFault(fault),
        End::Cancelled => Outcome::Interrupted,
    }
}

#[cfg(test)]
mod exploration_tests;
#[cfg(test)]
mod order_cases;
#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod tests;
