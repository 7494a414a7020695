//! Whether the flash log outlives the disk of this PC, and whether it is this PC's at all.

use std::path::Path;

use super::finding::{Finding, Subject};
use crate::backup::{Backup, of_station};
use crate::cli::backup::is_on_one_disk;
use crate::cli::sentence;
use crate::config::Settings;
use crate::file::directory_of;
use crate::ledger::LogReader;

/// The timer makes one every night; one night may be missed, as when the PC was off.
const OLD_US: i64 = 50 * 3600 * 1_000_000;
const HOUR_US: i64 = 3600 * 1_000_000;

/// Whether a station of this PC may write the log. A log that cannot be read has a finding of its own.
pub(super) fn owner(log: &Path) -> Option<Finding> {
    let reader = LogReader::open(log).ok()?;
    if !reader.is_of_this_pc().ok()? {
        let what = format!("{} belongs to another PC: the station does not start", log.display());
        return Some(
            Finding::bad(Subject::Log, what).cure("restore a backup of it with `flashline restore`, or move it away to begin a new log"),
        );
    }
    let away = reader.away().ok()??;
    let what = format!("this log has moved to {away}: the station does not start on this PC, and nothing is written");
    let cure = "switch on the new PC. If no PC has restored the log, take the move back: flashline move --undo --why TEXT";
    Some(Finding::bad(Subject::Log, what).cure(cure))
}

/// The configured folder, and the newest backup of this station in it. `now`: microseconds since 1970.
pub(super) fn findings(settings: &Settings, now: i64) -> Vec<Finding> {
    let log = settings.log();
    let Some(configured) = &settings.backup else {
        let what = "no backup is configured: when the disk of this PC fails, the flash log is lost";
        return vec![Finding::warning(Subject::Backup, what).cure("set `folder` in [backup] to a folder on another disk or on a server")];
    };
    // A station that has not begun its log has nothing to back up.
    let Ok(station) = LogReader::open(&log).and_then(|log| log.station_id()) else { return Vec::new() };
    let folder = &configured.folder;
    let mut findings = match of_station(folder, &station) {
        Ok(backups) => vec![newest(backups.last(), folder, now)],
        Err(error) => vec![Finding::warning(Subject::Backup, format!("no backup can be made or found: {}", sentence(&error)))],
    };
    if is_on_one_disk(folder, directory_of(&log)) {
        let what = format!("{} is on the disk of the flash log, and is lost with it", folder.display());
        findings.push(Finding::warning(Subject::Backup, what).cure("mount another disk there, or name a folder on one"));
    }
    findings
}

fn newest(newest: Option<&Backup>, folder: &Path, now: i64) -> Finding {
    let cure = "run `flashline backup`, and see `journalctl -u flashline-backup`";
    let Some(newest) = newest else {
        return Finding::warning(Subject::Backup, format!("no backup of this station is in {}", folder.display())).cure(cure);
    };
    let what = format!("the newest backup, {}, ends with event {}", newest.path.display(), newest.anchor.count);
    let age = now.saturating_sub(newest.at);
    if age > OLD_US {
        return Finding::warning(Subject::Backup, format!("{what} and is {} hours old", age / HOUR_US)).cure(cure);
    }
    Finding::good(Subject::Backup, what)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::*;
    use crate::backup::{Contents, make};
    use crate::config::{BackupSettings, ImageCheck, prove};
    use crate::ledger::Ledger;
    use crate::station::request::Who;

    fn settings(root: &Path, folder: Option<&Path>) -> Settings {
        let text = "[[model]]\nname = \"acme/box\"\nimage = \"box.img\"\nrequire = \"none\"\n[[slot]]\nname = \"A1\"\n\
                    ports = [\"pci-0000:00:1c.0/usb3-1/lun-0\"]\nmodel = \"acme/box\"\n";
        let settings = prove(&root.join("config.toml"), text, ImageCheck::Unseen).expect("it is good");
        let backup = folder.map(|folder| BackupSettings { folder: folder.to_owned(), keep: 3 });
        Settings { state: root.to_owned(), backup, ..settings }
    }

    #[test]
    fn a_backup_that_is_not_configured_missing_or_old_is_warned_of_with_its_cure() {
        let root = tempfile::tempdir().expect("a directory");
        let folder = root.path().join("backups");
        let told = |folder: Option<&Path>, now| {
            let found = findings(&settings(root.path(), folder), now);
            (found[0].mark, found[0].what.clone(), found.len())
        };
        let (mark, what, _) = told(None, 0);
        assert!(mark == Mark::Warning && what.starts_with("no backup is configured"), "{what}");
        let log = settings(root.path(), None).log();
        drop(Ledger::open(&log, "bench").expect("a log"));
        let (mark, what, _) = told(Some(&folder), 0);
        assert!(mark == Mark::Warning && what.contains("is not there: mount its disk, or create it"), "{what}");
        std::fs::create_dir(&folder).expect("made");
        let (mark, what, count) = told(Some(&folder), 0);
        assert!(mark == Mark::Warning && what.starts_with("no backup of this station is in "), "{what}");
        assert_eq!(count, 2, "and the folder is on the disk of the log");
        let contents =
            Contents { log: &log, config: Path::new("config.toml"), config_bytes: b"", station: "bench", taken_at: 1_800_000_000_000_000 };
        make(&folder, &contents).expect("a backup");
        assert_eq!(told(Some(&folder), contents.taken_at + OLD_US).0, Mark::Good);
        let (mark, what, _) = told(Some(&folder), contents.taken_at + OLD_US + HOUR_US);
        assert!(mark == Mark::Warning && what.ends_with("ends with event 1 and is 51 hours old"), "{what}");
    }

    #[test]
    fn a_log_that_has_moved_away_is_bad_with_the_new_place_and_what_to_do() {
        let root = tempfile::tempdir().expect("a directory");
        let log = root.path().join("flash-log.db");
        assert_eq!(owner(&log), None, "there is no log yet");
        drop(Ledger::open(&log, "bench").expect("a log"));
        assert_eq!(owner(&log), None);
        let by = Who { uid: 1000, name: "ann".to_owned() };
        Ledger::move_away(&log, "bench", "/mnt/stick", &by).expect("recorded");
        let found = owner(&log).expect("it is told");
        assert!(found.mark == Mark::Bad && found.what.starts_with("this log has moved to /mnt/stick on "), "{found:?}");
        let foreign = root.path().join("foreign.db");
        drop(Ledger::open_on(&foreign, "bench", "0123456789abcdef0123456789abcdef").expect("a log"));
        assert!(owner(&foreign).is_some_and(|found| found.mark == Mark::Bad && found.what.contains("belongs to another PC")));
    }
}
