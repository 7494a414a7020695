//! The numbers in the superblock of an ext4 (Linux, `Documentation/filesystems/ext4/super.rst`), unchecked.

const IS_64_BIT: u32 = 0x80;

/// The superblock's numbers of blocks, groups and inodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Superblock {
    /// `s_feature_incompat`: features that a reader must know.
    pub(super) features: u32,
    /// `s_rev_level`: 1 has inodes of other sizes than 128 bytes.
    pub(super) revision: u32,
    /// The length of a block is 1024 bytes, doubled this many times.
    pub(super) block_log: u32,
    /// The number of blocks.
    pub(super) blocks: u64,
    /// The first block of the first group.
    pub(super) first: u64,
    /// Blocks per group.
    pub(super) per_group: u64,
    /// Inodes per group.
    pub(super) inodes: u64,
    /// Length of an inode in bytes.
    pub(super) inode_size: u64,
    /// Length of a group descriptor in bytes.
    pub(super) descriptor: u64,
}

impl Superblock {
    pub(super) fn of(bytes: &[u8; 1024]) -> Self {
        let features = word(bytes, 0x60);
        let is_64_bit = features & IS_64_BIT != 0;
        Self {
            features,
            revision: word(bytes, 0x4c),
            block_log: word(bytes, 0x18),
            blocks: u64::from(word(bytes, 0x04)) | if is_64_bit { u64::from(word(bytes, 0x150)) << 32 } else { 0 },
            first: word(bytes, 0x14).into(),
            per_group: word(bytes, 0x20).into(),
            inodes: word(bytes, 0x28).into(),
            inode_size: half(bytes, 0x58).into(),
            descriptor: if is_64_bit { half(bytes, 0xfe).into() } else { 32 },
        }
    }

    /// Do block numbers have 64 bits instead of 32?
    pub(super) fn is_64_bit(&self) -> bool {
        self.features & IS_64_BIT != 0
    }

    /// Length of a block in bytes, once its logarithm was checked.
    pub(super) fn block(&self) -> u64 {
        1024 << self.block_log
    }
}

/// The two-byte number at this place.
pub(super) fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// The four-byte number at this place.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
