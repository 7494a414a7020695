//! Tests with cards that leave the bus and come back, by themselves and by hand.

use std::time::Duration;

use super::super::tests::{at, busy_in, closings, configuration, ended, reconfigured, sign, station, visit};
use super::super::{Before, Effect, End, Event, Port, Standing, Station};
use crate::station::status::sign::{Hold, Sign};
use crate::station::testing::{card, image, proof, survey};
use crate::station::types::armed::Occasion;
use crate::station::types::card::{Card, Identity};
use crate::station::types::outcome::{CacheFlush, Effort, Outcome, Pull};
use crate::station::types::record::{AttemptNumber, Entry, Receipt};

const PORT: &str = "pci-1/usb3-2/lun-0";

/// The device leaves the bus with its card.
fn blinks(diskseq: u64) -> Event {
    Event::Gone { visit: visit(diskseq), with_device: true }
}

/// The card is there with its device, which has been on the bus for this many milliseconds.
fn back(card: Card, connected: u64) -> Event {
    Event::Seen { card: Box::new(card), before: None, with_device: Some(Duration::from_millis(connected)) }
}

/// Lets the card in the only slot settle and be surveyed; returns the effects.
fn look_into(station: &mut Station, from: u64, found: &Card) -> Vec<Effect> {
    let asked = station.apply(at(from), Event::Tick);
    assert!(matches!(asked.as_slice(), [Effect::Survey(_)]), "it is surveyed once it sits still: {asked:?}");
    let mut answer = survey(&found.port.0, found.visit.diskseq);
    answer.card = found.clone();
    station.apply(at(from + 1), Event::Surveyed { visit: found.visit, survey: Some(Box::new(answer)) })
}

/// The facts that are seen of a card: no identity of its own.
fn glance(diskseq: u64) -> Card {
    Card { serial: None, identified: Identity::None, ..card(PORT, diskseq) }
}

fn returns(effects: &[Effect]) -> Vec<u32> {
    let entries = effects.iter().filter_map(|effect| if let Effect::Record(entry) = effect { Some(&**entry) } else { None });
    entries.filter_map(|entry| if let Entry::CardReturned { times, .. } = entry { Some(*times) } else { None }).collect()
}

fn pass(station: &mut Station, attempt: AttemptNumber) {
    station.apply(at(800), ended(attempt, End::Verified(proof())));
    station.apply(at(801), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(sign(station, 0), Sign::Passed);
}

#[test]
fn a_held_card_whose_hub_blinks_stays_held_however_often_and_a_few_times_of_many_are_written_down() {
    let mut station = station(&[("A1", PORT)]);
    station.apply(at(0), Event::Seen { card: Box::new(glance(1)), before: Some(Before::Start), with_device: None });
    let mut told = Vec::new();
    for time in 1..=20 {
        station.apply(at(time * 1000), blinks(time));
        // The way from the bus to the disk takes seconds; the device was away for only 0.2 s.
        told.extend(returns(&station.apply(at(time * 1000 + 900), back(glance(time + 1), 700))));
        assert_eq!(sign(&station, 0), Sign::Held(Hold::SinceStart), "time {time}");
        assert_eq!(station.view(at(0)).slots[0].returns, u32::try_from(time).expect("small"));
        let effects = station.apply(at(time * 1000 + 950), Event::Tick);
        assert!(matches!(effects.as_slice(), [Effect::Identify(_)]), "nothing is begun: {effects:?}");
    }
    assert_eq!(told, [1, 2, 4, 8, 16]);
    // A hand takes it out and puts it in again: three seconds.
    station.apply(at(30_000), blinks(21));
    station.apply(at(34_000), back(card(PORT, 22), 900));
    assert_eq!((sign(&station, 0), station.view(at(0)).slots[0].returns), (Sign::Preparing, 0));
}

#[test]
fn a_held_stick_that_shows_no_medium_before_it_blinks_is_held() {
    let mut station = station(&[("A1", PORT)]);
    station.apply(at(0), Event::Seen { card: Box::new(glance(1)), before: Some(Before::Start), with_device: None });
    station.apply(at(1000), Event::Gone { visit: visit(1), with_device: false });
    station.apply(at(1200), blinks(1));
    station.apply(at(2500), back(glance(2), 1300));
    assert_eq!(sign(&station, 0), Sign::Held(Hold::SinceStart));
}

#[test]
fn a_held_stick_is_asked_for_its_numbers_so_that_another_one_put_in_its_place_at_once_is_flashed() {
    let held = || {
        let mut station = station(&[("A1", PORT)]);
        station.apply(at(0), Event::Seen { card: Box::new(glance(1)), before: Some(Before::Start), with_device: None });
        let asked = |station: &mut Station, time: u64| match station.apply(at(time), Event::Tick).as_slice() {
            [] => false,
            [Effect::Identify(card)] => card.visit == visit(1),
            other => panic!("{other:?}"),
        };
        assert!(asked(&mut station, 100), "at once");
        assert!(!asked(&mut station, 5000), "while it is asked it is not asked again");
        station.apply(at(5000), Event::Identified { visit: visit(1), card: None });
        assert!(!asked(&mut station, 5900) && asked(&mut station, 6100), "a device that is slow to answer is left alone for a moment");
        station.apply(at(6200), Event::Identified { visit: visit(1), card: Some(Box::new(card(PORT, 1))) });
        assert!(!asked(&mut station, 9000), "it is known");
        station.apply(at(10_000), blinks(1));
        station.apply(at(11_500), back(glance(2), 300));
        assert_eq!(sign(&station, 0), Sign::Preparing, "not before it is known which card it is");
        station
    };
    let mut same = held();
    assert_eq!(returns(&look_into(&mut same, 12_300, &card(PORT, 2))), [1]);
    assert_eq!(sign(&same, 0), Sign::Held(Hold::SinceStart));
    let mut other = held();
    let another = Card { serial: Some("S-2".to_owned()), ..card(PORT, 2) };
    let effects = look_into(&mut other, 12_300, &another);
    assert!(matches!(effects.as_slice(), [Effect::Record(entry)] if matches!(&**entry, Entry::AttemptStarted(_))), "{effects:?}");
}

#[test]
fn a_stick_that_browns_out_while_it_is_written_is_pulled_once_and_then_held_until_a_hand_puts_it_in() {
    let mut station = station(&[("A1", PORT)]);
    let attempt = busy_in(&mut station, PORT, 1);
    station.apply(at(1000), blinks(1));
    // It is back before its row is written.
    station.apply(at(1300), back(card(PORT, 2), 100));
    station.apply(at(1400), ended(attempt, End::Gone));
    let closed = closings(&station.apply(at(2500), Event::Tick));
    assert_eq!(closed, [("A1".to_owned(), Outcome::Pulled(Pull::Taken))]);
    station.apply(at(2501), Event::Recorded(Receipt::Closed(attempt)));
    let effects = look_into(&mut station, 3300, &card(PORT, 2));
    assert_eq!((returns(&effects), effects.len()), (vec![1], 1), "nothing is begun");
    assert_eq!(sign(&station, 0), Sign::Held(Hold::Returned { times: 1 }));
    assert_eq!(sign(&station, 0).reason().as_deref(), Some("came back by itself"));
    for time in 2..=5 {
        station.apply(at(time * 10_000), blinks(time));
        station.apply(at(time * 10_000 + 1800), back(card(PORT, time + 1), 100));
        look_into(&mut station, time * 10_000 + 2600, &card(PORT, time + 1));
        assert_eq!(sign(&station, 0), Sign::Held(Hold::Returned { times: u32::try_from(time).expect("small") }));
    }
    assert_eq!(station.apply(at(99_000), Event::Tick), vec![]);
    station.apply(at(100_000), blinks(6));
    station.apply(at(110_000), back(card(PORT, 7), 100));
    assert_eq!(sign(&station, 0), Sign::Preparing, "now somebody wants it");
}

#[test]
fn a_pass_ends_with_a_blink_because_its_claim_does_and_the_same_card_is_held_and_another_begun() {
    let passed = || {
        let mut station = station(&[("A1", PORT)]);
        let attempt = busy_in(&mut station, PORT, 1);
        pass(&mut station, attempt);
        station.apply(at(1000), blinks(1));
        assert_eq!(sign(&station, 0), Sign::Empty);
        station
    };
    let mut same = passed();
    same.apply(at(1500), back(card(PORT, 2), 300));
    assert_ne!(sign(&same, 0), Sign::Passed, "not before it is known which card it is");
    assert_eq!(returns(&look_into(&mut same, 3000, &card(PORT, 2))), [1]);
    assert_eq!(sign(&same, 0), Sign::Held(Hold::Returned { times: 1 }), "put in by hand it is looked at again");
    same.apply(at(9000), blinks(2));
    assert_eq!(sign(&same, 0), Sign::Empty, "and it ends with its card");

    let mut other = passed();
    let another = Card { serial: Some("S-2".to_owned()), ..card(PORT, 2) };
    other.apply(at(1500), back(another.clone(), 300));
    let effects = look_into(&mut other, 3000, &another);
    assert!(matches!(effects.as_slice(), [Effect::Record(entry)] if matches!(&**entry, Entry::AttemptStarted(_))), "{effects:?}");

    let mut larger = passed();
    let another = Card { capacity: crate::station::units::Bytes(1 << 30), ..card(PORT, 2) };
    larger.apply(at(1500), back(another.clone(), 300));
    let effects = look_into(&mut larger, 3000, &another);
    assert!(matches!(effects.as_slice(), [Effect::Record(entry)] if matches!(&**entry, Entry::AttemptStarted(_))), "{effects:?}");

    // Two sticks without a serial cannot be distinguished: neither becomes green nor is begun.
    let mut nameless = station(&[("A1", PORT)]);
    let bare = |diskseq| Card { serial: None, identified: Identity::None, ..card(PORT, diskseq) };
    nameless.apply(at(0), back(bare(1), 0));
    let effects = look_into(&mut nameless, 700, &bare(1));
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
    let Some(Receipt::Started(attempt)) = entry.receipt() else { panic!("{entry:?}") };
    nameless.apply(at(702), Event::Recorded(Receipt::Started(attempt)));
    pass(&mut nameless, attempt);
    nameless.apply(at(1000), blinks(1));
    nameless.apply(at(1500), back(bare(2), 300));
    look_into(&mut nameless, 3000, &bare(2));
    assert_eq!(sign(&nameless, 0), Sign::Held(Hold::Returned { times: 1 }));
}

#[test]
fn in_a_reader_that_resets_itself_finished_cards_are_held_and_in_one_that_stays_a_hand_is_never_too_fast() {
    let ports = ["pci-1/usb3-2/lun-0", "pci-1/usb3-2/lun-1"];
    let in_reader =
        |port: &str, diskseq| Card { serial: Some("READER".to_owned()), identified: Identity::ReaderOnly, ..card(port, diskseq) };
    let mut station = station(&[("A1", ports[0]), ("A2", ports[1])]);
    let begin = |station: &mut Station, diskseq: u64, from: u64| {
        station.apply(at(from), Event::Tick);
        let mut found = survey(ports[0], diskseq);
        found.card = in_reader(ports[0], diskseq);
        let effects = station.apply(at(from + 1), Event::Surveyed { visit: visit(diskseq), survey: Some(Box::new(found)) });
        let [Effect::Record(entry)] = effects.as_slice() else { panic!("it is begun: {effects:?}") };
        let Some(Receipt::Started(number)) = entry.receipt() else { panic!("{entry:?}") };
        station.apply(at(from + 2), Event::Recorded(Receipt::Started(number)));
        station.apply(at(from + 3), ended(number, End::Verified(proof())));
        station.apply(at(from + 4), Event::Recorded(Receipt::Closed(number)));
        assert_eq!(sign(station, 0), Sign::Passed);
    };
    let put_in = |diskseq| Event::Seen { card: Box::new(in_reader(ports[0], diskseq)), before: None, with_device: None };
    station.apply(at(0), put_in(1));
    begin(&mut station, 1, 700);
    // Changed by hand within half a second, for one that looks the same.
    station.apply(at(1000), Event::Gone { visit: visit(1), with_device: false });
    station.apply(at(1500), put_in(2));
    begin(&mut station, 2, 2300);
    // The reader resets itself.
    station.apply(at(5000), blinks(2));
    station.apply(at(6000), back(in_reader(ports[0], 3), 500));
    look_into(&mut station, 7000, &in_reader(ports[0], 3));
    assert_eq!(sign(&station, 0), Sign::Held(Hold::Returned { times: 1 }));
    // A hand takes the card, and the reader resets itself because of that.
    station.apply(at(9000), Event::Gone { visit: visit(3), with_device: false });
    station.apply(at(10_000), back(in_reader(ports[0], 4), 500));
    begin(&mut station, 4, 11_000);
}

#[test]
fn a_stick_that_comes_back_as_a_usb_2_device_in_the_same_socket_is_the_same_stick() {
    let mut configuration = configuration(&[("A1", PORT)], vec![crate::station::testing::image()]);
    let other = "pci-1/usb2-2/lun-0";
    configuration.slots[0].ports.push(Port(other.to_owned()));
    configuration.station.recheck_done = false;
    for is_missed_first in [true, false] {
        let mut station = Station::new_proven(configuration.station.clone(), 1, Standing::default());
        station.apply(at(0), Event::Configure(Box::new(configuration.clone())));
        let attempt = busy_in(&mut station, PORT, 1);
        pass(&mut station, attempt);
        if is_missed_first {
            station.apply(at(1000), blinks(1));
        }
        station.apply(at(1500), back(card(other, 2), 300));
        station.apply(at(1501), blinks(1));
        look_into(&mut station, 3000, &card(other, 2));
        assert_eq!(sign(&station, 0), Sign::Held(Hold::Returned { times: 1 }), "missed first: {is_missed_first}");
    }
}

#[test]
fn a_slot_that_shows_no_medium_a_moment_before_its_reader_leaves_is_lost_with_the_reader_and_two_taken_out_by_hand_are_not() {
    let slots = [("A1", "pci-1/usb3-2/lun-0"), ("A2", "pci-1/usb3-2/lun-1")];
    for (with_device, reader_lost) in [([false, true], true), ([true, false], true), ([false, false], false)] {
        let mut station = station(&slots);
        let attempts = [busy_in(&mut station, slots[0].1, 1), busy_in(&mut station, slots[1].1, 2)];
        for (number, with_device) in (1..).zip(with_device) {
            station.apply(at(1000 + number), Event::Gone { visit: visit(number), with_device });
        }
        attempts.iter().for_each(|attempt| drop(station.apply(at(1450), ended(*attempt, End::Gone))));
        let closed = closings(&station.apply(at(2600), Event::Tick));
        let pull = match reader_lost {
            true => Pull::ReaderLost { device: "pci-1/usb3-2".to_owned(), slots: vec!["A1".to_owned(), "A2".to_owned()] },
            false => Pull::Taken,
        };
        let outcome = Outcome::Pulled(pull);
        assert_eq!(closed, ["A1", "A2"].map(|name| (name.to_owned(), outcome.clone())), "{with_device:?}");
    }
}

#[test]
fn four_busy_cards_whose_hub_blinks_are_one_cause_and_all_four_are_held() {
    let ports = ["pci-1/usb3-2.1/lun-0", "pci-1/usb3-2.2/lun-0", "pci-1/usb3-2.3/lun-0", "pci-1/usb3-2.4/lun-0"];
    let names = ["A1", "A2", "A3", "A4"];
    let slots: Vec<(&str, &str)> = names.into_iter().zip(ports).collect();
    let mut station = station(&slots);
    let attempts: Vec<_> = ports.iter().zip(1..).map(|(port, diskseq)| busy_in(&mut station, port, diskseq)).collect();
    (1..=4).for_each(|diskseq| drop(station.apply(at(1000 + diskseq), blinks(diskseq))));
    for (port, diskseq) in ports.iter().zip(5..) {
        station.apply(at(1400), back(card(port, diskseq), 100));
    }
    attempts.iter().for_each(|attempt| drop(station.apply(at(1450), ended(*attempt, End::Gone))));
    let closed = closings(&station.apply(at(2600), Event::Tick));
    let lost = Outcome::Pulled(Pull::ReaderLost { device: "pci-1/usb3-2".to_owned(), slots: names.map(str::to_owned).to_vec() });
    assert_eq!(closed, names.map(|name| (name.to_owned(), lost.clone())), "one cause, though all are there again");
    attempts.iter().for_each(|attempt| drop(station.apply(at(2700), Event::Recorded(Receipt::Closed(*attempt)))));
    let surveys = station.apply(at(3500), Event::Tick);
    assert_eq!(surveys.len(), 4);
    for (port, diskseq) in ports.iter().zip(5..) {
        station.apply(at(3600), Event::Surveyed { visit: visit(diskseq), survey: Some(Box::new(survey(port, diskseq))) });
    }
    assert_eq!([0, 1, 2, 3].map(|slot| sign(&station, slot)), [(); 4].map(|()| Sign::Held(Hold::Returned { times: 1 })));
}

#[test]
fn a_card_whose_contacts_bounce_as_it_is_put_in_is_begun_when_it_sits_still() {
    let mut station = station(&[("A1", PORT)]);
    for diskseq in 1..4 {
        station.apply(at(diskseq * 300), back(card(PORT, diskseq), 100));
        station.apply(at(diskseq * 300 + 200), blinks(diskseq));
    }
    station.apply(at(1500), back(card(PORT, 4), 100));
    let effects = look_into(&mut station, 2300, &card(PORT, 4));
    assert!(matches!(effects.as_slice(), [Effect::Record(entry)] if matches!(&**entry, Entry::AttemptStarted(_))), "{effects:?}");
}

#[test]
fn after_the_pc_slept_no_card_is_green_and_none_is_begun() {
    let mut station = station(&[("A1", PORT), ("A2", "p2"), ("A3", "p3")]);
    let passed = busy_in(&mut station, PORT, 1);
    pass(&mut station, passed);
    let busy = busy_in(&mut station, "p2", 2);
    for (port, diskseq) in [(PORT, 1), ("p2", 2)] {
        station.apply(at(5000), Event::Gone { visit: visit(diskseq), with_device: false });
        station.apply(at(5000), Event::Seen { card: Box::new(card(port, diskseq)), before: Some(Before::Sleep), with_device: None });
    }
    assert_eq!(sign(&station, 0), Sign::Held(Hold::Slept));
    station.apply(at(5100), ended(busy, End::Verified(proof())));
    assert!(matches!(closings(&station.apply(at(6200), Event::Tick)).as_slice(), [(_, Outcome::Pulled(_))]));
    station.apply(at(6300), Event::Recorded(Receipt::Closed(busy)));
    // The card that is in the slot now is looked at, and held.
    let effects = station.apply(at(9200), Event::Tick);
    assert!(matches!(effects.as_slice(), [Effect::Survey(_)]), "nothing is begun: {effects:?}");
    let answer = Event::Surveyed { visit: visit(2), survey: Some(Box::new(survey("p2", 2))) };
    assert_eq!(station.apply(at(9300), answer), vec![], "nothing is begun");
    assert_eq!(station.apply(at(12_000), Event::Tick), vec![], "nothing is begun");
    assert_eq!((sign(&station, 1), sign(&station, 2)), (Sign::Held(Hold::Slept), Sign::Empty));
}

#[test]
fn a_card_whose_device_left_when_it_was_asked_to_flush_is_begun_anew_whatever_is_told_first() {
    let told: [[u8; 3]; 3] = [[0, 1, 2], [1, 0, 2], [1, 2, 0]];
    for order in told {
        let mut station = station(&[("A1", PORT)]);
        let attempt = busy_in(&mut station, PORT, 1);
        let mut closed = Vec::new();
        for (event, time) in order.into_iter().zip([1000, 1100, 1200]) {
            let effort = Effort { flush: Some(CacheFlush::Unanswered), ..Effort::default() };
            closed.extend(station.apply(
                at(time),
                match event {
                    0 => Event::Ended { attempt, end: End::Gone, effort },
                    1 => blinks(1),
                    _ => back(card(PORT, 2), 0),
                },
            ));
        }
        closed.extend(station.apply(at(2500), Event::Tick));
        assert_eq!(closings(&closed), [("A1".to_owned(), Outcome::Pulled(Pull::Taken))], "{order:?}");
        assert_eq!(returns(&closed), [0; 0], "{order:?}");
        station.apply(at(2501), Event::Recorded(Receipt::Closed(attempt)));
        let effects = look_into(&mut station, 4000, &card(PORT, 2));
        let begun = matches!(effects.as_slice(), [Effect::Record(entry)] if matches!(**entry, Entry::AttemptStarted(_)));
        assert!(begun, "{order:?}: {effects:?}");
    }
}

/// A card that was in this port before the station watched it.
fn found(port: &str, diskseq: u64) -> Event {
    Event::Seen { card: Box::new(card(port, diskseq)), before: Some(Before::Start), with_device: None }
}

/// Does the slot, which has otherwise come to rest, hold the card in its new port, and begin nothing?
fn holds_what_was_found(station: &mut Station, from: u64, port: &str, case: &str) {
    let effects = look_into(station, from, &card(port, 9));
    assert_eq!((effects, sign(station, 0)), (vec![], Sign::Held(Hold::SinceStart)), "{case}");
    let effects = station.apply(at(from + 5000), Event::Tick);
    assert_eq!(effects, vec![], "{case}");
}

#[test]
fn a_card_that_lay_in_a_port_before_a_reload_gave_it_to_a_slot_is_held_whatever_the_slot_was_doing() {
    let moved = || reconfigured(&[("A1", "p9")], image());
    let slot = || station(&[("A1", PORT)]);

    // At work: the card in the old port is finished first, and it does not count as pulled.
    let mut busy = slot();
    let attempt = busy_in(&mut busy, PORT, 1);
    busy.apply(at(800), moved());
    assert_eq!(busy.apply(at(801), found("p9", 9)), vec![], "what is in the new port takes nothing away");
    let closed = closings(&busy.apply(at(900), ended(attempt, End::Verified(proof()))));
    assert_eq!(closed, [("A1".to_owned(), Outcome::Passed(proof()))]);
    busy.apply(at(901), Event::Recorded(Receipt::Closed(attempt)));
    holds_what_was_found(&mut busy, 2000, "p9", "at work");

    // Between admission and the first byte: it is no longer begun.
    let mut opening = slot();
    opening.apply(at(0), Event::Seen { card: Box::new(card(PORT, 1)), before: None, with_device: None });
    assert_eq!(look_into(&mut opening, 700, &card(PORT, 1)).len(), 1, "its start is on its way to the disk");
    opening.apply(at(800), moved());
    opening.apply(at(801), found("p9", 9));
    let closed = closings(&opening.apply(at(802), Event::Recorded(Receipt::Started(1))));
    assert_eq!(closed, [("A1".to_owned(), Outcome::Interrupted)], "nobody pulled it");
    opening.apply(at(901), Event::Recorded(Receipt::Closed(1)));
    holds_what_was_found(&mut opening, 2000, "p9", "admitted");

    // Empty, and showing that its last card was pulled.
    let mut pulled = slot();
    let attempt = busy_in(&mut pulled, PORT, 1);
    pulled.apply(at(800), Event::Gone { visit: visit(1), with_device: false });
    pulled.apply(at(801), ended(attempt, End::Gone));
    pulled.apply(at(1900), Event::Tick);
    pulled.apply(at(1901), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(sign(&pulled, 0), Sign::Pulled(Pull::Taken));
    pulled.apply(at(2000), moved());
    pulled.apply(at(2001), found("p9", 9));
    holds_what_was_found(&mut pulled, 4000, "p9", "pulled");

    // Out of service, until the thread that was given up returns.
    let mut stuck = slot();
    let attempt = busy_in(&mut stuck, PORT, 1);
    stuck.apply(at(800), Event::Stalled { attempt, waited: Duration::from_secs(90), on_image: false, effort: Effort::default() });
    stuck.apply(at(801), Event::Recorded(Receipt::Closed(attempt)));
    stuck.apply(at(802), Event::Gone { visit: visit(1), with_device: false });
    assert_eq!(sign(&stuck, 0), Sign::OutOfService);
    stuck.apply(at(803), moved());
    stuck.apply(at(804), found("p9", 9));
    stuck.apply(at(900), ended(attempt, End::Gone));
    holds_what_was_found(&mut stuck, 2000, "p9", "out of service");

    // Green, and given a second port beside its first.
    let mut green = slot();
    let attempt = busy_in(&mut green, PORT, 1);
    pass(&mut green, attempt);
    let mut both = configuration(&[("A1", PORT)], vec![image()]);
    both.slots[0].ports.push(Port("p9".to_owned()));
    green.apply(at(900), Event::Configure(Box::new(both)));
    green.apply(at(901), found("p9", 9));
    holds_what_was_found(&mut green, 2000, "p9", "green");

    // At work, and given a second port beside its first: its card is finished as well.
    let mut busy = slot();
    let attempt = busy_in(&mut busy, PORT, 1);
    let mut both = configuration(&[("A1", PORT)], vec![image()]);
    both.slots[0].ports.push(Port("p9".to_owned()));
    busy.apply(at(800), Event::Configure(Box::new(both)));
    assert_eq!(busy.apply(at(801), found("p9", 9)), vec![], "what lies in the second port takes nothing away");
    let closed = closings(&busy.apply(at(900), ended(attempt, End::Verified(proof()))));
    assert_eq!(closed, [("A1".to_owned(), Outcome::Passed(proof()))]);

    // When it is put in by hand, it is begun.
    green.apply(at(10_000), Event::Gone { visit: visit(9), with_device: false });
    green.apply(at(14_000), Event::Seen { card: Box::new(card("p9", 10)), before: None, with_device: None });
    assert_eq!(look_into(&mut green, 15_000, &card("p9", 10)).len(), 1);
}

/// The PC slept: every card counts as another one, though the kernel gives it the same number.
fn sleeps(station: &mut Station, now: u64, diskseq: u64) -> Vec<Effect> {
    let mut effects = station.apply(at(now), Event::Gone { visit: visit(diskseq), with_device: false });
    let seen = Event::Seen { card: Box::new(card(PORT, diskseq)), before: Some(Before::Sleep), with_device: None };
    effects.extend(station.apply(at(now), seen));
    effects
}

#[test]
fn a_card_that_slept_while_its_row_was_on_its_way_to_the_disk_is_held_and_not_green() {
    let mut station = station(&[("A1", PORT)]);
    let attempt = busy_in(&mut station, PORT, 1);
    station.apply(at(800), ended(attempt, End::Verified(proof())));
    assert!(station.keeps(attempt));
    sleeps(&mut station, 1000, 1);
    station.apply(at(1100), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(look_into(&mut station, 2000, &card(PORT, 1)), vec![], "what was proven was another time");
    assert_eq!(sign(&station, 0), Sign::Held(Hold::Slept));
}

#[test]
fn a_card_that_slept_while_its_start_was_on_its_way_to_the_disk_is_not_begun() {
    let mut station = station(&[("A1", PORT)]);
    station.apply(at(0), Event::Seen { card: Box::new(card(PORT, 1)), before: None, with_device: None });
    assert_eq!(look_into(&mut station, 700, &card(PORT, 1)).len(), 1, "its start is on its way");
    sleeps(&mut station, 800, 1);
    assert_eq!(station.apply(at(900), Event::Recorded(Receipt::Started(1))), vec![], "it may be another card by now");
    let closed = closings(&station.apply(at(2000), Event::Tick));
    assert_eq!(closed, [("A1".to_owned(), Outcome::Pulled(Pull::Taken))]);
    station.apply(at(2100), Event::Recorded(Receipt::Closed(1)));
    assert_eq!(look_into(&mut station, 3000, &card(PORT, 1)), vec![]);
    assert_eq!(sign(&station, 0), Sign::Held(Hold::Slept));
}

#[test]
fn a_card_that_is_pulled_after_two_slots_changed_their_ports_ends_its_own_attempt_and_not_the_other_one() {
    let mut station = station(&[("A1", "p1"), ("A2", "p2")]);
    let [one, two] = [busy_in(&mut station, "p1", 1), busy_in(&mut station, "p2", 2)];
    station.apply(at(800), reconfigured(&[("A1", "p2"), ("A2", "p1")], image()));
    station.apply(at(801), found("p1", 1));
    station.apply(at(801), found("p2", 2));
    assert_eq!(station.apply(at(900), Event::Gone { visit: visit(2), with_device: false }), [Effect::Cancel(two)]);
    let closed = closings(&station.apply(at(1000), ended(one, End::Verified(proof()))));
    assert_eq!(closed, [("A1".to_owned(), Outcome::Passed(proof()))], "nobody pulled this one");
    // Its thread had finished already when the card left.
    assert_eq!(closings(&station.apply(at(1000), ended(two, End::Verified(proof())))), []);
    let closed = closings(&station.apply(at(2100), Event::Tick));
    assert_eq!(closed, [("A2".to_owned(), Outcome::Pulled(Pull::Taken))], "it was never shown as green");
}

#[test]
fn a_reload_that_renames_a_slot_begins_no_card_that_lies_in_it_whatever_is_flashed_at_a_start() {
    let configure = |name: &str, occasion: Occasion| {
        let mut configuration = configuration(&[(name, PORT)], vec![image()]);
        (configuration.station.flash_present, configuration.by.occasion) = (true, occasion);
        Event::Configure(Box::new(configuration))
    };
    let mut station = station(&[("A1", PORT)]);
    station.apply(at(0), configure("A1", Occasion::Start));
    station.apply(at(1), found(PORT, 9));
    assert_eq!(look_into(&mut station, 1000, &card(PORT, 9)).len(), 1, "it was there at the start, and is flashed");
    station.apply(at(1002), Event::Recorded(Receipt::Started(1)));
    station.apply(at(1100), configure("B1", Occasion::Reload));
    station.apply(at(1101), found(PORT, 9));
    assert_eq!(station.apply(at(3000), Event::Tick), vec![], "its thread still runs");
    let shown = |station: &Station| station.view(at(9000)).slots.iter().map(|slot| slot.sign.clone()).collect::<Vec<_>>();
    assert_eq!(shown(&station), [Sign::Held(Hold::SinceStart), Sign::Writing]);
    station.apply(at(3100), ended(1, End::Verified(proof())));
    station.apply(at(3200), Event::Recorded(Receipt::Closed(1)));
    assert_eq!(station.apply(at(5000), Event::Tick), vec![], "and it is not written a second time");
    assert_eq!(shown(&station), [Sign::Held(Hold::SinceStart)]);
}

#[test]
fn a_card_that_leaves_while_its_row_is_on_its_way_and_its_slot_has_another_name_is_green_under_none() {
    let mut station = station(&[("A1", PORT)]);
    let attempt = busy_in(&mut station, PORT, 1);
    station.apply(at(800), ended(attempt, End::Verified(proof())));
    station.apply(at(900), reconfigured(&[("B1", PORT)], image()));
    station.apply(at(901), found(PORT, 1));
    station.apply(at(1000), Event::Gone { visit: visit(1), with_device: false });
    station.apply(at(1100), reconfigured(&[("A1", PORT)], image()));
    station.apply(at(1200), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(station.view(at(1300)).slots.iter().map(|slot| slot.sign.clone()).collect::<Vec<_>>(), [Sign::Empty]);
}

#[test]
fn two_slots_that_change_their_ports_while_both_write_finish_both_cards_and_begin_none() {
    let mut station = station(&[("A1", "p1"), ("A2", "p2")]);
    let attempts = [busy_in(&mut station, "p1", 1), busy_in(&mut station, "p2", 2)];
    station.apply(at(800), reconfigured(&[("A1", "p2"), ("A2", "p1")], image()));
    for (port, diskseq) in [("p1", 1), ("p2", 2)] {
        assert_eq!(station.apply(at(801), found(port, diskseq)), vec![], "nobody pulled anything");
    }
    for attempt in attempts {
        let closed = closings(&station.apply(at(900), ended(attempt, End::Verified(proof()))));
        assert!(matches!(closed.as_slice(), [(_, Outcome::Passed(_))]), "{closed:?}");
        station.apply(at(901), Event::Recorded(Receipt::Closed(attempt)));
    }
    for (slot, port, diskseq) in [(0, "p2", 2), (1, "p1", 1)] {
        station.apply(at(2000), Event::Tick);
        let found = Some(Box::new(survey(port, diskseq)));
        assert_eq!(station.apply(at(2001), Event::Surveyed { visit: visit(diskseq), survey: found }), vec![]);
        assert_eq!(sign(&station, slot), Sign::Held(Hold::SinceStart));
    }
}

#[test]
fn a_card_that_a_hand_put_in_is_held_if_its_slot_was_renamed_meanwhile_and_got_its_name_back() {
    let (own, renamed) = ([("A1", PORT)], [("B1", PORT)]);
    let mut station = station(&own);
    let attempt = busy_in(&mut station, PORT, 1);
    station.apply(at(800), Event::Gone { visit: visit(1), with_device: false });
    station.apply(at(810), Event::Seen { card: Box::new(card(PORT, 2)), before: None, with_device: None });
    station.apply(at(820), reconfigured(&renamed, image()));
    station.apply(at(830), found(PORT, 2));
    assert_eq!(sign(&station, 0).word(), "HELD", "it was not put in for B1");
    station.apply(at(840), reconfigured(&own, image()));
    station.apply(at(850), found(PORT, 2));
    station.apply(at(900), ended(attempt, End::Gone));
    station.apply(at(2000), Event::Tick);
    station.apply(at(2010), Event::Recorded(Receipt::Closed(attempt)));
    station.apply(at(3000), Event::Tick);
    let surveyed = Event::Surveyed { visit: visit(2), survey: Some(Box::new(survey(PORT, 2))) };
    assert_eq!((station.apply(at(3050), surveyed), sign(&station, 0).word()), (vec![], "HELD"), "nobody has touched it since");
}
