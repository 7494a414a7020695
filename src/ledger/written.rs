//! Reads the last cards of every slot that passed or failed, for a station that starts: it goes on counting where it ended.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::Deserialize;

use super::Ledger;
use super::error::{Doing, LogError};
use crate::station::CARDS_COUNTED;
use crate::station::card::Identity;
use crate::station::outcome::{CardHead, Nonce, OutcomeWord};
use crate::station::port::Port;
use crate::station::units::Bytes;
use crate::station::written_card::{CardClass, ClassFacts, Tombstones, WrittenCard, has_failed, is_false};

/// Limit of events that are read, newest first: two for each of the last cards of 50 slots. A station with more slots counts fewer of each
/// at its start.
const BACK: i64 = 20_480;

/// The ends of attempts, and the armings of slots, from which a slot is counted anew. Without an index: one that does not agree with the
/// events could close a slot.
const EVENTS: &str = "SELECT kind, body FROM event NOT INDEXED
    WHERE seq > (SELECT max(seq) FROM event) - ?1 AND kind IN ('attempt-closed', 'rearmed')
    ORDER BY seq";

/// The keys of these events, as `schema.sql` explains them.
#[derive(Deserialize)]
struct Body {
    attempt: Option<u64>,
    slot: Option<String>,
    card: Option<Card>,
    outcome: Option<Outcome>,
    card_lot: Option<String>,
    second_try_of: Option<u64>,
    effort: Option<Effort>,
}

#[derive(Deserialize)]
struct Effort {
    head: Option<String>,
    tombstone: Option<String>,
    found_tombstone: Option<String>,
}

#[derive(Deserialize)]
struct Card {
    port: String,
    identified: String,
    vendor: Option<String>,
    product: Option<String>,
    capacity: u64,
    cid: Option<Cid>,
}

#[derive(Deserialize)]
struct Cid {
    raw: String,
    name: Option<String>,
    oemid: Option<String>,
    date: Option<String>,
}

#[derive(Deserialize)]
struct Outcome {
    word: String,
    code: Option<String>,
}

impl Body {
    /// The card of an attempt that ended; `None` if its outcome says nothing about slot and card.
    fn written(self) -> Option<WrittenCard> {
        let outcome = self.outcome?;
        let failed = has_failed(&OutcomeWord::from(outcome.word.as_str()))?;
        let card = self.card?;
        let identified = Identity::of(&card.identified);
        let register = |part: fn(&Cid) -> Option<&String>| card.cid.as_ref().and_then(part).map(String::as_str);
        let class = CardClass::of(&ClassFacts {
            identified,
            cid_name: register(|cid| cid.name.as_ref()),
            oem: register(|cid| cid.oemid.as_ref()),
            date: register(|cid| cid.date.as_ref()),
            vendor: card.vendor.as_deref(),
            product: card.product.as_deref(),
            capacity: Bytes(card.capacity),
            declared_lot: self.card_lot.as_deref(),
        });
        let nonce = |part: fn(&Effort) -> Option<&String>| self.effort.as_ref().and_then(part).and_then(|text| Nonce::parse(text));
        let head = self.effort.as_ref().and_then(|effort| effort.head.as_deref());
        let written = nonce(|effort| effort.tombstone.as_ref()).filter(|_| head == Some(CardHead::Tombstone.word()));
        let tombstones = Tombstones { written, found: nonce(|effort| effort.found_tombstone.as_ref()) };
        Some(WrittenCard {
            attempt: self.attempt?,
            slot: self.slot?,
            port: Port(card.port),
            class,
            failed,
            is_false: outcome.code.as_deref().is_some_and(is_false),
            cid: card.cid.map(|cid| cid.raw).filter(|_| identified == Some(Identity::Cid)),
            tombstones,
            second_try_of: self.second_try_of,
            is_forgotten: false,
        })
    }
}

impl Ledger {
    /// The last cards of every slot that passed or failed, oldest first. Those of before a user last armed the slot are marked as forgotten.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn last_written(&self) -> Result<Vec<WrittenCard>, LogError> {
        read(&self.connection).map_err(|error| LogError::sqlite(Doing::Reading, &self.path, error))
    }
}

fn read(log: &Connection) -> rusqlite::Result<Vec<WrittenCard>> {
    let mut query = log.prepare(EVENTS)?;
    let mut events = query.query([BACK])?;
    let mut cards: Vec<WrittenCard> = Vec::new();
    while let Some(event) = events.next()? {
        // The station does not act on a body of another form; `log verify` names it.
        let Ok(body) = serde_json::from_str::<Body>(event.get_ref(1)?.as_str()?) else { continue };
        if event.get_ref(0)?.as_str()? == "rearmed" {
            let before = cards.iter_mut().filter(|card| Some(&card.slot) == body.slot.as_ref());
            before.for_each(|card| card.is_forgotten = true);
        } else {
            cards.extend(body.written());
        }
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut last: Vec<WrittenCard> = Vec::new();
    for card in cards.into_iter().rev() {
        // A card that failed again in a second slot is counted in the first one.
        let is_counted_there = card.failed && card.second_try_of.is_some();
        let is_counted = !card.is_forgotten && !is_counted_there;
        let count = counts.entry(card.slot.clone()).or_default();
        *count += usize::from(is_counted);
        if *count <= CARDS_COUNTED {
            last.push(card);
        }
    }
    last.reverse();
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::{CARDS_COUNTED, Ledger, WrittenCard};
    use crate::station::card::{Card, Cid, Identity};
    use crate::station::outcome::{CardHead, Effort, Failure, Nonce, Outcome};
    use crate::station::record::{Attempt, Entry};
    use crate::station::request::{Target, Who};
    use crate::station::testing::{attempt, card, proof};
    use crate::station::units::Bytes;

    fn written(log: &mut Ledger, number: u64, slot: &str, failed: bool) -> WrittenCard {
        let cid = Cid { raw: format!("{number:032x}"), oemid: Some("0x5344".to_owned()), ..Cid::default() };
        let card = Card { cid: Some(cid), identified: Identity::Cid, ..card("pci-1/usb3-2/lun-0", number) };
        let attempt = Box::new(Attempt { second_try_of: number.is_multiple_of(2).then_some(number - 1), ..attempt(number, slot, card) });
        let lies = Failure::FalseCapacity { at: Bytes(0), holds: None };
        let outcome = if failed { Outcome::Failed(lies) } else { Outcome::Passed(proof()) };
        let nonces = (Some(Nonce(u128::from(number))), Some(Nonce(7)));
        let effort = Effort { tombstone: nonces.0, found_tombstone: nonces.1, head: CardHead::Tombstone, ..Effort::default() };
        let counted = WrittenCard::of(&attempt, &outcome, &effort).expect("it counts");
        assert!(counted.cid.is_some() && counted.is_false == failed && counted.tombstones.written == nonces.0);
        close(log, attempt, outcome, effort);
        counted
    }

    fn close(log: &mut Ledger, attempt: Box<Attempt>, outcome: Outcome, effort: Effort) {
        log.append(&Entry::AttemptStarted(attempt.clone())).expect("appended");
        log.append(&Entry::AttemptClosed { attempt, outcome, effort }).expect("appended");
    }

    #[test]
    fn the_log_has_the_cards_that_a_station_counted_and_begins_anew_where_a_slot_was_armed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("flash-log.db");
        let mut log = Ledger::open_on(&path, "bench", "0123456789abcdef0123456789abcdef").expect("a log");
        assert_eq!(log.last_written().expect("it can be read"), []);
        let first = written(&mut log, 1, "A1", true);
        let second = written(&mut log, 2, "A2", false);
        close(&mut log, Box::new(attempt(3, "A2", card("p1", 3))), Outcome::Interrupted, Effort::default());
        assert_eq!(log.last_written().expect("it can be read"), [first.clone(), second.clone()], "as they were counted, class and all");
        let by = Who { uid: 1000, name: "ann".to_owned() };
        log.append(&Entry::Rearmed { target: Target::Slot("A1".to_owned()), by: by.clone() }).expect("appended");
        log.append(&Entry::Rearmed { target: Target::Model("A2".to_owned()), by }).expect("appended");
        let first = WrittenCard { is_forgotten: true, ..first };
        assert_eq!(log.last_written().expect("it can be read"), [first, second], "one is recognised, and no longer counted");
    }

    #[test]
    fn no_more_cards_of_a_slot_are_read_than_are_counted() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("flash-log.db");
        let mut log = Ledger::open_on(&path, "bench", "0123456789abcdef0123456789abcdef").expect("a log");
        let other = written(&mut log, 1, "A2", true);
        let cards: Vec<WrittenCard> = (2..).take(CARDS_COUNTED + 3).map(|number| written(&mut log, number, "A1", false)).collect();
        let read = log.last_written().expect("it can be read");
        assert_eq!(read, [&[other][..], &cards[3..]].concat());
    }
}
