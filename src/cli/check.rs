//! `flashline check`

use serde_json::json;

use super::prepare::prepare;
use super::{ConfigArg, GOOD, NOT_GOOD, WRONG, complain, newest_in, sentence};
use crate::config::{Images, ModelSettings, Settings};
use crate::daemon::arming::ArmError;
use crate::daemon::interlock::Interlock;
use crate::image::stage::find_staged;
use crate::ledger::believed;
use crate::station::record::ModelProof;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Do not look inside the images: what the station does anyway before it takes a configuration over
    #[arg(long)]
    without_images: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// A model, and whether its image would be armed.
struct Look<'a> {
    model: &'a ModelSettings,
    slots: Vec<&'a str>,
    /// Nothing where nobody was to look.
    armed: Option<Result<(ModelProof, Vec<String>), ArmError>>,
}

impl Look<'_> {
    fn refusal(&self) -> Option<&ArmError> {
        self.armed.as_ref().and_then(|armed| armed.as_ref().err())
    }
}

pub(super) fn run(args: &Args) -> u8 {
    let settings = match args.config.read(Images::Proved) {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error);
            return WRONG;
        }
    };
    let interlock = Interlock::new(&settings, believed(newest_in(&settings.log())));
    let looks: Vec<Look<'_>> = settings.models.iter().map(|model| look(&settings, model, &interlock, args.without_images)).collect();
    if args.json {
        print_json(&settings, &looks);
    } else {
        print(args, &settings, &looks);
    }
    if looks.iter().all(|look| look.refusal().is_none()) { GOOD } else { NOT_GOOD }
}

/// What the station would do when it arms this model, with the copy it has, or with the image as it lies there.
fn look<'a>(settings: &'a Settings, model: &'a ModelSettings, interlock: &Interlock, unseen: bool) -> Look<'a> {
    let slots = settings.slots.iter().filter(|slot| slot.model == model.name).map(|slot| slot.name.as_str()).collect();
    let demand = interlock.demand(model).map_err(ArmError::from);
    if unseen && demand.is_ok() {
        return Look { model, slots, armed: None };
    }
    let armed = demand.and_then(|demand| {
        if let Some(known) = demand.without_a_look() {
            return Ok(known);
        }
        let staged = find_staged(&model.image, &settings.store()).map_or_else(|| prepare(&model.image), Ok)?;
        Ok(demand.prove(&staged)?)
    });
    Look { model, slots, armed: Some(armed) }
}

fn print_json(settings: &Settings, looks: &[Look<'_>]) {
    let slots: Vec<_> = settings
        .slots
        .iter()
        .map(|slot| {
            let ports: Vec<&str> = slot.ports.iter().map(|port| port.0.as_str()).collect();
            json!({"slot": slot.name, "ports": ports, "model": slot.model})
        })
        .collect();
    let models: Vec<_> = looks
        .iter()
        .map(|look| {
            let known = look.armed.as_ref().and_then(|armed| armed.as_ref().ok());
            let proof = known.map(|(proof, _)| proof);
            let device = proof.and_then(ModelProof::device);
            json!({
                "model": look.model.name,
                "image": look.model.image,
                "armed": look.armed.as_ref().map(Result::is_ok),
                "reason": look.refusal().map(|error| sentence(error)),
                "model_proof": proof.map(ModelProof::word),
                "device": device.map(|device| format!("{}/{}", device.brand, device.model)),
                "revision": device.map(|device| device.revision),
                "uncovered": known.map(|(_, uncovered)| uncovered.as_slice()).unwrap_or_default(),
            })
        })
        .collect();
    println!("{}", json!({"station": settings.station.name, "state": settings.state, "models": models, "slots": slots}));
}

fn print(args: &Args, settings: &Settings, looks: &[Look<'_>]) {
    let refused = looks.iter().filter(|look| look.refusal().is_some()).count();
    let verdict = if refused == 0 { "is good".to_owned() } else { format!("would leave {refused} of {} models disarmed", looks.len()) };
    println!("{} {verdict}: station {}, state in {}", args.config.path().display(), settings.station.name, settings.state.display());
    for look in looks {
        let slots = if look.slots.is_empty() { "no slot".to_owned() } else { look.slots.join(" ") };
        println!("  {}  {}  in {slots}", look.model.name, look.model.image.display());
        match &look.armed {
            None => println!("    not looked into"),
            Some(Ok((proof, uncovered))) => {
                let device = proof.device().map(|device| format!(": {}/{}, revision {}", device.brand, device.model, device.revision));
                println!("    model proof: {}{}", proof.word(), device.unwrap_or_default());
                for words in uncovered {
                    println!("    not covered: {words}");
                }
            }
            Some(Err(error)) => println!("    DISARMED: {}", sentence(error)),
        }
    }
}
