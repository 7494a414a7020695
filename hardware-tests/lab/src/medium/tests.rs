//! Tests of cards as files of the host: changes are found to the byte.

use std::io::Write;

use super::{Beyond, Plan};

const MIB: u64 = 1 << 20;

#[test]
fn an_empty_card_is_untouched_until_a_byte_changes() {
    let mut plan = Plan::default();
    // Far larger than a file that could be read in a moment: holes are not read.
    plan.set_size(64 << 30);
    let card = plan.make().expect("a card");
    assert!(card.untouched());
    card.write(40 << 30, &[0, 0, 7]);
    assert_eq!(card.first_touched(), Some((40 << 30) + 2));
    assert_eq!(card.first_touched_from((40 << 30) + 3), None);
    card.write(5, &[1]);
    assert_eq!(card.first_touched(), Some(5));
}

#[test]
fn a_filled_card_is_untouched_until_a_byte_changes() {
    let mut plan = Plan::default();
    plan.set_size(3 * MIB + 512);
    plan.set_pattern(42);
    let card = plan.make().expect("a card");
    assert!(card.untouched());
    assert_ne!(card.head(16), [0; 16]);
    for at in [3 * MIB + 511, MIB + 3, 0] {
        let byte = card.read(at, 1);
        card.write(at, &[!byte[0]]);
        assert_eq!(card.first_touched(), Some(at));
    }
    assert_eq!(card.first_touched_from(1), Some(MIB + 3));
    assert_eq!(card.first_touched_from(MIB + 4), Some(3 * MIB + 511));
}

#[test]
fn a_card_is_compared_with_an_image() {
    let mut image = tempfile::NamedTempFile::new().expect("a temporary file");
    image.write_all(&vec![9; 2 << 20]).expect("room");
    let mut plan = Plan::default();
    plan.set_size(4 * MIB);
    plan.set_file(image.path());
    let card = plan.make().expect("a card");
    assert!(card.untouched() && card.reads_as(image.path()));
    assert_eq!(card.read(2 * MIB, 2), [0, 0], "the rest is empty");
    card.write(MIB + 1, &[8]);
    assert_eq!(card.first_difference(image.path()), Some(MIB + 1));
    assert_eq!(card.first_touched(), Some(MIB + 1));
}

#[test]
fn a_card_that_is_too_small_differs_where_it_ends() {
    let image = tempfile::NamedTempFile::new().expect("a temporary file");
    image.as_file().set_len(2 * MIB).expect("room");
    let mut plan = Plan::default();
    plan.set_size(8 * MIB);
    plan.set_real(MIB, Beyond::Wraps);
    let card = plan.make().expect("a card");
    assert_eq!(card.size(), 8 * MIB);
    assert_eq!(card.first_difference(image.path()), Some(MIB));
}
