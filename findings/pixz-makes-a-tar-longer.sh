#!/bin/bash
# What xz gives back of a tar that pixz compressed is not that tar: there are bytes behind its end.
#
# Expected: pixz writes the xz format, and each decompressor of xz returns the file that went in, byte by byte.
# Seen: pixz looks into its input. If that begins as a tar does, an index of the members is compressed as one more block of the same stream.
#   `xz -dc` and Python return it behind the tar's last block, where only pixz itself takes it away: length and digest are others. The same
#   bytes behind one leading zero byte are no tar, and come back as they were; so does a tar under `pixz -t`.
# Versions: pixz 1.0.7, xz-utils 5.4.1 (Debian 12).
# Written in: pixz(1) speaks of an index, and of -t; that it is part of the data for everybody else is only in its source.
# Hurts: a maker who publishes the digest of an uncompressed image (a root file system or a bundle as a tar), and compresses it with the
#   parallel tool: all stations that prove the digest of what they unpacked refuse the good image, and `tar -t` finds nothing wrong.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb pixz=1.0.7-2 libarchive13=3.6.2-1+deb12u5 xz-utils=5.4.1-1+deb12u2

mkdir files && seq 20000 >files/numbers
tar --sort=name --owner=0 --group=0 --mtime=@0 -cf image.tar files
length=$(stat -c %s image.tar)
# compared FILE: how much longer than the original, and whether the part that the original has is equal.
compared() {
	local same=other
	if cmp -s -n "$(stat -c %s "$2")" "$1" "$2"; then same=same; fi
	echo "$(($(stat -c %s "$1") - $(stat -c %s "$2"))) bytes more, $same"
}
pixz image.tar tar.xz
xz -dc tar.xz >by-xz
seen 'xz -dc of a tar' '54 bytes more, same' "$(compared by-xz image.tar)"
seen 'what is behind it, a name' files/numbers "$(tail -c +$((length + 1)) by-xz | grep -ao 'files/numbers')"
python3 -c 'import lzma, shutil; shutil.copyfileobj(lzma.open("tar.xz"), open("by-python", "wb"))'
seen 'Python, of a tar' '54 bytes more, same' "$(compared by-python image.tar)"
pixz -d tar.xz by-pixz
seen 'pixz -d of a tar' '0 bytes more, same' "$(compared by-pixz image.tar)"
seen 'xz --test' 'exit 0' "exit $(xz --test tar.xz && echo 0 || echo $?)"
pixz -t image.tar plain.xz
xz -dc plain.xz >by-xz
seen 'xz -dc of a tar, pixz -t' '0 bytes more, same' "$(compared by-xz image.tar)"
{ printf '\0' && cat image.tar; } >image.raw
pixz image.raw raw.xz
xz -dc raw.xz >by-xz
seen 'xz -dc of the same behind a zero byte' '0 bytes more, same' "$(compared by-xz image.raw)"
