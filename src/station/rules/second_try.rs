//! A card that failed is tried once in another slot: two attempts tell the reader from the card.
//!
//! ```text
//!   a card fails ─▶ tried once ──▶ it fails in another slot: bad. Counted once, against cards of its class and against no slot
//!                       │
//!                       └────────▶ it passes in another slot: good. Counted against the slot in which it failed, not against its class
//! ```
//! The card is recognised by its own register, or by the tombstone that the first attempt left in its head. If the head cannot be read, or
//! has the tombstone of another attempt, it is a new card. Two slots of one reader tell nothing: it may be the reader.

use super::Station;
use super::slot::{Phase, Slot};
use crate::station::types::outcome::{Effort, Nonce, Outcome};
use crate::station::types::port::Port;
use crate::station::types::record::{Attempt, AttemptNumber};
use crate::station::types::written_card::{Tombstones, WrittenCard};

/// Limit of failed cards that are remembered, the newest ones: more than lie beside a station at any time.
const REMEMBERED: usize = 64;

/// A card that failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct FailedCard {
    /// The first attempt in which it failed; of several in the same slot the last one.
    attempt: AttemptNumber,
    /// The slot of that attempt; `None` if it has failed in another slot since.
    slot: Option<String>,
    /// The port in that slot.
    port: Port,
    cid: Option<String>,
    /// The tombstone in its head.
    tombstone: Option<Nonce>,
}

impl FailedCard {
    /// Is this the same card?
    fn is(&self, card: &WrittenCard) -> bool {
        match (&self.cid, &card.cid) {
            (Some(one), Some(other)) => one == other,
            _ => self.tombstone.is_some() && self.tombstone == card.tombstones.found,
        }
    }

    /// Does an attempt with this card tell the reader from the card, or confirm that the card is bad?
    fn is_tried_again_by(&self, card: &WrittenCard) -> bool {
        let is_another = || self.slot.as_ref() != Some(&card.slot) && are_apart(&self.port, &card.port);
        self.is(card) && if self.slot.is_none() { card.failed } else { is_another() }
    }
}

/// Are these ports of different readers? A slot that is an SD host, or a port for sticks, is a reader of its own.
fn are_apart(one: &Port, other: &Port) -> bool {
    one.upstream().first().is_none_or(|reader| other.upstream().first() != Some(reader))
}

/// The cards that failed, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct FailedCards(Vec<FailedCard>);

impl FailedCards {
    /// Is there a card that may have to be recognised by its tombstone?
    pub(super) fn have_tombstones(&self) -> bool {
        self.0.iter().any(|card| card.tombstone.is_some())
    }

    /// An attempt ended: returns the attempt in another slot in which its card failed before. The register of a card does not tell it from
    /// its twin, which has the same one.
    fn note_end(&mut self, attempt: &Attempt, outcome: &Outcome, effort: &Effort, has_twin: bool) -> Option<AttemptNumber> {
        let Some(mut card) = WrittenCard::of(attempt, outcome, effort) else {
            // It tells nothing, and may have put another tombstone into the head.
            let Tombstones { written, found } = Tombstones::of(effort);
            let known = self.0.iter_mut().find(|card| card.tombstone.is_some() && card.tombstone == found);
            if let Some(card) = known.filter(|_| written.is_some()) {
                card.tombstone = written;
            }
            return None;
        };
        card.cid = card.cid.filter(|_| !has_twin);
        let first = self.0.iter().find(|failed| failed.is_tried_again_by(&card)).map(|failed| failed.attempt);
        self.note(&WrittenCard { second_try_of: first, ..card });
        first
    }

    /// Remembers a card that failed, and forgets one that passed.
    pub(super) fn note(&mut self, card: &WrittenCard) {
        self.0.retain(|failed| !failed.is(card) && card.second_try_of != Some(failed.attempt));
        let is_recognised = card.cid.is_some() || card.tombstones.written.is_some();
        if !card.failed || card.is_false || !is_recognised {
            return;
        }
        let (attempt, slot) = match card.second_try_of {
            Some(first) => (first, None),
            None => (card.attempt, Some(card.slot.clone())),
        };
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(FailedCard { attempt, slot, port: card.port.clone(), cid: card.cid.clone(), tombstone: card.tombstones.written });
    }

    /// Did this attempt fail, and was its card not tried in another slot yet?
    fn await_second_try_of(&self, attempt: AttemptNumber) -> bool {
        self.0.iter().any(|card| card.attempt == attempt && card.slot.is_some())
    }
}

impl Station {
    /// An attempt ended: names in it the one in another slot in which its card failed before, and remembers the card if it failed.
    pub(super) fn note_tries(&mut self, attempt: &mut Attempt, outcome: &Outcome, effort: &Effort) {
        let has_twin = self.has_twin(&attempt.card);
        attempt.second_try_of = self.failed_cards.note_end(attempt, outcome, effort, has_twin);
    }

    /// Is the card in this slot to be tried in another one? Only if there is one for it, in another reader, that takes cards.
    pub(super) fn asks_for_second_try(&self, slot: &Slot) -> bool {
        let Phase::Finished { attempt, outcome: Outcome::Failed(_) } = &slot.phase else { return false };
        let is_for_it = |other: &Slot| {
            other.settings.name != slot.settings.name
                && other.settings.model == slot.settings.model
                && other.settings.ports.iter().any(|port| are_apart(port, &attempt.card.port))
                && !other.retired
                && other.takes_cards()
        };
        self.failed_cards.await_second_try_of(attempt.number) && self.slots.iter().any(is_for_it)
    }
}

impl Slot {
    /// A damaged copy of the image is the station's own fault, and does not last: a card is not bad for it.
    fn takes_cards(&self) -> bool {
        self.armed.is_some()
            && self.disarmed.is_none()
            && self.quarantine.is_none()
            && self.recabled.is_none()
            && self.phase != Phase::OutOfService
    }
}

#[cfg(test)]
mod cases;
