//! Opening an image file whatever it is packed in, told by its first bytes, never by its name.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

use super::ImageError;
use crate::station::units::{Bytes, MIB, to_u64, to_usize};

/// The six bytes an `.xz` file begins with (The .xz File Format 1.2.1, 2.1.1.1).
const XZ_MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];
/// What a decoder may hold: enough for `xz -9` (65 MiB), and a bound for a hostile file.
const DECODER_MEMORY: u64 = 256 * MIB;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Raw,
    /// `.xz`
    Xz,
}

/// An opened image file: yields raw bytes.
pub struct Opened {
    /// How it is packed.
    pub packing: Packing,
    /// The file's own length.
    pub packed: Bytes,
    reader: Box<dyn Read + Send>,
    consumed: Arc<AtomicU64>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("packing", &self.packing).field("packed", &self.packed).finish_non_exhaustive()
    }
}

impl Opened {
    /// Opens `path` and looks at its first bytes.
    ///
    /// # Errors
    /// When it cannot be opened or is no file.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let failed = |source| ImageError::Open { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(ImageError::NotAFile { path: path.to_owned() });
        }
        let mut first = Vec::new();
        (&mut file).take(to_u64(XZ_MAGIC.len())).read_to_end(&mut first).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let consumed = Arc::new(AtomicU64::new(0));
        let counted = Counted { file, consumed: Arc::clone(&consumed) };
        let (packing, reader): (_, Box<dyn Read + Send>) = if first == XZ_MAGIC {
            let stream = Stream::new_stream_decoder(DECODER_MEMORY, CONCATENATED).map_err(|error| failed(error.into()))?;
            (Packing::Xz, Box::new(XzDecoder::new_stream(BufReader::with_capacity(to_usize(MIB), counted), stream)))
        } else {
            (Packing::Raw, Box::new(counted))
        };
        Ok(Self { packing, packed: Bytes(metadata.len()), reader, consumed })
    }

    /// How much of the file itself has been read, for progress.
    #[must_use]
    pub fn consumed(&self) -> Bytes {
        Bytes(self.consumed.load(Ordering::Relaxed))
    }

    /// Fills `into` as far as the image goes; fewer bytes only at its end.
    ///
    /// # Errors
    /// When the file cannot be read, is cut short, or fails the checks of its packing. `at` is where `into` begins.
    pub fn fill(&mut self, path: &Path, at: Bytes, into: &mut [u8]) -> Result<usize, ImageError> {
        let mut filled = 0;
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
        let path = path.to_owned();
        // An error number is the system's; anything else was made by the decoder.
        match (self.packing, source.raw_os_error(), source.kind()) {
            (Packing::Raw, ..) | (_, Some(_), _) => ImageError::Read { path, at, source },
            (_, None, io::ErrorKind::UnexpectedEof) => ImageError::Truncated { path, at },
            (_, None, _) => ImageError::Damaged { path, at, source },
        }
    }
}

/// Counts what is read from the file.
struct Counted {
    file: File,
    consumed: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.consumed.fetch_add(to_u64(count), Ordering::Relaxed);
        Ok(count)
    }
}
