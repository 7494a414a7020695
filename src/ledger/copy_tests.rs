//! Tests with other programs that have the log open: readers that follow it, members of the group, people who make a copy.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use nix::unistd::{Gid, Uid, geteuid, setfsgid, setfsuid};
use rusqlite::Connection;

use super::format::PAGE;
use super::tests::{PC, closed, log_of, open, place, started, tamper, verdict};
use super::*;
use crate::station::outcome::{Outcome, Pull};

/// The size to which a follower may make the `-wal` grow.
const WAL_MOST: u64 = 16 << 20;

#[test]
fn a_reader_that_follows_for_long_does_not_make_the_wal_grow() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    let reader = LogReader::open(&path).expect("a log");
    let wal = path.with_file_name("flash-log.db-wal");
    // A reader that began and was then left open.
    ledger.append(&started(1)).expect("appended");
    let mut held = reader.attempts(&Filter::default());
    assert!(held.next().is_some());
    let (mut next, mut seen, mut rows) = (2, 0, 0);
    let mut append = |ledger: &mut Ledger| {
        let entries: Vec<_> = (next..next + 15).map(|number| (Stamp::now(), closed(number, Outcome::Pulled(Pull::Taken)))).collect();
        ledger.append_all(&entries.iter().map(|(stamp, entry)| (stamp, entry)).collect::<Vec<_>>()).expect("appended");
        next += 15;
        fs::metadata(&wal).expect("there").len()
    };
    let mut most = 0;
    for _ in 0..400 {
        most = append(&mut ledger).max(most);
        for row in reader.attempts(&Filter { after: Some(seen), ..Filter::default() }) {
            let row = row.expect("readable");
            seen = seen.max(row.seq);
            rows += 1;
        }
    }
    assert_eq!(rows, 1 + 400 * 15, "the follower saw every row once");
    assert!(held.next().is_none(), "the one who looked sees what there was");
    assert!(most < WAL_MOST, "the -wal grew to {most} bytes");
    // The same work while one single view is held, which none of our readers does.
    let view = reader.begin().expect("a view");
    let _first = chain::newest(&view).expect("readable");
    let most = (0..400).map(|_| append(&mut ledger)).max();
    assert!(most > Some(WAL_MOST), "this work would not have shown it: {most:?} bytes");
}

#[test]
fn entries_that_go_together_are_chained_in_order_and_none_is_there_twice() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    let entries: Vec<_> = (1..=3).flat_map(|number| [started(number), closed(number, Outcome::Pulled(Pull::Taken))]).collect();
    let stamps: Vec<_> = (0..6).map(|_| Stamp::now()).collect();
    let batch: Vec<_> = stamps.iter().zip(&entries).collect();
    let before = ledger.newest;
    ledger.append_all(&batch).expect("appended");
    let rows: Vec<Row> = LogReader::open(&path).expect("a log").attempts(&Filter::default()).map(|row| row.expect("readable")).collect();
    assert!(rows.iter().all(|row| row.started.is_some()), "an end finds the start that came with it");
    // As if the answer had been an error, and they were then tried together, or one by one.
    for together in [true, false] {
        ledger.newest = before;
        if together {
            ledger.append_all(&batch).expect("they are there");
        } else {
            for (stamp, entry) in &batch {
                ledger.append_at(stamp, entry).expect("it is there");
            }
        }
        assert_eq!(verdict(&path).expect("the chain holds").count, 7);
    }
    // One event that contradicts the log makes the whole batch fail.
    let wrong = [(&stamps[0], &started(4)), (&stamps[1], &started(2)), (&stamps[2], &started(5))];
    assert_eq!(ledger.append_all(&wrong).expect_err("attempt 2 is there").problem, LogProblem::Contradicts);
    assert_eq!(verdict(&path).expect("the chain holds").count, 7, "all of them, or none");
    ledger.append(&started(4)).expect("appended");
}

#[test]
fn a_log_of_the_first_format_gets_its_indexes_and_keeps_every_hashed_byte() {
    let (_dir, path) = place();
    log_of(&path, 20);
    let indexes = |path: &Path| -> Vec<String> {
        let connection = Connection::open(path).expect("the file opens");
        let mut query = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY name").expect("asked");
        query.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("names")
    };
    let events = |path: &Path| -> Vec<chain::Stored> {
        let connection = Connection::open(path).expect("the file opens");
        (1..=41).map(|seq| chain::at(&connection, seq).expect("readable").expect("there")).collect()
    };
    let (new, before) = (indexes(&path), events(&path));
    let connection = Connection::open(&path).expect("the file opens");
    for index in new.iter().filter(|name| *name != "event_attempt") {
        connection.execute_batch(&format!("DROP INDEX {index}")).expect("dropped");
    }
    connection
        .execute_batch("DROP TRIGGER event_changes_what_is_closed; DROP TABLE beginning; DROP TABLE archived_card; PRAGMA user_version = 1")
        .expect("set");
    drop(connection);
    assert_eq!(indexes(&path), ["event_attempt"], "the first format");
    assert_eq!(LogReader::open(&path).expect_err("a reader cannot bring it up to date").problem, LogProblem::Older);
    drop(open(&path));
    assert_eq!(indexes(&path), new);
    assert_eq!(events(&path), before);
    assert_eq!(verdict(&path).expect("the chain holds").count, 41);
}

#[test]
fn a_copy_is_made_while_the_station_writes_and_is_whole_by_itself() {
    let (dir, path) = place();
    let mut ledger = open(&path);
    for number in 1..=10 {
        ledger.append(&started(number)).expect("appended");
    }
    let reader = LogReader::open(&path).expect("a log");
    let copy = dir.path().join("copy/of.db");
    assert_eq!(reader.export(&copy).expect_err("no directory").problem, LogProblem::NoDirectory);
    fs::create_dir(dir.path().join("copy")).expect("made");
    let head = reader.export(&copy).expect("copied").expect("whole");
    assert_eq!(head, verdict(&path).expect("whole"));
    ledger.append(&started(11)).expect("the station goes on");
    // Events that were appended since are not in it, and no second file belongs to it.
    let copied = LogReader::open(&copy).expect("a log");
    assert_eq!(copied.verify().expect("readable"), Ok(head));
    assert_eq!(copied.attempts(&Filter::default()).count(), 10);
    assert_eq!(fs::read_dir(dir.path().join("copy")).expect("a directory").count(), 1);
    assert_eq!(fs::metadata(&copy).expect("there").permissions().mode() & 0o777, 0o640);

    let error = reader.export(&copy).expect_err("it is there already");
    assert_eq!(error.problem, LogProblem::Exists);
    assert_eq!(error.to_string(), format!("copying the flash log to {}: that file is there already; name a new one", copy.display()));
    assert_eq!(copied.verify().expect("readable"), Ok(head), "and is not touched");

    drop(ledger);
    tamper(&path, "UPDATE event SET at = at + 1 WHERE seq = 4");
    let evidence = dir.path().join("copy/evidence.db");
    let broken = LogReader::open(&path).expect("a log").export(&evidence).expect("copied");
    assert_eq!(broken, Err(Flaw::Event(Break { seq: 4, what: Tampering::Changed })), "what was done to a log is in its copy, and is told");
    assert!(evidence.exists());
}

/// New logs have larger pages than those made before.
#[test]
fn a_log_keeps_the_pages_it_was_made_with_and_so_does_its_copy() {
    let (dir, path) = place();
    let pages = |path: &Path| -> i64 {
        let connection = Connection::open(path).expect("the file opens");
        connection.pragma_query_value(None, "page_size", |row| row.get(0)).expect("asked")
    };
    Connection::open(&path).expect("made").execute_batch("PRAGMA page_size = 4096; VACUUM").expect("an empty file with pages");
    log_of(&path, 20);
    let copy = dir.path().join("copy.db");
    let head = LogReader::open(&path).expect("a log").export(&copy).expect("copied").expect("whole");
    assert_eq!(verdict(&path), Ok(head));
    assert_eq!((pages(&path), pages(&copy), head.count), (4096, 4096, 41));
    let new = dir.path().join("new.db");
    drop(open(&new));
    assert_eq!(pages(&new), PAGE);
}

/// Runs as a member of this group only; only root can.
fn as_one_of<T: Send>(group: u32, act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let someone = scope.spawn(move || {
            // For the files that this thread opens, and without root's rights for them.
            setfsgid(Gid::from_raw(group));
            setfsuid(Uid::from_raw(group));
            act()
        });
        someone.join().expect("no panic")
    })
}

#[test]
fn a_member_of_the_group_reads_the_log_while_the_station_runs_and_after_and_nobody_else_does() {
    const GROUP: u32 = 4242;
    if !geteuid().is_root() {
        // Only root can act as another user.
        return;
    }
    let (dir, path) = place();
    // The unit's mode of the state directory: StateDirectoryMode=2750.
    chown(dir.path(), Some(0), Some(GROUP)).expect("given");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o2750)).expect("set");
    // And its UMask=.
    let mut ledger = open(&path);
    ledger.append(&started(1)).expect("appended");
    let read = |group| {
        let path = &path;
        as_one_of(group, move || {
            let reader = LogReader::open(path)?;
            let head = reader.verify()?.expect("whole");
            Ok::<_, LogError>((head.count, reader.attempts(&Filter::default()).count()))
        })
    };
    assert_eq!(read(GROUP).expect("a member reads"), (2, 1), "while the station runs");
    ledger.append(&started(2)).expect("appended");
    assert_eq!(read(GROUP).expect("a member reads"), (3, 2));
    assert_eq!(read(GROUP + 1).expect_err("a stranger does not").problem, LogProblem::NotReadable);
    let written = as_one_of(GROUP, || Ledger::open_on(&path, "bench-1", PC).map(drop));
    assert_eq!(written.expect_err("a member does not write").problem, LogProblem::NotWritable);
    drop(ledger);
    assert_eq!(read(GROUP).expect("a member reads"), (3, 2), "after it stopped");
}
