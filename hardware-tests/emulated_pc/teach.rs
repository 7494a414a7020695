//! Slots taught by hand on a terminal, and what happens when their hub or reader is replaced.

use std::time::Duration;

use flashline_lab::{Job, MIB, Medium, Pc, Reader, Signal, UsbStick, secs};

use crate::factory::{Factory, Image, lun, usb};
use crate::station::{Run, Station};

/// How long a card may take to appear and to settle.
const A_LOOK: Duration = secs(60);

/// `flashline slots teach` on a pseudo-terminal; keys go through a pipe.
pub(crate) struct Lesson<'a> {
    pc: &'a Pc,
    job: Job,
}

impl<'a> Lesson<'a> {
    pub(crate) fn begin(pc: &'a Pc, arguments: &str) -> Self {
        Self::of(pc, &format!("flashline slots teach {arguments}"))
    }

    /// A command of which the lesson is a part.
    pub(crate) fn of(pc: &'a Pc, command: &str) -> Self {
        pc.sh("rm -f /tmp/keys && mkfifo /tmp/keys");
        let job = pc.spawn(&format!("exec 3<>/tmp/keys; exec script --quiet --return --flush --command '{command}' /dev/null <&3"));
        Self { pc, job }
    }

    /// Waits for a question that no line ends, and answers it.
    pub(crate) fn answers(&self, question: &str, answer: &str) {
        self.pc.wait_until(question, A_LOOK, || self.job.printed().contains(&format!("{question}: ")).then_some(()));
        self.press(&format!("{answer}\n"));
    }

    pub(crate) fn asks_for(&self, slot: &str) {
        self.job.wait_for_line(&format!("^put a card into slot {slot} "), A_LOOK);
    }

    pub(crate) fn says(&self, words: &str) -> String {
        self.job.wait_for_line(words, A_LOOK)
    }

    pub(crate) fn press(&self, key: &str) {
        self.pc.sh(&format!("printf '%s' '{key}' >/tmp/keys"));
    }

    pub(crate) fn ends(self) -> (u32, String) {
        let ended = self.job.wait(A_LOOK);
        (ended.status, ended.to_string())
    }
}

fn stick(pc: &Pc, port: &str, seed: u64) -> UsbStick {
    pc.usb(port).size(16 * MIB).filled(seed).plug()
}

#[test]
fn long_teach_makes_a_running_station_of_eight_slots_out_of_nothing() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let hub = pc.hub("3");
    let reader = pc.reader("READER0001").plug();
    let _installed = Factory::new(&pc, &image.raw());
    // A stick that was in before the first question.
    let bystander = stick(&pc, "9", 99);
    let _seen = bystander.node();
    let lesson = Lesson::begin(&pc, "--names A1..A8 --model acme/box");
    lesson.says("in pci-0000:00:1c.0/usb3-9/lun-0 already, and not taken");
    let sticks = [1, 2, 3, 4].map(|port: u64| {
        lesson.asks_for(&format!("A{port}"));
        let stick = stick(&pc, &format!("3.{port}"), port);
        lesson.says(&format!("^  A{port} is pci-0000:00:1c.0/usb2-3.{port}/lun-0, with "));
        stick.pull();
        stick
    });
    let cards = [0, 1, 2, 3].map(|slot: u8| {
        let name = format!("A{}", slot + 5);
        lesson.asks_for(&name);
        let card = reader.card(slot).size(16 * MIB).filled(slot.into()).insert();
        lesson.says(&format!("^  {name} is platform-dummy_hcd.0/usb3-1/lun-{slot} \\(reader USB3.0 Card Reader 05e3:0749:READER0001\\)"));
        card.eject();
        card
    });
    let (status, said) = lesson.ends();
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("slots taught: 8") && said.contains("is to be filled in"), "{said}");
    assert!(sticks.iter().all(|stick| stick.untouched()) && cards.iter().all(|card| card.untouched()) && bystander.untouched());

    let check = pc.run("flashline check");
    assert_eq!(check.status, 2);
    assert!(check.stderr.contains("`image`: /etc/flashline/to-be-filled-in.img.xz: No such file"), "{check}");
    pc.sh("sed -i 's,^image = .*,image = \"/srv/images/image.img\"\\nrequire = \"none\",' /etc/flashline/config.toml && printf '\\n[log]\\nvolatile = true\\n' >>/etc/flashline/config.toml && flashline check");
    let config = String::from_utf8(pc.get("/etc/flashline/config.toml")).expect("it is text");
    let on_hub = format!("name = \"A1\"\nports = [\"pci-0000:00:1c.0/usb2-3.1/lun-0\"]\nhangs_on = [\"0409:55aa:{}\"]\n", hub.serial());
    assert!(config.contains(&on_hub), "{config}");
    assert!(config.contains("hangs_on = [\"05e3:0749:READER0001\"]"), "{config}");

    let station = Station::start(&pc);
    station.job.wait_for_line("the station runs", A_LOOK);
    for slot in 1..=8 {
        station.wait_for(&format!("A{slot}"), "EMPTY");
    }
    sticks.iter().for_each(UsbStick::plug);
    cards.iter().for_each(|card| card.insert());
    for slot in 1..=8 {
        station.wait_for(&format!("A{slot}"), "PASS");
    }
    cards.iter().for_each(|card| card.settle());
    let media: Vec<&Medium> = sticks.iter().map(|stick| &**stick).chain(cards.iter().map(|card| &**card)).collect();
    assert!(media.iter().all(|medium| medium.first_difference(image.raw()).is_none()));
    assert!(bystander.untouched());

    let second = Lesson::begin(&pc, "");
    let (status, said) = second.ends();
    assert!(status == 2 && said.contains("a station runs on this configuration") && said.contains("systemctl stop"), "{said}");
}

#[test]
fn long_teach_again_keeps_what_people_wrote_and_goes_back_skips_adds_and_breaks_off_by_keys() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).configured();
    pc.sh("chmod 640 /etc/flashline/config.toml; sed -i 's,^name = \"A1\",# the left one\\nname = \"A1\" # sticker 17\\ncards = \"blank\",' /etc/flashline/config.toml");
    let before = pc.get("/etc/flashline/config.toml");

    let ended = pc.run("flashline slots teach </dev/null");
    assert!(ended.status == 2 && ended.stderr.contains("run this on a terminal"), "{ended}");

    let lesson = Lesson::begin(&pc, "");
    lesson.asks_for("A1");
    let first = stick(&pc, "5", 1);
    lesson.says("^  A1 is pci-0000:00:1c.0/usb3-5/lun-0");
    lesson.says("^  it was pci-0000:00:1c.0/usb3-1/lun-0");
    lesson.press("\x03");
    let (status, said) = lesson.ends();
    assert!(status == 1 && said.contains("nothing is written"), "{said}");
    assert_eq!(pc.get("/etc/flashline/config.toml"), before);

    let lesson = Lesson::begin(&pc, "");
    lesson.asks_for("A1");
    first.pull();
    first.wait_gone();
    first.plug();
    lesson.says("^  A1 is pci-0000:00:1c.0/usb3-5/lun-0");
    // This PC's firmware has no information about sockets: the other path is a guess that the engineer confirms.
    lesson.says("usb2-5/lun-0 may be the same socket");
    lesson.press("a");
    lesson.says("^  A1 is pci-0000:00:1c.0/usb2-5/lun-0 as well");
    first.pull();
    lesson.asks_for("A2");
    lesson.press("s\n");
    let (status, said) = lesson.ends();
    assert!(status == 0 && said.contains("A2 is left as it is"), "{said}");
    let after = String::from_utf8(pc.get("/etc/flashline/config.toml")).expect("it is text");
    let expected = String::from_utf8(before.clone()).expect("it is text").replace(
        "[\"pci-0000:00:1c.0/usb3-1/lun-0\", \"pci-0000:00:1c.0/usb2-1/lun-0\"]",
        "[\"pci-0000:00:1c.0/usb3-5/lun-0\", \"pci-0000:00:1c.0/usb2-5/lun-0\"]",
    );
    assert_eq!(after, expected, "only where A1 is has changed");
    assert_eq!(pc.sh("stat -c %a /etc/flashline/config.toml"), "640");
    assert_eq!(pc.get(&pc.sh("ls /etc/flashline/config.toml.*.bak")), before, "what it was lies beside it");

    // An SD host of the PC itself, beside slots that stay unchanged.
    let lesson = Lesson::begin(&pc, "--names S1");
    lesson.asks_for("S1");
    first.plug();
    lesson.says("^  pci-0000:00:1c.0/usb3-5/lun-0 is slot A1 in the configuration");
    first.pull();
    let card = pc.sd(0).size(16 * MIB).filled(3).insert();
    lesson.says("^  S1 is pci-0000:00:10.0/mmc-0, with ");
    lesson.press("q");
    let (status, said) = lesson.ends();
    assert!(status == 0 && said.contains("S1  pci-0000:00:10.0/mmc-0  on sdhci-pci"), "{said}");
    let last = String::from_utf8(pc.get("/etc/flashline/config.toml")).expect("it is text");
    let slot = "\n[[slot]]\nname = \"S1\"\nports = [\"pci-0000:00:10.0/mmc-0\"]\nhangs_on = [\"sdhci-pci\"]\nmodel = \"acme/box\"\n";
    assert_eq!(last, format!("{after}{slot}"));
    println!("{said}");
    assert!(first.untouched() && card.untouched());
}

/// Slots on a hub in port 3 and in the reader, as they were taught.
fn station_on<'a>(pc: &'a Pc, image: &Image, hub: &str) -> Station<'a> {
    let factory = [1, 2].iter().fold(Factory::new(pc, &image.raw()), |factory, port| {
        factory.taught_slot(&format!("A{port}"), vec![format!("pci-0000:00:1c.0/usb2-3.{port}/lun-0")], vec![format!("0409:55aa:{hub}")])
    });
    let factory = [0, 1]
        .iter()
        .fold(factory, |factory, slot| factory.taught_slot(&format!("R{}", slot + 1), lun(*slot), vec!["05e3:0749:READER0001".to_owned()]));
    factory.slot("B1", usb("1")).run()
}

fn passes(station: &Station<'_>, slot: &str, nth: usize) {
    station.job.wait_for_nth_line(nth, &format!("^{slot}  PASS"), secs(120));
}

#[test]
fn teach_knows_its_hub_one_in_another_port_disarms_its_own_slots_and_no_others() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let hub = pc.hub("3");
    let reader = pc.reader("READER0001").plug();
    let station = station_on(&pc, &image, hub.serial());
    let card = reader.card(0).size(16 * MIB).filled(1).insert();
    passes(&station, "R1", 1);
    let serial = hub.serial().to_owned();
    let hub = hub.move_to("4");
    for slot in ["A1", "A2"] {
        let line = station.wait_for(slot, "DISARMED");
        assert!(line.contains(&format!("hub usb2-3 was 0409:55aa:{serial}, which is on usb2-4 now")), "{line}");
        assert!(line.contains("teach the slot again") && line.contains("call the station engineer"), "{line}");
    }
    let nobodys = stick(&pc, "4.1", 2);
    let _seen = nobodys.node();
    let other = stick(&pc, "1", 3);
    passes(&station, "B1", 1);
    card.eject();
    station.job.wait_for_nth_line(2, "^R1  EMPTY", A_LOOK);
    card.insert();
    passes(&station, "R1", 2);
    assert!(other.reads_as(image.raw()), "the others run");
    assert!(nobodys.untouched(), "the new place is nobody's");
    // A different hub in the old place is not the taught one, and a card behind it is not touched.
    let stranger = pc.hub("3");
    let line = station.job.wait_for_line("^A1  DISARMED .* is 0409:55aa:HUB", A_LOOK);
    assert!(line.contains(stranger.serial()), "{line}");
    let behind = stick(&pc, "3.1", 4);
    let line = station.wait_for("A1", "REFUSED");
    assert!(line.contains("hub usb2-3 was") && line.contains(stranger.serial()), "{line}");
    assert_eq!(station.rows_of("A1")[0]["code"], "recabled");
    assert!(behind.untouched());
    behind.pull();
    stranger.pull();
    nobodys.pull();
    // Back in its place, the hub is accepted again.
    let _back = hub.move_to("3");
    station.job.wait_for_nth_line(2, "^A1  EMPTY", A_LOOK);
    let good = stick(&pc, "3.1", 5);
    passes(&station, "A1", 1);
    assert!(good.reads_as(image.raw()));
}

#[test]
fn teach_knows_its_reader_another_one_in_its_place_disarms_its_own_slots_also_at_the_start() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let hub = pc.hub("3");
    let reader = pc.reader("READER0001").plug();
    let station = station_on(&pc, &image, hub.serial());
    station.wait_for("R1", "EMPTY");
    // Unplugged does not mean replaced.
    reader.pull();
    let stick = stick(&pc, "3.1", 1);
    passes(&station, "A1", 1);
    assert_eq!(station.job.count_lines("DISARMED"), 0, "{}", station.job.printed());
    let other: Reader = pc.reader("READER0001").ids(0x0bda, 0x0306).plug();
    for slot in ["R1", "R2"] {
        let line = station.wait_for(slot, "DISARMED");
        assert!(line.contains("reader usb3-1 was 05e3:0749:READER0001, is 0bda:0306:READER0001 now"), "{line}");
    }
    let card = other.card(0).size(16 * MIB).filled(2).insert();
    station.wait_for("R1", "REFUSED");
    card.settle();
    assert!(card.untouched());
    assert_eq!(station.rows_of("R1").iter().map(|row| row["code"].clone()).collect::<Vec<_>>(), ["recabled"]);
    card.eject();
    station.job.kill(Signal::SIGTERM);
    station.job.wait(A_LOOK);
    let station = Station::start(&pc);
    station.wait_for("R2", "DISARMED");
    let line = station.wait_for("A1", "HELD");
    assert!(line.contains("put in again"), "{line}");
    stick.pull();
    stick.wait_gone();
    stick.plug();
    passes(&station, "A1", 1);
    let list = pc.sh("flashline slots");
    assert!(list.contains("R2 is not as it was taught, and is disarmed:\n  reader usb3-1 was"), "{list}");
    assert!(list.lines().all(|line| line.chars().count() <= 100), "{list}");
    println!("{list}");
}
