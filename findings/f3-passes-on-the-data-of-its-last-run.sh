#!/bin/bash
# f3read finds all data of a card good that has ignored each write of this run, if f3 was run on it before.
#
# Expected: f3write fills the card with pseudorandom data, f3read tells whether that data is there: a card that drops writes is found.
# Seen: the data of each block is made of nothing but its place in the files, and so is the same in each run, on each card. A card was
#   tested once and was good; then it drops all writes, as worn flash can. f3write reports no error, and after the card was taken out and
#   put in again f3read finds the files of the first run: "Data OK", nothing lost, exit 0.
# Versions: f3 8.0 (Debian 12), e2fsprogs 1.47.0, Linux 6.18.
# Written in: f3, f3write.c (fill_buffer: the offset is the seed). Its documents call the data pseudorandom.
# Hurts: a maker who tests cards on arrival and again when they come back from the field, or who tries a suspect card twice "to be sure".
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb f3=8.0-2 libparted2=3.5-3+deb12u1 e2fsprogs=1.47.0-2+b2 mount=2.38.1-5+deb12u3

mkdir mounted
stop() {
	umount mounted 2>/dev/null || true
	clean_up
}
trap stop EXIT
insert() {
	attach card
	mount "$loop" mounted
}
take_out() {
	umount mounted
	detach "$loop"
}
# run COMMAND...: how it ends, and what it says of sectors.
run() {
	local status=0
	"$@" >said 2>&1 || status=$?
	echo "exit $status, $(sed -n 's/^ *\(Data [A-Z]*:\).*(\([0-9]* sectors\))/\1 \2/p' said | paste -sd, | sed 's/,/, /g')"
}
truncate -s 24M card
mkfs.ext4 -q -F card
insert
seen 'f3write, a good card' 'exit 0, ' "$(run f3write mounted)"
take_out
insert
good=$(run f3read mounted)
echo "f3read: $good"
seen 'its lost sectors' 'Data LOST: 0 sectors' "${good##*, }"
cp mounted/1.h2w first.h2w
take_out
cp card as-it-was
# From here on, no write of the second run stays on the card. What the run would have written is compared first.
insert
seen 'f3write, again' 'exit 0, ' "$(run f3write mounted)"
seen 'differences between the two runs' 0 "$(cmp -l mounted/1.h2w first.h2w | wc -l)"
take_out
if cmp -s card as-it-was; then fail "the second run wrote nothing"; fi
cp as-it-was card
insert
seen 'f3read, of a card that dropped each write' "$good" "$(run f3read mounted)"
# A card that drops the writes of its first test has no such files.
rm mounted/1.h2w
seen 'f3read, without the first run' 'exit 0, Data OK: 0 sectors, Data LOST: 0 sectors' "$(run f3read mounted)"
take_out
