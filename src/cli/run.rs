//! `flashline run`: the station itself.

use std::error::Error;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::events::{Events, is_the_journal};
use super::memory_lock::stay_in_memory;
use super::output::remark_if_taken as remark;
use super::{ConfigArg, GOOD, USAGE_OR_STATION, medium, refusal, sentence};
use crate::config::{ImageCheck, Settings};
use crate::daemon;
use crate::daemon::arming::{ArmError, Armory, Proved, by};
use crate::daemon::single_instance::{LOCK, OnlyStation};
use crate::ledger::{Ledger, LogError, LogProblem, believed};
use crate::panel::Nowhere;
use crate::panel::bars::ReadingBar;
use crate::panel::plain::Plain;
use crate::panel::terminal::Terminal;
use crate::station::armed::Occasion;

/// Somewhat longer than the process that writes the log keeps trying when its station is gone.
const LAST_WRITER: Duration = Duration::from_secs(4);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Print one line for each change, also on a terminal
    #[arg(long)]
    plain: bool,
}

pub(super) fn run(args: &Args) -> u8 {
    let events = Events::start();
    if let Err(error) = stay_in_memory() {
        tracing::warn!(%error, "the program cannot be kept in memory: a disk of this PC that hangs may stop the station");
    }
    let code = run_station(args);
    events.flush();
    code
}

fn complain(error: &dyn Error) {
    remark(sentence(error));
}

fn run_station(args: &Args) -> u8 {
    let settings = match args.config.read_settled(ImageCheck::Unseen) {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error);
            return USAGE_OR_STATION;
        }
    };
    let _only = match OnlyStation::claim(Path::new(LOCK), args.config.path()) {
        Ok(only) => only,
        Err(error) => {
            complain(&error);
            return USAGE_OR_STATION;
        }
    };
    // The log first: a station that cannot write it must not stage images for minutes before it reports that.
    let volatile = match medium::look(&settings) {
        Ok(volatile) => volatile.map(|why| why.to_string()),
        Err(error) => {
            complain(&error);
            return USAGE_OR_STATION;
        }
    };
    let ledger = match make(&settings.state).map(|()| open(&settings)) {
        Ok(Ok(ledger)) => ledger,
        Ok(Err(error)) => {
            if let Some(refusal) = refusal::of(&error) {
                refusal::note(&refusal);
                remark(format_args!("STATION FAULT  {refusal}"));
            } else {
                complain(&error);
            }
            return USAGE_OR_STATION;
        }
        Err(error) => {
            remark(format_args!("making the state directory {}: {error}: see `state` in [station]", settings.state.display()));
            return USAGE_OR_STATION;
        }
    };
    refusal::clear();
    let at = match ledger.newest_at() {
        Ok(newest) => believed(newest),
        Err(error) => {
            complain(&error);
            return USAGE_OR_STATION;
        }
    };
    let by = by(args.config.path(), settings.digest, Occasion::Start, None);
    let Some(armory) = arm(&settings, at) else { return USAGE_OR_STATION };
    let config = args.config.path().to_owned();
    let proved = Proved { settings, armory, by };
    let result = if io::stdout().is_terminal() && !args.plain {
        daemon::run(config, proved, ledger, volatile, Terminal::on_stdout())
    } else if is_the_journal(io::stdout()) {
        // The journal gets every sign as an event with fields, so it needs no lines as well.
        daemon::run(config, proved, ledger, volatile, Nowhere)
    } else {
        daemon::run(config, proved, ledger, volatile, Plain::new(io::stdout()))
    };
    match result {
        Ok(()) => GOOD,
        Err(error) => {
            complain(&error);
            USAGE_OR_STATION
        }
    }
}

/// A killed station leaves its log-writing process behind, which writes the entries it was given and ends: it is waited for.
fn open(settings: &Settings) -> Result<Ledger, LogError> {
    let until = Instant::now() + LAST_WRITER;
    loop {
        match Ledger::open(&settings.log(), &settings.station.name) {
            Err(error) if error.problem == LogProblem::InUse && Instant::now() < until => thread::sleep(Duration::from_millis(100)),
            opened => return opened,
        }
    }
}

/// Makes only the state directory itself: a missing parent may be a disk that is not mounted.
fn make(state: &Path) -> io::Result<()> {
    match std::fs::create_dir(state) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Stages every model's image and inspects it. A station without any usable image does not run. It runs with some of its models, also if
/// images were refused for their contents: then the slots show that.
fn arm(settings: &Settings, at: i64) -> Option<Armory> {
    let mut bar: Option<(String, ReadingBar)> = None;
    let (armory, failed) = Armory::stage(settings, at, |model, done, of| {
        if bar.as_ref().is_none_or(|(shown, _)| shown != model) {
            bar = Some((model.to_owned(), ReadingBar::new(&format!("staging {model}"))));
        }
        if let Some((_, bar)) = &bar {
            bar.set(done, of);
        }
    });
    drop(bar);
    for model in &failed {
        remark(format_args!("the model {} is not armed: {}", model.model, sentence(&model.error)));
    }
    for armed in armory.armed() {
        tracing::info!(model = armed.model, image = armed.source, digest = %armed.digest, span = armed.span.0, proof = armed.model_proof.word(), device = armed.logged_model(), "armed");
    }
    let refused = failed.iter().any(|model| matches!(model.error, ArmError::Refused(_)));
    if armory.armed().is_empty() && !refused {
        remark("no model could be armed: there is nothing to write");
        return None;
    }
    Some(armory)
}
