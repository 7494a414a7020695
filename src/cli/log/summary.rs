//! `flashline log summary`: prints attempts, yield and failures of a time.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;

use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;

use super::{GOOD, LogCommandError, LogContext, ScopeArgs, archived, filter, none};
use crate::ledger::LogReader;
use crate::panel::lines;
use crate::report::harmless_json;
use crate::report::summary::Summary;
use crate::report::tally::By;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// What to group the attempts by
    #[arg(long, value_name = "WHAT", default_value = "model", value_parser = by())]
    by: By,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn by() -> impl TypedValueParser<Value = By> {
    let words = PossibleValuesParser::new(By::ALL.map(|(word, _)| word));
    words.map(|word| By::ALL.into_iter().find(|(known, _)| *known == word).map_or(By::Model, |(_, by)| by))
}

pub(super) fn run(args: &Args, log: &LogReader, context: &LogContext, out: &mut impl Write) -> Result<u8, LogCommandError> {
    let scope = args.scope.scope(context)?;
    let mut summary = Summary::new(args.by, context.now.time_zone(), &context.shifts);
    log.briefs(&filter(&scope), |brief| {
        summary.add(brief);
        ControlFlow::Continue(())
    })?;
    let volatile = log.volatile()?;
    let text = if args.json {
        let mut json = summary.json(&scope);
        json["volatile"] = volatile.into();
        let archived = archived::of_time(log, scope.window)?;
        json["archived"] = archived.iter().map(|file| serde_json::json!({ "file": file.name, "month": file.month })).collect();
        format!("{}\n", harmless_json(json.to_string()))
    } else if summary.is_empty() {
        none("attempts", log, &filter(&scope))?
    } else {
        let note = volatile.map(|why| format!("{}\n", lines::volatile(&why))).unwrap_or_default();
        format!("{note}{}", summary.text(io::stdout().is_terminal()))
    };
    out.write_all(text.as_bytes()).map_err(LogCommandError::Output).map(|()| GOOD)
}

#[cfg(test)]
impl Args {
    /// As typed behind `summary`.
    pub(super) fn parse_for_test(words: &[&str]) -> Self {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        <Line as clap::Parser>::try_parse_from(std::iter::once("summary").chain(words.iter().copied())).expect("the words are known").args
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{context, log_of};
    use super::*;

    #[test]
    fn a_summary_tells_attempts_apart_as_asked_and_only_of_the_time_asked() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 12);
        let log = LogReader::open(&path).expect("a log");
        let summary = |words: &[&str]| {
            let mut out = Vec::new();
            run(&Args::parse_for_test(words), &log, &context(), &mut out).expect("it can be read");
            String::from_utf8(out).expect("text")
        };
        let json = |words: &[&str]| serde_json::from_str::<serde_json::Value>(&summary(words)).expect("JSON");
        assert_eq!(json(&["--json"])["total"]["attempts"], 12);
        assert_eq!(json(&["--json", "--by", "slot"])["groups"].as_array().map(Vec::len), Some(4));
        assert_eq!(json(&["--json", "--slot", "A1"])["total"]["attempts"], 3);
        assert_eq!(json(&["--json", "--model", "acme/other"])["total"]["attempts"], 0);
        assert_eq!(summary(&["--until", "2020-01-01"]), "No attempts.\n");
        let misspelt = summary(&["--model", "box", "--slot", "a1", "--since", "today"]);
        assert_eq!(
            misspelt, "No attempts. The log knows no model box: there is acme/box. It knows no slot a1: there are A1, A2, A3, A4.\n",
            "a word that was never right is not taken for a day without work"
        );
        let error = run(&Args::parse_for_test(&["--since", "soon"]), &log, &context(), &mut Vec::new()).expect_err("no time");
        assert!(error.to_string().contains("\"soon\" is no time"), "{error}");
    }
}
