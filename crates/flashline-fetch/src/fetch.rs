//! Fetches one image: which digest it must have, what is here of it, what is missing, and its name when all of it is proven.
//!
//! ```text
//!  digest known ─▶ here already? ─▶ a part of it? ─▶ transfer ─▶ digest ─▶ flushed, read-only, named, unless it appeared meanwhile
//!                                                     ▲     │ ended early: again from there, a few times
//!                                                     └─────┘
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::{Digest, Hasher, digest_of};
use crate::error::{Broken, Bytes, FetchError, sentence};
use crate::job::{Job, Trust, is_name};
use crate::kept::{self, to_u64};
use crate::part::{self, Origin, Part};
use crate::progress::Progress;
use crate::room;
use crate::source::{SUMS, Source};
use crate::sums::{self, Sums};
use crate::transfer::{Opening, Piece, Resume, Transfer, small};

/// After so many bytes the free space is looked at again: others write to the disk, too.
const ROOM_STEP: u64 = 64 << 20;

/// An image that is here, whole and proven.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) path: PathBuf,
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
    /// It was fetched now, and was not here before.
    pub(crate) is_new: bool,
}

/// How much of an image is here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// All of it, proven.
    Here,
    /// So many bytes of it came so far.
    Part(u64),
    Missing,
    /// There is a file of that name, of which nothing is known, or another digest.
    Unproven,
}

/// What is to be fetched.
struct Wanted {
    source: Source,
    name: String,
    digest: Digest,
}

/// Fetches an image, unless it is here already.
///
/// # Errors
/// Nothing has its name then that had not before. A part of it may stay, from which the next run goes on.
pub(crate) fn fetch(job: &Job, progress: &mut dyn Progress) -> Result<Fetched, FetchError> {
    let wanted = resolve(job)?;
    let path = job.directory.join(&wanted.name);
    let is_new = !is_here_alone(job, &wanted, &path, progress)? && bring(job, &wanted, &path, progress)?;
    let bytes = fs::metadata(&path).map_err(|source| here("looking at", &path, source))?.len();
    Ok(Fetched { path, digest: wanted.digest, bytes: Bytes(bytes), is_new })
}

/// Fetches an image that is not here. Returns `false` if it came here by another way meanwhile.
fn bring(job: &Job, wanted: &Wanted, path: &Path, progress: &mut dyn Progress) -> Result<bool, FetchError> {
    fs::create_dir_all(&job.directory).map_err(|source| here("making", &job.directory, source))?;
    let part = Part::open(&job.directory, &wanted.name)?;
    // Another process may have finished it meanwhile.
    if is_here(path, wanted.digest, progress)? {
        part.discard()?;
        return Ok(false);
    }
    match Download::new(job, wanted, part).run(path, progress) {
        Ok(()) => {
            // Its name gave it another version than it was written as.
            let version = kept::Version::of(path).map_err(|source| here("looking at", path, source))?;
            kept::note(path, wanted.digest, version);
            Ok(true)
        }
        // What appeared may be the image itself. If it is another file, the part stays: it gets the name when that file is removed.
        Err(appeared @ FetchError::Appeared { .. }) => {
            if is_here_alone(job, wanted, path, progress)? {
                Ok(false)
            } else {
                Err(appeared)
            }
        }
        Err(other) => Err(other),
    }
}

/// Looks what is here of an image, and where: of the one that [`fetch`] would fetch now.
///
/// # Errors
/// If it cannot be known which one that is, or the place cannot be looked at.
pub(crate) fn look(job: &Job) -> Result<(PathBuf, State), FetchError> {
    let wanted = resolve(job)?;
    let path = job.directory.join(&wanted.name);
    let state = if is_file(&path)? {
        if kept::known(&path, wanted.digest.algorithm) == Some(wanted.digest) { State::Here } else { State::Unproven }
    } else {
        let part = part::path(&job.directory, &wanted.name);
        part::metadata_at(&part)?.map_or(State::Missing, |part| State::Part(part.len()))
    };
    Ok((path, state))
}

fn here(doing: &'static str, path: &Path, source: io::Error) -> FetchError {
    FetchError::Here { doing, path: path.to_owned(), source }
}

/// Which file it is, how it is to be called, and which digest it must have.
fn resolve(job: &Job) -> Result<Wanted, FetchError> {
    let from = || job.source.to_string();
    let is_directory = job.source.is_directory();
    let (source, digest) = match (&job.trust, &job.file) {
        (Trust::Digest(digest), _) if !is_directory => (job.source.clone(), *digest),
        (Trust::Digest(digest), Some(file)) => (job.source.within(file), *digest),
        (Trust::Digest(_), None) => return Err(FetchError::NoSums { from: from() }),
        (Trust::Sums(pinned), file) => {
            let list = if is_directory { job.source.within(SUMS) } else { job.source.beside(SUMS) };
            let bytes = small(&list, &job.limits, sums::LONGEST);
            let bytes = bytes.map_err(|source| FetchError::Broken { from: list.to_string(), source })?;
            if let Some(wanted) = *pinned {
                let found = digest_of(wanted.algorithm, &bytes);
                if found != wanted {
                    return Err(FetchError::WrongDigest { from: list.to_string(), found, wanted });
                }
            }
            let own = if is_directory { file.clone() } else { job.source.file_name() };
            let found = Sums::parse(&bytes).and_then(|sums| sums.digest_of(own.as_deref()));
            let (file, digest) = found.map_err(|source| FetchError::Sums { from: list.to_string(), source })?;
            (if is_directory { job.source.within(&file) } else { job.source.clone() }, digest)
        }
    };
    let name = job.name.clone().or_else(|| source.file_name()).ok_or_else(|| FetchError::NoName { from: from() })?;
    if is_name(&name) { Ok(Wanted { source, name, digest }) } else { Err(FetchError::BadName { name, from: from() }) }
}

/// Is there a file at this path?
fn is_file(path: &Path) -> Result<bool, FetchError> {
    match part::metadata_at(path)? {
        Some(metadata) if metadata.is_file() => Ok(true),
        Some(_other) => Err(here("looking at", path, io::Error::new(io::ErrorKind::InvalidInput, "it is no file"))),
        None => Ok(false),
    }
}

/// Is the wanted image here, under its name?
fn is_here(path: &Path, wanted: Digest, progress: &mut dyn Progress) -> Result<bool, FetchError> {
    if !is_file(path)? {
        return Ok(false);
    }
    let (found, read) = match kept::known(path, wanted.algorithm) {
        Some(found) => (found, None),
        None => {
            let (found, version) = kept::read(path, wanted.algorithm, progress).map_err(|source| here("reading", path, source))?;
            (found, Some(version))
        }
    };
    if found != wanted {
        return Err(FetchError::Other { path: path.to_owned(), found, wanted });
    }
    if let Some(version) = read {
        kept::note(path, found, version);
    }
    Ok(true)
}

/// Is the wanted image here? If so, a part of it is of no use any more, and is removed.
fn is_here_alone(job: &Job, wanted: &Wanted, path: &Path, progress: &mut dyn Progress) -> Result<bool, FetchError> {
    if !is_here(path, wanted.digest, progress)? {
        return Ok(false);
    }
    match part::clear(&job.directory, &wanted.name) {
        // If the part was a second name of the image, its removal gave the image another version, which is noted.
        Ok(true) => is_here(path, wanted.digest, progress),
        // The process that has the part finds the image itself.
        Ok(false) | Err(FetchError::Busy { .. }) => Ok(true),
        Err(error) => {
            progress.remark(&format!("it is here, and what an earlier run left beside it stays: {}", sentence(&error)));
            Ok(true)
        }
    }
}

/// A file on its way. `hasher` has seen exactly the bytes of `part`.
struct Download<'a> {
    job: &'a Job,
    wanted: &'a Wanted,
    part: Part,
    hasher: Hasher,
    /// Bytes of an earlier transfer are in it.
    is_resumed: bool,
    /// It was begun anew because what was here of it did not fit.
    is_anew: bool,
}

impl<'a> Download<'a> {
    fn new(job: &'a Job, wanted: &'a Wanted, part: Part) -> Self {
        let hasher = Hasher::new(wanted.digest.algorithm);
        Self { job, wanted, part, hasher, is_resumed: false, is_anew: false }
    }

    fn run(mut self, path: &Path, progress: &mut dyn Progress) -> Result<(), FetchError> {
        if self.resume().is_some() {
            self.part.hash(&mut self.hasher, progress)?;
        } else {
            self.begin_anew()?;
        }
        loop {
            // All of it may be here already: the program ended before it got its name.
            if self.hasher.digest() != self.wanted.digest || self.part.length() == 0 {
                self.transfer(progress)?;
            }
            let found = self.hasher.digest();
            if found == self.wanted.digest {
                return self.part.finish(path);
            }
            if !self.is_resumed || self.is_anew {
                self.part.discard()?;
                return Err(FetchError::WrongDigest { from: self.wanted.source.to_string(), found, wanted: self.wanted.digest });
            }
            progress.remark("its digest is wrong; what was here of it from before may be of another version: it is fetched anew");
            self.is_anew = true;
            self.begin_anew()?;
        }
    }

    fn begin_anew(&mut self) -> Result<(), FetchError> {
        self.part.begin_anew()?;
        self.hasher = Hasher::new(self.wanted.digest.algorithm);
        self.is_resumed = false;
        Ok(())
    }

    /// All that is missing, in as many attempts as it takes. One that brought something counts as the first.
    fn transfer(&mut self, progress: &mut dyn Progress) -> Result<(), FetchError> {
        let limits = &self.job.limits;
        let mut failures = 0;
        loop {
            let before = self.part.length();
            let broken = match self.attempt(progress) {
                Ok(()) => return Ok(()),
                Err(FetchError::Broken { source, .. }) => source,
                Err(other) => return Err(other),
            };
            if matches!(broken, Broken::OtherPart) && before > 0 && !self.is_anew {
                self.is_anew = true;
                self.begin_anew()?;
                continue;
            }
            failures = if self.part.length() > before { 1 } else { failures + 1 };
            if !broken.may_pass() || failures >= limits.tries {
                return Err(self.broken(broken));
            }
            progress.remark(&format!("{}; it is tried again in {:?}", sentence(&broken), limits.pause));
            std::thread::sleep(limits.pause);
        }
    }

    /// One transfer, from where the part ends, if the source is still the version that it is from.
    fn attempt(&mut self, progress: &mut dyn Progress) -> Result<(), FetchError> {
        let limits = &self.job.limits;
        let transfer = Transfer::begin(&self.wanted.source, self.resume(), limits).map_err(|broken| self.broken(broken))?;
        let mut looked = 0;
        loop {
            let piece = transfer.piece().map_err(|broken| self.broken(broken))?;
            let data = match piece {
                Piece::Opened(opening) => {
                    self.opened(&opening, progress)?;
                    looked = self.part.length();
                    continue;
                }
                Piece::Data(data) => data,
                Piece::End => return Ok(()),
            };
            let behind = self.part.length() + to_u64(data.len());
            if behind > limits.largest.0 {
                return Err(self.broken(Broken::TooLarge(limits.largest)));
            }
            if behind - looked >= ROOM_STEP {
                room::check(&self.job.directory, to_u64(data.len()), limits.keep_free)?;
                looked = behind;
            }
            self.part.append(&data)?;
            self.hasher.update(&data);
            progress.is_at(behind);
        }
    }

    /// The source has answered: is there room for what it promises, and does it go on where the part ends?
    fn opened(&mut self, opening: &Opening, progress: &mut dyn Progress) -> Result<(), FetchError> {
        let limits = &self.job.limits;
        if opening.from != self.part.length() {
            self.begin_anew()?;
        }
        self.is_resumed |= opening.from > 0;
        if opening.length.is_some_and(|length| length > limits.largest.0) {
            return Err(self.broken(Broken::TooLarge(limits.largest)));
        }
        let missing = opening.length.map_or(0, |length| length.saturating_sub(opening.from));
        room::check(&self.job.directory, missing, limits.keep_free)?;
        let origin = opening.validator.clone().map(|validator| Origin::new(self.wanted.source.to_string(), validator, self.wanted.digest));
        self.part.note_origin(origin.as_ref())?;
        progress.began("fetching", opening.from, opening.length);
        Ok(())
    }

    /// Where a transfer may go on; `None` if what is here is of no use for this source and this digest.
    fn resume(&self) -> Option<Resume> {
        let origin = self.part.origin()?;
        let same = Origin::new(self.wanted.source.to_string(), origin.validator.clone(), self.wanted.digest);
        let from = self.part.length();
        (from > 0 && origin == same).then_some(Resume { from, validator: origin.validator })
    }

    fn broken(&self, source: Broken) -> FetchError {
        FetchError::Broken { from: self.wanted.source.to_string(), source }
    }
}
