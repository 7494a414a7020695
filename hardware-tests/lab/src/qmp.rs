//! The QEMU monitor: commands with their answers, and the events in between.
//!
//! Owns the connection and the matching of answers to commands. It knows only the greeting by name.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::sync::{Watched, lock, patient};

/// A monitor that is silent this long stays silent: a USB request that hangs below it holds QEMU's global lock.
const ANSWER: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Heard {
    answers: HashMap<u64, Value>,
    events: Vec<Value>,
    ended: bool,
}

/// A connection to one QEMU.
#[derive(Debug)]
pub(crate) struct Qmp {
    out: Mutex<UnixStream>,
    heard: Arc<Watched<Heard>>,
    next: AtomicU64,
}

impl Qmp {
    pub(crate) fn connect(socket: &Path) -> Result<Self> {
        let stream = connect(socket, Duration::from_secs(20))?;
        let doing = "starting to listen to QEMU's monitor";
        let input = BufReader::new(stream.try_clone().map_err(Error::io(doing))?);
        let heard = Arc::<Watched<Heard>>::default();
        let ears = Arc::clone(&heard);
        thread::Builder::new().name("lab/qmp".to_owned()).spawn(move || listen(input, &ears)).map_err(Error::io(doing))?;
        let qmp = Self { out: Mutex::new(stream), heard, next: AtomicU64::new(1) };
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    pub(crate) fn execute(&self, command: &str, arguments: Value) -> Result<Value> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let ended = || Error::Ended { doing: command.to_owned() };
        let mut line = json!({ "execute": command, "arguments": arguments, "id": id }).to_string();
        line.push('\n');
        lock(&self.out).write_all(line.as_bytes()).map_err(Error::io(format!("sending {command} to QEMU")))?;
        let answer = self.heard.wait(ANSWER, |heard| heard.answers.remove(&id).map(Ok).or_else(|| heard.ended.then(|| Err(ended()))));
        let mut answer = answer
            .unwrap_or_else(|| Err(Error::Late { what: format!("QEMU's answer to {command}"), after: ANSWER, seen: String::new() }))?;
        match answer.get("error") {
            Some(error) => Err(Error::Refused {
                command: format!("{command} {arguments}", arguments = line.trim_end()),
                answer: error.get("desc").and_then(Value::as_str).unwrap_or_default().to_owned(),
            }),
            None => Ok(answer.get_mut("return").map(Value::take).unwrap_or_default()),
        }
    }

    /// Waits for an event that was raised at any time: a name in it must be used only once.
    pub(crate) fn wait_event(&self, name: &str, timeout: Duration, holds: impl Fn(&Value) -> bool) -> Result<()> {
        let found = self.heard.wait(patient(timeout), |heard| {
            let found = heard.events.iter().any(|event| event["event"] == name && holds(&event["data"]));
            if found { Some(true) } else { heard.ended.then_some(false) }
        });
        match found {
            Some(true) => Ok(()),
            Some(false) => Err(Error::Ended { doing: format!("waiting for {name}") }),
            None => Err(Error::Late { what: format!("QEMU's event {name}"), after: timeout, seen: String::new() }),
        }
    }
}

fn listen(input: impl BufRead, heard: &Watched<Heard>) {
    for line in input.lines().map_while(std::result::Result::ok) {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        heard.change(|heard| {
            if message.get("event").is_some() {
                heard.events.push(message);
            } else if let Some(id) = message.get("id").and_then(Value::as_u64) {
                heard.answers.insert(id, message);
            }
        });
    }
    heard.change(|heard| heard.ended = true);
}

/// Connects to a socket of QEMU, which may not exist yet.
pub(crate) fn connect(socket: &Path, patience: Duration) -> Result<UnixStream> {
    let end = Instant::now() + patience;
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return Ok(stream),
            Err(source) if Instant::now() > end => {
                return Err(Error::Io { doing: format!("connecting to {}", socket.display()), source });
            }
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
}
