//! `flashline image inspect`: shows the contents of an image, and whether it may be armed.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use console::measure_text_width;
use serde_json::{Value, json};
use snap_assertions::file::one_model;

use super::prepare_image::prepare;
use super::{GOOD, NOT_GOOD, TrustArgs, USAGE_OR_STATION, complain, say, say_json};
use crate::image::Staged;
use crate::image::inspect::page::{Answer, Page};
use crate::image::inspect::table::Kind;
use crate::image::inspect::{Wanted, inspect};
use crate::report::harmless;
use crate::station::allowed::Allowed;
use crate::station::units::Bytes;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: ImageCommand,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    /// Print what is inside an image, and whether a station would write it to cards
    ///
    /// Reads without mounting and without root. Exit code 0 only if a station with this trust, and this model, would arm the image;
    /// 1 if it would not; 2 if the image or the call cannot be used.
    Inspect(InspectArgs),
}

#[derive(Debug, clap::Args)]
struct InspectArgs {
    /// The image: raw, .xz, .gz, .zst, .bz2 or .zip
    image: PathBuf,
    /// Signed model assertion that the image must contain. Without it, the image must be consistent and proven by itself
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Accept WORD although nothing signs it: a path in `writable`, as system-data/etc/cloud; a path on a boot partition behind its label,
    /// as system-boot/overlays; partition-N; gaps
    #[arg(long, value_name = "WORD")]
    allow: Vec<String>,
    #[command(flatten)]
    trust: TrustArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> u8 {
    let ImageCommand::Inspect(args) = &args.command;
    ended(look(args))
}

fn ended(result: Result<u8, Box<dyn Error>>) -> u8 {
    match result {
        Ok(code) => code,
        Err(error) => {
            complain(error.as_ref());
            USAGE_OR_STATION
        }
    }
}

fn look(args: &InspectArgs) -> Result<u8, Box<dyn Error>> {
    let wanted = Wanted {
        trust: args.trust.read()?,
        at: args.trust.time(),
        model: args.model.as_deref().map(one_model).transpose()?,
        signatures: true,
        allowed: Allowed::new(&args.allow).map_err(|why| format!("--allow: {why}"))?,
    };
    let staged = prepare(&args.image)?;
    let page = inspect(&staged, wanted)?;
    if args.json {
        say_json(&object(&args.image, &staged, &page)?);
    } else {
        say(lines(&args.image, &staged, &page).trim_end());
    }
    Ok(if page.is_good() { GOOD } else { NOT_GOOD })
}

/// The share of data in the image.
fn mapped(staged: &Staged) -> u64 {
    staged.extents().data().iter().map(|range| range.end - range.start).sum()
}

fn object(path: &Path, staged: &Staged, page: &Page) -> serde_json::Result<Value> {
    let mut object = serde_json::to_value(page)?;
    if let Some(fields) = object.as_object_mut() {
        fields.insert("file".to_owned(), json!(path.display().to_string()));
        fields.insert("digest".to_owned(), json!(staged.digest().to_string()));
        fields.insert("mapped".to_owned(), json!(mapped(staged)));
        fields.insert("accepted".to_owned(), json!(page.is_good()));
        fields.insert("refusal".to_owned(), json!(page.refusal()));
        fields.insert("refusal_code".to_owned(), json!(page.refusal_code()));
        fields.insert("not_covered".to_owned(), json!(page.not_covered()));
    }
    Ok(object)
}

/// The output for people. Text from inside the image is escaped: its author may have put control characters of the terminal into it.
fn lines(path: &Path, staged: &Staged, page: &Page) -> String {
    let mut text = vec![path.display().to_string()];
    let mut line = |label: &str, words: &str| text.push(format!("  {label:<10} {words}"));
    line("digest", &staged.digest().to_string());
    let data = mapped(staged);
    // Rounded up: a card never gets less than this number.
    let percent = (data.saturating_mul(100)).div_ceil(page.span.max(1));
    line("span", &format!("{} ({} bytes), {percent} % of it data ({})", Bytes(page.span), page.span, Bytes(data)));
    if let Some(kind) = page.table {
        line("table", if kind == Kind::Gpt { "GPT" } else { "MBR" });
    }
    for partition in &page.partitions {
        let entry = &partition.entry;
        let label = partition.label.as_deref().unwrap_or(&entry.name);
        let holds = match (&partition.trouble, partition.filesystem) {
            (Some(trouble), _) => format!("cannot be read: {trouble}"),
            (None, Some(filesystem)) => filesystem.to_owned(),
            (None, None) => "no file system".to_owned(),
        };
        let words =
            format!("{}  {:<12} {} at {}, type {}, {holds}", entry.number, label, Bytes(entry.length), Bytes(entry.start), entry.kind);
        line("partition", &words);
    }
    if let Some(seed) = &page.seed {
        line("seed", seed);
    }
    if let Some(model) = &page.model {
        let core = model.base.as_deref().unwrap_or("core");
        let grade = model.grade.map(|grade| format!(", grade {grade}")).unwrap_or_default();
        let made = model.timestamp.as_deref().unwrap_or("an unknown time");
        let words = format!(
            "{}/{}, revision {}, series {}, {}, {core}{grade}, of {made}",
            model.brand, model.model, model.revision, model.series, model.architecture
        );
        line("model", &words);
        line("sha3-384", &model.sha3_384);
        match &model.chain {
            Some(chain) => {
                for (index, key) in chain.iter().enumerate() {
                    line(if index == 0 { "signed by" } else { "that by" }, key);
                }
            }
            None => line("signed by", "no key that is trusted here"),
        }
    }
    text.extend(snaps(page));
    text.push(String::new());
    for verdict in &page.verdicts {
        let mut reasons = verdict.reasons.iter();
        let first = reasons.next().map(|reason| format!(": {reason}")).unwrap_or_default();
        let word = if verdict.answer == Answer::No { "NO" } else { verdict.answer.word() };
        text.push(format!("  {word:<12} {}{first}", verdict.check.statement()));
        for reason in reasons {
            text.push(format!("  {:<12} {}", "", reason));
        }
    }
    for sentence in &page.uncovered {
        text.push(format!("  {:<12} {}", "not covered", sentence));
    }
    for sentence in &page.warnings {
        text.push(format!("  {:<12} {}", "warning", sentence));
    }
    let end = page.refusal().map_or_else(|| "a station would arm it".to_owned(), |why| format!("REFUSED: {why}"));
    text.push(String::new());
    text.push(format!("  {end}"));
    text.iter().map(|line| format!("{}\n", harmless(line))).collect()
}

/// The table of the snaps; empty if there are none.
fn snaps(page: &Page) -> Vec<String> {
    if page.snaps.is_empty() {
        return Vec::new();
    }
    let head = ["NAME", "TYPE", "REVISION", "PUBLISHER", "SIZE", "PROOF"].map(str::to_owned);
    let rows = page.snaps.iter().map(|snap| {
        let short = |text: &str| text.chars().take(12).collect::<String>();
        let proof = match (&snap.chain, snap.problems.first()) {
            (Some(chain), None) => {
                let root = chain.last().and_then(|key| key.split_whitespace().next()).unwrap_or_default();
                let id = snap.snap_id.as_deref().map(short).unwrap_or_default();
                format!("{}… → revision → declaration {id}… → {root}", short(&snap.sha3_384))
            }
            _ => "NONE".to_owned(),
        };
        let publisher = snap.publisher.as_ref().or(snap.publisher_id.as_ref()).cloned().unwrap_or_else(|| "?".to_owned());
        [
            snap.name.clone(),
            snap.kind.clone().unwrap_or_else(|| "?".to_owned()),
            snap.revision.map_or_else(|| "?".to_owned(), |revision| revision.to_string()),
            publisher,
            Bytes(snap.size).to_string(),
            proof,
        ]
    });
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(rows).collect();
    let mut text = vec![String::new()];
    for row in &rows {
        let mut line = String::from("  ");
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or_default();
            let padding = " ".repeat(width - measure_text_width(cell));
            // The last column is not padded.
            line.push_str(&if column + 1 == row.len() { cell.clone() } else { format!("{cell}{padding}  ") });
        }
        text.push(line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sentence;
    use crate::image::inspect::LookError;

    #[test]
    fn an_image_that_the_station_cannot_read_is_exit_code_2_and_no_verdict() {
        let error = || LookError::Read { at: 65_536, source: std::io::Error::from_raw_os_error(5) };
        assert_eq!(sentence(&error()), "the station could not read its image, at byte 65536: Input/output error (os error 5)");
        assert_eq!(ended(Err(Box::new(error()))), USAGE_OR_STATION);
    }
}
