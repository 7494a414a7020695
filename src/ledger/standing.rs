//! Reads the requests that still hold from the log: orders that were not stopped, slots and models that are disarmed, and approvals.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;

use super::Ledger;
use super::draft::CHANGED;
use super::error::{Doing, LogError};
use super::findings::{QUARANTINED, SUSPECTED, finding_of};
use super::first_off;
use super::reader::LogReader;
use crate::station::order::{Boxes, Order};
use crate::station::outcome::OutcomeWord;
use crate::station::request::{Target, Who};
use crate::station::standing::{Disarming, LogNote, Maintenance, Standing};

impl LogReader {
    /// The maintenance that nobody has ended: the user who began it, and why.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn maintenance(&self) -> Result<Option<Maintenance>, LogError> {
        let newest = "SELECT body FROM event WHERE kind = 'maintenance' AND attempt IS NULL ORDER BY seq DESC LIMIT 1";
        let body: Option<String> = self.within(|log| log.query_row(newest, [], |row| row.get(0)).optional())?;
        Ok(body.and_then(|body| serde_json::from_str::<Body>(&body).ok()).and_then(Body::maintenance))
    }
}

impl Ledger {
    /// The requests of earlier runs that still hold, with every order counted anew from its cards.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn standing(&self) -> Result<Standing, LogError> {
        read(&self.connection).map_err(|error| LogError::sqlite(Doing::Reading, &self.path, error))
    }
}

/// A model whose image the station itself took out of work, for example because its staged copy is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Distrusted {
    /// The model, as slots name it.
    pub model: String,
    /// Why, in the words of the station at that time.
    pub reason: String,
}

impl LogReader {
    /// The requests that still hold, as [`Ledger::standing`].
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn standing(&self) -> Result<Standing, LogError> {
        self.within(read)
    }

    /// The models that the station took out of work, and that were not armed since; each once, with the newest reason.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn distrusted(&self) -> Result<Vec<Distrusted>, LogError> {
        self.within(|log| {
            let mut query = log.prepare(DISTRUSTED)?;
            let rows = query.query_map([], |row| Ok(Distrusted { model: row.get(0)?, reason: row.get(1)? }))?;
            let mut models: Vec<Distrusted> = Vec::new();
            for model in rows {
                let model = model?;
                models.retain(|earlier| earlier.model != model.model);
                models.push(model);
            }
            Ok(models)
        })
    }
}

/// The station is no user: it has no uid. A model is compared by the name that slots use: several models may be the same device or have the
/// same image. Older programs left out that name when they armed, and the model was named as the device.
const DISTRUSTED: &str = "SELECT coalesce(json_extract(body, '$.model'), ''), coalesce(json_extract(body, '$.reason'), '')
    FROM event AS distrusted
    WHERE kind = 'disarmed' AND attempt IS NULL AND json_extract(body, '$.by.uid') IS NULL
      AND NOT EXISTS (SELECT 1 FROM event AS armed
                      WHERE armed.kind = 'model-armed' AND armed.attempt IS NULL AND armed.seq > distrusted.seq
                        AND coalesce(json_extract(armed.body, '$.model') = json_extract(distrusted.body, '$.model'),
                                     json_extract(armed.body, '$.image.model') = json_extract(distrusted.body, '$.image.model')))
    ORDER BY seq";

/// The keys of the bodies of these events, as `schema.sql` explains them.
#[derive(Deserialize)]
struct Body {
    slot: Option<String>,
    model: Option<String>,
    reason: Option<String>,
    state: Option<String>,
    order: Option<u64>,
    name: Option<String>,
    work_order: Option<String>,
    count: Option<u32>,
    box_size: Option<u32>,
    #[serde(rename = "box")]
    box_number: Option<u32>,
    cards: Option<u32>,
    /// No user closes a box: the station does.
    by: Option<By>,
}

#[derive(Deserialize)]
struct By {
    uid: u32,
    user: String,
}

impl Body {
    /// The maintenance that an event of that kind begins; `None` if it ends one.
    fn maintenance(self) -> Option<Maintenance> {
        let (by, why) = self.by.zip(self.reason).filter(|_| self.state.as_deref() == Some("on"))?;
        Some(Maintenance { by: Who { uid: by.uid, name: by.user }, why })
    }
}

/// The kind of the event that records a closed box.
const BOX_CLOSED: &str = "box-closed";

/// The kind of the event that begins or ends a maintenance.
const MAINTENANCE: &str = "maintenance";

const BEGUN: &str = "SELECT EXISTS (SELECT 1 FROM event WHERE seq = 1 AND json_extract(body, '$.confirm'))
    AND NOT EXISTS (SELECT 1 FROM event WHERE kind = 'log-confirmed' AND attempt IS NULL)";

fn read(log: &Connection) -> rusqlite::Result<Standing> {
    let mut standing = Standing::default();
    let mut query = log.prepare(
        "SELECT kind, body, seq FROM event
         WHERE kind IN ('disarmed', 'rearmed', 'order-started', 'order-stopped', 'box-closed', 'maintenance', 'quarantined', 'suspected')
           AND attempt IS NULL
         ORDER BY seq",
    )?;
    let mut rows = query.query([])?;
    let mut begun_at: BTreeMap<u64, i64> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (kind, text) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
        if let QUARANTINED | SUSPECTED = kind {
            stand_out(&mut standing, kind, text);
            continue;
        }
        // The station does not act on a body of another form; `log verify` names it.
        let Ok(body) = serde_json::from_str::<Body>(text) else { continue };
        if let Some(number) = body.order {
            begun_at.entry(number).or_insert(row.get(2)?);
        }
        take(&mut standing, kind, body);
    }
    // Logs of older programs need no confirmation.
    let begun = log.query_row(BEGUN, [], |row| row.get::<_, bool>(0))?;
    standing.log.extend(begun.then_some(LogNote::Begun));
    count_passed(log, &mut standing.orders, &begun_at)?;
    standing.first_offs = first_off::read(log)?;
    Ok(standing)
}

/// The ends of attempts after an event, and the changes of their cards, without an index: every start of a station counts its open orders
/// anew, and a false count would last for the life of the order. The events since an order began are those of a few weeks at most.
const ENDS: &str = "SELECT
        kind,
        json_extract(body, '$.order'),
        json_extract(body, '$.leaves_order'),
        json_extract(body, iif(kind = 'attempt-changed', '$.closed.word', '$.outcome.word'))
    FROM event NOT INDEXED
    WHERE seq > ?1 AND kind IN ('attempt-closed', 'attempt-changed')";

/// Counts the good cards of these orders. A card that took a place in one no longer counts if another program wrote to it before it was
/// taken out. A card that was written again has left its place: it is good in another place, or not good.
fn count_passed(log: &Connection, orders: &mut [Order], begun_at: &BTreeMap<u64, i64>) -> rusqlite::Result<()> {
    let Some(first) = orders.iter().filter_map(|order| begun_at.get(&order.number)).min() else { return Ok(()) };
    let mut counted: BTreeMap<u64, (u32, u32)> = orders.iter().map(|order| (order.number, (0, 0))).collect();
    let mut query = log.prepare(ENDS)?;
    let mut ends = query.query([first])?;
    while let Some(end) = ends.next()? {
        let order = |column| Ok::<_, rusqlite::Error>(end.get_ref(column)?.as_i64_or_null()?.and_then(|number| u64::try_from(number).ok()));
        let is_change = end.get_ref(0)?.as_str()? == CHANGED;
        let is_good = OutcomeWord::from(end.get_ref(3)?.as_str_or_null()?.unwrap_or_default()).is_good();
        if let Some((good, gone)) = order(1)?.and_then(|order| counted.get_mut(&order)).filter(|_| is_good) {
            let count = if is_change { gone } else { good };
            *count = count.saturating_add(1);
        }
        if let Some((_, gone)) = order(2)?.and_then(|order| counted.get_mut(&order)).filter(|_| !is_change) {
            *gone = gone.saturating_add(1);
        }
    }
    for order in orders {
        let (good, gone) = counted.get(&order.number).copied().unwrap_or_default();
        order.passed = good.saturating_sub(gone);
    }
    Ok(())
}

fn stand_out(standing: &mut Standing, kind: &str, body: &str) {
    let Some(finding) = finding_of(body) else { return };
    let list = if kind == QUARANTINED { &mut standing.quarantines } else { &mut standing.suspects };
    list.retain(|known| known.suspect != finding.suspect);
    list.push(finding);
}

fn take(standing: &mut Standing, kind: &str, body: Body) {
    if kind == BOX_CLOSED {
        return close_box(standing, &body);
    }
    if kind == MAINTENANCE {
        standing.maintenance = body.maintenance();
        return;
    }
    let Some(by) = body.by else { return };
    let target = || match (&body.slot, &body.model) {
        (Some(slot), _) => Some(Target::Slot(slot.clone())),
        (None, Some(model)) => Some(Target::Model(model.clone())),
        (None, None) => None,
    };
    match (kind, target(), body.order) {
        ("disarmed", Some(target), _) => {
            standing.disarmings.retain(|disarming| disarming.target != target);
            standing.disarmings.push(Disarming { target, by: Who { uid: by.uid, name: by.user }, reason: body.reason });
        }
        ("rearmed", Some(target), _) => {
            standing.disarmings.retain(|disarming| disarming.target != target);
            if let Target::Slot(slot) = &target {
                standing.quarantines.retain(|finding| finding.suspect.name() != slot);
            }
        }
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
                boxes: Boxes::of_size(body.box_size),
            });
        }
        ("order-stopped", _, Some(number)) => standing.orders.retain(|order| order.number != number),
        _ => {}
    }
}

fn close_box(standing: &mut Standing, body: &Body) {
    let order = standing.orders.iter_mut().find(|order| Some(order.number) == body.order);
    if let Some((boxes, (number, cards))) = order.and_then(|order| order.boxes.as_mut()).zip(body.box_number.zip(body.cards)) {
        boxes.closed = boxes.closed.max(number);
        boxes.packed = boxes.packed.saturating_add(cards);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::armed::{Armed, DeviceModel, ModelProof};
    use crate::station::first_off::FirstOffRule;
    use crate::station::outcome::{Effort, Outcome};
    use crate::station::record::{Attempt, Entry};
    use crate::station::testing::{armed_by, attempt, card, image, proof};

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
            boxes: (number == 1).then_some(Boxes { size: 50, closed: 0, packed: 0 }),
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
            let attempt = Box::new(Attempt { order: Some(1), ..attempt(number, "A1", card("p1", number)) });
            ledger.append(&Entry::AttemptStarted(attempt.clone())).expect("appended");
            ledger.append(&Entry::AttemptClosed { attempt, outcome, effort: Effort::default() }).expect("appended");
        }
        drop(ledger);
        let standing = open().standing().expect("it can be read");
        assert_eq!(
            LogReader::open(&path).and_then(|reader| reader.standing()).expect("it can be read"),
            standing,
            "any reader has the same"
        );
        assert_eq!(standing.disarmings, [Disarming { target: slot, by, reason: Some("bent contacts".to_owned()) }]);
        assert_eq!(standing.orders, [Order { passed: 1, ..order(1, "acme/box") }], "only the card that passed is counted");
        assert_eq!(standing.orders_ever, 2, "no number is given twice");
        // Through an index with a changed page it would not be counted.
        super::super::index_check::cases::change_a_page_of(&path, "event_order", b"passed", b"failed");
        assert_eq!(open().standing().expect("it can be read").orders[0].passed, 1, "it is counted from the events");
    }

    #[test]
    fn a_model_that_the_station_took_out_of_work_is_told_until_it_is_armed_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("flash-log.db");
        let mut ledger = Ledger::open_on(&path, "bench", "0123456789abcdef0123456789abcdef").expect("a log");
        let armed = image();
        let other = Armed { model: "acme/bag".to_owned(), ..image() };
        let distrust = |armed: &Armed, reason: &str| Entry::ModelDistrusted { armed: armed.clone(), reason: reason.to_owned() };
        let arm = |armed: &Armed| Entry::ModelArmed { armed: armed.clone(), by: armed_by(), first_off: FirstOffRule::Off };
        let told = || {
            let models = LogReader::open(&path).and_then(|reader| reader.distrusted()).expect("it can be read");
            models.into_iter().map(|model| format!("{}: {}", model.model, model.reason)).collect::<Vec<_>>()
        };
        for entry in [arm(&armed), arm(&other), distrust(&armed, "damaged"), distrust(&other, "gone"), distrust(&armed, "damaged again")] {
            ledger.append(&entry).expect("appended");
        }
        assert_eq!(told(), ["acme/bag: gone", "acme/box: damaged again"]);
        ledger.append(&arm(&armed)).expect("appended");
        assert_eq!(told(), ["acme/bag: gone"]);
    }

    #[test]
    fn a_model_that_the_station_took_out_of_work_is_told_also_when_another_model_of_the_same_device_is_armed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("flash-log.db");
        let mut ledger = Ledger::open_on(&path, "bench", "0123456789abcdef0123456789abcdef").expect("a log");
        let device = DeviceModel {
            brand: "acme".to_owned(),
            model: "box".to_owned(),
            series: "16".to_owned(),
            revision: 1,
            sha3_384: "ab".repeat(48),
            sign_key: None,
        };
        let of = |model: &str| Armed { model: model.to_owned(), model_proof: ModelProof::Matching(device.clone()), ..image() };
        let arm = |model: &str| Entry::ModelArmed { armed: of(model), by: armed_by(), first_off: FirstOffRule::Off };
        let distrust = Entry::ModelDistrusted { armed: of("box-old"), reason: "damaged".to_owned() };
        let told = || {
            let models = LogReader::open(&path).and_then(|reader| reader.distrusted()).expect("it can be read");
            models.into_iter().map(|model| model.model).collect::<Vec<_>>()
        };
        for entry in [arm("box-old"), distrust, arm("box-new")] {
            ledger.append(&entry).expect("appended");
        }
        assert_eq!(told(), ["box-old"], "both are acme/box inside, and only the other one was armed");
        ledger.append(&arm("box-old")).expect("appended");
        assert_eq!(told(), [""; 0]);
    }
}
