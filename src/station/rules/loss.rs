//! Compares a card that left a slot with one that appears, to decide whether it came back.

use std::time::Duration;

use crate::station::status::sign::Hold;
use crate::station::types::card::{Card, Identity, Visit};
use crate::station::types::outcome::Outcome;
use crate::station::types::port::Port;
use crate::station::types::record::Attempt;
use crate::station::types::units::Moment;

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

/// What a slot was to the card that left it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Left {
    /// Put in by hand and not begun.
    Waiting,
    /// Held, and never written.
    Held(Hold),
    /// Nothing: it was in a port before anybody looked there, and no hand put it in for this slot.
    Found,
    /// Begun and not finished: contents undefined.
    Begun,
    /// Finished; its row is on disk, or on its way.
    Finished { attempt: Box<Attempt>, outcome: Outcome },
}

/// A card that is held is never surveyed, and was only seen: a stick's serial is not among what is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct NumbersAsked {
    pub(super) visit: Visit,
    /// How often the card was asked for its numbers.
    pub(super) times: u32,
    /// Since when it is to be asked again; nothing while it is being asked.
    pub(super) open_since: Option<Moment>,
}

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
pub(super) fn has_numbers(card: &Card) -> bool {
    card.serial.is_some() || card.cid.is_some() || card.wwn.is_some()
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
    let known = matches!(one.identified, Identity::Cid | Identity::UsbSerial) && one.identified == other.identified;
    known && can_be(one, other)
}
