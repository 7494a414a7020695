#!/bin/bash
# A PC that boots without /etc/machine-id enables all services that were disabled by hand; with an empty one it does not.
#
# Expected: removing and emptying /etc/machine-id in a master image are the same: systemd makes a new ID. What was disabled stays disabled.
# Seen: if the file is missing, or says "uninitialized", systemd takes it for the first boot of this installation and applies the presets to
#   every unit before any starts. Without a preset for it, the answer is "enable": a service that `systemctl disable` had switched off, or that
#   never was on, is enabled from then on. With an empty file, or an ID, nothing changes. A masked unit stays masked, and a preset file
#   that says `disable *` prevents it.
# Versions: systemd and systemd-container 252.39 (Debian 12), booted in a container.
# Written in: machine-id(5), "First Boot Semantics"; systemd.preset(5) (no preset found: enable). systemctl(1) on disable does not mention it.
# Hurts: a maker who clones a station PC or a product from a master image and prepares it by `rm /etc/machine-id`: in each clone
#   apt-daily.timer, ssh, or the second instance of the station runs again that was disabled in the master.
set -euo pipefail
. "$(dirname "$0")/common.bash"
containers

# system: a system with a service that was disabled and one that was masked.
system() {
	container <<<''
	printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' >system/etc/systemd/system/second.service
	ln -s /dev/null system/etc/systemd/system/masked.service
	systemctl --root="$work/system" enable second.service >/dev/null 2>&1
	systemctl --root="$work/system" disable second.service >/dev/null 2>&1
}
enabled() { systemctl --root="$work/system" is-enabled "$1.service" || true; }
# booted: boots it once, and says what the two services are then.
booted() {
	container_boot
	echo "$(enabled second) $(enabled masked)"
}
system
rm system/etc/machine-id
seen 'before' 'disabled masked' "$(enabled second) $(enabled masked)"
seen 'without /etc/machine-id' 'enabled masked' "$(booted)"
system
echo uninitialized >system/etc/machine-id
seen 'uninitialized' 'enabled masked' "$(booted)"
system
: >system/etc/machine-id
seen 'empty' 'disabled masked' "$(booted)"
system
seen 'with an ID' 'disabled masked' "$(booted)"
system
rm system/etc/machine-id
echo 'disable *' >system/etc/systemd/system-preset/99-local.preset
seen 'without, and a preset' 'disabled masked' "$(booted)"
