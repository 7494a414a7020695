//! `flashline restore`: puts flash log and configuration of a backup on this PC, where the log goes on as one history.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::User;

use super::stopped::{NotStopped, keep_stopped, this_user};
use super::{ConfigArg, GOOD, NOT_GOOD, USAGE_OR_STATION, complain, medium, say};
use crate::backup::{Backup, BackupError, configuration, open, place_configuration, place_log};
use crate::config::{self, ConfigError, ImageCheck, Settings};
use crate::ledger::{LogError, LogReader, Relation};
use crate::station::USER;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of one backup, as `flashline backup` or `flashline move` printed it
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Keep the configuration of this PC, and restore the flash log alone
    #[arg(long)]
    keep_configuration: bool,
    /// Flash log of the old disk, if it can still be read: restore nothing if the backup lacks events of it
    #[arg(long, value_name = "FILE")]
    old_log: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    NotStopped(#[from] NotStopped),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Unfit(#[from] medium::Unfit),
    #[error("making the state directory {}: do it as root", state.display())]
    State { state: PathBuf, source: io::Error },
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(
        "the backup lacks the newest {lacks} events of {}, and nothing was restored: make a backup of that log \
         (`flashline backup OTHER-FOLDER --file {}`), and restore that one", old.display(), old.display()
    )]
    Lacks { old: PathBuf, lacks: u64 },
    #[error("{} and the backup forked after event {after}, and nothing was restored: two PCs went on with one log; keep both", old.display())]
    Forked { old: PathBuf, after: u64 },
    #[error(
        "events up to {until} are archived in {} or in the backup, and were not compared; nothing was restored: compare them with \
         `flashline log verify --against`, `--with` the archives, and restore without --old-log", old.display()
    )]
    NotCompared { old: PathBuf, until: u64 },
    #[error("{} is the log of another station, and nothing was restored", old.display())]
    Stranger { old: PathBuf },
    #[error("{} does not hold, and nothing was restored: `flashline log verify --file {}` says why", old.display(), old.display())]
    OldFlawed { old: PathBuf },
}

impl Wrong {
    /// The call is right, and what was found is not.
    fn code(&self) -> u8 {
        match self {
            Self::Backup(
                BackupError::Damaged { .. }
                | BackupError::Missing { .. }
                | BackupError::BadManifest { .. }
                | BackupError::FlawedBackup { .. },
            )
            | Self::Lacks { .. }
            | Self::Forked { .. }
            | Self::NotCompared { .. }
            | Self::Stranger { .. }
            | Self::OldFlawed { .. } => NOT_GOOD,
            _ => USAGE_OR_STATION,
        }
    }
}

pub(super) fn run(args: &Args) -> u8 {
    match restore(args) {
        Ok(()) => GOOD,
        Err(error) => {
            complain(&error);
            error.code()
        }
    }
}

fn restore(args: &Args) -> Result<(), Wrong> {
    let _stopped = keep_stopped(args.config.path())?;
    let backup = open(&args.folder)?;
    let place = args.config.path();
    // Before anything is written: a configuration that this program cannot use is no way on.
    let (settings, bytes) = if args.keep_configuration {
        (args.config.read(ImageCheck::Unseen)?, None)
    } else {
        let bytes = configuration(&backup)?;
        (config::of_bytes(place, &bytes, ImageCheck::Unseen)?, Some(bytes))
    };
    if let Some(old) = &args.old_log {
        lacks_nothing_of(old, &backup)?;
    }
    medium::look(&settings)?;
    make_state(&settings.state)?;
    let head = place_log(&backup, &settings.log(), &this_user())?;
    let earlier = bytes.map(|bytes| place_configuration(place, &bytes)).transpose()?.flatten();
    for line in lines(&backup, &settings, &head.to_string(), earlier.as_deref()) {
        say(line);
    }
    Ok(())
}

/// An old log that goes on behind the backup would be lost: its cards, and its numbers of attempts, which would be given again.
fn lacks_nothing_of(old: &Path, backup: &Backup) -> Result<(), Wrong> {
    let owned = || old.to_owned();
    let log = LogReader::open(old)?;
    if log.verify()?.is_err() {
        return Err(Wrong::OldFlawed { old: owned() });
    }
    match log.relation_to(&LogReader::open(&backup.log())?)? {
        Relation::Same { .. } | Relation::OtherGoesOn { .. } => Ok(()),
        Relation::OtherIsBeginning { lacks } => Err(Wrong::Lacks { old: owned(), lacks }),
        Relation::Forked { after, .. } => Err(Wrong::Forked { old: owned(), after }),
        Relation::InArchives { until } => Err(Wrong::NotCompared { old: owned(), until }),
        Relation::Strangers { .. } => Err(Wrong::Stranger { old: owned() }),
    }
}

/// As the package makes it: only the directory itself, for the station's user if there is one.
fn make_state(state: &Path) -> Result<(), Wrong> {
    let failed = |source| Wrong::State { state: state.to_owned(), source };
    match fs::create_dir(state) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made.map_err(failed)?,
    }
    if let Some(user) = User::from_name(USER).ok().flatten().filter(|_| nix::unistd::geteuid().is_root()) {
        chown(state, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(failed)?;
        fs::set_permissions(state, fs::Permissions::from_mode(0o2750)).map_err(failed)?;
    }
    Ok(())
}

/// What was done, what is not in a backup, and what comes next.
fn lines(backup: &Backup, settings: &Settings, head: &str, earlier: Option<&Path>) -> Vec<String> {
    let manifest = &backup.manifest;
    let mut lines = vec![format!(
        "the log of {} goes on on this PC: {} events of the backup of {}, and one that records the restoring; anchor {head}",
        manifest.station, backup.anchor.count, manifest.taken_at
    )];
    lines.extend(earlier.map(|copy| format!("the configuration that was here is kept: {}", copy.display())));
    if !manifest.moved {
        lines.push(
            "the log did not move away with this backup: cards that were made after it are not in it, and open orders count too few. Keep \
             the old disk out of every PC; if it can be read, compare: `flashline log verify --against OLD-LOG`. An anchor that was written \
             down after the backup shows what is missing: `flashline log verify --anchor COUNT:HASH`"
                .to_owned(),
        );
    }
    let files = settings.models.iter().flat_map(|model| std::iter::once(&model.image).chain(&model.assertion));
    let missing: Vec<String> = files
        .chain(&settings.trust.roots)
        .chain(&settings.trust.with)
        .filter(|file| !file.exists())
        .map(|file| file.display().to_string())
        .collect();
    if !missing.is_empty() {
        lines.push(format!("images and assertions are not in a backup. Put these files in their places: {}", missing.join(", ")));
    }
    lines.push(
        "next: `flashline check`; `flashline slots teach`, if the readers have other ports here; systemctl enable --now flashline"
            .to_owned(),
    );
    lines
}
