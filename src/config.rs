//! The configuration: TOML as typed, read once and proved once, then [`Settings`].
//!
//! An error names the file, the line, the key and the cure. A key nobody knows is an error: a typo must not become a default.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Time;
use serde::Deserialize;
use toml::Spanned;

use crate::station::StationSettings;
use crate::station::admit::{OwnDisk, Policy};
use crate::station::allowed::Allowed;
use crate::station::cabling::{Chain, places};
use crate::station::card::Port;
use crate::station::lamp::{Lamp, NoLamp, SlotLamp, overlap};
use crate::station::record::Zeroes;
use crate::station::slot::SlotSettings;
use crate::station::units::Bytes;

/// Where a packaged station has it.
pub const DEFAULT_PATH: &str = "/etc/flashline/config.toml";
/// Where a packaged station keeps log and staged images.
pub const DEFAULT_STATE: &str = "/var/lib/flashline";
/// Where a packaged station can be asked.
pub const DEFAULT_SOCKET: &str = "/run/flashline/control.sock";
/// The flash log, inside the state directory.
pub const LOG_FILE: &str = "flash-log.db";
/// The staged images, inside the state directory.
pub const STORE: &str = "images";

/// Contact bounce of a card pushed in by hand ends well within this.
const SETTLE_MS: u64 = 700;
/// Three times the kernel's own patience with a SCSI command: what it would still resolve by itself is left to it.
const STALL_S: u64 = 90;
/// Eight images of 8 GB, as for common cards, and half the disk of a small PC.
const STORE_LIMIT_GB: u64 = 64;
/// Three shifts, as most factories that never stop have them.
const SHIFT_STARTS: [&str; 3] = ["06:00", "14:00", "22:00"];
/// One decimal gigabyte, as on a card's label.
const GB: u64 = 1_000_000_000;

/// What was wrong with a configuration, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("reading the configuration {path}: check the path and who may read it, or name another with --config")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is in it cannot be used.
    #[error("{}", Place(.path, .line, .problem))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
        /// What, and the cure.
        problem: String,
    },
}

struct Place<'a>(&'a Path, &'a usize, &'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}", self.0.display(), self.1, self.2)
    }
}

/// How sure the station must be of what device an image is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Require {
    /// The model inside is the one configured, and signatures reach from it and from every snap to a trusted root.
    #[default]
    Proven,
    /// The model inside is the one configured; signatures are not demanded.
    Matching,
    /// Nobody looks inside.
    None,
}

/// Whom the station believes, as files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustSettings {
    /// Roots beside Canonical's.
    pub roots: Vec<PathBuf>,
    /// Assertions that may complete a chain.
    pub with: Vec<PathBuf>,
}

/// A model and the image its cards get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSettings {
    /// `BRAND/MODEL`.
    pub name: String,
    /// The image file, raw or packed.
    pub image: PathBuf,
    /// What is done about its zeroes.
    pub zeroes: Zeroes,
    /// The signed model assertion the image must hold.
    pub assertion: Option<PathBuf>,
    /// How sure the station must be of it.
    pub require: Require,
    /// What may be in the image although nothing signs it.
    pub allowed: Allowed,
}

/// A whole configuration, proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What holds for the whole station.
    pub station: StationSettings,
    /// Where log and staged images live.
    pub state: PathBuf,
    /// The staged images take no more of the disk than this, those in use excepted.
    pub store_limit: Bytes,
    /// A card that moves nothing for so long has stalled.
    pub stall: Duration,
    /// The PC's own disks.
    pub own_disks: Vec<OwnDisk>,
    /// Whom it believes about models.
    pub trust: TrustSettings,
    /// Every model.
    pub models: Vec<ModelSettings>,
    /// Every slot.
    pub slots: Vec<SlotSettings>,
    /// When a shift begins, on the PC's own clock: in the order of the day, and at least one.
    pub shifts: Vec<Time>,
    /// Where the flash log is also kept as files for people, if anywhere.
    pub log_files: Option<PathBuf>,
    /// Where the station can be asked.
    pub socket: PathBuf,
    /// The language of the panel, where one is chosen.
    pub language: Option<String>,
    /// The panel beeps when a card is done with.
    pub bell: bool,
    /// The slots' lamps, in the order of the slots.
    pub lamps: Vec<SlotLamp>,
}

impl Settings {
    /// The flash log's file.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.state.join(LOG_FILE)
    }

    /// The staged images' directory.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.state.join(STORE)
    }
}

/// Does a reader of the configuration want its images? Who reads the log may not even see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// Each must be a file that can be opened.
    Proved,
    /// They are not looked at.
    Unseen,
}

/// Reads and proves the file at `path`. Relative paths in it count from its own directory.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(path: &Path, images: Images) -> Result<Settings, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    prove(path, &text, images)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    station: StationTable,
    #[serde(default)]
    trust: TrustTable,
    #[serde(default)]
    model: Vec<Spanned<ModelTable>>,
    #[serde(default)]
    slot: Vec<Spanned<SlotTable>>,
    #[serde(default)]
    own_disk: Vec<Spanned<OwnDiskTable>>,
    #[serde(default)]
    shift: ShiftTable,
    #[serde(default)]
    log: LogTable,
    #[serde(default)]
    policy: PolicyTable,
    #[serde(default)]
    control: ControlTable,
    #[serde(default)]
    panel: PanelTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PanelTable {
    language: Option<Language>,
    bell: bool,
}

/// The languages there are; what the panel has files for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Language {
    En,
    De,
    Es,
    Pl,
    Zh,
}

impl Language {
    fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Es => "es",
            Self::Pl => "pl",
            Self::Zh => "zh",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ControlTable {
    socket: PathBuf,
}

impl Default for ControlTable {
    fn default() -> Self {
        Self { socket: PathBuf::from(DEFAULT_SOCKET) }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PolicyTable {
    done: DoneWord,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum DoneWord {
    #[default]
    Recheck,
    Reflash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ShiftTable {
    starts: Spanned<Vec<Spanned<String>>>,
}

impl Default for ShiftTable {
    fn default() -> Self {
        Self { starts: Spanned::new(0..0, SHIFT_STARTS.iter().map(|start| Spanned::new(0..0, (*start).to_owned())).collect()) }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogTable {
    directory: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StationTable {
    name: Spanned<String>,
    state: PathBuf,
    settle_ms: u64,
    flash_present: bool,
    stall_timeout_s: u64,
    store_limit_gb: Spanned<u64>,
}

impl Default for StationTable {
    fn default() -> Self {
        Self {
            name: Spanned::new(0..0, "station".to_owned()),
            state: PathBuf::from(DEFAULT_STATE),
            settle_ms: SETTLE_MS,
            flash_present: false,
            stall_timeout_s: STALL_S,
            store_limit_gb: Spanned::new(0..0, STORE_LIMIT_GB),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TrustTable {
    roots: Vec<Spanned<PathBuf>>,
    with: Vec<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelTable {
    name: Spanned<String>,
    image: Spanned<PathBuf>,
    assertion: Option<Spanned<PathBuf>>,
    require: Option<RequireWord>,
    #[serde(default)]
    allow: Vec<Spanned<String>>,
    #[serde(default)]
    zeroes: ZeroesWord,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RequireWord {
    Proven,
    Matching,
    None,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ZeroesWord {
    #[default]
    Prove,
    Write,
    Skip,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotTable {
    name: Spanned<String>,
    ports: Spanned<Vec<Spanned<String>>>,
    hangs_on: Option<Spanned<Vec<Spanned<String>>>>,
    model: Spanned<String>,
    #[serde(default)]
    cards: Cards,
    capacity_gb: Option<Spanned<[u64; 2]>>,
    lamp: Option<Spanned<LampTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LampTable {
    led: Option<Spanned<String>>,
    green: Option<Spanned<String>>,
    red: Option<Spanned<String>>,
    yellow: Option<Spanned<String>>,
    blue: Option<Spanned<String>>,
}

impl LampTable {
    fn key(&self, key: &str) -> Option<&Spanned<String>> {
        match key {
            "led" => self.led.as_ref(),
            "green" => self.green.as_ref(),
            "red" => self.red.as_ref(),
            "yellow" => self.yellow.as_ref(),
            "blue" => self.blue.as_ref(),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Cards {
    #[default]
    Reuse,
    Blank,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnDiskTable {
    wwn: Option<String>,
    vendor: Option<String>,
    product: Option<String>,
    serial: Option<String>,
    bytes: Option<u64>,
}

/// A text and the means to say where in it something is wrong.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn wrong(&self, span: Range<usize>, problem: impl Into<String>) -> ConfigError {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        ConfigError::Wrong { path: self.path.to_owned(), line, problem: problem.into() }
    }

    /// A name people read on stickers and in tables: something, and nothing that would break a line.
    fn name(&self, key: &str, name: &Spanned<String>) -> Result<String, ConfigError> {
        let text = name.get_ref();
        if text.trim().is_empty() || text.trim() != text || text.chars().any(char::is_control) {
            return Err(self.wrong(name.span(), format!("`{key}` must be a name without spaces around it, not {text:?}")));
        }
        Ok(text.clone())
    }
}

/// Proves this text as the file at `path`, which need not be there yet.
///
/// # Errors
/// The first thing that is wrong.
pub fn prove(path: &Path, text: &str, images: Images) -> Result<Settings, ConfigError> {
    let source = Source { path, text };
    let file: File = toml::from_str(text).map_err(|error| source.wrong(error.span().unwrap_or(0..0), error.message()))?;
    let base = path.parent().unwrap_or(Path::new("."));
    let own_disks = file.own_disk.iter().map(|table| own_disk(&source, table)).collect::<Result<Vec<_>, _>>()?;
    let trust = prove_trust(&source, base, &file.trust, images)?;
    let models = prove_models(&source, base, &file.model, images)?;
    let slots = prove_slots(&source, &file.slot, &models, &own_disks)?;
    let name = source.name("name", &file.station.name)?;
    let limit = &file.station.store_limit_gb;
    let store_limit = limit.get_ref().checked_mul(GB).map(Bytes).ok_or_else(|| {
        source.wrong(limit.span(), "`store_limit_gb` is the most the staged images may take of the disk, in GB of 1000000000 bytes")
    })?;
    Ok(Settings {
        station: StationSettings {
            name,
            settle: Duration::from_millis(file.station.settle_ms),
            flash_present: file.station.flash_present,
            recheck_done: file.policy.done == DoneWord::Recheck,
        },
        state: base.join(file.station.state),
        store_limit,
        stall: Duration::from_secs(file.station.stall_timeout_s),
        own_disks,
        trust,
        models,
        slots,
        shifts: prove_shifts(&source, &file.shift)?,
        socket: base.join(file.control.socket),
        language: file.panel.language.map(|language| language.code().to_owned()),
        bell: file.panel.bell,
        lamps: prove_lamps(&source, &file.slot)?,
        log_files: Some(file.log.directory).filter(|directory| !directory.as_os_str().is_empty()).map(|directory| base.join(directory)),
    })
}

/// The trust itself is proven where it is used, so that a file that is wrong there keeps those models from being armed that need it.
fn prove_trust(source: &Source<'_>, base: &Path, table: &TrustTable, images: Images) -> Result<TrustSettings, ConfigError> {
    let files = |key: &str, files: &[Spanned<PathBuf>]| {
        files.iter().map(|file| named_file(source, base, key, file, images)).collect::<Result<Vec<_>, _>>()
    };
    Ok(TrustSettings { roots: files("roots", &table.roots)?, with: files("with", &table.with)? })
}

/// A file that the configuration names: where it lies, and that it can be opened, where that is wanted.
fn named_file(source: &Source<'_>, base: &Path, key: &str, file: &Spanned<PathBuf>, images: Images) -> Result<PathBuf, ConfigError> {
    let path = base.join(file.get_ref());
    if images == Images::Proved
        && let Err(error) = openable(&path)
    {
        let problem = format!("`{key}`: {}: {error}: correct the path, or copy the file there", path.display());
        return Err(source.wrong(file.span(), problem));
    }
    Ok(path)
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
        let Some(time) = Time::strptime("%H:%M", text).ok().filter(|_| text.len() == 5) else {
            return Err(source.wrong(start.span(), format!("`starts`: {text:?} is no time of day: {CURE}")));
        };
        if times.last().is_some_and(|before| *before >= time) {
            return Err(source.wrong(start.span(), format!("`starts`: {text:?} does not come after the one before it: {CURE}")));
        }
        times.push(time);
    }
    Ok(times)
}

fn prove_models(
    source: &Source<'_>,
    base: &Path,
    tables: &[Spanned<ModelTable>],
    images: Images,
) -> Result<Vec<ModelSettings>, ConfigError> {
    if tables.is_empty() {
        return Err(source.wrong(0..0, "there is no model: add a [[model]] table with `name` and `image`"));
    }
    let mut models: Vec<ModelSettings> = Vec::new();
    for table in tables.iter().map(Spanned::get_ref) {
        let name = source.name("name", &table.name)?;
        if models.iter().any(|model| model.name == name) {
            return Err(source.wrong(table.name.span(), format!("`name`: the model {name:?} is there twice: remove or rename one")));
        }
        let image = named_file(source, base, "image", &table.image, images)?;
        let assertion = table.assertion.as_ref().map(|file| named_file(source, base, "assertion", file, images)).transpose()?;
        let require = match table.require {
            None | Some(RequireWord::Proven) => Require::Proven,
            Some(RequireWord::Matching) => Require::Matching,
            Some(RequireWord::None) => Require::None,
        };
        if let (Require::None, Some(file)) = (require, &table.assertion) {
            let problem = "`assertion` is never looked at where `require` is \"none\": remove one of them";
            return Err(source.wrong(file.span(), problem));
        }
        let allowed = allowed(source, &table.allow)?;
        let zeroes = match table.zeroes {
            ZeroesWord::Prove => Zeroes::Prove,
            ZeroesWord::Write => Zeroes::Write,
            ZeroesWord::Skip => Zeroes::Skip,
        };
        models.push(ModelSettings { name, image, zeroes, assertion, require, allowed });
    }
    Ok(models)
}

fn allowed(source: &Source<'_>, words: &[Spanned<String>]) -> Result<Allowed, ConfigError> {
    let mut allowed = Allowed::default();
    for word in words {
        allowed.add(word.get_ref()).map_err(|why| source.wrong(word.span(), format!("`allow`: {why}")))?;
    }
    Ok(allowed)
}

/// A regular file that may be read. Asked before it is opened: opening a pipe would wait for somebody to write into it.
fn openable(path: &Path) -> io::Result<()> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    fs::File::open(path).map(drop)
}

fn prove_slots(
    source: &Source<'_>,
    tables: &[Spanned<SlotTable>],
    models: &[ModelSettings],
    own_disks: &[OwnDisk],
) -> Result<Vec<SlotSettings>, ConfigError> {
    if tables.is_empty() {
        let problem = "there is no slot: add a [[slot]] table with `name`, `ports` and `model`; `flashline slots` lists the ports";
        return Err(source.wrong(0..0, problem));
    }
    let mut slots: Vec<SlotSettings> = Vec::new();
    let mut taken = BTreeSet::new();
    for table in tables.iter().map(Spanned::get_ref) {
        let name = source.name("name", &table.name)?;
        if slots.iter().any(|slot| slot.name == name) {
            return Err(source.wrong(table.name.span(), format!("`name`: the slot {name:?} is there twice: rename one")));
        }
        let model = table.model.get_ref();
        if !models.iter().any(|known| known.name == *model) {
            let known: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
            let problem =
                format!("`model`: there is no model {model:?}: add a [[model]] with this name, or use one of: {}", known.join(", "));
            return Err(source.wrong(table.model.span(), problem));
        }
        if table.ports.get_ref().is_empty() {
            let problem = format!("`ports` of slot {name:?} is empty: `flashline slots` lists the ports");
            return Err(source.wrong(table.name.span(), problem));
        }
        let mut ports = Vec::new();
        for port in table.ports.get_ref() {
            let text = source.name("ports", port)?;
            if !taken.insert(text.clone()) {
                let owner = slots.iter().find(|slot| slot.ports.contains(&Port(text.clone()))).map_or(name.as_str(), |slot| &slot.name);
                let problem =
                    format!("`ports`: {text:?} already belongs to slot {owner:?}: a port is one slot, remove it from one of them");
                return Err(source.wrong(port.span(), problem));
            }
            ports.push(Port(text));
        }
        let capacity = table.capacity_gb.as_ref().map(|window| capacity(source, window)).transpose()?;
        let hung_on = table.hangs_on.as_ref().map_or(Ok(Vec::new()), |chains| hung_on(source, &ports, chains))?;
        let reuse = matches!(table.cards, Cards::Reuse);
        let policy = Policy { reuse, capacity, loop_devices: false, own_disks: own_disks.to_vec(), hung_on };
        slots.push(SlotSettings { name, ports, model: model.clone(), policy });
    }
    Ok(slots)
}

fn prove_lamps(source: &Source<'_>, tables: &[Spanned<SlotTable>]) -> Result<Vec<SlotLamp>, ConfigError> {
    let mut lamps: Vec<SlotLamp> = Vec::new();
    for table in tables.iter().map(Spanned::get_ref) {
        let Some(keys) = &table.lamp else { continue };
        let place = |key: Option<&str>| key.and_then(|key| keys.get_ref().key(key)).map_or_else(|| keys.span(), Spanned::span);
        let lamp = Lamp::of_keys(|key| keys.get_ref().key(key).map(|name| name.get_ref().clone()))
            .map_err(|error: NoLamp| source.wrong(place(error.key()), error.to_string()))?;
        for (key, led) in lamp.leds() {
            if let Some(owner) = lamps.iter().find(|other| other.lamp.leds().iter().any(|(_, taken)| overlap(taken, led))) {
                let problem =
                    format!("`{key}`: the LED {led:?} already belongs to the lamp of slot {:?}: remove it from one of them", owner.slot);
                return Err(source.wrong(place(Some(key)), problem));
            }
        }
        lamps.push(SlotLamp { slot: table.name.get_ref().clone(), lamp });
    }
    Ok(lamps)
}

/// What each port hung on when the slot was taught; nothing for a port with an empty text.
fn hung_on(source: &Source<'_>, ports: &[Port], chains: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<(Port, Chain)>, ConfigError> {
    const CURE: &str = "`flashline slots teach` writes it, and without it nothing is compared";
    if chains.get_ref().len() != ports.len() {
        let problem =
            format!("`hangs_on` has one text for each of `ports`, in their order, with \"\" for one that may hang on anything: {CURE}");
        return Err(source.wrong(chains.span(), problem));
    }
    let mut hung_on = Vec::new();
    for (port, text) in ports.iter().zip(chains.get_ref()) {
        let chain = Chain::parse(text.get_ref());
        if chain.0.len() > places(port).len() {
            let problem = format!("`hangs_on`: {:?} names more devices than {port} hangs on: {CURE}", text.get_ref());
            return Err(source.wrong(text.span(), problem));
        }
        if !chain.0.is_empty() {
            hung_on.push((port.clone(), chain));
        }
    }
    Ok(hung_on)
}

fn capacity(source: &Source<'_>, window: &Spanned<[u64; 2]>) -> Result<(Bytes, Bytes), ConfigError> {
    let [least, most] = *window.get_ref();
    match (least.checked_mul(GB), most.checked_mul(GB)) {
        (Some(least), Some(most)) if least <= most => Ok((Bytes(least), Bytes(most))),
        _ => Err(source.wrong(window.span(), "`capacity_gb` is [least, most] in GB of 1000000000 bytes, the least first")),
    }
}

fn own_disk(source: &Source<'_>, table: &Spanned<OwnDiskTable>) -> Result<OwnDisk, ConfigError> {
    let given = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    match table.get_ref() {
        OwnDiskTable { wwn: Some(wwn), vendor: None, product: None, serial: None, bytes: None } => Ok(OwnDisk::wwn(wwn)),
        OwnDiskTable { wwn: None, vendor: Some(vendor), product: Some(product), serial: Some(serial), bytes: Some(bytes) } => {
            Ok(OwnDisk::Description { vendor: given(vendor), product: given(product), serial: given(serial), capacity: Bytes(*bytes) })
        }
        _ => {
            let problem = "[[own_disk]] has either `wwn`, or all of `vendor`, `product`, `serial` and `bytes`, with \"\" for what the disk \
                           does not give: `flashline slots own-disks` prints the tables of this PC";
            Err(source.wrong(table.span(), problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with an image in it, and what becomes of a configuration there.
    fn proved(text: &str) -> Result<Settings, String> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join("box.img"), [1]).expect("it can be written");
        let path = directory.path().join("config.toml");
        fs::write(&path, text).expect("it can be written");
        read(&path, Images::Proved).map_err(|error| error.to_string().replace(&directory.path().display().to_string(), "DIR"))
    }

    const GOOD: &str = r#"
[[model]]
name = "acme/box"
image = "box.img"

[[slot]]
name = "A1"
ports = ["pci-0000:00:14.0/usb3-1/lun-0", "pci-0000:00:14.0/usb2-1/lun-0"]
model = "acme/box"
"#;

    #[test]
    fn a_small_configuration_gets_every_default() {
        let settings = proved(GOOD).expect("it is good");
        assert_eq!(settings.station.settle, Duration::from_millis(700));
        assert_eq!(settings.state, Path::new("/var/lib/flashline"));
        assert!(!settings.station.flash_present);
        assert_eq!(settings.slots[0].policy, Policy::default());
        assert_eq!(settings.slots[0].ports.len(), 2);
        assert_eq!(settings.shifts, [6, 14, 22].map(|hour| Time::constant(hour, 0, 0, 0)));
        assert_eq!(settings.log_files, None);
    }

    #[test]
    fn the_directory_of_the_log_files_counts_from_the_configuration_as_every_path_does() {
        let files = |directory: &str| {
            let text = format!("[log]\ndirectory = {directory:?}\n{GOOD}");
            prove(Path::new("/etc/flashline/config.toml"), &text, Images::Unseen).expect("it is good").log_files
        };
        assert_eq!(files("/srv/share"), Some("/srv/share".into()));
        assert_eq!(files("log"), Some("/etc/flashline/log".into()));
        assert_eq!(files(""), None, "an empty one is none");
    }

    #[test]
    fn every_mistake_is_named_with_its_line_its_key_and_a_cure() {
        let mistakes = [
            ("name = \"A1\"", "name = \"A1\"\nspeed = 3", "line 8: unknown field `speed`"),
            ("image = \"box.img\"", "image = \"none.img\"", "line 4: `image`: DIR/none.img: No such file"),
            ("model = \"acme/box\"", "model = \"acme/bax\"", "line 9: `model`: there is no model \"acme/bax\": add a [[model]]"),
            ("[[model]]", "[[model]", "line 2: "),
            ("image = \"box.img\"", "image = \"box.img\"\nassertion = \"none.model\"", "line 5: `assertion`: DIR/none.model: No such file"),
            ("image = \"box.img\"", "image = \"box.img\"\nrequire = \"maybe\"", "line 5: unknown variant `maybe`"),
            (
                "image = \"box.img\"",
                "image = \"box.img\"\nassertion = \"box.img\"\nrequire = \"none\"",
                "line 5: `assertion` is never looked at where `require` is \"none\"",
            ),
            ("image = \"box.img\"", "image = \"box.img\"\nallow = [\"a\", \"/\"]", "line 5: `allow`: \"/\" is no path"),
            ("image = \"box.img\"", "image = \"box.img\"\nallow = [\"../etc\"]", "line 5: `allow`: \"../etc\" is no path"),
            ("image = \"box.img\"", "image = \"box.img\"\nallow = [\"partition-x\"]", "line 5: `allow`: \"partition-x\" is no partition"),
            ("\n[[model]]", "[trust]\nroots = [\"none.trusted\"]\n[[model]]", "line 2: `roots`: DIR/none.trusted: No such file"),
            ("\n[[model]]", "[trust]\nwith = [\"none.bundle\"]\n[[model]]", "line 2: `with`: DIR/none.bundle: No such file"),
            ("ports = [\"pci-0000:00:14.0/usb3-1/lun-0\", ", "ports = [\"pci-0000:00:14.0/usb2-1/lun-0\", ", "line 8: `ports`: "),
            ("name = \"A1\"", "name = \" A1\"", "line 7: `name` must be a name"),
            ("name = \"A1\"", "name = \"A1\"\nhangs_on = [\"05e3:0610\"]", "line 8: `hangs_on` has one text for each of `ports`"),
            ("name = \"A1\"", "name = \"A1\"\nhangs_on = [\"\",\n\"a:1 > b:2\"]", "line 9: `hangs_on`: \"a:1 > b:2\" names more devices"),
            ("\n[[model]]", "[station]\nname = \"a\\nA1  PASS\"\n[[model]]", "line 2: `name` must be a name"),
            ("\n[[model]]", "[station]\nstore_limit_gb = 9000000000000\n[[model]]", "line 2: `store_limit_gb` is the most"),
            ("\n[[model]]", "[shift]\nstarts = []\n[[model]]", "line 2: `starts` is empty: write the times of day"),
            ("\n[[model]]", "[shift]\nstarts = [\"06:00\",\n\"24:00\"]\n[[model]]", "line 3: `starts`: \"24:00\" is no time of day"),
            ("\n[[model]]", "[shift]\nstarts = [\"6:00\"]\n[[model]]", "line 2: `starts`: \"6:00\" is no time of day"),
            ("\n[[model]]", "[shift]\nstarts = [\"06:00\", \"06:00\"]\n[[model]]", "line 2: `starts`: \"06:00\" does not come after"),
            ("\n[[model]]", "[log]\ndirectry = \"x\"\n[[model]]", "line 2: unknown field `directry`"),
            ("\n[[model]]", "[policy]\ndone = \"erase\"\n[[model]]", "line 2: unknown variant `erase`, expected `recheck` or `reflash`"),
            ("image = \"box.img\"", "image = \".\"", "line 4: `image`: DIR/.: not a regular file"),
            ("\n[[model]]", "[[own_disk]]\nserial = \"4C53\"\nbytes = 1000\n[[model]]", "line 1: [[own_disk]] has either"),
            ("model = \"acme/box\"", "model = \"acme/box\"\ncapacity_gb = [9, 8]", "line 10: `capacity_gb`"),
            ("name = \"A1\"", "name = \"A1\"\nlamp = {}", "line 8: `lamp` names no LED: write lamp = { led = \"NAME\" }"),
            ("name = \"A1\"", "name = \"A1\"\nlamp = { white = \"a\" }", "line 8: unknown field `white`"),
            (
                "name = \"A1\"",
                "name = \"A1\"\nlamp.green = \"g\"\nlamp.red = \"/dev/sda\"",
                "line 9: `red`: \"/dev/sda\" is no name of an LED",
            ),
            ("name = \"A1\"", "name = \"A1\"\nlamp.green = \"g\"\nlamp.led = \"a\"", "line 9: `led` is for a lamp of a single LED"),
            ("name = \"A1\"", "name = \"A1\"\nlamp = { red = \"r\" }", "line 8: `lamp` has colours and no `green`"),
            ("\n[[model]]", "[panel]\nbell = 1\n[[model]]", "line 2: invalid type: integer `1`, expected a boolean"),
            (
                "model = \"acme/box\"",
                "model = \"acme/box\"\ncards = \"new\"",
                "line 10: unknown variant `new`, expected `reuse` or `blank`",
            ),
        ];
        for (right, wrong, expected) in mistakes {
            let text = GOOD.replacen(right, wrong, 1);
            let error = proved(&text).expect_err(wrong);
            assert!(error.contains(expected), "{wrong}\n  says: {error}\n  not:  {expected}");
        }
    }

    #[test]
    fn who_only_reads_the_log_needs_no_image() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("config.toml");
        fs::write(&path, GOOD).expect("it can be written");
        read(&path, Images::Unseen).expect("the image is not looked at");
        read(&path, Images::Proved).expect_err("the image is not there");
    }

    #[test]
    fn two_slots_of_one_name_or_on_one_port_are_an_error() {
        let twice = format!("{GOOD}\n[[slot]]\nname = \"A1\"\nports = [\"p2\"]\nmodel = \"acme/box\"\n");
        assert!(proved(&twice).expect_err("one name").contains("the slot \"A1\" is there twice"));
        let shared = format!("{GOOD}\n[[slot]]\nname = \"A2\"\nports = [\"pci-0000:00:14.0/usb2-1/lun-0\"]\nmodel = \"acme/box\"\n");
        assert!(proved(&shared).expect_err("one port").contains("already belongs to slot \"A1\""));
    }

    #[test]
    fn a_lamp_is_its_slots_own_in_either_form_of_the_table() {
        let two = format!(
            "{GOOD}[slot.lamp]\nred = \"input*::numlock\"\ngreen = \"input*::capslock\"\n\n[[slot]]\nname = \"A2\"\nports = [\"p2\"]\n\
             model = \"acme/box\"\nlamp = {{ led = \"LED\" }}\n"
        );
        let lamps = proved(&two.replace("LED", "mmc0::")).expect("it is good").lamps;
        assert_eq!(lamps.iter().map(|lamp| lamp.slot.as_str()).collect::<Vec<_>>(), ["A1", "A2"]);
        assert_eq!(lamps[0].lamp.leds(), [("green", "input*::capslock"), ("red", "input*::numlock")]);
        assert_eq!(lamps[1].lamp, Lamp::One("mmc0::".into()));
        let error = proved(&two.replace("LED", "input3::capslock")).expect_err("one LED, two slots");
        assert!(error.contains("line 18: `led`: the LED \"input3::capslock\" already belongs to the lamp of slot \"A1\""), "{error}");
    }

    #[test]
    fn a_missing_file_and_an_empty_one_say_what_to_do() {
        let error = read(Path::new("/nonexistent/config.toml"), Images::Unseen).expect_err("it is not there");
        assert!(error.to_string().contains("--config"), "{error}");
        assert!(proved("").expect_err("no model").contains("add a [[model]]"));
    }

    /// The example is what an engineer starts from: each key in it that has a default shows this default.
    #[test]
    fn the_example_shows_every_key_with_its_default() {
        let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml")).expect("it is there");
        let example: toml::Table = toml::from_str(&text).expect("it is TOML");
        let StationTable { name, state, settle_ms, flash_present, stall_timeout_s, store_limit_gb } = StationTable::default();
        let mut defaults = toml::Table::new();
        defaults.insert("name".to_owned(), name.into_inner().into());
        defaults.insert("state".to_owned(), state.to_str().expect("it is text").into());
        defaults.insert("settle_ms".to_owned(), i64::try_from(settle_ms).expect("it is small").into());
        defaults.insert("flash_present".to_owned(), flash_present.into());
        defaults.insert("stall_timeout_s".to_owned(), i64::try_from(stall_timeout_s).expect("it is small").into());
        defaults.insert("store_limit_gb".to_owned(), i64::try_from(store_limit_gb.into_inner()).expect("it is small").into());
        assert_eq!(example.get("station").and_then(|table| table.as_table()), Some(&defaults));
        let starts: Vec<toml::Value> =
            ShiftTable::default().starts.into_inner().into_iter().map(|start| start.into_inner().into()).collect();
        assert_eq!(example["shift"]["starts"].as_array(), Some(&starts));
        let LogTable { directory } = LogTable::default();
        assert_eq!(example["log"]["directory"].as_str(), directory.to_str());
        let ControlTable { socket } = ControlTable::default();
        assert_eq!(example["control"]["socket"].as_str(), socket.to_str());
        let PanelTable { language: _, bell } = PanelTable::default();
        assert_eq!(example["panel"]["bell"].as_bool(), Some(bell));
        let PolicyTable { done } = PolicyTable::default();
        assert_eq!((example["policy"]["done"].as_str(), done), (Some("recheck"), DoneWord::Recheck));
        let typed: File = toml::from_str(&text).expect("every key is known");
        let lamps = prove_lamps(&Source { path: Path::new("config.example.toml"), text: &text }, &typed.slot).expect("they are lamps");
        assert_eq!(lamps.len(), 1, "the example shows a lamp");
    }
}
