//! `flashline slots`

use super::{GOOD, complain};
use crate::config;
use crate::station::card::{Bus, Card, Port};
use crate::watch::sysfs::Sysfs;

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration whose slots are named beside their ports
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

struct Line {
    port: Port,
    slot: Option<String>,
    name: String,
    card: Option<Card>,
}

pub(super) fn run(args: &Args) -> u8 {
    // Without a configuration the ports are listed all the same: they are needed to write one.
    let settings = match config::read(&args.config) {
        Ok(settings) => Some(settings),
        Err(error) => {
            if args.config.exists() {
                complain(&error);
            }
            None
        }
    };
    let sysfs = Sysfs::default();
    let slots = settings.map(|settings| settings.slots).unwrap_or_default();
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
