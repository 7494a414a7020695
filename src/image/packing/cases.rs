//! Tests with packed files of common archivers: a whole file is accepted, a file of an unsupported form is named as such, and only a
//! damaged file is called damaged.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::Opened;
use super::behind::{Beyond, Share};
use super::error::explain;
use super::xz::XzReader;
use super::zip::tests::{deflated, with_method, zip_of};
use super::zst::ZstReader;
use crate::image::ImageError;
use crate::image::cases::sizes;
use crate::image::stage::SourceImage;
use crate::image::stage::tests::{STREAMS, bz2, gz, packers, silent, write, xz, zst};
use crate::station::outcome::Digest;
use crate::station::units::{Bytes, MIB, to_u64, to_usize};

const IMAGE: &[u8] = b"what stands in for an image, twice: what stands in for an image";

fn taken(directory: &Path, name: &str, packed: &[u8]) -> Result<Digest, ImageError> {
    SourceImage::open(&write(directory, name, packed))
        .and_then(|source| source.for_now(directory, &mut silent()))
        .map(|staged| staged.digest())
}

fn of(raw: &[u8]) -> Digest {
    Digest(*blake3::hash(raw).as_bytes())
}

#[test]
fn zeroes_behind_a_packed_image_fill_a_block_and_are_no_damage() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (packing, pack) in packers() {
        for zeroes in [1, 2, 512, 10_240, 200_000] {
            let padded = [pack(IMAGE), vec![0; zeroes]].concat();
            let digest = taken(directory.path(), "a", &padded).unwrap_or_else(|error| panic!("{packing}, {zeroes} zeroes: {error}"));
            assert_eq!(digest, of(IMAGE), "{packing}, {zeroes} zeroes");
        }
    }
}

/// gzip unpacks the first part and leaves out the second one, Python unpacks both: either result would be wrong for some users. Cutting off
/// the second part is not a cure.
#[test]
fn zeroes_between_two_parts_are_told_with_a_cure_that_loses_no_part() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for pack in [gz, bz2] {
        let first = pack(IMAGE);
        let apart = [&first[..], &[0; 512], &pack(IMAGE)].concat();
        let error = taken(directory.path(), "a", &apart).expect_err("who is right?");
        assert!(matches!(error, ImageError::Apart { end, zeroes: 512, .. } if end == to_u64(first.len())), "{error:?}");
        let words = error.to_string();
        assert!(words.contains("pack the raw image again") && !words.contains("truncate") && !words.contains("copy it again"), "{words}");
    }
}

#[test]
fn what_else_stands_behind_a_packed_image_is_told_with_its_place_and_length() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (packing, pack) in packers() {
        let packed = pack(IMAGE);
        for behind in [&b"X"[..], b"XY", b"nine more", &[0, 0, 0, 0, 7], &[b'X'; 100_000]] {
            let error = taken(directory.path(), "a", &[&packed[..], behind].concat()).expect_err("it goes on");
            let ImageError::GoesOn { end, more, .. } = &error else { panic!("{packing}: {error:?}") };
            assert_eq!((*end, *more), (to_u64(packed.len()), to_u64(behind.len())), "{packing}: {error}");
            assert!(error.to_string().contains(&format!("is followed by {} bytes", behind.len())), "{error}");
            assert!(!error.to_string().contains("damaged") && !error.to_string().contains("copy it again"), "{error}");
        }
    }
    for (packing, pack) in STREAMS {
        let whole = [pack(IMAGE), pack(IMAGE)].concat();
        let cut = taken(directory.path(), "a", &whole[..whole.len() - 1]).expect_err("the second is cut short");
        assert!(matches!(cut, ImageError::Truncated { .. }), "{packing}: {cut:?}");
    }
}

/// As `fwtool` of OpenWrt appends it: its contents, then 16 bytes.
fn openwrt(about: &[u8], kind: u8) -> Vec<u8> {
    let length = u32::try_from(about.len() + 16).expect("it is short");
    [about, b"FWx0", &[1, 2, 3, 4, kind, 0, 0, 0], &length.to_be_bytes()].concat()
}

#[test]
fn what_openwrt_adds_to_its_images_is_left_out() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let metadata = openwrt(b"\0\0\0\0\0\0\0\0{ \"metadata_version\": \"1.1\" }\n", 1);
    let signature = openwrt(b"# fake certificate", 0);
    for pack in [gz, xz, zst, bz2] {
        for added in [&metadata[..], &[&metadata[..], &signature].concat()] {
            assert_eq!(taken(directory.path(), "a", &[&pack(IMAGE)[..], added].concat()).expect("it is whole"), of(IMAGE));
        }
    }
}

#[test]
fn a_dictionary_that_is_not_here_is_told_by_its_number() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    // A frame whose header names dictionary 0x0102, and one block of one byte.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 2, (20 - 10) << 3, 2, 1, 9, 0, 0, 7];
    for packed in [frame.to_vec(), [zst(IMAGE), frame.to_vec()].concat()] {
        let error = taken(directory.path(), "a.img.zst", &packed).expect_err("its dictionary is not here");
        assert!(matches!(error, ImageError::Dictionary { id: 0x0102, .. }), "{error:?}");
        assert!(error.to_string().contains("packed with a dictionary (number 258), which is not here: pack it without `-D`"), "{error}");
    }
}

/// A `.xz` with a dictionary of this many MiB.
fn with_dictionary(mebibytes: u32) -> Vec<u8> {
    let mut options = liblzma::stream::LzmaOptions::new_preset(0).expect("a preset");
    options.dict_size(mebibytes << 20);
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma2(&options);
    let stream = liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc32).expect("an encoder");
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    std::io::Write::write_all(&mut encoder, IMAGE).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

/// A frame whose window is as large as this power of two, and one block of one byte nine times.
fn with_window(power: u8) -> Vec<u8> {
    vec![0x28, 0xb5, 0x2f, 0xfd, 0, (power - 10) << 3, 9 << 3 | 3, 0, 0, 7]
}

fn unxz(packed: &[u8], free: u64) -> std::io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    XzReader::new(packed, None, Share::of(Bytes(free)))?.read_to_end(&mut raw).map(|_| raw)
}

fn unzst(directory: &Path, packed: &[u8], free: u64) -> std::io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    let file = std::fs::File::open(write(directory, "a.zst", packed)).expect("it is there");
    ZstReader::new(file, Arc::new(AtomicU64::new(0)), Share::of(Bytes(free)))?.read_to_end(&mut raw).map(|_| raw)
}

#[test]
fn a_decoder_may_take_half_of_the_memory_that_is_free_and_who_needs_more_is_told_both_numbers() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    // The dictionary of 7-Zip's Ultra level from 192 MiB of memory on.
    assert_eq!(unxz(&with_dictionary(256), 600 * MIB).expect("there is room"), IMAGE);
    assert_eq!(unzst(directory.path(), &with_window(28), 600 * MIB).expect("there is room"), [7; 9]);
    // The memory for packers' defaults, and for `--long`, is available on a small PC, too.
    assert_eq!(unxz(&with_dictionary(64), 100 * MIB).expect("it always may"), IMAGE);
    assert_eq!(unzst(directory.path(), &with_window(27), 100 * MIB).expect("it always may"), [7; 9]);
    let needs = |error: std::io::Error, least: u64| {
        let Some(Beyond::Memory { needs: Some(needs), share }) = error.get_ref().and_then(|error| error.downcast_ref::<Beyond>()) else {
            panic!("{error:?}")
        };
        assert!((least..least + 2 * MIB).contains(&needs.0), "{needs:?}");
        *share
    };
    let share = needs(unxz(&with_dictionary(256), 500 * MIB).expect_err("too much"), 256 * MIB);
    assert_eq!((share.free, share.may), (Bytes(500 * MIB), Bytes(250 * MIB)));
    needs(unzst(directory.path(), &with_window(31), 500 * MIB).expect_err("too much"), 2048 * MIB);
    let error = explain(Path::new("a.xz"), 0, Beyond::Memory { needs: Some(Bytes(1 << 30)), share }.into());
    assert!(error.to_string().contains("takes 1.0 GB of memory, and 524.2 MB are free, of which 262.1 MB may be taken"), "{error}");
}

#[test]
fn parts_of_a_split_file_are_told_as_parts() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let packed = xz(&sizes::data(1));
    for name in ["a.img.xz.001", "a.img.xz.part1", "a.img.xz.aa"] {
        let error = taken(directory.path(), name, &packed[..packed.len() / 2]).expect_err("it is a part");
        assert!(matches!(error, ImageError::Part { .. }), "{name}: {error:?}");
    }
    let zip = deflated(IMAGE);
    let part = taken(directory.path(), "a.zip.001", &zip[..zip.len() - 30]).expect_err("it is a part");
    assert!(matches!(part, ImageError::Part { .. }), "{part:?}");
    // The first part of a split zip begins so, and has no end; the last begins anywhere, and its end record counts the parts.
    let first = taken(directory.path(), "a.z01", &[b"PK\x07\x08", &zip[..40]].concat()).expect_err("it is a part");
    let mut last = zip[20..].to_vec();
    let end = last.len() - 22;
    last[end + 4] = 2;
    last[end + 6] = 2;
    let last = taken(directory.path(), "a.zip", &last).expect_err("it is a part");
    for error in [first, last] {
        assert!(matches!(error, ImageError::SplitZip { .. }), "{error:?}");
        assert!(error.to_string().contains("zip -s 0"), "{error}");
    }
}

#[test]
fn a_zip_whose_comment_holds_the_signature_of_an_end_is_whole() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let commented = |comment: &[u8]| {
        let mut zip = deflated(IMAGE);
        let length = zip.len() - 2;
        zip[length..].copy_from_slice(&u16::try_from(comment.len()).expect("it is short").to_le_bytes());
        zip.extend(comment);
        zip
    };
    let zip = commented(b"made from PK\x05\x06 and more, longer than an end is");
    assert_eq!(taken(directory.path(), "a.zip", &zip).expect("it is whole"), of(IMAGE));
    let cut = taken(directory.path(), "a.zip", &zip[..zip.len() - 3]).expect_err("it is cut short");
    assert!(matches!(cut, ImageError::Truncated { .. } | ImageError::Damaged { .. }), "{cut:?}");
    // Like the end of the last of several disks.
    let zip = commented(b"PK\x05\x06\x02\0\x01\0 and more, longer than an end is");
    assert_eq!(taken(directory.path(), "a.zip", &zip).expect("it is whole"), of(IMAGE));
}

#[test]
fn a_zip_is_read_however_it_is_packed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let raw = sizes::data(2);
    // As in a `.lzma` with an end mark: in a zip, the five bytes of its properties follow a version and their length.
    let options = liblzma::stream::LzmaOptions::new_preset(1).expect("a preset");
    let stream = liblzma::stream::Stream::new_lzma_encoder(&options).expect("an encoder");
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    std::io::Write::write_all(&mut encoder, &raw).expect("memory can be written");
    let alone = encoder.finish().expect("memory can be written");
    let lzma = [&[24, 0, 5, 0], &alone[..5], &alone[13..]].concat();
    let methods = [("bzip2", 12, 0, bz2(&raw)), ("lzma", 14, 2, lzma), ("zstd", 93, 0, zst(&raw)), ("xz", 95, 0, xz(&raw))];
    for (name, method, flags, packed) in methods {
        let zip = with_method(&packed, &raw, method, flags);
        let digest = taken(directory.path(), "a.zip", &zip).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(digest, of(&raw), "{name}");
        let mut damaged = zip.clone();
        damaged[packed.len() / 2] ^= 0x20;
        let error = taken(directory.path(), "a.zip", &damaged).expect_err(name);
        assert!(matches!(error, ImageError::Damaged { .. } | ImageError::Truncated { .. }), "{name}: {error:?}");
    }
    // Packed by 7-Zip with `-mm=Deflate64`, as Windows packs files larger than 2 GiB.
    let deflate64 = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/packed/deflate64.zip");
    let staged = SourceImage::open(&deflate64).and_then(|source| source.for_now(directory.path(), &mut silent())).expect("it is whole");
    assert_eq!(staged.digest(), of(&sizes::data(3)));
}

#[test]
fn what_people_put_beside_an_image_does_not_count_and_what_counts_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let small: &[u8] = b"small";
    let beside =
        [("card.img.sha256", small), ("README", small), ("release/notes.txt", small), ("card.wic.bmap", small), ("card.img", IMAGE)];
    assert_eq!(taken(directory.path(), "a.zip", &zip_of(zip::CompressionMethod::STORE, &beside)).expect("one is the image"), of(IMAGE));
    let two = [("card.img", IMAGE), ("other.img", small)];
    let error = taken(directory.path(), "a.zip", &zip_of(zip::CompressionMethod::STORE, &two)).expect_err("which?").to_string();
    assert!(error.contains("holds 2 files that could be the image (\"card.img\", \"other.img\")"), "{error}");
    let none = [("readme.txt", small), (".DS_Store", small)];
    let error = taken(directory.path(), "a.zip", &zip_of(zip::CompressionMethod::STORE, &none)).expect_err("no image").to_string();
    assert!(error.contains("holds 0 files that could be the image; in it is \"readme.txt\", \".DS_Store\""), "{error}");
    let large = vec![7; to_usize(MIB)];
    let text = [("card.txt", &large[..])];
    assert_eq!(taken(directory.path(), "a.zip", &zip_of(zip::CompressionMethod::STORE, &text)).expect("it is large"), of(&large));
}

/// A zip of one deflated file of 4.25 GiB, as macOS makes it: numbers that do not fit 32 bits are cut, and nothing marks that.
fn as_finder_packs() -> Vec<u8> {
    const PART: u64 = 64 * MIB;
    const PARTS: u64 = 68;
    let mut compress = flate2::Compress::new(flate2::Compression::fast(), false);
    let (zeroes, mut part) = (vec![0; to_usize(PART)], Vec::with_capacity(to_usize(MIB)));
    compress.compress_vec(&zeroes, &mut part, flate2::FlushCompress::Full).expect("there is room");
    assert_eq!(compress.total_in(), PART);
    let (mut crc, mut all) = (flate2::Crc::new(), flate2::Crc::new());
    crc.update(&zeroes);
    let mut deflated = Vec::new();
    for _ in 0..PARTS {
        deflated.extend(&part);
        all.combine(&crc);
    }
    // An empty last block, by fixed codes (RFC 1951, 3.2.6).
    deflated.extend([3, 0]);
    let mut zip = with_method(&deflated, b"", 8, 0);
    let directory = zip.len() - 22 - 46 - "my-pi3.img".len();
    zip[directory + 16..directory + 20].copy_from_slice(&all.sum().to_le_bytes());
    zip[directory + 24..directory + 28].copy_from_slice(&u32::try_from(PART * PARTS % (1 << 32)).expect("cut").to_le_bytes());
    zip
}

#[test]
fn a_zip_of_macos_with_a_file_of_more_than_4_gib_is_whole() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let read = |zip: &[u8]| {
        let path = write(directory.path(), "a.zip", zip);
        let mut opened = Opened::open(&path)?;
        let (mut length, mut buffer) = (0, vec![0; to_usize(MIB)]);
        loop {
            match opened.fill(&path, Bytes(length), &mut buffer)? {
                0 => return Ok(length),
                count => length += to_u64(count),
            }
        }
    };
    let mut zip = as_finder_packs();
    assert_eq!(read(&zip).expect("it is whole"), 68 * 64 * MIB);
    // One byte less than stated, also below 4 GiB: that is damage.
    let size = zip.len() - 22 - 46 - "my-pi3.img".len() + 24;
    zip[size] ^= 1;
    let error: ImageError = read(&zip).expect_err("another size");
    assert!(matches!(error, ImageError::Damaged { .. }), "{error:?}");
}
