//! `flashline slots rules`: udev rules that keep other programs off the slots.

use crate::cli::{ConfigArg, GOOD, USAGE_OR_STATION, complain, say};
use crate::config::ImageCheck;
use crate::watch::rules;

pub(super) fn run(config: &ConfigArg) -> u8 {
    let settings = match config.read(ImageCheck::Unseen) {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error);
            return USAGE_OR_STATION;
        }
    };
    say(format_args!(
        "# Made by `flashline slots rules` for {}; put it into {}, then: udevadm control --reload",
        config.path().display(),
        rules::FILE
    ));
    for slot in &settings.slots {
        let mut printed: Vec<String> = slot.ports.iter().filter_map(rules::rule).collect();
        printed.dedup();
        say(format_args!("# slot {}", slot.name));
        printed.iter().for_each(say);
    }
    GOOD
}
