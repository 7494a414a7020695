#!/bin/bash
# `parted DISK name 1 boot` removes the partitions from a hybrid MBR: a boot ROM that reads the MBR finds nothing any more.
#
# Expected: naming a partition, or growing one, changes the GPT; what else is in sector 0 stays, as it does with sfdisk and sgdisk.
# Seen: beside its 0xEE entry the MBR has one for the firmware's partition, which `sgdisk --hybrid` made, for a board whose ROM knows no GPT.
#   After any command of parted that writes, a name, a flag, a size, the MBR has a single entry of 0xEE over the whole disk. parted shows and
#   says nothing of it. `sfdisk --part-label` reports "The device contains hybrid MBR -- writing GPT only" and leaves it, as sgdisk does.
# Versions: parted 3.5, fdisk 2.38.1, gdisk 1.0.9 (Debian 12).
# Written in: parted, libparted/labels/gpt.c (_write_pmbr: the four entries are zeroed); gdisk(8), "Hybrid MBR". Not in parted's manual.
# Hurts: a maker of an image for such a board whose first boot grows the last partition by parted: the first boot is also the last.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb parted=3.5-3+deb12u1 libparted2=3.5-3+deb12u1 fdisk=2.38.1-5+deb12u3 libfdisk1=2.38.1-5+deb12u3 gdisk=1.0.9-2.1 libpopt0=1.19+dfsg-1

truncate -s 64M made
sfdisk -q made <<'TABLE'
label: gpt
start=2048, size=32768, type=uefi, name=firmware
start=34816, size=65536, name=system
TABLE
sgdisk --hybrid=1 made >/dev/null 2>&1
# What a reader of the MBR alone finds in it: start and type of each entry.
entries() { sfdisk --label-nested dos --dump disk | sed -n 's/^disk.*start= *\([0-9]*\),.*type=/\1 /p' | paste -sd ';'; }
# after COMMAND...: the MBR of a fresh disk after that command.
after() {
	cp made disk
	"$@" >said 2>&1 || fail "$*: $(tail -1 said)"
	entries
}
seen 'as it was made' '1 ee;2048 ef' "$(after true)"
seen 'parted name' '1 ee' "$(after parted -s disk name 2 root)"
seen 'parted set legacy_boot' '1 ee' "$(after parted -s disk set 2 legacy_boot on)"
seen 'parted resizepart' '1 ee' "$(after parted -s disk resizepart 2 60MB)"
seen 'sfdisk --part-label' '1 ee;2048 ef' "$(after sfdisk --part-label disk 2 root)"
cp made disk
seen 'sfdisk of it' 'The device contains hybrid MBR -- writing GPT only.' "$(sfdisk --part-label disk 2 root 2>&1 | grep hybrid)"
seen 'sgdisk --change-name' '1 ee;2048 ef' "$(after sgdisk --change-name=2:root disk)"
