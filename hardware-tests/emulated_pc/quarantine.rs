//! Reader or card? A card that failed is tried in another slot, and a slot in which too many cards fail closes itself.

use flashline_lab::{MIB, Pc, UsbStick, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{Run, Station};

/// A sector of the body has other contents, and does not take what is written.
fn spoil(stick: &UsbStick) {
    stick.medium().write(2 * MIB, &[0x5a; 512]);
    stick.medium().faults(|faults| faults.stuck.push(2 * MIB..2 * MIB + 512));
}

fn nth(station: &Station<'_>, slot: &str, word: &str, nth: usize) -> String {
    station.job.wait_for_nth_line(nth, &format!("^{slot}  {word}"), secs(120))
}

#[test]
fn a_card_that_failed_is_tried_in_another_slot_and_the_second_row_tells_the_slot_from_the_card() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).run();
    let stick = pc.usb("1").size(16 * MIB).filled(1).plug();
    spoil(&stick);
    let line = nth(&station, "A1", "FAILED", 1);
    assert!(line.contains("try it once in another slot"), "{line}");
    stick.pull();
    nth(&station, "A1", "EMPTY", 2);
    // It was the slot.
    stick.medium().faults(|faults| faults.stuck.clear());
    stick.plug_into("2");
    nth(&station, "A2", "PASS", 1);
    assert!(stick.reads_as(image.raw()));
    let (first, second) = (station.rows_of("A1").pop().expect("a row"), station.rows_of("A2").pop().expect("a row"));
    assert_eq!((&second["second_try_of"], &first["second_try_of"]), (&first["attempt"], &serde_json::Value::Null), "{second}");
    stick.pull();
    nth(&station, "A2", "EMPTY", 2);
    // This time it is the card: two slots fail, and nobody is asked for a third one. The station is another one meanwhile.
    spoil(&stick);
    stick.plug_into("2");
    assert!(nth(&station, "A2", "FAILED", 1).contains("try it once in another slot"));
    stick.pull();
    nth(&station, "A2", "EMPTY", 3);
    station.stop();
    let station = Station::start(&pc);
    nth(&station, "A1", "EMPTY", 1);
    stick.plug_into("1");
    let line = nth(&station, "A1", "FAILED", 1);
    assert!(!line.contains("another slot"), "{line}");
    let rows = station.rows();
    let [.., third, fourth] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((&fourth["second_try_of"], &fourth["code"]), (&third["attempt"], &third["code"]), "{fourth}");
    assert!(pc.run("flashline log verify").success());
}

/// Waits until the stick in each of these slots has passed, and takes them out.
fn passes(station: &Station<'_>, sticks: &[(&str, &UsbStick)], turn: usize) {
    sticks.iter().for_each(|(slot, _)| drop(nth(station, slot, "PASS", turn)));
    sticks.iter().for_each(|(_, stick)| stick.pull());
    sticks.iter().for_each(|(slot, _)| drop(nth(station, slot, "EMPTY", turn + 1)));
}

#[test]
fn long_a_slot_whose_cards_fail_closes_itself_over_a_restart_until_it_is_armed_and_the_others_go_on() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).slot("A3", usb("3")).run();
    let [two, three] = ["2", "3"].map(|port| pc.usb(port).size(16 * MIB).filled(1).plug());
    passes(&station, &[("A2", &two), ("A3", &three)], 1);
    for turn in 2..=12 {
        two.plug();
        three.plug();
        passes(&station, &[("A2", &two), ("A3", &three)], turn);
    }
    let bad = pc.usb("1").size(16 * MIB).filled(1).plug();
    spoil(&bad);
    let mut failed = 0;
    while station.job.count_lines("^A1  QUARANTINE") == 0 {
        failed += 1;
        assert!(failed < 12, "it is closed");
        if failed > 1 {
            bad.plug();
        }
        nth(&station, "A1", "FAILED", failed);
        bad.pull();
        bad.wait_gone();
        pc.wait_until("the slot is empty or closed", secs(30), || {
            let status: serde_json::Value = serde_json::from_str(&pc.sh("flashline status --json || true")).expect("JSON");
            matches!(status["slots"][0]["word"].as_str(), Some("EMPTY" | "QUARANTINE")).then_some(())
        });
    }
    assert!(failed >= 4, "four failures beside 24 good cards are the fewest that chance does not explain: {failed}");
    let line = nth(&station, "A1", "QUARANTINE", 1);
    assert!(line.contains(&format!("{failed} of {failed} failed")) && line.contains("tell the supervisor"), "{line}");
    // A good card waits there, untouched, and the others go on.
    let good = pc.usb("1").size(16 * MIB).filled(2).plug();
    two.plug();
    nth(&station, "A2", "PASS", 13);
    assert!(good.untouched());
    good.pull();
    two.pull();
    station.stop();
    let station = Station::start(&pc);
    nth(&station, "A1", "QUARANTINE", 1);
    assert_eq!(station.job.count_lines("^A1  EMPTY"), 0);
    let handover = pc.sh("flashline handover || true");
    assert!(handover.contains("A1") && handover.contains(&format!("{failed} of {failed}")), "{handover}");
    pc.sh("flashline arm --slot A1");
    nth(&station, "A1", "EMPTY", 1);
    good.plug();
    nth(&station, "A1", "PASS", 1);
    assert!(good.reads_as(image.raw()));
    pc.sh("flashline log verify");
}
