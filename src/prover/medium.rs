//! The image of the prover, and the file it is written to: small, with at least two pieces, data and zeroes, and places for marks.
//!
//! ```text
//!        piece 0: the head       piece 1                    piece 2
//!   image  │ data ············ │ data │ zeroes ······ │ zeroes │ data ·│
//!   MiB    0                   1      1 1/16          2        2 1/16  ~2 1/8
//!                                            a mark ──▲
//!   file   ··············································································│ its last block: a mark
//!                                                                                     2 1/4
//! ```

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::device::aligned::AlignedBuf;
use crate::device::file::FileDevice;
use crate::device::{BlockDevice, Shortfall, Source, read_exact_at, write_all_at};
use crate::file::remove;
use crate::image::stage::SourceImage;
use crate::image::{ImageError, Staged};
use crate::station::prover::ProverObstacle;
use crate::station::units::{Bytes, KIB, MIB, to_u64, to_usize};

/// The names of the files in the folder.
const IMAGE: &str = "image";
const CARD: &str = "card";
/// The mode of the folder.
const FOLDER_MODE: u32 = 0o700;
/// The mode of the image.
const FILE_MODE: u32 = 0o600;

/// The length of a run of data in the body.
pub(super) const DATA: u64 = 64 * KIB;
/// The first byte of the body, and of its data.
pub(super) const BODY: u64 = MIB;
/// The zeroes of the image: from the end of the body's first data to the beginning of its last.
pub(super) const ZEROES: std::ops::Range<u64> = BODY + DATA..2 * MIB + DATA;
/// The length of the image. Its last block is not full, so that there is padding.
pub(super) const SPAN: u64 = ZEROES.end + 37_001;
/// The bit of a byte that is flipped.
pub(super) const FLIPPED: u8 = 1 << 4;
/// The length of the file.
pub(super) const LENGTH: u64 = 2 * MIB + 256 * KIB;

/// The image, and the file it is written to.
#[derive(Debug)]
pub(super) struct Medium {
    folder: PathBuf,
    image: Arc<Staged>,
    /// The image's bytes, and zeroes behind them.
    raw: Vec<u8>,
    card: FileDevice,
    /// What the medium holds before each trial, where the image has data and behind it: the contents of a used card.
    earlier: AlignedBuf,
    /// Memory in which the medium is read.
    buffer: AlignedBuf,
    /// Removes the files in the end.
    _files: Files,
}

/// The files of the prover, which are removed with this value.
#[derive(Debug)]
struct Files(PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        if let Err(error) = sweep(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "files of the prover stay until the verifier is proven again");
        }
    }
}

/// Removes the files, and the folder if nothing else is in it.
fn sweep(folder: &Path) -> io::Result<()> {
    for name in [IMAGE, CARD] {
        remove(&folder.join(name))?;
    }
    match fs::remove_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound) => Ok(()),
        removed => removed,
    }
}

impl Medium {
    /// Makes image and file in `folder`, which is made if it is missing. Files that a killed station left there are removed first.
    pub(super) fn make(folder: &Path) -> Result<Self, ProverObstacle> {
        let disk = |error: io::Error| obstacle(folder, &error);
        sweep(folder).map_err(disk)?;
        match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(disk(error)),
            _ => {}
        }
        let files = Files(folder.to_owned());
        let path = folder.join(IMAGE);
        let raw = contents(b"image", &[0..ZEROES.start, ZEROES.end..SPAN], LENGTH);
        let mut file = File::options().write(true).create_new(true).mode(FILE_MODE).open(&path).map_err(disk)?;
        file.write_all(&raw[..to_usize(SPAN)]).map_err(disk)?;
        drop(file);
        let image = SourceImage::open(&path).and_then(|source| source.in_place(&mut |_: Bytes, _: Bytes| {}));
        let image = Arc::new(image.map_err(|error| of_image(folder, &error))?);
        let card = FileDevice::create(&folder.join(CARD), Bytes(LENGTH)).map_err(disk)?;
        let memory = |error: io::Error| ProverObstacle::Internal { message: format!("memory for the prover's buffers: {error}") };
        let mut earlier = AlignedBuf::zeroed(to_usize(LENGTH)).map_err(memory)?;
        earlier.copy_from_slice(&contents(b"earlier contents", &[0..ZEROES.start, ZEROES.end..LENGTH], LENGTH));
        let buffer = AlignedBuf::zeroed(to_usize(LENGTH)).map_err(memory)?;
        Ok(Self { folder: folder.to_owned(), image, raw, card, earlier, buffer, _files: files })
    }

    /// The image that each trial writes.
    pub(super) fn image(&self) -> Arc<Staged> {
        Arc::clone(&self.image)
    }

    /// The file that is the card.
    pub(super) fn card(&mut self) -> &mut FileDevice {
        &mut self.card
    }

    /// The first byte at or behind `place` in which the image and the earlier contents differ: where a write that is ignored there shows.
    pub(super) fn differs_from_earlier(&self, place: u64) -> u64 {
        let place = to_usize(place);
        let further = self.raw[place..].iter().zip(&self.earlier[place..]).position(|(image, earlier)| image != earlier);
        to_u64(place + further.unwrap_or(0))
    }

    /// The first byte at or behind `place` in which the image differs from its own bytes one sector before.
    pub(super) fn differs_from_shifted(&self, place: u64, sector: u64) -> u64 {
        let (place, sector) = (to_usize(place), to_usize(sector));
        let further = self.raw[place..].iter().zip(&self.raw[place - sector..]).position(|(here, before)| here != before);
        to_u64(place + further.unwrap_or(0))
    }

    /// Whether reads and writes go past the page cache.
    pub(super) fn is_direct(&self) -> bool {
        self.card.is_direct()
    }

    /// Lays the contents of a used card onto the medium: everywhere but in the place of the image's zeroes, which stay zeroes, except for
    /// the block at `dirty`.
    pub(super) fn lay_earlier_contents(&mut self, dirty: Option<u64>) -> Result<(), ProverObstacle> {
        let block = to_usize(u64::from(self.card.logical_block()));
        let place = |at: u64| to_usize(at)..to_usize(at) + block;
        if let Some(at) = dirty {
            self.earlier[place(at)].fill(0xd5);
        }
        let written = write_all_at(&mut self.card, Bytes(0), Source::Bytes(&self.earlier));
        if let Some(at) = dirty {
            self.earlier[place(at)].fill(0);
        }
        written.map_err(|ended| self.ended(ended))
    }

    /// Inverts a bit of the medium.
    pub(super) fn flip(&mut self, at: u64) -> Result<(), ProverObstacle> {
        let block = u64::from(self.card.logical_block());
        let start = at / block * block;
        let data = &mut self.buffer[..to_usize(block)];
        let flipped = read_exact_at(&mut self.card, Bytes(start), data).and_then(|()| {
            data[to_usize(at - start)] ^= FLIPPED;
            write_all_at(&mut self.card, Bytes(start), Source::Bytes(data))
        });
        flipped.map_err(|ended| self.ended(ended))
    }

    /// The first byte of the medium at or behind `from` that is not the image's. Found without the verifier, by comparing every byte.
    pub(super) fn differs_at(&mut self, from: u64) -> Result<Option<Bytes>, ProverObstacle> {
        read_exact_at(&mut self.card, Bytes(0), &mut self.buffer).map_err(|ended| self.ended(ended))?;
        let image = self.raw.iter().take(to_usize(SPAN));
        let place = self.buffer.iter().zip(image).skip(to_usize(from)).position(|(found, expected)| found != expected);
        Ok(place.map(|place| Bytes(from + to_u64(place))))
    }

    fn ended(&self, (_, shortfall): (Bytes, Shortfall)) -> ProverObstacle {
        obstacle(&self.folder, &shortfall.into())
    }

    /// An error of the state disk.
    pub(super) fn failed(&self, errno: Option<i32>) -> ProverObstacle {
        ProverObstacle::StateDisk { folder: self.folder.display().to_string(), errno }
    }

    /// What the state disk returns is not what was written to it.
    pub(super) fn differs(&self, at: Bytes) -> ProverObstacle {
        ProverObstacle::Contents { folder: self.folder.display().to_string(), at }
    }
}

/// Zeroes, and in `data` bytes of which no two sectors are alike: the same for each proof.
fn contents(name: &[u8], data: &[std::ops::Range<u64>], length: u64) -> Vec<u8> {
    let mut bytes = vec![0; to_usize(length)];
    let mut stream = blake3::Hasher::new_derive_key("flashline 2026 prover's medium").update(name).finalize_xof();
    for range in data {
        stream.fill(&mut bytes[to_usize(range.start)..to_usize(range.end)]);
    }
    // No packing and no file system begins like this, and no partition table ends like this.
    bytes[..32].fill(b' ');
    bytes[510..512].fill(b' ');
    bytes
}

fn obstacle(folder: &Path, error: &io::Error) -> ProverObstacle {
    match error.kind() {
        io::ErrorKind::OutOfMemory => ProverObstacle::Internal { message: format!("memory for the prover: {error}") },
        _ => ProverObstacle::StateDisk { folder: folder.display().to_string(), errno: error.raw_os_error() },
    }
}

fn of_image(folder: &Path, error: &ImageError) -> ProverObstacle {
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        if let Some(error) = source.downcast_ref::<io::Error>() {
            return obstacle(folder, error);
        }
        cause = source.source();
    }
    ProverObstacle::Internal { message: format!("the image of the prover: {error}") }
}
