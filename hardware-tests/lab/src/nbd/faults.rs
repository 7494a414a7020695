//! The faults a card can have. All of them can be changed while the card is in use.

use std::ops::Range;
use std::time::Duration;

/// An error that a card can answer with. NBD has only these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(u32);

impl Errno {
    /// EPERM: the answer of a card that turned read-only to writes.
    pub const READ_ONLY: Self = Self(1);
    /// `EIO`: an error of the medium.
    pub const IO: Self = Self(5);
    /// `EINVAL`: a request the medium does not accept.
    pub const INVALID: Self = Self(22);
    /// `ENOSPC`: the medium has no room left.
    pub const NO_SPACE: Self = Self(28);

    pub(super) fn number(self) -> u32 {
        self.0
    }
}

/// The defects of one card; the default has none.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Reads that touch one of these fail with EIO.
    pub read_errors: Vec<Range<u64>>,
    /// Writes that touch one of these fail with EIO.
    pub write_errors: Vec<Range<u64>>,
    /// If set, every write fails with this error.
    pub all_writes: Option<Errno>,
    /// If set, every flush fails with this error.
    pub all_flushes: Option<Errno>,
    /// Once this many bytes were written in total, every further write fails as on a card that protects itself.
    pub read_only_after: Option<u64>,
    /// Bytes that are read wrong: where, and which bits. The medium itself is right, and reads right when this is cleared.
    pub flips_on_read: Vec<(u64, u8)>,
    /// Bytes that are stored wrong: where, and which bits.
    pub flips_on_write: Vec<(u64, u8)>,
    /// Writes there are acknowledged and lost.
    pub stuck: Vec<Range<u64>>,
    /// All writes are acknowledged and lost.
    pub ignores_writes: bool,
    /// The limit of reads and writes together, in bytes a second.
    pub bytes_per_second: Option<u64>,
    /// The additional time of every request.
    pub delay: Duration,
    /// No request is answered until this is cleared.
    ///
    /// A USB device of QEMU's that is silent for longer than the guest's SCSI timeout (30 s), or is removed otherwise
    /// than through its own verb while it is silent, freezes the whole emulated PC.
    pub hang: bool,
    /// The same for flushes alone.
    pub flushes_hang: bool,
    /// Writes live in the card's memory until a flush or a forced write; see [`power_cut`](super::export::Export::power_cut).
    pub volatile_cache: bool,
}

pub(super) fn touches(ranges: &[Range<u64>], offset: u64, length: u64) -> bool {
    ranges.iter().any(|range| range.start < offset.saturating_add(length) && offset < range.end)
}

/// The place of a flip in the data of one request.
pub(super) fn flip(flips: &[(u64, u8)], offset: u64, data: &mut [u8]) {
    for (at, bits) in flips {
        let byte = at.checked_sub(offset).and_then(|index| usize::try_from(index).ok()).and_then(|i| data.get_mut(i));
        if let Some(byte) = byte {
            *byte ^= bits;
        }
    }
}

/// The behaviour of a card with a false capacity at an address that it does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beyond {
    /// Takes the address modulo the real size: the far write lands on a near block.
    #[default]
    Wraps,
    /// Acknowledges writes and loses them; reads zeroes.
    Vanishes,
}
