//! The fuzz targets, each a function of the bytes of the fuzzer. The tests of the station compile this file, too, and run the functions on
//! the corpora (`tests/inspect/corpus.rs`), so that a change of what the targets use is noticed without a fuzzer.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use flashline::image::inspect::window::Medium;
use flashline::image::inspect::{Wanted, fuzzing, inspect_medium};
use flashline::image::packing::Opened;
use flashline::station::allowed::Allowed;
use flashline::station::units::Bytes;
use snap_assertions::trust::Trust;

const BLOCK: usize = 4096;

/// Partition tables. The checksum of the header is corrected, so that the code behind it is reached.
pub fn table(bytes: &[u8]) {
    let mut image = bytes.to_vec();
    image.resize(64 << 10, 0);
    let _answer = fuzzing::table(image.clone());
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    image[450] = 0xee;
    image[512..520].copy_from_slice(b"EFI PART");
    image[520..528].copy_from_slice(&[0, 0, 1, 0, 92, 0, 0, 0]);
    image[528..532].fill(0);
    let mut crc = u32::MAX;
    for byte in &image[512..604] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    image[528..532].copy_from_slice(&(!crc).to_le_bytes());
    let _answer = fuzzing::table(image);
}

/// The text of `seed.yaml`.
pub fn seed_yaml(bytes: &[u8]) {
    let _answer = fuzzing::seed_yaml(bytes);
}

/// The file system inside a snap.
pub fn snap(bytes: &[u8]) {
    let _answer = fuzzing::snap(bytes.to_vec());
}

thread_local! {
    static SHARED: OnceCell<(Vec<Image>, Wanted)> = const { OnceCell::new() };
}

/// Whole images with changes in their used blocks: tables, FAT, ext4, the seed, its snaps.
pub fn image(bytes: &[u8]) {
    let Some((which, changes)) = bytes.split_first() else { return };
    SHARED.with(|shared| {
        let (images, wanted) = shared.get_or_init(|| (["uc18-pi", "uc22-amd64", "uc16-amd64"].map(Image::read).to_vec(), wanted()));
        let image = images[usize::from(*which) % images.len()].changed(changes);
        let page = inspect_medium(Rc::new(image), wanted).expect("memory can be read");
        assert!(!page.verdicts.is_empty(), "the page has a verdict");
    });
}

/// The path of a file or directory of the fixtures, from the package of the targets or of the station.
fn data(name: &str) -> PathBuf {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    packages.map(|package| package.join("tests/data/snap")).find(|data| data.is_dir()).expect("the fixtures are there").join(name)
}

/// The used blocks of an image.
#[derive(Clone)]
struct Image {
    length: u64,
    blocks: Arc<BTreeMap<u64, Vec<u8>>>,
    changes: Vec<(u64, u8)>,
}

impl Image {
    fn read(name: &str) -> Self {
        let path = data("images").join(format!("{name}.img.xz"));
        let mut opened = Opened::open(&path).expect("the image is there");
        let mut blocks = BTreeMap::new();
        let mut at = 0;
        loop {
            let mut block = vec![0; BLOCK];
            let count = opened.fill(&path, Bytes(at), &mut block).expect("it can be unpacked");
            if block.iter().any(|byte| *byte != 0) {
                blocks.insert(at, block);
            }
            at += to_u64(count);
            if count < BLOCK {
                return Self { length: at, blocks: Arc::new(blocks), changes: Vec::new() };
            }
        }
    }

    /// Seven bytes per change: the used block, the place in it, how many bytes, and the first byte with its step. One more cuts it short.
    fn changed(&self, by: &[u8]) -> Self {
        let mut image = self.clone();
        let places: Vec<u64> = self.blocks.keys().copied().collect();
        let (changes, rest) = by.as_chunks::<7>();
        for [a, b, c, d, count, byte, step] in changes.iter().take(64) {
            let block = places[usize::from(u16::from_le_bytes([*a, *b])) % places.len()];
            let offset = u64::from(u16::from_le_bytes([*c, *d])) % to_u64(BLOCK);
            for index in 0..=count % 8 {
                image.changes.push((block + offset + u64::from(index), byte.wrapping_add(step.wrapping_mul(index))));
            }
        }
        if let [eighths, _, ..] = rest {
            image.length = image.length / 256 * (u64::from(*eighths) + 1);
        }
        image
    }
}

impl Medium for Image {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let end = at + to_u64(into.len());
        if end > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        into.fill(0);
        for (start, block) in self.blocks.range(at.saturating_sub(to_u64(BLOCK))..end) {
            for (place, byte) in (*start..).zip(block).filter(|(place, _)| (at..end).contains(place)) {
                into[to_usize(place - at)] = *byte;
            }
        }
        for (place, byte) in self.changes.iter().filter(|(place, _)| (at..end).contains(place)) {
            into[to_usize(place - at)] = *byte;
        }
        Ok(())
    }
}

fn wanted() -> Wanted {
    let mut trust = Trust::canonical();
    let mut root = Vec::new();
    fs::File::open(data("chain/test-root.trusted")).and_then(|mut file| file.read_to_end(&mut root)).expect("the root is there");
    trust.add_roots(&root).expect("it is a root");
    Wanted { trust, at: "2026-11-24T00:00:00Z".parse().expect("a time"), model: None, signatures: true, allowed: Allowed::default() }
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a length in memory")
}

fn to_usize(length: u64) -> usize {
    usize::try_from(length).expect("a length in memory")
}
