//! One attempt, as readers of the log get it. It is read from the event that closes the attempt, which contains everything.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::station::outcome::{OutcomeWord, code_today};
use crate::station::record::AttemptNumber;

/// One attempt. A closed one has the place of its closing event; an open one has the place of its start: its card is being written, or the
/// station stopped and has not started since. Times are UTC, in microseconds since 1970; durations are microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The event for which it stands.
    pub seq: u64,
    /// The id of the station.
    pub station_id: String,
    /// The station's name at that time.
    pub station_name: Option<String>,
    /// The number of the attempt.
    pub attempt: AttemptNumber,
    /// The slot, by the name on its sticker.
    pub slot: Option<String>,
    /// The port of the card.
    pub port: Option<String>,
    /// `BRAND/MODEL` of the slot.
    pub model: Option<String>,
    /// BLAKE3 of the image, hexadecimal.
    pub image_blake3: Option<String>,
    /// The file of the image.
    pub image_source: Option<String>,
    /// The image's raw length in bytes.
    pub image_span: Option<u64>,
    /// How it is proven which device the image is for: `proven`, `matching`, `none`.
    pub model_proof: Option<String>,
    /// The brand, by the model assertion inside the image.
    pub model_brand: Option<String>,
    /// The model's name, by that assertion.
    pub model_name: Option<String>,
    /// The series of that model.
    pub model_series: Option<String>,
    /// The revision of that model assertion.
    pub model_revision: Option<u64>,
    /// SHA3-384 of the assertion.
    pub model_sha3_384: Option<String>,
    /// The key that signed it.
    pub model_sign_key: Option<String>,
    /// How the card was attached.
    pub bus: Option<String>,
    /// Maker, as the device says.
    pub vendor: Option<String>,
    /// Product, as the device says.
    pub product: Option<String>,
    /// Serial, as the device says.
    pub serial: Option<String>,
    /// World wide name of the device.
    pub wwn: Option<String>,
    /// The identification register, 32 hexadecimal digits.
    pub cid: Option<String>,
    /// Manufacturer id of the card, `MID`.
    pub cid_manfid: Option<String>,
    /// OEM/application id of the card, `OID`.
    pub cid_oemid: Option<String>,
    /// Product name of the card, `PNM`.
    pub cid_name: Option<String>,
    /// Product serial number of the card, `PSN`.
    pub cid_serial: Option<String>,
    /// Manufacturing date of the card, `MDT`.
    pub cid_date: Option<String>,
    /// Hardware revision of the card, in the upper half of `PRV`.
    pub cid_hwrev: Option<String>,
    /// Firmware revision of the card, in the lower half of `PRV`.
    pub cid_fwrev: Option<String>,
    /// How far the serial identifies the card: `cid`, `usb`, `reader-only`, `none`.
    pub identified: Option<String>,
    /// The capacity that the card claims, in bytes.
    pub capacity: Option<u64>,
    /// The card's logical block in bytes.
    pub block: Option<u64>,
    /// The kernel's sequence number of the medium (`DISKSEQ`) in that boot.
    pub diskseq: Option<u64>,
    /// The time when it began; `None` for a card that admission refused.
    pub started: Option<i64>,
    /// The time when it ended; `None` while it runs.
    pub ended: Option<i64>,
    /// The clock was set from the network by then; `None` if that was unknown.
    pub clock_synced: Option<bool>,
    /// Bytes sent to the card.
    pub bytes_written: Option<u64>,
    /// Bytes read from the card.
    pub bytes_read: Option<u64>,
    /// Time spent writing and flushing.
    pub writing_us: Option<u64>,
    /// Time spent reading back.
    pub reading_us: Option<u64>,
    /// Time from claim to end, in microseconds.
    pub total_us: Option<u64>,
    /// The slowest single call.
    pub slowest_call_us: Option<u64>,
    /// The operation of that call.
    pub slowest_call_act: Option<String>,
    /// The byte of the card where it began.
    pub slowest_call_at: Option<u64>,
    /// Reads and writes that were repeated after an error; `None` in rows of older programs.
    pub retries: Option<u64>,
    /// KiB a second along the image, as a JSON list of parts of equal length.
    pub writing_kib_s: Option<String>,
    /// The same for reading back.
    pub reading_kib_s: Option<String>,
    /// BLAKE3 of the bytes read back, hexadecimal; for a pass only.
    pub readback_blake3: Option<String>,
    /// `whole` for a pass, `mapped-only` if the image's zeroes were skipped.
    pub readback_class: Option<String>,
    /// The outcome, or that it is running.
    pub outcome: OutcomeWord,
    /// The reason in one stable word.
    pub code: Option<String>,
    /// The reason as a sentence.
    pub reason: Option<String>,
    /// The byte of the card where it failed.
    pub failed_at: Option<u64>,
    /// The order in which it is counted if it is good.
    pub order: Option<u64>,
    /// How the card's own volatile cache was emptied: `asked`, `refused`, `unanswered`, `none`.
    pub flush: Option<String>,
    /// The contents of the card's head: `untouched`, `tombstone`, `image`, `unknown`.
    pub head: Option<String>,
    /// When the end that this row replaces was recorded, for a card that changed after it was proven.
    pub superseded_at: Option<i64>,
    /// The kernel's count of sectors of 512 bytes written to the disk when the card was proven.
    pub writes_at_proof: Option<u64>,
    /// The work order it was made for.
    pub work_order: Option<String>,
    /// The operator, as they said.
    pub operator: Option<String>,
    /// The lot of the blank card.
    pub card_lot: Option<String>,
    /// The attempt in another slot in which the card failed before, if it was recognised.
    pub second_try_of: Option<u64>,
}

impl Row {
    /// The time of its end or, while it runs, of its start: the time by which a log is filtered.
    #[must_use]
    pub(crate) fn at(&self) -> Option<i64> {
        self.ended.or(self.started)
    }

    /// The row of an attempt's event: its closing one, or its start while there is no other. `None` if the body has another form.
    pub(super) fn of(seq: i64, station: String, kind: &str, at: i64, body: &str) -> Option<Self> {
        let closed = match kind {
            "attempt-closed" | "attempt-changed" => true,
            "attempt-started" => false,
            // An attempt may have events of other kinds; a row never stands for them.
            _ => return None,
        };
        let body: Body<'_> = serde_json::from_str(body).ok()?;
        let image = body.image.unwrap_or_default();
        let model = image.model_proof.unwrap_or_default();
        let card = body.card.unwrap_or_default();
        let cid = card.cid.unwrap_or_default();
        let effort = body.effort.unwrap_or_default();
        let slowest = effort.slowest_call.unwrap_or_default();
        let outcome = body.outcome.unwrap_or_default();
        let proof = outcome.proof.unwrap_or_default();
        Some(Self {
            seq: u64::try_from(seq).ok()?,
            station_id: station,
            station_name: body.station_name,
            attempt: body.attempt?,
            slot: body.slot,
            port: card.port,
            model: body.model,
            image_blake3: image.blake3,
            image_source: image.source,
            image_span: image.span,
            model_proof: model.class,
            model_brand: model.brand,
            model_name: model.model,
            model_series: model.series,
            model_revision: model.revision,
            model_sha3_384: model.sha3_384,
            model_sign_key: model.sign_key,
            bus: card.bus,
            vendor: card.vendor,
            product: card.product,
            serial: card.serial,
            wwn: card.wwn,
            cid: cid.raw,
            cid_manfid: cid.manfid,
            cid_oemid: cid.oemid,
            cid_name: cid.name,
            cid_serial: cid.serial,
            cid_date: cid.date,
            cid_hwrev: cid.hwrev,
            cid_fwrev: cid.fwrev,
            identified: card.identified,
            capacity: card.capacity,
            block: card.block,
            diskseq: card.diskseq,
            started: if closed { body.start.map(|start| start.at) } else { Some(at) },
            ended: closed.then_some(at),
            clock_synced: body.clock.and_then(|clock| clock.synced),
            bytes_written: effort.written,
            bytes_read: effort.read,
            writing_us: effort.writing_us,
            reading_us: effort.reading_us,
            total_us: effort.total_us,
            slowest_call_us: effort.slowest_call_us,
            slowest_call_act: slowest.act,
            slowest_call_at: slowest.at,
            retries: effort.retries,
            writes_at_proof: effort.writes_at_proof,
            writing_kib_s: list(effort.writing_kib_s),
            reading_kib_s: list(effort.reading_kib_s),
            readback_blake3: proof.blake3,
            readback_class: proof.class,
            outcome: outcome.word.as_deref().map(OutcomeWord::from).unwrap_or_default(),
            code: outcome.code.map(|code| code_today(&code).to_owned()),
            reason: outcome.reason,
            failed_at: outcome.at,
            order: body.order,
            flush: effort.flush,
            head: effort.head,
            superseded_at: body.closed.map(|closed| closed.at),
            work_order: body.work_order,
            operator: body.operator,
            card_lot: body.card_lot,
            second_try_of: body.second_try_of,
        })
    }
}

/// Kept as it is stored: the numbers are parsed only when they are drawn.
fn list(raw: Option<&RawValue>) -> Option<String> {
    raw.map(|raw| raw.get().to_owned())
}

/// The keys of `body`, as `schema.sql` explains them. Keys of later formats are ignored.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body<'b> {
    attempt: Option<u64>,
    station_name: Option<String>,
    slot: Option<String>,
    model: Option<String>,
    clock: Option<Clock>,
    image: Option<Image>,
    card: Option<Card>,
    outcome: Option<Outcome>,
    #[serde(borrow)]
    effort: Option<Effort<'b>>,
    start: Option<Start>,
    closed: Option<Start>,
    order: Option<u64>,
    work_order: Option<String>,
    operator: Option<String>,
    card_lot: Option<String>,
    second_try_of: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Clock {
    synced: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Image {
    blake3: Option<String>,
    source: Option<String>,
    span: Option<u64>,
    model_proof: Option<ModelProof>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ModelProof {
    class: Option<String>,
    brand: Option<String>,
    model: Option<String>,
    series: Option<String>,
    revision: Option<u64>,
    sha3_384: Option<String>,
    sign_key: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Card {
    port: Option<String>,
    bus: Option<String>,
    vendor: Option<String>,
    product: Option<String>,
    serial: Option<String>,
    wwn: Option<String>,
    cid: Option<Cid>,
    identified: Option<String>,
    capacity: Option<u64>,
    block: Option<u64>,
    diskseq: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cid {
    raw: Option<String>,
    manfid: Option<String>,
    oemid: Option<String>,
    name: Option<String>,
    serial: Option<String>,
    date: Option<String>,
    hwrev: Option<String>,
    fwrev: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Outcome {
    word: Option<String>,
    code: Option<String>,
    reason: Option<String>,
    at: Option<u64>,
    proof: Option<Proof>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Proof {
    class: Option<String>,
    blake3: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Effort<'b> {
    written: Option<u64>,
    read: Option<u64>,
    writing_us: Option<u64>,
    reading_us: Option<u64>,
    total_us: Option<u64>,
    slowest_call_us: Option<u64>,
    slowest_call: Option<Call>,
    retries: Option<u64>,
    flush: Option<String>,
    head: Option<String>,
    writes_at_proof: Option<u64>,
    #[serde(borrow)]
    writing_kib_s: Option<&'b RawValue>,
    #[serde(borrow)]
    reading_kib_s: Option<&'b RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Call {
    act: Option<String>,
    at: Option<u64>,
}

#[derive(Deserialize)]
struct Start {
    at: i64,
}
