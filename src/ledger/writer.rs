//! The thread named `ledger`: it alone writes the log, so that nobody who decides waits for a disk.
//!
//! An entry that cannot be written stays in its place and is tried again: nothing is lost and the order is kept. Entries that
//! came while the disk was busy go together: one flush of the disk serves them all, and none waits for another to come.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::station::command::RequestId;
use crate::station::record::{Entry, Receipt};

use super::{Ledger, LogError, Stamp, Trouble};

/// Entries under way. A station that cannot write its log starts nothing new, so a slot has two here at most, its start and its
/// outcome, and whoever asks for something has one: more than any station has slots and the control socket connections for.
const QUEUE: usize = 1024;

/// Entries that go together at most: each slot's own, in a station of many.
const BATCH: usize = 64;

/// Between two tries: soon enough for a supervisor who just made room, too seldom to wear a failing disk.
const RETRY: Duration = Duration::from_secs(1);

/// How long a thread told to give up may still be in one call before it is left alone.
const LAST_CALL: Duration = Duration::from_secs(2);

/// What the log answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This is on disk.
    Recorded(Receipt),
    /// The log cannot be written, for this reason; or it can again. Said once, when it changes.
    Health(Option<String>),
}

/// An entry the thread did not take: its queue is full, or it has ended.
#[derive(Debug, thiserror::Error)]
#[error("the flash log's thread takes no more entries")]
pub struct NotTaken(pub Box<Entry>);

/// Entries that did not reach the disk before the station stopped.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the flash log could not be written in time: {entries} entries are lost, the next start closes their attempts as interrupted")]
pub struct Unwritten {
    /// How many.
    pub entries: usize,
}

/// An entry, when it happened, and what is said when it is on disk.
#[derive(Debug)]
struct Queued {
    stamp: Stamp,
    entry: Box<Entry>,
    receipt: Option<Receipt>,
}

/// The way to the thread that owns the log.
#[derive(Debug)]
pub struct Writer {
    entries: SyncSender<Queued>,
    /// Dropped to say: give up.
    patience: SyncSender<()>,
    ended: Receiver<()>,
    waiting: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread. `answer` is called on it, and must not block.
    ///
    /// # Errors
    /// Where the system has no thread to give.
    pub fn start(ledger: Ledger, answer: impl Fn(Answer) + Send + 'static) -> io::Result<Self> {
        Self::start_retrying(ledger, RETRY, answer)
    }

    pub(super) fn start_retrying(ledger: Ledger, retry: Duration, answer: impl Fn(Answer) + Send + 'static) -> io::Result<Self> {
        let (entries, queue) = sync_channel(QUEUE);
        let (patience, patient) = sync_channel(0);
        let (end, ended) = sync_channel(1);
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut work = Work { ledger, retry, answer, patient, waiting: waiting.clone(), ill: false };
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(move || {
            work.run(&queue);
            // The log is closed before its end is told.
            drop(work);
            drop(end);
        })?;
        Ok(Self { entries, patience, ended, waiting, thread })
    }

    /// Hands over an entry, which happened now. Never waits.
    ///
    /// # Errors
    /// Where the thread takes no more; the entry comes back.
    pub fn record(&self, entry: Box<Entry>) -> Result<(), NotTaken> {
        let receipt = entry.receipt();
        self.queue(entry, receipt)
    }

    /// The same for what somebody asked, with a receipt of its own.
    ///
    /// # Errors
    /// As for [`Writer::record`].
    pub fn record_asked(&self, request: RequestId, entry: Box<Entry>) -> Result<(), NotTaken> {
        self.queue(entry, Some(Receipt::Asked(request)))
    }

    fn queue(&self, entry: Box<Entry>, receipt: Option<Receipt>) -> Result<(), NotTaken> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.entries.try_send(Queued { stamp: Stamp::now(), entry, receipt }).map_err(|error| {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            let (TrySendError::Full(queued) | TrySendError::Disconnected(queued)) = error;
            NotTaken(queued.entry)
        })
    }

    /// Writes what is still waiting, for `wait` at most, and ends the thread. One that hangs in a call is left alone.
    ///
    /// # Errors
    /// Where entries were lost.
    pub fn finish(self, wait: Duration) -> Result<(), Unwritten> {
        let Self { entries, patience, ended, waiting, thread } = self;
        drop(entries);
        let mut hangs = ended.recv_timeout(wait) == Err(RecvTimeoutError::Timeout);
        drop(patience);
        if hangs {
            hangs = ended.recv_timeout(LAST_CALL) == Err(RecvTimeoutError::Timeout);
        }
        // A panic of ours shows as entries that still wait.
        let died = !hangs && thread.join().is_err();
        match waiting.load(Ordering::SeqCst) {
            0 if !died => Ok(()),
            entries => Err(Unwritten { entries }),
        }
    }
}

struct Work<A> {
    ledger: Ledger,
    retry: Duration,
    answer: A,
    patient: Receiver<()>,
    waiting: Arc<AtomicUsize>,
    ill: bool,
}

impl<A: Fn(Answer)> Work<A> {
    fn run(&mut self, queue: &Receiver<Queued>) {
        while let Ok(first) = queue.recv() {
            let batch: Vec<_> = std::iter::once(first).chain(queue.try_iter().take(BATCH - 1)).collect();
            if self.write_together(&batch) {
                continue;
            }
            for queued in &batch {
                if !self.write(queued) {
                    return;
                }
            }
        }
    }

    /// False where they did not reach the disk as one: each is then on its own.
    fn write_together(&mut self, batch: &[Queued]) -> bool {
        if batch.len() == 1 || self.ill {
            return false;
        }
        let entries: Vec<_> = batch.iter().map(|queued| (&queued.stamp, queued.entry.as_ref())).collect();
        if self.ledger.append_all(&entries).is_err() {
            return false;
        }
        for queued in batch {
            self.written(queued);
        }
        true
    }

    fn written(&mut self, queued: &Queued) {
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        queued.receipt.into_iter().for_each(|receipt| (self.answer)(Answer::Recorded(receipt)));
    }

    /// Until it is written; false where nobody waits for it any more.
    fn write(&mut self, queued: &Queued) -> bool {
        let Queued { stamp, entry, .. } = queued;
        loop {
            let error = match self.ledger.append_at(stamp, entry) {
                Ok(_) => {
                    if std::mem::take(&mut self.ill) {
                        tracing::info!("the flash log can be written again");
                        (self.answer)(Answer::Health(None));
                    }
                    self.written(queued);
                    return true;
                }
                // No second try makes it fit. Its slot never hears that it was recorded; the others go on.
                Err(error) if error.trouble == Trouble::Contradicts => {
                    tracing::error!("an entry was dropped: {}: {entry:?}", error.in_full());
                    self.waiting.fetch_sub(1, Ordering::SeqCst);
                    return true;
                }
                Err(error) => error,
            };
            self.fell_ill(&error);
            if self.patient.recv_timeout(self.retry) == Err(RecvTimeoutError::Disconnected) {
                return false;
            }
            // Room on a full disk needs no new connection; a connection that met an error of the disk may never recover.
            if error.trouble != Trouble::DiskFull
                && let Err(error) = self.ledger.reopen()
            {
                tracing::debug!("{}", error.in_full());
            }
        }
    }

    fn fell_ill(&mut self, error: &LogError) {
        if !std::mem::replace(&mut self.ill, true) {
            tracing::error!("{}", error.in_full());
            (self.answer)(Answer::Health(Some(error.in_full())));
        }
    }
}
