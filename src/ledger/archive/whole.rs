//! Archives and log together: verified as one chain, or read as one log.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::super::beginning::{self, ArchivedFile, Part, hex};
use super::super::chain::{self, Break, Head, Tampering};
use super::super::error::{Doing, LogError};
use super::super::format::PAGE;
use super::super::link::ORIGIN;
use super::super::new_file::NewFile;
use super::super::proof::Flaw;
use super::super::reader::LogReader;
use super::error::{ArchiveError, ArchiveFlaw, ArchiveProblem};
use crate::file;

/// A directory with archives. A command keeps one of these: each archive is digested once, however many logs it is read with.
#[derive(Debug)]
pub(crate) struct ArchiveFolder {
    path: PathBuf,
    /// Hexadecimal, by name.
    digests: RefCell<BTreeMap<String, String>>,
}

impl ArchiveFolder {
    /// The directory at `path`; nothing is read yet.
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), digests: RefCell::default() }
    }

    /// The path of this directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn digest_of(&self, name: &str) -> io::Result<String> {
        if let Some(known) = self.digests.borrow().get(name) {
            return Ok(known.clone());
        }
        let (digest, _bytes) = file::digest(&self.path.join(name))?;
        let digest = digest.to_hex().to_string();
        self.digests.borrow_mut().insert(name.to_owned(), digest.clone());
        Ok(digest)
    }

    /// The path of an archive that has the bytes it was written with.
    fn verified(&self, archive: &ArchivedFile, all: &[ArchivedFile]) -> Result<PathBuf, ArchiveFlaw> {
        let path = self.path.join(&archive.name);
        let flaw = |what| ArchiveFlaw { path: path.clone(), what };
        if fs::symlink_metadata(&path).is_err() {
            return Err(flaw(ArchiveProblem::Missing));
        }
        let blake3 = self.digest_of(&archive.name).map_err(|error| flaw(ArchiveProblem::Unreadable(error.to_string())))?;
        if blake3 == archive.blake3 {
            return Ok(path);
        }
        if let Some(with) = all.iter().find(|other| other.blake3 == blake3) {
            return Err(flaw(ArchiveProblem::Swapped { with: with.name.clone() }));
        }
        // The first event that was changed, if one was.
        let verified = LogReader::open(&path).and_then(|log| log.verify());
        Err(flaw(match verified {
            Ok(Err(found)) => ArchiveProblem::Flaw(found),
            Ok(Ok(_)) => ArchiveProblem::NotTheFile,
            Err(error) => ArchiveProblem::Unreadable(error.in_full()),
        }))
    }
}

/// A log with all its events: itself, or, if some of them are archived, a temporary file of all events.
#[derive(Debug)]
pub(crate) struct WholeLog {
    log: LogReader,
    /// Removed with this value.
    _file: Option<TempPath>,
}

impl WholeLog {
    /// Opens the log at `path`, with the archives in `folder` if one is named. That takes as much room in the directory for temporary files
    /// as all of them have, and their bytes are verified.
    ///
    /// # Errors
    /// If the log cannot be read, or an archive is not the one that was made.
    pub(crate) fn open(path: &Path, folder: Option<&ArchiveFolder>) -> Result<Self, ArchiveError> {
        let log = LogReader::open(path)?;
        let files = log.archives()?;
        let Some(folder) = folder.filter(|_| !files.is_empty()) else { return Ok(Self { log, _file: None }) };
        let temporary = std::env::temp_dir();
        let failed = |error| LogError::io(Doing::Copying, &temporary, error);
        let file = tempfile::Builder::new().prefix("flash-log-").suffix(".db").tempfile().map_err(failed)?.into_temp_path();
        let copying = |error| LogError::sqlite(Doing::Copying, &file, error);
        let new = NewFile::begin(&file, PAGE).map_err(copying)?;
        for archive in &files {
            let path = folder.verified(archive, &files)?;
            new.copy_events(&path, "true").map_err(copying)?;
        }
        let first = log.within(beginning::of)?.first;
        new.copy_events(path, &format!("seq >= {first}")).map_err(copying)?;
        new.finish().map_err(copying)?;
        Ok(Self { log: LogReader::open(&file)?, _file: Some(file) })
    }

    /// The log with its archived events, if archives were named.
    pub(crate) fn log(&self) -> &LogReader {
        &self.log
    }
}

impl LogReader {
    /// Verifies this log and its archives in `folder` as one chain, through `anchor` if one is given. Returns the head of the log.
    ///
    /// # Errors
    /// If the log cannot be read, or an archive does not hold.
    pub(crate) fn verify_with(&self, folder: &ArchiveFolder, anchor: Option<&Head>) -> Result<Result<Head, Flaw>, ArchiveError> {
        let verdict = match anchor {
            Some(anchor) => self.verify_through(anchor)?,
            None => self.verify()?,
        };
        let of_archive = matches!(verdict, Err(Flaw::InArchive { .. }));
        if verdict.is_err() && !of_archive {
            return Ok(verdict);
        }
        let files = self.archives()?;
        let mut hash = hex(&ORIGIN);
        for file in &files {
            let archive = LogReader::open(&folder.verified(file, &files)?)?;
            self.fits(&archive, file, &hash)?;
            hash.clone_from(&file.last_hash);
            if let Some(anchor) = anchor.filter(|_| of_archive)
                && let Ok(seq) = i64::try_from(anchor.count)
                && (file.first..=file.last).contains(&seq)
                && !archive.has_event_of(anchor)?
            {
                return Ok(Err(Flaw::Event(Break { seq: anchor.count, what: Tampering::Rewritten })));
            }
        }
        // The log itself holds from the last archived event on, whose hash it has.
        let begins = self.within(beginning::of)?;
        if begins.part == Part::Shortened && hex(&begins.prev) != hash {
            return Ok(Err(Flaw::Event(Break { seq: u64::try_from(begins.first).unwrap_or(0), what: Tampering::Changed })));
        }
        Ok(Ok(self.head()?))
    }

    /// Has this log, which holds, every event up to `anchor`? If that event is archived, it is read from its archive in `folder`: the inner
    /// error says why that archive does not tell.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn has_passed(&self, anchor: &Head, folder: &ArchiveFolder) -> Result<Result<bool, ArchiveFlaw>, LogError> {
        let name = match self.pass_through(anchor, self.head()?)? {
            Ok(_) => return Ok(Ok(true)),
            Err(Flaw::InArchive { file, .. }) => file,
            Err(_) => return Ok(Ok(false)),
        };
        let files = self.archives()?;
        let Some(file) = files.iter().find(|file| file.name == name) else { return Ok(Ok(false)) };
        Ok(folder.verified(file, &files).and_then(|path| {
            let compared = LogReader::open(&path).and_then(|archive| archive.has_event_of(anchor));
            compared.map_err(|error| ArchiveFlaw { path, what: ArchiveProblem::Unreadable(error.in_full()) })
        }))
    }

    /// Does this file have the event of `anchor`?
    fn has_event_of(&self, anchor: &Head) -> Result<bool, LogError> {
        let Ok(seq) = i64::try_from(anchor.count) else { return Ok(false) };
        Ok(self.within(|log| chain::at(log, seq))?.is_some_and(|event| event.hash == anchor.hash))
    }

    /// Verifies one archive: its events follow this hash, and end as the log records. What of them stayed in the log is the same.
    fn fits(&self, archive: &LogReader, file: &ArchivedFile, prev: &str) -> Result<(), ArchiveError> {
        let flaw = |what| ArchiveFlaw { path: archive.path().to_owned(), what };
        let begins = archive.within(beginning::of)?;
        let head = match archive.verify()? {
            Ok(head) => head,
            Err(found) => return Err(flaw(ArchiveProblem::Flaw(found)).into()),
        };
        let ends_so = i64::try_from(head.count) == Ok(file.last) && hex(&head.hash) == file.last_hash;
        if begins.part != Part::Archive || begins.first != file.first || hex(&begins.prev) != prev || !ends_so {
            return Err(flaw(ArchiveProblem::OtherEvents).into());
        }
        let kept = self.within(|log| {
            let mut query = log.prepare("SELECT seq, hash FROM event WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq")?;
            let events = query.query_map((file.first, file.last), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?)))?;
            events.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        for (seq, hash) in kept {
            if archive.within(|log| chain::at(log, seq))?.map(|event| event.hash) != Some(hash) {
                return Err(flaw(ArchiveProblem::NotAsKept { seq: u64::try_from(seq).unwrap_or(0) }).into());
            }
        }
        Ok(())
    }
}
