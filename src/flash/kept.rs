//! A proven card that is still claimed: it cannot be mounted, and writes that bypass the claim are detected.
//!
//! A whole disk that is held with `O_EXCL` lets no partition of it be mounted or claimed (kernel, `block/bdev.c`, `bd_may_claim`), and
//! udev, which reads the partition table again when a writer closes a disk, sees no close. Only the descriptor is kept: buffers and mapping
//! are freed with the attempt.

use crate::device::BlockDevice;
use crate::device::direct::DirectDevice;

/// The claim of a proven card. It is released when it is dropped, which may wait for the card.
#[derive(Debug)]
pub(crate) struct Kept<D = DirectDevice> {
    device: D,
    /// The count of the kernel if only the station has written since the read-back began.
    proven_at: Option<u64>,
}

impl<D: BlockDevice> Kept<D> {
    pub(super) fn new(device: D, proven_at: Option<u64>) -> Self {
        Self { device, proven_at }
    }

    /// Sectors that were written to the card, or discarded on it, since its read-back began, without the station's own. `None` if that is
    /// unknown: the card has left, or the kernel does not count.
    #[must_use]
    pub(crate) fn written_since(&self) -> Option<u64> {
        // If counting was off for a while, the count is too low: no program wrote then.
        Some(self.device.sectors_written()?.saturating_sub(self.proven_at?))
    }
}

impl Kept {
    /// Releases the card. May wait for it.
    pub(crate) fn give_back(self) {
        self.device.look_for_medium();
    }
}

#[cfg(test)]
mod cases {
    use std::sync::Arc;

    use super::super::flash_device;
    use super::super::gauge::Gauge;
    use super::super::tests::{attempt, card, pattern, rules, staged};
    use super::*;
    use crate::device::ram::{Fault, RamDevice};
    use crate::station::armed::Zeroes;
    use crate::station::record::Plan;
    use crate::station::units::{MIB, to_usize};

    fn proven(device: RamDevice, image: &[u8], plan: &Plan, zeroes: Zeroes) -> (Kept<RamDevice>, Option<u64>) {
        let gauge = Arc::new(Gauge::default());
        let (end, kept) = flash_device(device, &attempt(1, zeroes, plan), staged(image), Arc::clone(&gauge), rules());
        assert!(end.is_proof(), "{end:?}");
        (kept.expect("a proven card is kept"), gauge.effort().writes_at_proof)
    }

    fn half_zeroes() -> Vec<u8> {
        let mut image = pattern(6 * MIB + 700);
        image[to_usize(2 * MIB)..to_usize(5 * MIB)].fill(0);
        image
    }

    #[test]
    fn no_write_of_the_stations_own_is_ever_taken_for_another_programs() {
        let image = half_zeroes();
        for block in [512, 4096] {
            for zeroes in [Zeroes::Prove, Zeroes::Write, Zeroes::Skip] {
                for fault in [None, Some(Fault::ShortCounts), Some(Fault::Interruptions)] {
                    let mut device = card(16 * MIB, block);
                    device.written_by_another(77);
                    fault.iter().for_each(|fault| device.inject(fault.clone()));
                    let (kept, row) = proven(device, &image, &Plan::Write, zeroes);
                    assert_eq!(kept.written_since(), Some(0), "{block} {zeroes:?} {fault:?}");
                    assert_eq!(row, kept.device.sectors_written(), "the row has the kernel's count: {block} {zeroes:?} {fault:?}");
                    let (again, _) = proven(kept.device, &image, &Plan::WriteUnlessDone, zeroes);
                    assert_eq!(again.written_since(), Some(0), "rechecked: {block} {zeroes:?} {fault:?}");
                }
            }
        }
    }

    #[test]
    fn dirt_that_the_read_back_finds_and_zeroes_is_the_stations_own_write_too() {
        let mut image = pattern(3 * MIB);
        image[to_usize(MIB)..to_usize(2 * MIB)].fill(0);
        let mut device = RamDevice::new(crate::station::units::Bytes(8 * MIB), 512);
        device.contents_mut()[to_usize(MIB) + 517] = 1;
        let (kept, _) = proven(device, &image, &Plan::Write, Zeroes::Prove);
        assert_eq!(kept.written_since(), Some(0));
    }

    #[test]
    fn one_sector_that_another_program_writes_is_seen_after_the_proof_and_while_it_is_made() {
        let image = half_zeroes();
        let (mut kept, _) = proven(card(16 * MIB, 512), &image, &Plan::Write, Zeroes::Prove);
        kept.device.written_by_another(1);
        assert_eq!(kept.written_since(), Some(1));
        // The tombstone is the first write to it, the head the second: by then the body has been read back.
        let mut device = card(16 * MIB, 512);
        device.inject(Fault::WrittenByAnotherAt { at: 0, sectors: 8 });
        let (kept, _) = proven(device, &image, &Plan::Write, Zeroes::Prove);
        assert_eq!(kept.written_since(), Some(8), "what was read back already may be another thing now");
    }

    #[test]
    fn of_a_card_whose_writes_are_not_counted_nothing_is_claimed() {
        let mut device = card(16 * MIB, 512);
        device.uncounted();
        let (kept, row) = proven(device, &half_zeroes(), &Plan::Write, Zeroes::Prove);
        assert_eq!((kept.written_since(), row), (None, None));
    }
}
