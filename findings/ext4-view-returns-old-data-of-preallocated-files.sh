#!/bin/bash
# The crate ext4-view returns what lay on the medium before, where a file has room that was reserved and never written.
#
# Expected: those parts are zeros, as the kernel and e2fsprogs read them: an extent says whether it was written.
# Seen: a file of which 100000 bytes were reserved by fallocate and 10 written, on a medium that was not blank. The kernel and debugfs
#   return 10 bytes and zeros. ext4-view returns the 10 bytes and 98 kB of the medium's earlier contents, and no error. Even what was
#   written is lost, where a file goes on behind such room at another place: the mark is the top bit of the extent's length and is taken as
#   a part of it, so that the next extent is not looked at.
# Versions: crate ext4-view 1.0.0; e2fsprogs 1.47.0 (Debian 12), Linux 6.18.
# Written in: Linux, Documentation/filesystems/ext4 (ee_len: above 32768 the extent is uninitialized); ext4-view, src/iters/extents.rs
#   (num_blocks is ee_len as it is).
# Hurts: a maker whose tool compares a file in an image with what it should be, or takes its digest: databases, swap files and whatever was
#   downloaded by a program that reserves its room first differ from what the device will read, and differ from one card to the next.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb e2fsprogs=1.47.0-2+b2 mount=2.38.1-5+deb12u3
crates ext4-view@=1.0.0 --features std

# A used medium, but for the place of a partition table.
{ head -c 4096 /dev/zero && head -c $((32 * 1048576 - 4096)) /dev/zero | tr '\0' O; } >medium
mkfs.ext4 -q -F -E nodiscard medium
attach medium
mkdir mounted
stop() {
	umount mounted 2>/dev/null || true
	clean_up
}
trap stop EXIT
mount "$loop" mounted
fallocate --length 100000 mounted/file
printf 0123456789 | dd of=mounted/file conv=notrunc status=none
fallocate --length 8192 mounted/own
fallocate --length 65536 mounted/between
printf mine | dd of=mounted/own bs=8192 seek=1 conv=notrunc,fsync status=none
umount mounted
mount -o ro "$loop" mounted
cp mounted/file by-linux
tail -c 4 mounted/own >own-by-linux
umount mounted
detach "$loop"
seen 'e2fsck' clean "$(if e2fsck -fn medium >/dev/null 2>&1; then echo clean; else echo faults; fi)"
# what FILE: its length, and what is in it besides zeros.
what() { echo "$(stat -c %s "$1") bytes, $(tr -d '\0' <"$1" | wc -c) not zero"; }
seen Linux '100000 bytes, 10 not zero' "$(what by-linux)"
debugfs -R 'dump /file by-debugfs' medium 2>/dev/null
seen debugfs '100000 bytes, 10 not zero' "$(what by-debugfs)"
debugfs -R 'dump /own own-by-debugfs' medium 2>/dev/null
seen 'the end of the other file, Linux and debugfs' 'mine mine' "$(cat own-by-linux) $(tail -c 4 own-by-debugfs)"
rust medium by-ext4-view own-by-ext4-view <<'RUST'
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let medium = ext4_view::Ext4::load_from_path(&arguments[1])?;
    std::fs::write(&arguments[2], medium.read("/file")?)?;
    std::fs::write(&arguments[3], medium.read("/own")?)?;
    Ok(())
}
RUST
seen ext4-view '100000 bytes, 98986 not zero' "$(what by-ext4-view)"
seen 'of them the old medium'"'"'s' 98976 "$(tr -dc O <by-ext4-view | wc -c)"
seen 'the end of the other file, ext4-view, bytes of "mine"' 0 "$(tail -c 4 own-by-ext4-view | tr -dc mine | wc -c)"
