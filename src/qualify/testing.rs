//! A slot for tests that is good in every respect, so that a test can spoil one.

use std::time::Duration;

use super::facts::{CardFacts, Check, FlushFacts, Freshness, HandsFacts, Noticed, ReopenFacts, RequestFacts, SlotFacts, Speeds, Switching};
use crate::device::FlushAnswer;
use crate::device::mode_sense::CachingPage;
use crate::station::card::Identity;
use crate::station::port::Port;
use crate::station::units::{Bytes, KIB, MIB};
use crate::watch::polls::MEDIA_POLL;
use crate::watch::reader_kind::{ReaderKind, RequestLimits};
use crate::watch::sysfs::MediaPolling;

/// The serial of every card of [`slot`].
pub(crate) const SERIAL: &str = "SECRET0001";

/// A slot of a reader with eight slots.
pub(crate) fn slot(name: &str, lun: u32) -> SlotFacts {
    let speeds = Speeds { write: Bytes(20_000_000), read: Bytes(80_000_000), slowest_call: Duration::from_millis(300), data: Check::Right };
    let noticed = Some(Noticed { by_itself: true, after: Some(Duration::from_millis(400)) });
    SlotFacts {
        slot: name.to_owned(),
        port: Port(format!("pci-0000:00:14.0/usb3-1.{}/lun-{}", lun / 8 + 1, lun % 8)),
        reader: ReaderKind {
            bus: "usb".to_owned(),
            vendor: "05e3".to_owned(),
            product: "0749".to_owned(),
            revision: "0200".to_owned(),
            inquiry: Some("Generic STORAGE DEVICE 1404".to_owned()),
        },
        stays: true,
        hubs: vec!["05e3:0610".to_owned()],
        link: Some("5000".to_owned()),
        card: CardFacts {
            capacity: Bytes(16_000_000_000),
            logical_block: 512,
            identified: Identity::ReaderOnly,
            serial: Some(SERIAL.to_owned()),
            cid: None,
            key: None,
        },
        limits: RequestLimits { now: Some(Bytes(120 * KIB)), allowed: Some(Bytes(MIB)) },
        polling: MediaPolling::Every(MEDIA_POLL),
        caching: Some(CachingPage::None),
        flush: Some(FlushFacts { answer: FlushAnswer::Taken, took: Duration::from_millis(40) }),
        requests: Some(RequestFacts {
            longest: Bytes(4 * MIB),
            failed: None,
            last_alone: Some(Check::Right),
            last_in_longer: Some(Check::Right),
        }),
        alone: Some(speeds),
        together: None,
        reopened: Some(ReopenFacts { cached: Freshness::Newest, forgotten: Freshness::Newest, direct: Freshness::Newest }),
        switching: Switching::NotOffered,
        hands: Some(HandsFacts {
            left: noticed,
            back: noticed,
            size_zero: true,
            disk_gone: false,
            diskseq: Some((7, 9)),
            kept: Some(Check::Right),
        }),
        trouble: None,
    }
}
