#!/bin/bash
# `funzip` and `gzip -d` call a zip corrupt that `zip` made from its standard input, though every byte they wrote is right.
#
# Expected: `cat image | zip >image.zip` is read by `funzip`: zip(1) shows the two in one pipeline. gzip(1) reads a zip of one deflated
#   member too.
# Seen: both write the whole member, then end with a length error (funzip with 4, gzip with 1). zip cannot know the size of a stream and
#   assumes 4 GiB or more: the data descriptor has 64-bit sizes. funzip and gzip read a descriptor of 32-bit sizes. unzip, bsdtar and pigz
#   read the file. All read the output of `zip -fz-`. With `set -o pipefail` the pipeline fails, although the stick was written correctly.
# Versions: zip 3.0, unzip 6.0, gzip 1.12, pigz 2.6, libarchive-tools 3.6.2 (Debian 12).
# Written in: APPNOTE 4.3.9 (the descriptor's sizes are 8 bytes if the local header has the Zip64 field); zip(1), `-fz`; unzip's funzip.c
#   and gzip's unzip.c read the 16-byte descriptor alone.
# Hurts: a maker whose station unpacks zips as a stream, since the stick is larger than the memory.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb zip=3.0-13+deb12u1 unzip=6.0-28+deb12u1 gzip=1.12-1 pigz=2.6-1 libarchive-tools=3.6.2-1+deb12u5

seq 100000 >image
# A pipe on both sides; a redirected file would be measured.
# shellcheck disable=SC2002
cat image | zip -q - - | cat >stream.zip
# shellcheck disable=SC2002
cat image | zip -q -fz- - - | cat >small.zip
# unpack COMMAND...: how it ends, and whether what it wrote is the image.
unpack() {
	local status=0 whole=different
	"$@" >unpacked 2>errors || status=$?
	if cmp -s unpacked image; then whole=whole; fi
	echo "exit $status, $whole, $(sed -n 's/.*\(length error\).*/\1/p' errors)"
}
funzip_stdin() { funzip <"$1"; }
gzip_stdin() { gzip -dc <"$1"; }
pigz_stdin() { pigz -dc <"$1"; }
bsdtar_stdin() { bsdtar -xOf - <"$1"; }
seen 'zip | funzip' 'exit 4, whole, length error' "$(unpack funzip_stdin stream.zip)"
seen 'zip | gzip -d' 'exit 1, whole, length error' "$(unpack gzip_stdin stream.zip)"
seen 'zip | pigz -d' 'exit 0, whole, ' "$(unpack pigz_stdin stream.zip)"
seen 'zip | bsdtar -x' 'exit 0, whole, ' "$(unpack bsdtar_stdin stream.zip)"
seen 'unzip -p' 'exit 0, whole, ' "$(unpack unzip -p stream.zip)"
seen 'zip -fz- | funzip' 'exit 0, whole, ' "$(unpack funzip_stdin small.zip)"
seen 'zip -fz- | gzip -d' 'exit 0, whole, ' "$(unpack gzip_stdin small.zip)"
