//! Determines where the flash log is kept: on a disk, or in memory that is lost with the power.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{BTRFS_SUPER_MAGIC, FsType, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, statfs};
use procfs::process::{MountInfo, Process};

/// The magic number of a RAM file system: `RAMFS_MAGIC` of linux/magic.h.
const RAMFS: FsType = FsType(0x8584_58f6);

/// Prepares the directory of a new log, as long as nothing else is in it.
///
/// btrfs gives new blocks to every write, also to one of a page that SQLite has mapped: on a full disk that page is the signal SIGBUS.
/// Files of this directory are written in place.
pub(crate) fn prepare(directory: &Path) {
    let is_btrfs = statfs(directory).is_ok_and(|system| system.filesystem_type() == BTRFS_SUPER_MAGIC);
    if is_btrfs
        && fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
        && let Err(error) = crate::device::in_place::write_in_place(directory)
    {
        tracing::warn!(%error, directory = %directory.display(), "the flash log's files are not written in place");
    }
}

/// Limit of overlays over overlays, and files of disks in disks: real PCs have fewer, and a circle has no end.
const DEPTH: usize = 8;

/// Why the contents of a directory do not survive a power cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Volatile {
    /// A file system in memory.
    Memory,
    /// An overlay whose changes are kept in memory, in this directory.
    Overlay(PathBuf),
    /// An overlay whose upper directory is unknown.
    OverlayUnknown,
    /// A disk in memory, or a file in memory that serves as one.
    Disk(String),
}

impl fmt::Display for Volatile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("its file system is in memory (tmpfs)"),
            Self::Overlay(upper) => write!(f, "its file system is an overlay, whose changes are kept in memory ({})", upper.display()),
            Self::OverlayUnknown => f.write_str("its file system is an overlay, and where its changes are kept cannot be found"),
            Self::Disk(name) => write!(f, "its disk {name} is in memory"),
        }
    }
}

/// Why files in `directory`, or in its nearest existing parent, are lost when the power fails; `None` if they are on a disk, as far as the
/// kernel tells.
///
/// # Errors
/// If the kernel gives no information.
pub(crate) fn volatile(directory: &Path) -> io::Result<Option<Volatile>> {
    let mounts = Process::myself().and_then(|own| own.mountinfo()).map_err(io::Error::other)?.0;
    let there = directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    volatile_at(&fs::canonicalize(there)?, &mounts, Path::new("/sys/dev/block"), 0)
}

/// The mount point above `directory`, or at it, that the PC mounts at its start and that is not mounted now: a file that is made there is
/// on another disk, and is hidden as soon as the right one is mounted. Read from fstab(5) and from mount units in `/etc/systemd/system`.
///
/// # Errors
/// If the kernel does not report the mounts.
pub(crate) fn not_mounted(directory: &Path) -> io::Result<Option<PathBuf>> {
    // An automount point mounts its file system when it is accessed.
    let _mounts_it = fs::metadata(directory);
    let mounts = Process::myself().and_then(|own| own.mountinfo()).map_err(io::Error::other)?.0;
    let table = fs::read_to_string("/etc/fstab").unwrap_or_default();
    let units = fs::read_dir("/etc/systemd/system").into_iter().flatten().filter_map(Result::ok);
    let units = units.filter(|unit| unit.path().extension().is_some_and(|kind| kind == "mount"));
    let units: Vec<String> = units.filter_map(|unit| fs::read_to_string(unit.path()).ok()).collect();
    Ok(missing(&real(directory)?, &mounts, &table, &units))
}

/// The nearest existing parent without symbolic links, with the rest of the path behind it.
fn real(directory: &Path) -> io::Result<PathBuf> {
    let directory = std::path::absolute(directory)?;
    let there = directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let rest = directory.strip_prefix(there).unwrap_or(Path::new(""));
    Ok(if rest.as_os_str().is_empty() { fs::canonicalize(there)? } else { fs::canonicalize(there)?.join(rest) })
}

fn missing(directory: &Path, mounts: &[MountInfo], table: &str, units: &[String]) -> Option<PathBuf> {
    let of_table = table.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(|line| line.split_whitespace().nth(1));
    let of_units = units.iter().flat_map(|unit| unit.lines()).filter_map(|line| line.trim().strip_prefix("Where="));
    let points = of_table.map(unescaped).chain(of_units.map(|point| point.trim().to_owned())).map(PathBuf::from);
    let is_mounted = |point: &Path| mounts.iter().any(|mount| mount.mount_point.as_path() == point && mount.fs_type != "autofs");
    points.filter(|point| point.is_absolute() && directory.starts_with(point)).find(|point| !is_mounted(point))
}

/// fstab(5): a blank in a name is `\040`, a tab is `\011`.
fn unescaped(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

fn volatile_at(path: &Path, mounts: &[MountInfo], disks: &Path, depth: usize) -> io::Result<Option<Volatile>> {
    if depth > DEPTH {
        return Ok(Some(Volatile::OverlayUnknown));
    }
    let kind = statfs(path)?.filesystem_type();
    if kind == TMPFS_MAGIC || kind == RAMFS {
        return Ok(Some(Volatile::Memory));
    }
    // Of several mounts at one place, the last one covers those before it.
    let mount =
        mounts.iter().filter(|mount| path.starts_with(&mount.mount_point)).max_by_key(|mount| mount.mount_point.components().count());
    if kind == OVERLAYFS_SUPER_MAGIC {
        return Ok(overlay(mount, mounts, disks, depth));
    }
    let Some(mount) = mount else { return Ok(None) };
    Ok(in_memory(&disks.join(&mount.majmin), mounts, disks, depth).map(Volatile::Disk))
}

/// Writes to an overlay go to its upper directory, named by its path at the time of mounting: an initramfs may have had another tree.
fn overlay(mount: Option<&MountInfo>, mounts: &[MountInfo], disks: &Path, depth: usize) -> Option<Volatile> {
    let Some(mount) = mount.filter(|mount| mount.fs_type == "overlay") else { return Some(Volatile::OverlayUnknown) };
    let option = |name: &str| mount.super_options.get(name).or_else(|| mount.mount_options.get(name));
    let upper = option("upperdir").and_then(Option::as_ref).map(PathBuf::from).filter(|upper| upper.is_absolute() && upper.is_dir());
    let Some(upper) = upper else { return Some(Volatile::OverlayUnknown) };
    if option("volatile").is_some() {
        return Some(Volatile::Overlay(upper));
    }
    match fs::canonicalize(&upper).and_then(|upper| volatile_at(&upper, mounts, disks, depth + 1)) {
        Ok(None) => None,
        Ok(Some(Volatile::Memory)) => Some(Volatile::Overlay(upper)),
        Ok(deeper) => deeper,
        Err(_) => Some(Volatile::OverlayUnknown),
    }
}

/// The name of the disk, if it is in memory: a RAM disk, a loop device over a file in memory, or a device made of such.
fn in_memory(disk: &Path, mounts: &[MountInfo], disks: &Path, depth: usize) -> Option<String> {
    let disk = fs::canonicalize(disk).ok()?;
    let name = disk.file_name()?.to_str()?.to_owned();
    if name.starts_with("ram") || name.starts_with("zram") {
        return Some(name);
    }
    if let Ok(backing) = fs::read_to_string(disk.join("loop/backing_file")) {
        let file = PathBuf::from(backing.trim_end());
        return matches!(volatile_at(&file, mounts, disks, depth + 1), Ok(Some(_))).then_some(name);
    }
    let below = fs::read_dir(disk.join("slaves")).ok()?.filter_map(Result::ok);
    below.into_iter().find_map(|disk| if depth < DEPTH { in_memory(&disk.path(), mounts, disks, depth + 1) } else { None })
}

#[cfg(test)]
mod cases {
    use super::*;

    fn mount(point: &str, kind: &str, options: &str) -> MountInfo {
        MountInfo::from_line(&format!("30 1 0:26 / {point} rw shared:1 - {kind} {kind} {options}")).expect("a line of mountinfo")
    }

    #[test]
    fn an_overlay_is_as_volatile_as_what_its_changes_are_kept_in_and_counts_as_volatile_where_nobody_can_tell() {
        let memory = tempfile::tempdir_in("/dev/shm").expect("a directory in memory");
        let disk = tempfile::tempdir().expect("a directory");
        let on_a_disk = volatile(disk.path()).expect("the kernel tells").is_none();
        let ask = |options: &str| overlay(Some(&mount("/", "overlay", options)), &[], Path::new("/nonexistent"), 0);
        let upper = |path: &Path| format!("rw,lowerdir=/lower,upperdir={},workdir=/work", path.display());
        assert_eq!(ask(&upper(memory.path())), Some(Volatile::Overlay(memory.path().to_owned())));
        assert_eq!(ask(&upper(disk.path())).is_none(), on_a_disk);
        assert_eq!(ask(&format!("{},volatile", upper(disk.path()))), Some(Volatile::Overlay(disk.path().to_owned())));
        for unknown in ["rw,lowerdir=/lower", "rw,upperdir=/nonexistent/upper", "rw,upperdir=upper"] {
            assert_eq!(ask(unknown), Some(Volatile::OverlayUnknown), "{unknown}");
        }
        assert_eq!(overlay(None, &[], Path::new("/"), 0), Some(Volatile::OverlayUnknown));
    }

    #[test]
    fn memory_is_told_from_a_disk_also_for_a_directory_that_is_still_to_be_made() {
        let memory = tempfile::tempdir_in("/dev/shm").expect("a directory in memory");
        for path in [memory.path().to_owned(), memory.path().join("not/there/yet")] {
            assert_eq!(volatile(&path).expect("the kernel tells"), Some(Volatile::Memory));
        }
    }

    #[test]
    fn a_mount_point_that_the_pc_should_have_mounted_and_has_not_is_found_above_the_log() {
        let mounts = [mount("/", "ext4", "rw"), mount("/srv/logs", "ext4", "rw"), mount("/auto", "autofs", "rw")];
        let table = "# UUID=1 /never ext4\nUUID=2 / ext4 defaults 0 1\nUUID=3 /var/lib/flash\\040line ext4 nofail 0 2\nUUID=4 /srv/logs ext4 nofail\nUUID=5 none swap sw\nserver:/x /auto nfs noauto\n";
        let units = ["[Mount]\nWhat=/dev/sdb1\nWhere=/opt/state\n".to_owned()];
        let ask = |directory: &str| missing(Path::new(directory), &mounts, table, &units);
        assert_eq!(ask("/var/lib/flash line"), Some("/var/lib/flash line".into()), "at it");
        assert_eq!(ask("/var/lib/flash line/a/b"), Some("/var/lib/flash line".into()), "below it");
        assert_eq!(ask("/opt/state/x"), Some("/opt/state".into()), "a mount unit's");
        assert_eq!(ask("/auto/x"), Some("/auto".into()), "what would mount it is not it");
        for good in ["/var/lib/flashline", "/srv/logs/x", "/never/x", "/optional"] {
            assert_eq!(ask(good), None, "{good}");
        }
    }

    #[test]
    fn a_disk_made_of_memory_is_none() {
        let root = tempfile::tempdir().expect("a directory");
        let disks = root.path();
        for disk in ["ram0", "sda", "loop3/loop", "loop4/loop", "dm-0/slaves"] {
            fs::create_dir_all(disks.join(disk)).expect("made");
        }
        let file = tempfile::NamedTempFile::new_in("/dev/shm").expect("a file in memory");
        fs::write(disks.join("loop3/loop/backing_file"), format!("{}\n", file.path().display())).expect("written");
        fs::write(disks.join("loop4/loop/backing_file"), "/nonexistent\n").expect("written");
        std::os::unix::fs::symlink(disks.join("loop3"), disks.join("dm-0/slaves/loop3")).expect("linked");
        let ask = |disk: &str| in_memory(&disks.join(disk), &[], disks, 0);
        assert_eq!(ask("ram0"), Some("ram0".to_owned()));
        assert_eq!(ask("loop3"), Some("loop3".to_owned()));
        assert_eq!(ask("dm-0"), Some("loop3".to_owned()), "what is made of it");
        assert_eq!((ask("sda"), ask("loop4"), ask("absent")), (None, None, None));
    }
}
