//! Files of an ext4 with space that was reserved and never written. A device reads zeroes there. The reader treats such space as data, and
//! as longer than it is, so it would read old bytes there and wrong blocks behind it. Such a file system is refused.

use std::collections::BTreeMap;

use super::ext4_superblock::{Superblock, half, word};
use super::window::Window;
use crate::image::inspect::read_error::ReadError;
use crate::station::units::{KIB, to_u64, to_usize};

/// In the superblock: the revision in which inodes may have other sizes than 128 bytes.
const DYNAMIC: u32 = 1;
/// In an inode: it uses extents.
const HAS_EXTENTS: u32 = 0x8_0000;
const DIRECTORY: u16 = 0x4000;
const KIND: u16 = 0xf000;
/// The place of the extents in an inode, and the magic number of a node.
const ROOT: usize = 0x28;
const ROOT_LENGTH: usize = 60;
const NODE: u16 = 0xf30a;
const ENTRY: usize = 12;
/// Lengths above this mark an unwritten extent, which has this many blocks less.
const LONGEST_WRITTEN: u16 = 32_768;
/// The root directory.
const ROOT_INODE: u64 = 2;
/// Bytes of a table of inodes that are read at once.
const PART: u64 = 64 * KIB;
/// Limit of the depth when a path is searched.
const DEEPEST: usize = 32;

/// The numbers of the superblock, which were checked before.
struct System<'p> {
    partition: &'p Window,
    block: u64,
    inode_size: u64,
    /// Inodes in one group.
    inodes: u64,
    /// The first byte of each group's table of inodes.
    tables: Vec<u64>,
}

/// The part of an inode that describes the place of its contents.
struct Inode {
    kind: u16,
    length: u64,
    root: [u8; ROOT_LENGTH],
}

/// Consecutive blocks of a file.
struct Extent {
    in_file: u64,
    first: u64,
    count: u64,
    is_written: bool,
}

/// Refuses a file system in which a file has unwritten space inside its length. Its superblock was checked, and the reader accepted it.
pub(super) fn refuse(partition: &Window, superblock: &[u8; 1024]) -> Result<(), ReadError> {
    let system = System::of(partition, superblock)?;
    let Some(found) = system.first_unwritten()? else { return Ok(()) };
    let name = system.path(found)?.unwrap_or_else(|| format!("the file with inode {found}"));
    Err(ReadError::Unreadable(format!(
        "{name} has space that was reserved and never written, where a device reads zeroes: copy the file (`cp --sparse=always`) in the \
         place of the old one, or make the image again"
    )))
}

impl<'p> System<'p> {
    fn of(partition: &'p Window, superblock: &[u8; 1024]) -> Result<Self, ReadError> {
        let said = Superblock::of(superblock);
        let Superblock { blocks, first, per_group, inodes, inode_size, descriptor, .. } = said;
        let block = said.block();
        if said.revision != DYNAMIC {
            return Err(ReadError::broken("ext4: its superblock is of a revision that no image has"));
        }
        if per_group == 0 || descriptor < 32 {
            return Err(ReadError::broken("ext4: the numbers in its superblock do not add up"));
        }
        let groups = blocks.saturating_sub(first).div_ceil(per_group);
        let (at, length) = ((first + 1) * block, groups * descriptor);
        if at + length > partition.length() {
            return Err(ReadError::broken("ext4: its groups are described behind its end"));
        }
        let mut descriptors = vec![0; to_usize(length)];
        partition.read_exact_at(at, &mut descriptors)?;
        let tables = descriptors.chunks_exact(to_usize(descriptor)).map(|group| {
            let upper = if descriptor >= 64 { u64::from(word(group, 0x28)) << 32 } else { 0 };
            (u64::from(word(group, 0x08)) | upper).saturating_mul(block)
        });
        let tables = tables.collect();
        if inode_size < 128 {
            return Err(ReadError::broken("ext4: its inodes are smaller than any"));
        }
        Ok(Self { partition, block, inode_size, inodes, tables })
    }

    /// The number of the first file with unwritten space inside its length.
    fn first_unwritten(&self) -> Result<Option<u64>, ReadError> {
        self.find(|number, inode| {
            let blocks = inode.length.div_ceil(self.block);
            let mut is_unwritten = false;
            self.extents(inode, &mut |extent| is_unwritten |= !extent.is_written && extent.in_file < blocks)?;
            Ok(is_unwritten.then_some(number))
        })
    }

    /// The first result of `look` among the inodes that are in use.
    fn find<T>(&self, mut look: impl FnMut(u64, &Inode) -> Result<Option<T>, ReadError>) -> Result<Option<T>, ReadError> {
        let mut part = vec![0; to_usize(PART / self.inode_size * self.inode_size)];
        for (group, start) in (0..).zip(&self.tables) {
            let end = start.saturating_add(self.inodes * self.inode_size).min(self.partition.length());
            let mut at = *start;
            while at < end {
                // Most of a table is a hole that was never written.
                let data = self.partition.next_data(at);
                at += data.min(end).saturating_sub(at) / self.inode_size * self.inode_size;
                let length = to_u64(part.len()).min(end - at);
                let bytes = &mut part[..to_usize(length)];
                self.partition.read_exact_at(at, bytes)?;
                for (index, bytes) in (0..).zip(bytes.chunks_exact(to_usize(self.inode_size))) {
                    let number = group * self.inodes + (at - start) / self.inode_size + index + 1;
                    if let Some(inode) = Inode::of(bytes)
                        && let Some(found) = look(number, &inode)?
                    {
                        return Ok(Some(found));
                    }
                }
                at += length.max(self.inode_size);
            }
        }
        Ok(None)
    }

    /// Passes every extent of a file to `each`. Damaged ones are left out: neither the reader nor a device follows them.
    fn extents(&self, inode: &Inode, each: &mut dyn FnMut(&Extent)) -> Result<(), ReadError> {
        // Block numbers with the required depth of each: an image can make this hold a few thousand at a time.
        let mut children: Vec<(u64, u16)> = Vec::new();
        let mut next = Some(inode.root.to_vec());
        while let Some(node) = next.take() {
            let (count, depth) = (half(&node, 2), half(&node, 6));
            let is_node = half(&node, 0) == NODE && depth <= 5;
            let count = if is_node { count } else { 0 };
            for entry in node[ENTRY..].chunks_exact(ENTRY).take(usize::from(count)) {
                if depth == 0 {
                    let length = half(entry, 4);
                    let is_written = length <= LONGEST_WRITTEN;
                    let count = if is_written { length } else { length - LONGEST_WRITTEN };
                    let first = u64::from(word(entry, 8)) | u64::from(half(entry, 6)) << 32;
                    each(&Extent { in_file: word(entry, 0).into(), first, count: count.into(), is_written });
                    continue;
                }
                children.push((u64::from(word(entry, 4)) | u64::from(half(entry, 8)) << 32, depth - 1));
            }
            while next.is_none()
                && let Some((child, depth)) = children.pop()
            {
                next = self.block(child)?.filter(|node| half(node, 6) == depth);
            }
        }
        Ok(())
    }

    /// A block; `None` if it lies behind the end.
    fn block(&self, number: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(at) = number.checked_mul(self.block).filter(|at| at.saturating_add(self.block) <= self.partition.length()) else {
            return Ok(None);
        };
        let mut block = vec![0; to_usize(self.block)];
        self.partition.read_exact_at(at, &mut block)?;
        Ok(Some(block))
    }

    /// The path of a file; `None` if no directory names it.
    fn path(&self, number: u64) -> Result<Option<String>, ReadError> {
        // Every file with the directory that names it, and its name there.
        let mut names: BTreeMap<u64, (u64, String)> = BTreeMap::new();
        self.find(|directory, inode| {
            if inode.kind == DIRECTORY {
                let mut blocks = Vec::new();
                let most = to_usize(inode.length.div_ceil(self.block).min(PART));
                self.extents(inode, &mut |extent| {
                    let left = most - blocks.len();
                    blocks.extend((extent.first..extent.first.saturating_add(extent.count)).take(left));
                })?;
                for block in blocks {
                    if let Some(block) = self.block(block)? {
                        named(&block, |child, name| _ = names.insert(child, (directory, name)));
                    }
                }
            }
            Ok(None::<()>)
        })?;
        let (mut path, mut at) = (String::new(), number);
        for _ in 0..DEEPEST {
            if at == ROOT_INODE {
                return Ok(Some(path).filter(|path| !path.is_empty()));
            }
            let Some((directory, name)) = names.get(&at) else { return Ok(None) };
            path = format!("/{name}{path}");
            at = *directory;
        }
        Ok(None)
    }
}

impl Inode {
    /// `None` if it is not in use, or has no extents.
    fn of(bytes: &[u8]) -> Option<Self> {
        let kind = half(bytes, 0) & KIND;
        let has_extents = word(bytes, 0x20) & HAS_EXTENTS != 0;
        let length = u64::from(word(bytes, 0x04)) | u64::from(word(bytes, 0x6c)) << 32;
        let root = bytes.get(ROOT..ROOT + ROOT_LENGTH)?.try_into().ok()?;
        (kind != 0 && has_extents).then_some(Self { kind, length, root })
    }
}

/// The names in a block of a directory, with their inodes.
fn named(block: &[u8], mut each: impl FnMut(u64, String)) {
    let mut at = 0;
    while let Some(entry) = block.get(at..).filter(|rest| rest.len() >= 8) {
        let (inode, length) = (word(entry, 0), usize::from(half(entry, 4)));
        let name = entry.get(8..8 + usize::from(entry[6]));
        if length < 8 {
            return;
        }
        if let Some(name) = name.filter(|name| inode != 0 && *name != b"." && *name != b"..") {
            each(inode.into(), String::from_utf8_lossy(name).into_owned());
        }
        at += length;
    }
}
