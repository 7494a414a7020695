//! A station that begins no card: somebody works on it (maintenance), or it restarts when its last card is out.
//!
//! Cards under way end as always. One that waits to be begun, or is put in meanwhile, is held, and is not begun afterwards: nobody put it in
//! to be written by the station that then works again.

use super::Station;
use super::slot::{Phase, Slot};
use crate::station::status::sign::{Hold, Sign};
use crate::station::types::card::Visit;
use crate::station::types::standing::Maintenance;

/// Why the station begins no card.
enum Rest<'a> {
    /// Somebody works on it.
    Maintenance(&'a Maintenance),
    /// It restarts when its last card is out.
    Restart,
}

impl Station {
    /// The one reason that is shown: a maintenance lasts longer than a restart.
    fn rest(&self) -> Option<Rest<'_>> {
        let maintenance = self.standing.maintenance.as_ref().map(Rest::Maintenance);
        maintenance.or_else(|| self.restart.is_some().then_some(Rest::Restart))
    }

    /// Why no card is begun, as a card that waits shows it; `None` for a station that begins cards.
    pub(super) fn rests(&self) -> Option<Hold> {
        self.rest().map(|rest| match rest {
            Rest::Maintenance(_) => Hold::Maintenance,
            Rest::Restart => Hold::StationRestarts,
        })
    }

    /// The same as an empty slot shows it.
    pub(super) fn sign_of_rest(&self) -> Option<Sign> {
        self.rest().map(|rest| match rest {
            Rest::Maintenance(Maintenance { by, why }) => Sign::Maintenance { by: by.name.clone(), why: why.clone() },
            Rest::Restart => Sign::Restarting,
        })
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
        let waits = matches!(self.phase, Phase::Settling { .. } | Phase::Surveying { .. });
        if waits && self.returned.is_none() {
            self.phase = Phase::Held(hold);
        }
        // The card before it is still being written or recorded, or is held by the kernel; or it is not known yet whether it came back by
        // itself. That may take longer than the work on the station.
        let own = self.phase.attempt().map(|attempt| attempt.card.visit);
        if let Some(card) = self.present.as_ref().filter(|card| own != Some(card.visit) && !matches!(self.phase, Phase::Held(_))) {
            self.held_later = Some((card.visit, hold));
        }
    }

    /// Why this visit is held, once it is its turn.
    pub(super) fn hold_of(&self, visit: Visit) -> Option<Hold> {
        self.held_later.filter(|(later, _)| *later == visit).map(|(_, hold)| hold)
    }
}
