//! Remembers makes of devices that fail when they are asked to flush, so that each make is asked only once.
//!
//! ```text
//! STATE/unanswered.json   ["05e3:0749 revision 0200", …]   vendor, product and revision; delete a line, and that make is asked again
//! ```
//! A make is remembered if a device of it was silent, was reset by the question or left the bus. A card that leaves at that moment may also
//! have been pulled: its make is remembered if it is back in the same place at once, or if it happens twice. A file that cannot be written
//! is written at the next answer; until then the memory lasts as long as the process. No caller waits for the file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::device::FlushAnswer;

/// A device that leaves the bus when it is asked is back within seconds. A card that is put in again takes about as long, but was hardly
/// pulled at that moment.
const BACK_AT_ONCE: Duration = Duration::from_secs(30);

/// Devices that did not answer a flush, kept over restarts.
#[derive(Debug, Default)]
pub(crate) struct Unanswered {
    file: Option<PathBuf>,
    known: Mutex<Known>,
    /// Held while the file is written.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    makes: BTreeSet<String>,
    /// Makes of which a device left when it was asked, with its place and the time.
    left: BTreeMap<String, (String, Instant)>,
}

impl Unanswered {
    /// The memory kept in `file`. An unreadable file counts as empty, which costs one more question for each make.
    #[must_use]
    pub(crate) fn read(file: &Path) -> Self {
        let makes = match std::fs::read(file) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!(path = %file.display(), %error, "which devices must not be asked to flush is not known: each is asked again");
                BTreeSet::new()
            }),
            Err(_) => BTreeSet::new(),
        };
        Self { file: Some(file.to_owned()), known: Mutex::new(Known { makes, left: BTreeMap::new() }), writing: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Must devices of this make not be asked? `place` is the present place of one.
    #[must_use]
    pub(crate) fn knows(self: &Arc<Self>, make: &str, place: &str) -> bool {
        let mut known = self.known();
        let came_back = known.left.get(make).is_some_and(|(left, at)| left == place && at.elapsed() < BACK_AT_ONCE);
        if came_back {
            known.left.remove(make);
            known.makes.insert(make.to_owned());
            drop(known);
            self.keep();
            return true;
        }
        known.makes.contains(make)
    }

    /// Records the answer of a device of this make, in this place, when it was told to empty its cache.
    pub(crate) fn heard(self: &Arc<Self>, make: &str, place: &str, answer: FlushAnswer) {
        match answer {
            FlushAnswer::Taken | FlushAnswer::Refused => self.answered(make),
            FlushAnswer::Stalled | FlushAnswer::Lost => self.remember(make),
            FlushAnswer::Gone => self.left(make, place),
            // This says nothing about the make.
            FlushAnswer::Unclear | FlushAnswer::NotScsi => {}
        }
    }

    /// Records that a device of this make did not answer, and is still there.
    fn remember(self: &Arc<Self>, make: &str) {
        tracing::warn!(make, "the device does not answer when it is asked to flush: devices of this make are not asked any more");
        self.known().makes.insert(make.to_owned());
        self.keep();
    }

    /// Records that a device of this make left when it was asked.
    fn left(self: &Arc<Self>, make: &str, place: &str) {
        tracing::warn!(make, place, "the device left when it was asked to flush");
        let mut known = self.known();
        if known.left.insert(make.to_owned(), (place.to_owned(), Instant::now())).is_some() {
            known.makes.insert(make.to_owned());
            drop(known);
            self.keep();
        }
    }

    /// Records that a device of this make answered.
    fn answered(&self, make: &str) {
        self.known().left.remove(make);
    }

    /// Writes the file, in a separate thread.
    fn keep(self: &Arc<Self>) {
        let ours = Arc::clone(self);
        let keep = move || {
            let Some(file) = &ours.file else { return };
            let _one_at_a_time = ours.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let makes = ours.known().makes.clone();
            if let Err(error) = write(file, &makes) {
                tracing::warn!(path = %file.display(), %error, "which devices must not be asked to flush could not be written down");
            }
        };
        if let Err(error) = thread::Builder::new().name("unanswered".to_owned()).spawn(keep) {
            tracing::warn!(%error, "no thread to write down which devices must not be asked to flush");
        }
    }
}

/// Replaces the file atomically.
fn write(file: &Path, makes: &BTreeSet<String>) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    let mut fresh = tempfile::Builder::new().prefix(".unanswered-").tempfile_in(directory)?;
    serde_json::to_writer_pretty(fresh.as_file_mut(), makes)?;
    fresh.as_file_mut().write_all(b"\n")?;
    fresh.as_file().sync_all()?;
    fresh.persist(file).map_err(|error| error.error)?;
    std::fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod cases {
    use super::*;

    const MAKE: &str = "0011:2233 revision 0100";

    fn memory(file: &Path) -> Arc<Unanswered> {
        Arc::new(Unanswered::read(file))
    }

    /// Waits until all records are in the file.
    fn on_disk(file: &Path) -> bool {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            if memory(file).knows(MAKE, "elsewhere") {
                return true;
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }

    #[test]
    fn a_make_that_did_not_answer_is_remembered_over_restarts() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("unanswered.json");
        let before = memory(&file);
        assert!(!before.knows(MAKE, "A1"));
        for answer in [FlushAnswer::Taken, FlushAnswer::Refused, FlushAnswer::Unclear, FlushAnswer::NotScsi] {
            before.heard(MAKE, "A1", answer);
            assert!(!before.knows(MAKE, "A1"), "{answer:?}");
        }
        before.heard(MAKE, "A1", FlushAnswer::Stalled);
        assert!(before.knows(MAKE, "B7"), "wherever a device of it is");
        assert!(!before.knows("0011:2233 revision 0101", "A1"), "another revision is another make");
        assert!(on_disk(&file), "a restart knows it");
        std::fs::write(&file, "[]").expect("it can be written");
        assert!(!memory(&file).knows(MAKE, "A1"), "whoever deletes a line has it asked anew");
        std::fs::write(&file, "what?").expect("it can be written");
        assert!(!memory(&file).knows(MAKE, "A1"), "a damaged file is none");
    }

    #[test]
    fn a_card_pulled_while_it_is_asked_says_nothing_of_its_make_unless_it_is_back_at_once_or_it_happens_twice() {
        let ours = Arc::new(Unanswered::default());
        ours.heard(MAKE, "A1", FlushAnswer::Gone);
        assert!(!ours.knows(MAKE, "A2"), "another slot's device has not left");
        assert!(ours.knows(MAKE, "A1"), "it is back by itself");
        let ours = Arc::new(Unanswered::default());
        ours.heard(MAKE, "A1", FlushAnswer::Gone);
        ours.heard(MAKE, "A1", FlushAnswer::Taken);
        ours.heard(MAKE, "A2", FlushAnswer::Gone);
        assert!(!ours.knows(MAKE, "A3"), "once, since one of it answered");
        ours.heard(MAKE, "A3", FlushAnswer::Gone);
        assert!(ours.knows(MAKE, "A4"), "twice");
    }

    #[test]
    fn a_state_directory_that_cannot_be_written_costs_the_file_and_nothing_else() {
        let ours = memory(Path::new("/nonexistent/unanswered.json"));
        ours.heard(MAKE, "A1", FlushAnswer::Lost);
        assert!(ours.knows(MAKE, "A1"));
    }
}
