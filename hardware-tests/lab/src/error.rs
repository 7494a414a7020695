//! Errors between a scenario and the emulated PC, and the one place where they become a panic.
//!
//! The users of this crate are tests, so its verbs panic with a full sentence; everything below them returns [`Error`].

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

/// A verb that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host's own file or process.
    #[error("{doing}")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// The monitor of QEMU rejected a command.
    #[error("QEMU refused {command}: {answer}")]
    Refused {
        /// The command that was sent to the monitor.
        command: String,
        /// The error text of QEMU.
        answer: String,
    },
    /// QEMU is not there any more.
    #[error("QEMU has ended while {doing}")]
    Ended {
        /// What was being done.
        doing: String,
    },
    /// Something did not happen in time.
    #[error("{what}: not within {} ms{}", after.as_millis(), seen_instead(seen))]
    Late {
        /// The event that was waited for.
        what: String,
        /// How long it was waited for.
        after: Duration,
        /// What was seen instead.
        seen: String,
    },
    /// A script in the guest ended with another status than it should.
    #[error("status {status} of {script:?} in the emulated PC\n{output}")]
    Script {
        /// The script that failed in the guest.
        script: String,
        /// Its exit status, or 128 + signal.
        status: u32,
        /// All that the script printed, standard error included.
        output: String,
    },
    /// The agent in the guest started anew, so the job's end will never be reported.
    #[error("the agent in the emulated PC was restarted, and {script:?} with it\n{output}")]
    Lost {
        /// The script of the job that was lost.
        script: String,
        /// What it had printed.
        output: String,
    },
    /// A scenario needs a feature that this machine lacks.
    #[error("{0}")]
    Impossible(String),
}

fn seen_instead(seen: &str) -> String {
    if seen.is_empty() { String::new() } else { format!("; seen so far:\n{seen}") }
}

impl Error {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

/// Every fallible step below the verbs.
pub type Result<T> = std::result::Result<T, Error>;

/// Ends the test at the caller's line, with the whole chain of causes.
pub(crate) trait OrPanic<T> {
    fn or_panic(self) -> T;
}

impl<T> OrPanic<T> for Result<T> {
    #[track_caller]
    fn or_panic(self) -> T {
        match self {
            Ok(value) => value,
            Err(error) => {
                let mut text = error.to_string();
                let mut cause = error.source();
                while let Some(error) = cause {
                    let _ = write!(text, ": {error}");
                    cause = error.source();
                }
                panic!("{text}");
            }
        }
    }
}
