//! The promises of archiving, with one test for each. A log begins when its file is made, so the months of these tests are days from then on.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::card_history::Named;
use super::super::compare::Relation;
use super::super::error::LogProblem;
use super::super::proof::Flaw;
use super::super::query::Filter;
use super::super::tests::{PC, open, tamper};
use super::error::{ArchiveFlaw, ArchiveProblem};
use super::*;
use crate::station::first_off::FirstOffRule;
use crate::station::order::{Boxes, Order};
use crate::station::outcome::{Effort, Outcome, OutcomeWord, Pull};
use crate::station::past::{Ended, Past, Rows};
use crate::station::record::{Attempt, BoxEnd, ClosedBox, Entry};
use crate::station::request::Target;
use crate::station::standing::Standing;
use crate::station::testing::{armed_by, attempt, card, image, proof};

/// Microseconds of a month of these tests.
const MONTH: i64 = 86_400_000_000;

struct Place {
    _dir: TempDir,
    path: PathBuf,
    folder: PathBuf,
    /// The begin of month 0.
    begin: i64,
    /// The time of the newest event that was added.
    at: i64,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, folder) = (dir.path().join("flash-log.db"), dir.path().join("archive"));
        fs::create_dir(&folder).expect("made");
        drop(open(&path));
        let begin = LogReader::open(&path).expect("a log").newest_at().expect("readable").expect("an event");
        Self { _dir: dir, path, folder, begin, at: begin }
    }

    /// Appends entries in this month.
    fn add(&mut self, month: i64, entries: &[Entry]) {
        let first = (self.at - self.begin).max(month * MONTH);
        let entries: Vec<_> = entries.iter().zip(1..).map(|(entry, place)| (first + 1000 * place, entry.clone())).collect();
        self.add_at(&entries);
    }

    /// Appends entries, each at its time behind the begin of month 0.
    fn add_at(&mut self, entries: &[(i64, Entry)]) {
        let mut ledger = open(&self.path);
        for (later, entry) in entries {
            self.at = self.begin + later;
            ledger.append_at(&Stamp { at: self.at, boot: String::new(), since_boot_ms: None, synced: None }, entry).expect("appended");
        }
    }

    /// Good cards, each with its own serial: three in each of the months 0, 1 and 2.
    fn with_three_months() -> Self {
        let mut place = Self::new();
        for month in 0..3 {
            for number in 3 * month + 1..=3 * month + 3 {
                place.add(month, &made(u64::try_from(number).expect("small")));
            }
        }
        place
    }

    fn archive_before(&self, month: i64, did: impl FnMut(Step) -> io::Result<()>) -> Result<Done, ArchiveError> {
        let begin = self.begin;
        let month_of = move |at: i64| {
            let month = (at - begin).div_euclid(MONTH);
            Month { name: month.to_string(), end: begin + (month + 1) * MONTH }
        };
        let before = begin + month * MONTH;
        let wanted = Wanted { log: &self.path, folder: &self.folder, before, month_of: &month_of, by: &ann() };
        carry_out(&wanted, |name| Ledger::open_on(&self.path, name, PC), did)
    }

    fn archived(&self, month: i64) -> Vec<String> {
        let done = self.archive_before(month, |_| Ok(())).expect("archived");
        done.files.into_iter().map(|file| file.name).collect()
    }

    fn log(&self) -> LogReader {
        LogReader::open(&self.path).expect("a log")
    }

    /// The directory of the archives as another command opens it.
    fn archives(&self) -> ArchiveFolder {
        ArchiveFolder::new(&self.folder)
    }

    fn head(&self) -> Head {
        self.log().head().expect("readable")
    }

    fn attempts(&self, folder: Option<&Path>) -> Vec<u64> {
        let whole = WholeLog::open(&self.path, folder.map(ArchiveFolder::new).as_ref()).expect("readable");
        whole.log().attempts(&Filter::default()).map(|row| row.expect("a row").attempt).collect()
    }

    fn flaw(&self) -> ArchiveProblem {
        match self.log().verify_with(&self.archives(), None) {
            Err(ArchiveError::Flaw(ArchiveFlaw { what, .. })) => what,
            other => panic!("the archives do not hold: {other:?}"),
        }
    }

    fn holds_with_archives(&self) {
        let head = self.log().verify_with(&self.archives(), None).expect("readable").expect("one chain");
        assert_eq!(head, self.head());
    }
}

fn ann() -> Who {
    Who { uid: 1000, name: "ann".to_owned() }
}

fn of(number: u64) -> Box<Attempt> {
    let mut card = card("pci-0000:00:14.0/usb3-2/lun-0", number);
    card.serial = Some(format!("S-{number}"));
    Box::new(attempt(number, "A1", card))
}

fn starts(number: u64) -> Entry {
    Entry::AttemptStarted(of(number))
}

fn ends(number: u64, outcome: Outcome) -> Entry {
    Entry::AttemptClosed { attempt: of(number), outcome, effort: Effort::default() }
}

fn made(number: u64) -> [Entry; 2] {
    [starts(number), ends(number, Outcome::Passed(proof()))]
}

fn in_order(number: u64, order: u64) -> [Entry; 2] {
    let attempt = Box::new(Attempt { order: Some(order), ..*of(number) });
    let end = Entry::AttemptClosed { attempt: attempt.clone(), outcome: Outcome::Passed(proof()), effort: Effort::default() };
    [Entry::AttemptStarted(attempt), end]
}

fn order(number: u64) -> Order {
    let boxes = Some(Boxes { size: 2, closed: 0, packed: 0 });
    Order { number, model: "acme/box".to_owned(), name: None, work_order: None, count: 9, passed: 0, boxes }
}

#[test]
fn a_log_goes_on_without_its_old_months_and_is_one_chain_with_them() {
    let mut place = Place::with_three_months();
    let before = place.head();
    let old = place.log().head_before(place.begin + MONTH).expect("readable").expect("an event");
    assert_eq!(place.archived(2), ["flash-log-0.db", "flash-log-1.db"]);

    assert_eq!(place.log().verify().expect("readable").expect("it holds"), place.head());
    place.holds_with_archives();
    assert_eq!(place.head().count, before.count + 1, "one event tells of it");
    assert_eq!(place.attempts(None), [7, 8, 9]);
    assert_eq!(place.attempts(Some(&place.folder)), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(open(&place.path).next_attempt().expect("a number"), 10);
    assert_eq!(place.log().verify_through(&before).expect("readable").expect("the newest anchor"), place.head());

    // An anchor on an old shift sheet.
    let file = "flash-log-0.db".to_owned();
    assert_eq!(place.log().verify_through(&old).expect("readable"), Err(Flaw::InArchive { seq: old.count, file }));
    place.log().verify_with(&place.archives(), Some(&old)).expect("readable").expect("the chain passes through it");
    let forged = Head { hash: [7; 32], ..old };
    let verdict = place.log().verify_with(&place.archives(), Some(&forged)).expect("readable");
    assert!(matches!(verdict, Err(Flaw::Event(_))), "{verdict:?}");

    // An archive is a log that every reader opens, and no station continues it.
    let archive = LogReader::open(&place.folder.join("flash-log-1.db")).expect("a log");
    archive.verify().expect("readable").expect("it holds by itself");
    assert_eq!(archive.attempts(&Filter::default()).map(|row| row.expect("a row").attempt).collect::<Vec<_>>(), [4, 5, 6]);
    let error = Ledger::open_on(archive.path(), "bench-1", PC).expect_err("an archive");
    assert_eq!(error.problem, LogProblem::Archive);

    // The station goes on, and so does archiving.
    place.add(3, &made(10));
    assert_eq!(place.archived(3), ["flash-log-2.db"]);
    assert_eq!((place.attempts(None), place.attempts(Some(&place.folder))), (vec![10], (1..=10).collect()));
    place.holds_with_archives();
    let copy = place.folder.join("copy.db");
    place.log().export(&copy).expect("copied").expect("a copy of a shortened log holds");
    assert_eq!(open(&place.path).next_attempt().expect("a number"), 11);
}

#[test]
fn an_archive_that_is_missing_changed_or_swapped_is_named() {
    let place = Place::with_three_months();
    place.archived(2);
    let (first, second) = (place.folder.join("flash-log-0.db"), place.folder.join("flash-log-1.db"));
    let aside = place.folder.join("aside");
    fs::rename(&first, &aside).expect("moved");
    assert_eq!(place.flaw(), ArchiveProblem::Missing);
    fs::copy(&second, &first).expect("copied");
    assert_eq!(place.flaw(), ArchiveProblem::Swapped { with: "flash-log-1.db".to_owned() });
    fs::remove_file(&first).expect("removed");

    let bytes = fs::read(&aside).expect("readable");
    let text = br#""slot":"A1""#;
    let at = bytes.windows(text.len()).position(|window| window == text).expect("a slot in a body") + text.len() - 2;
    let mut changed = bytes.clone();
    changed[at] ^= 1;
    fs::write(&first, &changed).expect("written");
    assert!(matches!(place.flaw(), ArchiveProblem::Flaw(Flaw::Event(_))), "one bit in an event");
    let mut changed = bytes.clone();
    // The version number of the library that wrote it last, which SQLite does not verify (sqlite.org/fileformat2.html, offset 96).
    changed[99] ^= 1;
    fs::write(&first, &changed).expect("written");
    assert_eq!(place.flaw(), ArchiveProblem::NotTheFile, "one bit outside the events");
    fs::write(&first, &bytes[..bytes.len() / 2]).expect("written");
    assert!(matches!(place.flaw(), ArchiveProblem::Unreadable(_) | ArchiveProblem::Flaw(_)));
    let error = WholeLog::open(&place.path, Some(&place.archives())).expect_err("no report of it");
    assert!(error.to_string().contains("flash-log-0.db"), "{error}");
    fs::write(&first, &bytes).expect("written");
    place.holds_with_archives();
}

#[test]
fn an_interruption_after_any_step_loses_nothing_and_the_next_call_finishes() {
    for step in [Step::Archived(1), Step::Archived(2), Step::Shortened, Step::InPlace] {
        let place = Place::with_three_months();
        let stop = |done| if done == step { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) };
        place.archive_before(2, stop).expect_err("interrupted");
        // A killed process leaves its copy, and a file that is not finished.
        fs::write(place.path.with_file_name("flash-log.db.copy"), "half").expect("written");
        fs::write(place.folder.join("flash-log-1.db.unfinished"), "half").expect("written");
        drop(open(&place.path));
        place.log().verify().expect("readable").expect("the log holds");
        let expected: Vec<u64> = if step == Step::InPlace { vec![7, 8, 9] } else { (1..=9).collect() };
        assert_eq!(place.attempts(None), expected, "{step:?}");
        match place.archive_before(2, |_| Ok(())) {
            Ok(done) => assert_eq!((done.files.len(), step != Step::InPlace), (2, true), "{step:?}"),
            Err(error) => assert!(matches!(error, ArchiveError::Nothing { .. }) && step == Step::InPlace, "{step:?}: {error}"),
        }
        place.holds_with_archives();
        assert_eq!(place.attempts(Some(&place.folder)), (1..=9).collect::<Vec<_>>(), "{step:?}");
        assert!(!place.path.with_file_name("flash-log.db.copy").exists(), "{step:?}");
    }
}

#[test]
fn another_file_in_the_place_of_an_archive_is_left_as_it_is_and_nothing_is_taken_out() {
    let place = Place::with_three_months();
    let file = place.folder.join("flash-log-1.db");
    fs::write(&file, "somebody's").expect("written");
    let error = place.archive_before(2, |_| Ok(())).expect_err("it is another one");
    assert!(matches!(error, ArchiveError::Other { .. }), "{error}");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "somebody's");
    assert_eq!(place.attempts(None).len(), 9);
    let error = Place { folder: file, ..place }.archive_before(2, |_| Ok(())).expect_err("no directory");
    assert!(matches!(error, ArchiveError::NoFolder { .. }), "{error}");
}

#[test]
fn a_running_station_or_reader_keeps_its_log() {
    let place = Place::with_three_months();
    let writes = open(&place.path);
    let error = place.archive_before(2, |_| Ok(())).expect_err("a station writes it");
    assert!(matches!(&error, ArchiveError::Log(error) if error.problem == LogProblem::InUse), "{error}");
    drop(writes);
    // A reader is another process: one of this process would lose its lock whenever a file is closed.
    let reads = File::options().read(true).write(true).open(&place.path).expect("a log");
    assert!(renew::try_lock(&reads, renew::PENDING + 2, 1).expect("asked"), "as SQLite does, in the bytes that readers share");
    let error = place.archive_before(2, |_| Ok(())).expect_err("somebody reads it");
    assert!(matches!(&error, ArchiveError::Log(error) if error.problem == LogProblem::Locked), "{error}");
    drop(reads);
    assert_eq!(place.archived(2).len(), 2);
}

#[test]
fn a_shortened_log_is_compared_with_copies_from_before_and_what_is_archived_only_with_its_archives() {
    let mut place = Place::new();
    let copied = |place: &Place, name: &str| {
        let copy = place.path.with_file_name(name);
        place.log().export(&copy).expect("copied").expect("it holds");
        copy
    };
    place.add(0, &made(1));
    let early = copied(&place, "early.db");
    place.add(1, &made(2));
    place.add(2, &made(3));
    let late = copied(&place, "late.db");
    let before = place.head().count;
    place.archived(2);
    let more = place.head().count - before;
    let relation = |one: &LogReader, other: &LogReader| one.relation_to(other).expect("readable");
    let opened = |path: &Path| LogReader::open(path).expect("a log");
    assert_eq!(relation(&place.log(), &opened(&late)), Relation::OtherIsBeginning { lacks: more });
    assert_eq!(relation(&opened(&late), &place.log()), Relation::OtherGoesOn { more });
    let until = place.log().archives().expect("readable").last().and_then(|file| u64::try_from(file.last).ok()).expect("an archive");
    assert_eq!(relation(&place.log(), &opened(&early)), Relation::InArchives { until }, "it ends in a month that is archived");
    let whole = WholeLog::open(&place.path, Some(&place.archives())).expect("readable");
    let lacks = place.head().count - opened(&early).head().expect("readable").count;
    assert_eq!(relation(whole.log(), &opened(&early)), Relation::OtherIsBeginning { lacks });
}

#[test]
fn what_the_station_knows_of_old_events_is_the_same_afterwards() {
    let mut place = Place::new();
    let by = ann();
    let stopped = |number| Entry::OrderStopped { order: order(number), by: ann() };
    let armed = |first_off| Entry::ModelArmed { armed: image(), by: armed_by(), first_off };
    place.add(
        0,
        &[
            Entry::LogConfirmed { by: by.clone() },
            armed(FirstOffRule::Wanted),
            Entry::Disarmed { target: Target::Slot("A2".to_owned()), by: by.clone(), reason: Some("bent contacts".to_owned()) },
            Entry::MaintenanceBegun { by: by.clone(), why: "new hub".to_owned() },
            Entry::OrderStarted { order: order(1), by: by.clone() },
        ],
    );
    for number in 1..=2 {
        place.add(0, &in_order(number, 1));
    }
    place.add(0, &[stopped(1), Entry::OrderStarted { order: order(2), by: by.clone() }]);
    place.add(0, &in_order(3, 2));
    // Its order ends in the month that stays, and the second box of it is closed by a start.
    place.add(1, &in_order(4, 2));
    place.add(1, &in_order(5, 2));
    for number in 1..=2 {
        let closed = ClosedBox { number, cards: if number == 1 { 2 } else { 1 }, why: BoxEnd::Full, last: None };
        place.add(1, &[Entry::BoxClosed { order: order(2), closed }]);
    }
    place.add(1, &[stopped(2), Entry::OrderStarted { order: order(3), by }]);
    place.add(1, &in_order(6, 3));
    place.add(1, &[starts(7), ends(7, Outcome::Pulled(Pull::Taken))]);
    let last = place.log().head_before(place.begin + MONTH).expect("readable").expect("an event").count;

    let told = |place: &Place| -> (Standing, Vec<Past>, Vec<Option<u32>>, Vec<String>) {
        let log = place.log();
        let past = (1..=8).map(|number| log.past(&Named::of(&of(number).card, "A1")).expect("readable")).collect();
        let boxes = log.boxes().expect("readable");
        let rows = log.attempts(&Filter { after: Some(last), ..Filter::default() });
        let boxes = rows.map(|row| boxes.of(&row.expect("a row"))).collect();
        let kept = log.armings(None).expect("readable").into_iter().map(|event| event.body).collect();
        (log.standing().expect("readable"), past, boxes, kept)
    };
    let before = told(&place);
    let good = Some(Ended { outcome: OutcomeWord::Passed, image: Some(image().digest.to_string()), order: Some(1) });
    assert_eq!(before.1[0], Past::BySerial(Rows { newest: good.clone(), good }));
    let forgotten = Past::BySerial(Rows::default());
    assert_eq!(before.1[7], forgotten, "a card that was never here");
    // Nobody approved a card, and one was made: see below.
    let error = place.archive_before(1, |_| Ok(())).expect_err("it waits");
    assert!(matches!(error, ArchiveError::FirstCard { attempt: 1, .. }), "{error}");
    place.add(1, &[armed(FirstOffRule::Off)]);

    let before = told(&place);
    place.archived(1);
    assert_eq!(told(&place), before);
    place.holds_with_archives();
    assert_eq!(place.attempts(None)[0], 4, "something left the log");
    drop(open(&place.path));
    assert_eq!(open(&place.path).standing().expect("readable"), before.0, "and so it is after a restart");
}

#[test]
fn the_newest_end_of_a_card_and_its_newest_good_one_are_known_however_often_it_was_archived() {
    let mut place = Place::new();
    let again = |number, outcome| {
        let attempt = Box::new(Attempt { number, ..*of(1) });
        [Entry::AttemptStarted(attempt.clone()), Entry::AttemptClosed { attempt, outcome, effort: Effort::default() }]
    };
    let past = |place: &Place| match place.log().past(&Named::of(&of(1).card, "A1")).expect("readable") {
        Past::BySerial(rows) => (rows.newest.map(|row| row.outcome), rows.good.map(|row| row.outcome)),
        other => panic!("it has a serial: {other:?}"),
    };
    let (passed, pulled) = (Some(OutcomeWord::Passed), Some(OutcomeWord::Pulled));
    place.add(0, &again(1, Outcome::Passed(proof())));
    place.add(1, &again(2, Outcome::Pulled(Pull::Taken)));
    place.archived(1);
    assert_eq!(past(&place), (pulled.clone(), passed.clone()), "one end is in the log, the other one is archived");
    place.add(2, &made(9));
    place.archived(2);
    assert_eq!(past(&place), (pulled.clone(), passed.clone()), "both are archived, at different times");
    place.add(3, &again(10, Outcome::Passed(proof())));
    place.archived(3);
    place.add(4, &made(11));
    place.archived(4);
    assert_eq!(past(&place), (passed.clone(), passed));
    place.holds_with_archives();
}

#[test]
fn a_card_leaves_an_order_once_also_if_one_row_of_it_or_both_are_archived() {
    let mut place = Place::new();
    let good = |place: &Place| match place.log().past(&Named::of(&of(1).card, "A1")).expect("readable") {
        Past::BySerial(rows) => rows.good.map(|row| (row.outcome, row.order)),
        other => panic!("it has a serial: {other:?}"),
    };
    let first = Box::new(Attempt { order: Some(1), ..*of(1) });
    let (attempt, effort) = (first.clone(), Effort::default());
    place.add(0, &[Entry::AttemptStarted(first), Entry::AttemptClosed { attempt, outcome: Outcome::Passed(proof()), effort }]);
    let Past::BySerial(rows) = place.log().past(&Named::of(&of(1).card, "A1")).expect("readable") else { panic!("it has a serial") };
    let found = Box::new(Attempt { number: 2, order: Some(1), past: Past::BySerial(rows), ..*of(1) });
    let (attempt, effort) = (found.clone(), Effort::default());
    place.add(1, &[Entry::AttemptStarted(found.clone()), Entry::AttemptClosed { attempt, outcome: Outcome::Found(proof()), effort }]);
    place.add(1, &[Entry::AttemptChanged { attempt: found, outcome: Outcome::Changed { sectors: 8 } }]);
    let left = Some((OutcomeWord::Passed, None));
    assert_eq!(good(&place), left);
    for month in [1, 2] {
        place.archived(month);
        assert_eq!(good(&place), left, "archived before month {month}");
    }
    place.holds_with_archives();
}

#[test]
fn an_order_that_is_not_stopped_keeps_its_month_and_is_named() {
    let mut place = Place::new();
    place.add(0, &made(1));
    place.add(1, &[Entry::OrderStarted { order: order(4), by: ann() }]);
    place.add(1, &in_order(2, 4));
    place.add(2, &in_order(3, 4));
    let error = place.archive_before(2, |_| Ok(())).expect_err("the order is open");
    assert!(matches!(&error, ArchiveError::OpenOrder { number: 4, month, .. } if month == "1"), "{error}");
    assert!(error.to_string().contains("flashline order stop --model acme/box"), "{error}");
    assert_eq!(place.attempts(None), [1, 2, 3]);
    assert_eq!(place.archived(1), ["flash-log-0.db"], "the month before it has none of its cards");
    assert_eq!(open(&place.path).standing().expect("readable").orders[0].passed, 2);
}

#[test]
fn no_attempt_is_split_and_a_clock_that_was_set_back_moves_no_event() {
    let mut place = Place::new();
    place.add(0, &made(1));
    // The second one is written over midnight.
    place.add_at(&[(MONTH - 1000, starts(2)), (MONTH + 1000, ends(2, Outcome::Passed(proof())))]);
    place.add(1, &made(3));
    // The clock is wrong for one card, behind the first one of month 2.
    place.add(2, &made(4));
    let [start, end] = made(5);
    place.add_at(&[(MONTH + MONTH / 2, start), (MONTH + MONTH / 2 + 1000, end)]);
    place.add(2, &made(6));
    place.add(3, &made(7));
    assert_eq!(place.archived(2).len(), 2);
    let attempts_of = |name: &str| {
        let archive = LogReader::open(&place.folder.join(name)).expect("an archive");
        archive.attempts(&Filter::default()).map(|row| row.expect("a row")).map(|row| (row.attempt, row.outcome)).collect::<Vec<_>>()
    };
    assert_eq!(attempts_of("flash-log-0.db"), [(1, OutcomeWord::Passed)]);
    assert_eq!(attempts_of("flash-log-1.db"), [(2, OutcomeWord::Passed), (3, OutcomeWord::Passed)]);
    assert_eq!(place.attempts(None), [4, 5, 6, 7]);
    place.holds_with_archives();
    let error = place.archive_before(2, |_| Ok(())).expect_err("done");
    assert!(matches!(error, ArchiveError::Nothing { .. }), "{error}");
}

#[test]
fn what_stayed_of_archived_events_cannot_be_changed_unseen() {
    let kept = "SELECT max(seq) FROM event WHERE seq < (SELECT first FROM beginning)";
    for (change, found) in [
        (format!("DELETE FROM event WHERE seq = ({kept})"), "other ones are here than were kept"),
        (format!("UPDATE event SET at = at + 1 WHERE seq = ({kept})"), "was changed"),
        ("UPDATE archived_card SET outcome = 'failed'".to_owned(), "archived_card"),
        ("DELETE FROM archived_card".to_owned(), "archived_card"),
        ("DELETE FROM beginning".to_owned(), "was removed"),
        ("UPDATE beginning SET first = first + 1".to_owned(), ""),
        ("UPDATE beginning SET prev = zeroblob(32)".to_owned(), ""),
    ] {
        let mut place = Place::new();
        place.add(0, &[Entry::Disarmed { target: Target::Slot("A1".to_owned()), by: ann(), reason: None }]);
        place.add(0, &made(1));
        place.add(1, &made(2));
        place.archived(1);
        tamper(&place.path, &change);
        let flaw = place.log().verify().expect("readable").expect_err("it does not hold").to_string();
        assert!(flaw.contains(found), "{change}: {flaw}");
    }
}

#[test]
fn a_shortened_log_keeps_its_owner_its_mode_and_its_station() {
    let place = Place::with_three_months();
    fs::set_permissions(&place.path, Permissions::from_mode(0o640)).expect("set");
    let station = open(&place.path).station().to_owned();
    place.archived(2);
    assert_eq!(fs::metadata(&place.path).expect("it is there").permissions().mode() & 0o777, 0o640);
    assert_eq!(open(&place.path).station(), station);
    let error = Ledger::open_on(&place.path, "bench-1", "ffffffffffffffffffffffffffffffff").expect_err("another PC");
    assert_eq!(error.problem, LogProblem::OtherMachine);
}

/// Prints how long it takes and what it saves: `cargo test --release --lib archive_of_a_large_log -- --ignored --nocapture`.
#[test]
#[ignore = "at real size: some minutes, and two gigabytes in the directory for temporary files"]
fn an_archive_of_a_large_log_leaves_a_small_one() {
    let mut place = Place::new();
    for month in 0..4 {
        let numbers = 25_000 * month + 1..=25_000 * (month + 1);
        let entries: Vec<Entry> = numbers.flat_map(|number| made(u64::try_from(number).expect("small"))).collect();
        let mut ledger = open(&place.path);
        for batch in entries.chunks(5000) {
            place.at = place.at.max(place.begin + month * MONTH) + 1000;
            let stamp = Stamp { at: place.at, boot: String::new(), since_boot_ms: None, synced: None };
            ledger.append_all(&batch.iter().map(|entry| (&stamp, entry)).collect::<Vec<_>>()).expect("appended");
        }
    }
    let size = || fs::metadata(&place.path).expect("there").len();
    let timed = |what: &str, work: &mut dyn FnMut()| {
        let began = std::time::Instant::now();
        work();
        println!("{what}: {:.1} s", began.elapsed().as_secs_f64());
    };
    let before = size();
    timed("archive 75 000 attempts of 100 000", &mut || drop(place.archived(3)));
    println!("{before} bytes before, {} bytes after", size());
    assert!(size() < before / 3, "{} of {before}", size());
    timed("verify the log", &mut || assert!(place.log().verify().expect("readable").is_ok()));
    timed("verify with its archives", &mut || place.holds_with_archives());
    timed("make one log of all", &mut || assert_eq!(place.attempts(Some(&place.folder)).len(), 100_000));
    timed("find an archived card", &mut || {
        let past = place.log().past(&Named::of(&of(17).card, "A1")).expect("readable");
        assert!(matches!(past, Past::BySerial(Rows { newest: Some(_), .. })));
    });
}
