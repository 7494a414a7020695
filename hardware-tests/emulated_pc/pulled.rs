//! A card taken out while it is busy is PULLED, at any moment and in any kind of slot, and the slot accepts the next card.

use flashline_lab::{MIB, Pc};

use crate::cards::{IMAGE, Moment, Source, at_once, slots};
use crate::factory::{Factory, Image};
use crate::station::Run;

#[test]
fn long_a_card_pulled_while_writing_is_pulled_and_cannot_boot_whatever_it_sits_in() {
    pulled(Moment::Writing);
}

#[test]
fn long_a_card_pulled_while_reading_back_is_pulled_and_cannot_boot_whatever_it_sits_in() {
    pulled(Moment::ReadingBack);
}

#[test]
fn a_card_pulled_while_its_head_is_written_is_pulled_and_never_passes_whatever_it_sits_in() {
    pulled(Moment::WritingTheHead);
}

fn pulled(moment: Moment) {
    let pc = Pc::start();
    let image = Image::new(IMAGE, 7);
    let reader = pc.reader("READER0001").plug();
    let station = slots(Factory::new(&pc, &image.raw())).run();
    let cards = at_once(Source::ALL, |source| {
        let card = source.put_in(&pc, &reader, 16 * MIB);
        card.slow_down(&station);
        card.wait_for(moment);
        card.take_out();
        card
    });
    for (source, card) in Source::ALL.iter().zip(&cards) {
        let line = station.wait_for(source.slot(), "PULLED");
        assert!(line.contains("taken out while busy"), "{line}");
        let rows = station.rows_of(source.slot());
        assert_eq!(rows.len(), 1, "{source:?} {rows:?}");
        assert_eq!((rows[0]["outcome"].as_str(), rows[0]["code"].as_str()), (Some("pulled"), None), "{source:?} {}", rows[0]);
        let may_boot = moment == Moment::WritingTheHead;
        assert!(card.cannot_boot() || may_boot, "{source:?}: its head begins with {:?}", card.head(64));
        assert_eq!(station.job.count_lines(&format!("^{}  PASS", source.slot())), 0, "nobody ever saw it green");
    }
    station.pace(&reader.node(0), None);
    let next = Source::ALL.map(|source| source.put_in(&pc, &reader, 32 * MIB));
    for (source, card) in Source::ALL.iter().zip(&next) {
        station.wait_for(source.slot(), "PASS");
        card.settle();
        assert_eq!(card.first_difference(image.raw()), None, "{source:?}");
        let outcomes: Vec<_> = station.rows_of(source.slot()).iter().map(|row| row["outcome"].clone()).collect();
        assert_eq!(outcomes, ["pulled", "passed"], "{source:?}: each card has its row");
    }
}
