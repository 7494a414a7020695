//! What people may ask of a running station, and why it may refuse.
//!
//! The control socket checks who may ask; here every request is allowed. What a station was told holds over its restarts, so each change is
//! an entry of the log.

use std::fmt;

use super::order::Order;

/// A question that waits for an answer.
pub type RequestId = u64;

/// Who asked: a user of the PC, as the kernel vouches for them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Who {
    /// The number of the user (uid).
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
        /// The slot or model to stop.
        target: Target,
        /// Why, for the operator to read.
        reason: Option<String>,
    },
    /// Take that back. What was never armed by its image does not become so.
    Arm {
        /// The slot or model to re-enable.
        target: Target,
    },
    /// Let a slot's lamp wink for a while, so that it is found.
    Identify {
        /// The name of the slot.
        slot: String,
    },
    /// Make a number of good cards of a model, and no more.
    StartOrder {
        /// `BRAND/MODEL`, or the name that slots use for it.
        model: String,
        /// How many good cards to make.
        count: u32,
        /// What people call the order.
        name: Option<String>,
        /// The work order it is for, which each of its rows then names.
        work_order: Option<String>,
    },
    /// The flash log was begun anew, and that is right.
    ConfirmLog,
    /// Begin no card any more, and restart when the last one is out.
    Restart,
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
        /// Every slot of the configuration.
        known: Vec<String>,
    },
    /// There is no such model.
    NoSuchModel {
        /// The name asked for.
        model: String,
        /// Every model of the configuration.
        known: Vec<String>,
    },
    /// It was not disarmed by anybody.
    NotDisarmed(Target),
    /// Nothing can be counted: no image of the model may be written.
    NotArmed {
        /// The model that was asked for.
        model: String,
    },
    /// The model has an order that is not complete.
    OrderOpen {
        /// The order that is open.
        order: Order,
    },
    /// The model has none.
    NoOrder {
        /// The model that was asked for.
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
    pub(crate) fn code(&self) -> &'static str {
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
