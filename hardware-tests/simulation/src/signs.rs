//! The oracle looks at what the operator sees, and at what the operator waits for.

use crate::floor::MODELS;
use crate::property::Property;
use crate::station::sign::{OperatorAction, Sign};
use crate::station::view::{SlotView, View};
use crate::world::World;

/// How long a card that left may go unreported.
const REPORTED_WITHIN: u64 = 1500;

/// Within this time a slot begins the next card.
const BEGINS_WITHIN: u64 = 20_000;

impl World {
    /// The promises about everything that is shown.
    pub(crate) fn check_view(&mut self) {
        let moment = self.moment();
        let Some(daemon) = &self.daemon else { return };
        let view = daemon.station.view(moment);
        for slot in &view.slots {
            self.check_sign(slot);
            self.check_invitation(&view, slot);
        }
        self.check_orders(&view);
    }

    fn check_sign(&mut self, shown: &SlotView) {
        let is_outcome = matches!(
            shown.sign,
            Sign::Passed
                | Sign::PassedMapped
                | Sign::Done
                | Sign::DoneMapped
                | Sign::Failed(_)
                | Sign::Refused(_)
                | Sign::Interrupted
                | Sign::Changed { .. }
                | Sign::StationFault(_)
                | Sign::Pulled(_)
        );
        if !is_outcome {
            return;
        }
        let (slot, sign) = (shown.slot.clone(), shown.sign.word());
        let Some((number, booked)) = shown.attempt.and_then(|number| Some((number, self.books.attempts.get(&number)?))) else {
            return self.broke(Property::OwnCard, || format!("{slot} shows {sign} for no attempt"));
        };
        let Some(visit) =
            shown.diskseq.and_then(|seq| usize::try_from(seq.checked_sub(1)?).ok()).filter(|visit| *visit < self.visits.len())
        else {
            return self.broke(Property::OwnCard, || format!("{slot} shows {sign} for no card"));
        };
        let (of, seen) = (&self.visits[booked.visit], &self.visits[visit]);
        let is_twin = self.cards[of.card].register == self.cards[seen.card].register || of.is_ambiguous || seen.is_ambiguous;
        if of.card != seen.card && !is_twin {
            return self.broke(Property::OwnCard, || format!("{slot} shows {sign} of attempt {number} for visit {}", visit + 1));
        }
        // A slot that was renamed and got its name back knows its own card, before the watch reports it again or that it left.
        let was_renamed = seen.told_in == 0;
        if !matches!(shown.sign, Sign::Pulled(_)) && seen.told.is_none() && !was_renamed {
            return self.broke(Property::OwnCard, || format!("{slot} shows {sign} for visit {}, which has left", visit + 1));
        }
        if !booked.is_close_durable {
            return self.broke(Property::TruePass, || format!("{slot} shows {sign} of attempt {number}, whose row is not on disk"));
        }
        let is_green = matches!(shown.sign, Sign::Passed | Sign::PassedMapped | Sign::Done | Sign::DoneMapped);
        if is_green {
            self.check_green(shown, number, visit);
        }
    }

    fn check_green(&mut self, shown: &SlotView, number: u64, visit: usize) {
        let Some(booked) = self.books.attempts.get(&number) else { return };
        let slot = shown.slot.clone();
        if booked.visit != visit {
            return self
                .broke(Property::OwnCard, || format!("{slot} is green for visit {}, which attempt {number} did not prove", visit + 1));
        }
        if booked.is_change_told || !booked.closed.as_ref().is_some_and(|word| word.holds_image()) {
            return self.broke(Property::TruePass, || format!("{slot} is green for attempt {number}, which is not good"));
        }
        let place = self.visits[visit].place;
        if self.on_bus[place] != Some(visit) {
            let left = self.left[place].unwrap_or(0);
            if self.now - left > REPORTED_WITHIN && !self.has_slept_since(left) {
                self.broke(Property::OwnCard, || format!("{slot} is green for visit {}, which left long ago", visit + 1));
            }
            return;
        }
        let card = self.visits[visit].card;
        let holds = booked.image.is_some_and(|image| self.holds_image(card, image));
        let is_told_of =
            self.daemon.as_ref().is_some_and(|daemon| daemon.claims.iter().any(|claim| claim.attempt == number && claim.is_changed));
        if !holds && !is_told_of {
            let truth = self.card(card);
            self.broke(Property::TruePass, || format!("{slot} is green for {truth}"));
        }
    }

    fn has_slept_since(&self, since: u64) -> bool {
        self.daemon.as_ref().and_then(|daemon| daemon.woke).is_some_and(|woke| woke >= since)
    }

    /// A slot that asks for a card begins one.
    fn check_invitation(&mut self, view: &View, shown: &SlotView) {
        let has_fault = self.books.has_log_fault || self.books.is_restricted;
        let is_taken = matches!(shown.call, OperatorAction::PutIn | OperatorAction::TakeGood);
        if has_fault && is_taken {
            return self
                .broke(Property::Invitation, || format!("{} shows {} while the station has a fault", shown.slot, shown.sign.word()));
        }
        if shown.call != OperatorAction::PutIn {
            return;
        }
        let Some(daemon) = &self.daemon else { return };
        let Some(slot) = daemon.draft.slots.iter().find(|slot| slot.name == shown.slot) else { return };
        let model = daemon.draft.models[slot.model];
        let order = view.models.iter().find(|known| known.name == MODELS[slot.model]).and_then(|model| model.order.as_ref());
        let waits = self.books.firsts.iter().any(|first| first.model == slot.model && first.card.is_some() && !first.is_approved);
        let wrong = [
            (self.books.rests(), "it begins none"),
            (!model.is_armed, "no image is armed"),
            (self.books.is_disarmed(&slot.name, slot.model), "it is disarmed"),
            (self.books.suspect[usize::from(model.image)], "the image is damaged"),
            (order.is_some_and(|order| order.passed >= order.count), "the order is complete"),
            (waits, "the first card waits for its approval"),
        ];
        if let Some((_, why)) = wrong.iter().find(|(is, _)| *is) {
            self.broke(Property::Invitation, || format!("{} asks for a card: {why}", shown.slot));
        }
    }

    fn check_orders(&mut self, view: &View) {
        let is_quiet = self.log.waiting.is_empty() && self.books.receipts_due == 0;
        for order in view.models.iter().filter_map(|model| model.order.as_ref()) {
            if order.passed > order.count {
                return self
                    .broke(Property::OrderQuantity, || format!("order {} has {} good of {}", order.number, order.passed, order.count));
            }
            let logged = self.log.passed(order.number);
            if is_quiet && order.passed != logged {
                let number = order.number;
                let passed = order.passed;
                return self.broke(Property::OrderQuantity, || format!("order {number} has {passed} good cards, and {logged} by the log"));
            }
        }
    }

    /// Every card that could have been begun for some time, and was not.
    pub(crate) fn check_next_cards(&mut self) {
        for place in 0..self.on_bus.len() {
            let Some(since) = self.is_eligible(place) else {
                self.books.eligible_since.remove(&place);
                continue;
            };
            let since = since.max(*self.books.eligible_since.entry(place).or_insert(self.now));
            if self.now - since > BEGINS_WITHIN {
                let card = self.card_in(place);
                let at = self.place(place);
                return self.broke(Property::NextCard, || {
                    format!("{card} in {at} could have been begun since {}", crate::property::seconds(since))
                });
            }
        }
    }

    /// Since when the card in this place could have been begun, if nothing forbids it now.
    fn is_eligible(&self, place: usize) -> Option<u64> {
        let visit = self.on_bus[place]?;
        let known = &self.visits[visit];
        let told = known.told?;
        let daemon = self.daemon.as_ref()?;
        let books = &self.books;
        if known.has_begun || !known.may_begin || known.is_ambiguous || daemon.is_stopping || daemon.is_proving {
            return None;
        }
        if books.has_log_fault || self.log.is_faulty || books.is_restricted || books.rests() {
            return None;
        }
        let slot = daemon.draft.slots.iter().find(|slot| slot.place == place)?;
        let model = daemon.draft.models[slot.model];
        let truth = &self.cards[known.card];
        let at = &self.floor.places[place];
        let is_recabled = at.hub.into_iter().chain(at.reader).any(|device| self.is_other[device]);
        let is_forbidden = !model.is_armed
            || books.is_disarmed(&slot.name, slot.model)
            || books.suspect[usize::from(model.image)]
            || truth.mounted
            || (slot.is_taught && is_recabled)
            || !self.is_covered[place];
        if is_forbidden {
            return None;
        }
        // A thread that the kernel holds, or a row on its way.
        let is_busy = daemon.threads.iter().any(|thread| thread.slot == slot.name || self.visits[thread.visit].place == place);
        let open = || books.attempts.values().filter(|attempt| !attempt.is_close_told || attempt.closed.is_none());
        let open_here = |attempt: &crate::books::Attempt| {
            !attempt.is_close_durable
                && (attempt.slot == slot.name || self.cards[self.visits[attempt.visit].card].register == truth.register)
        };
        if is_busy || open().any(open_here) {
            return None;
        }
        let device = crate::floor::armed(slot.model, model).logged_model();
        if let Some(order) = books.order_of(&device) {
            let is_open = books.attempts.values().any(|attempt| attempt.order == Some(order.number) && !attempt.is_close_durable);
            if is_open || self.log.passed(order.number) >= order.count {
                return None;
            }
        }
        if let Some(first) = books.firsts.iter().find(|first| first.model == slot.model && !first.is_approved) {
            let is_open = books.attempts.values().any(|attempt| attempt.image == Some(first.image) && !attempt.is_close_durable);
            if is_open || first.card.is_some() {
                return None;
            }
        }
        Some(told)
    }
}
