//! `flashline check`: validate a configuration, its images and this PC.

use std::fmt;
use std::path::Path;

use serde_json::json;

use super::prepare_image::prepare;
use super::{ConfigArg, GOOD, NOT_GOOD, USAGE_OR_STATION, complain, medium, newest_in, say, say_json, sentence};
use crate::config::{ImageCheck, ModelSettings, Settings};
use crate::daemon::arming::ArmError;
use crate::daemon::interlock::{Accepted, Interlock};
use crate::image::stage::find_staged;
use crate::ledger::believed;
use crate::panel::bell::speaker;
use crate::panel::lamps::led::{LedClass, SysfsLeds};
use crate::panel::lines;
use crate::station::armed::ModelProof;
use crate::station::lamp::{LampOwner, OwnedLamp, fits};
use crate::station::sizes::{self, Room};
use crate::station::standing::LogNote;
use crate::station::units::Bytes;
use crate::watch::cover;
use crate::watch::sysfs::Sysfs;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Do not read the images. Without this option every image is unpacked to its end, which can take minutes; the station does the same
    /// before it uses a configuration
    #[arg(long)]
    without_images: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A model, and whether its image would be armed.
struct Look<'a> {
    model: &'a ModelSettings,
    slots: Vec<&'a str>,
    /// `None` if images are not inspected.
    armed: Option<Result<Accepted, ArmError>>,
    /// How long the raw image is, where that is known.
    span: Option<Bytes>,
}

impl Look<'_> {
    fn refusal(&self) -> Option<&ArmError> {
        self.armed.as_ref().and_then(|armed| armed.as_ref().err())
    }
}

pub(super) fn run(args: &Args) -> u8 {
    let settings = match args.config.read_settled(ImageCheck::Proved) {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error);
            return USAGE_OR_STATION;
        }
    };
    let log = medium::look(&settings);
    if let Err(error) = &log {
        complain(error);
        if !args.json {
            return NOT_GOOD;
        }
    }
    let interlock = Interlock::new(&settings, believed(newest_in(&settings.log())));
    let looks: Vec<Look<'_>> = settings.models.iter().map(|model| look(&settings, model, &interlock, args.without_images)).collect();
    // A light that is not plugged in now may be later: it is said, and is no reason against the configuration.
    let missing = missing(&SysfsLeds::default(), &settings.lamps);
    let exposed = exposed_slots(&settings);
    let mut warnings = nowhere(&settings, &Sysfs::default());
    warnings.extend(silent_bell(settings.station_bell.as_deref()));
    let (impossible, tight) = rooms(&settings, &looks);
    warnings.extend(tight);
    warnings.extend(crate::zone::complaint());
    let refused = log.as_ref().err().map(|error| sentence(error));
    if let Ok(Some(why)) = &log {
        warnings.push(format!("{} ({why})", lines::note(LogNote::Volatile)));
    }
    if args.json {
        print_json(&settings, &looks, &missing, &exposed, &warnings, &impossible, refused.as_deref());
    } else {
        print(args, &settings, &looks, &impossible);
        missing.iter().for_each(|led| say(format_args!("  {led}")));
        warnings.iter().for_each(|warning| say(format_args!("  {warning}")));
        if !exposed.is_empty() {
            say(format_args!("  {}", lines::exposed(&exposed)));
        }
    }
    if refused.is_some() {
        return NOT_GOOD;
    }
    // Such a slot would begin no card.
    let shut = !impossible.is_empty() || settings.slots.iter().any(|slot| slot.policy.covered_only && exposed.contains(&slot.name));
    if looks.iter().all(|look| look.refusal().is_none()) && !shut { GOOD } else { NOT_GOOD }
}

/// Why the bell would not sound, where that is so. It may be plugged in later, so that is no reason against the configuration.
fn silent_bell(bell: Option<&Path>) -> Option<String> {
    let bell = bell?;
    let error = speaker::look(bell).err()?;
    Some(format!(
        "the bell {} cannot sound: {error}: plug it in, or correct `bell` in [station]; the speaker of a PC needs `modprobe pcspkr`",
        bell.display()
    ))
}

/// Ports of controllers that this PC does not have now. One may be plugged in later, so that is no reason against the configuration.
fn nowhere(settings: &Settings, sysfs: &Sysfs) -> Vec<String> {
    let ports = settings.slots.iter().flat_map(|slot| slot.ports.iter().map(move |port| (slot, port)));
    let missing = ports.filter(|(_, port)| !sysfs.has_controller(port));
    missing
        .map(|(slot, port)| {
            let controller = port.controller();
            format!(
                "slot {}: this PC has no controller {controller}, so no card is ever seen in {port}: `flashline slots` lists the ports",
                slot.name
            )
        })
        .collect()
}

/// The slots from which the PC's other programs are not kept.
fn exposed_slots(settings: &Settings) -> Vec<String> {
    let ports = settings.slots.iter().flat_map(|slot| slot.ports.iter().cloned()).collect();
    let covered = cover::of_ports(&Sysfs::default(), &ports);
    let exposed = settings.slots.iter().filter(|slot| slot.ports.iter().any(|port| covered.get(port) == Some(&false)));
    exposed.map(|slot| slot.name.clone()).collect()
}

/// What the station would do when it arms this model, with the copy it has, or with the image as it lies there.
fn look<'a>(settings: &'a Settings, model: &'a ModelSettings, interlock: &Interlock, unseen: bool) -> Look<'a> {
    let slots = settings.slots.iter().filter(|slot| slot.model == model.name).map(|slot| slot.name.as_str()).collect();
    let requirement = interlock.requirement(model).map_err(ArmError::from);
    if unseen && requirement.is_ok() {
        return Look { model, slots, armed: None, span: None };
    }
    let mut span = None;
    let armed = requirement.and_then(|requirement| {
        let staged = find_staged(&model.image, &settings.store()).map_or_else(|| prepare(&model.image), Ok)?;
        span = Some(staged.span());
        Ok(requirement.check(&staged)?)
    });
    Look { model, slots, armed: Some(armed), span }
}

/// What is wrong between a slot's cards and its image, and what is only to be known.
fn rooms(settings: &Settings, looks: &[Look<'_>]) -> (Vec<String>, Vec<String>) {
    let (mut none, mut tight) = (Vec::new(), Vec::new());
    for look in looks {
        let Some(span) = look.span else { continue };
        for slot in settings.slots.iter().filter(|slot| slot.model == look.model.name) {
            let (window, name) = (slot.policy.capacity, &slot.name);
            match (sizes::room(span, window), window) {
                (Room::None, Some((least, most))) => none.push(format!(
                    "slot {name}: no card of {} holds this image of {span}: correct `capacity_gb`, or the image",
                    sizes::window(least, most)
                )),
                (Room::Tight(size), _) => {
                    tight.push(format!("slot {name}: many cards of {} are smaller than this image of {span}", sizes::on_label(size)));
                }
                (Room::None | Room::Enough, _) => {}
            }
        }
    }
    (none, tight)
}

/// An LED of a lamp that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
struct Missing<'a> {
    owner: &'a LampOwner,
    led: &'a str,
    why: String,
}

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the lamp of {}: {}", short(self.owner), self.why)
    }
}

/// A slot by its name alone.
fn short(owner: &LampOwner) -> &str {
    match owner {
        LampOwner::Station => "the station",
        LampOwner::Slot(slot) => slot,
    }
}

/// The LEDs that no lamp could switch now.
fn missing<'a>(class: &impl LedClass, lamps: &'a [OwnedLamp]) -> Vec<Missing<'a>> {
    let mut missing = Vec::new();
    if lamps.is_empty() {
        return missing;
    }
    let there = class.names().unwrap_or_default();
    let known = if there.is_empty() { "none at all".to_owned() } else { there.join(", ") };
    let mut taken: Vec<(&LampOwner, &str)> = Vec::new();
    for (owner, led) in lamps.iter().flat_map(|lamp| lamp.lamp.leds().into_iter().map(|(_, led)| (&lamp.owner, led))) {
        let fitting: Vec<&str> = there.iter().map(String::as_str).filter(|name| fits(led, name)).collect();
        let why = match fitting.as_slice() {
            [] => Some(format!("there is no LED {led} in /sys/class/leds: plug it in, or correct the name; there are {known}")),
            [only] => {
                let before = taken.iter().find(|(_, name)| name == only).map(|(owner, _)| *owner);
                taken.push((owner, only));
                let has = |trigger: &str| {
                    let triggers = class.read(only, "trigger").unwrap_or_default();
                    triggers.split_whitespace().any(|word| word.trim_matches(['[', ']']) == trigger)
                };
                match before {
                    Some(other) => {
                        Some(format!("the LED {led} is {only}, which is the lamp of {}, too: an LED is one lamp's", short(other)))
                    }
                    None if !has("pattern") => {
                        Some(format!("the LED {led} cannot blink in beats yet: modprobe -a ledtrig-pattern ledtrig-timer"))
                    }
                    None => None,
                }
            }
            several => Some(format!("several LEDs are called {led} ({}): name one of them", several.join(", "))),
        };
        missing.extend(why.map(|why| Missing { owner, led, why }));
    }
    missing
}

fn print_json(
    settings: &Settings,
    looks: &[Look<'_>],
    missing: &[Missing<'_>],
    exposed: &[String],
    warnings: &[String],
    impossible: &[String],
    log_refused: Option<&str>,
) {
    let slots: Vec<_> = settings
        .slots
        .iter()
        .map(|slot| {
            let ports: Vec<&str> = slot.ports.iter().map(|port| port.0.as_str()).collect();
            let lamp = lamp_json(settings, &LampOwner::Slot(slot.name.clone()));
            json!({"slot": slot.name, "ports": ports, "model": slot.model, "lamp": lamp})
        })
        .collect();
    let models: Vec<_> = looks
        .iter()
        .map(|look| {
            let known = look.armed.as_ref().and_then(|armed| armed.as_ref().ok());
            let proof = known.map(|known| &known.model_proof);
            let device = proof.and_then(ModelProof::device);
            json!({
                "model": look.model.name,
                "image": look.model.image,
                "armed": look.armed.as_ref().map(Result::is_ok),
                "reason": look.refusal().map(|error| sentence(error)),
                "model_proof": proof.map(ModelProof::word),
                "device": device.map(|device| format!("{}/{}", device.brand, device.model)),
                "revision": device.map(|device| device.revision),
                "uncovered": known.map(|known| known.uncovered.as_slice()).unwrap_or_default(),
                "warnings": known.map(|known| known.warnings.as_slice()).unwrap_or_default(),
            })
        })
        .collect();
    let leds: Vec<_> = missing.iter().map(|led| json!({"slot": slot_of(led.owner), "led": led.led, "reason": led.why})).collect();
    say_json(&json!({
        "station": settings.station.name, "lamp": lamp_json(settings, &LampOwner::Station), "state": settings.state, "models": models, "slots": slots, "leds_missing": leds, "exposed": exposed,
        "warnings": warnings, "impossible": impossible, "log_refused": log_refused,
    }));
}

/// The LEDs of a lamp by their keys; nothing where there is none.
fn lamp_json(settings: &Settings, owner: &LampOwner) -> Option<serde_json::Map<String, serde_json::Value>> {
    let lamp = settings.lamps.iter().find(|lamp| lamp.owner == *owner)?;
    Some(lamp.lamp.leds().into_iter().map(|(key, led)| (key.to_owned(), json!(led))).collect())
}

/// Nothing for the lamp of the whole station.
fn slot_of(owner: &LampOwner) -> Option<&str> {
    if let LampOwner::Slot(slot) = owner { Some(slot) } else { None }
}

fn print(args: &Args, settings: &Settings, looks: &[Look<'_>], impossible: &[String]) {
    let refused = looks.iter().filter(|look| look.refusal().is_some()).count();
    let verdict = if refused == 0 && impossible.is_empty() {
        "is good".to_owned()
    } else if refused == 0 {
        "has slots whose cards cannot hold their image".to_owned()
    } else {
        format!("would leave {refused} of {} models disarmed", looks.len())
    };
    say(format_args!(
        "{} {verdict}: station {}, state in {}",
        args.config.path().display(),
        settings.station.name,
        settings.state.display()
    ));
    impossible.iter().for_each(|words| say(format_args!("  {words}")));
    for look in looks {
        let slots = if look.slots.is_empty() { "no slot".to_owned() } else { look.slots.join(" ") };
        say(format_args!("  {}  {}  in {slots}", look.model.name, look.model.image.display()));
        match &look.armed {
            None => say("    not looked into"),
            Some(Ok(Accepted { model_proof, uncovered, warnings })) => {
                let device =
                    model_proof.device().map(|device| format!(": {}/{}, revision {}", device.brand, device.model, device.revision));
                say(format_args!("    model proof: {}{}", model_proof.word(), device.unwrap_or_default()));
                for words in uncovered {
                    say(format_args!("    not covered: {words}"));
                }
                for words in warnings {
                    say(format_args!("    warning: {words}"));
                }
            }
            Some(Err(error)) => say(format_args!("    DISARMED: {}", sentence(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::station::lamp::Lamp;

    #[test]
    fn every_led_that_could_not_be_switched_is_named_with_what_there_is_and_a_cure() {
        let root = tempfile::tempdir().expect("a directory");
        for (led, triggers) in
            [("thingm0:red:led0", "[none] timer pattern"), ("input3::capslock", "[none] timer"), ("mmc0::", "none [mmc0] pattern")]
        {
            fs::create_dir(root.path().join(led)).expect("made");
            fs::write(root.path().join(led).join("trigger"), triggers).expect("written");
        }
        let one = |slot: &str, led: &str| OwnedLamp::of_slot(slot, Lamp::One(led.to_owned()));
        let class = SysfsLeds::at(root.path());
        let lamps = [
            one("A1", "thingm*:red:led0"),
            one("A2", "input3::capslock"),
            one("A3", "led9"),
            one("A4", "*m*"),
            one("A5", "mmc0::"),
            one("A6", "mm*::"),
            OwnedLamp { owner: LampOwner::Station, lamp: Lamp::One("led8".to_owned()) },
        ];
        let said: Vec<String> = missing(&class, &lamps).iter().map(ToString::to_string).collect();
        let expected = [
            "the lamp of A2: the LED input3::capslock cannot blink in beats yet: modprobe -a ledtrig-pattern",
            "the lamp of A3: there is no LED led9 in /sys/class/leds: plug it in, or correct the name; there are input3::capslock, mmc0::, thingm0:red:led0",
            "the lamp of A4: several LEDs are called *m* (mmc0::, thingm0:red:led0): name one of them",
            "the lamp of A6: the LED mm*:: is mmc0::, which is the lamp of A5, too",
            "the lamp of the station: there is no LED led8 in /sys/class/leds",
        ];
        assert_eq!(said.len(), expected.len(), "{said:?}");
        assert!(said.iter().zip(expected).all(|(said, expected)| said.starts_with(expected)), "{said:#?}");
        assert_eq!(missing(&SysfsLeds::at("/nonexistent"), &[]), [], "a station without lamps is asked for none");
        assert_eq!(silent_bell(None), None, "nor for a bell");
        let said = silent_bell(Some(Path::new("/dev/input/none"))).expect("it is not there");
        assert!(said.starts_with("the bell /dev/input/none cannot sound: No such file") && said.contains("modprobe pcspkr"), "{said}");
    }
}
