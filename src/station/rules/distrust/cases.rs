//! Tests with a damaged staged copy, from the first card that finds it until the model is armed again.

use crate::station::rules::tests::{at, busy_in, closings, configuration, ended, gone, seen, visit};
use crate::station::rules::{Effect, End, Event, Station};
use crate::station::status::sign::{OperatorAction, Sign};
use crate::station::testing::{image, proof, survey};
use crate::station::types::armed::Occasion;
use crate::station::types::outcome::{Counted, Digest, Effort, Outcome, StationFault};
use crate::station::types::record::{Entry, Receipt};
use crate::station::types::settings::Configuration;
use crate::station::types::standing::Standing;
use crate::station::types::units::{Bytes, Moment};

const SLOTS: [(&str, &str); 4] = [("A1", "p1"), ("A2", "p2"), ("A3", "p3"), ("B1", "p4")];

fn rotten() -> StationFault {
    StationFault::Image { at: Bytes(4096), errno: None }
}

/// Three slots of one model, and one of another.
fn of_two_models() -> Configuration {
    let other = crate::station::armed::Armed { model: "acme/other".to_owned(), digest: Digest([9; 32]), ..image() };
    let mut configuration = configuration(&SLOTS, vec![image(), other]);
    configuration.slots[3].model = "acme/other".to_owned();
    configuration
}

fn station() -> Station {
    let configuration = of_two_models();
    let mut station = Station::new_proven(configuration.station.clone(), 1, Standing::default());
    station.apply(at(0), Event::Configure(Box::new(configuration)));
    station
}

fn sign(station: &Station, slot: usize) -> Sign {
    station.view(Moment::default()).slots[slot].sign.clone()
}

/// The station's own entries among effects, by their kind and reason.
fn told(effects: &[Effect]) -> Vec<String> {
    let said = |effect: &Effect| match effect {
        Effect::Record(entry) => match &**entry {
            Entry::ModelDistrusted { armed, reason } => Some(format!("disarmed {}: {reason}", armed.model)),
            Entry::ModelArmed { armed, by, .. } => Some(format!("armed {} {}", armed.model, by.occasion.word())),
            _ => None,
        },
        Effect::Restage { unread, .. } => Some(format!("restage, unread {unread}")),
        _ => None,
    };
    effects.iter().filter_map(said).collect()
}

#[test]
fn the_first_card_that_finds_a_damaged_copy_is_not_bad_and_no_other_is_begun_until_the_image_is_staged_anew() {
    let mut station = station();
    let [first, second] = [1, 2].map(|n| busy_in(&mut station, SLOTS[n - 1].1, u64::try_from(n).expect("small")));
    // A card whose start is on its way to the disk.
    station.apply(at(700), seen("p3", 3));
    station.apply(at(1400), Event::Tick);
    let effects = station.apply(at(1401), Event::Surveyed { visit: visit(3), survey: Some(Box::new(survey("p3", 3))) });
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
    let Entry::AttemptStarted(third) = &**entry else { panic!("{entry:?}") };

    let effects = station.apply(at(2000), ended(first, End::StationFault(rotten())));
    assert_eq!(closings(&effects), [("A1".to_owned(), Outcome::StationFault(rotten()))]);
    let disarmed = "disarmed acme/box: the station's copy of the image is damaged at byte 4096; it is being staged anew".to_owned();
    assert_eq!(told(&effects), [disarmed, "restage, unread false".to_owned()]);
    station.apply(at(2001), Event::Recorded(Receipt::Closed(first)));
    assert_eq!((sign(&station, 0).call(), sign(&station, 0).word()), (OperatorAction::TakeAside, "STATION FAULT"), "the card is not bad");

    // The one that is about to begin does not begin, and the one in flight ends the same way; it is reported once.
    let effects = station.apply(at(2002), Event::Recorded(Receipt::Started(third.number)));
    assert_eq!(closings(&effects), [("A3".to_owned(), Outcome::StationFault(rotten()))], "{effects:?}");
    let effects = station.apply(at(2003), ended(second, End::StationFault(rotten())));
    assert_eq!((closings(&effects).len(), told(&effects).len()), (1, 0), "{effects:?}");
    for number in [third.number, second] {
        station.apply(at(2004), Event::Recorded(Receipt::Closed(number)));
    }

    // Another card is refused, the engineer is called, and the other model continues.
    station.apply(at(2100), gone(1));
    let view = station.view(at(2100));
    assert!(matches!(&view.slots[0].sign, Sign::Disarmed(why) if why.contains("staged anew")), "{:?}", view.slots[0]);
    assert_eq!(view.slots[0].call, OperatorAction::StationFault);
    assert!(view.fault.is_none() && view.faults.len() == 1 && view.faults[0].starts_with("acme/box: "), "{:?}", view.faults);
    assert_eq!((view.slots[3].sign.clone(), view.slots[3].call), (Sign::Empty, OperatorAction::PutIn));
    assert_eq!((view.today.passed, view.today.failed), (0, 0), "no sum has the cards");
    assert_eq!(Outcome::StationFault(rotten()).word().counts(), Counted::OurFault);

    // Staged anew with the same digest: armed by the station, with an event that says so, and cards are made.
    let effects = station.apply(at(9000), Event::Restaged { digest: image().digest, result: Ok(()) });
    assert_eq!(told(&effects), ["armed acme/box restage"]);
    assert_eq!(station.view(at(9000)).faults, Vec::<String>::new());
    assert_eq!(sign(&station, 0), Sign::Empty);
    let attempt = busy_in(&mut station, "p1", 9);
    station.apply(at(99_000), ended(attempt, End::Verified(proof())));
    station.apply(at(99_001), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(sign(&station, 0), Sign::Passed);
}

#[test]
fn a_copy_that_a_check_finds_damaged_costs_no_card_and_one_that_cannot_be_staged_anew_stays_out_of_work_until_it_is_another() {
    let mut station = station();
    let effects = station.apply(at(1), Event::ImageFault { digest: image().digest, fault: rotten() });
    assert_eq!(told(&effects).len(), 2, "{effects:?}");
    let result = Err("its source is another image now".to_owned());
    assert_eq!(station.apply(at(2), Event::Restaged { digest: image().digest, result }), vec![]);
    let why = |station: &Station| sign(station, 0).reason().unwrap_or_default();
    assert!(why(&station).ends_with("; its source is another image now"), "{}", why(&station));
    assert_eq!(station.view(at(3)).faults.len(), 1, "{:?}", station.view(at(3)).faults);
    // Read again, and the copy is the same.
    let still = Configuration { distrusted: vec![image().digest], ..of_two_models() };
    station.apply(at(4), Event::Configure(Box::new(still)));
    assert!(matches!(sign(&station, 0), Sign::Disarmed(_)));
    let effects = station.apply(at(5), Event::Configure(Box::new(of_two_models())));
    assert_eq!(told(&effects), ["armed acme/box start"], "the log has an end of every disarming");
    assert_eq!(sign(&station, 0), Sign::Empty, "the engineer has staged another copy");
    // Reports about an image that is not armed change nothing.
    let before = station.clone();
    for event in [
        Event::ImageFault { digest: Digest([1; 32]), fault: rotten() },
        Event::Restaged { digest: image().digest, result: Ok(()) },
        Event::Restaged { digest: Digest([1; 32]), result: Err(String::new()) },
    ] {
        assert_eq!(station.apply(at(6), event), vec![]);
        assert_eq!(station, before);
    }
}

#[test]
fn a_copy_that_is_damaged_again_and_again_is_staged_anew_three_times_and_then_waits_for_the_engineer() {
    let mut station = station();
    let mut restages = 0;
    for moment in 1..8 {
        let effects = station.apply(at(moment), Event::ImageFault { digest: image().digest, fault: rotten() });
        restages += effects.iter().filter(|effect| matches!(effect, Effect::Restage { .. })).count();
        if restages == 3 && effects.iter().all(|effect| !matches!(effect, Effect::Restage { .. })) {
            break;
        }
        station.apply(at(moment), Event::Restaged { digest: image().digest, result: Ok(()) });
    }
    assert_eq!(restages, 3);
    let why = sign(&station, 0).reason().unwrap_or_default();
    assert!(why.contains("the disk or the memory of this PC is at fault"), "{why}");
}

#[test]
fn a_pulled_card_that_found_a_damaged_copy_is_pulled_and_the_model_is_disarmed_all_the_same() {
    let mut station = station();
    let attempt = busy_in(&mut station, "p1", 1);
    station.apply(at(1000), gone(1));
    let effects = station.apply(at(1001), ended(attempt, End::StationFault(rotten())));
    assert_eq!(told(&effects).len(), 2, "{effects:?}");
    assert!(matches!(&closings(&station.apply(at(9000), Event::Tick))[..], [(_, Outcome::Pulled(_))]));
}

#[test]
fn an_image_that_is_waited_for_in_vain_may_be_read_again_and_a_lack_of_memory_disarms_nothing() {
    let mut of_stall = station();
    let attempt = busy_in(&mut of_stall, "p1", 1);
    let waited = std::time::Duration::from_secs(90);
    let effects = of_stall.apply(at(99_000), Event::Stalled { attempt, waited, on_image: true, effort: Effort::default() });
    assert!(told(&effects).contains(&"restage, unread true".to_owned()), "{effects:?}");

    let mut of_memory = station();
    let attempt = busy_in(&mut of_memory, "p1", 1);
    let lack = StationFault::Internal { message: "no memory".to_owned() };
    let effects = of_memory.apply(at(1000), ended(attempt, End::StationFault(lack.clone())));
    assert_eq!((closings(&effects), told(&effects)), (vec![("A1".to_owned(), Outcome::StationFault(lack))], vec![]));
    assert_eq!(of_memory.view(at(1001)).faults, ["A1: a fault of the station: no memory"], "the engineer is called");
    of_memory.apply(at(1001), Event::Recorded(Receipt::Closed(attempt)));
    of_memory.apply(at(1002), gone(1));
    assert_eq!(of_memory.view(at(1003)).faults, Vec::<String>::new());
    assert_eq!(sign(&of_memory, 0), Sign::Empty);
}

#[test]
fn the_station_that_arms_again_names_the_configuration_and_nobody_who_asked() {
    let mut station = station();
    station.apply(at(1), Event::ImageFault { digest: image().digest, fault: rotten() });
    let effects = station.apply(at(2), Event::Restaged { digest: image().digest, result: Ok(()) });
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
    let Entry::ModelArmed { by, .. } = &**entry else { panic!("{entry:?}") };
    assert_eq!((by.occasion, by.asked_by.clone()), (Occasion::Restage, None));
    assert_eq!(by.config, crate::station::testing::armed_by().config);
}

#[test]
fn a_reload_arms_no_model_in_the_log_whose_copy_is_still_being_staged_anew() {
    let mut station = station();
    station.apply(at(1), Event::ImageFault { digest: image().digest, fault: rotten() });
    // The same image, for a model of another name as well.
    let mut changed = of_two_models();
    changed.armed.push(crate::station::armed::Armed { model: "acme/new".to_owned(), ..image() });
    changed.slots[3].model = "acme/new".to_owned();
    changed.distrusted = vec![image().digest];
    let effects = station.apply(at(2), Event::Configure(Box::new(changed)));
    assert_eq!(told(&effects), Vec::<String>::new());
    assert!(matches!(sign(&station, 3), Sign::Disarmed(_)));
    let effects = station.apply(at(3), Event::Restaged { digest: image().digest, result: Ok(()) });
    assert_eq!(told(&effects), ["armed acme/box restage", "armed acme/new restage"]);
    assert_eq!(sign(&station, 3), Sign::Empty);
}
