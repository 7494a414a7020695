#!/bin/bash
# `dcfldd if=IMAGE vf=CARD` finds that they differ, says so on standard error, and exits with 0; and each card that is larger differs.
#
# Expected: a verification that fails has another exit status, as cmp has; a card that begins with the image is good.
# Seen: one changed byte gives "Total: Mismatch" and exit status 0, as does a card that is too short. A good card is a mismatch, too, if it
#   is larger than the image, as nearly each is: count= and limit= are not looked at, on whichever side the card is. An equal file is a
#   mismatch if the input comes through a pipe and one read of it is short, as behind xz or zstd; then it depends on the moment. The place
#   that is reported is always "0 - 0".
# Versions: dcfldd 1.9 (Debian 12).
# Written in: dcfldd(1) says of vf= "Verify that FILE matches the specified input", and nothing of the exit status; src/verify.c
#   (dd_verify: two reads of different lengths are a difference; nothing counts the records).
# Hurts: a maker whose script writes with dcfldd, as it hashes on the way, and continues `&& echo PASS` behind the verification: all cards
#   pass. One who reads the words instead sees all cards fail, and learns to ignore them.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb dcfldd=1.9-2

head -c 3M /dev/urandom >image
cp image same
cp image changed
printf '\1\2\3\4\5\6\7\10' | dd of=changed bs=1 seek=2000000 conv=notrunc status=none
head -c 2M image >short
{ cat image && head -c 1M /dev/zero; } >card
# verified FILE WITH [OPTION]: what dcfldd says of it, and its exit status.
verified() {
	local status=0
	dcfldd if="$1" vf="$2" verifylog=log status=off "${@:3}" 2>said || status=$?
	echo "$(sed -n 's/^Total: //p' log said), exit $status"
	rm -f log
}
seen 'an equal file' 'Match, exit 0' "$(verified image same)"
seen 'one with changed bytes' 'Mismatch, exit 0' "$(verified image changed)"
seen 'cmp of it' 'exit 1' "exit $(cmp -s image changed && echo 0 || echo $?)"
seen 'one that is too short' 'Mismatch, exit 0' "$(verified image short)"
seen 'a good card that is larger' 'Mismatch, exit 0' "$(verified image card)"
seen 'the same, limit=' 'Mismatch, exit 0' "$(verified image card limit=3145728)"
seen 'the same, count=' 'Mismatch, exit 0' "$(verified image card bs=1M count=3)"
seen 'a good card as the input, limit=' 'Mismatch, exit 0' "$(verified card image limit=3145728)"
# The image through a pipe, in two parts.
{ head -c 1000 image && sleep 1 && tail -c +1001 image || true; } 2>/dev/null | dcfldd vf=same status=off 2>said
seen 'an equal file, through a pipe' '0 - 0: Mismatch Total: Mismatch' "$(paste -sd ' ' said)"
