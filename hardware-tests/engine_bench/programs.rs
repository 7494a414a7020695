//! Runs our program and the others, and measures the cost: seconds, CPU, anonymous memory.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeValLike;
use nix::unistd::Pid;
use serde::Deserialize;

use crate::cards::Card;
use crate::{Result, go_on};

/// Interval at which a running program is examined.
const LOOK: Duration = Duration::from_millis(20);

/// A program that must not outlive the benchmark.
#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _gone = self.0.kill();
            let _gone = self.0.wait();
        }
    }
}

/// Runs `command` in the cgroups whose membership files are given.
fn start(command: &[OsString], groups: &[PathBuf]) -> Result<Running> {
    // The shell joins and is then replaced, so the program is slowed down from its first moment.
    let join = groups.iter().map(|group| format!("echo $$ > '{}' && ", group.display())).collect::<String>();
    let child = Command::new("sh")
        .arg("-c")
        .arg(format!("{join}exec \"$@\""))
        .arg("sh")
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok(Running(child))
}

/// The cost of programs that ran in parallel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// From the first start to the last end.
    pub(crate) wall: f64,
    /// User and system time of the programs and their children.
    pub(crate) cpu: f64,
}

/// Seconds of CPU of all child processes that have ended.
fn children_cpu() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros)?).as_secs_f64())
}

/// Runs programs in parallel to their end; one that fails fails the benchmark. Returns their output.
pub(crate) fn side_by_side(commands: &[Vec<OsString>], groups: &[PathBuf], stopped: &AtomicBool) -> Result<(Cost, Vec<String>)> {
    let (cpu, began) = (children_cpu()?, Instant::now());
    let mut running = commands.iter().map(|command| start(command, groups)).collect::<Result<Vec<_>>>()?;
    while running.iter_mut().any(|one| one.0.try_wait().is_ok_and(|ended| ended.is_none())) {
        go_on(stopped)?;
        thread::sleep(LOOK);
    }
    let wall = began.elapsed().as_secs_f64();
    let mut printed = Vec::new();
    for (one, command) in running.iter_mut().zip(commands) {
        let status = one.0.wait()?;
        let (mut out, mut err) = (String::new(), String::new());
        one.0.stdout.take().map(|mut stdout| stdout.read_to_string(&mut out)).transpose()?;
        one.0.stderr.take().map(|mut stderr| stderr.read_to_string(&mut err)).transpose()?;
        if !status.success() {
            return Err(format!("{command:?}: {status}: {}", err.trim()).into());
        }
        printed.push(out);
    }
    Ok((Cost { wall, cpu: children_cpu()? - cpu }, printed))
}

/// The fields of a card in the output of `flashline flash --json`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Flashed {
    pub(crate) device: PathBuf,
    pub(crate) outcome: String,
    pub(crate) reason: Option<String>,
    /// From claim to proof.
    pub(crate) seconds: f64,
}

/// One run of `flashline flash`.
#[derive(Debug)]
pub(crate) struct Flash {
    pub(crate) cost: Cost,
    pub(crate) cards: Vec<Flashed>,
    /// The most anonymous memory it had at once, in MiB.
    pub(crate) anonymous_mib: f64,
}

impl Flash {
    /// The slowest card's seconds.
    pub(crate) fn slowest(&self) -> f64 {
        self.cards.iter().map(|card| card.seconds).fold(0.0, f64::max)
    }
}

/// Flashes cards with one process. With `leave`, that card is abandoned once all others are done.
pub(crate) fn flash(
    image: &Path,
    zeroes: &str,
    cards: &[&Card],
    leave: Option<&Card>,
    groups: &[PathBuf],
    stopped: &AtomicBool,
) -> Result<Flash> {
    let mut command: Vec<OsString> = vec![env!("CARGO_BIN_EXE_flashline").into(), "flash".into(), image.into()];
    command.extend(cards.iter().chain(&leave).map(|card| card.node.clone().into_os_string()));
    command.extend(["--yes", "--json", "--zeroes", zeroes, "--config", "/nonexistent"].map(OsString::from));
    let (cpu, began) = (children_cpu()?, Instant::now());
    let mut running = start(&command, groups)?;
    let pid = Pid::from_raw(i32::try_from(running.0.id())?);
    let (say, hear) = channel();
    let out = running.0.stdout.take().ok_or("no output")?;
    let reader = thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(std::result::Result::ok) {
            let _over = say.send(line);
        }
    });
    let (mut done, mut anonymous_kib): (Vec<Flashed>, u64) = (Vec::new(), 0);
    let status = loop {
        go_on(stopped)?;
        anonymous_kib = anonymous_kib.max(anonymous(pid));
        for line in hear.try_iter() {
            done.push(serde_json::from_str(&line)?);
        }
        if leave.is_some() && done.len() == cards.len() {
            kill(pid, Signal::SIGINT)?;
        }
        if let Some(status) = running.0.try_wait()? {
            break status;
        }
        thread::sleep(LOOK);
    };
    let wall = began.elapsed().as_secs_f64();
    reader.join().map_err(|_panic| "the reader of its output panicked")?;
    for line in hear.try_iter() {
        done.push(serde_json::from_str(&line)?);
    }
    let mut err = String::new();
    running.0.stderr.take().map(|mut stderr| stderr.read_to_string(&mut err)).transpose()?;
    done.retain(|card| leave.is_none_or(|leave| leave.node != card.device));
    if let Some(bad) = done.iter().find(|card| card.outcome != "verified") {
        return Err(format!("{}: {} {}", bad.device.display(), bad.outcome, bad.reason.as_deref().unwrap_or("")).into());
    }
    if done.len() != cards.len() || (leave.is_none() && !status.success()) {
        return Err(format!("flashline flash: {status}: {}", err.trim()).into());
    }
    let cost = Cost { wall, cpu: children_cpu()? - cpu };
    Ok(Flash { cost, cards: done, anonymous_mib: f64::from(u32::try_from(anonymous_kib)?) / 1024.0 })
}

/// The memory of a process that is neither a file nor shared, in KiB (proc(5), `RssAnon`).
fn anonymous(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A shell's command line, with its arguments as `$1`, `$2` …
pub(crate) fn shell(line: &str, arguments: &[&Path]) -> Vec<OsString> {
    let mut command: Vec<OsString> = vec!["sh".into(), "-ec".into(), line.into(), "sh".into()];
    command.extend(arguments.iter().map(|argument| argument.as_os_str().to_owned()));
    command
}

/// The benchmark's own program, with a hidden option.
pub(crate) fn ourselves(option: &str, arguments: &[&Path]) -> Result<Vec<OsString>> {
    let mut command: Vec<OsString> = vec![std::env::current_exe()?.into(), option.into()];
    command.extend(arguments.iter().map(|argument| argument.as_os_str().to_owned()));
    Ok(command)
}
