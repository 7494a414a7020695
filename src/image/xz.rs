//! Unpacking `.xz`: the blocks of a stream at the same time where the file says how long they are, as `xz -T` packs them since 5.2;
//! a stream of one block, or of blocks without lengths, one byte after another, which is all the format allows.
//!
//! The decoder of several blocks takes one stream; what stands behind it is looked at here (The .xz File Format 1.2.1, 2 and 2.2).

use std::io::{self, BufRead, Read};

use liblzma::stream::{Action, Error, MtStreamBuilder, Status, Stream};

use crate::station::units::{MIB, to_u64, to_usize};

/// What the decoder may hold: enough for `xz -9` (65 MiB), and a bound for a hostile file.
const MEMORY: u64 = 256 * MIB;
/// What it may hold to work at several blocks at a time, each of which it keeps whole, packed and unpacked: two of `xz -6 -T0` (24 MiB
/// of contents) fit, and a file with larger blocks is unpacked with fewer threads instead.
const PARALLEL_MEMORY: u64 = 128 * MIB;
/// More threads would want more memory than that, and a disk that keeps up with four is rare.
const THREADS: usize = 4;
/// Zeroes between and behind streams come in fours.
const PADDING: usize = 4;

/// Reads the contents of a `.xz` of one or more streams.
pub(super) struct XzReader<R> {
    packed: R,
    /// The stream under way; nothing between two.
    stream: Option<Stream>,
    threads: u32,
}

impl<R: BufRead> XzReader<R> {
    pub(super) fn new(packed: R) -> io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        let threads = u32::try_from(threads).expect("a few threads");
        Ok(Self { packed, stream: Some(decoder(threads)?), threads })
    }

    /// Goes on to the stream behind the one that ended; false at the end of the file.
    fn next_stream(&mut self) -> io::Result<bool> {
        let mut zeroes = 0;
        loop {
            let packed = self.packed.fill_buf()?;
            if packed.is_empty() {
                // Padding of another length is a stream that was cut short, or damage.
                return if zeroes % PADDING == 0 { Ok(false) } else { Err(Error::Data.into()) };
            }
            let count = packed.iter().take_while(|byte| **byte == 0).count();
            let more = count < packed.len();
            self.packed.consume(count);
            zeroes = (zeroes + count) % PADDING;
            if more && zeroes > 0 {
                return Err(Error::Data.into());
            }
            if more {
                self.stream = Some(decoder(self.threads)?);
                return Ok(true);
            }
        }
    }
}

fn decoder(threads: u32) -> io::Result<Stream> {
    let mut builder = MtStreamBuilder::new();
    Ok(builder.threads(threads).memlimit_threading(PARALLEL_MEMORY).memlimit_stop(MEMORY).decoder()?)
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
            let (before_in, before_out) = (stream.total_in(), stream.total_out());
            let status = stream.process(packed, into, if at_end { Action::Finish } else { Action::Run });
            let consumed = to_usize(stream.total_in() - before_in);
            let count = to_usize(stream.total_out() - before_out);
            debug_assert!(to_u64(count) <= to_u64(into.len()));
            self.packed.consume(consumed);
            let status = status.map_err(io::Error::from)?;
            if status == Status::StreamEnd {
                self.stream = None;
            }
            if count > 0 {
                return Ok(count);
            }
            // Said at the second call in a row that moves nothing: at the file's end there is nothing to come.
            if status == Status::MemNeeded {
                return Err(if at_end { io::ErrorKind::UnexpectedEof.into() } else { Error::Data.into() });
            }
        }
    }
}
