//! Reads the contents of the log's files on their disk, independently of the page cache.
//!
//! A page whose writing failed counts as clean afterwards (Linux, ext4 and XFS): it keeps the written data in memory, the next `fsync` has
//! nothing to write, and returns success. So a file is not read through memory here, but by direct I/O, past the page cache (`open(2)`,
//! O_DIRECT). If a file system has no direct I/O, pages are dropped first (`posix_fadvise(2)`, POSIX_FADV_DONTNEED).
//!
//! The `-wal` is walked as SQLite does when it opens a log after a power cut: frames count up to the last one that ends a transaction,
//! and none behind a frame whose salt or checksum does not fit (sqlite.org/fileformat2.html, "The Write-Ahead Log").

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::libc;

use super::error::not_there;
use super::link::Link;
use crate::device::aligned::AlignedBuf;
use crate::file;
use crate::station::units::{to_u64, to_usize};

/// Bytes moved by one call if a file is read from its beginning to its end.
pub(super) const CHUNK: usize = 1 << 20;

/// Bytes moved by one call if single pages are read: the largest page of SQLite.
pub(super) const LARGEST_PAGE: usize = 65_536;

/// Bytes of the header of the `-wal`, and of the header of each frame.
pub(super) const WAL_HEADER: usize = 32;
pub(super) const FRAME_HEADER: usize = 24;

/// The first word of a `-wal`; its last bit means that checksums are made of big-endian words.
const MAGIC: u32 = 0x377f_0682;

/// A file read from its disk.
#[derive(Debug)]
pub(super) struct DirectFile {
    file: File,
    /// The descriptor bypasses the page cache.
    direct: bool,
    buffer: AlignedBuf,
    /// The bytes of the file that are in the buffer.
    from: u64,
    filled: usize,
}

impl DirectFile {
    /// Opens `path` for reading from its disk, `chunk` bytes per call, which must be a multiple of a page of memory.
    ///
    /// # Errors
    /// The error of the kernel.
    pub(super) fn open(path: &Path, chunk: usize) -> io::Result<Self> {
        let open = |flags| OpenOptions::new().read(true).custom_flags(flags).open(path);
        let (file, direct) = match open(libc::O_DIRECT) {
            Ok(file) => (file, true),
            // The file system has no direct I/O (`open(2)`).
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => (open(0)?, false),
            Err(error) => return Err(error),
        };
        Ok(Self { file, direct, buffer: AlignedBuf::zeroed(chunk)?, from: 0, filled: 0 })
    }

    /// From now on, data that was read before is not used.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        self.filled = 0;
        if !self.direct {
            // Dirty pages stay: a caller that needs the disk's contents has flushed them before.
            posix_fadvise(&self.file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
        }
        Ok(())
    }

    /// As many bytes from `at` on as exist and fit.
    pub(super) fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let held = |from: u64, filled: usize| (from..from + to_u64(filled)).contains(&at);
        if !held(self.from, self.filled) {
            // Place, length and memory of direct I/O are whole pages; a file's end may be anywhere.
            let chunk = to_u64(self.buffer.len());
            self.from = at / chunk * chunk;
            self.filled = 0;
            while self.filled < self.buffer.len() {
                let count = match self.file.read_at(&mut self.buffer[self.filled..], self.from + to_u64(self.filled)) {
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                self.filled += count;
                // A piece that is not a whole page is the file's last.
                if count == 0 || count % crate::device::aligned::ALIGNMENT != 0 {
                    break;
                }
            }
            if !held(self.from, self.filled) {
                return Ok(0);
            }
        }
        let begin = to_usize(at - self.from);
        let count = into.len().min(self.filled - begin);
        into[..count].copy_from_slice(&self.buffer[begin..begin + count]);
        Ok(count)
    }

    /// Exactly these bytes; false if the file ends before.
    pub(super) fn read_exact_at(&mut self, mut at: u64, mut into: &mut [u8]) -> io::Result<bool> {
        while !into.is_empty() {
            let count = self.read_at(at, into)?;
            if count == 0 {
                return Ok(false);
            }
            at += to_u64(count);
            into = &mut into[count..];
        }
        Ok(true)
    }
}

/// The contents of a `-wal` that a new start would find.
#[derive(Debug, Default)]
pub(super) struct Wal {
    /// Frames of finished transactions.
    pub(super) frames: u64,
    /// Bytes of a page.
    pub(super) page: usize,
    /// The place of the newest version of each page in the `-wal`.
    pub(super) pages: HashMap<u32, u64>,
    /// Which of the searched events are in it.
    pub(super) found: Vec<bool>,
}

impl Wal {
    /// Walks the first `frames` frames of the `-wal` and searches the hashes of these events in pages of finished transactions.
    ///
    /// More valid frames may follow: those of a failed commit, which SQLite does not count and will overwrite.
    ///
    /// # Errors
    /// If it cannot be read. A `-wal` that is empty, or has other contents, has no frames.
    pub(super) fn walk(wal: &mut DirectFile, frames: u64, events: &[Link]) -> io::Result<Self> {
        wal.forget()?;
        let mut whole = Self { found: vec![false; events.len()], ..Self::default() };
        let mut header = [0; WAL_HEADER];
        if !wal.read_exact_at(0, &mut header)? || word(&header, 0) & !1 != MAGIC {
            return Ok(whole);
        }
        let big_endian = word(&header, 0) & 1 == 1;
        let mut sum = checksum((0, 0), &header[..24], big_endian);
        if sum != (word(&header, 24), word(&header, 28)) {
            return Ok(whole);
        }
        whole.page = to_usize(u64::from(word(&header, 8)));
        if !whole.page.is_power_of_two() || !(512..=65_536).contains(&whole.page) {
            return Ok(whole);
        }
        let mut frame = vec![0; FRAME_HEADER + whole.page];
        // Pages of a transaction whose end was not met yet.
        let mut open: Vec<(u32, u64)> = Vec::new();
        let mut seen = whole.found.clone();
        let mut at = to_u64(WAL_HEADER);
        let mut walked = 0;
        while walked < frames && wal.read_exact_at(at, &mut frame)? {
            let page = word(&frame, 0);
            sum = checksum(checksum(sum, &frame[..8], big_endian), &frame[FRAME_HEADER..], big_endian);
            if page == 0 || frame[8..16] != header[16..24] || sum != (word(&frame, 16), word(&frame, 20)) {
                break;
            }
            open.push((page, at + to_u64(FRAME_HEADER)));
            for (seen, event) in seen.iter_mut().zip(events) {
                *seen = *seen || memchr::memmem::find(&frame[FRAME_HEADER..], event).is_some();
            }
            // Only the last frame of a transaction contains the number of pages.
            if word(&frame, 4) != 0 {
                whole.frames += to_u64(open.len());
                whole.pages.extend(open.drain(..));
                whole.found.clone_from(&seen);
            }
            walked += 1;
            at += to_u64(frame.len());
        }
        Ok(whole)
    }
}

pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_be_bytes(*word))
}

/// SQLite's running checksum, over pairs of words.
pub(super) fn checksum((mut first, mut second): (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    let read = |word: &[u8; 4]| if big_endian { u32::from_be_bytes(*word) } else { u32::from_le_bytes(*word) };
    let (words, _rest) = bytes.as_chunks::<4>();
    for pair in words.as_chunks::<2>().0 {
        first = first.wrapping_add(read(&pair[0])).wrapping_add(second);
        second = second.wrapping_add(read(&pair[1])).wrapping_add(first);
    }
    (first, second)
}

/// BLAKE3 of the first `length` bytes of the file, or of all there are, as they are on its disk.
///
/// # Errors
/// The error of the kernel.
pub(super) fn hash_of(file: &mut DirectFile, length: u64) -> io::Result<blake3::Hash> {
    file.forget()?;
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; LARGEST_PAGE];
    let mut at = 0;
    while at < length {
        let count = file.read_at(at, &mut piece)?.min(usize::try_from(length - at).unwrap_or(usize::MAX));
        if count == 0 {
            break;
        }
        hasher.update(&piece[..count]);
        at += to_u64(count);
    }
    Ok(hasher.finalize())
}

/// Does the disk hold a file with this digest at `path`? What was written to it must be flushed.
///
/// # Errors
/// The error of the kernel.
pub(crate) fn is_on_disk(path: &Path, digest: &blake3::Hash) -> io::Result<bool> {
    Ok(hash_of(&mut DirectFile::open(path, CHUNK)?, u64::MAX)? == *digest)
}

/// Flushes the file at `path`, open as `file`, and reads it back from its disk. Returns its digest and its length in bytes.
///
/// # Errors
/// The error of the kernel. If the disk holds something else, the error names the file as `what`.
pub(super) fn prove(file: &File, path: &Path, what: &str) -> io::Result<(blake3::Hash, u64)> {
    file.sync_all()?;
    let (digest, bytes) = file::digest(path)?;
    if is_on_disk(path, &digest)? { Ok((digest, bytes)) } else { Err(not_there(what)) }
}

/// Writes every byte of the file once more, so that every page of it is written to the disk again, and flushes it. Returns BLAKE3 of the
/// first `length` bytes that were written, or of all there are.
///
/// # Errors
/// The error of the kernel. It reports every error since the opening to a descriptor that is opened before the first byte is written.
pub(super) fn lay_down_anew(path: &Path, length: u64) -> io::Result<blake3::Hash> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut chunk = vec![0; CHUNK];
    let mut hasher = blake3::Hasher::new();
    let mut at = 0;
    loop {
        let count = match file.read_at(&mut chunk, at) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        file.write_all_at(&chunk[..count], at)?;
        let counted = usize::try_from(length.saturating_sub(at)).unwrap_or(usize::MAX).min(count);
        hasher.update(&chunk[..counted]);
        at += to_u64(count);
    }
    // With its length and the places of its blocks, which may have been lost with the bytes.
    file.sync_all()?;
    Ok(hasher.finalize())
}

#[cfg(test)]
mod cases {
    use nix::fcntl::{FcntlArg, fcntl};

    use super::*;

    /// If the file has to be read through memory, its pages are dropped first ([`DirectFile::forget`]).
    #[test]
    fn a_file_is_read_past_memory_and_known_where_the_file_system_cannot_do_that() {
        let there = tempfile::NamedTempFile::new().expect("a temporary file");
        let opened = DirectFile::open(there.path(), CHUNK).expect("it is there");
        let flags = fcntl(&opened.file, FcntlArg::F_GETFL).expect("the kernel tells");
        assert_eq!(flags & libc::O_DIRECT != 0, opened.direct, "memory would be taken for the disk");
    }
}
