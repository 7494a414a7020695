//! Facts derived from a row: the kind of the card, its reader, and whether it can be distinguished from other cards.

use crate::station::armed::ProofClass;
use crate::station::card::{GivenNames, Identity};
use crate::station::port::{Parts, Unit};
use crate::station::units::Bytes;

/// The device of an attempt's slot: its USB device, or the host of an SD slot; without the LUN, which is one slot of it.
pub(super) fn reader(port: &str) -> &str {
    match Parts::of(port) {
        Some(Parts { usb: Some(usb), unit: Unit::Lun(_), .. }) => usb.place,
        _ => port,
    }
}

/// The kind of a card: make and size. A card's own register names it; for a card in a USB reader only the reader and the size are known,
/// which are then the kind.
pub(super) fn card_type(cid_name: Option<&str>, vendor: Option<&str>, product: Option<&str>, capacity: Option<u64>) -> String {
    let names = if cid_name.is_some() { [cid_name, None] } else { [vendor, product] };
    let mut name = names.into_iter().flatten().map(str::trim).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" ");
    if name.is_empty() {
        name.push_str("unnamed");
    }
    match capacity {
        Some(capacity) => format!("{name} {}", Bytes(capacity)),
        None => name,
    }
}

/// For a word of a newer program.
const UNKNOWN: &str = "a word this program does not know";

/// How the card of a row is identified; `None` if the row does not say, or uses an unknown word.
pub(crate) fn identified(row: &crate::ledger::Row) -> Option<Identity> {
    row.identified.as_deref().and_then(Identity::of)
}

/// How far the serial of a row identifies the card.
pub(super) fn serial_means(identified: Option<&str>) -> &'static str {
    match identified.map(Identity::of) {
        Some(Some(Identity::Cid)) => "the card's own register: no two cards share it",
        Some(Some(Identity::UsbSerial)) => "the stick's serial: as good as its maker's care",
        Some(Some(Identity::ReaderOnly)) => "the reader's serial: says nothing about the card",
        Some(Some(Identity::None)) | None => "no serial: one card cannot be told from the next",
        Some(None) => UNKNOWN,
    }
}

/// How it is proven which device an image is for.
pub(super) fn proof_means(class: &str) -> &'static str {
    match ProofClass::of(class) {
        Some(ProofClass::Proven) => "signatures reach from this model, and from every snap of the image, to a trusted root",
        Some(ProofClass::Matching) => "the model inside the image is the one configured; signatures were not demanded",
        Some(ProofClass::None) => "the image was not inspected",
        None => UNKNOWN,
    }
}

/// The identity of a card in the log; `None` if it is unknown.
pub(crate) fn identity(row: &crate::ledger::Row) -> Option<String> {
    identified(row)?.key(&GivenNames {
        cid: row.cid.as_deref(),
        wwn: row.wwn.as_deref(),
        vendor: row.vendor.as_deref(),
        product: row.product.as_deref(),
        serial: row.serial.as_deref(),
    })
}

/// The name of a card in lists: its own serial number, in preference to the reader's.
pub(super) fn serial(row: &crate::ledger::Row) -> Option<&str> {
    row.cid_serial.as_deref().or(row.serial.as_deref()).or(row.cid.as_deref())
}

/// The natural order of names: A2 before A10.
pub(super) fn natural(one: &str, other: &str) -> std::cmp::Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let (a, b) = (digits(one), digits(other));
        if a > 0 && b > 0 {
            let (x, y) = (one[..a].trim_start_matches('0'), other[..b].trim_start_matches('0'));
            let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
            if order.is_ne() {
                return order;
            }
            (one, other) = (&one[a..], &other[b..]);
            continue;
        }
        match (one.chars().next(), other.chars().next()) {
            (Some(x), Some(y)) if x == y => (one, other) = (&one[x.len_utf8()..], &other[y.len_utf8()..]),
            (x, y) => return x.cmp(&y),
        }
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Row;

    #[test]
    fn the_slots_of_one_reader_have_one_reader_and_an_sd_host_is_its_own() {
        assert_eq!(reader("pci-0000:00:14.0/usb3-2.4/lun-0"), "pci-0000:00:14.0/usb3-2.4");
        assert_eq!(reader("pci-0000:00:14.0/usb3-2.4/lun-3"), "pci-0000:00:14.0/usb3-2.4");
        assert_eq!(reader("pci-0000:00:1a.0/mmc-0"), "pci-0000:00:1a.0/mmc-0");
        assert_eq!(reader(""), "");
    }

    #[test]
    fn a_kind_of_card_is_its_make_and_its_size() {
        assert_eq!(card_type(Some("SL16G"), Some("Generic"), Some("Reader"), Some(15_931_539_456)), "SL16G 15.9 GB");
        assert_eq!(card_type(None, Some(" Acme "), Some("Stick"), Some(64_000_000)), "Acme Stick 64.0 MB");
        assert_eq!(card_type(None, Some(""), None, None), "unnamed");
    }

    #[test]
    fn a_card_is_the_same_only_where_its_serial_is_its_own() {
        let row = |identified: &str, serial: &str, product: &str| Row {
            identified: Some(identified.to_owned()),
            serial: Some(serial.to_owned()),
            product: Some(product.to_owned()),
            cid: Some("c1".to_owned()),
            ..Row::default()
        };
        assert_eq!(identity(&row("usb", "1", "Stick")), identity(&row("usb", "1", "Stick")));
        assert_ne!(identity(&row("usb", "1", "Stick")), identity(&row("usb", "1", "Other stick")));
        assert_eq!(identity(&row("cid", "1", "a")), identity(&row("cid", "2", "b")), "one register is one card");
        assert_eq!(identity(&row("reader-only", "1", "Reader")), None);
        assert_eq!(identity(&row("none", "1", "Reader")), None);
        assert!(serial_means(Some("reader-only")).contains("says nothing about the card"));
        assert!(serial_means(Some("usb")).contains("the stick's serial"));
        assert_eq!(serial_means(None), serial_means(Some("none")));
        assert_eq!(serial_means(Some("by-its-face")), UNKNOWN, "a word of a newer program is not taken for another one");
        assert_eq!(identity(&row("by-its-face", "1", "Stick")), None);
        assert_eq!(proof_means("notarised"), UNKNOWN);
    }

    #[test]
    fn slots_stand_in_the_order_people_count() {
        let mut names = ["A10", "B1", "A2", "A02b", "A1", "", "10", "9"];
        names.sort_by(|one, other| natural(one, other));
        assert_eq!(names, ["", "9", "10", "A1", "A2", "A02b", "A10", "B1"]);
    }
}
