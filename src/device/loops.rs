//! Finds the file or disk behind a loop device by its device number. A path would not be reliable: it may belong to another mount
//! namespace, or be deleted.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::libc;

use super::node::Node;
use super::{devnum, ioctl};
use crate::station::card::DevNum;

/// The backing of a loop device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backing {
    /// The block device behind it, if it is one.
    pub device: Option<DevNum>,
    /// The block device under the file system of the backing file, also after `umount --lazy`.
    pub file_system: Option<DevNum>,
}

/// The backing of the loop device `node`; `None` if it has none.
///
/// # Errors
/// If the kernel does not answer. Waits as long as the file system under a backing file does.
pub(crate) fn backing(node: &Path) -> io::Result<Option<Backing>> {
    let device = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(node)?;
    if !device.metadata()?.file_type().is_block_device() {
        return Err(io::Error::from_raw_os_error(libc::ENOTBLK));
    }
    match ioctl::loop_info(&device) {
        Ok(info) => Ok(Some(Backing { device: number(info.rdevice), file_system: number(info.device) })),
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Does the kernel hold the whole disk `node`, or a partition of it, exclusively: for a mount in any namespace, an array, a volume, a pool,
/// a cache, swap? It is tested by claiming the disk for a moment.
///
/// # Errors
/// If it is not the device with this number, or the kernel does not answer.
pub(crate) fn is_claimed(node: &Path, devnum: DevNum) -> io::Result<bool> {
    let Some(node) = Node::find(node, devnum)? else { return Err(io::Error::from_raw_os_error(libc::ESTALE)) };
    match node.open(OpenOptions::new().read(true).custom_flags(libc::O_EXCL | libc::O_NONBLOCK | libc::O_CLOEXEC)) {
        Ok(_claimed) => Ok(false),
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => Ok(true),
        Err(error) => Err(error),
    }
}

/// The kernel's encoding of device numbers in 64 bits (`huge_encode_dev`, `linux/kdev_t.h`); 0 means none.
fn number(raw: u64) -> Option<DevNum> {
    devnum(raw).filter(|_| raw != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_no_loop_device_is_an_error_and_no_answer() {
        assert!(backing(Path::new("/dev/null")).is_err());
        assert!(backing(Path::new("/nonexistent")).is_err());
        assert_eq!(number(0), None);
        assert_eq!(number(0x0070_0100), Some(DevNum { major: 1, minor: 0x700 }));
    }
}
