//! `flashline log export`: makes a consistent copy of the flash log, to keep or to read elsewhere with `--file`.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::archived::{self, WithArchives};
use super::{GOOD, LogCommandError, LogSource, NOT_GOOD};

/// Options of `flashline log export`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// File to create for the copy
    #[arg(value_name = "FILE")]
    pub(super) copy: PathBuf,
    #[command(flatten)]
    pub(super) archives: WithArchives,
    #[command(flatten)]
    pub(super) place: LogSource,
}

pub(super) fn run(args: &Args, path: &Path, out: &mut impl Write) -> Result<u8, LogCommandError> {
    let whole = args.archives.open(path)?;
    if let Some(note) = archived::note(whole.log(), &whole.log().archives()?)? {
        super::super::output::remark(note);
    }
    let (line, code) = match whole.log().export(&args.copy)? {
        Ok(head) => (head.to_string(), GOOD),
        Err(broken) => (format!("{}: {broken}; keep the file as evidence", args.copy.display()), NOT_GOOD),
    };
    writeln!(out, "{line}").map_err(LogCommandError::Output).map(|()| code)
}
