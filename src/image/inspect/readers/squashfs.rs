//! The file system inside a snap: squashfs 4.0, read by path.
//!
//! Our own reader, because every library that reads squashfs builds the whole tree first, by as much recursion as the file asks for, and
//! unpacks its metadata without a bound: a snap that is not yet proven could end the station. This one looks up one path at a time, unpacks
//! into buffers of the largest size that the format allows, and never recurses. The decoders are those that unpack images.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use flate2::{Decompress, FlushDecompress, Status as Inflated};
use liblzma::stream::{Action, Status, Stream};

use super::contents::Contents;
use crate::image::inspect::read_error::ReadError;
use crate::station::units::{KIB, MIB, to_u64, to_usize};

const MAGIC: u32 = 0x7371_7368;
/// Length of a block of metadata when unpacked, except the last one of a table.
const METADATA: u64 = 8 * KIB;
/// Allowed lengths of a block of data.
const SMALLEST_BLOCK: u64 = 4 * KIB;
const LARGEST_BLOCK: u64 = MIB;
/// Fragments whose places are in one metadata block.
const FRAGMENTS_PER_BLOCK: u64 = 512;
const NO_FRAGMENT: u32 = u32::MAX;
/// Blocks of metadata that are kept unpacked: 512 KiB.
const KEPT: usize = 64;
/// Memory limit of the xz decoder: blocks of at most 1 MiB need little more.
const XZ_MEMORY: u64 = 16 * MIB;
/// Limit of a directory: names of 256 bytes, and more of them than any snap has in one place.
const LARGEST_DIRECTORY: u64 = 4 * MIB;
/// The longest target of a symbolic link in bytes (`PATH_MAX`).
const LONGEST_TARGET: u64 = 4096;
/// Limit of the blocks of one file: 64 GiB in blocks of 64 KiB.
const MOST_BLOCKS: u64 = MIB;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Zlib,
    Lzo,
    Xz,
    Zstd,
}

/// The kind of entry at a path inside a snap.
#[derive(Clone, Debug)]
pub(in crate::image::inspect) enum Inode {
    File(FileInode),
    Directory(DirectoryInode),
    Link {
        target: String,
    },
    /// A device, a pipe or a socket.
    Other,
}

#[derive(Clone, Debug)]
pub(in crate::image::inspect) struct FileInode {
    pub(in crate::image::inspect) length: u64,
    start: u64,
    fragment: u32,
    offset_in_fragment: u64,
    /// Packed lengths of its blocks.
    blocks: Rc<[u32]>,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::image::inspect) struct DirectoryInode {
    start: u64,
    offset: u64,
    length: u64,
}

/// One name in a directory.
#[derive(Clone, Debug)]
pub(in crate::image::inspect) struct Entry {
    pub(in crate::image::inspect) name: String,
    inode: InodePlace,
}

#[derive(Clone, Copy, Debug)]
struct InodePlace {
    block: u64,
    offset: u64,
}

pub(in crate::image::inspect) struct Squashfs<'a> {
    file: Box<dyn Contents + 'a>,
    packing: Packing,
    block: u64,
    fragments: u64,
    root: InodePlace,
    inode_table: u64,
    directory_table: u64,
    fragment_table: u64,
    kept: VecDeque<(u64, Metadata)>,
}

/// An unpacked block of metadata, and the place of the next one.
#[derive(Clone)]
struct Metadata {
    bytes: Rc<[u8]>,
    next: u64,
}

/// Reads metadata across blocks.
struct Cursor {
    block: u64,
    offset: u64,
}

impl<'a> Squashfs<'a> {
    pub(in crate::image::inspect) fn open(mut file: Box<dyn Contents + 'a>) -> Result<Self, ReadError> {
        let mut superblock = [0; 96];
        file.read_exact_at(0, &mut superblock).map_err(|_short| ReadError::broken("it is no squashfs: it is too short"))?;
        let short = |at: usize| u16::from_le_bytes([superblock[at], superblock[at + 1]]);
        let word = |at: usize| u32::from_le_bytes([superblock[at], superblock[at + 1], superblock[at + 2], superblock[at + 3]]);
        let long = |at: usize| u64::from(word(at)) | (u64::from(word(at + 4)) << 32);
        if word(0) != MAGIC {
            return Err(ReadError::broken("it is no squashfs"));
        }
        if (short(28), short(30)) != (4, 0) {
            return Err(ReadError::Unreadable(format!("squashfs {}.{} is not read here", short(28), short(30))));
        }
        let packing = match short(20) {
            1 => Packing::Zlib,
            3 => Packing::Lzo,
            4 => Packing::Xz,
            6 => Packing::Zstd,
            5 => return Err(ReadError::Unreadable("it is packed with lz4, which is not read here".to_owned())),
            other => return Err(ReadError::Unreadable(format!("it is packed by a method numbered {other}, which is not read here"))),
        };
        let block = u64::from(word(12));
        if !block.is_power_of_two() || !(SMALLEST_BLOCK..=LARGEST_BLOCK).contains(&block) {
            return Err(ReadError::broken("its squashfs has blocks of a size that does not exist"));
        }
        if long(40) > file.length() {
            return Err(ReadError::broken("its squashfs is cut short"));
        }
        let root = InodePlace { block: long(32) >> 16, offset: long(32) & 0xffff };
        Ok(Self {
            packing,
            block,
            fragments: u64::from(word(16)),
            root,
            inode_table: long(64),
            directory_table: long(72),
            fragment_table: long(80),
            kept: VecDeque::new(),
            file,
        })
    }

    /// `None` if there is no such entry. Symbolic links are not followed.
    pub(in crate::image::inspect) fn find(&mut self, path: &str) -> Result<Option<Inode>, ReadError> {
        let mut inode = self.inode(self.root)?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let Inode::Directory(directory) = inode else { return Ok(None) };
            let Some(entry) = self.entries(directory)?.into_iter().find(|entry| entry.name == name) else { return Ok(None) };
            inode = self.inode(entry.inode)?;
        }
        Ok(Some(inode))
    }

    /// The entry for the last name of a path, in its directory.
    pub(in crate::image::inspect) fn entry(&mut self, path: &str) -> Result<Option<Entry>, ReadError> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(Inode::Directory(directory)) = self.find(directory)? else { return Ok(None) };
        Ok(self.entries(directory)?.into_iter().find(|entry| entry.name == name))
    }

    /// The inode of a name.
    pub(in crate::image::inspect) fn node(&mut self, entry: &Entry) -> Result<Inode, ReadError> {
        self.inode(entry.inode)
    }

    /// All names in a directory.
    pub(in crate::image::inspect) fn entries(&mut self, directory: DirectoryInode) -> Result<Vec<Entry>, ReadError> {
        // The stated length counts `.` and `..`, which are not stored, as three bytes.
        let mut left = directory.length.saturating_sub(3);
        if left == 0 {
            return Ok(Vec::new());
        }
        if left > LARGEST_DIRECTORY {
            return Err(ReadError::broken("a directory in it is larger than any"));
        }
        let mut entries = Vec::new();
        let mut cursor = Cursor { block: self.table(self.directory_table, directory.start)?, offset: directory.offset };
        while left >= 12 {
            let header: [u8; 12] = self.read_array(&mut cursor)?;
            left -= 12;
            let count = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
            let block = u64::from(u32::from_le_bytes([header[4], header[5], header[6], header[7]]));
            if count >= 256 {
                return Err(ReadError::broken("a directory in it is damaged"));
            }
            for _ in 0..=count {
                let entry: [u8; 8] = self.read_array(&mut cursor)?;
                let offset = u64::from(u16::from_le_bytes([entry[0], entry[1]]));
                let mut name = vec![0; usize::from(u16::from_le_bytes([entry[6], entry[7]]) & 0xff) + 1];
                self.read_metadata(&mut cursor, &mut name)?;
                let cost = 8 + to_u64(name.len());
                left = left.checked_sub(cost).ok_or_else(|| ReadError::broken("a directory in it is damaged"))?;
                entries.push(Entry { name: String::from_utf8_lossy(&name).into_owned(), inode: InodePlace { block, offset } });
            }
        }
        Ok(entries)
    }

    /// Passes a file to `each`, block by block.
    pub(in crate::image::inspect) fn read_through(&mut self, file: &FileInode, mut each: impl FnMut(&[u8])) -> Result<(), ReadError> {
        let mut at = file.start;
        let mut left = file.length;
        for packed in file.blocks.iter() {
            let expected = left.min(self.block);
            let bytes = self.data(at, *packed, expected)?;
            if to_u64(bytes.len()) != expected {
                return Err(ReadError::broken("a block in it has another length than its file says"));
            }
            each(&bytes);
            at = at.saturating_add(u64::from(packed & 0x00ff_ffff));
            left -= expected;
        }
        if left > 0 {
            let (start, packed) = self.fragment(file.fragment)?;
            let bytes = self.data(start, packed, self.block)?;
            let from = usize::try_from(file.offset_in_fragment).ok().and_then(|from| bytes.get(from..));
            let part = from.and_then(|rest| rest.get(..to_usize(left)));
            each(part.ok_or_else(|| ReadError::broken("the end of a file in it lies outside its block"))?);
        }
        Ok(())
    }

    /// A whole file of at most `most` bytes.
    pub(in crate::image::inspect) fn read(&mut self, file: &FileInode, most: u64) -> Result<Vec<u8>, ReadError> {
        if file.length > most {
            return Err(ReadError::Broken(format!("it is {} bytes long, where {most} are the most", file.length)));
        }
        let mut bytes = Vec::new();
        self.read_through(file, |part| bytes.extend_from_slice(part))?;
        Ok(bytes)
    }

    fn inode(&mut self, place: InodePlace) -> Result<Inode, ReadError> {
        let mut cursor = Cursor { block: self.table(self.inode_table, place.block)?, offset: place.offset };
        let common: [u8; 16] = self.read_array(&mut cursor)?;
        match u16::from_le_bytes([common[0], common[1]]) {
            1 => {
                let basic: [u8; 16] = self.read_array(&mut cursor)?;
                let (start, length, offset) = (le_32(&basic, 0), le_16(&basic, 8), le_16(&basic, 10));
                Ok(Inode::Directory(DirectoryInode { start, offset, length }))
            }
            8 => {
                let extended: [u8; 24] = self.read_array(&mut cursor)?;
                let (length, start, offset) = (le_32(&extended, 4), le_32(&extended, 8), le_16(&extended, 18));
                Ok(Inode::Directory(DirectoryInode { start, offset, length }))
            }
            2 => {
                let basic: [u8; 16] = self.read_array(&mut cursor)?;
                self.file(&mut cursor, le_32(&basic, 0), le_32(&basic, 12), [basic[4], basic[5], basic[6], basic[7]], le_32(&basic, 8))
            }
            9 => {
                let extended: [u8; 40] = self.read_array(&mut cursor)?;
                let fragment = [extended[28], extended[29], extended[30], extended[31]];
                self.file(&mut cursor, le_64(&extended, 0), le_64(&extended, 8), fragment, le_32(&extended, 32))
            }
            3 | 10 => {
                let link: [u8; 8] = self.read_array(&mut cursor)?;
                let length = le_32(&link, 4);
                if length > LONGEST_TARGET {
                    return Err(ReadError::broken("a symbolic link in it is longer than any path"));
                }
                let mut target = vec![0; to_usize(length)];
                self.read_metadata(&mut cursor, &mut target)?;
                Ok(Inode::Link { target: String::from_utf8_lossy(&target).into_owned() })
            }
            4..=7 | 11..=14 => Ok(Inode::Other),
            _ => Err(ReadError::broken("one of its inodes is damaged")),
        }
    }

    fn file(
        &mut self,
        cursor: &mut Cursor,
        start: u64,
        length: u64,
        fragment: [u8; 4],
        offset_in_fragment: u64,
    ) -> Result<Inode, ReadError> {
        let fragment = u32::from_le_bytes(fragment);
        let count = if fragment == NO_FRAGMENT { length.div_ceil(self.block) } else { length / self.block };
        if count > MOST_BLOCKS {
            return Err(ReadError::broken("a file in it is larger than any card"));
        }
        let mut sizes = vec![0; to_usize(count) * 4];
        self.read_metadata(cursor, &mut sizes)?;
        let blocks = sizes.as_chunks::<4>().0.iter().map(|size| u32::from_le_bytes(*size)).collect();
        Ok(Inode::File(FileInode { length, start, fragment, offset_in_fragment, blocks }))
    }

    fn fragment(&mut self, number: u32) -> Result<(u64, u32), ReadError> {
        let number = u64::from(number);
        if number >= self.fragments {
            return Err(ReadError::broken("a file in it ends in a block that does not exist"));
        }
        let mut place = [0; 8];
        let at = self.table(self.fragment_table, number / FRAGMENTS_PER_BLOCK * 8)?;
        self.file.read_exact_at(at, &mut place)?;
        let mut cursor = Cursor { block: u64::from_le_bytes(place), offset: number % FRAGMENTS_PER_BLOCK * 16 };
        let entry: [u8; 16] = self.read_array(&mut cursor)?;
        Ok((le_64(&entry, 0), u32::from_le_bytes([entry[8], entry[9], entry[10], entry[11]])))
    }

    fn table(&self, table: u64, at: u64) -> Result<u64, ReadError> {
        table
            .checked_add(at)
            .filter(|at| *at < self.file.length())
            .ok_or_else(|| ReadError::broken("one of its tables lies behind its end"))
    }

    fn read_array<const N: usize>(&mut self, cursor: &mut Cursor) -> Result<[u8; N], ReadError> {
        let mut bytes = [0; N];
        self.read_metadata(cursor, &mut bytes)?;
        Ok(bytes)
    }

    fn read_metadata(&mut self, cursor: &mut Cursor, into: &mut [u8]) -> Result<(), ReadError> {
        let mut filled = 0;
        while filled < into.len() {
            let metadata = self.metadata(cursor.block)?;
            let rest = usize::try_from(cursor.offset).ok().and_then(|offset| metadata.bytes.get(offset..)).unwrap_or_default();
            if rest.is_empty() {
                // Only a full block continues in the next one; behind a shorter one there is another table.
                if to_u64(metadata.bytes.len()) != METADATA || cursor.offset > METADATA {
                    return Err(ReadError::broken("one of its tables ends too early"));
                }
                (cursor.block, cursor.offset) = (metadata.next, 0);
                continue;
            }
            let part = rest.len().min(into.len() - filled);
            into[filled..filled + part].copy_from_slice(&rest[..part]);
            filled += part;
            cursor.offset += to_u64(part);
        }
        Ok(())
    }

    fn metadata(&mut self, at: u64) -> Result<Metadata, ReadError> {
        if let Some((_, known)) = self.kept.iter().find(|(known, _)| *known == at) {
            return Ok(known.clone());
        }
        let mut header = [0; 2];
        self.file.read_exact_at(at, &mut header)?;
        let header = u16::from_le_bytes(header);
        let length = u64::from(header & 0x7fff);
        if length == 0 || length > METADATA {
            return Err(ReadError::broken("a block of its metadata is longer than it may be"));
        }
        let mut packed = vec![0; to_usize(length)];
        self.file.read_exact_at(at + 2, &mut packed)?;
        let bytes = if header & 0x8000 != 0 { packed } else { self.unpack(&packed, METADATA)? };
        if bytes.is_empty() {
            return Err(ReadError::broken("a block of its metadata is empty"));
        }
        let metadata = Metadata { bytes: bytes.into(), next: at + 2 + length };
        self.kept.truncate(KEPT - 1);
        self.kept.push_front((at, metadata.clone()));
        Ok(metadata)
    }

    /// A block of data that unpacks to at most `most` bytes.
    fn data(&mut self, at: u64, packed: u32, most: u64) -> Result<Vec<u8>, ReadError> {
        let length = u64::from(packed & 0x00ff_ffff);
        if length == 0 {
            return Ok(vec![0; to_usize(most)]);
        }
        if length > self.block {
            return Err(ReadError::broken("a block in it is longer than its squashfs allows"));
        }
        let mut bytes = vec![0; to_usize(length)];
        self.file.read_exact_at(at, &mut bytes)?;
        if packed & 0x0100_0000 != 0 { Ok(bytes) } else { self.unpack(&bytes, most) }
    }

    /// Contents that do not fit into `most` bytes are an error before they are unpacked.
    fn unpack(&self, packed: &[u8], most: u64) -> Result<Vec<u8>, ReadError> {
        let damaged = |error: &dyn std::fmt::Display| ReadError::Broken(format!("a block in it cannot be unpacked: {error}"));
        let mut bytes = vec![0; to_usize(most)];
        let length = match self.packing {
            Packing::Zlib => {
                let mut inflate = Decompress::new(true);
                match inflate.decompress(packed, &mut bytes, FlushDecompress::Finish).map_err(|error| damaged(&error))? {
                    Inflated::StreamEnd => to_usize(inflate.total_out()),
                    Inflated::Ok | Inflated::BufError => return Err(damaged(&"it is longer than it may be, or cut short")),
                }
            }
            Packing::Lzo => lzokay::decompress::decompress(packed, &mut bytes).map_err(|error| damaged(&error))?,
            Packing::Xz => {
                let mut stream = Stream::new_stream_decoder(XZ_MEMORY, 0).map_err(|error| damaged(&error))?;
                match stream.process(packed, &mut bytes, Action::Finish).map_err(|error| damaged(&error))? {
                    Status::StreamEnd => to_usize(stream.total_out()),
                    _ => return Err(damaged(&"it is longer than it may be, or cut short")),
                }
            }
            Packing::Zstd => zstd::bulk::decompress_to_buffer(packed, &mut bytes).map_err(|error: io::Error| damaged(&error))?,
        };
        bytes.truncate(length);
        Ok(bytes)
    }
}

fn le_16(bytes: &[u8], at: usize) -> u64 {
    u64::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn le_32(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]))
}

fn le_64(bytes: &[u8], at: usize) -> u64 {
    le_32(bytes, at) | (le_32(bytes, at + 4) << 32)
}

#[cfg(test)]
mod lzo_cases;
