#!/bin/bash
# Two services with the same RuntimeDirectory=: the one that starts takes the other's files, and the one that stops deletes them.
#
# Expected: systemd makes the directory if it is not there, gives it to the user of the service, and removes it when no active unit has it.
# Seen: a.service of user ann has a file in /run/station, as for a socket, and a log in /var/lib/station. b.service, of user bob with the same
#   RuntimeDirectory= and StateDirectory=, starts: a's files in both belong to bob now. b stops: a's file is gone, and
#   /run/station too, though a is active. With one user for both the first does not happen, and the second does. RuntimeDirectoryPreserve=yes
#   must be in b; in a, whose directory it is meant for, it does not help.
# Versions: systemd and systemd-container 252.39 (Debian 12), booted in a container.
# Written in: systemd.exec(5), RuntimeDirectory= (the owner of all below is changed if that of the directory differs) and
#   RuntimeDirectoryPreserve= ("always removed when the service stops"). Of two units it says nothing; nobody counts them.
# Hurts: a maker who adds an exporter or a second console beside the station, with a unit copied from the station's: it is restarted, and
#   the station's control socket is gone until the station starts again; or the station can no longer write its log.
set -euo pipefail
. "$(dirname "$0")/common.bash"
[ "$(id -u)" = 0 ] || fail "containers need root"
[ "$(dpkg-query -W -f '${Version}' systemd)" = 252.39-1~deb12u2 ] || fail "the installed systemd, which is booted, is not 252.39-1~deb12u2"
deb systemd=252.39-1~deb12u2 systemd-container=252.39-1~deb12u2

# unit NAME USER [LINE]
unit() {
	printf '[Service]\nUser=%s\nRuntimeDirectory=station\nStateDirectory=station\n%s\nExecStart=/bin/sh -c "%s"\n' "$2" "${3-}" \
		"touch /run/station/$1.socket /var/lib/station/$1.log; exec sleep 1000" >"system/etc/systemd/system/$1.service"
}
# observed USER-OF-B LINE-IN-A LINE-IN-B: what is seen in a system, of a's files, when b starts and when it stops.
observed() {
	rm -rf system
	mkdir -p system/{etc/systemd/system/basic.target.wants,usr,var,proc,sys,dev,run,tmp,root}
	local name
	for name in bin sbin lib lib64; do ln -s usr/$name system/$name; done
	printf '%s\n' root:x:0:0::/root:/bin/sh ann:x:501:501::/:/bin/sh bob:x:502:502::/:/bin/sh >system/etc/passwd
	printf '%s\n' root:x:0: ann:x:501: bob:x:502: >system/etc/group
	echo 'ID=station' >system/etc/os-release
	echo 0123456789abcdef0123456789abcdef >system/etc/machine-id
	unit a ann "$2"
	unit b "$1" "$3"
	printf '[Unit]\nSuccessAction=exit\nFailureAction=exit\n[Service]\nType=oneshot\nExecStart=/bin/sh /var/observer\n' \
		>system/etc/systemd/system/last.service
	ln -s ../last.service system/etc/systemd/system/basic.target.wants/last.service
	cat >system/var/observer <<'OBSERVER'
until_there() { for i in $(seq 100); do if [ -e "$1" ]; then return; fi; sleep 0.05; done; }
owners() { stat -c %U /run/station/a.socket /var/lib/station/a.log 2>/dev/null | paste -sd ' '; }
socket() { if [ -e /run/station/a.socket ]; then echo there; else echo gone; fi; }
systemctl start a
until_there /run/station/a.socket
systemctl start b
until_there /run/station/b.socket
echo "$(owners)" >/var/seen
systemctl stop b
echo "$(socket), a is $(systemctl is-active a)" >>/var/seen
OBSERVER
	# Its /usr is this PC's, which no container may change.
	timeout 120 systemd-nspawn --directory=system --bind-ro=/usr --boot --register=no --keep-unit --quiet --console=pipe -- \
		systemd.unit=basic.target </dev/null >log 2>&1 || fail "the container did not boot: $(tail -1 log)"
	paste -sd '|' system/var/seen | sed 's/|/ | /'
}
preserve=RuntimeDirectoryPreserve=yes
seen 'two users: owners when b starts | the socket when b stops' 'bob bob | gone, a is active' "$(observed bob '' '')"
seen 'one user' 'ann ann | gone, a is active' "$(observed ann '' '')"
seen 'one user, Preserve in a' 'ann ann | gone, a is active' "$(observed ann $preserve '')"
seen 'one user, Preserve in b' 'ann ann | there, a is active' "$(observed ann '' $preserve)"
