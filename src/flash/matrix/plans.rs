//! What the engine is asked to do, with what image, on what card: every axis beside fault and moment.

use super::moments::Moment;
use crate::image::extents::GRAIN;
use crate::image::map::PIECE;
use crate::station::armed::Zeroes;
use crate::station::outcome::Refusal;
use crate::station::record::Plan;
use crate::station::units::{KIB, MIB, to_u64, to_usize};

/// The plan of the attempt, and what the card holds before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// A new card of zeroes is written.
    WriteBlank,
    /// A used card, full of other data and with a boot sector, is written.
    WriteUsed,
    /// A card that holds the image is rechecked.
    RecheckDone,
    /// A card that holds another image is written, unless it is done.
    RecheckAnother,
    /// A card that holds the head and the first half of the image is written, unless it is done.
    RecheckHalf,
    /// A card that holds the image may only be rechecked.
    OnlyDone,
    /// A card that holds another image may only be rechecked.
    OnlyAnother,
}

/// How the card's device flushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flush {
    /// It accepts the command of the station.
    Asked,
    /// It accepts it, and a device that does not is refused.
    Required,
    /// It is no SCSI device: the kernel flushes it.
    ByKernel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Image {
    /// Data in every block of nine pieces, and a ragged tail.
    Ragged,
    /// Less than one piece: the head alone.
    OnePiece,
    /// Twelve pieces and a tail, mostly zeroes, with the backup of a partition table in the last ones.
    Sparse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// Twice as large as most images.
    Larger,
    /// The image fits exactly.
    Equal,
    /// Many times the image.
    MuchLarger,
}

/// One value of each axis beside fault and moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) task: Task,
    pub(super) zeroes: Zeroes,
    pub(super) flush: Flush,
    pub(super) block: u32,
    pub(super) image: Image,
    pub(super) size: Size,
}

/// The setup of the full product.
pub(super) const DEFAULT: Setup =
    Setup { task: Task::WriteBlank, zeroes: Zeroes::Prove, flush: Flush::Asked, block: 512, image: Image::Ragged, size: Size::Larger };

impl Task {
    pub(super) const ALL: [Self; 7] =
        [Self::WriteBlank, Self::WriteUsed, Self::RecheckDone, Self::RecheckAnother, Self::RecheckHalf, Self::OnlyDone, Self::OnlyAnother];

    pub(super) fn plan(self) -> Plan {
        match self {
            Self::WriteBlank | Self::WriteUsed => Plan::Write,
            Self::RecheckDone | Self::RecheckAnother | Self::RecheckHalf => Plan::WriteUnlessDone,
            Self::OnlyDone | Self::OnlyAnother => Plan::RecheckOnly(Refusal::Partitioned),
        }
    }

    /// A card without a fault is written.
    pub(super) fn writes(self) -> bool {
        matches!(self, Self::WriteBlank | Self::WriteUsed | Self::RecheckAnother | Self::RecheckHalf)
    }

    /// A card without a fault ends with a proof.
    pub(super) fn proves(self) -> bool {
        self != Self::OnlyAnother
    }

    pub(super) fn rechecks(self) -> bool {
        !matches!(self, Self::WriteBlank | Self::WriteUsed)
    }

    /// It may be written if it is not done.
    pub(super) fn may_write(self) -> bool {
        !matches!(self, Self::OnlyDone | Self::OnlyAnother)
    }
}

impl Setup {
    /// Values of all axes, in their order: task, zeroes, flush, block, image, size.
    pub(super) const AXES: [usize; 6] = [Task::ALL.len(), 3, 3, 2, 3, 3];

    /// The setup with these values of the axes.
    pub(super) fn of(values: [usize; 6]) -> Self {
        Self {
            task: Task::ALL[values[0]],
            zeroes: [Zeroes::Prove, Zeroes::Write, Zeroes::Skip][values[1]],
            flush: [Flush::Asked, Flush::Required, Flush::ByKernel][values[2]],
            block: [512, 4096][values[3]],
            image: [Image::Ragged, Image::OnePiece, Image::Sparse][values[4]],
            size: [Size::Larger, Size::Equal, Size::MuchLarger][values[5]],
        }
    }

    /// Length of the image, rounded up to whole blocks.
    pub(super) fn padded_span(&self) -> u64 {
        self.image.length().next_multiple_of(u64::from(self.block))
    }

    /// Length of the card.
    pub(super) fn card(&self) -> u64 {
        match self.size {
            Size::Larger => 24 * MIB,
            Size::Equal => self.padded_span(),
            // Not a power of two, as real cards.
            Size::MuchLarger => 97 * MIB,
        }
    }

    /// The places of marks: whole blocks at powers of two and at the card's end, where the image has nothing or zeroes.
    pub(super) fn marks(&self) -> Vec<u64> {
        let block = u64::from(self.block);
        let last = self.card() - block;
        let is_free = |place: &u64| {
            *place >= self.padded_span() || self.image.zeroes_from_to().any(|(from, to)| from <= *place && place + block <= to)
        };
        (20..40).map(|power| 1 << power).take_while(|place| *place < last).chain([last]).filter(is_free).collect()
    }

    /// Does this moment come, if nothing strikes before?
    pub(super) fn has(&self, moment: Moment) -> bool {
        let (writes, has_body) = (self.task.writes(), self.image != Image::OnePiece);
        let is_used = self.task == Task::WriteUsed;
        match moment {
            Moment::Claimed => true,
            Moment::RecheckHead => self.task.rechecks(),
            Moment::RecheckFirst | Moment::RecheckLast => matches!(self.task, Task::RecheckDone | Task::OnlyDone) && has_body,
            Moment::Asked => writes && self.flush != Flush::ByKernel,
            Moment::Tombstone
            | Moment::TombstoneFlush
            | Moment::TombstoneRead
            | Moment::BodyFlush
            | Moment::TombstoneAgain
            | Moment::HeadRest
            | Moment::HeadRestFlush
            | Moment::HeadFirst
            | Moment::HeadFlush
            | Moment::HeadRead => writes,
            Moment::Marks | Moment::MarksRead | Moment::MarksErase => writes && !self.marks().is_empty(),
            Moment::EarlyBody | Moment::LateBody | Moment::ReadFirst | Moment::ReadMiddle | Moment::ReadLast => writes && has_body,
            Moment::Zeroing => {
                let image = self.image == Image::Sparse && (self.zeroes == Zeroes::Write || self.zeroes == Zeroes::Prove && is_used);
                writes && (self.size != Size::Equal || image)
            }
            Moment::Proven => self.task.proves(),
        }
    }

    /// No call comes before the first write.
    pub(super) fn begins_with_the_tombstone(&self) -> bool {
        !self.task.rechecks() && self.flush == Flush::ByKernel
    }

    /// The name in cells.
    pub(super) fn name(&self) -> String {
        let Self { task, zeroes, flush, block, image, size } = self;
        format!("{task:?}, zeroes {zeroes:?}, flush {flush:?}, blocks of {block}, image {image:?}, card {size:?}")
    }
}

/// Pieces of the sparse image: the last one and the one before it hold the backup table, so the body has three parts to read back.
const SPARSE_PIECES: u64 = 13;
/// In the sparse image, each quarter of a piece begins with this much data, except the first quarter of even pieces.
const DATA: u64 = GRAIN;

impl Image {
    pub(super) const ALL: [Self; 3] = [Self::Ragged, Self::OnePiece, Self::Sparse];

    /// Length in bytes; none is a whole number of blocks.
    pub(super) fn length(self) -> u64 {
        match self {
            Self::Ragged => 9 * MIB + 700,
            Self::OnePiece => 700 * KIB + 1,
            Self::Sparse => SPARSE_PIECES * MIB + 1000,
        }
    }

    /// The head: parts that must not boot.
    pub(super) fn head(self) -> Vec<std::ops::Range<u64>> {
        match self {
            Self::Ragged => std::iter::once(0..PIECE).collect(),
            Self::OnePiece => std::iter::once(0..self.length()).collect(),
            Self::Sparse => vec![0..PIECE, (SPARSE_PIECES - 1) * MIB..self.length()],
        }
    }

    /// First byte behind the last data of the body, and behind the last part of the body.
    pub(super) fn body_ends(self) -> (u64, u64) {
        match self {
            Self::Ragged => (self.length(), self.length()),
            Self::OnePiece => (0, 0),
            Self::Sparse => ((SPARSE_PIECES - 1) * MIB - MIB / 4 + DATA, (SPARSE_PIECES - 1) * MIB),
        }
    }

    /// The zeroes of the body, as ranges of the image.
    fn zeroes_from_to(self) -> impl Iterator<Item = (u64, u64)> {
        let pieces = if self == Self::Sparse { 1..SPARSE_PIECES - 1 } else { 0..0 };
        pieces.flat_map(|piece| {
            let quarters = (0..4).map(move |quarter| piece * MIB + quarter * (MIB / 4));
            quarters.map(|start| (if start % (2 * MIB) == 0 { start } else { start + DATA }, start + MIB / 4))
        })
    }

    /// The raw bytes. Each sector has its number, so that it occurs once. Each MiB begins as a boot sector, so that a card that wraps would
    /// have one in its first block.
    pub(super) fn raw(self) -> Vec<u8> {
        let mut raw = super::super::tests::pattern(self.length());
        for (number, sector) in (1_u64..).zip(raw.chunks_exact_mut(512)) {
            sector[16..24].copy_from_slice(&number.to_le_bytes());
        }
        for start in (0..raw.len().saturating_sub(512)).step_by(to_usize(MIB)) {
            boot_sector(&mut raw[start..start + 512]);
        }
        for (from, to) in self.zeroes_from_to() {
            raw[to_usize(from)..to_usize(to)].fill(0);
        }
        if self == Self::Sparse {
            let header = &mut raw[512..1024];
            header.fill(0);
            header[..8].copy_from_slice(b"EFI PART");
            header[32..40].copy_from_slice(&(SPARSE_PIECES * MIB / 512).to_le_bytes());
        }
        raw
    }

    /// A byte of data in the first part of the body.
    pub(super) fn victim(self) -> Option<u64> {
        (self != Self::OnePiece).then_some(MIB + 1000)
    }
}

/// Makes a block look like a boot sector without partitions.
pub(super) fn boot_sector(block: &mut [u8]) {
    block[..3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
    block[446..510].fill(0);
    block[510..512].copy_from_slice(&[0x55, 0xaa]);
}

/// What the card holds before the attempt.
pub(super) fn fill(setup: &Setup, image: &[u8], medium: &mut [u8]) {
    let span = image.len();
    let half = span / 2;
    match setup.task {
        Task::WriteBlank => {}
        Task::WriteUsed => {
            // The rest is no place of the image or of the station's own, except the marks.
            let end = medium.len();
            medium[..end.min(span + to_usize(MIB))].fill(0xa5);
            medium[end.saturating_sub(to_usize(2 * MIB))..].fill(0xa5);
            boot_sector(&mut medium[..512]);
        }
        Task::RecheckDone | Task::OnlyDone => medium[..span].copy_from_slice(image),
        Task::RecheckAnother | Task::OnlyAnother => {
            for (byte, of_image) in medium.iter_mut().zip(image) {
                *byte = if *of_image == 0 { 0 } else { of_image ^ 0xff | 1 };
            }
            boot_sector(&mut medium[..512]);
            medium[3..446].fill(0x77);
        }
        Task::RecheckHalf => {
            medium[..half].copy_from_slice(&image[..half]);
            for range in setup.image.head() {
                let range = to_usize(range.start)..to_usize(range.end);
                medium[range.clone()].copy_from_slice(&image[range]);
            }
            if setup.image == Image::OnePiece {
                medium[half..span].fill(0);
            }
        }
    }
    debug_assert!(to_u64(medium.len()) == setup.card());
}
