//! The zeroes of an image: read back like everything else, and written only where the card does not hold zeroes already.
//!
//! A discard would be quicker than writing, and proves nothing: what an SD card returns behind it is undefined and may change later
//! (SD Physical Layer Simplified Specification, 4.14).
//!
//! Where the policy skips them, they are neither looked at nor written: what the card held there stays, and nothing is claimed of it.
//! Marks are set in them all the same, and erased again, so that a card is caught that lies about its capacity, and no text of ours
//! stays: the few blocks that were marked are the only ones that change. What the read-back gets to see of them, in pieces that hold
//! data as well, is hidden from the comparison, unless a block of this attempt stands there: that was written elsewhere, and is a lie.

use std::ops::Range;

use super::error::FlashError;
use super::session::Session;
use crate::device::BlockDevice;
use crate::image::extents::is_zero;
use crate::station::units::{Bytes, KIB, to_usize};

/// How many places are looked at before the whole is believed to be zero, until the read-back: enough to meet an old file system,
/// and done in a moment.
const SAMPLES: u64 = 48;
/// How much of each.
const SAMPLE: u64 = 4 * KIB;

/// Is any of some places in `ranges` not zero? They are spread evenly over all ranges together, the first at the very beginning.
pub(super) fn look_dirty<D: BlockDevice>(session: &mut Session<D>, ranges: &[Range<u64>]) -> Result<bool, FlashError> {
    let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    let mut looked_at = None;
    for sample in 0..SAMPLES {
        let Some(place) = place_of(ranges, total / SAMPLES * sample) else { continue };
        // Few zeroes have fewer places.
        if looked_at == Some(place.start) {
            continue;
        }
        looked_at = Some(place.start);
        session.stop_if_cancelled()?;
        let length = to_usize(place.end - place.start);
        session.read(Bytes(place.start), length)?;
        if !is_zero(&session.data[..length]) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The sample that holds the `offset`th byte of all ranges together, cut to its range.
fn place_of(ranges: &[Range<u64>], mut offset: u64) -> Option<Range<u64>> {
    for range in ranges {
        let length = range.end - range.start;
        if offset < length {
            let start = (range.start + offset) / SAMPLE * SAMPLE;
            let start = start.max(range.start);
            return Some(start..range.end.min(start + SAMPLE));
        }
        offset -= length;
    }
    None
}

/// Zeroes `ranges`, all but the blocks at `kept`, which hold marks.
pub(super) fn zero_all<D: BlockDevice>(session: &mut Session<D>, ranges: &[Range<u64>], kept: &[u64]) -> Result<(), FlashError> {
    let block = u64::from(session.device.logical_block());
    for range in ranges {
        let mut from = range.start;
        for mark in kept.iter().filter(|mark| range.contains(mark)) {
            if from < *mark {
                session.zero(from..*mark)?;
            }
            from = mark + block;
        }
        if from < range.end {
            session.zero(from..range.end)?;
        }
        session.gauge.advance(range.end - range.start);
    }
    Ok(())
}
