//! `flashline model rollback`: arms the image that was armed before for a model.
//!
//! The configuration alone says what is armed, also at the next start. So the image of before is written into it, by its digest, and the
//! station reads it as at any reload: it proves the image and the model in it, and records who asked.
//!
//! ```text
//!  log: which image was it? ─▶ is it still here? ─▶ disarm the model ─▶ write ─▶ reload ─▶ arm the model
//!                                                                         ▲        │ refused
//!                                                                         └────────┘ put back as it was
//! ```

use std::path::{Path, PathBuf};

use serde_json::json;
use toml_edit::{Item, Table, Value};

use super::config_file::{ConfigFile, FileError};
use super::request::StationArgs;
use super::{ConfigArg, GOOD, NOT_GOOD, USAGE_OR_STATION, complain, say, say_json, sentence};
use crate::config::{ConfigError, ImageCheck, Settings};
use crate::control::client::{Client, ClientError};
use crate::control::wire::{Request, Status};
use crate::file;
use crate::image::stage::find_digest;
use crate::ledger::{EarlierImage, LogError, LogReader};
use crate::panel::lines::local_time;
use crate::station::outcome::Digest;
use crate::station::request::Target;

/// The reason that slots show until the earlier image is armed.
const REASON: &str = "it goes back to the image armed before";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model, as the configuration names it
    model: String,
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    station: StationArgs,
}

/// Why the image of before is not armed.
#[derive(Debug, thiserror::Error)]
enum RollbackError {
    #[error(transparent)]
    Config(Box<ConfigError>),
    #[error(transparent)]
    File(Box<FileError>),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Station(#[from] ClientError),
    #[error("there is no model {model:?} in {path}: the models are {known}")]
    NoSuchModel { model: String, path: PathBuf, known: String },
    #[error("no slot of the running station is for {model}: change `image` in its [[model]] instead")]
    NoSlot { model: String },
    #[error("the running station is of an older version, which does not say which configuration is in effect: `flashline restart` first")]
    OldStation,
    #[error("{path} was changed, and the change is not in effect: run `flashline reload` first, or take the change back")]
    NotInEffect { path: PathBuf },
    #[error(
        "the flash log {log} names no other image that was armed for {model}: to arm one, change `image` in its [[model]], then \
         `flashline reload`"
    )]
    NoneBefore { model: String, log: PathBuf },
    #[error(
        "the image {}, armed for {model} from {} on {}, is not here any more: no staged copy of it is kept (`store_limit_gb`), and its source \
         cannot be opened. Copy it to that place, and run this again",
        .image.digest, .image.source, local_time(.image.at)
    )]
    Gone { model: String, image: Box<EarlierImage>, source: std::io::Error },
    #[error(
        "the image {}, armed for {model} from {} on {}, cannot be armed, and nothing has changed",
        .image.digest, .image.source, local_time(.image.at)
    )]
    Refused { model: String, image: Box<EarlierImage>, source: ClientError },
    #[error(
        "the image {} of {model} cannot be armed ({why}), and {path} could not be put back as it was: the file before is {}",
        .image.digest, shown(.copy.as_ref())
    )]
    NotTakenBack { model: String, image: Box<EarlierImage>, path: PathBuf, copy: Option<PathBuf>, why: String, source: Box<FileError> },
    #[error(
        "{path} names the image of before now, and the station did not say whether it took it: see `flashline status`, and then \
         `flashline arm --model {model}`. The file before is {}",
        shown(.copy.as_ref())
    )]
    NoAnswer { model: String, path: PathBuf, copy: Option<PathBuf>, source: Box<ClientError> },
    #[error("the image {digest} of {model} is armed, and {model} is still disarmed: `flashline arm --model {model}`")]
    StillDisarmed { model: String, digest: Digest, source: ClientError },
    #[error(
        "{}; but {model} is still disarmed, because it could not be armed again: run `flashline arm --model {model}`",
        sentence(.first)
    )]
    NotArmedAgain { model: String, first: Box<RollbackError>, source: ClientError },
}

impl From<ConfigError> for RollbackError {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

impl From<FileError> for RollbackError {
    fn from(error: FileError) -> Self {
        Self::File(Box::new(error))
    }
}

impl RollbackError {
    /// The error that ended a rollback, and what became of the model that was disarmed for it: if it could not be armed again, both are told.
    fn after(self, armed_again: Result<(), ClientError>, model: &str) -> Self {
        match armed_again {
            Ok(()) => self,
            Err(source) => Self::NotArmedAgain { model: model.to_owned(), first: Box::new(self), source },
        }
    }

    fn code(&self) -> u8 {
        match self {
            Self::Station(ClientError::Refused(_))
            | Self::NoSlot { .. }
            | Self::NotInEffect { .. }
            | Self::NoneBefore { .. }
            | Self::Gone { .. }
            | Self::Refused { .. } => NOT_GOOD,
            _ => USAGE_OR_STATION,
        }
    }

    /// A stable code for programs.
    fn word(&self) -> &str {
        match self {
            Self::Config(_) | Self::File(_) | Self::NotTakenBack { .. } => "configuration",
            Self::Log(_) => "log",
            Self::Station(ClientError::Refused(refused)) => &refused.code,
            Self::Station(_) | Self::OldStation | Self::NoAnswer { .. } | Self::StillDisarmed { .. } => "no-station",
            Self::NoSuchModel { .. } | Self::NoSlot { .. } => "no-such-model",
            Self::NotInEffect { .. } => "not-in-effect",
            Self::NoneBefore { .. } => "none-before",
            Self::Gone { .. } => "image-gone",
            Self::Refused { .. } => "bad-configuration",
            Self::NotArmedAgain { first, .. } => first.word(),
        }
    }
}

fn shown(copy: Option<&PathBuf>) -> String {
    copy.map_or_else(|| "not kept".to_owned(), |copy| copy.display().to_string())
}

/// What a rollback has changed.
struct RolledBack {
    image: EarlierImage,
    /// The image that was armed until then, if there was one.
    before: Option<Digest>,
    path: PathBuf,
    /// The configuration of before.
    copy: Option<PathBuf>,
    /// A second person has to approve a card.
    wants_approval: bool,
}

pub(super) fn run(args: &Args) -> u8 {
    let result = roll_back(args);
    if args.station.json {
        let (done, error) = match &result {
            Ok(done) => (Some(done), None),
            Err(error) => (None, Some(json!({ "code": error.word(), "message": sentence(error) }))),
        };
        say_json(&json!({
            "done": error.is_none(),
            "error": error,
            "model": args.model,
            "image": done.map(|done| json!({ "source": done.image.source, "digest": done.image.digest.to_string() })),
            "before": done.and_then(|done| done.before).map(|digest| digest.to_string()),
        }));
    } else {
        match &result {
            Ok(done) => say(words(&args.model, done)),
            Err(error) => complain(error),
        }
    }
    result.map_or_else(|error| error.code(), |_done| GOOD)
}

fn words(model: &str, done: &RolledBack) -> String {
    let RolledBack { image, before, path, copy, wants_approval } = done;
    let mut lines = format!("{model} has the image again that was armed on {}: {}, {}", local_time(image.at), image.source, image.digest);
    if let Some(before) = before {
        lines.push_str(&format!("\nuntil now it had {before}"));
    }
    lines.push_str(&format!("\n{} names it by its digest; the file before is {}", path.display(), shown(copy.as_ref())));
    if *wants_approval {
        lines.push_str(&format!("\none card is made, and then waits: `flashline model approve {model}` by a second person"));
    }
    lines
}

fn roll_back(args: &Args) -> Result<RolledBack, RollbackError> {
    let path = args.config.path();
    let mut file = ConfigFile::read(path)?;
    let settings = args.config.read(ImageCheck::Unseen)?;
    let model = &args.model;
    if !settings.models.iter().any(|known| known.name == *model) {
        let known = settings.models.iter().map(|known| known.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(RollbackError::NoSuchModel { model: model.clone(), path: path.to_owned(), known });
    }
    let mut client = args.station.connect_to(&settings.socket)?;
    let before = armed_now(&client.status()?, &settings, path, model)?;
    let log = LogReader::open(&settings.log())?;
    let none = || RollbackError::NoneBefore { model: model.clone(), log: settings.log() };
    let image = log.armed_before(model, before)?.ok_or_else(none)?;
    // Open until the station has it: no other program deletes it from the store meanwhile.
    let kept = find_digest(image.digest, Path::new(&image.source), &settings.store());
    if kept.is_none()
        && let Err(source) = file::open(Path::new(&image.source))
    {
        return Err(RollbackError::Gone { model: model.clone(), image: Box::new(image), source });
    }
    let table = file.model_mut(model).ok_or_else(none)?;
    name_image(table, &image);

    let target = Target::Model(model.clone());
    let was_disarmed = log.standing()?.disarmings.iter().any(|disarming| disarming.target == target);
    if !was_disarmed {
        client.ask(&Request::Disarm { slot: None, model: Some(model.clone()), reason: Some(REASON.to_owned()) })?;
    }
    let rearm = |client: &mut Client| {
        let arm = Request::Arm { slot: None, model: Some(model.clone()) };
        if was_disarmed { Ok(()) } else { client.ask(&arm).map(drop) }
    };
    let copy = match file.write() {
        Ok(copy) => copy,
        Err(error) => return Err(RollbackError::from(error).after(rearm(&mut client), model)),
    };
    match client.ask(&Request::Reload {}) {
        Ok(_done) => {}
        Err(source @ ClientError::Refused(_)) => {
            let taken_back = file.take_back(copy.as_deref());
            let (path, why, image) = (path.to_owned(), sentence(&source), Box::new(image));
            let error = match taken_back {
                Ok(()) => RollbackError::Refused { model: model.clone(), image, source },
                Err(source) => RollbackError::NotTakenBack { model: model.clone(), image, path, copy, why, source: Box::new(source) },
            };
            return Err(error.after(rearm(&mut client), model));
        }
        Err(source) => {
            return Err(RollbackError::NoAnswer { model: model.clone(), path: path.to_owned(), copy, source: Box::new(source) });
        }
    }
    drop(kept);
    rearm(&mut client).map_err(|source| RollbackError::StillDisarmed { model: model.clone(), digest: image.digest, source })?;
    let is_wanted = |status: Status| status.models.into_iter().any(|shown| shown.name == *model && shown.first_card.is_some());
    let wants_approval = client.status().is_ok_and(is_wanted);
    Ok(RolledBack { image, before, path: path.to_owned(), copy, wants_approval })
}

/// The image that the running station has armed for this model. Its configuration must be the file as it is now: otherwise a rollback would
/// put other changes into effect, too.
fn armed_now(status: &Status, settings: &Settings, path: &Path, model: &str) -> Result<Option<Digest>, RollbackError> {
    match &status.config {
        None => return Err(RollbackError::OldStation),
        Some(config) if *config != settings.digest.to_string() => return Err(RollbackError::NotInEffect { path: path.to_owned() }),
        Some(_) => {}
    }
    let shown = status.models.iter().find(|shown| shown.name == model);
    let shown = shown.ok_or_else(|| RollbackError::NoSlot { model: model.to_owned() })?;
    Ok(shown.image.as_ref().and_then(|image| Digest::parse(&image.digest)))
}

/// Names the image in the table of its model; remarks above and beside the keys stay.
fn name_image(table: &mut Table, image: &EarlierImage) {
    for (key, text) in [("image", image.source.clone()), ("digest", image.digest.to_string())] {
        let mut value = Value::from(text);
        match table.get_mut(key).and_then(Item::as_value_mut) {
            Some(there) => {
                *value.decor_mut() = there.decor().clone();
                *there = value;
            }
            None => drop(table.insert(key, Item::Value(value))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::wire::{Image, ModelStatus, WireError};
    use crate::station::view::View;

    const TWO: &str = "# line 3\n[station]\nname = \"line 3\"\n\n[[model]]\nname = \"acme/bag\"\nimage = \"bag.img\"\nrequire = \"none\"\n\n\
        [[model]]\nname = \"acme/box\" # the large one\n# The image:\nimage = \"new.img.xz\" # week 48\nrequire = \"none\"\n\n\
        [[slot]]\nname = \"A1\"\nports = [\"pci-0/usb1-1/lun-0\"]\nmodel = \"acme/box\"\n";

    fn earlier() -> EarlierImage {
        EarlierImage { digest: Digest([0xab; 32]), source: "/srv/images/old.img.xz".to_owned(), at: 1_700_000_000_000_000 }
    }

    #[test]
    fn only_the_image_of_that_model_is_changed_in_the_file_and_it_is_put_back_byte_by_byte() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("config.toml");
        std::fs::write(&path, TWO).expect("written");
        let mut file = ConfigFile::read(&path).expect("it can be read");
        name_image(file.model_mut("acme/box").expect("it is there"), &earlier());
        let copy = file.write().expect("it can be written").expect("the file before is kept");
        let text = std::fs::read_to_string(&path).expect("it is there");
        let expected = format!("image = \"/srv/images/old.img.xz\" # week 48\nrequire = \"none\"\ndigest = \"{}\"\n", "ab".repeat(32));
        assert_eq!(text, TWO.replace("image = \"new.img.xz\" # week 48\nrequire = \"none\"\n", &expected));
        let settings = crate::config::read(&path, ImageCheck::Proved);
        assert!(settings.is_err(), "the image of the other model is still looked for");
        assert_eq!(std::fs::read_to_string(&copy).expect("it is there"), TWO);

        file.take_back(Some(&copy)).expect("it can be written");
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), TWO);
        assert!(!copy.exists());
        std::fs::write(&path, "# somebody was here\n").expect("written");
        assert!(matches!(file.take_back(None), Err(FileError::Changed { .. })), "what somebody else wrote stays");
    }

    #[test]
    fn a_rollback_puts_no_other_change_of_the_file_into_effect() {
        let path = Path::new("/etc/flashline/config.toml");
        let settings = Settings { digest: Digest([1; 32]), ..crate::config::prove(path, TWO, ImageCheck::Unseen).expect("it is good") };
        let mut status = Status::of(&View { config: Some(Digest([2; 32])), ..View::default() });
        let asked = |status: &Status| armed_now(status, &settings, path, "acme/box");
        assert!(matches!(asked(&status), Err(RollbackError::NotInEffect { .. })));
        status.config = None;
        assert!(matches!(asked(&status), Err(RollbackError::OldStation)));
        status.config = Some(Digest([1; 32]).to_string());
        assert!(matches!(asked(&status), Err(RollbackError::NoSlot { .. })));
        let mut model =
            ModelStatus { name: "acme/box".to_owned(), device: "acme/box".to_owned(), image: None, order: None, first_card: None };
        status.models = vec![model.clone()];
        assert!(matches!(asked(&status), Ok(None)), "one that was refused at the start has none");
        let digest = Digest([3; 32]);
        model.image = Some(Image { source: "new.img".to_owned(), digest: digest.to_string(), span: 1, model_proof: "none".to_owned() });
        status.models = vec![model];
        assert!(matches!(asked(&status), Ok(Some(now)) if now == digest));
    }

    #[test]
    fn if_the_model_cannot_be_armed_again_the_error_that_ended_the_rollback_is_told_first_and_then_the_cure() {
        let refused = || {
            let why = WireError { code: "bad-configuration".to_owned(), message: "its model takes only acme/bag".to_owned() };
            RollbackError::Refused { model: "acme/box".to_owned(), image: Box::new(earlier()), source: ClientError::Refused(why) }
        };
        let first = sentence(&refused());
        assert!(first.ends_with("its model takes only acme/bag"), "{first}");
        let alone = refused().after(Ok(()), "acme/box");
        assert_eq!((sentence(&alone), alone.code()), (first.clone(), NOT_GOOD));
        let gone = ClientError::Broken { path: "/run/flashline/control.sock".into(), source: std::io::ErrorKind::BrokenPipe.into() };
        let both = refused().after(Err(gone), "acme/box");
        let words = sentence(&both);
        assert!(words.starts_with(&first) && words.ends_with("broken pipe"), "{words}");
        let cure =
            "; but acme/box is still disarmed, because it could not be armed again: run `flashline arm --model acme/box`: the station";
        assert_eq!(words.find(cure), Some(first.len()), "{words}");
        assert_eq!((both.word(), both.code()), ("bad-configuration", USAGE_OR_STATION));
    }

    #[test]
    fn an_image_that_is_gone_is_named_with_digest_path_time_and_cure() {
        let source = std::io::ErrorKind::NotFound.into();
        let words = sentence(&RollbackError::Gone { model: "acme/box".to_owned(), image: Box::new(earlier()), source });
        for part in [&"ab".repeat(32), "/srv/images/old.img.xz", "2023-11-1", "Copy it to that place", "entity not found"] {
            assert!(words.contains(part), "{part}: {words}");
        }
    }
}
