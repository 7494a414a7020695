//! A card that may hold the image already: read, and never written to.
//!
//! Its head tells whether it is worth the look: only an image's own first MiB, and its backup partition table, stand there on a card
//! that was finished, for the head is written last. Then the whole span is read back past every cache, as after writing.

use super::claim::Claim;
use super::error::{FlashError, Stopped};
use super::session::{Session, bytes_of};
use super::verify::{Compared, Verified, compare_body, conclude, judge};
use crate::device::BlockDevice;
use crate::image::map::PieceValue;
use crate::station::slot::Step;
use crate::station::units::{Bytes, to_u64};

/// What a look at a card came to.
#[derive(Debug)]
pub enum Rechecked<D> {
    /// It holds the image, every byte.
    Done(Verified),
    /// It does not; it is as it was.
    Other(Claim<D>),
}

/// Reads the head and, if that is the image's, the whole span.
///
/// # Errors
/// What the card answered; that it does not always read the same; that it was asked to stop. Nothing was written.
pub fn recheck<D: BlockDevice>(claim: Claim<D>) -> Result<Rechecked<D>, Stopped<D>> {
    let Claim { mut session } = claim;
    match look(&mut session) {
        Ok(Some(verified)) => Ok(Rechecked::Done(verified)),
        Ok(None) => Ok(Rechecked::Other(Claim { session })),
        Err(error) => Err(Stopped { error, device: session.device }),
    }
}

fn look<D: BlockDevice>(session: &mut Session<D>) -> Result<Option<Verified>, FlashError> {
    session.ask_identity()?;
    let (head, body) = (session.runs(true), session.proven_runs());
    session.gauge.enter(Step::Rechecking, Bytes(bytes_of(&head).0 + bytes_of(&body).0));
    let mut values: Vec<Option<PieceValue>> = vec![None; session.image.map().len()];
    for run in head {
        session.stop_if_cancelled()?;
        session.read(run.at, run.padded)?;
        if !judge(&session.image, run, &session.data, &mut values) {
            return Ok(None);
        }
        session.gauge.advance(to_u64(run.length));
    }
    let found = match compare_body(session, &body) {
        Ok(Compared::Right(found)) => found,
        // Not this image, or not all of it: an older one, or a card that was used. It is written like any other.
        Ok(Compared::Dirt { .. })
        | Err(FlashError::Mismatch { .. } | FlashError::FalseCapacity { .. } | FlashError::WriteIgnored { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    for (value, found) in values.iter_mut().zip(found) {
        *value = value.or(found);
    }
    session.ask_identity()?;
    Ok(conclude(session, &values).map(Verified::rechecked))
}
