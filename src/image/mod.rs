//! Images: opened and unpacked, hashed piece by piece, and staged as immutable raw copies.
//!
//! Knows nothing of cards. The rest of the station gets a [`Staged`]: bytes, their [`map::PieceMap`], and the places that make a card
//! bootable ([`layout::Layout`]).

#[cfg(test)]
mod cases;
pub(crate) mod extents;
pub(crate) mod foreign;
pub mod inspect;
mod intake;
pub(crate) mod layout;
pub(crate) mod map;
pub mod packing;
pub mod stage;
pub(crate) mod store;
mod superblock;

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::device::mapped::Mapping;
use crate::station::outcome::Digest;
use crate::station::units::{Bytes, to_u64, to_usize};
use extents::Extents;
use layout::Layout;
use map::{PieceMap, PieceValue, ZeroValues};

/// Errors of an image. Nothing was written to any card.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It could not be opened.
    #[error("opening the image {path}: check the path and who may read it")]
    Open {
        /// The image file, as configured.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// It could not be read, or its packing is damaged.
    #[error("reading the image {path} at byte {at} of its raw contents")]
    Read {
        /// The image file, as configured.
        path: PathBuf,
        /// How many bytes were unpacked before.
        at: u64,
        /// The error of the system or the decoder.
        source: io::Error,
    },
    /// The packed file ends before its contents do.
    #[error("the image {path} is cut short: it ends at byte {at} of its raw contents; copy it again")]
    Truncated {
        /// The image file, as configured.
        path: PathBuf,
        /// How many bytes were unpacked.
        at: u64,
    },
    /// The packed file's own checks failed.
    #[error("the image {path} is damaged behind byte {at} of its raw contents; copy it again")]
    Damaged {
        /// The image file, as configured.
        path: PathBuf,
        /// How many bytes were unpacked.
        at: u64,
        /// The error of the decoder.
        source: io::Error,
    },
    /// Its name belongs to a packed file, and its first bytes do not.
    #[error("the image {path} does not begin as its name says: copy it again, or pack it as .xz, .gz, .zst, .bz2 or .zip")]
    NotAsNamed {
        /// The image file, as configured.
        path: PathBuf,
    },
    /// It was written to, or another file took its name, while it was read.
    #[error("the image {path} changed while it was read: wait until it is copied whole")]
    Changed {
        /// The image file, as configured.
        path: PathBuf,
    },
    /// It is not a disk image.
    #[error("the image {path} {verb} {name}, no disk image: {cure}")]
    Foreign {
        /// The image file, as configured.
        path: PathBuf,
        /// "is", or "unpacks to".
        verb: &'static str,
        /// The kind of file, with its article.
        name: &'static str,
        /// The cure for the engineer.
        cure: &'static str,
    },
    /// The raw image ends before the length that it states.
    #[error(
        "the image {path} is cut short: its {what} reaches to byte {needs}, and it ends at byte {at}: {missing} bytes are missing; copy it \
         again"
    )]
    CutShort {
        /// The image file, as configured.
        path: PathBuf,
        /// Length of the raw image in bytes.
        at: u64,
        /// The least length that it could have.
        needs: u64,
        /// How many bytes are missing.
        missing: u64,
        /// The structure that says how long the image must be.
        what: &'static str,
    },
    /// Its partition table is damaged.
    #[error("the partition table of the image {path} is damaged: {why}; copy the image again, or build it anew")]
    Table {
        /// The image file, as configured.
        path: PathBuf,
        /// How the table is damaged.
        why: String,
    },
    /// It does not look like a disk image, and the configuration does not say that this is intended.
    #[error(
        "the image {path} {why}: it is hardly the image of a card. If it is, set `contents = \"any\"` in its [[model]] (`flash --contents \
         any`)"
    )]
    Unusual {
        /// The image file, as configured.
        path: PathBuf,
        /// What is unusual about the image.
        why: String,
    },
    /// One part of a file that was split.
    #[error(
        "the image {path} is one part of a file that was split ({why}): put all parts together, as `cat NAME.* > WHOLE`, and name that"
    )]
    Part {
        /// The image file, as configured.
        path: PathBuf,
        /// The sign that it is a part.
        why: String,
    },
    /// A part of a zip that was split.
    #[error("the zip {path} is one of several that a zip was split into: make it one, with `zip -s 0 NAME.zip --out WHOLE.zip`")]
    SplitZip {
        /// The image file, as configured.
        path: PathBuf,
    },
    /// It is complete, but data follows.
    #[error(
        "the image {path} is whole up to byte {end} of the file, and is followed by {more} bytes that are no part of it: pack it \
         again, or cut them off with `truncate -s {end}`"
    )]
    GoesOn {
        /// The image file, as configured.
        path: PathBuf,
        /// Where the packed image ends.
        end: u64,
        /// How many bytes follow.
        more: u64,
    },
    /// It has two parts, and programs disagree about the second.
    #[error(
        "the image {path} has {zeroes} zeroes at byte {end} of the file, and behind them a second packed part, which gzip leaves out and other \
         programs unpack: pack the raw image again, as one part. What `python3 -m gzip -d FILE.gz` makes of a .gz has all parts"
    )]
    Apart {
        /// The image file, as configured.
        path: PathBuf,
        /// Where the first part ends.
        end: u64,
        /// How many zeroes follow.
        zeroes: u64,
    },
    /// Unpacking it needs more memory than allowed.
    #[error(
        "unpacking the image {path} takes {needs} of memory, and {free} are free, of which {may} may be taken: pack it with a smaller window \
         or dictionary, as zstd and xz do when nothing is asked of them"
    )]
    Window {
        /// The image file, as configured.
        path: PathBuf,
        /// The needed memory, if it is known.
        needs: String,
        /// The memory that a decoder may use.
        may: Bytes,
        /// Memory that is free now.
        free: Bytes,
    },
    /// It can only be unpacked with another file.
    #[error("the image {path} was packed with a dictionary (number {id}), which is not here: pack it without `-D`")]
    Dictionary {
        /// The image file, as configured.
        path: PathBuf,
        /// The number of the missing dictionary.
        id: u64,
    },
    /// A zip in which no file, or more than one, could be the image.
    #[error("the zip {path} holds {count} files that could be the image{names}, where there must be one: pack the image alone")]
    NotOneFile {
        /// The image file, as configured.
        path: PathBuf,
        /// The number of files that could be the image.
        count: u64,
        /// The first of them, or the other contents, in words; may be empty.
        names: String,
    },
    /// A zip that is encrypted with a password.
    #[error("the zip {path} is encrypted: pack the image without a password")]
    Encrypted {
        /// The image file, as configured.
        path: PathBuf,
    },
    /// A zip with a compression that is not supported here.
    #[error(
        "the zip {path} is packed by {method}, which is not read here: pack the image with deflate, as zip does when nothing is asked of it, or as .xz"
    )]
    Method {
        /// The image file, as configured.
        path: PathBuf,
        /// The name of the compression.
        method: String,
    },
    /// It is longer than any card.
    #[error("the image {path} unpacks to more than {most}, which no card holds: it is not an image of a card")]
    TooLong {
        /// The image file, as configured.
        path: PathBuf,
        /// The longest image that is accepted.
        most: Bytes,
    },
    /// It is empty.
    #[error("the image {path} is empty")]
    Empty {
        /// The image file, as configured.
        path: PathBuf,
    },
    /// It is not a file.
    #[error("the image {path} is not a regular file")]
    NotAFile {
        /// The path that was given.
        path: PathBuf,
    },
    /// The system provides no thread.
    #[error("starting a thread to read the image with")]
    Thread {
        /// The error of the system.
        source: io::Error,
    },
    /// The system did not map the staged copy.
    #[error("mapping the staged image {path} into memory")]
    Map {
        /// The staged copy that cannot be mapped.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The disk of the store has no room for the staged copy, even after unused images are deleted.
    #[error(
        "staging into {path} needs {missing} more than the {free} that are free on its disk: remove files there, or set `state` in \
         [station] to a place on a larger disk"
    )]
    NoRoom {
        /// The directory of the store.
        path: PathBuf,
        /// How much space is missing.
        missing: Bytes,
        /// Room that is free there.
        free: Bytes,
    },
    /// The directory for temporary files has no room for the unpacked image.
    #[error(
        "unpacking the image into {path} needs {missing} more than the {free} that were free there: remove files there, or unpack the image \
         elsewhere and name the raw one, which needs no room"
    )]
    NoScratch {
        /// The directory for temporary files.
        path: PathBuf,
        /// How much space was missing.
        missing: Bytes,
        /// The free space there.
        free: Bytes,
    },
    /// The staged copy differs from the unpacked image.
    #[error("the copy of the image {path} differs from the image at byte {at}: the disk or the memory of this PC is at fault")]
    Copy {
        /// The copy, or its source if the copy has no name.
        path: PathBuf,
        /// The first byte of the first piece that differs.
        at: u64,
    },
    /// The staged copy could not be made.
    #[error("writing the staged copy {path}: is the disk full, or read-only?")]
    Store {
        /// The staged copy that cannot be written.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

/// An image that can be written: raw, hashed, and unchangeable.
#[derive(Debug)]
pub struct Staged {
    file: File,
    path: PathBuf,
    source: PathBuf,
    map: PieceMap,
    extents: Extents,
    layout: Layout,
    zeroes: ZeroValues,
    /// One mapping for all cards: each costs 2 MiB of page tables per GiB, which counts as memory in use (`proc(5)`, `VmPTE` and `VmRSS`).
    mapping: Mapping,
    /// Every byte of the file was read and compared with the map.
    compared: AtomicBool,
    /// The file's device and inode.
    identity: (u64, u64),
}

impl Staged {
    /// The raw image in `file`, which lies at `path` and was made from `source`.
    fn new(
        file: File,
        path: PathBuf,
        source: &Path,
        map: PieceMap,
        extents: Extents,
        layout: Layout,
        zeroes: ZeroValues,
    ) -> Result<Self, ImageError> {
        let mapping = Mapping::new(&file, map.span()).map_err(|source| ImageError::Map { path: path.clone(), source })?;
        let metadata = file.metadata().map_err(|source| ImageError::Store { path: path.clone(), source })?;
        let identity = (metadata.dev(), metadata.ino());
        let compared = AtomicBool::new(false);
        Ok(Self { file, path, source: source.to_owned(), map, extents, layout, zeroes, mapping, compared, identity })
    }

    /// BLAKE3 of its bytes.
    #[must_use]
    pub(crate) fn digest(&self) -> Digest {
        self.map.root()
    }

    /// Length of the raw image in bytes.
    #[must_use]
    pub fn span(&self) -> Bytes {
        self.map.span()
    }

    /// The value of every piece.
    #[must_use]
    pub(crate) fn map(&self) -> &PieceMap {
        &self.map
    }

    /// The value of the data that was read back in the place of piece `piece`.
    #[must_use]
    pub(crate) fn value_of(&self, piece: usize, data: &[u8]) -> PieceValue {
        self.zeroes.value(piece, data, self.span())
    }

    /// The pieces that make a card bootable, and the logical block for which they do.
    #[must_use]
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The ranges of data and of zeroes.
    #[must_use]
    pub fn extents(&self) -> &Extents {
        &self.extents
    }

    /// The file with its raw bytes, for reading.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The same, to be passed to the kernel. The process itself must not read the bytes there: see [`Mapping`].
    #[must_use]
    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The path of the staged copy.
    #[must_use]
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The file from which it was made.
    #[must_use]
    pub(crate) fn source(&self) -> &Path {
        &self.source
    }

    /// Reads all of it and compares every piece with the map, which was made while the bytes were unpacked.
    ///
    /// # Errors
    /// The first piece that differs, or the error of the system.
    pub(crate) fn compare(&self) -> Result<(), ImageError> {
        let mut buffer = vec![0; to_usize(map::PIECE)];
        for (piece, value) in self.map.values().iter().enumerate() {
            let (at, length) = (self.map.start(piece).0, to_usize(self.map.length(piece).0));
            let data = &mut buffer[..length];
            self.file.read_exact_at(data, at).map_err(|source| ImageError::Read { path: self.path.clone(), at, source })?;
            if self.value_of(piece, data) != *value {
                return Err(ImageError::Copy { path: self.path.clone(), at });
            }
        }
        self.compared.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Since it was opened, every byte of it was read once and compared with the map.
    #[must_use]
    pub(crate) fn is_compared(&self) -> bool {
        self.compared.load(Ordering::Relaxed)
    }

    /// Bytes that were read through `before`, which is the same file, need not be read again.
    pub(crate) fn goes_on_from(&self, before: &Self) {
        if self.is_same_file(before) && before.is_compared() {
            self.compared.store(true, Ordering::Relaxed);
        }
    }

    /// Are both one file?
    #[must_use]
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        self.identity == other.identity
    }

    /// Removes it from the store, because it does not have the digest of its name. Processes that have it open keep it.
    pub(crate) fn discard(&self) {
        store::discard(&self.path);
    }

    /// Records in the store that it is used now; the least recently used image leaves the store first.
    pub(crate) fn note_use(&self) {
        if let Some(store) = self.path.parent() {
            store::note_use(&self.file, store);
        }
    }

    /// Fills `into` with the image from `at` on; the part behind its end is filled with zeroes, never with the old contents of the buffer.
    ///
    /// # Errors
    /// The error of the system; a file that became shorter is `UnexpectedEof`.
    pub(crate) fn read_padded(&self, at: Bytes, into: &mut [u8]) -> io::Result<()> {
        let left = self.span().0.saturating_sub(at.0).min(to_u64(into.len()));
        let (image, padding) = into.split_at_mut(to_usize(left));
        padding.fill(0);
        self.file.read_exact_at(image, at.0)
    }
}
