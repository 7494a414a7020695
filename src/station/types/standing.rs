//! The requests of earlier runs that still hold, and notes about the log that contains them.

use super::first_off::FirstOff;
use super::order::Order;
use super::request::{Target, Who};
use super::suspect::Finding;

/// A slot or model that a user took out of work, which survives restarts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Disarming {
    /// The slot or model.
    pub target: Target,
    /// The user who disarmed it.
    pub by: Who,
    /// The reason they gave.
    pub reason: Option<String>,
}

impl Disarming {
    /// Is the slot with this name and model out of work?
    pub(in crate::station) fn covers(&self, slot: &str, model: &str) -> bool {
        match &self.target {
            Target::Slot(name) => name == slot,
            Target::Model(name) => name == model,
        }
    }

    /// The user and the reason, for the operator.
    pub(in crate::station) fn sentence(&self) -> String {
        let by = format!("disarmed by {}", self.by.name);
        self.reason.as_ref().map_or_else(|| by.clone(), |reason| format!("{by}: {reason}"))
    }
}

/// Somebody works on the station, and no card is begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Maintenance {
    /// The user who began it.
    pub by: Who,
    /// The reason, in their words.
    pub why: String,
}

/// The requests of earlier runs that still hold, by the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Standing {
    /// Slots and models out of work.
    pub disarmings: Vec<Disarming>,
    /// Every order that was not stopped.
    pub orders: Vec<Order>,
    /// The number of all orders so far.
    pub orders_ever: u64,
    /// Every armed image whose first card is to be approved, or was.
    pub first_offs: Vec<FirstOff>,
    /// The maintenance that nobody has ended.
    pub maintenance: Option<Maintenance>,
    /// Every slot that the station closed because too many cards failed in it, and that nobody has armed since.
    pub quarantines: Vec<Finding>,
    /// Everything else that stood out when one of its cards failed.
    pub suspects: Vec<Finding>,
    /// Notes about the log itself.
    pub log: Vec<LogNote>,
}

/// A note about the flash log that does not stop cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogNote {
    /// It was begun anew, and no user has confirmed that yet.
    Begun,
    /// It would be lost when the power fails, which the configuration allows.
    Volatile,
}

impl LogNote {
    /// The stable code for programs.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Volatile => "volatile",
        }
    }

    /// The meaning of this code; `None` for an unknown one.
    #[must_use]
    pub(crate) fn of(word: &str) -> Option<Self> {
        [Self::Begun, Self::Volatile].into_iter().find(|note| note.word() == word)
    }
}
