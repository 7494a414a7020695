//! Tests: a card that was written to after its proof has one row, and no query counts it as a pass.

use std::ops::ControlFlow;

use rusqlite::Connection;

use super::query::Direction;
use super::tests::{attempt, closed, open, place, started, verdict};
use super::{Filter, LogReader};
use crate::station::outcome::Outcome;
use crate::station::record::Entry;
use crate::station::request::Who;
use crate::station::testing::proof;

fn changed(number: u64) -> Entry {
    Entry::AttemptChanged { attempt: attempt(number), outcome: Outcome::Changed { sectors: 24 } }
}

fn asked(log: &LogReader, filter: &Filter) -> Vec<(u64, String)> {
    log.attempts(filter).map(|row| row.map(|row| (row.attempt, row.outcome.to_string()))).collect::<Result<_, _>>().expect("rows")
}

fn briefs(log: &LogReader, filter: &Filter) -> Vec<String> {
    let mut words = Vec::new();
    log.briefs(filter, |brief| {
        words.push(brief.outcome.to_string());
        ControlFlow::Continue(())
    })
    .expect("read");
    words
}

#[test]
fn an_attempt_whose_card_changed_is_one_row_with_that_outcome_and_no_pass_anywhere() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    for number in 1..=3 {
        ledger.append(&started(number)).expect("appended");
        ledger.append(&closed(number, Outcome::Passed(proof()))).expect("appended");
    }
    ledger.append(&changed(2)).expect("appended");
    ledger.append(&started(4)).expect("appended");
    let log = LogReader::open(&path).expect("a log");
    let word = |word: &str| Filter { outcome: Some(word.to_owned()), ..Filter::default() };
    let row = |number, word: &str| (number, word.to_owned());
    let all = [row(1, "passed"), row(3, "passed"), row(2, "changed"), row(4, "running")];
    assert_eq!(asked(&log, &Filter::default()), all);
    assert_eq!(asked(&log, &word("passed")), [row(1, "passed"), row(3, "passed")]);
    assert_eq!(asked(&log, &word("changed")), [row(2, "changed")]);
    let serial = Filter { serial: Some("S-1".to_owned()), ..Filter::default() };
    assert_eq!(asked(&log, &serial), all);
    let newest = |limit| Filter { limit: Some(limit), order: Direction::NewestFirst, ..Filter::default() };
    assert_eq!(asked(&log, &newest(2)), [row(4, "running"), row(2, "changed")]);
    assert_eq!(briefs(&log, &Filter::default()), ["passed", "passed", "changed"]);
    assert_eq!(briefs(&log, &newest(3)), ["changed", "passed", "passed"], "what does not stand any more takes nobody's place");
    assert_eq!(briefs(&log, &Filter { limit: Some(2), ..Filter::default() }), ["passed", "changed"]);
    assert_eq!(briefs(&log, &word("passed")).len(), 2);
    let found = log.row(2).expect("read").expect("it is there");
    assert_eq!((found.outcome.as_str(), found.code.as_deref()), ("changed", Some("written-after-proof")));
    assert!(found.reason.as_deref().is_some_and(|reason| reason.contains("24 sectors")), "{found:?}");
    assert!(found.superseded_at.is_some() && found.started.is_some());
    let connection = Connection::open(&path).expect("opens");
    let of_view: i64 =
        connection.query_row("SELECT count(*) FROM attempt WHERE outcome = 'passed'", [], |row| row.get(0)).expect("counted");
    let rows: i64 = connection.query_row("SELECT count(*) FROM attempt", [], |row| row.get(0)).expect("counted");
    assert_eq!((of_view, rows), (2, 4), "who asks the file itself hears the same");
    verdict(&path).expect("the chain holds");
}

#[test]
fn only_a_closed_attempt_can_change_and_only_once() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    ledger.append(&started(1)).expect("appended");
    ledger.append(&changed(1)).expect_err("it is not closed");
    ledger.append(&closed(1, Outcome::Passed(proof()))).expect("appended");
    ledger.append(&changed(1)).expect("appended");
    ledger.append(&changed(1)).expect_err("it is changed already");
}

#[test]
fn a_card_that_changed_is_counted_out_of_its_order_over_restarts_too() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    let by = Who { uid: 0, name: "root".to_owned() };
    let order = crate::station::order::Order {
        number: 1,
        model: "acme/box".to_owned(),
        name: None,
        work_order: None,
        count: 3,
        passed: 0,
        boxes: None,
    };
    ledger.append(&Entry::OrderStarted { order, by }).expect("appended");
    let ordered = |number| {
        let mut attempt = attempt(number);
        attempt.order = Some(1);
        attempt
    };
    for (number, outcome) in [(1, Outcome::Passed(proof())), (2, Outcome::Passed(proof())), (3, Outcome::Rechecked(proof()))] {
        ledger.append(&Entry::AttemptStarted(ordered(number))).expect("appended");
        let closed = Entry::AttemptClosed { attempt: ordered(number), outcome, effort: crate::station::outcome::Effort::default() };
        ledger.append(&closed).expect("appended");
    }
    for number in [2, 3] {
        let outcome = Outcome::Changed { sectors: 1 };
        ledger.append(&Entry::AttemptChanged { attempt: ordered(number), outcome }).expect("appended");
    }
    drop(ledger);
    assert_eq!(open(&path).standing().expect("read").orders[0].passed, 1, "of the three only the first is good and counted");
}
