//! The tests' agent in the emulated PC: runs scripts, streams what they print, carries files in and out.
//!
//! Owns the guest's end of the channel. It knows nothing of cards, QEMU or Flashline, and uses `std` alone: `setup`
//! compiles it with `rustc` and links it statically, so no library of the guest can break the tests' only way in.

use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

// Included rather than imported: this program is compiled without the library, too.
#[allow(dead_code, unreachable_pub)]
#[path = "../protocol.rs"]
mod protocol;

use protocol::Frame;

/// How often a port that is not there, or not connected, is tried again.
const PATIENCE: Duration = Duration::from_millis(20);

/// EIO, for a failure without an errno.
const EIO: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut input = open_port();
    let agent = Agent { port: Arc::new(Mutex::new(input.try_clone()?)), jobs: Arc::default(), puts: HashMap::new() };
    agent.port.send(&Frame::new(protocol::HELLO, 0, []));
    agent.serve(&mut input)
}

/// Opens the port as soon as the kernel shows it; does not wait for udev.
fn open_port() -> File {
    loop {
        for entry in fs::read_dir("/sys/class/virtio-ports").into_iter().flatten().flatten() {
            let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
            if name.trim_end() == protocol::PORT
                && let Ok(port) = OpenOptions::new().read(true).write(true).open(Path::new("/dev").join(entry.file_name()))
            {
                return port;
            }
        }
        thread::sleep(PATIENCE);
    }
}

/// The port in the form that `read_exact` needs: while the other end is not open, it reads as empty, which is a pause and not an end.
struct Patient<'a>(&'a mut File);

impl Read for Patient<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buf) {
                Ok(0) => thread::sleep(PATIENCE),
                other => return other,
            }
        }
    }
}

type Port = Arc<Mutex<File>>;

trait Send {
    fn send(&self, frame: &Frame);
}

impl Send for Port {
    /// Without a listener, an error cannot be reported either: a frame that cannot be sent is dropped.
    fn send(&self, frame: &Frame) {
        let mut port = self.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = frame.write_to(&mut *port);
    }
}

/// A file on its way in: it takes its name when it is whole, so a running program can be replaced.
struct Incoming {
    target: PathBuf,
    aside: PathBuf,
    mode: u32,
    file: io::Result<File>,
}

impl Incoming {
    fn start(id: u32, mode: u32, target: &Path) -> Self {
        let aside = target.with_added_name(&format!(".incoming-{id}"));
        let file = target
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside));
        Self { target: target.to_owned(), aside, mode, file }
    }

    fn more(&mut self, data: &[u8]) {
        if let Ok(file) = &mut self.file
            && let Err(error) = file.write_all(data)
        {
            self.file = Err(error);
        }
    }

    fn finish(self) -> io::Result<()> {
        self.file?.set_permissions(fs::Permissions::from_mode(self.mode))?;
        fs::rename(self.aside, self.target)
    }
}

trait AddName {
    fn with_added_name(&self, end: &str) -> PathBuf;
}

impl AddName for Path {
    fn with_added_name(&self, end: &str) -> PathBuf {
        let mut name = self.as_os_str().to_owned();
        name.push(end);
        name.into()
    }
}

struct Agent {
    port: Port,
    /// Job to process group. A job leaves before its `END` is sent.
    jobs: Arc<Mutex<HashMap<u32, u32>>>,
    puts: HashMap<u32, Incoming>,
}

impl Agent {
    /// Answers until the port fails, which happens only when the agent must start anew.
    fn serve(mut self, input: &mut File) -> Result<(), Box<dyn Error>> {
        let mut input = Patient(input);
        loop {
            let frame = Frame::read_from(&mut input)?;
            let id = frame.id;
            match frame.kind {
                protocol::RUN => self.run(id, &String::from_utf8_lossy(&frame.payload)),
                protocol::SIGNAL => {
                    if let Some((signal, _)) = frame.number() {
                        self.signal(id, signal);
                    }
                }
                protocol::PUT => {
                    if let Some((mode, path)) = frame.number() {
                        let path = PathBuf::from(String::from_utf8_lossy(path).as_ref());
                        self.puts.insert(id, Incoming::start(id, mode, &path));
                    }
                }
                protocol::PUT_DATA => {
                    if let Some(put) = self.puts.get_mut(&id) {
                        put.more(&frame.payload);
                    }
                }
                protocol::PUT_END => {
                    let ended = self.puts.remove(&id).map_or(Ok(()), Incoming::finish);
                    self.port.send(&Frame::end(id, errno(&ended)));
                }
                protocol::GET => {
                    let port = Arc::clone(&self.port);
                    let path = String::from_utf8_lossy(&frame.payload).into_owned();
                    thread::spawn(move || {
                        let ended = File::open(path).and_then(|file| forward(file, &port, protocol::STDOUT, id));
                        port.send(&Frame::end(id, errno(&ended)));
                    });
                }
                _ => {}
            }
        }
    }

    fn run(&self, id: u32, script: &str) {
        let spawned = Command::new("/bin/sh")
            .arg("-c")
            .arg(script)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A separate process group, so that a signal reaches every process that the script started.
            .process_group(0)
            .spawn();
        match spawned {
            Ok(child) => {
                self.jobs().insert(id, child.id());
                let (port, jobs) = (Arc::clone(&self.port), Arc::clone(&self.jobs));
                thread::spawn(move || watch(id, child, &port, &jobs));
            }
            Err(error) => {
                self.port.send(&Frame::new(protocol::STDERR, id, format!("starting sh: {error}\n")));
                self.port.send(&Frame::end(id, 127));
            }
        }
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, HashMap<u32, u32>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `std` has no kill(2); the shell has one.
    fn signal(&self, id: u32, signal: u32) {
        let group = self.jobs().get(&id).copied();
        if let Some(group) = group {
            thread::spawn(move || Command::new("/bin/sh").arg("-c").arg(format!("kill -s {signal} -- -{group}")).status());
        }
    }
}

/// Forwards all a job prints, then tells how it ended. The end comes after both pipes closed, so no output is lost; a
/// process left in the background keeps its job open unless it lets go of both.
fn watch(id: u32, mut child: Child, port: &Port, jobs: &Mutex<HashMap<u32, u32>>) {
    let stderr = child.stderr.take().map(|pipe| {
        let port = Arc::clone(port);
        thread::spawn(move || forward(pipe, &port, protocol::STDERR, id))
    });
    if let Some(pipe) = child.stdout.take() {
        let _ = forward(pipe, port, protocol::STDOUT, id);
    }
    if let Some(thread) = stderr {
        let _ = thread.join();
    }
    let status = child.wait();
    jobs.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    let status = match status {
        Ok(status) => status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
        Err(_) => 126,
    };
    port.send(&Frame::end(id, u32::try_from(status).unwrap_or(126)));
}

fn forward(mut from: impl Read, port: &Port, kind: u8, id: u32) -> io::Result<()> {
    let mut buf = vec![0; protocol::CHUNK];
    loop {
        let read = match from.read(&mut buf) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        port.send(&Frame::new(kind, id, buf.get(..read).unwrap_or_default()));
    }
}

fn errno(result: &io::Result<()>) -> u32 {
    match result {
        Ok(()) => 0,
        Err(error) => error.raw_os_error().and_then(|errno| u32::try_from(errno).ok()).unwrap_or(EIO),
    }
}
