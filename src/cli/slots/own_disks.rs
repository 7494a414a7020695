//! `flashline slots own-disks`: the disks of this PC, for `[[own_disk]]`.

use crate::cli::{GOOD, USAGE_OR_STATION, remark, say};
use crate::station::card::Bus;
use crate::watch::sysfs::Sysfs;

pub(super) fn run() -> u8 {
    let sysfs = Sysfs::default();
    say("# The disks in this PC when this was made, by `flashline slots own-disks`: never to be written.");
    let names = match sysfs.disk_names() {
        Ok(names) => names,
        Err(error) => {
            remark(format_args!("the disks of this PC cannot be listed: {error}; run it again"));
            return USAGE_OR_STATION;
        }
    };
    for name in names {
        let Some(card) = sysfs.card(&name) else { continue };
        // A medium that can be taken out is no part of the PC, and what the kernel makes up is no disk.
        let made_up = matches!(&card.bus, Bus::Loop) || card.bus == Bus::Other("virtual".to_owned());
        if made_up || sysfs.is_removable(&name) || matches!(&card.bus, Bus::Mmc(kind) if kind == "SD") {
            continue;
        }
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

/// As a TOML string.
fn text(value: &str) -> String {
    toml::Value::from(value).to_string()
}
