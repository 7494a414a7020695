//! Staging: unpacks and hashes an image once and keeps the raw copy under its digest, where it never changes again.
//!
//! ```text
//! STORE/<blake3>.img    raw, sparse by content, read-only, renamed into place after fsync; locked while in use, its mtime the last use
//! STORE/<blake3>.json   its map and extents, and the source files it was made from
//! ```
//! A source file that is unchanged (device, inode, length, mtime, ctime) since it was staged is not unpacked again.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::extents::Extents;
pub use super::intake::StagingProgress;
use super::intake::{Keep, TakenIn, take_in};
use super::layout::{FIRST_BYTES, Layout};
use super::map::{PieceMap, PieceValue, ZeroValues};
use super::packing::Opened;
use super::{ImageError, Staged, store};
use crate::file::FileVersion;
use crate::station::outcome::Digest;
use crate::station::units::{Bytes, to_usize};

/// Beginnings of the names of incomplete files: images, sidecars.
const UNFINISHED: [&str; 2] = [".staging-", ".sidecar-"];
/// Every user may read a staged image, and none may write to it.
const READ_ONLY: u32 = 0o444;

/// Unpacks `source` into the directory `store`, or finds it there.
///
/// # Errors
/// If the source cannot be read completely, or the copy cannot be written. No incomplete file stays in the store.
pub fn stage(source: &Path, store: &Path, progress: &mut dyn StagingProgress) -> Result<Staged, ImageError> {
    stage_after(|_source| Ok(()), source, store, progress)
}

/// The same, but fails at once if its first bytes show that it is not a disk image: that saves the minutes that unpacking would take.
///
/// # Errors
/// As for [`stage`], and the kind of file that it is instead.
pub(crate) fn stage_disk_image(source: &Path, store: &Path, progress: &mut dyn StagingProgress) -> Result<Staged, ImageError> {
    stage_after(SourceImage::refuse_at_sight, source, store, progress)
}

fn stage_after(
    look: impl FnOnce(&mut SourceImage) -> Result<(), ImageError>,
    source: &Path,
    store: &Path,
    progress: &mut dyn StagingProgress,
) -> Result<Staged, ImageError> {
    fs::create_dir_all(store).map_err(|error| ImageError::Store { path: store.to_owned(), source: error })?;
    let identity = settled(source)?;
    if let Some(found) = find(store, source, &identity) {
        found.note_use();
        return Ok(found);
    }
    let mut source = SourceImage::open_as(source, identity)?;
    look(&mut source)?;
    store::make_room(store, least_needed(&source.path)?)?;
    let stored = |error| ImageError::Store { path: store.to_owned(), source: error };
    let copy = tempfile::Builder::new().prefix(UNFINISHED[0]).tempfile_in(store).map_err(stored)?;
    let read = source.read(Keep::Durably(copy.as_file()), store, progress)?;
    let digest = read.map.root();
    let path = store.join(format!("{digest}.img"));
    copy.as_file().set_len(read.map.span().0).map_err(stored)?;
    copy.as_file().set_permissions(Permissions::from_mode(READ_ONLY)).map_err(stored)?;
    copy.as_file().sync_all().map_err(stored)?;
    // Locked before it gets its name, so that no process treats it as unused.
    copy.as_file().lock_shared().map_err(stored)?;
    let written = copy.persist(&path).map_err(|error| ImageError::Store { path: path.clone(), source: error.error })?;
    let sidecar = store.join(format!("{digest}.json"));
    Sidecar::new(&read.map, &read.extents, source.version, Sidecar::read(&sidecar)).write(&sidecar).map_err(stored)?;
    File::open(store).and_then(|directory| directory.sync_all()).map_err(stored)?;
    let file = store::open(&path).ok_or_else(|| ImageError::Store { path: path.clone(), source: io::ErrorKind::NotFound.into() })?;
    drop(written);
    store::note_use(&file, store);
    let staged = Staged::new(file, path, &source.path, read.map, read.extents, read.layout, read.zeroes)?;
    if let Err(error) = staged.compare() {
        // Otherwise the next start would find and arm it without reading its bytes.
        store::discard(&staged.path);
        return Err(error);
    }
    Ok(staged)
}

/// The staged copy of `source`, if the store already has it.
#[must_use]
pub(crate) fn find_staged(source: &Path, store: &Path) -> Option<Staged> {
    let found = find(store, source, &settled(source).ok()?)?;
    found.note_use();
    Some(found)
}

/// The least space for a copy of `source`: a packed file is hardly ever longer than its contents, and a raw one may have holes.
fn least_needed(source: &Path) -> Result<Bytes, ImageError> {
    let metadata = fs::metadata(source).map_err(|error| ImageError::Open { path: source.to_owned(), source: error })?;
    Ok(Bytes((metadata.blocks() * 512).min(metadata.len())))
}

/// A source file that was opened once, with its kind and its version.
#[derive(Debug)]
pub struct SourceImage {
    path: PathBuf,
    /// Identified before it was opened, so that a replacement in between is noticed.
    version: FileVersion,
    opened: Opened,
}

impl SourceImage {
    /// Opens it.
    ///
    /// # Errors
    /// If it cannot be opened, or is not a file that can contain an image.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        Self::open_as(path, settled(path)?)
    }

    fn open_as(path: &Path, version: FileVersion) -> Result<Self, ImageError> {
        Ok(Self { path: path.to_owned(), version, opened: Opened::open(path)? })
    }

    /// Refuses a file whose first bytes show that it is not a disk image.
    ///
    /// # Errors
    /// If it cannot be read, or is not a disk image.
    pub(crate) fn refuse_at_sight(&mut self) -> Result<(), ImageError> {
        self.opened.refuse_at_sight(&self.path)
    }

    /// Are the file's bytes those of the image?
    #[must_use]
    pub(crate) fn is_raw(&self) -> bool {
        self.opened.packing.is_raw()
    }

    /// Uses a raw image in its place: hashed, not copied. For `flashline flash`, which writes it now. If the file changes later, the
    /// read-back detects it, because the card is compared with the map made here.
    ///
    /// # Errors
    /// If it cannot be read, or is packed.
    pub fn in_place(mut self, progress: &mut dyn StagingProgress) -> Result<Staged, ImageError> {
        let path = self.path.clone();
        let read = self.read(Keep::Nothing, &path, progress)?;
        let packed = || ImageError::Open { path: path.clone(), source: io::Error::new(io::ErrorKind::InvalidInput, "it is packed") };
        let file = self.opened.into_raw().ok_or_else(packed)?;
        Staged::new(file, path.clone(), &path, read.map, read.extents, read.layout, read.zeroes)
    }

    /// Unpacks into a file without a name in `directory`, which disappears with the value or the process.
    ///
    /// # Errors
    /// If it cannot be read completely, or the copy cannot be written.
    pub fn for_now(mut self, directory: &Path, progress: &mut dyn StagingProgress) -> Result<Staged, ImageError> {
        let stored = |error| ImageError::Store { path: directory.to_owned(), source: error };
        let file = tempfile::tempfile_in(directory).map_err(stored)?;
        let read = self.read(Keep::Copy(&file), directory, progress)?;
        file.set_len(read.map.span().0).map_err(stored)?;
        let staged = Staged::new(file, self.path.clone(), &self.path, read.map, read.extents, read.layout, read.zeroes)?;
        staged.compare()?;
        Ok(staged)
    }

    fn read(&mut self, keep: Keep<'_>, place: &Path, progress: &mut dyn StagingProgress) -> Result<TakenIn, ImageError> {
        let read = take_in(&self.path, &mut self.opened, keep, place, progress);
        unchanged(&self.path, &self.version, read)
    }
}

/// Removes the files that a killed staging left in `store`. Call it only if no other program stages there.
pub(crate) fn sweep(store: &Path) {
    let Ok(entries) = fs::read_dir(store) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let unfinished = UNFINISHED.iter().any(|prefix| name.to_str().is_some_and(|name| name.starts_with(prefix)));
        if unfinished && let Err(error) = fs::remove_file(entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "an unfinished staged image stays");
        }
    }
}

/// The result counts only if the file behind the path is still the same: not written to, and not replaced by another. A decoder's error
/// about a file that changed meanwhile is irrelevant.
fn unchanged(source: &Path, identity: &FileVersion, read: Result<TakenIn, ImageError>) -> Result<TakenIn, ImageError> {
    match read {
        Err(error @ (ImageError::Store { .. } | ImageError::NoRoom { .. } | ImageError::NoScratch { .. } | ImageError::Thread { .. })) => {
            Err(error)
        }
        _ if version(source).ok().as_ref() != Some(identity) => Err(ImageError::Changed { path: source.to_owned() }),
        read => read,
    }
}

/// A file system's clock may stand still for a tick of the kernel, at most 10 ms: two writes within one have the same times.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// Waits until a later write cannot have the same times as the one before.
fn settled(path: &Path) -> Result<FileVersion, ImageError> {
    version(path)?.rest(CLOCK_TICK);
    version(path)
}

fn version(path: &Path) -> Result<FileVersion, ImageError> {
    FileVersion::of(path).map_err(|source| ImageError::Open { path: path.to_owned(), source })
}

/// The contents of the file beside a staged image.
#[derive(Debug, Serialize, Deserialize)]
struct Sidecar {
    version: u32,
    span: u64,
    /// BLAKE3 subtree values, in hexadecimal.
    pieces: Vec<String>,
    /// Runs of data: first byte, and the byte behind the last.
    data: Vec<(u64, u64)>,
    sources: Vec<FileVersion>,
}

/// Limit of sources that are remembered for one image: a few copies, not every download.
const SOURCES: usize = 16;

/// A sidecar of another version is not read; its image is staged again.
const SIDECAR_VERSION: u32 = 2;

impl Sidecar {
    /// Two sources may contain the same image: both are kept, the newest last.
    fn new(map: &PieceMap, extents: &Extents, source: FileVersion, before: Option<Self>) -> Self {
        let pieces: Vec<String> = map.values().iter().map(|value| Digest(*value).to_string()).collect();
        let data = extents.data().iter().map(|range| (range.start, range.end)).collect();
        // A sidecar for another image does not know this one's sources.
        let before = before.filter(|before| before.span == map.span().0 && before.pieces == pieces);
        let mut sources = before.map(|before| before.sources).unwrap_or_default();
        sources.retain(|known| !known.is_same_file(&source));
        sources.drain(..sources.len().saturating_sub(SOURCES - 1));
        sources.push(source);
        Self { version: SIDECAR_VERSION, span: map.span().0, pieces, data, sources }
    }

    fn read(path: &Path) -> Option<Self> {
        let sidecar: Self = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (sidecar.version == SIDECAR_VERSION).then_some(sidecar)
    }

    /// Replaces the file atomically, so that no reader sees half of it.
    fn write(&self, path: &Path) -> io::Result<()> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().prefix(UNFINISHED[1]).tempfile_in(directory)?;
        serde_json::to_writer(file.as_file(), self)?;
        file.as_file().set_permissions(Permissions::from_mode(READ_ONLY))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    fn extents(&self) -> Option<Extents> {
        Extents::new(self.data.iter().map(|(start, end)| *start..*end).collect(), Bytes(self.span))
    }

    fn map(&self) -> Option<PieceMap> {
        let values: Option<Vec<PieceValue>> = self.pieces.iter().map(|text| parse_value(text)).collect();
        PieceMap::new(Bytes(self.span), values?)
    }
}

fn parse_value(text: &str) -> Option<PieceValue> {
    blake3::Hash::from_hex(text).ok().map(|hash| *hash.as_bytes())
}

/// A staged copy that was made from exactly this source file, and whose map leads to the digest in its name.
fn find(store: &Path, source: &Path, identity: &FileVersion) -> Option<Staged> {
    fs::read_dir(store).ok()?.filter_map(Result::ok).find_map(|entry| {
        let sidecar_path = entry.path();
        if sidecar_path.extension()? != "json" {
            return None;
        }
        let sidecar = Sidecar::read(&sidecar_path)?;
        if !sidecar.sources.contains(identity) {
            return None;
        }
        let (map, extents) = (sidecar.map()?, sidecar.extents()?);
        let path: PathBuf = sidecar_path.with_extension("img");
        let file = store::open(&path)?;
        let intact = sidecar_path.file_stem()?.to_str()? == map.root().to_string() && file.metadata().ok()?.len() == map.span().0;
        let mut first = vec![0; to_usize(map.span().0.min(FIRST_BYTES))];
        file.read_exact_at(&mut first, 0).ok()?;
        let layout = Layout::of(&first, map.span());
        let zeroes = ZeroValues::new(map.len());
        intact.then(|| Staged::new(file, path, source, map, extents, layout, zeroes).ok()).flatten()
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::super::map::PIECE;
    use super::*;
    use crate::image::packing::zip::tests::{deflated, stored, zip64};
    use crate::station::units::to_u64;

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
}
