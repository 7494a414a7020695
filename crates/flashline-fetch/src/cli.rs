//! The command line: the commands, what they print, and their exit codes: 0 all is here and proven; 1 something is not; 2 the call or the
//! configuration is wrong.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use serde_json::{Value, json};

use crate::config::{self, ConfigError, DEFAULT_PATH, called};
use crate::digest::Digest;
use crate::error::{Bytes, FetchError, harmless, sentence};
use crate::fetch::{Fetched, State, fetch, look};
use crate::job::{DIRECTORY, GB, Job, LIMIT_GB, Limits, STALL_S, Trust};
use crate::progress::Bar;
use crate::source::Source;

/// Exit code: all is here and proven.
const GOOD: u8 = 0;
/// Something was not fetched.
const NOT_GOOD: u8 = 1;
/// The call or the configuration is wrong.
const USAGE: u8 = 2;

/// Fetches images for a flashing station, and proves them by their digests
#[derive(Debug, Parser)]
#[command(name = "flashline-fetch", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch the images of the configuration that are not here yet
    ///
    /// An image gets its name only when all of it is on the disk and has its digest. One that is here is not fetched again. Nothing is
    /// armed: that is `image` in a model of the station, and `flashline reload`.
    Run(RunArgs),
    /// Fetch one image that no configuration names
    Get(GetArgs),
    /// List the images of the configuration, and which of them are here
    List(ListArgs),
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// Only the images of these names
    names: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct OutputArgs {
    /// Configuration of flashline-fetch
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// Print one JSON object per image
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct GetArgs {
    /// https:// or http:// URL, or path, of the image; with a / at its end, of its release directory
    #[arg(value_parser = text::<Source>)]
    source: Source,
    /// Digest of the image: sha256:HEX, blake3:HEX, or SHA256SUMS for the one in that file beside it, which trusts whoever can write there
    #[arg(long, value_name = "DIGEST")]
    digest: String,
    /// Digest of SHA256SUMS itself
    #[arg(long, value_name = "DIGEST", value_parser = text::<Digest>)]
    sums: Option<Digest>,
    /// The file of a release directory
    #[arg(long, value_name = "NAME")]
    file: Option<String>,
    /// Name of the image here [default: its name at the source]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Directory for the image
    #[arg(long, value_name = "DIR", default_value = DIRECTORY)]
    to: PathBuf,
    /// Most that the image may have, in GB
    #[arg(long, value_name = "GB", default_value_t = LIMIT_GB, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    limit_gb: u64,
    /// How long nothing may come before it is given up, in seconds
    #[arg(long, value_name = "S", default_value_t = STALL_S, value_parser = clap::value_parser!(u64).range(1..=3600))]
    stall_s: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn text<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// The command line, for what is made of it: manual pages, and completions of shells.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the command line and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { GOOD };
            let _closed = error.print();
            return ExitCode::from(code);
        }
    };
    let code = match cli.command {
        Command::Run(args) => run(&args),
        Command::Get(args) => get(args),
        Command::List(args) => list(&args),
    };
    ExitCode::from(code)
}

/// Prints a line. A reader that closed the pipe is no error.
fn say(line: &str) -> u8 {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("writing to standard output: {error}"));
            USAGE
        }
        _ => GOOD,
    }
}

fn complain(words: &str) {
    for line in words.lines() {
        let _unwritten = writeln!(io::stderr().lock(), "flashline-fetch: {}", harmless(line));
    }
}

fn run(args: &RunArgs) -> u8 {
    let chosen = config::read(&args.output.config).and_then(|jobs| choose(jobs, args));
    match chosen {
        Ok(jobs) => {
            let codes: Vec<u8> = jobs.iter().map(|job| one(job, args.output.json)).collect();
            codes.into_iter().max().unwrap_or(GOOD)
        }
        Err(error) => {
            complain(&sentence(&error));
            USAGE
        }
    }
}

fn choose(jobs: Vec<Job>, args: &RunArgs) -> Result<Vec<Job>, ConfigError> {
    if let Some(name) = args.names.iter().find(|name| !jobs.iter().any(|job| called(job) == **name)) {
        let known = jobs.iter().map(called).collect::<Vec<_>>().join(", ");
        return Err(ConfigError::NoSuchImage { name: name.clone(), path: args.output.config.clone(), known });
    }
    Ok(jobs.into_iter().filter(|job| args.names.is_empty() || args.names.contains(&called(job))).collect())
}

fn get(args: GetArgs) -> u8 {
    let GetArgs { source, digest, sums, file, name, to, limit_gb, stall_s, json } = args;
    let trust = match Trust::of(&digest, sums, source.is_open_to_the_network()) {
        Ok(trust) => trust,
        Err(error) => {
            complain(&format!("--{}: {}", error.key(), sentence(&error)));
            return USAGE;
        }
    };
    let limits = Limits { largest: Bytes(limit_gb.saturating_mul(GB)), stall: Duration::from_secs(stall_s), ..Limits::default() };
    let directory = match std::path::absolute(&to) {
        Ok(directory) => directory,
        Err(error) => {
            complain(&format!("--to: {error}"));
            return USAGE;
        }
    };
    one(&Job { name, source, file, trust, directory, limits }, json)
}

/// Fetches an image, and prints what came of it.
fn one(job: &Job, json: bool) -> u8 {
    let name = called(job);
    let mut bar = Bar::new(&name);
    let result = fetch(job, &mut bar);
    drop(bar);
    let said =
        if json { say(&object(job, &result).to_string()) } else { result.as_ref().map_or(GOOD, |fetched| say(&line(&name, job, fetched))) };
    match result {
        Ok(_fetched) => said,
        Err(error) => {
            if !json {
                complain(&format!("{name}: {}", sentence(&error)));
            }
            said.max(NOT_GOOD)
        }
    }
}

fn line(name: &str, job: &Job, fetched: &Fetched) -> String {
    let how = if fetched.is_new { "fetched" } else { "already here" };
    let trusted = match job.trust {
        Trust::Sums(None) => ", as SHA256SUMS beside it says",
        Trust::Digest(_) | Trust::Sums(Some(_)) => "",
    };
    let words = format!("{name}: {how}: {}, {}, {}{trusted}", fetched.path.display(), fetched.bytes, fetched.digest);
    let words = harmless(&words);
    if fetched.is_new {
        format!(
            "{words}\nto arm it: image = \"{}\" in its [[model]], then `flashline reload`",
            harmless(&fetched.path.display().to_string())
        )
    } else {
        words
    }
}

fn object(job: &Job, result: &Result<Fetched, FetchError>) -> Value {
    let fetched = result.as_ref().ok();
    json!({
        "name": called(job),
        "source": job.source.to_string(),
        "done": fetched.is_some(),
        "new": fetched.map(|fetched| fetched.is_new),
        "path": fetched.map(|fetched| fetched.path.display().to_string()),
        "bytes": fetched.map(|fetched| fetched.bytes.0),
        "digest": fetched.map(|fetched| fetched.digest.to_string()),
        "error": result.as_ref().err().map(|error| sentence(error)),
    })
}

fn list(args: &ListArgs) -> u8 {
    let jobs = match config::read(&args.output.config) {
        Ok(jobs) => jobs,
        Err(error) => {
            complain(&sentence(&error));
            return USAGE;
        }
    };
    let mut code = GOOD;
    for job in &jobs {
        let looked = look(job);
        if !matches!(looked, Ok((_, State::Here))) {
            code = code.max(NOT_GOOD);
        }
        code = code.max(if args.output.json { say(&looked_object(job, &looked).to_string()) } else { looked_line(job, &looked) });
    }
    if jobs.is_empty() && !args.output.json {
        complain(&format!("{} names no image: add [[image]] tables; fetch.example.toml shows how", args.output.config.display()));
    }
    code
}

fn looked_line(job: &Job, looked: &Result<(PathBuf, State), FetchError>) -> u8 {
    let name = called(job);
    match looked {
        Ok((path, state)) => {
            let bytes = if let State::Part(bytes) = state { format!(", {} so far", Bytes(*bytes)) } else { String::new() };
            say(&harmless(&format!("{name}: {}{bytes}: {} from {}", word(state), path.display(), job.source)))
        }
        Err(error) => {
            complain(&format!("{name}: {}", sentence(error)));
            GOOD
        }
    }
}

fn looked_object(job: &Job, looked: &Result<(PathBuf, State), FetchError>) -> Value {
    let known = looked.as_ref().ok();
    json!({
        "name": called(job),
        "state": known.map_or("unknown", |(_, state)| word(state)),
        "bytes": known.and_then(|(_, state)| if let State::Part(bytes) = state { Some(bytes) } else { None }),
        "path": known.map(|(path, _)| path.display().to_string()),
        "source": job.source.to_string(),
        "error": looked.as_ref().err().map(|error| sentence(error)),
    })
}

fn word(state: &State) -> &'static str {
    match state {
        State::Here => "here",
        State::Part(_) => "part",
        State::Missing => "missing",
        State::Unproven => "unproven",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_can_be_typed_and_a_wrong_call_is_refused() {
        Cli::command().debug_assert();
        let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for line in [
            "flashline-fetch run".to_owned(),
            "flashline-fetch run pi3.img.xz --config fetch.toml --json".to_owned(),
            "flashline-fetch list --json".to_owned(),
            format!("flashline-fetch get https://h.example/pi3.img --digest {digest} --name a.img --to /srv --limit-gb 8 --stall-s 5"),
            format!("flashline-fetch get /mnt/48/ --digest SHA256SUMS --sums {digest} --file pi3.img --json"),
        ] {
            Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        for line in [
            "flashline-fetch get https://h.example/pi3.img",
            "flashline-fetch get pi3.img --digest SHA256SUMS",
            "flashline-fetch get https://h.example/pi3.img --digest SHA256SUMS --stall-s 0",
            "flashline-fetch get https://h.example/ --digest SHA256SUMS --sums sha256:00",
        ] {
            Cli::try_parse_from(line.split(' ')).expect_err(line);
        }
    }
}
