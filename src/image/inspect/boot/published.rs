//! Files that are in no snap and are known by the digest of their published versions.

use sha2::{Digest, Sha256};

/// GRUB's menu of Ubuntu Core 20 and later: SHA-256 of `grub-recovery.cfg`, extracted from `/usr/lib/snapd/snapd` of Debian's and Ubuntu's
/// packages of these versions.
const MENUS: [(&str, &str); 5] = [
    ("2.49", "c1c5e351e067049af75f4e6edb38cf6c65d31eeec6e5302f86ab8a1bfdb1c90d"),
    ("2.55.3", "ccf14cc42dda4717045e2727d840e474eac71553a1eee7234c9c6419c5af6d6d"),
    ("2.57.6", "6c70ea9579d46e8b31fe5855c1765cee5f892500dfd2144612a2e50a0246ba3c"),
    // The same in 2.63, 2.67.1, 2.68.3, 2.71.1, 2.73, 2.74.1, 2.75.2, 2.76, 2.76.3 and 2.77.1.
    ("2.62", "8ef2e1847c59648d8ced3dc1a7eda028a9a51bc239c0e9bd86476d3ab9144b2f"),
    ("2.78", "27f57484001861059f25759d290d995a229cc0a825ceda82b3710a6751c38194"),
];

/// Length of the boot code in front of a partition table.
pub(in crate::image::inspect) const BOOT_CODE: usize = 440;
/// The boot code that libparted 3.5 writes when it makes an MBR, as older image tools let it: code that starts the first block of the
/// active partition, and zeroes.
const OF_LIBPARTED: &str = "0d0087a55200f3b6b52f32bcb39c0a267c014c4f50e90fcb95ea0039373c9d59";

/// Is this the menu of a published snapd?
pub(super) fn is_menu(menu: &[u8]) -> bool {
    let digest = sha256(menu);
    MENUS.iter().any(|(_, known)| *known == digest)
}

/// Is this the boot code that libparted puts into every MBR?
pub(in crate::image::inspect) fn is_of_libparted(code: &[u8; BOOT_CODE]) -> bool {
    sha256(code) == OF_LIBPARTED
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_menu_that_nobody_published_is_not_known() {
        assert!(!is_menu(b""));
        assert!(!is_menu(b"# Snapd-Boot-Config-Edition: 1\n"));
    }
}
