//! Reader and card are told apart in both directions, and only where the card is surely the same one.

use super::*;
use crate::station::rules::tests::{at, configuration, gone, visit};
use crate::station::rules::{Effect, End, Event};
use crate::station::status::instruction::Instruction;
use crate::station::status::sign::{OperatorAction, Sign};
use crate::station::testing::{card, image, proof, survey};
use crate::station::types::card::{Card, Cid, Identity};
use crate::station::types::outcome::{CardHead, Digest, Failure};
use crate::station::types::record::{Entry, Receipt};
use crate::station::types::request::{Command, Target, Who};
use crate::station::types::standing::Standing;
use crate::station::types::units::Bytes;

const SLOTS: [(&str, &str); 3] = [("A1", "p1"), ("A2", "p2"), ("A3", "p3")];

fn started(slots: &[(&str, &str)], written: Vec<WrittenCard>) -> Line {
    let configuration = configuration(slots, vec![image()]);
    let mut station = Station::new_proven(configuration.station.clone(), 1, Standing::default());
    station.apply(at(0), Event::Written(written));
    station.apply(at(0), Event::Configure(Box::new(configuration)));
    Line { station, now: 0, visit: 0, written: Vec::new() }
}

/// A station of which every card gets through at once.
struct Line {
    station: Station,
    now: u64,
    visit: u64,
    written: Vec<WrittenCard>,
}

/// How the station saw the last attempt.
#[derive(Debug)]
struct Tried {
    second_try_of: Option<AttemptNumber>,
    looked: bool,
    sign: Sign,
}

impl Tried {
    fn asks(&self) -> bool {
        let todo = self.sign.todo();
        assert_eq!(todo == Instruction::TryElsewhere, matches!(self.sign, Sign::FailedOnce(_)));
        todo == Instruction::TryElsewhere
    }
}

fn failed() -> End {
    End::Failed(Failure::Changed)
}

fn wrote(tombstone: u128) -> Effort {
    Effort { tombstone: Some(Nonce(tombstone)), head: CardHead::Tombstone, ..Effort::default() }
}

fn found(before: u128, tombstone: u128) -> Effort {
    Effort { found_tombstone: Some(Nonce(before)), ..wrote(tombstone) }
}

impl Line {
    fn tell(&mut self, event: Event) -> Vec<Effect> {
        self.now += 1000;
        self.station.apply(at(self.now), event)
    }

    /// A card goes through this slot. With a register, if it has one.
    fn put(&mut self, slot: usize, cid: Option<&str>, end: End, effort: Effort) -> Tried {
        self.put_into(slot, SLOTS[slot].1, cid, end, effort)
    }

    fn put_into(&mut self, slot: usize, port: &str, cid: Option<&str>, end: End, effort: Effort) -> Tried {
        self.visit += 1;
        let seq = self.visit;
        let own = |card: Card| match cid {
            Some(raw) => Card { cid: Some(Cid { raw: raw.to_owned(), ..Cid::default() }), identified: Identity::Cid, ..card },
            None => Card { serial: None, identified: Identity::None, ..card },
        };
        self.tell(Event::Seen { card: Box::new(own(card(port, seq))), before: None, with_device: None });
        self.tell(Event::Tick);
        let mut answer = survey(port, seq);
        answer.card = own(answer.card);
        self.tell(Event::Surveyed { visit: visit(seq), survey: Some(Box::new(answer)) });
        let number = self.station.slots[slot].phase.attempt().expect("it is begun").number;
        let effects = self.tell(Event::Recorded(Receipt::Started(number)));
        let [Effect::Start(attempt)] = effects.as_slice() else { panic!("{effects:?}") };
        let looked = attempt.looks_for_tombstone;
        let mut effects = self.tell(Event::Ended { attempt: number, end, effort });
        effects.extend(self.tell(gone_if_pulled(&effects, seq)));
        effects.extend(self.tell(Event::Tick));
        let closed = effects.iter().find_map(|effect| match effect {
            Effect::Record(entry) => match &**entry {
                Entry::AttemptClosed { attempt, outcome, effort } => Some((attempt.clone(), outcome.clone(), effort.clone())),
                _ => None,
            },
            _ => None,
        });
        let (attempt, outcome, effort) = closed.expect("it is closed");
        self.written.extend(WrittenCard::of(&attempt, &outcome, &effort));
        self.tell(Event::Recorded(Receipt::Closed(number)));
        let sign = self.station.view(at(self.now)).slots[slot].sign.clone();
        self.tell(gone(seq));
        Tried { second_try_of: attempt.second_try_of, looked, sign }
    }
}

/// The card of an attempt that was not closed at once is taken out.
fn gone_if_pulled(effects: &[Effect], seq: u64) -> Event {
    if effects.iter().any(|effect| matches!(effect, Effect::Record(_))) { Event::Tick } else { gone(seq) }
}

#[test]
fn a_card_with_a_register_that_fails_in_two_slots_is_bad_and_its_second_row_names_the_first() {
    let mut line = started(&SLOTS, Vec::new());
    let first = line.put(0, Some("c1"), failed(), wrote(1));
    assert!(first.asks() && first.second_try_of.is_none());
    assert_eq!((first.sign.word(), first.sign.call()), ("FAILED", OperatorAction::TakeAside), "it is not bad yet");
    let second = line.put(1, Some("c1"), failed(), wrote(2));
    assert_eq!(second.second_try_of, Some(1));
    assert_eq!((second.asks(), second.sign.call()), (false, OperatorAction::TakeBad));
    let third = line.put(2, Some("c1"), failed(), wrote(3));
    assert_eq!((third.second_try_of, third.asks()), (Some(1), false), "nor is another slot blamed for a card that is known to be bad");
    assert!(line.put(1, Some("c2"), failed(), wrote(4)).asks(), "another card is another one");
}

#[test]
fn a_card_that_passes_in_another_slot_blames_the_first_one_and_is_forgotten() {
    let mut line = started(&SLOTS, Vec::new());
    line.put(0, Some("c1"), failed(), wrote(1));
    let second = line.put(1, Some("c1"), End::Verified(proof()), wrote(2));
    assert_eq!((second.second_try_of, &second.sign), (Some(1), &Sign::Passed));
    let later = line.put(1, Some("c1"), failed(), wrote(3));
    assert!(later.asks() && later.second_try_of.is_none(), "what it did before it was good says nothing");
}

#[test]
fn a_card_without_a_register_is_recognised_by_its_tombstone_and_by_nothing_else() {
    for (seen, names) in [(found(1, 2), Some(1)), (found(7, 2), None), (wrote(2), None)] {
        for end in [failed(), End::Verified(proof())] {
            let mut line = started(&SLOTS, Vec::new());
            let first = line.put(0, None, failed(), wrote(1));
            assert!(first.asks() && !first.looked, "there is nothing to look for");
            let second = line.put(1, None, end, seen.clone());
            assert!(second.looked, "its head is read for the tombstone of the first");
            assert_eq!(second.second_try_of, names);
        }
    }
}

#[test]
fn a_card_that_could_not_be_recognised_or_whose_capacity_is_false_is_bad_at_once() {
    let mut line = started(&SLOTS, Vec::new());
    assert!(!line.put(0, None, failed(), Effort::default()).asks());
    let unknown = Effort { head: CardHead::Unknown, ..wrote(9) };
    assert!(!line.put(0, None, failed(), unknown).asks(), "its tombstone may not have arrived");
    let lies = End::Failed(Failure::FalseCapacity { at: Bytes(0), holds: None });
    assert!(!line.put(0, Some("c1"), lies, wrote(1)).asks());
    assert!(line.put(1, Some("c1"), failed(), wrote(2)).second_try_of.is_none());
}

#[test]
fn a_second_try_is_in_another_slot_and_follows_the_last_try_in_the_first() {
    let mut line = started(&SLOTS, Vec::new());
    line.put(0, None, failed(), wrote(1));
    let again = line.put(0, None, failed(), found(1, 2));
    assert!(again.asks() && again.second_try_of.is_none(), "the same slot tells nothing new");
    assert_eq!(line.put(1, None, failed(), found(2, 3)).second_try_of, Some(2));
}

#[test]
fn two_slots_of_one_reader_tell_nothing_and_nobody_is_sent_from_one_to_the_other() {
    let reader = |lun: u32| format!("pci-0000:00:14.0/usb3-1/lun-{lun}");
    let (one, two, stick) = (reader(0), reader(1), "pci-0000:00:14.0/usb3-2/lun-0");
    let mut line = started(&[("A1", &one), ("A2", &two)], Vec::new());
    assert!(!line.put_into(0, &one, None, failed(), wrote(1)).asks(), "there is no slot that would tell");
    let mut line = started(&[("A1", &one), ("A2", &two), ("A3", stick)], Vec::new());
    assert!(line.put_into(0, &one, None, failed(), wrote(1)).asks());
    let beside = line.put_into(1, &two, None, failed(), found(1, 2));
    assert!(beside.asks() && beside.second_try_of.is_none(), "it may be the reader");
    assert_eq!(line.put_into(2, stick, None, End::Verified(proof()), found(2, 3)).second_try_of, Some(2));
}

#[test]
fn a_second_try_that_was_pulled_is_made_again() {
    let mut line = started(&SLOTS, Vec::new());
    line.put(0, None, failed(), wrote(1));
    let pulled = line.put(1, None, End::Gone, found(1, 2));
    assert_eq!(pulled.second_try_of, None, "it tells nothing");
    assert_eq!(line.put(2, None, failed(), found(2, 3)).second_try_of, Some(1));
}

#[test]
fn nobody_is_sent_to_a_slot_that_takes_no_card_or_makes_another_model() {
    let mut alone = started(&SLOTS[..1], Vec::new());
    assert!(!alone.put(0, Some("c1"), failed(), wrote(1)).asks());
    let mut line = started(&SLOTS[..2], Vec::new());
    let (target, by) = (Target::Slot("A2".to_owned()), Who { uid: 1000, name: "ann".to_owned() });
    line.tell(Event::Asked { request: 1, by: by.clone(), command: Command::Disarm { target: target.clone(), reason: None } });
    assert!(!line.put(0, Some("c1"), failed(), wrote(1)).asks());
    line.tell(Event::Asked { request: 2, by, command: Command::Arm { target } });
    assert!(line.put(0, Some("c1"), failed(), wrote(1)).asks());
    let mut other = crate::station::rules::tests::configuration(&SLOTS[..2], vec![image()]);
    other.armed.push(crate::station::types::armed::Armed { model: "acme/bag".to_owned(), digest: Digest([8; 32]), ..image() });
    other.slots[1].model = "acme/bag".to_owned();
    line.tell(Event::Configure(Box::new(other)));
    assert!(!line.put(0, Some("c1"), failed(), wrote(1)).asks());
}

#[test]
fn a_restart_forgets_no_card_that_is_to_be_tried_again() {
    let mut before = started(&SLOTS, Vec::new());
    before.put(0, None, failed(), wrote(1));
    before.put(0, Some("c1"), failed(), wrote(2));
    before.put(1, Some("c2"), failed(), wrote(3));
    before.put(2, Some("c2"), End::Verified(proof()), wrote(4));
    let mut line = started(&SLOTS, before.written.clone());
    line.station.next_attempt = 10;
    assert_eq!(line.put(1, None, failed(), found(1, 5)).second_try_of, Some(1));
    assert_eq!(line.put(1, Some("c1"), failed(), wrote(6)).second_try_of, Some(2));
    assert_eq!(line.put(0, Some("c2"), failed(), wrote(7)).second_try_of, None, "it has passed since");
}

#[test]
fn only_the_newest_failed_cards_are_remembered() {
    let mut line = started(&SLOTS, Vec::new());
    for card in 0..=REMEMBERED {
        line.put(0, Some(&format!("c{card}")), failed(), Effort::default());
        line.station.standing.quarantines.clear();
        line.station.note_quarantines();
    }
    assert_eq!(line.station.failed_cards.0.len(), REMEMBERED);
    assert_eq!(line.put(1, Some("c1"), failed(), Effort::default()).second_try_of, Some(2));
    assert_eq!(line.put(1, Some("c0"), failed(), Effort::default()).second_try_of, None);
}
