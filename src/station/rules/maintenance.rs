//! Maintenance: no card is begun while somebody works on the station. It survives restarts, and ends when somebody says so.

use super::Station;
use crate::station::status::view::MaintenanceView;
use crate::station::types::record::Entry;
use crate::station::types::request::{Denied, Who};
use crate::station::types::standing::Maintenance;

impl Station {
    /// Begins no card from now on. A second request gives another reason.
    pub(super) fn begin_maintenance(&mut self, why: String, by: Who) -> Entry {
        self.standing.maintenance = Some(Maintenance { by: by.clone(), why: why.clone() });
        self.hold_back();
        Entry::MaintenanceBegun { by, why }
    }

    /// Begins cards again that are put in from now on.
    pub(super) fn end_maintenance(&mut self, by: Who) -> Result<Entry, Denied> {
        match self.standing.maintenance.take() {
            Some(_) => Ok(Entry::MaintenanceEnded { by }),
            None => Err(Denied::NoMaintenance),
        }
    }

    /// The maintenance in the view.
    pub(super) fn maintenance_view(&self) -> Option<MaintenanceView> {
        let work = self.standing.maintenance.as_ref();
        work.map(|work| MaintenanceView { by: work.by.name.clone(), why: work.why.clone() })
    }
}

#[cfg(test)]
mod cases;
