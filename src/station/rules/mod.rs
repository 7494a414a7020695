//! Decides what happens in each slot: a [`Station`] takes events and returns effects.

pub(crate) mod admit;
mod arrival;
mod beginning;
mod boxes;
pub(crate) mod cabling;
mod distrust;
mod ending;
mod event;
mod failures;
mod first_off;
mod first_off_place;
mod loss;
mod maintenance;
mod order_place;
mod orders;
mod proven;
mod prover;
mod quarantine;
mod requests;
mod restart;
mod resting;
mod restricted;
mod returned;
mod rows;
mod second_try;
mod slot;

use std::collections::BTreeSet;

use super::status::view::{Anchor, DayCount, ModelView, SlotView, View};
use super::types::armed::{Armed, ArmedBy};
use super::types::outcome::Digest;
use super::types::port::{Cabling, Port};
use super::types::record::{AttemptNumber, Entry, Receipt};
use super::types::restriction::Restriction;
use super::types::settings::{Configuration, StationSettings};
use super::types::standing::Standing;
use super::types::units::Moment;
use cabling::pairs;
use distrust::Distrusted;
pub(crate) use ending::{outcome_of, outcome_of_stall};
pub(crate) use event::{Before, Effect, End, Event};
pub(crate) use failures::CARDS_COUNTED;
use failures::Failures;
pub(crate) use loss::RETURNS_WITHIN;
use order_place::OrderPlace;
use proven::Proven;
use prover::Verifier;
use restart::RestartAsked;
use rows::Rows;
use second_try::FailedCards;
use slot::{Phase, Slot};

/// How often a PC that cannot determine the users of a card is asked again before the card is refused. An unknown use is refused, but udev
/// may take seconds to examine many cards at once.
const SURVEYS: u32 = 20;

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
    /// What the PC or the unit does not let the station do.
    restrictions: Vec<Restriction>,
    /// Whether this program was proven to detect the faults of cards.
    verifier: Verifier,
    stopping: bool,
    /// Somebody wants it to restart when the last card is out.
    restart: Option<RestartAsked>,
    proven: Proven,
    /// Who wrote the configuration that holds.
    by: Option<ArmedBy>,
    distrusted: Vec<Distrusted>,
    /// Every image that was staged anew since the configuration was read, once for each time.
    restages: Vec<Digest>,
    failures: Failures,
    failed_cards: FailedCards,
    rows: Rows,
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
            restrictions: Vec::new(),
            verifier: Verifier::default(),
            stopping: false,
            restart: None,
            proven: Proven::default(),
            by: None,
            distrusted: Vec::new(),
            restages: Vec::new(),
            failures: Failures::default(),
            failed_cards: FailedCards::default(),
            rows: Rows::default(),
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
            config: self.by.as_ref().map(|by| by.digest),
            fault: self.fault(),
            log_fault: self.log_fault_sentence(),
            restrictions: self.restrictions.clone(),
            verifier: self.unproven_verifier(),
            slots: self.slots.iter().map(|slot| self.slot_view(now, slot)).collect(),
            models,
            today: self.today,
            anchor: self.anchor.clone(),
            faults: self.faults(),
            log: self.standing.log.clone(),
            restart: self.restart_view(),
            maintenance: self.maintenance_view(),
            suspects: self.standing.suspects.clone(),
            exposed: self.slots.iter().filter(|slot| slot.exposed).map(|slot| slot.settings.name.clone()).collect(),
        }
    }

    fn slot_view(&self, now: Moment, slot: &Slot) -> SlotView {
        let view = slot.view(now, self.fault().is_some(), self.order_says(slot), &self.first_off_says(slot));
        let view = if self.asks_for_second_try(slot) { view.of_a_first_try() } else { view };
        match self.sign_of_rest() {
            Some(sign) => view.of_a_resting_station(sign),
            None => view,
        }
    }

    /// The decision of the order of a slot's model about the next card; `None` for a slot that accepts none.
    fn order_says(&self, slot: &Slot) -> OrderPlace {
        slot.usable().map_or(OrderPlace::NoOrder, |armed| self.place_in_order(&armed.logged_model()))
    }

    fn model_view(&self, name: String) -> ModelView {
        let armed = self.armed.iter().find(|armed| armed.model == name).cloned();
        let device = armed.as_ref().map_or_else(|| name.clone(), Armed::logged_model);
        ModelView { order: self.order_view(&device), first_off: self.first_off_view(&name), name, device, armed }
    }

    /// Takes one event with its time and returns the actions.
    pub(crate) fn apply(&mut self, now: Moment, event: Event) -> Vec<Effect> {
        if let Event::Recorded(receipt) = &event {
            self.rows.arrive(now, *receipt);
        }
        let effects = self.decide(now, event);
        self.give_claims_up();
        self.rows.send(&effects);
        self.rows.forget(now, &self.slots);
        effects
    }

    fn decide(&mut self, now: Moment, event: Event) -> Vec<Effect> {
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
            Event::Recorded(Receipt::Changed(attempt)) => {
                self.change_recorded(attempt);
                Vec::new()
            }
            Event::Recorded(Receipt::Asked(request)) => vec![Effect::Answer { request, answer: Ok(()) }],
            Event::LogHealth(fault) => {
                self.log_fault = fault;
                Vec::new()
            }
            Event::Restricted(restrictions) => {
                self.restrictions = restrictions;
                Vec::new()
            }
            Event::Covered(ports) => {
                for slot in &mut self.slots {
                    slot.exposed = slot.settings.ports.iter().any(|port| ports.get(port) == Some(&false));
                }
                Vec::new()
            }
            Event::Prover(report) => self.prover_reported(report),
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
            Event::Written(cards) => {
                self.take_written(cards);
                Vec::new()
            }
            Event::Stop => self.stop(),
            Event::Tick => self.tick(now),
        }
    }

    /// Slots keep their state by name. A slot that is no longer configured is removed, a busy one when its card is done.
    fn configure(&mut self, configuration: Configuration) -> Vec<Effect> {
        let Configuration { station, slots, armed, unarmed, distrusted, by } = configuration;
        let mut before = std::mem::take(&mut self.slots);
        for settings in slots {
            let known = before.iter().position(|slot| slot.settings.name == settings.name);
            let mut slot = known.map_or_else(|| Slot::new(settings.clone()), |index| before.remove(index));
            let has_other_port = slot.present.as_ref().is_some_and(|card| !settings.ports.contains(&card.port));
            if has_other_port || slot.was_another_slots() {
                // The card's port now belongs to another slot, or to none, or did meanwhile; the watch reports it anew.
                slot.given_up = slot.given_up.or(slot.opening().filter(|visit| slot.holds(*visit)));
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
        self.note_quarantines();
        self.count_only_configured_slots();
        let rules = self.renew_first_offs(&armed, &by);
        let was_distrusted = |digest| self.distrust_of(digest).is_some();
        // A copy that stays distrusted arms no model: its entry follows when it has been staged anew.
        let is_trusted = |digest| !was_distrusted(digest) || !distrusted.contains(&digest);
        let newly_armed = armed
            .iter()
            .zip(rules)
            .filter(|(armed, _)| is_trusted(armed.digest))
            .filter(|(armed, (_, is_new))| *is_new || !self.armed.contains(armed) || was_distrusted(armed.digest))
            .map(|(armed, (first_off, _))| Entry::ModelArmed { armed: armed.clone(), by: by.clone(), first_off })
            .map(|entry| Effect::Record(Box::new(entry)));
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

#[cfg(test)]
mod exploration_tests;
#[cfg(test)]
mod order_cases;
#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod tests;
