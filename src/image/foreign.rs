//! Recognises files that are not disk images by their own bytes: archives, disks of virtual machines, packed files, programs, texts. Each
//! has a name and a cure.
//!
//! It examines the raw bytes, also those that are unpacked from a packed file, because a packing says nothing about the contents. A file
//! whose first block contains a partition table is not examined here, because boot code may begin with any bytes.

mod pgp;

use std::io::Read;
use std::path::Path;

use flate2::read::ZlibDecoder;

use super::ImageError;
use crate::station::units::{KIB, to_u64};

/// The number of leading bytes that are examined.
pub(super) const HEAD: u64 = 64 * KIB;
/// The length of a footer: of a VHD, of a DMG.
pub(super) const FOOTER: usize = 512;
/// The number of leading bytes by which a text is recognised.
const TEXT: usize = 4096;

/// A format that is not a disk image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    /// With its article: "a tar archive".
    pub(super) name: &'static str,
    /// The cure for the engineer.
    pub(super) cure: &'static str,
}

impl Foreign {
    pub(super) fn refuse(self, path: &Path, packed: bool) -> ImageError {
        let verb = if packed { "unpacks to" } else { "is" };
        ImageError::Foreign { path: path.to_owned(), verb, name: self.name, cure: self.cure }
    }
}

const UNPACK: &str = "unpack it, and name the disk image that was in it";
const CONVERT: &str = "convert it with `qemu-img convert -O raw`";
const REPACK: &str = "pack the image as .xz, .gz, .zst, .bz2 or .zip";
const TWICE: &str = "unpack it: an image may be packed, but only once";
const RESTORE: &str = "restore it with the program that made it, and name the raw image";
const FIND: &str = "name the disk image instead";
const UPDATE: &str = "it updates a device that runs already: name the image for a card, often .wic, .img or .sdcard";
const PART: &str = "it is a part of an image: name the whole image";
const DECRYPT: &str = "decrypt it first";
const MAC: &str = "convert it on a Mac with `hdiutil convert -format UDTO`";

/// Formats with a few bytes at one place: place, bytes, name, cure. Longer patterns come first.
#[rustfmt::skip]
const MAGICS: &[(usize, &[u8], &str, &str)] = &[
    // Archives.
    (257, b"ustar", "a tar archive", UNPACK),
    (0, b"070701", "a cpio archive", UNPACK),
    (0, b"070702", "a cpio archive", UNPACK),
    (0, b"070707", "a cpio archive", UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", REPACK),
    (0, b"Rar!\x1a\x07", "a rar archive", REPACK),
    (0, b"!<arch>\ndebian-binary", "a Debian package", FIND),
    (0, b"!<arch>\n", "an ar archive", UNPACK),
    (0, b"\xed\xab\xee\xdb", "an RPM package", FIND),
    (0, b"MSCF\0\0\0\0", "a Windows cabinet", UNPACK),
    (0, b"MSWIM\0\0\0", "a Windows image (WIM)", "it is applied by Windows setup and cannot be written: name a disk image"),
    (0, b"xar!", "a xar archive", UNPACK),
    (2, b"-lh", "an LHA archive", UNPACK),
    (7, b"**ACE**", "an ACE archive", UNPACK),
    (0, b"\x60\xea", "an ARJ archive", UNPACK),
    (0, b"zPQ", "a zpaq archive", UNPACK),
    (0, b"7kSt", "a zpaq archive", UNPACK),
    // Packed in a supported format: packed twice.
    (0, b"\xfd7zXZ\0", "an xz file", TWICE),
    (0, b"\x1f\x8b\x08", "a gzip file", TWICE),
    (0, b"\x28\xb5\x2f\xfd", "a zstd file", TWICE),
    (0, b"BZh", "a bzip2 file", TWICE),
    (0, b"PK\x03\x04", "a zip", TWICE),
    (0, b"PK\x05\x06", "a zip", TWICE),
    (0, b"PK\x07\x08", "a part of a split zip", UNPACK),
    // Packed in an unsupported format.
    (0, b"\x89LZO\0\r\n\x1a\n", "a file packed with lzop, which is not read here", REPACK),
    (0, b"\x04\x22\x4d\x18", "a file packed with lz4, which is not read here", REPACK),
    (0, b"\x02\x21\x4c\x18", "a file packed with lz4, which is not read here", REPACK),
    (0, b"LZIP", "a file packed with lzip, which is not read here", REPACK),
    (0, b"LRZI", "a file packed with lrzip, which is not read here", REPACK),
    (0, b"RZIP", "a file packed with rzip, which is not read here", REPACK),
    (0, b"BZ3v1", "a file packed with bzip3, which is not read here", REPACK),
    (0, b"bvx2", "a file packed with lzfse, which is not read here", REPACK),
    (0, b"bvxn", "a file packed with lzfse, which is not read here", REPACK),
    (0, b"bvx-", "a file packed with lzfse, which is not read here", REPACK),
    (0, b"pbz", "a file packed by Apple's archiver, which is not read here", REPACK),
    (0, b"AA01", "a file packed by Apple's archiver, which is not read here", REPACK),
    (0, b"\xff\x06\0\0sNaPpY", "a file packed with snappy, which is not read here", REPACK),
    (0, b"\x1f\x9d", "a file packed with compress (.Z), which is not read here", REPACK),
    (0, b"\x1f\xa0", "a file packed with lzh, which is not read here", REPACK),
    (0, b"\x1f\x1e", "a file packed with pack (.z), which is not read here", REPACK),
    (0, b"\x1f\x9e", "a file packed with an old gzip, which is not read here", REPACK),
    // Disks of virtual machines.
    (0, b"QFI\xfb", "a qcow2 disk of a virtual machine", CONVERT),
    (0, b"QED\0", "a QED disk of a virtual machine", CONVERT),
    (0, b"KDMV", "a VMDK disk of a virtual machine", CONVERT),
    (0, b"COWD", "a VMDK disk of a virtual machine", CONVERT),
    (0, b"\xbe\xba\xfe\xca\0\0\0\0", "a VMDK disk of a virtual machine", CONVERT),
    (0, b"# Disk DescriptorFile", "the description of a VMDK disk of a virtual machine", CONVERT),
    (0, b"vhdxfile", "a VHDX disk of a virtual machine", CONVERT),
    (0, b"conectix", "a VHD disk of a virtual machine", CONVERT),
    (64, b"\x7f\x10\xda\xbe", "a VDI disk of a virtual machine", CONVERT),
    (0, b"<<< ", "a VDI disk of a virtual machine", CONVERT),
    (0, b"WithoutFreeSpace", "a Parallels disk of a virtual machine", CONVERT),
    (0, b"WithouFreSpacExt", "a Parallels disk of a virtual machine", CONVERT),
    (0, b"Bochs Virtual HD Image", "a Bochs disk of a virtual machine", CONVERT),
    (0, b"SuperGrub\0", "a disk of a virtual machine", CONVERT),
    (0, b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop", "a cloop file", CONVERT),
    // Copies of disks that only their own programs restore.
    (0, b"partclone-image", "a copy made by partclone", RESTORE),
    (0, b"PaRtImAgE-VoLuMe", "a copy made by partimage", RESTORE),
    (0, b"FsArCh", "a copy made by fsarchiver", RESTORE),
    (0, b"\0ntfsclone-image", "a copy made by ntfsclone", RESTORE),
    (0, b"\xfe\xef\x01", "a Ghost copy", RESTORE),
    (0, b"EVF\x09\x0d\x0a\xff\0", "an EnCase copy", RESTORE),
    (0, b"LVF\x09\x0d\x0a\xff\0", "an EnCase copy", RESTORE),
    (0, b"EVF2\r\n\x81\0", "an EnCase copy", RESTORE),
    (0, b"LEF2\r\n\x81\0", "an EnCase copy", RESTORE),
    (0, b"LVF2\r\n\x81\0", "an EnCase copy", RESTORE),
    (0, b"ADCRYPT\0", "an encrypted copy made by FTK Imager", RESTORE),
    (0, b"AFF10\r\n\0", "an AFF copy", RESTORE),
    (0, b"\xb4\x6e\x68\x44", "a copy made by Acronis True Image", RESTORE),
    // Disks of Macs.
    (0, b"sprs", "a sparse disk image of macOS", MAC),
    (0, b"encrcdsa", "an encrypted disk image of macOS", MAC),
    // Images of discs in their own packings.
    (0, b"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0", "a raw copy of a CD (.bin)", "make an .iso of it"),
    (0, b"IsZ!", "a packed disc image (ISZ)", "make an .iso of it"),
    (0, b"CISO", "a packed disc image (CISO)", "make an .iso of it"),
    (0, b"DAA\0", "a packed disc image (DAA)", "make an .iso of it"),
    // Images for phones and boards.
    (0, b"\x3a\xff\x26\xed", "an Android sparse image", "convert it with `simg2img`"),
    (0, b"ANDROID!", "an Android boot image", PART),
    (0, b"VNDRBOOT", "an Android boot image", PART),
    (0, b"AVB0", "an Android verified boot image", PART),
    (0, b"CrAU", "an Android update", UPDATE),
    (0, b"\xd7\xb7\xab\x1e", "an Android device tree image", PART),
    (0, b"RKFW", "a Rockchip update image", "unpack it with Rockchip's tools; it is not the image of a card"),
    (0, b"RKAF", "a Rockchip update image", "unpack it with Rockchip's tools; it is not the image of a card"),
    (0, b"LDR ", "a Rockchip loader", PART),
    (0, b"IMAGEWTY", "an Allwinner firmware for PhoenixCard", "it is not the image of a card: PhoenixCard writes it"),
    (8, b"\x56\x19\xb5\x27", "an Amlogic burning image", "it is not the image of a card: Amlogic's burning tool writes it"),
    (0, b"\x27\x05\x19\x56", "a U-Boot image (uImage)", PART),
    (0, b"\xd0\x0d\xfe\xed", "a device tree or a FIT image", PART),
    (56, b"ARM\x64", "a kernel (arm64 Image)", PART),
    (36, b"\x18\x28\x6f\x01", "a kernel (ARM zImage)", PART),
    (0, b"HDR0", "a router's firmware (TRX)", UPDATE),
    (0, b"UBI#", "an image for raw flash (UBI)", "a card has no raw flash: name the image for a card"),
    (0, b"\x31\x18\x10\x06", "an image for raw flash (UBIFS)", "a card has no raw flash: name the image for a card"),
    (0, b"\x85\x19\x03\x20", "an image for raw flash (JFFS2)", "a card has no raw flash: name the image for a card"),
    (0, b"\x85\x19\x01\xe0", "an image for raw flash (JFFS2)", "a card has no raw flash: name the image for a card"),
    (0, b"UF2\nWQ]\x9e", "a UF2 firmware of a microcontroller", FIND),
    (0, b"DfuSe", "a DFU firmware of a microcontroller", FIND),
    // Programs and documents.
    (0, b"\x7fELF", "a program (ELF)", FIND),
    (0, b"MZ", "a Windows program", "if it unpacks itself, let it, and name the disk image that was in it"),
    (0, b"\xca\xfe\xba\xbe", "a program (Java or macOS)", FIND),
    (0, b"\xcf\xfa\xed\xfe", "a program (macOS)", FIND),
    (0, b"\xce\xfa\xed\xfe", "a program (macOS)", FIND),
    (0, b"\0asm", "a program (WebAssembly)", FIND),
    (0, b"%PDF-", "a PDF document", FIND),
    (0, b"\x89PNG\r\n\x1a\n", "a picture", FIND),
    (0, b"\xff\xd8\xff", "a picture", FIND),
    (0, b"GIF8", "a picture", FIND),
    (4, b"ftyp", "a film", FIND),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document", FIND),
    (0, b"SQLite format 3\0", "a database (SQLite)", FIND),
    (0, b"\x4c\0\0\0\x01\x14\x02\0", "a Windows shortcut", "name the file it points to"),
    (0, b"!<symlink>", "a symbolic link (Cygwin)", "name the file it points to"),
    (0, b"\0\x05\x16\x07", "what macOS keeps beside a file (._NAME)", "name the file without `._` in front"),
    (0, b"\0\x05\x16\0", "what macOS keeps beside a file (AppleDouble)", "name the file itself"),
    // Encrypted or signed.
    (0, b"Salted__", "a file encrypted with openssl", DECRYPT),
    (0, b"age-encryption.org/", "a file encrypted with age", DECRYPT),
    (0, b"-----BEGIN PGP MESSAGE", "a file encrypted with PGP", DECRYPT),
    (0, b"-----BEGIN PGP SIGN", "a signature", FIND),
    (0, b"-----BEGIN PGP ", "a key (PGP)", FIND),
    (0, b"-----BEGIN AGE ENCRYPTED", "a file encrypted with age", DECRYPT),
    // Texts, by their beginnings; other texts are recognised below.
    (0, b"version https://git-lfs.github.com/", "a Git LFS pointer, not the file it stands for", "fetch the file with `git lfs pull`"),
    (0, b"d8:announce", "a torrent, not the file it stands for", "download the file it stands for"),
    (0, b"# v2 git bundle", "a git bundle", FIND),
];

/// The kind of a text, by words near its beginning, in lower case.
#[rustfmt::skip]
const TEXTS: &[(&str, &str, &str)] = &[
    ("<bmap", "a block map (.bmap)", "name the image that lies beside it"),
    ("<metalink", "a metalink, not the file it stands for", "download the file it stands for"),
    ("<!doctype html", "a web page", "download the image again, from a link that leads to the file itself"),
    ("<html", "a web page", "download the image again, from a link that leads to the file itself"),
    ("<head", "a web page", "download the image again, from a link that leads to the file itself"),
    ("<error>", "an answer of a server (XML)", "download the image again"),
    ("<?xml", "a text (XML)", FIND),
    ("<plist", "a text (XML)", FIND),
    ("createtype=", "the description of a VMDK disk of a virtual machine", CONVERT),
    ("{", "a text (JSON)", FIND),
    ("[", "a text", FIND),
    ("s0", "a firmware of a microcontroller (S-record)", FIND),
    ("#!", "a script", FIND),
];

/// The format of a file by its first bytes, at most [`HEAD`]; `None` if they could be a disk's.
pub(super) fn by_head(head: &[u8]) -> Option<Foreign> {
    let begins = |(at, magic, ..): &&(usize, &[u8], &str, &str)| head.get(*at..).is_some_and(|rest| rest.starts_with(magic));
    let mut known = MAGICS.iter().filter(begins);
    if let Some((_, _, name, cure)) = known.next() {
        return Some(match name {
            name if is_mender(name, head) => Foreign { name: "a Mender artifact", cure: UPDATE },
            name if is_swupdate(name, head) => Foreign { name: "an update for SWUpdate (.swu)", cure: UPDATE },
            name => Foreign { name, cure },
        });
    }
    let or = |is: bool, name, cure| is.then_some(Foreign { name, cure });
    or(is_old_tar(head), "a tar archive", UNPACK)
        .or_else(|| or(is_binary_cpio(head), "a cpio archive", UNPACK))
        .or_else(|| or(is_zlib(head), "a file packed with zlib, which is not read here", REPACK))
        .or_else(|| or(is_lzma_stream(head), LZMA, REPACK))
        .or_else(|| pgp::message(head))
        .or_else(|| text(head))
}

const LZMA: &str = "a file packed with lzma, which is not read here";

/// Two bytes are a weak sign: a method, and a checksum of both (RFC 1950, 2.2). So the data behind them must unpack as well.
fn is_zlib(head: &[u8]) -> bool {
    let [first @ 0x78, second, ..] = head else { return false };
    if !(u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31) || second & 0x20 != 0 {
        return false;
    }
    let mut unpacked = [0; 1024];
    // Only the beginning is available: the data that was unpacked before its end counts.
    matches!(ZlibDecoder::new(head).read(&mut unpacked), Ok(count) if count > 0)
}

/// The input that [`is_lzma_alone`] accepts, with the properties that packers choose, and with zero as the first byte of every range coder.
fn is_lzma_stream(head: &[u8]) -> bool {
    head.first() == Some(&0x5d) && head.get(13) == Some(&0) && is_lzma_alone(head)
}

/// The first file of a Mender artifact has this name, and contains its version.
fn is_mender(name: &str, head: &[u8]) -> bool {
    name == "a tar archive"
        && head.starts_with(b"version\0")
        && head.get(512..).is_some_and(|file| file.starts_with(b"{\"format\":\"mender\""))
}

/// The first file of an update for SWUpdate describes it, and follows a header of 110 digits (cpio(5)).
fn is_swupdate(name: &str, head: &[u8]) -> bool {
    name == "a cpio archive" && head.get(110..).is_some_and(|file| file.starts_with(b"sw-description\0"))
}

/// A header from before `ustar`: its only sign is its checksum (tar(5): bytes 148 to 156, octal, summed with spaces in their place).
fn is_old_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..512) else { return false };
    let written = &header[148..156];
    let digits: String = written.iter().map(|byte| char::from(*byte)).collect();
    let Ok(expected) = u32::from_str_radix(digits.trim_matches([' ', '\0']), 8) else { return false };
    let sum = header.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { u32::from(b' ') } else { u32::from(*byte) });
    header[0] != 0 && sum.sum::<u32>() == expected
}

/// The oldest kind begins with a number of 16 bits, in either order, and has a name that is not empty (cpio(5)).
fn is_binary_cpio(head: &[u8]) -> bool {
    let Some(header) = head.get(..26) else { return false };
    let name_length = match header {
        [0xc7, 0x71, ..] => u16::from_le_bytes([header[20], header[21]]),
        [0x71, 0xc7, ..] => u16::from_be_bytes([header[20], header[21]]),
        _ => return false,
    };
    let end = 26 + usize::from(name_length);
    name_length > 1 && head.get(end - 1) == Some(&0) && head.get(26..end - 1).is_some_and(|name| !name.contains(&0))
}

/// Texts, also those that Notepad stores (UTF-16). A block with a partition table ends in 0x55 0xaa, which no text does.
fn text(head: &[u8]) -> Option<Foreign> {
    let head = &head[..head.len().min(TEXT)];
    let words = match head {
        [] => return None,
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        _ => match std::str::from_utf8(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head)) {
            Ok(text) => text.to_owned(),
            // A letter that was cut in two at the end of the examined bytes.
            Err(error) if error.error_len().is_none() && head.len() == TEXT => {
                String::from_utf8_lossy(&head[..error.valid_up_to()]).into_owned()
            }
            Err(_) => return None,
        },
    };
    if words.chars().any(|letter| letter.is_control() && !"\t\n\r\u{c}\u{b}\u{1b}\u{8}".contains(letter)) {
        return None;
    }
    let small = words.trim_start().to_lowercase();
    let known = TEXTS.iter().find(|(begin, ..)| match begin.len() {
        // Short ones must be at the very beginning, longer ones near it.
        0..=2 => small.starts_with(begin),
        _ => small.contains(begin),
    });
    let is_hex = small.starts_with(':')
        && small.lines().next().is_some_and(|line| line.len() > 10 && line[1..].bytes().all(|b| b.is_ascii_hexdigit()));
    let is_checksum = small
        .split_whitespace()
        .next()
        .is_some_and(|word| [32, 40, 64, 128].contains(&word.len()) && word.bytes().all(|b| b.is_ascii_hexdigit()));
    Some(match known {
        _ if is_hex => Foreign { name: "a firmware of a microcontroller (Intel HEX)", cure: FIND },
        _ if is_checksum => Foreign { name: "a checksum", cure: "name the image that lies beside it" },
        Some((_, name, cure)) => Foreign { name, cure },
        None => Foreign { name: "a text", cure: FIND },
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16(&units).ok()
}

/// The format of a file of `length` bytes by its last ones: disks of virtual machines and of Macs that have a raw disk in front of the data
/// of their own program.
pub(super) fn by_footer(footer: &[u8; FOOTER], length: u64) -> Option<Foreign> {
    // The DMG's own header contains its version and its length (4, 512).
    if footer.starts_with(b"koly\0\0\0\x04\0\0\x02\0") {
        return Some(Foreign {
            name: "a disk image of macOS (DMG)",
            cure: "convert it with `dmg2img`, or on a Mac with `hdiutil convert -format UDTO`",
        });
    }
    if footer.ends_with(b"cdsaencr") {
        return Some(Foreign { name: "an encrypted disk image of macOS", cure: MAC });
    }
    // The footer's checksum is the complement of the sum of all its other bytes. A footer that is left over from another place of a disk,
    // by chance in its last block, does not contain this file's length (Virtual Hard Disk Image Format Specification, "Hard Disk Footer
    // Format").
    let number = |at: usize| u32::from_be_bytes(footer[at..at + 4].try_into().expect("four bytes"));
    let sum: u32 = footer.iter().enumerate().filter(|(at, _)| !(64..68).contains(at)).map(|(_, byte)| u32::from(*byte)).sum();
    let size = u64::from(number(48)) << 32 | u64::from(number(52));
    let is_fixed = number(60) == 2;
    (footer.starts_with(b"conectix") && !sum == number(64) && (!is_fixed || size + to_u64(FOOTER) == length))
        .then_some(Foreign { name: "a VHD disk of a virtual machine", cure: CONVERT })
}

/// Whether this file has the name of one part of several, as `split`, 7-Zip and zip name them: `.001`, `.z01`, `.aa`, `.part1`.
pub(super) fn is_a_part(path: &Path) -> bool {
    let Some(ending) = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase) else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbered = |prefix: &str| ending.strip_prefix(prefix).is_some_and(|number| is_number(number) && number.len() >= 2);
    (2..=4).contains(&ending.len()) && is_number(&ending)
        || numbered("z")
        || numbered("r")
        || ending.strip_prefix("part").is_some_and(is_number)
        || matches!(ending.as_bytes(), [b'a', b'a'..=b'z'] | [b'x', b'a', b'a'..=b'z'])
}

/// The error for such a part.
pub(super) fn part(path: &Path, why: &str) -> ImageError {
    ImageError::Part { path: path.to_owned(), why: why.to_owned() }
}

/// Whether this could be the header of a file packed as `.lzma`, which has no magic number: valid properties, a dictionary size that
/// packers choose, a length that is absent or at most a card's.
pub(super) fn is_lzma_alone(head: &[u8]) -> bool {
    let Some(header) = head.get(..13) else { return false };
    let dictionary = u32::from_le_bytes([header[1], header[2], header[3], header[4]]);
    let length = u64::from_le_bytes(header[5..13].try_into().expect("eight bytes"));
    let is_round = dictionary.is_power_of_two() || (dictionary.is_multiple_of(3) && (dictionary / 3).is_power_of_two());
    header[0] < 225 && dictionary >= 4096 && is_round && (length == u64::MAX || length < 1 << 41)
}

/// The kind of a file whose name belongs to a packed one, if it has none of the supported formats.
pub(super) fn named_as_packed(path: &Path, head: &[u8]) -> Option<Foreign> {
    let is_lzma = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("lzma")) && is_lzma_alone(head);
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let by_name = match ending.as_str() {
        _ if is_lzma => Some(Foreign { name: LZMA, cure: REPACK }),
        // It begins with data that was packed already.
        "br" => Some(Foreign { name: "a file packed with brotli, which is not read here", cure: REPACK }),
        "gpg" | "pgp" => Some(Foreign { name: "a file encrypted with PGP", cure: DECRYPT }),
        _ => None,
    };
    by_head(head).or(by_name)
}
