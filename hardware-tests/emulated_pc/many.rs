//! Many cards in a short time: a whole tray at once, one card again and again, two cards with the same identity.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use flashline_lab::{Errno, MIB, Pc, UsbStick, secs};

use crate::factory::{Factory, Image, sd, usb};
use crate::station::{Run, is_tombstone};

#[test]
fn long_twenty_four_cards_put_in_within_a_second_have_twenty_four_right_outcomes() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let _hubs = [pc.hub("1"), pc.hub("2")];
    let hub = |port| (1..=8).map(move |under| format!("{port}.{under}"));
    let ports: Vec<String> = hub(1).chain(hub(2)).chain((3..=10).map(|port| port.to_string())).collect();
    let slot = |port: &str| format!("P{port}");
    let station = ports.iter().fold(Factory::new(&pc, &image.raw()), |factory, port| factory.slot(&slot(port), usb(port))).run();
    let plug = |port: &String| {
        let stick = pc.usb(port).serial(&slot(port)).filled(port.len().try_into().expect("it is short"));
        match port.as_str() {
            "1.3" | "7" => stick.size(2 * MIB).plug(),
            "2.5" => stick.size(16 * MIB).read_only().plug(),
            "4" => {
                let stick = stick.size(16 * MIB).plug();
                stick.faults(|faults| faults.all_writes = Some(Errno::IO));
                stick
            }
            _ => stick.size(16 * MIB).plug(),
        }
    };
    let sticks: Vec<UsbStick> = ports.iter().map(plug).collect();
    for (port, stick) in ports.iter().zip(&sticks) {
        let (word, outcome) = match port.as_str() {
            "1.3" | "7" | "2.5" => ("REFUSED", "refused"),
            "4" => ("FAILED", "failed"),
            _ => ("PASS", "passed"),
        };
        station.wait_for(&slot(port), word);
        let rows = station.rows_of(&slot(port));
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!((rows[0]["outcome"].as_str(), rows[0]["serial"].as_str()), (Some(outcome), Some(stick.serial())), "{}", rows[0]);
        if outcome == "passed" {
            assert_eq!(stick.first_difference(image.raw()), None, "{port}");
        } else {
            assert!(stick.untouched(), "{port} was touched at {:?}", stick.first_touched());
        }
    }
    assert_eq!(station.rows().len(), 24);
}

#[test]
fn a_card_put_in_and_taken_out_a_hundred_times_makes_honest_rows_only_and_passes_when_it_stays() {
    let pc = Pc::start();
    let image = Image::new(32 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("S1", sd(0)).run();
    let card = pc.sd(0).size(64 * MIB).filled(1).insert();
    for turn in 1..100 {
        // Mostly as fast as the slot allows; sometimes long enough for the card to be seen or begun.
        let stays = match (turn % 25, turn % 5) {
            (0, _) => 2500,
            (_, 0) => turn * 8,
            _ => turn % 3 * 10,
        };
        thread::sleep(Duration::from_millis(stays));
        card.eject();
        card.insert();
    }
    let line = station.wait_for("S1", "PASS");
    assert_eq!(card.first_difference(image.raw()), None, "{line}");
    let rows = station.rows();
    let (last, before) = rows.split_last().expect("a card that passed has a row");
    assert_eq!(last["outcome"], "passed", "{last}");
    for row in before {
        assert!(row["outcome"] == "pulled" || row["outcome"] == "refused", "no other card stayed until it was whole: {row}");
    }
    assert!(before.iter().any(|row| row["outcome"] == "pulled"), "some were begun: {before:?}");
    let visits: BTreeSet<Option<u64>> = rows.iter().map(|row| row["diskseq"].as_u64()).collect();
    assert_eq!(visits.len(), rows.len(), "no visit has two rows");
    assert_eq!(station.job.count_lines("^S1  PASS"), 1);
}

#[test]
fn two_sticks_with_one_serial_are_two_cards_with_two_rows() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).run();
    // udev gives both the same name by their serial; the link points to one of them.
    let [one, other] = [("1", 1), ("2", 2)].map(|(port, seed)| pc.usb(port).serial("SAME").size(16 * MIB).filled(seed).plug());
    one.faults(|faults| faults.bytes_per_second = Some(MIB / 2));
    station.wait_for("A2", "PASS");
    one.wait_written(MIB, secs(60));
    one.pull();
    station.wait_for("A1", "PULLED");
    assert_eq!(other.first_difference(image.raw()), None);
    assert!(is_tombstone(&one.head(64)), "it cannot boot");
    let told: BTreeSet<String> = station.rows().iter().map(|row| format!("{} {} {}", row["slot"], row["outcome"], row["serial"])).collect();
    assert_eq!(told, BTreeSet::from([r#""A1" "pulled" "SAME""#, r#""A2" "passed" "SAME""#].map(str::to_owned)));
    one.faults(|faults| faults.bytes_per_second = None);
    one.wait_gone();
    one.plug();
    station.job.wait_for_line("^A1  PASS", secs(60));
    assert_eq!(one.first_difference(image.raw()), None);
    assert_eq!(station.rows().len(), 3);
}
