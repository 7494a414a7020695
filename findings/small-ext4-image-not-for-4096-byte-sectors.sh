#!/bin/bash
# An ext4 image below 512 MiB cannot be mounted on a device with sectors of 4096 bytes, and a larger one can, both made by the same command.
#
# Expected: a file system has 4096-byte blocks and does not depend on the sector of the device that it is copied to; only partition tables
#   do.
# Seen: mkfs.ext4 chooses blocks of 1024 bytes below 512 MiB. On a device of 4096-byte sectors mount says only "wrong fs type, bad option,
#   bad superblock". An XFS image has sectors of 512 bytes and ends with "Function not implemented". btrfs, EROFS and squashfs images mount.
#   `mkfs.ext4 -b 4096` and `mkfs.xfs -s size=4096` cure it.
# Versions: e2fsprogs 1.47.0, xfsprogs 6.1.0, btrfs-progs 6.2, erofs-utils 1.5, squashfs-tools 4.5.1 (Debian 12); Linux 6.18. It needs root.
# Written in: mke2fs.conf(5), usage types (small: blocksize = 1024 below 512 MiB); Linux, fs/ext4/super.c ("bad block size") and
#   fs/xfs/xfs_mount.c (xfs_readsb: a sector smaller than the device's is ENOSYS).
# Hurts: a maker who moves a boot or data partition of some 100 MiB from eMMC (512 bytes) to UFS or a 4Kn SSD: the large root file system
#   mounts and the small partition does not.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb e2fsprogs=1.47.0-2+b2 xfsprogs=6.1.0-1 libinih1=55-1 liburcu8=0.13.2-1 btrfs-progs=6.2-1+deb12u2 erofs-utils=1.5-1 \
	squashfs-tools=1:4.5.1-1 liblzo2-2=2.10-2 mount=2.38.1-5+deb12u3
echo "kernel: $(uname -r | grep -oE '^[0-9]+\.[0-9]+')"

mkdir files mounted
head -c 1M /dev/urandom >files/one
truncate -s 511M ext4-511M && mkfs.ext4 -q -F ext4-511M
truncate -s 512M ext4-512M && mkfs.ext4 -q -F ext4-512M
truncate -s 64M ext4-b-4096 && mkfs.ext4 -q -F -b 4096 ext4-b-4096
truncate -s 400M xfs && mkfs.xfs -q xfs
truncate -s 400M xfs-s-4096 && mkfs.xfs -q -s size=4096 xfs-s-4096
truncate -s 400M btrfs && mkfs.btrfs -q btrfs >/dev/null 2>&1
mkfs.erofs erofs files >/dev/null 2>&1
mksquashfs files squashfs -quiet -no-progress >/dev/null
# How a mount ends on devices of 512-byte and of 4096-byte sectors.
on_both() {
	local sector result=''
	for sector in 512 4096; do
		attach "$1" --sector-size "$sector"
		if mount -o ro "$loop" mounted 2>message; then
			umount mounted
			result+="$sector mounts, "
		else
			result+="$sector $(grep -oE 'wrong fs type|Function not implemented' message), "
		fi
		detach "$loop"
	done
	echo "${result%, }"
}
seen 'blocks of ext4, 511 MiB' 1024 "$(dumpe2fs -h ext4-511M 2>/dev/null | sed -n 's/^Block size: *//p')"
seen 'ext4, 511 MiB' '512 mounts, 4096 wrong fs type' "$(on_both ext4-511M)"
seen 'ext4, 512 MiB' '512 mounts, 4096 mounts' "$(on_both ext4-512M)"
seen 'ext4 -b 4096, 64 MiB' '512 mounts, 4096 mounts' "$(on_both ext4-b-4096)"
seen 'xfs' '512 mounts, 4096 Function not implemented' "$(on_both xfs)"
seen 'xfs -s size=4096' '512 mounts, 4096 mounts' "$(on_both xfs-s-4096)"
for kind in btrfs erofs squashfs; do seen $kind '512 mounts, 4096 mounts' "$(on_both $kind)"; done
