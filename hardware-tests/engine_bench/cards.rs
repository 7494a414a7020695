//! Loop devices as cards: in memory if the kernel supports direct I/O there, slowed down by the block cgroup, and removed at the end.

use std::fs::{self, File};
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::stat::{major, minor};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};

use crate::Result;
use crate::images::MIB;

/// The speed of a card, in bytes a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Speed {
    pub(crate) write: u64,
    pub(crate) read: u64,
}

impl Speed {
    /// A usual new card: 40 MiB/s written, 90 MiB/s read.
    pub(crate) const CARD: Self = Self { write: 40 * MIB, read: 90 * MIB };
    /// A worn card.
    pub(crate) const WORN: Self = Self { write: 4 * MIB, read: 4 * MIB };

    /// The seconds that this speed alone needs.
    pub(crate) fn seconds(self, written: u64, read: u64) -> f64 {
        per(written, self.write) + per(read, self.read)
    }
}

#[allow(clippy::cast_precision_loss, reason = "sizes and speeds far below 2^52")]
fn per(bytes: u64, speed: u64) -> f64 {
    bytes as f64 / speed as f64
}

/// The directory and the cgroup of the cards. Both are removed with the value.
#[derive(Debug)]
pub(crate) struct Bench {
    directory: tempfile::TempDir,
    throttle: Throttle,
}

/// Files of earlier runs that were killed have this in their name, and the process id.
const PREFIX: &str = "flashline-bench-";
/// A file system in memory.
const MEMORY: &str = "/dev/shm";
/// A directory on a disk, if memory is not possible.
const DISK: &str = "/var/tmp";

impl Bench {
    /// Chooses a place, and makes the cgroup.
    pub(crate) fn new() -> Result<Self> {
        clear_what_was_killed();
        let throttle = Throttle::new()?;
        let make = |place: &str| tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", std::process::id())).tempdir_in(place);
        let mut bench = Self { directory: make(MEMORY)?, throttle };
        let probe = bench.card(MIB)?;
        let direct = probe.is_direct();
        drop(probe);
        if statfs(bench.directory.path())?.filesystem_type() != TMPFS_MAGIC || !direct {
            eprintln!("bench: no direct I/O on {MEMORY} with this kernel: the cards are files in {DISK}, as slow as its disk");
            bench.directory = make(DISK)?;
        }
        Ok(bench)
    }

    /// A place beside the cards for files that may be in memory.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A fresh card that contains only zeroes.
    pub(crate) fn card(&self, size: u64) -> Result<Card> {
        let backing = tempfile::Builder::new().prefix("card-").tempfile_in(self.directory.path())?.into_temp_path();
        File::options().write(true).open(&backing)?.set_len(size)?;
        let output = Command::new("losetup").args(["--find", "--show", "--direct-io=on"]).arg(&backing).output()?;
        if !output.status.success() {
            return Err(format!("losetup: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
        }
        let node = PathBuf::from(String::from_utf8(output.stdout)?.trim());
        Ok(Card { node, _backing: backing })
    }

    /// Several of them, each at `speed`.
    pub(crate) fn cards(&self, count: usize, size: u64, speed: Option<Speed>) -> Result<Vec<Card>> {
        (0..count)
            .map(|_| {
                let card = self.card(size)?;
                self.throttle.set(&card, speed)?;
                Ok(card)
            })
            .collect()
    }

    /// Makes a card with `speed`, or as fast as the machine allows.
    pub(crate) fn slow_down(&self, card: &Card, speed: Option<Speed>) -> Result<()> {
        self.throttle.set(card, speed)
    }

    /// The files into which a process must write its id to be slowed down.
    pub(crate) fn membership(&self) -> PathBuf {
        self.throttle.group.join("cgroup.procs")
    }
}

/// A loop device that stands for a card.
#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) node: PathBuf,
    _backing: tempfile::TempPath,
}

impl Card {
    fn is_direct(&self) -> bool {
        let name = self.node.file_name().unwrap_or_default();
        let dio = Path::new("/sys/block").join(name).join("loop/dio");
        fs::read_to_string(dio).is_ok_and(|dio| dio.trim() == "1")
    }

    fn number(&self) -> Result<String> {
        let device = fs::metadata(&self.node)?.st_rdev();
        Ok(format!("{}:{}", major(device), minor(device)))
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        detach(&self.node);
    }
}

fn detach(node: &Path) {
    let done = Command::new("losetup").arg("--detach").arg(node).status();
    if !done.is_ok_and(|status| status.success()) {
        eprintln!("bench: {} stays: losetup --detach {0} takes it away", node.display());
    }
}

/// A run that was killed left its files and loop devices.
fn clear_what_was_killed() {
    let left = |path: &Path| {
        let text = path.to_string_lossy();
        let owner = text.split(PREFIX).nth(1).and_then(|rest| rest.split('-').next()).and_then(|number| number.parse::<u32>().ok());
        owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists())
    };
    let list = Command::new("losetup").args(["--list", "--noheadings", "--output", "NAME,BACK-FILE"]).output();
    let list = list.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    for (node, backing) in list.lines().filter_map(|line| line.split_once(char::is_whitespace)) {
        if left(Path::new(backing.trim())) {
            detach(Path::new(node));
        }
    }
    for place in [MEMORY, DISK] {
        for entry in fs::read_dir(place).into_iter().flatten().filter_map(std::result::Result::ok) {
            if left(&entry.path()) {
                let _stays = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// A block cgroup for the benchmark.
#[derive(Debug)]
struct Throttle {
    group: PathBuf,
    version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Throttle {
    /// Version 1 if it is mounted, else version 2 (kernel, `Documentation/admin-guide/cgroup-v1/blkio-controller.rst`, `cgroup-v2.rst`).
    fn new() -> Result<Self> {
        let (one, two) = (Path::new("/sys/fs/cgroup/blkio"), Path::new("/sys/fs/cgroup"));
        let name = format!("{PREFIX}{}", std::process::id());
        let (group, version) = if one.is_dir() {
            (one.join(name), Version::One)
        } else if two.join("cgroup.controllers").exists() {
            fs::write(two.join("cgroup.subtree_control"), "+io +memory").map_err(|error| format!("cgroup controller io: {error}"))?;
            (two.join(name), Version::Two)
        } else {
            return Err("no block cgroup under /sys/fs/cgroup: mount one, or boot a kernel with CONFIG_BLK_CGROUP".into());
        };
        fs::create_dir(&group).map_err(|error| format!("making {}: {error}", group.display()))?;
        Ok(Self { group, version })
    }

    fn set(&self, card: &Card, speed: Option<Speed>) -> Result<()> {
        let number = card.number()?;
        let put = |file: &str, text: String| {
            let path = self.group.join(file);
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
        };
        match self.version {
            // Without a value there is no limit.
            Version::One => {
                put("blkio.throttle.write_bps_device", format!("{number} {}", speed.map_or(0, |speed| speed.write)))?;
                put("blkio.throttle.read_bps_device", format!("{number} {}", speed.map_or(0, |speed| speed.read)))?;
            }
            Version::Two => {
                let limit = |value: Option<u64>| value.map_or_else(|| "max".to_owned(), |value| value.to_string());
                let (write, read) = (limit(speed.map(|speed| speed.write)), limit(speed.map(|speed| speed.read)));
                put("io.max", format!("{number} rbps={read} wbps={write}"))?;
            }
        }
        Ok(())
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        let _stays = fs::remove_dir(&self.group);
    }
}

/// A memory cgroup for the benchmark: a process in it has at most this much page cache.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    group: PathBuf,
}

impl MemoryLimit {
    pub(crate) fn new(limit: u64) -> Result<Self> {
        let one = Path::new("/sys/fs/cgroup/memory");
        let name = format!("{PREFIX}{}-memory", std::process::id());
        let (group, file) =
            if one.is_dir() { (one.join(name), "memory.limit_in_bytes") } else { (Path::new("/sys/fs/cgroup").join(name), "memory.max") };
        fs::create_dir(&group).map_err(|error| format!("making {}: {error}", group.display()))?;
        let made = Self { group };
        fs::write(made.group.join(file), limit.to_string())?;
        Ok(made)
    }

    pub(crate) fn membership(&self) -> PathBuf {
        self.group.join("cgroup.procs")
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        let _stays = fs::remove_dir(&self.group);
    }
}
