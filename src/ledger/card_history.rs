//! Finds the earlier rows of a card, when an attempt with it is about to begin.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::station::card::{Card, Identity};
use crate::station::outcome::{Counted, OutcomeWord};
use crate::station::past::{Ended, Past, Rows};

use super::archived_cards::{self, ArchivedEnd, Key};
use super::error::LogError;
use super::reader::LogReader;

/// Limit of rows of one card that are read, newest first: a card is written a few times in its life, and rechecked a few dozen times.
const ROWS: i64 = 256;

/// Limit of events in which a slot's newest row is searched: weeks of a busy station, and little work for a disk.
const BACK: i64 = 65_536;

const BY_CID: &str = "SELECT body, seq FROM event INDEXED BY event_cid
    WHERE json_extract(body, '$.card.cid.raw') IS NOT NULL AND json_extract(body, '$.card.cid.raw') = ?1 AND kind = 'attempt-closed'
    ORDER BY seq DESC LIMIT ?2";

const BY_SERIAL: &str = "SELECT body, seq FROM event INDEXED BY event_serial
    WHERE json_extract(body, '$.card.serial') IS NOT NULL AND json_extract(body, '$.card.serial') = ?1 AND kind = 'attempt-closed'
    ORDER BY seq DESC LIMIT ?2";

const OF_SLOT: &str = "SELECT seq FROM event INDEXED BY event_brief
    WHERE json_extract(body, '$.outcome.word') IS NOT NULL AND seq > ?2 AND json_extract(body, '$.slot') = ?1
    ORDER BY seq DESC LIMIT ?3";

const BODY: &str = "SELECT body FROM event WHERE seq = ?1 AND kind = 'attempt-closed'";

/// A card that was written to after its proof is no longer good, whatever its row says.
const CHANGED: &str = "SELECT 1 FROM event WHERE attempt = ?1 AND kind = 'attempt-changed'";

/// The identity of a card in the log, and its slot: the question to a process that reads the log for a station.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Named {
    identified: Option<String>,
    cid: Option<String>,
    serial: Option<String>,
    vendor: Option<String>,
    product: Option<String>,
    wwn: Option<String>,
    slot: String,
}

impl Named {
    /// This card, in this slot.
    #[must_use]
    pub(crate) fn of(card: &Card, slot: &str) -> Self {
        Self {
            identified: Some(card.identified.word().to_owned()),
            cid: card.cid.as_ref().map(|cid| cid.raw.clone()),
            serial: card.serial.clone(),
            vendor: card.vendor.clone(),
            product: card.product.clone(),
            wwn: card.wwn.clone(),
            slot: slot.to_owned(),
        }
    }

    fn is_identified(&self, how: Identity) -> bool {
        self.identified.as_deref() == Some(how.word())
    }

    fn carrier(&self) -> Carrier {
        Carrier {
            identified: self.identified.clone(),
            cid: self.cid.clone().map(|raw| Register { raw: Some(raw) }),
            serial: self.serial.clone(),
            vendor: self.vendor.clone(),
            product: self.product.clone(),
            wwn: self.wwn.clone(),
        }
    }
}

/// The history of the card as one line: see [`past_of_line`].
#[must_use]
pub(crate) fn line_of_past(past: &Past) -> String {
    let ended = |ended: &Option<Ended>| {
        ended.as_ref().map(|ended| json!({ "outcome": ended.outcome.as_str(), "image": ended.image, "order": ended.order }))
    };
    let rows = |rows: &Rows| json!({ "newest": ended(&rows.newest), "good": ended(&rows.good) });
    match past {
        Past::Unknown => Value::Null,
        Past::ByCid(found) => json!({ "by_cid": rows(found) }),
        Past::BySerial(found) => json!({ "by_serial": rows(found) }),
        Past::OfSlot(newest) => json!({ "of_slot": { "newest": ended(newest) } }),
    }
    .to_string()
}

/// Parses the line of [`line_of_past`]; `None` for another form.
#[must_use]
pub(crate) fn past_of_line(line: &str) -> Option<Past> {
    let said: Value = serde_json::from_str(line).ok()?;
    let ended = |rows: &Value, which: &str| match rows.get(which)? {
        Value::Null => Some(None),
        ended => Some(Some(Ended {
            outcome: OutcomeWord::from(ended.get("outcome")?.as_str()?),
            image: ended.get("image")?.as_str().map(str::to_owned),
            order: ended.get("order")?.as_u64(),
        })),
    };
    let rows = |rows: &Value| Some(Rows { newest: ended(rows, "newest")?, good: ended(rows, "good")? });
    if let Some(found) = said.get("by_cid") {
        return rows(found).map(Past::ByCid);
    }
    if let Some(found) = said.get("by_serial") {
        return rows(found).map(Past::BySerial);
    }
    said.get("of_slot").map_or(said.is_null().then_some(Past::Unknown), |found| ended(found, "newest").map(Past::OfSlot))
}

impl LogReader {
    /// The history of this card in this slot.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn past(&self, card: &Named) -> Result<Past, LogError> {
        self.within(|log| match (card.cid.as_deref(), card.serial.as_deref()) {
            (Some(cid), _) if card.is_identified(Identity::Cid) => rows(log, BY_CID, cid, card).map(Past::ByCid),
            (_, Some(serial)) if card.is_identified(Identity::UsbSerial) => rows(log, BY_SERIAL, serial, card).map(Past::BySerial),
            _ => of_slot(log, &card.slot).map(Past::OfSlot),
        })
    }
}

fn rows(log: &Connection, question: &str, name: &str, card: &Named) -> rusqlite::Result<Rows> {
    let mut query = log.prepare_cached(question)?;
    let mut events = query.query((name, ROWS))?;
    let card = card.carrier();
    let mut found = Rows::default();
    let mut left = Vec::new();
    while let Some(event) = events.next()? {
        let Some(body) = Body::of(event.get_ref(0)?.as_str()?).filter(|body| body.is_of(&card)) else { continue };
        let leaves = body.leaves_order;
        let Some(ended) = body.ended(log)? else { continue };
        if found.newest.is_none() {
            found.newest = Some(ended.clone());
        }
        if ended.outcome.is_good() {
            found.good = Some(ended.unless_left(&left));
            break;
        }
        left.extend(leaves);
    }
    // What is known of archived attempts, which are older.
    let Some(key) = card.key().filter(|_| found.newest.is_none() || found.good.is_none()) else { return Ok(found) };
    let archived = archived_cards::rows(log, &key)?;
    let good = found.good.or_else(|| archived.good.map(|good| good.unless_left(&left)));
    Ok(Rows { newest: found.newest.or(archived.newest), good })
}

fn of_slot(log: &Connection, slot: &str) -> rusqlite::Result<Option<Ended>> {
    let newest: i64 = log.prepare_cached("SELECT coalesce(max(seq), 0) FROM event")?.query_row([], |row| row.get(0))?;
    let mut query = log.prepare_cached(OF_SLOT)?;
    let mut events = query.query((slot, newest.saturating_sub(BACK), ROWS))?;
    while let Some(event) = events.next()? {
        let mut query = log.prepare_cached(BODY)?;
        let mut bodies = query.query([event.get::<_, i64>(0)?])?;
        let Some(row) = bodies.next()? else { continue };
        let Some(body) = Body::of(row.get_ref(0)?.as_str()?) else { continue };
        if let Some(ended) = body.ended(log)? {
            return Ok(Some(ended));
        }
    }
    let archived = archived_cards::newest(log, &Key::of_slot(slot))?;
    Ok(archived.filter(|end| end.seq > newest.saturating_sub(BACK)).map(|end| end.ended))
}

/// The names under which an attempt's end is found once it is archived, and how it ended; `None` if it left its card unchanged.
pub(super) fn archived_end(log: &Connection, seq: i64, body: &str) -> rusqlite::Result<Option<(Vec<Key>, ArchivedEnd)>> {
    let Some(body) = Body::of(body) else { return Ok(None) };
    let by_card = body.card.as_ref().and_then(Carrier::key);
    let keys = by_card.into_iter().chain(body.slot.as_deref().map(Key::of_slot)).collect();
    let leaves = body.leaves_order;
    Ok(body.ended(log)?.map(|ended| (keys, ArchivedEnd { seq, ended, leaves })))
}

/// The keys of a closing event's body that are used here, as `schema.sql` explains them.
#[derive(Deserialize)]
struct Body {
    attempt: Option<i64>,
    slot: Option<String>,
    image: Option<Image>,
    card: Option<Carrier>,
    outcome: Option<Word>,
    order: Option<u64>,
    leaves_order: Option<u64>,
}

#[derive(Deserialize)]
struct Image {
    blake3: Option<String>,
}

#[derive(Deserialize)]
struct Word {
    word: Option<String>,
}

/// By what a row says which card it is of.
#[derive(Deserialize)]
pub(super) struct Carrier {
    identified: Option<String>,
    cid: Option<Register>,
    serial: Option<String>,
    vendor: Option<String>,
    product: Option<String>,
    wwn: Option<String>,
}

/// An SD card's own register.
#[derive(PartialEq, Eq, Deserialize)]
struct Register {
    raw: Option<String>,
}

impl Carrier {
    /// Each maker numbers its sticks from the beginning, and a reader's serial does not belong to the card.
    pub(super) fn is_same_card(&self, other: &Self) -> bool {
        let is_by = |how: Identity| [self, other].into_iter().all(|card| card.identified.as_deref() == Some(how.word()));
        if is_by(Identity::Cid) {
            return self.cid == other.cid;
        }
        is_by(Identity::UsbSerial)
            && (&self.serial, &self.vendor, &self.product, &self.wwn) == (&other.serial, &other.vendor, &other.product, &other.wwn)
    }

    /// The name under which an archived card is found: equal for the same card. `None` for a card that cannot be identified.
    fn key(&self) -> Option<Key> {
        let is_by = |how: Identity| self.identified.as_deref() == Some(how.word());
        if is_by(Identity::Cid) {
            return self.cid.as_ref()?.raw.as_deref().map(Key::of_register);
        }
        let serial = self.serial.as_deref().filter(|_| is_by(Identity::UsbSerial))?;
        Some(Key::of_serial(serial, [self.vendor.as_deref(), self.product.as_deref(), self.wwn.as_deref()]))
    }
}

impl Body {
    /// `None` for a body of another form.
    fn of(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }

    fn is_of(&self, card: &Carrier) -> bool {
        self.card.as_ref().is_some_and(|own| own.is_same_card(card))
    }

    /// How it ended; `None` for an attempt that left the card unchanged.
    fn ended(self, log: &Connection) -> rusqlite::Result<Option<Ended>> {
        let Some(word) = self.outcome.and_then(|outcome| outcome.word) else { return Ok(None) };
        let mut outcome = OutcomeWord::from(word.as_str());
        if matches!(outcome.counts(), Counted::Again | Counted::Untouched) {
            return Ok(None);
        }
        if outcome.is_good() && log.prepare_cached(CHANGED)?.exists([self.attempt])? {
            outcome = OutcomeWord::Unknown("attempt-changed".to_owned());
        }
        Ok(Some(Ended { outcome, image: self.image.and_then(|image| image.blake3), order: self.order }))
    }
}

/// The queries of this module, for the test that each uses an index.
#[cfg(test)]
pub(super) fn questions() -> [&'static str; 4] {
    [BY_CID, BY_SERIAL, OF_SLOT, CHANGED]
}
