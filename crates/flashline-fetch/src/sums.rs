//! `SHA256SUMS`: the digests of the files of a release directory, as `sha256sum` writes them.

use crate::digest::{Algorithm, Digest, bytes_of};
use crate::error::harmless;

/// Longer than a list of ten thousand files.
pub(crate) const LONGEST: u64 = 1 << 20;
/// How many names an error lists.
const NAMES: usize = 8;

/// Why a list of digests cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SumsError {
    #[error(
        "line {line} is not as `sha256sum` writes it, 64 digits, two spaces and a name: make the list anew, by sha256sum * >SHA256SUMS"
    )]
    Line { line: usize },
    #[error("it is not UTF-8: make the list anew")]
    NotText,
    #[error("it does not name {name}; it names {known}: correct `file` or the name in `source`, or have the list made anew")]
    Missing { name: String, known: String },
    #[error("it names {known}: say by `file` which of them is the image")]
    NotOne { known: String },
    #[error("it has two different digests of {name}: make the list anew")]
    Twice { name: String },
    #[error("it names the file {name}, which is no name of a file in that directory: make the list there")]
    Name { name: String },
}

/// A list of names and digests.
#[derive(Debug)]
pub(crate) struct Sums(Vec<(String, [u8; 32])>);

impl Sums {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, SumsError> {
        let text = std::str::from_utf8(bytes).map_err(|_no_text| SumsError::NotText)?;
        let mut entries = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            if !line.trim().is_empty() {
                entries.push(entry(line).ok_or(SumsError::Line { line: number })?);
            }
        }
        Ok(Self(entries))
    }

    /// The digest of this file, or of the only one if no name is given.
    pub(crate) fn digest_of(&self, name: Option<&str>) -> Result<(String, Digest), SumsError> {
        let found: Vec<_> = self.0.iter().filter(|(known, _)| name.is_none_or(|name| name == known)).collect();
        let Some((first, bytes)) = found.first() else {
            return Err(SumsError::Missing { name: harmless(name.unwrap_or("any file")), known: self.names() });
        };
        if found.iter().any(|(other, _)| other != first) {
            return Err(SumsError::NotOne { known: self.names() });
        }
        if found.iter().any(|(_, other)| other != bytes) {
            return Err(SumsError::Twice { name: harmless(first) });
        }
        if first.contains('/') || matches!(first.as_str(), "." | "..") {
            return Err(SumsError::Name { name: harmless(first) });
        }
        Ok((first.clone(), Digest { algorithm: Algorithm::Sha256, bytes: *bytes }))
    }

    fn names(&self) -> String {
        if self.0.is_empty() {
            return "nothing".to_owned();
        }
        let mut names: Vec<String> = self.0.iter().take(NAMES).map(|(name, _)| harmless(name)).collect();
        if self.0.len() > NAMES {
            names.push(format!("{} more", self.0.len() - NAMES));
        }
        names.join(", ")
    }
}

/// A line: a backslash first if the name is escaped, the digest, a space, a space or an asterisk, the name (coreutils, `sha256sum`).
fn entry(line: &str) -> Option<(String, [u8; 32])> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let (line, is_escaped) = line.strip_prefix('\\').map_or((line, false), |line| (line, true));
    let (digest, name) = line.split_once(' ')?;
    let name = name.strip_prefix([' ', '*'])?;
    let name = if is_escaped { unescaped(name)? } else { name.to_owned() };
    let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
    (!name.is_empty()).then_some((name, bytes_of(digest)?))
}

fn unescaped(name: &str) -> Option<String> {
    let mut plain = String::new();
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => match letters.next()? {
                'n' => '\n',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fill: char, name: &str) -> String {
        format!("{}{name}\n", fill.to_string().repeat(64))
    }

    #[test]
    fn the_digest_of_a_file_is_found_as_sha256sum_wrote_it_and_every_doubt_is_an_error() {
        let text = [line('a', "  pi3.img.xz"), line('b', " *./pi4.img"), format!("\\{}", line('c', "  two\\nlines")), "\r\n".to_owned()];
        let sums = Sums::parse(text.concat().as_bytes()).expect("a list");
        let digest = |name| sums.digest_of(Some(name)).expect(name).1.bytes[0];
        assert_eq!((digest("pi3.img.xz"), digest("pi4.img"), digest("two\nlines")), (0xaa, 0xbb, 0xcc));
        let says = |error: Result<_, SumsError>, part: &str| {
            let error = error.map(|_: (String, Digest)| ()).expect_err(part).to_string();
            assert!(error.contains(part) && !error.contains('\n'), "{error}");
        };
        says(sums.digest_of(Some("pi5.img")), "does not name pi5.img; it names pi3.img.xz, pi4.img");
        says(sums.digest_of(None), "say by `file`");
        let of = |text: &str| Sums::parse(text.as_bytes()).and_then(|sums| sums.digest_of(None));
        assert_eq!(of(&line('a', "  pi3.img")).expect("the only one").0, "pi3.img");
        says(of(""), "it names nothing");
        says(of(&(line('a', "  pi3.img") + &line('b', "  pi3.img"))), "two different digests");
        says(of(&line('a', "  ../../etc/passwd")), "no name of a file in that directory");
        for wrong in ["pi3.img", &line('a', " pi3.img"), &line('g', "  pi3.img"), "SHA256 (pi3.img) = aa"] {
            says(of(wrong), "line 1 is not as `sha256sum` writes it");
        }
    }
}
