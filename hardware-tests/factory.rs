//! A station in the emulated PC, for scenarios and the demo: its image, its configuration, its slots, its log.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use flashline_lab::{MIB, Pc};

/// The path at which the station reads its configuration.
const CONFIG: &str = "/etc/flashline/config.toml";

/// An image on the host, half of it data that repeats nowhere, half zeroes, in turns, and a partition from the second block to the end.
pub(crate) struct Image {
    directory: tempfile::TempDir,
}

impl Image {
    /// An image of this size. Another seed gives another image.
    pub(crate) fn new(bytes: u64, seed: u64) -> Self {
        let image = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        let file = File::create(image.raw()).expect("a temporary file");
        file.set_len(bytes).expect("a temporary file");
        let mut data = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
        let mut chunk = vec![0; usize::try_from(MIB).expect("a MiB is small")];
        for at in (0..bytes).step_by(usize::try_from(2 * MIB).expect("two are, too")) {
            let length = usize::try_from((bytes - at).min(MIB)).expect("at most a MiB");
            data.fill(&mut chunk[..length]);
            file.write_all_at(&chunk[..length], at).expect("a temporary file");
        }
        // An MBR: a file without one is not armed.
        let mut table = [0; 66];
        table[4] = 0x83;
        table[8..12].copy_from_slice(&1_u32.to_le_bytes());
        table[12..16].copy_from_slice(&u32::try_from(bytes / 512 - 1).expect("images are small").to_le_bytes());
        table[64..].copy_from_slice(&[0x55, 0xaa]);
        file.write_all_at(&table, 446).expect("a temporary file");
        image
    }

    pub(crate) fn raw(&self) -> PathBuf {
        self.directory.path().join("image.img")
    }

    /// The image packed with xz.
    pub(crate) fn xz(&self) -> PathBuf {
        let packed = self.directory.path().join("image.img.xz");
        if !packed.exists() {
            let done = Command::new("xz").args(["-1", "--keep", "--threads=2"]).arg(self.raw()).status().expect("xz runs");
            assert!(done.success(), "xz packs the image");
        }
        packed
    }
}

/// The ports of a socket on the USB controller: it may appear under USB 2 or USB 3.
pub(crate) fn usb(port: &str) -> Vec<String> {
    ["usb3", "usb2"].iter().map(|usb| format!("pci-0000:00:1c.0/{usb}-{port}/lun-0")).collect()
}

/// The port of an SD host.
pub(crate) fn sd(slot: u8) -> Vec<String> {
    vec![format!("pci-0000:00:{:02x}.0/mmc-0", 0x10 + slot)]
}

/// The port of a slot of the first reader, which has its own controller.
pub(crate) fn lun(slot: u8) -> Vec<String> {
    vec![format!("platform-dummy_hcd.0/usb3-1/lun-{slot}")]
}

/// A station being set up.
pub(crate) struct Factory<'a> {
    pc: &'a Pc,
    config: String,
}

impl<'a> Factory<'a> {
    /// Installs the program and puts the image where the configuration names it.
    pub(crate) fn new(pc: &'a Pc, image: &Path) -> Self {
        pc.install(env!("CARGO_BIN_EXE_flashline"));
        Self::with_installed_program(pc, image)
    }

    /// Puts the image where the configuration names it; the program is there.
    pub(crate) fn with_installed_program(pc: &'a Pc, image: &Path) -> Self {
        let name = image.file_name().expect("an image has a name").to_string_lossy();
        let there = format!("/srv/images/{name}");
        pc.put_file(image, &there, 0o644);
        Self {
            pc,
            // Scenarios put one card in again and again; a separate scenario tests that a finished card is not written.
            config: format!(
                "[station]\nname = \"emulated\"\n\n[log]\nvolatile = true\n\n[policy]\ndone = \"reflash\"\n\n[[model]]\nname = \"acme/box\"\nimage = \"{there}\"\nrequire = \"none\"\n"
            ),
        }
    }

    pub(crate) fn slot(mut self, name: &str, ports: Vec<String>) -> Self {
        self.config.push_str(&format!("\n[[slot]]\nname = \"{name}\"\nports = {ports:?}\nmodel = \"acme/box\"\n"));
        self
    }

    /// A slot with the devices that each of its ports hung on when it was taught.
    pub(crate) fn taught_slot(mut self, name: &str, ports: Vec<String>, hangs_on: Vec<String>) -> Self {
        self = self.slot(name, ports);
        self.config.push_str(&format!("hangs_on = {hangs_on:?}\n"));
        self
    }

    /// A finished card is not written again, which is the default of the configuration.
    pub(crate) fn recheck(mut self) -> Self {
        self.config = self.config.replace("\n[policy]\ndone = \"reflash\"\n", "");
        self
    }

    /// More lines of the configuration.
    pub(crate) fn and(mut self, lines: &str) -> Self {
        self.config.push_str(lines);
        self
    }

    /// Replaces words in the configuration.
    pub(crate) fn replaced(mut self, from: &str, to: &str) -> Self {
        self.config = self.config.replace(from, to);
        self
    }

    /// A slot with a lamp, as in its table in the configuration.
    pub(crate) fn lit_slot(mut self, name: &str, ports: Vec<String>, lamp: &str) -> Self {
        self = self.slot(name, ports);
        self.config.push_str(&format!("lamp = {{ {lamp} }}\n"));
        self
    }

    /// The panel beeps at every outcome.
    pub(crate) fn with_bell(mut self) -> Self {
        self.config = self.config.replacen("[policy]", "[panel]\nbell = true\n\n[policy]", 1);
        self
    }

    /// Writes the configuration without starting the station.
    pub(crate) fn configured(self) -> &'a Pc {
        self.pc.put(self.config.as_bytes(), CONFIG, 0o644);
        self.pc
    }
}

/// What the package puts beside the program: units, users and directories.
pub(crate) fn install_units(pc: &Pc) {
    for (file, place) in [
        (&include_bytes!("../systemd/flashline.service")[..], "systemd/system/flashline.service"),
        (include_bytes!("../systemd/flashline-console.service"), "systemd/system/flashline-console.service"),
        (include_bytes!("../systemd/flashline-awake.socket"), "systemd/system/flashline-awake.socket"),
        (include_bytes!("../systemd/flashline-awake@.service"), "systemd/system/flashline-awake@.service"),
        (include_bytes!("../systemd/flashline-rules.socket"), "systemd/system/flashline-rules.socket"),
        (include_bytes!("../systemd/flashline-rules@.service"), "systemd/system/flashline-rules@.service"),
        (include_bytes!("../systemd/flashline-backup.service"), "systemd/system/flashline-backup.service"),
        (include_bytes!("../systemd/flashline-backup.timer"), "systemd/system/flashline-backup.timer"),
        (include_bytes!("../systemd/flashline.sysusers"), "sysusers.d/flashline.conf"),
        (include_bytes!("../systemd/flashline.tmpfiles"), "tmpfiles.d/flashline.conf"),
    ] {
        pc.put(file, &format!("/etc/{place}"), 0o644);
    }
    pc.sh("systemd-sysusers && systemd-tmpfiles --create flashline.conf && systemctl daemon-reload");
}

/// Every row of the flash log, oldest first.
pub(crate) fn rows(pc: &Pc) -> Vec<serde_json::Value> {
    let lines = pc.sh("flashline log --json");
    lines.lines().map(|line| serde_json::from_str(line).expect("a line of --json is one object")).collect()
}
