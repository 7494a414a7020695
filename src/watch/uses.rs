//! Finds out which programs and devices use a disk, directly or through a partition, right before an attempt.
//!
//! Mounts are matched by device number, never by the beginning of a path, which would take `sda` for `sdaa`. Mounts of other namespaces,
//! arrays, volumes, pools and exports by the kernel claim the disk, which is detected when it is opened for writing (`O_EXCL`). A program
//! that has opened the disk without claiming it (a virtual machine, an export by nbd-server or by a target's `fileio`) cannot be detected:
//! such a disk must not be in a slot.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use super::cover::is_covered;
use super::holders::held_by;
use super::loops;
use super::sysfs::{Sysfs, node_of};
use super::tables::{Tables, block_number, parse_devnum};
use super::udev_database::{known_to_udev, udev_runs};
use crate::device::devnum;
use crate::device::loops::is_claimed;
use crate::station::admit::{unmarked, unused};
use crate::station::card::{Card, DevNum, Use};
use crate::station::outcome::Refusal;
use crate::station::past::Past;
use crate::station::settings::Policy;
use crate::station::survey::Survey;

/// A part of the station that must never be erased, by name and path.
#[derive(Clone, Debug)]
pub(crate) struct OwnPart {
    /// Its name in a refusal: `root`, `state`, `image store`.
    pub name: &'static str,
    /// The path of the part.
    pub path: PathBuf,
}

/// The PC's root and, if a station is configured, its state and its image store.
#[must_use]
pub(crate) fn own_parts(station: Option<(&Path, PathBuf)>) -> Vec<OwnPart> {
    let mut parts = vec![OwnPart { name: "root", path: PathBuf::from("/") }];
    if let Some((state, store)) = station {
        parts.extend([OwnPart { name: "state", path: state.to_owned() }, OwnPart { name: "image store", path: store }]);
    }
    parts
}

/// The facts about the disk `name` now, and every use of it. `None` if it has no medium any more, if udev has not examined all of it yet,
/// or if a question was not answered: an unknown use is refused. The flash log is not read.
#[must_use]
pub(crate) fn survey(sysfs: &Sysfs, tables: &Tables, own: &[OwnPart], name: &str) -> Option<Survey> {
    let card = sysfs.card(name)?;
    match uses(sysfs, tables, own, &card) {
        Ok(Some((uses, marks))) => {
            let covered = is_covered(card.visit.devnum);
            Some(Survey { card, uses, marks, covered, past: Past::Unknown })
        }
        Ok(None) => None,
        Err(error) => {
            tracing::warn!(name, %error, "this PC does not tell who uses the disk: it is not written");
            None
        }
    }
}

/// udev examines a disk anew whenever a program that wrote to it closes it. A person who names one disk twice may be faster.
const UDEV_LOOKS_WITHIN: Duration = Duration::from_secs(5);

/// The same for a disk that a person named: udev is waited for, and marks are also looked for on the medium itself.
#[must_use]
pub(crate) fn survey_named(sysfs: &Sysfs, tables: &Tables, own: &[OwnPart], name: &str) -> Option<Survey> {
    let began = Instant::now();
    let mut survey = loop {
        match survey(sysfs, tables, own, name) {
            Some(survey) => break survey,
            None if began.elapsed() > UDEV_LOOKS_WITHIN => return None,
            None => thread::sleep(Duration::from_millis(100)),
        }
    };
    let marks = marks_on_medium(sysfs, name).into_iter().filter(|mark| !survey.marks.contains(mark)).collect::<Vec<_>>();
    survey.marks.extend(marks);
    Some(survey)
}

/// Checks a card that the caller has claimed and locked, so that no other program can claim it and udev is done with it: is it used without
/// a claim, and does it have a mark? `policy` decides what a mark means.
///
/// # Errors
/// The refusal; [`Refusal::Unknown`] if the kernel does not answer, as for a card that has left.
pub(crate) fn still_unused(card: &Card, policy: &Policy) -> Result<(), Refusal> {
    let asked = Tables::now().map_err(io::Error::other).and_then(|tables| {
        let sysfs = Sysfs::default();
        let numbers = sysfs.numbers(&card.kernel_name.replace('/', "!"))?;
        Ok((loops::on(&sysfs, &tables, &numbers, loops::ask)?, marks(&numbers, look_up).unwrap_or_default()))
    });
    judged(asked, policy).inspect_err(|refusal| tracing::info!(name = card.kernel_name, %refusal, "found behind the lock"))
}

fn judged(asked: io::Result<(Vec<Use>, BTreeSet<Mark>)>, policy: &Policy) -> Result<(), Refusal> {
    let (uses, marks) = asked.map_err(|error| {
        tracing::warn!(%error, "this PC does not tell who uses the disk: it is not written");
        Refusal::Unknown
    })?;
    unused(&uses)?;
    unmarked(&marks.into_iter().map(|mark| mark.of).collect::<Vec<_>>(), policy)
}

/// The marks on these disks and partitions; `None` if udev has not examined one of them.
fn marks(numbers: &BTreeSet<DevNum>, look_up: impl Fn(DevNum) -> Found) -> Option<BTreeSet<Mark>> {
    let mut marks = BTreeSet::new();
    for number in numbers {
        match look_up(*number) {
            Found::Nothing => return None,
            Found::Mark(mark) => drop(marks.insert(mark)),
            Found::Other => {}
        }
    }
    Some(marks)
}

fn uses(sysfs: &Sysfs, tables: &Tables, own: &[OwnPart], card: &Card) -> io::Result<Option<(Vec<Use>, Vec<String>)>> {
    let name = card.kernel_name.replace('/', "!");
    let numbers = sysfs.numbers(&name)?;
    let is_here = |number: Option<DevNum>| number.is_some_and(|number| numbers.contains(&number));
    let mounted = tables
        .mounts
        .iter()
        // File systems on several devices (btrfs) show a number of their own, and one device as their source.
        .filter(|mount| {
            is_here(parse_devnum(&mount.majmin))
                || is_here(mount.mount_source.as_deref().and_then(|source| node_number(Path::new(source), block_number)))
        })
        .map(|mount| Use::Mounted(mount.mount_point.display().to_string()));
    let swapped =
        tables.swaps.iter().filter(|swap| is_here(node_number(swap, block_number))).map(|swap| Use::Swap(swap.display().to_string()));
    let mut uses: Vec<Use> = mounted.chain(swapped).collect();
    uses.extend(sysfs.holders(&name)?.iter().map(|holder| held_by(sysfs, tables, holder, &numbers)));
    uses.extend(loops::on(sysfs, tables, &numbers, loops::ask)?);
    for part in own {
        if is_here(file_system_number(&part.path)?) {
            uses.push(Use::Station(part.name.to_owned()));
        }
    }
    let Some(marks) = marks(&numbers, look_up) else { return Ok(None) };
    // A marked device may be in use without a sign of it in sysfs (ZFS). The kernel knows whether the disk is claimed.
    if uses.is_empty() && !marks.is_empty() && is_claimed(&node_of(&card.kernel_name), card.visit.devnum)? {
        let of = marks.iter().map(|mark: &Mark| mark.of.as_str()).collect::<Vec<_>>().join(", ");
        let cure = marks.iter().find_map(Mark::cure);
        uses.push(Use::Holder { name: format!("{of}, which runs here"), cure });
    }
    Ok(Some((uses, marks.into_iter().map(|mark| mark.of).collect())))
}

/// The number behind a node below `/dev`. Nothing else is examined: a source may be a path on a server that hangs.
fn node_number(node: &Path, ask: impl Fn(&Path) -> Option<DevNum>) -> Option<DevNum> {
    if node.starts_with("/dev") { ask(node) } else { None }
}

/// The device under the file system that holds `path`.
fn file_system_number(path: &Path) -> io::Result<Option<DevNum>> {
    for path in path.ancestors() {
        match fs::metadata(path) {
            Ok(metadata) => return Ok(devnum(metadata.dev())),
            // A path that does not exist yet will be made in its nearest existing parent.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// udev's finding on a disk or partition.
enum Found {
    /// It has not examined it yet.
    Nothing,
    /// The mark of an array, volume or pool that other programs of the PC start by themselves.
    Mark(Mark),
    /// Anything else. A signature of swap, crypt or a file system alone is not a use: used cards have those.
    Other,
}

/// Reads udev's database. On a PC without udev, no program starts anything by a signature.
fn look_up(number: DevNum) -> Found {
    if !udev_runs() {
        return Found::Other;
    }
    let Some(device) = known_to_udev(number) else { return Found::Nothing };
    let text = |property: &str| device.property_value(property).and_then(|value| value.to_str()).map(str::to_owned);
    // A file system on several disks, some of which are missing (udev's `64-btrfs.rules`).
    let in_parts = text("ID_BTRFS_READY").is_some_and(|ready| ready == "0");
    let Some(kind) = text("ID_FS_TYPE") else { return Found::Other };
    if kind == PATH {
        return on_a_path(device.devnode().and_then(probe));
    }
    Mark::of(&kind, text("ID_FS_LABEL"), in_parts).map_or(Found::Other, Found::Mark)
}

/// The type that multipath gives a disk which the PC's settings make a path, whatever is on it (`60-multipath.rules`, before ours). udev does
/// not look at its contents then (`60-persistent-storage.rules`).
const PATH: &str = "mpath_member";

/// A disk that multipath calls a path bears the mark that blkid finds. If blkid gives no answer, it is multipath's.
fn on_a_path(found: Option<String>) -> Found {
    let mark = match found {
        Some(found) => mark_in(&found),
        None => Mark::of(PATH, None, false),
    };
    mark.map_or(Found::Other, Found::Mark)
}

/// The marks that a disk and its partitions bear on the medium now. udev's database does not have yet what another program wrote a moment
/// ago: `udevadm settle` does not wait for a close that udev has not noticed. Nothing where this PC has no `blkid`, or it does not answer.
#[must_use]
fn marks_on_medium(sysfs: &Sysfs, name: &str) -> BTreeSet<String> {
    let directories = sysfs.disk_and_partitions(name).unwrap_or_default();
    let nodes = directories.iter().filter_map(|directory| Some(node_of(directory.0.file_name()?.to_str()?)));
    nodes.filter_map(|node| mark_in(&probe(&node)?)).map(|mark| mark.of).collect()
}

/// What blkid(8) finds, in the words of udev: lines as `ID_FS_TYPE=LVM2_member`. A disk that does not answer is not waited for longer.
fn probe(node: &Path) -> Option<String> {
    const WITHIN: &str = "5";
    let mut command = Command::new("timeout");
    command.args([WITHIN, "blkid", "--probe", "--output", "udev"]).arg(node).stderr(Stdio::null());
    String::from_utf8(command.output().ok()?.stdout).ok()
}

fn mark_in(found: &str) -> Option<Mark> {
    let text = |name: &str| found.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned);
    Mark::of(&text("ID_FS_TYPE")?, text("ID_FS_LABEL"), false)
}

/// The mark of an array, volume or pool that other programs of the PC start by themselves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    /// Its kind, as engineers call it.
    of: String,
    /// Its own name.
    label: Option<String>,
}

impl Mark {
    /// By the type that libblkid reports. `in_parts`: it is a file system of several disks, some of which are missing.
    fn of(kind: &str, label: Option<String>, in_parts: bool) -> Option<Self> {
        let of = match kind {
            "LVM2_member" | "LVM1_member" => "LVM",
            "bcache" | "drbd" | "stratis" | "ceph_bluestore" => kind,
            "btrfs" if in_parts => "a btrfs of several disks",
            PATH => "multipath",
            other => match other.strip_suffix("_member")? {
                "linux_raid" => "a RAID",
                name => name,
            },
        };
        Some(Self { of: of.to_owned(), label })
    }

    /// The command that stops it, if sysfs does not show that it runs.
    fn cure(&self) -> Option<String> {
        let pool = self.label.as_ref().filter(|_| self.of == "zfs")?;
        Some(format!("zpool export {pool}"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use procfs::FromRead;

    use super::super::testing::FakeSysfs;
    use super::*;

    pub(super) fn tables(mountinfo: &str) -> Tables {
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
        assert_eq!(uses_of("", |fake| fake.hold("sdb/sdb1", "dm-3")), [Use::Holder { name: "dm-3".to_owned(), cure: None }]);
    }

    #[test]
    fn the_disk_that_holds_the_station_is_a_use() {
        let fake = FakeSysfs::new();
        fake.stick("sdb", "1", 7);
        let directory = tempfile::tempdir().expect("a temporary directory");
        let number = file_system_number(directory.path()).expect("it is there").expect("it lies on something");
        fake.set("sdb", "dev", &number.to_string());
        let own = [OwnPart { name: "state", path: directory.path().join("not/made/yet") }];
        let found = survey(&fake.sysfs(), &tables(""), &own, "sdb").expect("it is there").uses;
        assert_eq!(found, [Use::Station("state".to_owned())]);
    }
}

#[cfg(test)]
mod cases;
