//! The thread `log-files`: brings the CSV files up to date with the log, at its own pace, in a separate process (`log_process.rs`).
//!
//! No other thread waits for it. If the directory is full, missing, or on a server that does not answer, the files are late, and no card or
//! row is affected: the log is complete, and the files are brought up to date when they can be written again.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::log_process;
use crate::ledger::{LogReader, outlive};
use crate::report::files::{FilesError, LogFiles};
use crate::zone;

/// Interval between attempts: the fault of a share is not repaired within a second.
const RETRY: Duration = Duration::from_secs(30);

/// The time that a stopping station gives for the last lines; the rest is written at the next start.
const LAST_LINES: Duration = Duration::from_millis(300);

/// The way to the thread.
#[derive(Debug)]
pub(super) struct LogFilesThread {
    directory: PathBuf,
    /// At most one message waits: it means that there is something new. Dropping the sender ends the thread.
    wake: SyncSender<()>,
    ended: Receiver<()>,
}

impl LogFilesThread {
    pub(super) fn start(log: &Path, directory: &Path) -> io::Result<Self> {
        let (log, files) = (log.to_owned(), directory.to_owned());
        Self::spawn(directory, move |woken| forward(&log, &files, woken))
    }

    #[cfg(test)]
    fn start_retrying(log: &Path, directory: &Path, retry: Duration) -> io::Result<Self> {
        let (log, files) = (log.to_owned(), LogFiles::new(directory.to_owned(), zone::here()));
        Self::spawn(directory, move |woken| run(&log, files, woken, retry))
    }

    fn spawn(directory: &Path, keep: impl FnOnce(&Receiver<()>) + Send + 'static) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let (end, ended) = sync_channel(0);
        thread::Builder::new().name("log-files".to_owned()).spawn(move || {
            keep(&woken);
            drop(end);
        })?;
        Ok(Self { directory: directory.to_owned(), wake, ended })
    }

    /// The directory of the files.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Reports that an outcome was recorded. Never waits.
    pub(super) fn outcome_recorded(&self) {
        // A message that already waits means the same.
        let _said = self.wake.try_send(());
    }

    /// Ends the thread when it has written all new rows, or leaves it if it hangs.
    pub(super) fn stop(self) {
        let Self { wake, ended, .. } = self;
        drop(wake);
        let _left_behind = ended.recv_timeout(LAST_LINES);
    }
}

/// Wakes the process that keeps the files, and starts another one if it ended.
fn forward(log: &Path, directory: &Path, woken: &Receiver<()>) {
    loop {
        match log_process::files(log, directory).stdin(Stdio::piped()).stdout(Stdio::null()).spawn() {
            Ok(mut child) => {
                let over = wake(&mut child, woken);
                // When its pipe is closed, the process writes the new rows and ends.
                drop(child.stdin.take());
                let ended = child.wait();
                if over {
                    return;
                }
                tracing::warn!(?ended, "the process that keeps the log files has ended, and is started again");
            }
            Err(error) => tracing::warn!(%error, "no process can be started to keep the log files"),
        }
        if waited(woken, RETRY) {
            return;
        }
    }
}

/// True if the station has stopped; false if the process has ended.
fn wake(child: &mut Child, woken: &Receiver<()>) -> bool {
    loop {
        match woken.recv_timeout(RETRY) {
            Ok(()) => {
                if child.stdin.as_mut().is_none_or(|pipe| pipe.write_all(b"\n").is_err()) {
                    return false;
                }
            }
            Err(RecvTimeoutError::Timeout) if matches!(child.try_wait(), Ok(None)) => {}
            Err(RecvTimeoutError::Timeout) => return false,
            Err(RecvTimeoutError::Disconnected) => return true,
        }
    }
}

/// The process: a line on its input means that something was recorded. It ignores the signals that ask programs to end: the station closes
/// the pipe instead.
pub(crate) fn serve(log: &Path, directory: &Path) {
    outlive(&[SIGTERM, SIGINT, SIGHUP]);
    let (wake, woken) = sync_channel(1);
    let listen = move || {
        for line in io::stdin().lines() {
            // A message that already waits means the same.
            if line.is_err() || matches!(wake.try_send(()), Err(TrySendError::Disconnected(()))) {
                return;
            }
        }
    };
    match thread::Builder::new().name("woken".to_owned()).spawn(listen) {
        Ok(_listens) => run(log, LogFiles::new(directory.to_owned(), zone::here()), &woken, RETRY),
        Err(error) => tracing::warn!(%error, "no thread to receive the station's messages"),
    }
}

fn run(log: &Path, mut files: LogFiles, woken: &Receiver<()>, retry: Duration) {
    let mut ill = false;
    loop {
        let level = follow(log, &mut files);
        match &level {
            Ok(rows) => {
                if std::mem::take(&mut ill) {
                    tracing::info!(rows, "the log files are level with the flash log again");
                }
            }
            // Only once: the person who maintains the share reads it, and the journal is not filled with it.
            Err(error) if !std::mem::replace(&mut ill, true) => {
                tracing::warn!(error = error as &dyn std::error::Error, "the log files are behind the flash log, and are caught up later");
            }
            Err(error) => tracing::debug!(error = error as &dyn std::error::Error, "the log files are still behind"),
        }
        let over = if level.is_ok() { woken.recv().is_err() } else { waited(woken, retry) };
        if over {
            // The last outcomes may have been recorded since.
            let _caught_up_at_the_next_start = follow(log, &mut files);
            return;
        }
    }
}

/// Waits for its time whatever is recorded meanwhile; true if the station has stopped.
fn waited(woken: &Receiver<()>, retry: Duration) -> bool {
    let until = std::time::Instant::now() + retry;
    loop {
        match woken.recv_timeout(until.saturating_duration_since(std::time::Instant::now())) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return false,
            Err(RecvTimeoutError::Disconnected) => return true,
        }
    }
}

fn follow(log: &Path, files: &mut LogFiles) -> Result<u64, FilesError> {
    files.follow(&LogReader::open(log)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::ledger::Ledger;
    use crate::station::outcome::{Effort, Outcome, Pull};
    use crate::station::record::{Attempt, Entry};
    use crate::station::testing::{attempt, card};

    fn close(ledger: &mut Ledger, number: u64) {
        let attempt = Attempt { image: None, ..attempt(number, "A1", card("usb", number)) };
        let entry = Entry::AttemptClosed { attempt: Box::new(attempt), outcome: Outcome::Pulled(Pull::Taken), effort: Effort::default() };
        ledger.append(&entry).expect("appended");
    }

    /// Lines of all files together, without their header rows.
    fn lines(directory: &Path) -> usize {
        let Ok(files) = fs::read_dir(directory.join("acme/box")) else { return 0 };
        let texts = files.map(|file| fs::read_to_string(file.expect("an entry").path()).unwrap_or_default());
        texts.map(|text| text.lines().count().saturating_sub(1)).sum()
    }

    /// A test waits this long only if it fails.
    fn wait_for(what: &str, done: impl Fn() -> bool) {
        for _ in 0..6000 {
            if done() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("{what}");
    }

    #[test]
    fn an_outcome_is_in_the_files_soon_and_a_directory_that_is_not_there_costs_nothing_but_time() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("flash-log.db");
        let mut ledger = Ledger::open_on(&path, "bench-1", "0123456789abcdef0123456789abcdef").expect("the log opens");
        close(&mut ledger, 1);
        let directory = root.path().join("mnt/share");
        let files = LogFilesThread::start_retrying(&path, &directory, Duration::from_millis(5)).expect("a thread");
        for number in 2..=5 {
            close(&mut ledger, number);
            files.outcome_recorded();
        }
        assert_eq!(lines(&directory), 0, "there is nothing to write into");
        fs::create_dir_all(&directory).expect("mounted");
        wait_for("what was missed is caught up with", || lines(&directory) == 5);
        close(&mut ledger, 6);
        files.outcome_recorded();
        wait_for("what comes later follows", || lines(&directory) == 6);
        close(&mut ledger, 7);
        files.stop();
        wait_for("the last line is written by a station that stops", || lines(&directory) == 7);
    }

    #[test]
    fn nobody_waits_for_a_thread_that_hangs() {
        let (wake, _woken) = sync_channel(1);
        let (_end, ended) = sync_channel(0);
        let hanging = LogFilesThread { directory: PathBuf::from("/mnt"), wake, ended };
        for _ in 0..1000 {
            hanging.outcome_recorded();
        }
        hanging.stop();
    }
}
