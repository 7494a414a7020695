//! Brings the bytes of a source, from a thread that may hang: nobody waits for it longer than configured.
//!
//! A server that answers nothing and a share whose server is gone are the same here: no piece came in time. The thread is left behind then,
//! and ends with the program or with the next piece that nobody takes.

mod http;
mod share;

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::error::{Broken, Bytes};
use crate::job::Limits;
use crate::kept::to_u64;
use crate::source::Source;

/// How much is read at once.
const CHUNK: usize = 256 << 10;
/// How many pieces wait at most: one is read while one is hashed and written.
const WAITING: usize = 4;

/// Where a transfer is to go on.
#[derive(Clone, Debug)]
pub(crate) struct Resume {
    /// The first byte that is wanted.
    pub(crate) from: u64,
    /// The version of the source that the bytes before are from.
    pub(crate) validator: String,
}

/// What a source says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    /// The byte with which it begins: 0, or the one that was asked for.
    pub(crate) from: u64,
    /// The length of the whole file, if that is known.
    pub(crate) length: Option<u64>,
    /// What the source calls this version, if it has a name for it.
    pub(crate) validator: Option<String>,
}

/// What comes of a source, in this order.
#[derive(Debug)]
pub(crate) enum Piece {
    Opened(Opening),
    Data(Vec<u8>),
    /// There is no more.
    End,
}

/// The thread's end of the queue. It alone counts how far the file came.
struct Outlet {
    queue: SyncSender<Result<Piece, Broken>>,
    /// The byte of the file that comes next.
    at: u64,
    /// The length of the whole file, if that is known.
    promised: Option<u64>,
}

impl Outlet {
    fn open(&mut self, opening: Opening) -> Result<(), Halt> {
        (self.at, self.promised) = (opening.from, opening.length);
        self.give(Piece::Opened(opening))
    }

    fn data(&mut self, data: Vec<u8>) -> Result<(), Halt> {
        self.at += to_u64(data.len());
        match self.promised {
            Some(of) if self.at > of => Err(Broken::Longer { of }.into()),
            _ => self.give(Piece::Data(data)),
        }
    }

    /// Says last how it ended.
    fn end(self, done: Result<(), Halt>) {
        let Self { at, promised, .. } = self;
        let last = match (done, promised) {
            (Ok(()) | Err(Halt::Disconnected), Some(of)) if at < of => Err(Broken::Cut { at, of }),
            (Ok(()), _) => Ok(Piece::End),
            (Err(Halt::Disconnected), _) => Err(Broken::Disconnected { at }),
            (Err(Halt::Broken(broken)), _) => Err(broken),
            (Err(Halt::Unwanted), _) => return,
        };
        let _unwanted = self.queue.send(last);
    }

    fn give(&self, piece: Piece) -> Result<(), Halt> {
        self.queue.send(Ok(piece)).map_err(|_gone| Halt::Unwanted)
    }
}

/// Why a thread stops.
enum Halt {
    Broken(Broken),
    /// The connection ended before the file did.
    Disconnected,
    /// Nobody takes the pieces any more.
    Unwanted,
}

impl From<Broken> for Halt {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// A transfer under way.
pub(crate) struct Transfer {
    pieces: Receiver<Result<Piece, Broken>>,
    stall: Duration,
}

impl Transfer {
    /// Begins it; if the source is still the same version, where `resume` says.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(crate) fn begin(source: &Source, resume: Option<Resume>, limits: &Limits) -> Result<Self, Broken> {
        let (give, pieces) = sync_channel(WAITING);
        let (source, limits, stall) = (source.clone(), limits.clone(), limits.stall);
        let work = move || {
            let at = resume.as_ref().map_or(0, |resume| resume.from);
            let mut outlet = Outlet { queue: give, at, promised: None };
            let done = match &source {
                Source::Http(uri) => http::send(uri, resume.as_ref(), &limits, &mut outlet),
                Source::Path(path) => share::send(path, resume.as_ref(), &mut outlet),
            };
            outlet.end(done);
        };
        std::thread::Builder::new().name("transfer".to_owned()).spawn(work).map_err(Broken::Thread)?;
        Ok(Self { pieces, stall })
    }

    /// Waits for the next piece.
    ///
    /// # Errors
    /// If the source fails, or nothing comes in time.
    pub(crate) fn piece(&self) -> Result<Piece, Broken> {
        match self.pieces.recv_timeout(self.stall) {
            Ok(piece) => piece,
            Err(RecvTimeoutError::Timeout) => Err(Broken::Stalled(self.stall)),
            Err(RecvTimeoutError::Disconnected) => Err(Broken::Died),
        }
    }
}

/// All of a small file, into memory.
///
/// # Errors
/// If it does not come whole, or has more than `most` bytes.
pub(crate) fn small(source: &Source, limits: &Limits, most: u64) -> Result<Vec<u8>, Broken> {
    let transfer = Transfer::begin(source, None, limits)?;
    let mut bytes = Vec::new();
    loop {
        match transfer.piece()? {
            Piece::Opened(_) => {}
            Piece::Data(data) => bytes.extend_from_slice(&data),
            Piece::End => return Ok(bytes),
        }
        if to_u64(bytes.len()) > most {
            return Err(Broken::TooLarge(Bytes(most)));
        }
    }
}
