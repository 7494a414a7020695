//! The configuration is read again while cards are busy: those cards finish with the configuration they started with.

use flashline_lab::{MIB, Pc, Signal, UsbStick, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{Run, Station, digest};

const CONFIG: &str = "/etc/flashline/config.toml";

impl Station<'_> {
    fn reload(&self) {
        self.job.kill(Signal::SIGHUP);
    }
}

fn stick(pc: &Pc, port: u64) -> UsbStick {
    let stick = pc.usb(&port.to_string()).size(16 * MIB).filled(port).plug();
    stick.faults(|faults| faults.bytes_per_second = Some(2_000_000));
    stick
}

#[test]
fn cards_that_run_at_a_reload_keep_the_old_image_and_the_next_ones_get_the_new() {
    reload_under_eight_cards(2);
}

#[test]
fn long_eight_cards_run_at_a_reload_and_the_next_eight_get_the_new_image() {
    reload_under_eight_cards(8);
}

fn reload_under_eight_cards(next: u64) {
    let pc = Pc::start();
    let (old, new) = (Image::new(6 * MIB, 1), Image::new(5 * MIB, 2));
    let ports = 1..=8;
    let station = ports
        .clone()
        .fold(Factory::new(&pc, &old.raw()), |factory, port: u64| factory.slot(&format!("A{port}"), usb(&port.to_string())))
        .run();
    let sticks: Vec<UsbStick> = ports.clone().map(|port| stick(&pc, port)).collect();
    for port in ports.clone() {
        station.wait_for(&format!("A{port}"), "WRITING");
    }
    pc.put_file(new.raw(), "/srv/images/new.img", 0o644);
    pc.sh(&format!("sed -i s,/srv/images/image.img,/srv/images/new.img, {CONFIG}"));
    station.reload();
    station.job.wait_for_line("the new configuration holds", secs(60));
    assert_eq!(station.job.count_lines("PASS"), 0, "all cards are still busy, or this proves nothing");
    for port in ports.clone() {
        station.wait_for(&format!("A{port}"), "PASS");
    }
    for stick in &sticks {
        assert!(stick.reads_as(old.raw()), "they finish with what they started with");
        stick.faults(|faults| faults.bytes_per_second = None);
        stick.pull();
    }
    let ports = 1..=next;
    let next: Vec<UsbStick> = ports.clone().map(|port| pc.usb(&port.to_string()).size(16 * MIB).filled(port).plug()).collect();
    station.job.wait_for_nth_line(8 + next.len(), "^A.  PASS", secs(120));
    assert!(next.iter().all(|stick| stick.reads_as(new.raw())), "the next cards get the new image");
    for port in ports {
        let digests: Vec<_> = station.rows_of(&format!("A{port}")).iter().map(|row| row["readback_blake3"].clone()).collect();
        assert_eq!(digests, [digest(&old), digest(&new)], "and each row names its own");
    }
}

#[test]
fn a_reload_with_anything_wrong_changes_nothing_and_says_why() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 1);
    let station = Factory::new(&pc, &image.xz()).slot("A1", usb("1")).slot("A2", usb("2")).run();
    let busy = stick(&pc, 1);
    station.wait_for("A1", "WRITING");
    let mut damaged = std::fs::read(image.xz()).expect("it is there");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    pc.put(&damaged, "/srv/images/damaged.img.xz", 0o644);
    pc.sh(&format!("cp {CONFIG} /tmp/good.toml; flashline order start --model acme/box --count 9"));
    let mistakes = [
        ("$ a speed = 3", "unknown key `speed`"),
        ("s,/srv/images/image.img.xz,/srv/images/damaged.img.xz,", "the model acme/box cannot be armed"),
        ("s,/srv/images/image.img.xz,/srv/images/none.img.xz,", "none.img.xz: No such file or directory"),
        ("s,^\\[station\\],[station]\\nstate = \"/var/lib/elsewhere\",", "`state` in [station] cannot change"),
        ("s,acme/box,acme/crate,", "of acme/box would have no model: stop it first"),
    ];
    for (number, (edit, says)) in (1..).zip(mistakes) {
        pc.sh(&format!("sed '{edit}' /tmp/good.toml > {CONFIG}"));
        station.reload();
        let line = station.job.wait_for_nth_line(number, "the configuration is not taken over: nothing has changed", secs(60));
        assert!(line.contains(says), "{line}");
    }
    station.wait_for("A1", "PASS");
    assert!(busy.reads_as(image.raw()), "the card that was busy went on");
    let next = pc.usb("2").size(16 * MIB).filled(2).plug();
    station.wait_for("A2", "PASS");
    assert!(next.reads_as(image.raw()), "what was armed still is");
    assert_eq!(pc.sh("ls -A /var/lib/flashline/images | wc -l"), "2", "nothing half-made stays in the store");
}

#[test]
fn slots_come_and_go_by_reload_and_a_busy_one_finishes_its_card_first() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 1);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).run();
    let (busy, lying) = (stick(&pc, 1), pc.usb("3").size(16 * MIB).filled(3).plug());
    let _seen = lying.node();
    station.wait_for("A1", "WRITING");
    Factory::new(&pc, &image.raw()).slot("A3", usb("3")).slot("A4", usb("4")).configured();
    station.reload();
    station.job.wait_for_line("the new configuration holds", secs(60));
    let line = station.wait_for("A3", "HELD");
    assert!(line.contains("put in again"), "nobody put it in to be written: {line}");
    let (gone, fresh) = (pc.usb("2").size(16 * MIB).filled(2).plug(), pc.usb("4").size(16 * MIB).filled(4).plug());
    let _seen = gone.node();
    station.wait_for("A4", "PASS");
    pc.wait_until("the busy card's row", secs(60), || station.rows_of("A1").first().filter(|row| row["outcome"] == "passed").cloned());
    assert!(busy.reads_as(image.raw()) && fresh.reads_as(image.raw()));
    assert!(gone.untouched(), "a port that is no slot any more is any other port");
    assert!(lying.untouched());
    lying.pull();
    lying.wait_gone();
    lying.plug();
    station.wait_for("A3", "PASS");
    // Its slot is gone: put in again, the card belongs to no slot.
    busy.pull();
    busy.wait_gone();
    let before = busy.counts().bytes_written;
    busy.plug();
    let _seen = busy.node();
    std::thread::sleep(secs(3));
    assert_eq!(busy.counts().bytes_written, before, "A1 is gone with its card");
    assert_eq!(station.rows().len(), 3);
}

#[test]
fn of_two_reloads_one_after_the_other_the_last_one_holds() {
    let pc = Pc::start();
    let (small, large) = (Image::new(4 * MIB, 1), Image::new(96 * MIB, 2));
    let station = Factory::new(&pc, &small.raw()).slot("A1", usb("1")).run();
    pc.put_file(large.raw(), "/srv/images/large.img", 0o644);
    pc.sh(&format!("cp {CONFIG} /tmp/small.toml; sed -i s,/srv/images/image.img,/srv/images/large.img, {CONFIG}"));
    station.reload();
    station.job.wait_for_line("reading the configuration again", secs(20));
    pc.sh(&format!("cp /tmp/small.toml {CONFIG}"));
    station.reload();
    station.job.wait_for_nth_line(2, "the new configuration holds", secs(120));
    let stick = pc.usb("1").size(128 * MIB).plug();
    station.wait_for("A1", "PASS");
    assert!(stick.reads_as(small.raw()), "the large image takes longer to stage, but was asked for first");
}
