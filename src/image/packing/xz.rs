//! Unpacks `.xz`: the blocks of a stream in parallel if the file contains their lengths, as `xz -T` packs them since 5.2; a stream of one
//! block, or of blocks without lengths, in sequence, because the format allows no more.
//!
//! The decoder of several blocks takes one stream; the data behind it is examined here (The .xz File Format 1.2.1, 2 and 2.2).

use std::io::{self, BufRead, Read};

use liblzma::stream::{Action, Error, MtStreamBuilder, Status, Stream};

use super::behind::{Behind, Beyond, Placed, Share, Streams};
use crate::station::units::{Bytes, MIB, to_u64, to_usize};

/// Memory limit for working at several blocks at a time, each of which is kept completely, packed and unpacked: two of `xz -6 -T0` (24 MiB
/// of contents) fit, and a file with larger blocks is unpacked with fewer threads instead.
const PARALLEL_MEMORY: u64 = 128 * MIB;
/// Limit of threads: more would exceed that memory, and disks that keep up with four are rare.
const THREADS: usize = 4;
/// Zeroes between streams come in fours. Behind the last one, some tools leave any number of them.
const PADDING: u64 = 4;
/// A stream's header (2.1.1), and the longest header of a block (3.1.1).
const STREAM_HEADER: usize = 12;
const BLOCK_HEADER: usize = 1024;
/// The filter whose properties are the size of the dictionary (5.3.1).
const LZMA2: u64 = 0x21;

/// Reads the contents of a `.xz` of one or more streams.
pub(super) struct XzReader<R> {
    packed: Placed<R>,
    /// The streams of the file; `None` if there is only one, as in a zip.
    streams: Option<Streams>,
    /// The stream under way; `None` between two.
    stream: Option<Stream>,
    /// The memory for its first block.
    needs: Option<Bytes>,
    /// Nothing of it was decoded yet.
    is_new: bool,
    threads: u32,
    share: Share,
}

impl<R: BufRead> XzReader<R> {
    pub(super) fn new(packed: R, streams: Option<Streams>, share: Share) -> io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        let threads = u32::try_from(threads).expect("a few threads");
        let stream = Some(decoder(threads, share)?);
        Ok(Self { packed: Placed::new(packed, 0), streams, stream, needs: None, is_new: true, threads, share })
    }

    /// Continues with the stream behind the one that ended; false at the end of the file.
    fn next_stream(&mut self) -> io::Result<bool> {
        let Some(streams) = &self.streams else { return Ok(false) };
        let end = self.packed.at();
        match streams.behind(end)? {
            Behind::End => Ok(false),
            Behind::Cut => Err(io::ErrorKind::UnexpectedEof.into()),
            Behind::Apart { zeroes } => Err(Beyond::Apart { end, zeroes }.into()),
            Behind::Other { more } => Err(Beyond::GoesOn { end, more }.into()),
            // Padding of another length means a stream that was cut short, or damage.
            Behind::Next { zeroes } if zeroes % PADDING != 0 => Err(Error::Data.into()),
            Behind::Next { zeroes } => {
                io::copy(&mut (&mut self.packed).take(zeroes), &mut io::sink())?;
                self.stream = Some(decoder(self.threads, self.share)?);
                self.is_new = true;
                Ok(true)
            }
        }
    }

    /// The source of the packed bytes.
    pub(super) fn get_ref(&self) -> &R {
        self.packed.get_ref()
    }
}

fn decoder(threads: u32, share: Share) -> io::Result<Stream> {
    let mut builder = MtStreamBuilder::new();
    Ok(builder.threads(threads).memlimit_threading(PARALLEL_MEMORY.min(share.may.0)).memlimit_stop(share.may.0).decoder()?)
}

/// The memory that the decoder of the first block needs: its dictionary, and less than a MiB beside it. `None` if the header is cut short,
/// or has no LZMA2.
fn needs(stream: &[u8]) -> Option<Bytes> {
    let block = stream.get(STREAM_HEADER..)?;
    let header = block.get(..(usize::from(*block.first()?) + 1) * 4)?;
    let (flags, mut rest) = (*header.get(1)?, header.get(2..)?);
    // Its packed and unpacked lengths, if it contains them.
    for _ in 0..(flags >> 6 & 1) + (flags >> 7) {
        number(&mut rest)?;
    }
    for _ in 0..=flags & 3 {
        let filter = number(&mut rest)?;
        let length = usize::try_from(number(&mut rest)?).ok()?;
        let properties;
        (properties, rest) = rest.split_at_checked(length)?;
        if let (LZMA2, [size @ 0..=40]) = (filter, properties) {
            let dictionary = if *size == 40 { u64::from(u32::MAX) } else { u64::from(2 | size & 1) << (size / 2 + 11) };
            return Some(Bytes(dictionary + MIB));
        }
    }
    None
}

/// Seven bits a byte, the lowest first (1.2).
fn number(rest: &mut &[u8]) -> Option<u64> {
    let length = rest.iter().position(|byte| byte & 0x80 == 0)? + 1;
    let (bytes, behind) = rest.split_at_checked(length).filter(|_| length <= 9)?;
    *rest = behind;
    Some(bytes.iter().rev().fold(0, |above, byte| above << 7 | u64::from(byte & 0x7f)))
}

impl<R: BufRead> Read for XzReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            let Some(stream) = &mut self.stream else {
                if self.next_stream()? {
                    continue;
                }
                return Ok(0);
            };
            let packed = self.packed.fill_buf()?;
            let at_end = packed.is_empty();
            if std::mem::take(&mut self.is_new) {
                self.needs = needs(&packed[..packed.len().min(STREAM_HEADER + BLOCK_HEADER)]);
            }
            let (before_in, before_out) = (stream.total_in(), stream.total_out());
            let status = stream.process(packed, into, if at_end { Action::Finish } else { Action::Run });
            let consumed = to_usize(stream.total_in() - before_in);
            let count = to_usize(stream.total_out() - before_out);
            debug_assert!(to_u64(count) <= to_u64(into.len()));
            self.packed.consume(consumed);
            let status = match status {
                Err(Error::MemLimit) => return Err(Beyond::Memory { needs: self.needs, share: self.share }.into()),
                status => status?,
            };
            if status == Status::StreamEnd {
                self.stream = None;
            }
            if count > 0 {
                return Ok(count);
            }
            // Returned at the second call in a row that moves nothing: at the file's end no more input comes.
            if status == Status::MemNeeded {
                return Err(if at_end { io::ErrorKind::UnexpectedEof.into() } else { Error::Data.into() });
            }
        }
    }
}
