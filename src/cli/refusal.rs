//! Why a station that does not start is refused by its flash log, for the panel: a station that does not run cannot say it.
//!
//! A file in memory, beside the station's lock: reading it never waits for a disk. The next start of a station removes it.

use std::fs;
use std::path::Path;

use crate::ledger::{LogError, LogProblem};

/// The path of the note.
const NOTE: &str = "/run/flashline/refusal";
/// A sentence and two paths.
const LONGEST: usize = 2000;

/// The refusal, if this error is one: the log is another PC's now, and nothing that the station does can change that.
pub(super) fn of(error: &LogError) -> Option<String> {
    matches!(error.problem, LogProblem::MovedAway(_) | LogProblem::OtherMachine).then(|| error.to_string())
}

/// Keeps the refusal for the panel.
pub(super) fn note(refusal: &str) {
    note_at(Path::new(NOTE), refusal);
}

fn note_at(path: &Path, refusal: &str) {
    // A station without its directory has no panel either.
    if let Err(error) = fs::write(path, refusal) {
        tracing::debug!(%error, path = %path.display(), "the panel is not told why the station does not start");
    }
}

/// The station starts: there is no refusal any more.
pub(super) fn clear() {
    let _none = fs::remove_file(NOTE);
}

/// The refusal of the last start.
pub(super) fn last() -> Option<String> {
    last_at(Path::new(NOTE))
}

fn last_at(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.chars().take(LONGEST).collect::<String>().trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn a_refusal_is_read_by_the_panel_as_it_was_noted() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("refusal");
        assert_eq!(last_at(&path), None);
        note_at(&path, "this log has moved to /mnt/stick");
        assert_eq!(last_at(&path).as_deref(), Some("this log has moved to /mnt/stick"));
        note_at(&directory.path().join("none/refusal"), "a directory that is missing is no fault of the station");
    }
}
