//! The program `flashline`.

use std::process::ExitCode;

fn main() -> ExitCode {
    flashline::cli::main()
}
