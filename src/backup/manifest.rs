//! The manifest of a backup, `backup.json`: what is in the folder, and how it is recognised.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::BackupError;
use crate::ledger::Head;

/// The copy of the flash log, in a backup.
pub(crate) const LOG: &str = "flash-log.db";
/// The configuration, in a backup.
pub(super) const CONFIGURATION: &str = "config.toml";
/// The manifest, in a backup.
pub(super) const MANIFEST: &str = "backup.json";

/// The form of the folder that this program makes. A reader ignores keys that it does not know; another meaning needs another number.
pub(super) const FORMAT: u32 = 1;

/// The manifest. `docs/integrator/log.md` explains every key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The form of the folder.
    pub(super) format: u32,
    /// The version of the program that made it.
    pub(super) program: String,
    /// The configured name of the station.
    pub station: String,
    /// The id of the station: that of its log.
    pub station_id: String,
    /// When it was made: RFC 3339, UTC.
    pub taken_at: String,
    /// The head of the log: COUNT:HASH.
    pub(super) anchor: String,
    /// The log has moved away with this backup: no PC goes on with it before it is restored.
    pub moved: bool,
    /// The configuration's path on its PC.
    pub(super) configuration: PathBuf,
    /// BLAKE3 of the configuration that the station armed its models by last; `null` if it armed none.
    pub(super) armed_by_blake3: Option<String>,
    /// The two other files of the folder.
    pub(super) files: Vec<FileOf>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileOf {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// What `b3sum` prints.
    pub(super) blake3: String,
}

/// A folder with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backup {
    /// The folder of the backup.
    pub path: PathBuf,
    /// What its manifest says.
    pub manifest: Manifest,
    /// The head of its log.
    pub anchor: Head,
    /// When it was made: UTC, microseconds since 1970.
    pub at: i64,
}

impl Backup {
    /// Reads the manifest of a folder. Nothing else in it is read.
    ///
    /// # Errors
    /// If there is none, or it is not one of this program.
    pub(super) fn read(folder: &Path) -> Result<Self, BackupError> {
        let owned = || folder.to_owned();
        let path = folder.join(MANIFEST);
        let text = fs::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound if folder.exists() => BackupError::NoManifest { folder: owned() },
            io::ErrorKind::NotFound => BackupError::NoFolder { folder: owned() },
            _ => BackupError::io("reading", &path, source),
        })?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| BackupError::BadManifest { folder: owned(), source: Some(error) })?;
        if manifest.format > FORMAT {
            return Err(BackupError::Newer { folder: owned(), found: manifest.format });
        }
        Self::of(folder, manifest).ok_or_else(|| BackupError::BadManifest { folder: owned(), source: None })
    }

    /// `None` if the manifest contradicts itself. Names of files are fixed: none leads out of the folder.
    pub(super) fn of(folder: &Path, manifest: Manifest) -> Option<Self> {
        let anchor = manifest.anchor.parse().ok()?;
        let at = manifest.taken_at.parse::<jiff::Timestamp>().ok()?.as_microsecond();
        let names = manifest.files.iter().map(|file| file.name.as_str());
        names.eq([LOG, CONFIGURATION]).then(|| Self { path: folder.to_owned(), manifest, anchor, at })
    }

    /// The copy of the log.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// Is the configuration another one than that by which the station armed its models last?
    #[must_use]
    pub(crate) fn configuration_differs(&self) -> bool {
        let own = self.manifest.files.iter().find(|file| file.name == CONFIGURATION).map(|file| &file.blake3);
        self.manifest.armed_by_blake3.is_some() && self.manifest.armed_by_blake3.as_ref() != own
    }
}
