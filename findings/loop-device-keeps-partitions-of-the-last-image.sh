#!/bin/bash
# A loop device keeps the partitions that parted or partx made on it after `losetup --detach`, and the next image that is attached there has
# them.
#
# Expected: partitions belong to the image. They go when it is detached, and a device that is attached without --partscan has none.
# Seen: parted and `partx --add` tell the kernel of partitions one by one (BLKPG), which is possible without --partscan. After the detach
#   /dev/loopNp1 is still there. Attached to another image, which has no partition table, it has the old first sector and length, and what
#   is written to it goes into the new image. Partitions behind the end of a shorter image stay as well. If --partscan was given at either
#   attach, they are gone.
# Versions: Linux 6.18; parted 3.5, util-linux 2.38.1 (Debian 12). It needs root.
# Written in: Linux, drivers/block/loop.c (__loop_clr_fd drops partitions only if LO_FLAGS_PARTSCAN is set), block/ioctl.c (BLKPG);
#   losetup(8), --partscan.
# Hurts: a maker whose build makes one image after the other in loop devices: a script that waits for /dev/loopNp1 finds it at once, and
#   makes its file system at the place where the last image had one.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb parted=3.5-3+deb12u1 libparted2=3.5-3+deb12u1 mount=2.38.1-5+deb12u3 util-linux=2.38.1-5+deb12u3
echo "kernel: $(uname -r | grep -oE '^[0-9]+\.[0-9]+')"

# The kernel's partitions of $loop: first sector and length.
partitions() {
	local directory result=''
	for directory in /sys/block/"${loop#/dev/}"/loop*p*; do
		[ -e "$directory" ] || continue
		result+="${directory##*p}: $(cat "$directory/start") $(cat "$directory/size"), "
	done
	echo "${result%, }"
}
used=''
stop() {
	# What is left if this ends early.
	[ -z "$used" ] || for number in 1 2; do delpart "$used" "$number" 2>/dev/null || true; done
	clean_up
}
trap stop EXIT

truncate -s 64M first
truncate -s 32M second
truncate -s 1M short
attach first --partscan
seen 'the first image' '' "$(partitions)"
detach "$loop"
attach first
used=$loop
parted -s "$loop" mklabel gpt mkpart root 1MiB 5MiB mkpart data 8MiB 16MiB 2>/dev/null
seen 'after parted' '1: 2048 8192, 2: 16384 16384' "$(partitions)"
detach "$loop"
seen 'after losetup --detach' '1: 2048 8192, 2: 16384 16384' "$(partitions)"
losetup "$used" second
loops+=("$used")
seen 'attached to the second image' '1: 2048 8192, 2: 16384 16384' "$(partitions)"
[ -e "${used}p1" ] || fail "there is no ${used}p1, though the kernel lists it"
printf written | dd of="${used}p1" conv=fsync status=none
detach "$used"
seen 'the second image, at 1 MiB' written "$(dd if=second bs=1M skip=1 count=1 status=none | head -c 7 | tr '\0' -)"
losetup "$used" short
seen 'attached to an image of 1 MiB' '1: 2048 8192, 2: 16384 16384' "$(partitions)"
detach "$used"
losetup "$used" first
partx --delete "$used" && partx --add "$used"
detach "$used"
seen 'after partx --add and losetup --detach' '1: 2048 8192, 2: 16384 16384' "$(partitions)"
losetup --partscan "$used" second
seen 'attached with --partscan' '' "$(partitions)"
detach "$used"
losetup --partscan "$used" first
partx --update "$used"
seen 'the first image with --partscan' '1: 2048 8192, 2: 16384 16384' "$(partitions)"
detach "$used"
seen 'after losetup --detach of that' '' "$(partitions)"
