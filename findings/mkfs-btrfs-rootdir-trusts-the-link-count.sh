#!/bin/bash
# mkfs.btrfs --rootdir makes a faulty file system of a tree that shares files with another one by hard links.
#
# Expected: the image holds what is in the tree; how often a file is linked to outside is nothing to it.
# Seen: the inode's link count is the one of the building machine. One file has one name inside the tree and one outside: in the image it
#   has one name and a count of two. mkfs ends with success; `btrfs check` finds errors; the kernel mounts it and shows 2. When the device
#   deletes the file its name goes, and its room is never given back, also not by another mount. mkfs.ext4 -d and mksquashfs, of the same
#   tree, make a count of one.
# Versions: btrfs-progs 6.2, e2fsprogs 1.47.0, squashfs-tools 4.5.1 (Debian 12), Linux 6.18.
# Written in: btrfs-progs, mkfs/rootdir.c (the count of stat goes into the inode; newer sources count for themselves). mkfs.btrfs(8) says
#   nothing of hard links in the tree.
# Hurts: a maker whose root tree comes out of a cache by `cp -al` or hard links (package stores, rsync --link-dest, ostree): the first
#   update on the device fills the card by the size of what it replaces, each time, and nothing on the device can name the files.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb btrfs-progs=6.2-1+deb12u2 e2fsprogs=1.47.0-2+b2 squashfs-tools=1:4.5.1-1 liblzo2-2=2.10-2 mount=2.38.1-5+deb12u3

mkdir cache tree mounted
stop() {
	umount mounted 2>/dev/null || true
	clean_up
}
trap stop EXIT
head -c 8000000 /dev/urandom >cache/application
ln cache/application tree/application
echo other >tree/plain
truncate -s 120M image
seen 'mkfs.btrfs' 'exit 0' "exit $(mkfs.btrfs -q --rootdir tree image >said 2>&1 && echo 0 || echo $?)"
checked() { btrfs check image 2>&1 | sed -n 's/.*\(link count wrong\).*/\1/p'; }
seen 'btrfs check' 'link count wrong' "$(checked)"

attach image
mount "$loop" mounted
seen 'links of the file, Linux' 2 "$(stat -c %h mounted/application)"
seen 'links of the one that is not shared' 1 "$(stat -c %h mounted/plain)"
# used: MiB of data.
used() {
	btrfs filesystem sync mounted
	btrfs filesystem usage -b mounted | sed -n 's/^Data.*Used:\([0-9]*\) .*/\1/p' | awk '{print int($1 / 1048576)}'
}
seen 'MiB of data' 7 "$(used)"
rm mounted/application
seen 'files that are left' plain "$(ls mounted)"
umount mounted
mount "$loop" mounted
seen 'MiB of data, the file deleted, mounted again' 7 "$(used)"
umount mounted
detach "$loop"

# The same with a tree that is a copy.
rm image tree/application && cp cache/application tree/ && truncate -s 120M image
mkfs.btrfs -q --rootdir tree image >/dev/null 2>&1
seen 'btrfs check, of a copied tree' '' "$(checked)"
attach image
mount "$loop" mounted
rm mounted/application
umount mounted
mount "$loop" mounted
seen 'MiB of data, the file deleted' 0 "$(used)"
umount mounted
detach "$loop"

# And the other makers.
rm tree/application && ln cache/application tree/application
truncate -s 120M ext4
mkfs.ext4 -q -F -d tree ext4
seen 'mkfs.ext4 -d, links' 1 "$(debugfs -R 'stat /application' ext4 2>/dev/null | sed -n 's/.*Links: \([0-9]*\).*/\1/p')"
seen 'e2fsck' 'exit 0' "exit $(e2fsck -fn ext4 >/dev/null 2>&1 && echo 0 || echo $?)"
mksquashfs tree squashfs -quiet -no-progress >/dev/null
attach squashfs
mount -o ro "$loop" mounted
seen 'mksquashfs, links' 1 "$(stat -c %h mounted/application)"
umount mounted
detach "$loop"
