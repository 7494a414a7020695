//! `flashline backup`: a folder with a proven copy of the flash log and the configuration, while the station works.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::output::remark;
use super::{ConfigArg, GOOD, NOT_GOOD, USAGE_OR_STATION, complain, newest_in, say};
use crate::backup::{Backup, BackupError, Contents, make, remove_beyond};
use crate::config::{ConfigError, ImageCheck, Settings};
use crate::file::directory_of;
use crate::ledger::{LogReader, believed};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Existing folder that gets the folder of the backup; no other backup there is removed [default: that of the
    /// configuration]
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Back up this flash log instead of the station's
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
    /// Do nothing if the configuration names no folder
    // For the timer, which runs on every station.
    #[arg(long, hide = true, conflicts_with = "folder")]
    if_configured: bool,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub(super) enum Wrong {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("no folder for backups: name one, or set `folder` in [backup] of {}", config.display())]
    NoFolder { config: PathBuf },
    #[error("reading the configuration {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the configuration {} was changed meanwhile: run this again", path.display())]
    Changed { path: PathBuf },
    #[error(transparent)]
    Backup(#[from] BackupError),
}

impl Wrong {
    /// The station and the call are right, and the log is not.
    fn code(&self) -> u8 {
        if matches!(self, Self::Backup(BackupError::Flawed { .. })) { NOT_GOOD } else { USAGE_OR_STATION }
    }
}

pub(super) fn run(args: &Args) -> u8 {
    back_up(args).unwrap_or_else(|error| {
        complain(&error);
        error.code()
    })
}

fn back_up(args: &Args) -> Result<u8, Wrong> {
    let settings = args.config.read(ImageCheck::Unseen)?;
    let (folder, keep) = match (&args.folder, &settings.backup) {
        (Some(folder), _) => (folder.clone(), None),
        (None, Some(configured)) => (configured.folder.clone(), Some(configured.keep)),
        (None, None) if args.if_configured => return Ok(GOOD),
        (None, None) => return Err(Wrong::NoFolder { config: args.config.path().to_owned() }),
    };
    let log = args.file.clone().unwrap_or_else(|| settings.log());
    if args.if_configured
        && let Some(away) = LogReader::open(&log).and_then(|log| log.away()).ok().flatten()
    {
        // The folder that the log moved to has all of it, and the PC where it goes on makes the backups. A log that cannot be read is
        // reported by the backup itself.
        say(format_args!("no backup: {} has moved to {away}", log.display()));
        return Ok(GOOD);
    }
    let made = one(&folder, &log, &args.config, &settings)?;
    say(told(&made));
    if is_on_one_disk(&made.path, directory_of(&log)) {
        remark(format_args!("warning: {} is on the disk of the flash log, and is lost with it", made.path.display()));
    }
    if made.configuration_differs() {
        remark("warning: the configuration was changed after the station armed its models: the backup has the file as it is now");
    }
    if let Some(keep) = keep {
        let thinned = remove_beyond(&folder, &made, keep)?;
        for removed in &thinned.removed {
            say(format_args!("{}: removed, because {keep} newer ones are kept", removed.display()));
        }
        for lost in &thinned.with_lost_events {
            remark(format_args!(
                "warning: {} has events that the flash log lacks, and is never removed by this command. The log was restored from an older \
                 backup, or two PCs went on with it; compare: flashline log verify --against {}",
                lost.display(),
                lost.display()
            ));
        }
        for (kept, flaw) in &thinned.not_compared {
            remark(format_args!(
                "warning: {} is not removed, because its newest event is archived and was not compared: {flaw}. Compare: flashline log verify \
                 --against {} --with FOLDER",
                kept.display(),
                kept.display()
            ));
        }
    }
    Ok(GOOD)
}

/// Makes a backup of this log, with the configuration as it is in its file.
pub(super) fn one(folder: &Path, log: &Path, config: &ConfigArg, settings: &Settings) -> Result<Backup, Wrong> {
    let path = config.path();
    let bytes = std::fs::read(path).map_err(|source| Wrong::Read { path: path.to_owned(), source })?;
    if *blake3::hash(&bytes).as_bytes() != settings.digest.0 {
        return Err(Wrong::Changed { path: path.to_owned() });
    }
    let taken_at = believed(newest_in(log));
    Ok(make(folder, &Contents { log, config: path, config_bytes: &bytes, station: &settings.station.name, taken_at })?)
}

/// The line about a backup that was made.
pub(super) fn told(made: &Backup) -> String {
    format!("{}: {} events, anchor {}", made.path.display(), made.anchor.count, made.anchor)
}

/// Are both on one file system? Then one fault takes both.
pub(super) fn is_on_one_disk(one: &Path, other: &Path) -> bool {
    let device = |path| std::fs::metadata(path).map(|there| there.dev()).ok();
    device(one).is_some_and(|one| Some(one) == device(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;
    use crate::station::request::Who;

    #[test]
    fn the_timer_of_a_pc_whose_log_has_moved_makes_no_backup_and_a_person_may() {
        let root = tempfile::tempdir().expect("a directory");
        let here = root.path().display();
        let text = format!(
            "[station]\nstate = \"{here}/state\"\n[backup]\nfolder = \"{here}/backups\"\n[[model]]\nname = \"acme/box\"\nimage = \"box.img\"\n\
             require = \"none\"\n[[slot]]\nname = \"A1\"\nports = [\"pci-0000:00:14.0/usb3-1/lun-0\"]\nmodel = \"acme/box\"\n"
        );
        let config = root.path().join("config.toml");
        std::fs::write(&config, text).expect("written");
        let (folder, log) = (root.path().join("backups"), root.path().join("state/flash-log.db"));
        std::fs::create_dir(&folder).expect("made");
        std::fs::create_dir(root.path().join("state")).expect("made");
        drop(Ledger::open(&log, "bench").expect("a log"));
        let args = |if_configured| Args { folder: None, file: None, config: ConfigArg { config: config.clone() }, if_configured };
        let backups = || std::fs::read_dir(&folder).expect("it is there").count();

        assert_eq!((back_up(&args(true)).expect("made"), backups()), (GOOD, 1));
        let by = Who { uid: 1000, name: "ann".to_owned() };
        Ledger::move_away(&log, "bench", "/mnt/stick", &by).expect("recorded");
        assert_eq!((back_up(&args(true)).expect("nothing to do"), backups()), (GOOD, 1));
        assert_eq!((back_up(&args(false)).expect("made"), backups()), (GOOD, 2));
    }
}
