//! Looks for a switch of each reader's power, and tries it where that was asked for and no other disk is behind it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::named::Engaged;
use crate::qualify::facts::Switching;
use crate::qualify::switch::switched;
use crate::watch::reader_kind::PortSwitch;
use crate::watch::sysfs::Sysfs;

/// Notes for each slot whether its power can be cut; cuts it once for each reader if `may_switch`.
pub(super) fn look(engaged: &[Engaged], sysfs: &Sysfs, may_switch: bool) {
    let mut tried: BTreeMap<Vec<PathBuf>, Switching> = BTreeMap::new();
    for slot in engaged {
        let Some(switch) = sysfs.port_switch(&slot.card.kernel_name) else { continue };
        let found = match tried.get(&switch.files) {
            Some(known) => known.clone(),
            None if may_switch => cut(slot, engaged, &switch, sysfs),
            None => Switching::Offered,
        };
        tried.insert(switch.files, found.clone());
        slot.shared().facts.switching = found;
    }
}

fn cut(slot: &Engaged, engaged: &[Engaged], switch: &PortSwitch, sysfs: &Sysfs) -> Switching {
    if let Some(other) = stranger(switch, engaged, sysfs) {
        return Switching::Refused(format!("/dev/{other} is on the same device, and in none of the named slots"));
    }
    let behind: Vec<&Engaged> = engaged.iter().filter(|other| switch.disks.contains(&other.card.kernel_name)).collect();
    if behind.iter().any(|other| other.facts().trouble.is_some()) {
        return Switching::Refused("the trial of a card on it ended early".to_owned());
    }
    eprintln!("{}: its port is switched off for two seconds", slot.name);
    switched(switch, || behind.iter().all(|other| sysfs.glimpse(&other.ports).medium))
}

/// A disk with a medium that loses its power too, although nobody named it.
fn stranger<'d>(switch: &'d PortSwitch, engaged: &[Engaged], sysfs: &Sysfs) -> Option<&'d String> {
    let is_named = |name: &String| {
        let visit = sysfs.card(name).map(|card| card.visit);
        engaged.iter().any(|slot| slot.card.kernel_name == *name && Some(slot.card.visit) == visit)
    };
    switch.disks.iter().find(|name| sysfs.holds_medium(name) && !is_named(name))
}
