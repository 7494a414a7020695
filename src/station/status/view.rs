//! The view: everything that is shown to an operator. Console, lamps and status depend only on a [`View`].

use std::time::Duration;

use super::sign::{OperatorAction, Sign};
use crate::station::types::armed::Armed;
use crate::station::types::first_off::FirstCard;
use crate::station::types::order::OrderNumber;
use crate::station::types::outcome::{Counted, Digest, OutcomeWord};
use crate::station::types::prover::UnprovenVerifier;
use crate::station::types::record::AttemptNumber;
use crate::station::types::restriction::Restriction;
use crate::station::types::standing::LogNote;
use crate::station::types::suspect::Finding;
use crate::station::types::units::{Bytes, rate};

/// The deciding task publishes its view at least once a second, changed or not, and beats ten times as often. A burst of events or a slow
/// disk takes much less time. After a silence of this length, the last view is no longer trusted: a green sign may belong to the previous
/// card.
pub(crate) const DEAD_AFTER: Duration = Duration::from_secs(3);

/// The progress of the work on a card.
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
        // Before the first byte the rate is unknown.
        let rate = rate(done, elapsed).filter(|rate| rate.0 > 0);
        let left = rate.map(|rate| Duration::from_secs(of.0.saturating_sub(done.0).div_ceil(rate.0)));
        Self { done, of, rate, left }
    }
}

/// One slot in the view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SlotView {
    /// Its name, as on its sticker.
    pub slot: String,
    /// The model it is for.
    pub model: String,
    /// The sign that the slot shows.
    pub sign: Sign,
    /// Its call: the sign's own, or [`OperatorAction::StationFault`] in every slot while the station has a fault. Colours and lamps follow
    /// this, so that nothing is green then.
    pub call: OperatorAction,
    /// The card in a few words, when there is one.
    pub card: Option<String>,
    /// The attempt of the sign.
    pub attempt: Option<AttemptNumber>,
    /// The kernel's sequence number of the medium for that card.
    pub diskseq: Option<u64>,
    /// A user is searching for this slot: its lamp blinks.
    pub identify: bool,
    /// The progress, while busy.
    pub progress: Option<Progress>,
    /// How often a card came back by itself since one was put in by hand.
    pub returns: u32,
}

impl SlotView {
    /// A slot without a name that only shows this sign.
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

    /// The same slot whose card failed once, and is to be tried in another one.
    #[must_use]
    pub(crate) fn of_a_first_try(self) -> Self {
        let Sign::Failed(failure) = self.sign else { return self };
        let sign = Sign::FailedOnce(failure);
        let call = if self.call == OperatorAction::StationFault { self.call } else { sign.call() };
        Self { sign, call, ..self }
    }

    /// The same slot where the station begins no card: an empty one takes none, and shows this.
    #[must_use]
    pub(crate) fn of_a_resting_station(self, sign: Sign) -> Self {
        if self.sign != Sign::Empty {
            return self;
        }
        let call = if self.call == OperatorAction::StationFault { self.call } else { sign.call() };
        Self { sign, call, ..self }
    }
}

/// Maintenance, as shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MaintenanceView {
    /// The user who began it.
    pub by: String,
    /// The reason, in their words.
    pub why: String,
}

/// A restart that somebody asked for, as shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RestartView {
    /// The user who asked for it.
    pub by: String,
    /// Slots whose cards are waited for.
    pub waits_for: Vec<String>,
}

/// An order in the view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrderView {
    /// The number of the order in the flash log.
    pub number: OrderNumber,
    /// The name of the order.
    pub name: Option<String>,
    /// Its work order.
    pub work_order: Option<String>,
    /// The number of ordered cards.
    pub count: u32,
    /// The number of good cards.
    pub passed: u32,
    /// The number of cards under way.
    pub under_way: u32,
    /// The box for good cards; `None` if boxes are not counted.
    pub open_box: Option<BoxView>,
}

/// The open box of an order in the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BoxView {
    /// Its number within its order, from 1: the number of closed boxes plus one.
    pub number: u32,
    /// How many good cards fill a box.
    pub size: u32,
    /// The number of cards in it.
    pub cards: u32,
    /// The number of good cards until it is closed: until it is full, or its order complete.
    pub left: u32,
}

/// A model in the view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelView {
    /// The name that slots use.
    pub name: String,
    /// The name in the log: `BRAND/MODEL`.
    pub device: String,
    /// Its image, if it may be written.
    pub armed: Option<Armed>,
    /// Its order, if any.
    pub order: Option<OrderView>,
    /// How its first card stands; `None` if no approval is wanted.
    pub first_off: Option<FirstOffView>,
}

/// The approval of a model in the view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FirstOffView {
    /// How far it is.
    pub state: FirstOffState,
    /// The users who armed the image, none of whom may approve.
    pub armed_by: Vec<String>,
}

/// How far the approval of a model is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FirstOffState {
    /// One card may be begun.
    Wanted,
    /// A card that may become the first one is under way.
    UnderWay {
        /// The slot of that card.
        slot: String,
    },
    /// This card waits for its approval, and no other one is begun.
    Waits(FirstCard),
    /// Every card may be made.
    Approved {
        /// The card that was approved.
        card: FirstCard,
        /// The user who approved it.
        by: String,
    },
}

impl FirstOffState {
    /// A stable code for programs.
    #[must_use]
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::UnderWay { .. } => "under-way",
            Self::Waits(_) => "waits",
            Self::Approved { .. } => "approved",
        }
    }
}

/// The outcomes of the cards of one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DayCount {
    /// Good cards since midnight.
    pub passed: u64,
    /// Bad ones: failed, pulled, interrupted.
    pub failed: u64,
}

impl DayCount {
    /// Counts an outcome that is on disk.
    pub(crate) fn add(&mut self, outcome: &OutcomeWord) {
        match outcome.counts() {
            Counted::Good => self.passed += 1,
            Counted::Bad => self.failed += 1,
            Counted::Again | Counted::OurFault | Counted::Untouched | Counted::Nothing => {}
        }
    }

    /// Removes an outcome that no longer counts.
    pub(crate) fn take_back(&mut self, outcome: &OutcomeWord) {
        match outcome.counts() {
            Counted::Good => self.passed = self.passed.saturating_sub(1),
            Counted::Bad => self.failed = self.failed.saturating_sub(1),
            Counted::Again | Counted::OurFault | Counted::Untouched | Counted::Nothing => {}
        }
    }
}

/// The head of the flash log at the end of a shift. If it is kept in a place that cannot be changed by those who can write the log, it
/// proves later that nothing was cut off or written anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Anchor {
    /// When the shift ended: UTC, microseconds since 1970.
    pub at: i64,
    /// `COUNT:HASH`, as `flashline log verify --anchor` takes it.
    pub text: String,
}

/// The whole station in the view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The name of the station.
    pub station: String,
    /// BLAKE3 of the configuration in effect, as its file was read; `None` before the first one is.
    pub config: Option<Digest>,
    /// Every reason why nothing can be flashed, as sentences; `None` without a fault.
    pub fault: Option<String>,
    /// Why the flash log cannot be written, as a sentence that is also in `fault`; `None` if it can.
    pub log_fault: Option<String>,
    /// Faults of the station that concern only some slots, as sentences.
    pub faults: Vec<String>,
    /// What the PC or the unit does not let the station do. Those that stop it are also in `fault`.
    pub restrictions: Vec<Restriction>,
    /// The state of a verifier that is not proven now, so that no card is begun; `None` for a proven one.
    pub verifier: Option<UnprovenVerifier>,
    /// Every slot, in the order of the configuration.
    pub slots: Vec<SlotView>,
    /// Every model that slots name, in the order in which they do; followed by those that only an order names.
    pub models: Vec<ModelView>,
    /// The counts since midnight.
    pub today: DayCount,
    /// The anchor of the last shift.
    pub anchor: Option<Anchor>,
    /// Slots that are not protected from the PC's other programs, which could mount their cards.
    pub exposed: Vec<String>,
    /// Notes about the flash log.
    pub log: Vec<LogNote>,
    /// The station restarts when its last card is out; no card is begun until then.
    pub restart: Option<RestartView>,
    /// Somebody works on the station; no card is begun until they say that they are done.
    pub maintenance: Option<MaintenanceView>,
    /// Readers, hubs, card types and lots with more failures than chance explains. Cards go on.
    pub suspects: Vec<Finding>,
}

/// Every fault that is shown, each once: the one of the whole station first, then those of some slots, then the restrictions that the first
/// one does not name. Restrictions are given by their sentences.
#[must_use]
pub(crate) fn all_faults<'a>(
    fault: Option<&'a str>,
    faults: &'a [String],
    restrictions: impl IntoIterator<Item = &'a str>,
) -> Vec<&'a str> {
    let others = restrictions.into_iter().filter(move |sentence| !is_named_in(fault, sentence));
    fault.into_iter().chain(faults.iter().map(String::as_str)).chain(others).collect()
}

/// Stands between the reasons in the fault of the whole station.
pub(crate) const REASONS_APART: &str = "; ";

/// Whether the fault of the whole station names the restriction with this sentence.
#[must_use]
pub(crate) fn is_named_in(fault: Option<&str>, sentence: &str) -> bool {
    fault.is_some_and(|fault| fault.contains(sentence))
}

impl View {
    /// Every fault that is shown, each once, as sentences ([`all_faults`]).
    #[must_use]
    pub(crate) fn all_faults(&self) -> Vec<String> {
        let restrictions: Vec<String> = self.restrictions.iter().map(Restriction::sentence).collect();
        let all = all_faults(self.fault.as_deref(), &self.faults, restrictions.iter().map(String::as_str));
        all.into_iter().map(str::to_owned).collect()
    }

    /// The same view when the deciding task has stopped: none of its signs is trustworthy any more.
    #[must_use]
    pub(crate) fn of_a_dead_station(mut self) -> Self {
        self.fault = Some("it no longer decides".to_owned());
        self.slots.iter_mut().for_each(|slot| slot.call = OperatorAction::StationFault);
        self
    }
}
