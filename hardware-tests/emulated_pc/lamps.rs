//! Lamps of every kind: a USB light, a keyboard's LED, an SD host's own. Tests their light in every state and after the end of the station.

use flashline_lab::{Job, MIB, Pc, secs};

use crate::factory::{Factory, Image, rows, sd, usb};
use crate::station::{Run, Station};
use crate::teach::Lesson;

/// The keyboard's LED; the kernel numbers it.
const KEYBOARD: &str = "led = \"input*::capslock\"";
/// The USB light's LED, whatever its number.
const USB_LIGHT: &str = "green = \"thingm*:green:led0\", red = \"thingm*:red:led0\", blue = \"thingm*:blue:led0\"";

/// The states of LEDs, as [`does`] spells them.
const DARK: &str = "none 0";
const STEADY: &str = "none on";
const SLOW: &str = "on 1000 on 0 0 1000 0 0";
const DOUBLE: &str = "on 200 on 0 0 200 0 0 on 200 on 0 0 1400 0 0";
const FAST: &str = "on 100 on 0 0 100 0 0";
const FLICKER: &str = "on 40 on 0 0 40 0 0";
const LONG_AND_SHORT: &str = "on 600 on 0 0 200 0 0 on 200 on 0 0 200 0 0";
const SHORT_AND_LONG: &str = "0 200 0 0 on 200 on 0 0 200 0 0 on 600 on 0";
const LONG: &str = "on 600 on 0 0 600 0 0";
const LONG_AFTERWARDS: &str = "0 600 0 0 on 600 on 0";

/// The LEDs of the scenarios, as shell patterns: green, red and blue of the USB light, the keyboard's, the SD host's.
const LEDS: [&str; 5] = ["thingm*:green:led0", "thingm*:red:led0", "thingm*:blue:led0", "input*::capslock", "mmc0::"];

/// The state of each of these LEDs in the kernel: its pattern, or its trigger and brightness; `on` is full brightness. An LED whose pattern is
/// being written has none yet.
fn does<const N: usize>(pc: &Pc, leds: [&str; N]) -> [String; N] {
    let script = format!(
        "cd /sys/class/leds; for led in {}; do cd $led || exit; most=$(cat max_brightness); if grep -q '\\[pattern\\]' trigger; \
         then echo $(cat pattern); else echo $(sed 's/.*\\[//; s/\\].*//' trigger) $(cat brightness); fi | sed \"s/\\b$most\\b/on/g; s/ *$//\"; \
         cd ..; done; echo end",
        leds.join(" ")
    );
    // Behind a last line that is not empty, the empty ones before it count.
    let printed = pc.sh(&script);
    let lines: Vec<String> = printed.lines().map(str::to_owned).take_while(|line| line != "end").collect();
    lines.try_into().unwrap_or_else(|lines| panic!("one line an LED: {lines:?}"))
}

/// Waits until these LEDs are in this state.
#[track_caller]
fn wait_for<const N: usize>(pc: &Pc, state: &str, leds: [&str; N], expected: [&str; N]) {
    let begun = std::time::Instant::now();
    let mut seen = does(pc, leds);
    while seen != expected && begun.elapsed() < secs(30) {
        std::thread::sleep(std::time::Duration::from_millis(300));
        seen = does(pc, leds);
    }
    assert_eq!(seen, expected, "{state}");
    println!("{state}: {seen:?}");
}

/// One slot for each kind of lamp: A1, A2 and S1.
fn three_lamps<'a>(pc: &'a Pc, image: &Image) -> Factory<'a> {
    Factory::new(pc, &image.raw()).lit_slot("A1", usb("1"), USB_LIGHT).lit_slot("A2", usb("2"), KEYBOARD).lit_slot(
        "S1",
        sd(0),
        "led = \"mmc0::\"",
    )
}

const SLOTS: [&str; 3] = ["A1", "A2", "S1"];

fn nth(station: &Station<'_>, slot: &str, word: &str, nth: usize) {
    station.job.wait_for_nth_line(nth, &format!("^{slot}  {word}"), secs(180));
}

#[test]
fn long_lamps_of_every_kind_tell_the_operator_what_to_do_in_every_state() {
    let pc = Pc::start();
    let light = pc.lamp();
    let image = Image::new(8 * MIB, 7);
    let station = three_lamps(&pc, &image).run();
    let check = pc.run("flashline check");
    assert!(check.status == 0 && !check.stdout.contains("the lamp of"), "every LED is there: {check}");
    wait_for(&pc, "empty", LEDS, [DARK; 5]);

    let sticks = ["1", "2"].map(|port| {
        let stick = pc.usb(port).size(32 * MIB).filled(1).plug();
        stick.medium().faults(|faults| faults.bytes_per_second = Some(MIB / 4));
        stick
    });
    ["A1", "A2"].iter().for_each(|slot| nth(&station, slot, "WRITING", 1));
    // An emulated SD card that is slow itself stops the whole PC meanwhile.
    let card = pc.sd(0).size(32 * MIB).filled(1).insert();
    let node = card.node();
    station.pace(&node, Some(MIB / 4));
    nth(&station, "S1", "WRITING", 1);
    wait_for(&pc, "busy", LEDS, [DARK, DARK, SLOW, SLOW, SLOW]);
    // The light itself, by the reports that the device gets: blue for a second, dark for a second.
    let blue: Vec<u64> = pc.wait_until("two turns of blue", secs(60), || {
        let blue: Vec<u64> = light.history().iter().filter(|light| light.colour == (0, 0, 255)).map(|light| light.at).collect();
        (blue.len() >= 3).then_some(blue)
    });
    assert!(blue.windows(2).all(|turn| (1800..4000).contains(&(turn[1] - turn[0]))), "{blue:?}");
    assert!(light.history().iter().all(|light| light.colour.1 == 0), "nothing was green yet: {:?}", light.history());
    sticks.iter().for_each(|stick| stick.medium().faults(|faults| faults.bytes_per_second = None));
    station.pace(&node, None);

    SLOTS.iter().for_each(|slot| nth(&station, slot, "PASS", 1));
    wait_for(&pc, "passed", LEDS, [STEADY, DARK, DARK, STEADY, STEADY]);
    light.wait_shows(0, (0, 255, 0), secs(20));
    for slot in SLOTS {
        pc.sh(&format!("flashline identify {slot}"));
    }
    wait_for(&pc, "identify", LEDS, [DARK, DARK, FLICKER, FLICKER, FLICKER]);
    sticks.iter().for_each(|stick| stick.pull());
    card.eject();
    SLOTS.iter().for_each(|slot| nth(&station, slot, "EMPTY", 2));

    let sticks = ["1", "2"].map(|port| pc.usb(port).size(4 * MIB).filled(2).plug());
    let card = pc.sd(0).size(4 * MIB).filled(2).insert();
    SLOTS.iter().for_each(|slot| nth(&station, slot, "REFUSED", 1));
    // The search for the slot has ended by now.
    pc.wait_until("identify ends", secs(120), || (does(&pc, LEDS)[2] != FLICKER && does(&pc, LEDS)[4] != FLICKER).then_some(()));
    wait_for(&pc, "refused", LEDS, [DARK, DARK, DOUBLE, DOUBLE, DOUBLE]);
    assert!(sticks.iter().all(|stick| stick.untouched()) && card.untouched());
    sticks.iter().for_each(|stick| stick.pull());
    card.eject();
    SLOTS.iter().for_each(|slot| nth(&station, slot, "EMPTY", 3));

    // A false capacity: such a card is bad without a try in another slot.
    let last_block = 32 * MIB - 512..32 * MIB;
    let sticks = ["1", "2"].map(|port| {
        let stick = pc.usb(port).size(32 * MIB).filled(3).plug();
        stick.medium().faults(|faults| faults.stuck.push(last_block.clone()));
        stick
    });
    let card = pc.sd(0).faulty().size(32 * MIB).filled(3).insert();
    card.medium().faults(|faults| faults.stuck.push(last_block.clone()));
    SLOTS.iter().for_each(|slot| nth(&station, slot, "FAILED", 1));
    wait_for(&pc, "failed", LEDS, [DARK, FAST, DARK, FAST, FAST]);
    sticks.iter().for_each(|stick| stick.pull());
    card.eject();
    SLOTS.iter().for_each(|slot| nth(&station, slot, "EMPTY", 4));
    wait_for(&pc, "empty again", LEDS, [DARK; 5]);

    pc.sh("flashline disarm --model acme/box --reason 'no cards today'");
    wait_for(&pc, "disarmed", LEDS, [DARK, DARK, DOUBLE, DOUBLE, DOUBLE]);
    pc.sh("flashline arm --model acme/box");
    wait_for(&pc, "armed", LEDS, [DARK; 5]);

    // Unplugged and plugged in again: other LEDs with other names, and they show the sign of the slot.
    pc.sh("flashline disarm --slot A1");
    light.pull();
    let line = station.job.wait_for_line("there is no LED thingm\\*:blue:led0", secs(30));
    assert!(line.contains("A1"), "{line}");
    let check = pc.run("flashline check");
    assert!(check.status == 0 && check.stdout.contains("the lamp of A1: there is no LED thingm*:blue:led0"), "{check}");
    let light = pc.lamp();
    wait_for(&pc, "plugged in again", [LEDS[0], LEDS[1], LEDS[2]], [DARK, DARK, DOUBLE]);
    light.wait_shows(0, (0, 0, 255), secs(20));
    assert_eq!(station.job.count_lines("there is no LED thingm\\*:blue:led0"), 1, "said once");
    assert_eq!(rows(&pc).len(), 9, "no card was lost for it");
}

/// What systemd runs before it starts a station: it waits while the gate is closed. On a busy PC it takes longer to read the lamps than a
/// station takes to start again.
const GATE: &str = "/bin/sh -c 'while [ -e /run/gate-is-closed ]; do sleep 0.2; done'";
const CLOSE_GATE: &str = "touch /run/gate-is-closed";
const OPEN_GATE: &str = "rm /run/gate-is-closed";

/// The LEDs of A1, A2 and S1 without a station.
const FAULT: [&str; 5] = [DARK, LONG, LONG_AFTERWARDS, SHORT_AND_LONG, LONG_AND_SHORT];

/// Kills the station: nothing is green any more before systemd starts another one. Returns how long that took.
fn kill_until_none_is_green(pc: &Pc) {
    let script = "cd /sys/class/leds; systemctl kill --kill-who=main --signal=KILL flashline; a=$(cut -d' ' -f1 /proc/uptime); \
        until [ $(cat thingm*:green:led0/brightness) = 0 ] && grep -q '\\[pattern\\]' thingm*:red:led0/trigger && \
        grep -q '\\[pattern\\]' input*::capslock/trigger && grep -q '\\[pattern\\]' mmc0::/trigger; do :; done; \
        b=$(cut -d' ' -f1 /proc/uptime); systemctl show --value -p MainPID flashline; echo \"$a s to $b s\"";
    let said = pc.sh(script);
    println!("killed, and nothing green after it: {said}");
    assert!(said.starts_with("0\n"), "no other station had to run for it: {said}");
}

fn all_pass(pc: &Pc, station: &Station<'_>, passes: usize) -> Cards {
    let sticks = ["1", "2"].map(|port| pc.usb(port).size(32 * MIB).filled(1).plug());
    let card = pc.sd(0).size(32 * MIB).filled(1).insert();
    SLOTS.iter().for_each(|slot| nth(station, slot, "PASS", passes));
    wait_for(pc, "passed", LEDS, [STEADY, DARK, DARK, STEADY, STEADY]);
    Cards(Some((sticks, card)))
}

/// Taken out when dropped.
struct Cards(Option<([flashline_lab::UsbStick; 2], flashline_lab::SdCard)>);

impl Drop for Cards {
    fn drop(&mut self) {
        if let Some((sticks, card)) = self.0.take() {
            sticks.iter().for_each(|stick| stick.pull());
            card.eject();
        }
    }
}

#[test]
fn no_lamp_stays_green_when_the_station_is_killed_stopped_hung_or_cannot_be_configured() {
    let pc = Pc::start();
    let light = pc.lamp();
    let image = Image::new(4 * MIB, 7);
    three_lamps(&pc, &image).configured();
    let station = Station::under_systemd(&pc, &format!("[Service]\nWatchdogSec=5\nExecStartPre=+{GATE}\n"));
    wait_for(&pc, "empty", LEDS, [DARK; 5]);

    let cards = all_pass(&pc, &station, 1);
    pc.sh(CLOSE_GATE);
    kill_until_none_is_green(&pc);
    wait_for(&pc, "killed", LEDS, FAULT);
    let switched = light.history();
    let last_green = switched.iter().rposition(|light| light.colour.1 > 0).expect("it was green");
    pc.wait_until("red and blue in turn", secs(60), || {
        let after: Vec<_> = light.history()[last_green + 1..].iter().map(|light| light.colour).collect();
        assert!(after.iter().all(|colour| colour.1 == 0), "{after:?}");
        let turns = |colour| after.iter().filter(|seen| **seen == colour).count();
        (turns((255, 0, 0)) >= 2 && turns((0, 0, 255)) >= 2).then_some(())
    });
    // Systemd starts it again, with cards in the slots that were not put in by hand.
    pc.sh(OPEN_GATE);
    SLOTS.iter().for_each(|slot| nth(&station, slot, "HELD", 1));
    wait_for(&pc, "held", LEDS, [DARK, DARK, DOUBLE, DOUBLE, DOUBLE]);
    drop(cards);
    SLOTS.iter().for_each(|slot| nth(&station, slot, "EMPTY", 2));

    // Killed while its configuration is unreadable: the lamps that were lit are still known.
    let cards = all_pass(&pc, &station, 2);
    pc.sh("cp /etc/flashline/config.toml /tmp/good.toml; sed -i 's/^lamp = .*/lamp = 3/' /etc/flashline/config.toml");
    kill_until_none_is_green(&pc);
    station.job.wait_for_line("config.toml, line .*`lamp`", secs(60));
    wait_for(&pc, "not configured", LEDS, FAULT);
    drop(cards);
    pc.sh("cp /tmp/good.toml /etc/flashline/config.toml; systemctl restart flashline");
    wait_for(&pc, "configured again", LEDS, [DARK; 5]);

    let cards = all_pass(&pc, &station, 3);
    pc.sh(CLOSE_GATE);
    pc.sh("systemctl kill --kill-who=main --signal=STOP flashline");
    station.job.wait_for_line("^STATION DOWN \\(watchdog\\)", secs(60));
    wait_for(&pc, "hung", LEDS, FAULT);
    pc.sh(OPEN_GATE);
    SLOTS.iter().for_each(|slot| nth(&station, slot, "HELD", 2));
    drop(cards);

    pc.sh("systemctl stop flashline");
    wait_for(&pc, "stopped", LEDS, FAULT);
}

/// The second light of the USB lamp is the lamp of the whole station.
const STATION_LEDS: [&str; 3] = ["thingm*:green:led1", "thingm*:red:led1", "thingm*:blue:led1"];
const WELL: [&str; 3] = [STEADY, DARK, DARK];
const WANTED: [&str; 3] = [DARK, DARK, DOUBLE];
const NO_STATION: [&str; 3] = [DARK, LONG_AFTERWARDS, LONG];

/// The speaker of the PC.
const SPEAKER: &str = "/dev/input/by-path/platform-pcspkr-event-spkr";

/// The frequencies of the tones that the kernel was told to sound so far, in hertz.
fn heard(pc: &Pc) -> Vec<u32> {
    // An event has four words for its time, one with the type and code of a tone, and its frequency.
    const TONE: u32 = 0x12 | (2 << 16);
    let events = pc.sh("od -A n -v -t u4 -w24 /tmp/heard");
    let words = events.lines().map(|line| line.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>());
    words.filter_map(|words| (words.get(4) == Some(&TONE)).then(|| words.get(5).copied())?).filter(|hertz| *hertz > 0).collect()
}

#[track_caller]
fn wait_heard(pc: &Pc, state: &str, expected: &[u32]) {
    pc.wait_until(state, secs(30), || (heard(pc).len() >= expected.len()).then_some(()));
    assert_eq!(heard(pc), expected, "{state}");
}

/// The open box in `flashline order status --json`: number, size, cards in it, cards to come.
fn open_box(pc: &Pc) -> [u64; 4] {
    let told: serde_json::Value = serde_json::from_str(&pc.sh("flashline order status --json")).expect("JSON");
    ["number", "size", "cards", "left"].map(|key| told["orders"][0]["box"][key].as_u64().unwrap_or_else(|| panic!("{key} in {told}")))
}

/// Puts one more good card into A1, waits until the station calls the operator, and takes it out.
fn one_more(pc: &Pc, station: &Station<'_>, number: usize, closed: &str) {
    let stick = pc.usb("1").serial(&format!("STICK-{number}")).size(16 * MIB).filled(1).plug();
    nth(station, "A1", "PASS", number);
    wait_for(pc, "a card waits", STATION_LEDS, WANTED);
    wait_for(pc, "and its slot says which", ["input*::capslock"], [STEADY]);
    let said = pc.sh("flashline order status");
    assert!(said.contains(closed), "{said}");
    stick.pull();
}

#[test]
fn one_lamp_and_one_bell_say_how_the_whole_station_is_while_the_boxes_of_an_order_fill() {
    let pc = Pc::start();
    let _light = pc.lamp();
    pc.sh("modprobe pcspkr && udevadm settle");
    let _ear = pc.spawn(&format!("exec cat {SPEAKER} >/tmp/heard"));
    let image = Image::new(4 * MIB, 7);
    let [green, red, blue] = STATION_LEDS;
    let whole =
        format!("lamp = {{ green = \"{green}\", red = \"{red}\", blue = \"{blue}\" }}\nbell = \"{SPEAKER}\"\n\n[order]\nbox = 2\n\n[log]");
    let factory = Factory::new(&pc, &image.raw()).replaced("\n[log]", &whole);
    factory.lit_slot("A1", usb("1"), KEYBOARD).slot("A2", usb("2")).configured();
    let station = Station::under_systemd(&pc, &format!("[Service]\nExecStartPre=+{GATE}\n"));
    wait_for(&pc, "all is well", STATION_LEDS, WELL);
    let check = pc.run("flashline check");
    assert!(check.status == 0 && check.stdout.contains("\n✓ lamp ") && check.stdout.contains("\n✓ bell "), "{check}");
    assert_eq!(heard(&pc), [0_u32; 0], "nobody is wanted");

    pc.sh("flashline order start --model acme/box --count 3");
    assert_eq!(open_box(&pc), [1, 2, 0, 2]);
    one_more(&pc, &station, 1, "box 1: 1 of 2");
    wait_for(&pc, "it was taken out", STATION_LEDS, WELL);
    wait_heard(&pc, "one tone", &[1000]);
    // The configured size is used for the next order.
    pc.sh("sed -i 's/^box = 2/box = 5/' /etc/flashline/config.toml && flashline reload");
    assert_eq!(open_box(&pc), [1, 2, 1, 1]);
    one_more(&pc, &station, 2, "box 1 is closed");
    wait_heard(&pc, "one more", &[1000, 1000]);
    wait_for(&pc, "it was taken out, too", STATION_LEDS, WELL);
    assert_eq!(open_box(&pc), [2, 2, 0, 1], "one more, and the order is complete");

    pc.sh(CLOSE_GATE);
    pc.sh("systemctl kill --kill-who=main --signal=KILL flashline");
    wait_for(&pc, "killed", STATION_LEDS, NO_STATION);
    wait_heard(&pc, "three low tones", &[1000, 1000, 400, 400, 400]);
    pc.sh(OPEN_GATE);
    station.job.wait_for_nth_line(2, "the station runs", secs(60));
    wait_for(&pc, "it runs again", STATION_LEDS, WELL);
    assert_eq!(open_box(&pc), [2, 2, 0, 1], "it remembers");

    one_more(&pc, &station, 3, "box 2 is closed");
    station.job.wait_for_line("^A1  ORDER DONE", secs(30));
    wait_for(&pc, "no slot takes a card: somebody must decide", STATION_LEDS, WANTED);
    let serials = pc.sh("flashline log serials --json");
    let boxes: Vec<_> = serials.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["box"].clone()).collect();
    assert_eq!(boxes, [1, 1, 2]);
    pc.sh("flashline log verify");
    pc.sh("systemctl stop flashline");
    wait_for(&pc, "stopped", STATION_LEDS, NO_STATION);
    wait_heard(&pc, "and it is heard", &[1000, 1000, 400, 400, 400, 1000, 400, 400, 400]);
}

#[test]
fn teach_lights_the_lamp_of_the_slot_that_it_asks_for() {
    let pc = Pc::start();
    let _light = pc.lamp();
    let image = Image::new(4 * MIB, 7);
    three_lamps(&pc, &image).configured();
    let lesson = Lesson::begin(&pc, "");
    lesson.asks_for("A1");
    wait_for(&pc, "A1 is asked for", LEDS, [DARK, DARK, FLICKER, DARK, DARK]);
    lesson.press("s");
    lesson.asks_for("A2");
    wait_for(&pc, "A2 is asked for", LEDS, [DARK, DARK, DARK, FLICKER, DARK]);
    lesson.press("\x03");
    let (status, said) = lesson.ends();
    assert_eq!(status, 1, "{said}");
    wait_for(&pc, "no station runs", LEDS, FAULT);
}

#[test]
fn a_bell_rings_once_for_each_outcome_beside_the_lamps() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).with_bell().run();
    // A terminal on which nobody types; `script` of Debian 13 keeps in memory all that it is given to type.
    pc.sh("mkfifo /tmp/keys");
    let panel: Job =
        pc.spawn("exec 3<>/tmp/keys; exec script --quiet --return --flush --command 'flashline console --plain' /dev/null <&3");
    panel.wait_for_line("A1  EMPTY", secs(60));
    let rung = || panel.printed().matches('\x07').count();
    for (bytes, word, rings) in [(16 * MIB, "PASS", 1), (2 * MIB, "REFUSED", 2), (16 * MIB, "PASS", 3)] {
        let stick = pc.usb("1").size(bytes).filled(1).plug();
        pc.wait_until(word, secs(120), || (rung() == rings).then_some(()));
        stick.pull();
        panel.wait_for_nth_line(rings + 1, "A1  EMPTY", secs(60));
    }
    assert_eq!((rung(), station.rows().len()), (3, 3), "{}", panel.printed());
    let file = pc.spawn("exec flashline console --plain");
    file.wait_for_line("A1  EMPTY", secs(60));
    let _stick = pc.usb("1").size(2 * MIB).plug();
    file.wait_for_line("A1  REFUSED", secs(60));
    assert!(!file.printed().contains('\x07'), "nothing rings into a file");
}
