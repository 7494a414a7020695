//! Checks that the flash log will be on a disk, and that the disk is mounted.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::Settings;
use crate::ledger::medium::{Volatile, not_mounted, volatile};

/// Why the log cannot be in the configured directory.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// It would be lost when the power fails.
    #[error(
        "the flash log cannot be kept in {}: {why}, so every row is lost at the next power cut: \
         set `state` in [station] to a directory on a disk, or `volatile = true` in [log]", state.display()
    )]
    Volatile { state: PathBuf, why: Volatile },
    /// Its disk is missing.
    #[error(
        "the flash log cannot be kept in {}: nothing is mounted on {}, where its disk belongs: check that disk, then run: mount {}",
        state.display(), point.display(), point.display()
    )]
    NotMounted { state: PathBuf, point: PathBuf },
    /// The parent of its directory does not exist.
    #[error(
        "the state directory {} cannot be made: there is no directory {}: mount its disk, or create that directory, or correct `state` in [station]",
        state.display(), parent.display()
    )]
    NoParent { state: PathBuf, parent: PathBuf },
    /// The disk of the state directory cannot be determined.
    #[error("determining the disk of {}", state.display())]
    Unknown { state: PathBuf, source: io::Error },
}

/// Returns why the log would be lost when the power fails, if that is so and the configuration allows it.
///
/// # Errors
/// If the log cannot be in this directory.
pub(super) fn look(settings: &Settings) -> Result<Option<Volatile>, Unfit> {
    judge(&settings.state, settings.volatile_log, volatile, not_mounted)
}

fn judge(
    state: &Path,
    allowed: bool,
    volatile: impl Fn(&Path) -> io::Result<Option<Volatile>>,
    not_mounted: impl Fn(&Path) -> io::Result<Option<PathBuf>>,
) -> Result<Option<Volatile>, Unfit> {
    let owned = || state.to_owned();
    let unknown = |source| Unfit::Unknown { state: owned(), source };
    if let Some(point) = not_mounted(state).map_err(unknown)? {
        return Err(Unfit::NotMounted { state: owned(), point });
    }
    if let Some(parent) = state.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir()) {
        return Err(Unfit::NoParent { state: owned(), parent: parent.to_owned() });
    }
    match volatile(state).map_err(unknown)? {
        Some(why) if !allowed => Err(Unfit::Volatile { state: owned(), why }),
        found => Ok(found),
    }
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn a_log_is_refused_in_memory_below_a_mount_point_without_its_disk_and_where_more_than_its_directory_is_missing() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = dir.path().join("state");
        let disk = |_: &Path| Ok(None);
        let memory = |_: &Path| Ok(Some(Volatile::Memory));
        let mounted = |_: &Path| Ok(None);
        assert!(matches!(judge(&state, false, disk, mounted), Ok(None)), "its own directory may be missing");
        let words = judge(&state, false, memory, mounted).expect_err("in memory").to_string();
        assert!(words.contains("tmpfs") && words.contains("`volatile = true`"), "{words}");
        assert!(matches!(judge(&state, true, memory, mounted), Ok(Some(Volatile::Memory))), "it is told all the same");
        let missing = |_: &Path| Ok(Some(PathBuf::from("/srv/logs")));
        let words = judge(&state, true, disk, missing).expect_err("not mounted").to_string();
        assert!(words.contains("nothing is mounted on /srv/logs") && words.contains("mount /srv/logs"), "{words}");
        let words = judge(&state.join("deeper"), true, disk, mounted).expect_err("no parent").to_string();
        assert!(words.contains(&format!("there is no directory {}", state.display())), "{words}");
        let broken = |_: &Path| Err(io::Error::other("no /proc"));
        assert!(matches!(judge(&state, true, broken, mounted), Err(Unfit::Unknown { .. })));
    }

    #[test]
    fn a_log_in_real_memory_is_refused_and_with_the_word_for_it_taken() {
        let memory = tempfile::tempdir_in("/dev/shm").expect("a directory in memory");
        let state = memory.path().join("state");
        assert!(matches!(judge(&state, false, volatile, not_mounted), Err(Unfit::Volatile { .. })));
        assert!(matches!(judge(&state, true, volatile, not_mounted), Ok(Some(_))));
    }
}
