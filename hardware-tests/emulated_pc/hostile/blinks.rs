//! Cards that were not touched: they leave the bus and come back by themselves, or were there before the station and appear late.

use std::time::Duration;

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, lun, usb};
use crate::station::{A_PIECE_A_SECOND, Run};

/// Takes a USB device, or a root hub with everything behind it, off its bus and brings it back.
fn blink(pc: &Pc, device: &str) {
    pc.sh(&format!("cd /sys/bus/usb/devices/{device} && echo 0 >authorized && sleep 0.2 && echo 1 >authorized"));
}

/// The name of a disk's USB device.
fn usb_device(pc: &Pc, node: &str) -> String {
    let path = pc.sh(&format!("readlink -f /sys/block/{}", node.trim_start_matches("/dev/")));
    path.split('/').rfind(|part| part.contains('-') && !part.contains(':')).expect("it is on USB").to_owned()
}

#[test]
fn what_comes_back_by_itself_is_what_it_was_and_is_not_begun_and_what_a_hand_changes_is() {
    let pc = Pc::start();
    let image = Image::new(8 * MIB, 7);
    let held = pc.usb("1").serial("HELD").size(32 * MIB).filled(1).plug();
    let held_node = held.node();
    let reader = pc.reader("READER0001").plug();
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).slot("A3", usb("3")).slot("R1", lun(0)).run();
    station.wait_for("A1", "HELD");
    let passed = pc.usb("2").serial("PASSED").size(32 * MIB).filled(2).plug();
    station.wait_for("A2", "PASS");
    let busy = pc.usb("3").serial("BUSY").size(32 * MIB).filled(3).plug();
    busy.faults(|faults| faults.bytes_per_second = Some(A_PIECE_A_SECOND));
    station.wait_for("A3", "WRITING");

    // The power of a hub dips: this is the kernel's root hub, with all three.
    let root = format!("usb{}", usb_device(&pc, &held_node).split('-').next().expect("a bus"));
    blink(&pc, &root);
    let line = station.wait_for("A3", "HELD");
    assert!(line.contains("came back by itself: take out, put in again"), "{line}");
    station.job.wait_for_nth_line(2, "^A1  HELD", secs(60));
    // The station did not hold it while it was away: it is green again only after it was read again.
    station.wait_for("A2", "HELD");
    // The stick that leaves and comes back several times.
    for time in 2..4 {
        blink(&pc, &usb_device(&pc, &busy.node()));
        station.job.wait_for_line(&format!("^A3  HELD  came back by itself {time} times"), secs(60));
    }
    let status = pc.sh("flashline status --json");
    assert!(status.contains(r#""returns":3"#), "it is counted: {status}");
    std::thread::sleep(secs(5));
    let rows: Vec<String> = station.rows().iter().map(|row| format!("{} {}", row["slot"], row["outcome"])).collect();
    assert_eq!(rows, [r#""A2" "passed""#, r#""A3" "pulled""#], "nothing was begun");
    assert!(held.untouched(), "touched at {:?}", held.first_touched());
    assert_eq!(passed.first_difference(image.raw()), None);

    // A hand needs this time.
    busy.faults(|faults| faults.bytes_per_second = None);
    for stick in [&held, &busy] {
        stick.pull();
    }
    std::thread::sleep(secs(3));
    held.plug();
    busy.plug();
    for (slot, stick) in [("A1", &held), ("A3", &busy)] {
        station.wait_for(slot, "PASS");
        assert_eq!(stick.first_difference(image.raw()), None, "{slot}");
    }

    // In a reader that stays, no change is too fast for a hand, however similar the cards are.
    let card = reader.card(0).size(32 * MIB).filled(9).insert();
    station.wait_for("R1", "PASS");
    card.eject();
    std::thread::sleep(Duration::from_millis(300));
    card.insert();
    station.job.wait_for_nth_line(2, "^R1  PASS", secs(120));
    assert_eq!(station.rows_of("R1").iter().filter(|row| row["outcome"] == "passed").count(), 2, "both are flashed");
}

#[test]
fn a_stick_that_is_in_before_the_station_and_shows_late_is_held_and_a_reader_that_hangs_blinds_nobody() {
    let pc = Pc::start();
    let image = Image::new(8 * MIB, 7);
    let reader = pc.reader("READER0001").plug();
    let card = reader.card(0).size(32 * MIB).filled(4).insert();
    let node = reader.node(0);
    pc.wait_for(&format!("[ $(cat /sys/block/{}/size) -gt 0 ]", node.trim_start_matches("/dev/")), secs(30));
    pc.sh("echo 8 >/sys/module/usb_storage/parameters/delay_use; dmesg --clear");
    let late = pc.usb("1").serial("LATE").size(32 * MIB).filled(1).plug();
    pc.wait_for("dmesg | grep -q 'USB Mass Storage device detected'", secs(30));
    // The kernel's check of this reader's media waits behind the request that hangs.
    card.faults(|faults| faults.hang = true);
    let _reads = pc.spawn(&format!("exec dd if={node} of=/dev/null bs=1M iflag=direct"));
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).slot("R1", lun(0)).run();
    pc.sh("echo 1 >/sys/module/usb_storage/parameters/delay_use");
    station.wait_for("A1", "HELD");
    let fresh = pc.usb("2").serial("FRESH").size(32 * MIB).filled(2).plug();
    station.wait_for("A2", "PASS");
    assert!(fresh.reads_as(image.raw()));
    assert!(late.untouched(), "touched at {:?}", late.first_touched());
    assert_eq!(station.rows_of("A1").len(), 0);
    card.faults(|faults| faults.hang = false);
}
