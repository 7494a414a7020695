//! Backups of a station: a folder with a proven copy of the flash log, the configuration, and a manifest with their digests.
//!
//! Owns the folder's form, the making, the removal of old ones, and the way back: [`restore`] puts a log in its place so that its chain goes
//! on. Knows nothing of services, time tables or users' words; it never touches the log that it copies.
//!
//! ```text
//! FOLDER/.flashline-unfinished-XXXX/  ── written, flushed, read back from the disk ──▶  FOLDER/STATION-20261130T092500Z/
//!                                                                                         flash-log.db  config.toml  backup.json
//! ```
//! A folder with `backup.json` is whole: the file is written last, under the unfinished name, and removed first.

mod error;
mod kept;
mod make;
mod manifest;
mod place;
mod restore;
#[cfg(test)]
mod tests;

pub(crate) use error::BackupError;
pub(crate) use kept::{of_station, remove_beyond};
pub(crate) use make::{Contents, check_room, make};
pub(crate) use manifest::{Backup, LOG};
pub(crate) use place::place_configuration;
pub(crate) use restore::{configuration, open, place_log};
