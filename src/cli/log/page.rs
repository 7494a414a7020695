//! `flashline log report`: a lot on one page.

use std::fs::Permissions;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan};

use super::{Around, AskedArgs, Error, GOOD, NOT_GOOD, filter, serials};
use crate::ledger::{Filter, LogReader};
use crate::report::page::{Chain, Images, MOST, Page};
use crate::report::summary::{Asked, Summary};
use crate::report::tally::By;

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) asked: AskedArgs,
    /// The page; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(super) fn run(args: &Args, log: &LogReader, around: &Around, out: &mut impl Write) -> Result<u8, Error> {
    let asked = args.asked.asked(around)?;
    if args.output == Path::new("-") {
        return write(&asked, log, around, out, &|source| Error::Output(source));
    }
    let failed = |source| Error::Page { path: args.output.clone(), source };
    let directory = args.output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Beside it, and in its place when it is whole.
    let fresh = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    let mut file = BufWriter::new(fresh.as_file());
    let code = write(&asked, log, around, &mut file, &failed)?;
    file.flush().map_err(failed)?;
    drop(file);
    // As a file that was just made; its maker says who else may read it.
    fresh.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(failed)?;
    fresh.persist(&args.output).map_err(|error| failed(error.error))?;
    Ok(code)
}

/// By shift for up to four days, by day for longer.
fn by(asked: &Asked, around: &Around) -> By {
    let until = asked.window.until.unwrap_or_else(|| around.now.timestamp());
    let long = asked.window.since.and_then(|since| since.checked_add((4 * 24).hours()).ok()).is_none_or(|end| until > end);
    if long { By::Day } else { By::Shift }
}

fn write(asked: &Asked, log: &LogReader, around: &Around, out: &mut impl Write, failed: &dyn Fn(io::Error) -> Error) -> Result<u8, Error> {
    // Up to now: what is counted first and what is listed later are the same cards.
    let made = around.now.timestamp();
    let until = asked.window.until.map_or(made, |until| until.min(made));
    let filter = Filter { until: Some(until.as_microsecond()), ..filter(asked) };
    let mut summary = Summary::new(by(asked, around), around.now.time_zone(), &around.shifts);
    let mut attempts = 0;
    log.briefs(&filter, |brief| {
        attempts += 1;
        summary.add(brief);
        ControlFlow::Continue(())
    })?;
    if attempts > MOST {
        return Err(Error::TooMany { attempts, most: MOST });
    }
    let mut images = Images::default();
    let mut station = None;
    let counted = serials::count(log, &filter, |row| {
        images.count(row);
        station = row.station_name.clone().map(|name| (name, row.station_id.clone()));
    })?;
    for arming in log.armings(asked.model.as_deref())? {
        if Timestamp::from_microsecond(arming.at).is_ok_and(|at| at < until) {
            images.armed(&arming);
        }
    }
    let chain = match log.verify()? {
        Ok(head) => Chain { whole: true, says: head.to_string() },
        Err(broken) => Chain { whole: false, says: broken.to_string() },
    };
    let (name, id) = station.unwrap_or_default();
    let zone = around.now.time_zone();
    let page = Page {
        asked,
        summary: &summary,
        images: &images,
        serials: &counted,
        chain: &chain,
        station: (&name, &id),
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
    use super::super::testing::log_of;
    use super::*;
    use crate::report::times::Shifts;

    /// The log is of the moment the test runs; so is the page.
    fn now() -> Around {
        let now = jiff::Zoned::now().checked_add(1.minute()).expect("a minute later");
        Around { now, shifts: Shifts::default() }
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
        assert!(String::from_utf8(out).expect("text").contains("The log does not hold: event 3 was changed"));
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
