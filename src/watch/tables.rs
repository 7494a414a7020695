//! Reads the kernel's tables of mounts and swap, and finds the device numbers behind paths.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

use procfs::process::MountInfo;

use crate::device::devnum;
use crate::station::card::DevNum;

/// The tables that are needed besides sysfs. A table that cannot be read is an error: an unknown use is refused.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(super) mounts: Vec<MountInfo>,
    pub(super) swaps: Vec<PathBuf>,
}

/// File systems whose files are on a server, or provided by a program: a call may never return.
const ON_SERVERS: [&str; 9] = ["nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "afs", "fuse", "lustre"];

impl Tables {
    /// This process's mounts and the kernel's swaps, as they are now.
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub(crate) fn now() -> Result<Self, procfs::ProcError> {
        let mounts = procfs::process::Process::myself()?.mountinfo()?.0;
        let swaps = match fs::read_to_string("/proc/swaps") {
            Ok(table) => swaps_in(&table),
            // A kernel without swap.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        Ok(Self { mounts, swaps })
    }

    /// The mount point of the block device with this number.
    pub(super) fn mounts_of(&self, number: DevNum) -> impl Iterator<Item = String> {
        let here = move |mount: &&MountInfo| parse_devnum(&mount.majmin) == Some(number);
        self.mounts.iter().filter(here).map(|mount| mount.mount_point.display().to_string())
    }

    /// Is this the path of a file on a server?
    pub(super) fn is_on_a_server(&self, path: &Path) -> bool {
        let nearest = self.mount_above(path);
        nearest.is_some_and(|mount| ON_SERVERS.contains(&mount.fs_type.as_str()) || mount.fs_type.starts_with("fuse."))
    }

    /// The device under the file system of this path, which is not asked for. Btrfs has numbers of its own making.
    pub(super) fn file_system_of(&self, path: &Path) -> Option<DevNum> {
        self.mount_above(path).and_then(|mount| parse_devnum(&mount.majmin))
    }

    /// Of several in one place the last is the one that is seen.
    fn mount_above(&self, path: &Path) -> Option<&MountInfo> {
        let above = self.mounts.iter().filter(|mount| path.starts_with(&mount.mount_point));
        above.max_by_key(|mount| mount.mount_point.components().count())
    }
}

/// A heading, then one line each, which begins with the node or file; blanks in it are written in octal (kernel, `mm/swapfile.c`,
/// `swap_show`).
pub(super) fn swaps_in(table: &str) -> Vec<PathBuf> {
    let names = table.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    names.map(|name| PathBuf::from(name.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))).collect()
}

pub(super) fn parse_devnum(text: &str) -> Option<DevNum> {
    let (major, minor) = text.split_once(':')?;
    Some(DevNum { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

/// The number behind a node.
#[must_use]
pub(crate) fn block_number(node: &Path) -> Option<DevNum> {
    let metadata = fs::metadata(node).ok()?;
    if metadata.file_type().is_block_device() { devnum(metadata.rdev()) } else { None }
}
