//! What became of the cards of this day: counted in the log when the station starts and when another day begins, by a thread that nobody
//! waits for. What is recorded meanwhile is counted by the station, so the log is asked as of one moment before it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Zoned;
use tokio::sync::mpsc;

use crate::ledger::{Filter, LogError, LogReader};
use crate::station::Event;
use crate::station::view::Tally;

/// How often it is asked what day it is: a clock may be set.
const LOOK: Duration = Duration::from_secs(20);

/// Notices when another day begins.
#[derive(Debug)]
pub(super) struct Today {
    log: PathBuf,
    day: Option<jiff::civil::Date>,
    looked: Option<Instant>,
}

impl Today {
    pub(super) fn new(log: &Path) -> Self {
        Self { log: log.to_owned(), day: None, looked: None }
    }

    /// Has the day counted, where it is another one than before.
    pub(super) fn look(&mut self, tell: &mpsc::Sender<Event>) {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return;
        }
        self.looked = Some(Instant::now());
        let now = Zoned::now();
        let before = self.day.replace(now.date());
        if before == Some(now.date()) {
            return;
        }
        if before.is_some() {
            // What the station counted until now was yesterday's. A card recorded in this very moment is counted by nobody; the log has it.
            let _full = tell.try_send(Event::Today(Tally::default()));
            return;
        }
        let (log, tell) = (self.log.clone(), tell.clone());
        let count = move || match since_midnight(&log, &now) {
            Ok(tally) => {
                let _stopped = tell.blocking_send(Event::Today(tally));
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "today's cards cannot be counted: the console begins at none");
            }
        };
        if let Err(error) = std::thread::Builder::new().name("today".to_owned()).spawn(count) {
            tracing::warn!(%error, "no thread to count today's cards: the console begins at none");
        }
    }
}

fn since_midnight(log: &Path, now: &Zoned) -> Result<Tally, LogError> {
    let since = now.start_of_day().ok().map(|midnight| midnight.timestamp().as_microsecond());
    let mut tally = Tally::default();
    LogReader::open(log)?.briefs(&Filter { since, ..Filter::default() }, |brief| {
        tally.add(brief.outcome);
        ControlFlow::Continue(())
    })?;
    Ok(tally)
}
