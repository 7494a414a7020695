//! Decides whether a card was put in by hand or came back to the bus by itself.
//!
//! A hub whose power dips, a reader that the kernel resets and a stick whose supply breaks down under load all leave the bus and come back.
//! These cards were not touched, so none of them may be started. If a medium changes in a reader that stays on the bus, a hand changed it,
//! however fast.

use std::time::Duration;

use super::loss::{Left, Loss, NumbersAsked, Returned, has_numbers};
use super::slot::{Phase, Slot};
use super::{Before, Effect, SURVEYS, Station};
use crate::station::status::sign::Hold;
use crate::station::types::card::{Card, Visit};
use crate::station::types::record::Entry;
use crate::station::types::units::Moment;

/// Interval after which a card that did not answer is asked again.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Station {
    /// Asks every held card for its identity, once, or until it answers.
    pub(super) fn ask_for_numbers(&mut self, now: Moment) -> Vec<Effect> {
        self.slots.iter_mut().filter_map(|slot| slot.ask_for_numbers(now)).map(|card| Effect::Identify(Box::new(card))).collect()
    }

    /// A card that was asked for its numbers has answered, or not.
    pub(super) fn identified(&mut self, now: Moment, visit: Visit, card: Option<Card>) {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.holds(visit)) else { return };
        if let Some(asked) = slot.numbers_asked.as_mut().filter(|asked| asked.visit == visit) {
            match card.filter(|card| card.visit == visit) {
                Some(card) => (slot.present, asked.times) = (Some(card), SURVEYS),
                None => asked.open_since = Some(now),
            }
        }
    }
}

impl Slot {
    fn ask_for_numbers(&mut self, now: Moment) -> Option<Card> {
        let card = self.present.as_ref().filter(|card| matches!(self.phase, Phase::Held(_)) && !has_numbers(card))?;
        let times = match self.numbers_asked.filter(|asked| asked.visit == card.visit) {
            None => 0,
            Some(NumbersAsked { times, open_since: Some(since), .. }) if times < SURVEYS && now.since(since) >= ASKED_AGAIN_AFTER => times,
            Some(_) => return None,
        };
        self.numbers_asked = Some(NumbersAsked { visit: card.visit, times: times + 1, open_since: None });
        Some(card.clone())
    }

    /// Another visit than before is in the slot: records whether that card came back by itself or was put in by hand.
    pub(super) fn note_arrival(&mut self, now: Moment, card: &Card, before: Option<Before>, with_device: Option<Duration>) {
        let loss = self.loss.as_ref().filter(|loss| loss.returns(now, card, with_device));
        let held_later = loss.and_then(|loss| loss.held_later);
        let is_own = self.phase.attempt().is_some_and(|attempt| attempt.card.visit == card.visit) && self.given_up != Some(card.visit);
        self.returned = match before {
            Some(Before::Sleep) => Some(Returned { left: Left::Held(Hold::Slept), card: card.clone() }),
            // In a port that a reload gave to a slot that is not empty: the slot uses this card later.
            Some(Before::Start) if self.phase != Phase::Empty && !is_own => Some(Returned { left: Left::Found, card: card.clone() }),
            Some(Before::Start) | None => loss.cloned().and_then(Loss::into_returned),
        };
        if self.returned.is_none() {
            self.returns = 0;
        } else if let Some(hold) = held_later {
            self.held_later = Some((card.visit, hold));
        }
    }

    /// This visit ended because the station asked its device to flush, and nothing was written: a card that comes back still counts as put
    /// in by hand, whatever was reported before.
    pub(super) fn send_away(&mut self, visit: Visit) {
        self.sent_away = Some(visit);
        if let Some(loss) = self.loss.as_mut().filter(|loss| loss.card.visit == visit) {
            loss.left = Left::Waiting;
        }
        if self.returned.as_ref().is_some_and(|returned| returned.card.visit == visit) {
            self.was_a_hand();
        }
    }

    /// It was another card after all, put in by a fast hand.
    pub(super) fn was_a_hand(&mut self) {
        (self.returned, self.returns) = (None, 0);
    }

    /// Restores the slot's state for the card that came back by itself, and counts the return. `is_sure`: only this card can have come
    /// back.
    pub(super) fn take_up(&mut self, is_sure: bool) -> Vec<Effect> {
        let (Some(returned), Some(present)) = (self.returned.take(), self.present.clone()) else { return Vec::new() };
        let stays = match returned.left {
            Left::Held(Hold::Slept) => Some(Hold::Slept),
            Left::Found => Some(Hold::SinceStart),
            _ => None,
        };
        if let Some(hold) = stays {
            self.phase = Phase::Held(hold);
            return Vec::new();
        }
        self.returns = self.returns.saturating_add(1);
        let held = Hold::Returned { times: self.returns };
        self.phase = match returned.left {
            // A proof does not outlive its claim: while the card was off the bus and back, any program could mount it.
            Left::Finished { mut attempt, outcome } if is_sure && !outcome.is_proven() => {
                (attempt.card.visit, attempt.card.port, attempt.card.kernel_name) =
                    (present.visit, present.port.clone(), present.kernel_name.clone());
                Phase::Finished { attempt, outcome }
            }
            Left::Held(hold @ (Hold::SinceStart | Hold::Slept)) => Phase::Held(hold),
            Left::Held(Hold::Returned { .. } | Hold::StationRestarts | Hold::Maintenance)
            | Left::Begun
            | Left::Finished { .. }
            | Left::Found
            | Left::Waiting => Phase::Held(held),
        };
        // A stick that does this all night must not fill the log: the 1st, 2nd, 4th, 8th … time is recorded.
        if !self.returns.is_power_of_two() {
            return Vec::new();
        }
        let entry = Entry::CardReturned { slot: self.settings.name.clone(), card: Box::new(present), times: self.returns };
        vec![Effect::Record(Box::new(entry))]
    }
}

#[cfg(test)]
mod cases;
