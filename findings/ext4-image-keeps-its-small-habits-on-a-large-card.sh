#!/bin/bash
# An ext4 image below 512 MiB that grows into its card keeps five per cent more of it for itself than one of 512 MiB.
#
# Expected: resize2fs makes of it what mkfs would have made on the card, but for details; where the image began is soon forgotten.
# Seen: mkfs takes another row of its table for small file systems: blocks of 1024 bytes and an inode for each 4096 bytes. Both are per
#   block group and are repeated all over the card, and the journal stays at 4 or 8 MiB. On 32 GiB (sparse here) that is 8 million inodes of
#   256 bytes, 2 GiB: 1.5 GiB less for files than with an image of 512 MiB that grew the same way, and 1.2 GiB less than after mkfs on the
#   card, which has a larger journal. `mkfs.ext4 -T default` gives the small image the habits of the large one.
# Versions: e2fsprogs 1.47.0 (Debian 12).
# Written in: mke2fs.conf(5) and the package's /etc/mke2fs.conf ("small"); mke2fs(8), -T ("size less than 512 megabytes"). resize2fs(8) does
#   not speak of inodes.
# Hurts: a maker whose image is kept small to be written fast and grows at first boot: on each card of 32 GiB a gigabyte is lost, four times
#   as many blocks are to be handled, and the day on which the image passes 512 MiB changes all cards that are made afterwards.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libcom-err2=1.47.0-2+b2 libss2=1.47.0-2+b2 logsave=1.47.0-2+b2

# after SIZE [OPTION]...: an image of this size, grown to 32 GiB: size of blocks, millions of inodes, MiB of journal, GiB for files.
after() {
	rm -f card && truncate -s "$1" card
	nice mkfs.ext4 -q -F "${@:2}" card
	truncate -s 32G card
	nice resize2fs card >/dev/null 2>&1
	dumpe2fs -h card 2>/dev/null | awk -F': *' '
		$1 == "Block size" { block = $2 }
		$1 == "Inode count" { inodes = $2 }
		$1 == "Free blocks" { free = $2 }
		$1 == "Total journal size" { journal = $2 }
		END { printf "%d, %.1f, %s, %.1f\n", block, inodes / 1e6, journal, free * block / 2 ^ 30 }'
}
what='bytes a block, millions of inodes, journal, GiB for files'
seen "256 MiB, grown: $what" '1024, 8.4, 8M, 30.0' "$(after 256M)"
seen "512 MiB, grown: $what" '4096, 2.1, 16M, 31.5' "$(after 512M)"
seen "made on the card: $what" '4096, 2.1, 256M, 31.2' "$(after 32G)"
seen "256 MiB, -T default, grown: $what" '4096, 2.1, 16M, 31.5' "$(after 256M -T default)"
seen 'e2fsck' 'exit 0' "exit $(nice e2fsck -fn card >/dev/null 2>&1 && echo 0 || echo $?)"
