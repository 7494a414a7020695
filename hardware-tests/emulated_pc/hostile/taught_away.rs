//! A reload gives a slot another port while the slot is at work. The card in that port was not put in for this slot.

use flashline_lab::{MIB, Pc, Signal, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{A_PIECE_A_SECOND, Run, is_tombstone};

#[test]
fn a_stick_in_a_port_that_a_reload_gives_to_a_slot_at_work_is_held_and_the_card_at_work_is_finished() {
    let pc = Pc::start();
    let image = Image::new(5 * MIB, 7);
    let lying = ["3", "4"].map(|port| pc.usb(port).size(16 * MIB).filled(3).plug());
    let _seen = lying.each_ref().map(|stick| stick.node());
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).run();
    let [busy, pulled] = ["1", "2"].map(|port| {
        let stick = pc.usb(port).size(16 * MIB).filled(1).plug();
        stick.faults(|faults| faults.bytes_per_second = Some(A_PIECE_A_SECOND));
        stick
    });
    pulled.wait_written(MIB, secs(60));
    pulled.pull();
    station.wait_for("A2", "PULLED");
    station.wait_for("A1", "WRITING");
    // The engineer believes that the port of A2 was broken, and moves A1 as well.
    Factory::new(&pc, &image.raw()).slot("A1", usb("3")).slot("A2", usb("4")).configured();
    station.job.kill(Signal::SIGHUP);
    station.job.wait_for_line("the new configuration holds", secs(60));
    assert_eq!(station.job.count_lines("^A1  (PASS|READING BACK)"), 0, "its card is still being written, or this proves nothing");
    for slot in ["A2", "A1"] {
        let line = station.wait_for(slot, "HELD");
        assert!(line.contains("take out, put in again"), "nobody put it in to be written: {line}");
    }
    let rows: Vec<String> = station.rows().iter().map(|row| format!("{} {}", row["slot"], row["outcome"])).collect();
    assert_eq!(rows, [r#""A2" "pulled""#, r#""A1" "passed""#], "nobody pulled A1's");
    assert_eq!(busy.first_difference(image.raw()), None);
    assert!(is_tombstone(&pulled.head(64)), "it cannot boot");
    std::thread::sleep(secs(2));
    for stick in &lying {
        assert!(stick.untouched(), "touched at {:?}", stick.first_touched());
    }
    // Put in by hand, they are ordinary cards.
    lying[1].pull();
    lying[1].plug();
    station.wait_for("A2", "PASS");
    assert_eq!(lying[1].first_difference(image.raw()), None);
    assert!(lying[0].untouched());
    pc.sh("flashline log verify");
}
