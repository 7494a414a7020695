//! Nodes in `/dev` that another program removed or replaced after the card was seen.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::Run;

#[test]
fn a_node_that_another_program_removed_or_replaced_costs_no_card_and_opens_nothing_else() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let victim = pc.disk("victim").size(32 * MIB).filled(9).plug();
    let factory = (1..=5).fold(Factory::new(&pc, &image.raw()), |factory, port| factory.slot(&format!("A{port}"), usb(&port.to_string())));
    // Time for the other program, between the look at the card and the claim.
    let station = factory.replaced("name = \"emulated\"", "name = \"emulated\"\nsettle_ms = 6000").run();
    let opened_before = victim.counts();
    // Each time `NODE` is that of the stick that was just put in.
    let spoil = [
        (1, "rm NODE"),
        (2, "rm NODE && echo 'as dd makes it where there is no disk' >NODE"),
        (3, "rm NODE && mkfifo NODE"),
        (4, "rm NODE && cp -a VICTIM NODE"),
        (5, "true"),
    ];
    let mut nodes = Vec::new();
    let sticks = spoil.map(|(port, script)| {
        let stick = pc.usb(&port.to_string()).size(16 * MIB).filled(port).plug();
        nodes.push(stick.node());
        pc.sh(&script.replace("NODE", &nodes[nodes.len() - 1]).replace("VICTIM", &victim.node()));
        stick
    });
    for (slot, cure) in [("A1", "in /dev was removed"), ("A2", "remove that"), ("A3", "remove that"), ("A4", "remove that")] {
        let line = station.wait_for(slot, "REFUSED");
        assert!(line.contains("cannot be opened") && line.contains(cure) && line.contains("call the station engineer"), "{line}");
        let rows = station.rows_of(slot);
        assert_eq!(
            (rows.len(), rows[0]["outcome"].as_str(), rows[0]["code"].as_str()),
            (1, Some("refused"), Some("cannot-open")),
            "{rows:?}"
        );
    }
    station.wait_for("A5", "PASS");
    assert_eq!(sticks[4].first_difference(image.raw()), None);
    for stick in &sticks[..4] {
        assert!(stick.untouched(), "touched at {:?}", stick.first_touched());
    }
    assert!(victim.untouched());
    assert_eq!(victim.counts().writes, opened_before.writes, "another disk was not even written back");
    // Carries out the cure that the message names.
    pc.sh(&format!("rm {}", nodes[1]));
    sticks[1].pull();
    station.job.wait_for_nth_line(2, "^A2  EMPTY", secs(60));
    sticks[1].plug();
    station.wait_for("A2", "PASS");
    assert_eq!(sticks[1].first_difference(image.raw()), None);
    pc.sh("flashline log verify");
}
