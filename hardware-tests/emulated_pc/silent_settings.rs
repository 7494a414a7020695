//! Settings of the unit that harden it, one after another as a drop-in: what `flashline check` says of each, what the running station
//! shows, and that no card is refused for it.

use std::collections::BTreeSet;

use flashline_lab::{Job, MIB, Pc, UsbStick, secs};
use serde_json::Value;

use crate::factory::{Factory, Image, install_units, usb};

const DROP_IN: &str = "/etc/systemd/system/flashline.service.d/setting.conf";
/// The station's own lamp: an LED of the keyboard.
const LAMP: &str = "/sys/class/leds/input*::numlock";

/// What becomes of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Card {
    Passes,
    /// In the slot, and not touched.
    Waits,
}

/// The lines of the drop-in, words of what `check` says, the code that the station shows, and what becomes of a card.
type Setting = (&'static str, Option<&'static str>, Option<&'static str>, Card);

/// They take nothing from the station.
const HARMLESS: [Setting; 4] = [
    ("PrivateNetwork=yes", None, None, Card::Passes),
    ("PrivateMounts=yes", None, None, Card::Passes),
    ("SystemCallFilter=~@privileged", None, None, Card::Passes),
    // The unit itself has ReadWritePaths=/sys/devices, which is deeper.
    ("ReadOnlyPaths=/sys", None, None, Card::Passes),
];

const HARMFUL: [Setting; 6] = [
    ("ProcSubset=pid", Some("ProcSubset=pid"), Some("swaps-hidden"), Card::Passes),
    ("PrivateUsers=yes", Some("PrivateUsers=yes"), Some("askers-unknown"), Card::Passes),
    ("ReadOnlyPaths=/sys/devices", Some("ReadOnlyPaths=/sys/devices"), Some("lamps-stuck"), Card::Passes),
    ("ReadWritePaths=\nReadWritePaths=/srv", Some("without ReadWritePaths=/sys/devices"), Some("lamps-stuck"), Card::Passes),
    ("SystemCallFilter=~inotify_init inotify_init1", Some("it forbids inotify_init1"), Some("no-hints"), Card::Passes),
    // The socket exists, and cannot be opened to its users.
    ("SystemCallFilter=~chmod fchmodat", Some("it forbids chmod"), Some("no-control"), Card::Passes),
];

/// No card can be admitted: it waits.
const STOPPING: [Setting; 2] = [
    ("PrivateDevices=yes", Some("PrivateDevices=yes"), Some("disks-hidden"), Card::Waits),
    ("InaccessiblePaths=/run/udev", Some("InaccessiblePaths=/run/udev"), Some("udev-hidden"), Card::Waits),
];

/// Nobody can ask, and systemd hears nothing either.
const MUTE: Setting =
    ("RestrictAddressFamilies=\nRestrictAddressFamilies=AF_INET", Some("without AF_UNIX"), Some("no-control"), Card::Passes);

/// A station with a lamp for its slot and one for itself, under its unit as it is shipped.
struct Line {
    pc: Pc,
    image: Image,
    /// What `check` has against this PC without any drop-in.
    healthy: BTreeSet<String>,
}

impl Line {
    fn start() -> Self {
        let pc = Pc::start();
        let image = Image::new(4 * MIB, 7);
        Factory::new(&pc, &image.raw())
            .lit_slot("A1", usb("1"), "led = \"input*::capslock\"")
            .replaced("name = \"emulated\"\n", "name = \"emulated\"\nlamp = { led = \"input*::numlock\" }\n")
            .configured();
        install_units(&pc);
        let mut line = Self { pc, image, healthy: BTreeSet::new() };
        line.restart("");
        line.pc.wait_for("[ -S /run/flashline/control.sock ]", secs(20));
        line.healthy = line.complaints();
        line
    }

    /// Starts the station anew with this drop-in, and follows its journal from there.
    fn restart(&self, drop_in: &str) -> Job {
        self.pc.put(format!("[Service]\n{drop_in}\n").as_bytes(), DROP_IN, 0o644);
        // Without a line of the unit, it answers with an error.
        let said = self.pc.run("journalctl --unit flashline.service --lines 1 --show-cursor");
        let cursor = said.stdout.lines().find_map(|line| line.strip_prefix("-- cursor: "));
        let after = cursor.map_or_else(String::new, |cursor| format!("--after-cursor '{cursor}'"));
        let journal = self.pc.spawn(&format!("exec journalctl --unit flashline.service --output cat --lines all --follow {after}"));
        // A station that cannot speak to systemd is never reported as started, and writes its lines to its stream of the journal.
        self.pc.sh("systemctl daemon-reload && systemctl restart --no-block flashline.service");
        journal.wait_for_line("the station runs", secs(90));
        journal
    }

    /// What `check` finds bad.
    fn complaints(&self) -> BTreeSet<String> {
        let output = self.pc.run("flashline check --json 2>/dev/null");
        let said: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"));
        let findings = said["findings"].as_array().expect("findings");
        findings.iter().filter(|finding| finding["mark"] == "bad").map(|finding| finding["what"].to_string()).collect()
    }

    /// The pattern of the station's lamp is that of a fault.
    fn shows_fault(&self) -> bool {
        self.pc.run(&format!("grep -q '\\[pattern\\]' {LAMP}/trigger && grep -q ' 600 ' {LAMP}/pattern")).success()
    }

    fn stick(&self, filled: u64) -> UsbStick {
        self.pc.usb("1").size(16 * MIB).filled(filled).plug()
    }

    fn try_setting(&self, (drop_in, says, code, card): Setting) {
        println!("{drop_in}");
        let journal = self.restart(drop_in);
        let now = self.complaints();
        let new: Vec<&String> = now.difference(&self.healthy).collect();
        match says {
            None => assert!(new.is_empty(), "{drop_in}: nothing is the matter: {new:?}"),
            Some(words) => assert!(new.len() == 1 && new[0].contains(words), "{drop_in}: {new:?}"),
        }
        let stick = self.stick(3);
        match card {
            Card::Passes => {
                journal.wait_for_line("A1  PASS", secs(120));
                assert!(stick.reads_as(self.image.raw()), "{drop_in}");
            }
            Card::Waits => {
                journal.wait_for_line("A1  WAIT", secs(60));
                // Longer than a card is asked about before it is refused.
                std::thread::sleep(secs(25));
                assert!(stick.untouched(), "{drop_in}");
            }
        }
        for word in ["REFUSED", "FAILED", "PULLED"] {
            assert_eq!(journal.count_lines(&format!("A1  {word}")), 0, "{drop_in}: no card is to blame");
        }
        self.is_told(drop_in, code, card, &journal);
        stick.pull();
        stick.wait_gone();
    }

    /// The journal has the fault with its cure, once; the station's lamp shows it; and a client that can ask reads its code.
    fn is_told(&self, drop_in: &str, code: Option<&str>, card: Card, journal: &Job) {
        let told = journal.count_lines("STATION FAULT  .*; (cards go on|nothing new is begun)");
        assert_eq!(told, usize::from(code.is_some()), "{drop_in}: {}", journal.printed());
        if code != Some("lamps-stuck") {
            self.pc.wait_until("the station's lamp", secs(20), || (self.shows_fault() == code.is_some()).then_some(()));
        }
        if code == Some("no-control") {
            let asked = self.pc.run("flashline status");
            return assert!(!asked.success(), "{drop_in}: {asked}");
        }
        let asked = self.pc.run("flashline status --json");
        let status: Value = serde_json::from_str(&asked.stdout).unwrap_or_else(|error| panic!("{drop_in}: {error}: {asked}"));
        let codes: Vec<&str> =
            status["restrictions"].as_array().into_iter().flatten().filter_map(|restriction| restriction["code"].as_str()).collect();
        assert_eq!(codes, code.into_iter().collect::<Vec<_>>(), "{drop_in}");
        assert_eq!(asked.status, u32::from(code.is_some()), "{drop_in}");
        assert_eq!((status["call"] == "fault", !status["fault"].is_null()), (code.is_some(), card == Card::Waits), "{drop_in}: {status}");
        let slot_is_faulty = status["slots"][0]["call"] == "station-fault";
        assert_eq!(slot_is_faulty, card == Card::Waits, "{drop_in}: {status}");
    }
}

#[test]
fn long_settings_that_take_nothing_from_the_station_are_no_word_of_check_and_no_fault() {
    let line = Line::start();
    HARMLESS.into_iter().for_each(|setting| line.try_setting(setting));
}

#[test]
fn long_each_setting_that_takes_something_is_named_by_check_and_is_a_fault_of_the_station_and_cards_pass_all_the_same() {
    let line = Line::start();
    HARMFUL.into_iter().for_each(|setting| line.try_setting(setting));
    // All is well again without it.
    line.try_setting(("", None, None, Card::Passes));
}

#[test]
fn long_a_card_that_cannot_be_admitted_because_of_a_setting_waits_and_is_neither_touched_nor_refused() {
    let line = Line::start();
    STOPPING.into_iter().for_each(|setting| line.try_setting(setting));
}

#[test]
fn a_station_without_sockets_writes_its_cards_and_its_lamp_calls_the_engineer() {
    let line = Line::start();
    line.try_setting(MUTE);
}
