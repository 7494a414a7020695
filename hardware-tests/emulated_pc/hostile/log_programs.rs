//! Programs of root that use the files of the flash log: readers that do not end, locks, and files that are removed under the station.

use flashline_lab::{MIB, Pc, Signal, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{FileSystem, Run, STATE, state_disk};

/// `sqlite3` with a transaction that stays open until the job is killed.
fn transaction(pc: &Pc, begin: &str) -> flashline_lab::Job {
    let job = pc.spawn(&format!(
        "printf '%s\\n' '.timeout 10000' '{begin}' 'SELECT count(*) FROM event;' '.shell echo open; exec sleep 600' | exec sqlite3 {STATE}/flash-log.db"
    ));
    job.wait_for_line("^open$", secs(60));
    job
}

#[test]
fn long_a_program_that_reads_or_locks_the_log_for_long_holds_up_no_card_and_loses_no_row() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let _disk = state_disk(&pc, FileSystem::Ext4);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).run();
    let reads = transaction(&pc, "BEGIN;");
    let first = pc.usb("1").size(16 * MIB).filled(1).plug();
    station.wait_for("A1", "PASS");
    // A program that wants to write and does not end: the station reports it, and nothing is green.
    let second = pc.usb("2").size(16 * MIB).filled(2).plug();
    second.faults(|faults| faults.bytes_per_second = Some(3 * MIB));
    station.wait_for("A2", "READING BACK");
    let writes = transaction(&pc, "BEGIN IMMEDIATE;");
    station.wait_for("A2", "RECORDING");
    station.job.wait_for_line("^STATION FAULT", secs(60));
    let status = pc.run("timeout 8 flashline status");
    assert!(status.stdout.contains("STATION FAULT"), "{status}");
    assert_eq!(station.job.count_lines("^A2  PASS"), 0, "nothing is green without its row");
    writes.kill(Signal::SIGKILL);
    station.wait_for("A2", "PASS");
    reads.kill(Signal::SIGKILL);
    assert_eq!((first.first_difference(image.raw()), second.first_difference(image.raw())), (None, None));
    pc.sh("pkill --signal KILL --exact flashline; pkill --signal KILL --exact flashline-log; sleep 0.5; flashline log verify");
    let outcomes: Vec<_> = station.rows().iter().map(|row| (row["slot"].clone(), row["outcome"].clone())).collect();
    assert_eq!(outcomes, [("A1".into(), "passed".into()), ("A2".into(), "passed".into())], "nothing is lost, nothing is there twice");
}

#[test]
fn files_of_the_log_that_are_removed_or_moved_away_under_the_station_cost_no_row_of_a_green_card() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let _disk = state_disk(&pc, FileSystem::Ext4);
    for (nth, away) in [
        (1, "rm flash-log.db-wal"),
        (2, "rm flash-log.db-shm"),
        (3, "mkdir -p away; mv flash-log.db flash-log.db-wal flash-log.db-shm away"),
    ] {
        let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).run();
        let before = pc.sh("flashline log --json | grep -c passed || true");
        let stick = pc.usb("1").size(16 * MIB).filled(nth).plug();
        stick.faults(|faults| faults.bytes_per_second = Some(3 * MIB));
        station.wait_for("A1", "WRITING");
        pc.sh(&format!("cd {STATE} && {away}"));
        let line = station.job.wait_for_line("^A1  PASS|^STATION FAULT", secs(120));
        // No process is left that could still write the row.
        pc.sh("pkill --signal KILL --exact flashline; pkill --signal KILL --exact flashline-log; sleep 0.5");
        let after = pc.run("flashline log --json | grep -c passed");
        println!("{away}: {line}, {before} before, {} after", after.stdout);
        if line.starts_with("A1") {
            assert_eq!(
                after.stdout.trim().parse::<u32>().ok(),
                before.trim().parse::<u32>().ok().map(|count| count + 1),
                "{away}: green, and {after}"
            );
        }
        if nth == 3 {
            pc.sh(&format!("cd {STATE} && rm -f flash-log.db* && mv away/* ."));
        }
        pc.sh("flashline log verify");
        stick.pull();
        stick.wait_gone();
    }
}
