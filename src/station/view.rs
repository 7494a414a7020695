//! What an operator is shown. Console, lamps and status are functions of a [`View`] and of nothing else.

use std::time::Duration;

use super::outcome::{Failure, Outcome, Pull, Refusal};
use super::record::AttemptNumber;
use super::slot::Step;
use super::units::{Bytes, rate};

/// Every sign a slot can give. One enum, so that console, lamp and log cannot disagree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sign {
    /// Nothing in it; a card may be put in.
    Empty,
    /// No image may be written here, for this reason.
    Disarmed(String),
    /// The card was in the slot when the station started, so nobody put it in to be flashed.
    Held,
    /// A card is in; the station waits for it to sit still, asks who uses it, or records the start.
    Preparing,
    /// Being written.
    Writing,
    /// Being read back.
    ReadingBack,
    /// The head is being written and read back.
    Finishing,
    /// The outcome is on its way to the disk. Never green.
    Recording,
    /// Proven and recorded.
    Passed,
    /// The image's data is proven and recorded; its zeroes were skipped. Never PASS: nobody knows what stands there.
    PassedMapped,
    /// Contents undefined.
    Failed(Failure),
    /// Not touched.
    Refused(Refusal),
    /// Gone while busy. Stays until the next card.
    Pulled(Pull),
    /// A card's thread has not come back from the kernel, so no other card can be trusted to this slot.
    OutOfService,
    /// The station stopped.
    Interrupted,
}

/// What a sign asks of the operator, and what a lamp can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Put a card in.
    PutIn,
    /// Wait.
    Wait,
    /// Take it out: good.
    TakeGood,
    /// Take it out: not bad, read why.
    TakeAside,
    /// Take it out: bad.
    TakeBad,
    /// Nothing to do here.
    Nothing,
    /// Nothing may be trusted: the station itself needs help.
    StationFault,
}

impl Sign {
    /// The sign of an outcome that is on disk.
    #[must_use]
    pub fn of_outcome(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Passed(_) => Self::Passed,
            Outcome::PassedMapped(_) => Self::PassedMapped,
            Outcome::Failed(failure) => Self::Failed(failure.clone()),
            Outcome::Refused(refusal) => Self::Refused(refusal.clone()),
            Outcome::Pulled(pull) => Self::Pulled(pull.clone()),
            Outcome::Interrupted => Self::Interrupted,
        }
    }

    /// The sign of a step under way.
    #[must_use]
    pub fn of_step(step: Step) -> Self {
        match step {
            Step::Writing => Self::Writing,
            Step::ReadingBack => Self::ReadingBack,
            Step::Finishing => Self::Finishing,
        }
    }

    /// The word in capitals, one sense each.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::Disarmed(_) => "DISARMED",
            Self::Held => "HELD",
            Self::Preparing => "WAIT",
            Self::Writing => "WRITING",
            Self::ReadingBack => "READING BACK",
            Self::Finishing => "FINISHING",
            Self::Recording => "RECORDING",
            Self::Passed => "PASS",
            Self::PassedMapped => "PASS (MAPPED ONLY)",
            Self::Failed(_) => "FAILED",
            Self::Refused(_) => "REFUSED",
            Self::Pulled(_) => "PULLED",
            Self::OutOfService => "OUT OF SERVICE",
            Self::Interrupted => "INTERRUPTED",
        }
    }

    /// What it asks of the operator.
    #[must_use]
    pub fn call(&self) -> Call {
        match self {
            Self::Empty => Call::PutIn,
            Self::Disarmed(_) | Self::OutOfService => Call::Nothing,
            Self::Preparing | Self::Writing | Self::ReadingBack | Self::Finishing | Self::Recording => Call::Wait,
            Self::Passed | Self::PassedMapped => Call::TakeGood,
            Self::Held | Self::Refused(_) => Call::TakeAside,
            Self::Failed(_) | Self::Interrupted | Self::Pulled(_) => Call::TakeBad,
        }
    }

    /// Why, where the word alone does not say it.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Disarmed(reason) => Some(reason.clone()),
            Self::Held => Some("in the slot since the station started".to_owned()),
            Self::Failed(failure) => Some(failure.to_string()),
            Self::Refused(refusal) => Some(refusal.to_string()),
            Self::Pulled(pull) => Some(pull.to_string()),
            Self::OutOfService => Some("the kernel still holds the last card".to_owned()),
            Self::Interrupted => Some("the station stopped".to_owned()),
            Self::Empty
            | Self::Preparing
            | Self::Writing
            | Self::ReadingBack
            | Self::Finishing
            | Self::Recording
            | Self::Passed
            | Self::PassedMapped => None,
        }
    }

    /// What the operator does now.
    #[must_use]
    pub fn todo(&self) -> &'static str {
        match (self, self.call()) {
            (Self::Held, _) => "take out, put in again",
            (Self::Pulled(Pull::Taken), _) => "that card is bad",
            (Self::Pulled(Pull::ReaderLost { .. }), _) => "its cards are bad, call the station engineer",
            (Self::Refused(refusal), _) => refusal.cure(),
            (_, Call::PutIn) => "put a card in",
            (_, Call::Wait) => "wait",
            (_, Call::TakeGood) => "take it out, good",
            (_, Call::TakeAside) => "take it out, not bad",
            (_, Call::TakeBad) => "take it out, bad",
            (_, Call::Nothing | Call::StationFault) => "call the station engineer",
        }
    }
}

/// How far the work on a card has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Progress {
    /// Bytes done in this step.
    pub done: Bytes,
    /// Bytes of this step.
    pub of: Bytes,
    /// Bytes a second in this step so far.
    pub rate: Option<Bytes>,
    /// Time left in this step at that rate.
    pub left: Option<Duration>,
}

impl Progress {
    /// `done` of `of` bytes, in a step that has taken `elapsed`.
    #[must_use]
    pub fn new(done: Bytes, of: Bytes, elapsed: Duration) -> Self {
        let rate = rate(done, elapsed);
        let left = rate.filter(|rate| rate.0 > 0).map(|rate| Duration::from_secs(of.0.saturating_sub(done.0).div_ceil(rate.0)));
        Self { done, of, rate, left }
    }
}

/// One slot, as shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SlotView {
    /// As on its sticker.
    pub slot: String,
    /// The model it is for.
    pub model: String,
    /// The sign.
    pub sign: Sign,
    /// What it asks for: the sign's own call, or [`Call::StationFault`] in every slot while the station has one. Colours and
    /// lamps follow this, so that nothing is green then.
    pub call: Call,
    /// The card in a few words, when there is one.
    pub card: Option<String>,
    /// The attempt the sign speaks of.
    pub attempt: Option<AttemptNumber>,
    /// How far, while busy.
    pub progress: Option<Progress>,
}

/// The whole station, as shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The station's name.
    pub station: String,
    /// Why nothing can be flashed at all, when that is so.
    pub fault: Option<String>,
    /// Every slot, in the order of the configuration.
    pub slots: Vec<SlotView>,
}
