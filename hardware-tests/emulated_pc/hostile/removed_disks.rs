//! Disks that the kernel is told to delete and to find again, and drivers that are unbound from a device. No hand touched the card.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{A_PIECE_A_SECOND, Run, is_tombstone};

#[test]
fn long_a_disk_that_is_deleted_and_found_again_or_loses_its_driver_is_no_card_that_a_hand_put_in() {
    let pc = Pc::start();
    let image = Image::new(6 * MIB, 7);
    let held = pc.usb("1").serial("HELD").size(16 * MIB).filled(1).plug();
    let held_node = held.node();
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).slot("A3", usb("3")).run();
    station.wait_for("A1", "HELD");
    let slowly = |port: &str, serial: &str| {
        let stick = pc.usb(port).serial(serial).size(16 * MIB).filled(2).plug();
        stick.faults(|faults| faults.bytes_per_second = Some(A_PIECE_A_SECOND));
        stick
    };
    let other = pc.usb("9").serial("OTHER").size(16 * MIB).filled(3).plug();
    let _seen = other.node();
    other.pull();
    let (back, swapped) = (slowly("2", "BACK"), slowly("3", "SWAPPED"));
    for (slot, stick) in [("A2", &back), ("A3", &swapped)] {
        station.wait_for(slot, "WRITING");
        stick.wait_written(2 * MIB, secs(60));
    }

    // The driver of the held one's USB device.
    let interface = "$(basename $(readlink -f /sys/block/NAME/device/../../..))".replace("NAME", held_node.trim_start_matches("/dev/"));
    pc.sh(&format!("i={interface}; cd /sys/bus/usb/drivers/usb-storage && echo $i >unbind && sleep 0.3 && echo $i >bind"));
    station.job.wait_for_nth_line(2, "^A1  HELD", secs(60));
    // The disks alone: deleted, and found again by a scan of their hosts.
    let delete = |node: &str| {
        let disk = format!("/sys/block/{}/device", node.trim_start_matches("/dev/"));
        pc.sh(&format!("host=$(basename $(readlink -f {disk}/../..)); echo 1 >{disk}/delete; echo $host"))
    };
    let hosts = [held.node(), back.node()].map(|node| delete(&node));
    delete(&swapped.node());
    swapped.pull();
    other.plug_at_once_into("3");
    for host in hosts {
        pc.sh(&format!("echo '- - -' >/sys/class/scsi_host/{host}/scan"));
    }
    station.job.wait_for_nth_line(3, "^A1  HELD", secs(60));
    let line = station.wait_for("A2", "HELD");
    assert!(line.contains("came back by itself"), "{line}");
    station.wait_for("A3", "PASS");
    assert_eq!(other.first_difference(image.raw()), None);
    assert!(held.untouched(), "touched at {:?}", held.first_touched());
    for (slot, stick) in [("A2", &back), ("A3", &swapped)] {
        assert!(is_tombstone(&stick.head(64)), "{slot} cannot boot");
        let row = &station.rows_of(slot)[0];
        assert_eq!((row["outcome"].as_str(), row["serial"].as_str()), (Some("pulled"), Some(stick.serial())), "{row}");
    }
    back.faults(|faults| faults.bytes_per_second = None);
    back.pull();
    back.plug();
    station.wait_for("A2", "PASS");
    assert_eq!(back.first_difference(image.raw()), None);
    pc.sh("flashline log verify");
}
