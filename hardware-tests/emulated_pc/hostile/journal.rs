//! A journal that accepts nothing: lines are lost and counted, cards are not.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::Station;

/// Every event is a line, each tick as well, ten a second: in [`SILENT`] seconds there are more than a queue of 1024 and a socket's buffer
/// of some 170 can hold, however slow the PC is.
const TALKATIVE: &str = "[Service]\nEnvironment=FLASHLINE_LOG=flashline=trace\n";

const SILENT: u64 = 150;

/// A client asks all the time. If a request is not answered in eight seconds, it fails.
const QUESTIONS: &str = "end=$(($(cut -d. -f1 /proc/uptime) + SILENT)); asked=0
    while [ $(cut -d. -f1 /proc/uptime) -lt $end ]; do
        timeout 8 flashline identify A1 >/dev/null || exit 1
        timeout 8 flashline status >/dev/null || exit 1
        asked=$((asked + 2))
    done
    echo $asked";

#[test]
fn long_a_journal_that_takes_nothing_for_minutes_costs_lines_and_neither_the_station_nor_its_card() {
    let pc = Pc::start();
    let image = Image::new(16 * MIB, 7);
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).configured();
    let station = Station::under_systemd(&pc, TALKATIVE);
    station.job.wait_for_line("the station runs", secs(60));
    let stick = pc.usb("1").size(32 * MIB).filled(1).plug();
    stick.faults(|faults| faults.bytes_per_second = Some(MIB / 16));
    station.wait_for("A1", "WRITING");
    let main_pid = || pc.sh("systemctl show --value -p MainPID flashline");
    let before = main_pid();

    pc.sh("kill -STOP $(systemctl show --value -p MainPID systemd-journald)");
    let asked = pc.spawn(&QUESTIONS.replace("SILENT", &SILENT.to_string())).wait(secs(2 * SILENT));
    let status = pc.run("timeout 8 flashline status");
    pc.sh("kill -CONT $(systemctl show --value -p MainPID systemd-journald)");
    assert_eq!(asked.status, 0, "the station stopped to answer: {asked}");
    assert!(asked.stdout.trim().parse::<u32>().is_ok_and(|asked| asked > 50), "{asked}");
    assert_eq!(status.status, 0, "{status}");
    assert!(status.stdout.contains("A1  WRITING") || status.stdout.contains("A1  READING BACK"), "{}", status.stdout);

    station.job.wait_for_line("[0-9]+ events were lost", secs(60));
    stick.faults(|faults| faults.bytes_per_second = None);
    station.wait_for("A1", "PASS");
    assert_eq!(stick.first_difference(image.raw()), None);
    assert_eq!(main_pid(), before, "it is the same station");
    assert_eq!(pc.sh("systemctl show --value -p NRestarts flashline"), "0");
    assert_eq!(station.rows().len(), 1, "one attempt, and one row");
}
