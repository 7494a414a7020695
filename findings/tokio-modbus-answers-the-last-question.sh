#!/bin/bash
# After one late answer, tokio-modbus returns to each further request on a serial line the answer of the one before, for good.
#
# Expected: a request that was given up (tokio::time::timeout, the usual way: the client has no limit of its own) is over; the next one gets
#   its own answer, or an error.
# Seen: a device answers its first request after 300 ms, all others after 20; the caller gives up after 100 ms and goes on. Over RTU, where
#   an answer names no register, the read of register 2 returns the value of 1, that of 3 the value of 2, and so on without an end and
#   without an error: device and function fit. A pause does not help: before each request the client empties its own buffer, in which the
#   answer is not yet, and not the line. Over TCP the same ends with HeaderMismatch.
# Versions: crates tokio-modbus 0.17.0, tokio 1.54.1.
# Written in: MODBUS over Serial Line 1.02, 2.4 (the master waits for the answer, or for its timeout, and knows whose it is by the order
#   alone); tokio-modbus, src/service/rtu.rs (call: read_buffer_mut().clear()). Its blocking client's own timeout (src/client/sync/mod.rs)
#   gives a call up in the same way.
# Hurts: a maker who reads a fixture's inputs or drives lamps by such a line: one slow answer at noon, and each slot shows, or is tested
#   with, the state of its neighbour until the program is started again.
set -euo pipefail
. "$(dirname "$0")/common.bash"
crates tokio-modbus@=0.17.0 --no-default-features --features rtu,tcp
crates tokio@=1.54.1 --features rt,macros,time,io-util

rust <<'RUST' >said
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{sleep, timeout};
use tokio_modbus::prelude::*;

/// The check sum of a frame on a serial line.
fn sum(frame: &[u8]) -> [u8; 2] {
    let bits = frame.iter().fold(0xffff_u16, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xa001 } else { sum >> 1 })
    });
    bits.to_le_bytes()
}

/// A device in whose register N is ten times N, and whose first answer is late.
async fn device(mut line: DuplexStream, tcp: bool) -> std::io::Result<()> {
    let (length, address) = if tcp { (12, 6) } else { (8, 0) };
    let mut request = [0; 12];
    let mut late = Duration::from_millis(300);
    while line.read_exact(&mut request[..length]).await.is_ok() {
        sleep(late).await;
        late = Duration::from_millis(20);
        let value = u16::from_be_bytes([request[address + 2], request[address + 3]]) * 10;
        let mut answer = vec![request[address], 3, 2];
        answer.extend(value.to_be_bytes());
        if tcp {
            answer.splice(0..0, [request[0], request[1], 0, 0, 0, 5]);
        } else {
            answer.extend(sum(&answer));
        }
        line.write_all(&answer).await?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for tcp in [false, true] {
        let name = if tcp { "TCP" } else { "RTU" };
        let (ours, theirs) = tokio::io::duplex(4096);
        tokio::spawn(device(theirs, tcp));
        let mut client = if tcp { client::tcp::attach_slave(ours, Slave(1)) } else { client::rtu::attach_slave(ours, Slave(1)) };
        let first = timeout(Duration::from_millis(100), client.read_holding_registers(1, 1)).await;
        println!("{name}, the first: {}", if first.is_err() { "given up" } else { "answered" });
        let mut answers = Vec::new();
        for register in 2..=6 {
            answers.push(match timeout(Duration::from_secs(2), client.read_holding_registers(register, 1)).await {
                Ok(Ok(Ok(value))) => format!("{register}: {}", value[0]),
                Ok(Err(tokio_modbus::Error::Protocol(tokio_modbus::ProtocolError::HeaderMismatch { .. }))) => "HeaderMismatch".into(),
                other => format!("{other:?}"),
            });
            sleep(Duration::from_millis(5)).await;
        }
        println!("{name}, the next: {}", if tcp { answers.swap_remove(0) } else { answers.join(", ") });
        if !tcp {
            sleep(Duration::from_millis(500)).await;
            println!("RTU, register 7 after a pause: {:?}", client.read_holding_registers(7, 1).await);
        }
    }
}
RUST
said() { sed -n "s/^$1: //p" said; }
for name in RTU TCP; do seen "$name, the first" 'given up' "$(said "$name, the first")"; done
seen 'RTU, the next, register: value' '2: 10, 3: 20, 4: 30, 5: 40, 6: 50' "$(said 'RTU, the next')"
seen 'RTU, register 7 after a pause' 'Ok(Ok([60]))' "$(said 'RTU, register 7 after a pause')"
seen 'TCP, the next' HeaderMismatch "$(said 'TCP, the next')"
