//! The configuration: a TOML file is read once, validated once, and becomes [`Settings`].
//!
//! An error names the file, the line, the key and the cure. An unknown key is an error, so that a typo does not become a default.

mod backups;
mod grammar;
mod models;
mod operator;
mod ports;
mod shared;
mod slots;
mod source;
mod tables;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::civil::Time;
use toml::Spanned;

use crate::file::{self, FileVersion};
use crate::station::allowed::Allowed;
use crate::station::armed::{Contents, Zeroes};
use crate::station::bins::Bins;
use crate::station::lamp::OwnedLamp;
use crate::station::outcome::Digest;
use crate::station::settings::{MOST_STALL_S, OwnDisk, STALL_S, SlotSettings, StationSettings};
use crate::station::units::Bytes;
pub(crate) use backups::BackupSettings;
use backups::prove_backups;
pub(crate) use grammar::{VERSION, version_of};
use models::{prove_models, prove_trust};
use operator::{box_size, prove_bins, station_bell};
pub(crate) use shared::{Shared, chain as shared_chain, share};
use slots::{own_disk, prove_lamps, prove_slots};
pub(crate) use source::ConfigError;
use source::{Mistakes, Source};
use tables::{DoneWord, File, FlushWord, MarksWord, RulesWord, ShiftTable};

/// Default time without progress after which a card has stalled.
pub(crate) const DEFAULT_STALL: Duration = Duration::from_secs(STALL_S);
/// The minimum: the kernel's own timeout of a SCSI command (`SD_TIMEOUT` in `drivers/scsi/sd.h`), and the same time again for its recovery.
const LEAST_STALL_S: u64 = 60;
/// A call that fails so often fails for good; each repetition may take the kernel's 30 seconds.
const MOST_RETRIES: u32 = 5;
/// The longest time for which a card may have to sit still. A larger number was probably meant in another unit, and a station that starts
/// no card looks broken.
const MOST_SETTLE_MS: u64 = 60_000;
/// How long a configuration must have been unchanged before a command that acts on it reads it: a copy under way is incomplete.
const SETTLED: Duration = Duration::from_secs(1);
/// How long such a command waits for that.
const SETTLING: Duration = Duration::from_secs(10);
/// Path of the configuration of a packaged station.
pub(crate) const DEFAULT_PATH: &str = "/etc/flashline/config.toml";
/// Path of the log and the staged images of a packaged station.
pub(crate) const DEFAULT_STATE: &str = "/var/lib/flashline";
/// Path of the control socket of a packaged station.
pub(crate) const DEFAULT_SOCKET: &str = "/run/flashline/control.sock";
/// The flash log, inside the state directory.
pub(crate) const LOG_FILE: &str = "flash-log.db";
/// The staged images, inside the state directory.
pub(crate) const STORE: &str = "images";

/// One decimal gigabyte, as on a card's label.
const GB: u64 = 1_000_000_000;

/// The required proof of the device that an image is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Require {
    /// The model inside is the configured one, and signatures reach from it and from every snap to a trusted root.
    #[default]
    Proven,
    /// The model inside is the configured one; signatures are not required.
    Matching,
    /// The image is not inspected.
    None,
}

/// The trusted keys and known assertions, as files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrustSettings {
    /// Trusted root keys besides Canonical's.
    pub roots: Vec<PathBuf>,
    /// Assertions that may complete a chain.
    pub with: Vec<PathBuf>,
}

/// A model and the image of its cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelSettings {
    /// The name by which slots refer to the model: `BRAND/MODEL`.
    pub name: String,
    /// The image file, raw or packed.
    pub image: PathBuf,
    /// BLAKE3 of the raw image that alone may be armed; `None` for whichever `image` holds.
    pub digest: Option<Digest>,
    /// What kind of contents the image may have.
    pub contents: Contents,
    /// How its zeroes are handled.
    pub zeroes: Zeroes,
    /// The signed model assertion that the image must contain.
    pub assertion: Option<PathBuf>,
    /// The required proof of its model.
    pub require: Require,
    /// Contents of the image that are allowed although nothing signs them.
    pub allowed: Allowed,
}

/// A whole, validated configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// BLAKE3 of the file as it was read.
    pub digest: Digest,
    /// Settings of the whole station.
    pub station: StationSettings,
    /// The directory of the log and the staged images.
    pub state: PathBuf,
    /// The limit of all staged images on the disk; images in use may exceed it.
    pub store_limit: Bytes,
    /// A card without progress for this time has stalled.
    pub stall: Duration,
    /// A card whose device does not empty its cache on request is refused.
    pub flush_required: bool,
    /// How often a read or write of a card that returned an error is repeated.
    pub retries: u32,
    /// The PC's own disks.
    pub own_disks: Vec<OwnDisk>,
    /// Trusted keys for models.
    pub trust: TrustSettings,
    /// Every model of the configuration.
    pub models: Vec<ModelSettings>,
    /// Every slot of the configuration, in its order.
    pub slots: Vec<SlotSettings>,
    /// When the shifts begin, by the PC's clock: in the order of the day, at least one.
    pub shifts: Vec<Time>,
    /// The directory for CSV files of the flash log, if any.
    pub log_files: Option<PathBuf>,
    /// Where backups are made by the timer, if they are.
    pub backup: Option<BackupSettings>,
    /// The flash log may be in memory, where it is lost when the power fails.
    pub volatile_log: bool,
    /// The path of the control socket.
    pub socket: PathBuf,
    /// The language of the panel, if one is configured.
    pub language: Option<String>,
    /// The panel beeps when a card has an outcome.
    pub panel_bell: bool,
    /// The names and colours of the bins beside the station.
    pub bins: Bins,
    /// The lamps of the slots, in the order of the slots, followed by the lamp of the station.
    pub lamps: Vec<OwnedLamp>,
    /// The input device that sounds when the station calls a person.
    pub station_bell: Option<PathBuf>,
}

impl Settings {
    /// The flash log's file.
    #[must_use]
    pub(crate) fn log(&self) -> PathBuf {
        self.state.join(LOG_FILE)
    }

    /// The staged images' directory.
    #[must_use]
    pub(crate) fn store(&self) -> PathBuf {
        self.state.join(STORE)
    }

    /// The file with the makes of devices that must not be asked to flush.
    #[must_use]
    pub(crate) fn unanswered(&self) -> PathBuf {
        self.state.join("unanswered.json")
    }
}

/// Must the images exist? A user who reads the log may not even have access to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageCheck {
    /// Each must be a file that can be opened.
    Proved,
    /// They are not checked.
    Unseen,
}

/// Reads and validates the file at `path`. Relative paths in it are relative to its directory.
///
/// # Errors
/// All mistakes. If the text is not TOML, or a table lacks a required key, only the first such mistake.
pub(crate) fn read(path: &Path, images: ImageCheck) -> Result<Settings, ConfigError> {
    of_bytes(path, &bytes_of(path)?, images)
}

/// Validates these bytes as the file at `path`, which need not exist yet.
///
/// # Errors
/// All mistakes, as [`read`] tells them.
pub(crate) fn of_bytes(path: &Path, bytes: &[u8], images: ImageCheck) -> Result<Settings, ConfigError> {
    let settings = prove(path, source::decode(path, bytes)?, images)?;
    // Of the bytes, so that `b3sum` prints the same, also for a file with a byte order mark.
    Ok(Settings { digest: digest(bytes), ..settings })
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let mut bytes = Vec::new();
    file::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map(|_| bytes).map_err(|source| {
        let path = path.to_owned();
        if file::is_no_file(&source) { ConfigError::NotAFile { path } } else { ConfigError::Read { path, source } }
    })
}

/// The same for a command that acts on it: waits for a file that is still being written.
///
/// # Errors
/// As [`read`], and if the file changes all the time.
pub(crate) fn read_settled(path: &Path, images: ImageCheck) -> Result<Settings, ConfigError> {
    of_bytes(path, &settled(path, SETTLED, SETTLING)?, images)
}

/// The contents of a file that was not changed for `least`, nor while it was read.
fn settled(path: &Path, least: Duration, patience: Duration) -> Result<Vec<u8>, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let version = || FileVersion::of(path).map_err(failed);
    let began = Instant::now();
    loop {
        let before = version()?;
        before.rest(least);
        let bytes = bytes_of(path)?;
        if version()? == before {
            return Ok(bytes);
        }
        if began.elapsed() >= patience {
            return Err(ConfigError::Unsettled { path: path.to_owned() });
        }
    }
}

/// Validates this text as the file at `path`, which need not exist yet.
///
/// # Errors
/// All mistakes. If the text is not TOML, or a table lacks a required key, only the first such mistake.
pub(crate) fn prove(path: &Path, text: &str, images: ImageCheck) -> Result<Settings, ConfigError> {
    let source = Source { path, text };
    let mut mistakes = Mistakes::default();
    grammar::prove(&source, &mut mistakes)?;
    mistakes.none()?;
    let file: File =
        toml::from_str(text).map_err(|error| source.wrong(error.span().unwrap_or(0..0), grammar::translated(error.message())))?;
    let base = path.parent().unwrap_or(Path::new("."));
    let own_disks: Vec<OwnDisk> = file.own_disk.iter().filter_map(|table| mistakes.note(own_disk(&source, table))).collect();
    let trust = prove_trust(&source, base, &file.trust, images, &mut mistakes);
    let models = prove_models(&source, base, &file.model, images, &mut mistakes);
    let names: Vec<&str> = file.model.iter().map(|model| model.get_ref().name.get_ref().as_str()).collect();
    let mut slots = prove_slots(&source, &file.slot, &names, &own_disks, &mut mistakes);
    slots.iter_mut().for_each(|slot| slot.policy.covered_only = file.policy.rules == RulesWord::Required);
    slots.iter_mut().for_each(|slot| slot.policy.erase_marks = file.policy.marks == MarksWord::Erase);
    let name = mistakes.note(source.name("name", &file.station.name));
    let store_limit = mistakes.note(store_limit(&source, &file.station.store_limit_gb));
    let stall = mistakes.note(stall(&source, &file.station.stall_timeout_s));
    let retries = mistakes.note(retries(&source, &file.policy.retries));
    let settle = mistakes.note(settle(&source, &file.station.settle_ms));
    let shifts = mistakes.note(prove_shifts(&source, &file.shift));
    let lamps = mistakes.note(prove_lamps(&source, &file.slot, file.station.lamp.as_ref()));
    let bell = mistakes.note(station_bell(&source, &file.station.bell));
    let boxes = mistakes.note(box_size(&source, &file.order.box_size));
    let state = base.join(&file.station.state);
    let backup = mistakes.note(prove_backups(&source, base, &state, &file.backup));
    let bins = prove_bins(&source, &file.panel.bins, &mut mistakes);
    mistakes.none()?;
    let (
        Some(name),
        Some(store_limit),
        Some(stall),
        Some(retries),
        Some(settle),
        Some(shifts),
        Some(lamps),
        Some(station_bell),
        Some(box_size),
        Some(backup),
        Some(bins),
    ) = (name, store_limit, stall, retries, settle, shifts, lamps, bell, boxes, backup, bins)
    else {
        return Err(mistakes.all());
    };
    Ok(Settings {
        digest: digest(text.as_bytes()),
        station: StationSettings {
            name,
            settle,
            flash_present: file.station.flash_present,
            recheck_done: file.policy.done == DoneWord::Recheck,
            first_off: file.policy.first_off,
            box_size,
        },
        state,
        store_limit,
        stall,
        flush_required: file.policy.flush == FlushWord::Required,
        retries,
        own_disks,
        trust,
        models,
        slots,
        shifts,
        backup,
        volatile_log: file.log.volatile,
        socket: base.join(file.control.socket),
        language: file.panel.language.map(|language| language.code().to_owned()),
        panel_bell: file.panel.bell,
        bins,
        lamps,
        station_bell,
        log_files: Some(file.log.directory).filter(|directory| !directory.as_os_str().is_empty()).map(|directory| base.join(directory)),
    })
}

fn store_limit(source: &Source<'_>, limit: &Spanned<u64>) -> Result<Bytes, ConfigError> {
    limit.get_ref().checked_mul(GB).map(Bytes).ok_or_else(|| {
        source.wrong(limit.span(), "`store_limit_gb` is the most the staged images may take of the disk, in GB of 1000000000 bytes")
    })
}

fn settle(source: &Source<'_>, settle: &Spanned<u64>) -> Result<Duration, ConfigError> {
    if *settle.get_ref() > MOST_SETTLE_MS {
        let problem = format!(
            "`settle_ms` is at most {MOST_SETTLE_MS}: it counts milliseconds, and so long a card stays in its slot before it is started; \
             700 is usual"
        );
        return Err(source.wrong(settle.span(), problem));
    }
    Ok(Duration::from_millis(*settle.get_ref()))
}

fn stall(source: &Source<'_>, stall: &Spanned<u64>) -> Result<Duration, ConfigError> {
    if *stall.get_ref() < LEAST_STALL_S {
        let problem = format!(
            "`stall_timeout_s` is at least {LEAST_STALL_S}: a device has 30 s to answer a command before the kernel resets it, and udev may \
             keep a disk locked for as long again"
        );
        return Err(source.wrong(stall.span(), problem));
    }
    if *stall.get_ref() > MOST_STALL_S {
        let problem = format!("`stall_timeout_s` is at most {MOST_STALL_S}, an hour: a card that moves nothing for so long never will");
        return Err(source.wrong(stall.span(), problem));
    }
    Ok(Duration::from_secs(*stall.get_ref()))
}

fn retries(source: &Source<'_>, retries: &Spanned<u64>) -> Result<u32, ConfigError> {
    u32::try_from(*retries.get_ref()).ok().filter(|count| *count <= MOST_RETRIES).ok_or_else(|| {
        let problem = format!(
            "`retries` is at most {MOST_RETRIES}: it is how often one read or write of a card is repeated after an error, and a card that \
             needs more is not one to ship; 0 repeats nothing"
        );
        source.wrong(retries.span(), problem)
    })
}

/// The time of day in this text, as `06:00`; `None` for any other text.
fn time_of_day(text: &str) -> Option<Time> {
    Time::strptime("%H:%M", text).ok().filter(|_| text.len() == 5)
}

fn prove_shifts(source: &Source<'_>, table: &ShiftTable) -> Result<Vec<Time>, ConfigError> {
    const CURE: &str = "write the times of day at which a shift begins, as in starts = [\"06:00\", \"14:00\", \"22:00\"]";
    let starts = table.starts.get_ref();
    if starts.is_empty() {
        return Err(source.wrong(table.starts.span(), format!("`starts` is empty: {CURE}")));
    }
    let mut times = Vec::new();
    for start in starts {
        let text = start.get_ref();
        let Some(time) = time_of_day(text) else {
            return Err(source.wrong(start.span(), format!("`starts`: {text:?} is no time of day: {CURE}")));
        };
        if times.last().is_some_and(|before| *before >= time) {
            return Err(source.wrong(start.span(), format!("`starts`: {text:?} does not come after the one before it: {CURE}")));
        }
        times.push(time);
    }
    Ok(times)
}

#[cfg(test)]
mod settled_cases;
#[cfg(test)]
pub(super) mod tests;
