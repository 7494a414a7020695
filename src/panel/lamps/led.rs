//! The LED class of the kernel: a directory for each LED, a file for each attribute (Documentation/leds/leds-class.rst).
//!
//! The kernel makes them blink, by its triggers `pattern` and `timer`. This needs no work here, and continues after the station has ended.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use super::light::{Beat, Colour, Program};

/// The files of a trigger come with it and belong to root, until udev has heard of it and given them to the station. A station that runs as
/// root waits for nothing. On a busy PC this takes longer: the LED is dark until then, and tried again.
pub(crate) const GIVEN_WITHIN: Duration = Duration::from_secs(1);
/// How often it is tried meanwhile.
const GIVEN_INTERVAL: Duration = Duration::from_millis(10);

/// Access to LEDs by name. Errors are those of the kernel.
pub(crate) trait LedClass {
    /// The names of all LEDs.
    ///
    /// # Errors
    /// If they cannot be listed.
    fn names(&self) -> io::Result<Vec<String>>;

    /// The contents of an attribute of an LED.
    ///
    /// # Errors
    /// If it does not exist, or cannot be read.
    fn read(&self, led: &str, attribute: &str) -> io::Result<String>;

    /// Writes an attribute of an LED.
    ///
    /// # Errors
    /// If it does not exist, or rejects the value.
    fn write(&self, led: &str, attribute: &str, text: &str) -> io::Result<()>;
}

/// The kernel's LEDs, in sysfs.
#[derive(Clone, Debug)]
pub(crate) struct SysfsLeds {
    root: PathBuf,
}

impl Default for SysfsLeds {
    fn default() -> Self {
        Self::at("/sys/class/leds")
    }
}

impl SysfsLeds {
    /// The LEDs below this directory.
    pub(crate) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl LedClass for SysfsLeds {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort();
        Ok(names)
    }

    fn read(&self, led: &str, attribute: &str) -> io::Result<String> {
        fs::read_to_string(self.root.join(led).join(attribute))
    }

    fn write(&self, led: &str, attribute: &str, text: &str) -> io::Result<()> {
        // The file is never created: an LED that is gone must not become a regular file.
        let mut file = OpenOptions::new().write(true).truncate(true).open(self.root.join(led).join(attribute))?;
        file.write_all(text.as_bytes())
    }
}

/// How exactly an LED does what was requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// Exactly, beat by beat.
    Exactly,
    /// This kernel has no trigger `pattern` now: the LED blinks evenly.
    Evenly,
    /// It has no trigger that blinks.
    Still,
}

/// Makes an LED do this. The files of a new trigger must be given to this process within this time.
pub(super) fn run(class: &impl LedClass, led: &str, program: &Program, given_within: Duration) -> io::Result<Means> {
    match program {
        Program::Dark => {
            class.write(led, "trigger", "none")?;
            class.write(led, "brightness", "0")?;
            Ok(Means::Exactly)
        }
        Program::Steady(colour) => {
            stay_lit(class, led, *colour)?;
            Ok(Means::Exactly)
        }
        Program::Blink { colour, beats, even, may_stay_lit } => {
            let triggers = class.read(led, "trigger")?;
            let has = |name: &str| triggers.split_whitespace().any(|word| word.trim_matches(['[', ']']) == name);
            if has("pattern") {
                tint(class, led, *colour)?;
                let most = most(class, led)?;
                // Set once more, it would come with other files, which are root's again.
                if current(&triggers) != "pattern" {
                    // A lit LED without a trigger stays lit until the pattern is written, which may be a while.
                    class.write(led, "brightness", "0")?;
                    class.write(led, "trigger", "pattern")?;
                }
                write_when_given(class, led, "pattern", &pattern(beats, &most), given_within)?;
                Ok(Means::Exactly)
            } else if has("timer") {
                tint(class, led, *colour)?;
                // The timer uses the present brightness of an LED that is lit, and the maximum of a dark one.
                class.write(led, "trigger", "none")?;
                class.write(led, "brightness", "0")?;
                class.write(led, "trigger", "timer")?;
                write_when_given(class, led, "delay_on", &even.0.to_string(), given_within)?;
                write_when_given(class, led, "delay_off", &even.1.to_string(), given_within)?;
                Ok(Means::Evenly)
            } else {
                let still = if *may_stay_lit { Program::Steady(*colour) } else { Program::Dark };
                run(class, led, &still, given_within)?;
                Ok(Means::Still)
            }
        }
    }
}

/// Writes an attribute that came with the trigger a moment ago.
fn write_when_given(class: &impl LedClass, led: &str, attribute: &str, text: &str, given_within: Duration) -> io::Result<()> {
    let began = Instant::now();
    loop {
        match class.write(led, attribute, text) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && began.elapsed() < given_within => {
                thread::sleep(GIVEN_INTERVAL);
            }
            written => return written,
        }
    }
}

/// The trigger that is set, of all that the kernel lists.
fn current(triggers: &str) -> &str {
    triggers.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("none", |(name, _)| name)
}

fn stay_lit(class: &impl LedClass, led: &str, colour: Colour) -> io::Result<()> {
    tint(class, led, colour)?;
    let most = most(class, led)?;
    class.write(led, "trigger", "none")?;
    class.write(led, "brightness", &most)
}

fn most(class: &impl LedClass, led: &str) -> io::Result<String> {
    Ok(class.read(led, "max_brightness")?.trim().to_owned())
}

/// The colour of an LED with several colours (Documentation/leds/leds-class-multicolor.rst); any other LED needs nothing.
fn tint(class: &impl LedClass, led: &str, colour: Colour) -> io::Result<()> {
    let index = match class.read(led, "multi_index") {
        Ok(index) => index,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let most = most(class, led)?;
    let lit: &[&str] = match colour {
        Colour::Green => &["green"],
        Colour::Red => &["red"],
        Colour::Yellow => &["red", "green"],
        Colour::Blue => &["blue"],
        Colour::White => &["red", "green", "blue"],
    };
    let parts: Vec<&str> = index.split_whitespace().map(|part| if lit.contains(&part) { most.as_str() } else { "0" }).collect();
    class.write(led, "multi_intensity", &parts.join(" "))
}

/// Steps of the trigger `pattern`: a brightness and a time, where a time of 0 means that the next brightness follows at once.
fn pattern(beats: &[Beat], most: &str) -> String {
    let step = |beat: &Beat| {
        let brightness = if beat.lit { most } else { "0" };
        format!("{brightness} {} {brightness} 0", beat.ms)
    };
    beats.iter().map(step).collect::<Vec<_>>().join(" ")
}

/// Does it blink by a pattern? Then it is given another one at once: the file is there, and belongs to the station.
pub(super) fn has_pattern(class: &impl LedClass, led: &str) -> io::Result<bool> {
    Ok(current(&class.read(led, "trigger")?) == "pattern")
}

/// Does an LED still do this, as far as it can be read back? A light that was plugged in again does not.
pub(super) fn stands(class: &impl LedClass, led: &str, program: &Program, means: Means) -> io::Result<bool> {
    let triggers = class.read(led, "trigger")?;
    let trigger = current(&triggers);
    let lit = || class.read(led, "brightness").map(|brightness| brightness.trim() != "0");
    Ok(match (program, means) {
        (Program::Blink { .. }, Means::Exactly) => trigger == "pattern",
        (Program::Blink { .. }, Means::Evenly) => trigger == "timer",
        (Program::Dark, _) | (Program::Blink { may_stay_lit: false, .. }, Means::Still) => trigger == "none" && !lit()?,
        (Program::Steady(_), _) | (Program::Blink { .. }, Means::Still) => trigger == "none" && lit()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::ram::RamLeds;
    use super::*;

    fn run(class: &impl LedClass, led: &str, program: &Program) -> io::Result<Means> {
        super::run(class, led, program, Duration::from_millis(100))
    }

    fn blink(may_stay_lit: bool) -> Program {
        let beats = [(true, 200), (false, 300)].map(|(lit, ms)| Beat { lit, ms }).to_vec();
        Program::Blink { colour: Colour::Yellow, beats, even: (70, 80), may_stay_lit }
    }

    #[test]
    fn the_kernel_blinks_beat_by_beat_without_fading() {
        let leds = RamLeds::with(&["a"]);
        assert_eq!(run(&leds, "a", &blink(false)).expect("it is there"), Means::Exactly);
        assert_eq!((leds.trigger("a"), leds.get("a", "pattern")), ("pattern".into(), "255 200 255 0 0 300 0 0".into()));
        assert!(stands(&leds, "a", &blink(false), Means::Exactly).expect("it is there"));
    }

    #[test]
    fn a_kernel_without_patterns_blinks_evenly_and_one_without_both_never_says_good() {
        let leds = RamLeds::with(&["a"]);
        leds.have_triggers(&["none", "timer"]);
        run(&leds, "a", &Program::Steady(Colour::Green)).expect("it is there");
        assert_eq!(run(&leds, "a", &blink(true)).expect("it is there"), Means::Evenly);
        assert_eq!((leds.trigger("a"), leds.get("a", "delay_on"), leds.get("a", "delay_off")), ("timer".into(), "70".into(), "80".into()));
        assert!(stands(&leds, "a", &blink(true), Means::Evenly).expect("it is there"));
        leds.have_triggers(&["none"]);
        for (may_stay_lit, brightness) in [(true, "255"), (false, "0")] {
            let program = blink(may_stay_lit);
            assert_eq!(run(&leds, "a", &program).expect("it is there"), Means::Still);
            assert_eq!(leds.get("a", "brightness"), brightness);
            assert!(stands(&leds, "a", &program, Means::Still).expect("it is there"));
        }
    }

    #[test]
    fn an_led_is_lit_as_brightly_as_it_can_and_dark_whatever_it_did_before() {
        let leds = RamLeds::with(&["a"]);
        leds.set("a", "max_brightness", "1");
        run(&leds, "a", &blink(false)).expect("it is there");
        assert_eq!(leds.get("a", "pattern"), "1 200 1 0 0 300 0 0");
        run(&leds, "a", &Program::Steady(Colour::Green)).expect("it is there");
        assert_eq!((leds.trigger("a"), leds.get("a", "brightness")), ("none".into(), "1".into()));
        assert!(stands(&leds, "a", &Program::Steady(Colour::Green), Means::Exactly).expect("it is there"));
        assert!(!stands(&leds, "a", &Program::Dark, Means::Exactly).expect("it is there"));
        run(&leds, "a", &blink(false)).expect("it is there");
        run(&leds, "a", &Program::Dark).expect("it is there");
        assert_eq!((leds.trigger("a"), leds.get("a", "brightness")), ("none".into(), "0".into()));
    }

    #[test]
    fn an_led_of_many_colours_takes_the_one_that_is_meant() {
        let leds = RamLeds::with(&["a"]);
        leds.set("a", "multi_index", "green red blue\n");
        leds.set("a", "multi_intensity", "0 0 0");
        for (colour, expected) in [
            (Colour::Green, "255 0 0"),
            (Colour::Red, "0 255 0"),
            (Colour::Yellow, "255 255 0"),
            (Colour::Blue, "0 0 255"),
            (Colour::White, "255 255 255"),
        ] {
            run(&leds, "a", &Program::Steady(colour)).expect("it is there");
            assert_eq!(leds.get("a", "multi_intensity"), expected, "{colour:?}");
        }
        run(&leds, "a", &blink(false)).expect("it is there");
        assert_eq!(leds.get("a", "multi_intensity"), "255 255 0", "blinking, too");
    }

    #[test]
    fn an_led_whose_trigger_is_roots_until_udev_has_given_it_blinks_then_and_is_not_set_anew_for_the_next_beat() {
        let leds = RamLeds::with(&["a"]);
        leds.refuse_after_trigger(3);
        assert_eq!(run(&leds, "a", &blink(false)).expect("it is given"), Means::Exactly);
        assert_eq!(leds.get("a", "pattern"), "255 200 255 0 0 300 0 0");
        leds.writes();
        let beats = [Beat { lit: true, ms: 70 }].to_vec();
        let other = Program::Blink { colour: Colour::Red, beats, even: (1, 1), may_stay_lit: false };
        run(&leds, "a", &other).expect("it is given already");
        assert_eq!(leds.writes(), [("a".to_owned(), "pattern".to_owned(), "255 70 255 0".to_owned())]);
        leds.have_triggers(&["none", "timer"]);
        assert_eq!(run(&leds, "a", &blink(false)).expect("it is given"), Means::Evenly);
        leds.refuse_after_trigger(usize::MAX);
        leds.have_triggers(&["none", "pattern"]);
        let error = run(&leds, "a", &blink(false)).expect_err("nobody gives it");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn an_led_that_was_lit_is_dark_until_its_pattern_is_given() {
        let leds = RamLeds::with(&["a"]);
        run(&leds, "a", &Program::Steady(Colour::Green)).expect("it is there");
        leds.refuse_after_trigger(usize::MAX);
        run(&leds, "a", &blink(false)).expect_err("nobody gives it");
        assert_eq!((leds.trigger("a"), leds.get("a", "brightness")), ("pattern".into(), "0".into()));
    }

    #[test]
    fn in_a_directory_only_what_is_there_is_written() {
        let root = tempfile::tempdir().expect("a directory");
        let leds = SysfsLeds::at(root.path());
        for (led, brightness) in [("b", "3"), ("a", "0")] {
            fs::create_dir(root.path().join(led)).expect("made");
            for (attribute, text) in [("brightness", brightness), ("max_brightness", "7"), ("trigger", "[none] timer")] {
                fs::write(root.path().join(led).join(attribute), text).expect("written");
            }
        }
        assert_eq!(leds.names().expect("listed"), ["a", "b"]);
        run(&leds, "a", &Program::Steady(Colour::Green)).expect("it is there");
        let brightness = |led: &str| fs::read_to_string(root.path().join(led).join("brightness")).expect("it is there");
        assert_eq!((brightness("a"), brightness("b")), ("7".into(), "3".into()), "the other is another");
        let error = run(&leds, "c", &Program::Dark).expect_err("there is none");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!root.path().join("c").exists());
    }
}
