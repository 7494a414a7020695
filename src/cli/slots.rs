//! `flashline slots`: the ports of this PC, and what other programs of the PC need to be told of them.

use std::path::PathBuf;

use clap::Subcommand;

use super::{ConfigArg, GOOD, WRONG, complain};
use crate::config::{self, Images};
use crate::station::card::{Bus, Card, Port};
use crate::watch::rules;
use crate::watch::sysfs::Sysfs;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print udev rules that keep every other program away from cards in the configured slots
    Rules {
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Print `[[own_disk]]` tables of the disks in this PC now, for the configuration
    OwnDisks,
}

#[derive(Debug, clap::Args)]
struct List {
    /// The configuration whose slots are named beside their ports
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> u8 {
    match &args.what {
        None => list(&args.list),
        Some(What::Rules { config }) => print_rules(config),
        Some(What::OwnDisks) => print_own_disks(),
    }
}

struct Line {
    port: Port,
    slot: Option<String>,
    name: String,
    card: Option<Card>,
}

fn list(args: &List) -> u8 {
    // Without a configuration the ports are listed all the same: they are needed to write one.
    let slots = if args.config.exists() {
        config::read(&args.config, Images::Unseen).inspect_err(|error| complain(error)).map(|settings| settings.slots).unwrap_or_default()
    } else {
        Vec::new()
    };
    let sysfs = Sysfs::default();
    let lines = sysfs.disk_names().into_iter().filter_map(|name| {
        let port = sysfs.port(&name)?;
        let card = sysfs.card(&name);
        let slot = slots.iter().find(|slot| slot.ports.contains(&port)).map(|slot| slot.name.clone());
        Some(Line { port, slot, name, card })
    });
    let could_be_a_slot = |line: &Line| match &line.card {
        Some(card) => matches!(card.bus, Bus::Usb | Bus::Mmc(_)),
        None => line.port.0.contains("/usb"),
    };
    let mut lines: Vec<Line> = lines.filter(|line| line.slot.is_some() || could_be_a_slot(line)).collect();
    lines.sort_by(|one, other| (&one.slot, &one.port).cmp(&(&other.slot, &other.port)));
    if args.json {
        for line in &lines {
            let capacity = line.card.as_ref().map(|card| card.capacity.0);
            let identified = line.card.as_ref().map(|card| card.identified.word());
            let serial = line.card.as_ref().and_then(|card| card.serial.as_deref());
            let object = serde_json::json!({
                "port": line.port.0, "slot": line.slot, "kernel_name": line.name,
                "capacity_bytes": capacity, "serial": serial, "identified": identified,
            });
            println!("{object}");
        }
        return GOOD;
    }
    if lines.is_empty() {
        println!("no card and no reader is plugged in: put a card into each slot and run this again");
    }
    for line in &lines {
        let slot = line.slot.as_deref().unwrap_or("-");
        let card = line.card.as_ref().map_or_else(|| "empty".to_owned(), Card::label);
        println!("{slot:<8} {:<44} {:<9} {card}", line.port.0, line.name);
    }
    GOOD
}

fn print_rules(config: &ConfigArg) -> u8 {
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

fn print_own_disks() -> u8 {
    let sysfs = Sysfs::default();
    println!("# The disks in this PC when this was made, by `flashline slots own-disks`: never to be written.");
    for name in sysfs.disk_names() {
        let Some(card) = sysfs.card(&name) else { continue };
        // A medium that can be taken out is no part of the PC, and what the kernel makes up is no disk.
        let made_up = matches!(&card.bus, Bus::Loop) || card.bus == Bus::Other("virtual".to_owned());
        if made_up || sysfs.is_removable(&name) || matches!(&card.bus, Bus::Mmc(kind) if kind == "SD") {
            continue;
        }
        println!("\n# {name}: {} in {}\n[[own_disk]]", card.label(), card.port);
        match &card.wwn {
            Some(wwn) => println!("wwn = {}", text(wwn)),
            None => {
                for (key, value) in [("vendor", &card.vendor), ("product", &card.product), ("serial", &card.serial)] {
                    println!("{key} = {}", text(value.as_deref().unwrap_or_default()));
                }
                println!("bytes = {}", card.capacity.0);
            }
        }
    }
    GOOD
}

/// As a TOML string.
fn text(value: &str) -> String {
    toml::Value::from(value).to_string()
}
