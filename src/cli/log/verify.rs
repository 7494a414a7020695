//! `flashline log verify` and `flashline log anchor`: find out whether the log was tampered with.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::super::output::remark;
use super::archived::WithArchives;
use super::{GOOD, LogCommandError, LogSource, NOT_GOOD};
use crate::backup::LOG;
use crate::ledger::{ArchiveError, ArchiveFolder, Filter, Flaw, Head, LogError, LogReader, Relation, WholeLog};
use crate::station::outcome::OutcomeWord;

/// Options of `flashline log verify`.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Args {
    /// Verify that the log still contains this anchor, which `flashline log anchor` or a report printed earlier
    #[arg(long, value_name = "COUNT:HASH")]
    pub(super) anchor: Option<Head>,
    /// Compare it with another flash log, or with that of a backup: are they one history, or after which event did they fork?
    #[arg(long, value_name = "FILE|FOLDER")]
    pub(super) against: Option<PathBuf>,
    #[command(flatten)]
    pub(super) archives: WithArchives,
    #[command(flatten)]
    pub(super) place: LogSource,
}

/// Prints the log's head.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct AnchorArgs {
    #[command(flatten)]
    pub(super) place: LogSource,
}

pub(super) fn run(args: &Args, path: &Path, out: &mut impl Write) -> Result<u8, LogCommandError> {
    let log = LogReader::open(path)?;
    let folder = args.archives.folder();
    let verdict = match (&folder, &args.anchor) {
        (Some(folder), anchor) => match log.verify_with(folder, anchor.as_ref()) {
            Err(ArchiveError::Flaw(flaw)) => {
                return writeln!(out, "{flaw}").map_err(LogCommandError::Output).map(|()| NOT_GOOD);
            }
            verdict => verdict?,
        },
        (None, Some(anchor)) => log.verify_through(anchor)?,
        (None, None) => log.verify()?,
    };
    // Not on standard output, from which programs read the head.
    if verdict.is_ok() {
        unended(&log)?.into_iter().for_each(remark);
    }
    if matches!(verdict, Ok(_) | Err(Flaw::InArchive { .. })) {
        archives(&log, folder.as_ref())?.into_iter().for_each(remark);
    }
    let lost = match (&verdict, &args.anchor) {
        (Err(Flaw::Event(_)), Some(anchor)) => lost_by_restoring(&log, anchor)?,
        _ => None,
    };
    let (line, mut code) = told(path, verdict);
    let mut lines = vec![line];
    lines.extend(lost);
    if let (GOOD, Some(other)) = (code, &args.against) {
        let (line, of_both) = against(&WholeLog::open(path, folder.as_ref())?, other, folder.as_ref())?;
        lines.push(line);
        code = of_both;
    }
    lines.iter().try_for_each(|line| writeln!(out, "{line}")).map_err(LogCommandError::Output).map(|()| code)
}

/// The head of a log that holds, or what is wrong with it.
fn told(path: &Path, verdict: Result<Head, Flaw>) -> (String, u8) {
    match verdict {
        Ok(head) => (head.to_string(), GOOD),
        Err(flaw @ (Flaw::Event(_) | Flaw::Carried(_))) => (format!("{}: {flaw}; keep the file as evidence", path.display()), NOT_GOOD),
        Err(flaw @ Flaw::InArchive { .. }) => (format!("{}: {flaw}", path.display()), NOT_GOOD),
        Err(Flaw::File(disagreement)) => {
            let cure = "reports of this file may be wrong: make a copy with `flashline log export`, whose indexes are made anew, and keep the file";
            (format!("{}: {disagreement}; {cure}", path.display()), NOT_GOOD)
        }
    }
}

/// If the log holds in itself and was restored from a backup that is older than the anchor, nobody tampered with it: events are lost.
fn lost_by_restoring(log: &LogReader, anchor: &Head) -> Result<Option<String>, LogError> {
    if log.verify_chain()?.is_err() {
        return Ok(None);
    }
    let from = log.restored()?.into_iter().find(|from| from.anchor.count < anchor.count);
    Ok(from.map(|from| {
        format!(
            "the log itself holds, and was restored from a backup that ends with event {}: events {} to {} of the anchor were recorded on the \
             old PC after that backup, and are missing here",
            from.anchor.count,
            from.anchor.count + 1,
            anchor.count
        )
    }))
}

/// Compares the log, which holds, with another one, which is verified first.
fn against(log: &WholeLog, other: &Path, folder: Option<&ArchiveFolder>) -> Result<(String, u8), LogCommandError> {
    let file = if other.is_dir() { other.join(LOG) } else { other.to_owned() };
    if let Err(flaw) = LogReader::open(&file)?.verify()? {
        return Ok(told(&file, Err(flaw)));
    }
    let there = WholeLog::open(&file, folder)?;
    let name = file.display();
    Ok(match log.log().relation_to(there.log())? {
        Relation::Same { events } => (format!("same history: {name} has the same {events} events"), GOOD),
        Relation::OtherIsBeginning { lacks } => {
            (format!("same history: {name} is a beginning of this log, and lacks its newest {}", events(lacks)), GOOD)
        }
        Relation::OtherGoesOn { more } => {
            (format!("same history: this log is a beginning of {name}, which has {} more", events(more)), GOOD)
        }
        Relation::Forked { after, here, there } => {
            let sides = format!("this log has {} behind it, {name} has {}", events(here), events(there));
            (
                format!("forked after event {after}: {sides}. Two PCs went on with one log: keep both as evidence, and stop one of them"),
                NOT_GOOD,
            )
        }
        Relation::InArchives { until } => {
            let cure = "add --with FOLDER, so that archived events are compared as well";
            (format!("not compared: events up to {until} are archived, and {name} differs or ends there: {cure}"), NOT_GOOD)
        }
        Relation::Strangers { here, there } if here == there => {
            (format!("two histories: {name} is of the same station {here}, and has no event in common with this log"), NOT_GOOD)
        }
        Relation::Strangers { here, there } => {
            (format!("two logs: this one is of station {here}, and {name} is of station {there}"), NOT_GOOD)
        }
    })
}

fn events(count: u64) -> String {
    format!("{count} event{}", if count == 1 { "" } else { "s" })
}

/// Which events are in archives, and whether those were verified.
fn archives(log: &LogReader, with: Option<&ArchiveFolder>) -> Result<Option<String>, LogError> {
    if let Some((first, last)) = log.as_archive()? {
        return Ok(Some(format!(
            "this is an archive of events {first} to {last}, and only they were verified: `flashline log verify --with FOLDER` of the station's log \
             verifies it as a part of that log"
        )));
    }
    let files = log.archives()?;
    let Some(last) = files.last() else { return Ok(None) };
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let names = names.join(", ");
    Ok(Some(match with {
        Some(folder) => {
            format!(
                "events 1 to {} are archived, and were verified as one chain with the log: {names} in {}",
                last.last,
                folder.path().display()
            )
        }
        None => {
            let folder = log.archived_in()?.unwrap_or_default();
            format!("events 1 to {} are archived, and were not verified: {names}, put into {folder}: add --with FOLDER", last.last)
        }
    }))
}

/// A chain that was cut behind any of its events is still consistent. Attempts without an end are the only visible sign.
fn unended(log: &LogReader) -> Result<Option<String>, LogError> {
    let filter = Filter { outcome: Some(OutcomeWord::Running.as_str().to_owned()), ..Filter::default() };
    let mut count = 0_u64;
    for row in log.attempts(&filter) {
        row?;
        count += 1;
    }
    Ok((count > 0).then(|| {
        let attempts = if count == 1 { "1 attempt has".to_owned() } else { format!("{count} attempts have") };
        format!(
            "{attempts} no end: its card is being written now, or the newest events are missing. A copy made with `cp` lacks what stands in the \
             -wal file; `flashline log export` makes a whole one, and only an anchor proves that nothing was cut off"
        )
    }))
}

pub(super) fn anchor(path: &Path, out: &mut impl Write) -> Result<u8, LogCommandError> {
    let head = LogReader::open(path)?.head()?;
    writeln!(out, "{head}").map_err(LogCommandError::Output).map(|()| GOOD)
}

#[cfg(test)]
mod cases {
    use super::super::testing::log_of;
    use super::*;
    use crate::ledger::{Ledger, LogProblem};

    #[test]
    fn a_copy_without_its_wal_is_not_taken_for_a_whole_log_without_a_word() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, copy) = (dir.path().join("flash-log.db"), dir.path().join("copy.db"));
        let _writes = Ledger::open_on(&path, "bench", "0123456789abcdef0123456789abcdef").expect("a log");
        std::fs::copy(&path, &copy).expect("copied");
        // A new log is completely in its -wal.
        let error = LogReader::open(&copy).expect_err("nothing is in it");
        assert_eq!(error.problem, LogProblem::Nothing);
        assert!(error.to_string().contains("make a copy with `flashline log export`"), "{error}");
        let error = LogReader::open(dir.path()).expect_err("a directory");
        assert!(error.to_string().contains("is a directory; name the file in it, as flash-log.db"), "{error}");
    }

    #[test]
    fn a_log_that_ends_in_a_start_says_that_something_may_be_missing() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 3);
        assert_eq!(unended(&LogReader::open(&path).expect("a log")).expect("readable"), None);
        let connection = rusqlite::Connection::open(&path).expect("opens");
        // As in a copy without the newest event.
        connection
            .execute_batch("DROP TRIGGER event_is_never_removed; DELETE FROM event WHERE seq = (SELECT max(seq) FROM event WHERE kind = 'attempt-closed')")
            .expect("removed");
        let words = unended(&LogReader::open(&path).expect("a log")).expect("readable").expect("it is told");
        assert!(words.starts_with("1 attempt has no end") && words.contains("flashline log export"), "{words}");
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::log_of;
    use super::*;
    use crate::ledger::{Ledger, LogProblem};
    use crate::station::request::Who;

    fn verified(path: &Path, anchor: Option<&str>) -> (u8, String) {
        let mut out = Vec::new();
        let anchor = anchor.map(|anchor| anchor.parse().expect("an anchor"));
        let code = run(&Args { anchor, ..Args::default() }, path, &mut out).expect("it can be read");
        (code, String::from_utf8(out).expect("it is text"))
    }

    fn tamper(path: &Path, sql: &str) {
        rusqlite::Connection::open(path).expect("the file opens").execute_batch(sql).expect("the tampering works");
    }

    #[test]
    fn a_whole_log_is_verified_by_its_head_and_a_broken_one_names_the_event() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 5);
        let head = LogReader::open(&path).expect("a log").head().expect("it can be read");
        assert_eq!(verified(&path, None), (GOOD, format!("{head}\n")));
        tamper(&path, "DROP TRIGGER event_is_never_changed; UPDATE event SET at = at + 1 WHERE seq = 3;");
        let (code, line) = verified(&path, None);
        assert_eq!(code, NOT_GOOD);
        assert!(line.contains("flash-log.db: event 3 was changed"), "{line}");
    }

    #[test]
    fn an_index_that_disagrees_is_named_with_a_cure_and_is_not_good() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 5);
        tamper(&path, "DROP INDEX event_at");
        let (code, line) = verified(&path, None);
        assert_eq!(code, NOT_GOOD);
        assert!(line.contains("flash-log.db: every event holds, but the index event_at does not agree with them"), "{line}");
        assert!(line.contains("make a copy with `flashline log export`") && !line.contains("evidence"), "{line}");
    }

    #[test]
    fn an_anchor_of_yesterday_finds_a_tail_that_was_cut_off_today_and_a_log_written_anew() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 5);
        let mut out = Vec::new();
        assert_eq!(anchor(&path, &mut out).expect("it can be read"), GOOD);
        let yesterday = String::from_utf8(out).expect("it is text");
        log_of(&path, 3);
        assert_eq!(verified(&path, Some(&yesterday)).0, GOOD, "a log that has grown passes through its anchor");
        let count = LogReader::open(&path).expect("a log").head().expect("it can be read").count;
        let today = LogReader::open(&path).expect("a log").head().expect("it can be read").to_string();
        tamper(&path, &format!("DROP TRIGGER event_is_never_removed; DELETE FROM event WHERE seq > {}", count - 2));
        assert_eq!(verified(&path, None).0, GOOD, "without an anchor a cut-off tail leaves nothing to see");
        let (code, line) = verified(&path, Some(&today));
        assert_eq!((code, line.contains(&format!("event {} was removed", count - 1))), (NOT_GOOD, true), "{line}");
        assert_eq!(verified(&path, Some(&yesterday)).0, GOOD);

        let other = dir.path().join("other.db");
        log_of(&other, 8);
        let (code, line) = verified(&other, Some(&yesterday));
        assert_eq!((code, line.contains("the log up to there was written anew")), (NOT_GOOD, true), "{line}");
    }

    #[test]
    fn another_log_is_the_same_history_a_beginning_or_a_fork_that_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 5);
        let folder = dir.path().join("backup");
        std::fs::create_dir(&folder).expect("made");
        LogReader::open(&path).expect("a log").export(&folder.join("flash-log.db")).expect("copied").expect("it holds");
        let compared = |path: &Path, other: &Path| {
            let mut out = Vec::new();
            let args = Args { against: Some(other.to_owned()), ..Args::default() };
            let code = run(&args, path, &mut out).expect("both can be read");
            let text = String::from_utf8(out).expect("it is text");
            (code, text.lines().nth(1).expect("a second line").to_owned())
        };
        let (code, line) = compared(&path, &folder);
        assert!(code == GOOD && line.starts_with("same history: "), "{line}");
        log_of(&path, 1);
        let (code, line) = compared(&path, &folder);
        assert!(code == GOOD && line.contains("is a beginning of this log, and lacks its newest "), "{line}");
        let (code, line) = compared(&folder.join("flash-log.db"), &path);
        assert!(code == GOOD && line.contains("this log is a beginning of "), "{line}");
        let common = LogReader::open(&folder.join("flash-log.db")).and_then(|log| log.head()).expect("readable").count;
        log_of(&folder.join("flash-log.db"), 1);
        let (code, line) = compared(&path, &folder);
        assert!(code == NOT_GOOD && line.starts_with(&format!("forked after event {common}: this log has ")), "{line}");
    }

    #[test]
    fn events_that_a_restored_log_lacks_are_named_by_an_anchor_of_after_its_backup() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, copy) = (dir.path().join("flash-log.db"), dir.path().join("copy.db"));
        log_of(&path, 5);
        let backup = LogReader::open(&path).expect("a log").export(&copy).expect("copied").expect("it holds");
        log_of(&path, 1);
        let anchor = LogReader::open(&path).and_then(|log| log.head()).expect("readable").to_string();
        let by = Who { uid: 1000, name: "ann".to_owned() };
        Ledger::take_over(&copy, "bench-1", backup, 7, &by).expect("taken over");
        let (code, text) = verified(&copy, Some(&anchor));
        let lost = "was restored from a backup that ends with event 11: events 12 to 13 of the anchor were recorded on the old PC";
        assert!(code == NOT_GOOD && text.contains(lost), "{text}");
        assert_eq!(verified(&copy, None).0, GOOD, "it holds in itself");
    }

    #[test]
    fn what_is_no_anchor_says_what_one_is() {
        let hash = "0".repeat(64);
        for wrong in
            ["", "5", "5:", &hash, &format!("x:{hash}"), &format!("+5:{hash}"), &format!("5:{hash}0"), &format!("5:g{}", &hash[1..])]
        {
            let error = wrong.parse::<Head>().expect_err(wrong);
            assert!(error.to_string().contains("COUNT:HASH"), "{wrong}");
        }
        assert_eq!(format!(" 5:{hash}\n").parse::<Head>().expect("an anchor").to_string(), format!("5:{hash}"));
    }

    #[test]
    fn a_log_that_is_not_there_is_named() {
        let error = run(&Args::default(), Path::new("/nowhere/flash-log.db"), &mut Vec::new()).expect_err("no such file");
        assert!(error.to_string().contains("/nowhere/flash-log.db"), "{error}");
        assert!(matches!(error, LogCommandError::Log(error) if error.problem == LogProblem::NoFile));
    }
}
