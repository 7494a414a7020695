//! `flashline log-reader`: a process that reads the flash log for the running station. Only the station starts it. If the disk of the log
//! hangs, only this process is stopped by it.
//!
//! A disk that hangs stops the process that reads the log, which is only this one.

use std::path::PathBuf;

use super::events::Events;
use super::{GOOD, USAGE_OR_STATION, complain, say};
use crate::daemon::{log_files, log_process};
use crate::ledger::Named;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The flash log to read
    #[arg(long)]
    log: PathBuf,
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Count the cards since this time: microseconds since 1970, UTC
    Tally { since: i64 },
    /// Say what the log's anchor was before this time: microseconds since 1970, UTC
    Anchor { before: i64 },
    /// Say what the log has of a card, named in JSON as by the station
    Past {
        #[arg(value_parser = named)]
        card: Named,
    },
    /// Keep the log's files in this directory level, once for every line that comes in
    Files { directory: PathBuf },
}

fn named(card: &str) -> Result<Named, serde_json::Error> {
    serde_json::from_str(card)
}

pub(super) fn run(args: &Args) -> u8 {
    log_process::be_named();
    let events = Events::start();
    let code = do_task(args);
    events.flush();
    code
}

fn do_task(args: &Args) -> u8 {
    let said = match &args.task {
        Task::Tally { since } => log_process::tally(&args.log, *since),
        Task::Anchor { before } => log_process::anchor(&args.log, *before),
        Task::Past { card } => log_process::past(&args.log, card),
        Task::Files { directory } => {
            log_files::serve(&args.log, directory);
            return GOOD;
        }
    };
    match said {
        Ok(line) => {
            say(line);
            GOOD
        }
        Err(error) => {
            complain(&error);
            USAGE_OR_STATION
        }
    }
}
