//! Asks a person before something is erased, and lets a person stop what is under way.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The exit code that a shell reports for a program ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Asks on standard error, and returns whether the answer on standard input is `yes`.
pub(in crate::cli) fn asked(question: &str) -> bool {
    let (stdin, mut stderr) = (io::stdin(), io::stderr());
    let _shown = write!(stderr, "{question}").and_then(|()| stderr.flush());
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).is_ok() && answer.trim() == "yes"
}

/// Ctrl-C stops after the calls under way, so that every card is in a known state. A second one ends at once: a card that hangs must not
/// hold the program.
///
/// # Errors
/// If the signals cannot be caught.
pub(in crate::cli) fn catch_interrupts() -> io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}
