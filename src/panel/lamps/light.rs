//! The light of a lamp: a pure table from the call of a slot, or of the whole station, to colour and rhythm, and from those to each LED of
//! a lamp.
//!
//! The rhythm alone is unambiguous, so one LED of any colour is enough; the colours repeat it. In a slot's lamp with several LEDs, the
//! green one is lit for a proven card only; in the station's lamp, while all is well.

use crate::station::lamp::Lamp;
use crate::station::sign::OperatorAction;
use crate::station::station_call::StationCall;

/// What a lamp shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Light {
    /// No LED is lit.
    Dark,
    /// This colour, if the lamp has it, in this rhythm.
    Lit(Colour, Rhythm),
}

/// A colour, as far as a lamp has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Colour {
    /// The card is proven, or the station is well.
    Green,
    /// Bad, or not trustworthy.
    Red,
    /// Neither good nor bad.
    Yellow,
    /// A card is busy.
    Blue,
    /// Neither good, bad nor busy.
    White,
}

/// How a lamp blinks. Each rhythm differs from every other without its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rhythm {
    /// It is lit all the time.
    Steady,
    /// A second on, a second off.
    Slow,
    /// Two short flashes and a pause.
    Double,
    /// Five times a second.
    Fast,
    /// Two LEDs in turn; a single LED long and short in turn. Every second slot does so in the opposite phase.
    Alternating,
    /// As fast as the eye can still see it.
    Flicker,
}

/// A time in which an LED is lit or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Beat {
    /// Whether the LED is lit.
    pub lit: bool,
    /// How long, in milliseconds.
    pub ms: u16,
}

/// The part of one LED.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    /// The LED is dark.
    Dark,
    /// The LED is lit all the time.
    Steady(Colour),
    /// It blinks, over and over.
    Blink {
        /// If it supports patterns.
        colour: Colour,
        /// The beats of one round.
        beats: Vec<Beat>,
        /// If only an even rhythm is possible: lit and dark, in milliseconds.
        even: (u16, u16),
        /// If it cannot blink at all: may it be lit all the time? Not if that would mean good.
        may_stay_lit: bool,
    },
}

impl Light {
    /// The light of a slot with this call, which is, or is not, searched for. While a station has a fault, all its slots have the call
    /// [`OperatorAction::StationFault`].
    #[must_use]
    pub(crate) fn of(call: OperatorAction, identify: bool) -> Self {
        if identify {
            return Self::Lit(Colour::White, Rhythm::Flicker);
        }
        match call {
            OperatorAction::PutIn => Self::Dark,
            OperatorAction::Wait => Self::Lit(Colour::Blue, Rhythm::Slow),
            OperatorAction::TakeGood => Self::Lit(Colour::Green, Rhythm::Steady),
            OperatorAction::TakeAside | OperatorAction::Nothing => Self::Lit(Colour::Yellow, Rhythm::Double),
            OperatorAction::TakeBad => Self::Lit(Colour::Red, Rhythm::Fast),
            OperatorAction::StationFault => Self::Lit(Colour::Red, Rhythm::Alternating),
        }
    }

    /// The light of the whole station's lamp. It is never dark: a lamp that is unplugged, or belongs to a PC that is off, must not look
    /// well.
    #[must_use]
    pub(crate) fn of_station(call: StationCall) -> Self {
        match call {
            StationCall::Well => Self::Lit(Colour::Green, Rhythm::Steady),
            StationCall::Wanted => Self::Lit(Colour::Yellow, Rhythm::Double),
            StationCall::Fault => Self::of(OperatorAction::StationFault, false),
        }
    }

    /// The part of each LED, in the order of [`Lamp::leds`]. `odd` slots alternate in the opposite phase to their neighbours.
    #[must_use]
    pub(crate) fn programs(self, lamp: &Lamp, odd: bool) -> Vec<Program> {
        let leds = lamp.leds();
        let Self::Lit(colour, rhythm) = self else { return vec![Program::Dark; leds.len()] };
        let lit = chosen(lamp, colour);
        let other = if rhythm == Rhythm::Alternating { beside(lamp) } else { None };
        let part = |key: &str| {
            if key == lit {
                blinking(colour, rhythm, key, other.is_some(), odd)
            } else if Some(key) == other {
                blinking(Colour::Blue, rhythm, key, true, !odd)
            } else {
                Program::Dark
            }
        };
        leds.into_iter().map(|(key, _)| part(key)).collect()
    }
}

/// The keys of the LEDs that are not green, the most alarming first.
fn beside_green(lamp: &Lamp) -> Vec<&'static str> {
    lamp.leds().into_iter().map(|(key, _)| key).filter(|key| !matches!(*key, "led" | "green")).collect()
}

/// The key of the LED for a colour: the nearest one there is, and green only if there is no other.
fn chosen(lamp: &Lamp, colour: Colour) -> &'static str {
    let Lamp::Several(_) = lamp else { return "led" };
    let there = beside_green(lamp);
    let nearest: &[&'static str] = match colour {
        Colour::Green => &[],
        Colour::Red => &["red", "yellow", "blue"],
        Colour::Yellow => &["yellow", "blue", "red"],
        Colour::Blue | Colour::White => &["blue", "yellow", "red"],
    };
    nearest.iter().copied().find(|key| there.contains(key)).unwrap_or("green")
}

/// The key of the LED that alternates with the one chosen for red. It is never green.
fn beside(lamp: &Lamp) -> Option<&'static str> {
    beside_green(lamp).last().copied().filter(|key| *key != chosen(lamp, Colour::Red))
}

fn blinking(colour: Colour, rhythm: Rhythm, key: &str, in_turn: bool, odd: bool) -> Program {
    let beats =
        |times: &[u16]| times.iter().enumerate().map(|(index, ms)| Beat { lit: index.is_multiple_of(2), ms: *ms }).collect::<Vec<_>>();
    let (mut beats, even) = match rhythm {
        Rhythm::Steady => return Program::Steady(colour),
        Rhythm::Slow => (beats(&[1000, 1000]), (1000, 1000)),
        Rhythm::Double => (beats(&[200, 200, 200, 1400]), (200, 1800)),
        Rhythm::Fast => (beats(&[100, 100]), (100, 100)),
        Rhythm::Alternating if in_turn => (beats(&[600, 600]), (600, 600)),
        Rhythm::Alternating => (beats(&[600, 200, 200, 200]), (300, 300)),
        Rhythm::Flicker => (beats(&[40, 40]), (40, 40)),
    };
    if odd && rhythm == Rhythm::Alternating {
        // Half a round, which is the first beat of either.
        beats.rotate_left(1);
    }
    Program::Blink { colour, beats, even, may_stay_lit: !matches!(key, "led" | "green") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn lamp(keys: &[&str]) -> Lamp {
        Lamp::of_keys(|key| keys.contains(&key).then(|| key.to_owned())).expect("a lamp")
    }

    fn every_lamp() -> Vec<Lamp> {
        let mut lamps = vec![lamp(&["led"]), lamp(&["green"])];
        for others in
            [&["red"][..], &["yellow"], &["blue"], &["red", "yellow"], &["red", "blue"], &["yellow", "blue"], &["red", "yellow", "blue"]]
        {
            lamps.push(lamp(&[&["green"], others].concat()));
        }
        lamps
    }

    /// The state of each LED: `-` dark, `=` lit, else its beats, the dark ones in brackets.
    fn drawn(light: Light, lamp: &Lamp, odd: bool) -> String {
        let beat = |beat: &Beat| if beat.lit { beat.ms.to_string() } else { format!("({})", beat.ms) };
        let program = |program: &Program| match program {
            Program::Dark => "-".to_owned(),
            Program::Steady(_) => "=".to_owned(),
            Program::Blink { beats, .. } => beats.iter().map(beat).collect::<Vec<_>>().join(""),
        };
        let programs = light.programs(lamp, odd);
        let leds = lamp.leds();
        assert_eq!(programs.len(), leds.len(), "each LED has its part");
        leds.iter().zip(&programs).map(|((key, _), led)| format!("{key} {}", program(led))).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn every_call_has_the_light_that_the_operator_was_told() {
        let (one, two) = (lamp(&["led"]), lamp(&["green", "red"]));
        let (three, all) = (lamp(&["green", "red", "blue"]), lamp(&["green", "red", "yellow", "blue"]));
        let told = [
            (OperatorAction::PutIn, "led -", "green -, red -", "green -, red -, blue -", "green -, red -, yellow -, blue -"),
            (
                OperatorAction::Wait,
                "led 1000(1000)",
                "green -, red 1000(1000)",
                "green -, red -, blue 1000(1000)",
                "green -, red -, yellow -, blue 1000(1000)",
            ),
            (OperatorAction::TakeGood, "led =", "green =, red -", "green =, red -, blue -", "green =, red -, yellow -, blue -"),
            (
                OperatorAction::TakeAside,
                "led 200(200)200(1400)",
                "green -, red 200(200)200(1400)",
                "green -, red -, blue 200(200)200(1400)",
                "green -, red -, yellow 200(200)200(1400), blue -",
            ),
            (
                OperatorAction::TakeBad,
                "led 100(100)",
                "green -, red 100(100)",
                "green -, red 100(100), blue -",
                "green -, red 100(100), yellow -, blue -",
            ),
            (
                OperatorAction::Nothing,
                "led 200(200)200(1400)",
                "green -, red 200(200)200(1400)",
                "green -, red -, blue 200(200)200(1400)",
                "green -, red -, yellow 200(200)200(1400), blue -",
            ),
            (
                OperatorAction::StationFault,
                "led 600(200)200(200)",
                "green -, red 600(200)200(200)",
                "green -, red 600(600), blue (600)600",
                "green -, red 600(600), yellow -, blue (600)600",
            ),
        ];
        assert_eq!(told.map(|row| row.0), OperatorAction::ALL);
        for (call, on_one, on_two, on_three, on_all) in told {
            let light = Light::of(call, false);
            let seen = [&one, &two, &three, &all].map(|lamp| drawn(light, lamp, false));
            assert_eq!(seen, [on_one, on_two, on_three, on_all], "{call:?}");
        }
    }

    #[test]
    fn whoever_looks_for_a_slot_sees_the_same_whatever_it_asks_for() {
        for call in OperatorAction::ALL {
            assert_eq!(drawn(Light::of(call, true), &lamp(&["green", "red"]), false), "green -, red 40(40)");
            assert_eq!(drawn(Light::of(call, true), &lamp(&["led"]), true), "led 40(40)");
        }
    }

    #[test]
    fn green_is_lit_for_a_proven_card_and_for_nothing_else_where_another_colour_is_there() {
        for lamp in every_lamp() {
            let alone = lamp.leds().len() == 1;
            for (call, identify) in OperatorAction::ALL.into_iter().flat_map(|call| [(call, false), (call, true)]) {
                for odd in [false, true] {
                    let programs = Light::of(call, identify).programs(&lamp, odd);
                    let proven = call == OperatorAction::TakeGood && !identify;
                    let steady = programs.iter().filter(|led| matches!(led, Program::Steady(_))).count();
                    assert_eq!(steady, usize::from(proven), "steady means proven: {lamp:?} {call:?}");
                    if !proven && !alone {
                        assert_eq!(programs[0], Program::Dark, "{lamp:?} {call:?} {identify}");
                    }
                    for (program, (key, _)) in programs.iter().zip(lamp.leds()) {
                        if let Program::Blink { may_stay_lit, .. } = program {
                            assert_eq!(*may_stay_lit, !matches!(key, "green" | "led"), "what cannot blink never says good: {key}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn one_led_tells_all_lights_apart_in_any_colour_also_where_only_even_rhythms_can_be_had() {
        let lights: BTreeSet<&str> =
            OperatorAction::ALL.iter().filter(|call| **call != OperatorAction::Nothing).map(|call| call.code()).collect();
        for lamp in every_lamp() {
            let mut exact = BTreeSet::new();
            let mut even = BTreeSet::new();
            for (call, identify) in OperatorAction::ALL.into_iter().map(|call| (call, false)).chain([(OperatorAction::Wait, true)]) {
                let programs = Light::of(call, identify).programs(&lamp, false);
                exact.insert(
                    programs
                        .iter()
                        .map(|led| match led {
                            Program::Blink { beats, .. } => format!("{beats:?}"),
                            Program::Steady(_) => "steady".to_owned(),
                            Program::Dark => String::new(),
                        })
                        .collect::<String>(),
                );
                even.insert(
                    programs
                        .iter()
                        .map(|led| match led {
                            Program::Blink { even, .. } => format!("{even:?}"),
                            Program::Steady(_) => "steady".to_owned(),
                            Program::Dark => String::new(),
                        })
                        .collect::<String>(),
                );
            }
            assert_eq!(exact.len(), lights.len() + 1, "{lamp:?}: {exact:?}");
            assert_eq!(even.len(), lights.len() + 1, "{lamp:?}: {even:?}");
        }
    }

    #[test]
    fn the_lamp_of_the_station_is_never_dark_and_its_three_lights_are_told_apart_by_any_lamp() {
        for lamp in every_lamp() {
            let drawn: BTreeSet<String> = StationCall::ALL.iter().map(|call| drawn(Light::of_station(*call), &lamp, false)).collect();
            assert_eq!(drawn.len(), 3, "{drawn:?}");
            assert!(drawn.iter().all(|drawn| drawn.contains(['=', '('])), "{drawn:?}");
        }
        let (one, three) = (lamp(&["led"]), lamp(&["green", "red", "blue"]));
        assert_eq!(drawn(Light::of_station(StationCall::Well), &three, false), "green =, red -, blue -");
        assert_eq!(drawn(Light::of_station(StationCall::Wanted), &three, false), "green -, red -, blue 200(200)200(1400)");
        assert_eq!(
            drawn(Light::of_station(StationCall::Fault), &one, false),
            drawn(Light::of(OperatorAction::StationFault, false), &one, false)
        );
    }

    #[test]
    fn lamps_beside_each_other_alternate_and_one_led_is_lit_when_the_other_is_dark() {
        let three = lamp(&["green", "red", "blue"]);
        let fault = Light::of(OperatorAction::StationFault, false);
        assert_eq!(drawn(fault, &three, true), "green -, red (600)600, blue 600(600)");
        assert_eq!(drawn(fault, &lamp(&["led"]), true), "led (200)200(200)600");
        assert_eq!(
            drawn(Light::of(OperatorAction::Wait, false), &three, true),
            drawn(Light::of(OperatorAction::Wait, false), &three, false)
        );
    }
}
