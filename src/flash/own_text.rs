//! Classifies what came back in the place of the station's own text: the tombstone, or a mark.
//!
//! Called once, for a card that has failed already. A flipped bit, a card that ignores writes and one with a false capacity are different
//! reasons: one card is worn, the other is not what was paid for.

use super::diagnose::{FLIPS, SECTOR};
use super::error::FlashError;
use super::session::Session;
use super::tombstone::Tombstone;
use crate::device::BlockDevice;
use crate::image::extents::is_zero;
use crate::image::map::PIECE;
use crate::station::outcome::{CardHead, Damage};
use crate::station::units::{Bytes, to_u64, to_usize};

/// Reads `length` bytes at `at`, which must hold the station's text, once more. Returns what they show, or `None` for contents that are
/// nothing of this attempt; the read bytes are in `session.data` and the text in `session.other`.
pub(super) fn explain<D: BlockDevice>(session: &mut Session<D>, at: Bytes, length: usize) -> Result<Option<FlashError>, FlashError> {
    session.read(at, length)?;
    session.tombstone.fill(at, &mut session.other[..length]);
    let (found, expected) = (&session.data[..length], &session.other[..length]);
    let Some(offset) = found.iter().zip(expected).position(|(found, expected)| found != expected) else {
        return Ok(Some(FlashError::Unsteady { at }));
    };
    let sector = offset / SECTOR * SECTOR..(offset / SECTOR + 1) * SECTOR;
    let wrong = Bytes(at.0 + to_u64(offset));
    let mismatch = |damage| FlashError::Mismatch { at: wrong, expected: expected[offset], found: found[offset], damage };
    if let Some(holds) = session.tombstone.address_of(&found[sector.clone()]) {
        // No card holds less than a piece: within one, the text was shifted on its way.
        let place = at.0 + to_u64(sector.start);
        return Ok(Some(if holds.0.max(place) < PIECE {
            mismatch(Damage::Shifted { sectors: (place.cast_signed() - holds.0.cast_signed()) / 512 })
        } else {
            FlashError::FalseCapacity { at: wrong, holds: Some(holds) }
        }));
    }
    // The tombstone of an earlier attempt differs from this one in few bits by chance.
    if Tombstone::nonce_in(&found[sector.clone()]).is_some() {
        return Ok(None);
    }
    let pairs = found[sector.clone()].iter().zip(&expected[sector]);
    let bits = pairs.map(|(found, expected)| (found ^ expected).count_ones()).sum();
    Ok((bits <= FLIPS).then_some(mismatch(Damage::BitsFlipped { bits })))
}

/// Does the card still take writes? The last block of the head's first part, which holds the tombstone, is zeroed for that.
pub(super) fn takes_writes<D: BlockDevice>(session: &mut Session<D>) -> Result<bool, FlashError> {
    let block = u64::from(session.device.logical_block());
    let Some(head) = session.runs(true).first().copied() else { return Ok(true) };
    let at = Bytes(head.at.0 + to_u64(head.padded) - block);
    session.ask_identity()?;
    session.gauge.set_head(CardHead::Unknown);
    session.data[..to_usize(block)].fill(0);
    session.write(at, to_usize(block))?;
    session.flush()?;
    session.read(at, to_usize(block))?;
    Ok(is_zero(&session.data[..to_usize(block)]))
}
