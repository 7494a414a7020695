//! ext4 with inodes of 128 bytes, presented to a reader that needs larger ones.
//!
//! If the file system has checksums, such a small inode has room only for the lower half of its own, which the reader treats as damage. So
//! the reader gets the file system as it would be with inodes of 256 bytes: their tables begin where the real file system ends, every inode
//! is padded with zeroes, and has the full checksum if its half is right, and a wrong one if not. All other checksums are the real ones.

use super::ext4_superblock::{Superblock, word};
use super::window::Window;
use crate::image::inspect::read_error::ReadError;
use crate::station::units::{to_u64, to_usize};

const SUPERBLOCK: u64 = 1024;
const SMALL: usize = 128;
const LARGE: usize = 256;
/// Flags in the superblock.
const HAS_CHECKSUMS: u32 = 0x400;
const HAS_SEED: u32 = 0x2000;
/// The offsets of the halves of an inode's checksum, and of its second input beside the number.
const LOWER: usize = 0x7c;
const UPPER: usize = 0x82;
const VERSION: usize = 0x64;
/// The offset of a descriptor's checksum.
const OF_GROUP: usize = 0x1e;

pub(in crate::image::inspect) fn are_in(superblock: &[u8; 1024]) -> bool {
    superblock[0x58..0x5a] == [128, 0] && word(superblock, 0x64) & HAS_CHECKSUMS != 0
}

/// A file system, presented with larger inodes.
pub(in crate::image::inspect) struct Enlarged {
    partition: Window,
    seed: u32,
    /// The end of the real file system, where the tables begin.
    end: u64,
    /// The length of one table.
    table: u64,
    /// How many inodes the file system has.
    inodes: u64,
    /// The first byte of every group's real table.
    tables: Vec<u64>,
    /// Blocks that are replaced: the superblock and the descriptors of the groups.
    instead: [(u64, Vec<u8>); 2],
}

impl Enlarged {
    /// The superblock was checked: its blocks lie inside the partition, and its groups are not too many.
    pub(in crate::image::inspect) fn new(partition: &Window, superblock: &[u8; 1024]) -> Result<Self, ReadError> {
        let said = Superblock::of(superblock);
        let Superblock { features, blocks, first, inodes, per_group, descriptor, .. } = said;
        if checksum(u32::MAX, &[&superblock[..0x3fc]]) != word(superblock, 0x3fc) {
            return Err(ReadError::broken("ext4: the checksum of its superblock does not hold"));
        }
        let block = said.block();
        let damaged = || ReadError::broken("ext4: the numbers in its superblock do not add up");
        // One block is the bitmap of a group's inodes.
        if per_group == 0 || inodes == 0 || inodes > block * 8 || !matches!(descriptor, 32 | 64) {
            return Err(damaged());
        }
        let real = blocks.checked_sub(first).filter(|real| *real > 0).ok_or_else(damaged)?;
        let groups = real.div_ceil(per_group);
        let table = (inodes * to_u64(LARGE)).next_multiple_of(block);
        // As many groups as before, each long enough for its table.
        let longer = (real + groups * (table / block)).div_ceil(groups);
        let seed = if features & HAS_SEED == 0 { checksum(u32::MAX, &[&superblock[0x68..0x78]]) } else { word(superblock, 0x270) };

        let mut shown = *superblock;
        let all = first + groups * longer;
        shown[0x58..0x5a].copy_from_slice(&256_u16.to_le_bytes());
        shown[0x20..0x24].copy_from_slice(&u32::try_from(longer).map_err(|_large| damaged())?.to_le_bytes());
        shown[0x04..0x08].copy_from_slice(&low(all));
        shown[0x150..0x154].copy_from_slice(&low(all >> 32));
        let sum = checksum(u32::MAX, &[&shown[..0x3fc]]);
        shown[0x3fc..].copy_from_slice(&sum.to_le_bytes());

        let at = if block == 1024 { 2 * block } else { block };
        let mut descriptors = vec![0; to_usize(groups * descriptor)];
        partition.read_exact_at(at, &mut descriptors)?;
        let end = blocks * block;
        let mut tables = Vec::new();
        for (number, group) in (0_u32..).zip(descriptors.chunks_exact_mut(to_usize(descriptor))) {
            let sum = |group: &[u8]| checksum(seed, &[&number.to_le_bytes(), &group[..OF_GROUP], &[0, 0], &group[OF_GROUP + 2..]]);
            if low(u64::from(sum(group)))[..2] != group[OF_GROUP..OF_GROUP + 2] {
                return Err(ReadError::Broken(format!("ext4: the checksum of its group {number} does not hold")));
            }
            let upper = if descriptor == 64 { u64::from(word(group, 0x28)) << 32 } else { 0 };
            let start = (u64::from(word(group, 0x08)) | upper).checked_mul(block).filter(|start| *start < end).ok_or_else(damaged)?;
            tables.push(start);
            let shown = (end + u64::from(number) * table) / block;
            group[0x08..0x0c].copy_from_slice(&low(shown));
            if descriptor == 64 {
                group[0x28..0x2c].copy_from_slice(&low(shown >> 32));
            }
            let sum = low(u64::from(sum(group)));
            group[OF_GROUP..OF_GROUP + 2].copy_from_slice(&sum[..2]);
        }
        let instead = [(SUPERBLOCK, shown.to_vec()), (at, descriptors)];
        Ok(Self { partition: partition.clone(), seed, end, table, inodes, tables, instead })
    }

    /// One inode as it is presented; zeroes if there is none.
    fn inode(&self, group: u64, index: u64) -> Result<[u8; LARGE], ReadError> {
        let mut shown = [0; LARGE];
        let table = usize::try_from(group).ok().and_then(|group| self.tables.get(group));
        let (Some(table), true) = (table, index < self.inodes) else { return Ok(shown) };
        self.partition.read_exact_at(table + index * to_u64(SMALL), &mut shown[..SMALL])?;
        let half: [u8; 2] = [shown[LOWER], shown[LOWER + 1]];
        shown[LOWER..LOWER + 2].fill(0);
        let seed = checksum(self.seed, &[&low(group * self.inodes + index + 1), &shown[VERSION..VERSION + 4]]);
        let holds = low(u64::from(checksum(seed, &[&shown[..SMALL]])))[..2] == half;
        let whole = checksum(seed, &[&shown]);
        let [a, b, c, d] = if holds { whole } else { !whole }.to_le_bytes();
        shown[LOWER..LOWER + 2].copy_from_slice(&[a, b]);
        shown[UPPER..UPPER + 2].copy_from_slice(&[c, d]);
        Ok(shown)
    }

    fn fill(&self, at: u64, into: &mut [u8]) -> Result<(), ReadError> {
        let inside = to_usize(self.end.saturating_sub(at).min(to_u64(into.len())));
        let (real, mut rest) = into.split_at_mut(inside);
        self.partition.read_exact_at(at, real)?;
        for (start, bytes) in &self.instead {
            let stop = start + to_u64(bytes.len());
            if stop <= at || *start >= at + to_u64(inside) {
                continue;
            }
            for (place, byte) in (at..).zip(real.iter_mut()) {
                if (*start..stop).contains(&place) {
                    *byte = bytes[to_usize(place - start)];
                }
            }
        }
        let mut place = (at + to_u64(inside)).saturating_sub(self.end);
        while !rest.is_empty() {
            let in_table = place % self.table;
            let inode = self.inode(place / self.table, in_table / to_u64(LARGE))?;
            let from = to_usize(in_table % to_u64(LARGE));
            let count = rest.len().min(LARGE - from);
            let (part, behind) = rest.split_at_mut(count);
            part.copy_from_slice(&inode[from..from + count]);
            place += to_u64(count);
            rest = behind;
        }
        Ok(())
    }
}

impl ext4_view::Ext4Read for Enlarged {
    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        match self.fill(at, into) {
            Ok(()) => Ok(()),
            Err(ReadError::Read(error)) => Err(Box::new(error)),
            Err(other) => Err(Box::new(other)),
        }
    }
}

/// The lower four bytes.
fn low(number: u64) -> [u8; 4] {
    let [a, b, c, d, ..] = number.to_le_bytes();
    [a, b, c, d]
}

/// CRC-32C as in ext4: begun with a seed, and not inverted at the end.
fn checksum(seed: u32, parts: &[&[u8]]) -> u32 {
    let mut sum = seed;
    for byte in parts.iter().copied().flatten() {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 };
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn the_checksum_is_the_one_of_rfc_3720() {
        assert_eq!(!checksum(u32::MAX, &[b"1234", b"56789"]), 0xe306_9283);
    }
}
