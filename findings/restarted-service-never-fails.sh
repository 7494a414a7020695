#!/bin/bash
# OnFailure= of a service that is restarted is not activated when it crashes; with StartLimitIntervalSec=0 it never is.
#
# Expected: OnFailure=alarm.service is started each time the service ends with an error, and `systemctl --failed` lists it.
# Seen: with Restart= the service goes from its crash to "activating", and not through "failed", which is what OnFailure= waits for. However
#   often it crashes, there is no alarm and no line in `systemctl --failed`. It fails for good when the start limit is reached, by default
#   5 starts in 10 s: then there is one alarm. RestartSec= of 2 s or more never reaches that, and StartLimitIntervalSec=0 switches it off.
#   ExecStopPost= runs after each crash, with the reason in SERVICE_RESULT.
# Versions: systemd and systemd-container 252.39 (Debian 12), booted in a container.
# Written in: systemd.unit(5), OnFailure= ("when this unit enters the failed state"); src/core/service.c (service_enter_dead: auto-restart is
#   an activating state).
# Hurts: a maker whose unit has Restart=always and no start limit, so that it is up whatever happens, and who adds OnFailure= for a message
#   to somebody: a station that crashes at each card, all night, looks as healthy as any.
set -euo pipefail
. "$(dirname "$0")/common.bash"
containers

container <<'OBSERVER'
systemctl start unlimited slow limited once --no-block
sleep 5
for unit in unlimited slow limited once; do
	if [ "$(wc -l </var/$unit.runs)" -gt 2 ]; then runs='several crashes'; else runs='one crash'; fi
	alarms=$(cat /var/$unit.alarms 2>/dev/null | wc -l)
	if systemctl --failed --no-legend | grep -q " $unit.service"; then listed='listed as failed'; else listed='not listed'; fi
	echo "$unit: $runs, $alarms alarms, $listed" >>/var/seen
done
if [ "$(wc -l </var/unlimited.stops)" -ge 3 ]; then stops=several; else stops=few; fi
echo "stops: $stops, $(sort -u /var/unlimited.stops)" >>/var/seen
OBSERVER
# unit NAME RESTART [LINE IN [Unit]]
unit() {
	printf '[Unit]\nOnFailure=alarm@%%N.service\n%s\n[Service]\n%s\nExecStart=/bin/sh -c "echo run >>/var/%s.runs; exit 1"\n%s\n' "${3-}" "$2" "$1" \
		"ExecStopPost=/bin/sh -c 'echo \$SERVICE_RESULT >>/var/$1.stops'" >"system/etc/systemd/system/$1.service"
}
unit unlimited $'Restart=always\nRestartSec=300ms' StartLimitIntervalSec=0
unit slow $'Restart=always\nRestartSec=700ms' StartLimitIntervalSec=2
unit limited $'Restart=always\nRestartSec=100ms'
unit once Restart=no
printf '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo alarm >>/var/%%i.alarms"\n' >system/etc/systemd/system/alarm@.service
container_boot
said() { sed -n "s/^$1: //p" system/var/seen; }
seen 'StartLimitIntervalSec=0' 'several crashes, 0 alarms, not listed' "$(said unlimited)"
seen 'crashes too far apart for the limit' 'several crashes, 0 alarms, not listed' "$(said slow)"
seen 'within the limit' 'several crashes, 1 alarms, listed as failed' "$(said limited)"
seen 'Restart=no' 'one crash, 1 alarms, listed as failed' "$(said once)"
seen 'ExecStopPost= of the first' 'several, exit-code' "$(said stops)"
