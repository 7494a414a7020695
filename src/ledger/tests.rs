//! The promises of the log, with one test for each.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::chain::{chained, insert};
use super::format::WAL_KEPT;
use super::*;
use crate::station::armed::{Armed, DeviceModel, ModelProof};
use crate::station::card::{Bus, Cid, Identity};
use crate::station::first_off::FirstOffRule;
use crate::station::outcome::{Act, CacheFlush, CardHead, Curve, Effort, Failure, Nonce, Outcome, OutcomeWord, Pull, Refusal};
use crate::station::record::{Attempt, Entry, Receipt};
use crate::station::testing::{armed_by, card, image, mapped_proof, proof};
use crate::station::units::Bytes;

pub(super) const PC: &str = "0123456789abcdef0123456789abcdef";

/// A test waits this long only if it fails.
const LONG: Duration = Duration::from_secs(60);

pub(super) fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("flash-log.db");
    (dir, path)
}

pub(super) fn open(path: &Path) -> Ledger {
    Ledger::open_on(path, "bench-1", PC).expect("the log opens")
}

pub(super) fn attempt(number: AttemptNumber) -> Box<Attempt> {
    Box::new(crate::station::testing::attempt(number, "A1", card("pci-0000:00:14.0/usb3-2/lun-0", 40 + number)))
}

pub(super) fn started(number: AttemptNumber) -> Entry {
    Entry::AttemptStarted(attempt(number))
}

pub(super) fn closed(number: AttemptNumber, outcome: Outcome) -> Entry {
    Entry::AttemptClosed { attempt: attempt(number), outcome, effort: Effort::default() }
}

/// A log of `count` passed attempts, closed again.
pub(super) fn log_of(path: &Path, count: AttemptNumber) {
    let mut ledger = open(path);
    for number in 1..=count {
        ledger.append(&started(number)).expect("a start");
        ledger.append(&closed(number, Outcome::Passed(proof()))).expect("an end");
    }
}

fn rows(path: &Path) -> Vec<Row> {
    LogReader::open(path).expect("a log").attempts(&Filter::default()).collect::<Result<_, _>>().expect("rows")
}

pub(super) fn verdict(path: &Path) -> Result<Head, Break> {
    LogReader::open(path).expect("a log").verify().expect("it can be read").map_err(|flaw| match flaw {
        Flaw::Event(broken) => broken,
        flaw => panic!("{flaw}"),
    })
}

/// As a person with the `sqlite3` program would.
pub(super) fn tamper(path: &Path, sql: &str) {
    let connection = Connection::open(path).expect("the file opens");
    connection
        .execute_batch("DROP TRIGGER event_is_never_changed; DROP TRIGGER event_is_never_removed; DROP TRIGGER event_follows_the_last;")
        .expect("triggers can be dropped");
    connection.execute_batch(sql).expect("the tampering works");
}

#[test]
fn the_chain_holds_over_many_appends_and_openings() {
    let (_dir, path) = place();
    let mut station = None;
    for session in 0..5 {
        let mut ledger = open(&path);
        assert_eq!(*station.get_or_insert(ledger.station().to_owned()), ledger.station(), "a station keeps its id");
        assert_eq!(ledger.next_attempt().expect("a number"), session * 40 + 1);
        ledger.append(&Entry::StationStarted { version: "1.0".to_owned(), volatile: None }).expect("appended");
        ledger.append(&Entry::ModelArmed { armed: image(), by: armed_by(), first_off: FirstOffRule::Off }).expect("appended");
        for number in 1..=40 {
            let number = session * 40 + number;
            assert_eq!(ledger.append(&started(number)).expect("appended"), Some(Receipt::Started(number)));
            assert_eq!(ledger.append(&closed(number, Outcome::Pulled(Pull::Taken))).expect("appended"), Some(Receipt::Closed(number)));
        }
        assert_eq!(ledger.append(&Entry::StationStopped).expect("appended"), None);
    }
    let head = verdict(&path).expect("the chain holds");
    assert_eq!(head.count, 1 + 5 * 83);
    assert_eq!(rows(&path).len(), 200);
    assert!(rows(&path).is_sorted_by_key(|row| row.attempt), "the newest stands last");
}

#[test]
fn an_events_hash_is_what_the_schema_says() {
    let (_dir, path) = place();
    log_of(&path, 1);
    let connection = Connection::open(&path).expect("the file opens");
    let event = chain::at(&connection, 2).expect("readable").expect("there");
    let mut bytes = Vec::new();
    for field in [
        &event.prev[..],
        event.station.as_bytes(),
        &2_i64.to_le_bytes(),
        b"attempt-started",
        &event.at.to_le_bytes(),
        event.body.as_bytes(),
    ] {
        bytes.extend(u64::try_from(field.len()).expect("fits").to_le_bytes());
        bytes.extend(field);
    }
    assert_eq!(blake3::hash(&bytes), event.hash);
}

#[test]
fn a_changed_event_is_named() {
    let (_dir, path) = place();
    log_of(&path, 5);
    tamper(&path, "UPDATE event SET body = replace(body, 'S-1', 'S-2') WHERE seq = 4");
    assert_eq!(verdict(&path), Err(Break { seq: 4, what: Tampering::Changed }));
    for column in ["kind = 'model-armed'", "at = at + 1", "station = 'x'", "prev = zeroblob(32)", "hash = zeroblob(32)"] {
        let (_dir, path) = place();
        log_of(&path, 3);
        tamper(&path, &format!("UPDATE event SET {column} WHERE seq = 3"));
        assert_eq!(verdict(&path), Err(Break { seq: 3, what: Tampering::Changed }), "{column}");
    }
}

#[test]
fn a_changed_event_with_a_hash_made_to_fit_is_named() {
    let (_dir, path) = place();
    log_of(&path, 5);
    let connection = Connection::open(&path).expect("the file opens");
    let mut event = chain::at(&connection, 4).expect("readable").expect("there");
    event.body = event.body.replace("S-1", "S-2");
    event.hash = event.link(4, &event.prev);
    tamper(&path, "");
    connection.execute("UPDATE event SET body = ?1, hash = ?2 WHERE seq = 4", params![event.body, event.hash]).expect("changed");
    assert_eq!(verdict(&path), Err(Break { seq: 4, what: Tampering::Changed }));
}

#[test]
fn a_removed_event_is_named_renumbered_or_not() {
    let (_dir, path) = place();
    log_of(&path, 5);
    tamper(&path, "DELETE FROM event WHERE seq = 6");
    assert_eq!(verdict(&path), Err(Break { seq: 6, what: Tampering::Removed }));
    let close_ranks = "UPDATE event SET seq = -seq WHERE seq > 6; UPDATE event SET seq = -seq - 1 WHERE seq < 0";
    Connection::open(&path).expect("the file opens").execute_batch(close_ranks).expect("renumbered");
    assert_eq!(verdict(&path), Err(Break { seq: 6, what: Tampering::Removed }));
}

#[test]
fn an_inserted_event_is_named_even_with_a_right_hash() {
    for forged in [false, true] {
        let (_dir, path) = place();
        log_of(&path, 5);
        tamper(&path, "UPDATE event SET seq = -seq WHERE seq >= 6; UPDATE event SET seq = -seq + 1 WHERE seq < 0");
        let connection = Connection::open(&path).expect("the file opens");
        let before = chain::at(&connection, 5).expect("readable").expect("there");
        let mut event = chained(&before.station, Some(&before), "attempt-closed", before.at, before.body.clone());
        if !forged {
            event.hash = [9; 32];
        }
        insert(&connection, &event).expect("inserted");
        assert_eq!(verdict(&path), Err(Break { seq: 6, what: Tampering::Inserted }), "forged: {forged}");
    }
}

#[test]
fn a_copy_of_an_event_was_inserted_and_not_moved_wherever_its_original_stands() {
    for original in [3, 5, 9] {
        let (_dir, path) = place();
        log_of(&path, 5);
        let copy = format!("CREATE TEMP TABLE copy AS SELECT station, kind, at, body, prev, hash FROM event WHERE seq = {original};");
        let room = "UPDATE event SET seq = -seq WHERE seq >= 6; UPDATE event SET seq = -seq + 1 WHERE seq < 0;";
        let columns = "station, seq, kind, at, body, prev, hash";
        let insert = format!("INSERT INTO event ({columns}) SELECT station, 6, kind, at, body, prev, hash FROM copy");
        tamper(&path, &format!("{copy} {room} {insert}"));
        assert_eq!(verdict(&path), Err(Break { seq: 6, what: Tampering::Inserted }), "a copy of {original}");
    }
}

#[test]
fn swapped_events_are_named() {
    let (_dir, path) = place();
    log_of(&path, 5);
    tamper(
        &path,
        "UPDATE event SET seq = -1 WHERE seq = 3; UPDATE event SET seq = 3 WHERE seq = 7; UPDATE event SET seq = 7 WHERE seq = -1",
    );
    assert_eq!(verdict(&path), Err(Break { seq: 3, what: Tampering::Reordered }));
}

#[test]
fn a_log_whose_last_events_were_tampered_with_does_not_open() {
    let (_dir, path) = place();
    log_of(&path, 5);
    tamper(&path, "UPDATE event SET at = at + 1 WHERE seq = 9");
    let error = Ledger::open_on(&path, "bench-1", PC).expect_err("it was tampered with");
    assert_eq!(error.problem, LogProblem::Broken { seq: 9 });
}

#[test]
fn triggers_refuse_whatever_is_not_the_next_event() {
    let (_dir, path) = place();
    log_of(&path, 2);
    let head = verdict(&path).expect("the chain holds");
    let connection = Connection::open(&path).expect("the file opens");
    let newest = chain::newest(&connection).expect("readable").expect("there");
    let refused = |sql: &str| {
        for recursive in ["ON", "OFF"] {
            connection.execute_batch(&format!("PRAGMA recursive_triggers = {recursive}")).expect("set");
            let error = connection.execute(sql, []).expect_err(sql);
            assert!(error.to_string().contains("the flash log only grows"), "{sql}: {error}");
        }
    };
    refused("UPDATE event SET body = '{}' WHERE seq = 2");
    refused("UPDATE OR REPLACE event SET seq = 1 WHERE seq = 2");
    refused("DELETE FROM event WHERE seq = 2");
    refused("DELETE FROM event");
    let values = "SELECT station, {seq}, kind, at, body, {prev}, hash FROM event WHERE seq = 5";
    let copy = |seq: &str, prev: &str| values.replace("{seq}", seq).replace("{prev}", prev);
    let columns = "INTO event (station, seq, kind, at, body, prev, hash)";
    for insert in ["INSERT", "INSERT OR REPLACE", "INSERT OR IGNORE", "REPLACE"] {
        refused(&format!("{insert} {columns} {}", copy("2", "prev")));
        refused(&format!("{insert} {columns} {}", copy("5", "hash")));
        refused(&format!("{insert} {columns} {}", copy("7", "hash")));
        refused(&format!("{insert} {columns} {}", copy("0", "hash")));
        refused(&format!("{insert} {columns} {}", copy("-1", "hash")));
        refused(&format!("{insert} {columns} {}", copy("6", "prev")));
        refused(&format!("{insert} {columns} {}", copy("6", "zeroblob(32)")));
        refused(&format!("{insert} {columns} {}", copy("NULL", "hash")));
    }
    refused(&format!("INSERT {columns} {} ON CONFLICT (seq) DO UPDATE SET body = '{{}}'", copy("2", "prev") + " AND true"));
    assert_eq!(newest.seq, 5);
    assert_eq!(verdict(&path), Ok(head), "nothing of it reached the table");
}

#[test]
fn a_started_attempt_without_an_end_gets_exactly_one_as_interrupted() {
    let (_dir, path) = place();
    {
        let mut ledger = open(&path);
        ledger.append(&Entry::StationStarted { version: "1.0".to_owned(), volatile: None }).expect("appended");
        for number in [1, 2, 3] {
            ledger.append(&started(number)).expect("appended");
        }
        ledger.append(&closed(2, Outcome::Pulled(Pull::Taken))).expect("appended");
        ledger.append(&closed(4, Outcome::Refused(Refusal::OwnDisk))).expect("appended");
    }
    let outcomes = |path: &Path| rows(path).into_iter().map(|row| (row.attempt, row.outcome.to_string())).collect::<Vec<_>>();
    let pairs = |pairs: &[(u64, &str)]| pairs.iter().map(|(number, word)| (*number, (*word).to_owned())).collect::<Vec<_>>();
    assert_eq!(outcomes(&path), pairs(&[(1, "running"), (3, "running"), (2, "pulled"), (4, "refused")]));
    {
        let mut ledger = open(&path);
        assert_eq!(ledger.interrupted(), [1, 3]);
        assert_eq!(ledger.next_attempt().expect("a number"), 5);
        ledger.append(&Entry::StationStarted { version: "1.0".to_owned(), volatile: None }).expect("appended");
    }
    assert!(open(&path).interrupted().is_empty(), "they are closed once");
    let after = pairs(&[(2, "pulled"), (4, "refused"), (1, "interrupted"), (3, "interrupted")]);
    assert_eq!(outcomes(&path), after, "one row for every attempt");
    let row = rows(&path).pop().expect("a row");
    assert_eq!((row.slot.as_deref(), row.serial.as_deref(), row.bytes_written), (Some("A1"), Some("S-1"), None));
    assert!(row.started.is_some() && row.started <= row.ended, "it knows its start");
    assert!(verdict(&path).is_ok());
}

#[test]
fn an_attempt_is_closed_once_and_its_number_is_not_used_again() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    ledger.append(&started(1)).expect("appended");
    ledger.append(&closed(1, Outcome::Pulled(Pull::Taken))).expect("appended");
    for entry in [closed(1, Outcome::Passed(proof())), started(1)] {
        let error = ledger.append(&entry).expect_err("it is already there");
        assert_eq!(error.problem, LogProblem::Contradicts, "{error}");
    }
    assert_eq!(rows(&path).len(), 1);
    assert_eq!(rows(&path)[0].outcome, OutcomeWord::Pulled);
}

#[test]
fn the_row_of_a_passed_card_carries_every_field() {
    let (_dir, path) = place();
    let mut passed = attempt(1);
    passed.image = Some(Armed {
        model_proof: ModelProof::Proven(DeviceModel {
            brand: "acme".to_owned(),
            model: "box-3".to_owned(),
            series: "16".to_owned(),
            revision: 4,
            sha3_384: "digest".to_owned(),
            sign_key: Some("key".to_owned()),
        }),
        ..image()
    });
    passed.labels.work_order = Some("WO-4711".to_owned());
    passed.labels.operator = Some("Ann".to_owned());
    passed.labels.card_lot = Some("L-9".to_owned());
    passed.second_try_of = Some(111);
    passed.card.bus = Bus::Mmc("SD".to_owned());
    passed.card.wwn = Some("0x5000".to_owned());
    passed.card.identified = Identity::Cid;
    let part = |text: &str| Some(text.to_owned());
    passed.card.cid = Some(Cid {
        raw: "03534453433136478001234567014a00".to_owned(),
        manfid: part("0x000003"),
        oemid: part("0x5344"),
        name: part("SC16G"),
        serial: part("0x01234567"),
        date: part("10/2020"),
        hwrev: part("0x8"),
        fwrev: part("0x0"),
    });
    let effort = Effort {
        written: Bytes(101),
        read: Bytes(102),
        writing: Duration::from_micros(103),
        reading: Duration::from_micros(104),
        total: Duration::from_micros(105),
        slowest_call: Duration::from_micros(106),
        slowest_was: Some((Act::Reading, Bytes(107))),
        retries: 3,
        curve: Curve { writing: vec![Some(Bytes(20 << 20)), None], reading: vec![Some(Bytes(90 << 20))] },
        tombstone: Some(Nonce(109)),
        found_tombstone: Some(Nonce(110)),
        head: CardHead::Tombstone,
        flush: Some(CacheFlush::Asked),
        writes_at_proof: Some(108),
    };
    let stamp = |at| Stamp { at, boot: "b".to_owned(), since_boot_ms: Some(5), synced: Some(true) };
    let mut ledger = open(&path);
    ledger.append_at(&stamp(1000), &Entry::AttemptStarted(passed.clone())).expect("appended");
    let entry = Entry::AttemptClosed { attempt: passed, outcome: Outcome::Passed(proof()), effort };
    ledger.append_at(&stamp(2000), &entry).expect("appended");
    let expected = Row {
        seq: 3,
        station_id: ledger.station().to_owned(),
        station_name: part("bench-1"),
        attempt: 1,
        slot: part("A1"),
        port: part("pci-0000:00:14.0/usb3-2/lun-0"),
        model: part("acme/box"),
        image_blake3: part(&"07".repeat(32)),
        image_source: part("box.img"),
        image_span: Some(8 << 20),
        model_proof: part("proven"),
        model_brand: part("acme"),
        model_name: part("box-3"),
        model_series: part("16"),
        model_revision: Some(4),
        model_sha3_384: part("digest"),
        model_sign_key: part("key"),
        bus: part("mmc-sd"),
        vendor: part("Acme"),
        product: part("Stick"),
        serial: part("S-1"),
        wwn: part("0x5000"),
        cid: part("03534453433136478001234567014a00"),
        cid_manfid: part("0x000003"),
        cid_oemid: part("0x5344"),
        cid_name: part("SC16G"),
        cid_serial: part("0x01234567"),
        cid_date: part("10/2020"),
        cid_hwrev: part("0x8"),
        cid_fwrev: part("0x0"),
        identified: part("cid"),
        capacity: Some(64 << 20),
        block: Some(512),
        diskseq: Some(41),
        started: Some(1000),
        ended: Some(2000),
        clock_synced: Some(true),
        bytes_written: Some(101),
        bytes_read: Some(102),
        writing_us: Some(103),
        reading_us: Some(104),
        total_us: Some(105),
        slowest_call_us: Some(106),
        slowest_call_act: part("reading back"),
        slowest_call_at: Some(107),
        retries: Some(3),
        writing_kib_s: part("[20480,null]"),
        reading_kib_s: part("[92160]"),
        readback_blake3: part(&"07".repeat(32)),
        readback_class: part("whole"),
        outcome: OutcomeWord::Passed,
        code: None,
        reason: None,
        failed_at: None,
        order: None,
        flush: part("asked"),
        head: part("tombstone"),
        superseded_at: None,
        writes_at_proof: Some(108),
        work_order: Some("WO-4711".to_owned()),
        operator: Some("Ann".to_owned()),
        card_lot: Some("L-9".to_owned()),
        second_try_of: Some(111),
    };
    assert_eq!(rows(&path), [expected]);
}

#[test]
fn what_could_not_be_covered_stands_in_the_event_that_armed_the_image() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    let armed = Armed { uncovered: vec!["grub.cfg is signed by nobody".to_owned()], ..image() };
    ledger.append(&Entry::ModelArmed { armed, by: armed_by(), first_off: FirstOffRule::Off }).expect("appended");
    let body: String = Connection::open(&path)
        .and_then(|log| log.query_row("SELECT body FROM event WHERE kind = 'model-armed'", [], |row| row.get(0)))
        .expect("it is there");
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["uncovered"], serde_json::json!(["grub.cfg is signed by nobody"]));
    assert_eq!(body["image"]["model_proof"]["class"], "none", "the image was not inspected");
}

#[test]
fn a_failed_row_says_why_and_where_and_has_no_proof() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    let failure = Failure::Io { act: Act::Writing, at: Bytes(4096), span: Bytes(8192), errno: Some(5) };
    ledger.append(&closed(1, Outcome::Failed(failure))).expect("appended");
    let row = rows(&path).pop().expect("a row");
    assert_eq!((row.outcome.as_str(), row.code.as_deref(), row.failed_at), ("failed", Some("write-error"), Some(4096)));
    assert_eq!(row.reason.as_deref(), Some("writing at byte 4096 of 8192: Input/output error (os error 5)"));
    assert_eq!((row.readback_blake3, row.started), (None, None));
}

#[test]
fn a_row_whose_zeroes_were_skipped_says_so_and_has_no_digest_of_what_was_not_read() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    ledger.append(&closed(1, Outcome::PassedMapped(mapped_proof()))).expect("appended");
    let row = rows(&path).pop().expect("a row");
    assert_eq!((row.outcome.as_str(), row.readback_class.as_deref()), ("passed-mapped-only", Some("mapped-only")));
    assert_eq!(row.readback_blake3, None);
    assert!(row.image_blake3.is_some(), "which image it was is known all the same");
}

#[test]
fn rows_are_filtered_by_model_slot_outcome_and_the_beginning_of_a_serial() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    for (number, slot, serial) in [(1, "A1", "S-10"), (2, "A2", "S-11"), (3, "A1", "T-1_%")] {
        let mut attempt = attempt(number);
        attempt.slot = slot.to_owned();
        attempt.card.serial = Some(serial.to_owned());
        ledger
            .append(&Entry::AttemptClosed { attempt, outcome: Outcome::Pulled(Pull::Taken), effort: Effort::default() })
            .expect("appended");
    }
    ledger.append(&started(4)).expect("appended");
    let reader = LogReader::open(&path).expect("a log");
    let found = |filter: Filter| reader.attempts(&filter).map(|row| row.expect("a row").attempt).collect::<Vec<_>>();
    let word = |word: &str| Some(word.to_owned());
    assert_eq!(found(Filter { slot: word("A1"), ..Filter::default() }), [1, 3, 4]);
    assert_eq!(found(Filter { serial: word("S-1"), ..Filter::default() }), [1, 2, 4]);
    assert_eq!(found(Filter { serial: word("S-11"), ..Filter::default() }), [2]);
    assert_eq!(found(Filter { serial: word("T-1_%"), ..Filter::default() }), [3], "no character is a pattern");
    assert_eq!(found(Filter { serial: word("%"), ..Filter::default() }), [0; 0]);
    assert_eq!(found(Filter { outcome: word("running"), ..Filter::default() }), [4]);
    assert_eq!(found(Filter { model: word("acme/other"), ..Filter::default() }), [0; 0]);
    assert_eq!(found(Filter { model: word("acme/box"), limit: Some(2), ..Filter::default() }), [3, 4], "the newest two, newest last");
}

#[test]
fn readers_and_the_writer_do_not_wait_for_each_other_and_a_stopped_log_can_be_read() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    ledger.append(&started(1)).expect("appended");
    let reader = LogReader::open(&path).expect("the log of a running station opens");
    let mut attempts = reader.attempts(&Filter::default());
    assert_eq!(attempts.next().expect("a row").expect("readable").attempt, 1);
    ledger.append(&started(2)).expect("a reader in the middle of its work does not stop the station");
    assert!(attempts.next().is_none(), "a reader sees one moment");
    assert_eq!(reader.attempts(&Filter::default()).count(), 2);
    drop(reader);
    drop(ledger);
    for name in ["flash-log.db-wal", "flash-log.db-shm"] {
        assert!(path.with_file_name(name).exists(), "{name} stays for readers that could not make it");
    }
    assert_eq!(rows(&path).len(), 2);
}

#[test]
fn a_copy_is_read_without_making_files_beside_it() {
    let (dir, path) = place();
    log_of(&path, 2);
    Connection::open(&path).expect("the file opens").execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("checkpointed");
    let copies = dir.path().join("a ? b#c %41");
    fs::create_dir(&copies).expect("a directory");
    let copy = copies.join("copy.db");
    fs::copy(&path, &copy).expect("copied");
    assert_eq!(rows(&copy).len(), 2);
    assert_eq!(fs::read_dir(&copies).expect("a directory").count(), 1, "only the copy is there");
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let (_dir, path) = place();
    let ledger = open(&path);
    let error = Ledger::open_on(&path, "bench-1", PC).expect_err("the log is in use");
    assert_eq!(error.problem, LogProblem::InUse);
    drop(ledger);
    open(&path);
}

#[test]
fn who_holds_a_log_keeps_stations_from_it_and_cannot_while_one_writes_it() {
    let (_dir, path) = place();
    assert!(hold(&path).expect("it can be told").is_none(), "no station ever wrote it");
    assert!(!path.exists());
    let ledger = open(&path);
    assert_eq!(hold(&path).expect_err("a station writes it").problem, LogProblem::InUse);
    drop(ledger);
    let held = hold(&path).expect("nobody writes it");
    assert!(held.is_some() && Ledger::open_on(&path, "bench-1", PC).is_err());
    drop(held);
    open(&path);
}

#[test]
fn the_log_of_another_pc_is_refused_and_left_as_it_is() {
    let (_dir, path) = place();
    log_of(&path, 1);
    let error = Ledger::open_on(&path, "bench-1", &PC.replace('0', "f")).expect_err("another PC's");
    assert_eq!(error.problem, LogProblem::OtherMachine);
    assert!(error.to_string().contains("move it away"), "the error names the cure: {error}");
    assert_eq!(verdict(&path).expect("the chain holds").count, 3);
}

#[test]
fn the_machine_id_itself_is_not_in_the_log() {
    let (_dir, path) = place();
    log_of(&path, 1);
    for name in ["flash-log.db", "flash-log.db-wal"] {
        let bytes = fs::read(path.with_file_name(name)).expect("readable");
        assert!(!bytes.windows(PC.len()).any(|window| window == PC.as_bytes()), "{name}");
    }
}

#[test]
fn what_is_no_log_of_ours_is_refused_and_left_as_it_is() {
    let (dir, path) = place();
    fs::write(&path, "not a database, but a long enough text to be taken for the header of one, if nobody looks".repeat(20))
        .expect("written");
    let before = fs::read(&path).expect("readable");
    assert_eq!(Ledger::open_on(&path, "bench-1", PC).expect_err("no log").problem, LogProblem::NotALog);
    assert_eq!(LogReader::open(&path).expect_err("no log").problem, LogProblem::NotALog);
    assert_eq!(fs::read(&path).expect("readable"), before);

    let other = dir.path().join("other.db");
    Connection::open(&other).expect("opens").execute_batch("CREATE TABLE event (x)").expect("made");
    assert_eq!(Ledger::open_on(&other, "bench-1", PC).expect_err("no log").problem, LogProblem::NotALog);

    let newer = dir.path().join("newer.db");
    log_of(&newer, 1);
    Connection::open(&newer).expect("opens").execute_batch("PRAGMA user_version = 99").expect("set");
    let problem = LogProblem::Newer { found: 99, known: FORMAT };
    assert_eq!(Ledger::open_on(&newer, "bench-1", PC).expect_err("newer").problem, problem);
    assert_eq!(LogReader::open(&newer).expect_err("newer").problem, problem);

    let absent = dir.path().join("absent/flash-log.db");
    assert_eq!(Ledger::open_on(&absent, "bench-1", PC).expect_err("no directory").problem, LogProblem::NoDirectory);
    assert_eq!(LogReader::open(&absent).expect_err("no file").problem, LogProblem::NoFile);
    assert!(!dir.path().join("absent").exists());

    // SQLite treats a device as a new file and would write over the disk.
    let pipe = dir.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("/dev/null", &link).expect("a link");
    for (path, problem) in [(&pipe, LogProblem::NotAFile), (&link, LogProblem::NotAFile), (&dir.path().to_owned(), LogProblem::Directory)] {
        assert_eq!(Ledger::open_on(path, "bench-1", PC).expect_err("no file").problem, problem);
        assert_eq!(LogReader::open(path).expect_err("no file").problem, problem);
    }
    assert!(!dir.path().join("pipe.lock").exists() && !dir.path().join("link.lock").exists(), "nothing is made beside it");
}

#[test]
fn a_file_moved_away_while_in_use_is_an_error_and_not_written_to() {
    let (dir, path) = place();
    let mut ledger = open(&path);
    let away = dir.path().join("away.db");
    fs::rename(&path, &away).expect("moved");
    assert_eq!(ledger.append(&started(1)).expect_err("moved").problem, LogProblem::Moved);
    assert!(ledger.reopen().is_err(), "a log is not made anew under a running station");
    fs::rename(&away, &path).expect("moved back");
    ledger.reopen().expect("the same log");
    ledger.append(&started(1)).expect("appended");

    let (_dir, foreign) = place();
    log_of(&foreign, 3);
    fs::rename(&foreign, &path).expect("replaced");
    assert_eq!(ledger.append(&started(2)).expect_err("replaced").problem, LogProblem::Moved);
    assert_eq!(ledger.reopen().expect_err("not the log that was open").problem, LogProblem::Moved);
}

#[test]
fn every_commit_is_synced_on_the_first_connection_and_on_the_next() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    for _ in 0..2 {
        let pragma = |name: &str| ledger.connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
        assert_eq!(pragma("synchronous").expect("set"), 2.into(), "2 is FULL");
        assert_eq!(pragma("journal_mode").expect("set"), "wal".to_owned().into());
        assert_eq!(pragma("journal_size_limit").expect("set"), WAL_KEPT.into());
        ledger.reopen().expect("the same log");
    }
}

#[test]
fn what_takes_back_an_event_is_kept_in_memory_on_the_first_connection_and_on_the_next() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    for _ in 0..2 {
        let kept: i64 = ledger.connection.pragma_query_value(None, "temp_store", |row| row.get(0)).expect("set");
        assert_eq!(kept, 2, "2 is MEMORY: else there is a file in the system's temporary directory for every event");
        ledger.reopen().expect("the same log");
    }
}

#[test]
fn an_entry_that_reached_the_disk_behind_an_error_is_not_written_twice() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    let before = ledger.newest;
    let stamp = Stamp::now();
    ledger.append_at(&stamp, &Entry::StationStopped).expect("appended");
    // As if the answer had been an error.
    ledger.newest = before;
    ledger.reopen().expect("the same log");
    ledger.append_at(&stamp, &Entry::StationStopped).expect("it is there");
    assert_eq!(verdict(&path).expect("the chain holds").count, 2);
    ledger.append_at(&stamp, &Entry::StationStopped).expect("told again later, it is another event");
    assert_eq!(verdict(&path).expect("the chain holds").count, 3);
}

#[test]
fn a_full_disk_is_told_once_and_nothing_is_lost_when_there_is_room_again() {
    let (_dir, path) = place();
    let room = Arc::new(AtomicU32::new(1));
    let mut ledger = open(&path);
    ledger.page_limit = Some(room.clone());
    let (answers, heard) = channel();
    let writer = Writer::start_retrying(ledger, Duration::from_millis(1), move |answer| {
        answers.send(answer).expect("the test listens");
    })
    .expect("a thread");
    for number in 1..=30 {
        writer.record(Box::new(started(number))).expect("taken");
    }
    let mut receipts = Vec::new();
    let reason = loop {
        match heard.recv_timeout(LONG).expect("an answer") {
            WriterAnswer::Recorded(receipt) => receipts.push(receipt),
            WriterAnswer::Health(reason) => break reason.expect("the disk is full before thirty attempts are written"),
        }
    };
    assert!(reason.contains("the disk is full; make room"), "{reason}");
    assert!(heard.recv_timeout(Duration::from_millis(50)).is_err(), "it is told once");
    room.store(1_000_000, Ordering::SeqCst);
    assert_eq!(heard.recv_timeout(LONG).expect("an answer"), WriterAnswer::Health(None));
    writer.finish(LONG).expect("all is written");
    receipts.extend(heard.iter().map(|answer| match answer {
        WriterAnswer::Recorded(receipt) => receipt,
        WriterAnswer::Health(health) => panic!("no more news of health: {health:?}"),
    }));
    assert_eq!(receipts, (1..=30).map(Receipt::Started).collect::<Vec<_>>(), "all of them, in order");
    assert_eq!(rows(&path).iter().map(|row| row.attempt).collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
    assert!(verdict(&path).is_ok());
}

#[test]
fn a_log_put_back_is_written_again() {
    let (dir, path) = place();
    let ledger = open(&path);
    let away = dir.path().join("away.db");
    fs::rename(&path, &away).expect("moved");
    let (answers, heard) = channel();
    let writer = Writer::start_retrying(ledger, Duration::from_millis(1), move |answer| {
        answers.send(answer).expect("the test listens");
    })
    .expect("a thread");
    writer.record(Box::new(started(1))).expect("taken");
    assert!(matches!(heard.recv_timeout(LONG).expect("an answer"), WriterAnswer::Health(Some(_))));
    fs::rename(&away, &path).expect("moved back");
    assert_eq!(heard.recv_timeout(LONG).expect("an answer"), WriterAnswer::Health(None));
    assert_eq!(heard.recv_timeout(LONG).expect("an answer"), WriterAnswer::Recorded(Receipt::Started(1)));
    writer.finish(LONG).expect("all is written");
    assert_eq!(rows(&path).len(), 1);
}

#[test]
fn another_reason_is_told_when_it_is_another() {
    let (dir, path) = place();
    let room = Arc::new(AtomicU32::new(1));
    let mut ledger = open(&path);
    ledger.page_limit = Some(room.clone());
    let (answers, heard) = channel();
    let writer = Writer::start_retrying(ledger, Duration::from_millis(1), move |answer| {
        if let WriterAnswer::Health(health) = answer {
            answers.send(health.unwrap_or_default()).expect("the test listens");
        }
    })
    .expect("a thread");
    for number in 1..=30 {
        writer.record(Box::new(started(number))).expect("taken");
    }
    let hears = |words: &str| {
        let reason = heard.recv_timeout(LONG).expect("an answer");
        assert!(reason.contains(words), "{words}: {reason}");
        assert!(heard.recv_timeout(Duration::from_millis(50)).is_err(), "once");
    };
    hears("the disk is full");
    let away = dir.path().join("away.db");
    fs::rename(&path, &away).expect("moved");
    hears("it was moved, deleted or replaced while in use");
    fs::rename(&away, &path).expect("moved back");
    hears("the disk is full");
    room.store(1_000_000, Ordering::SeqCst);
    hears("");
    writer.finish(LONG).expect("all is written");
}

#[test]
fn what_somebody_asked_is_confirmed_once_it_is_on_disk_and_to_whoever_asked() {
    let (_dir, path) = place();
    let read = path.clone();
    let (answers, heard) = channel();
    let writer = Writer::start(open(&path), move |answer| {
        answers.send((answer, verdict(&read).expect("the chain holds").count)).expect("the test listens");
    })
    .expect("a thread");
    writer.record_asked(7, Box::new(Entry::StationStopped)).expect("taken");
    assert_eq!(
        heard.recv_timeout(LONG).expect("an answer"),
        (WriterAnswer::Recorded(Receipt::Asked(7)), 2),
        "behind the event that began the log"
    );
    writer.finish(LONG).expect("all is written");
    assert_eq!(heard.iter().count(), 0, "once");
}

#[test]
fn an_entry_that_contradicts_the_log_is_never_confirmed_and_holds_up_no_other() {
    let (_dir, path) = place();
    let (answers, heard) = channel();
    let writer = Writer::start(open(&path), move |answer| answers.send(answer).expect("the test listens")).expect("a thread");
    for entry in [closed(1, Outcome::Pulled(Pull::Taken)), closed(1, Outcome::Passed(proof())), closed(2, Outcome::Pulled(Pull::Taken))] {
        writer.record(Box::new(entry)).expect("taken");
    }
    writer.finish(LONG).expect("all is dealt with");
    let answers: Vec<_> = heard.iter().collect();
    assert_eq!(answers, [WriterAnswer::Recorded(Receipt::Closed(1)), WriterAnswer::Recorded(Receipt::Closed(2))]);
    assert_eq!(rows(&path)[0].outcome, OutcomeWord::Pulled);
}

#[test]
fn a_station_that_stops_with_a_full_disk_says_what_it_lost() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    ledger.page_limit = Some(Arc::new(AtomicU32::new(1)));
    for number in 1.. {
        if ledger.append(&started(number)).is_err() {
            break;
        }
    }
    let next = ledger.next_attempt().expect("a number");
    let writer = Writer::start(ledger, |_| ()).expect("a thread");
    for number in [next, next + 1] {
        writer.record(Box::new(started(number))).expect("taken");
    }
    assert_eq!(writer.finish(Duration::ZERO), Err(Unwritten { entries: 2 }));
    assert_eq!(open(&path).next_attempt().expect("a number"), next, "the log was let go");
}
