//! Finds out whether a device empties its cache on command, before anything is written to it.

use std::sync::Arc;

use super::claim::Claim;
use super::error::FlashError;
use super::gauge::Waits;
use crate::device::{BlockDevice, FlushAnswer};
use crate::station::outcome::{CacheFlush, Refusal};

/// Before anything is written: does the card's device empty its cache when it is told to?
///
/// # Errors
/// That the card left on the question, or is another one now.
pub(super) fn ask_to_flush<'s, D: BlockDevice>(claim: Claim<'s, D>, place: &str) -> Result<Result<Claim<'s, D>, Refusal>, FlashError> {
    let session = claim.session;
    session.stop_if_cancelled()?;
    session.ask_identity()?;
    let (gauge, rules) = (Arc::clone(&session.gauge), session.rules.clone());
    let Some(make) = session.device.make() else {
        // Nothing that could be remembered: not on USB, where the kernel knows of every cache.
        gauge.set_flush(CacheFlush::None);
        return Ok(Ok(Claim { session }));
    };
    let flush = if rules.unanswered.knows(&make, place) {
        CacheFlush::Unanswered
    } else {
        let patience = rules.for_an_answer();
        match gauge.waiting(Waits::Answer, || session.device.ask_to_flush(patience)) {
            FlushAnswer::Taken => {
                rules.unanswered.answered(&make);
                CacheFlush::Asked
            }
            FlushAnswer::Refused => {
                rules.unanswered.answered(&make);
                CacheFlush::Refused
            }
            FlushAnswer::Stalled | FlushAnswer::Lost => {
                rules.unanswered.remember(&make);
                CacheFlush::Unanswered
            }
            FlushAnswer::Gone => {
                rules.unanswered.left(&make, place);
                gauge.set_flush(CacheFlush::Unanswered);
                return Err(FlashError::Changed);
            }
            FlushAnswer::Unclear => CacheFlush::Unanswered,
            FlushAnswer::NotScsi => CacheFlush::None,
        }
    };
    gauge.set_flush(flush);
    if flush == CacheFlush::Unanswered && rules.flush_required {
        return Ok(Err(Refusal::Unflushed { make }));
    }
    Ok(Ok(Claim { session }))
}
