//! The control socket: the requests to a running station, and who may make them.
//!
//! Newline-delimited JSON over a Unix socket, one object a line in each direction. `docs/integrator/protocol.md` is the reference for
//! clients, and a test reads its examples. [`wire`] has the types, [`client`] is the other end for our own commands.
//!
//! Makes no decisions: requests go to the station, which answers them. Runs in a separate thread ([`server`]): a client that is slow or
//! hostile loses its connection, and the cards are not affected.

pub mod access;
pub mod client;
pub(crate) mod first_card;
pub mod server;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use tokio::sync::oneshot;

use crate::station::request::{Command, Denied, Who};

/// A request of a client.
#[derive(Debug)]
pub struct Incoming {
    /// The user, as the kernel names it.
    pub by: Who,
    /// The request itself.
    pub what: IncomingRequest,
    /// The channel for the answer.
    pub answer: oneshot::Sender<Result<(), Denial>>,
}

/// The kinds of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncomingRequest {
    /// A command that the station decides about.
    Command(Command),
    /// To read the configuration again.
    Reload,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// A stable code for programs.
    pub code: String,
    /// A sentence for people, in English.
    pub message: String,
}

impl From<Denied> for Denial {
    fn from(denied: Denied) -> Self {
        Self { code: denied.code().to_owned(), message: denied.to_string() }
    }
}
