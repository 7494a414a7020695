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

/// Consoles, scripts and people of one station, with room to spare.
const MOST_CLIENTS: usize = 64;
/// Of one user: a script that forgets to hang up leaves room for everybody else. Root is everybody's console.
const MOST_OF_ONE_USER: usize = 24;
/// A request is a short line.
const LONGEST_REQUEST: u64 = 4096;
/// Half a request waits for its other half so long, and an idle client for its next question.
const IDLE: Duration = Duration::from_secs(60);
/// A client that does not read for this long is disconnected.
const UNREAD: Duration = Duration::from_secs(5);
/// If a change is not on disk after this time, the client is told that the log cannot be written. Shorter than a client waits.
const UNWRITTEN: Duration = Duration::from_secs(5);
/// Between two snapshots to one watcher: ten a second are motion to the eye.
const PACE: Duration = Duration::from_millis(100);

/// The thread that listens.
#[derive(Debug)]
pub struct Server {
    socket: PathBuf,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// What a connection is served with.
struct Shared {
    view: watch::Receiver<View>,
    /// When the station last said what it shows.
    renewed: Rc<Cell<Instant>>,
    /// The newest snapshot as a line: made once, however many watch.
    line: watch::Receiver<Arc<[u8]>>,
    ask: mpsc::Sender<Incoming>,
    rights: Ask,
}

impl Server {
    /// Listens at `socket`: shows `view`, and hands what is asked to `ask`, whose other end may be slow.
    ///
    /// # Errors
    /// When the socket cannot be made, or another station listens there.
    pub fn start(socket: &Path, view: watch::Receiver<View>, ask: mpsc::Sender<Incoming>, rights: Ask) -> io::Result<Self> {
        let listener = listen(socket)?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("control".to_owned()).spawn(move || {
            LocalSet::new().block_on(&runtime, async {
                tokio::select! {
                    () = serve(listener, view, ask, rights) => {}
                    _ = stopped => {}
                }
            });
            // Answers under way are not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { socket: socket.to_owned(), stop, thread })
    }

    /// Hangs up on everybody.
    pub fn stop(self) {
        let _ended = self.stop.send(());
        let _panicked = self.thread.join();
        let _gone = std::fs::remove_file(&self.socket);
    }
}

/// A socket file without a listener is only in the way of the next station.
fn listen(socket: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    if let Some(directory) = socket.parent().filter(|directory| !directory.exists()) {
        std::fs::create_dir_all(directory)?;
        // Whatever the station's files are like: who may not ask is told so by the station, and not by the way there.
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
    // Everybody may connect, and hears what they may: a file has one group, and there are two whose members may ask. Who it is says the
    // kernel (`SO_PEERCRED`).
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o666))?;
    if !anybody_may_ask() {
        tracing::warn!(socket = %socket.display(), "this PC has neither a group `flashline` nor `flashline-admin`: only root can ask the station");
    }
    Ok(listener)
}

async fn serve(listener: std::os::unix::net::UnixListener, view: watch::Receiver<View>, ask: mpsc::Sender<Incoming>, rights: Ask) {
    let listener = match UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the control socket cannot be listened at: nobody can ask the station");
            return;
        }
    };
    let (write_line, line) = watch::channel(line_of(&view.borrow()));
    let renewed = Rc::new(Cell::new(Instant::now()));
    tokio::task::spawn_local(publish(view.clone(), write_line, Rc::clone(&renewed)));
    let shared = Rc::new(Shared { view, renewed, line, ask, rights });
    let clients: Rc<std::cell::RefCell<HashMap<u32, usize>>> = Rc::default();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Of descriptors there may be more soon.
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
    // There is nothing in it that JSON does not have.
    let mut line = serde_json::to_vec(reply).unwrap_or_else(|_unencodable| br#"{"flashline":1}"#.to_vec());
    line.push(b'\n');
    line
}

/// Makes a line of what is shown, where anybody reads it, and not more often than anybody may see.
async fn publish(mut view: watch::Receiver<View>, line: watch::Sender<Arc<[u8]>>, renewed: Rc<Cell<Instant>>) {
    while view.changed().await.is_ok() {
        renewed.set(Instant::now());
        // The two that are always there: this one's own, and the one that connections are given theirs from.
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
                let hung = "the station runs and decides nothing any more: nothing that it showed is to be believed";
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

/// A line of bounded length, without its end; nothing where the client hung up.
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

/// Sends every snapshot there is time for: one that was not sent is followed by the newest, and by no other.
async fn show(mut read: BufReader<OwnedReadHalf>, mut write: OwnedWriteHalf, shared: &Shared) -> io::Result<()> {
    let mut line = shared.line.clone();
    // What was published last may be old: nobody may have watched. What is published while this is sent is not.
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
                // The same as before it may be, too: it says that the station lives.
                let newest = Arc::clone(&line.borrow_and_update());
                send(&mut write, &newest).await?;
            }
            // Whoever watches says no more; that they hang up is heard here.
            count = read.read(&mut ignored) => if count? == 0 { return Ok(()) },
        }
    }
}

/// Has the station do what was asked.
async fn put(shared: &Shared, who: &Who, request: Request) -> Reply {
    let what = match what_of(request) {
        Ok(what) => what,
        Err(why) => return Reply::error("bad-request", why),
    };
    // Where the log cannot be written already, a change is refused. What is logged is decided first, and then waits for the disk.
    let waits_for_disk = !matches!(what, IncomingRequest::Reload | IncomingRequest::Command(Command::Identify { .. }))
        && shared.view.borrow().fault.is_none();
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
            Reply::error("unwritten", format!("it holds, and until it is written down it would not after a restart: {fault}"))
        }
    }
}

/// What keeps the station from writing anything down, where that is still so after a while, or becomes so later.
async fn lasting_fault(mut view: watch::Receiver<View>) -> String {
    sleep(UNWRITTEN).await;
    match view.wait_for(|view| view.fault.is_some()).await {
        Ok(view) => view.fault.clone().unwrap_or_default(),
        // The station is stopping, and the answer says so.
        Err(_) => std::future::pending().await,
    }
}

/// What the station is to do; a sentence where a request contradicts itself.
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
        Request::LogConfirm {} => IncomingRequest::Command(Command::ConfirmLog),
        Request::Restart {} => IncomingRequest::Command(Command::Restart),
        Request::Reload {} => IncomingRequest::Reload,
        Request::Status {} | Request::Watch {} => return Err("this only asks what is shown".to_owned()),
    })
}

/// Words for the console and the log: a line of them, and nothing that does more than be read.
fn plain(words: Option<String>) -> Result<Option<String>, String> {
    words.map(|words| labels::plain(&words).map_err(|error| error.to_string())).transpose()
}
