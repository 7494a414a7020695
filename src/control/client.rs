//! The client's end of the control socket, for the commands of `flashline`.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::wire::{Reply, Request, Status, VERSION, WireError};
use crate::station::view::DEAD_AFTER;

/// Longer than a station needs for any answer except to a reload.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer, or a negative one.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No station listens on the socket.
    #[error("no station answers at {path}: is it running? See `systemctl status flashline`, or name its socket by --socket")]
    Connect {
        /// The socket that was tried.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// This user may not connect.
    #[error("{path} is not for you: only root and members of the groups `flashline` and `flashline-admin` may ask the station")]
    NotAllowed {
        /// The socket whose permissions exclude this user.
        path: PathBuf,
    },
    /// The connection ended before the answer came.
    #[error("the station at {path} does not answer any more")]
    Broken {
        /// The socket of that station.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The station uses another version of the protocol.
    #[error("the station at {path} speaks another version of its protocol: this program is of version {VERSION}")]
    Version {
        /// The socket of that station.
        path: PathBuf,
    },
    /// The station refused the request.
    #[error("{}", .0.message)]
    Refused(WireError),
}

/// A connection to a station.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the station that listens at `path`.
    ///
    /// # Errors
    /// If there is none, or this user may not connect.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => ClientError::NotAllowed { path: path.to_owned() },
            _ => ClientError::Connect { path: path.to_owned(), source },
        })?;
        let client = Self { path: path.to_owned(), stream: BufReader::new(stream) };
        client.wait_for(Some(PATIENCE))?;
        Ok(client)
    }

    fn wait_for(&self, patience: Option<Duration>) -> Result<(), ClientError> {
        let stream = self.stream.get_ref();
        stream.set_read_timeout(patience).and_then(|()| stream.set_write_timeout(Some(PATIENCE))).map_err(|source| self.broken(source))
    }

    fn broken(&self, source: io::Error) -> ClientError {
        ClientError::Broken { path: self.path.clone(), source }
    }

    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    /// If there is no answer, or the station refused.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        // Images may have to be unpacked first.
        if matches!(request, Request::Reload {}) {
            self.wait_for(None)?;
        }
        let mut line = serde_json::to_vec(request).map_err(|error| self.broken(error.into()))?;
        line.push(b'\n');
        match self.stream.get_mut().write_all(&line) {
            Ok(()) => self.answer(),
            // A station that takes no request says why before it hangs up: what it said can be read although nothing can be written any more.
            Err(source) if matches!(source.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                self.answer().map_err(|unanswered| match unanswered {
                    ClientError::Broken { .. } => self.broken(source),
                    said => said,
                })
            }
            Err(source) => Err(self.broken(source)),
        }
    }

    /// The state that the station shows.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub(crate) fn status(&mut self) -> Result<Status, ClientError> {
        let reply = self.ask(&Request::Status {})?;
        reply.status.ok_or_else(|| ClientError::Version { path: self.path.clone() })
    }

    /// The state that the station shows. From then on, [`Client::next_status`] returns it again after each change, and at least every
    /// second.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn watch(&mut self) -> Result<Status, ClientError> {
        let reply = self.ask(&Request::Watch {})?;
        self.wait_for(Some(DEAD_AFTER))?;
        reply.status.ok_or_else(|| ClientError::Version { path: self.path.clone() })
    }

    /// Waits for the next state.
    ///
    /// # Errors
    /// If the station has ended, or no longer sends anything.
    pub fn next_status(&mut self) -> Result<Status, ClientError> {
        let reply = self.answer()?;
        reply.status.ok_or_else(|| ClientError::Version { path: self.path.clone() })
    }

    fn answer(&mut self) -> Result<Reply, ClientError> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => return Err(self.broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(source) => return Err(self.broken(source)),
        }
        let version = || ClientError::Version { path: self.path.clone() };
        let reply: Reply = serde_json::from_str(&line).map_err(|_other| version())?;
        if reply.flashline != VERSION {
            return Err(version());
        }
        match reply.error {
            Some(error) => Err(ClientError::Refused(error)),
            None => Ok(reply),
        }
    }
}
