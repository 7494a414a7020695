//! First-off approval: after an image was armed, one card of it is made, and the others wait until a second person has approved it.
//!
//! ```text
//!              a card begins             its PASS is on disk          a second person approves
//!   wanted ────────────────▶ under way ────────────────────▶ waits ───────────────────────────▶ approved
//!     ▲ ▲                        │                             │
//!     │ └────────────────────────┘                             │ another program changed that card
//!     │      it is not good                                    │
//!     └────────────────────────────────────────────────────────┘
//! ```
//! Another image, model or configuration begins at `wanted` again, from every state. A restart does not: the log has all of it.
//!
//! Only a card that was written since then is the first one. One that was found to hold the image already was made with what was armed
//! before, or elsewhere.

use super::Station;
use super::first_off_place::FirstOffPlace;
use super::slot::Slot;
use crate::station::status::view::{FirstOffState, FirstOffView};
use crate::station::types::armed::{Armed, ArmedBy};
use crate::station::types::first_off::{Binding, FirstCard, FirstOff, FirstOffRule};
use crate::station::types::outcome::Outcome;
use crate::station::types::record::{Attempt, AttemptNumber, Entry};
use crate::station::types::request::{Denied, Who};

impl FirstOff {
    /// May this attempt make the first card?
    fn may_begin_with(&self, attempt: &Attempt) -> bool {
        attempt.number >= self.from && attempt.image.as_ref().is_some_and(|image| self.binding.is_of(image))
    }
}

impl FirstCard {
    fn of(attempt: &Attempt) -> Self {
        let card = &attempt.card;
        let own = card.cid.as_ref().and_then(|cid| cid.serial.clone());
        Self { attempt: attempt.number, slot: attempt.slot.clone(), serial: own.or_else(|| card.serial.clone()) }
    }
}

impl Station {
    /// An attempt that may become the first card, and has no outcome on disk yet.
    fn first_under_way(&self, first_off: &FirstOff) -> Option<&Attempt> {
        let mut at_work = self.slots.iter().filter(|slot| !slot.is_idle()).filter_map(|slot| slot.phase.attempt());
        at_work.find(|attempt| first_off.may_begin_with(attempt))
    }

    /// The decision about the next card of a slot; free for a slot that accepts none.
    pub(super) fn first_off_says(&self, slot: &Slot) -> FirstOffPlace {
        let of_model = |armed: &Armed| self.standing.first_offs.iter().find(|first_off| first_off.model == armed.model);
        let Some(first_off) = slot.usable().and_then(of_model).filter(|first_off| first_off.approved_by.is_none()) else {
            return FirstOffPlace::Free;
        };
        match &first_off.card {
            Some(card) => FirstOffPlace::Waits(card.clone()),
            None if self.first_under_way(first_off).is_some() => FirstOffPlace::UnderWay,
            None => FirstOffPlace::Free,
        }
    }

    /// A configuration holds from now on: an approval ends if it is of other contents. Returns what the events of arming say, and which of
    /// these images need such an event because of it.
    pub(super) fn renew_first_offs(&mut self, armed: &[Armed], by: &ArmedBy) -> Vec<(FirstOffRule, bool)> {
        let before = std::mem::take(&mut self.standing.first_offs);
        let wanted = self.settings.first_off;
        armed
            .iter()
            .map(|armed| {
                let known = before.iter().find(|known| known.model == armed.model);
                if !wanted {
                    return (FirstOffRule::Off, known.is_some());
                }
                let binding = Binding::of(armed, by.digest);
                let same = known.filter(|known| known.binding == binding);
                let rule = if same.is_some() { FirstOffRule::AsBefore } else { FirstOffRule::Wanted };
                let anew = || FirstOff {
                    model: armed.model.clone(),
                    binding,
                    armed_by: by.people(),
                    from: self.next_attempt,
                    card: None,
                    approved_by: None,
                };
                self.standing.first_offs.push(same.cloned().unwrap_or_else(anew));
                (rule, same.is_none())
            })
            .collect()
    }

    /// What the event says if this image is armed again without a new configuration.
    pub(super) fn first_off_rule(&self, armed: &Armed) -> FirstOffRule {
        let is_wanted = self.standing.first_offs.iter().any(|first_off| first_off.model == armed.model);
        if is_wanted { FirstOffRule::AsBefore } else { FirstOffRule::Off }
    }

    /// The outcome of this attempt is on disk: if its card was written and is good, it is the first card of all that still want one.
    pub(super) fn note_first_card(&mut self, attempt: &Attempt, outcome: &Outcome) {
        if !outcome.word().was_written() {
            return;
        }
        for first_off in &mut self.standing.first_offs {
            if first_off.card.is_none() && first_off.may_begin_with(attempt) {
                first_off.card = Some(FirstCard::of(attempt));
            }
        }
    }

    /// Another program changed the card of this attempt: nobody can approve it any more.
    pub(super) fn forget_first_card(&mut self, attempt: AttemptNumber) {
        for first_off in self.standing.first_offs.iter_mut().filter(|first_off| first_off.approved_by.is_none()) {
            first_off.card.take_if(|card| card.attempt == attempt);
        }
    }

    /// Approves the first card of a model, or returns why not.
    pub(super) fn approve(&mut self, model: &str, card: Option<&str>, by: Who) -> Result<Entry, Denied> {
        let armed = self.armed_or_denied(model)?.clone();
        let model = armed.model.clone();
        let Some(place) = self.standing.first_offs.iter().position(|first_off| first_off.model == model) else {
            return Err(Denied::NoApprovalWanted);
        };
        let first_off = &self.standing.first_offs[place];
        let Some(first) = first_off.card.clone() else {
            return Err(Denied::NoFirstCard { model, under_way: self.first_under_way(first_off).map(|attempt| attempt.slot.clone()) });
        };
        if let Some(before) = &first_off.approved_by {
            return Err(Denied::ApprovedBefore { model, card: first.name(), by: before.name.clone() });
        }
        if first_off.armed_by.iter().any(|armed_by| armed_by.uid == by.uid) {
            let armed_by = first_off.armed_by.iter().map(|who| who.name.clone()).collect();
            return Err(Denied::ArmedItself { model, by: by.name, armed_by });
        }
        if let Some(asked) = card.filter(|words| !first.is_called(words)) {
            return Err(Denied::OtherFirstCard { model, asked: asked.to_owned(), first: first.name() });
        }
        let config = first_off.binding.config;
        self.standing.first_offs[place].approved_by = Some(by.clone());
        Ok(Entry::Approved { armed, config, card: first, by })
    }

    /// The view of the approval of this model; `None` if no approval is wanted.
    pub(super) fn first_off_view(&self, model: &str) -> Option<FirstOffView> {
        let first_off = self.standing.first_offs.iter().find(|first_off| first_off.model == model)?;
        let state = match (&first_off.card, &first_off.approved_by) {
            (Some(card), Some(by)) => FirstOffState::Approved { card: card.clone(), by: by.name.clone() },
            (Some(card), None) => FirstOffState::Waits(card.clone()),
            (None, _) => match self.first_under_way(first_off) {
                Some(attempt) => FirstOffState::UnderWay { slot: attempt.slot.clone() },
                None => FirstOffState::Wanted,
            },
        };
        Some(FirstOffView { state, armed_by: first_off.armed_by.iter().map(|who| who.name.clone()).collect() })
    }
}

#[cfg(test)]
mod cases;
