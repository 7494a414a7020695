//! `flashline setup`: from the installed package to a running station, in one guided command. Every step can be done by its own command, too,
//! and a step that is done is not done again: whoever was interrupted runs the same command once more.

mod tables;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use snap_assertions::file::{NotOneModel, one_model};

use super::check;
use super::config_file::{ConfigFile, FileError};
use super::slots::teach::{self, Names};
use super::slots::{own_disks, rules};
use super::{ConfigArg, GOOD, NOT_GOOD, UNIT, USAGE_OR_STATION, complain, say};
use crate::config::DEFAULT_SOCKET;
use crate::control::client::Client;
use crate::station::card::Card;
use tables::NewModel;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// The image to write: raw, .xz, .gz, .zst, .bz2 or .zip [default: asked for]
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// The signed model assertion of the image [default: asked for]
    #[arg(long, value_name = "FILE", conflicts_with = "unsigned")]
    assertion: Option<PathBuf>,
    /// The image is not one of Ubuntu Core: it has no model assertion
    #[arg(long)]
    unsigned: bool,
    /// Assertions that complete the chain of keys of the model
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,
    /// Name of the model, as BRAND/MODEL [default: that of the assertion, else asked for]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Names of the slots, as A1..A8 or A1,A2,B1 [default: A1 and so on, until `q`]
    #[arg(long, value_name = "NAMES")]
    names: Option<Names>,
    /// Do not start the service at the end
    #[arg(long)]
    no_start: bool,
}

/// Why a station is not set up.
#[derive(Debug, thiserror::Error)]
enum SetupError {
    #[error("a station is set up by people: run this on a terminal, where somebody puts a card into one slot after the other")]
    NoTerminal,
    #[error("{path} is written, and the service is started, by root: run `sudo flashline setup`")]
    NotRoot { path: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Model(#[from] NotOneModel),
    #[error("the image {path}: {source}: name a file that is there")]
    Image { path: PathBuf, source: io::Error },
    #[error("the terminal")]
    Terminal(#[source] io::Error),
    #[error("the terminal was closed before all was answered: run this again, it goes on where it is")]
    Unanswered,
    #[error("the disks of this PC cannot be listed: run this again")]
    Disks(#[source] io::Error),
    #[error("systemctl")]
    Systemctl(#[source] io::Error),
    #[error("the service did not start: `journalctl -u flashline -n 30` says why")]
    NotStarted,
}

pub(super) fn run(args: &Args) -> u8 {
    match set_up(args) {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            USAGE_OR_STATION
        }
    }
}

fn set_up(args: &Args) -> Result<u8, SetupError> {
    let path = args.config.path();
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(SetupError::NoTerminal);
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(SetupError::NotRoot { path: path.to_owned() });
    }
    let runs = Client::connect(Path::new(DEFAULT_SOCKET)).is_ok();
    say("step 1 of 5: the slots");
    let code = set_up_slots(args, runs)?;
    if code != GOOD {
        return Ok(code);
    }
    if ConfigFile::read(path)?.slots().is_empty() {
        say("no slot is taught: run `flashline setup` again when cards are at hand");
        return Ok(NOT_GOOD);
    }
    say("\nstep 2 of 5: the model and its image");
    set_up_model(args)?;
    say("\nstep 3 of 5: the disks of this PC, which are never written");
    set_up_own_disks(path)?;
    say("\nstep 4 of 5: udev rules that keep other programs away from the slots, and this PC as a whole");
    rules::renew(&args.config);
    if check::run(&check::Args::of_all(&args.config)) != GOOD {
        say("\nmend what is marked ✗, then run `flashline setup` again: what is done is kept");
        return Ok(NOT_GOOD);
    }
    say("\nstep 5 of 5: the service");
    start(args, runs)
}

fn set_up_model(args: &Args) -> Result<(), SetupError> {
    let mut file = ConfigFile::read(args.config.path())?;
    let finished = file.finished_models();
    if let (None, [_, ..]) = (&args.image, finished.as_slice()) {
        say(format_args!("  kept: {} (another one: --image FILE)", finished.join(", ")));
        return Ok(());
    }
    let image = match &args.image {
        Some(image) => image.clone(),
        None => PathBuf::from(ask("the image that is written to the cards", None)?),
    };
    let image = absolute(&image)?;
    let assertion = match (&args.assertion, args.unsigned) {
        (Some(assertion), _) => Some(assertion.clone()),
        (None, true) => None,
        (None, false) => {
            let answer = ask("its signed model assertion (empty: the image is not one of Ubuntu Core)", Some(""))?;
            Some(PathBuf::from(answer)).filter(|path| !path.as_os_str().is_empty())
        }
    };
    let assertion = assertion.map(|path| absolute(&path)).transpose()?;
    let signed = assertion.as_deref().map(one_model).transpose()?;
    let of_assertion = signed.as_ref().and_then(|model| model.as_model()).map(|model| format!("{}/{}", model.brand, model.name));
    let name = match args.model.clone().or(of_assertion) {
        Some(name) => name,
        None => ask("the name of the model, as BRAND/MODEL", None)?,
    };
    let with = args.with.iter().map(|file| absolute(file)).collect::<Result<_, _>>()?;
    let model = NewModel { name, image, assertion, with };
    file.set_model(&model);
    file.write()?;
    say(format_args!("  {}: {}", model.name, model.image.display()));
    Ok(())
}

/// The exit code of a lesson that was broken off, or could not be given, ends the command.
fn set_up_slots(args: &Args, runs: bool) -> Result<u8, SetupError> {
    let slots = ConfigFile::read(args.config.path())?.slots();
    if !slots.is_empty() && args.names.is_none() {
        let names = slots.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ");
        say(format_args!("  kept: {names} (again: `flashline slots teach`)"));
        return Ok(GOOD);
    }
    if runs {
        say("  a station runs, and would write every card put into a slot it knows: `systemctl stop flashline`, then run this again");
        return Ok(NOT_GOOD);
    }
    say("  put one card after the other into each slot; no card is written");
    Ok(teach::run(&teach::TeachArgs::of_setup(&args.config, args.names.clone())))
}

fn set_up_own_disks(path: &Path) -> Result<(), SetupError> {
    let mut file = ConfigFile::read(path)?;
    // A card that is still in its slot is none of them, whatever it says of itself.
    let slots = file.slots();
    let in_slot = |card: &Card| slots.iter().any(|(_, ports)| ports.contains(&card.port));
    let disks = own_disks::own_disks().map_err(SetupError::Disks)?;
    let disks: Vec<(String, Card)> = disks.into_iter().filter(|(_, card)| !in_slot(card)).collect();
    let added = file.add_own_disks(&disks);
    if added > 0 {
        file.write()?;
    }
    say(format_args!("  {added} added"));
    Ok(())
}

/// Enables and starts the service, or has a station that runs read its configuration again.
fn start(args: &Args, runs: bool) -> Result<u8, SetupError> {
    if args.no_start {
        say("  not started: systemctl enable --now flashline");
        return Ok(GOOD);
    }
    let systemctl = |arguments: &[&str]| Command::new("systemctl").args(arguments).status().map_err(SetupError::Systemctl);
    let verb: &[&str] = if runs { &["reload", UNIT] } else { &["enable", "--now", UNIT] };
    say(format_args!("  systemctl {} (at the first start each image is unpacked once, which can take minutes)", verb.join(" ")));
    if !systemctl(verb)?.success() {
        return Err(SetupError::NotStarted);
    }
    say(
        "\nthe station runs: put a card into a slot, and wait for PASS. `flashline status` shows every slot, `flashline console` the panel",
    );
    Ok(GOOD)
}

/// A file that is there, by its whole path: the service has another directory.
fn absolute(path: &Path) -> Result<PathBuf, SetupError> {
    std::fs::canonicalize(path).map_err(|source| SetupError::Image { path: path.to_owned(), source })
}

/// A line of the terminal; the default where it is empty. Without a default it is asked again.
fn ask(question: &str, default: Option<&str>) -> Result<String, SetupError> {
    answer(question, default, &mut io::stdin().lock(), &mut io::stdout())
}

fn answer(question: &str, default: Option<&str>, from: &mut impl BufRead, to: &mut impl Write) -> Result<String, SetupError> {
    loop {
        write!(to, "  {question}: ").and_then(|()| to.flush()).map_err(SetupError::Terminal)?;
        let mut line = String::new();
        if from.read_line(&mut line).map_err(SetupError::Terminal)? == 0 {
            return Err(SetupError::Unanswered);
        }
        match (line.trim(), default) {
            ("", Some(default)) => return Ok(default.to_owned()),
            ("", None) => {}
            (answer, _) => return Ok(answer.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_without_a_default_is_asked_until_it_is_answered_and_a_closed_terminal_ends_it() {
        let mut said = Vec::new();
        let asked = answer("the image", None, &mut io::Cursor::new("\n \n /srv/a b.img \n"), &mut said).expect("answered");
        assert_eq!(asked, "/srv/a b.img");
        assert_eq!(String::from_utf8(said).expect("text"), "  the image: ".repeat(3));
        assert_eq!(answer("its assertion", Some(""), &mut io::Cursor::new("\n"), &mut Vec::new()).expect("answered"), "");
        assert!(matches!(answer("the image", None, &mut io::Cursor::new("\n"), &mut Vec::new()), Err(SetupError::Unanswered)));
    }
}
