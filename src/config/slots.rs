//! The slots of a station: their ports, cards and lamps, and the disks that belong to the PC.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;

use super::source::{ConfigError, Mistakes, Source};
use super::tables::{Cards, LampTable, OwnDiskTable, SlotTable};
use super::{GB, ports as form};
use crate::station::lamp::{Lamp, LampOwner, NoLamp, OwnedLamp, overlap};
use crate::station::port::{Chain, Port, places};
use crate::station::settings::{OwnDisk, Policy, SlotSettings};
use crate::station::units::Bytes;

/// A thousand times the capacity of today's largest card: a larger number of GB was meant as a number of bytes.
const MOST_GB: u64 = 1_000_000;

/// `models` are the names of all models, valid or not.
pub(super) fn prove_slots(
    source: &Source<'_>,
    tables: &[Spanned<SlotTable>],
    models: &[&str],
    own_disks: &[OwnDisk],
    mistakes: &mut Mistakes,
) -> Vec<SlotSettings> {
    if tables.is_empty() {
        let problem = "there is no slot: add a [[slot]] table with `name`, `ports` and `model`; `flashline slots` lists the ports";
        mistakes.note::<()>(Err(source.wrong(0..0, problem)));
    }
    let mut taken = Taken::default();
    tables.iter().filter_map(|table| prove_slot(source, table.get_ref(), models, own_disks, &mut taken, mistakes)).collect()
}

/// Names and ports that are used by the slots so far.
#[derive(Default)]
struct Taken {
    names: BTreeSet<String>,
    /// Each port with its slot.
    ports: BTreeMap<String, String>,
}

fn prove_slot(
    source: &Source<'_>,
    table: &SlotTable,
    models: &[&str],
    own_disks: &[OwnDisk],
    taken: &mut Taken,
    mistakes: &mut Mistakes,
) -> Option<SlotSettings> {
    let name = mistakes.note(source.name("name", &table.name));
    if let Some(name) = name.as_ref().filter(|name| !taken.names.insert((*name).clone())) {
        let problem = format!("`name`: the slot {name:?} is there twice: rename one");
        mistakes.note::<()>(Err(source.wrong(table.name.span(), problem)));
    }
    let model = table.model.get_ref();
    if !models.contains(&model.as_str()) {
        let problem = format!("`model`: there is no model {model:?}: add a [[model]] with this name, or use one of: {}", models.join(", "));
        mistakes.note::<()>(Err(source.wrong(table.model.span(), problem)));
    }
    let called = table.name.get_ref();
    if table.ports.get_ref().is_empty() {
        let problem = format!("`ports` of slot {called:?} is empty: `flashline slots` lists the ports");
        mistakes.note::<()>(Err(source.wrong(table.name.span(), problem)));
    }
    let each = table.ports.get_ref().iter().map(|port| mistakes.note(prove_port(source, port, called, taken)));
    let ports = each.collect::<Vec<_>>().into_iter().collect::<Option<Vec<Port>>>();
    let capacity = table.capacity_gb.as_ref().map_or(Some(None), |window| mistakes.note(capacity(source, window)).map(Some));
    let chains = table.hangs_on.as_ref().zip(ports.as_ref());
    let hung_on = chains.map_or(Some(Vec::new()), |(chains, ports)| mistakes.note(hung_on(source, ports, chains)));
    let (name, ports, capacity, hung_on) = (name?, ports?, capacity?, hung_on?);
    let reuse = matches!(table.cards, Cards::Reuse);
    let own_disks = own_disks.to_vec();
    let policy = Policy { reuse, capacity, erase_marks: false, loop_devices: false, own_disks, hung_on, covered_only: false };
    Some(SlotSettings { name, ports, model: model.clone(), policy })
}

fn prove_port(source: &Source<'_>, port: &Spanned<String>, slot: &str, taken: &mut Taken) -> Result<Port, ConfigError> {
    let text = source.name("ports", port)?;
    if let Some(why) = form::wrong(&text) {
        return Err(source.no_port(port, why));
    }
    if let Some(owner) = taken.ports.get(&text) {
        let problem = format!("`ports`: {text:?} already belongs to slot {owner:?}: a port is one slot, remove it from one of them");
        return Err(source.wrong(port.span(), problem));
    }
    taken.ports.insert(text.clone(), slot.to_owned());
    Ok(Port(text))
}

/// The lamps of the slots, in their order, followed by the lamp of the station.
pub(super) fn prove_lamps(
    source: &Source<'_>,
    tables: &[Spanned<SlotTable>],
    station: Option<&Spanned<LampTable>>,
) -> Result<Vec<OwnedLamp>, ConfigError> {
    let mut lamps: Vec<OwnedLamp> = Vec::new();
    let of_slots = tables.iter().map(Spanned::get_ref).filter_map(|table| {
        let owner = LampOwner::Slot(table.name.get_ref().clone());
        table.lamp.as_ref().map(|keys| (owner, keys))
    });
    for (owner, keys) in of_slots.chain(station.map(|keys| (LampOwner::Station, keys))) {
        let place = |key: Option<&str>| key.and_then(|key| keys.get_ref().key(key)).map_or_else(|| keys.span(), Spanned::span);
        let lamp = Lamp::of_keys(|key| keys.get_ref().key(key).map(|name| name.get_ref().clone()))
            .map_err(|error: NoLamp| source.wrong(place(error.key()), error.to_string()))?;
        for (key, led) in lamp.leds() {
            if let Some(other) = lamps.iter().find(|other| other.lamp.leds().iter().any(|(_, taken)| overlap(taken, led))) {
                let of = match &other.owner {
                    LampOwner::Station => "the station".to_owned(),
                    LampOwner::Slot(slot) => format!("slot {slot:?}"),
                };
                let problem = format!("`{key}`: the LED {led:?} already belongs to the lamp of {of}: remove it from one of them");
                return Err(source.wrong(place(Some(key)), problem));
            }
        }
        lamps.push(OwnedLamp { owner, lamp });
    }
    Ok(lamps)
}

/// The devices on which each port hung when the slot was taught; a port with an empty text is left out.
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
    if least > most {
        let problem = format!("`capacity_gb`: the least, {least}, is more than the most, {most}: write [least, most], the least first");
        return Err(source.wrong(window.span(), problem));
    }
    if most > MOST_GB {
        let problem = format!(
            "`capacity_gb` is [least, most] in GB, as printed on cards, at most {MOST_GB}: a card of {most} GB is none; write what the cards \
             say, as in [8, 16]"
        );
        return Err(source.wrong(window.span(), problem));
    }
    Ok((Bytes(least * GB), Bytes(most * GB)))
}

pub(super) fn own_disk(source: &Source<'_>, table: &Spanned<OwnDiskTable>) -> Result<OwnDisk, ConfigError> {
    let given = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    match table.get_ref() {
        OwnDiskTable { wwn: Some(wwn), vendor: None, product: None, serial: None, bytes: None } => OwnDisk::wwn(wwn).ok_or_else(|| {
            let problem = format!(
                "`wwn`: {wwn:?} is no World Wide Name, and no disk would be kept from being erased: write it as `flashline slots own-disks` \
                 prints it, as \"0x5000c500a1b2c3d4\" or \"eui.0025385b71b00001\""
            );
            source.wrong(table.span(), problem)
        }),
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
