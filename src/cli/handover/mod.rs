//! `flashline handover`: what is open at the end of a shift, for the sheet that is signed. The flash log tells it, also while the station is
//! stopped; a running station adds its faults and its slots.

mod cards;
mod page;

use std::path::{Path, PathBuf};

use super::request::StationArgs;
use super::{GOOD, NOT_GOOD, USAGE_OR_STATION, complain, say, say_json};
use crate::config::ConfigError;
use crate::control::wire::{SlotStatus, Status, SuspectStatus};
use crate::ledger::{Distrusted, Filter, Head, LogError, LogReader};
use crate::report::times::{Shifts, TimeError, window};
use crate::station::first_off::{FirstCard, FirstOff};
use crate::station::order::Order;
use crate::station::request::Target;
use crate::station::standing::{LogNote, Standing};
use cards::OpenCards;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Look at cards since TIME, as `flashline log --since` takes it
    #[arg(long, value_name = "TIME", default_value = "shift")]
    since: String,
    #[command(flatten)]
    place: super::log::LogSource,
    #[command(flatten)]
    station: StationArgs,
}

/// Why nothing can be handed over.
#[derive(Debug, thiserror::Error)]
enum HandoverError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Time(#[from] TimeError),
    #[error(transparent)]
    Log(#[from] LogError),
}

/// What is open.
struct Handover {
    now: jiff::Zoned,
    since: Option<jiff::Timestamp>,
    /// The end of the log: the number of its newest event, and the hash that proves all before it.
    anchor: Head,
    standing: Standing,
    distrusted: Vec<Distrusted>,
    cards: OpenCards,
    volatile: bool,
    /// What the running station shows; `None` if it was not asked, or the reason why it did not answer.
    status: Option<Result<Status, String>>,
}

/// Exit code 1 if something is open.
pub(super) fn run(args: &Args) -> u8 {
    match gather(args) {
        Ok(handover) => {
            if args.station.json {
                say_json(&handover.json());
            } else {
                handover.lines().iter().for_each(say);
            }
            if handover.is_open() { NOT_GOOD } else { GOOD }
        }
        Err(error) => {
            complain(&error);
            USAGE_OR_STATION
        }
    }
}

fn gather(args: &Args) -> Result<Handover, HandoverError> {
    let configured = super::configured(&args.place)?;
    let path = args.place.file.clone().or(configured.log).unwrap_or_else(|| PathBuf::from(super::log::DEFAULT));
    let status = args.place.file.is_none().then(|| {
        let answer = args.station.connect().and_then(|mut client| client.status());
        answer.map_err(|error| super::sentence(&error))
    });
    read(&path, &args.since, crate::zone::now(), &Shifts::new(configured.shifts), configured.models.as_deref(), status)
}

fn read(
    path: &Path,
    since: &str,
    now: jiff::Zoned,
    shifts: &Shifts,
    models: Option<&[String]>,
    status: Option<Result<Status, String>>,
) -> Result<Handover, HandoverError> {
    let since = window(Some(since), None, &now, shifts)?.since;
    let log = LogReader::open(path)?;
    // First: what is recorded meanwhile is behind the anchor, and may be in the list all the same.
    let anchor = log.head()?;
    let mut cards = OpenCards::default();
    for row in log.attempts(&Filter { since: since.map(jiff::Timestamp::as_microsecond), ..Filter::default() }) {
        cards.add(row?);
    }
    let running = status.as_ref().and_then(|status| status.as_ref().ok());
    let distrusted = in_use(log.distrusted()?, models, running);
    let (standing, volatile) = (log.standing()?, log.volatile()?.is_some());
    Ok(Handover { now, since, anchor, standing, distrusted, cards, volatile, status })
}

/// Those of these models that the configuration or the running station has; all of them if both are unknown, as of a copy on another PC. A
/// model that was renamed or removed is never armed by that name again.
fn in_use(mut distrusted: Vec<Distrusted>, configured: Option<&[String]>, running: Option<&Status>) -> Vec<Distrusted> {
    if configured.is_some() || running.is_some() {
        distrusted.retain(|Distrusted { model, .. }| {
            configured.is_some_and(|names| names.contains(model))
                || running.is_some_and(|status| status.models.iter().any(|known| known.name == *model))
        });
    }
    distrusted
}

impl Handover {
    fn running(&self) -> Option<&Status> {
        self.status.as_ref()?.as_ref().ok()
    }

    /// The faults that the running station shows now.
    fn faults(&self) -> Vec<&str> {
        self.running().map(Status::all_faults).unwrap_or_default()
    }

    /// The notes about the log: as the station knows them, and as its file says it.
    fn notes(&self) -> Vec<LogNote> {
        let mut notes = self.standing.log.clone();
        notes.extend(self.volatile.then_some(LogNote::Volatile));
        notes.extend(self.running().into_iter().flat_map(|status| &status.log).filter_map(|word| LogNote::of(word)));
        notes.sort_unstable();
        notes.dedup();
        notes
    }

    /// Slots that the running station starts no card in until somebody acts, by the code of their sign: name, sign, reason.
    fn stopped_slots(&self) -> Vec<(&str, &str, String)> {
        let slots = self.running().into_iter().flat_map(|status| &status.slots);
        // What a person disarmed is told with the person.
        let is_told = |slot: &SlotStatus| {
            self.standing.disarmings.iter().any(|disarming| match &disarming.target {
                Target::Slot(name) => *name == slot.slot,
                Target::Model(name) => *name == slot.model,
            })
        };
        let stopped = slots.filter(|slot| slot.sign == "out-of-service" || slot.sign == "disarmed" && !is_told(slot));
        stopped
            .map(|slot| {
                (slot.slot.as_str(), slot.word.as_str(), slot.reason.as_ref().map(|reason| reason.text.clone()).unwrap_or_default())
            })
            .collect()
    }

    /// Orders that want more cards, with how many.
    fn orders(&self) -> impl Iterator<Item = (&Order, u32)> {
        self.standing.orders.iter().map(|order| (order, order.count.saturating_sub(order.passed))).filter(|(_, missing)| *missing > 0)
    }

    /// First cards that wait for their approval, with what they are approved for.
    fn first_cards(&self) -> impl Iterator<Item = (&FirstOff, &FirstCard)> {
        self.standing.first_offs.iter().filter_map(|first_off| Some((first_off, first_off.waiting()?)))
    }

    /// Readers, hubs and cards of which the running station says that too many fail.
    fn suspects(&self) -> &[SuspectStatus] {
        self.running().map_or(&[], |status| &status.suspects)
    }

    /// Is there anything that the next shift must know?
    fn is_open(&self) -> bool {
        !(self.cards.to_put_in_again().is_empty()
            && self.cards.under_way().is_empty()
            && self.orders().next().is_none()
            && self.standing.maintenance.is_none()
            && self.first_cards().next().is_none()
            && self.standing.disarmings.is_empty()
            && self.standing.quarantines.is_empty()
            && self.suspects().is_empty()
            && self.distrusted.is_empty()
            && self.stopped_slots().is_empty()
            && self.faults().is_empty()
            && self.notes().is_empty()
            && !matches!(self.status, Some(Err(_))))
    }
}

#[cfg(test)]
mod tests;
