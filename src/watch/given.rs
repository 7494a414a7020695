//! A value that a thread works by, and that another thread may replace.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A value for one thread, which acts at once when it is given another one, or the same one again.
#[derive(Debug, Default)]
pub(super) struct Given<T> {
    current: Mutex<Current<T>>,
    changed: Condvar,
}

/// A value and its generation.
#[derive(Clone, Debug, Default)]
pub(super) struct Current<T> {
    /// The value as it was given.
    pub(super) value: T,
    /// How often a value was given. A thread waits for the next number: an equal value cannot be told from the last one.
    pub(super) generation: u64,
}

impl<T: Clone + PartialEq> Given<T> {
    pub(super) fn new(value: T) -> Self {
        Self { current: Mutex::new(Current { value, generation: 0 }), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Current<T>> {
        // The value is complete, even if a thread has panicked.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value as it is now.
    pub(super) fn now(&self) -> Current<T> {
        self.lock().clone()
    }

    /// Replaces the value, and wakes the thread, also if the new value is equal.
    pub(super) fn set(&self, value: T) {
        let mut current = self.lock();
        *current = Current { value, generation: current.generation.wrapping_add(1) };
        self.changed.notify_all();
    }

    /// Replaces the value, and wakes the thread if the new value is another one.
    pub(super) fn set_if_new(&self, value: T) {
        if self.lock().value != value {
            self.set(value);
        }
    }

    /// The value after `time`, or as soon as one is given after the one of the generation `known`.
    pub(super) fn after(&self, time: Duration, known: u64) -> Current<T> {
        let wait = self.changed.wait_timeout_while(self.lock(), time, |current| current.generation == known);
        wait.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

#[cfg(test)]
mod cases {
    use std::time::Instant;

    use super::*;

    /// Longer than any test waits.
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_value_that_is_given_again_wakes_the_thread_although_it_is_equal() {
        let (given, began) = (Given::new(7), Instant::now());
        let first = given.now();
        given.set(7);
        let second = given.after(LONG, first.generation);
        assert_eq!(second.value, 7);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| given.after(LONG, second.generation).value);
            given.set(7);
            assert_eq!(waits.join().expect("it ends"), 7);
        });
        assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    }

    #[test]
    fn only_another_value_wakes_a_thread_for_which_an_equal_one_is_no_news() {
        let given = Given::new(7);
        let first = given.now().generation;
        given.set_if_new(7);
        assert_eq!(given.after(Duration::ZERO, first).generation, first);
        given.set_if_new(8);
        let second = given.after(LONG, first);
        assert_eq!((second.value, second.generation == first), (8, false));
    }
}
