//! What people may ask of a running station, and what it does about it.
//!
//! Who may ask what is the control socket's business; here everybody may. What a station was told holds over its restarts, so each
//! change is an entry of the log.

use std::fmt;
use std::time::Duration;

use super::order::Order;
use super::record::{Armed, Entry};
use super::slot::Slot;
use super::units::Moment;
use super::view::LogNote;
use super::{Effect, Station};

/// A question that waits for an answer.
pub type RequestId = u64;

/// How long a slot winks that somebody looks for.
const IDENTIFY: Duration = Duration::from_secs(30);

/// Who asked: a user of the PC, as the kernel vouches for them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Who {
    /// Their number.
    pub uid: u32,
    /// Their name, or the number where they have none.
    pub name: String,
}

/// What is disarmed or armed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// One slot, by its sticker.
    Slot(String),
    /// Every slot of a model, by the name that slots use for it.
    Model(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(name) => write!(f, "slot {name}"),
            Self::Model(name) => write!(f, "model {name}"),
        }
    }
}

/// What a station can be asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Begin no card there any more. What runs is finished.
    Disarm {
        /// Where.
        target: Target,
        /// Why, for the operator to read.
        reason: Option<String>,
    },
    /// Take that back. What was never armed by its image does not become so.
    Arm {
        /// Where.
        target: Target,
    },
    /// Let a slot's lamp wink for a while, so that it is found.
    Identify {
        /// Which.
        slot: String,
    },
    /// Make so many good cards of a model, and no more.
    StartOrder {
        /// `BRAND/MODEL`, or the name that slots use for it.
        model: String,
        /// How many.
        count: u32,
        /// What people call the order.
        name: Option<String>,
        /// The work order it is for, which each of its rows then names.
        work_order: Option<String>,
    },
    /// The flash log was begun anew, and that is right.
    ConfirmLog,
    /// End the order of a model.
    StopOrder {
        /// As for its start.
        model: String,
    },
}

/// Why a station does not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Denied {
    /// There is no such slot.
    NoSuchSlot {
        /// The name asked for.
        slot: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// There is no such model.
    NoSuchModel {
        /// The name asked for.
        model: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// It was not disarmed by anybody.
    NotDisarmed(Target),
    /// Nothing can be counted: no image of the model may be written.
    NotArmed {
        /// The model.
        model: String,
    },
    /// The model has an order that is not complete.
    OrderOpen {
        /// That order.
        order: Order,
    },
    /// The model has none.
    NoOrder {
        /// The model.
        model: String,
    },
    /// The flash log was not begun anew, or that was confirmed.
    NothingToConfirm,
    /// An order of nothing.
    OrderOfNothing,
    /// Nothing can be written down at present, so nothing is changed.
    LogFault,
    /// The station is about to end.
    Stopping,
}

impl Denied {
    /// A word for programs; stable.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchSlot { .. } => "no-such-slot",
            Self::NoSuchModel { .. } => "no-such-model",
            Self::NotDisarmed(_) => "not-disarmed",
            Self::NotArmed { .. } => "not-armed",
            Self::OrderOpen { .. } => "order-open",
            Self::NoOrder { .. } => "no-order",
            Self::NothingToConfirm => "nothing-to-confirm",
            Self::OrderOfNothing => "order-of-nothing",
            Self::LogFault => "log-fault",
            Self::Stopping => "stopping",
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchSlot { slot, known } => write!(f, "there is no slot {slot:?}: the slots are {}", known.join(", ")),
            Self::NoSuchModel { model, known } => write!(f, "there is no model {model:?}: the models are {}", known.join(", ")),
            Self::NotDisarmed(target) => {
                write!(f, "nobody disarmed {target}: what its sign gives as the reason must be mended, then reload")
            }
            Self::NotArmed { model } => write!(f, "no image of {model} is armed, so none can be ordered"),
            Self::OrderOpen { order } => {
                write!(f, "{} has the order {} still open, {} of {}: stop it first", order.model, order.title(), order.passed, order.count)
            }
            Self::NoOrder { model } => write!(f, "{model} has no order"),
            Self::NothingToConfirm => f.write_str("the flash log was not begun anew, or that is confirmed already"),
            Self::OrderOfNothing => f.write_str("an order is of at least one card"),
            Self::LogFault => f.write_str("the flash log cannot be written, so nothing is changed"),
            Self::Stopping => f.write_str("the station is stopping"),
        }
    }
}

/// What somebody took out of work, and is to stay so over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Halt {
    /// What.
    pub target: Target,
    /// Who.
    pub by: Who,
    /// Why.
    pub reason: Option<String>,
}

impl Halt {
    fn covers(&self, slot: &Slot) -> bool {
        match &self.target {
            Target::Slot(name) => *name == slot.settings.name,
            Target::Model(model) => *model == slot.settings.model,
        }
    }

    fn sentence(&self) -> String {
        let by = format!("disarmed by {}", self.by.name);
        self.reason.as_ref().map_or_else(|| by.clone(), |reason| format!("{by}: {reason}"))
    }
}

/// What the log says was asked of the station in earlier runs and still holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Standing {
    /// What is out of work.
    pub halts: Vec<Halt>,
    /// Every order that was not stopped.
    pub orders: Vec<Order>,
    /// How many orders there ever were.
    pub orders_ever: u64,
    /// What is to be known of the log itself.
    pub log: Vec<LogNote>,
}

impl Station {
    /// Does what was asked, or says why not.
    pub(super) fn asked(&mut self, now: Moment, request: RequestId, by: Who, command: Command) -> Vec<Effect> {
        vec![match self.command(now, by, command) {
            // It holds from now on, and is said to hold when it would after a restart, too.
            Ok(Some(entry)) => Effect::RecordAsked { request, entry: Box::new(entry) },
            Ok(None) => Effect::Answer { request, answer: Ok(()) },
            Err(denied) => Effect::Answer { request, answer: Err(denied) },
        }]
    }

    fn command(&mut self, now: Moment, by: Who, command: Command) -> Result<Option<Entry>, Denied> {
        if self.stopping {
            return Err(Denied::Stopping);
        }
        if let Command::Identify { slot } = command {
            let place = self.slot_called(&slot)?;
            self.slots[place].identify_until = Some(Moment(now.0 + IDENTIFY));
            return Ok(None);
        }
        if self.log_fault.is_some() {
            return Err(Denied::LogFault);
        }
        match command {
            Command::Identify { .. } => Ok(None),
            Command::Disarm { target, reason } => {
                self.knows(&target)?;
                self.standing.halts.retain(|halt| halt.target != target);
                self.standing.halts.push(Halt { target: target.clone(), by: by.clone(), reason: reason.clone() });
                self.halt_slots();
                Ok(Some(Entry::Disarmed { target, by, reason }))
            }
            Command::Arm { target } => {
                let before = self.standing.halts.len();
                self.standing.halts.retain(|halt| halt.target != target);
                if self.standing.halts.len() == before {
                    // A name nobody knows says more than that nobody disarmed it.
                    self.knows(&target)?;
                    return Err(Denied::NotDisarmed(target));
                }
                self.halt_slots();
                Ok(Some(Entry::Rearmed { target, by }))
            }
            Command::StartOrder { model, count, name, work_order } => self.start_order(&model, count, (name, work_order), by).map(Some),
            Command::ConfirmLog => {
                let before = self.standing.log.len();
                self.standing.log.retain(|note| *note != LogNote::Begun);
                if self.standing.log.len() == before { Err(Denied::NothingToConfirm) } else { Ok(Some(Entry::LogConfirmed { by })) }
            }
            Command::StopOrder { model } => self.stop_order(&model, by).map(Some),
        }
    }

    /// Every slot learns whether it is out of work, and why.
    pub(super) fn halt_slots(&mut self) {
        for slot in &mut self.slots {
            slot.halted = self.standing.halts.iter().find(|halt| halt.covers(slot)).map(Halt::sentence);
        }
    }

    fn knows(&self, target: &Target) -> Result<(), Denied> {
        match target {
            Target::Slot(slot) => self.slot_called(slot).map(drop),
            Target::Model(model) => {
                let known = self.models();
                if known.contains(model) { Ok(()) } else { Err(Denied::NoSuchModel { model: model.clone(), known }) }
            }
        }
    }

    fn slot_called(&self, name: &str) -> Result<usize, Denied> {
        let configured = || self.slots.iter().filter(|slot| !slot.retired);
        self.slots.iter().position(|slot| !slot.retired && slot.settings.name == name).ok_or_else(|| Denied::NoSuchSlot {
            slot: name.to_owned(),
            known: configured().map(|slot| slot.settings.name.clone()).collect(),
        })
    }

    /// Every model that slots name, once.
    pub(super) fn models(&self) -> Vec<String> {
        let mut models: Vec<String> = Vec::new();
        for slot in self.slots.iter().filter(|slot| !slot.retired) {
            if !models.contains(&slot.settings.model) {
                models.push(slot.settings.model.clone());
            }
        }
        models
    }

    /// The image that is armed for a model, under the name slots use or under that of the device.
    pub(super) fn armed_for(&self, model: &str) -> Option<&Armed> {
        let armed = || self.armed.iter();
        armed().find(|armed| armed.model == model).or_else(|| armed().find(|armed| armed.logged_model() == model))
    }
}
