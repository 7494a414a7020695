//! Cards that another station left half-written, and cards whose maker gave them one register.

use flashline_lab::{MIB, Pc, Signal, secs};
use serde_json::Value;

use crate::factory::{Factory, Image, sd, usb};
use crate::station::{A_PIECE_A_SECOND, Run, STATE, Station, is_tombstone};

#[test]
fn long_a_card_that_another_station_left_half_written_or_but_for_its_head_is_written_like_any_other() {
    let pc = Pc::start();
    let image = Image::new(6 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).recheck().run();
    let (half, nearly) = (pc.usb("1").size(16 * MIB).filled(1).plug(), pc.usb("2").size(16 * MIB).filled(2).plug());
    half.faults(|faults| faults.bytes_per_second = Some(A_PIECE_A_SECOND));
    station.wait_for("A2", "PASS");
    // The whole image, with the other station's tombstone in the first block, as a power cut leaves a card.
    half.wait_written(4 * MIB, secs(60));
    station.job.kill(Signal::SIGKILL);
    station.job.wait(secs(20));
    assert!(is_tombstone(&half.head(64)));
    nearly.pull();
    nearly.write(0, &half.head(512));
    half.faults(|faults| faults.bytes_per_second = None);
    half.pull();
    // Another station with its own log, whose first attempt has the same number.
    pc.sh(&format!("while pidof flashline; do sleep 0.1; done >/dev/null; sleep 0.5; rm -rf {STATE}"));
    let other = Station::start(&pc);
    other.job.wait_for_line("the station runs", secs(60));
    for (slot, stick) in [("A1", &half), ("A2", &nearly)] {
        stick.plug();
        other.wait_for(slot, "PASS");
        assert_eq!(stick.first_difference(image.raw()), None, "{slot}");
        let rows = other.rows_of(slot);
        assert_eq!((rows.len(), rows[0]["outcome"].as_str()), (1, Some("passed")), "{slot}: it was not done already: {rows:?}");
    }
    assert_eq!(other.job.count_lines("(FAILED|DONE)"), 0, "another station's marks are no lie of the card's");
    pc.sh("flashline log verify");
}

#[test]
fn an_order_makes_no_card_too_many_of_cards_that_share_one_register() {
    let pc = Pc::start();
    let image = Image::new(2 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("S1", sd(0)).slot("S2", sd(1)).run();
    pc.sh("flashline order start --model acme/box --count 3");
    // All SD cards of QEMU have the same CID.
    let (first, second) = (pc.sd(0).size(16 * MIB).filled(1).insert(), pc.sd(1).size(16 * MIB).filled(2).insert());
    for slot in ["S1", "S2"] {
        station.wait_for(slot, "PASS");
    }
    first.eject();
    station.job.wait_for_nth_line(2, "^S1  EMPTY", secs(60));
    let third = pc.sd(0).size(16 * MIB).filled(3).insert();
    station.job.wait_for_nth_line(2, "^S1  PASS", secs(60));
    let order: Value = serde_json::from_str(&pc.sh("flashline order status --json || true")).expect("JSON");
    assert_eq!((order["orders"][0]["passed"].as_u64(), order["orders"][0]["complete"].as_bool()), (Some(3), Some(true)), "{order}");
    for card in [&first, &second, &third] {
        assert_eq!(card.first_difference(image.raw()), None);
    }
    third.eject();
    station.job.wait_for_line("^S1  ORDER DONE", secs(60));
    let blank = pc.sd(0).size(16 * MIB).filled(4).insert();
    station.wait_for("S1", "REFUSED");
    assert!(blank.untouched(), "touched at {:?}", blank.first_touched());
    // The same after a restart, because it is in the log.
    station.stop();
    let station = Station::start(&pc);
    station.job.wait_for_line("the station runs", secs(60));
    let order: Value = serde_json::from_str(&pc.sh("flashline order status --json || true")).expect("JSON");
    assert_eq!(order["orders"][0]["passed"].as_u64(), Some(3), "{order}");
    pc.sh("flashline log verify");
}
