//! Runs seeded histories until so many steps are done or a promise is broken. `hardware-tests/simulate` builds and runs it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use flashline_simulation::{History, Report, Violation, replay, run, shrink};

/// The steps of one history: long enough for a dozen cards in each slot, and for a few restarts.
const STEPS_OF_A_SEED: u64 = 4000;

/// The steps without `--steps`: about a minute.
const STEPS: u64 = 50_000_000;

struct Arguments {
    steps: u64,
    seed: u64,
    threads: u64,
    replay: Option<String>,
}

/// Reads the arguments of the script.
fn arguments() -> Result<Arguments, String> {
    let mut read = Arguments { steps: STEPS, seed: 1, threads: 1, replay: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = || value.replace('_', "").parse::<u64>().map_err(|error| format!("{word} {value}: {error}"));
        match word.as_str() {
            "--steps" => read.steps = number()?,
            "--seed" => read.seed = number()?,
            "--threads" => read.threads = number()?.max(1),
            "--replay" => read.replay = Some(value),
            _ => return Err(format!("unknown argument {word}: there are --steps N, --seed S, --threads T and --replay FILE|SEED")),
        }
    }
    Ok(read)
}

fn main() -> ExitCode {
    // A panic of the station is reported with its history.
    std::panic::set_hook(Box::new(|_| {}));
    let done = arguments().and_then(|arguments| match &arguments.replay {
        Some(of) => again(of),
        None => many(&arguments),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("simulate: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs one history again and prints it in words.
fn again(of: &str) -> Result<bool, String> {
    let report = match of.parse::<u64>() {
        Ok(seed) => run(seed, STEPS_OF_A_SEED, None, true),
        Err(_) => {
            let text = std::fs::read_to_string(of).map_err(|error| format!("reading the history {of}: {error}"))?;
            let history = text.parse::<History>().map_err(|error| format!("{of}: {error}"))?;
            replay(&history, None, true)
        }
    };
    report.words.iter().for_each(|line| println!("{line}"));
    println!("{} steps, {} s of the factory", report.steps, report.time / 1000);
    Ok(report.violation.is_none())
}

/// Runs seeds one after the other until enough steps are done.
fn many(arguments: &Arguments) -> Result<bool, String> {
    let (next, steps) = (AtomicU64::new(arguments.seed), AtomicU64::new(0));
    let time = AtomicU64::new(0);
    let failed: Mutex<Option<(Report, Violation)>> = Mutex::new(None);
    let counts: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());
    let began = Instant::now();
    let work = || {
        while steps.load(Ordering::Relaxed) < arguments.steps && failed.lock().is_ok_and(|failed| failed.is_none()) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let report = run(seed, STEPS_OF_A_SEED, None, false);
            steps.fetch_add(report.steps, Ordering::Relaxed);
            time.fetch_add(report.time, Ordering::Relaxed);
            if let Ok(mut counts) = counts.lock() {
                report.counts.iter().for_each(|(what, count)| *counts.entry(what).or_insert(0) += count);
            }
            if let Some(violation) = report.violation.clone()
                && let Ok(mut failed) = failed.lock()
            {
                failed.get_or_insert((report, violation));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(work);
        }
    });
    let (done, elapsed) = (steps.load(Ordering::Relaxed), began.elapsed());
    let rate = u128::from(done) * 1000 / elapsed.as_millis().max(1);
    let last = next.load(Ordering::Relaxed) - 1;
    println!(
        "seeds {} to {last}: {done} steps in {:.1} s, {rate} a second on {} threads; {} days of the factory",
        arguments.seed,
        elapsed.as_secs_f64(),
        arguments.threads,
        time.load(Ordering::Relaxed) / 86_400_000,
    );
    let counts = counts.into_inner().unwrap_or_default();
    println!("{}", counts.iter().map(|(what, count)| format!("{what}: {count}")).collect::<Vec<_>>().join(", "));
    let Some((report, violation)) = failed.into_inner().unwrap_or_default() else {
        println!("no promise was broken");
        return Ok(true);
    };
    tell(&report, &violation)?;
    Ok(false)
}

/// Prints what was broken, and a short history of it.
fn tell(report: &Report, violation: &Violation) -> Result<(), String> {
    let seed = report.history.seed;
    println!("\nBROKEN in seed {seed}, a history of {} events:\n{violation}", report.history.actions.len());
    let short = shrink(&report.history, violation.property, None);
    let again = replay(&short.history, None, true);
    println!("\nA history of {} events ({} replays):", short.history.actions.len(), short.replays);
    again.words.iter().for_each(|line| println!("{line}"));
    let directory = Path::new("target/simulate");
    std::fs::create_dir_all(directory).map_err(|error| format!("making {}: {error}", directory.display()))?;
    let path = directory.join(format!("{seed}.history"));
    std::fs::write(&path, short.history.to_string()).map_err(|error| format!("writing {}: {error}", path.display()))?;
    println!(
        "\nTo see it again:\n    hardware-tests/simulate --replay {}\n    hardware-tests/simulate --replay {seed}    # all of it",
        path.display()
    );
    Ok(())
}
