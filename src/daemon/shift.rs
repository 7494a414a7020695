//! Finds the end of a shift and the head of the flash log at that time. People write the head down in a place that cannot be changed by
//! those who can write the log.
//!
//! A thread reads it from the log itself, so that a restarted station shows the same. No other thread waits for it. It also reads the time
//! zone, which is on a disk.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use jiff::Zoned;
use tokio::sync::mpsc;

use super::log_process::ask_anchor;
use crate::report::times::Shifts;
use crate::station::Event;
use crate::station::view::Anchor;
use crate::zone;

/// Interval at which the shift is checked: a clock may be set.
const LOOK: Duration = Duration::from_secs(20);

/// The thread that notices when another shift begins. It ends when this value is dropped, or as soon as the call it waits for returns.
#[derive(Debug)]
pub(super) struct ShiftEnd {
    turn: Sender<Shifts>,
}

impl ShiftEnd {
    /// If there is no thread, no anchor is shown.
    pub(super) fn start(log: &Path, shifts: Shifts, tell: mpsc::Sender<Event>) -> Self {
        let (turn, turned) = channel();
        let mut ends = Ends { log: log.to_owned(), shifts, told: None };
        let look = move || {
            loop {
                let told = ends.look(&zone::now()).is_none_or(|event| tell.blocking_send(event).is_ok());
                match turned.recv_timeout(LOOK) {
                    _ if !told => return,
                    Ok(shifts) => ends.shifts = shifts,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("shift".to_owned()).spawn(look) {
            tracing::warn!(%error, "no thread to notice the end of a shift: ask `flashline log anchor`");
        }
        Self { turn }
    }

    /// Shifts begin at these times from now on.
    pub(super) fn set_shifts(&self, shifts: Shifts) {
        let _without_a_thread = self.turn.send(shifts);
    }
}

#[derive(Debug)]
struct Ends {
    log: PathBuf,
    shifts: Shifts,
    /// The start of the current shift when the anchor was last reported, in microseconds UTC.
    told: Option<i64>,
}

impl Ends {
    /// The log's head, if another shift has begun.
    fn look(&mut self, now: &Zoned) -> Option<Event> {
        let ended = self.ended(now)?;
        match ask_anchor(&self.log, ended) {
            Ok(Some(text)) => {
                let anchor = Anchor { at: ended, text };
                tracing::info!(anchor = anchor.text, "a shift has ended: write this on the shift sheet");
                Some(Event::ShiftEnded(anchor))
            }
            // The log began in this shift: there is no earlier anchor.
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a shift has ended, and its anchor cannot be read: ask `flashline log anchor`"
                );
                None
            }
        }
    }

    /// The time when the last shift ended, if it was not reported yet.
    fn ended(&mut self, now: &Zoned) -> Option<i64> {
        let (began, _) = self.shifts.around(now)?;
        let began = began.timestamp().as_microsecond();
        (self.told.replace(began) != Some(began)).then_some(began)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Time;

    use super::*;
    use crate::daemon::log_process::anchor;
    use crate::ledger::{Ledger, LogReader, Stamp};
    use crate::station::record::Entry;

    fn at(local: &str) -> Zoned {
        format!("{local}[Europe/Berlin]").parse().expect("a time")
    }

    fn micros(local: &str) -> i64 {
        at(local).timestamp().as_microsecond()
    }

    #[test]
    fn the_end_of_a_shift_is_told_once_and_at_the_start_that_of_the_last_one() {
        let mut end = Ends { log: PathBuf::from("log"), shifts: Shifts::default(), told: None };
        assert_eq!(end.ended(&at("2026-11-24T15:00")), Some(micros("2026-11-24T14:00")), "a station that starts shows the last one");
        assert_eq!(end.ended(&at("2026-11-24T21:59:59")), None);
        assert_eq!(end.ended(&at("2026-11-24T22:00:00")), Some(micros("2026-11-24T22:00")));
        assert_eq!(end.ended(&at("2026-11-25T05:00")), None, "it stays till the next one");
        end.shifts = Shifts::new(vec![Time::constant(0, 0, 0, 0)]);
        assert_eq!(end.ended(&at("2026-11-25T05:00")), Some(micros("2026-11-25T00:00")), "shifts are those of the configuration");
    }

    #[test]
    fn the_anchor_is_the_newest_event_of_the_shift_whatever_came_since_and_the_log_passes_through_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        let mut ledger = Ledger::open_on(&path, "bench-1", "0123456789abcdef0123456789abcdef").expect("the log opens");
        // A log begins when its file is made, so the test uses shifts in the future.
        let began = ledger.newest_at().expect("readable").expect("an event");
        let mut add = |later: i64| {
            let stamp = Stamp { at: began + later, boot: String::new(), since_boot_ms: None, synced: None };
            ledger.append_at(&stamp, &Entry::StationStopped).expect("appended");
        };
        (1..=3).for_each(&mut add);
        let before = LogReader::open(&path).expect("a log").head().expect("readable");
        (10..=12).for_each(&mut add);
        let shown = anchor(&path, began + 10).expect("readable");
        assert_eq!(shown, before.to_string());
        let log = LogReader::open(&path).expect("a log");
        log.verify_through(&shown.parse().expect("an anchor")).expect("readable").expect("the log passes through it");
        assert_eq!(anchor(&path, began).expect("readable"), "", "nothing is shown of a shift before the log began");
    }
}
