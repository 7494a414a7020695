//! Reads the flash log in a process of its own and returns what it found.
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

/// What processes beside the station are called.
const NAME: &str = "flashline-log";

/// This very program, also after it was replaced by a newer one; under a name of its own, so that who looks for the station by its name
/// finds the station.
fn program() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME);
    super::service::is_not_the_service(&mut command);
    command
}

/// Says to the kernel what this process is called: it would be `exe`.
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
    /// No process could be started, or nothing was heard of it.
    #[error("starting a process that reads the flash log")]
    Start(#[from] io::Error),
    /// It could not do it; it said why.
    #[error("the process that reads the flash log has ended ({0})")]
    Ended(std::process::ExitStatus),
    /// It said something else.
    #[error("the process that reads the flash log says {0:?}")]
    Said(String),
}

/// Has a task done, and answers the line it says. Waits.
fn ask(log: &Path, task: &str, what: &str) -> Result<String, Unread> {
    let mut command = program();
    command.arg("log-reader").arg("--log").arg(log).arg(task).arg("--").arg(what);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(Unread::Ended(output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What became of the cards since this time.
pub(super) fn ask_tally(log: &Path, since: i64) -> Result<DayCount, Unread> {
    let line = ask(log, "tally", &since.to_string())?;
    let counts = line.split_once(' ').and_then(|(passed, failed)| Some((passed.parse().ok()?, failed.parse().ok()?)));
    let (passed, failed) = counts.ok_or(Unread::Said(line))?;
    Ok(DayCount { passed, failed })
}

/// The log's anchor as it was before this time; nothing where the log began later.
pub(super) fn ask_anchor(log: &Path, before: i64) -> Result<Option<String>, Unread> {
    Ok(Some(ask(log, "anchor", &before.to_string())?).filter(|line| !line.is_empty()))
}

/// What the log has of a card.
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
/// Where the log cannot be read.
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
/// Where the log cannot be read.
pub(crate) fn anchor(log: &Path, before: i64) -> Result<String, LogError> {
    Ok(LogReader::open(log)?.head_before(before)?.map(|head| head.to_string()).unwrap_or_default())
}

/// What the log has of a card.
///
/// # Errors
/// Where the log cannot be read.
pub(crate) fn past(log: &Path, card: &Named) -> Result<String, LogError> {
    LogReader::open(log)?.past(card).map(|past| line_of_past(&past))
}
