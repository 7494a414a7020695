//! `flashline flash`: a rework bench, and a benchmark. The rules about slots, arming and presence at start do not apply; every
//! other rule does, and there is no override.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{GOOD, NOT_GOOD, WRONG, complain, start_tracing};
use crate::daemon::arming::describe;
use crate::flash::flash;
use crate::flash::gauge::Gauge;
use crate::image::open::{Opened, Packing};
use crate::image::stage::{in_place, stage};
use crate::image::{ImageError, Staged};
use crate::ledger::{Ledger, LogError};
use crate::panel::Screen;
use crate::panel::bars::ReadingBar;
use crate::panel::terminal::Terminal;
use crate::station::admit::{Policy, admit};
use crate::station::card::{Card, Survey};
use crate::station::outcome::{Effort, Outcome};
use crate::station::record::{Attempt, AttemptNumber, Entry};
use crate::station::slot::Step;
use crate::station::units::{Bytes, seconds};
use crate::station::view::{Progress, Sign, SlotView, View};
use crate::station::{End, outcome_of};
use crate::watch::sysfs::Sysfs;
use crate::watch::uses::{OwnPart, Tables, block_number, survey};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The image, raw or .xz
    image: PathBuf,
    /// Whole disks to erase, as /dev/sdb
    #[arg(required = true)]
    devices: Vec<PathBuf>,
    /// Do not ask before erasing
    #[arg(long)]
    yes: bool,
    /// One JSON object a device
    #[arg(long)]
    json: bool,
    /// Record the attempts in this flash log; only then is the word PASS
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// How often bars move and ended threads are looked for.
const LOOK: Duration = Duration::from_millis(20);

/// Why nothing was begun, or the log not kept.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error("{0} is not a block device: name a whole disk, as /dev/sdb")]
    NotADevice(PathBuf),
    #[error("{0} holds no medium, or this kernel gives no disk sequence number (Linux 5.15 does)")]
    NoMedium(PathBuf),
    #[error("{0} is named twice")]
    Twice(PathBuf),
    #[error("reading this PC's mounts: without them nothing is erased")]
    Tables(#[source] procfs::ProcError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error("a place for the unpacked image")]
    Scratch(#[source] io::Error),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("nothing was erased: say --yes to erase without being asked")]
    NotConfirmed,
    #[error("catching Ctrl-C")]
    Signals(#[source] io::Error),
    #[error("a thread for {0}")]
    Thread(PathBuf, #[source] io::Error),
}

/// A device that was named, and what is known of it.
struct Named {
    path: PathBuf,
    survey: Survey,
}

/// A device's attempt.
struct Bench {
    path: PathBuf,
    attempt: Attempt,
    state: State,
}

enum State {
    /// Its thread works; the moment is when its step began.
    Busy { gauge: Arc<Gauge>, thread: JoinHandle<End>, step: Step, step_began: Instant },
    /// It came to an end.
    Ended { outcome: Outcome, effort: Effort },
}

pub(super) fn run(args: &Args) -> u8 {
    start_tracing();
    match flash_all(args) {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            WRONG
        }
    }
}

fn flash_all(args: &Args) -> Result<u8, Wrong> {
    let named = name_devices(&args.devices)?;
    let scratch = tempfile::Builder::new().prefix("flashline-").tempdir_in("/var/tmp").map_err(Wrong::Scratch)?;
    let image = Arc::new(prepare(&args.image, scratch.path())?);
    // Nothing below opens the staged copy by name again, and a killed bench must not leave gigabytes behind.
    drop(scratch);
    if !args.yes {
        confirm(&named)?;
    }
    let mut ledger = args.log.as_deref().map(|path| Ledger::open(path, "bench")).transpose()?;
    let first_number = ledger.as_ref().map_or(Ok(1), Ledger::next_attempt)?;
    let mut bench = Vec::new();
    let interrupted = catch_interrupts()?;
    for (number, device) in (first_number..).zip(named) {
        bench.push(begin(device, number, &args.image, &image, ledger.as_mut())?);
    }
    let mut screen = Terminal::on_stderr();
    while bench.iter().any(|one| matches!(one.state, State::Busy { .. })) {
        if interrupted.load(std::sync::atomic::Ordering::Relaxed) {
            bench.iter().for_each(Bench::cancel);
        }
        bench.iter_mut().for_each(Bench::look);
        screen.draw(&View { station: format!("{}", args.image.display()), fault: None, slots: bench.iter().map(Bench::view).collect() });
        thread::sleep(LOOK);
    }
    screen.end();
    let mut code = GOOD;
    let recorded = ledger.is_some();
    for one in bench {
        let State::Ended { outcome, effort } = one.state else { continue };
        let good = matches!(outcome, Outcome::Passed(_));
        if let Some(ledger) = &mut ledger {
            ledger.append(&Entry::AttemptClosed { attempt: Box::new(one.attempt), outcome: outcome.clone(), effort: effort.clone() })?;
        }
        let report = Report { device: &one.path, outcome: &outcome, effort: &effort, span: image.span(), recorded };
        let text = if args.json { report.json().to_string() } else { report.to_string() };
        println!("{text}");
        if !good {
            code = NOT_GOOD;
        }
    }
    Ok(code)
}

fn name_devices(paths: &[PathBuf]) -> Result<Vec<Named>, Wrong> {
    let sysfs = Sysfs::default();
    let tables = Tables::now().map_err(Wrong::Tables)?;
    let own = [OwnPart { name: "root", path: PathBuf::from("/") }];
    let mut seen = BTreeSet::new();
    paths
        .iter()
        .map(|path| {
            let number = block_number(path).ok_or_else(|| Wrong::NotADevice(path.clone()))?;
            let (disk, whole) = sysfs.disk_of(number).ok_or_else(|| Wrong::NotADevice(path.clone()))?;
            if !seen.insert(disk.clone()) {
                return Err(Wrong::Twice(path.clone()));
            }
            let mut survey = survey(&sysfs, &tables, &own, &disk).ok_or_else(|| Wrong::NoMedium(path.clone()))?;
            survey.card.whole_disk = whole;
            Ok(Named { path: path.clone(), survey })
        })
        .collect()
}

/// A raw image is written from where it lies; a packed one is unpacked for the time of the call.
fn prepare(image: &Path, scratch: &Path) -> Result<Staged, ImageError> {
    let packing = Opened::open(image)?.packing;
    let name = if packing == Packing::Raw { "hashing" } else { "unpacking" };
    let bar = ReadingBar::new(&format!("{name} {}", image.display()));
    let mut progress = |done, of| bar.set(done, of);
    match packing {
        Packing::Raw => in_place(image, &mut progress),
        Packing::Xz => stage(image, scratch, &mut progress),
    }
}

fn confirm(named: &[Named]) -> Result<(), Wrong> {
    let (stdin, mut stderr) = (io::stdin(), io::stderr());
    if !stdin.is_terminal() {
        return Err(Wrong::NotConfirmed);
    }
    for device in named {
        let Card { vendor, port, .. } = &device.survey.card;
        let vendor = vendor.as_deref().unwrap_or("");
        eprintln!("  {}  {vendor} {}  in {port}", device.path.display(), device.survey.card.label());
    }
    let _shown = write!(stderr, "Everything on these is lost. Type yes to go on: ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    match stdin.lock().read_line(&mut answer) {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        _ => Err(Wrong::NotConfirmed),
    }
}

/// Ctrl-C stops after the calls under way, so that every card is in a known state and every attempt gets its row.
fn catch_interrupts() -> Result<Arc<std::sync::atomic::AtomicBool>, Wrong> {
    let flag = Arc::new(std::sync::atomic::AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&flag)).map_err(Wrong::Signals)?;
    }
    Ok(flag)
}

fn begin(device: Named, number: AttemptNumber, source: &Path, image: &Arc<Staged>, ledger: Option<&mut Ledger>) -> Result<Bench, Wrong> {
    let armed = describe("-", &source.display().to_string(), image);
    let policy = Policy { loop_devices: true, ..Policy::default() };
    let admitted = admit(&device.survey, Some(&armed), &policy);
    let attempt = Attempt {
        number,
        slot: device.path.display().to_string(),
        model: armed.model.clone(),
        image: Some(armed),
        card: device.survey.card,
    };
    let state = match admitted {
        Err(refusal) => State::Ended { outcome: Outcome::Refused(refusal), effort: Effort::default() },
        Ok(()) => {
            if let Some(ledger) = ledger {
                ledger.append(&Entry::AttemptStarted(Box::new(attempt.clone())))?;
            }
            let gauge = Arc::new(Gauge::default());
            let (shared, image, ours) = (Arc::clone(&gauge), Arc::clone(image), attempt.clone());
            let thread = thread::Builder::new()
                .name(format!("flash/{}", attempt.card.kernel_name))
                .spawn(move || flash(&ours, image, shared))
                .map_err(|error| Wrong::Thread(device.path.clone(), error))?;
            State::Busy { gauge, thread, step: Step::Writing, step_began: Instant::now() }
        }
    };
    Ok(Bench { path: device.path, attempt, state })
}

impl Bench {
    fn cancel(&self) {
        if let State::Busy { gauge, .. } = &self.state {
            gauge.cancel();
        }
    }

    fn look(&mut self) {
        let State::Busy { gauge, thread, step, step_began } = &mut self.state else { return };
        let now = gauge.progress().0;
        if now != *step {
            (*step, *step_began) = (now, Instant::now());
        }
        if !thread.is_finished() {
            return;
        }
        let ended = State::Ended { outcome: Outcome::Interrupted, effort: gauge.effort() };
        let State::Busy { thread, .. } = std::mem::replace(&mut self.state, ended) else { return };
        if let (State::Ended { outcome, .. }, Ok(end)) = (&mut self.state, thread.join()) {
            *outcome = outcome_of(end, false);
        }
    }

    fn view(&self) -> SlotView {
        let (sign, progress) = match &self.state {
            State::Busy { gauge, step, step_began, .. } => {
                let (_, done, of) = gauge.progress();
                (Sign::of_step(*step), Some(Progress::new(done, of, step_began.elapsed())))
            }
            State::Ended { outcome, .. } => (Sign::of_outcome(outcome), None),
        };
        let card = Some(self.attempt.card.label());
        SlotView { slot: self.attempt.slot.clone(), model: String::new(), call: sign.call(), sign, card, attempt: None, progress }
    }
}

/// What is printed of a device.
struct Report<'a> {
    device: &'a Path,
    outcome: &'a Outcome,
    effort: &'a Effort,
    span: Bytes,
    recorded: bool,
}

impl Report<'_> {
    /// PASS is a word for a recorded proof.
    fn outcome(&self) -> &'static str {
        match self.outcome {
            Outcome::Passed(_) if !self.recorded => "verified",
            other => other.word(),
        }
    }

    fn json(&self) -> serde_json::Value {
        let digest = match self.outcome {
            Outcome::Passed(proof) => Some(proof.digest().to_string()),
            _ => None,
        };
        serde_json::json!({
            "device": self.device,
            "outcome": self.outcome(),
            "reason_code": self.outcome.code(),
            "reason": self.outcome.reason(),
            "failed_at": self.outcome.at().map(|at| at.0),
            "span": self.span.0,
            "seconds": seconds(self.effort.total),
            "writing_seconds": seconds(self.effort.writing),
            "reading_back_seconds": seconds(self.effort.reading),
            "slowest_call_seconds": seconds(self.effort.slowest_call),
            "bytes_written": self.effort.written.0,
            "bytes_read_back": self.effort.read.0,
            "digest": digest,
        })
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.outcome {
            Outcome::Passed(_) if self.recorded => "PASS",
            Outcome::Passed(_) => "VERIFIED",
            other => Sign::of_outcome(other).word(),
        };
        write!(f, "{}  {word}", self.device.display())?;
        match self.outcome {
            Outcome::Passed(proof) => write!(
                f,
                "  {:.1} s (writing {:.1}, reading back {:.1})  {}",
                seconds(self.effort.total),
                seconds(self.effort.writing),
                seconds(self.effort.reading),
                proof.digest()
            ),
            other => other.reason().map_or(Ok(()), |reason| write!(f, "  {reason}")),
        }
    }
}
