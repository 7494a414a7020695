//! `flashline qualify`: what it finds out of a stick, a reader with several slots and an SD host, and what it leaves alone.

use flashline_lab::{Job, MIB, Pc, secs};
use serde_json::Value;

use crate::factory::{Factory, Image, lun, sd, usb};
use crate::station::{Run, is_tombstone};

/// How long all steps of a few small cards may take under emulation, on a busy machine.
const A_TRIAL: std::time::Duration = secs(300);

/// The command on a pipe, through which a person presses Enter.
struct Bench<'a> {
    pc: &'a Pc,
    job: Job,
}

impl<'a> Bench<'a> {
    fn begin(pc: &'a Pc, arguments: &str) -> Self {
        pc.sh("rm -f /tmp/keys && mkfifo /tmp/keys");
        let job = pc.spawn(&format!("exec 3<>/tmp/keys; exec flashline qualify {arguments} 2>&1 <&3"));
        Self { pc, job }
    }

    /// Takes a card out and puts it in again, as it is asked for. The key comes first: under emulation it takes longer than a card.
    fn hands(&self, slot: &str, out: impl FnOnce(), back: impl FnOnce()) {
        self.job.wait_for_line(&format!("^{slot}: take the card out"), A_TRIAL);
        self.enter();
        out();
        self.job.wait_for_line(&format!("^{slot}: put the same card"), secs(90));
        self.enter();
        back();
    }

    fn enter(&self) {
        self.pc.sh("echo >/tmp/keys");
    }

    fn ends(self) -> (u32, String) {
        let ended = self.job.wait(A_TRIAL);
        (ended.status, ended.stdout)
    }
}

/// What `flashline check` says of qualification: each mark with its sentence and its cure.
fn checked(pc: &Pc) -> Vec<String> {
    let said: Value = serde_json::from_str(&pc.run("flashline check --json 2>/dev/null").stdout).expect("JSON");
    let findings = said["findings"].as_array().expect("findings").iter().filter(|finding| finding["subject"] == "qualified");
    findings.map(|finding| format!("{} {} {}", finding["mark"], finding["what"], finding["cure"])).collect()
}

/// The lines of one slot in what was printed.
fn told<'t>(text: &'t str, slot: &str) -> Vec<&'t str> {
    let begins = format!("{slot}  ");
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&begins));
    let first = lines.next().unwrap_or_else(|| panic!("{slot} is not told: {text}"));
    std::iter::once(first).chain(lines.take_while(|line| line.starts_with(' '))).collect()
}

fn says(text: &str, slot: &str, words: &str) -> bool {
    told(text, slot).iter().any(|line| line.contains(words))
}

#[test]
fn a_stick_a_reader_and_an_sd_host_are_qualified_and_every_other_disk_keeps_every_byte() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let reader = pc.reader("SECRETREADER1").plug();
    let factory = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).slot("S1", sd(0));
    factory.slot("R1", lun(0)).slot("R2", lun(1)).configured();
    let stick = pc.usb("1").serial("SECRETSTICK1").size(32 * MIB).filled(1).plug();
    let in_reader = reader.card(0).size(32 * MIB).filled(2).insert();
    let sd_card = pc.sd(0).size(32 * MIB).filled(3).insert();
    // In slots, and not named; in no slot; of the PC.
    let unnamed = pc.usb("2").size(16 * MIB).filled(4).plug();
    let beside = reader.card(1).size(16 * MIB).filled(5).insert();
    let stranger = pc.usb("9").size(16 * MIB).filled(6).plug();
    let own = pc.disk("own").size(16 * MIB).filled(7).plug();
    let nodes = [stick.node(), unnamed.node(), stranger.node(), sd_card.node()];
    pc.wait_for(&format!("[ $(cat /sys/block/{}/size) != 0 ]", reader.node(0).trim_start_matches("/dev/")), secs(30));
    let cid = pc.sh("cat /sys/bus/mmc/devices/*/cid");

    let before = checked(&pc);
    assert_eq!(before.len(), 1, "{before:?}");
    assert!(before[0].contains("slots A1 A2 S1 R1 R2 were never qualified"), "{before:?}");
    assert!(before[0].contains("flashline qualify A1 A2 S1 R1 R2"), "{before:?}");

    let bench = Bench::begin(&pc, "A1 R1 S1 --yes --page /root/page.txt --send /root/sent.json");
    bench.hands("A1", || stick.pull(), || stick.plug());
    bench.hands("R1", || in_reader.eject(), || in_reader.insert());
    bench.hands("S1", || sd_card.eject(), || sd_card.insert());
    let (status, text) = bench.ends();
    println!("{nodes:?}\n{text}");
    assert_eq!(status, 0, "{text}");
    for slot in ["A1", "R1", "S1"] {
        for words in [
            "alone",
            "beside neighbours",
            "data right",
            "direct newest, page cache newest, pages forgotten newest",
            "right alone, right in",
        ] {
            assert!(says(&text, slot, words), "{slot}, {words}: {text}");
        }
        let again = told(&text, slot).into_iter().find(|line| line.contains("put in again")).expect("it was put in again");
        assert!(again.contains("noticed, after") && again.contains("DISKSEQ"), "{again}");
    }
    assert!(says(&text, "A1", "taken, after") && says(&text, "R1", "taken, after") && says(&text, "S1", "by the kernel"), "{text}");
    assert!(
        says(&text, "A1", "the serial of the stick") && says(&text, "R1", "the serial of the reader") && says(&text, "S1", "CID"),
        "{text}"
    );
    assert!(text.contains("flush = \"required\"") && text.contains("stall_timeout_s ="), "{text}");

    // What was named is erased and cannot boot; nothing else was touched.
    in_reader.settle();
    beside.settle();
    for (slot, head) in [("A1", stick.head(512)), ("R1", in_reader.head(512)), ("S1", sd_card.head(512))] {
        assert!(is_tombstone(&head), "{slot} was used, and cannot boot");
    }
    for (name, touched) in [
        ("A2, which was not named", unnamed.first_touched()),
        ("R2 in the same reader", beside.first_touched()),
        ("a stick in no slot", stranger.first_touched()),
        ("a disk of the PC", own.medium().first_touched()),
    ] {
        assert_eq!(touched, None, "{name} is as it was");
    }

    let page = pc.sh("cat /root/page.txt");
    println!("{page}");
    assert!(page.lines().count() <= 60 && page.lines().all(|line| line.chars().count() <= 78), "one page: {page}");
    let sent = pc.sh("cat /root/sent.json");
    for secret in ["SECRET", cid.as_str(), "A1", "R1", "S1", "usb3-1", "lun-", "emulated"] {
        assert!(!sent.contains(secret), "{secret} does not leave the PC: {sent}");
    }
    let sent: Value = serde_json::from_str(&sent).expect("JSON");
    assert_eq!((&sent["format"], &sent["version"]), (&Value::from("flashline-qualification"), &Value::from(1)));
    assert_eq!(sent["slots"].as_array().map(Vec::len), Some(3));
    assert_eq!(sent["slots"][1]["reader"]["vendor"], "05e3");
    assert!(!pc.sh("cat /var/lib/flashline/qualified.json").contains("SECRET"));

    let after = checked(&pc);
    assert_eq!(after.len(), 1, "{after:?}");
    assert!(after[0].contains("slots A2 R2 were never qualified"), "{after:?}");

    // Another reader in the same port is another one.
    reader.pull();
    let other = pc.reader("SECRETREADER2").ids(0x0bda, 0x0328).plug();
    let changed = checked(&pc);
    let found = changed.iter().find(|words| words.contains("slot R1 was qualified with usb 05e3:0749"));
    assert!(found.is_some_and(|words| words.contains("0bda:0328") && words.contains("flashline qualify R1")), "{changed:?}");
    assert_eq!(changed.iter().filter(|words| words.contains("slot A1")).count(), 0, "{changed:?}");
    drop(other);
}

#[test]
fn long_nothing_is_erased_while_a_station_runs_or_without_a_yes_or_against_a_rule_and_a_station_takes_the_card_afterwards() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let factory = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2"));
    let stick = pc.usb("1").size(32 * MIB).filled(1).plug();
    let node = stick.node();
    let station = factory.run();
    let refused = |arguments: &str, words: &str| {
        let said = pc.run(&format!("flashline qualify {arguments} </dev/null"));
        assert!(said.status == 2 && said.stderr.contains(words), "{arguments}: {said}");
        assert!(stick.untouched(), "{arguments}: touched at {:?}", stick.first_touched());
    };
    refused("A1 --yes --no-hands", "the station runs on this PC");
    station.job.kill(flashline_lab::Signal::SIGTERM);
    pc.wait_for("! pidof flashline", secs(20));
    refused("A1 --no-hands", "nothing was erased");
    refused("A7 --yes", "there is no slot \"A7\"");
    refused("A2 --yes", "slot A2 holds no card");
    refused("A1 A1 --yes", "named twice");
    refused(&format!("A1 --yes --no-hands --page {node}"), "is not a regular file");
    refused("A1 --yes --no-hands --send /none/file", "writing /none/file");
    // Something of this PC is built on it.
    pc.sh(&format!("dmsetup create held --table \"0 2048 linear {node} 0\""));
    refused("A1 --yes --no-hands", "slot A1: its card must not be erased: in use: held by dm-");
    pc.sh("dmsetup remove held");
    assert!(!pc.run("cat /var/lib/flashline/qualified.json").success(), "nothing was found out of it");

    let said = pc.run("flashline qualify A1 --yes --no-hands </dev/null");
    assert_eq!(said.status, 0, "{said}");
    assert!(said.stdout.contains("A1  fit, with remarks") && said.stdout.contains("--no-hands"), "{said}");
    // The card is one like any other.
    let station = crate::station::Station::start(&pc);
    station.job.wait_for_line("the station runs", secs(60));
    stick.pull();
    stick.wait_gone();
    stick.plug();
    station.wait_for("A1", "PASS");
    assert!(stick.reads_as(image.raw()));
}

#[test]
fn a_card_that_ignores_writes_or_lies_or_leaves_makes_its_slot_unfit_and_its_neighbour_is_qualified() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let factory = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).slot("A3", usb("3"));
    factory.slot("A4", usb("4")).configured();
    let cards = [1_u64, 2, 3, 4].map(|port| pc.usb(&port.to_string()).size(24 * MIB).filled(port).plug());
    cards.iter().for_each(|card| drop(card.node()));
    cards[0].faults(|faults| faults.ignores_writes = true);
    // Its last block only.
    cards[1].faults(|faults| faults.stuck.push(24 * MIB - 512..24 * MIB));
    cards[2].faults(|faults| faults.bytes_per_second = Some(2 * MIB));
    let bench = Bench::begin(&pc, "A1 A2 A3 A4 --yes --no-hands");
    bench.job.wait_for_line("^A3: speed alone", A_TRIAL);
    cards[2].pull();
    cards[2].faults(|faults| faults.bytes_per_second = None);
    let (status, text) = bench.ends();
    println!("{text}");
    assert_eq!(status, 1, "{text}");
    assert!(cards[0].untouched());
    assert!(says(&text, "A1", "NOT FIT") && says(&text, "A1", "other data came back"), "{text}");
    assert!(says(&text, "A2", "NOT FIT") && says(&text, "A2", "the card's last block does not hold what is written to it"), "{text}");
    assert!(says(&text, "A3", "NOT FIT") && says(&text, "A3", "the card left"), "{text}");
    assert!(says(&text, "A4", "A4  fit") && says(&text, "A4", "data right"), "{text}");
    let found = checked(&pc);
    assert!(found.iter().any(|words| words.contains("slot A1 was found not fit")), "{found:?}");
}

#[test]
fn long_a_readers_power_is_cut_only_when_asked_for_and_never_with_a_card_that_nobody_named() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let reader = pc.reader("READER1").slots(2).plug();
    Factory::new(&pc, &image.raw()).slot("R1", lun(0)).slot("R2", lun(1)).configured();
    let cards = [0_u8, 1].map(|slot| reader.card(slot).size(16 * MIB).filled(slot.into()).insert());
    let has_medium = |slot| format!("[ $(cat /sys/block/{}/size) != 0 ]", reader.node(slot).trim_start_matches("/dev/"));
    pc.wait_for(&format!("{} && {}", has_medium(0), has_medium(1)), secs(30));
    let text = pc.run("flashline qualify R1 --yes --no-hands </dev/null").stdout;
    assert!(says(&text, "R1", "offered by the kernel, not tried"), "{text}");
    let text = pc.run("flashline qualify R1 --yes --no-hands --switch </dev/null").stdout;
    assert!(says(&text, "R1", "in none of the named slots"), "{text}");
    cards[1].settle();
    assert!(cards[1].untouched());
    let text = pc.run("flashline qualify R1 R2 --yes --no-hands --switch </dev/null").stdout;
    println!("{text}");
    assert!(says(&text, "R1", "leaves, and is back after") && says(&text, "R2", "leaves, and is back after"), "{text}");
    assert!(says(&text, "R1", "beside neighbours"), "{text}");
    pc.wait_for(&format!("{} && {}", has_medium(0), has_medium(1)), secs(30));
}
