//! The first card of a model and its approval, as clients of the socket get it.

use serde::{Deserialize, Serialize};

use crate::station::first_off::FirstCard;
use crate::station::view::{FirstOffState, FirstOffView};

/// How far the approval of a model is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstCardStatus {
    /// `wanted`: one card may be made; `under-way`; `waits`: it was made, and no other one is begun; `approved`.
    pub state: String,
    /// The slot that makes the card, or made it.
    pub slot: Option<String>,
    /// The attempt that made the card.
    pub attempt: Option<u64>,
    /// The serial of the card, as far as it has one.
    pub serial: Option<String>,
    /// The user who approved the card.
    pub approved_by: Option<String>,
    /// The users who armed the image, none of whom may approve.
    pub armed_by: Vec<String>,
}

impl FirstCardStatus {
    pub(super) fn of(view: &FirstOffView) -> Self {
        let (slot, card, approved_by) = match &view.state {
            FirstOffState::Wanted => (None, None, None),
            FirstOffState::UnderWay { slot } => (Some(slot.clone()), None, None),
            FirstOffState::Waits(card) => (Some(card.slot.clone()), Some(card), None),
            FirstOffState::Approved { card, by } => (Some(card.slot.clone()), Some(card), Some(by.clone())),
        };
        Self {
            state: view.state.code().to_owned(),
            slot,
            attempt: card.map(|card| card.attempt),
            serial: card.and_then(|card| card.serial.clone()),
            approved_by,
            armed_by: view.armed_by.clone(),
        }
    }

    /// The card, if it was made.
    #[must_use]
    pub(crate) fn card(&self) -> Option<FirstCard> {
        Some(FirstCard { attempt: self.attempt?, slot: self.slot.clone()?, serial: self.serial.clone() })
    }
}
