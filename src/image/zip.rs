//! The one file in a zip: found through the directory at the zip's end, then unpacked as it is read.
//!
//! Read here and not by a library, because people's archivers do not keep to the format where files are long: macOS' writes sizes and
//! places without what is beyond 32 bits, and no zip64. What the directory says is believed as far as the file's checksum bears it out.
//! Numbers of sections are APPNOTE 6.3.10's.

use std::fs::File;
use std::io::{self, BufRead, Cursor, Read, Take};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bzip2::bufread::BzDecoder;
use deflate64::Deflate64Decoder;
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;

use super::ImageError;
use super::behind::{Beyond, Share};
use super::extents::is_zero;
use super::open::explain;
use super::xz::XzReader;
use crate::station::units::{KIB, MIB, to_u64, to_usize};

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

/// A header of the directory (4.3.12) and of a file (4.3.7), without what follows each.
const HEADER: [u8; 4] = *b"PK\x01\x02";
const HEADER_LENGTH: usize = 46;
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const LOCAL_LENGTH: usize = 30;
/// What a number of 32 bits cannot say.
const WRAP: u64 = 1 << 32;
/// A file that is smaller and named as what people put beside an image is not the image.
const SMALL: u64 = MIB;
const BESIDE: [&str; 33] = [
    "asc",
    "b2",
    "b3",
    "blake3",
    "bmap",
    "cfg",
    "htm",
    "html",
    "ini",
    "json",
    "log",
    "md",
    "md5",
    "md5sum",
    "minisig",
    "nfo",
    "pdf",
    "pem",
    "rtf",
    "sfv",
    "sha",
    "sha1",
    "sha1sum",
    "sha224",
    "sha256",
    "sha256sum",
    "sha384",
    "sha512",
    "sha512sum",
    "sig",
    "txt",
    "url",
    "yml",
];
const BESIDE_NAMES: [&str; 8] = ["readme", "license", "licence", "copying", "changelog", "sha256sums", "md5sums", "thumbs.db"];
/// So many names are told.
const NAMES: usize = 4;

/// How a file is packed (4.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Stored,
    Deflated,
    Deflate64,
    Bzip2,
    /// With a mark at its end, by bit 1 of the flags (4.4.4), or only as long as it says.
    Lzma {
        marked: bool,
    },
    Zstd,
    Xz,
}

/// Where the one file lies in its zip, and what must come out of it.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where its packed bytes begin.
    pub(super) start: u64,
    packed: u64,
    method: Method,
    size: u64,
    /// The size is only known up to a multiple of 4 GiB.
    wraps: bool,
    crc: u32,
}

/// A header of the directory.
struct Header<'d> {
    name: &'d [u8],
    flags: u64,
    method: u64,
    crc: u32,
    packed: u64,
    size: u64,
    /// Where the file's own header is.
    place: u64,
    /// It has the long numbers: none of those above is cut.
    is_long: bool,
}

/// Finds the one file.
///
/// # Errors
/// When the zip is cut short or damaged at its end, when it holds no file or several, or one that cannot be unpacked here.
pub(super) fn find(file: &File, path: &Path) -> Result<Entry, ImageError> {
    let unread = |error| explain(path, 0, error);
    let not_one = |count, names: String| ImageError::NotOneFile { path: path.to_owned(), count, names };
    if is_split(file).map_err(unread)? {
        return Err(split(path));
    }
    let end = prove_end(file).map_err(unread)?;
    if end.size > LONGEST_DIRECTORY {
        return Err(not_one(end.entries, String::new()));
    }
    let mut directory = vec![0; to_usize(end.size)];
    file.read_exact_at(&mut directory, end.start).map_err(unread)?;
    let headers = headers(&directory).map_err(unread)?;
    if to_u64(headers.len()) & 0xffff != end.entries & 0xffff {
        return Err(unread(damaged("the zip's directory is not as long as its end says")));
    }
    let image = match headers.iter().filter(|header| header.counts()).collect::<Vec<_>>().as_slice() {
        [image] => *image,
        [] => {
            let files: Vec<&Header<'_>> = headers.iter().filter(|header| header.is_file()).collect();
            return Err(not_one(0, if files.is_empty() { String::new() } else { format!("; in it is {}", names(&files)) }));
        }
        several => return Err(not_one(to_u64(several.len()), format!(" ({})", names(several)))),
    };
    if image.flags & 1 != 0 || image.method == 99 {
        return Err(ImageError::Encrypted { path: path.to_owned() });
    }
    let method = match image.method {
        0 => Method::Stored,
        8 => Method::Deflated,
        9 => Method::Deflate64,
        12 => Method::Bzip2,
        14 => Method::Lzma { marked: image.flags & 2 != 0 },
        20 | 93 => Method::Zstd,
        95 => Method::Xz,
        other => return Err(ImageError::Method { path: path.to_owned(), method: method_name(other) }),
    };
    let lost = || unread(damaged("the zip's directory leads to no file"));
    let (_, start) = image.local(file, end.start).map_err(unread)?.ok_or_else(lost)?;
    let packed = image.packed_length(file, start, &headers, end.start).map_err(unread)?;
    Ok(Entry { start, packed, method, size: image.size, wraps: !image.is_long, crc: image.crc })
}

/// The first few names, as text that is only text.
fn names(headers: &[&Header<'_>]) -> String {
    let mut names: Vec<String> = headers.iter().take(NAMES).map(|header| format!("{:?}", String::from_utf8_lossy(header.name))).collect();
    if headers.len() > NAMES {
        names.push(format!("{} more", headers.len() - NAMES));
    }
    names.join(", ")
}

fn method_name(method: u64) -> String {
    let name = match method {
        1 => "Shrink",
        2..=5 => "Reduce",
        6 => "Implode",
        10 => "PKWARE's Implode",
        97 => "WavPack",
        98 => "PPMd",
        other => return format!("method {other}"),
    };
    name.to_owned()
}

/// Every header of a directory.
fn headers(mut directory: &[u8]) -> io::Result<Vec<Header<'_>>> {
    let broken = || damaged("the zip's directory is not readable");
    let mut headers = Vec::new();
    while !directory.is_empty() {
        // The directory may be signed (4.3.13): what follows is no file.
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
    /// Takes the long numbers of zip64 for those that are not there (4.5.3); nothing where they should be and are not.
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

    /// A directory has a name that ends so (4.3.8 leaves no other sign that everybody sets).
    fn is_file(&self) -> bool {
        !matches!(self.name.last(), Some(b'/' | b'\\'))
    }

    /// A directory is no file, nor is what a system adds for itself: macOS `__MACOSX/` and `.DS_Store`, others' dot files. Small files
    /// that people put beside an image, told by how they are named, are not the image.
    fn counts(&self) -> bool {
        let mut parts = self.name.split(|byte| matches!(byte, b'/' | b'\\'));
        let is_added = parts.clone().next() == Some(b"__MACOSX");
        let name = String::from_utf8_lossy(parts.next_back().unwrap_or_default()).to_lowercase();
        let is_beside = match name.rsplit_once('.') {
            Some((_, ending)) => BESIDE.contains(&ending) || BESIDE_NAMES.contains(&name.as_str()),
            None => BESIDE_NAMES.contains(&name.as_str()),
        };
        let is_passed_over = is_added || name.starts_with('.') || (is_beside && self.size < SMALL);
        self.is_file() && !is_passed_over
    }

    /// Where its own header is, and where its packed bytes begin; nothing where there is no such header before the directory.
    fn local(&self, file: &File, directory: u64) -> io::Result<Option<(u64, u64)>> {
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

    /// How long its packed bytes are: as the directory says, or longer by as many times 4 GiB as there is room for, which no other
    /// file takes.
    fn packed_length(&self, file: &File, start: u64, headers: &[Header<'_>], directory: u64) -> io::Result<u64> {
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

/// What the end says of the directory.
struct End {
    /// Where it begins.
    start: u64,
    size: u64,
    entries: u64,
}

/// The last bytes of a file, as many as a zip's end may have, without zeroes that only fill a block: where they begin, and how many zeroes
/// follow. Zeroes of the end's own may be among those.
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

/// Whether the file is a part of a zip that was split: the first, which begins so (8.5.3), or the last, whose end counts more disks than one.
pub(super) fn is_split(file: &File) -> io::Result<bool> {
    let mut first = [0; 4];
    if file.read_at(&mut first, 0)? == first.len() && &first == b"PK\x07\x08" {
        // An archive that could have been split, and was not, ends as any other.
        return Ok(prove_end(file).is_err());
    }
    let (_, tail) = tail(file)?;
    let Some(at) = tail.windows(END.len()).rposition(|window| window == END) else { return Ok(false) };
    let Some(end) = tail.get(at..at + END_LENGTH) else { return Ok(false) };
    let disk = number(&end[4..6]);
    Ok(disk > 0 && disk < 0xffff && number(&end[6..8]) <= disk)
}

/// What is said of it.
pub(super) fn split(path: &Path) -> ImageError {
    ImageError::SplitZip { path: path.to_owned() }
}

/// Proves that the zip's end is the file's end, and that the directory ends there: nothing is missing, nothing was added. Zeroes that
/// fill a block up are nothing.
fn prove_end(file: &File) -> io::Result<End> {
    let length = file.metadata()?.len();
    let (start, tail) = tail(file)?;
    let at = tail.windows(END.len()).rposition(|window| window == END).ok_or(io::ErrorKind::UnexpectedEof)?;
    let (before, end) = tail.split_at(at);
    if end.len() < END_LENGTH {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let end_of_zip = start + to_u64(at) + to_u64(END_LENGTH) + number(&end[20..22]);
    if end_of_zip > length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // All that was looked at behind it is zeroes, or it is not.
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
        // Nothing between the two: there is room for data that nobody writes.
        if !end64.starts_with(&END64) || number(&locator[8..16]) != directory_end {
            return Err(astray());
        }
        // The short form's numbers count where they fit it.
        if entries == 0xffff || size == 0xffff_ffff || offset == 0xffff_ffff {
            (entries, size, offset) = (number(&end64[32..40]), number(&end64[40..48]), number(&end64[48..56]));
        }
        is_long = true;
    }
    let directory = directory_end.checked_sub(size).ok_or_else(astray)?;
    // Without the long form a place beyond 4 GiB is told without its high bits, by those who do not know the long form.
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

/// Up to eight bytes, the lowest first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |above, byte| above << 8 | u64::from(*byte))
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Entry {
    /// Unpacks it from `zip`, which stands at its start. The end is reported only when size and checksum are the directory's.
    pub(super) fn unpack(self, zip: impl BufRead + Send + 'static, share: Share) -> io::Result<Box<dyn Read + Send>> {
        let mut packed = zip.take(self.packed);
        let unpacking = match self.method {
            Method::Stored => Unpacking::Stored(packed),
            Method::Deflated => Unpacking::Deflated(DeflateDecoder::new(packed)),
            Method::Deflate64 => Unpacking::Deflate64(Box::new(Deflate64Decoder::with_buffer(packed))),
            Method::Bzip2 => Unpacking::Bzip2(BzDecoder::new(packed)),
            Method::Lzma { marked } => {
                // Two bytes of a version and two of a length stand before the properties (5.8.8); a `.lzma` has a size behind them.
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

    /// How much of what is packed nobody took.
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

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Cursor, Write};

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;
    use crate::image::open::Opened;
    use crate::image::stage::tests::write;
    use crate::station::units::Bytes;

    /// A zip of these files; a name that ends in `/` is a directory.
    pub(in crate::image) fn zip_of(method: CompressionMethod, files: &[(&str, &[u8])]) -> Vec<u8> {
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

    /// A zip that holds `packed` as it is, and says that it is `raw`, packed by this method.
    pub(in crate::image) fn with_method(packed: &[u8], raw: &[u8], method: u8, flags: u8) -> Vec<u8> {
        let mut zip = stored(packed);
        let header = zip.len() - END_LENGTH - HEADER_LENGTH - "my-pi3.img".len();
        let mut crc = Crc::new();
        crc.update(raw);
        zip[header + 8] |= flags;
        zip[header + 10] = method;
        zip[header + 16..header + 20].copy_from_slice(&crc.sum().to_le_bytes());
        zip[header + 24..header + 28].copy_from_slice(&to_u64(raw.len()).to_le_bytes()[..4]);
        zip
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
        let two = refused(&[("a.img", b"one"), ("b.img", b"two")]);
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
        let method = with(10, 98);
        assert!(method.to_string().contains("packed by PPMd"), "{method}");
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
