//! Boxes that were closed, as reports find the box of a card.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;

use super::beginning::{self, ArchivedBox};
use super::card_history::Carrier;
use super::error::LogError;
use super::query;
use super::reader::{LogReader, to_count};
use super::row::Row;
use crate::station::order::OrderNumber;
use crate::station::outcome::OutcomeWord;
use crate::station::record::{AttemptNumber, BoxEnd};

/// Every box that was closed, in the order of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PackedBoxes(Vec<PackedBox>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PackedBox {
    order: OrderNumber,
    number: u32,
    /// The event of the last card in it, or its own.
    until: u64,
}

/// The keys of the body of such an event, as `schema.sql` explains them.
#[derive(Deserialize)]
struct Body {
    order: OrderNumber,
    #[serde(rename = "box")]
    number: u32,
    cards: Option<u32>,
    why: Option<String>,
    last_attempt: Option<AttemptNumber>,
}

impl Body {
    /// The event of the last card in this box, which an event with this number closed when the order had packed so many cards.
    fn last_card(&self, log: &Connection, seq: i64, packed: u64) -> rusqlite::Result<Option<i64>> {
        match self.last_attempt {
            Some(attempt) => end_of(log, attempt),
            // A start closes every box that is full at one time, and what is in none of them is in the open one.
            None if self.why.as_deref() == Some(BoxEnd::Full.word()) => {
                let place = usize::try_from(packed).ok().and_then(|packed| packed.checked_sub(1));
                Ok(counted_before(log, self.order, seq)?.get(place.unwrap_or(usize::MAX)).copied())
            }
            // The last box of an order takes all that is left.
            None => Ok(None),
        }
    }
}

impl LogReader {
    /// Every box that was closed.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub(crate) fn boxes(&self) -> Result<PackedBoxes, LogError> {
        self.within(|log| {
            let mut boxes = Vec::new();
            let mut packed: BTreeMap<OrderNumber, u64> = BTreeMap::new();
            // The cards that tell where these end are in archives.
            let archived: BTreeMap<(OrderNumber, u32), u64> = beginning::missing(log)?
                .map(|record| record.boxes)
                .unwrap_or_default()
                .iter()
                .map(|known| ((known.order, known.number), known.until))
                .collect();
            let mut query = log.prepare("SELECT seq, body FROM event WHERE kind = 'box-closed' AND attempt IS NULL ORDER BY seq")?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                // A body of another making says nothing here.
                let Ok(body) = serde_json::from_str::<Body>(row.get_ref(1)?.as_str()?) else { continue };
                let packed = packed.entry(body.order).or_default();
                *packed = packed.saturating_add(body.cards.unwrap_or(0).into());
                let seq = row.get(0)?;
                let until = match archived.get(&(body.order, body.number)) {
                    Some(until) => *until,
                    None => to_count(body.last_card(log, seq, *packed)?.unwrap_or(seq))?,
                };
                boxes.push(PackedBox { order: body.order, number: body.number, until });
            }
            Ok(PackedBoxes(boxes))
        })
    }
}

fn end_of(log: &Connection, attempt: AttemptNumber) -> rusqlite::Result<Option<i64>> {
    // A number beyond SQLite's integers is no attempt's.
    let Ok(attempt) = i64::try_from(attempt) else { return Ok(None) };
    let mut query = log.prepare_cached("SELECT seq FROM event WHERE attempt = ?1 AND kind = 'attempt-closed'")?;
    query.query_row([attempt], |row| row.get(0)).optional()
}

const ENDS: &str = "SELECT seq, json_extract(body, '$.outcome.word') FROM event INDEXED BY event_order
    WHERE json_extract(body, '$.order') = ?1 AND kind = 'attempt-closed' AND seq < ?2";

const LEFT: &str = "SELECT seq, json_extract(body, '$.card') FROM event INDEXED BY event_leaves_order
    WHERE json_extract(body, '$.leaves_order') = ?1 AND kind = 'attempt-closed' AND seq < ?2";

const CARD: &str = "SELECT json_extract(body, '$.card') FROM event WHERE seq = ?1";

/// The ends of the cards that the station counted in this order just before an event, oldest first. It counts by the same rules in
/// `standing`, where only the number matters: a card that was written to by another program is not counted, nor is one that was written
/// again later.
fn counted_before(log: &Connection, order: OrderNumber, event: i64) -> rusqlite::Result<Vec<i64>> {
    // A number beyond SQLite's integers is no order's.
    let Ok(order) = i64::try_from(order) else { return Ok(Vec::new()) };
    let changed: HashSet<i64> = log.prepare(query::CHANGED)?.query_map([event], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut counted = Vec::new();
    let mut ends = log.prepare(ENDS)?;
    let mut rows = ends.query((order, event))?;
    while let Some(row) = rows.next()? {
        let end = row.get(0)?;
        let outcome = OutcomeWord::from(row.get_ref(1)?.as_str_or_null()?.unwrap_or_default());
        if outcome.is_good() && !changed.contains(&end) {
            counted.push(end);
        }
    }
    counted.sort_unstable();
    let mut query = log.prepare(LEFT)?;
    let rows = query.query_map((order, event), |row| Ok((row.get(0)?, carrier_of(row.get_ref(1)?.as_str_or_null()?))))?;
    let mut left: Vec<(i64, _)> = rows.collect::<rusqlite::Result<_>>()?;
    left.sort_unstable_by_key(|(end, _)| *end);
    for (end, card) in left {
        if let Some(gone) = place_of(log, &counted, end, card.as_ref())? {
            counted.remove(gone);
        }
    }
    Ok(counted)
}

/// The place, among these ends, of the newest one before an event that is of this card. A card that is not found is the oldest: whichever
/// it is, the order counts one card less.
fn place_of(log: &Connection, counted: &[i64], event: i64, card: Option<&Carrier>) -> rusqlite::Result<Option<usize>> {
    let mut query = log.prepare_cached(CARD)?;
    for (place, end) in counted.iter().enumerate().rev().filter(|(_, end)| **end < event) {
        let own = query.query_row([end], |row| Ok(carrier_of(row.get_ref(0)?.as_str_or_null()?)))?;
        if own.zip(card).is_some_and(|(own, card)| own.is_same_card(card)) {
            return Ok(Some(place));
        }
    }
    Ok(counted.first().filter(|end| **end < event).map(|_| 0))
}

fn carrier_of(card: Option<&str>) -> Option<Carrier> {
    serde_json::from_str(card?).ok()
}

/// The queries of this module, for the test that each uses an index.
#[cfg(test)]
pub(super) fn questions() -> [&'static str; 3] {
    [ENDS, LEFT, CARD]
}

impl PackedBoxes {
    /// The number, within its order, of the box that the card of this row is in; nothing for a card that is not good, belongs to no order,
    /// or whose box is still open.
    #[must_use]
    pub(crate) fn of(&self, row: &Row) -> Option<u32> {
        let order = row.order.filter(|_| row.outcome.is_good())?;
        let packed = self.0.iter().find(|packed| packed.order == order && packed.until >= row.seq)?;
        Some(packed.number)
    }

    /// The boxes of these orders that have cards behind this event.
    pub(super) fn behind(&self, seq: u64, orders: &BTreeSet<OrderNumber>) -> Vec<ArchivedBox> {
        let are_behind = self.0.iter().filter(|packed| packed.until > seq && orders.contains(&packed.order));
        are_behind.map(|packed| ArchivedBox { order: packed.order, number: packed.number, until: packed.until }).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ledger::tests::{attempt, open, place, verdict};
    use crate::ledger::{Filter, Ledger};
    use crate::station::card::{Cid, Identity};
    use crate::station::order::{Boxes, Order};
    use crate::station::outcome::{Effort, Failure, Outcome};
    use crate::station::past::{Ended, Past, Rows};
    use crate::station::record::{Attempt, ClosedBox, Entry};
    use crate::station::request::Who;
    use crate::station::testing::{mapped_proof, proof};

    fn order(closed: u32, packed: u32) -> Order {
        let boxes = Some(Boxes { size: 2, closed, packed });
        Order { number: 1, model: "acme/box".to_owned(), name: None, work_order: None, count: 5, passed: packed, boxes }
    }

    /// An attempt with a stick that no other attempt is with.
    fn own(number: AttemptNumber) -> Box<Attempt> {
        let mut attempt = attempt(number);
        attempt.order = Some(1);
        attempt.card.serial = Some(format!("S-{number}"));
        attempt
    }

    fn end(ledger: &mut Ledger, attempt: Box<Attempt>, outcome: Outcome) {
        ledger.append(&Entry::AttemptStarted(attempt.clone())).expect("appended");
        ledger.append(&Entry::AttemptClosed { attempt, outcome, effort: Effort::default() }).expect("appended");
    }

    fn card(ledger: &mut Ledger, number: AttemptNumber, outcome: Outcome) {
        end(ledger, own(number), outcome);
    }

    fn change(ledger: &mut Ledger, number: AttemptNumber) {
        ledger.append(&Entry::AttemptChanged { attempt: own(number), outcome: Outcome::Changed { sectors: 8 } }).expect("appended");
    }

    /// The stick that was written in this attempt is written again in another one.
    fn write_again(ledger: &mut Ledger, before: AttemptNumber, number: AttemptNumber, outcome: Outcome) {
        let mut attempt = own(number);
        (attempt.card.identified, attempt.card.cid) = cid(before);
        let counted = Some(Ended { outcome: OutcomeWord::Passed, image: None, order: Some(1) });
        attempt.past = Past::ByCid(Rows { newest: counted.clone(), good: counted });
        end(ledger, attempt, outcome);
    }

    fn cid(number: AttemptNumber) -> (Identity, Option<Cid>) {
        (Identity::Cid, Some(Cid { raw: format!("{number:032x}"), ..Cid::default() }))
    }

    fn begin(path: &Path) -> Ledger {
        let mut ledger = open(path);
        ledger.append(&Entry::OrderStarted { order: order(0, 0), by: Who { uid: 0, name: "root".to_owned() } }).expect("appended");
        ledger
    }

    /// Each attempt whose row stands, and the box of its card.
    fn found(path: &Path) -> Vec<(AttemptNumber, Option<u32>)> {
        let log = LogReader::open(path).expect("a log");
        let boxes = log.boxes().expect("readable");
        let found = log.attempts(&Filter::default()).map(|row| row.expect("readable")).map(|row| (row.attempt, boxes.of(&row)));
        found.collect()
    }

    /// How many cards the station goes on with in the open box of its order.
    fn open_cards(path: &Path) -> u32 {
        let standing = open(path).standing().expect("readable");
        let order = standing.orders.first().expect("it is open");
        order.passed - order.boxes.expect("they are counted").packed
    }

    fn close(ledger: &mut Ledger, number: u32, cards: u32, last: Option<AttemptNumber>) {
        let closed = ClosedBox { number, cards, why: BoxEnd::Full, last };
        ledger.append(&Entry::BoxClosed { order: order(number, 2 * number), closed }).expect("appended");
    }

    #[test]
    fn each_good_card_of_an_order_is_found_in_its_box_and_an_order_goes_on_with_its_boxes() {
        let (_dir, path) = place();
        let mut ledger = begin(&path);
        card(&mut ledger, 1, Outcome::Passed(proof()));
        card(&mut ledger, 2, Outcome::Failed(Failure::Changed));
        card(&mut ledger, 3, Outcome::Passed(proof()));
        // One more was recorded before the event of the box that it is not in.
        card(&mut ledger, 4, Outcome::Passed(proof()));
        close(&mut ledger, 1, 2, Some(3));
        card(&mut ledger, 5, Outcome::Found(proof()));
        close(&mut ledger, 2, 2, None);
        card(&mut ledger, 6, Outcome::Passed(proof()));
        assert_eq!(found(&path), [(1, Some(1)), (2, None), (3, Some(1)), (4, Some(2)), (5, Some(2)), (6, None)]);
        verdict(&path).expect("the chain holds");
        drop(ledger);
        let standing = open(&path).standing().expect("readable");
        assert_eq!(standing.orders, [Order { passed: 5, ..order(2, 4) }], "two boxes are closed, and one card is in the third");
    }

    #[test]
    fn boxes_that_one_start_closes_hold_as_many_cards_each_as_the_station_counted_in_them() {
        let (_dir, path) = place();
        let mut ledger = begin(&path);
        card(&mut ledger, 1, Outcome::Passed(proof()));
        card(&mut ledger, 2, Outcome::Passed(proof()));
        card(&mut ledger, 3, Outcome::Failed(Failure::Changed));
        card(&mut ledger, 4, Outcome::Passed(proof()));
        card(&mut ledger, 5, Outcome::Rechecked(proof()));
        card(&mut ledger, 6, Outcome::Found(proof()));
        card(&mut ledger, 7, Outcome::Passed(proof()));
        // It was in the open box when it changed.
        change(&mut ledger, 4);
        for number in 8..=10 {
            card(&mut ledger, number, Outcome::PassedMapped(mapped_proof()));
        }
        for number in 1..=3 {
            close(&mut ledger, number, 2, None);
        }
        let (first, second, third) = (Some(1), Some(2), Some(3));
        let expected =
            [(1, first), (2, first), (3, None), (5, None), (6, second), (7, second), (4, None), (8, third), (9, third), (10, None)];
        assert_eq!(found(&path), expected);
        drop(ledger);
        assert_eq!(open_cards(&path), 1, "the station counts the same");
    }

    #[test]
    fn the_last_box_of_an_order_that_a_start_closes_takes_the_cards_that_are_left() {
        let (_dir, path) = place();
        let mut ledger = begin(&path);
        for number in 1..=3 {
            card(&mut ledger, number, Outcome::Passed(proof()));
        }
        close(&mut ledger, 1, 2, None);
        let closed = ClosedBox { number: 2, cards: 1, why: BoxEnd::OrderComplete, last: None };
        ledger.append(&Entry::BoxClosed { order: order(2, 3), closed }).expect("appended");
        assert_eq!(found(&path), [(1, Some(1)), (2, Some(1)), (3, Some(2))]);
    }

    #[test]
    fn a_card_that_was_good_no_more_when_a_start_closed_its_box_takes_no_place_in_it_and_one_that_turns_bad_later_keeps_its_place() {
        let (_dir, path) = place();
        let mut ledger = begin(&path);
        card(&mut ledger, 1, Outcome::Passed(proof()));
        card(&mut ledger, 2, Outcome::Passed(proof()));
        close(&mut ledger, 1, 2, Some(2));
        change(&mut ledger, 2);
        for number in 3..=6 {
            card(&mut ledger, number, Outcome::Passed(proof()));
        }
        // The card that is missing in the first box comes first, and one more than the second box needs is in the third.
        close(&mut ledger, 2, 2, None);
        change(&mut ledger, 4);
        card(&mut ledger, 7, Outcome::Passed(proof()));
        let second = Some(2);
        assert_eq!(found(&path), [(1, Some(1)), (2, None), (3, second), (5, second), (6, None), (4, None), (7, None)]);
        drop(ledger);
        assert_eq!(open_cards(&path), 1, "of the two in no box, one takes the place of the card that turned bad later");
    }

    #[test]
    fn a_card_that_was_written_again_takes_one_place_in_the_boxes_that_a_start_closes() {
        let (_dir, path) = place();
        let mut ledger = begin(&path);
        for number in 1..=4 {
            let mut attempt = own(number);
            (attempt.card.identified, attempt.card.cid) = cid(number);
            end(&mut ledger, attempt, Outcome::Passed(proof()));
        }
        write_again(&mut ledger, 2, 5, Outcome::Failed(Failure::Changed));
        write_again(&mut ledger, 4, 6, Outcome::Passed(proof()));
        close(&mut ledger, 1, 2, None);
        let first = Some(1);
        // The row of the second card stands in the log, and its card is good no more.
        assert_eq!(found(&path), [(1, first), (2, first), (3, first), (4, None), (5, None), (6, None)]);
        drop(ledger);
        assert_eq!(open_cards(&path), 1, "the fourth card is counted once, where it was written again");
    }
}
