#!/bin/bash
# checkisomd5 calls an installation image good whose EFI boot partition differs from the one it was signed off with, and `isosize` ends
# before that partition.
#
# Expected: the digest that implantisomd5 puts into an ISO covers the image, apart from the few bytes that it changes itself.
# Seen: it covers the ISO 9660 file system, by the size that the volume descriptor names. A partition that xorriso appended (the way in
#   which Ubuntu's and Fedora's images carry the EFI system partition) and the backup GPT lie behind it. After a change of the
#   partition the check passes; after a change of a file in the ISO part it fails. `isosize` gives 3 of 11 MiB: read-back by it compares
#   neither.
# Versions: isomd5sum 1.2.3, xorriso 1.5.4, dosfstools 4.2, mtools 4.0.32, util-linux 2.38.1 (Debian 12).
# Written in: isomd5sum, libimplantisomd5.c (primary_volume_size); xorrisofs(1), -append_partition; isosize(8).
# Hurts: a maker of installation sticks who proves them by `checkisomd5 /dev/sdX` or by `head -c $(isosize IMAGE)`: the part that the
#   firmware starts from is not compared.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb isomd5sum=1:1.2.3-5+b4 libpopt0=1.19+dfsg-1 xorriso=1.5.4-4 libisoburn1=1.5.4-4 libisofs6=1.5.4-1 libburn4=1.5.4-1 libjte2=1.22-3 \
	dosfstools=4.2-1 mtools=4.0.33-1+really4.0.32-1 util-linux=2.38.1-5+deb12u3 fdisk=2.38.1-5+deb12u3

mkdir files
head -c 3M /dev/urandom >files/one
truncate -s 8M esp
mkfs.fat --invariant esp >/dev/null
xorriso -as mkisofs -quiet -append_partition 2 0xef esp -appended_part_as_gpt -o stick files >/dev/null 2>&1
implantisomd5 stick >/dev/null
start=$(sfdisk -d stick | sed -n 's/^stick2 : start= *\([0-9]*\),.*/\1/p')
checked() { if checkisomd5 "$1" >/dev/null 2>&1 </dev/null; then echo PASS; else echo "exit $?"; fi; }
seen 'checkisomd5' PASS "$(checked stick)"
seen 'isosize ends before the partition' yes "$([ "$(isosize stick)" -le $((start * 512)) ] && echo yes)"
seen 'bytes, and by isosize, in MiB' '11, 3' "$(($(stat -c %s stick) >> 20)), $(($(isosize stick) >> 20))"
cp stick other
head -c 1M /dev/urandom >loader
mcopy -i "other@@$((start * 512))" loader ::bootx64.efi
seen 'a loader in the EFI partition' different "$(cmp -s stick other || echo different)"
seen 'checkisomd5, with it' PASS "$(checked other)"
cp stick other
printf changed | dd of=other bs=1 seek=$(($(isosize stick) / 2)) conv=notrunc status=none
seen 'checkisomd5, one file changed' 'exit 1' "$(checked other)"
