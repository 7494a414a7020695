//! The requests of users to a running station, and the reasons for which it may refuse them.
//!
//! The control socket checks the rights of users; here every request is allowed. Changes survive restarts, so each one is an entry of the
//! log.

use std::fmt;

use super::order::Order;

/// The number of a request that waits for an answer.
pub type RequestId = u64;

/// A user of the PC, as the kernel identifies it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Who {
    /// The number of the user (uid).
    pub uid: u32,
    /// Their name, or the number where they have none.
    pub name: String,
}

/// The target of disarming or arming.
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

/// The commands to a station.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Start no card there any more. Running cards are finished.
    Disarm {
        /// The slot or model to stop.
        target: Target,
        /// The reason, for the operator.
        reason: Option<String>,
    },
    /// Cancel a disarming. A model without an armed image does not become armed.
    Arm {
        /// The slot or model to re-enable.
        target: Target,
    },
    /// Blink a slot's lamp for a while, to find it.
    Identify {
        /// The name of the slot.
        slot: String,
    },
    /// Make a number of good cards of a model, and then stop.
    StartOrder {
        /// `BRAND/MODEL`, or the name that slots use for it.
        model: String,
        /// The number of good cards to make.
        count: u32,
        /// The name of the order.
        name: Option<String>,
        /// The work order, which is recorded in each row.
        work_order: Option<String>,
    },
    /// Confirm that the flash log was begun anew on purpose.
    ConfirmLog,
    /// Begin no card any more, and restart when the last one is out.
    Restart,
    /// Approve the first card of a model, so that the others may be made.
    Approve {
        /// `BRAND/MODEL`, or the name that slots use for it.
        model: String,
        /// The card that the user means, by its serial or the number of its attempt; `None` for the one that waits.
        card: Option<String>,
    },
    /// Begin no card any more, because somebody works on the station. Running cards are finished.
    BeginMaintenance {
        /// The reason, for the operator.
        why: String,
    },
    /// Begin cards again.
    EndMaintenance,
    /// End the order of a model.
    StopOrder {
        /// The model, named as at the start.
        model: String,
    },
}

/// Why a station refuses a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Denied {
    /// There is no such slot.
    NoSuchSlot {
        /// The requested name.
        slot: String,
        /// Every slot of the configuration.
        known: Vec<String>,
    },
    /// There is no such model.
    NoSuchModel {
        /// The requested name.
        model: String,
        /// Every model of the configuration.
        known: Vec<String>,
    },
    /// It was not disarmed by a command.
    NotDisarmed(Target),
    /// Nothing can be counted: no image of the model may be written.
    NotArmed {
        /// The requested model.
        model: String,
    },
    /// The model has an order that is not complete.
    OrderOpen {
        /// The order that is open.
        order: Order,
    },
    /// The model has no order.
    NoOrder {
        /// The requested model.
        model: String,
    },
    /// The station is not in maintenance.
    NoMaintenance,
    /// The configuration wants no approval.
    NoApprovalWanted,
    /// No card of the model was made since its image was armed.
    NoFirstCard {
        /// The requested model.
        model: String,
        /// The slot whose card may become the first one, if there is one under way.
        under_way: Option<String>,
    },
    /// The first card of the model is approved already.
    ApprovedBefore {
        /// The requested model.
        model: String,
        /// The card that was approved.
        card: String,
        /// The user who approved it.
        by: String,
    },
    /// The user means another card than the first one.
    OtherFirstCard {
        /// The requested model.
        model: String,
        /// The words of the user.
        asked: String,
        /// The card that waits.
        first: String,
    },
    /// The user armed the image.
    ArmedItself {
        /// The requested model.
        model: String,
        /// The user who asks.
        by: String,
        /// Everybody who armed it.
        armed_by: Vec<String>,
    },
    /// The flash log was not begun anew, or that was confirmed.
    NothingToConfirm,
    /// An order of zero cards.
    OrderOfNothing,
    /// The log cannot be written at present, so nothing is changed.
    LogFault,
    /// The station is stopping.
    Stopping,
}

impl Denied {
    /// The stable code for programs.
    #[must_use]
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoSuchSlot { .. } => "no-such-slot",
            Self::NoSuchModel { .. } => "no-such-model",
            Self::NotDisarmed(_) => "not-disarmed",
            Self::NotArmed { .. } => "not-armed",
            Self::OrderOpen { .. } => "order-open",
            Self::NoOrder { .. } => "no-order",
            Self::NoMaintenance => "no-maintenance",
            Self::NoApprovalWanted => "no-approval-wanted",
            Self::NoFirstCard { .. } => "no-first-card",
            Self::ApprovedBefore { .. } => "approved-before",
            Self::OtherFirstCard { .. } => "other-first-card",
            Self::ArmedItself { .. } => "armed-by-approver",
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
                write!(f, "{target} was not disarmed by a command: fix the cause that its sign shows, then run `flashline reload`")
            }
            Self::NotArmed { model } => write!(f, "no image of {model} is armed, so no card of it is made: `flashline status` says why"),
            Self::OrderOpen { order } => {
                write!(f, "{} has the order {} still open, {} of {}: stop it first", order.model, order.title(), order.passed, order.count)
            }
            Self::NoOrder { model } => write!(f, "{model} has no order"),
            Self::NoMaintenance => f.write_str("the station is not in maintenance"),
            Self::NoApprovalWanted => f.write_str("no card waits for an approval: `first_off` in [policy] is false"),
            Self::NoFirstCard { model, under_way: None } => {
                write!(
                    f,
                    "no card of {model} has passed since its image was armed, so there is none to approve: put one in, and wait for PASS"
                )
            }
            Self::NoFirstCard { model, under_way: Some(slot) } => {
                write!(f, "the first card of {model} is not finished: wait for the PASS of slot {slot}")
            }
            Self::ApprovedBefore { model, card, by } => write!(f, "the first card of {model} ({card}) is approved already, by {by}"),
            Self::OtherFirstCard { model, asked, first } => {
                write!(f, "the card {asked} is not the first one of {model} since its image was armed: that is {first}. Look at that card")
            }
            Self::ArmedItself { model, by, armed_by } => write!(
                f,
                "{by} may not approve the first card of {model}, because {} armed its image, and a second person approves. Let another member \
                 of the group `flashline-admin` do it; root adds one by `adduser NAME flashline-admin`",
                armed_by.join(" and ")
            ),
            Self::NothingToConfirm => f.write_str("the flash log was not begun anew, or that is confirmed already"),
            Self::OrderOfNothing => f.write_str("an order is of at least one card"),
            Self::LogFault => f.write_str("the flash log cannot be written, so nothing is changed"),
            Self::Stopping => f.write_str("the station is stopping"),
        }
    }
}
