//! `flashline log`: what the station did, from its flash log, while it runs or after.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::tz::TimeZone;

use crate::ledger::{Filter, LogError, LogReader};
use crate::report;

/// Where a station keeps its flash log.
pub const DEFAULT: &str = "/var/lib/flashline/flash-log.db";

/// The outcomes a row can have, as the log's words.
const OUTCOMES: [&str; 6] = ["passed", "failed", "refused", "pulled", "interrupted", "running"];

/// Shows the flash log: one row an attempt, newest last.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The configuration that says where the flash log is
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read this flash log
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
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

/// Shows the rows asked for. The file is the one named, else the configured one, else the station's usual one.
///
/// # Errors
/// Where the log cannot be read or standard output cannot be written; a reader that has seen enough (`| head`) is no error.
pub fn run(args: &Args, configured: Option<&Path>) -> Result<ExitCode, Error> {
    show(args, configured, BufWriter::new(io::stdout().lock()))
}

fn show(args: &Args, configured: Option<&Path>, mut out: impl Write) -> Result<ExitCode, Error> {
    let path = args.file.as_deref().or(configured).unwrap_or(Path::new(DEFAULT));
    let filter = Filter {
        model: args.model.clone(),
        slot: args.slot.clone(),
        outcome: args.outcome.clone(),
        serial: args.serial.clone(),
        limit: args.limit,
    };
    let rows = LogReader::open(path)?.rows(&filter)?;
    let written = if args.json {
        report::json(&rows, &mut out)
    } else if args.csv {
        report::csv(&rows, &mut out)
    } else {
        out.write_all(report::table(&rows, &TimeZone::system()).as_bytes())
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}
