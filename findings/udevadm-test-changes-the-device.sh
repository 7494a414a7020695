#!/bin/bash
# `udevadm test` does what the rules say: it writes attributes, changes owner and mode of the device node, and makes links.
#
# Expected: by its manual it simulates an event and prints; it is what one runs to see what new rules would do on a station that works.
# Seen: only RUN is left out. ATTR{...}= is written to /sys (here the device's read-ahead), GROUP and MODE are set, SYMLINK is made, the
#   device's entry in udev's data base is written anew, and PROGRAM is executed while the rules are looked at. Afterwards it prints "for
#   debugging only, it does not run any program specified by a RUN key".
# Versions: udev 252.39 (Debian 12), Linux 6.18.
# Written in: udevadm(8), "udevadm test" ("Simulate a udev event run for the given device, and print debug output"); systemd,
#   src/udev/udevadm-test.c (udev_event_execute_rules as for a real event).
# Hurts: an engineer who tries rules for slots on a station with busy cards: a rule that is not yet right opens a disk to a group, or sets
#   the poll interval or a queue's limits, of the device that the trial was about, and it stays so until the next event.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb udev=252.39-1~deb12u2 libudev1=252.39-1~deb12u2 mount=2.38.1-5+deb12u3

truncate -s 8M medium
attach medium
export loop work
export name=${loop##*/}
ahead=$(cat "/sys/block/$name/queue/read_ahead_kb")
set_back() {
	echo "$ahead" >"/sys/block/$name/queue/read_ahead_kb"
	clean_up
}
trap set_back EXIT
# In places of its own for device nodes, rules and udev's data base; only the attribute is the machine's.
unshare --mount bash <<'INSIDE' >said 2>errors || fail "$(tail -1 errors)"
set -euo pipefail
numbers=$(cat "/sys/block/$name/dev")
mount -t tmpfs own /run
mount -t tmpfs own /dev
mknod -m 600 /dev/null c 1 3
mknod -m 600 "$loop" b ${numbers/:/ }
mkdir -p /run/udev/rules.d
echo "KERNEL==\"$name\", ATTR{queue/read_ahead_kb}=\"64\", GROUP=\"42\", MODE=\"0640\", SYMLINK+=\"slot\", \
PROGRAM==\"/usr/bin/touch $work/program\", RUN+=\"/usr/bin/touch $work/run\"" >/run/udev/rules.d/99-slot.rules
echo 128 >"/sys/block/$name/queue/read_ahead_kb"
state() {
	echo "$1: read ahead $(cat "/sys/block/$name/queue/read_ahead_kb") kB," \
		"group $(stat -c %g "$loop"), mode $(stat -c %a "$loop")," \
		"link $([ -e /dev/slot ] && echo made || echo none), data base $([ -e "/run/udev/data/b$numbers" ] && echo written || echo none)"
}
state before
udevadm test "/sys/block/$name" >/run/printed 2>&1
grep -o 'it does not run any program' /run/printed
state after
INSIDE
said() { sed -n "s/^$1: //p" said; }
seen 'before' 'read ahead 128 kB, group 0, mode 600, link none, data base none' "$(said before)"
seen 'udevadm test prints' 'it does not run any program' "$(grep -x 'it does not run any program' said)"
seen 'after' 'read ahead 64 kB, group 42, mode 640, link made, data base written' "$(said after)"
seen 'PROGRAM' executed "$([ -e program ] && echo executed || echo 'left out')"
seen 'RUN' 'left out' "$([ -e run ] && echo executed || echo 'left out')"
