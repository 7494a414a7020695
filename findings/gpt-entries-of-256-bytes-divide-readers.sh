#!/bin/bash
# A GPT with entries of 256 bytes, which the UEFI specification provides for, has two partitions for sfdisk and parted and none for blkid
# and sgdisk, which finds no problem.
#
# Expected: the header says how long an entry is, so a reader either uses that length or refuses the table.
# Seen: sfdisk and parted list both partitions. libblkid (blkid, partx, udev) sees a protective MBR and no partition, as does the kernel,
#   by its source. sgdisk warns that it goes on with 128 bytes, prints an empty table and says "No problems found"; its first change then
#   writes a table without the two. parted's first change writes entries of 128 bytes, and all agree.
# Versions: fdisk and util-linux 2.38.1, parted 3.5, gdisk 1.0.9 (Debian 12).
# Written in: UEFI specification, 5.3.2 (SizeOfPartitionEntry is 128 x 2^n); util-linux, libblkid/src/partitions/gpt.c (get_gpt_header) and
#   Linux, block/partitions/efi.c (is_gpt_valid): another size than 128 is not a GPT.
# Hurts: a maker whose image builder made such a table: sfdisk shows a good image, and the device finds no root file system.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb parted=3.5-3+deb12u1 libparted2=3.5-3+deb12u1 fdisk=2.38.1-5+deb12u3 libfdisk1=2.38.1-5+deb12u3 util-linux=2.38.1-5+deb12u3 \
	gdisk=1.0.9-2.1 libpopt0=1.19+dfsg-1

# A table of two partitions of 1 MiB, at sectors 2048 and 4096 of a disk of 64 MiB, with entries of this many bytes.
make() {
	python3 - "$1" "$2" <<'PYTHON'
import struct, sys, uuid, zlib
path, length, sectors = sys.argv[1], int(sys.argv[2]), 64 * 2048
entries = bytearray(128 * length)
for number, first in enumerate((2048, 4096)):
    kind = uuid.UUID("0FC63DAF-8483-4772-8E79-3D69D8477DE4").bytes_le
    struct.pack_into("<16s16sQQ", entries, number * length, kind, bytes([number + 1] * 16), first, first + 2047)
array = len(entries) // 512

def header(mine, other, at):
    usable = (2 + array, sectors - 2 - array)
    fields = [b"EFI PART", 0x10000, 92, 0, 0, mine, other, *usable, bytes([9] * 16), at, 128, length, zlib.crc32(entries)]
    fields[3] = zlib.crc32(struct.pack("<8sIIIIQQQQ16sQIII", *fields))
    return struct.pack("<8sIIIIQQQQ16sQIII", *fields)

with open(path, "wb") as disk:
    disk.truncate(sectors * 512)
    for sector, data in (
        (0, bytes(446) + struct.pack("<BBBBBBBBII", 0, 0, 2, 0, 0xEE, 255, 255, 255, 1, sectors - 1) + bytes(48) + b"\x55\xaa"),
        (1, header(1, sectors - 1, 2)), (2, entries),
        (sectors - 1 - array, entries), (sectors - 1, header(sectors - 1, 1, sectors - 1 - array)),
    ):
        disk.seek(sector * 512)
        disk.write(data)
PYTHON
}
make usual 128
make long 256
by_sfdisk() { sfdisk -d "$1" | sed -n 's/.* start= *\([0-9]*\),.*/\1/p' | tr '\n' ' '; }
by_parted() { parted -sm "$1" unit s print 2>/dev/null | sed -n 's/^[0-9]*:\([0-9]*\)s:.*/\1/p' | tr '\n' ' '; }
by_sgdisk() { sgdisk -p "$1" 2>/dev/null | sed -n 's/^ *[0-9]* *\([0-9]*\) .*iB .*/\1/p' | tr '\n' ' '; }
by_blkid() { echo "$(blkid -p -s PTTYPE -o value "$1") $(partx -s -g -o START "$1" 2>/dev/null | tr -d ' ' | tr '\n' ' ')"; }
for name in sfdisk parted sgdisk; do seen "128 bytes, $name" '2048 4096 ' "$(by_$name usual)"; done
seen '128 bytes, blkid and partx' 'gpt 2048 4096 ' "$(by_blkid usual)"
for name in sfdisk parted; do seen "256 bytes, $name" '2048 4096 ' "$(by_$name long)"; done
seen '256 bytes, blkid and partx' 'PMBR ' "$(by_blkid long)"
seen '256 bytes, sgdisk' '' "$(by_sgdisk long)"
seen '256 bytes, sgdisk --verify' 'No problems found.' "$(sgdisk --verify long 2>/dev/null | grep -o 'No problems found\.')"
cp long by-sgdisk
sgdisk --new=0:8192:+1M by-sgdisk >/dev/null 2>&1
seen '256 bytes, after sgdisk --new: sfdisk' '8192 ' "$(by_sfdisk by-sgdisk)"
cp long by-parted
parted -s by-parted name 1 root >/dev/null 2>&1
seen '256 bytes, after parted name: blkid and partx' 'gpt 2048 4096 ' "$(by_blkid by-parted)"
