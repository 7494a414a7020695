//! `flashline maintenance`: begin no card while somebody works on the station.

use clap::Subcommand;

use super::request::StationArgs;
use crate::control::wire::Request;
use crate::station::labels;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: MaintenanceCommand,
}

#[derive(Debug, Subcommand)]
enum MaintenanceCommand {
    /// Start no card any more; running cards are finished. It survives restarts
    On {
        /// Reason, shown to the operator beside MAINTENANCE
        #[arg(long, value_name = "TEXT", value_parser = labels::plain)]
        why: String,
        #[command(flatten)]
        station: StationArgs,
    },
    /// Start cards again that are put in from now on
    Off {
        #[command(flatten)]
        station: StationArgs,
    },
}

pub(super) fn run(args: &Args) -> u8 {
    match &args.command {
        MaintenanceCommand::On { why, station } => {
            let done = "the station starts no card until `flashline maintenance off`; cards under way are finished";
            station.send(&Request::MaintenanceOn { reason: why.clone() }, done)
        }
        MaintenanceCommand::Off { station } => {
            let done = "the station starts cards again; one that was put in meanwhile is HELD: take it out and put it in again";
            station.send(&Request::MaintenanceOff {}, done)
        }
    }
}
