#!/bin/bash
# `mkfs.fat -F 32` on a small boot partition makes a file system that some readers refuse and one reader shows as empty.
#
# Expected: the type is what was asked for with -F 32; readers agree on it. Only very old systems have trouble.
# Seen: FAT32 of 32 MiB with 64496 clusters. The specification decides by the number of clusters alone (below 65525 is FAT16), Linux and
#   others by the FAT's length field. mkfs.fat warns and goes on; fsck.fat, blkid, 7-Zip and Python's pyfatfs read FAT32. mtools and the
#   Rust crate fatfs refuse it. The crate embedded-sdmmc, which firmware uses, opens the volume as FAT16 and lists an empty root
#   directory, without an error.
# Versions: dosfstools 4.2, mtools 4.0.32, util-linux 2.38.1, 7zip 26.02 (Debian 12); crates fatfs 0.3.6, embedded-sdmmc 0.10.0; pyfatfs
#   1.1.0.
# Written in: Microsoft's FAT specification, "FAT Type Determination"; Linux, fs/fat/inode.c (fat_fill_super: FAT32 if the 16-bit FAT
#   length is 0); fatfs, src/boot_sector.rs; embedded-sdmmc, src/fat/bpb.rs (fewer than 65525 clusters: FAT16).
# Hurts: a maker of boards whose boot ROM asks for FAT32 on a small partition: bootable, yet its files cannot be put in by mcopy, nor read
#   back by the device's own firmware. 36 MiB with clusters of one sector is enough.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb dosfstools=4.2-1 mtools=4.0.33-1+really4.0.32-1 util-linux=2.38.1-5+deb12u3 fdisk=2.38.1-5+deb12u3 7zip=22.01+really26.02+dfsg-0+deb12u1
crates fatfs@=0.3.6
crates embedded-sdmmc@=0.10.0
pip_install setuptools==80.9.0 pyfatfs==1.1.0

# On a card: an MBR with one partition of type 0x0c (FAT32, LBA) at 1 MiB.
truncate -s 32M small
mkfs.fat -F 32 -s 1 -n BOOT --invariant small >made 2>&1
seen 'mkfs.fat' 'WARNING: Number of clusters for 32 bit FAT is less then suggested minimum.' "$(grep WARNING made)"
# A file in the root directory, by hand, since mcopy refuses: a directory entry, cluster 3, end-of-chain marks in both FATs.
python3 - <<'PYTHON'
import struct
with open("small", "r+b") as image:
    boot = image.read(512)
    reserved, fats, length = struct.unpack_from("<H", boot, 14)[0], boot[16], struct.unpack_from("<I", boot, 36)[0]
    for fat in range(fats):
        image.seek((reserved + fat * length) * 512 + 3 * 4)
        image.write(struct.pack("<I", 0x0FFFFFFF))
    root = (reserved + fats * length) * 512
    image.seek(root + 32)  # behind the label
    image.write(struct.pack("<11sBxxHHHHHHHI", b"HELLO   TXT", 0x20, 0, 0x5A21, 0x5A21, 0, 0, 0x5A21, 3, 6))
    image.seek(root + 512)
    image.write(b"hello\n")
    image.seek(512 + 488)  # free clusters, last allocated
    image.write(struct.pack("<II", 64494, 3))
PYTHON
truncate -s 33M card
sfdisk -q card <<<'start=2048, type=c'
dd if=small of=card bs=1M seek=1 conv=notrunc status=none
# The same with 72 thousand clusters, made by the tools alone.
truncate -s 36M large
mkfs.fat -F 32 -s 1 -n BOOT --invariant large >/dev/null
echo hello >hello
mcopy -i large hello ::HELLO.TXT
truncate -s 37M larger
sfdisk -q larger <<<'start=2048, type=c'
dd if=large of=larger bs=1M seek=1 conv=notrunc status=none

fsck.fat -n small >checked 2>&1 || true
seen 'fsck.fat' 'small: 2 files, 2/64496 clusters' "$(grep clusters$ checked)"
seen 'blkid' FAT32 "$(blkid -p -s VERSION -o value small)"
seen '7zz' HELLO.TXT "$(7zz l small | grep -o 'HELLO.TXT')"
seen 'pyfatfs' "32 ['HELLO.TXT']" "$("$work/venv/bin/python" -W ignore -c '
from pyfatfs.PyFatFS import PyFatFS
volume = PyFatFS("small", read_only=True)
print(volume.fs.fat_type, volume.listdir("/"))')"
seen 'mdir' "Error reading FAT" "$(mdir -i small :: 2>&1 | head -1 || true)"
in_rust=$(rust "$work/small" "$work/card" "$work/larger" <<'RUST'
use std::cell::RefCell;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use embedded_sdmmc::{Block, BlockCount, BlockDevice, BlockIdx, TimeSource, Timestamp, VolumeIdx, VolumeManager};

struct Card(RefCell<File>);
impl BlockDevice for Card {
    type Error = Error;
    fn read(&self, blocks: &mut [Block], start: BlockIdx) -> Result<(), Error> {
        let mut file = self.0.borrow_mut();
        file.seek(SeekFrom::Start(u64::from(start.0) * 512))?;
        blocks.iter_mut().try_for_each(|block| file.read_exact(&mut block.contents))
    }
    fn write(&self, _: &[Block], _: BlockIdx) -> Result<(), Error> {
        Err(ErrorKind::Unsupported.into())
    }
    fn num_blocks(&self) -> Result<BlockCount, Error> {
        Ok(BlockCount(u32::try_from(self.0.borrow().metadata()?.len() / 512).unwrap()))
    }
}
struct Clock;
impl TimeSource for Clock {
    fn get_timestamp(&self) -> Timestamp {
        Timestamp::from_calendar(2026, 1, 1, 0, 0, 0).unwrap()
    }
}

fn main() {
    let paths: Vec<_> = std::env::args().skip(1).collect();
    let file = File::options().read(true).write(true).open(&paths[0]).unwrap();
    match fatfs::FileSystem::new(file, fatfs::FsOptions::new()) {
        Ok(volume) => println!("opened as {:?}", volume.fat_type()),
        Err(error) => println!("{error}"),
    }
    for path in &paths[1..] {
        list(path);
    }
}

fn list(path: &str) {
    let manager = VolumeManager::new(Card(File::open(path).unwrap().into()), Clock);
    let volume = manager.open_volume(VolumeIdx(0)).map_err(|error| println!("{error:?}"));
    if let Ok(volume) = volume {
        let mut names = Vec::new();
        let listed = volume.open_root_dir().and_then(|root| {
            root.iterate_dir(|entry| {
                names.push(entry.name.to_string());
                ControlFlow::Continue(())
            })
        });
        println!("opened, {listed:?}, {names:?}");
    }
}
RUST
)
seen 'fatfs' \
	'Invalid BPB (result of FAT32 determination from total number of clusters and sectors_per_fat_16 field differs)' "$(sed -n 1p <<<"$in_rust")"
seen 'embedded-sdmmc' 'opened, Ok(()), []' "$(sed -n 2p <<<"$in_rust")"
seen 'embedded-sdmmc, 36 MiB' "opened, Ok(()), [\"BOOT\", \"HELLO.TXT\"]" "$(sed -n 3p <<<"$in_rust")"
