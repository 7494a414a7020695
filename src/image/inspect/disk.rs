//! Checks that an image is a disk image, and whole. Every image is checked before it is armed or written, whatever it is for.
//!
//! ```text
//! footer of another format ─────────────────────────────────▶ refused by its name
//! partition table: whole ──▶ taken    none, or damaged ──▶ another format? ──▶ refused by its name
//!    │ ends behind the file: cut short, refused                   │ no
//!    └ damaged: refused                    one file system ◀──────┤
//!                                     taken, with a warning       └ neither: refused, or taken where that is meant
//! ```
//! `image inspect` requires more of an image of Ubuntu Core. Here every table is accepted that any system would accept: hybrid ones,
//! entries at unusual places, partitions that overlap as those of an ISO do. A damaged one is refused, although a system might use the
//! backup: no tool builds an image in this way.

use std::io;
use std::rc::Rc;

use super::filesystem::{self, Alone};
use super::read_error::ReadError;
use super::readers::table::{EXTENDED, GPT_BLOCKS, MBR_BLOCK, PROTECTIVE, sound_copy};
use super::readers::window::{FileMedium, Medium, Window};
use super::time_limit::{self, Ended, LookError};
use crate::image::foreign::{self, FOOTER, HEAD};
use crate::image::packing::Opened;
use crate::image::{ImageError, Staged};
use crate::station::armed::Contents;
use crate::station::units::{to_u64, to_usize};

/// Limit of a chain of logical partitions; a longer one is a circle: the kernel stops at 256 partitions.
const MOST_LOGICAL: usize = 256;
/// Types of an MBR entry that holds a BSD: of FreeBSD, OpenBSD, NetBSD.
const BSD: [u8; 3] = [0xa5, 0xa6, 0xa9];
/// The place of the entries in an MBR.
const ENTRIES: std::ops::Range<usize> = 446..510;

/// Why an image is not written.
#[derive(Debug)]
enum No {
    /// It is of another format.
    Foreign(foreign::Foreign),
    /// The file ends before the length that it states.
    Short { needs: u64, what: &'static str },
    /// Its partition table is damaged.
    Damaged(String),
    /// It may be intended.
    Unusual(String),
}

/// Checks whether a staged image is a complete disk image. `meant` is the kind of contents in the configuration.
///
/// Returns warnings for the person who writes it.
///
/// # Errors
/// If it must not be written, or the system could not read it.
pub(crate) fn look(staged: &Staged, meant: Contents) -> Result<Vec<String>, ImageError> {
    let path = staged.source().to_owned();
    let could_not = |error| match error {
        LookError::Begin(source) => ImageError::Thread { source },
        LookError::Read { at, source } => ImageError::Read { path: staged.path().to_owned(), at, source },
        slow @ LookError::Slow { .. } => {
            ImageError::Read { path: staged.path().to_owned(), at: 0, source: io::Error::new(io::ErrorKind::TimedOut, slow) }
        }
    };
    let file = staged.file().try_clone().map_err(|source| ImageError::Read { path: staged.path().to_owned(), at: 0, source })?;
    let span = staged.span().0;
    let is_zero = staged.extents().data().is_empty();
    let medium = move || Rc::new(FileMedium::new(file, span)) as Rc<dyn Medium>;
    let damaged = |why: &str| Ok(Err(No::Damaged(why.to_owned())));
    // If a reader panics over hostile data, the image is refused, as in `inspect`.
    let judged =
        match time_limit::within(time_limit::longest(span), medium, move |window| judge(window, is_zero, meant)).map_err(could_not)? {
            Ended::Found(judged) => judged,
            Ended::Endless => damaged("reading it does not end: its tables form a loop"),
            Ended::GaveUp => damaged("it is damaged so badly that its reader gave up"),
        };
    match judged {
        Err(trouble) => Err(ImageError::Table { path, why: trouble.words() }),
        Ok(Ok(warnings)) => Ok(warnings),
        Ok(Err(No::Foreign(foreign))) => Err(foreign.refuse(&path, Opened::open(&path).is_ok_and(|opened| !opened.packing.is_raw()))),
        Ok(Err(No::Short { needs, what })) if foreign::is_a_part(&path) => {
            Err(ImageError::Part { path, why: format!("its {what} reaches to byte {needs}, and it ends at byte {span}") })
        }
        Ok(Err(No::Short { needs, what })) => Err(ImageError::CutShort { path, at: span, needs, missing: needs - span, what }),
        Ok(Err(No::Damaged(why))) => Err(ImageError::Table { path, why }),
        Ok(Err(No::Unusual(why))) if foreign::is_a_part(&path) => Err(ImageError::Part { path, why: format!("it {why}") }),
        Ok(Err(No::Unusual(why))) => Err(ImageError::Unusual { path, why }),
    }
}

fn judge(image: &Window, is_zero: bool, meant: Contents) -> Result<Result<Vec<String>, No>, ReadError> {
    let head = some(image, 0, HEAD)?;
    let foreign = if let Ok(footer) = some(image, image.length().saturating_sub(to_u64(FOOTER)), to_u64(FOOTER))?.try_into() {
        foreign::by_footer(&footer, image.length())
    } else {
        None
    };
    if let Some(foreign) = foreign {
        return Ok(Err(No::Foreign(foreign)));
    }
    let alone = filesystem::of(image, &head)?;
    let cut_short = |alone: &Alone| alone.needs.filter(|needs| *needs > image.length()).map(|needs| No::Short { needs, what: alone.name });
    let mut warnings = Vec::new();
    let mut unusual = Vec::new();
    match table(image, &head, alone.as_ref(), &mut warnings)? {
        // An ISO contains a table, and states its own length.
        Ok(true) => {
            if let Some(no) = alone.as_ref().filter(|alone| alone.is_iso).and_then(cut_short) {
                return Ok(Err(no));
            }
        }
        without => {
            if let Some(foreign) = foreign::by_head(&head).or_else(|| filesystem::sealed(image, alone.as_ref())) {
                return Ok(Err(No::Foreign(foreign)));
            }
            if let Err(no) = without {
                return Ok(Err(no));
            }
            if let Some(no) = alone.as_ref().and_then(cut_short) {
                return Ok(Err(no));
            }
            match alone {
                Some(Alone { name, boots: true, .. }) => {
                    warnings.push(format!("it has no partition table: it is one {name} from its first byte on"));
                }
                Some(Alone { name, boots: false, .. }) => unusual.push(format!("is one {name} without a partition table")),
                None if is_zero => unusual.push("holds nothing but zeroes".to_owned()),
                None => unusual.push("has neither a partition nor a file system that is known here".to_owned()),
            }
        }
    }
    if !image.length().is_multiple_of(MBR_BLOCK) {
        unusual.push(format!("has a length of {} bytes, which no card has: it is no multiple of {MBR_BLOCK}", image.length()));
    }
    if !unusual.is_empty() && meant == Contents::Disk {
        return Ok(Err(No::Unusual(unusual.join(" and "))));
    }
    warnings.extend(unusual.into_iter().map(|why| format!("it {why}, and `contents = \"any\"` declares that this is intended")));
    Ok(Ok(warnings))
}

/// Reads as many bytes as there are.
fn some(image: &Window, at: u64, length: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = vec![0; to_usize(length.min(image.length().saturating_sub(at)))];
    image.read_exact_at(at, &mut bytes)?;
    Ok(bytes)
}

/// Whether it has a complete partition table.
fn table(image: &Window, head: &[u8], alone: Option<&Alone>, warnings: &mut Vec<String>) -> Result<Result<bool, No>, ReadError> {
    let gpt = GPT_BLOCKS.into_iter().find(|block| head.get(to_usize(*block)..).is_some_and(|rest| rest.starts_with(b"EFI PART")));
    let mut of_another_kind = |name: &str| {
        warnings.push(format!("its partition table is of another kind ({name}), which is not read here, so its completeness is unknown"));
        Ok(Ok(true))
    };
    if head.get(510..512) != Some(&[0x55, 0xaa]) {
        if let Some(name) = other_table(head) {
            return of_another_kind(name);
        }
        return Ok(if gpt.is_some() { Err(No::Damaged("its GPT has no protective MBR in front of it".to_owned())) } else { Ok(false) });
    }
    let entries: Vec<Entry> = head[ENTRIES].chunks_exact(16).map(Entry::of).collect();
    // A BSD that uses the whole disk: boot code in the place of an MBR, and no entry, or one that stands for the whole disk without stating
    // its length (FreeBSD's `boot1`).
    let is_of_bsd = |entry: &Entry| !entry.is_used() || (entry.start == 0 && BSD.contains(&entry.kind));
    if gpt.is_none() && alone.is_none() && is_bsd(head) && (entries.iter().all(is_of_bsd) || !entries.iter().all(Entry::is_plausible)) {
        return of_another_kind("BSD");
    }
    if let Some(number) = entries.iter().position(|entry| !entry.is_plausible()) {
        // The code of a file system is in the place of the table, as on a card that was formatted as a whole: then the kernel sees no
        // table.
        if alone.is_some() {
            return Ok(Ok(false));
        }
        let why = format!("entry {} of its MBR begins with {:#04x}, which is neither 0x00 nor 0x80", number + 1, entries[number].status);
        return Ok(if gpt.is_some() || entries.iter().any(Entry::is_used) { Err(No::Damaged(why)) } else { Ok(false) });
    }
    let is_iso = alone.is_some_and(|alone| alone.is_iso);
    if entries.iter().any(|entry| entry.kind == PROTECTIVE) {
        return match gpt {
            Some(block) => gpt_table(image, block, warnings),
            None if is_iso => Ok(Ok(false)),
            None => Ok(Err(No::Damaged("its MBR speaks of a GPT, and there is none".to_owned()))),
        };
    }
    if !entries.iter().any(Entry::is_used) {
        return Ok(if gpt.is_some() { Err(No::Damaged("its GPT has no protective MBR in front of it".to_owned())) } else { Ok(false) });
    }
    if gpt.is_some() && !is_iso {
        warnings.push("it has a GPT, too, which a system that goes by its MBR does not see".to_owned());
    }
    let mut needs = 0;
    for entry in entries.iter().filter(|entry| entry.is_used()) {
        needs = needs.max(entry.end(0));
        if EXTENDED.contains(&entry.kind)
            && entry.end(0) <= image.length()
            && let Err(why) = logical(image, entry.start())?
        {
            return Ok(Err(No::Damaged(why)));
        }
    }
    Ok(if needs > image.length() { Err(No::Short { needs, what: "partition table" }) } else { Ok(true) })
}

/// Tables of other machines, recognised by their first bytes.
fn other_table(head: &[u8]) -> Option<&'static str> {
    let at = |at: usize, magic: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(magic));
    match () {
        () if at(0, b"ER") && at(512, b"PM") => Some("Apple"),
        () if at(508, b"\xda\xbe") => Some("Sun"),
        () if at(0, b"RDSK") => Some("Amiga"),
        () if is_bsd(head) => Some("BSD"),
        () => None,
    }
}

/// A BSD disklabel contains its magic number twice, 132 bytes apart (`sys/disklabel.h`), in the second block or behind the boot code of the
/// first.
fn is_bsd(head: &[u8]) -> bool {
    let has = |at: usize| head.get(at..).is_some_and(|rest| rest.starts_with(b"\x57\x45\x56\x82"));
    [512, 64].into_iter().any(|label| has(label) && has(label + 132))
}

/// An entry of an MBR, in blocks of 512 bytes.
struct Entry {
    status: u8,
    kind: u8,
    start: u32,
    length: u32,
}

impl Entry {
    fn of(bytes: &[u8]) -> Self {
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Self { status: bytes[0], kind: bytes[4], start: number(8), length: number(12) }
    }

    fn is_plausible(&self) -> bool {
        matches!(self.status, 0 | 0x80)
    }

    /// As the kernel interprets it (block/partitions/msdos.c): an entry without length or kind is unused, and may contain anything.
    fn is_used(&self) -> bool {
        self.kind != 0 && self.length != 0
    }

    fn start(&self) -> u64 {
        u64::from(self.start) * MBR_BLOCK
    }

    fn end(&self, base: u64) -> u64 {
        base + self.start() + u64::from(self.length) * MBR_BLOCK
    }
}

/// Follows the chain of an extended partition that begins at byte `first` inside the image. Each link has a partition, counted from that
/// link, and the next link, counted from the first.
fn logical(image: &Window, first: u64) -> Result<Result<(), String>, ReadError> {
    let mut at = first;
    for _ in 0..MOST_LOGICAL {
        let link = some(image, at, MBR_BLOCK)?;
        if link.get(510..512) != Some(&[0x55, 0xaa]) {
            return Ok(Err(format!("the chain of its logical partitions breaks at byte {at}")));
        }
        let entries: Vec<Entry> = link[ENTRIES].chunks_exact(16).map(Entry::of).collect();
        let is_link = |entry: &&Entry| EXTENDED.contains(&entry.kind) && entry.length != 0;
        if let Some(entry) = entries.iter().find(|entry| entry.is_used() && !is_link(entry) && entry.end(at) > image.length()) {
            return Ok(Err(format!("a logical partition ends at byte {}, behind the end of the file", entry.end(at))));
        }
        match entries.iter().find(is_link) {
            Some(next) => at = first + next.start(),
            None => return Ok(Ok(())),
        }
    }
    Ok(Err("the chain of its logical partitions leads in circles".to_owned()))
}

fn gpt_table(image: &Window, block: u64, warnings: &mut Vec<String>) -> Result<Result<bool, No>, ReadError> {
    let damaged = |what: &str, trouble: ReadError| Ok(Err(No::Damaged(format!("{what}: {}", trouble.words()))));
    let (header, entries) = match sound_copy(image, block, block) {
        Ok((header, entries, _)) => (header, entries),
        Err(trouble) => return damaged("its GPT", trouble),
    };
    let own = u128::from(block);
    let ends = entries.iter().filter(|entry| entry.is_used()).map(|entry| (u128::from(entry.ending_lba) + 1) * own);
    let end = ends.max().unwrap_or(0);
    // Tools that leave the backup out on request let the header point to itself, or nowhere.
    let has_backup = header.backup_lba > 1;
    let backup_end = if has_backup { (u128::from(header.backup_lba) + 1) * own } else { 0 };
    let needs = end.max(backup_end);
    if needs > u128::from(image.length()) {
        let needs = u64::try_from(needs).unwrap_or(u64::MAX);
        return Ok(Err(No::Short { needs, what: "partition table" }));
    }
    if entries.iter().any(|entry| entry.is_used() && entry.ending_lba < entry.starting_lba) {
        return Ok(Err(No::Damaged("its GPT: a partition ends before it begins".to_owned())));
    }
    let has_partitions = entries.iter().any(|entry| entry.is_used());
    if !has_backup {
        warnings.push("its GPT has no backup".to_owned());
        return Ok(Ok(has_partitions));
    }
    match sound_copy(image, block, header.backup_lba * block) {
        Ok((second, of_second, _)) if second.disk_guid == header.disk_guid && of_second == entries => {}
        Ok(_) => return Ok(Err(No::Damaged("its GPT and the backup of it disagree".to_owned()))),
        Err(trouble) => return damaged("the backup of its GPT", trouble),
    }
    // A table without a partition counts as none.
    Ok(Ok(has_partitions))
}
