use super::super::tests::{at, busy_in, ended, gone, reconfigured, seen, sign, station, visit};
use super::super::{Before, Effect, End, Event, Station};
use crate::station::status::sign::{OperatorAction, Sign};
use crate::station::testing::{image, proof, survey};
use crate::station::types::outcome::{Failure, Outcome};
use crate::station::types::record::{AttemptNumber, Entry, Receipt};
use crate::station::types::request::{Command, Who};

const CHANGED: Sign = Sign::Changed { sectors: 8 };

fn change(attempt: AttemptNumber) -> Event {
    Event::Changed { attempt, sectors: 8 }
}

/// A card that was proven as this in the only slot, with its row on disk.
fn green(station: &mut Station, diskseq: u64, end: End) -> AttemptNumber {
    let attempt = busy_in(station, "p1", diskseq);
    station.apply(at(800), ended(attempt, end));
    station.apply(at(801), Event::Recorded(Receipt::Closed(attempt)));
    attempt
}

fn order(station: &mut Station, count: u32) {
    let by = Who { uid: 0, name: "root".to_owned() };
    let command = Command::StartOrder { model: "acme/box".to_owned(), count, name: None, work_order: None };
    station.apply(at(0), Event::Asked { request: 1, by, command });
}

fn ordered(station: &Station) -> u32 {
    station.view(at(0)).models[0].order.as_ref().expect("there is an order").passed
}

fn recorded(effects: &[Effect]) -> Vec<&str> {
    effects.iter().map(|effect| if let Effect::Record(entry) = effect { entry.kind() } else { "" }).collect()
}

#[test]
fn a_green_card_that_is_written_to_is_changed_in_sign_log_order_and_count_and_stays_so_until_it_is_taken_out() {
    for end in [End::Verified(proof()), End::Rechecked(proof())] {
        let mut station = station(&[("A1", "p1")]);
        order(&mut station, 1);
        let counted = u32::from(matches!(end, End::Verified(_)));
        let attempt = green(&mut station, 1, end);
        assert_eq!((ordered(&station), station.view(at(0)).today.passed), (counted, u64::from(counted)));
        let effects = station.apply(at(900), change(attempt));
        assert_eq!(recorded(&effects), ["attempt-changed"]);
        assert_eq!(sign(&station, 0), CHANGED);
        assert_eq!(CHANGED.call(), OperatorAction::TakeAside, "neither good nor bad");
        assert_eq!((ordered(&station), station.view(at(0)).today.passed), (counted, 0), "a power cut now would leave the proof alone");
        station.apply(at(901), Event::Recorded(Receipt::Changed(attempt)));
        assert_eq!(ordered(&station), 0, "the order needs one more");
        assert!(station.keeps(attempt), "nobody shall mount it meanwhile either");
        assert_eq!(station.apply(at(950), change(attempt)), [], "a card changes once");
        station.apply(at(960), seen("p1", 1));
        assert_eq!(sign(&station, 0), CHANGED, "the same card announced again is no other one");
        station.apply(at(1000), gone(1));
        assert_eq!(sign(&station, 0), Sign::Empty);
        assert!(!station.keeps(attempt));
    }
}

#[test]
fn a_card_that_is_written_to_before_its_row_is_on_disk_is_never_green_and_keeps_its_place_in_the_order_until_its_change_is_on_disk() {
    let mut station = station(&[("A1", "p1")]);
    order(&mut station, 1);
    let attempt = busy_in(&mut station, "p1", 1);
    assert!(station.keeps(attempt), "its thread may have it proven any moment");
    station.apply(at(800), ended(attempt, End::Verified(proof())));
    assert_eq!(recorded(&station.apply(at(801), change(attempt))), ["attempt-changed"]);
    assert_eq!(sign(&station, 0), Sign::Recording);
    assert_eq!(station.view(at(801)).models[0].order.as_ref().expect("there is one").under_way, 1, "its row says good");
    station.apply(at(802), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!((sign(&station, 0), ordered(&station)), (CHANGED, 1));
    station.apply(at(803), Event::Recorded(Receipt::Changed(attempt)));
    assert_eq!((sign(&station, 0), ordered(&station)), (CHANGED, 0));
}

#[test]
fn a_write_that_is_heard_of_when_the_card_has_left_is_logged_and_counted_out_and_the_next_card_is_not_touched_by_it() {
    let mut station = station(&[("A1", "p1")]);
    order(&mut station, 3);
    let attempt = green(&mut station, 1, End::Verified(proof()));
    station.apply(at(900), gone(1));
    let next = green(&mut station, 2, End::Verified(proof()));
    assert_eq!(ordered(&station), 2);
    let effects = station.apply(at(1000), change(attempt));
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
    let Entry::AttemptChanged { attempt: named, outcome } = &**entry else { panic!("{entry:?}") };
    assert_eq!((named.number, outcome), (attempt, &Outcome::Changed { sectors: 8 }));
    station.apply(at(1001), Event::Recorded(Receipt::Changed(named.number)));
    assert_eq!((sign(&station, 0), ordered(&station)), (Sign::Passed, 1));
    assert!(station.keeps(next) && !station.keeps(attempt));
}

#[test]
fn only_what_was_proven_can_change_and_only_that_stays_claimed() {
    let mut failed = station(&[("A1", "p1")]);
    let attempt = green(&mut failed, 1, End::Failed(Failure::Changed));
    assert_eq!((failed.apply(at(900), change(attempt)), failed.keeps(attempt)), (vec![], false));
    let mut pulled = station(&[("A1", "p1")]);
    let attempt = busy_in(&mut pulled, "p1", 1);
    pulled.apply(at(790), gone(1));
    assert!(!pulled.keeps(attempt), "its card is out");
    pulled.apply(at(800), ended(attempt, End::Verified(proof())));
    pulled.apply(at(2000), Event::Tick);
    pulled.apply(at(2001), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!((pulled.apply(at(2002), change(attempt)), sign(&pulled, 0).code()), (vec![], "pulled"));
}

#[test]
fn a_reload_that_takes_the_slot_or_its_port_away_gives_the_card_back() {
    for slots in [&[("A2", "p1")][..], &[("A1", "p9")]] {
        let mut station = station(&[("A1", "p1")]);
        let attempt = green(&mut station, 1, End::Verified(proof()));
        station.apply(at(900), reconfigured(&[("A1", "p1")], image()));
        assert!(station.keeps(attempt), "a reload that changes nothing gives nothing back");
        station.apply(at(901), reconfigured(slots, image()));
        assert!(!station.keeps(attempt), "{slots:?}");
        assert_eq!(recorded(&station.apply(at(902), change(attempt))), ["attempt-changed"], "what was seen last is told all the same");
    }
}

#[test]
fn a_card_that_nobody_claimed_while_two_reloads_exchanged_its_port_and_gave_it_back_is_not_green() {
    let (own, exchanged) = (&[("A1", "p1"), ("A2", "p2")][..], &[("A1", "p2"), ("A2", "p1")][..]);
    let mut station = station(own);
    let attempt = busy_in(&mut station, "p1", 1);
    station.apply(at(800), ended(attempt, End::Verified(proof())));
    station.apply(at(801), reconfigured(exchanged, image()));
    assert!(!station.keeps(attempt), "any program may write to it now");
    station.apply(at(802), reconfigured(own, image()));
    let Event::Seen { card, with_device, .. } = seen("p1", 1) else { panic!("it is seen") };
    station.apply(at(803), Event::Seen { card, before: Some(Before::Start), with_device });
    station.apply(at(804), Event::Recorded(Receipt::Closed(attempt)));
    station.apply(at(2000), Event::Tick);
    let surveyed = Event::Surveyed { visit: visit(1), survey: Some(Box::new(survey("p1", 1))) };
    assert_eq!((station.apply(at(2050), surveyed), sign(&station, 0).word()), (vec![], "HELD"));
}

#[test]
fn a_card_that_two_reloads_gave_away_and_back_before_it_was_begun_is_interrupted_and_held_and_never_pulled() {
    let (own, exchanged) = (&[("A1", "p1"), ("A2", "p2")][..], &[("A1", "p2"), ("A2", "p1")][..]);
    let mut station = station(own);
    station.apply(at(0), seen("p1", 1));
    station.apply(at(700), Event::Tick);
    let surveyed = || Event::Surveyed { visit: visit(1), survey: Some(Box::new(survey("p1", 1))) };
    assert_eq!(recorded(&station.apply(at(701), surveyed())), ["attempt-started"]);
    station.apply(at(702), reconfigured(exchanged, image()));
    station.apply(at(703), reconfigured(own, image()));
    let effects = station.apply(at(704), Event::Recorded(Receipt::Started(1)));
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(&**entry, Entry::AttemptClosed { outcome: Outcome::Interrupted, .. }), "{entry:?}");
    let Event::Seen { card, with_device, .. } = seen("p1", 1) else { panic!("it is seen") };
    station.apply(at(705), Event::Seen { card, before: Some(Before::Start), with_device });
    station.apply(at(706), Event::Recorded(Receipt::Closed(1)));
    station.apply(at(2000), Event::Tick);
    assert_eq!((station.apply(at(2050), surveyed()), sign(&station, 0).word()), (vec![], "HELD"));
}
