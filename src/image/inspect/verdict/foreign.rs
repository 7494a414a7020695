//! Finds contents that neither the seed, nor the boot partition, nor the gadget describes: whole partitions, and bytes outside of them.
//!
//! A partition that nothing describes may be mounted by its label, or started by a boot loader that another file configures. This does not
//! depend on its file system, nor on whether it can be read here.

use std::iter;
use std::ops::Range;

use crate::image::inspect::boot::published::{BOOT_CODE, is_of_libparted};
use crate::image::inspect::codes::{VerdictCode, VerdictReason};
use crate::image::inspect::gadget::{Gadget, Structure};
use crate::image::inspect::read_error::ReadError;
use crate::image::inspect::readers::files::{Files, System};
use crate::image::inspect::readers::table::{Kind, Partition, PartitionTable};
use crate::image::inspect::readers::window::Window;
use crate::station::allowed::{Allowed, named_partition};
use crate::station::units::{KIB, to_u64, to_usize};

/// Limit of gaps that are reported one by one.
const MOST_GAPS: usize = 8;
/// Bytes of a gap that are read at once.
const CHUNK: u64 = 64 * KIB;

/// The contents that nothing describes.
#[derive(Debug, Default)]
pub(super) struct Unaccounted {
    /// What nothing accounts for.
    pub(super) foreign: Vec<VerdictReason>,
    /// The names in `allow`.
    pub(super) uncovered: Vec<String>,
}

/// The inputs of the search.
pub(super) struct Scan<'a> {
    pub(super) image: &'a Window,
    pub(super) table: &'a PartitionTable,
    /// In the table's order; `None` for neither FAT nor ext4, or if it could not be read.
    pub(super) volumes: Vec<Option<&'a Files>>,
    pub(super) seed: &'a Files,
    pub(super) boot_label: &'a str,
    /// `None` if it cannot be read or was not published: then nothing is described.
    pub(super) gadget: Option<&'a Gadget>,
    /// Ranges outside of every file system that were compared with the gadget.
    pub(super) compared: &'a [Range<u64>],
    pub(super) allowed: &'a Allowed,
    /// The device's processor runs boot code of PCs.
    pub(super) is_pc: bool,
}

pub(super) fn look(scan: &Scan<'_>) -> Result<Unaccounted, ReadError> {
    let mut found = Unaccounted::default();
    let held = held(scan)?;
    let mut described: Vec<&Structure> =
        scan.gadget.map(|gadget| gadget.structures().filter(|structure| !structure.is_mbr()).collect()).unwrap_or_default();
    for (partition, files) in scan.table.partitions.iter().zip(&scan.volumes) {
        if files.is_some_and(|files| std::ptr::eq(files, scan.seed) || files.label.eq_ignore_ascii_case(scan.boot_label)) {
            continue;
        }
        let number = partition.number;
        let named = named(partition, *files);
        let structure =
            described.iter().position(|structure| describes(structure, partition, scan.table.kind)).map(|at| described.remove(at));
        let unaccounted = match (files, structure) {
            (Some(files), _) => {
                let system = if files.system == System::Fat { "FAT" } else { "ext4" };
                Some(format!("partition {number} ({named:?}) holds files ({system}) that belong to no seed, and nothing signs them"))
            }
            (None, Some(structure)) if structure.is_bare() => first_unaccounted(scan.image, &held, partition.bytes())?.map(|at| {
                format!(
                    "partition {number} ({named:?}) holds more than the gadget's own files: byte {at} is not zero, and nothing signs it"
                )
            }),
            (None, Some(structure)) => Some(format!(
                "partition {number} ({named:?}) is described as {}, and what it holds cannot be read as that",
                structure.filesystem
            )),
            (None, None) if scan.gadget.is_none() => Some(format!(
                "partition {number} ({named:?}) holds what is not read here, and the gadget that may describe it was not read"
            )),
            (None, None) => Some(format!(
                "partition {number} ({named:?}) is none of the gadget's, what it holds is not read here, and nothing signs it"
            )),
        };
        let word = named_partition(number);
        match unaccounted {
            None => {}
            Some(_) if scan.allowed.partition(number) => {
                found.uncovered.push(format!("{word} ({named:?}), which is allowed by configuration"));
            }
            Some(words) => {
                found.foreign.push(VerdictCode::PartitionNotSigned.with(format!("{words}; `allow` takes it on trust as {word:?}")));
            }
        }
    }
    gaps(scan, &held, &mut found)?;
    Ok(found)
}

/// The name for people.
fn named(partition: &Partition, files: Option<&Files>) -> String {
    let label = files.map(|files| files.label.clone()).filter(|label| !label.is_empty());
    label.unwrap_or_else(|| if partition.name.is_empty() { partition.kind.clone() } else { partition.name.clone() })
}

/// A GPT contains the gadget's own names; an MBR has none, so the place must agree, if the gadget states it. The type must agree in both.
fn describes(structure: &Structure, partition: &Partition, kind: Kind) -> bool {
    let is_there = if kind == Kind::Gpt && !structure.name.is_empty() {
        structure.name == partition.name
    } else {
        structure.start().is_none_or(|start| start == partition.start)
    };
    is_there && structure.kinds().any(|kind| kind.eq_ignore_ascii_case(&partition.kind))
}

/// Bytes that are not zero, outside of every partition, of the table itself, and of the gadget's own files.
fn gaps(scan: &Scan<'_>, held: &[Range<u64>], found: &mut Unaccounted) -> Result<(), ReadError> {
    let table = scan.table;
    let accounted = in_order(table.partitions.iter().map(Partition::bytes).chain(table.own.iter().cloned()));
    let mut unaccounted = Vec::new();
    for gap in outside(scan.image.length(), 0, &accounted) {
        if let Some(at) = first_unaccounted(scan.image, held, gap.clone())? {
            unaccounted.push(format!(
                "bytes {} to {} lie outside of every partition, and byte {at} is neither zero nor the gadget's",
                gap.start, gap.end
            ));
        }
    }
    if unaccounted.is_empty() {
        return Ok(());
    }
    if scan.allowed.gaps() {
        found.uncovered.push("what lies outside of every partition, which is allowed by configuration".to_owned());
        return Ok(());
    }
    let more = unaccounted.len().saturating_sub(MOST_GAPS);
    unaccounted.truncate(MOST_GAPS);
    let trust = "`allow` takes all such bytes on trust as \"gaps\"";
    found.foreign.extend(unaccounted.into_iter().map(|words| VerdictCode::GapNotSigned.with(format!("{words}; {trust}"))));
    if more > 0 {
        found.foreign.push(VerdictCode::GapNotSigned.with(format!("{more} more such places; {trust}")));
    }
    Ok(())
}

/// The known ranges outside of every file system, in order: the gadget's, and code that a tool is known to write. On a PC that code would
/// run and start something unchecked, so it is not known there.
fn held(scan: &Scan<'_>) -> Result<Vec<Range<u64>>, ReadError> {
    let mut code = [0; BOOT_CODE];
    let is_libparted = !scan.is_pc && {
        scan.image.read_exact_at(0, &mut code)?;
        is_of_libparted(&code)
    };
    Ok(in_order(scan.compared.iter().cloned().chain(is_libparted.then_some(0..to_u64(BOOT_CODE)))))
}

fn in_order(places: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut places: Vec<Range<u64>> = places.collect();
    places.sort_by_key(|place| (place.start, place.end));
    places
}

/// The first byte of a range that is neither zero nor known.
fn first_unaccounted(image: &Window, held: &[Range<u64>], inside: Range<u64>) -> Result<Option<u64>, ReadError> {
    for rest in outside(inside.end.min(image.length()), inside.start, held) {
        if let Some(at) = first_set(image, rest)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// The parts between `from` and `to` that the known ranges, which are in order, leave.
fn outside(to: u64, from: u64, known: &[Range<u64>]) -> Vec<Range<u64>> {
    let (mut at, mut left) = (from, Vec::new());
    for range in known.iter().chain(iter::once(&(to..u64::MAX))) {
        if at < range.start.min(to) {
            left.push(at..range.start.min(to));
        }
        at = at.max(range.end);
    }
    left
}

fn first_set(image: &Window, range: Range<u64>) -> Result<Option<u64>, ReadError> {
    let mut buffer = vec![0; to_usize(CHUNK)];
    let mut at = image.next_data(range.start);
    while at < range.end {
        let part = &mut buffer[..to_usize(CHUNK.min(range.end - at))];
        image.read_exact_at(at, part)?;
        if let Some(place) = part.iter().position(|byte| *byte != 0) {
            return Ok(Some(at + to_u64(place)));
        }
        at = image.next_data(at + to_u64(part.len()));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_the_gadgets_by_its_type_and_by_its_name_or_its_place() {
        let text = "volumes:\n  pc:\n    structure:\n      - name: BIOS Boot\n        type: DA,21686148-6449-6E6F-744E-656564454649\n        size: 1M\n";
        let gadget = Gadget::read(text.as_bytes()).expect("it is one");
        let structure = gadget.structures().next().expect("there is one");
        let partition =
            |name: &str, kind: &str, start: u64| Partition { number: 1, start, length: 1, kind: kind.to_owned(), name: name.to_owned() };
        const BIOS_BOOT: &str = "21686148-6449-6e6f-744e-656564454649";
        assert!(describes(structure, &partition("BIOS Boot", BIOS_BOOT, 5 << 20), Kind::Gpt), "a GPT has its name");
        assert!(
            !describes(structure, &partition("BIOS Boot", "0fc63daf-8483-4772-8e79-3d69d8477de4", 1 << 20), Kind::Gpt),
            "of another type"
        );
        assert!(!describes(structure, &partition("other", BIOS_BOOT, 1 << 20), Kind::Gpt), "of another name");
        assert!(describes(structure, &partition("", "da", 1 << 20), Kind::Mbr));
        assert!(!describes(structure, &partition("", "da", 5 << 20), Kind::Mbr), "in another place");
        assert!(!describes(structure, &partition("", "83", 1 << 20), Kind::Mbr));
    }

    #[test]
    fn what_no_place_covers_is_left_over_whatever_the_places_order() {
        let left = |to, from, known: &[Range<u64>]| outside(to, from, &in_order(known.iter().cloned()));
        assert_eq!(left(100, 0, &[50..60, 10..20, 15..30]), [0..10, 30..50, 60..100]);
        assert_eq!(left(100, 20, &[0..30, 40..50, 90..200]), [30..40, 50..90]);
        assert_eq!(left(100, 0, &[50..100, 0..50]), []);
        assert_eq!(left(10, 20, &[]), [], "nothing lies behind the end");
    }
}
