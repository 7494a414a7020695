//! A hand or a blink? What left a slot, and whether what is there now came back by itself.
//!
//! A hub whose power dips, a reader that the kernel resets and a stick whose supply breaks down under load all leave the bus and come back.
//! Nobody touched those cards, so none of them may be begun. A medium that is changed in a reader that stays on the bus was changed by a
//! hand, however fast.

use std::time::Duration;

use super::card::{Card, Identified, Port, Visit};
use super::outcome::Outcome;
use super::record::{Attempt, Entry};
use super::slot::{Phase, Slot};
use super::units::Moment;
use super::view::Hold;
use super::{Before, Effect, SURVEYS, Station};

/// A device that is back on its bus within this was not taken out and put in again: nobody is so fast. A hub that resets itself
/// takes less than a second.
pub(super) const RETURNS_WITHIN: Duration = Duration::from_secs(2);

/// The last card that left the slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Loss {
    pub(super) at: Moment,
    /// Which insertion that was.
    pub(super) visit: Visit,
    /// From which of the slot's ports.
    pub(super) port: Port,
    /// Its USB device, or the host it was in, left the bus.
    pub(super) with_device: bool,
    /// What was known of it.
    pub(super) card: Card,
    /// What the slot was to it.
    pub(super) left: Left,
}

/// What a slot was to the card that left it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Left {
    /// Put in by hand and not begun.
    Waiting,
    /// Held.
    Held(Hold),
    /// Begun and not finished: contents undefined.
    Begun,
    /// Finished; its row is on disk, or on its way.
    Finished { attempt: Box<Attempt>, outcome: Outcome },
}

/// A card that is held is never surveyed, and was only seen: a stick's serial is not among what is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct NumbersAsked {
    visit: Visit,
    /// How often.
    times: u32,
    /// Since when it is to be asked again; nothing while it is being asked.
    open_since: Option<Moment>,
}

/// What did not answer is asked again after this.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The card in the slot came back by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Returned {
    pub(super) left: Left,
    /// What was known of the card that left.
    pub(super) card: Card,
}

impl Returned {
    /// It was held, and another one could not be told from it: nothing but its size is known.
    pub(super) fn was_held_unknown(&self) -> bool {
        matches!(self.left, Left::Held(_)) && !has_numbers(&self.card)
    }
}

/// Is a number known by which it differs from others?
fn has_numbers(card: &Card) -> bool {
    card.serial.is_some() || card.cid.is_some() || card.wwn.is_some()
}

impl Loss {
    /// Did this card, seen `now`, come back by itself? `with_device` is how long its device has been on the bus, where it came with it.
    ///
    /// The times compared are those of the bus: a device may take seconds to be made a disk of.
    pub(super) fn returns(&self, now: Moment, card: &Card, with_device: Option<Duration>) -> bool {
        let Some(connected) = with_device.filter(|_| self.with_device) else { return false };
        let away = now.since(self.at).saturating_sub(connected);
        away <= RETURNS_WITHIN && can_be(card, &self.card)
    }

    /// What the card is that came back by itself; nothing where a hand had just put it in: contacts bounce.
    pub(super) fn into_returned(self) -> Option<Returned> {
        (self.left != Left::Waiting).then_some(Returned { left: self.left, card: self.card })
    }
}

/// Can these two be one card? By all that is known of both: of a card that was only seen, that is its capacity.
pub(super) fn can_be(one: &Card, other: &Card) -> bool {
    let agree = |one: Option<&str>, other: Option<&str>| one.is_none() || other.is_none() || one == other;
    let raw = |card: &Card| card.cid.as_ref().map(|cid| cid.raw.clone());
    one.capacity == other.capacity
        && agree(raw(one).as_deref(), raw(other).as_deref())
        && agree(one.serial.as_deref(), other.serial.as_deref())
        && agree(one.wwn.as_deref(), other.wwn.as_deref())
}

/// Does a number of the card's own say that these two are one card?
pub(super) fn is_identified(one: &Card, other: &Card) -> bool {
    let known = matches!(one.identified, Identified::ByCid | Identified::ByUsb) && one.identified == other.identified;
    known && can_be(one, other)
}

impl Station {
    /// Has every card that is held asked for its numbers, once, or until it answers.
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

    /// Another visit than before is in the slot: notes whether that card came back by itself or was put in by hand.
    pub(super) fn note_arrival(&mut self, now: Moment, card: &Card, before: Option<Before>, with_device: Option<Duration>) {
        let loss = self.loss.as_ref().filter(|loss| loss.returns(now, card, with_device));
        self.returned = match before {
            Some(Before::Sleep) => Some(Returned { left: Left::Held(Hold::Slept), card: card.clone() }),
            Some(Before::Start) | None => loss.cloned().and_then(Loss::into_returned),
        };
        if self.returned.is_none() {
            self.returns = 0;
        }
    }

    /// This visit ended because the station asked its device to flush, and nothing was written: what comes back is still what a hand put in,
    /// whatever was told of it first.
    pub(super) fn send_away(&mut self, visit: Visit) {
        self.sent_away = Some(visit);
        if let Some(loss) = self.loss.as_mut().filter(|loss| loss.card.visit == visit) {
            loss.left = Left::Waiting;
        }
        if self.returned.as_ref().is_some_and(|returned| returned.card.visit == visit) {
            self.was_a_hand();
        }
    }

    /// It was another card after all, put in by a hand that was fast.
    pub(super) fn was_a_hand(&mut self) {
        (self.returned, self.returns) = (None, 0);
    }

    /// Goes on as what the slot was to the card that came back by itself, and counts that. `is_sure`: nothing but this card can have
    /// come back.
    pub(super) fn take_up(&mut self, is_sure: bool) -> Vec<Effect> {
        let (Some(returned), Some(present)) = (self.returned.take(), self.present.clone()) else { return Vec::new() };
        if returned.left == Left::Held(Hold::Slept) {
            self.phase = Phase::Held(Hold::Slept);
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
            Left::Held(Hold::Returned { .. }) | Left::Begun | Left::Finished { .. } | Left::Waiting => Phase::Held(held),
        };
        // A stick that does this all night must not fill the log: the 1st, 2nd, 4th, 8th … time is written down.
        if !self.returns.is_power_of_two() {
            return Vec::new();
        }
        let entry = Entry::CardReturned { slot: self.settings.name.clone(), card: Box::new(present), times: self.returns };
        vec![Effect::Record(Box::new(entry))]
    }
}

#[cfg(test)]
mod cases;
