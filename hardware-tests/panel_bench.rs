//! The benchmark of views: 32 slots that change ten times a second, a panel that draws them, and a client that asks to watch and never
//! reads.

mod figures;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use clap::Parser;
use figures::{Bar, Figure, median};
use flashline::control::access::Rights;
use flashline::control::client::Client;
use flashline::control::server::Server;
use flashline::station::request::Who;
use flashline::station::sign::Sign;
use flashline::station::units::Bytes;
use flashline::station::view::{Progress, SlotView, View};
use tokio::sync::{mpsc, watch};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SLOTS: u64 = 32;
const CHANGES: Duration = Duration::from_millis(100);
/// The duration of one run; the median of several counts.
const RUN: Duration = Duration::from_secs(10);
const RUNS: usize = 5;
/// Ticks of `/proc/PID/stat` in a second (proc(5)): Linux has one number for all PCs.
const TICKS: f64 = 100.0;

/// Measures the panel and the socket.
#[derive(Debug, Parser)]
struct Cli {
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
            eprintln!("panel-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(cli: &Cli) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let socket = directory.path().join("control.sock");
    let (show, view) = watch::channel(view_at(0));
    let (ask, _asked) = mpsc::channel(1);
    let server = Server::start(&socket, view, ask, |uid, _gid| (Who { uid, name: "bench".to_owned() }, Rights::Look))?;
    let mut script = panel(&socket)?;
    let panel = find(&socket).ok_or("the panel did not start")?;
    let control = thread_named("control").ok_or("the socket has no thread")?;
    let mut deaf = Client::connect(&socket)?;
    deaf.watch()?;

    let (mut of_panel, mut of_socket) = (Vec::new(), Vec::new());
    let resident = resident()?;
    let mut change = 0;
    for _ in 0..RUNS {
        let (began, before) = (Instant::now(), (ticks(&panel)?, ticks(&control)?));
        while began.elapsed() < RUN {
            change += 1;
            show.send_replace(view_at(change));
            thread::sleep(CHANGES);
        }
        let percent = |before: f64, now: f64| (now - before) / TICKS / began.elapsed().as_secs_f64() * 100.0;
        of_panel.push(percent(before.0, ticks(&panel)?));
        of_socket.push(percent(before.1, ticks(&control)?));
    }
    let grown = self::resident()? - resident;
    // The data that was on its way when it was dropped is still read, then nothing.
    let mut read = 0_u32;
    while deaf.next_status().is_ok() {
        read += 1;
    }
    script.kill()?;
    script.wait()?;
    server.stop();

    let figures = [
        Figure {
            name: "panel_percent",
            value: median(of_panel),
            unit: "% of core",
            bar: Some(Bar::AtMost(3.0)),
            of: format!("flashline console, {SLOTS} slots changing ten times a second, on 160 by 50"),
        },
        Figure {
            name: "socket_percent",
            value: median(of_socket),
            unit: "% of core",
            bar: Some(Bar::AtMost(1.0)),
            of: "the daemon's thread that serves it".to_owned(),
        },
        Figure {
            name: "grown_kib",
            value: grown,
            unit: "KiB",
            bar: Some(Bar::AtMost(1024.0)),
            of: format!("the daemon's memory, with a client that never reads; it was dropped after {read} changes of {change}"),
        },
    ];
    figures::print(&figures);
    if let Some(path) = &cli.json {
        figures::write_json(path, &figures)?;
    }
    Ok(())
}

/// All slots busy, and each a little further than before.
fn view_at(change: u64) -> View {
    let slot = |number: u64| {
        let done = Bytes((change * 4_000_000 + number * 31_000_000) % 4_000_000_000);
        let progress = Progress::new(done, Bytes(4_000_000_000), Duration::from_secs(1 + change / 10));
        SlotView {
            slot: format!("A{}", number + 1),
            model: "acme/my-pi3".into(),
            card: Some("SanDisk Ultra 15.9 GB".into()),
            attempt: Some(number),
            progress: Some(progress),
            ..SlotView::of(Sign::Writing)
        }
    };
    View { station: "bench".into(), slots: (0..SLOTS).map(slot).collect(), ..View::default() }
}

/// The panel on a terminal that accepts all its output.
fn panel(socket: &Path) -> Result<Child> {
    let command =
        format!("stty rows 50 cols 160; exec {} console --language en --socket {}", env!("CARGO_BIN_EXE_flashline"), socket.display());
    let script = Command::new("script")
        .args(["--quiet", "--command", &command, "/dev/null"])
        .env("TERM", "xterm-256color")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    thread::sleep(Duration::from_secs(3));
    Ok(script)
}

/// The process of the panel, found by the socket in its arguments.
fn find(socket: &Path) -> Option<PathBuf> {
    let name = format!("\0{}", socket.display());
    let processes = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    processes
        .filter(|process| fs::read_to_string(process.join("comm")).is_ok_and(|comm| comm.trim() == "flashline"))
        .find(|process| fs::read_to_string(process.join("cmdline")).is_ok_and(|line| line.contains(&name)))
}

fn thread_named(name: &str) -> Option<PathBuf> {
    let threads = fs::read_dir("/proc/self/task").ok()?.flatten().map(|entry| entry.path());
    threads.into_iter().find(|thread| fs::read_to_string(thread.join("comm")).is_ok_and(|comm| comm.trim() == name))
}

/// The CPU time of a process or thread, in ticks: user and system (proc(5), fields 14 and 15).
fn ticks(of: &Path) -> Result<f64> {
    let stat = fs::read_to_string(of.join("stat"))?;
    let (_, after) = stat.rsplit_once(')').ok_or("a stat without a name")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let used: Vec<f64> =
        fields.get(11..13).ok_or("a short stat")?.iter().map(|field| field.parse()).collect::<std::result::Result<_, _>>()?;
    Ok(used.iter().sum())
}

/// This process's memory in KiB.
fn resident() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}
