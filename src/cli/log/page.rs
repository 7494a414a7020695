//! `flashline log report`: writes the report of a lot as one HTML page.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan};

use super::{GOOD, LogCommandError, LogContext, NOT_GOOD, ScopeArgs, archived, filter, serials};
use crate::file::{beside, directory_of, is_same_file};
use crate::ledger::{Filter, LogEvent, LogReader};
use crate::panel::lines;
use crate::report::page::{ChainVerdict, ImagesOfLot, LotPage, MOST};
use crate::report::summary::{Scope, Summary};
use crate::report::tally::By;
use crate::report::verifier::ProverProofs;

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// File to write; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(super) fn run(args: &Args, log: &LogReader, context: &LogContext, out: &mut impl Write) -> Result<u8, LogCommandError> {
    let scope = args.scope.scope(context)?;
    if args.output == Path::new("-") {
        return write(&scope, log, context, out, &|source| LogCommandError::Output(source));
    }
    let failed = |source| LogCommandError::Page { path: args.output.clone(), source };
    if let Ok(there) = args.output.metadata() {
        if is_of_the_log(&args.output, log.path()) {
            return Err(LogCommandError::Itself { path: args.output.clone() });
        }
        let kind = there.file_type();
        if kind.is_block_device() || kind.is_dir() {
            return Err(LogCommandError::NoFile { path: args.output.clone() });
        }
        // A pipe, a terminal or /dev/null receives the page directly, and is never replaced.
        if !kind.is_file() {
            let mut file = BufWriter::new(OpenOptions::new().write(true).open(&args.output).map_err(failed)?);
            let code = write(&scope, log, context, &mut file, &failed)?;
            file.flush().map_err(failed)?;
            return Ok(code);
        }
    }
    // The page is written to a new file beside the old one, which it replaces when it is complete.
    let fresh = tempfile::NamedTempFile::new_in(directory_of(&args.output)).map_err(failed)?;
    let mut file = BufWriter::new(fresh.as_file());
    let code = write(&scope, log, context, &mut file, &failed)?;
    file.flush().map_err(failed)?;
    drop(file);
    // The permissions of an ordinary new file; `tempfile` makes files that only the owner can read.
    fresh.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(failed)?;
    fresh.persist(&args.output).map_err(|error| failed(error.error))?;
    Ok(code)
}

/// Is this the log that the page is made of, or a file beside it that belongs to it?
fn is_of_the_log(output: &Path, log: &Path) -> bool {
    ["", "-wal", "-shm", ".lock"].into_iter().any(|suffix| is_same_file(output, &beside(log, suffix)))
}

/// By shift up to four days, by day for longer times.
fn by(scope: &Scope, context: &LogContext) -> By {
    let until = scope.window.until.unwrap_or_else(|| context.now.timestamp());
    let long = scope.window.since.and_then(|since| since.checked_add((4 * 24).hours()).ok()).is_none_or(|end| until > end);
    if long { By::Day } else { By::Shift }
}

fn write(
    scope: &Scope,
    log: &LogReader,
    context: &LogContext,
    out: &mut impl Write,
    failed: &dyn Fn(io::Error) -> LogCommandError,
) -> Result<u8, LogCommandError> {
    // Up to now, so that the counted cards and the listed cards are the same.
    let made = context.now.timestamp();
    let until = scope.window.until.map_or(made, |until| until.min(made));
    let filter = Filter { until: Some(until.as_microsecond()), ..filter(scope) };
    let mut summary = Summary::new(by(scope, context), context.now.time_zone(), &context.shifts);
    let mut attempts = 0;
    log.briefs(&filter, |brief| {
        attempts += 1;
        summary.add(brief);
        ControlFlow::Continue(())
    })?;
    if attempts > MOST {
        return Err(LogCommandError::TooMany { attempts, most: MOST });
    }
    let mut images = ImagesOfLot::default();
    let mut verifier = ProverProofs::of(&log.prover_events()?, until.as_microsecond());
    let mut station = None;
    let counted = serials::count(log, &filter, |row| {
        images.count(row);
        verifier.count(row);
        station = row.station_name.clone().map(|name| (name, row.station_id.clone()));
    })?;
    let is_before = |event: &LogEvent| Timestamp::from_microsecond(event.at).is_ok_and(|at| at < until);
    log.armings(scope.model.as_deref())?.iter().filter(|event| is_before(event)).for_each(|arming| images.armed(arming));
    log.approvals(scope.model.as_deref())?.iter().filter(|event| is_before(event)).for_each(|approval| images.approved(approval));
    let since = scope.window.since.map_or(i64::MIN, Timestamp::as_microsecond);
    let mut findings = log.findings()?;
    findings.retain(|(at, _)| (since..until.as_microsecond()).contains(at));
    let chain = match log.verify()? {
        Ok(head) => ChainVerdict { whole: true, says: head.to_string() },
        Err(broken) => ChainVerdict { whole: false, says: broken.to_string() },
    };
    let (name, id) = station.unwrap_or_default();
    let zone = context.now.time_zone();
    let archived = archived::note(log, &archived::of_time(log, scope.window)?)?;
    let notes: Vec<String> = log.volatile()?.map(|why| lines::volatile(&why)).into_iter().chain(archived).collect();
    let note = (!notes.is_empty()).then(|| notes.join(". "));
    let page = LotPage {
        asked: scope,
        summary: &summary,
        images: &images,
        findings: &findings,
        verifier: &verifier,
        serials: &counted,
        chain: &chain,
        station: (&name, &id),
        note: note.as_deref(),
        made: made.as_microsecond(),
        zone,
    };
    page.head(out).map_err(failed)?;
    serials::each(log, &filter, counted.clone(), |row, time| page.card(row, time, out).map_err(failed))?;
    page.end(out).map_err(failed)?;
    Ok(if chain.whole { GOOD } else { NOT_GOOD })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::archived::WithArchives;
    use super::super::testing::{archive_all, context, log_of, log_of_a_lot};
    use super::*;
    use crate::report::times::Shifts;

    /// The log has the time of the test, and so does the page.
    fn now() -> LogContext {
        let now = jiff::Zoned::now().checked_add(1.minute()).expect("a minute later");
        LogContext { now, shifts: Shifts::default() }
    }

    #[test]
    fn a_page_holds_the_numbers_of_the_summary_every_card_and_the_head_of_the_chain() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 30);
        let log = LogReader::open(&path).expect("a log");
        let output = dir.path().join("lot.html");
        let args = Args { output: output.clone(), ..Args::default() };
        assert_eq!(run(&args, &log, &now(), &mut io::sink()).expect("it is written"), GOOD);
        let page = std::fs::read_to_string(&output).expect("it is there");
        let mut json = Vec::new();
        let summary = super::super::summary::Args::parse_for_test(&["--json", "--by", "slot"]);
        super::super::summary::run(&summary, &log, &now(), &mut json).expect("it can be read");
        let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        for name in ["attempts", "passed", "failed", "pulled", "refused", "interrupted"] {
            let at = page.find(&format!("data-n=\"{name}\">")).expect("the number") + name.len() + 10;
            assert_eq!(page[at..].split('<').next(), Some(json["total"][name].to_string().as_str()), "{name}");
        }
        for slot in json["groups"].as_array().expect("slots") {
            let at = page.find(&format!("data-group=\"slot\" data-key={}", slot["key"])).expect("the slot");
            let at = at + page[at..].find("data-n=\"attempts\">").expect("the number") + 18;
            assert_eq!(page[at..].split('<').next(), Some(slot["attempts"].to_string().as_str()));
        }
        for number in 1..=30 {
            assert!(page.contains(&format!(">S-{number}<")), "card {number} is listed");
        }
        let head = log.verify().expect("readable").expect("whole");
        assert!(page.contains(&head.to_string()));
        let left: Vec<_> = std::fs::read_dir(dir.path()).expect("readable").map(|entry| entry.expect("an entry").file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".tmp")), "{left:?}");
    }

    #[test]
    fn a_page_of_an_archived_month_says_which_archive_it_lacks() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 6);
        archive_all(&path, dir.path());
        log_of(&path, 3);
        let output = dir.path().join("lot.html");
        let args = Args { output: output.clone(), ..Args::default() };
        let page = |log: &LogReader| {
            assert_eq!(run(&args, log, &now(), &mut io::sink()).expect("it is written"), GOOD);
            std::fs::read_to_string(&output).expect("it is there")
        };
        let log = LogReader::open(&path).expect("a log");
        let short = page(&log);
        assert!(short.contains("2026-10 is archived and not in this answer"), "it is told");
        assert!(short.contains(">S-7<") && !short.contains(">S-2<"));
        let whole = WithArchives { with: Some(dir.path().to_owned()) }.open(&path).expect("a log");
        let complete = page(whole.log());
        assert!(!complete.contains("is archived") && complete.contains(">S-7<") && complete.contains(">S-2<"));
    }

    /// Every number of a page: its table, its line, its column.
    type Numbers = BTreeMap<(String, String, String), String>;

    fn numbers(page: &str) -> Numbers {
        let inside =
            |text: &str, begin: &str| text.split_once(begin).map(|(_, rest)| rest.split('"').next().unwrap_or_default().to_owned());
        let mut numbers = Numbers::new();
        for part in page.split("data-group=\"").skip(1) {
            let group = part.split('"').next().expect("a name").to_owned();
            let head = part.split('>').next().expect("a tag");
            let key = inside(head, "data-key=\"").unwrap_or_default();
            for number in part.split("data-n=\"").skip(1) {
                let name = number.split('"').next().expect("a name").to_owned();
                let value = number.split('>').nth(1).and_then(|text| text.split('<').next()).expect("a value").to_owned();
                if name != "head" {
                    assert_eq!(numbers.insert((group.clone(), key.clone(), name.clone()), value), None, "{group} {key} {name} once");
                }
            }
        }
        numbers
    }

    /// The same, made from the output of `log summary --json`.
    fn expected(total: &serde_json::Value, by: &[(&str, serde_json::Value)]) -> Numbers {
        let mut numbers = Numbers::new();
        let tenths = |value: &serde_json::Value, times: f64| {
            value.as_f64().map_or_else(|| "-".to_owned(), |value| format!("{:.1}", (value * times * 10.0 + 1e-9).floor() / 10.0))
        };
        let yielded = |of: &serde_json::Value| match tenths(&of["yield"], 100.0) {
            none if none == "-" => none,
            part => format!("{part} %"),
        };
        let mut put = |group: &str, key: &str, name: &str, value: String| {
            numbers.insert((group.to_owned(), key.to_owned(), name.to_owned()), value);
        };
        for name in ["attempts", "passed", "passed_mapped_only", "failed", "pulled", "interrupted", "refused", "looked_again"] {
            put("total", "", name, total[name].to_string());
        }
        put("total", "", "yield", yielded(total));
        put("total", "", "median_seconds", tenths(&total["median_seconds"], 1.0));
        for (reason, count) in total["reasons"].as_object().expect("reasons") {
            put("reason", reason, "count", count.to_string());
        }
        for (group, json) in by {
            for line in json["groups"].as_array().expect("groups") {
                let key = line["key"].as_str().expect("a key");
                for name in ["attempts", "good", "failed", "pulled", "refused", "looked_again"] {
                    put(group, key, name, line[name].to_string());
                }
                put(group, key, "yield", yielded(line));
                put(group, key, "median_seconds", tenths(&line["median_seconds"], 1.0));
            }
        }
        numbers
    }

    #[test]
    fn every_number_of_a_page_is_one_of_log_summary_and_none_of_those_is_missing() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of_a_lot(&path);
        let log = LogReader::open(&path).expect("a log");
        for (time, since) in [("day", None), ("shift", Some("2026-11-22 04:00"))] {
            let scope = ScopeArgs { since: since.map(str::to_owned), ..ScopeArgs::default() };
            let mut page = Vec::new();
            assert_eq!(run(&Args { scope, output: "-".into() }, &log, &context(), &mut page).expect("it is written"), GOOD);
            let page = String::from_utf8(page).expect("text");
            let summary = |by: &str| {
                let mut words = vec!["--json", "--by", by];
                words.extend(since.iter().flat_map(|since| ["--since", since]));
                let mut json = Vec::new();
                let args = super::super::summary::Args::parse_for_test(&words);
                super::super::summary::run(&args, &log, &context(), &mut json).expect("it can be read");
                serde_json::from_slice::<serde_json::Value>(&json).expect("JSON")
            };
            let by = [time, "slot", "card-type"].map(|by| (by, summary(by)));
            let total = &by[0].1["total"];
            let mut found = numbers(&page);
            let good = found.remove(&("total".to_owned(), String::new(), "good-cards".to_owned()));
            assert_eq!(good, Some(total["good"].to_string()), "no card of this log was there twice");
            // No verifier was proven for this log: that sentence belongs to no group.
            let is_unproven = |(_, _, name): &(String, String, String)| name == "unproven";
            let unproven: Vec<String> = found.iter().filter(|(key, _)| is_unproven(key)).map(|(_, told)| told.clone()).collect();
            found.retain(|key, _| !is_unproven(key));
            let (good, [told]) = (&total["good"], unproven.as_slice()) else { panic!("{unproven:?}") };
            assert!(told.starts_with(&format!("{good} of {good} good cards have no proof of the verifier before them")), "{told}");
            let expected = expected(total, &by);
            assert!(expected.len() > 50, "all of it is compared: {}", expected.len());
            assert_eq!(found, expected);
            for proof in ["<b>proven</b>", "brand/model acme/my-pi3, series 16, revision 4", "grub.cfg of ubuntu-seed"] {
                assert!(page.contains(proof), "{proof}");
            }
        }
    }

    #[test]
    fn a_page_of_a_log_that_was_touched_says_so_and_so_does_the_exit_code() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 3);
        let tampering = rusqlite::Connection::open(&path).expect("the file opens");
        tampering
            .execute_batch("DROP TRIGGER event_is_never_changed; UPDATE event SET at = at + 1 WHERE seq = 3;")
            .expect("the tampering works");
        let log = LogReader::open(&path).expect("a log");
        let mut out = Vec::new();
        assert_eq!(run(&Args { output: "-".into(), ..Args::default() }, &log, &now(), &mut out).expect("it is written"), NOT_GOOD);
        assert!(String::from_utf8(out).expect("text").contains("The log is not good: event 3 was changed"));
    }

    #[test]
    fn a_page_takes_the_place_of_no_log_and_of_no_device() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 1);
        let log = LogReader::open(&path).expect("a log");
        let beside = dir.path().join("beside.html");
        std::fs::hard_link(&path, &beside).expect("a link");
        let before = std::fs::read(&path).expect("readable");
        for output in [path.clone(), beside, dir.path().join("flash-log.db-wal"), dir.path().to_owned()] {
            let args = Args { output: output.clone(), ..Args::default() };
            let error = run(&args, &log, &now(), &mut io::sink()).expect_err("it is refused");
            assert!(error.to_string().contains(&output.display().to_string()), "{error}");
        }
        assert_eq!(std::fs::read(&path).expect("readable"), before, "the log is as it was");

        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read_to_string(pipe).expect("text")
        });
        let args = Args { output: pipe.clone(), ..Args::default() };
        assert_eq!(run(&args, &log, &now(), &mut io::sink()).expect("it is taken"), GOOD);
        assert!(reader.join().expect("it was read").contains("</html>"), "the whole page went through the pipe");
        assert!(std::fs::symlink_metadata(&pipe).expect("it is there").file_type().is_fifo(), "the pipe is still there");
    }

    #[test]
    fn a_page_that_cannot_be_written_names_its_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 1);
        let log = LogReader::open(&path).expect("a log");
        let args = Args { output: dir.path().join("no/such/lot.html"), ..Args::default() };
        let error = run(&args, &log, &now(), &mut io::sink()).expect_err("no such directory");
        assert!(error.to_string().contains("no/such/lot.html"), "{error}");
    }
}
