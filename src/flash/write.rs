//! Writing: first the tombstone, proven to have arrived, then everything but the head.

use super::claim::{Claim, Session};
use super::error::{FlashError, Stopped};
use crate::device::BlockDevice;
use crate::station::slot::Step;
use crate::station::units::{Bytes, to_u64};

/// A card whose body is written and flushed, and in whose head the tombstone stands.
#[derive(Debug)]
pub struct Written<D> {
    pub(super) session: Session<D>,
}

/// Writes the body of the image.
///
/// # Errors
/// What the card or the station's image answered. The card cannot boot then: its head is the tombstone, or was never touched.
pub fn write<D: BlockDevice>(claim: Claim<D>) -> Result<Written<D>, Stopped<D>> {
    let mut session = claim.session;
    match body(&mut session) {
        Ok(()) => Ok(Written { session }),
        Err(error) => Err(Stopped { error, device: session.device }),
    }
}

fn body<D: BlockDevice>(session: &mut Session<D>) -> Result<(), FlashError> {
    session.ask_identity()?;
    let runs = session.runs(false);
    session.gauge.enter(Step::Writing, Session::<D>::bytes(&runs));
    bury(session)?;
    for run in runs {
        session.stop_if_cancelled()?;
        session.load_image(run)?;
        session.write(run)?;
        session.gauge.advance(to_u64(run.length));
    }
    session.flush()?;
    session.ask_identity()
}

/// Puts the tombstone into the head and reads it back: a worn card that ignores writes is caught before minutes are spent on it.
fn bury<D: BlockDevice>(session: &mut Session<D>) -> Result<(), FlashError> {
    session.stop_if_cancelled()?;
    session.write_tombstone()?;
    for run in session.runs(true) {
        session.read(run)?;
        session.tombstone.fill(run.at, &mut session.expected[..run.padded]);
        let (found, expected) = (&session.data[..run.padded], &session.expected[..run.padded]);
        if let Some(offset) = found.iter().zip(expected).position(|(found, expected)| found != expected) {
            return Err(FlashError::WriteIgnored { at: Bytes(run.at.0 + to_u64(offset)) });
        }
    }
    Ok(())
}
