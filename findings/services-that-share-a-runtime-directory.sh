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
containers

# unit NAME USER [LINE]
unit() {
	printf '[Service]\nUser=%s\nRuntimeDirectory=station\nStateDirectory=station\n%s\nExecStart=/bin/sh -c "%s"\n' "$2" "${3-}" \
		"touch /run/station/$1.socket /var/lib/station/$1.log; exec sleep 1000" >"system/etc/systemd/system/$1.service"
}
# observed USER-OF-B LINE-IN-A LINE-IN-B: what is seen in a system, of a's files, when b starts and when it stops.
observed() {
	container <<'OBSERVER'
until_there() { for i in $(seq 100); do if [ -e "$1" ]; then return; fi; sleep 0.05; done; }
owners() { stat -c %U /run/station/a.socket /var/lib/station/a.log 2>/dev/null | paste -sd ' '; }
socket() { if [ -e /run/station/a.socket ]; then echo there; else echo gone; fi; }
systemctl start a
until_there /run/station/a.socket
systemctl start b
until_there /run/station/b.socket
owners >/var/seen
systemctl stop b
echo "$(socket), a is $(systemctl is-active a)" >>/var/seen
OBSERVER
	unit a ann "$2"
	unit b "$1" "$3"
	container_boot
	paste -sd '|' system/var/seen | sed 's/|/ | /'
}
preserve=RuntimeDirectoryPreserve=yes
seen 'two users: owners when b starts | the socket when b stops' 'bob bob | gone, a is active' "$(observed bob '' '')"
seen 'one user' 'ann ann | gone, a is active' "$(observed ann '' '')"
seen 'one user, Preserve in a' 'ann ann | gone, a is active' "$(observed ann $preserve '')"
seen 'one user, Preserve in b' 'ann ann | there, a is active' "$(observed ann '' $preserve)"
