//! A device with one planted fault: the medium that the verifier is tried on. All other reads and writes go to the file as they are.
//!
//! A fault is laid onto the medium itself, right after the write that it concerns, so that every later read returns what the medium holds.

use std::io;
use std::time::Duration;

use crate::device::aligned::AlignedBuf;
use crate::device::file::FileDevice;
use crate::device::{BlockDevice, FlushAnswer, Shortfall, Source, read_exact_at, write_all_at};
use crate::station::prover::PlantedFault;
use crate::station::units::{Bytes, to_u64, to_usize};

/// The unit by which the contents of a write are shifted: a card's own, whatever its logical block.
pub(super) const SECTOR: u64 = 512;

/// A planted fault, with its place. Blocks are logical blocks of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plant {
    /// This bit is flipped by the `nth` write to its byte, counted from 1.
    FlippedBit { at: u64, bit: u8, nth: u32 },
    /// The `nth` write to this block is acknowledged, and the block keeps its contents.
    IgnoredWrite { block: u64, nth: u32 },
    /// This block keeps its contents whenever a range with it is zeroed.
    IgnoredZeroing { block: u64 },
    /// From this byte on, the first write to it lays down its contents one sector further.
    ShiftedSector { from: u64 },
    /// This block is another name of the block `to`, in every single read and write of it.
    AliasedBlock { block: u64, to: u64 },
    /// What is written to this block is written to the block `to` as well.
    DoubledWrite { block: u64, to: u64 },
    /// The `nth` call that writes to this block is read back until the next flush, which loses all of it.
    StaleCache { block: u64, nth: u32 },
}

impl Plant {
    /// The kind of the fault, for people, and its place.
    pub(super) fn fault(self) -> (PlantedFault, Bytes) {
        match self {
            Self::FlippedBit { at, .. } => (PlantedFault::FlippedBit, Bytes(at)),
            Self::IgnoredWrite { block, .. } | Self::IgnoredZeroing { block } => (PlantedFault::IgnoredWrite, Bytes(block)),
            Self::ShiftedSector { from } => (PlantedFault::ShiftedSector, Bytes(from)),
            Self::AliasedBlock { block, .. } | Self::DoubledWrite { block, .. } => (PlantedFault::AliasedWrite, Bytes(block)),
            Self::StaleCache { block, .. } => (PlantedFault::StaleCache, Bytes(block)),
        }
    }

    /// The byte by which the writes that the fault concerns are known.
    fn place(self) -> u64 {
        self.fault().1.0
    }
}

/// The file, with a fault or without one.
#[derive(Debug)]
pub(super) struct PlantedDevice<'c> {
    card: &'c mut FileDevice,
    plant: Option<Plant>,
    /// How many writes touched the place of the fault.
    writes: u32,
    /// What the medium really holds in the place of a write that only a cache has.
    beneath: Option<(Bytes, AlignedBuf)>,
}

impl<'c> PlantedDevice<'c> {
    pub(super) fn new(card: &'c mut FileDevice, plant: Option<Plant>) -> Self {
        Self { card, plant, writes: 0, beneath: None }
    }

    fn block(&self) -> u64 {
        u64::from(self.card.logical_block())
    }

    /// What the medium holds there.
    fn contents(&mut self, at: u64, length: u64) -> io::Result<AlignedBuf> {
        let mut contents = AlignedBuf::zeroed(to_usize(length))?;
        read_exact_at(self.card, Bytes(at), &mut contents).map_err(|(_, shortfall)| io::Error::from(shortfall))?;
        Ok(contents)
    }

    fn lay(&mut self, at: u64, contents: &[u8]) -> io::Result<()> {
        write_all_at(self.card, Bytes(at), Source::Bytes(contents)).map_err(|(_, shortfall)| shortfall.into())
    }

    /// The real place of a read or write of `length` bytes at `at`.
    fn real(&self, at: Bytes, length: usize) -> Bytes {
        match self.plant {
            Some(Plant::AliasedBlock { block, to }) if at.0 == block && to_u64(length) == self.block() => Bytes(to),
            _ => at,
        }
    }

    /// Before the `nth` write to the place of the fault: what the medium holds there, for a fault that keeps it. `range` is the write's.
    fn keep(&mut self, nth: u32, range: &std::ops::Range<u64>) -> io::Result<Option<(u64, AlignedBuf)>> {
        let kept = match self.plant {
            Some(Plant::IgnoredWrite { block, nth: wanted }) if nth == wanted => block..block + self.block(),
            Some(Plant::StaleCache { nth: wanted, .. }) if nth == wanted => range.clone(),
            _ => return Ok(None),
        };
        Ok(Some((kept.start, self.contents(kept.start, kept.end - kept.start)?)))
    }

    /// After that write, of which the bytes up to `end` are on the medium: the fault happens.
    fn spoil(&mut self, nth: u32, end: u64, kept: Option<(u64, AlignedBuf)>) -> io::Result<()> {
        let block = self.block();
        match (self.plant, kept) {
            (Some(Plant::FlippedBit { at, bit, nth: wanted }), _) if nth == wanted => {
                let start = at / block * block;
                let mut contents = self.contents(start, block)?;
                contents[to_usize(at - start)] ^= bit;
                self.lay(start, &contents)
            }
            (Some(Plant::IgnoredWrite { .. }), Some((start, contents))) => self.lay(start, &contents),
            (Some(Plant::StaleCache { .. }), Some((start, contents))) => {
                self.beneath = Some((Bytes(start), contents));
                Ok(())
            }
            (Some(Plant::ShiftedSector { from }), _) if nth == 1 => {
                let start = from - block;
                let mut contents = self.contents(start, end - start)?;
                let moved = to_usize(block)..contents.len();
                contents.copy_within(moved.start - to_usize(SECTOR)..moved.end - to_usize(SECTOR), moved.start);
                self.lay(start, &contents)
            }
            (Some(Plant::DoubledWrite { block: from, to }), _) => {
                let contents = self.contents(from, block)?;
                self.lay(to, &contents)
            }
            _ => Ok(()),
        }
    }
}

impl BlockDevice for PlantedDevice<'_> {
    fn length(&self) -> Bytes {
        self.card.length()
    }

    fn logical_block(&self) -> u32 {
        self.card.logical_block()
    }

    fn diskseq(&self) -> io::Result<u64> {
        self.card.diskseq()
    }

    fn write_from(&mut self, at: Bytes, source: Source<'_>) -> Result<usize, Shortfall> {
        let range = at.0..at.0 + to_u64(source.length());
        let touches = self.plant.is_some_and(|plant| range.contains(&plant.place()));
        if !touches {
            return self.card.write_from(at, source);
        }
        self.writes += 1;
        let nth = self.writes;
        let kept = self.keep(nth, &range).map_err(Shortfall::Error)?;
        let moved = self.card.write_from(self.real(at, source.length()), source)?;
        self.spoil(nth, at.0 + to_u64(moved), kept).map_err(Shortfall::Error)?;
        Ok(moved)
    }

    fn zero(&mut self, at: Bytes, length: Bytes) -> io::Result<()> {
        let kept = match self.plant {
            Some(Plant::IgnoredZeroing { block }) if (at.0..at.0 + length.0).contains(&block) => {
                Some((block, self.contents(block, self.block())?))
            }
            _ => None,
        };
        self.card.zero(at, length)?;
        kept.map_or(Ok(()), |(block, contents)| self.lay(block, &contents))
    }

    fn read_at(&mut self, at: Bytes, into: &mut [u8]) -> io::Result<usize> {
        self.card.read_at(self.real(at, into.len()), into)
    }

    fn flush(&mut self, patience: Duration) -> io::Result<()> {
        if let Some((at, contents)) = self.beneath.take() {
            self.lay(at.0, &contents)?;
        }
        self.card.flush(patience)
    }

    fn ask_to_flush(&mut self, patience: Duration) -> FlushAnswer {
        self.card.ask_to_flush(patience)
    }

    fn make(&self) -> Option<String> {
        self.card.make()
    }

    fn sectors_written(&self) -> Option<u64> {
        self.card.sectors_written()
    }

    fn departed(&self) -> bool {
        self.card.departed()
    }
}
