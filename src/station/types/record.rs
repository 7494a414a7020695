//! Attempts and entries of the flash log: owned and complete. The ledger knows how they are stored.

use super::armed::{Armed, ArmedBy};
use super::card::Card;
use super::labels::Labels;
use super::order::{Order, OrderNumber};
use super::outcome::{Effort, Outcome, OutcomeWord, Refusal};
use super::past::Past;
use super::request::{RequestId, Target, Who};

/// The number of an attempt, counted over the whole life of a station's log.
pub type AttemptNumber = u64;

/// What is to be done with an admitted card.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Plan {
    /// It is written, whatever it holds.
    #[default]
    Write,
    /// It is written, unless it holds the image already: then it is read back and proven.
    WriteUnlessDone,
    /// It is read back and proven if it holds the image already, and refused for this reason if it does not. Nothing is written.
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
    /// A card that may hold the image already is read back; nothing is written.
    Rechecking,
    /// Tombstone and body are written.
    Writing,
    /// Everything but the head is read back.
    ReadingBack,
    /// The head is written and read back.
    Finishing,
}

/// Everything a row knows before its outcome: which card, where, with which image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// Its number in this station's log.
    pub number: AttemptNumber,
    /// The slot's name, as on its sticker.
    pub slot: String,
    /// The model: `BRAND/MODEL` by the assertion inside its image, else as the slot names it.
    pub model: String,
    /// The image; absent where the refusal was that there is none.
    pub image: Option<Armed>,
    /// The card, as it was surveyed.
    pub card: Card,
    /// What is to be done with it.
    pub plan: Plan,
    /// The order it is counted in, if it turns out good.
    pub order: Option<OrderNumber>,
    /// What the log had of the card before.
    pub past: Past,
    /// What people know of it.
    pub labels: Labels,
}

impl Attempt {
    /// The order in which its card was counted before, and is not counted any more, when it ends like this.
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
    /// How many good cards are in it.
    pub cards: u32,
    /// Why it was closed.
    pub why: BoxEnd,
    /// The attempt of the last card in it; nothing where it was closed at another time than right after that card's row.
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
        /// Why the log is gone when the power is, where it is.
        volatile: Option<String>,
    },
    /// A model's image may be written from now on.
    ModelArmed {
        /// The image that is armed.
        armed: Armed,
        /// Who armed it, and from where.
        by: ArmedBy,
    },
    /// An attempt begins. Durable before the first byte is written.
    AttemptStarted(Box<Attempt>),
    /// An attempt's one closing event. A card refused by admission has only this.
    AttemptClosed {
        /// The attempt that is closed.
        attempt: Box<Attempt>,
        /// How the attempt ended.
        outcome: Outcome,
        /// How long it took, and what was done.
        effort: Effort,
    },
    /// A card left the bus and came back by itself. Not every time: the 1st, 2nd, 4th, 8th …
    CardReturned {
        /// The name of the slot.
        slot: String,
        /// The card, as it was seen again.
        card: Box<Card>,
        /// How often by now, since a card was put in by hand.
        times: u32,
    },
    /// Somebody took a slot or a model out of work.
    Disarmed {
        /// The slot or model.
        target: Target,
        /// The user who asked for it.
        by: Who,
        /// Why, as they say.
        reason: Option<String>,
    },
    /// Somebody put it to work again.
    Rearmed {
        /// The slot or model.
        target: Target,
        /// The user who asked for it.
        by: Who,
    },
    /// So many good cards of a model are wanted, and no more.
    OrderStarted {
        /// The order; nothing is counted in it yet.
        order: Order,
        /// The user who started the order.
        by: Who,
    },
    /// An order is ended, complete or not.
    OrderStopped {
        /// The order, as far as it came.
        order: Order,
        /// The user who stopped the order.
        by: Who,
    },
    /// The station closed a box of an order.
    BoxClosed {
        /// The order, as far as it has come.
        order: Order,
        /// The box that was closed.
        closed: ClosedBox,
    },
    /// The log was begun anew, and somebody says that this is right.
    LogConfirmed {
        /// The user who confirmed it.
        by: Who,
    },
    /// No card is begun any more, and the station restarts when the last one is out.
    RestartAsked {
        /// The user who asked for it.
        by: Who,
    },
    /// The daemon ended as asked.
    StationStopped,
    /// A card that was proven was written to by somebody else before it was taken out. Takes the place of its attempt's outcome.
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
}

impl Entry {
    /// The `kind` column; stable.
    #[must_use]
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::StationStarted { .. } => "station-started",
            Self::ModelArmed { .. } => "model-armed",
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
            Self::StationStopped => "station-stopped",
            Self::AttemptChanged { .. } => "attempt-changed",
            Self::ModelDistrusted { .. } => "disarmed",
        }
    }

    /// The receipt the station waits for, for entries an attempt hangs on.
    #[must_use]
    pub(crate) fn receipt(&self) -> Option<Receipt> {
        match self {
            Self::AttemptStarted(attempt) => Some(Receipt::Started(attempt.number)),
            Self::AttemptClosed { attempt, .. } => Some(Receipt::Closed(attempt.number)),
            Self::StationStarted { .. }
            | Self::ModelArmed { .. }
            | Self::CardReturned { .. }
            | Self::Disarmed { .. }
            | Self::Rearmed { .. }
            | Self::OrderStarted { .. }
            | Self::OrderStopped { .. }
            | Self::BoxClosed { .. }
            | Self::LogConfirmed { .. }
            | Self::RestartAsked { .. }
            | Self::StationStopped
            | Self::AttemptChanged { .. }
            | Self::ModelDistrusted { .. } => None,
        }
    }
}

/// The log's word that an entry is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Receipt {
    /// The start of this attempt is on disk.
    Started(AttemptNumber),
    /// The outcome of this attempt is on disk.
    Closed(AttemptNumber),
    /// What was asked is on disk.
    Asked(RequestId),
}
