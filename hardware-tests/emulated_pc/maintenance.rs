//! Maintenance: no card is begun while somebody works on the station, over restarts, until somebody ends it.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, sd, usb};
use crate::station::{Run, Station};

/// Runs a command as a member of `flashline-admin` with this number, which has no account.
const ANN: &str = "setpriv --reuid 4321 --regid 7001 --clear-groups";

/// The state of the SD host's own LED: lit, blinking by a pattern, or neither.
fn is_dark(pc: &Pc) -> bool {
    pc.sh("cd /sys/class/leds/mmc0::; if grep -q '\\[pattern\\]' trigger; then echo blinks; else cat brightness; fi") == "0"
}

#[test]
fn a_station_in_maintenance_ends_its_cards_begins_none_and_looks_empty_nowhere_over_kill_and_restart() {
    let pc = Pc::start();
    let image = Image::new(6 * MIB, 7);
    // As the unit does, so that LEDs blink.
    pc.sh("modprobe -a ledtrig-pattern ledtrig-timer; echo 'flashline-admin:x:7001:' >>/etc/group");
    let factory = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2"));
    let station = factory.lit_slot("S1", sd(0), "led = \"mmc0::\"").run();
    let busy = pc.usb("1").size(16 * MIB).filled(1).plug();
    busy.faults(|faults| faults.bytes_per_second = Some(2 * MIB));
    station.wait_for("A1", "WRITING");
    pc.wait_until("an empty slot with a dark lamp", secs(30), || is_dark(&pc).then_some(()));

    let wrong = pc.run(&format!("{ANN} flashline maintenance on --why ''"));
    assert!(wrong.status == 2 && wrong.stderr.contains("one line of 1 to 120 characters"), "{wrong}");
    let off = pc.run("flashline maintenance off");
    assert!(off.status == 1 && off.stderr.contains("the station is not in maintenance"), "{off}");
    pc.sh(&format!("{ANN} flashline maintenance on --why 'contacts are cleaned'"));
    let line = station.wait_for("S1", "MAINTENANCE");
    assert!(line.contains("maintenance by 4321: contacts are cleaned"), "{line}");
    pc.wait_until("a lamp that does not look empty", secs(30), || (!is_dark(&pc)).then_some(()));
    let tried = pc.usb("2").size(16 * MIB).filled(2).plug();
    let line = station.wait_for("A2", "HELD");
    assert!(line.contains("put in during maintenance"), "{line}");
    station.wait_for("A1", "PASS");
    assert_eq!(busy.first_difference(image.raw()), None, "the card that was busy went on");

    let shows = |what: &str| {
        let told = pc.sh("flashline status || true");
        assert!(
            told.contains("MAINTENANCE  by 4321: contacts are cleaned: no card is started until `flashline maintenance off`"),
            "{what}: {told}"
        );
        let checked = pc.run("flashline check");
        assert!(
            checked.stdout.contains("! maintenance    4321 works on the station, and no card is started: contacts are cleaned"),
            "{what}: {checked}"
        );
    };
    shows("as it was begun");
    pc.sh("kill -9 $(pidof flashline)");
    assert_eq!(station.job.wait(secs(20)).status, 137);
    let station = Station::start(&pc);
    station.wait_for("S1", "MAINTENANCE");
    shows("after a kill");
    tried.pull();
    tried.wait_gone();
    // One that is back within two seconds came back by itself.
    std::thread::sleep(secs(3));
    tried.plug();
    station.job.wait_for_line("^A2  HELD  put in during maintenance", secs(60));
    station.stop();
    let station = Station::start(&pc);
    station.wait_for("S1", "MAINTENANCE");
    shows("after a restart");

    pc.sh("flashline maintenance off");
    station.wait_for("S1", "EMPTY");
    pc.wait_until("an empty slot with a dark lamp", secs(30), || is_dark(&pc).then_some(()));
    std::thread::sleep(secs(3));
    assert!(tried.untouched(), "it was not put in to be written");
    tried.pull();
    tried.wait_gone();
    std::thread::sleep(secs(3));
    tried.plug();
    station.wait_for("A2", "PASS");
    assert_eq!(tried.first_difference(image.raw()), None);
    let checked = pc.run("flashline check");
    assert!(!checked.stdout.contains("maintenance"), "{checked}");
    pc.sh("flashline log verify");
}
