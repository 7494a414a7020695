//! `flashline slots teach`: learns the port of each slot from a card that is put into one slot after the other. No card is opened.

mod keys;
mod lamps;
mod lesson;
mod names;
mod tables;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use crate::cli::config_file::{ConfigFile, FileError};
use keys::{Heard, Keyboard};
use lamps::TaughtLamps;
use lesson::{Lesson, Taught};
pub(in crate::cli) use names::Names;
use names::NumberedName;
pub(in crate::cli) use tables::NO_MODEL;

use super::rules;
use crate::cli::{ConfigArg, GOOD, NOT_GOOD, USAGE_OR_STATION, complain, say};
use crate::ledger::{self, LogError, LogProblem};
use crate::panel::lamps::led::SysfsLeds;
use crate::report::harmless;
use crate::station::units::Moment;
use crate::watch::polls::MEDIA_POLL;
use crate::watch::sysfs::Sysfs;
use crate::watch::topology::Socket;

/// How often ports are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Where counting begins in a configuration without slots.
const FIRST: &str = "A1";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct TeachArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Model of new slots, as BRAND/MODEL
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Names of the slots, as A1..A8 or A1,A2,B1 [default: those of the configuration, else A1 and so on]
    #[arg(long, value_name = "NAMES", conflicts_with = "from")]
    names: Option<Names>,
    /// Name of the first slot; ask for further slots until `q`
    #[arg(long, value_name = "NAME")]
    from: Option<NumberedName>,
}

/// Why no slot is taught.
#[derive(Debug, thiserror::Error)]
enum TeachError {
    #[error("slots are taught by people: run this on a terminal, where somebody puts a card into one slot after the other")]
    NoTerminal,
    #[error(
        "a station runs on this configuration, and would write every card put into a slot it knows: stop it first (systemctl stop \
         flashline), and start it when the slots are taught"
    )]
    StationRuns,
    #[error(transparent)]
    Log(LogError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the terminal")]
    Terminal(#[from] io::Error),
}

impl TeachArgs {
    /// Of these slots, or of as many as there are; new ones are of the only model.
    pub(in crate::cli) fn of_setup(config: &ConfigArg, names: Option<Names>) -> Self {
        Self { config: config.clone(), model: None, names, from: None }
    }
}

pub(in crate::cli) fn run(args: &TeachArgs) -> u8 {
    match teach(args) {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            USAGE_OR_STATION
        }
    }
}

fn teach(args: &TeachArgs) -> Result<u8, TeachError> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(TeachError::NoTerminal);
    }
    let mut file = ConfigFile::read(args.config.path())?;
    let names = names(args, &file);
    let known = file.slots();
    let is_new = |name: &String| !known.iter().any(|(slot, _)| slot == name);
    let any_new = match &names {
        Names::Listed(names) => names.iter().any(is_new),
        Names::From(_) => true,
    };
    let model = file.model(args.model.as_deref(), any_new)?;
    // Kept until the end: a station that is started meanwhile says that it cannot.
    let _nobody_writes = ledger::hold(&file.log())
        .map_err(|error| if error.problem == LogProblem::InUse { TeachError::StationRuns } else { TeachError::Log(error) })?;
    let Some(taught) = listen(names, &file)? else {
        say("\nnothing is written");
        return Ok(NOT_GOOD);
    };
    if taught.is_empty() {
        say("\nno slot was taught, and nothing is written");
        return Ok(NOT_GOOD);
    }
    let said = file.teach(&taught, model.as_deref());
    let copy = file.write()?;
    print_summary(&taught);
    said.iter().for_each(say);
    match copy {
        Some(copy) => say(format_args!("{} is written; as it was before it is {}", file.path().display(), copy.display())),
        None => say(format_args!("{} is written", file.path().display())),
    }
    // Before the next card comes into one of them.
    rules::renew(&args.config);
    say("next: flashline check; then: systemctl restart flashline");
    Ok(GOOD)
}

/// Those asked for; else those of the configuration; else as many as there are.
fn names(args: &TeachArgs, file: &ConfigFile) -> Names {
    let configured: Vec<String> = file.slots().into_iter().map(|(name, _)| name).collect();
    match (&args.names, &args.from) {
        (Some(names), _) => names.clone(),
        (None, Some(first)) => Names::From(first.clone()),
        (None, None) if !configured.is_empty() => Names::Listed(configured),
        (None, None) => FIRST.parse().map_or_else(|_| Names::Listed(vec![FIRST.to_owned()]), Names::From),
    }
}

/// The lesson itself. `None` if the teacher ended it early.
fn listen(names: Names, file: &ConfigFile) -> Result<Option<Vec<Taught>>, TeachError> {
    let sysfs = Sysfs::default();
    let mut polled = BTreeSet::new();
    let present = look(&sysfs, &mut polled);
    say(format_args!("teaching slots of {}: no card is written", file.path().display()));
    say("keys: s leaves a slot as it is, b goes back, q ends and writes; Ctrl-C ends and writes nothing");
    for socket in &present {
        if let Some(card) = &socket.card {
            say(format_args!("  in {} already, and not taken: {}", socket.port, harmless(&card.label())));
        }
    }
    let keyboard = Keyboard::open()?;
    let mut lesson = Lesson::new(names, file.slots(), &present);
    let began = Instant::now();
    let mut lamps = TaughtLamps::new(SysfsLeds::default(), file.lamps());
    let mut asked = None;
    while !lesson.is_over() {
        let asks = lesson.asks();
        if asks != asked {
            if let Some(words) = &asks {
                say(words);
            }
            lamps.light(lesson.slot().as_deref());
            asked = asks;
        }
        let heard = keyboard.listen(LOOK)?;
        let sockets = look(&sysfs, &mut polled);
        for heard in heard {
            match heard {
                Heard::Abort => return Ok(None),
                Heard::Key(key) => {
                    lesson.key(key, &sockets).iter().for_each(say);
                    // The same question again is a new one.
                    asked = None;
                }
            }
        }
        lesson.look(Moment(began.elapsed()), &sockets).iter().for_each(say);
    }
    Ok(Some(lesson.taught()))
}

/// Every port and what is in it; readers are asked for their media more often from now on.
fn look(sysfs: &Sysfs, polled: &mut BTreeSet<String>) -> Vec<Socket> {
    let sockets = sysfs.sockets();
    for name in sockets.iter().filter_map(|socket| socket.kernel_name.as_ref()) {
        if polled.insert(name.clone()) {
            // Who may not do this waits longer.
            let _slower = sysfs.poll_media(name, MEDIA_POLL);
        }
    }
    let there: BTreeSet<&String> = sockets.iter().filter_map(|socket| socket.kernel_name.as_ref()).collect();
    polled.retain(|name| there.contains(name));
    sockets
}

fn print_summary(taught: &[Taught]) {
    say(format_args!("\nslots taught: {}", taught.len()));
    let width = taught.iter().map(|slot| slot.name.chars().count()).max().unwrap_or_default();
    for slot in taught {
        for (index, (port, chain)) in slot.ports.iter().enumerate() {
            let name = if index == 0 { slot.name.as_str() } else { "" };
            let on = if chain.0.is_empty() { String::new() } else { format!("  on {}", harmless(&chain.to_string())) };
            say(format_args!("  {name:<width$}  {port}{on}"));
        }
    }
}
