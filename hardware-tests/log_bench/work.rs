//! The attempts of a busy factory: 500 days, eight slots, three models, sticks and cards, and one in thirty that does not pass.
//! The same attempts every time.

use std::time::Duration;

use flashline::ledger::Stamp;
use flashline::station::armed::{Armed, DeviceModel, ModelProof, Zeroes};
use flashline::station::card::{Bus, Card, Cid, DevNum, Identity, Visit};
use flashline::station::outcome::{Act, CacheFlush, CardHead, Curve, Digest, Effort, Failure, Nonce, Outcome, Proof, Pull, ReadBack};
use flashline::station::past::Past;
use flashline::station::port::Port;
use flashline::station::record::{Attempt, Entry, Plan};
use flashline::station::units::Bytes;

/// The days of work of the factory.
pub(crate) const DAYS: u64 = 500;

/// The first moment of the factory, 2025-01-01T00:00:00Z, in microseconds since 1970.
pub(crate) const BEGIN: i64 = 1_735_689_600_000_000;

/// A day in microseconds.
pub(crate) const DAY: u64 = 86_400_000_000;

const MODELS: [&str; 3] = ["acme/my-pi3", "acme/my-pi4", "initech/gateway-2000"];

/// The serial of the card of an attempt; no two share one. Cards come in boxes of a thousand with nearby serials in no order; boxes are in
/// no order either.
pub(crate) fn serial(number: u64) -> String {
    // An odd factor visits each of 2^32 once, and 7 shares no factor with 1000.
    let (box_, card) = ((number / 1000).wrapping_mul(2_654_435_761) & 0xffff_ffff, number % 1000 * 7 % 1000);
    format!("{box_:08X}{card:04}")
}

/// The model of the card of an attempt.
pub(crate) fn model(number: u64) -> &'static str {
    MODELS[usize::from(number % 16 > 7) + usize::from(number % 16 > 12)]
}

/// The beginning of an attempt when there are this many.
fn begins(number: u64, attempts: u64) -> i64 {
    let since = u128::from(number) * u128::from(DAYS * DAY) / u128::from(attempts);
    BEGIN + i64::try_from(since).unwrap_or(i64::MAX - BEGIN)
}

/// The speeds of a card along the image, in bytes a second.
fn curve(number: u64, least: u64) -> Vec<Option<Bytes>> {
    (0..32).map(|part| Some(Bytes(least + (number * 31 + part * 7919) % 4_000_000))).collect()
}

/// An attempt's start and end, each with its time.
pub(crate) fn attempt(number: u64, attempts: u64) -> [(Stamp, Entry); 2] {
    let seconds = 40 + number % 23;
    let at = begins(number, attempts);
    let stamp = |at| Stamp {
        at,
        boot: "0b5a1c52-6f4e-4d0b-9d4c-1c7e2f5a9b10".to_owned(),
        since_boot_ms: u64::try_from((at - BEGIN) / 1000).ok(),
        synced: Some(true),
    };
    let digest = Digest([u8::try_from(number % 3).unwrap_or(0) + 1; 32]);
    let span = Bytes(3_965_190_144);
    let image = Armed {
        model: model(number).to_owned(),
        digest,
        source: format!("/srv/images/{}-core-22.img.xz", model(number).replace('/', "-")),
        span,
        block: Some(512),
        zeroes: Zeroes::Prove,
        model_proof: proven(number),
        uncovered: Vec::new(),
    };
    let attempt = Box::new(Attempt {
        number: number + 1,
        slot: format!("A{}", number % 8 + 1),
        model: model(number).to_owned(),
        image: Some(image),
        card: card(number),
        plan: Plan::Write,
        order: None,
        past: Past::Unknown,
        labels: flashline::station::labels::Labels::default(),
        looks_for_tombstone: false,
        second_try_of: None,
    });
    let outcome = match number % 60 {
        13 => Outcome::Failed(Failure::Io { act: Act::Writing, at: Bytes(number % 4096 * 4096), span, errno: Some(5) }),
        31 => Outcome::Pulled(Pull::Taken),
        _ => Proof::conclude(ReadBack { digest, bytes: span }, digest, span).map_or(Outcome::Interrupted, Outcome::Passed),
    };
    let effort = Effort {
        written: Bytes(2_147_483_648),
        read: span,
        writing: Duration::from_millis(seconds * 600 + number % 997),
        reading: Duration::from_millis(seconds * 390),
        total: Duration::from_millis(seconds * 1000 + number % 997),
        slowest_call: Duration::from_micros(180_000 + number % 65_537),
        retries: 0,
        tombstone: Some(Nonce(u128::from(number))),
        found_tombstone: None,
        slowest_was: Some((Act::Writing, Bytes(number % 944 * 4_194_304))),
        curve: Curve { writing: curve(number, 14_000_000), reading: curve(number, 38_000_000) },
        head: CardHead::Image,
        flush: Some(CacheFlush::Asked),
        writes_at_proof: Some((span.0 + 2_147_483_648) / 512),
    };
    let end = at + i64::try_from(seconds * 1_000_000).unwrap_or(0);
    [(stamp(at), Entry::AttemptStarted(attempt.clone())), (stamp(end), Entry::AttemptClosed { attempt, outcome, effort })]
}

/// As long as a real value.
fn proven(number: u64) -> ModelProof {
    let (brand, model) = model(number).split_once('/').unwrap_or(("acme", "box"));
    let id = |seed: char| seed.to_string().repeat(64);
    ModelProof::Proven(DeviceModel {
        brand: brand.to_owned(),
        model: model.to_owned(),
        series: "16".to_owned(),
        revision: 1,
        sha3_384: id('d'),
        sign_key: Some(id('k')),
    })
}

fn card(number: u64) -> Card {
    let slot = number % 8 + 1;
    // Half of the slots are those of a PC with SD hosts.
    let sd = slot > 4;
    let part = |text: &str| Some(text.to_owned());
    let cid = sd.then(|| Cid {
        raw: format!("03534453433332478{:0>15}", serial(number)),
        manfid: part("0x000003"),
        oemid: part("0x5344"),
        name: part("SC32G"),
        serial: Some(serial(number)),
        date: part("06/2024"),
        hwrev: part("0x8"),
        fwrev: part("0x0"),
    });
    Card {
        port: Port(if sd { format!("pci-0000:00:1a.0/mmc-{slot}") } else { format!("pci-0000:00:14.0/usb3-2.{slot}/lun-0") }),
        visit: Visit { devnum: DevNum { major: 8, minor: 16 }, diskseq: number },
        kernel_name: "sdb".to_owned(),
        hangs_on: flashline::station::port::Chain::default(),
        bus: if sd { Bus::Mmc("SD".to_owned()) } else { Bus::Usb },
        whole_disk: true,
        vendor: if sd { None } else { part("SanDisk") },
        product: if sd { None } else { part("Cruzer Blade") },
        serial: (!sd).then(|| serial(number)),
        wwn: None,
        cid,
        identified: if sd { Identity::Cid } else { Identity::UsbSerial },
        capacity: Bytes(31_914_983_424),
        logical_block: 512,
        write_protected: false,
        partitioned: true,
    }
}
