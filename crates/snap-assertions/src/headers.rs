//! Reads headers by name and checks their values. Each problem becomes a sentence that names the header.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::signature::Sha3;
use super::text::{Headers, MAX_NUMBER, Value, cited, is_decimal, length, number};

/// The errors and warnings about an assertion, in sentences that name the header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Errors: each makes the assertion invalid.
    pub problems: Vec<String>,
    /// Warnings: each is worth knowing, and has no other effect.
    pub warnings: Vec<String>,
}

/// Limit of sentences about one assertion: a hostile one could cause a hundred thousand.
const MOST: usize = 100;

impl Findings {
    pub(super) fn problem(&mut self, header: &str, sentence: impl AsRef<str>) {
        add(&mut self.problems, || format!("`{}` {}", cited(header), sentence.as_ref()));
    }

    pub(super) fn warning(&mut self, header: &str, sentence: impl AsRef<str>) {
        add(&mut self.warnings, || format!("`{}` {}", cited(header), sentence.as_ref()));
    }
}

fn add(sentences: &mut Vec<String>, sentence: impl FnOnce() -> String) {
    match sentences.len() {
        0..MOST => sentences.push(sentence()),
        MOST => sentences.push("and more".to_owned()),
        _ => {}
    }
}

/// Headers being read, and the problems found so far.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    headers: &'a Headers,
    pub(super) findings: Findings,
}

impl<'a> Reading<'a> {
    pub(super) fn new(headers: &'a Headers) -> Self {
        Self { headers, findings: Findings::default() }
    }

    pub(super) fn has(&self, header: &str) -> bool {
        self.headers.contains_key(header)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.headers.keys().map(String::as_str)
    }

    pub(super) fn value(&self, header: &str) -> Option<&'a Value> {
        self.headers.get(header)
    }

    pub(super) fn problem(&mut self, header: &str, sentence: impl AsRef<str>) {
        self.findings.problem(header, sentence);
    }

    /// A text, if the header is present.
    pub(super) fn text(&mut self, header: &str) -> Option<&'a str> {
        match self.headers.get(header)? {
            Value::Text(text) => Some(text),
            Value::List(_) | Value::Map(_) => {
                self.problem(header, "must be a text, not a list or map");
                None
            }
        }
    }

    /// A text that must be present and not empty.
    pub(super) fn required(&mut self, header: &str) -> Option<&'a str> {
        if !self.has(header) {
            self.problem(header, "is missing");
        }
        let text = self.text(header)?;
        if text.is_empty() {
            self.problem(header, "is empty");
            return None;
        }
        Some(text)
    }

    /// A text that must be present and follow a rule, which `rule` describes in words.
    pub(super) fn required_as(&mut self, header: &str, rule: fn(&str) -> bool, words: &str) -> Option<&'a str> {
        let text = self.required(header)?;
        self.ruled(header, text, rule, words)
    }

    fn ruled(&mut self, header: &str, text: &'a str, rule: fn(&str) -> bool, words: &str) -> Option<&'a str> {
        if rule(text) {
            return Some(text);
        }
        // A placeholder that was not filled in is reported as such, once.
        if !is_placeholder(text) {
            self.problem(header, format!("must be {words}, not {:?}", cited(text)));
        }
        None
    }

    /// The same for a header that may be missing.
    pub(super) fn text_as(&mut self, header: &str, rule: fn(&str) -> bool, words: &str) -> Option<&'a str> {
        if self.has(header) { self.required_as(header, rule, words) } else { None }
    }

    /// The same for a header that may also be empty: missing and empty both mean the default.
    pub(super) fn default_as(&mut self, header: &str, rule: fn(&str) -> bool, words: &str) -> Option<&'a str> {
        let text = self.text(header).filter(|text| !text.is_empty())?;
        self.ruled(header, text, rule, words)
    }

    pub(super) fn account(&mut self, header: &str) -> Option<&'a str> {
        self.required_as(header, is_account_id, "an account id (32 letters and digits, or a short lower-case name)")
    }

    pub(super) fn digest(&mut self, header: &str) -> Option<Sha3> {
        Sha3::parse(self.required_as(header, |text| Sha3::parse(text).is_some(), "a SHA3-384 in 64 characters of base64 for addresses")?)
    }

    pub(super) fn time(&mut self, header: &str) -> Option<Timestamp> {
        time(self.required_as(header, |text| time(text).is_some(), "an RFC 3339 time as 2026-11-20T08:00:00Z")?)
    }

    /// A number; `default` if the header is missing.
    pub(super) fn number(&mut self, header: &'static str, default: u64) -> Option<u64> {
        if self.has(header) { self.required_number(header) } else { Some(default) }
    }

    /// A number that must be present.
    pub(super) fn required_number(&mut self, header: &'static str) -> Option<u64> {
        let text = self.required(header)?;
        if let Some(sentence) = no_number(text) {
            self.problem(header, sentence);
        }
        number(text)
    }

    /// The length of a file, which must be present.
    pub(super) fn required_length(&mut self, header: &'static str) -> Option<u64> {
        length(self.required_as(header, |text| length(text).is_some(), "a length in bytes, in decimal, without sign or leading zeros")?)
    }

    /// A list of texts, empty if the header is missing; each text must follow the rule.
    pub(super) fn texts(&mut self, header: &str, rule: fn(&str) -> bool, words: &str) -> Vec<&'a str> {
        let Some(value) = self.headers.get(header) else { return Vec::new() };
        let Some(texts) = value.as_texts() else {
            self.problem(header, "must be a list of texts");
            return Vec::new();
        };
        for text in texts.iter().filter(|text| !rule(text) && !is_placeholder(text)) {
            self.findings.problem(header, format!("has {:?} in it, which is not {words}", cited(text)));
        }
        texts
    }

    /// Checks the form of a header that is not read any further here.
    pub(super) fn shape(&mut self, header: &str, rule: fn(&Value) -> bool, words: &str) {
        if self.headers.get(header).is_some_and(|value| !rule(value)) {
            self.problem(header, format!("must be {words}"));
        }
    }

    /// `true` or `false`; `false` if the header is missing.
    pub(super) fn flag(&mut self, header: &str) -> bool {
        self.text_as(header, |text| matches!(text, "true" | "false"), "`true` or `false`") == Some("true")
    }

    /// Every placeholder of the form `<your account id>` that was not filled in, in nested values too.
    pub(super) fn placeholders(&mut self) {
        for (name, value) in self.headers {
            let mut left = Vec::new();
            collect_placeholders(value, &mut left);
            for text in left {
                let cure = match name.as_str() {
                    "authority-id" | "brand-id" => "put the brand's account id there and sign again",
                    "timestamp" => "put the time there (`date -Iseconds --utc`) and sign again",
                    _ => "put the value there and sign again",
                };
                self.findings.problem(name, format!("still has the placeholder {:?}: {cure}", cited(text)));
            }
        }
    }
}

fn collect_placeholders<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::Text(text) if is_placeholder(text) => into.push(text),
        Value::Text(_) => {}
        Value::List(items) => items.iter().for_each(|item| collect_placeholders(item, into)),
        Value::Map(map) => map.values().for_each(|item| collect_placeholders(item, into)),
    }
}

/// Describes the error of a number.
pub(super) fn no_number(text: &str) -> Option<String> {
    if number(text).is_some() || is_placeholder(text) {
        None
    } else if is_decimal(text) {
        Some(format!("is {}, and {MAX_NUMBER} is the largest number there is in assertions: write a smaller one", cited(text)))
    } else {
        Some(format!("must be a decimal number without sign or leading zeros, not {:?}", cited(text)))
    }
}

/// Is it a placeholder such as `<your account id>`, copied from the documentation?
pub(super) fn is_placeholder(text: &str) -> bool {
    text.len() > 2 && text.starts_with('<') && text.ends_with('>')
}

pub(super) const SNAP_NAME: &str = "a snap name (2 to 40 lower-case letters, digits and single dashes inside, at least one letter)";
pub(super) const SNAP_ID: &str = "a snap id (32 letters and digits)";

/// Matches `^(?:[a-z0-9A-Z]{32}|[-a-z0-9]{2,28})$`, an account id.
pub(super) fn is_account_id(text: &str) -> bool {
    is_snap_id(text)
        || ((2..=28).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'))
}

pub(super) fn is_snap_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

pub(super) fn is_snap_name(text: &str) -> bool {
    (2..=40).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
}

pub(super) const KEY_NAME: &str = "a name for a key (lower-case letters and digits, words joined by single dashes, at least one letter)";

/// Matches `^(?:[a-z0-9]+-?)*[a-z](?:-?[a-z0-9])*$`, the name of a key.
pub(super) fn is_key_name(text: &str) -> bool {
    is_model_name(text) && text.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// Matches `^[a-zA-Z0-9][-_.a-zA-Z0-9]*$`, an alias of a command.
pub(super) fn is_alias(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

/// Matches `^[a-zA-Z0-9](?:-?[a-zA-Z0-9])*$`: the name of an app, or a provenance.
pub(super) fn is_word(text: &str) -> bool {
    is_model_name(&text.to_ascii_lowercase())
}

const RISKS: [&str; 4] = ["stable", "candidate", "beta", "edge"];

/// Is it a name that the store accepts for a track? The names of risks are not accepted.
pub(super) fn is_track(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.ends_with(|last: char| last.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        && !RISKS.contains(&text)
}

/// `track`, `track/risk` or `track/risk/branch`.
pub(super) fn is_channel_with_track(text: &str) -> bool {
    let mut parts = text.split('/');
    parts.next().is_some_and(is_track)
        && parts.next().is_none_or(|risk| RISKS.contains(&risk))
        && parts.next().is_none_or(|branch| !branch.is_empty() && branch.bytes().all(|byte| byte.is_ascii_graphic()))
        && parts.next().is_none()
}

/// Matches `^[a-z0-9](?:-?[a-z0-9])*$`, the name of a model.
pub(super) fn is_model_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
}

/// RFC 3339 as snapd reads it, by Go's `time.Parse`: the hour of one digit or two, a fraction behind a point or a comma of which nine
/// digits count, and an offset of up to `24:60`. What Go refuses is refused: small `t` and `z`, a second 60, an offset without its colon.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let mut rest = text.as_bytes();
    let year = digits(&mut rest, 4)?;
    literal(&mut rest, b"-")?;
    let month = digits(&mut rest, 2)?;
    literal(&mut rest, b"-")?;
    let day = digits(&mut rest, 2)?;
    literal(&mut rest, b"T")?;
    let of_hour = if rest.get(1).is_some_and(u8::is_ascii_digit) { 2 } else { 1 };
    let hour = digits(&mut rest, of_hour)?;
    literal(&mut rest, b":")?;
    let minute = digits(&mut rest, 2)?;
    literal(&mut rest, b":")?;
    let second = digits(&mut rest, 2)?;
    let nanosecond = fraction(&mut rest)?;
    let east = offset(rest)?;
    // A leap second never occurs in the time of a key.
    let clock = |number: i32| i8::try_from(number).ok().filter(|number| *number < 60);
    let date = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let clock = Time::new(clock(hour)?, clock(minute)?, clock(second)?, nanosecond).ok()?;
    // The last days of the year 9999 exceed a `Timestamp`. They stand for a key that never expires.
    let local = TimeZone::UTC.to_timestamp(date.to_datetime(clock)).unwrap_or(Timestamp::MAX);
    Some(local.checked_sub(SignedDuration::from_secs(east.into())).unwrap_or(Timestamp::MAX))
}

/// Exactly this many digits at the front.
fn digits(rest: &mut &[u8], count: usize) -> Option<i32> {
    let (number, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    number.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| 10 * sum + i32::from(digit - b'0')))
}

fn literal(rest: &mut &[u8], wanted: &[u8]) -> Option<()> {
    *rest = rest.strip_prefix(wanted)?;
    Some(())
}

/// Nanoseconds, if there is a fraction of a second. Go drops further digits.
fn fraction(rest: &mut &[u8]) -> Option<i32> {
    let Some((b'.' | b',', behind)) = rest.split_first() else { return Some(0) };
    let count = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let (fraction, behind) = behind.split_at(count);
    *rest = behind;
    let digit = |place: usize| fraction.get(place).map_or(0, |digit| i32::from(digit - b'0'));
    Some((0..9).fold(0, |sum, place| 10 * sum + digit(place)))
}

/// Seconds east of Greenwich.
fn offset(text: &[u8]) -> Option<i32> {
    if text == b"Z" {
        return Some(0);
    }
    let (sign, mut rest) = text.split_first()?;
    let hours = digits(&mut rest, 2).filter(|hours| *hours <= 24)?;
    literal(&mut rest, b":")?;
    let minutes = digits(&mut rest, 2).filter(|minutes| *minutes <= 60)?;
    let east = (60 * hours + minutes) * 60;
    match sign {
        b'+' if rest.is_empty() => Some(east),
        b'-' if rest.is_empty() => Some(-east),
        _ => None,
    }
}

#[cfg(test)]
mod time_cases;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rfc_3339_in_full() {
        for good in ["2026-11-20T08:00:00Z", "2016-08-31T00:00:00.0Z", "2016-09-28T17:33:53.740774Z", "2026-11-20T08:00:00+01:00"] {
            assert!(time(good).is_some(), "{good}");
        }
        assert_eq!(time("2026-11-20T08:00:00+01:00"), time("2026-11-20T07:00:00.00000000000000Z"));
        for late in ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-10:00"] {
            assert_eq!(time(late), Some(Timestamp::MAX), "{late}");
        }
        for bad in [
            "9999-12-32T00:00:00Z",
            "9999-12-31T24:00:00Z",
            "9999-13-30T00:00:00Z",
            "2026-11-20 08:00",
            "2026-11-20",
            "2026-11-20T08:00:00",
            "2026-11-20t08:00:00z",
            "2026-11-20 08:00:00Z",
            "2026-13-20T08:00:00Z",
            "2026-02-30T08:00:00Z",
            "2026-11-20T08:00:60Z",
            "2026-11-20T08:00:00.Z",
            "2026-11-20T08:00:00+0100",
            "<timestamp>",
            "",
            "２０２６-11-20T08:00:00Z",
        ] {
            assert!(time(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn nobody_is_told_more_than_can_be_read() {
        let mut findings = Findings::default();
        (0..100_000).for_each(|number| findings.problem("snaps", number.to_string()));
        assert_eq!((findings.problems.len(), findings.problems.last().map(String::as_str)), (MOST + 1, Some("and more")));
    }

    #[test]
    fn a_number_has_63_bits_and_says_so_where_it_has_more() {
        assert_eq!(no_number("0").or(no_number("9223372036854775807")), None, "exactly the largest is taken");
        for large in ["9223372036854775808", "18446744073709551615", "99999999999999999999999999"] {
            assert!(no_number(large).is_some_and(|sentence| sentence.contains("9223372036854775807 is the largest")), "{large}");
        }
        for none in ["", "-1", "+1", "01", "00", "1.0", "1 ", " 1", "0x1", "1_000", "١", "one"] {
            assert!(no_number(none).is_some_and(|sentence| sentence.contains("must be a decimal number")), "{none}");
        }
        assert_eq!(length("18446744073709551615"), Some(u64::MAX), "a file may be longer");
    }

    #[test]
    fn names_and_ids_follow_their_rules() {
        for good in ["pc", "pi2-kernel", "0ad", "a0", "core18", &"a".repeat(40)] {
            assert!(is_snap_name(good), "{good}");
        }
        for bad in ["", "a", "-pc", "pc-", "p--c", "PC", "12", "1-2", "pc_1", "pé", &"a".repeat(41)] {
            assert!(!is_snap_name(bad), "{bad}");
        }
        for good in ["Fx7Qm2VtY9sKd4RwLpZ3bN8cHjG6aTu1", "canonical", "my-brand", "ab", &"a".repeat(28)] {
            assert!(is_account_id(good), "{good}");
        }
        for bad in ["a", "<your account id>", "My-Brand", &"a".repeat(29), &"a".repeat(33), "Fx7Qm2VtY9sKd4RwLpZ3bN8cHjG6aTu-"] {
            assert!(!is_account_id(bad), "{bad}");
        }
        for good in ["18", "18-pi", "2.0", "latest", "v1_lts", "A"] {
            assert!(is_track(good) && is_channel_with_track(good), "{good}");
        }
        for bad in ["", "edge", "stable", "18/edge", "-18", "18-", "1 8", "18\t", "18=19", "1é", "18\u{0}", "18:pi"] {
            assert!(!is_track(bad), "{bad}");
        }
        assert!(is_channel_with_track("22/stable") && is_channel_with_track("22/edge/fix-1"));
        for bad in ["stable", "edge/fix", "22/", "22/hot", "22/edge/", "22/edge/a/b", "/edge", "22/edge/a b"] {
            assert!(!is_channel_with_track(bad), "{bad}");
        }
        for good in ["default", "a", "1-a", "a1", "my-key-2"] {
            assert!(is_key_name(good), "{good}");
        }
        for bad in ["", "1", "1-2", "My", "a--b", "-a", "a-", "a_b", "a b", "é"] {
            assert!(!is_key_name(bad), "{bad}");
        }
        assert!(
            is_model_name("my-pi3") && is_model_name("3") && !is_model_name("My-Pi3") && !is_model_name("my--pi") && !is_model_name("")
        );
    }
}
