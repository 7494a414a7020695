//! The menu of GRUB in Ubuntu Core 20 and later. No snap has it as a file: snapd carries it inside its program. The tool that makes an
//! image writes the menu of the snapd that runs there, which need not be the snapd in the image.
//!
//! So a menu is snapd's own if it is one of those that snapd has been published with, or if the proven snapd in the image carries it.

use memchr::memmem;

use crate::image::inspect::read_error::ReadError;
use crate::image::inspect::readers::squashfs::{Inode, Squashfs};

/// What carries it inside a snapd snap.
const PROGRAM: &str = "usr/lib/snapd/snapd";
/// How every text of snapd's for a boot loader begins.
const HEAD: &[u8] = b"# Snapd-Boot-Config-Edition: ";
/// What only the menu of a seed does: the one that starts an installed system looks for no systems.
const LOOKS_FOR_SYSTEMS: &[u8] = b" in /systems/*; do\n";

/// Does this snapd carry it, whole?
///
/// # Errors
/// Where the snap cannot be read.
pub(super) fn is_in(snapd: &mut Squashfs<'_>, menu: &[u8]) -> Result<bool, ReadError> {
    if !menu.starts_with(HEAD) || !menu.ends_with(b"}\n") || memmem::find(menu, LOOKS_FOR_SYSTEMS).is_none() {
        return Ok(false);
    }
    let Some(Inode::File(program)) = snapd.find(PROGRAM)? else { return Ok(false) };
    let finder = memmem::Finder::new(menu);
    // What was read and may be the beginning of it, and one byte more, which tells where it ends.
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

/// A menu that was cut short goes on in the program as the text it is.
fn is_end(next: u8) -> bool {
    // Behind a whole one lies nothing that is text, or the next text of snapd's; a menu is ASCII throughout.
    next == HEAD[0] || !next.is_ascii() || (next.is_ascii_control() && !next.is_ascii_whitespace())
}
