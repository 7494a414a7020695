//! One lamp: writes to its LEDs when their light changes, and again when one of them was plugged in anew.

use std::time::Duration;
use std::{fmt, io};

use super::led::{self, GIVEN_WITHIN, LedClass, Means};
use super::light::{Light, Program};
use crate::station::lamp::{Lamp, fits};

/// A problem of an LED for the engineer. It is reported once, and once more when it is over.
#[derive(Debug)]
pub(crate) enum News {
    /// It does not show the right light.
    Ill {
        /// The LED, as configured.
        led: String,
        /// Why it could not be switched.
        error: io::Error,
    },
    /// It shows the right light again.
    Well {
        /// The LED, as configured.
        led: String,
    },
    /// It can only blink evenly.
    Evenly {
        /// The LED, as configured.
        led: String,
    },
    /// It cannot blink at all.
    Still {
        /// The LED, as configured.
        led: String,
    },
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ill { led, error } if error.kind() == io::ErrorKind::NotFound => {
                write!(f, "there is no LED {led} in /sys/class/leds: it is lit when it is back")
            }
            Self::Ill { led, error } => write!(f, "the LED {led} cannot be switched: {error}: it is tried again and again"),
            Self::Well { led } => write!(f, "the LED {led} works again"),
            Self::Evenly { led } => {
                write!(f, "the LED {led} has no trigger `pattern` and blinks evenly: modprobe ledtrig-pattern, then restart the station")
            }
            Self::Still { led } => write!(
                f,
                "the LED {led} has no trigger that blinks and shows only steady signs: modprobe -a ledtrig-pattern ledtrig-timer, then \
                 restart the station"
            ),
        }
    }
}

/// A configured LED, and its last request.
#[derive(Debug)]
struct Bulb {
    named: String,
    /// The LED with that name. Kept while it exists, so that a second one that fits later changes nothing.
    found: Option<String>,
    /// Its state, as far as it is known.
    does: Option<(Program, Means)>,
    ill: bool,
    /// It was reported that it cannot blink as it should.
    said: Option<Means>,
    /// The value that is read back never equals the written one: it is assumed to be right.
    unreadable: bool,
    /// How long it waits for the files of a new trigger.
    given_within: Duration,
}

impl Bulb {
    fn new(named: &str) -> Self {
        Self { named: named.to_owned(), found: None, does: None, ill: false, said: None, unreadable: false, given_within: GIVEN_WITHIN }
    }

    /// Makes it do this, unless it already does.
    fn show(&mut self, class: &impl LedClass, program: &Program) -> Vec<News> {
        if self.does.as_ref().is_some_and(|(does, _)| does == program) {
            return Vec::new();
        }
        // Its state is unknown until this succeeds.
        self.does = None;
        let led = self.named.clone();
        let mut news = Vec::new();
        match self.find(class).and_then(|found| led::run(class, &found, program, self.given_within)) {
            Ok(means) => {
                self.does = Some((program.clone(), means));
                if std::mem::take(&mut self.ill) {
                    news.push(News::Well { led: led.clone() });
                }
                if means != Means::Exactly && self.said != Some(means) {
                    self.said = Some(means);
                    news.push(if means == Means::Evenly { News::Evenly { led } } else { News::Still { led } });
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.ill, true) {
                    news.push(News::Ill { led, error });
                }
            }
        }
        news
    }

    /// The LED with the configured name.
    fn find(&mut self, class: &impl LedClass) -> io::Result<String> {
        if !self.named.contains('*') {
            return Ok(self.named.clone());
        }
        if let Some(found) = &self.found
            && class.read(found, "max_brightness").is_ok()
        {
            return Ok(found.clone());
        }
        self.found = None;
        let fitting: Vec<String> = class.names()?.into_iter().filter(|led| fits(&self.named, led)).collect();
        match fitting.as_slice() {
            [] => Err(io::ErrorKind::NotFound.into()),
            [only] => {
                self.found = Some(only.clone());
                Ok(only.clone())
            }
            several => Err(io::Error::other(format!("several are called so ({}): name one of them", several.join(", ")))),
        }
    }

    /// Switches it off, unless it blinks by a pattern.
    fn darken(&mut self, class: &impl LedClass) -> Vec<News> {
        match self.find(class).and_then(|found| led::has_pattern(class, &found)) {
            Ok(true) => Vec::new(),
            Ok(false) | Err(_) => self.show(class, &Program::Dark),
        }
    }

    /// Makes it do this again if it no longer does.
    fn look_after(&mut self, class: &impl LedClass, program: &Program) -> Vec<News> {
        if let (Some((does, means)), Ok(found)) = (self.does.clone(), self.find(class)) {
            match led::stands(class, &found, &does, means) {
                Ok(true) => return Vec::new(),
                Ok(false) if self.unreadable => return Vec::new(),
                Ok(false) | Err(_) => {}
            }
        }
        let was_known = self.does.take().is_some();
        let news = self.show(class, program);
        // Just written, but it already reads differently, so it always will.
        if let (true, Some((does, means)), Ok(found)) = (was_known, self.does.clone(), self.find(class)) {
            self.unreadable = led::stands(class, &found, &does, means).is_ok_and(|stands| !stands);
        }
        news
    }
}

/// A lamp and the last requests to its LEDs.
#[derive(Debug)]
pub(crate) struct LampWriter<C> {
    class: C,
    lamp: Lamp,
    odd: bool,
    bulbs: Vec<Bulb>,
    light: Light,
}

impl<C: LedClass> LampWriter<C> {
    /// A lamp without a request so far; `odd` ones alternate in the opposite phase.
    pub(crate) fn new(class: C, lamp: Lamp, odd: bool) -> Self {
        let bulbs = lamp.leds().into_iter().map(|(_, led)| Bulb::new(led)).collect();
        Self { class, lamp, odd, bulbs, light: Light::Dark }
    }

    /// Waits so long for the files of a new trigger, for a lamp that nobody looks after later.
    pub(crate) fn waiting_for_files(mut self, within: Duration) -> Self {
        self.bulbs.iter_mut().for_each(|bulb| bulb.given_within = within);
        self
    }

    /// Switches off each LED that would keep its last sign until the files of a new trigger are given, and returns problems of the LEDs.
    pub(crate) fn darken(&mut self) -> Vec<News> {
        self.bulbs.iter_mut().flat_map(|bulb| bulb.darken(&self.class)).collect()
    }

    /// Shows this light, and returns problems of the LEDs for the engineer.
    pub(crate) fn show(&mut self, light: Light) -> Vec<News> {
        self.light = light;
        let mut parts: Vec<(&mut Bulb, Program)> = self.bulbs.iter_mut().zip(light.programs(&self.lamp, self.odd)).collect();
        // The old light is switched off first: red and green at once would be ambiguous.
        parts.sort_by_key(|(_, program)| *program != Program::Dark);
        parts.into_iter().flat_map(|(bulb, program)| bulb.show(&self.class, &program)).collect()
    }

    /// Shows the same light again on LEDs that no longer show it.
    pub(crate) fn look_after(&mut self) -> Vec<News> {
        let programs = self.light.programs(&self.lamp, self.odd);
        self.bulbs.iter_mut().zip(programs).flat_map(|(bulb, program)| bulb.look_after(&self.class, &program)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::ram::RamLeds;
    use super::*;
    use crate::station::sign::OperatorAction;

    fn writer(leds: &RamLeds, keys: &[(&str, &str)]) -> LampWriter<RamLeds> {
        let lamp = Lamp::of_keys(|key| keys.iter().find(|(other, _)| *other == key).map(|(_, name)| (*name).to_owned())).expect("a lamp");
        LampWriter::new(leds.clone(), lamp, false)
    }

    fn light(call: OperatorAction) -> Light {
        Light::of(call, false)
    }

    fn said(news: &[News]) -> Vec<String> {
        news.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_shown_already_is_not_written_again() {
        let leds = RamLeds::with(&["g", "r"]);
        let mut lamp = writer(&leds, &[("green", "g"), ("red", "r")]);
        assert!(lamp.show(light(OperatorAction::Wait)).is_empty());
        assert!(!leds.writes().is_empty());
        assert!(lamp.show(light(OperatorAction::Wait)).is_empty() && lamp.look_after().is_empty());
        assert_eq!(leds.writes(), [], "nothing changed");
        lamp.show(light(OperatorAction::TakeBad));
        assert!(leds.writes().iter().all(|(led, ..)| led == "r"), "green was dark and stays so");
    }

    #[test]
    fn what_was_shown_goes_out_before_anything_else_is_lit() {
        let leds = RamLeds::with(&["g", "r"]);
        let mut lamp = writer(&leds, &[("green", "g"), ("red", "r")]);
        for (from, to) in [(OperatorAction::TakeGood, OperatorAction::TakeBad), (OperatorAction::TakeBad, OperatorAction::TakeGood)] {
            lamp.show(light(from));
            leds.writes();
            lamp.show(light(to));
            let goes_out = if from == OperatorAction::TakeGood { "g" } else { "r" };
            let order: Vec<String> = leds.writes().into_iter().map(|(led, ..)| led).collect();
            let first_other = order.iter().position(|led| led != goes_out).expect("the other is lit");
            assert!(first_other > 0 && order[first_other..].iter().all(|led| led != goes_out), "{order:?}");
        }
    }

    #[test]
    fn a_light_that_is_unplugged_is_said_once_and_lit_again_when_it_is_back() {
        let leds = RamLeds::with(&["g", "r"]);
        let mut lamp = writer(&leds, &[("green", "g"), ("red", "r")]);
        lamp.show(light(OperatorAction::TakeGood));
        leds.unplug("g");
        assert_eq!(said(&lamp.look_after()), ["there is no LED g in /sys/class/leds: it is lit when it is back"]);
        assert!(lamp.look_after().is_empty() && lamp.show(light(OperatorAction::TakeBad)).is_empty(), "said once");
        assert_eq!(leds.trigger("r"), "pattern", "and the other LED goes on");
        lamp.show(light(OperatorAction::TakeGood));
        leds.plug("g");
        assert_eq!(said(&lamp.look_after()), ["the LED g works again"]);
        assert_eq!(leds.get("g", "brightness"), "255");
    }

    #[test]
    fn a_light_that_was_plugged_in_anew_or_switched_by_somebody_else_shows_the_same_as_before() {
        let leds = RamLeds::with(&["a"]);
        let mut lamp = writer(&leds, &[("led", "a")]);
        for call in OperatorAction::ALL {
            lamp.show(light(call));
            let (trigger, brightness) = (leds.trigger("a"), leds.get("a", "brightness"));
            leds.plug("a");
            leds.write("a", "trigger", "kbd-capslock").expect("it is there");
            lamp.look_after();
            assert_eq!((leds.trigger("a"), leds.get("a", "brightness")), (trigger, brightness), "{call:?}");
        }
    }

    #[test]
    fn a_kernel_that_cannot_blink_so_is_said_once() {
        let leds = RamLeds::with(&["a"]);
        leds.have_triggers(&["none", "timer"]);
        let mut lamp = writer(&leds, &[("led", "a")]);
        let news = said(&lamp.show(light(OperatorAction::Wait)));
        assert!(news.len() == 1 && news[0].contains("modprobe ledtrig-pattern"), "{news:?}");
        assert!(lamp.show(light(OperatorAction::TakeBad)).is_empty());
        leds.have_triggers(&["none"]);
        let news = said(&lamp.show(light(OperatorAction::Wait)));
        assert!(news.len() == 1 && news[0].contains("modprobe -a ledtrig-pattern ledtrig-timer"), "{news:?}");
        assert_eq!(leds.get("a", "brightness"), "0", "what cannot blink never looks good");
    }

    #[test]
    fn a_name_with_a_star_is_the_one_led_that_fits_and_stays_it_while_it_is_there() {
        let leds = RamLeds::with(&["input3::capslock", "input3::numlock"]);
        let mut lamp = writer(&leds, &[("led", "input*::capslock")]);
        lamp.show(light(OperatorAction::TakeGood));
        assert_eq!(leds.get("input3::capslock", "brightness"), "255");
        leds.plug("input4::capslock");
        assert!(lamp.show(light(OperatorAction::PutIn)).is_empty(), "a second keyboard changes nothing");
        assert_eq!(leds.get("input3::capslock", "brightness"), "0");
        lamp.show(light(OperatorAction::TakeGood));
        leds.unplug("input3::capslock");
        lamp.look_after();
        assert_eq!(leds.get("input4::capslock", "brightness"), "255", "the keyboard was put into another socket");
        leds.plug("input5::capslock");
        let news = said(&writer(&leds, &[("led", "input*::capslock")]).show(light(OperatorAction::PutIn)));
        assert!(news[0].contains("several are called so (input4::capslock, input5::capslock): name one of them"), "{news:?}");
    }
}
