#!/bin/bash
# `sync --file-system /dev/CARD` ends with success and writes nothing of the card.
#
# Expected: of the two forms, --file-system flushes more than the plain one: data and all that belongs to it, here of the card.
# Seen: the path is a node in the file system of /dev, and that one is flushed. What was written to the card stays in its cache for as long
#   as somebody has the device open. `sync CARD` and `sync --data CARD` do write it. The call below, syncfs, does the same in any program.
# Versions: coreutils 9.1 (Debian 12), Linux 6.18.
# Written in: sync(1) ("sync the file systems that contain the files"), syncfs(2); Linux, fs/sync.c (syncfs takes the super block of the
#   file's directory entry, not the one of the device's own cache).
# Hurts: a maker whose script keeps the card open (to claim it), writes, flushes "to be thorough" by -f, and tells the operator to take the
#   card out.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb coreutils=9.1-1 mount=2.38.1-5+deb12u3

truncate -s 8M medium
attach medium
# on_medium: what has reached the medium at the place where this attempt wrote.
on_medium() { dd if=medium bs=4096 skip="$place" count=1 iflag=direct status=none 2>/dev/null | head -c 5 | tr '\0' .; }
place=1
exec 3<>"$loop"
# flushed COMMAND...: writes through an open descriptor, has it flushed, and says what is on the medium.
flushed() {
	place=$((place + 1))
	printf 'CARDS' | dd of=/dev/fd/3 bs=4096 seek="$place" conv=notrunc status=none
	local status=0
	"$@" || status=$?
	echo "exit $status, $(on_medium)"
}
seen 'sync --file-system' 'exit 0, .....' "$(flushed sync --file-system "$loop")"
place=7
seen 'syncfs of a descriptor of the device' 'exit 0, .....' \
	"$(flushed python3 -c 'import ctypes; ctypes.CDLL(None, use_errno=True).syncfs(3) and exit(1)')"
place=11
seen 'sync --data' 'exit 0, CARDS' "$(flushed sync --data "$loop")"
place=15
seen 'sync' 'exit 0, CARDS' "$(flushed sync "$loop")"
exec 3>&-
