//! Writes an entry as the canonical JSON that is hashed and stored. `schema.sql` explains every key.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::station::armed::{Armed, ArmedBy, ModelProof};
use crate::station::card::{Card, Cid};
use crate::station::order::{Order, OrderNumber};
use crate::station::outcome::{CacheFlush, Effort, Outcome, OutcomeWord};
use crate::station::prover::ProvingTime;
use crate::station::record::{Attempt, Entry};
use crate::station::request::{Target, Who};
use crate::station::suspect::{Finding, Suspect};
use crate::station::units::{Bytes, KIB};

use super::clock::Stamp;
use super::version;

/// Key for the place of an attempt's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) seq: i64,
    pub(super) at: i64,
}

/// Key for the place of an attempt's end, and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) seq: i64,
    pub(super) at: i64,
    pub(super) word: Option<String>,
}

/// The body of an entry, without the places of other events: see [`with_places`].
pub(super) fn of_entry(entry: &Entry, stamp: &Stamp, station_name: &str) -> String {
    let facts = match entry {
        Entry::StationStarted { version, volatile } => json!({ "version": version, "volatile": volatile }),
        Entry::LogConfirmed { by } | Entry::RestartAsked { by } => json!({ "by": who(by) }),
        Entry::MaintenanceBegun { by, why } => json!({ "state": "on", "reason": why, "by": who(by) }),
        Entry::MaintenanceEnded { by } => json!({ "state": "off", "reason": null, "by": who(by) }),
        Entry::StationStopped => json!({}),
        Entry::Disarmed { target, by, reason } => with(target_of(target), [("by", who(by)), ("reason", json!(reason))]),
        Entry::Rearmed { target, by } => with(target_of(target), [("by", who(by))]),
        Entry::OrderStarted { order, by } | Entry::OrderStopped { order, by } => with(order_of(order), [("by", who(by))]),
        Entry::BoxClosed { order, closed } => with(
            order_of(order),
            [
                ("box", json!(closed.number)),
                ("cards", json!(closed.cards)),
                ("why", json!(closed.why.word())),
                ("last_attempt", json!(closed.last)),
            ],
        ),
        Entry::ModelArmed { armed, by, first_off } => json!({
            "model": armed.model, "first_off": first_off.word(), "image": image(armed), "uncovered": armed.uncovered, "by": armed_by(by),
        }),
        Entry::Approved { armed, config, card, by } => json!({
            "model": armed.model,
            "image": image(armed),
            "config_blake3": config.to_string(),
            "first_card": { "attempt": card.attempt, "slot": card.slot, "serial": card.serial },
            "by": who(by),
        }),
        // The station did this by itself: an event with a uid is the decision of a person.
        Entry::ModelDistrusted { armed, reason } => json!({
            "slot": null, "model": armed.model, "by": { "uid": null, "user": "the station" }, "reason": reason, "image": image(armed),
        }),
        Entry::StandsOut(finding) => stands_out(finding),
        Entry::VerifierProven { time, proof } => with(
            proving(*time),
            [("direct", json!(proof.direct)), ("planted", json!(proof.planted)), ("took_us", json!(micros(proof.took)))],
        ),
        Entry::VerifierMissed { time, missed } => with(
            proving(*time),
            [
                ("fault", json!(missed.planted.map(|(fault, _)| fault.code()))),
                ("fault_at", json!(missed.planted.map(|(_, at)| at.0))),
                ("reason", json!(missed.what())),
            ],
        ),
        Entry::VerifierUnproven { time, obstacle } => {
            with(proving(*time), [("code", json!(obstacle.code())), ("reason", json!(obstacle.sentence()))])
        }
        Entry::CardReturned { slot, card: returned, times } => json!({ "slot": slot, "card": card(returned), "times": times }),
        // If the station stops before the end, the attempt ends as interrupted: its start names the order in which the card then no longer
        // counts.
        Entry::AttemptStarted(attempt) => facts_of(attempt, attempt.leaves(&OutcomeWord::Interrupted)),
        Entry::AttemptClosed { attempt, outcome, effort } => {
            close(facts_of(attempt, attempt.leaves(&outcome.word())), outcome, Some(effort), None)
        }
        Entry::AttemptChanged { attempt, outcome } => {
            let sectors = if let Outcome::Changed { sectors } = outcome { Some(*sectors) } else { None };
            with(close(facts_of(attempt, None), outcome, None, None), [("closed", Value::Null), ("sectors", json!(sectors))])
        }
    };
    finish(facts, stamp, station_name)
}

/// The body of an entry that ends an attempt, with the place of the attempt's start, and, for a change, of its end.
pub(super) fn with_places(body: &str, start: Option<Start>, closed: Option<Option<Closed>>) -> String {
    let facts = serde_json::from_str(body).unwrap_or(Value::Null);
    let mut facts = with(facts, [("start", json!(start.map(place_of)))]);
    if let Some(closed) = closed {
        let closed = closed.map(|closed| json!({ "seq": closed.seq, "at": closed.at, "word": closed.word }));
        facts = with(facts, [("closed", json!(closed))]);
    }
    canonical(&facts)
}

fn place_of(start: Start) -> Value {
    json!({ "seq": start.seq, "at": start.at })
}

/// The body of a log's first event.
pub(super) fn of_creation(machine: &str, stamp: &Stamp, station_name: &str) -> String {
    finish(json!({ "machine": machine, "confirm": true }), stamp, station_name)
}

/// The body of the event that records archives.
pub(super) fn of_archive(facts: Value, by: &Who, stamp: &Stamp, station_name: &str) -> String {
    finish(with(facts, [("by", who(by))]), stamp, station_name)
}

/// The body of an event by which the log goes from one PC to another.
pub(super) fn of_move(facts: Value, stamp: &Stamp, station_name: &str) -> String {
    finish(facts, stamp, station_name)
}

/// The closing body of an attempt that has only a start. `None` if the start's body is not a JSON object.
pub(super) fn of_interruption(started: &str, stamp: &Stamp, station_name: &str, start: Start) -> Option<String> {
    let facts = serde_json::from_str::<Value>(started).ok().filter(Value::is_object)?;
    Some(finish(close(facts, &Outcome::Interrupted, None, Some(start)), stamp, station_name))
}

fn finish(facts: Value, stamp: &Stamp, station_name: &str) -> String {
    let clock = json!({ "boot": stamp.boot, "since_boot_ms": stamp.since_boot_ms, "synced": stamp.synced });
    canonical(&with(facts, [("clock", clock), ("station_name", json!(station_name))]))
}

fn close(facts: Value, outcome: &Outcome, effort: Option<&Effort>, start: Option<Start>) -> Value {
    let proof = match outcome {
        Outcome::Passed(proof) | Outcome::Found(proof) | Outcome::Rechecked(proof) => {
            json!({ "class": outcome.readback_class(), "blake3": proof.digest().to_string() })
        }
        // No digest: there is none if the card was not read back.
        Outcome::PassedMapped(proof) | Outcome::FoundMapped(proof) | Outcome::RecheckedMapped(proof) => {
            json!({ "class": outcome.readback_class(), "bytes": proof.bytes().0 })
        }
        Outcome::Failed(_)
        | Outcome::Refused(_)
        | Outcome::Pulled(_)
        | Outcome::Interrupted
        | Outcome::Changed { .. }
        | Outcome::StationFault(_) => Value::Null,
    };
    let outcome = json!({
        "word": outcome.word().as_str(),
        "code": outcome.code(),
        "reason": outcome.reason(),
        "at": outcome.at().map(|at| at.0),
        "proof": proof,
    });
    let effort = effort.map(|effort| {
        json!({
            "written": effort.written.0,
            "read": effort.read.0,
            "writing_us": micros(effort.writing),
            "reading_us": micros(effort.reading),
            "total_us": micros(effort.total),
            "slowest_call_us": micros(effort.slowest_call),
            "slowest_call": effort.slowest_was.map(|(act, at)| json!({ "act": act.to_string(), "at": at.0 })),
            "retries": effort.retries,
            "writing_kib_s": rates(&effort.curve.writing),
            "reading_kib_s": rates(&effort.curve.reading),
            "tombstone": effort.tombstone.map(|nonce| nonce.to_string()),
            "found_tombstone": effort.found_tombstone.map(|nonce| nonce.to_string()),
            "head": effort.head.word(),
            "flush": effort.flush.map(CacheFlush::word),
            "writes_at_proof": effort.writes_at_proof,
        })
    });
    let start = start.map(place_of);
    with(facts, [("outcome", outcome), ("effort", json!(effort)), ("start", json!(start))])
}

fn facts_of(attempt: &Attempt, leaves: Option<OrderNumber>) -> Value {
    json!({
        "attempt": attempt.number,
        "slot": attempt.slot,
        "model": attempt.model,
        "image": attempt.image.as_ref().map(image),
        "card": card(&attempt.card),
        "order": attempt.order,
        "leaves_order": leaves,
        "plan": attempt.plan.word(),
        "station_version": version::of_station(),
        "work_order": attempt.labels.work_order,
        "operator": attempt.labels.operator,
        "card_lot": attempt.labels.card_lot,
        "second_try_of": attempt.second_try_of,
    })
}

/// What a proof of the prover has in any case: why it was made, and the program that was to be proven.
fn proving(time: ProvingTime) -> Value {
    json!({ "occasion": time.word(), "station_version": version::of_station() })
}

pub(super) fn who(who: &Who) -> Value {
    json!({ "uid": who.uid, "user": who.name })
}

fn order_of(order: &Order) -> Value {
    json!({
        "order": order.number,
        "model": order.model,
        "name": order.name,
        "work_order": order.work_order,
        "count": order.count,
        "passed": order.passed,
        "box_size": order.boxes.map(|boxes| boxes.size),
    })
}

fn stands_out(finding: &Finding) -> Value {
    let counts = json!({
        "failed": finding.failed,
        "of": finding.of,
        "others_failed": finding.others_failed,
        "others_of": finding.others_of,
    });
    match &finding.suspect {
        Suspect::Slot(slot) => with(counts, [("slot", json!(slot))]),
        other => with(counts, [("what", json!(other.word())), ("name", json!(other.name())), ("card_type", json!(other.card_type()))]),
    }
}

/// One of `slot` and `model` is null.
fn target_of(target: &Target) -> Value {
    match target {
        Target::Slot(slot) => json!({ "slot": slot, "model": null }),
        Target::Model(model) => json!({ "slot": null, "model": model }),
    }
}

fn image(armed: &Armed) -> Value {
    json!({
        "blake3": armed.digest.to_string(),
        "source": armed.source,
        "span": armed.span.0,
        "block": armed.block,
        "model": armed.logged_model(),
        "model_proof": model_proof(&armed.model_proof),
        "zeroes": armed.zeroes.word(),
    })
}

fn model_proof(proof: &ModelProof) -> Value {
    let device = proof.device();
    json!({
        "class": proof.word(),
        "brand": device.map(|device| &device.brand),
        "model": device.map(|device| &device.model),
        "series": device.map(|device| &device.series),
        "revision": device.map(|device| device.revision),
        "sha3_384": device.map(|device| &device.sha3_384),
        "sign_key": device.and_then(|device| device.sign_key.as_ref()),
    })
}

fn armed_by(by: &ArmedBy) -> Value {
    json!({
        "occasion": by.occasion.word(),
        "config": by.config,
        "config_blake3": by.digest.to_string(),
        "config_owner": by.owner.as_ref().map(|owner| &owner.name),
        "config_owner_uid": by.owner.as_ref().map(|owner| owner.uid),
        "config_changed": by.changed,
        "asked_by": by.asked_by.as_ref().map(who),
    })
}

fn card(card: &Card) -> Value {
    json!({
        "port": card.port.0,
        "bus": card.bus.to_string(),
        "vendor": card.vendor,
        "product": card.product,
        "serial": card.serial,
        "wwn": card.wwn,
        "cid": card.cid.as_ref().map(cid),
        "identified": card.identified.word(),
        "capacity": card.capacity.0,
        "block": card.logical_block,
        "diskseq": card.visit.diskseq,
        "devnum": card.visit.devnum.to_string(),
        "kernel_name": card.kernel_name,
        "write_protected": card.write_protected,
        "partitioned": card.partitioned,
    })
}

fn cid(cid: &Cid) -> Value {
    json!({
        "raw": cid.raw,
        "manfid": cid.manfid,
        "oemid": cid.oemid,
        "name": cid.name,
        "serial": cid.serial,
        "date": cid.date,
        "hwrev": cid.hwrev,
        "fwrev": cid.fwrev,
    })
}

/// In whole KiB, so that the row of a fast card stays short, too; `null` for parts that were not measured.
fn rates(rates: &[Option<Bytes>]) -> Option<Vec<Option<u64>>> {
    (!rates.is_empty()).then(|| rates.iter().map(|rate| rate.map(|rate| rate.0 / KIB)).collect())
}

/// Rounded down; a duration of more than half a million years means a bug elsewhere.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn with<const N: usize>(facts: Value, more: [(&str, Value); N]) -> Value {
    let mut facts = match facts {
        Value::Object(facts) => facts,
        _ => Map::new(),
    };
    facts.extend(more.map(|(key, value)| (key.to_owned(), value)));
    Value::Object(facts)
}

/// Sorted here and not by `serde_json`, whose maps use another order as soon as any crate of the build enables that.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_unstable_by_key(|(key, _)| key.as_bytes());
            let members: Vec<_> =
                members.into_iter().map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value))).collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_along_a_card_adds_less_than_a_kibibyte_to_its_row() {
        use crate::station::outcome::{Act, Curve};
        let rates = vec![Some(Bytes(9_999_999_999)); Curve::PARTS];
        let bare = Effort::default();
        let curve = Curve { writing: rates.clone(), reading: rates };
        let full = Effort { slowest_was: Some((Act::Flushing, Bytes(u64::MAX))), curve, ..Effort::default() };
        let length = |effort: &Effort| canonical(&close(json!({}), &Outcome::Interrupted, Some(effort), None)).len();
        assert!(length(&full) - length(&bare) <= 1024, "{} bytes", length(&full) - length(&bare));
    }

    #[test]
    fn canonical_json_has_sorted_keys_and_no_spaces() {
        let value = serde_json::from_str(r#" {"b": [1, {"z": null, "a": "ü\"\n"}], "a": true, "B": {}} "#).expect("JSON");
        assert_eq!(canonical(&value), r#"{"B":{},"a":true,"b":[1,{"a":"ü\"\n","z":null}]}"#);
    }
}
