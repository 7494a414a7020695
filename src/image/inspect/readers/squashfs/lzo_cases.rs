//! A snap packed with lzo, made by `mksquashfs -comp lzo` of squashfs-tools 4.5.1, as `snap pack --compression=lzo` calls it.

use std::fmt::Write as _;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::{Inode, Squashfs};
use crate::image::inspect::readers::window::Window;
use crate::image::inspect::snap;

const PACKED: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/lzo/packed.snap"));

fn opened(bytes: &[u8]) -> Squashfs<'static> {
    Squashfs::open(Box::new(Window::whole(Rc::new(bytes.to_vec())))).expect("it is a squashfs")
}

#[test]
fn every_file_of_a_snap_packed_with_lzo_is_read() {
    let mut snap = opened(PACKED);
    assert_eq!(snap::describe(&mut snap).expect("its snap.yaml can be read").name, "pc");
    for (path, length, digest) in [
        ("uboot.conf", 179_000, "186fb7712ab629a931834f078bc0ce7cb8bcb93b085dab252359b4d633cebe86"),
        ("small", 17, "159296c3aef17ad0f3a428aa9eb0a63bbdccc3c4290fdc0dcd26f85163996f5d"),
    ] {
        let Some(Inode::File(file)) = snap.find(path).expect("the directory can be read") else { panic!("{path} is a file") };
        assert_eq!(file.length, length, "{path}");
        let mut hasher = Sha256::new();
        snap.read_through(&file, |part| hasher.update(part)).expect("its blocks can be unpacked");
        let found = hasher.finalize().iter().fold(String::new(), |mut text, byte| {
            let _infallible = write!(text, "{byte:02x}");
            text
        });
        assert_eq!(found, digest, "{path}");
    }
}

#[test]
fn a_damaged_block_of_lzo_is_damage_and_nothing_worse() {
    let mut different = 0;
    for place in (96..PACKED.len()).step_by(97) {
        let mut bytes = PACKED.to_vec();
        bytes[place] ^= 0x55;
        let mut snap = opened(&bytes);
        let read = |snap: &mut Squashfs<'_>| {
            let Some(Inode::File(file)) = snap.find("uboot.conf")? else { return Ok(()) };
            snap.read(&file, 1 << 20).map(drop)
        };
        different += usize::from(read(&mut snap).is_err());
    }
    assert!(different > 0, "some of it cannot be unpacked any more");
}
