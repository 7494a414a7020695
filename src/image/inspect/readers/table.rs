//! The partition table of an image: MBR, or GPT with its backup.
//!
//! It is accepted only if it is complete. A table that is damaged, that differs from its own copy, or of which there are two, may be read
//! differently by the firmware that boots the card.

use std::io::{Seek, SeekFrom};
use std::ops::Range;

use gptman::{GPTHeader, GPTPartitionEntry};
use mbrman::MBRHeader;
use serde::Serialize;

use super::window::Window;
use crate::image::inspect::read_error::ReadError;
use crate::station::units::to_usize;

/// The kind of table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Four entries in the first block.
    Mbr,
    /// A GUID partition table.
    Gpt,
}

/// One partition of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Partition {
    /// Its number in the kernel.
    pub number: u32,
    /// First byte of the partition.
    pub start: u64,
    /// Length of the partition in bytes.
    pub length: u64,
    /// Two hexadecimal digits, or a GUID.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name in a GPT.
    pub name: String,
}

impl Partition {
    /// The range of its bytes in the image.
    pub(in crate::image::inspect) fn bytes(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.length)
    }
}

/// The table and its contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionTable {
    /// The kind of table: MBR or GPT.
    pub kind: Kind,
    /// Its partitions, in the order of the card.
    pub partitions: Vec<Partition>,
    /// The least length of the card: the end of the last partition, or of the backup of a GPT behind it.
    pub needs: u64,
    /// The ranges of the table itself, with its backup.
    #[serde(skip)]
    pub own: Vec<Range<u64>>,
}

/// An MBR on a card always counts blocks of this size.
pub(in crate::image::inspect) const MBR_BLOCK: u64 = 512;
/// The disk's number, four entries and a signature: the bytes that boot code in the same block leaves free.
const IN_FIRST_BLOCK: Range<u64> = 440..MBR_BLOCK;
/// Logical blocks for which a GPT can be made.
pub(in crate::image::inspect) const GPT_BLOCKS: [u64; 2] = [512, 4096];
/// Limit of entries. Tools write 128; a larger table could only be meant to cost time.
const MOST_ENTRIES: u32 = 1024;
/// The only size of an entry that is in use (UEFI 2.10, 5.3.3, allows larger ones).
const ENTRY: u32 = 128;
/// The length of a header; no other is read here (UEFI 2.10, 5.3.2).
const HEADER: u64 = 92;
/// The type of an unused entry.
const UNUSED: [u8; 16] = [0; 16];
/// The type of the partition in a protective MBR.
pub(in crate::image::inspect) const PROTECTIVE: u8 = 0xee;
/// Types of an extended partition, which contains a chain of more tables.
pub(in crate::image::inspect) const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];

/// Reads the table; `None` if the image has none at all.
pub(in crate::image::inspect) fn read(image: &Window) -> Result<Option<PartitionTable>, ReadError> {
    let mut reader = image.clone();
    let gpt_block = GPT_BLOCKS.into_iter().find(|block| {
        let mut signature = [0; 8];
        image.read_exact_at(*block, &mut signature).is_ok() && &signature == b"EFI PART"
    });
    let mut boot_signature = [0; 2];
    let has_mbr = image.read_exact_at(MBR_BLOCK - 2, &mut boot_signature).is_ok() && boot_signature == [0x55, 0xaa];
    if !has_mbr {
        return match gpt_block {
            None => Ok(None),
            Some(_) => Err(ReadError::broken("its GPT has no protective MBR in front of it")),
        };
    }
    let mbr = MBRHeader::read_from(&mut reader).map_err(|error| ReadError::Broken(format!("its MBR is damaged: {error}")))?;
    let used: Vec<_> = mbr.iter().filter(|(_, entry)| entry.sys != 0).collect();
    let protective = used.iter().any(|(_, entry)| entry.sys == PROTECTIVE);
    let table = match (protective, gpt_block) {
        (true, Some(_)) if used.len() > 1 => {
            return Err(ReadError::broken("it has two partition tables, an MBR and a GPT: which of them counts depends on who reads it"));
        }
        (true, Some(block)) => gpt(image, block)?,
        (true, None) => return Err(ReadError::broken("its MBR speaks of a GPT, and there is none")),
        (false, Some(_)) if !used.is_empty() => {
            return Err(ReadError::broken("it has two partition tables, an MBR and a GPT: which of them counts depends on who reads it"));
        }
        (false, Some(_)) => return Err(ReadError::broken("its GPT has no protective MBR in front of it")),
        (false, None) if used.is_empty() => return Ok(None),
        (false, None) => {
            if let Some((number, _)) = used.iter().find(|(_, entry)| EXTENDED.contains(&entry.sys)) {
                return Err(ReadError::Broken(format!("partition {number} is an extended one, which no Ubuntu Core image has")));
            }
            let partitions = used.iter().map(|(number, entry)| Partition {
                number: u32::try_from(*number).unwrap_or(u32::MAX),
                start: u64::from(entry.starting_lba) * MBR_BLOCK,
                length: u64::from(entry.sectors) * MBR_BLOCK,
                kind: format!("{:02x}", entry.sys),
                name: String::new(),
            });
            PartitionTable { kind: Kind::Mbr, partitions: partitions.collect(), needs: 0, own: vec![IN_FIRST_BLOCK] }
        }
    };
    apart(table).map(Some)
}

fn gpt(image: &Window, block: u64) -> Result<PartitionTable, ReadError> {
    let (header, entries) = copy(image, block, block).map_err(|error| error.about("its partition table is damaged"))?;
    let partitions = entries.iter().zip(1..).filter(|(entry, _)| entry.is_used()).map(|(entry, number)| {
        let blocks = entry.ending_lba.checked_sub(entry.starting_lba).and_then(|blocks| blocks.checked_add(1));
        let start = entry.starting_lba.checked_mul(block);
        let length = blocks.and_then(|blocks| blocks.checked_mul(block));
        let (Some(start), Some(length)) = (start, length) else {
            return Err(ReadError::Broken(format!("partition {number} begins or ends nowhere")));
        };
        Ok(Partition { number, start, length, kind: guid(&entry.partition_type_guid), name: entry.partition_name.as_str().to_owned() })
    });
    let partitions: Vec<_> = partitions.collect::<Result<_, _>>()?;
    let backup = header.backup_lba.checked_mul(block).ok_or_else(|| ReadError::broken("the backup of its partition table lies nowhere"))?;
    let needs = backup.saturating_add(block);
    let mut own = vec![IN_FIRST_BLOCK];
    own.extend(places(&header, block, block));
    // If the file ends before the backup, the check of its length reports that; there is nothing to compare here.
    if needs <= image.length() {
        let (second, of_second) =
            copy(image, block, backup).map_err(|error| error.about("the backup of its partition table is damaged"))?;
        if second.disk_guid != header.disk_guid || of_second != entries {
            return Err(ReadError::broken("its partition table and the backup of it disagree"));
        }
        own.extend(places(&second, block, backup));
    }
    Ok(PartitionTable { kind: Kind::Gpt, partitions, needs, own })
}

/// The ranges of a copy of the table: its header `at` this byte, and its entries. Both were read, so neither exceeds the image.
fn places(header: &GPTHeader, block: u64, at: u64) -> [Range<u64>; 2] {
    let entries = header.partition_entry_lba.saturating_mul(block);
    let length = u64::from(header.number_of_partition_entries) * u64::from(ENTRY);
    [at..at.saturating_add(HEADER), entries..entries.saturating_add(length)]
}

/// One copy of the table with valid checksums, as tools write it.
fn copy(image: &Window, block: u64, at: u64) -> Result<(GPTHeader, Vec<GPTPartitionEntry>), ReadError> {
    let (header, entries, bytes) = sound_copy(image, block, at)?;
    let mut unused = bytes.chunks_exact(to_usize(ENTRY.into())).zip(1..).filter(|(entry, _)| entry.starts_with(&UNUSED));
    if let Some((_, number)) = unused.find(|(entry, _)| entry.iter().any(|byte| *byte != 0)) {
        return Err(ReadError::Broken(format!("its entry {number} is unused and not empty, which no tool leaves behind")));
    }
    Ok((header, entries))
}

/// One copy of the table with valid checksums, and the bytes of its entries.
pub(in crate::image::inspect) fn sound_copy(
    image: &Window,
    block: u64,
    at: u64,
) -> Result<(GPTHeader, Vec<GPTPartitionEntry>, Vec<u8>), ReadError> {
    let cut_short = || ReadError::broken("the file ends in the middle of it: it is cut short; copy it again");
    if at.checked_add(block).is_none_or(|end| end > image.length()) {
        return Err(cut_short());
    }
    let mut reader = image.clone();
    reader.seek(SeekFrom::Start(at))?;
    let header = GPTHeader::read_from(&mut reader).map_err(|error| ReadError::Broken(error.to_string()))?;
    // Before the entries are read: the reader allocates as many as the header states, and multiplies without a check.
    if header.number_of_partition_entries > MOST_ENTRIES || header.size_of_partition_entry != ENTRY {
        let (count, size) = (header.number_of_partition_entries, header.size_of_partition_entry);
        return Err(ReadError::Broken(format!(
            "it speaks of {count} entries of {size} bytes, where {MOST_ENTRIES} of {ENTRY} are the most"
        )));
    }
    let length = u64::from(header.number_of_partition_entries) * u64::from(ENTRY);
    let start = header.partition_entry_lba.checked_mul(block);
    let start = start.filter(|start| start.checked_add(length).is_some_and(|end| end <= image.length())).ok_or_else(cut_short)?;
    let entries = header.read_partitions(&mut reader, block).map_err(|error| ReadError::Broken(error.to_string()))?;
    let mut bytes = vec![0; to_usize(length)];
    image.read_exact_at(start, &mut bytes)?;
    Ok((header, entries, bytes))
}

/// Partitions must not overlap: a checked byte in one could be changed through the other.
fn apart(mut table: PartitionTable) -> Result<PartitionTable, ReadError> {
    table.partitions.sort_by_key(|partition| partition.start);
    for pair in table.partitions.windows(2) {
        if pair[0].bytes().end > pair[1].start {
            return Err(ReadError::Broken(format!("its partitions {} and {} overlap", pair[0].number, pair[1].number)));
        }
    }
    if table.partitions.iter().any(|partition| partition.start == 0 || partition.length == 0) {
        return Err(ReadError::broken("one of its partitions has no place or no length"));
    }
    let last = table.partitions.iter().map(|partition| partition.bytes().end).max().unwrap_or(0);
    table.needs = table.needs.max(last);
    Ok(table)
}

/// As tools print it: the first three groups are little-endian (UEFI 2.10, appendix A).
fn guid(bytes: &[u8; 16]) -> String {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::new();
    for (index, place) in ORDER.into_iter().enumerate() {
        if [4, 6, 8, 10].contains(&index) {
            text.push('-');
        }
        text.push_str(&format!("{:02x}", bytes[place]));
    }
    text
}
