//! The saved state of a PC that was booted once, so that no other has to boot.
//!
//! Owns the file, its key and how it is made. Everything that could change a restored PC is part of the key.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::fcntl::{Flock, FlockArg};
use serde_json::json;

use crate::error::{Error, Result};
use crate::host;
use crate::machine::Machine;
use crate::qemu::Inner;

/// How long a boot may take on a busy machine; it takes ten seconds on an idle one.
pub(crate) const BOOT: Duration = Duration::from_secs(180);

/// How long a restored PC may take to continue; it takes a second on an idle machine.
const AWAKENING: Duration = Duration::from_secs(60);

/// Brings the booted PC to the point all scenarios start from.
///
/// QEMU does not save the PCI configuration of its SD hosts: if they are restored like this, they raise an interrupt that no driver
/// answers. So they are removed before, and [`awake`] finds them again.
///
/// By then the PC has been up for half a minute: in the first seconds a station cannot know whether a card was put in by hand, or whether
/// its host was only slow to start.
const ASLEEP: &str = "
systemctl is-system-running --wait >/dev/null
until [ $(cut -d. -f1 /proc/uptime) -ge 30 ]; do sleep 0.5; done
modprobe -a usb_storage uas sd_mod mmc_block sdhci_pci
udevadm settle
for host in /sys/bus/pci/drivers/sdhci-pci/0000:*; do
	[ ! -e $host ] || echo 1 >$host/remove
done
udevadm settle
sync
echo 3 >/proc/sys/vm/drop_caches
";

/// The file to restore from; made now if it does not exist.
pub(crate) fn file(machine: &Machine) -> Result<PathBuf> {
    let folder = host::cache_dir()?.join("states");
    let doing = || Error::io(format!("keeping saved states in {}", folder.display()));
    fs::create_dir_all(&folder).map_err(doing())?;
    let mut hash = blake3::Hasher::new();
    hash.update(host::qemu_version()?.as_bytes());
    hash.update(ASLEEP.as_bytes());
    for argument in machine.arguments(Path::new("RUN")) {
        hash.update(argument.as_bytes());
        hash.update(b"\0");
    }
    let path = folder.join(&hash.finalize().to_hex()[..16]);
    if !path.exists() {
        // Parallel tests wait here, and then find the finished file.
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.with_extension("lock")).map_err(doing())?;
        let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into()).map_err(doing())?;
        if !path.exists() {
            host::remove_older_than_a_week(&folder);
            make(machine, &path)?;
        }
    }
    // Its age is the time since its last use.
    File::open(&path).and_then(|file| file.set_modified(SystemTime::now())).map_err(doing())?;
    Ok(path)
}

fn make(machine: &Machine, path: &Path) -> Result<()> {
    let pc = Inner::launch(machine, &[])?;
    let made = pc.agent.wait_hello(BOOT).and_then(|()| save(&pc, path));
    pc.kill();
    made
}

fn save(pc: &Inner, path: &Path) -> Result<()> {
    pc.run(ASLEEP, BOOT)?;
    let aside = path.with_extension("unfinished");
    pc.qmp.execute("stop", json!({}))?;
    pc.qmp.execute("migrate-set-parameters", json!({ "max-bandwidth": 10_u64 << 30 }))?;
    pc.qmp.execute("migrate", json!({ "uri": format!("exec:cat >'{}'", aside.display()) }))?;
    let end = Instant::now() + BOOT;
    loop {
        let answer = pc.qmp.execute("query-migrate", json!({}))?;
        match answer["status"].as_str() {
            Some("completed") => break,
            Some("failed") => return Err(Error::Impossible(format!("QEMU could not save its state: {answer}"))),
            _ if Instant::now() > end => {
                return Err(Error::Late { what: "a saved state".to_owned(), after: BOOT, seen: answer.to_string() });
            }
            _ => thread::sleep(Duration::from_millis(10)),
        }
    }
    fs::rename(&aside, path).map_err(Error::io(format!("giving {} its name", path.display())))
}

/// QEMU's arguments for starting from `path` instead of booting.
pub(crate) fn arguments(path: &Path) -> [String; 2] {
    ["-incoming".to_owned(), format!("exec:cat '{}'", path.display())]
}

/// Lets a restored PC continue as if it had run all the time: with the right date, and with its SD hosts.
pub(crate) fn awake(pc: &Inner, machine: &Machine) -> Result<()> {
    let end = Instant::now() + AWAKENING;
    while pc.qmp.execute("query-status", json!({}))?["status"] == "inmigrate" {
        if Instant::now() > end {
            return Err(Error::Late { what: "a restored state".to_owned(), after: AWAKENING, seen: String::new() });
        }
        thread::sleep(Duration::from_millis(5));
    }
    pc.qmp.execute("cont", json!({}))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let script = format!(
        "date -s @{}.{:03} >/dev/null
slots={}
[ $slots = 0 ] || echo 1 >/sys/bus/pci/rescan
until [ $(ls /sys/class/mmc_host 2>/dev/null | wc -w) = $slots ]; do sleep 0.02; done
",
        now.as_secs(),
        now.subsec_millis(),
        machine.sd_slots,
    );
    pc.run(&script, AWAKENING).map(drop)
}
