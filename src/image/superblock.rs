//! Reads superblocks, as far as more than one module needs them.

/// A magic number, and its place.
pub(super) type Magic = (usize, &'static [u8]);

/// Of exFAT (specification, 3.1.2).
pub(super) const EXFAT: Magic = (3, b"EXFAT   ");
/// Of ext2, 3 and 4: `s_magic` of the superblock at byte 1024.
pub(super) const EXT: Magic = (0x438, &[0x53, 0xef]);
/// Of XFS (Linux, `fs/xfs/libxfs/xfs_format.h`).
pub(super) const XFS: Magic = (0, b"XFSB");

/// Numbers at a place; `None` behind the end of the bytes.
pub(super) struct At<'a>(pub(super) &'a [u8]);

impl At<'_> {
    pub(super) fn has(&self, (at, magic): Magic) -> bool {
        self.is(at, magic)
    }

    pub(super) fn is(&self, at: usize, magic: &[u8]) -> bool {
        self.0.get(at..).is_some_and(|rest| rest.starts_with(magic))
    }

    pub(super) fn little(&self, at: usize, length: usize) -> Option<u64> {
        Some(self.0.get(at..at + length)?.iter().rev().fold(0, |above, byte| above << 8 | u64::from(*byte)))
    }

    pub(super) fn big(&self, at: usize, length: usize) -> Option<u64> {
        Some(self.0.get(at..at + length)?.iter().fold(0, |above, byte| above << 8 | u64::from(*byte)))
    }
}

/// As the kernel distinguishes it from a partition table (`fat_valid_media`, and the numbers of tables and of reserved sectors), with a
/// valid block and cluster size in addition.
pub(super) fn is_fat(head: &At<'_>) -> bool {
    let is_media = matches!(head.little(21, 1), Some(0xf0 | 0xf8..=0xff));
    let is_block = matches!(head.little(11, 2), Some(512 | 1024 | 2048 | 4096));
    let is_cluster = head.little(13, 1).is_some_and(u64::is_power_of_two);
    let has = |at, length| head.little(at, length).is_some_and(|count| count != 0);
    head.is(510, &[0x55, 0xaa]) && is_media && is_block && is_cluster && has(14, 2) && matches!(head.little(16, 1), Some(1 | 2))
}

/// The logical block for which a file system without a partition table was made: with another one the kernel does not mount it. `None` if
/// it does not depend on it, or is not known here.
pub(super) fn block(first: &[u8]) -> Option<u32> {
    let head = At(first);
    let bytes = if is_fat(&head) {
        head.little(11, 2)
    } else if head.has(EXFAT) {
        head.little(108, 1).filter(|shift| (9..=12).contains(shift)).map(|shift| 1 << shift)
    } else if head.has(XFS) {
        head.big(102, 2)
    } else if head.has(EXT) {
        // A block must hold whole sectors: 1 KiB shifted by `s_log_block_size`.
        head.little(0x418, 4).filter(|shift| *shift < 2).map(|_| 512)
    } else {
        None
    };
    bytes.and_then(|bytes| u32::try_from(bytes).ok())
}
