//! The station's end of the log's process. Entries without a confirmation are kept here, so that they survive the process and its disk.
//!
//! SQLite maps a file that readers share. If a page of it cannot be read or allocated, the thread that accesses it stops, and before Linux
//! 6.4 it holds the lock of the whole process's memory: a disk that hangs would stop the watch and every card with it. On a full btrfs,
//! such an access ends in the signal SIGBUS. So no thread of the station accesses the log; the log's process does, and the station checks
//! whether it still answers.
//!
//! ```text
//! Writer ──▶ thread "ledger" ── pipe ──▶ the log's process ── owns ──▶ Ledger
//!                pending ◀── thread "ledger-replies" ◀── pipe ──┘
//! ```
//! If a process has ended, another one is started, which gets everything that was not confirmed, in the same order. Entries that the first
//! one wrote without confirming them are recognised ([`Ledger::append_all`]). A process that hangs is waited for: it holds the log, and
//! continues when its disk does.

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

/// How long the log's process may stay silent.
const SILENCE: Duration = Duration::from_secs(5);

/// The additional time for its start, and for reading back the entries of an earlier one.
const START: Duration = Duration::from_secs(10);

/// Interval at which it is asked whether its disk answers.
const ASK: Duration = Duration::from_secs(2);

/// Interval at which the station checks it.
const LOOK: Duration = Duration::from_millis(200);

/// The requested capacity of a pipe, if the system allows it: the bytes of some hundred entries.
const PIPE: i32 = 1 << 20;
/// The default capacity of a pipe (`pipe(7)`).
const LEAST_PIPE: usize = 65_536;
/// In the worst case a message takes whole pages of a pipe: the kernel adds to the last page only data that fits into it completely
/// (`pipe_write`).
const PIPE_PAGE: usize = 4096;

/// The longest wait before a process that ended is started again: one that ends again and again because of its disk is a load for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

impl Writer {
    /// Starts the log's process, which takes over the log, and the thread that communicates with it. `program` makes the command that
    /// serves the log from this event on ([`super::serve`]); `answer` is called on separate threads, one call at a time.
    ///
    /// # Errors
    /// If the system provides no thread. If a process does not start, this is reported, and it is started again later.
    pub(crate) fn start_apart(
        ledger: Ledger,
        program: impl Fn(Head) -> Command + Send + 'static,
        answer: impl FnMut(WriterAnswer) + Send + 'static,
    ) -> io::Result<Self> {
        let (path, newest, name) = (ledger.path.clone(), ledger.known(), ledger.station_name.clone());
        // Closed, and its lock released.
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
            // However it ended: the process ends when nothing more can come.
            pump.shared().pipe = None;
        })
    }
}

/// The state that both threads share.
struct Shared {
    path: PathBuf,
    answer: Box<dyn FnMut(WriterAnswer) + Send>,
    /// Unconfirmed entries, oldest first, each with its message.
    pending: VecDeque<(Queued, Vec<u8>)>,
    /// How many of these the running process has received, and their bytes.
    sent: usize,
    in_pipe: usize,
    capacity: usize,
    pipe: Option<ChildStdin>,
    newest: Head,
    waiting: Arc<AtomicUsize>,
    /// The fault that the process reports, or that its silence or end means.
    ill: Option<String>,
    silent: Option<String>,
    said: Option<String>,
    heard: Instant,
    /// Since when an answer other than that to an entry is waited for.
    asked: Option<Instant>,
    /// The number of processes that have ended since something was recorded.
    ended: u32,
}

impl Shared {
    /// Gives the process as much as fits into the pipe, so that writing never waits.
    fn send(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        while let Some((_, bytes)) = self.pending.get(self.sent) {
            // One page is kept free for a question.
            if self.sent > 0 && self.in_pipe + room_of(bytes) + PIPE_PAGE > self.capacity {
                return;
            }
            if self.sent == 0 {
                self.heard = Instant::now();
            }
            if let Err(error) = pipe.write_all(bytes) {
                // The other thread notices its end.
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

    /// Sends a question if no answer is waited for, and notices if none comes.
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

    /// The process is gone: all unconfirmed entries go to the next one.
    fn gone(&mut self, status: &str) {
        (self.pipe, self.sent, self.in_pipe, self.asked, self.silent) = (None, 0, 0, None, None);
        self.ended = self.ended.saturating_add(1);
        self.ill = Some(format!("the process that writes the flash log {} has ended ({status})", self.path.display()));
        self.tell_health();
    }
}

/// The most that this message takes of a pipe.
fn room_of(message: &[u8]) -> usize {
    message.len().next_multiple_of(PIPE_PAGE)
}

/// The wait after the start of a process before the next one is started, if this many ended in a row without having recorded anything.
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
    /// The process, and the thread that reads its answers.
    child: Option<(Child, JoinHandle<()>)>,
    /// The time at which the last process was started.
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
        // The station stops: pending entries are still confirmed, as long as the caller waits for that.
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

    /// Ensures that there is a process, without starting it more often than the disk can bear.
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
            // Its last answers are read before another one gets the rest.
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
                // It has nothing to do yet, and ends when its pipe is closed.
                drop(pipe);
                let _ended = child.wait();
                return Err(error);
            }
        };
        self.child = Some((child, listener));
        let mut shared = self.shared();
        (shared.pipe, shared.capacity) = (Some(pipe), capacity.unwrap_or(LEAST_PIPE));
        shared.heard = Instant::now();
        // It reports when it has opened the log.
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
            Err(error) => tracing::debug!(%error, line, "an unknown message from the log's process"),
        }
    }
}

/// A page of a mapped file that gets no block on a full disk causes SIGBUS.
fn words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    if status.signal() == Some(nix::libc::SIGBUS) {
        return "a mapped page has no place: the disk is full; make room on it".to_owned();
    }
    status.to_string()
}
