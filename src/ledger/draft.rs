//! An event that is not in the log yet: it learns the places of the events that it names when it is written.

use rusqlite::{Connection, OptionalExtension};

use super::body::{self, Closed, Start};
use super::clock::Stamp;
use crate::station::record::{AttemptNumber, Entry};

/// The kind of the event that records a change after the proof: it names the place of its attempt's end.
pub(super) const CHANGED: &str = "attempt-changed";

/// An event that is not in the log yet.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Draft {
    pub(super) kind: String,
    /// Its time: UTC, microseconds since 1970.
    pub(super) at: i64,
    /// Its body; for an attempt's end without the place of its start, and for a change also without that of its end.
    pub(super) body: String,
    /// The attempt that it closes, or whose change it records.
    pub(super) ends: Option<AttemptNumber>,
}

impl Draft {
    pub(super) fn of(entry: &Entry, stamp: &Stamp, station_name: &str) -> Self {
        let ends = match entry {
            Entry::AttemptClosed { attempt, .. } | Entry::AttemptChanged { attempt, .. } => Some(attempt.number),
            Entry::StationStarted { .. }
            | Entry::StationStopped
            | Entry::ModelArmed { .. }
            | Entry::Approved { .. }
            | Entry::CardReturned { .. }
            | Entry::Disarmed { .. }
            | Entry::Rearmed { .. }
            | Entry::OrderStarted { .. }
            | Entry::OrderStopped { .. }
            | Entry::BoxClosed { .. }
            | Entry::LogConfirmed { .. }
            | Entry::RestartAsked { .. }
            | Entry::MaintenanceBegun { .. }
            | Entry::MaintenanceEnded { .. }
            | Entry::AttemptStarted(_)
            | Entry::ModelDistrusted { .. }
            | Entry::StandsOut(_)
            | Entry::VerifierProven { .. }
            | Entry::VerifierMissed { .. }
            | Entry::VerifierUnproven { .. } => None,
        };
        Self { kind: entry.kind().to_owned(), at: stamp.at, body: body::of_entry(entry, stamp, station_name), ends }
    }

    pub(super) fn body(&self, connection: &Connection) -> rusqlite::Result<String> {
        let Some(attempt) = self.ends else { return Ok(self.body.clone()) };
        let start = start_of(connection, attempt)?;
        let closed = if self.kind == CHANGED { Some(closed_of(connection, attempt)?) } else { None };
        Ok(body::with_places(&self.body, start, closed))
    }
}

fn start_of(connection: &Connection, attempt: AttemptNumber) -> rusqlite::Result<Option<Start>> {
    // A number beyond SQLite's integers is not the number of an attempt.
    let Ok(attempt) = i64::try_from(attempt) else { return Ok(None) };
    connection
        .prepare_cached("SELECT seq, at FROM event WHERE attempt = ?1 AND kind = 'attempt-started'")?
        .query_row([attempt], |row| Ok(Start { seq: row.get(0)?, at: row.get(1)? }))
        .optional()
}

fn closed_of(connection: &Connection, attempt: AttemptNumber) -> rusqlite::Result<Option<Closed>> {
    let Ok(attempt) = i64::try_from(attempt) else { return Ok(None) };
    connection
        .prepare_cached("SELECT seq, at, json_extract(body, '$.outcome.word') FROM event WHERE attempt = ?1 AND kind = 'attempt-closed'")?
        .query_row([attempt], |row| Ok(Closed { seq: row.get(0)?, at: row.get(1)?, word: row.get(2)? }))
        .optional()
}
