//! What neither the seed, nor the boot partition, nor the gadget accounts for: whole partitions, and bytes outside of them.
//!
//! A partition nobody described may be mounted by its label, or started by a boot loader that was told of it elsewhere; what its file
//! system is makes no difference to that, and neither does whether it is read here.

use std::ops::Range;

use super::Trouble;
use super::files::{Files, System};
use super::gadget::{Gadget, Structure};
use super::table::{Kind, Partition, Table};
use super::unsigned::Allowed;
use super::window::Window;
use crate::station::units::{KIB, to_u64, to_usize};

/// Gaps of which every one is told.
const MOST_GAPS: usize = 8;
/// What is read of a gap at once.
const CHUNK: u64 = 64 * KIB;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// What nothing accounts for, as sentences.
    pub(super) foreign: Vec<String>,
    /// What is accounted for, and not looked into; or taken on trust.
    pub(super) uncovered: Vec<String>,
}

/// What is looked at, and by what.
pub(super) struct Around<'a> {
    pub(super) image: &'a Window,
    pub(super) table: &'a Table,
    /// In the table's order; nothing where there is neither FAT nor ext4, or it could not be read.
    pub(super) volumes: Vec<Option<&'a Files>>,
    pub(super) seed: &'a Files,
    pub(super) boot_label: &'a str,
    /// Nothing where it cannot be looked into, or nobody published it: then nothing is described.
    pub(super) gadget: Option<&'a Gadget>,
    /// Outside of every file system, and held to the gadget elsewhere.
    pub(super) compared: &'a [Range<u64>],
    pub(super) allowed: &'a Allowed,
}

pub(super) fn look(around: &Around<'_>) -> Result<Strangers, Trouble> {
    let mut found = Strangers::default();
    let mut described: Vec<&Structure> =
        around.gadget.map(|gadget| gadget.structures().filter(|structure| !structure.is_mbr()).collect()).unwrap_or_default();
    for (partition, files) in around.table.partitions.iter().zip(&around.volumes) {
        if files.is_some_and(|files| std::ptr::eq(files, around.seed) || files.label.eq_ignore_ascii_case(around.boot_label)) {
            continue;
        }
        let named = named(partition, *files);
        if around.allowed.has(&named) || around.allowed.has(&format!("partition-{}", partition.number)) {
            found.uncovered.push(format!("partition {} ({named}), which is allowed by configuration", partition.number));
            continue;
        }
        let structure = described.iter().position(|structure| is(structure, partition, around.table.kind)).map(|at| described.remove(at));
        match (files, structure) {
            (Some(files), _) => {
                let system = if files.system == System::Fat { "FAT" } else { "ext4" };
                found.foreign.push(format!(
                    "partition {} ({named:?}) holds files ({system}) that belong to no seed, and nothing signs them",
                    partition.number
                ));
            }
            (None, Some(structure)) if structure.filesystem.is_empty() || structure.filesystem == "none" => {
                found.uncovered.push(format!("what partition {} ({named}) holds beyond the gadget's own files", partition.number));
            }
            (None, Some(structure)) => found.foreign.push(format!(
                "partition {} ({named:?}) is described as {}, and what it holds cannot be read as that",
                partition.number, structure.filesystem
            )),
            (None, None) if around.gadget.is_none() => {
                found
                    .uncovered
                    .push(format!("what partition {} ({named}) holds: the gadget that may describe it was not read", partition.number));
            }
            (None, None) => found.foreign.push(format!(
                "partition {} ({named:?}) is none of the gadget's, what it holds is not read here, and nothing signs it",
                partition.number
            )),
        }
    }
    gaps(around, &mut found)?;
    Ok(found)
}

/// What people know it by.
fn named(partition: &Partition, files: Option<&Files>) -> String {
    let label = files.map(|files| files.label.clone()).filter(|label| !label.is_empty());
    label.unwrap_or_else(|| if partition.name.is_empty() { partition.kind.clone() } else { partition.name.clone() })
}

/// A GPT carries the gadget's own names. An MBR has none: its types must agree, and the place, where the gadget says one.
fn is(structure: &Structure, partition: &Partition, kind: Kind) -> bool {
    if kind == Kind::Gpt && !structure.name.is_empty() {
        return structure.name == partition.name;
    }
    structure.kinds().any(|kind| kind.eq_ignore_ascii_case(&partition.kind))
        && structure.offset().is_none_or(|offset| offset == partition.start)
}

/// Bytes that are not zero, outside of every partition, of the table itself, and of what the gadget writes there.
fn gaps(around: &Around<'_>, found: &mut Strangers) -> Result<(), Trouble> {
    let mut known: Vec<Range<u64>> = around.compared.to_vec();
    known.extend(around.table.own.iter().cloned());
    known.extend(around.table.partitions.iter().map(|partition| partition.start..partition.start.saturating_add(partition.length)));
    known.push(around.image.length()..u64::MAX);
    known.sort_by_key(|range| (range.start, range.end));
    let (mut at, mut told) = (0, 0);
    for range in known {
        if at < range.start
            && let Some(first) = first_set(around.image, at..range.start.min(around.image.length()))?
        {
            told += 1;
            if told <= MOST_GAPS {
                found.uncovered.push(format!(
                    "bytes {at} to {} lie outside of every partition and of what the gadget describes, and are not all zero (byte {first} is not)",
                    range.start
                ));
            }
        }
        at = at.max(range.end);
    }
    if told > MOST_GAPS {
        found.uncovered.push(format!("{} more such places", told - MOST_GAPS));
    }
    Ok(())
}

fn first_set(image: &Window, range: Range<u64>) -> Result<Option<u64>, Trouble> {
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
