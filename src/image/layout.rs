//! Finds the parts of an image that a firmware boots from: the head, which is written last.
//!
//! The head is everything before the first partition, at least the first piece of the span, and, if the image has a GUID partition table,
//! the pieces that contain its backup (UEFI specification 2.10, 5.3): a firmware may boot from either. Boot ROMs and loaders read the next
//! loader raw from before the first partition, by its place alone: many boards read at 8 MiB and some further (`Kconfig` of U-Boot,
//! `SYS_MMCSD_RAW_MODE_U_BOOT_SECTOR`).

use std::ops::Range;

use super::map::{PIECE, pieces};
use super::superblock;
use crate::station::units::{Bytes, KIB, MIB, to_usize};

/// Bytes that are read: they contain a partition table of 128 entries in blocks of up to 4096 bytes, with room for one that begins later.
pub(super) const FIRST_BYTES: u64 = 64 * KIB;
/// The latest end of the head, wherever the first partition begins: no boot ROM or loader is known to read further.
const LONGEST_HEAD: u64 = 32 * MIB;
/// Offsets in a GPT header: the first block that a partition may use, the first block of its entries, their number, and the length of one.
const FIRST_USABLE: Range<usize> = 40..48;
const ENTRIES_LBA: Range<usize> = 72..80;
const ENTRY_COUNT: Range<usize> = 80..84;
const ENTRY_LENGTH: Range<usize> = 84..88;
/// Offsets in an entry: its type, all zero if it is unused, and its first block.
const ENTRY_TYPE: Range<usize> = 0..16;
const ENTRY_START: Range<usize> = 32..40;
/// The place of an MBR's four entries, and the length of one.
const MBR_ENTRIES: Range<usize> = 446..510;
const MBR_ENTRY: usize = 16;
/// The type of the entry that represents a GPT.
const PROTECTIVE: u8 = 0xee;
/// `EFI PART`, the first eight bytes of a GPT header.
const GPT_SIGNATURE: &[u8; 8] = b"EFI PART";
/// Offset in the header of the LBA of the other copy.
const ALTERNATE_LBA: Range<usize> = 32..40;
/// The backup's entries lie right before its header: 128 entries of 128 bytes.
const ENTRIES: u64 = 128 * 128;
/// Logical blocks for which a partition table is made.
const BLOCKS: [u32; 2] = [512, 4096];

/// The layout of an image, as far as safe writing depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The logical block for which its partition table was made, if it shows that.
    pub block: Option<u32>,
    /// Pieces of the head, ascending. Always at least piece 0, and all before the first partition.
    head: Vec<usize>,
}

impl Layout {
    /// Reads it from the first bytes of an image of `span` bytes. `first` has 64 KiB, or the whole image if that is shorter.
    #[must_use]
    pub(crate) fn of(first: &[u8], span: Bytes) -> Self {
        let gpt = BLOCKS.into_iter().find_map(|block| {
            let header = first.get(to_usize(u64::from(block))..)?;
            header.starts_with(GPT_SIGNATURE).then_some((block, header))
        });
        let partitions =
            gpt.and_then(|(block, header)| first_of_gpt(first, u64::from(block), header)).into_iter().chain(first_of_mbr(first));
        let head_end = partitions.min().unwrap_or(0).clamp(PIECE, LONGEST_HEAD);
        let mut head: Vec<usize> = (0..head_end.div_ceil(PIECE).min(pieces(span).max(1))).map(to_usize).collect();
        let Some((block, header)) = gpt else {
            let mbr =
                first.get(510..512) == Some(&[0x55, 0xaa]) && first.get(446..510).is_some_and(|table| table.iter().any(|byte| *byte != 0));
            // An MBR on a card always counts sectors of 512 bytes.
            return Self { block: superblock::block(first).or(mbr.then_some(512)), head };
        };
        let alternate = header.get(ALTERNATE_LBA).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        if let Some(backup) = alternate.checked_mul(u64::from(block)).filter(|backup| *backup < span.0) {
            let from = backup.saturating_sub(ENTRIES) / PIECE;
            let to = (backup / PIECE + 1).min(pieces(span));
            head.extend((from.max(head_end.div_ceil(PIECE))..to).map(to_usize));
        }
        Self { block: Some(block), head }
    }

    /// Pieces that are written last, ascending.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn head(&self) -> &[usize] {
        &self.head
    }

    /// Is this piece part of the head?
    #[must_use]
    pub(crate) fn is_head(&self, piece: usize) -> bool {
        self.head.binary_search(&piece).is_ok()
    }
}

/// The first byte of the first partition of a GPT. If its entries lie behind the bytes that were read, no partition begins before the first
/// block that the header allows for them.
fn first_of_gpt(first: &[u8], block: u64, header: &[u8]) -> Option<u64> {
    let (count, length) = (number(header, ENTRY_COUNT)?, number(header, ENTRY_LENGTH)?);
    let from = number(header, ENTRIES_LBA)?.checked_mul(block)?;
    let to = count.checked_mul(length).and_then(|bytes| from.checked_add(bytes))?;
    let entries = usize::try_from(from).ok().zip(usize::try_from(to).ok()).and_then(|(from, to)| first.get(from..to));
    let Some(entries) = entries.filter(|_| length >= 128) else {
        return number(header, FIRST_USABLE)?.checked_mul(block);
    };
    let used = |entry: &&[u8]| entry.get(ENTRY_TYPE).is_some_and(|kind| kind.iter().any(|byte| *byte != 0));
    entries.chunks_exact(to_usize(length)).filter(used).filter_map(|entry| number(entry, ENTRY_START)?.checked_mul(block)).min()
}

/// The first byte of the first partition of an MBR, which counts sectors of 512 bytes.
fn first_of_mbr(first: &[u8]) -> Option<u64> {
    if first.get(510..512) != Some(&[0x55, 0xaa]) {
        return None;
    }
    let entries = first.get(MBR_ENTRIES)?.chunks_exact(MBR_ENTRY);
    let used = entries.filter(|entry| !matches!(entry[4], 0 | PROTECTIVE) && number(entry, 12..16) != Some(0));
    used.filter_map(|entry| Some(number(entry, 8..12)? * 512)).min()
}

/// A number of up to 8 bytes, little-endian.
fn number(bytes: &[u8], place: Range<usize>) -> Option<u64> {
    Some(bytes.get(place)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod cases;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::units::MIB;

    fn gpt(block: usize, alternate: u64) -> Vec<u8> {
        let mut first = vec![0; 8192];
        first[block..block + 8].copy_from_slice(GPT_SIGNATURE);
        first[block + 32..block + 40].copy_from_slice(&alternate.to_le_bytes());
        first
    }

    #[test]
    fn an_image_without_a_table_or_with_an_mbr_has_its_first_piece_as_head() {
        assert_eq!(Layout::of(&[0; 8192], Bytes(9 * MIB)), Layout { block: None, head: vec![0] });
        let mut mbr = vec![0; 8192];
        mbr[450] = 0x0c;
        mbr[510..512].copy_from_slice(&[0x55, 0xaa]);
        assert_eq!(Layout::of(&mbr, Bytes(9 * MIB)), Layout { block: Some(512), head: vec![0] });
        assert_eq!(Layout::of(&[1], Bytes(1)), Layout { block: None, head: vec![0] });
    }

    #[test]
    fn the_backup_of_a_gpt_is_part_of_the_head_with_all_its_entries() {
        let last = 9 * MIB / 512 - 1;
        assert_eq!(Layout::of(&gpt(512, last), Bytes(9 * MIB)), Layout { block: Some(512), head: vec![0, 8] });
        let just_over = 8 * MIB / 512 + 3;
        assert_eq!(Layout::of(&gpt(512, just_over), Bytes(9 * MIB)).head(), [0, 7, 8]);
        assert_eq!(Layout::of(&gpt(4096, 9 * MIB / 4096 - 1), Bytes(9 * MIB)), Layout { block: Some(4096), head: vec![0, 8] });
    }

    #[test]
    fn a_backup_outside_the_image_or_a_hostile_one_leaves_the_first_piece() {
        assert_eq!(Layout::of(&gpt(512, u64::MAX), Bytes(9 * MIB)).head(), [0]);
        assert_eq!(Layout::of(&gpt(512, 1 << 40), Bytes(9 * MIB)).head(), [0]);
        assert_eq!(Layout::of(&gpt(512, 2), Bytes(9 * MIB)).head(), [0]);
    }
}
