//! The columns of CSV and JSON: one list, so that the two cannot differ. Names and order are stable; new ones are added at the end.

use jiff::Timestamp;

use crate::ledger::Row;

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell<'r> {
    Empty,
    Text(&'r str),
    /// UTC, RFC 3339, to the millisecond.
    Time(String),
    Number(u64),
    /// Seconds, from microseconds, to the last digit.
    Seconds(String),
    Truth(bool),
    /// A list, as JSON has it.
    List(&'r str),
}

pub(super) type Column = (&'static str, fn(&Row) -> Cell<'_>);

pub(super) const COLUMNS: [Column; 63] = [
    ("attempt", |row| Cell::Number(row.attempt)),
    ("started", |row| time(row.started).map_or(Cell::Empty, Cell::Time)),
    ("ended", |row| time(row.ended).map_or(Cell::Empty, Cell::Time)),
    ("clock_synced", |row| row.clock_synced.map_or(Cell::Empty, Cell::Truth)),
    ("station_id", |row| Cell::Text(&row.station_id)),
    ("station_name", |row| text(row.station_name.as_deref())),
    ("slot", |row| text(row.slot.as_deref())),
    ("port", |row| text(row.port.as_deref())),
    ("model", |row| text(row.model.as_deref())),
    ("outcome", |row| Cell::Text(row.outcome.as_str())),
    ("code", |row| text(row.code.as_deref())),
    ("reason", |row| text(row.reason.as_deref())),
    ("failed_at_byte", |row| number(row.failed_at)),
    ("image_blake3", |row| text(row.image_blake3.as_deref())),
    ("image_source", |row| text(row.image_source.as_deref())),
    ("image_span_bytes", |row| number(row.image_span)),
    ("readback_blake3", |row| text(row.readback_blake3.as_deref())),
    ("identified", |row| text(row.identified.as_deref())),
    ("serial", |row| text(row.serial.as_deref())),
    ("cid", |row| text(row.cid.as_deref())),
    ("cid_manfid", |row| text(row.cid_manfid.as_deref())),
    ("cid_oemid", |row| text(row.cid_oemid.as_deref())),
    ("cid_name", |row| text(row.cid_name.as_deref())),
    ("cid_serial", |row| text(row.cid_serial.as_deref())),
    ("cid_date", |row| text(row.cid_date.as_deref())),
    ("cid_hwrev", |row| text(row.cid_hwrev.as_deref())),
    ("cid_fwrev", |row| text(row.cid_fwrev.as_deref())),
    ("bus", |row| text(row.bus.as_deref())),
    ("vendor", |row| text(row.vendor.as_deref())),
    ("product", |row| text(row.product.as_deref())),
    ("wwn", |row| text(row.wwn.as_deref())),
    ("capacity_bytes", |row| number(row.capacity)),
    ("block_bytes", |row| number(row.block)),
    ("diskseq", |row| number(row.diskseq)),
    ("written_bytes", |row| number(row.bytes_written)),
    ("read_bytes", |row| number(row.bytes_read)),
    ("writing_seconds", |row| seconds(row.writing_us)),
    ("reading_seconds", |row| seconds(row.reading_us)),
    ("total_seconds", |row| seconds(row.total_us)),
    ("slowest_call_seconds", |row| seconds(row.slowest_call_us)),
    ("writing_bytes_per_second", |row| rate(row.bytes_written, row.writing_us)),
    ("reading_bytes_per_second", |row| rate(row.bytes_read, row.reading_us)),
    ("seq", |row| Cell::Number(row.seq)),
    ("readback_class", |row| text(row.readback_class.as_deref())),
    ("slowest_call_act", |row| text(row.slowest_call_act.as_deref())),
    ("slowest_call_at_byte", |row| number(row.slowest_call_at)),
    ("writing_kib_per_second_along", |row| row.writing_kib_s.as_deref().map_or(Cell::Empty, Cell::List)),
    ("reading_kib_per_second_along", |row| row.reading_kib_s.as_deref().map_or(Cell::Empty, Cell::List)),
    ("model_proof", |row| text(row.model_proof.as_deref())),
    ("model_brand", |row| text(row.model_brand.as_deref())),
    ("model_name", |row| text(row.model_name.as_deref())),
    ("model_series", |row| text(row.model_series.as_deref())),
    ("model_revision", |row| number(row.model_revision)),
    ("model_sha3_384", |row| text(row.model_sha3_384.as_deref())),
    ("model_sign_key", |row| text(row.model_sign_key.as_deref())),
    ("flush", |row| text(row.flush.as_deref())),
    ("head", |row| text(row.head.as_deref())),
    ("writes_at_proof", |row| number(row.writes_at_proof)),
    ("work_order", |row| text(row.work_order.as_deref())),
    ("operator", |row| text(row.operator.as_deref())),
    ("card_lot", |row| text(row.card_lot.as_deref())),
    ("retries", |row| number(row.retries)),
    ("second_try_of", |row| number(row.second_try_of)),
];

fn text(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Empty, Cell::Text)
}

fn number(number: Option<u64>) -> Cell<'static> {
    number.map_or(Cell::Empty, Cell::Number)
}

fn seconds(micros: Option<u64>) -> Cell<'static> {
    micros.map_or(Cell::Empty, |micros| Cell::Seconds(format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)))
}

/// As UTC. A time outside the calendar gives no value.
pub(super) fn time(micros: Option<i64>) -> Option<String> {
    micros.and_then(|micros| Timestamp::from_microsecond(micros).ok()).map(|time| format!("{time:.3}"))
}

fn rate(bytes: Option<u64>, micros: Option<u64>) -> Cell<'static> {
    use crate::station::units::{Bytes, rate};
    let rate = bytes.zip(micros).and_then(|(bytes, micros)| rate(Bytes(bytes), std::time::Duration::from_micros(micros)));
    number(rate.map(|rate| rate.0))
}
