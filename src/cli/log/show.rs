//! `flashline log show`: one attempt, whole.

use std::io::Write;

use super::{Around, Error, GOOD, Place};
use crate::ledger::LogReader;
use crate::report;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The attempt's number
    #[arg(value_name = "ID")]
    attempt: u64,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) place: Place,
}

pub(super) fn run(args: &Args, log: &LogReader, around: &Around, out: &mut impl Write) -> Result<u8, Error> {
    let row = log.row(args.attempt)?.ok_or(Error::NoAttempt { attempt: args.attempt })?;
    let text = if args.json { format!("{}\n", report::json(&row)) } else { report::show(&row, around.now.time_zone()) };
    out.write_all(text.as_bytes()).map_err(Error::Output).map(|()| GOOD)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{around, log_of};
    use super::*;

    #[test]
    fn an_attempt_is_shown_by_its_number_and_one_that_never_was_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 3);
        let log = LogReader::open(&path).expect("a log");
        let shown = |attempt, json| {
            let mut out = Vec::new();
            run(&Args { attempt, json, place: Place::default() }, &log, &around(), &mut out).map(|_| String::from_utf8(out).expect("text"))
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
