//! The program `flashline-fetch`.

fn main() -> std::process::ExitCode {
    flashline_fetch::main()
}
