//! What one thread is told by another, and how long its end is waited for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A thread that hangs is not waited for any longer.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// What one thread tells another; only the last of it matters.
#[derive(Debug, Default)]
pub(super) struct Told<T> {
    state: Mutex<T>,
    changed: Condvar,
}

impl<T: Clone> Told<T> {
    pub(super) fn new(state: T) -> Self {
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        // What was told is whole, whoever panicked since.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// What was told last, after `time`, or as soon as there is something that is `new`.
    pub(super) fn wait(&self, time: Duration, is_new: impl Fn(&T) -> bool) -> T {
        let wait = self.changed.wait_timeout_while(self.lock(), time, |state| !is_new(state));
        wait.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

/// Waits for threads that were told to end, unless one hangs, which is left behind.
pub(super) fn wait_for<'a>(threads: impl IntoIterator<Item = &'a JoinHandle<()>>) {
    let by = Instant::now() + PATIENCE;
    for thread in threads {
        while !thread.is_finished() && Instant::now() < by {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    use std::thread;
    use std::time::Duration;

    /// Waits until the other thread has done it. No test waits this long unless it fails.
    pub(in crate::panel) fn wait_for(what: &str, done: impl Fn() -> bool) {
        for _ in 0..1000 {
            if done() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("{what}");
    }
}
