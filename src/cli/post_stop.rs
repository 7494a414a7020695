//! `flashline post-stop`: systemd runs it when the station has ended, for any reason. It replaces the last signs on the console and on the
//! lamps, which no longer hold.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{ConfigArg, GOOD, complain, remark, say};
use crate::config::{DEFAULT_STATE, ImageCheck};
use crate::daemon::lamps::all;
use crate::panel::lamps::led::{LedClass, SysfsLeds};
use crate::panel::lamps::light::Light;
use crate::panel::lamps::writer::LampWriter;
use crate::panel::lines;
use crate::station::lamp::SlotLamp;
use crate::station::sign::OperatorAction;

/// Of the two seconds in which no lamp may be green any more, what a light that hangs may take from those that start and end this.
const PATIENCE: Duration = Duration::from_millis(1500);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
}

/// Never anything but good: what could not be put right must not look like the reason why the station ended.
pub(super) fn run(args: &Args) -> u8 {
    say(lines::down(std::env::var("SERVICE_RESULT").ok().as_deref()));
    let (mut states, configured) = match args.config.read(ImageCheck::Unseen) {
        Ok(settings) => (vec![settings.state], settings.lamps),
        Err(error) => {
            complain(&error);
            (Vec::new(), Vec::new())
        }
    };
    let usual = state_of(std::env::var_os("STATE_DIRECTORY"));
    if !states.contains(&usual) {
        states.push(usual);
    }
    for words in put_right(&SysfsLeds::default(), all(configured, &states)) {
        remark(words);
    }
    GOOD
}

/// Where a station keeps its state whose configuration does not say so: systemd names it (systemd.exec(5)), several with colons between.
fn state_of(named: Option<OsString>) -> PathBuf {
    let first = named.and_then(|named| Some(named.to_str()?.split(':').next()?.to_owned()));
    PathBuf::from(first.filter(|path| !path.is_empty()).unwrap_or_else(|| DEFAULT_STATE.to_owned()))
}

/// Every lamp shows that the station does not run; one that hangs keeps no other from it. Answers what could not be done.
fn put_right<C: LedClass + Clone + Send + 'static>(class: &C, lamps: Vec<SlotLamp>) -> Vec<String> {
    let by = Instant::now() + PATIENCE;
    let (tell, heard) = mpsc::channel();
    let mut waiting: Vec<String> = Vec::new();
    let mut said = Vec::new();
    for (place, SlotLamp { slot, lamp }) in lamps.into_iter().enumerate() {
        let (tell, name) = (tell.clone(), slot.clone());
        let mut writer = LampWriter::new(class.clone(), lamp, !place.is_multiple_of(2));
        let put = move || {
            let news = writer.show(Light::of(OperatorAction::StationFault, false));
            let _late = tell.send((name, news));
        };
        match thread::Builder::new().name(format!("lamp/{slot}")).spawn(put) {
            Ok(_) => waiting.push(slot),
            Err(error) => said.push(format!("slot {slot}: no thread for its lamp, which shows what it showed: {error}")),
        }
    }
    drop(tell);
    while let Ok((slot, news)) = heard.recv_timeout(by.saturating_duration_since(Instant::now())) {
        said.extend(news.iter().map(|news| format!("slot {slot}: {news}")));
        if let Some(place) = waiting.iter().position(|other| *other == slot) {
            waiting.remove(place);
        }
    }
    said.extend(waiting.into_iter().map(|slot| format!("slot {slot}: its lamp does not answer, and may still show what it showed")));
    said
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::station::lamp::Lamp;

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
            SlotLamp { slot: "A1".into(), lamp: Lamp::One("gone".into()) },
            SlotLamp { slot: "A2".into(), lamp: colours.expect("a lamp") },
            SlotLamp { slot: "A3".into(), lamp: Lamp::One("one".into()) },
        ];
        let said = put_right(&SysfsLeds::at(root.path()), lamps);
        assert_eq!(said, ["slot A1: there is no LED gone in /sys/class/leds: it is lit when it is back"]);
        let read = |led: &str, attribute: &str| fs::read_to_string(root.path().join(led).join(attribute)).expect("it is there");
        assert_eq!((read("g", "trigger"), read("g", "brightness")), ("none".into(), "0".into()));
        assert_eq!(read("r", "pattern"), "0 200 0 0 255 200 255 0 0 200 0 0 255 600 255 0");
        assert_eq!(read("one", "pattern"), "255 600 255 0 0 200 0 0 255 200 255 0 0 200 0 0");
    }

    #[test]
    fn the_state_of_a_broken_configuration_is_where_systemd_says_else_in_its_usual_place() {
        assert_eq!(state_of(Some("/var/lib/flashline:/var/lib/other".into())), Path::new("/var/lib/flashline"));
        assert_eq!(state_of(Some("".into())), Path::new(DEFAULT_STATE));
        assert_eq!(state_of(None), Path::new(DEFAULT_STATE));
    }
}
