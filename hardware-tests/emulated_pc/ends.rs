//! How a station ends: asked to, or not. Either way every attempt has its one row, and no half-written card boots.

use flashline_lab::{MIB, Pc, Signal, secs};

use crate::factory::{Factory, Image, rows, usb};
use crate::station::{Run, Station};

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
    assert!(stick.medium().head(64).starts_with(b"FLASHLINE: this card is not finished"));
}

#[test]
fn killed_in_the_middle_the_attempt_is_interrupted_at_the_next_start_and_the_card_cannot_boot() {
    let pc = Pc::start();
    let image = Image::new(32 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).run();
    let stick = pc.usb("1").size(64 * MIB).filled(1).plug();
    stick.medium().faults(|faults| faults.bytes_per_second = Some(8_000_000));
    station.wait_for("A1", "WRITING");
    stick.medium().wait_written(4 * MIB, secs(30));
    station.job.kill(Signal::SIGKILL);
    station.job.wait(secs(10));
    let again = Station::start(&pc);
    let line = again.wait_for("A1", "HELD");
    assert!(line.contains("put in again"), "{line}");
    let rows = again.rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["outcome"], "interrupted", "{}", rows[0]);
    assert!(stick.medium().head(64).starts_with(b"FLASHLINE: this card is not finished"));
    stick.medium().faults(|faults| faults.bytes_per_second = None);
    stick.pull();
    stick.wait_gone();
    stick.plug();
    again.wait_for("A1", "PASS");
    assert!(stick.medium().reads_as(image.raw()));
}
