//! The engine: one card, from the claim to the proof.
//!
//! ```text
//!  open ──▶ Claim ──write──▶ Written ──read_back──▶ BodyProven ──finish──▶ Verified
//!             │  tombstone,      │   whole span,        │  head, flush,        │
//!             │  marks, body,    │   past every cache   │  read it back        ▼
//!             │  flush           │                      │
//!             ▼                  ▼                      ▼                    Proof
//!          a step that fails ends the attempt: the tombstone is put back into the head, the card cannot boot
//! ```
//! A card that may already hold the image is read before its head is touched: if every byte is right, it is done, and nothing is written
//! ([`recheck`]).
//!
//! If the image's zeroes are skipped, the proof covers only its data, and has another type.
//!
//! Constructors are private to the step that makes the proof. Knows no slot, log or lamp. Runs in a separate thread and shares only the
//! staged image with other cards, which is never written.

mod calls;
#[cfg(test)]
mod cases;
pub(crate) mod claim;
mod diagnose;
pub(crate) mod error;
mod flush;
pub(crate) mod gauge;
pub(crate) mod kept;
mod marks;
#[cfg(test)]
mod matrix;
mod own_text;
pub(crate) mod recheck;
mod retry;
pub(crate) mod rules;
mod session;
pub(crate) mod stall;
#[cfg(test)]
mod tests;
pub(crate) mod tombstone;
pub(crate) mod unanswered;
pub(crate) mod verify;
pub(crate) mod write;
mod zeroes;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::device::BlockDevice;
use crate::image::Staged;
use crate::station::End;
use crate::station::card::Card;
use crate::station::outcome::{CardHead, Refusal};
use crate::station::record::{Attempt, Plan};
use claim::Claim;
use error::FlashError;
use gauge::Gauge;
use kept::Kept;
use recheck::Rechecked;
use rules::Rules;
use session::Session;

/// Opens, writes and proves the card of `attempt`. A panic, which is a bug, ends only this attempt. A proven card stays claimed for as long
/// as [`Kept`] lives.
///
/// `still_unused` is called once the card is claimed and locked: udev, which was waited for, may have found something since the survey.
#[must_use]
pub(crate) fn flash(
    attempt: &Attempt,
    image: Arc<Staged>,
    gauge: Arc<Gauge>,
    rules: Rules,
    still_unused: impl FnOnce(&Card) -> Result<(), Refusal>,
) -> (End, Option<Kept>) {
    let end = contained(|| match claim::open(&attempt.card, &gauge) {
        Ok(device) => Ok(match still_unused(&attempt.card) {
            Ok(()) => flash_device(device, attempt, image, Arc::clone(&gauge), rules),
            // A card that has left cannot be asked.
            Err(Refusal::Unknown) if device.departed() => (End::Gone, None),
            Err(refusal) => (End::Refused(refusal), None),
        }),
        Err(end) => Ok((end, None)),
    });
    gauge.end();
    end.unwrap_or_else(|error| (error.into_end(), None))
}

/// A panic is an error of this card's attempt alone.
fn contained<T>(work: impl FnOnce() -> Result<T, FlashError>) -> Result<T, FlashError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
        Err(FlashError::Internal { message: text.unwrap_or_else(|| "a panic without a message".to_owned()) })
    })
}

/// The same for an open device. The prover calls it for a file, so that what it tries is what writes and proves cards.
pub(crate) fn flash_device<D: BlockDevice>(
    device: D,
    attempt: &Attempt,
    image: Arc<Staged>,
    gauge: Arc<Gauge>,
    rules: Rules,
) -> (End, Option<Kept<D>>) {
    let mut session = match Session::begin(device, attempt, image, gauge, rules) {
        Ok(session) => session,
        Err(end) => return (end, None),
    };
    let end = contained(|| steps(&mut session, attempt)).unwrap_or_else(|error| ended_early(&mut session, error));
    let kept = end.is_proof().then(|| session.into_kept());
    (end, kept)
}

/// Each step needs the result of the one before it.
fn steps<D: BlockDevice>(session: &mut Session<D>, attempt: &Attempt) -> Result<End, FlashError> {
    if attempt.looks_for_tombstone {
        session.look_for_tombstone();
    }
    let mut claim = Claim { session };
    if attempt.plan != Plan::Write {
        claim = match recheck::recheck(claim)? {
            Rechecked::Done(verified) => return Ok(verified.into_end()),
            Rechecked::Other(claim) => claim,
        };
    }
    if let Plan::RecheckOnly(refusal) = &attempt.plan {
        // What was read may be of another card, or of an attempt whose row is closed.
        claim.session.stop_if_cancelled()?;
        claim.session.ask_identity()?;
        return Ok(End::Refused(refusal.clone()));
    }
    // The stick itself, or the slot of a reader, whatever card is put into it next.
    let place = format!("{} {}", attempt.card.port, attempt.card.serial.as_deref().unwrap_or(""));
    let claim = match flush::ask_to_flush(claim, &place)? {
        Ok(claim) => claim,
        Err(refusal) => return Ok(End::Refused(refusal)),
    };
    let written = write::write(claim)?;
    let proven = verify::read_back(written)?;
    Ok(verify::finish(proven)?.into_end())
}

/// The outcome of an attempt that ended early, while the device is still open. A card whose head was touched must not boot, whatever writes
/// of the body, or of a part of the head, did to it.
fn ended_early<D: BlockDevice>(session: &mut Session<D>, error: FlashError) -> End {
    let head = session.gauge.head();
    let restored = if head == CardHead::Untouched { Ok(()) } else { session.restore_tombstone() };
    let gone = error.may_be_departure() && session.device.departed();
    tracing::debug!(error = &error as &dyn std::error::Error, gone, "attempt ended early");
    match restored {
        Ok(()) => {}
        // Nothing reached a card that had left: the known contents of its head are unchanged.
        Err(_) if gone => session.gauge.set_head(head),
        Err(second) => tracing::warn!(error = &second as &dyn std::error::Error, "the tombstone could not be put back"),
    }
    if gone { End::Gone } else { error.into_end() }
}
