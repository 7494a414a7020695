//! Checks what boots: the files on the boot partition and the boot code outside of it. They are copies from the kernel and gadget snaps,
//! made together with the image, and nothing signs the copies. Here each one is compared with its original.

mod command_line;
pub(super) mod comparison;
mod environment;
mod loader;
mod menu;
pub(super) mod published;
mod raspberry;

use std::collections::BTreeSet;

use super::codes::VerdictCode;
use super::gadget::{Gadget, NumberPlace, Structure};
use super::read_error::ReadError;
use super::readers::contents::Contents;
use super::readers::files::Files;
use super::readers::listing::{Node, join};
use super::readers::squashfs::{Entry, FileInode, Inode, Squashfs};
use super::readers::table::{self, PartitionTable};
use super::seed::Generation;
use crate::station::units::to_u64;
use comparison::{Compared, Expected, LARGEST_TEXT, MOST_FILES, Original, Originals};
use loader::Loader;
use raspberry::Made;

/// Limit of the depth of directories.
const DEEPEST: usize = 16;

/// Bytes of a block number in boot code.
const BLOCK_NUMBER: u64 = 4;
/// Bytes of one of the blocks that boot code counts.
const BLOCK: u64 = 512;

/// A byte of the image, and the block number that it must contain.
type BlockNumber = (u64, [u8; 4]);

/// A file of the gadget that lies in the image outside of every file system.
struct RawFile<'g> {
    at: u64,
    image: &'g str,
    file: FileInode,
}

pub(super) fn compare(mut originals: Originals<'_, '_>) -> Compared {
    let mut compared = Compared::default();
    if let Err(error) = compared.run(&mut originals) {
        compared.different.push(VerdictCode::BootNotCompared.with(format!("the boot files cannot be compared: {}", error.words())));
    }
    compared
}

impl Compared {
    fn run(&mut self, originals: &mut Originals<'_, '_>) -> Result<(), ReadError> {
        let gadget = match &originals.gadget_yaml {
            Ok(gadget) => Some(*gadget),
            Err(error) => {
                self.note_unreadable("the gadget snap", error)?;
                None
            }
        };
        if let Err(error) = &originals.kernel {
            self.note_unreadable("the kernel snap", error)?;
        }
        if let Some(gadget) = gadget {
            self.raw(originals, gadget)?;
        }
        let Some(boot) = originals.boot else {
            // A partition that cannot be read here may be readable for the boot loader.
            self.different
                .push(VerdictCode::NoBootPartition.with("there is no boot partition whose files can be read, so it is unknown what boots"));
            return Ok(());
        };
        let mut expected = Expected::default();
        let mut loader = None;
        if let Some(gadget) = gadget {
            self.expect_of_gadget(originals, gadget, boot, &mut expected)?;
            if let Ok(snap) = &mut originals.gadget {
                loader = Loader::of(snap, gadget)?;
            }
        }
        self.expect_of_kernel(originals, loader, boot, &mut expected)?;
        expect_of_firmware(originals, loader, &mut expected)?;
        self.environments(originals, gadget, loader, boot, &mut expected)?;
        self.expect_seed(originals, boot, &mut expected)?;
        for (path, original) in &expected.files {
            self.compare_file(originals, boot, path, original)?;
        }
        let others = boot.listing.iter().filter(|(path, node)| !matches!(node, Node::Directory) && !expected.has(path));
        // If the gadget was not read, a file may come from it, except in directories that belong to seeds and kernels only.
        let (perhaps, foreign) = others
            .map(|(path, _)| path.clone())
            .partition(|path| gadget.is_none() && !path.starts_with("systems/") && !path.starts_with("snaps/"));
        self.foreign = self.doubtful(originals.allowed, boot, foreign);
        self.refuse_unless_allowed(originals.allowed, boot, perhaps, "the gadget that may have brought it cannot be looked into");
        Ok(())
    }

    /// An original that cannot be read here is reported, and every file that may have come from it is doubted; a damaged one is a
    /// difference.
    fn note_unreadable(&mut self, what: &str, error: &ReadError) -> Result<(), ReadError> {
        match error {
            ReadError::Unreadable(why) => {
                self.uncovered.push(format!("cannot look inside {what}: {why}"));
                Ok(())
            }
            other => Err(ReadError::Broken(format!("{what}: {}", other.words()))),
        }
    }

    /// Boot code outside of every file system.
    fn raw(&mut self, originals: &mut Originals<'_, '_>, gadget: &Gadget) -> Result<(), ReadError> {
        let (places, numbers) = self.places_of(originals, gadget)?;
        let Ok(snap) = &mut originals.gadget else { return Ok(()) };
        for RawFile { at, image, file } in places {
            // The image tool writes block numbers into it; they are compared with the table below.
            self.places.push(at..at.saturating_add(file.length));
            let is_number =
                |place: u64| numbers.iter().any(|(number, _)| (*number..number.saturating_add(BLOCK_NUMBER)).contains(&(at + place)));
            match difference(snap, &file, &mut originals.image.part(at, file.length), &is_number)? {
                None => self.equal += 1,
                Some(place) => {
                    self.different.push(
                        VerdictCode::BootCodeDiffers
                            .with(format!("the boot code at byte {at} differs from the gadget's {image}, from byte {place} on")),
                    );
                }
            }
        }
        for (at, number) in &numbers {
            let mut found = [0; 4];
            if originals.image.read_exact_at(*at, &mut found).is_err() || found != *number {
                self.different.push(
                    VerdictCode::BootCodeDiffers
                        .with(format!("the boot code leads elsewhere than to the gadget's: the block number at byte {at} is another")),
                );
            }
        }
        Ok(())
    }

    /// The places of the gadget's files without a file system, and of the block numbers. A file without a known place is not searched: it
    /// would lie in a partition or a gap, and everything there that is not compared is refused.
    fn places_of<'g>(
        &mut self,
        originals: &mut Originals<'_, '_>,
        gadget: &'g Gadget,
    ) -> Result<(Vec<RawFile<'g>>, Vec<BlockNumber>), ReadError> {
        let (mut places, mut numbers) = (Vec::new(), Vec::new());
        let Ok(snap) = &mut originals.gadget else { return Ok((places, numbers)) };
        let table = originals.table;
        let mut number = |place: Option<NumberPlace<'_>>, start: Option<u64>| {
            let from = |place: &NumberPlace<'_>| match place.from {
                None | Some("mbr") => Some(0),
                Some(name) => gadget.structures().find(|structure| structure.name == name).and_then(|structure| start_of(structure, table)),
            };
            if let (Some(place), Some(start)) = (place, start)
                && let Some(at) = from(&place).and_then(|from| from.checked_add(place.offset))
            {
                numbers.push((at, u32::try_from(start / BLOCK).unwrap_or(u32::MAX).to_le_bytes()));
            }
        };
        for structure in gadget.structures() {
            let start = start_of(structure, table);
            number(structure.number_place(), start);
            let mut end = Some(0);
            for content in &structure.content {
                let Some(image) = content.image.as_deref() else { continue };
                let Some(Inode::File(file)) = snap.find(image)? else {
                    self.different
                        .push(VerdictCode::GadgetFileMissing.with(format!("the gadget speaks of {image}, which it does not have")));
                    continue;
                };
                let begin = content.begin(end);
                end = begin.and_then(|begin| begin.checked_add(content.room(file.length)));
                let at = start.zip(begin).and_then(|(start, begin)| start.checked_add(begin));
                number(content.number_place(), at);
                match at {
                    Some(at) => places.push(RawFile { at, image, file }),
                    // Partitions that the first boot makes are not in the image.
                    None if is_made_at_first_boot(structure) => {}
                    None => self.uncovered.push(format!("the place of {image} of the gadget outside of the file systems is unknown")),
                }
            }
        }
        Ok((places, numbers))
    }

    /// The `content:` of the structure that is the boot partition.
    fn expect_of_gadget(
        &mut self,
        originals: &mut Originals<'_, '_>,
        gadget: &Gadget,
        boot: &Files,
        expected: &mut Expected,
    ) -> Result<(), ReadError> {
        let role = if originals.seed.generation == Generation::Core20 { "system-seed" } else { "system-boot" };
        let named = |structure: &&Structure| {
            structure.filesystem_label.eq_ignore_ascii_case(&boot.label) || structure.name.eq_ignore_ascii_case(&boot.label)
        };
        let structure = gadget.structures().find(named).or_else(|| gadget.structures().find(|structure| structure.role == role));
        let Some(structure) = structure else {
            self.uncovered.push(format!("the gadget does not describe {}: its files were compared with nothing", boot.label));
            return Ok(());
        };
        for content in &structure.content {
            let (Some(source), Some(target)) = (&content.source, &content.target) else { continue };
            if let Some(asset) = source.strip_prefix("$kernel:") {
                // `$kernel:ASSET/PATH`: a path in the kernel snap, behind the name of the asset.
                let path = asset.split_once('/').map_or("", |(_, path)| path);
                if let Ok(kernel) = &mut originals.kernel {
                    place(kernel, path, target, expected, Original::Kernel)?;
                }
                continue;
            }
            if let Ok(snap) = &mut originals.gadget {
                let found = place(snap, source, target, expected, Original::Gadget)?;
                if !found {
                    self.different
                        .push(VerdictCode::GadgetFileMissing.with(format!("the gadget speaks of {source}, which it does not have")));
                }
            }
        }
        Ok(())
    }

    /// The files that a boot loader loads if it cannot read squashfs: the kernel, extracted from its snap.
    fn expect_of_kernel(
        &mut self,
        originals: &mut Originals<'_, '_>,
        loader: Option<Loader>,
        boot: &Files,
        expected: &mut Expected,
    ) -> Result<(), ReadError> {
        let is_core20 = originals.seed.generation == Generation::Core20;
        let directory = kernel_directory(originals);
        let copies: BTreeSet<String> =
            boot.below(&directory).filter(|(_, node)| **node != Node::Directory).map(|(path, _)| path.to_owned()).collect();
        let Ok(kernel) = &mut originals.kernel else {
            copies.iter().try_for_each(|path| expected.insert(path.clone(), Original::Elsewhere))?;
            let why = "the kernel snap it is a copy out of cannot be looked into";
            self.refuse_unless_allowed(originals.allowed, boot, copies.into_iter().collect(), why);
            return Ok(());
        };
        let loads_copies = matches!(loader, Some(Loader::Uboot | Loader::Piboot));
        if copies.is_empty() && !loads_copies {
            return Ok(());
        }
        // If the loader is unknown, both layouts are allowed.
        let (as_they_are, for_firmware) = match loader {
            Some(Loader::Piboot) => (!is_core20, is_core20),
            Some(_) => (true, false),
            None => (true, is_core20),
        };
        let has_broadcom = matches!(kernel.find("dtbs/broadcom")?, Some(Inode::Directory(_)));
        for (path, entry) in tree(kernel, "")? {
            let is_asset = path == "kernel.img" || path == "initrd.img" || (loads_copies && path.starts_with("dtbs/"));
            let plain = as_they_are.then(|| path.clone());
            let moved = for_firmware.then(|| raspberry::place(&path, has_broadcom)).flatten();
            for place in plain.into_iter().chain(moved) {
                let key = format!("{directory}/{}", place.to_lowercase());
                if is_asset || copies.contains(&key) {
                    expected.insert(key, Original::Kernel(path.clone(), entry.clone()))?;
                }
            }
        }
        let command_line = format!("{directory}/cmdline.txt");
        if is_core20 && loader.is_none() && copies.contains(&command_line) && !expected.has(&command_line) {
            expected.insert(command_line.clone(), Original::Elsewhere)?;
            let why = "the gadget whose boot loader would say what is in it cannot be looked into";
            self.refuse_unless_allowed(originals.allowed, boot, vec![command_line], why);
        }
        Ok(())
    }

    /// The seed of Ubuntu Core 20 lies on the boot partition; it is compared with the model in another place.
    fn expect_seed(&self, originals: &Originals<'_, '_>, boot: &Files, expected: &mut Expected) -> Result<(), ReadError> {
        let seed = originals.seed;
        if seed.generation != Generation::Core20 {
            return Ok(());
        }
        let assertions = seed.assertions.iter().map(|assertion| &assertion.path);
        let paths = assertions.chain(seed.snaps.iter().map(|snap| &snap.path));
        paths.filter(|path| boot.node(path).is_some()).try_for_each(|path| expected.insert(path.to_lowercase(), Original::Elsewhere))
    }

    fn compare_generated(&mut self, boot: &Files, path: &str, of: &str, made: &Made) -> Result<(), ReadError> {
        if !matches!(boot.node(path), Some(Node::File { .. })) {
            self.different.push(
                VerdictCode::BootFileMissing
                    .with(format!("{path} is missing on {}: snapd makes it from {of} in the gadget snap", boot.label)),
            );
            return Ok(());
        }
        match made.difference(&boot.read(path, LARGEST_TEXT)?) {
            None => self.equal += 1,
            Some(words) => self.different.push(VerdictCode::BootFileDiffers.with(format!("{path} {words}"))),
        }
        Ok(())
    }

    fn compare_file(&mut self, originals: &mut Originals<'_, '_>, boot: &Files, path: &str, original: &Original) -> Result<(), ReadError> {
        let (snap, whose, inside, entry) = match original {
            Original::Elsewhere => return Ok(()),
            Original::Made(of, made) => return self.compare_generated(boot, path, of, made),
            Original::Gadget(inside, entry) => (&mut originals.gadget, "gadget", inside, entry),
            Original::Kernel(inside, entry) => (&mut originals.kernel, "kernel", inside, entry),
        };
        let Ok(snap) = snap else { return Ok(()) };
        let Inode::File(file) = snap.node(entry)? else { return Ok(()) };
        if !matches!(boot.node(path), Some(Node::File { .. })) {
            self.different.push(
                VerdictCode::BootFileMissing.with(format!("{path} is missing on {}: it is {inside} of the {whose} snap", boot.label)),
            );
            return Ok(());
        }
        let mut copy = boot.open_file(path)?;
        let Some(place) = difference(snap, &file, copy.as_mut(), &|_| false)? else {
            self.equal += 1;
            return Ok(());
        };
        drop(copy);
        let words = describe_change(snap, &file, boot, path)?.map(|words| format!(": it {words}")).unwrap_or_default();
        self.different.push(
            VerdictCode::BootFileDiffers.with(format!("{path} differs from {inside} in the {whose} snap, from byte {place} on{words}")),
        );
        Ok(())
    }
}

/// Since Ubuntu Core 20: the directory of the system's kernel. Before: a directory with the name of the kernel's file.
fn kernel_directory(originals: &Originals<'_, '_>) -> String {
    let is_core20 = originals.seed.generation == Generation::Core20;
    let directory = if is_core20 { format!("{}/kernel", originals.seed.root) } else { originals.kernel_file.to_owned() };
    directory.to_lowercase()
}

/// The files that snapd makes for the firmware of the Raspberry Pi; they replace those of the gadget.
fn expect_of_firmware(originals: &mut Originals<'_, '_>, loader: Option<Loader>, expected: &mut Expected) -> Result<(), ReadError> {
    let directory = kernel_directory(originals);
    let (Some(Loader::Piboot), Some(label), Ok(gadget)) = (loader, &originals.seed.label, &mut originals.gadget) else {
        return Ok(());
    };
    let mut text = |path: &str| -> Result<Option<(String, Vec<u8>)>, ReadError> {
        let Some(Original::Gadget(inside, entry)) = expected.files.get(path) else { return Ok(None) };
        let Inode::File(file) = gadget.node(entry)? else { return Ok(None) };
        let text = gadget.read(&file, LARGEST_TEXT).map_err(|error| error.about(inside))?;
        Ok(Some((inside.clone(), text)))
    };
    let (config, command_line) = (text("config.txt")?, text("cmdline.txt")?);
    if let Some((inside, text)) = config {
        let made = Made::config(&text, &format!("/systems/{label}/kernel/"));
        expected.insert("config.txt".to_owned(), Original::Made(inside, made))?;
    }
    if let Some((inside, text)) = command_line {
        expected.insert(format!("{directory}/cmdline.txt"), Original::Made(inside, Made::command_line(&text, label)))?;
    }
    expected.insert(format!("{directory}/overlays/readme"), Original::Made("nothing".to_owned(), Made::Empty))
}

/// The effect of a change to a text of the firmware, in words.
fn describe_change(snap: &mut Squashfs<'_>, file: &FileInode, boot: &Files, path: &str) -> Result<Option<String>, ReadError> {
    if !matches!(path, "config.txt" | "cmdline.txt") || file.length > LARGEST_TEXT {
        return Ok(None);
    }
    let Ok(found) = boot.read(path, LARGEST_TEXT) else { return Ok(None) };
    Ok(raspberry::difference(path, &snap.read(file, LARGEST_TEXT)?, &found))
}

/// Adds a file of the gadget, or the contents of a directory, at its target; false if it does not exist.
fn place(
    snap: &mut Squashfs<'_>,
    source: &str,
    target: &str,
    expected: &mut Expected,
    original: fn(String, Entry) -> Original,
) -> Result<bool, ReadError> {
    let source_path = source.trim_matches('/');
    let target_path = target.trim_matches('/').to_lowercase();
    let under = |name: &str| if target_path.is_empty() { name.to_lowercase() } else { format!("{target_path}/{}", name.to_lowercase()) };
    let last = source_path.rsplit('/').next().unwrap_or_default();
    if let Some(entry) = snap.entry(source_path)?
        && matches!(snap.node(&entry)?, Inode::File(_))
    {
        let key = if target.ends_with('/') { under(last) } else { target_path };
        expected.insert(key, original(source_path.to_owned(), entry))?;
        return Ok(true);
    }
    if !matches!(snap.find(source_path)?, Some(Inode::Directory(_))) {
        return Ok(false);
    }
    // `dir/` means its contents, `dir` means the directory itself.
    let inside_itself = !source.ends_with('/') && !source_path.is_empty();
    for (path, entry) in tree(snap, source_path)? {
        let relative = if source_path.is_empty() { path.as_str() } else { path.get(source_path.len() + 1..).unwrap_or_default() };
        let name = if inside_itself { format!("{last}/{relative}") } else { relative.to_owned() };
        expected.insert(under(&name), original(path, entry))?;
    }
    Ok(true)
}

/// Every regular file below a directory of a snap, by path from the snap's root.
fn tree(snap: &mut Squashfs<'_>, root: &str) -> Result<Vec<(String, Entry)>, ReadError> {
    let Some(Inode::Directory(directory)) = snap.find(root)? else { return Ok(Vec::new()) };
    let mut directories = vec![(root.to_owned(), directory, 0)];
    let mut files = Vec::new();
    let mut seen = 0;
    while let Some((path, directory, depth)) = directories.pop() {
        for entry in snap.entries(directory)? {
            seen += 1;
            let inside = join(&path, &entry.name);
            // A kernel snap has thousands of modules and firmware files, which no boot loader reads.
            if root.is_empty() && depth == 0 && matches!(entry.name.as_str(), "modules" | "firmware" | "meta" | "lib") {
                continue;
            }
            if seen > MOST_FILES || depth > DEEPEST {
                return Err(ReadError::Broken(format!(
                    "a snap has more than {MOST_FILES} boot files, or they lie more than {DEEPEST} deep"
                )));
            }
            match snap.node(&entry)? {
                Inode::File(_) => files.push((inside, entry)),
                Inode::Directory(directory) => directories.push((inside, directory, depth + 1)),
                Inode::Link { .. } | Inode::Other => {}
            }
        }
    }
    Ok(files)
}

/// The first byte in which a copy differs from its original, without those that `may_differ` allows.
fn difference(
    snap: &mut Squashfs<'_>,
    file: &FileInode,
    copy: &mut dyn Contents,
    may_differ: &dyn Fn(u64) -> bool,
) -> Result<Option<u64>, ReadError> {
    if copy.length() != file.length {
        return Ok(Some(copy.length().min(file.length)));
    }
    let (mut at, mut found) = (0, None);
    let mut failed = None;
    snap.read_through(file, |part| {
        if found.is_some() || failed.is_some() {
            return;
        }
        let mut here = vec![0; part.len()];
        match copy.read_exact_at(at, &mut here) {
            Ok(()) => {
                let places = (at..).zip(part.iter().zip(&here)).filter(|(_, (original, copy))| original != copy);
                found = places.map(|(place, _)| place).find(|place| !may_differ(*place));
            }
            Err(error) => failed = Some(error),
        }
        at += to_u64(part.len());
    })?;
    match failed {
        Some(error) => Err(error),
        None => Ok(found),
    }
}

/// The structure's first byte in the image: a GPT has its name, otherwise its own offset is used.
fn start_of(structure: &Structure, table: &PartitionTable) -> Option<u64> {
    // By the place, whatever the name of the partition.
    if structure.is_mbr() {
        return Some(0);
    }
    let named = |partition: &&table::Partition| !structure.name.is_empty() && partition.name == structure.name;
    table.partitions.iter().find(named).map(|partition| partition.start).or_else(|| structure.start())
}

fn is_made_at_first_boot(structure: &Structure) -> bool {
    matches!(structure.role.as_str(), "system-boot" | "system-save" | "system-data")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::inspect::readers::table::{Kind, Partition};

    #[test]
    fn no_partition_is_the_mbr_by_calling_itself_so() {
        let gadget = Gadget::read(b"volumes:\n  pc:\n    structure:\n      - {name: mbr, type: mbr, size: 440}\n").expect("it is one");
        let posing = Partition { number: 1, start: 5 << 20, length: 1 << 20, kind: String::new(), name: "mbr".to_owned() };
        let table = PartitionTable { kind: Kind::Gpt, partitions: vec![posing], needs: 0, own: Vec::new() };
        assert_eq!(gadget.structures().map(|structure| start_of(structure, &table)).collect::<Vec<_>>(), [Some(0)]);
    }
}
