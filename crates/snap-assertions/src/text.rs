//! The text form of assertions: headers, an optional body and a signature, one assertion after the other.
//!
//! Applies the limits of snapd's stream decoder to every source, and keeps the signed bytes unchanged: they are never built again from the
//! headers. It does not know the types of assertions.

use std::collections::BTreeMap;
use std::fmt;

/// The separator behind headers, body and signature.
const SEPARATOR: &[u8] = b"\n\n";
/// As in snapd's stream decoder: no signed assertion has longer headers.
pub const MAX_HEADERS: usize = 128 * 1024;
/// As in snapd's stream decoder.
pub const MAX_BODY: usize = 2 * 1024 * 1024;
/// As in snapd's stream decoder.
pub const MAX_SIGNATURE: usize = 128 * 1024;
/// Text that an error cites is cut to this many characters: a digest fits.
const CITED: usize = 64;

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The only kind of scalar: `true` and `3` are text.
    Text(String),
    /// A list: lines that begin with `  -`.
    List(Vec<Value>),
    /// `  key: value` lines.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// The text, if the value is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    /// The texts of a list, if it contains only texts.
    #[must_use]
    pub fn as_texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::List(items) => items.iter().map(Self::as_text).collect(),
            Self::Text(_) | Self::Map(_) => None,
        }
    }
}

/// All headers, by name.
pub type Headers = BTreeMap<String, Value>;

/// An assertion as it was read. Nothing about it is proven.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    /// The headers in the order of the text.
    pub headers: Headers,
    /// The body; empty if there is none.
    pub body: Vec<u8>,
    /// The bytes that were signed.
    pub content: Vec<u8>,
    /// The signature, still as text.
    pub signature: Vec<u8>,
}

impl Text {
    /// The whole assertion as signing tools write it: the signed bytes, the signature, and one line end.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let signature = self.signature.strip_suffix(b"\n").unwrap_or(&self.signature);
        [&self.content, SEPARATOR, signature, b"\n"].concat()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").field("headers", &self.headers).field("body", &self.body.len()).finish_non_exhaustive()
    }
}

/// Why bytes are not a stream of assertions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", Place(.assertion, .line))]
pub struct TextError {
    /// Which assertion of the stream, counted from one.
    pub assertion: usize,
    /// The line of the stream, counted from one, if the error is at one line.
    pub line: Option<usize>,
    /// What is wrong with the text.
    pub problem: Problem,
}

struct Place<'a>(&'a usize, &'a Option<usize>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (1, None) => Ok(()),
            (1, Some(line)) => write!(f, "line {line}: "),
            (assertion, None) => write!(f, "assertion {assertion}: "),
            (assertion, Some(line)) => write!(f, "assertion {assertion}, line {line}: "),
        }
    }
}

/// What is wrong with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The lines end in CR LF, as on Windows.
    #[error("the lines end in CR LF: an assertion has LF only; copy the file again as it was signed, not as text")]
    CarriageReturn,
    /// A byte order mark.
    #[error("the file begins with a byte order mark: an assertion has none; copy the file again as it was signed")]
    ByteOrderMark,
    /// Headers and nothing behind them.
    #[error("there is no signature: headers end with an empty line, and the signature follows; sign the model, or copy the file whole")]
    NoSignature,
    /// The headers do not end.
    #[error("the headers are longer than {MAX_HEADERS} bytes: this is no assertion")]
    LongHeaders,
    /// The body is too long.
    #[error("`body-length` is {0}, and a body has at most {MAX_BODY} bytes")]
    LongBody(String),
    /// The signature is too long.
    #[error("the signature is longer than {MAX_SIGNATURE} bytes")]
    LongSignature,
    /// The body is cut, or its length is wrong.
    #[error("the body is not `body-length` = {0} bytes followed by an empty line: the file is cut or was changed")]
    Body(usize),
    /// The headers are not UTF-8.
    #[error("the headers are not UTF-8: the file is damaged, or is no assertion")]
    NotUtf8,
    /// An empty line where a header must be.
    #[error("an empty line where an assertion must begin")]
    Blank,
    /// A line has no colon, so it is no header.
    #[error("{0:?} is no header: a header is `name: value`")]
    NoColon(String),
    /// The text before the colon cannot be the name of a header.
    #[error("{0:?} is no header name: lower case letters and digits, words joined by single dashes, beginning with a letter")]
    Name(String),
    /// The same header appears twice.
    #[error("`{0}` is there twice")]
    Repeated(String),
    /// No space behind the colon.
    #[error("{0:?}: one space, or the end of the line, must follow the colon or dash")]
    NoSpace(String),
    /// No indented line follows a header that needs one.
    #[error("`{0}` has no value: what follows must be indented by {1} spaces")]
    NoValue(String, usize),
    /// A malformed number.
    #[error("`{0}` must be a decimal number without sign or leading zeros, not {1:?}")]
    Number(&'static str, String),
}

/// Makes a text short and harmless enough to be part of a sentence.
pub(super) fn cited(text: &str) -> String {
    let mut cited: String = text.chars().take(CITED).collect();
    if cited.len() < text.len() {
        cited.push('…');
    }
    cited
}

/// Readers of assertions keep numbers in 64 bits, one of which is the sign.
pub(super) const MAX_NUMBER: u64 = i64::MAX.unsigned_abs();

/// A decimal number as in headers: without sign and without leading zero.
pub(super) fn number(text: &str) -> Option<u64> {
    length(text).filter(|number| *number <= MAX_NUMBER)
}

/// The length of a file: the only number that may use all 64 bits.
pub(super) fn length(text: &str) -> Option<u64> {
    is_decimal(text).then(|| text.parse().ok()).flatten()
}

/// Is it written as a number, whatever its size?
pub(super) fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

/// Reads a stream of assertions from memory.
#[derive(Debug)]
pub struct Stream<'a> {
    whole: &'a [u8],
    at: usize,
    count: usize,
    failed: bool,
}

impl<'a> Stream<'a> {
    /// Reads from the first byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { whole: bytes, at: 0, count: 0, failed: false }
    }

    fn error(&self, line: Option<usize>, problem: Problem) -> TextError {
        TextError { assertion: self.count, line, problem }
    }

    fn line_at(&self, at: usize) -> usize {
        1 + self.whole[..at].iter().filter(|byte| **byte == b'\n').count()
    }

    fn read(&mut self) -> Result<Text, TextError> {
        let start = self.at;
        let rest = &self.whole[start..];
        if rest.starts_with("\u{feff}".as_bytes()) {
            return Err(self.error(Some(self.line_at(start)), Problem::ByteOrderMark));
        }
        let head_len = find(rest, MAX_HEADERS).map_err(|end| {
            let head = &rest[..rest.len().min(MAX_HEADERS)];
            let problem = match end {
                _ if head.windows(2).any(|pair| pair == b"\r\n") => Problem::CarriageReturn,
                Unended::Long => Problem::LongHeaders,
                Unended::Ended if rest.iter().all(|byte| *byte == b'\n') => Problem::Blank,
                Unended::Ended if std::str::from_utf8(rest).is_err() => Problem::NotUtf8,
                // A file that does not even begin as headers is reported by its kind.
                Unended::Ended => {
                    let head = rest.strip_suffix(b"\n").unwrap_or(rest);
                    return self.headers(start, head).err().unwrap_or_else(|| self.error(None, Problem::NoSignature));
                }
            };
            self.error(None, problem)
        })?;
        let headers = self.headers(start, &rest[..head_len])?;
        let body_len = self.body_length(&headers)?;
        let mut content_len = head_len;
        let mut body = Vec::new();
        if body_len == 0 && rest[head_len + SEPARATOR.len()..].starts_with(SEPARATOR) {
            // A body of length 0 between its separators: the first separator was signed.
            content_len += SEPARATOR.len();
        }
        if body_len > 0 {
            let from = head_len + SEPARATOR.len();
            body = rest.get(from..from + body_len).ok_or_else(|| self.error(None, Problem::Body(body_len)))?.to_vec();
            content_len = from + body_len;
            if !rest[content_len..].starts_with(SEPARATOR) {
                return Err(self.error(None, Problem::Body(body_len)));
            }
        }
        let behind = &rest[content_len + SEPARATOR.len()..];
        let (signature, taken) = match find(behind, MAX_SIGNATURE) {
            Ok(len) => (&behind[..len], len + SEPARATOR.len()),
            Err(Unended::Ended) => (behind, behind.len()),
            Err(Unended::Long) => return Err(self.error(None, Problem::LongSignature)),
        };
        if signature.iter().all(|byte| *byte == b'\n') {
            return Err(self.error(None, Problem::NoSignature));
        }
        self.at = start + content_len + SEPARATOR.len() + taken;
        Ok(Text { headers, body, content: rest[..content_len].to_vec(), signature: signature.to_vec() })
    }

    fn headers(&self, start: usize, head: &[u8]) -> Result<Headers, TextError> {
        let text = std::str::from_utf8(head).map_err(|invalid| {
            let line = self.line_at(start + invalid.valid_up_to());
            self.error(Some(line), Problem::NotUtf8)
        })?;
        let lines: Vec<&str> = text.split('\n').collect();
        // Lines are counted only when an error names one: a stream may have many thousand assertions.
        headers(&lines).map_err(|(line, problem)| self.error(Some(self.line_at(start) + line), problem))
    }

    fn body_length(&self, headers: &Headers) -> Result<usize, TextError> {
        let Some(value) = headers.get("body-length") else { return Ok(0) };
        let text = value.as_text().unwrap_or("a list or map");
        let wrong = |problem| self.error(None, problem);
        if !is_decimal(text) {
            return Err(wrong(Problem::Number("body-length", cited(text))));
        }
        match text.parse() {
            Ok(length) if length <= MAX_BODY => Ok(length),
            _ => Err(wrong(Problem::LongBody(cited(text)))),
        }
    }
}

impl Iterator for Stream<'_> {
    type Item = Result<Text, TextError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.at >= self.whole.len() {
            return None;
        }
        self.count += 1;
        let read = self.read();
        // After a broken assertion the beginning of the next one is unknown.
        self.failed = read.is_err();
        Some(read)
    }
}

/// Why a separator was not found.
enum Unended {
    /// The text ended inside a header.
    Ended,
    /// The separator is behind the limit.
    Long,
}

/// The position of the first separator within the limit.
fn find(bytes: &[u8], limit: usize) -> Result<usize, Unended> {
    let within = &bytes[..bytes.len().min(limit + SEPARATOR.len())];
    match within.windows(SEPARATOR.len()).position(|pair| pair == SEPARATOR) {
        Some(at) => Ok(at),
        None if within.len() < bytes.len() || bytes.len() > limit => Err(Unended::Long),
        None => Err(Unended::Ended),
    }
}

/// Matches `^[a-z](?:-?[a-z0-9])*$`, the name of a header.
pub(super) fn is_header_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && name.bytes().all(|byte| plain(byte) || byte == b'-')
        && !name.contains("--")
        && !name.ends_with('-')
}

/// The line, counted from zero, and what is wrong with it.
type Wrong = (usize, Problem);

fn headers(lines: &[&str]) -> Result<Headers, Wrong> {
    let mut headers = Headers::new();
    let mut at = 0;
    while at < lines.len() {
        if lines[at].is_empty() {
            return Err((at, Problem::Blank));
        }
        let (name, used) = name_of(lines[at], at)?;
        let (value, next) = entry(lines, at, used, 0)?;
        if headers.insert(name.to_owned(), value).is_some() {
            return Err((at, Problem::Repeated(cited(name))));
        }
        at = next;
    }
    Ok(headers)
}

/// The name in front of a colon, and the bytes that it takes with the colon.
fn name_of(entry: &str, at: usize) -> Result<(&str, usize), Wrong> {
    let carriage_return = entry.ends_with('\r');
    let colon =
        entry.find(':').ok_or_else(|| (at, if carriage_return { Problem::CarriageReturn } else { Problem::NoColon(cited(entry)) }))?;
    let name = &entry[..colon];
    if is_header_name(name) { Ok((name, colon + 1)) } else { Err((at, Problem::Name(cited(name)))) }
}

/// The value behind the first `used` bytes of line `at`, and the line behind it. A value that is nested deeper is indented further, so that
/// the limit on headers bounds the depth: some 360 levels fit.
fn entry(lines: &[&str], at: usize, used: usize, base: usize) -> Result<(Value, usize), Wrong> {
    let line = lines[at];
    let behind = &line[used..];
    if behind.is_empty() {
        return match lines.get(at + 1).and_then(|next| indented(next, base + 2)) {
            Some(rest) if rest.starts_with('-') => list(lines, at + 1, base),
            Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => map(lines, at + 1, base),
            _ => multiline(lines, at, base),
        };
    }
    match behind.strip_prefix(' ') {
        Some(text) => Ok((Value::Text(text.to_owned()), at + 1)),
        None => Err((at, Problem::NoSpace(cited(line)))),
    }
}

/// The rest of a line behind this many spaces.
fn indented(line: &str, by: usize) -> Option<&str> {
    let (spaces, rest) = line.split_at_checked(by)?;
    spaces.bytes().all(|byte| byte == b' ').then_some(rest)
}

fn multiline(lines: &[&str], at: usize, base: usize) -> Result<(Value, usize), Wrong> {
    let text: Vec<&str> = lines[at + 1..].iter().map_while(|line| indented(line, base + 4)).collect();
    if text.is_empty() {
        return Err((at, Problem::NoValue(cited(lines[at].trim()), base + 4)));
    }
    Ok((Value::Text(text.join("\n")), at + 1 + text.len()))
}

fn list(lines: &[&str], mut at: usize, base: usize) -> Result<(Value, usize), Wrong> {
    let mut items = Vec::new();
    while let Some(line) = lines.get(at)
        && indented(line, base + 2).is_some_and(|rest| rest.starts_with('-'))
    {
        let (item, next) = entry(lines, at, base + 3, base + 2)?;
        items.push(item);
        at = next;
    }
    Ok((Value::List(items), at))
}

fn map(lines: &[&str], mut at: usize, base: usize) -> Result<(Value, usize), Wrong> {
    let mut map = BTreeMap::new();
    while let Some(rest) = lines.get(at).and_then(|line| indented(line, base + 2)) {
        let (name, used) = name_of(rest, at)?;
        let (value, next) = entry(lines, at, base + 2 + used, base + 2)?;
        if map.insert(name.to_owned(), value).is_some() {
            return Err((at, Problem::Repeated(cited(name))));
        }
        at = next;
    }
    Ok((Value::Map(map), at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Vec<Text>, String> {
        Stream::new(text.as_bytes()).collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    fn headers_of(text: &str) -> Headers {
        read(&format!("{text}\n\nAcLB\n")).expect("it is well formed").remove(0).headers
    }

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    #[test]
    fn values_are_texts_lists_and_maps_nested_by_indentation() {
        let headers = headers_of("name: a value  with spaces \nempty: \nlist:\n  - one");
        assert_eq!(headers["name"], text("a value  with spaces "));
        assert_eq!(headers["empty"], text(""));
        assert_eq!(headers["list"], Value::List(vec![text("one")]));
        let headers = headers_of(
            "snaps:\n  -\n    id: abc\n    modes:\n      - run\n      - factory-reset\n    name: pc\n  -\n    name: pc-kernel\nlines:\n    one\n     two",
        );
        let Value::List(snaps) = &headers["snaps"] else { panic!("a list: {headers:?}") };
        let Value::Map(first) = &snaps[0] else { panic!("a map: {snaps:?}") };
        assert_eq!(first["modes"], Value::List(vec![text("run"), text("factory-reset")]));
        assert_eq!(snaps.len(), 2);
        assert_eq!(headers["lines"], text("one\n two"));
    }

    #[test]
    fn what_was_signed_is_kept_byte_for_byte() {
        let stream = "type: x\nbody-length: 3\n\na\n\n\n\nAcLB\nAcLC\n\ntype: y\n\nAcLD";
        let read = read(stream).expect("two assertions");
        assert_eq!(read[0].content, b"type: x\nbody-length: 3\n\na\n\n");
        assert_eq!(read[0].body, b"a\n\n");
        assert_eq!(read[0].signature, b"AcLB\nAcLC");
        assert_eq!(read[1].content, b"type: y");
        assert_eq!(read[1].encoded(), b"type: y\n\nAcLD\n");
        assert_eq!(read.len(), 2);
        let empty = super::tests::read("type: x\n\n\n\nAcLB\n\ntype: y\n\nAcLC\n").expect("a body of no bytes is a body");
        assert_eq!((empty[0].content.as_slice(), empty[0].body.len()), (b"type: x\n\n".as_slice(), 0), "its separator was signed");
        assert_eq!((empty[0].signature.as_slice(), empty.len()), (b"AcLB".as_slice(), 2));
    }

    #[test]
    fn what_is_not_an_assertion_is_named() {
        for (stream, words) in [
            ("type: x\r\n\r\nAcLB\r\n", "CR LF"),
            ("\u{feff}type: x\n\nAcLB", "byte order mark"),
            ("type: x\nname: y\n", "there is no signature"),
            ("type: x\n\n\n", "there is no signature"),
            ("\ntype: x\n\nAcLB", "line 1: an empty line"),
            ("type: x\n\nAcLB\n\n\n", "assertion 2: an empty line"),
            ("type: x\ntype: y\n\nAcLB", "line 2: `type` is there twice"),
            ("type: x\nm:\n  a: 1\n  a: 2\n\nAcLB", "line 4: `a` is there twice"),
            ("type:x\n\nAcLB", "must follow the colon"),
            ("Type: x\n\nAcLB", "\"Type\" is no header name"),
            ("a--b: x\n\nAcLB", "is no header name"),
            ("type\n\nAcLB", "\"type\" is no header"),
            ("type:\n\nAcLB", "has no value"),
            ("l:\n  -\ntype: x\n\nAcLB", "line 2: `-` has no value"),
            ("type: x\nbody-length: 4\n\nabc\n\nAcLB", "`body-length` = 4"),
            ("type: x\nbody-length: 2\n\nabc\n\nAcLB", "`body-length` = 2"),
            ("type: x\nbody-length: 02\n\nabc\n\nAcLB", "must be a decimal number"),
            ("type: x\nbody-length: -2\n\nabc\n\nAcLB", "must be a decimal number"),
            ("type: x\nbody-length: 99999999\n\nabc\n\nAcLB", "at most 2097152 bytes"),
            ("type: x\nbody-length: 99999999999999999999\n\nabc\n\nAcLB", "at most 2097152 bytes"),
            ("type: x\nbody-length: \n\nabc\n\nAcLB", "must be a decimal number"),
            ("type: x\n\n\n\n", "there is no signature"),
            ("{\"type\": \"model\"}", "is no header name"),
        ] {
            let error = read(stream).expect_err(stream);
            assert!(error.contains(words), "{stream:?}: {error}");
        }
        assert_eq!(Stream::new(b"").count(), 0, "an empty stream holds nothing");
        assert!(Stream::new(b"type: \xff\n\nAcLB").next().is_some_and(|read| read.is_err_and(|error| error.problem == Problem::NotUtf8)));
    }

    #[test]
    fn every_part_has_its_limit() {
        let long = "x".repeat(MAX_HEADERS);
        assert!(read(&format!("type: {long}\n\nAcLB")).is_err_and(|error| error.contains("the headers are longer")));
        assert!(
            read(&format!("type: x\n\n{}", "A".repeat(MAX_SIGNATURE + 1))).is_err_and(|error| error.contains("the signature is longer"))
        );
        let fits = "x".repeat(MAX_HEADERS - "type: ".len());
        assert!(read(&format!("type: {fits}\n\n{}", "A".repeat(MAX_SIGNATURE))).is_ok(), "exactly at the limit it is read");
        let deep: String = (0..400).map(|depth| format!("{}-\n", " ".repeat(2 * depth + 2))).collect();
        assert!(read(&format!("deep:\n{deep}\n\nAcLB")).is_err(), "nesting is bounded by the limit on headers");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _read = Stream::new(&bytes).count();
        }

        /// Input that is made of the format's own characters reaches deeper code than noise does.
        #[test]
        fn no_arrangement_of_its_signs_makes_it_panic(parts in prop::collection::vec(prop::sample::select(vec![
            "type", ": ", ":", "\n", "\n\n", "  ", "    ", "-", "- ", "a", "body-length: 3", "\r", "\u{feff}", "é", "AcLB",
        ]), 0..60)) {
            let stream = parts.concat();
            let read: Vec<_> = Stream::new(stream.as_bytes()).collect();
            let signed: usize = read.iter().flatten().map(|text| text.content.len() + text.signature.len()).sum();
            prop_assert!(signed <= stream.len(), "nothing is read twice");
        }
    }
}
