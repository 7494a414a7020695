//! What happens between the proof of a card and its row, while the file system of the log stands still.

use flashline_lab::{MIB, Pc, Signal, secs};
use serde_json::Value;

use crate::factory::{Factory, Image, usb};
use crate::station::{FileSystem, Run, STATE, Station, state_disk};

fn order(pc: &Pc) -> Value {
    let told: Value = serde_json::from_str(&pc.sh("flashline order status --json || true")).expect("JSON");
    told["orders"][0].clone()
}

#[test]
fn long_a_card_pulled_an_order_stopped_and_a_station_killed_between_proof_and_row_lose_nothing_and_make_none_too_many() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let _disk = state_disk(&pc, FileSystem::Ext4);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).recheck().run();
    pc.sh("flashline order start --model acme/box --count 5");
    // Of two sticks with one serial one is pulled, and the order is stopped.
    let twins = ["1", "2"].map(|port| {
        let stick = pc.usb(port).serial("SAME").size(16 * MIB).filled(1).plug();
        stick.faults(|faults| faults.bytes_per_second = Some(3 * MIB));
        stick
    });
    ["A1", "A2"].iter().for_each(|slot| drop(station.wait_for(slot, "READING BACK")));
    pc.sh(&format!("fsfreeze --freeze {STATE}"));
    ["A1", "A2"].iter().for_each(|slot| drop(station.wait_for(slot, "RECORDING")));
    let stop = pc.spawn("exec flashline order stop --model acme/box");
    twins[0].pull();
    twins[0].wait_gone();
    pc.sh(&format!("fsfreeze --unfreeze {STATE}"));
    station.wait_for("A2", "PASS");
    let stopped = stop.wait(secs(60));
    assert_eq!(stopped.status, 0, "{stopped}");
    station.job.wait_for_nth_line(2, "^A1  EMPTY", secs(60));
    assert_eq!(station.job.count_lines("^A1  PASS"), 0, "nobody saw it green");
    for (slot, twin) in ["A1", "A2"].iter().zip(&twins) {
        let rows = station.rows_of(slot);
        assert_eq!((rows.len(), rows[0]["outcome"].as_str(), rows[0]["serial"].as_str()), (1, Some("passed"), Some("SAME")), "{rows:?}");
        assert_eq!(twin.first_difference(image.raw()), None, "{slot}");
    }

    // An order of one: the station is killed when its card is proven, and its row is not written.
    pc.sh("flashline order start --model acme/box --count 1");
    let last = pc.usb("1").serial("LAST").size(16 * MIB).filled(2).plug();
    last.faults(|faults| faults.bytes_per_second = Some(3 * MIB));
    station.job.wait_for_nth_line(2, "^A1  READING BACK", secs(60));
    pc.sh(&format!("fsfreeze --freeze {STATE}"));
    station.job.wait_for_nth_line(2, "^A1  RECORDING", secs(60));
    station.job.kill(Signal::SIGKILL);
    pc.sh(&format!("pkill --signal KILL --exact flashline-log; fsfreeze --unfreeze {STATE}"));
    station.job.wait(secs(30));
    last.faults(|faults| faults.bytes_per_second = None);
    twins[1].pull();
    let station = Station::start(&pc);
    station.wait_for("A1", "HELD");
    let rows = station.rows_of("A1");
    let ended = rows.last().expect("it has a row")["outcome"].clone();
    assert!(rows.len() == 2 && (ended == "interrupted" || ended == "passed"), "one row, whatever it says: {rows:?}");
    let counted = u64::from(ended == "passed");
    assert_eq!(order(&pc)["passed"].as_u64(), Some(counted), "{ended}");
    // It comes back and fills its place in the order, once; no further card is made.
    last.pull();
    last.plug();
    station.job.wait_for_line("^A1  (PASS|DONE)", secs(60));
    assert_eq!((order(&pc)["passed"].as_u64(), order(&pc)["complete"].as_bool()), (Some(1), Some(true)), "{}", order(&pc));
    assert_eq!(last.first_difference(image.raw()), None);
    let blank = pc.usb("2").serial("BLANK").size(16 * MIB).filled(9).plug();
    let line = station.wait_for("A2", "REFUSED");
    assert!(line.contains("the order is complete"), "{line}");
    assert!(blank.untouched(), "touched at {:?}", blank.first_touched());
    pc.sh("flashline log verify");
}
