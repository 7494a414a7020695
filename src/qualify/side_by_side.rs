//! Slots that are measured at once: they begin together, and the figures count only as long as all of them are busy.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

/// How long a slot waits for the others: they may be in a flush. Less than what the engine's watch over a stall allows for an answer.
const WAITS: Duration = Duration::from_secs(200);
/// Interval at which it looks.
const LOOK: Duration = Duration::from_millis(1);

/// One measurement of several slots.
#[derive(Debug)]
pub(crate) struct Meeting {
    expected: usize,
    arrived: AtomicUsize,
    over: AtomicBool,
}

impl Meeting {
    /// A measurement of this many slots.
    #[must_use]
    pub(crate) fn of(expected: usize) -> Self {
        Self { expected, arrived: AtomicUsize::new(0), over: AtomicBool::new(false) }
    }

    /// Waits until all are here, or one has ended, or `give_up` says so.
    pub(crate) fn arrive(&self, give_up: impl Fn() -> bool) {
        self.arrived.fetch_add(1, SeqCst);
        let began = Instant::now();
        while self.arrived.load(SeqCst) < self.expected && !self.is_over() && !give_up() && began.elapsed() < WAITS {
            thread::sleep(LOOK);
        }
    }

    /// One of them has ended: from now on the others are faster than they would be.
    pub(crate) fn end(&self) {
        self.over.store(true, SeqCst);
    }

    /// Has one of them ended?
    #[must_use]
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(SeqCst)
    }
}

#[cfg(test)]
mod cases {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn nobody_begins_before_all_are_there_and_nobody_waits_for_one_that_has_ended() {
        let meeting = Arc::new(Meeting::of(2));
        let (ours, began) = (Arc::clone(&meeting), Instant::now());
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            ours.arrive(|| false);
        });
        meeting.arrive(|| false);
        assert!(began.elapsed() >= Duration::from_millis(50), "it waited");
        other.join().expect("it only sleeps");
        let alone = Meeting::of(2);
        alone.end();
        alone.arrive(|| false);
        Meeting::of(2).arrive(|| true);
        assert!(began.elapsed() < WAITS / 2);
    }
}
