//! Reads the kernel's counters of a disk: how much was written to it, by any program.

use std::fs;
use std::path::{Path, PathBuf};

use crate::station::card::DevNum;

/// Sectors of 512 bytes that were written to this disk or discarded since it appeared. Writes to its partitions are in the disk's own count
/// (kernel, `block/blk.h`, `part_stat_add`). `None` if the disk is gone, or if its `queue/iostats` is off and nothing is counted.
///
/// SCSI commands that a program sends itself (`SG_IO`, `/dev/sg*`) bypass the block layer and are not counted.
pub(super) fn sectors_written(devnum: DevNum) -> Option<u64> {
    at(&PathBuf::from(format!("/sys/dev/block/{devnum}")))
}

/// `Documentation/block/stat.rst`: the seventh field is sectors written, the fourteenth sectors discarded. Zeroing by the device itself
/// counts as a write.
fn at(disk: &Path) -> Option<u64> {
    if fs::read_to_string(disk.join("queue/iostats")).ok()?.trim() == "0" {
        return None;
    }
    let stat = fs::read_to_string(disk.join("stat")).ok()?;
    let field = |index: usize| stat.split_whitespace().nth(index)?.parse::<u64>().ok();
    field(6)?.checked_add(field(13).unwrap_or(0))
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn what_was_written_and_what_was_discarded_are_counted_together_and_flushes_are_not() {
        let disk = tempfile::tempdir().expect("a directory");
        fs::create_dir(disk.path().join("queue")).expect("made");
        let stat = "  100  1  2000  5  300  2  4096  9  0  20  30  7  0  512  3  11  4\n";
        fs::write(disk.path().join("stat"), stat).expect("written");
        assert_eq!(at(disk.path()), None, "a disk of which nothing is known");
        fs::write(disk.path().join("queue/iostats"), "1\n").expect("written");
        assert_eq!(at(disk.path()), Some(4096 + 512));
        fs::write(disk.path().join("queue/iostats"), "0\n").expect("written");
        assert_eq!(at(disk.path()), None, "a count that stands still whatever is written is none");
    }
}
