//! The form of a model that is given to the signing tool: one JSON object of headers. It proves nothing, because it is not signed. It is
//! read so that mistakes are found before signing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::headers::Findings;
use super::text::{Headers, MAX_HEADERS, Value, cited, is_header_name};

/// The limit of the headers, doubled for JSON's own characters.
const MAX_JSON: usize = 2 * MAX_HEADERS;

/// Does this look like the form given to the signing tool, and not like an assertion?
#[must_use]
pub fn is_json(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// JSON with the duplicate keys that a map would drop.
enum Json {
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
    /// A scalar that is not a text, as it is written.
    Scalar(String),
}

impl Json {
    /// A value of this kind cannot be signed.
    fn is_empty(&self) -> bool {
        match self {
            Self::Text(_) | Self::Scalar(_) => false,
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
        }
    }
}

fn unreadable(place: &str) -> String {
    format!("has nothing in `{}`: the signing tool would sign text that cannot be read; remove it", cited(place))
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyJson;
        impl<'de> Visitor<'de> for AnyJson {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Json, E> {
                Ok(Json::Text(text.to_owned()))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Scalar(value.to_string()))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Scalar(value.to_string()))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Scalar(value.to_string()))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Json, E> {
                Ok(Json::Scalar(value.to_string()))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Json, E> {
                Ok(Json::Scalar("null".to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Json::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = access.next_entry()? {
                    entries.push(entry);
                }
                Ok(Json::Map(entries))
            }
        }
        deserializer.deserialize_any(AnyJson)
    }
}

/// The headers as they would be signed, and the problems that prevent signing.
///
/// # Errors
/// If it is not one JSON object.
pub fn read(bytes: &[u8]) -> Result<(Headers, Findings), String> {
    if bytes.len() > MAX_JSON {
        return Err(format!("this is JSON of more than {MAX_JSON} bytes: no headers are as long"));
    }
    let json: Json = serde_json::from_slice(bytes).map_err(|error| format!("this is neither an assertion nor JSON: {error}"))?;
    let Json::Map(entries) = json else { return Err("the form given to the signing tool is one JSON object of headers".to_owned()) };
    let mut findings = Findings::default();
    let mut headers = Headers::new();
    let mut seen = BTreeSet::new();
    for (name, value) in entries {
        if !is_header_name(&name) {
            findings.problem(
                &cited(&name).escape_debug().to_string(),
                "is no header name: lower case letters and digits, words joined by single dashes",
            );
            continue;
        }
        if !seen.insert(name.clone()) {
            findings.problem(&name, "is there twice");
            continue;
        }
        if let Some(value) = value_of(&name, &name, value, &mut findings) {
            headers.insert(name, value);
        }
    }
    let length: usize = headers.iter().map(|(name, value)| written(value, name.len() + 1, 0)).sum();
    if length > MAX_HEADERS {
        findings.problems.push(format!("the headers would take {length} bytes when they are signed, and the limit is {MAX_HEADERS}"));
    }
    Ok((headers, findings))
}

fn value_of(header: &str, place: &str, json: Json, findings: &mut Findings) -> Option<Value> {
    match json {
        Json::Text(text) => Some(Value::Text(text)),
        Json::Scalar(word) => {
            let at = if place == header { String::new() } else { format!("at `{place}` ") };
            let sentence =
                format!("is {word} {at}and must be a text in quotes (\"{}\"): the signing tool takes nothing else", cited(&word));
            findings.problem(header, sentence);
            // The value is judged as the text that it becomes when it is signed.
            (word != "null").then_some(Value::Text(word))
        }
        Json::List(items) => {
            if !items.is_empty() && items.iter().all(Json::is_empty) {
                findings.problem(header, unreadable(place));
            }
            let items = items.into_iter().enumerate();
            Some(Value::List(items.filter_map(|(index, item)| value_of(header, &format!("{place}[{index}]"), item, findings)).collect()))
        }
        Json::Map(entries) => {
            let mut map = BTreeMap::new();
            let mut seen = BTreeSet::new();
            if !entries.is_empty() && entries.iter().all(|(_, value)| value.is_empty()) {
                findings.problem(header, unreadable(place));
            }
            for (key, value) in entries {
                let place = format!("{place}.{}", cited(&key));
                if !is_header_name(&key) {
                    findings.problem(header, format!("has {:?} in it, which is no key", cited(&key)));
                } else if !seen.insert(key.clone()) {
                    findings.problem(header, format!("has `{place}` twice"));
                } else if let Some(value) = value_of(header, &place, value, findings) {
                    map.insert(key, value);
                }
            }
            Some(Value::Map(map))
        }
    }
}

/// The bytes that a value takes when it is signed, behind a name or dash of this length.
fn written(value: &Value, intro: usize, base: usize) -> usize {
    match value {
        Value::Text(text) => match text.lines().count() {
            0 | 1 => 2 + intro + text.len(),
            lines => 2 + intro + text.len() + lines * (base + 4),
        },
        Value::List(items) => 1 + intro + items.iter().map(|item| written(item, base + 3, base + 2)).sum::<usize>(),
        Value::Map(map) => 1 + intro + map.iter().map(|(key, value)| written(value, base + key.len() + 3, base + 2)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_signing_tool_would_not_take_is_named_with_its_place() {
        let (headers, findings) = read(
            br#"{"type": "model", "revision": 1, "classic": false, "store": null, "Model": "x", "snaps": [{"name": "pc", "name": "pi", "id": 3}],
                "required-snaps": [], "type": "account"}"#,
        )
        .expect("it is an object");
        let found = findings.problems.join("\n");
        for words in [
            "`revision` is 1 and must be a text",
            "`classic` is false and",
            "`store` is null and",
            "`Model` is no header name",
            "`snaps` has `snaps[0].name` twice",
            "`snaps` is 3 at `snaps[0].id` and",
            "`type` is there twice",
        ] {
            assert!(found.contains(words), "{words}: {found}");
        }
        assert_eq!(headers["revision"], Value::Text("1".to_owned()));
        assert_eq!(
            headers["required-snaps"],
            Value::List(Vec::new()),
            "the signing tool judges what is empty, although it signs nothing of it"
        );
        assert!(!headers.contains_key("store"));
        assert!(
            read(b"[]").is_err() && read(b"{").is_err() && read(b"{} {}").is_err() && read("{\"a\": ".repeat(10_000).as_bytes()).is_err()
        );
    }

    #[test]
    fn what_would_be_signed_and_read_by_nobody_is_named() {
        let found = |json: &str| read(json.as_bytes()).expect("it is an object").1.problems.join("\n");
        for (json, words) in [
            (r#"{"a": [[]]}"#, "`a` has nothing in `a`"),
            (r#"{"a": [{}, []]}"#, "`a` has nothing in `a`"),
            (r#"{"a": {"b": [], "c": {}}}"#, "`a` has nothing in `a`"),
            (r#"{"a": {"b": {"c": []}}}"#, "`a` has nothing in `a.b`"),
            (r#"{"a": ["x", [{}]]}"#, "`a` has nothing in `a[1]`"),
            (&format!(r#"{{"a": "{}"}}"#, "x".repeat(MAX_HEADERS)), "the headers would take 131076 bytes"),
            (&format!(r#"{{"a": [{}"x"]}}"#, r#""x","#.repeat(25_000)), "the headers would take 150009 bytes"),
        ] {
            assert!(found(json).contains(words), "{json:.40}: {}", found(json));
        }
        for good in [r#"{"a": []}"#, r#"{"a": {}}"#, r#"{"a": ["x", []]}"#, r#"{"a": {"b": [], "c": "x"}}"#, r#"{"a": [""]}"#] {
            assert_eq!(found(good), "", "{good}");
        }
        assert_eq!(found(&format!(r#"{{"a": "{}"}}"#, "x".repeat(MAX_HEADERS - 4))), "", "exactly the limit is read");
    }
}
