//! What is counted, and what stands out of which counts.

use super::*;
use crate::station::types::written_card::Tombstones;

/// A card in the slot of this number: four slots in a reader, two readers on a hub.
pub(super) fn card(slot: usize, card_type: &str, lot: Option<&str>, failed: bool) -> WrittenCard {
    let (hub, reader, lun) = (slot / 8 + 1, slot % 8 / 4 + 1, slot % 4);
    WrittenCard {
        attempt: 1,
        slot: format!("A{slot}"),
        port: Port(format!("pci-1/usb3-{hub}.{reader}/lun-{lun}")),
        class: CardClass { card_type: card_type.to_owned(), lot: lot.map(str::to_owned) },
        failed,
        is_false: false,
        cid: None,
        tombstones: Tombstones::default(),
        second_try_of: None,
        is_forgotten: false,
    }
}

/// Adds cards to a slot, of which the first `failed` failed.
fn fill(failures: &mut Failures, slot: usize, (card_type, lot): (&str, &str), failed: usize, of: usize) {
    (0..of).for_each(|index| failures.add(card(slot, card_type, Some(lot), index < failed)));
}

fn look(failures: &Failures, slot: usize, (card_type, lot): (&str, &str)) -> Vec<String> {
    failures.look(&card(slot, card_type, Some(lot), true), &[]).iter().map(ToString::to_string).collect()
}

const BOTH: [(&str, &str); 2] = [("SL16G 16 GB", "L1"), ("SL16G 16 GB", "L2")];

#[test]
fn a_slot_that_fails_far_more_often_than_the_others_stands_out_with_the_counts_of_the_cards_that_can_be_compared() {
    let mut failures = Failures::default();
    fill(&mut failures, 0, BOTH[0], 9, 40);
    fill(&mut failures, 0, ("unique 16 GB", "L3"), 5, 5);
    (1..16).for_each(|slot| fill(&mut failures, slot, BOTH[0], usize::from(slot == 1), 40));
    assert_eq!(look(&failures, 0, BOTH[0]), ["slot A0: 9 of 40 failed, other slots 1 of 600"]);
    failures.forget("A0");
    assert_eq!(look(&failures, 1, BOTH[0]), [""; 0]);
}

#[test]
fn one_slot_alone_and_cards_of_which_no_other_slot_has_any_close_nothing() {
    let mut failures = Failures::default();
    fill(&mut failures, 0, BOTH[0], 100, 200);
    assert_eq!(look(&failures, 0, BOTH[0]), [""; 0], "there is nothing to compare it with");
    fill(&mut failures, 1, BOTH[1], 0, 200);
    assert_eq!(look(&failures, 0, BOTH[0]), [""; 0], "slot and lot cannot be told apart");
}

#[test]
fn a_lot_is_compared_within_each_slot_and_its_card_type_is_not_blamed_for_it() {
    let mut failures = Failures::default();
    for slot in 0..8 {
        fill(&mut failures, slot, BOTH[0], 2, 10);
        fill(&mut failures, slot, BOTH[1], 0, 25);
        fill(&mut failures, slot, ("Ultra 16 GB", "L1"), 0, 30);
    }
    assert_eq!(look(&failures, 0, BOTH[0]), ["lot L1 (SL16G 16 GB): 16 of 80 failed, other lots 0 of 200"]);
}

#[test]
fn a_card_type_that_is_bad_in_every_lot_is_named_as_a_type() {
    let mut failures = Failures::default();
    for slot in 0..8 {
        BOTH.iter().for_each(|class| fill(&mut failures, slot, *class, 3, 20));
        fill(&mut failures, slot, ("Ultra 16 GB", "L3"), 0, 40);
    }
    assert_eq!(look(&failures, 0, BOTH[0]), ["card type SL16G 16 GB: 48 of 320 failed, other cards 0 of 320"]);
}

#[test]
fn a_reader_is_named_whose_slots_fail_a_little_each_and_a_hub_with_such_readers() {
    let mut failures = Failures::default();
    (0..16).for_each(|slot| fill(&mut failures, slot, BOTH[0], if slot < 4 { 3 } else { 0 }, 100));
    assert_eq!(look(&failures, 0, BOTH[0]), ["reader pci-1/usb3-1.1: 12 of 400 failed, other readers 0 of 1200"]);
    let mut failures = Failures::default();
    (0..16).for_each(|slot| fill(&mut failures, slot, BOTH[0], if slot < 8 { 2 } else { 0 }, 100));
    assert_eq!(look(&failures, 0, BOTH[0]), ["hub pci-1/usb3-1: 16 of 800 failed, other ports 0 of 800"]);
}

#[test]
fn a_reader_is_not_blamed_for_its_one_slot_in_quarantine() {
    let mut failures = Failures::default();
    (0..16).for_each(|slot| fill(&mut failures, slot, BOTH[0], if slot == 0 { 40 } else { 0 }, 100));
    assert_eq!(look(&failures, 0, BOTH[0]), ["slot A0: 40 of 100 failed, other slots 0 of 1500"]);
    let closed = Suspect::Slot("A0".to_owned());
    assert_eq!(failures.look(&card(0, BOTH[0].0, Some(BOTH[0].1), true), &[&closed]), [], "nothing is told twice");
}

#[test]
fn only_the_last_cards_of_a_slot_are_counted_and_names_that_no_card_has_are_dropped() {
    let mut failures = Failures::default();
    fill(&mut failures, 0, BOTH[0], 50, 50);
    for lot in 0..1000 {
        failures.add(card(0, "SL16G 16 GB", Some(&format!("M{lot}")), false));
    }
    assert!(failures.slots[0].cards.len() == CARDS_COUNTED && failures.slots[0].cards.iter().all(|card| !card.failed));
    assert!(failures.classes.len() <= CARDS_COUNTED + 1, "{} names are kept", failures.classes.len());
    assert!(!failures.knows(&Suspect::Lot { lot: "L1".to_owned(), card_type: "SL16G 16 GB".to_owned() }));
    assert!(failures.knows(&Suspect::Lot { lot: "M999".to_owned(), card_type: "SL16G 16 GB".to_owned() }));
    failures.keep_only(|slot| slot != "A0");
    assert_eq!(failures.slots, []);
}

#[test]
fn a_card_that_fails_in_a_second_slot_counts_against_no_slot_and_once_against_its_lot() {
    let mut failures = Failures::default();
    for slot in 0..16 {
        fill(&mut failures, slot, BOTH[0], 0, 10);
        fill(&mut failures, slot, BOTH[1], 0, 10);
    }
    // Most of them were tried first in slot 3.
    for (attempt, slot) in (100..).step_by(2).zip((0..16).chain(0..16).chain([3; 20])) {
        let lot = Some(BOTH[0].1);
        failures.add(WrittenCard { attempt, ..card(slot, BOTH[0].0, lot, true) });
        failures.add(WrittenCard { attempt: attempt + 1, second_try_of: Some(attempt), ..card(slot + 1, BOTH[0].0, lot, true) });
    }
    assert_eq!(look(&failures, 3, BOTH[0]), ["lot L1 (SL16G 16 GB): 52 of 212 failed, other lots 0 of 160"]);
}

#[test]
fn cards_with_a_false_capacity_count_against_their_lot_and_against_no_slot() {
    let mut failures = Failures::default();
    for slot in 0..16 {
        fill(&mut failures, slot, BOTH[1], 0, 10);
    }
    let fake = WrittenCard { is_false: true, ..card(3, BOTH[1].0, Some(BOTH[1].1), true) };
    (0..5).for_each(|_| failures.add(fake.clone()));
    assert_eq!(failures.look(&fake, &[]), [], "five fakes from one bag");
    (0..5).for_each(|_| failures.add(WrittenCard { is_false: false, ..fake.clone() }));
    assert_eq!(look(&failures, 3, BOTH[1]).len(), 1, "five other failures are");
}

#[test]
fn a_card_that_passes_in_a_second_slot_counts_against_the_first_and_not_against_its_lot() {
    let mut failures = Failures::default();
    for slot in 0..16 {
        fill(&mut failures, slot, BOTH[0], 0, 10);
        fill(&mut failures, slot, BOTH[1], 0, 10);
    }
    for attempt in (100..130).step_by(2) {
        let (first, second) = (usize::try_from(attempt / 2 % 16).expect("small"), usize::try_from((attempt / 2 + 1) % 16).expect("small"));
        let lot = Some(BOTH[0].1);
        failures.add(WrittenCard { attempt, ..card(first, BOTH[0].0, lot, true) });
        failures.add(WrittenCard { attempt: attempt + 1, second_try_of: Some(attempt), ..card(second, BOTH[0].0, lot, false) });
    }
    assert_eq!(look(&failures, 3, BOTH[0]), [""; 0], "fifteen slots failed once each, and the cards are good");
    for attempt in (200..230).step_by(2) {
        let lot = Some(BOTH[0].1);
        failures.add(WrittenCard { attempt, ..card(3, BOTH[0].0, lot, true) });
        failures.add(WrittenCard { attempt: attempt + 1, second_try_of: Some(attempt), ..card(4, BOTH[0].0, lot, false) });
    }
    let found = look(&failures, 3, BOTH[0]);
    assert!(found.len() == 1 && found[0].starts_with("slot A3: 16 of 37 failed"), "{found:?}");
}
