//! Finds loop devices on a disk. They do not claim the disk and are not listed among its holders (kernel, `drivers/block/loop.c`).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{fs, io};

use super::sysfs::{Sysfs, node_of};
use super::tables::{Tables, block_number};
use crate::device::loops::Backing;
use crate::station::card::{DevNum, Use};

/// Asks the kernel for the backing of a loop device.
pub(super) fn ask(name: &str) -> io::Result<Option<Backing>> {
    crate::device::loops::backing(&node_of(name))
}

/// The loop devices that use one of these numbers.
///
/// # Errors
/// If the kernel does not answer for one of them.
pub(super) fn on(
    sysfs: &Sysfs,
    tables: &Tables,
    numbers: &BTreeSet<DevNum>,
    ask: impl Fn(&str) -> io::Result<Option<Backing>>,
) -> io::Result<Vec<Use>> {
    let mut uses = Vec::new();
    for name in sysfs.disk_names()?.into_iter().filter(|name| name.starts_with("loop")) {
        let path = match fs::read(sysfs.root.join("block").join(&name).join("loop/backing_file")) {
            Ok(path) => PathBuf::from(String::from_utf8_lossy(&path).trim_end_matches('\n').to_owned()),
            // It has no backing.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => continue,
            Err(error) => return Err(error),
        };
        // A server that hangs would never answer, and a card is never a file of a server.
        if tables.is_on_a_server(&path) {
            continue;
        }
        let backing = match ask(&name) {
            Ok(Some(backing)) => backing,
            Ok(None) => continue,
            // Its node is hidden from us, as in a container, or is root's: its path has to do. A file system that is not found by the path
            // claims its disk all the same, which the card's own opening meets.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => match block_number(&path) {
                Some(number) => Backing { device: Some(number), file_system: None },
                None if path.starts_with("/dev") => return Err(error),
                None => Backing { device: None, file_system: tables.file_system_of(&path) },
            },
            Err(error) => return Err(error),
        };
        if [backing.device, backing.file_system].into_iter().flatten().any(|number| numbers.contains(&number)) {
            uses.push(Use::Holder { cure: Some(format!("losetup -d /dev/{name}")), name });
        }
    }
    Ok(uses)
}
