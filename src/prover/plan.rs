//! Which faults are planted where, and what the verifier must say of each medium.
//!
//! The places are chosen so that no part of the verifier can be left out unnoticed: the first and the last byte of the body, the padding
//! behind it, the head after its own write, the zeroes of the image, the marks, the tombstone.

use super::medium::{BODY, FLIPPED, LENGTH, Medium, SPAN, ZEROES};
use super::planted::{Plant, SECTOR};
use crate::station::armed::Zeroes;
use crate::station::outcome::{Damage, Failure, Refusal};
use crate::station::prover::{PlantedFault, Said};
use crate::station::record::Plan;
use crate::station::units::{Bytes, KIB, MIB};

/// A logical block of the medium, by which places are chosen.
const BLOCK: u64 = 4 * KIB;
/// A block in the zeroes of the image of which no sample is taken, and which is no place of a mark.
const UNSAMPLED: u64 = ZEROES.start + 130 * BLOCK;
/// The places of the marks: the one power of two in the zeroes, and the last block.
const MARK: u64 = 2 * MIB;
const LAST: u64 = LENGTH - BLOCK;

/// The state of the medium before the engine begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// It has the contents of a used card. The image's zeroes are zeroes there already, except in this block.
    Used { dirty: Option<u64> },
    /// It has what the trial before left on it.
    AsItWas,
    /// The same, with this bit flipped.
    Flipped { at: u64 },
}

/// What the verifier must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// The medium is good.
    Good,
    /// The medium does not hold the image, and that is no fault of it.
    NotDone,
    /// It is bad: this kind of fault, found at this byte.
    Bad { kind: Kind, at: u64 },
}

/// A kind of fault, as the engine names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    WriteIgnored,
    Mismatch(Damage),
    FalseCapacity { holds: u64 },
}

impl Expected {
    /// Whether the verifier said so. Of a block that is wrong as a whole, the first wrong byte depends on its contents, so that only its
    /// sector counts.
    pub(super) fn is(self, said: &Said) -> bool {
        match (self, said) {
            (Self::Good, Said::Good) | (Self::NotDone, Said::NotDone) => true,
            (Self::Bad { kind, at }, Said::Bad(failure)) => {
                let is_there = |found: Bytes| found.0 == at || (kind.is_of_a_block() && found.0 / SECTOR == at / SECTOR);
                match (kind, failure) {
                    (Kind::WriteIgnored, Failure::WriteIgnored { at }) => is_there(*at),
                    (Kind::Mismatch(expected), Failure::Mismatch { at, damage, .. }) => expected == *damage && is_there(*at),
                    (Kind::FalseCapacity { holds: expected }, Failure::FalseCapacity { at, holds }) => {
                        *holds == Some(Bytes(expected)) && is_there(*at)
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }
}

impl Kind {
    fn is_of_a_block(self) -> bool {
        !matches!(self, Self::Mismatch(Damage::BitsFlipped { .. }))
    }
}

/// One run of the engine.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) before: Before,
    pub(super) plant: Option<Plant>,
    pub(super) plan: Plan,
    pub(super) zeroes: Zeroes,
    pub(super) expected: Expected,
}

impl Trial {
    /// The planted fault and its place; `None` for a healthy medium.
    pub(super) fn fault(&self) -> Option<(PlantedFault, Bytes)> {
        let planted = self.plant.map(Plant::fault);
        planted.or(if let Before::Flipped { at } = self.before { Some((PlantedFault::FlippedBit, Bytes(at))) } else { None })
    }

    fn written(plant: Plant, kind: Kind, at: u64) -> Self {
        Self {
            before: Before::Used { dirty: None },
            plant: Some(plant),
            plan: Plan::Write,
            zeroes: Zeroes::Prove,
            expected: Expected::Bad { kind, at },
        }
    }

    /// A card that may be done already is read.
    fn rechecked(before: Before, expected: Expected) -> Self {
        Self { before, plant: None, plan: Plan::RecheckOnly(Refusal::Partitioned), zeroes: Zeroes::Prove, expected }
    }
}

/// Every trial, in its order: the healthy ones first, so that a state disk that cannot be used shows there.
pub(super) fn trials(medium: &Medium) -> Vec<Trial> {
    let healthy = Trial {
        before: Before::Used { dirty: Some(UNSAMPLED) },
        plant: None,
        plan: Plan::Write,
        zeroes: Zeroes::Prove,
        expected: Expected::Good,
    };
    let (mut trials, middle) = (vec![healthy], BODY + 44 * KIB);
    trials.push(Trial::rechecked(Before::AsItWas, Expected::Good));
    trials.push(Trial::rechecked(Before::Flipped { at: middle }, Expected::NotDone));
    trials.extend(flipped_bits());
    trials.extend(ignored_writes(medium, middle));
    let from = ZEROES.end + 16 * KIB;
    let shifted = Kind::Mismatch(Damage::Shifted { sectors: 1 });
    trials.push(Trial::written(Plant::ShiftedSector { from }, shifted, medium.differs_from_shifted(from, SECTOR)));
    trials.extend(aliases());
    trials.extend(stale_caches(medium));
    trials
}

fn flipped_bits() -> Vec<Trial> {
    let flip = |at, nth| Plant::FlippedBit { at, bit: FLIPPED, nth };
    let one_bit = Kind::Mismatch(Damage::BitsFlipped { bits: 1 });
    let padding = SPAN.next_multiple_of(BLOCK) - 1;
    let skipping = Trial { zeroes: Zeroes::Skip, ..Trial::written(flip(SPAN - 1, 1), one_bit, SPAN - 1) };
    vec![
        Trial::written(flip(BODY, 1), one_bit, BODY),
        Trial::written(flip(ZEROES.start - 1, 1), one_bit, ZEROES.start - 1),
        Trial::written(flip(SPAN - 1, 1), one_bit, SPAN - 1),
        skipping,
        // Zeroes are expected there, and zeroing them again does not help.
        Trial::written(flip(padding, 1), Kind::WriteIgnored, padding),
        // The tombstone is right; the image's own head, which is written last, is not.
        Trial::written(flip(BODY - 1, 2), one_bit, BODY - 1),
    ]
}

fn ignored_writes(medium: &Medium, middle: u64) -> Vec<Trial> {
    let zeroing = Trial::written(Plant::IgnoredZeroing { block: UNSAMPLED }, Kind::WriteIgnored, UNSAMPLED);
    vec![
        // The tombstone: its text differs from the earlier contents in its first byte.
        Trial::written(Plant::IgnoredWrite { block: 0, nth: 1 }, Kind::WriteIgnored, 0),
        Trial::written(Plant::IgnoredWrite { block: middle, nth: 1 }, Kind::Mismatch(Damage::Other), medium.differs_from_earlier(middle)),
        Trial { before: Before::Used { dirty: Some(UNSAMPLED) }, ..zeroing },
    ]
}

/// Addresses that the medium does not tell apart.
fn aliases() -> Vec<Trial> {
    let end_of_head = BODY - BLOCK;
    let doubled = 128 * BLOCK;
    vec![
        // Two marks: only they show it.
        Trial::written(Plant::AliasedBlock { block: LAST, to: MARK }, Kind::FalseCapacity { holds: LAST }, MARK),
        // The tombstone's block at the end of the card lands in the head.
        Trial::written(Plant::AliasedBlock { block: LAST, to: end_of_head }, Kind::FalseCapacity { holds: LAST }, end_of_head),
        // A part of the body is right in its place, and also stands in the head.
        Trial::written(Plant::DoubledWrite { block: ZEROES.end, to: doubled }, Kind::FalseCapacity { holds: ZEROES.end }, doubled),
    ]
}

fn stale_caches(medium: &Medium) -> Vec<Trial> {
    vec![
        Trial::written(Plant::StaleCache { block: BODY, nth: 1 }, Kind::Mismatch(Damage::Other), medium.differs_from_earlier(BODY)),
        // Only the tombstone reached the medium.
        Trial::written(Plant::StaleCache { block: 0, nth: 2 }, Kind::WriteIgnored, 0),
    ]
}
