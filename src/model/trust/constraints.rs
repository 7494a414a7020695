//! What a key may sign, where its account-key assertion does not let it sign everything.

use regex::{Regex, RegexBuilder};

use crate::model::text::{Headers, Value};

/// A pattern is read before anybody knows who wrote it: compiled it takes no more than this.
const PATTERN_BYTES: usize = 64 * 1024;
/// Of one key in all. Nobody tells models apart by more.
const PATTERNS: usize = 64;

/// A header and the patterns for it, one of which must match as a whole.
type Pattern = (String, Vec<Regex>);

/// Sets of patterns for headers; an assertion must match one set as a whole. None at all lets everything be signed.
#[derive(Clone, Debug, Default)]
pub(in crate::model) struct Constraints(Vec<Vec<Pattern>>);

impl Constraints {
    /// Reads `constraints`: a list of maps, each with `headers`, a map of patterns.
    pub(in crate::model) fn read(headers: &Headers) -> Result<Self, String> {
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
        let text = |name: &str| headers.get(name).and_then(Value::as_text);
        let matches = |(name, patterns): &Pattern| text(name).is_some_and(|text| patterns.iter().any(|pattern| pattern.is_match(text)));
        self.0.is_empty() || self.0.iter().any(|set| set.iter().all(matches))
    }
}

fn set(value: &Value, left: &mut usize) -> Result<Vec<Pattern>, String> {
    let Value::Map(map) = value else { return Err("must be a list of maps".to_owned()) };
    let Some(Value::Map(headers)) = map.get("headers") else { return Err("has an entry without the map `headers`".to_owned()) };
    if !headers.contains_key("type") {
        return Err("has an entry whose `headers` do not say which `type`".to_owned());
    }
    headers.iter().map(|(name, value)| Ok((name.clone(), patterns(name, value, left)?))).collect()
}

fn patterns(name: &str, value: &Value, left: &mut usize) -> Result<Vec<Regex>, String> {
    let texts = match value {
        Value::Text(text) => vec![text.as_str()],
        list => list.as_texts().ok_or_else(|| format!("has a pattern for `{name}` of a shape that is not read here"))?,
    };
    *left = left.checked_sub(texts.len()).ok_or_else(|| format!("has more than {PATTERNS} patterns"))?;
    let pattern = |text: &&str| {
        let regex = RegexBuilder::new(&format!("^(?:{text})$")).size_limit(PATTERN_BYTES).build();
        regex.map_err(|_broken| format!("has a pattern for `{name}` that cannot be used"))
    };
    texts.iter().map(pattern).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::text::Stream;

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
    fn constraints_that_cannot_be_read_are_an_error_and_never_no_constraints() {
        for broken in [
            "constraints:\n  -\n    headers:\n      type: model",
            "format: 1\nconstraints: none",
            "format: 1\nconstraints:\n  - a",
            "format: 1\nconstraints:\n  -\n    headers: a",
            "format: 1\nconstraints:\n  -\n    headers:\n      model: a",
            "format: 1\nconstraints:\n  -\n    headers:\n      type: (",
            &format!("format: 1\nconstraints:{}", "\n  -\n    headers:\n      type: a".repeat(PATTERNS + 1)),
            &format!("format: 1\nconstraints:\n  -\n    headers:\n      type: {}", "(a{1000}){1000}"),
        ] {
            assert!(Constraints::read(&headers(broken)).is_err(), "{broken}");
        }
    }
}
