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

/// A change is told of at the latest when the card has left, so only as many as there are slots are ever asked for; a station has no more
/// than this.
const REMEMBERED: usize = 512;

/// The attempts whose cards were proven, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Proven(Vec<(Box<Attempt>, Outcome)>);

impl Proven {
    /// Remembers an attempt whose outcome is a proof.
    pub(super) fn remember(&mut self, attempt: Box<Attempt>, outcome: Outcome) {
        if !outcome.is_proven() {
            return;
        }
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push((attempt, outcome));
    }

    /// Each is told of once.
    fn take(&mut self, number: AttemptNumber) -> Option<(Box<Attempt>, Outcome)> {
        let place = self.0.iter().position(|(attempt, _)| attempt.number == number)?;
        Some(self.0.remove(place))
    }
}

impl Station {
    /// Must the card of this attempt stay claimed? From its proof until it is taken out: nobody shall mount what is shown as good.
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

    /// A card that was proven is another one now. Whatever is told of any other card changes nothing.
    pub(super) fn changed(&mut self, number: AttemptNumber, sectors: u64) -> Vec<Effect> {
        let Some((attempt, before)) = self.proven.take(number) else { return Vec::new() };
        let changed = Outcome::Changed { sectors };
        let mut counted = true;
        for slot in &mut self.slots {
            counted &= !slot.spoil(number, &changed);
        }
        if counted {
            self.today.take_back(&before.word());
            self.today.add(&changed.word());
            self.count_out_of_order(attempt.order, &before);
        }
        vec![Effect::Record(Box::new(Entry::AttemptChanged { attempt, outcome: changed }))]
    }
}

impl Slot {
    /// Shows this instead of the proof, if the slot speaks of that attempt. True where the proof is not recorded yet, and so not counted.
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
