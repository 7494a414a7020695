//! Old months are taken out of the log of a stopped station, whose cards it still knows; and the power fails meanwhile.

use std::time::Duration;

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{FileSystem, Run, STATE, Station, next_state_disk, state_disk};

const FOLDER: &str = "/srv/archive";

/// Forty days later, it is another month.
fn forty_days_later(pc: &Pc) {
    pc.sh("date -s \"$(date -d '40 days')\"");
}

#[test]
fn long_old_months_are_archived_with_the_station_stopped_and_its_cards_are_known_afterwards() {
    let pc = Pc::start();
    let image = Image::new(3 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).recheck().run();
    let stick = pc.usb("1").size(16 * MIB).filled(1).plug();
    station.wait_for("A1", "PASS");
    stick.pull();
    stick.wait_gone();
    // The log keeps the hash of the last archived event, but not that of this one.
    let anchor = pc.sh("flashline log anchor");
    let second = pc.usb("1").serial("SECOND").size(16 * MIB).filled(2).plug();
    station.job.wait_for_nth_line(2, "^A1  PASS", secs(60));
    second.pull();
    second.wait_gone();
    pc.sh(&format!("mkdir -p {FOLDER}"));
    let archive = format!("flashline log archive --before $(date +%Y-%m) {FOLDER}");
    forty_days_later(&pc);
    let refused = pc.run(&archive);
    assert!(refused.status == 2 && refused.stderr.contains("another process writes it; stop that one first"), "{refused}");
    station.stop();

    let done = pc.run(&archive);
    assert!(done.status == 0 && done.stdout.contains(": events 1 to "), "{done}");
    let alone = pc.run("flashline log verify");
    assert!(alone.status == 0 && alone.stderr.contains("are archived, and were not verified"), "{alone}");
    let verify = format!("flashline log verify --with {FOLDER}");
    let with = pc.run(&verify);
    assert!(with.status == 0 && with.stderr.contains("verified as one chain with the log"), "{with}");
    let old = anchor.trim();
    let asked = pc.run(&format!("flashline log verify --anchor {old}"));
    assert!(asked.status == 1 && asked.stdout.contains("is in the archive flash-log-"), "{asked}");
    pc.sh(&format!("{verify} --anchor {old}"));
    let log = pc.run("flashline log");
    assert!(log.stdout.starts_with("No attempts.") && log.stderr.contains("is archived and not in this answer"), "{log}");
    assert_eq!(pc.sh(&format!("flashline log --with {FOLDER} --json")).lines().count(), 2);

    let station = Station::start(&pc);
    station.job.wait_for_line("the station runs", secs(60));
    stick.plug();
    station.wait_for("A1", "DONE");
    let row = station.rows_of("A1").pop().expect("it has a row");
    assert_eq!((row["attempt"].as_u64(), row["outcome"].as_str()), (Some(3), Some("recheck")), "it was counted when it was made: {row}");
    station.stop();
    pc.sh(&verify);
    pc.sh(&format!("cd {FOLDER} && chmod u+w flash-log-*.db && printf x | dd of=$(ls flash-log-*.db) bs=1 seek=9000 conv=notrunc"));
    let changed = pc.run(&verify);
    assert!(changed.status == 1 && changed.stdout.contains("the archive"), "{changed}");
}

/// The power fails this long after `archive` was begun. Returns how many bytes were lost.
fn lose_power(after: Duration, seed: u64) -> u64 {
    let image = Image::new(2 * MIB, 7);
    let (state, lost) = {
        let pc = Pc::start();
        let state = state_disk(&pc, FileSystem::Ext4);
        let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).run();
        let _stick = pc.usb("1").size(16 * MIB).filled(1).plug();
        station.wait_for("A1", "PASS");
        forty_days_later(&pc);
        station.stop();
        pc.sh(&format!("mkdir {STATE}/archive && sync"));
        state.faults(|faults| faults.volatile_cache = true);
        let archives = pc.spawn(&format!("exec flashline log archive --before $(date +%Y-%m) {STATE}/archive"));
        std::thread::sleep(after);
        pc.power_cut();
        drop(archives);
        let lost = state.power_cut(50, seed);
        (state, lost)
    };
    let pc = Pc::start();
    state.faults(|faults| faults.volatile_cache = false);
    let _state = next_state_disk(&pc, &state);
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).configured();
    // The PC's clock is that of its host again, and the months of the log are those before it.
    forty_days_later(&pc);
    let station = Station::start(&pc);
    station.job.wait_for_line("the station runs", secs(60));
    station.stop();
    pc.sh("flashline log verify");
    let rows = |with: &str| pc.sh(&format!("flashline log {with} --json")).lines().count();
    let folder = format!("{STATE}/archive");
    if rows("") == 1 {
        pc.sh(&format!("flashline log archive --before $(date +%Y-%m) {folder}"));
    }
    assert_eq!((rows(""), rows(&format!("--with {folder}"))), (0, 1), "cut after {after:?}");
    pc.sh(&format!("flashline log verify --with {folder}"));
    lost
}

#[test]
fn long_power_lost_while_old_months_are_archived_loses_no_event_and_the_next_call_finishes() {
    lose_power(Duration::from_millis(120), 1);
}

#[test]
fn long_power_lost_at_twelve_more_moments_of_archiving_loses_no_event() {
    let lost: u64 = (0..12).map(|seed| lose_power(Duration::from_millis(20 + 40 * seed), seed + 2)).sum();
    assert!(lost > 0, "nothing was under way at any of them: this proves nothing");
}
