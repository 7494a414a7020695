//! Opens an image file in any supported packing. The first bytes determine the packing; the name is only compared with it.

mod behind;
#[cfg(test)]
mod cases;
mod error;
mod xz;
pub(super) mod zip;
mod zst;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;

use super::ImageError;
use super::foreign::{self, HEAD};
use crate::file;
use crate::station::units::{Bytes, MIB, to_u64, to_usize};
use behind::{CountingReader, Members, Share, Streams};
use error::explain;
use xz::XzReader;
use zst::ZstReader;

/// The first bytes of packed files: The .xz File Format 1.2.1, 2.1.1.1; RFC 1952, 2.3.1; RFC 8878, 3.1.1; bzip2; APPNOTE 6.3.10, 4.3.7 to
/// 4.3.16 and 8.5.4, where a zip begins with its file, with its end if it is empty, or with a mark that it is a part.
const MAGICS: [(Packing, &[u8]); 8] = [
    (Packing::Xz, &[0xfd, b'7', b'z', b'X', b'Z', 0]),
    (Packing::Gz, &[0x1f, 0x8b]),
    (Packing::Zst, &[0x28, 0xb5, 0x2f, 0xfd]),
    (Packing::Bz2, b"BZh"),
    (Packing::Zip, b"PK\x03\x04"),
    (Packing::Zip, b"PK\x05\x06"),
    (Packing::Zip, b"PK\x06\x06"),
    (Packing::Zip, b"PK\x07\x08"),
];
/// A `.zst` may also begin with a frame to be skipped; these are the first bytes of such a frame's magic (RFC 8878, 3.1.2).
const SKIPPABLE: std::ops::RangeInclusive<u8> = 0x50..=0x5f;
/// Bytes of the longest magic number.
const LONGEST_MAGIC: u64 = 6;

/// The packing of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not packed: the raw image.
    Raw,
    /// Packed with xz.
    Xz,
    /// Packed with gzip.
    Gz,
    /// Packed with zstd.
    Zst,
    /// Packed with bzip2.
    Bz2,
    /// `.zip` with one file in it
    Zip,
}

impl Packing {
    /// Recognised by as many of its first bytes as there are: three bytes of a `.xz` are a `.xz` that was cut short, not a raw image.
    fn of(first: &[u8]) -> Self {
        let begins = |magic: &[u8]| !first.is_empty() && first.iter().zip(magic).all(|(byte, expected)| byte == expected);
        match MAGICS.iter().find(|(_, magic)| begins(magic)) {
            Some((packing, _)) => *packing,
            None if SKIPPABLE.into_iter().any(|byte| begins(&[byte, 0x2a, 0x4d, 0x18])) => Self::Zst,
            None => Self::Raw,
        }
    }

    /// Whether the file's bytes are those of the image.
    #[must_use]
    pub(crate) fn is_raw(self) -> bool {
        self == Self::Raw
    }
}

/// Endings of packed and encrypted files, of supported and unsupported formats.
const ENDINGS: [&str; 17] =
    ["xz", "gz", "zst", "bz2", "zip", "lzma", "lz4", "lz", "7z", "rar", "tgz", "tar", "zz", "br", "gpg", "pgp", "lzo"];

/// The name alone never makes a file packed. But a raw image with such a name is a packed one whose first bytes are damaged, or of an
/// unsupported format: written to a card, it would be proven to be garbage.
fn is_named_as_packed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// An opened image file: reads as raw bytes.
pub struct Opened {
    /// The packing, by the first bytes.
    pub packing: Packing,
    /// The length of the file.
    pub packed: Bytes,
    reader: Box<dyn Read + Send>,
    consumed: Arc<AtomicU64>,
    /// The file itself, if its bytes are those of the image.
    raw: Option<File>,
    /// Bytes that were examined and not returned yet.
    ahead: Vec<u8>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("packing", &self.packing).field("packed", &self.packed).finish_non_exhaustive()
    }
}

impl Opened {
    /// Opens `path` and examines its first bytes.
    ///
    /// # Errors
    /// If it cannot be opened, is not a file, or is a zip in which the image cannot be found.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let failed = |source| ImageError::Open { path: path.to_owned(), source };
        let mut file = match file::open(path) {
            Err(error) if file::is_no_file(&error) => return Err(ImageError::NotAFile { path: path.to_owned() }),
            opened => opened.map_err(failed)?,
        };
        let metadata = file.metadata().map_err(failed)?;
        let mut first = Vec::new();
        (&mut file).take(LONGEST_MAGIC).read_to_end(&mut first).map_err(failed)?;
        let packing = Packing::of(&first);
        if packing.is_raw() && is_named_as_packed(path) {
            (&mut file).take(HEAD - to_u64(first.len())).read_to_end(&mut first).map_err(failed)?;
            return Err(match foreign::named_as_packed(path, &first) {
                _ if zip::is_split(&file).map_err(failed)? => zip::split(path),
                Some(foreign) => foreign.refuse(path, false),
                None if foreign::is_a_part(path) => foreign::part(path, "it does not begin as a whole one does"),
                None => ImageError::NotAsNamed { path: path.to_owned() },
            });
        }
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let share = Share::now();
        let consumed = Arc::new(AtomicU64::new(0));
        let counted = |file| CountingReader { file, consumed: Arc::clone(&consumed) };
        let buffered = |file| BufReader::with_capacity(to_usize(MIB), counted(file));
        let streams = |file: &File, magics, padded| {
            Ok(Streams { file: Arc::new(file.try_clone().map_err(failed)?), length: metadata.len(), magics, padded })
        };
        let mut raw = None;
        let reader: Box<dyn Read + Send> = match packing {
            Packing::Raw => {
                raw = Some(file.try_clone().map_err(failed)?);
                Box::new(counted(file))
            }
            Packing::Xz => {
                let streams = streams(&file, &[&[0xfd, b'7', b'z', b'X', b'Z', 0]], true)?;
                Box::new(XzReader::new(buffered(file), Some(streams), share).map_err(failed)?)
            }
            Packing::Gz => Box::new(Members::<GzDecoder<_>>::new(streams(&file, &[&[0x1f, 0x8b]], false)?, buffered(file))),
            Packing::Zst => Box::new(ZstReader::new(file, Arc::clone(&consumed), share).map_err(failed)?),
            Packing::Bz2 => Box::new(Members::<BzDecoder<_>>::new(streams(&file, &[b"BZh"], false)?, buffered(file))),
            Packing::Zip => {
                let entry = zip::find(&file, path)?;
                file.seek(SeekFrom::Start(entry.start)).map_err(failed)?;
                entry.unpack(buffered(file), share).map_err(|error| explain(path, 0, error))?
            }
        };
        Ok(Self { packing, packed: Bytes(metadata.len()), reader, consumed, raw, ahead: Vec::new() })
    }

    /// Refuses the image by its first unpacked bytes, before minutes are spent on it; they are returned again later. Formats that only the
    /// end shows are found when the image is staged, and so is a first block that only ends like a partition table.
    ///
    /// # Errors
    /// If it cannot be read, or is not a disk image.
    pub(super) fn refuse_at_sight(&mut self, path: &Path) -> Result<(), ImageError> {
        let mut head = vec![0; to_usize(HEAD)];
        let length = self.fill(path, Bytes(0), &mut head)?;
        head.truncate(length);
        self.ahead.clone_from(&head);
        if head.is_empty() {
            return Err(ImageError::Empty { path: path.to_owned() });
        }
        if head.get(510..512) == Some(&[0x55, 0xaa]) {
            return Ok(());
        }
        foreign::by_head(&head).map_or(Ok(()), |foreign| Err(foreign.refuse(path, !self.packing.is_raw())))
    }

    /// The file, if its bytes are those of the image; `None` for a packed one.
    pub(super) fn into_raw(self) -> Option<File> {
        self.raw
    }

    /// How many bytes of the file were read, for progress.
    #[must_use]
    pub(crate) fn consumed(&self) -> Bytes {
        Bytes(self.consumed.load(Ordering::Relaxed))
    }

    /// Fills `into` as far as the image goes; returns fewer bytes only at its end.
    ///
    /// # Errors
    /// If the file cannot be read, is cut short, or fails the checks of its packing. `at` is the offset of `into` in the image.
    pub fn fill(&mut self, path: &Path, at: Bytes, into: &mut [u8]) -> Result<usize, ImageError> {
        let mut filled = self.ahead.len().min(into.len());
        into[..filled].copy_from_slice(&self.ahead[..filled]);
        self.ahead.drain(..filled);
        while filled < into.len() {
            let here = at.0 + to_u64(filled);
            match self.reader.read(&mut into[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(self.explain(path, here, source)),
            }
        }
        Ok(filled)
    }

    fn explain(&self, path: &Path, at: u64, source: io::Error) -> ImageError {
        if self.packing.is_raw() { ImageError::Read { path: path.to_owned(), at, source } } else { explain(path, at, source) }
    }
}
