#!/bin/bash
# A systemd timer that runs each half hour pauses for an hour and a half when summer time ends, and a daily one at 02:30 leaves a day out.
#
# Expected: "*:0/30" elapses each half hour of real time; a daily timer whose time does not exist on one night runs an hour later, or
#   earlier, as with cron.
# Seen: in a zone with summer time, the hour that comes twice in October is used once: behind 02:30 (summer) follows 03:00 (winter), which
#   is 90 minutes later. In March "02:30" does not elapse at all on the night of the change: 48 hours less one lie between two runs. With a
#   zone in the expression ("*:0/30 UTC") each half hour is there, on the same station.
# Versions: systemd 252.39 (Debian 12).
# Written in: systemd, src/shared/calendarspec.c (find_next: broken-down local time is only ever counted up, tm_isdst as mktime finds it).
#   systemd.time(7) says nothing of it.
# Hurts: a maker of stations that ship their log each quarter of an hour by a timer and are watched by an alarm "silent for 60 minutes": all
#   stations of all plants raise it in the same night. And a backup at 02:30, the usual hour, is missing for one day a year.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2

# The rules of Central Europe, without a file of zones: to summer time on 2026-03-29, to winter time on 2026-10-25, at 01:00 UTC.
zone='CET-1CEST,M3.5.0,M10.5.0/3'
# elapses EXPRESSION FROM COUNT: when it elapses, in UTC.
elapses() {
	TZ=$zone systemd-analyze calendar --base-time="@$(date -u -d "$2" +%s)" --iterations="$3" "$1" >said
	# Of an expression in UTC, there is no second line that says it in UTC.
	if grep -q '(in UTC)' said; then grep '(in UTC)' said; else grep -E 'Next elapse|Iter' said; fi |
		sed -n 's/.*[0-9]\{4\}-\([0-9-]* [0-9:]*\):00 UTC/\1/p' | paste -sd, | sed 's/,/, /g'
}
october='2026-10-24 23:50'
seen 'each half hour, at the end of summer time, in UTC' '10-25 00:00, 10-25 00:30, 10-25 02:00, 10-25 02:30' "$(elapses '*:0/30' "$october" 4)"
seen 'hourly, in UTC' '10-25 00:00, 10-25 02:00, 10-25 03:00' "$(elapses hourly "$october" 3)"
seen 'each half hour of UTC' '10-25 00:00, 10-25 00:30, 10-25 01:00, 10-25 01:30' "$(elapses '*:0/30 UTC' "$october" 4)"
seen 'daily at 02:30, at its beginning, in UTC' '03-28 01:30, 03-30 00:30, 03-31 00:30' "$(elapses 02:30 '2026-03-27 12:00' 3)"
