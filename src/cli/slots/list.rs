//! `flashline slots`: lists every port that can hold a card, what is in it, its speed, and what it shares with other ports.

use std::collections::BTreeMap;
use std::path::PathBuf;

use console::{measure_text_width, truncate_str};
use serde_json::{Value, json};

use crate::cli::{GOOD, complain, say, say_json};
use crate::config::{self, ImageCheck};
use crate::report::harmless;
use crate::station::cabling::compare;
use crate::station::card::{Bus, Card};
use crate::station::port::Port;
use crate::station::settings::SlotSettings;
use crate::watch::sysfs::Sysfs;
use crate::watch::topology::{Socket, UsbDevice};

/// No line is wider.
const WIDTH: usize = 100;

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Configuration whose slots are named beside their ports
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ListArgs) -> u8 {
    // Without a configuration the ports are listed all the same: they are needed to write one.
    let slots = if args.config.exists() {
        config::read(&args.config, ImageCheck::Unseen)
            .inspect_err(|error| complain(error))
            .map(|settings| settings.slots)
            .unwrap_or_default()
    } else {
        Vec::new()
    };
    let lines = lines(Sysfs::default().sockets(), &slots);
    if args.json {
        lines.iter().for_each(|line| say_json(&line.json(&lines)));
    } else {
        say(page(&lines).trim_end());
    }
    GOOD
}

/// A port, and whose it is.
struct Line<'a> {
    port: Port,
    slot: Option<&'a SlotSettings>,
    /// Nothing where a configured port has nothing in it: an empty USB socket, or a reader that is unplugged.
    socket: Option<Socket>,
}

/// Slots first, in the order of the configuration, then ports that belong to no slot.
fn lines(sockets: Vec<Socket>, slots: &[SlotSettings]) -> Vec<Line<'_>> {
    let (ours, others): (Vec<Socket>, Vec<Socket>) =
        sockets.into_iter().partition(|socket| slots.iter().any(|slot| slot.ports.contains(&socket.port)));
    let mut lines = Vec::new();
    for slot in slots {
        let here: Vec<&Socket> = ours.iter().filter(|socket| slot.ports.contains(&socket.port)).collect();
        // A socket shows under one of its paths at a time: the others are not there, and nothing is wrong with that.
        let missing = slot.ports.first().filter(|_| here.is_empty()).cloned();
        lines.extend(missing.map(|port| Line { port, slot: Some(slot), socket: None }));
        lines.extend(here.into_iter().map(|socket| Line { port: socket.port.clone(), slot: Some(slot), socket: Some(socket.clone()) }));
    }
    lines.extend(others.into_iter().map(|socket| Line { port: socket.port.clone(), slot: None, socket: Some(socket) }));
    lines
}

impl Line<'_> {
    fn slot_name(&self) -> &str {
        self.slot.map_or("-", |slot| &slot.name)
    }

    fn devices(&self) -> &[UsbDevice] {
        self.socket.as_ref().map_or(&[], |socket| &socket.devices)
    }

    fn content(&self) -> String {
        let Some(socket) = &self.socket else { return "nothing, or unplugged".to_owned() };
        match (&socket.card, &socket.kernel_name, &socket.bus) {
            (Some(card), Some(name), Bus::Mmc(kind)) if kind != "SD" => format!("{name} {}: {kind}, no SD card", harmless(&card.label())),
            (Some(card), Some(name), _) => format!("{name} {}", harmless(&card.label())),
            (None, Some(name), _) => format!("{name} empty"),
            (_, None, _) => "empty".to_owned(),
        }
    }

    fn speed(&self) -> String {
        let Some(socket) = &self.socket else { return "-".to_owned() };
        let generation = socket.generation().map(|generation| format!("USB {generation}"));
        let speed = socket.reader().and_then(|device| device.speed.as_deref()).map(bits);
        let words: Vec<String> = generation.into_iter().chain(speed).collect();
        if words.is_empty() { "-".to_owned() } else { words.join(" ") }
    }

    fn cid(&self) -> &'static str {
        match &self.socket {
            Some(socket) if socket.gives_cid => "yes",
            Some(_) => "no",
            None => "-",
        }
    }

    /// What is not as it was taught.
    fn recabled(&self) -> Option<String> {
        let taught = self.slot?.policy.hung_on.iter().find(|(port, _)| *port == self.port)?;
        compare(&taught.0, &taught.1, &self.socket.as_ref()?.chain).err().map(|refusal| refusal.to_string())
    }

    fn json(&self, all: &[Line<'_>]) -> Value {
        let socket = self.socket.as_ref();
        let card = socket.and_then(|socket| socket.card.as_ref());
        let path: Vec<Value> = self
            .devices()
            .iter()
            .map(|device| {
                json!({
                    "place": device.place, "id": device.id, "product": device.product, "hub": device.hub,
                    "mbit_per_second": device.speed.as_deref().and_then(|speed| speed.parse::<f64>().ok()),
                    "shared_with": others_on(self, device, all),
                })
            })
            .collect();
        let reader = socket.filter(|socket| socket.stays).and_then(Socket::reader);
        json!({
            "port": self.port.0,
            "slot": self.slot.map(|slot| &slot.name),
            "kernel_name": socket.and_then(|socket| socket.kernel_name.as_deref()),
            "empty": card.is_none(),
            "card": card.map(Card::label),
            "capacity_bytes": card.map(|card| card.capacity.0),
            "serial": card.and_then(|card| card.serial.as_deref()),
            "identified": card.map(|card| card.identified.word()),
            "gives_cid": socket.map(|socket| socket.gives_cid),
            "usb": socket.and_then(Socket::generation).and_then(|generation| generation.to_digit(10)),
            "mbit_per_second": socket.and_then(Socket::reader).and_then(|device| device.speed.as_deref()?.parse::<f64>().ok()),
            "reader": reader.map(|reader| json!({"place": reader.place, "id": reader.id, "product": reader.product})),
            "path": path,
            "hangs_on": socket.map(|socket| socket.chain.to_string()),
            "not_as_taught": self.recabled(),
            "same_socket": socket.and_then(|socket| socket.companion.as_ref()).map(|other| json!({"port": other.port.0, "known": other.known})),
        })
    }
}

/// The other ports that hang on the same device.
fn others_on<'a>(line: &Line<'_>, device: &UsbDevice, all: &'a [Line<'_>]) -> Vec<&'a str> {
    all.iter().filter(|other| other.port != line.port && other.port.hangs_on(&device.place)).map(|other| other.port.0.as_str()).collect()
}

/// Megabits a second as people say them.
fn bits(speed: &str) -> String {
    match speed.strip_suffix("000") {
        Some(giga) if !giga.is_empty() => format!("{giga} Gb/s"),
        _ => format!("{speed} Mb/s"),
    }
}

fn page(lines: &[Line<'_>]) -> String {
    let mut page = String::new();
    if lines.is_empty() {
        page.push_str("no card, no reader and no SD host is here\n");
    } else {
        let head = ["SLOT", "PORT", "IN IT", "SPEED", "CID"].map(str::to_owned);
        let rows = lines
            .iter()
            .map(|line| [line.slot_name().to_owned(), line.port.0.clone(), line.content(), line.speed(), line.cid().to_owned()]);
        page.push_str(&table(&[head].into_iter().chain(rows).collect::<Vec<_>>()));
    }
    let (readers, hubs): (Vec<_>, Vec<_>) = shared(lines).into_values().partition(|(device, _)| !device.hub);
    for (heading, devices) in [("one reader, which serves its cards in turn:", readers), ("one hub and what it can carry:", hubs)] {
        for (device, names) in devices {
            page.push('\n');
            page.push_str(&wrapped("", &format!("{} share {heading}", names.join(" "))));
            let speed = device.speed.as_deref().map(|speed| format!(", {}", bits(speed))).unwrap_or_default();
            page.push_str(&cut(&format!("  {}: {}{speed}", device.place, harmless(&device.words()))));
        }
    }
    for line in lines {
        if let Some(words) = line.recabled() {
            page.push_str(&format!("\n{} is not as it was taught, and is disarmed:\n", line.slot_name()));
            page.push_str(&wrapped("  ", &words));
        }
    }
    page.push_str(
        "\nAn empty USB socket has nothing that could be listed: put a card into it and run this again,\nor let `flashline slots teach` find it.\n",
    );
    page
}

/// Devices that more than one port hangs on, by place, with the slots; a port that is no slot is named by where it is on the device.
fn shared<'a>(lines: &'a [Line<'_>]) -> BTreeMap<&'a str, (&'a UsbDevice, Vec<&'a str>)> {
    let mut shared = BTreeMap::new();
    for device in lines.iter().flat_map(Line::devices) {
        let on_it = lines.iter().filter(|line| line.port.hangs_on(&device.place));
        let below = |line: &&'a Line<'_>| line.port.0.get(device.place.len()..).unwrap_or_default().trim_start_matches(['.', '/']);
        let names: Vec<&str> = on_it.map(|line| line.slot.map_or_else(|| below(&line), |slot| slot.name.as_str())).collect();
        if names.len() > 1 {
            shared.insert(device.place.as_str(), (device, names));
        }
    }
    shared
}

fn cut(line: &str) -> String {
    format!("{}\n", truncate_str(line, WIDTH, "…"))
}

/// In lines that fit, each with this in front.
fn wrapped(indent: &str, words: &str) -> String {
    let mut lines = vec![indent.to_owned()];
    for word in words.split(' ') {
        let line = lines.last_mut().filter(|line| measure_text_width(line) + 1 + measure_text_width(word) <= WIDTH);
        match line {
            Some(line) if line == indent => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(format!("{indent}{word}")),
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

/// As wide as it needs, and where that is too wide what is in the port is cut.
fn table(rows: &[[String; 5]]) -> String {
    const CUT: usize = 2;
    const GAP: usize = 2;
    let mut widths: [usize; 5] =
        std::array::from_fn(|column| rows.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or_default());
    let too_wide = (widths.iter().sum::<usize>() + GAP * 4).saturating_sub(WIDTH);
    widths[CUT] = widths[CUT].saturating_sub(too_wide).max(12);
    let mut table = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let cell = truncate_str(cell, width, "…");
            line.push_str(&cell);
            line.push_str(&" ".repeat(width.saturating_sub(measure_text_width(&cell)) + GAP));
        }
        table.push_str(&cut(line.trim_end()));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::port::Chain;
    use crate::station::settings::Policy;
    use crate::watch::testing::FakeSysfs;

    fn slot(name: &str, port: &str, hangs_on: &str) -> SlotSettings {
        let port = Port(port.to_owned());
        let policy = Policy { hung_on: vec![(port.clone(), Chain::parse(hangs_on))], ..Policy::default() };
        SlotSettings { name: name.to_owned(), ports: vec![port], model: "acme/box".to_owned(), policy }
    }

    /// Two sticks behind a hub, a reader with an empty slot, an empty SD host.
    fn factory() -> FakeSysfs {
        let fake = FakeSysfs::new();
        fake.hub("3", "05e3", "0610");
        fake.stick("sda", "3.1", 7);
        fake.stick("sdb", "3.2", 8);
        fake.lun("sdc", "10", 0, 9);
        fake.lun("sdd", "10", 1, 10);
        fake.set("sdd", "size", "0");
        fake.mmc_host(4);
        fake
    }

    #[test]
    fn the_page_names_every_port_what_is_in_it_and_what_it_shares_and_fits_a_hundred_columns() {
        let slots = [
            slot("A1", "pci-0000:00:1c.0/usb3-3.1/lun-0", "05e3:0610"),
            slot("A2", "pci-0000:00:1c.0/usb3-3.2/lun-0", "2109:2817"),
            slot("A3", "pci-0000:00:1c.0/usb3-3.3/lun-0", ""),
        ];
        let page = page(&lines(factory().sysfs().sockets(), &slots));
        for line in [
            "A1    pci-0000:00:1c.0/usb3-3.1/lun-0  sda Ultra 67.1 MB      USB 3 5 Gb/s  no",
            "A3    pci-0000:00:1c.0/usb3-3.3/lun-0  nothing, or unplugged  -             -",
            "-     pci-0000:00:1c.0/usb3-10/lun-1   sdd empty              USB 3 5 Gb/s  no",
            "-     pci-0000:00:07.0/mmc-0           empty                  -             yes",
            "A1 A2 A3 share one hub and what it can carry:\n  pci-0000:00:1c.0/usb3-3: hub 05e3:0610, 5 Gb/s",
            "lun-0 lun-1 share one reader, which serves its cards in turn:",
            "A2 is not as it was taught, and is disarmed:\n  hub usb3-3 was 2109:2817, is 05e3:0610 now",
            "An empty USB socket has nothing that could be listed",
        ] {
            assert!(page.contains(line), "{line}\nis not in\n{page}");
        }
        assert!(page.lines().all(|line| measure_text_width(line) <= WIDTH), "{page}");
    }

    #[test]
    fn a_machine_is_told_all_of_it_and_whom_each_device_is_shared_with() {
        let slots = [slot("A1", "pci-0000:00:1c.0/usb3-3.1/lun-0", "05e3:0610")];
        let lines = lines(factory().sysfs().sockets(), &slots);
        let told = lines[0].json(&lines);
        assert_eq!((&told["slot"], &told["kernel_name"], &told["usb"]), (&json!("A1"), &json!("sda"), &json!(3)));
        assert_eq!(told["path"][0]["shared_with"], json!(["pci-0000:00:1c.0/usb3-3.2/lun-0"]));
        assert_eq!((&told["hangs_on"], &told["not_as_taught"]), (&json!("05e3:0610 > 0781:5581:4C53"), &Value::Null));
        assert_eq!((&told["gives_cid"], &told["reader"]), (&json!(false), &Value::Null), "a stick is its own reader");
        let empty = lines.iter().map(|line| line.json(&lines)).find(|line| line["kernel_name"] == "sdd").expect("it is listed");
        assert_eq!((&empty["empty"], &empty["reader"]["place"]), (&json!(true), &json!("pci-0000:00:1c.0/usb3-10")));
        let host = lines.iter().map(|line| line.json(&lines)).find(|line| line["gives_cid"] == true).expect("it is listed");
        assert_eq!((&host["port"], &host["empty"]), (&json!("pci-0000:00:07.0/mmc-0"), &json!(true)));
    }
}
