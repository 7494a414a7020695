//! A file mapped for the kernel to read from: its page-cache pages go to a card by direct I/O, without a copy.
//!
//! The mapping never becomes a `&[u8]`: user code that reads through it dies of SIGBUS when the file is cut under it, while the
//! kernel answers with an error (mmap(2), pwrite(2)). Many cards at many places share one cache this way.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::libc::{self, c_void};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, munmap};

use crate::station::units::{Bytes, to_usize};

/// A whole file, mapped read-only.
#[derive(Debug)]
pub struct Mapping {
    #[cfg(test)]
    file: File,
    start: NonNull<c_void>,
    length: usize,
}

// SAFETY: this process never reads or writes the memory; it only passes its address to the kernel.
unsafe impl Send for Mapping {}
// SAFETY: as above; nothing in a mapping changes after it was made.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `length` bytes of `file`, at least one.
    ///
    /// # Errors
    /// The error of the kernel.
    pub(crate) fn new(file: &File, length: Bytes) -> io::Result<Self> {
        let size = NonZeroUsize::new(to_usize(length.0)).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping at a place that the kernel chooses, which overlaps no other memory.
        let start = unsafe { mmap(None, size, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, file, 0) }?;
        Ok(Self {
            #[cfg(test)]
            file: file.try_clone()?,
            start,
            length: size.get(),
        })
    }

    /// Brings a range into the page cache (`MADV_POPULATE_READ`, Linux 5.14): if the file cannot be read, or was cut, this fails instead of
    /// the write, so that a fault of the station is not taken for a fault of the card.
    ///
    /// # Errors
    /// The error of the kernel.
    pub(crate) fn populate(&self, at: Bytes, length: usize) -> io::Result<()> {
        // A range begins on a page.
        let from = to_usize(at.0) / super::aligned::ALIGNMENT * super::aligned::ALIGNMENT;
        let end = self.inside(at, length)?;
        let begin = self.start.as_ptr().cast::<u8>().wrapping_add(from).cast::<c_void>();
        let begin = NonNull::new(begin).ok_or(io::ErrorKind::InvalidInput)?;
        loop {
            // SAFETY: the range lies inside this mapping; populating it for reading changes nothing in it.
            match unsafe { madvise(begin, end - from, MmapAdvise::MADV_POPULATE_READ) } {
                Ok(()) => return Ok(()),
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Writes a range to `to` at `offset`, straight from the page cache.
    pub(super) fn write_to(&self, at: Bytes, length: usize, to: &File, offset: Bytes) -> io::Result<usize> {
        self.inside(at, length)?;
        let offset = libc::off_t::try_from(offset.0).map_err(|_far| io::Error::from_raw_os_error(libc::EINVAL))?;
        let begin = self.start.as_ptr().cast::<u8>().wrapping_add(to_usize(at.0)).cast::<c_void>();
        // SAFETY: pwrite reads `length` bytes at `begin`, which lie inside this mapping; if they cannot be read, it returns EFAULT.
        let moved = unsafe { libc::pwrite(to.as_raw_fd(), begin, length, offset) };
        usize::try_from(moved).map_err(|_negative| io::Error::last_os_error())
    }

    /// Reads a range like any other file, for a caller that needs the bytes themselves.
    ///
    /// # Errors
    /// The error of the kernel.
    #[cfg(test)]
    pub(crate) fn read_at(&self, at: Bytes, into: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, into, at.0)
    }

    /// The end of a range inside the mapping. A range outside is a bug, and causes no memory access.
    fn inside(&self, at: Bytes, length: usize) -> io::Result<usize> {
        let end = to_usize(at.0).checked_add(length).filter(|end| *end <= self.length);
        end.ok_or_else(|| io::Error::from_raw_os_error(libc::EFAULT))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `start` and `length` are those of the mapping made in `new`, which is unmapped once.
        let unmapped = unsafe { munmap(self.start, self.length) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn a_range_goes_from_file_to_file_without_passing_through_us() {
        let (source, target) = (tempfile::tempfile().expect("a file"), tempfile::tempfile().expect("a file"));
        source.write_all_at(&[7; 10_000], 0).expect("it can be written");
        let mapping = Mapping::new(&source, Bytes(10_000)).expect("it can be mapped");
        mapping.populate(Bytes(8192), 1808).expect("it can be read");
        assert_eq!(mapping.write_to(Bytes(4096), 5000, &target, Bytes(100)).expect("it can be written"), 5000);
        let mut back = [0; 5000];
        target.read_exact_at(&mut back, 100).expect("it is there");
        assert_eq!(back, [7; 5000]);
    }

    #[test]
    fn a_file_cut_under_its_mapping_is_an_error_and_no_signal() {
        let source = tempfile::NamedTempFile::new().expect("a file");
        fs::write(source.path(), vec![7; 1 << 20]).expect("it can be written");
        let mapping = Mapping::new(source.as_file(), Bytes(1 << 20)).expect("it can be mapped");
        source.as_file().set_len(4096).expect("it can be cut");
        mapping.populate(Bytes(0), 4096).expect("what is left can be read");
        mapping.populate(Bytes(65536), 4096).expect_err("what was cut cannot");
        let target = tempfile::tempfile().expect("a file");
        let error = mapping.write_to(Bytes(65536), 4096, &target, Bytes(0)).expect_err("nor can it be written");
        assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
    }

    #[test]
    fn a_range_outside_is_refused() {
        let source = tempfile::tempfile().expect("a file");
        source.write_all_at(&[7; 100], 0).expect("it can be written");
        let mapping = Mapping::new(&source, Bytes(100)).expect("it can be mapped");
        let target = tempfile::tempfile().expect("a file");
        mapping.write_to(Bytes(50), 51, &target, Bytes(0)).expect_err("one byte too many");
    }
}
