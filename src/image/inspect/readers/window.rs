//! The image as the readers of tables and file systems see it: a window that ends where its partition does, accepts no writes, and limits
//! the cost of the inspection.
//!
//! The contents of an image may be hostile. If its tables and chains form loops, every turn reads, and every read is charged to one
//! [`ReadBudget`], in bytes and in time: the budget of an endless reader runs out.
//!
//! A reader may treat an error as a missing entry. Therefore the errors of the medium, and the time spent waiting for it, are also kept in
//! a [`Reading`].

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

use super::contents::Contents;
use crate::image::inspect::read_error::ReadError;
use crate::station::units::{KIB, MIB, to_u64, to_usize};

/// Bytes of a cached block: FAT chains and directories are read in pieces of 4 and 512 bytes.
const BLOCK: u64 = 64 * KIB;
/// Number of cached blocks: the FAT, a directory, a file and others between them, in 1 MiB per window.
const BLOCKS: usize = 16;
/// The least that a read costs, so that many small ones have a cost, too.
const CHEAPEST: u64 = 64;
/// How often every byte of an image may be read: once to hash the snaps, once to inspect, and twice more for the tables that lead there.
const TIMES: u64 = 4;
/// The budget of even a tiny image.
const ALWAYS: u64 = 64 * MIB;

/// The bytes of an image: a staged file, or memory.
pub trait Medium {
    /// The length in bytes.
    fn length(&self) -> u64;
    /// Fills `into` with the bytes at `at`.
    ///
    /// # Errors
    /// The error of the system; behind the end it is `UnexpectedEof`.
    fn read_exact_at(&self, at: u64, into: &mut [u8]) -> io::Result<()>;
    /// The first byte from `at` on that may differ from zero: a hole in a file need not be read.
    fn next_data(&self, at: u64) -> u64 {
        at
    }
}

/// A file of a known length.
#[derive(Debug)]
pub struct FileMedium {
    file: File,
    length: u64,
}

impl FileMedium {
    /// The first `length` bytes of `file`.
    #[must_use]
    pub(crate) fn new(file: File, length: u64) -> Self {
        Self { file, length }
    }
}

impl Medium for FileMedium {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(into, at)
    }

    fn next_data(&self, at: u64) -> u64 {
        let Ok(from) = i64::try_from(at) else { return at };
        match lseek(&self.file, from, Whence::SeekData) {
            Ok(data) => u64::try_from(data).unwrap_or(at),
            // Only a hole follows (lseek(2)).
            Err(Errno::ENXIO) => self.length,
            // The file system does not report holes.
            Err(_) => at,
        }
    }
}

impl Medium for Vec<u8> {
    fn length(&self) -> u64 {
        to_u64(self.len())
    }

    fn read_exact_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(at).ok().and_then(|at| self.get(at..)).and_then(|rest| rest.get(..into.len()));
        into.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// The state of the medium's answers, visible outside of the thread that reads it.
#[derive(Debug, Default)]
pub(in crate::image::inspect) struct Reading(Mutex<Answers>);

#[derive(Debug, Default)]
struct Answers {
    /// The offset and the error of the first failed read.
    failed: Option<(u64, io::Error)>,
    /// The time spent in all finished reads.
    waited: Duration,
    /// The beginning of the read under way.
    since: Option<Instant>,
}

impl Reading {
    /// Reads from the medium; after an error, no more. The error is returned and kept.
    fn read(&self, medium: &dyn Medium, at: u64, into: &mut [u8]) -> io::Result<()> {
        let began = Instant::now();
        {
            let mut answers = self.answers();
            // A disk that fails may need half a minute for each read.
            if let Some((_, error)) = &answers.failed {
                return Err(like(error));
            }
            answers.since = Some(began);
        }
        let answer = medium.read_exact_at(at, into);
        let mut answers = self.answers();
        answers.since = None;
        answers.waited += began.elapsed();
        answer.map_err(|error| {
            let given_back = like(&error);
            answers.failed = Some((at, error));
            given_back
        })
    }

    /// The first error of the medium with its offset; returned once.
    pub(in crate::image::inspect) fn failed(&self) -> Option<(u64, io::Error)> {
        self.answers().failed.take()
    }

    /// The time spent waiting for the medium, including a read under way.
    pub(in crate::image::inspect) fn waited(&self) -> Duration {
        let answers = self.answers();
        answers.waited + answers.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An equal error.
fn like(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

/// The remaining budget of an inspection: bytes, and a time limit.
#[derive(Debug)]
struct ReadBudget {
    bytes: Cell<u64>,
    until: Option<Instant>,
}

impl ReadBudget {
    fn for_image(length: u64, until: Option<Instant>) -> Rc<Self> {
        Rc::new(Self { bytes: Cell::new(length.saturating_mul(TIMES).saturating_add(ALWAYS)), until })
    }

    fn charge(&self, bytes: usize) -> io::Result<()> {
        if self.until.is_some_and(|until| Instant::now() > until) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "reading it takes too long: its tables form a loop"));
        }
        let price = to_u64(bytes).max(CHEAPEST);
        match self.bytes.get().checked_sub(price) {
            Some(left) => {
                self.bytes.set(left);
                Ok(())
            }
            None => Err(io::Error::other("the inspection's read budget is used up: the image's tables loop or overlap")),
        }
    }
}

/// Blocks by number, the newest in front.
type Kept = VecDeque<(u64, Rc<[u8]>)>;

/// A part of the image.
#[derive(Clone)]
pub(in crate::image::inspect) struct Window {
    medium: Rc<dyn Medium>,
    reading: Arc<Reading>,
    budget: Rc<ReadBudget>,
    start: u64,
    length: u64,
    position: u64,
    kept: Rc<RefCell<Kept>>,
}

impl Window {
    pub(in crate::image::inspect) fn whole(medium: Rc<dyn Medium>) -> Self {
        Self::whole_until(medium, None, Arc::default())
    }

    /// A window that fails every read after that time.
    pub(in crate::image::inspect) fn whole_until(medium: Rc<dyn Medium>, until: Option<Instant>, reading: Arc<Reading>) -> Self {
        let length = medium.length();
        let budget = ReadBudget::for_image(length, until);
        Self { medium, reading, budget, start: 0, length, position: 0, kept: Rc::default() }
    }

    /// A part of this window; shorter if this one ends before.
    pub(in crate::image::inspect) fn part(&self, start: u64, length: u64) -> Self {
        let start_inside = start.min(self.length);
        let length = length.min(self.length - start_inside);
        let (medium, reading, budget) = (Rc::clone(&self.medium), Arc::clone(&self.reading), Rc::clone(&self.budget));
        Self { medium, reading, budget, start: self.start + start_inside, length, position: 0, kept: Rc::default() }
    }

    pub(in crate::image::inspect) fn length(&self) -> u64 {
        self.length
    }

    /// The first byte from `at` on that may differ from zero; the window's end if there is none.
    pub(in crate::image::inspect) fn next_data(&self, at: u64) -> u64 {
        self.medium.next_data(self.start + at).saturating_sub(self.start).clamp(at, self.length.max(at))
    }

    /// Fills `into` as far as there are bytes.
    pub(in crate::image::inspect) fn read_some_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(at);
        let count = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.budget.charge(count)?;
        let mut filled = 0;
        while filled < count {
            let here = at + to_u64(filled);
            let block = self.block(here / BLOCK)?;
            let from = to_usize(here % BLOCK);
            let part = (count - filled).min(block.len().saturating_sub(from));
            if part == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            into[filled..filled + part].copy_from_slice(&block[from..from + part]);
            filled += part;
        }
        Ok(count)
    }

    pub(in crate::image::inspect) fn read_exact_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        if self.read_some_at(at, into)? == into.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn block(&self, number: u64) -> io::Result<Rc<[u8]>> {
        let mut kept = self.kept.borrow_mut();
        if let Some(index) = kept.iter().position(|(known, _)| *known == number) {
            if index > 0
                && let Some(found) = kept.remove(index)
            {
                kept.push_front(found);
            }
            return Ok(Rc::clone(&kept[0].1));
        }
        let start = number * BLOCK;
        let mut bytes = vec![0; to_usize(BLOCK.min(self.length.saturating_sub(start)))];
        self.reading.read(self.medium.as_ref(), self.start + start, &mut bytes)?;
        let bytes: Rc<[u8]> = bytes.into();
        kept.truncate(BLOCKS - 1);
        kept.push_front((number, Rc::clone(&bytes)));
        Ok(bytes)
    }
}

impl Read for Window {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.read_some_at(self.position, into)?;
        self.position += to_u64(count);
        Ok(count)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl Write for Window {
    /// The reader of FAT needs a writable device, and marks a file system that it opens. Writes are discarded: nothing is ever written to
    /// an image.
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ext4_view::Ext4Read for Window {
    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        Ok(self.read_exact_at(at, into)?)
    }
}

impl Contents for Window {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&mut self, at: u64, into: &mut [u8]) -> Result<(), ReadError> {
        Ok(Self::read_exact_at(self, at, into)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(length: u64) -> Vec<u8> {
        (0..length).map(|at| u8::try_from(at % 251).expect("below 251")).collect()
    }

    #[test]
    fn a_window_shows_its_part_and_nothing_behind_it() {
        let bytes = numbered(3 * BLOCK + 100);
        let whole = Window::whole(Rc::new(bytes.clone()));
        let part = whole.part(1000, 2 * BLOCK);
        let mut found = vec![0; to_usize(BLOCK + 3)];
        part.read_exact_at(BLOCK - 3, &mut found).expect("inside");
        assert_eq!(found, bytes[to_usize(BLOCK + 997)..to_usize(2 * BLOCK + 1000)]);
        assert_eq!(part.read_some_at(2 * BLOCK - 1, &mut [0; 9]).expect("one byte is left"), 1);
        assert_eq!(part.read_some_at(u64::MAX, &mut [0; 9]).expect("nothing is there"), 0);
        assert!(part.read_exact_at(2 * BLOCK - 1, &mut [0; 2]).is_err());
        assert_eq!(whole.part(bytes.len() as u64 - 4, 50).length(), 4);
        assert_eq!(whole.part(u64::MAX, u64::MAX).length(), 0);
    }

    #[test]
    fn who_reads_in_circles_runs_out() {
        let window = Window::whole(Rc::new(numbered(1000)));
        let turns = (0..).take_while(|_| window.read_some_at(0, &mut [0; 4]).is_ok()).count();
        assert!(to_u64(turns) <= (ALWAYS + 4000) / CHEAPEST, "{turns}");
    }

    #[test]
    fn nobody_reads_on_when_the_time_is_over() {
        let past = Instant::now();
        let window = Window::whole_until(Rc::new(numbered(1000)), Some(past), Arc::default());
        let error = window.part(10, 10).read_exact_at(0, &mut [0; 4]).expect_err("it is over");
        assert!(error.to_string().contains("takes too long"), "{error}");
    }

    #[test]
    fn nothing_is_ever_written() {
        assert!(Window::whole(Rc::new(numbered(10))).write(b"x").is_err());
    }
}
