//! `flashline support`: one archive for whoever helps with this station. It is made from a list of what goes in, and each text is one of
//! the program's own or known to be harmless: so no secret can be in it. Nothing is sent, and nothing comes from the network.

mod archive;
mod configuration;
mod contents;
mod context;
mod devices;
mod disguise;
mod flash_log;
mod journal;
mod own_words;
mod pc;
mod source;
mod status;
mod units;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{ConfigArg, GOOD, NOT_GOOD, USAGE_OR_STATION, complain, say};
use crate::device::patience::within;
use archive::{ArchiveError, Member};
use contents::{NEVER, PARTS, Part};
use context::{Context, Made, Wishes};
use source::Source;

/// How long one file of the archive may take: longer than `flashline check` with its images.
const LIMIT: Duration = Duration::from_secs(200);
/// The directory in the archive.
const DIRECTORY: &str = "flashline-support";
/// The page that explains the others.
const PAGE: &str = "README.txt";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Archive to create [default: flashline-support-DATE-TIME.tar.gz in this directory]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print what goes into an archive and what never does, and make none
    #[arg(long)]
    list: bool,
    /// Leave the serials of cards and devices as they are
    #[arg(long)]
    serials: bool,
    /// Add the name of this PC
    #[arg(long)]
    host_name: bool,
    /// The most lines of the journal
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    lines: u32,
}

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
enum SupportError {
    #[error("reading the file of this program, or a random number of the kernel")]
    Program(#[source] io::Error),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// Exit code 1 if something could not be found out; the archive is made all the same.
pub(super) fn run(args: &Args) -> u8 {
    if args.list {
        list().iter().for_each(say);
        return GOOD;
    }
    let wishes = Wishes { serials: args.serials, host_name: args.host_name, lines: args.lines };
    let now = crate::zone::now();
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(now.strftime("flashline-support-%Y%m%d-%H%M%S.tar.gz").to_string()));
    match make(Source::here(), args.config.path(), wishes, &out) {
        Ok(unread) => {
            unread.iter().for_each(|line| say(format_args!("! {line}")));
            say(format_args!("{}: look into it before you send it: tar -xzf {}", out.display(), out.display()));
            if unread.is_empty() { GOOD } else { NOT_GOOD }
        }
        Err(error) => {
            complain(&error);
            USAGE_OR_STATION
        }
    }
}

fn list() -> Vec<String> {
    let width = PARTS.iter().map(|part| part.name.len()).max().unwrap_or(0);
    let mut lines: Vec<String> = PARTS.iter().map(|part| format!("{:width$}  {}", part.name, part.what)).collect();
    lines.push(format!("{PAGE:width$}  this list, and what could not be found out"));
    lines.extend([String::new(), NEVER.to_owned()]);
    lines
}

/// Makes the archive. Answers what could not be found out.
fn make(source: Source, config: &Path, wishes: Wishes, out: &Path) -> Result<Vec<String>, SupportError> {
    let context = Arc::new(Context::new(source, config, wishes).map_err(SupportError::Program)?);
    let mut members = Vec::new();
    let mut unread = Vec::new();
    for part in &PARTS {
        let made = in_time(part, &context, LIMIT);
        unread.extend(made.unread.iter().map(|line| format!("{}: {line}", part.name)));
        members.push(Member { name: part.name.to_owned(), contents: made.contents.into_bytes() });
    }
    let page = [list(), vec![String::new(), "Could not be found out:".to_owned()], unread.clone()].concat().join("\n");
    members.insert(0, Member { name: PAGE.to_owned(), contents: (page + "\n").into_bytes() });
    let seconds = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
    archive::write(out, DIRECTORY, seconds, &members)?;
    Ok(unread)
}

/// A file of the archive; without its contents if they take too long, or a bug ends its thread. A disk that hangs holds up only that one.
fn in_time(part: &Part, context: &Arc<Context>, limit: Duration) -> Made {
    let (make, shared) = (part.make, Arc::clone(context));
    let made = within(limit, &format!("support/{}", part.name), move || make(&shared));
    made.unwrap_or_else(|error| Made { contents: String::new(), unread: vec![error.to_string()] })
}

#[cfg(test)]
mod tests;
