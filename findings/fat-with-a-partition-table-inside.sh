#!/bin/bash
# `mkfs.fat --mbr` puts a partition table into the boot sector whose one partition begins at sector 0; each tool sees another disk.
#
# Expected: a medium holds either a partition table or a file system from its first byte.
# Seen: sfdisk shows one FAT partition, from sector 0 over all of the disk, the table included; blkid shows a file system and no table;
#   parted shows a table of type "loop". The option is on by itself (`auto`) if the whole of a disk is formatted that does not call itself
#   removable, as some USB disks do not.
# Versions: dosfstools 4.2, util-linux and fdisk 2.38.1, parted 3.5 (Debian 12).
# Written in: mkfs.fat(8), --mbr; util-linux, libblkid/src/partitions/dos.c (a FAT's boot sector is not a table); parted,
#   libparted/labels/loop.c.
# Hurts: a storage engineer who asks whether a stick has partitions before erasing or imaging it, and sums up their sizes.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb dosfstools=4.2-1 util-linux=2.38.1-5+deb12u3 fdisk=2.38.1-5+deb12u3 libparted2=3.5-3+deb12u1 parted=3.5-3+deb12u1

truncate -s 64M stick
mkfs.fat --mbr=y --invariant stick >/dev/null
seen 'sfdisk' 'start= 0, size= 131072, type=6, bootable' "$(sfdisk -d stick | sed -n 's/^stick1 : //p' | tr -s ' ')"
seen 'blkid' 'TYPE=vfat ' "$(blkid -p -o export stick | grep -E '^(TYPE|PTTYPE)=' | tr '\n' ' ')"
seen 'parted' loop "$(parted -sm stick print | sed -n 2p | cut -d : -f 6)"
truncate -s 64M plain
mkfs.fat --mbr=n --invariant plain >/dev/null
seen 'sfdisk, --mbr=n: partitions' 0 "$(sfdisk -d plain | grep -c '^plain[0-9]' || true)"
