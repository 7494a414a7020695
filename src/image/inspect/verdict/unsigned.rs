//! Judges the files in `writable` beside the seed. Nothing signs them, and the first boot accepts them as they are: cloud-init user data
//! makes users and runs commands, a unit file starts any program that it names.

use crate::image::inspect::readers::files::Files;
use crate::image::inspect::readers::listing::{Node, join};
use crate::image::inspect::readers::squashfs::{Inode, Squashfs};
use crate::image::inspect::seed::Seed;
use crate::station::allowed::Allowed;
use crate::station::units::KIB;

/// The gadget's cloud-init configuration, which the image tool copies here.
const CLOUD_CFG: &str = "system-data/etc/cloud/cloud.cfg";
const LARGEST_CLOUD_CFG: u64 = 64 * KIB;

/// Files that nothing describes, and those that `allow` names.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) foreign: Vec<String>,
    pub(super) allowed: Vec<String>,
}

/// Everything in `writable` except the seed itself, which is read in another place, and empty directories.
pub(super) fn look(files: &Files, seed: &Seed, gadget: Option<&mut Squashfs<'_>>, allowed: &Allowed) -> Found {
    let mut found = Found::default();
    let cloud_cfg = gadget.is_some_and(|gadget| is_the_gadgets_cloud_cfg(files, gadget));
    for (path, node) in &files.listing {
        let accounted = match node {
            Node::Directory => true,
            Node::File { .. } => is_of_seed(seed, path) || (path == CLOUD_CFG && cloud_cfg),
            Node::Link { target } => is_link_to_seed(seed, path, target),
            Node::Special => false,
        };
        if accounted {
            continue;
        }
        if allowed.in_writable(path) { &mut found.allowed } else { &mut found.foreign }.push(path.clone());
    }
    found
}

fn is_of_seed(seed: &Seed, path: &str) -> bool {
    path == join(&seed.root, "seed.yaml")
        || seed.assertions.iter().any(|assertion| assertion.path == path)
        || seed.snaps.iter().any(|snap| snap.path == path)
}

/// `var/lib/snapd/snaps/NAME` may only link to the seed's own file with that name.
fn is_link_to_seed(seed: &Seed, path: &str, target: &str) -> bool {
    let Some(name) = path.strip_prefix("system-data/var/lib/snapd/snaps/") else { return false };
    target == format!("../seed/snaps/{name}") && seed.snaps.iter().any(|snap| snap.file == name)
}

fn is_the_gadgets_cloud_cfg(files: &Files, gadget: &mut Squashfs<'_>) -> bool {
    let Ok(Some(Inode::File(file))) = gadget.find("cloud.conf") else { return false };
    match (files.read(CLOUD_CFG, LARGEST_CLOUD_CFG), gadget.read(&file, LARGEST_CLOUD_CFG)) {
        (Ok(here), Ok(there)) => here == there,
        _ => false,
    }
}
