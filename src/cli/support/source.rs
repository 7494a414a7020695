//! Where the archive's contents come from: files of this PC, and the answers of a few programs. Tests put others in their places.

use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::watch::sysfs::Sysfs;

/// No file and no answer that is looked at is longer; of a longer one, the beginning is looked at.
const LONGEST: u64 = 32 << 20;
/// Time between two looks at a program that runs.
const BRIEFLY: Duration = Duration::from_millis(20);

/// The answer of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// It ended with exit code 0.
    pub(super) good: bool,
    /// Its standard output.
    pub(super) said: String,
}

/// Runs a program with these arguments, for at most this time.
pub(super) type Run = dyn Fn(&str, &[&str], Duration) -> io::Result<Answer> + Send + Sync;

/// A PC to look at.
pub(super) struct Source {
    pub(super) root: PathBuf,
    pub(super) sysfs: Sysfs,
    pub(super) run: Box<Run>,
}

impl Source {
    /// The PC that this program runs on.
    pub(super) fn here() -> Self {
        Self { root: PathBuf::from("/"), sysfs: Sysfs::default(), run: Box::new(run) }
    }

    /// The place of a file of this PC.
    pub(super) fn place(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The text of a file.
    ///
    /// # Errors
    /// If it cannot be read, or is no text.
    pub(super) fn read(&self, path: impl AsRef<Path>) -> io::Result<String> {
        let file = crate::file::open(&self.place(path.as_ref()))?;
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_other| io::Error::new(io::ErrorKind::InvalidData, "no UTF-8"))
    }
}

/// With an environment of its own: nothing of the caller's reaches the answer.
fn run(program: &str, arguments: &[&str], limit: Duration) -> io::Result<Answer> {
    // A pipe would have to be emptied meanwhile.
    let mut output = tempfile::tempfile()?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(Stdio::null())
        .spawn()?;
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(BRIEFLY);
    };
    output.rewind()?;
    let mut said = Vec::new();
    output.take(LONGEST).read_to_end(&mut said)?;
    Ok(Answer { good: status.success(), said: String::from_utf8_lossy(&said).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn a_program_is_asked_without_the_callers_environment_and_one_that_hangs_is_ended() {
        let answer = run("env", &[], SOON).expect("it runs");
        let mut names: Vec<&str> = answer.said.lines().filter_map(|line| line.split('=').next()).collect();
        names.sort_unstable();
        assert_eq!((answer.good, names), (true, vec!["LC_ALL", "PATH"]));
        assert!(!run("false", &[], SOON).expect("it runs").good);
        assert!(run("no-such-program", &[], SOON).is_err());
        let began = Instant::now();
        let error = run("sleep", &["600"], Duration::from_millis(50)).expect_err("it takes too long");
        assert!(error.kind() == io::ErrorKind::TimedOut && began.elapsed() < SOON, "{error}");
    }
}
