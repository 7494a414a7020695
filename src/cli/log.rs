//! `flashline log`: what the station did, from its flash log, while it runs or after; and whether that log is whole.

mod export;
mod verify;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use jiff::tz::TimeZone;

use super::{GOOD, NOT_GOOD};
use crate::ledger::{Filter, LogError, LogReader};
use crate::report;

/// Where a station keeps its flash log.
pub const DEFAULT: &str = "/var/lib/flashline/flash-log.db";

/// The outcomes a row can have, as the log's words.
const OUTCOMES: [&str; 7] = ["passed", "passed-mapped-only", "failed", "refused", "pulled", "interrupted", "running"];

/// Shows the flash log: one row an attempt, newest last.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What else is asked of the log
    #[command(subcommand)]
    pub what: Option<What>,
    /// Which log
    #[command(flatten)]
    pub place: Place,
    /// Only this model
    #[arg(long, value_name = "BRAND/MODEL")]
    pub model: Option<String>,
    /// Only this slot
    #[arg(long, value_name = "SLOT")]
    pub slot: Option<String>,
    /// Only this outcome
    #[arg(long, value_name = "OUTCOME", value_parser = OUTCOMES)]
    pub outcome: Option<String>,
    /// Only cards whose serial or CID is this or begins with it
    #[arg(long, value_name = "SERIAL")]
    pub serial: Option<String>,
    /// Only the newest N
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,
    /// One JSON object a line
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// CSV with a header row
    #[arg(long)]
    pub csv: bool,
}

/// What can be asked of a flash log besides its rows.
#[derive(Clone, Debug, Subcommand)]
#[expect(private_interfaces, reason = "the arguments of a command are its own file's business")]
pub enum What {
    /// Prove that no event was changed, removed, inserted or reordered; print COUNT:HASH, which a later log must still pass through
    Verify(verify::Args),
    /// Print COUNT:HASH, to be kept where nobody who can write the log can change it: `verify --anchor` takes it
    Anchor(verify::AnchorArgs),
    /// Copy the log, as it is at this moment, into a new file that needs no other beside it; prove the copy, print its COUNT:HASH
    Export(export::Args),
}

/// Where a flash log is.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Place {
    /// The configuration that says where the flash log is
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read this flash log
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

impl Args {
    /// The log that is meant.
    #[must_use]
    pub fn place(&self) -> &Place {
        match &self.what {
            Some(What::Verify(args)) => &args.place,
            Some(What::Anchor(args)) => &args.place,
            Some(What::Export(args)) => &args.place,
            None => &self.place,
        }
    }
}

/// Why nothing could be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log is unusable.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Nobody takes what we show.
    #[error("writing to standard output")]
    Output(#[source] io::Error),
}

/// Shows the rows asked for, or verifies. The file is the one named, else the configured one, else the station's usual one.
///
/// # Errors
/// Where the log cannot be read or standard output cannot be written; a reader that has seen enough (`| head`) is no error.
pub fn run(args: &Args, configured: Option<&Path>) -> Result<ExitCode, Error> {
    let path = args.place().file.as_deref().or(configured).unwrap_or(Path::new(DEFAULT));
    let mut out = BufWriter::new(io::stdout().lock());
    match &args.what {
        Some(What::Verify(args)) => verify::run(args, path, &mut out).and_then(|code| finish(Ok(()), out).map(|()| code)),
        Some(What::Anchor(_)) => verify::anchor(path, &mut out).and_then(|code| finish(Ok(()), out).map(|()| code)),
        Some(What::Export(args)) => export::run(args, path, &mut out).and_then(|code| finish(Ok(()), out).map(|()| code)),
        None => show(args, path, out),
    }
    .map(ExitCode::from)
}

/// Whoever read this may have seen enough.
fn finish(written: io::Result<()>, mut out: impl Write) -> Result<(), Error> {
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(()),
    }
}

fn show(args: &Args, path: &Path, mut out: impl Write) -> Result<u8, Error> {
    let filter = Filter {
        model: args.model.clone(),
        slot: args.slot.clone(),
        outcome: args.outcome.clone(),
        serial: args.serial.clone(),
        limit: args.limit,
        ..Filter::default()
    };
    let rows = LogReader::open(path)?.attempts(&filter).collect::<Result<Vec<_>, _>>()?;
    let written = if args.json {
        report::json(&rows, &mut out)
    } else if args.csv {
        report::csv(&rows, &mut out)
    } else {
        out.write_all(report::table(&rows, &TimeZone::system()).as_bytes())
    };
    finish(written, out).map(|()| GOOD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Ledger, Trouble};
    use crate::station::outcome::{Effort, Outcome, Pull};
    use crate::station::record::{Attempt, Entry};
    use crate::station::testing::card;

    /// Takes so many bytes, then is gone.
    struct Pipe(usize, io::ErrorKind);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken == 0 { Err(self.1.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn args(json: bool, csv: bool) -> Args {
        Args { what: None, place: Place::default(), model: None, slot: None, outcome: None, serial: None, limit: None, json, csv }
    }

    pub(super) fn log_of(path: &Path, attempts: u64) {
        let mut ledger = Ledger::open_on(path, "bench-1", "0123456789abcdef0123456789abcdef").expect("the log opens");
        let first = ledger.next_attempt().expect("a number");
        for number in first..first + attempts {
            let attempt = Attempt { number, slot: "A1".to_owned(), model: "acme/box".to_owned(), image: None, card: card("usb", number) };
            let entry =
                Entry::AttemptClosed { attempt: Box::new(attempt), outcome: Outcome::Pulled(Pull::Taken), effort: Effort::default() };
            ledger.append(&entry).expect("appended");
        }
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error_and_a_full_disk_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 60);
        // More rows than any buffer on the way holds, and a pipe that ends before the first buffer does.
        for args in [args(false, false), args(true, false), args(false, true)] {
            show(&args, &path, Pipe(10, io::ErrorKind::BrokenPipe)).expect("a closed pipe is no error");
            let error = show(&args, &path, Pipe(10, io::ErrorKind::StorageFull)).expect_err("rows were lost");
            assert!(matches!(error, Error::Output(error) if error.kind() == io::ErrorKind::StorageFull));
        }
    }

    #[test]
    fn a_log_that_is_not_there_is_named() {
        let error = show(&args(false, false), Path::new("/nowhere/flash-log.db"), io::sink()).expect_err("no such file");
        assert!(error.to_string().contains("/nowhere/flash-log.db"), "{error}");
        assert!(matches!(error, Error::Log(error) if error.trouble == Trouble::NoFile));
    }
}
