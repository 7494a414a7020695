//! The station's end of the log's process. Entries without a confirmation are kept here, so that they survive the process and its disk.
//!
//! SQLite maps a file that readers share. A page of it that cannot be had stops the thread that touches it, which holds the lock of the
//! whole process's memory before Linux 6.4: a disk that hangs would stop the watch and every card with it. On a full btrfs such a page is
//! the signal SIGBUS. So no thread of the station touches the log; the log's process does, and the station asks whether it still answers.
//!
//! ```text
//! Writer ──▶ thread "ledger" ── pipe ──▶ the log's process ── owns ──▶ Ledger
//!                pending ◀── thread "ledger-replies" ◀── pipe ──┘
//! ```
//! A process that ended is followed by another one, which is given everything that was not confirmed, in the same order. What the first one
//! had written without saying so is recognised ([`Ledger::append_all`]). One that hangs is waited for: it holds the log, and goes on when
//! its disk does.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};

use super::Ledger;
use super::chain::Head;
use super::process_main::{Reply, Request};
use super::writer::{Queued, RETRY, Writer, WriterAnswer};

/// How long the log's process may answer nothing.
const SILENCE: Duration = Duration::from_secs(5);

/// How much longer it may take to start, and to read back what an earlier one left.
const START: Duration = Duration::from_secs(10);

/// How often it is asked whether its disk is there.
const ASK: Duration = Duration::from_secs(2);

/// How often the station looks.
const LOOK: Duration = Duration::from_millis(200);

/// What a pipe is made to hold, where the system allows it: the bytes of some hundred entries.
const PIPE: i32 = 1 << 20;
/// What a pipe holds without being asked (`pipe(7)`).
const LEAST_PIPE: usize = 65_536;
/// A message takes whole pages of a pipe at worst: the kernel adds to the last page only what fits into it as a whole (`pipe_write`).
const PIPE_PAGE: usize = 4096;

/// How long after the last start a process that ended is started again, at most: one that dies of its disk again and again is a burden to it.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

impl Writer {
    /// Starts the log's process, which takes the log over from here, and the thread that talks to it. `program` makes the command that
    /// serves the log from this event on ([`super::serve`]); `answer` is called on threads of its own, one call at a time.
    ///
    /// # Errors
    /// Where the system has no thread to give. A process that does not start is tried again, and said.
    pub(crate) fn start_apart(
        ledger: Ledger,
        program: impl Fn(Head) -> Command + Send + 'static,
        answer: impl FnMut(WriterAnswer) + Send + 'static,
    ) -> io::Result<Self> {
        let (path, newest, name) = (ledger.path.clone(), ledger.known(), ledger.station_name.clone());
        // Closed, and its lock let go of.
        drop(ledger);
        Self::spawn(name, move |queue, patient, waiting| {
            let shared = Shared {
                path,
                answer: Box::new(answer),
                pending: VecDeque::new(),
                sent: 0,
                in_pipe: 0,
                capacity: LEAST_PIPE,
                pipe: None,
                newest,
                waiting,
                ill: None,
                silent: None,
                said: None,
                heard: Instant::now(),
                asked: None,
                ended: 0,
            };
            let shared = Arc::new(Mutex::new(shared));
            let mut pump = Pump { shared, program: Box::new(program), child: None, started: None };
            pump.run(queue, &patient);
            // Whatever became of it, the process ends when there is nothing more to come.
            pump.shared().pipe = None;
        })
    }
}

/// What both threads know.
struct Shared {
    path: PathBuf,
    answer: Box<dyn FnMut(WriterAnswer) + Send>,
    /// Not confirmed, oldest first, each with the bytes that tell of it.
    pending: VecDeque<(Queued, Vec<u8>)>,
    /// How many of these the process that runs was given, and their bytes.
    sent: usize,
    in_pipe: usize,
    capacity: usize,
    pipe: Option<ChildStdin>,
    newest: Head,
    waiting: Arc<AtomicUsize>,
    /// What the process says is wrong, and what its silence or end does.
    ill: Option<String>,
    silent: Option<String>,
    said: Option<String>,
    heard: Instant,
    /// Since when an answer is waited for that is not that of an entry.
    asked: Option<Instant>,
    /// How many processes have ended since something was recorded.
    ended: u32,
}

impl Shared {
    /// Gives the process what there is room for: the pipe never makes us wait.
    fn send(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        while let Some((_, bytes)) = self.pending.get(self.sent) {
            // One page is left for a question.
            if self.sent > 0 && self.in_pipe + room_of(bytes) + PIPE_PAGE > self.capacity {
                return;
            }
            if self.sent == 0 {
                self.heard = Instant::now();
            }
            if let Err(error) = pipe.write_all(bytes) {
                // Its end is seen by the other thread.
                tracing::debug!(%error, "the log's process takes no more");
                self.pipe = None;
                return;
            }
            self.in_pipe += room_of(bytes);
            self.sent += 1;
        }
    }

    fn take(&mut self, reply: Reply) {
        self.heard = Instant::now();
        self.asked = None;
        match reply {
            Reply::Recorded(count, newest) => {
                self.ended = 0;
                if let Ok(newest) = newest.parse() {
                    self.newest = newest;
                }
                for _ in 0..count {
                    if let Some(queued) = self.oldest() {
                        queued.receipt.into_iter().for_each(|receipt| (self.answer)(WriterAnswer::Recorded(receipt)));
                    }
                }
            }
            Reply::Dropped => drop(self.oldest()),
            Reply::Health(health) => self.ill = health,
            Reply::Tried | Reply::Here => {}
        }
        self.silent = None;
        self.tell_health();
        self.send();
    }

    fn oldest(&mut self) -> Option<Queued> {
        let (queued, bytes) = self.pending.pop_front()?;
        self.sent = self.sent.saturating_sub(1);
        self.in_pipe = self.in_pipe.saturating_sub(room_of(&bytes));
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        Some(queued)
    }

    fn tell_health(&mut self) {
        let health = self.silent.clone().or_else(|| self.ill.clone());
        if health != self.said {
            self.said.clone_from(&health);
            match &health {
                Some(reason) => tracing::error!("the flash log cannot be written: {reason}"),
                None => tracing::info!("the flash log can be written again"),
            }
            (self.answer)(WriterAnswer::Health(health));
        }
    }

    /// Asks where nothing else is waited for, and notices where no answer comes.
    fn look(&mut self) {
        let heard = self.heard.elapsed();
        if self.sent == 0 && self.asked.is_none() && heard >= ASK && self.pipe.is_some() {
            self.asked = Some(Instant::now());
            let line = line(&Request::Ask);
            if self.pipe.as_mut().is_some_and(|pipe| pipe.write_all(&line).is_err()) {
                self.pipe = None;
            }
        }
        let since = self.asked.map_or(heard, |asked| asked.elapsed().min(heard));
        if (self.sent > 0 || self.asked.is_some()) && since >= SILENCE && self.silent.is_none() {
            let path = self.path.display();
            self.silent = Some(format!(
                "the disk of the flash log {path} has not answered for {} s; check the disk, and what keeps its file system from writing",
                since.as_secs()
            ));
            self.tell_health();
        }
    }

    /// The process is gone: everything that was not confirmed is the next one's.
    fn gone(&mut self, status: &str) {
        (self.pipe, self.sent, self.in_pipe, self.asked, self.silent) = (None, 0, 0, None, None);
        self.ended = self.ended.saturating_add(1);
        self.ill = Some(format!("the process that writes the flash log {} has ended ({status})", self.path.display()));
        self.tell_health();
    }
}

/// What this message takes of a pipe at most.
fn room_of(message: &[u8]) -> usize {
    message.len().next_multiple_of(PIPE_PAGE)
}

/// How long after its start a process is followed by another one, when so many ended in a row without having recorded anything.
fn pause(ended: u32) -> Duration {
    RETRY.saturating_mul(2_u32.saturating_pow(ended.saturating_sub(1))).min(LONGEST_PAUSE)
}

fn line(request: &Request) -> Vec<u8> {
    let mut line = serde_json::to_vec(request).unwrap_or_default();
    line.push(b'\n');
    line
}

/// The thread of the station that feeds the process which writes the log.
struct Pump {
    shared: Arc<Mutex<Shared>>,
    program: Box<dyn Fn(Head) -> Command + Send>,
    /// The process, and the thread that hears what it says.
    child: Option<(Child, JoinHandle<()>)>,
    /// When a process was started last.
    started: Option<Instant>,
}

impl Pump {
    fn run(&mut self, queue: &Receiver<Queued>, patient: &Receiver<()>) {
        loop {
            self.keep_running();
            match queue.recv_timeout(LOOK) {
                Ok(queued) => {
                    let mut shared = self.shared();
                    let bytes = line(&Request::Record(queued.draft.clone()));
                    shared.pending.push_back((queued, bytes));
                    shared.send();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.shared().look();
        }
        // The station stops: what is pending is still confirmed, as long as somebody waits for it.
        while !self.shared().pending.is_empty() {
            if patient.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            self.keep_running();
            self.shared().look();
        }
        if let Some(mut pipe) = self.shared().pipe.take() {
            let _gone = pipe.write_all(&line(&Request::End));
        }
        while let Some((child, _)) = &mut self.child {
            if !matches!(child.try_wait(), Ok(None))
                || patient.recv_timeout(Duration::from_millis(5)) == Err(RecvTimeoutError::Disconnected)
            {
                return;
            }
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that a process is there; not more often than a disk can bear.
    fn keep_running(&mut self) {
        if let Some((mut child, listener)) = self.child.take() {
            let words = match child.try_wait() {
                Ok(None) => {
                    self.child = Some((child, listener));
                    return;
                }
                Ok(Some(status)) => words(status),
                Err(error) => error.to_string(),
            };
            // What it said last is heard before another one is told what is missing.
            let _ended = listener.join();
            self.shared().gone(&words);
        }
        let pause = pause(self.shared().ended);
        if self.started.is_some_and(|started| started.elapsed() < pause) {
            return;
        }
        self.started = Some(Instant::now());
        if let Err(error) = self.start() {
            let mut shared = self.shared();
            shared.ill = Some(format!("no process can be started to write the flash log {}: {error}", shared.path.display()));
            shared.tell_health();
        }
    }

    fn start(&mut self) -> io::Result<()> {
        let newest = self.shared().newest;
        let mut child = (self.program)(newest).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(pipe), Some(replies)) = (child.stdin.take(), child.stdout.take()) else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let capacity = fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(PIPE)).ok().and_then(|bytes| usize::try_from(bytes).ok());
        let shared = Arc::clone(&self.shared);
        let listener = thread::Builder::new().name("ledger-replies".to_owned()).spawn(move || listen(&shared, replies));
        let listener = match listener {
            Ok(listener) => listener,
            Err(error) => {
                // It has nothing to do yet, and ends with its pipe.
                drop(pipe);
                let _ended = child.wait();
                return Err(error);
            }
        };
        self.child = Some((child, listener));
        let mut shared = self.shared();
        (shared.pipe, shared.capacity) = (Some(pipe), capacity.unwrap_or(LEAST_PIPE));
        shared.heard = Instant::now();
        // It says when it has the log.
        shared.asked = Some(Instant::now() + START);
        shared.send();
        Ok(())
    }
}

fn listen(shared: &Mutex<Shared>, replies: ChildStdout) {
    for line in BufReader::new(replies).lines() {
        let Ok(line) = line else { break };
        match serde_json::from_str(&line) {
            Ok(reply) => shared.lock().unwrap_or_else(PoisonError::into_inner).take(reply),
            Err(error) => tracing::debug!(%error, line, "the log's process says what nobody knows"),
        }
    }
}

/// A page of a mapped file that has no place on a full disk is SIGBUS.
fn words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    if status.signal() == Some(nix::libc::SIGBUS) {
        return "a mapped page has no place: the disk is full; make room on it".to_owned();
    }
    status.to_string()
}
