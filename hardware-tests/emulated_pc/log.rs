//! If the flash log cannot be written, no card is started, no sign turns green, and no row is lost.

use std::ops::Range;
use std::time::Duration;

use flashline_lab::{Disk, Errno, MIB, Pc, secs};
use serde_json::Value;

use crate::factory::{Factory, Image, usb};
use crate::station::{FileSystem, Run, STATE, Station, next_state_disk, state_disk};

/// A failure of the log's disk, and how it ends.
struct Cause {
    happens: fn(&Pc, &Disk),
    says: &'static str,
    ends: fn(&Pc, &Disk),
}

/// One card is busy when the log becomes unwritable; another is put in afterwards.
fn station_without_a_log(system: FileSystem, cause: &Cause) {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let disk = state_disk(&pc, system);
    let survives_a_power_cut = system != FileSystem::Ext4WithoutJournal;
    disk.faults(|faults| faults.volatile_cache = survives_a_power_cut);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).run();
    if system == FileSystem::Btrfs {
        pc.sh(&format!("lsattr {STATE}/flash-log.db-shm | grep -q '^[^ ]*C'"));
    }
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
    // Longer than settling and several attempts to write the log.
    std::thread::sleep(secs(4));
    assert!(waiting.untouched(), "nothing new begins");
    assert_eq!(station.job.count_lines("^A.  PASS"), 0, "nothing is green without its row");

    (cause.ends)(&pc, &disk);
    station.job.wait_for_nth_line(2, "^FLASHLINE  emulated", secs(60));
    station.wait_for("A1", "PASS");
    station.wait_for("A2", "PASS");
    assert!(busy.reads_as(image.raw()) && waiting.reads_as(image.raw()));

    let outcomes = after_a_power_cut(pc, &disk, &image, survives_a_power_cut);
    assert_eq!(outcomes, [("A1".into(), "passed".into()), ("A2".into(), "passed".into())], "nothing is lost, nothing is there twice");
}

/// Slot and outcome of each row that is on the disk, not only in this PC's memory.
fn after_a_power_cut(pc: Pc, disk: &Disk, image: &Image, survives: bool) -> Vec<(Value, Value)> {
    if !survives {
        pc.sh(&format!("pkill --signal KILL --exact flashline; sleep 0.5; umount {STATE}"));
    }
    pc.power_cut();
    disk.power_cut(0, 1);
    disk.faults(|faults| faults.volatile_cache = false);
    let pc = Pc::start();
    let _state = next_state_disk(&pc, disk);
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).configured();
    let station = Station::start(&pc);
    station.job.wait_for_line("the station runs", secs(60));
    pc.sh("flashline log verify");
    station.rows().iter().map(|row| (row["slot"].clone(), row["outcome"].clone())).collect()
}

const FULL: Cause = Cause {
    happens: |pc, _| drop(pc.run(&format!("dd if=/dev/zero of={STATE}/filler bs=64k; dd if=/dev/zero of={STATE}/rest bs=512; sync"))),
    says: "the disk is full; make room on it",
    ends: |pc, _| drop(pc.sh(&format!("rm {STATE}/filler"))),
};

const READ_ONLY: Cause = Cause {
    // As the kernel does in an emergency, even if files are open.
    happens: |pc, _| {
        pc.sh("echo u > /proc/sysrq-trigger");
        pc.wait_for(&format!("grep -q ' {STATE} [a-z0-9]* ro' /proc/mounts"), secs(20));
    },
    says: "may not be written; check its owner, its mode and that its disk is not mounted read-only",
    ends: |pc, disk| drop(pc.sh(&format!("mount -o remount,rw {} {STATE}", disk.node()))),
};

const ERRORS: Cause = Cause {
    happens: |_, disk| {
        disk.faults(|faults| faults.all_writes = Some(Errno::IO));
    },
    says: "the disk answered with an error; check the disk",
    ends: |_, disk| {
        disk.faults(|faults| faults.all_writes = None);
        std::thread::sleep(Duration::from_millis(100));
    },
};

/// The metadata of the file system is written, in the journal and in its place.
const ERRORS_OF_DATA: Cause = Cause {
    happens: |pc, disk| {
        let errors = all_but_names_and_journal(pc, disk);
        disk.faults(|faults| faults.write_errors = errors);
    },
    says: "the disk answered with an error; check the disk",
    ends: |_, disk| {
        disk.faults(|faults| faults.write_errors.clear());
        std::thread::sleep(Duration::from_millis(100));
    },
};

/// Tables and directories of a small ext4 are in its first 2 MiB; its journal is inode 8.
fn all_but_names_and_journal(pc: &Pc, disk: &Disk) -> Vec<Range<u64>> {
    let block: u64 = pc.sh(&format!("stat --file-system --format %S {STATE}")).trim().parse().expect("bytes");
    // (FIRST-LAST):FIRST-LAST, in the file and on the disk.
    let journal = pc.sh(&format!("debugfs -R 'stat <8>' {} 2>/dev/null | sed -n '/^EXTENTS/,$p' | grep -o '):[0-9]*-[0-9]*'", disk.node()));
    let mut good: Vec<(u64, u64)> = journal
        .lines()
        .map(|extent| {
            let (first, last) = extent.trim_start_matches("):").split_once('-').expect("two blocks");
            let place = |block_number: &str| block_number.parse::<u64>().expect("a block") * block;
            (place(first), place(last) + block)
        })
        .collect();
    assert!(!good.is_empty(), "this file system has a journal");
    good.push((0, 2 * MIB));
    good.sort_unstable();
    let ends = good.iter().map(|(_, end)| *end);
    let begins = good.iter().skip(1).map(|(begin, _)| *begin).chain([disk.size()]);
    ends.zip(begins).filter(|(from, to)| from < to).map(|(from, to)| from..to).collect()
}

#[test]
fn a_full_disk_stops_new_cards_and_once_there_is_room_the_pending_row_appears() {
    station_without_a_log(FileSystem::Ext4, &FULL);
}

#[test]
fn a_file_system_that_turns_read_only_stops_new_cards_and_once_it_is_writable_the_pending_row_appears() {
    station_without_a_log(FileSystem::Ext4, &READ_ONLY);
}

#[test]
fn a_disk_that_answers_with_errors_stops_new_cards_and_once_it_works_the_pending_row_appears_on_it() {
    station_without_a_log(FileSystem::Ext4WithoutJournal, &ERRORS);
}

#[test]
fn a_disk_that_does_not_take_the_bytes_of_files_stops_new_cards_and_once_it_works_the_pending_row_appears_on_it() {
    station_without_a_log(FileSystem::Ext4, &ERRORS_OF_DATA);
}

#[test]
fn a_station_starts_on_a_log_whose_last_bytes_the_disk_did_not_take() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let disk = state_disk(&pc, FileSystem::Ext4WithoutJournal);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).run();
    let busy = pc.usb("1").size(16 * MIB).filled(1).plug();
    busy.faults(|faults| faults.bytes_per_second = Some(2_000_000));
    station.wait_for("A1", "WRITING");
    (ERRORS.happens)(&pc, &disk);
    station.job.wait_for_line("^STATION FAULT", secs(60));
    station.wait_for("A1", "RECORDING");
    pc.sh("pkill --signal KILL --exact flashline; pkill --signal KILL --exact flashline-log; sleep 0.5");
    (ERRORS.ends)(&pc, &disk);

    let station = Station::start(&pc);
    station.job.wait_for_line("the station runs", secs(60));
    station.wait_for("A1", "HELD");
    pc.usb("2").size(16 * MIB).filled(2).plug();
    station.wait_for("A2", "PASS");
    let outcomes = after_a_power_cut(pc, &disk, &image, false);
    // The end of the first attempt may be in the log, although it was not confirmed.
    let first = outcomes.first().map(|(_, outcome)| outcome.clone());
    assert!(first == Some("passed".into()) || first == Some("interrupted".into()), "{first:?}");
    assert_eq!(outcomes[1..], [("A2".into(), "passed".into())], "nothing is lost, nothing is there twice");
}

#[test]
fn long_a_full_xfs_stops_new_cards_and_once_there_is_room_the_pending_row_appears() {
    station_without_a_log(FileSystem::Xfs, &FULL);
}

#[test]
fn long_a_full_btrfs_stops_new_cards_and_once_there_is_room_the_pending_row_appears() {
    station_without_a_log(FileSystem::Btrfs, &FULL);
}

#[test]
fn long_an_xfs_that_turns_read_only_stops_new_cards_and_once_it_is_writable_the_pending_row_appears() {
    station_without_a_log(FileSystem::Xfs, &READ_ONLY);
}
