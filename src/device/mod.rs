//! A block device, as the engine needs it. Knows nothing of what is written to it.
//!
//! [`direct::DirectDevice`] is the kernel's, opened `O_DIRECT | O_EXCL`; `ram::RamDevice` is a fake for tests that keeps the
//! real one's rules. All `unsafe` of the crate lives here, in `aligned`, `ioctl` and `mapped`.

pub mod aligned;
pub(crate) mod background;
mod counts;
pub(crate) mod direct;
pub(crate) mod in_place;
mod ioctl;
pub(crate) mod loops;
pub(crate) mod mapped;
mod node;
#[cfg(test)]
pub(crate) mod ram;
mod scsi;

use std::io;
use std::time::Duration;

use nix::sys::stat::{major, minor};

use crate::station::card::DevNum;
use crate::station::units::{Bytes, to_u64, to_usize};
use mapped::Mapping;

/// A device's number, of the kernel's `dev_t`. Either half fits 32 bits: 12 and 20 are in use.
pub(crate) fn devnum(raw: u64) -> Option<DevNum> {
    Some(DevNum { major: u32::try_from(major(raw)).ok()?, minor: u32::try_from(minor(raw)).ok()? })
}

/// A card, open for as long as the value lives.
///
/// Offsets and lengths of calls are multiples of [`logical_block`](Self::logical_block), and memory comes from
/// [`aligned::AlignedBuf`]; the kernel answers anything else with `EINVAL`.
pub trait BlockDevice {
    /// Its length when it was opened.
    fn length(&self) -> Bytes;

    /// The smallest unit of a read or write.
    fn logical_block(&self) -> u32;

    /// The visit's `DISKSEQ`, asked of the kernel now.
    ///
    /// # Errors
    /// What the kernel answered; a card that left gives various.
    fn diskseq(&self) -> io::Result<u64>;

    /// One write. May take fewer bytes than given.
    ///
    /// # Errors
    /// What the kernel answered, or that the source could not be read.
    fn write_from(&mut self, at: Bytes, source: Source<'_>) -> Result<usize, Shortfall>;

    /// Writes zeroes, by the kernel's own means.
    ///
    /// # Errors
    /// What the kernel answered.
    fn zero(&mut self, at: Bytes, length: Bytes) -> io::Result<()>;

    /// One read from the medium, past every cache of ours and the kernel's. May return fewer bytes than asked.
    ///
    /// # Errors
    /// What the kernel answered.
    fn read_at(&mut self, at: Bytes, into: &mut [u8]) -> io::Result<usize>;

    /// Waits until everything written has left the card's own volatile cache: by the kernel's means, and, once the device has taken
    /// [`ask_to_flush`](Self::ask_to_flush), also by a command of ours, for which it has `patience`.
    ///
    /// # Errors
    /// What the kernel or the device answered; `ETIMEDOUT` where it was silent for `patience`.
    fn flush(&mut self, patience: Duration) -> io::Result<()>;

    /// Tells the device itself to empty its cache, whatever the kernel believes of it, and waits at most `patience` for its answer. Some
    /// devices hang, reset or leave the bus on it, so this comes before anything is written.
    fn ask_to_flush(&mut self, patience: Duration) -> FlushAnswer;

    /// The make of the device that would be asked: vendor, product and revision. Nothing where it is not asked.
    fn make(&self) -> Option<String>;

    /// Sectors of 512 bytes that were written to it or discarded since the kernel knows it, by whomever and through whichever of its nodes.
    /// Nothing where the kernel does not count them. A write of ours is in the count as soon as its call has returned.
    fn sectors_written(&self) -> Option<u64>;

    /// After an error: has the medium left, or another taken its place? May wait a moment, because the kernel often learns
    /// of a removal only after the first failed call.
    fn departed(&self) -> bool;
}

/// What came of telling a device to empty its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushAnswer {
    /// It did. It is told at every flush from now on.
    Taken,
    /// It does not know the command: it has no cache.
    Refused,
    /// The device did not answer in time.
    Stalled,
    /// It was reset, or answered nothing that means anything, and is still there.
    Lost,
    /// It is not there any more.
    Gone,
    /// It was not asked, because the kernel did not let it, or it answered that it failed: nothing is known of its make.
    Unclear,
    /// It is no SCSI device; the kernel knows how to flush it.
    NotScsi,
}

/// Where written bytes come from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// Aligned memory of ours.
    Bytes(&'a [u8]),
    /// A range of a mapped file, whose pages the kernel hands to the card.
    Mapped {
        /// The mapped file.
        mapping: &'a Mapping,
        /// Where the range begins.
        at: Bytes,
        /// How long it is.
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

    /// What is left behind the first `done` bytes.
    fn behind(self, done: usize) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(&bytes[done..]),
            Self::Mapped { mapping, at, length } => Self::Mapped { mapping, at: Bytes(at.0 + to_u64(done)), length: length - done },
        }
    }
}

/// Why a call that must be whole was not.
#[derive(Debug)]
pub enum Shortfall {
    /// The device answered with an error.
    Error(io::Error),
    /// The source of a write could not be read: not the device's fault.
    Source(io::Error),
    /// The kernel moved nothing, or not even one block, and gave no error.
    Stopped,
}

/// Writes all of `source`, through short counts and interruptions.
///
/// # Errors
/// The place where it ended, and why.
pub(crate) fn write_all_at(device: &mut impl BlockDevice, at: Bytes, source: Source<'_>) -> Result<(), (Bytes, Shortfall)> {
    let block = device.logical_block();
    whole(at, source.length(), block, |at, from| device.write_from(at, source.behind(from)))
}

/// Fills all of `into`, through short counts and interruptions.
///
/// # Errors
/// The place where it ended, and why.
pub(crate) fn read_exact_at(device: &mut impl BlockDevice, at: Bytes, into: &mut [u8]) -> Result<(), (Bytes, Shortfall)> {
    let block = device.logical_block();
    whole(at, into.len(), block, |at, from| device.read_at(at, &mut into[from..]).map_err(Shortfall::Error))
}

/// Repeats `call` until `length` bytes are moved. What a short call moved beyond its last whole block is moved again: the
/// next call must begin on a block.
fn whole(
    at: Bytes,
    length: usize,
    block: u32,
    mut call: impl FnMut(Bytes, usize) -> Result<usize, Shortfall>,
) -> Result<(), (Bytes, Shortfall)> {
    let block = to_usize(u64::from(block));
    let mut done = 0;
    while done < length {
        let here = Bytes(at.0 + to_u64(done));
        match call(here, done) {
            Ok(moved) if done + moved >= length => return Ok(()),
            Ok(moved) if moved < block => return Err((here, Shortfall::Stopped)),
            Ok(moved) => done += moved - moved % block,
            Err(Shortfall::Error(error)) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
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
    fn an_error_keeps_its_number_and_its_place() {
        let answer = whole(Bytes(0), 1024, 512, |at, _| {
            if at.0 == 0 { Ok(512) } else { Err(Shortfall::Error(io::Error::from_raw_os_error(nix::libc::EIO))) }
        });
        let Err((Bytes(512), Shortfall::Error(error))) = answer else { panic!("{answer:?}") };
        assert_eq!(error.raw_os_error(), Some(nix::libc::EIO));
    }
}
