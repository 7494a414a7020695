//! Memory that direct I/O accepts: aligned to a page, which satisfies every device's `dma_alignment` and logical block.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;

/// One page: at least any logical block (512, 4096) and any `dma_alignment` (at most 4095) of a card.
pub(crate) const ALIGNMENT: usize = 4096;

/// A fixed run of zeroed, page-aligned bytes.
#[derive(Debug)]
pub struct AlignedBuf {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the buffer owns its memory alone and hands it out only through `&self` and `&mut self`.
unsafe impl Send for AlignedBuf {}

impl AlignedBuf {
    /// A buffer of `length` zeroes. A length of zero, or one beyond the address space, is a bug.
    ///
    /// # Errors
    /// `OutOfMemory` if the system has no free memory. Then one card's attempt ends, instead of the process with all cards.
    ///
    /// # Panics
    /// For such a length.
    pub fn zeroed(length: usize) -> io::Result<Self> {
        assert!(length > 0, "a buffer holds something");
        let layout = Layout::from_size_align(length, ALIGNMENT).expect("a buffer's length fits the address space");
        // SAFETY: the layout's size is not zero, asserted above.
        let start = unsafe { alloc_zeroed(layout) };
        let start = NonNull::new(start).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, layout })
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        // SAFETY: `start` came from `alloc_zeroed` with this very layout and is freed once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` points to `layout.size()` initialised bytes that live as long as `self`; `&self` forbids writers.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` makes this the only reference.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zeroed_and_starts_on_a_page() {
        for length in [1, 512, 4096, 4097, 4 << 20] {
            let buffer = AlignedBuf::zeroed(length).expect("there is memory");
            assert_eq!(buffer.len(), length);
            assert!(buffer.iter().all(|byte| *byte == 0));
            assert_eq!(buffer.as_ptr().align_offset(ALIGNMENT), 0);
        }
    }

    #[test]
    fn memory_that_cannot_be_had_is_an_error_and_not_the_end_of_the_process() {
        let error = AlignedBuf::zeroed(1 << 50).expect_err("no PC has a PiB of memory");
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    }
}
