//! `flashline move`: the flash log leaves this PC for another one, and is not written here any more.

use std::path::{Path, PathBuf};

use super::stopped::{NotStopped, keep_stopped, this_user};
use super::{ConfigArg, GOOD, USAGE_OR_STATION, backup, complain, remark, say};
use crate::backup::{BackupError, check_room};
use crate::config::{ConfigError, ImageCheck, Settings};
use crate::ledger::{Ledger, LogError, LogReader};
use crate::station::labels;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Existing folder, on a disk that goes to the new PC, that gets the folder with log and configuration
    #[arg(long, value_name = "FOLDER", required_unless_present = "undo")]
    to: Option<PathBuf>,
    /// Take back a move that was not completed: the log goes on on this PC
    #[arg(long, conflicts_with = "to", requires = "why")]
    undo: bool,
    /// Reason for taking it back; it is recorded
    #[arg(long, value_name = "TEXT", requires = "undo", value_parser = labels::plain)]
    why: Option<String>,
    #[command(flatten)]
    config: ConfigArg,
}

/// Why the log did not move.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    NotStopped(#[from] NotStopped),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(
        "the log is marked as moved and was not copied: run this again with a folder that works, or take the move back with \
         `flashline move --undo --why TEXT`"
    )]
    NotCopied(#[source] backup::Wrong),
}

pub(super) fn run(args: &Args) -> u8 {
    match act(args) {
        Ok(()) => GOOD,
        Err(error) => {
            complain(&error);
            USAGE_OR_STATION
        }
    }
}

fn act(args: &Args) -> Result<(), Wrong> {
    let settings = args.config.read(ImageCheck::Unseen)?;
    // Until the copy is made, no station may write to the log.
    let _stopped = keep_stopped(args.config.path())?;
    match (&args.to, &args.why) {
        (Some(folder), _) => move_away(folder, &args.config, &settings),
        (None, why) => undo(why.as_deref().unwrap_or_default(), &settings),
    }
}

/// The event comes first, and the copy contains it: there is no moment at which both PCs could write.
fn move_away(folder: &Path, config: &ConfigArg, settings: &Settings) -> Result<(), Wrong> {
    let log = settings.log();
    check_room(folder, &log)?;
    // Done again after an interruption, it is only copied again.
    let already = LogReader::open(&log).and_then(|log| log.away()).ok().flatten();
    if already.is_none() {
        let to = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Ledger::move_away(&log, &settings.station.name, &to.display().to_string(), &this_user())?;
    }
    let made = backup::one(folder, &log, config, settings).map_err(Wrong::NotCopied)?;
    say(backup::told(&made));
    say("this PC does not write the log any more, and its station does not start. On the new PC, with the package installed:");
    say(format_args!("  flashline restore {}", made.path.display()));
    say("keep this PC switched off, or remove the package from it (`apt remove flashline-station`), when the new one works");
    Ok(())
}

fn undo(why: &str, settings: &Settings) -> Result<(), Wrong> {
    let head = Ledger::undo_move(&settings.log(), &settings.station.name, why, &this_user())?;
    say(format_args!("the log goes on on this PC: anchor {head}"));
    remark(
        "warning: if any PC has restored the folder of that move, there are two histories now, and cards are counted twice. Destroy that \
         folder, and compare with the log of such a PC: `flashline log verify --against FILE`",
    );
    Ok(())
}
