//! Staged copies that are damaged: a fault of the station, and never of a card.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{Run, STATE, Station, is_tombstone};

/// A byte at which damage to a copy shows: in an image that has data in every second MiB, it is in the data.
const ROTTEN: u64 = 4 * MIB + 5;

/// Changes one byte of every staged copy, on the disk and in the page cache.
fn rot(pc: &Pc) {
    pc.sh(&format!(
        "for image in {STATE}/images/*.img; do chmod u+w $image; printf '\\377\\377' | dd of=$image bs=1 seek={ROTTEN} conv=notrunc 2>/dev/null; done"
    ));
}

/// The bodies of all events of this kind.
fn told(pc: &Pc, kind: &str) -> Vec<serde_json::Value> {
    let lines = pc.sh(&format!("sqlite3 {STATE}/flash-log.db \"SELECT body FROM event WHERE kind = '{kind}' ORDER BY seq\""));
    lines.lines().map(|line| serde_json::from_str(line).expect("a body is JSON")).collect()
}

#[test]
fn a_staged_copy_that_rots_calls_no_card_bad_and_is_staged_anew_and_one_that_rotted_before_the_start_costs_none() {
    let pc = Pc::start();
    let image = Image::new(8 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).run();

    // Its source is missing: the model stays out of work, and the engineer is called.
    pc.sh("mv /srv/images/image.img /srv/images/away.img");
    rot(&pc);
    let first = pc.usb("1").serial("FIRST").size(32 * MIB).filled(1).plug();
    let line = station.wait_for("A1", "STATION FAULT");
    assert!(line.contains("copy of the image is damaged at byte") && line.contains("take it out, not bad"), "{line}");
    assert!(is_tombstone(&first.head(512)), "it cannot boot");
    station.job.wait_for_line("^STATION FAULT  acme/box: .*it cannot be staged anew", secs(60));
    let other = pc.usb("2").serial("OTHER").size(32 * MIB).filled(2).plug();
    let line = station.wait_for("A2", "REFUSED");
    assert!(line.contains("no image"), "{line}");
    assert!(other.untouched(), "touched at {:?}", other.first_touched());
    for stick in [&first, &other] {
        stick.pull();
    }
    for slot in ["A1", "A2"] {
        station.wait_for(slot, "DISARMED");
    }
    let status = pc.run("flashline status");
    assert_eq!(status.status, 1, "{}", status.stdout);
    assert!(status.stdout.contains("STATION FAULT  acme/box: "), "{}", status.stdout);
    let row = station.rows_of("A1").pop().expect("it has a row");
    assert_eq!((row["outcome"].as_str(), row["code"].as_str()), (Some("station-fault"), Some("station-image")), "{row}");
    let summary: serde_json::Value = serde_json::from_str(&pc.sh("flashline log summary --json")).expect("JSON");
    let counts = ["failed", "attempts", "station_faults"].map(|key| summary["total"][key].as_u64());
    assert_eq!(counts, [Some(0), Some(1), Some(1)], "{summary}");

    // The engineer brings it back.
    pc.sh("mv /srv/images/away.img /srv/images/image.img && flashline reload");
    std::thread::sleep(secs(3));
    for (slot, stick) in [("A1", &first), ("A2", &other)] {
        stick.plug();
        station.wait_for(slot, "PASS");
        assert_eq!(stick.first_difference(image.raw()), None, "{slot}");
    }

    // With its source present, the station repairs the copy itself.
    rot(&pc);
    first.pull();
    station.job.wait_for_nth_line(3, "^A1  EMPTY", secs(60));
    std::thread::sleep(secs(3));
    first.plug();
    station.job.wait_for_nth_line(2, "^A1  STATION FAULT", secs(120));
    station.job.wait_for_line("the image is staged anew", secs(60));
    let disarmed = told(&pc, "disarmed");
    assert_eq!(disarmed.iter().map(|body| body["by"]["user"].as_str()).collect::<Vec<_>>(), [Some("the station"); 2], "{disarmed:?}");
    first.pull();
    pc.wait_until("the model to be armed again", secs(60), || (pc.run("flashline status").status == 0).then_some(()));
    std::thread::sleep(secs(3));
    first.plug();
    station.job.wait_for_nth_line(2, "^A1  PASS", secs(120));
    assert_eq!(first.first_difference(image.raw()), None);
    let armed = told(&pc, "model-armed");
    let occasions: Vec<_> = armed.iter().map(|body| body["by"]["occasion"].as_str()).collect();
    assert_eq!(occasions.last(), Some(&Some("restage")), "{occasions:?}");

    // A copy that was damaged before the start is found before a card is written.
    station.stop();
    rot(&pc);
    let again = Station::start(&pc);
    again.job.wait_for_line("the image is staged anew", secs(60));
    first.pull();
    first.wait_gone();
    std::thread::sleep(secs(3));
    first.plug();
    again.wait_for("A1", "PASS");
    assert_eq!(first.first_difference(image.raw()), None);
    let faults = again.rows().iter().filter(|row| row["outcome"] == "station-fault").count();
    assert_eq!(faults, 2, "no further card was spent on it");
}
