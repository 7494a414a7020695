//! The control socket: what a running station can be asked, and by whom.
//!
//! Newline-delimited JSON over a Unix socket, one object a line in each direction. `docs/integrator/protocol.md` says what a client needs
//! to know, and a test reads its examples. [`wire`] has the types, [`client`] is the other end for our own commands.
//!
//! Decides nothing: requests go to the station, which answers them. Serves in a thread of its own ([`server`]): a client that is slow or
//! hostile loses its connection, and the cards are not affected.

pub mod access;
pub mod client;
pub mod server;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use tokio::sync::oneshot;

use crate::station::request::{Command, Denied, Who};

/// What somebody asks of the station.
#[derive(Debug)]
pub struct Incoming {
    /// Who, as the kernel says.
    pub by: Who,
    /// The request itself.
    pub what: IncomingRequest,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<(), Denial>>,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncomingRequest {
    /// Something the station decides.
    Command(Command),
    /// To read the configuration again.
    Reload,
}

/// Why it was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// A word for programs; stable.
    pub code: String,
    /// A sentence for people, in English.
    pub message: String,
}

impl From<Denied> for Denial {
    fn from(denied: Denied) -> Self {
        Self { code: denied.code().to_owned(), message: denied.to_string() }
    }
}
