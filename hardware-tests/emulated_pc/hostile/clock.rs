//! A clock that is set while cards are written: back by a year, and forward by two.

use flashline_lab::{MIB, Pc, secs};
use serde_json::Value;

use crate::factory::{Factory, Image, usb};
use crate::station::{A_PIECE_A_SECOND, Run, Station};

#[test]
fn long_a_clock_that_is_set_by_years_amid_a_card_spoils_neither_card_nor_row_nor_order() {
    let pc = Pc::start();
    let image = Image::new(3 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).run();
    pc.sh("flashline order start --model acme/box --count 2");
    for (slot, port, change) in [("A1", "1", "1 year ago"), ("A2", "2", "2 years")] {
        let stick = pc.usb(port).size(16 * MIB).filled(1).plug();
        stick.faults(|faults| faults.bytes_per_second = Some(A_PIECE_A_SECOND));
        station.wait_for(slot, "WRITING");
        pc.sh(&format!("date -s \"$(date -d '{change}')\""));
        station.wait_for(slot, "PASS");
        assert_eq!(stick.first_difference(image.raw()), None, "{slot}");
        let row = station.rows_of(slot).pop().expect("it has a row");
        let took = row["total_seconds"].as_f64().unwrap_or_else(|| panic!("{row}"));
        assert!((2.0..120.0).contains(&took), "it took as long as it took: {row}");
        stick.pull();
        station.job.wait_for_nth_line(2, &format!("^{slot}  (EMPTY|ORDER)"), secs(60));
    }
    let complete = || {
        let told: Value = serde_json::from_str(&pc.sh("flashline order status --json || true")).expect("JSON");
        (told["orders"][0]["passed"].as_u64(), told["orders"][0]["complete"].as_bool())
    };
    assert_eq!(complete(), (Some(2), Some(true)));
    pc.sh("flashline log verify");
    // Whatever the clock shows at the next start, the order of events is their number.
    station.stop();
    pc.sh("date -s \"$(date -d '3 years ago')\"");
    let station = Station::start(&pc);
    station.job.wait_for_line("the station runs", secs(60));
    assert_eq!(complete(), (Some(2), Some(true)));
    let blank = pc.usb("1").serial("BLANK").size(16 * MIB).filled(9).plug();
    station.wait_for("A1", "REFUSED");
    assert!(blank.untouched(), "touched at {:?}", blank.first_touched());
    let outcomes: Vec<_> = station.rows().iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(outcomes, ["passed", "passed", "refused"], "in the order in which they ended");
    pc.sh("flashline log verify");
}
