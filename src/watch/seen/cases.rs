//! Tests with devices that are slow, come back by themselves, or hang.

use std::sync::mpsc;

use nix::sys::stat::Mode;

use super::super::testing::FakeSysfs;
use super::tests::{port, seen};
use super::*;

const MS: Duration = Duration::from_millis(1);

/// The reports of one look: `gone` with or without its device, `seen` with the reason for which it counts as there before, and how long its
/// device has been on the bus if it came with it.
fn told(events: &[Event]) -> Vec<String> {
    let told = events.iter().map(|event| match event {
        Event::Seen { card, before, with_device } => {
            let device = with_device.map_or_else(|| "-".to_owned(), |connected| connected.as_millis().to_string());
            format!("seen {} {before:?} {device}", card.visit.diskseq)
        }
        Event::Gone { visit, with_device } => format!("gone {} {with_device}", visit.diskseq),
        other => panic!("{other:?}"),
    });
    told.collect()
}

#[test]
fn a_stick_that_was_connected_before_anybody_looked_is_from_before_however_late_it_is_a_disk() {
    let fake = FakeSysfs::new();
    let mut seen = seen();
    let start = Instant::now();
    assert_eq!(told(&seen.look(&fake.sysfs(), || start)), [""; 0]);
    fake.stick("sda", "1", 11);
    fake.connected("1", 8000);
    fake.stick("sdb", "2", 12);
    fake.connected("2", 1500);
    let told = told(&seen.look(&fake.sysfs(), || start + 2000 * MS));
    assert_eq!(told, ["seen 11 Some(Start) 8000", "seen 12 None 1500"], "the second one was plugged in after the first look");
}

#[test]
fn a_stick_that_became_a_disk_just_before_the_first_look_and_shows_its_medium_after_it_is_from_before() {
    // However late the first look is.
    for first_look in [0, 4000] {
        let fake = FakeSysfs::new();
        let mut seen = seen();
        let first_look = Instant::now() + first_look * MS;
        fake.stick("sda", "1", 11);
        fake.set("sda", "size", "0");
        fake.connected("1", 9000);
        assert_eq!(told(&seen.look(&fake.sysfs(), || first_look)), [""; 0]);
        fake.set("sda", "size", "131072");
        fake.connected("1", 10_200);
        assert_eq!(told(&seen.look(&fake.sysfs(), || first_look + 1200 * MS)), ["seen 11 Some(Start) 10200"]);
    }
}

#[test]
fn a_card_put_into_one_slot_of_a_reader_that_was_connected_just_before_the_station_is_put_in_by_hand() {
    let fake = FakeSysfs::new();
    let mut seen = seen();
    let start = Instant::now();
    for (name, lun, diskseq) in [("sda", 0, 11), ("sdb", 1, 12)] {
        fake.lun(name, "1", lun, diskseq);
        fake.set(name, "size", "0");
    }
    fake.connected("1", 9000);
    assert_eq!(told(&seen.look(&fake.sysfs(), || start)), [""; 0]);
    fake.set("sda", "size", "131072");
    fake.connected("1", 10_200);
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 1200 * MS)), ["seen 11 None -"]);
}

#[test]
fn a_stick_put_in_once_the_station_has_begun_is_put_in_by_hand_however_late_the_first_look_is() {
    let fake = FakeSysfs::new();
    let began = Instant::now();
    let mut seen = Seen::new(Duration::from_secs(3600), began);
    seen.set_ports([port("1"), port("2")].into());
    assert_eq!(told(&seen.look(&fake.sysfs(), || began + 1500 * MS)), [""; 0]);
    fake.stick("sda", "1", 11);
    fake.connected("1", 2000);
    fake.stick("sdb", "2", 12);
    fake.connected("2", 3500);
    assert_eq!(told(&seen.look(&fake.sysfs(), || began + 3000 * MS)), ["seen 11 None 2000", "seen 12 Some(Start) 3500"]);
}

#[test]
fn what_shows_no_medium_a_moment_before_its_device_leaves_left_with_it_and_a_card_out_of_a_reader_that_stays_did_not() {
    let fake = FakeSysfs::new();
    let mut seen = seen();
    let start = Instant::now();
    for (name, chain, lun, diskseq) in [("sda", "1", 0, 11), ("sdb", "2", 0, 12), ("sdc", "2", 1, 13)] {
        fake.lun(name, chain, lun, diskseq);
        fake.connected(chain, 60_000);
    }
    seen.set_ports([port("1"), port("2")].into());
    assert_eq!(seen.look(&fake.sysfs(), || start).len(), 2);
    for name in ["sda", "sdb"] {
        fake.set(name, "size", "0");
    }
    let mut gone = told(&seen.look(&fake.sysfs(), || start + 1000 * MS));
    gone.sort();
    assert_eq!(gone, ["gone 11 false", "gone 12 false"]);
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 2500 * MS)), [""; 0], "their devices are still there");
    for name in ["sda", "sdb", "sdc"] {
        fake.remove(name);
    }
    let mut gone = told(&seen.look(&fake.sysfs(), || start + 2900 * MS));
    gone.sort();
    assert_eq!(gone, ["gone 11 true", "gone 12 true"], "on a busy PC a moment is long");
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 3000 * MS)), [""; 0], "told once");

    // A card is taken out by hand: its reader is still there when the next one comes.
    fake.lun("sdb", "2", 0, 14);
    fake.connected("2", 60_000);
    seen.look(&fake.sysfs(), || start + 9000 * MS);
    fake.set("sdb", "size", "0");
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 9100 * MS)), ["gone 14 false"]);
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 13_000 * MS)), [""; 0]);
    fake.remove("sdb");
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 13_200 * MS)), [""; 0], "a reader that leaves later says nothing of it");
}

#[test]
fn a_stick_behind_a_hub_that_was_connected_before_anybody_looked_is_from_before_too() {
    let fake = FakeSysfs::new();
    let mut seen = Seen::new(Duration::from_secs(3600), Instant::now());
    seen.set_ports([port("3.1"), port("3.2")].into());
    let start = Instant::now();
    fake.hub("3", "05e3", "0610");
    seen.look(&fake.sysfs(), || start);
    fake.stick("sda", "3.1", 11);
    fake.connected("3", 6000);
    fake.connected("3.1", 2000);
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 4000 * MS)), ["seen 11 Some(Start) 6000"]);
    // A minute later a hand puts one in beside it.
    fake.stick("sdb", "3.2", 12);
    fake.connected("3", 66_000);
    fake.connected("3.2", 1000);
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 64_000 * MS)), ["seen 12 None 1000"]);
}

#[test]
fn a_card_put_into_a_reader_that_has_always_been_there_is_put_in_by_hand_and_so_is_one_in_an_sd_host() {
    let fake = FakeSysfs::new();
    let mut seen = Seen::new(Duration::from_secs(3600), Instant::now());
    seen.set_ports([port("1"), Port("pci-0000:00:07.0/mmc-0".to_owned())].into());
    let start = Instant::now();
    fake.lun("sda", "1", 0, 11);
    fake.set("sda", "size", "0");
    fake.connected("1", 90_000_000);
    fake.mmc_host(3);
    assert_eq!(told(&seen.look(&fake.sysfs(), || start)), [""; 0]);
    fake.set("sda", "size", "131072");
    fake.mmc("mmcblk3", 3, "SD", 12);
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 1000 * MS)), ["seen 11 None -", "seen 12 None -"]);
    // Changed by hand in a reader that stays, within one look.
    fake.set("sda", "diskseq", "13");
    fake.remove("mmcblk3");
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 2000 * MS)), ["gone 11 false", "gone 12 false", "seen 13 None -"]);
}

#[test]
fn what_comes_with_its_reader_a_moment_later_came_with_it_and_what_comes_after_that_by_hand() {
    let fake = FakeSysfs::new();
    let mut seen = seen();
    let start = Instant::now();
    seen.look(&fake.sysfs(), || start);
    for (name, lun, diskseq) in [("sda", 0, 11), ("sdb", 1, 12)] {
        fake.lun(name, "1", lun, diskseq);
        fake.set(name, "size", "0");
    }
    fake.connected("1", 70_000);
    seen.set_ports(["1", "2"].map(port).into_iter().chain([Port("pci-0000:00:1c.0/usb3-1/lun-1".to_owned())]).collect());
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 60_000 * MS)), [""; 0]);
    fake.set("sda", "size", "131072");
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 61_000 * MS)), ["seen 11 Some(Start) 70000"]);
    fake.set("sdb", "size", "131072");
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 70_000 * MS)), ["seen 12 None -"]);
}

#[test]
fn a_device_that_left_and_came_back_between_two_looks_is_told_with_the_age_of_its_connection() {
    let fake = FakeSysfs::new();
    let mut seen = seen();
    let start = Instant::now();
    fake.stick("sda", "1", 11);
    fake.connected("1", 90_000);
    assert_eq!(told(&seen.look(&fake.sysfs(), || start)), ["seen 11 Some(Start) -"]);
    fake.remove("sda");
    fake.stick("sda", "1", 12);
    fake.connected("1", 300);
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 5000 * MS)), ["gone 11 true", "seen 12 None 300"]);
    // Its driver is unbound and bound again: it never left the bus, and does not count as there before because of that.
    fake.remove("sda");
    fake.stick("sda", "1", 13);
    fake.connected("1", 95_000);
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 9000 * MS)), ["gone 12 true", "seen 13 None 95000"]);
}

#[test]
fn an_sd_card_that_shows_while_the_pc_boots_or_with_its_host_is_from_before() {
    let in_host = |uptime: u64, host_is_late: bool| {
        let fake = FakeSysfs::new();
        let mut seen = Seen::new(Duration::from_secs(uptime), Instant::now());
        seen.set_ports([Port("pci-0000:00:07.0/mmc-0".to_owned())].into());
        let start = Instant::now();
        if !host_is_late {
            fake.mmc_host(3);
        }
        seen.look(&fake.sysfs(), || start);
        fake.mmc_host(3);
        seen.look(&fake.sysfs(), || start + 5000 * MS);
        fake.mmc("mmcblk3", 3, "SD", 12);
        let at = if host_is_late { 6000 } else { 2500 };
        told(&seen.look(&fake.sysfs(), || start + at * MS)).remove(0)
    };
    assert_eq!(in_host(12, false), "seen 12 Some(Start) 2500");
    assert_eq!(in_host(3600, true), "seen 12 Some(Start) 1000");
    assert_eq!(in_host(3600, false), "seen 12 None -");
}

#[test]
fn after_a_sleep_every_card_is_told_as_another_one_that_nobody_put_in() {
    let fake = FakeSysfs::new();
    let mut seen = seen();
    let start = Instant::now();
    seen.look(&fake.sysfs(), || start);
    fake.stick("sda", "1", 11);
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 1000 * MS)), ["seen 11 None 0"]);
    seen.woke(start + 2000 * MS);
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 2000 * MS)), ["gone 11 false", "seen 11 Some(Sleep) 0"]);
    fake.stick("sdb", "2", 12);
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 8000 * MS)), ["seen 12 Some(Sleep) 0"], "a reader that is slow to wake");
    assert_eq!(told(&seen.look(&fake.sysfs(), || start + 9000 * MS)), [""; 0]);
}

#[test]
fn a_reader_that_hangs_while_it_is_to_be_polled_holds_up_no_look() {
    let fake = FakeSysfs::new();
    for (name, chain, diskseq) in [("sda", "1", 11), ("sdb", "2", 12)] {
        fake.lun(name, chain, 0, diskseq);
        fake.set(name, "removable", "1");
        fake.set(name, "events", "media_change");
    }
    // Opening a pipe without a reader for writing waits, like the kernel's attribute behind a media check that hangs.
    let pipe = fake.sysfs().root.join("block/sda/events_poll_msecs");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).expect("it can be made");
    fake.set("sdb", "events_poll_msecs", "-1");
    let sysfs = fake.sysfs();
    let (tell, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let mut seen = seen();
        tell.send(seen.look(&sysfs, Instant::now).len()).expect("it is listened to");
        tell.send(seen.look(&sysfs, Instant::now).len()).expect("it is listened to");
    });
    assert_eq!(heard.recv_timeout(Duration::from_secs(10)), Ok(2), "both cards are seen while one reader hangs");
    assert_eq!(heard.recv_timeout(Duration::from_secs(10)), Ok(0));
    let began = Instant::now();
    while fake.get("sdb", "events_poll_msecs") != "500" {
        assert!(began.elapsed() < Duration::from_secs(10), "the other one is polled");
        std::thread::sleep(Duration::from_millis(5));
    }
    // Releases the thread.
    let _reader = std::fs::OpenOptions::new().read(true).write(true).open(&pipe).expect("it is there");
}
