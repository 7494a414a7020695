//! The promises of staging, with one test for each, and packed images for the tests of others.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{READ_ONLY, SourceImage, StagingProgress, stage, sweep};
use crate::image::map::PIECE;
use crate::image::packing::zip::tests::{deflated, stored, zip64};
use crate::image::{ImageError, Staged};
use crate::station::outcome::Digest;
use crate::station::units::{Bytes, to_u64, to_usize};

/// Two data runs in a mostly empty image that ends in the middle of a block.
fn sample() -> Vec<u8> {
    let mut raw = vec![0; 3 * to_usize(PIECE) + 100];
    raw[10..20].fill(1);
    let tail = raw.len() - 7;
    raw[tail..].fill(9);
    raw
}

pub(in crate::image) fn write(directory: &Path, name: &str, contents: &[u8]) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, contents).expect("a temporary directory can be written");
    path
}

pub(in crate::image) fn xz(raw: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(raw).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

/// As `xz -T` packs it: blocks with their lengths, which may be unpacked in parallel.
fn blocks(raw: &[u8]) -> Vec<u8> {
    let mut builder = liblzma::stream::MtStreamBuilder::new();
    let stream = builder.threads(1).preset(0).block_size(64 << 10).check(liblzma::stream::Check::Crc64).encoder();
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream.expect("an encoder"));
    encoder.write_all(raw).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

pub(in crate::image) fn gz(raw: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(raw).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

/// With the checksum that the command `zstd` adds, too.
pub(in crate::image) fn zst(raw: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("memory can be had");
    encoder.include_checksum(true).expect("zstd has checksums");
    encoder.write_all(raw).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

const SKIPPED: [u8; 11] = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];

/// As `pzstd` writes it: a frame to be skipped comes first.
fn skippable(raw: &[u8]) -> Vec<u8> {
    [&SKIPPED, &zst(raw)[..]].concat()
}

/// As `pzstd` writes several: each behind its length. Cut right between two, such a file is complete by the format.
fn frames(raw: &[u8]) -> Vec<u8> {
    let frames = |part: &[u8]| [&SKIPPED, &zst(part)[..]].concat();
    if raw.is_empty() { frames(raw) } else { raw.chunks(70_001).flat_map(frames).collect() }
}

pub(in crate::image) fn bz2(raw: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(raw).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

pub(in crate::image) type Packer = fn(&[u8]) -> Vec<u8>;

/// Packings whose files may be concatenated.
pub(in crate::image) const STREAMS: [(&str, Packer); 7] = [
    ("xz", xz),
    ("xz of blocks", blocks),
    ("gz", gz),
    ("zst", zst),
    ("skippable zst", skippable),
    ("skippable zst of frames", frames),
    ("bz2", bz2),
];
const ZIPS: [(&str, Packer); 3] = [("deflated zip", deflated), ("stored zip", stored), ("zip64", zip64)];

pub(in crate::image) fn packers() -> impl Iterator<Item = (&'static str, Packer)> {
    STREAMS.into_iter().chain(ZIPS)
}

/// Numbers that no packer makes shorter.
fn noise(words: u32) -> Vec<u8> {
    (0..words).flat_map(|word| word.wrapping_mul(2_654_435_761).rotate_left(word % 31).to_le_bytes()).collect()
}

pub(in crate::image) fn silent() -> impl StagingProgress {
    |_: Bytes, _: Bytes| {}
}

#[test]
fn a_packed_and_a_raw_image_are_staged_as_the_same_bytes_under_the_same_digest() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("images");
    let raw = sample();
    let digest = Digest(*blake3::hash(&raw).as_bytes());
    assert_eq!(stage(&write(directory.path(), "a.raw", &raw), &store, &mut silent()).expect("a good image").digest(), digest);
    for (packing, pack) in packers() {
        let source = write(directory.path(), "a.img", &pack(&raw));
        let staged = stage(&source, &directory.path().join(packing), &mut silent()).expect("a good image");
        assert_eq!(staged.digest(), digest, "{packing}");
        assert_eq!(fs::read(staged.path()).expect("it can be read"), raw, "{packing}");
        let metadata = fs::metadata(staged.path()).expect("it is there");
        assert_eq!(metadata.permissions().mode() & 0o777, READ_ONLY);
        assert!(metadata.blocks() * 512 < to_u64(raw.len()), "zeroes are holes");
    }
}

#[test]
fn packed_parts_one_behind_another_are_one_image() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("images");
    for (packing, pack) in STREAMS {
        let parts = [pack(b"one "), pack(b""), pack(b"image")].concat();
        let staged = stage(&write(directory.path(), "parts", &parts), &store, &mut silent()).expect("a good image");
        assert_eq!(fs::read(staged.path()).expect("it can be read"), b"one image", "{packing}");
    }
}

#[test]
fn an_unchanged_source_is_found_again_and_a_changed_one_is_staged_anew() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("images");
    let source = write(directory.path(), "a.img.xz", &xz(&sample()));
    let first = stage(&source, &store, &mut silent()).expect("a good image").digest();
    let mut read = 0;
    let again = stage(&source, &store, &mut |_: Bytes, _: Bytes| read += 1).expect("a good image");
    assert_eq!((again.digest(), read), (first, 0), "nothing was unpacked");
    assert_eq!(again.layout(), stage(&source, &store, &mut silent()).expect("a good image").layout());
    let mut other = sample();
    other[0] = 1;
    fs::write(&source, xz(&other)).expect("a temporary directory can be written");
    assert_eq!(stage(&source, &store, &mut silent()).expect("a good image").digest(), Digest(*blake3::hash(&other).as_bytes()));
}

#[test]
fn a_packed_image_damaged_in_its_first_byte_is_not_taken_for_a_raw_one() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("images");
    let mut packed = xz(&sample());
    packed[0] ^= 1;
    let error = stage(&write(directory.path(), "a.img.xz", &packed), &store, &mut silent()).expect_err("it is damaged");
    assert!(matches!(error, ImageError::NotAsNamed { .. }), "{error:?}");
}

#[test]
fn files_of_two_images_exchanged_in_the_store_are_never_taken_for_each_other() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("images");
    let mut other = sample();
    other[0] = 1;
    let sources = [write(directory.path(), "a.img", &sample()), write(directory.path(), "b.img", &other)];
    let staged = || sources.each_ref().map(|source| stage(source, &store, &mut silent()).expect("a good image").digest());
    let digests = staged();
    for endings in [&["img", "json"][..], &["json"], &["img"]] {
        for ending in endings {
            let [one, two] = digests.map(|digest| store.join(format!("{digest}.{ending}")));
            let spare = store.join("spare");
            fs::rename(&one, &spare).and_then(|()| fs::rename(&two, &one)).and_then(|()| fs::rename(&spare, &two)).expect("renamed");
        }
        for _ in 0..2 {
            assert_eq!(staged(), digests, "{endings:?}: each source is the image it holds");
        }
    }
}

#[test]
fn two_sources_of_one_image_are_both_found_again() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("images");
    let sources = ["a.img", "b.img"].map(|name| write(directory.path(), name, &sample()));
    for source in &sources {
        stage(source, &store, &mut silent()).expect("a good image");
    }
    for source in &sources {
        let mut read = 0;
        stage(source, &store, &mut |_: Bytes, _: Bytes| read += 1).expect("a good image");
        assert_eq!(read, 0, "{} was not read again", source.display());
    }
}

#[test]
fn an_image_that_is_still_being_copied_is_not_taken() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("images");
    let source = write(directory.path(), "a.img", &sample());
    let growing = source.clone();
    let mut grow = move |_: Bytes, _: Bytes| {
        let mut file = fs::OpenOptions::new().append(true).open(&growing).expect("it is there");
        file.write_all(b"more").expect("it can be written");
    };
    let error = stage(&source, &store, &mut grow).expect_err("it changed");
    assert!(matches!(error, ImageError::Changed { .. }), "{error:?}");
}

#[test]
fn the_file_that_was_looked_at_is_the_file_that_is_used() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = write(directory.path(), "a.img", &sample());
    let replaced = |use_it: &dyn Fn(SourceImage) -> Result<Staged, ImageError>| {
        let mut source = SourceImage::open(&path).expect("it is there");
        source.refuse_at_sight().expect("it is no other format");
        fs::rename(write(directory.path(), "b.img", &noise(5000)), &path).expect("one directory");
        use_it(source)
    };
    for error in [
        replaced(&|source| source.in_place(&mut silent())).expect_err("another file bears its name"),
        replaced(&|source| source.for_now(directory.path(), &mut silent())).expect_err("another file bears its name"),
    ] {
        assert!(matches!(error, ImageError::Changed { .. }), "{error:?}");
    }
}

#[test]
fn what_was_looked_at_is_taken_in_as_well() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    // Shorter than the first look, as long, and longer than a piece.
    for words in [175, 1 << 18, u32::try_from(PIECE / 4).expect("it is small") + 175] {
        let raw = noise(words);
        for (name, contents) in [("a.img", raw.clone()), ("a.img.xz", xz(&raw))] {
            let mut source = SourceImage::open(&write(directory.path(), name, &contents)).expect("it can be read");
            source.refuse_at_sight().expect("it is no other format");
            let staged = if source.is_raw() { source.in_place(&mut silent()) } else { source.for_now(directory.path(), &mut silent()) };
            assert_eq!(staged.expect("a good image").digest().0, *blake3::hash(&raw).as_bytes(), "{name} of {words} words");
        }
    }
}

type Disturb<'d> = &'d dyn Fn(&Path);

/// A change to a source while it is read, and the allowed results.
fn staged_while(contents: &[u8], name: &str, disturb: impl Fn(&Path)) -> (Result<Staged, ImageError>, usize) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("images");
    let source = write(directory.path(), name, contents);
    let mut once = Some(disturb);
    let mut progress = |_: Bytes, _: Bytes| {
        if let Some(disturb) = once.take() {
            disturb(&source);
        }
    };
    let staged = stage(&source, &store, &mut progress);
    let source = SourceImage::open(&write(directory.path(), "other", contents)).expect("it is there");
    let for_now = source.for_now(directory.path(), &mut silent());
    assert!(for_now.is_ok(), "an undisturbed source is taken");
    (staged, fs::read_dir(&store).expect("it is there").count())
}

#[test]
fn no_image_is_half_old_and_half_new_whatever_replaces_its_source_meanwhile() {
    let (old, new) = (noise(4_000_000), noise(4_000_001)[4..].to_vec());
    assert_eq!(old.len(), new.len());
    let sources = [("raw", "a.img", old.clone(), new.clone()), ("xz", "a.img.xz", blocks(&old), blocks(&new))];
    for (packing, name, before, after) in sources {
        let renamed = |source: &Path| {
            let other = source.with_extension("new");
            fs::write(&other, &after).expect("it can be written");
            fs::rename(&other, source).expect("it can be renamed");
        };
        let overwritten = |source: &Path| {
            let file = fs::OpenOptions::new().write(true).open(source).expect("it is there");
            file.write_all_at(&after, 0).expect("it can be written");
        };
        let cut = |source: &Path| {
            let file = fs::OpenOptions::new().write(true).open(source).expect("it is there");
            file.set_len(5_000_000).expect("it can be cut");
        };
        let removed = |source: &Path| fs::remove_file(source).expect("it can be removed");
        let ways: [(&str, Disturb<'_>); 4] =
            [("renamed over", &renamed), ("overwritten", &overwritten), ("cut", &cut), ("removed", &removed)];
        for (way, disturb) in ways {
            let (staged, kept) = staged_while(&before, name, disturb);
            assert!(matches!(staged, Err(ImageError::Changed { .. })), "{packing} {way}: {staged:?}");
            assert_eq!(kept, 0, "{packing} {way}: nothing half-made stays");
        }
    }
}

#[test]
fn a_source_replaced_behind_its_staging_is_staged_anew_and_the_staged_copy_stays_what_it_was() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("images");
    let source = write(directory.path(), "a.img", &sample());
    let before = stage(&source, &store, &mut silent()).expect("a good image");
    let mut other = sample();
    other[11] = 77;
    let file = fs::OpenOptions::new().write(true).open(&source).expect("it is there");
    file.write_all_at(&other, 0).expect("it can be written");
    let after = stage(&source, &store, &mut silent()).expect("a good image");
    assert_ne!(before.digest(), after.digest());
    assert_eq!(blake3::hash(&fs::read(before.path()).expect("it is there")).as_bytes(), &before.digest().0);
}

#[test]
fn what_a_killed_staging_left_is_swept_away_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("images");
    let staged = stage(&write(directory.path(), "a.img", &sample()), &store, &mut silent()).expect("a good image");
    write(&store, ".staging-abc", b"half");
    write(&store, ".sidecar-abc", b"half");
    sweep(&store);
    assert_eq!(fs::read_dir(&store).expect("it is there").count(), 2);
    assert!(staged.path().exists());
}

#[test]
fn a_packed_image_cut_short_or_damaged_is_named_with_its_place_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("images");
    let raw = noise(600_000);
    let staged = |contents: &[u8]| {
        let error = stage(&write(directory.path(), "a.img", contents), &store, &mut silent()).expect_err("it is not whole");
        assert_eq!(fs::read_dir(&store).expect("it is there").count(), 0, "no half-made copy stays");
        error
    };
    for (packing, pack) in packers() {
        let packed = pack(&raw);
        for cut in [13, 1000, packed.len() / 2, packed.len() - 1] {
            let error = staged(&packed[..cut]);
            assert!(matches!(error, ImageError::Truncated { .. }), "{packing} cut at {cut}: {error:?}");
        }
        let mut flipped = packed.clone();
        flipped[packed.len() / 2] ^= 0x10;
        let error = staged(&flipped);
        let ImageError::Damaged { at, .. } = error else { panic!("{packing} flipped: {error:?}") };
        assert!((1..=to_u64(raw.len())).contains(&at), "{packing} is good until byte {at}");
    }
    for (packing, pack) in STREAMS {
        let packed = pack(&raw);
        let error = staged(&packed[..packed.len() / 2]);
        let ImageError::Truncated { at, .. } = error else { panic!("{packing} halved: {error:?}") };
        assert!((1..to_u64(raw.len())).contains(&at), "{packing} ends at byte {at}");
    }
}

#[test]
fn no_piece_of_a_packed_image_and_nothing_added_to_it_is_an_image() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("images");
    let staged = |contents: &[u8]| stage(&write(directory.path(), "a.img", contents), &store, &mut silent());
    for (packing, pack) in packers() {
        let packed = pack(b"a small image");
        for cut in 1..packed.len() {
            let error = staged(&packed[..cut]).expect_err("it is cut short");
            // A frame to be skipped with nothing behind it is complete, and empty.
            let empty = packing.starts_with("skippable zst") && cut == SKIPPED.len() && matches!(error, ImageError::Empty { .. });
            assert!(empty || matches!(error, ImageError::Truncated { .. }), "{packing} cut at {cut}: {error:?}");
        }
        for trailing in [&b"s"[..], b"something else", &packed[..1], &packed[..packed.len() - 1]] {
            let error = staged(&[&packed[..], trailing].concat()).expect_err("it goes on as something else");
            let refused = matches!(error, ImageError::GoesOn { .. } | ImageError::Truncated { .. });
            // Two zips are not a zip, whatever their places.
            assert!(refused || packing.contains("zip") && matches!(error, ImageError::Damaged { .. }), "{packing}: {error:?}");
        }
        assert_eq!(fs::read_dir(&store).expect("it is there").count(), 0, "no half-made copy stays");
    }
}

#[test]
fn an_empty_image_a_missing_one_and_a_directory_are_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("images");
    let at = |name: &str, contents: &[u8]| stage(&write(directory.path(), name, contents), &store, &mut silent());
    assert!(matches!(at("empty.img", b""), Err(ImageError::Empty { .. })));
    for (packing, pack) in packers() {
        assert!(matches!(at("a.img", &pack(b"")), Err(ImageError::Empty { .. })), "{packing}");
    }
    assert!(matches!(stage(&directory.path().join("none"), &store, &mut silent()), Err(ImageError::Open { .. })));
    assert!(matches!(stage(directory.path(), &store, &mut silent()), Err(ImageError::NotAFile { .. })));
}

#[test]
fn what_lies_behind_the_end_of_the_image_is_zeroes_not_the_buffers_past() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let staged = SourceImage::open(&write(directory.path(), "a.img", &[5; 700]))
        .and_then(|source| source.in_place(&mut silent()))
        .expect("a good image");
    let mut buffer = [0xee; 1024];
    staged.read_padded(Bytes(0), &mut buffer).expect("it can be read");
    assert_eq!(buffer[..700], [5; 700]);
    assert_eq!(buffer[700..], [0; 324]);
}
