//! What the flash log is told: owned, complete entries. How they are stored is the ledger's business.

use super::card::Card;
use super::command::{RequestId, Target, Who};
use super::labels::Labels;
use super::order::{Order, OrderNumber};
use super::outcome::{Digest, Effort, Outcome, OutcomeWord, Refusal};
use super::past::Past;
use super::units::Bytes;

/// The number of an attempt, counted over the whole life of a station's log.
pub type AttemptNumber = u64;

/// What an image may be, by the word of whoever configured it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Contents {
    /// A disk image: a partition table that is whole, or one file system from the first byte on.
    #[default]
    Disk,
    /// Also data of which nobody can tell whether it is whole: raw firmware, nothing but zeroes, a length between two blocks. What is
    /// known to be something else than an image, or cut short, is not written for this word either.
    Any,
}

/// What is done about the parts of an image that are zeroes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Zeroes {
    /// They are read back like everything else, and written only where the card does not hold zeroes already.
    #[default]
    Prove,
    /// They are always written.
    Write,
    /// They are neither written nor read back, as a block map (bmap) asks for: what the card held there stays, and nothing is
    /// claimed of it. Such a card never passes as a whole.
    Skip,
}

impl Zeroes {
    /// The word in configuration and log; stable.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Prove => "prove",
            Self::Write => "write",
            Self::Skip => "skip",
        }
    }
}

/// The model assertion that was found inside an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceModel {
    /// The account of whoever makes the device.
    pub brand: String,
    /// The model's name.
    pub model: String,
    /// `16`.
    pub series: String,
    /// Which edition of the assertion.
    pub revision: u64,
    /// SHA3-384 of the assertion.
    pub sha3_384: String,
    /// The key that signed it, as it says.
    pub sign_key: Option<String>,
}

/// How far it is known what device an image is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ModelProof {
    /// Nobody looked inside: `require = "none"`, or a bench.
    #[default]
    None,
    /// The model inside is the one configured; signatures were not demanded.
    Matching(DeviceModel),
    /// And a chain of signatures reaches from it, and from every snap, to a trusted root.
    Proven(DeviceModel),
}

/// How far it is known what device an image is for, without the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProofClass {
    /// See [`ModelProof::None`].
    None,
    /// See [`ModelProof::Matching`].
    Matching,
    /// See [`ModelProof::Proven`].
    Proven,
}

impl ProofClass {
    /// The word in the log; stable.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Matching => "matching",
            Self::Proven => "proven",
        }
    }

    /// What a log's word means; nothing for a word of another program's.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::None, Self::Matching, Self::Proven].into_iter().find(|class| class.word() == word)
    }
}

impl ModelProof {
    /// The word in the log; stable.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.class().word()
    }

    /// How far, without the model.
    #[must_use]
    pub fn class(&self) -> ProofClass {
        match self {
            Self::None => ProofClass::None,
            Self::Matching(_) => ProofClass::Matching,
            Self::Proven(_) => ProofClass::Proven,
        }
    }

    /// The model, where one was found.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceModel> {
        match self {
            Self::None => None,
            Self::Matching(device) | Self::Proven(device) => Some(device),
        }
    }
}

/// An image that may be written: staged, hashed, immutable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Armed {
    /// The model it is armed for, as slots name it in the configuration.
    pub model: String,
    /// What was found inside it.
    pub model_proof: ModelProof,
    /// What could not be covered when it was armed, in words.
    pub uncovered: Vec<String>,
    /// BLAKE3 of its raw bytes.
    pub digest: Digest,
    /// The file it came from, as configured.
    pub source: String,
    /// Its raw length.
    pub span: Bytes,
    /// The logical block its partition table was made for, where it says.
    pub block: Option<u32>,
    /// What is done about its zeroes.
    pub zeroes: Zeroes,
}

impl Armed {
    /// `BRAND/MODEL` by the assertion inside; by the configuration where nobody looked.
    #[must_use]
    pub fn logged_model(&self) -> String {
        self.model_proof.device().map_or_else(|| self.model.clone(), |device| format!("{}/{}", device.brand, device.model))
    }
}

/// A model that is configured, and whose image may not be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Disarmed {
    /// Which, as slots name it.
    pub model: String,
    /// Why, as a sentence.
    pub reason: String,
}

/// What made the station arm an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Occasion {
    /// It started.
    Start,
    /// It was told to read its configuration again.
    Reload,
    /// The staged copy was damaged, and the station staged the same image anew from its source.
    Restage,
}

impl Occasion {
    /// The word in the log; stable.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Reload => "reload",
            Self::Restage => "restage",
        }
    }
}

/// Who armed an image and from where: whoever may write the configuration says what is armed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArmedBy {
    /// When this took hold.
    pub occasion: Occasion,
    /// The configuration that names the image.
    pub config: String,
    /// Whose file that is: the name, or the number of a user without one.
    pub owner: Option<String>,
    /// When it was last written: UTC, microseconds since 1970.
    pub changed: Option<i64>,
    /// Who told the station to read it again, where that is known.
    pub asked_by: Option<Who>,
}

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
    pub fn word(&self) -> &'static str {
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
    /// The card.
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
    pub fn leaves(&self, outcome: &OutcomeWord) -> Option<OrderNumber> {
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
    pub fn word(self) -> &'static str {
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
    /// The daemon began.
    StationStarted {
        /// The program's version.
        version: String,
        /// Why the log is gone when the power is, where it is.
        volatile: Option<String>,
    },
    /// A model's image may be written from now on.
    ModelArmed {
        /// What is armed.
        armed: Armed,
        /// By whom.
        by: ArmedBy,
    },
    /// An attempt begins. Durable before the first byte is written.
    AttemptStarted(Box<Attempt>),
    /// An attempt's one closing event. A card refused by admission has only this.
    AttemptClosed {
        /// Which.
        attempt: Box<Attempt>,
        /// How it ended.
        outcome: Outcome,
        /// What was done.
        effort: Effort,
    },
    /// A card that nobody touched left the bus and came back. Not every time: the 1st, 2nd, 4th, 8th …
    CardReturned {
        /// In which slot.
        slot: String,
        /// The card, as it was seen again.
        card: Box<Card>,
        /// How often by now, since a card was put in by hand.
        times: u32,
    },
    /// Somebody took a slot or a model out of work.
    Disarmed {
        /// What.
        target: Target,
        /// Who.
        by: Who,
        /// Why, as they say.
        reason: Option<String>,
    },
    /// Somebody put it to work again.
    Rearmed {
        /// What.
        target: Target,
        /// Who.
        by: Who,
    },
    /// So many good cards of a model are wanted, and no more.
    OrderStarted {
        /// The order; nothing is counted in it yet.
        order: Order,
        /// Who wants them.
        by: Who,
    },
    /// An order is ended, complete or not.
    OrderStopped {
        /// The order, as far as it came.
        order: Order,
        /// Who ended it.
        by: Who,
    },
    /// The station closed a box of an order.
    BoxClosed {
        /// The order, as far as it has come.
        order: Order,
        /// The box.
        closed: ClosedBox,
    },
    /// The log was begun anew, and somebody says that this is right.
    LogConfirmed {
        /// Who.
        by: Who,
    },
    /// The daemon ended as asked.
    StationStopped,
    /// A card that was proven was written to by somebody else before it was taken out. Takes the place of its attempt's outcome.
    AttemptChanged {
        /// Which.
        attempt: Box<Attempt>,
        /// [`Outcome::Changed`].
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
    pub fn kind(&self) -> &'static str {
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
            Self::StationStopped => "station-stopped",
            Self::AttemptChanged { .. } => "attempt-changed",
            Self::ModelDistrusted { .. } => "disarmed",
        }
    }

    /// The receipt the station waits for, for entries an attempt hangs on.
    #[must_use]
    pub fn receipt(&self) -> Option<Receipt> {
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
