//! Whether every slot was qualified, with the reader that is there now.

use super::finding::{Finding, Subject};
use crate::cli::sentence;
use crate::config::Settings;
use crate::qualify::judge::Fitness;
use crate::qualify::record::{Qualified, Record, Standing};
use crate::station::port::Port;
use crate::watch::reader_kind::ReaderKind;
use crate::watch::sysfs::Sysfs;
use crate::watch::topology::Socket;

/// What the record of the state directory says of the slots.
pub(super) fn findings(settings: &Settings, sysfs: &Sysfs, sockets: &[Socket]) -> Vec<Finding> {
    let record = match Record::read(&settings.state) {
        Ok(record) => record,
        Err(error) => return vec![Finding::warning(Subject::Qualified, sentence(&error))],
    };
    let stays = |port: &Port| sockets.iter().find(|socket| socket.port == *port).is_some_and(|socket| socket.stays);
    let now = |port: &Port| sysfs.reader_kind(port).map(|kind| (kind, stays(port)));
    judged(settings.slots.iter().map(|slot| (slot.name.as_str(), slot.ports.as_slice())), &record, now)
}

fn judged<'s>(
    slots: impl Iterator<Item = (&'s str, &'s [Port])>,
    record: &Record,
    now: impl Fn(&Port) -> Option<(ReaderKind, bool)>,
) -> Vec<Finding> {
    let (mut never, mut findings, mut newest) = (Vec::new(), Vec::new(), None::<&Qualified>);
    for (slot, ports) in slots {
        let again = format!("put a card into it that may be erased, and run: flashline qualify {slot}");
        match record.of(ports, &now) {
            Standing::Never => never.push(slot),
            Standing::Changed(before) => {
                let is = ports.iter().find_map(&now).map_or_else(String::new, |(kind, _)| format!(", and {kind} is there now"));
                let what = format!("slot {slot} was qualified with {} on {}{is}", before.reader, day(before));
                findings.push(Finding::warning(Subject::Qualified, what).cure(again));
            }
            Standing::Qualified(found) if found.fitness == Fitness::NotFit => {
                let what = format!("slot {slot} was found not fit on {}: {}", day(found), found.reader);
                findings.push(Finding::warning(Subject::Qualified, what).cure("use another reader, and qualify the slot again"));
            }
            // RFC 3339 in UTC to the second sorts as text.
            Standing::Qualified(found) => newest = newest.filter(|known| known.at >= found.at).or(Some(found)),
        }
    }
    if !never.is_empty() {
        let names = never.join(" ");
        let (what, cards) = match never.len() {
            1 => (format!("slot {names} was never qualified: whether its reader is fit for a station is not known"), "a card"),
            _ => (format!("slots {names} were never qualified: whether their readers are fit for a station is not known"), "cards"),
        };
        let cure = format!("put {cards} there that may be erased, and run: flashline qualify {names}");
        findings.insert(0, Finding::warning(Subject::Qualified, what).cure(cure));
    }
    if let (true, Some(newest)) = (findings.is_empty(), newest) {
        findings.push(Finding::good(
            Subject::Qualified,
            format!("every slot was qualified with the reader that is there, the last on {}", day(newest)),
        ));
    }
    findings
}

fn day(qualified: &Qualified) -> &str {
    qualified.at.split('T').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::*;

    fn kind(revision: &str) -> ReaderKind {
        let text = str::to_owned;
        ReaderKind { bus: text("usb"), vendor: text("05e3"), product: text("0749"), revision: text(revision), inquiry: None }
    }

    fn qualified(port: &str, fitness: Fitness) -> Qualified {
        let at = "2026-11-30T06:00:00Z".to_owned();
        Qualified { port: port.to_owned(), reader: kind("0200"), stays: true, program: "0.1.0".to_owned(), at, fitness }
    }

    fn said(record: &[Qualified], revision: &str) -> Vec<Finding> {
        let ports = ["p1", "p2", "p3"].map(|port| [Port(port.to_owned())]);
        let slots = ["A1", "A2", "A3"].into_iter().zip(ports.iter().map(<[Port; 1]>::as_slice));
        judged(slots, &Record(record.to_vec()), |_| Some((kind(revision), true)))
    }

    #[test]
    fn slots_that_were_never_qualified_are_named_together_with_the_command_for_all_of_them() {
        let found = said(&[qualified("p2", Fitness::Fit)], "0200");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].mark, Mark::Warning);
        assert!(found[0].what.starts_with("slots A1 A3 were never qualified"), "{found:?}");
        assert!(found[0].cure.as_ref().is_some_and(|cure| cure.ends_with("flashline qualify A1 A3")), "{found:?}");
    }

    #[test]
    fn another_reader_than_the_one_that_was_qualified_is_a_warning_with_both() {
        let all = ["p1", "p2", "p3"].map(|port| qualified(port, Fitness::FitWithRemarks));
        let found = said(&all, "0200");
        assert!(found.len() == 1 && found[0].mark == Mark::Good && found[0].what.ends_with("2026-11-30"), "{found:?}");
        let found = said(&all, "0201");
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].what.contains("slot A1") && found[0].what.contains("revision 0200") && found[0].what.contains("revision 0201"));
        assert!(found.iter().all(|finding| finding.mark == Mark::Warning && finding.cure.is_some()));
    }

    #[test]
    fn a_slot_that_was_found_not_fit_stays_a_warning() {
        let all = [qualified("p1", Fitness::NotFit), qualified("p2", Fitness::Fit), qualified("p3", Fitness::Fit)];
        let found = said(&all, "0200");
        assert!(found.len() == 1 && found[0].what.starts_with("slot A1 was found not fit"), "{found:?}");
    }
}
