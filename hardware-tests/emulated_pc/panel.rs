//! The operator's panel on the first screen: every state of a slot, readable from three metres away.
//!
//! With `FLASHLINE_PICTURES=DIR` every checked screen is kept there as a PNG.

use std::path::Path;

use flashline_lab::{Errno, MIB, Pc, UsbBuilder, UsbStick, secs};

use crate::factory::{Factory, Image, usb};
use crate::screen::screen_text;
use crate::station::Station;

/// Letters of this size give the first screen, of 1280 by 800 points, 80 columns and 25 rows.
const LARGE: &str = "Uni2-TerminusBold32x16";
/// Letters of this size give it 160 columns and 50 rows.
const SMALL: &str = "Uni2-Terminus16";

const IMAGE: u64 = 8 * MIB;
const CARD: u64 = 16 * MIB;

/// The state of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Empty,
    Writing,
    ReadingBack,
    Pass,
    TooSmall,
    Flipped,
    Pulled,
    Held,
    Done,
    Rechecking,
    Locked,
    WriteError,
    Disarmed,
    Moved,
    Mapped,
    OrderDone,
}

use State::*;

const ALL: [State; 16] = [
    Empty,
    Writing,
    ReadingBack,
    Pass,
    TooSmall,
    Flipped,
    Pulled,
    Held,
    Done,
    Rechecking,
    Locked,
    WriteError,
    Disarmed,
    Moved,
    Mapped,
    OrderDone,
];

impl State {
    /// The words on the panel: the sign, and the instruction or the reason.
    fn shown(self) -> (&'static str, &'static str) {
        match self {
            Empty => ("EMPTY", "PUT A CARD IN"),
            // The percentage may be drawn in letters of many cells; the bar is always there.
            Writing => ("WRITING", "░"),
            ReadingBack => ("READING BACK", "░"),
            Rechecking => ("RECHECKING", "░"),
            Pass => ("PASS", "TAKE IT OUT, GOOD"),
            Done => ("DONE", "TAKE IT OUT, GOOD"),
            Mapped => ("PASS (MAPPED ONLY)", "TAKE IT OUT, GOOD"),
            TooSmall => ("REFUSED", "USE A 1 GB CARD"),
            Locked => ("REFUSED", "SLIDE ITS LOCK"),
            Flipped => ("FAILED", "TRY IT ONCE IN ANOTHER SLOT"),
            WriteError => ("FAILED", "TRY IT ONCE IN ANOTHER SLOT"),
            Pulled => ("PULLED", "THAT CARD IS BAD"),
            Held => ("HELD", "TAKE OUT, PUT IN AGAIN"),
            Disarmed => ("DISARMED", "CALL THE ENGINEER"),
            Moved => ("DISARMED", "CALL THE ENGINEER"),
            OrderDone => ("ORDER DONE", "TELL THE SUPERVISOR"),
        }
    }

    fn model(self) -> &'static str {
        match self {
            Mapped => "acme/mapped",
            OrderDone => "acme/ordered",
            _ => "acme/box",
        }
    }

    fn slot(self) -> String {
        let number = ALL.iter().position(|state| *state == self).expect("it is one of all");
        format!("{}{}", if number < 8 { 'A' } else { 'B' }, number % 8 + 1)
    }

    /// The socket of its slot: hub 1 or 2.
    fn socket(self) -> String {
        let number = ALL.iter().position(|state| *state == self).expect("it is one of all");
        format!("{}.{}", number / 8 + 1, number % 8 + 1)
    }

    fn stick(self, pc: &Pc) -> UsbBuilder {
        let stick = pc.usb(&self.socket()).serial(&format!("4C53100{}", self.slot())).size(CARD).filled(3);
        if self == Locked { stick.read_only() } else { stick }
    }
}

/// The hardware and jobs that must stay alive while the picture is taken.
#[derive(Default)]
struct Cards(Vec<UsbStick>);

impl Cards {
    fn keep(&mut self, stick: UsbStick) -> &UsbStick {
        self.0.push(stick);
        self.0.last().expect("it was just put there")
    }
}

fn configured(pc: &Pc, image: &Image, states: &[State]) {
    let mut factory = Factory::new(pc, &image.raw()).recheck();
    for (model, more) in [("acme/mapped", "zeroes = \"skip\"\n"), ("acme/ordered", "")] {
        if states.iter().any(|state| state.model() == model) {
            factory =
                factory.and(&format!("\n[[model]]\nname = \"{model}\"\nimage = \"/srv/images/image.img\"\nrequire = \"none\"\n{more}"));
        }
    }
    for state in states {
        let hangs_on = if *state == Moved { "hangs_on = [\"1a40:0201:HUB-7\", \"1a40:0201:HUB-7\"]\n" } else { "" };
        factory = factory.and(&format!(
            "\n[[slot]]\nname = \"{}\"\nports = {:?}\nmodel = \"{}\"\n{hangs_on}",
            state.slot(),
            usb(&state.socket()),
            state.model()
        ));
    }
    factory.configured();
}

/// The panel's unit, as the package installs it.
fn panel_on_screen(pc: &Pc) {
    pc.sh("systemctl start flashline-console");
}

/// Brings every slot into its state, and keeps it there.
fn reach(pc: &Pc, station: &Station<'_>, image: &Image, states: &[State]) -> Cards {
    let mut cards = Cards::default();
    let has = |state| states.contains(&state);
    if has(OrderDone) {
        pc.sh("flashline order start --model acme/ordered --count 1 --name 'lot 17'");
        let good = cards.keep(OrderDone.stick(pc).plug());
        station.wait_for(&OrderDone.slot(), "PASS");
        good.pull();
        station.wait_for(&OrderDone.slot(), "ORDER DONE");
    }
    if has(Pulled) {
        let pulled = cards.keep(Pulled.stick(pc).plug());
        pulled.faults(|faults| faults.bytes_per_second = Some(MIB));
        station.wait_for(&Pulled.slot(), "WRITING");
        pulled.pull();
        station.wait_for(&Pulled.slot(), "PULLED");
    }
    // All at once: each proceeds by itself, and is waited for when all are in.
    let mut on_their_way: Vec<(State, &str)> = Vec::new();
    for (state, word) in [
        (Pass, "PASS"),
        (Mapped, "PASS"),
        (Locked, "REFUSED"),
        (TooSmall, "REFUSED"),
        (Flipped, "FAILED"),
        (WriteError, "FAILED"),
        (Done, "DONE"),
    ] {
        if !has(state) {
            continue;
        }
        let stick = match state {
            TooSmall => state.stick(pc).size(4 * MIB),
            Done => state.stick(pc).contents(image.raw()),
            _ => state.stick(pc),
        };
        let card = cards.keep(stick.plug());
        match state {
            Flipped => card.faults(|faults| faults.flips_on_read.push((6 * MIB + 1234, 0x04))),
            WriteError => card.faults(|faults| faults.all_writes = Some(Errno::IO)),
            _ => {}
        }
        on_their_way.push((state, word));
    }
    for (state, word) in on_their_way {
        station.wait_for(&state.slot(), word);
    }
    if has(Disarmed) {
        pc.sh(&format!("flashline disarm --slot {} --reason 'bent contacts'", Disarmed.slot()));
        station.wait_for(&Disarmed.slot(), "DISARMED");
    }
    // These steps take as long as the picture does.
    if has(ReadingBack) {
        let busy = cards.keep(ReadingBack.stick(pc).plug());
        busy.faults(|faults| faults.bytes_per_second = Some(2 * MIB));
        station.wait_for(&ReadingBack.slot(), "READING BACK");
        busy.faults(|faults| faults.bytes_per_second = Some(MIB / 5));
    }
    if has(Rechecking) {
        let busy = cards.keep(Rechecking.stick(pc).contents(image.raw()).plug());
        busy.faults(|faults| faults.bytes_per_second = Some(MIB / 5));
        station.wait_for(&Rechecking.slot(), "RECHECKING");
    }
    if has(Writing) {
        let busy = cards.keep(Writing.stick(pc).plug());
        busy.faults(|faults| faults.bytes_per_second = Some(MIB / 2));
        station.wait_for(&Writing.slot(), "WRITING");
    }
    cards
}

/// The screen in letters of that size, once it was drawn in them; kept as a picture if that was requested.
fn screen(pc: &Pc, font: &str, columns: u32, name: &str) -> String {
    pc.sh(&format!("setfont {font} -C /dev/tty1"));
    assert_eq!(pc.sh("stty -F /dev/tty1 size | cut -d' ' -f2"), columns.to_string());
    // At least one picture a second, for the clock.
    std::thread::sleep(secs(4));
    let text = screen_text(pc);
    if let Some(pictures) = std::env::var_os("FLASHLINE_PICTURES") {
        pc.screenshot(Path::new(&pictures).join(format!("{name}.png")));
    }
    text
}

/// One station with its slots in these states, in both sizes of letters.
fn pictured(states: &[State], name: &str) {
    let pc = Pc::start();
    let image = Image::new(IMAGE, 7);
    let _hubs = [pc.hub("1"), pc.hub("2")];
    configured(&pc, &image, states);
    let held = states.contains(&Held).then(|| Held.stick(&pc).plug());
    if let Some(held) = &held {
        let _seen = held.node();
    }
    let station = Station::under_systemd(&pc, "");
    panel_on_screen(&pc);
    let cards = reach(&pc, &station, &image, states);
    for (font, columns, size) in [(SMALL, 160, "1280x800"), (LARGE, 80, "80x25")] {
        let text = screen(&pc, font, columns, &format!("panel-{name}-{size}"));
        for state in states {
            let (word, todo) = state.shown();
            // If there is room, names and words are drawn in letters of many cells, and the line below them repeats them.
            let small = columns == 80 && states.len() > 8;
            assert!(!small || (text.contains(&state.slot()) && text.contains(word)), "{state:?} has its name and {word}:\n{text}");
            assert!(small || text.contains(todo) || columns == 80, "{state:?} says what to do, {todo}:\n{text}");
        }
    }
    drop(cards);
}

#[test]
fn long_the_panel_shows_sixteen_slots_in_sixteen_states_and_each_says_what_to_do() {
    pictured(&ALL, "16");
}

#[test]
fn long_the_panel_shows_eight_slots_in_every_state_and_each_says_what_to_do() {
    pictured(&ALL[..8], "8a");
    pictured(&ALL[8..], "8b");
}

#[test]
fn long_the_panel_shows_four_slots_in_every_state_and_each_says_what_to_do() {
    for (states, name) in ALL.chunks(4).zip(["4a", "4b", "4c", "4d"]) {
        pictured(states, name);
    }
}

#[test]
fn the_panel_says_loudly_that_the_station_is_down_and_comes_back_with_it() {
    let pc = Pc::start();
    let image = Image::new(IMAGE, 7);
    let _hub = pc.hub("1");
    configured(&pc, &image, &ALL[..4]);
    let station = Station::under_systemd(&pc, "[Service]\nRestart=no\n");
    panel_on_screen(&pc);
    let _cards = reach(&pc, &station, &image, &[Pass]);
    let text = screen(&pc, SMALL, 160, "panel-up");
    assert!(text.contains("TAKE IT OUT, GOOD"), "{text}");
    pc.sh("systemctl kill --kill-who=main --signal=KILL flashline; sleep 2");
    let text = screen(&pc, SMALL, 160, "panel-down");
    assert!(text.contains("what is in the slots is not good"), "{text}");
    assert!(!text.contains("TAKE IT OUT, GOOD"), "nothing of it is to be believed:\n{text}");
    pc.sh("systemctl start flashline; sleep 2");
    // The card was in the slot when the station came back: it was not put in to be flashed.
    let text = screen(&pc, SMALL, 160, "panel-back");
    assert!(text.contains("TAKE OUT, PUT IN AGAIN"), "{text}");
}
