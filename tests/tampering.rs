//! Tests of a flash log against an attacker with the file, the `sqlite3` program and time: for every change of an event, a trigger refuses
//! it or `flashline log verify` names it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flashline::ledger::{Ledger, Stamp};
use flashline::station::card::{Bus, Card, DevNum, Identity, Visit};
use flashline::station::outcome::{Effort, Outcome, Pull};
use flashline::station::past::Past;
use flashline::station::port::{Chain, Port};
use flashline::station::record::{Attempt, Entry, Plan};
use flashline::station::units::Bytes;

/// Attempts of the log, each with an event of its start and one of its end, behind the log's first event.
const ATTEMPTS: u64 = 6;

/// A log, and its head that was written down when it was closed.
struct Log {
    _directory: tempfile::TempDir,
    path: PathBuf,
    anchor: String,
}

impl Log {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("flash-log.db");
        // Made by the station's own code: this PC needs a machine-id, and the error names the cure if it has none.
        let mut ledger = Ledger::open(&path, "bench-1").unwrap_or_else(|error| panic!("{}", error.in_full()));
        for number in 1..=ATTEMPTS {
            let stamp = Stamp { at: 1_700_000_000_000_000, boot: String::new(), since_boot_ms: None, synced: None };
            let attempt = Box::new(attempt(number));
            ledger.append_at(&stamp, &Entry::AttemptStarted(attempt.clone())).expect("appended");
            let end = Entry::AttemptClosed { attempt, outcome: Outcome::Pulled(Pull::Taken), effort: Effort::default() };
            ledger.append_at(&stamp, &end).expect("appended");
        }
        drop(ledger);
        let anchor = flashline(&["log", "anchor"], &path);
        let anchor = String::from_utf8(anchor.stdout).expect("text").trim().to_owned();
        assert!(anchor.starts_with(&format!("{}:", 2 * ATTEMPTS + 1)), "{anchor}");
        Self { _directory: directory, path, anchor }
    }

    /// The same, after the triggers were dropped and these statements were run.
    fn tampered(sql: &str) -> Self {
        let log = Self::new();
        let triggers = ["event_is_never_changed", "event_is_never_removed", "event_follows_the_last"];
        let drop: String = triggers.iter().map(|trigger| format!("DROP TRIGGER {trigger};\n")).collect();
        let done = log.sqlite3(&format!("{drop}{sql}"));
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        log
    }

    /// As typed into the program, which ends at the first error.
    fn sqlite3(&self, sql: &str) -> Output {
        match Command::new("sqlite3").arg("-bail").arg(&self.path).arg(sql).output() {
            Ok(output) => output,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("this test tampers with the sqlite3 program, which is missing: run hardware-tests/setup, or apt-get install sqlite3")
            }
            Err(error) => panic!("sqlite3: {error}"),
        }
    }

    /// The exit code, and the output.
    fn verified(&self, more: &[&str]) -> (i32, String) {
        let output = flashline(&[&["log", "verify"], more].concat(), &self.path);
        let said = String::from_utf8(output.stdout).expect("text");
        (output.status.code().expect("it ends by itself"), said.trim().to_owned())
    }

    /// `log verify` finds this, by itself.
    #[track_caller]
    fn is_found(&self, what: &str) {
        let (code, said) = self.verified(&[]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(&format!("flash-log.db: event {what}")), "{what}: {said}");
        assert!(said.contains("keep the file as evidence"), "{said}");
    }
}

fn flashline(words: &[&str], file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flashline")).args(words).arg("--file").arg(file).output().expect("it runs")
}

fn attempt(number: u64) -> Attempt {
    let card = Card {
        port: Port("pci-0000:00:14.0/usb3-2/lun-0".to_owned()),
        visit: Visit { devnum: DevNum { major: 8, minor: 16 }, diskseq: 40 + number },
        kernel_name: "sdb".to_owned(),
        hangs_on: Chain::default(),
        bus: Bus::Usb,
        whole_disk: true,
        vendor: Some("Acme".to_owned()),
        product: Some("Stick".to_owned()),
        serial: Some(format!("S-{number}")),
        wwn: None,
        cid: None,
        identified: Identity::UsbSerial,
        capacity: Bytes(64 << 20),
        logical_block: 512,
        write_protected: false,
        partitioned: false,
    };
    Attempt {
        number,
        slot: "A1".to_owned(),
        model: "acme/box".to_owned(),
        image: None,
        card,
        plan: Plan::Write,
        order: None,
        past: Past::Unknown,
        labels: flashline::station::labels::Labels::default(),
        looks_for_tombstone: false,
        second_try_of: None,
    }
}

const COLUMNS: &str = "station, seq, kind, at, body, prev, hash";

/// Makes room at 6 by giving every later event the next number.
const MOVE_UP: &str = "UPDATE event SET seq = -seq WHERE seq >= 6; UPDATE event SET seq = 1 - seq WHERE seq < 0;";

#[test]
fn a_log_that_nobody_touched_is_whole_and_says_its_head() {
    let log = Log::new();
    assert_eq!(log.verified(&[]), (0, log.anchor.clone()));
    assert_eq!(log.verified(&["--anchor", &log.anchor]).0, 0);
    let read = log.sqlite3("SELECT count(*) FROM event");
    assert_eq!(String::from_utf8_lossy(&read.stdout).trim(), (2 * ATTEMPTS + 1).to_string(), "looking is no tampering");
    assert_eq!(log.verified(&["--anchor", &log.anchor]).0, 0);
}

#[test]
fn an_event_that_was_changed_is_named() {
    Log::tampered("UPDATE event SET body = replace(body, 'pulled', 'passed') WHERE seq = 5;").is_found("5 was changed");
    for column in ["station = 'x'", "kind = 'model-armed'", "at = at + 1", "prev = zeroblob(32)", "hash = zeroblob(32)"] {
        Log::tampered(&format!("UPDATE event SET {column} WHERE seq = 4;")).is_found("4 was changed");
    }
}

#[test]
fn an_event_that_was_deleted_is_named_and_so_are_the_newest_by_whoever_kept_the_anchor() {
    Log::tampered("DELETE FROM event WHERE seq = 6;").is_found("6 was removed");
    let close_ranks = "UPDATE event SET seq = -seq WHERE seq > 6; UPDATE event SET seq = -seq - 1 WHERE seq < 0;";
    Log::tampered(&format!("DELETE FROM event WHERE seq = 6; {close_ranks}")).is_found("6 was removed");
    let cut = Log::tampered("DELETE FROM event WHERE seq > 11;");
    assert_eq!(cut.verified(&[]).0, 0, "a cut-off tail leaves nothing to see");
    let (code, said) = cut.verified(&["--anchor", &cut.anchor]);
    assert!(code == 1 && said.contains("event 12 was removed"), "{said}");
}

#[test]
fn a_log_that_ends_in_a_start_is_told_to_whoever_verifies_it() {
    let verify = |log: &Log| {
        let output = flashline(&["log", "verify"], &log.path);
        (output.status.success(), String::from_utf8(output.stdout).expect("text"), String::from_utf8(output.stderr).expect("text"))
    };
    let cut = Log::tampered(&format!("DELETE FROM event WHERE seq > {};", 2 * ATTEMPTS));
    let (is_good, head, said) = verify(&cut);
    assert!(is_good && head.starts_with(&format!("{}:", 2 * ATTEMPTS)), "its chain holds: {head}");
    assert!(said.contains("1 attempt has no end") && said.contains("flashline log export"), "{said}");
    assert_eq!(verify(&Log::new()).2, "", "of a whole log there is nothing to say");
}

#[test]
fn an_event_that_was_inserted_is_named() {
    let copy = format!("INSERT INTO event ({COLUMNS}) SELECT station, 6, kind, at, body, prev, hash FROM event WHERE seq = 5;");
    Log::tampered(&format!("{MOVE_UP} {copy}")).is_found("6 was inserted");
    let linked = format!("INSERT INTO event ({COLUMNS}) SELECT station, 6, kind, at, body, hash, randomblob(32) FROM event WHERE seq = 5;");
    Log::tampered(&format!("{MOVE_UP} {linked}")).is_found("6 was inserted");
}

#[test]
fn events_that_were_swapped_are_named() {
    let swap = "UPDATE event SET seq = -1 WHERE seq = 4; UPDATE event SET seq = 4 WHERE seq = 8; UPDATE event SET seq = 8 WHERE seq = -1;";
    Log::tampered(swap).is_found("4 was reordered");
}

#[test]
fn an_event_that_was_replaced_is_named() {
    let replace = format!(
        "INSERT OR REPLACE INTO event ({COLUMNS}) SELECT station, seq, kind, at, replace(body, 'A1', 'A2'), prev, hash FROM event WHERE seq = 7;"
    );
    Log::tampered(&replace).is_found("7 was changed");
}

#[test]
fn while_the_triggers_stand_nothing_of_it_is_done() {
    let log = Log::new();
    let replaced = |words: &str| {
        format!(
            "{words} INTO event ({COLUMNS}) SELECT station, seq, kind, at, replace(body, 'A1', 'A2'), prev, hash FROM event WHERE seq = 7"
        )
    };
    let next =
        format!("INSERT INTO event ({COLUMNS}) SELECT station, seq + 2, kind, at, body, hash, hash FROM event ORDER BY seq DESC LIMIT 1");
    for tampering in [
        "UPDATE event SET at = at + 1 WHERE seq = 3".to_owned(),
        "UPDATE OR REPLACE event SET seq = 3 WHERE seq = 4".to_owned(),
        "DELETE FROM event WHERE seq = 13".to_owned(),
        replaced("INSERT OR REPLACE"),
        replaced("REPLACE"),
        replaced("INSERT OR IGNORE"),
        next,
    ] {
        for before in ["", "PRAGMA recursive_triggers = ON;", "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;"] {
            let done = log.sqlite3(&format!("{before} {tampering};"));
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(!done.status.success() && said.contains("the flash log only grows"), "{tampering}: {said}");
        }
    }
    assert_eq!(log.verified(&[]), (0, log.anchor.clone()), "nothing of it reached the log");
}
