//! The host's end of the channel to the agent in the guest: jobs, their output, files in and out.
//!
//! Owns the connection and the output of jobs. It does not know the purpose of a job.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufReader, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use regex::Regex;

use crate::error::{Error, OrPanic, Result};
use crate::protocol::{self, Frame};
use crate::qmp;
use crate::sync::{Watched, lock, patient};

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit status, or 128 + signal as in a shell.
    pub status: u32,
    /// Everything that was written to standard output.
    pub stdout: String,
    /// Everything that was written to standard error.
    pub stderr: String,
}

impl Output {
    /// The job ended with status 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status == 0
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.stdout, self.stderr)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Running,
    Ended(u32),
    /// The agent restarted, or QEMU ended.
    Lost,
}

#[derive(Debug, Default)]
struct Printed {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    fate: Fate,
}

impl Printed {
    fn text(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.stdout), String::from_utf8_lossy(&self.stderr))
    }

    /// The complete lines of both streams.
    fn lines(&self) -> impl Iterator<Item = String> {
        let over = self.fate != Fate::Running;
        lines(&self.stdout, over).chain(lines(&self.stderr, over))
    }
}

#[derive(Debug)]
struct Record {
    script: String,
    printed: Watched<Printed>,
}

#[derive(Debug, Default)]
struct Book {
    open: HashMap<u32, Arc<Record>>,
    /// Scripts in the order they began, for the report of a failure.
    all: Vec<Arc<Record>>,
}

/// The connection to one guest.
#[derive(Debug)]
pub(crate) struct Agent {
    out: Mutex<UnixStream>,
    book: Arc<Mutex<Book>>,
    hello: Arc<Watched<bool>>,
    next: AtomicU32,
}

impl Agent {
    pub(crate) fn connect(socket: &Path) -> Result<Arc<Self>> {
        let stream = qmp::connect(socket, Duration::from_secs(20))?;
        let doing = "starting to listen to the agent";
        let input = stream.try_clone().map_err(Error::io(doing))?;
        let agent = Arc::new(Self { out: Mutex::new(stream), book: Arc::default(), hello: Arc::default(), next: AtomicU32::new(1) });
        let (book, hello) = (Arc::clone(&agent.book), Arc::clone(&agent.hello));
        thread::Builder::new().name("lab/agent".to_owned()).spawn(move || listen(input, &book, &hello)).map_err(Error::io(doing))?;
        Ok(agent)
    }

    /// Waits for the agent of a guest that boots.
    pub(crate) fn wait_hello(&self, timeout: Duration) -> Result<()> {
        self.hello.wait(patient(timeout), |hello| hello.then_some(())).ok_or_else(|| Error::Late {
            what: "the agent's first word".to_owned(),
            after: timeout,
            seen: String::new(),
        })
    }

    /// The guest boots again: from now on, only a new first word of its agent counts.
    pub(crate) fn expect_hello(&self) {
        self.hello.change(|hello| *hello = false);
    }

    fn open(&self, script: &str) -> (u32, Arc<Record>) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let record = Arc::new(Record { script: script.to_owned(), printed: Watched::default() });
        let mut book = lock(&self.book);
        book.open.insert(id, Arc::clone(&record));
        book.all.push(Arc::clone(&record));
        (id, record)
    }

    fn send(&self, frame: &Frame) -> Result<()> {
        frame.write_to(&mut *lock(&self.out)).map_err(Error::io("sending to the agent in the emulated PC"))
    }

    pub(crate) fn spawn(self: &Arc<Self>, script: &str) -> Result<Job> {
        let (id, record) = self.open(script);
        self.send(&Frame::new(protocol::RUN, id, script))?;
        Ok(Job { id, record, agent: Arc::clone(self) })
    }

    /// Copies a stream into a file of the guest; the file takes its name when it is whole.
    pub(crate) fn put(self: &Arc<Self>, mut from: impl Read, path: &str, mode: u32) -> Result<()> {
        let what = format!("putting {path}");
        let (id, record) = self.open(&what);
        self.send(&Frame::put(id, mode, path))?;
        let mut buf = vec![0; protocol::CHUNK];
        loop {
            let read = from.read(&mut buf).map_err(Error::io(format!("reading what becomes {path}")))?;
            let Some(data) = buf.get(..read).filter(|data| !data.is_empty()) else { break };
            self.send(&Frame::new(protocol::PUT_DATA, id, data))?;
        }
        self.send(&Frame::new(protocol::PUT_END, id, []))?;
        Job { id, record, agent: Arc::clone(self) }.file_end(&what).map(drop)
    }

    pub(crate) fn get(self: &Arc<Self>, path: &str) -> Result<Vec<u8>> {
        let what = format!("getting {path}");
        let (id, record) = self.open(&what);
        self.send(&Frame::new(protocol::GET, id, path))?;
        Job { id, record, agent: Arc::clone(self) }.file_end(&what)
    }

    /// The output of the last jobs, newest last: the first thing to look at after a failure.
    pub(crate) fn tail(&self, jobs: usize, bytes: usize) -> String {
        use fmt::Write as _;
        let book = lock(&self.book);
        let mut text = String::new();
        for record in book.all.iter().skip(book.all.len().saturating_sub(jobs)) {
            let printed = record.printed.lock();
            let all = printed.text();
            let from = all.len().saturating_sub(bytes);
            let from = (from..=all.len()).find(|&at| all.is_char_boundary(at)).unwrap_or_default();
            let _ = writeln!(text, "$ {}   [{:?}]\n{}", record.script, printed.fate, all.get(from..).unwrap_or_default());
        }
        text
    }
}

fn listen(input: UnixStream, book: &Mutex<Book>, hello: &Watched<bool>) {
    let mut input = BufReader::with_capacity(protocol::CHUNK, input);
    while let Ok(frame) = Frame::read_from(&mut input) {
        if frame.kind == protocol::HELLO {
            lose_all(book);
            hello.change(|hello| *hello = true);
            continue;
        }
        let record =
            if frame.kind == protocol::END { lock(book).open.remove(&frame.id) } else { lock(book).open.get(&frame.id).map(Arc::clone) };
        let Some(record) = record else { continue };
        record.printed.change(|printed| match frame.kind {
            protocol::STDOUT => printed.stdout.extend_from_slice(&frame.payload),
            protocol::STDERR => printed.stderr.extend_from_slice(&frame.payload),
            _ => printed.fate = frame.number().map_or(Fate::Lost, |(status, _)| Fate::Ended(status)),
        });
    }
    lose_all(book);
}

fn lose_all(book: &Mutex<Book>) {
    let open: Vec<_> = lock(book).open.drain().collect();
    for (_, record) in open {
        record.printed.change(|printed| printed.fate = Fate::Lost);
    }
}

/// How long a file may take.
const FILE: Duration = Duration::from_secs(120);

/// A script running in the guest.
///
/// It goes on when this handle is dropped.
#[derive(Debug)]
pub struct Job {
    id: u32,
    record: Arc<Record>,
    agent: Arc<Agent>,
}

impl Job {
    /// Waits for the job's end, whatever its status.
    ///
    /// # Panics
    /// If it does not end in time.
    #[track_caller]
    pub fn wait(&self, timeout: Duration) -> Output {
        self.try_wait(timeout).or_panic()
    }

    pub(crate) fn try_wait(&self, timeout: Duration) -> Result<Output> {
        let ended = self.record.printed.wait(patient(timeout), |printed| match printed.fate {
            Fate::Running => None,
            Fate::Lost => Some(Err(self.lost(printed))),
            Fate::Ended(status) => Some(Ok(Output {
                status,
                stdout: String::from_utf8_lossy(&printed.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&printed.stderr).into_owned(),
            })),
        });
        ended.unwrap_or_else(|| Err(self.late(format!("the end of {:?}", self.record.script), timeout)))
    }

    fn file_end(&self, what: &str) -> Result<Vec<u8>> {
        let ended = self.record.printed.wait(FILE, |printed| match printed.fate {
            Fate::Running => None,
            Fate::Lost => Some(Err(self.lost(printed))),
            Fate::Ended(0) => Some(Ok(std::mem::take(&mut printed.stdout))),
            Fate::Ended(errno) => Some(Err(Error::Io {
                doing: format!("{what} in the emulated PC"),
                source: std::io::Error::from_raw_os_error(i32::try_from(errno).unwrap_or_default()),
            })),
        });
        ended.unwrap_or_else(|| Err(self.late(what.to_owned(), FILE)))
    }

    fn lost(&self, printed: &Printed) -> Error {
        Error::Lost { script: self.record.script.clone(), output: printed.text() }
    }

    fn late(&self, what: String, after: Duration) -> Error {
        Error::Late { what, after, seen: self.printed() }
    }

    /// Waits for a line, of either stream, that matches a regular expression, and returns it. Lines printed before the
    /// call count: a scenario cannot miss what it waits for.
    ///
    /// # Panics
    /// If no such line comes in time, or the job ends without one.
    #[track_caller]
    pub fn wait_for_line(&self, pattern: &str, timeout: Duration) -> String {
        self.wait_for_nth_line(1, pattern, timeout)
    }

    /// The same for the `nth` such line, counted from 1: the second visit of a slot prints the same words as the first.
    ///
    /// # Panics
    /// If it does not come in time, or the job ends without it.
    #[track_caller]
    pub fn wait_for_nth_line(&self, nth: usize, pattern: &str, timeout: Duration) -> String {
        self.try_line(nth, pattern, timeout).or_panic()
    }

    fn try_line(&self, nth: usize, pattern: &str, timeout: Duration) -> Result<String> {
        let regex = regex(pattern)?;
        let what = format!("line {nth} matching {pattern:?} of {:?}", self.record.script);
        let found = self.record.printed.wait(patient(timeout), |printed| {
            match printed.lines().filter(|line| regex.is_match(line)).nth(nth.saturating_sub(1)) {
                Some(line) => Some(Ok(line)),
                None => match printed.fate {
                    Fate::Running => None,
                    Fate::Lost => Some(Err(self.lost(printed))),
                    Fate::Ended(status) => {
                        Some(Err(Error::Script { script: format!("{what} never came:"), status, output: printed.text() }))
                    }
                },
            }
        });
        found.unwrap_or_else(|| Err(self.late(what, timeout)))
    }

    /// How many lines so far match.
    ///
    /// # Panics
    /// If the pattern is no regular expression.
    #[track_caller]
    #[must_use]
    pub fn count_lines(&self, pattern: &str) -> usize {
        let regex = regex(pattern).or_panic();
        self.record.printed.lock().lines().filter(|line| regex.is_match(line)).count()
    }

    /// All it has printed so far: standard output, then standard error.
    #[must_use]
    pub fn printed(&self) -> String {
        self.record.printed.lock().text()
    }

    /// It has not ended yet.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.record.printed.lock().fate == Fate::Running
    }

    /// Sends a signal to the job and all it started. A single command takes the place of its shell; in a longer script
    /// the shell gets the signal too, so `exec` its last command where its exit status matters.
    ///
    /// # Panics
    /// If the channel to the guest is broken.
    #[track_caller]
    pub fn kill(&self, signal: Signal) {
        let number = u32::try_from(signal as i32).unwrap_or_default();
        self.agent.send(&Frame::new(protocol::SIGNAL, self.id, number.to_be_bytes())).or_panic();
    }
}

fn regex(pattern: &str) -> Result<Regex> {
    Regex::new(pattern).map_err(|error| Error::Impossible(format!("{pattern:?} is no regular expression: {error}")))
}

/// Complete lines; an unfinished last line counts once nothing can follow it.
fn lines(bytes: &[u8], over: bool) -> impl Iterator<Item = String> + '_ {
    bytes
        .split_inclusive(|&byte| byte == b'\n')
        .filter(move |line| over || line.ends_with(b"\n"))
        .map(|line| String::from_utf8_lossy(line).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// An agent connected to a guest whose part the test plays.
    fn pair() -> (Arc<Agent>, UnixStream) {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let socket = folder.path().join("agent.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let agent = Agent::connect(&socket).expect("the socket is there");
        (agent, listener.accept().expect("the agent connects").0)
    }

    fn say(guest: &mut UnixStream, frame: Frame) {
        frame.write_to(guest).expect("the host listens");
    }

    #[test]
    fn lines_are_whole_counted_and_of_either_stream() {
        let (agent, mut guest) = pair();
        let job = agent.spawn("station").expect("sent");
        let run = Frame::read_from(&mut guest).expect("the host's frame");
        assert_eq!((run.kind, run.payload.as_slice()), (protocol::RUN, &b"station"[..]));
        say(&mut guest, Frame::new(protocol::STDOUT, run.id, "A1 PA"));
        assert!(job.try_line(1, "A1", Duration::from_millis(50)).is_err(), "half a line is none");
        say(&mut guest, Frame::new(protocol::STDOUT, run.id, "SS\nA2 PASS\nA1 PASS again"));
        say(&mut guest, Frame::new(protocol::STDERR, run.id, "A3 PASS\n"));
        assert_eq!(job.wait_for_line("A1", LONG), "A1 PASS");
        assert_eq!(job.wait_for_line("A3", LONG), "A3 PASS");
        assert_eq!(job.wait_for_line("A1", LONG), "A1 PASS", "what was printed before counts");
        assert!(job.is_running());
        say(&mut guest, Frame::end(run.id, 1));
        assert_eq!(job.wait_for_nth_line(2, "A1", LONG), "A1 PASS again", "the last line needs no end");
        assert!(job.try_line(3, "A1", LONG).is_err_and(|error| matches!(error, Error::Script { status: 1, .. })));
        assert_eq!(job.wait(LONG).status, 1);
        assert_eq!(job.count_lines("PASS"), 4);
    }

    #[test]
    fn jobs_of_an_agent_that_restarts_are_lost() {
        let (agent, mut guest) = pair();
        let job = agent.spawn("sleep 1000").expect("sent");
        Frame::read_from(&mut guest).expect("the host's frame");
        say(&mut guest, Frame::new(protocol::HELLO, 0, []));
        assert!(job.try_wait(LONG).is_err_and(|error| matches!(error, Error::Lost { .. })));
        let job = agent.spawn("sleep 1000").expect("sent");
        drop(guest);
        assert!(job.try_wait(LONG).is_err_and(|error| matches!(error, Error::Lost { .. })), "QEMU has ended");
    }

    #[test]
    fn a_file_goes_out_in_pieces_and_its_errno_comes_back() {
        let (agent, mut guest) = pair();
        let putting = thread::spawn(move || agent.put(vec![7; protocol::CHUNK + 1].as_slice(), "/full/file", 0o600));
        let put = Frame::read_from(&mut guest).expect("the start");
        assert_eq!(put.number(), Some((0o600, &b"/full/file"[..])));
        let sizes = [(); 3].map(|()| Frame::read_from(&mut guest).expect("a piece").payload.len());
        assert_eq!(sizes, [protocol::CHUNK, 1, 0]);
        say(&mut guest, Frame::end(put.id, 28));
        let error = putting.join().expect("it ended").expect_err("no space");
        assert!(matches!(error, Error::Io { source, .. } if source.raw_os_error() == Some(28)));
    }
}
