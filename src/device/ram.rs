//! A card in memory for tests. It requires aligned lengths, offsets and addresses as the kernel's device does, and fails at chosen places.

use std::io;
use std::time::Duration;

use nix::libc;

use super::aligned::{ALIGNMENT, AlignedBuf};
use super::{BlockDevice, FlushAnswer, Shortfall, Source};
use crate::station::units::{Bytes, to_u64, to_usize};

/// The unit in which a kernel counts.
const SECTOR: u64 = 512;

/// A fault of the card.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Calls move one block, or half of the requested length.
    ShortCounts,
    /// Every other call is interrupted, by turns with `EINTR` and `EAGAIN`.
    Interruptions,
    /// Writes that touch this byte answer with this error number.
    WriteError { at: u64, errno: i32 },
    /// Reads that touch this byte answer with this error number.
    ReadError { at: u64, errno: i32 },
    /// Calls longer than this answer with this error number.
    LongerThan { length: u64, errno: i32 },
    /// Flushes answer with this error number.
    FlushError(i32),
    /// This byte reads with these bits flipped.
    FlipOnRead { at: u64, bits: u8 },
    /// Writes are acknowledged and lost.
    IgnoreWrites,
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
    /// Another medium is in the reader after this many calls.
    SwapAfter(u64),
    /// It is a SCSI device with this answer to a flush command; without this, it is not a SCSI device.
    FlushAnswer(FlushAnswer),
    /// The medium leaves after this many calls; they then answer with this error number.
    LeaveAfter { calls: u64, errno: i32 },
}

/// One call that reached the device, for tests of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    Write { at: u64, length: u64 },
    Read { at: u64, length: u64 },
    Zero { at: u64, length: u64 },
    Flush,
    Ask,
}

/// A card in memory, with the rules of a real device.
#[derive(Debug)]
pub(crate) struct RamDevice {
    medium: Vec<u8>,
    logical_block: u32,
    faults: Vec<Fault>,
    calls: u64,
    pub(crate) did: Vec<Did>,
    /// Calls whose memory did not begin on a page: the block layer accepts them, a USB 3 host without free scatter-gather does not.
    pub(crate) off_page: usize,
    /// Writes to a medium that replaced the first one.
    strays: usize,
    /// Sectors written, as a kernel counts them.
    sectors: Option<u64>,
}

impl RamDevice {
    /// A card of zeroes with `DISKSEQ` 1.
    pub(crate) fn new(length: Bytes, logical_block: u32) -> Self {
        Self {
            medium: vec![0; to_usize(length.0)],
            logical_block,
            faults: Vec::new(),
            calls: 0,
            did: Vec::new(),
            off_page: 0,
            strays: 0,
            sectors: Some(0),
        }
    }

    /// Another program writes this many sectors to it.
    pub(crate) fn written_by_another(&mut self, sectors: u64) {
        self.count(sectors * SECTOR);
    }

    /// The kernel does not count its sectors.
    pub(crate) fn uncounted(&mut self) {
        self.sectors = None;
    }

    fn count(&mut self, bytes: u64) {
        self.sectors = self.sectors.map(|sectors| sectors + bytes / SECTOR);
    }

    /// Adds this fault from now on.
    pub(crate) fn inject(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Removes all faults.
    pub(crate) fn heal(&mut self) {
        self.faults.clear();
    }

    /// The contents of the medium, without any fault.
    pub(crate) fn contents(&self) -> &[u8] {
        &self.medium
    }

    /// The contents of the medium, to stamp it before a test.
    pub(crate) fn contents_mut(&mut self) -> &mut [u8] {
        &mut self.medium
    }

    /// How many writes went to a medium other than the first.
    pub(crate) fn written_after_swap(&self) -> usize {
        self.strays
    }

    fn error_at(&self, range: std::ops::Range<u64>, writing: bool) -> Option<io::Error> {
        self.faults
            .iter()
            .find_map(|fault| match *fault {
                Fault::WriteError { at, errno } if writing && range.contains(&at) => Some(errno),
                Fault::ReadError { at, errno } if !writing && range.contains(&at) => Some(errno),
                Fault::LeaveAfter { calls, errno } if self.calls > calls => Some(errno),
                _ => None,
            })
            .map(io::Error::from_raw_os_error)
    }

    /// The rules for every call; returns how many bytes it may move.
    fn begin(&mut self, at: Bytes, length: usize, address: *const u8, writing: bool) -> io::Result<usize> {
        self.calls += 1;
        let block = u64::from(self.logical_block);
        let aligned = address.align_offset(ALIGNMENT.min(512)) == 0;
        self.off_page += usize::from(address.align_offset(ALIGNMENT) != 0);
        if !at.0.is_multiple_of(block) || !to_u64(length).is_multiple_of(block) || !aligned {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let end = to_u64(self.medium.len());
        if writing && at.0 >= end && length > 0 {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        if self.faults.iter().any(|fault| matches!(fault, Fault::Interruptions)) {
            match self.calls % 4 {
                1 => return Err(io::Error::from_raw_os_error(libc::EINTR)),
                3 => return Err(io::Error::from_raw_os_error(libc::EAGAIN)),
                _ => {}
            }
        }
        let mut moved = to_u64(length).min(end.saturating_sub(at.0));
        if self.faults.iter().any(|fault| matches!(fault, Fault::ShortCounts)) && moved > block {
            moved = (moved / 2).next_multiple_of(block);
        }
        if let Some(error) = self.error_at(at.0..at.0 + moved, writing) {
            return Err(error);
        }
        let too_long = self.faults.iter().find_map(|fault| match *fault {
            Fault::LongerThan { length: most, errno } if to_u64(length) > most => Some(errno),
            _ => None,
        });
        if let Some(errno) = too_long {
            return Err(io::Error::from_raw_os_error(errno));
        }
        Ok(to_usize(moved))
    }

    fn write(&mut self, at: Bytes, data: &[u8]) -> io::Result<usize> {
        let moved = self.begin(at, data.len(), data.as_ptr(), true)?;
        if self.departed() {
            self.strays += 1;
        }
        let range = at.0..at.0 + to_u64(moved);
        let before =
            |place: u64| self.did.iter().any(|did| matches!(did, Did::Write { at, length } if (*at..at + length).contains(&place)));
        let spoiled = self.faults.iter().find_map(|fault| match *fault {
            Fault::SpoilSecondWrite { at, bits } if range.contains(&at) && before(at) => Some((at, bits)),
            _ => None,
        });
        let foreign = self.faults.iter().find_map(|fault| match *fault {
            Fault::WrittenByAnotherAt { at, sectors } if range.contains(&at) && before(at) => Some(sectors),
            _ => None,
        });
        self.did.push(Did::Write { at: at.0, length: to_u64(moved) });
        self.count(to_u64(moved) + foreign.unwrap_or(0) * SECTOR);
        self.store(at, &data[..moved]);
        if let Some((spoiled, bits)) = spoiled
            && let Some(place) = self.place(spoiled)
        {
            self.medium[place] ^= bits;
        }
        Ok(moved)
    }

    fn store(&mut self, at: Bytes, data: &[u8]) {
        if self.faults.iter().any(|fault| matches!(fault, Fault::IgnoreWrites)) {
            return;
        }
        for (offset, byte) in data.iter().enumerate() {
            if let Some(place) = self.place(at.0 + to_u64(offset)) {
                self.medium[place] = *byte;
            }
        }
    }

    /// The real place of a byte; `None` behind the real end of a card that drops what it cannot hold.
    fn place(&self, at: u64) -> Option<usize> {
        let mut place = Some(at);
        for fault in &self.faults {
            match *fault {
                Fault::Wrap(length) => place = Some(at % length),
                Fault::DropBehind(length) if at >= length => place = None,
                _ => {}
            }
        }
        place.map(to_usize)
    }
}

impl BlockDevice for RamDevice {
    fn length(&self) -> Bytes {
        Bytes(to_u64(self.medium.len()))
    }

    fn logical_block(&self) -> u32 {
        self.logical_block
    }

    fn diskseq(&self) -> io::Result<u64> {
        let swapped = self.faults.iter().any(|fault| matches!(fault, Fault::SwapAfter(calls) if self.calls > *calls));
        Ok(if swapped { 2 } else { 1 })
    }

    fn write_from(&mut self, at: Bytes, source: Source<'_>) -> Result<usize, Shortfall> {
        match source {
            Source::Bytes(data) => self.write(at, data).map_err(Shortfall::Error),
            Source::Mapped { mapping, at: from, length } => {
                self.off_page += usize::from(!from.0.is_multiple_of(to_u64(ALIGNMENT)));
                let mut data = AlignedBuf::zeroed(length).map_err(Shortfall::Source)?;
                mapping.read_at(from, &mut data).map_err(Shortfall::Source)?;
                self.write(at, &data).map_err(Shortfall::Error)
            }
        }
    }

    fn zero(&mut self, at: Bytes, length: Bytes) -> io::Result<()> {
        self.calls += 1;
        if let Some(error) = self.error_at(at.0..at.0 + length.0, true) {
            return Err(error);
        }
        self.did.push(Did::Zero { at: at.0, length: length.0 });
        // If a device refuses to zero by itself, the attempt is counted, too.
        self.count(2 * length.0);
        self.store(at, &vec![0; to_usize(length.0)]);
        Ok(())
    }

    fn read_at(&mut self, at: Bytes, into: &mut [u8]) -> io::Result<usize> {
        let moved = self.begin(at, into.len(), into.as_ptr(), false)?;
        self.did.push(Did::Read { at: at.0, length: to_u64(moved) });
        for (offset, byte) in into[..moved].iter_mut().enumerate() {
            *byte = self.place(at.0 + to_u64(offset)).map_or(0, |place| self.medium[place]);
        }
        for fault in &self.faults {
            if let Fault::FlipOnRead { at: flipped, bits } = *fault
                && (at.0..at.0 + to_u64(moved)).contains(&flipped)
            {
                into[to_usize(flipped - at.0)] ^= bits;
            }
        }
        Ok(moved)
    }

    fn flush(&mut self, _patience: Duration) -> io::Result<()> {
        self.calls += 1;
        let flushed = self.did.iter().filter(|did| **did == Did::Flush).count();
        for fault in &self.faults {
            match *fault {
                Fault::FlushError(errno) => return Err(io::Error::from_raw_os_error(errno)),
                Fault::FlushErrorAfter { flushes, errno } if flushed == flushes => {
                    self.did.push(Did::Flush);
                    return Err(io::Error::from_raw_os_error(errno));
                }
                _ => {}
            }
        }
        self.did.push(Did::Flush);
        Ok(())
    }

    fn ask_to_flush(&mut self, _patience: Duration) -> FlushAnswer {
        self.calls += 1;
        self.did.push(Did::Ask);
        self.faults
            .iter()
            .find_map(|fault| if let Fault::FlushAnswer(answer) = fault { Some(*answer) } else { None })
            .unwrap_or(FlushAnswer::NotScsi)
    }

    fn make(&self) -> Option<String> {
        self.faults.iter().any(|fault| matches!(fault, Fault::FlushAnswer(_))).then(|| "0011:2233 revision 0100".to_owned())
    }

    fn sectors_written(&self) -> Option<u64> {
        self.sectors
    }

    fn departed(&self) -> bool {
        self.faults.iter().any(|fault| match fault {
            Fault::LeaveAfter { calls, .. } | Fault::SwapAfter(calls) => self.calls > *calls,
            Fault::FlushAnswer(FlushAnswer::Gone) => self.did.contains(&Did::Ask),
            _ => false,
        })
    }
}
