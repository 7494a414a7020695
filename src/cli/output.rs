//! What commands print, and the exit code if it cannot be written.

use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::Value;

use super::{USAGE_OR_STATION, complain};
use crate::report::{harmless_json, harmless_lines};

/// Why something was not written.
static UNWRITTEN: OnceLock<io::Error> = OnceLock::new();

/// Prints lines on standard output. Who does not read on still gets the exit code: a pipe that was closed is no fault. A disk that is full
/// is one, which [`code`] tells.
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

/// The words for standard error, of which a file's name or a card's own words can be a part. Where they cannot be written there is nobody to tell.
pub(crate) fn remark(words: impl Display) {
    let _unwritten = writeln!(io::stderr().lock(), "flashline: {}", harmless_lines(&words.to_string()));
}

/// The same from a station, which must neither start nor end late because standard error is a pipe that nobody reads, or the stream of a
/// journal that hangs: after a second without room for a line the words are left out.
pub(crate) fn remark_if_taken(words: impl Display) {
    let stderr = io::stderr();
    let mut ready = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    // Room for at least PIPE_BUF, which no line of ours reaches (pipe(7)); what is no pipe and no socket is always ready.
    if poll(&mut ready, PollTimeout::from(1000_u16)).is_ok_and(|count| count > 0) {
        remark(words);
    }
}

/// The exit code of a command that ended with this one, if all it had to say was written.
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
