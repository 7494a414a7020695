//! The table `archived_card`: what the station still knows of cards whose attempts are in archives. `archive.sql` explains its columns.

use rusqlite::{Connection, OptionalExtension, Row};

use super::beginning::Bound;
use crate::station::order::OrderNumber;
use crate::station::outcome::OutcomeWord;
use crate::station::past::{Ended, Rows};
use crate::station::units::to_u64;

/// The name by which a card is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    how: &'static str,
    name: String,
    more: String,
}

impl Key {
    /// An SD card, by its register.
    pub(super) fn of_register(raw: &str) -> Self {
        Self { how: "cid", name: raw.to_owned(), more: String::new() }
    }

    /// A USB device, by its serial and what else must be equal.
    pub(super) fn of_serial(serial: &str, more: [Option<&str>; 3]) -> Self {
        Self { how: "usb", name: serial.to_owned(), more: serde_json::json!(more).to_string() }
    }

    /// Any card in this slot.
    pub(super) fn of_slot(slot: &str) -> Self {
        Self { how: "slot", name: slot.to_owned(), more: String::new() }
    }
}

/// An end of an attempt, with its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ArchivedEnd {
    pub(super) seq: i64,
    pub(super) ended: Ended,
    /// The order that its card leaves; `None` for an end that is read, which has no more to do with it.
    pub(super) leaves: Option<OrderNumber>,
}

impl ArchivedEnd {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let outcome = OutcomeWord::from(row.get_ref(1)?.as_str()?);
        Ok(Self {
            seq: row.get(0)?,
            leaves: None,
            ended: Ended { outcome, image: row.get(2)?, order: row.get::<_, Option<i64>>(3)?.and_then(|order| u64::try_from(order).ok()) },
        })
    }
}

/// The newest archived end under this name.
pub(super) fn newest(log: &Connection, key: &Key) -> rusqlite::Result<Option<ArchivedEnd>> {
    read(log, key, false)
}

/// The archived ends of a card: the newest, and the newest good one.
pub(super) fn rows(log: &Connection, key: &Key) -> rusqlite::Result<Rows> {
    let newest = newest(log, key)?.map(|end| end.ended);
    let good = match &newest {
        Some(newest) if newest.outcome.is_good() => Some(newest.clone()),
        Some(_) => read(log, key, true)?.map(|end| end.ended),
        None => None,
    };
    Ok(Rows { newest, good })
}

fn read(log: &Connection, key: &Key, good: bool) -> rusqlite::Result<Option<ArchivedEnd>> {
    let question = "SELECT seq, outcome, image, counted FROM archived_card WHERE how = ?1 AND name = ?2 AND more = ?3 AND good = ?4";
    log.prepare_cached(question)?.query_row((key.how, &key.name, &key.more, good), ArchivedEnd::read).optional()
}

/// Puts an end under this name, which is newer than those that are there.
pub(super) fn put(file: &Connection, key: &Key, end: &ArchivedEnd) -> rusqlite::Result<()> {
    if end.ended.outcome.is_good() {
        let remove = "DELETE FROM archived_card WHERE how = ?1 AND name = ?2 AND more = ?3 AND good = 1";
        file.prepare_cached(remove)?.execute((key.how, &key.name, &key.more))?;
    } else {
        let newest = newest(file, key)?.filter(|newest| newest.ended.outcome.is_good());
        let good = if newest.is_some() { newest } else { read(file, key, true)? };
        if let Some(good) = good {
            // A card leaves an order once.
            let ended = good.ended.unless_left(end.leaves.as_slice());
            write(file, key, true, &ArchivedEnd { ended, ..good })?;
        }
    }
    write(file, key, false, end)
}

fn write(file: &Connection, key: &Key, good: bool, end: &ArchivedEnd) -> rusqlite::Result<()> {
    let Ended { outcome, image, order } = &end.ended;
    let order = order.and_then(|order| i64::try_from(order).ok());
    file.prepare_cached(
        "INSERT OR REPLACE INTO archived_card (how, name, more, good, seq, outcome, image, counted) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((key.how, &key.name, &key.more, good, end.seq, outcome.as_str(), image, order))
    .map(drop)
}

/// The number of rows, and the digest over them.
pub(super) fn bound(log: &Connection) -> rusqlite::Result<Bound> {
    let mut query = log.prepare(
        "SELECT how, name, more, CAST(good AS TEXT), CAST(seq AS TEXT), outcome, image, CAST(counted AS TEXT)
         FROM archived_card ORDER BY how, name, more, good",
    )?;
    let mut rows = query.query([])?;
    let mut hasher = blake3::Hasher::new();
    let mut count = 0;
    while let Some(row) = rows.next()? {
        for column in 0..8 {
            match row.get_ref(column)?.as_bytes_or_null()? {
                Some(bytes) => hasher.update(&to_u64(bytes.len()).to_le_bytes()).update(bytes),
                None => hasher.update(&u64::MAX.to_le_bytes()),
            };
        }
        count += 1;
    }
    Ok(Bound { count, blake3: hasher.finalize().to_hex().to_string() })
}
