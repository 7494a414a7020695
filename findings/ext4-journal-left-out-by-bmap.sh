#!/bin/bash
# `mkfs.ext4` leaves the journal of an image file unwritten, so a block map (bmap) of a copy of that file leaves it out, and the card's
# earlier journal is replayed.
#
# Expected: a new file system's journal is zeroed, the zeros are part of the image, and each card starts with an empty journal.
# Seen: in a file, mkfs zeroes by fallocate(FALLOC_FL_ZERO_RANGE): unwritten extents. bmaptool maps them (FIEMAP lists them), but after a
#   plain `cp` they are holes, and a map of the copy has only the journal's first block. The same bytes make two different block maps. If
#   a card is flashed again by the second map, the journal of its earlier use stays behind the new first block. Sequence numbers begin at
#   1 again, the UUID (the seed of the checksums) is the image's: after the first power cut, recovery continues from the new transactions
#   into the old ones.
# Versions: e2fsprogs 1.47.0, bmap-tools 3.6 (Debian 12). The loop devices need root.
# Written in: e2fsprogs, lib/ext2fs/unix_io.c (unix_zeroout), lib/ext2fs/mkjournal.c, e2fsck/recovery.c (do_one_pass ends at the first
#   sequence number that does not fit); bmaptool's manual: only mapped blocks are copied.
# Hurts: a maker who reflashes cards with the same image by bmap: a device that lost power boots with blocks from its earlier tests.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb e2fsprogs=1.47.0-2+b2 bmap-tools=3.6-2
bmap() {
	PYTHONPATH=$work/root/usr/lib/python3/dist-packages /usr/bin/python3 "$(command -v bmaptool)" "$@"
}
mapped() { grep -oE '^ *<Range[^>]*> [0-9-]+' "$1" | grep -oE '[0-9-]+$' | tr '\n' ' '; }
# Blocks that the journal inode owns and the map leaves out.
journal_blocks_left_out() {
	{
		debugfs -R 'stat <8>' image 2>/dev/null | tail -1 | grep -oE ':[0-9]+-[0-9]+' | tr -d ':' |
			awk -F- '{for (i = $1; i <= $2; i++) print "journal", i}'
		mapped "$1" | tr ' ' '\n' | awk -F- 'NF {for (i = $1; i <= ($2 == "" ? $1 : $2); i++) print "mapped", i}'
	} | awk '$1 == "journal" {journal[$2]} $1 == "mapped" {mapped[$2]} END {for (i in journal) if (!(i in mapped)) n++; print n + 0}'
}

truncate -s 64M made
mkfs.ext4 -q -F -b 4096 made
cp made image
cmp made image
bmap create -o image.bmap image 2>/dev/null
seen 'journal blocks of 1024 that the map of the copy leaves out' 1023 "$(journal_blocks_left_out image.bmap)"

# What a device writes: each transaction logs one block.
for letter in A B C; do printf "%4096s" "" | tr " " "$letter" >"block-$letter"; done
live() { { echo jo -c; printf 'jw -b %s\n' "$@"; echo jc; } | debugfs -w -f - card >/dev/null 2>&1; }
flash() {
	attach card
	"$@"
	sync "$loop"
	detach "$loop"
}
by_map() { bmap copy --bmap image.bmap image "$loop" 2>/dev/null; }
whole() { dd if=image of="$loop" bs=1M status=none; }
contents() { for block in 10000 10001 10002; do dd if=card bs=4096 skip="$block" count=1 status=none | head -c 1 | tr '\0' -; done; }

truncate -s 64M card
flash by_map
live '10000 block-A' '10001 block-B' '10002 block-C'
e2fsck -fy card >/dev/null 2>&1 || true
seen 'blocks after the first life, which logged three transactions' ABC "$(contents)"
# Blanked, so that only the recovery below can bring anything back.
dd if=/dev/zero of=card bs=4096 seek=10000 count=3 conv=notrunc status=none
cp card used
flash by_map
live '10000 block-A'
e2fsck -fy card >/dev/null 2>&1 || true
seen 'flashed again by the map: blocks after the second life, which logged only the first' ABC "$(contents)"
cp used card
flash whole
live '10000 block-A'
e2fsck -fy card >/dev/null 2>&1 || true
seen 'flashed again whole: blocks after the same second life' A-- "$(contents)"
