//! The oracle decides for itself whether a card may be begun: by what is true of it, and by what the station was told.

use std::collections::BTreeSet;

use crate::books::Attempt as Booked;
use crate::floor::{image_of, span_of};
use crate::property::Property;
use crate::station::record::{Attempt, Plan};
use crate::world::World;

impl World {
    /// May this card be begun here and now?
    pub(crate) fn check_admission(&mut self, attempt: &Attempt) {
        let number = attempt.number;
        let Some(index) = self.visit_of(attempt.card.visit) else {
            return self.broke(Property::NeverTouched, || format!("attempt {number} has a card that never was"));
        };
        let Some(daemon) = &self.daemon else { return };
        let visit = &self.visits[index];
        let truth = &self.cards[visit.card];
        let slot = daemon.draft.slots.iter().find(|slot| slot.name == attempt.slot && slot.place == visit.place);
        let Some(slot) = slot else {
            return self.broke(Property::NeverTouched, || format!("attempt {number} is in {}, where its card is not", attempt.slot));
        };
        let model = daemon.draft.models[slot.model];
        let facts = visit.facts;
        let needs = span_of(model.image).0;
        let wrong = [
            (!visit.may_begin, "it was not put in by hand, to be written"),
            (visit.told.is_none(), "it is not in its slot"),
            (truth.is_own_disk, "it is the PC's own disk"),
            (truth.locked, "it is write-protected"),
            (truth.capacity < needs, "it is too small"),
            (slot.capacity.is_some_and(|(least, _)| truth.capacity < least / 2), "its size is not accepted"),
            (truth.block != 512, "it has other blocks"),
            (truth.marks && !slot.erase_marks, "it has marks"),
            (facts.is_none_or(|facts| facts.is_mounted), "it is in use"),
            (slot.is_taught && facts.is_none_or(|facts| facts.is_recabled), "its reader or hub is another one"),
            (slot.covered_only && facts.is_none_or(|facts| !facts.is_covered), "it is not covered"),
            (
                !slot.reuse && facts.is_none_or(|facts| facts.is_partitioned) && !matches!(attempt.plan, Plan::RecheckOnly(_)),
                "it has partitions",
            ),
        ];
        if let Some((_, why)) = wrong.iter().find(|(is, _)| *is) {
            return self
                .broke(Property::NeverTouched, || format!("attempt {number} begins in {} with visit {}: {why}", attempt.slot, index + 1));
        }
        let image = attempt.image.as_ref().map(|image| image_of(image.digest));
        let forbidden = [
            (!model.is_armed || image != Some(model.image), "the image of its model is not armed"),
            (self.books.is_disarmed(&slot.name, slot.model), "its slot or model is disarmed"),
            (self.books.suspect[usize::from(model.image)], "its image is damaged"),
            (self.books.is_restricted, "the PC hides what is needed"),
            (self.books.rests(), "maintenance or a restart"),
            (daemon.is_stopping, "the station stops"),
        ];
        if let Some((_, why)) = forbidden.iter().find(|(is, _)| *is) {
            return self.broke(Property::NothingForbidden, || format!("attempt {number} begins in {}: {why}", attempt.slot));
        }
        let is_busy = |other: &Booked| other.closed.is_none() && (other.visit == index || other.slot == attempt.slot);
        if let Some((other, _)) = self.books.attempts.iter().find(|(_, other)| is_busy(other)) {
            let other = *other;
            return self.broke(Property::OneThread, || format!("attempt {number} begins in {} beside attempt {other}", attempt.slot));
        }
        let opened = Booked::new(index, attempt.slot.clone(), slot.model, image);
        let booked = Booked { device: model.device, order: attempt.order, ..opened };
        self.visits[index].has_begun = true;
        self.check_order(attempt, index);
        self.check_first(number, &booked);
        self.books.attempts.insert(number, booked);
    }

    fn check_order(&mut self, attempt: &Attempt, visit: usize) {
        let number = attempt.number;
        let Some(order) = self.books.order_of(&attempt.model) else {
            if attempt.order.is_some() {
                self.broke(Property::OrderQuantity, || format!("attempt {number} counts in an order that does not exist"));
            }
            return;
        };
        let card = self.visits[visit].card;
        let good = self.good_for(order.number, card, false);
        let open = self.books.attempts.values().filter(|other| {
            let register = &self.cards[self.visits[other.visit].card].register;
            let is_counted = self.cards.iter().any(|card| card.register == *register && card.good_for == Some(order.number));
            other.order == Some(order.number) && other.is_open() && !is_counted
        });
        let open = open.count();
        let wanted = usize::try_from(order.count).unwrap_or(usize::MAX);
        if attempt.order.is_none() && !matches!(attempt.plan, Plan::RecheckOnly(_)) {
            return self.broke(Property::OrderQuantity, || format!("attempt {number} is made beside the order of its model"));
        }
        if attempt.order == Some(order.number) && !matches!(attempt.plan, Plan::RecheckOnly(_)) && good + open >= wanted {
            let order = order.clone();
            self.broke(Property::OrderQuantity, || format!("attempt {number} begins with {good} good and {open} open of {order:?}"));
        }
    }

    fn check_first(&mut self, number: u64, booked: &Booked) {
        let Some(first) = self.books.firsts.iter().find(|first| first.model == booked.model && !first.is_approved) else { return };
        let is_open = |other: &Booked| other.model == booked.model && other.image == booked.image && other.is_open();
        let other = self.books.attempts.iter().find(|(other, attempt)| **other >= first.from && is_open(attempt));
        if first.card.is_some() || other.is_some() {
            let (first, other) = (first.clone(), other.map(|(other, _)| *other));
            self.broke(Property::FirstOff, || {
                format!("attempt {number} begins beside the first card {:?} or attempt {other:?}", first.card)
            });
        }
    }

    /// How many cards are in the bin of an order, `card` included or not. Cards with one register count once: the station cannot tell them
    /// apart.
    pub(crate) fn good_for(&self, order: u64, card: usize, is_included: bool) -> usize {
        let own = &self.cards[card].register;
        let good = self.cards.iter().filter(|other| other.good_for == Some(order) && (is_included || other.register != *own));
        good.map(|card| &card.register).collect::<BTreeSet<_>>().len()
    }
}
