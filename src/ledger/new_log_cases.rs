//! Tests: a log that was begun anew, or is kept in memory, is reported to operators and readers.

use std::time::Duration;

use super::tests::{open, place};
use super::*;
use crate::station::record::Entry;
use crate::station::request::{Command, Denied, Who};
use crate::station::settings::StationSettings;
use crate::station::standing::LogNote;
use crate::station::units::Moment;
use crate::station::{Effect, Event as Told, Station};

fn who() -> Who {
    Who { uid: 1000, name: "engineer".to_owned() }
}

#[test]
fn a_log_that_was_begun_anew_says_so_over_restarts_until_somebody_confirms_it_and_the_log_says_who() {
    let (_dir, path) = place();
    drop(open(&path));
    let mut ledger = open(&path);
    let standing = ledger.standing().expect("readable");
    assert_eq!(standing.log, [LogNote::Begun]);

    let settings = StationSettings {
        name: "bench".to_owned(),
        settle: Duration::ZERO,
        flash_present: false,
        first_off: false,
        recheck_done: false,
        box_size: None,
    };
    let mut station = Station::new_proven(settings, 1, standing);
    assert_eq!(station.view(Moment::default()).log, [LogNote::Begun]);
    let mut confirm = |request| station.apply(Moment::default(), Told::Asked { request, by: who(), command: Command::ConfirmLog });
    let effects = confirm(1);
    let [Effect::RecordAsked { request: 1, entry }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(**entry, Entry::LogConfirmed { by: who() });
    assert_eq!(confirm(2), [Effect::Answer { request: 2, answer: Err(Denied::NothingToConfirm) }], "once");
    assert!(station.view(Moment::default()).log.is_empty());

    ledger.append(entry).expect("appended");
    drop(ledger);
    assert_eq!(open(&path).standing().expect("readable").log, [], "and for good");
    let reader = LogReader::open(&path).expect("a log");
    assert!(reader.verify().expect("readable").is_ok());
}

#[test]
fn a_reader_knows_from_the_log_itself_that_it_is_kept_in_memory_and_a_copy_says_the_same() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    let volatile = |path: &Path| LogReader::open(path).expect("a log").volatile().expect("readable");
    assert_eq!(volatile(&path), None, "no station has run");
    let started = |volatile: Option<&str>| Entry::StationStarted { version: "1.0".to_owned(), volatile: volatile.map(str::to_owned) };
    ledger.append(&started(Some("its file system is in memory (tmpfs)"))).expect("appended");
    let copy = path.with_file_name("copy.db");
    LogReader::open(&path).expect("a log").export(&copy).expect("copied").expect("the chain holds");
    for log in [&path, &copy] {
        assert_eq!(volatile(log).as_deref(), Some("its file system is in memory (tmpfs)"));
    }
    ledger.append(&started(None)).expect("appended");
    assert_eq!(volatile(&path), None, "it was put on a disk");
}
