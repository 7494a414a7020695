//! A log that goes from one PC to another: the events that record it, and which PC may write the log because of them.
//!
//! ```text
//! log-created (PC 1) … moved-away ──┬─▶ station-moved (PC 2) …     it was restored there, and goes on there
//!                                   └─▶ move-undone …              it never left, and goes on here
//! log-created (PC 1) … ──────────────▶ station-moved (PC 2) …      restored from a backup, without a planned move
//! ```
//! A log is bound to the PC of its newest `station-moved`, or to that of `log-created`. If its newest event of these kinds is `moved-away`,
//! no PC writes it: what was written behind that event would be a second history.

use std::path::Path;

use rusqlite::Connection;
use serde::Deserialize;
use serde_json::json;

use super::Ledger;
use super::away::Away;
use super::body;
use super::chain::{self, Head};
use super::clock::Stamp;
use super::draft::Draft;
use super::error::{Doing, LogError, LogProblem};
use super::format::{CREATED, FORMAT};
use super::machine::{machine_key, this_machine};
use super::reader::LogReader;
use crate::station::request::Who;

/// The kind of the event by which a log leaves its PC.
pub(super) const MOVED_AWAY: &str = "moved-away";
/// The kind of the event by which a log goes on on the PC where it was restored.
pub(super) const STATION_MOVED: &str = "station-moved";
/// The kind of the event by which a move that was not completed is taken back.
pub(super) const MOVE_UNDONE: &str = "move-undone";

/// The first format that has these events, and the index of them. Older ones have none.
const FIRST_FORMAT: i32 = 8;

/// The words of the condition are those of the index, so that SQLite can use it.
const EVENTS: &str = "SELECT kind, at, body FROM event INDEXED BY event_moved
    WHERE kind IN ('moved-away', 'station-moved', 'move-undone') ORDER BY seq";

/// The backup that a log was restored from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RestoredFrom {
    /// The head of the log in the backup.
    pub anchor: Head,
    /// When the backup was made: UTC, microseconds since 1970.
    pub at: i64,
    /// Nothing was written behind the backup: the log was moved away when it was made.
    pub planned: bool,
}

/// The keys of the bodies of these events, as `schema.sql` explains them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    machine: Option<String>,
    to: Option<String>,
    planned: bool,
    backup: Option<BackupBody>,
}

#[derive(Deserialize)]
struct BackupBody {
    anchor: String,
    at: i64,
}

/// What the log says about the PC that may write it.
#[derive(Debug, Default)]
struct Binding {
    /// The key of that PC; `None` if the log says none.
    machine: Option<String>,
    away: Option<Away>,
    /// Every restoring of the log, oldest first.
    restored: Vec<RestoredFrom>,
}

impl Binding {
    fn read(log: &Connection, format: i32) -> rusqlite::Result<Self> {
        let created = chain::at(log, 1)?.filter(|event| event.kind == CREATED);
        let machine = created.and_then(|event| parse(&event.body).machine);
        let mut binding = Self { machine, ..Self::default() };
        if format < FIRST_FORMAT {
            return Ok(binding);
        }
        let mut query = log.prepare(EVENTS)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (kind, at, body): (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            binding.take(&kind, at, parse(&body));
        }
        Ok(binding)
    }

    fn take(&mut self, kind: &str, at: i64, body: Body) {
        match kind {
            MOVED_AWAY => self.away = Some(Away { to: body.to.unwrap_or_default(), at }),
            MOVE_UNDONE => self.away = None,
            STATION_MOVED => {
                self.away = None;
                self.machine = body.machine;
                let from = body
                    .backup
                    .and_then(|backup| Some(RestoredFrom { anchor: backup.anchor.parse().ok()?, at: backup.at, planned: body.planned }));
                self.restored.extend(from);
            }
            _ => {}
        }
    }
}

/// A body of another form says nothing; `log verify` names it.
fn parse(body: &str) -> Body {
    serde_json::from_str(body).unwrap_or_default()
}

/// Checks that the PC with this key may write the log. Reads only.
///
/// # Errors
/// If it belongs to another PC, or has moved away from this one.
pub(super) fn may_write(log: &Connection, path: &Path, format: i32, machine: &str) -> Result<(), LogError> {
    let binding = Binding::read(log, format).map_err(|error| LogError::sqlite(Doing::Opening, path, error))?;
    let refused = |problem| Err(LogError::new(Doing::Opening, path, problem));
    match binding.away {
        _ if binding.machine.as_deref() != Some(machine) => refused(LogProblem::OtherMachine),
        Some(away) => refused(LogProblem::MovedAway(away)),
        None => Ok(()),
    }
}

impl Ledger {
    /// Records that the log goes to another PC, as its last event. From then on it is refused for writing, on this PC and in every copy,
    /// until [`Ledger::take_over`] or [`Ledger::undo_move`].
    ///
    /// # Errors
    /// As [`Ledger::open`], and if there is no log.
    pub(crate) fn move_away(path: &Path, station_name: &str, to: &str, by: &Who) -> Result<Head, LogError> {
        exists(path)?;
        let mut ledger = Self::open(path, station_name)?;
        ledger.record_move(MOVED_AWAY, json!({ "to": to, "by": body::who(by) }))
    }

    /// Takes back a move that was not completed.
    ///
    /// # Errors
    /// If this log has not moved away, or cannot be written.
    pub(crate) fn undo_move(path: &Path, station_name: &str, why: &str, by: &Who) -> Result<Head, LogError> {
        exists(path)?;
        Self::undo_move_on(path, station_name, &this_machine(path)?, why, by)
    }

    pub(super) fn undo_move_on(path: &Path, station_name: &str, machine_id: &str, why: &str, by: &Who) -> Result<Head, LogError> {
        let mut ledger =
            Self::open_if(path, station_name, machine_id, |log, path, format, machine| match may_write(log, path, format, machine) {
                Err(error) if matches!(error.problem, LogProblem::MovedAway(_)) => Ok(()),
                Ok(()) => Err(LogError::new(Doing::Opening, path, LogProblem::NotMoved)),
                Err(other) => Err(other),
            })?;
        ledger.record_move(MOVE_UNDONE, json!({ "reason": why, "by": body::who(by) }))
    }

    /// Binds the log of a backup to this PC, whatever PC it belonged to, and records that as its next event. Attempts that were open when
    /// the backup was made are closed by the next start of the station.
    ///
    /// # Errors
    /// If the log cannot be written, its newest event is not that of the backup, or its newest events were tampered with.
    pub(crate) fn take_over(path: &Path, station_name: &str, anchor: Head, at: i64, by: &Who) -> Result<Head, LogError> {
        exists(path)?;
        Self::take_over_on(path, station_name, &this_machine(path)?, anchor, at, by)
    }

    pub(super) fn take_over_on(
        path: &Path,
        station_name: &str,
        machine_id: &str,
        anchor: Head,
        at: i64,
        by: &Who,
    ) -> Result<Head, LogError> {
        let mut before = Binding::default();
        let mut ledger = Self::open_if(path, station_name, machine_id, |log, path, format, _| {
            before = Binding::read(log, format).map_err(|error| LogError::sqlite(Doing::Opening, path, error))?;
            Ok(())
        })?;
        if ledger.known() != anchor {
            return Err(LogError::new(Doing::Opening, path, LogProblem::Moved));
        }
        let facts = json!({
            "machine": machine_key(machine_id),
            "from": before.machine,
            "planned": before.away.is_some(),
            "backup": { "anchor": anchor.to_string(), "at": at },
            "by": body::who(by),
        });
        ledger.record_move(STATION_MOVED, facts)
    }

    pub(super) fn record_move(&mut self, kind: &str, facts: serde_json::Value) -> Result<Head, LogError> {
        let stamp = Stamp::now();
        let body = body::of_move(facts, &stamp, &self.station_name);
        self.write(&[Draft { kind: kind.to_owned(), at: stamp.at, body, ends: None }])?;
        Ok(self.known())
    }
}

/// A log is never made by a move.
fn exists(path: &Path) -> Result<(), LogError> {
    match path.try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => Err(LogError::new(Doing::Opening, path, LogProblem::NoFile)),
        Err(error) => Err(LogError::io(Doing::Opening, path, error)),
    }
}

impl LogReader {
    /// The move that this log has left its PC by, if it has.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn away(&self) -> Result<Option<Away>, LogError> {
        Ok(self.binding()?.away)
    }

    /// The backups that this log was restored from, oldest first.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn restored(&self) -> Result<Vec<RestoredFrom>, LogError> {
        Ok(self.binding()?.restored)
    }

    /// Is this PC the one that the log is bound to?
    ///
    /// # Errors
    /// If the log cannot be read, or this PC has no machine-id.
    pub(crate) fn is_of_this_pc(&self) -> Result<bool, LogError> {
        let machine = machine_key(&this_machine(self.path())?);
        Ok(self.binding()?.machine == Some(machine))
    }

    /// The id of the station that writes the log; empty if the log has no event.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn station_id(&self) -> Result<String, LogError> {
        Ok(self.within(chain::newest)?.map(|event| event.station).unwrap_or_default())
    }

    fn binding(&self) -> Result<Binding, LogError> {
        self.within(|log| Binding::read(log, FORMAT))
    }
}
