//! `flashline check`

use super::{ConfigArg, GOOD, WRONG, complain};
use crate::config::Images;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> u8 {
    let settings = match args.config.read(Images::Proved) {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error);
            return WRONG;
        }
    };
    if args.json {
        let slots: Vec<_> = settings
            .slots
            .iter()
            .map(|slot| {
                let ports: Vec<&str> = slot.ports.iter().map(|port| port.0.as_str()).collect();
                serde_json::json!({"slot": slot.name, "ports": ports, "model": slot.model})
            })
            .collect();
        let models: Vec<_> = settings.models.iter().map(|model| serde_json::json!({"model": model.name, "image": model.image})).collect();
        println!("{}", serde_json::json!({"station": settings.station.name, "state": settings.state, "models": models, "slots": slots}));
        return GOOD;
    }
    println!("{} is good: station {}, state in {}", args.config.path().display(), settings.station.name, settings.state.display());
    for model in &settings.models {
        let slots: Vec<&str> = settings.slots.iter().filter(|slot| slot.model == model.name).map(|slot| slot.name.as_str()).collect();
        let slots = if slots.is_empty() { "no slot".to_owned() } else { slots.join(" ") };
        println!("  {}  {}  in {slots}", model.name, model.image.display());
    }
    GOOD
}
