#!/bin/bash
# genimage puts the first partition at sector 34 (GPT) or sector 1 (MBR), and gives every MBR the disk signature 0.
#
# Expected: as with sfdisk, parted and sgdisk, a partition without an offset begins at 1 MiB, and a disk has an identity.
# Seen: partitions follow each other by the sector: 34, 8226 in a GPT; 1 in an MBR. No boundary of 4 KiB is met, so each block of the file
#   system covers two pages of the flash. The MBR's signature is 0, and blkid shows no UUID for such a table: root=PARTUUID= has nothing
#   to name.
# Versions: genimage 16, fdisk 2.38.1 (Debian 12).
# Written in: genimage, README, options of hdimage: `align` is 512 bytes by default, `disk-signature` is a number or `random`.
# Hurts: a maker whose cards write slowly and wear early, for lack of `align = 1M`.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb genimage=16-2 fdisk=2.38.1-5+deb12u3 util-linux=2.38.1-5+deb12u3 libconfuse2=3.3-3

build() {
	cat >config
	rm -rf root tmp in out && mkdir root in
	truncate -s 4M in/part
	genimage --config config --rootpath root --tmppath tmp --inputpath in --outputpath out >log 2>&1 || fail "genimage: $(grep ERROR log)"
}
starts() { sfdisk -d out/disk | sed -n 's/.*start= *\([0-9]*\),.*/\1/p' | tr '\n' ' '; }

build <<'CONFIG'
image disk {
	hdimage {
		partition-table-type = "gpt"
	}
	partition boot {
		image = "part"
		partition-type-uuid = "L"
	}
	partition root {
		image = "part"
		partition-type-uuid = "L"
	}
}
CONFIG
seen 'GPT, first sectors' '34 8226 ' "$(starts)"
build <<'CONFIG'
image disk {
	hdimage {
		partition-table-type = "mbr"
	}
	partition boot {
		image = "part"
		partition-type = 0xC
	}
}
CONFIG
seen 'MBR, first sector' '1 ' "$(starts)"
seen 'MBR, signature' 0x00000000 "$(sfdisk -d out/disk | sed -n 's/^label-id: //p')"
seen 'MBR, UUID that blkid shows' '' "$(blkid -p -s PTUUID -o value out/disk || true)"
