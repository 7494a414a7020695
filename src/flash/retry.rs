//! Repeats a call to which a card answered with an error, if the configuration allows that (`[policy] retries`).
//!
//! Only a call that returned an error is repeated. A card that returns wrong data is never asked until it returns the right ones, and one
//! that left is not asked at all. A flush is not repeated either: the kernel reports lost data once, and the next flush would succeed.

use std::thread;
use std::time::Duration;

use nix::libc;

use super::error::FlashError;
use super::gauge::Gauge;
use crate::device::BlockDevice;

/// The pause before a call is repeated: a bus error is over by then.
const PAUSE: Duration = Duration::from_millis(250);

/// Repetitions in one attempt. A repetition takes about three seconds, in which a card that leaves is waited for, and up to 30 more until the
/// kernel gives a call up: a card that needs hundreds would hold its slot for hours, and is no good one.
const MOST_IN_AN_ATTEMPT: u64 = 32;

/// Errors of a device, its bus or its medium. Others, such as a wrong length or missing memory, do not pass by themselves.
const OF_A_DEVICE: [i32; 7] = [libc::EIO, libc::EREMOTEIO, libc::ETIMEDOUT, libc::ENODATA, libc::ENOLINK, libc::EILSEQ, libc::EBADE];

fn may_pass(error: &FlashError) -> bool {
    matches!(error, FlashError::Io { source, .. } if source.raw_os_error().is_some_and(|errno| OF_A_DEVICE.contains(&errno)))
}

/// Makes a call, and repeats it up to `retries` times after an error that may pass. Returns how often it was repeated.
///
/// # Errors
/// The last error of the card, or that a stop was requested during a pause.
pub(super) fn repeated<D: BlockDevice>(
    device: &mut D,
    gauge: &Gauge,
    retries: u32,
    mut call: impl FnMut(&mut D) -> Result<(), FlashError>,
) -> Result<u32, FlashError> {
    let mut repeats = 0;
    loop {
        let Err(error) = call(device) else { return Ok(repeats) };
        if repeats >= retries || gauge.retries() >= MOST_IN_AN_ATTEMPT || !may_pass(&error) || device.departed() {
            return Err(error);
        }
        tracing::debug!(error = &error as &dyn std::error::Error, "the call is repeated");
        thread::sleep(PAUSE);
        // A station that stops, or has given the card up as stalled, waits for no more calls.
        if gauge.is_cancelled() {
            return Err(FlashError::Cancelled);
        }
        repeats += 1;
        gauge.count_retry();
    }
}

#[cfg(test)]
mod cases {
    use std::sync::Arc;

    use super::super::flash_device;
    use super::super::kept::Kept;
    use super::super::rules::Rules;
    use super::super::stall::StallWatch;
    use super::super::tests::{attempt, card, pattern, rules, staged};
    use super::*;
    use crate::device::ram::{Fault, RamDevice};
    use crate::station::End;
    use crate::station::armed::Zeroes;
    use crate::station::outcome::{Act, Effort, Failure};
    use crate::station::record::Plan;
    use crate::station::units::{Bytes, MIB};

    fn run(fault: Fault, retries: u32) -> (End, Option<Kept<RamDevice>>, Effort) {
        let mut device = card(16 * MIB, 512);
        device.inject(fault);
        flashed(device, retries)
    }

    fn flashed(device: RamDevice, retries: u32) -> (End, Option<Kept<RamDevice>>, Effort) {
        let gauge = Arc::new(Gauge::default());
        let rules = Rules { retries, ..rules() };
        let attempt = attempt(1, Zeroes::Prove, &Plan::Write);
        let (end, kept) = flash_device(device, &attempt, staged(&pattern(5 * MIB)), Arc::clone(&gauge), rules);
        (end, kept, gauge.effort())
    }

    fn passing(writing: bool, times: u32) -> Fault {
        Fault::Passing { at: 3 * MIB, writing, errno: libc::EIO, after: 0, times }
    }

    #[test]
    fn a_call_that_fails_is_repeated_as_often_as_allowed_and_the_row_counts_it() {
        for (writing, act) in [(true, Act::Writing), (false, Act::Reading)] {
            let (end, _, effort) = run(passing(writing, 2), 2);
            assert!(matches!(end, End::Verified(_)), "{act}: {end:?}");
            assert_eq!(effort.retries, 2, "{act}");
            let (end, _, effort) = run(passing(writing, 2), 1);
            let End::Failed(Failure::Io { act: failed, errno: Some(libc::EIO), .. }) = end else { panic!("{act}: {end:?}") };
            assert_eq!((failed, effort.retries), (act, 1));
            let (end, _, effort) = run(passing(writing, 1), 0);
            assert!(matches!(end, End::Failed(_)) && effort.retries == 0, "{act}, as long as nobody allows it: {end:?}");
        }
    }

    #[test]
    fn wrong_data_are_never_read_until_they_are_right() {
        for fault in [Fault::FlipOnRead { at: 3 * MIB, bits: 1 }, Fault::SpoilSecondWrite { at: 5, bits: 1 }, Fault::IgnoreWrites] {
            let (end, _, effort) = run(fault.clone(), 5);
            assert!(matches!(end, End::Failed(_)), "{fault:?}: {end:?}");
            assert_eq!(effort.retries, 0, "{fault:?}");
        }
    }

    #[test]
    fn a_card_that_left_a_flush_and_an_error_that_does_not_pass_are_not_repeated() {
        let gone = run(Fault::LeaveAfter { calls: 6, errno: libc::EIO }, 5);
        assert_eq!((gone.0, gone.2.retries), (End::Gone, 0));
        let unflushed = run(Fault::FlushError(libc::EIO), 5);
        assert!(matches!(unflushed.0, End::Failed(Failure::Io { act: Act::Flushing, .. })), "{:?}", unflushed.0);
        assert_eq!(unflushed.2.retries, 0);
        let (end, _, effort) = run(Fault::WriteError { at: 3 * MIB, errno: libc::EINVAL }, 5);
        assert!(matches!(end, End::Failed(_)) && effort.retries == 0, "{end:?}");
    }

    #[test]
    fn a_repeated_write_of_the_head_is_not_taken_for_another_programs() {
        // The tombstone is the first write to the head; the kernel also counts what a failed call moved.
        let fault = Fault::Passing { at: 512, writing: true, errno: libc::EIO, after: 1, times: 1 };
        let (end, kept, effort) = run(fault, 1);
        assert!(matches!(end, End::Verified(_)) && effort.retries == 1, "{end:?}");
        assert_eq!(kept.expect("it is kept").written_since(), Some(0));
    }

    #[test]
    fn a_repeated_write_of_the_head_hides_no_write_of_another_program() {
        let mut device = card(16 * MIB, 512);
        device.inject(Fault::Passing { at: 512, writing: true, errno: libc::EIO, after: 1, times: 1 });
        device.inject(Fault::WrittenByAnotherAt { at: 512, sectors: 8 });
        let (end, kept, effort) = flashed(device, 1);
        assert!(matches!(end, End::Verified(_)) && effort.retries == 1, "{end:?}");
        assert_eq!(kept.expect("it is kept").written_since(), Some(8));
    }

    #[test]
    fn an_attempt_repeats_so_many_calls_and_no_more() {
        let (mut device, gauge, mut calls) = (card(MIB, 512), Gauge::default(), 0);
        (1..MOST_IN_AN_ATTEMPT).for_each(|_| gauge.count_retry());
        let ended = repeated(&mut device, &gauge, 5, |_| {
            calls += 1;
            let source = std::io::Error::from_raw_os_error(libc::EIO);
            Err(FlashError::Io { act: Act::Reading, at: Bytes(0), span: Bytes(MIB), source })
        });
        assert!(matches!(ended, Err(FlashError::Io { .. })));
        assert_eq!((calls, gauge.retries()), (2, MOST_IN_AN_ATTEMPT));
    }

    #[test]
    fn a_head_that_cannot_be_read_is_an_answer_and_is_asked_once() {
        let mut device = card(16 * MIB, 512);
        device.inject(Fault::Passing { at: 512, writing: false, errno: libc::EIO, after: 0, times: 1 });
        let gauge = Arc::new(Gauge::default());
        let rules = Rules { retries: 5, ..rules() };
        let attempt = attempt(1, Zeroes::Prove, &Plan::WriteUnlessDone);
        let (end, _) = flash_device(device, &attempt, staged(&pattern(5 * MIB)), Arc::clone(&gauge), rules);
        assert!(matches!(end, End::Verified(_)), "{end:?}");
        assert_eq!(gauge.effort().retries, 0);
    }

    #[test]
    fn a_card_whose_calls_are_repeated_in_vain_has_stalled_like_any_other() {
        let mut device = card(16 * MIB, 512);
        device.inject(Fault::WriteError { at: 3 * MIB, errno: libc::EIO });
        let gauge = Arc::new(Gauge::default());
        let rules = Rules { retries: 5, stall: Duration::from_millis(300), ..rules() };
        let (end, stalled) = thread::scope(|scope| {
            let (shared, own) = (Arc::clone(&gauge), rules.clone());
            let attempt = attempt(1, Zeroes::Prove, &Plan::Write);
            let work = scope.spawn(move || flash_device(device, &attempt, staged(&pattern(5 * MIB)), shared, own).0);
            let mut watch = StallWatch::default();
            let stalled = (0..200).find_map(|_| {
                thread::sleep(Duration::from_millis(20));
                watch.look(&gauge, None, &rules)
            });
            (work.join().expect("it ends"), stalled)
        });
        assert!(stalled.is_some() && gauge.effort().retries < 5, "{stalled:?}");
        assert_eq!(end, End::Cancelled);
    }
}
