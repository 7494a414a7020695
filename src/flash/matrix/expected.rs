//! The right outcome of each fault at each moment, as the promises of the project have it. Written from the promises, not from the engine.
//!
//! - A card that left is PULLED, whatever its calls answer, and another card in its place is never judged.
//! - A fault of the station is a fault of the station. A good card that is only slow to take its bytes passes.
//! - A reason names what went wrong and the first byte of it: the call that was answered with an error, or the byte that is wrong.
//! - A card is not begun twice: one error, even one that would pass, is a failure. Only a card that is rechecked and cannot be read in its
//!   head is not done, and is written.
//! - A faulty card whose head was touched holds the tombstone, unless the fault itself prevents that.

use super::faults::Kind;
use super::moments::Moment;
use super::plans::{Flush, Image, Setup, Size, Task};
use crate::station::armed::Zeroes;
use crate::station::outcome::CardHead;

/// The right outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// A proof, made by writing or by rechecking, that stays true.
    Proof,
    /// A proof, and the kernel's count shows that another program wrote since: the card is CHANGED.
    ProofThenChanged,
    /// A proof; then the card is gone, and nothing is known of it.
    ProofThenGone,
    /// A proof that is not true: no card that stays powered can show this.
    Unseen,
    /// The card left.
    Gone,
    /// It was stopped as asked.
    Cancelled,
    /// The card failed for one of these reasons.
    Failed(&'static [&'static str], Place),
    /// The station failed for this reason.
    Station(&'static str, Place),
    /// Refused untouched for this reason.
    Refused(&'static str),
}

/// The place that the reason names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The first byte of the call that was struck.
    Call,
    /// Some byte of that call.
    Within,
    /// The byte that was struck.
    Byte,
    /// This byte of the card.
    At(u64),
    /// The image's end: a flush concerns the whole card.
    Span,
    /// No place is right more than another.
    Any,
}

use Expected::{Cancelled, Failed, Gone, Proof, ProofThenChanged, ProofThenGone, Refused, Station, Unseen};

const WRITE_ERROR: &[&str] = &["write-error"];
const READ_ERROR: &[&str] = &["read-error"];
const FLUSH_ERROR: &[&str] = &["flush-error"];
const MISMATCH: &[&str] = &["mismatch"];
const UNSTEADY: &[&str] = &["unsteady"];
const IGNORED: &[&str] = &["write-ignored"];
const FALSE_CAPACITY: &[&str] = &["false-capacity"];

/// The right outcome of this fault at this moment.
pub(super) fn expected(fault: Kind, moment: Moment, setup: &Setup) -> Expected {
    let usual = if setup.task.proves() { Proof } else { Refused("partitioned") };
    // The card does not hold the image, as it seems.
    let not_done = if setup.task.may_write() { Proof } else { Refused("partitioned") };
    let is_over = moment == Moment::Proven;
    match fault {
        Kind::PulledEnodev | Kind::PulledEioEnospc | Kind::PulledEnomedium | Kind::Swapped if is_over => ProofThenGone,
        Kind::PulledEnodev | Kind::PulledEioEnospc | Kind::PulledEnomedium | Kind::Swapped | Kind::FlushDisconnects => Gone,
        Kind::Cancelled if is_over => Proof,
        Kind::Cancelled => Cancelled,
        Kind::ShortCounts | Kind::Interrupted | Kind::LastSectorAlone | Kind::FlushRefused => usual,
        Kind::FlushStalled | Kind::FlushLost | Kind::FlushUnclear if setup.flush == Flush::Required => Refused("unflushed"),
        Kind::FlushStalled | Kind::FlushLost | Kind::FlushUnclear => usual,
        Kind::NeverReady if moment == Moment::RecheckHead && setup.task.may_write() => Failed(WRITE_ERROR, Place::At(0)),
        Kind::NeverReady if moment == Moment::RecheckHead => not_done,
        Kind::NeverReady if moment.call() == super::moments::Call::Read => Failed(READ_ERROR, Place::Call),
        Kind::NeverReady | Kind::WriteErrorOnce | Kind::WriteErrorForEver | Kind::ZeroingRefused => Failed(WRITE_ERROR, Place::Call),
        Kind::ReadOnlyErofs | Kind::ReadOnlyEperm | Kind::ReadOnlyEio => match moment {
            Moment::Claimed if setup.task.writes() => Failed(WRITE_ERROR, Place::At(0)),
            Moment::Claimed => usual,
            _ => Failed(WRITE_ERROR, Place::Call),
        },
        Kind::ReadErrorOnce if moment == Moment::RecheckHead => not_done,
        Kind::ReadErrorForEver | Kind::ReadNoData if moment == Moment::RecheckHead && !setup.task.may_write() => not_done,
        Kind::ReadErrorOnce | Kind::ReadErrorForEver | Kind::ReadNoData => Failed(READ_ERROR, Place::Call),
        Kind::FlipOnReadOnce if moment == Moment::RecheckHead => not_done,
        Kind::FlipOnReadOnce => Failed(UNSTEADY, Place::Call),
        Kind::FlipOnReadForEver if moment.is_recheck() && !setup.task.may_write() => not_done,
        Kind::FlipOnReadForEver => Failed(MISMATCH, Place::Byte),
        // The place of a mark is no place of the image, or is zeroed again.
        Kind::FlipOnWrite if moment == Moment::MarksErase => usual,
        Kind::FlipOnWrite => Failed(MISMATCH, Place::Byte),
        Kind::WritesIgnored => ignored(moment, setup, usual),
        Kind::LostAtFlush => lost_at_flush(moment, setup, usual),
        Kind::KeptInCache => {
            if setup.task.writes() {
                Unseen
            } else {
                usual
            }
        }
        Kind::Misplaced | Kind::Shifted => misplaced(fault, moment, setup, usual),
        Kind::Disturbing => disturbing(moment, setup, usual),
        Kind::Wraps | Kind::WrapsOddly | Kind::Drops => lies(fault, setup, not_done),
        Kind::ZeroingIgnored => {
            let is_dirty = setup.image == Image::Sparse && setup.task == Task::WriteUsed && setup.zeroes != Zeroes::Skip;
            if is_dirty { Failed(IGNORED, Place::Any) } else { usual }
        }
        Kind::FlushErrorOnce | Kind::FlushSilent => Failed(FLUSH_ERROR, Place::Span),
        Kind::ImageCut | Kind::ImageRotten => image_fault(moment, setup, usual),
        Kind::NoMemory => Station("station-internal", Place::Any),
        Kind::AnotherWrites => another_writes(moment, setup, usual, not_done),
    }
}

/// A mark inside the image's zeroes: it is read again with the body.
fn marks_begin_inside(setup: &Setup) -> bool {
    setup.marks().first().is_some_and(|mark| *mark < setup.image.length())
}

/// The first byte of the head that is read back: its backup part, if it has one, is read first.
fn first_of_head(setup: &Setup) -> u64 {
    setup.image.head().last().map_or(0, |range| range.start)
}

/// From this moment on no write changes the card.
fn ignored(moment: Moment, setup: &Setup, usual: Expected) -> Expected {
    match moment {
        Moment::Claimed if !setup.task.writes() => usual,
        Moment::Claimed | Moment::Tombstone | Moment::HeadFirst => Failed(IGNORED, Place::At(0)),
        Moment::Marks => Failed(IGNORED, Place::Call),
        Moment::MarksErase if marks_begin_inside(setup) => Failed(IGNORED, Place::Call),
        Moment::MarksErase | Moment::HeadRest => Failed(IGNORED, Place::At(first_of_head(setup))),
        // What was there before may be right, and a mark that is not erased may be met first.
        _ if setup.task == Task::RecheckHalf || setup.image == Image::Sparse => Failed(&["mismatch", "write-ignored"], Place::Any),
        _ => Failed(MISMATCH, Place::Within),
    }
}

/// From this moment on, no flush keeps what was written before it.
fn lost_at_flush(moment: Moment, setup: &Setup, usual: Expected) -> Expected {
    let in_head = Failed(IGNORED, Place::At(first_of_head(setup)));
    match moment {
        Moment::Claimed if !setup.task.writes() => usual,
        Moment::Claimed | Moment::TombstoneFlush | Moment::HeadFlush => Failed(IGNORED, Place::At(0)),
        Moment::BodyFlush => match setup.marks().first() {
            Some(mark) => Failed(IGNORED, Place::At(*mark)),
            None if setup.image == Image::OnePiece => in_head,
            None => Failed(MISMATCH, Place::Any),
        },
        _ => in_head,
    }
}

/// One write lands in another place, which is one block or one piece further on.
fn misplaced(fault: Kind, moment: Moment, setup: &Setup, usual: Expected) -> Expected {
    let is_simple = setup.image == Image::Ragged && setup.task != Task::RecheckHalf;
    match moment {
        Moment::Tombstone | Moment::HeadFirst => Failed(IGNORED, Place::At(0)),
        // One write that is lost in such a place looks like a false capacity.
        Moment::Marks => Failed(FALSE_CAPACITY, Place::Call),
        Moment::MarksErase if marks_begin_inside(setup) => Failed(IGNORED, Place::Call),
        Moment::MarksErase => usual,
        Moment::HeadRest => Failed(IGNORED, Place::Call),
        _ if fault == Kind::Shifted || is_simple => Failed(MISMATCH, Place::Within),
        _ => Failed(&["mismatch", "false-capacity"], Place::Any),
    }
}

/// One write spoils a byte of the body, too.
fn disturbing(moment: Moment, setup: &Setup, usual: Expected) -> Expected {
    let victim = Place::At(setup.image.victim().unwrap_or(0));
    match moment {
        // It is written later.
        Moment::Tombstone | Moment::Marks => usual,
        // A whole read of the body stands behind every write but those of the head.
        Moment::HeadRest | Moment::HeadFirst => Unseen,
        _ => Failed(MISMATCH, victim),
    }
}

/// The card claims eight times what it holds.
fn lies(fault: Kind, setup: &Setup, not_done: Expected) -> Expected {
    let holds = fault.holds(setup.card(), u64::from(setup.block)).unwrap_or(u64::MAX);
    let is_done = matches!(setup.task, Task::RecheckDone | Task::OnlyDone);
    // What it holds is all of the image, and nothing is written to it.
    if is_done && setup.padded_span() <= holds {
        return Proof;
    }
    if !setup.task.may_write() {
        return not_done;
    }
    // Marks at powers of two and few writes meet no place twice if the real length is none. The image itself is right.
    let is_missed = setup.image == Image::OnePiece && setup.size == Size::MuchLarger && fault != Kind::Drops;
    if is_missed {
        return Proof;
    }
    // Without marks, only what came back can tell: zeroes, or data of another place.
    let codes: &[&str] = match (setup.size, fault) {
        (Size::Equal, Kind::Drops) => &["false-capacity", "mismatch", "write-ignored"],
        // No card holds less than a piece: that looks like a fault on the way.
        (Size::Equal, _) if setup.image == Image::OnePiece => &["mismatch"],
        _ => FALSE_CAPACITY,
    };
    Failed(codes, Place::Any)
}

/// The station's own copy cannot be read, or is not what was staged. The card is compared with the map, which is in memory: once the head
/// is written, the copy is not needed.
fn image_fault(moment: Moment, setup: &Setup, usual: Expected) -> Expected {
    let is_needed = setup.task.writes() && !matches!(moment, Moment::HeadFlush | Moment::HeadRead | Moment::Proven);
    match moment {
        _ if !is_needed => usual,
        // The call begins with a piece, and the map knows pieces.
        Moment::EarlyBody => Station("station-image", Place::Call),
        _ => Station("station-image", Place::Any),
    }
}

/// Another program changes a byte of the first part of the body.
fn another_writes(moment: Moment, setup: &Setup, usual: Expected, not_done: Expected) -> Expected {
    let is_done = matches!(setup.task, Task::RecheckDone | Task::OnlyDone);
    match moment {
        Moment::Claimed | Moment::RecheckHead | Moment::RecheckFirst if is_done => not_done,
        Moment::RecheckLast => ProofThenChanged,
        Moment::Claimed
        | Moment::RecheckHead
        | Moment::RecheckFirst
        | Moment::Asked
        | Moment::Tombstone
        | Moment::TombstoneFlush
        | Moment::TombstoneRead
        | Moment::Marks
        | Moment::EarlyBody => usual,
        Moment::LateBody | Moment::Zeroing | Moment::BodyFlush | Moment::MarksRead | Moment::MarksErase | Moment::ReadFirst => {
            Failed(MISMATCH, Place::At(setup.image.victim().unwrap_or(0)))
        }
        // It was read before.
        Moment::ReadMiddle
        | Moment::ReadLast
        | Moment::TombstoneAgain
        | Moment::HeadRest
        | Moment::HeadRestFlush
        | Moment::HeadFirst
        | Moment::HeadFlush
        | Moment::HeadRead
        | Moment::Proven => ProofThenChanged,
    }
}

/// The right contents of the head of a card that is not proven, of which the row has to know; several if chance decides.
pub(super) fn expected_head(fault: Kind, moment: Moment, setup: &Setup, outcome: &Expected) -> Vec<CardHead> {
    let begins_untouched = moment < Moment::Tombstone;
    match outcome {
        Refused(_) => return vec![CardHead::Untouched],
        Gone => {
            return vec![match moment {
                _ if begins_untouched => CardHead::Untouched,
                Moment::Tombstone | Moment::TombstoneFlush | Moment::TombstoneRead => CardHead::Unknown,
                _ if moment >= Moment::HeadRest => CardHead::Unknown,
                _ => CardHead::Tombstone,
            }];
        }
        _ => {}
    }
    let in_head = matches!(moment, Moment::Tombstone | Moment::HeadRest | Moment::HeadFirst);
    let reads_head = matches!(moment, Moment::RecheckHead | Moment::TombstoneRead | Moment::TombstoneAgain | Moment::HeadRead);
    let is_lie = fault.holds(setup.card(), u64::from(setup.block));
    let prevented = match fault {
        Kind::NeverReady => !moment.is_recheck() || moment == Moment::RecheckHead,
        Kind::WriteErrorForEver => in_head,
        Kind::ReadOnlyErofs | Kind::ReadOnlyEperm | Kind::ReadOnlyEio => in_head || moment == Moment::Claimed,
        Kind::ReadErrorForEver | Kind::ReadNoData | Kind::FlipOnReadForEver => reads_head,
        Kind::WritesIgnored => matches!(moment, Moment::Claimed | Moment::Tombstone | Moment::HeadFirst),
        Kind::LostAtFlush => matches!(moment, Moment::Claimed | Moment::TombstoneFlush | Moment::HeadFlush),
        Kind::FlushSilent => matches!(moment, Moment::TombstoneFlush | Moment::HeadRestFlush | Moment::HeadFlush),
        _ => false,
    };
    let touched = match fault {
        // The attempt ends at this call, before the first write.
        Kind::Cancelled | Kind::NoMemory => !begins_untouched,
        Kind::ReadErrorOnce | Kind::ReadErrorForEver | Kind::ReadNoData | Kind::FlipOnReadOnce | Kind::NeverReady => {
            !begins_untouched || moment == Moment::RecheckHead
        }
        // The half that is missing is met in the recheck, and the copy is read to say what is wrong.
        Kind::ImageCut | Kind::ImageRotten if setup.task == Task::RecheckHalf && setup.image != Image::OnePiece => {
            !begins_untouched || moment == Moment::Asked
        }
        _ => true,
    };
    match (touched, prevented, is_lie) {
        (false, ..) => vec![CardHead::Untouched],
        (true, true, _) => vec![CardHead::Unknown],
        // Its real length is less than the head: how much of the tombstone stands is chance.
        (true, false, Some(holds)) if setup.image.head().last().is_some_and(|range| range.end > holds) => {
            vec![CardHead::Tombstone, CardHead::Unknown]
        }
        (true, false, _) => vec![CardHead::Tombstone],
    }
}
