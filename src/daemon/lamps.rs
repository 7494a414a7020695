//! Records in the state directory which lamps are lit and which bell rings, so that they can be corrected after a crash.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::file::{Access, replace};
use crate::station::lamp::{Lamp, LampOwner, OwnedLamp};

/// The lamps that were lit last, inside the state directory.
const NOTE: &str = "lamps.json";
/// Only the station's user and root need the note.
const MODE: u32 = 0o600;

/// Records in the state directory which lamps are lit from now on, and which bell rings: `flashline post-stop` corrects them even if the
/// configuration cannot be read any more. In a separate thread, because a disk takes its time.
pub(super) fn note(state: &Path, lamps: &[OwnedLamp], bell: Option<&Path>) {
    let (state, lamps, bell) = (state.to_owned(), lamps.to_vec(), bell.map(Path::to_owned));
    let write = move || {
        if let Err(error) = write(&state, &lamps, bell.as_deref()) {
            tracing::warn!(%error, "the lamps are not noted: after a crash only those of the configuration are put right");
        }
    };
    if let Err(error) = std::thread::Builder::new().name("lamps-note".to_owned()).spawn(write) {
        tracing::warn!(%error, "no thread to note the lamps: after a crash only those of the configuration are put right");
    }
}

/// The lamp of the station has no slot.
fn write(state: &Path, lamps: &[OwnedLamp], bell: Option<&Path>) -> io::Result<()> {
    let lamps = lamps.iter().map(|OwnedLamp { owner, lamp }| {
        let leds: Map<String, Value> = lamp.leds().into_iter().map(|(key, led)| (key.to_owned(), led.into())).collect();
        let slot = if let LampOwner::Slot(slot) = owner { Some(slot) } else { None };
        json!({ "slot": slot, "lamp": leds })
    });
    let bell = bell.and_then(Path::to_str).map(|bell| json!({ "bell": bell }));
    let text = Value::from(lamps.chain(bell).collect::<Vec<_>>()).to_string();
    // Written atomically, and flushed: after a power cut a station may start with a broken configuration. Also written if the file already
    // has the same text: that may be in memory only, if the last flush of the directory failed.
    replace(&state.join(NOTE), Access::Mode(MODE), text.as_bytes())
}

fn entries(state: &Path) -> Vec<Value> {
    match fs::read(state.join(NOTE)).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
        Some(Value::Array(entries)) => entries,
        _ => Vec::new(),
    }
}

/// The lamps that were lit last by a station with this state directory; none if that is unknown.
#[must_use]
pub(crate) fn noted(state: &Path) -> Vec<OwnedLamp> {
    let lamp = |lamp: &Value| {
        let led = |key: &str| Some(lamp.get("lamp")?.get(key)?.as_str()?.to_owned());
        let owner = match lamp.get("slot")? {
            Value::Null => LampOwner::Station,
            slot => LampOwner::Slot(slot.as_str()?.to_owned()),
        };
        Some(OwnedLamp { owner, lamp: Lamp::of_keys(led).ok()? })
    };
    entries(state).iter().filter_map(lamp).collect()
}

/// The bell that rang last for a station with this state directory; `None` if that is unknown.
#[must_use]
pub(crate) fn noted_bell(state: &Path) -> Option<PathBuf> {
    entries(state).iter().find_map(|entry| Some(PathBuf::from(entry.get("bell")?.as_str()?)))
}

/// Every lamp to be corrected: first those of the configuration; then, of those that were lit last, each LED that is in none of these.
#[must_use]
pub(crate) fn all(configured: Vec<OwnedLamp>, states: &[PathBuf]) -> Vec<OwnedLamp> {
    let mut lamps = configured;
    for noted in states.iter().flat_map(|state| noted(state)) {
        let taken = |led: &str| lamps.iter().any(|other| other.lamp.leds().iter().any(|(_, taken)| *taken == led));
        let left: Vec<String> = noted.lamp.leds().into_iter().map(|(_, led)| led.to_owned()).filter(|led| !taken(led)).collect();
        if left.len() == noted.lamp.leds().len() {
            lamps.push(noted);
        } else {
            lamps.extend(left.into_iter().map(|led| OwnedLamp { owner: noted.owner.clone(), lamp: Lamp::One(led) }));
        }
    }
    lamps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lamp(slot: &str, keys: &[(&str, &str)]) -> OwnedLamp {
        let lamp = Lamp::of_keys(|key| keys.iter().find(|(other, _)| *other == key).map(|(_, name)| (*name).to_owned()));
        OwnedLamp::of_slot(slot, lamp.expect("a lamp"))
    }

    #[test]
    fn the_lamps_that_were_lit_last_are_known_whatever_became_of_the_configuration() {
        let state = tempfile::tempdir().expect("a directory");
        let path = state.path().to_owned();
        assert_eq!(noted(&path), []);
        let station = OwnedLamp { owner: LampOwner::Station, ..lamp("", &[("led", "mmc0::")]) };
        let lamps = [lamp("A1", &[("green", "g \"1\""), ("red", "r")]), lamp("A2", &[("led", "input*::capslock")]), station];
        let bell = Path::new("/dev/input/by-path/platform-pcspkr-event-spkr");
        write(&path, &lamps, Some(bell)).expect("written");
        assert_eq!((noted(&path).as_slice(), noted_bell(&path).as_deref()), (&lamps[..], Some(bell)));
        write(&path, &lamps[1..], None).expect("written");
        assert_eq!(noted_bell(&path), None);
        assert_eq!(noted(&path), lamps[1..], "only the last count");
        fs::write(path.join(NOTE), "{\"half").expect("written");
        assert_eq!(noted(&path), [], "what is broken is none");
    }

    #[test]
    fn lamps_that_are_noted_already_are_written_anew_because_the_note_may_be_in_memory_only() {
        use std::fs::File;
        use std::os::unix::fs::MetadataExt;
        let state = tempfile::tempdir().expect("a directory");
        let lamps = [lamp("A1", &[("led", "g")])];
        let written = || {
            write(state.path(), &lamps, None).expect("written");
            // Kept open, so that its number is not given to the next file.
            let file = File::open(state.path().join(NOTE)).expect("it is there");
            (file.metadata().expect("known").ino(), file)
        };
        let (first, second) = (written(), written());
        assert_ne!(first.0, second.0, "other bytes");
    }

    #[test]
    fn what_was_lit_and_is_in_no_lamp_any_more_is_put_right_too() {
        let state = tempfile::tempdir().expect("a directory");
        let before = [lamp("A1", &[("green", "g"), ("red", "r")]), lamp("A2", &[("led", "mmc0::")])];
        write(state.path(), &before, None).expect("written");
        let now = vec![lamp("A1", &[("green", "g"), ("red", "other")])];
        let states = [state.path().to_owned()];
        assert_eq!(all(now.clone(), &states), [now[0].clone(), lamp("A1", &[("led", "r")]), before[1].clone()]);
        assert_eq!(all(before.to_vec(), &states), before, "each once");
        assert_eq!(all(Vec::new(), &states), before, "also without a configuration");
    }
}
