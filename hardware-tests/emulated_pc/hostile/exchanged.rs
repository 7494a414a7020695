//! Images that are removed, cut or exchanged while they are staged, or while the station does not run.

use flashline_lab::{MIB, Pc, Signal, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{Run, STATE, Station, digest};

/// A second model, on slot A2.
const OTHER: &str = "
[[model]]
name = \"acme/other\"
image = \"/srv/images/other.img\"
require = \"none\"

[[slot]]
name = \"A2\"
ports = [\"pci-0000:00:1c.0/usb3-2/lun-0\", \"pci-0000:00:1c.0/usb2-2/lun-0\"]
model = \"acme/other\"
";

#[test]
fn long_an_image_that_is_removed_or_cut_while_it_is_staged_arms_nothing_and_two_copies_exchanged_in_the_store_reach_no_wrong_card() {
    let pc = Pc::start();
    let (one, other, large) = (Image::new(4 * MIB, 1), Image::new(4 * MIB, 2), Image::new(192 * MIB, 3));
    pc.put_file(other.raw(), "/srv/images/other.img", 0o644);
    pc.put_file(large.raw(), "/srv/images/kept.img", 0o644);
    let station = Factory::new(&pc, &one.raw()).slot("A1", usb("1")).and(OTHER).run();
    for (nth, spoil) in [(1, "rm /srv/images/large.img"), (2, "truncate --size 100M /srv/images/large.img")] {
        pc.sh("ln -f /srv/images/kept.img /srv/images/large.img; cp /etc/flashline/config.toml /tmp/good.toml; sed -i s,/srv/images/image.img,/srv/images/large.img, /etc/flashline/config.toml");
        station.job.kill(Signal::SIGHUP);
        // The file is cut as soon as its copying begins.
        pc.wait_for(&format!("ls {STATE}/images/.staging-* 2>/dev/null"), secs(30));
        pc.sh(&format!("{spoil}; cp /tmp/good.toml /etc/flashline/config.toml"));
        let line = station.job.wait_for_nth_line(nth, "the configuration is not taken over: nothing has changed", secs(60));
        assert!(line.contains("large.img"), "{line}");
    }
    assert_eq!(pc.sh(&format!("ls -A {STATE}/images | wc -l")), "4", "nothing half-made stays in the store");
    let sticks = ["1", "2"].map(|port| pc.usb(port).size(16 * MIB).filled(1).plug());
    for (slot, stick, image) in [("A1", &sticks[0], &one), ("A2", &sticks[1], &other)] {
        station.wait_for(slot, "PASS");
        assert_eq!(stick.first_difference(image.raw()), None, "{slot}");
    }
    // First the bytes alone, then together with the recorded facts about them.
    for (round, names) in [(2, "img"), (3, "img json")] {
        if station.job.is_running() {
            station.stop();
        }
        sticks.iter().for_each(flashline_lab::UsbStick::pull);
        pc.sh(&format!(
            "cd {STATE}/images; for e in {names}; do mv {0}.$e spare && mv {1}.$e {0}.$e && mv spare {1}.$e; done",
            digest(&one),
            digest(&other)
        ));
        let again = Station::start(&pc);
        again.job.wait_for_line("the station runs", secs(60));
        sticks.iter().for_each(flashline_lab::UsbStick::plug);
        for (slot, stick, image, wrong) in [("A1", &sticks[0], &one, &other), ("A2", &sticks[1], &other, &one)] {
            again.job.wait_for_line(&format!("^{slot}  (PASS|STATION FAULT|REFUSED)"), secs(120));
            let row = again.rows_of(slot).pop().expect("it has a row");
            assert!(row["outcome"] != "failed", "a good card is not called bad: {row}");
            if row["outcome"] == "passed" {
                assert_eq!(stick.first_difference(image.raw()), None, "{slot}, round {round}");
            }
            assert_ne!(stick.first_difference(wrong.raw()), None, "{slot}, round {round}: the image of the other model");
        }
        // The station repairs the copies itself: their sources are present.
        pc.wait_until("both to be armed again", secs(60), || (pc.run("flashline status").status == 0).then_some(()));
        again.stop();
    }
    pc.sh("flashline log verify");
}
