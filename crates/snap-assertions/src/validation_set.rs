//! Assertions of the type validation-set: which snaps and revisions belong together. A model may demand that one is enforced.
//!
//! The station makes no decision with them. Their rules are checked because snapd rejects a seed with one that breaks them (snapd:
//! asserts/validation_set.go).

use std::collections::BTreeSet;

use super::headers::{Reading, SNAP_ID, SNAP_NAME, is_account_id, is_model_name, is_snap_id, is_snap_name};
use super::text::{Headers, Value, is_decimal, number};

/// Whether a snap must be there, may be, or must not.
const PRESENCES: [&str; 3] = ["required", "optional", "invalid"];

pub(super) fn check(reading: &mut Reading<'_>) {
    let series = |text: &str| !text.contains('/');
    let _checked = reading.required_as("series", series, "a series, as 16");
    let account = reading.required_as("account-id", is_account_id, "an account id");
    let authority = reading.text("authority-id");
    if account.is_some() && account != authority {
        reading.problem("account-id", "must be `authority-id`: only the account itself signs its sets");
    }
    let _checked = reading.required_as("name", is_model_name, "a name (lower-case letters and digits, with single dashes inside)");
    if reading.required_number("sequence") == Some(0) {
        reading.problem("sequence", "is 0, and sets are counted from 1");
    }
    let _checked = reading.time("timestamp");
    match reading.value("snaps") {
        None => reading.problem("snaps", "is missing"),
        Some(Value::List(entries)) => {
            let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
            for entry in entries {
                if let Err(sentence) = snap(entry, &mut names, &mut ids) {
                    reading.problem("snaps", sentence);
                }
            }
        }
        Some(_) => reading.problem("snaps", "must be a list of maps"),
    }
}

fn snap<'a>(entry: &'a Value, names: &mut BTreeSet<&'a str>, ids: &mut BTreeSet<&'a str>) -> Result<(), String> {
    let Value::Map(map) = entry else { return Err("must be a list of maps".to_owned()) };
    let text = |key: &str| map.get(key).and_then(Value::as_text).unwrap_or_default();
    let (name, id) = (text("name"), text("id"));
    if !is_snap_name(name) {
        return Err(format!("has a snap whose `name` is not {SNAP_NAME}"));
    }
    if !is_snap_id(id) {
        return Err(format!("has the snap {name} with an `id` that is not {SNAP_ID}"));
    }
    if !names.insert(name) || !ids.insert(id) {
        return Err(format!("has the snap {name}, or its id, twice"));
    }
    let (_, revision) = presence_and_revision(map, name, false)?;
    match map.get("components") {
        None => Ok(()),
        Some(Value::Map(components)) => components.iter().try_for_each(|(component, value)| {
            let what = format!("{name}+{component}");
            if !is_snap_name(component) {
                return Err(format!("has the component {what}, whose name is not {SNAP_NAME}"));
            }
            let short = Headers::from([("presence".to_owned(), value.clone())]);
            let map = match value {
                Value::Map(map) => map,
                Value::Text(_) => &short,
                Value::List(_) => return Err(format!("has the component {what}, which is neither a text nor a map")),
            };
            let (of_component, own) = presence_and_revision(map, &what, true)?;
            if revision.is_none() && own.is_some() || revision.is_some() && own.is_none() && of_component != "invalid" {
                return Err(format!("has the component {what}, and only one of it and its snap has a revision"));
            }
            Ok(())
        }),
        Some(_) => Err(format!("has the snap {name}, whose `components` are no map")),
    }
}

fn presence_and_revision<'a>(map: &'a Headers, what: &str, must_be_said: bool) -> Result<(&'a str, Option<u64>), String> {
    let presence = match map.get("presence") {
        None if must_be_said => return Err(format!("has {what} without a `presence`")),
        None => "required",
        Some(value) => value
            .as_text()
            .filter(|text| text.is_empty() || PRESENCES.contains(text))
            .ok_or_else(|| format!("has {what}, whose `presence` is none of {}", PRESENCES.join(", ")))?,
    };
    let revision = match map.get("revision") {
        None => None,
        Some(value) => Some(
            value
                .as_text()
                .filter(|text| is_decimal(text))
                .and_then(number)
                .filter(|revision| *revision > 0)
                .ok_or_else(|| format!("has {what}, whose `revision` is no number from 1 on"))?,
        ),
    };
    if revision.is_some() && presence == "invalid" {
        return Err(format!("has {what}, which is `invalid` and has a revision"));
    }
    Ok((presence, revision))
}
