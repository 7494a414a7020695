//! An attempt begins: a surveyed card is admitted or refused, and work starts when its start is on the disk.

use super::admit::admit;
use super::first_off_place::FirstOffPlace;
use super::loss::{can_be, is_identified};
use super::order_place::OrderPlace;
use super::slot::{Phase, Slot, Work};
use super::{Effect, SURVEYS, Station};
use crate::station::types::armed::Armed;
use crate::station::types::card::{Card, Identity, Visit};
use crate::station::types::labels::Labels;
use crate::station::types::order::OrderNumber;
use crate::station::types::outcome::{Effort, Outcome, Refusal};
use crate::station::types::port::Port;
use crate::station::types::record::{Attempt, AttemptNumber, Entry, Plan, Step};
use crate::station::types::survey::Survey;
use crate::station::types::units::{Bytes, Moment};

impl Station {
    pub(super) fn surveyed(&mut self, now: Moment, visit: Visit, survey: Option<Survey>) -> Vec<Effect> {
        if let Some(survey) = &survey {
            // Newer than the report about devices, which a reader that hangs may delay.
            self.cabling.learn(&survey.card.port, &survey.card.hangs_on);
            self.compare_cabling();
        }
        let asking = |slot: &Slot| matches!(slot.phase, Phase::Surveying { visit: asked, .. } if asked == visit);
        let Some(index) = self.slots.iter().position(asking) else { return Vec::new() };
        let slot = &self.slots[index];
        let Phase::Surveying { since: asked_at, asked, .. } = slot.phase else { return Vec::new() };
        let Some(present) = slot.present.clone() else { return Vec::new() };
        let found = survey.filter(|survey| survey.card.visit == visit);
        if let Some(returned) = slot.returned.clone() {
            let same = found.as_ref().map(|survey| can_be(&survey.card, &returned.card));
            let is_sure = found.as_ref().is_some_and(|survey| self.stays_sure(&survey.card, &returned.card));
            let slot = &mut self.slots[index];
            match same {
                _ if self.stopping => return Vec::new(),
                None if asked < SURVEYS => {
                    slot.phase = Phase::Settling { visit, since: now, asked };
                    return Vec::new();
                }
                Some(false) => slot.was_a_hand(),
                None | Some(true) => return slot.take_up(is_sure),
            }
        }
        if let Some(hold) = self.rests().or_else(|| self.slots[index].hold_of(visit)) {
            self.slots[index].hold_back(hold);
            return Vec::new();
        }
        let slot = &self.slots[index];
        let place = self.order_says(slot);
        let is_stopped = self.is_stopped_by_restriction() || !self.is_verifier_proven();
        // Asked again after the card has settled once more, until its users and every row of the log about it are known, or it has gone; and
        // until it is known whether its order needs it, and the first card of its model is approved. A card that cannot be admitted because
        // of the PC or the unit, or waits for the verifier to be proven, is not asked to its end.
        let is_unsure =
            matches!(place, OrderPlace::UnderWay { .. }) || self.first_off_says(slot) != FirstOffPlace::Free || slot.is_closed();
        let misses_row = found.as_ref().is_some_and(|survey| self.may_miss_a_row(now, slot, &survey.card, asked_at));
        let waits = is_stopped || is_unsure || misses_row || (found.is_none() && asked < SURVEYS);
        let has_twin = found.as_ref().is_some_and(|survey| self.has_twin(&survey.card));
        let work_order = if let OrderPlace::Free(order) = place { self.work_order_of(order) } else { None };
        let slot = &mut self.slots[index];
        if self.stopping || waits {
            let asked = if found.is_none() && !is_stopped { asked } else { 0 };
            slot.phase = Phase::Settling { visit, since: now, asked };
            return Vec::new();
        }
        let admitted = match &found {
            Some(survey) => plan(survey, slot, place, self.settings.recheck_done),
            None => Err(Refusal::Unknown),
        };
        let image = slot.usable().cloned();
        let mut attempt = Box::new(Attempt {
            number: self.next_attempt,
            slot: slot.settings.name.clone(),
            model: image.as_ref().map_or_else(|| slot.settings.model.clone(), Armed::logged_model),
            image,
            past: found
                .as_ref()
                .map(|survey| survey.past.clone())
                .map(|past| if has_twin { past.of_a_twin() } else { past })
                .unwrap_or_default(),
            card: found.map_or(present, |survey| survey.card),
            plan: Plan::default(),
            order: None,
            labels: Labels::default(),
            looks_for_tombstone: self.failed_cards.have_tombstones(),
            second_try_of: None,
        });
        self.next_attempt += 1;
        match admitted {
            Ok((plan, order)) => {
                (attempt.plan, attempt.order, attempt.labels.work_order) = (plan, order, work_order);
                slot.phase = Phase::Opening { attempt: attempt.clone() };
                vec![Effect::Record(Box::new(Entry::AttemptStarted(attempt)))]
            }
            Err(refusal) => slot.close(attempt, Outcome::Refused(refusal), Effort::default()),
        }
    }

    /// Is a card with the same identity in another slot now? Then the identity distinguishes neither: makers copy registers, too.
    pub(super) fn has_twin(&self, card: &Card) -> bool {
        self.slots.iter().filter_map(|slot| slot.present.as_ref()).any(|other| other.visit != card.visit && other.is_same_as(card))
    }

    /// Can only the card that left have come back? Its own identity proves it; or it is in a reader with several slots, which no hand takes
    /// off the bus to change a card.
    fn stays_sure(&self, card: &Card, left: &Card) -> bool {
        let shares_reader = |slot: &&Slot| {
            let here = |port: &Port| port.upstream().first().is_some_and(|reader| card.port.upstream().first() == Some(reader));
            slot.settings.ports.iter().any(here)
        };
        let in_reader = card.identified == Identity::ReaderOnly && self.slots.iter().filter(shares_reader).count() > 1;
        is_identified(card, left) || (in_reader && can_be(card, left))
    }

    pub(super) fn start_recorded(&mut self, now: Moment, number: AttemptNumber) -> Vec<Effect> {
        let stopping = self.stopping;
        let Some(index) = self.slots.iter().position(|slot| matches!(&slot.phase, Phase::Opening { attempt } if attempt.number == number))
        else {
            return Vec::new();
        };
        let Phase::Opening { attempt } = &self.slots[index].phase else { return Vec::new() };
        let attempt = attempt.clone();
        let distrust = attempt.image.as_ref().and_then(|image| self.distrust_of(image.digest)).cloned().or_else(|| self.verifier_fault());
        let slot = &mut self.slots[index];
        // Its port belongs to another slot, or did meanwhile: nobody has pulled it.
        let is_taught_away = !slot.settings.ports.contains(&attempt.card.port) || slot.given_up == Some(attempt.card.visit);
        if !slot.still_holds(attempt.card.visit) && !is_taught_away {
            slot.phase = Phase::Leaving { attempt, effort: Effort::default(), since: now };
            return Vec::new();
        }
        if stopping || slot.retired || is_taught_away {
            return slot.close(attempt, Outcome::Interrupted, Effort::default());
        }
        if let Some(fault) = distrust {
            return slot.close(attempt, Outcome::StationFault(fault), Effort::default());
        }
        let of = attempt.image.as_ref().map_or(Bytes(0), |image| image.span);
        let step = if attempt.plan == Plan::Write { Step::Writing } else { Step::Rechecking };
        let work = Work { step, done: Bytes(0), of, step_began: now, last_heard: now, gone: false };
        slot.phase = Phase::Busy { attempt: attempt.clone(), work };
        vec![Effect::Start(attempt)]
    }
}

/// The plan for a card, and the order in which it is counted if it is good.
///
/// If done cards are recognised, a card that would be refused only by policy or by a complete order is read all the same: if it already
/// holds the image it is DONE, otherwise it is refused for that reason.
fn plan(survey: &Survey, slot: &Slot, place: OrderPlace, recheck: bool) -> Result<(Plan, Option<OrderNumber>), Refusal> {
    // Another port of the slot, in which the card is not, may now be another place.
    let cabled = slot.recabled.clone().map_or(Ok(()), Err);
    let admitted = admit(survey, slot.usable(), &slot.settings.policy).and(cabled).and(match place {
        OrderPlace::Complete { count } => Err(Refusal::OrderComplete { count }),
        OrderPlace::NoOrder | OrderPlace::Free(_) | OrderPlace::UnderWay { .. } => Ok(()),
    });
    let order = if let OrderPlace::Free(order) = place { Some(order) } else { None };
    match (admitted, place) {
        (Ok(()), _) if recheck => Ok((Plan::WriteUnlessDone, order)),
        (Ok(()), _) => Ok((Plan::Write, order)),
        // No place is left for it if it is good and was never counted.
        (Err(Refusal::Partitioned), OrderPlace::Complete { count }) if recheck => {
            Ok((Plan::RecheckOnly(Refusal::OrderComplete { count }), None))
        }
        (Err(why @ (Refusal::Partitioned | Refusal::OrderComplete { .. })), _) if recheck => Ok((Plan::RecheckOnly(why), order)),
        (Err(why), _) => Err(why),
    }
}
