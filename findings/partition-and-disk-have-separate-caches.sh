#!/bin/bash
# Bytes that were written to a partition and flushed are not seen by a program that has the whole disk open and has read there before.
#
# Expected: /dev/sda and /dev/sda1 are windows on one device. What fsync of one has put on the medium, a read through the other returns.
# Seen: each has a page cache. After write, fsync and close on the partition, a read of the disk returns the old bytes, also by a descriptor
#   opened only now, as long as anyone keeps the disk open. O_DIRECT returns the new ones, as does the cache after POSIX_FADV_DONTNEED. The
#   same the other way round.
# Versions: Linux 6.18; util-linux 2.38.1 (Debian 12) for losetup. It needs root.
# Written in: Linux, block/bdev.c (a bdev inode, and so a mapping, for each partition; blkdev_put drops the pages at the last close, where a
#   partition that is open counts as an opener of the disk).
# Hurts: a storage engineer whose program keeps a disk open, lets a tool write a file system into its partition, and reads the disk back to
#   compare or hash it: a good card is called bad, or a bad one good.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb mount=2.38.1-5+deb12u3
echo "kernel: $(uname -r | grep -oE '^[0-9]+\.[0-9]+')"

head -c 8M /dev/zero | tr '\0' A >image
# With --partscan, partitions that an earlier user of the loop device left behind are removed.
attach image --partscan
python3 - "$loop" >said <<'PYTHON'
import ctypes, mmap, os, sys, time

class Partition(ctypes.Structure):
    _fields_ = [("start", ctypes.c_longlong), ("length", ctypes.c_longlong), ("number", ctypes.c_int), ("names", ctypes.c_char * 128)]

class Argument(ctypes.Structure):
    _fields_ = [("op", ctypes.c_int), ("flags", ctypes.c_int), ("length", ctypes.c_int), ("data", ctypes.c_void_p)]

BLKPG, ADD, DELETE, MIB = 0x1269, 1, 2, 1 << 20

def blkpg(disk, op, start=0, length=0):
    partition = Partition(start, length, 1)
    argument = Argument(op, 0, ctypes.sizeof(partition), ctypes.cast(ctypes.pointer(partition), ctypes.c_void_p))
    if ctypes.CDLL(None, use_errno=True).ioctl(disk, BLKPG, ctypes.byref(argument)) != 0:
        raise OSError(ctypes.get_errno(), "BLKPG")

def direct(path, offset):
    fd, page = os.open(path, os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, 4096)
    os.preadv(fd, [page], offset)
    os.close(fd)
    return page[0:1].decode()

def byte(fd, offset):
    return os.pread(fd, 1, offset).decode()

path = sys.argv[1]
disk = os.open(path, os.O_RDWR)
blkpg(disk, ADD, MIB, 4 * MIB)
try:
    for _ in range(100):
        if os.path.exists(path + "p1"):
            break
        time.sleep(0.05)
    print("disk, before:", byte(disk, MIB))
    partition = os.open(path + "p1", os.O_RDWR)
    os.pwrite(partition, b"B" * 4096, 0)
    os.fsync(partition)
    os.close(partition)
    print("disk, B was written to the partition, flushed, closed:", byte(disk, MIB))
    again = os.open(path, os.O_RDONLY)
    print("disk, opened again:", byte(again, MIB))
    os.close(again)
    print("disk, O_DIRECT:", direct(path, MIB))
    os.posix_fadvise(disk, 0, 0, os.POSIX_FADV_DONTNEED)
    print("disk, after POSIX_FADV_DONTNEED:", byte(disk, MIB))
    partition = os.open(path + "p1", os.O_RDWR)
    print("partition, before:", byte(partition, 0))
    os.pwrite(disk, b"C" * 4096, MIB)
    os.fsync(disk)
    print("partition, C was written to the disk, flushed:", byte(partition, 0))
    print("partition, O_DIRECT:", direct(path + "p1", 0))
    os.close(partition)
finally:
    blkpg(disk, DELETE)
PYTHON
said() { sed -n "s/^$1: //p" said; }
for what in 'disk, before=A' 'disk, B was written to the partition, flushed, closed=A' 'disk, opened again=A' 'disk, O_DIRECT=B' \
	'disk, after POSIX_FADV_DONTNEED=B' 'partition, before=B' 'partition, C was written to the disk, flushed=B' 'partition, O_DIRECT=C'; do
	seen "${what%%=*}" "${what#*=}" "$(said "${what%%=*}")"
done
