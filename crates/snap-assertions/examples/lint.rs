//! Prints everything that is wrong with a model, before or after it is signed: `lint FILE`
//!
//! The file is the JSON form that is given to the signing tool, or the assertion. Exit code 1 if a device would refuse it, 2 if it cannot be
//! read.

use std::path::Path;
use std::process::ExitCode;

use snap_assertions::trust::Trust;
use snap_assertions::{check, file};

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("lint: name a model: its JSON form or the assertion");
        return ExitCode::from(2);
    };
    let bytes = match file::read(Path::new(&path)) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("lint: {error}");
            return ExitCode::from(2);
        }
    };
    let checked = check::check(&bytes, &Trust::canonical(), jiff::Timestamp::now());
    println!("{} {}", checked.kind, checked.name.as_deref().unwrap_or("without a name"));
    for problem in &checked.findings.problems {
        println!("  problem: {problem}");
    }
    for warning in &checked.findings.warnings {
        println!("  warning: {warning}");
    }
    if checked.is_accepted() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
