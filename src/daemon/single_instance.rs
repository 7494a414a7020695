//! Allows one station on a PC: two would open the same cards, switch the same lamps and answer on the same socket.
//!
//! The lock is on a file that outlives the stations (`RuntimeDirectoryPreserve=` of the unit). If the file were removed while it is locked,
//! a second station could lock a new file of the same name.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The path of the lock, which does not depend on the configuration: it applies to the PC.
pub(crate) const LOCK: &str = "/run/flashline/station.lock";

/// The right to be this PC's station, as long as the value lives.
#[derive(Debug)]
pub(crate) struct OnlyStation {
    _lock: File,
}

/// Why this cannot be the PC's station.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OnlyError {
    /// Another station runs on this PC.
    #[error(
        "another station runs on this PC{holder}: two would open the same cards. Stop it first: `systemctl stop flashline`, or end its process"
    )]
    Another {
        /// Its own description.
        holder: Holder,
    },
    /// It cannot be found out.
    #[error("finding out whether another station runs on this PC: locking {path}: start it by its service, or as root")]
    Lock {
        /// The file of the lock.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

/// The description of the other station, if it gives one.
#[derive(Debug)]
pub(crate) struct Holder(Option<String>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |says| write!(f, " ({says})"))
    }
}

impl OnlyStation {
    /// Becomes the PC's station by the lock at `path`. `config` is its configuration, for the error message of a second station.
    ///
    /// # Errors
    /// If there is another one, or that cannot be determined.
    pub(crate) fn claim(path: &Path, config: &Path) -> Result<Self, OnlyError> {
        let failed = |source| OnlyError::Lock { path: path.to_owned(), source };
        if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
            fs::create_dir_all(directory).map_err(failed)?;
            // The control socket is in this directory, too, and every user may reach it.
            fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        }
        let mut lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut says = String::new();
                let holder = lock.take(256).read_to_string(&mut says).ok().map(|_| says.trim().to_owned()).filter(|says| !says.is_empty());
                return Err(OnlyError::Another { holder: Holder(holder) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // The file may have been removed before it was locked.
        let (ours, there) = (lock.metadata().map_err(failed)?, fs::metadata(path).map_err(failed)?);
        if (ours.dev(), ours.ino()) != (there.dev(), there.ino()) {
            return Err(failed(io::Error::other("it was removed meanwhile: try again")));
        }
        let config = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
        let says = format!("process {}, configuration {}\n", std::process::id(), config.display());
        lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| lock.write_all(says.as_bytes())).map_err(failed)?;
        Ok(Self { _lock: lock })
    }
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn the_second_station_of_a_pc_refuses_with_who_is_the_first_and_how_to_stop_it_and_a_stopped_one_is_in_nobodys_way() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("flashline/station.lock");
        let first = OnlyStation::claim(&path, Path::new("/etc/flashline/config.toml")).expect("it is the first");
        let said = OnlyStation::claim(&path, Path::new("/srv/other.toml")).expect_err("it is the second").to_string();
        let own = format!("process {}, configuration /etc/flashline/config.toml", std::process::id());
        assert!(said.contains(&own) && said.contains("systemctl stop flashline"), "{said}");
        drop(first);
        let third = OnlyStation::claim(&path, Path::new("/srv/other.toml")).expect("the file alone is no station");
        let said = OnlyStation::claim(&path, Path::new("/")).expect_err("it is the second").to_string();
        assert!(said.contains("/srv/other.toml") && !said.contains("/etc/flashline"), "{said}");
        drop(third);
    }

    #[test]
    fn where_nobody_can_tell_whether_there_is_another_station_none_is_begun() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let below = file.path().join("station.lock");
        assert!(matches!(OnlyStation::claim(&below, Path::new("/")), Err(OnlyError::Lock { .. })));
    }
}
