//! The constraints of an account-key: which assertions the key may sign.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use crate::text::{Headers, Value, cited};

/// Limit of a compiled pattern in bytes: patterns are compiled before their author is known.
const PATTERN_BYTES: usize = 64 * 1024;
/// Limit for all constraints of one key. Keys in use have far fewer.
const PATTERNS: usize = 64;
/// Characters that would be operators of a pattern in a place where a word must stand.
const SIGNS: &str = r"\.+*?()|[]{}^$";

/// A condition on the value of a header or of a part of it. A list must satisfy it item by item.
#[derive(Clone, Debug)]
enum Pattern {
    /// `$MISSING`: the header must be absent.
    Missing,
    /// The pattern must match the whole text.
    Text(Regex),
    /// The same for text in ASCII: in constraints, classes such as `\w` contain ASCII only.
    Ascii(Regex),
    /// A map in which every entry satisfies its condition.
    Map(Vec<(String, Pattern)>),
    /// At least one of these must match.
    Any(Vec<Pattern>),
}

impl Pattern {
    fn matches(&self, value: Option<&Value>) -> bool {
        let Some(value) = value else { return matches!(self, Self::Missing) };
        match (self, value) {
            (Self::Missing, _) => false,
            (_, Value::List(items)) => items.iter().all(|item| self.matches(Some(item))),
            (Self::Text(regex), Value::Text(text)) => regex.is_match(text),
            (Self::Ascii(regex), Value::Text(text)) => text.is_ascii() && regex.is_match(text),
            (Self::Map(patterns), Value::Map(map)) => all(patterns, map),
            (Self::Any(patterns), value) => patterns.iter().any(|pattern| pattern.matches(Some(value))),
            (Self::Text(_) | Self::Ascii(_), Value::Map(_)) | (Self::Map(_), Value::Text(_)) => false,
        }
    }
}

fn all(patterns: &[(String, Pattern)], map: &BTreeMap<String, Value>) -> bool {
    patterns.iter().all(|(name, pattern)| pattern.matches(map.get(name)))
}

/// Sets of patterns for headers; an assertion must match one set as a whole. Without any set, the key may sign everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Constraints(Vec<Vec<(String, Pattern)>>);

impl Constraints {
    /// Reads `constraints`: a list of maps, each with `headers`, a map of patterns.
    pub(super) fn read(headers: &Headers) -> Result<Self, String> {
        let Some(value) = headers.get("constraints") else { return Ok(Self::default()) };
        let format = headers.get("format").and_then(Value::as_text);
        if format != Some("1") {
            return Err("needs `format: 1`".to_owned());
        }
        let Value::List(sets) = value else { return Err("must be a list of maps".to_owned()) };
        if sets.is_empty() {
            return Err("is an empty list, which would let the key sign nothing".to_owned());
        }
        let mut left = PATTERNS;
        sets.iter().map(|value| set(value, &mut left)).collect::<Result<_, _>>().map(Self)
    }

    /// May an assertion with these headers be signed?
    pub(super) fn allow(&self, headers: &Headers) -> bool {
        self.0.is_empty() || self.0.iter().any(|set| all(set, headers))
    }
}

fn set(value: &Value, left: &mut usize) -> Result<Vec<(String, Pattern)>, String> {
    let Value::Map(map) = value else { return Err("must be a list of maps".to_owned()) };
    let Some(Value::Map(headers)) = map.get("headers") else { return Err("has an entry without the map `headers`".to_owned()) };
    match headers.get("type") {
        None => return Err("has an entry whose `headers` do not say which `type`".to_owned()),
        Some(Value::Text(kind)) if !kind.contains(|sign| SIGNS.contains(sign)) => {}
        Some(Value::Text(kind)) => {
            return Err(format!("has the pattern {:?} for `type`, which must be one type, as it is spelled: model", cited(kind)));
        }
        Some(_) => return Err("has a list or map for `type`, which must be one type: make an entry for each".to_owned()),
    }
    patterns(headers, left)
}

fn patterns(map: &BTreeMap<String, Value>, left: &mut usize) -> Result<Vec<(String, Pattern)>, String> {
    map.iter().map(|(name, value)| Ok((name.clone(), pattern(name, value, left)?))).collect()
}

/// Patterns are nested as deep as the text is, which the limit on headers bounds.
fn pattern(name: &str, value: &Value, left: &mut usize) -> Result<Pattern, String> {
    *left = left.checked_sub(1).ok_or_else(|| format!("has more than {PATTERNS} patterns"))?;
    match value {
        Value::Text(text) if text == "$MISSING" => Ok(Pattern::Missing),
        Value::Text(text) if text.starts_with('$') => {
            Err(format!("has {:?} for `{}`: of words with `$` a key may have $MISSING only", cited(text), cited(name)))
        }
        Value::Text(text) => {
            let regex = RegexBuilder::new(&format!("^(?:{text})$")).size_limit(PATTERN_BYTES).build();
            let has_class = ["\\d", "\\w", "\\s", "\\b", "\\D", "\\W", "\\S", "\\B"].iter().any(|class| text.contains(class));
            regex
                .map(if has_class { Pattern::Ascii } else { Pattern::Text })
                .map_err(|_broken| format!("has a pattern for `{}` that cannot be used", cited(name)))
        }
        Value::Map(map) => Ok(Pattern::Map(patterns(map, left)?)),
        Value::List(alternatives) => {
            let alternative = |value: &Value| match value {
                Value::List(_) => Err(format!("has a list inside the list for `{}`: write its items into the outer one", cited(name))),
                value => pattern(name, value, left),
            };
            alternatives.iter().map(alternative).collect::<Result<_, _>>().map(Pattern::Any)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Stream;

    fn headers(text: &str) -> Headers {
        Stream::new(format!("{text}\n\nAcLB").as_bytes()).next().expect("one").expect("well formed").headers
    }

    #[test]
    fn a_key_signs_what_one_set_of_its_constraints_matches_whole_and_nothing_else() {
        let key = headers("format: 1\nconstraints:\n  -\n    headers:\n      model:\n        - pi-.*\n        - pc\n      type: model");
        let constraints = Constraints::read(&key).expect("they can be read");
        assert!(constraints.allow(&headers("type: model\nmodel: pi-4")));
        assert!(constraints.allow(&headers("type: model\nmodel: pc")));
        for other in ["type: model\nmodel: a-pi-4", "type: model\nmodel: pc2", "type: model", "type: serial\nmodel: pc"] {
            assert!(!constraints.allow(&headers(other)), "{other}");
        }
        assert!(Constraints::default().allow(&headers("type: model")), "a key without constraints signs everything");
    }

    #[test]
    fn patterns_reach_into_lists_and_maps_and_may_demand_that_nothing_is_there() {
        let allow = |patterns: &str, of: &str| {
            let key = headers(&format!("format: 1\nconstraints:\n  -\n    headers:\n      type: model\n{patterns}"));
            Constraints::read(&key).expect("they can be read").allow(&headers(&format!("type: model{of}")))
        };
        let missing = "      store: $MISSING";
        assert!(allow(missing, "") && !allow(missing, "\nstore: mine") && !allow(missing, "\nstore: "));
        let every = "      required-snaps: my-.*";
        assert!(allow(every, "\nrequired-snaps:\n  - my-a\n  - my-b"), "each item of a list");
        assert!(
            !allow(every, "\nrequired-snaps:\n  - my-a\n  - other") && !allow(every, "") && !allow(every, "\nrequired-snaps:\n  a: my-b")
        );
        let class = "      display-name: \\w+";
        assert!(allow(class, "\ndisplay-name: cafe") && !allow(class, "\ndisplay-name: café") && !allow(class, "\ndisplay-name: a b"));
        assert!(allow("      display-name: caf.", "\ndisplay-name: café"), "any sign is any sign");
        let inside = "      place:\n        city:\n          - bern\n          - basel";
        assert!(allow(inside, "\nplace:\n  city: basel\n  zip: 4000"));
        assert!(!allow(inside, "\nplace:\n  city: genf") && !allow(inside, "\nplace: basel") && !allow(inside, "\nplace:\n  zip: 4000"));
    }

    #[test]
    fn constraints_that_cannot_be_read_are_an_error_and_never_no_constraints() {
        for broken in [
            "constraints:\n  -\n    headers:\n      type: model",
            "format: 1\nconstraints: none",
            "format: 1\nconstraints:\n  - a",
            "format: 1\nconstraints:\n  -\n    headers: a",
            "format: 1\nconstraints:\n  -\n    headers:\n      model: a",
            "format: 1\nconstraints:\n  -\n    headers:\n      type: (",
            "format: 1\nconstraints:\n  -\n    headers:\n      type: mod.*",
            "format: 1\nconstraints:\n  -\n    headers:\n      type: model|serial",
            "format: 1\nconstraints:\n  -\n    headers:\n      type: $MISSING",
            "format: 1\nconstraints:\n  -\n    headers:\n      type:\n        - model",
            "format: 1\nconstraints:\n  -\n    headers:\n      type:\n        a: model",
            "format: 1\nconstraints:\n  -\n    headers:\n      type: model\n      model: (",
            "format: 1\nconstraints:\n  -\n    headers:\n      type: model\n      model: $SLOT(a)",
            "format: 1\nconstraints:\n  -\n    headers:\n      type: model\n      model:\n        -\n          - a",
            &format!("format: 1\nconstraints:{}", "\n  -\n    headers:\n      type: a".repeat(PATTERNS + 1)),
            &format!("format: 1\nconstraints:\n  -\n    headers:\n      type: model\n      model: {}", "(a{1000}){1000}"),
        ] {
            assert!(Constraints::read(&headers(broken)).is_err(), "{broken}");
        }
    }
}
