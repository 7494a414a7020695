//! `flashline log`: reads the flash log, whether the station runs or not, and verifies it.

mod archive;
mod archived;
mod export;
mod page;
mod rows;
mod serials;
mod show;
mod summary;
mod verify;

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use jiff::Zoned;
use jiff::civil::Time;

use super::{GOOD, NOT_GOOD, request};
use crate::ledger::{ArchiveError, Direction, Filter, LogError, LogReader, WholeLog};
use crate::report::harmless;
use crate::report::summary::Scope;
use crate::report::times::{self, Shifts, TimeError, Window};
use archived::WithArchives;

/// Where a station keeps its flash log.
pub(crate) const DEFAULT: &str = "/var/lib/flashline/flash-log.db";

/// Shows the flash log: one row an attempt, newest last.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// The subcommand; without one, rows are listed
    #[command(subcommand)]
    pub what: Option<LogCommand>,
    #[command(flatten)]
    rows: rows::Args,
}

/// The questions about a flash log besides its rows.
#[derive(Clone, Debug, Subcommand)]
#[expect(private_interfaces, reason = "the arguments of a command are its own file's business")]
pub(crate) enum LogCommand {
    /// List every card by its serial: the image it carries, and whether it was seen before
    Serials(serials::Args),
    /// Count attempts, and mark slots and card types that fail more often than chance explains
    Summary(summary::Args),
    /// Show everything about one attempt
    Show(show::Args),
    /// Write the report of a lot as one page, for a browser and for paper
    Report(page::Args),
    /// Verify that no event was changed, removed, inserted or reordered, and print the log's anchor, COUNT:HASH
    Verify(verify::Args),
    /// Confirm that the running station was meant to begin a new flash log. Until then the station and the panel show NEW FLASH LOG
    Confirm(request::ConfirmLogArgs),
    /// Print the log's anchor, COUNT:HASH, for `log verify --anchor`. Keep it in a place that users who can write the log cannot change
    Anchor(verify::AnchorArgs),
    /// Copy the log as it is now into one new file, verify the copy, and print its anchor, COUNT:HASH
    Export(export::Args),
    /// Move old months of the log of a stopped station into one file a month, and verify each file before anything leaves the log
    Archive(archive::Args),
}

/// Where a flash log is.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct LogSource {
    /// Configuration that tells where the flash log is and when shifts begin
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read this flash log instead of the station's
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

impl Args {
    /// The path of the flash log.
    #[must_use]
    pub(crate) fn place(&self) -> &LogSource {
        match &self.what {
            Some(LogCommand::Verify(args)) => &args.place,
            Some(LogCommand::Anchor(args)) => &args.place,
            Some(LogCommand::Export(args)) => &args.place,
            Some(LogCommand::Archive(args)) => &args.place,
            Some(LogCommand::Show(args)) => &args.place,
            Some(LogCommand::Serials(args)) => &args.scope.place,
            Some(LogCommand::Summary(args)) => &args.scope.place,
            Some(LogCommand::Report(args)) => &args.scope.place,
            // This request goes to the station and reads no file.
            Some(LogCommand::Confirm(_)) | None => &self.rows.scope.place,
        }
    }
}

/// The attempts that a question is about.
#[derive(Clone, Debug, Default, clap::Args)]
struct ScopeArgs {
    /// Only attempts of this model
    #[arg(long, value_name = "BRAND/MODEL")]
    model: Option<String>,
    /// Only attempts since TIME: today, yesterday, shift, last-shift, 90min, 2h or 7d (ago), 14:00, 2026-11-24, "2026-11-24 14:00" (local),
    /// or RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only attempts until TIME, written as for --since; a day or a shift is included to its end
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only attempts in this slot
    #[arg(long, value_name = "SLOT")]
    slot: Option<String>,
    #[command(flatten)]
    archives: WithArchives,
    #[command(flatten)]
    place: LogSource,
}

impl ScopeArgs {
    /// The log at `path`. Says what the answer will lack because it is archived.
    fn open(&self, path: &Path, context: &LogContext) -> Result<WholeLog, LogCommandError> {
        let whole = self.archives.open(path)?;
        let files = archived::of_time(whole.log(), self.scope(context)?.window)?;
        if let Some(note) = archived::note(whole.log(), &files)? {
            super::output::remark(note);
        }
        Ok(whole)
    }

    fn scope(&self, context: &LogContext) -> Result<Scope, TimeError> {
        let window = times::window(self.since.as_deref(), self.until.as_deref(), &context.now, &context.shifts)?;
        Ok(Scope { model: self.model.clone(), slot: self.slot.clone(), window })
    }
}

/// The filter for a scope.
fn filter(scope: &Scope) -> Filter {
    let Window { since, until } = scope.window;
    Filter {
        model: scope.model.clone(),
        slot: scope.slot.clone(),
        since: since.map(|since| since.as_microsecond()),
        until: until.map(|until| until.as_microsecond()),
        ..Filter::default()
    }
}

/// The context of an answer besides the log: the time with its zone, and the factory's shifts.
#[derive(Clone, Debug)]
struct LogContext {
    now: Zoned,
    shifts: Shifts,
}

/// Why nothing could be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogCommandError {
    /// The log is unusable.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Old months cannot be archived, or an archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A month that is not over cannot be archived.
    #[error("{named} has not begun, so the month before it is not over: name {newest} or an earlier month")]
    MonthNotOver {
        /// The named month.
        named: String,
        /// The present month.
        newest: String,
    },
    /// The attempt is in an archive.
    #[error("attempt {attempt} is archived: read {file}, put into {folder}, with --with FOLDER")]
    Archived {
        /// The requested number.
        attempt: u64,
        /// The name of the archive.
        file: String,
        /// The directory into which it was put.
        folder: String,
    },
    /// A word is not a time.
    #[error(transparent)]
    Time(#[from] TimeError),
    /// The output cannot be written.
    #[error("writing to standard output")]
    Output(#[source] io::Error),
    /// The page cannot be written.
    #[error("writing {}: name another file, or make room", path.display())]
    Page {
        /// The page that could not be written.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The page would replace its own source.
    #[error("{} belongs to the flash log itself: name another file", path.display())]
    Itself {
        /// The page, which is the flash log itself.
        path: PathBuf,
    },
    /// The page would take the place of a disk or a directory.
    #[error("{} is no file: name a new one", path.display())]
    NoFile {
        /// The path of the output.
        path: PathBuf,
    },
    /// There are more attempts than a page can show.
    #[error("these are {attempts} attempts, and a page holds {most}: ask for less with --since and --until")]
    TooMany {
        /// How many attempts the page would have.
        attempts: u64,
        /// The limit of a page.
        most: u64,
    },
    /// The log has no attempt of this number.
    #[error("there is no attempt {attempt} in this flash log: `flashline log` lists them")]
    NoAttempt {
        /// The requested number.
        attempt: u64,
    },
}

/// The settings of the configuration that concern the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configured {
    /// The flash log of the configuration; `None` if there is no configuration.
    pub log: Option<PathBuf>,
    /// Start times of the shifts; empty if the configuration has none.
    pub shifts: Vec<Time>,
    /// The names of its models; `None` if there is no configuration.
    pub models: Option<Vec<String>>,
}

/// Answers the question. The file is the named one, else the configured one, else the default of a station.
///
/// # Errors
/// If the log cannot be read or standard output cannot be written. A reader that closes the pipe (`| head`) is not an error.
pub(crate) fn run(args: &Args, configured: Configured) -> Result<ExitCode, LogCommandError> {
    let path = args.place().file.clone().or(configured.log).unwrap_or_else(|| PathBuf::from(DEFAULT));
    let context = LogContext { now: crate::zone::now(), shifts: Shifts::new(configured.shifts) };
    let mut out = BufWriter::new(io::stdout().lock());
    let code = match &args.what {
        Some(LogCommand::Verify(args)) => verify::run(args, &path, &mut out),
        Some(LogCommand::Confirm(args)) => Ok(request::confirm_log(args)),
        Some(LogCommand::Anchor(_)) => verify::anchor(&path, &mut out),
        Some(LogCommand::Export(args)) => export::run(args, &path, &mut out),
        Some(LogCommand::Archive(args)) => archive::run(args, &path, &context, &mut out),
        Some(LogCommand::Show(args)) => show::run(args, args.archives.open(&path)?.log(), &context, &mut out),
        Some(LogCommand::Serials(args)) => serials::run(args, args.scope.open(&path, &context)?.log(), &context, &mut out),
        Some(LogCommand::Summary(args)) => summary::run(args, args.scope.open(&path, &context)?.log(), &context, &mut out),
        Some(LogCommand::Report(args)) => page::run(args, args.scope.open(&path, &context)?.log(), &context, &mut out),
        None => rows::run(&args.rows, args.rows.open(&path, &context)?.log(), &context, &mut out),
    };
    seen_enough(code.and_then(|code| out.flush().map_err(LogCommandError::Output).map(|()| code))).map(ExitCode::from)
}

/// Number of newest attempts in which similar names are searched.
const NEWEST: u32 = 50_000;

/// The text if nothing was found: what was asked, and whether the log knows the name. Otherwise the empty answer to a misspelt model would
/// look like a model without work.
fn none(what: &str, log: &LogReader, filter: &Filter) -> Result<String, LogError> {
    let mut text = format!("No {what}.");
    if filter.model.is_some() || filter.slot.is_some() {
        let (mut models, mut slots) = (BTreeSet::new(), BTreeSet::new());
        log.briefs(&Filter { limit: Some(NEWEST), order: Direction::NewestFirst, ..Filter::default() }, |brief| {
            for (names, name) in [(&mut models, brief.model), (&mut slots, brief.slot)] {
                if let Some(name) = name.filter(|name| !names.contains(*name)) {
                    names.insert(name.to_owned());
                }
            }
            ControlFlow::Continue(())
        })?;
        let mut who = "The log";
        for (name, of, names) in [("model", &filter.model, models), ("slot", &filter.slot, slots)] {
            if let Some(asked) = of.as_ref().filter(|asked| !names.contains(*asked) && !names.is_empty()) {
                let known: Vec<String> = names.iter().map(|name| harmless(name)).collect();
                let there = if known.len() == 1 { "is" } else { "are" };
                text.push_str(&format!(" {who} knows no {name} {}: there {there} {}.", harmless(asked), known.join(", ")));
                who = "It";
            }
        }
    }
    if let Some(asked) = &filter.serial {
        text.push_str(&format!(" No card's serial or CID begins with {}", harmless(asked)));
        let near = nearest(asked, log.card_names()?);
        text.push_str(&if near.is_empty() { ".".to_owned() } else { format!("; nearly the same: {}.", near.join(", ")) });
    }
    text.push('\n');
    Ok(text)
}

/// Wrong letters in a typed serial up to which it counts as similar.
const SLIPS: usize = 2;

/// The few names that differ least from the requested one.
fn nearest(asked: &str, names: BTreeSet<String>) -> Vec<String> {
    let asked = asked.to_ascii_lowercase();
    let letters = asked.chars().count();
    let slips = |name: &String| {
        let name = name.to_ascii_lowercase();
        let beginning: String = name.chars().take(letters).collect();
        strsim::damerau_levenshtein(&asked, &beginning).min(strsim::damerau_levenshtein(&asked, &name))
    };
    let mut near: Vec<(usize, String)> = names.into_iter().map(|name| (slips(&name), name)).collect();
    // Every name is similar to a short beginning.
    near.retain(|(slips, _)| *slips <= SLIPS && letters > 2 * SLIPS);
    near.sort();
    near.into_iter().take(3).map(|(_, name)| harmless(&name)).collect()
}

/// The reader of the output may have closed it early.
fn seen_enough(result: Result<u8, LogCommandError>) -> Result<u8, LogCommandError> {
    match result {
        Err(LogCommandError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(GOOD),
        other => other,
    }
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn a_serial_with_a_slip_is_told_what_it_nearly_is_and_two_letters_are_told_nothing() {
        let names = || ["4C531001abcd", "4C531001ABCE", "99999999"].map(str::to_owned).into();
        assert_eq!(nearest("4c531001abcf", names()), ["4C531001ABCE", "4C531001abcd"]);
        assert_eq!(nearest("4c53l001", names()), ["4C531001ABCE", "4C531001abcd"], "the beginning of one");
        assert_eq!(nearest("98", names()), [""; 0]);
        assert_eq!(nearest("12345678", names()), [""; 0]);
    }
}
