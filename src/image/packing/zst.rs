//! Unpacks `.zst`: its frames in parallel, as `pzstd` and the seekable format pack them.
//!
//! A frame does not contain its length, but its blocks do, so the next frame is found by skipping from block to block (RFC 8878, 3.1.1). A
//! file of one frame, as `zstd` and `zstd -T0` write it, is unpacked in sequence: each block may refer to those before it, so the format
//! allows no more.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::behind::{Behind, Beyond, Placed, Share, Streams};
use crate::station::units::{Bytes, MIB, to_u64, to_usize};

/// The largest possible window, 2 GiB. The memory limit is checked before a frame is begun.
const WINDOW_LOG: u32 = 31;
/// Memory of the decoder beside its window: a few buffers.
const BESIDE_WINDOW: u64 = MIB;
/// Limit of frames that are unpacked in parallel; more would need more memory.
const THREADS: usize = 4;
/// Bytes that a frame's thread hands over at a time, and how far it may run ahead: as far as a frame of `pzstd`.
const CHUNK: u64 = MIB;
const CHUNKS_AHEAD: usize = 8;
/// A frame with a larger window is not unpacked in parallel: each has its own window.
const LARGEST_WINDOW: u64 = 8 * MIB;
/// The end of a frame is not searched behind this: with such long frames, only the first would be worked at.
const LONGEST_FRAME: u64 = 64 * MIB;

const MAGIC: u64 = 0xfd2f_b528;
/// What follows a frame if the file continues: another one, or one to be skipped, whose first byte varies (RFC 8878, 3.1.2).
const MAGICS: &[&[u8]] = &[
    b"\x28\xb5\x2f\xfd",
    b"\x50\x2a\x4d\x18",
    b"\x51\x2a\x4d\x18",
    b"\x52\x2a\x4d\x18",
    b"\x53\x2a\x4d\x18",
    b"\x54\x2a\x4d\x18",
    b"\x55\x2a\x4d\x18",
    b"\x56\x2a\x4d\x18",
    b"\x57\x2a\x4d\x18",
    b"\x58\x2a\x4d\x18",
    b"\x59\x2a\x4d\x18",
    b"\x5a\x2a\x4d\x18",
    b"\x5b\x2a\x4d\x18",
    b"\x5c\x2a\x4d\x18",
    b"\x5d\x2a\x4d\x18",
    b"\x5e\x2a\x4d\x18",
    b"\x5f\x2a\x4d\x18",
];
/// A frame to be skipped has one of sixteen magic numbers (RFC 8878, 3.1.2).
const SKIPPABLE: Range<u64> = 0x184d_2a50..0x184d_2a60;

/// Reads the contents of a `.zst`.
pub(super) struct ZstReader {
    streams: Streams,
    share: Share,
    /// The place of the next frame.
    next: u64,
    threads: usize,
    frames: VecDeque<Frame>,
    /// The last chunk of the front frame, and how much of it was read.
    chunk: Vec<u8>,
    read: usize,
    emptied: Sender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    consumed: Arc<AtomicU64>,
}

/// A frame that is being unpacked.
struct Frame {
    chunks: Option<Receiver<io::Result<Vec<u8>>>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Frame {
    /// Its thread notices that the receiver is gone, and ends.
    fn drop(&mut self) {
        self.chunks = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a thread that unpacks an image has panicked");
        }
    }
}

impl ZstReader {
    /// Reads all of `file`, and counts the read bytes in `consumed`.
    pub(super) fn new(file: File, consumed: Arc<AtomicU64>, share: Share) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let streams = Streams { file: Arc::new(file), length, magics: MAGICS, padded: false };
        let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        let (emptied, empty) = bounded(threads * (CHUNKS_AHEAD + 1));
        let (frames, chunk) = (VecDeque::new(), Vec::new());
        Ok(Self { streams, share, next: 0, threads, frames, chunk, read: 0, emptied, empty, consumed })
    }

    /// Begins frames until the limit is reached.
    fn begin(&mut self) -> io::Result<()> {
        while self.frames.len() < self.threads && self.next < self.streams.length {
            // If the frames cannot be separated, the part extends to the file's end; its thread goes from frame to frame.
            let (file, length) = (&self.streams.file, self.streams.length);
            let end = frame_end(file, self.next)?.filter(|end| *end <= length).unwrap_or(length);
            let part = Part { file: Arc::clone(file), at: self.next, end, consumed: Arc::clone(&self.consumed) };
            let (hand_over, chunks) = bounded(CHUNKS_AHEAD);
            let (empty, streams, share) = (self.empty.clone(), self.streams.clone(), self.share);
            let work = move || unpack(part, &streams, share, &empty, &hand_over);
            let thread = thread::Builder::new().name("stage/zst".to_owned()).spawn(work)?;
            self.frames.push_back(Frame { chunks: Some(chunks), thread: Some(thread) });
            self.next = end;
        }
        Ok(())
    }
}

impl Read for ZstReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = &self.chunk[self.read..];
            if !left.is_empty() || into.is_empty() {
                let count = left.len().min(into.len());
                into[..count].copy_from_slice(&left[..count]);
                self.read += count;
                return Ok(count);
            }
            let used = std::mem::take(&mut self.chunk);
            self.read = 0;
            if used.capacity() > 0 {
                // There are never more chunks than places.
                let _enough = self.emptied.try_send(used);
            }
            self.begin()?;
            let Some(front) = self.frames.front() else { return Ok(0) };
            match front.chunks.as_ref().map(Receiver::recv) {
                Some(Ok(chunk)) => self.chunk = chunk?,
                // Its thread has ended. If it panicked, the frame has not ended properly.
                Some(Err(_)) | None => {
                    let thread = self.frames.pop_front().and_then(|mut frame| frame.thread.take());
                    if let Some(Err(panic)) = thread.map(JoinHandle::join) {
                        std::panic::resume_unwind(panic);
                    }
                }
            }
        }
    }
}

/// Hands over the contents of the frames in `part`; an error is the last thing it hands over.
fn unpack(part: Part, streams: &Streams, share: Share, empty: &Receiver<Vec<u8>>, hand_over: &Sender<io::Result<Vec<u8>>>) {
    if let Err(error) = unpack_frames(part, streams, share, empty, hand_over) {
        // The receiver may be gone.
        let _gone = hand_over.send(Err(error));
    }
}

fn unpack_frames(
    part: Part,
    streams: &Streams,
    share: Share,
    empty: &Receiver<Vec<u8>>,
    hand_over: &Sender<io::Result<Vec<u8>>>,
) -> io::Result<()> {
    let (mut at, end) = (part.at, part.end);
    let mut packed = Placed::new(BufReader::with_capacity(to_usize(MIB), part), at);
    while at < end {
        match if at == 0 { Behind::Next { zeroes: 0 } } else { streams.behind(at)? } {
            Behind::End => break,
            Behind::Next { .. } => {}
            Behind::Cut => return Err(io::ErrorKind::UnexpectedEof.into()),
            Behind::Apart { zeroes } => return Err(Beyond::Apart { end: at, zeroes }.into()),
            Behind::Other { more } => return Err(Beyond::GoesOn { end: at, more }.into()),
        }
        can_be_unpacked(&streams.file, at, share)?;
        let mut decoder = zstd::Decoder::with_buffer(packed)?.single_frame();
        decoder.window_log_max(WINDOW_LOG)?;
        loop {
            let mut chunk = empty.try_recv().unwrap_or_default();
            chunk.clear();
            chunk.reserve_exact(to_usize(CHUNK));
            let read = (&mut decoder).take(CHUNK).read_to_end(&mut chunk);
            // The contents before an error are good, and show its place.
            let is_last = read.is_err() || chunk.is_empty();
            if !chunk.is_empty() && hand_over.send(Ok(chunk)).is_err() {
                return Ok(());
            }
            read?;
            if is_last {
                break;
            }
        }
        packed = decoder.finish();
        at = packed.at();
    }
    Ok(())
}

/// Checked before a frame is begun, because the decoder's error would be less clear.
fn can_be_unpacked(file: &File, at: u64, share: Share) -> io::Result<()> {
    let header = match Header::read(file, at) {
        Ok(header) => header,
        // The decoder reports the problem.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
        Err(error) => return Err(error),
    };
    let Some(header) = header else { return Ok(()) };
    if header.dictionary != 0 {
        return Err(Beyond::Dictionary { id: header.dictionary }.into());
    }
    let needs = Bytes(header.window.saturating_add(BESIDE_WINDOW));
    // A frame in one segment has its contents in place of a window; a streaming decoder keeps them in memory, too.
    if needs > share.may { Err(Beyond::Memory { needs: Some(needs), share }.into()) } else { Ok(()) }
}

/// The end of the frame at `start`, with the frames to be skipped before it. `None` if there is no frame, if it is cut short, or if it is
/// too long or needs too much memory to be unpacked in parallel.
fn frame_end(file: &File, start: u64) -> io::Result<Option<u64>> {
    match leap_over(file, start) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        end => end,
    }
}

fn leap_over(file: &File, start: u64) -> io::Result<Option<u64>> {
    let Some(header) = Header::read(file, start)? else { return Ok(None) };
    if header.window > LARGEST_WINDOW {
        return Ok(None);
    }
    let mut at = header.blocks;
    while at - header.start <= LONGEST_FRAME {
        let block = number(file, at, 3)?;
        // A run of one byte stores it once; the decoder reports a kind that does not exist.
        let length = match block >> 1 & 3 {
            1 => 1,
            3 => return Ok(None),
            _ => block >> 3,
        };
        at += 3 + length;
        if block & 1 == 1 {
            return Ok(Some(at + if header.has_checksum { 4 } else { 0 }));
        }
    }
    Ok(None)
}

/// Up to eight bytes of a file, little-endian.
fn number(file: &File, at: u64, length: usize) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes[..length], at).map(|()| u64::from_le_bytes(bytes))
}

/// The header of a frame (RFC 8878, 3.1.1.1).
struct Header {
    /// The place of the frame.
    start: u64,
    /// How much unpacked data its decoder keeps.
    window: u64,
    /// The number of its dictionary; 0 for none, or for one without a number.
    dictionary: u64,
    has_checksum: bool,
    /// The place of its first block.
    blocks: u64,
}

impl Header {
    /// The header of the frame at `start`, or behind the frames to be skipped there. `None` if there is no frame.
    fn read(file: &File, start: u64) -> io::Result<Option<Self>> {
        let mut frame = start;
        let magic = loop {
            let magic = number(file, frame, 4)?;
            if !SKIPPABLE.contains(&magic) {
                break magic;
            }
            frame += 8 + number(file, frame + 4, 4)?;
        };
        if magic != MAGIC {
            return Ok(None);
        }
        let descriptor = number(file, frame + 4, 1)?;
        let is_single_segment = descriptor & 0x20 != 0;
        let content_length = match descriptor >> 6 {
            0 => usize::from(is_single_segment),
            flag => 1 << flag,
        };
        let dictionary_length = [0, 1, 2, 4][to_usize(descriptor & 3)];
        let mut at = frame + 5;
        let window = if is_single_segment {
            number(file, at + to_u64(dictionary_length), content_length)?
        } else {
            let window = number(file, at, 1)?;
            at += 1;
            (1 << (10 + (window >> 3))) / 8 * (8 + (window & 7))
        };
        let dictionary = number(file, at, dictionary_length)?;
        at += to_u64(dictionary_length) + to_u64(content_length);
        Ok(Some(Self { start: frame, window, dictionary, has_checksum: descriptor & 4 != 0, blocks: at }))
    }
}

/// A part of the file, read through a shared file with a separate position.
struct Part {
    file: Arc<File>,
    at: u64,
    end: u64,
    consumed: Arc<AtomicU64>,
}

impl Read for Part {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = into.len().min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        let count = self.file.read_at(&mut into[..length], self.at)?;
        self.at += to_u64(count);
        self.consumed.fetch_add(to_u64(count), Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn frame(raw: &[u8], checksum: bool, sized: bool) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("memory can be had");
        encoder.include_checksum(checksum).expect("zstd has checksums");
        encoder.include_contentsize(sized).expect("zstd has sizes");
        if sized {
            encoder.set_pledged_src_size(Some(to_u64(raw.len()))).expect("it is the size");
        }
        encoder.write_all(raw).expect("memory can be written");
        encoder.finish().expect("memory can be written")
    }

    fn file_of(contents: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(contents).expect("it can be written");
        file
    }

    fn noise(length: usize) -> Vec<u8> {
        (0..u32::try_from(length).expect("it is small")).map(|index| index.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
    }

    #[test]
    fn the_end_of_a_frame_is_found_whatever_its_header_says_and_its_blocks_are() {
        let contents = [Vec::new(), vec![7; 300_000], noise(400_000), b"text ".repeat(100_000), noise(10)];
        let skipped = [&0x184d_2a53_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), b"abc"].concat();
        let (mut packed, mut ends) = (Vec::new(), Vec::new());
        for raw in &contents {
            for (checksum, sized) in [(false, false), (true, false), (false, true), (true, true)] {
                packed.extend(if checksum { &skipped[..] } else { &[] });
                packed.extend(frame(raw, checksum, sized));
                ends.push(to_u64(packed.len()));
            }
        }
        let file = file_of(&packed);
        let mut at = 0;
        for end in ends {
            assert_eq!(frame_end(&file, at).expect("it can be read"), Some(end));
            at = end;
        }
        assert_eq!(frame_end(&file, at).expect("it can be read"), None, "nothing begins at the end");
        let huge_window = [0x28, 0xb5, 0x2f, 0xfd, 0, (27 - 10) << 3, 9, 0, 0, 7];
        assert_eq!(frame_end(&file_of(&huge_window), 0).expect("it can be read"), None, "it has no other beside it");
    }

    #[test]
    fn many_frames_come_out_in_their_order_each_whole() {
        let parts: Vec<Vec<u8>> = (0..20).map(|index| noise(index * 400_000 % 3_000_000)).collect();
        let packed: Vec<u8> = parts.iter().flat_map(|part| frame(part, true, false)).collect();
        let consumed = Arc::new(AtomicU64::new(0));
        let mut reader = ZstReader::new(file_of(&packed), Arc::clone(&consumed), Share::now()).expect("it can be read");
        let mut raw = Vec::new();
        reader.read_to_end(&mut raw).expect("it is good");
        assert!(raw == parts.concat(), "what comes out is what went in");
        assert_eq!(consumed.load(Ordering::Relaxed), to_u64(packed.len()));
    }

    #[test]
    fn a_reader_nobody_reads_to_its_end_leaves_no_thread_behind() {
        let packed: Vec<u8> = (0..8).flat_map(|_| frame(&vec![1; 40_000_000], false, false)).collect();
        let consumed = Arc::new(AtomicU64::new(0));
        let mut reader = ZstReader::new(file_of(&packed), Arc::clone(&consumed), Share::now()).expect("it can be read");
        reader.read_exact(&mut [0; 100]).expect("it is good");
        drop(reader);
        assert_eq!(Arc::strong_count(&consumed), 1, "every thread has gone");
    }
}
