//! The simulated flash log: entries become durable in their order, late, and not at all while its disk fails. What is durable is read back
//! as `ledger` reads it, by rules of its own.

use std::collections::{BTreeMap, VecDeque};

use crate::station::armed::ArmedBy;
use crate::station::card::{Card, Identity};
use crate::station::first_off::{Binding, FirstCard, FirstOff, FirstOffRule};
use crate::station::outcome::{Counted, Outcome, OutcomeWord};
use crate::station::past::{Ended, Past, Rows};
use crate::station::record::{Attempt, Entry};
use crate::station::request::{RequestId, Target};
use crate::station::standing::{Disarming, LogNote, Maintenance, Standing};
use crate::station::suspect::Suspect;
use crate::station::written_card::WrittenCard;

/// An entry on its way to the disk, and the request that waits for it.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) entry: Box<Entry>,
    pub(crate) request: Option<RequestId>,
}

/// The simulated flash log and its disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) waiting: VecDeque<Waiting>,
    /// What is on disk.
    pub(crate) rows: Vec<Entry>,
    pub(crate) is_faulty: bool,
    /// Writes take seconds until then.
    pub(crate) slow_until: u64,
    /// A write is under way.
    pub(crate) is_writing: bool,
    /// For each order, its good cards, and those of them that no longer count.
    counted: BTreeMap<u64, (u32, u32)>,
}

impl Log {
    /// Attempts with a durable start and no durable end.
    pub(crate) fn open_attempts(&self) -> Vec<Attempt> {
        let mut open: Vec<&Attempt> = Vec::new();
        for row in &self.rows {
            match row {
                Entry::AttemptStarted(attempt) => open.push(attempt),
                Entry::AttemptClosed { attempt, .. } => open.retain(|other| other.number != attempt.number),
                _ => {}
            }
        }
        open.into_iter().cloned().collect()
    }

    /// One more than the newest number of an attempt.
    pub(crate) fn next_attempt(&self) -> u64 {
        let numbers = self.rows.iter().filter_map(|row| match row {
            Entry::AttemptStarted(attempt) | Entry::AttemptClosed { attempt, .. } => Some(attempt.number),
            _ => None,
        });
        numbers.max().unwrap_or(0) + 1
    }

    fn is_changed(&self, number: u64) -> bool {
        self.rows.iter().rev().any(|row| matches!(row, Entry::AttemptChanged { attempt, .. } if attempt.number == number))
    }

    fn ended(&self, attempt: &Attempt, outcome: &Outcome) -> Option<Ended> {
        let mut word = outcome.word();
        if matches!(word.counts(), Counted::Again | Counted::Untouched) {
            return None;
        }
        if word.is_good() && self.is_changed(attempt.number) {
            word = OutcomeWord::Unknown("attempt-changed".to_owned());
        }
        let image = attempt.image.as_ref().map(|image| image.digest.to_string());
        Some(Ended { outcome: word, image, order: attempt.order })
    }

    /// The history of this card in this slot.
    pub(crate) fn past(&self, card: &Card, slot: &str) -> Past {
        let closed = || {
            self.rows.iter().rev().filter_map(|row| match row {
                Entry::AttemptClosed { attempt, outcome, .. } => Some((attempt, outcome)),
                _ => None,
            })
        };
        let is_known = match card.identified {
            Identity::Cid => card.cid.is_some(),
            Identity::UsbSerial => card.serial.is_some(),
            Identity::ReaderOnly | Identity::None => false,
        };
        if !is_known {
            let newest = closed().filter(|(attempt, _)| attempt.slot == slot).find_map(|(attempt, outcome)| self.ended(attempt, outcome));
            return Past::OfSlot(newest);
        }
        let mut rows = Rows::default();
        let mut left = Vec::new();
        for (attempt, outcome) in closed().filter(|(attempt, _)| is_one_card(&attempt.card, card)) {
            let Some(ended) = self.ended(attempt, outcome) else { continue };
            if rows.newest.is_none() {
                rows.newest = Some(ended.clone());
            }
            if ended.outcome.is_good() {
                rows.good = Some(ended.unless_left(&left));
                break;
            }
            left.extend(attempt.leaves(&outcome.word()));
        }
        if card.identified == Identity::Cid { Past::ByCid(rows) } else { Past::BySerial(rows) }
    }

    /// A row is on disk now.
    pub(crate) fn push(&mut self, row: Entry) {
        match &row {
            Entry::AttemptClosed { attempt, outcome, .. } => {
                if let Some(order) = attempt.order.filter(|_| outcome.is_good()) {
                    self.counted.entry(order).or_default().0 += 1;
                }
                if let Some(order) = attempt.leaves(&outcome.word()) {
                    self.counted.entry(order).or_default().1 += 1;
                }
            }
            Entry::AttemptChanged { attempt, .. } => {
                let is_its = |row: &Entry| matches!(row, Entry::AttemptClosed { attempt: own, outcome, .. } if own.number == attempt.number && outcome.is_good());
                if let Some(order) = attempt.order.filter(|_| self.rows.iter().rev().any(is_its)) {
                    self.counted.entry(order).or_default().1 += 1;
                }
            }
            _ => {}
        }
        self.rows.push(row);
    }

    /// The number of good cards of an order.
    pub(crate) fn passed(&self, order: u64) -> u32 {
        let (good, gone) = self.counted.get(&order).copied().unwrap_or_default();
        good.saturating_sub(gone)
    }

    /// The requests that still hold.
    pub(crate) fn standing(&self) -> Standing {
        let mut standing = Standing::default();
        let mut is_confirmed = false;
        for row in &self.rows {
            match row {
                Entry::Disarmed { target, by, reason } => {
                    standing.disarmings.retain(|disarming| disarming.target != *target);
                    standing.disarmings.push(Disarming { target: target.clone(), by: by.clone(), reason: reason.clone() });
                }
                Entry::Rearmed { target, .. } => {
                    standing.disarmings.retain(|disarming| disarming.target != *target);
                    standing.quarantines.retain(|finding| Target::Slot(finding.suspect.name().to_owned()) != *target);
                }
                Entry::StandsOut(finding) => match &finding.suspect {
                    Suspect::Slot(_) => standing.quarantines.push(finding.clone()),
                    _ => standing.suspects.push(finding.clone()),
                },
                Entry::OrderStarted { order, .. } => {
                    standing.orders_ever = standing.orders_ever.max(order.number);
                    standing.orders.retain(|before| before.model != order.model);
                    standing.orders.push(order.clone());
                }
                Entry::OrderStopped { order, .. } => standing.orders.retain(|before| before.number != order.number),
                Entry::BoxClosed { order, closed } => {
                    let own = standing.orders.iter_mut().find(|own| own.number == order.number);
                    if let Some(boxes) = own.and_then(|own| own.boxes.as_mut()) {
                        boxes.closed = boxes.closed.max(closed.number);
                        boxes.packed += closed.cards;
                    }
                }
                Entry::MaintenanceBegun { by, why } => standing.maintenance = Some(Maintenance { by: by.clone(), why: why.clone() }),
                Entry::MaintenanceEnded { .. } => standing.maintenance = None,
                Entry::LogConfirmed { .. } => is_confirmed = true,
                _ => {}
            }
        }
        for order in &mut standing.orders {
            order.passed = self.passed(order.number);
        }
        standing.log.extend((!is_confirmed).then_some(LogNote::Begun));
        standing.first_offs = self.first_offs();
        standing
    }

    /// The cards that passed or failed, oldest first. Those of before a user last armed their slot are forgotten.
    pub(crate) fn written(&self) -> Vec<WrittenCard> {
        let mut cards: Vec<WrittenCard> = Vec::new();
        for row in &self.rows {
            match row {
                Entry::Rearmed { target: Target::Slot(slot), .. } => {
                    cards.iter_mut().filter(|card| card.slot == *slot).for_each(|card| card.is_forgotten = true);
                }
                Entry::AttemptClosed { attempt, outcome, effort } => cards.extend(WrittenCard::of(attempt, outcome, effort)),
                _ => {}
            }
        }
        cards
    }

    fn first_offs(&self) -> Vec<FirstOff> {
        let mut wanted: Vec<(FirstOff, usize)> = Vec::new();
        for (place, row) in self.rows.iter().enumerate() {
            match row {
                Entry::ModelArmed { armed, by, first_off } => {
                    let binding = Binding::of(armed, by.digest);
                    wanted.retain(|(known, _)| known.binding.config == by.digest);
                    if *first_off == FirstOffRule::AsBefore {
                        continue;
                    }
                    wanted.retain(|(known, _)| known.model != armed.model);
                    if *first_off == FirstOffRule::Wanted {
                        let armed_by = ArmedBy::people_of(by.owner.clone(), by.asked_by.clone());
                        let model = armed.model.clone();
                        wanted.push((FirstOff { model, binding, armed_by, from: 0, card: None, approved_by: None }, place));
                    }
                }
                Entry::Approved { armed, config, card, by } => {
                    let is_meant = |known: &FirstOff| {
                        known.model == armed.model && known.binding.config == *config && known.binding.image == armed.digest
                    };
                    if let Some((known, _)) = wanted.iter_mut().find(|(known, _)| is_meant(known)) {
                        (known.card, known.approved_by) = (Some(card.clone()), Some(by.clone()));
                    }
                }
                _ => {}
            }
        }
        for (known, armed_at) in wanted.iter_mut().filter(|(known, _)| known.approved_by.is_none()) {
            let mut begun: Vec<u64> = Vec::new();
            for row in &self.rows[*armed_at..] {
                match row {
                    Entry::AttemptStarted(attempt) => begun.push(attempt.number),
                    Entry::AttemptClosed { attempt, outcome, .. } if known.card.is_none() && outcome.word().was_written() => {
                        let is_its = attempt.image.as_ref().is_some_and(|image| known.binding.is_of(image));
                        if is_its && begun.contains(&attempt.number) {
                            known.card = Some(first_card(attempt));
                        }
                    }
                    Entry::AttemptChanged { attempt, .. } => drop(known.card.take_if(|card| card.attempt == attempt.number)),
                    _ => {}
                }
            }
        }
        wanted.into_iter().map(|(known, _)| known).collect()
    }
}

fn first_card(attempt: &Attempt) -> FirstCard {
    let own = attempt.card.cid.as_ref().and_then(|cid| cid.serial.clone());
    FirstCard { attempt: attempt.number, slot: attempt.slot.clone(), serial: own.or_else(|| attempt.card.serial.clone()) }
}

/// Do two looks have one card, by the names that it gives?
fn is_one_card(one: &Card, other: &Card) -> bool {
    if one.identified != other.identified {
        return false;
    }
    match one.identified {
        Identity::Cid => one.cid.as_ref().map(|cid| &cid.raw) == other.cid.as_ref().map(|cid| &cid.raw),
        Identity::UsbSerial => {
            (&one.serial, &one.vendor, &one.product, &one.wwn) == (&other.serial, &other.vendor, &other.product, &other.wwn)
        }
        Identity::ReaderOnly | Identity::None => false,
    }
}
