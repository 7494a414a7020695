//! Tests of what an operator relies on.

use std::time::Duration;

use super::*;
use crate::station::status::sign::{Hold, Sign};
use crate::station::testing::{armed_by, card, image, proof, survey};
use crate::station::types::card::Visit;
use crate::station::types::outcome::{Effort, Failure, Outcome, Pull, Refusal};
use crate::station::types::settings::SlotSettings;
use crate::station::{armed, port, settings, sign};

const SETTLE: Duration = Duration::from_millis(700);

pub(super) fn station(slots: &[(&str, &str)]) -> Station {
    let configuration = configuration(slots, vec![image()]);
    let mut station = Station::new_proven(configuration.station.clone(), 1, Standing::default());
    station.apply(at(0), Event::Configure(Box::new(configuration)));
    station
}

pub(super) fn configuration(slots: &[(&str, &str)], armed: Vec<armed::Armed>) -> Configuration {
    let station = StationSettings {
        name: "bench".to_owned(),
        settle: SETTLE,
        flash_present: false,
        first_off: false,
        recheck_done: false,
        box_size: None,
    };
    let slots = slots.iter().map(|(name, port)| SlotSettings {
        name: (*name).to_owned(),
        ports: vec![Port((*port).to_owned())],
        model: "acme/box".to_owned(),
        policy: settings::Policy::default(),
    });
    Configuration { station, slots: slots.collect(), armed, unarmed: Vec::new(), distrusted: Vec::new(), by: armed_by() }
}

pub(super) fn reconfigured(slots: &[(&str, &str)], armed: armed::Armed) -> Event {
    Event::Configure(Box::new(configuration(slots, vec![armed])))
}

pub(super) fn at(millis: u64) -> Moment {
    Moment(Duration::from_millis(millis))
}

pub(super) fn seen(port: &str, diskseq: u64) -> Event {
    Event::Seen { card: Box::new(card(port, diskseq)), before: None, with_device: None }
}

/// The card was taken out of a device that stays.
pub(super) fn gone(diskseq: u64) -> Event {
    Event::Gone { visit: visit(diskseq), with_device: false }
}

pub(super) fn visit(diskseq: u64) -> Visit {
    card("", diskseq).visit
}

pub(super) fn sign(station: &Station, slot: usize) -> Sign {
    station.view(Moment::default()).slots[slot].sign.clone()
}

/// Brings the card `diskseq` in the only slot to the point where its thread runs.
pub(super) fn run_until_busy(station: &mut Station, diskseq: u64) -> AttemptNumber {
    busy_in(station, "p1", diskseq)
}

/// The same in the slot with this port.
pub(super) fn busy_in(station: &mut Station, port: &str, diskseq: u64) -> AttemptNumber {
    station.apply(at(0), seen(port, diskseq));
    station.apply(at(700), Event::Tick);
    let effects = station.apply(at(701), Event::Surveyed { visit: visit(diskseq), survey: Some(Box::new(survey(port, diskseq))) });
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("an admitted card's start is recorded: {effects:?}") };
    let Some(Receipt::Started(number)) = entry.receipt() else { panic!("{entry:?}") };
    let effects = station.apply(at(702), Event::Recorded(Receipt::Started(number)));
    assert!(matches!(effects.as_slice(), [Effect::Start(_)]), "the thread starts when the start is on disk: {effects:?}");
    number
}

pub(super) fn ended(attempt: AttemptNumber, end: End) -> Event {
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
    station.apply(at(900), gone(1));
    assert_eq!(sign(&station, 0), Sign::Empty);
}

#[test]
fn a_card_that_bounces_in_its_contacts_makes_no_attempt() {
    let mut station = station(&[("A1", "p1")]);
    for (time, diskseq) in [(0, 1), (300, 2), (600, 3)] {
        station.apply(at(time), seen("p1", diskseq));
        assert_eq!(station.apply(at(time + 299), Event::Tick), vec![]);
        station.apply(at(time + 299), gone(diskseq));
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
    station.apply(at(801), ended(attempt, End::Verified(proof())));
    let effects = station.apply(at(1801), Event::Tick);
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
    let Entry::AttemptClosed { outcome, attempt: closed, .. } = &**entry else { panic!("{entry:?}") };
    assert_eq!((outcome, closed.card.visit), (&Outcome::Pulled(Pull::Taken), visit(1)));
    station.apply(at(1802), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(sign(&station, 0), Sign::Preparing, "the new card begins from the start");
}

#[test]
fn pulled_stays_until_the_next_card() {
    let mut station = station(&[("A1", "p1")]);
    let attempt = run_until_busy(&mut station, 1);
    station.apply(at(800), gone(1));
    station.apply(at(900), ended(attempt, End::Gone));
    station.apply(at(1900), Event::Tick);
    station.apply(at(1901), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(sign(&station, 0), Sign::Pulled(Pull::Taken));
    station.apply(at(5000), seen("p1", 2));
    assert_eq!(sign(&station, 0), Sign::Preparing);
}

#[test]
fn a_card_present_since_the_start_is_held_until_it_is_put_in_again() {
    let mut station = station(&[("A1", "p1")]);
    station.apply(at(0), Event::Seen { card: Box::new(card("p1", 1)), before: Some(Before::Start), with_device: None });
    assert_eq!(sign(&station, 0), Sign::Held(Hold::SinceStart));
    assert_eq!(station.apply(at(9000), Event::Tick), vec![]);
    station.apply(at(9001), gone(1));
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
    assert!(station.view(Moment::default()).fault.is_some());
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
    let newer = Armed { digest: Digest([9; 32]), ..image() };
    station.apply(at(750), reconfigured(&[("A1", "p1")], newer.clone()));
    let effects = station.apply(at(800), ended(attempt, End::Verified(proof())));
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(&**entry, Entry::AttemptClosed { attempt, .. } if attempt.image == Some(image())));
    station.apply(at(801), Event::Recorded(Receipt::Closed(attempt)));
    station.apply(at(802), gone(1));
    station.apply(at(803), seen("p1", 2));
    station.apply(at(2000), Event::Tick);
    let effects = station.apply(at(2001), Event::Surveyed { visit: visit(2), survey: Some(Box::new(survey("p1", 2))) });
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(&**entry, Entry::AttemptStarted(attempt) if attempt.image == Some(newer.clone())));
}

/// Closing entries among effects: slot and outcome.
pub(super) fn closings(effects: &[Effect]) -> Vec<(String, Outcome)> {
    let closing = effects.iter().filter_map(|effect| match effect {
        Effect::Record(entry) => match &**entry {
            Entry::AttemptClosed { attempt, outcome, .. } => Some((attempt.slot.clone(), outcome.clone())),
            _ => None,
        },
        _ => None,
    });
    closing.collect()
}

pub(super) const READER: [(&str, &str); 3] = [("A1", "pci-1/usb3-2/lun-0"), ("A2", "pci-1/usb3-2/lun-1"), ("B1", "pci-1/usb3-3/lun-0")];

#[test]
fn a_reader_lost_with_all_its_cards_is_one_cause_and_a_row_for_each() {
    let mut station = station(&READER);
    let attempts: Vec<_> = READER.iter().zip(1..).map(|((_, port), diskseq)| busy_in(&mut station, port, diskseq)).collect();
    station.apply(at(1000), Event::Gone { visit: visit(1), with_device: true });
    station.apply(at(1400), Event::Gone { visit: visit(2), with_device: true });
    station.apply(at(1500), ended(attempts[0], End::Gone));
    station.apply(at(1500), ended(attempts[1], End::Gone));
    assert_eq!(station.apply(at(2400), Event::Tick), vec![], "it is not yet known what left together");
    let closed = closings(&station.apply(at(2500), Event::Tick));
    let lost = Outcome::Pulled(Pull::ReaderLost { device: "pci-1/usb3-2".to_owned(), slots: vec!["A1".to_owned(), "A2".to_owned()] });
    assert_eq!(closed, [("A1".to_owned(), lost.clone()), ("A2".to_owned(), lost)]);
    assert_eq!(sign(&station, 2), Sign::Writing, "the other reader's slot goes on");
}

/// The devices of the PC, by place.
fn cabling(devices: &[(&str, &str)]) -> Event {
    Event::Cabling(Cabling(devices.iter().map(|(place, id)| ((*place).to_owned(), (*id).to_owned())).collect()))
}

/// Two slots of a reader and one beside it, taught.
fn taught_station() -> Station {
    let mut configuration = configuration(&READER, vec![image()]);
    for (slot, chain) in configuration.slots.iter_mut().zip(["05e3:0749", "05e3:0749", "0781:5581:S-1"]) {
        slot.policy.hung_on = vec![(slot.ports[0].clone(), port::Chain::parse(chain))];
    }
    let mut station = Station::new_proven(configuration.station.clone(), 1, Standing::default());
    station.apply(at(0), Event::Configure(Box::new(configuration)));
    station
}

#[test]
fn an_exchanged_reader_disarms_its_own_slots_until_the_right_one_is_back_and_the_others_run() {
    let mut station = taught_station();
    station.apply(at(0), cabling(&[("pci-1/usb3-2", "05e3:0749")]));
    assert_eq!(sign(&station, 0), Sign::Empty);
    station.apply(at(1), cabling(&[]));
    assert_eq!(sign(&station, 0), Sign::Empty, "a reader that is unplugged has not changed");
    station.apply(at(2), cabling(&[("pci-1/usb3-2", "0bda:0306"), ("pci-1/usb3-3", "0781:5581:S-1")]));
    for slot in 0..2 {
        let Sign::Disarmed(reason) = sign(&station, slot) else { panic!("the slot is disarmed: {:?}", sign(&station, slot)) };
        assert!(reason.starts_with("reader usb3-2 was 05e3:0749, is 0bda:0306 now"), "{reason}");
    }
    assert_eq!(sign(&station, 2), Sign::Empty);
    busy_in(&mut station, READER[2].1, 1);
    station.apply(at(3), cabling(&[("pci-1/usb3-2", "05e3:0749"), ("pci-1/usb3-3", "0781:5581:S-1")]));
    assert_eq!(sign(&station, 0), Sign::Empty, "the right one is back");
}

#[test]
fn a_card_in_an_exchanged_reader_is_refused_also_when_the_card_is_the_first_to_show_it() {
    let mut station = taught_station();
    station.apply(at(0), cabling(&[("pci-1/usb3-2", "05e3:0749")]));
    station.apply(at(0), seen(READER[0].1, 1));
    station.apply(at(700), Event::Tick);
    let mut found = survey(READER[0].1, 1);
    found.card.hangs_on = port::Chain::parse("0bda:0306");
    let effects = station.apply(at(701), Event::Surveyed { visit: visit(1), survey: Some(Box::new(found)) });
    let closed = closings(&effects);
    let [(slot, Outcome::Refused(refusal))] = closed.as_slice() else { panic!("{effects:?}") };
    assert_eq!((slot.as_str(), refusal.code()), ("A1", "recabled"));
    assert!(matches!(sign(&station, 1), Sign::Disarmed(_)), "its neighbour's reader is the same one: {:?}", sign(&station, 1));
}

#[test]
fn a_slot_of_two_ports_of_which_one_hangs_on_something_else_takes_no_card_in_the_other() {
    let mut configuration = configuration(&[("A1", "pci-1/usb3-2.1/lun-0")], vec![image()]);
    let other = Port("pci-1/usb2-2.1/lun-0".to_owned());
    configuration.slots[0].ports.push(other.clone());
    configuration.slots[0].policy.hung_on = vec![(other, port::Chain::parse("05e3:0610"))];
    let mut station = Station::new_proven(configuration.station.clone(), 1, Standing::default());
    station.apply(at(0), Event::Configure(Box::new(configuration)));
    station.apply(at(0), cabling(&[("pci-1/usb2-2", "2109:2817")]));
    station.apply(at(0), seen("pci-1/usb3-2.1/lun-0", 1));
    station.apply(at(700), Event::Tick);
    let effects = station.apply(at(701), Event::Surveyed { visit: visit(1), survey: Some(Box::new(survey("pci-1/usb3-2.1/lun-0", 1))) });
    assert!(matches!(closings(&effects).as_slice(), [(_, Outcome::Refused(Refusal::Recabled { .. }))]), "{effects:?}");
}

#[test]
fn two_cards_pulled_from_a_reader_that_stays_are_two_pulls() {
    let ports = [("A1", "pci-1/usb3-2/lun-0"), ("A2", "pci-1/usb3-2/lun-1"), ("A3", "pci-1/usb3-2/lun-2")];
    let mut station = station(&ports);
    let attempts: Vec<_> = ports.iter().zip(1..).map(|((_, port), diskseq)| busy_in(&mut station, port, diskseq)).collect();
    for index in 0..2 {
        station.apply(at(1000), gone(index + 1));
        station.apply(at(1001), ended(attempts[usize::try_from(index).expect("small")], End::Gone));
    }
    let closed = closings(&station.apply(at(2500), Event::Tick));
    assert_eq!(closed, [("A1".to_owned(), Outcome::Pulled(Pull::Taken)), ("A2".to_owned(), Outcome::Pulled(Pull::Taken))]);
}

#[test]
fn a_stalled_card_fails_and_its_slot_is_out_of_service_until_its_thread_is_back() {
    let mut station = station(&[("A1", "p1")]);
    let attempt = run_until_busy(&mut station, 1);
    let effects =
        station.apply(at(95_000), Event::Stalled { attempt, waited: Duration::from_secs(90), on_image: false, effort: Effort::default() });
    assert!(matches!(&closings(&effects)[..], [(_, Outcome::Failed(Failure::Stalled { .. }))]));
    station.apply(at(95_001), Event::Recorded(Receipt::Closed(attempt)));
    assert!(matches!(sign(&station, 0), Sign::Failed(_)));
    station.apply(at(96_000), gone(1));
    assert_eq!(sign(&station, 0), Sign::OutOfService);
    station.apply(at(97_000), seen("p1", 2));
    assert_eq!(station.apply(at(99_000), Event::Tick), vec![], "no other card is begun");
    assert!(station.is_idle(), "nobody waits for it when the station stops");
    assert_eq!(station.apply(at(100_000), ended(attempt, End::Gone)), vec![], "its late word changes no row");
    assert_eq!(sign(&station, 0), Sign::Preparing);
}

mod cases {
    use super::*;

    #[test]
    fn a_card_that_waits_for_the_stations_image_without_end_is_not_called_stalled() {
        let mut station = station(&[("A1", "p1")]);
        let attempt = run_until_busy(&mut station, 1);
        let waited = Duration::from_secs(90);
        let effects = station.apply(at(95_000), Event::Stalled { attempt, waited, on_image: true, effort: Effort::default() });
        let [(_, outcome)] = &closings(&effects)[..] else { panic!("{effects:?}") };
        assert_eq!(outcome.code(), Some("station-image"), "{outcome:?}");
        assert_eq!(station.apply(at(99_000), ended(attempt, End::Gone)), vec![], "its late word changes no row");
    }
}

#[test]
fn a_slot_that_is_no_longer_configured_goes_when_its_card_is_done() {
    let mut station = station(&[("A1", "p1"), ("A2", "p2")]);
    let attempt = run_until_busy(&mut station, 1);
    station.apply(at(750), reconfigured(&[("A2", "p2")], image()));
    assert_eq!(station.view(Moment::default()).slots.len(), 2, "a running card finishes with what it started with");
    let closed = closings(&station.apply(at(800), ended(attempt, End::Verified(proof()))));
    assert!(matches!(&closed[..], [(slot, Outcome::Passed(_))] if slot == "A1"));
    station.apply(at(801), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(station.view(Moment::default()).slots.len(), 1);
}

#[test]
fn a_model_that_is_no_longer_armed_disarms_its_slots() {
    let mut station = station(&[("A1", "p1")]);
    station.apply(at(0), Event::Configure(Box::new(configuration(&[("A1", "p1")], vec![]))));
    assert_eq!(sign(&station, 0), Sign::Disarmed("no image is armed".to_owned()));
    station.apply(at(1), seen("p1", 1));
    station.apply(at(800), Event::Tick);
    let effects = station.apply(at(801), Event::Surveyed { visit: visit(1), survey: Some(Box::new(survey("p1", 1))) });
    assert!(matches!(&closings(&effects)[..], [(_, Outcome::Refused(Refusal::NoArmedImage))]));
}

#[test]
fn a_model_whose_image_was_refused_says_why_and_no_card_of_its_slots_is_begun() {
    let mut station = station(&[("A1", "p1")]);
    let reason = "it is the image of another model";
    let unarmed = vec![armed::UnarmedModel { model: "acme/box".to_owned(), reason: reason.to_owned() }];
    let configuration = Configuration { unarmed, ..configuration(&[("A1", "p1")], vec![]) };
    station.apply(at(0), Event::Configure(Box::new(configuration)));
    assert_eq!(sign(&station, 0), Sign::Disarmed(reason.to_owned()));
    assert_eq!(sign(&station, 0).reason().as_deref(), Some(reason));
    station.apply(at(1), seen("p1", 1));
    station.apply(at(800), Event::Tick);
    let effects = station.apply(at(801), Event::Surveyed { visit: visit(1), survey: Some(Box::new(survey("p1", 1))) });
    assert!(matches!(&closings(&effects)[..], [(_, Outcome::Refused(Refusal::NoArmedImage))]));
}

#[test]
fn a_card_is_logged_by_the_model_inside_its_image_not_by_the_name_somebody_typed() {
    let mut station = station(&[("A1", "p1")]);
    let device = armed::DeviceModel {
        brand: "brand".to_owned(),
        model: "device".to_owned(),
        series: "16".to_owned(),
        revision: 0,
        sha3_384: String::new(),
        sign_key: None,
    };
    let proven = Armed { model_proof: armed::ModelProof::Proven(device), ..image() };
    station.apply(at(0), reconfigured(&[("A1", "p1")], proven));
    station.apply(at(1), seen("p1", 1));
    station.apply(at(800), Event::Tick);
    let effects = station.apply(at(801), Event::Surveyed { visit: visit(1), survey: Some(Box::new(survey("p1", 1))) });
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(&**entry, Entry::AttemptStarted(attempt) if attempt.model == "brand/device"), "{entry:?}");
}

#[test]
fn nothing_is_green_while_the_station_has_a_fault() {
    let mut station = station(&[("A1", "p1")]);
    let attempt = run_until_busy(&mut station, 1);
    station.apply(at(800), ended(attempt, End::Verified(proof())));
    station.apply(at(801), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(station.view(Moment::default()).slots[0].call, sign::OperatorAction::TakeGood);
    station.apply(at(802), Event::LogHealth(Some("disk full".to_owned())));
    assert_eq!(station.view(Moment::default()).slots[0].call, sign::OperatorAction::StationFault);
}

#[test]
fn a_card_of_which_nobody_can_tell_who_uses_it_is_refused_in_the_end() {
    let mut station = station(&[("A1", "p1")]);
    station.apply(at(0), seen("p1", 1));
    let mut closed = Vec::new();
    for second in 1..60 {
        station.apply(at(second * 1000), Event::Tick);
        closed.extend(closings(&station.apply(at(second * 1000), Event::Surveyed { visit: visit(1), survey: None })));
    }
    assert_eq!(closed, [("A1".to_owned(), Outcome::Refused(Refusal::Unknown))]);
}

#[test]
fn a_card_is_shown_under_the_model_it_was_written_for_whatever_a_reload_gives_the_slot() {
    let mut station = station(&[("A1", "p1")]);
    let attempt = run_until_busy(&mut station, 1);
    let mut other = configuration(&[("A1", "p1")], vec![image()]);
    other.slots[0].model = "acme/other".to_owned();
    station.apply(at(750), Event::Configure(Box::new(other)));
    let model = |station: &Station| station.view(at(900)).slots[0].model.clone();
    assert_eq!(model(&station), image().model);
    station.apply(at(800), ended(attempt, End::Verified(proof())));
    station.apply(at(801), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!((model(&station), sign(&station, 0)), (image().model, Sign::Passed));
    station.apply(at(900), gone(1));
    assert_eq!(model(&station), "acme/other");
}
