//! A reader with four slots behind one plug is four slots of the station, and one device that can be lost.

use flashline_lab::{MIB, Pc, secs};

use crate::cards::{HEAD, Moved};
use crate::factory::{Factory, Image, lun, usb};
use crate::station::{A_PIECE_A_SECOND, Run, first_stray, is_tombstone};

const SLOTS: [&str; 4] = ["R1", "R2", "R3", "R4"];

fn with_reader(factory: Factory<'_>) -> Factory<'_> {
    (0..).zip(SLOTS).fold(factory, |factory, (slot, name)| factory.slot(name, lun(slot)))
}

#[test]
fn cards_in_a_reader_pass_and_its_empty_slots_stay_empty_and_make_no_rows() {
    let pc = Pc::start();
    let image = Image::new(8 * MIB + 512, 7);
    let reader = pc.reader("READER0001").plug();
    let station = with_reader(Factory::new(&pc, &image.raw())).run();
    for slot in SLOTS {
        station.wait_for(slot, "EMPTY");
    }
    let cards = [1, 3].map(|slot| reader.card(slot).size(32 * MIB).filled(slot.into()).insert());
    let protected = reader.card(2).size(32 * MIB).filled(2).write_protected().insert();
    station.wait_for("R2", "PASS");
    station.wait_for("R4", "PASS");
    let line = station.wait_for("R3", "REFUSED");
    assert!(line.contains("write-protected"), "{line}");
    protected.settle();
    assert!(protected.untouched(), "touched at {:?}", protected.first_touched());
    for card in &cards {
        card.settle();
        assert_eq!(card.first_difference(image.raw()), None);
        assert_eq!(first_stray(card, 8 * MIB + 512), None, "nothing behind the image changed");
    }
    assert_eq!(station.job.count_lines("^R1"), 1, "the slot that stayed empty said EMPTY, once");
    let mut told: Vec<_> = station.rows().iter().map(|row| format!("{} {} {}", row["slot"], row["outcome"], row["identified"])).collect();
    told.sort();
    assert_eq!(
        told,
        [r#""R2" "passed" "reader-only""#, r#""R3" "refused" "reader-only""#, r#""R4" "passed" "reader-only""#],
        "a reader's serial is no card's"
    );
    // When its card is taken out, a slot asks for the next card, and accepts it.
    cards[0].eject();
    station.job.wait_for_nth_line(2, "^R2  EMPTY", secs(20));
    cards[0].insert();
    station.job.wait_for_nth_line(2, "^R2  PASS", secs(60));
}

#[test]
fn a_card_taken_out_of_a_busy_reader_is_pulled_and_its_neighbours_pass() {
    let pc = Pc::start();
    let image = Image::new(8 * MIB, 7);
    let reader = pc.reader("READER0001").plug();
    let station = with_reader(Factory::new(&pc, &image.raw())).run();
    let cards = [0, 1, 2].map(|slot| {
        station.pace(&reader.node(slot), Some(2 * A_PIECE_A_SECOND));
        reader.card(slot).size(32 * MIB).filled(slot.into()).insert()
    });
    for slot in ["R1", "R2", "R3"] {
        station.wait_for(slot, "WRITING");
    }
    // If it were taken out before, it would keep its sign.
    let _written = pc.wait_for(&format!("[ {} -ge {} ]", Moved::Written.sectors(&reader.node(1)), HEAD / 512), secs(60));
    cards[1].eject();
    let line = station.wait_for("R2", "PULLED");
    assert!(line.contains("taken out while busy"), "one card that leaves is no lost reader: {line}");
    for (slot, card) in [("R1", &cards[0]), ("R3", &cards[2])] {
        station.wait_for(slot, "PASS");
        card.settle();
        assert_eq!(card.first_difference(image.raw()), None);
        assert_eq!(station.rows_of(slot)[0]["outcome"], "passed");
    }
    cards[1].settle();
    assert!(is_tombstone(&cards[1].head(64)), "it cannot boot");
    let row = &station.rows_of("R2")[0];
    assert_eq!((row["outcome"].as_str(), row["code"].as_str()), (Some("pulled"), None), "{row}");
    assert_eq!(station.rows().len(), 3);
}

#[test]
fn long_a_reader_unplugged_with_four_busy_cards_is_one_cause_in_four_rows_and_a_stick_beside_it_passes() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let reader = pc.reader("READER0001").plug();
    let station = with_reader(Factory::new(&pc, &image.raw())).slot("A1", usb("1")).run();
    // Plugged in with its cards, it shows all four at once.
    reader.pull();
    let cards = [0, 1, 2, 3].map(|slot| reader.card(slot).size(32 * MIB).filled(slot.into()).insert());
    reader.plug();
    let stick = pc.usb("1").size(32 * MIB).filled(9).plug();
    stick.faults(|faults| faults.bytes_per_second = Some(2 * MIB));
    // All data goes through one reader, which does one thing after another: all four slots are busy.
    cards.iter().for_each(|card| card.faults(|faults| faults.bytes_per_second = Some(MIB / 4)));
    for (slot, card) in SLOTS.iter().zip(&cards) {
        station.wait_for(slot, "WRITING");
        card.wait_written(1, secs(60));
    }
    let head = std::fs::read(image.raw()).expect("a temporary file")[..512].to_vec();
    reader.pull();
    cards.iter().for_each(|card| card.faults(|faults| faults.bytes_per_second = None));
    for (slot, card) in SLOTS.iter().zip(&cards) {
        let line = station.wait_for(slot, "PULLED");
        assert!(line.contains("reader lost") && line.contains("R1 R2 R3 R4") && line.contains("call the station engineer"), "{line}");
        let row = &station.rows_of(slot)[0];
        assert_eq!((row["outcome"].as_str(), row["code"].as_str()), (Some("pulled"), Some("reader-lost")), "{row}");
        assert_eq!(row["reason"], "reader lost: platform-dummy_hcd.0/usb3-1 with R1 R2 R3 R4", "{row}");
        card.settle();
        assert_ne!(card.head(512), head, "{slot}: it cannot boot");
    }
    station.wait_for("A1", "PASS");
    assert!(stick.reads_as(image.raw()));
    assert_eq!(station.rows().len(), 5);
    // When the reader is plugged in again, its cards are written from the start.
    reader.plug();
    for (slot, card) in SLOTS.iter().zip(&cards) {
        station.wait_for(slot, "PASS");
        card.settle();
        assert_eq!(card.first_difference(image.raw()), None, "{slot}");
    }
    assert_eq!(station.rows().iter().filter(|row| row["outcome"] == "passed").count(), 5);
}

#[test]
fn long_a_card_taken_out_of_a_reader_when_udev_has_long_given_it_up_is_pulled() {
    let pc = Pc::start();
    let image = Image::new(64 * MIB, 7);
    let reader = pc.reader("READER0001").plug();
    let station = with_reader(Factory::new(&pc, &image.raw())).run();
    let node = reader.node(0);
    station.pace(&node, Some(A_PIECE_A_SECOND / 5));
    let card = reader.card(0).size(128 * MIB).filled(1).insert();
    station.wait_for("R1", "WRITING");
    // udev keeps the events of a locked disk for three minutes, and then drops them.
    pc.sh(&format!("udevadm trigger --action=change {node}"));
    assert!(!pc.run("udevadm settle --timeout=3").success(), "the disk is ours: udev waits");
    std::thread::sleep(secs(200));
    assert!(pc.run("udevadm settle --timeout=3").success(), "udev waits no longer");
    assert_eq!(station.job.count_lines("^R1  PULLED"), 0);
    card.eject();
    station.wait_for("R1", "PULLED");
    let rows = station.rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["outcome"], "pulled", "{}", rows[0]);
    card.settle();
    assert!(is_tombstone(&card.head(64)), "it cannot boot");
    station.pace(&node, None);
    card.insert();
    station.wait_for("R1", "PASS");
    card.settle();
    assert_eq!(card.first_difference(image.raw()), None);
}
