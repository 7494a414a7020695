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

    /// Each is reported once.
    fn take(&mut self, number: AttemptNumber) -> Option<(Box<Attempt>, Outcome)> {
        let place = self.0.iter().position(|(attempt, _)| attempt.number == number)?;
        Some(self.0.remove(place))
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

    /// A proven card was changed. Reports about any other card change nothing.
    pub(super) fn changed(&mut self, number: AttemptNumber, sectors: u64) -> Vec<Effect> {
        let Some((attempt, before)) = self.proven.take(number) else { return Vec::new() };
        let changed = Outcome::Changed { sectors };
        self.forget_first_card(number);
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
