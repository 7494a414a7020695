#!/bin/bash
# A partition table that `sfdisk --dump` saved from a small card makes a large card small when it is restored, and no tool calls that a
# fault.
#
# Expected: the dump holds the partitions; restored on a larger disk, they lie at the same place, and the rest of the disk is free.
# Seen: the dump of a GPT also holds `last-lba`, the last usable sector of the small disk, and the large one gets it. Growing the
#   partition ends there, `sfdisk --list-free` finds nothing free, and `sgdisk --verify` finds no problem, though the backup table is at
#   the disk's true end. Without that line the whole disk is usable; `sgdisk --move-second-header` repairs it afterwards.
# Versions: fdisk 2.38.1, gdisk 1.0.9 (Debian 12).
# Written in: sfdisk(8), "Header lines" (last-lba: the last usable sector; --dump writes it); UEFI specification, 5.3.2 (LastUsableLBA).
# Hurts: a maker who clones the layout of a master card to cards of any size, and whose first boot grows the root file system.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb fdisk=2.38.1-5+deb12u3 gdisk=1.0.9-2.1

truncate -s 64M master
sfdisk -q master <<<'label: gpt
start=2048, size=32768'
sfdisk --dump master >dump
# restore: onto 256 MiB = 524288 sectors; grows the partition as far as it goes.
restore() {
	rm -f card && truncate -s 256M card
	sfdisk -q card
	echo ', +' | sfdisk -q -N 1 card
}
end_of() { sfdisk --dump card | sed -n 's/.*start= *\([0-9]*\), size= *\([0-9]*\),.*/\1 \2/p' | awk '{print $1 + $2 - 1}'; }
seen 'the dump, last-lba' 131038 "$(sed -n 's/^last-lba: //p' dump)"
restore <dump
seen 'restored and grown on 524288 sectors: last sector' 131038 "$(end_of)"
seen 'sfdisk --list-free' '0 B, 0 bytes, 0 sectors' "$(sfdisk --list-free card | sed -n 's/^Unpartitioned space card: //p')"
seen 'sgdisk --verify' 'No problems found.' "$(sgdisk --verify card | grep -o 'No problems found\.')"
seen 'backup table, sector' 524287 "$(python3 -c 'import struct; print(struct.unpack_from("<Q", open("card", "rb").read(), 512 + 32)[0])')"
sgdisk --move-second-header card >/dev/null
seen 'sgdisk --move-second-header: last-lba' 522240 "$(sfdisk --dump card | sed -n 's/^last-lba: //p')"
restore < <(sed '/^last-lba/d' dump)
seen 'without the line last-lba: last sector' 524254 "$(end_of)"
