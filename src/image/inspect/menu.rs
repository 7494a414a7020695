//! GRUB's menu of Ubuntu Core 20 and later. No snap has it as a file: snapd carries it inside its program, and whoever makes an image
//! writes the one of the snapd that runs there, which need not be the snapd in the image.
//!
//! So a menu is snapd's own if it is one of those that snapd has been published with, or if the proven snapd in the image carries it.

use memchr::memmem;
use sha2::{Digest, Sha256};

use super::Trouble;
use super::squashfs::{Inode, Squashfs};

/// SHA-256 of `grub-recovery.cfg` as it was taken out of `/usr/lib/snapd/snapd` of Debian's and Ubuntu's packages of these versions.
const PUBLISHED: [(&str, &str); 5] = [
    ("2.49", "c1c5e351e067049af75f4e6edb38cf6c65d31eeec6e5302f86ab8a1bfdb1c90d"),
    ("2.55.3", "ccf14cc42dda4717045e2727d840e474eac71553a1eee7234c9c6419c5af6d6d"),
    ("2.57.6", "6c70ea9579d46e8b31fe5855c1765cee5f892500dfd2144612a2e50a0246ba3c"),
    // The same in 2.63, 2.67.1, 2.68.3, 2.71.1, 2.73, 2.74.1, 2.75.2, 2.76, 2.76.3 and 2.77.1.
    ("2.62", "8ef2e1847c59648d8ced3dc1a7eda028a9a51bc239c0e9bd86476d3ab9144b2f"),
    ("2.78", "27f57484001861059f25759d290d995a229cc0a825ceda82b3710a6751c38194"),
];

/// What carries it inside a snapd snap.
const PROGRAM: &str = "usr/lib/snapd/snapd";
/// How every text of snapd's for a boot loader begins.
const HEAD: &[u8] = b"# Snapd-Boot-Config-Edition: ";
/// What only the menu of a seed does: the one that starts an installed system looks for no systems.
const LOOKS_FOR_SYSTEMS: &[u8] = b" in /systems/*; do\n";

/// Has snapd been published with this menu?
pub(super) fn is_published(menu: &[u8]) -> bool {
    let digest: String = Sha256::digest(menu).iter().map(|byte| format!("{byte:02x}")).collect();
    PUBLISHED.iter().any(|(_, known)| *known == digest)
}

/// Does this snapd carry it, whole?
///
/// # Errors
/// Where the snap cannot be read.
pub(super) fn is_in(snapd: &mut Squashfs<'_>, menu: &[u8]) -> Result<bool, Trouble> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_menu_that_nobody_published_is_not_known() {
        assert!(!is_published(b""));
        assert!(!is_published(b"# Snapd-Boot-Config-Edition: 1\n"));
    }
}
