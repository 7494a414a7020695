//! Reads the directory at the end of a zip: its place, its entry for every file, and whether data is missing or was added.
//!
//! Does not know the purpose of the files. Section numbers are those of APPNOTE 6.3.10.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::image::extents::is_zero;
use crate::image::packing::behind::Beyond;
use crate::station::units::{KIB, MIB, to_u64, to_usize};

/// The end of the central directory (4.3.16), its length without the comment, and the longest comment.
const END: [u8; 4] = *b"PK\x05\x06";
pub(super) const END_LENGTH: usize = 22;
const LONGEST_COMMENT: usize = 0xffff;
/// The records before it in a zip64: the end's long form (4.3.14), and the place of that (4.3.15).
pub(super) const END64: [u8; 4] = *b"PK\x06\x06";
pub(super) const END64_LENGTH: usize = 56;
pub(super) const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_LENGTH: usize = 20;
/// The most bytes that the end can have.
const TAIL: usize = END64_LENGTH + LOCATOR_LENGTH + END_LENGTH + LONGEST_COMMENT;

/// The longest directory that is read, because it is read into memory: large enough for the image and for thousands of entries that do not
/// count.
pub(super) const LONGEST_DIRECTORY: u64 = MIB;

/// The lengths of a header in the directory (4.3.12) and of a file (4.3.7), without the parts that follow.
const HEADER: [u8; 4] = *b"PK\x01\x02";
pub(super) const HEADER_LENGTH: usize = 46;
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const LOCAL_LENGTH: usize = 30;
/// The value that marks a number beyond 32 bits.
pub(super) const WRAP: u64 = 1 << 32;

/// A header of the directory.
pub(super) struct Header<'d> {
    pub(super) name: &'d [u8],
    pub(super) flags: u64,
    pub(super) method: u64,
    pub(super) crc: u32,
    packed: u64,
    pub(super) size: u64,
    /// The place of the file's own header.
    place: u64,
    /// It has the long numbers: none of those above is cut.
    pub(super) is_long: bool,
}

/// Every header of a directory.
pub(super) fn headers(mut directory: &[u8]) -> io::Result<Vec<Header<'_>>> {
    let broken = || damaged("the zip's directory is not readable");
    let mut headers = Vec::new();
    while !directory.is_empty() {
        // The directory may be signed (4.3.13): that record is not a file.
        if directory.starts_with(b"PK\x05\x05") {
            break;
        }
        let fixed = directory.get(..HEADER_LENGTH).filter(|fixed| fixed.starts_with(&HEADER)).ok_or_else(broken)?;
        let field = |at: usize, length: usize| number(&fixed[at..at + length]);
        let name_end = HEADER_LENGTH + to_usize(field(28, 2));
        let extra_end = name_end + to_usize(field(30, 2));
        let end = extra_end + to_usize(field(32, 2));
        let name = directory.get(HEADER_LENGTH..name_end).ok_or_else(broken)?;
        let extra = directory.get(name_end..extra_end).ok_or_else(broken)?;
        let mut header = Header {
            name,
            flags: field(8, 2),
            method: field(10, 2),
            crc: u32::try_from(field(16, 4)).unwrap_or(u32::MAX),
            packed: field(20, 4),
            size: field(24, 4),
            place: field(42, 4),
            is_long: false,
        };
        header.lengthen(extra).ok_or_else(broken)?;
        headers.push(header);
        directory = directory.get(end..).ok_or_else(broken)?;
    }
    Ok(headers)
}

impl Header<'_> {
    /// Replaces the marked numbers by the long ones of zip64 (4.5.3); `None` if they should be there and are not.
    fn lengthen(&mut self, mut extra: &[u8]) -> Option<()> {
        while let Some((head, rest)) = extra.split_at_checked(4) {
            let (field, behind) = rest.split_at_checked(to_usize(number(&head[2..4])))?;
            if number(&head[..2]) == 1 {
                self.is_long = true;
                let mut numbers = field.chunks_exact(8).map(number);
                for short in [&mut self.size, &mut self.packed, &mut self.place] {
                    if *short == WRAP - 1 {
                        *short = numbers.next()?;
                    }
                }
            }
            extra = behind;
        }
        Some(())
    }

    /// The name of a directory ends so (4.3.8 has no other sign that every archiver sets).
    pub(super) fn is_file(&self) -> bool {
        !matches!(self.name.last(), Some(b'/' | b'\\'))
    }

    /// The place of its own header, and of its packed bytes; `None` if there is no such header before the directory.
    pub(super) fn local(&self, file: &File, directory: u64) -> io::Result<Option<(u64, u64)>> {
        let mut place = self.place;
        while place < directory {
            let mut local = vec![0; LOCAL_LENGTH + self.name.len()];
            if place + to_u64(local.len()) <= directory {
                file.read_exact_at(&mut local, place)?;
                let (name_length, extra_length) = (number(&local[26..28]), number(&local[28..30]));
                if local.starts_with(&LOCAL) && name_length == to_u64(self.name.len()) && &local[LOCAL_LENGTH..] == self.name {
                    return Ok(Some((place, place + to_u64(local.len()) + extra_length)));
                }
            }
            if self.is_long {
                break;
            }
            place += WRAP;
        }
        Ok(None)
    }

    /// The length of its packed bytes: as in the directory, or longer by a multiple of 4 GiB, for which there is room that no other file
    /// uses.
    pub(super) fn packed_length(&self, file: &File, start: u64, headers: &[Header<'_>], directory: u64) -> io::Result<u64> {
        if self.is_long || directory.saturating_sub(start) < WRAP {
            return Ok(self.packed);
        }
        let mut limit = directory;
        for other in headers {
            if let Some((place, _)) = other.local(file, directory)?
                && place >= start
            {
                limit = limit.min(place);
            }
        }
        let room = (limit - start).saturating_sub(self.packed);
        Ok(self.packed + room / WRAP * WRAP)
    }
}

/// The description of the directory in the end record.
pub(super) struct End {
    /// Offset of its first byte in the file.
    pub(super) start: u64,
    pub(super) size: u64,
    pub(super) entries: u64,
}

/// The last bytes of a file, as many as a zip's end may have, without zeroes that only fill a block: their place, and the number of zeroes
/// that follow. Zeroes of the end record itself may be among those.
fn tail(file: &File) -> io::Result<(u64, Vec<u8>)> {
    let length = file.metadata()?.len();
    let mut end = length;
    let mut block = vec![0; to_usize(64 * KIB)];
    while end > 0 {
        let start = end.saturating_sub(to_u64(block.len()));
        let bytes = &mut block[..to_usize(end - start)];
        file.read_exact_at(bytes, start)?;
        if !is_zero(bytes) {
            break;
        }
        end = start;
    }
    let start = end.saturating_sub(to_u64(TAIL + block.len()));
    let mut tail = vec![0; to_usize((end + to_u64(END_LENGTH)).min(length) - start)];
    file.read_exact_at(&mut tail, start)?;
    Ok((start, tail))
}

/// Whether the file is a part of a split zip: the first, which begins so (8.5.3), or the last, whose end record counts more than one disk.
pub(in crate::image) fn is_split(file: &File) -> io::Result<bool> {
    let mut first = [0; 4];
    if file.read_at(&mut first, 0)? == first.len() && &first == b"PK\x07\x08" {
        // An archive that could have been split, but was not, ends like any other.
        return Ok(prove_end(file).is_err());
    }
    let (_, tail) = tail(file)?;
    let Some(at) = end_in(&tail) else { return Ok(false) };
    let Some(end) = tail.get(at..at + END_LENGTH) else { return Ok(false) };
    let disk = number(&end[4..6]);
    Ok(disk > 0 && disk < 0xffff && number(&end[6..8]) <= disk)
}

/// The place of the end record: the last one whose comment reaches to the file's end, not counting zeroes, because a comment may contain
/// the signature of an end record; if there is none, the last one that begins like an end record.
fn end_in(tail: &[u8]) -> Option<usize> {
    let begins = |at: &usize| tail[*at..].starts_with(&END);
    let is_whole = |at: &usize| {
        let Some(end) = tail.get(*at..at + END_LENGTH) else { return false };
        tail.get(at + END_LENGTH + to_usize(number(&end[20..22]))..).is_some_and(is_zero)
    };
    let places = || (0..tail.len()).rev().filter(begins);
    places().find(is_whole).or_else(|| places().next())
}

/// Checks that the zip's end is the file's end, and that the directory ends there: nothing is missing, and nothing was added. Zeroes that
/// fill a block do not count.
pub(super) fn prove_end(file: &File) -> io::Result<End> {
    let length = file.metadata()?.len();
    let (start, tail) = tail(file)?;
    let at = end_in(&tail).ok_or(io::ErrorKind::UnexpectedEof)?;
    let (before, end) = tail.split_at(at);
    if end.len() < END_LENGTH {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let end_of_zip = start + to_u64(at) + to_u64(END_LENGTH) + number(&end[20..22]);
    if end_of_zip > length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // Checks whether everything behind it is zeroes.
    let comment = to_usize(number(&end[20..22]));
    let behind = end.get(END_LENGTH + comment..).unwrap_or_default();
    if !is_zero(behind) {
        return Err(Beyond::GoesOn { end: end_of_zip, more: length - end_of_zip }.into());
    }
    let astray = || damaged("the zip's directory is not where its end says");
    let mut directory_end = start + to_u64(at);
    let (mut entries, mut size, mut offset) = (number(&end[10..12]), number(&end[12..16]), number(&end[16..20]));
    let mut is_long = false;
    if let Some((before, locator)) = split_end(before, LOCATOR_LENGTH)
        && locator.starts_with(&LOCATOR)
    {
        let (before, end64) = split_end(before, END64_LENGTH).ok_or_else(astray)?;
        directory_end = start + to_u64(before.len());
        // There must be nothing between the two: otherwise there is room for unknown data.
        if !end64.starts_with(&END64) || number(&locator[8..16]) != directory_end {
            return Err(astray());
        }
        // The numbers of the short form count if they are not marked.
        if entries == 0xffff || size == 0xffff_ffff || offset == 0xffff_ffff {
            (entries, size, offset) = (number(&end64[32..40]), number(&end64[40..48]), number(&end64[48..56]));
        }
        is_long = true;
    }
    let directory = directory_end.checked_sub(size).ok_or_else(astray)?;
    // Archivers without the long form cut the high bits of a place beyond 4 GiB.
    if offset == directory || (!is_long && offset == directory % WRAP) {
        Ok(End { start: directory, size, entries })
    } else {
        Err(astray())
    }
}

/// The last `length` bytes, and those before.
fn split_end(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    bytes.len().checked_sub(length).map(|at| bytes.split_at(at))
}

/// Up to eight bytes, little-endian.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |above, byte| above << 8 | u64::from(*byte))
}

pub(super) fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
