//! The settings for backups.

use std::path::{Path, PathBuf};

use super::source::{ConfigError, Source};
use super::tables::BackupTable;

/// A larger number was meant for something else, and fills any disk.
const MOST_KEPT: usize = 10_000;

/// Where backups are made by the timer, and how many are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BackupSettings {
    /// The folder that holds the folder of each backup.
    pub folder: PathBuf,
    /// The number of this station's backups that are left there; at least 1.
    pub keep: usize,
}

/// `None` if no folder is configured. Relative paths are relative to `base`, the directory of the configuration.
pub(super) fn prove_backups(
    source: &Source<'_>,
    base: &Path,
    state: &Path,
    table: &BackupTable,
) -> Result<Option<BackupSettings>, ConfigError> {
    let keep = usize::try_from(*table.keep.get_ref()).ok().filter(|keep| (1..=MOST_KEPT).contains(keep)).ok_or_else(|| {
        let problem =
            format!("`keep` is from 1 to {MOST_KEPT}: it counts the backups of this station that are left in the folder; 14 is usual");
        source.wrong(table.keep.span(), problem)
    })?;
    let folder = table.folder.get_ref();
    if folder.as_os_str().is_empty() {
        return Ok(None);
    }
    let folder = base.join(folder);
    if folder.starts_with(state) {
        let problem = format!(
            "`folder`: {} is in the state directory, and would be lost with the flash log: name a folder on another disk, or on a server",
            folder.display()
        );
        return Err(source.wrong(table.folder.span(), problem));
    }
    Ok(Some(BackupSettings { folder, keep }))
}

#[cfg(test)]
mod cases {
    use super::super::tests::{GOOD, proved};
    use super::*;

    #[test]
    fn backups_go_to_a_folder_that_is_not_lost_with_the_log_and_at_least_one_is_kept() {
        let told = |table: &str| proved(&format!("[backup]\n{table}\n{GOOD}"));
        let settings = told("folder = \"/mnt/backup\"").expect("it is good").backup;
        assert_eq!(settings, Some(BackupSettings { folder: "/mnt/backup".into(), keep: 14 }));
        assert_eq!(told("folder = \"\"").expect("none").backup, None);
        assert_eq!(proved(GOOD).expect("none").backup, None);
        for (table, says) in [
            ("folder = \"/var/lib/flashline/backup\"", "line 2: `folder`: /var/lib/flashline/backup is in the state directory"),
            ("folder = \"/mnt/b\"\nkeep = 0", "line 3: `keep` is from 1 to 10000"),
            ("keep = 10001", "line 2: `keep` is from 1 to 10000"),
            ("keep = \"14\"", "line 2: `keep` is a whole number"),
        ] {
            let error = told(table).expect_err(says);
            assert!(error.contains(says), "{error}");
        }
    }
}
