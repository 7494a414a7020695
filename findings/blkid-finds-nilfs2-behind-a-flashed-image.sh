#!/bin/bash
# A stick that once held NILFS2 keeps its last superblock when a shorter image is flashed, and blkid reports it.
#
# Expected: an image written from the first byte decides what the stick is. What lies behind the image is ignored.
# Seen: libblkid probes NILFS2's second superblock in the last 4 KiB of the device, though the first is gone. After an ext4 image, `blkid
#   -p` says "ambivalent result", exits with 8 and names no type; udev then has no ID_FS_TYPE. After a disk image with a GPT, it names
#   TYPE=nilfs2 beside PTTYPE=gpt: a partitioned stick is reported as a file system.
# Versions: util-linux 2.38.1 (libblkid 2.38.1), nilfs-tools 2.2.9, e2fsprogs 1.47.0 (Debian 12).
# Written in: util-linux, libblkid/src/superblocks/nilfs.c (the copy at the end suffices if it is valid and the first is not); blkid(8),
#   exit code 8; systemd, rules.d/60-persistent-storage.rules, which imports what blkid finds.
# Hurts: a maker who flashes used media with images shorter than the medium: mount by label or UUID fails on some sticks of a batch.
#   `wipefs --all` first, or zeroing the last MiB, cures it.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb util-linux=2.38.1-5+deb12u3 fdisk=2.38.1-5+deb12u3 nilfs-tools=2.2.9-1 e2fsprogs=1.47.0-2+b2

fresh_stick() {
	rm -f stick && truncate -s 256M stick
	mkfs.nilfs2 -q stick
}
probe() {
	local status=0
	blkid -p -o export stick >probed 2>message || status=$?
	echo "exit $status, $(grep -oE '^(TYPE|PTTYPE)=.*' probed | sort | tr '\n' ' ')$(grep -o ambivalent message)"
}
truncate -s 100M file-system
mkfs.ext4 -q -F file-system
truncate -s 100M disk
sfdisk -q disk <<<'label: gpt
start=2048, size=32768'

fresh_stick
seen 'NILFS2' 'exit 0, TYPE=nilfs2 ' "$(probe)"
dd if=file-system of=stick bs=1M conv=notrunc status=none
seen 'an ext4 image over it' 'exit 8, ambivalent' "$(probe)"
fresh_stick
dd if=disk of=stick bs=1M conv=notrunc status=none
seen 'a GPT disk image over it' 'exit 0, PTTYPE=gpt TYPE=nilfs2 ' "$(probe)"
truncate -s 255M stick && truncate -s 256M stick
seen 'the same with the last MiB zeroed' 'exit 0, PTTYPE=gpt ' "$(probe)"
