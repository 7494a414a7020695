#!/bin/bash
# mosquitto gives an absent member of a shared subscription its share of the messages, and drops them when that member's session ends.
#
# Expected: "$share/GROUP/TOPIC" spreads the work over the members that are there. If one goes, the others receive what it did not.
# Seen: two members with persistent sessions, one of them disconnected: the other receives each second message. The publisher's QoS 1
#   messages are all acknowledged. If the absent member returns to its session it receives its half, late. If it begins a new session, as a
#   worker does that was installed anew, its half is gone: the other member does not receive it.
# Versions: mosquitto 2.0.11 (Debian 12); PyPI paho-mqtt 2.1.0.
# Written in: MQTT 5.0, 4.8.2: the server may wait for the client or choose another, and if the session ends, the message should go to
#   another member of the group; mosquitto, src/subs.c (subs__shared_process: the next member, connected or not).
# Hurts: a maker whose stations' reports are taken by two workers: while one is down, half of the reports arrive late or never, and nothing
#   shows an error. Members of a shared subscription need clean sessions, or a queue behind a single one.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb mosquitto=2.0.11-1.2+deb12u2 libmosquitto1=2.0.11-1.2+deb12u2 libcjson1=1.7.15-1+deb12u4 libdlt2=2.18.8-6 libwrap0=7.6.q-32
pip_install paho-mqtt==2.1.0

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'listener %s 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n' "$port" >configuration
mosquitto -c configuration >log 2>&1 &
broker=$!
stop() {
	kill "$broker" 2>/dev/null || true
	clean_up
}
trap stop EXIT
"$work/venv/bin/python" - "$port" <<'PYTHON' >said || fail "mosquitto: $(tail -1 log)"
import sys, threading, time
import paho.mqtt.client as mqtt

received = {"a": [], "b": []}

def wait(condition):
    for _ in range(100):
        if condition():
            return
        time.sleep(0.05)

def connect(name, clean=False, subscribe=False):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, clean_session=clean)
    ready = threading.Event()
    client.on_connect = lambda *_: ready.set()
    client.on_message = lambda _, __, message: received[name].append(int(message.payload))
    for attempt in range(100):
        try:
            client.connect("127.0.0.1", int(sys.argv[1]))
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    client.loop_start()
    ready.wait(5)
    if subscribe:
        ready.clear()
        client.on_subscribe = lambda *_: ready.set()
        client.subscribe("$share/workers/reports", 1)
        ready.wait(5)
    return client

def leave(client):
    client.disconnect()
    client.loop_stop()

def publish(first, last):
    acknowledged = 0
    for number in range(first, last + 1):
        message = publisher.publish("reports", str(number), 1)
        message.wait_for_publish(5)
        acknowledged += message.is_published()
    return acknowledged

a, b = connect("a", subscribe=True), connect("b", subscribe=True)
publisher = connect("publisher", clean=True)
leave(b)
print("acknowledged, b absent:", publish(1, 10))
wait(lambda: len(received["a"]) >= 5)
time.sleep(0.5)
print("a, b absent:", len(received["a"]))
b = connect("b")
wait(lambda: len(received["b"]) >= 5)
print("b, back in its session:", len(received["b"]))
leave(b)
print("acknowledged, b absent again:", publish(11, 20))
b = connect("b", clean=True, subscribe=True)
time.sleep(1)
print("numbers above 10 that a received:", len([number for number in received["a"] if number > 10]))
print("numbers above 10 that b received, in a new session:", len([number for number in received["b"] if number > 10]))
for client in (a, b, publisher):
    leave(client)
PYTHON
said() { sed -n "s/^$1: //p" said; }
for what in 'acknowledged, b absent=10' 'a, b absent=5' 'b, back in its session=5' 'acknowledged, b absent again=10' \
	'numbers above 10 that a received=5' 'numbers above 10 that b received, in a new session=0'; do
	seen "${what%%=*}" "${what#*=}" "$(said "${what%%=*}")"
done
