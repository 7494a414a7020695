//! What was measured of a slot. Has no opinion about it.

use std::time::Duration;

use serde::Serialize;

use crate::device::FlushAnswer;
use crate::device::mode_sense::CachingPage;
use crate::station::card::{Card, Identity};
use crate::station::port::Port;
use crate::station::units::{Bytes, to_f64};
use crate::watch::reader_kind::{ReaderKind, RequestLimits};
use crate::watch::sysfs::MediaPolling;

/// Whether data came back as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// As it was written.
    Right,
    /// Otherwise than it was written.
    Wrong,
    /// The kernel gave this error.
    Failed(String),
}

/// Which of two writes to one place is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// The last one.
    Newest,
    /// The one before it, at least in a part.
    Stale,
    /// Neither of both.
    Wrong,
    /// The kernel gave this error.
    Failed(String),
}

/// The answer to a command that empties the device's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlushFacts {
    /// The answer, as the engine understands it.
    pub answer: FlushAnswer,
    /// How long it took.
    pub took: Duration,
}

/// Requests of growing length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestFacts {
    /// The longest call whose bytes were written and came back.
    pub longest: Bytes,
    /// The first length that was not, with the reason.
    pub failed: Option<(Bytes, String)>,
    /// The card's last block, written and read alone.
    pub last_alone: Option<Check>,
    /// The card's last block, read as the end of a longer call.
    pub last_in_longer: Option<Check>,
}

/// Speeds over a bounded amount of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Speeds {
    /// Bytes a second written, with the flush at the end.
    pub write: Bytes,
    /// Bytes a second read.
    pub read: Bytes,
    /// The longest call of all, the flush included.
    pub slowest_call: Duration,
    /// Whether what was read is what was written.
    pub data: Check,
}

/// Reads after the disk was written, closed and opened again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReopenFacts {
    /// Through the kernel's page cache.
    pub cached: Freshness,
    /// The same after the kernel was told to forget its pages.
    pub forgotten: Freshness,
    /// Past every cache of the kernel.
    pub direct: Freshness,
}

/// What the kernel showed while a person took the card out and put it in again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HandsFacts {
    /// The card was seen to leave.
    pub left: Option<Noticed>,
    /// The card was seen to be back.
    pub back: Option<Noticed>,
    /// Its size was 0 in between.
    pub size_zero: bool,
    /// Its disk was gone in between.
    pub disk_gone: bool,
    /// `DISKSEQ` before and after.
    pub diskseq: Option<(u64, u64)>,
    /// Whether what was written before was still on the card; `None` if another card was put in, or none.
    pub kept: Option<Check>,
}

/// A change of the medium that was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noticed {
    /// The kernel noticed it by itself, without the disk being opened.
    pub by_itself: bool,
    /// How long after the person's key; `None` if no key was pressed.
    pub after: Option<Duration>,
}

/// Whether the power of the reader can be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Switching {
    /// The kernel offers no switch for its port.
    NotOffered,
    /// The kernel offers one, which was not tried.
    Offered,
    /// Tried: the device left and came back. The kernel takes a device away before it switches its port off (`disable_store` in
    /// `drivers/usb/core/port.c`), so that this does not show whether the hub has cut its power.
    Works {
        /// From the time when the port was switched on to the disk.
        back_after: Duration,
    },
    /// Tried: the device did not leave.
    NoEffect,
    /// Tried: the device left, and did not come back by itself.
    Lost,
    /// Not tried, for this reason.
    Refused(String),
}

/// The card on which the slot was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CardFacts {
    /// The capacity that it claims.
    pub capacity: Bytes,
    /// Its logical block.
    pub logical_block: u32,
    /// How far the serial identifies a card in this slot.
    pub identified: Identity,
    /// The serial. Never leaves the PC.
    pub serial: Option<String>,
    /// The CID of a card in an SD host. Never leaves the PC.
    pub cid: Option<String>,
    /// What distinguishes the card from all others; `None` if nothing does. Never leaves the PC.
    pub key: Option<String>,
}

impl CardFacts {
    /// The facts of this card that a qualification uses.
    #[must_use]
    pub(crate) fn of(card: &Card) -> Self {
        Self {
            capacity: card.capacity,
            logical_block: card.logical_block,
            identified: card.identified,
            serial: card.serial.clone(),
            cid: card.cid.as_ref().map(|cid| cid.raw.clone()),
            key: card.key(),
        }
    }
}

/// All that was found out of one slot. What is `None` was not measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotFacts {
    /// The name of the slot.
    pub slot: String,
    /// The port that the card was in.
    pub port: Port,
    /// The kind of its reader; of the stick itself, where a slot has no reader.
    pub reader: ReaderKind,
    /// The reader stays when the card is taken out.
    pub stays: bool,
    /// The hubs on which the reader hangs, from the controller down, as vendor:product.
    pub hubs: Vec<String>,
    /// The speed of the USB device in megabits a second, as the kernel says it.
    pub link: Option<String>,
    /// The card on which it was tried.
    pub card: CardFacts,
    /// The kernel's own limits of a request.
    pub limits: RequestLimits,
    /// How often the kernel asked the reader for its card before this command.
    pub polling: MediaPolling,
    /// What the device shows of its cache.
    pub caching: Option<CachingPage>,
    /// Its answer to a flush.
    pub flush: Option<FlushFacts>,
    /// Requests of growing length.
    pub requests: Option<RequestFacts>,
    /// Speeds while no other slot was used.
    pub alone: Option<Speeds>,
    /// Speeds while all named slots were used at once.
    pub together: Option<Speeds>,
    /// Reads after reopening.
    pub reopened: Option<ReopenFacts>,
    /// Whether its power can be cut.
    pub switching: Switching,
    /// What a person did; `None` if that was left out.
    pub hands: Option<HandsFacts>,
    /// Why not everything was measured.
    pub trouble: Option<Trouble>,
}

/// Why the trial of a slot ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The kind of its cause.
    pub kind: TroubleKind,
    /// What happened, in words. May name what is on this PC, so it never leaves it.
    pub what: String,
}

/// Kinds of causes. Their words in the file for the makers are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TroubleKind {
    /// The card or its reader answered with an error.
    Error,
    /// The card is not in its place any more.
    Left,
    /// The card could not be claimed, or must not be.
    Refused,
    /// The user stopped the command.
    Stopped,
    /// A fault of this PC or of the program.
    Own,
    /// The device did not answer.
    Silent,
}

/// The part of its speed alone that a slot keeps beside its neighbours: the smaller one of writing and reading.
#[must_use]
pub(crate) fn kept_beside(facts: &SlotFacts) -> Option<f64> {
    let (alone, together) = (facts.alone.as_ref()?, facts.together.as_ref()?);
    let part = |together: Bytes, alone: Bytes| (alone.0 > 0).then(|| to_f64(together.0) / to_f64(alone.0));
    let (write, read) = (part(together.write, alone.write)?, part(together.read, alone.read)?);
    Some(write.min(read))
}
