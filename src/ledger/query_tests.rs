//! Tests of queries: the result is complete, in order, without repeats, and as of one moment.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::Path;

use super::tests::{attempt, closed, open, place, started};
use super::*;
use crate::station::first_off::FirstOffRule;
use crate::station::outcome::{Effort, Outcome, OutcomeWord, Pull, Refusal};
use crate::station::record::Entry;
use crate::station::testing::{armed_by, image, proof};

fn stamp(at: i64) -> Stamp {
    Stamp { at, boot: "b".to_owned(), since_boot_ms: None, synced: None }
}

/// Attempts over three slots and two models, some of which are still running; a clock that was once set back.
fn filled(path: &Path, attempts: u64) -> Ledger {
    let mut ledger = open(path);
    ledger.append_at(&stamp(0), &Entry::StationStarted { version: "1.0".to_owned(), volatile: None }).expect("appended");
    let mut entries = Vec::new();
    for number in 1..=attempts {
        let mut attempt = attempt(number);
        attempt.slot = format!("A{}", number % 3);
        attempt.model = format!("acme/box{}", number % 2);
        attempt.card.serial = Some(format!("S-{number}"));
        let at = i64::try_from(if number > attempts / 2 { number - attempts / 4 } else { number }).expect("fits") * 10;
        entries.push((stamp(at), Entry::AttemptStarted(attempt.clone())));
        let outcome = match number % 5 {
            0 => continue,
            1 => Outcome::Pulled(Pull::Taken),
            2 => Outcome::Refused(Refusal::OwnDisk),
            _ => Outcome::Passed(proof()),
        };
        entries.push((stamp(at + 5), Entry::AttemptClosed { attempt, outcome, effort: Effort::default() }));
    }
    ledger.append_all(&entries.iter().map(|(stamp, entry)| (stamp, entry)).collect::<Vec<_>>()).expect("appended");
    ledger
}

fn found(reader: &LogReader, filter: &Filter) -> Vec<Row> {
    reader.attempts(filter).collect::<Result<_, _>>().expect("rows")
}

/// Every possible filter, compared with the simplest way to get the result.
#[test]
fn what_is_found_is_what_was_asked_all_of_it_once_and_in_order() {
    let (_dir, path) = place();
    let _ledger = filled(&path, 1500);
    let reader = LogReader::open(&path).expect("a log");
    let all = found(&reader, &Filter::default());
    assert_eq!(all.iter().map(|row| row.attempt).collect::<BTreeSet<_>>().len(), 1500, "one row for every attempt");
    assert_eq!(all.len(), 1500);
    assert!(all.is_sorted_by_key(|row| row.seq));
    let word = |word: &str| Some(word.to_owned());
    let asked = [
        Filter { model: word("acme/box1"), ..Filter::default() },
        Filter { slot: word("A2"), outcome: word("running"), ..Filter::default() },
        Filter { outcome: word("refused"), ..Filter::default() },
        Filter { since: Some(5000), ..Filter::default() },
        Filter { until: Some(5000), ..Filter::default() },
        Filter { since: Some(4000), until: Some(6005), slot: word("A0"), ..Filter::default() },
        Filter { since: Some(9000), until: Some(3000), ..Filter::default() },
        Filter { serial: word("S-14"), ..Filter::default() },
        Filter { serial: word("S-14"), model: word("acme/box1"), since: Some(10_000), ..Filter::default() },
        Filter { after: Some(1000), outcome: word("passed"), ..Filter::default() },
        Filter { after: Some(1000), serial: word("S-1"), ..Filter::default() },
        Filter { model: word("acme/nothing"), ..Filter::default() },
    ];
    for filter in &asked {
        let expected: Vec<&Row> = all
            .iter()
            .filter(|row| {
                let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
                let at = row.ended.or(row.started).expect("a time");
                is(&filter.model, row.model.as_deref().expect("a model"))
                    && is(&filter.slot, row.slot.as_deref().expect("a slot"))
                    && is(&filter.outcome, row.outcome.as_str())
                    && filter.since.is_none_or(|since| since <= at)
                    && filter.until.is_none_or(|until| at < until)
                    && filter.after.is_none_or(|after| after < row.seq)
                    && filter.serial.as_ref().is_none_or(|serial| row.serial.as_ref().expect("a serial").starts_with(serial))
            })
            .collect();
        assert_eq!(found(&reader, filter).iter().collect::<Vec<_>>(), expected, "{filter:?}");
        for limit in [0, 1, 7, 600, 5000] {
            let newest = &expected[expected.len().saturating_sub(limit)..];
            let filter = Filter { limit: Some(u32::try_from(limit).expect("fits")), ..filter.clone() };
            assert_eq!(found(&reader, &filter).iter().collect::<Vec<_>>(), newest, "{filter:?}");
            let back = Filter { order: Direction::NewestFirst, ..filter };
            assert_eq!(found(&reader, &back).iter().rev().collect::<Vec<_>>(), newest, "{back:?}");
        }
    }
}

#[test]
fn a_summary_counts_the_rows_that_ended() {
    let (_dir, path) = place();
    let _ledger = filled(&path, 1500);
    let reader = LogReader::open(&path).expect("a log");
    for filter in [
        Filter::default(),
        Filter { since: Some(3000), until: Some(9000), ..Filter::default() },
        Filter { model: Some("acme/box1".to_owned()), slot: Some("A1".to_owned()), ..Filter::default() },
        Filter { outcome: Some("pulled".to_owned()), limit: Some(9), ..Filter::default() },
        Filter { limit: Some(9), order: Direction::NewestFirst, ..Filter::default() },
    ] {
        // Running attempts have not ended: they are not part of a summary and do not count for its limit.
        let mut rows: Vec<_> =
            found(&reader, &Filter { limit: None, ..filter.clone() }).into_iter().filter(|row| row.ended.is_some()).collect();
        if filter.order == Direction::NewestFirst {
            rows.truncate(9);
        } else {
            rows.drain(..rows.len() - filter.limit.map_or(rows.len(), |limit| usize::try_from(limit).expect("fits")));
        }
        let mut rows = rows.iter();
        reader
            .briefs(&filter, |brief| {
                let row = rows.next().expect("no more than there are rows");
                let expected = Brief {
                    seq: row.seq,
                    at: row.ended.expect("it ended"),
                    model: row.model.as_deref(),
                    slot: row.slot.as_deref(),
                    outcome: &row.outcome,
                    code: row.code.as_deref(),
                    total_us: row.total_us,
                    image_blake3: row.image_blake3.as_deref(),
                    port: row.port.as_deref(),
                    bus: row.bus.as_deref(),
                    vendor: row.vendor.as_deref(),
                    product: row.product.as_deref(),
                    cid_name: row.cid_name.as_deref(),
                    capacity: row.capacity,
                };
                assert_eq!(*brief, expected);
                ControlFlow::Continue(())
            })
            .expect("readable");
        assert_eq!(rows.next(), None, "{filter:?}");
    }
    let mut seen = 0;
    let enough = |_: &Brief<'_>| {
        seen += 1;
        if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    reader.briefs(&Filter::default(), enough).expect("readable");
    assert_eq!(seen, 3, "whoever has seen enough is told no more");
}

/// Ensures the speed of a large log: a million rows of a year are never read to find ten.
#[test]
fn every_question_has_its_index_and_a_summary_reads_nothing_else() {
    let (_dir, path) = place();
    let _ledger = filled(&path, 10);
    let reader = LogReader::open(&path).expect("a log");
    let mut plans = String::new();
    for sql in query::questions().into_iter().chain(boxes::questions().map(str::to_owned)) {
        let mut query = reader.connection().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("it can be asked");
        for parameter in 1..=query.parameter_count() {
            query.raw_bind_parameter(parameter, 1).expect("bound");
        }
        let mut rows = query.raw_query();
        while let Some(row) = rows.next().expect("a plan") {
            writeln!(plans, "{}", row.get::<_, String>(3).expect("text")).expect("memory can be written");
        }
    }
    for index in [
        "event_serial_any_case (<expr>>? AND <expr><?)",
        "event_cid_any_case (<expr>>? AND <expr><?)",
        "event_cid_serial_any_case (<expr>>? AND <expr><?)",
    ] {
        assert!(plans.contains(&format!("INDEX {index}")), "{index}: {plans}");
    }
    for index in ["event_serial (<expr>=?)", "event_cid (<expr>=?)", "event_order (<expr>=?)", "event_leaves_order (<expr>=?)"] {
        assert!(plans.contains(&format!("INDEX {index}")), "{index}: {plans}");
    }
    assert_eq!(plans.matches("COVERING INDEX event_brief (seq>? AND seq<?)").count(), 4, "{plans}");
    assert!(plans.contains("COVERING INDEX event_brief (seq>?)"), "{plans}");
    assert!(plans.contains("COVERING INDEX event_at"), "{plans}");
    assert!(plans.contains("COVERING INDEX event_start (seq>? AND seq<?)"), "{plans}");
    assert!(plans.contains("INDEX event_attempt (attempt=? AND kind=?"), "{plans}");
    assert!(plans.contains("INDEX event_of_station (kind=?)"), "{plans}");
    assert!(!plans.contains("SCAN") && !plans.contains("TEMP"), "{plans}");
}

#[test]
fn an_attempt_that_ends_while_a_reader_looks_is_neither_lost_nor_shown_twice() {
    let (_dir, path) = place();
    let mut ledger = filled(&path, 3000);
    let reader = LogReader::open(&path).expect("a log");
    let before = found(&reader, &Filter::default());
    for filter in [Filter::default(), Filter { order: Direction::NewestFirst, ..Filter::default() }] {
        let mut attempts = reader.attempts(&filter);
        let first = attempts.next().expect("a row").expect("readable");
        let open: Vec<u64> = found(&reader, &Filter { outcome: Some("running".to_owned()), limit: Some(10), ..Filter::default() })
            .into_iter()
            .map(|row| row.attempt)
            .collect();
        for attempt in open {
            ledger.append(&closed(attempt, Outcome::Pulled(Pull::Taken))).expect("appended");
        }
        let seen: Vec<u64> = [first].into_iter().chain(attempts.map(|row| row.expect("readable"))).map(|row| row.attempt).collect();
        assert_eq!(seen.len(), before.len());
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), before.len());
    }
}

#[test]
fn an_attempt_is_shown_with_its_events_and_as_it_is_now() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    ledger.append(&started(1)).expect("appended");
    let reader = LogReader::open(&path).expect("a log");
    assert_eq!(reader.row(1).expect("readable").map(|row| row.outcome), Some(OutcomeWord::Running));
    ledger.append(&closed(1, Outcome::Pulled(Pull::Taken))).expect("appended");
    assert_eq!(reader.row(1).expect("readable").map(|row| row.outcome), Some(OutcomeWord::Pulled));
    let events = reader.events(1).expect("readable");
    assert_eq!(
        events.iter().map(|event| (event.seq, event.kind.as_str())).collect::<Vec<_>>(),
        [(2, "attempt-started"), (3, "attempt-closed")]
    );
    assert!(events[0].body.starts_with("{\"attempt\":1,"));
    for none in [0, 2, u64::MAX] {
        assert_eq!(reader.row(none).expect("readable"), None);
        assert!(reader.events(none).expect("readable").is_empty());
    }
    assert_eq!(reader.head().expect("readable"), reader.verify().expect("readable").expect("whole"));
    assert!(reader.armings(None).expect("readable").is_empty());
    ledger.append(&Entry::ModelArmed { armed: image(), by: armed_by(), first_off: FirstOffRule::Off }).expect("appended");
    for (model, count) in [(None, 1), (Some("acme/box"), 1), (Some("acme/other"), 0)] {
        assert_eq!(reader.armings(model).expect("readable").len(), count, "{model:?}");
    }
    let body = &reader.armings(None).expect("readable")[0].body;
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let by = serde_json::json!({
        "occasion": "start", "config": "/etc/flashline/config.toml", "config_blake3": "01".repeat(32), "config_owner": "root",
        "config_owner_uid": 0, "config_changed": 1_700_000_000_000_000_i64, "asked_by": null,
    });
    assert_eq!((&body["by"], &body["image"]["source"], &body["image"]["model"]), (&by, &"box.img".into(), &"acme/box".into()));
}

#[test]
fn an_event_that_is_not_ours_is_named_and_not_passed_over() {
    let (_dir, path) = place();
    drop(filled(&path, 10));
    super::tests::tamper(&path, "UPDATE event SET body = json_set(body, '$.slot', 7) WHERE seq = 4");
    let error = LogReader::open(&path).expect("a log").attempts(&Filter::default()).find_map(Result::err).expect("an error");
    assert_eq!(error.problem, LogProblem::Broken { seq: 4 });
}

/// A person with the `sqlite3` program reads the view, so it must have the same contents.
#[test]
fn the_view_shows_the_same_rows() {
    let (_dir, path) = place();
    let _ledger = filled(&path, 20);
    let reader = LogReader::open(&path).expect("a log");
    let mut query =
        reader.connection().prepare("SELECT seq, attempt, outcome, started, ended, slot, serial FROM attempt ORDER BY seq").expect("asked");
    let view = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?)))
        .expect("rows")
        .collect::<rusqlite::Result<Vec<(i64, i64, String, Option<i64>, Option<i64>, Option<String>, Option<String>)>>>()
        .expect("rows");
    let signed = |count: u64| i64::try_from(count).expect("fits");
    let rows = found(&reader, &Filter::default());
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| (signed(row.seq), signed(row.attempt), row.outcome.to_string(), row.started, row.ended, row.slot, row.serial))
        .collect();
    assert_eq!(view, rows);
}
