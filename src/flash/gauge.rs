//! What a card's thread lets others see, and the one thing others may tell it: to stop.
//!
//! Atomics only: whoever looks never makes the thread wait, and what was measured outlives a thread that panicked.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::station::outcome::{Act, Effort};
use crate::station::slot::Step;
use crate::station::units::{Bytes, to_u64};

/// Progress and effort of one attempt.
#[derive(Debug)]
pub struct Gauge {
    began: Instant,
    cancelled: AtomicBool,
    flushing: AtomicBool,
    step: AtomicU64,
    done: AtomicU64,
    of: AtomicU64,
    written: AtomicU64,
    read: AtomicU64,
    writing_ns: AtomicU64,
    reading_ns: AtomicU64,
    slowest_ns: AtomicU64,
    /// Claim to end, once it ended.
    total_ns: AtomicU64,
}

impl Default for Gauge {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            began: Instant::now(),
            cancelled: AtomicBool::new(false),
            flushing: AtomicBool::new(false),
            step: zero(),
            done: zero(),
            of: zero(),
            written: zero(),
            read: zero(),
            writing_ns: zero(),
            reading_ns: zero(),
            slowest_ns: zero(),
            total_ns: zero(),
        }
    }
}

impl Gauge {
    /// Asks the thread to stop after its current call.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Was it asked to?
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    /// The step, bytes done in it, bytes of it.
    #[must_use]
    pub fn progress(&self) -> (Step, Bytes, Bytes) {
        let step = match self.step.load(Relaxed) {
            0 => Step::Writing,
            1 => Step::ReadingBack,
            _ => Step::Finishing,
        };
        (step, Bytes(self.done.load(Relaxed)), Bytes(self.of.load(Relaxed)))
    }

    /// Is the card being waited for, to empty its own cache? Nothing moves then, for longer than otherwise.
    #[must_use]
    pub fn is_flushing(&self) -> bool {
        self.flushing.load(Relaxed)
    }

    /// What was done so far.
    #[must_use]
    pub fn effort(&self) -> Effort {
        let duration = |ns: &AtomicU64| Duration::from_nanos(ns.load(Relaxed));
        let total = Some(duration(&self.total_ns)).filter(|total| !total.is_zero());
        Effort {
            written: Bytes(self.written.load(Relaxed)),
            read: Bytes(self.read.load(Relaxed)),
            writing: duration(&self.writing_ns),
            reading: duration(&self.reading_ns),
            total: total.unwrap_or_else(|| self.began.elapsed()),
            slowest_call: duration(&self.slowest_ns),
        }
    }

    /// The attempt is over: its duration stands.
    pub(super) fn end(&self) {
        self.total_ns.store(nanoseconds(self.began.elapsed()), Relaxed);
    }

    pub(super) fn enter(&self, step: Step, of: Bytes) {
        let number = match step {
            Step::Writing => 0,
            Step::ReadingBack => 1,
            Step::Finishing => 2,
        };
        self.done.store(0, Relaxed);
        self.of.store(of.0, Relaxed);
        self.step.store(number, Relaxed);
    }

    pub(super) fn advance(&self, by: u64) {
        self.done.fetch_add(by, Relaxed);
    }

    /// Measures one call to the card. Bytes count when the call was good.
    pub(super) fn time<T, E>(&self, act: Act, length: usize, call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let began = Instant::now();
        self.flushing.store(act == Act::Flushing, Relaxed);
        let answer = call();
        self.flushing.store(false, Relaxed);
        let ns = nanoseconds(began.elapsed());
        self.slowest_ns.fetch_max(ns, Relaxed);
        let moved = if answer.is_ok() { to_u64(length) } else { 0 };
        match act {
            Act::Writing => {
                self.written.fetch_add(moved, Relaxed);
                self.writing_ns.fetch_add(ns, Relaxed);
            }
            Act::Flushing => {
                self.writing_ns.fetch_add(ns, Relaxed);
            }
            Act::Reading => {
                self.read.fetch_add(moved, Relaxed);
                self.reading_ns.fetch_add(ns, Relaxed);
            }
        }
        answer
    }
}

/// 584 years fit.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
