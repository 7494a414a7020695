//! Locks and waits that a panicking test cannot poison, because the other threads must still be able to clean up.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A bound detects an event that never comes; it does not measure speed. On a busy machine everything takes longer than on the quiet one
/// where the bound was found.
const PATIENCE: u32 = 4;

/// The real time to wait.
pub(crate) fn patient(bound: Duration) -> Duration {
    bound * PATIENCE
}

/// A value that many threads change and wait for.
#[derive(Debug, Default)]
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    /// Locks the value without waking the threads that wait for a change.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        lock(&self.value)
    }

    /// Changes the value and wakes all threads that wait for it.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `ready` returns a value; `None` if it did not in time.
    pub(crate) fn wait<R>(&self, timeout: Duration, mut ready: impl FnMut(&mut T) -> Option<R>) -> Option<R> {
        let end = Instant::now() + timeout;
        let mut value = self.lock();
        loop {
            if let Some(result) = ready(&mut value) {
                return Some(result);
            }
            let left = end.checked_duration_since(Instant::now())?;
            value = self.changed.wait_timeout(value, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
