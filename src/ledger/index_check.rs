//! Checks that the rest of the file agrees with the events. Reports, filters and orders use the indexes of SQLite, which no hash covers: a
//! changed page of an index gives a false number although the chain of the log holds.
//!
//! SQLite compares every event with every index (`PRAGMA integrity_check`), and the table, the indexes and the view must be the ones that
//! this program makes.

use std::collections::BTreeSet;
use std::fmt;

use rusqlite::{Connection, ErrorCode, Result};

use super::error::LogError;
use super::format::MIGRATIONS;
use super::reader::LogReader;

/// Limit of SQLite's findings: each event that an index lacks is one.
const FINDINGS: usize = 100;

/// Limit of names that are listed; there are hardly more.
const NAMES: usize = 3;

/// A part of the file that does not agree with its events, which hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The part, with its kind: `the index event_brief`.
    parts: Vec<String>,
    /// The first finding, in the words of SQLite or of this program.
    finding: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = self.parts.len().saturating_sub(NAMES);
        let parts: Vec<&str> = self.parts.iter().take(NAMES).map(String::as_str).collect();
        write!(f, "every event holds, but {}", parts.join(", "))?;
        if more > 0 {
            write!(f, " and {more} more")?;
        }
        let verb = if self.parts.len() == 1 { "does" } else { "do" };
        write!(f, " {verb} not agree with them ({})", self.finding)
    }
}

/// An index, a view, a trigger or the table, as a file's schema has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    pub(super) kind: String,
    pub(super) name: String,
    /// The statement that makes it.
    pub(super) made_by: String,
}

impl Part {
    /// All parts in this file's schema.
    fn all(connection: &Connection) -> Result<BTreeSet<Self>> {
        let mut query = connection.prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
        let parts = query.query_map([], |row| Ok(Self { kind: row.get(0)?, name: row.get(1)?, made_by: row.get(2)? }))?;
        parts.collect()
    }

    /// All parts of a log of this program.
    pub(super) fn all_of_this_program() -> Result<BTreeSet<Self>> {
        let made = Connection::open_in_memory()?;
        MIGRATIONS.iter().try_for_each(|step| made.execute_batch(step))?;
        Self::all(&made)
    }

    /// Comments differ between versions; the statements do not.
    fn bare(self) -> Self {
        let lines = self.made_by.lines().map(|line| line.split("--").next().unwrap_or_default());
        let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        Self { made_by: words.join(" "), ..self }
    }

    fn told(&self) -> String {
        format!("the {} {}", self.kind, self.name)
    }
}

impl LogReader {
    /// Compares the file with its events, which are verified elsewhere.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(super) fn agrees(&self) -> std::result::Result<std::result::Result<(), Disagreement>, LogError> {
        let found = self.within(|log| {
            let odd = odd_parts(log)?;
            if odd.is_some() { Ok(odd) } else { compare(log) }
        });
        match found {
            Ok(None) => Ok(Ok(())),
            Ok(Some(disagreement)) => Ok(Err(disagreement)),
            Err(error) => Err(error),
        }
    }
}

/// Parts that are missing, or are not what this program makes.
fn odd_parts(log: &Connection) -> Result<Option<Disagreement>> {
    // Triggers keep events from being changed, and take no part in queries.
    let bare = |parts: BTreeSet<Part>| parts.into_iter().filter(|part| part.kind != "trigger").map(Part::bare).collect::<BTreeSet<_>>();
    let there = bare(Part::all(log)?);
    let odd: Vec<Part> = bare(Part::all_of_this_program()?).into_iter().filter(|part| !there.contains(part)).collect();
    let Some(first) = odd.first() else { return Ok(None) };
    let missing = !there.iter().any(|part| part.name == first.name);
    let finding = format!("{} {}", first.name, if missing { "is missing" } else { "has another definition" });
    Ok(Some(Disagreement { parts: odd.iter().map(Part::told).collect(), finding }))
}

/// SQLite's own comparison of every event with every index.
fn compare(log: &Connection) -> Result<Option<Disagreement>> {
    let mut findings = Vec::new();
    let mut query = log.prepare(&format!("PRAGMA integrity_check({FINDINGS})"))?;
    for finding in query.query_map([], |row| row.get::<_, String>(0))? {
        match finding {
            Ok(finding) => findings.push(finding),
            // It ends at a page that cannot be followed; its findings before that name the part.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
                findings.push(error.to_string());
                break;
            }
            Err(error) => return Err(error),
        }
    }
    let mut lines = findings.iter().flat_map(|finding| finding.lines()).filter(|line| !line.starts_with("***"));
    let Some(first) = lines.clone().next().filter(|line| *line != "ok") else { return Ok(None) };
    let mut parts: Vec<String> = Vec::new();
    for line in &mut lines {
        if let Some(part) = part_of(log, line).filter(|part| !parts.contains(part)) {
            parts.push(part);
        }
    }
    if parts.is_empty() {
        parts.push("the file".to_owned());
    }
    Ok(Some(Disagreement { parts, finding: first.to_owned() }))
}

/// The part that a finding concerns: `row 7 missing from index NAME`, `wrong # of entries in index NAME`, `Tree 9 page 40 cell 3: …`, where
/// the number is the first page of the part.
fn part_of(log: &Connection, finding: &str) -> Option<String> {
    if let Some((_, name)) = finding.rsplit_once(" index ") {
        return Some(format!("the index {}", name.split_whitespace().next()?));
    }
    let root: i64 = finding.strip_prefix("Tree ")?.split_whitespace().next()?.parse().ok()?;
    let named = log.query_row("SELECT type, name FROM sqlite_schema WHERE rootpage = ?1", [root], |row| {
        Ok(format!("the {} {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    });
    named.ok()
}

#[cfg(test)]
pub(super) mod cases {
    use std::fs;
    use std::ops::ControlFlow;
    use std::os::unix::fs::FileExt;
    use std::path::Path;

    use super::super::tests::{log_of, open, place, tamper, verdict};
    use super::super::{Break, Filter, Flaw, Tampering};
    use super::*;

    /// Changes the entry of one event in an index, in the index's own pages, as a bad disk or a hex editor would: no event is touched.
    pub(in crate::ledger) fn change_a_page_of(path: &Path, index: &str, from: &[u8], to: &[u8]) {
        let connection = Connection::open(path).expect("the file opens");
        let page: u64 =
            connection.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0)).expect("asked").try_into().expect("fits");
        let root: i64 = connection
            .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [index], |row| row.get(0))
            .expect("there is such an index");
        drop(connection);
        let at = (u64::try_from(root).expect("fits") - 1) * page;
        let file = fs::OpenOptions::new().read(true).write(true).open(path).expect("opens");
        let mut bytes = vec![0; usize::try_from(page).expect("fits")];
        file.read_exact_at(&mut bytes, at).expect("read");
        let place = bytes.windows(from.len()).position(|window| window == from).expect("it is in this page");
        file.write_all_at(to, at + u64::try_from(place).expect("fits")).expect("written");
    }

    fn passed(path: &Path) -> u64 {
        let mut passed = 0;
        let count = |brief: &super::super::Brief<'_>| {
            passed += u64::from(brief.outcome.is_good());
            ControlFlow::Continue(())
        };
        LogReader::open(path).expect("a log").briefs(&Filter::default(), count).expect("readable");
        passed
    }

    #[test]
    fn an_index_that_does_not_agree_with_the_events_is_named_and_a_copy_has_it_made_anew() {
        let (dir, path) = place();
        log_of(&path, 12);
        let head = verdict(&path).expect("whole");
        assert_eq!(passed(&path), 12);
        change_a_page_of(&path, "event_brief", b"passed", b"failed");
        assert_eq!(passed(&path), 11, "the false number that is to be found out");
        let reader = LogReader::open(&path).expect("a log");
        assert_eq!(reader.verify_chain().expect("readable"), Ok(head), "no event was touched");
        let flaw = reader.verify().expect("readable").expect_err("the index is not good");
        assert!(matches!(flaw, Flaw::File(_)), "{flaw:?}");
        let words = flaw.to_string();
        assert!(words.starts_with("every event holds, but the index event_brief does not agree with them (row "), "{words}");
        let through = reader.verify_through(&head).expect("readable");
        assert_eq!(through, Err(flaw));

        let copy = dir.path().join("copy.db");
        assert_eq!(reader.export(&copy).expect("copied"), Ok(head));
        assert_eq!((passed(&copy), verdict(&copy)), (12, Ok(head)));
        let names =
            fs::read_dir(dir.path()).expect("listed").map(|entry| entry.expect("readable").file_name().into_string().expect("text"));
        let mut rest: Vec<String> = names.filter(|name| name.contains("copy") || name.starts_with('.')).collect();
        rest.sort();
        assert_eq!(rest, ["copy.db"], "nothing stands beside it");
        // The copy is a valid log in every other way, too.
        let parts = |path: &Path| Part::all(&Connection::open(path).expect("opens")).expect("asked");
        assert_eq!(parts(&copy), parts(&path));
        fs::remove_file(&path).expect("removed");
        for rest in ["-wal", "-shm"] {
            drop(fs::remove_file(dir.path().join(format!("flash-log.db{rest}"))));
        }
        fs::rename(&copy, &path).expect("renamed");
        drop(open(&path));
        assert_eq!(passed(&path), 12);
    }

    #[test]
    fn an_index_whose_pages_cannot_be_read_is_named_and_a_copy_is_made_without_it() {
        let (dir, path) = place();
        log_of(&path, 12);
        let head = verdict(&path).expect("whole");
        let connection = Connection::open(&path).expect("opens");
        let root: i64 =
            connection.query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'event_at'", [], |row| row.get(0)).expect("asked");
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0)).expect("asked");
        drop(connection);
        let file = fs::OpenOptions::new().write(true).open(&path).expect("opens");
        file.write_all_at(&[0x5a; 100], u64::try_from((root - 1) * page).expect("fits")).expect("written");
        let reader = LogReader::open(&path).expect("a log");
        let words = reader.verify().expect("readable").expect_err("damaged").to_string();
        assert!(words.starts_with("every event holds, but the index event_at "), "{words}");
        let copy = dir.path().join("copy.db");
        assert_eq!(reader.export(&copy).expect("copied"), Ok(head));
        assert_eq!(verdict(&copy), Ok(head));
    }

    #[test]
    fn an_index_that_is_missing_or_another_one_and_a_view_that_says_something_else_are_named() {
        for (sql, words) in [
            ("DROP INDEX event_brief", "the index event_brief does not agree with them (event_brief is missing)"),
            (
                "DROP INDEX event_order; CREATE INDEX event_order ON event (json_extract(body, '$.number'), json_extract(body, '$.outcome.word'))
                    WHERE json_extract(body, '$.order') IS NOT NULL AND kind = 'attempt-closed'",
                "the index event_order does not agree with them (event_order has another definition)",
            ),
            ("DROP VIEW attempt; CREATE VIEW attempt AS SELECT * FROM event", "the view attempt does not agree"),
            (
                "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '$.attempt', '$.number') WHERE name = 'event'",
                "the table event does not agree",
            ),
        ] {
            let (dir, path) = place();
            log_of(&path, 3);
            let head = verdict(&path).expect("whole");
            tamper(&path, sql);
            let reader = LogReader::open(&path).expect("a log");
            let told = reader.verify().expect("readable").expect_err(sql).to_string();
            assert!(told.contains(words), "{told}");
            assert_eq!(reader.export(&dir.path().join("copy.db")).expect("copied"), Ok(head), "{sql}");
        }
    }

    #[test]
    fn of_a_log_whose_events_do_not_hold_the_event_is_named_and_not_an_index() {
        let (_dir, path) = place();
        log_of(&path, 12);
        change_a_page_of(&path, "event_brief", b"passed", b"failed");
        tamper(&path, "UPDATE event SET at = at + 1 WHERE seq = 4");
        let flaw = LogReader::open(&path).expect("a log").verify().expect("readable").expect_err("changed");
        assert_eq!(flaw, Flaw::Event(Break { seq: 4, what: Tampering::Changed }));
    }

    #[test]
    fn comments_of_an_older_program_are_no_other_definition() {
        let part = |made_by: &str| Part { kind: "table".into(), name: "event".into(), made_by: made_by.into() }.bare();
        assert_eq!(
            part("CREATE TABLE event ( -- what\n  seq INTEGER -- when\n)"),
            part("CREATE TABLE event (\n    seq INTEGER\n-- more\n)")
        );
        assert_ne!(part("CREATE TABLE event (seq INTEGER)"), part("CREATE TABLE event (seq TEXT)"));
    }
}
