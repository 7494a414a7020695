//! Sizes as people know them. Cards are sold by a round number of GB and hold a little less or more. Two compared sizes are shown with
//! enough digits to differ.

use super::units::Bytes;

/// One decimal gigabyte, as on a card's label.
const GB: u64 = 1_000_000_000;

/// The largest nominal size, in GB; each is twice the one before it, from 1 GB on.
const LARGEST: u64 = 4096;

/// How much less than its nominal size a card may hold, in thousandths: "16 GB" are 15.5 to 15.99 GB in practice, "32 GB" down to 29.8.
const BELOW: u64 = 70;
/// How much more, in thousandths: 8.07 GB are sold as 8.
const ABOVE: u64 = 50;

/// Is a card of this capacity sold as `least` to `most`? It has the nominal size that is nearest to it, among the usual ones and the two
/// given; a card that is near to none is judged by its capacity.
#[must_use]
pub(crate) fn is_sold_as(capacity: Bytes, least: Bytes, most: Bytes) -> bool {
    let nearest =
        usual_sizes().chain([least.0, most.0]).filter(|size| is_near(capacity.0, *size)).min_by_key(|size| size.abs_diff(capacity.0));
    let size = nearest.unwrap_or(capacity.0);
    (least.0..=most.0).contains(&size)
}

/// Every usual nominal size.
fn usual_sizes() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(GB), |size| size.checked_mul(2)).take_while(|size| *size <= LARGEST * GB)
}

/// The size that a card of this capacity is sold as, `16 GB`; its capacity if it is near to no usual size.
#[must_use]
pub(crate) fn sold_as(capacity: Bytes) -> String {
    let nearest = usual_sizes().filter(|size| is_near(capacity.0, *size)).min_by_key(|size| size.abs_diff(capacity.0));
    on_label(nearest.map_or(capacity, Bytes))
}

fn is_near(capacity: u64, size: u64) -> bool {
    let thousandths = u128::from(capacity) * 1000;
    (u128::from(size) * u128::from(1000 - BELOW)..=u128::from(size) * u128::from(1000 + ABOVE)).contains(&thousandths)
}

/// The largest capacity of a card with this nominal size.
#[must_use]
pub(crate) fn most_of(size: Bytes) -> Bytes {
    Bytes((size.0 / 1000).saturating_mul(1000 + ABOVE))
}

/// The least capacity of a card with this nominal size.
#[must_use]
pub(crate) fn least_of(size: Bytes) -> Bytes {
    Bytes((size.0 / 1000).saturating_mul(1000 - BELOW))
}

/// Warnings for an engineer about cards of this window that cannot hold this image, before they order cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Every card holds it.
    Enough,
    /// Cards with this nominal size may hold a little less than the image.
    Tight(Bytes),
    /// No card of this size holds it.
    None,
}

/// Do cards sold as `window`, or as any size without a window, hold an image of this length?
#[must_use]
pub(crate) fn room(span: Bytes, window: Option<(Bytes, Bytes)>) -> Room {
    let sizes = || usual_sizes().map(Bytes);
    let tight = |size: &Bytes| span > least_of(*size) && span <= most_of(*size);
    match window {
        Some((_, most)) if span > most_of(most) => Room::None,
        Some((least, most)) => {
            let near = sizes().chain([least, most]).filter(|size| (least..=most).contains(size)).find(tight);
            near.map_or(Room::Enough, Room::Tight)
        }
        None => sizes().find(tight).map_or(Room::Enough, Room::Tight),
    }
}

/// A size as printed on a card, `16 GB`; in the form of other sizes if it is not a whole number of GB.
#[must_use]
pub(crate) fn on_label(size: Bytes) -> String {
    if size.0 > 0 && size.0.is_multiple_of(GB) { format!("{} GB", size.0 / GB) } else { size.to_string() }
}

/// The accepted cards: `16 GB`, or `8 GB to 16 GB`. Never one number twice.
#[must_use]
pub(crate) fn window(least: Bytes, most: Bytes) -> String {
    if least == most { on_label(least) } else { format!("{} to {}", on_label(least), on_label(most)) }
}

/// Both sizes in one unit, with as many digits as are needed to distinguish them; neither is shown larger than it is. Equal ones are shown
/// equal.
#[must_use]
pub(crate) fn apart(one: Bytes, other: Bytes) -> (String, String) {
    const STEPS: [(u64, &str, usize); 4] = [(1_000_000_000_000, "TB", 12), (GB, "GB", 9), (1_000_000, "MB", 6), (1_000, "kB", 3)];
    if one == other || one.to_string() != other.to_string() {
        return (one.to_string(), other.to_string());
    }
    let Some((step, unit, all)) = STEPS.into_iter().find(|(step, ..)| one.0.min(other.0) >= *step) else {
        return (one.to_string(), other.to_string());
    };
    let text = |size: Bytes, digits: usize| {
        let fraction = format!("{:0width$}", size.0 % step, width = all);
        format!("{}.{} {unit}", size.0 / step, &fraction[..digits])
    };
    let told = (1..=all).map(|digits| (text(one, digits), text(other, digits))).find(|(one, other)| one != other);
    told.unwrap_or_else(|| (one.to_string(), other.to_string()))
}

#[cfg(test)]
mod cases {
    use super::*;

    fn gb(size: u64) -> Bytes {
        Bytes(size * GB)
    }

    #[test]
    fn a_card_belongs_to_the_size_it_is_sold_as_whatever_it_holds_exactly() {
        for (capacity, sizes) in [
            (15_931_539_456, [16, 16]),
            (15_502_147_584, [16, 16]),
            (15_634_268_160, [16, 16]),
            (15_997_075_456, [16, 16]),
            (16_008_609_792, [16, 16]),
            (7_948_206_080, [8, 8]),
            (8_068_792_320, [8, 8]),
            (31_914_983_424, [32, 32]),
            (29_800_000_000, [32, 32]),
            (62_534_975_488, [64, 64]),
            (123_010_547_712, [128, 128]),
            (511_101_108_224, [512, 512]),
            (15_931_539_456, [7, 17]),
            (7_948_206_080, [7, 17]),
            (7_948_206_080, [8, 16]),
            (120_034_123_776, [120, 120]),
            (12_000_000_000, [10, 13]),
            (30_900_000_000, [30, 31]),
        ] {
            assert!(is_sold_as(Bytes(capacity), gb(sizes[0]), gb(sizes[1])), "{capacity} in {sizes:?}");
        }
        for (capacity, sizes) in [
            (31_914_983_424, [16, 16]),
            (31_914_983_424, [9, 31]),
            (7_948_206_080, [16, 16]),
            (15_931_539_456, [32, 64]),
            (3_965_190_144, [7, 17]),
            (12_000_000_000, [16, 16]),
            (31_914_983_424, [7, 17]),
            (512, [0, 0]),
        ] {
            assert!(!is_sold_as(Bytes(capacity), gb(sizes[0]), gb(sizes[1])), "{capacity} not in {sizes:?}");
        }
    }

    #[test]
    fn sizes_that_differ_behind_the_point_are_told_apart_and_none_reads_larger_than_it_is() {
        for (one, other, expected) in [
            (15_931_539_456, 15_931_540_480, ("15.93153 GB", "15.93154 GB")),
            (15_931_539_456, 15_986_589_696, ("15.93 GB", "15.98 GB")),
            (33_554_432, 33_554_944, ("33.5544 MB", "33.5549 MB")),
            (7_400_000_000, 8_000_000_000, ("7.4 GB", "8.0 GB")),
            (1_000_000_000_000, 1_000_000_000_001, ("1.000000000000 TB", "1.000000000001 TB")),
            (999, 998, ("999 B", "998 B")),
            (5_000, 5_000, ("5.0 kB", "5.0 kB")),
        ] {
            let (left, right) = apart(Bytes(one), Bytes(other));
            assert_eq!((left.as_str(), right.as_str()), expected);
        }
    }

    #[test]
    fn an_image_that_no_card_or_not_every_card_of_a_window_holds_is_known() {
        let window = |least, most| Some((gb(least), gb(most)));
        assert_eq!(room(Bytes(21_474_836_480), window(7, 17)), Room::None);
        assert_eq!(room(Bytes(21_474_836_480), window(8, 32)), Room::Enough);
        assert_eq!(room(Bytes(15_931_540_480), window(16, 16)), Room::Tight(gb(16)));
        assert_eq!(room(Bytes(15_931_540_480), window(8, 16)), Room::Tight(gb(16)));
        assert_eq!(room(Bytes(15_931_540_480), None), Room::Tight(gb(16)));
        assert_eq!(room(Bytes(15_931_540_480), window(32, 64)), Room::Enough);
        assert_eq!(room(Bytes(3_000_000_000), window(7, 17)), Room::Enough);
        assert_eq!(room(Bytes(1 << 20), None), Room::Enough);
    }

    #[test]
    fn a_window_never_names_one_number_twice() {
        assert_eq!(window(gb(16), gb(16)), "16 GB");
        assert_eq!(window(gb(8), gb(16)), "8 GB to 16 GB");
        assert_eq!(window(Bytes(1), Bytes(2)), "1 B to 2 B");
    }
}
