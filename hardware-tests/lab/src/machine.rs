//! The hardware of an emulated PC, as arguments for QEMU.
//!
//! Owns the command line and the PCI addresses of ports and slots. It starts nothing.

use std::path::{Path, PathBuf};

use crate::protocol;

/// What kind of PC is emulated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Architecture {
    Amd64,
    Arm64,
}

impl Architecture {
    /// The one that `FLASHLINE_ARCH` names, as `setup` reads it.
    pub(crate) fn chosen() -> Self {
        match std::env::var("FLASHLINE_ARCH").as_deref() {
            Ok("arm64") => Self::Arm64,
            _ => Self::Amd64,
        }
    }

    pub(crate) fn emulator(self) -> &'static str {
        match self {
            Self::Amd64 => "qemu-system-x86_64",
            Self::Arm64 => "qemu-system-aarch64",
        }
    }

    fn machine(self) -> &'static str {
        match self {
            Self::Amd64 => "pc",
            // PCI from a generic host bridge, as of a board.
            Self::Arm64 => "virt",
        }
    }

    /// amd64: without the "fast" string instructions, which QEMU carries out byte by byte: the kernel then clears and copies by words, five
    /// times as fast (measured with `dd if=/dev/zero of=/dev/null bs=64k`).
    ///
    /// arm64: as of a Raspberry Pi 4.
    fn processor(self) -> &'static str {
        match self {
            Self::Amd64 => "max,erms=off,fsrm=off",
            Self::Arm64 => "cortex-a72",
        }
    }

    fn console(self) -> &'static str {
        match self {
            Self::Amd64 => "ttyS0",
            Self::Arm64 => "ttyAMA0",
        }
    }

    fn pci_bus(self) -> &'static str {
        match self {
            Self::Amd64 => "pci.0",
            Self::Arm64 => "pcie.0",
        }
    }
}

/// The options of a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) architecture: Architecture,
    pub(crate) memory_mib: u32,
    pub(crate) sd_slots: u8,
    pub(crate) controllers: u8,
    pub(crate) guest: PathBuf,
}

/// SD host `n` is PCI device 0x10 + n, USB controller `n` is 0x1c + n; QEMU gives lower numbers to all other devices and hot-plugged disks.
pub(crate) const SD_SLOTS: u8 = 8;
pub(crate) const CONTROLLERS: u8 = 3;

/// Ports of one USB controller.
const USB_PORTS: u8 = 15;

/// `mitigations=off` and `cryptomgr.notests`: in emulation, they only cost time. `panic=-1` with `-no-reboot`: a panic ends QEMU at once.
///
/// `norandmaps`: QEMU 7.2 keeps translated code by its virtual address, so that a program that starts at another address each time is
/// translated anew each time: a fork with its exec took 40 ms, and takes 10 (measured with 200 of them, on one of two cores).
const KERNEL: &str = "console=tty0 quiet loglevel=4 panic=-1 mitigations=off nowatchdog apparmor=0 \
                      selinux=0 cryptomgr.notests raid=noautodetect random.trust_cpu=on nokaslr norandmaps";

impl Machine {
    pub(crate) fn sd_address(slot: u8) -> String {
        format!("0000:00:{:02x}.0", 0x10 + slot)
    }

    pub(crate) fn usb_address(controller: u8) -> String {
        format!("0000:00:{:02x}.0", 0x1c + controller)
    }

    /// QEMU's arguments; sockets and logs lie in `run`.
    pub(crate) fn arguments(&self, run: &Path) -> Vec<String> {
        let run = run.display();
        let guest = self.guest.display();
        let mut arguments: Vec<String> = Vec::new();
        let mut add = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
        add("-machine", self.architecture.machine().to_owned());
        add("-accel", "tcg,thread=multi".to_owned());
        add("-cpu", self.architecture.processor().to_owned());
        add("-smp", "2".to_owned());
        add("-m", self.memory_mib.to_string());
        add("-display", "none".to_owned());
        if self.architecture == Architecture::Amd64 {
            add("-vga", "std".to_owned());
        }
        add("-rtc", "base=utc".to_owned());
        add("-kernel", format!("{guest}/vmlinux"));
        add("-initrd", format!("{guest}/stage1.cpio"));
        add("-append", format!("console={} {KERNEL}", self.architecture.console()));
        add("-qmp", format!("unix:{run}/qmp.sock,server=on,wait=off"));
        add("-serial", format!("file:{run}/console.log"));
        // One root for all PCs: it is read-only, so no lock is needed.
        add("-blockdev", format!("driver=file,node-name=rootfile,filename={guest}/root.erofs,read-only=on,locking=off"));
        add("-blockdev", "driver=raw,node-name=root,file=rootfile,read-only=on".to_owned());
        add("-device", "virtio-blk-pci,drive=root,serial=root".to_owned());
        add("-device", "virtio-serial-pci,id=serial".to_owned());
        add("-chardev", format!("socket,id=agent,path={run}/agent.sock,server=on,wait=off"));
        add("-device", format!("virtserialport,bus=serial.0,nr=1,chardev=agent,name={}", protocol::PORT));
        add("-object", "rng-random,id=random,filename=/dev/urandom".to_owned());
        add("-device", "virtio-rng-pci,rng=random".to_owned());
        // A restored PC sees another generation id, and its kernel reseeds: no two PCs draw the same random numbers.
        if self.architecture == Architecture::Amd64 {
            add("-device", "vmgenid,guid=auto,id=generation".to_owned());
        }
        for slot in 0..self.sd_slots {
            add("-drive", format!("if=none,id=sd{slot}"));
            add("-device", format!("sdhci-pci,id=sdhci{slot},addr={:#x}", 0x10 + slot));
            add("-device", format!("sd-card,id=sdcard{slot},drive=sd{slot},bus={}/sdhci{slot}/sd-bus", self.architecture.pci_bus()));
        }
        for controller in 0..self.controllers {
            add("-device", format!("qemu-xhci,id=xhci{controller},p2={USB_PORTS},p3={USB_PORTS},addr={:#x}", 0x1c + controller));
        }
        arguments.extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(str::to_owned));
        arguments
    }
}
