//! Quarantine: the station closes a slot by itself in which more cards fail than chance explains, and names readers, hubs, card types and
//! lots of which the same is true.
//!
//! ```text
//!             its failures stand out                     a user arms the slot
//!   in use ──────────────────────────▶ in quarantine ──────────────────────────▶ in use, counted anew
//! ```
//! Both survive restarts: the closing and the arming are events of the log, and the counts are its rows (`Event::Written`).
//! If the station ends between a row and the event of closing, the next failed card closes the slot.

use super::{Effect, Station};
use crate::station::types::outcome::{Effort, Outcome};
use crate::station::types::record::{Attempt, Entry};
use crate::station::types::request::Target;
use crate::station::types::suspect::{Finding, Suspect};
use crate::station::types::written_card::WrittenCard;

impl Station {
    /// Counts the last cards of the log. What was named once, and does not stand out of them any more, is no longer named.
    pub(super) fn take_written(&mut self, cards: Vec<WrittenCard>) {
        for card in cards {
            self.failed_cards.note(&card);
            if !card.is_forgotten {
                self.failures.add(card);
            }
        }
        let failures = &self.failures;
        self.standing.suspects.retain(|finding| failures.stands_out(&finding.suspect));
    }

    /// Slots that are no longer configured are compared with nothing. Called with every configuration.
    pub(super) fn count_only_configured_slots(&mut self) {
        let slots = &self.slots;
        self.failures.keep_only(|name| slots.iter().any(|slot| !slot.retired && slot.settings.name == name));
        self.forget_old_suspects();
    }

    fn forget_old_suspects(&mut self) {
        let failures = &self.failures;
        self.standing.suspects.retain(|finding| failures.knows(&finding.suspect));
    }

    /// The outcome of this attempt is on disk: counts its card, and closes or names what stands out with it.
    pub(super) fn count_written(&mut self, attempt: &Attempt, outcome: &Outcome) -> Vec<Effect> {
        // Tombstones are of no use here: the second try was recognised when the attempt ended.
        let Some(card) = WrittenCard::of(attempt, outcome, &Effort::default()) else { return Vec::new() };
        if !self.slots.iter().any(|slot| !slot.retired && slot.settings.name == card.slot) {
            return Vec::new();
        }
        self.failures.add(card.clone());
        self.forget_old_suspects();
        if !card.failed {
            return Vec::new();
        }
        let known: Vec<&Suspect> = self.standing.quarantines.iter().chain(&self.standing.suspects).map(|known| &known.suspect).collect();
        let found = self.failures.look(&card, &known);
        for finding in &found {
            let list = if is_slot(finding) { &mut self.standing.quarantines } else { &mut self.standing.suspects };
            list.push(finding.clone());
        }
        self.note_quarantines();
        found.into_iter().map(|finding| Effect::Record(Box::new(Entry::StandsOut(finding)))).collect()
    }

    /// A user arms this slot: its quarantine ends. Returns whether it was in quarantine.
    pub(super) fn end_quarantine(&mut self, target: &Target) -> bool {
        let Target::Slot(slot) = target else { return false };
        let before = self.standing.quarantines.len();
        self.standing.quarantines.retain(|finding| finding.suspect.name() != slot);
        self.note_quarantines();
        self.standing.quarantines.len() < before
    }

    /// A user armed this slot, for whatever reason it was out of use: its failures are counted from here on. Somebody has looked at it.
    pub(super) fn count_anew(&mut self, target: &Target) {
        if let Target::Slot(slot) = target {
            self.failures.forget(slot);
            self.forget_old_suspects();
        }
    }

    /// Updates in every slot whether it is in quarantine, and why.
    pub(super) fn note_quarantines(&mut self) {
        for slot in &mut self.slots {
            let name = &slot.settings.name;
            slot.quarantine = self.standing.quarantines.iter().find(|finding| finding.suspect.name() == name).cloned();
        }
    }
}

fn is_slot(finding: &Finding) -> bool {
    matches!(finding.suspect, Suspect::Slot(_))
}

#[cfg(test)]
mod cases;
