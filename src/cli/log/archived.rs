//! What an answer lacks because old months are archived, and the option that reads the archives as well.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::LogCommandError;
use crate::ledger::{ArchiveFolder, ArchivedFile, LogError, LogReader, WholeLog};
use crate::report::times::Window;

/// The directory of the archives.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct WithArchives {
    /// Read the archives of old months in FOLDER together with the log
    #[arg(long, value_name = "FOLDER")]
    pub(super) with: Option<PathBuf>,
}

impl WithArchives {
    /// The directory of the archives, if one is named.
    pub(super) fn folder(&self) -> Option<ArchiveFolder> {
        self.with.as_deref().map(ArchiveFolder::new)
    }

    /// The log at `path`, with its archives if their directory is named.
    pub(super) fn open(&self, path: &Path) -> Result<WholeLog, LogCommandError> {
        Ok(WholeLog::open(path, self.folder().as_ref())?)
    }
}

/// The archives that have events of this time and are not read here.
pub(super) fn of_time(log: &LogReader, window: Window) -> Result<Vec<ArchivedFile>, LogError> {
    let micros = |time: Option<Timestamp>, otherwise| time.map_or(otherwise, Timestamp::as_microsecond);
    let (since, until) = (micros(window.since, i64::MIN), micros(window.until, i64::MAX));
    let mut files = log.archives()?;
    files.retain(|file| file.until >= since && file.since < until);
    Ok(files)
}

/// The sentence about these archives; `None` if there is none.
pub(super) fn note(log: &LogReader, files: &[ArchivedFile]) -> Result<Option<String>, LogError> {
    let (Some(first), Some(last)) = (files.first(), files.last()) else { return Ok(None) };
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let months = if first.month == last.month { first.month.clone() } else { format!("{} to {}", first.month, last.month) };
    let folder = log.archived_in()?.unwrap_or_default();
    Ok(Some(format!(
        "{months} is archived and not in this answer (events {} to {}: {}, put into {folder}): add --with FOLDER",
        first.first,
        last.last,
        names.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{archive_all, context, log_of};
    use super::super::{GOOD, NOT_GOOD, serials, show, summary, verify};
    use super::*;

    /// Six attempts that are archived, and three behind them.
    fn shortened(dir: &Path) -> PathBuf {
        let path = dir.join("flash-log.db");
        log_of(&path, 6);
        archive_all(&path, dir);
        log_of(&path, 3);
        path
    }

    #[test]
    fn an_answer_about_an_archived_month_says_so_and_with_its_archive_it_is_complete() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = shortened(dir.path());
        let log = LogReader::open(&path).expect("a log");
        let all = of_time(&log, Window { since: None, until: None }).expect("readable");
        let words = note(&log, &all).expect("readable").expect("it is told");
        assert!(
            words.starts_with("2026-10 is archived and not in this answer (events 1 to 13: flash-log-2026-10.db, put into "),
            "{words}"
        );
        let behind = Timestamp::from_microsecond(all[0].until + 1).expect("a time");
        assert_eq!(of_time(&log, Window { since: Some(behind), until: None }).expect("readable"), [], "a time that is whole in the log");
        let summary = |log: &LogReader| {
            let mut out = Vec::new();
            summary::run(&summary::Args::parse_for_test(&["--json"]), log, &context(), &mut out).expect("it can be read");
            serde_json::from_slice::<serde_json::Value>(&out).expect("JSON")
        };
        let short = summary(&log);
        assert_eq!((&short["total"]["attempts"], &short["archived"][0]["month"]), (&3.into(), &"2026-10".into()));

        let with = WithArchives { with: Some(dir.path().to_owned()) };
        let whole = with.open(&path).expect("a log");
        let complete = summary(whole.log());
        assert_eq!((&complete["total"]["attempts"], &complete["archived"]), (&9.into(), &serde_json::json!([])));
        let mut out = Vec::new();
        serials::run(&serials::Args::default(), whole.log(), &context(), &mut out).expect("it can be read");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text.lines().filter(|line| line.contains("  S-")).count(), 9, "{text}");
    }

    #[test]
    fn an_attempt_in_an_archive_is_named_with_its_file_and_shown_with_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = shortened(dir.path());
        let archives = WithArchives { with: Some(dir.path().to_owned()) };
        let args = show::Args::of_attempt(2);
        let error = show::run(&args, &LogReader::open(&path).expect("a log"), &context(), &mut Vec::new()).expect_err("it is archived");
        assert!(error.to_string().starts_with("attempt 2 is archived: read flash-log-2026-10.db, put into "), "{error}");
        let mut out = Vec::new();
        show::run(&args, archives.open(&path).expect("a log").log(), &context(), &mut out).expect("it is there");
        assert!(String::from_utf8(out).expect("text").contains("attempt 2: passed"));
    }

    #[test]
    fn a_log_is_verified_with_and_without_its_archives_and_a_missing_one_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = shortened(dir.path());
        let head = LogReader::open(&path).expect("a log").head().expect("readable");
        let verified = |with: Option<PathBuf>| {
            let mut out = Vec::new();
            let args = verify::Args { archives: WithArchives { with }, ..verify::Args::default() };
            let code = verify::run(&args, &path, &mut out).expect("it can be read");
            (code, String::from_utf8(out).expect("text"))
        };
        for with in [None, Some(dir.path().to_owned())] {
            assert_eq!(verified(with), (GOOD, format!("{head}\n")));
        }
        std::fs::remove_file(dir.path().join("flash-log-2026-10.db")).expect("removed");
        let (code, line) = verified(Some(dir.path().to_owned()));
        assert_eq!((code, line.contains("flash-log-2026-10.db: the archive is missing")), (NOT_GOOD, true), "{line}");
        assert_eq!(verified(None).0, GOOD, "the log itself holds");
    }
}
