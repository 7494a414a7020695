//! The end of a shift: the flash log's head as it was then, to be written down where nobody who can write the log can change it.
//!
//! Found in the log itself, by a thread that nobody waits for, so that a station that was started again shows the same.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Zoned;
use tokio::sync::mpsc;

use crate::ledger::{LogError, LogReader};
use crate::report::times::Shifts;
use crate::station::Event;
use crate::station::view::Anchor;

/// How often it is asked which shift it is: a clock may be set.
const LOOK: Duration = Duration::from_secs(20);

/// Notices when another shift begins.
#[derive(Debug)]
pub(super) struct ShiftEnd {
    log: PathBuf,
    shifts: Shifts,
    /// When the shift began whose predecessor's end is shown, microseconds UTC.
    told: Option<i64>,
    looked: Option<Instant>,
}

impl ShiftEnd {
    pub(super) fn new(log: &Path, shifts: Shifts) -> Self {
        Self { log: log.to_owned(), shifts, told: None, looked: None }
    }

    /// From now on shifts begin at these times.
    pub(super) fn turn_to(&mut self, shifts: Shifts) {
        if self.shifts != shifts {
            (self.shifts, self.looked) = (shifts, None);
        }
    }

    /// Has the log's head told, where another shift has begun.
    pub(super) fn look(&mut self, tell: &mpsc::Sender<Event>) {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return;
        }
        self.looked = Some(Instant::now());
        let Some(ended) = self.ended(&Zoned::now()) else { return };
        let (log, tell) = (self.log.clone(), tell.clone());
        let find = move || match anchor(&log, ended) {
            Ok(Some(anchor)) => {
                tracing::info!(anchor = anchor.text, "a shift has ended: write this on the shift sheet");
                let _stopped = tell.blocking_send(Event::ShiftEnded(anchor));
            }
            // The log began in this shift: there is nothing yet to hold on to.
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a shift has ended, and its anchor cannot be read: ask `flashline log anchor`"
                );
            }
        };
        if let Err(error) = std::thread::Builder::new().name("shift".to_owned()).spawn(find) {
            tracing::warn!(%error, "a shift has ended, and there is no thread to read its anchor: ask `flashline log anchor`");
        }
    }

    /// When the last shift ended, where that was not told yet.
    fn ended(&mut self, now: &Zoned) -> Option<i64> {
        let (began, _) = self.shifts.around(now)?;
        let began = began.timestamp().as_microsecond();
        (self.told.replace(began) != Some(began)).then_some(began)
    }
}

fn anchor(log: &Path, ended: i64) -> Result<Option<Anchor>, LogError> {
    Ok(LogReader::open(log)?.head_before(ended)?.map(|head| Anchor { at: ended, text: head.to_string() }))
}

#[cfg(test)]
mod tests {
    use jiff::civil::Time;

    use super::*;
    use crate::ledger::{Ledger, Stamp};
    use crate::station::record::Entry;

    fn at(local: &str) -> Zoned {
        format!("{local}[Europe/Berlin]").parse().expect("a time")
    }

    fn micros(local: &str) -> i64 {
        at(local).timestamp().as_microsecond()
    }

    #[test]
    fn the_end_of_a_shift_is_told_once_and_at_the_start_that_of_the_last_one() {
        let mut end = ShiftEnd::new(Path::new("log"), Shifts::default());
        assert_eq!(end.ended(&at("2026-11-24T15:00")), Some(micros("2026-11-24T14:00")), "a station that starts shows the last one");
        assert_eq!(end.ended(&at("2026-11-24T21:59:59")), None);
        assert_eq!(end.ended(&at("2026-11-24T22:00:00")), Some(micros("2026-11-24T22:00")));
        assert_eq!(end.ended(&at("2026-11-25T05:00")), None, "it stays till the next one");
        end.turn_to(Shifts::new(vec![Time::constant(0, 0, 0, 0)]));
        assert_eq!(end.ended(&at("2026-11-25T05:00")), Some(micros("2026-11-25T00:00")), "shifts are those of the configuration");
    }

    #[test]
    fn the_anchor_is_the_newest_event_of_the_shift_whatever_came_since_and_the_log_passes_through_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        let mut ledger = Ledger::open_on(&path, "bench-1", "0123456789abcdef0123456789abcdef").expect("the log opens");
        // A log begins when its file is made: shifts of times to come.
        let began = ledger.newest_at().expect("readable").expect("an event");
        let mut add = |later: i64| {
            let stamp = Stamp { at: began + later, boot: String::new(), since_boot_ms: None, synced: None };
            ledger.append_at(&stamp, &Entry::StationStopped).expect("appended");
        };
        (1..=3).for_each(&mut add);
        let before = LogReader::open(&path).expect("a log").head().expect("readable");
        (10..=12).for_each(&mut add);
        let shown = anchor(&path, began + 10).expect("readable").expect("there are events");
        assert_eq!(shown, Anchor { at: began + 10, text: before.to_string() });
        let log = LogReader::open(&path).expect("a log");
        log.verify_through(&shown.text.parse().expect("an anchor")).expect("readable").expect("the log passes through it");
        assert_eq!(anchor(&path, began).expect("readable"), None, "nothing is shown of a shift before the log began");
    }
}
