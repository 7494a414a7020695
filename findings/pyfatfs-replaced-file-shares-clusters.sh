#!/bin/bash
# A file that pyfatfs replaces by a shorter one keeps the clusters that it gave back; the next file gets them, and a repair empties that
# one.
#
# Expected: `fs.writebytes("/CONFIG.TXT", ...)` on a file that is there leaves what a new file of this content would be.
# Seen: the rest of the chain becomes free, and the last cluster that is kept still points to it. pyfatfs and mtools read both files right,
#   as they stop at the length. fsck.fat finds a chain that is too long, cuts it, and then finds the next file on free clusters: `fsck.fat
#   -a`, as it is run at boot, leaves that file with 0 bytes. If the new content is longer than one cluster as well, pyfatfs ends with
#   "FREE_CLUSTER mark found", and the file is empty. A file of one cluster is replaced without harm, and so is one that is removed first.
# Versions: PyPI pyfatfs 1.1.0, fs 2.4.16; dosfstools 4.2, mtools 4.0.32 (Debian 12).
# Written in: Microsoft, FAT specification (the entry of a file's last cluster is a mark of the end); pyfatfs, FatIO.py
#   (truncate frees what follows, and marks no end).
# Hurts: a maker whose Python script fills in the configuration of each card in the FAT of a finished image, and copies the kernel or the
#   certificate of the board behind it: all reads at the factory are right, and the first boot with a check empties the file.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb dosfstools=4.2-1 mtools=4.0.33-1+really4.0.32-1
pip_install pyfatfs==1.1.0 fs==2.4.16 setuptools==75.8.0

cat >fill.py <<'PYTHON'
import sys, warnings
warnings.simplefilter("ignore")
from pyfatfs import PyFATException
from pyfatfs.PyFatFS import PyFatFS

old, new, how = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
with PyFatFS("card") as fs:
    fs.writebytes("/CONFIG.TXT", b"a" * old)
    try:
        if how == "remove":
            fs.remove("/CONFIG.TXT")
        fs.writebytes("/CONFIG.TXT", b"b" * new)
    except PyFATException as error:
        print(error)
    fs.writebytes("/KERNEL.BIN", b"k" * 30000)
with PyFatFS("card", read_only=True) as fs:
    print("CONFIG.TXT", len(fs.readbytes("/CONFIG.TXT")), "KERNEL.BIN", fs.readbytes("/KERNEL.BIN").count(b"k"))
PYTHON
# filled BITS OLD NEW HOW: what pyfatfs reads in the end.
filled() {
	rm -f card && truncate -s 64M card
	mkfs.fat -F "$1" -s $(($1 == 16 ? 4 : 1)) card >/dev/null
	"$work/venv/bin/python" fill.py "${@:2}" 2>errors | paste -sd ';' || fail "Python: $(tail -1 errors)"
}
length() { mtype -i card "::$1" | wc -c; }
by_mtools() { echo "CONFIG.TXT $(length CONFIG.TXT) KERNEL.BIN $(mtype -i card ::KERNEL.BIN | tr -cd k | wc -c)"; }
# checked: what fsck.fat says of the chains, without changing anything.
checked() {
	fsck.fat -n card >said || true
	echo "$(grep -cE 'cluster chain length is >|Contains a free cluster' said || true) faults"
}
for bits in 16 32; do
	both='CONFIG.TXT 20 KERNEL.BIN 30000'
	seen "FAT$bits, 20 bytes instead of 300" "$both" "$(filled $bits 300 20 replace)"
	seen 'fsck.fat' '0 faults' "$(checked)"
	seen "FAT$bits, 20 bytes instead of 20000, removed first" "$both" "$(filled $bits 20000 20 remove)"
	seen 'fsck.fat' '0 faults' "$(checked)"
	seen "FAT$bits, 20 bytes instead of 20000" "$both" "$(filled $bits 20000 20 replace)"
	seen 'mtools' "$both" "$(by_mtools)"
	seen 'fsck.fat' '2 faults' "$(checked)"
	fsck.fat -a card >/dev/null || true
	seen 'after fsck.fat -a' 'CONFIG.TXT 20 KERNEL.BIN 0' "$(by_mtools)"
	seen "FAT$bits, 20000 bytes instead of 20000" \
		'FREE_CLUSTER mark found in FAT cluster chain, cannot access file;CONFIG.TXT 0 KERNEL.BIN 30000' "$(filled $bits 20000 20000 replace)"
done
