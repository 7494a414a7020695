//! The settings that follow from the facts of all slots: lines for the configuration, and rules for udev. Touches nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::facts::{SlotFacts, kept_beside};
use crate::device::FlushAnswer;
use crate::station::settings::{MOST_STALL_S, STALL_S};
use crate::station::units::{Bytes, KIB};

/// A call of a station may take this much longer than the slowest one here: cards wear, and more of them are busy.
const SLOWER: u32 = 10;
/// A slot that keeps at least this part of its speed beside its neighbours does not share a path with them.
const UNDISTURBED: f64 = 0.85;

/// What slots have in common.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shared {
    /// What it is: `reader 05e3:0749`, `hub 05e3:0610`, `this PC`.
    pub what: String,
    /// The slots on it.
    pub slots: Vec<String>,
    /// The least part of its speed that one of them keeps while all are busy.
    pub kept: f64,
}

impl Shared {
    /// May these slots share it, as far as speed is concerned?
    #[must_use]
    pub(crate) fn is_undisturbed(&self) -> bool {
        self.kept >= UNDISTURBED
    }
}

/// The lines for the configuration.
#[must_use]
pub(crate) fn configuration(all: &[SlotFacts]) -> Vec<String> {
    vec![
        "[station]".to_owned(),
        format!("stall_timeout_s = {}", stall_seconds(all)),
        "[policy]".to_owned(),
        format!("flush = \"{}\"", flush(all)),
    ]
}

/// Every device here empties its cache, has none, or is flushed by the kernel: then none is accepted that does not.
fn flush(all: &[SlotFacts]) -> &'static str {
    let is_sure = |answer| matches!(answer, FlushAnswer::Taken | FlushAnswer::Refused | FlushAnswer::NotScsi);
    let all_sure = !all.is_empty() && all.iter().all(|facts| facts.flush.is_some_and(|flush| is_sure(flush.answer)));
    if all_sure { "required" } else { "ask" }
}

/// In tens of seconds. Less than the default of the configuration is never advised.
fn stall_seconds(all: &[SlotFacts]) -> u64 {
    let speeds = all.iter().flat_map(|facts| [&facts.alone, &facts.together]).flatten().map(|speeds| speeds.slowest_call);
    let answered = |facts: &SlotFacts| facts.flush.filter(|flush| flush.answer == FlushAnswer::Taken).map(|flush| flush.took);
    let slowest = speeds.chain(all.iter().filter_map(answered)).max().unwrap_or(Duration::ZERO);
    (slowest * SLOWER).as_secs().next_multiple_of(10).clamp(STALL_S, MOST_STALL_S)
}

/// Rules for udev that keep requests as short as each kind of reader needs them.
#[must_use]
pub(crate) fn udev_rules(all: &[SlotFacts]) -> Vec<String> {
    let mut longest: BTreeMap<(&str, &str), Bytes> = BTreeMap::new();
    for facts in all.iter().filter(|facts| facts.reader.bus == "usb") {
        let Some(requests) = facts.requests.as_ref().filter(|requests| requests.failed.is_some() && requests.longest.0 >= KIB) else {
            continue;
        };
        let kind = (facts.reader.vendor.as_str(), facts.reader.product.as_str());
        let shortest = longest.entry(kind).or_insert(requests.longest);
        *shortest = requests.longest.min(*shortest);
    }
    let rule = |((vendor, product), longest): ((&str, &str), Bytes)| {
        format!(
            "ACTION!=\"remove\", SUBSYSTEM==\"block\", ENV{{DEVTYPE}}==\"disk\", ATTRS{{idVendor}}==\"{vendor}\", \
             ATTRS{{idProduct}}==\"{product}\", ATTR{{queue/max_sectors_kb}}=\"{}\"",
            longest.0 / KIB
        )
    };
    longest.into_iter().map(rule).collect()
}

/// Place and words of something that slots share.
type Way = fn(&SlotFacts) -> Option<(String, String)>;

/// What several slots share, nearest first: a reader, then a hub, then the PC, each with the slots that were measured together.
#[must_use]
pub(crate) fn shared(all: &[SlotFacts]) -> Vec<Shared> {
    let measured: Vec<(&SlotFacts, f64)> = all.iter().filter_map(|facts| Some((facts, kept_beside(facts)?))).collect();
    let mut found: Vec<Shared> = Vec::new();
    let ways: [Way; 3] = [reader_of, hub_of, |_| Some((String::new(), "this PC".to_owned()))];
    for way in ways {
        let mut groups: BTreeMap<String, Shared> = BTreeMap::new();
        for (facts, kept) in &measured {
            let Some((place, what)) = way(facts) else { continue };
            let group = groups.entry(place).or_insert_with(|| Shared { what, slots: Vec::new(), kept: f64::INFINITY });
            group.slots.push(facts.slot.clone());
            group.kept = group.kept.min(*kept);
        }
        // The same slots on the next thing above say nothing new.
        let is_new = |group: &Shared| group.slots.len() > 1 && !found.iter().any(|nearer| nearer.slots == group.slots);
        let new: Vec<Shared> = groups.into_values().filter(is_new).collect();
        found.extend(new);
    }
    found
}

/// Place and words of the device of which a slot is a part.
fn reader_of(facts: &SlotFacts) -> Option<(String, String)> {
    let place = facts.port.upstream().first()?.clone();
    Some((place, format!("reader {}:{}", facts.reader.vendor, facts.reader.product)))
}

/// Place and words of the hub above that.
fn hub_of(facts: &SlotFacts) -> Option<(String, String)> {
    let place = facts.port.upstream().get(1)?.clone();
    Some((place, format!("hub {}", facts.hubs.last()?)))
}

#[cfg(test)]
mod cases {
    use super::super::facts::Speeds;
    use super::super::testing::slot;
    use super::*;

    #[test]
    fn a_flush_is_required_only_where_every_device_gave_a_clear_answer() {
        let mut all = [slot("A1", 0), slot("A2", 1)];
        assert_eq!(flush(&all), "required");
        for (answer, policy) in [
            (FlushAnswer::Refused, "required"),
            (FlushAnswer::NotScsi, "required"),
            (FlushAnswer::Stalled, "ask"),
            (FlushAnswer::Lost, "ask"),
            (FlushAnswer::Gone, "ask"),
            (FlushAnswer::Unclear, "ask"),
        ] {
            all[1].flush.as_mut().expect("asked").answer = answer;
            assert_eq!(flush(&all), policy, "{answer:?}");
        }
        all[1].flush = None;
        assert_eq!((flush(&all), flush(&[])), ("ask", "ask"), "what was not asked is not sure");
    }

    #[test]
    fn a_card_is_given_ten_times_what_its_slowest_call_took_and_never_less_than_the_default() {
        let mut all = [slot("A1", 0)];
        assert_eq!(stall_seconds(&all), 90);
        all[0].alone.as_mut().expect("measured").slowest_call = Duration::from_millis(14_100);
        assert_eq!(stall_seconds(&all), 150);
        all[0].flush.as_mut().expect("asked").took = Duration::from_secs(1000);
        assert_eq!(stall_seconds(&all), 3600, "the configuration takes no more");
    }

    #[test]
    fn the_settings_are_lines_that_the_configuration_takes() {
        let lines = configuration(&[slot("A1", 0)]).join("\n");
        let parsed: toml::Table = lines.parse().expect("it is TOML");
        assert_eq!(parsed["station"]["stall_timeout_s"].as_integer(), Some(90));
        assert_eq!(parsed["policy"]["flush"].as_str(), Some("required"));
    }

    #[test]
    fn a_reader_gets_one_rule_for_the_shortest_request_that_it_needs() {
        let mut all = [slot("A1", 0), slot("A2", 1)];
        assert!(udev_rules(&all).is_empty());
        for (facts, kib) in all.iter_mut().zip([128, 64]) {
            let requests = facts.requests.as_mut().expect("tried");
            (requests.longest, requests.failed) = (Bytes(kib * KIB), Some((Bytes(2 * kib * KIB), "no".to_owned())));
        }
        let rules = udev_rules(&all);
        assert_eq!(rules.len(), 1, "{rules:?}");
        assert!(rules[0].contains(r#"ATTRS{idVendor}=="05e3""#) && rules[0].ends_with(r#"ATTR{queue/max_sectors_kb}="64""#), "{rules:?}");
    }

    #[test]
    fn slots_that_slow_each_other_down_are_named_with_what_they_share_and_once() {
        let beside = |name: &str, lun, part: u64| {
            let mut facts = slot(name, lun);
            let alone = facts.alone.clone().expect("measured");
            facts.together = Some(Speeds { write: Bytes(alone.write.0 * part / 100), ..alone });
            facts
        };
        assert!(shared(&[slot("A1", 0), slot("A2", 1)]).is_empty(), "they were not measured together");
        let two = shared(&[beside("A1", 0, 48), beside("A2", 1, 52)]);
        assert_eq!(two.len(), 1, "{two:?}");
        assert_eq!((two[0].what.as_str(), two[0].slots.join(" "), two[0].kept), ("reader 05e3:0749", "A1 A2".to_owned(), 0.48));
        assert!(!two[0].is_undisturbed());
        // The third one is in another reader of the same hub.
        let three = shared(&[beside("A1", 0, 95), beside("A2", 1, 99), beside("B1", 8, 90)]);
        assert_eq!(three.iter().map(|group| group.what.as_str()).collect::<Vec<_>>(), ["reader 05e3:0749", "hub 05e3:0610"]);
        assert!(three.iter().all(Shared::is_undisturbed));
    }
}
