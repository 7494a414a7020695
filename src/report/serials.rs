//! The packing list: every card that was begun, by its serial, and whether it occurred before.
//!
//! Reads the rows twice: first to count how often each card occurs, in a few bytes for each card; then to list them. The list may be longer
//! than memory.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::ledger::{PackedBoxes, Row};
use crate::station::card::Identity;
use crate::station::outcome::{Counted, OutcomeWord};

use super::columns::time;
use super::machine::{Csv, no_formula};
use super::row_facts;
use super::table::{WIDTH, local};
use super::text::{Head, Layout, harmless};

/// A card's newest outcome, and how often it occurs in the list.
#[derive(Clone, Copy, Debug)]
struct Seen {
    times: u32,
    listed: u32,
    good: bool,
    by_cid: bool,
}

/// The counts of all cards, made before the first is listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Serials {
    cards: HashMap<[u8; 16], Seen>,
    /// Attempts by outcome: good cards, and begun cards that are not good.
    outcomes: HashMap<OutcomeWord, u64>,
    /// Attempts with an unknown outcome of another program.
    unknown_words: BTreeMap<String, u64>,
    refused: u64,
    /// Cards that already held their image and were proven anew.
    looked_again: u64,
    /// Good cards that cannot be distinguished from others.
    good_unknown: u64,
    unknown: u64,
    newest: u64,
    images: Vec<(String, Option<String>, Option<String>)>,
    images_left_off: bool,
}

/// Limit of the images named below a list: a list has a few.
const IMAGES: usize = 20;

/// Digits of an image's digest in a table.
const SHORT: usize = 12;

/// For one line: how many times the card was listed so far, and in total; `None` if that is unknown.
pub(crate) type Time = Option<(u32, u32)>;

/// Good cards, and begun cards that are not good.
fn is_listed(row: &Row) -> bool {
    matches!(row.outcome.counts(), Counted::Good | Counted::Bad | Counted::OurFault)
}

fn card(row: &Row) -> Option<[u8; 16]> {
    let hash = blake3::hash(row_facts::identity(row)?.as_bytes());
    hash.as_bytes().first_chunk().copied()
}

/// Whether a row belongs in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListPlace {
    /// The row belongs in the list, with its count.
    Listed(Time),
    /// It does not: the card was not touched, or it is still being written.
    NotListed,
    /// It was recorded after the cards were counted.
    Later,
}

impl Serials {
    /// Counts a row, in the order of the log.
    pub(crate) fn count(&mut self, row: &Row) {
        self.newest = self.newest.max(row.seq);
        match row.outcome.counts() {
            Counted::Good | Counted::Bad | Counted::OurFault => {}
            Counted::Again => self.looked_again += 1,
            Counted::Untouched => self.refused += 1,
            Counted::Nothing => {
                if let OutcomeWord::Unknown(word) = &row.outcome {
                    *self.unknown_words.entry(word.clone()).or_default() += 1;
                }
            }
        }
        if !is_listed(row) {
            return;
        }
        *self.outcomes.entry(row.outcome.clone()).or_default() += 1;
        if let Some(image) = &row.image_blake3
            && !self.images.iter().any(|(known, ..)| known == image)
        {
            if self.images.len() < IMAGES {
                self.images.push((image.clone(), row.image_source.clone(), row.model.clone()));
            } else {
                self.images_left_off = true;
            }
        }
        match card(row) {
            Some(card) => {
                let by_cid = row_facts::identified(row) == Some(Identity::Cid);
                let seen = self.cards.entry(card).or_insert(Seen { times: 0, listed: 0, good: false, by_cid });
                seen.times += 1;
                seen.good = row.outcome.is_good();
            }
            None => {
                self.unknown += 1;
                self.good_unknown += u64::from(row.outcome.is_good());
            }
        }
    }

    /// Where a row belongs; called once for each, in the order of counting.
    pub(crate) fn place(&mut self, row: &Row) -> ListPlace {
        if row.seq > self.newest {
            return ListPlace::Later;
        }
        if !is_listed(row) {
            return ListPlace::NotListed;
        }
        let seen = card(row).and_then(|card| self.cards.get_mut(&card));
        ListPlace::Listed(seen.map(|seen| {
            seen.listed += 1;
            (seen.listed, seen.times)
        }))
    }

    /// Cards that are good now: one that passed and failed later is not.
    #[must_use]
    pub(crate) fn good_cards(&self) -> u64 {
        self.good_known(true) + self.good_known(false) + self.good_unknown
    }

    fn good_known(&self, by_cid: bool) -> u64 {
        crate::station::units::to_u64(self.cards.values().filter(|seen| seen.good && seen.by_cid == by_cid).count())
    }

    fn seen_again(&self) -> usize {
        self.cards.values().filter(|seen| seen.times > 1).count()
    }

    /// The text below the list: its images, and its sums.
    #[must_use]
    pub(crate) fn sums(&self, expected: Option<u64>) -> String {
        let mut text = String::new();
        for (image, source, model) in &self.images {
            let of = |text: &Option<String>| text.as_deref().map(harmless).unwrap_or_default();
            text.push_str(&format!("image {}  {}  {}\n      {image}\n", short(image), of(model), of(source)));
        }
        if self.images_left_off {
            text.push_str("… and more images: each card's is in --json and --csv\n");
        }
        let of = |outcome: OutcomeWord| self.outcomes.get(&outcome).copied().unwrap_or_default();
        text.push_str(&format!("{} passed, ", of(OutcomeWord::Passed)));
        let found = of(OutcomeWord::Found) + of(OutcomeWord::FoundMapped);
        if found > 0 {
            text.push_str(&format!("{found} passed as found, "));
        }
        let mapped = of(OutcomeWord::PassedMapped);
        if mapped > 0 {
            text.push_str(&format!("{mapped} passed mapped only, "));
        }
        let changed = of(OutcomeWord::Changed);
        if changed > 0 {
            text.push_str(&format!("{changed} changed after the proof, "));
        }
        let ours = of(OutcomeWord::StationFault);
        if ours > 0 {
            text.push_str(&format!("{ours} ended by a fault of the station, "));
        }
        let [failed, pulled, interrupted] = [OutcomeWord::Failed, OutcomeWord::Pulled, OutcomeWord::Interrupted].map(of);
        text.push_str(&format!("{failed} failed, {pulled} pulled, {interrupted} interrupted; refused and not listed: {}\n", self.refused));
        for (word, count) in &self.unknown_words {
            text.push_str(&format!(
                "{count} with the outcome {}, which this program does not know: not listed, in no sum\n",
                harmless(word)
            ));
        }
        if self.looked_again > 0 {
            text.push_str(&format!("rechecked: {}; they already held their image, and count where they were made\n", self.looked_again));
        }
        text.push_str(&format!(
            "{} good {}: {} known by their own register, {} by their stick's serial, {} not identified\n",
            self.good_cards(),
            if self.good_cards() == 1 { "card" } else { "cards" },
            self.good_known(true),
            self.good_known(false),
            self.good_unknown
        ));
        match self.seen_again() {
            0 => {}
            1 => text.push_str("1 card occurs more than once: its last line counts\n"),
            more => text.push_str(&format!("{more} cards occur more than once: the last line of each counts\n")),
        }
        if self.unknown > 0 {
            text.push_str(&format!(
                "{} {} of cards whose serial is the reader's, or none: a card that occurs twice among them is not detected\n",
                self.unknown,
                if self.unknown == 1 { "line is" } else { "lines are" }
            ));
        }
        if let Some(expected) = expected {
            let good = self.good_cards();
            text.push_str(&match good.checked_sub(expected) {
                None if expected - good == 1 => format!("NOT COMPLETE: {good} of {expected}, 1 is missing\n"),
                None => format!("NOT COMPLETE: {good} of {expected}, {} are missing\n", expected - good),
                Some(0) => format!("COMPLETE: {good} of {expected}\n"),
                Some(more) => format!("COMPLETE: {good} of {expected}, and {more} more\n"),
            });
        }
        text
    }
}

/// The contents of the one card whose serial was asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct OneCard {
    newest: Option<Row>,
    /// The rows belong to several cards, or that is unknown.
    several: bool,
}

impl OneCard {
    /// Adds a row, in the order of the log.
    pub(crate) fn count(&mut self, row: &Row) {
        // A card that was not touched keeps its contents.
        if matches!(row.outcome.counts(), Counted::Untouched) {
            return;
        }
        let same = |other: &Row| row_facts::identity(row).is_some() && row_facts::identity(row) == row_facts::identity(other);
        self.several |= self.newest.as_ref().is_some_and(|newest| !same(newest));
        self.newest = Some(row.clone());
    }

    /// As a sentence; `None` if no card was found, or several.
    #[must_use]
    pub(crate) fn says(&self, zone: &TimeZone) -> Option<String> {
        let row = self.newest.as_ref().filter(|_| !self.several)?;
        let name = row_facts::serial(row).map(harmless).unwrap_or_default();
        let when = local(row.at(), zone).unwrap_or_default();
        let image = row.image_blake3.as_deref().map(short).map(harmless).unwrap_or_default();
        let of = |text: &Option<String>| text.as_deref().map(harmless).unwrap_or_default();
        let whose = if row_facts::identity(row).is_some() { "" } else { ", if that is the card: the serial is no card's own" };
        Some(match (&row.outcome, row.outcome.counts()) {
            (OutcomeWord::Running, _) => format!("on {name} nothing is proven yet: it is being written since {when}{whose}\n"),
            (_, Counted::Good | Counted::Again) => {
                format!("on {name} is image {image}, {}, {}: proven {when}{whose}\n", of(&row.model), of(&row.image_source))
            }
            (OutcomeWord::Unknown(word), _) => {
                format!("the contents of {name} are unknown: this program does not know the outcome {} {when}{whose}\n", harmless(word))
            }
            (outcome, _) => format!("on {name} is nothing that could be used: {outcome} {when}{whose}\n"),
        })
    }
}

/// The beginning of a digest.
pub(super) fn short(digest: &str) -> &str {
    digest.get(..SHORT).unwrap_or(digest)
}

static HEADS: [Head; 8] = [
    Head { name: "ATTEMPT", right: true, least: None },
    Head { name: "TIME", right: false, least: None },
    Head { name: "SERIAL", right: false, least: Some(8) },
    Head { name: "KNOWN BY", right: false, least: None },
    Head { name: "IMAGE", right: false, least: None },
    Head { name: "OUTCOME", right: false, least: None },
    Head { name: "SEEN", right: false, least: None },
    Head { name: "BOX", right: false, least: None },
];

/// The list as a table.
pub(crate) struct SerialTable {
    layout: Layout<8>,
    zone: TimeZone,
    boxes: PackedBoxes,
}

impl std::fmt::Debug for SerialTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SerialTable").field("zone", &self.zone).finish_non_exhaustive()
    }
}

impl SerialTable {
    /// The widths for these lines; later values that are wider are cut.
    #[must_use]
    pub(crate) fn new(first: &[(Row, Time)], zone: TimeZone, boxes: PackedBoxes) -> Self {
        let lines: Vec<_> = first.iter().map(|(row, time)| cells(row, *time, &boxes, &zone)).collect();
        Self { layout: Layout::new(&HEADS, &lines, WIDTH), zone, boxes }
    }

    /// The names of the columns.
    #[must_use]
    pub(crate) fn head(&self) -> String {
        self.layout.head()
    }

    /// The line of a card in the table.
    #[must_use]
    pub(crate) fn line(&self, row: &Row, time: Time) -> String {
        self.layout.line(&cells(row, time, &self.boxes, &self.zone))
    }
}

/// The count in words that are understood at once.
pub(super) fn seen(time: Time) -> String {
    match time {
        Some((_, 1)) => String::new(),
        Some((nth, times)) => format!("{nth} of {times}"),
        None => "?".to_owned(),
    }
}

/// A box is named by its order and its number in that order.
fn cells(row: &Row, time: Time, boxes: &PackedBoxes, zone: &TimeZone) -> [String; 8] {
    [
        row.attempt.to_string(),
        local(row.ended, zone).unwrap_or_default(),
        row_facts::serial(row).map(harmless).unwrap_or_default(),
        row.identified.as_deref().map(harmless).unwrap_or_default(),
        row.image_blake3.as_deref().map(short).unwrap_or_default().to_owned(),
        harmless(row.outcome.as_str()),
        seen(time),
        row.order.zip(boxes.of(row)).map(|(order, number)| format!("{order}/{number}")).unwrap_or_default(),
    ]
}

/// A line of the list as a JSON object.
#[must_use]
pub(crate) fn serial_json(row: &Row, time: Time, boxes: &PackedBoxes) -> Value {
    json!({
        "attempt": row.attempt,
        "ended": ended(row),
        "model": row.model,
        "serial": row_facts::serial(row),
        "cid": row.cid,
        "identified": row.identified,
        "identified_means": row_facts::serial_means(row.identified.as_deref()),
        "image_blake3": row.image_blake3,
        "image_source": row.image_source,
        "outcome": row.outcome.as_str(),
        "seen_nth": time.map(|(nth, _)| nth),
        "seen_times": time.map(|(_, times)| times),
        "work_order": row.work_order,
        "operator": row.operator,
        "card_lot": row.card_lot,
        "order": row.order,
        "box": boxes.of(row),
    })
}

fn ended(row: &Row) -> Option<String> {
    time(row.ended)
}

/// The header row of the list as CSV, and the values of a line.
const COLUMNS: [&str; 16] = [
    "attempt",
    "ended",
    "model",
    "serial",
    "cid",
    "identified",
    "image_blake3",
    "image_source",
    "outcome",
    "seen_nth",
    "seen_times",
    "work_order",
    "operator",
    "card_lot",
    "order",
    "box",
];

/// The list as CSV.
#[derive(Debug)]
pub(crate) struct SerialCsv<W: Write> {
    csv: Csv<W>,
    boxes: PackedBoxes,
}

impl<W: Write> SerialCsv<W> {
    /// Writes the header row.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub(crate) fn new(out: W, boxes: PackedBoxes) -> io::Result<Self> {
        Csv::with_header(out, COLUMNS).map(|csv| Self { csv, boxes })
    }

    /// Writes a line.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn line(&mut self, row: &Row, time: Time) -> io::Result<()> {
        let text = |text: Option<&str>| text.map(no_formula).unwrap_or_default().into_owned();
        let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        let order = row.order.map(|order| order.to_string()).unwrap_or_default();
        self.csv.record([
            row.attempt.to_string(),
            ended(row).unwrap_or_default(),
            text(row.model.as_deref()),
            text(row_facts::serial(row)),
            text(row.cid.as_deref()),
            text(row.identified.as_deref()),
            text(row.image_blake3.as_deref()),
            text(row.image_source.as_deref()),
            text(Some(row.outcome.as_str())),
            number(time.map(|(nth, _)| nth)),
            number(time.map(|(_, times)| times)),
            text(row.work_order.as_deref()),
            text(row.operator.as_deref()),
            text(row.card_lot.as_deref()),
            order,
            number(self.boxes.of(row)),
        ])
    }

    /// Writes the buffered lines.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.csv.finish()
    }
}

#[cfg(test)]
mod tests {
    use console::measure_text_width;

    use super::*;
    use crate::report::testing;

    fn row(seq: u64, identified: &str, name: &str, outcome: &str) -> Row {
        Row {
            seq,
            attempt: seq,
            identified: Some(identified.to_owned()),
            cid: (identified == "cid").then(|| name.to_owned()),
            serial: Some(name.to_owned()),
            image_blake3: Some("07".repeat(32)),
            outcome: outcome.into(),
            ..Row::default()
        }
    }

    fn places(rows: &[Row]) -> (Serials, Vec<ListPlace>) {
        let mut serials = Serials::default();
        rows.iter().for_each(|row| serials.count(row));
        let places = rows.iter().map(|row| serials.place(row)).collect();
        (serials, places)
    }

    #[test]
    fn a_card_seen_twice_is_marked_and_its_last_outcome_counts() {
        let rows = [
            row(1, "cid", "c1", "passed"),
            row(2, "cid", "c2", "failed"),
            row(3, "usb", "c1", "passed"),
            row(4, "cid", "c1", "failed"),
            row(5, "cid", "c2", "passed"),
        ];
        let (serials, places) = places(&rows);
        let listed = [(1, 2), (1, 2), (1, 1), (2, 2), (2, 2)].map(|time| ListPlace::Listed(Some(time)));
        assert_eq!(places, listed);
        assert_eq!(serials.good_cards(), 2, "c2 and the stick; c1 failed after it had passed");
        assert!(serials.sums(None).contains("2 cards occur more than once"), "{}", serials.sums(None));
    }

    #[test]
    fn a_readers_serial_is_never_taken_for_a_cards() {
        let rows = [row(1, "reader-only", "R", "passed"), row(2, "reader-only", "R", "passed"), row(3, "none", "", "failed")];
        let (serials, places) = places(&rows);
        assert_eq!(places, [ListPlace::Listed(None); 3], "nobody can tell");
        assert_eq!(serials.good_cards(), 2);
        let sums = serials.sums(None);
        assert!(sums.contains("2 good cards: 0 known by their own register, 0 by their stick's serial, 2 not identified"), "{sums}");
        assert!(sums.contains("3 lines are of cards whose serial is the reader's"), "{sums}");
    }

    #[test]
    fn a_card_that_was_not_touched_is_not_in_the_list_but_is_told_of() {
        let rows = [row(1, "cid", "c1", "refused"), row(2, "cid", "c1", "passed"), row(3, "cid", "c2", "running")];
        let (mut serials, places) = places(&rows);
        assert_eq!(places, [ListPlace::NotListed, ListPlace::Listed(Some((1, 1))), ListPlace::NotListed]);
        assert!(serials.sums(None).contains("refused and not listed: 1"));
        assert_eq!(serials.place(&row(9, "cid", "c9", "passed")), ListPlace::Later, "it was not counted");
    }

    #[test]
    fn a_card_looked_at_again_is_told_of_and_neither_listed_nor_counted_twice() {
        let rows = [row(1, "cid", "c1", "passed"), row(2, "cid", "c1", "recheck"), row(3, "cid", "c2", "recheck-mapped-only")];
        let (serials, places) = places(&rows);
        assert_eq!(places, [ListPlace::Listed(Some((1, 1))), ListPlace::NotListed, ListPlace::NotListed]);
        assert_eq!(serials.good_cards(), 1, "no card is made by looking at it");
        let sums = serials.sums(Some(1));
        assert!(sums.contains("rechecked: 2;") && sums.contains("COMPLETE: 1 of 1\n"), "{sums}");
        assert!(!sums.contains("more than once"), "{sums}");
        assert!(!self::places(&rows[..1]).0.sums(None).contains("again"), "where there is none, nothing is said");
    }

    #[test]
    fn what_is_on_one_card_is_what_was_last_proven_of_it() {
        let says = |rows: &[Row]| {
            let mut one = OneCard::default();
            rows.iter().for_each(|row| one.count(row));
            one.says(&TimeZone::UTC)
        };
        let at = |row: Row| Row {
            ended: Some(1_700_000_000_000_000),
            model: Some("acme/box".to_owned()),
            image_source: Some("box.img".to_owned()),
            ..row
        };
        let [passed, failed, refused, again] = ["passed", "failed", "refused", "recheck"].map(|outcome| at(row(1, "usb", "S-1", outcome)));
        let good = "on S-1 is image 070707070707, acme/box, box.img: proven 2023-11-14 22:13:20\n";
        assert_eq!(says(&[failed.clone(), passed.clone()]).as_deref(), Some(good));
        assert_eq!(says(&[passed.clone(), refused]).as_deref(), Some(good), "a card that was not touched holds what it held");
        assert_eq!(says(&[passed.clone(), again]).as_deref(), Some(good), "looked at again is proven again");
        assert_eq!(says(&[passed.clone(), failed]).as_deref(), Some("on S-1 is nothing that could be used: failed 2023-11-14 22:13:20\n"));
        assert_eq!(says(&[passed, at(row(2, "usb", "S-12", "passed"))]), None, "two cards have no one answer");
        let [one, other] = [1, 2].map(|seq| at(row(seq, "reader-only", "R", "passed")));
        assert_eq!(says(&[one.clone(), other]), None, "two lines of one reader may be of two cards");
        assert!(says(&[one]).expect("one line").contains("the serial is no card's own"));
        assert_eq!(says(&[]), None);
    }

    #[test]
    fn a_lot_is_complete_when_every_card_of_it_is_good() {
        let (serials, _) = places(&[row(1, "cid", "c1", "passed"), row(2, "cid", "c2", "passed"), row(3, "cid", "c1", "passed")]);
        assert!(serials.sums(Some(2)).contains("COMPLETE: 2 of 2\n"));
        assert!(serials.sums(Some(3)).contains("NOT COMPLETE: 2 of 3, 1 is missing"), "the same card twice is one card");
        assert!(serials.sums(Some(1)).contains("COMPLETE: 2 of 1, and 1 more"));
    }

    #[test]
    fn the_list_fits_its_width_and_no_card_can_write_to_the_terminal_or_run_in_a_spreadsheet() {
        let rows = testing::rows();
        let lines: Vec<_> = rows.iter().map(|row| (row.clone(), Some((1_000, 1_000)))).collect();
        let table = SerialTable::new(&lines, TimeZone::UTC, PackedBoxes::default());
        let text = lines.iter().fold(table.head(), |text, (row, time)| text + &table.line(row, *time));
        assert!(text.lines().all(|line| measure_text_width(line) <= WIDTH), "{text}");
        assert!(!text.contains('\u{1b}'));
        let mut out = Vec::new();
        let mut csv = SerialCsv::new(&mut out, PackedBoxes::default()).expect("a header");
        for (row, time) in &lines {
            csv.line(row, *time).expect("a line");
        }
        csv.finish().expect("memory can be written");
        let text = String::from_utf8(out).expect("text");
        let mut records = csv::Reader::from_reader(text.as_bytes());
        let record = records.records().nth(1).expect("two").expect("a record");
        assert_eq!(&record[3], "'=HYPERLINK(\"http://x\"),\u{1b}[31m\u{301}e");
        assert_eq!(text.matches("\r\n").count(), 3);
    }
}
