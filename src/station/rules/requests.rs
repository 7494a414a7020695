//! Carries out the requests of clients.

use std::time::Duration;

use super::{Effect, Station};
use crate::station::types::armed::Armed;
use crate::station::types::record::Entry;
use crate::station::types::request::{Command, Denied, RequestId, Target, Who};
use crate::station::types::standing::{Disarming, LogNote};
use crate::station::types::units::Moment;

/// How long a slot's lamp blinks for a search.
const IDENTIFY: Duration = Duration::from_secs(30);

impl Station {
    /// Carries out a request, or returns why not.
    pub(super) fn asked(&mut self, now: Moment, request: RequestId, by: Who, command: Command) -> Vec<Effect> {
        let mut first = None;
        let answer = match self.command(now, by, command, &mut first) {
            // The change is in effect from now on, and is confirmed when it would also survive a restart.
            Ok(Some(entry)) => Effect::RecordAsked { request, entry: Box::new(entry) },
            Ok(None) => Effect::Answer { request, answer: Ok(()) },
            Err(denied) => Effect::Answer { request, answer: Err(denied) },
        };
        first.into_iter().chain([answer]).collect()
    }

    /// `first` is recorded before the answer.
    fn command(&mut self, now: Moment, by: Who, command: Command, first: &mut Option<Effect>) -> Result<Option<Entry>, Denied> {
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
                self.standing.disarmings.retain(|disarming| disarming.target != target);
                self.standing.disarmings.push(Disarming { target: target.clone(), by: by.clone(), reason: reason.clone() });
                self.note_disarmings();
                Ok(Some(Entry::Disarmed { target, by, reason }))
            }
            Command::Arm { target } => {
                let before = self.standing.disarmings.len();
                self.standing.disarmings.retain(|disarming| disarming.target != target);
                let was_closed = self.end_quarantine(&target);
                if self.standing.disarmings.len() == before && !was_closed {
                    // An unknown name is a better answer than that nothing was disarmed.
                    self.knows(&target)?;
                    return Err(Denied::NotDisarmed(target));
                }
                self.count_anew(&target);
                self.note_disarmings();
                Ok(Some(Entry::Rearmed { target, by }))
            }
            Command::StartOrder { model, count, name, work_order } => self.start_order(&model, count, (name, work_order), by).map(Some),
            Command::ConfirmLog => {
                let before = self.standing.log.len();
                self.standing.log.retain(|note| *note != LogNote::Begun);
                if self.standing.log.len() == before { Err(Denied::NothingToConfirm) } else { Ok(Some(Entry::LogConfirmed { by })) }
            }
            Command::Approve { model, card } => self.approve(&model, card.as_deref(), by).map(Some),
            Command::BeginMaintenance { why } => Ok(Some(self.begin_maintenance(why, by))),
            Command::EndMaintenance => self.end_maintenance(by).map(Some),
            Command::Restart => Ok(self.ask_for_restart(by)),
            Command::StopOrder { model } => {
                let (last_box, stopped) = self.stop_order(&model, by)?;
                *first = last_box;
                Ok(Some(stopped))
            }
        }
    }

    /// Updates in every slot whether it is out of work, and why.
    pub(super) fn note_disarmings(&mut self) {
        for slot in &mut self.slots {
            slot.disarmed = self
                .standing
                .disarmings
                .iter()
                .find(|disarming| disarming.covers(&slot.settings.name, &slot.settings.model))
                .map(Disarming::sentence);
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

    /// The image that is armed for a model, as [`armed_for`](Self::armed_for); or the denial of a request that needs one.
    pub(super) fn armed_or_denied(&self, model: &str) -> Result<&Armed, Denied> {
        self.armed_for(model).ok_or_else(|| {
            let (model, known) = (model.to_owned(), self.models());
            if known.contains(&model) { Denied::NotArmed { model } } else { Denied::NoSuchModel { model, known } }
        })
    }

    /// The image that is armed for a model, under the name of slots or under that of the device.
    pub(super) fn armed_for(&self, model: &str) -> Option<&Armed> {
        let armed = || self.armed.iter();
        armed().find(|armed| armed.model == model).or_else(|| armed().find(|armed| armed.logged_model() == model))
    }
}
