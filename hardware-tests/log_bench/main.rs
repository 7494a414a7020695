//! The benchmark of the flash log: a log of years of work, made through the ledger's own append, and typical queries of it.
//!
//! | module | owns |
//! | --- | --- |
//! | `work` | the attempts of a busy factory |
//! | `measures` | what is measured, and its bars |

#[path = "../figures.rs"]
mod figures;
mod measures;
mod work;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Parser;
use flashline::ledger::Ledger;
use nix::sys::statvfs::statvfs;

/// An error, in words.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The bytes of an event on disk with its part of every index, rounded up, and of its `-wal`.
const BYTES_PER_EVENT: u64 = 2000;

/// Events of one commit: a batch is on disk as a whole.
const BATCH: u64 = 20_000;

/// Measures the flash log.
#[derive(Debug, Parser)]
struct Cli {
    /// How many events the log gets
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    events: u64,
    /// Write the figures to this file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The argument that `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match bench(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("log-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(cli: &Cli) -> Result<()> {
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stopped))?;
    }
    if cli.events < 2 * work::DAYS {
        return Err(format!("--events {}: at least {} are needed, an attempt a day", cli.events, 2 * work::DAYS).into());
    }
    let place = std::env::var_os("FLASHLINE_LOG_BENCH").map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let needed = cli.events * BYTES_PER_EVENT;
    let disk = statvfs(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    let free = disk.blocks_available() * disk.fragment_size();
    println!("{} events take {} in {}, of {} free", cli.events, gigabytes(needed), place.display(), gigabytes(free));
    if needed > free {
        return Err("there is not that much room: ask for fewer --events, or name another directory in FLASHLINE_LOG_BENCH".into());
    }
    // Removed with its contents, however the benchmark ends.
    let directory = tempfile::Builder::new().prefix("log-bench-").tempdir_in(&place)?;
    let path = directory.path().join("flash-log.db");
    let made = make(&path, cli.events / 2, &stopped)?;
    let figures = measures::all(&path, &made)?;
    figures::print(&figures);
    if let Some(path) = &cli.json {
        figures::write_json(path, &figures).map_err(|error| format!("writing {}: {error}", path.display()))?;
    }
    Ok(())
}

fn gigabytes(bytes: u64) -> String {
    format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10)
}

/// A finished log.
struct Made {
    /// The number of attempts in it.
    attempts: u64,
    /// How long making it took, for the estimate of the next one.
    seconds: f64,
}

fn make(path: &Path, attempts: u64, stopped: &AtomicBool) -> Result<Made> {
    let began = Instant::now();
    let mut ledger = Ledger::open(path, "bench")?;
    let mut number = 0;
    while number < attempts {
        let last = attempts.min(number + BATCH / 2);
        let entries: Vec<_> = (number..last).flat_map(|number| work::attempt(number, attempts)).collect();
        ledger.append_all(&entries.iter().map(|(stamp, entry)| (stamp, entry)).collect::<Vec<_>>())?;
        number = last;
        if stopped.load(Ordering::Relaxed) {
            return Err("stopped; what was made is gone again".into());
        }
        if number % 100_000 == 0 || number == attempts {
            println!("{} of {} events after {:.0} s", number * 2, attempts * 2, began.elapsed().as_secs_f64());
        }
    }
    Ok(Made { attempts, seconds: began.elapsed().as_secs_f64() })
}
