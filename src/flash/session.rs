//! A claimed card at work: the places of the image's parts, and single reads and writes. Each call is measured, and each goes to the
//! admitted card.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::calls::{identify, read, write};
use super::error::FlashError;
use super::gauge::{Call, Gauge, Waits};
use super::kept::Kept;
use super::retry::repeated;
use super::rules::Rules;
use super::tombstone::Tombstone;
use crate::device::aligned::{ALIGNMENT, AlignedBuf};
use crate::device::{BlockDevice, SECTOR, Source};
use crate::image::Staged;
use crate::image::map::PIECE;
use crate::station::armed::Zeroes;
use crate::station::card::Visit;
use crate::station::outcome::{Act, CardHead};
use crate::station::units::{Bytes, MIB, to_u64, to_usize};

/// The most pieces that one call moves: 4 MiB keep every known card at its full speed, and are small enough that a cancelled attempt ends
/// soon.
const PIECES_PER_CALL: usize = 4;
/// Bytes of one read or write.
const CALL: u64 = 4 * MIB;
/// The most that the kernel zeroes in one call, which cannot be interrupted, so that a cancelled attempt ends soon.
const ZEROED_PER_CALL: u64 = 64 * MIB;
/// A card's last MiB, where a backup partition table stands.
const FAR_END: u64 = MIB;
/// After a card answers with errors, this is the limit of time for putting its tombstone back: each call may take the kernel's 30 seconds.
const RESTORE_PATIENCE: Duration = Duration::from_secs(20);

/// The device, the image, and the two buffers that are a slot's whole share of memory: one being read, one being hashed.
#[derive(Debug)]
pub(super) struct Session<D> {
    pub(super) device: D,
    visit: Visit,
    pub(super) image: Arc<Staged>,
    pub(super) gauge: Arc<Gauge>,
    pub(super) tombstone: Tombstone,
    pub(super) rules: Rules,
    /// How the image's zeroes are handled.
    pub(super) zeroes: Zeroes,
    pub(super) data: AlignedBuf,
    pub(super) other: AlignedBuf,
    /// The count of the kernel if no other program writes to the card; `None` if it does not count.
    writes: Option<u64>,
}

/// A run of pieces moved by one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Index of the first piece.
    pub(super) first: usize,
    /// First byte of the run.
    pub(super) at: Bytes,
    /// Bytes of the image in it.
    pub(super) length: usize,
    /// The same, rounded up to the card's logical block.
    pub(super) padded: usize,
}

/// Bytes of all `runs`, as progress counts them.
pub(super) fn bytes_of(runs: &[Run]) -> Bytes {
    Bytes(runs.iter().map(|run| to_u64(run.length)).sum())
}

impl<D: BlockDevice> Session<D> {
    pub(super) fn new(
        device: D,
        visit: Visit,
        image: Arc<Staged>,
        gauge: Arc<Gauge>,
        tombstone: Tombstone,
        zeroes: Zeroes,
        rules: Rules,
    ) -> io::Result<Self> {
        gauge.measure_along(image.span());
        let buffer = || AlignedBuf::zeroed(PIECES_PER_CALL * to_usize(PIECE));
        Ok(Self { device, visit, image, gauge, tombstone, rules, zeroes, data: buffer()?, other: buffer()?, writes: None })
    }

    /// From now on, reads are the proof: every later write by another program spoils it.
    pub(super) fn count_writes(&mut self) {
        self.writes = self.device.sectors_written();
    }

    /// The card, with the kernel's count if only this session has written since [`Self::count_writes`].
    pub(super) fn into_kept(self) -> Kept<D> {
        self.gauge.proven(self.writes);
        Kept::new(self.device, self.writes)
    }

    fn count_own(&mut self, length: usize) {
        self.writes = self.writes.map(|sectors| sectors + to_u64(length) / SECTOR);
    }

    pub(super) fn span(&self) -> Bytes {
        self.image.span()
    }

    fn block(&self) -> u64 {
        u64::from(self.device.logical_block())
    }

    /// The image's length, rounded up to the card's logical block: the span that must be proven.
    pub(super) fn padded_span(&self) -> u64 {
        self.span().0.next_multiple_of(self.block())
    }

    /// The image's pieces in calls, in order: those of the head, or all others.
    pub(super) fn runs(&self, head: bool) -> Vec<Run> {
        self.runs_of(|piece| self.image.layout().is_head(piece) == head)
    }

    /// The parts of the body that are read back: all of it, or, if the image's zeroes are skipped, the pieces that contain data.
    pub(super) fn proven_runs(&self) -> Vec<Run> {
        let (map, extents) = (self.image.map(), self.image.extents());
        let has_data = |piece| {
            let start = map.start(piece).0;
            !extents.data_in(&(start..start + map.length(piece).0)).is_empty()
        };
        self.runs_of(|piece| !self.image.layout().is_head(piece) && (self.zeroes != Zeroes::Skip || has_data(piece)))
    }

    fn runs_of(&self, wanted: impl Fn(usize) -> bool) -> Vec<Run> {
        let map = self.image.map();
        let mut runs: Vec<Run> = Vec::new();
        let mut pieces_in_last = 0;
        for piece in (0..map.len()).filter(|piece| wanted(*piece)) {
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
        for run in &mut runs {
            run.padded = run.length.next_multiple_of(to_usize(self.block()));
        }
        runs
    }

    /// Everything except the head, as ranges of the image.
    fn body(&self) -> Vec<Range<u64>> {
        let mut body: Vec<Range<u64>> = Vec::new();
        for run in self.runs(false) {
            let end = run.at.0 + to_u64(run.length);
            match body.last_mut() {
                Some(last) if last.end == run.at.0 => last.end = end,
                _ => body.push(run.at.0..end),
            }
        }
        body
    }

    /// Bytes of the image that are proven if its zeroes are skipped: its data, and the head, which is written and read completely.
    pub(super) fn mapped(&self) -> Bytes {
        let data = self.body().into_iter().flat_map(|range| self.image.extents().data_in(&range));
        Bytes(bytes_of(&self.runs(true)).0 + data.map(|range| range.end - range.start).sum::<u64>())
    }

    /// The body's data, in calls.
    pub(super) fn data_calls(&self) -> Vec<Range<u64>> {
        let data = self.body().into_iter().flat_map(|range| self.image.extents().data_in(&range));
        data.flat_map(|range| slices(range, CALL)).collect()
    }

    /// The body's zeroes, whole blocks. The block in which the image ends is written with its data, or is zero to its end.
    pub(super) fn zero_ranges(&self) -> Vec<Range<u64>> {
        let block = self.block();
        let whole = |range: Range<u64>| range.start.next_multiple_of(block)..range.end.next_multiple_of(block);
        let zeroes = self.body().into_iter().flat_map(|range| self.image.extents().zeroes_in(&range));
        zeroes.map(whole).filter(|range| range.start < range.end).collect()
    }

    /// The part of the card's last MiB that lies behind the image.
    pub(super) fn far_end(&self) -> Range<u64> {
        let end = self.device.length().0 / self.block() * self.block();
        let start = end.saturating_sub(FAR_END).next_multiple_of(self.block());
        start.max(self.padded_span()).min(end)..end
    }

    /// Asks the kernel again whether this is still the admitted medium.
    pub(super) fn ask_identity(&self) -> Result<(), FlashError> {
        identify(&self.device, self.visit)
    }

    pub(super) fn stop_if_cancelled(&self) -> Result<(), FlashError> {
        if self.gauge.is_cancelled() { Err(FlashError::Cancelled) } else { Ok(()) }
    }

    /// Writes the first `length` bytes of `self.data`. The card is identified before every write: a reader whose card was swapped accepts
    /// writes to the new one through the old descriptor.
    pub(super) fn write(&mut self, at: Bytes, length: usize) -> Result<(), FlashError> {
        let Self { device, visit, image, gauge, rules, data, .. } = self;
        let repeats = write(device, *visit, (gauge, rules), image.span(), at, Source::Bytes(&data[..length]))?;
        self.note_written(length, repeats);
        Ok(())
    }

    /// The session wrote so many bytes, after so many failed calls, of which only the kernel knows how much they moved.
    fn note_written(&mut self, length: usize, repeats: u32) {
        if repeats == 0 {
            self.count_own(length);
        } else {
            // Not what another program wrote meanwhile.
            let most = (u64::from(repeats) + 1) * (to_u64(length) / SECTOR);
            self.writes = self.writes.zip(self.device.sectors_written()).map(|(own, now)| now.min(own + most));
        }
    }

    /// Writes a range of the image of at most one call, straight from the page cache; its last, partial block padded with zeroes.
    ///
    /// A range that does not begin on a page goes through a buffer that does: a USB host without free scatter-gather takes only segments
    /// that are whole packets (kernel, `include/linux/usb.h`, `no_sg_constraint`), and a packet of USB 3 is 1024 bytes.
    pub(super) fn write_image(&mut self, range: &Range<u64>) -> Result<(), FlashError> {
        let block = self.block();
        if !range.start.is_multiple_of(to_u64(ALIGNMENT)) {
            return self.write_buffered(Bytes(range.start), to_usize((range.end - range.start).next_multiple_of(block)));
        }
        let whole = range.end / block * block;
        if range.start < whole {
            self.ask_identity()?;
            let (gauge, at, length) = (Arc::clone(&self.gauge), Bytes(range.start), to_usize(whole - range.start));
            // Separate from the card's own call: an unreadable image is not a fault of the card, and not part of its speed.
            gauge
                .waiting(Waits::Image, || self.image.mapping().populate(at, length))
                .map_err(|source| FlashError::StationImage { at, source: Some(source) })?;
            let Self { device, visit, image, rules, .. } = self;
            let source = Source::Mapped { mapping: image.mapping(), at, length };
            let repeats = write(device, *visit, (&gauge, rules), image.span(), at, source)?;
            self.note_written(length, repeats);
        }
        if whole < range.end {
            self.write_buffered(Bytes(whole.max(range.start)), to_usize(block))?;
        }
        Ok(())
    }

    /// Writes a part of the image by way of `self.data`.
    fn write_buffered(&mut self, at: Bytes, length: usize) -> Result<(), FlashError> {
        let (image, gauge) = (Arc::clone(&self.image), Arc::clone(&self.gauge));
        gauge
            .waiting(Waits::Image, || image.read_padded(at, &mut self.data[..length]))
            .map_err(|source| FlashError::StationImage { at, source: Some(source) })?;
        self.write(at, length)
    }

    /// Makes the kernel zero a range of whole blocks.
    pub(super) fn zero(&mut self, range: Range<u64>) -> Result<(), FlashError> {
        for slice in slices(range, ZEROED_PER_CALL) {
            self.stop_if_cancelled()?;
            let (span, at, length) = (self.span(), Bytes(slice.start), slice.end - slice.start);
            let Self { device, visit, gauge, rules, .. } = self;
            repeated(device, gauge, rules.retries, |device| {
                identify(device, *visit)?;
                let call = Call { act: Act::Writing, at, length: to_usize(length), moves: false };
                let failed = |source| FlashError::Io { act: Act::Writing, at, span, source };
                gauge.time(call, || device.zero(at, Bytes(length))).map_err(failed)
            })?;
        }
        // The kernel's own count is used: if a device refuses to zero by itself, the attempt is counted, too.
        if self.writes.is_some() {
            self.count_writes();
        }
        Ok(())
    }

    /// Puts the tombstone into the head and into the card's last block, and flushes it. The last block may contain the backup header of an
    /// older partition table, which would outlive the table itself (UEFI specification 2.10, 5.3.2).
    pub(super) fn write_tombstone(&mut self) -> Result<(), FlashError> {
        self.gauge.set_head(CardHead::Unknown);
        self.gauge.set_tombstone(self.tombstone.nonce());
        for run in self.runs(true) {
            self.fill_tombstone(run)?;
        }
        let block = self.block();
        if let Some(last) = (self.device.length().0 / block).checked_sub(1).map(|index| index * block)
            && !(last < self.padded_span() && self.image.layout().is_head(to_usize(last / PIECE)))
        {
            self.tombstone.fill(Bytes(last), &mut self.data[..to_usize(block)]);
            self.write(Bytes(last), to_usize(block))?;
        }
        self.flush()
    }

    /// Reads the first block, which may have the tombstone of an attempt in another slot. A block that cannot be read is not an error: the card
    /// is then not recognised.
    pub(super) fn look_for_tombstone(&mut self) {
        let block = to_usize(self.block());
        if self.read_once(Bytes(0), block).is_ok()
            && let Some(nonce) = Tombstone::nonce_in(&self.data[..block])
        {
            self.gauge.set_found_tombstone(nonce);
        }
    }

    fn fill_tombstone(&mut self, run: Run) -> Result<(), FlashError> {
        self.tombstone.fill(run.at, &mut self.data[..run.padded]);
        self.write(run.at, run.padded)
    }

    /// Reads the head, which must contain the tombstone. Returns the first run with a difference and its place in it; the read bytes are in
    /// `self.data` and the tombstone in `self.other`.
    pub(super) fn missed_tombstone(&mut self) -> Result<Option<(Run, usize)>, FlashError> {
        for run in self.runs(true) {
            if let Some(offset) = self.missed_in(run)? {
                return Ok(Some((run, offset)));
            }
        }
        Ok(None)
    }

    /// The same for one run of the head.
    fn missed_in(&mut self, run: Run) -> Result<Option<usize>, FlashError> {
        self.read(run.at, run.padded)?;
        self.tombstone.fill(run.at, &mut self.other[..run.padded]);
        let (found, expected) = (&self.data[..run.padded], &self.other[..run.padded]);
        Ok(found.iter().zip(expected).position(|(found, expected)| found != expected))
    }

    /// Puts the tombstone back into the head of an unfinished card, the partition table's block first, and reads it back. A block that
    /// cannot be written does not stop the others. A tombstone that was there before and still reads as it did stands, even if it cannot be
    /// written again: worn cards become read-only.
    ///
    /// # Errors
    /// The first error of the card. Then the contents of its head are unknown.
    pub(super) fn restore_tombstone(&mut self) -> Result<(), FlashError> {
        // A card that failed has no second chance, and the next one waits for its slot.
        self.rules.retries = 0;
        let stood = self.gauge.head() == CardHead::Tombstone;
        self.gauge.set_head(CardHead::Unknown);
        let began = Instant::now();
        let mut trouble = None;
        let block = to_usize(self.block());
        self.tombstone.fill(Bytes(0), &mut self.data[..block]);
        let first = self.write(Bytes(0), block).and_then(|()| self.flush());
        trouble = trouble.or(first.err());
        for run in self.runs(true) {
            if trouble.is_some() && began.elapsed() > RESTORE_PATIENCE {
                break;
            }
            // A block that was flushed and read back is there, unless the card put a later write in its place.
            if !(stood && matches!(self.missed_in(run), Ok(None))) {
                trouble = trouble.or(self.fill_tombstone(run).err());
            }
        }
        if let Some(error) = trouble {
            let stands =
                stood && began.elapsed() <= RESTORE_PATIENCE && self.ask_identity().is_ok() && matches!(self.missed_tombstone(), Ok(None));
            if !stands {
                return Err(error);
            }
            self.gauge.set_head(CardHead::Tombstone);
            return Ok(());
        }
        self.flush()?;
        if let Some((run, offset)) = self.missed_tombstone()? {
            return Err(FlashError::WriteIgnored { at: Bytes(run.at.0 + to_u64(offset)) });
        }
        self.gauge.set_head(CardHead::Tombstone);
        Ok(())
    }

    /// Reads `length` bytes into `self.data`.
    pub(super) fn read(&mut self, at: Bytes, length: usize) -> Result<(), FlashError> {
        let Self { device, image, gauge, rules, data, .. } = self;
        read(device, (gauge, rules), image.span(), at, &mut data[..length])
    }

    /// The same, and never repeated: a block that cannot be read is an answer, too.
    pub(super) fn read_once(&mut self, at: Bytes, length: usize) -> Result<(), FlashError> {
        let retries = std::mem::take(&mut self.rules.retries);
        let read = self.read(at, length);
        self.rules.retries = retries;
        read
    }

    pub(super) fn flush(&mut self) -> Result<(), FlashError> {
        let (span, gauge) = (self.span(), Arc::clone(&self.gauge));
        // A flush concerns the whole card: its place is the image's end.
        let call = Call { act: Act::Flushing, at: span, length: 0, moves: false };
        let patience = self.rules.for_a_flush();
        gauge.time(call, || self.device.flush(patience)).map_err(|source| FlashError::Io { act: Act::Flushing, at: span, span, source })
    }
}

/// A range in parts of at most `length`.
fn slices(range: Range<u64>, length: u64) -> impl Iterator<Item = Range<u64>> {
    let parts = (range.end - range.start).div_ceil(length);
    (0..parts).map(move |part| range.start + part * length..range.end.min(range.start + (part + 1) * length))
}
