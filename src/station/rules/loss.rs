//! Compares a card that left a slot with one that appears, to decide whether it came back.

use std::time::Duration;

use crate::station::status::sign::Hold;
use crate::station::types::card::{Card, Identity, Visit};
use crate::station::types::outcome::Outcome;
use crate::station::types::port::Port;
use crate::station::types::record::Attempt;
use crate::station::types::units::Moment;

/// A device that is back on its bus within this time was not taken out and put in again: no hand is so fast. A hub that resets itself takes
/// less than a second.
pub(crate) const RETURNS_WITHIN: Duration = Duration::from_secs(2);

/// The last card that left the slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Loss {
    pub(super) at: Moment,
    /// The insertion of that card.
    pub(super) visit: Visit,
    /// The port of the slot.
    pub(super) port: Port,
    /// Its USB device, or the host it was in, left the bus.
    pub(super) with_device: bool,
    /// The facts that were known about it.
    pub(super) card: Card,
    /// The state of the slot for this card.
    pub(super) left: Left,
    /// It was not to be begun, whatever it was.
    pub(super) held_later: Option<Hold>,
}

impl Loss {
    /// Did this card, seen `now`, come back by itself? `with_device` is how long its device has been on the bus, if it came with it.
    ///
    /// The compared times are those of the bus: a device may need seconds to become a disk.
    pub(super) fn returns(&self, now: Moment, card: &Card, with_device: Option<Duration>) -> bool {
        let Some(connected) = with_device.filter(|_| self.with_device) else { return false };
        let away = now.since(self.at).saturating_sub(connected);
        away <= RETURNS_WITHIN && can_be(card, &self.card)
    }

    /// The state of a card that came back by itself; `None` if a hand had just put it in: contacts bounce.
    pub(super) fn into_returned(self) -> Option<Returned> {
        (self.left != Left::Waiting).then_some(Returned { left: self.left, card: self.card })
    }
}

/// The state of a slot for the card that left it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Left {
    /// Put in by hand and not begun.
    Waiting,
    /// Held, and never written.
    Held(Hold),
    /// None: the card was in a port before the station watched it, and was not put in for this slot.
    Found,
    /// Begun and not finished: contents undefined.
    Begun,
    /// Finished; its row is on disk, or on its way.
    Finished { attempt: Box<Attempt>, outcome: Outcome },
}

/// A card that is held is never surveyed, only seen, which does not include a stick's serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct NumbersAsked {
    pub(super) visit: Visit,
    /// How often the identity of the card was requested.
    pub(super) times: u32,
    /// The time for the next request; `None` while one is under way.
    pub(super) open_since: Option<Moment>,
}

/// The card in the slot came back by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Returned {
    pub(super) left: Left,
    /// The known facts about the card that left.
    pub(super) card: Card,
}

impl Returned {
    /// It was held, and another one could not be distinguished from it: only its size is known.
    pub(super) fn was_held_unknown(&self) -> bool {
        matches!(self.left, Left::Held(_)) && !has_numbers(&self.card)
    }
}

/// Is an identity known in which it differs from others?
pub(super) fn has_numbers(card: &Card) -> bool {
    card.serial.is_some() || card.cid.is_some() || card.wwn.is_some()
}

/// Can these two be one card? By all facts known about both: for a card that was only seen, that is its capacity.
pub(super) fn can_be(one: &Card, other: &Card) -> bool {
    let agree = |one: Option<&str>, other: Option<&str>| one.is_none() || other.is_none() || one == other;
    let raw = |card: &Card| card.cid.as_ref().map(|cid| cid.raw.clone());
    one.capacity == other.capacity
        && agree(raw(one).as_deref(), raw(other).as_deref())
        && agree(one.serial.as_deref(), other.serial.as_deref())
        && agree(one.wwn.as_deref(), other.wwn.as_deref())
}

/// Does the card's own identity prove that these two are one card?
pub(super) fn is_identified(one: &Card, other: &Card) -> bool {
    let known = matches!(one.identified, Identity::Cid | Identity::UsbSerial) && one.identified == other.identified;
    known && can_be(one, other)
}
