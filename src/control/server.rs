//! The station's end of the control socket: a thread with its own runtime. If it is flooded, starved or hangs, the task that owns the
//! station does not notice: that task publishes its view into a cell and takes requests from a queue without waiting.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use super::access::{Ask, Rights, anybody_may_ask};
use super::wire::{Reply, Request};
use super::{Denial, Incoming, IncomingRequest};
use crate::station::labels;
use crate::station::request::{Command, Target, Who};
use crate::station::view::{DEAD_AFTER, View};

/// The limit of connections: consoles, scripts and people of one station, with room to spare.
const MOST_CLIENTS: usize = 64;
/// The limit for one user, so that a script that never disconnects leaves room for others. It is high enough for all consoles of root.
const MOST_OF_ONE_USER: usize = 24;
/// A request is a short line.
const LONGEST_REQUEST: u64 = 4096;
/// How long the rest of an incomplete request, or the next request of an idle client, is waited for.
const IDLE: Duration = Duration::from_secs(60);
/// A client that does not read for this long is disconnected.
const UNREAD: Duration = Duration::from_secs(5);
/// If a change is not on disk after this time, the client is told that the log cannot be written. Shorter than a client waits.
const UNWRITTEN: Duration = Duration::from_secs(5);
/// Interval between two snapshots to one watcher: the eye sees ten a second as motion.
const PACE: Duration = Duration::from_millis(100);

/// The thread that listens.
#[derive(Debug)]
pub struct Server {
    socket: PathBuf,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// The state that all connections share.
struct Shared {
    view: watch::Receiver<View>,
    /// The time at which the station last published its view.
    renewed: Rc<Cell<Instant>>,
    /// The newest snapshot as a line: made once for all watchers.
    line: watch::Receiver<Arc<[u8]>>,
    ask: mpsc::Sender<Incoming>,
    rights: Ask,
}

impl Server {
    /// Listens at `socket`: shows `view`, and passes requests to `ask`, whose other end may be slow.
    ///
    /// # Errors
    /// If the socket cannot be made, or another station listens there.
    pub fn start(socket: &Path, view: watch::Receiver<View>, ask: mpsc::Sender<Incoming>, rights: Ask) -> io::Result<Self> {
        let listener = listen(socket)?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // A socket that the runtime cannot wait for is none: nobody would hear of it later.
        let listener = {
            let _entered = runtime.enter();
            UnixListener::from_std(listener)?
        };
        let thread = thread::Builder::new().name("control".to_owned()).spawn(move || {
            LocalSet::new().block_on(&runtime, async {
                tokio::select! {
                    () = serve(listener, view, ask, rights) => {}
                    _ = stopped => {}
                }
            });
            // Unfinished answers are not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { socket: socket.to_owned(), stop, thread })
    }

    /// Closes all connections.
    pub fn stop(self) {
        let _ended = self.stop.send(());
        let _panicked = self.thread.join();
        let _gone = std::fs::remove_file(&self.socket);
    }
}

/// Listens at the socket. A socket file without a listener is removed, because it would block the next station.
fn listen(socket: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    if let Some(directory) = socket.parent().filter(|directory| !directory.exists()) {
        std::fs::create_dir_all(directory)?;
        // Every user can reach the socket, whatever the permissions of the station's other files: the station itself refuses users without
        // rights.
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755))?;
    }
    match std::fs::symlink_metadata(socket) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket is in its place"));
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(socket).is_ok() => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another station listens there"));
        }
        Ok(_) => std::fs::remove_file(socket)?,
        Err(_) => {}
    }
    let listener = std::os::unix::net::UnixListener::bind(socket)?;
    listener.set_nonblocking(true)?;
    // Every user may connect, and gets what its rights allow: a file has one group, but the members of two groups may ask. The kernel names
    // the user (`SO_PEERCRED`).
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o666))?;
    if !anybody_may_ask() {
        tracing::warn!(socket = %socket.display(), "this PC has neither a group `flashline` nor `flashline-admin`: only root can ask the station");
    }
    Ok(listener)
}

async fn serve(listener: UnixListener, view: watch::Receiver<View>, ask: mpsc::Sender<Incoming>, rights: Ask) {
    let (write_line, line) = watch::channel(line_of(&view.borrow()));
    let renewed = Rc::new(Cell::new(Instant::now()));
    tokio::task::spawn_local(publish(view.clone(), write_line, Rc::clone(&renewed)));
    let shared = Rc::new(Shared { view, renewed, line, ask, rights });
    let clients: Rc<std::cell::RefCell<HashMap<u32, usize>>> = Rc::default();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Descriptors may become free soon.
                tracing::debug!(%error, "a client could not be taken");
                sleep(PACE).await;
                continue;
            }
        };
        let Ok(peer) = stream.peer_cred() else { continue };
        let uid = peer.uid();
        let (all, own) = {
            let clients = clients.borrow();
            (clients.values().sum::<usize>(), clients.get(&uid).copied().unwrap_or(0))
        };
        if all >= MOST_CLIENTS || own >= MOST_OF_ONE_USER {
            tracing::debug!(uid, all, own, "one client too many");
            // A connection that is new has room for the answer.
            let _gone = stream.try_write(&encoded(&Reply::error("busy", "the station serves as many clients as it can: end one of them")));
            continue;
        }
        *clients.borrow_mut().entry(uid).or_default() += 1;
        let (who, rights) = (shared.rights)(uid, peer.gid());
        let (shared, clients) = (Rc::clone(&shared), Rc::clone(&clients));
        tokio::task::spawn_local(async move {
            if let Err(error) = converse(stream, &shared, who, rights).await {
                tracing::debug!(uid, %error, "a client was dropped");
            }
            let mut clients = clients.borrow_mut();
            if let Some(count) = clients.get_mut(&uid) {
                *count -= 1;
                if *count == 0 {
                    clients.remove(&uid);
                }
            }
        });
    }
}

fn line_of(view: &View) -> Arc<[u8]> {
    encoded(&Reply::of_status(view)).into()
}

fn encoded(reply: &Reply) -> Vec<u8> {
    // A reply contains only values that JSON can express.
    let mut line = serde_json::to_vec(reply).unwrap_or_else(|_unencodable| br#"{"flashline":1}"#.to_vec());
    line.push(b'\n');
    line
}

/// Makes a line of each view if there is a reader, at most as often as a watcher may get one.
async fn publish(mut view: watch::Receiver<View>, line: watch::Sender<Arc<[u8]>>, renewed: Rc<Cell<Instant>>) {
    while view.changed().await.is_ok() {
        renewed.set(Instant::now());
        // One receiver always exists: the one that connections clone.
        if line.receiver_count() > 1 {
            let snapshot = line_of(&view.borrow_and_update());
            line.send_replace(snapshot);
        }
        sleep(PACE).await;
    }
}

async fn converse(stream: UnixStream, shared: &Shared, who: Who, rights: Rights) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    if rights == Rights::None {
        let no = Reply::error("not-allowed", format!("{} is in neither `flashline` nor `flashline-admin`", who.name));
        return send(&mut write, &encoded(&no)).await;
    }
    let mut read = BufReader::with_capacity(1024, read);
    loop {
        let line = match timeout(IDLE, next_line(&mut read)).await? {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(error) => {
                // What follows is the rest of that line, and no request.
                if error.kind() == io::ErrorKind::InvalidData {
                    send(&mut write, &encoded(&Reply::error("bad-request", format!("no request: {error}")))).await?;
                }
                return Err(error);
            }
        };
        let request = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => request,
            Err(error) => {
                send(&mut write, &encoded(&Reply::error("bad-request", format!("no request: {error}")))).await?;
                continue;
            }
        };
        match request {
            Request::Status {} if shared.renewed.get().elapsed() > DEAD_AFTER => {
                let hung = "the station runs but no longer decides: the signs that it showed do not hold";
                send(&mut write, &encoded(&Reply::error("hung", hung.to_owned()))).await?;
            }
            Request::Status {} => {
                let line = line_of(&shared.view.borrow());
                send(&mut write, &line).await?;
            }
            Request::Watch {} => return show(read, write, shared).await,
            other => {
                let reply = if rights == Rights::Change { put(shared, &who, other).await } else { may_only_look(&who) };
                send(&mut write, &encoded(&reply)).await?;
            }
        }
    }
}

fn may_only_look(who: &Who) -> Reply {
    Reply::error(
        "not-allowed",
        format!("{} may look at the station and not change it: that takes root or the group `flashline-admin`", who.name),
    )
}

/// A line of limited length, without its line end; `None` if the client disconnected.
async fn next_line(read: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let count = read.take(LONGEST_REQUEST).read_until(b'\n', &mut line).await?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if count < usize::try_from(LONGEST_REQUEST).unwrap_or(usize::MAX) => Ok(None),
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a request that is too long")),
    }
}

async fn send(write: &mut OwnedWriteHalf, line: &[u8]) -> io::Result<()> {
    timeout(UNREAD, write.write_all(line)).await?
}

/// Sends snapshots as fast as the client takes them: after a skipped snapshot it gets the newest one.
async fn show(mut read: BufReader<OwnedReadHalf>, mut write: OwnedWriteHalf, shared: &Shared) -> io::Result<()> {
    let mut line = shared.line.clone();
    // The last published line may be old, if no client was watching. A line that is published from now on is not.
    line.mark_unchanged();
    let now = line_of(&shared.view.borrow());
    send(&mut write, &now).await?;
    let mut ignored = [0; 256];
    loop {
        tokio::select! {
            changed = line.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                // An unchanged state is sent, too: it shows that the station is alive.
                let newest = Arc::clone(&line.borrow_and_update());
                send(&mut write, &newest).await?;
            }
            // A watching client sends nothing more; this read notices that it disconnects.
            count = read.read(&mut ignored) => if count? == 0 { return Ok(()) },
        }
    }
}

/// Passes a request to the station and waits for its answer.
async fn put(shared: &Shared, who: &Who, request: Request) -> Reply {
    let what = match what_of(request) {
        Ok(what) => what,
        Err(why) => return Reply::error("bad-request", why),
    };
    // If the log already cannot be written, a change is refused. A logged change is decided first, and then waits for the disk.
    let waits_for_disk = !matches!(what, IncomingRequest::Reload | IncomingRequest::Command(Command::Identify { .. }))
        && shared.view.borrow().log_fault.is_none();
    let (answer, answered) = oneshot::channel();
    if shared.ask.try_send(Incoming { by: who.clone(), what, answer }).is_err() {
        return Reply::error("busy", "the station has more questions than it can answer: ask again");
    }
    tokio::select! {
        biased;
        answer = answered => match answer {
            Ok(Ok(())) => Reply::done(),
            Ok(Err(Denial { code, message })) => Reply::error(&code, message),
            Err(_) => Reply::error("stopping", "the station is stopping"),
        },
        fault = lasting_fault(shared.view.clone()), if waits_for_disk => {
            Reply::error("unwritten", format!("the change is in effect, but is not on disk, and a restart would undo it: {fault}"))
        }
    }
}

/// The fault that keeps the station from writing, if it still exists after a while, or begins later.
async fn lasting_fault(mut view: watch::Receiver<View>) -> String {
    sleep(UNWRITTEN).await;
    match view.wait_for(|view| view.log_fault.is_some()).await {
        Ok(view) => view.log_fault.clone().unwrap_or_default(),
        // The station is stopping, and the answer says so.
        Err(_) => std::future::pending().await,
    }
}

/// The command for the station; a sentence if a request contradicts itself.
fn what_of(request: Request) -> Result<IncomingRequest, String> {
    let target = |slot: Option<String>, model: Option<String>| match (slot, model) {
        (Some(slot), None) => Ok(Target::Slot(slot)),
        (None, Some(model)) => Ok(Target::Model(model)),
        _ => Err("name either a `slot` or a `model`".to_owned()),
    };
    Ok(match request {
        Request::Disarm { slot, model, reason } => {
            IncomingRequest::Command(Command::Disarm { target: target(slot, model)?, reason: plain(reason)? })
        }
        Request::Arm { slot, model } => IncomingRequest::Command(Command::Arm { target: target(slot, model)? }),
        Request::Identify { slot } => IncomingRequest::Command(Command::Identify { slot }),
        Request::OrderStart { model, count, name, work_order } => {
            IncomingRequest::Command(Command::StartOrder { model, count, name: plain(name)?, work_order: plain(work_order)? })
        }
        Request::OrderStop { model } => IncomingRequest::Command(Command::StopOrder { model }),
        Request::Approve { model, card } => IncomingRequest::Command(Command::Approve { model, card }),
        Request::MaintenanceOn { reason } => {
            let why = labels::plain(&reason).map_err(|error| error.to_string())?;
            IncomingRequest::Command(Command::BeginMaintenance { why })
        }
        Request::MaintenanceOff {} => IncomingRequest::Command(Command::EndMaintenance),
        Request::LogConfirm {} => IncomingRequest::Command(Command::ConfirmLog),
        Request::Restart {} => IncomingRequest::Command(Command::Restart),
        Request::Reload {} => IncomingRequest::Reload,
        Request::Status {} | Request::Watch {} => return Err("this request only reads the state".to_owned()),
    })
}

/// Text for the console and the log: one line, without control characters.
fn plain(words: Option<String>) -> Result<Option<String>, String> {
    words.map(|words| labels::plain(&words).map_err(|error| error.to_string())).transpose()
}
