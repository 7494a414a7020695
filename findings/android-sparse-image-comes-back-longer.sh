#!/bin/bash
# An image whose length is no multiple of 4096 bytes comes back longer from Android's sparse format, and its GPT is no longer at its end.
#
# Expected: img2simg and simg2img are each other's inverse, or img2simg refuses a length that it cannot express.
# Seen: the sparse format counts in blocks. img2simg rounds the length up without a word and with exit status 0; simg2img makes the longer
#   file, with zeros at its end. Both digests and the place of the backup GPT differ: sfdisk says that the table is not at the end of the
#   disk, and sgdisk finds a problem in an image that had none. Blocks of 1024 bytes still add 512, and blocks of 512 are refused: an image
#   with an odd number of sectors has no sparse form that comes back as it was.
# Versions: android-sdk-libsparse-utils 29.0.6, fdisk 2.38.1, gdisk 1.0.9 (Debian 12).
# Written in: the usage has `[<block_size>]` without its default or what it does to the length.
# Hurts: a maker who gives the factory a sparse image for fastboot and the digest of the raw one: a station that proves what it unpacked
#   refuses it; and a device whose first boot grows the last partition repairs a table that was whole when it was signed.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb android-sdk-libsparse-utils=1:29.0.6-28 android-libsparse=1:29.0.6-28 android-libbase=1:29.0.6-28 android-liblog=1:29.0.6-28 \
	android-libziparchive=1:29.0.6-28 fdisk=2.38.1-5+deb12u3 gdisk=1.0.9-2.1 libpopt0=1.19+dfsg-1

# Nine MiB and 512 bytes: 18433 sectors.
truncate -s $((9 * 1024 * 1024 + 512)) image
printf 'label: gpt\nstart=2048, size=8192\n' | sfdisk --quiet image >/dev/null
problems() { sgdisk --verify "$1" 2>&1 | grep -o 'No problems found\|Identified [0-9]* problems' || true; }
# The exit status of a command, as text.
status() {
	if "$@" >/dev/null 2>&1; then echo 'exit 0'; else echo "exit $?"; fi
}

seen 'the image, by sgdisk' 'No problems found' "$(problems image)"
seen img2simg 'exit 0' "$(status img2simg image sparse)"
seen simg2img 'exit 0' "$(status simg2img sparse back)"
seen 'bytes more' 3584 "$(($(stat -c %s back) - $(stat -c %s image)))"
seen 'the bytes before them' same "$(cmp -s -n "$(stat -c %s image)" image back && echo same || echo other)"
seen 'what came back, by sgdisk' 'Identified 1 problems' "$(problems back)"
seen 'and by sfdisk' 1 "$(sfdisk --list back 2>&1 | grep -c 'backup GPT table is not on the end of the device')"
seen 'img2simg with blocks of 1024' 'exit 0' "$(status img2simg image sparse 1024)"
seen simg2img 'exit 0' "$(status simg2img sparse back)"
seen 'bytes more' 512 "$(($(stat -c %s back) - $(stat -c %s image)))"
seen 'img2simg with blocks of 512' 'exit 255' "$(status img2simg image sparse 512)"
