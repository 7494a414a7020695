//! Read-back: the body while the tombstone is still in the head, then the head, and only then a proof.
//!
//! Every piece that is read is hashed and compared with the staged image's map; the first wrong one ends the attempt and is examined byte
//! by byte. The digest of a pass is merged from the values of the bytes read from the card, not from the map.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use super::calls;
use super::diagnose::{SECTOR, first_wrong};
use super::error::FlashError;
use super::gauge::Waits;
use super::own_text;
use super::session::{Run, Session, bytes_of};
use super::tombstone::Tombstone;
use super::write::Written;
use super::zeroes;
use crate::device::BlockDevice;
use crate::device::aligned::AlignedBuf;
use crate::image::Staged;
use crate::image::extents::is_zero;
use crate::image::map::{PIECE, PieceValue, root};
use crate::station::End;
use crate::station::armed::Zeroes;
use crate::station::outcome::{CardHead, MappedProof, Proof, ReadBack};
use crate::station::record::Step;
use crate::station::units::{Bytes, to_u64, to_usize};

/// A card whose body was read back right, with the tombstone still in its head.
#[derive(Debug)]
pub(crate) struct BodyProven<'s, D> {
    session: &'s mut Session<D>,
    /// The values of the pieces read from the card; those of the head are still missing.
    found: Vec<Option<PieceValue>>,
}

/// A card of which every byte of the span was read from the medium and is the image's; or, if the image's zeroes are skipped, every byte of
/// its data. Made only here.
#[derive(Debug)]
pub(crate) struct Verified {
    evidence: Evidence,
    /// Nothing was written: the card already held the image.
    rechecked: bool,
}

#[derive(Debug)]
pub(super) enum Evidence {
    Whole(Proof),
    Mapped(MappedProof),
}

impl Verified {
    /// The evidence, for the log.
    #[must_use]
    pub(crate) fn into_end(self) -> End {
        match (self.evidence, self.rechecked) {
            (Evidence::Whole(proof), false) => End::Verified(proof),
            (Evidence::Mapped(proof), false) => End::VerifiedMapped(proof),
            (Evidence::Whole(proof), true) => End::Rechecked(proof),
            (Evidence::Mapped(proof), true) => End::RecheckedMapped(proof),
        }
    }

    /// For a card to which nothing was written.
    pub(super) fn rechecked(evidence: Evidence) -> Self {
        Self { evidence, rechecked: true }
    }
}

/// Reads back the whole span: body as the image, head as the tombstone.
///
/// # Errors
/// The error of the card, or the first wrong byte. Then the card cannot boot: its head is the tombstone.
pub(crate) fn read_back<D: BlockDevice>(written: Written<'_, D>) -> Result<BodyProven<'_, D>, FlashError> {
    let Written { session } = written;
    let found = read_body(session)?;
    Ok(BodyProven { session, found })
}

fn read_body<D: BlockDevice>(session: &mut Session<D>) -> Result<Vec<Option<PieceValue>>, FlashError> {
    let runs = session.proven_runs();
    session.gauge.enter(Step::ReadingBack, bytes_of(&runs));
    session.count_writes();
    let found = match compare_body(session, &runs)? {
        Compared::Right(found) => found,
        // If zeroes are skipped, every compared byte was written: old contents mean that a write was ignored.
        Compared::Dirt { at } if session.zeroes == Zeroes::Skip => return Err(FlashError::WriteIgnored { at }),
        Compared::Dirt { .. } => {
            // The samples did not see the old contents there. They are zeroed once, and then everything is read again.
            let zero = session.zero_ranges();
            zeroes::zero_all(session, &zero, &[])?;
            session.flush()?;
            session.gauge.enter(Step::ReadingBack, bytes_of(&runs));
            session.count_writes();
            match compare_body(session, &runs)? {
                Compared::Right(found) => found,
                Compared::Dirt { at } => return Err(FlashError::WriteIgnored { at }),
            }
        }
    };
    // Writes of the body that went to the head by mistake would show here.
    if let Some((run, _)) = session.missed_tombstone()? {
        if let Some(error) = own_text::explain(session, run.at, run.padded)? {
            return Err(error);
        }
        let (data, expected) = (&session.data[..run.padded], &session.other[..run.padded]);
        let (offset, wrong) = first_wrong(run.at, data, expected).expect("they differ");
        let at = Bytes(run.at.0 + to_u64(offset));
        if let Ok(Some(holds)) = wrong.stray(&session.image) {
            return Err(FlashError::FalseCapacity { at, holds: Some(holds) });
        }
        let damage = wrong.damage(&session.image);
        return Err(FlashError::Mismatch { at, expected: expected[offset], found: data[offset], damage });
    }
    Ok(found)
}

/// The result of a read-back of the body.
pub(super) enum Compared {
    /// Every piece is the image's; these are their values.
    Right(Vec<Option<PieceValue>>),
    /// There are old contents in the place of the image's zeroes, first at this byte.
    Dirt { at: Bytes },
}

/// Reads every piece of the body and compares it with the map: one call is read while the one before is hashed.
pub(super) fn compare_body<D: BlockDevice>(session: &mut Session<D>, runs: &[Run]) -> Result<Compared, FlashError> {
    let mut found = no_values(session.image.map().len())?;
    let outcome = {
        let Session { device, image, gauge, data, other, tombstone, zeroes, rules, .. } = session;
        let (ours, skips) = (&*tombstone, *zeroes == Zeroes::Skip);
        let (image, span) = (Arc::clone(image), image.span());
        let (give, take) = sync_channel::<(Run, &mut AlignedBuf)>(1);
        let (give_back, take_back) = sync_channel::<&mut AlignedBuf>(2);
        for buffer in [data, other] {
            give_back.send(buffer).expect("its receiver is in hand");
        }
        let hasher = thread::Builder::new().name(thread::current().name().unwrap_or("flash").replacen("flash", "hash", 1));
        let found = &mut found;
        thread::scope(|scope| {
            let hash = move || {
                for (run, buffer) in take {
                    if skips && hide_zeroes(&image, ours, run, buffer).is_some() || !judge(&image, run, buffer, found) {
                        return Some(run);
                    }
                    // The reader may have ended.
                    let _done = give_back.send(buffer);
                }
                None
            };
            let no_thread = |error| FlashError::Internal { message: format!("no thread to hash a card with: {error}") };
            let hasher = hasher.spawn_scoped(scope, hash).map_err(no_thread)?;
            let mut failed = None;
            for run in runs {
                if gauge.is_cancelled() {
                    failed = Some(FlashError::Cancelled);
                    break;
                }
                // A hasher that met a wrong piece accepts no more.
                let Ok(buffer) = take_back.recv() else { break };
                if let Err(error) = calls::read(device, (gauge, rules), span, run.at, &mut buffer[..run.padded]) {
                    failed = Some(error);
                    break;
                }
                if give.send((*run, buffer)).is_err() {
                    break;
                }
                gauge.advance(to_u64(run.length));
            }
            drop(give);
            match (hasher.join(), failed) {
                (Ok(Some(wrong)), _) => Ok(Some(wrong)),
                (Ok(None), Some(error)) => Err(error),
                (Ok(None), None) => Ok(None),
                (Err(panic), _) => std::panic::resume_unwind(panic),
            }
        })?
    };
    match outcome {
        None => Ok(Compared::Right(found)),
        Some(wrong) => explain(session, wrong, session.zeroes == Zeroes::Skip).map(|at| Compared::Dirt { at }),
    }
}

/// Writes the head, its first block last, flushes it, reads it back, and checks once more that this is the admitted card.
///
/// # Errors
/// The error of the card or of the station's image, or the first wrong byte.
pub(crate) fn finish<D: BlockDevice>(body: BodyProven<'_, D>) -> Result<Verified, FlashError> {
    let BodyProven { session, mut found } = body;
    let evidence = write_head(session, &mut found)?;
    // An attempt that was given up until now stays given up: its row says so already.
    if !session.gauge.conclude() {
        return Err(FlashError::Cancelled);
    }
    session.gauge.set_head(CardHead::Image);
    Ok(Verified { evidence, rechecked: false })
}

fn write_head<D: BlockDevice>(session: &mut Session<D>, found: &mut [Option<PieceValue>]) -> Result<Evidence, FlashError> {
    let mut head = session.runs(true);
    session.gauge.enter(Step::Finishing, bytes_of(&head));
    session.stop_if_cancelled()?;
    session.ask_identity()?;
    session.gauge.set_head(CardHead::Unknown);
    // The first block is written last, and alone. A card that loses its power keeps any part of its unflushed data: until everything else
    // is durable, the tombstone is in the place of the partition table.
    head.reverse();
    let first = u64::from(session.device.logical_block());
    for run in &head {
        let end = run.at.0 + to_u64(run.length);
        let rest = run.at.0.max(first)..end;
        if rest.start < rest.end {
            session.write_image(&rest)?;
        }
    }
    // During the wait for a flush, the station may give the card up: then it must not be finished.
    session.flush()?;
    session.stop_if_cancelled()?;
    session.write_image(&(0..first.min(session.span().0)))?;
    session.flush()?;
    session.stop_if_cancelled()?;
    for run in head {
        session.read(run.at, run.padded)?;
        if !judge(&session.image, run, &session.data, found) {
            return Err(explain(session, run, false).map_or_else(|error| error, |at| FlashError::WriteIgnored { at }));
        }
        session.gauge.advance(to_u64(run.length));
    }
    session.ask_identity()?;
    conclude(session, found).ok_or(FlashError::StationImage { at: Bytes(0), source: None })
}

/// As many missing values as an image has pieces. They are reserved before they are made: an image of 16 GiB has half a MiB of them, and if
/// there is no memory, only this attempt ends.
pub(super) fn no_values(pieces: usize) -> Result<Vec<Option<PieceValue>>, FlashError> {
    let mut values = Vec::new();
    let no_memory = |error| FlashError::Internal { message: format!("no memory for an image's values: {error}") };
    values.try_reserve_exact(pieces).map_err(no_memory)?;
    values.resize(pieces, None);
    Ok(values)
}

/// Merges the values. `None` if a piece was not read back, or the whole is not the image.
pub(super) fn conclude<D: BlockDevice>(session: &Session<D>, found: &[Option<PieceValue>]) -> Option<Evidence> {
    match session.zeroes {
        Zeroes::Prove | Zeroes::Write => conclude_whole(session, found).map(Evidence::Whole),
        Zeroes::Skip => conclude_mapped(session, found).map(Evidence::Mapped),
    }
}

/// The same if zeroes are skipped: a piece with only zeroes need not have been read, and of the others only the data counts.
fn conclude_mapped<D: BlockDevice>(session: &Session<D>, found: &[Option<PieceValue>]) -> Option<MappedProof> {
    let (map, layout, extents) = (session.image.map(), session.image.layout(), session.image.extents());
    let (mut values, mut bytes) = (Vec::with_capacity(found.len()), 0);
    for (piece, value) in found.iter().enumerate() {
        let range = map.start(piece).0..map.start(piece).0 + map.length(piece).0;
        let data: u64 = extents.data_in(&range).into_iter().map(|data| data.end - data.start).sum();
        values.push(match value {
            Some(value) => *value,
            None if data == 0 => map.values()[piece],
            None => return None,
        });
        if value.is_some() {
            bytes += if layout.is_head(piece) { range.end - range.start } else { data };
        }
    }
    MappedProof::conclude(&ReadBack { digest: root(&values), bytes: Bytes(bytes) }, map.root(), session.mapped())
}

fn conclude_whole<D: BlockDevice>(session: &Session<D>, found: &[Option<PieceValue>]) -> Option<Proof> {
    let map = session.image.map();
    let values = found.iter().copied().collect::<Option<Vec<_>>>()?;
    let bytes = (0..values.len()).map(|piece| map.length(piece).0).sum();
    Proof::conclude(ReadBack { digest: root(&values), bytes: Bytes(bytes) }, map.root(), map.span())
}

/// The first piece of `run`, whose bytes are in `data`, that is not the map's.
fn first_other_piece(image: &Staged, run: Run, data: &[u8]) -> Option<usize> {
    let map = image.map();
    let pieces = data[..run.length].chunks(to_usize(PIECE)).zip(run.first..);
    pieces.into_iter().find(|(bytes, piece)| image.value_of(*piece, bytes) != map.values()[*piece]).map(|(_, piece)| piece)
}

/// Hashes every piece of `run`, whose bytes are in `data`, and compares it with the map. The padding behind the image's end was written
/// too, and must be zero.
pub(super) fn judge(image: &Staged, run: Run, data: &[u8], found: &mut [Option<PieceValue>]) -> bool {
    let map = image.map();
    for (index, bytes) in data[..run.length].chunks(to_usize(PIECE)).enumerate() {
        let piece = run.first + index;
        let value = image.value_of(piece, bytes);
        if value != map.values()[piece] {
            return false;
        }
        found[piece] = Some(value);
    }
    is_zero(&data[run.length..run.padded])
}

/// Puts zeroes in the places of the image's skipped zeroes, so that the card's contents there make no difference. Returns where a block of
/// this attempt is among them, and the place that the block names: it was written there, and not here.
pub(super) fn hide_zeroes(image: &Staged, ours: &Tombstone, run: Run, data: &mut [u8]) -> Option<(Bytes, Bytes)> {
    let range = run.at.0..run.at.0 + to_u64(run.length);
    let mut lie = None;
    for zeroes in image.extents().zeroes_in(&range) {
        // Behind the image's last byte, its last block continues as it ends.
        let end = if zeroes.end == range.end { run.padded } else { to_usize(zeroes.end - range.start) };
        let start = to_usize(zeroes.start - range.start);
        for (index, block) in data[start..end].chunks_mut(SECTOR).enumerate() {
            if let Some(holds) = ours.address_of(block) {
                lie.get_or_insert((Bytes(zeroes.start + to_u64(index * SECTOR)), holds));
            }
            block.fill(0);
        }
    }
    lie
}

/// A run is wrong: it is read once more, and compared with the staged image's own bytes, if those still are what was staged. If both are
/// equal, the card does not always return the same.
///
/// Returns the first wrong byte if the only difference is old contents inside the image's zeroes, and an error otherwise.
fn explain<D: BlockDevice>(session: &mut Session<D>, run: Run, hidden: bool) -> Result<Bytes, FlashError> {
    session.read(run.at, run.padded)?;
    if hidden && let Some((at, holds)) = hide_zeroes(&session.image, &session.tombstone, run, &mut session.data) {
        return Err(own_block(at, at, holds));
    }
    let (image, gauge) = (Arc::clone(&session.image), Arc::clone(&session.gauge));
    gauge
        .waiting(Waits::Image, || image.read_padded(run.at, &mut session.other[..run.padded]))
        .map_err(|source| FlashError::StationImage { at: run.at, source: Some(source) })?;
    // A card is never judged by a copy that is not what was staged.
    if let Some(piece) = first_other_piece(&session.image, run, &session.other) {
        return Err(FlashError::StationImage { at: session.image.map().start(piece), source: None });
    }
    let (found, expected) = (&session.data[..run.padded], &session.other[..run.padded]);
    let Some((offset, wrong)) = first_wrong(run.at, found, expected) else {
        return Err(FlashError::Unsteady { at: run.at });
    };
    let at = Bytes(run.at.0 + to_u64(offset));
    // A block of this attempt from another place is a proof of false capacity. A block of the image is not, if the image has zeroes there: it
    // may be left from another version of the image. If a zeroed place is a second address of another place, zeroing spoils that place, and
    // the next read-back shows it.
    if let Some(holds) = session.tombstone.address_of(wrong.found) {
        return Err(own_block(at, wrong.at, holds));
    }
    if is_zero(wrong.expected) && is_dirt(session, run) {
        return Ok(at);
    }
    if let Some(holds) = wrong.stray(&session.image).unwrap_or(None).filter(|place| place.0.abs_diff(at.0) >= PIECE) {
        return Err(FlashError::FalseCapacity { at, holds: Some(holds) });
    }
    let damage = wrong.damage(&session.image);
    Err(FlashError::Mismatch { at, expected: expected[offset], found: found[offset], damage })
}

/// A block of the station's own text where the image must be, wrong from `at` on: it was written for another place, or it is in its own
/// place, and the write that was to replace it was ignored.
fn own_block(at: Bytes, block: Bytes, holds: Bytes) -> FlashError {
    if holds == block { FlashError::WriteIgnored { at } } else { FlashError::FalseCapacity { at, holds: Some(holds) } }
}

/// Is every difference in `run` inside the image's zeroes? Then nothing was written there, and old contents are not a fault.
fn is_dirt<D: BlockDevice>(session: &Session<D>, run: Run) -> bool {
    let range = run.at.0..run.at.0 + to_u64(run.length);
    session.image.extents().data_in(&range).into_iter().all(|data| {
        let part = to_usize(data.start - run.at.0)..to_usize(data.end - run.at.0);
        session.data[part.clone()] == session.other[part]
    })
}
