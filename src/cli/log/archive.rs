//! `flashline log archive`: takes old months out of the log of a stopped station, into one file a month.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use nix::unistd::{User, getuid};

use super::{GOOD, LogCommandError, LogContext, LogSource};
use crate::ledger::{Month, Wanted, archive};
use crate::station::request::Who;

/// Options of `flashline log archive`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Archive the whole months before this one, in the time zone of this PC
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    before: Date,
    /// Directory for the archives, best on another disk; it must exist
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    #[command(flatten)]
    pub(super) place: LogSource,
}

/// The first day of a month that was written as YYYY-MM.
fn month(text: &str) -> Result<Date, String> {
    let date = if text.len() == 7 { format!("{text}-01").parse().ok() } else { None };
    date.ok_or_else(|| "write a month as 2026-04".to_owned())
}

pub(super) fn run(args: &Args, path: &Path, context: &LogContext, out: &mut impl Write) -> Result<u8, LogCommandError> {
    let zone = context.now.time_zone();
    let this_month = context.now.date().first_of_month();
    if args.before > this_month {
        return Err(LogCommandError::MonthNotOver { named: name_of(args.before), newest: name_of(this_month) });
    }
    let uid = getuid();
    let name = User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
    let by = Who { uid: uid.as_raw(), name };
    let months = |at| month_of(at, zone);
    let wanted = Wanted { log: path, folder: &args.folder, before: begin_of(args.before, zone), month_of: &months, by: &by };
    let done = archive(&wanted)?;
    let mut text = String::new();
    for file in &done.files {
        let file_path = args.folder.join(&file.name);
        text.push_str(&format!("archived {}: events {} to {} in {}\n", file.month, file.first, file.last, file_path.display()));
    }
    text.push_str(&format!("{}\n", done.head));
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(LogCommandError::Output)?;
    let wait = done.keep_for();
    super::super::output::remark(format_args!(
        "the station can be started. The old file of the log stays locked for {} s more, for programs that had opened it",
        wait.as_secs()
    ));
    thread::sleep(wait);
    drop(done);
    Ok(GOOD)
}

fn name_of(month: Date) -> String {
    month.strftime("%Y-%m").to_string()
}

/// The month of a moment in this zone.
fn month_of(at: i64, zone: &TimeZone) -> Month {
    let first = Timestamp::from_microsecond(at).unwrap_or(Timestamp::MAX).to_zoned(zone.clone()).date().first_of_month();
    let end = first.checked_add(1.month()).map_or(i64::MAX, |next| begin_of(next, zone));
    Month { name: name_of(first), end }
}

/// The first moment of a day in this zone; beyond the end of time for a day that has none.
fn begin_of(day: Date, zone: &TimeZone) -> i64 {
    day.to_zoned(zone.clone()).map_or(i64::MAX, |begin| begin.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{context, log_of};
    use super::*;
    use crate::ledger::LogReader;

    #[test]
    fn a_month_ends_when_the_next_one_begins_in_the_zone_of_the_pc() {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        let at = |text: &str| text.parse::<Timestamp>().expect("a time").as_microsecond();
        let october = month_of(at("2026-10-31T22:59:59Z"), &zone);
        assert_eq!((october.name.as_str(), october.end), ("2026-10", at("2026-10-31T23:00:00Z")), "winter time");
        let november = month_of(october.end, &zone);
        assert_eq!((november.name.as_str(), november.end), ("2026-11", at("2026-11-30T23:00:00Z")));
        assert_eq!(month("2026-04"), Ok(jiff::civil::date(2026, 4, 1)));
        for wrong in ["2026", "2026-13", "2026-4", "04-2026", "2026-04-01"] {
            assert_eq!(month(wrong), Err("write a month as 2026-04".to_owned()), "{wrong}");
        }
    }

    #[test]
    fn a_month_that_is_not_over_is_refused_and_the_log_is_as_it_was() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 3);
        let head = || LogReader::open(&path).expect("a log").head().expect("readable");
        let before = head();
        let args = Args { before: jiff::civil::date(2026, 12, 1), folder: dir.path().to_owned(), place: LogSource::default() };
        let error = run(&args, &path, &context(), &mut Vec::new()).expect_err("it is November");
        assert_eq!(error.to_string(), "2026-12 has not begun, so the month before it is not over: name 2026-11 or an earlier month");
        assert_eq!(head(), before);
    }
}
