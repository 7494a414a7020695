#!/bin/bash
# `mformat -i IMAGE@@OFFSET` and `mkfs.fat --offset` make a file system from the offset to the end of the image, over the partitions
# behind.
#
# Expected: a tool that is pointed into a disk image at the start of a partition makes a file system of the partition's size.
# Seen: all three take the rest of the file. mformat and mkfs.fat say nothing; mkfs.ext4 -E offset= warns that the size was not given and
#   goes on. The file system's own length field reaches over the next partition, so that a first large file is written into it, and its
#   old contents are free clusters. None reads the partition table in the same file. With a length given (-T, BLOCKS) all three keep to
#   it.
# Versions: mtools 4.0.32, dosfstools 4.2, e2fsprogs 1.47.0, fdisk 2.38.1 (Debian 12).
# Written in: mtools(1), "drive letters" (offset; `partition=` in mtools.conf is what reads a table); mkfs.fat(8), --offset; mke2fs(8), -E
#   offset.
# Hurts: a maker who puts images together without loop devices: a card is good until its boot partition fills up.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb mtools=4.0.33-1+really4.0.32-1 dosfstools=4.2-1 e2fsprogs=1.47.0-2+b2 fdisk=2.38.1-5+deb12u3

# 64 MiB: a boot partition of 16 MiB at 1 MiB, a second one of 40 MiB behind it.
new_image() {
	rm -f image && truncate -s 64M image
	sfdisk -q image <<-'TABLE'
		label: gpt
		start=2048, size=32768
		start=34816, size=81920
	TABLE
}
fat_sectors() {
	python3 - <<-'PYTHON'
		import struct
		with open("image", "rb") as image:
		    image.seek(1 << 20)
		    boot = image.read(512)
		print(struct.unpack_from("<H", boot, 19)[0] or struct.unpack_from("<I", boot, 32)[0])
	PYTHON
}
new_image
mformat -i image@@1M ::
seen 'mformat -i image@@1M: sectors, of 32768 in the partition' 129024 "$(fat_sectors)"
new_image
mformat -i image@@1M -T 32768 ::
seen 'mformat -i image@@1M -T 32768' 32768 "$(fat_sectors)"
new_image
mkfs.fat --offset 2048 image >said 2>&1
seen 'mkfs.fat --offset 2048' 129024 "$(fat_sectors)"
seen 'mkfs.fat --offset 2048: words beside its name' '' "$(sed '/^mkfs.fat 4.2/d' said)"
new_image
mkfs.fat --offset 2048 image 16384 >said 2>&1
seen 'mkfs.fat --offset 2048 image 16384' 32768 "$(fat_sectors)"
new_image
mkfs.ext4 -q -F -b 1024 -E offset=1048576 image >said 2>&1
seen 'mkfs.ext4 -E offset=1048576: KiB, of 16384 in the partition' 64512 \
	"$(dumpe2fs -h 'image?offset=1048576' 2>/dev/null | sed -n 's/^Block count: *//p')"
seen 'mkfs.ext4: warning' 'Warning: offset specified without an explicit file system size.' "$(grep Warning said)"
