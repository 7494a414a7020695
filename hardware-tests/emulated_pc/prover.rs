//! The proof of the prover: at the start and when a shift begins, the station shows on its state disk that its verifier detects faults.
//! Until it is shown, no card is started.

use flashline_lab::{Errno, MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::{FileSystem, Run, STATE, Station, state_disk};

/// The journal's line about a proof that was made.
const PROVEN: &str = "the verifier is proven: it found every planted fault";

/// One and a half to two and a half minutes from now, by the guest's clock: the station has started and proven its verifier by then.
fn later(pc: &Pc) -> String {
    let seconds: u32 = pc.sh("date +%S").trim().parse().expect("a number");
    let minutes = if seconds < 30 { 2 } else { 3 };
    pc.sh(&format!("date --date '+{minutes} minutes' +%H:%M")).trim().to_owned()
}

/// The files of the prover that are there.
fn left_over(pc: &Pc) -> String {
    pc.sh(&format!("ls {STATE}/prover 2>/dev/null || true"))
}

#[test]
fn the_verifier_is_proven_at_the_start_and_when_a_shift_begins_and_the_report_of_the_lot_says_so() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    // As a station that was killed leaves them.
    pc.sh(&format!("mkdir -p {STATE}/prover && echo left >{STATE}/prover/card && echo left >{STATE}/prover/image"));
    let shift = format!("\n[shift]\nstarts = [{:?}]\n", later(&pc));
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).and(&shift).run();
    let told = station.job.wait_for_line(PROVEN, secs(120));
    assert!(told.contains("planted="), "{told}");
    assert_eq!(left_over(&pc), "", "its files are gone");
    let card = pc.usb("1").size(16 * MIB).filled(1).plug();
    station.wait_for("A1", "PASS");
    assert!(card.reads_as(image.raw()));
    let report = || pc.sh("flashline log report -o -");
    let first = report();
    assert_eq!(first.matches("The verifier was proven at").count(), 1, "{first}");
    assert!(!first.contains("have no proof of the verifier"), "{first}");

    station.job.wait_for_nth_line(2, PROVEN, secs(240));
    card.pull();
    card.wait_gone();
    // One that is back within two seconds came back by itself.
    std::thread::sleep(secs(3));
    pc.usb("1").size(16 * MIB).filled(2).plug();
    station.job.wait_for_nth_line(2, "^A1  PASS", secs(120));
    let second = report();
    assert_eq!(second.matches("The verifier was proven at").count(), 2, "one for each card: {second}");
    let checked = pc.run("flashline check");
    assert!(checked.stdout.contains("✓ verifier"), "{checked}");
    assert_eq!(left_over(&pc), "", "its files are gone");
}

#[test]
fn a_full_state_disk_is_no_fault_of_the_verifier_and_cards_wait_until_it_is_proven() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let _disk = state_disk(&pc, FileSystem::Ext4);
    let factory = || Factory::new(&pc, &image.raw()).slot("A1", usb("1"));
    // The log and the staged image are there, so that the station can start.
    let station = factory().run();
    station.job.wait_for_line(PROVEN, secs(120));
    station.stop();
    // Room for the log, but not for the files of the proof.
    pc.sh(&format!(
        "free=$(df --output=avail --block-size=1k {STATE} | tail -n 1); dd if=/dev/zero of={STATE}/filler bs=1k count=$((free - 600)); sync"
    ));
    let station = Station::start(&pc);
    let fault = station.job.wait_for_line("^STATION FAULT", secs(120));
    assert!(fault.contains("the verifier could not be proven") && fault.contains("make room on it"), "{fault}");
    assert!(!fault.contains("missed"), "the verifier is not blamed: {fault}");
    station.wait_for("A1", "DISARMED");
    let card = pc.usb("1").size(16 * MIB).filled(1).plug();
    station.wait_for("A1", "WAIT");
    // Longer than settling and a further trial.
    std::thread::sleep(secs(8));
    assert!(card.untouched(), "nothing is begun");
    let status = pc.run("flashline status");
    assert!(status.status == 1 && status.stdout.contains("the verifier could not be proven"), "{status}");
    let json = pc.run("flashline status --json");
    assert!(json.stdout.contains("\"verifier\":\"impossible\""), "{json}");

    pc.sh(&format!("rm {STATE}/filler; sync"));
    station.job.wait_for_line(PROVEN, secs(120));
    station.wait_for("A1", "PASS");
    assert!(card.reads_as(image.raw()));
    let report = pc.sh("flashline log report -o -");
    assert!(!report.contains("have no proof of the verifier"), "{report}");
}

#[test]
fn long_a_state_disk_that_answers_with_errors_says_so_and_the_verifier_is_proven_when_it_works_again() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let disk = state_disk(&pc, FileSystem::Ext4WithoutJournal);
    let shift = format!("\n[shift]\nstarts = [{:?}]\n", later(&pc));
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).and(&shift).run();
    station.job.wait_for_line(PROVEN, secs(120));
    disk.faults(|faults| faults.all_writes = Some(Errno::IO));
    // When the shift begins, the proof cannot be made.
    let fault = station.job.wait_for_line("the verifier could not be proven", secs(300));
    assert!(fault.contains("its disk answered with an error; check the disk"), "{fault}");
    disk.faults(|faults| faults.all_writes = None);
    station.job.wait_for_nth_line(2, PROVEN, secs(120));
    let card = pc.usb("1").size(16 * MIB).filled(1).plug();
    station.wait_for("A1", "PASS");
    assert!(card.reads_as(image.raw()));
}
