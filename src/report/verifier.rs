//! What the flash log says about the proof of the prover: which cards were proven by a verifier that had been proven itself.

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::serials::short;
use super::table::local;
use super::text::harmless;
use crate::ledger::{LogEvent, Row};

/// The most lines about proofs on a page; the newest are shown.
const SHOWN: usize = 10;

/// A proof of the prover, as an event has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ProverProof {
    at: i64,
    program: String,
    build: Option<String>,
    planted: Option<u64>,
    is_direct: bool,
    /// The good cards of the lot that it stands before.
    cards: u64,
}

/// What stands behind the verifier from an event of the log on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProvenBy {
    /// The station started, or the verifier missed a fault.
    Nothing,
    /// This proof, by its place in the list.
    Proof(usize),
}

/// The proofs of the prover in a log, and how many good cards of a lot stand behind each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProverProofs {
    proofs: Vec<ProverProof>,
    /// The number of the event from which on it holds, ascending.
    states: Vec<(u64, ProvenBy)>,
    missed: Vec<(i64, String)>,
    good: u64,
    without: u64,
}

impl ProverProofs {
    /// Reads the events, oldest first. Of events behind `until`, microseconds UTC, nothing is said.
    #[must_use]
    pub(crate) fn of(events: &[LogEvent], until: i64) -> Self {
        let mut all = Self::default();
        for event in events.iter().filter(|event| event.at < until) {
            let body = serde_json::from_str::<serde_json::Value>(&event.body).unwrap_or_default();
            let version = &body["station_version"];
            let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
            match event.kind.as_str() {
                "prover-proven" => {
                    all.proofs.push(ProverProof {
                        at: event.at,
                        program: text(&version["program"]).unwrap_or_default(),
                        build: text(&version["build"]),
                        planted: body["planted"].as_u64(),
                        is_direct: body["direct"].as_bool().unwrap_or(false),
                        cards: 0,
                    });
                    all.states.push((event.seq, ProvenBy::Proof(all.proofs.len() - 1)));
                }
                "prover-failed" => {
                    all.states.push((event.seq, ProvenBy::Nothing));
                    all.missed.push((event.at, text(&body["reason"]).unwrap_or_default()));
                }
                "station-started" => all.states.push((event.seq, ProvenBy::Nothing)),
                // While it cannot be tried, nothing is begun; a card that was busy stands behind the proof before.
                _ => {}
            }
        }
        all
    }

    /// Adds a row of the lot.
    pub(crate) fn count(&mut self, row: &Row) {
        if !row.outcome.is_good() {
            return;
        }
        self.good += 1;
        let behind = self.states.partition_point(|(seq, _)| *seq < row.seq);
        match self.states[..behind].last() {
            Some((_, ProvenBy::Proof(proof))) => self.proofs[*proof].cards += 1,
            Some((_, ProvenBy::Nothing)) | None => self.without += 1,
        }
    }

    /// The part of a page.
    #[must_use]
    pub(crate) fn markup(&self, zone: &TimeZone) -> Markup {
        let at = |at: i64| local(Some(at), zone).unwrap_or_default();
        let of_lot: Vec<&ProverProof> = self.proofs.iter().filter(|proof| proof.cards > 0).collect();
        let period = of_lot.first().zip(of_lot.last()).map(|(first, last)| first.at..=last.at);
        let missed: Vec<_> = self.missed.iter().filter(|(at, _)| period.as_ref().is_some_and(|period| at >= period.start())).collect();
        html! {
            h2 { "The verifier" }
            @if of_lot.len() > SHOWN { p.soft { "It was proven " (of_lot.len()) " times; these are the last " (SHOWN) "." } }
            @for proof in of_lot.iter().rev().take(SHOWN).rev() {
                p data-n="verifier" {
                    "The verifier was proven at " (at(proof.at)) " with program " (harmless(&proof.program))
                    @if let Some(build) = &proof.build { " (" span.mono { (harmless(short(build))) } ")" }
                    @if let Some(planted) = proof.planted { ": it found " (planted) " of " (planted) " planted faults" }
                    @if !proof.is_direct { ", through the page cache" }
                    "; " (proof.cards) " good cards of this lot followed."
                }
            }
            @for (time, reason) in missed {
                p.bad data-n="verifier-missed" { "At " (at(*time)) " " (harmless(reason)) "." }
            }
            @if self.without > 0 {
                p.bad data-n="unproven" {
                    (self.without) " of " (self.good) " good cards have no proof of the verifier before them: it is not shown that the "
                    "program that read them back detected faults then."
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::outcome::OutcomeWord;

    fn event(seq: u64, kind: &str, body: &str) -> LogEvent {
        let at = i64::try_from(seq).expect("small") * 60_000_000;
        LogEvent { station: String::new(), seq, kind: kind.to_owned(), at, body: body.to_owned() }
    }

    const PROVEN: &str = r#"{"station_version": {"program": "1.2.3", "build": "00ff00ff00ff00ff"}, "planted": 17, "direct": true}"#;

    fn page(events: &[LogEvent], rows: &[u64]) -> String {
        let mut proofs = ProverProofs::of(events, i64::MAX);
        rows.iter().for_each(|seq| proofs.count(&Row { seq: *seq, outcome: OutcomeWord::Passed, ..Row::default() }));
        proofs.markup(&TimeZone::UTC).into_string()
    }

    #[test]
    fn a_lot_says_when_and_with_which_program_its_verifier_was_proven_and_how_many_cards_followed() {
        let events = [event(1, "station-started", "{}"), event(2, "prover-proven", PROVEN), event(10, "prover-proven", PROVEN)];
        let page = page(&events, &[4, 6, 12]);
        assert!(page.contains("proven at 1970-01-01 00:02:00") && page.contains("with program 1.2.3"), "{page}");
        assert!(page.contains("it found 17 of 17 planted faults; 2 good cards of this lot followed."), "{page}");
        assert!(page.contains("; 1 good cards of this lot followed."), "{page}");
        assert!(!page.contains("class=\"bad\""), "{page}");
    }

    #[test]
    fn cards_before_the_first_proof_after_a_start_or_behind_a_missed_fault_are_a_visible_warning() {
        let missed = r#"{"reason": "the verifier missed a planted fault"}"#;
        let events = [
            event(2, "prover-proven", PROVEN),
            event(5, "station-started", "{}"),
            event(8, "prover-proven", PROVEN),
            event(11, "prover-unproven", "{}"),
            event(14, "prover-failed", missed),
        ];
        let warned = |rows: &[u64]| page(&events, rows).contains("data-n=\"unproven\"");
        assert!(!warned(&[3, 4, 9]), "each has a proof of its own run before it");
        assert!(warned(&[1]), "nothing was proven yet");
        assert!(warned(&[6]), "the proof was of the run before");
        assert!(!warned(&[12]), "it was begun before the disk was full");
        assert!(warned(&[15]), "the verifier had missed a fault");
        let page = page(&events, &[9, 15]);
        assert!(
            page.contains("1 of 2 good cards have no proof") && page.contains("00:14:00 the verifier missed a planted fault."),
            "{page}"
        );
    }
}
