//! `flashline setup`: from the installed package to the first PASS, by a person at a terminal.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, install_units};
use crate::station::{FileSystem, Station, state_disk};
use crate::teach::Lesson;

#[test]
fn one_guided_command_leads_from_the_package_to_the_first_pass_and_keeps_what_is_done_when_it_is_run_again() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let _program_and_image = Factory::new(&pc, &image.raw());
    install_units(&pc);
    let _state = state_disk(&pc, FileSystem::Ext4);
    let without = pc.run("flashline setup </dev/null");
    assert!(without.status == 2 && without.stderr.contains("run this on a terminal"), "{without}");

    let setup = Lesson::of(&pc, "flashline setup --names A1,A2");
    let cards = [("A1", "1"), ("A2", "2")].map(|(slot, port)| {
        setup.asks_for(slot);
        let card = pc.usb(port).size(32 * MIB).filled(1).plug();
        setup.says(&format!("^  {slot} is "));
        card.pull();
        card
    });
    setup.answers("the image that is written to the cards", "/srv/images/image.img");
    setup.answers("its signed model assertion (empty: the image is not one of Ubuntu Core)", "");
    setup.answers("the name of the model, as BRAND/MODEL", "acme/box");
    let (status, said) = setup.ends();
    assert_eq!(status, 0, "{said}");
    for words in ["step 5 of 5", "model proof: none", "0 ✗", "the station runs: put a card into a slot"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(cards.iter().all(|card| card.untouched()), "no card is written while slots are taught");
    assert_eq!(pc.sh("systemctl is-active flashline; systemctl is-enabled flashline"), "active\nenabled");
    let rules = pc.sh("cat /etc/udev/rules.d/61-flashline.rules");
    assert!(rules.contains("# slot A1") && rules.contains("# slot A2"), "{rules}");

    let station = Station::journal(&pc);
    cards[0].plug();
    station.wait_for("A1", "PASS");
    assert!(cards[0].reads_as(image.raw()));

    let config = pc.get("/etc/flashline/config.toml");
    let again = Lesson::of(&pc, "flashline setup");
    let (status, said) = again.ends();
    assert!(status == 0 && said.contains("kept: acme/box") && said.contains("kept: A1 A2"), "{said}");
    assert_eq!(pc.get("/etc/flashline/config.toml"), config, "a second time changes nothing");
    pc.wait_for("systemctl is-active flashline", secs(30));
    assert!(cards[0].reads_as(image.raw()));
}
