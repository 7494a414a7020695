#!/bin/bash
# `journalctl -o json` shows a field as null once its name and value reach 4096 bytes; the value is in the journal.
#
# Expected: JSON is the form for machines, and nothing is shortened in it; shortening is for terminals.
# Seen: `NAME=` and the value together of 4095 bytes are shown whole, of 4096 as null: the longer the field's name, the shorter the value
#   may be. A field that an entry has twice becomes an array. -o export has all; so has -o json with --all. The exit code is 0.
# Versions: systemd 252.39 (Debian 12): journalctl, systemd-journal-remote to write a journal without the daemon.
# Written in: journalctl(1), -o json ("Fields larger than 4096 bytes are encoded as null values", with --all they are not); systemd,
#   src/shared/logs-show.c (JSON_THRESHOLD is compared with the length of name and value).
# Hurts: a maker who collects the logs of flashing by `journalctl -o json`: a list of digests or an error chain is missing from the
#   collected log.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2 systemd-journal-remote=252.39-1~deb12u2 libmicrohttpd12=0.9.75-6

export_entry() {
	cat <<-ENTRY
		__REALTIME_TIMESTAMP=1700000000000001
		__MONOTONIC_TIMESTAMP=1
		_BOOT_ID=0123456789abcdef0123456789abcdef
		MESSAGE=flashed
		SLOT=A1
		SLOT=A2
		D=$(head -c 4093 /dev/zero | tr '\0' a)
		E=$(head -c 4094 /dev/zero | tr '\0' a)
		DIGESTS=$(head -c 4093 /dev/zero | tr '\0' a)

	ENTRY
}
remote=$work/root/lib/systemd/systemd-journal-remote
[ -x "$remote" ] || remote=/lib/systemd/systemd-journal-remote
export_entry | "$remote" -o entries.journal - 2>/dev/null
field() {
	journalctl --file entries.journal "${@:2}" | python3 -c '
import json, sys
value = json.load(sys.stdin)[sys.argv[1]]
print(f"{len(value)} characters" if isinstance(value, str) and len(value) > 100 else json.dumps(value))' "$1"
}
seen 'D, 4093 bytes' '4093 characters' "$(field D -o json)"
seen 'E, 4094 bytes' null "$(field E -o json)"
seen 'DIGESTS, 4093 bytes' null "$(field DIGESTS -o json)"
seen 'DIGESTS, 4093 bytes, with --all' '4093 characters' "$(field DIGESTS -o json --all)"
seen 'SLOT, twice' '["A1", "A2"]' "$(field SLOT -o json)"
seen 'DIGESTS, -o export' 4093 "$(journalctl --file entries.journal -o export | sed -n 's/^DIGESTS=//p' | tr -d '\n' | wc -c)"
