//! Rows of cards that are on their way to the disk. The log is read for a card's history when the card is surveyed: a row that was not yet
//! there is missing in that history, and the card would be counted by what it was before.

use std::time::Duration;

use super::slot::{Phase, Slot};
use super::{Effect, Station};
use crate::station::types::card::{Card, Identity};
use crate::station::types::outcome::Counted;
use crate::station::types::record::{Attempt, Entry, Receipt};
use crate::station::types::units::Moment;

/// The answer to a survey that took longer is not believed: rows are not remembered for longer.
const BELIEVED: Duration = Duration::from_secs(600);

/// The rows that an answer to a survey may not have seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Rows(pub(super) Vec<Row>);

/// A row about a card.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Row {
    pub(super) receipt: Receipt,
    pub(super) attempt: Box<Attempt>,
    /// When it was reported to be on disk; a survey that was asked before may not have read it.
    pub(super) durable_at: Option<Moment>,
}

impl Rows {
    /// Remembers the rows that these effects send to the disk, if a history of their cards will have them.
    pub(super) fn send(&mut self, effects: &[Effect]) {
        self.0.extend(effects.iter().filter_map(|effect| match effect {
            Effect::Record(entry) => match &**entry {
                Entry::AttemptClosed { outcome, .. } if matches!(outcome.word().counts(), Counted::Again | Counted::Untouched) => None,
                Entry::AttemptClosed { attempt, .. } | Entry::AttemptChanged { attempt, .. } => {
                    Some(Row { receipt: entry.receipt()?, attempt: attempt.clone(), durable_at: None })
                }
                _ => None,
            },
            _ => None,
        }));
    }

    pub(super) fn arrive(&mut self, now: Moment, receipt: Receipt) {
        self.0.iter_mut().filter(|row| row.receipt == receipt).for_each(|row| row.durable_at = row.durable_at.or(Some(now)));
    }

    /// Forgets the rows that every survey under way has seen, or that are so old that the answer to such a survey is not believed.
    pub(super) fn forget(&mut self, now: Moment, slots: &[Slot]) {
        let may_miss = |at: Moment| slots.iter().any(|slot| matches!(slot.phase, Phase::Surveying { since, .. } if since <= at));
        self.0.retain(|row| row.durable_at.is_none_or(|at| now.since(at) <= BELIEVED && may_miss(at)));
    }
}

impl Station {
    /// May the history that was read for this card, by a survey that was asked at `since`, miss a row? For a card without an identity, the
    /// newest row of the slot counts.
    pub(super) fn may_miss_a_row(&self, now: Moment, slot: &Slot, card: &Card, since: Moment) -> bool {
        let is_missed = |row: &Row| {
            let is_of_card = row.attempt.card.is_same_as(card) || (card.key().is_none() && row.attempt.slot == slot.settings.name);
            is_of_card && row.durable_at.is_none_or(|at| since <= at)
        };
        now.since(since) > BELIEVED || self.is_being_recorded(card) || self.rows.0.iter().any(is_missed)
    }

    /// A row of this card is on its way to the disk, or will be, from a slot that it has left.
    pub(super) fn is_being_recorded(&self, card: &Card) -> bool {
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
}

#[cfg(test)]
mod cases;
