//! The one file in a zip: found through the directory at the zip's end, then unpacked as it is read.
//!
//! The directory is read by the crate `zip`. The file's bytes are read here, because the crate's reader borrows the archive and
//! ours has to be kept. Numbers of sections are APPNOTE 6.3.10's.

use std::fs::File;
use std::io::{self, BufRead, Read, Take};
use std::os::unix::fs::FileExt;
use std::path::Path;

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use zip::read::{ArchiveOffset, Config, ZipFileEntry};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::ImageError;
use super::open::explain;
use crate::station::units::{MIB, to_u64, to_usize};

/// The end of the central directory (4.3.16), its length without the comment, and the longest comment.
const END: [u8; 4] = *b"PK\x05\x06";
const END_LENGTH: usize = 22;
const LONGEST_COMMENT: usize = 0xffff;
/// What lies before it in a zip64: the end's long form (4.3.14), and the place of that (4.3.15).
const END64: [u8; 4] = *b"PK\x06\x06";
const END64_LENGTH: usize = 56;
const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_LENGTH: usize = 20;
/// Everything the end may consist of.
const TAIL: usize = END64_LENGTH + LOCATOR_LENGTH + END_LENGTH + LONGEST_COMMENT;

/// The longest directory that is read, because it is read into memory: room for the image, and for thousands of entries that do
/// not count.
const LONGEST_DIRECTORY: u64 = MIB;

/// Where the one file lies in its zip, and what must come out of it.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where its packed bytes begin.
    pub(super) start: u64,
    packed: u64,
    deflated: bool,
    size: u64,
    crc: u32,
}

/// Finds the one file.
///
/// # Errors
/// When the zip is cut short or damaged at its end, when it holds no file or several, or one that cannot be unpacked here.
pub(super) fn find(file: &File, path: &Path) -> Result<Entry, ImageError> {
    let unread = |error: ZipError| match error {
        ZipError::Io(error) => explain(path, 0, error),
        other => explain(path, 0, io::Error::new(io::ErrorKind::InvalidData, other)),
    };
    let not_one = |count| ImageError::NotOneFile { path: path.to_owned(), count };
    let end = prove_end(file).map_err(|error| explain(path, 0, error))?;
    if end.directory > LONGEST_DIRECTORY {
        return Err(not_one(end.entries));
    }
    // Where the end says, which is proved. Looking around would take time and, in a hostile file, memory.
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let mut archive = ZipArchive::with_config(config, file).map_err(unread)?;
    if archive.has_duplicate_names() {
        return Err(not_one(end.entries));
    }
    let (mut count, mut found) = (0, 0);
    for index in 0..archive.len() {
        if counts(&archive.by_index_data(index).map_err(unread)?) {
            (count, found) = (count + 1, index);
        }
    }
    if count != 1 {
        return Err(not_one(count));
    }
    let entry = archive.by_index_raw(found).map_err(unread)?;
    if entry.encrypted() {
        return Err(ImageError::Encrypted { path: path.to_owned() });
    }
    let deflated = match entry.compression() {
        CompressionMethod::STORE => false,
        CompressionMethod::DEFLATE => true,
        other => return Err(ImageError::Method { path: path.to_owned(), method: other.to_string() }),
    };
    let start = entry.data_start().expect("it was read to find the contents");
    Ok(Entry { start, packed: entry.compressed_size(), deflated, size: entry.size(), crc: entry.crc32() })
}

/// A directory is no file, nor is what a system adds for itself: macOS `__MACOSX/` and `.DS_Store`, others' dot files.
fn counts(entry: &ZipFileEntry<'_>) -> bool {
    let mut parts = entry.name_raw().split(|byte| matches!(byte, b'/' | b'\\'));
    let added = parts.clone().next() == Some(b"__MACOSX") || parts.next_back().is_some_and(|name| name.starts_with(b"."));
    entry.is_file() && !added
}

/// What the end says of the directory.
struct End {
    directory: u64,
    entries: u64,
}

/// Proves that the zip's end is the file's end, and that the directory ends there: nothing is missing, nothing was added.
fn prove_end(file: &File) -> io::Result<End> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(to_u64(TAIL));
    let mut tail = vec![0; to_usize(length - start)];
    file.read_exact_at(&mut tail, start)?;
    let at = tail.windows(END.len()).rposition(|window| window == END).ok_or(io::ErrorKind::UnexpectedEof)?;
    let (before, end) = tail.split_at(at);
    if end.len() < END_LENGTH {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    match to_u64(end.len()).cmp(&(to_u64(END_LENGTH) + number(&end[20..22]))) {
        std::cmp::Ordering::Less => return Err(io::ErrorKind::UnexpectedEof.into()),
        std::cmp::Ordering::Greater => return Err(damaged("the file goes on behind the end of the zip")),
        std::cmp::Ordering::Equal => {}
    }
    let astray = || damaged("the zip's directory is not where its end says");
    let mut directory_end = start + to_u64(at);
    let (mut entries, mut size, mut offset) = (number(&end[10..12]), number(&end[12..16]), number(&end[16..20]));
    if let Some((before, locator)) = split_end(before, LOCATOR_LENGTH)
        && locator.starts_with(&LOCATOR)
    {
        let (before, end64) = split_end(before, END64_LENGTH).ok_or_else(astray)?;
        directory_end = start + to_u64(before.len());
        // Nothing between the two: there is room for data that nobody writes, and that the crate would read into memory.
        if !end64.starts_with(&END64) || number(&locator[8..16]) != directory_end {
            return Err(astray());
        }
        // The short form's numbers count where they fit it, here as in the crate.
        if entries == 0xffff || size == 0xffff_ffff || offset == 0xffff_ffff {
            (entries, size, offset) = (number(&end64[32..40]), number(&end64[40..48]), number(&end64[48..56]));
        }
    }
    if offset.checked_add(size) == Some(directory_end) { Ok(End { directory: size, entries }) } else { Err(astray()) }
}

/// The last `length` bytes, and those before.
fn split_end(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    bytes.len().checked_sub(length).map(|at| bytes.split_at(at))
}

/// Up to eight bytes, the lowest first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |above, byte| above << 8 | u64::from(*byte))
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Entry {
    /// Unpacks it from `zip`, which stands at its start. The end is reported only when size and checksum are the directory's.
    pub(super) fn unpack(self, zip: impl BufRead + Send + 'static) -> Box<dyn Read + Send> {
        let packed = zip.take(self.packed);
        let unpacking = if self.deflated { Unpacking::Deflated(DeflateDecoder::new(packed)) } else { Unpacking::Stored(packed) };
        Box::new(Unpacked { unpacking, size: self.size, crc: self.crc, so_far: 0, checksum: Crc::new() })
    }
}

enum Unpacking<R> {
    Stored(Take<R>),
    Deflated(DeflateDecoder<Take<R>>),
}

struct Unpacked<R> {
    unpacking: Unpacking<R>,
    size: u64,
    crc: u32,
    so_far: u64,
    checksum: Crc,
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let (count, unread) = match &mut self.unpacking {
            Unpacking::Stored(packed) => (packed.read(into)?, packed.limit()),
            Unpacking::Deflated(decoder) => (decoder.read(into)?, decoder.get_ref().limit()),
        };
        self.so_far += to_u64(count);
        self.checksum.update(&into[..count]);
        match count {
            _ if self.so_far > self.size => Err(damaged("the file in the zip is longer than the zip's directory says")),
            0 if self.so_far < self.size => Err(damaged("the file in the zip is shorter than the zip's directory says")),
            0 if unread > 0 => Err(damaged("the file in the zip ends before its packed bytes do")),
            0 if self.checksum.sum() != self.crc => Err(damaged("the file in the zip fails its CRC-32")),
            count => Ok(count),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Cursor, Write};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::image::open::Opened;
    use crate::image::stage::tests::write;
    use crate::station::units::Bytes;

    /// A zip of these files; a name that ends in `/` is a directory.
    fn zip_of(method: CompressionMethod, files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method);
        for (name, contents) in files {
            if name.ends_with('/') {
                writer.add_directory(*name, options).expect("memory can be written");
            } else {
                writer.start_file(*name, options).expect("memory can be written");
                writer.write_all(contents).expect("memory can be written");
            }
        }
        writer.finish().expect("memory can be written").into_inner()
    }

    pub(in crate::image) fn deflated(raw: &[u8]) -> Vec<u8> {
        zip_of(CompressionMethod::DEFLATE, &[("my-pi3.img", raw)])
    }

    pub(in crate::image) fn stored(raw: &[u8]) -> Vec<u8> {
        zip_of(CompressionMethod::STORE, &[("my-pi3.img", raw)])
    }

    /// With every number that has a long form in it, as of a file beyond 4 GiB.
    pub(in crate::image) fn zip64(raw: &[u8]) -> Vec<u8> {
        let (zip, header, mut end) = parts64(raw);
        let end64 = end64(44, header.len(), zip.len());
        let locator = locator(zip.len() + header.len());
        end[8..20].fill(0xff);
        [zip, header, end64, locator, end].concat()
    }

    /// A zip, the only header of its directory with the long numbers in it, and its end without.
    fn parts64(raw: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let mut zip = deflated(raw);
        let mut end = zip.split_off(zip.len() - END_LENGTH);
        let mut header = zip.split_off(header_at(&zip, &end));
        let long = |from: &[u8]| number(from).to_le_bytes();
        let extra = [&[1, 0, 24, 0], &long(&header[24..28])[..], &long(&header[20..24]), &long(&header[42..46])].concat();
        assert_eq!(number(&header[30..32]), 0, "nothing extra was there");
        header[30..32].copy_from_slice(&[28, 0]);
        [20..28, 42..46].into_iter().for_each(|field| header[field].fill(0xff));
        let name_end = 46 + to_usize(number(&header[28..30]));
        header.splice(name_end..name_end, extra);
        end[12..14].copy_from_slice(&to_u64(header.len()).to_le_bytes()[..2]);
        (zip, header, end)
    }

    fn end64(length: u64, directory: usize, at: usize) -> Vec<u8> {
        let numbers = [1, 1, to_u64(directory), to_u64(at)].map(u64::to_le_bytes).concat();
        [&END64[..], &length.to_le_bytes(), &[45, 0, 45, 0], &[0; 8], &numbers].concat()
    }

    fn locator(end64_at: usize) -> Vec<u8> {
        [&LOCATOR[..], &[0; 4], &to_u64(end64_at).to_le_bytes(), &[1, 0, 0, 0]].concat()
    }

    /// Where the only header of the directory lies.
    fn header_at(zip: &[u8], end: &[u8]) -> usize {
        let at = to_usize(number(&end[16..20]));
        assert!(zip[at..].starts_with(b"PK\x01\x02"), "the directory is there");
        at
    }

    /// Opens a zip and reads it whole, with the error that ends it.
    fn read(zip: &[u8]) -> Result<Vec<u8>, ImageError> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = write(directory.path(), "a.zip", zip);
        let mut opened = Opened::open(&path)?;
        let mut contents = vec![0; 1 << 20];
        let length = opened.fill(&path, Bytes(0), &mut contents)?;
        contents.truncate(length);
        Ok(contents)
    }

    /// What a zip of these files is refused with.
    fn refused(files: &[(&str, &[u8])]) -> String {
        read(&zip_of(CompressionMethod::DEFLATE, files)).expect_err("the image is not the only file").to_string()
    }

    #[test]
    fn the_image_is_the_only_file_whatever_a_system_added() {
        let files: [(&str, &[u8]); 6] = [
            ("release/", b""),
            ("release/.DS_Store", b"added"),
            ("./release/my-pi3.img", b"the image"),
            ("__MACOSX/", b""),
            ("__MACOSX/release/my-pi3.img", b"added"),
            ("release/._my-pi3.img", b"added"),
        ];
        assert_eq!(read(&zip_of(CompressionMethod::DEFLATE, &files)).expect("one file counts"), b"the image");
        assert!(refused(&files[..2]).contains("holds 0 files"), "{}", refused(&files[..2]));
        assert!(refused(&[]).contains("holds 0 files"), "{}", refused(&[]));
        let two = refused(&[("a.img", b"one"), ("readme.txt", b"two")]);
        assert!(two.contains("holds 2 files") && two.contains("pack the image alone"), "{two}");
    }

    #[test]
    fn two_files_of_one_name_are_two() {
        let mut zip = zip_of(CompressionMethod::STORE, &[("a.img", b"one"), ("b.img", b"two")]);
        zip.iter_mut().for_each(|byte| *byte = if *byte == b'b' { b'a' } else { *byte });
        let error = read(&zip).expect_err("neither is the image");
        assert!(matches!(error, ImageError::NotOneFile { count: 2, .. }), "{error:?}");
    }

    #[test]
    fn a_directory_too_long_to_be_read_is_refused_by_its_number_of_entries() {
        let name = "n".repeat(60_000);
        let names: Vec<String> = (0..20).map(|index| format!("__MACOSX/{index}{name}")).collect();
        let mut files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        files.push(("a.img", b"the image"));
        let error = read(&zip_of(CompressionMethod::STORE, &files)).expect_err("its directory is longer than what is read");
        assert!(matches!(error, ImageError::NotOneFile { count: 21, .. }), "{error:?}");
    }

    #[test]
    fn an_encrypted_file_and_an_unknown_method_are_named() {
        let plain = deflated(b"the image");
        let (zip, end) = plain.split_at(plain.len() - END_LENGTH);
        let header = header_at(zip, end);
        let with = |at: usize, value: u8| {
            let mut zip = plain.clone();
            zip[header + at] = value;
            read(&zip).expect_err("it cannot be unpacked")
        };
        let encrypted = with(8, plain[header + 8] | 1);
        assert!(matches!(encrypted, ImageError::Encrypted { .. }), "{encrypted:?}");
        assert!(encrypted.to_string().contains("is encrypted: pack the image without a password"), "{encrypted}");
        let method = with(10, 9);
        assert!(method.to_string().contains("packed by Deflate64"), "{method}");
    }

    #[test]
    fn a_file_that_is_not_what_the_directory_says_is_damaged() {
        for plain in [stored(b"the image"), deflated(b"the image")] {
            let (zip, end) = plain.split_at(plain.len() - END_LENGTH);
            let header = header_at(zip, end);
            // Its CRC-32, its packed length and its length, each a little more and a little less.
            for (field, step) in [16, 20, 24].into_iter().flat_map(|field| [(field, 1), (field, u8::MAX)]) {
                let mut zip = plain.clone();
                zip[header + field] = zip[header + field].wrapping_add(step);
                let error = read(&zip).expect_err("it is not what the directory says");
                assert!(matches!(error, ImageError::Damaged { .. } | ImageError::Truncated { .. }), "{field} {step}: {error:?}");
            }
        }
    }

    #[test]
    fn a_comment_belongs_to_the_zip_and_a_second_zip_does_not() {
        let mut commented = deflated(b"the image");
        let comment_length = commented.len() - 2;
        commented[comment_length] = 5;
        commented.extend(b"hello");
        assert_eq!(read(&commented).expect("a zip may have a comment"), b"the image");
        let cut = read(&commented[..commented.len() - 1]).expect_err("the comment is cut");
        assert!(matches!(cut, ImageError::Truncated { .. }), "{cut:?}");
        for second in [stored(b"another"), deflated(b"the image"), zip64(b"the image")] {
            let error = read(&[stored(b"the image"), second].concat()).expect_err("two zips are no zip");
            assert!(matches!(error, ImageError::Damaged { at: 0, .. }), "{error:?}");
        }
    }
    #[test]
    fn the_long_end_of_a_zip64_stands_where_it_says_with_nothing_behind_it() {
        let (zip, header, mut end) = parts64(b"the image");
        let at = zip.len() + header.len();
        let both = [&zip, &header, &end64(44, header.len(), zip.len()), &locator(at), &end].map(Vec::as_slice).concat();
        assert_eq!(read(&both).expect("its numbers fit the short end as well"), b"the image");
        end[8..20].fill(0xff);
        // A longer one around a short one, which is what we look at.
        let longer = end64(44 + to_u64(END64_LENGTH), header.len(), zip.len());
        let short = end64(44, header.len() + END64_LENGTH, zip.len());
        let error = read(&[zip, header, longer, short, locator(at), end].concat()).expect_err("its ends do not agree");
        assert!(matches!(error, ImageError::Damaged { at: 0, .. }), "{error:?}");
    }
}
