//! Reads what stood out: slots that the station closed, and readers, hubs and cards that it named, because too many cards failed.

use serde::Deserialize;

use super::error::LogError;
use super::reader::LogReader;
use crate::station::suspect::{Finding, Suspect};

/// The kind of the event by which the station closes a slot.
pub(super) const QUARANTINED: &str = "quarantined";
/// The kind of the event by which it names something else.
pub(super) const SUSPECTED: &str = "suspected";

/// The keys of these events, as `schema.sql` explains them.
#[derive(Deserialize)]
struct Body {
    slot: Option<String>,
    what: Option<String>,
    name: Option<String>,
    card_type: Option<String>,
    failed: u64,
    of: u64,
    others_failed: u64,
    others_of: u64,
}

/// What stood out, by the body of such an event; `None` for a body of another form.
pub(super) fn finding_of(body: &str) -> Option<Finding> {
    let Body { slot, what, name, card_type, failed, of, others_failed, others_of } = serde_json::from_str(body).ok()?;
    let suspect = match (slot, what, name) {
        (Some(slot), _, _) => Suspect::Slot(slot),
        (None, what, name) => Suspect::read(&what?, &name?, card_type.as_deref())?,
    };
    Some(Finding { suspect, failed, of, others_failed, others_of })
}

impl LogReader {
    /// Everything that ever stood out, with the time of the event (UTC, microseconds since 1970), oldest first.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn findings(&self) -> Result<Vec<(i64, Finding)>, LogError> {
        let events = self.select("kind IN (?1, ?2) AND attempt IS NULL", [QUARANTINED, SUSPECTED])?;
        Ok(events.iter().filter_map(|event| Some((event.at, finding_of(&event.body)?))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;
    use crate::station::record::Entry;
    use crate::station::request::{Target, Who};

    #[test]
    fn what_stood_out_is_read_as_it_was_found_and_a_slot_is_closed_until_it_is_armed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("flash-log.db");
        let mut log = Ledger::open_on(&path, "bench", "0123456789abcdef0123456789abcdef").expect("a log");
        let finding = |suspect| Finding { suspect, failed: 9, of: 40, others_failed: 1, others_of: 200 };
        let slots = ["A1", "A2"].map(|slot| finding(Suspect::Slot(slot.to_owned())));
        let lot = Suspect::Lot { lot: "OEM 5344 date 03/2024".to_owned(), card_type: "SL16G 16 GB".to_owned() };
        let others = [Suspect::Reader("pci-1/usb3-2".to_owned()), Suspect::CardType("16 GB".to_owned()), lot].map(finding);
        let all = [&slots[..], &others[..]].concat();
        for finding in &all {
            log.append(&Entry::StandsOut(finding.clone())).expect("appended");
        }
        let reader = LogReader::open(&path).expect("a log");
        let found: Vec<Finding> = reader.findings().expect("it can be read").into_iter().map(|(_, finding)| finding).collect();
        assert_eq!(found, all);
        let standing = log.standing().expect("it can be read");
        assert_eq!((standing.quarantines, standing.suspects), (slots.to_vec(), others.to_vec()));
        let by = Who { uid: 1000, name: "ann".to_owned() };
        log.append(&Entry::Rearmed { target: Target::Slot("A1".to_owned()), by: by.clone() }).expect("appended");
        log.append(&Entry::Rearmed { target: Target::Model("A2".to_owned()), by }).expect("appended");
        assert_eq!(log.standing().expect("it can be read").quarantines, slots[1..]);
    }
}
