#!/bin/bash
# A read-only loop device can be opened for writing; only the write fails, with EPERM. A write-protected card fails at open, with EROFS.
#
# Expected: `losetup -r` is a stand-in for a card with its write-protect switch on, and open(O_RDWR) fails with EROFS (or EACCES) on both.
# Seen: open succeeds with O_RDWR, O_WRONLY and O_EXCL, and write fails with "Operation not permitted", as does BLKDISCARD. A test on a
#   loop device does not exercise the path of a locked card, and EPERM suggests missing privileges.
# Versions: Linux 6.18; util-linux 2.38.1 (Debian 12) for losetup.
# Written in: Linux, block/fops.c (blkdev_write_iter returns EPERM for a read-only device; blkdev_open does not ask), and the drivers' own
#   open: drivers/scsi/sd.c (sd_open) and drivers/mmc/core/block.c (mmc_blk_open) return EROFS; drivers/block/loop.c has no such test.
# Hurts: a storage engineer who tests write protection with loop devices.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb mount=2.38.1-5+deb12u3
echo "kernel: $(uname -r | grep -oE '^[0-9]+\.[0-9]+')"

truncate -s 1M image
attach image --read-only
seen 'BLKROGET' 1 "$(blockdev --getro "$loop")"
expected='O_RDWR: opens, write EPERM; O_WRONLY: opens, write EPERM; O_RDWR|O_EXCL: opens, write EPERM; BLKDISCARD: EPERM'
seen 'open and write' "$expected" "$(python3 - "$loop" <<'PYTHON'
import errno, fcntl, os, struct, sys
results = []
for name, flags in (("O_RDWR", os.O_RDWR), ("O_WRONLY", os.O_WRONLY), ("O_RDWR|O_EXCL", os.O_RDWR | os.O_EXCL)):
    try:
        fd = os.open(sys.argv[1], flags)
    except OSError as error:
        results.append(f"{name}: open {errno.errorcode[error.errno]}")
        continue
    try:
        os.write(fd, bytes(512))
        results.append(f"{name}: opens, writes")
    except OSError as error:
        results.append(f"{name}: opens, write {errno.errorcode[error.errno]}")
try:
    BLKDISCARD = 0x1277
    fcntl.ioctl(fd, BLKDISCARD, struct.pack("QQ", 0, 4096))
    results.append("BLKDISCARD: done")
except OSError as error:
    results.append(f"BLKDISCARD: {errno.errorcode[error.errno]}")
print("; ".join(results))
PYTHON
)"
