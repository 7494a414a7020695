//! The properties of every cell. Each is a sentence, and a cell that breaks it says so.

use std::ops::Range;

use super::expected::{Expected, Place, expected, expected_head};
use super::faults::FOREIGN;
use super::moments::Moment;
use super::plans::{Flush, Setup, Task};
use super::run::{Cell, Ran, at, raw, shared};
use crate::device::ram::Did;
use crate::station::End;
use crate::station::armed::Zeroes;
use crate::station::outcome::{CacheFlush, CardHead, Failure, StationFault};
use crate::station::units::{MIB, to_usize};

/// Every property that the cell breaks.
pub(super) fn broken(cell: &Cell, ran: &Ran) -> Vec<String> {
    let expected = expected(cell.fault, cell.moment, &cell.setup);
    let mut broken = Vec::new();
    let mut hold = |holds: bool, sentence: String| {
        if !holds {
            broken.push(sentence);
        }
    };
    hold(ran.strike.is_some(), "the moment comes".to_owned());
    hold(expected == Expected::Unseen || is_true(cell, ran), "green is true: every byte of the span is on the medium".to_owned());
    if expected == Expected::Unseen {
        hold(!is_true(cell, ran), "what is called invisible is really wrong on the medium".to_owned());
    }
    let right = outcome(cell, ran, &expected);
    hold(right.is_ok(), format!("the outcome is the right one: {}", right.err().unwrap_or_default()));
    if !ran.end.is_proof() {
        let heads = expected_head(cell.fault, cell.moment, &cell.setup, &expected);
        hold(heads.contains(&ran.effort.head), format!("the row knows the head: {:?}, and {heads:?} is right", ran.effort.head));
    }
    hold(head_is_as_told(cell, ran), format!("the head is what the row says: {:?}", ran.effort.head));
    hold(cannot_boot(cell, ran), "a card that was left before the first block was written cannot boot".to_owned());
    let stray = stray(&cell.setup, &ran.ram.did);
    hold(stray.is_none(), format!("only the image's places and the station's own are written: {stray:?}"));
    let early = before_the_tombstone(&cell.setup, &ran.ram.did);
    hold(early.is_none(), format!("nothing is written before the tombstone is flushed: {early:?}"));
    let strays = ran.ram.written_after_swap();
    hold(strays <= 1, format!("at most the call under way reaches another card: {strays}"));
    hold(ran.effort.flush == flush_word(cell, ran), format!("the row knows what the device answered: {:?}", ran.effort.flush));
    broken
}

/// Is this end the right one? Otherwise a sentence.
fn outcome(cell: &Cell, ran: &Ran, expected: &Expected) -> Result<(), String> {
    let wrong = || Err(format!("{:?}, written since {:?}, struck {:?}, and {expected:?} is right", ran.end, ran.written_since, ran.strike));
    let is_as_usual = is_usual_proof(&cell.setup, &ran.end, expected);
    let right = match (expected, &ran.end) {
        (Expected::Proof | Expected::Unseen, end) => end.is_proof() && is_as_usual && ran.written_since == Some(0),
        (Expected::ProofThenChanged, end) => end.is_proof() && is_as_usual && ran.written_since == Some(FOREIGN),
        (Expected::ProofThenGone, end) => end.is_proof() && is_as_usual && ran.written_since.is_none(),
        (Expected::Gone, End::Gone) | (Expected::Cancelled, End::Cancelled) => true,
        (Expected::Refused(code), End::Refused(refusal)) => refusal.code() == *code,
        (Expected::Failed(codes, place), End::Failed(failure)) => {
            codes.contains(&failure.code()) && is_there(cell, ran, *place, failure.at().map(|at| at.0)) && tells(cell, failure)
        }
        (Expected::Station(code, place), End::StationFault(fault)) => {
            fault.code() == *code && is_there(cell, ran, *place, station_place(fault))
        }
        _ => false,
    };
    if right { Ok(()) } else { wrong() }
}

/// A card that already held the image is rechecked, unless a fault made it look otherwise; if zeroes are skipped, the proof says so.
fn is_usual_proof(setup: &Setup, end: &End, expected: &Expected) -> bool {
    let is_mapped = matches!(end, End::VerifiedMapped(_) | End::RecheckedMapped(_));
    let is_rechecked = matches!(end, End::Rechecked(_) | End::RecheckedMapped(_));
    let may_be = match setup.task {
        Task::OnlyDone => is_rechecked,
        Task::RecheckDone => is_rechecked || *expected == Expected::Proof,
        _ => !is_rechecked,
    };
    may_be && is_mapped == (setup.zeroes == Zeroes::Skip)
}

fn station_place(fault: &StationFault) -> Option<u64> {
    fault.at().map(|at| at.0)
}

/// Does the reason name the right place?
fn is_there(cell: &Cell, ran: &Ran, place: Place, named: Option<u64>) -> bool {
    let Some(strike) = ran.strike else { return false };
    match place {
        Place::Any => true,
        Place::Call => named == Some(strike.at),
        Place::Within => named.is_some_and(|named| (strike.at..strike.at + strike.length).contains(&named)),
        Place::Byte => named == Some(strike.place),
        Place::At(byte) => named == Some(byte),
        Place::Span => named == Some(cell.setup.image.length()),
    }
}

/// Does the reason name the error of the call, and does its sentence have the place?
fn tells(cell: &Cell, failure: &Failure) -> bool {
    let has_errno = match failure {
        Failure::Io { errno, .. } => cell.fault.errno() == *errno,
        _ => true,
    };
    has_errno && failure.at().is_none_or(|at| failure.to_string().contains(&format!("byte {}", at.0)))
}

/// Is a card that would be shown green right? Every byte of the span, or, if zeroes are skipped, of the head and of the data.
fn is_true(cell: &Cell, ran: &Ran) -> bool {
    if !ran.end.is_proof() || ran.written_since != Some(0) {
        return true;
    }
    let (image, span) = (raw(cell.setup.image), cell.setup.image.length());
    let same = |range: Range<u64>| at(ran, &range) == &image[to_usize(range.start)..to_usize(range.end)];
    let padding = at(ran, &(span..cell.setup.padded_span())).iter().all(|byte| *byte == 0);
    padding
        && if cell.setup.zeroes == Zeroes::Skip {
            cell.setup.image.head().into_iter().all(same) && shared(cell.setup.image).1.extents().data().iter().cloned().all(same)
        } else {
            same(0..span)
        }
}

/// The text of the tombstone in every block of this range, and no boot signature.
fn is_tombstone(ran: &Ran, range: &Range<u64>) -> bool {
    at(ran, range).chunks(512).all(|block| block.starts_with(b"FLASHLINE: this card is not finished") && !block.ends_with(&[0x55, 0xaa]))
}

/// Is the head on the medium what the row says of it?
fn head_is_as_told(cell: &Cell, ran: &Ran) -> bool {
    match ran.effort.head {
        CardHead::Untouched => ran.ram.did.iter().all(|did| !matches!(did, Did::Write { .. } | Did::Zero { .. })),
        CardHead::Tombstone => {
            let whole = |range: Range<u64>| range.start..range.end.next_multiple_of(u64::from(cell.setup.block));
            cell.setup.image.head().into_iter().all(|range| is_tombstone(ran, &whole(range)))
        }
        CardHead::Image => ran.end.is_proof(),
        CardHead::Unknown => !ran.end.is_proof(),
    }
}

/// A card that left before its first block was written holds the tombstone in it.
fn cannot_boot(cell: &Cell, ran: &Ran) -> bool {
    let half_written = ran.end == End::Gone && cell.moment > Moment::Tombstone && cell.moment <= Moment::HeadFirst;
    !half_written || is_tombstone(ran, &(0..512))
}

/// The places that an attempt may write: the span, marks, and the last MiB.
fn stray(setup: &Setup, did: &[Did]) -> Option<Did> {
    let (card, block) = (setup.card(), u64::from(setup.block));
    let marks = setup.marks();
    let is_allowed = |at: u64, length: u64| {
        let end = at + length;
        let is_mark = length == block && marks.contains(&at);
        end <= setup.padded_span() || at >= card.saturating_sub(MIB) && end <= card || is_mark
    };
    did.iter().copied().find(|did| match *did {
        Did::Write { at, length } | Did::Zero { at, length } => !is_allowed(at, length),
        Did::Read { at, length } => at + length > card,
        Did::Flush | Did::Ask => false,
    })
}

/// The first write that is not of the tombstone before the tombstone is flushed. The card's last block goes with it.
fn before_the_tombstone(setup: &Setup, did: &[Did]) -> Option<Did> {
    let last = setup.card() - u64::from(setup.block);
    let is_head = |at: u64| at == last || setup.image.head().iter().any(|range| range.contains(&at));
    let first = did.iter().find(|did| matches!(did, Did::Write { .. } | Did::Zero { .. }));
    if let Some(first) = first
        && !matches!(first, Did::Write { at: 0, .. })
    {
        return Some(*first);
    }
    let until = did.iter().position(|did| *did == Did::Flush).unwrap_or(did.len());
    did[..until].iter().copied().find(|did| match *did {
        Did::Write { at, .. } => !is_head(at),
        Did::Zero { .. } => true,
        Did::Read { .. } | Did::Flush | Did::Ask => false,
    })
}

/// The word of the row for the answer of the device; nothing if the attempt did not get so far.
fn flush_word(cell: &Cell, ran: &Ran) -> Option<CacheFlush> {
    let asked = ran.ram.did.contains(&Did::Ask);
    match cell.setup.flush {
        Flush::ByKernel => ran.effort.flush.filter(|word| *word == CacheFlush::None),
        Flush::Asked | Flush::Required if !asked => None,
        Flush::Asked | Flush::Required => Some(match cell.fault.answer() {
            _ if ran.end == End::Gone && cell.moment <= Moment::Asked && cell.fault.answer().is_none() => {
                // It left before it could answer, or a swapped card answered.
                return ran.effort.flush;
            }
            None => CacheFlush::Asked,
            Some(crate::device::FlushAnswer::Refused) => CacheFlush::Refused,
            Some(_) => CacheFlush::Unanswered,
        }),
    }
}

/// The outcome in a word, for the document.
pub(super) fn word(cell: &Cell, ran: &Ran) -> String {
    let unseen = expected(cell.fault, cell.moment, &cell.setup) == Expected::Unseen;
    let word = match &ran.end {
        End::Verified(_) | End::VerifiedMapped(_) if unseen => "unseen",
        End::Rechecked(_) | End::RecheckedMapped(_) if ran.written_since == Some(0) => "done",
        end if end.is_proof() => match ran.written_since {
            Some(0) => "passes",
            Some(_) => "changed",
            None => "unknown",
        },
        End::Failed(failure) => failure.code(),
        End::Refused(refusal) => refusal.code(),
        End::StationFault(fault) => fault.code(),
        End::Gone => "pulled",
        End::Cancelled => "stopped",
        _ => "passes",
    };
    let head = if ran.effort.head == CardHead::Unknown { "*" } else { "" };
    format!("{word}{head}")
}
