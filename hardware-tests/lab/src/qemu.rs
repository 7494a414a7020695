//! The QEMU process and its channels, on which the emulated hardware and the PC are built.
//!
//! Owns the process and its run directory.

use std::collections::HashMap;
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::json;
use tempfile::TempDir;

use crate::agent::{Agent, Output};
use crate::error::{Error, Result};
use crate::hand::Hand;
use crate::host;
use crate::machine::Machine;
use crate::medium::Medium;
use crate::nbd::Server;
use crate::qmp::Qmp;
use crate::sync::{lock, patient};

/// A script that takes longer than this hangs, even on the busiest machine.
pub(crate) const SCRIPT: Duration = Duration::from_secs(120);

/// How long the guest may take to see a card: the kernel itself waits for one second of it.
const DISK: Duration = Duration::from_secs(60);

/// The state that the hardware verbs share: it lives as long as the last of them, but QEMU does not.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) qmp: Qmp,
    pub(crate) agent: Arc<Agent>,
    pub(crate) nbd: Server,
    pub(crate) sd_slots: Vec<Mutex<Option<Instant>>>,
    controllers: u8,
    child: Mutex<Child>,
    next: AtomicU32,
    /// For every place where a disk was found: the plugged-in device, and the disk's sequence number.
    seen: Mutex<HashMap<String, (String, String)>>,
    pub(crate) hand: Hand,
    run: TempDir,
}

impl Inner {
    /// Starts QEMU and connects to it; does not wait for the guest.
    pub(crate) fn launch(machine: &Machine, more: &[String]) -> Result<Arc<Self>> {
        let run = host::temporary("pc").tempdir_in(host::run_dir()).map_err(Error::io("making a run directory"))?;
        let mut arguments = machine.arguments(run.path());
        arguments.extend_from_slice(more);
        let log = run.path().join("qemu.log");
        let mut child = host::start_qemu(&arguments, &log)?;
        let connected = wait_for_monitor(&mut child, &run.path().join("qmp.sock"), &log).and_then(|()| {
            let qmp = Qmp::connect(&run.path().join("qmp.sock"))?;
            let agent = Agent::connect(&run.path().join("agent.sock"))?;
            let nbd = Server::listen(&run.path().join("nbd.sock"))?;
            Ok((qmp, agent, nbd))
        });
        let (qmp, agent, nbd) = match connected {
            Ok(connected) => connected,
            Err(error) => {
                end(&mut child);
                return Err(error);
            }
        };
        Ok(Arc::new(Self {
            qmp,
            agent,
            nbd,
            sd_slots: (0..machine.sd_slots).map(|_| Mutex::default()).collect(),
            controllers: machine.controllers,
            child: Mutex::new(child),
            next: AtomicU32::new(1),
            seen: Mutex::default(),
            hand: Hand::default(),
            run,
        }))
    }

    /// A name that was not yet used with this QEMU.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("{what}{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn run(&self, script: &str, timeout: Duration) -> Result<Output> {
        let output = self.agent.spawn(script)?.try_wait(timeout)?;
        if output.success() {
            return Ok(output);
        }
        Err(Error::Script { script: script.to_owned(), status: output.status, output: output.to_string() })
    }

    /// Polls in the guest, where a look costs little, until `test` succeeds; the script may print its result.
    pub(crate) fn wait_in_guest(&self, what: &str, test: &str, timeout: Duration) -> Result<String> {
        let looks = patient(timeout).as_millis() / 100 + 1;
        let script = format!("n=0; until {test}; do n=$((n+1)); [ $n -lt {looks} ] || exit 99; sleep 0.1; done");
        // Each look takes some time of its own; the guest counts looks because its clock may be set at any moment.
        let output = self.agent.spawn(&script)?.try_wait(timeout * 2 + SCRIPT)?;
        match output.status {
            0 => Ok(output.stdout.trim_end().to_owned()),
            99 => Err(Error::Late { what: what.to_owned(), after: timeout, seen: output.to_string() }),
            status => Err(Error::Script { script, status, output: output.to_string() }),
        }
    }

    /// Waits until the guest has a disk at a place and udev is done with it, and returns its node. `find` is a command that prints the
    /// node, `place` and `plug` name the place and the device in it.
    ///
    /// A card that was pulled and plugged in again in a moment may still have its old disk, which is not returned as the new one.
    pub(crate) fn wait_disk(&self, place: &str, plug: &str, find: &str) -> Result<String> {
        let old = lock(&self.seen).get(place).filter(|(then, _)| then != plug).map(|(_, sequence)| sequence.clone());
        let test = format!(
            "node=$({find}) && [ -b \"$node\" ] && [ -e /run/udev/data/b$(cat /sys/block/${{node##*/}}/dev) ] && \
             sequence=$(cat /sys/block/${{node##*/}}/diskseq) && [ $sequence != {old} ] && echo $node $sequence",
            old = old.unwrap_or_else(|| "none".to_owned()),
        );
        let found = self.wait_in_guest(&format!("a disk at {place}"), &format!("{{ {test}; }} 2>/dev/null"), DISK)?;
        let (node, sequence) = found.split_once(' ').unwrap_or((&found, "none"));
        lock(&self.seen).insert(place.to_owned(), (plug.to_owned(), sequence.to_owned()));
        Ok(node.to_owned())
    }

    /// The guest boots again, and counts its disks from the beginning.
    pub(crate) fn forget_disks(&self) {
        lock(&self.seen).clear();
    }

    /// Gives QEMU a block node on the fault server.
    pub(crate) fn add_served_node(&self, medium: &Medium) -> Result<String> {
        let export = medium.export();
        export.power_on();
        self.nbd.offer(export);
        let node = self.name("node");
        let address = json!({ "type": "unix", "path": self.nbd.socket() });
        self.qmp.execute(
            "blockdev-add",
            json!({
                "driver": "nbd", "node-name": node, "server": address, "export": export.name(),
                "read-only": export.read_only(), "discard": "unmap",
            }),
        )?;
        Ok(node)
    }

    /// Gives QEMU a block node on the card's file itself.
    pub(crate) fn add_file_node(&self, medium: &Medium) -> Result<String> {
        let node = self.name("node");
        let file = json!({
            "driver": "file", "filename": medium.path(), "read-only": medium.export().read_only(),
            "cache": { "direct": false, "no-flush": true },
        });
        self.qmp.execute(
            "blockdev-add",
            json!({
                "driver": "raw", "node-name": node, "file": file,
                "read-only": medium.export().read_only(), "discard": "unmap",
            }),
        )?;
        Ok(node)
    }

    /// Removes a node. The device that used it releases it a moment after the device is gone.
    pub(crate) fn remove_node(&self, node: &str) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            match self.qmp.execute("blockdev-del", json!({ "node-name": node })) {
                Err(Error::Refused { answer, .. }) if answer.contains("in use") && Instant::now() < end => {
                    thread::sleep(Duration::from_millis(5));
                }
                other => return other.map(drop),
            }
        }
    }

    /// Removes a device and waits until QEMU confirms it. A device that was removed with its hub is gone already.
    pub(crate) fn remove_device(&self, id: &str) -> Result<()> {
        match self.qmp.execute("device_del", json!({ "id": id })) {
            Err(Error::Refused { answer, .. }) if answer.contains("not found") => return Ok(()),
            other => other?,
        };
        self.qmp.wait_event("DEVICE_DELETED", Duration::from_secs(60), |data| data["device"] == id)
    }

    pub(crate) fn kill(&self) {
        end(&mut lock(&self.child));
    }

    /// The number of USB controllers.
    pub(crate) fn controllers(&self) -> u8 {
        self.controllers
    }

    /// The directory of the console, the log and the sockets.
    pub(crate) fn run_directory(&self) -> &Path {
        self.run.path()
    }

    /// The places to look at after a failure.
    pub(crate) fn tell(&self) -> String {
        let tail = |name: &str| {
            let text = fs::read(self.run.path().join(name)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<_> = text.lines().collect();
            lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
        };
        format!(
            "--- last jobs in the emulated PC ---\n{}--- its console ---\n{}\n--- QEMU ---\n{}\n",
            self.agent.tail(12, 4096),
            tail("console.log"),
            tail("qemu.log"),
        )
    }
}

/// QEMU makes its socket early, or ends early with an error message.
fn wait_for_monitor(child: &mut Child, socket: &Path, log: &Path) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    while !socket.exists() {
        let ended = child.try_wait().map_err(Error::io("waiting for QEMU"))?;
        if let Some(status) = ended {
            let said = fs::read_to_string(log).unwrap_or_default();
            return Err(Error::Impossible(format!("QEMU ended at once, {status}:\n{said}")));
        }
        if Instant::now() > end {
            return Err(Error::Ended { doing: "waiting for QEMU's monitor".to_owned() });
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Both may have ended already.
fn end(child: &mut Child) {
    drop(child.kill());
    drop(child.wait());
}
