//! `flashline log-writer`: the process that writes the flash log of a running station. Only the station starts it.

use std::io::{BufReader, stdin, stdout};
use std::path::PathBuf;

use super::GOOD;
use super::events::Events;
use crate::daemon::log_process;
use crate::ledger::{Head, serve};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The flash log to write
    #[arg(long)]
    log: PathBuf,
    /// The station's name, for what is recorded
    #[arg(long)]
    station_name: String,
    /// The newest event that is known to be on disk, as COUNT:HASH
    #[arg(long)]
    newest: Head,
}

pub(super) fn run(args: &Args) -> u8 {
    log_process::be_named();
    let events = Events::start();
    serve(&args.log, &args.station_name, args.newest, BufReader::new(stdin()), stdout());
    events.flush();
    GOOD
}
