//! Counts attempts by day, shift, model, slot, reader, kind of card or image. Owns the definition of yield.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::ledger::Brief;
use crate::station::outcome::OutcomeWord;
use crate::station::units::to_f64;

use super::outliers::Rate;
use super::row_facts;
use super::times::Shifts;

/// The properties by which attempts are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The local day on which they ended.
    Day,
    /// The shift in which they ended.
    Shift,
    /// By model: `BRAND/MODEL`.
    Model,
    /// By the name of the slot.
    Slot,
    /// The device of the slot.
    Reader,
    /// Make and size of the card.
    CardType,
    /// The image, by its BLAKE3.
    Image,
}

impl By {
    /// Every property, with its word.
    pub(crate) const ALL: [(&'static str, Self); 7] = [
        ("day", Self::Day),
        ("shift", Self::Shift),
        ("model", Self::Model),
        ("slot", Self::Slot),
        ("reader", Self::Reader),
        ("card-type", Self::CardType),
        ("image", Self::Image),
    ];

    /// The word on the command line.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, by)| *by == self).map_or("", |(word, _)| word)
    }
}

/// The outcomes of attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that have ended.
    pub attempts: u64,
    /// Cards of which every byte was proven.
    pub passed: u64,
    /// Cards whose data was proven.
    pub mapped_only: u64,
    /// Cards that failed: their contents are undefined.
    pub failed: u64,
    /// Cards that were refused and not touched.
    pub refused: u64,
    /// Taken out, or lost with their reader.
    pub pulled: u64,
    /// Attempts that ended because the station stopped.
    pub interrupted: u64,
    /// Proven, but written to by another program before they were taken out.
    pub changed: u64,
    /// Begun, and ended by a fault of the station: not in the other numbers, because neither slot nor card caused it.
    pub station_faults: u64,
    /// Cards that already held their image and were proven anew: not in the other numbers, because each was counted when it was made.
    pub looked_again: u64,
    /// Of the good ones, those that already held their image although the log had no good row of them.
    pub as_found: u64,
    /// Attempts with an outcome that this program does not know, by its word: not in the other numbers.
    pub unknown: BTreeMap<String, u64>,
    /// Those that did not pass, by the reason's stable code, or by the outcome's if it has none.
    pub reasons: BTreeMap<String, u64>,
    /// The times of those that passed, in milliseconds. A card that failed at once would make a slow slot look fast.
    millis: Vec<u32>,
}

/// A million attempts have a dozen words: only a new one is allocated.
fn add_to(counts: &mut BTreeMap<String, u64>, word: &str, more: u64) {
    match counts.get_mut(word) {
        Some(count) => *count += more,
        None => drop(counts.insert(word.to_owned(), more)),
    }
}

impl Counts {
    fn add(&mut self, brief: &Brief<'_>) {
        let count = match brief.outcome {
            OutcomeWord::Passed | OutcomeWord::Found => &mut self.passed,
            OutcomeWord::PassedMapped | OutcomeWord::FoundMapped => &mut self.mapped_only,
            OutcomeWord::Failed => &mut self.failed,
            OutcomeWord::Refused => &mut self.refused,
            OutcomeWord::Pulled => &mut self.pulled,
            OutcomeWord::Interrupted => &mut self.interrupted,
            OutcomeWord::Changed => &mut self.changed,
            OutcomeWord::Rechecked | OutcomeWord::RecheckedMapped => {
                self.looked_again += 1;
                return;
            }
            OutcomeWord::StationFault => {
                self.station_faults += 1;
                return;
            }
            OutcomeWord::Running => return,
            OutcomeWord::Unknown(word) => {
                add_to(&mut self.unknown, word, 1);
                return;
            }
        };
        *count += 1;
        self.attempts += 1;
        if brief.outcome.is_good() && !brief.outcome.was_written() {
            self.as_found += 1;
        } else if brief.outcome.is_good() {
            self.millis.extend(brief.total_us.map(|micros| u32::try_from(micros / 1000).unwrap_or(u32::MAX)));
        } else {
            add_to(&mut self.reasons, brief.code.unwrap_or(brief.outcome.as_str()), 1);
        }
    }

    /// Cards that were begun: all except those that were refused.
    #[must_use]
    pub(crate) fn begun(&self) -> u64 {
        self.attempts - self.refused
    }

    /// Cards that are good.
    #[must_use]
    pub(crate) fn good(&self) -> u64 {
        self.passed + self.mapped_only
    }

    /// The share of good cards among those begun; `None` if none was begun.
    #[must_use]
    pub(crate) fn yielded(&self) -> Option<f64> {
        (self.begun() > 0).then(|| to_f64(self.good()) / to_f64(self.begun()))
    }

    /// The share of failed cards among those written to their end: a card that was pulled says nothing about slot or make.
    pub(super) fn failure_rate(&self) -> Rate {
        Rate { failed: self.failed, of: self.good() + self.failed }
    }

    /// The median time of passed cards in milliseconds; for an even number the mean of the middle two, rounded down.
    #[must_use]
    pub(crate) fn median_ms(&self) -> Option<u64> {
        let mut millis = self.millis.clone();
        let middle = millis.len() / 2;
        if millis.is_empty() {
            return None;
        }
        let (below, upper, _) = millis.select_nth_unstable(middle);
        let upper = u64::from(*upper);
        let lower = if self.millis.len().is_multiple_of(2) { below.iter().max().copied().map(u64::from) } else { None };
        Some((lower.unwrap_or(upper) + upper) / 2)
    }

    /// As members of a JSON object.
    pub(super) fn json(&self) -> Value {
        json!({
            "attempts": self.attempts,
            "good": self.good(),
            "passed": self.passed,
            "passed_mapped_only": self.mapped_only,
            "failed": self.failed,
            "refused": self.refused,
            "pulled": self.pulled,
            "interrupted": self.interrupted,
            "changed": self.changed,
            "station_faults": self.station_faults,
            "looked_again": self.looked_again,
            "as_found": self.as_found,
            "unknown": self.unknown,
            "yield": self.yielded(),
            "median_seconds": self.median_ms().map(|millis| to_f64(millis) / 1000.0),
            "reasons": self.reasons,
        })
    }
}

/// One group of attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The name of the group, such as a model or a day.
    pub key: String,
    /// The outcomes of its attempts.
    pub counts: Counts,
    /// Its failure rate is higher than that of all others together, beyond chance.
    pub stands_out: bool,
}

/// Counts of attempts, by one property.
#[derive(Clone, Debug)]
pub struct Tally {
    by: By,
    zone: TimeZone,
    shifts: Shifts,
    groups: HashMap<String, Counts>,
    /// The stretch of time that was needed last, and is most likely needed next.
    current: Option<(i64, i64, String)>,
}

impl Tally {
    /// Nothing is counted yet. Days and shifts are those of `zone`.
    #[must_use]
    pub(crate) fn new(by: By, zone: TimeZone, shifts: Shifts) -> Self {
        Self { by, zone, shifts, groups: HashMap::new(), current: None }
    }

    /// Counts one more attempt.
    pub(crate) fn add(&mut self, brief: &Brief<'_>) {
        let made;
        let key = match self.by {
            By::Day | By::Shift => {
                if self.current.as_ref().is_none_or(|(from, to, _)| brief.at < *from || brief.at >= *to) {
                    self.current = Some(self.stretch(brief.at));
                }
                self.current.as_ref().map_or("", |(_, _, key)| key)
            }
            By::Model => brief.model.unwrap_or(""),
            By::Slot => brief.slot.unwrap_or(""),
            By::Reader => brief.port.map_or("", row_facts::reader),
            By::CardType => {
                made = row_facts::card_type(brief.cid_name, brief.vendor, brief.product, brief.capacity);
                &made
            }
            By::Image => brief.image_blake3.unwrap_or("no image"),
        };
        match self.groups.get_mut(key) {
            Some(counts) => counts.add(brief),
            None => self.groups.entry(key.to_owned()).or_default().add(brief),
        }
    }

    /// The beginning and end, in microseconds, of the day or shift of a time, and its name.
    fn stretch(&self, at: i64) -> (i64, i64, String) {
        let nowhere = || (at, at, "unknown time".to_owned());
        let Ok(time) = Timestamp::from_microsecond(at) else { return nowhere() };
        let local = time.to_zoned(self.zone.clone());
        let bounds = if self.by == By::Shift {
            self.shifts.around(&local)
        } else {
            local.start_of_day().ok().zip(local.date().tomorrow().ok().and_then(|date| date.to_zoned(self.zone.clone()).ok()))
        };
        let Some((from, to)) = bounds else { return nowhere() };
        let name = from.strftime(if self.by == By::Shift { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d" }).to_string();
        (from.timestamp().as_microsecond(), to.timestamp().as_microsecond(), name)
    }

    /// The property that attempts are counted by.
    #[must_use]
    pub(crate) fn by(&self) -> By {
        self.by
    }

    /// The counts in natural order, days and shifts in order of time.
    #[must_use]
    pub(crate) fn groups(&self) -> Vec<Group> {
        let all = self.total().failure_rate();
        // A day cannot be improved, and there is mostly one image and one model.
        let marks = matches!(self.by, By::Slot | By::Reader | By::CardType);
        let group = |(key, counts): (&String, &Counts)| Group {
            key: key.clone(),
            counts: counts.clone(),
            stands_out: marks && counts.failure_rate().stands_out_of(all),
        };
        let mut groups: Vec<Group> = self.groups.iter().map(group).collect();
        groups.sort_by(|one, other| row_facts::natural(&one.key, &other.key).then_with(|| one.key.cmp(&other.key)));
        groups
    }

    /// All of them together.
    #[must_use]
    pub(crate) fn total(&self) -> Counts {
        let mut total = Counts::default();
        for counts in self.groups.values() {
            total.attempts += counts.attempts;
            total.passed += counts.passed;
            total.mapped_only += counts.mapped_only;
            total.failed += counts.failed;
            total.refused += counts.refused;
            total.pulled += counts.pulled;
            total.interrupted += counts.interrupted;
            total.changed += counts.changed;
            total.station_faults += counts.station_faults;
            total.looked_again += counts.looked_again;
            total.as_found += counts.as_found;
            counts.reasons.iter().for_each(|(reason, count)| add_to(&mut total.reasons, reason, *count));
            counts.unknown.iter().for_each(|(word, count)| add_to(&mut total.unknown, word, *count));
            total.millis.extend(&counts.millis);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::brief;

    fn tally<'a>(by: By, briefs: impl IntoIterator<Item = Brief<'a>>) -> Tally {
        let mut tally = Tally::new(by, TimeZone::get("Europe/Berlin").expect("a zone"), Shifts::default());
        briefs.into_iter().for_each(|brief| tally.add(&brief));
        tally
    }

    fn at(local: &str) -> i64 {
        format!("{local}[Europe/Berlin]").parse::<jiff::Zoned>().expect("a time").timestamp().as_microsecond()
    }

    fn keys(tally: &Tally) -> Vec<(String, u64)> {
        tally.groups().into_iter().map(|group| (group.key, group.counts.attempts)).collect()
    }

    #[test]
    fn yield_is_the_good_cards_among_those_begun() {
        use OutcomeWord::{Changed, Failed, Found, Interrupted, Passed, PassedMapped, Pulled, Rechecked, RecheckedMapped, Refused};
        let outcomes = [&Passed, &Found, &PassedMapped, &Rechecked, &RecheckedMapped, &Failed, &Pulled, &Interrupted, &Refused, &Changed];
        let total = tally(By::Slot, outcomes.map(|outcome| Brief { outcome, ..brief() })).total();
        assert_eq!((total.attempts, total.begun(), total.good(), total.passed, total.changed), (8, 7, 3, 2, 1));
        assert_eq!((total.as_found, total.millis.len()), (1, 2), "a card that was not written says nothing about the time that takes");
        assert_eq!(total.looked_again, 2, "a card looked at again is told, and counted nowhere else");
        assert_eq!(total.yielded(), Some(3.0 / 7.0));
        assert_eq!(total.failure_rate(), Rate { failed: 1, of: 4 }, "a pulled card says nothing about the slot");
        assert_eq!(
            tally(By::Slot, [Brief { outcome: &OutcomeWord::Refused, ..brief() }]).total().yielded(),
            None,
            "of none there is no part"
        );
    }

    #[test]
    fn a_word_of_a_newer_program_is_told_as_it_is_and_counted_as_nothing_else() {
        let word = OutcomeWord::from("passed-personalised");
        let total = tally(By::Slot, [Brief { outcome: &word, total_us: Some(5_000_000), ..brief() }, brief()]).total();
        assert_eq!((total.attempts, total.good(), total.interrupted, total.yielded()), (1, 1, 0, Some(1.0)));
        assert_eq!(total.unknown, BTreeMap::from([("passed-personalised".to_owned(), 1)]));
        assert_eq!(total.millis, [12_345], "nor in the time that good cards take");
    }

    #[test]
    fn what_did_not_pass_is_counted_by_its_reason() {
        let of = |outcome, code| Brief { outcome, code, ..brief() };
        let briefs = [
            of(&OutcomeWord::Passed, None),
            of(&OutcomeWord::Failed, Some("mismatch")),
            of(&OutcomeWord::Failed, Some("mismatch")),
            of(&OutcomeWord::Pulled, None),
        ];
        let reasons = tally(By::Slot, briefs).total().reasons;
        assert_eq!(reasons, BTreeMap::from([("mismatch".to_owned(), 2), ("pulled".to_owned(), 1)]));
    }

    #[test]
    fn the_median_is_that_of_the_cards_that_passed() {
        let of = |outcome, seconds: u64| Brief { outcome, total_us: Some(seconds * 1_000_000), ..brief() };
        let median = |times: &[u64]| tally(By::Slot, times.iter().map(|time| of(&OutcomeWord::Passed, *time))).total().median_ms();
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[5]), Some(5000));
        assert_eq!(median(&[9, 1, 2, 100]), Some(5500));
        assert_eq!(median(&[9, 1, 2]), Some(2000));
        let failed = tally(By::Slot, [of(&OutcomeWord::Passed, 90), of(&OutcomeWord::Failed, 1), of(&OutcomeWord::Failed, 1)]);
        assert_eq!(failed.total().median_ms(), Some(90_000));
    }

    #[test]
    fn days_and_shifts_are_local_on_the_days_when_clocks_change_too() {
        let times = ["2026-03-28T23:59", "2026-03-29T00:00", "2026-03-29T23:59", "2026-03-30T00:00"];
        let briefs = || times.map(|time| Brief { at: at(time), ..brief() });
        let key = |key: &str, count| (key.to_owned(), count);
        assert_eq!(keys(&tally(By::Day, briefs())), [key("2026-03-28", 1), key("2026-03-29", 2), key("2026-03-30", 1)]);
        let night = "2026-03-28 22:00";
        assert_eq!(keys(&tally(By::Shift, briefs())), [key(night, 2), key("2026-03-29 22:00", 2)]);
        // A clock that was set back puts a later row into an earlier day.
        let back = [Brief { at: at("2026-10-25T23:59"), ..brief() }, Brief { at: at("2026-10-25T00:01"), ..brief() }];
        assert_eq!(keys(&tally(By::Day, back)), [key("2026-10-25", 2)]);
    }

    #[test]
    fn attempts_are_told_apart_as_asked() {
        let one = Brief { slot: Some("A10"), port: Some("pci-1/usb3-1/lun-0"), model: Some("acme/box"), ..brief() };
        let two = Brief { slot: Some("A2"), port: Some("pci-1/usb3-1/lun-1"), model: Some("acme/pi"), ..brief() };
        let key = |key: &str, count| (key.to_owned(), count);
        assert_eq!(keys(&tally(By::Slot, [one, two])), [key("A2", 1), key("A10", 1)]);
        assert_eq!(keys(&tally(By::Reader, [one, two])), [key("pci-1/usb3-1", 2)]);
        assert_eq!(keys(&tally(By::Model, [one, two])), [key("acme/box", 1), key("acme/pi", 1)]);
        assert_eq!(keys(&tally(By::CardType, [one, two])), [key("SL16G 15.9 GB", 2)]);
        assert_eq!(keys(&tally(By::Image, [one, Brief { image_blake3: None, ..two }])), [key(&"07".repeat(32), 1), key("no image", 1)]);
    }

    #[test]
    fn a_slot_that_fails_far_more_often_than_the_others_stands_out_and_a_day_never_does() {
        let bad = |slot, failed: u64, passed: u64| {
            let of = move |outcome| Brief { outcome, slot: Some(slot), at: at("2026-11-24T10:00"), ..brief() };
            (0..failed).map(move |_| of(&OutcomeWord::Failed)).chain((0..passed).map(move |_| of(&OutcomeWord::Passed)))
        };
        let briefs = || bad("A1", 1, 99).chain(bad("A2", 30, 70)).chain(bad("A3", 2, 98));
        let marked: Vec<String> =
            tally(By::Slot, briefs()).groups().into_iter().filter(|group| group.stands_out).map(|group| group.key).collect();
        assert_eq!(marked, ["A2"]);
        let two_days = briefs().map(|brief| if brief.slot == Some("A2") { Brief { at: at("2026-11-25T10:00"), ..brief } } else { brief });
        assert!(tally(By::Day, two_days).groups().iter().all(|group| !group.stands_out));
    }
}
