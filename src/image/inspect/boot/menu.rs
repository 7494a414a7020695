//! The menu of GRUB in Ubuntu Core 20 and later. No snap has it as a file: snapd carries it inside its program. The tool that makes an
//! image writes the menu of its own snapd, which need not be the snapd in the image.
//!
//! So a menu is genuine if it is that of a published snapd, or if the proven snapd in the image contains it.

use memchr::memmem;

use crate::image::inspect::read_error::ReadError;
use crate::image::inspect::readers::squashfs::{Inode, Squashfs};

/// The program inside a snapd snap that contains the menu.
const PROGRAM: &str = "usr/lib/snapd/snapd";
/// The beginning of every text that snapd has for a boot loader.
const HEAD: &[u8] = b"# Snapd-Boot-Config-Edition: ";
/// A command that only the menu of a seed has: the menu of an installed system searches no systems.
const LOOKS_FOR_SYSTEMS: &[u8] = b" in /systems/*; do\n";

/// Does this snapd contain the complete menu?
///
/// # Errors
/// If the snap cannot be read.
pub(super) fn is_in(snapd: &mut Squashfs<'_>, menu: &[u8]) -> Result<bool, ReadError> {
    if !menu.starts_with(HEAD) || !menu.ends_with(b"}\n") || memmem::find(menu, LOOKS_FOR_SYSTEMS).is_none() {
        return Ok(false);
    }
    let Some(Inode::File(program)) = snapd.find(PROGRAM)? else { return Ok(false) };
    let finder = memmem::Finder::new(menu);
    // The bytes read so far that may be its beginning, and one byte more, which shows where it ends.
    let (mut kept, mut found): (Vec<u8>, bool) = (Vec::new(), false);
    snapd.read_through(&program, |part| {
        if found {
            return;
        }
        kept.extend_from_slice(part);
        found = finder.find_iter(&kept).any(|at| kept.get(at + menu.len()).is_some_and(|next| is_end(*next)));
        kept.drain(..kept.len().saturating_sub(menu.len()));
    })?;
    Ok(found)
}

/// A menu that was cut short continues in the program as text.
fn is_end(next: u8) -> bool {
    // A complete menu is followed by a byte that is not text, or by the next text of snapd; a menu is ASCII throughout.
    next == HEAD[0] || !next.is_ascii() || (next.is_ascii_control() && !next.is_ascii_whitespace())
}
