//! Proven cards: their sign stays green until they are taken out, or until another program writes to them.
//!
//! ```text
//!              proven            recorded           taken out
//!     Busy ────────────▶ Recording ──────▶ Finished ──────────▶ (the slot's next card)
//!                          │ written to      │ written to         │ written to, and heard of only now
//!                          ▼                 ▼                    ▼
//!                          └────▶ CHANGED: an event of the log, and counted nowhere as good
//! ```

use super::slot::{Phase, Slot};
use super::{Effect, Station};
use crate::station::types::outcome::Outcome;
use crate::station::types::record::{Attempt, AttemptNumber, Entry};

/// Limit of proven attempts. A change is reported at the latest when the card has left, so at most one per slot is needed; no station has
/// more slots than this.
const REMEMBERED: usize = 512;

/// The attempts whose cards were proven, with the proof, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Proven {
    proven: Vec<(Box<Attempt>, Outcome)>,
    /// Those whose cards have changed, and whose change is on its way to the disk.
    changing: Vec<(Box<Attempt>, Outcome)>,
}

impl Proven {
    /// Remembers an attempt whose outcome is a proof.
    pub(super) fn remember(&mut self, attempt: Box<Attempt>, outcome: Outcome) {
        if !outcome.is_proven() {
            return;
        }
        if self.proven.len() == REMEMBERED {
            self.proven.remove(0);
        }
        self.proven.push((attempt, outcome));
    }

    /// The card of this attempt has changed. Each is reported once.
    fn change(&mut self, number: AttemptNumber) -> Option<&(Box<Attempt>, Outcome)> {
        let place = self.proven.iter().position(|(attempt, _)| attempt.number == number)?;
        let changing = self.proven.remove(place);
        self.changing.push(changing);
        self.changing.last()
    }

    /// The change of this attempt's card is on disk.
    fn take_changed(&mut self, number: AttemptNumber) -> Option<(Box<Attempt>, Outcome)> {
        let place = self.changing.iter().position(|(attempt, _)| attempt.number == number)?;
        Some(self.changing.remove(place))
    }

    /// The outcome that the row of this attempt has, if another one is shown because its card has changed since.
    pub(super) fn row_of_changed(&self, number: AttemptNumber) -> Option<&Outcome> {
        self.changing.iter().find(|(attempt, _)| attempt.number == number).map(|(_, before)| before)
    }
}

impl Station {
    /// Must the card of this attempt stay claimed? From its proof until it is taken out: a card that is shown as good must not be mounted.
    #[must_use]
    pub(crate) fn keeps(&self, number: AttemptNumber) -> bool {
        self.slots.iter().any(|slot| {
            let attempt = match &slot.phase {
                Phase::Busy { attempt, work } if !work.gone => attempt,
                Phase::Recording { attempt, outcome } | Phase::Finished { attempt, outcome }
                    if outcome.is_proven() || matches!(outcome, Outcome::Changed { .. }) =>
                {
                    attempt
                }
                _ => return false,
            };
            attempt.number == number && slot.holds(attempt.card.visit)
        })
    }

    /// A claim that is not kept is gone for good: its card is not shown as good when a reload brings it back.
    pub(super) fn give_claims_up(&mut self) {
        for slot in &mut self.slots {
            if let Phase::Recording { attempt, outcome } = &slot.phase
                && outcome.is_proven()
                && !slot.holds(attempt.card.visit)
            {
                slot.given_up = Some(attempt.card.visit);
            }
        }
    }

    /// A proven card was changed. Reports about any other card change nothing.
    pub(super) fn changed(&mut self, number: AttemptNumber, sectors: u64) -> Vec<Effect> {
        let Some((attempt, before)) = self.proven.change(number).cloned() else { return Vec::new() };
        let changed = Outcome::Changed { sectors };
        self.forget_first_card(number);
        let mut counted = true;
        for slot in &mut self.slots {
            counted &= !slot.spoil(number, &changed);
        }
        if counted {
            self.today.take_back(&before.word());
            self.today.add(&changed.word());
        }
        vec![Effect::Record(Box::new(Entry::AttemptChanged { attempt, outcome: changed }))]
    }

    /// The log says now that this card is no longer good: the order needs another one. Not before: after a power cut, the log has the proof
    /// alone, and its order would have one card too many.
    pub(super) fn change_recorded(&mut self, number: AttemptNumber) {
        if let Some((attempt, before)) = self.proven.take_changed(number) {
            self.count_out_of_order(attempt.order, &before);
        }
    }
}

impl Slot {
    /// Replaces the proof by this outcome, if the slot shows that attempt. True if the proof is not recorded yet, and so not counted.
    fn spoil(&mut self, number: AttemptNumber, changed: &Outcome) -> bool {
        match &mut self.phase {
            Phase::Recording { attempt, outcome } if attempt.number == number => {
                *outcome = changed.clone();
                true
            }
            Phase::Finished { attempt, outcome } if attempt.number == number => {
                *outcome = changed.clone();
                false
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod cases;
