//! Proves every assertion of some files and prints who signed it: `prove [--trust ROOT]... FILE...`
//!
//! The files may hold the accounts and keys of the chain, in any order. Exit code 1 if one assertion is not proven, 2 if a file cannot be
//! read.

use std::path::PathBuf;
use std::process::ExitCode;

use snap_assertions::assertion::Assertion;
use snap_assertions::file;

fn main() -> ExitCode {
    match prove() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("prove: {error}");
            ExitCode::from(2)
        }
    }
}

fn prove() -> Result<bool, Box<dyn std::error::Error>> {
    let (mut roots, mut files) = (Vec::new(), Vec::new());
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--trust" {
            roots.push(PathBuf::from(arguments.next().ok_or("--trust needs a file: the account and account-key of a root")?));
        } else {
            files.push(PathBuf::from(argument));
        }
    }
    if files.is_empty() {
        return Err("name at least one file of assertions".into());
    }
    let mut trust = file::trust(&roots, &[])?;
    let mut assertions = Vec::new();
    for path in &files {
        assertions.extend(Assertion::read_all(&file::read(path)?)?);
    }
    for assertion in &assertions {
        trust.insert(assertion.clone())?;
    }
    let judge = trust.at(jiff::Timestamp::now());
    let mut all = true;
    for assertion in &assertions {
        match judge.prove(assertion) {
            Ok(proof) => println!("{}: signed by {} with key {}", assertion.name(), proof.signer().account, proof.signer().name),
            Err(reasons) => {
                println!("{}: not proven: {}", assertion.name(), reasons.join("; "));
                all = false;
            }
        }
    }
    Ok(all)
}
