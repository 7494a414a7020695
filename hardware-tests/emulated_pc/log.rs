//! The flash log cannot be written: nothing new begins, nothing turns green, and nothing is lost.

use std::time::Duration;

use flashline_lab::{Disk, Errno, MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{Run, STATE, Station, state_disk};

/// What happens to the disk with the log, and what ends it.
struct Cause {
    happens: fn(&Pc, &Disk),
    says: &'static str,
    ends: fn(&Pc, &Disk),
    /// The file system is one that survives a power cut.
    journal: bool,
}

/// One card is busy when the log cannot be written any more, another is put in afterwards.
fn station_without_a_log(cause: &Cause) {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    // With a journal ext4 is given up at the first error of its disk.
    let disk = state_disk(&pc, if cause.journal { "" } else { "-O ^has_journal" });
    disk.faults(|faults| faults.volatile_cache = cause.journal);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).run();
    let busy = pc.usb("1").size(16 * MIB).filled(1).plug();
    busy.faults(|faults| faults.bytes_per_second = Some(2_000_000));
    station.wait_for("A1", "WRITING");
    (cause.happens)(&pc, &disk);
    let title = station.job.wait_for_line("^STATION FAULT", secs(60));
    assert!(title.contains(cause.says) && title.contains("call the station engineer"), "{title}");
    station.wait_for("A1", "RECORDING");
    let waiting = pc.usb("2").size(16 * MIB).filled(2).plug();
    let _seen = waiting.node();
    station.wait_for("A2", "WAIT");
    // Longer than settling takes, and several tries to write the log.
    std::thread::sleep(secs(4));
    assert!(waiting.untouched(), "nothing new begins");
    assert_eq!(station.job.count_lines("^A.  PASS"), 0, "nothing is green without its row");

    (cause.ends)(&pc, &disk);
    station.job.wait_for_nth_line(2, "^FLASHLINE  emulated", secs(60));
    station.wait_for("A1", "PASS");
    station.wait_for("A2", "PASS");
    assert!(busy.reads_as(image.raw()) && waiting.reads_as(image.raw()));

    // What is recorded is on the disk, and not only in this PC's memory.
    if !cause.journal {
        pc.sh(&format!("pkill --signal KILL --exact flashline; sleep 0.5; umount {STATE}"));
    }
    pc.power_cut();
    disk.power_cut(0, 1);
    disk.faults(|faults| faults.volatile_cache = false);
    let pc = Pc::start();
    let disk = pc.disk("state").medium(disk.medium()).plug();
    pc.sh(&format!("mkdir -p {STATE} && mount {} {STATE}", disk.node()));
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).configured();
    let station = Station::start(&pc);
    station.job.wait_for_line("the station runs", secs(60));
    let outcomes: Vec<_> = station.rows().iter().map(|row| (row["slot"].clone(), row["outcome"].clone())).collect();
    assert_eq!(outcomes, [("A1".into(), "passed".into()), ("A2".into(), "passed".into())], "nothing is lost, nothing is there twice");
    pc.sh("flashline log verify");
}

#[test]
fn a_full_disk_stops_new_cards_and_once_there_is_room_the_pending_row_appears() {
    station_without_a_log(&Cause {
        happens: |pc, _| drop(pc.run(&format!("dd if=/dev/zero of={STATE}/filler bs=64k; dd if=/dev/zero of={STATE}/rest bs=512; sync"))),
        says: "the disk is full; make room on it",
        ends: |pc, _| drop(pc.sh(&format!("rm {STATE}/filler"))),
        journal: true,
    });
}

#[test]
fn a_file_system_that_turns_read_only_stops_new_cards_and_once_it_is_writable_the_pending_row_appears() {
    station_without_a_log(&Cause {
        // As the kernel does in an emergency, whoever has files open.
        happens: |pc, _| {
            pc.sh("echo u > /proc/sysrq-trigger");
            pc.wait_for(&format!("grep -q ' {STATE} ext4 ro' /proc/mounts"), secs(20));
        },
        says: "may not be written; check its owner, its mode and that its disk is not mounted read-only",
        ends: |pc, disk| drop(pc.sh(&format!("mount -o remount,rw {} {STATE}", disk.node()))),
        journal: true,
    });
}

#[test]
fn a_disk_that_answers_with_errors_stops_new_cards_and_once_it_works_the_pending_row_appears_on_it() {
    station_without_a_log(&Cause {
        happens: |_, disk| {
            disk.faults(|faults| faults.all_writes = Some(Errno::IO));
        },
        says: "the disk answered with an error; check the disk",
        ends: |_, disk| {
            disk.faults(|faults| faults.all_writes = None);
            std::thread::sleep(Duration::from_millis(100));
        },
        journal: false,
    });
}
