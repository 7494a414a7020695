//! A card swapped for another within a fifth of a second, faster than the slot is polled: the second card is never shown or recorded as the
//! first.

use std::thread;
use std::time::Duration;

use flashline_lab::{MIB, Pc};

use crate::cards::{IMAGE, Moment, Source, at_once, slots};
use crate::factory::{Factory, Image};
use crate::station::Run;

/// The cards differ in capacity, which is in every line and in every row.
const FIRST: u64 = 16 * MIB;
const SECOND: u64 = 32 * MIB;

#[test]
fn long_a_card_swapped_while_writing_is_never_taken_for_the_one_before() {
    swapped(Moment::Writing);
}

#[test]
fn a_card_swapped_while_reading_back_is_never_taken_for_the_one_before() {
    swapped(Moment::ReadingBack);
}

#[test]
fn a_card_swapped_between_read_back_and_head_is_never_taken_for_the_one_before() {
    swapped(Moment::BeforeTheHead);
}

fn swapped(moment: Moment) {
    const SOURCES: [Source; 2] = [Source::Sd, Source::Reader];
    let pc = Pc::start();
    let image = Image::new(IMAGE, 7);
    let reader = pc.reader("READER0001").plug();
    // The second cards were in once, so that only putting them in takes time later.
    let second = at_once(SOURCES, |source| {
        let card = source.put_in(&pc, &reader, SECOND);
        card.take_out_in_peace();
        card
    });
    let station = slots(Factory::new(&pc, &image.raw())).run();
    let first = at_once([0, 1], |index: usize| {
        let card = SOURCES[index].put_in(&pc, &reader, FIRST);
        card.slow_down(&station);
        card.wait_for(moment);
        card.take_out();
        // An SD slot must be empty for somewhat longer, or its kernel driver notices nothing; the emulated card ensures that.
        thread::sleep(Duration::from_millis(50));
        second[index].put_in();
        card
    });
    station.pace(&reader.node(0), None);
    for ((source, first), second) in SOURCES.iter().zip(&first).zip(&second) {
        let slot = source.slot();
        let passed = station.wait_for(slot, "PASS");
        assert!(passed.contains("33.5 MB"), "the green card is the one in the slot: {passed}");
        assert_eq!(station.job.count_lines(&format!("^{slot}  PASS .*16.7 MB")), 0);
        let rows = station.rows_of(slot);
        let told: Vec<_> = rows.iter().map(|row| (row["outcome"].as_str(), row["capacity_bytes"].as_u64())).collect();
        assert_eq!(told, [(Some("pulled"), Some(FIRST)), (Some("passed"), Some(SECOND))], "{source:?}: each card has its own row");
        second.settle();
        assert_eq!(second.first_difference(image.raw()), None, "{source:?}: the second card was written whole");
        assert!(first.cannot_boot(), "{source:?}: its head begins with {:?}", first.head(64));
    }
}
