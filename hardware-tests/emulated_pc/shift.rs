//! The end of a shift: every screen shows the anchor for the shift sheet, and the anchor detects a log that was cut or replaced.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::Run;

/// Half a minute to a minute and a half from now, by the guest's clock.
fn soon(pc: &Pc) -> String {
    let seconds: u32 = pc.sh("date +%S").trim().parse().expect("a number");
    let minutes = if seconds < 30 { 1 } else { 2 };
    pc.sh(&format!("date --date '+{minutes} minutes' +%H:%M")).trim().to_owned()
}

#[test]
fn the_anchor_of_a_shift_is_shown_when_it_ends_and_a_log_from_before_does_not_pass_for_it() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let shift = format!("\n[shift]\nstarts = [{:?}]\n", soon(&pc));
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).and(&shift).run();
    pc.sh("flashline log export /run/before.db");
    let card = pc.usb("1").size(16 * MIB).filled(1).plug();
    station.wait_for("A1", "PASS");
    assert!(card.reads_as(image.raw()));

    let told = station.job.wait_for_line("a shift has ended: write this on the shift sheet", secs(180));
    let status = pc.sh("flashline status");
    let (_, anchor) = status.lines().find_map(|line| line.split_once("write this on the shift sheet: ")).expect("status shows it");
    assert!(told.contains(anchor.trim()), "the journal says the same: {told}");
    let verify = |more: &str| pc.run(&format!("flashline log verify --anchor {} {more}", anchor.trim()));
    let here = verify("");
    assert!(here.success(), "the log passes through its own anchor: {here}");
    let before = verify("--file /run/before.db");
    assert_eq!(before.status, 1, "and one from before the card does not: {before}");
}
