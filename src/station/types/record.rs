//! Attempts and entries of the flash log: owned and complete. The ledger knows how they are stored.

use super::armed::{Armed, ArmedBy};
use super::card::Card;
use super::first_off::{FirstCard, FirstOffRule};
use super::labels::Labels;
use super::order::{Order, OrderNumber};
use super::outcome::{Digest, Effort, Outcome, OutcomeWord, Refusal};
use super::past::Past;
use super::prover::{MissedFault, ProverObstacle, ProvingTime, VerifierProof};
use super::request::{RequestId, Target, Who};
use super::suspect::{Finding, Suspect};

/// The number of an attempt, counted over the whole life of a station's log.
pub type AttemptNumber = u64;

/// The plan for an admitted card.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Plan {
    /// It is written, whatever its contents.
    #[default]
    Write,
    /// It is written, unless it already holds the image: then it is read back and proven.
    WriteUnlessDone,
    /// It is read back and proven if it already holds the image, and refused for this reason if it does not. Nothing is written.
    RecheckOnly(Refusal),
}

impl Plan {
    /// The word in the log; stable.
    #[must_use]
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::WriteUnlessDone => "write-unless-done",
            Self::RecheckOnly(_) => "recheck-only",
        }
    }
}

/// The step of a running attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A card that may already hold the image is read back; nothing is written.
    Rechecking,
    /// Tombstone and body are written.
    Writing,
    /// Everything but the head is read back.
    ReadingBack,
    /// The head is written and read back.
    Finishing,
}

/// The facts of a row before its outcome: card, port, image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// Its number in this station's log.
    pub number: AttemptNumber,
    /// The slot's name, as on its sticker.
    pub slot: String,
    /// The model: `BRAND/MODEL` by the assertion inside its image, else as the slot names it.
    pub model: String,
    /// The image; `None` if the refusal was that there is none.
    pub image: Option<Armed>,
    /// The card, as it was surveyed.
    pub card: Card,
    /// The plan for the card.
    pub plan: Plan,
    /// The order in which it is counted if it is good.
    pub order: Option<OrderNumber>,
    /// The history of the card in the log.
    pub past: Past,
    /// The facts that people know about it.
    pub labels: Labels,
    /// Its head may have the tombstone of an attempt in another slot, and is read for it before anything is written.
    pub looks_for_tombstone: bool,
    /// The attempt in another slot in which this card failed before, if it was recognised.
    pub second_try_of: Option<AttemptNumber>,
}

impl Attempt {
    /// The order in which its card was counted before, and is no longer counted, when it ends like this.
    #[must_use]
    pub(crate) fn leaves(&self, outcome: &OutcomeWord) -> Option<OrderNumber> {
        self.past.leaves(self.image.as_ref().map(|image| image.digest), outcome)
    }
}

/// A box that was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClosedBox {
    /// Its number within its order, from 1.
    pub number: u32,
    /// The number of good cards in it.
    pub cards: u32,
    /// Why it was closed.
    pub why: BoxEnd,
    /// The attempt of the last card in it; `None` if it was not closed right after that card's row.
    pub last: Option<AttemptNumber>,
}

/// Why a box was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BoxEnd {
    /// It is full.
    Full,
    /// Its order is complete.
    OrderComplete,
    /// Its order was stopped.
    OrderStopped,
}

impl BoxEnd {
    /// The word in the log; stable.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::OrderComplete => "order-complete",
            Self::OrderStopped => "order-stopped",
        }
    }
}

/// One event of the flash log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// The station started.
    StationStarted {
        /// The version of the program.
        version: String,
        /// Why the log would be lost when the power fails, if it would.
        volatile: Option<String>,
    },
    /// A model's image may be written from now on.
    ModelArmed {
        /// The image that is armed.
        armed: Armed,
        /// Who armed it, and from where.
        by: ArmedBy,
        /// Whether its first card is to be approved.
        first_off: FirstOffRule,
    },
    /// A user approved the first card of an armed image: the others may be made.
    Approved {
        /// The image that may be made.
        armed: Armed,
        /// BLAKE3 of the configuration that armed it.
        config: Digest,
        /// The card that was approved.
        card: FirstCard,
        /// The user who approved it.
        by: Who,
    },
    /// An attempt begins. Durable before the first byte is written.
    AttemptStarted(Box<Attempt>),
    /// An attempt's one closing event. A card refused by admission has only this.
    AttemptClosed {
        /// The attempt that is closed.
        attempt: Box<Attempt>,
        /// How the attempt ended.
        outcome: Outcome,
        /// The duration and the effort.
        effort: Effort,
    },
    /// A card left the bus and came back by itself. Recorded only the 1st, 2nd, 4th, 8th … time.
    CardReturned {
        /// The name of the slot.
        slot: String,
        /// The card, as it was seen again.
        card: Box<Card>,
        /// The number of times since a card was put in by hand.
        times: u32,
    },
    /// A user took a slot or a model out of work.
    Disarmed {
        /// The slot or model.
        target: Target,
        /// The user who asked for it.
        by: Who,
        /// The reason, as they say.
        reason: Option<String>,
    },
    /// A user re-enabled it.
    Rearmed {
        /// The slot or model.
        target: Target,
        /// The user who asked for it.
        by: Who,
    },
    /// An order of a number of good cards of a model was started.
    OrderStarted {
        /// The order, in which nothing is counted yet.
        order: Order,
        /// The user who started the order.
        by: Who,
    },
    /// An order is ended, complete or not.
    OrderStopped {
        /// The order with its counts at that time.
        order: Order,
        /// The user who stopped the order.
        by: Who,
    },
    /// The station closed a box of an order.
    BoxClosed {
        /// The order with its counts at that time.
        order: Order,
        /// The box that was closed.
        closed: ClosedBox,
    },
    /// The log was begun anew, and a user confirms that this is right.
    LogConfirmed {
        /// The user who confirmed it.
        by: Who,
    },
    /// No card is begun any more, and the station restarts when the last one is out.
    RestartAsked {
        /// The user who asked for it.
        by: Who,
    },
    /// A user works on the station: no card is begun any more.
    MaintenanceBegun {
        /// The user who asked for it.
        by: Who,
        /// The reason, in their words.
        why: String,
    },
    /// A user has ended the maintenance.
    MaintenanceEnded {
        /// The user who asked for it.
        by: Who,
    },
    /// The daemon ended on request.
    StationStopped,
    /// Another program wrote to a proven card before it was taken out. Replaces the outcome of its attempt.
    AttemptChanged {
        /// The attempt that proved the card.
        attempt: Box<Attempt>,
        /// How it ended: always [`Outcome::Changed`].
        outcome: Outcome,
    },
    /// The station took a model out of work by itself: the staged copy of its image is damaged, or cannot be read.
    ModelDistrusted {
        /// The model, and the image it was armed with.
        armed: Armed,
        /// Why, as a sentence.
        reason: String,
    },
    /// More cards fail than chance explains: in a slot, which is closed; or in a reader or hub, or of a card type or lot, which is only
    /// named.
    StandsOut(Finding),
    /// The verifier found every planted fault, and called a healthy medium good.
    VerifierProven {
        /// Why it was proven then.
        time: ProvingTime,
        /// What was proven, and how.
        proof: VerifierProof,
    },
    /// The verifier missed a planted fault, or called a healthy medium bad: nothing is armed.
    VerifierMissed {
        /// Why it was to be proven then.
        time: ProvingTime,
        /// What it missed.
        missed: MissedFault,
    },
    /// The verifier could not be proven, and that was not its fault: nothing is armed until it is.
    VerifierUnproven {
        /// Why it was to be proven then.
        time: ProvingTime,
        /// What was in the way.
        obstacle: ProverObstacle,
    },
}

impl Entry {
    /// The value of the `kind` column; stable.
    #[must_use]
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::StationStarted { .. } => "station-started",
            Self::ModelArmed { .. } => "model-armed",
            Self::Approved { .. } => "approval",
            Self::AttemptStarted(_) => "attempt-started",
            Self::AttemptClosed { .. } => "attempt-closed",
            Self::CardReturned { .. } => "card-returned",
            Self::Disarmed { .. } => "disarmed",
            Self::Rearmed { .. } => "rearmed",
            Self::OrderStarted { .. } => "order-started",
            Self::OrderStopped { .. } => "order-stopped",
            Self::BoxClosed { .. } => "box-closed",
            Self::LogConfirmed { .. } => "log-confirmed",
            Self::RestartAsked { .. } => "restart-asked",
            Self::MaintenanceBegun { .. } | Self::MaintenanceEnded { .. } => "maintenance",
            Self::StationStopped => "station-stopped",
            Self::AttemptChanged { .. } => "attempt-changed",
            Self::ModelDistrusted { .. } => "disarmed",
            Self::StandsOut(Finding { suspect: Suspect::Slot(_), .. }) => "quarantined",
            Self::StandsOut(_) => "suspected",
            Self::VerifierProven { .. } => "prover-proven",
            Self::VerifierMissed { .. } => "prover-failed",
            Self::VerifierUnproven { .. } => "prover-unproven",
        }
    }

    /// The receipt for which the station waits, for entries that an attempt depends on.
    #[must_use]
    pub(crate) fn receipt(&self) -> Option<Receipt> {
        match self {
            Self::AttemptStarted(attempt) => Some(Receipt::Started(attempt.number)),
            Self::AttemptClosed { attempt, .. } => Some(Receipt::Closed(attempt.number)),
            Self::AttemptChanged { attempt, .. } => Some(Receipt::Changed(attempt.number)),
            Self::StationStarted { .. }
            | Self::ModelArmed { .. }
            | Self::Approved { .. }
            | Self::CardReturned { .. }
            | Self::Disarmed { .. }
            | Self::Rearmed { .. }
            | Self::OrderStarted { .. }
            | Self::OrderStopped { .. }
            | Self::BoxClosed { .. }
            | Self::LogConfirmed { .. }
            | Self::RestartAsked { .. }
            | Self::MaintenanceBegun { .. }
            | Self::MaintenanceEnded { .. }
            | Self::StationStopped
            | Self::ModelDistrusted { .. }
            | Self::StandsOut(_)
            | Self::VerifierProven { .. }
            | Self::VerifierMissed { .. }
            | Self::VerifierUnproven { .. } => None,
        }
    }
}

/// The log's confirmation that an entry is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Receipt {
    /// The start of this attempt is on disk.
    Started(AttemptNumber),
    /// The outcome of this attempt is on disk.
    Closed(AttemptNumber),
    /// The change of this attempt's card is on disk.
    Changed(AttemptNumber),
    /// The entry of this request is on disk.
    Asked(RequestId),
}
