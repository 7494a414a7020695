#!/bin/bash
# A unit with PathChanged= or PathModified= loses what arrives while its service runs: it stays there until something else arrives.
#
# Expected: a change during the run is remembered, and the service is started once more when it has ended, as inotify queues events.
# Seen: a service with PathChanged=/var/orders takes the files that it finds at its start. A second file arrives while it runs. When it has
#   ended nothing happens: the path unit is active and waits, the file lies there. A third file starts the service again, which takes both.
#   PathModified= does the same. With DirectoryNotEmpty= the directory is looked at after each run, and the second file is taken at once.
# Versions: systemd and systemd-container 252.39 (Debian 12), booted in a container.
# Written in: src/core/path.c (path_enter_running: the event asks for the start of a service that runs already, and is forgotten). systemd.path(5)
#   says that PathChanged= does not see what was there when the path unit was activated; of a running service it says nothing.
# Hurts: a maker whose orders or images are dropped into a folder by the office: one of two that come together waits, for hours at night, and
#   each try to show the fault with a single file works.
set -euo pipefail
. "$(dirname "$0")/common.bash"
containers

container <<'OBSERVER'
kinds='PathChanged PathModified DirectoryNotEmpty'
until_runs() { for i in $(seq 200); do if [ "$(cat /var/$1.ended 2>/dev/null | wc -l)" -ge $2 ]; then return; fi; sleep 0.05; done; }
arrives() { for kind in $kinds; do echo order >/var/$kind/$1; done; }
tell() { for kind in $kinds; do echo "$kind, $1: $(cat /var/$kind.ended | wc -l) runs, left: $(ls /var/$kind)" >>/var/seen; done; }
for kind in $kinds; do mkdir /var/$kind && systemctl start $kind.path; done
arrives first
for kind in $kinds; do for i in $(seq 100); do if [ -e /var/$kind.began ]; then break; fi; sleep 0.05; done; done
arrives second
until_runs DirectoryNotEmpty 2
sleep 1
tell second
for kind in $kinds; do echo "$kind.path: $(systemctl is-active $kind.path)" >>/var/seen; done
arrives third
for kind in PathChanged PathModified; do until_runs $kind 2; done
until_runs DirectoryNotEmpty 3
tell third
OBSERVER
for kind in PathChanged PathModified DirectoryNotEmpty; do
	printf '[Path]\n%s=/var/%s\n' $kind $kind >system/etc/systemd/system/$kind.path
	printf '[Service]\nType=oneshot\nWorkingDirectory=/var/%s\nExecStart=/bin/sh /var/service %s\n' $kind $kind >system/etc/systemd/system/$kind.service
done
# It takes the files that it finds at its start, and needs two seconds for it.
cat >system/var/service <<'SERVICE'
files=$(ls)
touch "/var/$1.began"
sleep 2
rm $files
echo run >>"/var/$1.ended"
SERVICE
container_boot
said() { sed -n "s/^$1: //p" system/var/seen; }
for kind in PathChanged PathModified; do
	seen "$kind, a second file during the run" '1 runs, left: second' "$(said "$kind, second")"
	seen "$kind.path" active "$(said $kind.path)"
	seen "$kind, a third file" '2 runs, left: ' "$(said "$kind, third")"
done
seen 'DirectoryNotEmpty, a second file during the run' '2 runs, left: ' "$(said 'DirectoryNotEmpty, second')"
