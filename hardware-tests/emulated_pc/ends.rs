//! How a station ends, on request or not. Either way every attempt has one row, and no half-written card boots.

use std::time::Duration;

use flashline_lab::{MIB, Pc, Signal, secs};

use crate::factory::{Factory, Image, rows, usb};
use crate::station::{Run, Station, is_tombstone};

const SPAN: u64 = 8 * MIB;

#[test]
fn asked_to_stop_a_busy_station_records_interrupted_and_ends_within_five_seconds() {
    let pc = Pc::start();
    let image = Image::new(32 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).run();
    let stick = pc.usb("1").size(64 * MIB).filled(1).plug();
    stick.medium().faults(|faults| faults.bytes_per_second = Some(8_000_000));
    station.wait_for("A1", "WRITING");
    stick.medium().wait_written(4 * MIB, secs(30));
    station.job.kill(Signal::SIGTERM);
    assert_eq!(station.job.wait(secs(10)).status, 0);
    let rows = rows(&pc);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["outcome"], "interrupted", "{}", rows[0]);
    assert!(is_tombstone(&stick.medium().head(64)));
}

/// The progress of the work on a card, and how to detect it there.
const PHASES: [(&str, &str); 3] = [("A1", "WRITING"), ("A2", "READING BACK"), ("A3", "FINISHING")];

#[test]
fn killed_in_any_phase_the_attempt_is_interrupted_at_the_next_start_and_the_card_cannot_boot() {
    let pc = Pc::start();
    let image = Image::new(SPAN, 7);
    let mut factory = Factory::new(&pc, &image.raw());
    for (index, (slot, _)) in PHASES.iter().enumerate() {
        factory = factory.slot(slot, usb(&(index + 1).to_string()));
    }
    let mut station = factory.run();
    for (index, (slot, phase)) in PHASES.into_iter().enumerate() {
        let stick = pc.usb(&(index + 1).to_string()).size(32 * MIB).filled(1).plug();
        stick.medium().faults(|faults| faults.bytes_per_second = Some(4_000_000));
        if phase == "WRITING" {
            stick.medium().wait_written(3 * MIB, secs(60));
        }
        if phase == "FINISHING" {
            // The tombstone and the body were read, except its end: from here on the card delays each request.
            stick.medium().wait_counts("most of the body read back", secs(60), |counts| counts.bytes_read > SPAN - MIB);
            stick.medium().faults(|faults| faults.delay = Duration::from_millis(100));
        }
        station.wait_for(slot, phase);
        station.job.kill(Signal::SIGKILL);
        station.job.wait(secs(20));
        stick.medium().faults(|faults| (faults.bytes_per_second, faults.delay) = (None, Duration::ZERO));

        station = Station::start(&pc);
        let line = station.wait_for(slot, "HELD");
        assert!(line.contains("put in again"), "{line}");
        let rows = station.rows_of(slot);
        assert_eq!(rows.len(), 1, "killed while {phase}: exactly one row");
        assert_eq!(rows[0]["outcome"], "interrupted", "killed while {phase}: {}", rows[0]);
        // The table's block is written last: either the head is whole or the tombstone is there.
        let whole = phase == "FINISHING" && stick.medium().reads_as(image.raw());
        assert!(whole || is_tombstone(&stick.medium().head(64)), "killed while {phase}: the card must not boot");
        stick.pull();
        stick.wait_gone();
        stick.plug();
        station.wait_for(slot, "PASS");
        assert!(stick.medium().reads_as(image.raw()), "put in again it is written from the start");
    }
}
