//! The host's side: temporary files, the prepared guest, and processes that end with the test.
//!
//! Owns the places of files and the start of QEMU. It does not know QEMU's arguments.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, OnceLock};
use std::thread;

use nix::sys::statvfs::statvfs;

use crate::error::{Error, Result};
use crate::machine::Architecture;
use crate::sync::lock;

/// The names of all files in shared directories begin with this, followed by the process id.
const PREFIX: &str = "flashline-lab.";

/// Cards live in memory if at least this much of it is free.
const ROOM: u64 = 2 << 30;

/// Makes temporary files and folders whose names tell which process owns them.
pub(crate) fn temporary(what: &str) -> TemporaryName {
    TemporaryName(format!("{PREFIX}{}.{what}.", std::process::id()))
}

pub(crate) struct TemporaryName(String);

impl TemporaryName {
    pub(crate) fn tempfile_in(&self, folder: &Path) -> io::Result<tempfile::NamedTempFile> {
        tempfile::Builder::new().prefix(&self.0).tempfile_in(folder)
    }

    pub(crate) fn tempdir_in(&self, folder: &Path) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(&self.0).tempdir_in(folder)
    }
}

/// The directory for cards: in memory if there is room.
pub(crate) fn memory_dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let shm = Path::new("/dev/shm");
        let free = statvfs(shm).map_or(0, |stat| stat.blocks_available().saturating_mul(stat.fragment_size()));
        let dir = if free >= ROOM { shm.to_owned() } else { std::env::temp_dir() };
        sweep(&dir);
        dir
    })
}

/// The directory for run directories. Paths of sockets must be short, and those in here are.
pub(crate) fn run_dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = std::env::temp_dir();
        sweep(&dir);
        dir
    })
}

/// Removes the files that killed test processes left behind.
fn sweep(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('.').next());
        let Some(owner) = owner.filter(|owner| owner.parse::<u32>().is_ok()) else { continue };
        if !Path::new("/proc").join(owner).exists() {
            // Another process may remove it at the same time.
            drop(fs::remove_file(entry.path()).or_else(|_not_a_file| fs::remove_dir_all(entry.path())));
        }
    }
}

/// The directory of guests (made by `setup`), saved states and stripped programs.
pub(crate) fn cache_dir() -> Result<PathBuf> {
    let given = std::env::var_os("FLASHLINE_CACHE").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/flashline"));
    given.or_else(home).ok_or_else(|| Error::Impossible("neither FLASHLINE_CACHE nor HOME is set".to_owned()))
}

/// The guest that `setup` built from the scripts as they are now; `with` is the name of more packages in it.
pub(crate) fn guest(with: Option<&'static str>) -> Result<PathBuf> {
    static GUESTS: Mutex<BTreeMap<Option<&'static str>, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut guests = lock(&GUESTS);
    if let Some(guest) = guests.get(&with) {
        return Ok(guest.clone());
    }
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("../setup");
    let with_it: Vec<&str> = with.iter().flat_map(|with| ["--with", with]).collect();
    let output = Command::new(&setup)
        .arg("--key")
        .args(&with_it)
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io(format!("running {} --key", setup.display())))?;
    let key = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || key.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Impossible(format!("{} --key: {}\n{said}", setup.display(), output.status)));
    }
    let guest = cache_dir()?.join(key);
    if !guest.exists() {
        let setup = ["hardware-tests/setup"].into_iter().chain(with_it).collect::<Vec<_>>().join(" ");
        return Err(Error::Impossible(format!("there is no guest at {}: run {setup} first", guest.display())));
    }
    guests.insert(with, guest.clone());
    Ok(guest)
}

/// The version that QEMU prints; a saved state is valid for one version only.
pub(crate) fn qemu_version() -> Result<&'static str> {
    static VERSION: OnceLock<String> = OnceLock::new();
    if let Some(version) = VERSION.get() {
        return Ok(version);
    }
    let emulator = Architecture::chosen().emulator();
    let output = Command::new(emulator)
        .arg("--version")
        .output()
        .map_err(Error::io(format!("running {emulator} --version: is hardware-tests/setup done?")))?;
    Ok(VERSION.get_or_init(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}

type Order = (Command, Sender<io::Result<Child>>);

/// Starts QEMU so that it cannot outlive this process, however it ends.
///
/// The kernel's signal on a parent's death is sent when the *thread* that started the child ends, and tests run in
/// threads. So one thread, which never ends, starts them all.
pub(crate) fn start_qemu(arguments: &[String], log: &Path) -> Result<Child> {
    static LAUNCHER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let emulator = Architecture::chosen().emulator();
    let doing = || Error::io(format!("starting {emulator}"));
    let launcher = LAUNCHER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        let started = thread::Builder::new().name("lab/launcher".to_owned()).spawn(move || {
            for (mut command, answer) in orders {
                // If this cannot be sent, the caller has ended; the child ends with this process all the same.
                drop(answer.send(command.spawn()));
            }
        });
        drop(started);
        Mutex::new(sender)
    });
    let log = File::create(log).map_err(doing())?;
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", emulator])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(doing())?)
        .stderr(log);
    let (answer, child) = mpsc::channel();
    let gone = |_| io::Error::other("the launching thread has ended");
    lock(launcher).send((command, answer)).map_err(|_gone| gone(())).map_err(doing())?;
    child.recv().map_err(|_gone| gone(())).and_then(|child| child).map_err(doing())
}

/// A copy of a program without its debug information, made once for each build: a tenth of the size to send to the guest.
pub(crate) fn stripped(program: &Path) -> Result<PathBuf> {
    let doing = || Error::io(format!("stripping {}", program.display()));
    let metadata = fs::metadata(program).map_err(doing())?;
    let built = metadata.modified().map_err(doing())?;
    let key = blake3::hash(format!("{}\n{}\n{built:?}", program.display(), metadata.len()).as_bytes());
    let folder = cache_dir()?.join("stripped");
    fs::create_dir_all(&folder).map_err(doing())?;
    let target = folder.join(&key.to_hex()[..16]);
    if target.exists() {
        return Ok(target);
    }
    remove_older_than_a_week(&folder);
    let aside = temporary("program").tempfile_in(&folder).map_err(doing())?;
    let output = Command::new("strip").arg("-o").arg(aside.path()).arg(program).output().map_err(doing())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Impossible(format!("strip {}: {}\n{said}", program.display(), output.status)));
    }
    aside.persist(&target).map_err(|error| error.error).map_err(doing())?;
    Ok(target)
}

/// Makes an ext4 in a file.
pub(crate) fn make_ext4(file: &Path) -> Result<()> {
    let doing = || Error::io(format!("making an ext4 in {}", file.display()));
    let output = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(file).stdin(Stdio::null()).output().map_err(doing())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::Impossible(format!("mkfs.ext4 {}: {}\n{said}", file.display(), output.status)))
}

/// Limits the size of a cache. A file that cannot be removed stays; it is only a cache.
pub(crate) fn remove_older_than_a_week(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age.as_secs() > 7 * 24 * 3600) {
            drop(fs::remove_file(entry.path()));
        }
    }
}
