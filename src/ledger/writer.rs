//! The thread `ledger`: the only one that writes the log, so that the deciding task never waits for a disk. In a running station, a
//! separate process writes, and the station's thread of this name keeps what is not confirmed yet (`process.rs`).
//!
//! An entry that cannot be written stays in its place and is tried again: nothing is lost and the order is kept. Entries that arrive while
//! the disk is busy are written together with one flush, and none waits for another to come.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::station::record::{Entry, Receipt};
use crate::station::request::RequestId;

use super::chain::Head;
use super::{Draft, Ledger, LogError, LogProblem, Stamp};

/// Entries under way. A station that cannot write its log starts nothing new, so a slot has two here at most, its start and its
/// outcome, and each client's request has one: more than any station has slots and the control socket connections for.
const QUEUE: usize = 1024;

/// Entries that go together at most: each slot's own, in a station of many.
const BATCH: usize = 64;

/// Between two tries: soon enough for a supervisor who just made room, too seldom to wear a failing disk.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// How long a thread told to give up may still be in one call before it is left alone.
const LAST_CALL: Duration = Duration::from_secs(2);

/// What the log answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WriterAnswer {
    /// This is on disk.
    Recorded(Receipt),
    /// The log cannot be written, for this reason; or it can again. Said when it changes.
    Health(Option<String>),
}

/// An entry the thread did not take: its queue is full, or it has ended.
#[derive(Debug, thiserror::Error)]
#[error("the flash log's thread takes no more entries")]
pub(crate) struct NotTaken(pub Box<Entry>);

/// Entries that did not reach the disk before the station stopped.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the flash log could not be written in time: {entries} entries are lost, the next start closes their attempts as interrupted")]
pub(crate) struct Unwritten {
    /// How many entries were lost.
    pub entries: usize,
}

/// An event, and what is said when it is on disk.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) draft: Draft,
    pub(super) receipt: Option<Receipt>,
}

/// What the thread that writes tells of.
#[derive(Debug)]
pub(super) enum Told {
    /// These are on disk, in this order, and the newest event is now this one.
    Recorded(Vec<Option<Receipt>>, Head),
    /// This one never will be: the log holds what forbids it.
    Dropped,
    /// The health of the log changed: see [`WriterAnswer::Health`].
    Health(Option<String>),
    /// It was tried once more, in vain.
    Tried,
}

/// The way to the thread that owns the log.
#[derive(Debug)]
pub(crate) struct Writer {
    entries: SyncSender<Queued>,
    /// Dropped to say: give up.
    patience: SyncSender<()>,
    ended: Receiver<()>,
    waiting: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
    station_name: String,
}

impl Writer {
    /// Starts the thread. `answer` is called on it, and must not block.
    ///
    /// # Errors
    /// Where the system has no thread to give.
    #[cfg(test)]
    pub(crate) fn start(ledger: Ledger, answer: impl Fn(WriterAnswer) + Send + 'static) -> io::Result<Self> {
        Self::start_retrying(ledger, RETRY, answer)
    }

    #[cfg(test)]
    pub(super) fn start_retrying(ledger: Ledger, retry: Duration, answer: impl Fn(WriterAnswer) + Send + 'static) -> io::Result<Self> {
        Self::start_telling(ledger, retry, move |told| match told {
            Told::Recorded(receipts, _) => receipts.into_iter().flatten().for_each(|receipt| answer(WriterAnswer::Recorded(receipt))),
            Told::Health(health) => answer(WriterAnswer::Health(health)),
            Told::Dropped | Told::Tried => {}
        })
    }

    pub(super) fn start_telling(ledger: Ledger, retry: Duration, tell: impl Fn(Told) + Send + 'static) -> io::Result<Self> {
        let station_name = ledger.station_name.clone();
        Self::spawn(station_name, move |queue, patient, waiting| {
            // The log is closed before its end is told.
            Work { ledger, retry, tell, patient, waiting, fault: None }.run(queue);
        })
    }

    /// The thread, and the way to it. What `work` was given last is dropped before its end is told.
    pub(super) fn spawn(
        station_name: String,
        work: impl FnOnce(&Receiver<Queued>, Receiver<()>, Arc<AtomicUsize>) + Send + 'static,
    ) -> io::Result<Self> {
        let (entries, queue) = sync_channel(QUEUE);
        let (patience, patient) = sync_channel(0);
        let (end, ended) = sync_channel(1);
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&waiting);
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(move || {
            work(&queue, patient, counted);
            drop(end);
        })?;
        Ok(Self { entries, patience, ended, waiting, thread, station_name })
    }

    /// Hands over an entry, which happened now. Never waits.
    ///
    /// # Errors
    /// Where the thread takes no more; the entry comes back.
    pub(crate) fn record(&self, entry: Box<Entry>) -> Result<(), NotTaken> {
        let receipt = entry.receipt();
        self.queue(entry, receipt)
    }

    /// The same for what somebody asked, with a receipt of its own.
    ///
    /// # Errors
    /// As for [`Writer::record`].
    pub(crate) fn record_asked(&self, request: RequestId, entry: Box<Entry>) -> Result<(), NotTaken> {
        self.queue(entry, Some(Receipt::Asked(request)))
    }

    fn queue(&self, entry: Box<Entry>, receipt: Option<Receipt>) -> Result<(), NotTaken> {
        let draft = Draft::of(&entry, &Stamp::now(), &self.station_name);
        self.queue_draft(Queued { draft, receipt }).map_err(|_queued| NotTaken(entry))
    }

    pub(super) fn queue_draft(&self, queued: Queued) -> Result<(), Box<Queued>> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.entries.try_send(queued).map_err(|error| {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            let (TrySendError::Full(queued) | TrySendError::Disconnected(queued)) = error;
            Box::new(queued)
        })
    }

    /// Writes what is still waiting, for `wait` at most, and ends the thread. One that hangs in a call is left alone.
    ///
    /// # Errors
    /// Where entries were lost.
    pub(crate) fn finish(self, wait: Duration) -> Result<(), Unwritten> {
        let Self { entries, patience, ended, waiting, thread, .. } = self;
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

struct Work<T> {
    ledger: Ledger,
    retry: Duration,
    tell: T,
    patient: Receiver<()>,
    waiting: Arc<AtomicUsize>,
    /// What is wrong, as it was told.
    fault: Option<String>,
}

impl<T: Fn(Told)> Work<T> {
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
        if batch.len() == 1 || self.fault.is_some() {
            return false;
        }
        let drafts: Vec<_> = batch.iter().map(|queued| queued.draft.clone()).collect();
        if self.ledger.write(&drafts).is_err() {
            return false;
        }
        self.written(batch);
        true
    }

    /// Told together: with the newest event, those before it are confirmed as well.
    fn written(&mut self, batch: &[Queued]) {
        self.waiting.fetch_sub(batch.len(), Ordering::SeqCst);
        (self.tell)(Told::Recorded(batch.iter().map(|queued| queued.receipt).collect(), self.ledger.known()));
    }

    /// Tries until it is written; false if the station no longer waits for it.
    fn write(&mut self, queued: &Queued) -> bool {
        loop {
            let error = match self.ledger.write(std::slice::from_ref(&queued.draft)) {
                Ok(()) => {
                    if self.fault.take().is_some() {
                        tracing::info!("the flash log can be written again");
                        (self.tell)(Told::Health(None));
                    }
                    self.written(std::slice::from_ref(queued));
                    return true;
                }
                // No second try makes it fit. Its slot never hears that it was recorded; the others go on.
                Err(error) if error.problem == LogProblem::Contradicts => {
                    tracing::error!("an entry was dropped: {}: {:?}", error.in_full(), queued.draft);
                    self.waiting.fetch_sub(1, Ordering::SeqCst);
                    (self.tell)(Told::Dropped);
                    return true;
                }
                Err(error) => error,
            };
            self.report_fault(&error);
            if self.patient.recv_timeout(self.retry) == Err(RecvTimeoutError::Disconnected) {
                return false;
            }
            // Room on a full disk needs no new connection; a connection that met an error of the disk may never recover.
            if error.problem != LogProblem::DiskFull
                && let Err(error) = self.ledger.reopen()
            {
                tracing::debug!("{}", error.in_full());
            }
        }
    }

    fn report_fault(&mut self, error: &LogError) {
        let reason = error.in_full();
        if self.fault.as_ref() == Some(&reason) {
            (self.tell)(Told::Tried);
        } else {
            tracing::error!("{reason}");
            self.fault = Some(reason.clone());
            (self.tell)(Told::Health(Some(reason)));
        }
    }
}

#[cfg(test)]
mod cases {
    use std::sync::mpsc::channel;

    use super::*;

    /// The disk of the log takes nothing for a night. Recorded in a thread of its own, so that a test in which somebody waits has an end.
    #[test]
    fn whoever_records_waits_for_no_disk_and_is_given_back_what_finds_no_place() {
        let (wake, asleep) = channel::<()>();
        let sleeps = move |_queue: &Receiver<Queued>, _patience: Receiver<()>, _waiting: Arc<AtomicUsize>| {
            let _woken = asleep.recv();
        };
        let writer = Writer::spawn("bench".to_owned(), sleeps).expect("a thread");
        let (tell, told) = channel();
        thread::spawn(move || {
            let taken = (0..=QUEUE).take_while(|_| writer.record(Box::new(Entry::StationStopped)).is_ok()).count();
            tell.send((taken, writer))
        });
        let (taken, writer) = told.recv_timeout(Duration::from_secs(60)).expect("nobody waits");
        assert_eq!(taken, QUEUE);
        drop(wake);
        assert_eq!(writer.finish(Duration::from_secs(10)), Err(Unwritten { entries: QUEUE }));
    }
}
