#!/bin/bash
# `mke2fs -O inline_data -d TREE` and `debugfs -R write` cut each file that ends with a hole or with preallocated room behind its last data.
#
# Expected: a file in the image has the length and the bytes of the file in the tree. inline_data changes where small files are kept, and
#   nothing of the large ones.
# Seen: a database of 102400 bytes with 3000 bytes of data has 3072 bytes in the image, or 4096 with larger blocks; the zeros behind them
#   are gone. mke2fs exits with 0 and e2fsck finds nothing; debugfs and Linux show the short file. A hole elsewhere does no harm, and without
#   inline_data all files are right. A file that is nothing but a hole keeps its length, as 60 bytes inside the inode: Linux reads zeros up
#   to its end, `debugfs -R dump` ends after 60 bytes.
# Versions: e2fsprogs 1.47.0 (Debian 12); Linux 6.18. It needs root, for the mount.
# Written in: mke2fs(8), -d (copies the contents of the directory) and ext4(5), inline_data, say nothing of holes; e2fsprogs,
#   lib/ext2fs/inline_data.c (ext2fs_inline_data_file_expand: data that outgrows the inode begins again with a length of 0).
# Hurts: a maker who turns inline_data on, as the tree has thousands of small files, and ships a ring log, a journal or a database with
#   preallocated room: the device finds a file shorter than its header says. A swap file or a disk image in the tree loses its end as well.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb e2fsprogs=1.47.0-2+b2 mount=2.38.1-5+deb12u3
echo "kernel: $(uname -r | grep -oE '^[0-9]+\.[0-9]+')"

mkdir tree mounted
head -c 20000 /dev/urandom >tree/plain
head -c 3000 /dev/urandom >tree/hole-at-the-end
truncate -s 102400 tree/hole-at-the-end
fallocate -l 102400 tree/preallocated
head -c 3000 /dev/urandom | dd of=tree/preallocated conv=notrunc status=none
truncate -s 102400 tree/hole-at-the-front
head -c 100 /dev/urandom >>tree/hole-at-the-front
truncate -s 102400 tree/all-hole

# image OPTION...: makes the file system, checks it and mounts it.
image() {
	rm -f image && truncate -s 64M image
	mke2fs -q -t ext4 -d tree "$@" image
	e2fsck -f -n image >/dev/null 2>&1 || fail 'e2fsck finds an error'
	echo "$*: e2fsck -f -n finds no error"
	attach image
	mount -o ro "$loop" mounted
	bytes=$(cd tree && for file in *; do echo "$file $(stat -c %s "../mounted/$file") $(same "$file" "../mounted/$file")"; done)
	umount mounted
	detach "$loop"
}
same() { cmp -s "$1" "$2" && echo same || echo other; }
# mounted_as FILE: its length on Linux, and whether it is the tree's file.
mounted_as() { echo "$bytes" | sed -n "s/^$1 //p"; }
by_debugfs() { debugfs -R "stat /$1" image 2>/dev/null | sed -n 's/.* Size: //p' | head -1; }

for block in 1024 4096; do
	image -b $block -O ^inline_data
	for file in plain all-hole hole-at-the-end hole-at-the-front preallocated; do
		seen "$file" "$(stat -c %s tree/$file) same" "$(mounted_as $file)"
	done
	case $block in
		1024) short=3072 ;;
		4096) short=4096 ;;
	esac
	image -b $block -O inline_data
	for file in plain all-hole hole-at-the-front; do seen "$file" "$(stat -c %s tree/$file) same" "$(mounted_as $file)"; done
	for file in hole-at-the-end preallocated; do
		seen "$file" "$short other" "$(mounted_as $file)"
		seen "$file, by debugfs" "$short" "$(by_debugfs $file)"
	done
done
debugfs -R 'dump /all-hole dumped' image 2>/dev/null
seen 'all-hole, dumped by debugfs' 60 "$(stat -c %s dumped)"
debugfs -w -R 'write tree/preallocated written' image >/dev/null 2>&1
seen 'debugfs -w -R write of the preallocated file' 4096 "$(by_debugfs written)"
