//! Appending: events are written in one transaction, each bound to the one before it, and are on disk when this returns.

use std::path::Path;

use nix::errno::Errno;
use nix::sys::statvfs::{FsFlags, statvfs};
use rusqlite::{FileControl, TransactionBehavior};

use super::Ledger;
use super::chain::{self, chained, insert};
use super::clock::Stamp;
use super::draft::Draft;
use super::error::{Doing, LogError, LogProblem};
use super::link::Link;
use crate::station::record::{Entry, Receipt};

impl Ledger {
    /// Makes an entry durable, with the present time. When this returns, the entry survives a power cut.
    ///
    /// # Errors
    /// If it is not known to be on disk. Trying again never records it twice.
    pub fn append(&mut self, entry: &Entry) -> Result<Option<Receipt>, LogError> {
        self.append_at(&Stamp::now(), entry)
    }

    /// The same for an entry of the time `stamp`.
    ///
    /// # Errors
    /// As [`Ledger::append`]; the same entry tried again with the same stamp is not recorded twice.
    pub fn append_at(&mut self, stamp: &Stamp, entry: &Entry) -> Result<Option<Receipt>, LogError> {
        self.append_all(&[(stamp, entry)])?;
        Ok(entry.receipt())
    }

    /// The same for several, in this order: either all of them are on disk, or none.
    ///
    /// # Errors
    /// As [`Ledger::append`]. After an error they may be tried again together or one by one, and none is recorded twice.
    pub fn append_all(&mut self, entries: &[(&Stamp, &Entry)]) -> Result<(), LogError> {
        let drafts: Vec<_> = entries.iter().map(|(stamp, entry)| Draft::of(entry, stamp, &self.station_name)).collect();
        self.write(&drafts)
    }

    /// Appends events in one transaction, which is on disk when this returns.
    ///
    /// If the log is in doubt, its present contents are confirmed before, and the new events are read back.
    pub(super) fn write(&mut self, drafts: &[Draft]) -> Result<(), LogError> {
        match self.try_to_write(drafts) {
            Ok(()) => {
                (self.vain, self.no_new_files) = (0, None);
                self.forsaken.take_if(|forsaken| forsaken.is_past());
                Ok(())
            }
            Err(error) if error.problem == LogProblem::Disk => {
                self.vain = self.vain.saturating_add(1);
                Err(error.and_no_new_files(self.no_new_files.as_deref()))
            }
            Err(error) => Err(error),
        }
    }

    fn try_to_write(&mut self, drafts: &[Draft]) -> Result<(), LogError> {
        if !self.closed && self.has_its_files().is_err() && self.is_where_it_was().is_ok() {
            // At once: data that is only in a file without a name is lost with this process.
            self.save_nameless()?;
        }
        if self.closed {
            self.is_where_it_was()?;
            self.connect_again()?;
        }
        let doubt = std::mem::replace(&mut self.doubt, true);
        if doubt {
            self.settle(&[])?;
        }
        if self.unproven {
            self.prove_checkpoint()?;
        }
        let (newest, events) = self.commit(drafts)?;
        if doubt {
            self.settle(&events)?;
        }
        self.newest = newest;
        self.doubt = false;
        // The events are durable as they are. If moving them fails, the next write notices.
        if let Err(error) = self.checkpoint_when_due() {
            tracing::warn!("{}", error.in_full());
        }
        Ok(())
    }

    /// Returns the newest of these events, and the hashes of all of them.
    fn commit(&mut self, drafts: &[Draft]) -> Result<((i64, Link), Vec<Link>), LogError> {
        let path = &self.path;
        let writing = |error| LogError::sqlite(Doing::Writing, path, error);
        #[cfg(test)]
        if let Some(pages) = &self.page_limit {
            let pages = pages.load(std::sync::atomic::Ordering::SeqCst);
            self.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).map_err(writing)?;
        }
        // SQLite would continue to write into a file without a name, and report no error.
        let mut moved = 0;
        self.connection.file_control(Some("main"), FileControl::HasMoved(&mut moved)).map_err(writing)?;
        if moved != 0 {
            return Err(LogError::new(Doing::Writing, path, LogProblem::Moved));
        }
        self.has_its_files()?;
        may_be_written(path)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(writing)?;
        let Some(mut newest) = chain::newest(&transaction).map_err(writing)? else {
            return Err(LogError::new(Doing::Writing, path, LogProblem::Broken { seq: 1 }));
        };
        // After an error the last attempt may have reached the disk all the same: an event that is found there is not written again.
        let mut known = self.newest;
        let mut unknown = newest.seq > known.0;
        let mut written = false;
        let mut events = Vec::new();
        for draft in drafts {
            let body = draft.body(&transaction).map_err(writing)?;
            if unknown {
                let there = chain::at(&transaction, known.0 + 1).map_err(writing)?;
                if let Some(there) = there.filter(|there| there.kind == draft.kind && there.at == draft.at && there.body == body) {
                    known = (there.seq, there.hash);
                    events.push(there.hash);
                    unknown = newest.seq > known.0;
                    continue;
                }
                unknown = false;
            }
            newest = chained(&self.station, Some(&newest), &draft.kind, draft.at, body);
            insert(&transaction, &newest).map_err(writing)?;
            known = (newest.seq, newest.hash);
            events.push(newest.hash);
            written = true;
        }
        if written {
            transaction.commit().map_err(writing)?;
            may_be_written(path)?;
            self.has_its_files()?;
        }
        Ok((known, events))
    }
}

/// If a file system becomes read-only under an open file, it still accepts writes into memory, and answers `fsync` with success without
/// writing anything (ext4): SQLite does not notice.
fn may_be_written(path: &Path) -> Result<(), LogError> {
    let writing = |errno: Errno| LogError::io(Doing::Writing, path, errno.into());
    if statvfs(path).map_err(writing)?.flags().contains(FsFlags::ST_RDONLY) { Err(writing(Errno::EROFS)) } else { Ok(()) }
}
