//! A card in memory that a fault strikes at a moment.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::faults::{Kind, Target};
use super::moments::{Moment, Places, Seen, Tracker};
use crate::device::ram::{Fault, RamDevice};
use crate::device::{BlockDevice, FlushAnswer, Shortfall, Source};
use crate::flash::gauge::Gauge;
use crate::image::Staged;
use crate::station::units::{Bytes, to_u64};

/// No attempt of the matrix needs more calls than a tenth of this: it is the end of a loop without end.
const MOST_CALLS: u64 = 50_000;
/// How far inside a part of data a fault strikes at most, so that it is no part's first byte.
const INSIDE: u64 = 777;

/// The call that was struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Strike {
    /// Its first byte and its length; 0 for a call without.
    pub(super) at: u64,
    pub(super) length: u64,
    /// A byte of it, in which the image has data.
    pub(super) place: u64,
}

/// The card, with the fault that is to strike it.
pub(super) struct Struck {
    pub(super) ram: RamDevice,
    fault: Option<(Kind, Moment)>,
    tracker: Tracker,
    gauge: Arc<Gauge>,
    image: Arc<Staged>,
    /// The staged copy, for faults of the station.
    copy: Option<File>,
    marks: Vec<u64>,
    victim: Option<u64>,
    pub(super) calls: u64,
    /// The call that was struck, if the moment came.
    pub(super) strike: Option<Strike>,
    /// Every moment that came.
    pub(super) seen: Vec<Moment>,
}

/// What a struck card is made of.
pub(super) struct Parts {
    pub(super) ram: RamDevice,
    pub(super) fault: Option<(Kind, Moment)>,
    pub(super) places: Places,
    pub(super) gauge: Arc<Gauge>,
    pub(super) image: Arc<Staged>,
    pub(super) copy: Option<File>,
    pub(super) marks: Vec<u64>,
    pub(super) victim: Option<u64>,
}

impl Struck {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { ram, fault, places, gauge, image, copy, marks, victim } = parts;
        let tracker = Tracker::new(places);
        Self { ram, fault, tracker, gauge, image, copy, marks, victim, calls: 0, strike: None, seen: Vec::new() }
    }

    /// Strikes if the moment has come, before the call reaches the card.
    fn see(&mut self, call: Seen) {
        self.calls += 1;
        assert!(self.calls <= MOST_CALLS, "the attempt does not end: more than {MOST_CALLS} calls");
        let moments = self.tracker.see(call);
        self.seen.extend(&moments);
        let (at, length) = match call {
            Seen::Write { at, length, .. } | Seen::Read { at, length } | Seen::Zero { at, length } => (at, length),
            Seen::Ask | Seen::Flush => (0, 0),
        };
        if let Some((fault, moment)) = self.fault
            && moments.contains(&moment)
        {
            self.strike(fault, at, length, self.ram.calls());
        }
    }

    /// Strikes after the proof.
    pub(super) fn strike_proven(&mut self) {
        if let Some((fault, Moment::Proven)) = self.fault {
            // The last call is the one at which it left.
            self.strike(fault, 0, 0, self.ram.calls().saturating_sub(1));
        }
    }

    fn strike(&mut self, fault: Kind, at: u64, length: u64, calls: u64) {
        let data = self.image.extents().data_in(&(at..at + length)).into_iter().next();
        let part = data.unwrap_or(at..at + length);
        let place = part.start + INSIDE.min((part.end - part.start) / 2);
        self.strike = Some(Strike { at, length, place });
        let block = u64::from(self.ram.logical_block());
        let copy = self.copy.as_ref();
        fault.strike(&mut Target { device: &mut self.ram, gauge: &self.gauge, image: copy, calls, place, victim: self.victim, block });
    }

    fn is_mark(&self, at: u64, length: u64) -> bool {
        length == u64::from(self.ram.logical_block()) && self.marks.contains(&at)
    }
}

/// The card, shared by the engine, which takes one, and by the test, which looks at it from outside.
#[derive(Clone)]
pub(super) struct Shared(pub(super) Rc<RefCell<Struck>>);

impl BlockDevice for Shared {
    fn length(&self) -> Bytes {
        self.0.borrow().ram.length()
    }

    fn logical_block(&self) -> u32 {
        self.0.borrow().ram.logical_block()
    }

    fn diskseq(&self) -> io::Result<u64> {
        self.0.borrow().ram.diskseq()
    }

    fn write_from(&mut self, at: Bytes, source: Source<'_>) -> Result<usize, Shortfall> {
        let mut card = self.0.borrow_mut();
        let length = to_u64(source.length());
        let is_mark = card.is_mark(at.0, length);
        card.see(Seen::Write { at: at.0, length, is_mark });
        card.ram.write_from(at, source)
    }

    fn zero(&mut self, at: Bytes, length: Bytes) -> io::Result<()> {
        let mut card = self.0.borrow_mut();
        card.see(Seen::Zero { at: at.0, length: length.0 });
        card.ram.zero(at, length)
    }

    fn read_at(&mut self, at: Bytes, into: &mut [u8]) -> io::Result<usize> {
        let mut card = self.0.borrow_mut();
        card.see(Seen::Read { at: at.0, length: to_u64(into.len()) });
        card.ram.read_at(at, into)
    }

    fn flush(&mut self, patience: Duration) -> io::Result<()> {
        let mut card = self.0.borrow_mut();
        card.see(Seen::Flush);
        card.ram.flush(patience)
    }

    fn ask_to_flush(&mut self, patience: Duration) -> FlushAnswer {
        let mut card = self.0.borrow_mut();
        card.see(Seen::Ask);
        card.ram.ask_to_flush(patience)
    }

    fn make(&self) -> Option<String> {
        self.0.borrow().ram.make()
    }

    fn sectors_written(&self) -> Option<u64> {
        self.0.borrow().ram.sectors_written()
    }

    fn departed(&self) -> bool {
        self.0.borrow().ram.departed()
    }
}

/// A card in memory of this length whose device gives this answer to a flush command, if it is asked.
pub(super) fn card(length: Bytes, block: u32, answer: Option<FlushAnswer>) -> RamDevice {
    let mut ram = RamDevice::new(length, block);
    if let Some(answer) = answer {
        ram.inject(Fault::FlushAnswer(answer));
    }
    ram
}
