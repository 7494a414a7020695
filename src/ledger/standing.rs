//! What the log says still holds: orders that were not stopped, and what somebody took out of work.

use rusqlite::Connection;
use serde::Deserialize;

use super::Ledger;
use super::error::{Doing, LogError};
use crate::station::command::{Target, Who};
use crate::station::order::Order;
use crate::station::outcome::OutcomeWord;
use crate::station::standing::{Halt, LogNote, Standing};

impl Ledger {
    /// What was asked of the station in earlier runs and still holds, with every order counted anew from its cards.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn standing(&self) -> Result<Standing, LogError> {
        read(&self.connection).map_err(|error| LogError::sqlite(Doing::Reading, &self.path, error))
    }
}

/// The keys of the bodies of these events, as `schema.sql` explains them.
#[derive(Deserialize)]
struct Body {
    slot: Option<String>,
    model: Option<String>,
    reason: Option<String>,
    order: Option<u64>,
    name: Option<String>,
    work_order: Option<String>,
    count: Option<u32>,
    by: By,
}

#[derive(Deserialize)]
struct By {
    uid: u32,
    user: String,
}

const BEGUN: &str = "SELECT EXISTS (SELECT 1 FROM event WHERE seq = 1 AND json_extract(body, '$.confirm'))
    AND NOT EXISTS (SELECT 1 FROM event WHERE kind = 'log-confirmed' AND attempt IS NULL)";

fn read(log: &Connection) -> rusqlite::Result<Standing> {
    let mut standing = Standing::default();
    let mut query = log.prepare(
        "SELECT kind, body FROM event
         WHERE kind IN ('disarmed', 'rearmed', 'order-started', 'order-stopped') AND attempt IS NULL ORDER BY seq",
    )?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        // A body of another making is not ours to act on; `log verify` names it.
        let Ok(body) = serde_json::from_str::<Body>(row.get_ref(1)?.as_str()?) else { continue };
        take(&mut standing, row.get_ref(0)?.as_str()?, body);
    }
    // Logs of older programs ask for no confirmation.
    let begun = log.query_row(BEGUN, [], |row| row.get::<_, bool>(0))?;
    standing.log.extend(begun.then_some(LogNote::Begun));
    for order in &mut standing.orders {
        let number = i64::try_from(order.number).unwrap_or(i64::MAX);
        let good = count(log, COUNTED, number, OutcomeWord::is_good)?;
        // Those that were written to by somebody else before they were taken out are good no more.
        let changed = count(log, CHANGED, number, OutcomeWord::is_good)?;
        order.passed = good.saturating_sub(changed).saturating_sub(count(log, LEFT, number, |_| true)?);
    }
    Ok(standing)
}

/// Attempts that took a place in an order, by their outcome.
const COUNTED: &str = "SELECT json_extract(body, '$.outcome.word'), count(*) FROM event INDEXED BY event_order
    WHERE json_extract(body, '$.order') IS NOT NULL AND json_extract(body, '$.order') = ?1 AND kind = 'attempt-closed' GROUP BY 1";

/// Attempts after which a card counts in an order no more: it was written again, and is good in another place, or is not good.
const LEFT: &str = "SELECT json_extract(body, '$.outcome.word'), count(*) FROM event INDEXED BY event_leaves_order
    WHERE json_extract(body, '$.leaves_order') IS NOT NULL AND json_extract(body, '$.leaves_order') = ?1 AND kind = 'attempt-closed'
    GROUP BY 1";

/// Cards of an order that were written to after their proof, by what they were before.
const CHANGED: &str = "SELECT json_extract(body, '$.closed.word'), count(*) FROM event INDEXED BY event_changed
    WHERE kind = 'attempt-changed' AND json_extract(body, '$.closed.seq') >= 0 AND json_extract(body, '$.order') = ?1 GROUP BY 1";

fn count(log: &Connection, question: &str, order: i64, counts: impl Fn(&OutcomeWord) -> bool) -> rusqlite::Result<u32> {
    let mut query = log.prepare(question)?;
    let mut groups = query.query([order])?;
    let mut sum = 0_u32;
    while let Some(group) = groups.next()? {
        if counts(&OutcomeWord::from(group.get_ref(0)?.as_str_or_null()?.unwrap_or_default())) {
            sum = sum.saturating_add(group.get(1)?);
        }
    }
    Ok(sum)
}

fn take(standing: &mut Standing, kind: &str, body: Body) {
    let target = || match (&body.slot, &body.model) {
        (Some(slot), _) => Some(Target::Slot(slot.clone())),
        (None, Some(model)) => Some(Target::Model(model.clone())),
        (None, None) => None,
    };
    match (kind, target(), body.order) {
        ("disarmed", Some(target), _) => {
            standing.halts.retain(|halt| halt.target != target);
            standing.halts.push(Halt { target, by: Who { uid: body.by.uid, name: body.by.user }, reason: body.reason });
        }
        ("rearmed", Some(target), _) => standing.halts.retain(|halt| halt.target != target),
        ("order-started", Some(Target::Model(model)), Some(number)) => {
            standing.orders_ever = standing.orders_ever.max(number);
            standing.orders.retain(|order| order.model != model);
            standing.orders.push(Order {
                number,
                model,
                name: body.name,
                work_order: body.work_order,
                count: body.count.unwrap_or(0),
                passed: 0,
            });
        }
        ("order-stopped", _, Some(number)) => standing.orders.retain(|order| order.number != number),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::outcome::{Effort, Outcome};
    use crate::station::past::Past;
    use crate::station::record::{Attempt, Entry, Plan};
    use crate::station::testing::{card, image, proof};

    #[test]
    fn what_was_asked_of_a_station_holds_over_its_restarts() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("flash-log.db");
        let open = || Ledger::open_on(&path, "bench", "0123456789abcdef0123456789abcdef").expect("a log");
        let by = Who { uid: 1000, name: "ann".to_owned() };
        let (slot, model) = (Target::Slot("A1".to_owned()), Target::Model("acme/box".to_owned()));
        let order = |number, model: &str| Order {
            number,
            model: model.to_owned(),
            name: None,
            work_order: (number == 1).then(|| "WO-1".to_owned()),
            count: 20,
            passed: 0,
        };
        let mut ledger = open();
        assert_eq!(ledger.standing().expect("it can be read"), Standing { log: vec![LogNote::Begun], ..Standing::default() });
        for entry in [
            Entry::Disarmed { target: slot.clone(), by: by.clone(), reason: Some("bent contacts".to_owned()) },
            Entry::Disarmed { target: model.clone(), by: by.clone(), reason: None },
            Entry::Rearmed { target: model, by: by.clone() },
            Entry::OrderStarted { order: order(1, "acme/box"), by: by.clone() },
            Entry::OrderStarted { order: order(2, "acme/bag"), by: by.clone() },
            Entry::OrderStopped { order: order(2, "acme/bag"), by: by.clone() },
        ] {
            ledger.append(&entry).expect("appended");
        }
        for (number, outcome) in [(1, Outcome::Passed(proof())), (2, Outcome::Interrupted), (3, Outcome::Rechecked(proof()))] {
            let attempt = Box::new(Attempt {
                number,
                slot: "A1".to_owned(),
                model: "acme/box".to_owned(),
                image: Some(image()),
                card: card("p1", number),
                plan: Plan::Write,
                order: Some(1),
                past: Past::Unknown,
                labels: crate::station::labels::Labels::default(),
            });
            ledger.append(&Entry::AttemptStarted(attempt.clone())).expect("appended");
            ledger.append(&Entry::AttemptClosed { attempt, outcome, effort: Effort::default() }).expect("appended");
        }
        drop(ledger);
        let standing = open().standing().expect("it can be read");
        assert_eq!(standing.halts, [Halt { target: slot, by, reason: Some("bent contacts".to_owned()) }]);
        assert_eq!(standing.orders, [Order { passed: 1, ..order(1, "acme/box") }], "only the card that passed is counted");
        assert_eq!(standing.orders_ever, 2, "no number is given twice");
    }
}
