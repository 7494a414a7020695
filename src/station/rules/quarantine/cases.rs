//! A slot is closed and opened again, over restarts, and by nobody but the station and a user.

use super::*;
use crate::station::rules::tests::{at, configuration, ended, gone, seen, sign, visit};
use crate::station::rules::{CARDS_COUNTED, End, Event, Station};
use crate::station::status::sign::{OperatorAction, Sign};
use crate::station::status::station_call::StationCall;
use crate::station::testing::{image, proof, survey};
use crate::station::types::outcome::{Effort, Failure};
use crate::station::types::record::{AttemptNumber, Receipt};
use crate::station::types::request::{Command, Denied, Who};
use crate::station::types::standing::Standing;
use crate::station::types::units::to_u64;

const SLOTS: [(&str, &str); 4] = [("A1", "p1"), ("A2", "p2"), ("A3", "p3"), ("A4", "p4")];

fn ann() -> Who {
    Who { uid: 1000, name: "ann".to_owned() }
}

/// A station at its start, with what the log has.
fn started(standing: Standing, cards: Vec<WrittenCard>, next: AttemptNumber) -> Station {
    let configuration = configuration(&SLOTS, vec![image()]);
    let mut station = Station::new_proven(configuration.station.clone(), next, standing);
    station.apply(at(0), Event::Written(cards));
    station.apply(at(0), Event::Configure(Box::new(configuration)));
    station
}

/// A station and its log.
struct Line {
    station: Station,
    now: u64,
    card: u64,
    /// As the log has them: what a start reads.
    written: Vec<WrittenCard>,
    found: Vec<Finding>,
}

impl Line {
    fn new() -> Self {
        Self { station: started(Standing::default(), Vec::new(), 1), now: 0, card: 0, written: Vec::new(), found: Vec::new() }
    }

    /// The station ends and starts again, with its log.
    fn restart(&mut self) {
        let standing = Standing { quarantines: self.station.standing.quarantines.clone(), ..Standing::default() };
        self.station = started(standing, self.written.clone(), self.card + 1);
    }

    fn tell(&mut self, event: Event) -> Vec<Effect> {
        self.now += 1000;
        let effects = self.station.apply(at(self.now), event);
        for effect in &effects {
            if let Effect::Record(entry) = effect {
                match &**entry {
                    Entry::AttemptClosed { attempt, outcome, effort } => self.written.extend(WrittenCard::of(attempt, outcome, effort)),
                    Entry::StandsOut(finding) => self.found.push(finding.clone()),
                    _ => {}
                }
            }
        }
        effects
    }

    /// A card goes through this slot, if it begins; it stays in the slot.
    fn put_in(&mut self, slot: usize, end: End) -> bool {
        self.card += 1;
        let (port, card) = (SLOTS[slot].1, self.card);
        self.tell(seen(port, card));
        if self.tell(Event::Tick).is_empty() {
            return false;
        }
        let effects = self.tell(Event::Surveyed { visit: visit(card), survey: Some(Box::new(survey(port, card))) });
        let number = effects.iter().find_map(|effect| match effect {
            Effect::Record(entry) => match entry.receipt() {
                Some(Receipt::Started(number)) => Some(number),
                _ => None,
            },
            _ => None,
        });
        let Some(number) = number else { return false };
        self.tell(Event::Recorded(Receipt::Started(number)));
        self.tell(ended(number, end));
        self.tell(Event::Recorded(Receipt::Closed(number)));
        true
    }

    /// The same, and the card is taken out.
    fn make(&mut self, slot: usize, end: End) -> bool {
        let begun = self.put_in(slot, end);
        self.tell(gone(self.card));
        begun
    }

    /// Every slot makes so many good cards.
    fn good(&mut self, cards: usize) {
        for _ in 0..cards {
            for slot in 0..SLOTS.len() {
                self.make(slot, End::Verified(proof()));
            }
        }
    }

    /// Cards fail in this slot until it is closed; returns their number.
    fn until_closed(&mut self, slot: usize) -> usize {
        (1..=CARDS_COUNTED)
            .find(|_| {
                assert!(self.make(slot, End::Failed(Failure::Changed)), "it is open");
                !self.station.standing.quarantines.is_empty()
            })
            .expect("it is closed")
    }

    fn arm(&mut self, slot: &str) -> Vec<Effect> {
        let target = Target::Slot(slot.to_owned());
        let effects = self.tell(Event::Asked { request: 1, by: ann(), command: Command::Arm { target } });
        if matches!(effects.as_slice(), [Effect::RecordAsked { .. }]) {
            self.written.retain(|card| card.slot != slot);
        }
        effects
    }
}

#[test]
fn a_slot_whose_cards_fail_closes_itself_says_so_and_begins_no_card_while_the_others_go_on() {
    let mut line = Line::new();
    line.good(20);
    let failed = line.until_closed(1);
    assert!((4..15).contains(&failed), "after {failed} failed cards in a row");
    let finding = line.found.last().expect("it is recorded").clone();
    assert_eq!((finding.suspect.clone(), finding.failed), (Suspect::Slot("A2".to_owned()), to_u64(failed)));
    assert_eq!((finding.of, finding.others_failed, finding.others_of), (20 + to_u64(failed), 0, 60));
    let view = line.station.view(at(line.now));
    assert_eq!((&view.slots[1].sign, view.slots[1].call), (&Sign::Quarantined(finding.clone()), OperatorAction::Nothing));
    assert_eq!(view.call(), StationCall::Wanted);
    assert_eq!(Entry::StandsOut(finding).kind(), "quarantined");
    assert!(!line.put_in(1, End::Verified(proof())), "no card is begun");
    assert!(matches!(sign(&line.station, 1), Sign::Quarantined(_)), "and one that is in waits");
    assert!(line.make(0, End::Verified(proof())), "the others go on");
}

#[test]
fn arming_opens_the_slot_for_the_card_that_waits_in_it_and_counts_anew() {
    let mut line = Line::new();
    line.good(20);
    line.until_closed(1);
    line.put_in(1, End::Verified(proof()));
    let waits = line.card;
    let effects = line.arm("A2");
    assert!(matches!(effects.as_slice(), [Effect::RecordAsked { entry, .. }] if entry.kind() == "rearmed"), "{effects:?}");
    assert!(line.tell(Event::Tick).iter().any(|effect| matches!(effect, Effect::Survey(card) if card.visit == visit(waits))));
    line.tell(gone(waits));
    assert_eq!(sign(&line.station, 1), Sign::Empty);
    line.good(20);
    let again = line.until_closed(1);
    assert_eq!(line.found.last().map(|finding| finding.of), Some(20 + to_u64(again)), "nothing of before is counted");
    let again = line.arm("A1");
    let [Effect::Answer { answer: Err(denied), .. }] = again.as_slice() else { panic!("{again:?}") };
    assert_eq!(*denied, Denied::NotDisarmed(Target::Slot("A1".to_owned())), "a slot that is in use is not armed");
}

#[test]
fn a_request_to_arm_a_slot_that_is_in_use_forgets_no_failure() {
    let mut line = Line::new();
    line.good(20);
    line.make(1, End::Failed(Failure::Changed));
    line.arm("A2");
    let needed = line.until_closed(1);
    let mut other = Line::new();
    other.good(20);
    assert_eq!(needed + 1, other.until_closed(1));
}

#[test]
fn a_restart_keeps_the_quarantine_and_the_counts() {
    let (mut line, mut other) = (Line::new(), Line::new());
    for line in [&mut line, &mut other] {
        line.good(20);
        line.make(1, End::Failed(Failure::Changed));
    }
    line.restart();
    assert_eq!(line.until_closed(1), other.until_closed(1), "it goes on counting");
    line.restart();
    assert!(matches!(sign(&line.station, 1), Sign::Quarantined(_)) && !line.make(1, End::Verified(proof())));
    line.arm("A2");
    line.restart();
    assert!(line.make(1, End::Failed(Failure::Changed)), "armed, it stays open, and counts anew");
}

#[test]
fn only_cards_that_failed_are_charged_to_a_slot() {
    let mut line = Line::new();
    line.good(20);
    for _ in 0..30 {
        line.make(1, End::Gone);
        line.tell(Event::Tick);
        line.tell(Event::Recorded(Receipt::Closed(line.card)));
        line.make(1, End::Cancelled);
    }
    assert!(line.written.iter().all(|card| !card.failed) && line.found.is_empty(), "{:?}", line.found);
}

#[test]
fn what_was_named_once_and_does_not_stand_out_any_more_is_not_named_after_a_restart() {
    let mut line = Line::new();
    line.good(5);
    let suspect = Suspect::CardType(line.written[0].class.card_type.clone());
    let named = Finding { suspect, failed: 9, of: 40, others_failed: 1, others_of: 200 };
    let station = started(Standing { suspects: vec![named], ..Standing::default() }, line.written.clone(), 100);
    assert_eq!(station.standing.suspects, []);
}

#[test]
fn a_slot_that_somebody_disarms_in_quarantine_says_who_and_arming_ends_both() {
    let mut line = Line::new();
    line.good(20);
    line.until_closed(1);
    let target = Target::Slot("A2".to_owned());
    line.tell(Event::Asked { request: 1, by: ann(), command: Command::Disarm { target, reason: None } });
    let view = line.station.view(at(line.now));
    assert!(matches!(&view.slots[1].sign, Sign::Disarmed(why) if why.contains("ann")), "{:?}", view.slots[1].sign);
    assert_eq!(view.call(), StationCall::Well, "a person decided that");
    line.arm("A2");
    assert_eq!(sign(&line.station, 1), Sign::Empty);
}

#[test]
fn a_stalled_card_is_a_failed_one_and_a_slot_out_of_service_stays_that() {
    let mut line = Line::new();
    line.good(20);
    let failed = line.until_closed(1);
    line = Line::new();
    line.good(20);
    for _ in 1..failed {
        line.make(1, End::Failed(Failure::Changed));
    }
    line.card += 1;
    let card = line.card;
    line.tell(seen("p2", card));
    line.tell(Event::Tick);
    line.tell(Event::Surveyed { visit: visit(card), survey: Some(Box::new(survey("p2", card))) });
    let number = line.station.slots[1].phase.attempt().expect("it is begun").number;
    line.tell(Event::Recorded(Receipt::Started(number)));
    let waited = std::time::Duration::from_secs(90);
    line.tell(Event::Stalled { attempt: number, waited, on_image: false, effort: Effort::default() });
    line.tell(Event::Recorded(Receipt::Closed(number)));
    line.tell(gone(card));
    assert_eq!(sign(&line.station, 1), Sign::OutOfService);
    assert_eq!(line.station.standing.quarantines.len(), 1, "the last failure closed it");
}
