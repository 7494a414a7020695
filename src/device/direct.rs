//! A card opened for direct I/O: exclusive, locked against udev, and known to be the one that was admitted.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::stat::{major, minor};

use super::{BlockDevice, Shortfall, Source, ioctl};
use crate::station::card::{DevNum, Visit};
use crate::station::units::Bytes;

/// How long udev, which locks a disk while it probes it, is waited for. Its few reads queue behind the megabytes of the other cards
/// in the same reader: seconds, on a slow one. Whatever holds the lock for longer is not udev probing.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);
/// How often the lock is tried meanwhile.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);
/// A removal shows in sysfs after the first failed call: 40 ms for a pulled stick, one media poll (2 s) for a card in a reader.
const DEPARTURE_PATIENCE: Duration = Duration::from_secs(3);
/// How often sysfs is asked meanwhile.
const DEPARTURE_INTERVAL: Duration = Duration::from_millis(50);

/// Why a card could not be opened. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The kernel's answer.
    #[error("opening {node}")]
    Open {
        /// The node.
        node: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The node is not the device that was admitted, or the medium in it is another one.
    #[error("{node} is not the card that was admitted")]
    AnotherCard {
        /// The node.
        node: PathBuf,
    },
    /// The kernel has no `BLKGETDISKSEQ`.
    #[error("this kernel gives no disk sequence number")]
    NoDiskSequence,
    /// Somebody kept it locked.
    #[error("{node} stayed locked by another program")]
    Locked {
        /// The node.
        node: PathBuf,
    },
}

/// The kernel's device behind one descriptor, held from the claim to the end of the proof.
#[derive(Debug)]
pub struct DirectDevice {
    file: File,
    visit: Visit,
    length: Bytes,
    logical_block: u32,
}

impl DirectDevice {
    /// Opens `node` for writing, if it is `visit`'s device and still holds its medium. A lock is waited for until `give_up` says so.
    ///
    /// # Errors
    /// When it is not, is held by somebody, or cannot be opened.
    pub fn open(node: &Path, visit: Visit, give_up: impl Fn() -> bool) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Open { node: node.to_owned(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_DIRECT | libc::O_EXCL | libc::O_CLOEXEC | libc::O_NOFOLLOW)
            .open(node)
            .map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let devnum = DevNum { major: low_half(major(metadata.rdev())), minor: low_half(minor(metadata.rdev())) };
        if !metadata.file_type().is_block_device() || devnum != visit.devnum {
            return Err(OpenError::AnotherCard { node: node.to_owned() });
        }
        match ioctl::diskseq(&file) {
            Ok(diskseq) if diskseq == visit.diskseq => {}
            Ok(_) => return Err(OpenError::AnotherCard { node: node.to_owned() }),
            Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => return Err(OpenError::NoDiskSequence),
            Err(error) => return Err(failed(error)),
        }
        lock(&file, node, give_up)?;
        let length = Bytes(ioctl::length(&file).map_err(failed)?);
        if length.0 == 0 {
            // It was there when it was opened, and left while its lock was waited for.
            return Err(failed(io::Error::from_raw_os_error(libc::ENOMEDIUM)));
        }
        let logical_block = ioctl::logical_block(&file).map_err(failed)?;
        Ok(Self { file, visit, length, logical_block })
    }
}

/// Device numbers of Linux fit 32 bits a half (12 and 20 bits in use).
fn low_half(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Holds udev off the disk for as long as the descriptor lives: it takes a shared `flock` before it probes
/// (systemd, `docs/BLOCK_DEVICE_LOCKING.md`).
fn lock(file: &File, node: &Path, give_up: impl Fn() -> bool) -> Result<(), OpenError> {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_PATIENCE && !give_up() => thread::sleep(LOCK_INTERVAL),
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked { node: node.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(OpenError::Open { node: node.to_owned(), source }),
        }
    }
}

impl BlockDevice for DirectDevice {
    fn length(&self) -> Bytes {
        self.length
    }

    fn logical_block(&self) -> u32 {
        self.logical_block
    }

    fn diskseq(&self) -> io::Result<u64> {
        ioctl::diskseq(&self.file)
    }

    fn write_from(&mut self, at: Bytes, source: Source<'_>) -> Result<usize, Shortfall> {
        match source {
            Source::Bytes(bytes) => self.file.write_at(bytes, at.0).map_err(Shortfall::Error),
            Source::Mapped { mapping, at: from, length } => {
                mapping.populate(from, length).map_err(Shortfall::Source)?;
                // Between the two calls the file may still be cut; only memory that cannot be read gives EFAULT.
                mapping.write_to(from, length, &self.file, at).map_err(|error| match error.raw_os_error() {
                    Some(libc::EFAULT) => Shortfall::Source(error),
                    _ => Shortfall::Error(error),
                })
            }
        }
    }

    fn zero(&mut self, at: Bytes, length: Bytes) -> io::Result<()> {
        ioctl::zero(&self.file, at.0, length.0)
    }

    fn read_at(&mut self, at: Bytes, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(into, at.0)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn departed(&self) -> bool {
        let began = Instant::now();
        loop {
            if !self.in_sysfs() || ioctl::length(&self.file).is_ok_and(|length| length == 0) {
                return true;
            }
            if began.elapsed() >= DEPARTURE_PATIENCE {
                return false;
            }
            thread::sleep(DEPARTURE_INTERVAL);
        }
    }
}

impl DirectDevice {
    /// sysfs is asked as well as the descriptor: a disk that is gone for everybody else keeps answering its last holder.
    fn in_sysfs(&self) -> bool {
        let attribute = |name: &str| -> Option<u64> {
            let path = format!("/sys/dev/block/{}/{name}", self.visit.devnum);
            std::fs::read_to_string(path).ok()?.trim().parse().ok()
        };
        attribute("diskseq") == Some(self.visit.diskseq) && attribute("size").is_some_and(|size| size > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_waited_for_and_given_up_when_told() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let open = || File::open(file.path()).expect("it is there");
        let (held, wanted) = (open(), open());
        held.try_lock().expect("nobody else has it");
        assert!(matches!(lock(&wanted, file.path(), || true), Err(OpenError::Locked { .. })));
        let probing = thread::spawn(move || {
            thread::sleep(3 * LOCK_INTERVAL);
            drop(held);
        });
        lock(&wanted, file.path(), || false).expect("udev was done in time");
        probing.join().expect("it only sleeps");
    }
}
