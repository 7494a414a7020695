//! A card of any kind behind one interface: a stick in a USB port, a card in an SD slot, a card in a reader.

use std::ops::Deref;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use flashline_lab::reader::ReaderCard;
use flashline_lab::{Counts, KIB, MIB, Medium, Pc, Reader, SdCard, UsbStick, secs};

use crate::factory::{Factory, lun, sd, usb};
use crate::station::{Station, is_tombstone};

/// The image of these cards. Its first piece is the head, where the tombstone is until the end.
pub(crate) const IMAGE: u64 = HEAD + BODY;
pub(crate) const HEAD: u64 = MIB;
const BODY: u64 = 7 * MIB;
/// Bytes that are written behind the image: the card's last MiB, and a few marks, which are set and erased.
const BEHIND: u64 = MIB + 16 * KIB;

/// A pace in bytes a second at which the steps of an attempt can be distinguished, for an [`IMAGE`] of this length.
const SLOW: u64 = 2 * MIB;

/// How long a step of an attempt may take, on a busy machine.
const A_STEP: Duration = secs(60);

/// The places of cards. Each stands for one slot of the station.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    Stick,
    Sd,
    Reader,
}

impl Source {
    pub(crate) const ALL: [Self; 3] = [Self::Stick, Self::Sd, Self::Reader];

    /// The name of its slot.
    pub(crate) fn slot(self) -> &'static str {
        match self {
            Self::Stick => "A1",
            Self::Sd => "S1",
            Self::Reader => "R1",
        }
    }

    fn ports(self) -> Vec<String> {
        match self {
            Self::Stick => usb("1"),
            Self::Sd => sd(0),
            Self::Reader => lun(0),
        }
    }

    /// Puts a card of this size into its slot.
    pub(crate) fn put_in<'a>(self, pc: &'a Pc, reader: &'a Reader, bytes: u64) -> Card<'a> {
        match self {
            Self::Stick => Card::Stick(pc.usb("1").size(bytes).filled(bytes).plug()),
            Self::Sd => Card::Sd(pc.sd(0).size(bytes).filled(bytes).faulty().insert()),
            Self::Reader => Card::InReader(pc, reader, reader.card(0).size(bytes).filled(bytes).insert()),
        }
    }
}

/// A moment in an attempt, as the card sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Moment {
    Writing,
    ReadingBack,
    /// The whole body was read back, and the tombstone is read a last time.
    BeforeTheHead,
    WritingTheHead,
}

/// A slot for every place.
pub(crate) fn slots<'a>(factory: Factory<'a>) -> Factory<'a> {
    Source::ALL.into_iter().fold(factory, |factory, source| factory.slot(source.slot(), source.ports()))
}

/// Runs `scenario` for all of them at the same time.
pub(crate) fn at_once<T: Send, R: Send, const N: usize>(all: [T; N], does: impl Fn(T) -> R + Sync) -> [R; N] {
    thread::scope(|scope| {
        let does = &does;
        all.map(|one| scope.spawn(move || does(one))).map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// A card, in its slot or out of it.
pub(crate) enum Card<'a> {
    Stick(UsbStick),
    Sd(SdCard),
    InReader(&'a Pc, &'a Reader, ReaderCard),
}

impl Deref for Card<'_> {
    type Target = Medium;

    fn deref(&self) -> &Medium {
        match self {
            Self::Stick(stick) => stick,
            Self::Sd(card) => card,
            Self::InReader(_, _, card) => card,
        }
    }
}

impl Card<'_> {
    pub(crate) fn take_out(&self) {
        match self {
            Self::Stick(stick) => stick.pull(),
            Self::Sd(card) => card.eject(),
            Self::InReader(_, _, card) => card.eject(),
        }
    }

    pub(crate) fn put_in(&self) {
        match self {
            Self::Stick(stick) => stick.plug(),
            Self::Sd(card) => card.insert(),
            Self::InReader(_, _, card) => card.insert(),
        }
    }

    /// Takes it out once the guest has seen it, and waits until the guest has noticed the removal.
    pub(crate) fn take_out_in_peace(&self) {
        match self {
            Self::Stick(stick) => {
                let _seen = stick.node();
                stick.pull();
                stick.wait_gone();
            }
            Self::Sd(card) => {
                let _seen = card.node();
                card.eject();
                card.wait_gone();
            }
            Self::InReader(pc, reader, card) => {
                let size = format!("$(cat /sys/block/{}/size)", reader.node(0).trim_start_matches("/dev/"));
                let _seen = pc.wait_for(&format!("[ {size} != 0 ]"), A_STEP);
                card.eject();
                let _gone = pc.wait_for(&format!("[ {size} = 0 ]"), A_STEP);
            }
        }
    }

    /// Slows it down from now on. An SD card is always slow: QEMU moves its sectors one by one.
    pub(crate) fn slow_down(&self, station: &Station<'_>) {
        match self {
            Self::Stick(stick) => stick.faults(|faults| faults.bytes_per_second = Some(SLOW)),
            Self::Sd(_) => {}
            Self::InReader(_, reader, _) => station.pace(&reader.node(0), Some(SLOW)),
        }
    }

    /// Waits for this moment in the first attempt with the card.
    pub(crate) fn wait_for(&self, moment: Moment) {
        self.wait(Moved::Written, HEAD + BODY / 4);
        if moment == Moment::Writing {
            return;
        }
        // The tombstone and samples of the old contents were read by now. Before the body, only the marks are read: a few KiB.
        let before = self.moved(Moved::Read);
        self.wait(Moved::Read, before + BODY / 2);
        if moment == Moment::ReadingBack {
            return;
        }
        if let Self::Sd(card) = self {
            // The next step would take only a moment. A delay per request, even if it slows the whole emulated PC, makes it long enough.
            self.wait(Moved::Read, before + BODY - MIB);
            card.faults(|faults| faults.delay = Duration::from_micros(200));
        }
        match (moment, self) {
            // The pace is kept above the reader: requests under way there do not count yet.
            (Moment::WritingTheHead, Self::InReader(..)) => self.wait(Moved::Read, before + BODY + HEAD),
            (Moment::WritingTheHead, _) => self.wait(Moved::Written, HEAD + BODY + BEHIND + HEAD / 4),
            _ => self.wait(Moved::Read, before + BODY),
        }
    }

    fn moved(&self, moved: Moved) -> u64 {
        match self {
            Self::InReader(pc, reader, _) => {
                let sectors: u64 = pc.sh(&format!("echo {}", moved.sectors(&reader.node(0)))).parse().expect("a number of sectors");
                sectors * 512
            }
            _ => moved.of(&self.counts()),
        }
    }

    fn wait(&self, moved: Moved, bytes: u64) {
        match self {
            // Its medium is behind the guest's memory and gets its requests late.
            Self::InReader(pc, reader, _) => {
                let _printed = pc.wait_for(&format!("[ {} -ge {} ]", moved.sectors(&reader.node(0)), bytes / 512), A_STEP);
            }
            _ => self.wait_counts(&format!("{bytes} bytes {moved:?}"), A_STEP, |counts| moved.of(counts) >= bytes),
        }
    }

    /// From now on its file contains everything that was written to it.
    pub(crate) fn settle(&self) {
        if let Self::InReader(_, _, card) = self {
            card.settle();
        }
    }

    /// Has no boot sector that a firmware could start, and a text for people that says why.
    pub(crate) fn cannot_boot(&self) -> bool {
        self.settle();
        is_tombstone(&self.head(64))
    }
}

/// A counter of an emulated card that shows whether it was written to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moved {
    Written,
    Read,
}

impl Moved {
    fn of(self, counts: &Counts) -> u64 {
        match self {
            Self::Written => counts.bytes_written,
            Self::Read => counts.bytes_read,
        }
    }

    /// The same for a disk, as the guest's kernel counts it, in the shell's words (kernel, `Documentation/block/stat.rst`).
    pub(crate) fn sectors(self, node: &str) -> String {
        let field = match self {
            Self::Read => 3,
            Self::Written => 7,
        };
        format!("$(set -- $(cat /sys/block/{}/stat); echo ${field})", node.trim_start_matches("/dev/"))
    }
}
