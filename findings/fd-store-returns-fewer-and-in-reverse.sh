#!/bin/bash
# systemd's descriptor store gives a restarted service its descriptors in reverse order, and silently fewer than it took.
#
# Expected: what was stored with FDSTORE=1 comes back after a restart, in that order, as sockets of a .socket unit do; one too many is an error.
# Seen: a service with FileDescriptorStoreMax=5 stores the files a, b, c (named "slot" all three), a copy of c's descriptor, the reading end
#   of a pipe, and d and e. Each message is taken. `systemctl restart` returns d, c, b, a: the order is reversed, and stays so in later
#   restarts as long as nothing is added. The copy was dropped, as it is c; e was dropped, as 5 were there; the pipe was there, and went
#   when its writer ended. "slot:7" as a name is "stored". `systemctl stop` and `start` is not `restart`: the store is empty then.
# Versions: systemd and systemd-container 252.39 (Debian 12), booted in a container; Python 3 for the service.
# Written in: sd_listen_fds(3) (stored ones come "in arbitrary order, and with duplicates removed"); sd_notify(3), FDSTORE=1, FDNAME= and
#   FDPOLL=0 (one with a hang-up is removed). Of one too many they say nothing: src/core/service.c (service_add_fd_store).
# Hurts: a maker whose station keeps its open devices over an update by this, by position or under one name: after the restart slot A1 has
#   the device of A8; or with more slots than the maximum some devices were closed in between, which ends their claim.
set -euo pipefail
. "$(dirname "$0")/common.bash"
containers

container <<'OBSERVER'
said() { for i in $(seq 100); do if [ "$(wc -l </var/seen)" -ge $1 ]; then return; fi; sleep 0.05; done; }
touch /var/seen
systemctl start keeper
systemctl restart keeper
said 2
systemctl kill --signal=KILL keeper
said 3
systemctl stop keeper
systemctl start keeper
OBSERVER
printf '[Service]\nType=notify\nRestart=always\nFileDescriptorStoreMax=5\nExecStart=/usr/bin/python3 /var/keeper\n' \
	>system/etc/systemd/system/keeper.service
cat >system/var/keeper <<'PYTHON'
import array, os, socket, time

manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def notify(text, *descriptors):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    manager.sendmsg([text.encode()], rights, 0, os.environ["NOTIFY_SOCKET"])

def store(name, descriptor):
    notify(f"FDSTORE=1\nFDNAME={name}", descriptor)

count = int(os.environ.get("LISTEN_FDS", "0"))
names = os.environ.get("LISTEN_FDNAMES", "").split(":")
files = [os.path.basename(os.readlink(f"/proc/self/fd/{3 + at}")) for at in range(count)]
with open("/var/seen", "a") as seen:
    print(" ".join(f"{file}={name}" for file, name in zip(files, names)) or "nothing", file=seen)
if count == 0:
    opened = {name: os.open(f"/var/{name}", os.O_RDWR | os.O_CREAT) for name in "abcde"}
    reader, writer = os.pipe()
    for name in "abc":
        store("slot", opened[name])
    store("copy", os.dup(opened["c"]))
    store("pipe", reader)
    store("slot:7", opened["d"])
    store("e", opened["e"])
notify("READY=1")
time.sleep(1000)
PYTHON
container_boot
said() { sed -n "$1p" system/var/seen; }
seen 'at the first start' nothing "$(said 1)"
seen 'after systemctl restart' 'd=stored c=slot b=slot a=slot' "$(said 2)"
seen 'after a crash' 'd=stored c=slot b=slot a=slot' "$(said 3)"
seen 'after systemctl stop and start' nothing "$(said 4)"
