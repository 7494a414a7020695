//! A card in memory for tests. It requires aligned lengths, offsets and addresses as the kernel's device does, and fails at chosen places.

mod fault;

use std::io;
use std::ops::Range;
use std::time::Duration;

use nix::libc;

use super::aligned::{ALIGNMENT, AlignedBuf};
use super::{BlockDevice, FlushAnswer, SECTOR, Shortfall, Source};
use crate::station::units::{Bytes, to_u64, to_usize};
pub(crate) use fault::Fault;

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
    /// Places and old contents of what was written since the last flush, if that is remembered.
    unflushed: Option<Vec<(usize, Vec<u8>)>>,
    /// Writes that are in the card's cache alone, in their order.
    cached: Vec<(u64, Vec<u8>)>,
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
            unflushed: None,
            cached: Vec::new(),
        }
    }

    /// From now on, the old contents of unflushed writes are kept, so that a fault can lose the writes.
    pub(crate) fn remember(&mut self) {
        self.unflushed = Some(Vec::new());
    }

    /// How many calls it has answered.
    pub(crate) fn calls(&self) -> u64 {
        self.calls
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

    /// What `strike` makes of the first fault that it knows. One that strikes once is over then.
    fn struck<T>(&mut self, strike: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let (index, answer) = self.faults.iter().enumerate().find_map(|(index, fault)| match fault {
            Fault::Once(fault) => strike(fault).map(|answer| (Some(index), answer)),
            fault => strike(fault).map(|answer| (None, answer)),
        })?;
        if let Some(index) = index {
            self.faults.remove(index);
        }
        Some(answer)
    }

    fn error_at(&mut self, range: &Range<u64>, writing: bool) -> Option<io::Error> {
        let (calls, length, block) = (self.calls, to_u64(self.medium.len()), u64::from(self.logical_block));
        let longer_read_of_last = !writing && range.end == length && range.end - range.start > block;
        self.struck(|fault| match *fault {
            Fault::WriteError { at, errno } if writing && range.contains(&at) => Some(errno),
            Fault::ReadError { at, errno } if !writing && range.contains(&at) => Some(errno),
            Fault::CallError(errno) => Some(errno),
            Fault::WritesRefused(errno) if writing => Some(errno),
            Fault::LastBlockInLongerRead(errno) if longer_read_of_last => Some(errno),
            Fault::LeaveAfter { calls: after, errno } if calls > after => Some(errno),
            _ => None,
        })
        .map(io::Error::from_raw_os_error)
    }

    /// Is another medium in its place?
    fn swapped(&self) -> bool {
        self.faults.iter().any(|fault| matches!(fault, Fault::SwapAfter(calls) if self.calls > *calls))
    }

    /// A kernel counts what a failed write moved, like any other.
    fn passing_error(&mut self, range: &Range<u64>, writing: bool) -> Option<io::Error> {
        let errno = self.faults.iter_mut().find_map(|fault| match fault {
            Fault::Passing { at, writing: of, errno, after, times } if *of == writing && range.contains(&*at) => {
                let is_due = *after == 0 && *times > 0;
                *after = after.saturating_sub(1);
                *times -= u32::from(is_due);
                is_due.then_some(*errno)
            }
            _ => None,
        })?;
        if writing {
            self.count(range.end - range.start);
        }
        Some(io::Error::from_raw_os_error(errno))
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
        if let Some(error) = self.passing_error(&(at.0..at.0 + moved), writing) {
            return Err(error);
        }
        if let Some(error) = self.error_at(&(at.0..at.0 + moved), writing) {
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
        let flipped = self.struck(|fault| match *fault {
            Fault::FlipOnWrite { at, bits } if range.contains(&at) => Some((at, bits)),
            _ => None,
        });
        let disturbed = self.struck(|fault| if let Fault::Disturb { at, bits } = *fault { Some((at, bits)) } else { None });
        let misplaced = self.struck(|fault| if let Fault::Misplace(by) = fault { Some(*by) } else { None });
        let landed = Bytes(at.0 + misplaced.unwrap_or(0));
        let there = to_u64(self.medium.len()).saturating_sub(landed.0).min(to_u64(moved));
        self.store(landed, &data[..to_usize(there)]);
        for (place, bits) in spoiled.into_iter().chain(flipped).chain(disturbed) {
            self.flip(place, bits);
        }
        Ok(moved)
    }

    /// Flips these bits of a byte where it is now.
    pub(crate) fn flip(&mut self, at: u64, bits: u8) {
        if let Some(place) = self.place(at) {
            self.medium[place] ^= bits;
        }
    }

    fn store(&mut self, at: Bytes, data: &[u8]) {
        if self.swapped() {
            self.strays += 1;
            return;
        }
        if self.faults.iter().any(|fault| matches!(fault, Fault::IgnoreWrites)) {
            return;
        }
        if self.faults.iter().any(|fault| matches!(fault, Fault::KeepInCache)) {
            self.cached.push((at.0, data.to_vec()));
            return;
        }
        if !self.is_false() {
            let place = to_usize(at.0)..to_usize(at.0) + data.len();
            if place.is_empty() {
                return;
            }
            if let Some(unflushed) = &mut self.unflushed {
                unflushed.push((place.start, self.medium[place.clone()].to_vec()));
            }
            self.medium[place].copy_from_slice(data);
            return;
        }
        for (offset, byte) in data.iter().enumerate() {
            if let Some(place) = self.place(at.0 + to_u64(offset)) {
                self.medium[place] = *byte;
            }
        }
    }

    /// Does it hold less than it claims?
    fn is_false(&self) -> bool {
        self.faults.iter().any(|fault| matches!(fault, Fault::Wrap(_) | Fault::DropBehind(_)))
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
        Ok(if self.swapped() { 2 } else { 1 })
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
        if let Some(error) = self.error_at(&(at.0..at.0 + length.0), true) {
            return Err(error);
        }
        if let Some(errno) = self.struck(|fault| if let Fault::ZeroingError(errno) = fault { Some(*errno) } else { None }) {
            return Err(io::Error::from_raw_os_error(errno));
        }
        self.did.push(Did::Zero { at: at.0, length: length.0 });
        // If a device refuses to zero by itself, the attempt is counted, too.
        self.count(2 * length.0);
        if self.struck(|fault| matches!(fault, Fault::IgnoreZeroing).then_some(())).is_none() {
            self.store(at, &vec![0; to_usize(length.0)]);
        }
        Ok(())
    }

    fn read_at(&mut self, at: Bytes, into: &mut [u8]) -> io::Result<usize> {
        let moved = self.begin(at, into.len(), into.as_ptr(), false)?;
        let range = at.0..at.0 + to_u64(moved);
        self.did.push(Did::Read { at: at.0, length: to_u64(moved) });
        let into = &mut into[..moved];
        if self.swapped() {
            into.fill(0);
        } else if self.is_false() {
            for (place, byte) in range.clone().zip(into.iter_mut()) {
                *byte = self.place(place).map_or(0, |place| self.medium[place]);
            }
        } else {
            into.copy_from_slice(&self.medium[to_usize(range.start)..to_usize(range.end)]);
        }
        for (start, data) in &self.cached {
            let both = range.start.max(*start)..range.end.min(start + to_u64(data.len()));
            if both.start < both.end {
                let from = &data[to_usize(both.start - start)..to_usize(both.end - start)];
                into[to_usize(both.start - range.start)..to_usize(both.end - range.start)].copy_from_slice(from);
            }
        }
        if let Some((flipped, bits)) = self.struck(|fault| match *fault {
            Fault::FlipOnRead { at, bits } if range.contains(&at) => Some((at, bits)),
            _ => None,
        }) {
            into[to_usize(flipped - range.start)] ^= bits;
        }
        Ok(moved)
    }

    fn flush(&mut self, _patience: Duration) -> io::Result<()> {
        self.calls += 1;
        let flushed = self.did.iter().filter(|did| **did == Did::Flush).count();
        for fault in &self.faults {
            if let Fault::FlushErrorAfter { flushes, errno } = *fault
                && flushed == flushes
            {
                self.did.push(Did::Flush);
                return Err(io::Error::from_raw_os_error(errno));
            }
        }
        let calls = self.calls;
        if let Some(errno) = self.struck(|fault| match *fault {
            Fault::FlushError(errno) | Fault::CallError(errno) => Some(errno),
            Fault::LeaveAfter { calls: after, errno } if calls > after => Some(errno),
            _ => None,
        }) {
            return Err(io::Error::from_raw_os_error(errno));
        }
        self.did.push(Did::Flush);
        let lost = self.struck(|fault| matches!(fault, Fault::LoseAtFlush).then_some(())).is_some();
        for (place, old) in self.unflushed.iter_mut().flat_map(|unflushed| unflushed.drain(..).rev()) {
            if lost {
                self.medium[place..place + old.len()].copy_from_slice(&old);
            }
        }
        Ok(())
    }

    fn ask_to_flush(&mut self, _patience: Duration) -> FlushAnswer {
        self.calls += 1;
        self.did.push(Did::Ask);
        if self.faults.iter().any(|fault| matches!(fault, Fault::LeaveAfter { calls, .. } if self.calls > *calls)) {
            return FlushAnswer::Gone;
        }
        self.faults
            .iter()
            .find_map(|fault| if let Fault::FlushAnswer(answer) = fault { Some(*answer) } else { None })
            .unwrap_or(FlushAnswer::NotScsi)
    }

    fn make(&self) -> Option<String> {
        self.faults.iter().any(|fault| matches!(fault, Fault::FlushAnswer(_))).then(|| "0011:2233 revision 0100".to_owned())
    }

    fn sectors_written(&self) -> Option<u64> {
        let left = self.faults.iter().any(|fault| matches!(fault, Fault::LeaveAfter { calls, .. } if self.calls > *calls));
        self.sectors.filter(|_| !left && !self.swapped())
    }

    fn departed(&self) -> bool {
        self.faults.iter().any(|fault| match fault {
            Fault::LeaveAfter { calls, .. } | Fault::SwapAfter(calls) => self.calls > *calls,
            Fault::FlushAnswer(FlushAnswer::Gone) => self.did.contains(&Did::Ask),
            _ => false,
        })
    }
}
