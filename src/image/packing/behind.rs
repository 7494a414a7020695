//! Finds out what follows a packed stream: the end of the file, zeroes, the next stream, or other data. Also names the limits of a decoder;
//! these are not damage, and copying such a file again does not help.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use procfs::{Current, Meminfo};

use crate::image::extents::is_zero;
use crate::station::units::{Bytes, KIB, MIB, to_u64, to_usize};

/// Why an undamaged file cannot be unpacked to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Beyond {
    /// The stream is complete with valid checks, and other data follows.
    #[error("it is followed by other data")]
    GoesOn {
        /// The first byte of the file behind the stream.
        end: u64,
        /// How many bytes follow.
        more: u64,
    },
    /// The stream is complete, and another one follows behind zeroes, which some programs unpack and others leave out.
    #[error("another stream follows behind zeroes")]
    Apart {
        /// The first byte of the file behind the stream.
        end: u64,
        /// How many zeroes follow.
        zeroes: u64,
    },
    /// Its window or dictionary needs more memory than allowed.
    #[error("it takes more memory than it may")]
    Memory {
        /// The needed memory, if it is known.
        needs: Option<Bytes>,
        /// Free memory, and how much of it a decoder may take.
        share: Share,
    },
    /// It was packed with a dictionary from another file.
    #[error("it was packed with a dictionary")]
    Dictionary {
        /// The number of that file.
        id: u64,
    },
}

impl From<Beyond> for io::Error {
    fn from(beyond: Beyond) -> Self {
        Self::other(beyond)
    }
}

/// The memory of this PC for a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// The free memory, including what the kernel frees at once, such as the page cache.
    pub(super) free: Bytes,
    /// The limit for a decoder.
    pub(super) may: Bytes,
}

impl Share {
    /// The memory that a decoder may always use: enough for `xz -9` (65 MiB) and `zstd --long` (128 MiB) without further options.
    const LEAST: u64 = 192 * MIB;

    /// Half of the free memory: one image is unpacked at a time, and cards are written meanwhile.
    pub(super) fn now() -> Self {
        let free = Meminfo::current().ok().and_then(|memory| memory.mem_available).unwrap_or(2 * Self::LEAST);
        Self::of(Bytes(free))
    }

    pub(super) fn of(free: Bytes) -> Self {
        Self { free, may: Bytes((free.0 / 2).max(Self::LEAST)) }
    }
}

/// What follows a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// The file ends here, or only padding follows.
    End,
    /// The next stream, after this many zeroes.
    Next { zeroes: u64 },
    /// The next stream, after this many zeroes, which this format does not allow there.
    Apart { zeroes: u64 },
    /// Data that begins like a stream and ends at once.
    Cut,
    /// Other data of this length.
    Other { more: u64 },
}

/// A file with streams one behind another.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub(super) file: Arc<File>,
    pub(super) length: u64,
    /// The first bytes of a stream, the usual ones first.
    pub(super) magics: &'static [&'static [u8]],
    /// May zeroes stand between two streams? Behind the last one they always may: files are padded to whole blocks.
    pub(super) padded: bool,
}

impl Streams {
    /// Examines the data at byte `at`, right behind a complete stream.
    pub(super) fn behind(&self, at: u64) -> io::Result<Behind> {
        let more = self.length.saturating_sub(at);
        let zeroes = self.zeroes(at)?;
        if zeroes == more {
            return Ok(Behind::End);
        }
        let mut first = [0; 8];
        let length = first.len().min(to_usize(more - zeroes));
        self.file.read_exact_at(&mut first[..length], at + zeroes)?;
        let first = &first[..length];
        let begins = |magic: &&[u8]| first.iter().zip(*magic).all(|(byte, expected)| byte == expected);
        match self.magics.iter().find(|magic| begins(magic)) {
            Some(_) if zeroes > 0 && !self.padded => Ok(Behind::Apart { zeroes }),
            // A single byte such as `X`, with which only a frame to be skipped begins, is not a frame that was cut.
            Some(magic) if first.len() == 1 && Some(magic) != self.magics.first() => Ok(Behind::Other { more }),
            Some(magic) if first.len() < magic.len() => Ok(Behind::Cut),
            Some(_) => Ok(Behind::Next { zeroes }),
            None if self.is_openwrt(at, more)? => Ok(Behind::End),
            None => Ok(Behind::Other { more }),
        }
    }

    /// The number of zeroes at byte `at`, until other data or the end of the file.
    fn zeroes(&self, mut at: u64) -> io::Result<u64> {
        let from = at;
        let mut buffer = vec![0; to_usize(64 * KIB)];
        while at < self.length {
            let length = buffer.len().min(to_usize(self.length - at));
            let bytes = &mut buffer[..length];
            self.file.read_exact_at(bytes, at)?;
            if !is_zero(bytes) {
                return Ok(at - from + to_u64(bytes.iter().take_while(|byte| **byte == 0).count()));
            }
            at += to_u64(length);
        }
        Ok(at - from)
    }

    /// OpenWrt appends data for its own updater to its images, and each addition ends in 16 bytes that begin so (`fwtool`). The stream
    /// before it has passed its own checks.
    fn is_openwrt(&self, at: u64, more: u64) -> io::Result<bool> {
        let mut trailer = [0; 16];
        let start = (at + more).saturating_sub(to_u64(trailer.len()));
        if start < at || more > MIB {
            return Ok(false);
        }
        self.file.read_exact_at(&mut trailer, start)?;
        Ok(trailer.starts_with(b"FWx0"))
    }
}

/// Counts the bytes that are read from it, so that the place in the file is known.
pub(super) struct Placed<R> {
    inner: R,
    at: u64,
}

impl<R> Placed<R> {
    /// `inner` is at byte `at`.
    pub(super) fn new(inner: R, at: u64) -> Self {
        Self { inner, at }
    }

    /// The counted reader.
    pub(super) fn get_ref(&self) -> &R {
        &self.inner
    }

    /// Offset of the next byte in the file.
    pub(super) fn at(&self) -> u64 {
        self.at
    }
}

impl<R: BufRead> Read for Placed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.at += to_u64(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Placed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.at += to_u64(count);
        self.inner.consume(count);
    }
}

/// A decoder of one stream, which reads no byte beyond the stream.
pub(super) trait OneStream: Read + Sized {
    /// The source of the packed bytes.
    type Packed: BufRead;
    /// Begins a stream at the next byte.
    fn begin(packed: Self::Packed) -> Self;
    /// What follows the stream, once it has ended.
    fn end(self) -> Self::Packed;
}

impl<R: BufRead> OneStream for flate2::bufread::GzDecoder<R> {
    type Packed = R;

    fn begin(packed: R) -> Self {
        Self::new(packed)
    }

    fn end(self) -> R {
        self.into_inner()
    }
}

impl<R: BufRead> OneStream for bzip2::bufread::BzDecoder<R> {
    type Packed = R;

    fn begin(packed: R) -> Self {
        Self::new(packed)
    }

    fn end(self) -> R {
        self.into_inner()
    }
}

/// Reads streams one behind another, and reports what follows the last one.
pub(super) struct Members<D> {
    streams: Streams,
    /// Nothing follows the last stream.
    decoder: Option<D>,
}

impl<R: BufRead, D: OneStream<Packed = Placed<R>>> Members<D> {
    pub(super) fn new(streams: Streams, packed: R) -> Self {
        Self { streams, decoder: Some(D::begin(Placed::new(packed, 0))) }
    }
}

impl<R: BufRead, D: OneStream<Packed = Placed<R>>> Read for Members<D> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        while let Some(decoder) = &mut self.decoder {
            let count = decoder.read(into)?;
            if count > 0 {
                return Ok(count);
            }
            let Some(packed) = self.decoder.take().map(D::end) else { return Ok(0) };
            let end = packed.at();
            match self.streams.behind(end)? {
                Behind::End => {}
                Behind::Next { .. } => self.decoder = Some(D::begin(packed)),
                Behind::Cut => return Err(io::ErrorKind::UnexpectedEof.into()),
                Behind::Apart { zeroes } => return Err(Beyond::Apart { end, zeroes }.into()),
                Behind::Other { more } => return Err(Beyond::GoesOn { end, more }.into()),
            }
        }
        Ok(0)
    }
}

/// Counts the bytes that are read from the file.
pub(super) struct CountingReader {
    pub(super) file: File,
    pub(super) consumed: Arc<AtomicU64>,
}

impl Read for CountingReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.consumed.fetch_add(to_u64(count), Ordering::Relaxed);
        Ok(count)
    }
}
