//! The text of a configuration, and errors that name a place in it.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use toml::Spanned;

use super::ImageCheck;
use crate::file;
use crate::station::port::Port;

/// The mistake in a configuration, its place, and the cure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("reading the configuration {path}: check the path and who may read it, or name another with --config")]
    Read {
        /// The configuration that could not be read.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// It is a directory, a pipe or a device.
    #[error("reading the configuration {path}: it is no regular file: name a file with --config")]
    NotAFile {
        /// The path that was given.
        path: PathBuf,
    },
    /// It changes all the time.
    #[error("reading the configuration {path}: it is being changed all the time: try again when it is whole")]
    Unsettled {
        /// The configuration that is still being written.
        path: PathBuf,
    },
    /// Its contents cannot be used.
    #[error("{}", InLine(.path, .line, .problem))]
    Wrong {
        /// The configuration that holds the mistake.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
        /// The mistake and the cure.
        problem: String,
        /// The text in the place of a port; the caller may be able to find the right port on this PC.
        misplaced: Option<String>,
    },
    /// Several mistakes: each as [`ConfigError::Wrong`], in the order of their lines.
    #[error("{}", Lines(.all))]
    Several {
        /// All mistakes, in the order of the file.
        all: Vec<ConfigError>,
    },
}

impl ConfigError {
    /// The same error. If a text stands in the place of a port that this PC has now, the error also names the port. `find` returns all
    /// ports that it may be.
    #[must_use]
    pub(crate) fn with_port(mut self, find: impl Fn(&str) -> Vec<Port>) -> Self {
        self.add_port(&find);
        self
    }

    fn add_port(&mut self, find: &dyn Fn(&str) -> Vec<Port>) {
        match self {
            Self::Wrong { problem, misplaced: Some(text), .. } => {
                let ports: Vec<String> = find(text).iter().map(|port| format!("{:?}", port.0)).collect();
                if !ports.is_empty() {
                    problem.push_str(&format!("; what is there now is in {}", ports.join(" or ")));
                }
            }
            Self::Several { all } => all.iter_mut().for_each(|error| error.add_port(find)),
            Self::Wrong { misplaced: None, .. } | Self::Read { .. } | Self::NotAFile { .. } | Self::Unsettled { .. } => {}
        }
    }

    fn line(&self) -> usize {
        if let Self::Wrong { line, .. } = self { *line } else { 0 }
    }
}

/// The mistakes in a configuration, as they are found.
#[derive(Default)]
pub(super) struct Mistakes(Vec<ConfigError>);

impl Mistakes {
    /// The value, or `None` if it is wrong, which is noted.
    pub(super) fn note<T>(&mut self, result: Result<T, ConfigError>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    /// Checks that there is no mistake so far.
    ///
    /// # Errors
    /// All mistakes so far.
    pub(super) fn none(&mut self) -> Result<(), ConfigError> {
        if self.0.is_empty() { Ok(()) } else { Err(self.all()) }
    }

    /// All mistakes as one error.
    pub(super) fn all(&mut self) -> ConfigError {
        let mut all = std::mem::take(&mut self.0);
        all.sort_by_key(ConfigError::line);
        if all.len() == 1 { all.remove(0) } else { ConfigError::Several { all } }
    }
}

struct Lines<'a>(&'a [ConfigError]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// The text of a configuration file, which is UTF-8.
pub(super) fn decode<'b>(path: &Path, bytes: &'b [u8]) -> Result<&'b str, ConfigError> {
    let wrong = |line, problem: &str| ConfigError::Wrong { path: path.to_owned(), line, problem: problem.to_owned(), misplaced: None };
    // The byte order mark of Windows; and a zero byte beside a letter, which occurs only in UTF-16.
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || bytes.iter().take(2).any(|byte| *byte == 0) {
        return Err(wrong(1, "the file is UTF-16: save it as UTF-8 (in Notepad: Save as, Encoding)"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        wrong(line, "the file is not UTF-8: save it as UTF-8, or write this line without accents")
    })
}

struct InLine<'a>(&'a Path, &'a usize, &'a str);

impl fmt::Display for InLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}", self.0.display(), self.1, self.2)
    }
}

/// A text with the means to report the place of a mistake.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

/// The number of the line, from 1, that has the byte at this offset.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}

impl Source<'_> {
    pub(super) fn wrong(&self, span: Range<usize>, problem: impl Into<String>) -> ConfigError {
        let line = line_at(self.text, span.start);
        ConfigError::Wrong { path: self.path.to_owned(), line, problem: problem.into(), misplaced: None }
    }

    /// The error for a text in the place of a port.
    pub(super) fn no_port(&self, text: &Spanned<String>, problem: String) -> ConfigError {
        match self.wrong(text.span(), format!("`ports`: {problem}")) {
            ConfigError::Wrong { path, line, problem, .. } => {
                ConfigError::Wrong { path, line, problem, misplaced: Some(text.get_ref().clone()) }
            }
            other => other,
        }
    }

    /// A name that people read on stickers and in tables: not empty, and without characters that would break a line.
    pub(super) fn name(&self, key: &str, name: &Spanned<String>) -> Result<String, ConfigError> {
        let text = name.get_ref();
        if text.trim().is_empty() || text.trim() != text || text.chars().any(char::is_control) {
            return Err(self.wrong(name.span(), format!("`{key}` must be a name without spaces around it, not {text:?}")));
        }
        Ok(text.clone())
    }
}

/// Checks a file that the configuration names, and, if requested, that it can be opened.
pub(super) fn named_file(
    source: &Source<'_>,
    base: &Path,
    key: &str,
    named: &Spanned<PathBuf>,
    images: ImageCheck,
) -> Result<PathBuf, ConfigError> {
    let path = base.join(named.get_ref());
    if images == ImageCheck::Proved
        && let Err(error) = file::open(&path)
    {
        let problem = format!("`{key}`: {}: {error}: correct the path, or copy the file there", path.display());
        return Err(source.wrong(named.span(), problem));
    }
    Ok(path)
}
