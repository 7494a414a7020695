//! Shared code of the fuzz targets: a test image, changed by the input of the fuzzer.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flashline::image::inspect::Wanted;
use flashline::image::inspect::window::Medium;
use flashline::image::packing::Opened;
use flashline::station::allowed::Allowed;
use snap_assertions::trust::Trust;
use flashline::station::units::Bytes;

const BLOCK: usize = 4096;

/// The path of a file or directory under `tests/data`.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/snap").join(name)
}

/// A panic that is caught where it belongs is no finding; one that gets through ends the target by itself.
pub fn only_uncaught_panics_count() {
    std::panic::set_hook(Box::new(|_| {}));
}

/// The blocks of an image that hold anything.
#[derive(Clone)]
pub struct Image {
    length: u64,
    blocks: Arc<BTreeMap<u64, Vec<u8>>>,
    changes: Vec<(u64, u8)>,
}

impl Image {
    pub fn read(name: &str) -> Self {
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
            at += count as u64;
            if count < BLOCK {
                return Self { length: at, blocks: Arc::new(blocks), changes: Vec::new() };
            }
        }
    }

    /// Seven bytes a change: which block that holds something, where in it, how many bytes, and which byte. One more cuts it short.
    pub fn changed(&self, by: &[u8]) -> Self {
        let mut image = self.clone();
        let places: Vec<u64> = self.blocks.keys().copied().collect();
        let (changes, rest) = by.as_chunks::<7>();
        for [a, b, c, d, count, byte, step] in changes.iter().take(64) {
            let block = places[usize::from(u16::from_le_bytes([*a, *b])) % places.len()];
            let offset = u64::from(u16::from_le_bytes([*c, *d])) % BLOCK as u64;
            for index in 0..u64::from(count % 8) + 1 {
                image.changes.push((block + offset + index, byte.wrapping_add(step.wrapping_mul(index as u8))));
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
        let end = at + into.len() as u64;
        if end > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        into.fill(0);
        for (start, block) in self.blocks.range(at.saturating_sub(BLOCK as u64)..end) {
            for (place, byte) in (*start..).zip(block).filter(|(place, _)| (at..end).contains(place)) {
                into[(place - at) as usize] = *byte;
            }
        }
        for (place, byte) in self.changes.iter().filter(|(place, _)| (at..end).contains(place)) {
            into[(place - at) as usize] = *byte;
        }
        Ok(())
    }
}

pub fn wanted() -> Wanted {
    let mut trust = Trust::canonical();
    let mut root = Vec::new();
    fs::File::open(data("chain/test-root.trusted")).and_then(|mut file| file.read_to_end(&mut root)).expect("the root is there");
    trust.add_roots(&root).expect("it is a root");
    Wanted { trust, at: "2026-11-24T00:00:00Z".parse().expect("a time"), model: None, signatures: true, allowed: Allowed::default() }
}
