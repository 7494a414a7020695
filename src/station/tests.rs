//! What an operator relies on, slot by slot, and then over sequences nobody thought of.

use std::time::Duration;

use proptest::prelude::*;

use super::testing::{card, image, proof, survey};
use super::view::Sign;
use super::*;

const SETTLE: Duration = Duration::from_millis(700);

fn station(slots: &[(&str, &str)]) -> Station {
    let settings = StationSettings { name: "bench".to_owned(), settle: SETTLE, flash_present: false };
    let slots = slots.iter().map(|(name, port)| SlotSettings {
        name: (*name).to_owned(),
        ports: vec![Port((*port).to_owned())],
        model: "acme/box".to_owned(),
        policy: admit::Policy::default(),
    });
    let mut station = Station::new(settings, slots.collect(), 1);
    station.apply(at(0), Event::Arm(image()));
    station
}

fn at(millis: u64) -> Moment {
    Moment(Duration::from_millis(millis))
}

fn seen(port: &str, diskseq: u64) -> Event {
    Event::Seen { card: Box::new(card(port, diskseq)), since_start: false }
}

fn visit(diskseq: u64) -> Visit {
    card("", diskseq).visit
}

fn sign(station: &Station, slot: usize) -> Sign {
    station.view().slots[slot].sign.clone()
}

/// Brings the card `diskseq` in the only slot to the point where its thread runs.
fn run_until_busy(station: &mut Station, diskseq: u64) -> AttemptNumber {
    station.apply(at(0), seen("p1", diskseq));
    station.apply(at(700), Event::Tick);
    let effects = station.apply(at(701), Event::Surveyed { visit: visit(diskseq), survey: Some(Box::new(survey("p1", diskseq))) });
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("an admitted card's start is recorded: {effects:?}") };
    let Some(Receipt::Started(number)) = entry.receipt() else { panic!("{entry:?}") };
    let effects = station.apply(at(702), Event::Recorded(Receipt::Started(number)));
    assert!(matches!(effects.as_slice(), [Effect::Start(_)]), "the thread starts when the start is on disk: {effects:?}");
    number
}

fn ended(attempt: AttemptNumber, end: End) -> Event {
    Event::Ended { attempt, end, effort: Effort::default() }
}

#[test]
fn green_comes_only_after_the_row_is_on_disk() {
    let mut station = station(&[("A1", "p1")]);
    let attempt = run_until_busy(&mut station, 1);
    assert_eq!(sign(&station, 0), Sign::Writing);
    station.apply(at(800), ended(attempt, End::Verified(proof())));
    assert_eq!(sign(&station, 0), Sign::Recording);
    station.apply(at(801), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(sign(&station, 0), Sign::Passed);
    station.apply(at(900), Event::Gone(visit(1)));
    assert_eq!(sign(&station, 0), Sign::Empty);
}

#[test]
fn a_card_that_bounces_in_its_contacts_makes_no_attempt() {
    let mut station = station(&[("A1", "p1")]);
    for (time, diskseq) in [(0, 1), (300, 2), (600, 3)] {
        station.apply(at(time), seen("p1", diskseq));
        assert_eq!(station.apply(at(time + 299), Event::Tick), vec![]);
        station.apply(at(time + 299), Event::Gone(visit(diskseq)));
    }
    assert_eq!(station.apply(at(5000), Event::Tick), vec![]);
    assert_eq!(sign(&station, 0), Sign::Empty);
}

#[test]
fn the_echo_of_our_own_close_starts_nothing() {
    let mut station = station(&[("A1", "p1")]);
    let attempt = run_until_busy(&mut station, 1);
    station.apply(at(800), ended(attempt, End::Verified(proof())));
    station.apply(at(801), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(station.apply(at(802), seen("p1", 1)), vec![]);
    assert_eq!(station.apply(at(9000), Event::Tick), vec![]);
    assert_eq!(sign(&station, 0), Sign::Passed);
}

#[test]
fn a_card_swapped_while_busy_is_pulled_and_the_new_one_is_never_shown_as_it() {
    let mut station = station(&[("A1", "p1")]);
    let attempt = run_until_busy(&mut station, 1);
    assert_eq!(station.apply(at(800), seen("p1", 2)), vec![Effect::Cancel(attempt)]);
    let effects = station.apply(at(801), ended(attempt, End::Verified(proof())));
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(&**entry, Entry::AttemptClosed { outcome: Outcome::Pulled, attempt, .. } if attempt.card.visit == visit(1)));
    station.apply(at(802), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(sign(&station, 0), Sign::Preparing, "the new card begins from the start");
}

#[test]
fn pulled_stays_until_the_next_card() {
    let mut station = station(&[("A1", "p1")]);
    let attempt = run_until_busy(&mut station, 1);
    station.apply(at(800), Event::Gone(visit(1)));
    station.apply(at(900), ended(attempt, End::Gone));
    station.apply(at(901), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(sign(&station, 0), Sign::Pulled);
    station.apply(at(5000), seen("p1", 2));
    assert_eq!(sign(&station, 0), Sign::Preparing);
}

#[test]
fn a_card_present_since_the_start_is_held_until_it_is_put_in_again() {
    let mut station = station(&[("A1", "p1")]);
    station.apply(at(0), Event::Seen { card: Box::new(card("p1", 1)), since_start: true });
    assert_eq!(sign(&station, 0), Sign::Held);
    assert_eq!(station.apply(at(9000), Event::Tick), vec![]);
    station.apply(at(9001), Event::Gone(visit(1)));
    station.apply(at(9002), seen("p1", 2));
    assert_eq!(sign(&station, 0), Sign::Preparing);
}

#[test]
fn a_disk_in_no_slot_does_not_exist() {
    let mut station = station(&[("A1", "p1")]);
    let before = station.clone();
    assert_eq!(station.apply(at(0), seen("elsewhere", 1)), vec![]);
    assert_eq!(station, before);
}

#[test]
fn no_attempt_begins_while_the_log_cannot_be_written() {
    let mut station = station(&[("A1", "p1")]);
    station.apply(at(0), Event::LogHealth(Some("disk full".to_owned())));
    station.apply(at(0), seen("p1", 1));
    assert_eq!(station.apply(at(9000), Event::Tick), vec![]);
    assert!(station.view().fault.is_some());
    station.apply(at(9001), Event::LogHealth(None));
    assert!(matches!(station.apply(at(9002), Event::Tick).as_slice(), [Effect::Survey(_)]));
}

#[test]
fn stopping_cancels_what_runs_and_records_it_as_interrupted() {
    let mut station = station(&[("A1", "p1")]);
    let attempt = run_until_busy(&mut station, 1);
    assert_eq!(station.apply(at(800), Event::Stop), vec![Effect::Cancel(attempt)]);
    let effects = station.apply(at(801), ended(attempt, End::Cancelled));
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(&**entry, Entry::AttemptClosed { outcome: Outcome::Interrupted, .. }));
    assert!(!station.is_idle());
    station.apply(at(802), Event::Recorded(Receipt::Closed(attempt)));
    assert!(station.is_idle());
}

#[test]
fn a_running_card_keeps_the_image_it_started_with_and_the_next_one_gets_the_new() {
    let mut station = station(&[("A1", "p1")]);
    let attempt = run_until_busy(&mut station, 1);
    let newer = Armed { digest: outcome::Digest([9; 32]), ..image() };
    station.apply(at(750), Event::Arm(newer.clone()));
    let effects = station.apply(at(800), ended(attempt, End::Verified(proof())));
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(&**entry, Entry::AttemptClosed { attempt, .. } if attempt.image == Some(image())));
    station.apply(at(801), Event::Recorded(Receipt::Closed(attempt)));
    station.apply(at(802), Event::Gone(visit(1)));
    station.apply(at(803), seen("p1", 2));
    station.apply(at(2000), Event::Tick);
    let effects = station.apply(at(2001), Event::Surveyed { visit: visit(2), survey: Some(Box::new(survey("p1", 2))) });
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(&**entry, Entry::AttemptStarted(attempt) if attempt.image == Some(newer.clone())));
}

/// The world around a station, for random walks: which card is in which slot, which entries wait for the disk, which threads run.
#[derive(Clone, Debug)]
struct World {
    station: Station,
    now: u64,
    next_diskseq: u64,
    inserted: [Option<u64>; 2],
    surveys: Vec<Card>,
    unrecorded: Vec<Receipt>,
    threads: Vec<(AttemptNumber, Visit)>,
    started: Vec<AttemptNumber>,
    closed: Vec<AttemptNumber>,
    durable: Vec<(AttemptNumber, Outcome)>,
    waiting_outcomes: Vec<(AttemptNumber, Outcome)>,
}

const PORTS: [&str; 2] = ["p1", "p2"];

impl World {
    fn new() -> Self {
        Self {
            station: station(&[("A1", "p1"), ("A2", "p2")]),
            now: 0,
            next_diskseq: 1,
            inserted: [None; 2],
            surveys: Vec::new(),
            unrecorded: Vec::new(),
            threads: Vec::new(),
            started: Vec::new(),
            closed: Vec::new(),
            durable: Vec::new(),
            waiting_outcomes: Vec::new(),
        }
    }

    fn tell(&mut self, event: Event) {
        for effect in self.station.apply(at(self.now), event) {
            match effect {
                Effect::Survey(card) => self.surveys.push(*card),
                Effect::Record(entry) => {
                    match &*entry {
                        Entry::AttemptStarted(attempt) => self.started.push(attempt.number),
                        Entry::AttemptClosed { attempt, outcome, .. } => {
                            assert!(!self.closed.contains(&attempt.number), "an attempt is closed once");
                            self.closed.push(attempt.number);
                            self.waiting_outcomes.push((attempt.number, outcome.clone()));
                        }
                        _ => {}
                    }
                    self.unrecorded.extend(entry.receipt());
                }
                Effect::Start(attempt) => {
                    let port = &attempt.card.port;
                    assert!(!self.threads.iter().any(|(_, visit)| *visit == attempt.card.visit), "no card has two threads");
                    assert!(
                        !self.unrecorded.contains(&Receipt::Started(attempt.number)),
                        "the start of {port} is on disk before its thread starts"
                    );
                    self.threads.push((attempt.number, attempt.card.visit));
                }
                Effect::Cancel(_) => {}
            }
        }
        self.check();
    }

    /// The properties, each a sentence.
    fn check(&self) {
        for (index, slot) in self.station.view().slots.iter().enumerate() {
            if slot.sign == Sign::Passed {
                let attempt = slot.attempt.expect("a pass has an attempt");
                assert!(
                    self.durable.iter().any(|(number, outcome)| *number == attempt && matches!(outcome, Outcome::Passed(_))),
                    "never green before the row is recorded"
                );
                assert!(self.told_present(index), "the lamp never speaks of another card");
            }
        }
        assert!(self.threads.len() <= PORTS.len(), "no slot runs two jobs");
    }

    /// The card the slot's sign speaks of is the one the station was last told of.
    fn told_present(&self, index: usize) -> bool {
        let slot = &self.station.slots[index];
        match &slot.phase {
            Phase::Finished { attempt, .. } => slot.holds(attempt.card.visit),
            _ => false,
        }
    }

    fn step(&mut self, choice: u8, slot: usize) {
        self.now += 100;
        match choice {
            0 => {
                let diskseq = self.next_diskseq;
                self.next_diskseq += 1;
                self.inserted[slot] = Some(diskseq);
                self.tell(seen(PORTS[slot], diskseq));
            }
            1 => {
                if let Some(diskseq) = self.inserted[slot].take() {
                    self.tell(Event::Gone(visit(diskseq)));
                }
            }
            2 => {
                if let Some(diskseq) = self.inserted[slot] {
                    self.tell(seen(PORTS[slot], diskseq));
                }
            }
            3 => {
                self.now += 700;
                self.tell(Event::Tick);
            }
            4 => {
                if let Some(card) = self.surveys.pop() {
                    let answer = Survey { card: card.clone(), uses: Vec::new() };
                    self.tell(Event::Surveyed { visit: card.visit, survey: Some(Box::new(answer)) });
                }
            }
            5 => {
                if !self.unrecorded.is_empty() {
                    let receipt = self.unrecorded.remove(0);
                    if let Receipt::Closed(number) = receipt {
                        let place = self.waiting_outcomes.iter().position(|(waiting, _)| *waiting == number).expect("it was closed");
                        self.durable.push(self.waiting_outcomes.remove(place));
                    }
                    self.tell(Event::Recorded(receipt));
                }
            }
            6..=9 => {
                if let Some((attempt, _)) = self.threads.pop() {
                    let end = match choice {
                        6 => End::Verified(proof()),
                        7 => End::Gone,
                        8 => End::Failed(Failure::Changed),
                        _ => End::Cancelled,
                    };
                    self.tell(ended(attempt, end));
                }
            }
            // Events that fit nothing: an old attempt, an old visit.
            _ => {
                let before = self.station.clone();
                self.tell(ended(9999, End::Verified(proof())));
                self.tell(Event::Gone(visit(9999)));
                self.tell(Event::Recorded(Receipt::Closed(9999)));
                self.tell(Event::Surveyed { visit: visit(9999), survey: None });
                assert_eq!(self.station, before, "an event that does not fit changes nothing");
            }
        }
    }
}

proptest! {
    #[test]
    fn over_any_sequence_the_lamps_tell_the_truth_and_every_attempt_is_closed_once(
        steps in proptest::collection::vec((0u8..11, 0usize..2), 1..400)
    ) {
        let mut world = World::new();
        for (choice, slot) in steps {
            world.step(choice, slot);
        }
        // Let everything that runs come to its end.
        world.tell(Event::Stop);
        for _ in 0..50 {
            world.step(9, 0);
            world.step(5, 0);
        }
        prop_assert!(world.station.is_idle(), "a stopped station comes to rest");
        for attempt in &world.started {
            prop_assert!(world.closed.contains(attempt), "every started attempt gets exactly one closing event");
        }
    }
}
