//! The configuration, `/etc/flashline/fetch.toml`: which images, from where, with which digests. A mistake is named with its line and its cure.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::digest::Digest;
use crate::error::Bytes;
use crate::job::{DIRECTORY, GB, Job, KEEP_FREE_GB, LIMIT_GB, Limits, STALL_S, TRIES, Trust, TrustError, is_name};
use crate::source::Source;

/// Where a packaged `flashline-fetch` has its configuration.
pub(crate) const DEFAULT_PATH: &str = "/etc/flashline/fetch.toml";
/// The longest wait for a piece: a source that sends nothing for an hour sends nothing.
const MOST_STALL_S: u64 = 3600;
/// More tries in a row than that are a source that does not work.
const MOST_TRIES: u64 = 100;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("reading the configuration {path}: check the path and who may read it, or name another with --config")]
    Read { path: PathBuf, source: io::Error },
    #[error("{}", Lines(.path, .mistakes))]
    Wrong { path: PathBuf, mistakes: Vec<Mistake> },
    #[error("there is no image {name:?} in {path}: its images are {known}")]
    NoSuchImage { name: String, path: PathBuf, known: String },
}

/// A mistake with its line.
#[derive(Debug)]
pub(crate) struct Mistake {
    line: usize,
    problem: String,
}

struct Lines<'a>(&'a Path, &'a [Mistake]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> =
            self.1.iter().map(|mistake| format!("{}, line {}: {}", self.0.display(), mistake.line, mistake.problem)).collect();
        f.write_str(&lines.join("\n"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    directory: Option<Spanned<PathBuf>>,
    limit_gb: Option<Spanned<u64>>,
    keep_free_gb: Option<Spanned<u64>>,
    stall_s: Option<Spanned<u64>>,
    tries: Option<Spanned<u64>>,
    #[serde(default)]
    image: Vec<Spanned<ImageTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageTable {
    name: Option<Spanned<String>>,
    source: Spanned<String>,
    file: Option<Spanned<String>>,
    digest: Spanned<String>,
    sums: Option<Spanned<String>>,
    to: Option<Spanned<PathBuf>>,
}

/// Reads and validates it.
///
/// # Errors
/// All mistakes; if the text is no TOML or a key is unknown, the first of these.
pub(crate) fn read(path: &Path) -> Result<Vec<Job>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    of_text(&text).map_err(|mistakes| ConfigError::Wrong { path: path.to_owned(), mistakes })
}

/// What an image is called by people: its name here, or at its source.
pub(crate) fn called(job: &Job) -> String {
    job.name.clone().or_else(|| job.file.clone()).or_else(|| job.source.file_name()).unwrap_or_else(|| job.source.to_string())
}

/// A text in which mistakes are found.
struct Reading<'a> {
    text: &'a str,
    mistakes: Vec<Mistake>,
}

fn of_text(text: &str) -> Result<Vec<Job>, Vec<Mistake>> {
    let mut reading = Reading { text, mistakes: Vec::new() };
    let file: File = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            reading.mistake(error.span().map_or(0, |span| span.start), translated(error.message()));
            return Err(reading.mistakes);
        }
    };
    let limits = Limits {
        largest: Bytes(reading.number("limit_gb", file.limit_gb, 1, u64::MAX / GB, LIMIT_GB) * GB),
        keep_free: Bytes(reading.number("keep_free_gb", file.keep_free_gb, 0, u64::MAX / GB, KEEP_FREE_GB) * GB),
        stall: Duration::from_secs(reading.number("stall_s", file.stall_s, 1, MOST_STALL_S, STALL_S)),
        tries: u32::try_from(reading.number("tries", file.tries, 1, MOST_TRIES, u64::from(TRIES))).unwrap_or(TRIES),
        ..Limits::default()
    };
    let directory = reading.directory("directory", file.directory).unwrap_or_else(|| DIRECTORY.into());
    let mut jobs: Vec<Job> = Vec::new();
    for table in file.image {
        let start = table.span().start;
        if let Some(job) = reading.job(table.into_inner(), &directory, &limits) {
            if jobs.iter().any(|other| (&other.directory, called(other)) == (&job.directory, called(&job))) {
                reading.mistake(start, format!("two images would be called {} here: give one another `name`", called(&job)));
            }
            jobs.push(job);
        }
    }
    if reading.mistakes.is_empty() { Ok(jobs) } else { Err(reading.mistakes) }
}

impl Reading<'_> {
    fn mistake(&mut self, at: usize, problem: impl Into<String>) {
        let line = self.text.get(..at).unwrap_or(self.text).matches('\n').count() + 1;
        self.mistakes.push(Mistake { line, problem: problem.into() });
    }

    /// The value, or `None` if it is wrong, which is noted.
    fn noted<T, E: fmt::Display>(&mut self, key: &str, at: usize, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.mistake(at, format!("`{key}`: {error}"))).ok()
    }

    fn number(&mut self, key: &str, value: Option<Spanned<u64>>, least: u64, most: u64, default: u64) -> u64 {
        let Some(value) = value else { return default };
        if (least..=most).contains(value.get_ref()) {
            return *value.get_ref();
        }
        self.mistake(value.span().start, format!("`{key}` is from {least} to {most}, and not {}: {default} is usual", value.get_ref()));
        default
    }

    fn directory(&mut self, key: &str, value: Option<Spanned<PathBuf>>) -> Option<PathBuf> {
        let value = value?;
        if value.get_ref().is_absolute() {
            return Some(value.into_inner());
        }
        self.mistake(value.span().start, format!("`{key}` is a directory by its path from the root, as {DIRECTORY}"));
        None
    }

    fn job(&mut self, table: ImageTable, directory: &Path, limits: &Limits) -> Option<Job> {
        let ImageTable { name, source, file, digest, sums, to } = table;
        let at = source.span().start;
        let source = self.noted("source", at, source.get_ref().parse::<Source>());
        for (key, text) in [("name", &name), ("file", &file)] {
            if let Some(text) = text.as_ref().filter(|text| !is_name(text.get_ref())) {
                self.mistake(
                    text.span().start,
                    format!("`{key}` is the name of a file, without a / and no . first, and not {:?}", text.get_ref()),
                );
            }
        }
        if let Some(file) = file.as_ref().filter(|_| source.as_ref().is_some_and(|source| !source.is_directory())) {
            self.mistake(file.span().start, "`file` names a file of a release directory, and `source` names a file: put a / at the end of `source`, or leave `file` out");
        }
        let trust = self.trust(&digest, sums.as_ref(), source.as_ref());
        let directory = if to.is_some() { self.directory("to", to) } else { Some(directory.to_owned()) };
        let [name, file] = [name, file].map(|text| text.map(Spanned::into_inner));
        Some(Job { name, source: source?, file, trust: trust?, directory: directory?, limits: limits.clone() })
    }

    fn trust(&mut self, digest: &Spanned<String>, sums: Option<&Spanned<String>>, source: Option<&Source>) -> Option<Trust> {
        let at = digest.span().start;
        let pinned = match sums {
            Some(sums) => Some(self.noted("sums", sums.span().start, sums.get_ref().parse::<Digest>())?),
            None => None,
        };
        let trust = Trust::of(digest.get_ref(), pinned, source.is_some_and(Source::is_open_to_the_network));
        let key = trust.as_ref().map_or_else(TrustError::key, |_trust| "digest");
        self.noted(key, sums.filter(|_| key == "sums").map_or(at, |sums| sums.span().start), trust)
    }
}

/// The words of the parser, as people read them.
fn translated(message: &str) -> String {
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let names = quoted(rest);
        let (unknown, known) = names.split_first().map(|(unknown, known)| (unknown.as_str(), known.join(", "))).unwrap_or_default();
        return format!("unknown key `{unknown}`: the keys here are {known}");
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        return format!("{} is missing: every [[image]] has `source` and `digest`", rest.trim());
    }
    format!("{}; fetch.example.toml shows every key", message.trim().replace('\n', ", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn image(lines: &str) -> String {
        format!("[[image]]\n{lines}\n")
    }

    #[test]
    fn the_example_is_a_configuration_and_shows_every_key_with_its_default() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fetch.example.toml")).expect("it is there");
        let jobs = of_text(&text).unwrap_or_else(|mistakes| panic!("{}", Lines(Path::new("fetch.example.toml"), &mistakes)));
        assert_eq!(jobs.len(), 3, "by digest, by a pinned SHA256SUMS, and by one of a trusted directory");
        let limits = &jobs[0].limits;
        let usual = Limits::default();
        assert_eq!(
            (limits.largest, limits.keep_free, limits.stall, limits.tries),
            (usual.largest, usual.keep_free, usual.stall, usual.tries)
        );
        assert_eq!(jobs[0].directory, Path::new(DIRECTORY));
        let keys = ["directory", "limit_gb", "keep_free_gb", "stall_s", "tries", "name", "source", "file", "digest", "sums", "to"];
        for key in keys {
            assert!(text.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}");
        }
        let packed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/fetch.toml")).expect("it is there");
        assert_eq!(of_text(&packed).expect("it is good").len(), 0, "what is packed fetches nothing");
    }

    #[test]
    fn every_mistake_is_named_with_its_line_its_key_and_a_cure() {
        let good = format!("source = \"https://h.example/pi3.img\"\ndigest = \"{DIGEST}\"");
        for (text, says) in [
            (image(&format!("{good}\nspeed = 3")), "line 4: unknown key `speed`: the keys here are name, source"),
            ("limit = 3\n".to_owned(), "line 1: unknown key `limit`: the keys here are directory, limit_gb"),
            (image("source = \"/a.img\""), "`digest` is missing"),
            (image("source = \"/a.img\"\ndigest = \"md5:00\""), "line 3: `digest`: \"md5:00\" is no digest"),
            (image(&format!("source = \"a.img\"\ndigest = \"{DIGEST}\"")), "line 2: `source`: \"a.img\" is no path from the root"),
            (image(&format!("{good}\nname = \"../a.img\"")), "line 4: `name` is the name of a file"),
            (image(&format!("{good}\nfile = \"a.img\"")), "line 4: `file` names a file of a release directory"),
            (image(&format!("{good}\nsums = \"{DIGEST}\"")), "line 4: `sums`: it is the digest of SHA256SUMS"),
            (image(&format!("{good}\nto = \"images\"")), "line 4: `to` is a directory by its path from the root"),
            (image("source = \"http://h.example/48/\"\ndigest = \"SHA256SUMS\""), "line 3: `digest`: anybody on the network"),
            (image(&good) + &image(&good), "line 4: two images would be called pi3.img here"),
            ("stall_s = 0\n".to_owned(), "line 1: `stall_s` is from 1 to 3600, and not 0"),
            ("stall_s = \"a\"\n".to_owned(), "line 1: "),
            ("directory\n".to_owned(), "line 1: "),
        ] {
            let mistakes = of_text(&text).map(|_jobs| ()).expect_err(says);
            let words = Lines(Path::new("fetch.toml"), &mistakes).to_string();
            assert!(words.contains(says), "{says}: {words}");
        }
        let pinned = image(&format!("source = \"http://h.example/48/\"\ndigest = \"SHA256SUMS\"\nsums = \"{DIGEST}\""));
        assert_eq!(of_text(&pinned).expect("its list has a digest").len(), 1);
    }
}
