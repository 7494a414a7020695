//! What a station was told in earlier runs and still holds, and notes about the log that says so.

use super::order::Order;
use super::request::{Target, Who};

/// What somebody took out of work, and is to stay so over restarts.
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
    /// Is the slot of this name, which is for this model, out of work?
    pub(in crate::station) fn covers(&self, slot: &str, model: &str) -> bool {
        match &self.target {
            Target::Slot(name) => name == slot,
            Target::Model(name) => name == model,
        }
    }

    /// Who, and why, for the operator to read.
    pub(in crate::station) fn sentence(&self) -> String {
        let by = format!("disarmed by {}", self.by.name);
        self.reason.as_ref().map_or_else(|| by.clone(), |reason| format!("{by}: {reason}"))
    }
}

/// What the log says was asked of the station in earlier runs and still holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Standing {
    /// What is out of work.
    pub disarmings: Vec<Disarming>,
    /// Every order that was not stopped.
    pub orders: Vec<Order>,
    /// How many orders there ever were.
    pub orders_ever: u64,
    /// What is to be known of the log itself.
    pub log: Vec<LogNote>,
}

/// What is to be known of the flash log, and keeps no card from being begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogNote {
    /// It was begun anew, and no user has confirmed that yet.
    Begun,
    /// It is gone when the power is, and the configuration allows that.
    Volatile,
}

impl LogNote {
    /// A word for programs; stable.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Volatile => "volatile",
        }
    }

    /// What this word means; nothing for one that is not known here.
    #[must_use]
    pub(crate) fn of(word: &str) -> Option<Self> {
        [Self::Begun, Self::Volatile].into_iter().find(|note| note.word() == word)
    }
}
