//! Every sign that a slot can show, and the call of each.

use std::fmt;

use super::instruction::Instruction;
use crate::station::types::bins::Bin;
use crate::station::types::outcome::{Failure, Outcome, Pull, Refusal, StationFault};
use crate::station::types::record::Step;
use crate::station::types::suspect::Finding;

/// Why no card is begun before a restart that somebody asked for.
const RESTARTS: &str = "the station restarts when its last card is out";

/// Every sign of a slot. One enum, so that console, lamp and log cannot differ.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sign {
    /// The slot is empty; a card may be put in.
    Empty,
    /// Nothing in it, and no card may be put in: the station restarts when its last card is out.
    Restarting,
    /// Nothing in it, and no card may be put in: somebody works on the station.
    Maintenance {
        /// The user who said so.
        by: String,
        /// The reason, in their words.
        why: String,
    },
    /// No image may be written here, for this reason.
    Disarmed(String),
    /// More cards failed here than chance explains: no card is begun until a user arms the slot. A card that is in waits, untouched.
    Quarantined(Finding),
    /// The card was not put in to be flashed.
    Held(Hold),
    /// The order of the slot's model is complete: no card is wanted.
    OrderComplete {
        /// The number of ordered cards.
        count: u32,
    },
    /// A card is in, and as many are under way as the order still needs: this one may be needed later.
    OrderUnderWay {
        /// The number of ordered cards.
        count: u32,
    },
    /// One card was made since the image was armed, and a second person has to approve it. A card that is in waits, untouched.
    NotApproved {
        /// The card that waits for its approval.
        card: String,
    },
    /// A card is in, and another one that may become the first since the image was armed is under way: this one waits, untouched.
    FirstCardUnderWay,
    /// A card is in; the station waits for it to sit still, finds out which programs use it, or records the start.
    Preparing,
    /// It may already hold the image, and is being read back.
    Rechecking,
    /// The image is being written.
    Writing,
    /// The card is being read back.
    ReadingBack,
    /// The head is being written and read back.
    Finishing,
    /// The outcome is on its way to the disk. Never green.
    Recording,
    /// Every byte is proven, and the row is on disk.
    Passed,
    /// The image's data is proven and recorded; its zeroes were skipped. Never PASS: the contents of the rest are unknown.
    PassedMapped,
    /// It already held the image: proven anew, and counted only once.
    Done,
    /// The same if the image's zeroes are skipped.
    DoneMapped,
    /// The attempt failed: the contents of the card are undefined.
    Failed(Failure),
    /// The same in its first slot: it is to be tried once in another slot, which tells the reader from the card.
    FailedOnce(Failure),
    /// The card was refused and not touched.
    Refused(Refusal),
    /// Gone while busy. Stays until the next card.
    Pulled(Pull),
    /// A card's thread has not returned from the kernel, so no other card can be used in this slot.
    OutOfService,
    /// The station stopped before the card was done.
    Interrupted,
    /// It was proven, but another program has written to it since.
    Changed {
        /// The number of sectors of 512 bytes.
        sectors: u64,
    },
    /// The station failed; the card is not called bad.
    StationFault(StationFault),
}

impl Sign {
    /// The sign of an outcome that is on disk.
    #[must_use]
    pub(crate) fn of_outcome(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Passed(_) => Self::Passed,
            Outcome::PassedMapped(_) => Self::PassedMapped,
            Outcome::Found(_) | Outcome::Rechecked(_) => Self::Done,
            Outcome::FoundMapped(_) | Outcome::RecheckedMapped(_) => Self::DoneMapped,
            Outcome::Failed(failure) => Self::Failed(failure.clone()),
            Outcome::Refused(refusal) => Self::Refused(refusal.clone()),
            Outcome::Pulled(pull) => Self::Pulled(pull.clone()),
            Outcome::Interrupted => Self::Interrupted,
            Outcome::Changed { sectors } => Self::Changed { sectors: *sectors },
            Outcome::StationFault(fault) => Self::StationFault(fault.clone()),
        }
    }

    /// The sign of a step under way.
    #[must_use]
    pub(crate) fn of_step(step: Step) -> Self {
        match step {
            Step::Rechecking => Self::Rechecking,
            Step::Writing => Self::Writing,
            Step::ReadingBack => Self::ReadingBack,
            Step::Finishing => Self::Finishing,
        }
    }

    /// The word in capitals; each has one meaning.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::Restarting => "RESTARTING",
            Self::Maintenance { .. } => "MAINTENANCE",
            Self::Disarmed(_) => "DISARMED",
            Self::Quarantined(_) => "QUARANTINE",
            Self::Held(_) => "HELD",
            Self::OrderComplete { .. } => "ORDER DONE",
            Self::NotApproved { .. } => "NOT APPROVED",
            Self::Preparing | Self::OrderUnderWay { .. } | Self::FirstCardUnderWay => "WAIT",
            Self::Rechecking => "RECHECKING",
            Self::Writing => "WRITING",
            Self::ReadingBack => "READING BACK",
            Self::Finishing => "FINISHING",
            Self::Recording => "RECORDING",
            Self::Passed => "PASS",
            Self::PassedMapped => "PASS (MAPPED ONLY)",
            Self::Done => "DONE",
            Self::DoneMapped => "DONE (MAPPED ONLY)",
            Self::Failed(_) | Self::FailedOnce(_) => "FAILED",
            Self::Refused(_) => "REFUSED",
            Self::Pulled(_) => "PULLED",
            Self::OutOfService => "OUT OF SERVICE",
            Self::Interrupted => "INTERRUPTED",
            Self::Changed { .. } => "CHANGED",
            Self::StationFault(_) => "STATION FAULT",
        }
    }

    /// The call of the sign.
    #[must_use]
    pub fn call(&self) -> OperatorAction {
        match self {
            Self::Empty => OperatorAction::PutIn,
            Self::Restarting
            | Self::Maintenance { .. }
            | Self::Disarmed(_)
            | Self::Quarantined(_)
            | Self::OutOfService
            | Self::OrderComplete { .. }
            | Self::NotApproved { .. } => OperatorAction::Nothing,
            Self::Preparing
            | Self::OrderUnderWay { .. }
            | Self::FirstCardUnderWay
            | Self::Rechecking
            | Self::Writing
            | Self::ReadingBack
            | Self::Finishing
            | Self::Recording => OperatorAction::Wait,
            Self::Passed | Self::PassedMapped | Self::Done | Self::DoneMapped => OperatorAction::TakeGood,
            Self::Held(_) | Self::FailedOnce(_) | Self::Refused(_) | Self::Changed { .. } | Self::StationFault(_) => {
                OperatorAction::TakeAside
            }
            Self::Failed(_) | Self::Interrupted | Self::Pulled(_) => OperatorAction::TakeBad,
        }
    }

    /// The reason, if the word alone does not tell it.
    #[must_use]
    pub(crate) fn reason(&self) -> Option<String> {
        match self {
            Self::Restarting => Some(RESTARTS.to_owned()),
            Self::Maintenance { by, why } => Some(format!("maintenance by {by}: {why}")),
            Self::Disarmed(reason) => Some(reason.clone()),
            Self::Quarantined(finding) => Some(finding.counts()),
            Self::Held(hold) => Some(hold.to_string()),
            Self::OrderComplete { count } => Some(format!("the order is complete: {count} of {count}")),
            Self::OrderUnderWay { count } => Some(format!("the last cards of the order of {count} are under way")),
            Self::NotApproved { card } => Some(format!("the first card ({card}) waits for approval")),
            Self::FirstCardUnderWay => Some("the first card is under way".to_owned()),
            Self::Failed(failure) | Self::FailedOnce(failure) => Some(failure.to_string()),
            Self::Refused(refusal) => Some(refusal.to_string()),
            Self::Pulled(pull) => Some(pull.to_string()),
            Self::OutOfService => Some("the kernel still holds the last card".to_owned()),
            Self::Interrupted => Some("the station stopped".to_owned()),
            Self::Changed { sectors } => Some(format!("written to after it was proven: {sectors} sectors by another program")),
            Self::StationFault(fault) => Some(fault.to_string()),
            Self::Empty
            | Self::Preparing
            | Self::Rechecking
            | Self::Writing
            | Self::ReadingBack
            | Self::Finishing
            | Self::Recording
            | Self::Passed
            | Self::PassedMapped
            | Self::Done
            | Self::DoneMapped => None,
        }
    }

    /// The instruction for the operator.
    #[must_use]
    pub fn todo(&self) -> Instruction {
        match (self, self.call()) {
            (Self::Held(_) | Self::Changed { .. }, _) => Instruction::PutInAgain,
            (Self::FailedOnce(_), _) => Instruction::TryElsewhere,
            (Self::Restarting | Self::Maintenance { .. }, _) => Instruction::Wait,
            (Self::OrderComplete { .. } | Self::NotApproved { .. } | Self::Quarantined(_), _) => Instruction::CallSupervisor,
            (Self::Pulled(Pull::Taken), _) => Instruction::ThatOneBad,
            (Self::Pulled(Pull::ReaderLost { .. }), _) => Instruction::AllThoseBad,
            (Self::Refused(refusal), _) => Instruction::of_refusal(refusal),
            (_, OperatorAction::PutIn) => Instruction::PutIn,
            (_, OperatorAction::Wait) => Instruction::Wait,
            (_, OperatorAction::TakeGood) => Instruction::TakeGood,
            (_, OperatorAction::TakeAside) => Instruction::TakeAside,
            (_, OperatorAction::TakeBad) => Instruction::TakeBad,
            (_, OperatorAction::Nothing | OperatorAction::StationFault) => Instruction::CallEngineer,
        }
    }
}

/// Why a card is held, and not touched until it is put in by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// It was in the slot when the station started.
    SinceStart,
    /// It was in the slot while the PC slept, when it could have been changed.
    Slept,
    /// It left the bus with its device and came back by itself.
    Returned {
        /// The number of times since a card was put in by hand.
        times: u32,
    },
    /// It was put in while the station waited for its last card, to restart.
    StationRestarts,
    /// It was put in while somebody worked on the station.
    Maintenance,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SinceStart => f.write_str("in the slot since the station started"),
            Self::Slept => f.write_str("in the slot while this PC slept"),
            Self::StationRestarts => f.write_str(RESTARTS),
            Self::Maintenance => f.write_str("put in during maintenance"),
            Self::Returned { times: 1 } => f.write_str("came back by itself"),
            Self::Returned { times } => write!(f, "came back by itself {times} times"),
        }
    }
}

/// The call of a sign, which a lamp can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperatorAction {
    /// Put a card in.
    PutIn,
    /// Wait: the station is busy with the card.
    Wait,
    /// Take it out: good.
    TakeGood,
    /// Take it out: not bad, read the reason.
    TakeAside,
    /// Take it out: bad.
    TakeBad,
    /// No action is needed here.
    Nothing,
    /// No sign is trustworthy: the station itself needs help.
    StationFault,
}

impl OperatorAction {
    /// All calls of signs.
    pub const ALL: [Self; 7] = [Self::PutIn, Self::Wait, Self::TakeGood, Self::TakeAside, Self::TakeBad, Self::Nothing, Self::StationFault];

    /// The bin for the card; `None` if no card is to be taken out.
    #[must_use]
    pub(crate) fn bin(self) -> Option<Bin> {
        match self {
            Self::TakeGood => Some(Bin::Good),
            Self::TakeAside => Some(Bin::NotBad),
            Self::TakeBad => Some(Bin::Bad),
            Self::PutIn | Self::Wait | Self::Nothing | Self::StationFault => None,
        }
    }

    /// The stable code for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::PutIn => "put-in",
            Self::Wait => "wait",
            Self::TakeGood => "take-good",
            Self::TakeAside => "take-aside",
            Self::TakeBad => "take-bad",
            Self::Nothing => "nothing",
            Self::StationFault => "station-fault",
        }
    }
}
