//! The station as a systemd service: how systemd controls it, and what it reports to systemd.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{Station, is_tombstone};

/// The unit's own value is ten seconds; the tests do not wait that long.
const IMPATIENT: &str = "[Service]\nWatchdogSec=3\n";

#[test]
fn a_station_that_hangs_is_restarted_by_systemd_and_its_attempt_is_interrupted() {
    let pc = Pc::start();
    let image = Image::new(16 * MIB, 7);
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).configured();
    let station = Station::under_systemd(&pc, IMPATIENT);
    // One at a time: the order of several differs between releases of systemd.
    let property = |name: &str| pc.sh(&format!("systemctl show --value -p {name} flashline"));
    assert_eq!((property("Type").as_str(), property("ActiveState").as_str()), ("notify", "active"), "started means that it watches");
    // If the PC has no memory left, every other program is ended first.
    assert_eq!(pc.sh("cat /proc/$(systemctl show --value -p MainPID flashline)/oom_score_adj"), "-900");
    let stick = pc.usb("1").size(32 * MIB).filled(1).plug();
    stick.medium().faults(|faults| faults.bytes_per_second = Some(2_000_000));
    station.wait_for("A1", "WRITING");
    stick.medium().wait_written(4 * MIB, secs(60));
    pc.sh("systemctl kill --kill-who=main --signal=STOP flashline");
    station.job.wait_for_line("^STATION DOWN \\(watchdog\\)", secs(60));
    let line = station.wait_for("A1", "HELD");
    assert!(line.contains("put in again"), "{line}");
    let rows = station.rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["outcome"], "interrupted", "{}", rows[0]);
    assert!(is_tombstone(&stick.medium().head(64)));
    assert_eq!((property("NRestarts").as_str(), property("ActiveState").as_str()), ("1", "active"));
}

#[test]
fn a_reload_of_a_bad_configuration_fails_and_changes_nothing_and_a_busy_station_stops_before_systemd_kills_it() {
    let pc = Pc::start();
    let image = Image::new(16 * MIB, 7);
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).configured();
    let station = Station::under_systemd(&pc, "");
    let main_pid = || pc.sh("systemctl show --value -p MainPID flashline");
    let before = main_pid();
    let stick = pc.usb("1").size(32 * MIB).filled(1).plug();
    station.wait_for("A1", "WRITING");
    pc.sh("cp /etc/flashline/config.toml /tmp/good.toml; echo 'speed = 3' >> /etc/flashline/config.toml");
    let reload = pc.run("systemctl reload flashline");
    assert_ne!(reload.status, 0, "who asked is told: {reload}");
    station.job.wait_for_line("config.toml, line .*: unknown key `speed`", secs(20));
    station.wait_for("A1", "PASS");
    assert!(stick.medium().reads_as(image.raw()), "the card went on");
    assert_eq!(main_pid(), before, "and so did the station");
    pc.sh("cp /tmp/good.toml /etc/flashline/config.toml; systemctl reload flashline");
    station.job.wait_for_line("the new configuration holds", secs(20));
    assert_eq!(main_pid(), before);

    let stick = pc.usb("2").size(32 * MIB).filled(2).plug();
    stick.medium().faults(|faults| faults.bytes_per_second = Some(1_500_000));
    station.wait_for("A2", "WRITING");
    stick.medium().wait_written(4 * MIB, secs(60));
    pc.sh("systemctl stop flashline");
    station.job.wait_for_line("^STATION DOWN  no card is being written", secs(20));
    // The result is `timeout` if stopping needed more than `TimeoutStopSec=` of the unit.
    assert_eq!(pc.sh("systemctl show --value -p Result flashline"), "success");
    assert_eq!(station.rows_of("A2")[0]["outcome"], "interrupted");
    assert!(is_tombstone(&stick.medium().head(64)));
}
