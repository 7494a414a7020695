//! The zeroes of an image: read back like everything else, and written only if the card does not already hold zeroes.
//!
//! A discard would be faster than writing, but proves nothing: the contents of an SD card after it are undefined and may change later (SD
//! Physical Layer Simplified Specification, 4.14).
//!
//! If the policy skips them, they are neither read nor written: the card keeps its old contents there, and nothing is claimed about them.
//! Marks are set in them all the same, and erased again, so that a false capacity is detected and no text of the station stays: only the
//! few marked blocks change. If the read-back reads some of them, in pieces that also contain data, they are hidden from the comparison,
//! unless a block of this attempt is there: it was written in another place, so the card is false.

use std::ops::Range;

use super::error::FlashError;
use super::session::Session;
use crate::device::BlockDevice;
use crate::image::extents::is_zero;
use crate::station::units::{Bytes, KIB, to_usize};

/// Number of samples that are read before the whole is assumed to be zero until the read-back: enough to find an old file system, and done
/// in a moment.
const SAMPLES: u64 = 48;
/// Length of each sample.
const SAMPLE: u64 = 4 * KIB;

/// Is any of some samples in `ranges` not zero? They are spread evenly over all ranges together, the first at the very beginning.
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

/// Zeroes `ranges`, except the blocks at `kept`, which hold marks.
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
