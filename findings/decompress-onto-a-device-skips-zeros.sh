#!/bin/bash
# `zstd -d -o DEVICE` and `lz4 -d FILE DEVICE` do not write runs of zeros to a block device.
#
# Expected: a decompressor that writes to a named output writes every byte. Sparse output is for files that were just created empty.
# Seen: both programs seek over runs of zeros, on a block device too. What was on the stick before stays there. Both exit with 0 and
#   report the full length. The same stream through a pipe (`zstd -dc >DEVICE`) is written whole.
# Versions: zstd 1.5.4, lz4 1.9.4 (Debian 12).
# Written in: zstd, programs/fileio.c and fileio_asyncio.c, the sparse write; zstd(1) `--[no-]sparse` and lz4(1) `--[no-]sparse` say
#   "default: enabled on files, disabled on stdout", and a block device counts as a file. `--no-sparse` cures it in both.
# Hurts: a maker who flashes used sticks. A read-back against the image finds it; the tool's exit code and report do not.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb zstd=1.5.4+dfsg2-5 lz4=1.9.4-1

# 64 KiB of data, 8 MiB of zeros, 64 KiB of data: an image with one gap.
head -c 65536 /dev/urandom >part
{ cat part; head -c 8M /dev/zero; cat part; } >image
size=$(stat -c %s image)
zstd -q image -o image.zst
lz4 -q image image.lz4

# onto NAME EXPECTED COMMAND...: runs the command with a used stick in $loop.
onto() {
	local name=$1 expected=$2 status=0 result
	shift 2
	head -c 10M /dev/zero | tr '\0' '\252' >stick
	attach stick
	"$@" </dev/null >/dev/null 2>&1 || status=$?
	sync "$loop"
	if cmp -n "$size" image "$loop" >difference; then
		result="exit $status, the stick holds the image"
	else
		result="exit $status, the stick differs from the image at byte $(sed -E 's/.*(byte|char) ([0-9]+),.*/\2/' difference)"
	fi
	detach "$loop"
	seen "$name" "$expected" "$result"
}
zstd_pipe() { zstd -q -dc image.zst >"$loop"; }
lz4_pipe() { lz4 -q -dc image.lz4 >"$loop"; }
zstd_output() { zstd -d -f image.zst -o "$loop"; }
lz4_output() { lz4 -d -f image.lz4 "$loop"; }
zstd_whole() { zstd -d -f --no-sparse image.zst -o "$loop"; }
lz4_whole() { lz4 -d -f --no-sparse image.lz4 "$loop"; }

onto 'zstd -d image.zst -o STICK' 'exit 0, the stick differs from the image at byte 65537' zstd_output
onto 'lz4 -d image.lz4 STICK' 'exit 0, the stick differs from the image at byte 65537' lz4_output
onto 'zstd -dc image.zst >STICK' 'exit 0, the stick holds the image' zstd_pipe
onto 'lz4 -dc image.lz4 >STICK' 'exit 0, the stick holds the image' lz4_pipe
onto 'zstd -d --no-sparse image.zst -o STICK' 'exit 0, the stick holds the image' zstd_whole
onto 'lz4 -d --no-sparse image.lz4 STICK' 'exit 0, the stick holds the image' lz4_whole
