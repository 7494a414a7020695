//! The visit of a card: put in, written, proven, taken out, or taken out too soon.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, sd, usb};
use crate::station::{Run, digest, first_stray, is_tombstone};

#[test]
fn sticks_behind_a_hub_and_sd_cards_pass_at_once_and_each_has_its_row() {
    let pc = Pc::start();
    let image = Image::new(16 * MIB + 4096 + 512, 7);
    let hub = pc.hub("3");
    let station = Factory::new(&pc, &image.xz())
        .slot("A1", usb("1"))
        .slot("A2", usb("3.1"))
        .slot("A3", usb("3.2"))
        .slot("S1", sd(0))
        .slot("S2", sd(1))
        .run();
    let sticks = [("1", "CARD-1"), ("3.1", "CARD-2"), ("3.2", "CARD-3")]
        .map(|(port, serial)| pc.usb(port).serial(serial).size(32 * MIB).filled(1).plug());
    let cards = [0, 1].map(|slot| pc.sd(slot).size(32 * MIB).filled(2).insert());
    for slot in ["A1", "A2", "A3", "S1", "S2"] {
        station.wait_for(slot, "PASS");
    }
    for medium in sticks.iter().map(|stick| stick.medium()).chain(cards.iter().map(|card| card.medium())) {
        assert_eq!(medium.first_difference(image.raw()), None);
        assert_eq!(first_stray(medium, image_end(&image)), None, "nothing behind the image changed");
    }
    let rows = station.rows();
    assert_eq!(rows.len(), 5);
    for row in &rows {
        assert_eq!(row["outcome"], "passed", "{row}");
        assert_eq!(row["readback_blake3"], digest(&image).as_str(), "{row}");
    }
    let mut ports: Vec<String> = rows.iter().map(|row| row["port"].to_string()).collect();
    ports.sort();
    ports.dedup();
    assert_eq!(ports.len(), 5, "every row names its own port: {ports:?}");
    for (slot, serial) in [("A1", "CARD-1"), ("A2", "CARD-2"), ("A3", "CARD-3")] {
        assert_eq!(station.rows_of(slot)[0]["serial"], serial);
    }
    for slot in ["S1", "S2"] {
        assert_eq!(station.rows_of(slot)[0]["cid"], "aa585951454d552101deadbeef006200");
    }
    // When its card is taken out, every slot asks for the next card.
    let asked = station.job.count_lines("EMPTY");
    sticks.iter().for_each(|stick| stick.pull());
    cards.iter().for_each(|card| card.eject());
    station.job.wait_for_nth_line(asked + 5, "EMPTY", secs(20));
    drop(hub);
}

fn image_end(image: &Image) -> u64 {
    std::fs::metadata(image.raw()).expect("it is there").len().next_multiple_of(512)
}

#[test]
fn a_card_pulled_while_writing_is_pulled_and_the_others_pass() {
    let pc = Pc::start();
    let image = Image::new(64 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).slot("S1", sd(0)).run();
    let pulled = pc.usb("1").size(128 * MIB).filled(1).plug();
    pulled.medium().faults(|faults| faults.bytes_per_second = Some(8_000_000));
    let stays = pc.usb("2").size(128 * MIB).filled(2).plug();
    let card = pc.sd(0).size(64 * MIB).filled(3).insert();
    station.wait_for("A1", "WRITING");
    pulled.medium().wait_written(4 * MIB, secs(30));
    pulled.pull();
    let line = station.wait_for("A1", "PULLED");
    assert!(line.contains("taken out while busy"), "{line}");
    station.wait_for("A2", "PASS");
    station.wait_for("S1", "PASS");
    assert!(stays.medium().reads_as(image.raw()) && card.medium().reads_as(image.raw()));
    assert!(is_tombstone(&pulled.medium().head(64)), "it cannot boot");
    assert_eq!(station.rows_of("A1")[0]["outcome"], "pulled");
    // The same card again is written from the start.
    pulled.medium().faults(|faults| faults.bytes_per_second = None);
    pulled.plug();
    station.wait_for("A1", "PASS");
    assert!(pulled.medium().reads_as(image.raw()));
    let outcomes: Vec<_> = station.rows_of("A1").iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(outcomes, ["pulled", "passed"], "each visit has its row");
}
