//! FAT, through `fatfs`.
//!
//! The reader calculates with the numbers it finds without checking them, so the first block and the allocation table are checked here
//! before. It does not give out the first cluster of a file in a directory, so a false number shows only inside the reader: it ends in a
//! panic or in a read of other data, depending on how it was compiled; a panic ends in [`guarded`]. The reader needs a writable device;
//! ours accepts no writes.

use std::collections::BTreeSet;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fatfs::{FileSystem, FsOptions};

use super::contents::Contents;
use super::listing::{DEEPEST, Listing, Node, join, list};
use super::window::Window;
use crate::image::inspect::read_error::ReadError;
use crate::station::units::{KIB, MIB, to_u64, to_usize};

/// The largest allocation table that is read: that of 64 million clusters.
const LARGEST_FAT: u64 = 256 * MIB;
/// Seeking follows the chain from its beginning, one cluster after the other; a position is kept each time after this many bytes.
const STEP: u64 = MIB;
/// Bytes that are discarded at once on the way to a place.
const SKIP: u64 = 4 * KIB;

pub(in crate::image::inspect) fn is_here(partition: &Window) -> bool {
    let mut first = [0; 512];
    if partition.read_exact_at(0, &mut first).is_err() || first[510..512] != [0x55, 0xaa] {
        return false;
    }
    let named = &first[54..59] == b"FAT12" || &first[54..59] == b"FAT16" || &first[82..87] == b"FAT32";
    named && (first[0] == 0xeb || first[0] == 0xe9)
}

type System = FileSystem<Window>;

pub(in crate::image::inspect) struct Fat {
    fs: System,
}

impl Fat {
    pub(in crate::image::inspect) fn open(partition: &Window) -> Result<Self, ReadError> {
        let mut first = [0; 512];
        partition.read_exact_at(0, &mut first)?;
        check(&first, partition)?;
        Ok(Self { fs: guarded(|| Ok(System::new(partition.clone(), FsOptions::new())?))? })
    }

    /// The label in the root directory, which udev and snapd use; otherwise the one in the first block.
    pub(in crate::image::inspect) fn label(&self) -> Result<String, ReadError> {
        let label = guarded(|| Ok(self.fs.read_volume_label_from_root_dir()?))?;
        Ok(label.unwrap_or_else(|| self.fs.volume_label()).trim_end().to_owned())
    }

    /// Names are kept in lower case: FAT does not distinguish case, and neither do firmwares.
    pub(in crate::image::inspect) fn list(&self) -> Result<Listing, ReadError> {
        guarded(|| self.walk())
    }

    fn walk(&self) -> Result<Listing, ReadError> {
        let mut listing = Listing::new();
        let mut names = 0;
        let mut directories = vec![(String::new(), self.fs.root_dir())];
        while let Some((path, directory)) = directories.pop() {
            // Clusters of directories may form circles; the limit of depth ends them before all memory is full of open ones.
            if path.split('/').count() > DEEPEST {
                return Err(ReadError::Broken(format!("its directories lie more than {DEEPEST} deep in one another")));
            }
            let mut known = BTreeSet::new();
            for entry in directory.iter() {
                let entry = entry?;
                let name = entry.file_name().to_lowercase();
                if name == "." || name == ".." {
                    continue;
                }
                // A file can also be opened by its short name: one that equals another's long name would be read here and booted there.
                let short = entry.short_file_name().to_lowercase();
                if !known.insert(name.clone()) || (short != name && !known.insert(short)) {
                    return Err(ReadError::Broken(format!("two files in /{path} answer to one name; one of them is {name:?}")));
                }
                if name.is_empty() || name.contains(['/', '\0']) {
                    return Err(ReadError::Broken(format!("a file in /{path} has a name that is none: {name:?}")));
                }
                let inside = join(&path, &name);
                if entry.is_dir() {
                    list(&mut listing, &mut names, inside.clone(), Node::Directory)?;
                    directories.push((inside, entry.to_dir()));
                } else {
                    list(&mut listing, &mut names, inside, Node::File { length: entry.len() })?;
                }
            }
        }
        Ok(listing)
    }

    pub(in crate::image::inspect) fn open_file<'a>(&'a self, path: &str, length: u64) -> Result<Box<dyn Contents + 'a>, ReadError> {
        let file = guarded(|| Ok(self.fs.root_dir().open_file(path)?))?;
        Ok(Box::new(Opened { places: vec![file.clone()], file, at: 0, length }))
    }
}

/// The last resort: if the reader panics, the data is damaged. Nothing of it is used afterwards.
fn guarded<T>(read: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_panic| Err(ReadError::broken("its FAT leads to a place that is none")))
}

/// Checks the numbers with which the reader would calculate; offsets in the first block are those of Microsoft's FAT specification 1.03.
fn check(first: &[u8; 512], partition: &Window) -> Result<(), ReadError> {
    let short = |at: usize| u64::from(u16::from_le_bytes([first[at], first[at + 1]]));
    let long = |at: usize| u64::from(u32::from_le_bytes([first[at], first[at + 1], first[at + 2], first[at + 3]]));
    let (sector, cluster, reserved, fats) = (short(11), u64::from(first[13]), short(14), u64::from(first[16]));
    let sectors = if short(19) == 0 { long(32) } else { short(19) };
    let of_fat = if short(22) == 0 { long(36) } else { short(22) };
    let of_root = (short(17) * 32).div_ceil(sector.max(1));
    let whole = [512, 1024, 2048, 4096].contains(&sector) && cluster.is_power_of_two() && reserved > 0 && (1..=2).contains(&fats);
    if !whole || of_fat == 0 || of_fat * sector > LARGEST_FAT {
        return Err(ReadError::broken("the first block of its FAT is damaged"));
    }
    if reserved + fats * of_fat + of_root >= sectors || sectors * sector > partition.length() {
        return Err(ReadError::broken("its FAT is larger than the partition it lies in"));
    }
    // The table must have an entry for every cluster; otherwise a chain could end in the data behind it.
    let clusters = (sectors - reserved - fats * of_fat - of_root) / cluster;
    let bits = match clusters {
        0..4085 => 12,
        4085..65_525 => 16,
        _ => 32,
    };
    if of_fat * sector * 8 / bits < clusters + 2 {
        return Err(ReadError::broken("its FAT is too short for its clusters"));
    }
    // Bit 7 of the flags: only one table is kept, whose number is in the lowest four bits.
    if bits == 32 && short(40) & 0x80 != 0 {
        return Err(ReadError::broken(
            "its FAT names one of its tables as the one that counts: which of them is read depends on who reads it",
        ));
    }
    if fats == 2 {
        check_copies(partition, reserved * sector, of_fat * sector)?;
    }
    if bits == 32 { check_chains(partition, reserved * sector, clusters, long(44)) } else { Ok(()) }
}

/// Firmware may read the second table if the first one has a bad block: both must lead to the same files.
fn check_copies(partition: &Window, start: u64, length: u64) -> Result<(), ReadError> {
    let (mut one, mut other) = (vec![0; to_usize(64 * KIB)], vec![0; to_usize(64 * KIB)]);
    let mut at = 0;
    while at < length {
        let part = to_usize((64 * KIB).min(length - at));
        partition.read_exact_at(start + at, &mut one[..part])?;
        partition.read_exact_at(start + length + at, &mut other[..part])?;
        if one[..part] != other[..part] {
            return Err(ReadError::broken("the two tables of its FAT disagree: which of them is read depends on who reads it"));
        }
        at += to_u64(part);
    }
    Ok(())
}

/// Every entry of the table must be free, bad, an end, or a cluster; and so must the first one of the root directory.
fn check_chains(partition: &Window, start: u64, clusters: u64, root: u64) -> Result<(), ReadError> {
    let is_cluster = |entry: u64| (2..clusters + 2).contains(&entry);
    let mut buffer = vec![0; to_usize(64 * KIB)];
    let (mut at, end) = (start + 8, start + (clusters + 2) * 4);
    let mut whole = is_cluster(root);
    while at < end && whole {
        let part = &mut buffer[..to_usize((64 * KIB).min(end - at))];
        partition.read_exact_at(at, part)?;
        let entries = part.as_chunks::<4>().0.iter().map(|entry| u64::from(u32::from_le_bytes(*entry) & 0x0fff_ffff));
        whole = entries.into_iter().all(|entry| entry == 0 || is_cluster(entry) || entry >= 0x0fff_fff7);
        at += to_u64(part.len());
    }
    if whole { Ok(()) } else { Err(ReadError::broken("its FAT leads to a place that is none")) }
}

struct Opened<'a> {
    file: fatfs::File<'a, Window>,
    at: u64,
    length: u64,
    /// The positions in the file at multiples of [`STEP`], from the first on.
    places: Vec<fatfs::File<'a, Window>>,
}

impl Opened<'_> {
    /// Reading stops at the end of a step, so that the position can be kept.
    fn read_some(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        let most = usize::try_from(STEP - self.at % STEP).unwrap_or(usize::MAX).min(into.len());
        let count = self.file.read(&mut into[..most])?;
        self.at += to_u64(count);
        if count > 0 && self.at == to_u64(self.places.len()) * STEP {
            self.places.push(self.file.clone());
        }
        Ok(count)
    }

    fn go_to(&mut self, at: u64) -> Result<(), ReadError> {
        if at == self.at {
            return Ok(());
        }
        if at < self.at || at / STEP > self.at / STEP {
            let nearest = usize::try_from(at / STEP).unwrap_or(usize::MAX).min(self.places.len() - 1);
            if at < self.at || to_u64(nearest) * STEP > self.at {
                self.file = self.places[nearest].clone();
                self.at = to_u64(nearest) * STEP;
            }
        }
        let mut skipped = vec![0; to_usize(SKIP)];
        while self.at < at {
            let most = to_usize(SKIP.min(at - self.at));
            if self.read_some(&mut skipped[..most])? == 0 {
                return Err(ReadError::Read(std::io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Ok(())
    }
}

impl Contents for Opened<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&mut self, at: u64, into: &mut [u8]) -> Result<(), ReadError> {
        guarded(|| {
            self.go_to(at)?;
            let mut filled = 0;
            while filled < into.len() {
                match self.read_some(&mut into[filled..])? {
                    0 => return Err(ReadError::Read(std::io::ErrorKind::UnexpectedEof.into())),
                    count => filled += count,
                }
            }
            Ok(())
        })
    }
}
