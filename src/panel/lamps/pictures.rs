//! Draws the lamps for the documents, one SVG for each call, and tests that those in `docs/pictures` show what the lamps do.
//!
//! The rhythm of a lamp is drawn from its [`Program`]s, and the word in a cell is that of a sign with the call. The shapes of frames are
//! drawn here again: a panel draws them with characters.

use std::fmt::Write;
use std::path::Path;

use super::light::{Beat, Light, Program};
use crate::station::lamp::Lamp;
use crate::station::outcome::{Failure, Refusal};
use crate::station::sign::{OperatorAction, Sign};
use crate::station::station_call::StationCall;

/// The time that a strip shows, in milliseconds: two rounds of the slowest rhythm.
const SHOWN_MS: u32 = 4000;
/// The milliseconds of one unit of width in a strip.
const MS_PER_UNIT: f64 = 40.0;
/// The heights of a picture, and of one strip in it.
const HEIGHT: u32 = 56;
const STRIP: u32 = 12;
/// The width of a cell with its frame, and of a lamp with its strips.
const CELL: u32 = 128;
const LIGHT: u32 = 152;

/// The colour in which an LED is drawn, by its key.
fn colour(key: &str) -> &'static str {
    match key {
        "green" => "#12962f",
        "red" => "#d3121e",
        "yellow" => "#f59b00",
        _ => "#1560d4",
    }
}

/// The periods in which an LED is lit, as begin and end in milliseconds.
fn lit(program: &Program) -> Vec<(u32, u32)> {
    match program {
        Program::Dark => Vec::new(),
        Program::Steady(_) => vec![(0, SHOWN_MS)],
        Program::Blink { beats, .. } => {
            let mut at = 0;
            let mut periods = Vec::new();
            for Beat { lit, ms } in beats.iter().cycle() {
                let end = (at + u32::from(*ms)).min(SHOWN_MS);
                if *lit {
                    periods.push((at, end));
                }
                at = end;
                if at == SHOWN_MS {
                    break;
                }
            }
            periods
        }
    }
}

/// A lamp with the four LEDs: a circle and a strip of time for each LED that is ever lit, or one of each that is dark.
fn lamp(light: Light, x: u32) -> String {
    let lamp = Lamp::of_keys(|key| (key != "led").then(|| key.to_owned())).expect("a lamp of four LEDs");
    let mut leds: Vec<_> =
        lamp.leds().iter().zip(light.programs(&lamp, false)).map(|((key, _), program)| (colour(key), lit(&program))).collect();
    leds.retain(|(_, periods)| !periods.is_empty());
    if leds.is_empty() {
        leds.push(("none", Vec::new()));
    }
    let mut svg = String::new();
    let count = u32::try_from(leds.len()).expect("a few LEDs");
    let mut y = (HEIGHT - count * 24) / 2;
    for (colour, periods) in leds {
        let (circle, strip) = (y + 12, y + 12 - STRIP / 2);
        let _ = writeln!(svg, r##"<circle cx="{}" cy="{circle}" r="10" fill="{colour}" stroke="#333"/>"##, x + 14);
        let left = f64::from(x + 36);
        for (begin, end) in periods {
            let (from, width) = (left + f64::from(begin) / MS_PER_UNIT, f64::from(end - begin) / MS_PER_UNIT);
            let _ = writeln!(svg, r##"<rect x="{from}" y="{strip}" width="{width}" height="{STRIP}" fill="{colour}"/>"##);
        }
        let width = f64::from(SHOWN_MS) / MS_PER_UNIT;
        let _ = writeln!(svg, r##"<rect x="{left}" y="{strip}" width="{width}" height="{STRIP}" fill="none" stroke="#333"/>"##);
        for second in 1..SHOWN_MS / 1000 {
            let (at, bottom) = (left + f64::from(second * 1000) / MS_PER_UNIT, strip + STRIP);
            let _ = writeln!(svg, r##"<path d="M{at} {bottom}v4" stroke="#333"/>"##);
        }
        y += 24;
    }
    svg
}

/// A cell of the panel: its frame, a word, and the bin.
fn cell(call: OperatorAction, word: &str) -> String {
    let (ink, frame) = match call {
        OperatorAction::PutIn => ("#c8c8c8", None),
        OperatorAction::Wait => ("#3cb4e6", None),
        OperatorAction::TakeGood => ("#20c040", Some("#20c040")),
        OperatorAction::TakeBad => ("#ff4040", Some("#ff4040")),
        OperatorAction::TakeAside => ("#ffa81e", Some("url(#coarse)")),
        OperatorAction::Nothing => ("#d060e0", Some("url(#fine)")),
        OperatorAction::StationFault => ("#ffffff", None),
    };
    let ground = if call == OperatorAction::StationFault { "#c01018" } else { "#000000" };
    let mut svg = String::new();
    for (id, gap, width) in [("coarse", 6, "3"), ("fine", 4, "1.5")] {
        let _ = writeln!(
            svg,
            r##"<pattern id="{id}" width="{gap}" height="{gap}" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0v{gap}" stroke="{ink}" stroke-width="{width}"/></pattern>"##
        );
    }
    let _ = writeln!(svg, r##"<rect x="2" y="2" width="{}" height="{}" fill="{ground}"/>"##, CELL - 8, HEIGHT - 4);
    let (right, bottom) = (CELL - 10, HEIGHT - 6);
    match frame {
        Some(paint) => {
            let dashes = if call == OperatorAction::TakeBad { r#" stroke-dasharray="10 8""# } else { "" };
            let _ = writeln!(
                svg,
                r##"<rect x="6" y="6" width="{}" height="{}" fill="none" stroke="{paint}" stroke-width="6"{dashes}/>"##,
                right - 6,
                bottom - 6
            );
        }
        None if call != OperatorAction::StationFault => {
            let _ = writeln!(
                svg,
                r##"<path d="M6 18v-12h16M{} 6h16v12M{right} {}v12h-16M22 {bottom}h-16v-12" fill="none" stroke="{ink}" stroke-width="4"/>"##,
                right - 16,
                bottom - 12
            );
        }
        None => {}
    }
    let bin = match call.bin() {
        Some(crate::station::bins::Bin::Good) => "→ GOOD",
        Some(crate::station::bins::Bin::NotBad) => "→ NOT BAD",
        Some(crate::station::bins::Bin::Bad) => "→ BAD",
        None => "",
    };
    let (middle, base) = ((CELL - 4) / 2, if bin.is_empty() { 34 } else { 26 });
    let text = |y: u32, size: u32, text: &str| {
        format!(
            r##"<text x="{middle}" y="{y}" font-size="{size}" font-weight="bold" font-family="monospace" text-anchor="middle" fill="{ink}">{text}</text>"##
        )
    };
    svg.push_str(&text(base, 14, word));
    svg.push('\n');
    if !bin.is_empty() {
        svg.push_str(&text(base + 15, 11, bin));
        svg.push('\n');
    }
    svg
}

fn picture(width: u32, title: &str, contents: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{HEIGHT}\" viewBox=\"0 0 {width} {HEIGHT}\">\n\
         <title>{title}</title>\n{contents}</svg>\n"
    )
}

/// A sign of each call, whose word is drawn in the cell.
fn signs() -> Vec<(OperatorAction, String)> {
    let signs = [Sign::Empty, Sign::Writing, Sign::Passed, Sign::Refused(Refusal::WriteProtected), Sign::Failed(Failure::Changed)];
    let mut words: Vec<_> = signs.iter().map(|sign| (sign.call(), sign.word().to_owned())).collect();
    words.push((OperatorAction::Nothing, Sign::Disarmed(String::new()).word().to_owned()));
    words.push((OperatorAction::StationFault, "STATION DOWN".to_owned()));
    assert_eq!(words.iter().map(|(call, _)| *call).collect::<Vec<_>>(), OperatorAction::ALL, "one word of each call");
    words
}

/// Every picture by its name.
fn pictures() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (call, word) in signs() {
        let contents = format!("{}{}", cell(call, &word), lamp(Light::of(call, false), CELL));
        all.push((format!("slot-{}", call.code()), picture(CELL + LIGHT, &format!("{word} and its lamp in four seconds"), &contents)));
    }
    all.push(("slot-identify".to_owned(), picture(LIGHT, "a lamp that flickers", &lamp(Light::of(OperatorAction::Wait, true), 0))));
    for call in StationCall::ALL {
        let title = format!("the lamp of the station in four seconds: {}", call.code());
        all.push((format!("station-{}", call.code()), picture(LIGHT, &title, &lamp(Light::of_station(call), 0))));
    }
    all
}

#[test]
fn the_pictures_of_lamps_in_the_documents_show_what_the_lamps_do() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    let mut wrong = Vec::new();
    for (name, svg) in pictures() {
        let path = directory.join(format!("{name}.svg"));
        if std::env::var_os("FLASHLINE_WRITE_DOCUMENTS").is_some() {
            std::fs::create_dir_all(&directory).expect("a directory for pictures");
            std::fs::write(&path, &svg).expect("written");
        }
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&svg) {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "draw them again with `FLASHLINE_WRITE_DOCUMENTS=1 cargo test --lib pictures`: {wrong:?}");
}

#[test]
fn a_strip_shows_each_rhythm_for_four_seconds() {
    let beats = vec![Beat { lit: true, ms: 1000 }, Beat { lit: false, ms: 500 }];
    let blink = Program::Blink { colour: super::light::Colour::Red, beats, even: (1000, 500), may_stay_lit: true };
    assert_eq!(lit(&blink), [(0, 1000), (1500, 2500), (3000, 4000)]);
    assert_eq!(lit(&Program::Dark), []);
    assert_eq!(lit(&Program::Steady(super::light::Colour::Green)), [(0, 4000)]);
}
