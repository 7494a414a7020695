//! HELD applies to a card, and not to a slot.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::Run;

#[test]
fn another_stick_put_at_once_into_the_place_of_a_held_one_is_flashed_and_the_held_one_put_in_as_fast_is_held() {
    let pc = Pc::start();
    let image = Image::new(8 * MIB, 7);
    let held = pc.usb("1").serial("HELD").size(32 * MIB).filled(1).plug();
    let other = pc.usb("3").serial("OTHER").size(32 * MIB).filled(2).plug();
    let (_seen, _seen_too) = (held.node(), other.node());
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).run();
    station.wait_for("A1", "HELD");
    other.pull();
    other.wait_gone();
    // The station has asked for its serial by now.
    std::thread::sleep(secs(2));
    held.pull();
    held.plug_at_once_into("1");
    station.job.wait_for_nth_line(2, "^A1  HELD", secs(60));
    std::thread::sleep(secs(2));
    held.pull();
    other.plug_at_once_into("1");
    station.wait_for("A1", "PASS");
    assert_eq!(other.first_difference(image.raw()), None);
    assert!(held.untouched(), "touched at {:?}", held.first_touched());
}
