//! ext4, through `ext4-view`, which reads it without mounting and checks its checksums.
//!
//! The reader trusts the superblock for the size of its own buffers, and a symbolic link for the length of its target; both are checked
//! here before it sees them. Files that it reads in another way than a device are refused (`unwritten`).

use std::io;

use ext4_view::{Ext4Error, Ext4Read, File, FileType, Metadata, Path};

use super::contents::Contents;
use super::ext4_superblock::{Superblock, word};
use super::listing::{Listing, Node, join, list};
use super::small_inodes::{self, Enlarged};
use super::unwritten;
use super::window::Window;
use crate::image::inspect::read_error::ReadError;
use crate::station::units::to_u64;

/// The place of the superblock, and the magic number in it.
const SUPERBLOCK: u64 = 1024;
const MAGIC: [u8; 2] = [0x53, 0xef];
/// The largest block that the kernel mounts on any machine.
const LARGEST_BLOCK_LOG: u32 = 6;
/// Limit of groups. With 128 MiB each, as `mke2fs` makes them: 8 TiB.
const MOST_GROUPS: u64 = 65_536;
/// A feature in the superblock: the journal contains data that is not in its place yet.
const NEEDS_RECOVERY: u32 = 0x4;
/// The longest target of a symbolic link in bytes (`PATH_MAX`).
const LONGEST_TARGET: u64 = 4096;

pub(in crate::image::inspect) fn is_here(partition: &Window) -> bool {
    let mut magic = [0; 2];
    partition.read_exact_at(SUPERBLOCK + 0x38, &mut magic).is_ok() && magic == MAGIC
}

pub(in crate::image::inspect) struct Ext4 {
    fs: ext4_view::Ext4,
    length: u64,
}

impl Ext4 {
    pub(in crate::image::inspect) fn open(partition: &Window) -> Result<Self, ReadError> {
        let mut superblock = [0; 1024];
        partition.read_exact_at(SUPERBLOCK, &mut superblock)?;
        check(&superblock, partition.length())?;
        let reader: Box<dyn Ext4Read> =
            if small_inodes::are_in(&superblock) { Box::new(Enlarged::new(partition, &superblock)?) } else { Box::new(partition.clone()) };
        let fs = ext4_view::Ext4::load(reader).map_err(trouble)?;
        unwritten::refuse(partition, &superblock)?;
        Ok(Self { fs, length: partition.length() })
    }

    pub(in crate::image::inspect) fn label(&self) -> String {
        self.fs.label().display().to_string()
    }

    pub(in crate::image::inspect) fn list(&self) -> Result<Listing, ReadError> {
        let mut listing = Listing::new();
        let mut names = 0;
        let mut directories = vec![String::new()];
        while let Some(directory) = directories.pop() {
            for entry in self.fs.read_dir(absolute(&directory).as_str()).map_err(trouble)? {
                let entry = entry.map_err(trouble)?;
                let name = entry.file_name();
                let name = name.as_str().map_err(|error| ReadError::Broken(format!("a name in /{directory} is not UTF-8: {error}")))?;
                if name == "." || name == ".." {
                    continue;
                }
                let path = join(&directory, name);
                let node = self.node(&path, &entry.metadata().map_err(trouble)?)?;
                if node == Node::Directory {
                    directories.push(path.clone());
                }
                list(&mut listing, &mut names, path, node)?;
            }
        }
        Ok(listing)
    }

    fn node(&self, path: &str, metadata: &Metadata) -> Result<Node, ReadError> {
        match metadata.file_type() {
            FileType::Directory => Ok(Node::Directory),
            FileType::Regular if metadata.len() > self.length => {
                Err(ReadError::Broken(format!("/{path} is said to be larger than the partition it lies in")))
            }
            FileType::Regular => Ok(Node::File { length: metadata.len() }),
            FileType::Symlink if metadata.len() > LONGEST_TARGET => {
                Err(ReadError::Broken(format!("the symbolic link /{path} is longer than any path")))
            }
            FileType::Symlink => {
                let target = self.fs.read_link(absolute(path).as_str()).map_err(trouble)?;
                Ok(Node::Link { target: target.display().to_string() })
            }
            _ => Ok(Node::Special),
        }
    }

    pub(in crate::image::inspect) fn open_file<'a>(&'a self, path: &str, length: u64) -> Result<Box<dyn Contents + 'a>, ReadError> {
        let file = self.fs.open(Path::new(absolute(path).as_str())).map_err(trouble)?;
        Ok(Box::new(Opened { file, length }))
    }
}

fn absolute(path: &str) -> String {
    format!("/{path}")
}

/// Checks the numbers that the reader would trust.
fn check(superblock: &[u8; 1024], length: u64) -> Result<(), ReadError> {
    let said = Superblock::of(superblock);
    if said.features & NEEDS_RECOVERY != 0 {
        // The data that is read now differs from what a device reads after it replayed the journal.
        return Err(ReadError::Unreadable("its journal was not played back: unmount it cleanly, or make the image again".to_owned()));
    }
    if said.block_log > LARGEST_BLOCK_LOG {
        return Err(ReadError::broken("its superblock speaks of blocks larger than any kernel reads"));
    }
    if said.blocks.checked_mul(said.block()).is_none_or(|bytes| bytes > length) || (!said.is_64_bit() && word(superblock, 0x150) != 0) {
        return Err(ReadError::broken("its file system is larger than the partition it lies in"));
    }
    if said.blocks / said.per_group.max(1) >= MOST_GROUPS {
        return Err(ReadError::broken("its superblock speaks of more block groups than a card has room for"));
    }
    Ok(())
}

fn trouble(error: Ext4Error) -> ReadError {
    match error {
        Ext4Error::Io(source) => match source.downcast::<io::Error>() {
            Ok(source) => ReadError::Read(*source),
            Err(other) => ReadError::Broken(other.to_string()),
        },
        other => ReadError::Broken(format!("ext4: {other}")),
    }
}

struct Opened {
    file: File,
    length: u64,
}

impl Contents for Opened {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&mut self, at: u64, into: &mut [u8]) -> Result<(), ReadError> {
        if at.checked_add(to_u64(into.len())).is_none_or(|end| end > self.length) {
            return Err(ReadError::Read(io::ErrorKind::UnexpectedEof.into()));
        }
        if self.file.position() != at {
            self.file.seek_to(at).map_err(trouble)?;
        }
        let mut filled = 0;
        while filled < into.len() {
            match self.file.read_bytes(&mut into[filled..]).map_err(trouble)? {
                0 => return Err(ReadError::Read(io::ErrorKind::UnexpectedEof.into())),
                count => filled += count,
            }
        }
        Ok(())
    }
}
