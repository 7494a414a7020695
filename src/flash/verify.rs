//! Read-back: the body while the tombstone still stands, then the head, and only then a proof.
//!
//! Every piece the card returns is hashed and compared with the staged image's map; the first wrong one ends the attempt and is
//! looked at byte by byte. The digest of a pass is merged from the values of what the card returned, not from the map.

use super::claim::{Run, Session};
use super::error::{FlashError, Stopped};
use super::write::Written;
use crate::device::BlockDevice;
use crate::image::map::{PIECE, PieceValue, root, value};
use crate::station::outcome::{Proof, ReadBack};
use crate::station::slot::Step;
use crate::station::units::{Bytes, to_u64, to_usize};

/// A card whose body came back right, with the tombstone still in its head.
#[derive(Debug)]
pub struct BodyProven<D> {
    session: Session<D>,
    /// The values of what the card returned; the head's are still missing.
    found: Vec<Option<PieceValue>>,
}

/// A card every byte of whose span came back from the medium and is the image's. Made here alone.
#[derive(Debug)]
pub struct Verified {
    proof: Proof,
}

impl Verified {
    /// The evidence, for the log.
    #[must_use]
    pub fn into_proof(self) -> Proof {
        self.proof
    }
}

/// Reads back the whole span: body as the image, head as the tombstone.
///
/// # Errors
/// What the card answered, or the first wrong byte. The card cannot boot then: its head is the tombstone.
pub fn read_back<D: BlockDevice>(written: Written<D>) -> Result<BodyProven<D>, Stopped<D>> {
    let mut session = written.session;
    match read_body(&mut session) {
        Ok(found) => Ok(BodyProven { session, found }),
        Err(error) => Err(Stopped { error, device: session.device }),
    }
}

fn read_body<D: BlockDevice>(session: &mut Session<D>) -> Result<Vec<Option<PieceValue>>, FlashError> {
    let mut found = vec![None; session.image.map().len()];
    let runs = session.runs(false);
    session.gauge.enter(Step::ReadingBack, Session::<D>::bytes(&runs));
    for run in runs {
        session.stop_if_cancelled()?;
        session.read(run)?;
        judge(session, run, &mut found)?;
        session.gauge.advance(to_u64(run.length));
    }
    // Writes of the body that strayed into the head would show here.
    for run in session.runs(true) {
        session.read(run)?;
        session.tombstone.fill(run.at, &mut session.expected[..run.padded]);
        if let Some((at, expected, byte)) = first_difference(session, run) {
            return Err(FlashError::Mismatch { at, expected, found: byte });
        }
    }
    Ok(found)
}

/// Writes the head, flushes it, reads it back, and asks once more whether this is the card that was admitted.
///
/// # Errors
/// What the card or the station's image answered, or the first wrong byte.
pub fn finish<D: BlockDevice>(body: BodyProven<D>) -> Result<Verified, Stopped<D>> {
    let BodyProven { mut session, mut found } = body;
    match write_head(&mut session, &mut found) {
        Ok(proof) => Ok(Verified { proof }),
        Err(error) => {
            // Part of the head may stand. A card that is still ours must not boot; one that no longer answers cannot be helped.
            if let Err(second) = session.write_tombstone() {
                tracing::debug!(error = &second as &dyn std::error::Error, "the tombstone could not be put back");
            }
            Err(Stopped { error, device: session.device })
        }
    }
}

fn write_head<D: BlockDevice>(session: &mut Session<D>, found: &mut [Option<PieceValue>]) -> Result<Proof, FlashError> {
    let mut head = session.runs(true);
    session.gauge.enter(Step::Finishing, Session::<D>::bytes(&head));
    session.stop_if_cancelled()?;
    session.ask_identity()?;
    // The beginning is written last: a card pulled in between has at most a backup table, behind a tombstone.
    head.reverse();
    for run in &head {
        session.load_image(*run)?;
        session.write(*run)?;
    }
    session.flush()?;
    for run in head {
        session.read(run)?;
        judge(session, run, found)?;
        session.gauge.advance(to_u64(run.length));
    }
    session.ask_identity()?;
    conclude(session, found).ok_or(FlashError::StationImage { at: Bytes(0), source: None })
}

/// Merges what was found. Nothing where a piece was not read back, or the whole is not the image.
fn conclude<D: BlockDevice>(session: &Session<D>, found: &[Option<PieceValue>]) -> Option<Proof> {
    let map = session.image.map();
    let values = found.iter().copied().collect::<Option<Vec<_>>>()?;
    let bytes = (0..values.len()).map(|piece| map.length(piece).0).sum();
    Proof::conclude(ReadBack { digest: root(&values), bytes: Bytes(bytes) }, map.root(), map.span())
}

/// Hashes every piece of `run` in `session.data` and compares it with the map.
fn judge<D: BlockDevice>(session: &mut Session<D>, run: Run, found: &mut [Option<PieceValue>]) -> Result<(), FlashError> {
    let span = session.span();
    for (index, data) in session.data[..run.length].chunks(to_usize(PIECE)).enumerate() {
        let piece = run.first + index;
        let value = value(session.image.map().start(piece), data, span);
        if value != session.image.map().values()[piece] {
            return Err(explain(session, run));
        }
        found[piece] = Some(value);
    }
    // The padding behind the image's end is ours as well.
    match session.data[run.length..run.padded].iter().position(|byte| *byte != 0) {
        Some(offset) => {
            let offset = run.length + offset;
            Err(FlashError::Mismatch { at: Bytes(run.at.0 + to_u64(offset)), expected: 0, found: session.data[offset] })
        }
        None => Ok(()),
    }
}

/// A piece is wrong: where, against the staged image's own bytes. When those are equal, it is the image that changed since it
/// was staged, and the card is not to blame.
fn explain<D: BlockDevice>(session: &mut Session<D>, run: Run) -> FlashError {
    if let Err(source) = session.image.read_padded(run.at, &mut session.expected[..run.padded]) {
        return FlashError::StationImage { at: run.at, source: Some(source) };
    }
    match first_difference(session, run) {
        Some((at, expected, found)) => FlashError::Mismatch { at, expected, found },
        None => FlashError::StationImage { at: run.at, source: None },
    }
}

/// The first byte of `run` in which what came back is not what was expected: its place, the expected one, the found one.
fn first_difference<D: BlockDevice>(session: &Session<D>, run: Run) -> Option<(Bytes, u8, u8)> {
    let (found, expected) = (&session.data[..run.padded], &session.expected[..run.padded]);
    let offset = found.iter().zip(expected).position(|(found, expected)| found != expected)?;
    Some((Bytes(run.at.0 + to_u64(offset)), expected[offset], found[offset]))
}
