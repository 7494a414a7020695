#!/bin/bash
# paho-mqtt reports a publish() without a connection as failed, by its return value and by an exception, and sends the message later.
#
# Expected: "Message publish failed: The client is not currently connected." means that the message is not sent; the caller has to send it.
# Seen: the broker is away for a moment. publish() returns rc 4 (MQTT_ERR_NO_CONN), wait_for_publish() and is_published() raise RuntimeError
#   with that text, for each QoS alike. A message of QoS 0 is gone. Those of QoS 1 and 2 are in the client's queue and reach the subscriber
#   when the connection is back; if the caller repeats them, as it was told that they failed, the subscriber has each of them twice, also
#   with QoS 2, "exactly once". For the return value there is no way to tell one case from the other.
# Versions: PyPI paho-mqtt 2.1.0, mosquitto 2.0.11 (Debian 12).
# Written in: paho-mqtt, client.py (publish: queued, then rc = MQTT_ERR_NO_CONN; MQTTMessageInfo.wait_for_publish). Its documentation says of
#   publish() that rc is NO_CONN if the client is not connected, and not that the message is kept.
# Hurts: a maker whose station sends one message for each card, and repeats what failed: after a moment without the network cards count twice.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb mosquitto=2.0.11-1.2+deb12u2 libmosquitto1=2.0.11-1.2+deb12u2 libcjson1=1.7.15-1+deb12u4 libdlt2=2.18.8-6 libwrap0=7.6.q-32
pip_install paho-mqtt==2.1.0

cat >sent.py <<'PYTHON'
import socket, subprocess, sys, time
import paho.mqtt.client as mqtt

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
with open("broker.conf", "w") as file:
    file.write(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")

def until(condition):
    for _ in range(400):
        if condition():
            return
        time.sleep(0.05)
    sys.exit("nothing happened within 20 s")

def answers():
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

def broker():
    process = subprocess.Popen(["mosquitto", "-c", "broker.conf"], stderr=subprocess.DEVNULL)
    until(answers)
    return process

def client(name):
    new = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name)
    new.connect_timeout = 1
    return new

process = broker()
try:
    received, subscribed = [], []
    reader = client("reader")
    reader.reconnect_delay_set(1, 1)
    reader.on_connect = lambda reader, *rest: reader.subscribe("cards", 2)
    reader.on_subscribe = lambda *rest: subscribed.append(1)
    reader.on_message = lambda client, data, message: received.append(message.payload.decode())
    reader.connect("127.0.0.1", port)
    reader.loop_start()
    station = client("station")
    station.reconnect_delay_set(4, 4)  # later than the reader
    station.connect("127.0.0.1", port)
    station.loop_start()
    until(lambda: subscribed and station.is_connected())
    process.terminate()
    process.wait()
    until(lambda: not station.is_connected() and not reader.is_connected())
    subscribed.clear()
    for qos in (0, 1, 2):
        for attempt in ("first", "again"):
            info = station.publish("cards", f"QoS {qos} {attempt}", qos)
            try:
                info.wait_for_publish(0.1)
                failed = "no exception"
            except RuntimeError as error:
                failed = str(error)
            print(f"QoS {qos} {attempt}: {info.rc}, {failed}")
    process = broker()
    until(lambda: subscribed and station.is_connected())
    station.publish("cards", "end", 2)
    until(lambda: "end" in received)
    time.sleep(0.5)
    print("received:", ", ".join(received))
    station.loop_stop()
    reader.loop_stop()
finally:
    process.kill()
    process.wait()
PYTHON
"$work/venv/bin/python" sent.py >said 2>errors || fail "Python: $(tail -1 errors)"
said() { sed -n "s/^$1: //p" said; }
for qos in 0 1 2; do
	for attempt in first again; do
		seen "QoS $qos $attempt" '4, Message publish failed: The client is not currently connected.' "$(said "QoS $qos $attempt")"
	done
done
seen received 'QoS 1 first, QoS 1 again, QoS 2 first, QoS 2 again, end' "$(said received)"
