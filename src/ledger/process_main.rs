//! The log's process: events come in through one pipe, results go out through another.
//!
//! A line is a message, in JSON. The process ignores the signals that ask programs to end: it ends when its pipe is closed, after it has
//! tried to write everything that came through it. So the last rows are not lost if a service manager ends a whole group of processes, nor
//! if a watchdog sends SIGABRT to all of them (systemd.kill(5)).

use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGABRT, SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::chain::Head;
use super::confirm::answers;
use super::draft::Draft;
use super::renew::{Which, renew_files};
use super::writer::{Queued, RETRY, Told, Writer};
use super::{Ledger, LogProblem};
use crate::station::record::Receipt;

/// How long it keeps trying when the station is gone.
const LAST_TRIES: Duration = Duration::from_secs(3);

/// Messages from the station to the log's process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Record this entry.
    Record(Draft),
    /// Does the disk answer?
    Ask,
    /// All is confirmed; one complete file may be left behind.
    End,
}

/// Answers of the process that writes the log.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reply {
    /// This many of the oldest unconfirmed entries are on disk, and the newest event is now this one: `COUNT:HASH`.
    Recorded(usize, String),
    /// The oldest unconfirmed entry will never be recorded.
    Dropped,
    /// The log cannot be written, or it can again.
    Health(Option<String>),
    /// Writing is still being tried.
    Tried,
    /// The disk answered the probe.
    Here,
}

/// From now on these signals do not end this process: it ends when the station closes its pipe.
pub(crate) fn outlive(signals: &[i32]) {
    let told = Arc::new(AtomicBool::new(false));
    for signal in signals {
        if let Err(error) = signal_hook::flag::register(*signal, Arc::clone(&told)) {
            tracing::warn!(%error, signal, "this process may end before it has written what it was given");
        }
    }
}

/// Writes the log for a station, until `requests` ends. `newest` is the last event that was confirmed, as `COUNT:HASH`.
pub(crate) fn serve(
    path: &Path,
    station_name: &str,
    newest: Head,
    requests: impl BufRead + Send + 'static,
    replies: impl Write + Send + 'static,
) {
    outlive(&[SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT]);
    let replies = Arc::new(Mutex::new(replies));
    let reply = move |reply: &Reply| {
        let mut replies = replies.lock().unwrap_or_else(PoisonError::into_inner);
        // After the station ended, no receiver is left; all received entries are written all the same.
        let _nobody = serde_json::to_writer(&mut *replies, reply).map_err(Into::into).and_then(|()| replies.write_all(b"\n"));
        let _nobody = replies.flush();
    };
    let (come, incoming) = channel();
    // Read at once, so that the station never waits for room in the pipe.
    let read = move || {
        for line in requests.lines() {
            let Ok(line) = line else { return };
            match serde_json::from_str::<Request>(&line) {
                Ok(request) => {
                    if come.send(request).is_err() {
                        return;
                    }
                }
                Err(error) => tracing::error!(%error, "an unknown message from the station"),
            }
        }
    };
    if let Err(error) = thread::Builder::new().name("requests".to_owned()).spawn(read) {
        return reply(&Reply::Health(Some(format!("no thread to read the station's entries: {error}"))));
    }
    let Some((ledger, early)) = open(path, station_name, newest, &incoming, &reply) else { return };
    reply(&Reply::Health(None));
    let hurried = Arc::clone(&ledger.hurried);
    let tell = {
        let reply = reply.clone();
        move |told| {
            reply(&match told {
                Told::Recorded(receipts, newest) => Reply::Recorded(receipts.len(), newest.to_string()),
                Told::Dropped => Reply::Dropped,
                Told::Health(health) => Reply::Health(health),
                Told::Tried => Reply::Tried,
            });
        }
    };
    let writer = match Writer::start_telling(ledger, RETRY, tell) {
        Ok(writer) => writer,
        Err(error) => return reply(&Reply::Health(Some(format!("no thread to write the flash log: {error}")))),
    };
    let mut whole = false;
    for request in early.into_iter().chain(incoming) {
        match request {
            Request::Record(draft) => {
                let mut queued = Queued { draft, receipt: None::<Receipt> };
                // The station never has more entries under way than there are places.
                while let Err(back) = writer.queue_draft(queued) {
                    queued = *back;
                    thread::sleep(Duration::from_millis(10));
                }
            }
            Request::Ask => {
                if let Err(error) = answers(path) {
                    tracing::debug!(%error, "the disk of the flash log answers with an error");
                }
                reply(&Reply::Here);
            }
            Request::End => {
                whole = true;
                break;
            }
        }
    }
    hurried.store(!whole, Ordering::SeqCst);
    if let Err(error) = writer.finish(LAST_TRIES) {
        tracing::error!(%error, "the station ended");
    }
}

/// Tries until the log is open, and keeps the messages that arrive meanwhile. `None` if the station ended before.
fn open(
    path: &Path,
    station_name: &str,
    newest: Head,
    incoming: &Receiver<Request>,
    reply: &impl Fn(&Reply),
) -> Option<(Ledger, Vec<Request>)> {
    let mut early = Vec::new();
    let mut said = None;
    let (mut vain, mut no_new_files, mut forsaken) = (0, None, None);
    loop {
        let error = match Ledger::resume(path, station_name, newest) {
            Ok(mut ledger) => {
                ledger.forsaken = forsaken;
                return Some((ledger, early));
            }
            Err(error) => error.and_no_new_files(no_new_files.as_deref()),
        };
        let reason = error.in_full();
        if said.as_ref() == Some(&reason) {
            reply(&Reply::Tried);
        } else {
            tracing::error!("{reason}");
            reply(&Reply::Health(Some(reason.clone())));
            said = Some(reason);
        }
        vain += u32::from(error.problem == LogProblem::Disk);
        if let Some(which) = Which::after(vain) {
            match renew_files(path, which) {
                Ok(old) => (forsaken, no_new_files) = (old.or(forsaken), None),
                Err(error) => no_new_files = Some(error.in_full()),
            }
        }
        match incoming.recv_timeout(RETRY) {
            Ok(Request::End) | Err(RecvTimeoutError::Disconnected) => return None,
            Ok(request) => early.push(request),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
