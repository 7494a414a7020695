//! What an operator is shown. Console, lamps and status are functions of a [`View`] and of nothing else.

use std::fmt;
use std::time::Duration;

use super::order::OrderNumber;
use super::outcome::{Counted, Failure, Outcome, OutcomeWord, Pull, Refusal, StationFault};
use super::record::{Armed, AttemptNumber};
use super::said::Todo;
use super::slot::Step;
use super::units::{Bytes, rate};

/// Whoever decides says at least once a second what is shown, changed or not, and beats ten times as often; a burst of events or a slow
/// disk takes nothing like this. After so long a silence nothing that was shown is to be believed: a green may belong to the card before.
pub const LIFELESS: Duration = Duration::from_secs(3);

/// Every sign a slot can give. One enum, so that console, lamp and log cannot disagree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sign {
    /// Nothing in it; a card may be put in.
    Empty,
    /// No image may be written here, for this reason.
    Disarmed(String),
    /// Nobody put the card in to be flashed.
    Held(Hold),
    /// The order of the slot's model is complete: no card is wanted.
    OrderComplete {
        /// How many were ordered.
        count: u32,
    },
    /// A card is in, and as many are under way as the order still needs: this one may be needed yet.
    OrderUnderWay {
        /// How many were ordered.
        count: u32,
    },
    /// A card is in; the station waits for it to sit still, asks who uses it, or records the start.
    Preparing,
    /// It may hold the image already, and is being read back.
    Rechecking,
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
    /// It held the image already: proven anew, and counted once in all.
    Done,
    /// The same where the image's zeroes are skipped.
    DoneMapped,
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
    /// It was proven, and written to by somebody else since.
    Changed {
        /// How many sectors of 512 bytes.
        sectors: u64,
    },
    /// The station failed; the card is not called bad.
    StationFault(StationFault),
}

/// Why a card is held, and not touched before it is put in by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// It was in the slot when the station started.
    SinceStart,
    /// It was in the slot while the PC slept, where anybody could have changed it.
    Slept,
    /// It left the bus with its device and came back by itself.
    Returned {
        /// So often, since a card was put in by hand.
        times: u32,
    },
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SinceStart => f.write_str("in the slot since the station started"),
            Self::Slept => f.write_str("in the slot while this PC slept"),
            Self::Returned { times: 1 } => f.write_str("came back by itself"),
            Self::Returned { times } => write!(f, "came back by itself {times} times"),
        }
    }
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

impl Call {
    /// Every one there is.
    pub const ALL: [Self; 7] = [Self::PutIn, Self::Wait, Self::TakeGood, Self::TakeAside, Self::TakeBad, Self::Nothing, Self::StationFault];

    /// A word for programs; stable.
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

impl Sign {
    /// The sign of an outcome that is on disk.
    #[must_use]
    pub fn of_outcome(outcome: &Outcome) -> Self {
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
    pub fn of_step(step: Step) -> Self {
        match step {
            Step::Rechecking => Self::Rechecking,
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
            Self::Held(_) => "HELD",
            Self::OrderComplete { .. } => "ORDER DONE",
            Self::Preparing | Self::OrderUnderWay { .. } => "WAIT",
            Self::Rechecking => "RECHECKING",
            Self::Writing => "WRITING",
            Self::ReadingBack => "READING BACK",
            Self::Finishing => "FINISHING",
            Self::Recording => "RECORDING",
            Self::Passed => "PASS",
            Self::PassedMapped => "PASS (MAPPED ONLY)",
            Self::Done => "DONE",
            Self::DoneMapped => "DONE (MAPPED ONLY)",
            Self::Failed(_) => "FAILED",
            Self::Refused(_) => "REFUSED",
            Self::Pulled(_) => "PULLED",
            Self::OutOfService => "OUT OF SERVICE",
            Self::Interrupted => "INTERRUPTED",
            Self::Changed { .. } => "CHANGED",
            Self::StationFault(_) => "STATION FAULT",
        }
    }

    /// What it asks of the operator.
    #[must_use]
    pub fn call(&self) -> Call {
        match self {
            Self::Empty => Call::PutIn,
            Self::Disarmed(_) | Self::OutOfService | Self::OrderComplete { .. } => Call::Nothing,
            Self::Preparing
            | Self::OrderUnderWay { .. }
            | Self::Rechecking
            | Self::Writing
            | Self::ReadingBack
            | Self::Finishing
            | Self::Recording => Call::Wait,
            Self::Passed | Self::PassedMapped | Self::Done | Self::DoneMapped => Call::TakeGood,
            Self::Held(_) | Self::Refused(_) | Self::Changed { .. } | Self::StationFault(_) => Call::TakeAside,
            Self::Failed(_) | Self::Interrupted | Self::Pulled(_) => Call::TakeBad,
        }
    }

    /// Why, where the word alone does not say it.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Disarmed(reason) => Some(reason.clone()),
            Self::Held(hold) => Some(hold.to_string()),
            Self::OrderComplete { count } => Some(format!("the order is complete: {count} of {count}")),
            Self::OrderUnderWay { count } => Some(format!("the last cards of the order of {count} are under way")),
            Self::Failed(failure) => Some(failure.to_string()),
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

    /// What the operator does now.
    #[must_use]
    pub fn todo(&self) -> Todo {
        match (self, self.call()) {
            (Self::Held(_) | Self::Changed { .. }, _) => Todo::PutInAgain,
            (Self::OrderComplete { .. }, _) => Todo::CallSupervisor,
            (Self::Pulled(Pull::Taken), _) => Todo::ThatOneBad,
            (Self::Pulled(Pull::ReaderLost { .. }), _) => Todo::AllThoseBad,
            (Self::Refused(refusal), _) => refusal.cure(),
            (_, Call::PutIn) => Todo::PutIn,
            (_, Call::Wait) => Todo::Wait,
            (_, Call::TakeGood) => Todo::TakeGood,
            (_, Call::TakeAside) => Todo::TakeAside,
            (_, Call::TakeBad) => Todo::TakeBad,
            (_, Call::Nothing | Call::StationFault) => Todo::CallEngineer,
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
        // Before the first byte nobody knows.
        let rate = rate(done, elapsed).filter(|rate| rate.0 > 0);
        let left = rate.map(|rate| Duration::from_secs(of.0.saturating_sub(done.0).div_ceil(rate.0)));
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
    /// The kernel's count of media for that card.
    pub diskseq: Option<u64>,
    /// Somebody looks for this slot: its lamp winks.
    pub identify: bool,
    /// How far, while busy.
    pub progress: Option<Progress>,
    /// How often a card came back by itself since one was put in by hand.
    pub returns: u32,
}

impl SlotView {
    /// A slot without a name that shows this sign, and nothing more.
    #[must_use]
    pub fn of(sign: Sign) -> Self {
        Self {
            slot: String::new(),
            model: String::new(),
            call: sign.call(),
            sign,
            card: None,
            attempt: None,
            diskseq: None,
            identify: false,
            progress: None,
            returns: 0,
        }
    }
}

/// An order, as shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrderView {
    /// Its number.
    pub number: OrderNumber,
    /// What people call it.
    pub name: Option<String>,
    /// The work order it is for.
    pub work_order: Option<String>,
    /// How many are wanted.
    pub count: u32,
    /// How many are good.
    pub passed: u32,
    /// How many are being made.
    pub under_way: u32,
}

/// A model, as shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelView {
    /// As slots name it.
    pub name: String,
    /// As the log names it: `BRAND/MODEL`.
    pub device: String,
    /// Its image, where that may be written.
    pub armed: Option<Armed>,
    /// What is ordered of it.
    pub order: Option<OrderView>,
}

/// What became of the cards of one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tally {
    /// Good ones.
    pub passed: u64,
    /// Bad ones: failed, pulled, interrupted.
    pub failed: u64,
}

impl Tally {
    /// Counts an outcome that is on disk.
    pub fn add(&mut self, outcome: &OutcomeWord) {
        match outcome.counts() {
            Counted::Good => self.passed += 1,
            Counted::Bad => self.failed += 1,
            Counted::Again | Counted::OurFault | Counted::Untouched | Counted::Nothing => {}
        }
    }

    /// Takes an outcome back that does not stand any more.
    pub fn take_back(&mut self, outcome: &OutcomeWord) {
        match outcome.counts() {
            Counted::Good => self.passed = self.passed.saturating_sub(1),
            Counted::Bad => self.failed = self.failed.saturating_sub(1),
            Counted::Again | Counted::OurFault | Counted::Untouched | Counted::Nothing => {}
        }
    }
}

/// The head of the flash log as it was when a shift ended. Kept where nobody who can write the log can change it, it proves later that
/// nothing was cut off or written anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Anchor {
    /// When the shift ended: UTC, microseconds since 1970.
    pub at: i64,
    /// `COUNT:HASH`, as `flashline log verify --anchor` takes it.
    pub text: String,
}

/// What is to be known of the flash log, and keeps no card from being begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogNote {
    /// It was begun anew, and nobody has said yet that this is right.
    Begun,
    /// It is gone when the power is, and the configuration allows that.
    Volatile,
}

impl LogNote {
    /// A word for programs; stable.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Volatile => "volatile",
        }
    }

    /// What this word means; nothing for one that is not known here.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Begun, Self::Volatile].into_iter().find(|note| note.word() == word)
    }
}

/// The whole station, as shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The station's name.
    pub station: String,
    /// Why nothing can be flashed at all, when that is so.
    pub fault: Option<String>,
    /// Faults of the station that concern some slots only, as sentences.
    pub faults: Vec<String>,
    /// Every slot, in the order of the configuration.
    pub slots: Vec<SlotView>,
    /// Every model that slots name, in the order in which they do; then those that only an order names.
    pub models: Vec<ModelView>,
    /// Since midnight.
    pub today: Tally,
    /// Of the shift that ended last.
    pub anchor: Option<Anchor>,
    /// Slots from which the PC's other programs are not kept: what mounts what it sees would mount their cards.
    pub exposed: Vec<String>,
    /// What is to be known of the flash log.
    pub log: Vec<LogNote>,
}

impl View {
    /// The same where nobody decides any more: nothing of it is to be believed.
    #[must_use]
    pub fn of_a_dead_station(mut self) -> Self {
        self.fault = Some("it decides nothing any more".to_owned());
        self.slots.iter_mut().for_each(|slot| slot.call = Call::StationFault);
        self
    }
}
