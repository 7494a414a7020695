//! `flashline formats`: the formats of the flash log and the configuration that this program knows, and those on this PC. The packages ask
//! the installed program before they put an older one in its place.

use std::path::Path;

use super::{ConfigArg, GOOD, say};
use crate::config::{self, DEFAULT_STATE, ImageCheck, LOG_FILE};
use crate::ledger::{FORMAT, LogProblem, LogReader};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
}

/// Never anything but good: what cannot be found out is not printed.
pub(super) fn run(args: &Args) -> u8 {
    lines(args.config.path()).iter().for_each(say);
    GOOD
}

/// A line for each format, as the scripts of the packages read it.
pub(in crate::cli) fn lines(config: &Path) -> Vec<String> {
    let log =
        config::read(config, ImageCheck::Unseen).map_or_else(|_unread| Path::new(DEFAULT_STATE).join(LOG_FILE), |settings| settings.log());
    let mut lines = vec![format!("knows-log {FORMAT}"), format!("knows-configuration {}", config::VERSION)];
    lines.extend(format_of(&log).map(|format| format!("log {format}")));
    let version = std::fs::read_to_string(config).ok().and_then(|text| config::version_of(&text));
    lines.extend(version.map(|version| format!("configuration {version}")));
    lines
}

/// Nothing where there is no log, where it cannot be read, or where it is still of an older format, which every program reads that could
/// read it before.
fn format_of(log: &Path) -> Option<i32> {
    match LogReader::open(log) {
        Ok(_) => Some(FORMAT),
        Err(error) => match error.problem {
            LogProblem::Newer { found, .. } => Some(found),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::*;
    use crate::ledger::Ledger;

    #[test]
    fn a_log_and_a_configuration_of_this_program_and_of_a_newer_one_are_told_by_their_numbers() {
        let directory = tempfile::tempdir().expect("a directory");
        let (config, log) = (directory.path().join("config.toml"), directory.path().join(LOG_FILE));
        fs::write(directory.path().join("box.img"), [1]).expect("written");
        let text = "[station]\nstate = \".\"\n[[model]]\nname = \"acme/box\"\nimage = \"box.img\"\nrequire = \"none\"\n[[slot]]\nname = \"A1\"\nports = [\"pci-0000:00:14.0/usb3-1/lun-0\"]\nmodel = \"acme/box\"\n";
        let knows = [format!("knows-log {FORMAT}"), format!("knows-configuration {}", config::VERSION)];
        fs::write(&config, text).expect("written");
        assert_eq!(lines(&config), [&knows[..], &["configuration 1".to_owned()]].concat(), "there is no log yet");
        drop(Ledger::open(&log, "bench").expect("a log"));
        assert_eq!(lines(&config), [&knows[..], &[format!("log {FORMAT}"), "configuration 1".to_owned()]].concat());
        Connection::open(&log).expect("opens").execute_batch("PRAGMA user_version = 99").expect("set");
        assert_eq!(lines(&config), [&knows[..], &["log 99".to_owned(), "configuration 1".to_owned()]].concat());
        fs::write(&config, format!("version = 7\nfuture = true\n{text}")).expect("written");
        assert!(lines(&config).contains(&"configuration 7".to_owned()), "although this program cannot read it");
    }
}
