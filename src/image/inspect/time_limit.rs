//! Inspects a medium in a separate thread with a time limit, and distinguishes the station's own faults from faults of the image.
//!
//! An error or a slow answer of the medium is a fault of the station: the findings until then are discarded, however a reader interpreted
//! the error.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::panics;
use super::readers::window::{Medium, Reading, Window};
use crate::station::units::MIB;

/// The time for the smallest inspection, on a station that writes sixteen cards meanwhile.
const LEAST_TIME: Duration = Duration::from_secs(60);
/// The lowest speed of an inspection, in bytes a second: a PC that is ten years old hashes five times as fast.
const SLOWEST: u64 = 16 * MIB;

/// Why the station could not inspect an image, without any fault of the image.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// There was no thread or no descriptor.
    #[error("the station could not begin to look inside its image")]
    Begin(#[source] io::Error),
    /// Its copy cannot be read.
    #[error("the station could not read its image, at byte {at}")]
    Read {
        /// The offset of the read.
        at: u64,
        /// The error of the system.
        source: io::Error,
    },
    /// Its copy is read too slowly.
    #[error(
        "the station could not read its image in time: in {} s, its disk was waited for {} s; look at the disk of the image",
        within.as_secs(), waited.as_secs()
    )]
    Slow {
        /// The time spent waiting for reads.
        waited: Duration,
        /// The time of the whole inspection.
        within: Duration,
    },
}

/// The end of an inspection without a fault of the station.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended<T> {
    Found(T),
    /// Its contents take more time than any image of this length.
    Endless,
    /// A reader panicked.
    GaveUp,
}

/// The time limit for an image of this length.
pub(super) fn longest(span: u64) -> Duration {
    LEAST_TIME + Duration::from_secs(span / SLOWEST)
}

/// Runs `what` on the medium in a separate thread, which is left behind when `time` is over.
pub(super) fn within<T: Send + 'static>(
    time: Duration,
    medium: impl FnOnce() -> Rc<dyn Medium> + Send + 'static,
    what: impl FnOnce(&Window) -> T + Send + 'static,
) -> Result<Ended<T>, LookError> {
    let reading = Arc::new(Reading::default());
    let (shared, began) = (Arc::clone(&reading), Instant::now());
    let (sender, receiver) = mpsc::sync_channel(1);
    panics::hide_those_of_readers();
    let spawned = thread::Builder::new().name(panics::THREAD.to_owned()).spawn(move || {
        let found = what(&Window::whole_until(medium(), Some(began + time), shared));
        // If it took too long, the receiver is gone; the thread ends itself at its next read.
        let _late = sender.send(found);
    });
    spawned.map_err(LookError::Begin)?;
    let found = receiver.recv_timeout(time);
    if let Some((at, source)) = reading.failed() {
        return Err(LookError::Read { at, source });
    }
    let (waited, is_late) = (reading.waited(), began.elapsed() >= time);
    if is_late && waited >= time / 2 {
        return Err(LookError::Slow { waited, within: time });
    }
    Ok(match found {
        Ok(found) => Ended::Found(found),
        Err(RecvTimeoutError::Timeout) => Ended::Endless,
        Err(RecvTimeoutError::Disconnected) => Ended::GaveUp,
    })
}

/// Runs `what` on the medium in the caller's thread.
pub(super) fn without_limit<T>(medium: Rc<dyn Medium>, what: impl FnOnce(&Window) -> T) -> Result<T, LookError> {
    let reading = Arc::new(Reading::default());
    let found = what(&Window::whole_until(medium, None, Arc::clone(&reading)));
    match reading.failed() {
        Some((at, source)) => Err(LookError::Read { at, source }),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    /// Answers each read after this time, or with this error.
    struct Sick(Duration, Option<Errno>);

    impl Medium for Sick {
        fn length(&self) -> u64 {
            1 << 20
        }

        fn read_exact_at(&self, _at: u64, _into: &mut [u8]) -> io::Result<()> {
            thread::sleep(self.0);
            self.1.map_or(Ok(()), |errno| Err(errno.into()))
        }
    }

    const TIME: Duration = Duration::from_millis(400);

    #[test]
    fn a_medium_that_fails_is_told_with_its_errno_whatever_the_reader_makes_of_it() {
        for panics in [false, true] {
            let medium = || Rc::new(Sick(Duration::ZERO, Some(Errno::EIO))) as Rc<dyn Medium>;
            let error = within(TIME, medium, move |window| {
                let is_there = window.read_exact_at(4096, &mut [0; 4]).is_ok();
                assert!(!panics, "this reader gives up");
                is_there
            });
            let Err(LookError::Read { at: 0, source }) = error else { panic!("{error:?}") };
            assert_eq!(source.raw_os_error(), Some(5));
        }
    }

    #[test]
    fn a_disk_that_is_waited_for_is_not_the_images_fault_and_a_reader_that_takes_its_time_is() {
        for each in [Duration::from_millis(90), 4 * TIME] {
            let slow = within(
                TIME,
                move || Rc::new(Sick(each, None)) as Rc<dyn Medium>,
                |window| (0..8).filter(|block| window.read_exact_at(block << 16, &mut [0; 4]).is_ok()).count(),
            );
            assert!(matches!(slow, Err(LookError::Slow { .. })), "{slow:?}");
        }
        let medium = || Rc::new(Sick(Duration::ZERO, None)) as Rc<dyn Medium>;
        let busy = within(TIME, medium, |window| {
            while window.read_exact_at(0, &mut [0; 4]).is_ok() {
                thread::sleep(TIME / 4);
            }
            thread::sleep(4 * TIME);
        });
        assert!(matches!(busy, Ok(Ended::Endless)), "{busy:?}");
    }
}
