//! Lights the lamp of the slot that is being taught, so that it can be found among many.

use crate::panel::lamps::led::LedClass;
use crate::panel::lamps::light::Light;
use crate::panel::lamps::writer::LampWriter;
use crate::station::lamp::{LampOwner, OwnedLamp};
use crate::station::sign::OperatorAction;

/// Every lamp there is. No station runs meanwhile; when this is dropped they say so again.
#[derive(Debug)]
pub(super) struct TaughtLamps<C: LedClass> {
    lamps: Vec<(LampOwner, LampWriter<C>)>,
}

impl<C: LedClass + Clone> TaughtLamps<C> {
    pub(super) fn new(class: C, lamps: Vec<OwnedLamp>) -> Self {
        let writer = |(place, OwnedLamp { owner, lamp }): (usize, OwnedLamp)| {
            (owner, LampWriter::new(class.clone(), lamp, !place.is_multiple_of(2)))
        };
        Self { lamps: lamps.into_iter().enumerate().map(writer).collect() }
    }

    /// Flickers at this slot and nowhere else. A light that is not there is passed over: the words on the terminal say the same.
    pub(super) fn light(&mut self, slot: Option<&str>) {
        for (owner, lamp) in &mut self.lamps {
            let is_asked_for = matches!(owner, LampOwner::Slot(name) if slot == Some(name));
            let light = if is_asked_for { Light::of(OperatorAction::PutIn, true) } else { Light::Dark };
            let _said = lamp.show(light);
        }
    }
}

impl<C: LedClass> Drop for TaughtLamps<C> {
    fn drop(&mut self) {
        for (_, lamp) in &mut self.lamps {
            let _said = lamp.show(Light::of(OperatorAction::StationFault, false));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::panel::lamps::led::SysfsLeds;
    use crate::station::lamp::Lamp;

    #[test]
    fn the_lamp_of_the_slot_that_is_taught_flickers_and_no_other_and_afterwards_all_say_that_no_station_runs() {
        let root = tempfile::tempdir().expect("a directory");
        for led in ["a", "b"] {
            fs::create_dir(root.path().join(led)).expect("made");
            for (attribute, text) in [("brightness", "0"), ("max_brightness", "1"), ("trigger", "[none] pattern"), ("pattern", "")] {
                fs::write(root.path().join(led).join(attribute), text).expect("written");
            }
        }
        let shows = |led: &str| {
            let read = |attribute: &str| fs::read_to_string(root.path().join(led).join(attribute)).expect("it is there");
            // A file keeps what it was told, and not which triggers there are.
            let shown = if read("trigger") == "pattern" { read("pattern") } else { read("brightness") };
            fs::write(root.path().join(led).join("trigger"), "[none] pattern").expect("written");
            shown
        };
        let lamp = |slot: &str, led: &str| OwnedLamp::of_slot(slot, Lamp::One(led.to_owned()));
        let mut lamps = TaughtLamps::new(SysfsLeds::at(root.path()), vec![lamp("A1", "a"), lamp("A2", "b"), lamp("A3", "gone")]);
        lamps.light(Some("A1"));
        assert_eq!((shows("a"), shows("b")), ("1 40 1 0 0 40 0 0".into(), "0".into()));
        lamps.light(Some("A2"));
        assert_eq!((shows("a"), shows("b")), ("0".into(), "1 40 1 0 0 40 0 0".into()));
        lamps.light(None);
        assert_eq!((shows("a"), shows("b")), ("0".into(), "0".into()));
        drop(lamps);
        assert!(shows("a").starts_with("1 600 1 0 0 200") && shows("b").ends_with("1 600 1 0"));
    }
}
