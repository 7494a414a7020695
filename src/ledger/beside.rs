//! The files beside the log's own, `-wal` and `-shm`: another program may remove their names while the log is open.
//!
//! SQLite asks nothing and goes on writing to a file without a name, which is gone with the process: rows that were confirmed would be
//! lost with it. So each write asks before and after it, and saves what stands in the files, which the connection still reads.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rusqlite::Connection;

use super::Ledger;
use super::error::{Doing, LogError, LogProblem};
use crate::file::beside;

/// Device and inode of the files that a connection uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beside([Option<(u64, u64)>; 2]);

impl Beside {
    /// What bears their names now.
    pub(super) fn of(path: &Path) -> Self {
        let inode = |suffix| fs::metadata(beside(path, suffix)).ok().map(|there| (there.dev(), there.ino()));
        Self(["-wal", "-shm"].map(inode))
    }
}

impl Ledger {
    /// Do the files that the connection uses still have their names?
    ///
    /// # Errors
    /// When one of them does not.
    pub(super) fn has_its_files(&self) -> Result<(), LogError> {
        if Beside::of(&self.path) == self.beside {
            return Ok(());
        }
        Err(LogError::new(Doing::Writing, &self.path, LogProblem::Moved))
    }

    /// Moves what stands in a `-wal` without a name to the log's file, and lets go of it. Another connection must be opened.
    ///
    /// # Errors
    /// When a reader keeps it from being moved, or the disk does.
    pub(super) fn save_nameless(&mut self) -> Result<(), LogError> {
        let saving = |error| LogError::sqlite(Doing::Writing, &self.path, error);
        // A reader that stays connected keeps the `-shm` it knows: only an empty `-wal` means the same to it and to the next connection.
        let is_busy: bool = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(saving)?;
        if is_busy {
            return Err(LogError::new(Doing::Writing, &self.path, LogProblem::Locked));
        }
        let closed = Connection::open_in_memory().map_err(saving)?;
        (self.closed, self.doubt) = (true, true);
        drop(std::mem::replace(&mut self.connection, closed));
        tracing::warn!("files beside the flash log were removed under it: what stood in them is in the log's own file now");
        Ok(())
    }
}

#[cfg(test)]
mod cases {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Child, Command, Stdio};

    use super::super::tests::{closed, open, place, started, verdict};
    use super::*;
    use crate::ledger::{Filter, LogReader};
    use crate::station::outcome::Outcome;
    use crate::station::testing::proof;

    #[test]
    fn a_row_is_confirmed_only_where_it_is_found_again_although_the_files_beside_the_log_are_removed() {
        for removed in [&["-wal"][..], &["-shm"], &["-wal", "-shm"]] {
            let (dir, path) = place();
            let mut ledger = open(&path);
            ledger.append(&started(1)).expect("a start");
            for suffix in removed {
                fs::remove_file(beside(&path, suffix)).expect("it is there");
            }
            let end = closed(1, Outcome::Passed(proof()));
            ledger.append(&end).expect("an end, behind what was saved");
            // As a station that is killed now leaves it.
            let left = dir.path().join("left.db");
            for suffix in ["", "-wal"] {
                fs::copy(beside(&path, suffix), beside(&left, suffix)).expect("it is there");
            }
            let rows = LogReader::open(&left).expect("a log").attempts(&Filter::default()).collect::<Result<Vec<_>, _>>().expect("rows");
            assert_eq!(rows.len(), 1, "{removed:?}");
            assert_eq!(rows[0].outcome.as_str(), "passed", "{removed:?}");
            drop(ledger);
            assert!(verdict(&path).is_ok(), "{removed:?}");
        }
    }

    /// The `sqlite3` program with the log open: it answered a question, and asks nothing.
    fn another_program(path: &Path) -> Child {
        let program = Command::new("sqlite3").arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut program = program.expect("the sqlite3 program runs: hardware-tests/setup installs it");
        let questions = program.stdin.as_mut().expect("it is a pipe");
        questions.write_all(b"SELECT count(*) FROM event;\n").expect("it listens");
        let mut answer = String::new();
        BufReader::new(program.stdout.as_mut().expect("it is a pipe")).read_line(&mut answer).expect("it answers");
        assert_eq!(answer, "2\n", "it reads the log");
        program
    }

    #[test]
    fn another_program_that_keeps_the_log_open_holds_up_no_row_when_the_wal_is_removed() {
        let (_dir, path) = place();
        let mut ledger = open(&path);
        ledger.append(&started(1)).expect("a start");
        let mut program = another_program(&path);
        fs::remove_file(beside(&path, "-wal")).expect("it is there");
        ledger.append(&closed(1, Outcome::Passed(proof()))).expect("an end, behind what was saved");
        ledger.append(&started(2)).expect("a start");
        ledger.append(&closed(2, Outcome::Passed(proof()))).expect("an end");
        assert!(program.try_wait().expect("it is ours").is_none(), "the other program has the log open all the time");
        let log = LogReader::open(&path).expect("a log");
        let rows = log.attempts(&Filter::default()).collect::<Result<Vec<_>, _>>().expect("rows");
        let rows: Vec<_> = rows.iter().map(|row| (row.attempt, row.outcome.as_str())).collect();
        assert_eq!(rows, [(1, "passed"), (2, "passed")]);
        assert_eq!(verdict(&path).expect("the chain holds").count, 5);
        // Its questions have an end, and so has it.
        drop(program.stdin.take());
        assert!(program.wait().expect("it is ours").success());
    }
}
