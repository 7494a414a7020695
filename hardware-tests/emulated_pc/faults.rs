//! Cards with false contents and cards that fail: a green sign is always true.

use flashline_lab::{MIB, Pc};

use crate::factory::{Factory, Image, usb};
use crate::station::{Run, is_tombstone};

#[test]
fn a_flipped_bit_on_read_back_fails_the_card_at_its_byte() {
    let pc = Pc::start();
    let image = Image::new(16 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).run();
    let bad = pc.usb("1").size(32 * MIB).filled(1).plug();
    let at = 6 * MIB + 1234;
    bad.medium().faults(|faults| faults.flips_on_read.push((at, 0x04)));
    let good = pc.usb("2").size(32 * MIB).filled(2).plug();
    let line = station.wait_for("A1", "FAILED");
    assert!(line.contains(&format!("byte {at} read back as")), "{line}");
    station.wait_for("A2", "PASS");
    let row = &station.rows_of("A1")[0];
    assert_eq!((row["outcome"].as_str(), row["failed_at_byte"].as_u64()), (Some("failed"), Some(at)), "{row}");
    assert!(is_tombstone(&bad.medium().head(64)));
    assert!(good.medium().reads_as(image.raw()));
}

#[test]
fn a_card_that_answers_with_an_error_fails_with_the_systems_words_and_not_as_pulled() {
    let pc = Pc::start();
    let image = Image::new(16 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).run();
    let writes_fail = pc.usb("1").size(32 * MIB).filled(1).plug();
    writes_fail.medium().faults(|faults| faults.write_errors.push(9 * MIB..9 * MIB + 512));
    let reads_fail = pc.usb("2").size(32 * MIB).filled(2).plug();
    reads_fail.medium().faults(|faults| faults.read_errors.push(9 * MIB..9 * MIB + 512));
    let line = station.wait_for("A1", "FAILED");
    assert!(line.contains("writing at byte") && line.contains("Input/output error (os error 5)"), "{line}");
    let line = station.wait_for("A2", "FAILED");
    assert!(line.contains("reading back at byte") && line.contains("Input/output error (os error 5)"), "{line}");
    assert!(is_tombstone(&writes_fail.medium().head(64)) && is_tombstone(&reads_fail.medium().head(64)));
}

#[test]
fn a_card_that_forgets_writes_is_caught_by_its_tombstone() {
    let pc = Pc::start();
    let image = Image::new(16 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).run();
    let worn = pc.usb("1").size(32 * MIB).filled(1).plug();
    worn.medium().faults(|faults| faults.ignores_writes = true);
    let line = station.wait_for("A1", "FAILED");
    assert!(line.contains("write ignored: byte 0 did not change"), "{line}");
    assert!(worn.medium().untouched());
}
