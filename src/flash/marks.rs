//! Marks detect a card with a false capacity.
//!
//! A mark is one block that names the attempt's nonce and its own address, placed where nothing else is written: at power-of-two places
//! behind the image and inside its zeroes, because false cards drop or wrap addresses at such places, and into the card's last block. After
//! the body is written, every mark must still be there; then it is erased.

use super::error::FlashError;
use super::own_text;
use super::session::Session;
use crate::device::BlockDevice;
use crate::station::units::{Bytes, MIB, to_usize};

/// The places of this card's marks: ascending, each a whole block in which neither image nor head has data.
pub(super) fn places<D: BlockDevice>(session: &Session<D>) -> Vec<u64> {
    let block = u64::from(session.device.logical_block());
    let Some(last) = (session.device.length().0 / block).checked_sub(1).map(|index| index * block) else { return Vec::new() };
    let zeroes = session.zero_ranges();
    let free = |place: u64| place >= session.padded_span() || zeroes.iter().any(|range| range.start <= place && place + block <= range.end);
    let powers = (MIB.trailing_zeros()..u64::BITS).map(|power| 1u64 << power).take_while(|place| *place < last);
    powers.chain([last]).filter(|place| free(*place)).collect()
}

/// Writes the marks to their places.
pub(super) fn set<D: BlockDevice>(session: &mut Session<D>, places: &[u64]) -> Result<(), FlashError> {
    let block = to_usize(u64::from(session.device.logical_block()));
    for place in places {
        session.stop_if_cancelled()?;
        session.tombstone.fill(Bytes(*place), &mut session.data[..block]);
        session.write(Bytes(*place), block)?;
    }
    Ok(())
}

/// Reads them back: each must be in its place.
pub(super) fn check<D: BlockDevice>(session: &mut Session<D>, places: &[u64]) -> Result<(), FlashError> {
    let block = to_usize(u64::from(session.device.logical_block()));
    for place in places {
        let at = Bytes(*place);
        session.stop_if_cancelled()?;
        session.read(at, block)?;
        session.tombstone.fill(at, &mut session.other[..block]);
        if session.data[..block] != session.other[..block] {
            if let Some(error) = own_text::explain(session, at, block)? {
                return Err(error);
            }
            // A worn card ignores every write, a false one those that it has no room for.
            return Err(if own_text::takes_writes(session)? {
                FlashError::FalseCapacity { at, holds: None }
            } else {
                FlashError::WriteIgnored { at }
            });
        }
    }
    Ok(())
}

/// Erases the marks again.
pub(super) fn erase<D: BlockDevice>(session: &mut Session<D>, places: &[u64]) -> Result<(), FlashError> {
    let block = to_usize(u64::from(session.device.logical_block()));
    for place in places {
        session.data[..block].fill(0);
        session.write(Bytes(*place), block)?;
    }
    Ok(())
}
