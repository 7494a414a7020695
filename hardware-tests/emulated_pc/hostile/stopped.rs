//! The whole station stands still for half a minute, as by SIGSTOP or a frozen control group, and then goes on.

use std::time::Duration;

use flashline_lab::{MIB, Pc, Signal, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{A_PIECE_A_SECOND, Run, is_tombstone};

#[test]
fn long_a_station_that_stands_still_for_half_a_minute_finishes_its_cards_and_takes_no_other_one_for_them() {
    let pc = Pc::start();
    let image = Image::new(6 * MIB, 7);
    let held = pc.usb("4").serial("HELD").size(16 * MIB).filled(4).plug();
    let _seen = held.node();
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).slot("A3", usb("3")).slot("A4", usb("4")).run();
    station.wait_for("A4", "HELD");
    let green = pc.usb("3").serial("GREEN").size(16 * MIB).filled(3).plug();
    station.wait_for("A3", "PASS");
    let [stays, swapped] = [("1", "STAYS"), ("2", "SWAPPED")].map(|(port, serial)| {
        let stick = pc.usb(port).serial(serial).size(16 * MIB).filled(1).plug();
        stick.faults(|faults| faults.bytes_per_second = Some(A_PIECE_A_SECOND));
        stick
    });
    let other = pc.usb("9").serial("OTHER").size(16 * MIB).filled(2).plug();
    let node = green.node();
    for (slot, stick) in [("A1", &stays), ("A2", &swapped)] {
        station.wait_for(slot, "WRITING");
        stick.wait_written(2 * MIB, secs(60));
    }
    station.job.kill(Signal::SIGSTOP);
    other.pull();
    swapped.pull();
    other.plug_at_once_into("2");
    held.pull();
    held.plug_at_once_into("4");
    pc.sh(&format!("dd if=/dev/urandom of={node} bs=512 count=1 seek=4096 conv=fsync,notrunc"));
    std::thread::sleep(Duration::from_secs(30));
    station.job.kill(Signal::SIGCONT);

    station.wait_for("A3", "CHANGED");
    station.wait_for("A1", "PASS");
    assert_eq!(stays.first_difference(image.raw()), None);
    station.wait_for("A2", "PASS");
    assert_eq!(other.first_difference(image.raw()), None);
    assert!(is_tombstone(&swapped.head(64)), "it cannot boot");
    let told: Vec<(String, String)> =
        station.rows_of("A2").iter().map(|row| (row["serial"].to_string(), row["outcome"].to_string())).collect();
    assert_eq!(told, [("\"SWAPPED\"".into(), "\"pulled\"".into()), ("\"OTHER\"".into(), "\"passed\"".into())]);
    assert!(held.untouched(), "touched at {:?}", held.first_touched());
    assert_eq!(station.rows_of("A1").len(), 1);
    pc.sh("flashline log verify");
}
