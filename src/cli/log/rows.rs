//! `flashline log` without a subcommand: prints rows as a table, as JSON or as CSV, and with `--follow` the rows to come.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;

use jiff::tz::TimeZone;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

use super::{GOOD, LogCommandError, LogContext, ScopeArgs, filter, none};
use crate::ledger::{Direction, Filter, LogReader, Row, WholeLog};
use crate::report::{self, RowCsv, Table};
use crate::station::outcome::OutcomeWord;

/// Number of rows that determine the width of a table; a wider value behind them is cut.
const SAMPLE: usize = 1000;

/// Default number of old rows that `--follow` shows first.
const BEFORE: u32 = 10;

/// Milliseconds between two looks: fast enough for a person, and little load for a disk on which cards are recorded.
const PACE: u16 = 500;

#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// Only attempts with this outcome
    #[arg(long, value_name = "OUTCOME", value_parser = outcomes())]
    outcome: Option<String>,
    /// Only cards whose serial or CID begins with this, in upper or lower case
    #[arg(long, value_name = "SERIAL")]
    serial: Option<String>,
    /// Only the newest N attempts
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Print the newest ten attempts (or --limit), then each attempt as it ends, until stopped
    #[arg(long, conflicts_with = "with")]
    follow: bool,
    /// Print one JSON object per line
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV with a header row
    #[arg(long)]
    csv: bool,
}

impl Args {
    /// The log at `path`. Rows to come are never archived.
    pub(super) fn open(&self, path: &Path, context: &LogContext) -> Result<WholeLog, LogCommandError> {
        if self.follow { self.scope.archives.open(path) } else { self.scope.open(path, context) }
    }
}

/// The outcomes a row can have, as the log's words.
fn outcomes() -> [&'static str; OutcomeWord::KNOWN.len()] {
    OutcomeWord::KNOWN.map(|word| word.known().unwrap_or_default())
}

pub(super) fn run(args: &Args, log: &LogReader, context: &LogContext, out: &mut impl Write) -> Result<u8, LogCommandError> {
    let scope = args.scope.scope(context)?;
    let filter = Filter { outcome: args.outcome.clone(), serial: args.serial.clone(), limit: args.limit, ..filter(&scope) };
    let sheet = Sheet::of(args, context.now.time_zone());
    if args.follow { follow(log, filter, sheet, out, || wait(io::stdout())) } else { list(log, &filter, sheet, out) }
}

/// The output format of rows.
enum Sheet {
    Table(TimeZone),
    Json,
    Csv,
}

impl Sheet {
    fn of(args: &Args, zone: &TimeZone) -> Self {
        match (args.json, args.csv) {
            (true, _) => Self::Json,
            (_, true) => Self::Csv,
            _ => Self::Table(zone.clone()),
        }
    }

    /// Writes the heading for rows such as these.
    fn begin<'o, W: Write>(self, first: &[Row], more: bool, out: &'o mut W) -> Result<Writing<'o, W>, LogCommandError> {
        Ok(match self {
            Self::Json => Writing::Json(out),
            Self::Csv => Writing::Csv(Box::new(RowCsv::new(out).map_err(LogCommandError::Output)?)),
            Self::Table(zone) => {
                let table = if more { Table::to_come(first, zone) } else { Table::new(first, zone) };
                out.write_all(table.head().as_bytes()).map_err(LogCommandError::Output)?;
                Writing::Table(table, out)
            }
        })
    }
}

/// Rows on their way to the output, in the requested format.
enum Writing<'o, W: Write> {
    Table(Table, &'o mut W),
    Json(&'o mut W),
    Csv(Box<RowCsv<&'o mut W>>),
}

impl<W: Write> Writing<'_, W> {
    fn row(&mut self, row: &Row) -> Result<(), LogCommandError> {
        match self {
            Self::Table(table, out) => out.write_all(table.row(row).as_bytes()),
            Self::Json(out) => writeln!(out, "{}", report::json(row)),
            Self::Csv(csv) => csv.row(row),
        }
        .map_err(LogCommandError::Output)
    }

    fn flush(&mut self) -> Result<(), LogCommandError> {
        match self {
            Self::Table(_, out) | Self::Json(out) => out.flush(),
            Self::Csv(csv) => csv.flush(),
        }
        .map_err(LogCommandError::Output)
    }
}

fn list(log: &LogReader, filter: &Filter, sheet: Sheet, out: &mut impl Write) -> Result<u8, LogCommandError> {
    let mut rows = log.attempts(filter);
    let first = rows.by_ref().take(SAMPLE).collect::<Result<Vec<_>, _>>()?;
    if first.is_empty() && matches!(sheet, Sheet::Table(_)) {
        let said = none("attempts", log, filter)?;
        return out.write_all(said.as_bytes()).map_err(LogCommandError::Output).map(|()| GOOD);
    }
    let mut writing = sheet.begin(&first, false, out)?;
    first.iter().try_for_each(|row| writing.row(row))?;
    drop(first);
    for row in rows {
        writing.row(&row?)?;
    }
    writing.flush()?;
    Ok(GOOD)
}

/// Waits for a while, and ends at once if no program reads `out` any more: otherwise that would be noticed only at the next attempt, which
/// may be tomorrow's.
fn wait(out: impl AsFd) -> Result<(), LogCommandError> {
    // No event is requested; poll(2) reports a closed other end all the same. For a file it reports nothing, so the wait is complete.
    let mut reader = [PollFd::new(out.as_fd(), PollFlags::empty())];
    match poll(&mut reader, PACE) {
        Ok(0) | Err(Errno::EINTR) => Ok(()),
        Ok(_) => Err(LogCommandError::Output(io::ErrorKind::BrokenPipe.into())),
        Err(errno) => Err(LogCommandError::Output(errno.into())),
    }
}

/// Shows each attempt when it has ended. `wait` is called between two looks. Each look is short, so it does not delay the checkpoints of
/// the station's log.
fn follow(
    log: &LogReader,
    filter: Filter,
    sheet: Sheet,
    out: &mut impl Write,
    mut wait: impl FnMut() -> Result<(), LogCommandError>,
) -> Result<u8, LogCommandError> {
    let ended = |row: &Row| row.ended.is_some();
    // All events up to here are looked at below, whether they are shown or not.
    let mut after = log.head()?.count;
    let first = log.attempts(&Filter { limit: Some(filter.limit.unwrap_or(BEFORE)), order: Direction::OldestFirst, ..filter.clone() });
    let first = first.filter(|row| !row.as_ref().is_ok_and(|row| row.seq > after)).collect::<Result<Vec<_>, _>>()?;
    let mut writing = sheet.begin(&first, true, out)?;
    first.iter().filter(|row| ended(row)).try_for_each(|row| writing.row(row))?;
    loop {
        writing.flush()?;
        wait()?;
        let newest = log.head()?.count;
        if newest == after {
            continue;
        }
        for row in log.attempts(&Filter { after: Some(after), limit: None, ..filter.clone() }) {
            let row = row?;
            if row.seq <= newest && ended(&row) {
                writing.row(&row)?;
            }
        }
        after = newest;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs::File;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::super::seen_enough;
    use super::super::testing::{Pipe, context, log_of};
    use super::*;

    fn args(json: bool, csv: bool) -> Args {
        Args { json, csv, ..Args::default() }
    }

    fn open(path: &Path) -> LogReader {
        LogReader::open(path).expect("a log")
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error_and_a_full_disk_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 60);
        // More rows than any buffer on the way holds, and a pipe that ends before the first buffer does.
        for args in [args(false, false), args(true, false), args(false, true)] {
            seen_enough(run(&args, &open(&path), &context(), &mut Pipe(10, io::ErrorKind::BrokenPipe))).expect("a closed pipe is no error");
            let error = run(&args, &open(&path), &context(), &mut Pipe(10, io::ErrorKind::StorageFull)).expect_err("rows were lost");
            assert!(matches!(error, LogCommandError::Output(error) if error.kind() == io::ErrorKind::StorageFull));
        }
    }

    #[test]
    fn no_rows_are_a_sentence_for_people_and_nothing_for_programs() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 0);
        let text = |args: Args| {
            let mut out = Vec::new();
            run(&args, &open(&path), &context(), &mut out).expect("it can be read");
            String::from_utf8(out).expect("text")
        };
        assert_eq!(text(args(false, false)), "No attempts.\n");
        assert_eq!(text(args(true, false)), "");
        assert!(text(args(false, true)).starts_with("attempt,") && text(args(false, true)).lines().count() == 1);
    }

    #[test]
    fn following_shows_every_attempt_once_and_only_when_it_has_ended() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 30);
        let reader = open(&path);
        let looks = Cell::new(0_u64);
        let mut out = Vec::new();
        // The pipe is closed at the fourth look.
        struct Until<'a>(&'a Cell<u64>, &'a mut Vec<u8>);
        impl Write for Until<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if self.0.get() > 3 { Err(io::ErrorKind::BrokenPipe.into()) } else { self.1.write(bytes) }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let wait = || {
            looks.set(looks.get() + 1);
            log_of(&path, 2);
            Ok(())
        };
        let followed = follow(&reader, Filter::default(), Sheet::Json, &mut Until(&looks, &mut out), wait);
        assert!(matches!(followed, Err(LogCommandError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe));
        let text = String::from_utf8(out).expect("text");
        let attempts = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["attempt"].as_u64());
        assert_eq!(attempts.collect::<Option<Vec<_>>>().expect("numbers"), (21..=36).collect::<Vec<_>>());
    }

    #[test]
    fn following_ends_when_the_reader_is_gone_and_not_only_at_the_next_attempt() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 3);
        let (reader, writer) = io::pipe().expect("a pipe");
        let reads_no_more = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            drop(reader);
        });
        let mut out = writer.try_clone().expect("another end");
        let followed = follow(&open(&path), Filter::default(), Sheet::Json, &mut out, || wait(&writer));
        assert_eq!(seen_enough(followed).expect("no error"), GOOD);
        reads_no_more.join().expect("it ended");
        // A file always accepts rows; the interval is kept.
        let began = Instant::now();
        wait(File::create(dir.path().join("rows")).expect("made")).expect("a file has no reader");
        assert!(began.elapsed() >= Duration::from_millis(u64::from(PACE)));
    }
}
