//! `flashline slots rules`

use crate::cli::{ConfigArg, GOOD, WRONG, complain};
use crate::config::Images;
use crate::watch::rules;

pub(super) fn run(config: &ConfigArg) -> u8 {
    let settings = match config.read(Images::Unseen) {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error);
            return WRONG;
        }
    };
    println!(
        "# Made by `flashline slots rules` for {}; put it into {}, then: udevadm control --reload",
        config.path().display(),
        rules::FILE
    );
    for slot in &settings.slots {
        let mut printed: Vec<String> = slot.ports.iter().filter_map(rules::rule).collect();
        printed.dedup();
        println!("# slot {}", slot.name);
        printed.iter().for_each(|rule| println!("{rule}"));
    }
    GOOD
}
