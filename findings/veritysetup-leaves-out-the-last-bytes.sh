#!/bin/bash
# `veritysetup format` leaves out the last bytes of an image whose length is no multiple of 4096, without a word, and `verify` finds changed
# bytes there good.
#
# Expected: each byte of the data file is under the root hash, the last block padded with zeroes; or the length is refused.
# Seen: the number of data blocks is rounded down. What remains, up to 4095 bytes, is in no hash, and a mapping ends before it. For a
#   squashfs made with -nopad those bytes hold its tables of inodes and ids: verification succeeds, and what is mapped cannot be read
#   as a squashfs. An ext4 of 1024-byte blocks can lose its last three.
# Versions: cryptsetup-bin 2.6.1, squashfs-tools 4.5.1 (Debian 12).
# Written in: veritysetup(8) says of --data-blocks that by default the whole device is used; cryptsetup, lib/verity/verity_hash.c (the data
#   device's size is divided by the block's).
# Hurts: a maker of a verified root file system that is built without padding to save space: the last files or the mount fail on the device
#   only, and a changed tail is not detected before that.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb cryptsetup-bin=2:2.6.1-4~deb12u2 libcryptsetup12=2:2.6.1-4~deb12u2 libpopt0=1.19+dfsg-1 squashfs-tools=1:4.5.1-1 liblzo2-2=2.10-2

mkdir files
head -c 100000 /dev/urandom >files/one
mksquashfs files image -quiet -no-progress -nopad -noI -noD >/dev/null
length=$(stat -c %s image)
[ $((length % 4096)) -ne 0 ] || fail "this image happens to end at a block"
status=0
veritysetup format image hashes >made 2>&1 || status=$?
root=$(sed -n 's/^Root hash:[[:space:]]*//p' made)
field() { sed -n "s/^$1:[[:space:]]*//p" made; }
seen 'format' 'exit 0, 0 lines of warning' "exit $status, $(grep -ciE 'warn|multiple|align' made || true) lines of warning"
begun=$((length / 4096 + 1))
seen 'data blocks, of those that begin in the file' "$((begun - 1)) of $begun" "$(field 'Data blocks') of $begun"
verified() { if veritysetup verify "$1" hashes "$root" >/dev/null 2>&1; then echo good; else echo bad; fi; }
seen 'verify' good "$(verified image)"
cp image inside && printf '\377' | dd of=inside bs=1 seek=5000 conv=notrunc status=none
seen 'verify, byte 5000 changed' bad "$(verified inside)"
cp image tail && head -c $((length % 4096)) /dev/zero | dd of=tail bs=1 seek=$((length / 4096 * 4096)) conv=notrunc status=none
seen 'verify, all bytes behind the last whole block zeroed' good "$(verified tail)"
head -c $((length / 4096 * 4096)) image >mapped
readable() { if unsquashfs -cat "$1" one 2>/dev/null | cmp -s - files/one; then echo readable; else echo 'not readable'; fi; }
seen 'the image' readable "$(readable image)"
seen 'the part of it that a mapping has' 'not readable' "$(readable mapped)"
