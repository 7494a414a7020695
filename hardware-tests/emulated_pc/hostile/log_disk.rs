//! The disk of the flash log does not answer, not even with an error. The station reports it and starts no card, still sees cards, and goes
//! on when the disk answers again.

use std::time::{Duration, Instant};

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{STATE, Station};

/// With one disk in the PC, the program's own pages are on that disk, too.
fn station_on_the_disk_of_its_log(pc: &Pc) -> Station<'_> {
    pc.sh(&format!("cp /usr/bin/flashline {STATE}/flashline && sync"));
    let job = pc.spawn(&format!("FLASHLINE_LOG=info exec {STATE}/flashline run 2>&1"));
    job.wait_for_line("the station runs", secs(60));
    Station { pc, job }
}

#[test]
fn a_disk_of_the_log_that_answers_nothing_is_a_fault_within_ten_seconds_and_holds_up_nothing_else() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    // Large enough for the program, too.
    let disk = pc.disk("state").size(192 * MIB).plug();
    pc.sh(&format!("mkfs.ext4 -q {0} && mkdir -p {STATE} && mount {0} {STATE} && sync", disk.node()));
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).configured();
    let station = station_on_the_disk_of_its_log(&pc);
    let busy = pc.usb("1").size(16 * MIB).filled(1).plug();
    busy.faults(|faults| faults.bytes_per_second = Some(2_000_000));
    station.wait_for("A1", "WRITING");
    disk.faults(|faults| faults.hang = true);
    let hangs = Instant::now();
    let fault = station.job.wait_for_line("^STATION FAULT", secs(60));
    // The limit of ten seconds, and a margin for emulation and for the line's way to the host.
    assert!(fault.contains("has not answered for") && hangs.elapsed() < Duration::from_secs(15), "after {:?}: {fault}", hangs.elapsed());
    station.wait_for("A1", "RECORDING");
    // The pages that the program needs are in memory; no other page is.
    pc.sh("echo 3 >/proc/sys/vm/drop_caches");
    let waiting = pc.usb("2").size(16 * MIB).filled(2).plug();
    let _seen = waiting.node();
    station.wait_for("A2", "WAIT");
    let status = pc.run("timeout 8 flashline status");
    assert!(status.stdout.contains("has not answered for"), "whoever asks hears of it: {status}");
    waiting.pull();
    station.job.wait_for_nth_line(2, "^A2  EMPTY", secs(20));
    waiting.plug();
    station.job.wait_for_nth_line(2, "^A2  WAIT", secs(20));
    assert!(waiting.untouched(), "nothing new begins");
    assert_eq!(station.job.count_lines("^A.  PASS"), 0, "nothing is green without its row");

    disk.faults(|faults| faults.hang = false);
    station.wait_for("A1", "PASS");
    station.wait_for("A2", "PASS");
    let outcomes: Vec<_> = station.rows().iter().map(|row| (row["slot"].clone(), row["outcome"].clone())).collect();
    assert_eq!(outcomes, [("A1".into(), "passed".into()), ("A2".into(), "passed".into())], "nothing is lost, nothing is there twice");
    pc.sh("flashline log verify");

    // The same if the file system waits, and not its disk, while no write is under way that would show it.
    pc.sh(&format!("fsfreeze --freeze {STATE}"));
    station.job.wait_for_nth_line(2, "^STATION FAULT", secs(20));
    pc.sh(&format!("fsfreeze --unfreeze {STATE}"));
    station.job.wait_for_nth_line(3, "^FLASHLINE  emulated", secs(20));

    // A mapped page that gets no block on a full disk, or an OOM killer: the process that writes the log dies while a card is busy. Rust's
    // runtime first checks whether a SIGBUS is a stack overflow, and leaves the second one to the kernel.
    for (nth, signals) in [(2, "BUS BUS"), (3, "KILL")] {
        busy.pull();
        station.job.wait_for_nth_line(nth, "^A1  EMPTY", secs(60));
        busy.plug();
        station.job.wait_for_nth_line(nth, "^A1  WRITING", secs(60));
        pc.sh(&format!("for signal in {signals}; do pkill --signal $signal --exact flashline-log; sleep 0.2; done"));
        // Read in the journal: the next process starts so soon that a screen may show nothing in between.
        station.job.wait_for_nth_line(nth - 1, "the station has a fault: .*(has ended|no place)", secs(20));
        station.job.wait_for_nth_line(nth, "^A1  PASS", secs(120));
    }
    let outcomes: Vec<_> = station.rows().iter().map(|row| (row["slot"].clone(), row["outcome"].clone())).collect();
    let passed = |slot: &str| (slot.into(), "passed".into());
    assert_eq!(outcomes, [passed("A1"), passed("A2"), passed("A1"), passed("A1")], "no row is lost, none is there twice");
    assert_eq!(pc.sh("flashline log verify >/dev/null; pgrep --exact --count flashline-log").trim(), "1", "one process writes the log");

    // When the station stops, the last rows are written before the process that writes them ends.
    station.stop();
    pc.sh(&format!("! pgrep --exact flashline-log && flashline log verify && test ! -s {STATE}/flash-log.db-wal"));
}
