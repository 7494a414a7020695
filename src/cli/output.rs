//! Prints the output of commands, and sets the exit code if it cannot be written.

use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::Value;

use super::{USAGE_OR_STATION, complain};
use crate::report::{harmless_json, harmless_lines};

/// Why some output was not written.
static UNWRITTEN: OnceLock<io::Error> = OnceLock::new();

/// Prints lines on standard output. A closed pipe is not an error: the exit code stays the same. A full disk is an error, which [`code`]
/// reports.
pub(crate) fn say(text: impl Display) {
    match writeln!(io::stdout().lock(), "{}", harmless_lines(&text.to_string())) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => _ = UNWRITTEN.set(error),
        _ => {}
    }
}

/// One JSON object in a line.
pub(crate) fn say_json(object: &Value) {
    say(harmless_json(object.to_string()));
}

/// Writes to standard error; the text may contain the name of a file or a card. If it cannot be written, the error cannot be reported
/// either.
pub(crate) fn remark(words: impl Display) {
    let _unwritten = writeln!(io::stderr().lock(), "flashline: {}", harmless_lines(&words.to_string()));
}

/// The same for a station, which must not start or end late because standard error is a pipe without a reader, or a stream of a journal
/// that hangs: after one second without room for a line, the text is dropped.
pub(crate) fn remark_if_taken(words: impl Display) {
    let stderr = io::stderr();
    let mut ready = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    // `POLLOUT` means room for at least PIPE_BUF, which is longer than any line of ours (pipe(7)); a file is always ready.
    if poll(&mut ready, PollTimeout::from(1000_u16)).is_ok_and(|count| count > 0) {
        remark(words);
    }
}

/// The exit code of a command that ended with this one, if all its output was written.
pub(super) fn code(of_command: u8) -> u8 {
    match UNWRITTEN.get() {
        Some(error) => {
            complain(&Unwritten(error));
            USAGE_OR_STATION
        }
        None => of_command,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("writing to standard output, of which something is missing now")]
struct Unwritten(#[source] &'static io::Error);
