//! Finds the only file in a zip through the directory at its end, and unpacks it while it is read.
//!
//! Read here and not by a library, because common archivers break the format for long files: that of macOS writes only the lower 32 bits of
//! sizes and places, and no zip64. The directory is trusted as far as the file's checksum confirms it. Section numbers are those of APPNOTE
//! 6.3.10.

mod directory;
mod unpack;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::error::explain;
use crate::image::ImageError;
use crate::station::units::{MIB, to_u64, to_usize};
use directory::{Header, LONGEST_DIRECTORY, damaged, headers, prove_end};

pub(super) use directory::is_split;
pub(super) use unpack::Entry;
use unpack::Method;

/// A smaller file with a name that is usual for files beside an image is not the image.
const SMALL: u64 = MIB;
const BESIDE: [&str; 40] = [
    "asc",
    "b2",
    "b3",
    "blake3",
    "bmap",
    "buildinfo",
    "cfg",
    "csv",
    "htm",
    "html",
    "ini",
    "json",
    "log",
    "manifest",
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
    "spdx",
    "toml",
    "txt",
    "url",
    "xml",
    "yaml",
    "yml",
];
const BESIDE_NAMES: [&str; 10] =
    ["readme", "license", "licence", "copying", "changelog", "notice", "authors", "version", "manifest", "thumbs.db"];
/// Names of checksum files for a whole release, with the release in front or behind: `SHA256SUMS`, `Fedora-IoT-39.1.5-CHECKSUM`.
const BESIDE_WORDS: [&str; 5] = ["checksum", "sha1sum", "sha256sum", "sha512sum", "md5sum"];
/// Limit of names that are listed.
const NAMES: usize = 4;

/// Finds the only file.
///
/// # Errors
/// If the zip is cut short or damaged at its end, contains no file or several, or one that cannot be unpacked here.
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

/// The first few names, as harmless text.
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

impl Header<'_> {
    /// Directories do not count, nor do files that a system adds by itself: macOS `__MACOSX/` and `.DS_Store`, dot files of others. Small
    /// files that are usually put beside an image, recognised by their names, are not the image.
    fn counts(&self) -> bool {
        let mut parts = self.name.split(|byte| matches!(byte, b'/' | b'\\'));
        let is_added = parts.clone().next() == Some(b"__MACOSX");
        let name = String::from_utf8_lossy(parts.next_back().unwrap_or_default()).to_lowercase();
        let is_beside = match name.rsplit_once('.') {
            Some((_, ending)) => BESIDE.contains(&ending) || BESIDE_NAMES.contains(&name.as_str()),
            None => BESIDE_NAMES.contains(&name.as_str()),
        } || BESIDE_WORDS.iter().any(|word| name.contains(word));
        let is_passed_over = is_added || name.starts_with('.') || (is_beside && self.size < SMALL);
        self.is_file() && !is_passed_over
    }
}

/// The error for it.
pub(super) fn split(path: &Path) -> ImageError {
    ImageError::SplitZip { path: path.to_owned() }
}

#[cfg(test)]
pub(in crate::image) mod tests {
    use std::io::{Cursor, Write};

    use flate2::Crc;
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::directory::{END_LENGTH, END64, END64_LENGTH, HEADER_LENGTH, LOCATOR, number};
    use super::*;
    use crate::image::packing::Opened;
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

    /// A zip that contains `packed` unchanged, and states that it is `raw`, packed by this method.
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

    /// With the long form of every number that has one, as for a file beyond 4 GiB.
    pub(in crate::image) fn zip64(raw: &[u8]) -> Vec<u8> {
        let (zip, header, mut end) = parts64(raw);
        let end64 = end64(44, header.len(), zip.len());
        let locator = locator(zip.len() + header.len());
        end[8..20].fill(0xff);
        [zip, header, end64, locator, end].concat()
    }

    /// A zip; the only header of its directory with the long numbers, and its end without.
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

    /// The place of the directory's only header.
    fn header_at(zip: &[u8], end: &[u8]) -> usize {
        let at = to_usize(number(&end[16..20]));
        assert!(zip[at..].starts_with(b"PK\x01\x02"), "the directory is there");
        at
    }

    /// Opens a zip and reads it completely; returns the error that ends it.
    fn read(zip: &[u8]) -> Result<Vec<u8>, ImageError> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = write(directory.path(), "a.zip", zip);
        let mut opened = Opened::open(&path)?;
        let mut contents = vec![0; 1 << 20];
        let length = opened.fill(&path, Bytes(0), &mut contents)?;
        contents.truncate(length);
        Ok(contents)
    }

    /// The error with which a zip of these files is refused.
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
    fn what_people_put_beside_an_image_is_not_the_image() {
        for beside in
            ["CHECKSUM", "Fedora-IoT-39.1.5-CHECKSUM", "SHA256SUMS", "sha256sums.asc", "ovf.xml", "my-pi3.img.sha256", "VERSION", "my.spdx"]
        {
            let files: [(&str, &[u8]); 2] = [(beside, b"9f86d081"), ("my-pi3.img", b"the image")];
            assert_eq!(read(&zip_of(CompressionMethod::DEFLATE, &files)).expect(beside), b"the image");
        }
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
            // Its CRC-32, its packed length and its length, each changed a little up and down.
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
        // A longer zip around a short one, which is the one that is read.
        let longer = end64(44 + to_u64(END64_LENGTH), header.len(), zip.len());
        let short = end64(44, header.len() + END64_LENGTH, zip.len());
        let error = read(&[zip, header, longer, short, locator(at), end].concat()).expect_err("its ends do not agree");
        assert!(matches!(error, ImageError::Damaged { at: 0, .. }), "{error:?}");
    }
}
