//! A value that a thread works by, and that another thread may replace.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A value for one thread, which acts at once when it changes.
#[derive(Debug, Default)]
pub(super) struct Given<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T: Clone + PartialEq> Given<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        // The value is complete, even if a thread has panicked.
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value as it is now.
    pub(super) fn now(&self) -> T {
        self.lock().clone()
    }

    /// Replaces the value.
    pub(super) fn set(&self, value: T) {
        *self.lock() = value;
        self.changed.notify_all();
    }

    /// The value after `time`, or as soon as it is another one than `known`.
    pub(super) fn after(&self, time: Duration, known: &T) -> T {
        let wait = self.changed.wait_timeout_while(self.lock(), time, |value| value == known);
        wait.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}
