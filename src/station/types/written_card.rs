//! Cards that were written to their end, as far as they say something about their slot and about cards of their kind.

use super::card::{Card, Cid, Identity};
use super::labels::Labels;
use super::outcome::{CardHead, Effort, Failure, Nonce, Outcome, OutcomeWord};
use super::port::Port;
use super::record::{Attempt, AttemptNumber};
use super::sizes::sold_as;
use super::units::Bytes;

/// The cards among which slots are compared: a bad lot must not count against the slots that it went through.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CardClass {
    /// Make, product and nominal size, as far as they are the card's own.
    pub card_type: String,
    /// Maker's number and date of the card's own register, or the lot that was declared; `None` if neither is known.
    pub lot: Option<String>,
}

/// The names of a card from which its class is made, from a [`Card`] or from a row about it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClassFacts<'f> {
    /// How far the card is identified: the names of a reader are not the card's.
    pub identified: Option<Identity>,
    /// Product name in the card's own register.
    pub cid_name: Option<&'f str>,
    /// OEM in the card's own register.
    pub oem: Option<&'f str>,
    /// Manufacturing date in the card's own register.
    pub date: Option<&'f str>,
    /// Maker as the device says.
    pub vendor: Option<&'f str>,
    /// Product as the device says.
    pub product: Option<&'f str>,
    /// The capacity that it claims.
    pub capacity: Bytes,
    /// The lot that was declared for it.
    pub declared_lot: Option<&'f str>,
}

impl CardClass {
    /// The class of a card with these names. A reader gives each of its slots another name, so cards in readers have only their size.
    #[must_use]
    pub(crate) fn of(facts: &ClassFacts<'_>) -> Self {
        let is_stick = facts.identified == Some(Identity::UsbSerial);
        let names = match facts.cid_name {
            Some(name) => [Some(name), None],
            None if is_stick => [facts.vendor, facts.product],
            None => [None, None],
        };
        let size = sold_as(facts.capacity);
        let words = names.into_iter().flatten().map(str::trim).filter(|word| !word.is_empty());
        let card_type = words.map(str::to_owned).chain([size]).collect::<Vec<_>>().join(" ");
        let number = |text: &str| text.trim().trim_start_matches("0x").to_owned();
        let made = [facts.oem.map(|oem| format!("OEM {}", number(oem))), facts.date.map(|date| format!("date {}", date.trim()))];
        let made: Vec<String> = made.into_iter().flatten().collect();
        let lot = if made.is_empty() { facts.declared_lot.map(str::to_owned) } else { Some(made.join(" ")) };
        Self { card_type, lot }
    }

    fn of_card(card: &Card, labels: &Labels) -> Self {
        let register = |part: fn(&Cid) -> Option<&String>| card.cid.as_ref().and_then(part).map(String::as_str);
        Self::of(&ClassFacts {
            identified: Some(card.identified),
            cid_name: register(|cid| cid.name.as_ref()),
            oem: register(|cid| cid.oemid.as_ref()),
            date: register(|cid| cid.date.as_ref()),
            vendor: card.vendor.as_deref(),
            product: card.product.as_deref(),
            capacity: card.capacity,
            declared_lot: labels.card_lot.as_deref(),
        })
    }
}

/// A card that was written to its end: it passed, or it failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WrittenCard {
    /// The attempt that wrote it.
    pub attempt: AttemptNumber,
    /// The name of the slot.
    pub slot: String,
    /// The port of the slot that it was in.
    pub port: Port,
    /// The cards that it is compared with.
    pub class: CardClass,
    /// Its outcome is `failed`.
    pub failed: bool,
    /// Whatever slot it is in, it fails: its capacity is false.
    pub is_false: bool,
    /// Its own register, if that identifies it.
    pub cid: Option<String>,
    /// The tombstone that the attempt wrote, and the one that it found.
    pub tombstones: Tombstones,
    /// The attempt in another slot in which it failed before, if it was recognised.
    pub second_try_of: Option<AttemptNumber>,
    /// A user has armed its slot since: it is recognised, and no longer counted.
    pub is_forgotten: bool,
}

/// The tombstones by which a card without a register is recognised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tombstones {
    /// Left in the head by the attempt; `None` if it may not have arrived.
    pub written: Option<Nonce>,
    /// In the head before; `None` if it was not looked for, or the head could not be read.
    pub found: Option<Nonce>,
}

impl Tombstones {
    /// Of an attempt with this effort.
    #[must_use]
    pub(crate) fn of(effort: &Effort) -> Self {
        Self { written: effort.tombstone.filter(|_| effort.head == CardHead::Tombstone), found: effort.found_tombstone }
    }
}

impl WrittenCard {
    /// Of an attempt with this outcome and effort; `None` if the outcome says nothing about slot and card.
    #[must_use]
    pub(crate) fn of(attempt: &Attempt, outcome: &Outcome, effort: &Effort) -> Option<Self> {
        let Attempt { number, slot, card, labels, second_try_of, .. } = attempt;
        let register = card.cid.as_ref().filter(|_| card.identified == Identity::Cid);
        Some(Self {
            attempt: *number,
            slot: slot.clone(),
            port: card.port.clone(),
            class: CardClass::of_card(card, labels),
            failed: has_failed(&outcome.word())?,
            is_false: outcome.code().is_some_and(is_false),
            cid: register.map(|cid| cid.raw.clone()),
            tombstones: Tombstones::of(effort),
            second_try_of: *second_try_of,
            is_forgotten: false,
        })
    }
}

/// Does this reason of an outcome say that the card is bad in every slot?
#[must_use]
pub(crate) fn is_false(code: &str) -> bool {
    code == Failure::FalseCapacity { at: Bytes(0), holds: None }.code()
}

/// Whether a card with this outcome failed. `None` if that says nothing about slot and card: it was not written, it was taken out, or the
/// station caused the end.
#[must_use]
pub(crate) fn has_failed(outcome: &OutcomeWord) -> Option<bool> {
    match outcome {
        OutcomeWord::Failed => Some(true),
        outcome if outcome.was_written() => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::testing::card;

    fn cid(oem: &str, date: &str) -> Cid {
        Cid { name: Some("SL16G".to_owned()), oemid: Some(oem.to_owned()), date: Some(date.to_owned()), ..Cid::default() }
    }

    #[test]
    fn a_card_in_a_reader_is_classed_by_what_is_its_own_and_never_by_the_names_of_the_reader() {
        let mut stick = card("p1", 1);
        stick.capacity = Bytes(15_931_539_456);
        let class = |card: &Card| CardClass::of_card(card, &Labels::default());
        assert_eq!(class(&stick), CardClass { card_type: "Acme Stick 16 GB".to_owned(), lot: None });
        for identified in [Identity::ReaderOnly, Identity::None] {
            let in_reader = Card { identified, ..stick.clone() };
            assert_eq!(class(&in_reader).card_type, "16 GB");
        }
        let sd = Card { identified: Identity::Cid, cid: Some(cid("0x5344", "03/2024")), ..stick.clone() };
        assert_eq!(class(&sd), CardClass { card_type: "SL16G 16 GB".to_owned(), lot: Some("OEM 5344 date 03/2024".to_owned()) });
        let labels = Labels { card_lot: Some("L-9".to_owned()), ..Labels::default() };
        assert_eq!(CardClass::of_card(&stick, &labels).lot.as_deref(), Some("L-9"));
        assert_eq!(CardClass::of_card(&sd, &labels).lot.as_deref(), Some("OEM 5344 date 03/2024"), "the card's own register comes first");
    }

    #[test]
    fn only_a_card_that_was_written_to_its_end_says_something_about_slot_and_card() {
        let counted: Vec<(&str, bool)> =
            OutcomeWord::KNOWN.iter().filter_map(|word| has_failed(word).map(|failed| (word.as_str(), failed))).collect();
        assert_eq!(counted, [("passed", false), ("passed-mapped-only", false), ("failed", true)]);
    }
}
