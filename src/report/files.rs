//! The flash log as files in a shared folder: `BRAND/MODEL/YYYY-MM-DD.csv`, one line for each outcome.
//!
//! They are made from the log and follow it. Only the end of a file is read: a file that was deleted, cut or written to by another program
//! is made anew. Uses no thread; a call may take as long as a slow disk or network takes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use nix::fcntl::OFlag;

use crate::ledger::{Filter, LogError, LogReader, Row};
use crate::station::units::to_u64;

use super::machine::RowCsv;

/// Why the files are not up to date with the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A file or a directory cannot be written.
    #[error("writing the log file {}", path.display())]
    Write {
        /// The file or directory that could not be written.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The directory itself does not exist, or is not a directory.
    #[error("the directory of the log files {}: create it, or mount it: see `directory` in [log]", path.display())]
    Directory {
        /// The directory of the log files.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

fn writing(path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    move |source| FilesError::Write { path: path.to_owned(), source }
}

/// One file: a model on a day.
type Key = (String, Date);

/// The required contents of a file, by the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Expected {
    rows: u64,
    last: u64,
}

/// The files of one directory.
#[derive(Debug)]
pub(crate) struct LogFiles {
    directory: PathBuf,
    zone: TimeZone,
    /// Everything up to this event is in the files; `None` until they were brought up to date.
    level_to: Option<u64>,
    /// The newest day with archived rows. The log lacks rows of this day and of earlier ones: their files stay as they are.
    archived_to: Option<Date>,
    /// The length of each file after our last write.
    lengths: HashMap<PathBuf, u64>,
}

impl LogFiles {
    /// Nothing is read yet. Days are those of `zone`.
    #[must_use]
    pub(crate) fn new(directory: PathBuf, zone: TimeZone) -> Self {
        Self { directory, zone, level_to: None, archived_to: None, lengths: HashMap::new() }
    }

    /// Brings the files up to date with the log: all of them at first and after an error, later only new rows. Returns the number of rows
    /// written.
    ///
    /// # Errors
    /// If they are not up to date now; the next call corrects incomplete files.
    pub(crate) fn follow(&mut self, log: &LogReader) -> Result<u64, FilesError> {
        // Nothing must be written into the mount point of a share that is not mounted: at most the last part of the path is created.
        let found = match fs::metadata(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_directory(&self.directory),
            other => other.and_then(|found| if found.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }),
        };
        found.map_err(|source| FilesError::Directory { path: self.directory.clone(), source })?;
        self.archived_to = log.archives()?.iter().map(|file| file.until).max().and_then(|at| self.day(at));
        let outcome = match self.level_to {
            Some(level) => self.append(log, level),
            None => self.level(log),
        };
        if outcome.is_err() {
            self.level_to = None;
        }
        outcome
    }

    /// Checks everything: each file that differs from the log is made anew.
    fn level(&mut self, log: &LogReader) -> Result<u64, FilesError> {
        self.lengths.clear();
        let mut expected: BTreeMap<String, BTreeMap<Date, Expected>> = BTreeMap::new();
        let mut newest = 0;
        log.briefs(&Filter::default(), |brief| {
            newest = newest.max(brief.seq);
            let Some(day) = self.day(brief.at).filter(|day| self.is_complete(*day)) else { return ControlFlow::Continue(()) };
            let model = brief.model.unwrap_or_default();
            if !expected.contains_key(model) {
                expected.insert(model.to_owned(), BTreeMap::new());
            }
            if let Some(days) = expected.get_mut(model) {
                let file = days.entry(day).or_default();
                file.rows += 1;
                file.last = brief.seq;
            }
            ControlFlow::Continue(())
        })?;
        // The lines of their proofs may be in files that were up to date before.
        let mut spoiled: BTreeSet<Key> = BTreeSet::new();
        for row in log.attempts(&Filter { outcome: Some("changed".to_owned()), ..Filter::default() }) {
            let row = row?;
            let day = row.superseded_at.and_then(|at| self.day(at)).filter(|day| self.is_complete(*day));
            let (Some(model), Some(day)) = (row.model, day) else { continue };
            expected.entry(model.clone()).or_default().entry(day).or_default();
            spoiled.insert((model, day));
        }
        let mut written = 0;
        for (model, days) in &expected {
            // Files that a crash could have damaged are read completely; older ones were flushed long ago.
            let recent: BTreeSet<Date> = days.keys().rev().take(2).copied().collect();
            for (day, expected) in days {
                let key = (model.clone(), *day);
                if !self.is_level(&key, *expected, recent.contains(day) || spoiled.contains(&key))? {
                    written += self.make_anew(log, &key, newest)?;
                }
            }
        }
        self.level_to = Some(newest);
        Ok(written)
    }

    /// The log has every row of this day.
    fn is_complete(&self, day: Date) -> bool {
        self.archived_to.is_none_or(|archived| day > archived)
    }

    /// The rows behind `level` in the log.
    fn append(&mut self, log: &LogReader, level: u64) -> Result<u64, FilesError> {
        let mut newest = level;
        let mut rows: BTreeMap<Key, Vec<Row>> = BTreeMap::new();
        let mut rewritten: BTreeSet<Key> = BTreeSet::new();
        let mut written = 0;
        let mut held = 0_u32;
        for row in log.attempts(&Filter { after: Some(level), ..Filter::default() }) {
            let row = row?;
            let Some(key) = self.key(&row) else { continue };
            newest = newest.max(row.seq);
            // The line of its proof is already in a file, perhaps that of another day.
            if let Some(proven) = row.superseded_at.and_then(|at| self.day(at)).filter(|day| self.is_complete(*day)) {
                rewritten.insert((key.0.clone(), proven));
            }
            rows.entry(key).or_default().push(row);
            held += 1;
            if held == HELD {
                written += self.write_out(log, &mut rows, newest)?;
                held = 0;
            }
        }
        written += self.write_out(log, &mut rows, newest)?;
        for key in rewritten {
            written += self.make_anew(log, &key, newest)?;
        }
        self.level_to = Some(newest);
        Ok(written)
    }

    fn write_out(&mut self, log: &LogReader, rows: &mut BTreeMap<Key, Vec<Row>>, newest: u64) -> Result<u64, FilesError> {
        let mut written = 0;
        for (key, rows) in std::mem::take(rows) {
            let path = self.path(&key);
            let length = fs::symlink_metadata(&path).map(|found| found.len()).ok();
            let ours = self.lengths.get(&path).copied();
            written += if length.is_some() && length == ours {
                self.add(&path, &rows)?;
                to_u64(rows.len())
            } else {
                // New, or deleted, cut or written to since.
                self.make_anew(log, &key, newest)?
            };
        }
        Ok(written)
    }

    fn add(&mut self, path: &Path, rows: &[Row]) -> Result<(), FilesError> {
        let add = || {
            let mut file = OpenOptions::new().append(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(path)?;
            let mut csv = RowCsv::more_for_people(Vec::new(), self.zone.clone());
            rows.iter().try_for_each(|row| csv.row(row))?;
            csv.flush()?;
            file.write_all(csv.bytes())?;
            file.metadata().map(|found| found.len())
        };
        let length = add().map_err(writing(path))?;
        self.lengths.insert(path.to_owned(), length);
        Ok(())
    }

    /// Written to a new file, which replaces the old one when it is complete and on disk.
    fn make_anew(&mut self, log: &LogReader, key: &Key, newest: u64) -> Result<u64, FilesError> {
        let path = self.path(key);
        let parent = path.parent().unwrap_or(&self.directory).to_owned();
        let brand = parent.parent().filter(|brand| **brand != *self.directory && brand.starts_with(&self.directory));
        for directory in brand.into_iter().chain([&*parent]) {
            make_directory(directory).map_err(writing(directory))?;
        }
        let fresh = tempfile::Builder::new().prefix(".flashline-").suffix(".csv").tempfile_in(&parent).map_err(writing(&path))?;
        let mut csv = RowCsv::for_people(BufWriter::new(fresh.as_file()), self.zone.clone()).map_err(writing(&path))?;
        let (since, until) = self.bounds(key.1);
        let mut written = 0;
        let filter = Filter { model: Some(key.0.clone()), since, until, ..Filter::default() };
        for row in log.attempts(&filter) {
            let row = row?;
            // Newer rows are written later.
            if row.seq <= newest && self.key(&row).as_ref() == Some(key) {
                csv.row(&row).map_err(writing(&path))?;
                written += 1;
            }
        }
        csv.flush().map_err(writing(&path))?;
        drop(csv);
        let finish = || {
            fresh.as_file().set_permissions(Permissions::from_mode(0o644))?;
            fresh.as_file().sync_all()?;
            let length = fresh.as_file().metadata()?.len();
            fresh.persist(&path)?;
            io::Result::Ok(length)
        };
        let length = finish().map_err(writing(&path))?;
        self.lengths.insert(path, length);
        Ok(written)
    }

    /// Does the file end with the row of the log, and, if requested, have as many rows with the present column names?
    fn is_level(&mut self, key: &Key, expected: Expected, in_full: bool) -> Result<bool, FilesError> {
        let path = self.path(key);
        let mut look = || {
            let file = match OpenOptions::new().read(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc_loop()) => return Ok(false),
                Err(error) => return Err(error),
            };
            let length = file.metadata()?.len();
            if last_seq(&file, length)? != Some(expected.last) {
                return Ok(false);
            }
            if in_full && !holds(&file, expected)? {
                return Ok(false);
            }
            self.lengths.insert(path.clone(), length);
            io::Result::Ok(true)
        };
        look().map_err(writing(&path))
    }

    /// The file of a closed row.
    fn key(&self, row: &Row) -> Option<Key> {
        let day = self.day(row.ended?)?;
        Some((row.model.clone().unwrap_or_default(), day))
    }

    fn day(&self, at: i64) -> Option<Date> {
        Timestamp::from_microsecond(at).ok().map(|at| at.to_zoned(self.zone.clone()).date())
    }

    fn bounds(&self, day: Date) -> (Option<i64>, Option<i64>) {
        let start = |day: Date| day.to_zoned(self.zone.clone()).ok().map(|start| start.timestamp().as_microsecond());
        (start(day), day.tomorrow().ok().and_then(start))
    }

    fn path(&self, (model, day): &Key) -> PathBuf {
        let mut path = self.directory.clone();
        match model.split_once('/') {
            Some((brand, model)) => path.extend([safe(brand), safe(model)]),
            None => path.push(safe(model)),
        }
        path.push(format!("{day}.csv"));
        path
    }
}

/// Limit of rows that are kept in memory before they are written: some megabytes.
const HELD: u32 = 4096;

/// Bytes at a file's end that contain its last record: twice the longest possible row, with every text at a kernel's limit.
const TAIL: u64 = 64 << 10;

/// The error of the system if a link is in the place of a file.
fn libc_loop() -> i32 {
    nix::errno::Errno::ELOOP as i32
}

fn make_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o755).create(path) {
        // The station's own mask protects its state; these files are for other users.
        Ok(()) => {
            let mode = fs::metadata(path)?.permissions().mode();
            fs::set_permissions(path, Permissions::from_mode(mode | 0o755))
        }
        // A link could lead to any place.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match fs::symlink_metadata(path)?.is_dir() {
            true => Ok(()),
            false => Err(io::ErrorKind::NotADirectory.into()),
        },
        Err(error) => Err(error),
    }
}

/// The event of a file's last record, if the file ends in our form.
fn last_seq(mut file: &File, length: u64) -> io::Result<Option<u64>> {
    let from = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    if !tail.ends_with(b"\r\n") {
        return Ok(None);
    }
    // From the first line end on there are whole records; a quoted line end within a record can only make the result no.
    let start = if from == 0 { 0 } else { tail.windows(2).position(|pair| pair == b"\r\n").map_or(tail.len(), |at| at + 2) };
    let mut last = None;
    for record in records(&tail[start..]).byte_records() {
        match record {
            Ok(record) => last = seq_of(&record),
            Err(_) => last = None,
        }
    }
    Ok(last)
}

/// Does it have the header row and this many records?
fn holds(mut file: &File, expected: Expected) -> io::Result<bool> {
    file.seek(SeekFrom::Start(0))?;
    let mut csv = records(BufReader::new(file));
    let mut rows = 0;
    let mut header = true;
    for record in csv.byte_records() {
        let Ok(record) = record else { return Ok(false) };
        if header {
            if record != RowCsv::<Vec<u8>>::header_for_people() {
                return Ok(false);
            }
            header = false;
        } else if seq_of(&record).is_some() {
            rows += 1;
        }
    }
    Ok(rows == expected.rows)
}

fn records<R: Read>(from: R) -> csv::Reader<R> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(from)
}

fn seq_of(record: &csv::ByteRecord) -> Option<u64> {
    std::str::from_utf8(record.get(RowCsv::<Vec<u8>>::seq_column())?).ok()?.parse().ok()
}

/// A name that is one part of a path on both sides of a share: every other character is written as `%` and its bytes. No two names become
/// one.
fn safe(name: &str) -> String {
    // File systems do not accept longer names; the part that is cut is represented by a digest.
    const LONGEST: usize = 120;
    let mut safe = String::new();
    let last = name.chars().count().saturating_sub(1);
    for (index, c) in name.chars().enumerate() {
        let plain = c.is_alphanumeric() || matches!(c, '-' | '_' | '+' | '(' | ')' | ',' | '=' | '@');
        let inside = matches!(c, '.' | ' ') && index > 0 && index < last;
        if plain || inside {
            safe.push(c);
        } else {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| safe.push_str(&format!("%{byte:02x}")));
        }
    }
    if safe.is_empty() {
        safe.push('%');
    }
    if safe.len() > LONGEST {
        let mut end = LONGEST;
        while !safe.is_char_boundary(end) {
            end -= 1;
        }
        safe.truncate(end);
        safe.push_str(&format!("%%{}", &blake3::hash(name.as_bytes()).to_hex()[..16]));
    }
    safe
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;
    use crate::ledger::{Ledger, Month, Stamp, Wanted, archive_on};
    use crate::station::outcome::{Effort, Outcome, Pull};
    use crate::station::record::{Attempt, Entry};
    use crate::station::request::Who;
    use crate::station::testing::{attempt, card};

    /// A log, and a directory beside it for its files.
    struct Place {
        root: TempDir,
        ledger: Ledger,
        number: u64,
    }

    impl Place {
        fn new() -> Self {
            let root = tempfile::tempdir().expect("a directory");
            let path = root.path().join("flash-log.db");
            let ledger = Ledger::open_on(&path, "bench-1", "0123456789abcdef0123456789abcdef").expect("the log opens");
            Self { root, ledger, number: 0 }
        }

        fn directory(&self) -> PathBuf {
            self.root.path().join("share")
        }

        fn files(&self) -> LogFiles {
            LogFiles::new(self.directory(), TimeZone::get("Europe/Berlin").expect("a zone"))
        }

        fn log(&self) -> LogReader {
            LogReader::open(self.ledger.path()).expect("a log")
        }

        fn close(&mut self, model: &str, local: &str) {
            self.number += 1;
            let at = format!("{local}[Europe/Berlin]").parse::<jiff::Zoned>().expect("a time").timestamp().as_microsecond();
            let attempt = Attempt { model: model.to_owned(), image: None, ..attempt(self.number, "A1", card("usb", self.number)) };
            let entry =
                Entry::AttemptClosed { attempt: Box::new(attempt), outcome: Outcome::Pulled(Pull::Taken), effort: Effort::default() };
            let stamp = Stamp { at, boot: "b".to_owned(), since_boot_ms: None, synced: None };
            self.ledger.append_at(&stamp, &entry).expect("appended");
        }

        /// The attempts in a file, in their order.
        fn attempts(&self, file: &str) -> Vec<u64> {
            let text = fs::read_to_string(self.directory().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(text.starts_with("attempt,started,"), "{text}");
            let mut csv = csv::Reader::from_reader(text.as_bytes());
            csv.records().map(|record| record.expect("a record")[0].parse().expect("a number")).collect()
        }
    }

    mod cases {
        use super::*;
        use crate::station::testing::proof;

        fn at(local: &str) -> i64 {
            format!("{local}[Europe/Berlin]").parse::<jiff::Zoned>().expect("a time").timestamp().as_microsecond()
        }

        fn prove_and_change(place: &mut Place, proven: &str, changed: &str) {
            place.number += 1;
            let attempt = Box::new(Attempt { image: None, ..attempt(place.number, "A1", card("usb", place.number)) });
            let stamp = |local| Stamp { at: at(local), boot: "b".to_owned(), since_boot_ms: None, synced: None };
            let closed = Entry::AttemptClosed { attempt: attempt.clone(), outcome: Outcome::Passed(proof()), effort: Effort::default() };
            place.ledger.append_at(&stamp(proven), &closed).expect("appended");
            let mut files = place.files();
            files.follow(&place.log()).expect("they are written");
            let entry = Entry::AttemptChanged { attempt, outcome: Outcome::Changed { sectors: 8 } };
            place.ledger.append_at(&stamp(changed), &entry).expect("appended");
        }

        #[test]
        fn the_line_of_a_proof_goes_when_its_card_was_changed_whether_the_files_were_followed_or_made_level() {
            for follows in [true, false] {
                let mut place = Place::new();
                place.close("acme/box", "2026-10-20T12:00");
                let mut files = place.files();
                files.follow(&place.log()).expect("they are written");
                prove_and_change(&mut place, "2026-10-20T23:59", "2026-10-24T00:10");
                if follows {
                    // A follower that has seen the line of the proof.
                    let level = files.level_to;
                    assert!(level.is_some());
                } else {
                    files = place.files();
                }
                place.close("acme/box", "2026-10-25T12:00");
                place.close("acme/box", "2026-10-26T12:00");
                files.follow(&place.log()).expect("they are written");
                assert_eq!(place.attempts("acme/box/2026-10-20.csv"), [1], "the proof holds no more");
                assert_eq!(place.attempts("acme/box/2026-10-24.csv"), [2]);
                let text = fs::read_to_string(place.directory().join("acme/box/2026-10-24.csv")).expect("it is there");
                assert!(text.contains(",changed,"), "{text}");
            }
        }
    }

    #[test]
    fn a_model_has_a_file_a_local_day_and_a_line_an_outcome() {
        let mut place = Place::new();
        place.close("acme/box", "2026-10-25T00:30");
        place.close("acme/box", "2026-10-25T23:30");
        place.close("acme/box", "2026-10-26T00:00");
        place.close("acme/pi", "2026-10-25T12:00");
        let mut files = place.files();
        assert_eq!(files.follow(&place.log()).expect("they are written"), 4);
        assert_eq!(place.attempts("acme/box/2026-10-25.csv"), [1, 2]);
        assert_eq!(place.attempts("acme/box/2026-10-26.csv"), [3]);
        assert_eq!(place.attempts("acme/pi/2026-10-25.csv"), [4]);
        place.close("acme/box", "2026-10-26T01:00");
        place.close("acme/box", "2026-10-25T22:00");
        assert_eq!(files.follow(&place.log()).expect("they are written"), 2);
        assert_eq!(place.attempts("acme/box/2026-10-25.csv"), [1, 2, 6], "a clock set back writes into the day it says");
        assert_eq!(place.attempts("acme/box/2026-10-26.csv"), [3, 5]);
        assert_eq!(files.follow(&place.log()).expect("nothing to do"), 0);
        let mode = fs::metadata(place.directory().join("acme/box/2026-10-26.csv")).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "others can read it");
    }

    #[test]
    fn the_file_of_a_day_whose_rows_are_archived_keeps_them() {
        let mut place = Place::new();
        for hour in 10..=12 {
            place.close("acme/box", &format!("2041-05-03T{hour}:00"));
        }
        place.close("acme/box", "2041-05-04T10:00");
        place.files().follow(&place.log()).expect("they are written");
        let Place { root, ledger, number } = place;
        let path = ledger.path().to_owned();
        drop(ledger);
        // The cut is amid a day: the rows behind it stay in the log.
        let cut = "2041-05-03T11:30[Europe/Berlin]".parse::<jiff::Zoned>().expect("a time").timestamp().as_microsecond();
        let month_of = |at| {
            let (name, end) = if at < cut { ("2041-04", cut) } else { ("2041-05", i64::MAX) };
            Month { name: name.to_owned(), end }
        };
        let by = Who { uid: 0, name: "root".to_owned() };
        let wanted = Wanted { log: &path, folder: root.path(), before: cut, month_of: &month_of, by: &by };
        archive_on(&wanted, "0123456789abcdef0123456789abcdef").expect("archived");
        let ledger = Ledger::open_on(&path, "bench-1", "0123456789abcdef0123456789abcdef").expect("the log opens");
        let place = Place { root, ledger, number };
        assert_eq!(place.log().attempts(&Filter::default()).count(), 2, "two rows are archived");
        fs::remove_file(place.directory().join("acme/box/2041-05-04.csv")).expect("deleted");
        assert_eq!(place.files().follow(&place.log()).expect("they are put right"), 1);
        assert_eq!(place.attempts("acme/box/2041-05-03.csv"), [1, 2, 3]);
        assert_eq!(place.attempts("acme/box/2041-05-04.csv"), [4]);
    }

    #[test]
    fn a_start_brings_back_what_was_deleted_cut_or_spoilt_and_touches_nothing_else() {
        let mut place = Place::new();
        for day in 1..=5 {
            place.close("acme/box", &format!("2026-11-0{day}T12:00"));
            place.close("acme/box", &format!("2026-11-0{day}T13:00"));
        }
        place.files().follow(&place.log()).expect("they are written");
        let file = |day: u32| place.directory().join(format!("acme/box/2026-11-0{day}.csv"));
        let whole = |day: u32| fs::read(file(day)).expect("it is there");
        let before: Vec<_> = (1..=5).map(whole).collect();
        fs::remove_file(file(1)).expect("deleted");
        // A crash in the middle of a line, one after a line, and one that left a hole.
        fs::write(file(2), &before[1][..before[1].len() - 7]).expect("cut");
        let lines: Vec<_> = String::from_utf8(before[2].clone()).expect("text").lines().map(str::to_owned).collect();
        fs::write(file(3), format!("{}\r\n{}\r\n", lines[0], lines[1])).expect("cut");
        fs::write(file(4), [&before[3][..before[3].len() - 2], &[0; 512]].concat()).expect("spoilt");
        // In the newest days, a missing line in the middle is found, too.
        fs::write(
            file(5),
            format!("{}\r\n{}", lines[0], String::from_utf8_lossy(&before[4]).lines().nth(2).expect("a line").to_owned() + "\r\n"),
        )
        .expect("cut");
        assert_eq!(place.files().follow(&place.log()).expect("they are put right"), 10);
        assert_eq!((1..=5).map(whole).collect::<Vec<_>>(), before);
        let inodes =
            || (1..=5).map(|day| std::os::unix::fs::MetadataExt::ino(&fs::metadata(file(day)).expect("there"))).collect::<Vec<_>>();
        let kept = inodes();
        assert_eq!(place.files().follow(&place.log()).expect("they are level"), 0);
        assert_eq!(inodes(), kept, "what is level is left alone");
    }

    #[test]
    fn what_somebody_does_to_a_file_meanwhile_is_put_right_with_its_next_line() {
        let mut place = Place::new();
        let mut files = place.files();
        place.close("acme/box", "2026-11-24T12:00");
        files.follow(&place.log()).expect("it is written");
        let file = place.directory().join("acme/box/2026-11-24.csv");
        fs::remove_file(&file).expect("deleted");
        place.close("acme/box", "2026-11-24T13:00");
        files.follow(&place.log()).expect("it is written");
        assert_eq!(place.attempts("acme/box/2026-11-24.csv"), [1, 2]);
        fs::write(&file, "saved by a spreadsheet").expect("written to");
        place.close("acme/box", "2026-11-24T14:00");
        files.follow(&place.log()).expect("it is written");
        assert_eq!(place.attempts("acme/box/2026-11-24.csv"), [1, 2, 3]);
    }

    #[test]
    fn a_directory_that_is_gone_is_an_error_and_later_caught_up_with() {
        let mut place = Place::new();
        let mut files = place.files();
        place.close("acme/box", "2026-11-24T12:00");
        files.follow(&place.log()).expect("it is written");
        let (directory, away) = (place.directory(), place.root.path().join("away"));
        fs::rename(&directory, &away).expect("moved");
        fs::write(&directory, "in its place").expect("written");
        place.close("acme/box", "2026-11-24T13:00");
        let error = files.follow(&place.log()).expect_err("it is no directory");
        assert!(matches!(error, FilesError::Directory { .. }), "{error}");
        assert!(error.to_string().contains("`directory` in [log]"), "{error}");
        place.close("acme/box", "2026-11-25T13:00");
        files.follow(&place.log()).expect_err("still not");
        fs::remove_file(&directory).expect("removed");
        fs::rename(&away, &directory).expect("moved back");
        files.follow(&place.log()).expect("they are caught up");
        assert_eq!(place.attempts("acme/box/2026-11-24.csv"), [1, 2]);
        assert_eq!(place.attempts("acme/box/2026-11-25.csv"), [3]);
        // No file is made in the mount point of a share that is not mounted.
        let mut lost = LogFiles::new(place.root.path().join("no/such"), TimeZone::UTC);
        assert!(matches!(lost.follow(&place.log()), Err(FilesError::Directory { .. })));
    }

    #[test]
    fn no_name_leads_out_of_the_directory_and_no_two_names_are_one() {
        let long = "ü".repeat(300);
        let names = [
            "acme/box",
            "../../etc",
            "acme/../..",
            "/etc/passwd",
            "a/b/c",
            "",
            ".",
            "..",
            "/",
            "a\0b",
            "a\\b",
            "a:b/c ",
            "acme/.hidden",
            "%2e%2e",
            "a%2fb",
            &long,
        ];
        let place = Place::new();
        let files = place.files();
        let day: Date = "2026-11-24".parse().expect("a day");
        let mut seen = BTreeSet::new();
        for name in names {
            let path = files.path(&(name.to_owned(), day));
            let inside = path.strip_prefix(place.directory()).expect("inside");
            let parts: Vec<_> = inside.components().collect();
            assert!((2..=3).contains(&parts.len()), "{name:?}: {}", path.display());
            for part in &parts {
                let std::path::Component::Normal(part) = part else { panic!("{name:?}: {}", path.display()) };
                let part = part.to_str().expect("text");
                assert!(part.len() < 200 && !part.starts_with('.') && !part.contains(['\0', '\\', ':']), "{name:?}: {part}");
            }
            assert!(seen.insert(path.clone()), "{name:?}: {}", path.display());
        }
        assert!(files.path(&("Acme Inc./Pi 3+".to_owned(), day)).ends_with("Acme Inc%2e/Pi 3+/2026-11-24.csv"));
    }

    #[test]
    fn a_link_somebody_put_there_is_not_followed() {
        let mut place = Place::new();
        place.close("acme/box", "2026-11-24T12:00");
        let victim = place.root.path().join("victim");
        fs::write(&victim, "mine").expect("written");
        fs::create_dir_all(place.directory().join("acme/box")).expect("made");
        symlink(&victim, place.directory().join("acme/box/2026-11-24.csv")).expect("linked");
        place.files().follow(&place.log()).expect("the link is replaced");
        assert_eq!(place.attempts("acme/box/2026-11-24.csv"), [1]);
        let elsewhere = place.root.path().join("elsewhere");
        fs::create_dir(&elsewhere).expect("made");
        symlink(&elsewhere, place.directory().join("evil")).expect("linked");
        place.close("evil/box", "2026-11-24T12:00");
        place.files().follow(&place.log()).expect_err("a link in a directory's place");
        assert_eq!(fs::read_dir(&elsewhere).expect("readable").count(), 0);
        assert_eq!(fs::read_to_string(&victim).expect("there"), "mine");
    }
}
