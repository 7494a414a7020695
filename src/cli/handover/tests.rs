//! What is open is told, from the log alone and with the running station, and what is settled is not.

use std::path::Path;

use jiff::Zoned;

use super::*;
use crate::ledger::{Ledger, Stamp};
use crate::station::first_off::FirstOffRule;
use crate::station::outcome::{Effort, Outcome, Pull, Refusal};
use crate::station::record::{Attempt, Entry};
use crate::station::request::Who;
use crate::station::restriction::Restriction;
use crate::station::sign::Sign;
use crate::station::suspect::{Finding, Suspect};
use crate::station::testing::{armed_by, attempt, card, image, proof};
use crate::station::view::{ModelView, SlotView, View};

/// Half past one in the morning shift, which began at six.
fn now() -> Zoned {
    "2026-11-24T13:30[Europe/Berlin]".parse().expect("a time")
}

struct Log {
    directory: tempfile::TempDir,
    ledger: Ledger,
    at: i64,
}

impl Log {
    /// A log whose first events are of the shift before.
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let ledger = Ledger::open_on(&directory.path().join("flash-log.db"), "bench", "0123456789abcdef0123456789abcdef").expect("a log");
        let at = "2026-11-24T01:00:00Z".parse::<jiff::Timestamp>().expect("a time").as_microsecond();
        let mut log = Self { directory, ledger, at };
        log.add(Entry::LogConfirmed { by: who() });
        log
    }

    fn add(&mut self, entry: Entry) {
        self.at += 1_000_000;
        let stamp = Stamp { at: self.at, boot: String::new(), since_boot_ms: None, synced: Some(true) };
        self.ledger.append_at(&stamp, &entry).expect("appended");
    }

    fn attempt(&mut self, number: u64, serial: &str, outcome: Outcome) {
        let mut card = card("pci-0000:00:14.0/usb3-1/lun-0", number);
        card.serial = Some(serial.to_owned());
        let attempt = Box::new(Attempt { order: Some(1), ..attempt(number, "A1", card) });
        self.add(Entry::AttemptStarted(attempt.clone()));
        self.add(Entry::AttemptClosed { attempt, outcome, effort: Effort::default() });
    }

    /// Everything from here on is in the shift of [`now`].
    fn next_shift(&mut self) {
        self.at = "2026-11-24T06:00:00Z".parse::<jiff::Timestamp>().expect("a time").as_microsecond();
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("flash-log.db")
    }

    fn handover(&self, status: Option<Result<Status, String>>) -> Handover {
        read(&self.path(), "shift", now(), &Shifts::default(), None, status).expect("it can be read")
    }
}

fn who() -> Who {
    Who { uid: 1000, name: "ann".to_owned() }
}

fn order() -> Order {
    Order { number: 1, model: "acme/box".to_owned(), name: Some("lot 17".to_owned()), work_order: None, count: 3, passed: 0, boxes: None }
}

fn running(view: &View) -> Option<Result<Status, String>> {
    Some(Ok(Status::of(view)))
}

#[test]
fn a_shift_that_left_nothing_open_says_so_and_has_its_anchor() {
    let mut log = Log::new();
    log.attempt(1, "S-1", Outcome::Pulled(Pull::Taken));
    log.next_shift();
    log.attempt(2, "S-2", Outcome::Pulled(Pull::Taken));
    log.attempt(3, "S-3", Outcome::Refused(Refusal::WriteProtected));
    log.attempt(4, "S-2", Outcome::Passed(proof()));
    let handover = log.handover(running(&View::default()));
    assert!(!handover.is_open(), "{:#}", handover.json());
    let lines = handover.lines();
    assert_eq!(lines[0], "HANDOVER  2026-11-24 13:30, cards since 2026-11-24 06:00");
    assert_eq!(lines[1], format!("anchor of the flash log: {}", LogReader::open(&log.path()).and_then(|log| log.head()).expect("a head")));
    assert!(lines.contains(&"nothing is open".to_owned()), "{lines:#?}");
}

#[test]
fn everything_that_is_open_is_told_from_the_log_alone() {
    let mut log = Log::new();
    log.add(Entry::OrderStarted { order: order(), by: who() });
    log.add(Entry::Disarmed { target: Target::Slot("A3".to_owned()), by: who(), reason: Some("bent \u{1b}contacts".to_owned()) });
    log.add(Entry::ModelArmed { armed: image(), by: armed_by(), first_off: FirstOffRule::Off });
    log.next_shift();
    log.attempt(1, "S-1", Outcome::Passed(proof()));
    log.attempt(2, "S-2", Outcome::Pulled(Pull::Taken));
    log.attempt(3, "S-3", Outcome::Interrupted);
    log.add(Entry::ModelDistrusted { armed: image(), reason: "its copy is damaged".to_owned() });
    log.add(Entry::AttemptStarted(Box::new(attempt(4, "A2", card("pci-0000:00:14.0/usb3-2/lun-0", 9)))));
    let handover = log.handover(Some(Err("no station answers".to_owned())));
    let text = handover.lines().join("\n");
    for line in [
        "acme/box  1 / 3, 2 missing  (lot 17)",
        "slot A3  disarmed by ann: bent \u{fffd}contacts",
        "model acme/box  by the station: its copy is damaged",
        "attempt 2  2026-11-24 07:00:04  A1  pulled  acme/box  S-2",
        "attempt 3  2026-11-24 07:00:06  A1  interrupted  acme/box  S-3",
        "Attempts without an end",
        "faults and slots out of service are not known: no station answers",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("S-1  ") && !text.contains("nothing is open"), "{text}");
    let json = handover.json();
    assert_eq!((&json["orders"][0]["missing"], &json["runs"], &json["open"]), (&2.into(), &false.into(), &true.into()));
    assert_eq!((&json["cards"][1]["card"], &json["under_way"][0]["attempt"]), (&"S-3".into(), &4.into()));
    assert_eq!(json["disarmed"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_maintenance_and_a_first_card_that_waits_are_told_also_while_the_station_is_stopped_until_somebody_ends_them() {
    let mut log = Log::new();
    log.next_shift();
    log.add(Entry::ModelArmed { armed: image(), by: armed_by(), first_off: FirstOffRule::Wanted });
    assert!(!log.handover(None).is_open(), "a card that is not made yet waits for nobody");
    log.attempt(1, "S-1", Outcome::Passed(proof()));
    log.add(Entry::MaintenanceBegun { by: who(), why: "new \u{1b}readers".to_owned() });
    let handover = log.handover(None);
    let (text, json) = (handover.lines().join("\n"), handover.json());
    for line in [
        "  MAINTENANCE  by ann: new \u{fffd}readers: no card is started until `flashline maintenance off`",
        "  acme/box  S-1, attempt 1, slot A1: WAITS FOR APPROVAL by somebody other than ",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(handover.is_open() && !text.contains("nothing is open"), "{text}");
    assert_eq!((&json["maintenance"]["by"], &json["first_cards"][0]["serial"]), (&"ann".into(), &"S-1".into()));
    log.add(Entry::MaintenanceEnded { by: who() });
    assert!(log.handover(None).is_open(), "the first card still waits");
    let card = FirstCard { attempt: 1, slot: "A1".to_owned(), serial: Some("S-1".to_owned()) };
    log.add(Entry::Approved { armed: image(), config: armed_by().digest, card, by: who() });
    assert!(!log.handover(None).is_open(), "{:#?}", log.handover(None).lines());
}

#[test]
fn a_model_that_the_station_took_out_of_work_is_told_until_neither_the_configuration_nor_the_running_station_has_it() {
    let mut log = Log::new();
    log.next_shift();
    log.add(Entry::ModelArmed { armed: image(), by: armed_by(), first_off: FirstOffRule::Off });
    log.add(Entry::ModelDistrusted { armed: image(), reason: "its copy is damaged".to_owned() });
    let is_open = |models: Option<&[&str]>, running: Option<&[&str]>| {
        let models = models.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let model =
            |name: &&str| ModelView { name: (*name).to_owned(), device: (*name).to_owned(), armed: None, order: None, first_off: None };
        let status = running.map(|names| Ok(Status::of(&View { models: names.iter().map(model).collect(), ..View::default() })));
        let handover = read(&log.path(), "shift", now(), &Shifts::default(), models.as_deref(), status).expect("it can be read");
        let text = handover.lines().join("\n");
        assert_eq!(handover.is_open(), text.contains("model acme/box  by the station"), "{text}");
        handover.is_open()
    };
    let (it, renamed): (&[&str], &[&str]) = (&["acme/bag", "acme/box"], &["acme/bag", "acme/box-2"]);
    assert!(is_open(None, None), "of a copy on another PC it is not known");
    assert!(is_open(Some(it), None) && is_open(None, Some(it)));
    assert!(is_open(Some(renamed), Some(it)), "the new configuration is not in use yet");
    assert!(is_open(Some(it), Some(renamed)), "no slot has it now");
    assert!(!is_open(Some(renamed), Some(renamed)) && !is_open(Some(renamed), None) && !is_open(None, Some(renamed)));
}

#[test]
fn a_slot_in_quarantine_is_told_also_while_the_station_is_stopped_until_it_is_armed_and_a_bad_lot_while_the_station_names_it() {
    let finding = |suspect| Finding { suspect, failed: 9, of: 40, others_failed: 1, others_of: 200 };
    let mut log = Log::new();
    log.next_shift();
    log.add(Entry::StandsOut(finding(Suspect::Slot("A1".to_owned()))));
    let handover = log.handover(None);
    let text = handover.lines().join("\n");
    let line = "slot A1  QUARANTINE  9 of 40 failed, other slots 1 of 200: look at its reader, then `flashline arm --slot A1`";
    assert!(handover.is_open() && text.contains(line), "{text}");
    assert_eq!(handover.json()["quarantines"][0]["slot"], "A1");
    log.add(Entry::Rearmed { target: Target::Slot("A1".to_owned()), by: who() });
    assert!(!log.handover(None).is_open());
    let lot = finding(Suspect::Lot { lot: "L-9".to_owned(), card_type: "SL16G 16 GB".to_owned() });
    let handover = log.handover(running(&View { suspects: vec![lot], ..View::default() }));
    let text = handover.lines().join("\n");
    assert!(handover.is_open() && text.contains("  lot L-9 (SL16G 16 GB): 9 of 40 failed, other lots 1 of 200"), "{text}");
    assert_eq!(handover.json()["suspects"][0]["name"], "L-9");
}

#[test]
fn each_thing_alone_makes_the_handover_open() {
    let shown = |sign| View { slots: vec![SlotView { slot: "A1".into(), ..SlotView::of(sign) }], ..View::default() };
    let with = |entry: Option<Entry>, status: Option<Result<Status, String>>| {
        let mut log = Log::new();
        log.next_shift();
        entry.into_iter().for_each(|entry| log.add(entry));
        log.handover(status).is_open()
    };
    let well = || running(&shown(Sign::Empty));
    assert!(!with(None, well()));
    assert!(!with(None, None), "a copy elsewhere has no station");
    assert!(with(None, Some(Err("no station answers".to_owned()))));
    let disarmed = || shown(Sign::Disarmed("no image is armed".to_owned()));
    assert!(with(None, running(&disarmed())), "the station itself disarmed it");
    let mut log = Log::new();
    log.add(Entry::Disarmed { target: Target::Slot("A1".to_owned()), by: who(), reason: None });
    let told = log.handover(running(&disarmed())).lines();
    assert_eq!(told.iter().filter(|line| line.contains("slot A1")).count(), 1, "it is told once, with the person: {told:#?}");
    assert!(with(None, running(&View { fault: Some("disk full".into()), ..View::default() })));
    assert!(with(None, running(&View { faults: vec!["a copy is damaged".into()], ..View::default() })));
    assert!(with(None, running(&View { restrictions: vec![Restriction::SwapsHidden], ..View::default() })), "it is a fault");
    assert!(with(Some(Entry::MaintenanceBegun { by: who(), why: "new readers".to_owned() }), well()));
    assert!(with(Some(Entry::OrderStarted { order: order(), by: who() }), well()));
    assert!(with(Some(Entry::Disarmed { target: Target::Model("acme/box".to_owned()), by: who(), reason: None }), well()));
    assert!(with(Some(Entry::StationStarted { version: "1".to_owned(), volatile: Some("tmpfs".to_owned()) }), well()));
}

#[test]
fn a_log_that_begun_anew_and_is_not_confirmed_is_told_and_one_that_is_not_there_is_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("flash-log.db");
    drop(Ledger::open_on(&path, "bench", "0123456789abcdef0123456789abcdef").expect("a log"));
    let handover = read(&path, "shift", now(), &Shifts::default(), None, None).expect("it can be read");
    assert!(handover.is_open() && handover.lines().join("\n").contains("NEW FLASH LOG"), "{:#?}", handover.lines());
    let Err(error) = read(Path::new("/nonexistent/log.db"), "shift", now(), &Shifts::default(), None, None) else {
        panic!("there is no log")
    };
    assert!(error.to_string().contains("/nonexistent/log.db"), "{error}");
    assert!(read(&path, "soon", now(), &Shifts::default(), None, None).is_err());
}
