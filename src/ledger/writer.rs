//! The thread `ledger`: the only one that writes the log, so that the deciding task never waits for a disk. In a running station, a
//! separate process writes, and the station's thread of this name keeps the unconfirmed entries (`process.rs`).
//!
//! An entry that cannot be written keeps its place and is tried again: nothing is lost and the order is kept. Entries that arrive while the
//! disk is busy are written together with one flush, and none waits for another to come.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::station::record::{Entry, Receipt};
use crate::station::request::RequestId;

use super::chain::Head;
use super::draft::Draft;
use super::{Ledger, LogError, LogProblem, Stamp};

/// Limit of entries under way. A station that cannot write its log starts nothing new, so a slot has at most two here, its start and its
/// outcome, and each client's request has one: this is more than any station needs for its slots and connections.
const QUEUE: usize = 1024;

/// Limit of entries that are written together: one of each slot, in a large station.
const BATCH: usize = 64;

/// Interval between attempts: short enough for a supervisor who just made room, long enough not to wear out a failing disk.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// How long a thread that was told to give up may stay in one call before it is left behind.
const LAST_CALL: Duration = Duration::from_secs(2);

/// Answers of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WriterAnswer {
    /// This entry is on disk.
    Recorded(Receipt),
    /// The log cannot be written, for this reason; or it can again. Sent when it changes.
    Health(Option<String>),
}

/// An entry that the thread did not accept: its queue is full, or it has ended.
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

/// An event, and the receipt to send when it is on disk.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) draft: Draft,
    pub(super) receipt: Option<Receipt>,
}

/// Reports of the thread that writes.
#[derive(Debug)]
pub(super) enum Told {
    /// These are on disk, in this order, and the newest event is now this one.
    Recorded(Vec<Option<Receipt>>, Head),
    /// This one will never be recorded: the contents of the log forbid it.
    Dropped,
    /// The health of the log changed: see [`WriterAnswer::Health`].
    Health(Option<String>),
    /// It was tried once more without success.
    Tried,
}

/// The channel to the thread that owns the log.
#[derive(Debug)]
pub(crate) struct Writer {
    entries: SyncSender<Queued>,
    /// Dropped to make the thread give up.
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
    /// If the system provides no thread.
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
            // The log is closed before the end of the thread is reported.
            Work { ledger, retry, tell, patient, waiting, fault: None }.run(queue);
        })
    }

    /// The thread, and the channel to it. The last argument of `work` is dropped before its end is reported.
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

    /// Hands over an entry with the present time. Never waits.
    ///
    /// # Errors
    /// If the thread accepts no more; the error contains the entry.
    pub(crate) fn record(&self, entry: Box<Entry>) -> Result<(), NotTaken> {
        let receipt = entry.receipt();
        self.queue(entry, receipt)
    }

    /// The same for a client's request, with a separate receipt.
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

    /// Writes the waiting entries, for `wait` at most, and ends the thread. One that hangs in a call is left behind.
    ///
    /// # Errors
    /// If entries were lost.
    pub(crate) fn finish(self, wait: Duration) -> Result<(), Unwritten> {
        let Self { entries, patience, ended, waiting, thread, .. } = self;
        drop(entries);
        let mut hangs = ended.recv_timeout(wait) == Err(RecvTimeoutError::Timeout);
        drop(patience);
        if hangs {
            hangs = ended.recv_timeout(LAST_CALL) == Err(RecvTimeoutError::Timeout);
        }
        // After a panic, entries are still waiting, which shows it.
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
    /// The fault, as it was reported.
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

    /// False if the batch did not reach the disk: then each entry is tried alone.
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

    /// Reported together: with the newest event, those before it are confirmed as well.
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
                // Trying again would not help. Its slot never gets a receipt; the other slots continue.
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
            // After a full disk the old connection can be used; one that met an error of the disk may never recover.
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

    /// The disk of the log accepts nothing for a night. Entries are recorded in a separate thread, so that a call that waits forever fails
    /// the test.
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
