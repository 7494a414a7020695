//! Events for the station engineer, written to the journal or to standard error by a separate thread.
//!
//! The journal may accept nothing for minutes: journald hangs with its disk, and a reader of a pipe stops. Its socket then blocks the
//! sender, `tracing_journald` (0.3) included. So an event is put into a bounded queue, and its sender never waits. Events that find the
//! queue full are lost and counted; the count is written as soon as an event is accepted again. Events may be lost, cards may not.
//!
//! The thread writes with the layers of `tracing-journald` and `tracing-subscriber`. [`Queue`] only stands in front of them.

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing::field::{Field, Value, Visit, display};
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::output::remark_if_taken;

/// Events that wait to be written: the eight of a card, for each of a hundred slots, with room to spare. Some 300 bytes each.
const QUEUE: usize = 1024;
/// The time in which a program that ends writes its last events.
const LAST_EVENTS: Duration = Duration::from_millis(500);

/// The destination of events, for as long as the program runs.
#[derive(Clone, Debug)]
pub(super) struct Events {
    to_writer: SyncSender<Message>,
}

/// Messages to the thread.
#[derive(Debug)]
enum Message {
    Event(OwnedEvent),
    /// Answer when all events before this one are written.
    Flush(SyncSender<()>),
}

impl Events {
    /// Sends every event of this program to the journal if standard error is a stream of the journal, and to standard error otherwise.
    /// `FLASHLINE_LOG` selects the events, for example `info`, `debug` or `flashline::watch=trace`.
    ///
    /// A panic is written to standard error only if that accepts it at once: the default hook would wait for it.
    pub(super) fn start() -> Self {
        let (events, queue) = Self::to(writer);
        tracing_subscriber::registry().with(filter()).with(queue).init();
        std::panic::set_hook(Box::new(|panic| {
            let thread = thread::current();
            remark_if_taken(format_args!("a fault of the program, in the thread {}: {panic}", thread.name().unwrap_or("without a name")));
        }));
        events
    }

    /// Events go through the queue to the writer that `writer` makes. It is called on the writing thread, because it may block.
    fn to(writer: impl FnOnce() -> Dispatch + Send + 'static) -> (Self, Queue) {
        let (to_writer, events) = sync_channel(QUEUE);
        let lost = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&lost);
        let write = move || tracing::dispatcher::with_default(&writer(), || write_all(&events, &counted));
        if let Err(error) = thread::Builder::new().name("events".to_owned()).spawn(write) {
            remark_if_taken(format_args!("no thread to write events with: none are written: {error}"));
        }
        (Self { to_writer: to_writer.clone() }, Queue { to_writer, lost })
    }

    /// Waits, for a moment at most, until all events sent before are written.
    pub(super) fn flush(&self) {
        let (written, wait) = sync_channel(1);
        if self.to_writer.try_send(Message::Flush(written)).is_ok() {
            let _taken_or_given_up = wait.recv_timeout(LAST_EVENTS);
        }
    }
}

fn filter() -> EnvFilter {
    EnvFilter::try_from_env("FLASHLINE_LOG").unwrap_or_else(|_unset| EnvFilter::new("info"))
}

/// The subscriber that writes. It also has the filter, so that unwanted callsites stay switched off for the whole program.
fn writer() -> Dispatch {
    let lines = tracing_subscriber::fmt().with_env_filter(filter()).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    if !is_the_journal(io::stderr()) {
        return lines.into();
    }
    // The journal records the time and keeps the fields of an event as fields. Its layer sends the journal a first datagram, and blocks
    // until that is accepted.
    match tracing_journald::layer() {
        Ok(journal) => {
            let journal = journal.with_field_prefix(Some("FLASHLINE".to_owned()));
            Dispatch::new(tracing_subscriber::registry().with(filter()).with(journal))
        }
        Err(_no_journal) => lines.without_time().into(),
    }
}

/// `JOURNAL_STREAM` names the stream of the journal (systemd.exec(5)); a child may have redirected its own stream since.
pub(super) fn is_the_journal(stream: impl AsFd) -> bool {
    let Ok(journal) = std::env::var("JOURNAL_STREAM") else { return false };
    nix::sys::stat::fstat(stream).is_ok_and(|stat| format!("{}:{}", stat.st_dev, stat.st_ino) == journal)
}

fn write_all(events: &Receiver<Message>, lost: &AtomicU64) {
    for message in events {
        match message {
            Message::Event(event) => {
                event.tell();
                // That event was accepted: there is room for this one, too.
                let lost = lost.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    tracing::warn!(
                        lost,
                        "{lost} events were lost: the journal, or the reader of standard error, accepted none for a while"
                    );
                }
            }
            Message::Flush(written) => {
                let _gave_up = written.try_send(());
            }
        }
    }
}

/// The first layer that every event of the program reaches.
#[derive(Debug)]
struct Queue {
    to_writer: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

impl<S: Subscriber> Layer<S> for Queue {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if self.to_writer.try_send(Message::Event(OwnedEvent::of(event))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// An event with all its values, to be sent again on another thread.
struct OwnedEvent {
    metadata: &'static Metadata<'static>,
    /// In the order of the fields of `metadata`; `None` if an event left a field out.
    values: Vec<Option<Box<dyn Value + Send>>>,
}

impl fmt::Debug for OwnedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedEvent").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

impl OwnedEvent {
    fn of(event: &Event<'_>) -> Self {
        let metadata = event.metadata();
        let mut owned = Self { metadata, values: Vec::new() };
        owned.values.resize_with(metadata.fields().len(), || None);
        event.record(&mut owned);
        owned
    }

    /// Sends the event to the subscriber of this thread, as its own macro would have.
    fn tell(&self) {
        // An event that is sent by hand bypasses the filter, which the macro checks.
        if !tracing::dispatcher::get_default(|writer| writer.enabled(self.metadata)) {
            return;
        }
        let values: Vec<Option<&dyn Value>> = self.values.iter().map(|value| value.as_deref().map(|value| value as &dyn Value)).collect();
        Event::dispatch(self.metadata, &self.metadata.fields().value_set_all(&values));
    }

    fn keep(&mut self, field: &Field, value: impl Value + Send + 'static) {
        if let Some(place) = self.values.get_mut(field.index()) {
            *place = Some(Box::new(value));
        }
    }
}

impl Visit for OwnedEvent {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep(field, display(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let error: Box<dyn Error + Send + Sync> = Box::new(OwnedError::of(value));
        self.keep(field, error);
    }
}

/// The words of an error, and its causes.
#[derive(Debug)]
struct OwnedError {
    words: String,
    source: Option<Box<OwnedError>>,
}

impl OwnedError {
    fn of(error: &dyn Error) -> Self {
        Self { words: error.to_string(), source: error.source().map(|source| Box::new(Self::of(source))) }
    }
}

impl fmt::Display for OwnedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Error for OwnedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &dyn Error)
    }
}

#[cfg(test)]
#[path = "events_cases.rs"]
mod cases;
