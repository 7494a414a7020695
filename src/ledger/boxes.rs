//! Boxes that were closed, as reports find the box of a card.

use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;

use super::error::LogError;
use super::reader::{LogReader, to_count};
use super::row::Row;
use crate::station::order::OrderNumber;
use crate::station::record::AttemptNumber;

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
    last_attempt: Option<AttemptNumber>,
}

impl LogReader {
    /// Every box that was closed.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub(crate) fn boxes(&self) -> Result<PackedBoxes, LogError> {
        self.within(|log| {
            let mut boxes = Vec::new();
            let mut query = log.prepare("SELECT seq, body FROM event WHERE kind = 'box-closed' AND attempt IS NULL ORDER BY seq")?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                // A body of another making says nothing here.
                let Ok(body) = serde_json::from_str::<Body>(row.get_ref(1)?.as_str()?) else { continue };
                let last = body.last_attempt.map_or(Ok(None), |attempt| end_of(log, attempt))?;
                let until = to_count(last.unwrap_or(row.get(0)?))?;
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

impl PackedBoxes {
    /// The number, within its order, of the box that the card of this row is in; nothing for a card that is not good, belongs to no order,
    /// or whose box is still open.
    #[must_use]
    pub(crate) fn of(&self, row: &Row) -> Option<u32> {
        let order = row.order.filter(|_| row.outcome.is_good())?;
        let packed = self.0.iter().find(|packed| packed.order == order && packed.until >= row.seq)?;
        Some(packed.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::{attempt, open, place, verdict};
    use crate::ledger::{Filter, Ledger};
    use crate::station::order::{Boxes, Order};
    use crate::station::outcome::{Effort, Failure, Outcome};
    use crate::station::record::{BoxEnd, ClosedBox, Entry};
    use crate::station::request::Who;
    use crate::station::testing::proof;

    fn order(closed: u32, packed: u32) -> Order {
        let boxes = Some(Boxes { size: 2, closed, packed });
        Order { number: 1, model: "acme/box".to_owned(), name: None, work_order: None, count: 5, passed: packed, boxes }
    }

    fn card(ledger: &mut Ledger, number: AttemptNumber, outcome: Outcome) {
        let mut attempt = attempt(number);
        attempt.order = Some(1);
        ledger.append(&Entry::AttemptStarted(attempt.clone())).expect("appended");
        ledger.append(&Entry::AttemptClosed { attempt, outcome, effort: Effort::default() }).expect("appended");
    }

    fn close(ledger: &mut Ledger, number: u32, cards: u32, last: Option<AttemptNumber>) {
        let closed = ClosedBox { number, cards, why: BoxEnd::Full, last };
        ledger.append(&Entry::BoxClosed { order: order(number, 2 * number), closed }).expect("appended");
    }

    #[test]
    fn each_good_card_of_an_order_is_found_in_its_box_and_an_order_goes_on_with_its_boxes() {
        let (_dir, path) = place();
        let mut ledger = open(&path);
        ledger.append(&Entry::OrderStarted { order: order(0, 0), by: Who { uid: 0, name: "root".to_owned() } }).expect("appended");
        card(&mut ledger, 1, Outcome::Passed(proof()));
        card(&mut ledger, 2, Outcome::Failed(Failure::Changed));
        card(&mut ledger, 3, Outcome::Passed(proof()));
        // One more was recorded before the event of the box that it is not in.
        card(&mut ledger, 4, Outcome::Passed(proof()));
        close(&mut ledger, 1, 2, Some(3));
        card(&mut ledger, 5, Outcome::Found(proof()));
        close(&mut ledger, 2, 2, None);
        card(&mut ledger, 6, Outcome::Passed(proof()));
        let log = LogReader::open(&path).expect("a log");
        let boxes = log.boxes().expect("readable");
        let found: Vec<_> = log.attempts(&Filter::default()).map(|row| boxes.of(&row.expect("readable"))).collect();
        assert_eq!(found, [Some(1), None, Some(1), Some(2), Some(2), None]);
        verdict(&path).expect("the chain holds");
        drop(ledger);
        let standing = open(&path).standing().expect("readable");
        assert_eq!(standing.orders, [Order { passed: 5, ..order(2, 4) }], "two boxes are closed, and one card is in the third");
    }
}
