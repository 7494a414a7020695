//! The tables and keys of the file as they are typed, with their defaults.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::{DEFAULT_SOCKET, DEFAULT_STATE};
use crate::station::settings::STALL_S;

/// Contact bounce ends well within this time when a card is pushed in by hand.
const SETTLE_MS: u64 = 700;
/// Eight images of 8 GB, as for common cards, and half the disk of a small PC.
const STORE_LIMIT_GB: u64 = 64;
/// Two weeks of nights: a fault is noticed before the last backup from before it is gone.
const KEPT_BACKUPS: u64 = 14;
/// Three shifts, as in most factories that never stop.
const SHIFT_STARTS: [&str; 3] = ["06:00", "14:00", "22:00"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Proved before the tables are read.
    #[serde(default, rename = "version")]
    _version: serde::de::IgnoredAny,
    #[serde(default)]
    pub(super) station: StationTable,
    #[serde(default)]
    pub(super) order: OrderTable,
    #[serde(default)]
    pub(super) trust: TrustTable,
    #[serde(default)]
    pub(super) model: Vec<Spanned<ModelTable>>,
    #[serde(default)]
    pub(super) slot: Vec<Spanned<SlotTable>>,
    #[serde(default)]
    pub(super) own_disk: Vec<Spanned<OwnDiskTable>>,
    #[serde(default)]
    pub(super) shift: ShiftTable,
    #[serde(default)]
    pub(super) log: LogTable,
    #[serde(default)]
    pub(super) backup: BackupTable,
    #[serde(default)]
    pub(super) policy: PolicyTable,
    #[serde(default)]
    pub(super) control: ControlTable,
    #[serde(default)]
    pub(super) panel: PanelTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PanelTable {
    pub(super) language: Option<Language>,
    pub(super) bell: bool,
    pub(super) bins: BinsTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BinsTable {
    pub(super) good: BinTable,
    pub(super) not_bad: BinTable,
    pub(super) bad: BinTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BinTable {
    pub(super) word: Option<Spanned<String>>,
    pub(super) colour: Option<Spanned<String>>,
}

/// The languages that exist; the panel has a file for each.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Language {
    En,
    De,
    Es,
    Pl,
    Zh,
}

impl Language {
    pub(super) fn code(self) -> &'static str {
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
pub(super) struct ControlTable {
    pub(super) socket: PathBuf,
}

impl Default for ControlTable {
    fn default() -> Self {
        Self { socket: PathBuf::from(DEFAULT_SOCKET) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PolicyTable {
    pub(super) done: DoneWord,
    pub(super) first_off: bool,
    pub(super) flush: FlushWord,
    pub(super) marks: MarksWord,
    pub(super) retries: Spanned<u64>,
    pub(super) rules: RulesWord,
}

impl Default for PolicyTable {
    fn default() -> Self {
        Self {
            done: DoneWord::default(),
            first_off: false,
            flush: FlushWord::default(),
            marks: MarksWord::default(),
            retries: Spanned::new(0..0, 0),
            rules: RulesWord::default(),
        }
    }
}

/// How the station reacts if a slot is not protected from the PC's other programs.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum RulesWord {
    #[default]
    Warn,
    Required,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum FlushWord {
    #[default]
    Ask,
    Required,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum MarksWord {
    #[default]
    Refuse,
    Erase,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum DoneWord {
    #[default]
    Recheck,
    Reflash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ShiftTable {
    pub(super) starts: Spanned<Vec<Spanned<String>>>,
}

impl Default for ShiftTable {
    fn default() -> Self {
        Self { starts: Spanned::new(0..0, SHIFT_STARTS.iter().map(|start| Spanned::new(0..0, (*start).to_owned())).collect()) }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogTable {
    pub(super) directory: PathBuf,
    pub(super) volatile: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BackupTable {
    pub(super) folder: Spanned<PathBuf>,
    pub(super) keep: Spanned<u64>,
}

impl Default for BackupTable {
    fn default() -> Self {
        Self { folder: Spanned::new(0..0, PathBuf::new()), keep: Spanned::new(0..0, KEPT_BACKUPS) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StationTable {
    pub(super) name: Spanned<String>,
    pub(super) state: PathBuf,
    pub(super) settle_ms: Spanned<u64>,
    pub(super) flash_present: bool,
    pub(super) stall_timeout_s: Spanned<u64>,
    pub(super) store_limit_gb: Spanned<u64>,
    pub(super) lamp: Option<Spanned<LampTable>>,
    pub(super) bell: Spanned<PathBuf>,
}

impl Default for StationTable {
    fn default() -> Self {
        Self {
            name: Spanned::new(0..0, "station".to_owned()),
            state: PathBuf::from(DEFAULT_STATE),
            settle_ms: Spanned::new(0..0, SETTLE_MS),
            flash_present: false,
            stall_timeout_s: Spanned::new(0..0, STALL_S),
            store_limit_gb: Spanned::new(0..0, STORE_LIMIT_GB),
            lamp: None,
            bell: Spanned::new(0..0, PathBuf::new()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OrderTable {
    #[serde(rename = "box")]
    pub(super) box_size: Spanned<u64>,
}

impl Default for OrderTable {
    fn default() -> Self {
        Self { box_size: Spanned::new(0..0, 0) }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TrustTable {
    pub(super) roots: Vec<Spanned<PathBuf>>,
    pub(super) with: Vec<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelTable {
    pub(super) name: Spanned<String>,
    pub(super) image: Spanned<PathBuf>,
    pub(super) digest: Option<Spanned<String>>,
    pub(super) assertion: Option<Spanned<PathBuf>>,
    pub(super) require: Option<RequireWord>,
    #[serde(default)]
    pub(super) allow: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) contents: ContentsWord,
    #[serde(default)]
    pub(super) zeroes: ZeroesWord,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RequireWord {
    Proven,
    Matching,
    None,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum ContentsWord {
    #[default]
    Disk,
    Any,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ZeroesWord {
    #[default]
    Prove,
    Write,
    Skip,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SlotTable {
    pub(super) name: Spanned<String>,
    pub(super) ports: Spanned<Vec<Spanned<String>>>,
    pub(super) hangs_on: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) model: Spanned<String>,
    #[serde(default)]
    pub(super) cards: Cards,
    pub(super) capacity_gb: Option<Spanned<[u64; 2]>>,
    pub(super) lamp: Option<Spanned<LampTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LampTable {
    pub(super) led: Option<Spanned<String>>,
    pub(super) green: Option<Spanned<String>>,
    pub(super) red: Option<Spanned<String>>,
    pub(super) yellow: Option<Spanned<String>>,
    pub(super) blue: Option<Spanned<String>>,
}

impl LampTable {
    pub(super) fn key(&self, key: &str) -> Option<&Spanned<String>> {
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
pub(super) enum Cards {
    #[default]
    Reuse,
    Blank,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnDiskTable {
    pub(super) wwn: Option<String>,
    pub(super) vendor: Option<String>,
    pub(super) product: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) bytes: Option<u64>,
}
