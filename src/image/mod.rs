//! Images: opened whatever they are packed in, hashed piece by piece, staged as immutable raw copies.
//!
//! Knows nothing of cards. What the rest of the station gets is a [`Staged`]: bytes, their [`map::PieceMap`], and the places
//! that make a card bootable ([`layout::Layout`]).

#[cfg(test)]
mod cases;
pub mod extents;
pub mod inspect;
mod intake;
pub mod layout;
pub mod map;
pub mod open;
pub mod stage;
pub mod store;
mod xz;
mod zip;
mod zst;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::device::mapped::Mapping;
use crate::station::outcome::Digest;
use crate::station::units::{Bytes, to_u64, to_usize};
use extents::Extents;
use layout::Layout;
use map::{PieceMap, PieceValue, ZeroValues};

/// What went wrong with an image. Nothing was written to any card.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It could not be opened.
    #[error("opening the image {path}: check the path and who may read it")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It could not be read, or its packing is damaged.
    #[error("reading the image {path} at byte {at} of its raw contents")]
    Read {
        /// The file.
        path: PathBuf,
        /// How much came out of it before.
        at: u64,
        /// What the system or the decoder said.
        source: io::Error,
    },
    /// The packed file ends before its contents do.
    #[error("the image {path} is cut short: it ends at byte {at} of its raw contents; copy it again")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// How much came out of it.
        at: u64,
    },
    /// The packed file's own checks fail.
    #[error("the image {path} is damaged behind byte {at} of its raw contents; copy it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How much came out of it.
        at: u64,
        /// What the decoder said.
        source: io::Error,
    },
    /// Its name says it is packed, and its beginning does not.
    #[error("the image {path} does not begin as its name says: copy it again, or pack it as .xz, .gz, .zst, .bz2 or .zip")]
    NotAsNamed {
        /// The file.
        path: PathBuf,
    },
    /// It was written to, or another took its name, while it was read.
    #[error("the image {path} changed while it was read: wait until it is copied whole")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Unpacking it takes more memory than it may.
    #[error(
        "the image {path} takes too much memory to unpack: pack it with a smaller window, as zstd or xz do when nothing is asked of them"
    )]
    Window {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: io::Error,
    },
    /// A zip in which no file, or more than one, could be the image.
    #[error("the zip {path} holds {count} files, where the image must be the only one: pack the image alone")]
    NotOneFile {
        /// The file.
        path: PathBuf,
        /// How many are in it.
        count: u64,
    },
    /// A zip that only a password opens.
    #[error("the zip {path} is encrypted: pack the image without a password")]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// A zip packed in a way that is not read here.
    #[error("the zip {path} is packed by {method}, which is not read here: pack the image with deflate, or as .xz")]
    Method {
        /// The file.
        path: PathBuf,
        /// How it is packed.
        method: String,
    },
    /// It is longer than any card.
    #[error("the image {path} unpacks to more than {most}, which no card holds: it is not an image of a card")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The most.
        most: Bytes,
    },
    /// There is nothing in it.
    #[error("the image {path} is empty")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It is not a file.
    #[error("the image {path} is not a regular file")]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// The system has no thread to give.
    #[error("starting a thread to read the image with")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
    /// The system did not map the staged copy.
    #[error("mapping the staged image {path} into memory")]
    Map {
        /// The staged file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk of the store has no room for the staged copy, also without the images nobody uses.
    #[error(
        "staging into {path} needs {missing} more than the {free} that are free on its disk: remove files there, or set `state` in \
         [station] to a place on a larger disk"
    )]
    NoRoom {
        /// The store.
        path: PathBuf,
        /// How much would have to be free beyond what is.
        missing: Bytes,
        /// What is free.
        free: Bytes,
    },
    /// The staged copy is not what was unpacked.
    #[error("the copy of the image {path} differs from the image at byte {at}: the disk or the memory of this PC is at fault")]
    Copy {
        /// The copy, or its source where the copy has no name.
        path: PathBuf,
        /// The first byte of the first piece that differs.
        at: u64,
    },
    /// The staged copy could not be made.
    #[error("writing the staged copy {path}: is the disk full, or read-only?")]
    Store {
        /// The staged file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// An image that can be written: raw, hashed, and not to change any more.
#[derive(Debug)]
pub struct Staged {
    file: File,
    path: PathBuf,
    map: PieceMap,
    extents: Extents,
    layout: Layout,
    zeroes: ZeroValues,
    /// One for all cards: every mapping of an image costs 2 MiB of page tables a GiB, and counts as memory in use (`proc(5)`, `VmPTE`
    /// and `VmRSS`).
    mapping: Mapping,
}

impl Staged {
    /// The raw image in `file`, which lies at `path`.
    fn new(file: File, path: PathBuf, map: PieceMap, extents: Extents, layout: Layout, zeroes: ZeroValues) -> Result<Self, ImageError> {
        let mapping = Mapping::new(&file, map.span()).map_err(|source| ImageError::Map { path: path.clone(), source })?;
        Ok(Self { file, path, map, extents, layout, zeroes, mapping })
    }

    /// BLAKE3 of its bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.map.root()
    }

    /// Its length.
    #[must_use]
    pub fn span(&self) -> Bytes {
        self.map.span()
    }

    /// The value of every piece.
    #[must_use]
    pub fn map(&self) -> &PieceMap {
        &self.map
    }

    /// The value of what came back where piece `piece` stands.
    #[must_use]
    pub fn value_of(&self, piece: usize, data: &[u8]) -> PieceValue {
        self.zeroes.value(piece, data, self.span())
    }

    /// Which pieces make a card bootable, and for which logical block.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Where it has data, and where zeroes.
    #[must_use]
    pub fn extents(&self) -> &Extents {
        &self.extents
    }

    /// Its raw bytes, for who reads them.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The same, for who hands them to the kernel. Nobody else may look at them there: see [`Mapping`].
    #[must_use]
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Reads all of it and compares every piece with the map, which was made of the bytes on their way here.
    ///
    /// # Errors
    /// The first piece that differs, or what the system said.
    fn compare(&self) -> Result<(), ImageError> {
        let mut buffer = vec![0; to_usize(map::PIECE)];
        for (piece, value) in self.map.values().iter().enumerate() {
            let (at, length) = (self.map.start(piece).0, to_usize(self.map.length(piece).0));
            let data = &mut buffer[..length];
            self.file.read_exact_at(data, at).map_err(|source| ImageError::Read { path: self.path.clone(), at, source })?;
            if self.value_of(piece, data) != *value {
                return Err(ImageError::Copy { path: self.path.clone(), at });
            }
        }
        Ok(())
    }

    /// Notes in the store that it is used now; what is used longest ago leaves the store first.
    pub fn note_use(&self) {
        if let Some(store) = self.path.parent() {
            store::note_use(&self.file, store);
        }
    }

    /// Fills `into` with the image from `at` on; behind its end come zeroes, never what the buffer held before.
    ///
    /// # Errors
    /// What the system said; a file that became shorter is `UnexpectedEof`.
    pub fn read_padded(&self, at: Bytes, into: &mut [u8]) -> io::Result<()> {
        let left = self.span().0.saturating_sub(at.0).min(to_u64(into.len()));
        let (image, padding) = into.split_at_mut(to_usize(left));
        padding.fill(0);
        self.file.read_exact_at(image, at.0)
    }
}
