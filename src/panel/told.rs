//! A value that one thread sends to another, and a wait with a limit for the end of threads.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The limit of the wait for a thread that hangs.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// A value from one thread for another; only the last one matters.
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
        // The value is complete, even if a thread has panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// The last value, after `time`, or as soon as there is a `new` one.
    pub(super) fn wait(&self, time: Duration, is_new: impl Fn(&T) -> bool) -> T {
        let wait = self.changed.wait_timeout_while(self.lock(), time, |state| !is_new(state));
        wait.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

/// Waits for threads that were told to end; one that hangs is left behind.
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

    /// Waits until the other thread has done it. A test waits this long only if it fails.
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
