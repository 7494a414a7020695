//! Programs of root that act on a card while the station writes it.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{A_PIECE_A_SECOND, Run, is_tombstone};

#[test]
fn long_a_program_that_rereads_protects_or_writes_a_card_at_work_gets_no_card_green_that_is_not_whole() {
    let pc = Pc::start();
    let image = Image::new(6 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).slot("A3", usb("3")).run();
    let [reread, protected, written] = ["1", "2", "3"].map(|port| {
        let stick = pc.usb(port).size(16 * MIB).filled(1).plug();
        stick.faults(|faults| faults.bytes_per_second = Some(A_PIECE_A_SECOND));
        stick
    });
    let nodes = [&reread, &protected, &written].map(|stick| stick.node());
    // Programs that examine disks all the time: they read tables again, add and remove partitions, probe signatures.
    let rereads = pc.spawn(&format!(
        "while :; do blockdev --rereadpt {0}; partx --add {0}; partx --delete {0}; sfdisk --list {0}; blkid -p {0}; wipefs {0}; udevadm trigger --name-match={0}; sleep 0.2; done >/dev/null 2>&1",
        nodes[0]
    ));
    protected.wait_written(3 * MIB, secs(60));
    pc.sh(&format!("blockdev --setro {}", nodes[1]));
    let line = station.wait_for("A2", "FAILED");
    assert!(line.contains("Operation not permitted"), "{line}");
    station.wait_for("A3", "READING BACK");
    let before = written.counts().bytes_read;
    written.wait_counts("the first bytes of the body read back", secs(60), |counts| counts.bytes_read >= before + MIB);
    pc.sh(&format!("dd if=/dev/urandom of={} bs=512 count=1 seek=2049 conv=fsync,notrunc", nodes[2]));
    let line = station.wait_for("A3", "CHANGED");
    assert!(line.contains("take out, put in again"), "{line}");
    station.wait_for("A1", "PASS");
    rereads.kill(flashline_lab::Signal::SIGKILL);
    assert_eq!(reread.first_difference(image.raw()), None);
    assert_eq!(station.job.count_lines("^A1  CHANGED"), 0, "to look is not to write");
    assert!(is_tombstone(&protected.head(64)), "it cannot boot");
    for (slot, outcome) in [("A1", "passed"), ("A2", "failed"), ("A3", "changed")] {
        let rows = station.rows_of(slot);
        assert_eq!((rows.len(), rows[0]["outcome"].as_str()), (1, Some(outcome)), "{slot}: {rows:?}");
    }
    // Put in again, both are good.
    for (slot, stick) in [("A2", &protected), ("A3", &written)] {
        stick.faults(|faults| faults.bytes_per_second = None);
        stick.pull();
        stick.plug();
        station.job.wait_for_line(&format!("^{slot}  PASS"), secs(120));
        assert_eq!(stick.first_difference(image.raw()), None, "{slot}");
    }
    pc.sh("flashline log verify");
}
