//! The engine's benchmark: `flashline flash` and the tools it replaces, side by side on the same image and the same loop devices,
//! which a block cgroup makes as slow as cards.
//!
//! | module | owns |
//! | --- | --- |
//! | `measures` | what is measured, and its bars |
//! | `cards` | loop devices, their speeds, and their removal |
//! | `images` | the images that are written |
//! | `programs` | running ours and theirs: seconds, CPU, memory |
//! | `plain` | a writer and reader that only moves bytes: the limit of the loop devices |

mod cards;
#[path = "../figures.rs"]
mod figures;
mod images;
mod measures;
mod plain;
mod programs;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;

/// An error, in words.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Measures the flash engine beside the tools it replaces.
#[derive(Debug, Parser)]
struct Cli {
    /// Only figures whose name begins so
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Write the figures to this file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The argument that `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the plain writer and reader: image, device
    #[arg(long, hide = true, num_args = 2)]
    plain: Option<Vec<PathBuf>>,
    /// Stage an image: source, store
    #[arg(long, hide = true, num_args = 2)]
    stage: Option<Vec<PathBuf>>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match (&cli.plain, &cli.stage) {
        (Some(paths), _) => plain::run(&paths[0], &paths[1]),
        (_, Some(paths)) => flashline::image::stage::stage(&paths[0], &paths[1], &mut |_, _| ()).map(drop).map_err(Into::into),
        _ => bench(&cli),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(cli: &Cli) -> Result<()> {
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stopped))?;
    }
    let (figures, trouble) = measures::all(&cli.only, &stopped)?;
    figures::print(&figures);
    if let Some(path) = &cli.json {
        figures::write_json(path, &figures).map_err(|error| format!("writing {}: {error}", path.display()))?;
    }
    if trouble.is_empty() { Ok(()) } else { Err(format!("not measured: {}", trouble.join("; ")).into()) }
}

/// Ends the benchmark through an error, so that everything made is removed.
fn go_on(stopped: &AtomicBool) -> Result<()> {
    if stopped.load(Ordering::Relaxed) { Err("stopped; what was made is gone again".into()) } else { Ok(()) }
}
