use super::super::tests::{at, busy_in, ended, gone, run_until_busy, seen, sign, station, visit};
use super::super::{Effect, End, Event, Station};
use crate::station::status::sign::Sign;
use crate::station::testing::{proof, survey};
use crate::station::types::card::Identity;
use crate::station::types::record::{Entry, Receipt};
use crate::station::types::survey::Survey;

/// What the watch sees of a stick: its serial is read only when it is surveyed.
fn nameless(port: &str, diskseq: u64) -> Event {
    let Event::Seen { mut card, before, with_device } = seen(port, diskseq) else { panic!("it is seen") };
    (card.identified, card.serial) = (Identity::None, None);
    Event::Seen { card, before, with_device }
}

fn surveyed(diskseq: u64, survey: Survey) -> Event {
    Event::Surveyed { visit: visit(diskseq), survey: Some(Box::new(survey)) }
}

fn is_asked(effects: &[Effect]) -> bool {
    matches!(effects, [Effect::Survey(_)])
}

fn is_begun(effects: &[Effect]) -> bool {
    matches!(effects, [Effect::Record(entry)] if matches!(**entry, Entry::AttemptStarted(_)))
}

/// Its card passed, and left; another program had written to it.
fn changed(station: &mut Station) -> u64 {
    let attempt = run_until_busy(station, 1);
    station.apply(at(800), ended(attempt, End::Verified(proof())));
    station.apply(at(801), Event::Recorded(Receipt::Closed(attempt)));
    station.apply(at(900), gone(1));
    assert_eq!(station.apply(at(901), Event::Changed { attempt, sectors: 8 }).len(), 1, "it is recorded");
    attempt
}

#[test]
fn a_stick_whose_change_is_on_its_way_to_the_log_is_begun_by_a_history_that_has_it() {
    let mut station = station(&[("A1", "p1"), ("A2", "p2")]);
    let attempt = changed(&mut station);
    station.apply(at(1000), nameless("p2", 2));
    assert!(is_asked(&station.apply(at(1700), Event::Tick)), "nobody knows yet which card it is");
    assert_eq!(station.apply(at(1750), surveyed(2, survey("p2", 2))), [], "it is that card, and the log still says good");
    assert_eq!(sign(&station, 1), Sign::Preparing);
    assert!(is_asked(&station.apply(at(2450), Event::Tick)));
    station.apply(at(2460), Event::Recorded(Receipt::Changed(attempt)));
    assert_eq!(station.apply(at(2500), surveyed(2, survey("p2", 2))), [], "the log may have been read before");
    assert!(is_asked(&station.apply(at(3200), Event::Tick)));
    assert!(is_begun(&station.apply(at(3250), surveyed(2, survey("p2", 2)))));
}

#[test]
fn another_card_waits_for_no_row_but_one_that_cannot_be_told_apart_waits_for_those_of_its_slot() {
    for (identified, slot, waits) in [(Identity::UsbSerial, "p1", false), (Identity::None, "p1", true), (Identity::None, "p2", false)] {
        let mut station = station(&[("A1", "p1"), ("A2", "p2")]);
        changed(&mut station);
        station.apply(at(1000), nameless(slot, 2));
        assert!(is_asked(&station.apply(at(1700), Event::Tick)));
        let mut other = survey(slot, 2);
        (other.card.identified, other.card.serial) = (identified, Some("S-2".to_owned()));
        assert_eq!(is_begun(&station.apply(at(1750), surveyed(2, other))), !waits, "{identified:?} in {slot}");
    }
}

#[test]
fn a_stick_that_is_pulled_and_put_into_another_slot_is_begun_when_the_log_says_so() {
    let mut station = station(&[("A1", "p1"), ("A2", "p2")]);
    let attempt = busy_in(&mut station, "p1", 1);
    station.apply(at(800), gone(1));
    station.apply(at(850), ended(attempt, End::Gone));
    station.apply(at(900), nameless("p2", 2));
    assert!(is_asked(&station.apply(at(1600), Event::Tick)));
    assert_eq!(station.apply(at(1650), surveyed(2, survey("p2", 2))), [], "it is not known yet how it left");
    assert_eq!(station.apply(at(2000), Event::Tick).len(), 1, "PULLED is on its way");
    assert!(is_asked(&station.apply(at(2400), Event::Tick)));
    assert_eq!(station.apply(at(2450), surveyed(2, survey("p2", 2))), []);
    station.apply(at(2500), Event::Recorded(Receipt::Closed(attempt)));
    assert!(is_asked(&station.apply(at(3200), Event::Tick)));
    assert!(is_begun(&station.apply(at(3250), surveyed(2, survey("p2", 2)))));
}
