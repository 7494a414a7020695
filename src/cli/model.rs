//! `flashline model`: problems of model assertions, before and after signing (`check`), the approval of a model's first card (`approve`), and
//! the image that was armed before (`rollback`).

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};
use snap_assertions::check::{Checked, check};
use snap_assertions::definition::Model;
use snap_assertions::file;

use super::request::StationArgs;
use super::{GOOD, NOT_GOOD, TrustArgs, USAGE_OR_STATION, complain, rollback, say, say_json, sentence};
use crate::control::wire::Request;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// Check model assertions: content, signature, chain of keys, and every rule they break
    ///
    /// Takes model assertions, the JSON that is given to the signing tool, and account, account-key, snap-declaration and
    /// snap-revision assertions. Exit code 0 only if a station with this trust would take every file.
    Check(CheckArgs),
    /// Approve the first card of a model, so that its slots make the others
    ///
    /// With `[policy] first_off = true`, the slots of a model make one card after its image was armed, and then wait. Whoever armed the
    /// image may not approve: neither the owner of the configuration nor the user who asked for the reload. The approval ends with any
    /// change of the image, of its model or of the configuration.
    Approve(ApproveArgs),
    /// Arm the image that was armed before for a model, and keep it armed
    ///
    /// Changes `image` and `digest` of the model in the configuration, and makes the running station read it. The image is proven as at any
    /// arming. Until it is armed, no card of the model is started; a busy card is finished with the image it began with. If the earlier
    /// image cannot be armed, the configuration is put back as it was, and nothing has changed. A second rollback goes forward again.
    Rollback(rollback::Args),
}

#[derive(Debug, clap::Args)]
struct ApproveArgs {
    /// The model, as BRAND/MODEL or as slots name it
    model: String,
    /// The card that was looked at, by its serial or the number of its attempt: refused if that is not the first card
    #[arg(long, value_name = "SERIAL|ATTEMPT")]
    card: Option<String>,
    #[command(flatten)]
    station: StationArgs,
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// Files of assertions, or the JSON of an unsigned model
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
    /// Print one JSON object per file
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> u8 {
    match &args.command {
        ModelCommand::Check(args) => check_files(args),
        ModelCommand::Rollback(args) => rollback::run(args),
        ModelCommand::Approve(ApproveArgs { model, card, station }) => {
            let request = Request::Approve { model: model.clone(), card: card.clone() };
            station
                .send(&request, &format!("the first card of {model} is approved: its slots take cards; the log records card and approver"))
        }
    }
}

fn check_files(args: &CheckArgs) -> u8 {
    let trust = match args.trust.read() {
        Ok(trust) => trust,
        Err(error) => {
            complain(&error);
            return USAGE_OR_STATION;
        }
    };
    let time = args.trust.time();
    let mut code = GOOD;
    for path in &args.files {
        let (checked, grade) = match file::read(path) {
            Ok(bytes) => {
                let checked = check(&bytes, &trust, time);
                let grade = if checked.is_accepted() { GOOD } else { NOT_GOOD };
                (checked, grade)
            }
            Err(error) => {
                complain(&error);
                let mut checked = Checked::default();
                checked.findings.problems.push(sentence(&error));
                (checked, USAGE_OR_STATION)
            }
        };
        code = code.max(grade);
        if args.json {
            say_json(&object(path, &checked));
        } else if grade != USAGE_OR_STATION {
            say(lines(path, &checked).trim_end_matches('\n'));
        }
    }
    code
}

/// The JSON object of a file; a missing value is `null`.
fn object(path: &Path, checked: &Checked) -> Value {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let model = checked.model.as_ref();
    let of = |field: fn(&Model) -> &str| model.and_then(|model| some(field(model)));
    json!({
        "file": path.display().to_string(),
        "type": some(&checked.kind),
        "accepted": checked.is_accepted(),
        "brand": of(|model| &model.brand),
        "model": of(|model| &model.name),
        "series": of(|model| &model.series),
        "architecture": of(|model| &model.architecture),
        "grade": model.and_then(|model| model.grade).map(|grade| grade.word()),
        "required_snaps": model.map(|model| model.required_snaps.as_slice()).unwrap_or_default(),
        "problems": checked.findings.problems,
        "warnings": checked.findings.warnings,
    })
}

/// The output for people about a file.
fn lines(path: &Path, checked: &Checked) -> String {
    let verdict = if checked.is_accepted() { "accepted" } else { "refused" };
    let mut page = format!("{}: {verdict}\n", path.display().to_string().escape_debug());
    let mut line = |label: &str, text: &str| page.push_str(&format!("  {label:<9} {text}\n"));
    if let Some(name) = &checked.name {
        line("what", &format!("{name}, revision {}", checked.revision));
    }
    if let Some(model) = &checked.model {
        let core = match (&model.base, model.grade) {
            (None, _) => "Ubuntu Core 16".to_owned(),
            (Some(base), None) => format!("base {base}"),
            (Some(base), Some(grade)) => format!("base {base}, grade {}", grade.word()),
        };
        let made = model.timestamp.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string());
        let text = format!("series {}, architecture {}, {core}, of {made}", model.series, model.architecture);
        line("device", &text.escape_debug().to_string());
        for snap in &model.snaps {
            let need = match (snap.essential, snap.required) {
                (true, _) => snap.kind.word(),
                (false, true) => "required",
                (false, false) => "optional",
            };
            let channel = snap.channel.as_ref().map(|channel| format!(", {channel}")).unwrap_or_default();
            line("snap", &format!("{} ({need}{channel})", snap.name).escape_debug().to_string());
        }
    }
    if let Some(proof) = &checked.proof {
        for (index, link) in proof.chain().iter().enumerate() {
            let label = if index == 0 { "signed by" } else { "that by" };
            line(label, &format!("{} {} of {}", link.key, link.name.escape_debug(), link.account));
        }
    }
    for problem in &checked.findings.problems {
        line("problem", problem);
    }
    for warning in &checked.findings.warnings {
        line("warning", warning);
    }
    page
}
