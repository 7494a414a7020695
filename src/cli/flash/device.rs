//! The devices named on the command line: which disks they are, what uses them, and whether the user confirms them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Wrong;
use crate::cli::confirm::asked;
use crate::config::{self, ConfigError, ImageCheck, Settings};
use crate::file::is_same_file;
use crate::flash::rules::Rules;
use crate::flash::unanswered::Unanswered;
use crate::report::harmless_lines;
use crate::station::card::Card;
use crate::station::settings::Policy;
use crate::station::survey::Survey;
use crate::watch::sysfs::Sysfs;
use crate::watch::tables::{Tables, block_number};
use crate::watch::uses::{OwnPart, own_parts, survey_named};

/// The disks of this PC that must not be erased, from the configuration of its station.
pub(super) struct Guard {
    settings: Option<Settings>,
    erase_marks: bool,
}

impl Guard {
    /// A PC without a station has no configuration. If there is one, it must be valid, because it may name the PC's own disks.
    /// `erase_marks` decides whether marks are erased; without it, the configuration decides.
    pub(super) fn read(config: &Path, erase_marks: Option<bool>) -> Result<Self, ConfigError> {
        let settings = config.exists().then(|| config::read(config, ImageCheck::Unseen)).transpose()?;
        let configured = || settings.iter().flat_map(|settings| &settings.slots).any(|slot| slot.policy.erase_marks);
        let erase_marks = erase_marks.unwrap_or_else(configured);
        Ok(Self { settings, erase_marks })
    }

    /// The rules that hold for a named device.
    pub(super) fn policy(&self) -> Policy {
        let own_disks = self.settings.as_ref().map(|settings| settings.own_disks.clone()).unwrap_or_default();
        Policy { loop_devices: true, own_disks, erase_marks: self.erase_marks, ..Policy::default() }
    }

    /// The rules for a card's device, as in the configuration of this PC's station.
    pub(super) fn rules(&self) -> Rules {
        match &self.settings {
            Some(settings) => Rules {
                stall: settings.stall,
                flush_required: settings.flush_required,
                retries: settings.retries,
                unanswered: Arc::new(Unanswered::read(&settings.unanswered())),
            },
            None => Rules { stall: config::DEFAULT_STALL, flush_required: false, retries: 0, unanswered: Arc::default() },
        }
    }

    fn own_parts(&self) -> Vec<OwnPart> {
        own_parts(self.settings.as_ref().map(|settings| (settings.state.as_path(), settings.store())))
    }
}

/// A device from the command line, and the facts known about it.
pub(super) struct Named {
    pub(super) path: PathBuf,
    pub(super) survey: Survey,
}

/// Finds the disks behind the paths.
pub(super) fn name(paths: &[PathBuf], guard: &Guard) -> Result<Vec<Named>, Wrong> {
    let sysfs = Sysfs::default();
    let tables = Tables::now().map_err(Wrong::Tables)?;
    let own = guard.own_parts();
    let mut seen = BTreeSet::new();
    paths
        .iter()
        .map(|path| {
            let number = block_number(path).ok_or_else(|| not_a_device(path))?;
            let (disk, whole) = sysfs.disk_of(number).ok_or_else(|| Wrong::NotADevice(path.clone()))?;
            if !seen.insert(disk.clone()) {
                return Err(Wrong::Twice(path.clone()));
            }
            let mut survey = survey_named(&sysfs, &tables, &own, &disk).ok_or_else(|| Wrong::NoMedium(path.clone()))?;
            survey.card.whole_disk = whole;
            Ok(Named { path: path.clone(), survey })
        })
        .collect()
}

/// The error for a path that leads to no block device.
fn not_a_device(path: &Path) -> Wrong {
    let is_missing = matches!(path.metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound);
    if is_missing { Wrong::NotThere(path.to_owned()) } else { Wrong::NotADevice(path.to_owned()) }
}

/// Refuses a loop device whose bytes are those of `file`: otherwise the image or the log of this call would be overwritten.
pub(super) fn lies_on_none_of(named: &[Named], files: &[&Path]) -> Result<(), Wrong> {
    for device in named {
        let backing = Path::new("/sys/block").join(&device.survey.card.kernel_name).join("loop/backing_file");
        // A disk that is not a loop device has no such file.
        let Ok(backing) = fs::read_to_string(backing) else { continue };
        let backing = Path::new(backing.trim_end());
        if let Some(file) = files.iter().find(|file| is_same_file(file, backing)) {
            return Err(Wrong::OnItself { device: device.path.clone(), file: file.to_path_buf() });
        }
    }
    Ok(())
}

/// Asks the user at the terminal.
pub(super) fn confirm(named: &[Named], warnings: &[String]) -> Result<(), Wrong> {
    if !io::stdin().is_terminal() {
        return Err(Wrong::NotConfirmed);
    }
    for device in named {
        let Card { vendor, port, .. } = &device.survey.card;
        let vendor = vendor.as_deref().unwrap_or("");
        eprintln!("  {}  {vendor} {}  in {port}", device.path.display(), device.survey.card.label());
    }
    for warning in warnings {
        eprintln!("  warning: {}", harmless_lines(warning));
    }
    if asked("Everything on these is lost. Type yes to go on: ") { Ok(()) } else { Err(Wrong::NotConfirmed) }
}
