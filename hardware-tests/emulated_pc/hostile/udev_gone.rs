//! A PC whose udev is killed, floods every listener with events, or does not run at all.

use flashline_lab::{MIB, Pc, Signal, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{A_PIECE_A_SECOND, Run};

#[test]
fn long_udev_that_is_killed_floods_or_does_not_run_costs_no_card_and_no_card_is_missed() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let bystander = pc.usb("9").size(16 * MIB).filled(9).plug();
    let _seen = bystander.node();
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).slot("A3", usb("3")).run();
    let slow = pc.usb("1").size(16 * MIB).filled(1).plug();
    slow.faults(|faults| faults.bytes_per_second = Some(A_PIECE_A_SECOND));
    station.wait_for("A1", "WRITING");
    pc.sh("pkill --signal KILL systemd-udevd; sleep 0.5; pkill --signal KILL systemd-udevd; true");
    // More events than any socket holds.
    let flood =
        pc.spawn("while :; do udevadm trigger --action=change --subsystem-match=block --subsystem-match=tty --subsystem-match=mem; done");
    let second = pc.usb("2").size(16 * MIB).filled(2).plug();
    station.wait_for("A2", "PASS");
    station.wait_for("A1", "PASS");
    flood.kill(Signal::SIGKILL);
    pc.sh("udevadm settle --timeout=60; systemctl stop systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket; ! pidof systemd-udevd");
    let third = pc.usb("3").size(16 * MIB).filled(3).plug();
    station.wait_for("A3", "PASS");
    second.pull();
    station.job.wait_for_nth_line(2, "^A2  EMPTY", secs(20));
    for (slot, stick) in [("A1", &slow), ("A2", &second), ("A3", &third)] {
        assert_eq!(stick.first_difference(image.raw()), None, "{slot}");
        assert_eq!(station.rows_of(slot).len(), 1, "{slot}");
    }
    assert_eq!(station.job.count_lines("CHANGED"), 0);
    assert!(bystander.untouched());
    pc.sh("flashline log verify");
}
