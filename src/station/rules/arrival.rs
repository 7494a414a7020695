//! A card comes into a slot, sits still until it is surveyed, and leaves.

use std::time::Duration;

use super::first_off_place::FirstOffPlace;
use super::loss::Returned;
use super::order_place::OrderPlace;
use super::slot::{Phase, Slot};
use super::{Before, Effect, Station};
use crate::station::status::sign::Hold;
use crate::station::types::armed::Occasion;
use crate::station::types::card::{Card, Visit};
use crate::station::types::outcome::Outcome;
use crate::station::types::units::Moment;

impl Station {
    /// A card is in a slot. It is held at once if no card is begun now: the next tick may be too late for that.
    pub(super) fn seen(&mut self, now: Moment, card: Card, before: Option<Before>, with_device: Option<Duration>) -> Vec<Effect> {
        if !self.slots.iter().any(|slot| slot.settings.ports.contains(&card.port)) {
            return Vec::new();
        }
        let effects = self.arrives(now, card, before, with_device);
        self.hold_back();
        effects
    }

    fn arrives(&mut self, now: Moment, card: Card, before: Option<Before>, with_device: Option<Duration>) -> Vec<Effect> {
        let lay_there = before == Some(Before::Start);
        // If cards that were there at the start are flashed, they are treated like any other. After a reload, what lies in a port may have
        // been finished there by the slot that it belonged to, or be under way.
        let flashes_present = self.settings.flash_present && self.by.as_ref().is_some_and(|by| by.occasion == Occasion::Start);
        let before = before.filter(|before| *before != Before::Start || !flashes_present);
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

    pub(super) fn gone(&mut self, now: Moment, visit: Visit, with_device: bool) -> Vec<Effect> {
        let effects = self.leaves_while_busy(visit);
        if !self.slots.iter().any(|slot| slot.holds(visit)) {
            // Its device has left after it.
            let losses = self.slots.iter_mut().filter_map(|slot| slot.loss.as_mut());
            losses.filter(|loss| loss.visit == visit).for_each(|loss| loss.with_device |= with_device);
            return effects;
        }
        // Two slots, if a reload gave the port to another one while the row of the first was on its way.
        for slot in self.slots.iter_mut().filter(|slot| slot.holds(visit)) {
            slot.lose(now, with_device);
            match &mut slot.phase {
                Phase::Held(_) | Phase::Settling { .. } | Phase::Surveying { .. } => slot.phase = Phase::Empty,
                // PULLED stays until the next card, because it may not have been read yet.
                Phase::Finished { outcome, .. } if !matches!(outcome, Outcome::Pulled(_)) => slot.restart_phase(now),
                _ => {}
            }
        }
        effects
    }

    /// The card of a running attempt leaves. A reload may have given its port to another slot meanwhile, and another card to its own slot.
    fn leaves_while_busy(&mut self, visit: Visit) -> Vec<Effect> {
        let cancel = |slot: &mut Slot| match &mut slot.phase {
            Phase::Busy { attempt, work } if attempt.card.visit == visit && !work.gone => {
                work.gone = true;
                Some(Effect::Cancel(attempt.number))
            }
            _ => None,
        };
        self.slots.iter_mut().filter_map(cancel).collect()
    }

    pub(super) fn tick(&mut self, now: Moment) -> Vec<Effect> {
        let mut effects = self.close_those_who_left(now);
        self.hold_back();
        self.tick_restart(now);
        if !self.stopping {
            effects.extend(self.ask_for_numbers(now));
        }
        if self.stopping || !self.may_begin() {
            return effects;
        }
        let settle = self.settings.settle;
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            let Phase::Settling { visit, since, asked } = slot.phase else { continue };
            // A card that is not to be begun waits for no order and no approval.
            let is_unsure =
                matches!(self.order_says(slot), OrderPlace::UnderWay { .. }) || self.first_off_says(slot) != FirstOffPlace::Free;
            let waits = slot.returned.is_none() && (is_unsure || slot.is_closed());
            if slot.retired || now.since(since) < settle || waits {
                continue;
            }
            // The log's history of the card is read now, so entries that are on their way are waited for.
            if slot.present.as_ref().is_some_and(|card| self.is_being_recorded(card)) {
                continue;
            }
            let slot = &mut self.slots[index];
            if let Some(card) = slot.present.clone().filter(|card| card.visit == visit) {
                slot.phase = Phase::Surveying { visit, since: now, asked: asked + 1 };
                effects.push(Effect::Survey(Box::new(card)));
            }
        }
        effects
    }
}
