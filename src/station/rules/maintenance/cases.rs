use std::time::Duration;

use super::*;
use crate::station::rules::tests::{at, busy_in, configuration, ended, gone, seen, sign, station, visit};
use crate::station::rules::{Effect, End, Event};
use crate::station::status::sign::{Hold, OperatorAction, Sign};
use crate::station::status::station_call::StationCall;
use crate::station::testing::{card, proof, survey};
use crate::station::types::card::{Card, Identity};
use crate::station::types::outcome::Effort;
use crate::station::types::record::Receipt;
use crate::station::types::request::{Command, RequestId};
use crate::station::types::standing::Standing;

const SLOTS: [(&str, &str); 3] = [("A1", "p1"), ("A2", "p2"), ("A3", "p3")];
const REQUEST: RequestId = 1;

fn ann() -> Who {
    Who { uid: 1000, name: "ann".to_owned() }
}

fn ask(station: &mut Station, now: u64, command: Command) -> Vec<Effect> {
    station.apply(at(now), Event::Asked { request: REQUEST, by: ann(), command })
}

fn begin(station: &mut Station, now: u64, why: &str) -> Vec<Effect> {
    ask(station, now, Command::BeginMaintenance { why: why.to_owned() })
}

/// Time passes, in ticks.
fn wait(station: &mut Station, from: u64, to: u64) -> Vec<Effect> {
    (from..=to).step_by(100).flat_map(|now| station.apply(at(now), Event::Tick)).collect()
}

fn shown() -> Sign {
    Sign::Maintenance { by: "ann".to_owned(), why: "new readers".to_owned() }
}

#[test]
fn a_busy_card_ends_as_always_and_no_other_one_is_begun_or_looks_wanted() {
    let mut station = station(&SLOTS);
    let attempt = busy_in(&mut station, "p1", 1);
    // One that settles, and one that is asked about.
    station.apply(at(800), seen("p2", 2));
    station.apply(at(1500), Event::Tick);
    station.apply(at(1550), seen("p3", 3));
    let effects = begin(&mut station, 1600, "new readers");
    let [Effect::RecordAsked { entry, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(**entry, Entry::MaintenanceBegun { by: ann(), why: "new readers".to_owned() });
    let late = Event::Surveyed { visit: visit(2), survey: Some(Box::new(survey("p2", 2))) };
    assert_eq!(station.apply(at(1700), late), [], "an answer that comes late begins nothing");
    assert_eq!([sign(&station, 1), sign(&station, 2)], [Sign::Held(Hold::Maintenance), Sign::Held(Hold::Maintenance)]);
    assert_eq!(wait(&mut station, 1700, 9000), [], "nothing is cancelled, and nothing begun");
    assert_eq!(sign(&station, 0), Sign::Writing);
    station.apply(at(9100), ended(attempt, End::Verified(proof())));
    station.apply(at(9200), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(sign(&station, 0), Sign::Passed, "green stays until the card is out");
    for visit in [1, 2, 3] {
        station.apply(at(9300), gone(visit));
    }
    let view = station.view(at(9400));
    assert!(view.slots.iter().all(|slot| slot.sign == shown() && slot.call == OperatorAction::Nothing), "{view:?}");
    let said = view.maintenance.clone().expect("it is shown");
    assert_eq!((said.by.as_str(), said.why.as_str()), ("ann", "new readers"));
    assert_eq!(view.call(), StationCall::Wanted, "nothing more happens until somebody ends it");
    station.apply(at(9500), seen("p1", 4));
    assert_eq!(wait(&mut station, 9600, 20_000), []);
    assert_eq!(sign(&station, 0), Sign::Held(Hold::Maintenance), "put in later, it is held, too");
}

#[test]
fn what_was_put_in_meanwhile_is_not_begun_when_it_ends_and_what_is_put_in_then_is() {
    let mut station = station(&SLOTS);
    begin(&mut station, 0, "new readers");
    station.apply(at(100), seen("p1", 1));
    wait(&mut station, 200, 2000);
    let effects = ask(&mut station, 2100, Command::EndMaintenance);
    assert!(matches!(effects.as_slice(), [Effect::RecordAsked { entry, .. }] if entry.kind() == "maintenance"), "{effects:?}");
    assert_eq!(wait(&mut station, 2200, 9000), [], "nobody put it in to be written");
    assert_eq!([sign(&station, 0), sign(&station, 1)], [Sign::Held(Hold::Maintenance), Sign::Empty]);
    assert!(station.view(at(9000)).maintenance.is_none());
    station.apply(at(9100), gone(1));
    station.apply(at(9200), seen("p1", 2));
    assert!(matches!(wait(&mut station, 9300, 10_000).as_slice(), [Effect::Survey(_)]));
}

#[test]
fn a_stick_that_a_quick_hand_puts_in_the_place_of_a_held_one_is_held_too() {
    let glance = |diskseq: u64| Card { serial: None, identified: Identity::None, ..card("p1", diskseq) };
    let seen = |card: Card| Event::Seen { card: Box::new(card), before: None, with_device: Some(Duration::ZERO) };
    let mut station = station(&SLOTS);
    begin(&mut station, 0, "new readers");
    station.apply(at(100), seen(card("p1", 1)));
    wait(&mut station, 200, 1000);
    // Until it is asked for its serial, it may be the one that was there.
    station.apply(at(1100), Event::Gone { visit: visit(1), with_device: true });
    station.apply(at(1500), seen(glance(2)));
    wait(&mut station, 1600, 1800);
    ask(&mut station, 1900, Command::EndMaintenance);
    assert!(matches!(wait(&mut station, 2000, 2300).as_slice(), [Effect::Survey(_)]));
    let mut other = survey("p1", 2);
    other.card.serial = Some("S-2".to_owned());
    assert_eq!(station.apply(at(2400), Event::Surveyed { visit: visit(2), survey: Some(Box::new(other)) }), []);
    let effects = wait(&mut station, 2500, 9000);
    assert!(matches!(effects.as_slice(), [Effect::Identify(_)]), "nobody put it in to be written: {effects:?}");
    assert_eq!(sign(&station, 0), Sign::Held(Hold::Maintenance));
}

#[test]
fn a_card_that_blinks_as_soon_as_it_is_put_in_is_held_when_it_comes_back_after_the_end() {
    let with_device = |card: Card| Event::Seen { card: Box::new(card), before: None, with_device: Some(Duration::ZERO) };
    let mut station = station(&SLOTS);
    begin(&mut station, 0, "new readers");
    station.apply(at(1010), with_device(card("p1", 1)));
    station.apply(at(1020), Event::Gone { visit: visit(1), with_device: true });
    ask(&mut station, 1030, Command::EndMaintenance);
    station.apply(at(1500), with_device(card("p1", 2)));
    wait(&mut station, 1600, 3000);
    let effects = station.apply(at(3100), Event::Surveyed { visit: visit(2), survey: Some(Box::new(survey("p1", 2))) });
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Record(entry) if entry.kind() == "attempt-started")), "{effects:?}");
    wait(&mut station, 3200, 9000);
    assert!(matches!(sign(&station, 0), Sign::Held(_)), "nobody put it in to be written: {:?}", sign(&station, 0));
}

#[test]
fn a_card_that_is_seen_a_moment_before_the_end_is_held_too() {
    let mut station = station(&SLOTS);
    begin(&mut station, 0, "new readers");
    station.apply(at(1010), seen("p1", 1));
    ask(&mut station, 1020, Command::EndMaintenance);
    assert_eq!(wait(&mut station, 1100, 9000), [], "nobody put it in to be written");
    assert_eq!(sign(&station, 0), Sign::Held(Hold::Maintenance));
}

#[test]
fn a_card_put_in_meanwhile_behind_one_whose_attempt_ends_only_afterwards_is_held_too() {
    for is_stuck in [false, true] {
        let mut station = station(&SLOTS);
        let attempt = busy_in(&mut station, "p1", 1);
        if is_stuck {
            let waited = Duration::from_secs(90);
            station.apply(at(90_000), Event::Stalled { attempt, waited, on_image: false, effort: Effort::default() });
            station.apply(at(90_100), Event::Recorded(Receipt::Closed(attempt)));
        }
        station.apply(at(91_000), gone(1));
        begin(&mut station, 91_100, "new readers");
        station.apply(at(91_200), seen("p1", 2));
        wait(&mut station, 91_300, 95_000);
        ask(&mut station, 95_100, Command::EndMaintenance);
        station.apply(at(95_200), ended(attempt, End::Gone));
        wait(&mut station, 95_300, 97_000);
        station.apply(at(97_100), Event::Recorded(Receipt::Closed(attempt)));
        assert_eq!(wait(&mut station, 97_200, 99_000), [], "nobody put it in to be written");
        assert_eq!(sign(&station, 0), Sign::Held(Hold::Maintenance), "stuck: {is_stuck}");
        station.apply(at(99_100), gone(2));
        station.apply(at(99_200), seen("p1", 3));
        assert!(matches!(wait(&mut station, 99_300, 101_000).as_slice(), [Effect::Survey(_)]), "the next one is begun");
    }
}

#[test]
fn it_holds_in_the_next_run_and_over_a_restart_that_waits_and_another_reason_replaces_the_first() {
    let mut station = station(&SLOTS);
    begin(&mut station, 0, "bent contacts");
    begin(&mut station, 100, "new readers");
    ask(&mut station, 200, Command::Restart);
    wait(&mut station, 300, 4000);
    assert!(station.may_restart(at(4000)), "an upgrade needs no end of it");
    assert_eq!(sign(&station, 0), shown(), "and a restart would not end it");
    let configured = configuration(&SLOTS, vec![crate::station::testing::image()]);
    let mut next = Station::new_proven(
        configured.station.clone(),
        1,
        Standing { maintenance: station.standing.maintenance.clone(), ..Standing::default() },
    );
    next.apply(at(0), Event::Configure(Box::new(configured)));
    assert_eq!(sign(&next, 0), shown());
    next.apply(at(100), seen("p1", 1));
    assert_eq!(wait(&mut next, 200, 5000), []);
}

#[test]
fn the_end_of_nothing_is_refused_and_so_is_every_change_while_nothing_can_be_written_down() {
    let mut station = station(&SLOTS);
    assert_eq!(ask(&mut station, 0, Command::EndMaintenance), [Effect::Answer { request: REQUEST, answer: Err(Denied::NoMaintenance) }]);
    station.apply(at(0), Event::LogHealth(Some("disk full".to_owned())));
    assert_eq!(begin(&mut station, 100, "new readers"), [Effect::Answer { request: REQUEST, answer: Err(Denied::LogFault) }]);
    assert!(station.view(at(200)).maintenance.is_none());
}
