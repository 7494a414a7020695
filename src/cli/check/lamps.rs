//! Whether every lamp and the bell could be switched now. What is not plugged in may be later, so none of it speaks against the
//! configuration.

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::finding::{Finding, Subject, counted};
use crate::config::Settings;
use crate::panel::bell::speaker;
use crate::panel::lamps::led::LedClass;
use crate::station::lamp::{LampOwner, OwnedLamp, fits};

/// An LED of a lamp that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing<'a> {
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
pub(super) fn missing<'a>(class: &impl LedClass, lamps: &'a [OwnedLamp]) -> Vec<Missing<'a>> {
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

impl Missing<'_> {
    pub(super) fn json(&self) -> Value {
        let slot = if let LampOwner::Slot(slot) = self.owner { Some(slot) } else { None };
        json!({"slot": slot, "led": self.led, "reason": self.why})
    }
}

/// The LEDs of a lamp by their keys; nothing where there is none.
pub(super) fn lamp_json(settings: &Settings, owner: &LampOwner) -> Option<Map<String, Value>> {
    let lamp = settings.lamps.iter().find(|lamp| lamp.owner == *owner)?;
    Some(lamp.lamp.leds().into_iter().map(|(key, led)| (key.to_owned(), json!(led))).collect())
}

/// A finding for every LED that is missing; one for all where none is.
pub(super) fn findings(lamps: &[OwnedLamp], missing: &[Missing<'_>]) -> Vec<Finding> {
    if missing.is_empty() && !lamps.is_empty() {
        return vec![Finding::good(Subject::Lamp, format!("every LED of {} is there and can blink", counted(lamps.len(), "lamp")))];
    }
    missing.iter().map(|led| Finding::warning(Subject::Lamp, led.to_string())).collect()
}

/// Why the bell would not sound, where that is so.
pub(super) fn bell(bell: Option<&Path>) -> Option<Finding> {
    let bell = bell?;
    let place = bell.display();
    Some(match speaker::look(bell) {
        Ok(_) => Finding::good(Subject::Bell, format!("the bell {place} is a sound device")),
        Err(error) => Finding::warning(
            Subject::Bell,
            format!(
                "the bell {place} cannot sound: {error}: plug it in, or correct `bell` in [station]; the speaker of a PC needs `modprobe pcspkr`"
            ),
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::panel::lamps::led::SysfsLeds;
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
        assert_eq!(bell(None), None, "nor for a bell");
        let said = bell(Some(Path::new("/dev/input/none"))).expect("it is asked for").what;
        assert!(said.starts_with("the bell /dev/input/none cannot sound: No such file") && said.contains("modprobe pcspkr"), "{said}");
    }
}
