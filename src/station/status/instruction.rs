//! The instructions for the operator, as stable codes and English sentences.

use crate::station::types::card::Use;
use crate::station::types::outcome::Refusal;

/// An instruction for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Instruction {
    /// Put a card in.
    PutIn,
    /// Wait: the station is busy with the card.
    Wait,
    /// Take it out: good.
    TakeGood,
    /// Take it out: not bad.
    TakeAside,
    /// Take it out: bad.
    TakeBad,
    /// The card is already out, and bad.
    ThatOneBad,
    /// Cards were lost with their reader.
    AllThoseBad,
    /// Take it out, put it in again.
    PutInAgain,
    /// Take it out, put it into another slot, once.
    TryElsewhere,
    /// Slide the lock of the card, put it in again.
    SlideLock,
    /// Take this card out and use another.
    UseAnother,
    /// Take a blank card.
    UseBlank,
    /// No card, or not one for this slot.
    NotForThisSlot,
    /// The order is complete.
    KeepForNextOrder,
    /// The PC needs a newer kernel.
    NewerKernel,
    /// The supervisor decides the next step.
    CallSupervisor,
    /// The operator cannot help.
    CallEngineer,
}

impl Instruction {
    /// All instructions that an operator can get.
    pub const ALL: [Self; 17] = [
        Self::PutIn,
        Self::Wait,
        Self::TakeGood,
        Self::TakeAside,
        Self::TakeBad,
        Self::ThatOneBad,
        Self::AllThoseBad,
        Self::PutInAgain,
        Self::TryElsewhere,
        Self::SlideLock,
        Self::UseAnother,
        Self::UseBlank,
        Self::NotForThisSlot,
        Self::KeepForNextOrder,
        Self::NewerKernel,
        Self::CallSupervisor,
        Self::CallEngineer,
    ];

    /// The instruction for a refusal.
    #[must_use]
    pub(crate) fn of_refusal(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NoArmedImage
            | Refusal::CannotOpen { .. }
            | Refusal::Recabled { .. }
            | Refusal::Uncovered
            | Refusal::Marked { .. }
            | Refusal::InUse(Use::Holder { cure: Some(_), .. }) => Self::CallEngineer,
            Refusal::WriteProtected => Self::SlideLock,
            Refusal::TooSmall { .. } | Refusal::CapacityOutside { .. } | Refusal::SectorSize { .. } | Refusal::Unflushed { .. } => {
                Self::UseAnother
            }
            Refusal::Partitioned => Self::UseBlank,
            Refusal::AnotherCard | Refusal::Busy | Refusal::Unknown => Self::PutInAgain,
            Refusal::NoDiskSequence => Self::NewerKernel,
            Refusal::NotWholeDisk | Refusal::NotACard { .. } | Refusal::NotSd { .. } | Refusal::InUse(_) | Refusal::OwnDisk => {
                Self::NotForThisSlot
            }
            Refusal::OrderComplete { .. } => Self::KeepForNextOrder,
        }
    }

    /// A stable code for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::PutIn => "put-in",
            Self::Wait => "wait",
            Self::TakeGood => "take-good",
            Self::TakeAside => "take-aside",
            Self::TakeBad => "take-bad",
            Self::ThatOneBad => "that-one-bad",
            Self::AllThoseBad => "all-those-bad",
            Self::PutInAgain => "put-in-again",
            Self::TryElsewhere => "try-elsewhere",
            Self::SlideLock => "slide-lock",
            Self::UseAnother => "use-another",
            Self::UseBlank => "use-blank",
            Self::NotForThisSlot => "not-for-this-slot",
            Self::KeepForNextOrder => "keep-for-next-order",
            Self::NewerKernel => "newer-kernel",
            Self::CallSupervisor => "call-supervisor",
            Self::CallEngineer => "call-engineer",
        }
    }

    /// The sentence for people.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::PutIn => "put a card in",
            Self::Wait => "wait",
            Self::TakeGood => "take it out, good",
            Self::TakeAside => "take it out, not bad",
            Self::TakeBad => "take it out, bad",
            Self::ThatOneBad => "that card is bad",
            Self::AllThoseBad => "its cards are bad, call the station engineer",
            Self::PutInAgain => "take out, put in again",
            Self::TryElsewhere => "try it once in another slot",
            Self::SlideLock => "slide its lock, put it in again",
            Self::UseAnother => "use another card",
            Self::UseBlank => "use a blank card",
            Self::NotForThisSlot => "not a card for this slot",
            Self::KeepForNextOrder => "take it out, not bad: keep it for the next order",
            Self::NewerKernel => "this PC needs Linux 5.15 or newer",
            Self::CallSupervisor => "tell the supervisor",
            Self::CallEngineer => "call the station engineer",
        }
    }
}
