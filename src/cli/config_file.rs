//! The text of a configuration file, edited: what is not changed stays as it was written, comments included.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table};

use crate::config::{self, ConfigError, DEFAULT_STATE, ImageCheck, LOG_FILE};
use crate::file::{self, Access, directory_of};

/// Why a configuration cannot be edited.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum FileError {
    #[error("{doing} {path}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{path} cannot be read as TOML: correct it first; `flashline check` names the line")]
    Syntax { path: PathBuf, source: toml_edit::TomlError },
    #[error("{path}: `{key}` is not written as [[{key}]] tables, which is the only form this command can add to: rewrite it so first")]
    Form { path: PathBuf, key: &'static str },
    #[error("there are several models, {known}: say with --model which one new slots are for")]
    WhichModel { known: String },
    #[error("there is no model {model:?} in {path}: use one of {known}, or add a [[model]] table first")]
    NoSuchModel { model: String, path: PathBuf, known: String },
    #[error("the change would make a configuration that is wrong, so nothing is written")]
    Spoilt(#[source] ConfigError),
    #[error("{path} was changed by somebody else meanwhile, so nothing is written: run this again")]
    Changed { path: PathBuf },
}

/// A configuration file, there or not yet.
#[derive(Debug)]
pub(in crate::cli) struct ConfigFile {
    /// As it was named: what it says is beside it is beside the link.
    named: PathBuf,
    /// Where it really is: a link stays a link.
    path: PathBuf,
    before: Option<String>,
    /// The text, in which the caller changes tables.
    pub(in crate::cli) document: DocumentMut,
}

impl ConfigFile {
    pub(in crate::cli) fn read(path: &Path) -> Result<Self, FileError> {
        let mut text = String::new();
        let before = match file::open(path).and_then(|mut file| file.read_to_string(&mut text)).map(|_| text) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(FileError::Io { doing: "reading the configuration", path: path.to_owned(), source }),
        };
        let named = path.to_owned();
        let path = if before.is_some() { fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()) } else { path.to_owned() };
        let text = before.as_deref().unwrap_or_default();
        let document: DocumentMut = text.parse().map_err(|source| FileError::Syntax { path: path.clone(), source })?;
        for key in ["slot", "model"] {
            if document.get(key).is_some_and(|item| !item.is_array_of_tables()) {
                return Err(FileError::Form { path, key });
            }
        }
        Ok(Self { named, path, before, document })
    }

    pub(in crate::cli) fn path(&self) -> &Path {
        &self.path
    }

    /// A path as the configuration means it: from its own directory.
    pub(in crate::cli) fn beside(&self, path: &Path) -> PathBuf {
        self.named.parent().unwrap_or(Path::new(".")).join(path)
    }

    /// The flash log that a station with this configuration writes.
    pub(in crate::cli) fn log(&self) -> PathBuf {
        let state = self.document.get("station").and_then(|station| station.get("state")?.as_str()).unwrap_or(DEFAULT_STATE);
        self.beside(Path::new(state)).join(LOG_FILE)
    }

    pub(in crate::cli) fn tables(&self, key: &str) -> impl Iterator<Item = &Table> {
        self.document.get(key).and_then(Item::as_array_of_tables).into_iter().flatten()
    }

    /// Writes it in one step, with the owner and the mode it had, and keeps the file before as a copy beside it. Answers the copy.
    pub(in crate::cli) fn write(&self) -> Result<Option<PathBuf>, FileError> {
        let io = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| FileError::Io { doing, path, source }
        };
        let text = self.document.to_string();
        let proved = config::prove(&self.named, &text, ImageCheck::Unseen);
        let was_good = self.before.as_ref().is_none_or(|before| config::prove(&self.named, before, ImageCheck::Unseen).is_ok());
        if let (Err(error), true) = (proved, was_good) {
            return Err(FileError::Spoilt(error));
        }
        if self.before.is_some() && fs::read_to_string(&self.path).ok() != self.before {
            return Err(FileError::Changed { path: self.path.clone() });
        }
        let directory = directory_of(&self.path);
        fs::create_dir_all(directory).map_err(io("making the directory", directory))?;
        let copy = match &self.before {
            Some(before) => {
                let copy = file::beside(&self.path, &crate::zone::now().strftime(".%Y%m%d-%H%M%S.bak").to_string());
                self.replace(&copy, before).map_err(io("writing the copy", &copy))?;
                Some(copy)
            }
            None => None,
        };
        self.replace(&self.path, &text).map_err(io("writing", &self.path))?;
        Ok(copy)
    }

    /// Puts back what was there before [`ConfigFile::write`], and removes the copy that it kept.
    pub(in crate::cli) fn take_back(&self, copy: Option<&Path>) -> Result<(), FileError> {
        let io = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| FileError::Io { doing, path, source }
        };
        if fs::read_to_string(&self.path).ok() != Some(self.document.to_string()) {
            return Err(FileError::Changed { path: self.path.clone() });
        }
        match &self.before {
            Some(before) => self.replace(&self.path, before).map_err(io("writing", &self.path))?,
            None => fs::remove_file(&self.path).map_err(io("removing", &self.path))?,
        }
        copy.map_or(Ok(()), |copy| fs::remove_file(copy).map_err(io("removing", copy)))
    }

    /// The table of this model, to be changed.
    pub(in crate::cli) fn model_mut(&mut self, model: &str) -> Option<&mut Table> {
        let tables = self.document.get_mut("model").and_then(Item::as_array_of_tables_mut)?;
        tables.iter_mut().find(|table| name(table) == model)
    }

    /// Writes a file with the owner and the mode of the configuration.
    fn replace(&self, path: &Path, text: &str) -> io::Result<()> {
        file::replace(path, Access::Like(&self.path), text.as_bytes())
    }
}

/// The name of a model or slot.
pub(in crate::cli) fn name(table: &Table) -> String {
    table.get("name").and_then(Item::as_str).unwrap_or_default().to_owned()
}
