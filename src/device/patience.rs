//! Waits for an answer that may be late or never come, no longer than a limit.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// The system gave no thread.
    #[error("no thread to look with")]
    NoThread(#[source] io::Error),
    /// The time is over, and the thread is left behind.
    #[error("it took too long")]
    TooLate,
    /// The thread panicked, which is a bug.
    #[error("a fault of the program")]
    Panicked,
}

/// Asks in a separate thread of this name, and waits at most `limit` for the answer. A thread that is late is left behind: it ends when its
/// answer comes, or with the program.
///
/// # Errors
/// If there is no thread, or no answer within `limit`.
pub(crate) fn within<T: Send + 'static>(limit: Duration, name: &str, ask: impl FnOnce() -> T + Send + 'static) -> Result<T, NoAnswer> {
    let (answer, answered) = sync_channel(1);
    let ask = move || {
        let _too_late = answer.send(ask());
    };
    thread::Builder::new().name(name.to_owned()).spawn(ask).map_err(NoAnswer::NoThread)?;
    answered.recv_timeout(limit).map_err(|error| match error {
        RecvTimeoutError::Timeout => NoAnswer::TooLate,
        RecvTimeoutError::Disconnected => NoAnswer::Panicked,
    })
}

/// Repeats a test every `interval` until it is true, which is the result, or until `patience` is over. Tests at least once.
pub(crate) fn becomes_true(patience: Duration, interval: Duration, is_so: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    loop {
        if is_so() {
            return true;
        }
        if began.elapsed() >= patience {
            return false;
        }
        thread::sleep(interval);
    }
}

#[cfg(test)]
mod cases {
    use std::cell::Cell;
    use std::sync::mpsc::channel;

    use super::*;

    /// The call runs in a separate thread, so that a call that never returns fails the test.
    #[test]
    fn an_answer_that_never_comes_is_not_waited_for_and_one_that_comes_is_given() {
        let (hangs, never) = channel::<()>();
        let (tell, told) = channel();
        thread::spawn(move || tell.send(within(Duration::from_millis(20), "hangs", move || never.recv().is_ok())));
        let answer = told.recv_timeout(Duration::from_secs(20)).expect("it is given up");
        assert!(matches!(answer, Err(NoAnswer::TooLate)), "{answer:?}");
        drop(hangs);
        assert_eq!(within(Duration::from_secs(20), "answers", || "root").expect("it answers"), "root");
        let panicked = within(Duration::from_secs(20), "panics", || -> bool { panic!("as planned") });
        assert!(matches!(panicked, Err(NoAnswer::Panicked)), "{panicked:?}");
    }

    #[test]
    fn a_test_is_repeated_until_it_is_true_or_patience_ends_and_made_at_least_once() {
        let tests = Cell::new(0);
        let third = || {
            tests.set(tests.get() + 1);
            tests.get() >= 3
        };
        assert!(becomes_true(Duration::from_secs(20), Duration::from_millis(1), third));
        assert_eq!(tests.get(), 3);
        assert!(becomes_true(Duration::ZERO, Duration::ZERO, || true));
        assert!(!becomes_true(Duration::ZERO, Duration::ZERO, || false));
    }
}
