//! The udev rules of the station keep other programs of the PC off the cards in slots.

use flashline_lab::{MIB, Pc, UsbStick, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::Run;

/// The properties that udev has of a stick's disk.
fn properties(pc: &Pc, stick: &UsbStick) -> String {
    pc.sh(&format!("udevadm info --query=property --name={}", stick.node()))
}

#[test]
fn with_the_rules_nothing_else_takes_an_interest_in_a_card_in_a_slot() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 1);
    // A volume group that was made while the port was not yet a slot.
    let volumes = pc.usb("1").size(32 * MIB).plug();
    pc.sh(&format!("pvcreate -qy {0} && vgcreate -qy cards {0} && lvcreate -qy -L 8M -n one cards && vgchange -an cards", volumes.node()));
    volumes.pull();
    volumes.wait_gone();
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).configured();
    pc.sh("flashline slots rules --write");

    volumes.plug();
    let known = properties(&pc, &volumes);
    assert!(known.contains("UDISKS_IGNORE=1") && known.contains("SYSTEMD_READY=0"), "{known}");
    pc.sh("udevadm settle; sleep 2");
    assert_eq!(pc.sh("ls /dev/mapper"), "control", "its volumes are left alone");
    volumes.pull();
    volumes.wait_gone();
    // The same card in a port without a rule.
    volumes.plug_into("2");
    pc.wait_for("[ -e /dev/cards/one ]", secs(30));
    pc.sh("vgchange -an cards");
    volumes.pull();

    // The station knows A2 as well; udev does not.
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("3")).run();
    let monitor = pc.spawn("exec udevadm monitor --udev --property --subsystem-match=block");
    let sticks = ["1", "3"].map(|port| {
        let stick = pc.usb(port).size(16 * MIB).filled(1).plug();
        // At once: a card that must first settle is not written yet.
        stick.faults(|faults| faults.bytes_per_second = Some(4_000_000));
        stick
    });
    let names = sticks.each_ref().map(|stick| stick.node().trim_start_matches("/dev/").to_owned());
    let changes = || names.each_ref().map(|name| monitor.count_lines(&format!("^UDEV .* change .*/block/{name} ")));
    // udev examines each device once when it comes, whatever the rules say.
    station.wait_for("A1", "READING BACK");
    station.wait_for("A2", "READING BACK");
    let before = changes();
    station.wait_for("A1", "PASS");
    station.wait_for("A2", "PASS");
    std::thread::sleep(secs(2));
    assert_eq!(changes(), before, "a proven card stays claimed, so udev sees nobody let go of it: {}", monitor.printed());
    assert!(sticks.iter().all(|stick| stick.reads_as(image.raw())));
}
