//! Tests: a file that no longer keeps the written data is replaced by a new one, and at no moment is an event missing.

use std::cell::Cell;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::channel;
use std::time::Duration;

use nix::errno::Errno;

use super::confirm_cases::{Shadow, attempts_of, end, wal_of};
use super::renew::{Step, Which, given};
use super::tests::{open, place, verdict};
use super::*;
use crate::station::record::Entry;

const STEPS: [Step; 6] = [Step::Written, Step::Proven, Step::FileRenamed, Step::WalRenamed, Step::NamesFlushed, Step::Unshared];

fn names_in(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path.parent().expect("a directory")).expect("readable");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

/// A log with this many attempts, in doubt, whose `-wal` no longer keeps data on its disk.
fn with_a_spoilt_wal(attempts: u64) -> (tempfile::TempDir, PathBuf, Ledger, Shadow) {
    let (dir, path) = place();
    let mut ledger = open(&path);
    for number in 1..=attempts {
        ledger.append(&end(number)).expect("appended");
    }
    let disk = Shadow::of(&mut ledger);
    ledger.doubt = true;
    disk.spoil(&wal_of(&path));
    (dir, path, ledger, disk)
}

/// Tries like the writing thread; returns the number of failed attempts.
fn tries(ledger: &mut Ledger, stamp: &Stamp, entry: &Entry) -> usize {
    for tried in 0..20 {
        match ledger.append_at(stamp, entry) {
            Ok(_) => return tried,
            Err(error) => assert_eq!(error.problem, LogProblem::Disk, "{}", error.in_full()),
        }
        let _in_vain = ledger.reopen();
    }
    panic!("it is never written");
}

#[test]
fn where_the_wal_keeps_nothing_any_more_the_log_goes_on_in_a_new_one() {
    let (_dir, path, mut ledger, disk) = with_a_spoilt_wal(1);
    let (old, file) = (fs::metadata(wal_of(&path)).expect("there"), fs::metadata(&path).expect("there"));
    assert_eq!(tries(&mut ledger, &Stamp::now(), &end(2)), 3, "not at the first error");
    assert_eq!(disk.after_a_power_cut(), [1, 2]);
    let new = fs::metadata(wal_of(&path)).expect("there");
    assert_ne!(new.ino(), old.ino());
    assert_eq!(fs::metadata(&path).expect("there").ino(), file.ino(), "the log's file was good");
    assert_eq!((new.mode(), new.uid(), new.gid()), (old.mode(), old.uid(), old.gid()), "whoever could read it can");
    ledger.append(&end(3)).expect("appended");
    assert_eq!(verdict(&path).expect("the chain holds").count, 4, "each once");
    let names = ["flash-log.db", "flash-log.db-shm", "flash-log.db-wal", "flash-log.db.lock"];
    assert_eq!(names_in(&path), names, "nothing is left lying about");
}

#[test]
fn where_the_logs_file_keeps_nothing_any_more_the_log_goes_on_in_two_new_ones() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    ledger.append(&end(1)).expect("appended, and no doubt is left");
    let disk = Shadow::of(&mut ledger);
    disk.spoil(&path);
    let old = fs::metadata(&path).expect("there");
    let stamp = Stamp::now();
    // Until the `-wal` is moved to the log's file for the first time.
    let (number, _) = (2..2000)
        .find_map(|number| ledger.append_at(&stamp, &end(number)).err().map(|error| (number, error)))
        .expect("the log's file was never read back");
    tries(&mut ledger, &stamp, &end(number));
    let new = fs::metadata(&path).expect("there");
    assert_ne!(new.ino(), old.ino());
    assert_eq!((new.mode(), new.uid(), new.gid()), (old.mode(), old.uid(), old.gid()), "whoever could read it can");
    assert!(disk.after_a_power_cut().iter().copied().eq(1..=number));
    // The new files are on a normal disk.
    ledger.files = confirm::Files::open(&path).expect("it is there");
    for more in number + 1..number + 400 {
        ledger.append_at(&stamp, &end(more)).expect("appended");
    }
    assert!(ledger.forsaken.is_some(), "whoever had opened the old file and not read from it yet does not do it any more");
    drop(ledger);
    assert_eq!(fs::metadata(wal_of(&path)).expect("there").len(), 0, "one file holds everything");
    assert_eq!(verdict(&path).expect("the chain holds").count, number + 400);
}

#[test]
fn a_renewal_that_ends_anywhere_leaves_a_log_with_everything_that_was_confirmed() {
    for which in [Which::Wal, Which::Both] {
        for last in STEPS {
            let (_dir, path, mut ledger, disk) = with_a_spoilt_wal(3);
            let stamp = Stamp::now();
            ledger.append_at(&stamp, &end(4)).expect_err("in memory only");
            disk.watch(move |step| if step == last { Err(io::Error::other("killed")) } else { Ok(()) });
            let renewed = ledger.renew(which);
            assert_eq!(renewed.is_ok(), (which, last) == (Which::Wal, Step::FileRenamed), "{which:?} {last:?}");
            assert!(disk.after_a_power_cut().starts_with(&[1, 2, 3]), "{which:?} {last:?}: power lost");

            // The process is killed, and another one goes on.
            let newest = ledger.known();
            ledger.hurried.store(true, Ordering::SeqCst);
            drop(ledger);
            let mut ledger = Ledger::resume(&path, "bench-1", newest).expect("the same log");
            ledger.append_at(&stamp, &end(4)).expect("appended");
            ledger.append(&end(5)).expect("appended");
            assert_eq!(attempts_of(&path), [1, 2, 3, 4, 5], "{which:?} {last:?}: each once");
            drop(ledger);

            // Or the same process continues.
            let mut ledger = open(&path);
            let disk = Shadow::of(&mut ledger);
            disk.watch(move |step| if step == last { Err(io::Error::other("no more")) } else { Ok(()) });
            let _ended = ledger.renew(which);
            ledger.append(&end(6)).expect("the log is there under its name");
            ledger.append(&end(7)).expect("appended");
            drop(ledger);
            assert_eq!(attempts_of(&path), [1, 2, 3, 4, 5, 6, 7], "{which:?} {last:?}: each once");
        }
    }
}

#[test]
fn what_a_killed_process_left_of_a_renewal_is_removed_by_the_next() {
    let (_dir, path) = place();
    drop(open(&path));
    let names = names_in(&path);
    for left in ["flash-log.db.copy", "flash-log.db-wal.copy"] {
        fs::write(path.with_file_name(left), "half").expect("written");
    }
    drop(open(&path));
    assert_eq!(names_in(&path), names);
}

#[test]
fn nobody_reads_a_log_while_its_files_change_their_places() {
    for which in [Which::Wal, Which::Both] {
        let (_dir, path) = place();
        let mut ledger = open(&path);
        ledger.append(&end(1)).expect("appended");
        let disk = Shadow::of(&mut ledger);

        let reader = LogReader::open(&path).expect("a log");
        assert_eq!(reader.head().expect("readable").count, 2);
        let error = ledger.renew(which).expect_err("somebody reads");
        assert_eq!(error.problem, LogProblem::Locked, "{}", error.in_full());
        drop(reader);

        let (seen, shown) = channel();
        let log = path.clone();
        disk.watch(move |step| {
            let impatient = Connection::open(&log).expect("it opens");
            impatient.busy_timeout(Duration::ZERO).expect("set");
            let read = impatient.query_row("SELECT count(*) FROM event", [], |row| row.get::<_, i64>(0));
            seen.send((step, read.map_err(|error| error.sqlite_error_code()))).expect("the test listens");
            Ok(())
        });
        ledger.renew(which).expect("renewed");
        drop(disk);
        let busy = Cell::new(0);
        for (step, read) in shown.try_iter() {
            assert_eq!(read, Err(Some(rusqlite::ErrorCode::DatabaseBusy)), "{which:?}: after {step:?}");
            busy.set(busy.get() + 1);
        }
        assert_eq!(busy.get(), if which == Which::Both { 6 } else { 5 });
        ledger.append(&end(2)).expect("appended");
        assert_eq!(LogReader::open(&path).expect("a log").head().expect("readable").count, 3, "and afterwards everybody does");
    }
}

#[test]
fn where_new_files_cannot_be_made_the_reason_is_told() {
    let (_dir, _path, mut ledger, disk) = with_a_spoilt_wal(1);
    disk.watch(|_| Err(io::Error::new(io::ErrorKind::StorageFull, "12 MiB more are needed for new files")));
    let stamp = Stamp::now();
    for _ in 0..4 {
        let _in_vain = ledger.append_at(&stamp, &end(2));
        let _in_vain = ledger.reopen();
    }
    let error = ledger.append_at(&stamp, &end(2)).expect_err("in memory only").in_full();
    assert!(error.contains("making new files for the flash log") && error.contains("the disk is full; make room on it"), "{error}");
    assert!(error.contains("12 MiB more are needed"), "{error}");
}

#[test]
fn a_copy_of_another_group_may_take_the_place_of_the_log_and_one_of_another_owner_may_not() {
    assert!(given(Ok(()), false).is_ok() && given(Err(Errno::EPERM), true).is_ok());
    assert_eq!(given(Err(Errno::EPERM), false).expect_err("the station could not write it").kind(), io::ErrorKind::PermissionDenied);
    assert!(given(Err(Errno::EIO), true).is_err(), "any other error is one of the disk");
}
