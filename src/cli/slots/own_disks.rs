//! `flashline slots own-disks`: the disks of this PC, for `[[own_disk]]`.

use std::io;

use crate::cli::{GOOD, USAGE_OR_STATION, remark, say};
use crate::station::card::{Bus, Card};
use crate::watch::sysfs::Sysfs;

pub(super) fn run() -> u8 {
    say("# The disks in this PC when this was made, by `flashline slots own-disks`: never to be written.");
    let disks = match own_disks() {
        Ok(disks) => disks,
        Err(error) => {
            remark(format_args!("the disks of this PC cannot be listed: {error}; run it again"));
            return USAGE_OR_STATION;
        }
    };
    for (name, card) in disks {
        say(format_args!("\n# {name}: {} in {}\n[[own_disk]]", card.label(), card.port));
        match &card.wwn {
            Some(wwn) => say(format_args!("wwn = {}", text(wwn))),
            None => {
                for (key, value) in [("vendor", &card.vendor), ("product", &card.product), ("serial", &card.serial)] {
                    say(format_args!("{key} = {}", text(value.as_deref().unwrap_or_default())));
                }
                say(format_args!("bytes = {}", card.capacity.0));
            }
        }
    }
    GOOD
}

/// The disks that are in this PC now and cannot be taken out of it, by the kernel's names.
///
/// # Errors
/// When they cannot be listed.
pub(in crate::cli) fn own_disks() -> io::Result<Vec<(String, Card)>> {
    let sysfs = Sysfs::default();
    // A medium that can be taken out is no part of the PC, and what the kernel makes up is no disk.
    let is_own = |name: &str, card: &Card| {
        let made_up = matches!(&card.bus, Bus::Loop) || card.bus == Bus::Other("virtual".to_owned());
        !(made_up || sysfs.is_removable(name) || matches!(&card.bus, Bus::Mmc(kind) if kind == "SD"))
    };
    let cards = sysfs.disk_names()?.into_iter().filter_map(|name| sysfs.card(&name).map(|card| (name, card)));
    Ok(cards.filter(|(name, card)| is_own(name, card)).collect())
}

/// As a TOML string.
fn text(value: &str) -> String {
    toml::Value::from(value).to_string()
}
