//! Counts the failures of the last cards of every slot, and finds the slot, reader, hub, card type or lot that has too many of them.
//!
//! ```text
//!                          compared within                                        left out
//!   slot       others      cards of one type and lot
//!   lot        other lots  one slot, cards of the same type
//!   card type  others      one slot; also without the lot with most failures      lots that stand out
//!   reader     others      cards of one type and lot                              slots in quarantine
//!   hub        others      cards of one type and lot                              slots in quarantine, readers that stand out
//! ```
//! So a bad lot counts against no slot that it goes through, and a bad slot counts against no lot.
//!
//! # How sure a finding is
//!
//! A finding needs a probability of at most [`DOUBT`] divided by the number of looks (Bonferroni): each written card is a look at its slot,
//! and while every slot writes [`CARDS_COUNTED`] cards, there are as many looks at each slot. So a station whose slots are all equal closes
//! one of them in at most one of twenty such spans; and it names a lot, a card type, a reader or a hub in at most one of twenty each.

mod chance;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::station::types::port::Port;
use crate::station::types::record::AttemptNumber;
use crate::station::types::suspect::{Finding, Suspect};
use crate::station::types::units::{to_f64, to_u64};
use crate::station::types::written_card::{CardClass, WrittenCard};
use chance::{Stratum, chance};

/// Cards of each slot that are counted, newest first. Few enough that a reader that begins to fail is not excused by the months before, and
/// enough that a slot with 5 % of failures is found beside 15 with 0.2 %.
pub(crate) const CARDS_COUNTED: usize = 200;

/// The probability of a false finding while every slot writes [`CARDS_COUNTED`] cards.
const DOUBT: f64 = 0.05;

/// One written card.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Written {
    attempt: AttemptNumber,
    class: Arc<CardClass>,
    port: Arc<Port>,
    failed: bool,
    says: Says,
}

/// What a written card says something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Says {
    /// It was tried in one slot: about that slot, and about cards of its class.
    Both,
    /// It failed here and passed in another slot: about this slot.
    OfSlot,
    /// It failed here and in another slot, or would fail in every slot: about cards of its class.
    OfCards,
}

/// The last cards of a slot, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SlotCards {
    slot: String,
    cards: VecDeque<Written>,
}

/// The last cards of every slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Failures {
    slots: Vec<SlotCards>,
    /// Every class and port that is counted, each once.
    classes: Vec<Arc<CardClass>>,
    ports: Vec<Arc<Port>>,
}

/// The value that is already there, or this one; those that no card has any more are dropped.
fn shared<T: PartialEq>(known: &mut Vec<Arc<T>>, value: T) -> Arc<T> {
    if let Some(there) = known.iter().find(|there| ***there == value) {
        return Arc::clone(there);
    }
    known.retain(|there| Arc::strong_count(there) > 1);
    let new = Arc::new(value);
    known.push(Arc::clone(&new));
    new
}

/// The cards of one slot, class and port.
#[derive(Clone, Copy, Debug)]
struct Cell<'f> {
    slot: &'f str,
    class: &'f CardClass,
    port: &'f Port,
    /// Failed cards, and all of them, that say something about the slot.
    of_slot: (u64, u64),
    /// The same of those that say something about cards of this class.
    of_cards: (u64, u64),
}

impl Cell<'_> {
    /// Do the cards of this cell belong to the suspect?
    fn is_of(&self, suspect: &Suspect) -> bool {
        belong_to(suspect, self.slot, self.class, self.port)
    }
}

/// Do cards of this slot, class and port belong to the suspect?
fn belong_to(suspect: &Suspect, in_slot: &str, class: &CardClass, port: &Port) -> bool {
    match suspect {
        Suspect::Slot(slot) => in_slot == slot,
        Suspect::Reader(device) | Suspect::Hub(device) => port.hangs_on(device),
        Suspect::CardType(card_type) => class.card_type == *card_type,
        Suspect::Lot { lot, card_type } => class.lot.as_ref() == Some(lot) && class.card_type == *card_type,
    }
}

impl Failures {
    /// Counts a card; the oldest one of its slot drops out. The second try of a card tells slot from card: if it fails again, the card is bad
    /// and is counted once, for no slot; if it passes, the slot in which it failed is to blame.
    pub(super) fn add(&mut self, card: WrittenCard) {
        if let Some(first) = card.second_try_of {
            let says = if card.failed { Says::OfCards } else { Says::OfSlot };
            let cards = self.slots.iter_mut().flat_map(|slot| &mut slot.cards);
            cards.filter(|known| known.attempt == first).for_each(|known| known.says = says);
            if card.failed {
                return;
            }
        }
        let place = self.slots.iter().position(|known| known.slot == card.slot).unwrap_or_else(|| {
            self.slots.push(SlotCards { slot: card.slot, cards: VecDeque::new() });
            self.slots.len() - 1
        });
        let (class, port) = (shared(&mut self.classes, card.class), shared(&mut self.ports, card.port));
        let cards = &mut self.slots[place].cards;
        // Whatever slot a false card is in, it fails.
        let says = if card.is_false { Says::OfCards } else { Says::Both };
        cards.push_back(Written { attempt: card.attempt, class, port, failed: card.failed, says });
        if cards.len() > CARDS_COUNTED {
            cards.pop_front();
        }
    }

    /// Counts this slot anew from here on.
    pub(super) fn forget(&mut self, slot: &str) {
        self.slots.retain(|known| known.slot != slot);
    }

    /// Counts only these slots from here on.
    pub(super) fn keep_only(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.slots.retain(|known| is_kept(&known.slot));
    }

    /// Is a card of this suspect counted?
    pub(super) fn knows(&self, suspect: &Suspect) -> bool {
        let is_of = |slot: &SlotCards| slot.cards.iter().any(|card| belong_to(suspect, &slot.slot, &card.class, &card.port));
        self.slots.iter().any(is_of)
    }

    /// Does this suspect stand out of what is counted now?
    pub(super) fn stands_out(&self, suspect: &Suspect) -> bool {
        let cells = self.cells();
        let Some(cell) = cells.iter().find(|cell| cell.is_of(suspect)) else { return false };
        let mut search = self.search(&cells, &[]);
        search.all(cell.slot, cell.class, cell.port);
        search.found.iter().any(|found| found.suspect == *suspect)
    }

    fn search<'s>(&self, cells: &'s [Cell<'s>], known: &'s [&'s Suspect]) -> Search<'s> {
        Search { cells, limit: DOUBT / to_f64(to_u64(self.slots.len() * CARDS_COUNTED)), known, found: Vec::new() }
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        let mut cells = Vec::new();
        for slot in &self.slots {
            let mut counts: BTreeMap<(*const CardClass, *const Port), Cell<'_>> = BTreeMap::new();
            for card in &slot.cards {
                let empty = Cell { slot: &slot.slot, class: &card.class, port: &card.port, of_slot: (0, 0), of_cards: (0, 0) };
                let cell = counts.entry((Arc::as_ptr(&card.class), Arc::as_ptr(&card.port))).or_insert(empty);
                for (counts, left_out) in [(&mut cell.of_slot, Says::OfCards), (&mut cell.of_cards, Says::OfSlot)] {
                    if card.says != left_out {
                        *counts = (counts.0 + u64::from(card.failed), counts.1 + 1);
                    }
                }
            }
            cells.extend(counts.into_values());
        }
        cells
    }

    /// What stands out with this card, which failed and is counted. `known` has the slots in quarantine and all that stood out before.
    pub(super) fn look(&self, card: &WrittenCard, known: &[&Suspect]) -> Vec<Finding> {
        let cells = self.cells();
        let mut search = self.search(&cells, known);
        search.all(&card.slot, &card.class, &card.port);
        search.found
    }
}

/// The search for all that stands out with one card.
struct Search<'s> {
    cells: &'s [Cell<'s>],
    /// The largest chance of a finding.
    limit: f64,
    known: &'s [&'s Suspect],
    found: Vec<Finding>,
}

impl Search<'_> {
    /// Is this cell of something that stands out, of this kind?
    fn stands_out(&self, cell: &Cell<'_>, kind: fn(&Suspect) -> bool) -> bool {
        let found = self.found.iter().map(|found| &found.suspect);
        self.known.iter().copied().chain(found).any(|suspect| kind(suspect) && cell.is_of(suspect))
    }

    /// Adds the suspect if it stands out among the cells that are taken, compared within equal strata.
    fn compare<K: Ord>(&mut self, suspect: Suspect, takes: impl Fn(&Self, &Cell<'_>) -> bool, stratum: impl Fn(&Cell<'_>) -> K) {
        if self.known.contains(&&suspect) {
            return;
        }
        let compared = self.strata(&suspect, takes, stratum);
        if self.is_too_many(&compared) {
            let sum = |count: fn(&Stratum) -> u64| compared.iter().map(count).sum();
            self.found.push(Finding {
                suspect,
                failed: sum(|one| one.failed),
                of: sum(|one| one.of),
                others_failed: sum(|one| one.others_failed),
                others_of: sum(|one| one.others_of),
            });
        }
    }

    /// Are there more failures here than chance explains?
    fn is_too_many(&self, compared: &[Stratum]) -> bool {
        chance(compared) <= self.limit
    }

    /// The cells that are taken, counted for the suspect and for all others within equal strata. Strata without both are left out.
    fn strata<K: Ord>(
        &self,
        suspect: &Suspect,
        takes: impl Fn(&Self, &Cell<'_>) -> bool,
        stratum: impl Fn(&Cell<'_>) -> K,
    ) -> Vec<Stratum> {
        let mut strata: BTreeMap<K, Stratum> = BTreeMap::new();
        for cell in self.cells.iter().filter(|cell| takes(self, cell)) {
            let counts = strata.entry(stratum(cell)).or_default();
            let (failed, of) = match suspect {
                Suspect::Slot(_) | Suspect::Reader(_) | Suspect::Hub(_) => cell.of_slot,
                Suspect::CardType(_) | Suspect::Lot { .. } => cell.of_cards,
            };
            if cell.is_of(suspect) {
                (counts.failed, counts.of) = (counts.failed + failed, counts.of + of);
            } else {
                (counts.others_failed, counts.others_of) = (counts.others_failed + failed, counts.others_of + of);
            }
        }
        strata.into_values().filter(Stratum::compares).collect()
    }

    fn all(&mut self, slot: &str, class: &CardClass, port: &Port) {
        self.slot(slot);
        self.cards(class);
        self.devices(port);
    }

    fn slot(&mut self, slot: &str) {
        self.compare(Suspect::Slot(slot.to_owned()), |_, _| true, |cell| cell.class.clone());
    }

    fn cards(&mut self, class: &CardClass) {
        let card_type = class.card_type.clone();
        if let Some(lot) = &class.lot {
            let suspect = Suspect::Lot { lot: lot.clone(), card_type: card_type.clone() };
            self.compare(suspect, |_, cell| cell.class.card_type == card_type, |cell| cell.slot.to_owned());
        }
        let suspect = Suspect::CardType(card_type);
        let in_no_bad_lot = |search: &Self, cell: &Cell<'_>| !search.stands_out(cell, |suspect| matches!(suspect, Suspect::Lot { .. }));
        let in_slot = |cell: &Cell<'_>| cell.slot.to_owned();
        // One lot that does not stand out yet is no reason to name all cards of its type: they stand out without it, too.
        if let Some(worst) = self.worst_lot(&suspect, in_no_bad_lot) {
            let without = self.strata(&suspect, |search, cell| in_no_bad_lot(search, cell) && cell.class != worst, in_slot);
            if !self.is_too_many(&without) {
                return;
            }
        }
        self.compare(suspect, in_no_bad_lot, in_slot);
    }

    /// The class with the most failures of this card type, if it has several lots.
    fn worst_lot(&self, card_type: &Suspect, takes: impl Fn(&Self, &Cell<'_>) -> bool) -> Option<&CardClass> {
        let mut failures: BTreeMap<&CardClass, u64> = BTreeMap::new();
        for cell in self.cells.iter().filter(|cell| cell.is_of(card_type) && takes(self, cell)) {
            *failures.entry(cell.class).or_default() += cell.of_cards.0;
        }
        failures.iter().max_by_key(|(_, failed)| **failed).filter(|_| failures.len() > 1).map(|(class, _)| *class)
    }

    fn devices(&mut self, port: &Port) {
        let upstream = port.upstream();
        for (place, device) in upstream.iter().enumerate() {
            // A device with one slot is that slot, and a hub with one reader is that reader.
            let below = |cell: &Cell<'_>| if place == 0 { Some(cell.slot.to_owned()) } else { nearer(cell.port, device) };
            let parts: BTreeSet<_> = self.cells.iter().filter(|cell| cell.port.hangs_on(device)).map(below).collect();
            if parts.len() < 2 {
                continue;
            }
            let suspect = if place == 0 { Suspect::Reader(device.clone()) } else { Suspect::Hub(device.clone()) };
            let left_out: fn(&Suspect) -> bool = match place {
                0 => |smaller| matches!(smaller, Suspect::Slot(_)),
                _ => |smaller| matches!(smaller, Suspect::Slot(_) | Suspect::Reader(_)),
            };
            self.compare(suspect, move |search, cell| !search.stands_out(cell, left_out), |cell| cell.class.clone());
        }
    }
}

/// The device right below `hub` on which this port hangs.
fn nearer(port: &Port, hub: &str) -> Option<String> {
    port.upstream().into_iter().take_while(|device| device != hub).last()
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod simulation;
