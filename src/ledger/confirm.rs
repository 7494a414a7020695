//! Confirms what the log holds after an error: an event counts when it was read back from the disk.
//!
//! As long as there was no error, a successful `fsync` is trusted: its pages were dirty. After an error it is not trusted. The pages whose
//! writing failed count as clean, SQLite finds what it wrote in memory, and the next `fsync` succeeds without writing a byte. A killed
//! process leaves such pages to the next one. So a log is *in doubt* after its opening and after every error, until one write has passed
//! all of these steps:
//!
//! 1. Every byte of the `-wal` is written again, which makes every page of it dirty, and flushed ([`on_disk::lay_down_anew`]). The
//!    descriptor is opened before, so that it reports every error since.
//! 2. The `-wal` is read from the disk, past the page cache. It must contain the written bytes, as far as SQLite counts its frames. When
//!    it is walked as after a power cut, it must have as many frames, and the events that are to be confirmed ([`Wal::walk`]). Later bytes
//!    are not checked: a commit whose flush failed leaves its frames there, complete and in order, and SQLite overwrites them.
//! 3. Only then are receipts sent.
//!
//! If this does not succeed although the disk works again, the log continues in new files ([`renew`]).
//!
//! # The checkpoint
//! SQLite moves pages from the `-wal` to the log's file, flushes that, and then writes the next event over the `-wal`'s beginning. It moves
//! only what it has not moved before, and takes the second flush's success for the first one's in the same way. So SQLite never decides
//! when this happens (`wal_autocheckpoint = 0`, no checkpoint at closing). When every page was moved, each is read from the disk and
//! compared; pages that differ are written again from the `-wal`, flushed, and compared again. Until this succeeds, nothing is written to
//! the log, because the next event could overwrite the only good copy.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::Ledger;
use super::error::{Doing, LogError, not_there};
use super::link::Link;
use super::on_disk::{self, CHUNK, DirectFile, FRAME_HEADER, LARGEST_PAGE, WAL_HEADER, Wal};
use super::renew::{self, Renewal, Which};
use crate::file::{beside, remove};
use crate::station::units::to_u64;

/// Number of frames in the `-wal` at which its pages are moved to the log's file: three quarters of the length to which the file is cut.
const CHECKPOINT_BYTES: u64 = 3 << 20;

/// The log's file, for accesses that do not go through SQLite.
///
/// Closing any descriptor of it would drop SQLite's own locks (`fcntl(2)`): these are closed after the last connection.
#[derive(Debug)]
pub(super) struct Files {
    wal: PathBuf,
    database: File,
    on_disk: DirectFile,
    #[cfg(test)]
    pub(super) shadow: Option<super::confirm_cases::Shadow>,
}

impl Files {
    pub(super) fn open(path: &Path) -> Result<Self, LogError> {
        let opening = |error| LogError::io(Doing::Opening, path, error);
        let database = OpenOptions::new().read(true).write(true).open(path).map_err(opening)?;
        let on_disk = DirectFile::open(path, LARGEST_PAGE).map_err(opening)?;
        Ok(Self {
            wal: beside(path, "-wal"),
            database,
            on_disk,
            #[cfg(test)]
            shadow: None,
        })
    }

    /// Opens it again while no connection is open: it may be another file.
    pub(super) fn open_again(&mut self, path: &Path) -> Result<(), LogError> {
        let opened = Self::open(path)?;
        (self.database, self.on_disk) = (opened.database, opened.on_disk);
        Ok(())
    }

    /// The `-wal` as it is on its disk.
    fn wal(&self, chunk: usize) -> io::Result<DirectFile> {
        #[cfg(test)]
        if let Some(shadow) = &self.shadow {
            return DirectFile::open(&shadow.wal(), chunk);
        }
        DirectFile::open(&self.wal, chunk)
    }

    /// The events that a new start would find in the `-wal`.
    fn walk(&self, frames: u64, events: &[Link]) -> io::Result<Wal> {
        Wal::walk(&mut self.wal(CHUNK)?, frames, events)
    }

    /// True if the first `length` bytes of the `-wal` are on the disk as they were written.
    fn lay_down_anew(&self, length: u64) -> io::Result<bool> {
        let written = on_disk::lay_down_anew(&self.wal, length)?;
        #[cfg(test)]
        if let Some(shadow) = &self.shadow {
            shadow.flushed(&self.wal, &shadow.wal());
        }
        Ok(on_disk::hash_of(&mut self.wal(CHUNK)?, length)? == written)
    }

    /// The pages whose contents on the disk differ from those in the `-wal`.
    fn differing(&mut self, wal: &Wal) -> io::Result<HashMap<u32, u64>> {
        let mut frames = self.wal(LARGEST_PAGE)?;
        frames.forget()?;
        self.on_disk.forget()?;
        #[cfg(test)]
        if let Some(shadow) = &self.shadow {
            self.on_disk = DirectFile::open(&shadow.database(), LARGEST_PAGE)?;
        }
        let mut differing = HashMap::new();
        let (mut moved, mut there) = (vec![0; wal.page], vec![0; wal.page]);
        let mut pages: Vec<_> = wal.pages.iter().collect();
        // In the order of the file, which is fastest for a disk.
        pages.sort_unstable();
        for (page, from) in pages {
            let whole = frames.read_exact_at(*from, &mut moved)?;
            if !whole || !self.on_disk.read_exact_at(place(*page, wal.page), &mut there)? || moved != there {
                differing.insert(*page, *from);
            }
        }
        Ok(differing)
    }

    /// Writes these pages from the `-wal` to the log's file and flushes it.
    fn move_again(&self, wal: &Wal, pages: &HashMap<u32, u64>) -> io::Result<()> {
        let mut frames = self.wal(LARGEST_PAGE)?;
        let mut page_of = vec![0; wal.page];
        for (page, from) in pages {
            if !frames.read_exact_at(*from, &mut page_of)? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.database.write_all_at(&page_of, place(*page, wal.page))?;
        }
        self.database.sync_all()?;
        #[cfg(test)]
        if let Some(shadow) = &self.shadow {
            shadow.flushed(&self.wal.with_file_name("flash-log.db"), &shadow.database());
        }
        Ok(())
    }
}

/// Pages are counted from one.
fn place(page: u32, bytes: usize) -> u64 {
    u64::from(page.saturating_sub(1)) * to_u64(bytes)
}

/// Number of frames in the `-wal`, and how many of them were moved to the log's file, as SQLite counts them; `mode` is a mode of its
/// checkpoint.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<(u64, u64)> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        let count = |column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0));
        Ok((count(1)?, count(2)?))
    })
}

/// Returns when the disk of the log at `path` answers, and its file system accepts changes. The request changes nothing.
pub(super) fn answers(path: &Path) -> io::Result<()> {
    // On a frozen file system, removing a name waits until it is thawed, even if there is no such name (`do_unlinkat`).
    let changes = remove(&beside(path, ".is-it-there"));
    // An error is an answer, too. No descriptor of the log's own file may be closed here.
    DirectFile::open(&beside(path, "-wal"), crate::device::aligned::ALIGNMENT)?.read_at(0, &mut [0])?;
    changes
}

impl Ledger {
    /// Writes the `-wal` anew and reads it back: with SQLite's contents and these events.
    pub(super) fn settle(&mut self, events: &[Link]) -> Result<(), LogError> {
        let writing = |error| LogError::io(Doing::Writing, &self.path, error);
        let (frames, _) = self.counted()?;
        let frame = to_u64(FRAME_HEADER).saturating_add(self.page_bytes()?);
        let same = self.files.lay_down_anew(to_u64(WAL_HEADER) + frames * frame).map_err(writing)?;
        let there = self.files.walk(frames, events).map_err(writing)?;
        renew::flush_names(&self.path).map_err(writing)?;
        // A `-wal` that was begun anew and has no frame yet keeps the old ones until there is one: they are in the log's file as well.
        if (frames > 0 && (!same || there.frames != frames)) || there.found.contains(&false) {
            return Err(writing(not_there("an event")));
        }
        Ok(())
    }

    /// Continues in new files: see [`renew`]. The connection is closed afterwards, and the caller opens another.
    pub(super) fn renew(&mut self, which: Which) -> Result<(), LogError> {
        let closed = Connection::open_in_memory().map_err(|error| LogError::sqlite(Doing::Renewing, &self.path, error))?;
        self.closed = true;
        drop(std::mem::replace(&mut self.connection, closed));
        let mut renewal = Renewal::of(&self.path, which);
        #[cfg(test)]
        renewal.shadow.clone_from(&self.files.shadow);
        let done = renewal.carry_out();
        if let Some(forsaken) = renewal.forsaken.take() {
            self.inode = forsaken.followed_by;
            self.forsaken = Some(forsaken);
        }
        done
    }

    /// Frames in the `-wal`, and how many of them were moved, as SQLite counts them.
    pub(super) fn counted(&self) -> Result<(u64, u64), LogError> {
        checkpoint(&self.connection, "NOOP").map_err(|error| LogError::sqlite(Doing::Writing, &self.path, error))
    }

    /// Bytes of a page.
    fn page_bytes(&self) -> Result<u64, LogError> {
        let page: rusqlite::Result<i64> = self.connection.pragma_query_value(None, "page_size", |row| row.get(0));
        page.map(|page| u64::try_from(page).unwrap_or(0)).map_err(|error| LogError::sqlite(Doing::Writing, &self.path, error))
    }

    /// Moves the contents of the `-wal` to the log's file, if there is enough and no reader needs it unchanged, and reads it back.
    pub(super) fn checkpoint(&mut self, at_least: u64) -> Result<(), LogError> {
        let (frames, moved) = self.counted()?;
        if frames == moved || frames.saturating_mul(self.page_bytes()?) < at_least {
            return Ok(());
        }
        // From here on the next event may overwrite the beginning of the `-wal`.
        self.unproven = true;
        checkpoint(&self.connection, "PASSIVE").map_err(|error| LogError::sqlite(Doing::Writing, &self.path, error))?;
        self.prove_checkpoint()
    }

    /// The same with the usual amount, after some dozens of events.
    pub(super) fn checkpoint_when_due(&mut self) -> Result<(), LogError> {
        self.checkpoint(CHECKPOINT_BYTES)
    }

    /// Reads every moved page back from the disk. Nothing is written to the log before this succeeded.
    pub(super) fn prove_checkpoint(&mut self) -> Result<(), LogError> {
        let (frames, moved) = self.counted()?;
        // The frames that are still needed in the `-wal` are not overwritten.
        if frames > 0 && frames == moved {
            let writing = |error| LogError::io(Doing::Writing, &self.path, error);
            let wal = self.files.walk(frames, &[]).map_err(writing)?;
            if wal.frames != frames {
                return Err(writing(not_there("the part of the `-wal` that must be moved to the log's file")));
            }
            let differing = self.files.differing(&wal).map_err(writing)?;
            if !differing.is_empty() {
                self.file_fails = true;
                tracing::warn!(pages = differing.len(), "pages of the flash log did not reach the disk, and are written again");
                self.files.move_again(&wal, &differing).map_err(writing)?;
                if !self.files.differing(&wal).map_err(writing)?.is_empty() {
                    return Err(writing(not_there("a page of the log")));
                }
            }
            self.file_fails = false;
        }
        self.unproven = false;
        Ok(())
    }

    /// Leaves one file behind that contains everything, if disk and readers allow it; otherwise the next opening does.
    pub(super) fn leave_whole(&mut self) -> Result<(), LogError> {
        if self.doubt || self.closed {
            return Ok(());
        }
        self.checkpoint(0)?;
        let (frames, moved) = self.counted()?;
        if frames == moved && !self.unproven {
            let writing = |error| LogError::sqlite(Doing::Writing, &self.path, error);
            self.connection.busy_timeout(Duration::ZERO).map_err(writing)?;
            checkpoint(&self.connection, "TRUNCATE").map_err(writing)?;
        }
        Ok(())
    }
}
