//! The report of a lot on one page, for its buyer: self-contained, for a browser and for paper. Its numbers are those of the summary.
//!
//! Names of cards, slots and files are shown as text only: the template escapes them.

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::ledger::{LogEvent, Row};
use crate::station::card::Identity;
use crate::station::suspect::Finding;
use crate::station::units::to_u64;

use super::row_facts;
use super::serials::{Serials, Time, seen, short};
use super::summary::{Scope, Summary, standing_out};
use super::table::local;
use super::tally::{Counts, Tally};
use super::text::{harmless, percent, seconds};
use super::verifier::ProverProofs;

/// Limit of serials: more than a person reads on a page, and few enough for a browser.
pub(crate) const MOST: u64 = 100_000;

/// The statement about the log on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChainVerdict {
    /// The whole chain holds.
    pub whole: bool,
    /// Its head, or its problem.
    pub says: String,
}

/// An image that cards of the lot carry, of one model: several models may have the same image, and each is armed and approved alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImageFacts {
    digest: String,
    source: Option<String>,
    span: Option<u64>,
    model: Option<String>,
    good: u64,
    read_back: u64,
    mapped_only: u64,
    wrong: u64,
    first: Option<i64>,
    last: Option<i64>,
    models: Vec<ModelFacts>,
    armed: Vec<(i64, String)>,
    approved: Vec<(i64, String)>,
    uncovered: Vec<String>,
}

/// How it was proven which device an image is for, when cards were made with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ModelFacts {
    class: String,
    device: Option<String>,
    series: Option<String>,
    revision: Option<u64>,
    sha3_384: Option<String>,
    sign_key: Option<String>,
}

impl ModelFacts {
    fn of(row: &Row) -> Self {
        Self {
            class: row.model_proof.clone().unwrap_or_else(|| "none".to_owned()),
            device: row.model_brand.as_deref().zip(row.model_name.as_deref()).map(|(brand, model)| format!("{brand}/{model}")),
            series: row.model_series.clone(),
            revision: row.model_revision,
            sha3_384: row.model_sha3_384.clone(),
            sign_key: row.model_sign_key.clone(),
        }
    }

    fn markup(&self) -> Markup {
        html! {
            dt { "model proof" } dd { b { (harmless(&self.class)) } ": " (row_facts::proof_means(&self.class)) }
            @if let Some(device) = &self.device {
                dt { "assertion" }
                dd {
                    "brand/model " (harmless(device))
                    @if let Some(series) = &self.series { ", series " (harmless(series)) }
                    @if let Some(revision) = self.revision { ", revision " (revision) }
                }
            }
            @if let Some(digest) = &self.sha3_384 { dt { "SHA3-384" } dd.mono { (harmless(digest)) } }
            @if let Some(key) = &self.sign_key { dt { "signed by" } dd.mono { (harmless(key)) } }
        }
    }
}

/// The facts about the images on a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImagesOfLot(Vec<ImageFacts>);

impl ImagesOfLot {
    /// Adds a row.
    pub(crate) fn count(&mut self, row: &Row) {
        let Some(digest) = row.image_blake3.as_ref().filter(|_| row.outcome.is_good()) else { return };
        let index = self.0.iter().position(|image| image.digest == *digest && image.model == row.model).unwrap_or_else(|| {
            self.0.push(ImageFacts {
                digest: digest.clone(),
                source: row.image_source.clone(),
                span: row.image_span,
                model: row.model.clone(),
                first: row.ended,
                ..ImageFacts::default()
            });
            self.0.len() - 1
        });
        let image = &mut self.0[index];
        let model = ModelFacts::of(row);
        if !image.models.contains(&model) {
            image.models.push(model);
        }
        image.good += 1;
        image.last = row.ended;
        match &row.readback_blake3 {
            Some(back) if back == digest => image.read_back += 1,
            Some(_) => image.wrong += 1,
            None => image.mapped_only += 1,
        }
    }

    /// Adds the approval of the first card that was made with an image.
    pub(crate) fn approved(&mut self, event: &LogEvent) {
        let Ok(body) = serde_json::from_str::<serde_json::Value>(&event.body) else { return };
        for image in self.of(&body) {
            image.approved.push((event.at, approval(&body)));
        }
    }

    /// The image that the event with this body is about, with its model.
    fn of<'i>(&'i mut self, body: &'i serde_json::Value) -> impl Iterator<Item = &'i mut ImageFacts> {
        let (digest, model) = (body["image"]["blake3"].as_str(), body["image"]["model"].as_str());
        self.0.iter_mut().filter(move |image| digest == Some(image.digest.as_str()) && model == image.model.as_deref())
    }

    /// Adds an arming event of an image: its time, the station, the user, and the checks that could not be made.
    pub(crate) fn armed(&mut self, event: &LogEvent) {
        let Ok(body) = serde_json::from_str::<serde_json::Value>(&event.body) else { return };
        let mut who = format!("on {}", body["station_name"].as_str().unwrap_or("a station without a name"));
        if let Some(config) = body["by"]["config"].as_str() {
            who.push_str(&format!(", as {config} says"));
        }
        if let Some(owner) = body["by"]["config_owner"].as_str() {
            who.push_str(&format!(", a file of {owner}"));
        }
        for image in self.of(&body) {
            image.armed.push((event.at, who.clone()));
            for sentence in body["uncovered"].as_array().into_iter().flatten().filter_map(|sentence| sentence.as_str()) {
                if !image.uncovered.iter().any(|known| known == sentence) {
                    image.uncovered.push(sentence.to_owned());
                }
            }
        }
    }
}

/// The words of the page about the approval of a first card.
fn approval(body: &serde_json::Value) -> String {
    let by = body["by"]["user"].as_str().unwrap_or("a user without a name");
    let card = &body["first_card"];
    let serial = card["serial"].as_str().map(|serial| format!(", serial {serial}")).unwrap_or_default();
    let attempt = card["attempt"].as_u64().map(|attempt| format!("attempt {attempt}")).unwrap_or_default();
    let config = body["config_blake3"].as_str().map(|digest| format!(", under the configuration {}", short(digest))).unwrap_or_default();
    format!("by {by}: the card of {attempt}{serial}{config}")
}

/// The page, in its order.
#[derive(Debug)]
pub(crate) struct LotPage<'a> {
    /// The scope of the report.
    pub asked: &'a Scope,
    /// Counted by day or shift.
    pub summary: &'a Summary,
    /// The images of the lot.
    pub images: &'a ImagesOfLot,
    /// Slots, readers, hubs and cards that stood out in that time, with the times.
    pub findings: &'a [(i64, Finding)],
    /// The proofs of the verifier, with the cards of the lot behind each.
    pub verifier: &'a ProverProofs,
    /// The counts of all its cards.
    pub serials: &'a Serials,
    /// The log from which it is made.
    pub chain: &'a ChainVerdict,
    /// The station's name and id.
    pub station: (&'a str, &'a str),
    /// Notes about the log, above all numbers.
    pub note: Option<&'a str>,
    /// The time when the page was made, microseconds UTC.
    pub made: i64,
    /// The zone of the times.
    pub zone: &'a TimeZone,
}

impl LotPage<'_> {
    /// Everything above the list of serials.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub(crate) fn head(&self, out: &mut impl Write) -> io::Result<()> {
        let model = self.asked.model.as_deref().map_or_else(|| "all models".to_owned(), harmless);
        let total = self.summary.main().total();
        let zone = self.zone.iana_name().unwrap_or("local time");
        let at = |time: jiff::Timestamp| local(Some(time.as_microsecond()), self.zone).unwrap_or_default();
        let from = self.asked.window.since.map_or_else(|| "the beginning of the log".to_owned(), at);
        let until = self.asked.window.until.map_or_else(|| local(Some(self.made), self.zone).unwrap_or_default(), at);
        let markup = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                    title { "Flash report: " (model) }
                    style { (PreEscaped(include_str!("page.css"))) }
                }
                (PreEscaped("<body>"))
                h1 { "Flash report: " (model) }
                p { (from) " to " (until) @if let Some(slot) = &self.asked.slot { ", slot " (harmless(slot)) } }
                p.soft {
                    "Station " (harmless(self.station.0)) ", " span.mono { (self.station.1) } ". Made "
                    (local(Some(self.made), self.zone).unwrap_or_default()) "; times are " (zone) "."
                }
                @if let Some(note) = self.note { p { strong { (harmless(note)) } } }
                (self.totals(&total))
                (over_time(self.summary.main()))
                (reasons(&total))
                (groups("Slots", "slot", self.summary.slots(), &total))
                (groups("Kinds of cards", "cards", self.summary.card_types(), &total))
                (self.findings())
                (self.identities())
                (self.verifier.markup(self.zone))
                (self.log())
                h2 { "Cards" }
                @for line in self.serials.sums(None).lines().filter(|line| !line.starts_with("image ") && !line.starts_with("      ")) {
                    p.soft { (line) }
                }
                (PreEscaped("<table class=\"serials\"><thead>"))
                tr { th.wide.n { "attempt" } th { "time" } th { "serial" } th { "image" } th { "outcome" } th { "seen" } }
                (PreEscaped("</thead><tbody>"))
            }
        };
        // The list comes between the opened and the closed part; the markup itself ends with the closing tag of its root.
        let text = markup.into_string();
        out.write_all(text.strip_suffix("</html>").unwrap_or(&text).as_bytes())
    }

    /// A card of the list.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub(crate) fn card(&self, row: &Row, time: Time, out: &mut impl Write) -> io::Result<()> {
        let known = row.identified.as_deref().unwrap_or("none");
        let markup = html! {
            tr {
                td.n.wide { (row.attempt) }
                td.whole { (words(&local(row.ended, self.zone).unwrap_or_default())) }
                td.mono.card {
                    span { (row_facts::serial(row).map_or_else(|| "-".to_owned(), harmless)) }
                    @if let Some(cid) = &row.cid { span.soft { "CID " (harmless(cid)) } }
                    @if row_facts::identified(row) != Some(Identity::Cid) { span.soft { "by " (harmless(known)) } }
                }
                td.mono.digest { (row.image_blake3.as_deref().map(short).map(harmless).unwrap_or_default()) }
                td.word.(if row.outcome.is_good() { "good" } else { "bad" }) {
                    (harmless(row.outcome.as_str()))
                    @if let Some(code) = &row.code { div.soft { (harmless(code)) } }
                }
                td.n { (seen(time)) }
            }
        };
        out.write_all(markup.into_string().as_bytes())
    }

    /// Writes the end of the page.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub(crate) fn end(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(b"</tbody></table></body></html>\n")
    }

    fn totals(&self, total: &Counts) -> Markup {
        let sum = |name: &str, key: &str, value: String| {
            html! { li { b data-n=(key) { (value) } (name) } }
        };
        html! {
            ul.sums data-group="total" {
                (sum("good cards", "good-cards", self.serials.good_cards().to_string()))
                (sum("attempts", "attempts", total.attempts.to_string()))
                (sum("passed", "passed", total.passed.to_string()))
                @if total.mapped_only > 0 { (sum("passed, mapped only", "passed_mapped_only", total.mapped_only.to_string())) }
                (sum("failed", "failed", total.failed.to_string()))
                (sum("pulled", "pulled", total.pulled.to_string()))
                (sum("interrupted", "interrupted", total.interrupted.to_string()))
                (sum("refused, not touched", "refused", total.refused.to_string()))
                @if total.looked_again > 0 { (sum("rechecked", "looked_again", total.looked_again.to_string())) }
                (sum("yield of those begun", "yield", percent(total.good(), total.begun()).unwrap_or_else(|| "-".to_owned())))
                (sum("seconds, median", "median_seconds", total.median_ms().map_or_else(|| "-".to_owned(), seconds)))
            }
        }
    }

    fn findings(&self) -> Markup {
        html! {
            @if !self.findings.is_empty() {
                h2 { "More failures than chance explains" }
                @for (at, finding) in self.findings {
                    p { (local(Some(*at), self.zone).unwrap_or_default()) " " (harmless(&finding.to_string())) }
                }
            }
        }
    }

    fn identities(&self) -> Markup {
        html! {
            h2 { "Images and models" }
            @if self.images.0.is_empty() { p { "No card of this lot carries one." } }
            @for image in &self.images.0 {
                dl {
                    dt { "image" } dd { (image.source.as_deref().map(harmless).unwrap_or_default()) }
                    dt { "model" } dd { (image.model.as_deref().map(harmless).unwrap_or_default()) }
                    dt { "BLAKE3" } dd.mono { (harmless(&image.digest)) }
                    @if let Some(span) = image.span { dt { "length" } dd { (span) " bytes" } }
                    @for model in &image.models { (model.markup()) }
                    @if !image.uncovered.is_empty() {
                        dt { "not covered" }
                        dd { @for sentence in &image.uncovered { div { (harmless(sentence)) } } }
                    }
                    dt { "read back" }
                    dd {
                        (image.read_back) " of " (image.good) " good cards: every byte read back from the card, and its BLAKE3 is the image's."
                        @if image.mapped_only > 0 {
                            " " (image.mapped_only) ": only the image's data read back (mapped only); its zeroes were neither written nor read."
                        }
                        @if image.wrong > 0 { span.bad { " " (image.wrong) ": what was read back is NOT this image." } }
                    }
                    dt { "written" }
                    dd { (local(image.first, self.zone).unwrap_or_default()) " to " (local(image.last, self.zone).unwrap_or_default()) }
                    @if !image.approved.is_empty() {
                        dt { "first card approved" }
                        dd { @for (at, text) in image.approved.iter().rev().take(10) { div { (local(Some(*at), self.zone).unwrap_or_default()) " " (harmless(text)) } } }
                    }
                    @if !image.armed.is_empty() {
                        dt { "armed" }
                        dd {
                            @for (at, who) in image.armed.iter().rev().take(10) {
                                div { (local(Some(*at), self.zone).unwrap_or_default()) " " (harmless(who)) }
                            }
                            @if image.armed.len() > 10 { div.soft { "and " (image.armed.len() - 10) " times before" } }
                        }
                    }
                }
            }
        }
    }

    fn log(&self) -> Markup {
        html! {
            h2 { "Flash log" }
            @if self.chain.whole {
                p { "Every event of the log is bound to the one before it. The chain was walked to its head, and holds:" }
                p.mono data-n="head" { (self.chain.says) }
                p.soft { "Later, " span.mono { "flashline log verify --anchor " (self.chain.says) } " proves that the log still holds all of this." }
            } @else {
                p.bad data-n="head" { "The log is not good: " (harmless(&self.chain.says)) }
            }
        }
    }
}

/// Each word alone, for a style sheet that keeps words together: a browser would break a date at its hyphens.
fn words(text: &str) -> Markup {
    html! { @for (index, word) in text.split(' ').enumerate() { @if index > 0 { " " } span { (word) } } }
}

fn over_time(tally: &Tally) -> Markup {
    let groups = tally.groups();
    let most = groups.iter().map(|group| group.counts.attempts).max().unwrap_or(0);
    let per = match tally.by() {
        super::tally::By::Shift => "shift",
        _ => "day",
    };
    html! {
        h2 { "Yield over time" }
        @if groups.len() > 2 {
            div.chart {
                div.axis { span { "100 %" } span { "50 %" } span { "0 %" } }
                (curve(&groups.iter().map(|group| (group.counts.good(), group.counts.begun())).collect::<Vec<_>>()))
                div.ticks { span { (groups.first().map_or("", |group| &group.key)) } span { (groups.last().map_or("", |group| &group.key)) } }
            }
        }
        (table(per, &groups, most, per))
        @if tally.total().looked_again > 0 {
            p.soft { "Rechecked cards already held their image and were proven anew; no other number counts them." }
        }
        p.soft.key { span.good { "good" } span.bad { "failed" } span.rest { "pulled, interrupted, refused" } }
    }
}

/// Yield from left to right: nothing is drawn for a time without cards.
fn curve(points: &[(u64, u64)]) -> Markup {
    let mut path = String::new();
    let mut pen_down = false;
    let last = to_u64(points.len().saturating_sub(1)).max(1);
    for (index, (good, begun)) in points.iter().enumerate() {
        if *begun == 0 {
            pen_down = false;
            continue;
        }
        let x = to_u64(index) * 1000 / last;
        let y = 1000 - u128::from(*good) * 1000 / u128::from(*begun);
        let _memory = write!(path, "{}{x} {y} ", if pen_down { "L" } else { "M" });
        pen_down = true;
    }
    html! {
        svg viewBox="0 -20 1000 1040" preserveAspectRatio="none" role="img" aria-label="yield over time" {
            @for y in [0, 500, 1000] { line.grid x1="0" x2="1000" y1=(y) y2=(y) {} }
            path.curve d=(path.trim_end()) {}
        }
    }
}

/// Good, failed, everything else, as parts of the longest.
fn counts_bar(counts: &Counts, most: u64) -> Markup {
    let part = |count: u64| u64::try_from(u128::from(count) * 1000 / u128::from(most.max(1))).unwrap_or(1000);
    let (good, failed) = (part(counts.good()), part(counts.failed));
    let all = part(counts.attempts);
    html! {
        svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
            rect.rest x="0" y="0" width=(all) height="10" {}
            rect.no x=(good) y="0" width=(failed) height="10" {}
            rect.ok x="0" y="0" width=(good) height="10" {}
        }
    }
}

fn table(name: &str, groups: &[super::tally::Group], most: u64, group_name: &str) -> Markup {
    let again = groups.iter().any(|group| group.counts.looked_again > 0);
    html! {
        table.time[matches!(name, "day" | "shift")] {
            thead {
                tr {
                    th.name { (name) } th.bar { } th.n { "attempts" } th.n { "good" } th.n { "failed" }
                    th.n.wide { "pulled" } th.n.wide { "refused" } @if again { th.n.wide { "again" } }
                    th.n { "yield" } th.n.wide { "seconds" }
                }
            }
            tbody {
                @for group in groups {
                    tr data-group=(group_name) data-key=(harmless(&group.key)) {
                        td.name.stands[group.stands_out] { (words(&harmless(&group.key))) @if group.stands_out { " !" } }
                        td.bar { (counts_bar(&group.counts, most)) }
                        td.n data-n="attempts" { (group.counts.attempts) }
                        td.n data-n="good" { (group.counts.good()) }
                        td.n.stands[group.stands_out] data-n="failed" { (group.counts.failed) }
                        td.n.wide data-n="pulled" { (group.counts.pulled) }
                        td.n.wide data-n="refused" { (group.counts.refused) }
                        @if again { td.n.wide data-n="looked_again" { (group.counts.looked_again) } }
                        td.n data-n="yield" { (percent(group.counts.good(), group.counts.begun()).unwrap_or_else(|| "-".to_owned())) }
                        td.n.wide data-n="median_seconds" { (group.counts.median_ms().map_or_else(|| "-".to_owned(), seconds)) }
                    }
                }
            }
        }
    }
}

fn groups(title: &str, name: &str, tally: &Tally, total: &Counts) -> Markup {
    let groups = tally.groups();
    let most = groups.iter().map(|group| group.counts.attempts).max().unwrap_or(0);
    html! {
        h2 { (title) }
        @for group in groups.iter().filter(|group| group.stands_out) { p.stands { "! " (standing_out(name, group, total)) } }
        (table(name, &groups, most, tally.by().word()))
    }
}

fn reasons(total: &Counts) -> Markup {
    let mut reasons: Vec<_> = total.reasons.iter().collect();
    reasons.sort_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
    let most = reasons.first().map_or(1, |(_, count)| **count);
    html! {
        h2 { "Not passed, by reason" }
        @if reasons.is_empty() {
            p { "Every card passed." }
        } @else {
            table.reasons {
                tbody {
                    @for (reason, count) in reasons {
                        tr data-group="reason" data-key=(harmless(reason)) {
                            td.name { (harmless(reason)) }
                            td.bar {
                                svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
                                    rect.no x="0" y="0" width=(u128::from(*count) * 1000 / u128::from(most.max(1))) height="10" {}
                                }
                            }
                            td.n data-n="count" { (count) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Brief;
    use crate::report::tally::By;
    use crate::report::testing::{self, a_lot, brief};
    use crate::report::times::Shifts;
    use crate::station::outcome::OutcomeWord;
    use crate::station::suspect::Suspect;

    fn page_of(briefs: &[Brief<'_>], rows: &[Row], asked: &Scope) -> (String, serde_json::Value) {
        page_with(briefs, rows, asked, |_| {})
    }

    fn page_with(briefs: &[Brief<'_>], rows: &[Row], asked: &Scope, add: impl FnOnce(&mut ImagesOfLot)) -> (String, serde_json::Value) {
        let mut summary = Summary::new(By::Day, &TimeZone::UTC, &Shifts::default());
        briefs.iter().for_each(|brief| summary.add(brief));
        let (mut images, mut serials) = (ImagesOfLot::default(), Serials::default());
        for row in rows {
            images.count(row);
            serials.count(row);
        }
        add(&mut images);
        let suspect = Suspect::Lot { lot: "<L-9>".to_owned(), card_type: "SL16G 16 GB".to_owned() };
        let page = LotPage {
            findings: &[(1_700_000_000_000_000, Finding { suspect, failed: 9, of: 40, others_failed: 1, others_of: 200 })],
            asked,
            summary: &summary,
            images: &images,
            verifier: &ProverProofs::default(),
            serials: &serials,
            chain: &ChainVerdict { whole: true, says: "7:00ff".to_owned() },
            note: None,
            station: ("<station>", "6f1e"),
            made: 1_700_000_000_000_000,
            zone: &TimeZone::UTC,
        };
        let mut out = Vec::new();
        page.head(&mut out).expect("memory can be written");
        for row in rows {
            page.card(row, Some((1, 2)), &mut out).expect("memory can be written");
        }
        page.end(&mut out).expect("memory can be written");
        (String::from_utf8(out).expect("text"), summary.json(asked))
    }

    /// The text of the first element behind `from` that contains this number.
    fn number<'p>(page: &'p str, group: &str, key: Option<&str>, name: &str) -> &'p str {
        let group = match key {
            Some(key) => format!("data-group=\"{group}\" data-key=\"{key}\""),
            None => format!("data-group=\"{group}\""),
        };
        let from = page.find(&group).unwrap_or_else(|| panic!("{group} is on the page"));
        let name = format!("data-n=\"{name}\">");
        let from = from + page[from..].find(&name).expect("the number is there") + name.len();
        page[from..].split('<').next().expect("text")
    }

    #[test]
    fn its_numbers_are_those_of_the_summary() {
        let again = Brief { outcome: &OutcomeWord::Rechecked, ..brief() };
        let (page, json) = page_of(&[a_lot(), vec![again, again]].concat(), &[], &Scope::default());
        assert_eq!(number(&page, "total", None, "looked_again"), "2");
        for name in ["attempts", "passed", "passed_mapped_only", "failed", "pulled", "interrupted", "refused", "looked_again"] {
            assert_eq!(number(&page, "total", None, name), json["total"][name].to_string(), "{name}");
        }
        assert_eq!(number(&page, "total", None, "median_seconds"), "12.3");
        let days = json["groups"].as_array().expect("days");
        assert_eq!(days.len(), 1);
        for day in days {
            for name in ["attempts", "good", "failed", "pulled", "refused", "looked_again"] {
                assert_eq!(number(&page, "day", day["key"].as_str(), name), day[name].to_string(), "{name}");
            }
        }
        for (reason, count) in json["total"]["reasons"].as_object().expect("reasons") {
            assert_eq!(number(&page, "reason", Some(reason), "count"), count.to_string());
        }
        assert_eq!(number(&page, "slot", Some("A2"), "failed"), "30");
        assert!(page.contains("! slot A2: 30 of 100 failed"), "who stands out is said");
    }

    #[test]
    fn a_hostile_name_is_text_and_nothing_is_fetched() {
        let evil = "\"><script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}&amp;'";
        let row = Row {
            serial: Some(evil.to_owned()),
            cid: Some(evil.to_owned()),
            code: Some(evil.to_owned()),
            identified: Some(evil.to_owned()),
            image_blake3: Some(evil.to_owned()),
            image_source: Some(evil.to_owned()),
            model: Some(evil.to_owned()),
            outcome: OutcomeWord::Passed,
            ..Row::default()
        };
        let brief = Brief { slot: Some(evil), cid_name: Some(evil), code: Some(evil), outcome: &OutcomeWord::Failed, ..brief() };
        let asked = Scope { model: Some(evil.to_owned()), slot: Some(evil.to_owned()), ..Scope::default() };
        let (page, _) = page_of(&[brief], &[row], &asked);
        for forbidden in ["<script", "<img", "\u{202e}", evil] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("data-key=\"&quot;&gt;&lt;script&gt;"), "in an attribute, too");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(page.contains("&amp;amp;"), "what looks escaped already is escaped again");
        let (page, _) = page_of(&a_lot(), &testing::rows()[..1], &Scope::default());
        for forbidden in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link", "<iframe"] {
            assert!(!page.contains(forbidden), "the page fetches nothing: {forbidden}");
        }
    }

    #[test]
    fn a_bad_lot_is_told_with_its_time_and_its_counts() {
        let (page, _) = page_of(&[], &[], &Scope::default());
        let said = "2023-11-14 22:13:20 lot &lt;L-9&gt; (SL16G 16 GB): 9 of 40 failed, other lots 1 of 200";
        assert!(page.contains("More failures than chance explains") && page.contains(said), "{page}");
    }

    #[test]
    fn it_is_one_whole_document() {
        let (page, _) = page_of(&a_lot(), &testing::rows(), &Scope::default());
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\"><head>"));
        assert!(page.ends_with("</tbody></table></body></html>\n"));
        for tag in ["html", "body", "table", "thead", "tbody", "tr", "td", "div", "svg", "dl", "p", "ul"] {
            let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "<{tag}>");
        }
    }

    #[test]
    fn what_was_read_back_proves_an_image_and_what_differs_is_said() {
        let row = |back: Option<&str>| Row {
            image_blake3: Some("aa".to_owned()),
            readback_blake3: back.map(str::to_owned),
            outcome: OutcomeWord::Passed,
            ..Row::default()
        };
        let (page, _) = page_of(&[], &[row(Some("aa")), row(Some("aa")), row(None), row(Some("bb"))], &Scope::default());
        assert!(page.contains("2 of 4 good cards: every byte read back"));
        assert!(page.contains(" 1: only the image's data read back"));
        assert!(page.contains(" 1: what was read back is NOT this image."));
    }

    #[test]
    fn the_model_of_an_image_stands_beside_it_with_its_proof_and_each_kind_of_proof_once() {
        let proven = testing::proven(&testing::rows()[0]);
        let nobody = Row { image_blake3: proven.image_blake3.clone(), model_proof: Some("none".to_owned()), ..testing::rows()[0].clone() };
        let (page, _) = page_of(&[], &[proven.clone(), proven.clone(), nobody], &Scope::default());
        for expected in [
            "<b>proven</b>: signatures reach from this model, and from every snap of the image, to a trusted root",
            "brand/model acme/my-pi3, series 16, revision 4",
            "<dt>SHA3-384</dt><dd class=\"mono\">dddd</dd>",
            "<dt>signed by</dt><dd class=\"mono\">kkkk</dd>",
            "<b>none</b>: the image was not inspected",
        ] {
            assert_eq!(page.matches(expected).count(), 1, "{expected} in {page}");
        }
        let mut images = ImagesOfLot::default();
        images.count(&proven);
        let digest = proven.image_blake3.expect("an image");
        for _ in 0..2 {
            images.armed(&LogEvent {
                station: "6f1e".to_owned(),
                seq: 2,
                kind: "model-armed".to_owned(),
                at: 5,
                body: format!(
                    "{{\"image\":{{\"blake3\":\"{digest}\",\"model\":\"acme/box\"}},\
                     \"uncovered\":[\"grub.cfg of ubuntu-seed\"]}}"
                ),
            });
        }
        assert_eq!(images.0[0].uncovered, ["grub.cfg of ubuntu-seed"], "what nobody could cover is not kept from whoever gets the cards");
    }

    #[test]
    fn an_arming_is_told_with_its_image() {
        let mut images = ImagesOfLot::default();
        images.count(&Row { image_blake3: Some("aa".to_owned()), outcome: OutcomeWord::Passed, ..Row::default() });
        let event = |digest: &str| LogEvent {
            station: "6f1e".to_owned(),
            seq: 2,
            kind: "model-armed".to_owned(),
            at: 5,
            body: format!(
                "{{\"by\":{{\"config\":\"/etc/c.toml\",\"config_owner\":\"ann\"}},\"image\":{{\"blake3\":\"{digest}\"}},\
                 \"station_name\":\"bench-1\"}}"
            ),
        };
        images.armed(&event("aa"));
        images.armed(&event("bb"));
        assert_eq!(images.0[0].armed, [(5, "on bench-1, as /etc/c.toml says, a file of ann".to_owned())]);
    }

    #[test]
    fn the_approval_of_a_first_card_is_told_with_its_image_its_card_and_its_user() {
        let row = Row { image_blake3: Some("aa".to_owned()), outcome: OutcomeWord::Passed, ..testing::rows()[0].clone() };
        let event = |digest: &str| LogEvent {
            station: "6f1e".to_owned(),
            seq: 9,
            kind: "approval".to_owned(),
            at: 1_700_000_000_000_000,
            body: format!(
                "{{\"by\":{{\"uid\":1001,\"user\":\"<bob>\"}},\"config_blake3\":\"{}\",\"first_card\":{{\"attempt\":12,\"serial\":\"S-1\"}},\
                 \"image\":{{\"blake3\":\"{digest}\",\"model\":\"acme/box\"}}}}",
                "cd".repeat(32)
            ),
        };
        let mut images = ImagesOfLot::default();
        images.count(&row);
        images.approved(&event("aa"));
        images.approved(&event("bb"));
        let said = "by <bob>: the card of attempt 12, serial S-1, under the configuration cdcdcdcdcdcd";
        assert!(images.0[0].approved.len() == 1 && images.0[0].approved[0].1.starts_with(said), "{:?}", images.0[0].approved);
        let (page, _) = page_with(&[], &[row], &Scope::default(), |images| images.approved(&event("aa")));
        assert!(page.contains("<dt>first card approved</dt>") && page.contains("by &lt;bob&gt;: the card of attempt 12"), "{page}");
    }

    #[test]
    fn an_approval_stands_with_the_model_it_was_given_for_where_two_models_have_the_same_image() {
        let row = |model: &str| Row {
            image_blake3: Some("aa".to_owned()),
            model: Some(model.to_owned()),
            outcome: OutcomeWord::Passed,
            ..testing::rows()[0].clone()
        };
        let event = |model: &str| LogEvent {
            station: "6f1e".to_owned(),
            seq: 9,
            kind: "approval".to_owned(),
            at: 5,
            body: format!("{{\"by\":{{\"user\":\"bob\"}},\"image\":{{\"blake3\":\"aa\",\"model\":\"{model}\"}}}}"),
        };
        let mut images = ImagesOfLot::default();
        for model in ["acme/box", "acme/bag", "acme/box"] {
            images.count(&row(model));
        }
        images.approved(&event("acme/bag"));
        let told: Vec<_> = images.0.iter().map(|image| (image.model.as_deref(), image.good, image.approved.len())).collect();
        assert_eq!(told, [(Some("acme/box"), 2, 0), (Some("acme/bag"), 1, 1)], "nobody approved a card of acme/box");
    }

    #[test]
    fn the_curve_has_a_gap_where_nothing_was_begun() {
        let path = curve(&[(1, 1), (1, 2), (0, 0), (3, 3)]).into_string();
        assert!(path.contains("d=\"M0 0 L333 500 M1000 0\""), "{path}");
    }
}
