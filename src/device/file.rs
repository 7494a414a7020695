//! A file with the manners of a card: the medium on which the verifier is tried. Never a device.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::posix_fallocate;
use nix::libc;

use super::aligned::{ALIGNMENT, AlignedBuf};
use super::node::reopen;
use super::{BlockDevice, FlushAnswer, SECTOR, Shortfall, Source};
use crate::station::units::{Bytes, KIB, to_u64, to_usize};

/// The unit of its reads and writes: a multiple of the logical block of any disk below it, which direct I/O of a file needs (open(2)).
const BLOCK: u32 = 4096;
/// The most zeroes that one call writes.
const ZEROES: u64 = 256 * KIB;
/// The mode of the file: other users have no business with it.
const MODE: u32 = 0o600;

/// A new file of a fixed length, whose room on the disk is reserved.
#[derive(Debug)]
pub(crate) struct FileDevice {
    file: File,
    length: Bytes,
    is_direct: bool,
    sectors: u64,
    zeroes: AlignedBuf,
    /// The first error of the file system that nobody asked for yet.
    failed: Option<i32>,
}

impl FileDevice {
    /// The `DISKSEQ` that it reports: its medium is never exchanged.
    pub(crate) const DISKSEQ: u64 = 1;

    /// Makes the file at `path`, where none may be, with `length` bytes, whole blocks. It is opened past the page cache (`O_DIRECT`), or
    /// through it if the file system does not allow that.
    ///
    /// # Errors
    /// The error of the file system; `ENOSPC` if there is no room for all of it.
    pub(crate) fn create(path: &Path, length: Bytes) -> io::Result<Self> {
        // First without O_DIRECT: a file system that refuses it leaves the file behind all the same.
        let made = OpenOptions::new().read(true).write(true).create_new(true).mode(MODE).open(path)?;
        let whole = libc::off_t::try_from(length.0).map_err(io::Error::other)?;
        posix_fallocate(&made, 0, whole)?;
        let zeroes = AlignedBuf::zeroed(to_usize(ZEROES))?;
        let mut device = Self { file: made, length, is_direct: false, sectors: 0, zeroes, failed: None };
        if let Some(direct) = device.opened_directly()? {
            (device.file, device.is_direct) = (direct, true);
        }
        Ok(device)
    }

    /// The same file for direct I/O; `None` if its file system has none, or none for such blocks.
    fn opened_directly(&self) -> io::Result<Option<File>> {
        let has_none = |error: &io::Error| matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP));
        let opened = reopen(&self.file, OpenOptions::new().read(true).write(true).custom_flags(libc::O_DIRECT | libc::O_CLOEXEC));
        let tried = opened.and_then(|direct| direct.write_at(&self.zeroes[..ALIGNMENT], 0).map(|_moved| direct));
        match tried {
            Ok(direct) => Ok(Some(direct)),
            Err(error) if has_none(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether its reads and writes go past the page cache.
    #[must_use]
    pub(crate) fn is_direct(&self) -> bool {
        self.is_direct
    }

    /// The first error of the file system since this was asked last: what a caller made of it may not show that there was one.
    pub(crate) fn take_error(&mut self) -> Option<i32> {
        self.failed.take()
    }

    fn noted<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.failed = self.failed.or(error.raw_os_error());
        }
        result
    }

    fn count(&mut self, moved: usize) {
        self.sectors += to_u64(moved) / SECTOR;
    }
}

impl BlockDevice for FileDevice {
    fn length(&self) -> Bytes {
        self.length
    }

    fn logical_block(&self) -> u32 {
        BLOCK
    }

    fn diskseq(&self) -> io::Result<u64> {
        Ok(Self::DISKSEQ)
    }

    fn write_from(&mut self, at: Bytes, source: Source<'_>) -> Result<usize, Shortfall> {
        // A file would grow where a card ends.
        if at.0 + to_u64(source.length()) > self.length.0 {
            return Err(Shortfall::Error(io::Error::from_raw_os_error(libc::ENOSPC)));
        }
        let moved = match source {
            Source::Bytes(bytes) => self.file.write_at(bytes, at.0),
            Source::Mapped { mapping, at: from, length } => {
                mapping.populate(from, length).map_err(Shortfall::Source)?;
                mapping.write_to(from, length, &self.file, at)
            }
        };
        let moved = self.noted(moved).map_err(Shortfall::Error)?;
        self.count(moved);
        Ok(moved)
    }

    fn zero(&mut self, at: Bytes, length: Bytes) -> io::Result<()> {
        let mut done = 0;
        while done < length.0 {
            let part = to_usize((length.0 - done).min(ZEROES));
            let moved = self.file.write_at(&self.zeroes[..part], at.0 + done);
            let moved = match self.noted(moved) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                moved => to_u64(moved?),
            };
            // The next call must begin on a block.
            let whole = moved - moved % u64::from(BLOCK);
            if whole == 0 {
                return Err(Shortfall::Stopped.into());
            }
            self.count(to_usize(whole));
            done += whole;
        }
        Ok(())
    }

    fn read_at(&mut self, at: Bytes, into: &mut [u8]) -> io::Result<usize> {
        let moved = self.file.read_at(into, at.0);
        self.noted(moved)
    }

    fn flush(&mut self, _patience: Duration) -> io::Result<()> {
        let flushed = self.file.sync_data();
        self.noted(flushed)
    }

    fn ask_to_flush(&mut self, _patience: Duration) -> FlushAnswer {
        FlushAnswer::NotScsi
    }

    fn make(&self) -> Option<String> {
        None
    }

    fn sectors_written(&self) -> Option<u64> {
        Some(self.sectors)
    }

    fn departed(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod cases {
    use nix::fcntl::{FcntlArg, fcntl};

    use super::*;
    use crate::device::{read_exact_at, write_all_at};
    use crate::station::units::MIB;

    fn made(directory: &tempfile::TempDir) -> FileDevice {
        FileDevice::create(&directory.path().join("card"), Bytes(MIB)).expect("there is room")
    }

    #[test]
    fn what_is_written_to_it_is_read_back_and_it_never_grows() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut device = made(&directory);
        let mut block = AlignedBuf::zeroed(ALIGNMENT).expect("memory");
        block.fill(7);
        write_all_at(&mut device, Bytes(MIB - u64::from(BLOCK)), Source::Bytes(&block)).expect("its last block");
        let mut back = AlignedBuf::zeroed(ALIGNMENT).expect("memory");
        read_exact_at(&mut device, Bytes(MIB - u64::from(BLOCK)), &mut back).expect("its last block");
        assert_eq!(&back[..], &block[..]);
        let beyond = write_all_at(&mut device, Bytes(MIB), Source::Bytes(&block));
        assert!(matches!(beyond, Err((_, Shortfall::Error(error))) if error.raw_os_error() == Some(libc::ENOSPC)));
        device.zero(Bytes(0), Bytes(MIB)).expect("zeroed");
        read_exact_at(&mut device, Bytes(MIB - u64::from(BLOCK)), &mut back).expect("its last block");
        assert!(back.iter().all(|byte| *byte == 0));
        assert_eq!(device.sectors_written(), Some((u64::from(BLOCK) + MIB) / SECTOR), "its own writes are counted");
        assert_eq!(std::fs::metadata(directory.path().join("card")).expect("it is there").len(), MIB);
    }

    #[test]
    fn a_file_that_says_that_it_is_direct_is_open_past_the_page_cache() {
        let directory = tempfile::tempdir().expect("a directory");
        let device = made(&directory);
        let flags = fcntl(&device.file, FcntlArg::F_GETFL).expect("an open file has flags");
        assert_eq!(flags & libc::O_DIRECT != 0, device.is_direct());
    }

    #[test]
    fn a_file_that_is_there_is_never_written_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("card");
        std::fs::write(&path, b"somebody's").expect("written");
        let error = FileDevice::create(&path, Bytes(MIB)).expect_err("it is there");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).expect("it is there"), b"somebody's");
    }

    #[test]
    fn the_first_error_of_the_file_system_is_kept_until_somebody_asks() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut device = made(&directory);
        for result in [Err(libc::EINTR), Err(libc::EIO), Ok(()), Err(libc::ENOSPC)] {
            let _told = device.noted(result.map_err(io::Error::from_raw_os_error));
        }
        assert_eq!((device.take_error(), device.take_error()), (Some(libc::EIO), None));
    }

    #[test]
    fn a_disk_without_room_for_all_of_it_says_so_before_anything_is_written() {
        let directory = tempfile::tempdir().expect("a directory");
        let error = FileDevice::create(&directory.path().join("card"), Bytes(1 << 60)).expect_err("no disk has so much");
        assert!(matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EFBIG)), "{error:?}");
    }
}
