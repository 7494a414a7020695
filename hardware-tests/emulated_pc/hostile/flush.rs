//! Cards with a volatile cache that the kernel does not know of: it never sends a flush to a USB device that shows no caching page.

use std::time::Duration;

use flashline_lab::{Errno, MIB, Pc, UsbStick, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{Run, STATE, Station, believe_write_through};

/// The make of every stick of QEMU.
const MAKE: &str = "46f4:0001 revision 0000";

/// The newest row of a slot.
fn newest(station: &Station<'_>, slot: &str) -> serde_json::Value {
    station.rows_of(slot).pop().unwrap_or_else(|| panic!("{slot} has no row"))
}

/// A stick whose cache forgets what was not flushed.
fn stick(pc: &Pc, port: &str) -> UsbStick {
    let stick = pc.usb(port).size(16 * MIB).filled(1).plug();
    stick.faults(|faults| faults.volatile_cache = true);
    stick
}

#[test]
fn a_card_whose_cache_the_kernel_is_not_told_of_is_flushed_before_it_passes_however_its_device_answers() {
    let image = Image::new(6 * MIB, 7);
    let pc = Pc::start();
    believe_write_through(&pc, true);
    let factory =
        ["1", "2", "3", "4"].iter().fold(Factory::new(&pc, &image.raw()), |factory, port| factory.slot(&format!("A{port}"), usb(port)));
    let station = factory.run();

    // Accepted: by both ways of addressing a stick.
    let plain = stick(&pc, "1");
    let uas = pc.usb("2").uas().size(16 * MIB).filled(2).plug();
    uas.faults(|faults| faults.volatile_cache = true);
    for (slot, stick) in [("A1", &plain), ("A2", &uas)] {
        station.wait_for(slot, "PASS");
        let disk = stick.node().replace("/dev/", "");
        let believed = pc.sh(&format!("cat /sys/block/{disk}/device/scsi_disk/*/cache_type"));
        assert_eq!(believed, "write through", "{slot}: the kernel sends it no flush");
        assert_eq!(stick.counts().bytes_since_flush, 0, "{slot} is green, and what it holds can be lost");
        assert_eq!(newest(&station, slot)["flush"], "asked", "{slot}");
        assert_eq!(newest(&station, slot)["head"], "image", "{slot}");
        assert_eq!(stick.power_cut(50, 1), 0, "{slot} lost something");
        assert_eq!(stick.first_difference(image.raw()), None, "{slot}");
    }

    // Refused: QEMU reports EINVAL as ILLEGAL REQUEST.
    let without = pc.usb("3").size(16 * MIB).filled(3).plug();
    without.faults(|faults| faults.all_flushes = Some(Errno::INVALID));
    station.wait_for("A3", "PASS");
    assert_eq!(newest(&station, "A3")["flush"], "refused");
    assert_eq!(without.counts().flushes_asked, 1, "once, and not again after it said that it has no cache");

    // Gone: it leaves the bus when it is asked, and is back at once.
    let leaves = stick(&pc, "4");
    leaves.faults(|faults| faults.flushes_hang = true);
    leaves.wait_counts("the question", secs(60), |counts| counts.flushes_asked == 1);
    leaves.pull();
    leaves.faults(|faults| faults.flushes_hang = false);
    station.job.wait_for_line("^A4 .*PULLED", secs(60));
    // QEMU flushes a device that is unplugged.
    let asked = leaves.counts().flushes_asked;
    leaves.plug();
    station.wait_for("A4", "PASS");
    assert_eq!(leaves.counts().flushes_asked, asked, "it was not asked again");
    let rows = station.rows_of("A4");
    let said: Vec<_> = rows.iter().map(|row| (row["outcome"].as_str(), row["flush"].as_str(), row["head"].as_str())).collect();
    let unanswered = Some("unanswered");
    assert_eq!(said, [(Some("pulled"), unanswered, Some("untouched")), (Some("passed"), unanswered, Some("image"))]);
    let known = pc.wait_until("the make written down", secs(30), || {
        Some(pc.sh(&format!("cat {STATE}/unanswered.json 2>/dev/null || true"))).filter(|text| text.contains(MAKE))
    });
    assert_eq!(serde_json::from_str::<Vec<String>>(&known).expect("JSON"), [MAKE]);

    // Remembered over a restart. If the configuration requires a flush, the card is refused with the reason.
    station.stop();
    pc.sh("sed -i 's/^done = .*/&\\nflush = \"required\"/' /etc/flashline/config.toml");
    let again = Station::start(&pc);
    again.job.wait_for_line("the station runs", secs(60));
    plain.pull();
    plain.wait_gone();
    // A hand takes longer than a device that comes back by itself.
    std::thread::sleep(secs(3));
    let touched = plain.counts().writes;
    plain.plug();
    let line = again.wait_for("A1", "REFUSED");
    assert!(line.contains(MAKE) && line.contains("does not answer"), "{line}");
    assert_eq!(plain.counts().writes, touched, "it is untouched");
    assert_eq!(newest(&again, "A1")["code"], "unflushed");
}

/// A device that answers nothing while it is asked: it hangs on the command, and goes on once the kernel has reset it.
#[test]
fn long_a_device_that_is_silent_when_it_is_asked_to_flush_is_written_all_the_same_and_not_asked_again() {
    let image = Image::new(6 * MIB, 7);
    let pc = Pc::start();
    believe_write_through(&pc, true);
    let factory = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2"));
    let factory = factory.replaced("name = \"emulated\"", "name = \"emulated\"\nstall_timeout_s = 60");
    let station = factory.run();
    let silent = stick(&pc, "1");
    silent.faults(|faults| faults.flushes_hang = true);
    silent.wait_counts("the question", secs(60), |counts| counts.flushes_asked == 1);
    // QEMU waits for its card, and the whole PC with it, once the guest aborts the command: 110 s after it was sent.
    std::thread::sleep(Duration::from_secs(112));
    silent.faults(|faults| faults.flushes_hang = false);
    station.job.wait_for_line("^A1  PASS", secs(180));
    assert_eq!(newest(&station, "A1")["flush"], "unanswered");
    let _other = stick(&pc, "2");
    station.wait_for("A2", "PASS");
    assert_eq!(newest(&station, "A2")["flush"], "unanswered");
}
