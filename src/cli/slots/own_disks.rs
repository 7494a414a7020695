//! `flashline slots own-disks`: the disks of this PC, for `[[own_disk]]`.

use std::io;

use toml_edit::{DocumentMut, Item, Table, value};

use crate::cli::{GOOD, USAGE_OR_STATION, remark, say};
use crate::report::harmless;
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
        let tables = [table(&name, &card)].into_iter().collect();
        say(DocumentMut::from(Table::from_iter([("own_disk", Item::ArrayOfTables(tables))])).to_string().trim_end());
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

/// An `[[own_disk]]` table for this disk, below a comment that says which one it is.
#[must_use]
pub(in crate::cli) fn table(name: &str, card: &Card) -> Table {
    let mut table = Table::new();
    table.decor_mut().set_prefix(format!("\n# {}\n", harmless(&format!("{name}: {} in {}", card.label(), card.port))));
    match &card.wwn {
        Some(wwn) => drop(table.insert("wwn", value(wwn))),
        None => {
            for (key, text) in [("vendor", &card.vendor), ("product", &card.product), ("serial", &card.serial)] {
                table.insert(key, value(text.as_deref().unwrap_or_default()));
            }
            table.insert("bytes", value(i64::try_from(card.capacity.0).unwrap_or(i64::MAX)));
        }
    }
    table
}
