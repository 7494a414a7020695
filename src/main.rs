//! The `flashline` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    flashline::cli::main()
}
