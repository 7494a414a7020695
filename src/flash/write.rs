//! Writing: first the tombstone, which is read back, then everything except the head.

use std::ops::Range;

use super::claim::Claim;
use super::error::FlashError;
use super::session::Session;
use super::{marks, own_text, zeroes};
use crate::device::BlockDevice;
use crate::image::map::PIECE;
use crate::station::armed::Zeroes;
use crate::station::outcome::CardHead;
use crate::station::record::Step;
use crate::station::units::{Bytes, to_u64};

/// A card whose body is written and flushed, and whose head contains the tombstone.
#[derive(Debug)]
pub(crate) struct Written<'s, D> {
    pub(super) session: &'s mut Session<D>,
}

/// Writes the body of the image.
///
/// # Errors
/// The error of the card or of the station's image. Then the card cannot boot: its head is the tombstone, or was never touched.
pub(crate) fn write<D: BlockDevice>(claim: Claim<'_, D>) -> Result<Written<'_, D>, FlashError> {
    let Claim { session } = claim;
    body(session)?;
    Ok(Written { session })
}

/// The order is essential: see the page of this module.
fn body<D: BlockDevice>(session: &mut Session<D>) -> Result<(), FlashError> {
    session.ask_identity()?;
    let (data, zero, far_end) = (session.data_calls(), session.zero_ranges(), [session.far_end()]);
    let marks = marks::places(session);
    let bytes = |ranges: &[Range<u64>]| -> u64 { ranges.iter().map(|range| range.end - range.start).sum() };
    let always = bytes(&data) + bytes(&far_end);
    session.gauge.enter(Step::Writing, Bytes(always));
    write_and_read_back_tombstone(session)?;
    let zero_now = match session.zeroes {
        Zeroes::Write => true,
        Zeroes::Prove => zeroes::look_dirty(session, &zero)?,
        Zeroes::Skip => false,
    };
    if zero_now {
        session.gauge.enter(Step::Writing, Bytes(always + bytes(&zero)));
    }
    marks::set(session, &marks)?;
    for range in data {
        session.stop_if_cancelled()?;
        session.write_image(&range)?;
        session.gauge.advance(range.end - range.start);
    }
    if zero_now {
        zeroes::zero_all(session, &zero, &marks)?;
    }
    zeroes::zero_all(session, &far_end, &marks)?;
    session.flush()?;
    marks::check(session, &marks)?;
    marks::erase(session, &marks)?;
    session.flush()?;
    session.ask_identity()
}

/// Puts the tombstone into the head and reads it back: a worn card that ignores writes is detected before minutes are spent on it.
fn write_and_read_back_tombstone<D: BlockDevice>(session: &mut Session<D>) -> Result<(), FlashError> {
    session.stop_if_cancelled()?;
    session.write_tombstone()?;
    let Some((run, offset)) = session.missed_tombstone()? else {
        session.gauge.set_head(CardHead::Tombstone);
        return Ok(());
    };
    let at = Bytes(run.at.0 + to_u64(offset));
    let explained = own_text::explain(session, run.at, run.padded)?;
    // No card holds less than a piece: there a write was lost, or the tombstone of an earlier attempt is still in its place. Behind it,
    // everything before this byte has arrived, so the card takes writes.
    let lost = if at.0 < PIECE { FlashError::WriteIgnored { at } } else { FlashError::FalseCapacity { at, holds: None } };
    Err(explained.unwrap_or(lost))
}
