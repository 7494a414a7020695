//! LEDs in memory, for tests, with the rules of the kernel: the attributes of a trigger exist with it, an unknown trigger is refused, an LED
//! goes dark with the trigger that it had and stays as it is if it had none (`led_trigger_set`), and one that is unplugged is gone and comes
//! back as new.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::led::LedClass;

#[derive(Debug, Default)]
struct State {
    leds: BTreeMap<String, BTreeMap<String, String>>,
    triggers: Vec<String>,
    /// Every accepted write: LED, attribute, text.
    writes: Vec<(String, String, String)>,
    hanging: Option<String>,
    /// How many writes to the files of a trigger are refused after it was set, as a kernel does that gave them to root, and how many still are.
    refusals: usize,
    still_refused: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RamLeds(Arc<Mutex<State>>);

/// Files of an LED that exist with any trigger.
const ALWAYS: [&str; 5] = ["brightness", "max_brightness", "trigger", "multi_index", "multi_intensity"];

impl RamLeds {
    pub(super) fn with(names: &[&str]) -> Self {
        let leds = Self::default();
        leds.have_triggers(&["none", "kbd-capslock", "timer", "pattern"]);
        names.iter().for_each(|name| leds.plug(name));
        leds
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no test panics in here")
    }

    pub(super) fn have_triggers(&self, names: &[&str]) {
        self.state().triggers = names.iter().map(|name| (*name).to_owned()).collect();
    }

    pub(super) fn plug(&self, name: &str) {
        let fresh = [("brightness", "0"), ("max_brightness", "255"), ("trigger", "none")];
        let fresh = fresh.map(|(attribute, text)| (attribute.to_owned(), text.to_owned()));
        self.state().leds.insert(name.to_owned(), BTreeMap::from(fresh));
    }

    pub(super) fn unplug(&self, name: &str) {
        self.state().leds.remove(name);
    }

    /// From now on, writing to this LED does not return until it is released.
    pub(super) fn hang(&self, name: Option<&str>) {
        self.state().hanging = name.map(str::to_owned);
    }

    /// From now on the files of a new trigger are root's for so many writes.
    pub(super) fn refuse_after_trigger(&self, writes: usize) {
        self.state().refusals = writes;
    }

    pub(super) fn set(&self, led: &str, attribute: &str, text: &str) {
        self.state().leds.get_mut(led).expect("it is there").insert(attribute.to_owned(), text.to_owned());
    }

    pub(super) fn get(&self, led: &str, attribute: &str) -> String {
        self.state().leds[led].get(attribute).cloned().unwrap_or_default()
    }

    pub(super) fn trigger(&self, led: &str) -> String {
        self.get(led, "trigger")
    }

    /// The writes since the last call.
    pub(super) fn writes(&self) -> Vec<(String, String, String)> {
        std::mem::take(&mut self.state().writes)
    }
}

fn not_there() -> io::Error {
    io::Error::from_raw_os_error(nix::errno::Errno::ENOENT as i32)
}

impl LedClass for RamLeds {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.state().leds.keys().cloned().collect())
    }

    fn read(&self, led: &str, attribute: &str) -> io::Result<String> {
        let state = self.state();
        let files = state.leds.get(led).ok_or_else(not_there)?;
        let text = files.get(attribute).ok_or_else(not_there)?;
        if attribute != "trigger" {
            return Ok(format!("{text}\n"));
        }
        let words = state.triggers.iter().map(|name| if name == text { format!("[{name}]") } else { name.clone() });
        Ok(words.collect::<Vec<_>>().join(" ") + "\n")
    }

    fn write(&self, led: &str, attribute: &str, text: &str) -> io::Result<()> {
        while self.state().hanging.as_deref() == Some(led) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut state = self.state();
        let known = state.triggers.iter().any(|name| name == text);
        if attribute == "trigger" {
            state.still_refused = state.refusals;
        } else if !ALWAYS.contains(&attribute) && state.still_refused > 0 {
            state.still_refused -= 1;
            return Err(io::Error::from_raw_os_error(nix::errno::Errno::EACCES as i32));
        }
        let files = state.leds.get_mut(led).ok_or_else(not_there)?;
        if !files.contains_key(attribute) {
            return Err(not_there());
        }
        if attribute == "trigger" {
            if !known {
                return Err(io::Error::from_raw_os_error(nix::errno::Errno::EINVAL as i32));
            }
            files.retain(|name, _| ALWAYS.contains(&name.as_str()));
            let own: &[&str] = match text {
                "pattern" => &["pattern"],
                "timer" => &["delay_on", "delay_off"],
                _ => &[],
            };
            files.extend(own.iter().map(|name| ((*name).to_owned(), String::new())));
            if files.get("trigger").is_some_and(|before| before != "none") {
                files.insert("brightness".to_owned(), "0".to_owned());
            }
        }
        if attribute == "brightness" && text == "0" {
            files.insert("trigger".to_owned(), "none".to_owned());
        }
        files.insert(attribute.to_owned(), text.to_owned());
        state.writes.push((led.to_owned(), attribute.to_owned(), text.to_owned()));
        Ok(())
    }
}
