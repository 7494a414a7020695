//! Counts the cards of this day in the log, when the station starts and when another day begins. The station counts what it records in the
//! meantime, so the log is read up to a moment before that.
//!
//! This is done in a thread that no other thread waits for: the log is on a disk, and so is the time zone (`/etc/localtime`), which `jiff`
//! reads again every few minutes.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use jiff::Zoned;
use tokio::sync::mpsc;

use super::log_process::ask_tally;
use crate::station::Event;
use crate::station::view::DayCount;
use crate::zone;

/// Interval at which the date is checked: a clock may be set.
const LOOK: Duration = Duration::from_secs(20);

/// The thread that notices when another day begins. It ends when this value is dropped, or as soon as the call it waits for returns.
#[derive(Debug)]
pub(super) struct DayCounter {
    _until_dropped: Sender<()>,
}

impl DayCounter {
    /// If there is no thread, today's count begins at zero.
    pub(super) fn start(log: &Path, tell: mpsc::Sender<Event>) -> Self {
        let (until_dropped, dropped) = channel::<()>();
        let mut days = Days { log: log.to_owned(), day: None };
        let look = move || {
            loop {
                let told = days.look(&zone::now()).is_none_or(|event| tell.blocking_send(event).is_ok());
                if !told || dropped.recv_timeout(LOOK) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("today".to_owned()).spawn(look) {
            tracing::warn!(%error, "no thread to count today's cards: the console begins at none");
        }
        Self { _until_dropped: until_dropped }
    }
}

struct Days {
    log: PathBuf,
    day: Option<jiff::civil::Date>,
}

impl Days {
    /// The counts of the day so far, if it is another day than before.
    fn look(&mut self, now: &Zoned) -> Option<Event> {
        let before = self.day.replace(now.date());
        if before == Some(now.date()) {
            return None;
        }
        if before.is_some() {
            // The station's count until now was yesterday's. A card that is recorded at this very moment is missing from the count; the log
            // has it.
            return Some(Event::Today(DayCount::default()));
        }
        let midnight = now.start_of_day().map_or(0, |midnight| midnight.timestamp().as_microsecond());
        match ask_tally(&self.log, midnight) {
            Ok(tally) => Some(Event::Today(tally)),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "today's cards cannot be counted: the console begins at none");
                None
            }
        }
    }
}
