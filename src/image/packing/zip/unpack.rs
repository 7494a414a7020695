//! Unpacks the only file of a zip while it is read, and checks it against the size and the checksum in the directory.

use std::io::{self, BufRead, Cursor, Read, Take};

use bzip2::bufread::BzDecoder;
use deflate64::Deflate64Decoder;
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;

use super::directory::{WRAP, damaged, number};
use crate::image::packing::behind::Share;
use crate::image::packing::xz::XzReader;
use crate::station::units::to_u64;

/// The compression of a file (4.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflated,
    Deflate64,
    Bzip2,
    /// With an end mark, by bit 1 of the flags (4.4.4), or only as long as stated.
    Lzma {
        marked: bool,
    },
    Zstd,
    Xz,
}

/// The place of the only file in its zip, and its expected contents.
#[derive(Debug)]
pub(in crate::image) struct Entry {
    /// The first of its packed bytes.
    pub(in crate::image) start: u64,
    pub(super) packed: u64,
    pub(super) method: Method,
    pub(super) size: u64,
    /// The size is only known up to a multiple of 4 GiB.
    pub(super) wraps: bool,
    pub(super) crc: u32,
}

impl Entry {
    /// Unpacks it from `zip`, which is at its start. The end is reported only if size and checksum are those of the directory.
    pub(in crate::image) fn unpack(self, zip: impl BufRead + Send + 'static, share: Share) -> io::Result<Box<dyn Read + Send>> {
        let mut packed = zip.take(self.packed);
        let unpacking = match self.method {
            Method::Stored => Unpacking::Stored(packed),
            Method::Deflated => Unpacking::Deflated(DeflateDecoder::new(packed)),
            Method::Deflate64 => Unpacking::Deflate64(Box::new(Deflate64Decoder::with_buffer(packed))),
            Method::Bzip2 => Unpacking::Bzip2(BzDecoder::new(packed)),
            Method::Lzma { marked } => {
                // Two bytes of a version and two of a length precede the properties (5.8.8); in a `.lzma` a size follows them.
                let mut header = [0; 13];
                packed.read_exact(&mut header[..4])?;
                if number(&header[2..4]) != 5 {
                    return Err(damaged("the file in the zip is packed by an LZMA that does not exist"));
                }
                packed.read_exact(&mut header[..5])?;
                header[5..].copy_from_slice(&(if marked { u64::MAX } else { self.size }).to_le_bytes());
                let stream = Stream::new_lzma_decoder(share.may.0)?;
                Unpacking::Lzma(XzDecoder::new_stream(Cursor::new(header).chain(packed), stream))
            }
            Method::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(packed)?;
                decoder.window_log_max(share.may.0.ilog2().clamp(10, 31))?;
                Unpacking::Zstd(decoder)
            }
            Method::Xz => Unpacking::Xz(XzReader::new(packed, None, share)?),
        };
        let (size, wraps, crc) = (self.size, self.wraps, self.crc);
        Ok(Box::new(Unpacked { unpacking, size, wraps, crc, so_far: 0, checksum: Crc::new() }))
    }
}

enum Unpacking<R: BufRead> {
    Stored(Take<R>),
    Deflated(DeflateDecoder<Take<R>>),
    Deflate64(Box<Deflate64Decoder<Take<R>>>),
    Bzip2(BzDecoder<Take<R>>),
    Lzma(XzDecoder<io::Chain<Cursor<[u8; 13]>, Take<R>>>),
    Zstd(zstd::Decoder<'static, Take<R>>),
    Xz(XzReader<Take<R>>),
}

impl<R: BufRead> Unpacking<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stored(packed) => packed.read(into),
            Self::Deflated(decoder) => decoder.read(into),
            Self::Deflate64(decoder) => decoder.read(into),
            Self::Bzip2(decoder) => decoder.read(into),
            Self::Lzma(decoder) => decoder.read(into),
            Self::Zstd(decoder) => decoder.read(into),
            Self::Xz(decoder) => decoder.read(into),
        }
    }

    /// The number of packed bytes that are left.
    fn unread(&self) -> u64 {
        match self {
            Self::Stored(packed) => packed.limit(),
            Self::Deflated(decoder) => decoder.get_ref().limit(),
            Self::Deflate64(decoder) => decoder.get_ref().limit(),
            Self::Bzip2(decoder) => decoder.get_ref().limit(),
            Self::Lzma(decoder) => decoder.get_ref().get_ref().1.limit(),
            Self::Zstd(decoder) => decoder.get_ref().limit(),
            Self::Xz(decoder) => decoder.get_ref().limit(),
        }
    }
}

struct Unpacked<R: BufRead> {
    unpacking: Unpacking<R>,
    size: u64,
    wraps: bool,
    crc: u32,
    so_far: u64,
    checksum: Crc,
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let count = self.unpacking.read(into)?;
        self.so_far += to_u64(count);
        self.checksum.update(&into[..count]);
        if self.so_far > self.size && !self.wraps {
            return Err(damaged("the file in the zip is longer than the zip's directory says"));
        }
        if count > 0 {
            return Ok(count);
        }
        let size = if self.wraps { self.so_far % WRAP } else { self.so_far };
        match () {
            () if self.so_far < self.size => Err(damaged("the file in the zip is shorter than the zip's directory says")),
            () if size != self.size => Err(damaged("the file in the zip is longer than the zip's directory says")),
            () if self.unpacking.unread() > 0 => Err(damaged("the file in the zip ends before its packed bytes do")),
            () if self.checksum.sum() != self.crc => Err(damaged("the file in the zip fails its CRC-32")),
            () => Ok(0),
        }
    }
}
