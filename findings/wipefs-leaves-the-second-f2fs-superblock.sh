#!/bin/bash
# `wipefs --all` on F2FS erases one of two superblocks; blkid then finds nothing, and the file system is still there for all who look.
#
# Expected: after `wipefs --all` nothing is found or mounted. It erases the copies that a mount uses by itself, as it does for a GPT.
# Seen: wipefs erases the magic at byte 1024 and reports it. `blkid -p` and a second wipefs find nothing. The superblock at byte 5120 (block
#   1) is whole: fsck.f2fs goes on with it and finds a good file system, and Linux, by its source, mounts it and writes the first one anew.
#   A new MBR from `sfdisk --wipe always` and a swap area from mkswap leave it there, too.
# Versions: util-linux and fdisk 2.38.1, f2fs-tools 1.15.0 (Debian 12).
# Written in: wipefs(8); util-linux, libblkid/src/superblocks/f2fs.c (one magic, at kilobyte 1); Linux, fs/f2fs/super.c
#   (read_raw_super_block: the first valid one of two; a broken one is recovered).
# Hurts: a maker who blanks used cards by wipefs before they leave the factory, or relies on "no signature" as "empty": the data of the
#   earlier life can be mounted by `mount -t f2fs`. `dd` over the first 8 KiB erases both.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb util-linux=2.38.1-5+deb12u3 fdisk=2.38.1-5+deb12u3 libfdisk1=2.38.1-5+deb12u3 f2fs-tools=1.15.0-1

truncate -s 128M card
mkfs.f2fs -q card >/dev/null
cp card table
cp card swap
kind() { blkid -p -s TYPE -o value "$1" || echo "exit $?"; }
# What fsck.f2fs, which changes nothing here, says of the two superblocks and of the checkpoint.
superblocks() {
	fsck.f2fs --dry-run "$1" >checked 2>&1 || true
	grep -oE "Can't find a valid F2FS superblock at 0x[01]|checkpoint state = *[0-9a-f]+" checked | sed 's/ = .*//' | tr '\n' ';'
}
magic() { od -An -tx1 -j "$1" -N 4 card | sed 's/^ //'; }
seen 'blkid' f2fs "$(kind card)"
seen 'fsck.f2fs' 'checkpoint state;' "$(superblocks card)"
seen 'wipefs --all' 'card: 4 bytes were erased at offset 0x00000400 (f2fs): 10 20 f5 f2' "$(wipefs --all card)"
seen 'blkid after wipefs' 'exit 2' "$(kind card)"
seen 'wipefs --all again' '' "$(wipefs --all card)"
second="Can't find a valid F2FS superblock at 0x0;checkpoint state;"
neither="Can't find a valid F2FS superblock at 0x0;Can't find a valid F2FS superblock at 0x1;"
seen 'bytes at 1024 and 5120' '00 00 00 00, 10 20 f5 f2' "$(magic 1024), $(magic 5120)"
seen 'fsck.f2fs after wipefs' "$second" "$(superblocks card)"
sfdisk -q --wipe always table <<<'label: dos
start=2048'
seen 'a new MBR, fsck.f2fs' "$second" "$(superblocks table)"
mkswap swap >/dev/null 2>&1
seen 'a swap area, blkid and fsck.f2fs' "swap, $second" "$(kind swap), $(superblocks swap)"
dd if=/dev/zero of=card bs=4096 count=2 conv=notrunc status=none
seen 'fsck.f2fs after dd over 8 KiB' "$neither" "$(superblocks card)"
