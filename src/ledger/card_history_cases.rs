//! Tests of the answers for a card that comes back.

use std::path::Path;

use super::tests::{attempt, closed, open, place, started};
use super::*;
use crate::station::card::{Card, Cid, Identity};
use crate::station::order::Order as Wanted;
use crate::station::outcome::{Effort, Failure, Outcome, OutcomeWord, Pull, Refusal};
use crate::station::past::Past;
use crate::station::record::{Attempt, Entry};
use crate::station::testing::{card, proof};

fn of(number: u64, slot: &str, card: Card, order: Option<u64>) -> Box<Attempt> {
    Box::new(Attempt { slot: slot.to_owned(), card, order, ..*attempt(number) })
}

fn with_cid(raw: &str) -> Card {
    Card { identified: Identity::Cid, cid: Some(Cid { raw: raw.to_owned(), ..Cid::default() }), ..card("p1", 1) }
}

fn row(ledger: &mut Ledger, attempt: Box<Attempt>, outcome: Outcome) {
    ledger.append(&Entry::AttemptStarted(attempt.clone())).expect("appended");
    ledger.append(&Entry::AttemptClosed { attempt, outcome, effort: Effort::default() }).expect("appended");
}

fn newest(log: &Path, card: &Card, slot: &str) -> Option<(OutcomeWord, Option<u64>)> {
    let past = LogReader::open(log).expect("a log").past(&Named::of(card, slot)).expect("readable");
    let newest = match past {
        Past::ByCid(rows) | Past::BySerial(rows) => rows.newest,
        Past::OfSlot(newest) => newest,
        Past::Unknown => None,
    };
    newest.map(|row| (row.outcome, row.order))
}

#[test]
fn a_card_is_found_by_its_own_name_and_one_without_by_the_newest_row_of_its_slot() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("flash-log.db");
    let mut ledger = open(&path);
    let stick = |serial: &str, product: &str| Card { serial: Some(serial.into()), product: Some(product.into()), ..card("p1", 1) };
    let in_reader = Card { identified: Identity::ReaderOnly, ..card("p9", 1) };
    row(&mut ledger, of(1, "A1", with_cid("aa"), Some(1)), Outcome::Passed(proof()));
    row(&mut ledger, of(2, "A1", with_cid("aa"), Some(1)), Outcome::Pulled(Pull::Taken));
    row(&mut ledger, of(3, "A1", with_cid("aa"), None), Outcome::Rechecked(proof()));
    row(&mut ledger, of(4, "A1", with_cid("aa"), None), Outcome::Refused(Refusal::OwnDisk));
    row(&mut ledger, of(5, "A2", stick("7", "Stick"), None), Outcome::Passed(proof()));
    row(&mut ledger, of(6, "A9", in_reader.clone(), Some(2)), Outcome::Interrupted);
    ledger.append(&Entry::AttemptStarted(of(7, "A1", with_cid("aa"), None))).expect("appended");

    assert_eq!(newest(&path, &with_cid("aa"), "A9"), Some((OutcomeWord::Pulled, Some(1))), "looked at, refused and running rows are none");
    assert_eq!(newest(&path, &with_cid("ab"), "A1"), None);
    assert_eq!(newest(&path, &stick("7", "Stick"), "A1"), Some((OutcomeWord::Passed, None)));
    assert_eq!(newest(&path, &stick("7", "Other stick"), "A1"), None, "makers count their sticks each from the beginning");
    assert_eq!(newest(&path, &in_reader, "A9"), Some((OutcomeWord::Interrupted, Some(2))));
    assert_eq!(newest(&path, &in_reader, "A1"), Some((OutcomeWord::Pulled, Some(1))));
    assert_eq!(newest(&path, &in_reader, "B1"), None);
    let Past::ByCid(rows) = LogReader::open(&path).expect("a log").past(&Named::of(&with_cid("aa"), "A1")).expect("readable") else {
        panic!("it is known by its register")
    };
    assert_eq!(rows.good.map(|row| row.outcome), Some(OutcomeWord::Passed), "the newest good row is told, too");
}

#[test]
fn an_order_is_counted_anew_from_its_cards_each_of_them_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("flash-log.db");
    let mut ledger = open(&path);
    let by = crate::station::request::Who { uid: 0, name: "root".to_owned() };
    let order = |number| Wanted { number, model: format!("acme/{number}"), name: None, work_order: None, count: 9, passed: 0, boxes: None };
    for number in [1, 2] {
        ledger.append(&Entry::OrderStarted { order: order(number), by: by.clone() }).expect("appended");
    }
    let again = |ledger: &mut Ledger, number, cid: &str, order, outcome| {
        let past = LogReader::open(&path).expect("a log").past(&Named::of(&with_cid(cid), "A1")).expect("readable");
        let attempt = Attempt { past, ..*of(number, "A1", with_cid(cid), order) };
        row(ledger, Box::new(attempt), outcome);
    };
    again(&mut ledger, 1, "aa", Some(1), Outcome::Passed(proof()));
    again(&mut ledger, 2, "bb", Some(1), Outcome::Found(proof()));
    again(&mut ledger, 3, "cc", Some(1), Outcome::Passed(proof()));
    again(&mut ledger, 4, "aa", Some(2), Outcome::Passed(proof()));
    again(&mut ledger, 5, "bb", None, Outcome::Rechecked(proof()));
    let passed = |ledger: &Ledger| ledger.standing().expect("readable").orders.iter().map(|order| order.passed).collect::<Vec<_>>();
    assert_eq!(passed(&ledger), [2, 1], "aa moved to the second order; bb was found and looked at again");
    // The PC loses its power while cc is written once more.
    let past = LogReader::open(&path).expect("a log").past(&Named::of(&with_cid("cc"), "A1")).expect("readable");
    ledger.append(&Entry::AttemptStarted(Box::new(Attempt { past, ..*of(6, "A1", with_cid("cc"), Some(2)) }))).expect("appended");
    drop(ledger);
    let ledger = open(&path);
    assert_eq!(ledger.interrupted(), [6]);
    assert_eq!(passed(&ledger), [1, 1], "nobody knows what is on cc now");
}

#[test]
fn a_good_row_that_a_newer_row_of_its_serial_has_taken_out_of_its_order_is_told_without_its_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("flash-log.db");
    let mut ledger = open(&path);
    let stick = card("p1", 1);
    let past = || match LogReader::open(&path).expect("a log").past(&Named::of(&stick, "A1")).expect("readable") {
        Past::BySerial(rows) => rows,
        other => panic!("it has a serial: {other:?}"),
    };
    row(&mut ledger, of(1, "A1", stick.clone(), Some(1)), Outcome::Passed(proof()));
    row(&mut ledger, of(2, "A1", stick.clone(), Some(1)), Outcome::Failed(Failure::Changed));
    assert_eq!(past().good.and_then(|row| row.order), Some(1), "it may have been another stick with this serial");
    // One of them is found as it was made, counts in the place of the first row, and is written to by another program.
    let found = Box::new(Attempt { past: Past::BySerial(past()), ..*of(3, "A1", stick.clone(), Some(1)) });
    row(&mut ledger, found.clone(), Outcome::Found(proof()));
    ledger.append(&Entry::AttemptChanged { attempt: found, outcome: Outcome::Changed { sectors: 8 } }).expect("appended");
    let good = past().good.expect("the first row");
    assert_eq!((good.outcome, good.order), (OutcomeWord::Passed, None), "it has left its order already");
}

#[test]
fn a_serial_in_capitals_finds_the_card_whose_device_says_it_in_small_letters() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("flash-log.db");
    let mut ledger = open(&path);
    let stick = |serial: &str| Card { serial: Some(serial.into()), ..card("p1", 1) };
    row(&mut ledger, of(1, "A1", stick("4c531001abCD"), None), Outcome::Passed(proof()));
    row(&mut ledger, of(2, "A1", stick("4C531001ABCE"), None), Outcome::Passed(proof()));
    row(&mut ledger, of(3, "A1", with_cid("03534453"), None), Outcome::Passed(proof()));
    let log = LogReader::open(&path).expect("a log");
    let found = |serial: &str| {
        let filter = Filter { serial: Some(serial.to_owned()), ..Filter::default() };
        log.attempts(&filter).map(|row| row.expect("readable").attempt).collect::<Vec<_>>()
    };
    assert_eq!(found("4C531001ABCD"), [1]);
    assert_eq!(found("4c531001abce"), [2]);
    assert_eq!(found("4c531001AB"), [1, 2]);
    assert_eq!(found("4c531001abcf"), [0; 0]);
    assert!(log.card_names().expect("readable").contains("4c531001abCD"), "a name stays as the card says it");
}

#[test]
fn a_code_that_has_another_word_today_is_read_as_todays() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    ledger.append(&started(1)).expect("appended");
    ledger.append(&closed(1, Outcome::Refused(Refusal::Busy))).expect("appended");
    let reader = LogReader::open(&path).expect("opens");
    assert_eq!(reader.row(1).expect("read").expect("there").code.as_deref(), Some("locked"));
    let written = reader.events(1).expect("read").pop().expect("closed");
    assert!(written.body.contains(r#""code":"locked""#), "{}", written.body);
    for (then, today) in [("busy", "locked"), ("held", "in-use"), ("mounted", "mounted")] {
        let body = written.body.replace(r#""code":"locked""#, &format!(r#""code":"{then}""#));
        let row = Row::of(3, String::new(), &written.kind, written.at, &body).expect("a row");
        assert_eq!(row.code.as_deref(), Some(today));
    }
}
