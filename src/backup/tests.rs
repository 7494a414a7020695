//! Tests of the promises of a backup: it is whole or not there, its damage is found, and its log goes on as one history.

use std::fs;
use std::path::{Path, PathBuf};

use super::kept::Thinned;
use super::*;
use crate::ledger::{Ledger, LogProblem, LogReader, Month, Relation, Wanted, archive};
use crate::station::outcome::{Effort, Outcome};
use crate::station::record::{Attempt, Entry};
use crate::station::request::Who;
use crate::station::testing::{attempt, card, proof};

const CONFIG: &[u8] = b"# ours\nversion = 1\r\n";

fn ann() -> Who {
    Who { uid: 1000, name: "ann".to_owned() }
}

/// Appends the events of one good card; makes the log if there is none.
fn make_card(log: &Path, number: u64) {
    let mut ledger = Ledger::open(log, "line 3").expect("the log opens");
    let attempt = || Box::new(Attempt { image: None, ..attempt(number, "A1", card("p1", number)) });
    ledger.append(&Entry::AttemptStarted(attempt())).expect("a start");
    let end = Entry::AttemptClosed { attempt: attempt(), outcome: Outcome::Passed(proof()), effort: Effort::default() };
    ledger.append(&end).expect("an end");
}

fn backup_at(folder: &Path, log: &Path, second: i64) -> Result<Backup, BackupError> {
    let config = Path::new("/etc/flashline/config.toml");
    make(folder, &Contents { log, config, config_bytes: CONFIG, station: "line 3", taken_at: second * 1_000_000 })
}

/// A station with two cards, and a folder for backups.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { root: tempfile::tempdir().expect("a directory") };
        for name in ["old", "new", "backups"] {
            fs::create_dir(place.root.path().join(name)).expect("made");
        }
        make_card(&place.log("old"), 1);
        make_card(&place.log("old"), 2);
        place
    }

    fn log(&self, pc: &str) -> PathBuf {
        self.root.path().join(pc).join("flash-log.db")
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("backups")
    }

    fn backup(&self, second: i64) -> Backup {
        backup_at(&self.folder(), &self.log("old"), second).expect("a backup")
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).expect("listed").map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

fn relation(one: &Path, other: &Path) -> Relation {
    let open = |path| LogReader::open(path).expect("a log");
    open(one).relation_to(&open(other)).expect("readable")
}

#[test]
fn a_restored_log_goes_on_as_one_history_and_a_log_that_is_there_is_never_replaced() {
    let place = Place::new();
    let made = place.backup(1_800_000_000);
    assert_eq!(names(&place.folder()), ["line-3-20270115T080000Z"]);
    assert_eq!(names(&made.path), ["backup.json", "config.toml", "flash-log.db"]);
    let found = open(&made.path).expect("it is whole");
    assert_eq!((&found, found.anchor.count), (&made, 5));
    assert_eq!(configuration(&found).expect("it is whole"), CONFIG);

    let new = place.log("new");
    let head = place_log(&found, &new, &ann()).expect("restored");
    assert_eq!(place_log(&found, &new, &ann()).expect("done again after an interruption"), head);
    assert_eq!(names(new.parent().expect("a directory")).first().map(String::as_str), Some("flash-log.db"), "nothing unfinished is left");
    make_card(&new, 3);
    let verified = LogReader::open(&new).and_then(|log| log.verify()).expect("readable").expect("one history");
    assert_eq!((head.count, verified.count), (6, 8));
    assert_eq!(relation(&new, &place.log("old")), Relation::OtherIsBeginning { lacks: 3 });

    let said = place_log(&found, &new, &ann()).expect_err("a log is there").to_string();
    assert!(said.contains("the same history as in the backup with 3 events more") && said.contains("nothing is changed"), "{said}");
    assert_eq!(LogReader::open(&new).and_then(|log| log.head()).expect("readable"), verified, "it is left as it is");
    fs::remove_file(&new).expect("removed");
    fs::write(new.with_file_name("flash-log.db-wal"), "events").expect("written");
    assert!(matches!(place_log(&found, &new, &ann()), Err(BackupError::Rest { .. })), "a part of another log would be read with it");
}

#[test]
fn a_log_that_moves_is_copied_with_its_last_event_and_refuses_to_be_written_until_it_is_restored() {
    let place = Place::new();
    let old = place.log("old");
    check_room(&place.folder(), &old).expect("there is room");
    Ledger::move_away(&old, "line 3", "/mnt/stick", &ann()).expect("recorded");
    let refused = || Ledger::open(&old, "line 3").expect_err("it has moved").problem;
    assert!(matches!(refused(), LogProblem::MovedAway(_)));
    let made = place.backup(1_800_000_000);
    assert!(made.manifest.moved);
    place_log(&made, &place.log("new"), &ann()).expect("restored");
    make_card(&place.log("new"), 3);
    assert_eq!(relation(&place.log("new"), &old), Relation::OtherIsBeginning { lacks: 3 });
    assert!(matches!(refused(), LogProblem::MovedAway(_)), "the old one stays refused");
}

#[test]
fn a_backup_that_is_damaged_or_was_not_finished_is_refused_and_nothing_is_restored() {
    let place = Place::new();
    let made = place.backup(1_800_000_000);
    for name in ["flash-log.db", "config.toml", "backup.json"] {
        let path = made.path.join(name);
        let whole = fs::read(&path).expect("readable");
        let mut damaged = whole.clone();
        // In the manifest: its opening brace.
        damaged[0] ^= 1;
        fs::write(&path, &damaged).expect("written");
        let said = open(&made.path).expect_err(name).to_string();
        assert!(said.contains("is damaged") && said.contains("use another backup"), "{name}: {said}");
        fs::write(&path, &whole[..whole.len() - 1]).expect("written");
        assert!(open(&made.path).is_err(), "{name} is cut");
        fs::remove_file(&path).expect("removed");
        let said = open(&made.path).expect_err(name).to_string();
        // Without its manifest a folder was never finished.
        assert!(
            said.contains(&format!("{name} is missing in it; put the file back")) || said.contains("has no backup.json"),
            "{name}: {said}"
        );
        fs::write(&path, &whole).expect("written");
    }
    let manifest = made.path.join("backup.json");
    let whole = fs::read_to_string(&manifest).expect("readable");
    fs::write(&manifest, whole.replace("\"anchor\": \"5:", "\"anchor\": \"4:")).expect("written");
    let other = open(&made.path).expect("its files are whole");
    assert_eq!(other.anchor.count, 4);
    assert!(matches!(place_log(&other, &place.log("new"), &ann()), Err(BackupError::Damaged { .. })), "it ends with another event");
    fs::write(&manifest, whole).expect("written");
    let found = open(&made.path).expect("it is whole again");
    // Damaged after it was looked at, as by a bad stick.
    fs::write(found.log(), "nothing").expect("written");
    assert!(matches!(place_log(&found, &place.log("new"), &ann()), Err(BackupError::Damaged { .. })));
    assert_eq!(names(&place.root.path().join("new")), [""; 0]);
    assert!(matches!(open(&place.root.path().join("none")), Err(BackupError::NoFolder { .. })));
}

#[test]
fn an_interrupted_backup_is_never_taken_for_one_and_a_log_that_does_not_hold_is_not_backed_up() {
    let place = Place::new();
    let left = place.folder().join(".flashline-unfinished-abc");
    fs::create_dir(&left).expect("made");
    fs::write(left.join("flash-log.db"), "half").expect("written");
    assert!(matches!(open(&left), Err(BackupError::NoManifest { .. })));
    let made = place.backup(1_800_000_000);
    assert_eq!(names(&place.folder()).len(), 1, "what was left is removed");
    let tampered = place.log("old");
    rusqlite::Connection::open(&tampered)
        .expect("opens")
        .execute_batch("DROP TRIGGER event_is_never_changed; UPDATE event SET at = at + 1 WHERE seq = 3")
        .expect("tampered");
    assert!(matches!(backup_at(&place.folder(), &tampered, 1_800_000_100), Err(BackupError::Flawed { .. })));
    assert_eq!(of_station(&place.folder(), &made.manifest.station_id).expect("listed"), [made], "the earlier one stays alone");
    let missing = place.root.path().join("not/mounted");
    let said = backup_at(&missing, &tampered, 0).expect_err("missing").to_string();
    assert!(said.contains("is not there: mount its disk, or create it") && !missing.exists(), "{said}");
}

#[test]
fn the_oldest_backups_of_the_station_are_removed_and_none_of_another_station_or_of_a_move() {
    let place = Place::new();
    let other = place.root.path().join("other.db");
    make_card(&other, 1);
    backup_at(&place.folder(), &other, 1_800_000_000).expect("a backup of another station");
    fs::create_dir(place.folder().join("photos")).expect("made");
    let made: Vec<Backup> = (1..=4).map(|day| place.backup(1_800_000_000 + day * 86_400)).collect();
    fs::write(made[0].path.join("note.txt"), "of a person").expect("written");
    // A file that is gone already keeps no other one from being removed.
    fs::remove_file(made[1].path.join("config.toml")).expect("removed");
    let thinned = remove_beyond(&place.folder(), &made[3], 2).expect("removed");
    assert_eq!(thinned, Thinned { removed: vec![made[0].path.clone(), made[1].path.clone()], ..Thinned::default() });
    let left = of_station(&place.folder(), &made[3].manifest.station_id).expect("listed");
    assert_eq!(left, made[2..]);
    assert_eq!(names(&made[0].path), ["note.txt"], "what is not the station's stays");
    assert_eq!(names(&place.folder()).len(), 5);

    Ledger::move_away(&place.log("old"), "line 3", "/mnt/stick", &ann()).expect("recorded");
    let moved = place.backup(1_700_000_000);
    remove_beyond(&place.folder(), &made[3], 1).expect("removed");
    let left = of_station(&place.folder(), &made[3].manifest.station_id).expect("listed");
    assert_eq!(left, [moved, made[3].clone()], "the one by which it moved stays, however old it is");
}

/// Restores the log of the new PC from the first of two backups. The second one has a card that is in no other log any more.
fn restored_from_the_older(place: &Place) -> [Backup; 2] {
    let restored = place.backup(1_800_000_000);
    make_card(&place.log("old"), 3);
    let lost = place.backup(1_800_000_100);
    place_log(&restored, &place.log("new"), &ann()).expect("restored");
    make_card(&place.log("new"), 3);
    [restored, lost]
}

/// Archives everything that is in the log.
fn archive_all(log: &Path, folder: &Path) {
    let cut = LogReader::open(log).and_then(|log| log.newest_at()).expect("readable").expect("an event");
    let month_of = |at| {
        let (name, end) = if at <= cut { ("2026-10", cut + 1) } else { ("2026-11", i64::MAX) };
        Month { name: name.to_owned(), end }
    };
    archive(&Wanted { log, folder, before: cut + 1, month_of: &month_of, by: &ann() }).expect("archived");
}

#[test]
fn an_old_backup_with_events_that_the_newer_log_lacks_is_kept_and_named() {
    let place = Place::new();
    let [restored, lost] = restored_from_the_older(&place);
    let new = backup_at(&place.folder(), &place.log("new"), 1_800_000_200).expect("a backup");
    assert_eq!(new.manifest.station_id, lost.manifest.station_id, "it is one station");
    let thinned = remove_beyond(&place.folder(), &new, 1).expect("removed");
    let expected = Thinned { removed: vec![restored.path], with_lost_events: vec![lost.path.clone()], ..Thinned::default() };
    assert_eq!(thinned, expected);
    assert_eq!(of_station(&place.folder(), &new.manifest.station_id).expect("listed"), [lost, new]);
}

#[test]
fn an_old_backup_is_compared_with_the_archive_of_its_newest_event_and_kept_and_named_while_that_cannot_be_read() {
    let place = Place::new();
    let archives = place.root.path().join("archives");
    fs::create_dir(&archives).expect("made");
    let [restored, lost] = restored_from_the_older(&place);
    archive_all(&place.log("new"), &archives);
    let new = backup_at(&place.folder(), &place.log("new"), 1_800_000_200).expect("a backup");

    let (file, aside) = (archives.join("flash-log-2026-10.db"), archives.join("aside"));
    fs::rename(&file, &aside).expect("moved");
    let thinned = remove_beyond(&place.folder(), &new, 1).expect("nothing to remove");
    assert!(thinned.removed.is_empty() && thinned.with_lost_events.is_empty(), "{thinned:?}");
    let named: Vec<&Path> = thinned.not_compared.iter().map(|(path, _)| path.as_path()).collect();
    assert_eq!(named, [&*restored.path, &*lost.path]);
    assert!(thinned.not_compared.iter().all(|(_, flaw)| flaw.to_string().contains("the archive is missing")), "{thinned:?}");
    let thinned = remove_beyond(&place.folder(), &new, 3).expect("nothing to remove");
    assert_eq!(thinned, Thinned::default(), "none is old enough to be removed");

    fs::rename(&aside, &file).expect("moved");
    let thinned = remove_beyond(&place.folder(), &new, 1).expect("removed");
    let expected = Thinned { removed: vec![restored.path], with_lost_events: vec![lost.path.clone()], ..Thinned::default() };
    assert_eq!(thinned, expected, "event {} of the archive is another one than that of the backup", lost.anchor.count);
    assert_eq!(of_station(&place.folder(), &new.manifest.station_id).expect("listed"), [lost, new]);
}

#[test]
fn a_configuration_is_put_in_its_place_byte_by_byte_and_the_one_before_is_kept() {
    let root = tempfile::tempdir().expect("a directory");
    let path = root.path().join("config.toml");
    assert_eq!(place_configuration(&path, CONFIG).expect("written"), None);
    assert_eq!(place_configuration(&path, CONFIG).expect("nothing to do"), None);
    let copy = place_configuration(&path, b"other").expect("written").expect("a copy");
    assert_eq!((fs::read(&path).expect("readable"), fs::read(copy).expect("readable")), (b"other".to_vec(), CONFIG.to_vec()));
}
