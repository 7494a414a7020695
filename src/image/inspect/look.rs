//! Looks at a medium in a thread of its own that has an end, and tells the station's own trouble with it from what is wrong with the
//! image.
//!
//! A medium that answers with an error, or answers too slowly, is the station's: what was found until then is thrown away, whatever a
//! reader made of the error.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::panics;
use super::readers::window::{Medium, Reading, Window};
use crate::station::units::MIB;

/// What the smallest inspection may take, on a station that writes sixteen cards meanwhile.
const LEAST_TIME: Duration = Duration::from_secs(60);
/// How fast an image is inspected at least: a PC of ten years ago hashes five times as much.
const SLOWEST: u64 = 16 * MIB;

/// Why the station could not look inside an image, for which the image is not to blame.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// No thread or no descriptor.
    #[error("the station could not begin to look inside its image")]
    Begin(#[source] io::Error),
    /// Its copy cannot be read.
    #[error("the station could not read its image, at byte {at}")]
    Read {
        /// Where the read began.
        at: u64,
        /// As the system answered.
        source: io::Error,
    },
    /// Its copy is read too slowly.
    #[error(
        "the station could not read its image in time: in {} s, its disk was waited for {} s; look at the disk of the image",
        within.as_secs(), waited.as_secs()
    )]
    Slow {
        /// For the reads alone.
        waited: Duration,
        /// For all of it.
        within: Duration,
    },
}

/// How looking ended where the station is not to blame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended<T> {
    Found(T),
    /// What is in it costs more time than any image of this length.
    Endless,
    /// A reader panicked.
    GaveUp,
}

/// What an inspection of an image of this length may take.
pub(super) fn longest(span: u64) -> Duration {
    LEAST_TIME + Duration::from_secs(span / SLOWEST)
}

/// Does `what` with the medium in a thread of its own, which is left behind when `time` is over.
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
        // Nobody waits any more where it took too long; with its next read it ends by itself.
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

/// Does `what` with the medium in the caller's thread.
pub(super) fn here<T>(medium: Rc<dyn Medium>, what: impl FnOnce(&Window) -> T) -> Result<T, LookError> {
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
