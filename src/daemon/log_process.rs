//! Reads the flash log in a separate process and returns the result.
//!
//! The station itself maps no file of the log. If the disk hangs, only the thread that asked is stopped.

use std::io;
use std::ops::ControlFlow;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::ledger::{Filter, Head, LogError, LogReader, Named, line_of_past, past_of_line};
use crate::station::past::Past;
use crate::station::view::DayCount;

/// The name of the processes beside the station.
const NAME: &str = "flashline-log";

/// The same program file, even if it was replaced by a newer one meanwhile; under another name, so that a search for the station's name
/// finds only the station.
fn program() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME);
    super::service::is_not_the_service(&mut command);
    command
}

/// Sets the name of this process in the kernel; otherwise it would be `exe`.
pub(crate) fn be_named() {
    if let Err(error) = std::fs::write("/proc/self/comm", NAME) {
        tracing::debug!(%error, "this process keeps the name `exe`");
    }
}

/// The command of the process that writes the log.
pub(super) fn writer(log: &Path, station_name: &str, newest: Head) -> Command {
    let mut command = program();
    command.arg("log-writer").arg("--log").arg(log);
    command.arg(format!("--station-name={station_name}")).arg(format!("--newest={newest}"));
    command
}

/// Why the log was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    /// No process could be started, or it gave no answer.
    #[error("starting a process that reads the flash log")]
    Start(#[from] io::Error),
    /// The process failed and reported why.
    #[error("the process that reads the flash log has ended ({0})")]
    Ended(std::process::ExitStatus),
    /// Its answer cannot be understood.
    #[error("the process that reads the flash log says {0:?}")]
    Said(String),
}

/// Runs a task in a process and returns its line of output. Waits.
fn ask(log: &Path, task: &str, what: &str) -> Result<String, Unread> {
    let mut command = program();
    command.arg("log-reader").arg("--log").arg(log).arg(task).arg("--").arg(what);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(Unread::Ended(output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The outcomes of the cards since this time.
pub(super) fn ask_tally(log: &Path, since: i64) -> Result<DayCount, Unread> {
    let line = ask(log, "tally", &since.to_string())?;
    let counts = line.split_once(' ').and_then(|(passed, failed)| Some((passed.parse().ok()?, failed.parse().ok()?)));
    let (passed, failed) = counts.ok_or(Unread::Said(line))?;
    Ok(DayCount { passed, failed })
}

/// The log's anchor before this time; `None` if the log began later.
pub(super) fn ask_anchor(log: &Path, before: i64) -> Result<Option<String>, Unread> {
    Ok(Some(ask(log, "anchor", &before.to_string())?).filter(|line| !line.is_empty()))
}

/// The history of a card in the log.
pub(super) fn ask_past(log: &Path, card: &Named) -> Result<Past, Unread> {
    let card = serde_json::to_string(card).map_err(io::Error::other)?;
    let line = ask(log, "past", &card)?;
    past_of_line(&line).ok_or(Unread::Said(line))
}

/// The command of the process that keeps the log's files.
pub(super) fn files(log: &Path, directory: &Path) -> Command {
    let mut command = program();
    command.arg("log-reader").arg("--log").arg(log).arg("files").arg("--").arg(directory);
    command
}

/// Counts the cards since this time: those that are good, and those that are not.
///
/// # Errors
/// If the log cannot be read.
pub(crate) fn tally(log: &Path, since: i64) -> Result<String, LogError> {
    let mut tally = DayCount::default();
    LogReader::open(log)?.briefs(&Filter { since: Some(since), ..Filter::default() }, |brief| {
        tally.add(brief.outcome);
        ControlFlow::Continue(())
    })?;
    Ok(format!("{} {}", tally.passed, tally.failed))
}

/// The log's anchor as it was before this time; an empty line where the log began later.
///
/// # Errors
/// If the log cannot be read.
pub(crate) fn anchor(log: &Path, before: i64) -> Result<String, LogError> {
    Ok(LogReader::open(log)?.head_before(before)?.map(|head| head.to_string()).unwrap_or_default())
}

/// The history of a card in the log.
///
/// # Errors
/// If the log cannot be read.
pub(crate) fn past(log: &Path, card: &Named) -> Result<String, LogError> {
    LogReader::open(log)?.past(card).map(|past| line_of_past(&past))
}
