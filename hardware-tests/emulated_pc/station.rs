//! A running station in the emulated PC, for scenarios: in the foreground, with one line for every sign.

use std::time::Duration;

use flashline_lab::{Disk, Job, MIB, Medium, Pc, Signal, secs};

use crate::factory::{Factory, Image, install_units, rows};

/// How long one small card may take under emulation, on a busy machine.
const A_CARD: Duration = secs(120);

/// A pace at which every step of a small card can be distinguished: the engine moves pieces of a MiB.
pub(crate) const A_PIECE_A_SECOND: u64 = MIB;

/// A station that runs in the guest.
pub(crate) struct Station<'a> {
    pub(crate) pc: &'a Pc,
    pub(crate) job: Job,
}

impl<'a> Station<'a> {
    /// Starts the daemon with the configuration that is there.
    pub(crate) fn start(pc: &'a Pc) -> Self {
        let job = pc.spawn("FLASHLINE_LOG=info,flashline=debug exec flashline run 2>&1");
        Self { pc, job }
    }

    /// Starts it as the package does, with a drop-in beside the unit, and follows its journal.
    pub(crate) fn under_systemd(pc: &'a Pc, drop_in: &str) -> Self {
        install_units(pc);
        pc.put(drop_in.as_bytes(), "/etc/systemd/system/flashline.service.d/scenario.conf", 0o644);
        pc.sh("systemctl daemon-reload && systemctl start flashline.service");
        Self::journal(pc)
    }

    /// Follows the journal of the station that runs under its unit, from the PC's last start on.
    pub(crate) fn journal(pc: &'a Pc) -> Self {
        let job = pc.spawn("exec journalctl --boot --unit flashline.service --output cat --lines all --follow");
        Self { pc, job }
    }

    /// Stops the daemon that runs in the foreground, and waits for its end.
    pub(crate) fn stop(&self) {
        self.job.kill(Signal::SIGTERM);
        self.job.wait(secs(30));
    }

    /// Waits until a slot's line shows this word, and returns the line.
    pub(crate) fn wait_for(&self, slot: &str, word: &str) -> String {
        self.job.wait_for_line(&format!("^{slot}  {word}"), A_CARD)
    }

    /// From now on the station reads and writes this disk at this number of bytes a second, or as fast as it can.
    ///
    /// For the slots of readers, whose writes end in the guest's memory, so that a slow medium below slows nothing down: here the guest's
    /// kernel holds the station back above the disk. Do not use it for a device that is unplugged as a whole: with requests held back, its
    /// removal was seen to hang (Linux 6.1).
    pub(crate) fn pace(&self, node: &str, bytes_per_second: Option<u64>) {
        let pace = bytes_per_second.map_or_else(|| "max".to_owned(), |pace| pace.to_string());
        self.pc.sh(&format!(
            "set -e
            paced=/sys/fs/cgroup/paced
            [ -d $paced ] || {{ echo +io >/sys/fs/cgroup/cgroup.subtree_control; mkdir $paced; }}
            for station in $(pidof flashline); do echo $station >$paced/cgroup.procs; done
            echo \"$(cat /sys/block/{}/dev) rbps={pace} wbps={pace}\" >$paced/io.max",
            node.trim_start_matches("/dev/")
        ));
    }

    /// Every row of the flash log, oldest first.
    pub(crate) fn rows(&self) -> Vec<serde_json::Value> {
        rows(self.pc)
    }

    /// The rows of one slot.
    pub(crate) fn rows_of(&self, slot: &str) -> Vec<serde_json::Value> {
        self.rows().into_iter().filter(|row| row["slot"] == slot).collect()
    }
}

/// Starts the station that was set up.
pub(crate) trait Run<'a> {
    /// Starts the daemon and waits until it watches.
    fn run(self) -> Station<'a>;
}

impl<'a> Run<'a> for Factory<'a> {
    fn run(self) -> Station<'a> {
        let station = Station::start(self.configured());
        station.job.wait_for_line("the station runs", secs(60));
        station
    }
}

/// The directory of the station's log and staged images.
pub(crate) const STATE: &str = "/var/lib/flashline";

/// A file system for the station's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileSystem {
    /// As Debian makes it.
    Ext4,
    /// With a journal, ext4 stops at the first error in its metadata.
    Ext4WithoutJournal,
    /// As Debian makes it.
    Xfs,
    /// As Debian makes it.
    Btrfs,
}

impl FileSystem {
    /// The size of a disk for it, and the command that makes it.
    fn made(self) -> (u64, &'static str) {
        match self {
            Self::Ext4 => (48 * MIB, "mkfs.ext4 -q"),
            Self::Ext4WithoutJournal => (48 * MIB, "mkfs.ext4 -q -O ^has_journal"),
            Self::Xfs => (304 * MIB, "mkfs.xfs -q"),
            Self::Btrfs => (128 * MIB, "mkfs.btrfs -q"),
        }
    }
}

/// A separate disk for the station's state, with a fresh file system on it.
pub(crate) fn state_disk(pc: &Pc, system: FileSystem) -> Disk {
    let (size, mkfs) = system.made();
    let disk = pc.disk("state").size(size).plug();
    pc.sh(&format!("{mkfs} {0} && mkdir -p {STATE} && mount {0} {STATE} && sync", disk.node()));
    disk
}

/// The disk with the state of the station of an earlier PC, mounted in the next one.
pub(crate) fn next_state_disk(pc: &Pc, earlier: &Disk) -> Disk {
    mounted(pc, "state", earlier, STATE)
}

/// A disk of an earlier PC, mounted in the next one.
pub(crate) fn mounted(pc: &Pc, name: &str, earlier: &Disk, place: &str) -> Disk {
    let disk = pc.disk(name).medium(earlier.medium()).plug();
    pc.sh(&format!("mkdir -p {place} && mount {} {place}", disk.node()));
    disk
}

/// Tells udev to read its rules, without waiting for its answer: a worker of version 257 that is forked meanwhile keeps the connection. Nor for
/// its queue, in which there is an event as long as a claimed card keeps udev from looking at it.
pub(crate) const READ_RULES: &str = "udevadm control --reload --timeout=0 && sleep 2";

/// Changes udev's rules by a script.
pub(crate) fn rules(pc: &Pc, script: &str) {
    pc.sh(&format!("{script} && {READ_RULES}"));
}

/// The digest of the image that is armed for the only model.
pub(crate) fn armed(pc: &Pc) -> serde_json::Value {
    let told: serde_json::Value = serde_json::from_str(&pc.sh("flashline status --json || true")).expect("JSON");
    told["models"][0]["image"]["digest"].clone()
}

/// From now on the guest's kernel treats sticks and readers in odd ports (every LUN with `all`) as devices that show no caching page: it
/// believes that they write through and need no flush. It is told before udev is done with the disk.
pub(crate) fn believe_write_through(pc: &Pc, all: bool) {
    let script = format!(
        "#!/bin/sh
for disk in /sys$1/device/scsi_disk/*; do
    grep -q back $disk/cache_type || continue
    case {all}:$(readlink -f $disk) in true:*|*usb?/?-[13579]/*) echo temporary write through >$disk/cache_type;; esac
done
"
    );
    pc.put(script.as_bytes(), "/usr/lib/udev/write-through", 0o755);
    let rule = r#"ACTION!="remove", SUBSYSTEM=="block", ENV{DEVTYPE}=="disk", KERNEL=="sd*", PROGRAM="write-through $devpath"
"#;
    pc.put(rule.as_bytes(), "/etc/udev/rules.d/10-write-through.rules", 0o644);
    rules(pc, "true");
}

/// The tombstone, which is in the head of a card until the whole card is proven.
pub(crate) fn is_tombstone(head: &[u8]) -> bool {
    head.starts_with(b"FLASHLINE: this card is not finished")
}

/// What `b3sum` prints for an image.
pub(crate) fn digest(image: &Image) -> String {
    blake3::hash(&std::fs::read(image.raw()).expect("a temporary file")).to_string()
}

/// The first changed byte behind an image of `length` bytes. Ignores the places of marks (powers of two) and the card's last MiB, where a
/// stale backup table would be.
pub(crate) fn first_stray(medium: &Medium, length: u64) -> Option<u64> {
    let mut from = length.next_multiple_of(512);
    while let Some(touched) = medium.first_touched_from(from) {
        let block = touched / 512 * 512;
        if block >= medium.size() - MIB {
            return None;
        }
        if !block.is_power_of_two() {
            return Some(touched);
        }
        from = block + 512;
    }
    None
}
