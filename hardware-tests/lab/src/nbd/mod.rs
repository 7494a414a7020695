//! A block device server whose answers a scenario can falsify: the NBD protocol over a Unix socket.
//!
//! Owns the socket, and the exports by name. [`wire`] is the protocol, [`export`] a card's memory and its counters, [`faults`] its possible
//! defects, [`gate`] the [`request`] at which it stops. It does not know how QEMU uses an export.

pub mod export;
pub mod faults;
pub mod gate;
pub mod request;
mod wire;

use std::collections::HashMap;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::error::{Error, Result};
use crate::sync::lock;
use export::Export;

type Exports = Arc<Mutex<HashMap<String, Arc<Export>>>>;

/// One Unix socket with many exports. Connections end with their client, the socket with the server.
#[derive(Debug)]
pub struct Server {
    socket: PathBuf,
    exports: Exports,
    stopped: Arc<AtomicBool>,
}

impl Server {
    /// Listens at `socket`, which must not exist.
    pub fn listen(socket: &Path) -> Result<Self> {
        let doing = || Error::io(format!("serving block devices at {}", socket.display()));
        let listener = UnixListener::bind(socket).map_err(doing())?;
        let exports = Exports::default();
        let stopped = Arc::<AtomicBool>::default();
        let (served, stop) = (Arc::clone(&exports), Arc::clone(&stopped));
        thread::Builder::new()
            .name("lab/nbd".to_owned())
            .spawn(move || {
                for stream in listener.incoming() {
                    let Ok(stream) = stream else { break };
                    if stop.load(Ordering::Acquire) {
                        break;
                    }
                    let served = Arc::clone(&served);
                    let name = thread::Builder::new().name("lab/nbd-client".to_owned());
                    // Without a thread, the client sees its connection closed and reports it.
                    drop(name.spawn(move || serve(stream, &served)));
                }
            })
            .map_err(doing())?;
        Ok(Self { socket: socket.to_owned(), exports, stopped })
    }

    /// The Unix socket that clients connect to.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Offers an export under its own name. One export may be offered by several servers.
    pub fn offer(&self, export: &Arc<Export>) {
        lock(&self.exports).insert(export.name().to_owned(), Arc::clone(export));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // A last connection wakes the listening thread, which then ends.
        drop(UnixStream::connect(&self.socket));
    }
}

fn serve(mut stream: UnixStream, exports: &Mutex<HashMap<String, Arc<Export>>>) {
    // A client that leaves or breaks the protocol loses its connection; nothing else needs to know.
    let Ok(Some(export)) = wire::negotiate(&mut stream, |name| lock(exports).get(name).map(Arc::clone)) else { return };
    export.connected(&stream);
    drop(wire::transmit(&mut stream, &export));
}

#[cfg(test)]
mod tests;
