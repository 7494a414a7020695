//! Compares the files that boot with their originals, and collects the results.

use std::collections::BTreeMap;
use std::ops::Range;

use super::raspberry::Made;
use crate::image::inspect::codes::{VerdictCode, VerdictReason};
use crate::image::inspect::gadget::Gadget;
use crate::image::inspect::read_error::ReadError;
use crate::image::inspect::readers::files::Files;
use crate::image::inspect::readers::squashfs::{Entry, Squashfs};
use crate::image::inspect::readers::table::PartitionTable;
use crate::image::inspect::readers::window::Window;
use crate::image::inspect::seed::Seed;
use crate::station::allowed::{Allowed, named_on_fat};
use crate::station::units::KIB;

/// Limit of files of one tree inside a snap. A kernel snap for the Raspberry Pi has some four hundred device trees.
pub(super) const MOST_FILES: usize = 8192;
/// Limit of files that are copied to a boot partition from gadget, kernel and seed.
const MOST_EXPECTED: usize = 2 * MOST_FILES;
/// Limit of files that are named one by one.
const MOST_NAMED: usize = 20;
/// Limit of a boot environment, and of a text file beside it.
pub(super) const LARGEST_TEXT: u64 = 256 * KIB;

/// The inputs of the comparison.
pub(in crate::image::inspect) struct Originals<'a, 'f> {
    pub(in crate::image::inspect) image: &'a Window,
    pub(in crate::image::inspect) table: &'a PartitionTable,
    /// The boot partition: `system-boot`, or `ubuntu-seed`.
    pub(in crate::image::inspect) boot: Option<&'f Files>,
    pub(in crate::image::inspect) seed: &'a Seed,
    /// The kernel's file in the seed, and that of the base or core.
    pub(in crate::image::inspect) kernel_file: &'a str,
    pub(in crate::image::inspect) base_file: &'a str,
    pub(in crate::image::inspect) kernel: Result<Squashfs<'f>, ReadError>,
    pub(in crate::image::inspect) gadget: Result<Squashfs<'f>, ReadError>,
    /// The snap of snapd, since Ubuntu Core 18, if its bytes are proven.
    pub(in crate::image::inspect) snapd: Option<Result<Squashfs<'f>, ReadError>>,
    /// The parsed `gadget.yaml`.
    pub(in crate::image::inspect) gadget_yaml: Result<&'a Gadget, &'a ReadError>,
    /// The model's grade is dangerous: then a gadget may give the kernel words that others may not.
    pub(in crate::image::inspect) is_dangerous: bool,
    pub(in crate::image::inspect) allowed: &'a Allowed,
}

/// The result of the comparison.
#[derive(Debug, Default)]
pub(in crate::image::inspect) struct Compared {
    /// Number of copies that equal their originals.
    pub(in crate::image::inspect) equal: usize,
    /// Copies that differ or are missing.
    pub(in crate::image::inspect) different: Vec<VerdictReason>,
    /// Files on the boot partition that are in no snap.
    pub(in crate::image::inspect) foreign: Vec<String>,
    /// Files without an original that `allow` names.
    pub(in crate::image::inspect) allowed: Vec<String>,
    /// Things that could not be compared, but cannot change what boots.
    pub(in crate::image::inspect) uncovered: Vec<String>,
    /// Ranges outside of every file system that were compared with the gadget's files.
    pub(in crate::image::inspect) places: Vec<Range<u64>>,
}

impl Compared {
    /// Files that boot, or control what boots, and have no original here to compare with: they are refused unless `allow` names them.
    pub(super) fn refuse_unless_allowed(&mut self, allowed: &Allowed, boot: &Files, paths: Vec<String>, why: &str) {
        let mut names = self.doubtful(allowed, boot, paths);
        if names.is_empty() {
            return;
        }
        let more = names.len().saturating_sub(MOST_NAMED);
        names.truncate(MOST_NAMED);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        self.different
            .push(VerdictCode::NoOriginal.with(format!("{}{rest}: {why}; only `allow` takes it on trust, by that name", names.join(", "))));
    }

    /// The words for the files that `allow` does not name.
    pub(super) fn doubtful(&mut self, allowed: &Allowed, boot: &Files, paths: Vec<String>) -> Vec<String> {
        let (trusted, doubtful): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| allowed.on_fat(&boot.label, path));
        let named = |path: &String| named_on_fat(&boot.label, path);
        self.allowed.extend(trusted.iter().map(named));
        doubtful.iter().map(named).collect()
    }
}

/// The place of a copy's original.
pub(super) enum Original {
    Gadget(String, Entry),
    Kernel(String, Entry),
    /// Made from the gadget's file of this name.
    Made(String, Made),
    /// Compared, or refused, in another place.
    Elsewhere,
}

/// The required files of the boot partition, by path in lower case. The number is limited, however often a gadget names its own
/// directories.
#[derive(Default)]
pub(super) struct Expected {
    pub(super) files: BTreeMap<String, Original>,
    filled: usize,
}

impl Expected {
    pub(super) fn insert(&mut self, path: String, original: Original) -> Result<(), ReadError> {
        self.filled += 1;
        if self.filled > MOST_EXPECTED {
            return Err(ReadError::Broken(format!(
                "the gadget puts more than {MOST_EXPECTED} files on the boot partition, which none does"
            )));
        }
        self.files.insert(path, original);
        Ok(())
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }
}
