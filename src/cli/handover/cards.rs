//! Which cards of a shift are neither good nor known to be bad: half-written ones, that somebody has to put in again.

use std::collections::BTreeMap;

use crate::ledger::Row;
use crate::report::row_facts::{identified, identity};
use crate::station::card::Identity;
use crate::station::outcome::OutcomeWord;

/// Cards of a shift, as their rows come.
#[derive(Debug, Default)]
pub(super) struct OpenCards {
    /// The newest row of each, by what identifies the card. Two sticks of one product whose maker gives both the same serial are one card
    /// here.
    identified: BTreeMap<String, Row>,
    /// Cards that cannot be told from others: whether one of them was put in again is not known.
    others: Vec<Row>,
    /// Attempts without an end.
    under_way: Vec<Row>,
}

impl OpenCards {
    /// Adds a row; oldest first.
    pub(super) fn add(&mut self, row: Row) {
        match row.outcome {
            OutcomeWord::Running => self.under_way.push(row),
            OutcomeWord::Pulled | OutcomeWord::Interrupted | OutcomeWord::Changed => match identity(&row) {
                Some(card) => _ = self.identified.insert(card, row),
                None => self.others.push(row),
            },
            // A failed card is a bad one, and lies where bad ones belong.
            OutcomeWord::Failed => self.settle(&row),
            _ if row.outcome.holds_image() => self.settle(&row),
            // A card that was not touched is as it was before, and so is one of an outcome that this program does not know.
            _ => {}
        }
    }

    /// This card is no longer open.
    fn settle(&mut self, row: &Row) {
        if let Some(card) = identity(row) {
            self.identified.remove(&card);
        }
    }

    /// The rows of the cards to be put in again, oldest first.
    pub(super) fn to_put_in_again(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.identified.values().chain(&self.others).collect();
        rows.sort_by_key(|row| row.seq);
        rows
    }

    /// The attempts without an end: they are under way, or the station stopped and has not started since.
    pub(super) fn under_way(&self) -> &[Row] {
        &self.under_way
    }
}

/// The serial by which a person finds this card; `None` if no serial is the card's own.
pub(super) fn name(row: &Row) -> Option<String> {
    match identified(row)? {
        Identity::Cid => row.cid.clone(),
        Identity::UsbSerial => row.serial.clone(),
        Identity::ReaderOnly | Identity::None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seq: u64, outcome: &str, identified: &str, serial: &str) -> Row {
        Row {
            seq,
            attempt: seq,
            outcome: OutcomeWord::from(outcome),
            identified: Some(identified.to_owned()),
            serial: Some(serial.to_owned()),
            cid: (identified == "cid").then(|| serial.to_owned()),
            ..Row::default()
        }
    }

    fn open(rows: &[(&str, &str, &str)]) -> Vec<u64> {
        let mut cards = OpenCards::default();
        for (seq, (outcome, identified, serial)) in (1..).zip(rows) {
            cards.add(row(seq, outcome, identified, serial));
        }
        cards.to_put_in_again().iter().map(|row| row.seq).collect()
    }

    #[test]
    fn a_card_that_was_begun_is_open_until_it_is_good_or_bad() {
        for outcome in ["pulled", "interrupted", "changed"] {
            assert_eq!(open(&[(outcome, "usb", "S-1")]), [1], "{outcome}");
            for end in ["passed", "passed-mapped-only", "passed-as-found", "recheck", "failed"] {
                assert_eq!(open(&[(outcome, "usb", "S-1"), (end, "usb", "S-1")]), [0; 0], "{outcome}, then {end}");
                assert_eq!(open(&[(outcome, "cid", "C-1"), (end, "cid", "C-2")]), [1], "another card is another one");
                assert_eq!(open(&[(end, "usb", "S-1"), (outcome, "usb", "S-1")]), [2], "{end}, then {outcome}");
            }
            for end in ["refused", "station-fault", "word-of-a-newer-program"] {
                assert_eq!(open(&[(outcome, "usb", "S-1"), (end, "usb", "S-1")]), [1], "{outcome}, then {end}");
            }
        }
        let twice = [("pulled", "usb", "S-1"), ("pulled", "usb", "S-1")];
        assert_eq!(open(&twice), [2], "a card that was pulled twice is one card");
        assert_eq!(open(&[&twice[..], &[("passed", "usb", "S-1")]].concat()), [0; 0]);
        assert_eq!(open(&[("failed", "usb", "S-1"), ("refused", "usb", "S-2"), ("passed", "usb", "S-3")]), [0; 0]);
    }

    #[test]
    fn sticks_of_two_makers_with_the_same_serial_are_two_cards() {
        let of = |seq, outcome: &str, vendor: &str, product: &str| Row {
            vendor: Some(vendor.to_owned()),
            product: Some(product.to_owned()),
            ..row(seq, outcome, "usb", "0001")
        };
        let mut cards = OpenCards::default();
        cards.add(of(1, "pulled", "Acme", "Stick"));
        cards.add(of(2, "pulled", "Acme", "Other stick"));
        cards.add(of(3, "passed", "Emca", "Stick"));
        let open = |cards: &OpenCards| cards.to_put_in_again().iter().map(|row| row.seq).collect::<Vec<_>>();
        assert_eq!(open(&cards), [1, 2], "the good card is another maker's");
        cards.add(of(4, "passed", "Acme", "Stick"));
        assert_eq!(open(&cards), [2]);
    }

    #[test]
    fn a_card_that_nothing_identifies_stays_open_because_nobody_knows() {
        assert_eq!(
            open(&[("pulled", "none", ""), ("pulled", "reader-only", "R-1"), ("passed", "reader-only", "R-1"), ("passed", "none", "")]),
            [1, 2]
        );
    }
}
