//! A station that begins no card: somebody works on it (maintenance), or it restarts when its last card is out.
//!
//! Cards under way end as always. One that waits to be begun, or is put in meanwhile, is held, and is not begun afterwards: nobody put it in
//! to be written by the station that then works again.

use super::Station;
use super::slot::{Phase, Slot};
use crate::station::status::sign::{Hold, Sign};

impl Station {
    /// Why no card is begun, as a card that waits shows it; `None` for a station that begins cards.
    pub(super) fn rests(&self) -> Option<Hold> {
        if self.standing.maintenance.is_some() { Some(Hold::Maintenance) } else { self.restart.is_some().then_some(Hold::StationRestarts) }
    }

    /// The same as an empty slot shows it.
    pub(super) fn sign_of_rest(&self) -> Option<Sign> {
        let maintenance = self.standing.maintenance.as_ref();
        let sign = maintenance.map(|maintenance| Sign::Maintenance { by: maintenance.by.name.clone(), why: maintenance.why.clone() });
        sign.or_else(|| self.restart.is_some().then_some(Sign::Restarting))
    }

    /// Holds every card that waits to be begun, if the station begins none.
    pub(super) fn hold_back(&mut self) {
        if let Some(hold) = self.rests() {
            self.slots.iter_mut().for_each(|slot| slot.hold_back(hold));
        }
    }
}

impl Slot {
    /// A card that waits to be begun is not to be touched. What came back by itself is not begun anyway, and is taken up as what it was.
    pub(super) fn hold_back(&mut self, hold: Hold) {
        if self.returned.is_none() && matches!(self.phase, Phase::Settling { .. } | Phase::Surveying { .. }) {
            self.phase = Phase::Held(hold);
        }
    }
}
