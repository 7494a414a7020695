//! The progress of a card's thread, visible to others, and the request to stop it.
//!
//! Uses atomics and values that are set once: reading it never makes the thread wait, and the measurements outlive a thread that panicked.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::station::outcome::{Act, CacheFlush, CardHead, Curve, Effort, Nonce};
use crate::station::record::Step;
use crate::station::units::{Bytes, KIB, rate, to_u64};

/// A shorter measurement shows how soon a card answers, not how fast it is.
const SHORTEST_MEASURED: u64 = 64 * KIB;

/// What a card's thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// For a read or write of the card.
    Card,
    /// For the card to empty its own cache: nothing moves then, for longer than otherwise.
    Flush,
    /// For the card's device to answer whether it accepts a flush command.
    Answer,
    /// For the station's own image.
    Image,
}

/// States of a card's thread: it works.
const RUNS: u8 = 0;
/// A stop was requested.
const CANCELLED: u8 = 1;
/// It has proven its card.
const CONCLUDED: u8 = 2;

/// One call to the card.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// The operation of the call.
    pub(super) act: Act,
    /// First byte of the call.
    pub(super) at: Bytes,
    /// Its length in bytes.
    pub(super) length: usize,
    /// Whether these bytes go to the card or come from it; when the kernel zeroes a range, they do neither.
    pub(super) moves: bool,
}

/// The bytes moved in one part of the image, and the time that took.
#[derive(Debug, Default)]
struct Part {
    bytes: AtomicU64,
    ns: AtomicU64,
}

/// Parts of equal length along the image.
#[derive(Debug)]
struct Parts([Part; Curve::PARTS]);

impl Default for Parts {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Part::default()))
    }
}

impl Parts {
    /// A call that covers several parts counts in each by its share.
    fn count(&self, span: u64, at: Bytes, length: u64, ns: u64) {
        let part_length = span.div_ceil(to_u64(Curve::PARTS)).max(1);
        let end = at.0.saturating_add(length).min(span);
        let mut from = at.0;
        while from < end {
            let index = from / part_length;
            let to = end.min((index + 1) * part_length);
            if let Some(part) = usize::try_from(index).ok().and_then(|index| self.0.get(index)) {
                part.bytes.fetch_add(to - from, Relaxed);
                let share = u128::from(ns) * u128::from(to - from) / u128::from(length);
                part.ns.fetch_add(u64::try_from(share).unwrap_or(u64::MAX), Relaxed);
            }
            from = to;
        }
    }

    /// Empty if nothing was moved.
    fn rates(&self) -> Vec<Option<Bytes>> {
        let of = |part: &Part| {
            let bytes = Some(Bytes(part.bytes.load(Relaxed))).filter(|bytes| bytes.0 > 0)?;
            rate(bytes, Duration::from_nanos(part.ns.load(Relaxed)))
        };
        let rates: Vec<_> = self.0.iter().map(of).collect();
        if rates.iter().all(Option::is_none) { Vec::new() } else { rates }
    }
}

/// Progress and effort of one attempt.
#[derive(Debug)]
pub(crate) struct Gauge {
    began: Instant,
    /// Works, was stopped, or has proven its card: of the last two, the first one to happen stays.
    course: AtomicU8,
    /// The contents of the card's head.
    head: AtomicU8,
    /// What the thread waits for.
    waits: AtomicU8,
    /// The answer of the device to the flush command.
    flush: AtomicU8,
    step: AtomicU64,
    done: AtomicU64,
    of: AtomicU64,
    written: AtomicU64,
    read: AtomicU64,
    writing_ns: AtomicU64,
    reading_ns: AtomicU64,
    slowest_ns: AtomicU64,
    slowest_at: AtomicU64,
    slowest_act: AtomicU64,
    /// The image's length, along which speed is measured.
    span: AtomicU64,
    writing: Parts,
    reading: Parts,
    /// The time from claim to end, once it has ended.
    total_ns: AtomicU64,
    /// Reads and writes that were repeated after an error.
    retries: AtomicU64,
    /// The tombstone that was written, and the one that was found before.
    tombstone: OnceLock<Nonce>,
    found_tombstone: OnceLock<Nonce>,
    /// The kernel's count of the card at the proof; [`NOT_COUNTED`] if it does not count, or there is no proof.
    proven_at: AtomicU64,
}

/// More sectors than any card has taken.
const NOT_COUNTED: u64 = u64::MAX;

impl Default for Gauge {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            began: Instant::now(),
            course: AtomicU8::new(RUNS),
            head: AtomicU8::new(0),
            waits: AtomicU8::new(0),
            flush: AtomicU8::new(0),
            step: zero(),
            done: zero(),
            of: zero(),
            written: zero(),
            read: zero(),
            writing_ns: zero(),
            reading_ns: zero(),
            slowest_ns: zero(),
            slowest_at: zero(),
            slowest_act: zero(),
            span: zero(),
            writing: Parts::default(),
            reading: Parts::default(),
            total_ns: zero(),
            retries: zero(),
            tombstone: OnceLock::new(),
            found_tombstone: OnceLock::new(),
            proven_at: AtomicU64::new(NOT_COUNTED),
        }
    }
}

impl Gauge {
    /// Asks the thread to stop after its current call. Returns false if it has already proven its card.
    pub(crate) fn cancel(&self) -> bool {
        self.course.compare_exchange(RUNS, CANCELLED, Relaxed, Relaxed) != Err(CONCLUDED)
    }

    /// Was a stop requested?
    #[must_use]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.course.load(Relaxed) == CANCELLED
    }

    /// Marks the card as proven. Returns false if the attempt was given up before.
    #[must_use]
    pub(super) fn conclude(&self) -> bool {
        self.course.compare_exchange(RUNS, CONCLUDED, Relaxed, Relaxed) != Err(CANCELLED)
    }

    /// Sets the known contents of the card's head.
    pub(super) fn head(&self) -> CardHead {
        match self.head.load(Relaxed) {
            0 => CardHead::Untouched,
            1 => CardHead::Tombstone,
            2 => CardHead::Image,
            _ => CardHead::Unknown,
        }
    }

    pub(super) fn set_head(&self, head: CardHead) {
        let number = match head {
            CardHead::Untouched => 0,
            CardHead::Tombstone => 1,
            CardHead::Image => 2,
            CardHead::Unknown => 3,
        };
        self.head.store(number, Relaxed);
    }

    /// The step, the bytes done in it, and the bytes of it.
    #[must_use]
    pub(crate) fn progress(&self) -> (Step, Bytes, Bytes) {
        let step = match self.step.load(Relaxed) {
            0 => Step::Writing,
            1 => Step::ReadingBack,
            2 => Step::Finishing,
            _ => Step::Rechecking,
        };
        (step, Bytes(self.done.load(Relaxed)), Bytes(self.of.load(Relaxed)))
    }

    /// What the thread waits for now.
    #[must_use]
    pub(crate) fn waits_for(&self) -> Waits {
        match self.waits.load(Relaxed) {
            0 => Waits::Card,
            1 => Waits::Flush,
            2 => Waits::Answer,
            _ => Waits::Image,
        }
    }

    /// Runs `work`, during which the thread waits for something other than a read or write of the card.
    pub(crate) fn waiting<T>(&self, waits: Waits, work: impl FnOnce() -> T) -> T {
        let number = match waits {
            Waits::Card => 0,
            Waits::Flush => 1,
            Waits::Answer => 2,
            Waits::Image => 3,
        };
        self.waits.store(number, Relaxed);
        let answer = work();
        self.waits.store(0, Relaxed);
        answer
    }

    fn flush(&self) -> Option<CacheFlush> {
        match self.flush.load(Relaxed) {
            1 => Some(CacheFlush::Asked),
            2 => Some(CacheFlush::Refused),
            3 => Some(CacheFlush::Unanswered),
            4 => Some(CacheFlush::None),
            _ => None,
        }
    }

    pub(super) fn set_flush(&self, flush: CacheFlush) {
        let number = match flush {
            CacheFlush::Asked => 1,
            CacheFlush::Refused => 2,
            CacheFlush::Unanswered => 3,
            CacheFlush::None => 4,
        };
        self.flush.store(number, Relaxed);
    }

    /// The effort so far.
    #[must_use]
    pub(crate) fn effort(&self) -> Effort {
        let duration = |ns: &AtomicU64| Duration::from_nanos(ns.load(Relaxed));
        let total = Some(duration(&self.total_ns)).filter(|total| !total.is_zero());
        Effort {
            written: Bytes(self.written.load(Relaxed)),
            read: Bytes(self.read.load(Relaxed)),
            writing: duration(&self.writing_ns),
            reading: duration(&self.reading_ns),
            total: total.unwrap_or_else(|| self.began.elapsed()),
            slowest_call: duration(&self.slowest_ns),
            slowest_was: self.slowest_was(),
            curve: Curve { writing: self.writing.rates(), reading: self.reading.rates() },
            head: self.head(),
            flush: self.flush(),
            retries: self.retries.load(Relaxed),
            tombstone: self.tombstone.get().copied(),
            found_tombstone: self.found_tombstone.get().copied(),
            writes_at_proof: Some(self.proven_at.load(Relaxed)).filter(|sectors| *sectors != NOT_COUNTED),
        }
    }

    fn slowest_was(&self) -> Option<(Act, Bytes)> {
        let act = match self.slowest_act.load(Relaxed) {
            1 => Act::Writing,
            2 => Act::Reading,
            3 => Act::Flushing,
            _ => return None,
        };
        Some((act, Bytes(self.slowest_at.load(Relaxed))))
    }

    /// Sets the length in bytes along which the speed is measured.
    pub(super) fn measure_along(&self, span: Bytes) {
        self.span.store(span.0, Relaxed);
    }

    /// Ends the attempt: its duration no longer changes.
    pub(super) fn end(&self) {
        self.total_ns.store(nanoseconds(self.began.elapsed()), Relaxed);
    }

    /// How many reads and writes were repeated so far.
    pub(super) fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }

    /// Counts a read or write that is repeated after an error.
    pub(super) fn count_retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    /// The tombstone of this attempt is written to the card from now on.
    pub(super) fn set_tombstone(&self, nonce: Nonce) {
        // The same one is written again when it is put back.
        let _same = self.tombstone.set(nonce);
    }

    /// The head had this tombstone of another attempt.
    pub(super) fn set_found_tombstone(&self, nonce: Nonce) {
        let _once = self.found_tombstone.set(nonce);
    }

    /// Records the kernel's count of written sectors at the proof of the card.
    pub(super) fn proven(&self, sectors: Option<u64>) {
        self.proven_at.store(sectors.unwrap_or(NOT_COUNTED), Relaxed);
    }

    pub(super) fn enter(&self, step: Step, of: Bytes) {
        let number = match step {
            Step::Writing => 0,
            Step::ReadingBack => 1,
            Step::Finishing => 2,
            Step::Rechecking => 3,
        };
        self.done.store(0, Relaxed);
        self.of.store(of.0, Relaxed);
        self.step.store(number, Relaxed);
    }

    pub(super) fn advance(&self, by: u64) {
        self.done.fetch_add(by, Relaxed);
    }

    /// Measures one call to the card. Its bytes count if the call succeeded.
    pub(super) fn time<T, E>(&self, call: Call, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let Call { act, at, length, moves } = call;
        let began = Instant::now();
        let answer = self.waiting(if act == Act::Flushing { Waits::Flush } else { Waits::Card }, work);
        let ns = nanoseconds(began.elapsed());
        // One thread makes all calls of a card, so no other can act between these three.
        if ns > self.slowest_ns.load(Relaxed) {
            let act = match act {
                Act::Writing => 1,
                Act::Reading => 2,
                Act::Flushing => 3,
            };
            self.slowest_act.store(act, Relaxed);
            self.slowest_at.store(at.0, Relaxed);
            self.slowest_ns.store(ns, Relaxed);
        }
        let moved = if answer.is_ok() { to_u64(length) } else { 0 };
        if moves && moved >= SHORTEST_MEASURED {
            let parts = if act == Act::Reading { &self.reading } else { &self.writing };
            parts.count(self.span.load(Relaxed), at, moved, ns);
        }
        match act {
            Act::Writing => {
                self.written.fetch_add(moved, Relaxed);
                self.writing_ns.fetch_add(ns, Relaxed);
            }
            Act::Flushing => {
                self.writing_ns.fetch_add(ns, Relaxed);
            }
            Act::Reading => {
                self.read.fetch_add(moved, Relaxed);
                self.reading_ns.fetch_add(ns, Relaxed);
            }
        }
        answer
    }
}

/// The duration in nanoseconds; `u64` holds 584 years.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::units::MIB;

    #[test]
    fn a_call_counts_in_every_part_it_reaches_over_by_its_share_and_nowhere_else() {
        let parts = Parts::default();
        let span = 32 * 4 * MIB;
        parts.count(span, Bytes(2 * MIB), 4 * MIB, 4_000_000_000);
        parts.count(span, Bytes(span - 2 * MIB), 4 * MIB, 1_000_000_000);
        let rates = parts.rates();
        assert_eq!(rates.len(), Curve::PARTS);
        assert_eq!(rates[..3], [Some(Bytes(MIB)), Some(Bytes(MIB)), None]);
        assert_eq!(rates[31], Some(Bytes(4 * MIB)), "what lies behind the image's end is not of it");
        assert!(rates[2..31].iter().all(Option::is_none));
    }

    #[test]
    fn the_slowest_call_is_kept_with_what_it_was_and_where() {
        let gauge = Gauge::default();
        gauge.measure_along(Bytes(MIB));
        let call = |act, at| Call { act, at: Bytes(at), length: 4096, moves: true };
        let patient = || -> Result<(), ()> {
            std::thread::sleep(Duration::from_millis(20));
            Ok(())
        };
        gauge.time(call(Act::Reading, 4096), || Ok::<_, ()>(())).expect("it is good");
        gauge.time(call(Act::Writing, 8192), patient).expect("it is good");
        gauge.time(call(Act::Reading, 16384), || Ok::<_, ()>(())).expect("it is good");
        let effort = gauge.effort();
        assert_eq!(effort.slowest_was, Some((Act::Writing, Bytes(8192))));
        assert!(effort.slowest_call >= Duration::from_millis(20));
        assert_eq!(effort.curve, Curve::default(), "short calls say nothing about speed");
        assert_eq!(Gauge::default().effort().slowest_was, None);
    }
}
