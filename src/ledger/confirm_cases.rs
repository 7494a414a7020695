//! Tests with a disk that loses data after it confirmed the write, and a log that detects this.
//!
//! The contents of such a disk are a copy beside the log, which a flush makes, unless the disk loses it.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tempfile::TempDir;

use super::renew::Step;
use super::tests::{closed, log_of, open, place, started, verdict};
use super::*;
use crate::station::outcome::{Outcome, Pull};
use crate::station::record::Entry;

/// The contents of the disk, as they are after a power cut.
#[derive(Clone)]
pub(super) struct Shadow {
    directory: Arc<TempDir>,
    /// Flushes store the data of their file.
    honest: Arc<AtomicBool>,
    /// Flushes of this inode store nothing.
    spoilt: Arc<Mutex<Option<u64>>>,
    /// Names that were changed and not flushed.
    renames: Arc<Mutex<Vec<(PathBuf, PathBuf)>>>,
    /// Called between two steps of a renewal.
    watched: Arc<Mutex<Option<Watcher>>>,
}

/// An error ends the renewal at this step.
type Watcher = Box<dyn Fn(Step) -> io::Result<()> + Send>;

impl fmt::Debug for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shadow").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Shadow {
    pub(super) fn of(ledger: &mut Ledger) -> Self {
        let shadow = Self {
            directory: Arc::new(tempfile::tempdir().expect("a directory")),
            honest: Arc::new(AtomicBool::new(true)),
            spoilt: Arc::default(),
            renames: Arc::default(),
            watched: Arc::default(),
        };
        shadow.flushed(&ledger.path, &shadow.database());
        shadow.flushed(&wal_of(&ledger.path), &shadow.wal());
        ledger.files.shadow = Some(shadow.clone());
        shadow
    }

    pub(super) fn wal(&self) -> PathBuf {
        self.directory.path().join("flash-log.db-wal")
    }

    pub(super) fn database(&self) -> PathBuf {
        self.directory.path().join("flash-log.db")
    }

    pub(super) fn flushed(&self, file: &Path, there: &Path) {
        let spoilt = *self.spoilt.lock().expect("no panic") == Some(fs::metadata(file).expect("it is there").ino());
        if self.honest.load(Ordering::SeqCst) && !spoilt {
            // Read by another process: a copy through a descriptor of this process would drop its locks on the log's file.
            let done = std::process::Command::new("cp").arg(file).arg(there).status().expect("cp runs");
            assert!(done.success());
        }
    }

    fn lies(&self, lies: bool) {
        self.honest.store(!lies, Ordering::SeqCst);
    }

    /// From now on no write to this file reaches the disk, as long as it is the same file.
    pub(super) fn spoil(&self, file: &Path) {
        *self.spoilt.lock().expect("no panic") = Some(fs::metadata(file).expect("it is there").ino());
    }

    pub(super) fn watch(&self, watcher: impl Fn(Step) -> io::Result<()> + Send + 'static) {
        *self.watched.lock().expect("no panic") = Some(Box::new(watcher));
    }

    /// The path at which the disk has the file of `path`, in memory.
    pub(super) fn there(&self, path: &Path) -> PathBuf {
        self.directory.path().join(path.file_name().expect("a name"))
    }

    pub(super) fn renamed(&self, new: &Path, of: &Path) {
        self.renames.lock().expect("no panic").push((self.there(new), self.there(of)));
    }

    pub(super) fn renewing(&self, step: Step) -> io::Result<()> {
        if step == Step::NamesFlushed {
            for (new, of) in self.renames.lock().expect("no panic").drain(..) {
                fs::rename(new, of).expect("renamed");
            }
        }
        self.watched.lock().expect("no panic").as_ref().map_or(Ok(()), |watched| watched(step))
    }

    /// The attempts that a start after a power cut would find, and whether the chain holds: the same whichever new names are on the disk.
    pub(super) fn after_a_power_cut(&self) -> Vec<AttemptNumber> {
        let renames = self.renames.lock().expect("no panic");
        let mut found: Vec<_> = (0..1_u32 << renames.len())
            .map(|kept| {
                let there = tempfile::tempdir().expect("a directory");
                for file in [self.database(), self.wal()] {
                    let renamed = renames.iter().zip(0..).find(|((_, of), bit)| *of == file && kept >> bit & 1 == 1);
                    let from = renamed.map_or(&file, |((new, _), _)| new);
                    fs::copy(from, there.path().join(file.file_name().expect("a name"))).expect("copied");
                }
                attempts_of(&there.path().join("flash-log.db"))
            })
            .collect();
        let first = found.remove(0);
        for other in found {
            assert!(other.starts_with(&first), "the new files hold what the old ones do");
        }
        first
    }
}

/// The attempts that ended, in a log whose chain holds.
pub(super) fn attempts_of(path: &Path) -> Vec<AttemptNumber> {
    let log = Connection::open(path).expect("it opens");
    let newest = chain::newest(&log).expect("readable").expect("an event");
    chain::walk(&log, (newest.seq - 200).max(1)).expect("readable").expect("the chain holds");
    let mut query = log.prepare("SELECT attempt FROM event WHERE kind = 'attempt-closed' ORDER BY seq").expect("a question");
    let rows = query.query_map([], |row| row.get::<_, i64>(0)).expect("rows");
    rows.map(|row| u64::try_from(row.expect("a row")).expect("a count")).collect()
}

pub(super) fn wal_of(path: &Path) -> PathBuf {
    path.with_file_name("flash-log.db-wal")
}

pub(super) fn end(number: AttemptNumber) -> Entry {
    closed(number, Outcome::Pulled(Pull::Taken))
}

#[test]
fn after_an_error_an_event_counts_only_when_it_was_read_back_from_the_disk_and_is_there_once() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    ledger.append(&end(1)).expect("appended");
    let disk = Shadow::of(&mut ledger);
    // SQLite got an error for this write, but the data is in memory all the same, and every later flush succeeds without writing anything.
    ledger.doubt = true;
    disk.lies(true);
    let stamp = Stamp::now();
    for _ in 0..3 {
        let error = ledger.append_at(&stamp, &end(2)).expect_err("it is in memory only");
        assert_eq!(error.problem, LogProblem::Disk, "{}", error.in_full());
        assert!(error.in_full().contains("is not on the disk"), "{}", error.in_full());
        let _reopened = ledger.reopen();
        assert_eq!(disk.after_a_power_cut(), [1], "this is what would be left of it");
    }
    disk.lies(false);
    ledger.append_at(&stamp, &end(2)).expect("the disk keeps it");
    assert_eq!(disk.after_a_power_cut(), [1, 2]);
    assert_eq!(verdict(&path).expect("the chain holds").count, 3, "once");
}

#[test]
fn what_the_last_process_left_in_memory_is_not_believed_at_the_next_start() {
    let (_dir, path) = place();
    log_of(&path, 1);
    let ledger = open(&path);
    assert!(ledger.doubt, "the first event is read back");
    drop(ledger);
    let mut ledger = open(&path);
    ledger.append(&end(7)).expect("appended");
    assert!(!ledger.doubt, "and then flushes are believed until the next error");
    ledger.append(&started(8)).expect("appended");
    assert_eq!(ledger.append(&end(7)).expect_err("twice").problem, LogProblem::Contradicts);
    assert!(ledger.doubt, "which any error ends");
}

#[test]
fn pages_moved_to_the_logs_file_are_read_back_before_their_only_good_copy_is_written_over() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    ledger.append(&end(1)).expect("appended, and no doubt is left");
    let disk = Shadow::of(&mut ledger);
    disk.lies(true);
    // Many more than fit into the `-wal`.
    let mut number = 1;
    let error = loop {
        number += 1;
        if let Err(error) = ledger.append(&end(number)) {
            break error;
        }
        assert!(number < 2000, "the log's file was never read back");
    };
    assert!(error.in_full().contains("is not on the disk"), "{}", error.in_full());
    let frames = fs::metadata(wal_of(&path)).expect("it is there").len();
    assert!(frames >= 3 << 20, "it was the checkpoint, and the `-wal` of {frames} bytes is as it was");
    ledger.append(&end(number)).expect_err("nothing is written over it");
    disk.lies(false);
    disk.flushed(&wal_of(&path), &disk.wal());
    let stamp = Stamp::now();
    ledger.append_at(&stamp, &end(number)).expect("the disk keeps it");
    drop(ledger);
    let mut ledger = open(&path);
    for more in number + 1..number + 400 {
        ledger.append(&end(more)).expect("appended");
    }
    let wal = fs::metadata(wal_of(&path)).expect("it is there").len();
    assert!(wal < 5 << 20, "the `-wal` is begun anew: {wal} bytes");
    assert_eq!(verdict(&path).expect("the chain holds").count, 1 + number + 399);
}

#[test]
fn a_log_that_was_closed_is_one_file_that_holds_everything() {
    let (_dir, path) = place();
    log_of(&path, 3);
    assert_eq!(fs::metadata(wal_of(&path)).expect("it is there").len(), 0);
    let copy = path.with_file_name("copy.db");
    fs::copy(&path, &copy).expect("copied");
    assert_eq!(verdict(&copy).expect("the chain holds").count, 7);
}

/// A commit whose flush failed leaves this: a frame that fits in every respect, behind those that SQLite counts.
fn leave_a_dead_frame(wal: &Path) {
    use std::io::Write;
    let bytes = fs::read(wal).expect("it is there");
    let big_endian = on_disk::word(&bytes, 0) & 1 == 1;
    let page = usize::try_from(on_disk::word(&bytes, 8)).expect("a page");
    let last = &bytes[bytes.len() - on_disk::FRAME_HEADER - page..];
    let sum = (on_disk::word(last, 16), on_disk::word(last, 20));
    let mut frame = last.to_vec();
    let sum = on_disk::checksum(on_disk::checksum(sum, &frame[..8], big_endian), &frame[on_disk::FRAME_HEADER..], big_endian);
    frame[16..20].copy_from_slice(&sum.0.to_be_bytes());
    frame[20..24].copy_from_slice(&sum.1.to_be_bytes());
    // Only SQLite's own locks are on the log's file; descriptors of the `-wal` may be closed.
    fs::OpenOptions::new().append(true).open(wal).expect("it opens").write_all(&frame).expect("written");
}

#[test]
fn frames_of_a_commit_that_failed_stand_behind_those_that_count_and_stop_nothing() {
    let (_dir, path) = place();
    let mut ledger = open(&path);
    ledger.append(&end(1)).expect("appended");
    let wal = wal_of(&path);
    leave_a_dead_frame(&wal);
    let there =
        on_disk::Wal::walk(&mut on_disk::DirectFile::open(&wal, on_disk::CHUNK).expect("it opens"), u64::MAX, &[]).expect("readable");
    let (counted, _) = ledger.counted().expect("SQLite answers");
    assert_eq!(there.frames, counted + 1, "a fresh start would take it for a transaction");
    ledger.doubt = true;
    ledger.append(&end(2)).expect("SQLite writes over it");
    assert!(!ledger.doubt);
    ledger.append(&end(3)).expect("appended");
    assert_eq!(verdict(&path).expect("the chain holds").count, 4);
    drop(ledger);
    drop(open(&path));
    assert_eq!(verdict(&path).expect("the chain holds").count, 4, "each once");
}
