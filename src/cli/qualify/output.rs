//! The files that a qualification makes: the page for the wall, and the file for Flashline's makers.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::file::directory_of;
use crate::qualify::facts::SlotFacts;
use crate::qualify::{page, sent};

/// Why a file cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    /// A device, a directory or a pipe is there.
    #[error("{0} is not a regular file: name another one")]
    NotAFile(PathBuf),
    /// Both options name one file.
    #[error("--page and --send name one file, {0}: name two")]
    Same(PathBuf),
    /// The system gave an error.
    #[error("writing {path}")]
    Io {
        /// The file that was named.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

/// The files, which take their names when they are complete.
pub(super) struct Output {
    page: Option<Pending>,
    send: Option<Pending>,
}

struct Pending {
    path: PathBuf,
    file: NamedTempFile,
}

impl Output {
    /// Makes sure that both files can be written.
    pub(super) fn of(page: Option<&Path>, send: Option<&Path>) -> Result<Self, OutputError> {
        if let Some(path) = page.filter(|page| send.is_some_and(|send| send == *page)) {
            return Err(OutputError::Same(path.to_owned()));
        }
        Ok(Self { page: page.map(Pending::at).transpose()?, send: send.map(Pending::at).transpose()? })
    }

    /// Writes what was asked for.
    pub(super) fn write(self, station: &str, config: &Path, all: &[SlotFacts]) -> Result<(), OutputError> {
        let program = env!("CARGO_PKG_VERSION");
        let today = crate::zone::now().date().to_string();
        if let Some(pending) = self.page {
            pending.complete(&page::page(station, config, program, &today, all))?;
        }
        if let Some(pending) = self.send {
            let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
            pending.complete(&sent::file(program, kernel.trim(), &today, all))?;
        }
        Ok(())
    }
}

impl Pending {
    /// Nothing but a regular file is replaced: a device that is named here by mistake keeps its node.
    fn at(path: &Path) -> Result<Self, OutputError> {
        match fs::symlink_metadata(path) {
            Ok(metadata) if !metadata.is_file() => return Err(OutputError::NotAFile(path.to_owned())),
            _ => {}
        }
        let made = tempfile::Builder::new().prefix(".flashline-").tempfile_in(directory_of(path));
        let file = made.map_err(|source| OutputError::Io { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file })
    }

    fn complete(mut self, text: &str) -> Result<(), OutputError> {
        let failed = |path: &Path, source| OutputError::Io { path: path.to_owned(), source };
        let written = self.file.write_all(text.as_bytes()).and_then(|()| {
            let file = self.file.as_file();
            file.set_permissions(Permissions::from_mode(0o644)).and_then(|()| file.sync_all())
        });
        written.map_err(|source| failed(&self.path, source))?;
        self.file.persist(&self.path).map(drop).map_err(|error| failed(&self.path, error.error))
    }
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_made_is_told_before_anything_is_erased_and_a_device_is_none() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        assert!(matches!(Output::of(Some(Path::new("/dev/null")), None), Err(OutputError::NotAFile(_))));
        assert!(matches!(Output::of(None, Some(directory.path())), Err(OutputError::NotAFile(_))));
        assert!(matches!(Output::of(None, Some(&at("none/file"))), Err(OutputError::Io { .. })));
        assert!(matches!(Output::of(Some(&at("one")), Some(&at("one"))), Err(OutputError::Same(_))));
    }

    #[test]
    fn a_file_is_there_only_when_it_is_complete_and_an_earlier_one_stays_until_then() {
        let directory = tempfile::tempdir().expect("a directory");
        let page = directory.path().join("page.txt");
        fs::write(&page, "earlier").expect("written");
        drop(Output::of(Some(&page), None).expect("it can be written"));
        assert_eq!(fs::read_to_string(&page).expect("there"), "earlier", "a run that was stopped");
        Output::of(Some(&page), None).expect("it can be written").write("line 3", Path::new("config.toml"), &[]).expect("written");
        assert!(fs::read_to_string(&page).expect("there").contains("station line 3"));
        assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 1, "nothing else is left");
    }
}
