//! The summary: attempts counted, and the groups that stand out. As a table with bars, or as one JSON object.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::ledger::Brief;
use crate::station::units::{to_f64, to_u64};

use super::table::WIDTH;
use super::tally::{By, Counts, Group, Tally};
use super::text::{Head, Layout, bar, harmless, percent, seconds};
use super::times::{Shifts, Window};

/// The scope of a summary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only attempts of this model; `None` for all.
    pub model: Option<String>,
    /// Only attempts in this slot; `None` for all.
    pub slot: Option<String>,
    /// Only attempts in this time.
    pub window: Window,
}

impl Scope {
    /// As members of a JSON object.
    pub(super) fn json(&self) -> Value {
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        json!({ "model": self.model, "slot": self.slot, "since": time(self.window.since), "until": time(self.window.until) })
    }
}

/// Attempts counted in one way, and by slot and kind of card to find outliers.
#[derive(Clone, Debug)]
pub struct Summary {
    main: Tally,
    slots: Tally,
    card_types: Tally,
}

impl Summary {
    /// A summary that has counted nothing yet.
    #[must_use]
    pub fn new(by: By, zone: &TimeZone, shifts: &Shifts) -> Self {
        let tally = |by| Tally::new(by, zone.clone(), shifts.clone());
        Self { main: tally(by), slots: tally(By::Slot), card_types: tally(By::CardType) }
    }

    /// Counts one more attempt.
    pub fn add(&mut self, brief: &Brief<'_>) {
        self.main.add(brief);
        self.slots.add(brief);
        self.card_types.add(brief);
    }

    /// The counts by the requested property.
    pub(super) fn main(&self) -> &Tally {
        &self.main
    }

    /// The counts by slot.
    pub(super) fn slots(&self) -> &Tally {
        &self.slots
    }

    /// By kind of card.
    pub(super) fn card_types(&self) -> &Tally {
        &self.card_types
    }

    /// The summary as one JSON object.
    #[must_use]
    pub fn json(&self, asked: &Scope) -> Value {
        let groups: Vec<Value> = self.main.groups().iter().map(group_json).collect();
        let total = self.main.total();
        let standing_out: Vec<Value> = [&self.slots, &self.card_types]
            .into_iter()
            .flat_map(|tally| tally.groups().into_iter().map(|group| (tally.by().word(), group)))
            .filter(|(_, group)| group.stands_out)
            .map(|(by, group)| {
                let (rate, rest) = (group.counts.failure_rate(), group.counts.failure_rate().rest_of(total.failure_rate()));
                let (low, high) = rate.interval();
                json!({
                    "by": by, "key": group.key, "failed": rate.failed, "of": rate.of, "rate_low": low, "rate_high": high,
                    "others_failed": rest.failed, "others_of": rest.of, "others_rate_high": rest.interval().1,
                })
            })
            .collect();
        json!({
            "asked": asked.json(),
            "by": self.main.by().word(),
            "total": total.json(),
            "groups": groups,
            "standing_out": standing_out,
        })
    }

    /// True if no attempt was counted.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        let total = self.main.total();
        total.attempts == 0 && total.looked_again == 0 && total.station_faults == 0 && total.unknown.is_empty()
    }

    /// A table no wider than [`WIDTH`], with bars if requested.
    #[must_use]
    pub fn text(&self, bars: bool) -> String {
        let total = self.main.total();
        if self.is_empty() {
            return "No attempts.\n".to_owned();
        }
        let groups = self.main.groups();
        let most = groups.iter().map(|group| group.counts.attempts + group.counts.looked_again).max().unwrap_or(0);
        let mut lines: Vec<[String; 10]> = groups.iter().map(|group| cells(&group.key, &group.counts, group.stands_out)).collect();
        lines.push(cells("all", &total, false));
        let layout = Layout::new(heads(self.main.by()), &lines, if bars { WIDTH - BAR - 2 } else { WIDTH });
        let mut text = layout.head();
        for (index, line) in lines.iter().enumerate() {
            let line = layout.line(line);
            match groups.get(index).filter(|_| bars) {
                Some(group) => {
                    let width = WIDTH - BAR - 2;
                    let line = line.trim_end_matches('\n');
                    let padding = " ".repeat(width.saturating_sub(console::measure_text_width(line)));
                    text.push_str(&format!("{line}{padding}  {}\n", good_and_again(&group.counts, most)));
                }
                None => text.push_str(&line),
            }
        }
        if total.looked_again > 0 {
            text.push_str(&format!(
                "\nRechecked: {}. They held their image already and were proven anew; no other number counts them.\n",
                total.looked_again
            ));
        }
        if total.mapped_only > 0 {
            text.push_str(&format!("\n{} of those passed are PASS (MAPPED ONLY): their zeroes were skipped.\n", total.mapped_only));
        }
        if total.as_found > 0 {
            text.push_str(&format!(
                "\n{} of those passed held their image already, and this log had no good row of them: proven, not written, counted once.\n",
                total.as_found
            ));
        }
        if total.station_faults > 0 {
            text.push_str(&format!(
                "\n{} STATION FAULT: the station failed and not the card; no other number counts them.\n",
                total.station_faults
            ));
        }
        for (word, count) in &total.unknown {
            text.push_str(&format!(
                "\nOutcome {}: {count}. This program does not know the word; no other number counts them.\n",
                harmless(word)
            ));
        }
        if total.changed > 0 {
            text.push_str(&format!(
                "\n{} CHANGED: another program wrote to them after they were proven, and none of them is counted as good.\n",
                total.changed
            ));
        }
        self.reasons(&total, bars, &mut text);
        self.who_stands_out(&total, &mut text);
        text
    }

    fn reasons(&self, total: &Counts, bars: bool, text: &mut String) {
        let mut reasons: Vec<_> = total.reasons.iter().collect();
        // The most frequent first.
        reasons.sort_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
        if let Some((_, most)) = reasons.first() {
            text.push_str("\nNot passed, by reason\n");
            for (reason, count) in &reasons {
                let bar = if bars { bar(**count, **most, 40) } else { String::new() };
                text.push_str(format!("  {:<20} {count:>8}  {bar}", harmless(reason)).trim_end());
                text.push('\n');
            }
        }
    }

    fn who_stands_out(&self, total: &Counts, text: &mut String) {
        for tally in [&self.slots, &self.card_types] {
            for group in tally.groups().into_iter().filter(|group| group.stands_out) {
                let what = if tally.by() == By::Slot { "slot" } else { "cards" };
                text.push_str(&format!("\n! {}\n", standing_out(what, &group, total)));
            }
        }
    }
}

/// Why a group is marked, in words.
pub(super) fn standing_out(what: &str, group: &Group, total: &Counts) -> String {
    let (rate, rest) = (group.counts.failure_rate(), group.counts.failure_rate().rest_of(total.failure_rate()));
    let part = |rate: super::outliers::Rate| percent(rate.failed, rate.of).unwrap_or_default();
    format!(
        "{what} {}: {} of {} failed ({}), of all others {} of {} ({}): more than chance explains",
        harmless(&group.key),
        rate.failed,
        rate.of,
        part(rate),
        rest.failed,
        rest.of,
        part(rest)
    )
}

/// For a table with bars.
const BAR: usize = 12;

/// Good cards as a full bar, followed by a lighter part for cards that were only rechecked.
fn good_and_again(counts: &Counts, most: u64) -> String {
    let cells = u128::from(counts.looked_again) * u128::from(to_u64(BAR)) / u128::from(most.max(1));
    let again = usize::try_from(cells.max(u128::from(counts.looked_again > 0))).unwrap_or(BAR).min(BAR);
    // Every count above zero is visible, at the cost of the last sliver of the others.
    let good: String = bar(counts.good(), most, BAR).chars().take(BAR - again).collect();
    good + &"░".repeat(again)
}

/// A table for each property: the name of a column is fixed.
fn heads(by: By) -> &'static [Head; 10] {
    const fn heads(name: &'static str) -> [Head; 10] {
        const fn number(name: &'static str) -> Head {
            Head { name, right: true, least: None }
        }
        [
            Head { name, right: false, least: Some(8) },
            number("ATTEMPTS"),
            number("GOOD"),
            number("FAILED"),
            number("PULLED"),
            number("REFUSED"),
            number("AGAIN"),
            number("YIELD"),
            number("SECONDS"),
            Head { name: "", right: false, least: None },
        ]
    }
    static DAY: [Head; 10] = heads("DAY");
    static SHIFT: [Head; 10] = heads("SHIFT");
    static MODEL: [Head; 10] = heads("MODEL");
    static SLOT: [Head; 10] = heads("SLOT");
    static READER: [Head; 10] = heads("READER");
    static CARDS: [Head; 10] = heads("CARDS");
    static IMAGE: [Head; 10] = heads("IMAGE");
    match by {
        By::Day => &DAY,
        By::Shift => &SHIFT,
        By::Model => &MODEL,
        By::Slot => &SLOT,
        By::Reader => &READER,
        By::CardType => &CARDS,
        By::Image => &IMAGE,
    }
}

fn cells(key: &str, counts: &Counts, stands_out: bool) -> [String; 10] {
    [
        harmless(key),
        counts.attempts.to_string(),
        counts.good().to_string(),
        counts.failed.to_string(),
        counts.pulled.to_string(),
        counts.refused.to_string(),
        counts.looked_again.to_string(),
        percent(counts.good(), counts.begun()).unwrap_or_else(|| "-".to_owned()),
        counts.median_ms().map_or_else(|| "-".to_owned(), seconds),
        if stands_out { "!".to_owned() } else { String::new() },
    ]
}

fn group_json(group: &Group) -> Value {
    let mut value = group.counts.json();
    if let Value::Object(members) = &mut value {
        let rate = group.counts.failure_rate();
        members.insert("key".to_owned(), json!(group.key));
        members.insert("stands_out".to_owned(), json!(group.stands_out));
        members.insert("failure_rate".to_owned(), json!((rate.of > 0).then(|| to_f64(rate.failed) / to_f64(rate.of))));
    }
    value
}

#[cfg(test)]
mod tests {
    use console::measure_text_width;

    use super::*;
    use crate::report::testing::{a_lot, brief};
    use crate::station::outcome::OutcomeWord;

    fn summary(by: By) -> Summary {
        let mut summary = Summary::new(by, &TimeZone::UTC, &Shifts::default());
        a_lot().iter().for_each(|brief| summary.add(brief));
        summary
    }

    #[test]
    fn a_summary_fits_its_width_and_marks_who_stands_out() {
        for by in By::ALL.map(|(_, by)| by) {
            for bars in [false, true] {
                let text = summary(by).text(bars);
                assert!(text.lines().all(|line| measure_text_width(line) <= WIDTH), "{text}");
                assert_eq!(text.contains('█'), bars, "{text}");
                assert!(text.contains("! slot A2: 30 of 100 failed (30.0 %), of all others 3 of 201 (1.4 %)"), "{text}");
                assert!(!text.contains("! cards"), "one kind of card stands out of nothing: {text}");
            }
        }
        let text = summary(By::Slot).text(false);
        let marked: Vec<&str> = text.lines().filter(|line| line.ends_with('!')).collect();
        assert_eq!(marked.len(), 1, "{text}");
        assert!(marked[0].starts_with("A2 "), "{text}");
    }

    #[test]
    fn the_table_and_the_json_count_the_same() {
        let summary = summary(By::Slot);
        let json = summary.json(&Scope::default());
        assert_eq!((&json["total"]["attempts"], &json["total"]["good"]), (&json!(303), &json!(268)));
        assert_eq!(json["total"]["reasons"], json!({ "mismatch": 33, "pulled": 1, "write-protected": 1 }));
        let groups = json["groups"].as_array().expect("groups");
        let text = summary.text(false);
        for group in groups {
            let line = text.lines().find(|line| line.starts_with(group["key"].as_str().expect("a key"))).expect("its line");
            let numbers: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(
                numbers[1..4].iter().map(|number| number.parse().expect("a number")).collect::<Vec<u64>>(),
                [
                    group["attempts"].as_u64().expect("a number"),
                    group["good"].as_u64().expect("a number"),
                    group["failed"].as_u64().expect("a number"),
                ]
            );
        }
        assert_eq!(json["standing_out"][0]["key"], "A2");
        assert_eq!(json["standing_out"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn a_card_looked_at_again_has_a_number_of_its_own_and_changes_no_other() {
        let mut with = summary(By::Slot);
        for outcome in [&OutcomeWord::Rechecked, &OutcomeWord::Rechecked, &OutcomeWord::RecheckedMapped] {
            with.add(&Brief { outcome, ..brief() });
        }
        let (text, json) = (with.text(false), with.json(&Scope::default()));
        assert!(text.contains("Rechecked: 3."), "{text}");
        let line = |text: &str| text.lines().find(|line| line.starts_with("A1 ")).expect("its line").to_owned();
        assert_eq!(line(&text).split_whitespace().nth(6), Some("3"), "{text}");
        assert!(line(&with.text(true)).ends_with('░'), "{}", with.text(true));
        assert_eq!(json["total"]["looked_again"], 3);
        assert_eq!(json["groups"][0]["looked_again"], 3);
        let mut others = json["total"].clone();
        others["looked_again"] = json!(0);
        assert_eq!(others, summary(By::Slot).json(&Scope::default())["total"]);
        let mut alone = Summary::new(By::Slot, &TimeZone::UTC, &Shifts::default());
        alone.add(&Brief { outcome: &OutcomeWord::Rechecked, ..brief() });
        assert!(alone.text(true).contains("Rechecked: 1."), "they are told where there is nothing else: {}", alone.text(true));
        assert!(!summary(By::Slot).text(false).contains("Rechecked"), "and not told of where there is none");
    }

    #[test]
    fn nothing_is_a_sentence_and_a_card_cannot_write_to_the_terminal() {
        let mut summary = Summary::new(By::CardType, &TimeZone::UTC, &Shifts::default());
        assert_eq!(summary.text(true), "No attempts.\n");
        summary.add(&Brief { cid_name: Some("\u{1b}[2J\u{202e}x"), ..brief() });
        assert!(!summary.text(true).contains(['\u{1b}', '\u{202e}']));
    }
}
