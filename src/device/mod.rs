//! A block device, as the engine needs it. Knows nothing of what is written to it.
//!
//! [`direct::DirectDevice`] is the kernel's, opened `O_DIRECT | O_EXCL`; [`file::FileDevice`] is a file, on which the verifier is tried;
//! `ram::RamDevice` is a fake for tests that keeps the real one's rules. All `unsafe` of the crate lives here, in `aligned`, `ioctl` and
//! `mapped`.

pub mod aligned;
pub(crate) mod background;
mod counts;
pub(crate) mod direct;
pub(crate) mod file;
pub(crate) mod in_place;
mod ioctl;
pub(crate) mod loops;
pub(crate) mod mapped;
pub(crate) mod mode_sense;
mod node;
pub(crate) mod patience;
#[cfg(test)]
pub(crate) mod ram;
mod scsi;

use std::io;
use std::time::Duration;

use nix::sys::stat::{major, minor};

use crate::station::card::DevNum;
use crate::station::units::{Bytes, to_u64, to_usize};
use mapped::Mapping;

/// The bytes of a sector, in which [`BlockDevice::sectors_written`] counts, whatever the device's own block is.
pub(crate) const SECTOR: u64 = 512;

/// A device's number, of the kernel's `dev_t`. Either half fits 32 bits: 12 and 20 are in use.
pub(crate) fn devnum(raw: u64) -> Option<DevNum> {
    Some(DevNum { major: u32::try_from(major(raw)).ok()?, minor: u32::try_from(minor(raw)).ok()? })
}

/// A card, open for as long as the value lives.
///
/// Offsets and lengths of calls are multiples of [`logical_block`](Self::logical_block), and memory comes from [`aligned::AlignedBuf`]; the
/// kernel rejects anything else with `EINVAL`.
pub trait BlockDevice {
    /// Its length at the time it was opened.
    fn length(&self) -> Bytes;

    /// The smallest unit of a read or write.
    fn logical_block(&self) -> u32;

    /// The visit's `DISKSEQ`, as the kernel reports it now.
    ///
    /// # Errors
    /// The error of the kernel; a card that left causes various errors.
    fn diskseq(&self) -> io::Result<u64>;

    /// One write. May take fewer bytes than given.
    ///
    /// # Errors
    /// The error of the kernel, or that the source could not be read.
    fn write_from(&mut self, at: Bytes, source: Source<'_>) -> Result<usize, Shortfall>;

    /// Writes zeroes, by the kernel's own means.
    ///
    /// # Errors
    /// The error of the kernel.
    fn zero(&mut self, at: Bytes, length: Bytes) -> io::Result<()>;

    /// One read from the medium that bypasses every cache of the program and the kernel. May return fewer bytes than asked.
    ///
    /// # Errors
    /// The error of the kernel.
    fn read_at(&mut self, at: Bytes, into: &mut [u8]) -> io::Result<usize>;

    /// Waits until everything written has left the card's own volatile cache: by the kernel's flush, and, if the device has accepted
    /// [`ask_to_flush`](Self::ask_to_flush), also by a command of the station, for which it has `patience`.
    ///
    /// # Errors
    /// The error of the kernel or the device; `ETIMEDOUT` if the device was silent for `patience`.
    fn flush(&mut self, patience: Duration) -> io::Result<()>;

    /// Tells the device itself to empty its cache, whether or not the kernel believes that it has one, and waits at most `patience` for its
    /// answer. Some devices hang, reset or leave the bus, so this is done before anything is written.
    fn ask_to_flush(&mut self, patience: Duration) -> FlushAnswer;

    /// The make of the device that would be asked: vendor, product and revision; `None` if it is not asked.
    fn make(&self) -> Option<String>;

    /// Sectors of 512 bytes that were written to it or discarded since the kernel knows it, by any program and through any of its nodes.
    /// `None` if the kernel does not count them. Our own write is counted as soon as its call has returned.
    fn sectors_written(&self) -> Option<u64>;

    /// After an error: has the medium left, or been replaced by another? May wait a moment, because the kernel often learns of a removal
    /// only after the first failed call.
    fn departed(&self) -> bool;
}

/// The result of telling a device to empty its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushAnswer {
    /// It did so. It is told at every flush from now on.
    Taken,
    /// It does not know the command: it has no cache.
    Refused,
    /// The device did not answer in time.
    Stalled,
    /// It was reset, or gave no meaningful answer, and is still there.
    Lost,
    /// It has left.
    Gone,
    /// It was not asked, because the kernel did not allow it, or it reported a failure: nothing is known of its make.
    Unclear,
    /// It is not a SCSI device; the kernel knows how to flush it.
    NotScsi,
}

/// Where written bytes come from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// Aligned memory of the program.
    Bytes(&'a [u8]),
    /// A range of a mapped file, whose pages the kernel hands to the card.
    Mapped {
        /// The mapped file.
        mapping: &'a Mapping,
        /// The offset of the range.
        at: Bytes,
        /// The length of the range in bytes.
        length: usize,
    },
}

impl Source<'_> {
    /// Length in bytes.
    #[must_use]
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Mapped { length, .. } => *length,
        }
    }

    /// The rest behind the first `done` bytes.
    fn behind(self, done: usize) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(&bytes[done..]),
            Self::Mapped { mapping, at, length } => Self::Mapped { mapping, at: Bytes(at.0 + to_u64(done)), length: length - done },
        }
    }
}

/// Why a call did not move all its bytes.
#[derive(Debug)]
pub enum Shortfall {
    /// The device answered with an error.
    Error(io::Error),
    /// The source of a write could not be read: this is not a fault of the device.
    Source(io::Error),
    /// The kernel moved nothing, or not even one block, and gave no error.
    Stopped,
}

impl From<Shortfall> for io::Error {
    fn from(shortfall: Shortfall) -> Self {
        match shortfall {
            Shortfall::Error(error) | Shortfall::Source(error) => error,
            Shortfall::Stopped => Self::other("the device moves nothing, and gives no error"),
        }
    }
}

/// Writes all of `source`; continues after short counts and interruptions.
///
/// # Errors
/// The offset where it ended, and why.
pub(crate) fn write_all_at(device: &mut impl BlockDevice, at: Bytes, source: Source<'_>) -> Result<(), (Bytes, Shortfall)> {
    let block = device.logical_block();
    whole(at, source.length(), block, |at, from| device.write_from(at, source.behind(from)))
}

/// Fills all of `into`; continues after short counts and interruptions. The device's last block is read alone: some readers cannot return
/// it in a longer request (kernel, `include/scsi/scsi_device.h`, `last_sector_bug`, which is set for USB alone).
///
/// # Errors
/// The offset where it ended, and why.
pub(crate) fn read_exact_at(device: &mut impl BlockDevice, at: Bytes, into: &mut [u8]) -> Result<(), (Bytes, Shortfall)> {
    let block = device.logical_block();
    let reaches_the_end = at.0 + to_u64(into.len()) == device.length().0;
    let alone = if reaches_the_end { to_usize(u64::from(block)).min(into.len()) } else { 0 };
    let (first, last) = into.split_at_mut(into.len() - alone);
    let behind = Bytes(at.0 + to_u64(first.len()));
    whole(at, first.len(), block, |at, from| device.read_at(at, &mut first[from..]).map_err(Shortfall::Error))?;
    whole(behind, last.len(), block, |at, from| device.read_at(at, &mut last[from..]).map_err(Shortfall::Error))
}

/// The most interruptions in a row. Signals are rare, and the kernel does not answer a blocking call with `EAGAIN` to say "later": a call
/// that is interrupted more often would be repeated for ever.
const MOST_INTERRUPTIONS: usize = 1000;

/// Repeats `call` until `length` bytes are moved. Bytes that a short call moved beyond its last whole block are moved again: the next call
/// must begin on a block.
fn whole(
    at: Bytes,
    length: usize,
    block: u32,
    mut call: impl FnMut(Bytes, usize) -> Result<usize, Shortfall>,
) -> Result<(), (Bytes, Shortfall)> {
    let block = to_usize(u64::from(block));
    let (mut done, mut interruptions) = (0, 0);
    while done < length {
        let here = Bytes(at.0 + to_u64(done));
        match call(here, done) {
            Ok(moved) if done + moved >= length => return Ok(()),
            Ok(moved) if moved < block => return Err((here, Shortfall::Stopped)),
            Ok(moved) => (done, interruptions) = (done + moved - moved % block, 0),
            Err(Shortfall::Error(error))
                if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) && interruptions < MOST_INTERRUPTIONS =>
            {
                interruptions += 1;
            }
            Err(shortfall) => return Err((here, shortfall)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::ram::{Fault, RamDevice};
    use super::*;
    use crate::device::aligned::AlignedBuf;
    use crate::station::units::KIB;

    #[test]
    fn short_counts_interruptions_and_eagain_move_every_byte_once_to_its_place() {
        let mut device = RamDevice::new(Bytes(64 * KIB), 512);
        device.inject(Fault::ShortCounts);
        device.inject(Fault::Interruptions);
        let mut data = AlignedBuf::zeroed(16 << 10).expect("there is memory");
        for (index, byte) in data.iter_mut().enumerate() {
            *byte = u8::try_from(index % 251).expect("below 251");
        }
        write_all_at(&mut device, Bytes(8 * KIB), Source::Bytes(&data)).expect("it is only slow");
        let mut back = AlignedBuf::zeroed(16 << 10).expect("there is memory");
        read_exact_at(&mut device, Bytes(8 * KIB), &mut back).expect("it is only slow");
        assert_eq!(&data[..], &back[..], "nothing is shifted");
        assert!(device.contents()[..8 << 10].iter().all(|byte| *byte == 0), "nothing before it changed");
        assert!(device.contents()[24 << 10..].iter().all(|byte| *byte == 0), "nothing behind it changed");
    }

    #[test]
    fn a_device_that_moves_nothing_without_an_error_is_not_asked_for_ever() {
        let answer = whole(Bytes(512), 1024, 512, |_, _| Ok(0));
        assert!(matches!(answer, Err((Bytes(512), Shortfall::Stopped))));
    }

    #[test]
    fn a_device_that_answers_every_call_with_eagain_is_not_asked_for_ever() {
        let mut calls = 0;
        let answer = whole(Bytes(512), 1024, 512, |_, _| {
            calls += 1;
            Err(Shortfall::Error(io::Error::from_raw_os_error(nix::libc::EAGAIN)))
        });
        let Err((Bytes(512), Shortfall::Error(error))) = answer else { panic!("{answer:?}") };
        assert_eq!((error.raw_os_error(), calls), (Some(nix::libc::EAGAIN), MOST_INTERRUPTIONS + 1));
    }

    #[test]
    fn an_error_keeps_its_number_and_its_place() {
        let answer = whole(Bytes(0), 1024, 512, |at, _| {
            if at.0 == 0 { Ok(512) } else { Err(Shortfall::Error(io::Error::from_raw_os_error(nix::libc::EIO))) }
        });
        let Err((Bytes(512), Shortfall::Error(error))) = answer else { panic!("{answer:?}") };
        assert_eq!(error.raw_os_error(), Some(nix::libc::EIO));
    }
}
