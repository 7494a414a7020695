//! `flashline slots rules`: the udev rules that keep other programs off the slots and give the station what it may use. They are printed, or
//! written to their place and applied.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::{ConfigArg, GOOD, USAGE_OR_STATION, complain, remark, say, sentence};
use crate::config::{ImageCheck, Settings};
use crate::file::{Access, directory_of, replace};
use crate::watch::apply_rules::apply;
use crate::watch::rules;
use crate::watch::sysfs::Sysfs;
use crate::watch::udev_database::udev_runs;

/// Every user may read the rules: udev and `flashline check` do.
const MODE: u32 = 0o644;
/// For how long udev may look at what it was told to look at again, and may take to answer that it has read the rules.
const ANSWERS: &str = "--timeout=10";

/// Why the rules are not in their place, or not in force.
#[derive(Debug, thiserror::Error)]
pub(super) enum RulesError {
    /// A file of rules that this command did not write.
    #[error(
        "{path} was not made by this command, and is not overwritten: move it away, and run `flashline slots rules --write` again; rules of \
         your own belong into a file with another name"
    )]
    Foreign { path: PathBuf },
    #[error("{doing} {path}: run this as root")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("udev could not be told: {command}")]
    Udev { command: String, source: io::Error },
}

#[derive(Debug, clap::Args)]
pub(super) struct RulesArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Write the rules to their place and apply them, as the service does at every start and reload
    #[arg(long)]
    write: bool,
}

pub(super) fn run(args: &RulesArgs) -> u8 {
    let settings = match args.config.read(ImageCheck::Unseen) {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error);
            return USAGE_OR_STATION;
        }
    };
    let text = text_of(&settings, args.config.path());
    if !args.write {
        say(text.trim_end());
        return GOOD;
    }
    match write(&settings, &text) {
        Ok(said) => {
            say(said);
            GOOD
        }
        Err(error) => {
            remark(format_args!("the slots are not kept from this PC's other programs as configured: {}", sentence(&error)));
            USAGE_OR_STATION
        }
    }
}

/// Writes and applies the rules of this configuration, and says how that went: never a reason for a command to fail that did more than that.
pub(in crate::cli) fn renew(config: &ConfigArg) {
    let settings = match config.read(ImageCheck::Unseen) {
        Ok(settings) => settings,
        Err(error) => {
            remark(format_args!("the udev rules are not written, because the configuration is not complete: {}", sentence(&error)));
            return say("when it is: flashline slots rules --write");
        }
    };
    match write(&settings, &text_of(&settings, config.path())) {
        Ok(said) => say(said),
        Err(error) => {
            remark(format_args!("the udev rules are not written: {}", sentence(&error)));
            say("keep the rest of the PC away from the slots: flashline slots rules --write");
        }
    }
}

fn text_of(settings: &Settings, config: &Path) -> String {
    let config = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
    rules::file(&config, &settings.slots, &settings.lamps, settings.station_bell.as_deref())
}

/// Answers in words what was done.
fn write(settings: &Settings, text: &str) -> Result<String, RulesError> {
    let path = Path::new(rules::FILE);
    let is_new = install(path, text)?;
    let done = if is_new { "written" } else { "as it was" };
    if !udev_runs() {
        return Ok(format!("{}: {done}; no udev runs here", path.display()));
    }
    let reloaded = if is_new { udevadm(&["control", "--reload", ANSWERS]) } else { Ok(()) };
    let unanswered = reloaded.as_ref().err().map(|error| sentence(error));
    let ports = settings.slots.iter().flat_map(|slot| slot.ports.iter().cloned()).collect();
    let apply_once = || apply(&Sysfs::default(), &ports, &settings.lamps, settings.station_bell.as_deref());
    let applied = apply_once();
    let looked = if applied.told > 0 { udevadm(&["settle", ANSWERS]) } else { Ok(()) };
    // Without an answer, udev may have read them all the same: a worker that udevd 257 forks while it is asked inherits the connection, and
    // as long as that worker lives nobody hears that it was closed. And its queue is not empty while a claimed card keeps it from looking at
    // that one. What counts is that nothing is left to be looked at.
    if let Err(error) = reloaded.and(looked)
        && apply_once().told > 0
    {
        return Err(error);
    }
    if let Some(unanswered) = unanswered {
        remark(format_args!(
            "udev has not answered that it has read the rules: {unanswered}: if `flashline check` names slots that are not kept from other \
             programs, run `udevadm control --reload`"
        ));
    }
    applied.failed.iter().for_each(|failure| remark(format_args!("not as the udev rules say: {failure}: unplug it, and plug it in again")));
    Ok(format!("{}: {done}; looked at again: {}; LEDs that changed their owner: {}", path.display(), applied.told, applied.leds))
}

/// Puts a file in its place, whole, on disk and readable by everybody, unless it is there already. False if it is.
fn install(path: &Path, text: &str) -> Result<bool, RulesError> {
    let io = |doing| move |source| RulesError::Io { doing, path: path.to_owned(), source };
    match fs::read(path) {
        Ok(there) if there == text.as_bytes() => return Ok(false),
        Ok(there) if !there.starts_with(rules::MADE.as_bytes()) => return Err(RulesError::Foreign { path: path.to_owned() }),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io("reading")(error)),
    }
    // Until it is whole, its name does not end as that of a file of rules does: udev never reads half of it.
    fs::create_dir_all(directory_of(path)).and_then(|()| replace(path, Access::Mode(MODE), text.as_bytes())).map_err(io("writing"))?;
    Ok(true)
}

fn udevadm(arguments: &[&str]) -> Result<(), RulesError> {
    let failed = |source| RulesError::Udev { command: format!("udevadm {}", arguments.join(" ")), source };
    let status = Command::new("udevadm").args(arguments).status().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(failed(io::Error::other(status.to_string()))) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn rules_are_written_whole_where_they_differ_and_a_file_that_somebody_else_made_stays() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("rules.d/61-flashline.rules");
        let text = |more: &str| format!("{} for /etc/flashline/config.toml\n{more}", rules::MADE);
        assert!(install(&path, &text("a")).expect("written"), "the directory is made, too");
        let number = |path: &Path| fs::metadata(path).expect("it is there").ino();
        let first = number(&path);
        assert!(!install(&path, &text("a")).expect("it is there"));
        assert_eq!(number(&path), first, "what is the same is not touched");
        assert!(install(&path, &text("b")).expect("written"));
        assert_eq!(fs::read_to_string(&path).expect("it can be read"), text("b"));
        assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o777, 0o644, "udev and `flashline check` read it");
        fs::write(&path, "# ours\n").expect("written");
        let error = install(&path, &text("b")).expect_err("it is somebody's");
        assert!(error.to_string().contains("move it away"), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("it can be read"), "# ours\n");
        assert_eq!(fs::read_dir(root.path().join("rules.d")).expect("listed").count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named_with_the_reason() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let error = install(&file.path().join("61-flashline.rules"), rules::MADE).expect_err("it is below a file");
        assert!(matches!(error, RulesError::Io { .. }) && error.to_string().contains("as root"), "{error}");
    }
}
