//! One emulated PC: how it is started, and the verbs of a scenario.
//!
//! [`qemu`](crate::qemu) owns its process. [`usb`](crate::usb), [`sd`](crate::sd), [`disk`](crate::disk) and [`reader`](crate::reader) own
//! the plugged-in hardware.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use serde_json::json;

use crate::agent::{Job, Output};
use crate::disk::DiskBuilder;
use crate::error::{Error, OrPanic, Result};
use crate::lamp::Lamp;
use crate::machine::{Architecture, CONTROLLERS, Machine, SD_SLOTS};
use crate::medium::Medium;
use crate::qemu::{Inner, SCRIPT};
use crate::reader::ReaderBuilder;
use crate::sd::SdBuilder;
use crate::sync::patient;
use crate::usb::{Hub, UsbBuilder};
use crate::{GIB, host, state};

/// Interval at which a condition is tested.
const LOOK: Duration = Duration::from_millis(20);

/// How many more PCs are restored if one does not wake.
const AWAKENINGS: u8 = 2;

/// The size of the disk of a kept root; what is not written takes no room.
const KEPT: u64 = GIB;

/// An emulated factory PC. It ends, with everything in it, when this is dropped.
pub struct Pc {
    pub(crate) inner: Arc<Inner>,
    /// The disk that its root is kept on, if it is.
    pub(crate) kept: Option<Arc<Medium>>,
}

impl fmt::Debug for Pc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pc").field("run", &self.inner.run_directory()).finish_non_exhaustive()
    }
}

/// Choices to be made before a PC starts. Each combination has a saved state of its own, made at first use.
#[derive(Clone, Debug)]
pub struct PcBuilder {
    memory_mib: u32,
    sd_slots: u8,
    controllers: u8,
    with: Option<&'static str>,
    kept: bool,
}

impl PcBuilder {
    /// SD slots, at most 8; the default is 2. Without any, a PC starts half a second sooner.
    #[must_use]
    pub fn sd_slots(mut self, slots: u8) -> Self {
        self.sd_slots = slots;
        self
    }

    /// USB controllers of 15 ports, at most 3; the default is 1.
    #[must_use]
    pub fn controllers(mut self, controllers: u8) -> Self {
        self.controllers = controllers;
        self
    }

    /// Memory in MiB; the default is 1024. Three quarters of it can hold files.
    #[must_use]
    pub fn memory_mib(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// With the packages of `guest/with/NAME`, too, in a guest of its own: `hardware-tests/setup --with NAME` makes it.
    #[must_use]
    pub fn with(mut self, name: &'static str) -> Self {
        self.with = Some(name);
        self
    }

    /// What is written to its root is on a disk, and is there after a [reboot](Pc::reboot). Such a PC must [boot](Self::boot).
    #[must_use]
    pub fn kept(mut self) -> Self {
        self.kept = true;
        self
    }

    fn machine(&self) -> Result<Machine> {
        if self.sd_slots > SD_SLOTS || self.controllers > CONTROLLERS {
            return Err(Error::Impossible(format!("an emulated PC has at most {SD_SLOTS} SD slots and {CONTROLLERS} USB controllers")));
        }
        Ok(Machine {
            architecture: Architecture::chosen(),
            memory_mib: self.memory_mib,
            sd_slots: self.sd_slots,
            controllers: self.controllers,
            guest: host::guest(self.with)?,
        })
    }

    /// A PC that has been running for a while: restored from the saved state, in a second or two.
    ///
    /// # Panics
    /// If it does not start.
    #[track_caller]
    #[must_use]
    pub fn start(self) -> Pc {
        self.try_start().or_panic()
    }

    fn try_start(&self) -> Result<Pc> {
        if self.kept {
            return Err(Error::Impossible("a PC whose root is kept on a disk cannot be restored: boot it".to_owned()));
        }
        let machine = self.machine()?;
        let state = state::file(&machine)?;
        let mut tries = 1..=AWAKENINGS;
        loop {
            let pc = Pc { inner: Inner::launch(&machine, &state::arguments(&state))?, kept: None };
            match (state::awake(&pc.inner, &machine), tries.next()) {
                (Ok(()), _) => return Ok(pc),
                // Rare, and only seen on a busy machine: an SD host that does not come back. Another restored PC has it.
                (Err(Error::Late { .. }), Some(number)) => {
                    eprintln!("an emulated PC did not wake; restoring another, {number} of {AWAKENINGS}");
                }
                (Err(error), _) => return Err(error),
            }
        }
    }

    /// A PC that boots, in ten seconds; `before` can put cards into it while it is still off. Returns when the agent
    /// answers, which is before start-up is complete.
    ///
    /// # Panics
    /// If it does not boot.
    #[track_caller]
    #[must_use]
    pub fn boot(self, before: impl FnOnce(&Pc)) -> Pc {
        let pc = self.try_power_on().or_panic();
        before(&pc);
        pc.inner.qmp.execute("cont", json!({})).or_panic();
        pc.inner.agent.wait_hello(state::BOOT).or_panic();
        if self.kept {
            // The unit that does this is masked, and without an id the next boot would be a first one, too.
            pc.sh("systemd-machine-id-setup --commit");
        }
        pc
    }

    fn try_power_on(&self) -> Result<Pc> {
        // -S: the machine waits before its first instruction.
        let inner = Inner::launch(&self.machine()?, &["-S".to_owned()])?;
        let kept = self.kept.then(|| DiskBuilder::new(&inner, "kept").size(KEPT).try_insert_formatted()).transpose()?;
        Ok(Pc { inner, kept })
    }
}

impl Pc {
    /// A PC with two SD slots and one USB controller, up and running.
    ///
    /// # Panics
    /// If it does not start.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A PC with other choices.
    #[must_use]
    pub fn builder() -> PcBuilder {
        PcBuilder { memory_mib: 1024, sd_slots: 2, controllers: 1, with: None, kept: false }
    }

    /// Runs a shell script to its end and returns what it printed on standard output, without the last line's end.
    ///
    /// # Panics
    /// If its exit status is not 0.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        self.inner.run(script, SCRIPT).or_panic().stdout.trim_end().to_owned()
    }

    /// Runs a shell script to its end, whatever its exit status.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn run(&self, script: &str) -> Output {
        self.inner.agent.spawn(script).and_then(|job| job.try_wait(SCRIPT)).or_panic()
    }

    /// Starts a shell script.
    ///
    /// # Panics
    /// If the channel to the guest is broken.
    #[track_caller]
    pub fn spawn(&self, script: &str) -> Job {
        self.inner.agent.spawn(script).or_panic()
    }

    /// Makes a file in the guest, and the folders above it; replaces one that is there, even a running program.
    ///
    /// # Panics
    /// If it cannot be made.
    #[track_caller]
    pub fn put(&self, bytes: &[u8], path: &str, mode: u32) {
        self.inner.agent.put(bytes, path, mode).or_panic();
    }

    /// Copies a file of the host into the guest.
    ///
    /// # Panics
    /// If it cannot be read there or made here.
    #[track_caller]
    pub fn put_file(&self, file: impl AsRef<Path>, path: &str, mode: u32) {
        let file = file.as_ref();
        File::open(file)
            .map_err(Error::io(format!("opening {}", file.display())))
            .and_then(|file| self.inner.agent.put(file, path, mode))
            .or_panic();
    }

    /// The contents of a file of the guest.
    ///
    /// # Panics
    /// If it cannot be read.
    #[track_caller]
    #[must_use]
    pub fn get(&self, path: &str) -> Vec<u8> {
        self.inner.agent.get(path).or_panic()
    }

    /// Installs a program of the host as /usr/bin/NAME, without its debug information.
    ///
    /// # Panics
    /// If the program cannot be read or installed.
    #[track_caller]
    pub fn install(&self, program: impl AsRef<Path>) {
        let program = program.as_ref();
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let target = format!("/usr/bin/{name}");
        self.put_file(host::stripped(program).or_panic(), &target, 0o755);
    }

    /// Writes a picture of tty1, the operator's screen, to a PNG file of the host.
    ///
    /// # Panics
    /// If there is no picture.
    #[track_caller]
    pub fn screenshot(&self, file: impl AsRef<Path>) {
        let file = std::path::absolute(file.as_ref()).map_err(Error::io("finding the picture's place")).or_panic();
        self.inner.qmp.execute("screendump", json!({ "filename": file, "format": "png" })).or_panic();
    }

    /// Types on the operator's keyboard: QEMU's key names, as in `["ctrl", "c"]`, pressed together.
    ///
    /// # Panics
    /// If QEMU knows no such key.
    #[track_caller]
    pub fn press(&self, keys: &[&str]) {
        let keys: Vec<_> = keys.iter().map(|key| json!({ "type": "qcode", "data": key })).collect();
        self.inner.qmp.execute("send-key", json!({ "keys": keys })).or_panic();
    }

    /// Waits until `ready` returns a value.
    ///
    /// # Panics
    /// If it returns none in time.
    #[track_caller]
    pub fn wait_until<T>(&self, what: &str, timeout: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + patient(timeout);
        loop {
            if let Some(result) = ready() {
                return result;
            }
            if Instant::now() > end {
                let late = Error::Late { what: what.to_owned(), after: timeout, seen: String::new() };
                return Err(late).or_panic();
            }
            thread::sleep(LOOK);
        }
    }

    /// Repeats a shell command in the guest until it succeeds; returns its output.
    ///
    /// # Panics
    /// If it does not in time.
    #[track_caller]
    pub fn wait_for(&self, test: &str, timeout: Duration) -> String {
        self.inner.wait_in_guest(test, test, timeout).or_panic()
    }

    /// A USB stick to be plugged into a port of the first controller: "1" to "15", or "3.2" for port 2 of the hub in 3.
    pub fn usb(&self, port: &str) -> UsbBuilder {
        UsbBuilder::new(&self.inner, port)
    }

    /// Plugs an eight-port hub into a port.
    ///
    /// # Panics
    /// If there is no such port, or it is taken.
    #[track_caller]
    #[must_use]
    pub fn hub(&self, port: &str) -> Hub {
        Hub::plug(&self.inner, port).or_panic()
    }

    /// An SD card to be inserted into a slot, counted from 0.
    pub fn sd(&self, slot: u8) -> SdBuilder {
        SdBuilder::new(&self.inner, slot)
    }

    /// A fixed disk of the PC's own, found in the guest as /dev/disk/by-id/virtio-NAME.
    pub fn disk(&self, name: &str) -> DiskBuilder {
        DiskBuilder::new(&self.inner, name)
    }

    /// A card reader with several slots behind one USB plug.
    pub fn reader(&self, serial: &str) -> ReaderBuilder {
        ReaderBuilder::new(&self.inner, serial)
    }

    /// Plugs a lamp in.
    ///
    /// # Panics
    /// If the guest does not see it.
    #[track_caller]
    #[must_use]
    pub fn lamp(&self) -> Lamp {
        Lamp::plug(&self.inner).or_panic()
    }

    /// The controllers it has.
    #[must_use]
    pub fn controllers(&self) -> u8 {
        self.inner.controllers()
    }

    /// The directory of this PC's console, QEMU's log and sockets, as long as it runs.
    #[must_use]
    pub fn run_directory(&self) -> PathBuf {
        self.inner.run_directory().to_owned()
    }

    /// The messages of kernel and start-up on the serial console so far.
    #[must_use]
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.inner.run_directory().join("console.log")).unwrap_or_default()).into_owned()
    }

    /// The power fails: QEMU is killed between two instructions. Its cards keep the data that reached them.
    pub fn power_cut(self) {
        self.inner.kill();
    }
}

impl Drop for Pc {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.inner.tell());
        }
        self.inner.kill();
    }
}
