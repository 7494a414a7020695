//! Reading a log, in any process, while its station writes and after it stopped.

use std::path::{Path, PathBuf};

use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, named_params};

use crate::station::record::AttemptNumber;

use super::chain::{self, Break, Head};
use super::error::{Doing, LogError, Trouble};
use super::{BUSY, FORMAT, format_of};

/// One attempt, as the log's view shows it. Times are UTC, in microseconds since 1970; durations are microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The event it stands for.
    pub seq: u64,
    /// The station's id.
    pub station_id: String,
    /// The station's name at that time.
    pub station_name: Option<String>,
    /// The attempt's number.
    pub attempt: AttemptNumber,
    /// The slot, as on its sticker.
    pub slot: Option<String>,
    /// Where the card sat.
    pub port: Option<String>,
    /// `BRAND/MODEL` of the slot.
    pub model: Option<String>,
    /// BLAKE3 of the image, hexadecimal.
    pub image_blake3: Option<String>,
    /// The file the image came from.
    pub image_source: Option<String>,
    /// The image's raw length in bytes.
    pub image_span: Option<u64>,
    /// How far it is known what device the image is for: `proven`, `matching`, `none`.
    pub model_proof: Option<String>,
    /// The brand, by the model assertion inside the image.
    pub model_brand: Option<String>,
    /// The model's name, by that assertion.
    pub model_name: Option<String>,
    /// Its series.
    pub model_series: Option<String>,
    /// Its revision.
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
    /// World wide name.
    pub wwn: Option<String>,
    /// The identification register, 32 hexadecimal digits.
    pub cid: Option<String>,
    /// Manufacturer id.
    pub cid_manfid: Option<String>,
    /// OEM/application id.
    pub cid_oemid: Option<String>,
    /// Product name.
    pub cid_name: Option<String>,
    /// Product serial number.
    pub cid_serial: Option<String>,
    /// Manufacturing date.
    pub cid_date: Option<String>,
    /// Hardware revision.
    pub cid_hwrev: Option<String>,
    /// Firmware revision.
    pub cid_fwrev: Option<String>,
    /// How far the serial identifies the card: `cid`, `usb`, `reader-only`, `none`.
    pub identified: Option<String>,
    /// What the card claims to hold, in bytes.
    pub capacity: Option<u64>,
    /// The card's logical block in bytes.
    pub block: Option<u64>,
    /// The kernel's count of media in that boot.
    pub diskseq: Option<u64>,
    /// When it began; nothing for a card that admission refused.
    pub started: Option<i64>,
    /// When it ended; nothing while it runs.
    pub ended: Option<i64>,
    /// The clock was set from the network by then; nothing where nobody knew.
    pub clock_synced: Option<bool>,
    /// Bytes handed to the card.
    pub bytes_written: Option<u64>,
    /// Bytes the card returned.
    pub bytes_read: Option<u64>,
    /// Time spent writing and flushing.
    pub writing_us: Option<u64>,
    /// Time spent reading back.
    pub reading_us: Option<u64>,
    /// Claim to end.
    pub total_us: Option<u64>,
    /// The slowest single call.
    pub slowest_call_us: Option<u64>,
    /// What that call was.
    pub slowest_call_act: Option<String>,
    /// The byte of the card where it began.
    pub slowest_call_at: Option<u64>,
    /// KiB a second along the image, as a JSON list of parts of equal length.
    pub writing_kib_s: Option<String>,
    /// The same for reading back.
    pub reading_kib_s: Option<String>,
    /// BLAKE3 of what the card returned, hexadecimal; for a pass only.
    pub readback_blake3: Option<String>,
    /// `whole` for a pass, `mapped-only` where the image's zeroes were skipped.
    pub readback_class: Option<String>,
    /// `passed`, `passed-mapped-only`, `failed`, `refused`, `pulled`, `interrupted`, or `running`.
    pub outcome: String,
    /// The reason in one stable word.
    pub code: Option<String>,
    /// The reason as a sentence.
    pub reason: Option<String>,
    /// The byte of the card where it failed.
    pub failed_at: Option<u64>,
}

impl Row {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: count(row, "seq")?.unwrap_or_default(),
            station_id: row.get("station_id")?,
            station_name: row.get("station_name")?,
            attempt: count(row, "attempt")?.unwrap_or_default(),
            slot: row.get("slot")?,
            port: row.get("port")?,
            model: row.get("model")?,
            image_blake3: row.get("image_blake3")?,
            image_source: row.get("image_source")?,
            image_span: count(row, "image_span")?,
            model_proof: row.get("model_proof")?,
            model_brand: row.get("model_brand")?,
            model_name: row.get("model_name")?,
            model_series: row.get("model_series")?,
            model_revision: count(row, "model_revision")?,
            model_sha3_384: row.get("model_sha3_384")?,
            model_sign_key: row.get("model_sign_key")?,
            bus: row.get("bus")?,
            vendor: row.get("vendor")?,
            product: row.get("product")?,
            serial: row.get("serial")?,
            wwn: row.get("wwn")?,
            cid: row.get("cid")?,
            cid_manfid: row.get("cid_manfid")?,
            cid_oemid: row.get("cid_oemid")?,
            cid_name: row.get("cid_name")?,
            cid_serial: row.get("cid_serial")?,
            cid_date: row.get("cid_date")?,
            cid_hwrev: row.get("cid_hwrev")?,
            cid_fwrev: row.get("cid_fwrev")?,
            identified: row.get("identified")?,
            capacity: count(row, "capacity")?,
            block: count(row, "block")?,
            diskseq: count(row, "diskseq")?,
            started: row.get("started")?,
            ended: row.get("ended")?,
            clock_synced: row.get("clock_synced")?,
            bytes_written: count(row, "bytes_written")?,
            bytes_read: count(row, "bytes_read")?,
            writing_us: count(row, "writing_us")?,
            reading_us: count(row, "reading_us")?,
            total_us: count(row, "total_us")?,
            slowest_call_us: count(row, "slowest_call_us")?,
            slowest_call_act: row.get("slowest_call_act")?,
            slowest_call_at: count(row, "slowest_call_at")?,
            writing_kib_s: row.get("writing_kib_s")?,
            reading_kib_s: row.get("reading_kib_s")?,
            readback_blake3: row.get("readback_blake3")?,
            readback_class: row.get("readback_class")?,
            outcome: row.get("outcome")?,
            code: row.get("code")?,
            reason: row.get("reason")?,
            failed_at: count(row, "failed_at")?,
        })
    }
}

/// SQLite has signed integers only; a count below zero is none of ours.
fn count(row: &rusqlite::Row<'_>, name: &str) -> rusqlite::Result<Option<u64>> {
    let stored: Option<i64> = row.get(name)?;
    stored.map(to_count).transpose()
}

pub(super) fn to_count(stored: i64) -> rusqlite::Result<u64> {
    u64::try_from(stored).map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, Box::new(error)))
}

/// Which rows are wanted; all of them by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this model only.
    pub model: Option<String>,
    /// Of this slot only.
    pub slot: Option<String>,
    /// With this outcome only.
    pub outcome: Option<String>,
    /// Of cards whose serial, CID or serial number within the CID is this, or begins with it.
    pub serial: Option<String>,
    /// The newest so many only.
    pub limit: Option<u32>,
}

/// A log, open for reading.
#[derive(Debug)]
pub struct LogReader {
    connection: Connection,
    path: PathBuf,
}

impl LogReader {
    /// Opens the log at `path`. It is never changed by a reader.
    ///
    /// # Errors
    /// Where it is not there, may not be read, is no log, or is of another format than this program's.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let reading = |error| LogError::sqlite(Doing::Reading, path, error);
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(LogError::new(Doing::Reading, path, Trouble::NoFile)),
            Err(error) => return Err(LogError::io(Doing::Reading, path, error)),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        // A station's log always has its -wal beside it. A copy without one is whole and nobody writes it: told so, SQLite
        // makes no files beside it, and can read it where it could make none.
        let connection = if Path::new(&wal).exists() {
            Connection::open_with_flags(path, flags)
        } else {
            Connection::open_with_flags(immutable(path), flags | OpenFlags::SQLITE_OPEN_URI)
        }
        .map_err(reading)?;
        connection.busy_timeout(BUSY).map_err(reading)?;
        connection.pragma_update(None, "trusted_schema", false).map_err(reading)?;
        match format_of(&connection, path, Doing::Reading)? {
            FORMAT => Ok(Self { connection, path: path.to_owned() }),
            0 => Err(LogError::new(Doing::Reading, path, Trouble::NotALog)),
            _ => Err(LogError::new(Doing::Reading, path, Trouble::Older)),
        }
    }

    /// The rows that pass `filter`, newest last, as of one moment.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn rows(&self, filter: &Filter) -> Result<Vec<Row>, LogError> {
        self.select(filter).map_err(|error| LogError::sqlite(Doing::Reading, &self.path, error))
    }

    #[cfg(test)]
    pub(super) fn begin_for_test(&self) -> rusqlite::Transaction<'_> {
        self.connection.unchecked_transaction().expect("a transaction")
    }

    fn select(&self, filter: &Filter) -> rusqlite::Result<Vec<Row>> {
        let mut query = self.connection.prepare(
            "SELECT * FROM attempt
             WHERE (:model IS NULL OR model = :model)
               AND (:slot IS NULL OR slot = :slot)
               AND (:outcome IS NULL OR outcome = :outcome)
               AND (:serial IS NULL OR substr(serial, 1, length(:serial)) = :serial
                    OR substr(cid, 1, length(:serial)) = :serial OR substr(cid_serial, 1, length(:serial)) = :serial)
             ORDER BY seq DESC
             LIMIT :limit",
        )?;
        let rows = query.query_map(
            named_params! {
                ":model": filter.model,
                ":slot": filter.slot,
                ":outcome": filter.outcome,
                ":serial": filter.serial,
                // Negative is SQLite's word for no limit.
                ":limit": filter.limit.map_or(-1, i64::from),
            },
            Row::read,
        )?;
        let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        rows.reverse();
        Ok(rows)
    }

    /// Walks the whole chain: its head, or the first event that was changed, removed, inserted or reordered.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn verify(&self) -> Result<Result<Head, Break>, LogError> {
        chain::walk(&self.connection, 1).map_err(|error| LogError::sqlite(Doing::Reading, &self.path, error))
    }
}

/// The file as a URI that promises nobody writes it (`sqlite.org/uri.html`).
fn immutable(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    uri
}
