//! A card opened for direct I/O: exclusive, locked against udev, and checked to be the card that was admitted.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;

use super::mode_sense::{self, CachingPage};
use super::node::{Node, reopen};
use super::patience::becomes_true;
use super::scsi::{Meaning, REPEAT_INTERVAL, is_no_scsi_device};
use super::{BlockDevice, FlushAnswer, Shortfall, Source, counts, ioctl};
use crate::station::card::Visit;
use crate::station::units::Bytes;

/// How long the lock of udev is waited for, which locks a disk while it probes it. Its few reads queue behind the megabytes of the other
/// cards in the same reader: seconds, on a slow one. A program that holds the lock for longer is not udev probing.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);
/// Interval at which the lock is tried.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);
/// How often a flush is repeated for a device that requests it.
const REPEATS: usize = 5;
/// A removal shows in sysfs after the first failed call: 40 ms for a pulled stick, one media poll (2 s) for a card in a reader.
const DEPARTURE_PATIENCE: Duration = Duration::from_secs(3);
/// Interval at which sysfs is read meanwhile.
const DEPARTURE_INTERVAL: Duration = Duration::from_millis(50);

/// Why a card could not be opened. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The kernel refused to open the node.
    #[error("opening {node}")]
    Open {
        /// The device node, such as `/dev/sdb`.
        node: PathBuf,
        /// The error of the kernel.
        source: io::Error,
    },
    /// The medium in the device is another one.
    #[error("{node} is not the card that was admitted")]
    AnotherCard {
        /// The device node, such as `/dev/sdb`.
        node: PathBuf,
    },
    /// The file with the device's name is not the kernel's node of it.
    #[error("{node} is not the node of the card that was admitted")]
    AnotherNode {
        /// The path of the card's node.
        node: PathBuf,
    },
    /// The kernel has no `BLKGETDISKSEQ`.
    #[error("this kernel gives no disk sequence number")]
    NoDiskSequence,
    /// Another program kept it locked.
    #[error("{node} stayed locked by another program")]
    Locked {
        /// The device node, such as `/dev/sdb`.
        node: PathBuf,
    },
}

/// The kernel's device behind one descriptor, held from the claim to the end of the proof.
#[derive(Debug)]
pub(crate) struct DirectDevice {
    file: File,
    visit: Visit,
    length: Bytes,
    logical_block: u32,
    /// The device has accepted a flush command from the station.
    flushes_itself: bool,
}

impl DirectDevice {
    /// Opens `node` for writing, if it is `visit`'s device and still holds its medium. Waits for a lock until `give_up` returns true.
    ///
    /// The node is checked by its name before it is opened: a program may have put another device in its place, or a pipe, whose opening
    /// would wait. Then it is opened for reading and identified before it is opened for writing: the name may belong to another disk by
    /// now, and udev probes a disk anew when a writer closes it. The number cannot pass to another disk while that descriptor is open.
    ///
    /// # Errors
    /// If it is not this device, is held by another program, or cannot be opened.
    pub(crate) fn open(node: &Path, visit: Visit, give_up: impl Fn() -> bool) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Open { node: node.to_owned(), source };
        let looked_at = look_at(node, visit)?;
        let flags = libc::O_DIRECT | libc::O_EXCL | libc::O_CLOEXEC;
        let file = reopen(&looked_at, OpenOptions::new().read(true).write(true).custom_flags(flags)).map_err(failed)?;
        identify(&file, node, visit)?;
        drop(looked_at);
        lock(&file, node, give_up)?;
        // The wait may have been long.
        identify(&file, node, visit)?;
        let length = Bytes(ioctl::length(&file).map_err(failed)?);
        if length.0 == 0 {
            // The medium was there when the device was opened, and left while the lock was waited for.
            return Err(failed(io::Error::from_raw_os_error(libc::ENOMEDIUM)));
        }
        let logical_block = ioctl::logical_block(&file).map_err(failed)?;
        Ok(Self { file, visit, length, logical_block, flushes_itself: false })
    }
}

/// Opens `node` for reading through the kernel's page cache, if it is `visit`'s device and still holds its medium.
fn look_at(node: &Path, visit: Visit) -> Result<File, OpenError> {
    let failed = |source| OpenError::Open { node: node.to_owned(), source };
    let found = Node::find(node, visit.devnum).map_err(failed)?.ok_or_else(|| OpenError::AnotherNode { node: node.to_owned() })?;
    let looked_at = found.open(OpenOptions::new().read(true).custom_flags(libc::O_CLOEXEC)).map_err(failed)?;
    identify(&looked_at, node, visit)?;
    Ok(looked_at)
}

/// A disk opened for reading through the kernel's page cache, as any other program of the PC reads it.
#[derive(Debug)]
pub(crate) struct CachedReader(File);

impl CachedReader {
    /// Opens `node`, if it is `visit`'s device and still holds its medium.
    ///
    /// # Errors
    /// If it is not this device, or cannot be opened.
    pub(crate) fn open(node: &Path, visit: Visit) -> Result<Self, OpenError> {
        look_at(node, visit).map(Self)
    }

    /// Makes the kernel forget what it keeps of the disk, so that the next read goes to the device.
    ///
    /// # Errors
    /// The error of the kernel.
    pub(crate) fn forget_pages(&self) -> io::Result<()> {
        ioctl::forget_pages(&self.0)
    }

    /// Fills all of `into`.
    ///
    /// # Errors
    /// The error of the kernel.
    pub(crate) fn read_exact_at(&self, at: Bytes, into: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(into, at.0)
    }
}

/// Has the medium of this visit left? A disk that is leaving may still be in sysfs for a moment.
pub(crate) fn has_left(visit: Visit) -> bool {
    within_patience(|| !is_in_sysfs(visit))
}

/// Repeats the test as long as a removal may take to appear.
fn within_patience(is_so: impl Fn() -> bool) -> bool {
    becomes_true(DEPARTURE_PATIENCE, DEPARTURE_INTERVAL, is_so)
}

fn is_in_sysfs(visit: Visit) -> bool {
    let directory = PathBuf::from(format!("/sys/dev/block/{}", visit.devnum));
    holds(&directory.join("diskseq"), |number| number == visit.diskseq) && holds(&directory.join("size"), |size| size > 0)
}

/// Does this attribute hold such a number? If this process lacks the means to look, the answer is yes: that is no sign of a removal.
fn holds(attribute: &Path, is_so: impl Fn(u64) -> bool) -> bool {
    match std::fs::read_to_string(attribute) {
        Ok(text) => text.trim().parse().is_ok_and(is_so),
        Err(error) => matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM)),
    }
}

/// Is the medium that was admitted still in the device?
fn identify(file: &File, node: &Path, visit: Visit) -> Result<(), OpenError> {
    let failed = |source| OpenError::Open { node: node.to_owned(), source };
    match ioctl::diskseq(file) {
        Ok(diskseq) if diskseq == visit.diskseq => Ok(()),
        Ok(_) => Err(OpenError::AnotherCard { node: node.to_owned() }),
        Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => Err(OpenError::NoDiskSequence),
        Err(error) => Err(failed(error)),
    }
}

/// Keeps udev off the disk for as long as the descriptor lives: udev takes a shared `flock` before it probes (systemd,
/// `docs/BLOCK_DEVICE_LOCKING.md`).
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

    fn flush(&mut self, patience: Duration) -> io::Result<()> {
        self.file.sync_data()?;
        if !self.flushes_itself {
            return Ok(());
        }
        match self.synchronize(patience)? {
            Meaning::Done => Ok(()),
            Meaning::Silent => Err(io::Error::from_raw_os_error(libc::ETIMEDOUT)),
            Meaning::NoMedium => Err(io::Error::from_raw_os_error(libc::ENOMEDIUM)),
            Meaning::Unknown | Meaning::Again | Meaning::Reset | Meaning::Broken | Meaning::Failed => {
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
        }
    }

    fn ask_to_flush(&mut self, patience: Duration) -> FlushAnswer {
        let answer = self.synchronize(patience);
        tracing::debug!(?answer, make = self.make(), "asked to flush");
        let there = |device: &Self| if device.departed() { FlushAnswer::Gone } else { FlushAnswer::Lost };
        match answer {
            Ok(Meaning::Done) => {
                self.flushes_itself = true;
                FlushAnswer::Taken
            }
            Ok(Meaning::Unknown) => FlushAnswer::Refused,
            Ok(Meaning::Silent) if self.departed() => FlushAnswer::Gone,
            Ok(Meaning::Silent) => FlushAnswer::Stalled,
            // A device that each command resets is no better than a silent one.
            Ok(Meaning::Broken | Meaning::NoMedium | Meaning::Reset) => there(self),
            // This may be a fault of this card alone.
            Ok(Meaning::Failed | Meaning::Again) => FlushAnswer::Unclear,
            Err(error) if is_no_scsi_device(&error) => FlushAnswer::NotScsi,
            Err(error) => match error.raw_os_error() {
                Some(libc::ENODEV | libc::ENXIO | libc::ENOMEDIUM | libc::EIO) => there(self),
                _ => {
                    tracing::warn!(%error, "the kernel does not let the device be asked to flush");
                    FlushAnswer::Unclear
                }
            },
        }
    }

    fn make(&self) -> Option<String> {
        make_of(Path::new("/sys/dev/block").join(self.visit.devnum.to_string()).as_path())
    }

    /// Sectors, not requests: a request's sectors are counted before the thread that waits for it is woken, the request itself only after
    /// that (kernel, `block/blk-mq.c`, `blk_update_request`, `__blk_mq_end_request`).
    fn sectors_written(&self) -> Option<u64> {
        counts::sectors_written(self.visit.devnum)
    }

    fn departed(&self) -> bool {
        within_patience(|| !self.in_sysfs() || ioctl::length(&self.file).is_ok_and(|length| length == 0))
    }
}

impl DirectDevice {
    /// One SYNCHRONIZE CACHE, repeated if the device requests that: it reports each reset, whoever caused it, to the next command (SAM-5,
    /// 5.14). If its cache lost data by the reset, the read-back finds it.
    fn synchronize(&self, patience: Duration) -> io::Result<Meaning> {
        // A command that ran out of time may also come back as aborted (`usb_stor_control_thread` in `drivers/usb/storage/usb.c`).
        let once = || -> io::Result<Meaning> {
            let began = Instant::now();
            let meaning = ioctl::synchronize_cache(&self.file, patience)?.meaning();
            Ok(if meaning == Meaning::Broken && began.elapsed() >= patience { Meaning::Silent } else { meaning })
        };
        let mut meaning = once()?;
        for _ in 0..REPEATS {
            match meaning {
                Meaning::Again | Meaning::Reset => thread::sleep(REPEAT_INTERVAL),
                // Another unit of the same reader may have caused the reset. If the answer repeats, it is the device's own.
                Meaning::Broken if self.in_sysfs() => {}
                _ => break,
            }
            let broken = meaning == Meaning::Broken;
            meaning = once()?;
            if broken && meaning == Meaning::Broken {
                break;
            }
        }
        Ok(meaning)
    }

    /// The caching page that the device shows. It has `patience` to answer.
    pub(crate) fn caching_page(&self, patience: Duration) -> CachingPage {
        mode_sense::caching_page(&self.file, patience)
    }

    /// Makes the kernel check whether the medium is still there: it does so when a disk is opened. udev, which opens changed disks, has
    /// waited for our lock until now, so the disk of a reader may still show the size of a card that left. May wait for the device.
    pub(crate) fn look_for_medium(&self) {
        // By the descriptor: the name may belong to another disk by now.
        if let Err(error) = reopen(&self.file, OpenOptions::new().read(true)) {
            tracing::debug!(%error, "looked for the medium");
        }
    }

    /// sysfs is read as well as the descriptor: a disk that is gone for all other programs still answers its last holder.
    fn in_sysfs(&self) -> bool {
        is_in_sysfs(self.visit)
    }
}

/// Vendor, product and revision of a disk's USB device, by its own numbers (USB 2.0, 9.6.1).
fn make_of(disk: &Path) -> Option<String> {
    let device = disk.canonicalize().ok()?.ancestors().find(|directory| directory.join("idVendor").is_file())?.to_owned();
    let number = |attribute: &str| std::fs::read_to_string(device.join(attribute)).ok().map(|text| text.trim().to_owned());
    Some(format!("{}:{} revision {}", number("idVendor")?, number("idProduct")?, number("bcdDevice")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::card::DevNum;

    /// The name may belong to another disk by now. A directory represents it: it can be opened only for reading (`open(2)`, EISDIR).
    #[test]
    fn what_is_not_the_card_is_not_opened_for_writing() {
        let other = tempfile::tempdir().expect("a temporary directory");
        let visit = Visit { devnum: DevNum { major: 8, minor: 16 }, diskseq: 7 };
        let error = DirectDevice::open(other.path(), visit, || true).expect_err("it is no card");
        assert!(matches!(error, OpenError::AnotherNode { .. }), "{error:?}");
    }

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
