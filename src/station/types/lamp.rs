//! A lamp of a slot or of the whole station: its LEDs. Other modules decide what they show.

use std::fmt;

/// Every key of a lamp, the single LED first.
pub(crate) const KEYS: [&str; 5] = ["led", "green", "red", "yellow", "blue"];

/// The LEDs of one lamp, by their names in `/sys/class/leds`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lamp {
    /// One LED, of any colour or with several: its rhythm alone is unambiguous.
    One(String),
    /// Several, each of one colour.
    Several(Colours),
}

/// A lamp of several LEDs. In a slot's lamp the green one is lit for a proven card only, unless there is no other LED for a colour; in the
/// station's lamp, while all is well.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Colours {
    /// LED for a proven card, or a station that is well.
    pub green: String,
    /// LED for a bad card, or one that is not trustworthy.
    pub red: Option<String>,
    /// LED for neither good nor bad: yellow or amber.
    pub yellow: Option<String>,
    /// LED for a busy card: blue or white.
    pub blue: Option<String>,
}

/// The subject of a lamp.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LampOwner {
    /// The whole station.
    Station,
    /// The slot with this name, as on its sticker.
    Slot(String),
}

impl fmt::Display for LampOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Station => f.write_str("the station"),
            Self::Slot(slot) => write!(f, "slot {slot}"),
        }
    }
}

/// A lamp and its subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OwnedLamp {
    /// The slot or station that it belongs to.
    pub owner: LampOwner,
    /// The LEDs that it consists of.
    pub lamp: Lamp,
}

impl OwnedLamp {
    /// The lamp of this slot.
    #[must_use]
    pub(crate) fn of_slot(slot: &str, lamp: Lamp) -> Self {
        Self { owner: LampOwner::Slot(slot.to_owned()), lamp }
    }
}

/// Why these keys do not make a lamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoLamp {
    /// No LED is named.
    Empty,
    /// A single LED and colours are both given.
    Both,
    /// Colours are given, but no green one.
    NoGreen,
    /// This cannot be the name of an LED.
    Name {
        /// The key of the configuration.
        key: &'static str,
        /// The value of that key.
        name: String,
    },
    /// One LED is given twice.
    Twice {
        /// The LED that is named twice.
        name: String,
    },
}

impl NoLamp {
    /// The key of the mistake, if it has one.
    #[must_use]
    pub(crate) fn key(&self) -> Option<&'static str> {
        match self {
            Self::Empty | Self::NoGreen | Self::Twice { .. } => None,
            Self::Both => Some("led"),
            Self::Name { key, .. } => Some(key),
        }
    }
}

impl fmt::Display for NoLamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "`lamp` names no LED: write lamp = { led = \"NAME\" } for a single one, or lamp = { green = \"NAME\", red = \"NAME\" }, \
                 with names from /sys/class/leds",
            ),
            Self::Both => f.write_str("`led` is for a lamp of a single LED: leave it out, or the colours"),
            Self::NoGreen => f.write_str("`lamp` has colours and no `green`: name the LED that means good, or a single one with `led`"),
            Self::Name { key, name } => write!(
                f,
                "`{key}`: {name:?} is no name of an LED: it is one from /sys/class/leds, and `*` may stand for the number in it that changes"
            ),
            Self::Twice { name } => write!(f, "`lamp` has the LED {name:?} twice: an LED is one colour, remove it from one of them"),
        }
    }
}

impl Lamp {
    /// Makes a lamp of these keys.
    ///
    /// # Errors
    /// If they do not make a lamp.
    pub(crate) fn of_keys(named: impl Fn(&str) -> Option<String>) -> Result<Self, NoLamp> {
        let mut names: Vec<String> = Vec::new();
        for key in KEYS {
            let Some(name) = named(key) else { continue };
            if !is_name(&name) {
                return Err(NoLamp::Name { key, name });
            }
            if let Some(twice) = names.iter().find(|other| overlap(other, &name)) {
                return Err(NoLamp::Twice { name: twice.clone() });
            }
            names.push(name);
        }
        match (named("led"), named("green")) {
            (Some(led), None) if names.len() == 1 => Ok(Self::One(led)),
            (Some(_), _) => Err(NoLamp::Both),
            (None, Some(green)) => Ok(Self::Several(Colours { green, red: named("red"), yellow: named("yellow"), blue: named("blue") })),
            (None, None) if names.is_empty() => Err(NoLamp::Empty),
            (None, None) => Err(NoLamp::NoGreen),
        }
    }

    /// Its LEDs by key, in the order of [`KEYS`].
    #[must_use]
    pub(crate) fn leds(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::One(led) => vec![("led", led)],
            Self::Several(Colours { green, red, yellow, blue }) => {
                let others = [("red", red), ("yellow", yellow), ("blue", blue)];
                let others = others.into_iter().filter_map(|(key, led)| Some((key, led.as_deref()?)));
                [("green", green.as_str())].into_iter().chain(others).collect()
            }
        }
    }
}

/// A valid file name, without characters that would break a line or lead to another directory.
fn is_name(name: &str) -> bool {
    let plain = !name.chars().any(|sign| sign == '/' || sign.is_control()) && name.trim() == name;
    plain && !matches!(name, "" | "." | ".." | "*")
}

/// Is this LED the named one, where `*` stands for any characters? The kernel numbers keyboards and lights anew each time they are plugged
/// in.
#[must_use]
pub(crate) fn fits(named: &str, led: &str) -> bool {
    let Some((head, tail)) = named.split_once('*') else { return named == led };
    let Some(mut rest) = led.strip_prefix(head) else { return false };
    loop {
        if fits(tail, rest) {
            return true;
        }
        let mut signs = rest.chars();
        if signs.next().is_none() {
            return false;
        }
        rest = signs.as_str();
    }
}

/// May two names mean one LED?
#[must_use]
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    fits(one, other) || fits(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lamp(keys: &[(&str, &str)]) -> Result<Lamp, NoLamp> {
        Lamp::of_keys(|key| keys.iter().find(|(other, _)| *other == key).map(|(_, name)| (*name).to_owned()))
    }

    #[test]
    fn a_lamp_is_a_single_led_or_a_green_one_with_others() {
        assert_eq!(lamp(&[("led", "mmc0::")]), Ok(Lamp::One("mmc0::".into())));
        let both = lamp(&[("red", "r"), ("green", "g")]).expect("it is one");
        assert_eq!(both.leds(), [("green", "g"), ("red", "r")]);
        assert_eq!(lamp(&[("green", "g")]).expect("it is one").leds(), [("green", "g")]);
        let all = lamp(&[("blue", "b"), ("yellow", "y"), ("red", "r"), ("green", "g")]).expect("it is one");
        assert_eq!(all.leds().iter().map(|(key, _)| *key).collect::<Vec<_>>(), KEYS[1..]);
    }

    #[test]
    fn what_is_no_lamp_says_why_and_what_to_write() {
        let wrong = [
            (&[][..], "names no LED: write lamp = { led"),
            (&[("led", "a"), ("green", "b")], "`led` is for a lamp of a single LED"),
            (&[("led", "a"), ("red", "b")], "`led` is for a lamp of a single LED"),
            (&[("red", "a"), ("blue", "b")], "no `green`: name the LED that means good"),
            (&[("green", "a"), ("red", "a")], "has the LED \"a\" twice"),
            (&[("green", "a*"), ("red", "a1")], "has the LED \"a*\" twice"),
            (&[("led", "../../block/sda")], "`led`: \"../../block/sda\" is no name of an LED"),
            (&[("green", "..")], "`green`: \"..\" is no name"),
            (&[("green", "*")], "`green`: \"*\" is no name"),
            (&[("green", "g\n")], "is no name"),
            (&[("led", "")], "is no name"),
        ];
        for (keys, expected) in wrong {
            let error = lamp(keys).expect_err(expected);
            assert!(error.to_string().contains(expected), "{keys:?}: {error}");
        }
    }

    #[test]
    fn a_star_stands_for_the_number_that_changes_with_each_plug() {
        assert!(fits("input*::capslock", "input3::capslock") && fits("input*::capslock", "input12::capslock"));
        assert!(!fits("input*::capslock", "input3::numlock") && !fits("input*::capslock", "xinput3::capslock"));
        assert!(fits("thingm*:green:led*", "thingm0:green:led1") && !fits("thingm*:green:led*", "thingm0:red:led1"));
        assert!(fits("a*", "a") && fits("*a*a", "aaa") && !fits("*a*a", "a") && fits("mmc0::", "mmc0::") && !fits("mmc0::", "mmc0:"));
        assert!(overlap("mmc*::", "mmc0::") && overlap("mmc0::", "mmc*::") && !overlap("mmc0::", "mmc1::"));
    }
}
