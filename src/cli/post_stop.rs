//! `flashline post-stop`: systemd runs it when the station has ended, for any reason. It replaces the last signs on the console and on the
//! lamps, which are no longer true, and silences the bell.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{ConfigArg, GOOD, complain, remark, say};
use crate::config::{DEFAULT_STATE, ImageCheck};
use crate::daemon::lamps::{all, noted_bell};
use crate::panel::bell::ring;
use crate::panel::bell::speaker::{InputSpeaker, Speaker};
use crate::panel::lamps::led::{LedClass, SysfsLeds};
use crate::panel::lamps::light::Light;
use crate::panel::lamps::writer::{LampWriter, News};
use crate::panel::lines;
use crate::station::lamp::OwnedLamp;
use crate::station::sign::OperatorAction;
use crate::station::station_call::StationCall;

/// No lamp may be green two seconds after the end of a station. A light that hangs may take this part of them; the rest is for starting and
/// ending this program.
const PATIENCE: Duration = Duration::from_millis(1500);
/// An LED that is dark may blink later: on a busy PC udev takes seconds to give it the files of its trigger. Less than the unit's
/// `TimeoutStopSec`, after which systemd kills this program.
const PATIENCE_IN_THE_DARK: Duration = Duration::from_secs(6);
/// The part of it that is reserved for the end of a tone: if the process ends within a tone, the bell keeps sounding.
const TO_END_A_TONE: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
}

/// Always returns the good exit code: an error of this command must not look like the reason why the station ended.
pub(super) fn run(args: &Args) -> u8 {
    say(lines::down(std::env::var("SERVICE_RESULT").ok().as_deref()));
    let (mut states, configured, bell) = match args.config.read(ImageCheck::Unseen) {
        Ok(settings) => (vec![settings.state], settings.lamps, settings.station_bell),
        Err(error) => {
            complain(&error);
            (Vec::new(), Vec::new(), None)
        }
    };
    let usual = state_of(std::env::var_os("STATE_DIRECTORY"));
    if !states.contains(&usual) {
        states.push(usual);
    }
    let by = Instant::now() + PATIENCE;
    let noted: Vec<PathBuf> = states.iter().filter_map(|state| noted_bell(state)).collect();
    let bell = bell.or_else(|| noted.first().cloned());
    for device in noted.into_iter().filter(|noted| Some(noted) != bell.as_ref()) {
        silence_apart(InputSpeaker, device);
    }
    let bell = bell.map(|device| ring_apart(InputSpeaker, device, by.checked_sub(TO_END_A_TONE).unwrap_or(by)));
    for words in put_right(&SysfsLeds::default(), all(configured, &states)) {
        remark(words);
    }
    if let Some(words) = bell.and_then(|heard| unheard(&heard, by)) {
        remark(words);
    }
    GOOD
}

/// Ends the tone of a bell that is no longer configured, in a separate thread.
fn silence_apart(speaker: impl Speaker + Send + 'static, device: PathBuf) {
    // A device that no longer exists is silent.
    let _none = thread::Builder::new().name("bell".to_owned()).spawn(move || speaker.sound(&device, 0));
}

/// Rings that the station does not run, in a separate thread, and is silent at `by`. The station may have ended within a tone, which would
/// otherwise never end.
fn ring_apart(speaker: impl Speaker + Send + 'static, device: PathBuf, by: Instant) -> mpsc::Receiver<Result<(), String>> {
    let (tell, heard) = mpsc::channel();
    let work = move || {
        let wait = |ms| {
            thread::sleep(Duration::from_millis(ms).min(by.saturating_duration_since(Instant::now())));
            Instant::now() >= by
        };
        let rung = speaker.sound(&device, 0).and_then(|()| ring(&speaker, &device, StationCall::Fault, wait));
        let _late = tell.send(rung.map_err(|error| cannot_sound(&device, &error)));
    };
    // Without a thread, no result is ever sent, and that is reported.
    let _none = thread::Builder::new().name("bell".to_owned()).spawn(work);
    heard
}

fn cannot_sound(device: &Path, error: &dyn std::fmt::Display) -> String {
    format!("the bell {} cannot sound: {error}", device.display())
}

/// Why the bell was not heard, or `None`.
fn unheard(heard: &mpsc::Receiver<Result<(), String>>, by: Instant) -> Option<String> {
    match heard.recv_timeout(by.saturating_duration_since(Instant::now())) {
        Ok(rung) => rung.err(),
        Err(_) => Some("the bell does not answer".to_owned()),
    }
}

/// The state directory of a station whose configuration does not name it: systemd names it (systemd.exec(5)), several with colons between.
fn state_of(named: Option<OsString>) -> PathBuf {
    let first = named.and_then(|named| Some(named.to_str()?.split(':').next()?.to_owned()));
    PathBuf::from(first.filter(|path| !path.is_empty()).unwrap_or_else(|| DEFAULT_STATE.to_owned()))
}

/// What the thread of a lamp reports, with the problems of its LEDs.
enum Told {
    /// Nothing of its last sign is left that needs a new trigger to go.
    Dark(Vec<News>),
    /// It shows the fault.
    Done(Vec<News>),
}

/// A lamp whose thread has not ended yet.
struct Waiting {
    place: usize,
    owner: String,
    patience: Duration,
}

/// Makes every lamp show that the station does not run; one that hangs does not delay the others. Returns the errors.
fn put_right<C: LedClass + Clone + Send + 'static>(class: &C, lamps: Vec<OwnedLamp>) -> Vec<String> {
    let began = Instant::now();
    let (tell, heard) = mpsc::channel();
    let mut waiting: Vec<Waiting> = Vec::new();
    let mut said = Vec::new();
    for (place, OwnedLamp { owner, lamp }) in lamps.into_iter().enumerate() {
        let (tell, owner) = (tell.clone(), owner.to_string());
        // Its error is heard before the time is over.
        let given_within = PATIENCE_IN_THE_DARK.saturating_sub(Duration::from_millis(500));
        let mut writer = LampWriter::new(class.clone(), lamp, !place.is_multiple_of(2)).waiting_for_files(given_within);
        let put = move || {
            let _late = tell.send((place, Told::Dark(writer.darken())));
            let _late = tell.send((place, Told::Done(writer.show(Light::of(OperatorAction::StationFault, false)))));
        };
        match thread::Builder::new().name("lamp".to_owned()).spawn(put) {
            Ok(_) => waiting.push(Waiting { place, owner, patience: PATIENCE }),
            Err(error) => said.push(format!("{owner}: no thread for its lamp, which still shows its last sign: {error}")),
        }
    }
    drop(tell);
    while let Some(patience) = waiting.iter().map(|lamp| lamp.patience).max() {
        let Ok((place, told)) = heard.recv_timeout(patience.saturating_sub(began.elapsed())) else { break };
        let Some(index) = waiting.iter().position(|lamp| lamp.place == place) else { continue };
        let (Told::Dark(news) | Told::Done(news)) = &told;
        said.extend(news.iter().map(|news| format!("{}: {news}", waiting[index].owner)));
        match told {
            Told::Dark(news) if news.is_empty() => waiting[index].patience = PATIENCE_IN_THE_DARK,
            Told::Dark(_) => {}
            Told::Done(_) => drop(waiting.remove(index)),
        }
    }
    said.extend(waiting.into_iter().map(|Waiting { owner, patience, .. }| {
        let left = if patience == PATIENCE { "may still show its last sign" } else { "is not lit" };
        format!("{owner}: its lamp does not answer, and {left}")
    }));
    said
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::station::lamp::{Lamp, LampOwner};

    fn led(root: &Path, name: &str) {
        fs::create_dir(root.join(name)).expect("made");
        for (attribute, text) in [
            ("brightness", "255"),
            ("max_brightness", "255"),
            ("trigger", "[none] pattern"),
            ("pattern", ""),
            ("delay_on", ""),
            ("delay_off", ""),
        ] {
            fs::write(root.join(name).join(attribute), text).expect("written");
        }
    }

    /// LEDs in a directory, which list their triggers as the kernel does. Patterns are root's until then, and one LED never answers.
    #[derive(Clone)]
    struct LateLeds {
        leds: SysfsLeds,
        given_at: Instant,
        /// Those whose trigger was set: their files are new.
        set: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
    }

    impl LateLeds {
        fn given_at(root: &Path, given_at: Instant) -> Self {
            Self { leds: SysfsLeds::at(root), given_at, set: std::sync::Arc::default() }
        }
    }

    impl LedClass for LateLeds {
        fn names(&self) -> std::io::Result<Vec<String>> {
            self.leds.names()
        }

        fn read(&self, led: &str, attribute: &str) -> std::io::Result<String> {
            self.leds.read(led, attribute)
        }

        fn write(&self, led: &str, attribute: &str, text: &str) -> std::io::Result<()> {
            if led == "hangs" {
                thread::sleep(Duration::from_secs(60));
            }
            let mut set = self.set.lock().expect("no test panics in here");
            if attribute == "trigger" {
                set.push(led.to_owned());
            }
            if attribute == "pattern" && Instant::now() < self.given_at && set.iter().any(|other| other == led) {
                return Err(std::io::ErrorKind::PermissionDenied.into());
            }
            let triggers = ["none", "pattern"].map(|name| if name == text { format!("[{name}]") } else { name.to_owned() }).join(" ");
            self.leds.write(led, attribute, if attribute == "trigger" { &triggers } else { text })
        }
    }

    #[test]
    fn on_a_busy_pc_a_lamp_is_dark_at_once_and_shows_the_fault_when_its_pattern_is_given_whatever_another_lamp_does() {
        let root = tempfile::tempdir().expect("a directory");
        led(root.path(), "one");
        led(root.path(), "hangs");
        let leds = LateLeds::given_at(root.path(), Instant::now() + Duration::from_millis(2500));
        led(root.path(), "blinks");
        fs::write(root.path().join("blinks/trigger"), "none [pattern]").expect("written");
        let lamps = ["one", "hangs", "blinks"].map(|led| OwnedLamp::of_slot(led, Lamp::One(led.into())));
        let of = |led: &str, attribute: &str| fs::read_to_string(root.path().join(led).join(attribute)).expect("it is there");
        let read = |attribute: &str| of("one", attribute);
        let said = thread::scope(|scope| {
            let put = scope.spawn(|| put_right(&leds, lamps.to_vec()));
            thread::sleep(Duration::from_secs(1));
            assert_eq!((read("brightness"), read("pattern")), ("0".into(), String::new()));
            assert!(of("blinks", "pattern").starts_with("255 600 "), "what blinks already is given another pattern at once");
            put.join().expect("it does not panic")
        });
        assert_eq!(said, ["slot hangs: its lamp does not answer, and may still show its last sign"]);
        assert!(read("pattern").starts_with("255 600 "), "{}", read("pattern"));
    }

    #[test]
    fn a_lamp_that_waits_for_its_files_is_not_killed_by_systemd() {
        let unit = include_str!("../../systemd/flashline.service");
        let killed = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")?.parse().ok()).map(Duration::from_secs);
        assert!(killed.is_some_and(|killed| PATIENCE_IN_THE_DARK + Duration::from_secs(2) < killed), "{killed:?}");
    }

    #[test]
    fn nothing_is_green_after_it_and_a_light_that_is_gone_keeps_no_other_from_it() {
        let root = tempfile::tempdir().expect("a directory");
        led(root.path(), "g");
        led(root.path(), "r");
        led(root.path(), "one");
        let colours = Lamp::of_keys(|key| match key {
            "green" => Some("g".to_owned()),
            "red" => Some("r".to_owned()),
            _ => None,
        });
        let lamps = vec![
            OwnedLamp::of_slot("A1", Lamp::One("gone".into())),
            OwnedLamp::of_slot("A2", colours.expect("a lamp")),
            OwnedLamp { owner: LampOwner::Station, lamp: Lamp::One("one".into()) },
        ];
        let said = put_right(&LateLeds::given_at(root.path(), Instant::now()), lamps);
        assert_eq!(said, ["slot A1: there is no LED gone in /sys/class/leds: it is lit when it is back"]);
        let read = |led: &str, attribute: &str| fs::read_to_string(root.path().join(led).join(attribute)).expect("it is there");
        assert_eq!((read("g", "trigger"), read("g", "brightness")), ("[none] pattern".into(), "0".into()));
        assert_eq!(read("r", "pattern"), "0 200 0 0 255 200 255 0 0 200 0 0 255 600 255 0");
        assert_eq!(read("one", "pattern"), "255 600 255 0 0 200 0 0 255 200 255 0 0 200 0 0");
    }

    /// A speaker that a killed station left sounding, or that no longer exists.
    #[derive(Clone, Default)]
    struct LeftSpeaker {
        sounds: std::sync::Arc<std::sync::Mutex<Vec<u16>>>,
        is_gone: bool,
    }

    impl Speaker for LeftSpeaker {
        fn sound(&self, _: &Path, hertz: u16) -> std::io::Result<()> {
            if self.is_gone {
                return Err(std::io::ErrorKind::NotFound.into());
            }
            self.sounds.lock().expect("no test panics in here").push(hertz);
            Ok(())
        }
    }

    #[test]
    fn the_bell_is_silenced_first_and_rings_for_a_fault_within_the_time_that_lamps_have() {
        let by = || Instant::now() + PATIENCE;
        let speaker = LeftSpeaker::default();
        let device = || PathBuf::from("/dev/input/spkr");
        assert_eq!(unheard(&ring_apart(speaker.clone(), device(), by()), by()), None);
        let sounds = speaker.sounds.lock().expect("no test panics in here").clone();
        assert_eq!(sounds, [0, 400, 0, 400, 0, 400, 0]);
        let gone = LeftSpeaker { is_gone: true, ..LeftSpeaker::default() };
        let words = unheard(&ring_apart(gone, device(), by()), by()).expect("it is not there");
        assert!(words.starts_with("the bell /dev/input/spkr cannot sound: "), "{words}");
    }

    #[test]
    fn the_state_of_a_broken_configuration_is_where_systemd_says_else_in_its_usual_place() {
        assert_eq!(state_of(Some("/var/lib/flashline:/var/lib/other".into())), Path::new("/var/lib/flashline"));
        assert_eq!(state_of(Some("".into())), Path::new(DEFAULT_STATE));
        assert_eq!(state_of(None), Path::new(DEFAULT_STATE));
    }
}
