//! The oracle: what the station is told and what it records, held against what is true.

use crate::books::{Attempt as Booked, Ordered};
use crate::floor::{Contents, Fault, MODELS, ModelDraft, image_of};
use crate::property::Property;
use crate::station::armed::Occasion;
use crate::station::outcome::{Counted, Outcome, OutcomeWord, Refusal, StationFault};
use crate::station::record::{Attempt, Entry, Receipt};
use crate::station::request::Target;
use crate::station::suspect::{Finding, Suspect};
use crate::station::{Before, End, Event};
use crate::world::World;

impl World {
    /// The station is about to hear this.
    pub(crate) fn note_told(&mut self, event: &Event) {
        let (now, rests) = (self.now, self.books.rests());
        match event {
            Event::Seen { card, before, .. } => {
                let Some(visit) = self.visit_of(card.visit) else { return };
                let run = self.run;
                let visit = &mut self.visits[visit];
                visit.told_in = run;
                // The watch notices a sleep within a second of its end; the station cannot know of it before.
                visit.may_begin &= *before != Some(Before::Sleep);
                visit.is_known_to_have_slept |= *before == Some(Before::Sleep);
                if visit.told.is_none() {
                    (visit.told, visit.may_begin) = (Some(now), visit.may_begin && !rests);
                }
            }
            Event::Gone { visit, .. } => {
                if let Some(visit) = self.visit_of(*visit) {
                    self.visits[visit].told = None;
                }
            }
            Event::LogHealth(fault) => self.books.has_log_fault = fault.is_some(),
            Event::Restricted(all) => self.books.is_restricted = all.iter().any(crate::station::restriction::Restriction::stops),
            Event::Recorded(receipt) => {
                self.books.receipts_due = self.books.receipts_due.saturating_sub(1);
                self.note_receipt(*receipt);
            }
            Event::ImageFault { digest, .. } => self.suspect(image_of(*digest)),
            Event::Ended { attempt, end, .. } if !matches!(end, End::StationFault(_) | End::Refused(_)) => {
                if let Some(booked) = self.books.attempts.get_mut(attempt) {
                    booked.is_lost = *end == End::Gone || self.visits[booked.visit].told.is_none();
                }
            }
            Event::Ended { attempt, end: End::StationFault(StationFault::Image { .. }), .. }
            | Event::Stalled { attempt, on_image: true, .. } => {
                if let Some(image) = self.books.attempts.get(attempt).and_then(|attempt| attempt.image) {
                    self.suspect(image);
                }
            }
            Event::Restaged { digest, result: Ok(()) } => self.books.suspect[usize::from(image_of(*digest))] = false,
            Event::Configure(configuration) => {
                for image in 0..self.books.suspect.len() {
                    let digest = crate::floor::digest_of(u8::try_from(image).unwrap_or(0));
                    self.books.suspect[image] &= configuration.distrusted.contains(&digest);
                }
                let asked_by = configuration.by.asked_by.as_ref().map_or(0, |who| who.uid);
                let next = self.books.attempts.keys().last().map_or(1, |last| last + 1);
                debug_assert!(configuration.by.occasion != Occasion::Restage, "no configuration is read for a restage");
                if let Some(daemon) = &self.daemon {
                    self.books.configure(&daemon.draft, asked_by, next);
                }
            }
            Event::Changed { attempt, .. } => {
                let Some(booked) = self.books.attempts.get_mut(attempt) else { return };
                booked.is_change_told = true;
                let card = self.visits[booked.visit].card;
                self.cards[card].good_for = None;
                for first in self.books.firsts.iter_mut().filter(|first| !first.is_approved) {
                    first.card.take_if(|card| *card == *attempt);
                }
            }
            _ => {}
        }
    }

    /// An image whose model is armed was found damaged.
    fn suspect(&mut self, image: u8) {
        let is_armed = |model: &ModelDraft| model.is_armed && model.image == image;
        if self.daemon.as_ref().is_some_and(|daemon| daemon.draft.models.iter().any(is_armed)) {
            self.books.suspect[usize::from(image)] = true;
        }
    }

    fn note_receipt(&mut self, receipt: Receipt) {
        match receipt {
            Receipt::Started(number) => {
                if let Some(attempt) = self.books.attempts.get_mut(&number) {
                    attempt.is_start_told = true;
                    attempt.is_lost = self.visits[attempt.visit].told.is_none();
                }
            }
            Receipt::Closed(number) => {
                let Some(attempt) = self.books.attempts.get_mut(&number) else { return };
                attempt.is_close_told = true;
                let is_written = attempt.closed.as_ref().is_some_and(OutcomeWord::was_written) && !attempt.is_change_told;
                if !is_written {
                    return;
                }
                let (model, image, device) = (attempt.model, attempt.image, attempt.device);
                let is_its = |first: &&mut crate::books::First| {
                    // Two models may be the same device.
                    let is_same = first.device == device && (device.is_some() || first.model == model);
                    is_same && Some(first.image) == image && first.from <= number && first.card.is_none()
                };
                self.books.firsts.iter_mut().filter(is_its).for_each(|first| first.card = Some(number));
            }
            Receipt::Changed(_) | Receipt::Asked(_) => {}
        }
    }

    /// An entry is on disk now.
    pub(crate) fn durable(&mut self, entry: Box<Entry>) {
        match &*entry {
            Entry::AttemptStarted(attempt) => {
                if let Some(booked) = self.books.attempts.get_mut(&attempt.number) {
                    booked.is_start_durable = true;
                }
            }
            Entry::AttemptClosed { attempt, outcome, .. } => self.note_closed(attempt, outcome),
            _ => {}
        }
        self.log.push(*entry);
    }

    fn note_closed(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let Some(booked) = self.books.attempts.get_mut(&attempt.number) else { return };
        if booked.is_close_durable {
            return self.broke(Property::OneClosingRow, || format!("attempt {} has two closing rows in the log", attempt.number));
        }
        (booked.is_close_durable, booked.closed) = (true, Some(outcome.word()));
        let (card, is_changed, image) = (self.visits[booked.visit].card, booked.is_noticed, booked.image);
        if matches!(outcome.word().counts(), Counted::Bad | Counted::OurFault) {
            // It goes to another bin.
            self.leaves_its_bin(card);
        }
        let holds = image.is_some_and(|image| self.cards[card].contents == Contents::Image(image));
        if !outcome.is_good() || is_changed || !holds {
            return;
        }
        self.leaves_its_bin(card);
        self.cards[card].good_for = attempt.order;
        if let Some(order) = attempt.order {
            let good = self.good_for(order, card, true);
            let wanted = self.books.orders.iter().find(|ordered| ordered.number == order).map(|ordered| ordered.count);
            if wanted.is_some_and(|wanted| good > usize::try_from(wanted).unwrap_or(usize::MAX)) {
                self.broke(Property::OrderQuantity, || format!("order {order} has {good} good cards and wants {wanted:?}"));
            }
        }
    }

    /// This card counts for no order any more. If another card has the same register, the station cannot know that this is not the one.
    fn leaves_its_bin(&mut self, card: usize) {
        let register = self.cards[card].register.clone();
        self.cards.iter_mut().filter(|other| other.register == register).for_each(|other| other.good_for = None);
    }

    fn must(&mut self, holds: bool, property: Property, how: impl FnOnce() -> String) {
        if !holds {
            self.broke(property, how);
        }
    }

    /// The station wants this recorded.
    pub(crate) fn check_entry(&mut self, entry: &Entry) {
        match entry {
            Entry::AttemptStarted(attempt) => self.check_admission(attempt),
            Entry::AttemptClosed { attempt, outcome, .. } => self.check_end(attempt, outcome),
            Entry::AttemptChanged { attempt, .. } => {
                let is_told = self.books.attempts.get(&attempt.number).is_some_and(|booked| booked.is_change_told);
                self.must(is_told, Property::TruePass, || format!("attempt {} changed, which nobody reported", attempt.number));
            }
            Entry::Disarmed { target, .. } => {
                self.books.disarmed.retain(|other| other != target);
                self.books.disarmed.push(target.clone());
            }
            Entry::Rearmed { target, .. } => {
                self.books.disarmed.retain(|other| other != target);
                self.books.quarantined.retain(|slot| Target::Slot(slot.clone()) != *target);
            }
            Entry::StandsOut(Finding { suspect: Suspect::Slot(slot), .. }) => self.books.quarantined.push(slot.clone()),
            Entry::OrderStarted { order, .. } => {
                self.books.orders.retain(|other| other.model != order.model);
                self.books.orders.push(Ordered { number: order.number, model: order.model.clone(), count: order.count });
            }
            Entry::OrderStopped { order, .. } => self.books.orders.retain(|other| other.number != order.number),
            Entry::BoxClosed { order, closed } => {
                let is_right = order.boxes.is_some_and(|boxes| (1..=boxes.size).contains(&closed.cards));
                self.must(is_right, Property::OrderQuantity, || format!("a box is closed with {} cards: {order:?}", closed.cards));
            }
            Entry::MaintenanceBegun { .. } => {
                self.books.is_maintained = true;
                self.hold_all();
            }
            Entry::RestartAsked { .. } => {
                self.books.is_restarting = true;
                self.hold_all();
            }
            Entry::MaintenanceEnded { .. } => self.books.is_maintained = false,
            Entry::Approved { armed, by, card, .. } => {
                let first = self.books.firsts.iter_mut().find(|first| MODELS[first.model] == armed.model);
                let is_right = first.is_some_and(|first| {
                    let is_right = !first.armed_by.contains(&by.uid) && first.card == Some(card.attempt) && !first.is_approved;
                    first.is_approved = true;
                    is_right
                });
                if !is_right {
                    let firsts = self.books.firsts.clone();
                    self.broke(Property::FirstOff, || format!("{} may not approve {card:?}: {firsts:?}", by.name));
                }
            }
            _ => {}
        }
    }

    /// Cards that wait to be begun are not begun any more.
    fn hold_all(&mut self) {
        for visit in self.visits.iter_mut().filter(|visit| visit.told.is_some() && !visit.has_begun) {
            visit.may_begin = false;
        }
    }

    /// A thread starts.
    pub(crate) fn check_start(&mut self, attempt: &Attempt) {
        let number = attempt.number;
        let Some(index) = self.visit_of(attempt.card.visit) else { return };
        let is_told = self.visits[index].told.is_some();
        let Some(booked) = self.books.attempts.get_mut(&number) else {
            return self.broke(Property::NothingForbidden, || format!("attempt {number} starts without a start in the log"));
        };
        let was_started = std::mem::replace(&mut booked.is_started, true);
        let is_recorded = booked.is_start_durable && booked.is_start_told && booked.closed.is_none();
        let image = booked.image;
        let Some(daemon) = &self.daemon else { return };
        // A slot that was named anew does not know of the thread of the slot that it was.
        let is_known = |thread: &crate::engine::Thread| !thread.is_stalled || thread.reloads == daemon.reloads;
        let is_its = |thread: &crate::engine::Thread| thread.visit == index || (thread.slot == attempt.slot && is_known(thread));
        let is_double = daemon.threads.iter().any(is_its);
        if was_started || is_double {
            return self.broke(Property::OneThread, || format!("attempt {number} starts beside another thread of its card or slot"));
        }
        let is_suspect = image.is_some_and(|image| self.books.suspect[usize::from(image)]);
        let wrong = [
            (!is_recorded, "its start is not on disk, or it is closed"),
            (!is_told, "its card is not in its slot"),
            (self.visits[index].is_known_to_have_slept, "its card was in its slot while the PC slept"),
            (daemon.is_stopping, "the station stops"),
            (is_suspect, "its image is damaged"),
        ];
        if let Some((_, why)) = wrong.iter().find(|(is, _)| *is) {
            self.broke(Property::NothingForbidden, || format!("attempt {number} starts: {why}"));
        }
    }

    fn check_end(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let number = attempt.number;
        let Some(index) = self.visit_of(attempt.card.visit) else { return };
        self.visits[index].has_begun = true;
        let word = outcome.word();
        self.count(word.known().unwrap_or("other"));
        if !self.books.attempts.contains_key(&number) {
            if !matches!(outcome, Outcome::Refused(_)) {
                return self.broke(Property::OneClosingRow, || format!("attempt {number} ends as {word} and never began"));
            }
            let model = self.daemon.as_ref().and_then(|daemon| daemon.draft.slots.iter().find(|slot| slot.name == attempt.slot));
            let image = attempt.image.as_ref().map(|image| image_of(image.digest));
            let booked = Booked::new(index, attempt.slot.clone(), model.map_or(0, |slot| slot.model), image);
            self.books.attempts.insert(number, booked);
        }
        let Some(booked) = self.books.attempts.get_mut(&number) else { return };
        if booked.closed.replace(word.clone()).is_some() {
            return self.broke(Property::OneClosingRow, || format!("attempt {number} is closed a second time, as {word}"));
        }
        let truth = &self.cards[self.visits[index].card];
        let is_there = self.on_bus[self.visits[index].place] == Some(index) && !self.visits[index].has_slept;
        match outcome {
            Outcome::Failed(failure) if truth.fault == Fault::None => {
                self.broke(Property::NoGoodCardIsBad, || format!("attempt {number} with a good card is FAILED: {failure}"));
            }
            Outcome::Pulled(_) if is_there => {
                self.broke(Property::NoGoodCardIsBad, || format!("attempt {number} is PULLED, and its card never left"));
            }
            Outcome::Refused(refusal) => self.check_refusal(number, index, refusal),
            _ => {}
        }
    }

    /// A card is refused for a reason that is so.
    fn check_refusal(&mut self, number: u64, visit: usize, refusal: &Refusal) {
        let known = &self.visits[visit];
        let truth = &self.cards[known.card];
        let Some(facts) = known.facts else { return };
        let is_so = match refusal {
            Refusal::WriteProtected => truth.locked,
            Refusal::TooSmall { .. } | Refusal::CapacityOutside { .. } => true,
            Refusal::OwnDisk => truth.is_own_disk,
            Refusal::InUse(_) => facts.is_mounted || truth.mounted,
            Refusal::Marked { .. } => truth.marks,
            Refusal::SectorSize { .. } => truth.block != 512,
            Refusal::Uncovered => !facts.is_covered,
            Refusal::Partitioned => facts.is_partitioned,
            Refusal::NotWholeDisk | Refusal::NotACard { .. } | Refusal::NotSd { .. } | Refusal::NoDiskSequence => false,
            _ => true,
        };
        if !is_so {
            self.broke(Property::NoGoodCardIsBad, || format!("attempt {number} is refused, and that is not so: {refusal}"));
        }
    }
}
