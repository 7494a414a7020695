//! Compares the files that boot with their originals, and collects the results.

use std::collections::BTreeMap;
use std::ops::Range;

use super::raspberry::Made;
use crate::image::inspect::codes::{VerdictCode, VerdictReason};
use crate::image::inspect::gadget::Gadget;
use crate::image::inspect::read_error::ReadError;
use crate::image::inspect::readers::files::Files;
use crate::image::inspect::readers::squashfs::{Entry, Squashfs};
use crate::image::inspect::readers::table::Table;
use crate::image::inspect::readers::window::Window;
use crate::image::inspect::seed::Seed;
use crate::station::allowed::{Allowed, named_on_fat};
use crate::station::units::KIB;

/// Files of one tree inside a snap. A kernel snap for the Raspberry Pi has some four hundred device trees.
pub(super) const MOST_FILES: usize = 8192;
/// All that is put on a boot partition, from gadget, kernel and seed.
const MOST_EXPECTED: usize = 2 * MOST_FILES;
/// Files of which each is named.
const MOST_NAMED: usize = 20;
/// A boot environment, and a text file beside it.
pub(super) const LARGEST_TEXT: u64 = 256 * KIB;

/// What is compared with what.
pub(in crate::image::inspect) struct Originals<'a, 'f> {
    pub(in crate::image::inspect) image: &'a Window,
    pub(in crate::image::inspect) table: &'a Table,
    /// The boot partition: `system-boot`, or `ubuntu-seed`.
    pub(in crate::image::inspect) boot: Option<&'f Files>,
    pub(in crate::image::inspect) seed: &'a Seed,
    /// The kernel's file in the seed, and the base's or core's.
    pub(in crate::image::inspect) kernel_file: &'a str,
    pub(in crate::image::inspect) base_file: &'a str,
    pub(in crate::image::inspect) kernel: Result<Squashfs<'f>, ReadError>,
    pub(in crate::image::inspect) gadget: Result<Squashfs<'f>, ReadError>,
    /// The one whose bytes somebody published, since Ubuntu Core 18.
    pub(in crate::image::inspect) snapd: Option<Result<Squashfs<'f>, ReadError>>,
    /// What is described in it.
    pub(in crate::image::inspect) gadget_yaml: Result<&'a Gadget, &'a ReadError>,
    /// The model's grade is dangerous, for which a gadget may give the kernel words that others do not get.
    pub(in crate::image::inspect) is_dangerous: bool,
    pub(in crate::image::inspect) allowed: &'a Allowed,
}

/// What the comparison found.
#[derive(Debug, Default)]
pub(in crate::image::inspect) struct Compared {
    /// Copies that are their originals.
    pub(in crate::image::inspect) equal: usize,
    /// Copies that are not, or are missing.
    pub(in crate::image::inspect) different: Vec<VerdictReason>,
    /// Files on the boot partition that no snap has.
    pub(in crate::image::inspect) foreign: Vec<String>,
    /// What is held to nothing, and on the list of what is allowed.
    pub(in crate::image::inspect) allowed: Vec<String>,
    /// What could not be compared, and changes nothing of what boots.
    pub(in crate::image::inspect) uncovered: Vec<String>,
    /// Bytes outside of every file system that were compared with the gadget's.
    pub(in crate::image::inspect) places: Vec<Range<u64>>,
}

impl Compared {
    /// Files that boot, or tell what boots, and have no original here that they could be compared with: refused, unless somebody takes
    /// them on trust by name.
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

    /// The words for those that `allow` does not name.
    pub(super) fn doubtful(&mut self, allowed: &Allowed, boot: &Files, paths: Vec<String>) -> Vec<String> {
        let (trusted, doubtful): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| allowed.on_fat(&boot.label, path));
        let named = |path: &String| named_on_fat(&boot.label, path);
        self.allowed.extend(trusted.iter().map(named));
        doubtful.iter().map(named).collect()
    }
}

/// Where a copy's original is.
pub(super) enum Original {
    Gadget(String, Entry),
    Kernel(String, Entry),
    /// Made from the gadget's file of this name.
    Made(String, Made),
    /// Held to what it must be elsewhere, or refused there.
    Elsewhere,
}

/// What the boot partition must hold, by path in lower case. However often a gadget names its own directories, it is filled so many
/// times and no more.
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
