//! What happens to a card between its admission and the first byte, while another program holds up the claim.

use flashline_lab::{MIB, Pc, Signal, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{Run, digest, is_tombstone};

#[test]
fn long_what_becomes_of_a_card_while_its_claim_waits_is_seen_before_its_first_byte_is_written() {
    let pc = Pc::start();
    let (old, new) = (Image::new(4 * MIB, 7), Image::new(4 * MIB, 8));
    let factory = (1..=4).fold(Factory::new(&pc, &old.raw()), |factory, port| factory.slot(&format!("A{port}"), usb(&port.to_string())));
    let station = factory.replaced("name = \"emulated\"", "name = \"emulated\"\nsettle_ms = 5000").run();
    let put_in = |port: &str, serial: &str| pc.usb(port).serial(serial).size(16 * MIB).filled(1).plug();
    // The replacements are ready beforehand.
    let others = ["9", "10"].map(|port| put_in(port, &format!("OTHER{port}")));
    for other in &others {
        let _seen = other.node();
        other.pull();
    }
    let (looped, reloaded, swapped) = (put_in("1", "LOOPED"), put_in("2", "RELOADED"), put_in("3", "SWAPPED"));
    let nodes = [&looped, &reloaded, &swapped].map(|stick| stick.node());
    let locks =
        pc.spawn(&format!("exec flock -x {} flock -x {} flock -x {} sh -c 'echo locked; exec sleep 600'", nodes[0], nodes[1], nodes[2]));
    locks.wait_for_line("^locked$", secs(30));
    assert_eq!(station.job.count_lines("^A.  WRITING"), 0, "nothing is claimed yet, or this proves nothing");
    for slot in ["A1", "A2", "A3"] {
        station.wait_for(slot, "WRITING");
    }
    // A loop device is set up on the first, the next gets another image, another card takes the place of the third.
    pc.sh(&format!("modprobe loop; losetup /dev/loop3 {}", nodes[0]));
    pc.put_file(new.raw(), "/srv/images/new.img", 0o644);
    pc.sh("sed -i s,/srv/images/image.img,/srv/images/new.img, /etc/flashline/config.toml; flashline disarm --slot A2 --reason 'bent contacts'");
    station.job.kill(Signal::SIGHUP);
    station.job.wait_for_line("the new configuration holds", secs(60));
    swapped.pull();
    others[0].plug_at_once_into("3");
    station.wait_for("A3", "PULLED");
    for stick in [&looped, &reloaded, &swapped] {
        assert!(stick.untouched(), "touched at {:?}", stick.first_touched());
    }
    locks.kill(Signal::SIGKILL);

    let line = station.wait_for("A1", "REFUSED");
    assert!(line.contains("held by loop3") && line.contains("losetup -d /dev/loop3"), "{line}");
    assert!(looped.untouched(), "touched at {:?}", looped.first_touched());
    station.wait_for("A2", "PASS");
    assert_eq!(reloaded.first_difference(old.raw()), None, "it is finished with what it was admitted for");
    assert_eq!(station.rows_of("A2")[0]["readback_blake3"], digest(&old));
    station.wait_for("A3", "PASS");
    assert_eq!(others[0].first_difference(new.raw()), None);
    assert!(swapped.untouched(), "touched at {:?}", swapped.first_touched());
    reloaded.pull();
    station.wait_for("A2", "DISARMED");

    // When the station asks whether it flushes, another card takes its place.
    let asked = put_in("4", "ASKED");
    asked.faults(|faults| faults.flushes_hang = true);
    asked.wait_counts("the question", secs(60), |counts| counts.flushes_asked == 1);
    asked.pull();
    asked.faults(|faults| faults.flushes_hang = false);
    others[1].plug_at_once_into("4");
    station.wait_for("A4", "PASS");
    assert_eq!(others[1].first_difference(new.raw()), None);
    assert!(asked.untouched(), "touched at {:?}", asked.first_touched());
    let told: Vec<_> = station.rows_of("A4").iter().map(|row| (row["outcome"].clone(), row["serial"] == "ASKED")).collect();
    assert_eq!(told, [("pulled".into(), true), ("passed".into(), false)]);
    assert!(!is_tombstone(&asked.head(64)));
    pc.sh("flashline log verify");
}
