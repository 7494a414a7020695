//! `flashline log show`: prints everything that the log contains about one attempt.

use std::io::Write;

use super::archived::WithArchives;
use super::{GOOD, LogCommandError, LogContext, LogSource};
use crate::ledger::{ArchivedFile, LogEvent, LogReader};
use crate::report::{self, harmless};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Number of the attempt
    #[arg(value_name = "ID")]
    attempt: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) archives: WithArchives,
    #[command(flatten)]
    pub(super) place: LogSource,
}

pub(super) fn run(args: &Args, log: &LogReader, context: &LogContext, out: &mut impl Write) -> Result<u8, LogCommandError> {
    let Some(row) = log.row(args.attempt)? else { return Err(not_there(log, args.attempt)?) };
    let text = if args.json {
        format!("{}\n", report::json(&row))
    } else {
        format!("{}{}", report::show(&row, context.now.time_zone()), others(&log.events(args.attempt)?, context))
    };
    out.write_all(text.as_bytes()).map_err(LogCommandError::Output).map(|()| GOOD)
}

/// Why there is no such attempt.
fn not_there(log: &LogReader, attempt: u64) -> Result<LogCommandError, LogCommandError> {
    let is_in =
        |file: &ArchivedFile| file.first_attempt.zip(file.last_attempt).is_some_and(|(first, last)| (first..=last).contains(&attempt));
    let Some(file) = log.archives()?.into_iter().find(is_in) else { return Ok(LogCommandError::NoAttempt { attempt }) };
    Ok(LogCommandError::Archived { attempt, file: file.name, folder: log.archived_in()?.unwrap_or_default() })
}

/// Keys that a newer program recorded about the attempt, printed unchanged.
fn others(events: &[LogEvent], context: &LogContext) -> String {
    let known = |event: &&LogEvent| !matches!(event.kind.as_str(), "attempt-started" | "attempt-closed" | "attempt-changed");
    let lines: Vec<String> = events
        .iter()
        .filter(known)
        .map(|event| {
            let at = report::local_time(event.at, context.now.time_zone()).unwrap_or_default();
            format!("  event {:<7} {at}  {}  {}\n", event.seq, harmless(&event.kind), harmless(&event.body))
        })
        .collect();
    if lines.is_empty() { String::new() } else { format!("\nrecorded in words this program does not know\n{}", lines.concat()) }
}

#[cfg(test)]
impl Args {
    /// For this attempt, as text.
    pub(super) fn of_attempt(attempt: u64) -> Self {
        Self { attempt, json: false, archives: WithArchives::default(), place: LogSource::default() }
    }
}

#[cfg(test)]
mod cases {
    use super::super::testing::context;
    use super::*;

    #[test]
    fn what_a_newer_program_recorded_of_an_attempt_is_shown_as_it_stands_there() {
        let event = |seq, kind: &str, body: &str| LogEvent {
            station: String::new(),
            seq,
            kind: kind.to_owned(),
            at: 1_700_000_000_000_000,
            body: body.to_owned(),
        };
        let own = [event(2, "attempt-started", "{}"), event(3, "attempt-closed", "{}")];
        assert_eq!(others(&own, &context()), "");
        let text = others(&[&own[..], &[event(4, "label", "{\"printed\":\"\u{1b}[2J\"}")]].concat(), &context());
        assert!(text.contains("event 4") && text.contains("label  {\"printed\":\"") && !text.contains('\u{1b}'), "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{context, log_of};
    use super::*;

    #[test]
    fn an_attempt_is_shown_by_its_number_and_one_that_never_was_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 3);
        let log = LogReader::open(&path).expect("a log");
        let shown = |attempt, json| {
            let mut out = Vec::new();
            run(&Args { attempt, json, archives: WithArchives::default(), place: LogSource::default() }, &log, &context(), &mut out)
                .map(|_| String::from_utf8(out).expect("text"))
        };
        let text = shown(2, false).expect("it is there");
        assert!(text.contains("attempt 2: passed") && text.contains("serial        S-2"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&shown(3, true).expect("it is there")).expect("JSON");
        assert_eq!((&json["attempt"], &json["outcome"]), (&3.into(), &"pulled".into()));
        for absent in [0, 4, u64::MAX] {
            assert!(shown(absent, false).expect_err("no such attempt").to_string().contains(&format!("no attempt {absent} ")));
        }
    }
}
