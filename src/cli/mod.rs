//! The command line: the commands, their arguments and their exit codes.
//!
//! Exit codes: 0 done and good; 1 done and not good (a card failed, a file was refused); 2 the call, the configuration or the
//! station is wrong.

mod backup;
mod check;
mod config_file;
mod confirm;
mod console;
mod events;
mod flash;
mod formats;
mod handover;
mod image;
pub(crate) mod log;
mod log_reader;
mod log_writer;
mod maintenance;
mod medium;
mod memory_lock;
mod model;
mod moving;
mod order;
mod output;
mod post_stop;
mod prepare_image;
mod qualify;
mod refusal;
mod request;
mod restore;
mod rollback;
mod run;
mod setup;
mod slots;
mod status;
mod stopped;
mod support;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use snap_assertions::file::FileError;
use snap_assertions::trust::Trust;

use crate::config::{self, ConfigError, DEFAULT_PATH, ImageCheck, Settings};
use crate::ledger::{LogReader, believed};
use crate::watch::places::ports_of;
use crate::watch::sysfs::Sysfs;
use output::{remark, say, say_json};

/// The unit of systemd that the station runs under.
pub(crate) const UNIT: &str = "flashline.service";

/// Exit code: done, and the result is good.
pub(crate) const GOOD: u8 = 0;
/// Done and not good.
pub(crate) const NOT_GOOD: u8 = 1;
/// The call, the configuration or the station is wrong.
pub(crate) const USAGE_OR_STATION: u8 = 2;

/// Writes images to cards, proves every byte, logs every serial.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the station: watch the slots, write and prove every card put in
    Run(run::Args),
    /// Validate a configuration, its images and this PC, and print what it means
    Check(check::Args),
    /// Set a station up, step by step: slots, model, disks of this PC, udev rules, service
    Setup(setup::Args),
    /// Write and prove the named devices once, without a station
    Flash(flash::Args),
    /// Try the readers of slots on cards that are erased by it, and print the settings to use
    Qualify(qualify::Args),
    /// Print what the running station shows: every slot and every order
    Status(status::Args),
    /// Show every slot in large letters, for the operator; `q` or Ctrl-C ends it
    Console(console::Args),
    /// Manage production orders: a target number of good cards for a model
    Order(order::Args),
    /// Make the running station read its configuration again, and print whether it took effect
    Reload(request::ReloadArgs),
    /// Restart the station when its last card is out, and start no card until then
    Restart(request::RestartArgs),
    /// Start no card while somebody works on the station, and say why
    Maintenance(maintenance::Args),
    /// Stop starting cards in a slot or a model, until `flashline arm`
    Disarm(request::DisarmArgs),
    /// Re-enable a slot or a model that was disarmed
    Arm(request::ArmArgs),
    /// Blink the lamp of a slot for half a minute, to find the slot
    Identify(request::IdentifyArgs),
    /// Read the flash log
    Log(Box<log::Args>),
    /// Back up the flash log and the configuration into a folder, while the station works
    Backup(backup::Args),
    /// Put flash log and configuration of a backup on this PC, where the log goes on as one history
    Restore(restore::Args),
    /// Move the flash log to another PC: it is copied, and is not written on this one any more
    Move(moving::Args),
    /// Collect into one archive what support needs to know about this station, without secrets
    Support(support::Args),
    /// Print what is open at the end of a shift: cards to be put in again, orders, slots out of work, faults, and the log's anchor
    Handover(handover::Args),
    /// Inspect images: what is inside, and whether it may be armed
    Image(image::Args),
    /// Check model assertions and other signed assertions, approve the first card of a model, and go back to its image of before
    Model(model::Args),
    /// Show on the console and on the lamps, and by the bell, that the station does not run: the signs it showed last no longer hold
    // Units written for earlier builds call it `down`.
    #[command(hide = true, alias = "down")]
    PostStop(post_stop::Args),
    /// Read the flash log for the running station
    // A station of an earlier build that still runs calls it `log-aside`.
    #[command(hide = true, alias = "log-aside")]
    LogReader(log_reader::Args),
    /// Write the flash log for the running station
    #[command(hide = true)]
    LogWriter(log_writer::Args),
    /// Print the formats of log and configuration that this program knows, and those on this PC
    // For the scripts of the packages.
    #[command(hide = true)]
    Formats(formats::Args),
    /// List the ports that can hold a card, and what is in them
    Slots(slots::Args),
}

/// The command line, for what is made of it: manual pages, and completions of shells.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the command line and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { USAGE_OR_STATION } else { GOOD };
            let _closed = error.print();
            return ExitCode::from(code);
        }
    };
    // Once, for every command: a wrong time zone cannot be seen in the numbers alone.
    if let Some(complaint) = crate::zone::complaint() {
        remark(format_args!("warning: {complaint}"));
    }
    let code = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Setup(args) => setup::run(&args),
        Command::Flash(args) => flash::run(&args),
        Command::Qualify(args) => qualify::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Console(args) => console::run(&args),
        Command::Order(args) => order::run(&args),
        Command::Reload(args) => request::reload(&args),
        Command::Restart(args) => request::restart(&args),
        Command::Maintenance(args) => maintenance::run(&args),
        Command::Disarm(args) => request::disarm(&args),
        Command::Arm(args) => request::arm(&args),
        Command::Identify(args) => request::identify(&args),
        Command::Log(args) => return log_of(&args),
        Command::Handover(args) => handover::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Move(args) => moving::run(&args),
        Command::Support(args) => support::run(&args),
        Command::Image(args) => image::run(&args),
        Command::Model(args) => model::run(&args),
        Command::Formats(args) => formats::run(&args),
        Command::LogReader(args) => log_reader::run(&args),
        Command::LogWriter(args) => log_writer::run(&args),
        Command::Slots(args) => slots::run(&args),
        // Errors of this command must not look like the reason why the station ended.
        Command::PostStop(args) => return ExitCode::from(post_stop::run(&args)),
    };
    ExitCode::from(output::code(code))
}

/// The named log, else the configured one, else the default.
fn log_of(args: &log::Args) -> ExitCode {
    let configured = match configured(args.place()) {
        Ok(configured) => configured,
        Err(error) => {
            complain(&error);
            return ExitCode::from(USAGE_OR_STATION);
        }
    };
    match log::run(args, configured) {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::from(USAGE_OR_STATION)
        }
    }
}

/// What the configuration says about the log. A user who names a log need not be at its station: the configuration of this PC is not read.
fn configured(place: &log::LogSource) -> Result<log::Configured, ConfigError> {
    let config = place.config.as_deref().or_else(|| Some(Path::new(DEFAULT_PATH)).filter(|path| place.file.is_none() && path.exists()));
    let settings = config.map(|path| config::read(path, ImageCheck::Unseen)).transpose()?;
    let configured = |settings: Settings| log::Configured {
        log: Some(settings.log()),
        shifts: settings.shifts,
        models: Some(settings.models.into_iter().map(|model| model.name).collect()),
    };
    Ok(settings.map(configured).unwrap_or_default())
}

/// The option every command has that reads the configuration.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ConfigArg {
    /// Configuration of the station
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
}

impl ConfigArg {
    fn path(&self) -> &Path {
        &self.config
    }

    /// For a command that acts on the configuration: if the file is still being written, it is waited for.
    fn read_settled(&self, images: ImageCheck) -> Result<Settings, ConfigError> {
        config::read_settled(&self.config, images).map_err(|error| error.with_port(|text| ports_of(&Sysfs::default(), text)))
    }

    fn read(&self, images: ImageCheck) -> Result<Settings, ConfigError> {
        config::read(&self.config, images).map_err(|error| error.with_port(|text| ports_of(&Sysfs::default(), text)))
    }
}

/// The options of every command that judges signatures.
#[derive(Debug, clap::Args)]
pub(crate) struct TrustArgs {
    /// Also trust the root key in FILE, a self-signed account-key assertion. Canonical's root key is built in
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Assertions that may complete a chain of keys; they are not trusted by themselves
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,
    /// Judge keys at TIME instead of now, as 2026-11-20T08:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
}

impl TrustArgs {
    pub(crate) fn read(&self) -> Result<Trust, FileError> {
        snap_assertions::file::trust(&self.trust, &self.with)
    }

    /// Without a time on the command line: the present time, as far as the station configured here, if any, believes the clock.
    pub(crate) fn time(&self) -> jiff::Timestamp {
        self.at.unwrap_or_else(|| {
            let log = config::read(Path::new(DEFAULT_PATH), ImageCheck::Unseen).ok().map(|settings| settings.log());
            jiff::Timestamp::from_microsecond(believed(log.as_deref().and_then(newest_in))).unwrap_or(jiff::Timestamp::MAX)
        })
    }
}

/// The time of the newest event of this log; `None` if there is no log, or the user may not read it.
pub(crate) fn newest_in(log: &Path) -> Option<i64> {
    LogReader::open(log).and_then(|reader| reader.newest_at()).ok().flatten()
}

/// An error with all its causes, in one line.
pub(crate) fn sentence(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        sentence.push_str(": ");
        sentence.push_str(&error.to_string());
        cause = error.source();
    }
    sentence
}

/// Reports on standard error why the command ends.
pub(crate) fn complain(error: &dyn Error) {
    remark(sentence(error));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_can_be_typed() {
        Cli::command().debug_assert();
        for line in [
            "flashline log --model acme/my-pi3 --since today --until 2h --slot A3 --outcome failed --serial 4C --limit 5 --follow --json",
            "flashline log serials --model acme/my-pi3 --since 2026-11-24 --expect 500 --csv",
            "flashline log summary --by card-type --since shift --json --file copy.db",
            "flashline log show 12 --json",
            "flashline log report --model acme/my-pi3 --since last-shift -o lot.html",
            "flashline log verify --file copy.db",
            "flashline log anchor",
            "flashline log export copy.db",
            "flashline log confirm --json",
            "flashline status --json",
            "flashline model approve acme/my-pi3",
            "flashline model approve acme/my-pi3 --card 4C531001 --json",
            "flashline model rollback acme/my-pi3",
            "flashline model rollback acme/my-pi3 --config c.toml --socket /run/s.sock --json",
            "flashline order start --model acme/my-pi3 --count 500 --name lot-17",
            "flashline order status --json",
            "flashline order stop --model acme/my-pi3",
            "flashline disarm --slot A3 --reason bent",
            "flashline arm --model acme/my-pi3 --json",
            "flashline identify A3",
            "flashline post-stop",
            "flashline down",
            "flashline post-stop --config c.toml",
            "flashline reload --socket /run/s.sock",
            "flashline restart --json",
            "flashline maintenance on --why bent",
            "flashline maintenance off --json",
            "flashline formats --config c.toml",
            "flashline qualify A1 A2 --yes --no-hands --switch --page wall.txt --send sent.json",
            "flashline setup",
            "flashline setup --image i.img --unsigned --model acme/box --names A1..A4 --no-start",
            "flashline setup --image i.img --assertion m.model --with keys.assertions",
            "flashline support --out s.tar.gz --serials --host-name --lines 10 --config c.toml",
            "flashline support --list",
            "flashline handover --since last-shift --json --file copy.db",
            "flashline handover --socket /run/s.sock",
            "flashline backup",
            "flashline backup /mnt/stick --file old.db --config c.toml",
            "flashline backup --if-configured",
            "flashline restore /mnt/stick/line-3-20261130T092500Z --keep-configuration --old-log old.db",
            "flashline move --to /mnt/stick",
            "flashline move --undo --why broken",
            "flashline log verify --against /mnt/stick/line-3-20261130T092500Z",
            "flashline slots --json",
            "flashline slots teach --config c.toml --model acme/box --names A1..A8,B1",
            "flashline slots teach --from A1",
            "flashline slots rules --write --config c.toml",
        ] {
            Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        for line in [
            "flashline model approve",
            "flashline model rollback",
            "flashline maintenance",
            "flashline maintenance on",
            "flashline maintenance off --why bent",
            "flashline restore",
            "flashline move",
            "flashline move --undo",
            "flashline move --to /mnt/stick --undo --why broken",
            "flashline backup /mnt/stick --if-configured",
            "flashline disarm",
            "flashline arm --slot A1 --model m",
            "flashline order start --model m --count 0",
            "flashline log --outcome bad",
            "flashline log summary --by weather",
            "flashline log report",
            "flashline log --json --csv",
            "flashline qualify",
            "flashline setup --unsigned --assertion m.model",
            "flashline slots teach --names A1..",
            "flashline slots teach --from left",
        ] {
            Cli::try_parse_from(line.split(' ')).expect_err(line);
        }
    }
}
