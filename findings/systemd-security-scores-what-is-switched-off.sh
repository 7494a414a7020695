#!/bin/bash
# `systemd-analyze security` gives the same exposure to a unit whose sandbox does not apply to its program.
#
# Expected: the number is what the unit's program can do; a line that lets it out makes it worse.
# Seen: a hardened unit has 0.4. It still has 0.4 if ExecStart begins with "+", which runs the program as root without user, capabilities,
#   namespaces or system call filter; if ReadWritePaths= takes /usr, /etc and /boot out of ProtectSystem=strict; and if the group of system
#   calls is misspelt, which is a warning, ignored. As it must open disks, it goes without PrivateDevices and gets 0.5; DeviceAllow=block-*
#   for all disks of the PC costs no more than one for a single disk. Each directive is looked at by itself, and the commands not at all.
#   The JSON of the unit with "+" is the same to the byte.
# Versions: systemd 252.39 (Debian 12).
# Written in: systemd.service(5), "Command lines" ("+": full privileges); systemd-analyze(1), "security" (it takes some combinations of
#   settings into account, but not all); systemd, src/analyze/analyze-security.c.
# Hurts: a maker whose pipeline holds the exposure of each unit below a limit: the line that somebody added to make a start work at night
#   changes everything but the number.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2

cat >station.service <<'UNIT'
[Service]
ExecStart=/usr/bin/true
User=station
NoNewPrivileges=yes
CapabilityBoundingSet=
PrivateDevices=yes
PrivateTmp=yes
PrivateNetwork=yes
PrivateUsers=yes
ProtectSystem=strict
ProtectHome=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=none
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
IPAddressDeny=any
DevicePolicy=closed
UMask=0077
RemoveIPC=yes
KeyringMode=private
UNIT
json() { systemd-analyze security --offline=true --no-pager --json=short "./$1" 2>/dev/null; }
exposure() {
	systemd-analyze security --offline=true --no-pager "./$1" 2>/dev/null |
		sed -n 's/.*Overall exposure level for .*: \([0-9.]* [A-Z]*\).*/\1/p'
}
# changed SCRIPT: the exposure of the unit after this change by sed.
changed() {
	mkdir -p changed
	sed "$1" station.service >changed/station.service
	if cmp -s station.service changed/station.service; then echo 'not changed'; else exposure changed/station.service; fi
}
seen 'the unit' '0.4 SAFE' "$(exposure station.service)"
seen 'without NoNewPrivileges' '0.5 SAFE' "$(changed /NoNewPrivileges/d)"
seen 'ReadWritePaths=/usr /etc /boot' '0.4 SAFE' "$(changed '$a ReadWritePaths=/usr /etc /boot')"
for devices in '/dev/sdq rw' 'block-* rwm'; do
	seen "no PrivateDevices, DeviceAllow=$devices" '0.5 SAFE' "$(changed "/PrivateDevices/d; \$ a DeviceAllow=$devices")"
done
seen 'SystemCallFilter=@sytem-service' '0.4 SAFE' "$(changed 's/@system-service/@sytem-service/')"
seen 'ExecStart=+/usr/bin/true' '0.4 SAFE' "$(changed 's/ExecStart=/&+/')"
seen 'its JSON' same "$(cmp -s <(json station.service) <(json changed/station.service) && echo same || echo other)"
status=0
systemd-analyze verify ./changed/station.service >said 2>&1 || status=$?
seen 'systemd-analyze verify' 'exit 0, 0 lines' "exit $status, $(wc -l <said) lines"
