#!/bin/bash
# `e2fsck -n` calls an ext4 clean, with exit code 0, whose files are not yet what its last fsync promised; debugfs and 7-Zip show the old
# contents, a mount the new ones.
#
# Expected: a tool that reads a file system either applies the journal in memory or says that what it shows may be old.
# Seen: a device lost power after a transaction was committed and before it was written in place (here: its file's data block, as with
#   data=journal; directories and inodes are always journaled so). debugfs and 7-Zip read the old block without a word. `e2fsck -n` says in
#   one line that it skips recovery, in the next "clean", and exits with 0. The crate ext4-view and a mount show the new block; `mount -o
#   ro` writes to the card to do so, and is refused if the card is write-protected.
# Versions: e2fsprogs 1.47.0, 7zip 26.02 (Debian 12); crate ext4-view 1.0.0; Linux 6.18. The mount needs root.
# Written in: Linux, Documentation/filesystems/ext4/journal.rst and fs/ext4/super.c ("recovery required on readonly filesystem"); e2fsck(8),
#   exit codes; ext4-view, src/journal.rs.
# Hurts: a support engineer who reads a returned card through a write blocker, or from an image: the last records before the failure are
#   missing, and the check says that all is well.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb e2fsprogs=1.47.0-2+b2 7zip=22.01+really26.02+dfsg-0+deb12u1 mount=2.38.1-5+deb12u3
crates ext4-view@=1.0.0 --features std
echo "kernel: $(uname -r | grep -oE '^[0-9]+\.[0-9]+')"

truncate -s 64M card
mkfs.ext4 -q -F -b 4096 card
for letter in A B; do head -c 4096 /dev/zero | tr '\0' "$letter" >"block-$letter"; done
debugfs -w -R 'write block-A log' card >/dev/null 2>&1
block=$(debugfs -R 'blocks log' card 2>/dev/null | tr -d ' ')
# Commits a transaction that has B as the new contents of the file's only block, and stops there, as a power cut does.
printf 'jo -c\njw -b %s block-B\njc\n' "$block" | debugfs -w -f - card >/dev/null 2>&1
cp card copy

first() { head -c 1; }
status=0
e2fsck -n card >checked 2>&1 || status=$?
seen 'e2fsck -n' 'exit 0, clean' "exit $status, $(grep -o 'clean' checked)"
seen 'e2fsck -n, warning' 'skipping journal recovery because doing a read-only filesystem check.' "$(sed -n 's/^Warning: //p' checked)"
seen 'debugfs' A "$(debugfs -R 'cat log' card 2>/dev/null | first)"
seen '7-Zip' A "$(7zz x -so card log 2>/dev/null | first)"
seen 'crate ext4-view' B "$(rust "$work/card" <<'RUST'
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("no path")?;
    let file_system = ext4_view::Ext4::load_from_path(std::path::Path::new(&path))?;
    println!("{}", char::from(file_system.read("/log")?[0]));
    Ok(())
}
RUST
)"
seen 'the card after all of these' unchanged "$(cmp -s card copy && echo unchanged)"
mkdir mounted
attach card --read-only
seen 'mount -o ro, write-protected' refused "$(mount -o ro "$loop" mounted 2>/dev/null || echo refused)"
mount -o ro,noload "$loop" mounted
seen 'mount -o ro,noload, write-protected' A "$(first <mounted/log)"
umount mounted
detach "$loop"
attach card
mount -o ro "$loop" mounted
seen 'mount -o ro' B "$(first <mounted/log)"
umount mounted
detach "$loop"
seen 'the card after mount -o ro' changed "$(cmp -s card copy || echo changed)"
