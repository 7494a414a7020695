//! Requests of people that wait for an answer of the station.

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
    /// Those who want the configuration read again. The reading that comes next answers them all.
    reloads: Vec<(Who, Answer)>,
    /// Those whose reading is under way.
    proving: Vec<Answer>,
}

impl PendingRequests {
    /// A number for a question whose answer goes there.
    pub(super) fn put(&mut self, answer: Answer) -> RequestId {
        self.next += 1;
        self.waiting.insert(self.next, answer);
        self.next
    }

    /// The station has answered.
    pub(super) fn answer(&mut self, request: RequestId, answer: Result<(), Denied>) {
        if let Some(waiting) = self.waiting.remove(&request) {
            // Whoever asked may be gone.
            let _gone = waiting.send(answer.map_err(Denial::from));
        }
    }

    pub(super) fn want_reload(&mut self, by: Who, answer: Answer) {
        self.reloads.push((by, answer));
    }

    pub(super) fn reload_is_wanted(&self) -> bool {
        !self.reloads.is_empty()
    }

    /// The configuration is being read; who asked for it first.
    pub(super) fn reload_began(&mut self) -> Option<Who> {
        let (by, answers): (Vec<Who>, Vec<Answer>) = std::mem::take(&mut self.reloads).into_iter().unzip();
        self.proving.extend(answers);
        by.into_iter().next()
    }

    /// It holds, or it does not.
    pub(super) fn reload_ended(&mut self, result: Result<(), &ReloadError>) {
        let refused = result.map_err(|error| Denial { code: "bad-configuration".to_owned(), message: super::arming::sentence(error) });
        for waiting in self.proving.drain(..) {
            let _gone = waiting.send(refused.clone());
        }
    }
}
