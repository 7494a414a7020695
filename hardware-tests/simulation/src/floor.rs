//! The factory floor of a seed: ports, readers and hubs, cards, and the first configuration.

use std::time::Duration;

use crate::random::{Random, stream};
use crate::station::armed::{Armed, ArmedBy, DeviceModel, ModelProof, Occasion, UnarmedModel, Zeroes};
use crate::station::outcome::Digest;
use crate::station::port::{Chain, Port};
use crate::station::request::Who;
use crate::station::settings::{Configuration, OwnDisk, Policy, SlotSettings, StationSettings};
use crate::station::units::{Bytes, MIB};

/// What a place takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A socket for a stick, which is a USB device of its own.
    Socket,
    /// A LUN of a reader.
    Lun,
    /// An SD host of the PC.
    Host,
}

/// A place for one card.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    /// A socket has one port for each generation of USB.
    pub(crate) ports: Vec<Port>,
    /// The reader of a LUN.
    pub(crate) reader: Option<usize>,
    /// The hub above.
    pub(crate) hub: Option<usize>,
}

/// A reader or hub.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    /// Its place, as chains name it.
    pub(crate) at: String,
    pub(crate) id: String,
    pub(crate) is_hub: bool,
}

/// What is wrong with a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// A write fails.
    Writes,
    /// A read-back fails.
    Reads,
    /// Other contents are read back.
    Mismatch,
    /// Its capacity is false.
    Lies,
    /// Writes are ignored.
    Ignores,
    /// It stops to answer, and does so again after this many seconds; never after 0.
    Hangs(u64),
}

/// What is on a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    Blank,
    Old,
    /// A tombstone and a part of an image.
    Half,
    /// Every byte of the image with this number.
    Image(u8),
    /// Another program has written to it.
    Foreign,
}

/// A card, as it truly is.
#[derive(Clone, Debug)]
pub(crate) struct Physical {
    pub(crate) is_stick: bool,
    /// The serial of a stick, or the serial in the register of an SD card.
    pub(crate) serial: Option<String>,
    /// The register of an SD card.
    pub(crate) register: String,
    pub(crate) capacity: u64,
    pub(crate) block: u32,
    pub(crate) locked: bool,
    pub(crate) marks: bool,
    pub(crate) is_own_disk: bool,
    pub(crate) fault: Fault,
    /// It leaves the bus when it is asked to flush.
    pub(crate) flees_flush: bool,
    pub(crate) contents: Contents,
    pub(crate) mounted: bool,
    /// The order in whose bin of good cards it lies, or would.
    pub(crate) good_for: Option<u64>,
}

/// A slot in the engineer's file.
#[derive(Clone, Debug)]
pub(crate) struct SlotDraft {
    pub(crate) name: String,
    pub(crate) place: usize,
    pub(crate) model: usize,
    pub(crate) reuse: bool,
    pub(crate) erase_marks: bool,
    pub(crate) capacity: Option<(u64, u64)>,
    pub(crate) covered_only: bool,
    pub(crate) is_taught: bool,
}

/// A model in the engineer's file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelDraft {
    /// The number of its image.
    pub(crate) image: u8,
    /// The device inside, which two models may share; `None` if the image is not inspected.
    pub(crate) device: Option<u8>,
    pub(crate) is_armed: bool,
    pub(crate) zeroes: Zeroes,
}

/// The engineer's file.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) number: u8,
    pub(crate) station: StationSettings,
    pub(crate) slots: Vec<SlotDraft>,
    pub(crate) models: Vec<ModelDraft>,
    pub(crate) owner: u32,
}

/// All places of a factory, with their readers and hubs.
#[derive(Clone, Debug)]
pub(crate) struct Floor {
    pub(crate) places: Vec<Place>,
    pub(crate) devices: Vec<Device>,
}

/// The number of different images.
pub(crate) const IMAGES: u8 = 6;

/// The names of the models.
pub(crate) const MODELS: [&str; 3] = ["acme/box", "acme/bag", "acme/tin"];

/// The maker of the disk that belongs to the PC.
const OWN_SERIAL: &str = "OWN-1";

pub(crate) fn digest_of(image: u8) -> Digest {
    Digest([image + 1; 32])
}

/// The number of the image with this digest.
pub(crate) fn image_of(digest: Digest) -> u8 {
    digest.0[0].wrapping_sub(1)
}

pub(crate) fn span_of(image: u8) -> Bytes {
    Bytes(if image == 3 { 100 * MIB } else { 8 * MIB })
}

/// The number of users.
pub(crate) const USERS: u32 = 3;

pub(crate) fn who(user: u32) -> Who {
    if user == 0 { Who { uid: 0, name: "root".to_owned() } } else { Who { uid: 1000 + user, name: format!("user-{user}") } }
}

impl Floor {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut random = stream(seed, 1);
        let mut floor = Self { places: Vec::new(), devices: Vec::new() };
        let wanted = usize::try_from(random.between(2, 6)).unwrap_or(2);
        let mut next = 1;
        while floor.places.len() < wanted {
            let left = wanted - floor.places.len();
            match random.below(4) {
                0 => floor.add_host(),
                1 => floor.add_reader(&mut random, next, left),
                2 => floor.add_hub(&mut random, next, left),
                _ => floor.add_socket(&format!("{next}"), None),
            }
            next += 1;
        }
        floor
    }

    fn add_host(&mut self) {
        let number = self.places.iter().filter(|place| place.kind == Kind::Host).count();
        let ports = vec![Port::of_host("pci-0000:00:1a.0", number)];
        self.places.push(Place { kind: Kind::Host, ports, reader: None, hub: None });
    }

    fn add_reader(&mut self, random: &mut Random, next: u64, left: usize) {
        let at = format!("pci-0000:00:14.0/usb3-{next}");
        self.devices.push(Device { at: at.clone(), id: "05e3:0749:READER".to_owned(), is_hub: false });
        let luns = left.min(usize::try_from(random.between(1, 4)).unwrap_or(1));
        for lun in 0..luns {
            let ports = vec![Port::of_lun(&at, &lun.to_string())];
            self.places.push(Place { kind: Kind::Lun, ports, reader: Some(self.devices.len() - 1), hub: None });
        }
    }

    fn add_hub(&mut self, random: &mut Random, next: u64, left: usize) {
        let at = format!("pci-0000:00:14.0/usb3-{next}");
        self.devices.push(Device { at, id: "05e3:0610".to_owned(), is_hub: true });
        let hub = self.devices.len() - 1;
        let sockets = left.min(usize::try_from(random.between(1, 3)).unwrap_or(1));
        for socket in 1..=sockets {
            self.add_socket(&format!("{next}.{socket}"), Some(hub));
        }
    }

    fn add_socket(&mut self, chain: &str, hub: Option<usize>) {
        let port = |generation: u32| Port::of_lun(&format!("pci-0000:00:14.0/usb{generation}-{chain}"), "0");
        let ports = if hub.is_none() { vec![port(3), port(2)] } else { vec![port(3)] };
        self.places.push(Place { kind: Kind::Socket, ports, reader: None, hub });
    }

    /// The chain of devices of a card in this place, the card itself included if it is a device.
    pub(crate) fn chain(&self, place: usize, others: &[bool], serial: Option<&str>) -> Chain {
        let place = &self.places[place];
        let id = |device: usize| if others[device] { "0bda:0306".to_owned() } else { self.devices[device].id.clone() };
        let own = (place.kind == Kind::Socket).then(|| format!("0781:5581:{}", serial.unwrap_or("")));
        let host = (place.kind == Kind::Host).then(|| "sdhci-pci".to_owned());
        Chain(place.hub.into_iter().chain(place.reader).map(id).chain(own).chain(host).collect())
    }

    /// The chain that was taught, when everything hung where it belongs.
    fn taught(&self, place: usize) -> Vec<(Port, Chain)> {
        let at = &self.places[place];
        let chain = Chain(at.hub.into_iter().chain(at.reader).map(|device| self.devices[device].id.clone()).collect());
        if chain.0.is_empty() { Vec::new() } else { at.ports.iter().map(|port| (port.clone(), chain.clone())).collect() }
    }

    /// The cards of this factory.
    pub(crate) fn draw_cards(&self, seed: u64) -> Vec<Physical> {
        let mut random = stream(seed, 2);
        let (has_sticks, has_cards) =
            (self.places.iter().any(|place| place.kind == Kind::Socket), self.places.iter().any(|place| place.kind != Kind::Socket));
        (0..10 + 2 * self.places.len()).map(|index| draw_card(&mut random, index, has_sticks, has_cards)).collect()
    }

    /// The configuration that the engineer wrote first.
    pub(crate) fn draw_draft(&self, seed: u64) -> Draft {
        let mut random = stream(seed, 3);
        let models = usize::try_from(random.between(1, 3)).unwrap_or(1);
        let shares = random.chance(200);
        let draw_model = |random: &mut Random, index: usize| ModelDraft {
            image: if shares { 0 } else { u8::try_from(index % 2).unwrap_or(0) },
            device: random.chance(400).then(|| u8::try_from(random.below(2)).unwrap_or(0)),
            is_armed: !random.chance(60),
            zeroes: if random.chance(150) { Zeroes::Skip } else { Zeroes::Prove },
        };
        let station = StationSettings {
            name: "simulated".to_owned(),
            settle: Duration::from_millis(random.between(1, 10) * 100),
            flash_present: random.chance(150),
            recheck_done: random.chance(400),
            first_off: random.chance(250),
            box_size: random.chance(400).then(|| u32::try_from(random.between(1, 3)).unwrap_or(1)),
        };
        let draw_slot = |random: &mut Random, place: usize| SlotDraft {
            name: format!("A{}", place + 1),
            place,
            model: random.index(models),
            reuse: random.chance(800),
            erase_marks: random.chance(300),
            capacity: random.chance(100).then_some((60 * MIB, 130 * MIB)),
            covered_only: random.chance(150),
            is_taught: random.chance(300),
        };
        Draft {
            number: 1,
            station,
            models: (0..models).map(|index| draw_model(&mut random, index)).collect(),
            slots: (0..self.places.len()).map(|place| draw_slot(&mut random, place)).collect(),
            owner: u32::try_from(random.below(2)).unwrap_or(0),
        }
    }

    /// The configuration of a file, as the daemon hands it to the station.
    pub(crate) fn configuration(&self, draft: &Draft, by: ArmedBy, distrusted: Vec<Digest>) -> Configuration {
        let own = OwnDisk::Description {
            vendor: Some("Acme".to_owned()),
            product: Some("Stick".to_owned()),
            serial: Some(OWN_SERIAL.to_owned()),
            capacity: Bytes(64 * MIB),
        };
        let slot = |slot: &SlotDraft| SlotSettings {
            name: slot.name.clone(),
            ports: self.places[slot.place].ports.clone(),
            model: MODELS[slot.model].to_owned(),
            policy: Policy {
                reuse: slot.reuse,
                capacity: slot.capacity.map(|(least, most)| (Bytes(least), Bytes(most))),
                erase_marks: slot.erase_marks,
                own_disks: vec![own.clone()],
                hung_on: if slot.is_taught { self.taught(slot.place) } else { Vec::new() },
                covered_only: slot.covered_only,
                ..Policy::default()
            },
        };
        let models = || draft.models.iter().enumerate();
        let reason = |index: usize| UnarmedModel { model: MODELS[index].to_owned(), reason: "its image cannot be read".to_owned() };
        Configuration {
            station: draft.station.clone(),
            slots: draft.slots.iter().map(slot).collect(),
            armed: models().filter(|(_, model)| model.is_armed).map(|(index, model)| armed(index, *model)).collect(),
            unarmed: models().filter(|(_, model)| !model.is_armed).map(|(index, _)| reason(index)).collect(),
            distrusted,
            by,
        }
    }
}

impl Draft {
    pub(crate) fn by(&self, occasion: Occasion, asked_by: Option<Who>) -> ArmedBy {
        ArmedBy {
            occasion,
            config: "/etc/flashline/config.toml".to_owned(),
            digest: Digest([self.number; 32]),
            owner: Some(who(self.owner)),
            changed: Some(i64::from(self.number)),
            asked_by,
        }
    }
}

/// The image of a model, as it is armed.
pub(crate) fn armed(index: usize, model: ModelDraft) -> Armed {
    let device = |number: u8| DeviceModel {
        brand: "acme".to_owned(),
        model: format!("device-{number}"),
        series: "16".to_owned(),
        revision: 1,
        sha3_384: format!("{number}"),
        sign_key: None,
    };
    Armed {
        model: MODELS[index].to_owned(),
        model_proof: model.device.map_or(ModelProof::None, |number| ModelProof::Matching(device(number))),
        uncovered: Vec::new(),
        digest: digest_of(model.image),
        source: "image.img".to_owned(),
        span: span_of(model.image),
        block: Some(512),
        zeroes: model.zeroes,
    }
}

fn draw_card(random: &mut Random, index: usize, has_sticks: bool, has_cards: bool) -> Physical {
    let is_stick = if has_sticks && has_cards { random.chance(500) } else { has_sticks };
    let is_own_disk = is_stick && random.chance(40);
    // A careless maker gives two cards one number.
    let number = if random.chance(60) { 0 } else { index };
    let serial = if is_own_disk { Some(OWN_SERIAL.to_owned()) } else { (!random.chance(80)).then(|| format!("S-{number}")) };
    let fault = match random.below(100) {
        0..=3 => Fault::Writes,
        4..=5 => Fault::Reads,
        6..=8 => Fault::Mismatch,
        9..=10 => Fault::Lies,
        11..=12 => Fault::Ignores,
        13..=15 => Fault::Hangs(random.between(0, 30)),
        _ => Fault::None,
    };
    let contents = match random.below(10) {
        0..=2 => Contents::Blank,
        3..=7 => Contents::Old,
        8 => Contents::Half,
        _ => Contents::Image(u8::try_from(random.below(2)).unwrap_or(0)),
    };
    Physical {
        is_stick,
        serial,
        register: if is_own_disk { OWN_SERIAL.to_owned() } else { format!("cid-{number}") },
        capacity: if !is_own_disk && random.chance(80) { 4 * MIB } else { 64 * MIB },
        block: if random.chance(40) { 4096 } else { 512 },
        locked: !is_stick && random.chance(60),
        marks: random.chance(40),
        is_own_disk,
        fault,
        flees_flush: is_stick && random.chance(60),
        contents,
        mounted: false,
        good_for: None,
    }
}
