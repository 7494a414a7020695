#!/bin/bash
# Of two lines for one path or user, systemd-tmpfiles and systemd-sysusers take the one of the file whose name sorts first.
#
# Expected: as for sysctl.d, udev rules and drop-ins of units, a later file overrides an earlier one; so the engineer's is called
#   99-local.conf, or is in /etc, which comes before /usr/lib.
# Seen: the package's station.conf makes /run/station with mode 0750. /etc/tmpfiles.d/zz-local.conf with 0775 is ignored ("Duplicate line"),
#   and the exit status is 0; called 00-local.conf it is taken. A drop-in directory station.conf.d is not read at all. sysusers does the
#   same with the number of a user. A file of the very same name in /etc is taken, too, but in place of the package's whole file.
# Versions: systemd 252.39 (Debian 12).
# Written in: tmpfiles.d(5) and sysusers.d(5), "Configuration directories and precedence": the lexicographically earliest;
#   sysctl.d(5): the latest.
# Hurts: a maker who gives a group access to a station's socket directory, or a service a fixed user number for an NFS share, by a file that was
#   named as for sysctl: it is a line in the journal at each start, and nothing else.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb systemd=252.39-1~deb12u2

# fresh: a system in a directory, with what the package brings.
fresh() {
	rm -rf system
	mkdir -p system/{etc,usr/lib}/{tmpfiles.d,sysusers.d}
	echo 'root:x:0:0:root:/root:/bin/sh' >system/etc/passwd
	echo 'root:x:0:' >system/etc/group
	echo 'd /run/station 0750 root root' >system/usr/lib/tmpfiles.d/station.conf
	echo 'u station 300 "Station"' >system/usr/lib/sysusers.d/station.conf
}
# with_local NAME: mode and user number when the engineer's files have that name, and the exit status of both programs.
with_local() {
	fresh
	mkdir -p "$(dirname "system/etc/tmpfiles.d/$1")" "$(dirname "system/etc/sysusers.d/$1")"
	echo 'd /run/station 0775 root root' >"system/etc/tmpfiles.d/$1"
	echo 'u station 400 "Station"' >"system/etc/sysusers.d/$1"
	local first=0 second=0
	systemd-tmpfiles --root="$work/system" --create >said 2>&1 || first=$?
	systemd-sysusers --root="$work/system" >>said 2>&1 || second=$?
	echo "$(stat -c %a system/run/station) $(sed -n 's/^station:x:\([0-9]*\):.*/\1/p' system/etc/passwd), exit $first $second"
}
seen '/etc/...d/zz-local.conf' '750 300, exit 0 0' "$(with_local zz-local.conf)"
seen 'systemd-tmpfiles of it' 'Duplicate line for path' "$(grep -o 'Duplicate line for path' said)"
seen 'systemd-sysusers of it' 'Conflict with earlier configuration' "$(grep -o 'Conflict with earlier configuration' said)"
seen '/etc/...d/station.conf.d/local.conf' '750 300, exit 0 0' "$(with_local station.conf.d/local.conf)"
seen '/etc/...d/00-local.conf' '775 400, exit 0 0' "$(with_local 00-local.conf)"
seen '/etc/...d/station.conf' '775 400, exit 0 0' "$(with_local station.conf)"
