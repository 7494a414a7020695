//! The faults of a card in memory.

use crate::device::FlushAnswer;

/// A fault of the card.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This fault, at the first call that it can strike, and never again.
    Once(Box<Fault>),
    /// Calls move one block, or half of the requested length.
    ShortCounts,
    /// Every other call is interrupted, by turns with `EINTR` and `EAGAIN`.
    Interruptions,
    /// Writes that touch this byte answer with this error number.
    WriteError { at: u64, errno: i32 },
    /// Reads that touch this byte answer with this error number.
    ReadError { at: u64, errno: i32 },
    /// All reads, writes, zeroings and flushes answer with this error number.
    CallError(i32),
    /// All writes and zeroings answer with this error number, as on a card that became read-only.
    WritesRefused(i32),
    /// Reads or writes that touch this byte answer with this error number, so many times after so many good ones.
    Passing { at: u64, writing: bool, errno: i32, after: u32, times: u32 },
    /// Calls longer than this answer with this error number.
    LongerThan { length: u64, errno: i32 },
    /// Reads of the last block answer with this error number, unless they read it alone.
    LastBlockInLongerRead(i32),
    /// Flushes answer with this error number.
    FlushError(i32),
    /// This byte reads with these bits flipped.
    FlipOnRead { at: u64, bits: u8 },
    /// This byte is stored with these bits flipped.
    FlipOnWrite { at: u64, bits: u8 },
    /// Writes are acknowledged and lost.
    IgnoreWrites,
    /// Writes are acknowledged and read as written, but never reach the medium.
    KeepInCache,
    /// A flush is acknowledged, and everything that was written since the flush before it is lost. Needs [`super::RamDevice::remember`].
    LoseAtFlush,
    /// Writes land this many bytes behind their place; what would land behind the card's end is lost.
    Misplace(u64),
    /// A write also flips these bits of this byte, wherever it lands itself.
    Disturb { at: u64, bits: u8 },
    /// Zeroings are acknowledged and change nothing.
    IgnoreZeroing,
    /// Zeroings answer with this error number.
    ZeroingError(i32),
    /// Addresses wrap at this length, as on a card that lies about its capacity.
    Wrap(u64),
    /// Writes behind this length are dropped, and read as zeroes.
    DropBehind(u64),
    /// Writes that touch this byte are damaged there, from the second one on: the tombstone arrives, the head does not.
    SpoilSecondWrite { at: u64, bits: u8 },
    /// Another program writes this many sectors while this byte is written for the second time.
    WrittenByAnotherAt { at: u64, sectors: u64 },
    /// Flushes answer with this error number after this many good ones.
    FlushErrorAfter { flushes: usize, errno: i32 },
    /// Another medium, which is empty, is in the reader after this many calls.
    SwapAfter(u64),
    /// It is a SCSI device with this answer to a flush command; without this, it is not a SCSI device.
    FlushAnswer(FlushAnswer),
    /// The medium leaves after this many calls; they then answer with this error number.
    LeaveAfter { calls: u64, errno: i32 },
}
