//! The trial of one claimed card: how its device answers a flush, how long requests may be, how fast it is, and whether what comes back is
//! what was written.
//!
//! The first MiB of the card gets a tombstone before anything else, so that a card that was tried cannot boot. Everything else is written
//! behind it, and into the card's last block.

use std::io;
use std::time::{Duration, Instant};

use super::facts::{Check, FlushFacts, RequestFacts, Speeds, TroubleKind};
use super::pattern::Pattern;
use super::side_by_side::Meeting;
use crate::device::aligned::AlignedBuf;
use crate::device::{BlockDevice, Shortfall, Source, read_exact_at, write_all_at};
use crate::flash::gauge::{Gauge, Waits};
use crate::flash::rules::Rules;
use crate::flash::tombstone::Tombstone;
use crate::station::units::{Bytes, MIB, rate, to_usize};

/// The head, which holds the tombstone.
pub(crate) const HEAD: u64 = MIB;
/// What is written and read by one call of the engine at most, and the longest request that is tried.
const LONGEST: u64 = 4 * MIB;
/// One call while the speed is measured. Shorter than the engine's, so that many calls fit into a small card.
const CALL: u64 = MIB;
/// The bounds of a measurement of speed: enough to fill the caches of a card, and not the patience of a person.
const MOST_BYTES: u64 = 256 * MIB;
/// The same bound in time, for slow cards.
const MOST_TIME: Duration = Duration::from_secs(20);
/// A card must hold the head, one of the longest requests, and its last block.
pub(crate) const LEAST_CARD: Bytes = Bytes(8 * MIB);

/// Why a trial ended before all was measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrialError {
    /// The card or its reader answered with an error.
    #[error("{doing} at byte {at}", at = at.0)]
    Device {
        /// What was being done: `writing`, `reading`.
        doing: &'static str,
        /// First byte of the call.
        at: Bytes,
        /// The error of the kernel.
        source: io::Error,
    },
    /// The card is not in its place any more.
    #[error("the card left while this was done: {doing}")]
    Left {
        /// What was being done.
        doing: &'static str,
    },
    /// The card could not be claimed, or must not be.
    #[error("{0}")]
    Refused(String),
    /// It was stopped by the user.
    #[error("it was stopped")]
    Stopped,
    /// This PC has no memory or random numbers.
    #[error("memory or random numbers of this PC")]
    Own(#[source] io::Error),
}

impl TrialError {
    /// The kind of trouble that it is.
    #[must_use]
    pub(crate) fn kind(&self) -> TroubleKind {
        match self {
            Self::Device { .. } => TroubleKind::Error,
            Self::Left { .. } => TroubleKind::Left,
            Self::Refused(_) => TroubleKind::Refused,
            Self::Stopped => TroubleKind::Stopped,
            Self::Own(_) => TroubleKind::Own,
        }
    }
}

/// A claimed card under trial.
#[derive(Debug)]
pub(crate) struct Trial<'t, D> {
    device: &'t mut D,
    gauge: &'t Gauge,
    patience: Duration,
    pattern: &'t mut Pattern,
    /// Up to here the newest pattern was written by the last measurement.
    written_until: Bytes,
    written: AlignedBuf,
    read: AlignedBuf,
}

impl<'t, D: BlockDevice> Trial<'t, D> {
    /// # Errors
    /// If there is no memory.
    pub(crate) fn new(device: &'t mut D, gauge: &'t Gauge, rules: &Rules, pattern: &'t mut Pattern) -> Result<Self, TrialError> {
        let buffer = || AlignedBuf::zeroed(to_usize(LONGEST)).map_err(TrialError::Own);
        let (mut written, read) = (buffer()?, buffer()?);
        pattern.ground(&mut written);
        Ok(Self { device, gauge, patience: rules.for_a_flush(), pattern, written_until: Bytes(HEAD), written, read })
    }

    /// Puts the tombstone into the head, and reads it back.
    ///
    /// # Errors
    /// If that fails: then nothing else is written.
    pub(crate) fn entomb(&mut self, tombstone: &Tombstone) -> Result<(), TrialError> {
        let length = to_usize(HEAD);
        tombstone.fill(Bytes(0), &mut self.written[..length]);
        let put = self.write(Bytes(0), length).and_then(|()| self.flush()).and_then(|_| self.read(Bytes(0), length));
        let is_there = self.written[..length] == self.read[..length];
        self.pattern.ground(&mut self.written);
        put?;
        if is_there { Ok(()) } else { Err(wrong_data("reading back the head", Bytes(0))) }
    }

    /// Writes and reads back calls of growing length, and the card's last block.
    ///
    /// # Errors
    /// If the card left, or the user stopped it. A length that does not work is no error.
    pub(crate) fn requests(&mut self) -> Result<RequestFacts, TrialError> {
        let block = u64::from(self.device.logical_block());
        let mut facts = RequestFacts::default();
        let at = Bytes(HEAD);
        let mut length = block;
        while length <= LONGEST && at.0 + length < self.device.length().0 {
            self.pattern.advance();
            match self.there_and_back(at, to_usize(length)) {
                Ok(Check::Right) => facts.longest = Bytes(length),
                Ok(Check::Wrong) => facts.failed = Some((Bytes(length), "other data came back".to_owned())),
                Ok(Check::Failed(why)) => facts.failed = Some((Bytes(length), why)),
                Err(error) => return Err(error),
            }
            if facts.failed.is_some() {
                break;
            }
            length *= 2;
        }
        let Some(last) = (self.device.length().0 / block).checked_sub(1).map(|index| index * block) else { return Ok(facts) };
        self.pattern.advance();
        facts.last_alone = Some(self.there_and_back(Bytes(last), to_usize(block))?);
        // The longest call that works, or a usual one, which ends with the last block.
        let longer = facts.longest.0.clamp(2 * block, 128 * block).min(last + block);
        let from = last + block - longer;
        let read = self.read(Bytes(from), to_usize(longer));
        facts.last_in_longer = Some(self.checked(read, |trial| {
            let end = to_usize(longer);
            trial.pattern.is_all_of(Bytes(last), &trial.read[end - to_usize(block)..end])
        })?);
        Ok(facts)
    }

    /// One write and one read of the same place.
    fn there_and_back(&mut self, at: Bytes, length: usize) -> Result<Check, TrialError> {
        self.pattern.stamp(at, &mut self.written[..length]);
        let moved = self.write(at, length).and_then(|()| self.read(at, length));
        self.checked(moved, |trial| trial.written[..length] == trial.read[..length])
    }

    /// An error of the device is an answer, as long as the card is there.
    fn checked(&mut self, moved: Result<(), TrialError>, is_right: impl FnOnce(&Self) -> bool) -> Result<Check, TrialError> {
        match moved {
            Ok(()) if is_right(self) => Ok(Check::Right),
            Ok(()) => Ok(Check::Wrong),
            Err(TrialError::Device { source, .. }) if !self.device.departed() => Ok(Check::Failed(source.to_string())),
            Err(TrialError::Device { doing, .. }) => Err(TrialError::Left { doing }),
            Err(error) => Err(error),
        }
    }

    /// Writes and reads a bounded amount of data. With `meetings`, one for writing and one for reading, it begins together with other slots
    /// and counts only what was moved until the first of them was done.
    ///
    /// # Errors
    /// If the card answers with an error or leaves, or the user stopped it.
    pub(crate) fn speeds(&mut self, meetings: Option<&[Meeting; 2]>) -> Result<Speeds, TrialError> {
        self.pattern.advance();
        let written = self.along(meetings.map(|both| &both[0]), true)?;
        let read = self.along(meetings.map(|both| &both[1]), false)?;
        Ok(Speeds {
            write: written.rate(),
            read: read.rate(),
            slowest_call: written.slowest.max(read.slowest),
            data: if read.wrong { Check::Wrong } else { Check::Right },
        })
    }

    fn along(&mut self, meeting: Option<&Meeting>, writing: bool) -> Result<Run, TrialError> {
        // A slot that ends for any reason must not hold the others up.
        let _ends = EndOf(meeting);
        let end = self.device.length().0.saturating_sub(HEAD).min(HEAD + MOST_BYTES);
        let length = to_usize(CALL);
        let mut run = Run::default();
        if let Some(meeting) = meeting {
            self.gauge.waiting(Waits::Answer, || meeting.arrive(|| self.gauge.is_cancelled()));
        }
        let mut at = Bytes(HEAD);
        while at.0 + CALL <= end && run.took < MOST_TIME {
            if run.moved > 0 && meeting.is_some_and(Meeting::is_over) {
                break;
            }
            self.pattern.stamp(at, &mut self.written[..length]);
            let began = Instant::now();
            let moved = if writing { self.write(at, length) } else { self.read(at, length) };
            moved.map_err(|error| self.left_or(error))?;
            run.count(CALL, began.elapsed());
            run.wrong |= !writing && at < self.written_until && self.written[..length] != self.read[..length];
            at.0 += CALL;
        }
        if writing {
            // What is in the cache of a card is not written yet.
            let took = self.flush().map_err(|error| self.left_or(error))?;
            run.count(0, took);
            self.written_until = at;
        }
        Ok(run)
    }

    /// Writes the newest pattern behind the head, flushes, and leaves it there.
    ///
    /// # Errors
    /// If the card answers with an error or leaves, or the user stopped it.
    pub(crate) fn leave(&mut self) -> Result<(), TrialError> {
        self.pattern.advance();
        let length = to_usize(LEFT);
        self.pattern.stamp(Bytes(HEAD), &mut self.written[..length]);
        let left = self.write(Bytes(HEAD), length).and_then(|()| self.flush());
        left.map(drop).map_err(|error| self.left_or(error))
    }

    fn write(&mut self, at: Bytes, length: usize) -> Result<(), TrialError> {
        self.go_on()?;
        let written = write_all_at(self.device, at, Source::Bytes(&self.written[..length]));
        written.map_err(|(at, shortfall)| of_device("writing", at, shortfall))
    }

    fn read(&mut self, at: Bytes, length: usize) -> Result<(), TrialError> {
        self.go_on()?;
        let read = read_exact_at(self.device, at, &mut self.read[..length]);
        read.map_err(|(at, shortfall)| of_device("reading", at, shortfall))
    }

    fn flush(&mut self) -> Result<Duration, TrialError> {
        self.go_on()?;
        let began = Instant::now();
        let flushed = self.gauge.waiting(Waits::Flush, || self.device.flush(self.patience));
        flushed.map(|()| began.elapsed()).map_err(|source| TrialError::Device { doing: "flushing", at: Bytes(0), source })
    }

    fn go_on(&self) -> Result<(), TrialError> {
        if self.gauge.is_cancelled() { Err(TrialError::Stopped) } else { Ok(()) }
    }

    /// An error of a card that has left is no error of the card.
    fn left_or(&self, error: TrialError) -> TrialError {
        match error {
            TrialError::Device { doing, .. } if self.device.departed() => TrialError::Left { doing },
            other => other,
        }
    }
}

/// What [`Trial::leave`] leaves behind the head, in bytes.
pub(crate) const LEFT: u64 = MIB;

fn of_device(doing: &'static str, at: Bytes, shortfall: Shortfall) -> TrialError {
    match shortfall {
        Shortfall::Source(source) => TrialError::Own(source),
        other => TrialError::Device { doing, at, source: other.into() },
    }
}

fn wrong_data(doing: &'static str, at: Bytes) -> TrialError {
    TrialError::Device { doing, at, source: io::Error::other("other data came back") }
}

/// Ends a meeting when this slot's part in it ends.
struct EndOf<'m>(Option<&'m Meeting>);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        if let Some(meeting) = self.0 {
            meeting.end();
        }
    }
}

/// Calls one after the other.
#[derive(Debug, Default)]
struct Run {
    moved: u64,
    took: Duration,
    slowest: Duration,
    wrong: bool,
}

impl Run {
    fn count(&mut self, moved: u64, took: Duration) {
        self.moved += moved;
        self.took += took;
        self.slowest = self.slowest.max(took);
    }

    fn rate(&self) -> Bytes {
        rate(Bytes(self.moved), self.took).unwrap_or_default()
    }
}

/// Tells the device in this port to empty its cache, as the engine does. The station learns what is found out here: a make that does not
/// answer is not asked again.
pub(crate) fn ask_to_flush<D: BlockDevice>(device: &mut D, port: &str, gauge: &Gauge, rules: &Rules) -> FlushFacts {
    // A device that has left has no make any more.
    let make = device.make();
    let began = Instant::now();
    let answer = gauge.waiting(Waits::Answer, || device.ask_to_flush(rules.for_an_answer()));
    let took = began.elapsed();
    if let Some(make) = &make {
        rules.unanswered.heard(make, port, answer);
    }
    FlushFacts { answer, took }
}

#[cfg(test)]
mod cases {
    use std::sync::Arc;

    use nix::libc;

    use super::*;
    use crate::device::ram::{Fault, RamDevice};

    const CARD: u64 = 12 * MIB;

    /// The result of a trial of a card with these faults, and the card afterwards.
    fn tried<T>(faults: &[Fault], of: impl FnOnce(&mut Trial<'_, RamDevice>) -> T) -> (T, RamDevice) {
        let mut device = RamDevice::new(Bytes(CARD), 512);
        faults.iter().for_each(|fault| device.inject(fault.clone()));
        let (gauge, mut pattern) = (Gauge::default(), Pattern::fresh().expect("random"));
        let rules = Rules { stall: Duration::from_secs(90), flush_required: false, retries: 0, unanswered: Arc::default() };
        let answer = of(&mut Trial::new(&mut device, &gauge, &rules, &mut pattern).expect("there is memory"));
        (answer, device)
    }

    #[test]
    fn a_card_that_was_tried_holds_a_tombstone_and_nothing_that_boots() {
        let tombstone = Tombstone::fresh(0).expect("random");
        let (ended, device) = tried(&[], |trial| {
            trial.entomb(&tombstone)?;
            trial.requests()?;
            trial.speeds(None)?;
            trial.leave()
        });
        ended.expect("the card is good");
        let head = &device.contents()[..to_usize(HEAD)];
        assert!(head.starts_with(b"FLASHLINE: this card is not finished"));
        assert!(head.chunks(512).all(|block| block[510..] != [0x55, 0xaa]));
        let (ended, device) = tried(&[Fault::IgnoreWrites], |trial| trial.entomb(&tombstone));
        assert!(ended.is_err_and(|error| error.to_string().contains("reading back the head")));
        assert!(device.contents().iter().all(|byte| *byte == 0));
    }

    #[test]
    fn the_longest_request_that_works_is_found_and_the_next_one_named_with_its_error() {
        let (facts, _) = tried(&[], |trial| trial.requests());
        let facts = facts.expect("the card is there");
        assert_eq!((facts.longest, facts.failed), (Bytes(LONGEST), None));
        let (facts, _) = tried(&[Fault::LongerThan { length: 131_072, errno: libc::EIO }], |trial| trial.requests());
        let facts = facts.expect("the card is there");
        assert_eq!(facts.longest, Bytes(131_072));
        assert!(facts.failed.is_some_and(|(length, why)| length == Bytes(262_144) && why.contains("os error 5")));
        assert_eq!((facts.last_alone, facts.last_in_longer), (Some(Check::Right), Some(Check::Right)));
    }

    #[test]
    fn a_last_block_that_cannot_be_read_is_told_alone_and_in_a_longer_request() {
        let (facts, _) = tried(&[Fault::ReadError { at: CARD - 1, errno: libc::EIO }], |trial| trial.requests());
        let facts = facts.expect("the card is there");
        assert!(matches!(&facts.last_alone, Some(Check::Failed(why)) if why.contains("os error 5")), "{facts:?}");
        assert!(matches!(facts.last_in_longer, Some(Check::Failed(_))));
        let (facts, _) = tried(&[Fault::DropBehind(CARD - 512)], |trial| trial.requests());
        assert_eq!(facts.expect("the card is there").last_alone, Some(Check::Wrong));
    }

    #[test]
    fn speed_is_measured_over_the_card_and_data_that_comes_back_wrong_is_told() {
        let (speeds, device) = tried(&[], |trial| trial.speeds(None));
        let speeds = speeds.expect("the card is good");
        assert!(speeds.write > Bytes(0) && speeds.read > Bytes(0) && speeds.data == Check::Right, "{speeds:?}");
        assert!(device.contents()[..to_usize(HEAD)].iter().all(|byte| *byte == 0), "the head is left alone");
        let (speeds, _) = tried(&[Fault::FlipOnRead { at: HEAD + 5 * MIB + 100, bits: 1 }], |trial| trial.speeds(None));
        assert_eq!(speeds.expect("it answers").data, Check::Wrong);
    }

    #[test]
    fn a_card_that_leaves_is_not_called_bad_and_a_stop_is_obeyed_before_the_next_call() {
        let (speeds, _) = tried(&[Fault::LeaveAfter { calls: 3, errno: libc::EIO }], |trial| trial.speeds(None));
        assert!(matches!(speeds, Err(TrialError::Left { .. })), "{speeds:?}");
        let (facts, device) = tried(&[], |trial| {
            trial.gauge.cancel();
            trial.requests()
        });
        assert!(matches!(facts, Err(TrialError::Stopped)) && device.did.is_empty(), "{facts:?}");
    }

    #[test]
    fn beside_a_neighbour_that_is_done_a_slot_counts_no_more() {
        let both = [Meeting::of(1), Meeting::of(1)];
        both.iter().for_each(Meeting::end);
        let (speeds, device) = tried(&[], |trial| trial.speeds(Some(&both)));
        speeds.expect("the card is good");
        assert_eq!(device.did.len(), 3, "one call written, flushed and read: {:?}", device.did);
    }
}
