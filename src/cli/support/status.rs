//! What the running station shows, without what people wrote: names and reasons of orders, reasons of disarming, names of users.

use serde_json::{Value, json};

use super::context::{Context, Made};
use crate::config::DEFAULT_SOCKET;
use crate::control::client::Client;
use crate::control::wire::{self, OrderStatus, SlotStatus, Status, SuspectStatus};
use crate::station::outcome::Digest;
use crate::station::reason::REASONS;

pub(super) fn status(context: &Context) -> Made {
    let socket = context.good_settings().map_or_else(|| DEFAULT_SOCKET.into(), |settings| settings.socket.clone());
    match Client::connect(&context.source.place(&socket)).and_then(|mut client| client.status()) {
        Ok(status) => Made::json(&shown(context, &status), Vec::new()),
        Err(error) => Made::json(&json!({"runs": false}), vec![format!("the station: {}", context.error(&error))]),
    }
}

fn shown(context: &Context, status: &Status) -> Value {
    let own = |text: &str| context.own(text);
    let models: Vec<Value> = status
        .models
        .iter()
        .map(|model| {
            let image = model.image.as_ref().map(|image| {
                json!({"source": own(&image.source), "digest": digest(&image.digest), "span": image.span, "model_proof": own_code(&image.model_proof)})
            });
            json!({
                "name": own(&model.name), "device": own(&model.device), "image": image, "order": model.order.as_ref().map(order),
                "first_card": model.first_card.as_ref().and_then(|first| own_code(&first.state)),
            })
        })
        .collect();
    json!({
        "runs": true,
        "call": own_code(&status.call),
        "fault": status.fault.as_deref().map(own),
        "faults": status.faults.iter().map(|fault| own(fault)).collect::<Vec<_>>(),
        "restrictions": status.restrictions.iter().map(|restriction| own_code(&restriction.code)).collect::<Vec<_>>(),
        "today": {"passed": status.today.passed, "failed": status.today.failed},
        "log": status.log.iter().filter_map(|word| own_code(word)).collect::<Vec<_>>(),
        "exposed": status.exposed.iter().map(|slot| own(slot)).collect::<Vec<_>>(),
        "restarts": status.restart.is_some(),
        "maintenance": status.maintenance.is_some(),
        "suspects": status.suspects.iter().map(|suspect| suspected(context, suspect)).collect::<Vec<_>>(),
        "models": models,
        "slots": status.slots.iter().map(|slot| self::slot(context, slot)).collect::<Vec<_>>(),
    })
}

fn suspected(context: &Context, suspect: &SuspectStatus) -> Value {
    json!({
        "what": own_code(&suspect.what), "name": context.own(&suspect.name), "failed": suspect.failed, "of": suspect.of,
        "others_failed": suspect.others_failed, "others_of": suspect.others_of,
    })
}

fn order(order: &OrderStatus) -> Value {
    json!({"number": order.number, "count": order.count, "passed": order.passed, "under_way": order.under_way, "box": order.open_box})
}

fn slot(context: &Context, slot: &SlotStatus) -> Value {
    let reason = slot.reason.as_ref().map(|reason| {
        let facts: serde_json::Map<String, Value> =
            reason.facts.iter().filter_map(number).map(|(name, value)| (name.to_owned(), value)).collect();
        json!({"code": code(&reason.code), "facts": facts})
    });
    json!({
        "slot": context.own(&slot.slot),
        "model": context.own(&slot.model),
        "sign": own_code(&slot.sign),
        "call": own_code(&slot.call),
        "reason": reason,
        "todo": own_code(&slot.todo.code),
        "attempt": slot.attempt,
        "diskseq": slot.diskseq,
        "progress": slot.progress,
        "returns": slot.returns,
    })
}

/// A fact that is a number; a text may be a path with a label.
fn number((name, value): &(String, wire::Value)) -> Option<(&str, Value)> {
    match value {
        wire::Value::Text(_) => None,
        number => Some((own_code(name)?, json!(number))),
    }
}

/// The code of a reason that this program knows.
pub(super) fn code(code: &str) -> &str {
    REASONS.iter().find(|(known, _)| *known == code).map_or("unknown", |(known, _)| known)
}

/// A word of the protocol: small letters and dashes.
fn own_code(word: &str) -> Option<&str> {
    (word.len() <= 40 && word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')).then_some(word)
}

/// A BLAKE3 digest in hexadecimal, or nothing.
pub(super) fn digest(text: &str) -> Option<&str> {
    Digest::parse(text).map(|_digest| text)
}
