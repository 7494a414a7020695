//! The images under `tests/data/snap/images`, unpacked once, and changed in memory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use flashline::image::Staged;
use flashline::image::inspect::page::{Answer, Check, Page};
use flashline::image::inspect::window::Medium;
use flashline::image::inspect::{Wanted, inspect_medium};
use flashline::image::stage::SourceImage;
use flashline::station::allowed::Allowed;
use flashline::station::units::Bytes;
use snap_assertions::assertion::Assertion;
use snap_assertions::trust::Trust;

pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/snap").join(name)
}

/// A raw image in a file that is removed with the test.
pub(crate) fn staged(name: &str) -> Staged {
    let directory = std::env::temp_dir();
    let source = data("images").join(format!("{name}.img.xz"));
    SourceImage::open(&source)
        .and_then(|source| source.for_now(&directory, &mut |_: Bytes, _: Bytes| {}))
        .expect("the fixture can be unpacked")
}

/// The trust of the station in these tests, at the time when the fixtures were made.
pub(crate) fn wanted() -> Wanted {
    let mut trust = Trust::canonical();
    trust.add_roots(&fs::read(data("chain/test-root.trusted")).expect("it is there")).expect("a root");
    let at = "2026-11-24T00:00:00Z".parse().expect("a time");
    Wanted { trust, at, model: None, signatures: true, allowed: Allowed::default() }
}

pub(crate) fn model(name: &str) -> Assertion {
    let bytes = fs::read(data("brand").join(name)).expect("the model is there");
    Assertion::read_all(&bytes).expect("it can be read").remove(0)
}

/// An image with some of its bytes changed, and perhaps cut short. The file below is not changed.
#[derive(Clone)]
pub(crate) struct Changed {
    file: Arc<File>,
    length: u64,
    changes: BTreeMap<u64, Vec<u8>>,
}

static UNPACKED: Mutex<BTreeMap<String, Arc<File>>> = Mutex::new(BTreeMap::new());

impl Changed {
    /// An unchanged image.
    pub(crate) fn of(name: &str) -> Self {
        let mut unpacked = UNPACKED.lock().expect("no test broke while it unpacked");
        let file = unpacked.entry(name.to_owned()).or_insert_with(|| Arc::new(staged(name).file().try_clone().expect("a descriptor")));
        let length = file.metadata().expect("its length").len();
        Self { file: Arc::clone(file), length, changes: BTreeMap::new() }
    }

    /// The first place of these bytes, from `from` on.
    pub(crate) fn find_from(&self, from: u64, wanted: &[u8]) -> Option<u64> {
        const PART: usize = 1 << 20;
        let mut buffer = vec![0; PART + wanted.len()];
        let mut at = from;
        while at < self.length {
            let count = usize::try_from(self.length - at).expect("small").min(buffer.len());
            self.read_exact_at(at, &mut buffer[..count]).expect("it can be read");
            // Most of an image is zeroes, and windows are slow.
            let part = &buffer[..count];
            let mut here = 0;
            while let Some(next) = part[here..].iter().position(|byte| *byte == wanted[0]) {
                here += next;
                if part[here..].starts_with(wanted) {
                    return Some(at + u64::try_from(here).expect("small"));
                }
                here += 1;
            }
            at += u64::try_from(PART).expect("small");
        }
        None
    }

    pub(crate) fn find(&self, wanted: &[u8]) -> u64 {
        self.find_from(0, wanted).unwrap_or_else(|| panic!("{:?} is in it", String::from_utf8_lossy(&wanted[..wanted.len().min(40)])))
    }

    pub(crate) fn put(mut self, at: u64, bytes: &[u8]) -> Self {
        self.changes.insert(at, bytes.to_vec());
        self
    }

    /// Replaces bytes by others of the same length, everywhere.
    pub(crate) fn replace(mut self, old: &[u8], new: &[u8]) -> Self {
        assert_eq!(old.len(), new.len(), "an image keeps its layout");
        let mut from = 0;
        let mut times = 0;
        while let Some(at) = self.find_from(from, old) {
            self.changes.insert(at, new.to_vec());
            from = at + 1;
            times += 1;
        }
        assert!(times > 0, "there is something to replace");
        self
    }

    /// Flips a bit of one byte.
    pub(crate) fn flip(self, at: u64) -> Self {
        let byte = self.bytes(at, 1)[0] ^ 1;
        self.put(at, &[byte])
    }

    pub(crate) fn cut(mut self, length: u64) -> Self {
        self.length = length.min(self.length);
        self
    }

    pub(crate) fn length_now(&self) -> u64 {
        self.length
    }

    pub(crate) fn bytes(&self, at: u64, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.read_exact_at(at, &mut bytes).expect("inside");
        bytes
    }

    pub(crate) fn judged(self) -> Page {
        self.judged_by(&wanted())
    }

    pub(crate) fn judged_by(self, wanted: &Wanted) -> Page {
        inspect_medium(Rc::new(self), wanted).expect("the file can be read")
    }
}

impl Medium for Changed {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let end = at + u64::try_from(into.len()).expect("small");
        if end > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.file.read_exact_at(into, at)?;
        for (start, bytes) in &self.changes {
            for (place, byte) in (*start..).zip(bytes).filter(|(place, _)| (at..end).contains(place)) {
                into[usize::try_from(place - at).expect("small")] = *byte;
            }
        }
        Ok(())
    }
}

/// All reasons of a verdict that is no.
pub(crate) fn no(page: &Page, check: Check) -> String {
    let verdict = page.verdict(check).expect("every check has its verdict");
    assert_eq!(verdict.answer, Answer::No, "{check:?}: {:#?}", page.verdicts);
    verdict.sentences().join("\n")
}

/// Checks that it is refused for this reason only.
pub(crate) fn only_no(page: &Page, check: Check) -> String {
    for verdict in page.verdicts.iter().filter(|verdict| verdict.check != check) {
        assert_ne!(verdict.answer, Answer::No, "{verdict:#?}");
    }
    no(page, check)
}

/// The place of a file on a freshly made FAT32.
pub(crate) struct Place {
    /// Its entry in the directory.
    pub(crate) entry: u64,
    /// First byte of the place in the image.
    pub(crate) start: u64,
    pub(crate) length: usize,
}

/// A file by its short name, on the partition that begins at this byte.
pub(crate) fn fat_file(image: &Changed, partition: u64, short_name: &[u8; 11]) -> Place {
    // For a directory, the attribute in its entry marks it.
    let mut entry = image.find_from(partition, short_name).expect("it is there");
    while image.bytes(entry + 11, 1)[0] & 0x10 != 0 {
        entry = image.find_from(entry + 1, short_name).expect("it is there");
    }
    let number = |at: u64, count: usize| image.bytes(at, count).iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let of = |at: u64, count: usize| number(partition + at, count);
    let start = partition + (of(14, 2) + of(16, 1) * of(36, 4) + (number(entry + 26, 2) - 2) * of(13, 1)) * 512;
    Place { entry, start, length: usize::try_from(number(entry + 28, 4)).expect("small") }
}

/// Replaces text by other text and keeps the length: longer text takes from the padding at the end.
pub(crate) fn replaced(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|window| window == old.as_bytes()).expect("it is there");
    let mut changed = [&bytes[..at], new.as_bytes(), &bytes[at + old.len()..]].concat();
    changed.resize(bytes.len(), bytes.last().copied().expect("not empty"));
    changed
}
