//! The wrong disk is never written.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, sd, usb};
use crate::station::{Run, Station};

#[test]
fn a_stick_in_a_port_that_is_no_slot_is_untouched_to_the_byte() {
    let pc = Pc::start();
    let image = Image::new(8 * MIB, 1);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).run();
    let elsewhere = pc.usb("2").size(32 * MIB).filled(2).plug();
    let in_slot = pc.usb("1").size(32 * MIB).filled(1).plug();
    let _seen = elsewhere.node();
    station.wait_for("A1", "PASS");
    assert!(in_slot.medium().reads_as(image.raw()));
    assert!(elsewhere.medium().untouched(), "touched at {:?}", elsewhere.medium().first_touched());
    assert_eq!(station.rows().len(), 1, "it makes no row either");
}

#[test]
fn cards_that_must_not_be_written_are_refused_with_the_reason_and_untouched() {
    let pc = Pc::start();
    let image = Image::new(16 * MIB, 1);
    let mut factory = Factory::new(&pc, &image.raw());
    for port in 1..=5 {
        factory = factory.slot(&format!("A{port}"), usb(&port.to_string()));
    }
    factory.configured();
    // The state that makes each card unfit is set up before the station runs; then they are flashed as if put in now.
    let mounted = pc.usb("1").size(64 * MIB).filled(1).plug();
    let swap = pc.usb("2").size(64 * MIB).filled(2).plug();
    let lvm = pc.usb("3").size(64 * MIB).filled(3).plug();
    let small = pc.usb("4").size(8 * MIB).filled(4).plug();
    let locked = pc.usb("5").size(64 * MIB).filled(5).read_only().plug();
    // Read-only and fully laid out: otherwise ext4 itself writes to a new file system.
    let mkfs = "mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0";
    pc.sh(&format!("{mkfs} {0} && mkdir -p /mnt/card && mount -o ro {0} /mnt/card", mounted.node()));
    pc.sh(&format!("mkswap {0} && swapon {0}", swap.node()));
    pc.sh(&format!("pvcreate -qy {0} && vgcreate -qy cards {0} && lvcreate -qy -L 16M -n one cards", lvm.node()));
    let _seen = small.node();
    let _seen = locked.node();
    pc.sh("udevadm settle; sync; sed -i 's/^\\[station\\]/[station]\\nflash_present = true/' /etc/flashline/config.toml");
    let before: Vec<Vec<u8>> = [&mounted, &swap, &lvm].iter().map(|stick| stick.medium().read(0, 64 << 20)).collect();
    let station = Station::start(&pc);
    for (slot, reason) in [
        ("A1", "in use: mounted at /mnt/card"),
        ("A2", "in use: swap space of this PC"),
        ("A3", "in use: held by dm-"),
        ("A4", "too small: 8.3 MB, needs 16.7 MB"),
        ("A5", "write-protected"),
    ] {
        let line = station.wait_for(slot, "REFUSED");
        assert!(line.contains(reason), "{slot} says: {line}");
        let row = &station.rows_of(slot)[0];
        assert_eq!(row["outcome"], "refused", "{row}");
    }
    for (stick, before) in [&mounted, &swap, &lvm].iter().zip(before) {
        assert!(stick.medium().read(0, 64 << 20) == before, "{} changed", stick.serial());
    }
    assert!(small.medium().untouched() && locked.medium().untouched());
}

#[test]
fn the_pcs_own_disk_is_never_admitted_even_when_its_port_is_configured_as_a_slot() {
    let pc = Pc::start();
    let image = Image::new(8 * MIB, 1);
    // The root is on virtio; a second disk of the PC represents all its other disks.
    let disk = pc.disk("data").size(64 * MIB).filled(3).plug();
    let factory = Factory::new(&pc, &image.raw());
    let port_of = |name: &str| {
        pc.sh(&format!("p=$(readlink -f /sys/block/{name}); while [ $p != / ]; do d=$(basename $p); case $d in 0000:*) echo pci-$d/virtio; break;; esac; p=$(dirname $p); done"))
    };
    let (root, data) = (port_of("vda"), port_of(disk.node().trim_start_matches("/dev/")));
    let station = factory.slot("A1", vec![root]).slot("A2", vec![data]).configured();
    pc.sh("sed -i 's/^\\[station\\]/[station]\\nflash_present = true/' /etc/flashline/config.toml");
    let station = Station::start(station);
    for slot in ["A1", "A2"] {
        let line = station.wait_for(slot, "REFUSED");
        assert!(line.contains("not a card: a disk on virtio"), "{line}");
    }
    assert!(disk.medium().untouched());
}

#[test]
fn a_card_that_was_there_when_the_station_started_is_held_until_it_is_put_in_again() {
    let pc = Pc::start();
    let image = Image::new(8 * MIB, 1);
    let factory = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("S1", sd(0));
    let stick = pc.usb("1").size(32 * MIB).filled(1).plug();
    let card = pc.sd(0).size(32 * MIB).filled(2).insert();
    let _seen = stick.node();
    let _seen = card.node();
    let station = factory.run();
    for slot in ["A1", "S1"] {
        let line = station.wait_for(slot, "HELD");
        assert!(line.contains("take out, put in again"), "{line}");
    }
    std::thread::sleep(secs(3));
    assert!(stick.medium().untouched() && card.medium().untouched());
    stick.pull();
    stick.wait_gone();
    stick.plug();
    card.eject();
    card.wait_gone();
    card.insert();
    station.wait_for("A1", "PASS");
    station.wait_for("S1", "PASS");
    assert!(stick.medium().reads_as(image.raw()) && card.medium().reads_as(image.raw()));
}

#[test]
fn a_card_that_another_program_writes_is_refused_and_left_to_it() {
    let pc = Pc::start();
    let image = Image::new(16 * MIB, 1);
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).configured();
    let card = pc.usb("1").size(64 * MIB).filled(1).plug();
    // Slow enough to be written still when the station, which first proves its verifier, looks at it.
    card.medium().faults(|faults| faults.bytes_per_second = Some(200_000));
    let bench = pc.spawn(&format!("exec flashline flash /srv/images/image.img {} --yes", card.node()));
    card.medium().wait_written(MIB, secs(60));
    pc.sh("sed -i 's/^\\[station\\]/[station]\\nflash_present = true/' /etc/flashline/config.toml");
    let station = Station::start(&pc);
    let line = station.wait_for("A1", "REFUSED");
    assert!(line.contains("another program holds it"), "{line}");
    card.medium().faults(|faults| faults.bytes_per_second = None);
    let ended = bench.wait(secs(60));
    assert!(ended.stdout.contains("VERIFIED"), "{} {}", ended.stdout, ended.stderr);
    assert!(card.medium().reads_as(image.raw()), "the other program's work was not disturbed");
}

#[test]
fn long_a_card_that_another_program_keeps_locked_is_refused_untouched() {
    let pc = Pc::start();
    let image = Image::new(16 * MIB, 1);
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).configured();
    let card = pc.usb("1").size(64 * MIB).filled(1).plug();
    let locked = pc.spawn(&format!("exec flock -x {} sh -c 'echo locked; exec sleep 200'", card.node()));
    locked.wait_for_line("^locked$", secs(30));
    pc.sh("sed -i 's/^\\[station\\]/[station]\\nflash_present = true/' /etc/flashline/config.toml");
    let station = Station::start(&pc);
    let line = station.wait_for("A1", "REFUSED");
    assert!(line.contains("another program holds it"), "{line}");
    assert!(card.medium().untouched());
}

#[test]
fn a_card_put_in_as_soon_as_the_station_runs_is_flashed() {
    let pc = Pc::start();
    let image = Image::new(MIB, 1);
    let station = Factory::new(&pc, &image.raw()).slot("S1", sd(0)).run();
    let card = pc.sd(0).size(16 * MIB).filled(1).insert();
    station.wait_for("S1", "PASS");
    assert!(card.medium().reads_as(image.raw()));
    assert_eq!(station.job.count_lines("HELD"), 0);
}
