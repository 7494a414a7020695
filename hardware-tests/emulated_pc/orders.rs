//! Orders stop at their number of good cards; cards that hold the image already do not count twice.

use flashline_lab::{Errno, MIB, Pc, UsbStick, secs};
use serde_json::Value;

use crate::factory::{Factory, Image, usb};
use crate::station::{Run, Station};

/// A stick with another pattern for each number.
fn stick(pc: &Pc, port: &str, number: u64) -> UsbStick {
    pc.usb(port).serial(&format!("STICK-{number:03}")).size(16 * MIB).filled(number).plug()
}

/// The only order in `flashline order status --json`.
fn order(pc: &Pc) -> Value {
    let told: Value = serde_json::from_str(&pc.sh("flashline order status --json || true")).expect("JSON");
    told["orders"][0].clone()
}

fn outcomes(station: &Station<'_>, outcome: &str) -> usize {
    station.rows().iter().filter(|row| row["outcome"] == outcome).count()
}

#[test]
fn long_an_order_of_twenty_on_sixteen_slots_makes_exactly_twenty_and_touches_no_further_card() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let _hubs = [pc.hub("1"), pc.hub("2")];
    let ports: Vec<String> = [1, 2].iter().flat_map(|hub| (1..=8).map(move |under| format!("{hub}.{under}"))).collect();
    let slot = |port: &str| format!("P{port}");
    let station = ports.iter().fold(Factory::new(&pc, &image.raw()), |factory, port| factory.slot(&slot(port), usb(port))).run();
    let said = pc.sh("flashline order start --model acme/box --count 20 --name 'lot 17'");
    assert!(said.contains("20 good cards of acme/box will be made, and no more"), "{said}");

    // One of the first sixteen fails: it is not a good card, and its place in the order is free again.
    let first: Vec<UsbStick> = ports.iter().zip(1..).map(|(port, number)| stick(&pc, port, number)).collect();
    first[5].faults(|faults| faults.all_writes = Some(Errno::IO));
    for (port, number) in ports.iter().zip(0..) {
        station.wait_for(&slot(port), if number == 5 { "FAILED" } else { "PASS" });
    }
    let told = order(&pc);
    assert_eq!((told["passed"].as_u64(), told["complete"].as_bool()), (Some(15), Some(false)), "{told}");

    // The station is killed, and remembers the order.
    pc.sh("kill -9 $(pidof flashline)");
    assert_eq!(station.job.wait(secs(20)).status, 137);
    let station = Station::start(&pc);
    station.job.wait_for_line("the station runs", secs(60));
    assert_eq!(order(&pc)["passed"], 15);
    first.iter().for_each(UsbStick::pull);
    for port in &ports {
        station.wait_for(&slot(port), "EMPTY");
    }
    // Sixteen leave one after the other, and the last of them late: a stick that is back within two seconds of that came back by itself.
    std::thread::sleep(secs(4));

    // Sixteen more at once; five of them are needed.
    let second: Vec<UsbStick> = ports.iter().zip(101..).map(|(port, number)| stick(&pc, port, number)).collect();
    pc.wait_until("the order to be complete", secs(120), || (order(&pc)["complete"] == true).then_some(()));
    for port in &ports {
        station.job.wait_for_line(&format!("^{}  (PASS|REFUSED)", slot(port)), secs(60));
    }
    let told = order(&pc);
    assert_eq!((told["passed"].as_u64(), told["under_way"].as_u64(), told["count"].as_u64()), (Some(20), Some(0), Some(20)), "{told}");
    assert_eq!((outcomes(&station, "passed"), outcomes(&station, "failed"), outcomes(&station, "refused")), (20, 1, 11));
    let (written, kept): (Vec<&UsbStick>, Vec<&UsbStick>) = second.iter().partition(|stick| !stick.untouched());
    assert_eq!((written.len(), kept.len()), (5, 11), "no card was written in vain");
    for good in first.iter().enumerate().filter(|(number, _)| *number != 5).map(|(_, stick)| stick).chain(written) {
        assert_eq!(good.first_difference(image.raw()), None, "{}", good.serial());
    }
    let refused = station.rows().into_iter().find(|row| row["outcome"] == "refused").expect("there are eleven");
    assert_eq!((refused["code"].as_str(), refused["reason"].as_str()), (Some("order-complete"), Some("the order is complete: 20 of 20")));

    // When it is taken out, the empty slot shows that no card is wanted; when the order is stopped, it asks for a card again.
    let stops = station.job.count_lines("ORDER DONE");
    kept[0].pull();
    station.job.wait_for_nth_line(stops + 1, "ORDER DONE", secs(20));
    pc.sh("flashline order stop --model acme/box");
    kept[0].plug();
    pc.wait_until("one more card, uncounted", secs(60), || (outcomes(&station, "passed") == 21).then_some(()));
}

#[test]
fn long_a_finished_card_of_an_order_put_in_again_five_times_is_done_five_times_untouched_and_counted_once() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).recheck().run();
    pc.sh("flashline order start --model acme/box --count 2");
    let card = stick(&pc, "1", 1);
    station.wait_for("A1", "PASS");
    let written = card.counts().bytes_written;
    assert!(written > 0, "it was written once");
    for turn in 1..=5 {
        card.pull();
        card.plug();
        station.job.wait_for_nth_line(turn, "^A1  DONE", secs(60));
        assert_eq!(order(&pc)["passed"], 1);
    }
    assert_eq!(card.counts().bytes_written, written, "no byte was written again");
    assert_eq!(card.first_difference(image.raw()), None);
    assert_eq!((outcomes(&station, "passed"), outcomes(&station, "recheck"), station.rows().len()), (1, 5, 6));

    // One byte of the card is changed: it is not done, and is written again.
    let at = 3 * MIB + 77;
    card.pull();
    card.write(at, &[!card.read(at, 1)[0]]);
    card.plug();
    pc.wait_until("the spoilt card to be written anew", secs(60), || (outcomes(&station, "passed") == 2).then_some(()));
    assert_eq!(card.first_difference(image.raw()), None);
    assert_eq!(order(&pc)["complete"], true);
    // If the order is complete, a finished card is still distinguished from a blank one.
    card.pull();
    card.plug();
    station.job.wait_for_nth_line(6, "^A1  DONE", secs(60));
    let blank = stick(&pc, "2", 2);
    station.wait_for("A2", "REFUSED");
    assert!(blank.untouched());
}
