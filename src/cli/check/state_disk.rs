//! The disk with the flash log and the staged images: whether it keeps them, has room, and is well.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use nix::sys::statvfs::statvfs;
use serde_json::Value;

use super::finding::{Finding, Subject};
use crate::cli::medium::{self, Unfit};
use crate::cli::sentence;
use crate::config::Settings;
use crate::device::devnum;
use crate::ledger::medium::Volatile;
use crate::panel::lines;
use crate::station::standing::LogNote;
use crate::station::units::Bytes;
use crate::watch::sysfs::{Sysfs, node_of};

/// With less room a log of some thousand rows may fill the disk within a week.
const LEAST_ROOM: Bytes = Bytes(500_000_000);

/// Whether the log can be where the configuration puts it.
pub(super) fn place(settings: &Settings) -> Result<Option<Volatile>, Unfit> {
    medium::look(settings)
}

/// The disk, its room, and what it says of its health. `place` is the answer of [`place`].
pub(super) fn findings(settings: &Settings, place: &Result<Option<Volatile>, Unfit>, ask_the_disk: bool) -> Vec<Finding> {
    let state = settings.state.display();
    match place {
        Err(unfit) => return vec![Finding::bad(Subject::StateDisk, sentence(unfit))],
        Ok(Some(why)) => return vec![Finding::warning(Subject::StateDisk, format!("{} ({why})", lines::note(LogNote::Volatile)))],
        Ok(None) => {}
    }
    let Some(there) = settings.state.ancestors().find(|path| path.exists()) else { return Vec::new() };
    let disk = disk_below(there, &Sysfs::default());
    let mut findings = vec![
        room(there).unwrap_or_else(|error| Finding::warning(Subject::StateDisk, format!("how much room {state} has is unknown: {error}"))),
    ];
    if let Some(disk) = &disk {
        findings.push(kind(disk, Path::new("/sys/block")));
        findings.extend(errors_of_ext4(there, Path::new("/sys")));
        if ask_the_disk {
            findings.extend(health(disk));
        }
    }
    findings
}

fn room(directory: &Path) -> Result<Finding, nix::errno::Errno> {
    let disk = statvfs(directory)?;
    let bytes = |blocks| Bytes(u64::saturating_mul(blocks, disk.fragment_size()));
    let (free, all) = (bytes(disk.blocks_available()), bytes(disk.blocks()));
    let what = format!("{free} of {all} are free at {}", directory.display());
    Ok(if free < LEAST_ROOM || disk.files() > 0 && disk.files_available() < 100 {
        Finding::warning(Subject::StateDisk, what).cure("make room: a log that cannot be written stops every slot")
    } else {
        Finding::good(Subject::StateDisk, what)
    })
}

/// The kernel's name of the whole disk that a directory is on; nothing for what is on no single disk, such as btrfs over several.
fn disk_below(directory: &Path, sysfs: &Sysfs) -> Option<String> {
    let number = devnum(fs::metadata(directory).ok()?.dev())?;
    sysfs.disk_of(number).map(|(name, _)| name)
}

/// What kind of disk it is. One that can be unplugged takes the log with it.
fn kind(disk: &str, block: &Path) -> Finding {
    let text =
        |attribute: &str| fs::read_to_string(block.join(disk).join(attribute)).map(|text| text.trim().to_owned()).unwrap_or_default();
    let place = fs::canonicalize(block.join(disk)).unwrap_or_default();
    let on_usb = place.components().any(|part| part.as_os_str().to_string_lossy().starts_with("usb"));
    let kind = match (text("queue/rotational").as_str(), on_usb) {
        (_, true) => "a disk on USB",
        ("1", _) => "a hard disk",
        _ => "a disk without moving parts",
    };
    let model = text("device/model");
    let words = [kind, disk, &model].iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(" ");
    if on_usb || text("removable") == "1" {
        Finding::warning(Subject::StateDisk, format!("the flash log is on {words}, which can be unplugged"))
            .cure("put `state` on a disk inside the PC")
    } else {
        Finding::good(Subject::StateDisk, format!("the flash log is on {words}"))
    }
}

/// Errors that ext4 has noted in the file system (kernel, `Documentation/ABI/testing/sysfs-fs-ext4`).
fn errors_of_ext4(directory: &Path, sys: &Path) -> Option<Finding> {
    let number = devnum(fs::metadata(directory).ok()?.dev())?;
    let partition = fs::canonicalize(sys.join("dev/block").join(number.to_string())).ok()?;
    let name = partition.file_name()?.to_owned();
    let count: u64 = fs::read_to_string(sys.join("fs/ext4").join(name).join("errors_count")).ok()?.trim().parse().ok()?;
    (count > 0).then(|| {
        Finding::warning(Subject::StateDisk, format!("ext4 has noted {count} errors in the file system of {}", directory.display()))
            .cure("stop the station, copy the log by `flashline log export`, run `e2fsck -f`, and see whether the disk is failing")
    })
}

/// What the disk itself says (SMART), where `smartctl` is there and may ask.
fn health(disk: &str) -> Option<Finding> {
    let output = Command::new("smartctl").args(["--json", "--health", "--"]).arg(node_of(disk)).output().ok()?;
    judged(disk, &serde_json::from_slice(&output.stdout).ok()?)
}

fn judged(disk: &str, report: &Value) -> Option<Finding> {
    let passed = report.get("smart_status")?.get("passed")?.as_bool()?;
    Some(if passed {
        Finding::good(Subject::StateDisk, format!("{disk} says of itself that it is well (SMART)"))
    } else {
        Finding::bad(Subject::StateDisk, format!("{disk} says of itself that it is failing (SMART)"))
            .cure("copy the log by `flashline log export` to another disk, and replace this one")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Mark;
    use super::*;

    #[test]
    fn a_disk_that_says_that_it_is_failing_is_believed_and_one_that_says_nothing_is_not_judged() {
        let mark = |report: &Value| judged("sda", report).map(|finding| finding.mark);
        assert_eq!(mark(&json!({"smart_status": {"passed": true}})), Some(Mark::Good));
        assert_eq!(mark(&json!({"smart_status": {"passed": false}})), Some(Mark::Bad));
        assert_eq!(mark(&json!({"smartctl": {"exit_status": 2}})), None, "smartctl could not ask");
    }

    #[test]
    fn a_log_on_a_disk_that_can_be_unplugged_is_a_warning() {
        let root = tempfile::tempdir().expect("a directory");
        let disk = |name: &str, place: &str, rotational: &str| {
            let place = root.path().join(place).join(name);
            fs::create_dir_all(place.join("queue")).expect("made");
            fs::create_dir_all(place.join("device")).expect("made");
            fs::write(place.join("queue/rotational"), rotational).expect("written");
            fs::write(place.join("device/model"), "Ultra   \n").expect("written");
            fs::write(place.join("removable"), "0\n").expect("written");
            std::os::unix::fs::symlink(&place, root.path().join(name)).expect("linked");
        };
        disk("sda", "pci/ata1", "1");
        disk("sdb", "pci/usb2", "0");
        let said = kind("sda", root.path());
        assert_eq!((said.mark, said.what.as_str()), (Mark::Good, "the flash log is on a hard disk sda Ultra"));
        assert_eq!(kind("sdb", root.path()).mark, Mark::Warning);
    }

    #[test]
    fn errors_that_the_file_system_has_noted_are_told() {
        let here = tempfile::tempdir().expect("a directory");
        let number = devnum(fs::metadata(here.path()).expect("there").dev()).expect("a number").to_string();
        let sys = tempfile::tempdir().expect("a directory");
        let part = sys.path().join("devices/sda1");
        fs::create_dir_all(&part).expect("made");
        fs::create_dir_all(sys.path().join("dev/block")).expect("made");
        std::os::unix::fs::symlink(&part, sys.path().join("dev/block").join(number)).expect("linked");
        let counts = sys.path().join("fs/ext4/sda1");
        fs::create_dir_all(&counts).expect("made");
        fs::write(counts.join("errors_count"), "0\n").expect("written");
        assert_eq!(errors_of_ext4(here.path(), sys.path()), None);
        fs::write(counts.join("errors_count"), "3\n").expect("written");
        assert!(errors_of_ext4(here.path(), sys.path()).is_some_and(|finding| finding.what.contains("3 errors")));
    }
}
