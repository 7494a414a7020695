//! `flashline flash`: writes cards on a rework bench, without a station. The rules about slots, arming and cards present at start do not
//! apply. Every other rule does, and no option overrides one.

mod bench;
mod device;
mod report;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::confirm::catch_interrupts;
use super::events::Events;
use super::output::remark;
use super::prepare_image::prepare;
use super::{GOOD, NOT_GOOD, USAGE_OR_STATION, complain, say};
use crate::config::{ConfigError, DEFAULT_PATH};
use crate::daemon::arming::describe;
use crate::file::directory_of;
use crate::image::ImageError;
use crate::image::inspect::disk;
use crate::ledger::medium::volatile;
use crate::ledger::{Ledger, LogError};
use crate::panel::Screen;
use crate::panel::terminal::Terminal;
use crate::prover::prove;
use crate::report::harmless_json;
use crate::station::armed::{Contents, Zeroes};
use crate::station::labels::{self, Labels};
use crate::station::prover::{MissedFault, ProverObstacle, ProverVerdict, ProvingTime, VerifierProof};
use crate::station::record::Entry;
use crate::station::view::View;
use bench::Bench;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The image: raw, .xz, .gz, .zst, .bz2 or .zip
    image: PathBuf,
    /// Whole disks to erase, as /dev/sdb
    #[arg(required = true)]
    devices: Vec<PathBuf>,
    /// Do not ask before erasing
    #[arg(long)]
    yes: bool,
    /// Print one JSON object per device
    #[arg(long)]
    json: bool,
    /// Record the attempts in this flash log. Only a recorded card is PASS; without a log the word is VERIFIED
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// How zeroes of the image are handled. "prove": write them only if the card does not hold zeroes there. "write": always write them.
    /// "skip": neither write nor read them; the word is VERIFIED (MAPPED ONLY)
    #[arg(long, value_enum, default_value_t = ZeroesArg::Prove)]
    zeroes: ZeroesArg,
    /// What the image must be. "disk": a whole partition table or one file system. "any": other data too, with a warning
    #[arg(long, value_enum, default_value_t = ContentsArg::Disk)]
    contents: ContentsArg,
    /// Whether to "refuse" or "erase" a device that bears the mark of a RAID, LVM, ZFS or bcache that does not run here [default:
    /// `[policy] marks` of the configuration, else refuse]
    #[arg(long, value_enum)]
    marks: Option<MarksArg>,
    /// Work order to record in the rows
    #[arg(long, value_name = "TEXT", requires = "log", value_parser = labels::plain)]
    work_order: Option<String>,
    /// Operator's name to record in the rows
    #[arg(long, value_name = "NAME", requires = "log", value_parser = labels::plain)]
    operator: Option<String>,
    /// Lot of the blank cards to record in the rows
    #[arg(long, value_name = "TEXT", requires = "log", value_parser = labels::plain)]
    lot: Option<String>,
    /// Configuration of the station on this PC, if there is one: its own disks and its state are never erased
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ZeroesArg {
    Prove,
    Write,
    Skip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ContentsArg {
    Disk,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum MarksArg {
    Refuse,
    Erase,
}

/// Interval at which bars are updated and ended threads are joined.
const LOOK: Duration = Duration::from_millis(5);

/// Why nothing was begun, or why the log was not kept.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error("{0} is not a block device: name a whole disk, as /dev/sdb")]
    NotADevice(PathBuf),
    #[error("there is no {}: is the card in, and its reader plugged in? `lsblk` lists the disks of this PC", .0.display())]
    NotThere(PathBuf),
    #[error("{0} holds no medium, or udev has not looked at it yet, or this kernel gives no disk sequence number (Linux 5.15 does)")]
    NoMedium(PathBuf),
    #[error("{0} is named twice")]
    Twice(PathBuf),
    #[error("{} is a loop device on {}, which it would write over: name another device", device.display(), file.display())]
    OnItself { device: PathBuf, file: PathBuf },
    #[error("reading this PC's mounts: without them nothing is erased")]
    Tables(#[source] procfs::ProcError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(
        "nothing was erased: {}. Test the memory of this PC, and install another version of flashline", .0.what()
    )]
    Verifier(MissedFault),
    #[error("nothing was erased, because the verifier could not be proven: in the directory for temporary files (TMPDIR), {}", .0.why())]
    Unproven(ProverObstacle),
    #[error("the directory for temporary files (TMPDIR), in which the verifier is proven")]
    Temporary(#[source] io::Error),
    #[error("nothing was erased: it was interrupted while the verifier was proven")]
    Interrupted,
    #[error("nothing was erased: say --yes to erase without being asked")]
    NotConfirmed,
    #[error("catching Ctrl-C")]
    Signals(#[source] io::Error),
}

pub(super) fn run(args: &Args) -> u8 {
    let events = Events::start();
    let result = flash_all(args);
    events.flush();
    result.unwrap_or_else(|error| {
        complain(&error);
        USAGE_OR_STATION
    })
}

fn flash_all(args: &Args) -> Result<u8, Wrong> {
    let guard = device::Guard::read(&args.config, args.marks.map(|marks| marks == MarksArg::Erase))?;
    let named = device::name(&args.devices, &guard)?;
    let files: Vec<&Path> = [Some(&args.image), args.log.as_ref()].into_iter().flatten().map(PathBuf::as_path).collect();
    device::lies_on_none_of(&named, &files)?;
    let image = Arc::new(prepare(&args.image)?);
    let contents = match args.contents {
        ContentsArg::Disk => Contents::Disk,
        ContentsArg::Any => Contents::Any,
    };
    let mut warnings: Vec<String> =
        disk::look(&image, contents)?.iter().map(|why| format!("the image {}: {why}", args.image.display())).collect();
    warnings.extend(args.log.as_deref().and_then(volatile_log));
    if args.yes {
        warnings.iter().for_each(|warning| remark(format!("warning: {warning}")));
    } else {
        device::confirm(&named, &warnings)?;
    }
    let zeroes = match args.zeroes {
        ZeroesArg::Prove => Zeroes::Prove,
        ZeroesArg::Write => Zeroes::Write,
        ZeroesArg::Skip => Zeroes::Skip,
    };
    let armed = describe("-", &args.image.display().to_string(), &image, zeroes);
    let mut ledger = args.log.as_deref().map(|path| Ledger::open(path, "bench")).transpose()?;
    // Before the verifier is proven, or its file would be left in the directory for temporary files.
    let interrupted = catch_interrupts().map_err(Wrong::Signals)?;
    let tried = proven_verifier();
    if let Some(ledger) = &mut ledger {
        let time = ProvingTime::Start;
        match &tried {
            Ok(proof) => drop(ledger.append(&Entry::VerifierProven { time, proof: *proof })?),
            Err(Wrong::Verifier(missed)) => {
                // It weighs more than a log that cannot be written.
                if let Err(error) = ledger.append(&Entry::VerifierMissed { time, missed: missed.clone() }) {
                    remark(format!("warning: the flash log does not have the fault of the verifier: {error}"));
                }
            }
            Err(_) => {}
        }
    }
    tried?;
    if interrupted.load(Ordering::Relaxed) {
        return Err(Wrong::Interrupted);
    }
    let labels = Labels { work_order: args.work_order.clone(), operator: args.operator.clone(), card_lot: args.lot.clone() };
    let mut bench = Bench::begin(named, &armed, &labels, &image, &guard, ledger)?;
    let mut screen = Terminal::on_stderr();
    let at_terminal = io::stdout().is_terminal();
    while bench.is_busy() {
        if interrupted.load(Ordering::Relaxed) {
            bench.cancel();
        }
        bench.look();
        // A program that reads the output gets the result of a card at once; for a person, the bars are not interrupted.
        if !at_terminal {
            tell(&mut bench, args.json);
        }
        screen.draw(&View { station: args.image.display().to_string(), slots: bench.views(), ..View::default() });
        thread::sleep(LOOK);
    }
    screen.end();
    for device in bench.stuck() {
        eprintln!("flashline: the kernel still holds {}: the command returns when it lets go of it", device.display());
    }
    tell(&mut bench, args.json);
    // The devices were claimed until now; when this program ends, other programs can use them.
    bench.look_at_proven();
    tell(&mut bench, args.json);
    let code = if bench.is_good() { GOOD } else { NOT_GOOD };
    bench.into_trouble().map_or(Ok(code), |error| Err(error.into()))
}

/// Tries the verifier of this program on planted faults, as a station does at its start.
fn proven_verifier() -> Result<VerifierProof, Wrong> {
    let directory = tempfile::tempdir().map_err(Wrong::Temporary)?;
    match prove(directory.path()) {
        ProverVerdict::Proven(proof) => Ok(proof),
        ProverVerdict::Missed(missed) => Err(Wrong::Verifier(missed)),
        ProverVerdict::Impossible(obstacle) => Err(Wrong::Unproven(obstacle)),
    }
}

/// A row in memory is lost with the power. That may be intended for a file that the user names, so it is only a warning.
fn volatile_log(log: &Path) -> Option<String> {
    match volatile(directory_of(log)) {
        Ok(why) => why.map(|why| format!("the flash log {}: {why}, so every row is lost at the next power cut", log.display())),
        Err(error) => Some(format!("the flash log {}: its disk cannot be determined: {error}", log.display())),
    }
}

/// Prints the results of ended devices that were not printed yet.
///
/// A result that cannot be printed changes no card and no row. The end of the command and its exit code report the failure.
fn tell(bench: &mut Bench, json: bool) {
    for report in bench.news() {
        if json { say(harmless_json(report.json().to_string())) } else { say(report) }
    }
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn a_flash_log_in_memory_is_told_before_anything_is_erased() {
        let memory = tempfile::tempdir_in("/dev/shm").expect("a directory in memory");
        let told = volatile_log(&memory.path().join("bench.db")).expect("it is told");
        assert!(told.contains("bench.db") && told.contains("lost at the next power cut"), "{told}");
        let here = volatile(Path::new(".")).expect("the kernel tells").is_some();
        assert_eq!(volatile_log(Path::new("bench.db")).is_some(), here, "a name alone is a file of this directory");
    }
}
