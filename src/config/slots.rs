//! The slots of a station: their ports, cards and lamps, and the disks that are no cards.

use std::collections::BTreeSet;

use toml::Spanned;

use super::source::{ConfigError, Source};
use super::tables::{Cards, OwnDiskTable, SlotTable};
use super::{GB, ModelSettings, ports as form};
use crate::station::lamp::{Lamp, NoLamp, SlotLamp, overlap};
use crate::station::port::{Chain, Port, places};
use crate::station::settings::{OwnDisk, Policy, SlotSettings};
use crate::station::units::Bytes;

pub(super) fn prove_slots(
    source: &Source<'_>,
    tables: &[Spanned<SlotTable>],
    models: &[ModelSettings],
    own_disks: &[OwnDisk],
) -> Result<Vec<SlotSettings>, ConfigError> {
    if tables.is_empty() {
        let problem = "there is no slot: add a [[slot]] table with `name`, `ports` and `model`; `flashline slots` lists the ports";
        return Err(source.wrong(0..0, problem));
    }
    let mut slots: Vec<SlotSettings> = Vec::new();
    let mut taken = BTreeSet::new();
    for table in tables.iter().map(Spanned::get_ref) {
        let name = source.name("name", &table.name)?;
        if slots.iter().any(|slot| slot.name == name) {
            return Err(source.wrong(table.name.span(), format!("`name`: the slot {name:?} is there twice: rename one")));
        }
        let model = table.model.get_ref();
        if !models.iter().any(|known| known.name == *model) {
            let known: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
            let problem =
                format!("`model`: there is no model {model:?}: add a [[model]] with this name, or use one of: {}", known.join(", "));
            return Err(source.wrong(table.model.span(), problem));
        }
        if table.ports.get_ref().is_empty() {
            let problem = format!("`ports` of slot {name:?} is empty: `flashline slots` lists the ports");
            return Err(source.wrong(table.name.span(), problem));
        }
        let mut ports = Vec::new();
        for port in table.ports.get_ref() {
            let text = source.name("ports", port)?;
            if let Some(why) = form::wrong(&text) {
                return Err(source.no_port(port, why));
            }
            if !taken.insert(text.clone()) {
                let owner = slots.iter().find(|slot| slot.ports.contains(&Port(text.clone()))).map_or(name.as_str(), |slot| &slot.name);
                let problem =
                    format!("`ports`: {text:?} already belongs to slot {owner:?}: a port is one slot, remove it from one of them");
                return Err(source.wrong(port.span(), problem));
            }
            ports.push(Port(text));
        }
        let capacity = table.capacity_gb.as_ref().map(|window| capacity(source, window)).transpose()?;
        let hung_on = table.hangs_on.as_ref().map_or(Ok(Vec::new()), |chains| hung_on(source, &ports, chains))?;
        let reuse = matches!(table.cards, Cards::Reuse);
        let policy = Policy {
            reuse,
            capacity,
            erase_marks: false,
            loop_devices: false,
            own_disks: own_disks.to_vec(),
            hung_on,
            covered_only: false,
        };
        slots.push(SlotSettings { name, ports, model: model.clone(), policy });
    }
    Ok(slots)
}

pub(super) fn prove_lamps(source: &Source<'_>, tables: &[Spanned<SlotTable>]) -> Result<Vec<SlotLamp>, ConfigError> {
    let mut lamps: Vec<SlotLamp> = Vec::new();
    for table in tables.iter().map(Spanned::get_ref) {
        let Some(keys) = &table.lamp else { continue };
        let place = |key: Option<&str>| key.and_then(|key| keys.get_ref().key(key)).map_or_else(|| keys.span(), Spanned::span);
        let lamp = Lamp::of_keys(|key| keys.get_ref().key(key).map(|name| name.get_ref().clone()))
            .map_err(|error: NoLamp| source.wrong(place(error.key()), error.to_string()))?;
        for (key, led) in lamp.leds() {
            if let Some(owner) = lamps.iter().find(|other| other.lamp.leds().iter().any(|(_, taken)| overlap(taken, led))) {
                let problem =
                    format!("`{key}`: the LED {led:?} already belongs to the lamp of slot {:?}: remove it from one of them", owner.slot);
                return Err(source.wrong(place(Some(key)), problem));
            }
        }
        lamps.push(SlotLamp { slot: table.name.get_ref().clone(), lamp });
    }
    Ok(lamps)
}

/// What each port hung on when the slot was taught; nothing for a port with an empty text.
fn hung_on(source: &Source<'_>, ports: &[Port], chains: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<(Port, Chain)>, ConfigError> {
    const CURE: &str = "`flashline slots teach` writes it, and without it nothing is compared";
    if chains.get_ref().len() != ports.len() {
        let problem =
            format!("`hangs_on` has one text for each of `ports`, in their order, with \"\" for one that may hang on anything: {CURE}");
        return Err(source.wrong(chains.span(), problem));
    }
    let mut hung_on = Vec::new();
    for (port, text) in ports.iter().zip(chains.get_ref()) {
        let chain = Chain::parse(text.get_ref());
        if chain.0.len() > places(port).len() {
            let problem = format!("`hangs_on`: {:?} names more devices than {port} hangs on: {CURE}", text.get_ref());
            return Err(source.wrong(text.span(), problem));
        }
        if !chain.0.is_empty() {
            hung_on.push((port.clone(), chain));
        }
    }
    Ok(hung_on)
}

fn capacity(source: &Source<'_>, window: &Spanned<[u64; 2]>) -> Result<(Bytes, Bytes), ConfigError> {
    let [least, most] = *window.get_ref();
    match (least.checked_mul(GB), most.checked_mul(GB)) {
        (Some(least), Some(most)) if least <= most => Ok((Bytes(least), Bytes(most))),
        _ => Err(source.wrong(window.span(), "`capacity_gb` is [least, most] in GB of 1000000000 bytes, the least first")),
    }
}

/// Digits of a World Wide Name, with or without what they begin with in sysfs and udev; or the longer name that NVMe gives to a disk without.
fn names_a_disk(wwn: &str) -> bool {
    let text = wwn.trim().to_ascii_lowercase();
    if let Some(rest) = text.strip_prefix("nvme.").or_else(|| text.strip_prefix("t10.")) {
        return !rest.is_empty();
    }
    let digits = ["naa.", "eui.", "uuid.", "0x"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(&text);
    digits.len() >= 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

pub(super) fn own_disk(source: &Source<'_>, table: &Spanned<OwnDiskTable>) -> Result<OwnDisk, ConfigError> {
    let given = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    match table.get_ref() {
        OwnDiskTable { wwn: Some(wwn), vendor: None, product: None, serial: None, bytes: None } if names_a_disk(wwn) => {
            Ok(OwnDisk::wwn(wwn))
        }
        OwnDiskTable { wwn: Some(wwn), vendor: None, product: None, serial: None, bytes: None } => {
            let problem = format!(
                "`wwn`: {wwn:?} is no World Wide Name, and no disk would be kept from being erased: write it as `flashline slots own-disks` \
                 prints it, as \"0x5000c500a1b2c3d4\" or \"eui.0025385b71b00001\""
            );
            Err(source.wrong(table.span(), problem))
        }
        OwnDiskTable { wwn: None, bytes: Some(0), .. } => {
            let problem = "`bytes`: no disk has 0 bytes, so none would be kept from being erased: `flashline slots own-disks` prints the \
                           tables of this PC";
            Err(source.wrong(table.span(), problem))
        }
        OwnDiskTable { wwn: None, vendor: Some(vendor), product: Some(product), serial: Some(serial), bytes: Some(bytes) } => {
            Ok(OwnDisk::Description { vendor: given(vendor), product: given(product), serial: given(serial), capacity: Bytes(*bytes) })
        }
        _ => {
            let problem = "[[own_disk]] has either `wwn`, or all of `vendor`, `product`, `serial` and `bytes`, with \"\" for what the disk \
                           does not give: `flashline slots own-disks` prints the tables of this PC";
            Err(source.wrong(table.span(), problem))
        }
    }
}
