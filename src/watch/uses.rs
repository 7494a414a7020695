//! Who uses a disk, itself or through a partition: asked afresh, right before an attempt.
//!
//! Mounts are matched by device number, never by the beginning of a path, which would take `sda` for `sdaa`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};
use procfs::process::MountInfo;

use super::cover::is_covered;
use super::sysfs::Sysfs;
use crate::station::card::{Card, DevNum, Survey, Use};
use crate::station::past::Past;

/// A part of the station that must never be erased, by name and path.
#[derive(Clone, Debug)]
pub struct OwnPart {
    /// As the refusal calls it: `root`, `state`, `image store`.
    pub name: &'static str,
    /// Where it lies.
    pub path: PathBuf,
}

/// The PC's root and, where a station is configured, its state and its image store.
#[must_use]
pub fn own_parts(station: Option<(&Path, PathBuf)>) -> Vec<OwnPart> {
    let mut parts = vec![OwnPart { name: "root", path: PathBuf::from("/") }];
    if let Some((state, store)) = station {
        parts.extend([OwnPart { name: "state", path: state.to_owned() }, OwnPart { name: "image store", path: store }]);
    }
    parts
}

/// What is there to be asked besides sysfs. A table that cannot be read is an error: what is unknown is refused.
#[derive(Debug)]
pub struct Tables {
    mounts: Vec<MountInfo>,
    swaps: Vec<PathBuf>,
}

impl Tables {
    /// This process's mounts and the kernel's swaps, as they are now.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn now() -> Result<Self, procfs::ProcError> {
        let mounts = procfs::process::Process::myself()?.mountinfo()?.0;
        // A heading, then a line each, which begins with the node or file (kernel, `mm/swapfile.c`, `swap_show`).
        let swaps = fs::read_to_string("/proc/swaps")?
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().next())
            .map(PathBuf::from)
            .collect();
        Ok(Self { mounts, swaps })
    }
}

/// While this socket is there, udev runs.
pub(super) const UDEV_CONTROL: &str = "/run/udev/control";

/// The facts about the disk `name` now, and every use of it. Nothing where it holds no medium any more, or where udev has not
/// looked at all of it yet: what is unknown is refused. The flash log is not asked.
#[must_use]
pub fn survey(sysfs: &Sysfs, tables: &Tables, own: &[OwnPart], name: &str) -> Option<Survey> {
    let card = sysfs.card(name)?;
    let uses = uses(sysfs, tables, own, &card)?;
    let covered = is_covered(card.visit.devnum);
    Some(Survey { card, uses, covered, past: Past::Unknown })
}

fn uses(sysfs: &Sysfs, tables: &Tables, own: &[OwnPart], card: &Card) -> Option<Vec<Use>> {
    let numbers: BTreeSet<DevNum> = sysfs.partitions(&card.kernel_name).into_iter().chain([card.visit.devnum]).collect();
    let is_here = |number: Option<DevNum>| number.is_some_and(|number| numbers.contains(&number));
    let mounted = tables
        .mounts
        .iter()
        // File systems on several devices (btrfs) show a number of their own, and one device as their source.
        .filter(|mount| {
            is_here(parse_devnum(&mount.majmin))
                || is_here(mount.mount_source.as_deref().and_then(|source| block_number(Path::new(source))))
        })
        .map(|mount| Use::Mounted(mount.mount_point.display().to_string()));
    let swapped = tables.swaps.iter().filter(|swap| is_here(block_number(swap))).map(|swap| Use::Swap(swap.display().to_string()));
    let held = sysfs.holders(&card.kernel_name).into_iter().map(Use::Holder);
    let mut members = Vec::new();
    for number in &numbers {
        match look_up(*number) {
            Found::Nothing => return None,
            Found::Member(kind) => members.push(Use::Member(kind)),
            Found::Other => {}
        }
    }
    let ours = own.iter().filter(|part| is_here(file_system_number(&part.path))).map(|part| Use::Station(part.name.to_owned()));
    Some(mounted.chain(swapped).chain(held).chain(members).chain(ours).collect())
}

fn parse_devnum(text: &str) -> Option<DevNum> {
    let (major, minor) = text.split_once(':')?;
    Some(DevNum { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

fn from_raw(number: u64) -> Option<DevNum> {
    Some(DevNum { major: u32::try_from(major(number)).ok()?, minor: u32::try_from(minor(number)).ok()? })
}

/// The number behind a node.
#[must_use]
pub fn block_number(node: &Path) -> Option<DevNum> {
    let metadata = fs::metadata(node).ok()?;
    if metadata.file_type().is_block_device() { from_raw(metadata.rdev()) } else { None }
}

/// The device under the file system that holds `path`.
fn file_system_number(path: &Path) -> Option<DevNum> {
    // What does not exist yet will be made in the nearest directory that does.
    path.ancestors().find_map(|path| fs::metadata(path).ok()).and_then(|metadata| from_raw(metadata.dev()))
}

/// What udev found on a disk or partition.
enum Found {
    /// It has not looked yet.
    Nothing,
    /// The signature of something that other programs of the PC start by themselves.
    Member(String),
    /// Anything else. A signature alone is no use of swap, crypt or a file system: cards come back with those.
    Other,
}

/// What udev has in its database of a disk or partition, once it has looked at it.
pub(super) fn known_to_udev(number: DevNum) -> Option<udev::Device> {
    let raw = nix::sys::stat::makedev(u64::from(number.major), u64::from(number.minor));
    udev::Device::from_devnum(udev::DeviceType::Block, raw).ok().filter(udev::Device::is_initialized)
}

/// Asks udev's database. A PC on which no udev runs has nobody who starts anything by a signature.
fn look_up(number: DevNum) -> Found {
    if !Path::new(UDEV_CONTROL).exists() {
        return Found::Other;
    }
    let Some(device) = known_to_udev(number) else { return Found::Nothing };
    let Some(kind) = device.property_value("ID_FS_TYPE").and_then(|kind| kind.to_str()) else { return Found::Other };
    match kind {
        "LVM2_member" => Found::Member("LVM".to_owned()),
        "linux_raid_member" => Found::Member("a RAID".to_owned()),
        "bcache" | "drbd" => Found::Member(kind.to_owned()),
        other => other.strip_suffix("_member").map_or(Found::Other, |name| Found::Member(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use procfs::FromRead;

    use super::super::testing::FakeSysfs;
    use super::*;

    fn tables(mountinfo: &str) -> Tables {
        let mounts = procfs::process::MountInfos::from_read(Cursor::new(mountinfo.to_owned())).expect("it is a mount table").0;
        Tables { mounts, swaps: Vec::new() }
    }

    fn uses_of(mountinfo: &str, prepare: impl FnOnce(&FakeSysfs)) -> Vec<Use> {
        let fake = FakeSysfs::new();
        fake.device("pci0000:00/0000:00:1c.0", "pci", &[]);
        fake.stick("sdb", "1", 7);
        fake.set("sdb", "dev", "4000:16");
        fake.partition("sdb", "4000:17");
        prepare(&fake);
        survey(&fake.sysfs(), &tables(mountinfo), &[], "sdb").expect("it is there").uses
    }

    #[test]
    fn a_mount_of_the_disk_or_of_a_partition_is_a_use_and_a_neighbours_is_not() {
        let line = |number: &str| format!("36 35 {number} / /mnt/card rw,noatime shared:1 - ext4 /dev/none rw\n");
        assert_eq!(uses_of(&line("4000:16"), |_| {}), [Use::Mounted("/mnt/card".to_owned())]);
        assert_eq!(uses_of(&line("4000:17"), |_| {}), [Use::Mounted("/mnt/card".to_owned())]);
        assert_eq!(uses_of(&line("4000:1"), |_| {}), []);
        assert_eq!(uses_of(&line("4000:176"), |_| {}), []);
    }

    #[test]
    fn whatever_is_built_on_a_partition_is_a_use() {
        assert_eq!(uses_of("", |fake| fake.hold("sdb/sdb1", "dm-3")), [Use::Holder("dm-3".to_owned())]);
    }

    #[test]
    fn the_disk_that_holds_the_station_is_a_use() {
        let fake = FakeSysfs::new();
        fake.stick("sdb", "1", 7);
        let directory = tempfile::tempdir().expect("a temporary directory");
        let number = file_system_number(directory.path()).expect("it lies on something");
        fake.set("sdb", "dev", &number.to_string());
        let own = [OwnPart { name: "state", path: directory.path().join("not/made/yet") }];
        let found = survey(&fake.sysfs(), &tables(""), &own, "sdb").expect("it is there").uses;
        assert_eq!(found, [Use::Station("state".to_owned())]);
    }
}
