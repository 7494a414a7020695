//! Requests of clients that wait for an answer of the station.

use std::collections::HashMap;

use tokio::sync::oneshot;

use super::arming::ReloadError;
use crate::control::Denial;
use crate::station::request::{Denied, RequestId, Who};

type Answer = oneshot::Sender<Result<(), Denial>>;

/// Requests without an answer yet, and the channels their answers go to.
#[derive(Debug, Default)]
pub(super) struct PendingRequests {
    next: RequestId,
    waiting: HashMap<RequestId, Answer>,
    /// Requests to read the configuration again. The next reading answers all of them.
    reloads: Vec<(Who, Answer)>,
    /// Requests whose reading is under way.
    proving: Vec<Answer>,
}

impl PendingRequests {
    /// Adds a request with its channel for the answer, and returns its number.
    pub(super) fn put(&mut self, answer: Answer) -> RequestId {
        self.next += 1;
        self.waiting.insert(self.next, answer);
        self.next
    }

    /// Sends the station's answer to the client that asked.
    pub(super) fn answer(&mut self, request: RequestId, answer: Result<(), Denied>) {
        if let Some(waiting) = self.waiting.remove(&request) {
            // The client may be gone.
            let _gone = waiting.send(answer.map_err(Denial::from));
        }
    }

    pub(super) fn want_reload(&mut self, by: Who, answer: Answer) {
        self.reloads.push((by, answer));
    }

    pub(super) fn reload_is_wanted(&self) -> bool {
        !self.reloads.is_empty()
    }

    /// Notes that the configuration is being read. Returns the user who asked first.
    pub(super) fn reload_began(&mut self) -> Option<Who> {
        let (by, answers): (Vec<Who>, Vec<Answer>) = std::mem::take(&mut self.reloads).into_iter().unzip();
        self.proving.extend(answers);
        by.into_iter().next()
    }

    /// Answers every request whose reading was under way.
    pub(super) fn reload_ended(&mut self, result: Result<(), &ReloadError>) {
        let refused = result.map_err(|error| Denial { code: "bad-configuration".to_owned(), message: super::arming::sentence(error) });
        for waiting in self.proving.drain(..) {
            let _gone = waiting.send(refused.clone());
        }
    }
}
