//! The claim: the exclusive right to erase one card. Everything behind it needs one.

use std::path::Path;
use std::sync::Arc;

use nix::libc;

use super::error::FlashError;
use super::gauge::Gauge;
use super::tombstone::Tombstone;
use crate::device::aligned::AlignedBuf;
use crate::device::direct::{DirectDevice, OpenError};
use crate::device::{BlockDevice, read_exact_at, write_all_at};
use crate::image::Staged;
use crate::image::map::PIECE;
use crate::station::End;
use crate::station::card::{Card, Visit};
use crate::station::outcome::{Act, Failure, Refusal};
use crate::station::record::AttemptNumber;
use crate::station::units::{Bytes, round_up, to_u64, to_usize};

/// Pieces moved by one call at most: 4 MiB keep every card we know of at its full speed, and are small enough that a cancelled
/// attempt ends soon.
const PIECES_PER_CALL: usize = 4;

/// A card that is ours to erase, and all that is needed to do it.
#[derive(Debug)]
pub struct Claim<D> {
    pub(super) session: Session<D>,
}

/// Where the kernel makes nodes under its own names (devtmpfs).
const DEV: &str = "/dev";

/// Opens the card that was admitted, under its node.
///
/// # Errors
/// A refusal, or that the card has left. Nothing was written.
pub fn open(card: &Card) -> Result<DirectDevice, End> {
    let node = Path::new(DEV).join(&card.kernel_name);
    DirectDevice::open(&node, card.visit).map_err(|error| {
        tracing::debug!(error = &error as &dyn std::error::Error, "claim refused");
        match error {
            OpenError::Open { source, .. } => match source.raw_os_error() {
                Some(libc::EBUSY) => End::Refused(Refusal::Busy),
                Some(libc::EROFS) => End::Refused(Refusal::WriteProtected),
                Some(libc::ENOENT | libc::ENODEV | libc::ENXIO | libc::ENOMEDIUM) => End::Gone,
                errno => End::Refused(Refusal::CannotOpen { errno: errno.unwrap_or(libc::EIO) }),
            },
            OpenError::AnotherCard { .. } => End::Refused(Refusal::AnotherCard),
            OpenError::NoDiskSequence => End::Refused(Refusal::NoDiskSequence),
            OpenError::Locked { .. } => End::Refused(Refusal::Busy),
        }
    })
}

impl<D: BlockDevice> Claim<D> {
    /// Claims an opened card for one attempt with one image.
    ///
    /// # Errors
    /// When the open device cannot hold the image after all, or the kernel has no random numbers. Nothing was written.
    pub fn new(device: D, visit: Visit, image: Arc<Staged>, attempt: AttemptNumber, gauge: Arc<Gauge>) -> Result<Self, End> {
        let (capacity, needs) = (device.length(), image.span());
        let block = device.logical_block();
        let padded = round_up(needs.0, u64::from(block));
        if padded.is_none_or(|padded| padded > capacity.0) {
            return Err(End::Refused(Refusal::TooSmall { capacity, needs }));
        }
        if !PIECE.is_multiple_of(u64::from(block)) {
            return Err(End::Refused(Refusal::SectorSize { card: block, image: image.layout().block.unwrap_or(512) }));
        }
        let tombstone = Tombstone::fresh(attempt).map_err(|error| End::Failed(Failure::Internal { message: error.to_string() }))?;
        let buffer = || AlignedBuf::zeroed(PIECES_PER_CALL * to_usize(PIECE));
        Ok(Self { session: Session { device, visit, image, gauge, tombstone, data: buffer(), expected: buffer() } })
    }
}

/// A claimed card at work: the device, the image, and the two buffers that are a slot's whole share of memory.
#[derive(Debug)]
pub(super) struct Session<D> {
    pub(super) device: D,
    visit: Visit,
    pub(super) image: Arc<Staged>,
    pub(super) gauge: Arc<Gauge>,
    pub(super) tombstone: Tombstone,
    /// What goes to the card or came from it.
    pub(super) data: AlignedBuf,
    /// What it is compared with.
    pub(super) expected: AlignedBuf,
}

/// A run of pieces moved by one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The first piece.
    pub(super) first: usize,
    /// Where it begins.
    pub(super) at: Bytes,
    /// Bytes of the image in it.
    pub(super) length: usize,
    /// The same, rounded up to the card's logical block.
    pub(super) padded: usize,
}

impl<D: BlockDevice> Session<D> {
    pub(super) fn span(&self) -> Bytes {
        self.image.span()
    }

    /// The image's pieces in calls, in order: those of the head, or all others.
    pub(super) fn runs(&self, head: bool) -> Vec<Run> {
        let (map, layout) = (self.image.map(), self.image.layout());
        let mut runs: Vec<Run> = Vec::new();
        let mut pieces_in_last = 0;
        for piece in (0..map.len()).filter(|piece| layout.is_head(*piece) == head) {
            let length = to_usize(map.length(piece).0);
            match runs.last_mut() {
                Some(run) if run.first + pieces_in_last == piece && pieces_in_last < PIECES_PER_CALL => {
                    run.length += length;
                    pieces_in_last += 1;
                }
                _ => {
                    runs.push(Run { first: piece, at: map.start(piece), length, padded: 0 });
                    pieces_in_last = 1;
                }
            }
        }
        let block = self.device.logical_block();
        for run in &mut runs {
            run.padded = run.length.next_multiple_of(to_usize(u64::from(block)));
        }
        runs
    }

    /// Asks the kernel again whether this is still the medium that was admitted.
    pub(super) fn ask_identity(&self) -> Result<(), FlashError> {
        match self.device.diskseq() {
            Ok(diskseq) if diskseq == self.visit.diskseq => Ok(()),
            _ => Err(FlashError::Changed),
        }
    }

    pub(super) fn stop_if_cancelled(&self) -> Result<(), FlashError> {
        if self.gauge.is_cancelled() { Err(FlashError::Cancelled) } else { Ok(()) }
    }

    /// Writes `run` of `self.data`. The card is asked who it is before every call: a reader whose card was swapped takes writes
    /// to the new one through the old descriptor.
    pub(super) fn write(&mut self, run: Run) -> Result<(), FlashError> {
        self.ask_identity()?;
        let (span, gauge) = (self.span(), Arc::clone(&self.gauge));
        gauge
            .time(Act::Writing, run.padded, || write_all_at(&mut self.device, run.at, &self.data[..run.padded]))
            .map_err(|ended| FlashError::of_call(Act::Writing, span, ended))
    }

    /// Puts the tombstone into the head and flushes it.
    pub(super) fn write_tombstone(&mut self) -> Result<(), FlashError> {
        for run in self.runs(true) {
            self.tombstone.fill(run.at, &mut self.data[..run.padded]);
            self.write(run)?;
        }
        self.flush()
    }

    /// Reads `run` into `self.data`.
    pub(super) fn read(&mut self, run: Run) -> Result<(), FlashError> {
        let (span, gauge) = (self.span(), Arc::clone(&self.gauge));
        gauge
            .time(Act::Reading, run.padded, || read_exact_at(&mut self.device, run.at, &mut self.data[..run.padded]))
            .map_err(|ended| FlashError::of_call(Act::Reading, span, ended))
    }

    pub(super) fn flush(&mut self) -> Result<(), FlashError> {
        let (span, gauge) = (self.span(), Arc::clone(&self.gauge));
        gauge.time(Act::Flushing, 0, || self.device.flush()).map_err(|source| FlashError::Io { act: Act::Flushing, at: span, span, source })
    }

    /// The image's bytes of `run` into `self.data`, zeroes behind its end.
    pub(super) fn load_image(&mut self, run: Run) -> Result<(), FlashError> {
        self.image
            .read_padded(run.at, &mut self.data[..run.padded])
            .map_err(|source| FlashError::StationImage { at: run.at, source: Some(source) })
    }

    /// Bytes of all `runs`, as progress counts them.
    pub(super) fn bytes(runs: &[Run]) -> Bytes {
        Bytes(runs.iter().map(|run| to_u64(run.length)).sum())
    }
}
