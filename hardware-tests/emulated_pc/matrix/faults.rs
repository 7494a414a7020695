//! The faults that strike a card while it is stopped at a moment, and how each is made in the emulated PC.

use std::thread;
use std::time::Duration;

use flashline_lab::{Errno, Pc, Request, Signal, UsbStick, secs};

use super::moments::{Kind, Moment, SPAN};
use crate::station::Station;

/// A fault of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Pulled,
    Swapped,
    Blinks,
    Dies,
    Hangs,
    WriteError,
    ReadOnly,
    WritesIgnored,
    FlipOnWrite,
    ReadError,
    FlipOnRead,
    FlushError,
    AnotherWrites,
    Killed,
}

/// The bits that are flipped where bits flip.
const BITS: u8 = 0x24;

impl Fault {
    /// Every fault, those of one kind beside each other.
    pub(crate) const ALL: [Self; 14] = [
        Self::Pulled,
        Self::Swapped,
        Self::Blinks,
        Self::Dies,
        Self::Hangs,
        Self::WriteError,
        Self::ReadOnly,
        Self::WritesIgnored,
        Self::FlipOnWrite,
        Self::ReadError,
        Self::FlipOnRead,
        Self::FlushError,
        Self::AnotherWrites,
        Self::Killed,
    ];

    /// The name in cells and in the document.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pulled => "pulled",
            Self::Swapped => "swapped",
            Self::Blinks => "blinks",
            Self::Dies => "dies",
            Self::Hangs => "hangs",
            Self::WriteError => "write-error",
            Self::ReadOnly => "read-only",
            Self::WritesIgnored => "writes-ignored",
            Self::FlipOnWrite => "flip-on-write",
            Self::ReadError => "read-error",
            Self::FlipOnRead => "flip-on-read",
            Self::FlushError => "flush-error",
            Self::AnotherWrites => "another-writes",
            Self::Killed => "killed",
        }
    }

    /// A sentence for the document.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Pulled => "the stick is pulled out",
            Self::Swapped => "a hand pulls it out, another one puts another stick in at once",
            Self::Blinks => "it leaves the bus and comes back by itself after 0.2 s",
            Self::Dies => "its controller dies: every request is answered with an error, for ever",
            Self::Hangs => "it answers nothing for 12 s",
            Self::WriteError => "the place of the request cannot be written, for ever",
            Self::ReadOnly => "it protects itself: every write is refused, for ever",
            Self::WritesIgnored => "it acknowledges every write and forgets it, for ever",
            Self::FlipOnWrite => "two bits at the place of the request are stored wrong",
            Self::ReadError => "the place of the request cannot be read, for ever",
            Self::FlipOnRead => "two bits at the place of the request are read wrong, for ever",
            Self::FlushError => "every flush is answered with an error",
            Self::AnotherWrites => {
                "a program of root writes 4 KiB where the image has zeroes, without claiming the disk: where that is seen in time, it is zeroed once more, and everything is read again"
            }
            Self::Killed => "the station is killed, and started again",
        }
    }

    /// Can it strike at this moment, and does it then concern the request at which the card has stopped?
    pub(crate) fn strikes_at(self, moment: Moment) -> bool {
        match self {
            Self::Pulled | Self::Swapped | Self::Blinks | Self::Killed => true,
            Self::Dies | Self::Hangs => moment.kind() != Kind::None,
            Self::WriteError | Self::ReadOnly | Self::WritesIgnored => moment.kind() == Kind::Write,
            // Marks are compared as a whole, and what is there when they are erased is nobody's.
            Self::FlipOnWrite => matches!(moment, Moment::EarlyBody | Moment::LateBody | Moment::HeadRest | Moment::HeadFirst),
            Self::ReadError | Self::FlipOnRead => moment.kind() == Kind::Read,
            // Whether the device answers at all is asked first: what it answers then is in the scenarios of `hostile::flush`.
            Self::FlushError => moment.kind() == Kind::Flush && moment != Moment::Asked,
            // Before the body is written, the station writes over it.
            Self::AnotherWrites => moment >= Moment::BodyFlush,
        }
    }

    /// Does it strike the whole station, and not one card?
    pub(crate) fn is_of_station(self) -> bool {
        self == Self::Killed
    }

    /// Does it need nothing but the stick itself?
    pub(crate) fn strikes_alone(self) -> bool {
        !matches!(self, Self::Swapped | Self::Blinks | Self::AnotherWrites | Self::Killed)
    }

    /// Strikes a stick that has stopped, or is proven, and lets it go on.
    pub(crate) fn strike(self, pc: &Pc, stick: &UsbStick) {
        match self {
            Self::Blinks => {
                let device = usb_device(pc, &stick.by_path());
                let blink = pc.spawn(&format!("cd /sys/bus/usb/devices/{device} && echo 0 >authorized && sleep 0.2 && echo 1 >authorized"));
                // Its requests must be answered, or the guest waits for them.
                thread::sleep(Duration::from_millis(300));
                stick.go_on();
                let _ended = blink.wait(secs(60));
            }
            Self::AnotherWrites => {
                // Queued behind the request at which the stick has stopped. Where it writes, the image has zeroes.
                let (node, at) = (stick.node(), (SPAN - 8192) / 4096);
                let write =
                    pc.spawn(&format!("exec dd if=/dev/urandom of={node} bs=4096 count=1 seek={at} oflag=direct conv=notrunc status=none"));
                thread::sleep(Duration::from_millis(500));
                stick.go_on();
                assert_eq!(write.wait(secs(60)).status, 0, "it writes");
            }
            Self::Swapped => stick.pull(),
            _ => self.strike_alone(stick),
        }
    }

    /// The same for a fault that [needs nothing but the stick](Self::strikes_alone).
    pub(crate) fn strike_alone(self, stick: &UsbStick) {
        let place = match stick.stopped() {
            Some(Request::Read { offset, length } | Request::Write { offset, length } | Request::Trim { offset, length }) => {
                offset..offset + length
            }
            Some(Request::Flush) | None => 0..0,
        };
        let middle = place.start + (place.end - place.start) / 2;
        match self {
            Self::Pulled => return stick.pull(),
            Self::Dies => stick.faults(|faults| {
                faults.read_errors.push(0..u64::MAX);
                (faults.all_writes, faults.all_flushes) = (Some(Errno::IO), Some(Errno::IO));
            }),
            Self::Hangs => thread::sleep(secs(12)),
            Self::WriteError => stick.faults(|faults| faults.write_errors.push(place)),
            Self::ReadOnly => stick.faults(|faults| faults.all_writes = Some(Errno::READ_ONLY)),
            Self::WritesIgnored => stick.faults(|faults| faults.ignores_writes = true),
            Self::FlipOnWrite => stick.faults(|faults| faults.flips_on_write.push((middle, BITS))),
            Self::ReadError => stick.faults(|faults| faults.read_errors.push(place)),
            Self::FlipOnRead => stick.faults(|faults| faults.flips_on_read.push((middle, BITS))),
            Self::FlushError => stick.faults(|faults| faults.all_flushes = Some(Errno::IO)),
            Self::Swapped | Self::Blinks | Self::AnotherWrites | Self::Killed => panic!("{} needs the PC", self.name()),
        }
        stick.go_on();
    }

    /// Kills the station.
    pub(crate) fn kill(station: &Station<'_>) {
        station.job.kill(Signal::SIGKILL);
        let _ended = station.job.wait(secs(60));
    }
}

/// The name of a disk's USB device.
fn usb_device(pc: &Pc, link: &str) -> String {
    let path = pc.sh(&format!("readlink -f /sys/class/block/$(basename $(readlink -f {link}))"));
    path.split('/').rfind(|part| part.contains('-') && !part.contains(':')).expect("it is on USB").to_owned()
}
