//! Finds out what follows a packed stream: the end of the file, zeroes, the next stream, or something else. Also names the limits of a
//! decoder that are no damage, because copying such a file again changes nothing.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use procfs::{Current, Meminfo};

use crate::image::extents::is_zero;
use crate::station::units::{Bytes, KIB, MIB, to_u64, to_usize};

/// Why a file that is as it was packed cannot be unpacked to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Beyond {
    /// The stream is whole, its checks held, and something follows that is no part of it.
    #[error("it goes on behind its end")]
    GoesOn {
        /// The first byte of the file behind the stream.
        end: u64,
        /// How many bytes follow.
        more: u64,
    },
    /// The stream is whole, and behind zeroes stands another one, which some programs unpack and others leave out.
    #[error("another stream follows behind zeroes")]
    Apart {
        /// The first byte of the file behind the stream.
        end: u64,
        /// How many zeroes follow.
        zeroes: u64,
    },
    /// Its window or dictionary takes more memory than it may.
    #[error("it takes more memory than it may")]
    Memory {
        /// How much, where that is known.
        needs: Option<Bytes>,
        /// Free memory, and how much of it a decoder may take.
        share: Share,
    },
    /// It was packed with the help of another file.
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

/// The memory of this PC, as far as a decoder is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// What is free: also what the kernel gives back at once, as the page cache.
    pub(super) free: Bytes,
    /// What a decoder may take of it.
    pub(super) may: Bytes,
}

impl Share {
    /// Whatever else is short of memory, so much is a decoder's: what `xz -9` (65 MiB) and `zstd --long` (128 MiB) take that nothing else
    /// was asked of, and a bit more.
    const LEAST: u64 = 192 * MIB;

    /// Half of what is free: one image is unpacked at a time, and cards are written meanwhile.
    pub(super) fn now() -> Self {
        let free = Meminfo::current().ok().and_then(|memory| memory.mem_available).unwrap_or(2 * Self::LEAST);
        Self::of(Bytes(free))
    }

    pub(super) fn of(free: Bytes) -> Self {
        Self { free, may: Bytes((free.0 / 2).max(Self::LEAST)) }
    }
}

/// What stands behind a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// The file ends here, or only padding follows.
    End,
    /// The next stream, after this many zeroes.
    Next { zeroes: u64 },
    /// The next stream, after this many zeroes, which are not allowed there.
    Apart { zeroes: u64 },
    /// Something that begins as a stream does and ends at once.
    Cut,
    /// Something else, this long.
    Other { more: u64 },
}

/// A file whose streams stand one behind another.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub(super) file: Arc<File>,
    pub(super) length: u64,
    /// What a stream begins with, the usual beginning first.
    pub(super) magics: &'static [&'static [u8]],
    /// May zeroes stand between two streams? Behind the last one they always may: files are padded to whole blocks.
    pub(super) padded: bool,
}

impl Streams {
    /// Looks at what stands at byte `at`, right behind a whole stream.
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
            // One byte that only a frame to be skipped begins with, as an `X`, is no frame that was cut.
            Some(magic) if first.len() == 1 && Some(magic) != self.magics.first() => Ok(Behind::Other { more }),
            Some(magic) if first.len() < magic.len() => Ok(Behind::Cut),
            Some(_) => Ok(Behind::Next { zeroes }),
            None if self.is_openwrt(at, more)? => Ok(Behind::End),
            None => Ok(Behind::Other { more }),
        }
    }

    /// How many zeroes stand at byte `at`, as far as the file goes.
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

    /// OpenWrt adds to its images what its own update reads, and each addition ends in 16 bytes that begin so (`fwtool`). The stream
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

/// Counts what is taken out of it, so that a place in the file is known.
pub(super) struct Placed<R> {
    inner: R,
    at: u64,
}

impl<R> Placed<R> {
    /// `inner` stands at byte `at`.
    pub(super) fn new(inner: R, at: u64) -> Self {
        Self { inner, at }
    }

    /// What it counts for.
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

/// A decoder of one stream, which takes not a byte more than the stream has.
pub(super) trait OneStream: Read + Sized {
    /// The source of the packed bytes.
    type Packed: BufRead;
    /// Begins at the next byte.
    fn begin(packed: Self::Packed) -> Self;
    /// What stands behind the stream, once it has ended.
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

/// Reads streams one behind another, and says truthfully what stands behind the last one.
pub(super) struct Members<D> {
    streams: Streams,
    /// Nothing behind the last one.
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

/// Counts what is read from the file.
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
