//! Finds out whether a device empties its cache on command, before anything is written to it.

use std::sync::Arc;

use super::claim::Claim;
use super::error::FlashError;
use super::gauge::Waits;
use crate::device::{BlockDevice, FlushAnswer};
use crate::station::outcome::{CacheFlush, Refusal};

/// Finds out, before anything is written, whether the card's device empties its cache on command.
///
/// # Errors
/// If the card left when it was asked, or was replaced.
pub(super) fn ask_to_flush<'s, D: BlockDevice>(claim: Claim<'s, D>, place: &str) -> Result<Result<Claim<'s, D>, Refusal>, FlashError> {
    let session = claim.session;
    session.stop_if_cancelled()?;
    session.ask_identity()?;
    let (gauge, rules) = (Arc::clone(&session.gauge), session.rules.clone());
    let Some(make) = session.device.make() else {
        // There is no make to remember: the device is not on USB, where alone the kernel may not know a cache.
        gauge.set_flush(CacheFlush::None);
        return Ok(Ok(Claim { session }));
    };
    let flush = if rules.unanswered.knows(&make, place) {
        CacheFlush::Unanswered
    } else {
        let patience = rules.for_an_answer();
        let answer = gauge.waiting(Waits::Answer, || session.device.ask_to_flush(patience));
        rules.unanswered.heard(&make, place, answer);
        match answer {
            FlushAnswer::Taken => CacheFlush::Asked,
            FlushAnswer::Refused => CacheFlush::Refused,
            FlushAnswer::Stalled | FlushAnswer::Lost | FlushAnswer::Unclear => CacheFlush::Unanswered,
            FlushAnswer::Gone => {
                gauge.set_flush(CacheFlush::Unanswered);
                return Err(FlashError::Changed);
            }
            FlushAnswer::NotScsi => CacheFlush::None,
        }
    };
    gauge.set_flush(flush);
    if flush == CacheFlush::Unanswered && rules.flush_required {
        return Ok(Err(Refusal::Unflushed { make }));
    }
    Ok(Ok(Claim { session }))
}
