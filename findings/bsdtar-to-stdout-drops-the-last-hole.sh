#!/bin/bash
# `bsdtar -xO >FILE` leaves out the hole at the end of a sparse file; the same command with a pipe behind it writes the whole file.
#
# Expected: the bytes on standard output are the file's bytes, holes as zeros, as with `tar -xO`.
# Seen: if standard output is a regular file, bsdtar seeks over holes, and nothing sets the length after the last one. The exit code is 0.
#   Into a pipe it writes zeros. `bsdtar -x` sets the length, and GNU tar's own `-xO` is right.
# Versions: libarchive-tools 3.6.2, GNU tar 1.34 (Debian 12).
# Written in: libarchive, libarchive/archive_read_data_into_fd.c (pad_to: lseek if the descriptor is of a regular file); bsdtar(1) says of
#   -O only that entries are written to standard output.
# Hurts: a maker who unpacks an image this way: the file system in it is longer than its file, and a station that compares lengths refuses
#   it, or the stick keeps old data there. A digest of the file differs from one of the pipe.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb libarchive-tools=3.6.2-1+deb12u5 tar=1.34+dfsg-1.2+deb12u1

truncate -s 16M image
for megabyte in 2 9; do printf data | dd of=image bs=1M seek=$megabyte conv=notrunc status=none; done
for format in gnu posix; do
	tar -S --format=$format -cf sparse.tar image
	bsdtar -xOf sparse.tar >bsdtar.out
	bsdtar -xOf sparse.tar | cat >bsdtar.pipe
	tar -xOf sparse.tar >tar.out
	rm -rf extracted && mkdir extracted
	bsdtar -C extracted -xf sparse.tar
	# The second piece of data begins at 9 MiB = 9437184, and one 4096-byte block of it was stored.
	seen "$format, bsdtar -xO >FILE: bytes of 16777216" 9441280 "$(stat -c %s bsdtar.out)"
	seen "$format, bsdtar -xO >FILE: up to there" same "$(cmp -n 9441280 bsdtar.out image && echo same)"
	seen "$format, bsdtar -xO | cat" same "$(cmp bsdtar.pipe image && echo same)"
	seen "$format, tar -xO" same "$(cmp tar.out image && echo same)"
	seen "$format, bsdtar -x" same "$(cmp extracted/image image && echo same)"
done
