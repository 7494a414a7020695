//! Finds the devices that are built on a card, and the commands that release the card. The PC itself starts an array, a volume or a cache
//! when it finds its mark on a used card. An engineer can stop one that uses only this card.

use std::collections::BTreeSet;
use std::fs;

use super::sysfs::{Directory, Sysfs};
use super::tables::Tables;
use crate::station::card::{DevNum, Use};

/// Limit of devices on devices; the kernel itself stops earlier.
const DEEPEST: usize = 8;

/// The use of a disk by the block device `name` that is built on it. `numbers` are those of the disk and its partitions.
pub(super) fn held_by(sysfs: &Sysfs, tables: &Tables, name: &str, numbers: &BTreeSet<DevNum>) -> Use {
    let mut steps = Vec::new();
    let cure = stop(sysfs, tables, name, numbers, DEEPEST, &mut steps).then(|| steps.join("; "));
    Use::Holder { name: name.to_owned(), cure }
}

/// Adds the commands that stop `name`, devices that are built on it first. False if it uses more than the card, or the command is unknown.
fn stop(sysfs: &Sysfs, tables: &Tables, name: &str, under: &BTreeSet<DevNum>, deepest: usize, steps: &mut Vec<String>) -> bool {
    let directory = Directory(sysfs.root.join("block").join(name));
    let (Some(number), Some(own), true) = (directory.devnum(), command(&directory, name), deepest > 0) else { return false };
    let Ok(slaves) = fs::read_dir(directory.0.join("slaves")) else { return false };
    let only_this_card = slaves.into_iter().all(|slave| {
        let number = slave.ok().and_then(|slave| Directory(slave.path()).devnum());
        number.is_some_and(|number| under.contains(&number))
    });
    let Ok(holders) = sysfs.holders(name) else { return false };
    let Ok(numbers) = sysfs.numbers(name) else { return false };
    if !only_this_card || !holders.iter().all(|holder| stop(sysfs, tables, holder, &numbers, deepest - 1, steps)) {
        return false;
    }
    steps.extend(tables.mounts_of(number).map(|at| format!("umount {at}")));
    if !steps.contains(&own) {
        steps.push(own);
    }
    true
}

fn command(directory: &Directory, name: &str) -> Option<String> {
    let counted =
        |kind: &str| name.strip_prefix(kind).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
    if name.starts_with("md") {
        return Some(format!("mdadm --stop /dev/{name}"));
    }
    if counted("bcache") {
        return Some(format!("echo 1 > /sys/block/{name}/bcache/stop"));
    }
    if !counted("dm-") {
        return None;
    }
    let mapped = directory.text("dm/name")?;
    // The program that made a mapping begins its UUID with its own word (kernel, `Documentation/ABI/testing/sysfs-block-dm`).
    let uuid = directory.text("dm/uuid").unwrap_or_default();
    Some(match uuid.split('-').next() {
        Some("LVM") => format!("vgchange -an {}", volume_group(&mapped)),
        Some("CRYPT") => format!("cryptsetup close {mapped}"),
        Some("mpath") => format!("multipath -f {mapped}"),
        _ => format!("dmsetup remove {mapped}"),
    })
}

/// The group in `GROUP-VOLUME`, where hyphens within the names are doubled (lvm(8), "VALID NAMES").
fn volume_group(mapped: &str) -> String {
    let mut group = String::new();
    let mut letters = mapped.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '-' && letters.next_if_eq(&'-').is_none() {
            break;
        }
        group.push(letter);
    }
    group
}
