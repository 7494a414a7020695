//! Tests with logs that go from one PC to another: they stay one history, and a second history is found out.

use std::fs;
use std::path::{Path, PathBuf};

use super::compare::Relation;
use super::moved::{MOVE_UNDONE, MOVED_AWAY, STATION_MOVED};
use super::tests::{PC, closed, log_of, open, place, started, verdict};
use super::*;
use crate::station::outcome::Outcome;
use crate::station::request::Who;
use crate::station::testing::proof;

const NEW_PC: &str = "fedcba9876543210fedcba9876543210";

fn ann() -> Who {
    Who { uid: 1000, name: "ann".to_owned() }
}

/// Records the move as on the PC of the tests, whose machine-id is not that of the PC that they run on.
fn move_away(path: &Path) {
    let mut ledger = open(path);
    ledger.record_move(MOVED_AWAY, serde_json::json!({ "to": "/mnt/stick", "by": body::who(&ann()) })).expect("recorded");
}

/// A proven copy, as a backup has one.
fn copy(path: &Path, name: &str) -> PathBuf {
    let copy = path.with_file_name(name);
    LogReader::open(path).expect("a log").export(&copy).expect("copied").expect("the chain holds");
    copy
}

/// The copy, bound to the new PC.
fn taken_over(copy: &Path) -> Head {
    let anchor = LogReader::open(copy).and_then(|log| log.head()).expect("readable");
    Ledger::take_over_on(copy, "bench-1", NEW_PC, anchor, 7, &ann()).expect("taken over")
}

fn append_a_card(path: &Path, machine: &str, number: AttemptNumber) {
    let mut ledger = Ledger::open_on(path, "bench-1", machine).expect("the log opens");
    ledger.append(&started(number)).expect("a start");
    ledger.append(&closed(number, Outcome::Passed(proof()))).expect("an end");
}

fn relation(one: &Path, other: &Path) -> Relation {
    let open = |path| LogReader::open(path).expect("a log");
    open(one).relation_to(&open(other)).expect("readable")
}

fn kinds(path: &Path) -> Vec<String> {
    let log = Connection::open(path).expect("opens");
    let mut query = log.prepare("SELECT kind FROM event ORDER BY seq").expect("asked");
    query.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("texts")
}

#[test]
fn a_log_that_has_moved_goes_on_on_the_new_pc_in_one_chain_and_is_never_written_on_the_old_one_again() {
    let (_dir, path) = place();
    log_of(&path, 2);
    move_away(&path);
    let before = fs::read(&path).expect("readable");
    let error = Ledger::open_on(&path, "bench-1", PC).expect_err("it has moved");
    assert!(error.to_string().contains("this log has moved to /mnt/stick on 20") && error.to_string().contains("switch on the new PC"));
    let copy = copy(&path, "copy.db");
    assert!(Ledger::open_on(&copy, "bench-1", NEW_PC).is_err(), "nobody writes the copy before it is restored");
    let head = taken_over(&copy);
    assert_eq!(head.count, 7);
    append_a_card(&copy, NEW_PC, 3);
    assert_eq!(kinds(&copy)[5..7], [MOVED_AWAY, STATION_MOVED]);
    assert_eq!(verdict(&copy).expect("one history").count, 9);
    assert_eq!(relation(&copy, &path), Relation::OtherIsBeginning { lacks: 3 }, "the old log is its beginning");
    let restored = LogReader::open(&copy).and_then(|log| log.restored()).expect("readable");
    assert!(restored.len() == 1 && restored[0].planned && restored[0].anchor.count == 6, "{restored:?}");
    assert_eq!(Ledger::open_on(&copy, "bench-1", PC).expect_err("the old PC").problem, LogProblem::OtherMachine);
    assert!(Ledger::open_on(&path, "bench-1", PC).is_err());
    assert_eq!(fs::read(&path).expect("readable"), before, "the old log is left as it is");
}

#[test]
fn an_old_disk_that_goes_on_after_a_restore_is_a_fork_that_is_named_with_both_counts() {
    let (_dir, path) = place();
    log_of(&path, 2);
    let copy = copy(&path, "copy.db");
    assert_eq!(relation(&path, &copy), Relation::Same { events: 5 });
    taken_over(&copy);
    append_a_card(&copy, NEW_PC, 3);
    append_a_card(&path, PC, 3);
    append_a_card(&path, PC, 4);
    assert_eq!(relation(&copy, &path), Relation::Forked { after: 5, here: 3, there: 4 });
    assert_eq!(relation(&path, &copy), Relation::Forked { after: 5, here: 4, there: 3 });
    let restored = LogReader::open(&copy).and_then(|log| log.restored()).expect("readable");
    assert!(!restored[0].planned, "nothing kept the old PC from going on: {restored:?}");
    let other = path.with_file_name("other.db");
    log_of(&other, 2);
    assert!(matches!(relation(&path, &other), Relation::Strangers { here, there } if here != there));
}

#[test]
fn a_move_that_was_not_completed_is_taken_back_and_both_are_recorded() {
    let (_dir, path) = place();
    log_of(&path, 1);
    let undo = |path: &Path, machine| Ledger::undo_move_on(path, "bench-1", machine, "the new PC is broken", &ann());
    assert_eq!(undo(&path, PC).expect_err("it has not moved").problem, LogProblem::NotMoved);
    move_away(&path);
    assert_eq!(undo(&path, NEW_PC).expect_err("only the PC that it left").problem, LogProblem::OtherMachine);
    undo(&path, PC).expect("taken back");
    append_a_card(&path, PC, 2);
    assert_eq!(kinds(&path)[3..5], [MOVED_AWAY, MOVE_UNDONE]);
    assert_eq!(LogReader::open(&path).and_then(|log| log.away()).expect("readable"), None);
    assert_eq!(verdict(&path).expect("the chain holds").count, 7);
}

#[test]
fn an_anchor_of_after_the_backup_finds_out_what_the_restored_log_lacks() {
    let (_dir, path) = place();
    log_of(&path, 2);
    let copy = copy(&path, "copy.db");
    append_a_card(&path, PC, 3);
    let anchor = LogReader::open(&path).and_then(|log| log.head()).expect("readable");
    taken_over(&copy);
    let verify = || LogReader::open(&copy).and_then(|log| log.verify_through(&anchor)).expect("readable");
    assert_eq!(verify(), Err(Flaw::Event(Break { seq: 7, what: Tampering::Removed })));
    append_a_card(&copy, NEW_PC, 3);
    assert_eq!(verify(), Err(Flaw::Event(Break { seq: 7, what: Tampering::Rewritten })));
}
